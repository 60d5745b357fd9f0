# Behind a pooler in transaction mode, where sessions are lent for one
# transaction at a time: sixteen clients over four sessions train, predict and
# log, each as itself and for its own user.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WfmlTest;

my ($bouncer) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin';

plan skip_all => 'pgbouncer is not installed' if !$bouncer;

my $node = start_node('main', 'fsync = off');

$node->safe_psql('postgres', q{
CREATE ROLE app LOGIN;
CREATE ROLE alice;
CREATE ROLE bob;
GRANT alice, bob TO app;
GRANT CREATE ON SCHEMA public TO app, alice;
SET ROLE app;
CREATE TABLE steps AS SELECT i % 20 AS x, i % 20 >= 10 AS up, 3.0 * (i % 20) AS y FROM generate_series(1, 400) i;
CREATE TABLE arrivals (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, client int, x int, up boolean, p text);
SELECT model FROM wfml.train('step', 'gradient_boosting', 'steps', 'up', '{"rounds": 5}', '{x}');
SELECT wfml.grant_model('step', 'public');
RESET ROLE;
SET ROLE alice;
SELECT model FROM wfml.train('hers', 'gradient_boosting', 'SELECT i % 20 AS x, i % 20 >= 10 AS up FROM generate_series(1, 400) i', 'up', '{"rounds": 5}', '{x}');
RESET ROLE;
GRANT INSERT, SELECT ON arrivals TO PUBLIC;
});

# ---- the pooler ----

my $dir = PostgreSQL::Test::Utils::tempdir;
my $port = PostgreSQL::Test::Cluster::get_free_port();
my ($server_host, $server_port) = ($node->host, $node->port);

append_to_file("$dir/users", qq{"app" ""\n});
append_to_file("$dir/pgbouncer.ini", qq{[databases]
postgres = host=$server_host port=$server_port dbname=postgres
[pgbouncer]
listen_addr =
unix_socket_dir = $server_host
listen_port = $port
auth_type = trust
auth_file = $dir/users
pool_mode = transaction
default_pool_size = 4
max_client_conn = 100
ignore_startup_parameters = extra_float_digits
logfile = $dir/log
pidfile = $dir/pid
});
system($bouncer, '-d', '-q', "$dir/pgbouncer.ini") == 0 or BAIL_OUT('the pooler does not start');
my $pooled = "host=$server_host port=$port user=app dbname=postgres";

END
{
	if (defined $dir && -f "$dir/pid")
	{
		my $status = $?;

		kill 'TERM', slurp_file("$dir/pid") + 0;
		$? = $status;
	}
}

sub ask
{
	my ($query) = @_;
	my ($out, $err);

	IPC::Run::run([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $pooled ], '<', \$query, '>', \$out, '2>', \$err);
	chomp $out;
	return $err eq '' ? $out : "$out$err";
}

# Sixteen clients; a script fails by a division by zero.
sub sixteen
{
	my ($name, $mode, $script) = @_;
	my $file = "$dir/$name-$mode.sql";
	my ($out, $err);

	append_to_file($file, $script);
	my $good = IPC::Run::run([ 'pgbench', '-n', '-c', 16, '-j', 2, '-t', 30, '-M', $mode, '-f', $file, $pooled ], '<', '/dev/null', '>', \$out, '2>', \$err);

	ok($good, "$name, $mode");
	diag $err if !$good;
}

is(ask('SELECT 1'), '1', 'the pooler answers');

my @modes = qw(simple extended);
my ($version) = `$bouncer --version` =~ /(\d+\.\d+)/;
# (it keeps prepared statements apart since then)
if ($version >= 1.21) { append_to_file("$dir/pgbouncer.ini", "max_prepared_statements = 100\n"); kill 'HUP', slurp_file("$dir/pid") + 0; push @modes, 'prepared' }

# ---- predictions and trainings ----

for my $mode (@modes)
{
	sixteen('predict', $mode, q{\set x random(0, 19)
SELECT 1 / (wfml.classify('step', jsonb_build_object('x', :x::int)) = (:x::int >= 10)::text)::int;
SELECT 1 / bool_and(wfml.classify('step', s) = up::text)::int FROM steps s;
});
}
sixteen('train', 'simple', q{BEGIN;
SET LOCAL client_min_messages = error;
SELECT 1 / (version > 0)::int FROM wfml.train('mine:client_id', 'gradient_boosting', 'SELECT x, (:client_id)::float8 AS y FROM steps', 'y', '{"rounds": 2, "validation": "none"}', '{x}', 'regression');
COMMIT;
SELECT 1 / (round(wfml.predict('mine:client_id', '{"x": 3}')) = :client_id)::int;
});
is($node->safe_psql('postgres', q{SELECT count(*), min(version), max(version) FROM wfml.models WHERE name LIKE 'mine%'}), '16|30|30', 'sixteen models, thirty versions each');

# ---- who one is, for one transaction ----

sixteen('roles', 'extended', q{\set side random(0, 1)
BEGIN;
\if :side
SET LOCAL ROLE alice;
SELECT 1 / (wfml.classify('hers', '{"x": 3}') = 'false')::int;
SELECT 1 / (count(*) = 1)::int FROM wfml.models WHERE name = 'hers';
\else
SET LOCAL ROLE bob;
SELECT 1 / (count(*) = 0)::int FROM wfml.models WHERE name = 'hers';
DO $$ BEGIN PERFORM wfml.classify('hers', '{"x": 3}'); RAISE division_by_zero; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$;
\endif
COMMIT;
});

# ---- logged for a user, for one transaction ----

for my $mode (@modes)
{
	# (SET takes no parameters)
	my $set = $mode eq 'simple' ? q{SET LOCAL wfml.user_id = 'user:client_id'} : q{SELECT set_config('wfml.user_id', 'user' || :client_id::int, true)};

	sixteen('log', $mode, qq{\\set x random(0, 19)
BEGIN;
$set;
SELECT 1 / (label = (:x::int >= 10)::text)::int FROM wfml.log_predict('step', jsonb_build_object('x', :x::int), 'e' || :client_id::int);
SELECT 1 / bool_and(user_id = 'user' || :client_id::int)::int FROM wfml.predictions;
COMMIT;
SELECT 1 / (label = 'true')::int FROM wfml.log_predict('step', '{"x": 15}');
});
}
my $modes = @modes;

is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT user_id), count(*) FILTER (WHERE user_id IS NULL) FROM wfml.prediction}),
	2 * 480 * $modes . '|16|' . 480 * $modes, 'every prediction is logged for its user, and those without one for none');
is($node->safe_psql('postgres', q{SELECT count(*) FROM wfml.prediction WHERE 'e' || substr(user_id, 5) <> entity}), '0', 'no client has the user of another');

# ---- rows scored as they arrive, and what keeps models young ----

is(ask(q{SELECT wfml.attach('step', 'arrivals', 'id', 'p', NULL, 'up')}), '', 'attached through the pooler');
is(ask(q{SELECT wfml.set_retrain_policy('step', max_age => '1 ms')}), '', 'a policy');
for my $mode (@modes)
{
	sixteen('insert', $mode, q{\set x random(0, 19)
INSERT INTO arrivals (client, x) VALUES (:client_id, :x), (:client_id, :x) RETURNING 1 / (p = (x >= 10)::text)::int;
BEGIN;
UPDATE arrivals SET up = x >= 10 WHERE client = :client_id AND up IS NULL;
SELECT 1 / (label = (:x::int >= 10)::text)::int FROM wfml.predict_cached('step', jsonb_build_object('x', :x::int));
COMMIT;
});
}
is($node->safe_psql('postgres', q{SELECT count(*), count(*) FILTER (WHERE actual = label) FROM wfml.prediction WHERE source = 'trigger' OR source = 'cache'}),
	join('|', (2 * 480 * $modes) x 2), 'every row is logged once, its outcome joined');
unlike(ask('CALL wfml.run_retraining()'), qr/ERROR/, 'run_retraining() commits for itself through the pooler');
is($node->safe_psql('postgres', q{SELECT string_agg(status, ' ') FROM wfml.job_run WHERE model = 'step' AND kind = 'retrain' AND status IN ('done', 'kept')}) =~ /^(done|kept)$/, 1, 'and retrains');

is(registry_faults($node), '', 'nothing is half there');
$node->stop;
done_testing();
