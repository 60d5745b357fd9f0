-- detect_anomalies(): planted anomalies come first, real ones too, by model
-- and by rule, and odd sources give sane answers.

\set QUIET 1
SET client_min_messages = warning;
BEGIN;
\i test/data/load.sql
SELECT plan(38);

CREATE FUNCTION auc_of(truth text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    auc float8;
BEGIN
    EXECUTE format('SELECT wfml.auc(t.odd, a.score) FROM wfml.detect_anomalies(n => 1000000) a JOIN (%s) t ON t.id::text = a.entity', truth) INTO auc;
    RETURN round(auc::numeric, 4);
END $$;

-- ---- planted ones ----

SELECT wfml.generate_demo(30, 20, 1) \g /dev/null
SELECT wfml.bind('runs', 'wfml_demo.run'), wfml.bind('events', 'wfml_demo.event') \g /dev/null
\set demo '''SELECT r.run_id AS id, t.run_id IS NOT NULL AS odd FROM wfml_demo.run r LEFT JOIN wfml_demo.truth_anomaly t USING (run_id)'''
SELECT cmp_ok(auc_of(:demo), '>=', 0.94, 'rule: planted anomalies come first');
SELECT is(array_agg(DISTINCT source), '{rule}', 'which says that it is one') FROM wfml.detect_anomalies();
SELECT is((SELECT algorithm || ' ' || rows FROM wfml.train_anomaly_detector()), 'isolation_forest ' || (SELECT count(*) FROM wfml_demo.run), 'trained on all finished runs');
SELECT cmp_ok(auc_of(:demo), '>=', 0.95, 'model: planted anomalies come first');
SELECT results_eq('SELECT DISTINCT source FROM wfml.detect_anomalies()', $$VALUES ('ml')$$, 'source says so');
SELECT results_eq('SELECT entity, score FROM wfml.detect_anomalies(n => 50)', 'SELECT entity, score FROM wfml.detect_anomalies(n => 50) ORDER BY score DESC, entity', 'the oddest first');
SELECT ok(bool_and(score BETWEEN 0 AND 1 AND confidence BETWEEN 0 AND 1), 'score and confidence are shares') FROM wfml.detect_anomalies(n => 1000000);
SELECT is(count(*), 7::bigint, 'n of them') FROM wfml.detect_anomalies(n => 7);
SELECT is_empty('SELECT FROM wfml.detect_anomalies(n => 0)', 'or none');
SELECT cmp_ok(abs(avg(is_anomaly::int) - 0.02), '<', 0.002, 'two in a hundred count as anomalies') FROM wfml.detect_anomalies(n => 1000000);
SELECT matches(a.reasons[1], '^(duration|cpu_s|items|retries) [0-9.]+( s)?, usually [0-9.]+(–[0-9.]+)?( s)?$', 'with a reason in words') FROM wfml.detect_anomalies(n => 1) a;
SELECT is(count(*) FILTER (WHERE is_anomaly AND reasons = '{}'), 0::bigint, 'as each of the first hundred anomalies has') FROM wfml.detect_anomalies(n => 100);
SELECT results_eq($$SELECT entity FROM wfml.detect_anomalies('runs', (SELECT max(finished_at) - interval '1 day' FROM wfml_demo.run), 1000000) ORDER BY 1$$,
    $$SELECT run_id::text FROM wfml_demo.run WHERE finished_at >= (SELECT max(finished_at) - interval '1 day' FROM wfml_demo.run) ORDER BY 1$$, 'since: what finished then or later');
SELECT results_eq($$SELECT a.feature, a.iqr > 0 FROM wfml.anomaly_scale('anomaly_detector', (SELECT min(workflow_id) FROM wfml_demo.workflow)) a ORDER BY 1$$,
    $$VALUES ('cpu_s', true), ('duration', true), ('items', true), ('retries', true)$$, 'what is usual in a workflow');
SELECT cmp_ok(abs(a.median - m.median), '<', 0.01 * m.median, 'is its median')
FROM wfml.anomaly_scale('anomaly_detector', 'w001') a,
    (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY EXTRACT(epoch FROM finished_at - started_at)) AS median FROM wfml_demo.run WHERE workflow_id = 'w001') m
WHERE a.feature = 'duration';
SELECT is_empty($$SELECT FROM wfml.anomaly_scale('anomaly_detector', 'no such workflow')$$, 'of another one nothing is known');

-- ---- odd sources ----

-- a new workflow; without run_id; a column that is gone, NULL, or not a number
SELECT wfml.bind('runs', $$SELECT workflow_id, started_at, finished_at, succeeded, items, NULL::float8 AS cpu_s, 'x'::text AS note FROM wfml_demo.run
    UNION ALL SELECT 'new', '2030-01-01', '2030-01-09', true, 5, NULL, NULL
    UNION ALL SELECT 'new', '2030-01-01', NULL, NULL, 5, NULL, NULL$$) \g /dev/null
SELECT is((SELECT (confidence, is_anomaly, reasons)::text FROM wfml.detect_anomalies(since => '2029-01-01')), '(0,f,"{""too few runs of this workflow to tell what is usual""}")',
    'a new workflow is not judged, a run that goes on not shown');
SELECT is((SELECT entity FROM wfml.detect_anomalies(since => '2029-01-01')), 'new ' || to_char(timestamptz '2030-01-01', 'YYYY-MM-DD HH24:MI:SS'), 'without run_id it is workflow and start');
SELECT wfml.bind('runs', $$SELECT workflow_id, started_at, finished_at, succeeded, items || ' pieces' AS items, cpu_s FROM wfml_demo.run$$) \g /dev/null
SELECT lives_ok('SELECT * FROM wfml.detect_anomalies()', 'a column that is no number any more');
SELECT wfml.bind('runs', $$SELECT workflow_id, started_at, finished_at, succeeded, items, NULL::float8 AS cpu_s, 'x'::text AS note FROM wfml_demo.run
    UNION ALL SELECT 'new', '2030-01-01', '2030-01-09', true, 5, NULL, NULL$$) \g /dev/null
SELECT is(wfml.unusual_text('x', NULL, 1, 2) || '; ' || wfml.unusual_text('x', 7, NULL, NULL) || '; ' || wfml.unusual_text('duration', 340, 42.04, 55), 'x is missing; x 7, usually missing; duration 340 s, usually 42–55 s', 'reasons in words');
SELECT wfml.drop_model('anomaly_detector') \g /dev/null
SELECT is((SELECT (confidence, is_anomaly, reasons)::text FROM wfml.detect_anomalies(since => '2029-01-01')), '(0,f,"{""too few runs of this workflow to tell what is usual""}")', 'rule: not judged either');
SELECT wfml.bind('runs', $$SELECT workflow_id, run_id, started_at, finished_at, succeeded, items AS r, items AS b, items AS input, items AS entity, cpu_s AS "its value" FROM wfml_demo.run
    UNION ALL SELECT 'w001', -1, '2029-01-02', 'infinity', NULL, 5, 5, 5, 5, 5 UNION ALL SELECT 'w001', -2, '-infinity', '2029-01-02', true, 5, 5, 5, 5, 5$$) \g /dev/null
SELECT is((SELECT rows FROM wfml.train_anomaly_detector()), (SELECT count(*) FROM wfml_demo.run), 'runs without beginning or end are left out; columns of any name');
SELECT ok(count(*) = 100 AND bool_or(reasons::text LIKE '%its value%') AND bool_and(entity NOT LIKE '-%'), 'by model') FROM wfml.detect_anomalies(n => 100);
SELECT wfml.drop_model('anomaly_detector') \g /dev/null
SELECT ok(count(*) = 100 AND bool_or(reasons::text LIKE '%its value%') AND bool_and(entity NOT LIKE '-%'), 'and by rule') FROM wfml.detect_anomalies(n => 100);
SELECT wfml.bind('runs', $$SELECT 'w' AS workflow_id, timestamptz '2030-01-01' AS started_at, timestamptz '2030-01-02' AS finished_at, true AS succeeded$$) \g /dev/null
SELECT is(count(*), 1::bigint, 'rule: one run only') FROM wfml.detect_anomalies();
SELECT lives_ok('SELECT FROM wfml.train_anomaly_detector()', 'one run can be trained on');
SELECT is((SELECT is_anomaly FROM wfml.detect_anomalies()), false, 'and is no anomaly');
SELECT wfml.bind('runs', $$SELECT 'w' || i % 3 AS workflow_id, timestamptz '2030-01-01' AS started_at, timestamptz '2030-01-01 00:01' AS finished_at, true AS succeeded, 5 AS size FROM generate_series(1, 300) i$$) \g /dev/null
SELECT lives_ok('SELECT FROM wfml.train_anomaly_detector()', 'constant columns');
SELECT is(count(*) FILTER (WHERE is_anomaly), 0::bigint, 'without anomalies') FROM wfml.detect_anomalies(n => 1000);
SELECT wfml.drop_model('anomaly_detector') \g /dev/null
SELECT is(count(*) FILTER (WHERE is_anomaly), 0::bigint, 'nor by rule') FROM wfml.detect_anomalies(n => 1000);
SELECT throws_ok($$SELECT * FROM wfml.detect_anomalies('walks')$$, '22023', 'there is no kind of anomalies "walks"', 'kinds are runs and patterns');
SELECT wfml.unbind('runs') \g /dev/null
SELECT throws_ok('SELECT * FROM wfml.detect_anomalies()', '42704', NULL, 'nothing bound');

-- ---- what users did ----

-- 300 sessions a b c d, one goes the other way round
SELECT wfml.bind('events', $$SELECT 'u' || s % 30 AS user_id, substr(CASE WHEN s = 77 THEN 'dbca' WHEN s % 3 = 0 THEN 'abd' ELSE 'abcd' END, e, 1) AS event,
    timestamptz '2030-01-01' + s * interval '3 hours' + e * interval '1 minute' AS at
    FROM generate_series(1, 300) s, generate_series(1, 4) e WHERE substr(CASE WHEN s = 77 THEN 'dbca' WHEN s % 3 = 0 THEN 'abd' ELSE 'abcd' END, e, 1) <> ''$$) \g /dev/null
SELECT results_eq($$SELECT entity, is_anomaly, source FROM wfml.detect_anomalies('patterns', n => 1)$$,
    $$VALUES ('u17 ' || to_char(timestamptz '2030-01-01 00:01' + 77 * interval '3 hours', 'YYYY-MM-DD HH24:MI:SS'), true, 'rule')$$, 'rule: the odd session comes first');
SELECT is(count(*) FILTER (WHERE is_anomaly), 1::bigint, 'and alone counts') FROM wfml.detect_anomalies('patterns', n => 1000);
SELECT matches((SELECT reasons[1] FROM wfml.detect_anomalies('patterns', n => 1)), '^(begins with "d", as 1 of 300 do|".*" after ".*", as in 1 of \d+)$', 'for its rarest step');

-- ---- FlowBench: a task is a workflow ----

SELECT wfml.bind('runs', $$SELECT task AS workflow_id, execute_start AS started_at, execute_end AS finished_at, status = 0 AS succeeded, row_number() OVER (ORDER BY run_id, job) AS run_id,
    wms_delay, queue_delay, runtime, post_script_delay, stage_in_delay, stage_in_bytes, stage_out_delay, stage_out_bytes,
    cpu_time, iowait, bytes_read, bytes_written, read_system_calls, write_system_calls, utime, stime FROM data.flowbench$$) \g /dev/null
\set flowbench '''SELECT row_number() OVER (ORDER BY run_id, job) AS id, is_anomaly AS odd FROM data.flowbench'''
SELECT cmp_ok(auc_of(:flowbench), '>=', 0.79, 'FlowBench by rule');
SELECT wfml.train_anomaly_detector() \g /dev/null
SELECT cmp_ok(auc_of(:flowbench), '>=', 0.826, 'FlowBench by model (reference 0.835)');
SELECT is(count(*), 10::bigint, 'the first ten are anomalies') FROM wfml.detect_anomalies(n => 10) a JOIN (SELECT row_number() OVER (ORDER BY run_id, job) AS id, is_anomaly FROM data.flowbench) f ON f.id::text = a.entity WHERE a.is_anomaly;

SELECT * FROM finish();
ROLLBACK;
