-- A tour of wfml, run by "make demo" after test/data/load.sql; real_data.sql is
-- its second part.  The story
-- of one day on a platform where people start workflows, whose data are made
-- up so that the truth is known (docs/demo_data.md).  Read it beside what it
-- prints.

\pset border 1
\pset footer off
\pset null '(null)'
SET client_min_messages = notice;
SET TimeZone = 'UTC';
\set QUIET 1

\echo
\echo '== One day of a platform: 200 people, 40 workflows, 60 days of history up to Thursday; now it is Friday'
\echo

CREATE EXTENSION wfml;
-- The story's day is the last Friday that is over: what is asked about a moment
-- that has passed is answered by what was known then, so every run says the same.
SELECT date_trunc('week', now() - interval '5 days') + interval '4 days' AS friday \gset
SELECT "table", rows FROM wfml.generate_demo(users => 200, days => 60, seed => 1, starts => :'friday'::timestamptz - interval '60 days')
WHERE "table" !~ '^truth';

\echo '-- The tables stay where they are; wfml is told where to read. items is known when a run starts.'
SELECT wfml.bind('runs', 'wfml_demo.run', known_at_start => '{items}'),
       wfml.bind('events', 'wfml_demo.event'), wfml.bind('workflows', 'wfml_demo.workflow'), wfml.bind('usage', 'wfml_demo.usage'),
       wfml.bind('patterns', 'SELECT events, n_events, support, users, lift, typical_hour, weekday_share, gap, category FROM wfml_demo.pattern'),
       wfml.bind('suggestions', 'SELECT events, n_events, support, users, lift, typical_hour, weekday_share, gap, score FROM wfml_demo.suggestion') \g /dev/null

\echo '-- Before anything is trained every question has an answer already, by a rule that says so. Will w001 succeed at nine?'
SELECT probability::numeric(4,3), runs, source FROM wfml.success_probability('w001', :'friday'::timestamptz + interval '9 hours');

\echo '-- One call trains all models:'
SET client_min_messages = warning;
CALL wfml.train_all();
SET client_min_messages = notice;
SELECT name AS model, algorithm, metric, round(score::numeric, 3) AS score, round(baseline::numeric, 3) AS baseline, rows, size
FROM wfml.models ORDER BY name;

\echo '-- Much of whether a run succeeds is chance: what counts is how well the odds are known (less is better).'
SELECT metric, round(value::numeric, 4) AS value, round(baseline::numeric, 4) AS baseline
FROM wfml.metrics('trigger_predictor') WHERE metric IN ('log_loss', 'brier');

\echo '-- 09:00. What do people do again and again that no workflow does for them?'
SELECT array_to_string(events, ' > ') AS sequence, users, sessions, saving::numeric(4,2) FROM wfml.workflow_needs(5);

\echo '-- What kind of work is the first of these, and how good would it be to suggest automating it?'
SELECT c.category, c.confidence::numeric(4,3), s.score::numeric(4,3), s.explanation
FROM wfml.workflow_needs(1) n, LATERAL wfml.classify_pattern(n.pattern) c, LATERAL wfml.score_suggestion(n.pattern) s;

\echo '-- What should user u0001 automate, and which workflows of others would suit him?'
SELECT array_to_string(events, ' > ') AS sequence, category, score::numeric(4,3), source FROM wfml.suggest('u0001', 3);
SELECT workflow_id, name, score::numeric(5,3), reason, source FROM wfml.recommend_workflows('u0001', 3);

\echo '-- 10:00. u0001 has begun something. What comes next?'
INSERT INTO wfml_demo.event
VALUES (1000001, 'u0001', 'quote_draft', :'friday'::timestamptz + interval '10:00'),
       (1000002, 'u0001', 'price_check', :'friday'::timestamptz + interval '10:01');
SELECT coalesce(event, '(the session ends)') AS event, probability::numeric(4,3), rank, source FROM wfml.next_workflow_events('u0001', 3);

\echo '-- 11:00. Will workflow w001 succeed now, with so many items? When would be better today?'
SELECT items, probability::numeric(4,3), runs, source
FROM (VALUES (50), (500)) v(items),
     LATERAL wfml.success_probability('w001', :'friday'::timestamptz + interval '11:00', jsonb_build_object('items', items));
\echo '-- (truth: what only the generator knows)'
SELECT to_char(b.at, 'HH24:MI') AS at, b.probability::numeric(4,3), b.lower::numeric(4,3), date_trunc('second', b.expected_duration) AS takes, b.support, b.source,
       t.probability::numeric(4,3) AS truth
FROM wfml.best_times('w001', :'friday'::timestamptz + interval '11:00', :'friday'::timestamptz + interval '24:00', '1 hour', 4) b
JOIN wfml_demo.truth_hour t ON t.workflow_id = 'w001' AND t.hour = EXTRACT(hour FROM b.at) AND NOT t.weekend;

\echo '-- So from now on it is left to wfml to choose, by 22:00 at the latest. Will it run on a Friday at 11:00? At 19:00?'
SELECT wfml.schedule('w001', 'predictive', '{"window": "11:00-22:00", "deadline": "22:00"}') AS schedule \g /dev/null
SELECT to_char(clock, 'HH24:MI') AS clock, r.run, r.probability::numeric(4,3), r.reason, r.source
FROM unnest('{11:00,19:00}'::interval[]) clock, LATERAL wfml.should_run('w001', :'friday'::timestamptz + interval '14 days' + clock) r;

\echo '-- 17:00. Which runs of the last week are odd for their workflow, and why? (planted: the truth, - for none)'
SELECT d.entity AS run, d.score::numeric(4,3), array_to_string(d.reasons, '; ') AS reasons, coalesce(t.what, '-') AS planted
FROM wfml.detect_anomalies('runs', :'friday'::timestamptz - interval '7 days', 5) d LEFT JOIN wfml_demo.truth_anomaly t ON t.run_id::text = d.entity ORDER BY d.score DESC;

\echo '-- 18:00. A model of one''s own beside them: how long will a run take? Attached to the queue, it fills in what arrives:'
SELECT model, version, rows, metric, round(score::numeric, 3) AS score, round(baseline::numeric, 3) AS baseline
FROM wfml.train('duration', 'gradient_boosting', 'SELECT workflow_id, items, upstream, duration_s FROM wfml_demo.run', 'duration_s');
CREATE TABLE wfml_demo.queue (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, workflow_id text, items int, upstream text,
                              expected_s float8, duration_s float8);
SELECT wfml.attach('duration', 'wfml_demo.queue', key_column => 'id', output_column => 'expected_s', outcome_column => 'duration_s') \g /dev/null
INSERT INTO wfml_demo.queue (workflow_id, items, upstream)
SELECT workflow_id, items, upstream FROM wfml_demo.run ORDER BY run_id DESC LIMIT 200;
SELECT id, workflow_id, items, round(expected_s) AS expected_s FROM wfml_demo.queue ORDER BY id LIMIT 3;

\echo '-- 19:00. The runs have ended; how good was it, how is everything?'
UPDATE wfml_demo.queue q SET duration_s = r.duration_s
FROM (SELECT row_number() OVER (ORDER BY run_id DESC) AS id, duration_s FROM wfml_demo.run) r WHERE r.id = q.id;
SELECT pg_sleep(0.2) \g /dev/null
SELECT name, version, status, predictions_24h, metric, round(live::numeric, 3) AS live, round(training::numeric, 3) AS training FROM wfml.health ORDER BY name;

\echo '-- Each training has left a row in the list of jobs:'
SELECT kind, model, status, version, result ->> 'rows' AS rows, elapsed
FROM wfml.jobs WHERE kind = 'train_all' ORDER BY id;

\echo
\echo '== Models of one''s own, on real data'
