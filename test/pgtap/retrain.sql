-- Retraining: which rows are fresh, as whom and how the stored source runs,
-- what is asked of it when the world has changed, and who may ask.

\set QUIET 1
SET client_min_messages = error;
BEGIN;
SET LOCAL max_parallel_maintenance_workers = 0;

-- The error of a statement, or 'none'.
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE query;
    RETURN 'none';
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ' ' || SQLERRM || '; ' || hint;
END $$;
CREATE FUNCTION rows_of(since int, until int) RETURNS TABLE (id int, a float8, b int, kind text, at timestamptz, y boolean, n float8)
LANGUAGE sql AS $$
    SELECT i, r1, (r2 * 20)::int, (ARRAY['red', 'green', 'blue'])[1 + (r3 * 2.99)::int], '2026-01-01 00:00+00'::timestamptz + i * interval '17 min',
        (r1 + (r2 > 0.5)::int * 0.5 > 0.8) <> (r4 < 0.1), 3 * r1 + r2 + r4
    FROM (SELECT i, hashint4(i * 5 + 1) / 4294967296.0 + 0.5 AS r1, hashint4(i * 5 + 2) / 4294967296.0 + 0.5 AS r2,
            hashint4(i * 5 + 3) / 4294967296.0 + 0.5 AS r3, hashint4(i * 5 + 4) / 4294967296.0 + 0.5 AS r4
          FROM generate_series(since, until) i) r $$;
CREATE TABLE thing AS SELECT * FROM rows_of(1, 600);
ALTER TABLE thing ADD PRIMARY KEY (id);
CREATE FUNCTION digest(model text, number int) RETURNS bytea LANGUAGE sql AS $$
    SELECT artifact_sha256 FROM wfml.ml_model WHERE name = model AND version = number $$;

SELECT no_plan();

-- ---- the same data gives the same bytes, for every kind of model ----

CREATE TABLE likes AS SELECT u, (u * 7 + i * i) % 40 AS i, 1 + (u * i) % 5 AS stars FROM generate_series(1, 100) u, generate_series(1, 8) i;
CREATE TABLE events AS SELECT c, (ARRAY['start', 'pay', 'ship', 'close'])[e] AS event, timestamptz '2026-01-01' + c * interval '1 hour' + e * interval '1 min' AS at
    FROM generate_series(1, 80) c, generate_series(1, 4) e;
SELECT count(*) FROM wfml.train('random_forest', 'random_forest', 'thing', 'y', '{"trees": 10}') \g /dev/null
SELECT count(*) FROM wfml.train('gradient_boosting', 'gradient_boosting', 'thing', 'kind', '{"rounds": 10, "validation": "cv", "seed": 5}') \g /dev/null
SELECT count(*) FROM wfml.train('linear', 'linear', 'SELECT a, b, kind, n, 1 AS one FROM thing', 'n', '{"validation": "none"}') \g /dev/null
SELECT count(*) FROM wfml.train('isolation_forest', 'isolation_forest', 'thing', features => '{a,b,kind}') \g /dev/null
SELECT count(*) FROM wfml.train_recommender('recommender', 'likes', 'u', 'i', 'stars', params => '{"method": "item_knn"}') \g /dev/null
SELECT count(*) FROM wfml.train_sequence('sequence', 'events', 'c', 'event', 'at', '{"predictor": "markov"}') \g /dev/null
SELECT is((SELECT version FROM wfml.retrain(name)), 2, name || ' is stored') FROM (VALUES
    ('random_forest'), ('gradient_boosting'), ('linear'), ('isolation_forest'), ('recommender'), ('sequence')) v (name);
SELECT is(digest(name, 2), digest(name, 1), name || ': the same bytes') FROM (VALUES
    ('random_forest'), ('gradient_boosting'), ('linear'), ('isolation_forest'), ('recommender'), ('sequence')) v (name);
SELECT is((SELECT params FROM wfml.versions WHERE name = 'gradient_boosting' AND version = 2), '{"rounds": 10, "validation": "cv", "seed": 5}', 'parameters are kept');
SELECT is((SELECT arguments - 'task' FROM wfml.ml_model WHERE name = 'gradient_boosting' AND version = 2),
          (SELECT arguments FROM wfml.ml_model WHERE name = 'gradient_boosting' AND version = 1), 'and all arguments; the task is as it was found');
SELECT is((SELECT active FROM wfml.versions WHERE name = 'random_forest' AND version = 1), true, 'without fresh rows the old one stays');
SELECT is((SELECT active FROM wfml.versions WHERE name = 'isolation_forest' AND version = 2), true, 'what cannot be judged is taken');

-- ---- fresh rows ----

INSERT INTO thing SELECT * FROM rows_of(601, 3600);
CREATE TABLE result AS SELECT * FROM wfml.retrain('random_forest');
SELECT is((SELECT activated FROM result), true, 'more rows are better');
SELECT ok((SELECT fresh_rows BETWEEN 2950 AND 3000 FROM result), 'rows of the first training are not fresh');
SELECT ok((SELECT challenger < champion AND bound < 0.01 FROM result), 'losses tell so');
SELECT is((SELECT metric FROM result), 'log_loss');
SELECT is((SELECT rows FROM result), 3600::bigint, 'the last training takes all rows');
SELECT ok((SELECT bool_and(split = 'fresh') FROM wfml.metrics('random_forest')), 'its metrics are those of fresh rows');
SELECT is((SELECT count(*) FROM wfml.activation WHERE model = 'random_forest'), 2::bigint, 'the activation is written down');
-- the same whatever the order of rows
SELECT wfml.activate('random_forest', 1) \g /dev/null
CREATE TABLE shuffled AS SELECT * FROM thing ORDER BY md5(id::text);
ALTER TABLE shuffled ADD PRIMARY KEY (id);
SELECT wfml.set_source('random_forest', 'shuffled') \g /dev/null
CREATE TABLE again AS SELECT * FROM wfml.retrain('random_forest');
SELECT results_eq('SELECT activated, reason, champion, challenger, bound, fresh_rows FROM again',
                  'SELECT activated, reason, champion, challenger, bound, fresh_rows FROM result', 'in any order of rows');
SELECT is(digest('random_forest', 4), digest('random_forest', 3), 'and the same bytes');
-- with workers, and with cells on disk
SELECT wfml.activate('random_forest', 1) \g /dev/null
SET LOCAL max_parallel_maintenance_workers = 2;
SET LOCAL maintenance_work_mem = '1MB';
DELETE FROM again;
INSERT INTO again SELECT * FROM wfml.retrain('random_forest');
SELECT results_eq('SELECT champion, challenger, bound FROM again', 'SELECT champion, challenger, bound FROM result', 'with workers and spooled cells');
SET LOCAL max_parallel_maintenance_workers = 0;
RESET maintenance_work_mem;
-- the champion's loss is what its predictions of the judges lose: all fresh rows lose about as much
SELECT ok(abs((SELECT champion FROM result) - (SELECT wfml.log_loss(y, wfml.predict('random_forest@1', t)) FROM thing t WHERE id > 600)) < 0.05, 'the loss of the champion');

SELECT wfml.set_source('random_forest', 'thing') \g /dev/null
SELECT wfml.activate('random_forest', 3) \g /dev/null
INSERT INTO thing SELECT * FROM rows_of(3601, 3700);
SELECT matches((SELECT reason FROM wfml.retrain('random_forest')), '^(100|9\d) fresh rows, 200 are needed', 'too few to judge');
UPDATE thing SET y = true WHERE id > 3600;
INSERT INTO thing SELECT id, a, b, kind, at, id < 3910, n FROM rows_of(3701, 3915);
SELECT matches((SELECT reason FROM wfml.retrain('random_forest')), '^[456] fresh rows outside the largest class, 20 are needed', 'too few of a class');
DELETE FROM thing WHERE id > 3600;

-- worse: hardly any rows are left
DELETE FROM thing WHERE id > 50;
INSERT INTO thing SELECT * FROM rows_of(10001, 10300);
SELECT results_eq('SELECT activated, challenger > champion, bound > 0.01 FROM wfml.retrain(''random_forest'')', 'VALUES (false, true, true)', 'a worse one stays out');
SELECT is((SELECT activated FROM wfml.retrain('random_forest', tolerance => 1)), true, 'but for the tolerant');
SELECT wfml.activate('random_forest', 3) \g /dev/null
SELECT is((SELECT activated FROM wfml.retrain('random_forest', true)), true, 'and by force');
DELETE FROM thing WHERE id > 3600;
INSERT INTO thing SELECT * FROM rows_of(51, 600);

-- ---- by time and by group ----

SELECT count(*) FROM wfml.train('timed', 'linear', 'thing', 'n', '{"validation": "time", "time_column": "at"}', features => '{a,b}') \g /dev/null
SELECT count(*) FROM wfml.train('grouped', 'linear', 'SELECT *, id % 120 AS g FROM thing', 'n', '{"validation": "group", "group_column": "g"}', features => '{a,b}') \g /dev/null
INSERT INTO thing SELECT * FROM rows_of(601, 1400);
SELECT results_eq(format('SELECT activated, metric, fresh_rows > 780 FROM wfml.retrain(%L)', name), 'VALUES (true, ''rmse'', true)', name)
FROM (VALUES ('timed'), ('grouped')) v (name);
DELETE FROM thing WHERE id > 600;

-- ---- events and interactions ----

INSERT INTO events SELECT c, (CASE WHEN c % 3 = 0 THEN ARRAY['start', 'pay', 'return', 'close'] ELSE ARRAY['start', 'pay', 'ship', 'close'] END)[e],
    timestamptz '2026-01-01' + c * interval '1 hour' + e * interval '1 min' FROM generate_series(81, 120) c, generate_series(1, 4) e;
SELECT is((SELECT reason FROM wfml.retrain('sequence')), '40 fresh cases, 50 are needed to judge', 'few cases');
INSERT INTO events SELECT c, (CASE WHEN c % 3 = 0 THEN ARRAY['start', 'pay', 'return', 'close'] ELSE ARRAY['start', 'pay', 'ship', 'close'] END)[e],
    timestamptz '2026-01-01' + c * interval '1 hour' + e * interval '1 min' FROM generate_series(121, 400) c, generate_series(1, 4) e;
-- cases that have grown are known
INSERT INTO events SELECT c, 'again', timestamptz '2026-06-01' FROM generate_series(1, 80) c;
SELECT results_eq($$SELECT activated, metric, champion > challenger, fresh_rows > 310 AND fresh_rows <= 320, rows FROM wfml.retrain('sequence')$$,
                  'VALUES (true, ''log_loss'', true, true, 1680::bigint)', 'a new way to go on is learned');
SELECT ok((SELECT bool_and(split = 'fresh') FROM wfml.metrics('sequence')));
-- what was liked by all is liked by none: other items go together now
DELETE FROM likes WHERE u > 60;
INSERT INTO likes SELECT u, 100 + (u % 4) * 10 + (i * 7 + u) % 10, 5 FROM generate_series(1, 100) u, generate_series(1, 6) i;
SELECT results_eq($$SELECT activated, metric, challenger > champion, champion = 0 AND bound IS NULL, fresh_rows > 590 FROM wfml.retrain('recommender')$$,
                  'VALUES (true, ''ndcg@10'', true, true, true)', 'new items are found');
INSERT INTO likes SELECT u, 999, 5 FROM generate_series(1, 100) u;
SELECT matches((SELECT reason FROM wfml.retrain('recommender')), '^(100|9\d) fresh rows, 200 are needed', 'few pairs');
SELECT matches((SELECT reason FROM wfml.retrain('recommender', force => true)), '^by force');
INSERT INTO likes SELECT 5000 + i, i, 5 FROM generate_series(1, 300) i;
SELECT matches((SELECT reason FROM wfml.retrain('recommender')), '^0 users with fresh rows and a history, 20 are needed', 'nobody to judge');

-- ---- the source of then ----

-- search_path and time zone
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.thing AS SELECT * FROM thing LIMIT 0;
SET LOCAL TimeZone = 'Asia/Tokyo';
SELECT count(*) FROM wfml.train('zoned', 'gradient_boosting', 'SELECT at, a, y FROM thing', 'y', '{"rounds": 5}') \g /dev/null
SET LOCAL TimeZone = 'America/New_York';
SET LOCAL search_path = elsewhere, public;
SELECT count(*) FROM wfml.retrain('zoned') \g /dev/null
SELECT is(current_setting('TimeZone'), 'America/New_York');
SELECT is(current_setting('search_path'), 'elsewhere, public');
SELECT is(digest('zoned', 2), digest('zoned', 1), 'search_path and TimeZone are those of the training');
SELECT is((SELECT timezone FROM wfml.registry WHERE name = 'zoned'), 'Asia/Tokyo', 'and stay');
RESET search_path;
RESET TimeZone;

-- new columns are not taken; a label may become the rarer one
CREATE TABLE answer AS SELECT i AS id, i % 10 AS x, CASE WHEN i % 10 < 3 THEN 'yes' ELSE 'no' END AS said FROM generate_series(1, 500) i;
ALTER TABLE answer ADD PRIMARY KEY (id);
SELECT is((SELECT positive FROM wfml.train('said', 'gradient_boosting', 'answer', 'said', '{"rounds": 5}')), 'yes');
UPDATE answer SET said = CASE WHEN x < 7 THEN 'yes' ELSE 'no' END;
ALTER TABLE answer ADD COLUMN leak text;
UPDATE answer SET leak = said;
INSERT INTO answer SELECT i, i % 10, CASE WHEN i % 10 < 7 THEN 'yes' ELSE 'no' END, 'z' FROM generate_series(501, 1000) i;
INSERT INTO answer VALUES (2001, 1, NULL, NULL);
SELECT results_eq($$SELECT activated, rows FROM wfml.retrain('said')$$, 'VALUES (true, 1000::bigint)', 'the world has changed; a NULL target is left out');
SELECT is((SELECT positive FROM wfml.models WHERE name = 'said'), 'yes', 'the positive class stays, also when it is not the rarer any more');
SELECT is((SELECT features FROM wfml.ml_model WHERE name = 'said' AND version = 2), '["x"]', 'a new column is not taken');
-- a key that is gone
ALTER TABLE answer RENAME COLUMN id TO number;
SELECT is((SELECT reason FROM wfml.retrain('said')), 'the column "id" that told rows apart is gone');
CREATE TABLE measure AS SELECT i AS id, sin(i) AS a, cos(i * 3) AS b FROM generate_series(1, 300) i;
ALTER TABLE measure ADD PRIMARY KEY (id);
SELECT count(*) FROM wfml.train('odd', 'isolation_forest', 'measure') \g /dev/null
ALTER TABLE measure DROP COLUMN id;
SELECT results_eq($$SELECT activated, fresh_rows FROM wfml.retrain('odd')$$, 'VALUES (true, NULL::bigint)', 'nor does it matter where nothing is judged');
ALTER TABLE answer RENAME COLUMN number TO id;
ALTER TABLE answer ALTER COLUMN x TYPE text;
SELECT matches(error_of($$SELECT wfml.retrain('said')$$), '^22000 column "x" has changed its type');
ALTER TABLE answer ALTER COLUMN x TYPE jsonb USING '{}';
SELECT matches(error_of($$SELECT wfml.retrain('said')$$), '^42804 column "x" of the model is of type jsonb now');
ALTER TABLE answer DROP COLUMN x;
SELECT matches(error_of($$SELECT wfml.retrain('said')$$), '^42703 column "x" of the model does not exist');
ALTER TABLE answer DROP COLUMN said;
SELECT matches(error_of($$SELECT wfml.retrain('said')$$), '^42703 target column "said"');
DROP TABLE answer;
SELECT matches(error_of($$SELECT wfml.retrain('said')$$), '^42P01 relation "public.answer" does not exist.*set_source');
SELECT is((SELECT version FROM wfml.models WHERE name = 'said'), 2, 'the model is as it was');

-- a model that came without a source
SELECT wfml.import_model('came', wfml.export_model('zoned')) \g /dev/null
SELECT matches(error_of($$SELECT wfml.retrain('came')$$), '^55000 .*set_source');
SELECT wfml.set_source('came', 'public.thing', 'y') \g /dev/null
SELECT is((SELECT rows FROM wfml.retrain('came')), 600::bigint, 'retrained on the source that it was given');

-- ---- who may, and as whom ----

CREATE ROLE owner_of_it;
CREATE ROLE member_of_it IN ROLE owner_of_it;
CREATE ROLE granted_it;
CREATE ROLE stranger_to_it;
GRANT CREATE, USAGE ON SCHEMA public TO owner_of_it;
CREATE TABLE secret (x int);
INSERT INTO secret VALUES (42);
SET LOCAL ROLE owner_of_it;
CREATE TABLE mine AS SELECT * FROM rows_of(1, 300);
CREATE FUNCTION trap() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
SELECT count(*) FROM wfml.train('mine', 'linear', 'SELECT a, b, y, trap() AS t FROM public.mine', 'y') \g /dev/null
SELECT wfml.grant_model('mine', 'granted_it') \g /dev/null
RESET ROLE;
SELECT is((SELECT version FROM wfml.retrain('mine')), 2, 'a superuser may');
SET LOCAL ROLE member_of_it;
SELECT is((SELECT version FROM wfml.retrain('mine')), 3, 'a member of the owner may');
SET LOCAL ROLE granted_it;
SELECT matches(error_of($$SELECT wfml.retrain('mine')$$), '^42501', 'a grantee may not');
SET LOCAL ROLE stranger_to_it;
SELECT matches(error_of($$SELECT wfml.retrain('mine')$$), '^(42501|WF001)', 'a stranger may not');
RESET ROLE;
SELECT is((SELECT owner::text FROM wfml.registry WHERE name = 'mine'), 'owner_of_it', 'the owner stays the owner');

-- what the source does when a superuser retrains
CREATE FUNCTION try_trap(body text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL ROLE owner_of_it;
    EXECUTE format('CREATE OR REPLACE FUNCTION public.trap() RETURNS int LANGUAGE plpgsql AS %L', 'BEGIN ' || body || '; RETURN 1; END');
    RESET ROLE;
    RETURN public.error_of($q$SELECT wfml.retrain('mine')$q$);
END $$;
SELECT matches(try_trap(body), pattern, body) FROM (VALUES
    ('CREATE ROLE mallory SUPERUSER', '^25006'),
    ('PERFORM * FROM public.secret', '^42501'),
    ('INSERT INTO public.mine SELECT * FROM public.mine', '^25006'),
    ('SET ROLE postgres', '^42501'),
    ('RESET ROLE', '^42501'),
    ('SET SESSION AUTHORIZATION postgres', '^42501'),
    ('PERFORM set_config(''transaction_read_only'', ''off'', false)', '^25001'),
    ('CREATE TEMP TABLE z (a int)', '^25006'),
    ('CREATE INDEX ON public.mine ((public.trap()))', '^25006'),
    ('LISTEN it', '^(42501|25006)'),
    ('PERFORM wfml.drop_model(''mine'')', '^25006'),
    ('RAISE EXCEPTION ''I am %'', current_user', 'I am owner_of_it'),
    ('PERFORM set_config(''search_path'', ''elsewhere'', false), set_config(''row_security'', ''off'', false)', '^none')) v (body, pattern);
SELECT is(current_user::text || ' ' || session_user, 'postgres postgres', 'I am who I was');
SELECT ok(current_setting('search_path') !~ 'elsewhere' AND current_setting('row_security') = 'on', 'settings are as they were');
SELECT is((SELECT count(*) FROM pg_roles WHERE rolname = 'mallory'), 0::bigint);

-- the owner's row security
ALTER TABLE mine OWNER TO postgres;
GRANT SELECT ON mine TO owner_of_it;
ALTER TABLE mine ENABLE ROW LEVEL SECURITY;
CREATE POLICY first_ones ON mine FOR SELECT TO owner_of_it USING (id <= 200);
SELECT is((SELECT rows FROM wfml.retrain('mine')), 200::bigint, 'the rows that the owner sees, not all that a superuser sees');
REVOKE SELECT ON mine FROM owner_of_it;
SELECT matches(error_of($$SELECT wfml.retrain('mine')$$), '^42501 permission denied for table mine', 'the owner''s rights, not the caller''s');

-- an orphan
REASSIGN OWNED BY owner_of_it TO postgres;
DROP OWNED BY owner_of_it;
DROP ROLE owner_of_it;
SELECT matches(error_of($$SELECT wfml.retrain('mine')$$), '^42704 .*reassign_models');

-- ---- misuse ----

SELECT matches(error_of($$SELECT wfml.retrain('nobody')$$), '^WF001');
SELECT matches(error_of($$SELECT wfml.retrain('zoned@1')$$), '^(WF001|22023)');
SELECT matches(error_of($$SELECT wfml.retrain(NULL)$$), '^22004');
SELECT matches(error_of($$SELECT wfml.retrain('zoned', tolerance => 2)$$), '^22023');
SELECT matches(error_of($$SELECT wfml.retrain('zoned', tolerance => 'NaN')$$), '^22023');
SELECT matches(error_of($$SELECT wfml.retire('zoned', 1), wfml.retrain('zoned')$$), '^(none|55000)', 'a retired version');
SAVEPOINT s;
SET LOCAL transaction_read_only = on;
SELECT error_of($$SELECT wfml.retrain('zoned')$$) AS error \gset
-- and with it what pgTAP would have noted
ROLLBACK TO s;
SELECT matches(:'error'::text, '^25006', 'read-only');

-- bytes that a superuser exchanged for those of another kind of model
SET LOCAL session_replication_role = replica;
UPDATE wfml.ml_artifact SET bytes = (SELECT bytes FROM wfml.ml_artifact WHERE model_id = wfml.version_id('linear'))
    WHERE model_id IN (wfml.version_id('sequence'), wfml.version_id('recommender'));
UPDATE wfml.ml_model m SET artifact_bytes = t.artifact_bytes, artifact_sha256 = t.artifact_sha256 FROM wfml.ml_model t
    WHERE t.id = wfml.version_id('linear') AND m.id IN (wfml.version_id('sequence'), wfml.version_id('recommender'));
RESET session_replication_role;
SELECT matches(error_of(format('SELECT wfml.retrain(%L)', name)), '^XX001 .*damaged', name || ': bytes of another kind')
FROM (VALUES ('sequence'), ('recommender')) v (name);

SELECT * FROM finish();
ROLLBACK;
