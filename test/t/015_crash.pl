# kill -9 of a session that trains, or of everything at once: what was
# committed is there, nothing is half there, and training goes on.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use WfmlTest;

my $node = start_node('main', "restart_after_crash = on\nmax_parallel_maintenance_workers = 2\nmax_worker_processes = 16\nlog_statement = none\nlog_min_messages = warning");

load_jobs($node);
$node->safe_psql('postgres', q{
SELECT * FROM wfml.train('kept', 'random_forest', 'jobs', 'class', '{"trees": 10}');
CREATE TABLE many AS SELECT j.* FROM jobs j, generate_series(1, 25)});
my $kept = prediction_digest($node, 'kept');
my $long = q{SELECT * FROM wfml.train('kept', 'gradient_boosting', 'many', 'class', '{"rounds": 5000}')};

# A session whose death is no matter.
sub start_session
{
	my (@queries) = @_;
	my ($out, $err) = ('', '');

	return IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), map { ('-c', $_) } @queries ],
		'<', '/dev/null', '>', \$out, '2>', \$err, IPC::Run::timeout(60));
}

# The server has noticed the death and is there again.
sub wait_until_back
{
	my ($started) = @_;

	for (1 .. 300)
	{
		my ($status, $out) = $node->psql('postgres', 'SELECT pg_postmaster_start_time() IS NOT NULL AND NOT pg_is_in_recovery() AND (SELECT count(*) FROM pg_stat_activity WHERE pid = ' . $started . ') = 0');

		return 1 if $status == 0 && $out eq 't';
		sleep(0.1);
	}
	return 0;
}

sub all_is_well
{
	my ($when, $versions) = @_;

	is(registry_faults($node), '', "$when: nothing is half there");
	is($node->safe_psql('postgres', 'SELECT bool_and(wfml.verify(name)) FROM wfml.models'), 't', "$when: models are whole");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM wfml.training_progress'), '0', "$when: nothing pretends to train");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM wfml.ml_model'), $versions, "$when: no version came or went");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'}), '0', "$when: no worker is left");
}

# ---- the leader of a training, then a worker of it ----

for my $who (qw(leader worker))
{
	my $session = start_session($long);
	my $phase = $node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'parallel worker'});

	ok($phase, "a training with workers runs, its $who will die");
	my $leader = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND query LIKE 'SELECT * FROM wfml.train%'});
	my $worker = $node->safe_psql('postgres', q{SELECT min(pid) FROM pg_stat_activity WHERE backend_type = 'parallel worker'});

	sleep(0.2);
	kill 'KILL', $who eq 'leader' ? $leader : $worker;
	$session->finish;
	ok(wait_until_back($leader), 'the server is back');
	all_is_well("the $who killed", '1');
	is(prediction_digest($node, 'kept'), $kept, 'and it predicts as before');
}

# ---- while versions are published one after the other ----

# Each is committed alone; how many there must be at least, the client knows.
my $in = '';
my ($out, $err) = ('', '');
my $publisher = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(60));

$in .= "SET client_min_messages = error;\n";
$in .= qq{SELECT 'published ' || version FROM wfml.train('series', 'random_forest', 'jobs', 'class', '{"trees": 3, "validation": "none"}');\n} for 1 .. 400;
$publisher->pump until $out =~ /published 5\n/;
my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE query LIKE '%series%' AND pid <> pg_backend_pid()});
kill 'KILL', $pid;
eval { $publisher->finish };
ok(wait_until_back($pid), 'the server is back');
my ($told) = $out =~ /.*published (\d+)\n/s;
my $there = $node->safe_psql('postgres', q{SELECT count(*) FROM wfml.ml_model WHERE name = 'series'});

ok($there == $told || $there == $told + 1, "all $told versions that the client was told of are there ($there)");
all_is_well('published one after the other', 1 + $there);
is($node->safe_psql('postgres', q{SELECT active_version FROM wfml.registry WHERE name = 'series'}), $there, 'the last is active');

# ---- while predictions are logged, by calls and by triggers ----

$node->safe_psql('postgres', q{
CREATE TABLE arrivals (id bigint PRIMARY KEY, LIKE jobs, expected text);
SELECT wfml.attach('kept', 'arrivals', 'id', 'expected', NULL, 'class')});
# each statement is committed alone, and the client told
$in = "SET client_min_messages = error;\n";
($out, $err) = ('', '');
my $logger = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(60));

for my $n (1 .. 4000)
{
	$in .= "INSERT INTO arrivals (id, protocol, compounds, input_fields, iterations, num_pending, hour, day)
		SELECT $n, protocol, compounds, input_fields, iterations, num_pending, hour, day FROM jobs OFFSET $n LIMIT 1 RETURNING 'inserted ' || id;
UPDATE arrivals SET class = expected WHERE id = $n RETURNING 'known ' || id;
SELECT 'logged $n ' || p.label FROM (SELECT * FROM jobs OFFSET $n LIMIT 1) j, LATERAL wfml.log_predict('kept', j, 'call $n') p;\n";
}
$logger->pump until $out =~ /logged 50 /;
$pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE query LIKE '%arrivals%' AND pid <> pg_backend_pid()
	UNION ALL SELECT pid FROM pg_stat_activity WHERE query LIKE '%log_predict%' AND pid <> pg_backend_pid() LIMIT 1});
kill 'KILL', $pid;
eval { $logger->finish };
ok(wait_until_back($pid), 'the server is back');

# what is there of what the client was told, at most one statement more
my %told = map { $_ => scalar(() = $out =~ /^$_/mg) } qw(inserted known logged);
my ($inserted, $by_trigger, $joined, $by_call) = split /\|/, $node->safe_psql('postgres', q{
SELECT (SELECT count(*) FROM arrivals), count(*) FILTER (WHERE entity NOT LIKE 'call %'), count(actual), count(*) FILTER (WHERE entity LIKE 'call %') FROM wfml.prediction});

ok($inserted - $told{inserted} =~ /^[01]$/, "rows: $told{inserted} told, $inserted there");
is($by_trigger, $inserted, 'each has its logged prediction');
ok($joined - $told{known} =~ /^[01]$/, "outcomes: $told{known} told, $joined there");
ok($by_call - $told{logged} =~ /^[01]$/, "calls: $told{logged} told, $by_call there");
is($node->safe_psql('postgres', q{SELECT count(*) FROM arrivals a FULL JOIN (SELECT * FROM wfml.prediction WHERE entity NOT LIKE 'call %') p ON p.entity = a.id::text
	WHERE a.expected IS DISTINCT FROM p.label OR a.class IS DISTINCT FROM p.actual}), '0', 'row and log agree');
all_is_well('killed while logging', 1 + $there);

# ---- everything at once ----

my $session = start_session($long);

$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'parallel worker'});
$node->stop('immediate');
$session->finish;
$node->start;
all_is_well('the whole server stopped at once', 1 + $there);
is(prediction_digest($node, 'kept'), $kept, 'it predicts as before');

# ---- and on ----

$node->safe_psql('postgres', q{SELECT * FROM wfml.train('kept', 'random_forest', 'many', 'class', '{"trees": 4}')});
is($node->safe_psql('postgres', q{SELECT version FROM wfml.models WHERE name = 'kept'}), '2', 'training goes on, numbers too');
is($node->safe_psql('postgres', q{SELECT wfml.rollback('kept')}), '1', 'so does the rest');
is(prediction_digest($node, 'kept'), $kept, 'the old version is what it was');

$node->stop;
done_testing();
