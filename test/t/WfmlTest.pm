# What the TAP tests of wfml share.
package WfmlTest;

use strict;
use warnings;

use Exporter 'import';
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(start_node load_jobs model_digest prediction_digest count_leftovers);

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

# Rows that a training which came to nothing must not leave.
sub count_leftovers
{
	my ($node) = @_;

	return $node->safe_psql('postgres', q{
SELECT (SELECT count(*) FROM wfml.ml_model) + (SELECT count(*) FROM wfml.ml_artifact) +
       (SELECT count(*) FROM wfml.registry) + (SELECT count(*) FROM wfml.training_progress) +
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker')});
}

1;
