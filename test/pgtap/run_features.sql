-- What is known of a run before it starts: the same by short reads and in one way through history, and never the future.
-- Whether it will succeed: by rule and by model; noise bears nothing but the base rate.

\set QUIET 1
SET client_min_messages = error;
BEGIN;
SET LOCAL TimeZone = 'UTC';
CREATE ROLE rf_app;
CREATE ROLE rf_grantee;
CREATE ROLE rf_stranger;
CREATE SCHEMA rf AUTHORIZATION rf_app;
GRANT USAGE ON SCHEMA rf TO rf_grantee, rf_stranger;
SET LOCAL search_path = rf, public;
SELECT no_plan();

SELECT throws_ok($$SELECT wfml.run_features('w', now())$$, '42704', NULL, 'nothing is bound');
SELECT throws_ok($$SELECT * FROM wfml.success_probability('w')$$, '42704', NULL, 'nor asked');

-- Times in quarters of an hour, so that many tie; some runs have no length, no end or no outcome, one no workflow.
SET LOCAL ROLE rf_app;
CREATE TYPE kind AS ENUM ('big', 'small');
CREATE TABLE run AS
    SELECT i AS run_id, CASE WHEN h % 5 < 2 THEN 3 ELSE h % 9 END AS workflow_id, s AS started_at,
        CASE WHEN h % 17 > 0 THEN s + (h / 7 % 9) * interval '15 min' END AS finished_at,
        CASE WHEN h % 23 > 0 THEN h / 11 % 10 < 6 + (extract(hour FROM s) < 12)::int END AS succeeded,
        CASE WHEN h % 9 > 0 THEN h % 9 - 1 END AS upstream, (ARRAY['team a', 'team "b"', 't''c', NULL])[1 + h / 13 % 4] AS team,
        ('{big,small}'::kind[])[1 + h / 19 % 2] AS kind, h / 29 % 100 AS load, h % 2 = 0 AS urgent
    FROM (SELECT i, ('x' || substr(md5('rf' || i), 1, 7))::bit(28)::int AS h FROM generate_series(1, 4000) i) a,
    LATERAL (SELECT timestamptz '2024-03-01 00:00+00' + (i / 3) * interval '15 min') b (s);
UPDATE run SET workflow_id = NULL WHERE run_id = 1000;
UPDATE run SET started_at = '-infinity' WHERE run_id = 1001;
UPDATE run SET finished_at = started_at - interval '1 h' WHERE run_id % 50 = 0;
CREATE INDEX ON run (workflow_id, finished_at);
CREATE INDEX ON run (finished_at);
CREATE INDEX ON run (started_at);
SELECT wfml.bind('runs', 'SELECT * FROM rf.run', '{team,kind,load,urgent}');
SELECT wfml.run_example_columns() AS columns \gset
SELECT format('CREATE TABLE example AS SELECT * FROM wfml.run_examples() AS e (%s)', :'columns') \gexec

-- ---- both ways ----

SELECT is(count(*), 2 * (SELECT count(*) FROM run WHERE succeeded IS NOT NULL AND workflow_id IS NOT NULL AND started_at > '-infinity'),
    'two examples of each run with an outcome') FROM example;
SELECT is(count(*) FILTER (WHERE horizon_hours = 0) * 2, count(*), 'one at horizon 0') FROM example;
SELECT is(array_agg(DISTINCT horizon_hours), '{0,1,6,24,168}', 'the other drawn') FROM example;
SELECT is(count(*) FILTER (WHERE known_by <> at - horizon_hours * interval '1 h'), 0::bigint, 'known_by is so long before') FROM example;
CREATE VIEW both_ways AS SELECT e.at, e.known_by, e.workflow_id, to_jsonb(e) - '{at,known_by,succeeded}'::text[] AS swept,
    wfml.run_features(e.workflow_id, e.at, e.known_by,
        jsonb_build_object('team', e.known_team, 'kind', e.known_kind, 'load', e.known_load, 'urgent', e.known_urgent::int::boolean)) AS read FROM example e;
SELECT is(count(*) FILTER (WHERE swept IS DISTINCT FROM read), 0::bigint, 'what is read is what is swept')
    FROM (SELECT * FROM both_ways WHERE hashtext(at::text || workflow_id || known_by) % 20 = 0 OFFSET 0) b;
SELECT ok(count(DISTINCT swept) > 300 AND max((swept ->> 'runs')::int) = 400 AND max((swept ->> 'workflow_running')::int) > 0, 'which is rich enough')
    FROM (SELECT * FROM both_ways WHERE hashtext(at::text || workflow_id || known_by) % 20 = 0) b;
SELECT is(s.features, wfml.run_features('3', s.at, '2024-03-10', '{"team": "team a"}'), 'slots are as one by one')
    FROM wfml.slot_features('3', '{2024-03-10 00:00, 2024-03-12 13:30, NULL, 2024-03-11 05:00}', '2024-03-10', '{"team": "team a"}') s;
SELECT is(array_agg(s.at ORDER BY n), '{2024-03-12 13:30+00,2024-03-10 00:00+00}', 'in the order given')
    FROM wfml.slot_features('3', '{2024-03-12 13:30, 2024-03-10 00:00}', '2024-03-10') WITH ORDINALITY s (at, features, rule, runs, n);
SELECT is(count(*), 0::bigint, 'or none') FROM wfml.slot_features('3', '{}', '2024-03-10') s;
SELECT is(wfml.run_features('3', '2024-03-10') - '{horizon_hours}'::text[], wfml.run_features('3', '2024-03-10', '2024-03-10', r.known) - '{horizon_hours}'::text[],
    'columns known at start are by default those of the last run')
    FROM (SELECT jsonb_build_object('team', team, 'kind', kind, 'load', load, 'urgent', urgent) AS known FROM run
        WHERE workflow_id = 3 AND finished_at <= '2024-03-10' AND started_at < '2024-03-10' AND started_at <= finished_at AND succeeded IS NOT NULL
        ORDER BY finished_at DESC, started_at DESC, succeeded DESC LIMIT 1) r;

-- ---- the future ----

CREATE TABLE before AS SELECT w, wfml.run_features(w::text, t + h, t) AS f, wfml.run_features(w::text, t + h, t, '{"team": "t''c", "load": 5}') AS g
    FROM generate_series(0, 8) w, (VALUES (timestamptz '2024-03-09 12:00')) v (t), (VALUES (interval '0'), ('90 min')) hs (h);
SELECT is(count(DISTINCT f), 18::bigint, 'features differ among workflows and times') FROM before;
SAVEPOINT past;
UPDATE run SET succeeded = NOT succeeded, finished_at = finished_at + interval '7 days', load = -1, team = 'x', workflow_id = run_id % 3
    WHERE started_at >= '2024-03-09 12:00';
UPDATE run SET succeeded = NOT coalesce(succeeded, true), finished_at = CASE run_id % 2 WHEN 0 THEN timestamptz '2024-03-19' END
    WHERE started_at < '2024-03-09 12:00' AND (finished_at > '2024-03-09 12:00' OR finished_at IS NULL);
CREATE VIEW same AS SELECT count(*) FILTER (WHERE b.f <> wfml.run_features(b.w::text, t + h, t) OR b.g <> wfml.run_features(b.w::text, t + h, t, '{"team": "t''c", "load": 5}'))
    FROM (SELECT *, row_number() OVER (PARTITION BY w ORDER BY f ->> 'horizon_hours') AS n FROM before) b, (VALUES (timestamptz '2024-03-09 12:00')) v (t),
    (VALUES (1, interval '0'), (2, '90 min')) hs (i, h) WHERE n = i;
SELECT is(count, 0::bigint, 'nothing that happens after known_by changes a feature') FROM same;
DELETE FROM run WHERE started_at >= '2024-03-09 12:00';
SELECT is(count, 0::bigint, 'nor does its absence') FROM same;
UPDATE run SET succeeded = NOT succeeded WHERE finished_at = '2024-03-09 12:00' AND started_at < finished_at;
SELECT ok(count > 0, 'what finished at that very moment is known') FROM same;
ROLLBACK TO past;

-- ---- hours are the binding's ----

SELECT wfml.run_features('3', '2024-03-10') AS shown \gset
SET LOCAL extra_float_digits = -10;
SELECT is(wfml.run_features('3', '2024-03-10'), :'shown'::jsonb, 'numbers are whole however they are shown');
SET LOCAL extra_float_digits = 1;
SELECT is(wfml.run_features('3', '2024-03-10 23:30+00') ->> 'hour', '23', 'hour where it was bound');
SET LOCAL TimeZone = 'Asia/Kolkata';
SELECT is(wfml.run_features('3', '2024-03-10 23:30+00') ->> 'hour', '23', 'wherever the session is');
SELECT wfml.bind('runs', 'SELECT * FROM rf.run', '{team,kind,load,urgent}');
SELECT is((wfml.run_features('3', '2024-03-10 23:30+00') ->> 'minute_of_day') || ' ' || (wfml.run_features('3', '2024-03-10 23:30+00') ->> 'weekday'), '300 1', 'bound anew it is another');
SELECT is(count(*) FILTER (WHERE minute_of_day <> extract(hour FROM at) * 60 + extract(minute FROM at) OR weekday <> extract(isodow FROM at)), 0::bigint, 'in examples too')
    FROM wfml.run_examples() AS e (at timestamptz, minute_of_day float8, weekday float8);
SET LOCAL TimeZone = 'America/New_York';
SELECT wfml.bind('runs', 'SELECT * FROM rf.run', '{team,kind,load,urgent}');
SELECT is(count(*) FILTER (WHERE minute_of_day <> extract(hour FROM at) * 60 + extract(minute FROM at)), 0::bigint, 'where clocks change')
    FROM wfml.run_examples('2024-03-09', '2024-03-12') AS e (at timestamptz, minute_of_day float8);
SET LOCAL TimeZone = 'UTC';

-- ---- examples, errors ----

SELECT is(count(*) || ' ' || min(at) || ' ' || max(at), '576 2024-03-05 00:00:00+00 2024-03-06 23:45:00+00', 'of a time')
    FROM (SELECT * FROM wfml.run_examples('2024-03-05', '2024-03-07', '{0}') AS e (at timestamptz)
    UNION ALL SELECT started_at FROM run WHERE started_at >= '2024-03-05' AND started_at < '2024-03-07' AND (succeeded IS NULL OR workflow_id IS NULL)) x;
SELECT is(array_agg(DISTINCT horizon_hours), '{0.5,48}', 'at other horizons') FROM wfml.run_examples(horizons => '{30 min,2 days}') AS e (horizon_hours float8);
SELECT throws_ok(format(call), code, NULL, call) FROM (VALUES
    ('SELECT * FROM wfml.run_examples() AS e (speed float8)', '42703'), ('SELECT * FROM wfml.run_examples() AS e (rate text)', '42804'),
    ('SELECT * FROM wfml.run_examples(horizons => ''{1 month}'') AS e (rate float8)', '22023'),
    ('SELECT * FROM wfml.run_examples(horizons => ''{-1 hour}'') AS e (rate float8)', '22023'),
    ('SELECT wfml.run_features(NULL, now())', '22004'), ('SELECT wfml.run_features(''3'', NULL)', '22004'),
    ('SELECT wfml.run_features(''3'', ''infinity'')', '22023'), ('SELECT wfml.run_features(''3'', ''2024-03-01'', ''2024-03-02'')', '22023'),
    ('SELECT wfml.run_features(''3'', now(), now(), ''[]'')', '22023'), ('SELECT wfml.run_features(''3'', now(), now(), ''{"speed": 1}'')', '42703'),
    ('SELECT wfml.run_features(''3'', now(), now(), ''{"load": "much"}'')', '22023'), ('SELECT * FROM wfml.slot_features(''3'', ''{2024-03-01}'')', '22023'),
    ('SELECT * FROM wfml.slot_features(''3'', NULL)', '22004'), ('SELECT * FROM wfml.train_trigger_predictor(''{"candidate": "oracle"}'')', '22023')
    ) c (call, code);

-- ---- by rule ----

SELECT ok(p.source = 'rule' AND p.runs BETWEEN 300 AND 400, 'without a model by rule') FROM wfml.success_probability('3', '2024-03-14') p;
SELECT is(p.probability, (wfml.run_features('3', '2024-03-14') ->> 'hour_rate')::float8, 'the rate at that hour') FROM wfml.success_probability('3', '2024-03-14') p;
SELECT is(p.probability || ' ' || p.runs, (wfml.run_features('3', '2024-03-14') ->> 'platform_rate') || ' 0', 'the platform''s for an unknown workflow')
    FROM wfml.success_probability('99', '2024-03-14') p;
SELECT ok(p.probability IS NULL AND p.source = 'rule' AND p.runs = 0, 'NULL before anything has run') FROM wfml.success_probability('3', '2020-01-01') p;
SELECT is(array_agg(p.source), '{rule,rule}', 'slots by rule') FROM wfml.slot_probabilities('3', '{2024-03-14, 2024-03-15}', '2024-03-14') p;

-- ---- by model ----

CREATE TABLE compared AS SELECT * FROM wfml.trigger_candidates();
SELECT is(count(*) || ' ' || count(*) FILTER (WHERE chosen), '5 1', 'five candidates, one chosen') FROM compared;
SELECT ok(bool_and(behind >= 0 AND standard_error >= 0 AND brier BETWEEN 0 AND 0.5), 'with their scores') FROM compared;
SELECT is(count(*), 0::bigint, 'and no model left') FROM wfml.models;
SELECT count(*) FROM wfml.train('trigger_predictor_candidate', 'linear', 'SELECT i AS x, i % 2 = 0 AS y FROM generate_series(1, 60) i', 'y') \g /dev/null
SELECT throws_ok('SELECT * FROM wfml.trigger_candidates()', '42710', NULL, 'a model of that name is nobody''s to drop');
SELECT is(count(*), 1::bigint, 'and still there') FROM wfml.models;
SELECT wfml.drop_model('trigger_predictor_candidate') \g /dev/null
SELECT is(model || task, 'trigger_predictorclassification', 'a model') FROM wfml.train_trigger_predictor('{"candidate": "boosting", "rounds": 20}');
SELECT ok(p.source = 'ml' AND p.probability > 0 AND p.probability < 1, 'answers') FROM wfml.success_probability('3', '2024-03-14') p;
SELECT is(p.probability, wfml.predict('trigger_predictor', wfml.run_features('3', '2024-03-14')), 'by what run_features() says') FROM wfml.success_probability('3', '2024-03-14') p;
SELECT is(p.probability, wfml.predict('trigger_predictor', wfml.run_features('3', '2024-03-14', '2024-03-13')), 'of slots too')
    FROM wfml.slot_probabilities('3', '{2024-03-14}', '2024-03-13') p;
SELECT ok(p.probability IS NOT NULL AND p.source = 'ml', 'of an unknown workflow too') FROM wfml.success_probability('99', '2024-03-14') p;
SELECT is(model, 'trigger_predictor', 'a sum of numbers') FROM wfml.train_trigger_predictor('{"candidate": "linear"}');
SELECT ok(bool_and(p.probability BETWEEN 0.2 AND 0.9), 'says nothing extreme long after the last run')
    FROM unnest('{2024-03-14,2024-09-14,2124-09-14}'::timestamptz[]) a, wfml.success_probability('3', a) p;
SELECT is(wfml.drop_model('trigger_predictor')::text, '', 'dropped');

-- ---- who ----

SELECT wfml.grant_source('runs', 'rf_grantee');
SET LOCAL ROLE rf_grantee;
SELECT ok(wfml.run_features('3', '2024-03-14') IS NOT NULL, 'who is granted the runs may ask');
SET LOCAL ROLE rf_stranger;
SELECT throws_ok($$SELECT wfml.run_features('3', '2024-03-14')$$, '42704', NULL, 'a stranger not');
SELECT throws_ok($$SELECT * FROM wfml.run_examples() AS e (rate float8)$$, '42704', NULL, 'nor learn');
RESET ROLE;

-- ---- noise and hours ----

SET LOCAL ROLE rf_app;
CREATE TABLE noise (workflow_id text, started_at timestamptz, finished_at timestamptz, succeeded boolean);
CREATE INDEX ON noise (workflow_id, finished_at);
-- p: probability of success; seed of the draws
CREATE FUNCTION draw(seed int, share float8, swing float8) RETURNS void LANGUAGE sql AS $$
    DELETE FROM noise;
    INSERT INTO noise SELECT 'w' || i % 11, s, s + interval '5 min', (('x' || substr(md5(seed || '/' || i), 1, 7))::bit(28)::int / 268435456.0) < share + swing * sin(extract(hour FROM s) * 0.2618)
    FROM generate_series(1, 1200) i, LATERAL (SELECT timestamptz '2024-01-01 00:00+00' + i * interval '47 min') t (s);
$$;
SELECT wfml.bind('runs', 'SELECT * FROM rf.noise');
CREATE FUNCTION taken(seed int, share float8, swing float8) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM draw(seed, share, swing);
    RETURN (SELECT candidate FROM wfml.trigger_candidates() WHERE chosen);
END $$;
SELECT is(string_agg(DISTINCT taken(seed, 0.5 + seed % 4 * 0.1, 0), ' '), 'base rate', 'noise bears the base rate') FROM generate_series(1, 8) seed;
SELECT is(taken(1, 0.65, 0.25), 'hour rate', 'the hour its own');
SELECT draw(1, 2, 0);
SELECT throws_ok('SELECT * FROM wfml.train_trigger_predictor()', '22023', 'all runs that are bound succeeded', 'nothing to tell apart');
DELETE FROM noise WHERE started_at > '2024-01-02';
SELECT throws_ok('SELECT * FROM wfml.train_trigger_predictor()', '22023', 'only 30 bound runs have an outcome to learn from, 50 are needed', 'too few');

SELECT * FROM finish();
ROLLBACK;
