# A logical subscriber of the registry predicts with what was replicated, also
# in a session that has an id's old bytes open when the id gets others.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WfmlTest;

my $publisher = start_node('publisher', '', allows_streaming => 'logical');
my $subscriber = start_node('subscriber', '', allows_streaming => 'logical');

$publisher->safe_psql('postgres', q{
CREATE TABLE steps AS SELECT i % 20 AS x, i % 20 >= 10 AS up, i % 20 < 10 AS down FROM generate_series(1, 400) i;
SELECT model FROM wfml.train('step', 'random_forest', 'steps', 'up', '{"trees": 5}', '{x}');
CREATE PUBLICATION models FOR TABLE wfml.registry, wfml.ml_model, wfml.ml_artifact, wfml.model_grant});
my $connstr = $publisher->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION models CONNECTION '$connstr' PUBLICATION models");
$subscriber->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r')});

my ($in, $out, $err) = ('', '', '');
my $session = IPC::Run::start(
	[ 'psql', '-XAtq', '-d', $subscriber->connstr('postgres') ],
	'<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(180));

sub ask
{
	my ($call) = @_;

	$out = '';
	$in .= "SELECT 'answer ' || ($call > 0.5)::text;\n";
	$session->pump until $out =~ /answer (\w+)/ || $err =~ /ERROR/;
	diag $err if $err;
	return $out =~ /answer (\w+)/ ? $1 : '';
}

my $by_name = q{wfml.predict('step', '{"x": 15}')};
my $by_id = q{wfml.predict_version(1, '{"x": 15}')};

is(ask($by_name), 'true', 'the subscriber predicts');
is(ask($by_id), 'true', 'by id too');

$publisher->safe_psql('postgres', q{
SELECT model FROM wfml.train('step', 'random_forest', 'steps', 'down', '{"trees": 5}', '{x}')});
$publisher->wait_for_catchup('models');
is(ask($by_name), 'false', 'an open session follows an activation');
is(ask($by_id), 'true', 'the old version is what it was');

# As after restoring an older dump and training again.
$publisher->safe_psql('postgres', q{
CREATE TABLE chunk AS SELECT 1::bigint AS model_id, seq, bytes FROM wfml.ml_artifact WHERE model_id = 2;
CREATE TABLE sum AS SELECT artifact_bytes, artifact_sha256 FROM wfml.ml_model WHERE id = 2;
BEGIN;
DELETE FROM wfml.ml_artifact WHERE model_id = 1;
UPDATE wfml.ml_model m SET artifact_bytes = s.artifact_bytes, artifact_sha256 = s.artifact_sha256 FROM sum s WHERE id = 1;
INSERT INTO wfml.ml_artifact SELECT * FROM chunk;
COMMIT});
$publisher->wait_for_catchup('models');
is(ask($by_id), 'false', 'an id that means other bytes now');

$in .= "\\q\n";
$session->finish;
$subscriber->stop;
$publisher->stop;
done_testing();
