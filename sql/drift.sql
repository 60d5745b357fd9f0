-- Drift: do today's rows look like those that a model was trained on?
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
CREATE TABLE orders AS
SELECT g AS id, (g * 37 % 1000) / 10.0 AS amount, (ARRAY['de', 'fr', 'us', 'uk'])[1 + g * 7 % 4] AS country,
	CASE WHEN g % 10 > 0 THEN g * 13 % 60 END AS age, timestamp '2026-01-05' + g * interval '13 minutes' AS at, (g * 37 % 1000) / 10 + g * 13 % 60 > 80 AS returned
FROM generate_series(1, 4000) g;
SELECT model, version FROM wfml.train('returns', 'gradient_boosting', 'SELECT amount, country, age, at, returned FROM orders', 'returned');
RESET client_min_messages;

-- Half a year later customers are younger, some come from a new country, and
-- some orders are larger.
CREATE TABLE later WITH (autovacuum_enabled = off) AS
SELECT g AS id, (g * 37 % 1000) / 10.0 + CASE WHEN g % 2 = 0 THEN 25 ELSE 0 END AS amount,
	(ARRAY['de', 'fr', 'us', 'uk', 'jp'])[1 + g * 7 % 5] AS country,
	CASE WHEN g % 10 > 0 THEN g * 13 % 40 END AS age, timestamp '2026-07-06' + g * interval '13 minutes' AS at
FROM generate_series(1, 2000) g;
SELECT feature, round(psi::numeric, 2) AS psi, p_value < 0.01 AS sure, verdict, rows FROM wfml.drift('returns', 'later');
-- The rows it was trained on have not moved.
SELECT feature, psi, p_value, verdict FROM wfml.drift('returns', 'orders');
SELECT feature, verdict FROM wfml.drift('returns', 'SELECT * FROM later WHERE id <= 100') ORDER BY feature;

-- Without reading the table, from what ANALYZE knows.
SELECT * FROM wfml.drift_from_stats('returns', 'later');
ANALYZE later;
SELECT feature, round(psi::numeric, 1) AS psi, p_value, verdict, rows FROM wfml.drift_from_stats('returns', 'later');

-- From the log, when it keeps inputs.
SELECT * FROM wfml.drift('returns');
SELECT wfml.set_log_input('returns', true);
SELECT count(*) FROM later l, LATERAL wfml.log_predict('returns', to_jsonb(l), l.id::text) p;
SELECT feature, verdict, rows FROM wfml.drift('returns');

-- What an owner measures is kept.
SELECT metric, round(value::numeric, 1) AS value, rows FROM wfml.evaluations
WHERE model = 'returns' AND source = 'drift' ORDER BY at DESC, value DESC, metric LIMIT 3;

SET client_min_messages = warning;
SELECT wfml.drop_model('returns');
DROP TABLE orders, later;
