# A streaming standby: what would log elsewhere answers there and logs nothing,
# it follows splits, rules and switches of what is logged, monitoring reads;
# after promotion it logs, scores arriving rows and retrains.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WfmlTest;

my $primary = start_node('primary', "fsync = off\nhot_standby_feedback = on", allows_streaming => 1);

load_jobs($primary);
$primary->safe_psql('postgres', q{
SET client_min_messages = error;
SELECT * FROM wfml.train('m', 'gradient_boosting', 'jobs', 'class', '{"rounds": 20}');
CREATE TABLE arrivals (id bigint PRIMARY KEY, LIKE jobs, expected text);
SELECT wfml.attach('m', 'arrivals', 'id', 'expected', NULL, 'class');
INSERT INTO arrivals SELECT row_number() OVER (), j.protocol, j.compounds, j.input_fields, j.iterations, j.num_pending, j.hour, j.day FROM (SELECT * FROM jobs LIMIT 20) j;
UPDATE arrivals SET class = 'F' WHERE id <= 10;
SELECT wfml.set_retrain_policy('m', max_age => '1 ms')});
$primary->backup('backup');

my $standby = PostgreSQL::Test::Cluster->new('standby');

$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

sub catch_up
{
	# (a record to wait for, rather than a page's header)
	$primary->safe_psql('postgres', 'SELECT txid_current()');
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));
}

catch_up();

# One session that lives through all of this, and what it was warned of.
my $session = $standby->background_psql('postgres', on_error_stop => 0);

$session->set_query_timer_restart();
my $warned = '';

sub ask
{
	my ($query) = @_;

	$session->{stderr} = '';
	my $out = $session->query($query);

	$warned = $session->{stderr};
	return $out;
}

# ---- what would log ----

my $logged = q{SELECT count(*) FROM wfml.predictions};
my $call = q{SELECT count(*), count(label), min(source) FROM (SELECT * FROM jobs LIMIT 30) j, LATERAL wfml.log_predict('m', j, 'standby') p};

is(ask($logged), '20', 'predictions of the primary are there');
is(ask($call), '30|30|function', 'log_predict() answers');
is($warned, '', 'without a word');
is(ask($logged), '20', 'and logs nothing');
is(ask(q{SELECT count(*) FROM (SELECT * FROM jobs LIMIT 30) j, LATERAL wfml.predict_cached('m', j) p}), '30', 'so does predict_cached()');
is(ask(q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM (SELECT * FROM jobs LIMIT 3) j, LATERAL wfml.log_predict('m', j) p; COMMIT}), '3', 'in a transaction too');

# the same where only the transaction is read-only
is($primary->safe_psql('postgres', qq{BEGIN READ ONLY; $call; COMMIT; $logged}), "30|30|function\n20", 'a read-only transaction of the primary likewise');

# ---- what reads ----

my $evaluated;

for my $query (
	q{SELECT count(*) FROM wfml.models}, q{SELECT count(*) FROM wfml.versions}, q{SELECT count(*) FROM wfml.attachments WHERE broken IS NULL},
	q{SELECT count(*) FROM wfml.retrain_policies}, q{SELECT count(*) FROM wfml.health}, q{SELECT count(*) FROM wfml.metrics_24h},
	q{SELECT count(*) > 0 FROM wfml.system_metrics}, q{SELECT count(*) FROM wfml.jobs}, q{SELECT count(*) > 0 FROM wfml.live_scores('m')},
	q{SELECT count(*) > 0 FROM wfml.drift('m', 'jobs')}, q{SELECT count(*) > 0 FROM wfml.drift_from_stats('m', 'jobs')},
	q{SELECT count(*) > 0 FROM wfml.compare('{m,m@1}', 'jobs')}, q{SELECT count(*) >= 0 FROM wfml.trend('m')},
	q{SELECT count(*) > 0 FROM wfml.evaluate('m', 'jobs')}, q{SELECT count(*) >= 0 FROM wfml.retrain_due()})
{
	my $primary_says = $primary->safe_psql('postgres', $query);

	catch_up();
	$evaluated = ask('SELECT count(*) FROM wfml.evaluations');
	is(ask($query), $primary_says, "as on the primary: $query");
	is($warned, '', 'without a word');
}
is(ask('SELECT count(*) FROM wfml.evaluations'), $evaluated, 'an evaluation on the standby is stored nowhere');

# ---- what would change ----

for my $query (
	q{CALL wfml.run_retraining()}, q{SELECT wfml.retrain('m')}, q{SELECT wfml.train_background('b', 'linear', 'jobs', 'hour')},
	q{SELECT wfml.set_fallback('m', '1.0')}, q{SELECT wfml.attach('m', 'jobs', 'compounds')}, q{SELECT wfml.set_retrain_policy('m')},
	q{SELECT wfml.activate('m', 1)}, q{SELECT wfml.end_split('m')})
{
	ask($query);
	like($warned, qr/ERROR:  .*(read-only|recovery|standby|does not exist)/, "refused: $query");
}

# ---- what it follows ----

$primary->safe_psql('postgres', q{
SET client_min_messages = error;
SELECT * FROM wfml.train('m', 'random_forest', 'jobs', 'class', '{"trees": 10}', activate => false);
SELECT wfml.split_traffic('m', 1, 2, 0.5)});
catch_up();
is(ask(q{SELECT count(DISTINCT model_version) FROM (SELECT *, row_number() OVER () AS n FROM jobs LIMIT 100) j, LATERAL wfml.log_predict('m', j, 'e' || n) p}), '2', 'a split: two versions answer');
$primary->safe_psql('postgres', q{SELECT wfml.end_split('m'); SELECT wfml.activate('m', 2)});
catch_up();
is(ask(q{SELECT DISTINCT model_version FROM (SELECT * FROM jobs LIMIT 100) j, LATERAL wfml.log_predict('m', j) p}), '2', 'its end, and another version');
$primary->safe_psql('postgres', q{SET client_min_messages = error; SELECT wfml.detach('m', 'arrivals'); SELECT wfml.set_fallback('m', '''VF'''); SELECT wfml.drop_model('m', 1); SELECT wfml.drop_model('m', 2)});
catch_up();
is(ask(q{SELECT label, source FROM (SELECT * FROM jobs LIMIT 1) j, LATERAL wfml.log_predict('m', j) p}), 'VF|fallback', 'a rule, when no version is left');
$primary->safe_psql('postgres', q{SET client_min_messages = error; SELECT * FROM wfml.train('m', 'random_forest', 'jobs', 'class', '{"trees": 12}'); SELECT wfml.attach('m', 'arrivals', 'id', 'expected', NULL, 'class')});
catch_up();
is(ask(q{SELECT model_version FROM (SELECT * FROM jobs LIMIT 1) j, LATERAL wfml.log_predict('m', j) p}), '3', 'and the model that comes back');
is(ask($logged), '20', 'all of it was logged nowhere');

# ---- promotion ----

$standby->promote;
is(ask($call), '30|30|function', 'after promotion: the open session calls log_predict()');
is(ask($logged), '50', 'and logs');
is(ask(q{INSERT INTO arrivals SELECT 1000, protocol, compounds, input_fields, iterations, num_pending, hour, day FROM (SELECT * FROM jobs LIMIT 1) j RETURNING expected IS NOT NULL}), 't', 'rows are scored');
ask(q{UPDATE arrivals SET class = 'F' WHERE id = 1000});
is(ask(q{SELECT source IN ('trigger', 'cache'), actual IS NOT NULL FROM wfml.predictions WHERE entity = '1000'}), 't|t', 'logged, and their outcome joined');
ask('SET client_min_messages = error; CALL wfml.run_retraining()');
is($warned, '', 'retraining runs');
is(ask(q{SELECT count(*) FROM wfml.jobs WHERE kind = 'retrain' AND status IN ('done', 'kept')}), '1', 'and retrains');
$session->quit;
is(registry_faults($standby), '', 'nothing is half there');

$standby->stop;
$primary->stop;
done_testing();
