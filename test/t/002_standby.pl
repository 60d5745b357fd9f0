# A streaming standby predicts, follows activation in sessions that have the
# model cached, and refuses to train.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WfmlTest;

my $primary = start_node('primary', '', allows_streaming => 1);

load_jobs($primary);
$primary->safe_psql('postgres', q{
SELECT * FROM wfml.train('m', 'gradient_boosting', 'jobs', 'class', '{"rounds": 20}')});
train_other_kinds($primary);
$primary->backup('backup');

my $standby = PostgreSQL::Test::Cluster->new('standby');

$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

my $first = prediction_digest($primary, 'm');

is(prediction_digest($standby, 'm'), $first, 'the standby predicts as the primary');
is(other_kinds_digest($standby, 'postgres'), other_kinds_digest($primary, 'postgres'), 'scores, recommends and foresees as the primary');

# One session on the standby keeps the model open over all of this.
my ($in, $out, $err) = ('', '', '');
my $question = q{SELECT 'answer ' || md5(string_agg(wfml.predict_proba('m', j)::text, ' ' ORDER BY j::text)) FROM jobs j;} . "\n";
my $session = IPC::Run::start(
	[ 'psql', '-XAtq', '-d', $standby->connstr('postgres') ],
	'<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(180));

sub ask
{
	$out = '';
	$in .= $question;
	$session->pump until $out =~ /answer ([0-9a-f]{32})/ || $err =~ /ERROR/;
	diag $err if $err;
	return $out =~ /answer ([0-9a-f]{32})/ ? $1 : '';
}

is(ask(), $first, 'so does a session of its own');

$primary->safe_psql('postgres', q{
SELECT * FROM wfml.train('m', 'random_forest', 'jobs', 'class', '{"trees": 10}')});
my $second = prediction_digest($primary, 'm');

isnt($second, $first, 'a new version predicts otherwise');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is(ask(), $second, 'the open session follows its activation');

$primary->safe_psql('postgres', q{SELECT wfml.rollback('m')});
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is(ask(), $first, 'and the rollback');

$in .= "\\q\n";
$session->finish;

my ($status, undef, $message) = $standby->psql('postgres', q{
SELECT * FROM wfml.train('m', 'random_forest', 'jobs', 'class', '{"trees": 5}')});

isnt($status, 0, 'training on a standby fails');
like($message, qr/recovery|read-only/, 'and says why');

$standby->promote;
$standby->safe_psql('postgres', q{SELECT * FROM wfml.train('m', 'random_forest', 'jobs', 'class', '{"trees": 5}')});
is($standby->safe_psql('postgres', q{SELECT version FROM wfml.models WHERE name = 'm'}), '3', 'after promotion it trains');

$standby->stop;
$primary->stop;
done_testing();
