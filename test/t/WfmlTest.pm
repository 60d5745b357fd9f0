# What the TAP tests of wfml share.
package WfmlTest;

use strict;
use warnings;

use Exporter 'import';
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(start_node load_jobs model_digest prediction_digest count_leftovers train_other_kinds other_kinds_digest registry_faults);

my $data = dirname(__FILE__) . '/../data';

# A running node with wfml in database postgres.
sub start_node
{
	my ($name, $settings, %init) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%init);
	$node->append_conf('postgresql.conf', $settings // '');
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION wfml');
	return $node;
}

# Table jobs: real data with text, integers and NULLs, 4,331 rows, four classes.
sub load_jobs
{
	my ($node) = @_;

	$node->safe_psql('postgres', qq{
CREATE TABLE jobs (protocol text, compounds int, input_fields int, iterations int,
	num_pending int, hour float8, day text, class text);
\\copy jobs FROM PROGRAM 'gzip -dc $data/hpc_jobs.csv.gz' WITH (FORMAT csv, HEADER)
UPDATE jobs SET iterations = NULL WHERE compounds % 17 = 0;
VACUUM ANALYZE jobs;
});
}

# The bytes of a model's active version.
sub model_digest
{
	my ($node, $model) = @_;

	return $node->safe_psql('postgres', qq{
SELECT encode(sha256(string_agg(a.bytes, ''::bytea ORDER BY a.seq)), 'hex')
FROM wfml.registry r JOIN wfml.ml_artifact a ON a.model_id = r.active_id
WHERE r.name = '$model'});
}

# All its predictions of a table of jobs.
sub prediction_digest
{
	my ($node, $model) = @_;

	return $node->safe_psql('postgres', qq{
SELECT md5(string_agg(wfml.predict_proba('$model', j)::text, ' ' ORDER BY j::text)) FROM jobs j});
}

# A model of each kind that is not of labelled rows.
sub train_other_kinds
{
	my ($node) = @_;

	$node->safe_psql('postgres', q{
SELECT * FROM wfml.train('odd', 'isolation_forest', 'SELECT compounds, input_fields, iterations, hour, day FROM jobs',
	params => '{"trees": 20, "scale_by": "day"}');
SELECT * FROM wfml.train_recommender('liked', 'SELECT u, (u * u + i * 7) % 23 AS item, 1 + (u * i) % 5 AS stars
	FROM generate_series(1, 60) u, generate_series(1, 6) i', 'u', 'item', 'stars', params => '{"validation": "none"}');
SELECT * FROM wfml.train_sequence('next', $$SELECT c, substr('abcd', 1 + (c * 7 + e * e) % 4, 1) AS event,
	timestamp '2024-01-01' + c * interval '1 h' + e * interval '7 min' AS at
	FROM generate_series(1, 80) c, generate_series(1, 5) e$$, 'c', 'event', 'at',
	'{"hidden": 8, "embedding": 4, "epochs": 2, "rounds": 5, "validation": "none"}')});
}

# What they answer.
sub other_kinds_digest
{
	my ($node, $db) = @_;
	my $digest = $node->safe_psql($db, q{
SELECT md5((SELECT string_agg(wfml.anomaly_score('odd', j)::text, ' ' ORDER BY j::text) FROM jobs j)
	|| (SELECT string_agg(r::text, ' ' ORDER BY u, r.rank) FROM generate_series(1, 70) u, wfml.recommend('liked', u, history => '{3,4}') r)
	|| (SELECT string_agg(wfml.predict_rating('liked', u, u % 25)::text, ' ' ORDER BY u) FROM generate_series(1, 70) u)
	|| (SELECT string_agg(n::text, ' ' ORDER BY h, n.rank) FROM unnest('{"{}","{a}","{a,b,c}","{d,unseen}"}'::text[]) h, wfml.next_event('next', h, 9) n))});

	# a NULL among them would make all alike
	die "no answer" if $digest eq '';
	return $digest;
}

# Rows that a training which came to nothing must not leave.
sub count_leftovers
{
	my ($node) = @_;

	return $node->safe_psql('postgres', q{
SELECT (SELECT count(*) FROM wfml.ml_model) + (SELECT count(*) FROM wfml.ml_artifact) +
       (SELECT count(*) FROM wfml.registry) + (SELECT count(*) FROM wfml.training_progress) +
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker')});
}

# What is not as it must be in the tables of wfml, whatever died while writing
# them: empty when all is well.
sub registry_faults
{
	my ($node, $db) = @_;

	return $node->safe_psql($db // 'postgres', q{
SELECT 'bytes of ' || m.name || '@' || m.version || ' are not what was stored' FROM wfml.ml_model m
WHERE (SELECT sum(octet_length(bytes)) FROM wfml.ml_artifact a WHERE a.model_id = m.id) IS DISTINCT FROM m.artifact_bytes
	OR (SELECT sha256(string_agg(bytes, ''::bytea ORDER BY seq)) FROM wfml.ml_artifact a WHERE a.model_id = m.id) IS DISTINCT FROM m.artifact_sha256
UNION ALL SELECT 'bytes without a version: ' || model_id FROM wfml.ml_artifact a WHERE NOT EXISTS (SELECT FROM wfml.ml_model m WHERE m.id = a.model_id)
UNION ALL SELECT 'chunks of ' || model_id || ' are not numbered' FROM wfml.ml_artifact GROUP BY model_id HAVING max(seq) <> count(*) - 1
UNION ALL SELECT 'active version of ' || r.name || ' is another''s' FROM wfml.registry r
	WHERE active_id IS NOT NULL AND NOT EXISTS (SELECT FROM wfml.ml_model m WHERE m.id = r.active_id AND m.name = r.name AND m.version = r.active_version)
UNION ALL SELECT 'last version of ' || r.name FROM wfml.registry r WHERE last_version < (SELECT max(version) FROM wfml.ml_model m WHERE m.name = r.name)
UNION ALL SELECT 'version without a model: ' || name FROM wfml.ml_model m WHERE NOT EXISTS (SELECT FROM wfml.registry r WHERE r.name = m.name)
UNION ALL SELECT 'prediction ' || id || ' of a version that is not there' FROM wfml.prediction p
	WHERE model_id IS NOT NULL AND NOT EXISTS (SELECT FROM wfml.ml_model m WHERE m.id = p.model_id)
UNION ALL SELECT 'evaluation ' || seq || ' of a version that is not there' FROM wfml.evaluation e
	WHERE model_id IS NOT NULL AND NOT EXISTS (SELECT FROM wfml.ml_model m WHERE m.id = e.model_id)
UNION ALL SELECT t || ' of a model that is not there' FROM (SELECT 'grant', model FROM wfml.model_grant UNION ALL SELECT 'activation', model FROM wfml.activation
	UNION ALL SELECT 'attachment', model FROM wfml.attachment UNION ALL SELECT 'policy', model FROM wfml.retrain_policy) x (t, model)
	WHERE NOT EXISTS (SELECT FROM wfml.registry r WHERE r.name = x.model)
UNION ALL SELECT 'the next ' || t || ' has a number that is taken' FROM (
		SELECT 'model', (SELECT max(number) FROM wfml.registry), last_value, is_called FROM wfml.registry_number_seq
		UNION ALL SELECT 'version', (SELECT max(id) FROM wfml.ml_model), last_value, is_called FROM wfml.ml_model_id_seq
		UNION ALL SELECT 'activation', (SELECT max(seq) FROM wfml.activation), last_value, is_called FROM wfml.activation_seq_seq
		UNION ALL SELECT 'evaluation', (SELECT max(seq) FROM wfml.evaluation), last_value, is_called FROM wfml.evaluation_seq_seq
		UNION ALL SELECT 'prediction', (SELECT max(id) FROM wfml.prediction), last_value, is_called FROM wfml.prediction_id_seq
		UNION ALL SELECT 'job', (SELECT max(id) FROM wfml.job_run), last_value, is_called FROM wfml.job_run_id_seq) x (t, taken, last_value, is_called)
	WHERE taken > last_value OR taken = last_value AND NOT is_called});
}

1;
