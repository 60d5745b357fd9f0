-- What models promise, measured on made data whose truth is known: 4,000 rows
-- to learn from and 4,000 others.  Margins are several standard deviations of
-- what chance does to such numbers.

\set QUIET 1
SET client_min_messages = error;
BEGIN;
SET LOCAL max_parallel_maintenance_workers = 0;
SET LOCAL jit = off;

-- Even and normal deviates that are the same everywhere.
CREATE FUNCTION u(i int, k int) RETURNS float8 IMMUTABLE LANGUAGE sql AS $$
    SELECT (('x' || substr(md5(i || '.' || k), 1, 8))::bit(32)::bigint + 0.5) / 4294967296.0 $$;
CREATE FUNCTION normal(i int, k int) RETURNS float8 IMMUTABLE LANGUAGE sql AS $$
    SELECT sqrt(-2 * ln(u(i, k))) * cos(2 * pi() * u(i, k + 100)) $$;

CREATE TABLE made AS
SELECT *, 1 / (1 + exp(-truth)) AS p, u(i, 7) < 1 / (1 + exp(-truth)) AS y, u(i, 8) < 1 / (1 + exp(3.5 - truth)) AS rare,
       6 * truth + 3 * normal(i, 9) AS r
FROM (SELECT *, 4 * (a - 0.5) + 1.5 * sin(6 * b) + CASE g WHEN 'g0' THEN -1 WHEN 'g3' THEN 1 ELSE 0 END AS truth
      FROM (SELECT i, u(i, 1) AS a, u(i, 2) AS b, u(i, 3) AS c, u(i, 4) AS d, 'g' || floor(u(i, 5) * 5) AS g FROM generate_series(1, 8000) i) s) s;
CREATE VIEW seen AS SELECT a, b, c, d, g, y, rare, r, i FROM made WHERE i <= 4000;
CREATE VIEW unseen AS SELECT a, b, c, d, g, y, rare, r, p, truth, i FROM made WHERE i > 4000;

CREATE FUNCTION learn(model text, algorithm text, target text, params jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
    SELECT t.model FROM wfml.train(model, algorithm, 'public.seen', target, '{"validation": "none"}' || params, '{a,b,c,d,g}') t $$;
CREATE FUNCTION score(model text, metric text, source text DEFAULT 'public.unseen') RETURNS float8 LANGUAGE sql AS $$
    SELECT e.value FROM wfml.evaluate(model, source) e WHERE e.metric = score.metric $$;
CREATE TABLE learner (algorithm text, params jsonb);
INSERT INTO learner VALUES ('random_forest', '{"trees": 200}'), ('gradient_boosting', '{"rounds": 60, "max_leaves": 8}'), ('linear', '{}');

SELECT no_plan();

-- ---- probabilities ----

SELECT is(learn('y_' || algorithm, algorithm, 'y', params), 'y_' || algorithm) FROM learner;
SELECT cmp_ok(score('y_' || algorithm, 'ece'), '<', 0.05::float8, 'probabilities are calibrated, ' || algorithm) FROM learner;
SELECT cmp_ok((SELECT avg(abs(wfml.predict('y_' || algorithm, u) - p)) FROM unseen u), '<', CASE algorithm WHEN 'linear' THEN 0.25 ELSE 0.1 END::float8,
              'and near the truth, ' || algorithm) FROM learner;
SELECT cmp_ok(score('y_' || algorithm, 'auc') - (SELECT wfml.auc(y, p) FROM unseen), '>', CASE algorithm WHEN 'linear' THEN -0.15 ELSE -0.03 END::float8,
              'ranked nearly as well as can be, ' || algorithm) FROM learner;
SELECT cmp_ok(score('y_' || algorithm, 'auc') - (SELECT wfml.auc(y, p) FROM unseen), '<', 0.005::float8, 'and not better, ' || algorithm) FROM learner;

-- A weight that balances the classes moves decisions, not probabilities.
SELECT is(learn('rare_' || algorithm, algorithm, 'rare', params), 'rare_' || algorithm) FROM learner;
SELECT is(learn('even_' || algorithm, algorithm, 'rare', params || '{"class_weight": "balanced"}'), 'even_' || algorithm) FROM learner;
SELECT cmp_ok((SELECT abs(avg(wfml.predict('even_' || algorithm, u)) - avg(rare::int)) FROM unseen u), '<', 0.03::float8,
              'balanced: the mean probability is the share, ' || algorithm) FROM learner;
SELECT cmp_ok(score('even_' || algorithm, 'ece'), '<', 0.05::float8, 'balanced: calibrated, ' || algorithm) FROM learner;
SELECT cmp_ok((SELECT avg((wfml.classify('even_' || algorithm, u) = 'true')::int) FROM unseen u WHERE rare), '>',
              (SELECT avg((wfml.classify('rare_' || algorithm, u) = 'true')::int) + 0.1 FROM unseen u WHERE rare),
              'balanced: more of the rare are found, ' || algorithm) FROM learner;

-- ---- intervals ----

SELECT is((SELECT t.model FROM wfml.train('r_' || algorithm, algorithm, 'public.seen', 'r', params, '{a,b,c,d,g}') t), 'r_' || algorithm) FROM learner;
SELECT ok((SELECT avg((r BETWEEN (d).lower AND (d).upper)::int) BETWEEN 0.85 AND 0.95 FROM (SELECT r, wfml.predict_detail('r_' || algorithm, u) AS d FROM unseen u) s),
          'intervals of 90 % hold 85 to 95 %, ' || algorithm) FROM learner;
SELECT cmp_ok(score('r_' || algorithm, 'rmse'), '<', 3.9::float8, 'the error is near the noise of 3, ' || algorithm) FROM learner WHERE algorithm <> 'linear';
SELECT cmp_ok(abs(score('r_' || algorithm, 'r2') / (SELECT value FROM wfml.metrics('r_' || algorithm) WHERE metric = 'r2') - 1), '<', 0.06::float8,
              'the reported score is that of other rows, ' || algorithm) FROM learner;

-- ---- options of boosting ----

SELECT is(learn('long', 'gradient_boosting', 'y', '{"rounds": 400, "learning_rate": 0.2}'), 'long');
SELECT is(learn('stopped', 'gradient_boosting', 'y', '{"rounds": 400, "learning_rate": 0.2, "early_stopping_rounds": 10}'), 'stopped');
SELECT cmp_ok((wfml.model_info('stopped') ->> 'size')::float8, '<', (wfml.model_info('long') ->> 'size')::float8 / 3, 'early stopping stops');
SELECT cmp_ok(score('stopped', 'log_loss'), '<', score('long', 'log_loss') - 0.02, 'and is better for it');
SELECT is(learn('steady', 'gradient_boosting', 'y', '{"rounds": 60, "monotone": {"a": 1, "b": -1}}'), 'steady');
SELECT is((SELECT count(*) FROM (
    SELECT i, k, wfml.predict('steady', t) AS up, lag(wfml.predict('steady', t)) OVER (PARTITION BY i ORDER BY k) AS before
    FROM (SELECT i, k, k / 100.0::float8 AS a, b, c, d, g FROM unseen, generate_series(-5, 105) k WHERE i <= 4040) t) s WHERE up < before), 0::bigint, 'monotone: rises with a');
SELECT is((SELECT count(*) FROM (
    SELECT i, k, wfml.predict('steady', t) AS up, lag(wfml.predict('steady', t)) OVER (PARTITION BY i ORDER BY k) AS before
    FROM (SELECT i, k, k / 100.0::float8 AS b, a, c, d, g FROM unseen, generate_series(-5, 105) k WHERE i <= 4040) t) s WHERE up > before), 0::bigint, 'monotone: falls with b');

-- ---- seeds, duplicates, weights ----

SELECT is(learn('seed_1', 'random_forest', 'y', '{"trees": 200, "seed": 1}'), 'seed_1');
SELECT cmp_ok((SELECT avg(abs(wfml.predict('y_random_forest', u) - wfml.predict('seed_1', u))) FROM unseen u), '<', 0.04::float8, 'another seed, nearly the same forest');
SELECT cmp_ok((SELECT avg(abs(wfml.predict('y_random_forest', u) - wfml.predict('seed_1', u))) FROM unseen u), '>', 0.001::float8, 'but another one');

CREATE VIEW counted AS SELECT round(a * 50) AS a, round(b * 50) AS b, g, y, r, 1 + i % 3 AS n FROM made WHERE i <= 1500;
CREATE VIEW repeated AS SELECT a, b, g, y, r, n FROM counted, generate_series(1, n);
CREATE TABLE pair (name text, algorithm text, target text, options jsonb, allowed float8);
INSERT INTO pair VALUES ('line_y', 'linear', 'y', '{}', 1e-6), ('line_r', 'linear', 'r', '{}', 1e-6),
    ('boosting_y', 'gradient_boosting', 'y', '{"rounds": 20, "min_samples_leaf": 1, "max_leaves": 6}', 1e-3),
    ('boosting_r', 'gradient_boosting', 'r', '{"rounds": 20, "min_samples_leaf": 1, "max_leaves": 6}', 1e-3);
SELECT is(t.model, 'weighted_' || name)
FROM pair p, wfml.train('weighted_' || name, p.algorithm, 'public.counted', target, options || '{"validation": "none", "weight_column": "n"}', '{a,b,g}') t;
SELECT is(t.model, 'repeated_' || name)
FROM pair p, wfml.train('repeated_' || name, p.algorithm, 'public.repeated', target, options || '{"validation": "none"}', '{a,b,g}') t;
SELECT cmp_ok((SELECT max(abs(wfml.predict('weighted_' || name, c) - wfml.predict('repeated_' || name, c))) FROM counted c), '<', allowed, 'a weight of n is n rows, ' || name)
FROM pair;

-- ---- explanations ----

SELECT is((SELECT count(*) FROM (SELECT wfml.predict('y_gradient_boosting', u) AS p, (SELECT sum(contribution) FROM wfml.explain('y_gradient_boosting', u)) AS s FROM unseen u WHERE i <= 4300) e
           WHERE (abs(ln(p / (1 - p)) - s) <= 1e-6 * greatest(1, abs(s))) IS NOT TRUE), 0::bigint, 'contributions sum to the margin, boosting of classes');
SELECT is((SELECT count(*) FROM (SELECT wfml.predict('r_gradient_boosting', u) AS p, (SELECT sum(contribution) FROM wfml.explain('r_gradient_boosting', u)) AS s FROM unseen u WHERE i <= 4300) e
           WHERE (abs(p - s) <= 1e-6 * greatest(1, abs(s))) IS NOT TRUE), 0::bigint, 'to the value, boosting of a number');
SELECT is((SELECT count(*) FROM (SELECT wfml.predict('r_linear', u) AS p, (SELECT sum(contribution) FROM wfml.explain('r_linear', u)) AS s FROM unseen u WHERE i <= 4300) e
           WHERE (abs(p - s) <= 1e-6 * greatest(1, abs(s))) IS NOT TRUE), 0::bigint, 'to the value, linear');
SELECT is(learn('plain', 'random_forest', 'y', '{"trees": 10, "calibration": "none"}'), 'plain');
SELECT is((SELECT count(*) FROM (SELECT wfml.predict('plain', u) AS p, (SELECT sum(contribution) FROM wfml.explain('plain', u)) AS s FROM unseen u WHERE i <= 4200) e
           WHERE (abs(p - s) <= 1e-6) IS NOT TRUE), 0::bigint, 'to the probability, forest without calibration');
SELECT is((SELECT string_agg(feature, '' ORDER BY feature) FROM (SELECT feature FROM wfml.feature_importance('y_' || algorithm) ORDER BY gain DESC LIMIT CASE algorithm WHEN 'linear' THEN 2 ELSE 3 END) f),
          CASE algorithm WHEN 'linear' THEN 'ab' ELSE 'abg' END, 'what was planted is found, ' || algorithm) FROM learner WHERE algorithm = 'gradient_boosting';
SELECT ok((SELECT min(gain) FILTER (WHERE feature IN ('a', 'b')) > CASE algorithm WHEN 'random_forest' THEN 1.2 ELSE 2 END * max(gain) FILTER (WHERE feature IN ('c', 'd')) FROM wfml.feature_importance('y_' || algorithm)),
          'and stands out, ' || algorithm) FROM learner;
SELECT is((SELECT string_agg(feature, '' ORDER BY feature) FROM (SELECT feature FROM wfml.feature_importance('r_' || algorithm) ORDER BY permutation DESC LIMIT 3) f),
          'abg', 'shuffling columns tells the same, ' || algorithm) FROM learner WHERE algorithm <> 'linear';
SELECT cmp_ok((SELECT corr(value::float8, prediction) FROM wfml.partial_dependence('r_' || algorithm, 'a', 'public.unseen')), '>', 0.97::float8,
              'dependence on a is a line, ' || algorithm) FROM learner;
SELECT is((SELECT count(*) FROM (SELECT prediction, lag(prediction) OVER (ORDER BY value::float8) AS before FROM wfml.partial_dependence('steady', 'a', 'public.unseen')) s WHERE prediction < before),
          0::bigint, 'and rises where it must');

-- ---- what is reported ----

CREATE VIEW timed AS SELECT '2024-01-01'::timestamp + i * interval '1 min' AS at, a, b, g, y, r FROM made WHERE i <= 2000;
CREATE TABLE late (algorithm text, target text);
INSERT INTO late VALUES ('gradient_boosting', 'y'), ('linear', 'y'), ('gradient_boosting', 'r'), ('random_forest', 'r');
SELECT is(t.model, format('late_%s_%s', l.algorithm, target))
FROM late l, wfml.train(format('late_%s_%s', l.algorithm, target), l.algorithm, 'public.timed', target,
                      '{"validation": "time", "time_column": "at", "test_fraction": 0.25, "refit": false}', '{a,b,g}') t;
SELECT is((SELECT string_agg(format('%s %s is %s', m.metric, m.value, e.value), ', ') FROM wfml.metrics('late_' || algorithm || '_' || target) m
           LEFT JOIN wfml.evaluate('late_' || algorithm || '_' || target, 'SELECT * FROM timed ORDER BY at DESC LIMIT 500') e USING (metric)
           WHERE (abs(m.value - e.value) < 1e-9 * greatest(1, abs(m.value))) IS NOT TRUE), NULL, format('what was measured on the latest quarter, %s of %s', algorithm, target))
FROM late;

CREATE TABLE answers AS SELECT u.*, wfml.predict('y_random_forest', u) AS q, wfml.classify('y_random_forest', u) AS l, wfml.predict('r_random_forest', u) AS v FROM unseen u;
SELECT cmp_ok(abs(score('y_random_forest', metric) - value), '<', 1e-9::float8, 'the aggregate says what evaluate() says: ' || metric)
FROM (SELECT wfml.accuracy(y::text, l) AS accuracy, wfml.auc(y, q) AS auc, wfml.log_loss(y, q) AS log_loss, wfml.brier(y, q) AS brier,
             wfml.average_precision(y, q) AS average_precision, wfml.f1_score(y::text, l) AS macro_f1, wfml.ece(y, q) AS ece FROM answers) s,
     LATERAL (VALUES ('accuracy', accuracy), ('auc', auc), ('log_loss', log_loss), ('brier', brier), ('average_precision', average_precision), ('macro_f1', macro_f1), ('ece', ece)) v(metric, value);
SELECT cmp_ok(abs(score('r_random_forest', metric) - value), '<', 1e-9::float8, 'the aggregate says what evaluate() says: ' || metric)
FROM (SELECT wfml.r2(r, v) AS r2, wfml.mae(r, v) AS mae, wfml.rmse(r, v) AS rmse FROM answers) s,
     LATERAL (VALUES ('r2', r2), ('mae', mae), ('rmse', rmse)) v(metric, value);
SELECT is((SELECT sum(count) FROM wfml.confusion_matrix('y_random_forest', 'public.unseen') WHERE actual = predicted), (SELECT count(*) FROM answers WHERE y::text = l)::numeric,
          'the diagonal of the confusion matrix is what is right');

SELECT * FROM finish();
ROLLBACK;
