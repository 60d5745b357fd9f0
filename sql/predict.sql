-- Predictions are expressions over rows and JSON, by column name.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
RESET client_min_messages;

-- 600 deliveries: late when far or in rain at night, seven in a hundred the other way round.
CREATE TABLE deliveries AS
SELECT i AS id, (i * 7919) % 100 AS km, (i * 104729) % 24 AS hour, (ARRAY['sun', 'rain', 'snow'])[1 + (i * 31) % 3] AS weather,
	((i * 7919) % 100 > 60 OR ((i * 31) % 3 = 1 AND (i * 104729) % 24 > 18)) <> (i % 100 < 7) AS late
FROM generate_series(1, 600) i;
ALTER TABLE deliveries ADD COLUMN minutes real, ADD COLUMN verdict text;
UPDATE deliveries SET minutes = 10 + 0.5 * km, verdict = CASE WHEN km > 80 THEN 'bad' WHEN km > 40 THEN 'fair' ELSE 'good' END;

SELECT model, version, task, positive FROM wfml.train('late', 'gradient_boosting', 'deliveries', 'late',
	'{"validation": "none"}', features => '{km,hour,weather}');
SELECT model, version, task FROM wfml.train('minutes', 'gradient_boosting', 'deliveries', 'minutes',
	'{"validation": "none"}', features => '{km,weather}');
SELECT model, version, task FROM wfml.train('verdict', 'gradient_boosting', 'deliveries', 'verdict',
	'{"validation": "none"}', features => '{km,hour}');

-- A row, whole or chosen; the order and number of its columns do not matter.
CREATE TABLE orders (weather text, note text, hour smallint, km numeric);
INSERT INTO orders VALUES ('sun', 'x', 10, 90), ('sun', NULL, 10, 10), ('rain', 'y', 22, 10), (NULL, NULL, NULL, NULL);
SELECT o.*, round(wfml.predict('late', o.*)::numeric) AS late, round(wfml.predict('minutes', o.*)::numeric / 5) * 5 AS minutes,
	wfml.classify('verdict', o.*) AS verdict
FROM orders o WHERE km IS NOT NULL ORDER BY km, hour;
SELECT round(wfml.predict('late', s)::numeric) AS late FROM (SELECT 90 AS km, 'sun' AS weather, 10 AS hour) s;
SELECT wfml.predict('late', o.*) BETWEEN 0 AND 1 AS nulls_are_input FROM orders o WHERE km IS NULL;
SELECT wfml.predict('late', o) IS NULL AS null_for_no_row FROM (SELECT 1) x LEFT JOIN orders o ON false;

-- JSON: jsonb, json, text, also as a parameter of no stated type.
SELECT round(wfml.predict('late', '{"km": 90, "hour": 10, "weather": "sun"}')) AS text,
	round(wfml.predict('late', '{"km": 90, "hour": 10, "weather": "sun"}'::json)) AS json,
	round(wfml.predict('late', '{"km": 90, "hour": 10, "weather": "sun", "more": [1, 2]}'::jsonb)) AS jsonb,
	round(wfml.predict('late', '{"km": "90", "hour": null, "weather": "hail"}')) AS lenient,
	wfml.predict('late', NULL) IS NULL AS nothing;
PREPARE ask AS SELECT round(wfml.predict($1, $2)) AS late;
EXECUTE ask ('late', '{"km": 90, "hour": 10, "weather": "sun"}');
EXECUTE ask ('late', '{"km": 10, "hour": 10, "weather": "sun"}');
DEALLOCATE ask;
SELECT bool_and(wfml.predict('late', d.*) = wfml.predict('late', to_jsonb(d))) AS row_and_json_agree FROM deliveries d;

-- Everything about one prediction.
SELECT label, round(confidence::numeric, 1) > 0.8 AS confident, round(value::numeric) AS value, lower, upper, model_version, source
FROM wfml.predict_detail('late', '{"km": 90, "hour": 10, "weather": "sun"}');
SELECT label, confidence, round(value::numeric / 5) * 5 AS value, model_version
FROM wfml.predict_detail('minutes', '{"km": 90, "weather": "sun"}');
SELECT value, label, round(confidence::numeric, 1) AS confidence FROM wfml.predict_detail('verdict', '{"km": 90, "hour": 1}');
SELECT key AS label, round(value::numeric, 1) AS probability
FROM jsonb_each_text(wfml.predict_proba('verdict', '{"km": 60, "hour": 12}')) ORDER BY 1;
SELECT round(wfml.predict_proba('verdict', '{"km": 60, "hour": 12}', 'fair')::numeric, 1) AS fair;

-- Probabilities sum to one and agree with the label.
SELECT bool_and(abs(p.total - 1) < 1e-9) AS sum, bool_and(p.best = wfml.classify('verdict', d.*)) AS label,
	bool_and(abs(wfml.predict('late', d.*) - wfml.predict_proba('late', d.*, 'true')) < 1e-15) AS positive
FROM deliveries d, LATERAL (
	SELECT sum(value::float8) AS total, (array_agg(key ORDER BY value::float8 DESC))[1] AS best
	FROM jsonb_each_text(wfml.predict_proba('verdict', d.*))) p;

-- By id: immutable, so an index may hold predictions.
SELECT wfml.version_id('minutes') AS id \gset
CREATE INDEX slow ON deliveries (wfml.predict_version(:id, deliveries.*)) WHERE wfml.predict_version(:id, deliveries.*) > 40;
SET enable_seqscan = off;
SELECT min(km) AS nearest_slow FROM deliveries d WHERE wfml.predict_version(:id, d.*) > 40;
RESET enable_seqscan;
SELECT count(*) AS disagree FROM deliveries d WHERE wfml.predict_version(:id, d.*) <> wfml.predict('minutes', d.*);
DROP INDEX slow;

-- The right question for the kind of model.
SELECT wfml.predict('verdict', '{"km": 1, "hour": 1}');
SELECT wfml.classify('minutes', '{"km": 1, "weather": "sun"}');
SELECT wfml.predict_proba('minutes', '{"km": 1, "weather": "sun"}');
SELECT wfml.predict_proba('late', '{"km": 1, "hour": 1, "weather": "sun"}', 'yes');

-- What does not fit is named.
SELECT wfml.predict('late', s) FROM (SELECT 1 AS km) s;
SELECT wfml.predict('late', s) FROM (SELECT 'far' AS km, 1 AS hour, 'sun' AS weather) s;
SELECT wfml.predict('late', ROW(1, 2, 'sun'));
SELECT wfml.predict('late', '{"km": 1}');
SELECT wfml.predict('late', '[1, 2]');
SELECT wfml.predict('late', 'sun');
SELECT wfml.predict(NULL, '{}');
-- A column named like its table wins over the row, and is then read as JSON text.
CREATE TABLE word (word text, km int, hour int, weather text);
INSERT INTO word VALUES ('hello', 90, 10, 'sun');
SELECT wfml.predict('late', word) FROM word;
SELECT round(wfml.predict('late', word.*)) AS late FROM word;

-- The table changes under a prepared statement.
PREPARE late_orders AS SELECT count(*) FROM orders o WHERE wfml.predict('late', o.*) > 0.5;
EXECUTE late_orders;
ALTER TABLE orders DROP COLUMN note, ADD COLUMN first_column_again text, ALTER COLUMN km TYPE float8;
EXECUTE late_orders;
ALTER TABLE orders RENAME COLUMN hour TO o_clock;
EXECUTE late_orders;
DEALLOCATE late_orders;

-- Several models in one call site, and one model in parallel workers.
SELECT m, round(wfml.predict(m, '{"km": 90, "hour": 10, "weather": "sun"}')::numeric / 5) * 5 AS prediction
FROM unnest('{late,minutes,late,minutes}'::text[]) WITH ORDINALITY u(m, o) ORDER BY o;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT sum(wfml.predict('minutes', d.*)) FROM deliveries d;
SELECT round(sum(wfml.predict('minutes', d.*))::numeric, -3) AS minutes FROM deliveries d;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;

-- Predictions write nothing.
BEGIN TRANSACTION READ ONLY;
SELECT round(wfml.predict('late', '{"km": 90, "hour": 10, "weather": "sun"}')) AS late;
SELECT wfml.activate('late', 1);
ROLLBACK;

-- What the session keeps in memory; one model fits, the others make room.
SELECT wfml.cache_clear() IS NOT NULL AS cleared;
SET wfml.model_cache_size = 1;
SELECT m, wfml.predict(m, '{"km": 90, "hour": 10, "weather": "sun"}') IS NOT NULL AS predicted FROM unnest('{late,minutes}'::text[]) m;
SELECT v.name, c.hits, c.in_use FROM wfml.cache_stats() c JOIN wfml.versions v ON v.id = c.model_id;
RESET wfml.model_cache_size;
SELECT wfml.cache_clear();

-- What a model is made of.
SELECT * FROM wfml.metrics('late');
SELECT feature, gain > 0.5 AS most, splits > 0 AS used FROM wfml.feature_importance('minutes') ORDER BY gain DESC;
SELECT i ->> 'name' AS name, i -> 'labels' AS labels, c ->> 'name' AS column, c ->> 'kind' AS kind, c -> 'levels' AS levels
FROM wfml.model_info('late') i, jsonb_array_elements(i -> 'columns') c;

SELECT wfml.drop_model(m) FROM unnest('{late,minutes,verdict}'::text[]) m;
DROP TABLE deliveries, orders, word;
