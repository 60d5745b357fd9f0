-- detect_anomalies() against labels: run as a superuser in a database of its
-- own, from the root of the source tree, with
--   psql -X -v ON_ERROR_STOP=1 -f bench/workflow_anomalies.sql
-- FlowBench (pycbc-inference, MIT, https://github.com/PoSeiDon-Workflows/FlowBench):
-- each job of a task is a run of that workflow; 18 % are anomalies that were
-- injected (CPU, disk).  Reference: scikit-learn's isolation forest on values
-- scaled by median and IQR of the task, mean of five seeds: AUC 0.835.

\set QUIET 1
\pset footer off
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS data CASCADE;
CREATE EXTENSION IF NOT EXISTS wfml;
\i test/data/load.sql

CREATE TABLE data.run AS
SELECT task AS workflow_id, execute_start AS started_at, execute_end AS finished_at, status = 0 AS succeeded,
    row_number() OVER (ORDER BY run_id, job) AS run_id, is_anomaly,
    wms_delay, queue_delay, runtime, post_script_delay, stage_in_delay, stage_in_bytes, stage_out_delay, stage_out_bytes,
    cpu_time, iowait, bytes_read, bytes_written, read_system_calls, write_system_calls, utime, stime
FROM data.flowbench;
SELECT wfml.bind('runs', 'SELECT workflow_id, started_at, finished_at, succeeded, run_id,
    wms_delay, queue_delay, runtime, post_script_delay, stage_in_delay, stage_in_bytes, stage_out_delay, stage_out_bytes,
    cpu_time, iowait, bytes_read, bytes_written, read_system_calls, write_system_calls, utime, stime FROM data.run') \g /dev/null

CREATE TEMP TABLE result (seed int, source text, auc float8, average_precision float8, precision_at_100 float8);
SELECT format('SELECT FROM wfml.train_anomaly_detector(''{"seed": %1$s}'');
    INSERT INTO result
    SELECT %1$s, min(a.source), wfml.auc(r.is_anomaly, a.score), wfml.average_precision(r.is_anomaly, a.score),
        avg(r.is_anomaly) FILTER (WHERE a.rank <= 100)
    FROM (SELECT a.*, row_number() OVER (ORDER BY score DESC) AS rank FROM wfml.detect_anomalies(n => 1000000) a) a
    JOIN data.run r ON r.run_id = a.entity::bigint', seed)
FROM generate_series(0, 4) seed \gexec
SELECT wfml.drop_model('anomaly_detector') \g /dev/null
INSERT INTO result
SELECT NULL, min(a.source), wfml.auc(r.is_anomaly, a.score), wfml.average_precision(r.is_anomaly, a.score), avg(r.is_anomaly) FILTER (WHERE a.rank <= 100)
FROM (SELECT a.*, row_number() OVER (ORDER BY score DESC) AS rank FROM wfml.detect_anomalies(n => 1000000) a) a
JOIN data.run r ON r.run_id = a.entity::bigint;
\echo FlowBench
SELECT source, count(*) AS seeds, round(avg(auc)::numeric, 4) AS auc, round(avg(average_precision)::numeric, 4) AS average_precision,
    round(avg(precision_at_100)::numeric, 3) AS precision_at_100
FROM result GROUP BY source ORDER BY source;
SELECT wfml.unbind('runs') \g /dev/null
