# What an ordinary role can prepare for a superuser, or for anybody who uses
# wfml: names that are taken for others, sources that wait or trap, tables that
# hide rows.  None of it runs with another's rights or holds him up for long.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use WfmlTest;

my $node = start_node('main', 'fsync = off');

$node->safe_psql('postgres', q{
SET client_min_messages = error;
CREATE ROLE mallory LOGIN;
CREATE ROLE alice LOGIN;
GRANT CREATE ON SCHEMA public TO mallory, alice;
GRANT CREATE ON DATABASE postgres TO mallory;
SET ROLE alice;
CREATE TABLE points AS SELECT i AS id, i % 20 AS x, (i % 20 >= 10) <> (i % 7 = 0) AS y FROM generate_series(1, 1000) i;
ANALYZE points;
CREATE TABLE arrivals (id bigint PRIMARY KEY, x int, y boolean, p text, c float8);
SELECT model FROM wfml.train('hers', 'gradient_boosting', 'SELECT x, y FROM points', 'y', '{"rounds": 5}');
RESET ROLE;
CREATE TABLE bait AS SELECT * FROM points;
ALTER TABLE bait OWNER TO mallory;
SET ROLE mallory;
SELECT model FROM wfml.train('his', 'gradient_boosting', 'SELECT x, y FROM bait', 'y', '{"rounds": 5}');
});

# ---- names that are taken for others ----

# Every operator and function of pg_catalog that SQL of ours may mean, for its
# own types, so that whatever is not qualified meets these first.
$node->safe_psql('postgres', q{
SET ROLE mallory;
CREATE SCHEMA evil;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
DO $do$
DECLARE
	f record;
	body CONSTANT text := $$BEGIN RAISE EXCEPTION 'led astray' USING ERRCODE = 'MAL00'; END$$;
	n int := 0;
BEGIN
	FOR f IN SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments, format_type(p.prorettype, NULL) AS result, p.proretset
		FROM pg_proc p
		WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.provariadic = 0 AND p.prorettype <> 'internal'::regtype
			AND NOT 'internal'::regtype = ANY (p.proargtypes) AND p.proargmodes IS NULL
			AND NOT EXISTS (SELECT FROM unnest(p.proargtypes) t JOIN pg_type y ON y.oid = t WHERE y.typtype = 'p')
			AND NOT EXISTS (SELECT FROM pg_type y WHERE y.oid = p.prorettype AND y.typtype = 'p')
			AND EXISTS (SELECT FROM pg_proc w WHERE w.pronamespace = 'wfml'::regnamespace AND w.prosrc ~ ('\m' || p.proname || '\M'))
	LOOP
		BEGIN
			EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS %L', f.proname, f.arguments, CASE WHEN f.proretset THEN 'SETOF' ELSE '' END, f.result, body);
			n := n + 1;
		EXCEPTION WHEN OTHERS THEN NULL;
		END;
	END LOOP;
	FOR f IN SELECT o.oprname, format_type(oprleft, NULL) AS l, format_type(oprright, NULL) AS r, format_type(oprresult, NULL) AS result
		FROM pg_operator o
		WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprkind = 'b' AND oprleft = ANY (ARRAY['text', 'name', 'int2', 'int4', 'int8', 'float8', 'numeric', 'bool', 'oid', 'timestamptz', 'interval', 'jsonb', 'char', 'text[]', 'int4[]', 'regclass', 'bpchar']::regtype[])
			AND oprright NOT IN (SELECT oid FROM pg_type WHERE typtype = 'p')
	LOOP
		BEGIN
			EXECUTE format('CREATE FUNCTION evil.op%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L', n, f.l, f.r, f.result, body);
			EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.op%s)', f.oprname, f.l, f.r, n);
			n := n + 1;
		EXCEPTION WHEN OTHERS THEN NULL;
		END;
	END LOOP;
	-- relations and types of our names, and overloads of our functions
	CREATE TABLE evil.registry (name text, owner regrole, active_id bigint);
	CREATE TABLE evil.ml_model (id bigint, name text);
	CREATE TABLE evil.prediction (id bigint);
	CREATE VIEW evil.models AS SELECT 'none'::text AS name, 1 / (random() < 2)::int AS version;
	CREATE FUNCTION evil.predict(text, jsonb) RETURNS float8 LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'led astray' USING ERRCODE = 'MAL00'; END$$;
	CREATE FUNCTION evil.version_asked(text) RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'led astray' USING ERRCODE = 'MAL00'; END$$;
END $do$});
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM pg_operator WHERE oprnamespace = 'evil'::regnamespace}), '>', 150, 'many operators lie in wait');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'evil'::regnamespace AND proname !~ '^op'}), '>', 25, 'and functions');
is(($node->psql('postgres', q{SET search_path = evil, pg_catalog; SELECT 'a'::text = 'b'::text}))[0], 3, 'who is careless is led astray');

# (nothing in these is unqualified but what wfml does itself)
my @calls = (
	q{SELECT FROM wfml.train('new', 'linear', 'SELECT x, y FROM public.points', 'y')}, q{SELECT FROM wfml.train('new', 'random_forest', 'public.points', 'y', '{"trees": 5}')},
	q{SELECT FROM wfml.inspect('public.points', 'y')}, q{SELECT wfml.predict('new', '{"x": 3, "id": 1}'::pg_catalog.jsonb)},
	q{SELECT FROM wfml.explain('new', '{"x": 3, "id": 1}'::pg_catalog.jsonb)}, q{SELECT FROM wfml.predict_batch('new', 'public.points')},
	q{SELECT FROM wfml.predict_cached('new', '{"x": 3, "id": 1}'::pg_catalog.jsonb)},
	q{SELECT FROM wfml.log_predict('hers', '{"x": 3}'::pg_catalog.jsonb, 'e')}, q{SELECT wfml.set_fallback('hers', '0.5')}, q{SELECT wfml.set_log_input('hers', true)},
	q{SELECT wfml.attach('hers', 'public.arrivals', 'id', 'p', 'c', 'y')}, q{INSERT INTO public.arrivals (id, x) VALUES (1, 3), (2, 13)},
	q{UPDATE public.arrivals SET y = true}, q{SELECT FROM wfml.attachments}, q{SELECT FROM wfml.predictions}, q{SELECT FROM wfml.answers},
	q{SELECT FROM wfml.evaluate('hers', 'public.points')}, q{SELECT FROM wfml.confusion_matrix('hers', 'public.points')}, q{SELECT FROM wfml.roc_curve('hers', 'public.points')},
	q{SELECT FROM wfml.calibration('hers', 'public.points')}, q{SELECT FROM wfml.compare('{hers,new}', 'public.points')}, q{SELECT FROM wfml.trend('hers')},
	q{SELECT FROM wfml.live_scores('hers')}, q{SELECT FROM wfml.drift('hers', 'public.points')}, q{SELECT FROM wfml.drift('hers')}, q{SELECT FROM wfml.drift_from_stats('hers', 'public.points')},
	q{SELECT FROM wfml.partial_dependence('hers', 'x', 'public.points')}, q{SELECT wfml.set_retrain_policy('hers', max_age => '1 ms', min_new_rows => 1, max_drift => 0.2, min_score_drop => 0.1)},
	q{SELECT FROM wfml.retrain_due()}, q{SELECT FROM wfml.retrain('hers')}, q{CALL wfml.run_retraining()}, q{CALL wfml.run_jobs()}, q{CALL wfml.prune_predictions('1 day'::pg_catalog.interval)},
	q{SELECT wfml.split_traffic('hers', 1, 2, 0.5)}, q{SELECT FROM wfml.log_predict('hers', '{"x": 3}'::pg_catalog.jsonb, 'e')}, q{SELECT FROM wfml.experiments}, q{SELECT wfml.end_split('hers')},
	q{SELECT wfml.train_background('new', 'linear', 'SELECT x, y FROM public.points', 'y')}, q{SELECT FROM wfml.jobs}, q{SELECT wfml.unschedule_retraining()},
	(map { "SELECT FROM wfml.$_" } qw(models versions evaluations health metrics_24h system_metrics live_score outcome_delay retrain_policies training_progress algorithms parameters)),
	q{SELECT wfml.schedule_retraining()}, q{SELECT FROM wfml.cache_stats()}, q{SELECT wfml.model_info('hers')}, q{SELECT FROM wfml.metrics('hers')},
	q{SELECT wfml.create_function('hers', 'expected', 'public.arrivals')}, q{SELECT wfml.set_comment('hers', 'x')}, q{SELECT wfml.grant_model('hers', 'mallory')}, q{SELECT wfml.revoke_model('hers', 'mallory')},
	q{SELECT wfml.detach('hers', 'public.arrivals')}, q{DROP FUNCTION public.expected(public.arrivals)}, q{SELECT wfml.activate('hers', 2)}, q{SELECT wfml.rollback('hers')}, q{SELECT wfml.rename_model('new', 'newer')},
	q{SELECT wfml.import_model('copy', wfml.export_model('newer'))}, q{SELECT wfml.verify('copy')}, q{SELECT wfml.reassign_models('alice', 'alice')}, q{SELECT wfml.drop_model('newer')});
# temporary relations come before all others
my $temporary = join '; ', map { "CREATE TEMP TABLE $_ (name text, oid oid, id bigint)" } qw(pg_class pg_roles pg_proc pg_type pg_trigger registry ml_model prediction models points);
my $led = 0;

for my $call (@calls)
{
	my ($status, undef, $err) = $node->psql('postgres', "SET client_min_messages = warning; $temporary; SET search_path = evil, pg_catalog, public; $call");
	my $fine = $call =~ /schedule_retraining\(\)|drift\('hers'\)/ ? $err !~ /astray|MAL00/ : $status == 0;

	if (!$fine) { fail($call); diag $err; $led++ }
}
is($led, 0, scalar(@calls) . ' calls with a hostile search_path and hostile temporary tables');

# the same by settings of the role or the database
$node->safe_psql('postgres', q{ALTER DATABASE postgres SET search_path = evil, pg_catalog, public});
for my $call (q{SELECT FROM wfml.health}, q{CALL wfml.run_retraining()}, q{SELECT FROM wfml.live_scores('hers')}, q{SELECT wfml.train_background('bg', 'linear', 'SELECT x, y FROM public.points', 'y')})
{
	my ($status, undef, $err) = $node->psql('postgres', $call);

	is($status, 0, "search_path of the database: $call") or diag $err;
}
$node->safe_psql('postgres', q{ALTER DATABASE postgres RESET search_path});
ok($node->poll_query_until('postgres', q{SELECT bool_and(status <> 'queued' AND status <> 'running') FROM wfml.jobs}), 'background jobs end');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT status || coalesce(' ' || message, ''), ', ') FROM wfml.jobs WHERE kind = 'train'}), 'done', 'none was led astray');

# ---- sources that wait ----

$node->safe_psql('postgres', q{
SET ROLE alice;
SELECT wfml.set_retrain_policy('hers', max_age => '1 ms');
SET ROLE mallory;
SELECT wfml.set_retrain_policy('his', max_age => '1 ms', max_seconds => 1);
RESET ROLE;
UPDATE wfml.job_run SET created_at = created_at - interval '30 days', finished_at = finished_at - interval '30 days'});
my $holder = $node->background_psql('postgres');

$holder->query_safe('SET ROLE mallory; BEGIN; LOCK TABLE bait IN ACCESS EXCLUSIVE MODE');
my $start = time;
my ($status, undef, $err) = $node->psql('postgres', 'SET client_min_messages = warning; CALL wfml.run_retraining()');
my $took = time - $start;

cmp_ok($took, '<', 8, sprintf('a locked source held up the night for %.1f s', $took));
is($node->safe_psql('postgres', q{SELECT string_agg(model || ' ' || CASE WHEN status IN ('done', 'kept') THEN 'trained' ELSE status END, ', ' ORDER BY model) FROM wfml.jobs WHERE kind = 'retrain' AND created_at > now() - interval '1 day'}),
	'hers trained, his failed', 'the other model was retrained');
$holder->query_safe('ROLLBACK');

# advisory locks and locks on what he may lock are nobody's business
$holder->query_safe('SELECT count(pg_advisory_lock(n)) FROM generate_series(1, 3000) n');
$holder->query_safe(q{BEGIN; SELECT count(*) FROM wfml.models, wfml.predictions});
$start = time;
$node->safe_psql('postgres', q{SET client_min_messages = error; SET statement_timeout = '10 s';
SELECT FROM wfml.train('hers', 'gradient_boosting', 'SELECT x, y FROM points', 'y', '{"rounds": 5}');
SELECT FROM wfml.retrain('hers', true); SELECT FROM wfml.log_predict('hers', '{"x": 3}'::jsonb); SELECT wfml.rollback('hers');
SELECT wfml.rename_model('hers', 'hers2'); SELECT wfml.rename_model('hers2', 'hers')});
cmp_ok(time - $start, '<', 8, 'an open transaction with many advisory locks holds up nobody');
$holder->query_safe('COMMIT');
$holder->quit;

# a source that traps whoever counts its rows
$node->safe_psql('postgres', q{
SET ROLE mallory;
CREATE FUNCTION public.trap() RETURNS int LANGUAGE plpgsql AS $$BEGIN ALTER ROLE mallory SUPERUSER; RETURN 1; END$$;
CREATE VIEW public.trapped AS SELECT x, y, trap() AS z FROM bait;
SELECT wfml.set_source('his', 'SELECT x, y, z FROM public.trapped', 'y');
SELECT wfml.set_retrain_policy('his', max_age => NULL, min_new_rows => 1)});
$node->psql('postgres', $_) for 'SELECT FROM wfml.retrain_due()', 'CALL wfml.run_retraining()', q{SELECT FROM wfml.retrain('his', true)}, 'SELECT FROM wfml.health';
is($node->safe_psql('postgres', q{SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'}), 'f', 'a trap in a source catches nobody');

# ---- triggers, event triggers ----

for my $query (q{CREATE TRIGGER t AFTER INSERT ON wfml.prediction FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()},
	q{CREATE RULE r AS ON INSERT TO wfml.registry DO ALSO NOTIFY x}, q{CREATE POLICY p ON wfml.prediction USING (true)}, q{ALTER TABLE wfml.registry DISABLE TRIGGER ALL},
	q{CREATE INDEX ON wfml.prediction ((trap()))}, q{ANALYZE wfml.registry; CREATE STATISTICS s ON name, owner FROM wfml.registry}, q{GRANT SELECT ON wfml.registry TO mallory},
	q{CREATE FUNCTION wfml.train(text, text, text, text) RETURNS int LANGUAGE sql AS 'SELECT 1'}, q{ALTER EXTENSION wfml ADD SCHEMA evil})
{
	my ($failed, undef, $said) = $node->psql('postgres', "SET ROLE mallory; $query");

	like($said, qr/ERROR:  (permission denied|must be owner)/, "refused: $query");
}
$node->safe_psql('postgres', q{
CREATE TABLE ddl (tag text);
CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.ddl VALUES (tg_tag); END$$;
CREATE EVENT TRIGGER noted ON ddl_command_end EXECUTE FUNCTION note()});
is($node->safe_psql('postgres', q{SET client_min_messages = error; SELECT wfml.attach('hers', 'arrivals', 'id', 'p'); INSERT INTO arrivals (id, x) VALUES (77, 3) RETURNING p IS NOT NULL; SELECT count(*) > 0 FROM ddl; SELECT wfml.detach('hers', 'arrivals')}),
	"\nt\nt\n", 'with an event trigger that writes, attaching works');
$node->safe_psql('postgres', 'DROP EVENT TRIGGER noted');

# ---- tables that hide rows ----

$node->safe_psql('postgres', q{
SET ROLE alice;
CREATE TABLE hidden AS SELECT * FROM points;
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON hidden FOR SELECT TO mallory USING (id <= 100);
GRANT SELECT ON hidden TO mallory;
CREATE TABLE closed AS SELECT * FROM points;
CREATE VIEW window AS SELECT x, y FROM closed WHERE id <= 50;
GRANT SELECT ON "window" TO mallory;
ANALYZE hidden, closed;
SELECT wfml.grant_model('hers', 'mallory')} =~ s/VIEW window/VIEW "window"/r);
sub as_mallory
{
	my ($query) = @_;
	my ($failed, $out, $said) = $node->psql('postgres', "SET client_min_messages = error; SET ROLE mallory; $query");

	return $failed ? $said =~ /ERROR:  (.*)/ ? $1 : $said : $out;
}

is(as_mallory(q{SELECT rows FROM wfml.train('few', 'linear', 'SELECT x, y FROM hidden', 'y', '{"validation": "none"}')}), '100', 'training sees what the caller sees');
is(as_mallory(q{SELECT count(*) FROM wfml.predict_batch('hers', 'hidden')}), '100', 'so do predictions of a table');
is(as_mallory(q{SELECT sum(count) FROM wfml.confusion_matrix('hers', 'hidden')}), '100', 'and its scores');
is(as_mallory(q{SELECT max(rows) FROM wfml.drift('hers', 'hidden')}), '100', 'and drift');
like(as_mallory(q{SELECT count(psi) FROM wfml.drift_from_stats('hers', 'closed')}), qr/no statistics of "closed" that you may see/, 'nor do statistics tell of a table that he may not read');
like(as_mallory(q{SELECT count(psi) FROM wfml.drift_from_stats('hers', 'hidden')}), qr/no statistics of "hidden" that you may see/, 'nor of one that hides rows from him');
like(as_mallory(q{SELECT count(*) FROM wfml.predict_batch('hers', 'closed')}), qr/permission denied/, 'a closed table stays closed');
is(as_mallory(q{SELECT rows FROM wfml.train('few', 'linear', 'window', 'y', '{"validation": "none"}')}), '50', 'a view of it does not');
is($node->safe_psql('postgres', q{SET client_min_messages = error; SELECT wfml.drop_model('few'); SET ROLE mallory; SELECT rows FROM wfml.train('few', 'linear', 'SELECT x, y FROM hidden', 'y', '{"validation": "none"}'); RESET ROLE; SELECT rows FROM wfml.versions WHERE id = (SELECT wfml.version_id('few')); SELECT version FROM wfml.retrain('few', true); SELECT rows FROM wfml.versions WHERE name = 'few' AND version = 2}),
	"\n100\n100\n2\n100", 'a superuser who retrains sees what the owner sees');

is(registry_faults($node), '', 'nothing is half there');
$node->stop;
done_testing();
