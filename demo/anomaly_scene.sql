
\echo
\echo '== 7. Nobody labelled anything: which task runs of a workflow are odd, and why?'
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
