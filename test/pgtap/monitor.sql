-- Monitoring: live scores against SQL by hand, each status of wfml.health,
-- who sees what.  The log is written directly, as the triggers would.

\set QUIET 1
SET client_min_messages = warning;
BEGIN;
CREATE ROLE wfml_watched;
CREATE ROLE wfml_guest;
CREATE ROLE wfml_nobody;
CREATE ROLE wfml_gone;
GRANT CREATE ON SCHEMA public TO wfml_watched, wfml_gone;

-- Run a query as a role: its first value as text, or its SQLSTATE.
CREATE FUNCTION try(who name, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    BEGIN
        EXECUTE query INTO result;
    EXCEPTION WHEN others THEN
        result := SQLSTATE;
    END;
    RESET ROLE;
    RETURN result;
END $$;

-- Numbers that look drawn, the same every time.
CREATE FUNCTION drawn(i bigint, k int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
    $$SELECT (hashint8extended(i, k) & 1048575) / 1048576.0$$;

CREATE TABLE points AS
    SELECT drawn(i, 1) AS a, drawn(i, 2) AS b, drawn(i, 1) + 0.3 * drawn(i, 3) > 0.6 AS hit,
        CASE WHEN drawn(i, 1) > 0.6 THEN 'x' WHEN drawn(i, 2) > 0.5 THEN 'y' ELSE 'z' END AS kind,
        drawn(i, 1) + 2 * drawn(i, 2) + 0.2 * drawn(i, 4) AS amount
    FROM generate_series(1, 2000) i;
GRANT SELECT ON points TO PUBLIC;
SET ROLE wfml_watched;
SELECT wfml.train('two', 'linear', 'SELECT a, b, hit FROM points', 'hit') \g /dev/null
SELECT wfml.train('two', 'linear', 'SELECT a, b, hit FROM points', 'hit', '{"seed": 1}') \g /dev/null
SELECT wfml.train('three', 'linear', 'SELECT a, b, kind FROM points', 'kind') \g /dev/null
SELECT wfml.train('amount', 'linear', 'SELECT a, b, amount FROM points', 'amount') \g /dev/null
SELECT wfml.train('odd', 'isolation_forest', 'SELECT a, b FROM points', params => '{"trees": 10}') \g /dev/null
RESET ROLE;

-- A row of the log; the outcome comes "wait" later.
CREATE FUNCTION logged(name text, v int, made timestamptz, wait interval, p float8, low float8, high float8, answer text, sure float8,
    truth text, by name DEFAULT 'wfml_watched', how text DEFAULT 'function', failure text DEFAULT NULL, who text DEFAULT NULL,
    micros int DEFAULT 100, in_shadow boolean DEFAULT false) RETURNS void LANGUAGE sql AS $$
    INSERT INTO wfml.prediction (model_number, model_id, model, version, made_at, made_by, user_id, entity, value, lower, upper,
        label, confidence, source, shadow, latency_us, actual, actual_at, error)
    SELECT r.number, m.id, r.name, m.version, made, by::regrole, who, NULL, p, low, high, answer, sure, how, in_shadow, micros,
        truth, CASE WHEN truth IS NOT NULL THEN made + wait END, failure
    FROM wfml.registry r LEFT JOIN wfml.ml_model m ON m.name = r.name AND m.version = v WHERE r.name = logged.name
$$;

SELECT no_plan();

-- ---- live scores ----

-- 400 predictions of each version, one an hour; the answer to three in four is known a day and a half later at the latest.
SELECT logged('two', v, now() - i * interval '1 hour' - interval '1 minute', drawn(i, 20) * interval '36 hours',
        drawn(i, v), NULL, NULL, (drawn(i, v) > 0.5)::text, 0.5 + abs(drawn(i, v) - 0.5),
        CASE WHEN drawn(i, 21) < 0.75 AND i > drawn(i, 20) * 36 THEN (drawn(i, v) + 0.8 * (drawn(i, 22) - 0.5) > 0.5)::text END,
        in_shadow => v = 1)
FROM generate_series(1, 400) i, generate_series(1, 2) v \g /dev/null
SELECT logged('three', 1, now() - i * interval '1 hour' - interval '1 minute', '0', NULL, NULL, NULL, (ARRAY['x', 'y', 'z'])[1 + i % 3],
        0.4 + 0.6 * drawn(i, 1), CASE WHEN drawn(i, 2) < 0.7 THEN (ARRAY['x', 'y', 'z'])[1 + i % 3] ELSE 'x' END)
FROM generate_series(1, 300) i \g /dev/null
SELECT logged('amount', 1, now() - i * interval '1 hour' - interval '1 minute', '0', drawn(i, 1) * 3, drawn(i, 1) * 3 - 0.2, drawn(i, 1) * 3 + 0.2,
        NULL, NULL, CASE WHEN i = 7 THEN 'unknown' ELSE (drawn(i, 1) * 3 + 0.6 * (drawn(i, 2) - 0.5))::text END)
FROM generate_series(1, 300) i \g /dev/null
SELECT logged('odd', 1, now() - i * interval '1 hour' - interval '1 minute', '0', drawn(i, 1), NULL, NULL, 'normal', 0.5,
        CASE WHEN i > 100 THEN (drawn(i, 1) + drawn(i, 2) > 1.2)::text END)
FROM generate_series(1, 300) i \g /dev/null

SELECT ok(delay BETWEEN interval '30 hours' AND interval '36 hours', 'delay of outcomes: ' || delay) FROM wfml.outcome_delay WHERE model = 'two';
SELECT is(delay, interval '0', 'outcomes at once') FROM wfml.outcome_delay WHERE model = 'three';

SELECT is(wfml.outcome_number(text), number, 'outcome ' || text) FROM (VALUES ('42', 42::float8), (' -1.5e3 ', -1500), ('01:00:30', 3630),
    ('1 day 00:00:01', 86401), ('P1DT1S', 86401), ('NaN', NULL), ('1e999', NULL), ('infinity', NULL), ('', NULL), ('-', NULL), ('12 apples', NULL)) v (text, number);

-- By hand, from the table, with none of our aggregates.
CREATE TEMPORARY TABLE known AS
    SELECT p.model, p.version, p.value AS p, p.label, p.confidence, p.actual, (p.actual = 'true')::int AS y, p.lower, p.upper,
        CASE WHEN p.model = 'amount' AND p.actual <> 'unknown' THEN p.actual::float8 END AS number
    FROM wfml.prediction p
    WHERE p.actual IS NOT NULL
        AND p.made_at <= now() - (SELECT delay FROM wfml.outcome_delay d WHERE d.model = p.model);
CREATE TEMPORARY TABLE by_hand (model text, version int, metric text, value float8, n bigint, half float8);
INSERT INTO by_hand
    SELECT model, version, 'accuracy', avg((label = actual)::int), count(*) FROM known WHERE model IN ('two', 'three') GROUP BY 1, 2;
INSERT INTO by_hand
    SELECT model, version, 'log_loss', avg(l), count(*), 1.959963984540054 * stddev(l) / sqrt(count(*))
    FROM (SELECT *, -ln(CASE y WHEN 1 THEN p ELSE 1 - p END) AS l FROM known WHERE model = 'two') k GROUP BY 1, 2;
INSERT INTO by_hand
    SELECT model, version, 'brier', avg((y - p) ^ 2), count(*), 1.959963984540054 * stddev((y - p) ^ 2) / sqrt(count(*))
    FROM known WHERE model = 'two' GROUP BY 1, 2;
INSERT INTO by_hand
    SELECT a.model, a.version, 'auc', avg(CASE WHEN a.p > b.p THEN 1 WHEN a.p = b.p THEN 0.5 ELSE 0 END),
        (SELECT count(*) FROM known k WHERE k.model = a.model AND k.version = a.version)
    FROM known a JOIN known b ON b.model = a.model AND b.version = a.version AND a.y = 1 AND b.y = 0
    WHERE a.model IN ('two', 'odd') GROUP BY 1, 2;
INSERT INTO by_hand
    SELECT model, version, 'ece', sum(abs(observed - predicted) * m) / sum(m), sum(m)
    FROM (SELECT model, version, avg(hit) AS observed, avg(q) AS predicted, count(*) AS m
        FROM (SELECT model, version, CASE model WHEN 'two' THEN p ELSE confidence END AS q,
                CASE model WHEN 'two' THEN y ELSE (label = actual)::int END AS hit FROM known WHERE model IN ('two', 'three')) c
        GROUP BY 1, 2, least(floor(q * 10), 9)) b GROUP BY 1, 2;
INSERT INTO by_hand
    SELECT model, version, 'r2', 1 - avg((number - p) ^ 2) / var_pop(number), count(number),
        1.959963984540054 * stddev((number - p) ^ 2) / sqrt(count(number)) / var_pop(number) FROM known WHERE model = 'amount' GROUP BY 1, 2
    UNION ALL
    SELECT model, version, 'rmse', sqrt(avg((number - p) ^ 2)), count(number), NULL FROM known WHERE model = 'amount' GROUP BY 1, 2
    UNION ALL
    SELECT model, version, 'mae', avg(abs(number - p)), count(number), 1.959963984540054 * stddev(abs(number - p)) / sqrt(count(number))
    FROM known WHERE model = 'amount' GROUP BY 1, 2
    UNION ALL
    SELECT model, version, 'coverage', avg((number BETWEEN lower AND upper)::int), count(number), NULL FROM known WHERE model = 'amount' GROUP BY 1, 2;
SELECT is((SELECT count(*) FROM by_hand), 17::bigint, 'all metrics computed by hand');
SELECT ok(abs(s.value - h.value) < 1e-9 AND s.n = h.n AND (h.half IS NULL OR abs(s.upper - s.value - h.half) < 1e-9 AND abs(s.value - s.lower - h.half) < 1e-9),
    format('%s@%s %s: %s = by hand %s, n %s', h.model, h.version, h.metric, s.value, h.value, s.n))
FROM by_hand h LEFT JOIN LATERAL wfml.live_scores(h.model) s ON s.version = h.version AND s.metric = h.metric;
SELECT is(count(*), 17::bigint, 'and no others are shown') FROM unnest(ARRAY['two', 'three', 'amount', 'odd']) m, wfml.live_scores(m);
-- Intervals: published and independent values.
SELECT is((SELECT format('%s %s', round(lower::numeric, 4), round(upper::numeric, 4)) FROM wfml.wilson_interval(81.0 / 263, 263)),
    '0.2553 0.3662', 'Wilson interval as in Newcombe 1998');
SELECT is((SELECT format('%s %s', round(lower::numeric, 4), round(upper::numeric, 4)) FROM wfml.wilson_interval(0, 20)), '0.0000 0.1611', 'of none');
SELECT is(round(wfml.auc_error(0.893, 51, 58)::numeric, 4), 0.0325, 'error of AUC as in Hanley and McNeil 1982 (0.032)');
SELECT ok(lower < value AND value < upper, 'AUC lies in its interval') FROM wfml.live_scores('two@2') WHERE metric = 'auc';
SELECT is((SELECT array_agg(DISTINCT version) FROM wfml.live_scores('two@1')), ARRAY[1], 'one version, though its predictions are shadows');
SELECT is((SELECT sum(n) FROM wfml.live_scores('two', now() - interval '5 days', now() - interval '4 days') WHERE metric = 'accuracy'),
    (SELECT count(*)::numeric FROM wfml.prediction WHERE model = 'two' AND actual IS NOT NULL AND made_at BETWEEN now() - interval '5 days' AND now() - interval '4 days'),
    'of a time of one''s choice');
SELECT is((SELECT count(*) FROM wfml.live_scores('two', now() - interval '1 hour')), 0::bigint, 'nothing so young');
SELECT throws_ok($$SELECT * FROM wfml.live_scores('tow')$$, 'WF001', NULL, 'no such model');
SELECT throws_ok('SELECT * FROM wfml.' || f || '(NULL)', '22004', NULL, f || ' of nothing') FROM unnest(ARRAY['live_scores', 'trend']) f;
SELECT throws_ok($$SELECT * FROM wfml.live_scores('two@9')$$, 'WF001', NULL, 'no such version');
SELECT is(round(l.value::numeric, 9), round(h.value::numeric, 9), 'live_score: ' || l.model) FROM wfml.live_score l
JOIN by_hand h USING (model, version, metric);
SELECT is((SELECT count(*) FROM wfml.live_score WHERE value IS NOT NULL), 3::bigint, 'for all but anomalies');

-- ---- health ----

CREATE FUNCTION pg_temp.status(of text) RETURNS text LANGUAGE sql AS
    $$SELECT status || coalesce(': ' || split_part(advice, ' ', 1), '') FROM wfml.health WHERE name = of$$;
-- A model whose scores we choose.
SET ROLE wfml_watched;
SELECT wfml.train('m', 'linear', 'SELECT a, b, hit FROM points', 'hit') \g /dev/null
RESET ROLE;
UPDATE wfml.ml_model SET metrics = jsonb_set(metrics, '{0,value}', '0.75') WHERE name = 'm';
SELECT is(pg_temp.status('m'), 'healthy', 'new and unused');
SELECT is((SELECT last_used FROM wfml.health WHERE name = 'm'), NULL, 'never used');
SELECT logged('m', 1, now() - i * interval '30 minutes', '1 minute', 0.6, NULL, NULL, 'true', 0.6, (i % 4 > 0)::text)
FROM generate_series(1, 400) i \g /dev/null
SELECT is(pg_temp.status('m'), 'healthy', 'as good as in training');
SELECT results_eq($$SELECT predictions_24h, error_rate, metric, live, outcomes FROM wfml.health WHERE name = 'm'$$,
    $$SELECT 47::bigint, 0.0000, 'accuracy', 0.7500, 400::bigint$$, 'its numbers');
SELECT ok(live_lower < 0.75 AND live_upper > 0.75 AND training = 0.75, 'interval and training score') FROM wfml.health WHERE name = 'm';
SELECT is((SELECT last_used FROM wfml.health WHERE name = 'm'), date_trunc('second', now() - interval '30 minutes'), 'last used');
SAVEPOINT before;
-- 400 outcomes against a score that came from 400 rows itself
UPDATE wfml.ml_model SET metrics = jsonb_set(metrics, '{0,value}', '0.80') WHERE name = 'm';
SELECT ok(live_upper < training AND status = 'healthy', 'both scores are estimates: just outside the interval is no proof') FROM wfml.health WHERE name = 'm';
UPDATE wfml.ml_model SET metrics = jsonb_set(metrics, '{0,value}', '0.82') WHERE name = 'm';
SELECT is(pg_temp.status('m'), 'degraded: worse', 'further outside is');
UPDATE wfml.ml_model SET metrics = jsonb_set(metrics, '{0}', metrics -> 0 || '{"split": "fresh", "rows": 100}') WHERE name = 'm';
SELECT is((SELECT training_rows FROM wfml.live_score WHERE model = 'm'), 100::float8, 'a score of a retraining is of the rows that judged');
SELECT is(pg_temp.status('m'), 'healthy', 'and proves less when they were few');
UPDATE wfml.ml_model SET metrics = jsonb_set(metrics, '{0,split}', '"oob"') WHERE name = 'm';
SELECT is(training_rows, (SELECT v.training_rows FROM wfml.ml_model v WHERE v.name = 'm')::float8, 'one out of the bag is of all rows') FROM wfml.live_score WHERE model = 'm';
ROLLBACK TO before;
UPDATE wfml.ml_model SET created_at = now() - interval '31 days' WHERE name = 'm';
SELECT is(pg_temp.status('m'), 'stale: older', 'past 30 days without a policy');
INSERT INTO wfml.retrain_policy (model, max_age) VALUES ('m', '90 days');
SELECT is(pg_temp.status('m'), 'healthy', 'its policy allows more');
UPDATE wfml.retrain_policy SET max_age = '7 days' WHERE model = 'm';
SELECT is(pg_temp.status('m'), 'stale: older', 'or less');
UPDATE wfml.retrain_policy SET max_age = NULL WHERE model = 'm';
SELECT is(pg_temp.status('m'), 'healthy', 'or any age');
UPDATE wfml.retrain_policy SET max_age = '7 days' WHERE model = 'm';
INSERT INTO wfml.evaluation (model_id, model, version, metric, value, source, rows, at, by)
    SELECT id, 'm', 1, metric, value, 'drift', 1000, now() - age, 'me'
    FROM wfml.ml_model, (VALUES ('psi', 0.2, interval '1 hour'), ('psi:a', 0.2, '1 hour'), ('psi:b', 0.1, '1 hour'),
        ('psi', 0.9, '2 days'), ('psi:b', 0.9, '2 days')) v (metric, value, age) WHERE name = 'm';
SELECT is(pg_temp.status('m'), 'stale: older', 'what drifted before no longer counts');
SELECT is((SELECT drift_feature || ' ' || drift_psi FROM wfml.health WHERE name = 'm'), 'a 0.20', 'the worst feature');
INSERT INTO wfml.evaluation (model_id, model, version, metric, value, source, rows, at, by)
    SELECT id, 'm', 1, metric, 0.5, 'drift', 1000, now(), 'me' FROM wfml.ml_model, unnest(ARRAY['psi', 'psi:b']) metric WHERE name = 'm';
SELECT is(pg_temp.status('m'), 'drifting: its', 'drifting comes before stale');
SELECT is((SELECT drift_feature || ' ' || drift_psi FROM wfml.health WHERE name = 'm'), 'b 0.50', 'by this feature');
UPDATE wfml.retrain_policy SET max_drift = 0.6 WHERE model = 'm';
SELECT is(pg_temp.status('m'), 'stale: older', 'the policy bears more');
UPDATE wfml.retrain_policy SET max_drift = NULL WHERE model = 'm';
UPDATE wfml.prediction SET actual = 'false' WHERE model = 'm' AND (extract(epoch FROM now() - made_at) / 1800)::int % 4 = 1;
SELECT is(pg_temp.status('m'), 'degraded: worse', 'degraded comes before drifting');
UPDATE wfml.prediction SET actual = 'true' WHERE model = 'm';
SELECT is(pg_temp.status('m'), 'drifting: its', 'better than in training is not degraded');
INSERT INTO wfml.job_run (kind, model, model_number, role, status, message, finished_at)
    SELECT 'retrain', name, number, owner, 'failed', 'no room', now() FROM wfml.registry WHERE name = 'm';
SELECT is(pg_temp.status('m'), 'failed: its', 'a training failed');
SELECT ok(advice LIKE '%no room%', 'and why') FROM wfml.health WHERE name = 'm';
INSERT INTO wfml.job_run (kind, model, model_number, role, status, finished_at)
    SELECT 'retrain', name, number, owner, 'done', now() FROM wfml.registry WHERE name = 'm';
SELECT is(pg_temp.status('m'), 'drifting: its', 'a later one did not');
ROLLBACK TO before;
-- too few outcomes to tell
DELETE FROM wfml.prediction WHERE model = 'm' AND made_at < now() - interval '20 hours';
UPDATE wfml.prediction SET actual = 'false' WHERE model = 'm';
SELECT is(pg_temp.status('m'), 'healthy', 'too few outcomes to judge');
SELECT logged('m', 1, now() - i * interval '1 minute', '0', NULL, NULL, NULL, NULL, NULL, NULL, failure => 'no plan') FROM generate_series(1, 2) i \g /dev/null
SELECT is(pg_temp.status('m'), 'healthy', 'few errors');
SELECT logged('m', NULL, now() - i * interval '1 minute', '0', 0.5, NULL, NULL, NULL, NULL, NULL, how => 'fallback', failure => 'gone') FROM generate_series(1, 6) i \g /dev/null
SELECT is(pg_temp.status('m'), 'failed: see', 'a model that does not answer');
SELECT is((SELECT error_rate FROM wfml.health WHERE name = 'm'), round(8.0 / 48, 4), 'the rule''s answers count as errors');
ROLLBACK TO before;
CREATE TABLE scored (id int PRIMARY KEY, a float8, b float8, p float8, hit boolean);
ALTER TABLE scored OWNER TO wfml_watched;
SELECT try('wfml_watched', $$SELECT wfml.attach('m', 'scored', 'id', 'p')$$) \g /dev/null
SELECT is(pg_temp.status('m'), 'healthy', 'attached');
SAVEPOINT attached;
UPDATE wfml.prediction SET actual = NULL, actual_at = NULL WHERE model = 'm';
SELECT is(pg_temp.status('m'), 'healthy: nothing', 'without a column of outcomes');
SELECT try('wfml_watched', $$SELECT wfml.detach('m', 'scored')$$), try('wfml_watched', $$SELECT wfml.attach('m', 'scored', 'id', 'p', outcome_column => 'hit')$$) \g /dev/null
SELECT is(pg_temp.status('m'), 'healthy: no', 'with one they are yet to come');
ROLLBACK TO attached;
ALTER TABLE scored DROP COLUMN a CASCADE;
SELECT is(pg_temp.status('m'), 'failed: attached', 'an attachment broke');
SELECT is((SELECT broken_attachments FROM wfml.health WHERE name = 'm'), 1::bigint, 'one');
ROLLBACK TO before;
UPDATE wfml.registry SET active_id = NULL, active_version = NULL WHERE name = 'm';
SELECT is(pg_temp.status('m'), 'failed: no', 'no version is active');
ROLLBACK TO before;
-- lower is better
UPDATE wfml.ml_model SET metrics = jsonb_set(metrics, '{0,value}', '0.99') WHERE name = 'amount';
SELECT is(pg_temp.status('amount'), 'degraded: worse', 'r2 below that of training');
SET ROLE wfml_gone;
SELECT wfml.train('lost', 'linear', 'SELECT a, b, hit FROM points', 'hit') \g /dev/null
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM wfml_gone;
DROP ROLE wfml_gone;
SELECT is(pg_temp.status('lost'), 'orphan: its', 'the owner is gone');
SELECT is(count(*), 6::bigint, 'a superuser sees all models') FROM wfml.health;
SELECT is(try('wfml_watched', 'SELECT count(*) FROM wfml.health'), '5', 'the owner his own');

-- ---- 24 hours ----

SELECT results_eq($$SELECT predictions, p50_ms, p99_ms, cache_hits, fallback_rate, error_rate, mean_confidence FROM wfml.metrics_24h WHERE name = 'm'$$,
    $$SELECT 47::bigint, 0.100, 0.100, 0::bigint, 0.0000, 0.0000, 0.6000$$, 'a day of m');
SELECT logged('m', 1, now() - i * interval '1 minute', '0', 0.5, NULL, NULL, 'true', NULL, NULL, how => 'cache', micros => 3) FROM generate_series(1, 5) i \g /dev/null
SELECT logged('m', NULL, now() - i * interval '1 minute', '0', 0.5, NULL, NULL, NULL, NULL, NULL, how => 'fallback', failure => 'gone', micros => 900) FROM generate_series(1, 2) i \g /dev/null
SELECT results_eq($$SELECT predictions, p50_ms, p95_ms, p99_ms, cache_hits, fallback_rate, error_rate, mean_confidence FROM wfml.metrics_24h WHERE name = 'm'$$,
    $$SELECT 54::bigint, 0.100, round(percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_us)::numeric / 1000, 3),
        round(percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_us)::numeric / 1000, 3), 5::bigint, round(2.0 / 54, 4), round(2.0 / 54, 4), 0.6000
        FROM wfml.prediction WHERE model = 'm' AND made_at > now() - interval '24 hours'$$, 'with answers of cache and rule');
SELECT is((SELECT predictions FROM wfml.metrics_24h WHERE name = 'two'), (SELECT count(*) FROM wfml.prediction WHERE model = 'two'
    AND version = 2 AND made_at > now() - interval '24 hours'), 'without shadow predictions');

-- ---- through time ----

SELECT results_eq($$SELECT sum(predictions)::bigint, sum(outcomes)::bigint, round((sum(live * outcomes) / sum(outcomes))::numeric, 9)
        FROM wfml.trend('two') WHERE version = 2$$,
    $$SELECT count(*), count(actual), round(avg((label = actual)::int), 9) FROM wfml.prediction WHERE model = 'two' AND version = 2$$, 'trend adds up to the log');
SELECT results_eq($$SELECT predictions, round(live::numeric, 9) FROM wfml.trend('amount', '7 days') ORDER BY at$$,
    $$SELECT count(*), round(sqrt(avg((CASE WHEN actual <> 'unknown' THEN actual::float8 END - value) ^ 2))::numeric, 9) FROM wfml.prediction
        WHERE model = 'amount' GROUP BY date_trunc('week', made_at) ORDER BY date_trunc('week', made_at)$$, 'weeks of a regression');
SELECT is((SELECT fallback_rate FROM wfml.trend('m') WHERE version IS NULL), 1::float8, 'the rule has lines of its own');
SELECT wfml.evaluate('m', 'points') \g /dev/null
SELECT ok(evaluated IS NOT NULL, 'stored evaluations stand beside') FROM wfml.trend('m') WHERE at = date_trunc('day', now()) AND version = 1;
SELECT throws_ok($$SELECT * FROM wfml.trend('m', '1 month')$$, '22023', NULL, 'months differ in length');
SELECT throws_ok($$SELECT * FROM wfml.trend('m', since => NULL)$$, '22023', NULL, 'since when?');
SELECT is(count(*), 0::bigint, 'milliseconds without digits of no meaning') FROM wfml.trend('m') WHERE p95_ms::text ~ '\.\d{4}';
SELECT throws_ok($$SELECT * FROM wfml.trend('nothing')$$, 'WF001', NULL, 'no such model');

-- ---- who sees what ----

SELECT wfml.grant_model('m', 'wfml_guest') \g /dev/null
SELECT is(try('wfml_guest', 'SELECT string_agg(name, '','') FROM wfml.health'), 'm', 'a grantee sees the model');
SELECT is(try('wfml_guest', 'SELECT predictions_24h || coalesce(live::text, '' none'') FROM wfml.health'), '0 none', 'not the predictions of others');
SELECT is(try('wfml_guest', 'SELECT predictions FROM wfml.metrics_24h'), '0', 'nor in metrics_24h');
SELECT is(try('wfml_guest', 'SELECT count(*) FROM wfml.answers'), '0', 'nor their rows');
SELECT is(try('wfml_guest', 'SELECT count(*) FROM wfml.trend(''m'') WHERE predictions > 0'), '0', 'nor in trend()');
SELECT logged('m', 1, now() - i * interval '1 minute', '0', 0.5, NULL, NULL, 'true', 0.5, 'true', by => 'wfml_guest', who => 'u' || i % 2) FROM generate_series(1, 10) i \g /dev/null
SELECT is(try('wfml_guest', 'SELECT predictions_24h || '' '' || live || '' '' || outcomes FROM wfml.health'), '10 1.0000 10', 'his own he sees');
SELECT is(try('wfml_guest', 'SELECT n FROM wfml.live_scores(''m'') WHERE metric = ''accuracy'''), '10', 'also in live_scores()');
SELECT is(try('wfml_watched', 'SELECT predictions FROM wfml.metrics_24h WHERE name = ''m'''), '64', 'the owner sees both');
SELECT set_config('wfml.user_id', 'u1', true) \g /dev/null
SELECT is(try('wfml_guest', 'SELECT predictions_24h || '' '' || outcomes FROM wfml.health'), '5 5', 'wfml.user_id narrows it');
SELECT is(try('wfml_watched', 'SELECT predictions_24h || '' '' || outcomes FROM wfml.health WHERE name = ''m'''), '5 5', 'for the owner, too');
SELECT is(try('wfml_guest', 'SELECT outcomes FROM wfml.outcome_delay'), '5', 'and for the delay');
SELECT set_config('wfml.user_id', '', true) \g /dev/null
SELECT is(try('wfml_nobody', 'SELECT count(*) FROM wfml.' || v), '0', 'a stranger sees nothing of ' || v)
FROM unnest(ARRAY['health', 'metrics_24h', 'answers', 'live_score', 'outcome_delay']) v;
SELECT is(try('wfml_nobody', 'SELECT sum(value) FROM wfml.system_metrics WHERE covers LIKE ''models that%'''), '0', 'nor counts of models');
SELECT is(try('wfml_nobody', 'SELECT count(*) FROM wfml.' || f || '(''m'')'), '42501', 'nor calls ' || f) FROM unnest(ARRAY['live_scores', 'trend']) f;
SELECT is(try('wfml_nobody', $$SELECT count(*) FROM wfml.compare('{m,m}', 'points')$$), '42501', 'nor compare');
SELECT is(try('wfml_nobody', 'SELECT count(*) FROM wfml.counter_rows()'), '42501', 'nor counts by version');
SELECT is(try('wfml_nobody', 'SELECT count(*) FROM wfml.usable_model'), '42501', 'nor the helper view');
SELECT is((SELECT value FROM wfml.system_metrics WHERE metric = 'versions'), 7::numeric, 'versions in the database');
SELECT is(try('wfml_watched', 'SELECT value FROM wfml.system_metrics WHERE metric = ''models'''), '5', 'models of the owner');
SELECT ok(count(*) = 5 AND bool_and(value > 0 OR metric IN ('log_rows', 'jobs_running', 'jobs_queued', 'jobs_failed_24h')), 'measurements of the database')
FROM wfml.system_metrics WHERE metric IN ('log_rows', 'log_bytes', 'artifact_bytes', 'jobs_running', 'jobs_queued');

-- ---- models side by side ----

SET ROLE wfml_watched;
SELECT wfml.train('half', 'linear', 'SELECT b, hit FROM points', 'hit') \g /dev/null
SELECT wfml.train('simple', 'linear', 'SELECT a, amount FROM points', 'amount') \g /dev/null
CREATE TABLE fresh AS SELECT drawn(i, 1) AS a, drawn(i, 2) AS b, drawn(i, 1) + 0.3 * drawn(i, 3) > 0.6 AS hit,
    drawn(i, 1) + 2 * drawn(i, 2) + 0.2 * drawn(i, 4) AS amount FROM generate_series(5001, 6000) i;
RESET ROLE;
CREATE TEMPORARY TABLE compared AS SELECT * FROM wfml.compare('{two@2,half,two@1}', 'fresh');
SELECT is(round(c.value::numeric, 9), round(e.value::numeric, 9), format('compare: %s of %s as evaluate()', c.metric, c.model))
FROM compared c, LATERAL wfml.evaluate(c.model, 'fresh') e WHERE e.metric = c.metric;
SELECT is(string_agg(verdict, ',' ORDER BY metric, model COLLATE "C"), 'worse,no difference shown,reference,worse,no difference shown,reference', 'verdicts')
FROM compared;
SELECT is((SELECT rows FROM compared LIMIT 1), 1000::bigint, 'rows');
-- McNemar's mid-p by hand
SELECT is((SELECT round(p_value::numeric, 12) FROM compared WHERE model = 'half' AND metric = 'accuracy'),
    (SELECT round((2 * sum(p) FILTER (WHERE k <= m) - sum(p) FILTER (WHERE k = m))::numeric, 12)
    FROM (SELECT least(b, c) AS m, b + c AS n FROM (SELECT count(*) FILTER (WHERE t AND NOT h) AS b, count(*) FILTER (WHERE h AND NOT t) AS c
        FROM (SELECT (wfml.classify('two@2', f) = f.hit::text) AS t, (wfml.classify('half', f) = f.hit::text) AS h FROM fresh f) x) y) z,
        LATERAL (SELECT k, exp(sum(ln(n - k + i)) FILTER (WHERE i > 0) - sum(ln(i)) FILTER (WHERE i > 0) - n * ln(2.0::float8)) AS p
            FROM generate_series(1, m) k, generate_series(1, k) i GROUP BY k UNION ALL SELECT 0, exp(-n * ln(2.0::float8))) b), 'McNemar''s mid-p by hand');
CREATE TEMPORARY TABLE amounts AS SELECT * FROM wfml.compare('{simple,amount}', 'fresh', 'amount');
SELECT is(string_agg(verdict, ',' ORDER BY metric, model), 'better,reference,better,reference', 'of regressions') FROM amounts;
SELECT ok(lower < difference AND difference < upper AND upper < 0 AND p_value < 0.01 AND abs(difference - (value - (SELECT value FROM amounts f
    WHERE f.model = 'simple' AND f.metric = a.metric))) < 1e-9, 'interval of ' || metric) FROM amounts a WHERE model = 'amount';
SELECT is((SELECT string_agg(c::text, '') FROM wfml.compare('{simple,amount}', 'fresh') c), (SELECT string_agg(a::text, '') FROM amounts a), 'the same every time');
SELECT throws_ok($$SELECT * FROM wfml.compare('{two,amount}', 'fresh')$$, 'WF002', NULL, 'kinds do not mix');
SELECT throws_ok($$SELECT * FROM wfml.compare('{two}', 'fresh')$$, '22023', NULL, 'one is none');
SELECT throws_ok($$SELECT * FROM wfml.compare('{odd,two}', 'fresh')$$, 'WF002', NULL, 'nor anomalies');
SELECT throws_ok($$SELECT * FROM wfml.compare('{two,half}', 'SELECT a, b FROM fresh')$$, '42703', NULL, 'without the outcome');

SELECT * FROM finish();
ROLLBACK;
