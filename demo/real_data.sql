-- Models on real data (test/data): the second part of the tour, run after
-- demo.sql in the same session.

\echo
\echo '== 1. Classification: who earns more than 50,000 dollars? (1994 US census, 48,842 people)'
\echo

-- One call: text, numbers and NULLs go in as they are.  A fifth of the rows
-- is held out to measure with, then the model is fitted again on all of them.
SELECT model, version, algorithm, rows, features, metric, round(score::numeric, 4) AS score,
       round(baseline::numeric, 4) AS baseline, round(seconds::numeric, 2) AS seconds, size
FROM wfml.train('income', 'gradient_boosting',
                $$SELECT * FROM data.adult WHERE split = 'train'$$, target => 'income');

\echo '-- Its metrics beside those of the trivial answer "always the more frequent label":'
SELECT metric, round(value::numeric, 4) AS value, round(baseline::numeric, 4) AS baseline, split
FROM wfml.metrics('income');

\echo '-- The standard test set, 16,281 people it has never seen; a prediction is an expression:'
SELECT count(*) AS people,
       round(avg((wfml.classify('income', a) = a.income)::int), 4) AS accuracy,
       round(avg((a.income = '<=50K')::int), 4) AS always_the_same
FROM data.adult a
WHERE split = 'test';

\echo '-- Label and confidence, for some of them:'
SELECT a.age, a.education, a.occupation, a.hours_per_week AS hours, a.income AS truth,
       p.label, round(p.confidence::numeric, 3) AS confidence
FROM (SELECT * FROM data.adult WHERE split = 'test' ORDER BY fnlwgt, age LIMIT 6) a,
     LATERAL wfml.predict_detail('income', a.*) p;

\echo '-- Why? The prediction for the first of them, taken apart (exact TreeSHAP, in log-odds;'
\echo '-- the rows add up to the model''s output):'
SELECT e.feature, e.value, round(e.contribution::numeric, 3) AS contribution,
       CASE WHEN e.feature = '(base)' THEN ''
            ELSE rpad(lpad(repeat('█', greatest(round(-8 * e.contribution), 0)::int), 16), 16) || '│' ||
                 repeat('█', greatest(round(8 * e.contribution), 0)::int)
       END AS "          less  │  more than 50K"
FROM (SELECT * FROM data.adult WHERE split = 'test' ORDER BY fnlwgt, age LIMIT 1) a,
     LATERAL wfml.explain('income', a.*) e
WHERE e.feature = '(base)' OR abs(e.contribution) >= 0.05
ORDER BY e.feature <> '(base)', abs(e.contribution) DESC;

\echo '-- What the model looks at:'
SELECT feature, round((100 * gain / sum(gain) OVER ())::numeric, 1) AS percent,
       repeat('█', (40 * gain / sum(gain) OVER ())::int) AS share
FROM wfml.feature_importance('income')
ORDER BY gain DESC
LIMIT 8;

\echo '-- What if? An application sends JSON; the probability of the positive class comes back:'
SELECT education, round(wfml.predict('income', jsonb_build_object(
         'age', 38, 'workclass', 'Private', 'fnlwgt', 190000, 'education', education, 'education_num', years,
         'marital_status', 'Married-civ-spouse', 'occupation', 'Sales', 'relationship', 'Husband',
         'race', 'White', 'sex', 'Male', 'capital_gain', 0, 'capital_loss', 0,
         'hours_per_week', 45, 'native_country', 'United-States'))::numeric, 3) AS probability
FROM (VALUES ('HS-grad', 9), ('Bachelors', 13), ('Doctorate', 16)) AS v(education, years);

\echo '-- The planner may share the work out to parallel workers:'
SET max_parallel_workers_per_gather = 2;
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
EXPLAIN (COSTS OFF)
SELECT occupation, avg(wfml.predict('income', a)) FROM data.adult a GROUP BY occupation;
RESET min_parallel_table_scan_size;
RESET parallel_setup_cost;

\echo
\echo '== 2. Regression: how many bicycles will be rented in an hour? (Washington, 2011-2012)'
\echo

-- The file is in order of time, so the honest test is the future: the last
-- fifth.  casual and registered would give the answer away, so the features
-- are named.
SELECT model, version, algorithm, task, rows, metric, round(score::numeric, 4) AS score,
       round(baseline::numeric, 4) AS baseline, round(seconds::numeric, 2) AS seconds, size
FROM wfml.train('bikes', 'gradient_boosting',
                $$SELECT date + make_interval(hours => hour) AS at, * FROM data.bike_sharing$$,
                target => 'rentals',
                params => '{"validation": "time", "time_column": "at"}',
                features => '{season,year,month,hour,holiday,weekday,workingday,weather,temp,atemp,humidity,windspeed}');

\echo '-- Hour by hour on a working day and on a Sunday, in June 2012:'
WITH p AS (
    SELECT date, hour, wfml.predict('bikes', b) AS rentals
    FROM data.bike_sharing b
    WHERE date IN ('2012-06-13', '2012-06-17')
)
SELECT hour, round(w.rentals) AS wednesday, rpad(repeat('█', greatest(w.rentals / 25, 0)::int), 36) AS " ",
       round(s.rentals) AS sunday, repeat('█', greatest(s.rentals / 25, 0)::int) AS "  "
FROM p w JOIN p s USING (hour)
WHERE w.date = '2012-06-13' AND s.date = '2012-06-17' AND hour % 2 = 0
ORDER BY hour;

\echo
\echo '== 3. A forest, and how sure it is: house values (California, 1990)'
\echo

SELECT model, version, algorithm, task, rows, metric, round(score::numeric, 4) AS score,
       round(baseline::numeric, 4) AS baseline, round(seconds::numeric, 2) AS seconds, size
FROM wfml.train('house_value', 'random_forest', 'data.california_housing', 'median_house_value');

\echo '-- Nine in ten true values should lie between lower and upper:'
SELECT h.ocean_proximity, h.median_income, h.median_house_value AS truth,
       round(p.value) AS value, round(p.lower) AS lower, round(p.upper) AS upper
FROM (SELECT * FROM data.california_housing ORDER BY longitude, latitude OFFSET 6000 LIMIT 5) h,
     LATERAL wfml.predict_detail('house_value', h.*) p;

\echo
\echo '== 4. Five classes, tested on runs it has never seen: which tasks of a workflow were disturbed, and how?'
\echo

-- 502 runs of a scientific workflow; some had to share processors or disks.
-- Rows of one run belong together, so whole runs are held out.
SELECT model, version, algorithm, task, rows, metric, round(score::numeric, 4) AS score,
       round(baseline::numeric, 4) AS baseline, round(seconds::numeric, 2) AS seconds, size
FROM wfml.train('disturbed', 'random_forest',
                $$SELECT run_id, task, job_type, wms_delay, queue_delay, runtime, post_script_delay, stage_in_delay,
                         stage_in_bytes, stage_out_delay, stage_out_bytes, cpu_time, iowait, bytes_read, bytes_written,
                         utime, stime, anomaly_type
                  FROM data.flowbench$$, 'anomaly_type',
                '{"validation": "group", "group_column": "run_id"}');

\echo '-- One task in words (the truth: cpu_3):'
SELECT replace(wfml.explain_text('disturbed', t.*), '; ', E';\n') AS "why"
FROM (SELECT * FROM data.flowbench WHERE anomaly_type = 'cpu_3' ORDER BY run_id DESC, job LIMIT 1) t;

\echo
\echo '== 5. Time: which departures will be on time? (US flights, January 2001)'
\echo

-- A timestamp is a feature: hour, weekday and more are made of it.  Weather
-- decides more than the timetable, so a gentle model and the future as test.
SELECT model, version, algorithm, task, rows, round(seconds::numeric, 2) AS seconds, size
FROM wfml.train('on_time', 'gradient_boosting',
                'SELECT ts, origin, destination, distance, on_time = 1 AS on_time FROM data.flights', 'on_time',
                '{"validation": "time", "time_column": "ts", "rounds": 40, "learning_rate": 0.05, "max_leaves": 6,
                  "min_samples_leaf": 200, "cat_smooth": 200, "cat_l2": 200}');

\echo '-- Chicago to New York next Friday, by hour of departure:'
SELECT hour, round(p::numeric, 3) AS on_time, repeat('█', (40 * p)::int) AS " "
FROM generate_series(6, 22, 2) AS hour,
     LATERAL (SELECT timestamp '2001-01-26' + make_interval(hours => hour) AS ts,
                     'ORD' AS origin, 'LGA' AS destination, 733 AS distance) f,
     LATERAL (SELECT wfml.predict('on_time', f) AS p) q;

\echo
\echo '== 6. Nobody labelled anything: which task runs of a workflow are odd, and why?'
\echo

-- Each number is scaled by median and spread of its task: what is odd for one
-- task is an ordinary day for another.
SELECT model, version, algorithm, rows, features, metric, round(score::numeric, 3) AS score,
       round(seconds::numeric, 2) AS seconds, size
FROM wfml.train('odd_tasks', 'isolation_forest',
                $$SELECT task, wms_delay, queue_delay, runtime, post_script_delay, stage_in_delay, stage_in_bytes,
                         stage_out_delay, stage_out_bytes, cpu_time, iowait, bytes_read, bytes_written,
                         read_system_calls, write_system_calls, utime, stime
                  FROM data.flowbench$$,
                params => '{"scale_by": "task", "contamination": 0.02}');

\echo '-- The oddest runs. The last column was never shown to the model:'
SELECT f.run_id, f.task, round(d.value::numeric, 3) AS score, round(d.confidence::numeric, 3) AS odder_than,
       d.label, f.anomaly_type AS truth
FROM data.flowbench f, LATERAL wfml.predict_detail('odd_tasks', f.*) d
ORDER BY d.value DESC, f.run_id, f.task LIMIT 5;

\echo '-- Why the first one? Contributions sum to its score:'
SELECT e.feature, e.value, round(e.contribution::numeric, 3) AS contribution
FROM (SELECT * FROM data.flowbench f ORDER BY wfml.anomaly_score('odd_tasks', f.*) DESC LIMIT 1) f,
     LATERAL wfml.explain_anomaly('odd_tasks', f.*) e
LIMIT 6;

\echo '-- There are labels here, so the scores can be judged:'
SELECT metric, round(value::numeric, 3) AS value
FROM wfml.evaluate('odd_tasks', 'data.flowbench', 'is_anomaly');

\echo
\echo '== 7. What comes next? (an event log: 502 runs of a scientific workflow, FlowBench)'
\echo

-- A row an event: which run, which task started, when.  One run in five is
-- kept out of it.
SELECT model, algorithm, rows, metric, round(score::numeric, 4) AS score, round(baseline::numeric, 4) AS baseline,
       round(seconds::numeric, 2) AS seconds, size
FROM wfml.train_sequence('runs', 'SELECT run_id, task, execute_start FROM data.flowbench WHERE run_id % 5 <> 4',
                         case_column => 'run_id', event_column => 'task', time_column => 'execute_start');

\echo '-- The baseline is a table of what follows what.  The experts alone, and their blend:'
SELECT coalesce(nullif(split_part(metric, ':', 2), ''), 'their blend') AS expert, round(max(value) FILTER (WHERE metric LIKE 'accuracy%')::numeric, 4) AS accuracy,
       round(max(value) FILTER (WHERE metric LIKE 'log_loss%')::numeric, 4) AS log_loss
FROM wfml.metrics('runs') WHERE metric ~ '^(accuracy|log_loss)' GROUP BY 1 ORDER BY accuracy, expert;

\echo '-- A run that the model has not seen, after eight tasks; what may start next:'
CREATE TEMP VIEW seen AS
    SELECT array_agg(task ORDER BY execute_start, task) AS tasks, array_agg(execute_start ORDER BY execute_start, task) AS times
    FROM (SELECT task, execute_start FROM data.flowbench WHERE run_id = 9 ORDER BY execute_start, task LIMIT 8) t;
SELECT e.event, e.is_end, round(e.probability::numeric, 3) AS probability,
       repeat('█', round(30 * e.probability)::int) AS " "
FROM seen, LATERAL wfml.next_event('runs', tasks, 3, times) e;

\echo '-- And when, beside what happened:'
SELECT wfml.next_event_time('runs', tasks, times) AS expected,
       (SELECT min(execute_start) FROM data.flowbench WHERE run_id = 9 AND execute_start > times[8]) - times[8] AS happened
FROM seen;

\echo '-- Following a run as it goes: the aggregate as a window function keeps the state of the case'
SELECT task AS started, lead(task) OVER w AS then_came, (n).event AS expected,
       round((n).probability::numeric, 2) AS probability
FROM (SELECT task, execute_start,
             wfml.next_event_agg('runs', task, execute_start) OVER (ORDER BY execute_start, task) AS n
      FROM data.flowbench WHERE run_id = 9) r
WINDOW w AS (ORDER BY execute_start, task) ORDER BY execute_start, task LIMIT 10;

\echo '-- Which runs went an unusual way? (log-likelihood per event)'
SELECT run_id, round(wfml.sequence_score('runs', array_agg(task ORDER BY execute_start, task))::numeric, 3) AS score
FROM data.flowbench WHERE run_id % 5 = 4 GROUP BY run_id ORDER BY 2 LIMIT 3;

\echo
\echo '== 8. Recommendation: what would this workflow use next? (n8n, 1,742 workflow templates, 461 kinds of nodes)'
\echo

-- Straight from a query: a row says that a workflow uses a kind of node.  The
-- method is chosen on interactions kept back, and a fifth of the rows tells
-- how good it is, beside always recommending what is popular.  The second
-- query says what the nodes are, for those that few workflows use.
SELECT model, version, rows, metric, round(score::numeric, 3) AS score, round(baseline::numeric, 3) AS popular,
       round(seconds::numeric, 1) AS seconds, size
FROM wfml.train_recommender('nodes', 'SELECT DISTINCT workflow_id, node_type FROM data.n8n_steps',
                            user_column => 'workflow_id', item_column => 'node_type',
                            items => $$SELECT node_type, regexp_replace(node_type, '([A-Z])', ' \1', 'g') AS words,
                                              node_package, role
                                       FROM data.n8n_steps GROUP BY node_type, node_package, role$$);

\echo '-- What was tried, and the other measures:'
SELECT metric, round(value::numeric, 3) AS value, round(baseline::numeric, 3) AS popular, split
FROM wfml.metrics('nodes')
WHERE split <> 'inner' OR value >= (SELECT 0.99 * max(value) FROM wfml.metrics('nodes') WHERE split = 'inner')
ORDER BY split, value DESC;

\echo '-- A workflow that sends the weather to a chat, and the five nodes that would suit it:'
SELECT w.title, string_agg(DISTINCT s.node_type, ', ') AS uses
FROM data.n8n_workflows w JOIN data.n8n_steps s USING (workflow_id) WHERE workflow_id = 60 GROUP BY 1;
SELECT rank, item AS node, round(score::numeric, 3) AS score, source FROM wfml.recommend('nodes', 60, 5);

\echo '-- A workflow that is being drawn just now, not known to the model: its nodes so far are enough.'
SELECT rank, item AS node, round(score::numeric, 3) AS score, source
FROM wfml.recommend('nodes', NULL, n => 5, history => '{telegramTrigger,openAi}');

\echo '-- Nodes that go with reading a feed:'
SELECT rank, item AS node, round(score::numeric, 3) AS score FROM wfml.similar_items('nodes', 'rssFeedRead', 5);

\echo '-- For every workflow with a Gmail trigger in one query: what is recommended most often?'
SELECT r.item AS node, count(*) AS workflows, repeat('█', (count(*) / 2)::int) AS " "
FROM (SELECT DISTINCT workflow_id FROM data.n8n_steps WHERE node_type = 'gmailTrigger') w,
     LATERAL wfml.recommend('nodes', w.workflow_id, 3) r
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 6;

\echo
\echo '== 9. Models are rows: versions, activation, transactions'
\echo

SELECT version, metric, round(score::numeric, 4) AS score, round(seconds::numeric, 2) AS seconds, size
FROM wfml.train('income', 'random_forest',
                $$SELECT * FROM data.adult WHERE split = 'train'$$, target => 'income');

-- The log loss got worse, so back to the first; BEGIN and ROLLBACK work too.
SELECT wfml.rollback('income');

SELECT name, version, algorithm, metric, round(score::numeric, 4) AS score, round(baseline::numeric, 4) AS baseline,
       rows, size
FROM wfml.models
WHERE name IN ('income', 'bikes', 'house_value', 'disturbed', 'on_time', 'odd_tasks', 'runs', 'nodes')
ORDER BY name;

\echo
\echo '== 10. A model in production: bike rentals arrive, outcomes come back, the world changes (Washington, 2011 and 2012)'
\echo

-- The application's table.  What is known at first is the year 2011.
CREATE TABLE hours (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamp, holiday int, workingday int,
                    weather int, temp float8, humidity float8, windspeed float8, rentals int, expected float8);
INSERT INTO hours (at, holiday, workingday, weather, temp, humidity, windspeed, rentals)
SELECT date + make_interval(hours => hour), holiday, workingday, weather, temp, humidity, windspeed, rentals
FROM data.bike_sharing WHERE year = 0;
SELECT version, rows, metric, round(score::numeric, 3) AS score
FROM wfml.train('hourly', 'gradient_boosting', 'hours', 'rentals', '{"validation": "time", "time_column": "at"}');

-- Once: every row that arrives is scored and logged, and its outcome joined when it is known.
SELECT wfml.attach('hourly', 'hours', key_column => 'id', output_column => 'expected', outcome_column => 'rentals') \g /dev/null
SELECT wfml.set_log_input('hourly', true), wfml.set_fallback('hourly', 'CASE WHEN workingday = 1 THEN 200 ELSE 150 END'),
       wfml.set_retrain_policy('hourly', min_score_drop => 0.05) \g /dev/null

\echo '-- 2012 begins. The application only inserts.'
INSERT INTO hours (at, holiday, workingday, weather, temp, humidity, windspeed)
SELECT date + make_interval(hours => hour), holiday, workingday, weather, temp, humidity, windspeed
FROM data.bike_sharing WHERE year = 1 AND month <= 6 ORDER BY 1;
SELECT at, weather, temp, round(expected) AS expected FROM hours ORDER BY at DESC LIMIT 3;

\echo '-- Later it learns how many bikes were really rented:'
UPDATE hours h SET rentals = b.rentals
FROM data.bike_sharing b WHERE h.rentals IS NULL AND h.at = b.date + make_interval(hours => b.hour);
SELECT entity, version, round(value::numeric, 1) AS value, round(lower::numeric, 1) AS lower, round(upper::numeric, 1) AS upper,
       actual, source
FROM wfml.predictions ORDER BY id DESC LIMIT 3;

\echo '-- Each morning: how are the models?  Many more ride in 2012 than in 2011, and it shows.'
SELECT pg_sleep(0.2) \g /dev/null
SELECT name, status, metric, live, live_lower, live_upper, training FROM wfml.health WHERE name = 'hourly';
SELECT advice FROM wfml.health WHERE name = 'hourly';
SELECT feature, round(psi::numeric, 3) AS psi, verdict, rows FROM wfml.drift('hourly') ORDER BY psi DESC LIMIT 3;

\echo '-- Each night: pg_cron runs this, or you.'
\echo '-- Only rows that the old version has never seen decide whether the new one is better.'
SELECT model, reasons FROM wfml.retrain_due();
CALL wfml.run_retraining();
SELECT kind, model, status, version, message FROM wfml.jobs WHERE model = 'hourly';

\echo '-- A version that is gone is no disaster: the rule answers, and says so.'
BEGIN;
SELECT wfml.drop_model('hourly', 1) \g /dev/null
SELECT wfml.drop_model('hourly', 2) \g /dev/null
INSERT INTO hours (at, workingday, weather, temp) VALUES ('2012-07-01 12:00', 0, 1, 0.7) RETURNING at, expected;
SELECT source, error FROM wfml.predictions ORDER BY id DESC LIMIT 1;
ROLLBACK;
