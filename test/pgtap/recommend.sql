-- Recommenders through SQL: ids, repetitions, NULLs, strangers, ratings,
-- attributes, errors, odd shapes, rights, and floors of accuracy.

\set QUIET 1
SET client_min_messages = warning;
BEGIN;
SELECT * FROM no_plan();
\i test/data/load.sql

-- The SQLSTATE of a statement that must fail.
CREATE FUNCTION state(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE query;
    RETURN 'no error';
EXCEPTION WHEN others THEN
    RETURN SQLSTATE;
END $$;
CREATE FUNCTION hint(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE query;
    RETURN 'no error';
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS result = PG_EXCEPTION_HINT;
    RETURN result;
END $$;
-- Items recommended, best first.
CREATE FUNCTION list(model text, user_id text, n int DEFAULT 10, exclude_seen boolean DEFAULT true, history text[] DEFAULT NULL)
    RETURNS text[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(r.item ORDER BY r.rank), '{}') FROM wfml.recommend(model, user_id, n, exclude_seen, history) r $$;

-- Two tastes: users 1..60 like items of their own parity.
CREATE TABLE likes AS
    SELECT u, i, (u * 7 + i * 3) % 5 + 1 AS r, timestamptz '2026-01-01Z' + (u * 31 + i * 17) % 97 * interval '1 day' AS at
    FROM generate_series(1, 60) u, generate_series(1, 20) i
    WHERE u % 2 = i % 2 AND (u + i / 2) % 3 > 0;

-- ---- ids keep their text, whatever their type and the settings ----

CREATE TYPE mood AS ENUM ('sad', 'o''k', 'very "happy"');
CREATE DOMAIN sku AS text CHECK (VALUE <> 'x');
CREATE TABLE ids (type text, id text);
INSERT INTO ids VALUES
    ('int2', '-7'), ('int4', '2147483647'), ('int8', '-9223372036854775808'), ('numeric', '1.50'), ('float4', '0.1'), ('float8', '0.30000000000000004'),
    ('boolean', 'true'), ('text', ''), ('text', 'a''b"c\d' || E'\n\t' || '日本 ☕'), ('varchar', 'x y '), ('char(5)', 'ab'), ('name', 'n'),
    ('uuid', 'b4fbc78e-5e58-4d37-8a33-c7b2f3a1a2d7'), ('mood', 'very "happy"'), ('sku', 'abc'), ('date', '2026-02-01'),
    ('timestamp', '2026-02-01 03:04:05.678'), ('timestamptz', '2026-02-01 03:04:05+00'), ('interval', '1 day 02:00:00'), ('bytea', '\x00ff'),
    ('inet', '10.0.0.1'), ('jsonb', '{"a": 1}'), ('int[]', '{1,2}'), ('bit(3)', '101');
CREATE FUNCTION kept(type text, id text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TEMP TABLE t AS SELECT %L::%s AS id, u, i FROM likes', id, type);
    SET LOCAL DateStyle = 'SQL, DMY'; SET LOCAL IntervalStyle = 'iso_8601'; SET LOCAL extra_float_digits = -5; SET LOCAL bytea_output = 'escape';
    PERFORM 1 FROM wfml.train_recommender('ids', 'SELECT u, id FROM t UNION ALL SELECT u + 100, id FROM t', 'u', 'id', params => '{"method": "popular", "validation": "none"}');
    RESET DateStyle; RESET IntervalStyle; RESET extra_float_digits; RESET bytea_output;
    DROP TABLE t;
    RETURN (SELECT r.item FROM wfml.recommend('ids', NULL, 2) r);
END $$;
SET LOCAL TimeZone = 'UTC';
SELECT is(kept(type, id), id, type || ' ' || id) FROM ids;

SELECT model FROM wfml.train_recommender('uuids', $$SELECT md5(u::text)::uuid AS u, i FROM likes$$, 'u', 'i', params => '{"method": "item_knn", "validation": "none"}') \g /dev/null
SELECT set_has(format('SELECT source FROM wfml.recommend(%L, md5(%L)::uuid, 1)', 'uuids', '3'), $$VALUES ('collaborative')$$, 'a user by uuid');
SELECT set_has($$SELECT source FROM wfml.recommend('uuids', md5('3'), 1)$$, $$VALUES ('popular')$$, 'its text without dashes is another');

-- ---- calls resolve ----

SELECT model FROM wfml.train_recommender('m', 'likes', 'u', 'i', params => '{"method": "ease", "regularization": 5, "user_weight": "equal", "validation": "none"}') \g /dev/null
PREPARE untyped AS SELECT count(*) FROM wfml.recommend('m', $1, n => $2);
PREPARE untyped_rating AS SELECT wfml.predict_rating('r', $1, $2);
SELECT lives_ok(q, q) FROM unnest(ARRAY[
    $$SELECT * FROM wfml.recommend('m', 42)$$, $$SELECT * FROM wfml.recommend('m', '42')$$, $$SELECT * FROM wfml.recommend('m', NULL)$$,
    $$SELECT * FROM wfml.recommend('m', 42::smallint, 3)$$, $$SELECT * FROM wfml.recommend('m', 42::bigint, 3, false)$$,
    $$SELECT * FROM wfml.recommend('m', 'x'::varchar, history => '{1}')$$, $$SELECT * FROM wfml.recommend('m', 'x'::name, history => ARRAY[1, 3]::text[])$$,
    $$SELECT * FROM wfml.recommend(user_id => NULL, model => 'm', exclude_seen => false, n => 2)$$,
    $$SELECT * FROM wfml.recommend('m', gen_random_uuid())$$, $$SELECT * FROM wfml.recommend('m@1', 42)$$,
    $$EXECUTE untyped('4', 2)$$, $$EXECUTE untyped(NULL, 2)$$, $$SELECT wfml.recommend('m', 42)$$,
    $$SELECT * FROM wfml.similar_items('m', 4)$$, $$SELECT * FROM wfml.similar_items('m', '4', 2)$$, $$SELECT * FROM wfml.similar_items('m', item => NULL, n => 2)$$,
    $$SELECT * FROM wfml.recommend('m', 1, NULL, NULL, NULL)$$]) q;

-- ---- what comes back ----

SELECT is((SELECT array_agg(r.rank ORDER BY r.source = 'popular', r.score DESC, r.rank) FROM wfml.recommend('m', 1, 6) r), '{1,2,3,4,5,6}', 'ranks follow scores');
SELECT is_empty($$SELECT r.item FROM wfml.recommend('m', 1, 100) r JOIN likes ON u = 1 AND i::text = r.item$$, 'what a user has is left out');
SELECT results_eq($$SELECT count(*) FROM wfml.recommend('m', 1, 100, exclude_seen => false)$$, $$VALUES (20::bigint)$$, 'or not, and n stops at the catalogue');
SELECT ok(bool_and(r.item::int % 2 = 1), 'the taste comes first') FROM wfml.recommend('m', 1, 3) r;
SELECT is(list('m', 'nobody', history => array_agg(i::text)), list('m', '1'), 'a history alone recommends as if the user were known') FROM likes WHERE u = 1;
SELECT is(list('m', '1', history => '{1,1,1,bogus,NULL}'), list('m', '1', history => '{1}'), 'repetitions, unknown items and NULLs tell nothing');
SELECT ok(NOT list('m', '2', 20, history => '{1}') @> '{1}', 'the history counts as seen');
SELECT is((SELECT array_agg(DISTINCT r.source) FROM wfml.recommend('m', 'nobody') r), '{popular}', 'without history: popular');
SELECT is(list('m', NULL), list('m', 'nobody'), 'NULL is an unknown user');
SELECT is(list('m', '1', 0), '{}', 'none wanted');
SELECT is_empty($$SELECT * FROM wfml.similar_items('m', 'bogus')$$, 'nothing is like an unknown item');
SELECT ok(bool_and(s.item <> '3' AND s.item::int % 2 = 1), 'alike: the same taste, not itself') FROM wfml.similar_items('m', 3, 3) s;
SELECT is(list('m', repeat('x', 100000)), list('m', NULL), 'an id longer than any in training');
SELECT is((SELECT sum(c) FROM (SELECT count(*) AS c FROM likes l, LATERAL wfml.recommend('m', l.u, 2) r) s)::int, 2 * count(*)::int, 'many calls in a query') FROM likes;

-- ---- repetitions ----

SELECT model FROM wfml.train_recommender('once', 'SELECT u, i, r FROM likes', 'u', 'i', 'r', params => '{"validation": "none", "method": "item_knn"}') \g /dev/null
SELECT model FROM wfml.train_recommender('twice', 'SELECT u, i, r - 1 AS r FROM likes UNION ALL SELECT u, i, r + 1 FROM likes', 'u', 'i', 'r', params => '{"validation": "none", "method": "item_knn"}') \g /dev/null
SELECT is(count(*), 0::bigint, 'ratings of a pair are averaged')
FROM likes WHERE abs(wfml.predict_rating('once', u, i) - greatest(1, least(5, wfml.predict_rating('twice', u, i)))) > 1e-9;
SELECT is((SELECT count(*) FROM generate_series(1, 60) u WHERE list('once', u::text) <> list('twice', u::text)), 0::bigint, 'and change no list');

-- ---- ratings ----

SELECT model FROM wfml.train_recommender('r', 'likes', 'u', 'i', 'r') \g /dev/null
SELECT ok(bool_and(wfml.predict_rating('r', u, i) BETWEEN 1 AND 5), 'within the scale') FROM generate_series(0, 61) u, generate_series(0, 21) i;
SELECT ok(abs(wfml.predict_rating('r', NULL, 'bogus') - (SELECT avg(r) FROM likes)) < 0.2, 'of nobody for nothing: the mean');
SELECT ok(wfml.predict_rating('r', 1, NULL) IS NULL, 'of no item: NULL');
SELECT is(count(DISTINCT x), 1::bigint, 'ids of any type') FROM unnest(ARRAY[wfml.predict_rating('r', 1, 3), wfml.predict_rating('r', '1', 3), wfml.predict_rating('r', 1, '3'),
    wfml.predict_rating('r', '1', '3'), wfml.predict_rating(item => 3::smallint, user_id => '1'::text, model => 'r')]) x;
SELECT lives_ok('EXECUTE untyped_rating(''1'', ''3'')', 'and parameters of none');
SELECT is(state($$SELECT wfml.predict_rating('m', 1, 3)$$), 'WF002', 'a model without ratings');
SELECT is(hint($$SELECT wfml.predict_rating('m', 1, 3)$$), 'Train it with "rating_column", or use wfml.recommend().', 'says how to get one');

-- ---- attributes ----

CREATE TABLE catalogue AS
    SELECT i AS id, CASE WHEN i % 2 = 0 THEN 'sweet cake with cream' ELSE 'salty bread with seeds' END || ' number' AS title, i % 2 = 0 AS sweet,
           CASE WHEN i % 2 = 0 THEN 'sad'::mood END AS mood, i * 0.5 AS price, ARRAY[CASE WHEN i % 2 = 0 THEN 'sugar' ELSE 'salt' END, NULL, 'flour'] AS tags,
           now() AS since, '{}'::jsonb AS more
    FROM generate_series(1, 24) i;
SELECT is(features, 7, 'columns that describe') FROM wfml.train_recommender('c', 'likes', 'u', 'i', items => 'catalogue', item_key => 'id', params => '{"validation": "none"}');
SELECT is((SELECT DISTINCT r.source FROM wfml.recommend('c', NULL, 3, history => '{22}') r), 'content', 'an item that nobody has');
SELECT ok(bool_and(r.item::int % 2 = 0), 'its attributes lead to others') FROM wfml.recommend('c', NULL, 3, history => '{22}') r;
SELECT ok(bool_and(s.item::int % 2 = 1), 'and so does likeness') FROM wfml.similar_items('c', 23, 3) s;
SELECT ok(list('c', '1', 100) @> '{21,23}', 'items that nobody has can be recommended');
SELECT is(wfml.model_info('c') ->> 'items', '24', 'and count among the items');

-- ---- how good: beside popularity, and floors ----

SELECT model FROM wfml.train_recommender('held', 'likes', 'u', 'i', 'r') \g /dev/null
SELECT is_empty($$(VALUES ('ndcg@10'), ('precision@10'), ('recall@10'), ('map@10'), ('coverage@10'), ('rmse'))
    EXCEPT SELECT metric FROM wfml.metrics('held') WHERE value IS NOT NULL AND baseline IS NOT NULL AND split = 'holdout'$$, 'metrics beside those of popularity');
SELECT ok(EXISTS (SELECT FROM wfml.metrics('held') WHERE metric LIKE 'ndcg@10:rp3beta%' AND split = 'inner'), 'what was tried is kept');
SELECT model FROM wfml.train_recommender('held', 'likes', 'u', 'i', time_column => 'at') \g /dev/null
SELECT is(split, 'time', 'with times the latest report') FROM wfml.metrics('held') WHERE metric = 'ndcg@10';

CREATE TABLE n8n AS SELECT row_number() OVER (ORDER BY workflow_id, min(step_no)) - 1 AS i, workflow_id, node_type
    FROM data.n8n_steps GROUP BY workflow_id, node_type;
SELECT model FROM wfml.train_recommender('n8n', 'SELECT * FROM n8n WHERE i % 5 <> 4', 'workflow_id', 'node_type', params => '{"validation": "none"}') \g /dev/null
WITH judged AS (
    SELECT workflow_id, array_agg(node_type) FILTER (WHERE i % 5 = 4) AS wanted FROM n8n
    GROUP BY workflow_id HAVING bool_or(i % 5 = 4) AND bool_or(i % 5 <> 4)),
users AS (
    SELECT (SELECT coalesce(sum(1 / log(2, r.rank + 1)) FILTER (WHERE r.item = ANY (wanted)), 0) FROM wfml.recommend('n8n', workflow_id) r)
        / (SELECT sum(1 / log(2, k + 1)) FROM generate_series(1, least(10, cardinality(wanted))) k) AS ndcg
    FROM judged)
SELECT cmp_ok(round(avg(ndcg), 4), '>=', 0.470, 'NDCG@10 on n8n_steps (idx4)') FROM users;

-- Ratings of rank 2 with noise of a known size: nothing can do better than 0.5.
CREATE FUNCTION uniform(a int, b int) RETURNS float8 IMMUTABLE LANGUAGE sql AS $$ SELECT ((hashint4(a * 7919 + b)::bigint & 1048575) + 0.5) / 1048576 $$;
CREATE FUNCTION normal(a int, b int) RETURNS float8 IMMUTABLE LANGUAGE sql AS $$ SELECT sqrt(-2 * ln(uniform(a, 2 * b))) * cos(2 * pi() * uniform(a, 2 * b + 1)) $$;
CREATE TABLE planted AS
    SELECT u, i, 3 + normal(1, u) * 0.5 + normal(2, i) * 0.5 + normal(3, u) * normal(4, i) + normal(5, u) * normal(6, i) + 0.5 * normal(7, u * 1000 + i) AS r
    FROM generate_series(1, 400) u, generate_series(1, 200) i WHERE uniform(8, u * 1000 + i) < 0.6;
SELECT model FROM wfml.train_recommender('planted', 'SELECT * FROM planted WHERE uniform(9, u * 1000 + i) > 0.2', 'u', 'i', 'r',
    params => '{"validation": "none", "method": "popular"}') \g /dev/null
SELECT cmp_ok(round(sqrt(avg((r - wfml.predict_rating('planted', u, i)) ^ 2))::numeric, 4), '<=', 0.5 * 1.05, 'RMSE of planted ratings')
FROM planted WHERE uniform(9, u * 1000 + i) <= 0.2;

-- ---- odd shapes ----

CREATE FUNCTION shape(source text, rating text DEFAULT NULL, params jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM wfml.train_recommender('shape', source, 'u', 'i', rating, params => params);
    PERFORM list('shape', u, 3), list('shape', u, 3, false) FROM unnest('{1,2,none}'::text[]) u;
    PERFORM wfml.similar_items('shape', '1');
    IF rating IS NOT NULL THEN
        PERFORM wfml.predict_rating('shape', '1', '1');
    END IF;
    RETURN 'works';
EXCEPTION WHEN others THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT is(shape(source, rating, jsonb_build_object('method', method)), 'works', format('%s, %s, %s', what, rating, method))
FROM (VALUES ('one row', 'SELECT 1 AS u, 1 AS i, 3.5 AS r'), ('one user', 'SELECT 1 AS u, i, i % 5 AS r FROM generate_series(1, 30) i'),
    ('one item', 'SELECT u, 1 AS i, u % 5 AS r FROM generate_series(1, 30) u'), ('two rows', 'SELECT u, u AS i, u AS r FROM generate_series(1, 2) u'),
    ('everybody has everything', 'SELECT u, i, 1 AS r FROM generate_series(1, 20) u, generate_series(1, 20) i'),
    ('all ratings equal', 'SELECT u, i, 4 AS r FROM likes'), ('huge ratings', 'SELECT u, i, 1e14 * r AS r FROM likes'), ('tiny ratings', 'SELECT u, i, 1e-30 * r AS r FROM likes'),
    ('negative ratings', 'SELECT u, i, -r AS r FROM likes'), ('boolean ratings', 'SELECT u, i, r > 2 AS r FROM likes'),
    ('nobody shares an item', 'SELECT u, u * 100 + i AS i, i AS r FROM generate_series(1, 30) u, generate_series(1, 3) i')) s (what, source),
    unnest('{NULL,r}'::text[]) rating, unnest('{auto,ease,rp3beta,item_knn,popular,als,nmf}'::text[]) method;
SELECT is(state($$SELECT * FROM wfml.train_recommender('e', 'SELECT u, repeat(''x'', 1025) AS i FROM likes', 'u', 'i')$$), '54000', 'an id of more than 1024 bytes');
SELECT is(state($$SELECT * FROM wfml.train_recommender('e', 'SELECT repeat(''x'', 100000000) AS u, 1 AS i', 'u', 'i')$$), '54000', 'an id of 100 MB');
SELECT is(shape($$SELECT u, repeat('ä', 511) || i AS i FROM likes$$), 'works', 'ids of 1024 bytes');
SELECT is(shape($$SELECT u, i, CASE WHEN u > 1 THEN 'Infinity' ELSE 2::float8 END AS r FROM likes$$, 'r'), 'works', 'infinite ratings are left out');
SELECT is(state($$SELECT * FROM wfml.train_recommender('e', 'SELECT u, i, 1e16 AS r FROM likes', 'u', 'i', 'r')$$), '22003', 'ratings beyond all reason');
SELECT is(state($$SELECT * FROM wfml.train_recommender('e', 'SELECT u, i, ''NaN''::float8 AS r FROM likes', 'u', 'i', 'r')$$), '22000', 'no rating at all');
SELECT is(state($$SELECT * FROM wfml.train_recommender('e', 'SELECT NULL::int AS u, i FROM likes', 'u', 'i')$$), '22000', 'no user at all');

-- ---- mistakes ----

SELECT is(state('SELECT * FROM wfml.train_recommender(' || arguments || ')'), code, arguments) FROM (VALUES
    ($$'e', 'likes', 'nope', 'i'$$, '42703'), ($$'e', 'likes', 'u', 'i', 'nope'$$, '42703'), ($$'e', 'likes', 'u', 'i', time_column => 'nope'$$, '42703'),
    ($$'e', 'SELECT u, i, i FROM likes', 'u', 'i'$$, '42702'), ($$'e', 'SELECT u, i, r::text AS r FROM likes', 'u', 'i', 'r'$$, '42804'),
    ($$'e', 'SELECT u, i, ''x''::text AS at FROM likes', 'u', 'i', time_column => 'at'$$, '42804'), ($$'e', 'likes', 'u', 'u'$$, '22023'),
    ($$'e', 'likes', 'u', 'i', item_key => 'id'$$, '22023'), ($$'e', 'likes', 'u', 'i', items => 'catalogue'$$, '42703'),
    ($$'e', 'likes', 'u', 'i', items => 'catalogue', item_key => 'nope'$$, '42703'), ($$'e', 'likes', 'u', 'i', items => 'SELECT id FROM catalogue', item_key => 'id'$$, '22000'),
    ($$'e', 'likes', 'u', 'i', items => 'SELECT * FROM catalogue WHERE false', item_key => 'id'$$, 'P0002'), ($$'e', 'likes', 'u', 'i', items => 'nope'$$, '42P01'),
    ($$'e', 'SELECT * FROM likes WHERE false', 'u', 'i'$$, 'P0002'), ($$'e', 'nope', 'u', 'i'$$, '42P01'), ($$'e', '', 'u', 'i'$$, '22023'),
    ($$'e', NULL, 'u', 'i'$$, '22004'), ($$'e', 'likes', NULL, 'i'$$, '22004'), ($$'not a name', 'likes', 'u', 'i'$$, '22023'),
    ($$'e', 'likes', 'u', 'i', params => '{"trees": 3}'$$, '22023'), ($$'e', 'likes', 'u', 'i', params => '{"validation": "cv"}'$$, '22023'),
    ($$'e', 'likes', 'u', 'i', params => '{"validation": "time"}'$$, '22023'), ($$'e', 'likes', 'u', 'i', params => '[]'$$, '22023'),
    ($$'e', 'DELETE FROM likes RETURNING u, i', 'u', 'i'$$, '25006'), ($$'e', 'SELECT u, i FROM likes FOR UPDATE', 'u', 'i'$$, '25006'),
    ($$'e', 'SELECT u, 1 / (i - 3) AS i FROM likes', 'u', 'i'$$, '22012')) v (arguments, code);
SELECT is(state(query), code, query) FROM (VALUES
    ($$SELECT * FROM wfml.recommend('nope', 1)$$, 'WF001'), ($$SELECT * FROM wfml.recommend(NULL, 1)$$, '22004'), ($$SELECT * FROM wfml.recommend('m', 1, -1)$$, '22023'),
    ($$SELECT * FROM wfml.similar_items('m', 1, -1)$$, '22023'), ($$SELECT wfml.predict('m', '{}')$$, 'WF002'), ($$SELECT wfml.classify('m', '{}')$$, 'WF002'),
    ($$SELECT wfml.predict_proba('m', '{}')$$, 'WF002'), ($$SELECT * FROM wfml.predict_detail('m', '{}')$$, 'WF002'), ($$SELECT * FROM wfml.explain('m', '{}')$$, 'WF002'),
    ($$SELECT * FROM wfml.predict_batch('m', 'likes')$$, 'WF002'), ($$SELECT * FROM wfml.evaluate('m', 'likes', 'r')$$, 'WF002'),
    ($$SELECT * FROM wfml.partial_dependence('m', 'u', 'likes')$$, 'WF002'), ($$SELECT wfml.create_function('m', 'f', 'likes')$$, 'WF002'),
    ($$SELECT wfml.predict_version(wfml.version_id('m'), '{}')$$, 'WF002'),
    ($$SELECT * FROM wfml.train('e', 'recommender', 'likes', 'i')$$, '22023'), ($$SELECT * FROM wfml.inspect('likes', 'i', 'recommender')$$, '22023')) v (query, code);
SELECT model FROM wfml.train('tree', 'linear', 'SELECT u, i, r FROM likes', 'r', '{"validation": "none"}') \g /dev/null
SELECT is(state($$SELECT * FROM wfml.recommend('tree', 1)$$), 'WF002', 'a model of another kind');
SELECT is(hint($$SELECT wfml.predict('m', '{}')$$), 'Such models are used with wfml.recommend(), wfml.predict_rating() and wfml.similar_items().', 'says what to call');
SELECT is_empty($$SELECT * FROM wfml.feature_importance('m')$$, 'no features');

-- ---- the source changes ----

SELECT model FROM wfml.train_recommender('drop', 'likes', 'u', 'i', 'r', params => '{"validation": "none"}') \g /dev/null
ALTER TABLE likes DROP COLUMN r, ADD COLUMN stars int DEFAULT 3;
SELECT is(state($$SELECT * FROM wfml.train_recommender('drop', 'likes', 'u', 'i', 'r')$$), '42703', 'a dropped column');
SELECT is(shape('likes', 'stars'), 'works', 'after one was dropped');
SELECT ok(wfml.predict_rating('drop', 1, 1) > 0, 'the model does not need it');
CREATE VIEW likes_view AS SELECT u, i FROM likes;
SELECT is(shape('likes_view'), 'works', 'a view');
SELECT is(shape('SELECT u, i, 1.5::numeric AS r FROM likes -- ;', 'r'), 'works', 'a query with a comment');

-- ---- rights ----

CREATE ROLE wfml_maker;
CREATE ROLE wfml_guest;
GRANT SELECT ON likes TO wfml_maker;
CREATE FUNCTION as_role(who name, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    BEGIN
        EXECUTE query;
        result := 'fine';
    EXCEPTION WHEN others THEN
        result := SQLSTATE;
    END;
    RESET ROLE;
    RETURN result;
END $$;
SELECT is(as_role('wfml_guest', $$SELECT * FROM wfml.train_recommender('g', 'likes', 'u', 'i')$$), '42501', 'no right to the source');
SELECT is(as_role('wfml_maker', $$SELECT * FROM wfml.train_recommender('g', 'likes', 'u', 'i', items => 'catalogue', item_key => 'id')$$), '42501', 'no right to the items');
SELECT is(as_role('wfml_maker', $$SELECT * FROM wfml.train_recommender('mk', 'likes', 'u', 'i')$$), 'fine', 'the right to read suffices');
SELECT is(as_role('wfml_guest', q), '42501', q) FROM unnest(ARRAY[$$SELECT * FROM wfml.recommend('mk', 1)$$, $$SELECT wfml.predict_rating('mk', 1, 1)$$,
    $$SELECT * FROM wfml.similar_items('mk', 1)$$, $$SELECT wfml.model_info('mk')$$, $$SELECT * FROM wfml.train_recommender('mk', 'SELECT 1 AS u, 1 AS i', 'u', 'i')$$]) q
WHERE q NOT LIKE '%model_info%';
SELECT is(as_role('wfml_maker', $$SELECT wfml.grant_model('mk', 'wfml_guest')$$), 'fine', 'granted');
SELECT is(as_role('wfml_guest', $$SELECT * FROM wfml.recommend('mk', 1)$$), 'fine', 'may use it');
SELECT is(as_role('wfml_guest', $$SELECT * FROM wfml.train_recommender('mk', 'SELECT 1 AS u, 1 AS i', 'u', 'i')$$), '42501', 'not change it');

-- ---- limits ----

SELECT is(column_name, '(memory)', 'inspect() foresees what does not fit') FROM wfml.inspect_recommender('SELECT g AS u, g % 50000 AS i FROM generate_series(1, 300000) g', 'u', 'i')
WHERE column_name = '(memory)';
SET LOCAL wfml.max_training_memory = '48MB';
SELECT is(state($$SELECT * FROM wfml.train_recommender('e', 'SELECT g AS u, g % 50000 AS i FROM generate_series(1, 300000) g', 'u', 'i')$$), '54000', 'more memory than allowed');
SELECT ok(note LIKE '%more than wfml.max_training_memory', 'inspect_recommender() says so beforehand')
FROM wfml.inspect_recommender('SELECT g AS u, g % 50000 AS i FROM generate_series(1, 300000) g', 'u', 'i') WHERE column_name = '(memory)';
RESET wfml.max_training_memory;

-- ---- reading only ----

SET LOCAL transaction_read_only = on;
SELECT is(cardinality(list('m', '1', 3)), 3, 'recommendations write nothing');
SELECT throws_ok($$SELECT * FROM wfml.train_recommender('e', 'SELECT 1 AS u, 1 AS i', 'u', 'i')$$, '25006', NULL, 'training does');
SELECT lives_ok($$SELECT * FROM wfml.inspect_recommender('SELECT 1 AS u, 1 AS i', 'u', 'i')$$, 'a look does not');

SELECT * FROM finish();
ROLLBACK;
