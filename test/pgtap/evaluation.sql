-- Models over rows of a query: what is measured is what was trained, results
-- belong to the model's owner, and queries without rows are refused.

\set QUIET 1
SET client_min_messages = error;
BEGIN;
SELECT plan(9);

CREATE TABLE shop AS
    SELECT i % 3 AS kind, CASE WHEN i % 3 = 0 THEN 'cat' || i % 4 ELSE 'dog' END AS pet, i % 20 AS x, i % 20 >= 10 AS y
    FROM generate_series(1, 300) i;
SELECT model FROM wfml.train('shop', 'random_forest', 'shop', 'y', '{"trees": 5}') \g /dev/null

-- ---- queries without rows ----

PREPARE nothing AS SELECT * FROM wfml.partial_dependence('shop', 'pet', 'SELECT * FROM shop WHERE false');
SELECT throws_ok('nothing', 'P0002', NULL, 'partial_dependence() of no rows');
PREPARE measured AS SELECT * FROM wfml.evaluate('shop', 'SELECT * FROM shop WHERE false');
SELECT throws_ok('measured', 'P0002', NULL, 'evaluate() of no rows');
PREPARE trained AS SELECT * FROM wfml.train('none', 'random_forest', 'SELECT * FROM shop WHERE false', 'y');
SELECT throws_ok('trained', 'P0002', NULL, 'train() of no rows');

-- ---- targets are read as in training ----

CREATE TABLE visits AS
    SELECT i % 10 AS x, make_interval(years => i % 10, days => 1) AS stay,
        CASE WHEN i % 10 < 5 THEN '10.0.0.1' ELSE '10.0.0.2' END::inet AS host,
        CASE WHEN i % 10 < 5 THEN 'a' ELSE 'bc' END::char(5) AS padded, i % 10 < 5 AS truth
    FROM generate_series(1, 400) i;
SELECT model FROM wfml.train('stay', 'gradient_boosting', 'visits', 'stay', features => '{x}') \g /dev/null
SELECT cmp_ok(value, '>', 0.99::float8, 'intervals of years')
    FROM wfml.evaluate('stay', 'visits') WHERE metric = 'r2';
SELECT model FROM unnest('{host, padded, truth}'::text[]) target,
    wfml.train(target, 'random_forest', 'visits', target, '{"trees": 5}', features => '{x}') \g /dev/null
SELECT is(e.value, 400::float8, 'labels of column ' || target)
    FROM unnest('{host, padded, truth}'::text[]) target, wfml.evaluate(target, 'visits') e WHERE e.metric = 'rows';

-- ---- stored results go with the model ----

SELECT count(*) FROM wfml.evaluate('shop', 'SELECT * FROM shop WHERE x > 1') \g /dev/null
SELECT isnt_empty($$SELECT FROM wfml.evaluations WHERE model = 'shop'$$, 'results are kept');
SELECT wfml.drop_model('shop') \g /dev/null
SELECT model FROM wfml.train('shop', 'random_forest', 'shop', 'y', '{"trees": 5}') \g /dev/null
SELECT is_empty($$SELECT FROM wfml.evaluations WHERE model = 'shop'$$, 'the next model of that name has none');

SELECT * FROM finish();
ROLLBACK;
