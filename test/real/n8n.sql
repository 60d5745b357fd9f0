-- What n8n made itself, bound: two runs from its command line; the other states by SQL.
\set ON_ERROR_STOP on
\pset footer off
SELECT current_setting('server_version') AS postgresql, (SELECT count(*) FROM migrations) AS n8n_migrations;
CREATE EXTENSION wfml;
CREATE EXTENSION pgtap;
UPDATE workflow_entity SET settings = '{"saveDataSuccessExecution": "none"}' WHERE id = 'wfBroken00000001';
SELECT no_plan();
SELECT set_eq('SELECT * FROM wfml.bind_n8n()', $$VALUES ('runs', false), ('workflows', false), ('usage', false)$$, 'the three kinds are bound');
SELECT results_eq('SELECT * FROM wfml.bound_rows(''runs'') AS r (workflow_id text, run_id text, succeeded boolean, name text) ORDER BY run_id',
    $$VALUES ('wfSalesDaily0001', '1', true, 'Daily sales report'), ('wfBroken00000001', '2', false, 'Broken import')$$, 'n8n''s own two runs');
SELECT ok((SELECT bool_and(started_at < finished_at AND finished_at <= now() AND finished_at > now() - interval '1 hour')
    FROM wfml.bound_rows('runs') AS r (started_at timestamptz, finished_at timestamptz)), 'with their times');
SELECT results_eq('SELECT * FROM wfml.bound_rows(''workflows'') AS w (workflow_id text, events text[]) ORDER BY 1',
    $$VALUES ('wfBroken00000001', '{manualTrigger,stopAndError}'::text[]), ('wfSalesDaily0001', '{manualTrigger,code,noOp}')$$, 'node types in the order in which they are drawn');
SELECT is((SELECT count(*)::int FROM wfml.bound_rows('usage') AS u (user_id text, workflow_id text, weight float8) WHERE weight > 1), 2, 'the owner uses both');
INSERT INTO execution_entity (finished, mode, status, "startedAt", "stoppedAt", "workflowId", "deletedAt", "waitTill") VALUES
    (true, 'manual', 'success', now(), now(), 'wfSalesDaily0001', NULL, NULL), (true, 'trigger', 'success', now(), now(), 'wfSalesDaily0001', now(), NULL),
    (false, 'trigger', 'waiting', now(), now(), 'wfSalesDaily0001', NULL, now() + interval '1 day'), (false, 'trigger', 'new', NULL, NULL, 'wfSalesDaily0001', NULL, NULL),
    (false, 'webhook', 'running', now(), NULL, 'wfSalesDaily0001', NULL, NULL), (false, 'trigger', 'crashed', now() - interval '1 hour', now(), 'wfBroken00000001', NULL, NULL),
    (false, 'trigger', 'canceled', now() - interval '2 hours', now(), 'wfBroken00000001', NULL, NULL);
SELECT is((SELECT string_agg(concat_ws('/', succeeded::text, (finished_at IS NULL)::text), ' ' ORDER BY started_at) FROM wfml.bound_rows('runs')
    AS r (run_id text, started_at timestamptz, finished_at timestamptz, succeeded boolean) WHERE run_id > '2'), 'false/false false/false true', 'of the rest a canceled, a crashed and a running one');
CALL wfml.sync_runs();
SELECT is((SELECT count(*)::int FROM wfml.kept_runs), 4, 'finished ones are kept');
DELETE FROM execution_entity WHERE status <> 'running';
CALL wfml.sync_runs();
SELECT is((SELECT count(*)::int FROM wfml.bound_rows('runs') AS r (run_id text)), 5, 'and stay when n8n deletes them');
SELECT * FROM finish(true);
