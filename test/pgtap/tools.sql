-- n8n, Airflow and pg_cron as their own migrations make their tables (the
-- columns that matter, with their types), in the versions that differ; what is
-- kept of their runs, and for whom.

\set QUIET 1
SET client_min_messages = error;
BEGIN;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = ISO;
CREATE ROLE wfml_tool_owner;
CREATE ROLE wfml_tool_member IN ROLE wfml_tool_owner;
CREATE ROLE "Wfml Odd-Name";
CREATE ROLE wfml_tool_stranger;

-- A query's first column as an array, or its error, as a role.
CREATE FUNCTION as_role(who name, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
    hint text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    BEGIN
        IF query ~ '^CALL' THEN
            EXECUTE query;
        ELSE
            EXECUTE format('SELECT string_agg(q::text, '' '') FROM (%s) q', query) INTO result;
        END IF;
    EXCEPTION WHEN others THEN
        GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
        result := SQLSTATE || ': ' || SQLERRM || ' | ' || hint;
    END;
    RESET ROLE;
    RETURN result;
END $$;

CREATE FUNCTION runs_of(who name) RETURNS text LANGUAGE sql AS $$
SELECT as_role(who, $q$SELECT concat_ws('/', workflow_id, run_id, to_char(started_at, 'HH24:MI'), to_char(finished_at, 'HH24:MI'), succeeded)
FROM wfml.bound_rows('runs') AS r (workflow_id text, run_id text, started_at timestamptz, finished_at timestamptz, succeeded boolean)
ORDER BY started_at, run_id$q$)
$$;

SELECT no_plan();

-- ---- n8n 1 and 2 ----

CREATE SCHEMA n8n;
CREATE TABLE n8n.workflow_entity (id varchar(36) PRIMARY KEY, name varchar(128) NOT NULL, active boolean NOT NULL DEFAULT false, nodes json NOT NULL,
    connections json NOT NULL DEFAULT '{}', settings json, "isArchived" boolean NOT NULL DEFAULT false);
CREATE TABLE n8n.execution_entity (id serial PRIMARY KEY, finished boolean NOT NULL, mode varchar NOT NULL, "retryOf" varchar, "retrySuccessId" varchar,
    "startedAt" timestamptz(3), "stoppedAt" timestamptz(3), "waitTill" timestamptz(3), status varchar NOT NULL,
    "workflowId" varchar(36) NOT NULL REFERENCES n8n.workflow_entity ON DELETE CASCADE, "deletedAt" timestamptz(3), "createdAt" timestamptz(3) NOT NULL DEFAULT now());
CREATE TABLE n8n.tag_entity (id varchar(36) PRIMARY KEY, name varchar(24) NOT NULL);
CREATE TABLE n8n.workflows_tags ("workflowId" varchar(36), "tagId" varchar(36), PRIMARY KEY ("workflowId", "tagId"));
CREATE TABLE n8n.workflow_statistics (count integer DEFAULT 0, "latestEvent" timestamptz(3), name varchar(128), "workflowId" varchar(36), "rootCount" integer DEFAULT 0, PRIMARY KEY ("workflowId", name));
CREATE TABLE n8n.shared_workflow ("workflowId" varchar(36), "projectId" varchar(36), role text NOT NULL, PRIMARY KEY ("workflowId", "projectId"));
CREATE TABLE n8n.project_relation ("projectId" varchar(36), "userId" uuid, role varchar NOT NULL, PRIMARY KEY ("projectId", "userId"));

INSERT INTO n8n.workflow_entity (id, name, nodes, settings, "isArchived") VALUES
    ('wSales', 'Sales', '[{"type": "n8n-nodes-base.slack", "position": [400, 0]}, {"type": "n8n-nodes-base.stickyNote", "position": [-50, 0]},
        {"type": "n8n-nodes-base.scheduleTrigger", "position": [0, 0]}, {"type": "@n8n/n8n-nodes-langchain.agent", "position": [200, 80]},
        {"type": "n8n-nodes-base.httpRequest", "position": [200, -80]}, {"type": "n8n-nodes-base.set", "position": [300, 0], "disabled": true}]', '{}', false),
    ('wErrors', 'Errors only', '[]', '{"saveDataSuccessExecution": "none"}', false), ('wOld', 'Old', '{"not": "an array"}', NULL, true);
INSERT INTO n8n.tag_entity VALUES ('t1', 'sales'), ('t2', 'daily');
INSERT INTO n8n.workflows_tags VALUES ('wSales', 't1'), ('wSales', 't2');
INSERT INTO n8n.execution_entity (finished, mode, "startedAt", "stoppedAt", "waitTill", status, "workflowId", "deletedAt") VALUES
    (true, 'trigger', '2024-03-01 08:00', '2024-03-01 08:01', NULL, 'success', 'wSales', NULL),
    (false, 'webhook', '2024-03-01 09:00', '2024-03-01 09:02', NULL, 'error', 'wSales', NULL),
    (true, 'manual', '2024-03-01 09:10', '2024-03-01 09:11', NULL, 'success', 'wSales', NULL),
    (true, 'trigger', '2024-03-01 09:20', '2024-03-01 09:21', NULL, 'success', 'wSales', '2024-03-02'),
    (false, 'trigger', '2024-03-01 09:30', '2024-03-01 09:31', '2024-03-09', 'waiting', 'wSales', NULL),
    (false, 'trigger', '2024-03-01 10:00', '2024-03-01 10:05', NULL, 'canceled', 'wSales', NULL),
    (false, 'trigger', '2024-03-01 11:00', '2024-03-01 11:05', NULL, 'crashed', 'wErrors', NULL),
    (false, 'trigger', '2024-03-01 12:00', NULL, NULL, 'running', 'wSales', NULL),
    (false, 'trigger', NULL, NULL, NULL, 'new', 'wSales', NULL);
INSERT INTO n8n.workflow_statistics (count, name, "workflowId") VALUES (3, 'production_success', 'wSales'), (4, 'production_error', 'wSales'), (9, 'data_loaded', 'wSales');
INSERT INTO n8n.shared_workflow VALUES ('wSales', 'p1', 'workflow:owner'), ('wErrors', 'p1', 'workflow:owner'), ('wSales', 'p2', 'workflow:editor');
INSERT INTO n8n.project_relation VALUES ('p1', '00000000-0000-0000-0000-000000000001', 'project:personalOwner'), ('p2', '00000000-0000-0000-0000-000000000001', 'project:viewer'),
    ('p2', '00000000-0000-0000-0000-000000000002', 'project:viewer');

SELECT alike(as_role('wfml_tool_owner', $$SELECT * FROM wfml.bind_n8n('n8n')$$), '42501: permission denied for schema n8n | %GRANT USAGE ON SCHEMA n8n TO wfml_tool_owner;', 'a schema that one may not use');
GRANT USAGE ON SCHEMA n8n TO wfml_tool_owner, wfml_tool_stranger;
SELECT alike(as_role('wfml_tool_owner', $$SELECT * FROM wfml.bind_n8n('n8n')$$), '42501: permission denied for table n8n.execution_entity | %GRANT SELECT ON n8n.execution_entity TO wfml_tool_owner;', 'a table that one may not read');
GRANT SELECT ON ALL TABLES IN SCHEMA n8n TO wfml_tool_owner;
SELECT alike(as_role('wfml_tool_owner', $$SELECT * FROM wfml.bind_n8n('nowhere')$$), '3F000: schema "nowhere" does not exist | %postgres_fdw%', 'a schema that is not there');
SELECT alike(as_role('wfml_tool_owner', $$SELECT * FROM wfml.bind_n8n('pg_catalog')$$), '42P01: n8n keeps what is needed in table pg_catalog.execution_entity, which does not exist | %postgres_fdw%', 'a schema without the tables');
SELECT alike(as_role('wfml_tool_owner', $$SELECT * FROM wfml.bind_n8n('n8n', '{runs,events}')$$), '22023: n8n has no "events" | Its kinds are runs, workflows, usage.', 'a kind that it does not have');
ALTER TABLE n8n.execution_entity RENAME "stoppedAt" TO stopped;
SELECT alike(as_role('wfml_tool_owner', $$SELECT * FROM wfml.bind_n8n('n8n')$$), '42703: table n8n.execution_entity lacks what n8n has: "stoppedAt" | %wfml.bind()%', 'a column that is missing is named');
ALTER TABLE n8n.execution_entity RENAME stopped TO "stoppedAt";

SELECT is(as_role('wfml_tool_owner', $$SELECT * FROM wfml.bind_n8n('n8n')$$), '(runs,f) (workflows,f) (usage,f)', 'three kinds are bound');
SELECT is(as_role('wfml_tool_owner', $$SELECT * FROM wfml.bind_n8n(schema => 'n8n')$$), '(runs,f) (workflows,f) (usage,f)', 'again replaces nothing');
CREATE TEMP TABLE expected AS SELECT '(wSales/1/08:00/08:01/t) (wSales/2/09:00/09:02/f) (wSales/6/10:00/10:05/f) (wErrors/7/11:00/11:05/f) (wSales/8/12:00)'::text AS runs;
SELECT is(runs_of('wfml_tool_owner'), runs, 'neither manual, deleted, waiting nor new runs; what crashed or was canceled failed') FROM expected;
SELECT is(as_role('wfml_tool_owner', $$SELECT workflow_id, name, events, category FROM wfml.bound_rows('workflows') AS w (workflow_id text, name text, events text[], category text) ORDER BY 1$$),
    '(wErrors,"Errors only",,) (wSales,Sales,"{scheduleTrigger,httpRequest,agent,slack}",daily)', 'node types from left to right; no archived workflows');
SELECT is(as_role('wfml_tool_owner', $$SELECT right(user_id, 1), workflow_id, round(weight::numeric, 3) FROM wfml.bound_rows('usage') AS u (user_id text, workflow_id text, weight float8) ORDER BY 1, 2$$),
    '(1,wErrors,1.000) (1,wSales,3.079) (2,wSales,3.079)', 'members of the projects use a workflow as often as it ran');

-- ---- keeping ----

SELECT is(as_role('wfml_tool_stranger', 'CALL wfml.sync_runs()'), NULL, 'a stranger may call it');
SELECT is((SELECT count(*)::int FROM wfml.run_history), 0, 'and keeps nothing of others');
SELECT is(as_role('wfml_tool_member', 'CALL wfml.sync_runs()'), NULL, 'a member keeps the runs of the owner');
SELECT is(runs_of('wfml_tool_owner'), runs, 'what is kept and is there, too, counts once') FROM expected;
SELECT is(as_role('wfml_tool_owner', $$SELECT run_id, workflow_id, name, succeeded FROM wfml.kept_runs ORDER BY 1$$),
    '(1,wSales,Sales,t) (2,wSales,Sales,f) (6,wSales,Sales,f) (7,wErrors,"Errors only",f)', 'finished runs only');
SELECT is(as_role('wfml_tool_stranger', 'SELECT * FROM wfml.kept_runs'), NULL, 'others do not see them');
SELECT is(as_role('wfml_tool_stranger', 'SELECT * FROM wfml.kept_tools'), NULL, 'nor that there are any');
SELECT alike(as_role('wfml_tool_owner', 'SELECT * FROM wfml.run_history'), '42501:%', 'the table itself is nobody''s');
SELECT is(as_role('wfml_tool_owner', 'SELECT tool, kept_until FROM wfml.kept_tools'), '(n8n,"2024-03-01 10:05:00+00")', 'known until an hour before the latest');
SELECT is(as_role('wfml_tool_owner', 'CALL wfml.sync_runs()'), NULL, 'again');
SELECT is((SELECT count(*)::int FROM wfml.run_history), 4, 'keeps nothing twice');

-- One seen late, one new, and one that has finished; then the tool forgets.
INSERT INTO n8n.execution_entity (id, finished, mode, "startedAt", "stoppedAt", status, "workflowId") VALUES
    (20, true, 'trigger', '2024-03-01 10:10', '2024-03-01 10:30', 'success', 'wSales'), (21, true, 'trigger', '2024-03-01 13:00', '2024-03-01 13:01', 'success', 'wErrors');
UPDATE n8n.execution_entity SET "stoppedAt" = '2024-03-01 12:30', status = 'success', finished = true WHERE id = 8;
UPDATE expected SET runs = '(wSales/1/08:00/08:01/t) (wSales/2/09:00/09:02/f) (wSales/6/10:00/10:05/f) (wSales/20/10:10/10:30/t) (wErrors/7/11:00/11:05/f) (wSales/8/12:00/12:30/t) (wErrors/21/13:00/13:01/t)';
SELECT is(runs_of('wfml_tool_owner'), runs, 'new runs are there before they are kept') FROM expected;
SELECT is(as_role('wfml_tool_owner', 'CALL wfml.sync_runs()'), NULL, 'they are kept');
SELECT is(runs_of('wfml_tool_owner'), runs, 'and seen once') FROM expected;
DELETE FROM n8n.execution_entity WHERE id <= 8;
SELECT is(runs_of('wfml_tool_owner'), runs, 'what the tool deletes stays') FROM expected;
DELETE FROM n8n.execution_entity;
SELECT is(as_role('wfml_tool_owner', 'CALL wfml.sync_runs()'), NULL, 'nothing new');
SELECT is(runs_of('wfml_tool_owner'), runs, 'though it deletes all') FROM expected;
SELECT is(as_role('wfml_tool_owner', $$SELECT run_id FROM wfml.bound_rows('runs', workflow_id => 'wSales', since => '2024-03-01 09:00', until => '2024-03-01 12:30') AS r (run_id text, finished_at timestamptz) ORDER BY finished_at$$),
    '(2) (6) (20)', 'by workflow and time, half-open');

-- Bound anew it looks at everything again.
INSERT INTO n8n.execution_entity (id, finished, mode, "startedAt", "stoppedAt", status, "workflowId") VALUES (30, true, 'trigger', '2024-02-01 10:10', '2024-02-01 10:30', 'success', 'wSales');
SELECT unalike(runs_of('wfml_tool_owner'), '%wSales/30%', 'older runs that turn up later are not looked for');
SELECT is(as_role('wfml_tool_owner', $$SELECT * FROM wfml.bind_n8n('n8n', '{runs}')$$), '(runs,f)', 'bound anew');
SELECT is(as_role('wfml_tool_owner', 'CALL wfml.sync_runs()'), NULL, 'and kept');
SELECT is((SELECT count(*)::int FROM wfml.run_history), 8, 'they are');
-- A clock that is wrong must not hide what comes.
INSERT INTO n8n.execution_entity (id, finished, mode, "startedAt", "stoppedAt", status, "workflowId") VALUES
    (31, true, 'trigger', '2099-02-01 10:10', '2099-02-01 10:30', 'success', 'wSales'), (32, true, 'trigger', '2024-02-01', 'infinity', 'success', 'wSales');
SELECT is(as_role('wfml_tool_owner', 'CALL wfml.sync_runs()'), NULL, 'a run of 2099');
SELECT ok((SELECT max(kept_until) <= now() - interval '1 hour' FROM wfml.run_sync), 'does not move the mark there');
SELECT is((SELECT count(*)::int FROM wfml.run_history), 9, 'and one that finished at infinity is none');

-- ---- pruning ----

SELECT alike(as_role('wfml_tool_owner', $$CALL wfml.prune_runs(interval '-1 day')$$), '22023: argument "older_than"%', 'not in the future');
SELECT is(as_role('wfml_tool_stranger', $$CALL wfml.prune_runs(interval '0')$$), NULL, 'a stranger prunes his own');
SELECT is((SELECT count(*)::int FROM wfml.run_history), 9, 'which are none');
SELECT is(as_role('wfml_tool_member', $$CALL wfml.prune_runs(now() - '2024-03-01 09:30+00')$$), NULL, 'a member prunes the owner''s');
SELECT is((SELECT string_agg(run_id, ' ' ORDER BY finished_at) FROM wfml.run_history), '6 20 7 8 21 31', 'those that finished before');

-- ---- n8n 0, with a prefix ----

CREATE SCHEMA "N8n old";
CREATE TABLE "N8n old".my_workflow_entity (id serial PRIMARY KEY, name varchar(128) NOT NULL, nodes json NOT NULL);
CREATE TABLE "N8n old".my_execution_entity (id serial PRIMARY KEY, finished boolean NOT NULL, mode varchar NOT NULL, "retryOf" varchar, "startedAt" timestamp NOT NULL,
    "stoppedAt" timestamp, "workflowId" varchar, "waitTill" timestamp);
CREATE TABLE "N8n old".my_shared_workflow ("workflowId" int, "userId" uuid, "roleId" int);
INSERT INTO "N8n old".my_workflow_entity (name, nodes) VALUES ('first', '[{"type": "n8n-nodes-base.cron", "position": ["x"]}]');
INSERT INTO "N8n old".my_execution_entity (finished, mode, "startedAt", "stoppedAt", "workflowId", "waitTill") VALUES
    (true, 'trigger', '2022-03-01 08:00', '2022-03-01 08:01', '1', NULL), (false, 'trigger', '2022-03-01 09:00', '2022-03-01 09:01', '1', NULL),
    (false, 'trigger', '2022-03-01 10:00', '2022-03-01 10:01', '1', '2022-03-02'), (false, 'trigger', '2022-03-01 11:00', NULL, '1', NULL), (true, 'manual', '2022-03-01 12:00', '2022-03-01 12:01', '1', NULL);
INSERT INTO "N8n old".my_shared_workflow VALUES (1, '00000000-0000-0000-0000-000000000007', 1);
GRANT USAGE ON SCHEMA "N8n old" TO "Wfml Odd-Name";
GRANT SELECT ON ALL TABLES IN SCHEMA "N8n old" TO "Wfml Odd-Name";
SELECT is(as_role('Wfml Odd-Name', $$SELECT * FROM wfml.bind_n8n('N8n old', table_prefix => 'my_')$$), '(runs,f) (workflows,f) (usage,f)', 'an old version, a prefix, names that need quotes');
UPDATE expected SET runs = '(1/1/08:00/08:01/t) (1/2/09:00/09:01/f) (1/4/11:00)';
SELECT is(runs_of('Wfml Odd-Name'), runs, 'its runs: success is finished, waiting is waitTill') FROM expected;
SELECT is(as_role('Wfml Odd-Name', $$SELECT events, category FROM wfml.bound_rows('workflows') AS w (events text[], category text)$$), '({cron},)', 'its workflows');
SELECT is(as_role('Wfml Odd-Name', $$SELECT right(user_id, 1), workflow_id, weight FROM wfml.bound_rows('usage') AS w (user_id text, workflow_id text, weight float8)$$), '(7,1,1)', 'and who has them');
SELECT lives_ok('CALL wfml.sync_runs()', 'a superuser keeps the runs of all owners');
SELECT is(as_role('Wfml Odd-Name', 'SELECT run_id FROM wfml.kept_runs'), '(1) (2)', 'as theirs');
SELECT is((SELECT count(*)::int FROM wfml.kept_runs), 0, 'none are his own');
DELETE FROM "N8n old".my_execution_entity WHERE id < 4;
SELECT is(runs_of('Wfml Odd-Name'), runs, 'and they stay') FROM expected;
DROP TABLE "N8n old".my_shared_workflow;
SELECT is(as_role('Wfml Odd-Name', $$SELECT * FROM wfml.bind_n8n('N8n old', table_prefix => 'my_')$$), '(runs,f) (workflows,f)', 'without the table of shares there is no usage');
SELECT alike(as_role('Wfml Odd-Name', $$SELECT * FROM wfml.bind_n8n('N8n old', '{usage}', 'my_')$$), '42P01: the tables of n8n in schema "N8n old" do not tell%', 'which is an error when it is asked for');
ALTER TABLE "N8n old".my_execution_entity DROP COLUMN finished;
SELECT lives_ok('CALL wfml.sync_runs()', 'the trouble of one owner is not the others''');

-- ---- Airflow 2 and 3 ----

CREATE SCHEMA airflow2;
CREATE TABLE airflow2.dag (dag_id varchar(250) PRIMARY KEY, is_paused boolean, is_active boolean, owners varchar(2000), dag_display_name varchar(2000));
CREATE TABLE airflow2.dag_run (id serial PRIMARY KEY, dag_id varchar(250) NOT NULL, execution_date timestamptz NOT NULL, start_date timestamptz, end_date timestamptz, state varchar(50),
    run_id varchar(250) NOT NULL, external_trigger boolean, run_type varchar(50) NOT NULL, conf bytea, clear_number int NOT NULL DEFAULT 0, UNIQUE (dag_id, run_id));
CREATE TABLE airflow2.task_instance (task_id varchar(250), dag_id varchar(250), run_id varchar(250), map_index int DEFAULT -1, start_date timestamptz, end_date timestamptz, duration float8,
    state varchar(20), PRIMARY KEY (dag_id, task_id, run_id, map_index));
CREATE TABLE airflow2.dag_tag (name varchar(100), dag_id varchar(250), PRIMARY KEY (name, dag_id));
CREATE TABLE airflow2.serialized_dag (dag_id varchar(250) PRIMARY KEY, data json, data_compressed bytea, last_updated timestamptz NOT NULL);
CREATE TABLE airflow2.log (id serial PRIMARY KEY, dttm timestamptz, dag_id varchar(250), task_id varchar(250), event varchar(60), execution_date timestamptz, owner varchar(500));
INSERT INTO airflow2.dag VALUES ('etl', false, true, 'ann', 'Load the shop'), ('gone', false, false, 'ann', NULL), ('packed', false, true, 'ann', NULL);
INSERT INTO airflow2.dag_run (dag_id, execution_date, start_date, end_date, state, run_id, run_type) VALUES
    ('etl', '2024-03-01', '2024-03-02 08:00', '2024-03-02 08:30', 'success', 's1', 'scheduled'), ('etl', '2024-03-02', '2024-03-02 09:00', '2024-03-02 09:30', 'failed', 's2', 'scheduled'),
    ('etl', '2024-03-03', '2024-03-02 10:00', '2024-03-02 10:30', 'success', 'm1', 'manual'), ('etl', '2024-03-04', '2024-03-02 11:00', '2024-03-02 11:30', 'success', 'b1', 'backfill'),
    ('etl', '2024-03-05', NULL, NULL, 'queued', 's3', 'scheduled'), ('etl', '2024-03-06', '2024-03-02 12:00', NULL, 'running', 's4', 'scheduled');
INSERT INTO airflow2.dag_tag VALUES ('shop', 'etl'), ('finance', 'etl');
INSERT INTO airflow2.serialized_dag VALUES ('etl', '{"__version": 1, "dag": {"tasks": [{"__var": {"task_id": "z_extract", "downstream_task_ids": ["clean", "load"]}, "__type": "operator"},
    {"__var": {"task_id": "load", "downstream_task_ids": []}, "__type": "operator"}, {"__var": {"task_id": "clean", "downstream_task_ids": ["load"]}, "__type": "operator"}]}}', NULL, now()),
    ('packed', NULL, 'x', now());
INSERT INTO airflow2.task_instance (dag_id, task_id, run_id, start_date, state) VALUES ('etl', 'z_extract', 's1', '2024-03-02 08:00', 'success'), ('etl', 'clean', 's1', '2024-03-02 08:10', 'success'),
    ('etl', 'load', 's1', NULL, 'upstream_failed');
INSERT INTO airflow2.log (dttm, dag_id, event, owner) VALUES (now(), 'etl', 'trigger', 'ann'), (now(), 'etl', 'grid', 'ann'), (now(), 'etl', 'success', 'ann'), (now(), 'etl', 'cli_task_run', 'root'), (now(), NULL, 'login', 'bob');
GRANT USAGE ON SCHEMA airflow2 TO wfml_tool_owner;
GRANT SELECT ON ALL TABLES IN SCHEMA airflow2 TO wfml_tool_owner;
SELECT is(as_role('wfml_tool_owner', $$SELECT * FROM wfml.bind_airflow('airflow2')$$), '(runs,t) (workflows,t) (events,f) (usage,t)', 'Airflow 2 takes the place of n8n');
UPDATE expected SET runs = '(etl/s1/08:00/08:30/t) (etl/s2/09:00/09:30/f) (etl/s4/12:00)';
SELECT is(runs_of('wfml_tool_owner'), runs, 'scheduled runs that succeeded, failed or run; none of n8n''s') FROM expected;
SELECT is(as_role('wfml_tool_owner', $$SELECT workflow_id, name, events, category FROM wfml.bound_rows('workflows') AS w (workflow_id text, name text, events text[], category text) ORDER BY 1$$),
    '(etl,"Load the shop","{z_extract,clean,load}",finance) (packed,packed,,)', 'DAGs with their tasks, upstream ones first; neither inactive nor compressed ones');
SELECT is(as_role('wfml_tool_owner', $$SELECT user_id, event, to_char(at, 'HH24:MI') FROM wfml.bound_rows('events') AS e (user_id text, event text, at timestamptz) ORDER BY at$$),
    '(etl,z_extract,08:00) (etl,clean,08:10)', 'tasks that began are events');
SELECT is(as_role('wfml_tool_owner', $$SELECT user_id, workflow_id, round(weight::numeric, 3) FROM wfml.bound_rows('usage') AS u (user_id text, workflow_id text, weight float8)$$), '(ann,etl,1.693)', 'usage is what users did');
SELECT lives_ok('CALL wfml.sync_runs()', 'kept');
-- A cleared run runs again under its id.
UPDATE airflow2.dag_run SET state = 'running', start_date = '2024-03-02 13:00', end_date = NULL, clear_number = 1 WHERE run_id = 's2';
UPDATE expected SET runs = '(etl/s1/08:00/08:30/t) (etl/s2/09:00/09:30/f) (etl/s4/12:00) (etl/s2/13:00)';
SELECT is(runs_of('wfml_tool_owner'), runs, 'a run that was cleared is another run') FROM expected;
UPDATE airflow2.dag_run SET state = 'success', end_date = '2024-03-02 13:30' WHERE run_id = 's2';
UPDATE expected SET runs = '(etl/s1/08:00/08:30/t) (etl/s2/09:00/09:30/f) (etl/s4/12:00) (etl/s2/13:00/13:30/t)';
SELECT lives_ok('CALL wfml.sync_runs()', 'kept');
SELECT is(runs_of('wfml_tool_owner'), runs, 'and both count') FROM expected;
-- One that is marked by hand has a new end; it stays as it was kept.
UPDATE airflow2.dag_run SET state = 'failed', end_date = '2024-03-02 14:00' WHERE run_id = 's1';
SELECT is(runs_of('wfml_tool_owner'), runs, 'a run that was changed after it was kept counts once') FROM expected;
INSERT INTO airflow2.dag_run (dag_id, execution_date, start_date, end_date, state, run_id, run_type) VALUES ('etl', '2024-03-07', '-infinity', '2024-03-02 14:00', 'success', 'x', 'scheduled');
SELECT lives_ok('CALL wfml.sync_runs()', 'kept');
DELETE FROM airflow2.dag_run WHERE run_id = 'x';
SELECT is(runs_of('wfml_tool_owner'), runs, 'once more; and a run that began at no time is none') FROM expected;

CREATE SCHEMA airflow3;
CREATE TABLE airflow3.dag (dag_id varchar(250) PRIMARY KEY, is_paused boolean, is_stale boolean, owners varchar(2000), dag_display_name varchar(2000), bundle_name varchar(250));
CREATE TABLE airflow3.dag_run (id serial PRIMARY KEY, dag_id varchar(250) NOT NULL, logical_date timestamptz, start_date timestamptz, end_date timestamptz, state varchar(50), run_id varchar(250) NOT NULL,
    run_type varchar(50) NOT NULL, triggered_by varchar(50), run_after timestamptz NOT NULL DEFAULT now(), conf jsonb, clear_number int NOT NULL DEFAULT 0, UNIQUE (dag_id, run_id));
CREATE TABLE airflow3.task_instance (id uuid PRIMARY KEY, task_id varchar(250), dag_id varchar(250), run_id varchar(250), map_index int DEFAULT -1, start_date timestamptz, end_date timestamptz, state varchar(20));
CREATE TABLE airflow3.serialized_dag (id uuid PRIMARY KEY, dag_id varchar(250), data json, data_compressed bytea, created_at timestamptz, last_updated timestamptz NOT NULL, dag_version_id uuid);
INSERT INTO airflow3.dag (dag_id, is_stale) VALUES ('etl', false), ('stale', true);
INSERT INTO airflow3.dag_run (dag_id, logical_date, start_date, end_date, state, run_id, run_type) VALUES ('etl', NULL, '2024-03-02 08:00', '2024-03-02 08:30', 'success', 's1', 'scheduled'),
    ('etl', NULL, '2024-03-02 08:00', '2024-03-02 08:30', 'success', 'a1', 'asset_triggered'), ('etl', NULL, '2024-03-02 09:00', '2024-03-02 09:30', 'failed', 's2', 'scheduled');
INSERT INTO airflow3.serialized_dag (id, dag_id, data, last_updated) VALUES (gen_random_uuid(), 'etl', '{"__version": 2, "dag": {"tasks": [{"__var": {"task_id": "old"}}]}}', '2024-01-01'),
    (gen_random_uuid(), 'etl', '{"__version": 2, "dag": {"tasks": [{"__var": {"task_id": "b", "downstream_task_ids": ["a"]}}, {"__var": {"task_id": "a"}}]}}', '2024-02-01');
GRANT USAGE ON SCHEMA airflow3 TO wfml_tool_stranger;
GRANT SELECT ON ALL TABLES IN SCHEMA airflow3 TO wfml_tool_stranger;
SELECT is(as_role('wfml_tool_stranger', $$SELECT * FROM wfml.bind_airflow('airflow3', '{runs,workflows,events}')$$), '(runs,f) (workflows,f) (events,f)', 'Airflow 3, some kinds');
UPDATE expected SET runs = '(etl/s1/08:00/08:30/t) (etl/s2/09:00/09:30/f)';
SELECT is(runs_of('wfml_tool_stranger'), runs, 'its runs') FROM expected;
SELECT is(as_role('wfml_tool_stranger', $$SELECT workflow_id, events FROM wfml.bound_rows('workflows') AS w (workflow_id text, events text[])$$), '(etl,"{b,a}")', 'its DAGs in their last version');
SELECT alike(as_role('wfml_tool_stranger', $$SELECT * FROM wfml.bind_airflow('airflow3', '{usage}')$$), '42P01: Airflow keeps what is needed in table airflow3.log%', 'a table that is missing is an error when it is asked for');
SELECT is(wfml.airflow_task_ids('{"dag": {"tasks": [{"task_id": "a", "downstream_task_ids": ["b"]}, {"task_id": "b", "downstream_task_ids": ["a"]}]}}'), '{a,b}', 'a circle ends');
SELECT is(wfml.airflow_task_ids('{}'), NULL, 'no tasks');

-- ---- pg_cron ----

CREATE SCHEMA my_cron;
CREATE TABLE my_cron.job (jobid bigserial PRIMARY KEY, schedule text NOT NULL, command text NOT NULL, nodename text NOT NULL DEFAULT 'localhost', database text NOT NULL DEFAULT 'postgres', username text NOT NULL DEFAULT CURRENT_USER,
    active boolean NOT NULL DEFAULT true, jobname text);
CREATE TABLE my_cron.job_run_details (jobid bigint, runid bigserial PRIMARY KEY, job_pid int, database text, username text, command text, status text, return_message text, start_time timestamptz, end_time timestamptz);
INSERT INTO my_cron.job (schedule, command, jobname) VALUES ('0 3 * * *', 'VACUUM', 'nightly'), ('1 seconds', 'SELECT 1', NULL);
INSERT INTO my_cron.job_run_details (jobid, username, command, status, start_time, end_time) VALUES (1, 'ann', 'VACUUM', 'succeeded', '2024-03-02 08:00', '2024-03-02 08:30'),
    (1, 'ann', 'VACUUM', 'failed', '2024-03-02 09:00', '2024-03-02 09:30'), (2, 'ann', 'SELECT 1', 'failed', NULL, '2024-03-02 10:30'), (1, 'ann', 'VACUUM', 'running', '2024-03-02 11:00', NULL),
    (1, 'ann', 'VACUUM', 'starting', NULL, NULL), (9, 'ann', 'SELECT 9', 'failed', '2024-03-02 12:00', NULL);
SELECT is((SELECT string_agg(b::text, ' ') FROM wfml.bind_pg_cron('my_cron') b), '(runs,f) (workflows,f)', 'pg_cron');
UPDATE expected SET runs = '(1/1/08:00/08:30/t) (1/2/09:00/09:30/f) (2/3/10:30/10:30/f) (1/4/11:00)';
SELECT is(runs_of(current_user), runs, 'its runs; one that could not start failed') FROM expected;
SELECT is(as_role(current_user, $$SELECT workflow_id, name, events, category FROM wfml.bound_rows('workflows') AS w (workflow_id text, name text, events text[], category text) ORDER BY 1$$),
    '(1,nightly,,postgres) (2,"SELECT 1",,postgres)', 'its jobs');
SELECT lives_ok('CALL wfml.sync_runs()', 'kept');
SELECT is((SELECT string_agg(concat_ws('/', name, user_id, succeeded), ' ' ORDER BY run_id) FROM wfml.kept_runs), 'nightly/ann/t nightly/ann/f SELECT 1/ann/f', 'with their names and users');
SELECT is((SELECT string_agg(DISTINCT owner || ' ' || tool, ', ' ORDER BY owner || ' ' || tool) FROM wfml.run_history), format('"Wfml Odd-Name" n8n in N8n old.my_*, %s pg_cron in my_cron, wfml_tool_owner airflow in airflow2, wfml_tool_owner n8n, wfml_tool_stranger airflow in airflow3', current_user), 'each owner''s in one table');
-- Another installation with the same ids, bound by the same role afterwards.
CREATE SCHEMA other_cron;
CREATE TABLE other_cron.job AS SELECT * FROM my_cron.job;
CREATE TABLE other_cron.job_run_details AS SELECT * FROM my_cron.job_run_details LIMIT 0;
INSERT INTO other_cron.job_run_details (jobid, runid, username, command, status, start_time, end_time) VALUES (1, 1, 'ann', 'VACUUM', 'failed', '2024-03-02 13:00', '2024-03-02 13:30');
SELECT count(*) FROM wfml.bind_pg_cron('other_cron') \g /dev/null
SELECT is(runs_of(current_user), '(1/1/13:00/13:30/f)', 'two installations of a tool are not mixed');
CALL wfml.sync_runs();
SELECT is(runs_of(current_user), '(1/1/13:00/13:30/f)', 'nor when they are kept');

-- ---- tables of one's own ----

CREATE TABLE build (id int PRIMARY KEY, project text, began timestamp, ended timestamp, ok boolean);
INSERT INTO build SELECT i, 'p' || i % 3, timestamp '2024-01-01' + i * interval '1 minute', timestamp '2024-01-01' + i * interval '1 minute', i % 2 = 0 FROM generate_series(1, 25000) i;
GRANT SELECT ON build TO wfml_tool_owner;
SELECT is(as_role('wfml_tool_owner', $$SELECT wfml.bind('runs', 'SELECT project AS workflow_id, id AS run_id, began AS started_at, ended AS finished_at, ok AS succeeded, ''ci'' AS kept_as FROM build')$$), '("")', 'a query with kept_as');
SELECT is(as_role('wfml_tool_owner', 'CALL wfml.sync_runs()'), NULL, 'is kept');
SELECT is((SELECT count(*)::int FROM wfml.run_history WHERE tool = 'ci'), 25000, 'in several batches');
UPDATE build SET began = '2024-02-01', ended = '2024-02-01';
SELECT is(as_role('wfml_tool_owner', 'CALL wfml.sync_runs()'), NULL, 'more of one moment than a batch');
SELECT is((SELECT count(*)::int FROM wfml.run_history WHERE tool = 'ci'), 50000, 'are kept, too');
SELECT is(as_role('wfml_tool_owner', $$SELECT wfml.bind('runs', 'SELECT project AS workflow_id, id AS run_id, began AS started_at, ended AS finished_at, ok AS succeeded FROM build')$$), '("")', 'one without');
DELETE FROM wfml.run_history WHERE tool = 'ci';
SELECT is(as_role('wfml_tool_owner', 'CALL wfml.sync_runs()'), NULL, 'is not');
SELECT is((SELECT count(*)::int FROM wfml.run_history WHERE tool = 'ci'), 0, 'kept');

SELECT * FROM finish();
ROLLBACK;
