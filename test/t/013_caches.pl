# Large models are in memory once for all sessions, and not longer than they are of use.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WfmlTest;

# Segments as files in the data directory, where they can be counted.
my $node = start_node('main', q{
dynamic_shared_memory_type = mmap
max_connections = 30
restart_after_crash = on
client_min_messages = warning
max_parallel_workers_per_gather = 0
}, allows_streaming => 1);

$node->safe_psql('postgres', q{
CREATE TABLE noise AS SELECT i, hashint4(i) % 1000 AS a, hashint4(i + 1) % 1000 AS b, hashint4(i + 2) % 1000 AS c,
	(hashint4(i + 3) % 1000)::float8 AS y FROM generate_series(1, 40000) i;
VACUUM ANALYZE noise;
});

sub train
{
	my ($model, $seed) = @_;

	$node->safe_psql('postgres', qq{
SELECT * FROM wfml.train('$model', 'random_forest', 'SELECT a, b, c, y FROM noise', 'y', '{"trees": 30, "validation": "none", "seed": $seed}')});
	return $node->safe_psql('postgres', qq{SELECT wfml.version_id('$model')});
}

# What sessions share, as "model_id sessions".
sub shared
{
	my ($n) = @_;

	return ($n // $node)->safe_psql('postgres',
		q{SELECT coalesce(string_agg(format('%s %s', model_id, sessions), ', ' ORDER BY model_id), 'nothing') FROM wfml.shared_cache_stats()});
}

# Megabytes of segments that are as large as a model.
sub segments
{
	my $bytes = 0;

	$bytes += $_ for grep { $_ > 8 << 20 } map { -s } glob($node->data_dir . '/pg_dynshmem/mmap.*');
	return int($bytes / (1 << 20));
}

# Sessions that end are gone from the table a moment later.
sub comes_to
{
	my ($expected, $name) = @_;

	$node->poll_query_until('postgres', q{SELECT coalesce(string_agg(format('%s %s', model_id, sessions), ', ' ORDER BY model_id), 'nothing')
		FROM wfml.shared_cache_stats()}, $expected);
	is(shared(), $expected, $name);
}

my $ask = q{SELECT wfml.predict('wide', '{"a": 1, "b": 2, "c": 3}');};
my $own = q{SELECT string_agg(format('%s %s', size < 1000000, shared_size > 8000000), ', ') FROM wfml.cache_stats();};

# Ten sessions, one copy.

my $first = train('wide', 1);
my $size = $node->safe_psql('postgres', qq{SELECT artifact_bytes >> 20 FROM wfml.ml_model WHERE id = $first});

cmp_ok($size, '>=', 8, 'the model is large enough');
is(shared(), 'nothing', 'training shares nothing yet');

my @sessions = map { $node->background_psql('postgres') } 1 .. 10;
my $answer = $sessions[0]->query_safe($ask);

is(join(',', map { $_->query_safe($ask) } @sessions), join(',', ($answer) x 10), 'all sessions give the same answer');
is(shared(), "$first 10", 'ten sessions hold it');
is(segments(), $size, 'there is one copy');
is($sessions[9]->query_safe($own), 't t', 'which is not of the session\'s own memory');
is($node->safe_psql('postgres', "SET wfml.shared_cache_memory = 0; $ask $own"), "$answer\nf f", 'without sharing it is, and answers the same');

# Workers use it too.
like($node->safe_psql('postgres', q{
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SET parallel_leader_participation = off;
CREATE TEMP TABLE serial AS SELECT sum(wfml.predict('wide', n.*)::numeric) AS s FROM noise n WHERE i <= 2000 AND false;
SELECT count(*) FROM (SELECT wfml.predict('wide', n.*) FROM noise n WHERE i <= 2000 OFFSET 0) x;
}), qr/2000$/, 'workers predict');
is(shared(), "$first 10", 'and give it back');
is(segments(), $size, 'with no other copy');

# A new version beside it, for sessions that ask from now on.

my $second = train('wide', 2);
my $other = $sessions[0]->query_safe($ask);

isnt($other, $answer, 'the new version answers otherwise');
like(shared(), qr/^$first \d+, $second 1$/, 'both are there');
is($sessions[1]->query_safe(q{SELECT wfml.predict('wide@1', '{"a": 1, "b": 2, "c": 3}')}), $answer, 'the old one still answers');

# Dropped: it goes with the last session that holds it.

$node->safe_psql('postgres', q{SELECT wfml.drop_model('wide', 1)});
$_->query_safe($ask) for @sessions[0 .. 8];
is(shared(), "$first 1, $second 9", 'sessions that predict notice that a version was dropped');
is(segments(), 2 * $size, 'one session still holds it');
$sessions[9]->quit;
comes_to("$second 9", 'the last session takes it along');
is(segments(), $size, 'and its memory is free');

# What only a rolled-back transaction saw.
is($sessions[0]->query_safe(q{
BEGIN;
SELECT count(*) FROM wfml.train('passing', 'random_forest', 'SELECT a, b, c, y FROM noise', 'y', '{"trees": 30, "validation": "none"}');
SELECT wfml.predict('passing', '{"a": 1, "b": 2, "c": 3}') IS NOT NULL;
}), "1\nt", 'a model is used before it is committed');
like(shared(), qr/^$second 9, \d+ 1$/, 'and shared');
$sessions[0]->query_safe('ROLLBACK');
$sessions[0]->query_safe($ask);
is(shared(), "$second 9", 'after a rollback it is gone');

# Nobody holds it: it stays for the next session, until it is dropped.
$_->quit for @sessions[0 .. 8];
comes_to("$second 0", 'it outlives its sessions');
is($node->safe_psql('postgres', $ask), $other, 'and the next session uses it');
my $small = $node->safe_psql('postgres', q{SELECT count(*) FROM wfml.train('small', 'linear', 'SELECT a, b, y FROM noise LIMIT 100', 'y', '{"validation": "none"}')});
$node->safe_psql('postgres', q{SELECT wfml.drop_model('wide')});
$node->safe_psql('postgres', q{SELECT wfml.predict('small', '{"a": 1, "b": 2}')});
is(shared(), 'nothing', 'dropped and held by nobody, it goes when any session predicts');
is(segments(), 0, 'with its memory');

# The limit: what is held stays, the next one is private; what is not held makes room.

my ($x, $y) = (train('x', 3), train('y', 4));
my $limit = q{SET wfml.shared_cache_memory = '} . ($size + 4) . q{MB';};
my $holder = $node->background_psql('postgres');

$holder->query_safe(q{SELECT wfml.predict('x', '{"a": 1, "b": 2, "c": 3}')});
is($node->safe_psql('postgres', qq{$limit SELECT wfml.predict('y', '{"a": 1, "b": 2, "c": 3}') IS NOT NULL; $own}), "t\nf f", 'over the limit a session has its own copy');
is(shared(), "$x 1", 'and what others hold stays');
my $z = train('z', 5);
$node->safe_psql('postgres', q{SELECT wfml.predict('y', '{"a": 1, "b": 2, "c": 3}')});
is($node->safe_psql('postgres', qq{$limit SELECT wfml.predict('z', '{"a": 1, "b": 2, "c": 3}') IS NOT NULL; $own}), "t\nf f", 'what cannot fit beside it is private');
is(shared(), "$x 1, $y 0", 'and drives nothing else out');

# A session that holds it in a query, and forgot it in between, loads it for itself.
is($holder->query_safe(qq{
BEGIN;
DECLARE c CURSOR FOR SELECT wfml.predict('x', n.*) IS NOT NULL FROM noise n;
FETCH 1 FROM c;
SELECT wfml.cache_clear();
SELECT wfml.predict('x', '{"a": 1, "b": 2, "c": 3}') IS NOT NULL;
$own
FETCH 1 FROM c;
COMMIT;
}), "t\n1\nt\nf f\nt", 'the same version twice in one session');
is(shared(), "$x 0, $y 0", 'the first copy goes with the query');
$node->safe_psql('postgres', "SELECT wfml.drop_model('z')");
$node->safe_psql('postgres', "SELECT wfml.drop_model('y')");
$y = train('y', 4);
$holder->query_safe(q{SELECT wfml.predict('x', '{"a": 1, "b": 2, "c": 3}')});
is(shared(), "$x 0", 'and dropped ones go');
$holder->quit;
comes_to("$x 0", 'left by its session');
is($node->safe_psql('postgres', qq{$limit SELECT wfml.predict('y', '{"a": 1, "b": 2, "c": 3}') IS NOT NULL; $own}), "t\nt t", 'it makes room for the next one');
comes_to("$y 0", 'which takes its place');

# An error while loading leaves nothing.
$node->safe_psql('postgres', qq{
ALTER TABLE wfml.ml_artifact DISABLE TRIGGER ALL;
UPDATE wfml.ml_artifact SET bytes = overlay(bytes PLACING '\\xdeadbeefdeadbeef' FROM 1000000) WHERE model_id = $x AND seq = 1;
ALTER TABLE wfml.ml_artifact ENABLE TRIGGER ALL;
});
my ($rc, $out, $err) = $node->psql('postgres', q{SELECT wfml.predict('x', '{"a": 1, "b": 2, "c": 3}')});
like($err, qr/wrong checksum/, 'damaged bytes are refused');
is(shared(), "$y 0", 'and not shared');
is(segments(), $size, 'nor kept');

# A database that is dropped.
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', q{
CREATE EXTENSION wfml;
CREATE TABLE noise AS SELECT i, hashint4(i) % 1000 AS a, (hashint4(i + 1) % 1000)::float8 AS y FROM generate_series(1, 40000) i;
SELECT * FROM wfml.train('z', 'random_forest', 'SELECT i, a, y FROM noise', 'y', '{"trees": 40, "validation": "none"}');
SELECT wfml.predict('z', '{"i": 1, "a": 1}')});
like(shared(), qr/^\d+ 0, \d+ 0$/, 'another database shares as well');
$node->safe_psql('postgres', 'DROP DATABASE other');
$node->safe_psql('postgres', q{SELECT * FROM wfml.train('small', 'linear', 'SELECT a, b, y FROM noise LIMIT 100', 'y', '{"validation": "none"}')});
$node->safe_psql('postgres', q{SELECT wfml.predict('small', '{"a": 1, "b": 2}')});
is(shared(), "$y 0", 'and when it is dropped its models go');

# A standby has its own.
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$standby->safe_psql('postgres', q{SELECT wfml.predict('y', '{"a": 1, "b": 2, "c": 3}')}) for 1 .. 2;
is(shared($standby), "$y 0", 'a standby shares, too');
$standby->stop;

# kill -9 of one that holds it: the server starts again without it.

my $victim = $node->background_psql('postgres', on_error_die => 0);
my $value = $victim->query_safe(q{SELECT wfml.predict('y', '{"a": 1, "b": 2, "c": 3}')});
my $pid = $victim->query_safe('SELECT pg_backend_pid()');

kill 'KILL', $pid;
$node->poll_query_until('postgres', q{SELECT pg_postmaster_start_time() IS NOT NULL AND NOT pg_is_in_recovery()
	AND NOT EXISTS (SELECT FROM wfml.shared_cache_stats())});
eval { $victim->quit };
is(segments(), 0, 'after kill -9 of a session the server has no copy left');
is($node->safe_psql('postgres', q{SELECT wfml.predict('y', '{"a": 1, "b": 2, "c": 3}')}), $value, 'and predicts as before');
comes_to("$y 0", 'sharing again');

$node->stop;
done_testing();
