# Background trainings end to end: as whom they run, cancelled, crashed, with
# no worker free, on a standby; and run_retraining() against other sessions.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use WfmlTest;

my $node = start_node('main', q{
max_worker_processes = 4
restart_after_crash = on
max_parallel_maintenance_workers = 0
max_parallel_workers_per_gather = 0
}, allows_streaming => 1);

sub sql { return $node->safe_psql('postgres', $_[0]) }

# Poll until a query says true; what it says otherwise is shown.
sub wait_for
{
	my ($query, $what) = @_;

	ok($node->poll_query_until('postgres', $query), $what);
}

my $done = q{SELECT status IN ('done', 'kept', 'failed', 'cancelled') FROM wfml.jobs WHERE id = %d};
my $slow = q{'{"rounds": 100000, "early_stopping_rounds": 100000, "validation": "none"}'};

sql(q{
CREATE ROLE boss LOGIN SUPERUSER;
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
CREATE ROLE team NOLOGIN;
GRANT team TO alice;
CREATE SCHEMA own AUTHORIZATION alice;
CREATE TABLE own.numbers AS
SELECT i, sin(i) AS a, cos(i * 3) AS b, (i * 31 % 97)::float8 AS c, (sin(i) > 0) <> (i % 10 = 0) AS y FROM generate_series(1, 5000) i;
ALTER TABLE own.numbers OWNER TO alice;
GRANT USAGE ON SCHEMA own TO team;
GRANT SELECT ON own.numbers TO team;
});

# ---- end to end ----

my $job = sql(q{SET SESSION AUTHORIZATION alice; SET search_path = own; SET TimeZone = 'Asia/Tokyo'; SET wfml.user_id = 'u1';
	SELECT wfml.train_background('m', 'linear', 'SELECT a, b, y, current_setting(''TimeZone'') AS zone, current_setting(''wfml.user_id'') AS u FROM numbers', 'y', features => '{a,b,zone,u}')});
wait_for(sprintf($done, $job), 'a job runs by itself');
is(sql("SELECT concat_ws(' ', kind, model, role, status, version, result ->> 'rows', message) FROM wfml.jobs WHERE id = $job"),
	'train m alice done 1 5000', 'it trained as the caller, in his search_path');
is(sql(q{SELECT owner || ' ' || timezone FROM wfml.registry WHERE name = 'm'}), 'alice Asia/Tokyo', 'and zone');
is(sql("SET SESSION AUTHORIZATION bob; SELECT count(*) FROM wfml.jobs"), '0', 'others do not see it');

$job = sql(q{SELECT wfml.train_recommender_background('liked', 'SELECT u, (u * u + i * 7) % 23 AS item FROM generate_series(1, 60) u, generate_series(1, 6) i', 'u', 'item', params => '{"validation": "none"}')});
wait_for(sprintf($done, $job), 'a recommender');
is(sql("SELECT status FROM wfml.jobs WHERE id = $job"), 'done', 'is trained');
$job = sql(q{SELECT wfml.train_sequence_background('next', 'SELECT c, substr(''abcd'', 1 + (c * 7 + e * e) % 4, 1) AS event, e AS at FROM generate_series(1, 80) c, generate_series(1, 5) e',
	'c', 'event', 'at', '{"predictor": "markov", "validation": "none"}')});
wait_for(sprintf($done, $job), 'a sequence model');
is(sql("SELECT concat_ws(' ', status, message) FROM wfml.jobs WHERE id = $job"), 'done', 'is trained');

# An error is the job's.
$job = sql(q{SELECT wfml.train_background('x', 'linear', 'no_such_table', 'y')});
wait_for(sprintf($done, $job), 'a job that fails ends');
is(sql("SELECT status || ': ' || message FROM wfml.jobs WHERE id = $job"),
	'failed: relation "no_such_table" does not exist; The source is a table, a view or a SELECT query; names outside search_path need their schema.', 'with the error as its message');

# Nothing starts before the commit, nor after a rollback.
my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN');
$job = $session->query_safe(q{SELECT wfml.train_background('r', 'linear', 'own.numbers', 'y')});
sleep(0.3);
is(sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'wfml job'"), '0', 'no worker before the commit');
$session->query_safe('ROLLBACK');
sleep(0.3);
is(sql("SELECT count(*) FROM wfml.job_run WHERE id = $job") . sql("SELECT count(*) FROM wfml.registry WHERE name = 'r'"), '00', 'a rollback leaves nothing to run');

# ---- rights: those of the current user, not of the session ----

sql(q{
CREATE FUNCTION own.escape(how text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE how;
	RETURN current_user || '/' || (SELECT rolsuper FROM pg_roles WHERE rolname = current_user);
END $$;
});
for my $how ('RESET ROLE', 'SET ROLE postgres', 'SET SESSION AUTHORIZATION DEFAULT', 'SET SESSION AUTHORIZATION boss', 'ALTER ROLE team SUPERUSER', q{COPY own.numbers TO PROGRAM 'true'})
{
	my $quoted = $how =~ s/'/''''/gr;

	$job = sql(qq{SET SESSION AUTHORIZATION boss; SET ROLE team;
		SELECT wfml.train_background('e', 'linear', 'SELECT a, y, own.escape(''$quoted'') AS x FROM own.numbers', 'y')});
	wait_for(sprintf($done, $job), "$how: the job ends");
	like(sql("SELECT role || ' ' || status || ' ' || message FROM wfml.jobs WHERE id = $job"), qr/^team failed (cannot|must be|permission denied|could not|must have|only)/, 'and was refused');
}
is(sql("SELECT count(*) FROM pg_roles WHERE rolname = 'team' AND rolsuper"), '0', 'the role is what it was');
$job = sql(q{SET SESSION AUTHORIZATION boss; SET ROLE team; SELECT wfml.train_background('t', 'linear', 'own.numbers', 'y')});
wait_for(sprintf($done, $job), 'a role that may not log in');
is(sql("SELECT concat_ws(' ', role, status, message) FROM wfml.jobs WHERE id = $job") . sql("SELECT ' ' || owner FROM wfml.registry WHERE name = 't'"), 'team done team', 'has its jobs, too');

# ---- cancel ----

$job = sql(qq{SET SESSION AUTHORIZATION alice; SELECT wfml.train_background('slow', 'gradient_boosting', 'own.numbers', 'y', $slow)});
wait_for("SELECT status = 'running' AND phase = 'training' AND percent IS NOT NULL FROM wfml.jobs WHERE id = $job", 'a running job shows its progress');
my ($ret, $out, $err) = $node->psql('postgres', "SET SESSION AUTHORIZATION bob; SELECT wfml.cancel_job($job)");
like($err, qr/must have the rights of the role that job $job runs as/, 'others cannot cancel it');
my $begin = time();
is(sql("SET SESSION AUTHORIZATION alice; SELECT wfml.cancel_job($job)"), 't', 'its role can');
wait_for("SELECT status = 'cancelled' FROM wfml.jobs WHERE id = $job", 'and it stops');
cmp_ok(time() - $begin, '<', 3, 'soon');
is(sql("SELECT wfml.cancel_job($job)"), 'f', 'there is nothing left to cancel');
is(sql("SELECT count(*) FROM wfml.registry WHERE name = 'slow'"), '0', 'nor of its model');

# ---- more jobs than workers ----

# Half of four are for jobs.
my @running = map { sql(qq{SELECT wfml.train_background('s$_', 'gradient_boosting', 'own.numbers', 'y', $slow)}) } (1 .. 2);
wait_for("SELECT count(*) = 2 FROM wfml.jobs WHERE status = 'running'", 'two jobs run');
($ret, $out, $err) = $node->psql('postgres', q{SELECT wfml.train_background('q', 'linear', 'own.numbers', 'y')});
$job = $out;
like($err, qr/NOTICE:  job $job waits, as 2 jobs are running/, 'the third says that it waits');
is(sql("SELECT status FROM wfml.jobs WHERE id = $job"), 'queued', 'and does');
(my $second) = sql(q{SELECT wfml.train_background('q2', 'linear', 'own.numbers', 'y')});
is(sql("SELECT wfml.cancel_job($second)") . sql("SELECT status FROM wfml.jobs WHERE id = $second"), 'tcancelled', 'one that waits can be cancelled');
sql('SET SESSION AUTHORIZATION bob; CALL wfml.run_jobs()');
is(sql("SELECT status FROM wfml.jobs WHERE id = $job"), 'queued', 'run_jobs() leaves those of others alone');
sql('CALL wfml.run_jobs()');
is(sql("SELECT status FROM wfml.jobs WHERE id = $job"), 'done', 'and runs its own');
$job = sql(q{SELECT wfml.train_background('q', 'linear', 'own.numbers', 'y')});
my $others = sql(q{SET SESSION AUTHORIZATION alice; SELECT wfml.train_background('q3', 'linear', 'own.numbers', 'y')});
is(sql("SELECT wfml.cancel_job($running[1])"), 't', 'a running one is cancelled');
wait_for("SELECT status = 'done' FROM wfml.jobs WHERE id = $job", 'its worker takes the next');
is(sql("SELECT status FROM wfml.jobs WHERE id = $others"), 'queued', 'of its role only');

# ---- crash, and stop ----

my $pid = sql("SELECT pid FROM wfml.job_run WHERE id = $running[0]");
kill 'KILL', $pid;
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM wfml.jobs WHERE status = 'running'");
is(sql("SELECT string_agg(status || ': ' || message, ', ' ORDER BY id) FROM wfml.jobs WHERE id IN (" . join(',', @running) . ')'),
	'failed: its session ended while it ran, cancelled: canceling statement due to user request', 'after a crash a job has failed');
$job = sql(qq{SELECT wfml.train_background('s', 'gradient_boosting', 'own.numbers', 'y', $slow)});
$node->poll_query_until('postgres', "SELECT status = 'running' FROM wfml.jobs WHERE id = $job");
$node->stop("immediate");
$node->start;
is(sql("SELECT status || ': ' || message FROM wfml.jobs WHERE id = $job"), 'failed: the server restarted while it ran', 'a stop is told as well');
is(sql("SELECT status FROM wfml.job_run WHERE id = $job"), 'running', 'though its row does not know yet');
sql('CALL wfml.run_jobs()');
is(sql("SELECT status || ': ' || message FROM wfml.job_run WHERE id = $job"), 'failed: the server restarted while it ran', 'but soon does');

# ---- no worker at all ----

$node->append_conf('postgresql.conf', 'max_worker_processes = 1');
$node->restart;
($ret, $out, $err) = $node->psql('postgres', q{SELECT wfml.train_background('none', 'linear', 'own.numbers', 'y')});
$job = $out;
like($err, qr/WARNING:  job $job stays queued: no background worker is free/, 'where no worker is free, the session is told');
is(sql("SELECT status FROM wfml.jobs WHERE id = $job"), 'queued', 'and the job waits');
sql('CALL wfml.run_retraining()');
is(sql("SELECT status FROM wfml.jobs WHERE id = $job"), 'done', 'for the nightly run at the latest');
$node->append_conf('postgresql.conf', 'max_worker_processes = 4');
$node->restart;

# ---- a hostile source, run by a superuser: waiting for a lock, and catching the cancel ----

sql(q{
CREATE FUNCTION own.trap(how text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	LOOP
		BEGIN
			IF how = 'lock' THEN
				PERFORM pg_advisory_xact_lock(7);
			ELSE
				-- nearly all the time is spent in here
				PERFORM pg_sleep(60);
			END IF;
		EXCEPTION WHEN query_canceled THEN
			IF how = 'lock' THEN
				RAISE;
			END IF;
		END;
	END LOOP;
END $$;
ALTER FUNCTION own.trap(text) OWNER TO alice;
SET ROLE alice;
SELECT (SELECT model FROM wfml.train(m, 'linear', 'own.numbers', 'y', features => '{a}')) FROM unnest('{catches,honest,waits}'::text[]) m;
SELECT wfml.set_source('waits', 'SELECT a, y, own.trap(''lock'') FROM own.numbers'), wfml.set_source('catches', 'SELECT a, y, own.trap(''catch'') FROM own.numbers');
SELECT wfml.set_retrain_policy(m, max_seconds => CASE m WHEN 'waits' THEN 86400 ELSE 1 END) FROM unnest('{catches,honest,waits}'::text[]) m;
RESET ROLE;
UPDATE wfml.ml_model SET created_at = created_at - interval '31 days';
});
$session = $node->background_psql('postgres');
$session->query_safe('SET ROLE alice; SELECT pg_advisory_lock(7)');
# "catches" comes first
($ret, $out, $err) = $node->psql('postgres', 'CALL wfml.run_retraining()');
like($err, qr/terminating connection due to administrator command/, 'a source that catches the cancel ends its session');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL%' AND pid <> pg_backend_pid()"), '0', 'which is gone');
# what its owner asked of the night is not what it gets
sql('SET wfml.max_retraining_time = 1; CALL wfml.run_retraining()');
is(sql(q{SELECT string_agg(model || ' ' || status || ' ' || message, ', ' ORDER BY id) FROM wfml.jobs WHERE kind = 'retrain'}),
	'catches failed its session ended while it ran, honest kept 0 fresh rows, 200 are needed to judge, waits failed it took longer than 1 seconds',
	'the next run goes on with the others, and waits for no lock for ever');
$session->quit;

# ---- cancelling a run, or one job of it ----

sql(q{DELETE FROM wfml.retrain_policy; DELETE FROM wfml.job_run});
sql(q{
SELECT (SELECT model FROM wfml.train(m, 'linear', 'own.numbers', 'y', features => '{a}')) FROM unnest('{c1,c2}'::text[]) m;
SELECT wfml.set_source('c1', 'SELECT a, y, pg_sleep(60)::text FROM own.numbers');
SELECT wfml.set_retrain_policy(m) FROM unnest('{c1,c2}'::text[]) m;
UPDATE wfml.ml_model SET created_at = created_at - interval '31 days';
});
$session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/begun/, "\\echo begun\nCALL wfml.run_retraining();\n");
wait_for(q{SELECT count(*) = 1 FROM wfml.jobs WHERE model = 'c1' AND status = 'running'}, 'a retraining runs');
is(sql(q{SELECT wfml.cancel_job(id) FROM wfml.jobs WHERE model = 'c1'}), 't', 'it is cancelled as a job');
wait_for(q{SELECT count(*) = 1 FROM wfml.jobs WHERE model = 'c2' AND status = 'kept'}, 'and the next model is retrained');
is(sql(q{SELECT status FROM wfml.jobs WHERE model = 'c1'}), 'cancelled', 'which its row tells');
sql(q{DELETE FROM wfml.job_run});
$session->query_until(qr/begun/, "\\echo begun\nCALL wfml.run_retraining();\n");
wait_for(q{SELECT count(*) = 1 FROM wfml.jobs WHERE model = 'c1' AND status = 'running'}, 'once more');
my $holder = $node->background_psql('postgres');
$holder->query_safe(q{BEGIN; SELECT wfml.cancel_job(id) FROM wfml.jobs WHERE model = 'c1'});
wait_for(q{SELECT count(*) = 1 FROM wfml.jobs WHERE model = 'c2' AND status = 'kept'}, 'who cancels and does not commit holds nobody up');
$holder->query_safe('ROLLBACK; DELETE FROM wfml.job_run; BEGIN;'
	  . q{INSERT INTO wfml.job_run (kind, role, status, finished_at) VALUES ('prune', 'postgres', 'done', now() - interval '100 days'); COMMIT;}
	  . 'BEGIN; SELECT wfml.cancel_job(id) FROM wfml.job_run');
sql(q{SET statement_timeout = '10 s'; BEGIN; UPDATE wfml.retrain_policy SET max_age = NULL, max_drift = 1; CALL wfml.run_retraining(); ROLLBACK});
pass('nor who holds the row of an old job');
$holder->query_safe('ROLLBACK; DELETE FROM wfml.job_run');
$holder->quit;
$session->query_until(qr/begun/, "\\echo begun\nCALL wfml.run_retraining();\n");
wait_for(q{SELECT count(*) = 1 FROM wfml.jobs WHERE model = 'c1' AND status = 'running'}, 'it runs again');
is(sql(q{SET statement_timeout = '2 s'; SELECT wfml.set_comment('c1', 'changed meanwhile'); SELECT wfml.set_retrain_policy('c1'); SELECT comment FROM wfml.models WHERE name = 'c1'}),
	"\n\nchanged meanwhile", 'and locks nothing of the registry while it reads');
sql(q{SELECT pg_cancel_backend(pid) FROM wfml.job_run WHERE model = 'c1' AND status = 'running'});
wait_for(q{SELECT count(*) = 1 FROM wfml.jobs WHERE model = 'c1' AND status = 'cancelled'}, 'a cancel of the session is told as well');
$session->quit;
is(sql(q{SELECT count(*) FROM wfml.jobs WHERE model = 'c2'}), '0', 'and stops the whole run');

# ---- standby ----

sql(q{INSERT INTO wfml.job_run (kind, role, status, pid, backend_start, started_at) VALUES ('train', 'postgres', 'running', 1, now(), now())});
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
for my $call ('SELECT wfml.train_background(\'m\', \'linear\', \'own.numbers\', \'y\')', 'SELECT wfml.cancel_job(1)', 'CALL wfml.run_jobs()',
	'CALL wfml.run_retraining()', 'SELECT wfml.set_retrain_policy(\'m\')')
{
	($ret, $out, $err) = $standby->psql('postgres', $call);
	like($err, qr/cannot execute wfml\.\w+\(\) in a read-only transaction/, "a standby refuses: $call");
}
is($standby->safe_psql('postgres', q{SELECT status FROM wfml.jobs ORDER BY id DESC LIMIT 1}) . sql(q{SELECT status FROM wfml.jobs ORDER BY id DESC LIMIT 1}),
	'runningfailed', 'and shows jobs, but cannot see whether one died on the primary');
is($standby->safe_psql('postgres', q{SELECT model || ' ' || reasons::text FROM wfml.retrain_due() WHERE model = 'c1'}), 'c1 {"version 1 is 31 days old, limit 30 days"}', 'and what is due');

$standby->stop;
$node->stop;
done_testing();
