# Calls are answered, by the model, a cache or a rule, while sessions are
# killed with -9 (which restarts the whole server), versions are dropped and
# models are trained again.
#
# A call is due every 20 ms in each of eight clients, whether the call before
# is answered or not, so that those which came due during an outage count too.
# It is answered when a client, which reconnects and tries again as one with a
# connection pool does, has the answer within five seconds of its being due;
# "at once" when that was at its first try and within 0.1 s.
#
# As a benchmark: WFML_RESILIENCE_SECONDS=600 WFML_KILL_EVERY=30 prove -v ...

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use IPC::Open2;
use List::Util qw(max min sum0);
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use WfmlTest;

my $seconds = $ENV{WFML_RESILIENCE_SECONDS} || 16;
my $kill_every = $ENV{WFML_KILL_EVERY} || 4;
my $clients = 8;
my $interval = 0.02;
my $patience = 5;

my $node = start_node('main', "restart_after_crash = on\nmax_connections = 60\nmax_worker_processes = 16");

$node->safe_psql('postgres', q{
SET client_min_messages = error;
CREATE TABLE steps AS SELECT i % 20 AS x, i % 3 AS z, (i % 20 >= 10) <> (i % 11 = 0) AS up FROM generate_series(1, 2000) i;
SELECT model FROM wfml.train('m', 'gradient_boosting', 'steps', 'up', '{"rounds": 100}', '{x,z}');
SELECT model FROM wfml.train('steady', 'gradient_boosting', 'steps', 'up', '{"rounds": 100}', '{x,z}');
SELECT wfml.set_fallback('m', 'CASE WHEN x >= 10 THEN 0.9 ELSE 0.1 END')});
my $connstr = $node->connstr('postgres');
my $start = time;
my $end = $start + $seconds;

$SIG{PIPE} = 'IGNORE';
delete $ENV{PGUSER};

# ---- a psql that answers lines, or dies with its connection ----

sub connect_psql
{
	my $c = {};

	$c->{pid} = open2($c->{out}, $c->{in}, "exec psql -XAtq -d '$connstr' 2>/dev/null");
	return $c;
}

sub drop_psql
{
	my ($c) = @_;

	return if !$c->{pid};
	kill 'KILL', $c->{pid};
	close $c->{in};
	close $c->{out};
	waitpid $c->{pid}, 0;
	$c->{pid} = 0;
}

# The line that starts with "answer", undef when the query failed.
sub ask
{
	my ($c, $query, $deadline) = @_;
	my $answer;
	my $alive = eval {
		local $SIG{ALRM} = sub { die "late\n" };
		Time::HiRes::alarm(max(0.01, $deadline - time));
		syswrite($c->{in}, "$query;\n\\echo end\n") or die "gone\n";
		for (;;)
		{
			my $line = readline $c->{out};

			die "gone\n" if !defined $line;
			last if $line eq "end\n";
			$answer = $line if $line =~ /^answer/;
		}
		Time::HiRes::alarm(0);
		1;
	};

	Time::HiRes::alarm(0);
	drop_psql($c) if !$alive;
	return $answer;
}

# ---- an application's process ----

sub client
{
	my ($number, $report) = @_;
	my $c = connect_psql();
	my %count = (calls => 0, answered => 0, first => 0, once => 0, logged => 0, worst => 0);
	my $due = time + $number * $interval / $clients;

	for (; $due < $end; $due += $interval)
	{
		my $x = $count{calls}++ % 20;
		my $cached = $x % 4 == 3;
		my $input = qq('{"x": $x, "z": 1}');
		my $query = $cached ? "SELECT 'answer ' || source FROM wfml.predict_cached('steady', $input) p WHERE p.value IS NOT NULL"
			: "SELECT 'answer ' || source FROM wfml.log_predict('m', $input, 'e$number') p WHERE p.value IS NOT NULL";
		my $answer;
		my $tries = 0;

		sleep($due - time) if $due > time;
		while (!$answer && time < $due + $patience)
		{
			$c = connect_psql() if !$c->{pid};
			$answer = ask($c, $query, $due + $patience);
			sleep(0.05) if $tries++ > 0 && !$answer;
		}
		next if !$answer;
		my $late = time - $due;

		$count{answered}++;
		$count{first}++ if $tries == 1;
		$count{once}++ if $tries == 1 && $late <= 0.1;
		$count{logged}++ if !$cached;
		$count{worst} = $late if $late > $count{worst};
		$count{$1}++ if $answer =~ /answer (\w+)/;
	}
	drop_psql($c);
	print $report "$_ $count{$_}\n" for sort keys %count;
	close $report;
}

# ---- who trains and drops ----

sub trainer
{
	my ($report) = @_;
	my $c = connect_psql();
	my $done = 0;
	my $retrain = $node->safe_psql('postgres', q{SELECT count(*) > 0 FROM pg_proc WHERE proname = 'retrain'}) eq 't';
	my @work = (
		q{SELECT 'answer ' || version FROM wfml.train('steady', 'gradient_boosting', 'steps', 'up', '{"rounds": 100}', '{x,z}')},
		q{SELECT wfml.drop_model('m', min(version)) FROM wfml.versions WHERE name = 'm' AND NOT active HAVING count(*) > 0},
		q{SELECT 'answer ' || version FROM wfml.train('m', 'random_forest', 'steps', 'up', '{"trees": 100}', '{x,z}')},
		q{SELECT wfml.drop_model('steady', min(version)) FROM wfml.versions WHERE name = 'steady' AND NOT active HAVING count(*) > 0},
		q{SELECT wfml.activate('m', min(version)) FROM wfml.versions WHERE name = 'm' HAVING count(*) > 0},
		# nothing but the rule is left
		q{SELECT wfml.drop_model('m', version) FROM (SELECT version FROM wfml.versions WHERE name = 'm' ORDER BY active OFFSET 0) v},
		q{SELECT 'answer ' || version FROM wfml.train('m', 'gradient_boosting', 'steps', 'up', '{"rounds": 100}', '{x,z}')});

	push @work, q{SELECT 'answer ' || 1 FROM wfml.retrain('m', true)} if $retrain;
	while (time < $end)
	{
		for my $query (@work)
		{
			$c = connect_psql() if !$c->{pid};
			ask($c, "SET client_min_messages = error; $query", time + 20);
			$done++ if $c->{pid};
			sleep(0.05);
		}
	}
	drop_psql($c);
	print $report "trained $done\n";
	close $report;
}

# ---- all of it ----

my @reports;

for my $n (0 .. $clients)
{
	pipe(my $read, my $write) or die $!;
	my $pid = fork();

	if (!$pid)
	{
		close $read;
		if ($n < $clients) { client($n, $write) } else { trainer($write) }
		# without the end blocks of the parent
		POSIX::_exit(0);
	}
	close $write;
	push @reports, [ $pid, $read ];
}

my $kills = 0;
my $restarts = 0;

for (my $next = $start + $kill_every; $next < $end - 1; $next += $kill_every)
{
	sleep($next - time) if $next > time;
	my ($status, $out) = $node->psql('postgres', q{
SELECT pid FROM pg_stat_activity WHERE backend_type IN ('client backend', 'parallel worker') AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1});
	next if $status != 0 || $out !~ /^\d+$/;
	kill('KILL', $out) and $kills++;
}

my %total;
my $worst = 0;

for my $r (@reports)
{
	my ($pid, $read) = @$r;

	while (my $line = readline $read)
	{
		my ($name, $n) = split ' ', $line;

		if ($name eq 'worst') { $worst = max($worst, $n) }
		else { $total{$name} += $n }
	}
	waitpid $pid, 0;
}

my $share = 100 * $total{answered} / max(1, $total{calls});
my $once = 100 * $total{once} / max(1, $total{calls});
my $first = 100 * $total{first} / max(1, $total{calls});
my $sources = join ', ', map { "$_ $total{$_}" } grep { $total{$_} } qw(function cache fallback);

diag sprintf '%d calls in %d s, %d sessions killed: %.3f %% answered, %.3f %% at the first try, %.3f %% at once; the longest wait %.2f s; answered by: %s; %d trainings and drops',
	$total{calls}, $seconds, $kills, $share, $first, $once, $worst, $sources, $total{trained};
cmp_ok($kills, '>=', 1, 'sessions were killed');
cmp_ok($total{calls}, '>', $clients * $seconds / $interval / 2, 'there were many calls');
cmp_ok($share, '>=', 99.9, 'at least 99.9 % are answered');
cmp_ok($total{fallback} // 0, '>', 0, 'some by the rule');
cmp_ok($total{cache} // 0, '>', 0, 'some from the cache') if defined $total{cache};
cmp_ok($total{trained}, '>', 5, 'trainings and drops went on');
ok($node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), 'the server stands');
is(registry_faults($node), '', 'nothing is half there');

# An answer that was not told may have been committed: at most one for each client and kill.
my $logged = $node->safe_psql('postgres', 'SELECT count(*) FROM wfml.prediction WHERE NOT shadow');

ok($logged >= $total{logged} && $logged <= $total{logged} + $clients * ($kills + 1), "all $total{logged} logged answers are there ($logged)");

$node->stop;
done_testing();
