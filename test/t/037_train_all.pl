# train_all() commits kind by kind: what is trained stays when the call is
# cancelled or its session dies, and every row of wfml.jobs says how it ended.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WfmlTest;

my $node = start_node('main', "restart_after_crash = on\nmax_parallel_maintenance_workers = 0\nmax_worker_processes = 8");

sub sql { return $node->safe_psql('postgres', $_[0]) }

# Poll until a query says true.
sub wait_for
{
	my ($query, $what) = @_;

	ok($node->poll_query_until('postgres', $query), $what);
}

# Rows of the last call, oldest first.
sub jobs
{
	return sql(q{SELECT coalesce(string_agg(concat_ws(' ', model, status, version), ', ' ORDER BY id), 'none') FROM wfml.jobs});
}

# own.gate() waits while the lock is held.
sql(q{
CREATE SCHEMA own;
CREATE TABLE own.run AS
SELECT n AS run_id, 'w' || n % 3 AS workflow_id, timestamptz '2030-01-01' + n * interval '20 minutes' AS started_at,
	timestamptz '2030-01-01' + n * interval '20 minutes' + (40 + n * 7919 % 11) * interval '1 second' AS finished_at, n * 104729 % 7 > 1 AS succeeded
FROM generate_series(1, 300) n;
CREATE TABLE own.event AS
SELECT 'u' || s % 5 AS user_id, substr('abcd', e, 1) AS event, timestamptz '2030-01-01' + s * interval '3 hours' + e * interval '1 minute' AS at
FROM generate_series(1, 50) s, generate_series(1, 4) e;
CREATE FUNCTION own.gate() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	WHILE EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND granted) LOOP
		PERFORM pg_sleep(0.02);
	END LOOP;
	RETURN true;
END $$;
SELECT wfml.bind('events', 'own.event');
SELECT wfml.bind('usage', $$SELECT user_id, 'w' || i AS workflow_id, 1 AS weight FROM (SELECT DISTINCT user_id FROM own.event) u, generate_series(1, 3) i$$);
SELECT wfml.bind('runs', 'SELECT * FROM (SELECT own.gate() AS open OFFSET 0) g, own.run WHERE g.open');
});
my $kinds = q{'{sequence_predictor,anomaly_detector,workflow_recommender}'};
my $call = qq{CALL wfml.train_all($kinds);\n};
my $gate = $node->background_psql('postgres');
my $running = q{SELECT count(*) = 1 FROM wfml.jobs WHERE model = 'anomaly_detector' AND status = 'running'};

# ---- committed as it goes ----

$gate->query_safe('SELECT pg_advisory_lock(7)');
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/begun/, "\\echo begun\n$call");
wait_for($running, 'the second kind is being trained');
is(jobs(), 'sequence_predictor done 1, anomaly_detector running', 'the first has its row');
is(sql('SELECT name FROM wfml.models'), 'sequence_predictor', 'and its model, for everybody');
is(sql(q{SELECT probability > 0 FROM wfml.next_event('sequence_predictor', '{a}'::text[], 1)}), 't', 'which answers');

# ---- a second call meanwhile ----

my ($ret, $out, $err) = $node->psql('postgres', q{CALL wfml.train_all('{anomaly_detector,workflow_recommender}')});
like($err, qr/NOTICE:  "anomaly_detector" is being trained by another session/, 'a second call passes over what another session trains');
like($err, qr/NOTICE:  workflow_recommender\@1: /, 'and trains the rest');

# ---- one job cancelled: the others go on ----

is(sql(q{SELECT wfml.cancel_job(id) FROM wfml.jobs WHERE status = 'running'}), 't', 'the job of one kind is cancelled');
wait_for(q{SELECT count(*) = 1 FROM wfml.jobs WHERE model = 'workflow_recommender' AND version = 2}, 'the next kind is trained');
is(jobs(), 'sequence_predictor done 1, anomaly_detector cancelled, workflow_recommender done 1, workflow_recommender done 2', 'and the rows say so');

# ---- the call cancelled ----

sql('DELETE FROM wfml.job_run');
$session->query_until(qr/begun/, "\\echo begun\n$call");
wait_for($running, 'once more');
sql(q{SELECT pg_cancel_backend(pid) FROM wfml.job_run WHERE status = 'running'});
wait_for(q{SELECT count(*) = 3 AND count(*) FILTER (WHERE status = 'running') = 0 FROM wfml.jobs}, 'a cancel ends the call');
is(jobs(), 'sequence_predictor done 2, anomaly_detector cancelled, workflow_recommender cancelled', 'with a row for each kind');
is(sql(q{SELECT message FROM wfml.jobs WHERE model = 'workflow_recommender'}), 'train_all() was cancelled before it began', 'also for the one that never began');

# ---- killed ----

sql('DELETE FROM wfml.job_run');
$session->query_until(qr/begun/, "\\echo begun\n$call");
wait_for($running, 'and once more');
my $pid = sql(q{SELECT pid FROM wfml.job_run WHERE status = 'running'});
kill 'KILL', $pid;
eval { $session->quit };
eval { $gate->quit };
$node->poll_query_until('postgres', 'SELECT true');
wait_for(q{SELECT status = 'failed' FROM wfml.jobs WHERE model = 'anomaly_detector'}, 'a job whose session was killed has failed');
is(jobs(), 'sequence_predictor done 3, anomaly_detector failed', 'what was trained before is there');
is(registry_faults($node), '', 'nothing is half there');
$node->psql('postgres', $call);
is(jobs(), 'sequence_predictor done 3, anomaly_detector failed, sequence_predictor done 4, anomaly_detector done 1, workflow_recommender done 3', 'and the next call trains all');
is(sql(q{SELECT status FROM wfml.job_run WHERE model = 'anomaly_detector' ORDER BY id LIMIT 1}), 'failed', 'now the row of the dead one says it too');

# ---- apart from the session ----

sql('DELETE FROM wfml.job_run');
is(sql('SELECT count(*) FROM wfml.train_all_background()'), '4', 'a job for each model whose source is bound');
wait_for(q{SELECT count(*) FILTER (WHERE status IN ('queued', 'running')) = 0 FROM wfml.jobs}, 'they run by themselves');
is(sql(q{SELECT string_agg(concat_ws(' ', model, status), ', ' ORDER BY model) FROM wfml.jobs}),
	'anomaly_detector done, sequence_predictor done, trigger_predictor done, workflow_recommender done', 'and are done');

# ---- read only ----

($ret, $out, $err) = $node->psql('postgres', 'SET default_transaction_read_only = on; CALL wfml.train_all()');
like($err, qr/cannot execute wfml\.train_all\(\) in a read-only transaction/, 'a read-only session is told');

$node->stop;
done_testing();
