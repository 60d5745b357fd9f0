# A subscriber to a publication FOR ALL TABLES has the whole of wfml: models,
# the log, outcomes, policies; what the publisher changes, renames and drops
# follows; triggers there do not log a second time.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WfmlTest;

my $publisher = start_node('publisher', 'fsync = off', allows_streaming => 'logical');
my $subscriber = start_node('subscriber', 'fsync = off', allows_streaming => 'logical');
my $tables = q{
CREATE TABLE steps (x int PRIMARY KEY, up boolean);
CREATE TABLE arrivals (id bigint PRIMARY KEY, x int, up boolean, p text)};

$_->safe_psql('postgres', $tables) for $publisher, $subscriber;
$publisher->safe_psql('postgres', q{
SET client_min_messages = error;
INSERT INTO steps SELECT x, x >= 100 FROM generate_series(0, 199) x;
SELECT model FROM wfml.train('step', 'random_forest', 'steps', 'up', '{"trees": 5}', '{x}');
SELECT wfml.attach('step', 'arrivals', 'id', 'p', NULL, 'up');
INSERT INTO arrivals (id, x) SELECT i, i * 10 FROM generate_series(1, 10) i;
CREATE PUBLICATION everything FOR ALL TABLES});
my $connstr = $publisher->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION everything CONNECTION '$connstr' PUBLICATION everything");
$subscriber->wait_for_subscription_sync($publisher, 'everything');

# triggers of its own, as in a schema that was dumped: they are not for what replication brings
$subscriber->safe_psql('postgres', q{
CREATE TRIGGER fill BEFORE INSERT ON arrivals FOR EACH ROW EXECUTE FUNCTION wfml.predict_trigger('step', 'p');
CREATE TRIGGER log AFTER INSERT ON arrivals FOR EACH ROW EXECUTE FUNCTION wfml.log_trigger('step', 'id')});

my $all = q{SELECT string_agg(t, ' ' ORDER BY t) FROM (
	SELECT 'p ' || p::text FROM wfml.prediction p UNION ALL SELECT 'r ' || r::text FROM wfml.registry r
	UNION ALL SELECT 'v ' || concat_ws(',', id, name, version, status, encode(artifact_sha256, 'hex')) FROM wfml.ml_model
	UNION ALL SELECT 'c ' || concat_ws(',', model_id, seq, md5(bytes)) FROM wfml.ml_artifact UNION ALL SELECT 'g ' || g::text FROM wfml.model_grant g
	UNION ALL SELECT 'a ' || a::text FROM wfml.activation a UNION ALL SELECT 'e ' || e::text FROM wfml.evaluation e
	UNION ALL SELECT 'q ' || q::text FROM wfml.retrain_policy q UNION ALL SELECT 'j ' || j::text FROM wfml.job_run j
	UNION ALL SELECT 't ' || concat_ws(',', model, key_column, output_column, outcome_column) FROM wfml.attachment
	UNION ALL SELECT 'w ' || w::text FROM arrivals w) x (t)};

sub same
{
	my ($what) = @_;

	$publisher->wait_for_catchup('everything');
	my ($here, $there) = map { $_->safe_psql('postgres', $all) } $publisher, $subscriber;

	ok($here ne '' && $here eq $there, $what);
	diag "publisher: $here\nsubscriber: $there" if $here ne $there;
}

same('what was there is copied');
for my $change (
	[ 'rows are scored and logged' => q{INSERT INTO arrivals (id, x) SELECT i, i FROM generate_series(11, 60) i} ],
	[ 'outcomes' => q{UPDATE arrivals SET up = x >= 100 WHERE id <= 30} ],
	[ 'calls' => q{SELECT count(*) FROM steps s, LATERAL wfml.log_predict('step', s, x::text)} ],
	[ 'a new version' => q{SELECT model FROM wfml.train('step', 'gradient_boosting', 'steps', 'up', '{"rounds": 5}', '{x}')} ],
	[ 'an evaluation, a policy, a rule, a grant' => q{SELECT FROM wfml.evaluate('step', 'steps'); SELECT wfml.set_retrain_policy('step', max_age => '1 ms'); SELECT wfml.set_fallback('step', 'x > 100'); SELECT wfml.grant_model('step', 'public')} ],
	[ 'retraining' => q{CALL wfml.run_retraining()} ],
	[ 'another name' => q{SELECT wfml.rename_model('step', 'stair')} ],
	[ 'a version less' => q{SELECT wfml.drop_model('stair', 1)} ],
	[ 'pruning' => q{UPDATE wfml.prediction SET made_at = made_at - interval '1 year' WHERE id % 3 = 0; CALL wfml.prune_predictions('100 days')} ])
{
	$publisher->safe_psql('postgres', "SET client_min_messages = error; $change->[1]");
	same($change->[0]);
}
is($subscriber->safe_psql('postgres', q{SELECT count(*) FROM steps s WHERE wfml.classify('stair', s) = up::text}), '200', 'the subscriber predicts');
is($subscriber->safe_psql('postgres', q{SELECT count(*) FROM wfml.health WHERE name = 'stair'}), '1', 'and knows how it is');
is(registry_faults($publisher), '', 'nothing is half there');

$publisher->safe_psql('postgres', q{SET client_min_messages = error; SELECT wfml.detach('stair', 'arrivals'); SELECT wfml.drop_model('stair')});
same('the model is dropped');
is($subscriber->safe_psql('postgres', q{SELECT count(*) FROM wfml.ml_artifact}), '0', 'with its bytes');

$subscriber->stop;
$publisher->stop;
done_testing();
