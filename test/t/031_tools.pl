# A workflow tool in another database: bound through postgres_fdw as
# docs/sources.md shows; its runs are kept over transactions, once, whoever
# calls at the same time, and survive the tool's deletions and a dump.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use IPC::Run ();
use Test::More;
use WfmlTest;

my $share = `pg_config --sharedir`;
chomp $share;
plan skip_all => 'postgres_fdw is not installed' unless -f "$share/extension/postgres_fdw.control";

my $node = start_node('main');
my ($host, $port) = ($node->host, $node->port);

sub sql { return $node->safe_psql('postgres', $_[0]) }
sub as_app { return $node->safe_psql('postgres', "SET SESSION AUTHORIZATION app;\n" . $_[0]) }

# What a statement says on standard error, as a role.
sub says
{
	my ($role, $query) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', "SET SESSION AUTHORIZATION $role;\n$query");

	return $err;
}

# ---- the tool's own database ----

sql(q{
CREATE ROLE app LOGIN;
CREATE ROLE stranger LOGIN;
CREATE ROLE n8n_reader LOGIN;
CREATE DATABASE n8n;
});
$node->safe_psql('n8n', q{
CREATE TABLE workflow_entity (id varchar(36) PRIMARY KEY, name varchar(128) NOT NULL, nodes json NOT NULL, settings json);
CREATE TABLE execution_entity (id serial PRIMARY KEY, finished boolean NOT NULL, mode varchar NOT NULL, "startedAt" timestamptz(3), "stoppedAt" timestamptz(3),
	"waitTill" timestamptz(3), status varchar NOT NULL, "workflowId" varchar(36) NOT NULL, "deletedAt" timestamptz(3));
CREATE INDEX ON execution_entity ("stoppedAt", status, "deletedAt") WHERE "stoppedAt" IS NOT NULL;
INSERT INTO workflow_entity SELECT 'w' || i, 'Workflow ' || i, '[{"type": "n8n-nodes-base.cron"}]' FROM generate_series(1, 10) i;
INSERT INTO execution_entity (finished, mode, "startedAt", "stoppedAt", status, "workflowId")
SELECT i % 3 > 0, 'trigger', t, t + interval '20 s', CASE WHEN i % 3 > 0 THEN 'success' ELSE 'error' END, 'w' || 1 + i % 10
FROM generate_series(1, 24000) i, LATERAL (SELECT timestamptz '2024-01-01 UTC' + i * interval '1 minute' AS t) t;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO n8n_reader;
});

# ---- as the document says ----

sql(qq{
CREATE EXTENSION postgres_fdw;
CREATE SERVER n8n FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'n8n', fetch_size '5000');
CREATE USER MAPPING FOR app SERVER n8n OPTIONS (user 'n8n_reader', password_required 'false');
GRANT USAGE ON FOREIGN SERVER n8n TO app;
CREATE SCHEMA n8n AUTHORIZATION app;
});
as_app(q{IMPORT FOREIGN SCHEMA public FROM SERVER n8n INTO n8n});
is(as_app(q{SELECT * FROM wfml.bind_n8n('n8n')}), "runs|f\nworkflows|f", 'foreign tables are bound as others are');
is(as_app(q{SELECT events FROM wfml.bound_rows('workflows', workflow_id => 'w1') AS w (events text[])}), '{cron}', 'and read');

my $all = q{SELECT count(*), count(DISTINCT run_id), sum(succeeded::int) FROM wfml.bound_rows('runs') AS r (run_id text, succeeded boolean)};
is(as_app($all), '24000|24000|16000', 'all runs are there before they are kept');

# ---- two at a time, in several transactions each ----

my @calls = map {
	my ($out, $err);
	IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SET SESSION AUTHORIZATION app', '-c', 'CALL wfml.sync_runs()' ],
		'<', \undef, '>', \$out, '2>', \$err)
} 1 .. 2;
$_->finish for @calls;
is(sql('SELECT count(*), count(DISTINCT kept_at::text) > 1 FROM wfml.run_history'), '24000|t', 'two calls at once keep every run once');
is(as_app($all), '24000|24000|16000', 'which count once');
like(says('app', 'CALL wfml.sync_runs()'), qr/kept 0 new runs/, 'nothing is new then');
like(says('stranger', 'CALL wfml.sync_runs()'), qr/no runs are bound that need to be kept/, 'a stranger has none');
like(says('app', 'BEGIN; CALL wfml.sync_runs(); COMMIT'), qr/kept 0 new runs/, 'in a transaction block, too');

# ---- the tool deletes, and goes away ----

$node->safe_psql('n8n', q{
DELETE FROM execution_entity WHERE id <= 20000;
INSERT INTO execution_entity (finished, mode, "startedAt", "stoppedAt", status, "workflowId")
VALUES (false, 'trigger', '2024-02-01 UTC', '2024-02-01 00:01 UTC', 'error', 'w1'), (false, 'trigger', '2024-02-02 UTC', NULL, 'running', 'w1');
});
is(as_app($all), '24002|24002|16000', 'deleted ones stay, a new and a running one come');
like(says('postgres', 'CALL wfml.sync_runs()'), qr/kept 1 new run of role "app"/, 'a superuser keeps them as their owner');
is(as_app(q{SELECT count(*) FROM wfml.bound_rows('runs', workflow_id => 'w1', since => '2024-01-31 UTC') AS r (run_id text)}), '1', 'by workflow and time');
sql('ALTER SERVER n8n OPTIONS (SET dbname \'nowhere\')');
like(says('postgres', 'CALL wfml.sync_runs()'), qr/WARNING:  could not keep the runs of role "app": could not connect to server "n8n"/, 'a tool that cannot be reached is a warning');
sql('ALTER SERVER n8n OPTIONS (SET dbname \'n8n\')');

# ---- a dump ----

$node->run_log([ 'pg_dump', '-Fc', '-f', $node->basedir . '/dump', $node->connstr('postgres') ]);
sql('CREATE DATABASE again');
$node->run_log([ 'pg_restore', '-d', $node->connstr('again'), $node->basedir . '/dump' ]);
is($node->safe_psql('again', "SET SESSION AUTHORIZATION app; SELECT count(*), max(kept_until) FROM wfml.kept_runs, wfml.kept_tools"),
	as_app('SELECT count(*), max(kept_until) FROM wfml.kept_runs, wfml.kept_tools'), 'what is kept is dumped');
is($node->safe_psql('again', "SET SESSION AUTHORIZATION app; $all"), '24002|24002|16000', 'and serves the binding again');

$node->stop;
done_testing();
