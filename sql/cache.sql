-- Opened models and answers are kept by the session.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;

-- Two tables with opposite answers, so that versions can be told apart; one answer in seven is wrong.
CREATE TABLE up AS SELECT i % 20 AS hour, i % 3 AS line, (i % 20 >= 10) <> (i % 7 = 0) AS busy FROM generate_series(1, 420) i;
CREATE TABLE down AS SELECT i % 20 AS hour, i % 3 AS line, (i % 20 < 10) <> (i % 7 = 0) AS busy FROM generate_series(1, 420) i;
SELECT model, version FROM wfml.train('traffic', 'gradient_boosting', 'up', 'busy', '{"validation": "none"}');

-- What predict_detail() says, from memory when it was asked before.
CREATE VIEW ask AS SELECT round(value) AS busy, label, model_version AS version, source FROM wfml.predict_cached('traffic', '{"hour": 15, "line": 1}');
SELECT wfml.cache_clear() >= 0 AS cleared;
SELECT * FROM ask;
SELECT * FROM ask;
SELECT round(value) AS busy, label, model_version AS version, source FROM wfml.predict_detail('traffic', '{"hour": 15, "line": 1}');

-- However the input comes: the features count, so other columns do not.
SELECT source FROM wfml.predict_cached('traffic', '{"hour": 15, "line": 1, "weather": "fine"}'::jsonb);
SELECT source FROM wfml.predict_cached('traffic', '{"line": "1", "hour": 15.0}'::json);
SELECT (wfml.predict_cached('traffic', r)).source FROM (SELECT 15::numeric AS hour, 1::smallint AS line) r;
SELECT source FROM wfml.predict_cached('traffic', '{"hour": 15, "line": null}');

-- Rows that recur are predicted once.
SELECT (p).source, count(*) FROM (SELECT wfml.predict_cached('traffic', u.*) AS p FROM up u OFFSET 0) s GROUP BY 1 ORDER BY 1;
SELECT count(*) FILTER (WHERE (p).value = (d).value AND (p).label = (d).label) AS same, count(*)
FROM (SELECT wfml.predict_cached('traffic', u.*) AS p, wfml.predict_detail('traffic', u.*) AS d FROM up u OFFSET 0) s;
SELECT entries, size > 0 AS has_size, hits > 700 AS hits, misses FROM wfml.prediction_cache_stats();

-- A new version knows nothing of the old one's answers, which are still there when it is active again.
SELECT model, version FROM wfml.train('traffic', 'gradient_boosting', 'down', 'busy', '{"validation": "none"}');
SELECT * FROM ask;
SELECT wfml.activate('traffic', 1);
SELECT * FROM ask;
\set VERBOSITY terse
BEGIN;
SELECT wfml.drop_model('traffic');
SELECT * FROM ask;
ROLLBACK;
\set VERBOSITY default
SELECT * FROM ask;

-- Answers can be turned off, and become old.
SET wfml.prediction_cache_ttl = 0;
SELECT * FROM ask;
SET wfml.prediction_cache_ttl = '1s';
SELECT pg_sleep(1.05);
SELECT * FROM ask;
RESET wfml.prediction_cache_ttl;
SELECT * FROM ask;

-- One look at what is in memory.
SELECT v.name, v.version, c.size BETWEEN 1000 AND 1000000 AS small, c.hits > 0 AS used, c.in_use, c.shared_size
FROM wfml.cache_stats() c JOIN wfml.versions v ON v.id = c.model_id ORDER BY v.version;
SELECT wfml.cache_clear();
SELECT count(*) FROM wfml.cache_stats();
SELECT entries FROM wfml.prediction_cache_stats();
SELECT * FROM ask;

-- What is not asked is not answered.
SELECT * FROM wfml.predict_cached('traffic', NULL::jsonb);
SELECT * FROM wfml.predict_cached(NULL, '{}'::jsonb);
SELECT * FROM wfml.predict_cached('nothing', '{"hour": 15}');
SELECT * FROM wfml.predict_cached('traffic', '{"hour": 15}');

DROP VIEW ask;
SELECT wfml.drop_model('traffic');
DROP TABLE up, down;
