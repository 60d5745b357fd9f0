# A thousand mutated exports: flipped bits, cut ends, wrong lengths and counts
# under right checksums.  Each is refused with a clean error or becomes a
# model that answers; the server neither crashes nor hangs nor takes memory.

use strict;
use warnings;

use Digest::SHA qw(sha256);
use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Utils;
use Test::More;
use WfmlTest;

my $node = start_node('main');

$node->safe_psql('postgres', q{
CREATE TABLE sound AS
SELECT i % 13 AS a, sin(i) AS b, 'k' || i % 7 AS c, '2024-01-01'::timestamp + i * interval '5 h' AS d, i % 3 = 0 AS e,
       ARRAY['t' || i % 3, 'u' || i % 4] AS f, ARRAY[i % 5, i % 9]::float4[] AS g,
       i % 13 > 5 AS two, 'class ' || i % 4 AS four, (i % 13) * 2 + sin(i) AS number
FROM generate_series(1, 300) i;
CREATE TABLE few AS SELECT * FROM sound LIMIT 2;
INSERT INTO few SELECT a, 'NaN', 'unseen', NULL, NULL, '{}', NULL FROM few LIMIT 1;
CREATE TABLE visit AS SELECT u AS person, (u * u + i * 7) % 17 AS thing, 1 + (u * i) % 5 AS stars
FROM generate_series(1, 40) u, generate_series(1, 6) i;
CREATE TABLE thing AS SELECT i AS thing, 'thing number ' || i AS title, i % 3 = 0 AS round, i * 1.5 AS weight FROM generate_series(0, 20) i;
CREATE TABLE happening AS SELECT 'case ' || c AS c, substr('abcd', 1 + (c * 7 + e * e) % 4, 1) AS event,
       timestamp '2024-01-01' + c * interval '1 h' + e * interval '7 min' AS at
FROM generate_series(1, 60) c, generate_series(1, 5) e;
CREATE TABLE mutation (id int PRIMARY KEY, kind text, sealed boolean, bytes bytea);
CREATE TABLE outcome (id int, state text, message text);
});

my %algorithm = (
	boosting_2 => [ 'gradient_boosting', 'two', '{"rounds": 4, "max_leaves": 8}' ],
	boosting_n => [ 'gradient_boosting', 'number', '{"rounds": 4, "max_leaves": 8}' ],
	boosting_4 => [ 'gradient_boosting', 'four', '{"rounds": 2, "max_leaves": 4}' ],
	forest_2 => [ 'random_forest', 'two', '{"trees": 3, "max_depth": 5}' ],
	forest_4 => [ 'random_forest', 'four', '{"trees": 2, "max_depth": 5}' ],
	forest_n => [ 'random_forest', 'number', '{"trees": 3, "max_depth": 4}' ],
	linear_2 => [ 'linear', 'two', '{}' ],
	linear_4 => [ 'linear', 'four', '{}' ],
	linear_n => [ 'linear', 'number', '{}' ]);
my $network = '"hidden": 8, "embedding": 4, "epochs": 2, "rounds": 5, "validation": "none"';
my %training = (
	(map {
		my ($algorithm, $target, $params) = @{ $algorithm{$_} };
		($_ => "wfml.train('$_', '$algorithm', 'SELECT a, b, c, d, e, f, g, $target FROM sound', '$target', '$params')")
	} keys %algorithm),
	anomaly => q{wfml.train('anomaly', 'isolation_forest', 'SELECT a, b, c, d, e, f, g FROM sound', NULL, '{"trees": 4, "sample_size": 32}')},
	anomaly_scaled => q{wfml.train('anomaly_scaled', 'isolation_forest', 'SELECT a, b, c, d, e, f, g FROM sound', NULL, '{"trees": 4, "sample_size": 32, "scale_by": "c"}')},
	recommend_ease => q{wfml.train_recommender('recommend_ease', 'visit', 'person', 'thing', params => '{"method": "ease", "validation": "none"}')},
	recommend_content => q{wfml.train_recommender('recommend_content', 'visit', 'person', 'thing', items => 'thing', item_key => 'thing', params => '{"method": "rp3beta", "validation": "none"}')},
	recommend_stars => q{wfml.train_recommender('recommend_stars', 'visit', 'person', 'thing', 'stars', params => '{"method": "als", "factors": 4, "validation": "none"}')},
	sequence_markov => q{wfml.train_sequence('sequence_markov', 'happening', 'c', 'event', 'at', '{"predictor": "markov", "validation": "none"}')},
	sequence_lstm => qq{wfml.train_sequence('sequence_lstm', 'happening', 'c', 'event', 'at', '{"predictor": "lstm", $network}')},
	sequence => qq{wfml.train_sequence('sequence', 'happening', 'c', 'event', 'at', '{$network}')});
my @models = sort keys %training;
my %export;

for my $name (@models)
{
	$export{$name} = pack 'H*', $node->safe_psql('postgres', qq{
SET client_min_messages = error;
CREATE TEMP TABLE done AS SELECT 1 FROM $training{$name};
SELECT encode(wfml.export_model('$name'), 'hex')});
}

# ---- checksums ----

my @crc_table = map {
	my $c = $_;
	$c = $c & 1 ? $c >> 1 ^ 0x82f63b78 : $c >> 1 for 1 .. 8;
	$c;
} 0 .. 255;

sub crc32c
{
	my $c = 0xffffffff;

	$c = $crc_table[ ($c ^ $_) & 255 ] ^ $c >> 8 for unpack 'C*', $_[0];
	return $c ^ 0xffffffff;
}

# An export as description and model.
sub opened
{
	my ($bytes) = @_;
	my (undef, $version, $description_bytes, $model_bytes) = unpack 'a8 V V Q<', $bytes;

	return (substr($bytes, 56, $description_bytes), substr($bytes, 56 + $description_bytes, $model_bytes));
}

# And back, with right checksums; length: also the model's own.
sub sealed
{
	my ($description, $model, $length) = @_;

	substr($model, 16, 8) = pack 'Q<', length $model if $length && length $model >= 24;
	substr($model, 12, 4) = pack 'V', crc32c(substr $model, 16) if length $model >= 16;
	my $head = pack 'a8 V V Q<', 'WFEXPORT', 1, length $description, length $model;
	return $head . sha256($head . $description . $model) . $description . $model;
}

{
	my ($description, $model) = opened($export{forest_2});

	is(unpack('H*', sealed($description, $model, 1)), unpack('H*', $export{forest_2}), 'checksums are those of the server');
}

# ---- mutations ----

sub flip
{
	my ($bytes, $from, $n) = @_;

	for (1 .. $n)
	{
		my $at = $from + int rand(length($bytes) - $from);

		substr($bytes, $at, 1) ^= chr(1 << int rand 8);
	}
	return $bytes;
}

my @words = (0, 1, 2, 3, 5, 127, 255, 256, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0, 0x7f800000, 0x7fc00000, 0xff7fffff);

# Overwrite aligned words, most of them among headers and tables.
sub overwrite
{
	my ($model, $n) = @_;

	for (1 .. $n)
	{
		my $words = int(length($model) / 4);
		my $at = 4 * (4 + int(rand() < 0.5 ? rand($words - 4) : rand(100)));

		substr($model, $at, 4) = pack 'V', $words[ rand @words ] if $at + 4 <= length $model;
	}
	return $model;
}

my @values = ('null', '-1', '1e400', '99999999999999999999', '""', '[]', '{}', 'true', '"NaN"', '[[[[]]]]', '"' . 'x' x 5000 . '"', '{"a": "\u0000"}');

sub spoil_description
{
	my ($text) = @_;
	my $kind = int rand 4;

	if ($kind == 0)
	{
		my @places;

		push @places, [ $-[1], $+[1] - $-[1] ] while $text =~ /: ("[^"]*"|-?[0-9.]+|true|null|\{\}|\[\])/g;
		my $place = $places[ rand @places ];
		substr($text, $place->[0], $place->[1]) = $values[ rand @values ];
	}
	elsif ($kind == 1)
	{
		$text = substr $text, 0, rand length $text;
	}
	elsif ($kind == 2)
	{
		$text = flip($text, 0, 1 + int rand 3);
	}
	else
	{
		my @keys = $text =~ /"(\w+)":/g;
		my $key = $keys[ rand @keys ];
		$text =~ s/"$key":/"$key 2":/;
	}
	return $text;
}

# Kinds: name, mutated bytes, whether they are sealed.
my %kind = (
	flipped => sub { [ flip($_[0], 0, 1 + int rand 4), 0 ] },
	cut => sub { [ substr($_[0], 0, int rand length $_[0]), 0 ] },
	longer => sub { [ $_[0] . "\0" x (1 + int rand 100), 0 ] },
	flipped_sealed => sub { [ sealed($_[1], flip($_[2], 16, 1 + int rand 8), 0), 1 ] },
	flipped_head => sub { [ sealed($_[1], flip(substr($_[2], 0, 600), 16, 1 + int rand 4) . substr($_[2], 600), 0), 1 ] },
	overwritten => sub { [ sealed($_[1], overwrite($_[2], 1 + int rand 3), 0), 1 ] },
	cut_sealed => sub { [ sealed($_[1], substr($_[2], 0, int rand length $_[2]), 1), 1 ] },
	shifted => sub {
		my $m = $_[2];
		substr($m, 128 + int rand(length($m) - 128), 1 + int rand 8) = '';
		[ sealed($_[1], $m, 1), 1 ];
	},
	description => sub { [ sealed(spoil_description($_[1]), $_[2], 1), 1 ] },
	naked => sub {
		my $m = overwrite($_[2], 2);
		substr($m, 12, 4) = pack 'V', crc32c(substr $m, 16);
		[ $m, 1 ];
	});
my %share = (flipped => 60, cut => 40, longer => 10, flipped_sealed => 250, flipped_head => 150, overwritten => 250,
	cut_sealed => 40, shifted => 60, description => 100, naked => 40);
my $file = "$PostgreSQL::Test::Utils::tmp_check/mutations";
my $n = 0;

srand 7;
open my $out, '>', $file or die $!;
for my $kind (sort keys %kind)
{
	for my $i (1 .. $share{$kind})
	{
		my $bytes = $export{ $models[ $i % @models ] };
		my ($mutated, $sealed) = @{ $kind{$kind}->($bytes, opened($bytes)) };

		print $out join("\t", ++$n, $kind, $sealed, '\\\\x' . unpack('H*', $mutated)), "\n";
	}
}
close $out;
is($n, 1000, 'a thousand');
$node->safe_psql('postgres', "\\copy mutation FROM '$file'");

# ---- what comes of them ----

$node->safe_psql('postgres', q{
CREATE PROCEDURE use_predictor(task text, INOUT bad bigint) LANGUAGE plpgsql AS $$
BEGIN
    IF task = 'regression' OR jsonb_array_length(wfml.model_info('victim') -> 'labels') = 2 THEN
        SELECT count(*) INTO bad FROM few s, wfml.predict('victim', s) p
        WHERE p IS NULL OR p = 'NaN' OR (task <> 'regression' AND p NOT BETWEEN 0 AND 1);
    END IF;
    PERFORM wfml.predict_detail('victim', s) FROM few s;
    PERFORM count(*) FROM wfml.predict_batch('victim', 'SELECT * FROM few');
    PERFORM count(e) FROM few s, wfml.explain('victim', s, NULL, true) e;
    PERFORM wfml.explain_text('victim', s) FROM few s;
    IF task = 'classification' THEN
        PERFORM wfml.classify('victim', s), wfml.predict_proba('victim', s) FROM few s;
    END IF;
    PERFORM count(*) FROM wfml.feature_importance('victim');
END $$;
CREATE PROCEDURE use_anomaly(INOUT bad bigint) LANGUAGE plpgsql AS $$
BEGIN
    SELECT count(*) INTO bad FROM few s, wfml.anomaly_score('victim', s) p WHERE p IS NULL OR NOT p BETWEEN 0 AND 1;
    PERFORM wfml.is_anomaly('victim', s), wfml.predict_detail('victim', s) FROM few s;
    PERFORM count(*) FROM wfml.predict_batch('victim', 'SELECT * FROM few');
    PERFORM count(e) FROM few s, wfml.explain_anomaly('victim', s) e;
END $$;
CREATE PROCEDURE use_recommender(INOUT bad bigint) LANGUAGE plpgsql AS $$
BEGIN
    SELECT count(*) INTO bad
    FROM generate_series(0, 45, 3) u, wfml.recommend('victim', u, 1 + u, u % 2 = 0, ARRAY['3', (u % 21)::text]) r
    WHERE r.item IS NULL OR r.score IS NULL OR r.score = 'NaN';
    PERFORM count(*) FROM wfml.recommend('victim', NULL, 100);
    PERFORM count(*) FROM generate_series(0, 20, 4) i, wfml.similar_items('victim', i, 30);
    bad := bad + (SELECT count(*) FROM generate_series(0, 45, 3) u, wfml.predict_rating('victim', u, u % 21) p
                  WHERE p IS NULL OR p = 'NaN');
EXCEPTION WHEN SQLSTATE 'WF002' THEN    -- without ratings
    NULL;
END $$;
CREATE PROCEDURE use_sequence(INOUT bad bigint) LANGUAGE plpgsql AS $$
BEGIN
    SELECT count(*) INTO bad
    FROM (VALUES (NULL::text[]), ('{a}'), ('{a,b,c,d,a,a,a}'), ('{a,unseen,b}')) h(history),
         LATERAL wfml.next_event('victim', h.history, 10) n
    WHERE n.probability IS NULL OR NOT n.probability BETWEEN 0 AND 1;
    PERFORM count(*) FROM wfml.next_event('victim', ARRAY['a', 'b'], 3, ARRAY[now(), now() + interval '1 h']);
    PERFORM wfml.next_event_time('victim', ARRAY['a', 'b'], ARRAY[now(), now() + interval '1 h']);
    bad := bad + (wfml.sequence_score('victim', ARRAY['a', 'b', 'unseen', 'd']) NOT BETWEEN -1000 AND 0)::int;
    PERFORM wfml.next_event_agg('victim', event, at ORDER BY at) FROM happening WHERE c < 'case 2' GROUP BY c;
END $$;
CREATE PROCEDURE use_it(mutation_id int) LANGUAGE plpgsql AS $$
DECLARE
    task text;
    bad bigint := 0;
BEGIN
    PERFORM wfml.import_model('victim', bytes) FROM mutation WHERE id = mutation_id;
    task := wfml.model_info('victim') ->> 'task';
    CASE task
        WHEN 'anomaly' THEN CALL use_anomaly(bad);
        WHEN 'recommendation' THEN CALL use_recommender(bad);
        WHEN 'sequence' THEN CALL use_sequence(bad);
        ELSE CALL use_predictor(task, bad);
    END CASE;
    PERFORM count(*) FROM wfml.metrics('victim');
    PERFORM wfml.verify('victim');
    PERFORM length(wfml.export_model('victim'));
    PERFORM wfml.drop_model('victim');
    INSERT INTO outcome VALUES (mutation_id, CASE WHEN bad > 0 THEN 'no number' ELSE 'works' END);
EXCEPTION WHEN others THEN
    INSERT INTO outcome VALUES (mutation_id, SQLSTATE, SQLERRM);
END $$;
CREATE FUNCTION peak() RETURNS bigint LANGUAGE sql AS $$
    SELECT substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s+(\d+)')::bigint $$;
});

my $script = "SET client_min_messages = error;\nSET statement_timeout = '10s';\n";
$script .= "CALL use_it($_);\n" for 1 .. 20;
$script .= "CREATE TABLE before AS SELECT peak() AS kb, (SELECT sum(total_bytes) FROM pg_backend_memory_contexts) AS bytes;\n" if -r '/proc/self/status';
$script .= "CALL use_it($_);\n" for 21 .. 1000;
$script .= "CREATE TABLE after AS SELECT peak() AS kb, (SELECT sum(total_bytes) FROM pg_backend_memory_contexts) AS bytes;\n" if -r '/proc/self/status';

my ($status, $stdout, $stderr) = $node->psql('postgres', $script, on_error_stop => 0);

is($status, 0, 'the session lives');
is($stderr, '', 'without an error that is none of theirs');

my $log = slurp_file($node->logfile);

unlike($log, qr/terminated by signal|PANIC|server process .* exit/, 'no crash');

sub rows { return $node->safe_psql('postgres', $_[0]) }

note(rows(q{SELECT format('%s %s: %s', kind, state, count(*)) FROM outcome JOIN mutation USING (id) GROUP BY kind, state ORDER BY kind, state}));
is(rows('SELECT count(*) FROM outcome'), 1000, 'each came to something');
is(rows(q{SELECT id, kind, state, message FROM outcome JOIN mutation USING (id)
WHERE NOT sealed AND state NOT IN ('XX001', '0A000') ORDER BY id LIMIT 5}), '', 'a wrong checksum is seen');
is(rows(q{SELECT id, kind, state, message FROM outcome JOIN mutation USING (id)
WHERE sealed AND state NOT IN ('works', 'XX001', '22000', '22023', '42703', '42804', '54000', '0A000', '22021', '22P02', '22P05', 'WF002') ORDER BY id LIMIT 20}), '', 'errors are clean');
is(rows(q{SELECT count(*) FROM outcome WHERE state = 'XX001' AND message ~ '^(corrupted model|.*damaged|.*export|.*model)' OR state <> 'XX001'}), 1000, 'and say what they are about');
cmp_ok(rows(q{SELECT count(*) FROM outcome WHERE state = 'works'}), '>', 50, 'some work');
cmp_ok(rows(q{SELECT count(*) FROM outcome WHERE state <> 'works'}), '>', 500, 'most do not');

SKIP: {
	skip 'no /proc', 2 unless -r '/proc/self/status';
	cmp_ok(rows('SELECT after.kb - before.kb FROM before, after'), '<', 32 * 1024, 'memory at its peak');
	cmp_ok(rows('SELECT after.bytes - before.bytes FROM before, after'), '<', 8 * 1048576, 'memory kept');
}
is(rows('SELECT count(*) FROM wfml.ml_model'), scalar @models, 'nothing is left of them');

$node->stop;
done_testing();
