-- Anomalies: what is odd among rows that nobody has labelled.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
RESET client_min_messages;

-- 1,000 runs of three workflows, each with times of its own; every hundredth run went wrong.
CREATE TABLE runs AS
SELECT i AS id, (ARRAY['backup', 'report', 'sync'])[1 + i % 3] AS workflow,
	(ARRAY[300, 60, 5])[1 + i % 3] * (1 + ((i * 7919) % 100 - 50) / 250.0) * CASE WHEN i % 100 = 0 THEN 3 ELSE 1 END AS seconds,
	(i * 104729) % 90 + CASE WHEN i % 100 = 0 THEN 200 ELSE 0 END AS retries,
	CASE WHEN i % 7 = 0 THEN NULL ELSE (ARRAY['eu', 'us'])[1 + i % 2] END AS region,
	i % 100 = 0 AS broken
FROM generate_series(1, 1000) i;

-- No target: a model of the rows as they are.  The threshold is 0.5, unless a share is asked for.
SELECT model, version, task, rows, features, metric, round(score::numeric, 2) < 0.5 AS few, baseline IS NULL AS no_baseline
FROM wfml.train('odd_runs', 'isolation_forest', 'runs', params => '{"contamination": 0.01}',
	features => '{seconds,retries,region}');

-- Scores are from 0 to 1; the runs that went wrong score highest.
SELECT count(*) FILTER (WHERE s.score BETWEEN 0 AND 1) AS scored, count(*) FILTER (WHERE s.odd) AS odd,
	count(*) FILTER (WHERE s.odd AND broken) AS odd_and_broken
FROM (SELECT r.broken, wfml.anomaly_score('odd_runs', r.*) AS score, wfml.is_anomaly('odd_runs', r.*) AS odd FROM runs r) s;

-- predict() is the score; a detail has the verdict and how many training rows score lower.
SELECT bool_and(wfml.predict('odd_runs', r.*) = wfml.anomaly_score('odd_runs', r.*)) AS same,
	bool_and((d.label = 'anomaly') = wfml.is_anomaly('odd_runs', r.*)) AS label,
	bool_and(d.confidence BETWEEN 0 AND 1 AND d.lower IS NULL) AS confidence
FROM runs r, LATERAL wfml.predict_detail('odd_runs', r.*) d WHERE r.id % 10 = 0;
SELECT count(*) AS rows, count(*) FILTER (WHERE b.label = 'anomaly') AS odd,
	bool_and(abs(b.value - wfml.anomaly_score('odd_runs', r.*)) = 0) AS same
FROM wfml.predict_batch('odd_runs', 'runs', 'id') b JOIN runs r ON r.id = b.key::int;

-- JSON in every form; NULL in columns is input, no row is no answer.
SELECT wfml.anomaly_score('odd_runs', '{"seconds": 1000, "retries": 280, "region": "eu"}')
	= wfml.anomaly_score('odd_runs', '{"seconds": 1000, "retries": 280, "region": "eu"}'::jsonb) AS text_and_jsonb,
	wfml.is_anomaly('odd_runs', '{"seconds": 1000, "retries": 280, "region": "eu"}'::json) AS json,
	wfml.is_anomaly('odd_runs', '{"seconds": null, "retries": null, "region": null}') AS unknown,
	wfml.anomaly_score('odd_runs', NULL::jsonb) IS NULL AS nothing,
	wfml.is_anomaly('odd_runs', NULL::text) IS NULL AS nothing_too;

-- Why: contributions sum to the score, from the mean score of the training rows on.
SELECT feature, value, contribution > 0.05 AS strong
FROM runs r, LATERAL wfml.explain_anomaly('odd_runs', r.*) WHERE r.id = 300;
SELECT abs(sum(contribution) - wfml.anomaly_score('odd_runs', '{"seconds": 1000, "retries": 280, "region": "eu"}')) < 1e-12 AS sums
FROM wfml.explain_anomaly('odd_runs', '{"seconds": 1000, "retries": 280, "region": "eu"}'::jsonb);
SELECT count(*) = 0 AS same_as_explain
FROM (SELECT * FROM wfml.explain_anomaly('odd_runs', '{"seconds": 9, "retries": 5, "region": "eu"}')
	EXCEPT SELECT * FROM wfml.explain('odd_runs', '{"seconds": 9, "retries": 5, "region": "eu"}')) d;
SELECT wfml.explain_text('odd_runs', '{"seconds": 1000, "retries": 280, "region": "eu"}') LIKE 'score 0.% (average 0.%); raised by retries = 280%' AS words;

-- Against labels, where there are some: a boolean, 0 and 1, or two labels, of which the rarer is the anomaly.
SELECT metric, round(value::numeric, 1) AS value FROM wfml.evaluate('odd_runs', 'runs', 'broken');
SELECT metric, round(value::numeric, 1) AS value
FROM wfml.evaluate('odd_runs', $$SELECT *, CASE WHEN broken THEN 'bad' ELSE 'good' END AS verdict FROM runs$$, 'verdict')
WHERE metric IN ('auc', 'recall');
SELECT * FROM wfml.confusion_matrix('odd_runs', $$SELECT *, broken::int AS bad FROM runs$$, 'bad');
SELECT count(*) > 2 AS curve FROM wfml.roc_curve('odd_runs', 'runs', 'broken');
SELECT metric, split, value IS NOT NULL AS value, baseline FROM wfml.metrics('odd_runs');

-- Odd for its workflow: numbers are scaled by the column's groups.
SELECT version, features FROM wfml.train('odd_for_kind', 'isolation_forest', 'runs',
	params => '{"scale_by": "workflow", "contamination": 0.01}', features => '{seconds}');
SELECT wfml.is_anomaly('odd_for_kind', '{"workflow": "backup", "seconds": 300}') AS backup,
	wfml.is_anomaly('odd_for_kind', '{"workflow": "sync", "seconds": 300}') AS sync,
	wfml.anomaly_score('odd_for_kind', '{"workflow": "new", "seconds": 300}')
		= wfml.anomaly_score('odd_for_kind', '{"workflow": null, "seconds": 300}') AS unknown_is_all;
SELECT feature, value, contribution > 0.1 AS strong
FROM wfml.explain_anomaly('odd_for_kind', '{"workflow": "sync", "seconds": 300}');
-- groups may be of any type
SELECT features FROM wfml.train('odd_for_number', 'isolation_forest', 'SELECT id % 3 AS kind, seconds FROM runs', params => '{"scale_by": "kind"}');
SELECT wfml.anomaly_score('odd_for_number', s.*) = wfml.anomaly_score('odd_for_number', to_jsonb(s)) AS same,
	wfml.anomaly_score('odd_for_number', s.*) > wfml.anomaly_score('odd_for_number', '{"kind": 0, "seconds": 300}') AS odder
FROM (SELECT 2::bigint AS kind, 300::numeric AS seconds) s;

-- Once more: the share flagged is neither better nor worse.
SELECT version FROM wfml.train('odd_runs', 'isolation_forest', 'runs', params => '{"contamination": 0.02, "seed": 1}',
	features => '{seconds,retries}');
SELECT wfml.model_info('odd_runs') ->> 'task' AS task, (wfml.model_info('odd_runs') ->> 'threshold')::float8 BETWEEN 0 AND 1 AS threshold;
SELECT feature, splits > 0 AS used FROM wfml.feature_importance('odd_for_kind') ORDER BY 1;

-- What does not fit says so.
\set VERBOSITY terse
SELECT * FROM wfml.train('x', 'isolation_forest', 'runs', 'broken');
SELECT * FROM wfml.train('x', 'isolation_forest', 'runs', params => '{"contamination": 0.9}');
SELECT * FROM wfml.train('x', 'isolation_forest', 'runs', params => '{"scale_by": "nothing"}');
SELECT * FROM wfml.train('x', 'isolation_forest', 'runs', params => '{"scale_by": "workflow"}', features => '{workflow,seconds}');
SELECT * FROM wfml.train('x', 'isolation_forest', 'SELECT workflow FROM runs', params => '{"scale_by": "workflow"}');
SELECT * FROM wfml.train('x', 'isolation_forest', 'runs', params => '{"class_weight": "balanced"}');
SELECT wfml.classify('odd_runs', '{"seconds": 1, "retries": 1}');
SELECT wfml.anomaly_score('odd_runs', '{"seconds": 1}');
SELECT * FROM wfml.evaluate('odd_runs', 'runs');
SELECT * FROM wfml.evaluate('odd_runs', 'runs', 'workflow');
SELECT model FROM wfml.train('plain', 'linear', 'runs', 'seconds', '{"validation": "none"}', '{retries}');
SELECT wfml.anomaly_score('plain', '{"retries": 1}');
SELECT * FROM wfml.explain_anomaly('plain', '{"retries": 1}');
\set VERBOSITY default

SELECT wfml.drop_model(m) FROM unnest('{odd_runs,odd_for_kind,odd_for_number,plain}'::text[]) m;
DROP TABLE runs;
