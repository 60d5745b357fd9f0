# pg_dump and restore give working models: same bytes, same predictions, same
# active versions, grants and sequences that go on.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WfmlTest;

my $node = start_node('main');

load_jobs($node);
$node->safe_psql('postgres', q{
CREATE ROLE analyst;
SELECT * FROM wfml.train('m', 'gradient_boosting', 'jobs', 'class', '{"rounds": 20}');
SELECT * FROM wfml.train('m', 'random_forest', 'jobs', 'class', '{"trees": 20}');
SELECT wfml.activate('m', 1);
SELECT wfml.grant_model('m', 'analyst');
CREATE VIEW risk AS SELECT j.*, wfml.classify('m', j) AS expected FROM jobs j;
});

my $question = q{
SELECT md5(string_agg(wfml.predict_proba('m', j)::text || wfml.predict_proba('m@2', j)::text, ' ' ORDER BY j::text))
FROM jobs j};
my $before = $node->safe_psql('postgres', $question);
train_other_kinds($node);
my $others = other_kinds_digest($node, 'postgres');
my $bytes = model_digest($node, 'm');
my $dump = $node->basedir . '/dump';

for my $format (qw(plain custom))
{
	my $db = "restored_$format";

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->command_ok([ 'pg_dump', '-F', $format, '-f', "$dump.$format", '-d', $node->connstr('postgres') ], "pg_dump $format");
	if ($format eq 'plain')
	{
		$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), '-f', "$dump.plain" ], 'restore with psql');
	}
	else
	{
		$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr($db), "$dump.custom" ], 'pg_restore');
	}
	is($node->safe_psql($db, $question), $before, "$format: both versions predict the same");
	is(other_kinds_digest($node, $db), $others, "$format: models of the other kinds answer the same");
	is($node->safe_psql($db, q{SELECT count(*) FROM risk WHERE expected IS NULL}), '0', "$format: a view predicts");
	is($node->safe_psql($db, q{SET ROLE analyst; SELECT wfml.classify('m', r) IS NOT NULL FROM (SELECT 'E' AS protocol, 997 AS compounds, 137 AS input_fields, 20 AS iterations, 0 AS num_pending, 14.0 AS hour, 'Tue' AS day) r}),
		't', "$format: the grant is there");
	$node->safe_psql($db, q{SELECT * FROM wfml.train('m', 'random_forest', 'jobs', 'class', '{"trees": 5}')});
	is($node->safe_psql($db, q{SELECT version FROM wfml.models WHERE name = 'm'}), '3', "$format: numbers go on");
}

$node->stop;
done_testing();
