# Models survive a restart and a crash, and predict the same.

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
SELECT * FROM wfml.train('forest', 'random_forest', 'jobs', 'class', '{"trees": 20}');
SELECT * FROM wfml.train('boosting', 'gradient_boosting', 'jobs', 'class', '{"rounds": 20}');
});

my %before = map { $_ => prediction_digest($node, $_) } qw(forest boosting);

like($before{forest}, qr/^[0-9a-f]{32}$/, 'the forest predicts');

$node->restart;
is(prediction_digest($node, $_), $before{$_}, "$_ predicts the same after a restart") for sort keys %before;

# Published and not yet checkpointed: WAL brings it back.
$node->safe_psql('postgres', 'CHECKPOINT');
$node->safe_psql('postgres', q{
SELECT * FROM wfml.train('boosting', 'gradient_boosting', 'jobs', 'class', '{"rounds": 10}')});
my $second = prediction_digest($node, 'boosting');

isnt($second, $before{boosting}, 'another version predicts otherwise');
$node->stop('immediate');
$node->start;
is(prediction_digest($node, 'boosting'), $second, 'a version made just before a crash is active after it');
is($node->safe_psql('postgres', q{SELECT active.version FROM wfml.registry r JOIN wfml.ml_model active ON active.id = r.active_id WHERE r.name = 'boosting'}),
	'2', 'version 2 is active');
$node->safe_psql('postgres', q{SELECT wfml.rollback('boosting')});
is(prediction_digest($node, 'boosting'), $before{boosting}, 'and version 1 after a rollback of the activation');

$node->stop;
done_testing();
