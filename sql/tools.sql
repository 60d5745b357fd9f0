-- A workflow tool whose tables are known: bound by one call, and its runs kept
-- when it deletes them.
SET TimeZone = 'UTC';
\set SHOW_CONTEXT never
CREATE SCHEMA n8n;
SET search_path = n8n, public;
CREATE TABLE workflow_entity (
	id varchar(36) PRIMARY KEY, name varchar(128), nodes json, settings json);
CREATE TABLE execution_entity (
	id serial PRIMARY KEY, finished boolean, mode varchar, status varchar,
	"startedAt" timestamptz(3), "stoppedAt" timestamptz(3), "waitTill" timestamptz(3),
	"workflowId" varchar(36), "deletedAt" timestamptz(3));
INSERT INTO workflow_entity VALUES
	('kT3', 'Daily report', '[{"type": "n8n-nodes-base.scheduleTrigger", "position": [0, 0]},
		{"type": "n8n-nodes-base.slack", "position": [400, 0]}, {"type": "n8n-nodes-base.postgres", "position": [200, 0]}]', NULL),
	('x9Q', 'Import', '[]', '{"saveDataSuccessExecution": "none"}');
INSERT INTO execution_entity (finished, mode, status, "startedAt", "stoppedAt", "workflowId")
SELECT i % 4 <> 0, 'trigger', CASE WHEN i % 4 <> 0 THEN 'success' ELSE 'error' END, t, t + interval '40 seconds', 'kT3'
FROM generate_series(1, 8) i, LATERAL (SELECT timestamptz '2024-03-01 06:00' + i * interval '1 day' AS t) t;
INSERT INTO execution_entity (finished, mode, status, "startedAt", "stoppedAt", "workflowId")
SELECT false, 'webhook', 'error', t, t, 'x9Q'
FROM generate_series(1, 3) i, LATERAL (SELECT timestamptz '2024-03-02 06:00' + i * interval '1 day' AS t) t;

-- Where it is not, and where it is
SELECT * FROM wfml.bind_n8n();
SELECT * FROM wfml.bind_n8n('n8n');
SELECT * FROM wfml.bound_rows('workflows') AS w (workflow_id text, name text, events text[]);
SELECT workflow_id, count(*) AS runs, avg(succeeded::int)::numeric(4,2) AS success, max(finished_at) AS last
FROM wfml.bound_rows('runs') AS r (workflow_id text, finished_at timestamptz, succeeded boolean)
GROUP BY 1 ORDER BY 1;

-- n8n deletes executions after two weeks: call this from time to time
CALL wfml.sync_runs();
DELETE FROM execution_entity WHERE "workflowId" = 'kT3';
CALL wfml.sync_runs();
SELECT workflow_id, count(*) AS runs FROM wfml.bound_rows('runs') AS r (workflow_id text) GROUP BY 1 ORDER BY 1;
SELECT tool, workflow_id, run_id, finished_at, succeeded, name FROM wfml.kept_runs ORDER BY finished_at DESC LIMIT 3;
SELECT tool, kept_until FROM wfml.kept_tools;

-- What was bound before is replaced, which is said
CREATE TABLE build (job text, began timestamptz, ended timestamptz, ok boolean);
SELECT wfml.bind('runs', 'SELECT job AS workflow_id, began AS started_at, ended AS finished_at, ok AS succeeded FROM build');
SELECT * FROM wfml.bind_n8n('n8n', '{runs}');
SELECT * FROM wfml.bind_n8n('n8n', '{runs,logs}');
ALTER TABLE execution_entity DROP COLUMN mode;
SELECT * FROM wfml.bind_n8n('n8n');
SELECT * FROM wfml.bind_airflow('n8n');
SELECT * FROM wfml.bind_pg_cron('n8n');

CALL wfml.prune_runs(interval '10 years');
CALL wfml.prune_runs(now() - '2024-03-05');
CALL wfml.prune_runs(interval '-1 year');

SELECT kind, wfml.unbind(kind) FROM wfml.sources ORDER BY kind;
CALL wfml.sync_runs();
CALL wfml.prune_runs(interval '0');
SET client_min_messages = warning;
DROP SCHEMA n8n CASCADE;
