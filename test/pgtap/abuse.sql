-- Prediction in every place that an expression can stand in, while tables and
-- models change under it; memory that does not grow; clear answers to misuse.

\set QUIET 1
SET client_min_messages = error;
BEGIN;
SET LOCAL max_parallel_maintenance_workers = 0;
CREATE TABLE thing AS SELECT i AS id, i % 13 AS a, 'k' || i % 5 AS b, i % 3 = 0 AS y FROM generate_series(1, 1000) i;
ALTER TABLE thing ADD PRIMARY KEY (id);

CREATE FUNCTION learn(algorithm text, params jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
    SELECT version FROM wfml.train('abused', algorithm, 'public.thing', 'y', params, '{a,b}') $$;
-- The error of a statement, or 'none'.
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE query;
    RETURN 'none';
EXCEPTION WHEN others THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

SELECT no_plan();

-- ---- an index ----

SELECT is(learn('gradient_boosting', '{"rounds": 10}'), 1);
SELECT wfml.model_info('abused') ->> 'id' AS id \gset
CREATE TABLE expected AS SELECT id, wfml.predict('abused', t) AS p FROM thing t;
CREATE INDEX thing_score ON thing (wfml.predict_version(:id, thing));
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END $$;
SELECT matches((SELECT string_agg(p, ' ') FROM plan_of('SELECT id FROM thing t WHERE wfml.predict_version(' || :id || ', t) > 0.34') p), 'Index Scan using thing_score', 'an index is used');
SELECT set_eq('SELECT id FROM thing t WHERE wfml.predict_version(' || :id || ', t) > 0.34', 'SELECT id FROM expected WHERE p > 0.34', 'and right');
RESET enable_seqscan;
RESET enable_bitmapscan;
UPDATE thing SET a = a + 1 WHERE id <= 100;
SELECT set_eq('SELECT id FROM thing t WHERE wfml.predict_version(' || :id || ', t) > 0.34',
              'SELECT id FROM thing t WHERE wfml.predict(''abused'', to_jsonb(t)) > 0.34', 'also after rows changed');
SELECT matches(error_of('SELECT wfml.drop_model(''abused'')'), 'other objects use it', 'the index keeps the model');
SELECT matches(error_of('CREATE INDEX ON thing (wfml.predict(''abused'', thing))'), 'IMMUTABLE', 'a name is no index');
DROP INDEX thing_score;

-- ---- prepared statements ----

PREPARE total AS SELECT sum(wfml.predict('abused', t)) FROM thing t;
CREATE FUNCTION total() RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    x float8;
BEGIN
    EXECUTE 'EXECUTE total' INTO x;
    RETURN round(x::numeric, 9);
END $$;
CREATE FUNCTION truth() RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    x float8;
BEGIN
    EXECUTE 'SELECT sum(wfml.predict(''abused'', jsonb_build_object(''a'', a, ''b'', b))) FROM thing t' INTO x;
    RETURN round(x::numeric, 9);
END $$;
SELECT is(total(), truth(), 'prepared, time ' || i) FROM generate_series(1, 7) i;
ALTER TABLE thing ADD COLUMN more int DEFAULT 4;
SELECT is(total(), truth(), 'a column more');
ALTER TABLE thing DROP COLUMN a, ADD COLUMN a int DEFAULT 7;
SELECT is(total(), truth(), 'a column elsewhere');
ALTER TABLE thing ALTER COLUMN a TYPE numeric USING a + id % 4;
SELECT is(total(), truth(), 'another number type');
ALTER TABLE thing RENAME COLUMN b TO bb;
SELECT matches(error_of('EXECUTE total'), '42703 column "b" required by model "abused" is missing', 'a column less');
ALTER TABLE thing RENAME COLUMN bb TO b;
SELECT is(learn('linear'), 2);
SELECT is(total(), truth(), 'another version');
SELECT wfml.activate('abused', 1);
SELECT is(total(), truth(), 'the first one again');
SELECT matches(error_of('DO $d$ BEGIN PERFORM wfml.drop_model(''abused''); EXECUTE ''EXECUTE total''; END $d$'), 'WF001 model "abused" does not exist', 'no model');
SELECT is(total(), truth(), 'not dropped after all');

-- ---- other people's names ----

CREATE SCHEMA evil;
CREATE FUNCTION evil.predict(text, thing) RETURNS float8 LANGUAGE sql AS 'SELECT -1::float8';
CREATE FUNCTION evil.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$;
CREATE FUNCTION evil.eq(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR evil.= (PROCEDURE = evil.eq, LEFTARG = text, RIGHTARG = text);
CREATE TABLE evil.registry (name text);
CREATE TABLE evil.ml_model (name text);
SET LOCAL search_path = evil, public, pg_catalog;
SELECT public.total() AS total, public.truth() AS truth \gset
SELECT public.learn('linear') AS version \gset
SELECT count(*) AS versions FROM wfml.versions WHERE name OPERATOR(pg_catalog.=) 'abused' \gset
SET LOCAL search_path = public;
SELECT is(:total, :truth, 'a hostile search_path changes no prediction');
SELECT is(:version, 3, 'nor a training');
SELECT is(:versions, 3, 'nor a view');
SELECT is((SELECT count(*) FROM evil.registry) + (SELECT count(*) FROM evil.ml_model), 0::bigint);

-- ---- places ----

SELECT is((SELECT count(*) FROM thing t WHERE wfml.predict('abused', t) BETWEEN 0 AND 1), 1000::bigint, 'WHERE');
CREATE VIEW seen WITH (security_barrier) AS SELECT id, wfml.predict('abused', t) AS p FROM thing t WHERE id > 500;
SELECT is((SELECT count(*) FROM seen WHERE p BETWEEN 0 AND 1), 500::bigint, 'a view with a barrier');
SELECT is((WITH RECURSIVE r AS (SELECT 1 AS n, 0::float8 AS p UNION ALL SELECT n + 1, wfml.predict('abused', (SELECT x FROM (SELECT n % 13 AS a, 'k1' AS b) x)) FROM r WHERE n < 200)
           SELECT count(*) FROM r WHERE p BETWEEN 0 AND 1), 200::bigint, 'a recursive query');
SELECT is((SELECT count(*) FROM thing t, LATERAL wfml.explain('abused', t) WHERE id <= 10), 30::bigint, 'LATERAL');
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.more := round(1000 * wfml.predict('abused', NEW)); RETURN NEW; END $$;
CREATE TRIGGER fill BEFORE INSERT ON thing FOR EACH ROW EXECUTE FUNCTION fill();
INSERT INTO thing (id, a, b) VALUES (2001, 3, 'k1'), (2002, NULL, NULL);
SELECT is((SELECT count(*) FROM thing t WHERE id > 2000 AND more = round(1000 * wfml.predict('abused', t))), 2::bigint, 'a trigger');
DECLARE c CURSOR FOR SELECT wfml.predict('abused', t) = wfml.predict_version((SELECT id FROM wfml.versions WHERE name = 'abused' AND version = 3), t) AS same FROM thing t ORDER BY id;
FETCH 1 FROM c \gset first_
SELECT wfml.drop_model('abused', 1);
SELECT is(learn('linear', '{"l2": 1000}'), 4);
FETCH 1 FROM c \gset second_
SELECT is(:'first_same' || :'second_same', 'tt', 'an open cursor keeps its version');
CLOSE c;

-- ---- memory ----

CREATE FUNCTION memory() RETURNS bigint LANGUAGE sql AS 'SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts';
CREATE PROCEDURE predict_often(n int) LANGUAGE plpgsql AS $$
DECLARE
    x float8;
    r thing;
BEGIN
    SELECT * INTO r FROM thing LIMIT 1;
    FOR i IN 1..n LOOP
        x := wfml.predict('abused', r);
        x := wfml.predict('abused', jsonb_build_object('a', i, 'b', 'k1'));
        IF i % 50 = 0 THEN
            PERFORM wfml.explain('abused', r);
            BEGIN
                x := wfml.predict('abused', '{"a": "x"}');
            EXCEPTION WHEN others THEN NULL;
            END;
        END IF;
    END LOOP;
END $$;
CREATE TABLE memory_at AS SELECT 0 AS k, 0::bigint AS bytes WHERE false;
CALL predict_often(1000);
INSERT INTO memory_at VALUES (0, memory());
CALL predict_often(50000);
INSERT INTO memory_at VALUES (1, memory());
SELECT cmp_ok((SELECT max(bytes) FILTER (WHERE k = 1) - max(bytes) FILTER (WHERE k = 0) FROM memory_at), '<', 200000::bigint, '100,000 predictions leave nothing');

-- ---- misuse ----

SELECT matches(error_of(query), message, left(query, 90)) FROM (VALUES
    ($$ SELECT wfml.predict('abused', ROW(1, 2)) $$, '42703 columns "[ab]", "[ab]" required by model "abused" are missing'),
    ($$ SELECT wfml.predict('abused', '{"a": 1}') $$, '42703 key "b" required by model "abused" is missing'),
    ($$ SELECT wfml.predict('abused', '[1]') $$, 'must be a JSON object'),
    ($$ SELECT wfml.predict('abused@99', '{}') $$, 'has no version 99'),
    ($$ SELECT wfml.predict('abuse', '{}') $$, 'WF001 model "abuse" does not exist'),
    ($$ SELECT * FROM wfml.predict_batch('abused', 'DELETE FROM thing RETURNING *') $$, 'only reads'),
    ($$ SELECT * FROM wfml.predict_batch('abused', 'SELECT 1; DROP TABLE thing') $$, 'one query, not 2'),
    ($$ SELECT wfml.train('x', 'linear', 'SELECT 1 AS a, 2 AS a, true AS y', 'y') $$, 'appears more than once'),
    ($$ SELECT wfml.train('x', 'linear', 'thing', 'y', '{}', '{a,y}') $$, 'target column "y" cannot be a feature'),
    ($$ SELECT wfml.train('x', 'linear', 'thing', 'y', '{"weight_column": "id"}', '{a,id}') $$, 'weight column "id" cannot be a feature'),
    ($$ SELECT wfml.train('x', 'linear', 'thing', 'y', '{"group_column": "b", "validation": "group"}', '{a,b}') $$, 'group column "b" cannot be a feature'),
    ($$ SELECT wfml.train('x', 'linear', 'thing', 'y', '{"weight_column": "y"}', '{a}') $$, 'target column "y" cannot be the weight column'),
    ($$ SELECT wfml.train('x', 'linear', 'SELECT a, b, y, -1 AS w FROM thing', 'y', '{"weight_column": "w"}') $$, 'weight column "w" holds -1'),
    ($$ SELECT wfml.train('x', 'linear', 'SELECT a, y, (SELECT learn(''linear'')) AS z FROM thing', 'y') $$, 'read-only'),
    ($$ SELECT wfml.train('x', 'linear', 'thing', 'y', '{"l2": 1e999}') $$, 'invalid value for parameter "l2"'),
    ($$ SELECT wfml.import_model('x', '\x00') $$, 'XX001 artifact is not a valid export'),
    ($$ SELECT * FROM wfml.evaluate('abused', 'SELECT * FROM thing LIMIT 0') $$, 'no rows')) v(query, message);

SELECT * FROM finish();
ROLLBACK;
