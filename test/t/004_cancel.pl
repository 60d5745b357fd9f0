# statement_timeout and pg_cancel_backend stop a training in each of its
# phases, soon, with and without workers, and nothing of it is left.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use WfmlTest;

# The promise is 0.1 s; a busy machine gets a second.
my $patience = 1.0;

my $node = start_node('main', q{
max_worker_processes = 16
max_parallel_workers = 8
shared_buffers = 128MB
});

$node->safe_psql('postgres', q{
CREATE TABLE numbers AS
SELECT i, sin(i)::float4 AS a, cos(i * 3)::float4 AS b, (i * 1733::bigint % 1009)::float4 AS c, (i * 1847::bigint % 10007)::float4 AS d,
       (i * 31 % 97)::float4 AS e, 'c' || i % 50 AS f, (sin(i) + cos(i * 3) + (i * 31 % 97) / 50.0 + (i * 1733::bigint % 1009) / 1000.0)::float4 AS y
FROM generate_series(1, 300000) i;
VACUUM ANALYZE numbers;
});

my @trainings = (
	[ 'random_forest', '{"trees": 5000}' ],
	[ 'gradient_boosting', '{"rounds": 20000}' ],
	[ 'gradient_boosting', '{"rounds": 20000, "validation": "cv"}' ],
	[ 'linear', '{"max_iterations": 100000, "l1": 0.001}' ],
	[ 'sequence', '{"predictor": "lstm"}' ],
	[ 'sequence', '{"predictor": "boosting"}' ],
	[ 'recommender', '{"method": "ease"}' ],
	[ 'recommender', '{"method": "als", "factors": 100, "iterations": 1000}' ],
	[ 'recommender', '{"method": "nmf", "factors": 100, "iterations": 1000}' ],
	[ 'ratings', '{"method": "popular", "factors": 100, "iterations": 1000}' ]);

sub training
{
	my ($algorithm, $params) = @_;

	return qq{SELECT * FROM wfml.train_sequence('m', 'SELECT i / 20 AS id, f || i / 7 % 3 AS event, i AS at FROM numbers', 'id', 'event', 'at', '$params')}
		if $algorithm eq 'sequence';
	# 6,000 items, more than ease takes
	return sprintf(q{SELECT * FROM wfml.train_recommender('m', 'SELECT i / 60 AS u, i * 7919::bigint %% 6000 AS x, y FROM numbers', 'u', 'x', %s, params => '%s')},
		$algorithm eq 'ratings' ? "'y'" : 'NULL', $params)
		if $algorithm eq 'recommender' || $algorithm eq 'ratings';
	return qq{SELECT * FROM wfml.train('m', '$algorithm', 'SELECT a, b, c, d, e, f, y FROM numbers', 'y', '$params')};
}

for my $workers (0, 2)
{
	for my $t (@trainings)
	{
		my ($algorithm, $params) = @$t;

		# reading, binning, growing
		for my $timeout (30, 250, 1500)
		{
			my $start = time;
			my ($status, undef, $message) = $node->psql('postgres', qq{
SET max_parallel_maintenance_workers = $workers;
SET statement_timeout = '${timeout}ms';
} . training(@$t));
			my $late = time - $start - $timeout / 1000;

			if ($algorithm eq 'linear' && $status == 0)
			{
				# It may converge before the clock strikes.
				$node->safe_psql('postgres', q{SELECT wfml.drop_model('m')});
				pass("$algorithm was ready before $timeout ms");
				next;
			}
			like($message, qr/canceling statement due to statement timeout/, "$algorithm $params, $workers workers, $timeout ms: cancelled");
			cmp_ok($late, '<', $patience, sprintf('soon (%.3f s late, start of psql included)', $late));
		}
	}
}
is(count_leftovers($node), '0', 'nothing is left');

# Another session cancels, and one that is told to go.
for my $how (qw(pg_cancel_backend pg_terminate_backend))
{
	my ($in, $out, $err) = ('', '', '');
	my $session = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $node->connstr('postgres') ],
		'<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(180));

	$in .= "SET max_parallel_maintenance_workers = 2; SELECT 'pid ' || pg_backend_pid();\n";
	$session->pump until $out =~ /pid (\d+)/;
	my ($pid) = $out =~ /pid (\d+)/;

	$in .= training('random_forest', '{"trees": 5000}') . ";\n";
	$session->pump_nb;
	ok($node->poll_query_until('postgres', qq{
SELECT count(*) = 1 FROM wfml.training_progress WHERE pid = $pid AND algorithm = 'random_forest' AND done > 10}),
		'another session sees its progress');

	my $start = time;

	$node->safe_psql('postgres', "SELECT $how($pid)");
	$node->poll_query_until('postgres', qq{
SELECT count(*) = 0 FROM pg_stat_activity
WHERE (pid = $pid AND state = 'active') OR backend_type = 'parallel worker'});
	cmp_ok(time - $start, '<', $patience + 0.5, "$how ends it and its workers soon");
	$in .= "SELECT 'alive';\n\\q\n" if $how eq 'pg_cancel_backend';
	# psql may be gone before it has read all
	local $SIG{PIPE} = 'IGNORE';
	eval { $session->finish };
	like($err, qr/canceling statement due to user request|terminating connection/, 'and the session is told');
	like($out, qr/alive/, 'and lives on') if $how eq 'pg_cancel_backend';
}
is(count_leftovers($node), '0', 'nothing is left');

# An error in the source after work has begun leaves nothing either.
my ($status, undef, $message) = $node->psql('postgres', q{
SELECT * FROM wfml.train('m', 'linear', 'SELECT a, 1 / (i - 299999) AS b, y FROM numbers', 'y')});

like($message, qr/division by zero/, 'an error of the source is passed on');
is(count_leftovers($node), '0', 'nothing is left');

$node->stop;
done_testing();
