-- What Airflow made itself, bound: its scheduler's runs; the other states by SQL.
\set ON_ERROR_STOP on
\pset footer off
SELECT current_setting('server_version') AS postgresql, (SELECT version_num FROM alembic_version) AS airflow_migration;
CREATE EXTENSION wfml;
CREATE EXTENSION pgtap;
SELECT no_plan();
SELECT set_eq('SELECT * FROM wfml.bind_airflow()', $$VALUES ('runs', false), ('workflows', false), ('events', false), ('usage', false)$$, 'the four kinds are bound');
SELECT ok((SELECT count(*) >= 5 AND bool_and(workflow_id = 'etl_sales' AND succeeded AND started_at < finished_at AND run_id LIKE 'scheduled__%') FROM wfml.bound_rows('runs')
    AS r (workflow_id text, run_id text, started_at timestamptz, finished_at timestamptz, succeeded boolean)), 'the scheduler''s own runs');
SELECT results_eq('SELECT * FROM wfml.bound_rows(''workflows'') AS w (workflow_id text, name text, events text[], category text) ORDER BY 1',
    $$VALUES ('etl_sales', 'etl_sales', '{zz_extract,aggregate,clean,a_load}'::text[], 'daily'), ('paused', 'paused', '{only}', NULL)$$, 'DAGs with their tasks, upstream ones first');
SELECT is((SELECT array_agg(event ORDER BY n DESC, event) FROM (SELECT event, count(*) AS n FROM wfml.bound_rows('events') AS e (user_id text, event text, at timestamptz) GROUP BY 1) x),
    '{a_load,aggregate,clean,zz_extract}', 'tasks are events');
SELECT count(*) AS runs FROM wfml.bound_rows('runs') AS r (run_id text) \gset
UPDATE dag_run SET state = 'failed' WHERE id = (SELECT min(id) FROM dag_run);
UPDATE dag_run SET run_type = 'manual' WHERE id = (SELECT min(id) + 1 FROM dag_run);
UPDATE dag_run SET state = 'running', end_date = NULL WHERE id = (SELECT min(id) + 2 FROM dag_run);
INSERT INTO log (dttm, dag_id, event, owner) VALUES (now(), 'etl_sales', 'trigger', 'ann'), (now(), 'etl_sales', 'success', 'airflow');
SELECT is((SELECT count(*) || ' ' || count(finished_at) || ' ' || count(*) FILTER (WHERE NOT succeeded) FROM wfml.bound_rows('runs') AS r (finished_at timestamptz, succeeded boolean)),
    format('%s %s 1', :runs - 1, :runs - 2), 'a failed, a manual and a running one');
SELECT is((SELECT string_agg(user_id || ' ' || workflow_id, ',') FROM wfml.bound_rows('usage') AS u (user_id text, workflow_id text)), 'ann etl_sales', 'what users did');
CALL wfml.sync_runs();
SELECT is((SELECT count(*)::int FROM wfml.kept_runs), :runs - 2, 'finished ones are kept');
DELETE FROM dag_run WHERE state <> 'running';
CALL wfml.sync_runs();
SELECT is((SELECT count(*)::int FROM wfml.bound_rows('runs') AS r (run_id text)), :runs - 1, 'and stay when Airflow deletes them');
SELECT * FROM finish(true);
