-- Bindings for tools whose tables are known: n8n, Airflow, pg_cron.

-- What a relation of a tool has; what it must have and lacks is an error that says what to do.
CREATE FUNCTION wfml.tool_columns(tool text, schema_name name, table_name name, needed text[], optional boolean DEFAULT false)
	RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	place text := pg_catalog.format('%I.%I', tool_columns.schema_name, tool_columns.table_name);
	relation oid;
	present text[];
	readable text[];
	lacking text;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = schema_name) THEN
		RAISE EXCEPTION 'schema "%" does not exist', schema_name USING ERRCODE = 'invalid_schema_name',
			HINT = format('Give the schema that holds the tables of %s. If they are in another database, bring them here with postgres_fdw as docs/sources.md shows.', tool);
	END IF;
	SELECT c.oid INTO relation FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = schema_name AND c.relname = table_name AND c.relkind IN ('r', 'p', 'v', 'm', 'f');
	IF relation IS NULL THEN
		IF optional THEN
			RETURN NULL;
		END IF;
		RAISE EXCEPTION '% keeps what is needed in table %, which does not exist', tool, place USING ERRCODE = 'undefined_table',
			HINT = format('Give the schema that holds the tables of %s. If they are in another database, bring them here with postgres_fdw as docs/sources.md shows.', tool);
	END IF;
	IF NOT has_schema_privilege(schema_name, 'USAGE') THEN
		RAISE EXCEPTION 'permission denied for schema %', schema_name USING ERRCODE = 'insufficient_privilege',
			HINT = format('Its owner or a superuser runs: GRANT USAGE ON SCHEMA %I TO %I;', schema_name, current_user);
	END IF;
	SELECT array_agg(a.attname::text), array_agg(a.attname::text) FILTER (WHERE has_column_privilege(relation, a.attnum, 'SELECT'))
		INTO present, readable
		FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped;
	SELECT string_agg(format('"%s"', c), ', ' ORDER BY c) INTO lacking FROM unnest(needed) c WHERE c <> ALL (present);
	IF lacking IS NOT NULL THEN
		IF optional THEN
			RETURN NULL;
		END IF;
		RAISE EXCEPTION 'table % lacks what % has: %', place, tool, lacking USING ERRCODE = 'undefined_column',
			HINT = format('This is not the table of a version of %s that wfml knows. Bind your own query with wfml.bind(), as docs/sources.md shows.', tool);
	END IF;
	IF NOT needed <@ coalesce(readable, '{}') THEN
		IF optional THEN
			RETURN NULL;
		END IF;
		RAISE EXCEPTION 'permission denied for table %', place USING ERRCODE = 'insufficient_privilege',
			HINT = format('Its owner runs: GRANT SELECT ON %s TO %I;', place, current_user);
	END IF;
	RETURN readable;
END;
$$;
COMMENT ON FUNCTION wfml.tool_columns(text, name, name, text[], boolean) IS
	'columns that you may read of a table of a tool; an error naming what is missing when it lacks the needed ones, NULL if it is optional';

-- What is kept, what is not kept yet, what runs.  The sub-selects are whole:
-- only so is the comparison pushed into the views.  What is kept is looked up
-- by its key, few as those are that finished since: a run that was changed by
-- hand has another end now, and EXISTS would be a join with all that is kept.
CREATE FUNCTION wfml.tool_runs(tool text, tables text, workflow_id text, run_id text, started_at text, finished_at text,
	succeeded text, name text, user_id text, has_finished text, is_running text)
	RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	BEGIN ATOMIC
	SELECT pg_catalog.format($q$SELECT h.workflow_id, h.run_id, h.started_at, h.finished_at, h.succeeded, h.name, h.user_id, h.tool AS kept_as
FROM wfml.kept_runs h
WHERE h.tool = %1$L
UNION ALL
SELECT %3$s, %4$s, %5$s, %6$s, %7$s, %8$s, %9$s, %1$L::text
FROM %2$s
WHERE %10$s
	AND %6$s >= (SELECT coalesce(max(k.kept_until), '-infinity') FROM wfml.kept_tools k WHERE k.tool = %1$L)
	AND (SELECT true FROM wfml.kept_runs h
		WHERE h.tool = %1$L AND h.workflow_id = %3$s AND h.run_id = %4$s AND h.started_at = %5$s) IS NULL
UNION ALL
SELECT %3$s, %4$s, %5$s, NULL::timestamptz, NULL::boolean, %8$s, %9$s, %1$L::text
FROM %2$s
WHERE %11$s$q$,
		tool, tables, workflow_id, run_id, started_at, finished_at, succeeded, name, user_id, has_finished, is_running);
	END;
COMMENT ON FUNCTION wfml.tool_runs(text, text, text, text, text, text, text, text, text, text, text) IS
	'the query of a tool''s runs: those in wfml.kept_runs, those that finished since and are not kept yet, and those that run';

-- True: another binding is replaced, which is said.
CREATE FUNCTION wfml.bind_tool(tool text, kind text, query text) RETURNS boolean
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	before text;
BEGIN
	SELECT s.source INTO before FROM wfml.sources s
		WHERE s.kind = bind_tool.kind AND s.owner = quote_ident(CURRENT_USER::text)::regrole;
	PERFORM wfml.bind(kind, query);
	IF before <> query THEN
		RAISE NOTICE 'the % of % replace those that were bound before', kind, tool
			USING DETAIL = format('They came from: %s', CASE WHEN length(before) > 200 THEN left(before, 200) || ' …' ELSE before END);
	END IF;
	RETURN coalesce(before <> query, false);
END;
$$;
COMMENT ON FUNCTION wfml.bind_tool(text, text, text) IS 'bind a kind of rows of a tool; whether another binding is replaced, which a NOTICE says';

CREATE FUNCTION wfml.tool_kinds(tool text, kinds text[], offered text[]) RETURNS text[]
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	unknown text;
BEGIN
	SELECT string_agg(format('"%s"', k), ', ') INTO unknown FROM unnest(kinds) k WHERE k IS NULL OR k <> ALL (offered);
	IF unknown IS NOT NULL THEN
		RAISE EXCEPTION '% has no %', tool, unknown USING ERRCODE = 'invalid_parameter_value',
			HINT = format('Its kinds are %s.', array_to_string(offered, ', '));
	END IF;
	RETURN coalesce(kinds, offered);
END;
$$;
COMMENT ON FUNCTION wfml.tool_kinds(text, text[], text[]) IS 'the kinds asked for, all when NULL; an error for one that the tool does not offer';

-- ---- n8n ----

-- Types of nodes from left to right as they are drawn.
CREATE FUNCTION wfml.n8n_node_types(nodes jsonb) RETURNS text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	BEGIN ATOMIC
	SELECT pg_catalog.array_agg(pg_catalog.regexp_replace(n.node ->> 'type', '^.*\.', '')
			ORDER BY CASE WHEN pg_catalog.jsonb_typeof(n.node #> '{position,0}') = 'number' THEN (n.node #>> '{position,0}')::double precision END,
				CASE WHEN pg_catalog.jsonb_typeof(n.node #> '{position,1}') = 'number' THEN (n.node #>> '{position,1}')::double precision END, n.i)
		FROM pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof(nodes) = 'array' THEN nodes ELSE '[]' END)
			WITH ORDINALITY n (node, i)
		WHERE n.node ->> 'type' NOT LIKE '%.stickyNote' AND n.node ->> 'disabled' IS DISTINCT FROM 'true';
	END;
COMMENT ON FUNCTION wfml.n8n_node_types(jsonb) IS
	'types of the nodes of an n8n workflow without their package, from left to right as they are drawn; neither notes nor disabled ones';

-- "workflowId" and id were of different types once.
CREATE FUNCTION wfml.n8n_runs(schema name, table_prefix text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	present text[] := wfml.tool_columns('n8n', schema, (table_prefix || 'execution_entity')::name,
		'{id,workflowId,startedAt,stoppedAt,mode,finished}');
	executions text := format('%I.%I', schema, table_prefix || 'execution_entity');
	workflows text := format('%I.%I', schema, table_prefix || 'workflow_entity');
	-- Versions before 0.200 tell it by other columns.
	status text := format('CASE %s WHEN e.finished THEN ''success'' WHEN e."stoppedAt" IS NOT NULL THEN ''error'' ELSE ''running'' END',
		CASE WHEN 'waitTill' = ANY (present) THEN 'WHEN e."waitTill" IS NOT NULL THEN ''waiting''' END);
	automatic text := 'e."workflowId" IS NOT NULL AND e."startedAt" IS NOT NULL AND e.mode <> ''manual''';
	same_type boolean;
BEGIN
	IF 'status' = ANY (present) THEN
		status := format('coalesce(e.status::text, %s)', status);
	END IF;
	IF 'deletedAt' = ANY (present) THEN
		automatic := automatic || ' AND e."deletedAt" IS NULL';
	END IF;
	SELECT count(DISTINCT a.atttypid) = 1 INTO same_type FROM pg_attribute a
		WHERE (a.attrelid = executions::regclass AND a.attname = 'workflowId') OR (a.attrelid = workflows::regclass AND a.attname = 'id');
	-- Two installations have the same ids: each is kept under a name of its own.
	RETURN wfml.tool_runs('n8n' || CASE WHEN schema = 'n8n' AND table_prefix = '' THEN '' ELSE ' in ' || schema || CASE WHEN table_prefix = '' THEN '' ELSE '.' || table_prefix || '*' END END,
		format(CASE WHEN same_type THEN '%s e LEFT JOIN %s w ON w.id = e."workflowId"'
			ELSE '%s e LEFT JOIN %s w ON w.id::text = e."workflowId"::text' END, executions, workflows),
		'e."workflowId"::text', 'e.id::text', 'e."startedAt"::timestamptz', 'e."stoppedAt"::timestamptz',
		format('%s = ''success''', status), 'w.name::text', 'NULL::text',
		format('%s AND e."stoppedAt" IS NOT NULL AND %s IN (''success'', ''error'', ''crashed'', ''canceled'', ''failed'')', automatic, status),
		format('%s AND e."stoppedAt" IS NULL AND %s = ''running''', automatic, status));
END;
$$;
COMMENT ON FUNCTION wfml.n8n_runs(name, text) IS 'the query of n8n''s runs; see wfml.bind_n8n()';

-- NULL: this version does not tell who works with which workflow.
CREATE FUNCTION wfml.n8n_usage(schema name, table_prefix text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	shared text[] := wfml.tool_columns('n8n', schema, (table_prefix || 'shared_workflow')::name, '{workflowId}', true);
	project text[] := wfml.tool_columns('n8n', schema, (table_prefix || 'project_relation')::name, '{projectId,userId}', true);
	counts text[] := wfml.tool_columns('n8n', schema, (table_prefix || 'workflow_statistics')::name, '{count,workflowId,name}', true);
	runs text := '0';
BEGIN
	IF counts IS NOT NULL THEN
		runs := format('coalesce((SELECT sum(c.count) FROM %I.%I c WHERE c."workflowId" = s."workflowId" AND c.name IN'
			' (''production_success'', ''production_error'', ''manual_success'', ''manual_error'')), 0)',
			schema, table_prefix || 'workflow_statistics');
	END IF;
	IF 'projectId' = ANY (shared) AND project IS NOT NULL THEN
		RETURN format('SELECT p."userId"::text AS user_id, s."workflowId"::text AS workflow_id, max(1 + ln(1 + %s))::double precision AS weight'
			' FROM %I.%I s JOIN %2$I.%4$I p ON p."projectId" = s."projectId" GROUP BY 1, 2',
			runs, schema, table_prefix || 'shared_workflow', table_prefix || 'project_relation');
	ELSIF 'userId' = ANY (shared) THEN
		RETURN format('SELECT s."userId"::text AS user_id, s."workflowId"::text AS workflow_id, max(1 + ln(1 + %s))::double precision AS weight'
			' FROM %I.%I s GROUP BY 1, 2', runs, schema, table_prefix || 'shared_workflow');
	END IF;
	RETURN NULL;
END;
$$;
COMMENT ON FUNCTION wfml.n8n_usage(name, text) IS 'the query of who works with which workflow of n8n; NULL where its tables do not tell';

CREATE FUNCTION wfml.n8n_workflows(schema name, table_prefix text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	present text[] := wfml.tool_columns('n8n', schema, (table_prefix || 'workflow_entity')::name, '{id,name,nodes}');
	tags text := 'NULL::text';
BEGIN
	IF wfml.tool_columns('n8n', schema, (table_prefix || 'workflows_tags')::name, '{workflowId,tagId}', true) IS NOT NULL
		AND wfml.tool_columns('n8n', schema, (table_prefix || 'tag_entity')::name, '{id,name}', true) IS NOT NULL THEN
		tags := format('(SELECT min(t.name)::text FROM %I.%I x JOIN %1$I.%3$I t ON t.id = x."tagId" WHERE x."workflowId" = w.id)',
			schema, table_prefix || 'workflows_tags', table_prefix || 'tag_entity');
	END IF;
	RETURN format('SELECT w.id::text AS workflow_id, w.name::text AS name, wfml.n8n_node_types(w.nodes::jsonb) AS events, %s AS category FROM %I.%I w%s',
		tags, schema, table_prefix || 'workflow_entity', CASE WHEN 'isArchived' = ANY (present) THEN ' WHERE NOT w."isArchived"' END);
END;
$$;
COMMENT ON FUNCTION wfml.n8n_workflows(name, text) IS 'the query of n8n''s workflows; see wfml.bind_n8n()';

-- Its workflows can be told to save failures only.
CREATE FUNCTION wfml.warn_of_n8n_settings(schema name, table_prefix text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	w record;
BEGIN
	IF NOT 'settings' = ANY (wfml.tool_columns('n8n', schema, (table_prefix || 'workflow_entity')::name, '{id}')) THEN
		RETURN;
	END IF;
	FOR w IN EXECUTE format('SELECT w.id::text AS id, w.name::text AS name FROM %I.%I w WHERE w.settings::jsonb ->> ''saveDataSuccessExecution'' = ''none'' ORDER BY 1 LIMIT 10',
			schema, table_prefix || 'workflow_entity') LOOP
		RAISE WARNING 'only failures of n8n workflow "%" (%) are kept', w.id, w.name
			USING HINT = 'Its setting "Save successful production executions" is off. Nothing can be learned about when it succeeds.';
	END LOOP;
END;
$$;
COMMENT ON FUNCTION wfml.warn_of_n8n_settings(name, text) IS 'a WARNING for each n8n workflow, ten at most, whose successful runs are not saved';

CREATE FUNCTION wfml.bind_n8n(schema name DEFAULT 'public', kinds text[] DEFAULT NULL, table_prefix text DEFAULT '')
	RETURNS TABLE (kind text, replaced boolean)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
DECLARE
	wanted text[] := wfml.tool_kinds('n8n', kinds, '{runs,workflows,usage}');
	runs text := wfml.n8n_runs(schema, table_prefix);
	workflows text := wfml.n8n_workflows(schema, table_prefix);
	usage text := wfml.n8n_usage(schema, table_prefix);
BEGIN
	IF usage IS NULL AND 'usage' = ANY (kinds) THEN
		RAISE EXCEPTION 'the tables of n8n in schema "%" do not tell who works with which workflow', schema USING ERRCODE = 'undefined_table',
			HINT = 'That takes SELECT on shared_workflow, project_relation and workflow_statistics.';
	END IF;
	RETURN QUERY SELECT b.kind, wfml.bind_tool('n8n', b.kind, b.query)
		FROM (VALUES (1, 'runs', runs), (2, 'workflows', workflows), (3, 'usage', usage)) b (i, kind, query)
		WHERE b.kind = ANY (wanted) AND b.query IS NOT NULL ORDER BY b.i;
	IF 'runs' = ANY (wanted) THEN
		PERFORM wfml.warn_of_n8n_settings(schema, table_prefix);
	END IF;
END;
$$;
COMMENT ON FUNCTION wfml.bind_n8n(name, text[], text) IS
	'bind the tables of n8n, by default all it offers: runs (of execution_entity: not manual, deleted or waiting ones; succeeded is status success, whereas crashed and canceled ones failed; together with those that wfml.sync_runs() has kept), workflows (events are the types of their nodes from left to right, category the first of their tags) and usage (members of the projects that a workflow is shared with, weight 1 + ln(1 + runs)). schema: where its tables are; table_prefix: its DB_TABLE_PREFIX. What of these was bound before is replaced';

-- ---- Airflow ----

-- Tasks in the order in which they can run; the JSON is of Airflow's serialization 1 to 3.
CREATE FUNCTION wfml.airflow_task_ids(dag jsonb) RETURNS text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	BEGIN ATOMIC
	WITH RECURSIVE task AS (
		SELECT coalesce(t.task -> '__var', t.task) AS task
		FROM pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof(dag #> '{dag,tasks}') = 'array' THEN dag #> '{dag,tasks}' ELSE '[]' END) t (task)
	), edge AS (
		SELECT task.task ->> 'task_id' AS upstream, d.task_id AS downstream
		FROM task CROSS JOIN LATERAL pg_catalog.jsonb_array_elements_text(
			CASE WHEN pg_catalog.jsonb_typeof(task.task -> 'downstream_task_ids') = 'array' THEN task.task -> 'downstream_task_ids' ELSE '[]' END) d (task_id)
	), step (task_id, depth) AS (
		SELECT task.task ->> 'task_id', 0 FROM task
		UNION
		SELECT edge.downstream, step.depth + 1 FROM step JOIN edge ON edge.upstream = step.task_id WHERE step.depth < 1000
	)
	SELECT pg_catalog.array_agg(s.task_id ORDER BY s.depth, s.task_id COLLATE "C")
		FROM (SELECT step.task_id, pg_catalog.max(step.depth) AS depth FROM step WHERE step.task_id IS NOT NULL GROUP BY step.task_id) s;
	END;
COMMENT ON FUNCTION wfml.airflow_task_ids(jsonb) IS 'ids of the tasks of a DAG as Airflow''s serialized_dag holds it, upstream ones first';

CREATE FUNCTION wfml.airflow_workflows(schema name) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	dag text[] := wfml.tool_columns('Airflow', schema, 'dag', '{dag_id}');
	serialized text[] := wfml.tool_columns('Airflow', schema, 'serialized_dag', '{dag_id,data,last_updated}', true);
	events text := 'NULL::text[]';
	category text := 'NULL::text';
BEGIN
	IF serialized IS NOT NULL THEN
		events := format('(SELECT wfml.airflow_task_ids(s.data::jsonb) FROM %I.serialized_dag s WHERE s.dag_id = d.dag_id ORDER BY s.last_updated DESC LIMIT 1)', schema);
	END IF;
	IF wfml.tool_columns('Airflow', schema, 'dag_tag', '{dag_id,name}', true) IS NOT NULL THEN
		category := format('(SELECT min(t.name)::text FROM %I.dag_tag t WHERE t.dag_id = d.dag_id)', schema);
	END IF;
	RETURN format('SELECT d.dag_id::text AS workflow_id, %s::text AS name, %s AS events, %s AS category FROM %I.dag d%s',
		CASE WHEN 'dag_display_name' = ANY (dag) THEN 'coalesce(d.dag_display_name, d.dag_id)' ELSE 'd.dag_id' END, events, category, schema,
		CASE WHEN 'is_stale' = ANY (dag) THEN ' WHERE d.is_stale IS NOT TRUE'
			WHEN 'is_active' = ANY (dag) THEN ' WHERE d.is_active IS NOT FALSE' END);
END;
$$;
COMMENT ON FUNCTION wfml.airflow_workflows(name) IS 'the query of Airflow''s DAGs; see wfml.bind_airflow()';

CREATE FUNCTION wfml.airflow_runs(schema name) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	runs text[] := wfml.tool_columns('Airflow', schema, 'dag_run', '{dag_id,run_id,run_type,state,start_date,end_date}');
	dag text[] := wfml.tool_columns('Airflow', schema, 'dag', '{dag_id}');
BEGIN
	RETURN wfml.tool_runs('airflow' || CASE WHEN schema = 'airflow' THEN '' ELSE ' in ' || schema END, format('%I.dag_run r LEFT JOIN %1$I.dag d ON d.dag_id = r.dag_id', schema),
		'r.dag_id::text', 'r.run_id::text', 'r.start_date::timestamptz', 'r.end_date::timestamptz', 'r.state = ''success''',
		CASE WHEN 'dag_display_name' = ANY (dag) THEN 'coalesce(d.dag_display_name, r.dag_id)::text' ELSE 'r.dag_id::text' END, 'NULL::text',
		'r.run_type = ''scheduled'' AND r.start_date IS NOT NULL AND r.end_date IS NOT NULL AND r.state IN (''success'', ''failed'')',
		'r.run_type = ''scheduled'' AND r.start_date IS NOT NULL AND r.state = ''running''');
END;
$$;
COMMENT ON FUNCTION wfml.airflow_runs(name) IS 'the query of Airflow''s runs; see wfml.bind_airflow()';

CREATE FUNCTION wfml.bind_airflow(schema name DEFAULT 'public', kinds text[] DEFAULT NULL)
	RETURNS TABLE (kind text, replaced boolean)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
DECLARE
	wanted text[] := wfml.tool_kinds('Airflow', kinds, '{runs,workflows,events,usage}');
	runs text := wfml.airflow_runs(schema);
	workflows text := wfml.airflow_workflows(schema);
	events text;
	usage text;
BEGIN
	IF wfml.tool_columns('Airflow', schema, 'task_instance', '{dag_id,task_id,run_id,state,start_date}',
			NOT coalesce('events' = ANY (kinds), false)) IS NOT NULL THEN
		events := format('SELECT t.dag_id::text AS user_id, t.task_id::text AS event, t.start_date AS at, t.run_id::text AS run_id, t.state::text AS state'
			' FROM %I.task_instance t WHERE t.start_date IS NOT NULL', schema);
	END IF;
	IF wfml.tool_columns('Airflow', schema, 'log', '{dag_id,owner,event}', NOT coalesce('usage' = ANY (kinds), false)) IS NOT NULL THEN
		usage := format('SELECT l.owner::text AS user_id, l.dag_id::text AS workflow_id, 1 + ln(count(*))::double precision AS weight FROM %I.log l'
			' WHERE l.owner IS NOT NULL AND l.dag_id IS NOT NULL AND l.event NOT LIKE ''cli\_%%'' AND l.event NOT IN'
			' (''running'', ''success'', ''failed'', ''skipped'', ''queued'', ''scheduled'', ''deferred'', ''up_for_retry'', ''up_for_reschedule'', ''upstream_failed'', ''restarting'', ''removed'')'
			' GROUP BY 1, 2', schema);
	END IF;
	RETURN QUERY SELECT b.kind, wfml.bind_tool('Airflow', b.kind, b.query)
		FROM (VALUES (1, 'runs', runs), (2, 'workflows', workflows), (3, 'events', events), (4, 'usage', usage)) b (i, kind, query)
		WHERE b.kind = ANY (wanted) AND b.query IS NOT NULL ORDER BY b.i;
END;
$$;
COMMENT ON FUNCTION wfml.bind_airflow(name, text[]) IS
	'bind the metadata tables of Airflow 2 or 3, by default all they offer: runs (of dag_run: scheduled ones in state success, failed or running; together with those that wfml.sync_runs() has kept), workflows (DAGs; events are their tasks, upstream ones first, category the first of their tags), events (task_instance: user_id is the DAG, event the task) and usage (log: what users did with which DAG, weight 1 + ln(times)). schema: where the tables are. What of these was bound before is replaced';

-- ---- pg_cron ----

CREATE FUNCTION wfml.bind_pg_cron(schema name DEFAULT 'cron', kinds text[] DEFAULT NULL)
	RETURNS TABLE (kind text, replaced boolean)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
DECLARE
	wanted text[] := wfml.tool_kinds('pg_cron', kinds, '{runs,workflows}');
	job text[] := wfml.tool_columns('pg_cron', schema, 'job', '{jobid,command,database}');
	details text[] := wfml.tool_columns('pg_cron', schema, 'job_run_details', '{jobid,runid,username,command,status,start_time,end_time}');
	runs text := wfml.tool_runs('pg_cron' || CASE WHEN schema = 'cron' THEN '' ELSE ' in ' || schema END, format('%I.job_run_details r LEFT JOIN %1$I.job j ON j.jobid = r.jobid', schema),
		'r.jobid::text', 'r.runid::text', 'coalesce(r.start_time, r.end_time)', 'r.end_time', 'r.status = ''succeeded''',
		CASE WHEN 'jobname' = ANY (job) THEN 'coalesce(j.jobname::text, r.command)' ELSE 'r.command' END, 'r.username::text',
		'r.end_time IS NOT NULL AND r.status IN (''succeeded'', ''failed'')',
		'r.start_time IS NOT NULL AND r.end_time IS NULL AND r.status NOT IN (''succeeded'', ''failed'')');
	workflows text := format('SELECT j.jobid::text AS workflow_id, %s AS name, NULL::text[] AS events, j.database::text AS category FROM %I.job j',
		CASE WHEN 'jobname' = ANY (job) THEN 'coalesce(j.jobname::text, j.command)' ELSE 'j.command' END, schema);
BEGIN
	RETURN QUERY SELECT b.kind, wfml.bind_tool('pg_cron', b.kind, b.query)
		FROM (VALUES (1, 'runs', runs), (2, 'workflows', workflows)) b (i, kind, query)
		WHERE b.kind = ANY (wanted) ORDER BY b.i;
END;
$$;
COMMENT ON FUNCTION wfml.bind_pg_cron(name, text[]) IS
	'bind the tables of pg_cron: runs (of job_run_details, those that succeeded, failed or run; workflow_id is the jobid; together with those that wfml.sync_runs() has kept) and workflows (jobs; category is their database). pg_cron shows everybody his own jobs only. What of these was bound before is replaced';
