# A database in production is dumped and restored into another cluster: models,
# logged predictions, policies, attachments with their triggers, grants and
# numbers that go on; also where a publication is FOR ALL TABLES, which every
# change of wfml's own tables must live with.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WfmlTest;

my $node = start_node('main', "fsync = off\nwal_level = logical");

load_jobs($node);
$node->safe_psql('postgres', q{
SET client_min_messages = error;
CREATE ROLE analyst;
CREATE ROLE owner;
CREATE ROLE writer;
GRANT CREATE ON SCHEMA public TO owner;
ALTER TABLE jobs OWNER TO owner;
CREATE PUBLICATION everything FOR ALL TABLES;
SET ROLE owner;
SELECT * FROM wfml.train('m', 'random_forest', 'jobs', 'class', '{"trees": 5}');
SELECT * FROM wfml.train('m', 'random_forest', 'jobs', 'class', '{"trees": 6}');
SELECT * FROM wfml.train('n', 'linear', 'jobs', 'hour', '{"validation": "none"}', '{compounds,input_fields}');
SELECT wfml.grant_model('m', 'analyst');
SELECT wfml.create_function('m', 'expected_class', 'jobs');
CREATE TABLE arrivals (id bigint PRIMARY KEY, LIKE jobs, expected text, confidence float8);
CREATE TABLE parts (id bigint, LIKE jobs, expected text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
GRANT INSERT, SELECT ON arrivals TO writer;
SELECT wfml.attach('m', 'arrivals', 'id', 'expected', 'confidence', 'class');
SELECT wfml.attach('m', 'parts', 'id', 'expected');
SELECT wfml.set_fallback('m', '''VF''');
SELECT wfml.set_retrain_policy('m', max_age => '3 days', min_score_drop => 0.1);
SELECT wfml.split_traffic('m', 1, 2, 0.5);
SELECT wfml.set_log_input('n', true);
SELECT wfml.set_comment('m', 'what a job''s class will be');
INSERT INTO arrivals SELECT row_number() OVER (), j.protocol, j.compounds, j.input_fields, j.iterations, j.num_pending, j.hour, j.day FROM (SELECT * FROM jobs LIMIT 300) j;
INSERT INTO parts SELECT 10 * row_number() OVER (), j.* FROM (SELECT * FROM jobs LIMIT 50) j;
UPDATE arrivals SET class = 'F' WHERE id <= 200;
SELECT count(*) FROM (SELECT * FROM jobs LIMIT 5) j, LATERAL wfml.log_predict('n', j, 'by call') p;
SELECT * FROM wfml.evaluate('m', 'jobs');
SELECT wfml.version_id('n') AS id \gset
CREATE INDEX by_hour ON jobs (wfml.predict_version(:id, jobs.*));
RESET ROLE;
});

# ---- every change of our tables, under FOR ALL TABLES ----

is($node->safe_psql('postgres', q{
SELECT string_agg(c.oid::regclass::text, ' ') FROM pg_class c
WHERE relnamespace = 'wfml'::regnamespace AND relkind = 'r' AND relreplident = 'd'
	AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)}), '', 'every table has an identity');
is($node->safe_psql('postgres', q{SELECT count(*) FROM wfml.predictions WHERE actual = 'F'}), '200', 'outcomes were joined');
$node->safe_psql('postgres', q{
SET client_min_messages = error;
SELECT * FROM wfml.train('gone', 'random_forest', 'jobs', 'class', '{"trees": 3}');
SELECT * FROM wfml.train('gone', 'random_forest', 'jobs', 'class', '{"trees": 3}');
SELECT * FROM wfml.evaluate('gone', 'jobs');
SELECT wfml.grant_model('gone', 'analyst');
SELECT wfml.set_retrain_policy('gone');
SELECT count(*) FROM (SELECT * FROM jobs LIMIT 5) j, LATERAL wfml.log_predict('gone', j, 'by call') p;
SELECT wfml.rollback('gone');
SELECT wfml.rename_model('gone', 'going');
SELECT wfml.revoke_model('going', 'analyst');
SELECT wfml.drop_retrain_policy('going');
SELECT wfml.retire('going', 2);
SELECT wfml.drop_model('going', 2)});
my ($status, undef, $message) = $node->psql('postgres', q{SELECT wfml.drop_model('going')});

is($status, 0, 'models are changed and dropped under it');
is($node->safe_psql('postgres', q{SELECT count(*), count(model_id) FROM wfml.prediction WHERE entity = 'by call'}), '10|5', 'what they predicted stays, without its version');
# (the outcomes of m are far from what it was trained on)
$node->safe_psql('postgres', q{CALL wfml.run_retraining()});
is($node->safe_psql('postgres', q{SELECT max(version) FROM wfml.versions WHERE name = 'm'}), '3', 'retraining works under it');
$node->safe_psql('postgres', q{CALL wfml.prune_predictions('1 h')});
is($node->safe_psql('postgres', 'SELECT count(*) FROM wfml.prediction'), '360', 'nothing young is pruned');
$node->safe_psql('postgres', q{UPDATE wfml.prediction SET made_at = made_at - interval '100 days' WHERE entity = 'by call'});
$node->safe_psql('postgres', q{CALL wfml.run_retraining()});
is($node->safe_psql('postgres', 'SELECT count(*) FROM wfml.prediction'), '350', 'old ones are');

# ---- into another cluster ----

# All that a user can see, as text; times and numbers of roles apart.
my $seen = q{
SET search_path = public;
SELECT 'version ' || concat_ws(', ', name, version, id, active, status, algorithm, task, score, rows, size, seed, source) FROM wfml.versions
UNION ALL SELECT 'model ' || concat_ws(', ', name, version, owner, comment) FROM wfml.models
UNION ALL SELECT 'prediction ' || p::text FROM wfml.predictions p
UNION ALL SELECT 'evaluation ' || e::text FROM wfml.evaluations e
UNION ALL SELECT 'attachment ' || concat_ws(', ', model, relation, key_column, output_column, confidence_column, outcome_column, attached_by, broken) FROM wfml.attachments
UNION ALL SELECT 'policy ' || concat_ws(', ', model, owner, max_age, min_score_drop, max_drift, min_new_rows, max_seconds, keep_versions) FROM wfml.retrain_policies
UNION ALL SELECT 'job ' || concat_ws(', ', id, kind, model, status, message) FROM wfml.jobs
UNION ALL SELECT 'registry ' || concat_ws(', ', name, owner, number, fallback, traffic, keep_versions, log_input, search_path, timezone, last_version) FROM wfml.registry
UNION ALL SELECT 'grant ' || g::text FROM wfml.model_grant g
UNION ALL SELECT 'activation ' || a::text FROM wfml.activation a
UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal AND tgrelid <> ALL (SELECT oid FROM pg_class WHERE relnamespace = 'wfml'::regnamespace)
UNION ALL SELECT 'row ' || a::text FROM arrivals a
UNION ALL SELECT 'answer ' || md5(string_agg(wfml.predict_proba('m', j)::text || expected_class(j) || wfml.predict('n', j), ' ' ORDER BY j::text)) FROM jobs j
UNION ALL SELECT 'right ' || c.oid::regclass || ' ' || c.relacl::text FROM pg_class c WHERE relnamespace = 'wfml'::regnamespace
ORDER BY 1};
my $before = $node->safe_psql('postgres', $seen);

cmp_ok(scalar(split /\n/, $before), '>', 300, 'there is much to see');
my $dump = $node->basedir . '/dump';

$node->command_ok([ 'pg_dumpall', '--globals-only', '-f', "$dump.roles", '-d', $node->connstr('postgres') ], 'roles are dumped');
for my $format (qw(plain custom))
{
	$node->command_ok([ 'pg_dump', '-F', $format, '-f', "$dump.$format", '-d', $node->connstr('postgres') ], "pg_dump $format");
}

# Without triggers and row by row, as some do.
my @ways = ([ plain => 'plain' ], [ custom => 'custom' ], [ 'parallel jobs' => 'custom' ], [ 'schema first, then data' => 'custom' ]);
my $other = PostgreSQL::Test::Cluster->new('other');

$other->init;
$other->append_conf('postgresql.conf', "fsync = off\nwal_level = logical");
$other->start;
# (the role that runs this is there already)
my $roles = slurp_file("$dump.roles");
$roles =~ s/^(CREATE|ALTER) ROLE (?!analyst|owner|writer).*?;\n//mg;
append_to_file("$dump.others", $roles);
$other->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $other->connstr('postgres'), '-f', "$dump.others" ], 'roles are restored');

for my $n (0 .. $#ways)
{
	my ($way, $format, @options) = @{ $ways[$n] };
	my $db = "restored$n";
	my @restore = ('pg_restore', '-e', @options, '-d', $other->connstr($db));

	$other->safe_psql('postgres', "CREATE DATABASE $db");
	if ($format eq 'plain')
	{
		$other->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $other->connstr($db), '-f', "$dump.plain" ], 'restored with psql');
	}
	elsif ($way =~ /parallel/)
	{
		# our tables refer to each other, which parallel jobs do not wait for
		$other->command_ok([ @restore, '--section', 'pre-data', "$dump.custom" ], "$way: pre-data");
		$other->command_ok([ @restore, '--section', 'data', '-n', 'wfml', "$dump.custom" ], "$way: data of wfml by one");
		$other->command_ok([ @restore, '-j', '2', '--section', 'data', '-N', 'wfml', "$dump.custom" ], "$way: all other data");
		$other->command_ok([ @restore, '-j', '2', '--section', 'post-data', "$dump.custom" ], "$way: post-data");
	}
	elsif ($way =~ /schema first/)
	{
		$other->command_ok([ @restore, '--section', 'pre-data', "$dump.custom" ], "$way: pre-data");
		$other->command_ok([ @restore, '--section', 'data', "$dump.custom" ], "$way: data");
		$other->command_ok([ @restore, '--section', 'post-data', "$dump.custom" ], "$way: post-data");
	}
	else
	{
		$other->command_ok([ @restore, "$dump.custom" ], "$way: restored");
	}
	my @was = split /\n/, $before;
	my %is = map { $_ => 1 } split /\n/, $other->safe_psql($db, $seen);
	my @missing = grep { !delete $is{$_} } @was;

	is(scalar(@missing) + keys %is, 0, "$way: everything is as it was");
	diag "not there: $_" for @missing;
	diag "new: $_" for sort keys %is;
	is(registry_faults($other, $db), '', "$way: nothing is half there, and numbers go on");

	# ---- it lives ----

	is($other->safe_psql($db, q{
SET client_min_messages = error;
SET ROLE writer;
INSERT INTO arrivals (id, protocol, compounds, input_fields, iterations, num_pending, hour, day) SELECT 1000, protocol, compounds, input_fields, iterations, num_pending, hour, day FROM arrivals WHERE id = 1 RETURNING expected IS NOT NULL;
RESET ROLE;
UPDATE arrivals SET class = 'F' WHERE id = 1000;
SELECT actual, made_by FROM wfml.predictions WHERE entity = '1000';
SELECT count(*) FROM (SELECT * FROM jobs LIMIT 5) j, LATERAL wfml.log_predict('n', j, 'after') p;
SET ROLE owner;
SELECT version FROM wfml.train('m', 'random_forest', 'jobs', 'class', '{"trees": 4}');
SELECT wfml.rollback('m');
INSERT INTO parts SELECT 777, j.* FROM (SELECT * FROM jobs LIMIT 1) j RETURNING expected IS NOT NULL;
SELECT wfml.detach('m', 'parts');
SELECT version FROM wfml.retrain('n', true);
SET ROLE analyst;
SELECT wfml.classify('m', jsonb_build_object('protocol', 'E', 'compounds', 997, 'input_fields', 137, 'iterations', 20, 'num_pending', 0, 'hour', 14, 'day', 'Tue')) IS NOT NULL}),
		join("\n", 't', 'F|writer', '5', '4', '2', 't', '', '2', 't'), "$way: it goes on");
	is(registry_faults($other, $db), '', "$way: nothing is half there afterwards");
}

$other->stop;
$node->stop;
done_testing();
