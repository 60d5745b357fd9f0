# DROP EXTENSION wfml CASCADE leaves nothing that names it but the empty schema:
# no trigger, function, index, view or comment, while the application's tables
# stay as they are; and it can be created again.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WfmlTest;

my $node = start_node('main', 'fsync = off');

# Where wfml is named in this database's catalogs: in any column of text, and
# in definitions, which hold object numbers.
my $named = q{
SET client_min_messages = error;
CREATE TEMP TABLE named (what text);
DO $$
DECLARE
	found record;
BEGIN
	FOR found IN SELECT a.attrelid::regclass AS relation, quote_ident(a.attname) AS col, a.attnum
		FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid
		WHERE t.relnamespace = 'pg_catalog'::regnamespace AND t.relkind = 'r' AND a.attnum > 0
			AND t.relname NOT IN ('pg_statistic', 'pg_largeobject', 'pg_largeobject_metadata')
			AND a.atttypid IN ('name'::regtype, 'text'::regtype, 'text[]'::regtype, 'pg_node_tree'::regtype, 'aclitem[]'::regtype, 'bytea'::regtype)
	LOOP
		EXECUTE format('INSERT INTO named SELECT %1$L || left(%2$s::text, 200) FROM %3$s WHERE %2$s::text ~* %4$L', found.relation || '.' || found.col || ': ', found.col, found.relation, 'wfml');
	END LOOP;
	-- bytes of a trigger's arguments, or of anything else, as text
	INSERT INTO named SELECT 'argument of trigger ' || tgname || ' on ' || tgrelid::regclass FROM pg_trigger WHERE position('wfml'::bytea IN tgargs) > 0;
	INSERT INTO named SELECT 'view ' || c.oid::regclass FROM pg_class c WHERE relkind IN ('v', 'm') AND pg_get_viewdef(c.oid) ~ 'wfml';
	INSERT INTO named SELECT 'index ' || i.indexrelid::regclass FROM pg_index i WHERE pg_get_indexdef(i.indexrelid) ~ 'wfml';
	INSERT INTO named SELECT 'function ' || p.oid::regprocedure FROM pg_proc p WHERE prokind <> 'a' AND pronamespace <> 'pg_catalog'::regnamespace AND pg_get_functiondef(p.oid) ~ 'wfml';
	INSERT INTO named SELECT 'trigger ' || tgname || ' on ' || tgrelid::regclass FROM pg_trigger WHERE pg_get_triggerdef(oid) ~ 'wfml';
	INSERT INTO named SELECT 'default of ' || adrelid::regclass FROM pg_attrdef WHERE pg_get_expr(adbin, adrelid) ~ 'wfml';
	INSERT INTO named SELECT 'constraint ' || conname FROM pg_constraint WHERE pg_get_constraintdef(oid) ~ 'wfml';
	INSERT INTO named SELECT 'policy ' || polname FROM pg_policy WHERE pg_get_expr(polqual, polrelid) ~ 'wfml';
	-- what depends on something that is not there
	INSERT INTO named SELECT 'dependency on a missing function: ' || pg_describe_object(classid, objid, objsubid) FROM pg_depend
		WHERE refclassid = 'pg_proc'::regclass AND refobjid >= 16384 AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = refobjid);
	INSERT INTO named SELECT 'dependency on a missing schema' FROM pg_depend
		WHERE refclassid = 'pg_namespace'::regclass AND refobjid >= 16384 AND NOT EXISTS (SELECT FROM pg_namespace n WHERE n.oid = refobjid);
	INSERT INTO named SELECT 'trigger ' || tgname || ' without a function' FROM pg_trigger WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = tgfoid);
	INSERT INTO named SELECT 'comment on nothing' FROM pg_description WHERE classoid = 'pg_proc'::regclass AND objoid >= 16384 AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = objoid);
	INSERT INTO named SELECT 'rights on nothing' FROM pg_init_privs WHERE classoid = 'pg_proc'::regclass AND objoid >= 16384 AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = objoid);
	INSERT INTO named SELECT 'rights on no relation' FROM pg_init_privs WHERE classoid = 'pg_class'::regclass AND objoid >= 16384 AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = objoid);
END $$;
SELECT what FROM named ORDER BY 1};

load_jobs($node);
$node->safe_psql('postgres', 'CREATE ROLE analyst');

# ---- everything that can come to name wfml ----

$node->safe_psql('postgres', q{
SET client_min_messages = error;
SELECT * FROM wfml.train('m', 'random_forest', 'jobs', 'class', '{"trees": 5}');
SELECT * FROM wfml.train('m', 'random_forest', 'jobs', 'class', '{"trees": 6}');
SELECT * FROM wfml.train('n', 'linear', 'jobs', 'hour', '{"validation": "none"}', '{compounds,input_fields}');
SELECT wfml.grant_model('m', 'analyst');
SELECT wfml.create_function('m', 'expected_class', 'jobs');
CREATE VIEW risk AS SELECT j.*, wfml.classify('m', j) AS expected FROM jobs j;
CREATE MATERIALIZED VIEW risks AS SELECT wfml.predict_version(wfml.version_id('n'), j) AS hour FROM jobs j;
CREATE FUNCTION mine(j jobs) RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT wfml.classify('m', j); END;
CREATE TABLE arrivals (id bigint PRIMARY KEY, LIKE jobs, expected text, confidence float8);
CREATE TABLE parts (id bigint, LIKE jobs, expected text) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
CREATE TABLE part2 PARTITION OF parts FOR VALUES FROM (1000) TO (2000);
SELECT wfml.attach('m', 'arrivals', 'id', 'expected', 'confidence', 'class');
SELECT wfml.attach('m', 'parts', 'id', 'expected');
CREATE TRIGGER by_hand AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION wfml.log_trigger('m', 'compounds');
SELECT wfml.set_fallback('m', '''VF''');
SELECT wfml.set_retrain_policy('m');
SELECT wfml.split_traffic('m', 1, 2, 0.5);
INSERT INTO arrivals SELECT row_number() OVER (), j.* FROM (SELECT * FROM jobs LIMIT 50) j;
INSERT INTO parts SELECT 10 * row_number() OVER (), j.* FROM (SELECT * FROM jobs LIMIT 150) j;
SELECT * FROM wfml.evaluate('m', 'jobs');
CREATE VIEW seen AS SELECT model, label FROM wfml.predictions;
COMMENT ON FUNCTION mine(jobs) IS 'calls wfml';
});
$node->safe_psql('postgres', q{
SELECT wfml.version_id('n') AS id \gset
CREATE INDEX by_hour ON jobs (wfml.predict_version(:id, jobs.*));
CREATE INDEX late ON jobs (hour) WHERE wfml.predict_version(:id, jobs.*) > 12});
is($node->safe_psql('postgres', 'SELECT count(*) FROM wfml.prediction'), '200', 'rows were scored');
my $rows = $node->safe_psql('postgres', q{SELECT md5(string_agg(a::text, '' ORDER BY id)) FROM arrivals a});
my $session = $node->background_psql('postgres', on_error_stop => 0);

$session->query(q{SELECT count(*) FROM jobs j WHERE wfml.classify('m', j) = 'M'});
$session->query(q{PREPARE p AS SELECT count(*) FROM jobs j WHERE wfml.classify('m', j) = 'M'});
$session->query(q{EXECUTE p});
cmp_ok(scalar(split /\n/, $node->safe_psql('postgres', $named)), '>', 300, 'wfml is named in many places');

# ---- dropped ----

my ($status, undef, $message) = $node->psql('postgres', 'DROP EXTENSION wfml');

isnt($status, 0, 'it is not dropped while much depends on it');
like($message, qr/depend/, 'which is said');
($status, undef, $message) = $node->psql('postgres', 'DROP EXTENSION wfml CASCADE');
is($status, 0, 'dropped with CASCADE');
like($message, qr/drop cascades to/, 'which is told');
# PostgreSQL keeps the schema that CREATE EXTENSION made, empty, and its rights
is(join("\n", grep { !/^pg_namespace\.nsp(name: wfml$|acl: )/ } split /\n/, $node->safe_psql('postgres', $named)), '', 'nothing but an empty schema is named wfml');
is($node->safe_psql('postgres', 'DROP SCHEMA wfml'), '', 'which can be dropped');
is($node->safe_psql('postgres', $named), '', 'and then nothing is');

# ---- the application's ----

is($node->safe_psql('postgres', q{SELECT md5(string_agg(a::text, '' ORDER BY id)) FROM arrivals a}), $rows, 'rows and their predictions are as they were');
is($node->safe_psql('postgres', q{INSERT INTO arrivals (id, protocol) VALUES (1000, 'E') RETURNING expected IS NULL}), 't', 'the table takes rows');
is($node->safe_psql('postgres', q{UPDATE arrivals SET class = 'F' WHERE id = 1000 RETURNING class}), 'F', 'and changes');
is($node->safe_psql('postgres', q{INSERT INTO parts (id, protocol) VALUES (7, 'E'), (1007, 'E') RETURNING tableoid::regclass}), "part1\npart2", 'so do partitions');
is($node->safe_psql('postgres', q{INSERT INTO jobs (protocol, compounds) VALUES ('E', 3) RETURNING compounds}), '3', 'and the table with a trigger made by hand');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal}), '0', 'no trigger is left');

# a session from before
my ($out) = $session->query('SELECT 1 + 1');

is($out, '2', 'a session that had it open lives');
$session->{stderr} = '';
$session->query('EXECUTE p');
like($session->{stderr}, qr/ERROR/, 'its plan fails');

# ---- and again ----

$node->safe_psql('postgres', 'CREATE EXTENSION wfml');
is($node->safe_psql('postgres', q{SELECT count(*) FROM wfml.models}), '0', 'created again, empty');
$node->safe_psql('postgres', q{
SET client_min_messages = error;
SELECT * FROM wfml.train('m', 'random_forest', 'jobs', 'class', '{"trees": 5}');
SELECT wfml.attach('m', 'arrivals', 'id', 'expected', 'confidence', 'class');
INSERT INTO arrivals SELECT 2000 + row_number() OVER (), j.* FROM (SELECT * FROM jobs LIMIT 50) j});
is($node->safe_psql('postgres', 'SELECT count(*) FROM wfml.prediction'), '50', 'tables attach and score');
$session->{stderr} = '';
is($session->query(q{SELECT count(*) > 0 FROM jobs j WHERE wfml.classify('m', j) IS NOT NULL}), 't', 'also in the session from before');
is($session->query(q{SELECT count(*) > 0 FROM (SELECT * FROM jobs LIMIT 3) j, LATERAL wfml.log_predict('m', j) p}), 't', 'which logs');
is($session->{stderr}, '', 'without a word');
$session->quit;
is(registry_faults($node), '', 'nothing is half there');

# ---- a role that owns models and attachments leaves ----

$node->safe_psql('postgres', q{
SET client_min_messages = error;
CREATE ROLE leaver;
GRANT CREATE ON SCHEMA public TO leaver;
SET ROLE leaver;
CREATE TABLE hers AS SELECT i AS id, i % 20 AS x, i % 20 >= 10 AS up FROM generate_series(1, 400) i;
SELECT model FROM wfml.train('hers', 'gradient_boosting', 'hers', 'up', '{"rounds": 3}', '{x}');
SELECT wfml.attach('hers', 'hers', 'id');
SELECT wfml.set_retrain_policy('hers');
INSERT INTO hers VALUES (1001, 3, NULL);
RESET ROLE;
DROP OWNED BY leaver;
DROP ROLE leaver});
is($node->safe_psql('postgres', q{SELECT count(*) FROM wfml.models WHERE name = 'hers'}), '1', 'the model of a role that left is there for superusers');
is($node->safe_psql('postgres', q{SELECT count(*) FROM wfml.predictions WHERE model = 'hers'}), '1', 'so is what it predicted');
is($node->safe_psql('postgres', q{SELECT count(*) FROM wfml.attachments}), '2', 'attachments can be read');
unlike(($node->psql('postgres', 'CALL wfml.run_retraining()'))[2] // '', qr/ERROR/, 'retraining passes over it');
is($node->safe_psql('postgres', q{SELECT wfml.detach('hers', relation) FROM wfml.attachments WHERE model = 'hers'; SELECT wfml.drop_model('hers'); SELECT count(*) FROM wfml.models}), "\n\n1", 'it can be dropped');

$node->stop;
done_testing();
