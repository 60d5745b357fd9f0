-- Drift: silence without any, what was planted, every kind of column and
-- model, logged inputs, statistics of ANALYZE, and who may.

\set QUIET 1
SET client_min_messages = error;
BEGIN;
SELECT plan(49);
SELECT setseed(0.42);

CREATE FUNCTION pg_temp.rows(n int) RETURNS TABLE (id int, amount float8, age int, kind text, vip boolean, at timestamptz, day date,
    v float8[], tags text[], y boolean) LANGUAGE sql VOLATILE AS $$
    SELECT i, -ln(random()), CASE WHEN random() < 0.1 THEN NULL ELSE (random() * 60)::int END,
        (ARRAY['de', 'fr', 'us', 'uk', 'jp'])[1 + floor(sqrt(random()) * 5)::int], random() < 0.3,
        timestamptz '2026-01-05 00:00 UTC' + floor(random() * 28 * 24 * 60) * interval '1 minute',
        date '2026-01-05' + floor(random() * 28)::int,
        ARRAY[random(), random()], CASE WHEN random() < 0.5 THEN '{a,b}'::text[] ELSE '{c}' END, random() < 0.4
    FROM generate_series(1, n) i $$;
CREATE TABLE past AS SELECT * FROM pg_temp.rows(6000);
CREATE TABLE now_same AS SELECT * FROM pg_temp.rows(2000);
SELECT wfml.train(a, a, 'SELECT amount, age, kind, vip, at, day, v, tags, y FROM past', 'y', p)
FROM (VALUES ('random_forest', '{"trees": 3}'::jsonb), ('gradient_boosting', '{"rounds": 3}'), ('linear', '{}')) v (a, p) \g /dev/null
SELECT wfml.train('isolation_forest', 'isolation_forest', 'SELECT amount, age, kind, vip, at, day, v, tags FROM past', params => '{"trees": 5}') \g /dev/null

-- ---- nothing, and something ----

SELECT is(array_agg(DISTINCT verdict), '{stable}', m || ': rows like those of training')
    FROM unnest('{random_forest,gradient_boosting,linear,isolation_forest}'::text[]) m, wfml.drift(m, 'now_same') GROUP BY m ORDER BY m;
CREATE TABLE planted (what text, columns text, moved text, part text);
INSERT INTO planted VALUES
    ('larger numbers', 'amount + 1 AS amount, age, kind, vip, at, day, v, tags', 'amount', NULL),
    ('more missing', 'amount, CASE WHEN id % 2 = 0 THEN age END AS age, kind, vip, at, day, v, tags', 'age', NULL),
    ('another share of categories', 'amount, age, CASE WHEN id % 2 = 0 THEN ''de'' ELSE kind END AS kind, vip, at, day, v, tags', 'kind', NULL),
    ('a new category', 'amount, age, CASE WHEN id % 3 = 0 THEN ''xx'' ELSE kind END AS kind, vip, at, day, v, tags', 'kind', NULL),
    ('another share of true', 'amount, age, kind, vip OR id % 2 = 0 AS vip, at, day, v, tags', 'vip', NULL),
    ('other hours', 'amount, age, kind, vip, date_trunc(''day'', at) + interval ''1 hour'' * (id % 8) AS at, day, v, tags', 'at', 'minute'),
    ('other days of the week', 'amount, age, kind, vip, at, CASE WHEN id % 4 > 0 THEN day - extract(isodow FROM day)::int % 3 ELSE day END AS day, v, tags', 'day', 'weekday'),
    ('an element of a list', 'amount, age, kind, vip, at, day, ARRAY[v[1], v[2] + 0.5] AS v, tags', 'v', '2'),
    ('a tag', 'amount, age, kind, vip, at, day, v, CASE WHEN id % 2 = 0 THEN tags ELSE ''{a,c}'' END AS tags', 'tags', 'c');
CREATE TABLE found AS
    SELECT p.what, m.model, d.* FROM planted p, unnest('{random_forest,linear,isolation_forest}'::text[]) AS m (model),
        LATERAL wfml.drift(m.model, 'SELECT ' || p.columns || ' FROM now_same') d;
SELECT set_eq(format('SELECT DISTINCT feature FROM found WHERE what = %L AND psi >= 0.1', what), ARRAY[moved], what || ' moves ' || moved) FROM planted;
SELECT is(array_agg(DISTINCT f.verdict), '{drifting}', what || ': much')
    FROM planted p JOIN found f USING (what) WHERE f.feature = p.moved AND what IN ('larger numbers', 'more missing', 'an element of a list', 'a new category') GROUP BY what ORDER BY what;
SELECT is(array_agg(DISTINCT f.part) FILTER (WHERE f.part <> 'b' OR f.feature <> 'tags'), '{2}', 'which element') FROM found f WHERE what = 'an element of a list' AND feature = 'v';

-- The calendar moves by itself: a later month is no drift.
SELECT is(array_agg(DISTINCT verdict), '{stable}', 'a later month')
    FROM wfml.drift('random_forest', $$ SELECT amount, age, kind, vip, at + interval '84 days' AS at, day + 84 AS day, v, tags FROM now_same $$);

-- Nor is a single day's log, which has no other weekdays.
SELECT is(array_agg(DISTINCT verdict), '{not measured,stable}', 'rows of one day')
    FROM wfml.drift('random_forest', $$ SELECT amount, age, kind, vip, timestamptz '2026-03-03 00:00 UTC' + (at AT TIME ZONE 'UTC')::time AS at,
        date '2026-03-03' AS day, v, tags FROM now_same $$);

-- ---- chance ----

SELECT wfml.train('plain', 'linear', 'SELECT amount, age, kind, vip, y FROM past', 'y') \g /dev/null
CREATE TABLE chance AS SELECT g, d.* FROM generate_series(1, 150) g, LATERAL wfml.drift('plain', format('SELECT * FROM pg_temp.rows(400 + 0 * %s)', g)) d;
SELECT cmp_ok(avg(psi), '<', 0.006::float8, 'the index of nothing is 0') FROM chance;
SELECT cmp_ok(count(*) FILTER (WHERE verdict <> 'stable'), '<=', 6::bigint, 'hardly a verdict of 600 is other than stable') FROM chance;
SELECT is(count(*) FILTER (WHERE verdict = 'drifting'), 0::bigint, 'none is drifting') FROM chance;
SELECT cmp_ok(count(DISTINCT g) FILTER (WHERE p_value < 0.05), '<=', 16::bigint, 'p values are no smaller than they say') FROM chance;

-- ---- too little ----

SELECT is(array_agg(DISTINCT verdict), '{too few rows}', '199 rows say nothing') FROM wfml.drift('linear', 'SELECT * FROM now_same LIMIT 199');
SELECT is(array_agg(DISTINCT verdict), '{too few rows}', 'no rows say nothing') FROM wfml.drift('linear', 'SELECT * FROM now_same LIMIT 0');
PREPARE missing AS SELECT * FROM wfml.drift('linear', 'SELECT amount, age FROM now_same');
SELECT throws_ok('missing', '42703', NULL, 'columns that are missing');
PREPARE unknown AS SELECT * FROM wfml.drift('lineal', 'now_same');
SELECT throws_ok('unknown', 'WF001', NULL, 'an unknown model');
SELECT wfml.train_recommender('films', 'SELECT id % 40 AS u, id * 7 % 30 AS i FROM past', 'u', 'i') \g /dev/null
PREPARE films AS SELECT * FROM wfml.drift('films', 'now_same');
SELECT throws_ok('films', 'WF002', NULL, 'a recommender has no columns to drift');
PREPARE film_stats AS SELECT * FROM wfml.drift_from_stats('films', 'now_same');
SELECT throws_ok('film_stats', 'WF002', NULL, 'nor has it by statistics');

-- A model of values without histograms, as 0.1.0 made them: it predicts, but does not know how its rows were distributed.
SELECT wfml.import_model('ancient', decode($$
V0ZNT0RFTAoBAAAAz4BzOlAFAAAAAAAADAAAAAEAAAABAAAAAgAAAAEAAAABAQAAAAAAAAAA8D8AAAAAAAAAAAAAAAAAAPh/AAAAAAAA+H9saW5lYXIAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAZAAAAAAAAABDT0xTAAAAAAACAAAAAAAAKAAAAAAAAABGRUFUAAAAAEACAAAAAAAAFAAAAAAAAABDVVRT
AAAAAIACAAAAAAAAJAAAAAAAAABESUNUAAAAAMACAAAAAAAAAAAAAAAAAABMT09LAAAAAMACAAAAAAAAAAAAAAAAAABMQUJMAAAAAMACAAAAAAAAEAAAAAAA
AABTVFJTAAAAAAADAAAAAAAADQAAAAAAAABaT05FAAAAAEADAAAAAAAABAAAAAAAAABJTVBPAAAAAIADAAAAAAAAGAAAAAAAAABoaXN0AAAAAMADAAAAAAAA
MAAAAAAAAABTRUVOAAAAAAAEAAAAAAAAyAAAAAAAAABMSU5SAAAAAAAFAAAAAAAAUAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAEAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAD8AAMA/AAAgQAAAYEAAAJBAAACwQAAA0EAAAPBAAAAIQQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACAAAABQAAAAgAAAAEAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAeABmYWxzZQB0cnVlAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAFVUQwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB58r3t
OCsNQAAAAAAAAAAAAAAAAAAA+H8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACgAAAAoAAAAKAAAACgAAAAoAAAAKAAAACgAAAAoA
AAAKAAAACgAAAAAAAABkAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAADAAAAAAAEAAAAAAAAAABQABJACAAAIAAAAABAABAAgAEAAAAAAAAQAAAAACAAACAAAAAA
AAAiAAAAAACAAABEAQAAAAEAAAAAAEEAAAAAIAAAAAAAAAAAAAAAgAAAAAAAAAAAAIAAAAAAAgAIAAAAAAEAAAQAQAAAAAABAABAAAAAAAIABAAAQAAhAAAA
CAAEAEAAgAAAAAIAAACAgAAIAABAAkAwAocAQAAAAEEAAAAAIAAAARAIAAEAABAAAAEAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAABAAAAAQAAAAEAAAAAAAAAAAAAAP////8AAAAAAAAAAAAAAAAAABJA0qOlNy1I1j8AAAAAAAAQQQAAAAAAAAAAefK97Tgr
DUBbwyr8XKGSPA==
$$, 'base64')) \g /dev/null
SELECT cmp_ok(wfml.predict('ancient', '{"x": 3}'), '<', 0.2::float8, 'a model without histograms predicts');
SELECT throws_ok($$ SELECT * FROM wfml.drift('ancient', 'SELECT 1 AS x') $$, '55000',
    'version 1 of model "ancient" does not know how its training rows were distributed', 'and says that it cannot tell');
SELECT throws_ok($$ SELECT * FROM wfml.drift_from_stats('ancient', 'past') $$, '55000', NULL, 'also of statistics');

-- ---- logged inputs ----

PREPARE unlogged AS SELECT * FROM wfml.drift('linear');
SELECT throws_ok('unlogged', 'P0002', 'inputs of model "linear" are not logged', 'inputs are not kept unless asked for');
SELECT wfml.set_log_input('linear', true) \g /dev/null
SELECT throws_ok('unlogged', 'P0002', 'no inputs of model "linear" were logged in the last 7 days', 'nor at once');
SELECT count(*) FROM now_same n, LATERAL wfml.log_predict('linear', to_jsonb(n)) \g /dev/null
SELECT set_eq('unlogged', $$ SELECT * FROM wfml.drift('linear', 'now_same') $$, 'the log says what its rows say');
UPDATE wfml.prediction SET made_at = now() - interval '8 days';
SELECT throws_ok('unlogged', 'P0002', NULL, 'only the last 7 days count');
SELECT count(*) FROM now_same n, LATERAL wfml.log_predict('linear', to_jsonb(n) || '{"amount": 9}') \g /dev/null
SELECT is(feature || ' ' || verdict, 'amount drifting', 'what drifts most comes first') FROM wfml.drift('linear') LIMIT 1;

-- ---- statistics ----

CREATE TABLE part (LIKE past) PARTITION BY RANGE (at);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO part SELECT id, amount + 1, age, CASE WHEN id % 2 = 0 THEN 'de' ELSE kind END, vip, at, day, v, tags, y FROM now_same;
SELECT throws_ok($$ SELECT wfml.drift_from_stats('linear', 'part1') $$, '55000', NULL, 'a table without statistics');
ANALYZE part1;
CREATE VIEW scanned AS SELECT * FROM wfml.drift('linear', 'part1');
SELECT set_eq($$ SELECT feature, verdict FROM wfml.drift_from_stats('linear', 'part1') WHERE feature <> 'v' $$,
    $$ SELECT feature, verdict FROM scanned WHERE feature <> 'v' $$, 'statistics say what a scan says');
SELECT cmp_ok(max(abs(s.psi - d.psi) / (0.02 + d.psi)), '<', 0.15::float8, 'about as loud')
    FROM wfml.drift_from_stats('linear', 'part1') s JOIN scanned d USING (feature);
SELECT is(verdict, 'no statistics', 'of lists of numbers there are none') FROM wfml.drift_from_stats('linear', 'part1') WHERE feature = 'v';

-- ---- who may, and what is kept ----

DELETE FROM wfml.evaluation;
CREATE ROLE drift_owner;
CREATE ROLE drift_user;
CREATE ROLE drift_stranger;
SELECT wfml.reassign_models(current_user, 'drift_owner'), wfml.grant_model('linear', 'drift_user') \g /dev/null
GRANT SELECT ON part1, now_same TO drift_owner, drift_user;
SET ROLE drift_user;
SELECT is(count(*), 8::bigint, 'a grantee measures') FROM wfml.drift('linear', 'now_same');
SELECT throws_ok('unlogged', '42501', 'must be owner of model "linear" to read its logged inputs', 'but not others'' inputs');
SELECT is_empty('SELECT * FROM wfml.evaluations', 'nor is it kept');
SET ROLE drift_stranger;
SELECT throws_ok($$ SELECT * FROM wfml.drift('linear', 'now_same') $$, '42501', NULL, 'a stranger does not');
SET ROLE drift_owner;
SELECT is(count(*), 8::bigint, 'an owner measures') FROM wfml.drift_from_stats('linear', 'part1');
SELECT set_eq($$ SELECT metric FROM wfml.evaluations WHERE source = 'drift' $$,
    '{psi,psi:amount,psi:kind,psi:age,psi:vip,psi:at,psi:day,psi:tags}'::text[], 'and it is kept');
SELECT throws_ok($$ SELECT * FROM wfml.drift_from_stats('linear', 'past') $$, '55000', NULL, 'statistics of tables that he may not read are hidden');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
