# The workflow floor on a streaming standby and in read-only transactions: it
# answers as on the primary, by model and by rule, and writes nothing.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WfmlTest;

my $primary = start_node('primary', "fsync = off\nhot_standby_feedback = on\ntimezone = 'UTC'", allows_streaming => 1);

$primary->safe_psql('postgres', q{
SET client_min_messages = error;
SELECT * FROM wfml.generate_demo(users => 30, days => 20)});
$primary->safe_psql('postgres', qq{
SET client_min_messages = error;
SELECT wfml.bind('$_', 'wfml_demo.} . ($_ =~ /usage/ ? $_ : s/s$//r) . q{')}) for qw(runs events workflows usage patterns suggestions);
$primary->safe_psql('postgres', q{
SELECT wfml.schedule('w001', 'cron', '{"cron": "0 9 * * *"}');
SELECT wfml.schedule('w002', 'predictive', '{"window": "06:00-18:00"}')});
$primary->backup('backup');

my $standby = PostgreSQL::Test::Cluster->new('standby');

$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

sub catch_up
{
	$primary->safe_psql('postgres', 'SELECT txid_current()');
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));
}

my $pattern = q{ROW('{ticket_open,history_read,kb_search}', 3, 0.05, 8, 20, 9, 0.9, '5 min')::wfml.pattern};
my @questions = (
	q{SELECT count(*) FROM wfml.sources},
	q{SELECT count(*) FROM wfml.bound_rows('runs', workflow_id => 'w003', row_limit => 50) AS r (succeeded boolean)},
	q{SELECT * FROM wfml.success_probability('w003', '2026-01-20 10:00Z')},
	q{SELECT * FROM wfml.best_times('w003', '2026-01-26', '2026-01-27')},
	q{SELECT * FROM wfml.should_run('w003', '2026-01-20 10:00Z')},
	q{SELECT run FROM wfml.should_run('w001', now() + interval '2 days')},
	q{SELECT run FROM wfml.should_run('w002', now() + interval '2 days')},
	q{SELECT workflow_id, type FROM wfml.due_workflows(now() + interval '2 days') WHERE type = 'cron'},
	q{SELECT count(*) FROM wfml.schedules},
	qq{SELECT * FROM wfml.classify_pattern($pattern)},
	qq{SELECT * FROM wfml.score_suggestion($pattern)},
	q{SELECT * FROM wfml.next_workflow_events('u0002')},
	q{SELECT * FROM wfml.recommend_workflows('u0002')},
	q{SELECT events, users FROM wfml.workflow_needs(5)},
	q{SELECT * FROM wfml.suggest('u0002')},
	q{SELECT entity, source FROM wfml.detect_anomalies(since => '2026-01-20', n => 3)},
	q{SELECT entity, source FROM wfml.detect_anomalies('patterns', since => '2026-01-20', n => 3)},
	q{SELECT events FROM wfml.frequent_sequences('wfml_demo.event', 'user_id', 'event', 'at', 0.2, 3) LIMIT 3});

sub compare
{
	my ($with) = @_;

	catch_up();
	for my $question (@questions)
	{
		my ($out, $err);
		my $expected = $primary->safe_psql('postgres', $question);

		$standby->psql('postgres', $question, stdout => \$out, stderr => \$err);
		is("$out$err", $expected, "$with, as on the primary: $question");
		$primary->psql('postgres', "BEGIN READ ONLY; $question; COMMIT", stdout => \$out, stderr => \$err);
		is("$out$err", $expected, "$with, in a read-only transaction");
	}
}

compare('by rule');

my ($out, $err);

$primary->psql('postgres', 'CALL wfml.train_all()', stdout => \$out, stderr => \$err);
like($err, qr/7 trained, 0 failed/, 'all models trained');
compare('by model');

# ---- what would write says so ----

for my $change (
	q{CALL wfml.train_all()}, q{SELECT wfml.train_one('anomaly_detector')}, q{SELECT * FROM wfml.claim_due(now() + interval '2 days')},
	q{SELECT wfml.bind('runs', 'wfml_demo.run')}, q{SELECT wfml.unbind('runs')}, q{SELECT wfml.grant_source('runs', 'public')},
	q{SELECT wfml.schedule('w004', 'interval', '{"every": "1 h"}')}, q{SELECT wfml.unschedule('w001')}, q{CALL wfml.sync_runs()},
	q{SELECT wfml.refresh_needs()}, q{SELECT * FROM wfml.generate_demo(schema_name => 'other')})
{
	$standby->psql('postgres', $change, stdout => \$out, stderr => \$err);
	like($err, qr/^psql:<stdin>:1: ERROR:  .*(read-only|recovery|standby)/, "refused: $change");
}

done_testing();
