-- Finished runs that outlive the tool's pruning.

CREATE TABLE wfml.run_history (
	owner regrole NOT NULL,
	tool text NOT NULL,
	workflow_id text NOT NULL,
	run_id text NOT NULL,
	started_at timestamptz NOT NULL,
	finished_at timestamptz NOT NULL,
	succeeded boolean NOT NULL,
	name text,
	user_id text,
	kept_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	-- What runs again under its old id is another run.
	CONSTRAINT run_history_pkey PRIMARY KEY (owner, tool, workflow_id, run_id, started_at)
);
-- Of one workflow by time, of all by time, and those that ran at a moment.
CREATE INDEX run_history_workflow_idx ON wfml.run_history (owner, tool, workflow_id, finished_at) INCLUDE (started_at, succeeded);
CREATE INDEX run_history_finished_idx ON wfml.run_history (owner, tool, finished_at);
CREATE INDEX run_history_started_idx ON wfml.run_history (owner, tool, started_at);
COMMENT ON TABLE wfml.run_history IS 'finished runs that wfml.sync_runs() has kept; wfml.kept_runs shows yours';

CREATE TABLE wfml.run_sync (
	owner regrole NOT NULL,
	tool text NOT NULL,
	binding bigint NOT NULL,
	kept_until timestamptz NOT NULL,
	synced_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	CONSTRAINT run_sync_pkey PRIMARY KEY (owner, tool)
);
COMMENT ON TABLE wfml.run_sync IS 'how far wfml.sync_runs() is with each tool; wfml.kept_tools shows yours';
COMMENT ON COLUMN wfml.run_sync.binding IS 'id in source_binding; another one begins anew';
COMMENT ON COLUMN wfml.run_sync.kept_until IS 'runs that finished before are all in run_history; an hour before the latest one';

REVOKE ALL ON wfml.run_history, wfml.run_sync FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('wfml.run_history', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.run_sync', '');

-- A constant for the executor, so that the indexes serve.
CREATE VIEW wfml.kept_runs WITH (security_barrier) AS
	SELECT h.tool, h.workflow_id, h.run_id, h.name, h.user_id, h.started_at, h.finished_at, h.succeeded, h.kept_at
	FROM wfml.run_history h
	WHERE h.owner = pg_catalog.quote_ident(CURRENT_USER::text)::pg_catalog.regrole;
COMMENT ON VIEW wfml.kept_runs IS
	'finished runs of your tools that wfml.sync_runs() has kept, whether the tool still has them or not';
COMMENT ON COLUMN wfml.kept_runs.tool IS 'n8n, airflow or pg_cron, with the schema where that has another name ("n8n in public"), or what your binding''s column kept_as says';
COMMENT ON COLUMN wfml.kept_runs.name IS 'the workflow''s, when the run was kept';
COMMENT ON COLUMN wfml.kept_runs.kept_at IS 'when wfml.sync_runs() found it';
GRANT SELECT ON wfml.kept_runs TO PUBLIC;

CREATE VIEW wfml.kept_tools WITH (security_barrier) AS
	SELECT s.tool, s.kept_until, s.synced_at
	FROM wfml.run_sync s
	JOIN wfml.source_binding b ON b.id = s.binding
	WHERE s.owner = pg_catalog.quote_ident(CURRENT_USER::text)::pg_catalog.regrole;
COMMENT ON VIEW wfml.kept_tools IS 'how far wfml.sync_runs() is with the tools that you have bound';
COMMENT ON COLUMN wfml.kept_tools.kept_until IS
	'every run that finished before is in wfml.kept_runs: an hour before the latest one, since what finishes is seen a little later';
COMMENT ON COLUMN wfml.kept_tools.synced_at IS 'when wfml.sync_runs() last looked';
GRANT SELECT ON wfml.kept_tools TO PUBLIC;

CREATE PROCEDURE wfml.sync_runs()
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'wfml_sync_runs';
COMMENT ON PROCEDURE wfml.sync_runs() IS
	'copy finished runs that are new into wfml.kept_runs, since tools delete theirs: of every runs binding with the columns run_id and kept_as (as wfml.bind_n8n(), bind_airflow() and bind_pg_cron() make them) whose owner''s rights you have, each read as its owner. Looks at what finished since an hour before the latest run that it knows, so that it is cheap to call every few minutes and does no harm to call twice; commits every 10,000 runs unless called in a transaction block. A WARNING names workflows of which three or more failures are kept and no success: tools can be set to save failures only';

CREATE PROCEDURE wfml.prune_runs(older_than interval DEFAULT '2 years')
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'wfml_prune_runs';
COMMENT ON PROCEDURE wfml.prune_runs(interval) IS
	'delete kept runs that finished longer ago, of yourself and of roles whose rights you have; commits every 10,000 runs unless called in a transaction block';
