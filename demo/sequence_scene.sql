\echo
\echo '== What comes next? (an event log: 502 runs of a scientific workflow, FlowBench)'
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
