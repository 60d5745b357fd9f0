# The same rows give the same model bytes with 0, 1, 2 or 4 workers and in any
# physical order.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WfmlTest;

my $node = start_node('main', q{
max_worker_processes = 16
max_parallel_workers = 8
log_min_messages = debug1
});

$node->safe_psql('postgres', q{
CREATE TABLE numbers AS
SELECT sin(i)::float4 AS a, CASE WHEN i % 11 > 0 THEN cos(i * 3)::float4 END AS b, (i * 1733::bigint % 1009)::float4 AS c,
       (i * 1847::bigint % 10007)::float8 AS d, i % 2 = 0 AS e, 'c' || i % 50 AS f, '2024-01-01'::timestamp + i * interval '17 min' AS g,
       (i * 31 % 97)::int AS h, (i * 37 % 101)::int AS k, (i * 41 % 103)::int AS l,
       (sin(i) + cos(i * 3) + (i * 31 % 97) / 50.0 + (i % 50) / 30.0)::float4 AS y
FROM generate_series(1, 120000) i;
ALTER TABLE numbers ADD COLUMN label text;
UPDATE numbers SET label = CASE WHEN y < 1.2 THEN 'low' WHEN y < 2.5 THEN 'middle' ELSE 'high' END;
});

my @trainings = (
	[ 'forest', 'random_forest', 'label', '{"trees": 12, "seed": 3}' ],
	[ 'forest_r', 'random_forest', 'y', '{"trees": 20, "validation": "none"}' ],
	[ 'boosting', 'gradient_boosting', 'y', '{"rounds": 12, "subsample": 0.7}' ],
	[ 'boosting_k', 'gradient_boosting', 'label', '{"rounds": 20, "validation": "cv", "folds": 2}' ],
	[ 'linear', 'linear', 'y', '{}' ],
	[ 'linear_k', 'linear', 'label', '{"l1": 0.5}', 'WHERE k < 10' ],
	[ 'sequence', 'sequence', 'label', '{"hidden": 24, "epochs": 3}', 'WHERE k < 3' ],
	[ 'recommender', 'recommender', 'NULL', '{"seed": 2}' ],
	[ 'recommender_t', 'recommender', 'NULL', '{"method": "rp3beta", "validation": "time", "ease_items": 50}' ],
	[ 'recommender_f', 'recommender', 'NULL', '{"method": "als", "factors": 8, "iterations": 3}' ],
	[ 'recommender_n', 'recommender', 'NULL', '{"method": "nmf", "factors": 8, "iterations": 3}' ],
	[ 'recommender_r', 'recommender', q{'y'}, '{"factors": 8, "iterations": 5}' ]);

# The statement that trains.
sub training
{
	my ($t, $order) = @_;
	my ($name, $algorithm, $target, $params, $where) = (@$t, '');

	# cases of about twelve events, many at one time
	return qq{SELECT * FROM wfml.train_sequence('$name', 'SELECT k * 1000 + l AS id, $target || h % 3 AS event, date_trunc(''week'', g) AS at FROM numbers $where $order', 'id', 'event', 'at', '$params')}
		if $algorithm eq 'sequence';
	# 10,403 users of about twelve items each; or 101, whose ratings repeat
	return sprintf(q{SELECT * FROM wfml.train_recommender('%s', 'SELECT %s AS id, h AS item, y, g FROM numbers %s %s', 'id', 'item', %s, 'g', params => '%s')},
		$name, $target eq 'NULL' ? 'k * 1000 + l' : 'k', $where, $order, $target, $params)
		if $algorithm eq 'recommender';
	return qq{SELECT * FROM wfml.train('$name', '$algorithm', 'SELECT a, b, c, d, e, f, g, h, k, l, $target FROM numbers $where $order', '$target', '$params')};
}

# Trains and returns the digest of the bytes.
sub train
{
	my ($t, $workers, $order) = @_;

	$node->safe_psql('postgres', "SET max_parallel_maintenance_workers = $workers; " . training($t, $order));
	return model_digest($node, $t->[0]);
}

sub workers_started
{
	my ($from) = @_;
	my $log = slurp_file($node->logfile, $from);

	return scalar(() = $log =~ /registering background worker "parallel worker/g);
}

my %expected;

for my $t (@trainings)
{
	$expected{$t->[0]} = train($t, 0, '');
	is(train($t, 0, ''), $expected{$t->[0]}, "$t->[0]: twice the same");
}
for my $workers (1, 2, 4)
{
	for my $t (@trainings)
	{
		my $from = -s $node->logfile;

		is(train($t, $workers, ''), $expected{$t->[0]}, "$t->[0]: the same with $workers workers");
		cmp_ok(workers_started($from), '>=', 1, 'and there were workers') if $t->[1] ne 'linear';
	}
}

# Another physical order: rewritten, and read in parallel.
$node->safe_psql('postgres', q{
CREATE TABLE shuffled AS SELECT * FROM numbers ORDER BY md5(a::text || d::text);
TRUNCATE numbers;
INSERT INTO numbers SELECT * FROM shuffled;
});
for my $t (@trainings)
{
	is(train($t, 0, ''), $expected{$t->[0]}, "$t->[0]: the same after the table was rewritten");
	is(train($t, 2, 'ORDER BY c, a'), $expected{$t->[0]}, "$t->[0]: and in another order, with workers");
}

# One value more makes another model: the digest does tell.
$node->safe_psql('postgres', q{UPDATE numbers SET y = 100 WHERE ctid = (SELECT min(ctid) FROM numbers)});
isnt(train($trainings[2], 0, ''), $expected{boosting}, 'other rows give other bytes');

$node->stop;
done_testing();
