-- Caches: answers that come again, how long, how many, for whom; limits of
-- opened models.

\set QUIET 1
SET client_min_messages = warning;
BEGIN;
SELECT plan(58);

CREATE ROLE wfml_first;
CREATE ROLE wfml_second;
GRANT CREATE ON SCHEMA public TO wfml_first;

CREATE TABLE points AS SELECT i % 50 AS x, i % 7 AS z, (i % 50)::float8 * 3 + i % 7 AS y, 'c' || i % 3 AS kind FROM generate_series(1, 700) i;
GRANT SELECT ON points TO wfml_first;

-- The first value of a query, or its SQLSTATE.
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

CREATE FUNCTION entries() RETURNS bigint LANGUAGE sql AS 'SELECT entries FROM wfml.prediction_cache_stats()';
CREATE FUNCTION hits() RETURNS bigint LANGUAGE sql AS 'SELECT hits FROM wfml.prediction_cache_stats()';
CREATE FUNCTION misses() RETURNS bigint LANGUAGE sql AS 'SELECT misses FROM wfml.prediction_cache_stats()';
CREATE FUNCTION source(model text, x int) RETURNS text LANGUAGE sql AS
    $$SELECT source FROM wfml.predict_cached(model, jsonb_build_object('x', x, 'z', 1))$$;

SELECT lives_ok($$SELECT * FROM wfml.train('line', 'random_forest', 'SELECT x, z, y FROM points', 'y', '{"trees": 10, "validation": "none"}')$$, 'a regression');
SELECT lives_ok($$SELECT * FROM wfml.train('kinds', 'gradient_boosting', 'SELECT x, z, kind FROM points', 'kind', '{"rounds": 10, "validation": "none"}')$$, 'three classes');
SELECT lives_ok($$SELECT * FROM wfml.train('odd', 'isolation_forest', 'SELECT x, z FROM points', params => '{"trees": 10}')$$, 'anomalies');
SELECT lives_ok($$SELECT * FROM wfml.train('straight', 'linear', 'SELECT x, z, y FROM points', 'y', '{"validation": "none"}')$$, 'a linear model');

-- ---- the same answers ----

SELECT wfml.cache_clear() \g /dev/null
CREATE TABLE models (model text);
INSERT INTO models VALUES ('line'), ('kinds'), ('odd'), ('straight');
CREATE FUNCTION unlike(model text, expected text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    SELECT count(*) INTO n FROM (SELECT wfml.predict_cached(model, p.*) AS c, wfml.predict_detail(model, p.*) AS d FROM points p OFFSET 0) s
    WHERE ((c).value, (c).lower, (c).upper, (c).label, (c).confidence, (c).model_version)
        IS DISTINCT FROM ((d).value, (d).lower, (d).upper, (d).label, (d).confidence, (d).model_version)
        OR (expected = 'cache' AND (c).source <> 'cache');
    RETURN n;
END $$;
SELECT is(unlike(model, 'any'), 0::bigint, model || ': answers are those of predict_detail()') FROM models;
SELECT is(unlike(model, 'cache'), 0::bigint, model || ': also from the cache, every one of them') FROM models;
SELECT is(entries(), 4 * 350::bigint, 'an answer for each model and each set of features');
SELECT is(misses(), 4 * 350::bigint, 'each was missing once');

-- NULL is a value like any other; -0 and 0 are not told apart in the answer.
SELECT is((SELECT array_agg(source) FROM (SELECT (wfml.predict_cached('line', '{"x": null, "z": 1}')).source FROM generate_series(1, 2) OFFSET 0) s),
    ARRAY['function', 'cache'], 'a missing value is found again');
SELECT is((SELECT value FROM wfml.predict_cached('line', '{"x": -0.0, "z": 1}')),
    (SELECT value FROM wfml.predict_cached('line', '{"x": 0, "z": 1}')), 'minus zero');

-- ---- versions ----

SELECT wfml.cache_clear() \g /dev/null
SELECT is(source('line', 1), 'function', 'not known yet');
SELECT is(source('line', 1), 'cache', 'known');
SELECT is(source('line@1', 1), 'cache', 'by its version, too');
SELECT lives_ok($$SELECT * FROM wfml.train('line', 'random_forest', 'SELECT x, z, -y AS y FROM points', 'y', '{"trees": 10, "validation": "none"}')$$, 'a new version');
SELECT ok((SELECT source = 'function' AND value < 0 AND model_version = 2 FROM wfml.predict_cached('line', '{"x": 1, "z": 1}')), 'has its own answer');
SELECT ok((SELECT source = 'cache' AND value > 0 AND model_version = 1 FROM wfml.predict_cached('line@1', '{"x": 1, "z": 1}')), 'the old version its old one');
SAVEPOINT s;
SELECT wfml.drop_model('line', 1) \g /dev/null
SELECT throws_ok($$SELECT source('line@1', 1)$$, 'WF001', NULL, 'a dropped version does not answer from memory');
ROLLBACK TO s;
SELECT is(source('line@1', 1), 'cache', 'the drop rolled back, it does');
SELECT wfml.rename_model('line', 'curve') \g /dev/null
SELECT is(source('curve@1', 1), 'cache', 'a new name is no new model');
SELECT throws_ok($$SELECT source('line', 1)$$, 'WF001', NULL, 'the old name is unknown');
SELECT wfml.rename_model('curve', 'line') \g /dev/null

-- An id that is given to other bytes.
SELECT is((SELECT source FROM wfml.predict_cached('straight', '{"x": 5, "z": 5}')), 'function', 'the model whose id will be given anew');
SAVEPOINT s;
SELECT set_config('test.id', wfml.version_id('straight')::text, true) \g /dev/null
SELECT wfml.drop_model('straight') \g /dev/null
SELECT setval(pg_get_serial_sequence('wfml.ml_model', 'id'), current_setting('test.id')::bigint, false) \g /dev/null
SELECT count(*) FROM wfml.train('straight', 'linear', 'SELECT x, z, -y AS y FROM points', 'y', '{"validation": "none"}') \g /dev/null
SELECT is(wfml.version_id('straight'), current_setting('test.id')::bigint, 'the same id');
SELECT ok((SELECT source = 'function' AND value < 0 FROM wfml.predict_cached('straight', '{"x": 5, "z": 5}')), 'is not the same model');
ROLLBACK TO s;
SELECT ok((SELECT source = 'cache' AND value > 0 FROM wfml.predict_cached('straight', '{"x": 5, "z": 5}')), 'and back again');
SELECT setval(pg_get_serial_sequence('wfml.ml_model', 'id'), max(id)) FROM wfml.ml_model \g /dev/null

-- ---- how long ----

SET LOCAL wfml.prediction_cache_ttl = '1s';
SELECT is(source('line', 2), 'function', 'asked for the first time');
SELECT pg_sleep(1.01) \g /dev/null
SELECT is(source('line', 2), 'function', 'a second later it is too old');
SET LOCAL wfml.prediction_cache_ttl = '1h';
SELECT is(source('line', 2), 'cache', 'but predicted again it is new');
SET LOCAL wfml.prediction_cache_ttl = 0;
SELECT is(source('line', 2), 'function', 'without any time nothing is kept');
SELECT is(source('line', 2), 'function', 'nor looked up');
RESET wfml.prediction_cache_ttl;

-- ---- how many ----

SELECT wfml.cache_clear() \g /dev/null
SET LOCAL wfml.prediction_cache_entries = 10;
SELECT count(source('line', x)) FROM generate_series(1, 10) x \g /dev/null
SELECT is(source('line', 1), 'cache', 'the first of ten is there');
SELECT count(source('line', x)) FROM generate_series(11, 13) x \g /dev/null
SELECT is(entries(), 10::bigint, 'no more than the limit');
SELECT is(source('line', 1), 'cache', 'what was used last stays');
SELECT is((SELECT string_agg(x::text, ' ' ORDER BY x) FROM generate_series(1, 13) x WHERE hits() IS NOT NULL AND x IN (2, 3, 4)
    AND (SELECT source FROM wfml.predict_cached('line', jsonb_build_object('x', x, 'z', 1))) = 'function'), '2 3 4', 'what was not used for longest is gone');
SET LOCAL wfml.prediction_cache_entries = 0;
SELECT is(source('line', 1), 'function', 'none are kept');
RESET wfml.prediction_cache_entries;

-- In bytes: 700 features.
CREATE TABLE wide AS SELECT jsonb_object_agg('f' || f, (hashint4(i * 1000 + f) % 100)) AS input, i FROM generate_series(1, 400) i, generate_series(1, 700) f GROUP BY i;
SELECT lives_ok(format($$SELECT * FROM wfml.train('wide', 'random_forest', %L, 'y', '{"trees": 3, "validation": "none"}')$$,
    (SELECT 'SELECT i AS y, ' || string_agg(format('hashint4(i * 1000 + %s) %% 100 AS f%s', f, f), ', ') || ' FROM generate_series(1, 400) i' FROM generate_series(1, 700) f)), 'a wide model');
SELECT wfml.cache_clear() \g /dev/null
SET LOCAL wfml.model_cache_memory = '1MB';
SELECT count(wfml.predict_cached('wide', input)) FROM wide \g /dev/null
SELECT cmp_ok((SELECT size FROM wfml.prediction_cache_stats()), '<=', (1024 * 1024 * 5 / 16)::bigint, 'memory is limited');
SELECT cmp_ok(entries(), '>', 20::bigint, 'and used');
RESET wfml.model_cache_memory;

-- ---- for whom ----

SET LOCAL ROLE wfml_first;
SELECT count(*) FROM wfml.train('secret', 'linear', 'SELECT x, z, y FROM points', 'y', '{"validation": "none"}') \g /dev/null
SELECT value FROM wfml.predict_cached('secret', '{"x": 1, "z": 1}') \g /dev/null
RESET ROLE;
SELECT is(try('wfml_first', $$SELECT source FROM wfml.predict_cached('secret', '{"x": 1, "z": 1}')$$), 'cache', 'its owner is answered from memory');
SELECT is(try('wfml_second', $$SELECT source FROM wfml.predict_cached('secret', '{"x": 1, "z": 1}')$$), '42501', 'another role of the session is not');
SELECT is(try('wfml_second', $$SELECT count(*) FROM wfml.shared_cache_stats()$$), '42501', 'nor sees what others share');
SELECT is(try('wfml_second', $$SELECT count(*) > 0 FROM wfml.cache_stats()$$), 'true', 'the session''s own cache is no secret');
SELECT wfml.grant_model('secret', 'wfml_second') \g /dev/null
SELECT is(try('wfml_second', $$SELECT source FROM wfml.predict_cached('secret', '{"x": 1, "z": 1}')$$), 'cache', 'with a grant it is');
SELECT wfml.revoke_model('secret', 'wfml_second') \g /dev/null
SELECT is(try('wfml_second', $$SELECT source FROM wfml.predict_cached('secret', '{"x": 1, "z": 1}')$$), '42501', 'and without it no longer');
SELECT is(try('wfml_second', $$SET wfml.shared_cache_memory = 0$$), '42501', 'limits are the superuser''s');

-- ---- by itself: only where it saves time ----

SELECT count(*) FROM wfml.train('slow', 'random_forest', 'SELECT x, z, y + sin(x * z) AS y FROM points', 'y', '{"trees": 2000, "validation": "none"}') \g /dev/null
SELECT wfml.cache_clear() \g /dev/null
CREATE FUNCTION from_cache(model text, n int, different int) RETURNS bigint LANGUAGE sql AS
    $$SELECT count(*) FILTER (WHERE source = 'cache') FROM generate_series(1, n) i, LATERAL wfml.log_predict(model, jsonb_build_object('x', i % different, 'z', 1))$$;
SELECT cmp_ok(from_cache('slow', 500, 2), '>', 400::bigint, 'log_predict() gives the answers of a slow model again');
SELECT is(from_cache('straight', 500, 2), 0::bigint, 'those of a quick one it makes anew');
SELECT is((SELECT count(*) FROM wfml.predictions WHERE model = 'slow' AND source = 'cache') BETWEEN 401 AND 499, true, 'the log says so');
SELECT set_config('test.misses', misses()::text, true) \g /dev/null
SELECT from_cache('slow', 2000, 1000000) \g /dev/null
SELECT cmp_ok(misses() - current_setting('test.misses')::bigint, '<', 1000::bigint, 'where nothing recurs it soon stops looking');

-- ---- opened models ----

SELECT wfml.cache_clear() \g /dev/null
SELECT count(t) FROM (SELECT wfml.train('m' || i, 'random_forest', 'SELECT x, z, y FROM points', 'y', '{"trees": 200, "validation": "none"}') AS t FROM generate_series(1, 15) i OFFSET 0) s \g /dev/null
SELECT count(p) FROM (SELECT wfml.predict('m' || i, '{"x": 1, "z": 1}') AS p FROM generate_series(1, 15) i OFFSET 0) s \g /dev/null
SELECT is((SELECT count(*) FROM wfml.cache_stats()), 10::bigint, 'of fifteen models ten stay opened');
SELECT is((SELECT count(*) FROM wfml.cache_stats() c JOIN wfml.versions v ON v.id = c.model_id WHERE v.name IN ('m15', 'm6')), 2::bigint, 'the ones used last');
SET LOCAL wfml.model_cache_memory = '1MB';
SELECT wfml.predict('m1', '{"x": 1, "z": 1}') \g /dev/null
SELECT cmp_ok((SELECT sum(size) FROM wfml.cache_stats()), '<=', 1024 * 1024::numeric, 'memory is limited');
SELECT cmp_ok((SELECT count(*) FROM wfml.cache_stats()), '>=', 1::bigint, 'the one in use stays');

SELECT * FROM finish();
ROLLBACK;
