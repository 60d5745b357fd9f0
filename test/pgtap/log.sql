-- Predictions that are logged: what is written, for whom, when not, and what
-- answers when a model cannot.

\set QUIET 1
SET client_min_messages = warning;
BEGIN;
CREATE ROLE wfml_owner;
CREATE ROLE wfml_caller;
CREATE ROLE wfml_stranger;

CREATE TABLE points AS
SELECT i AS id, i % 20 AS x, (ARRAY['red', 'green', NULL])[1 + i % 3] AS colour, (i % 20 >= 10) <> (i % 7 = 0) AS y,
    0.5 * (i % 20) + 1.0 * (i % 3) AS z, CASE WHEN i % 20 < 7 THEN 'low' WHEN i % 20 < 14 THEN 'mid' ELSE 'high' END AS w
FROM generate_series(1, 280) i;
GRANT SELECT ON points TO PUBLIC;
CREATE FUNCTION train(model text, target text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM wfml.train(model, 'gradient_boosting', 'points', target, '{"validation": "none", "rounds": 20}', features => '{x,colour}');
END $$;

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

-- A query's result in a read-only transaction.
CREATE FUNCTION reading(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    BEGIN
        PERFORM set_config('transaction_read_only', 'on', true);
        EXECUTE query INTO result;
        RAISE EXCEPTION 'back' USING ERRCODE = 'ZZ001';
    EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
        NULL;
    END;
    RETURN result;
END $$;

CREATE FUNCTION logged() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM wfml.prediction';
CREATE FUNCTION last() RETURNS wfml.prediction LANGUAGE sql AS 'SELECT * FROM wfml.prediction ORDER BY id DESC LIMIT 1';

DELETE FROM wfml.prediction;
SELECT no_plan();

SET ROLE wfml_owner;
SELECT train('two', 'y'), train('number', 'z'), train('three', 'w') \g /dev/null
SELECT wfml.train('odd', 'isolation_forest', 'SELECT x, z FROM points', params => '{"trees": 20}') \g /dev/null
SELECT wfml.grant_model(m, 'wfml_caller') FROM unnest('{two,number,three,odd}'::text[]) m \g /dev/null
RESET ROLE;

-- ---- the same answers as predict_detail, from every kind of input ----

SELECT is(l, d, model || ': a row') FROM unnest('{two,number,three,odd}'::text[]) model, (SELECT * FROM points LIMIT 3) p,
    LATERAL wfml.log_predict(model, p) l, LATERAL wfml.predict_detail(model, p) d;
SELECT is(l, d, model || ': jsonb') FROM unnest('{two,number,three,odd}'::text[]) model, (SELECT * FROM points LIMIT 1) p,
    LATERAL wfml.log_predict(model, to_jsonb(p)) l, LATERAL wfml.predict_detail(model, p) d;
SELECT is(l, d, model || ': json') FROM unnest('{two,number,three,odd}'::text[]) model, (SELECT * FROM points LIMIT 1) p,
    LATERAL wfml.log_predict(model, to_json(p)) l, LATERAL wfml.predict_detail(model, p) d;
SELECT is(l, d, model || ': text') FROM unnest('{two,number,three,odd}'::text[]) model, (SELECT * FROM points LIMIT 1) p,
    LATERAL wfml.log_predict(model, to_json(p)::text) l, LATERAL wfml.predict_detail(model, p) d;
SELECT is(logged(), 24::bigint, 'all of them were logged');
SELECT is((SELECT wfml.log_predict('two', NULL::points)) IS NULL, true, 'no row, no answer');
SELECT is((SELECT wfml.log_predict('two', NULL)) IS NULL, true, 'no JSON, no answer');
SELECT is(logged(), 24::bigint, 'and nothing logged');
SELECT throws_ok($$SELECT wfml.log_predict(NULL, '{}')$$, '22004', NULL, 'a model must be named');
SELECT throws_ok($$SELECT wfml.log_predict('nothing', '{}')$$, 'WF001', NULL, 'an unknown one is an error');
SELECT is(count(*), 0::bigint, 'rows hold what was answered') FROM wfml.prediction p JOIN wfml.ml_model m ON m.id = p.model_id
WHERE (p.model, p.version, p.source, p.shadow, p.made_by::text) IS DISTINCT FROM (m.name, m.version, 'function', false, current_user::text)
    OR p.latency_us < 0 OR p.latency_us IS NULL OR p.error IS NOT NULL OR p.input IS NOT NULL OR p.user_id IS NOT NULL
    OR p.actual IS NOT NULL OR abs(extract(epoch FROM clock_timestamp() - p.made_at)) > 600
    OR p.model_number <> (SELECT number FROM wfml.registry r WHERE r.name = m.name);
SELECT is((SELECT array_agg((model, value, lower, upper, label, confidence)::text ORDER BY id) FROM (SELECT * FROM wfml.prediction ORDER BY id LIMIT 12) l),
    (SELECT array_agg((model, d.value, d.lower, d.upper, d.label, d.confidence)::text) FROM unnest('{two,number,three,odd}'::text[]) model,
        (SELECT * FROM points LIMIT 3) p, LATERAL wfml.predict_detail(model, p) d), 'number for number');

-- ---- entities ----

SELECT wfml.log_predict('two', '{"x": 1, "colour": "red"}', 42) \g /dev/null
SELECT is((last()).entity, '42', 'an integer');
SELECT wfml.log_predict('two', '{"x": 1, "colour": "red"}', 9223372036854775807) \g /dev/null
SELECT is((last()).entity, '9223372036854775807', 'a bigint');
SELECT wfml.log_predict('two', '{"x": 1, "colour": "red"}', 7::smallint) \g /dev/null
SELECT is((last()).entity, '7', 'a smallint');
SELECT wfml.log_predict('two', '{"x": 1, "colour": "red"}', 'abc') \g /dev/null
SELECT is((last()).entity, 'abc', 'a literal');
SELECT wfml.log_predict('two', '{"x": 1, "colour": "red"}', 'abc'::varchar) \g /dev/null
SELECT is((last()).entity, 'abc', 'a varchar');
SELECT wfml.log_predict('two', '{"x": 1, "colour": "red"}', '5b2ac9d8-7a1f-4c53-9f4b-0d3b6d1d2f10'::uuid) \g /dev/null
SELECT is((last()).entity, '5b2ac9d8-7a1f-4c53-9f4b-0d3b6d1d2f10', 'a uuid');
SELECT wfml.log_predict('two', '{"x": 1, "colour": "red"}', NULL) \g /dev/null
SELECT is((last()).entity, NULL, 'none');
SELECT lives_ok($$SELECT wfml.log_predict('two', '{"x": 1, "colour": "red"}', repeat('x', 2000))$$, 'a long one');
SELECT throws_ok($$SELECT wfml.log_predict('two', '{"x": 1, "colour": "red"}', repeat('x', 2001))$$, '54000', NULL, 'one that no index could hold');
PREPARE ask AS SELECT wfml.log_predict($1, $2, $3);
EXECUTE ask('two', '{"x": 1, "colour": "red"}', 'parameter') \g /dev/null
EXECUTE ask('three', '{"x": 1, "colour": "red"}', 'parameter') \g /dev/null
SELECT is((last()).model || (last()).entity, 'threeparameter', 'parameters of no stated type');
SELECT wfml.log_predict(entity => 3, input => '{"x": 1, "colour": "red"}', model => 'two') \g /dev/null
SELECT is((last()).entity, '3', 'named arguments');
SELECT wfml.log_predict('two', p, p.id::bigint), wfml.log_predict('two', p, p.id::text), wfml.log_predict('two', p, gen_random_uuid()),
    wfml.log_predict('two', to_jsonb(p), p.id), wfml.log_predict('two', to_json(p), p.id),
    wfml.log_predict('two', to_jsonb(p), gen_random_uuid()), wfml.log_predict('two', to_json(p), gen_random_uuid())
FROM points p WHERE id = 17 \g /dev/null
SELECT is(count(*), 4::bigint, 'every kind of input with every kind of entity') FROM wfml.prediction WHERE entity = '17';

-- ---- where it is called from ----

CREATE FUNCTION loops(model text, n int) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
    total double precision := 0;
    c CURSOR FOR SELECT p.value FROM points t, LATERAL wfml.log_predict('number', t.*, t.id) p ORDER BY t.id;
    one double precision;
BEGIN
    FOR i IN 1..n LOOP
        total := total + (wfml.log_predict(model, jsonb_build_object('x', i % 20, 'colour', NULL), i)).value;
    END LOOP;
    OPEN c;
    FETCH c INTO one;
    CLOSE c;
    RETURN total;
END $$;
DELETE FROM wfml.prediction;
SELECT is(round(loops('two', 50)::numeric, 9), round(sum(wfml.predict('two', jsonb_build_object('x', i % 20, 'colour', NULL)))::numeric, 9),
    'in a loop of plpgsql') FROM generate_series(1, 50) i;
SELECT is(count(*), 50::bigint, 'a row for each') FROM wfml.prediction WHERE model = 'two';
DELETE FROM wfml.prediction;
INSERT INTO points (x) SELECT p.value * 0 FROM points t, LATERAL wfml.log_predict('number', t.*) p LIMIT 5;
SELECT is(logged(), 5::bigint, 'in an INSERT, only the rows that it asks for');
DELETE FROM points WHERE id IS NULL;

-- ---- transactions ----

DELETE FROM wfml.prediction;
SAVEPOINT s;
SELECT wfml.log_predict('two', p) FROM points p LIMIT 3 \g /dev/null
ROLLBACK TO s;
SELECT wfml.log_predict('two', p) FROM points p LIMIT 2 \g /dev/null
SELECT is(logged(), 2::bigint, 'what is rolled back is not logged');
SELECT is(reading($$SELECT count(p.value) FROM points t, LATERAL wfml.log_predict('two', t.*) p WHERE id <= 7$$), '7',
    'a read-only transaction gets answers');
SELECT is(logged(), 2::bigint, 'and logs nothing');

-- ---- when the model cannot ----

DELETE FROM wfml.prediction;
SELECT throws_ok($$SELECT wfml.log_predict('two', '{"x": 1}')$$, '42703', NULL, 'without a rule the error is the caller''s');
SELECT throws_like($$SELECT wfml.log_predict('two', '{"x": 1}')$$, 'key "colour" required by model "two"%', 'as the model raised it');
SELECT wfml.set_fallback('two', 'CASE WHEN x > 5 THEN 0.9 ELSE 0.1 / x END') \g /dev/null
SELECT is((value, label, model_version, source)::text, '(0.9,,,fallback)', 'the rule answers') FROM wfml.log_predict('two', '{"x": 10}', 'e');
SELECT is((value, version, model_id, model, entity, source)::text, '(0.9,,,two,e,fallback)', 'and is logged') FROM last();
SELECT alike((last()).error, 'key "colour" required by model "two"%', 'with what went wrong');
SELECT is((value, source)::text, '(0.1,fallback)', 'for a row, too') FROM (SELECT 1 AS x) s, LATERAL wfml.log_predict('two', s) p;
SELECT throws_ok($$SELECT wfml.log_predict('two', '{"x": 0}')$$, '42703', NULL, 'a rule that fails as well leaves the model''s error');
SET LOCAL wfml.on_error = 'error';
SELECT throws_ok($$SELECT wfml.log_predict('two', '{"x": 10}')$$, '42703', NULL, 'wfml.on_error = error');
SELECT is((wfml.log_predict('two', '{"x": 10, "colour": "red"}')).source, 'function', 'does not keep the model from answering');
SET LOCAL wfml.on_error = 'fallback';
SELECT train('two', 'y') \g /dev/null
SELECT wfml.retire('two', 1) \g /dev/null
SELECT is((wfml.log_predict('two@1', '{"x": 10, "colour": "red"}')).source, 'fallback', 'a retired version');
SELECT is((wfml.log_predict('two@9', '{"x": 10, "colour": "red"}')).source, 'fallback', 'a version that never was');
SELECT is((wfml.log_predict('two@2', '{"x": 10, "colour": "red"}')).model_version, 2, 'one that is');
SAVEPOINT s;
UPDATE wfml.ml_artifact SET bytes = overlay(bytes PLACING '\xffffffff' FROM 100) WHERE model_id = wfml.version_id('two@2');
SELECT wfml.cache_clear() \g /dev/null
SELECT is((wfml.log_predict('two', '{"x": 10, "colour": "red"}')).source, 'fallback', 'damaged bytes');
ROLLBACK TO s;
SELECT wfml.cache_clear() \g /dev/null
SAVEPOINT s;
SELECT wfml.drop_model('two', 1), wfml.drop_model('two', 2) \g /dev/null
SELECT is((wfml.log_predict('two', '{"x": 10, "colour": "red"}', 'none')).source, 'fallback', 'no version is left');
SELECT alike((last()).error, 'model "two" has no active version', 'and the log says so');
ROLLBACK TO s;
CREATE FUNCTION interrupted() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM wfml.log_predict('two', '{"x": 1}') FROM generate_series(1, 100000000);
EXCEPTION WHEN query_canceled THEN
    RETURN SQLSTATE;
END $$;
SET LOCAL statement_timeout = '50ms';
SELECT is(interrupted(), '57014', 'cancel always passes');
RESET statement_timeout;

-- ---- settings ----

DELETE FROM wfml.prediction;
SET LOCAL wfml.log_sample_rate = 0;
SELECT is(count(p.value), 280::bigint, 'nothing is sampled, all is answered') FROM points t, LATERAL wfml.log_predict('two', t.*) p;
SELECT is(logged(), 0::bigint, 'and nothing logged');
SET LOCAL wfml.log_sample_rate = 0.3;
SELECT wfml.log_predict('two', '{"x": 1, "colour": "red"}') FROM generate_series(1, 3000) \g /dev/null
SELECT ok(logged() BETWEEN 900 - 150 AND 900 + 150, 'three in ten are sampled');
RESET wfml.log_sample_rate;
SELECT is(try('wfml_caller', 'SET wfml.log_sample_rate = 0'), '42501', 'only a superuser says so');
SELECT is(try('wfml_caller', 'SET wfml.rate_limit = 0'), '42501', 'also of the limit');
SET LOCAL wfml.rate_limit = 5;
SELECT ok(count(*) FILTER (WHERE r = '53400') BETWEEN 10 AND 15, 'five a minute, and not one more')
FROM generate_series(1, 20) i, LATERAL try('wfml_caller', $$SELECT 'done' FROM wfml.log_predict('two', '{"x": 1, "colour": "red"}') WHERE $$ || i || ' > 0') r;
SELECT is(try('wfml_owner', $$SELECT source FROM wfml.log_predict('two', '{"x": 1, "colour": "red"}')$$), 'function', 'another role has its own');
SELECT is(try('wfml_caller', $$SELECT source FROM wfml.predict_detail('two', '{"x": 1, "colour": "red"}')$$), 'function', 'what is not logged has no limit');
RESET wfml.rate_limit;

-- ---- the input ----

SELECT is(try('wfml_caller', $$SELECT wfml.set_log_input('two', true)$$), '42501', 'the owner decides about inputs');
SELECT is(try('wfml_owner', $$SELECT wfml.set_log_input('two', true)$$), '', 'and keeps them');
SELECT wfml.log_predict('two', p) FROM points p WHERE id = 3 \g /dev/null
SELECT is((last()).input, '{"x": 3, "colour": "red"}'::jsonb, 'of a row the model''s columns alone');
SELECT wfml.log_predict('two', '{"x": 4, "secret": 1, "colour": null}'::jsonb) \g /dev/null
SELECT is((last()).input, '{"x": 4, "colour": null}'::jsonb, 'of JSON as well');
SELECT wfml.log_predict('two', '{"x": 4, "secret": 1, "colour": "green"}') \g /dev/null
SELECT is((last()).input, '{"x": 4, "colour": "green"}'::jsonb, 'and of text');
SELECT wfml.log_predict('two', '{"x": 4, "other": 1}') \g /dev/null
SELECT is((last()).input, '{"x": 4, "other": 1}'::jsonb, 'all of it where no version answered');
SELECT wfml.set_log_input('two', false) \g /dev/null

-- ---- who sees what ----

DELETE FROM wfml.prediction;
SET LOCAL wfml.user_id = 'ann';
SELECT try('wfml_caller', $$SELECT wfml.log_predict('two', '{"x": 1, "colour": "red"}', 'a')$$) \g /dev/null
SET LOCAL wfml.user_id = 'bob';
SELECT try('wfml_caller', $$SELECT wfml.log_predict('two', '{"x": 1, "colour": "red"}', 'b')$$) \g /dev/null
RESET wfml.user_id;
SELECT try('wfml_owner', $$SELECT wfml.log_predict('two', '{"x": 1, "colour": "red"}', 'o')$$) \g /dev/null
SELECT wfml.log_predict('two', '{"x": 1, "colour": "red"}', 's') \g /dev/null
CREATE FUNCTION sees(who name) RETURNS text LANGUAGE sql AS $$
    SELECT try(who, 'SELECT string_agg(entity, '''' ORDER BY id) FROM wfml.predictions') $$;
SELECT is(sees('wfml_caller'), 'ab', 'a caller sees what he made');
SELECT is(sees('wfml_owner'), 'abos', 'an owner what his model made');
SELECT is(sees('wfml_stranger'), NULL, 'a stranger nothing');
SELECT is(sees(current_user), 'abos', 'a superuser all');
SET LOCAL wfml.user_id = 'ann';
SELECT is(sees('wfml_caller') || sees('wfml_owner') || coalesce(sees('wfml_stranger'), '-') || sees(current_user), 'aa-a', 'wfml.user_id narrows each');
SET LOCAL wfml.user_id = 'nobody';
SELECT is(sees('wfml_owner'), NULL, 'also to nothing');
RESET wfml.user_id;
SELECT is(try('wfml_stranger', $$SELECT wfml.log_predict('two', '{"x": 1, "colour": "red"}')$$), '42501', 'a stranger cannot ask');
SELECT is(try('wfml_caller', 'SELECT 1 FROM wfml.prediction'), '42501', 'nobody reads the table');
SELECT is(try('wfml_caller', 'SELECT * FROM wfml.counter_rows()'), '42501', 'nor the counters');
SELECT is(try('wfml_stranger', $$SELECT count(*) FROM wfml.predictions WHERE leak(entity)$$), '42883', 'there is no leak yet');
CREATE FUNCTION leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE EXCEPTION 'saw %', $1; END $$;
SELECT is(try('wfml_stranger', 'SELECT count(*) FROM wfml.predictions WHERE leak(entity)'), '0', 'a cheap function sees no hidden row');

-- ---- the model's name ----

SELECT is(try('wfml_owner', $$SELECT wfml.rename_model('two', 'deux')$$), '', 'a model has another name');
SELECT is(string_agg(DISTINCT model, ' '), 'deux', 'and so have its predictions') FROM wfml.predictions;
SELECT is(try('wfml_owner', $$SELECT (wfml.log_predict('deux', '{"x": 1, "colour": "red"}')).source$$), 'function', 'it goes on');
SELECT is(logged() - 4, count(*) - 4, 'nothing is lost') FROM wfml.predictions WHERE model = 'deux';
SELECT wfml.drop_model('deux', 1) \g /dev/null
SELECT is(count(*) FILTER (WHERE model_id IS NULL), 0::bigint, 'another version is dropped') FROM wfml.prediction;
SELECT is(try('wfml_owner', $$SELECT wfml.drop_model('deux')$$), '', 'the whole model is dropped');
SELECT is((count(*), count(model_id))::text, '(5,0)', 'its predictions stay') FROM wfml.prediction WHERE model = 'deux';
SELECT is(sees('wfml_caller'), 'ab', 'for who made them');
SELECT is(sees('wfml_owner'), 'o', 'also its owner');
GRANT CREATE ON SCHEMA public TO wfml_stranger;
SELECT is(try('wfml_stranger', $$SELECT model FROM wfml.train('deux', 'gradient_boosting', 'points', 'y', '{"validation": "none", "rounds": 5}')$$), 'deux', 'somebody else takes the name');
SELECT is(sees('wfml_stranger'), NULL, 'and sees nothing of the old model');

-- ---- two versions ----

DELETE FROM wfml.prediction;
SELECT train('three', 'w') \g /dev/null
SELECT wfml.split_traffic('three', 1, 2, 0.25) \g /dev/null
SELECT wfml.log_predict('three', p, p.id % 100) FROM points p, generate_series(1, 4) \g /dev/null
SELECT ok(avg((version = 2)::int) BETWEEN 0.1 AND 0.4, 'a quarter is routed') FROM wfml.prediction;
SELECT is(max(n), 1::bigint, 'an entity stays with its version') FROM (SELECT count(DISTINCT version) AS n FROM wfml.prediction GROUP BY entity) e;
SELECT is((wfml.log_predict('three@1', p, 'x')).model_version, 1, 'name@version is not divided') FROM points p;
DELETE FROM wfml.prediction;
SELECT wfml.log_predict('three', p) FROM points p, generate_series(1, 3) \g /dev/null
SELECT ok(count(DISTINCT version) = 2, 'without an entity the input decides') FROM wfml.prediction;
DELETE FROM wfml.prediction;
SELECT wfml.end_split('three') \g /dev/null
SELECT wfml.split_traffic('three', 1, 2, 0.5, 'shadow') \g /dev/null
SELECT is(count(DISTINCT p.model_version), 1::bigint, 'in shadow mode one version answers') FROM points t, LATERAL wfml.log_predict('three', t.*, t.id) p;
SELECT ok(count(*) FILTER (WHERE NOT shadow AND version = 1) = 280 AND count(*) FILTER (WHERE NOT shadow) = 280, 'and is logged each time') FROM wfml.prediction;
SELECT ok(count(*) BETWEEN 90 AND 190 AND bool_and(version = 2), 'the other for a half') FROM wfml.prediction WHERE shadow;
SELECT is(count(*), 0::bigint, 'both rows are about the same entity') FROM wfml.prediction s WHERE shadow
    AND NOT EXISTS (SELECT FROM wfml.prediction p WHERE NOT p.shadow AND p.entity = s.entity);
SELECT wfml.end_split('three') \g /dev/null

-- ---- indexes that a DBA adds ----

CREATE INDEX by_expression ON wfml.prediction ((lower(entity)));
CREATE INDEX by_condition ON wfml.prediction (model_id) WHERE confidence > 0.5;
CREATE INDEX by_hash ON wfml.prediction USING hash (label);
DELETE FROM wfml.prediction;
SELECT wfml.log_predict('three', p, 'E' || p.id) FROM points p WHERE id <= 20 \g /dev/null
SET LOCAL enable_seqscan = off;
SELECT is((SELECT count(*) FROM wfml.prediction WHERE lower(entity) = 'e7'), 1::bigint, 'an expression');
SELECT is((SELECT count(*) FROM wfml.prediction WHERE model_id = wfml.version_id('three') AND confidence > 0.5),
    (SELECT count(*) FILTER (WHERE confidence > 0.5) FROM (SELECT * FROM wfml.prediction OFFSET 0) p), 'a condition');
SELECT is((SELECT sum((SELECT count(*) FROM wfml.prediction q WHERE q.label = l)) FROM unnest('{low,mid,high}'::text[]) l), 20::numeric, 'a hash');
RESET enable_seqscan;
DROP INDEX wfml.by_expression, wfml.by_condition, wfml.by_hash;
DELETE FROM wfml.prediction;
SELECT wfml.log_predict('three', p, p.id) FROM points p, generate_series(1, 3) \g /dev/null
SET LOCAL enable_seqscan = off;
SELECT is((SELECT count(*) FROM wfml.prediction WHERE id > 0), 840::bigint, 'our own: id');
SELECT is((SELECT count(*) FROM wfml.prediction WHERE entity = '5'), 3::bigint, 'our own: entity');
SELECT is((SELECT count(*) FROM wfml.prediction WHERE model = 'three' AND made_at > '2000-01-01'), 840::bigint, 'our own: model');
SELECT is((SELECT count(*) FROM wfml.prediction WHERE model_id = wfml.version_id('three')), 840::bigint, 'our own: version');
RESET enable_seqscan;

-- ---- counters ----

SELECT set_config('test.before', coalesce(sum(value), 0)::text, true) FROM wfml.counter_rows()
WHERE model_id = wfml.version_id('number') AND counter = 'predictions' \g /dev/null
SELECT wfml.predict('number', p), wfml.predict_detail('number', p) FROM points p \g /dev/null
SELECT count(*) FROM wfml.predict_batch('number', 'points') \g /dev/null
SELECT is(sum(value) - current_setting('test.before')::numeric, 840::numeric, 'predictions of any function are counted') FROM wfml.counter_rows()
WHERE model_id = wfml.version_id('number') AND counter = 'predictions';
SELECT is(count(DISTINCT counter), 8::bigint, 'eight counters') FROM wfml.counter_rows();
SELECT ok(sum(value) FILTER (WHERE counter = 'logged') > 0 AND sum(value) FILTER (WHERE counter = 'not_logged') > 0
    AND sum(value) FILTER (WHERE counter = 'fallbacks') > 0 AND sum(value) FILTER (WHERE counter = 'errors') > 0, 'all kinds') FROM wfml.counter_rows();

-- ---- pruning ----

UPDATE wfml.prediction SET made_at = made_at - interval '100 days' WHERE id % 2 = 0;
SELECT try('wfml_caller', $$SELECT count(wfml.log_predict('number', p)) FROM points p WHERE id <= 10$$) \g /dev/null
UPDATE wfml.prediction SET made_at = made_at - interval '50 days' WHERE model = 'number';
SELECT is(try('wfml_caller', $$SELECT wfml.set_fallback('number', '1')$$), '42501', 'a caller is no owner');
CREATE FUNCTION prune(who name, argument text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint := logged();
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    EXECUTE format('CALL wfml.prune_predictions(%s)', argument);
    RESET ROLE;
    RETURN before - logged();
END $$;
SELECT is(prune('wfml_caller', ''), 0::bigint, 'who owns no model prunes nothing');
SELECT is(prune('wfml_owner', ''), 420::bigint, 'an owner prunes what is older than the retention');
SELECT is(prune('wfml_owner', $$'20 days'$$), 10::bigint, 'or than he says, also what others made with his model');
SELECT throws_ok($$CALL wfml.prune_predictions('-1 day')$$, '22023', NULL, 'not from the future');
SET LOCAL wfml.prediction_retention = 0;
SELECT is(prune(current_user, ''), 0::bigint, 'a retention of 0 keeps all');
SELECT is(prune(current_user, $$'0'$$), 420::bigint, 'unless told otherwise');

-- ---- memory ----

CREATE FUNCTION memory() RETURNS bigint LANGUAGE sql AS 'SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts';
SELECT count(wfml.log_predict('three', p, i)) FROM points p, generate_series(1, 50) i \g /dev/null
SELECT set_config('test.memory', memory()::text, true) \g /dev/null
SELECT count(wfml.log_predict('three', p, i)) FROM points p, generate_series(1, 400) i \g /dev/null
SELECT cmp_ok(memory() - current_setting('test.memory')::bigint, '<', 300000::bigint, 'memory does not grow with rows');
CREATE FUNCTION wide() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
BEGIN
    PERFORM (SELECT memory() FROM (SELECT wfml.log_predict('three', jsonb_build_object('x', i, 'colour', NULL), i) OFFSET 0) s) FROM generate_series(1, 10) i;
    before := memory();
    FOR i IN 1..20000 LOOP
        PERFORM wfml.log_predict('three', jsonb_build_object('x', i, 'colour', NULL), i);
    END LOOP;
    RETURN memory() - before;
END $$;
SELECT cmp_ok(wide(), '<', 300000::bigint, 'nor in a loop');

SELECT * FROM finish();
ROLLBACK;
