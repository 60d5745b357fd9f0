-- Models that train themselves again, and training in the background.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
RESET client_min_messages;

-- 2,000 parcels; one in eight arrives damaged, mostly glass.
CREATE TABLE parcels AS
SELECT i AS id, (ARRAY['book', 'glass', 'cloth', 'paper'])[1 + (i * 7919) % 4] AS kind, (i * 104729) % 50 AS kilo, i * 37 % 9973 AS grams,
	(i * 7919) % 4 = 1 AND (i * 31) % 7 > 3 AS damaged
FROM generate_series(1, 2000) i;

-- Training apart from this session: the worker starts at commit, here it is waited for.
SELECT wfml.train_background('damage', 'gradient_boosting', 'parcels', 'damaged', '{"rounds": 20}', features => '{kind,kilo,grams}') > 0 AS queued;
DO $$
BEGIN
	FOR i IN 1 .. 600 LOOP
		EXIT WHEN NOT EXISTS (SELECT FROM wfml.jobs WHERE status IN ('queued', 'running'));
		PERFORM pg_sleep(0.05);
		COMMIT;
	END LOOP;
END $$;
SELECT kind, model, status, version, message, result ->> 'algorithm' AS algorithm, (result ->> 'rows')::int AS rows FROM wfml.jobs;
SELECT name, version, rows FROM wfml.models;

-- What fails fails in its job; what can be told at once is told at once.
BEGIN;
SELECT wfml.train_background('damage', 'gradient_boosting', 'parcels', 'lost') > 0 AS queued;
CALL wfml.run_jobs();
SELECT model, status, left(message, 30) AS message FROM wfml.jobs ORDER BY id DESC LIMIT 1;
COMMIT;
SELECT wfml.train_background('no good name', 'linear', 'parcels', 'damaged');
SELECT wfml.queue_job('drop_model', 'damage', '{}');
SELECT wfml.cancel_job(-1);

-- A policy: when the model is to be trained again.
SELECT wfml.set_retrain_policy('damage', max_age => '1 week', min_new_rows => 500);
SELECT model, max_age, min_score_drop, max_drift, min_new_rows, max_seconds, keep_versions, version FROM wfml.retrain_policies;
SELECT * FROM wfml.retrain_due();
CALL wfml.run_retraining();

-- 600 more parcels, and glass is packed better now.
INSERT INTO parcels
SELECT i, (ARRAY['book', 'glass', 'cloth', 'paper'])[1 + (i * 7919) % 4], (i * 104729) % 50, i * 37 % 9973, (i * 7919) % 4 = 2 AND (i * 31) % 7 > 3
FROM generate_series(2001, 2600) i;
SELECT * FROM wfml.retrain_due();
\set VERBOSITY terse
SET client_min_messages = warning;
CALL wfml.run_retraining();
RESET client_min_messages;
SELECT model, status, reason, version, result ->> 'metric' AS metric, (result ->> 'challenger')::float8 < (result ->> 'champion')::float8 AS better
FROM wfml.jobs WHERE kind = 'retrain';
SELECT name, version FROM wfml.models;
SELECT model, version, last_run, last_run_at > now() - interval '1 hour' AS lately FROM wfml.retrain_policies;
SELECT * FROM wfml.retrain_due();

-- A source that is gone: the job tells, and the next try waits.
SELECT wfml.set_retrain_policy('damage', max_age => '1 ms');
ALTER TABLE parcels RENAME TO boxes;
SET client_min_messages = warning;
CALL wfml.run_retraining();
RESET client_min_messages;
SELECT status, left(message, 41) AS message FROM wfml.jobs WHERE kind = 'retrain' ORDER BY id DESC LIMIT 1;
SELECT model, not_before > now() + interval '22 hours' AS next_night, left(note, 30) AS note FROM wfml.retrain_due();
SELECT wfml.set_source('damage', 'public.boxes');

-- In a transaction block nothing is committed before its end.
BEGIN;
UPDATE wfml.job_run SET finished_at = finished_at - interval '8 days';
SET LOCAL client_min_messages = warning;
CALL wfml.run_retraining();
SELECT count(*) AS retrainings FROM wfml.jobs WHERE kind = 'retrain' AND status <> 'failed';
ROLLBACK;
SELECT count(*) AS retrainings FROM wfml.jobs WHERE kind = 'retrain' AND status <> 'failed';

-- Old versions go; the active one and the one before stay in any case.
SELECT wfml.set_keep_versions('damage', 1);
SELECT wfml.set_keep_versions('damage', 0);
SELECT wfml.drop_retrain_policy('damage');
SELECT wfml.drop_retrain_policy('damage');

-- Without pg_cron the line to run instead is in the hint.
SELECT wfml.schedule_retraining();
SELECT wfml.unschedule_retraining();
-- A stranger's "cron" is not taken for it.
CREATE SCHEMA cron;
CREATE FUNCTION cron.schedule(text, text, text) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE 'called with your rights'; END $$;
SELECT wfml.schedule_retraining();
DROP FUNCTION cron.schedule;
DROP SCHEMA cron;

SELECT wfml.drop_model('damage');
DROP TABLE boxes;
