-- Every kind of model, trained and asked under each vector path that
-- wfml.simd can force: the answers are those of the scalar path, to 1e-5.
-- (On a processor without a path the next lower one stands in.)

\set QUIET 1
SET client_min_messages = error;
BEGIN;
SET LOCAL max_parallel_maintenance_workers = 0;
SET LOCAL timezone = 'UTC';

CREATE TABLE points AS
    SELECT i AS id, sin(i)::float4 AS a, (i * 7919 % 101)::float4 AS b, 'c' || i % 7 AS c, i % 3 = 0 AS label, sin(i) * 3 + i % 7 AS y
    FROM generate_series(1, 1200) i;
CREATE TABLE log AS
    SELECT i / 8 AS id, 'e' || (i * i / 3 + i % 5) % 7 AS event,
           '2024-01-01'::timestamp + i * interval '11 min' + (i % 8) ^ 2 * interval '1 min' * (1 + i / 8 % 3) AS at
    FROM generate_series(0, 1599) i;
CREATE TABLE rating AS
    SELECT i % 97 AS u, (i * i + i / 7) % 61 AS item, 1 + (i % 97 % 5 * ((i * i + i / 7) % 61 % 4)) % 5 + i % 3 / 3.0 AS r
    FROM generate_series(1, 2500) i;
CREATE TABLE history AS
    SELECT id, array_agg(event ORDER BY at) AS events, array_agg(at ORDER BY at) AS times FROM log WHERE id < 20 GROUP BY id;

CREATE FUNCTION train_all(prefix text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM wfml.train(prefix || 'forest', 'random_forest', 'SELECT a, b, c, label FROM points', 'label', '{"trees": 20}');
    PERFORM wfml.train(prefix || 'boosting', 'gradient_boosting', 'SELECT a, b, c, y FROM points', 'y', '{"rounds": 30}');
    PERFORM wfml.train(prefix || 'linear', 'linear', 'SELECT a, b, c, y FROM points', 'y');
    PERFORM wfml.train(prefix || 'isolation', 'isolation_forest', 'SELECT a, b, c FROM points');
    PERFORM wfml.train_sequence(prefix || 'sequence', 'log', 'id', 'event', 'at', '{"hidden": 20, "epochs": 3}');
    PERFORM wfml.train_sequence(prefix || 'lstm', 'log', 'id', 'event', 'at', '{"hidden": 20, "epochs": 3, "predictor": "lstm", "validation": "none"}');
    PERFORM wfml.train_recommender(prefix || 'explicit', 'rating', 'u', 'item', 'r');
    PERFORM wfml.train_recommender(prefix || method, 'SELECT u, item FROM rating', 'u', 'item', params => jsonb_build_object('method', method, 'validation', 'none'))
    FROM unnest('{ease,als,nmf}'::text[]) method;
END $$;

CREATE TABLE answer (path text, trained boolean, kind text, key text, value float8);
-- The answers of the models with a prefix.
CREATE FUNCTION ask_all(asked_path text, is_trained boolean, prefix text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    model text;
BEGIN
    PERFORM wfml.cache_clear();
    INSERT INTO answer
        SELECT asked_path, is_trained, 'forest', id::text, wfml.predict(prefix || 'forest', p) FROM points p WHERE id <= 200
        UNION ALL SELECT asked_path, is_trained, 'boosting', id::text, wfml.predict(prefix || 'boosting', p) FROM points p WHERE id <= 200
        UNION ALL SELECT asked_path, is_trained, 'linear', id::text, wfml.predict(prefix || 'linear', p) FROM points p WHERE id <= 200
        UNION ALL SELECT asked_path, is_trained, 'isolation', id::text, wfml.anomaly_score(prefix || 'isolation', p) FROM points p WHERE id <= 200
        UNION ALL SELECT asked_path, is_trained, 'batch', p.key, p.value FROM wfml.predict_batch(prefix || 'boosting', 'points', 'id') p
        UNION ALL SELECT asked_path, is_trained, 'rating', u || ' ' || item, wfml.predict_rating(prefix || 'explicit', u, item)
            FROM generate_series(0, 9) u, generate_series(0, 60) item;
    FOREACH model IN ARRAY '{sequence,lstm}'::text[] LOOP
        INSERT INTO answer
            SELECT asked_path, is_trained, model, id || ' ' || coalesce(e.event, ''), e.probability
            FROM history, LATERAL wfml.next_event(prefix || model, events, 100, times) e
            UNION ALL SELECT asked_path, is_trained, model || ' time', id::text, ln(1 + extract(epoch FROM wfml.next_event_time(prefix || model, events, times)))
            FROM history
            UNION ALL SELECT asked_path, is_trained, model || ' score', id::text, wfml.sequence_score(prefix || model, events, times) FROM history;
    END LOOP;
    FOREACH model IN ARRAY '{ease,als,nmf}'::text[] LOOP
        INSERT INTO answer SELECT asked_path, is_trained, model, u || ' ' || e.item, e.score
            FROM generate_series(0, 20) u, LATERAL wfml.recommend(prefix || model, u, 61) e;
    END LOOP;
END $$;

SELECT no_plan();
-- the first call loads the library, and with it the setting
SELECT is(wfml.cache_clear() >= 0, true, 'loaded');
SELECT is(current_setting('wfml.simd'), 'auto', 'the best there is, if not said otherwise');
SET LOCAL wfml.simd = 'scalar';
SELECT train_all('');
SELECT ask_all('scalar', false, '');
SELECT is((SELECT count(DISTINCT kind) FROM answer WHERE value IS NOT NULL), 15::bigint, 'every kind has answers');

\o /dev/null
SET LOCAL wfml.simd = 'avx2';
SELECT ask_all('avx2', false, ''), train_all('avx2_'), ask_all('avx2', true, 'avx2_');
SET LOCAL wfml.simd = 'avx512';
SELECT ask_all('avx512', false, ''), train_all('avx512_'), ask_all('avx512', true, 'avx512_');
SET LOCAL wfml.simd = 'auto';
SELECT ask_all('auto', false, ''), train_all('auto_'), ask_all('auto', true, 'auto_');
\o

-- relative to the size of the values of a kind
SELECT cmp_ok(max(abs(a.value - s.value) / (1 + abs(s.value)))::numeric(12, 9), '<=', 1e-5::numeric,
              format('%s %s on path %s', a.kind, CASE WHEN a.trained THEN 'trained' ELSE 'asked' END, a.path))
FROM answer a JOIN answer s ON s.kind = a.kind AND s.key = a.key AND s.path = 'scalar'
WHERE a.path <> 'scalar' GROUP BY a.kind, a.trained, a.path ORDER BY a.kind, a.trained, a.path;
SELECT is((SELECT count(*) FROM (SELECT kind, key FROM answer WHERE value IS NOT NULL GROUP BY kind, key HAVING count(*) <> 7) x), 0::bigint, 'on every path the same ones');

-- workers take the leader's path
SET LOCAL wfml.simd = 'scalar';
SET LOCAL max_parallel_maintenance_workers = 2;
SELECT train_all('');
SELECT is((SELECT string_agg(name, ' ') FROM (SELECT name FROM wfml.ml_model WHERE name IN ('forest', 'boosting', 'linear', 'isolation', 'sequence', 'lstm', 'explicit', 'ease', 'als', 'nmf')
           GROUP BY name HAVING count(DISTINCT artifact_sha256) > 1) x), NULL, 'with workers the same bytes on the scalar path');
SET LOCAL max_parallel_maintenance_workers = 0;

-- a setting for superusers
CREATE ROLE wfml_simd_user;
SET LOCAL ROLE wfml_simd_user;
SELECT throws_ok($$SET LOCAL wfml.simd = 'scalar'$$, '42501');
RESET ROLE;
SELECT throws_ok($$SET LOCAL wfml.simd = 'mmx'$$, '22023');

SELECT * FROM finish();
ROLLBACK;
