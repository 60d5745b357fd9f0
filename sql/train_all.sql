-- The models of the workflow functions, trained by one call; and what is odd.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;

-- 3 workflows, 200 runs each: a fixed time of their own, a little more on some days. One run took far too long.
CREATE TABLE executions AS
SELECT n AS id, 'w' || n % 3 AS workflow, timestamptz '2030-01-01 08:00+00' + n * interval '20 minutes' AS begun,
	CASE WHEN n = 417 THEN 340 ELSE 40 * (1 + n % 3) + n * 7919 % 11 END AS seconds, n * 104729 % 7 > 1 AS good
FROM generate_series(1, 600) n;
-- and what two people do
CREATE TABLE clicks AS
SELECT 'user' || s % 2 AS who, substr(CASE WHEN s % 5 = 0 THEN 'oprs' ELSE 'oprc' END, e, 1) AS what,
	timestamptz '2030-01-01 08:00+00' + s * interval '3 hours' + e * interval '1 minute' AS at
FROM generate_series(1, 200) s, generate_series(1, 4) e;
SELECT wfml.bind('runs', $$SELECT workflow AS workflow_id, begun AS started_at, begun + seconds * interval '1 second' AS finished_at,
	good AS succeeded, id AS run_id FROM executions$$);
SELECT wfml.bind('events', 'SELECT who AS user_id, what AS event, at FROM clicks');

-- What there is to train, and what each needs.
SELECT kind, needs, needs_columns FROM wfml.workflow_kinds();
-- Before: a rule answers.
SELECT entity, round(score::numeric, 2) AS score, is_anomaly, reasons, source FROM wfml.detect_anomalies(n => 2);

-- Each is committed as soon as it is trained. What is not bound is passed over with a NOTICE.
CALL wfml.train_all(params => '{"trigger_predictor": {"candidate": "linear"}}');
SELECT model, status, version, result ->> 'metric' AS metric FROM wfml.jobs WHERE kind = 'train_all' ORDER BY id;
SELECT entity, round(score::numeric, 1) AS score, is_anomaly, reasons, source FROM wfml.detect_anomalies(n => 1);
SELECT count(*) FROM wfml.detect_anomalies(since => '2030-01-09 00:00+00', n => 1000);
-- Sessions, by how likely their steps are.
SELECT count(*), bool_and(score BETWEEN 0 AND 1) AS between_0_and_1, min(source) AS source FROM wfml.detect_anomalies('patterns', n => 50);

-- One alone; with other parameters.
SELECT model, version, algorithm, rows FROM wfml.train_one('anomaly_detector', '{"contamination": 0.1}');
SELECT round(avg(is_anomaly::int), 1) AS share FROM wfml.detect_anomalies(n => 1000);

-- One that fails stops no other.
ALTER TABLE clicks RENAME TO moved;
\set VERBOSITY terse
CALL wfml.train_all('{sequence_predictor,anomaly_detector}');
SELECT model, status, version, left(message, 40) AS message FROM wfml.jobs WHERE kind = 'train_all' ORDER BY id DESC LIMIT 2;
CALL wfml.train_all('{forecast}');
SELECT * FROM wfml.train_one('forecast');
SELECT * FROM wfml.detect_anomalies('clicks');

SELECT wfml.unbind('runs'), wfml.unbind('events');
SELECT wfml.drop_model(m.name) FROM wfml.models m JOIN wfml.workflow_kinds() k ON k.kind = m.name ORDER BY k.step;
DROP TABLE executions, moved;
