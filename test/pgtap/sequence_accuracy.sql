-- Floors of sequence models on a real process: 502 runs of a scientific
-- workflow, 17 tasks each, some of which run side by side.  The runs with
-- run_id % 5 = 4 are asked about, after each of their events; the end of the
-- run is one more thing to predict.  Beside it a table of what follows what.

\set QUIET 1
SET client_min_messages = warning;
BEGIN;
\i test/data/load.sql
SET LOCAL max_parallel_maintenance_workers = 0;

CREATE TABLE started AS
    SELECT run_id, task, execute_start AS at, lead(task) OVER w AS next, lead(execute_start) OVER w - execute_start AS gap,
           array_agg(task) OVER w AS history, array_agg(execute_start) OVER w AS times
    FROM data.flowbench WINDOW w AS (PARTITION BY run_id ORDER BY execute_start, task ROWS UNBOUNDED PRECEDING);

SELECT plan(5);
SELECT wfml.train_sequence('runs', 'SELECT run_id, task, at FROM started WHERE run_id % 5 <> 4', 'run_id', 'task', 'at', '{"validation": "none"}') IS NOT NULL AS trained \gset

CREATE TABLE told AS
    SELECT s.run_id, s.next, s.gap, e.event, e.probability, e.rank, wfml.next_event_time('runs', history, times) AS gap_told
    FROM started s, LATERAL wfml.next_event('runs', history, 100, times) e WHERE run_id % 5 = 4;
SELECT avg((event IS NOT DISTINCT FROM next)::int) AS accuracy FROM told WHERE rank = 1 \gset
SELECT avg(-ln(probability)) AS loss FROM told WHERE event IS NOT DISTINCT FROM next \gset
SELECT avg(abs(extract(epoch FROM gap - gap_told))) AS seconds FROM told WHERE rank = 1 AND gap IS NOT NULL \gset
SELECT avg((s.next IS NOT DISTINCT FROM b.next)::int) AS by_table
FROM started s LEFT JOIN (SELECT DISTINCT ON (task) task, next FROM started WHERE run_id % 5 <> 4 GROUP BY task, next ORDER BY task, count(*) DESC) b USING (task)
WHERE s.run_id % 5 = 4 \gset

SELECT cmp_ok(round(:accuracy::numeric, 4), '>=', 0.905, 'accuracy');
SELECT cmp_ok(round(:accuracy::numeric, 4), '>=', round(:by_table::numeric, 4) + 0.1, 'far above a table of what follows what');
SELECT cmp_ok(round(:loss::numeric, 4), '<=', 0.21, 'log loss');
SELECT cmp_ok(round(:seconds::numeric, 2), '<=', 15.5, 'seconds that the time to the next task is off by');
SELECT is((SELECT count(*) FROM (SELECT wfml.next_event_agg('runs', task, at ORDER BY at, task) AS n FROM started WHERE run_id % 5 = 4 GROUP BY run_id) r WHERE (n).is_end), (SELECT count(DISTINCT run_id) FROM started WHERE run_id % 5 = 4), 'every run is known to be over when it is');
SELECT * FROM finish();
ROLLBACK;
