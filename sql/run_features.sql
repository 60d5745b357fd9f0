-- Will it succeed: what is known of a run before it starts, by rule, by model.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
SET TimeZone = 'UTC';
SET DateStyle = ISO;
-- Ten workflows; in the afternoon they fail more often.
CREATE TABLE run AS
    SELECT i AS run_id, 'w' || i % 10 AS workflow_id, s AS started_at, s + interval '10 min' AS finished_at,
        ('x' || substr(md5(i::text), 1, 7))::bit(28)::int % 100 < CASE WHEN extract(hour FROM s) < 12 THEN 85 ELSE 50 END AS succeeded,
        CASE WHEN i % 10 = 7 THEN 'w3' END AS upstream, (i * 31) % 17 AS items
    FROM generate_series(1, 3000) i, LATERAL (SELECT timestamptz '2024-01-05 00:00' + i * interval '17 min') t (s);
SELECT wfml.success_probability('w7', '2024-02-02 09:00');
SELECT wfml.bind('runs', 'run', known_at_start => '{items}');

-- What is known, and by when
SELECT jsonb_pretty(wfml.run_features('w7', '2024-02-02 09:00', known => '{"items": 5}'));
SELECT f -> 'horizon_hours' AS horizon, f -> 'hour' AS hour, f -> 'log_hours_since_run' AS log_hours_since_run
FROM wfml.run_features('w7', '2024-02-02 09:00', known_by => '2024-02-01 15:00') f;
SELECT wfml.run_features('w7', '2024-02-02 09:00', known_by => '2024-02-02 10:00');

-- By rule
SELECT round(probability::numeric, 3) AS probability, runs, source FROM wfml.success_probability('w7', '2024-02-02 09:00');
SELECT round(probability::numeric, 3) AS probability, runs, source FROM wfml.success_probability('new', '2024-02-02 09:00');
SELECT * FROM wfml.success_probability('w7', '2020-01-01');

-- What a model learns from
SELECT count(*), count(DISTINCT horizon_hours) AS horizons, round(avg(hour_rate)::numeric, 2) AS hour_rate
FROM wfml.run_examples(since => '2024-01-20') AS e (horizon_hours float8, hour_rate float8);
SELECT * FROM wfml.run_examples();
SELECT * FROM wfml.run_examples() AS e (speed float8);

-- Which one
SELECT candidate, chosen FROM wfml.trigger_candidates();
SELECT model, version, task, rows, features FROM wfml.train_trigger_predictor('{"candidate": "hour rate"}');
SELECT p.at, round(p.probability::numeric, 1) AS probability, p.source
FROM wfml.slot_probabilities('w7', '{2024-02-03 09:00, 2024-02-03 15:00}', '2024-02-02 09:00') p;
SELECT source FROM wfml.success_probability('new', '2024-02-02 09:00');
SELECT wfml.train_trigger_predictor('{"candidate": "oracle"}');
SELECT wfml.drop_model('trigger_predictor');
SELECT wfml.unbind('runs');
DROP TABLE run;
