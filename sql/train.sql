-- Training: from a table to a model.

-- A small table with something to learn: approved depends on income and
-- region; note is noise, id a key, and one column never changes.
CREATE TABLE loan (
	id int PRIMARY KEY,
	income numeric,
	region text,
	note jsonb,
	currency text DEFAULT 'EUR',
	approved boolean,
	amount float8
);
INSERT INTO loan (id, income, region, note, approved, amount)
SELECT i, income, region, '{}', income + bonus > 60, 100 * income + 10 * bonus
FROM (SELECT i, (i * 7919) % 100 AS income,
		(ARRAY['north', 'south', 'west'])[1 + i % 3] AS region,
		(ARRAY[20, 0, -20])[1 + i % 3] AS bonus
	FROM generate_series(1, 1500) i) s;

-- One call; what it leaves out, and why, is said once.
SELECT model, version, algorithm, task, rows, features, metric, round(score::numeric, 2) AS score,
	round(baseline::numeric, 2) AS baseline, positive
FROM wfml.train('loan', 'gradient_boosting', 'loan', 'approved');

-- A leak is a column that knows the answer.
SELECT features FROM wfml.train('leaky', 'gradient_boosting',
	'SELECT income, region, approved, approved::int + 0.1 AS decision_code FROM loan', 'approved');

-- The same rows give the same bytes, in whatever order they come.
SELECT count(*) FROM wfml.train('loan_reversed', 'gradient_boosting',
	'SELECT * FROM loan ORDER BY id DESC', 'approved', features => '{income,region}');
SELECT count(*) FROM wfml.train('loan_forward', 'gradient_boosting',
	'SELECT * FROM loan ORDER BY id', 'approved', features => '{region,income}');
SELECT count(DISTINCT artifact_sha256) AS different FROM wfml.ml_model WHERE name LIKE 'loan\_%';

-- Nor does it matter whether raw values fit in memory or are spooled.
SET maintenance_work_mem = '1MB';
SELECT count(*) FROM wfml.train('wide_spooled', 'gradient_boosting',
	'SELECT (i * 7919) % 1000 AS a, (i * 1049) % 997 AS b, i % 89 AS c, i % 3 = 0 AS y FROM generate_series(1, 100000) i',
	'y', '{"validation": "none", "rounds": 5}');
RESET maintenance_work_mem;
SELECT count(*) FROM wfml.train('wide', 'gradient_boosting',
	'SELECT (i * 7919) % 1000 AS a, (i * 1049) % 997 AS b, i % 89 AS c, i % 3 = 0 AS y FROM generate_series(1, 100000) i',
	'y', '{"validation": "none", "rounds": 5}');
SELECT count(DISTINCT artifact_sha256) AS different FROM wfml.ml_model WHERE name LIKE 'wide%';

-- Every algorithm, both tasks.
SELECT algorithm, target, metric, score > 0.9 AS good, abs(baseline) < 0.7 AS better_than_trivial
FROM unnest(ARRAY['random_forest', 'gradient_boosting', 'linear']) a,
	unnest(ARRAY['approved', 'amount']) target,
	LATERAL wfml.train('try', a, 'SELECT income, region, ' || target || ' FROM loan', target) t
ORDER BY algorithm, target;

-- Ways to validate; without validation a forest reports its out-of-bag rows.
SELECT v, t.version
FROM unnest(ARRAY['holdout', 'cv', 'time', 'group', 'none']) WITH ORDINALITY AS u(v, i),
	LATERAL wfml.train('validated', 'random_forest', 'SELECT income, region, id + 0 AS day, approved FROM loan', 'approved',
		jsonb_build_object('validation', v, 'trees', 20, 'time_column', 'day') ||
		CASE WHEN v = 'group' THEN '{"group_column": "region"}' ELSE '{}' END::jsonb) t
ORDER BY i;
SELECT v.version, m.metric, m.split, round(m.value::numeric, 1) AS value
FROM wfml.versions v, LATERAL wfml.metrics('validated@' || v.version) m
WHERE v.name = 'validated' AND m.metric = 'accuracy'
ORDER BY v.version;

-- Weights: a row of weight 2 counts as two rows.
SELECT features FROM wfml.train('weighted', 'gradient_boosting',
	'SELECT 1 + i % 2 AS x, i % 4 = 0 AS y, CASE WHEN i % 4 = 0 THEN 3 ELSE 1 END AS w FROM generate_series(1, 400) i', 'y',
	'{"validation": "none", "weight_column": "w", "rounds": 200, "learning_rate": 0.3}');
SELECT round(wfml.predict('weighted', '{"x": 1}')::numeric, 2) AS p;

-- Rare classes: balanced weights move the answer, not the probability.
SELECT count(*) FROM wfml.train('rare', 'gradient_boosting',
	'SELECT i % 10 AS x, i % 30 = 0 AS y FROM generate_series(1, 3000) i', 'y', '{"validation": "none"}');
SELECT count(*) FROM wfml.train('rare_balanced', 'gradient_boosting',
	'SELECT i % 10 AS x, i % 30 = 0 AS y FROM generate_series(1, 3000) i', 'y',
	'{"validation": "none", "class_weight": "balanced"}');
SELECT model, round(wfml.predict(model, '{"x": 0}')::numeric, 1) AS p, wfml.classify(model, '{"x": 0}')
FROM unnest(ARRAY['rare', 'rare_balanced']) model;

-- What cannot be trained.
\set VERBOSITY terse
SELECT wfml.train('bad', 'svm', 'loan', 'approved');
SELECT wfml.train('bad', 'random_forest', 'loan', 'approved', '{"tree": 10}');
SELECT wfml.train('bad', 'random_forest', 'loan', 'approved', '{"trees": "many"}');
SELECT wfml.train('bad', 'random_forest', 'loan', 'approved', '[1]');
SELECT wfml.train('bad', 'random_forest', 'loan', 'approved', '{"validation": "time"}');
SELECT wfml.train('bad', 'random_forest', 'loan', 'approved', '{"class_weight": {"maybe": 2}}');
SELECT wfml.train('bad', 'random_forest', 'loan');
SELECT wfml.train('bad', 'random_forest', 'loan', 'approval');
SELECT wfml.train('bad', 'random_forest', 'loans', 'approved');
SELECT wfml.train('bad', 'random_forest', 'loan', 'approved', task => 'guess');
SELECT wfml.train('bad', 'random_forest', 'loan', 'approved', task => 'regression');
SELECT wfml.train('bad', 'random_forest', 'SELECT * FROM loan WHERE id < 0', 'approved');
SELECT wfml.train('bad', 'random_forest', 'SELECT * FROM loan WHERE approved', 'approved');
SELECT wfml.train('bad', 'random_forest', 'SELECT currency, approved FROM loan', 'approved');
SELECT wfml.train('bad', 'random_forest', 'DELETE FROM loan RETURNING *', 'approved');
SELECT wfml.train('bad', 'random_forest', 'WITH d AS (DELETE FROM loan RETURNING *) SELECT * FROM d', 'approved');
SELECT wfml.train('1 bad name', 'random_forest', 'loan', 'approved');
SELECT wfml.train(NULL, 'random_forest', 'loan', 'approved');
SELECT count(*) AS rows_still_there FROM loan;

-- Two rows are enough to train, if not to learn.
SELECT rows, metric FROM wfml.train('two', 'gradient_boosting',
	'VALUES (1, true), (2, false)', 'column2', '{"validation": "none"}');

-- A training that is rolled back never was.
BEGIN;
SELECT count(*) FROM wfml.train('ghost', 'linear', 'loan', 'amount', features => '{income}');
ROLLBACK;
SELECT wfml.predict('ghost', '{"income": 1}');

-- What there is to choose from.
SELECT algorithm, tasks FROM wfml.algorithms;
SELECT parameter, type, "default", range FROM wfml.parameters WHERE algorithm = 'random_forest' ORDER BY parameter;
SELECT count(*) FROM wfml.training_progress;

DROP TABLE loan;
SELECT count(wfml.drop_model(name)) FROM wfml.models;
