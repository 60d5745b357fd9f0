-- What pg_cron did itself: one job that succeeds and one that fails, each second.
\set ON_ERROR_STOP on
\pset footer off
CREATE EXTENSION IF NOT EXISTS wfml;
CREATE EXTENSION pgtap;
SELECT extversion AS pg_cron FROM pg_extension WHERE extname = 'pg_cron';
SELECT no_plan();
SELECT set_eq('SELECT * FROM wfml.bind_pg_cron()', $$VALUES ('runs', false), ('workflows', false)$$, 'the two kinds are bound');
SELECT is((SELECT string_agg(DISTINCT concat_ws('/', name, succeeded, user_id = current_user), ' ') FROM wfml.bound_rows('runs')
    AS r (name text, succeeded boolean, user_id text) WHERE succeeded IS NOT NULL), 'fails/f/t works/t/t', 'pg_cron''s own runs');
SELECT results_eq('SELECT * FROM wfml.bound_rows(''workflows'') AS w (name text, events text[], category text) ORDER BY 1', $$VALUES ('fails', NULL::text[], 'postgres'), ('works', NULL, 'postgres')$$, 'its jobs');
CALL wfml.sync_runs();
SELECT count(*) AS kept FROM wfml.kept_runs \gset
SELECT cmp_ok(:kept, '>=', 2, 'kept');
SELECT cron.unschedule(jobid) FROM cron.job;
DELETE FROM cron.job_run_details;
SELECT is((SELECT count(*)::int FROM wfml.bound_rows('runs') AS r (run_id text)), :kept, 'they stay when they are deleted there');
SELECT * FROM finish(true);
