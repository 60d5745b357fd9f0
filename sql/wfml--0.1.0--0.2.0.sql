\echo Use "ALTER EXTENSION wfml UPDATE TO '0.2.0'" to load this file. \quit

-- src/pg/update/0.1.0--0.2.0.sql

-- What 0.2.0 changed in the pieces of 0.1.0.

-- registry.sql
CREATE SEQUENCE wfml.registry_number_seq AS bigint;
ALTER TABLE wfml.registry ADD COLUMN number bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.registry_number_seq') CONSTRAINT registry_number_key UNIQUE;
ALTER SEQUENCE wfml.registry_number_seq OWNED BY wfml.registry.number;
SELECT pg_catalog.pg_extension_config_dump('wfml.registry_number_seq', '');
COMMENT ON COLUMN wfml.registry.fallback IS 'expression over the input that answers when the model cannot; set_fallback() checks and sets it';
COMMENT ON COLUMN wfml.registry.log_input IS 'whether logged predictions keep their input, for drift';
COMMENT ON COLUMN wfml.registry.traffic IS 'how split_traffic() divides logged predictions between two versions';
COMMENT ON COLUMN wfml.registry.number IS 'the model''s identity: stays when it is renamed, and no later model of its name gets it';

CREATE OR REPLACE VIEW wfml.usable_model WITH (security_barrier) AS
	SELECT r.name, r.owner, r.active_id, r.comment, r.keep_versions,
		pg_catalog.pg_has_role(r.owner::oid, 'USAGE') AS is_owner, r.number
	FROM wfml.registry r
	WHERE pg_catalog.pg_has_role(r.owner::oid, 'USAGE')
		OR (EXISTS (SELECT FROM pg_catalog.pg_roles a WHERE a.oid = r.owner::oid)
			AND EXISTS (SELECT FROM wfml.model_grant g
						WHERE g.model = r.name
							AND CASE WHEN g.grantee::oid = 0::oid THEN true
								ELSE pg_catalog.pg_has_role(g.grantee::oid, 'USAGE') END));

-- registry.sql: caches
DROP FUNCTION wfml.cache_stats();
CREATE FUNCTION wfml.cache_stats(
	OUT model_id bigint, OUT size bigint, OUT hits bigint, OUT in_use boolean, OUT loaded_at timestamptz,
	OUT shared_size bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_cache_stats_2';
COMMENT ON FUNCTION wfml.cache_stats() IS
	'models that this session keeps opened, most recently used first: size is its own memory, shared_size what it shares with other sessions (bytes); hits counts statements, not rows';
COMMENT ON FUNCTION wfml.cache_clear() IS 'empty this session''s caches of models and of answers; returns how many models left';

-- manage.sql
COMMENT ON FUNCTION wfml.drop_model(text, integer) IS 'drop a model with all its versions, or one version; refused while an index, function or attached table uses it';
COMMENT ON FUNCTION wfml.rename_model(text, text) IS 'give a model another name; its versions, grants, attachments and history follow';

-- src/pg/prediction.sql

-- The prediction log: what log_predict() and the triggers answered, and what
-- really happened.  C code inserts rows in the order of these columns
-- (predictionlog.c); append columns only.

CREATE SEQUENCE wfml.prediction_id_seq AS bigint;
CREATE TABLE wfml.prediction (
	id bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.prediction_id_seq') CONSTRAINT prediction_pkey PRIMARY KEY,
	model_number bigint NOT NULL,
	model_id bigint REFERENCES wfml.ml_model (id) ON DELETE SET NULL,
	model text COLLATE "C" NOT NULL,
	version integer,
	made_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	made_by regrole NOT NULL,
	user_id text,
	entity text,
	value double precision,
	lower double precision,
	upper double precision,
	label text,
	confidence double precision,
	source text NOT NULL CHECK (source IN ('function', 'trigger', 'fallback', 'cache')),
	shadow boolean NOT NULL DEFAULT false,
	latency_us integer,
	actual text,
	actual_at timestamptz,
	error text,
	input jsonb,
	made_for regrole
) WITH (fillfactor = 85);
ALTER SEQUENCE wfml.prediction_id_seq OWNED BY wfml.prediction.id;
-- No index holds actual: an outcome is then a HOT update.
CREATE INDEX prediction_model ON wfml.prediction (model_id, made_at);
CREATE INDEX prediction_name ON wfml.prediction (model, made_at);
CREATE INDEX prediction_entity ON wfml.prediction (entity, model_number) WHERE entity IS NOT NULL;
CREATE INDEX prediction_user ON wfml.prediction (user_id, made_at) WHERE user_id IS NOT NULL;
COMMENT ON TABLE wfml.prediction IS 'logged predictions, and what really happened';
COMMENT ON COLUMN wfml.prediction.model_number IS 'registry.number of the model';
COMMENT ON COLUMN wfml.prediction.model_id IS 'version that answered; NULL when none did, or when it was dropped since';
COMMENT ON COLUMN wfml.prediction.model IS 'name of the model; rename_model() keeps it up to date';
COMMENT ON COLUMN wfml.prediction.user_id IS 'setting wfml.user_id when it was made';
COMMENT ON COLUMN wfml.prediction.shadow IS 'made beside the answer, by the other version of a split in shadow mode';
COMMENT ON COLUMN wfml.prediction.made_for IS 'role by whose right the model was used: who called log_predict(), or the owner of the scored table; outcomes join from tables of that role and of the model''s owner';
COMMENT ON COLUMN wfml.prediction.error IS 'why the model itself did not answer';

REVOKE ALL ON wfml.prediction FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('wfml.prediction', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.prediction_id_seq', '');

-- Everybody sees what he made and what his models made; wfml.user_id narrows
-- that.  The sub-selects are evaluated once, and all else is of one table, so
-- that id, model with made_at, and entity find their indexes.  Queries above a
-- security barrier cannot ask for an order below it: without the ORDER BY here
-- the newest predictions would be found by sorting all.
CREATE VIEW wfml.predictions WITH (security_barrier) AS
	SELECT p.id, p.model, p.version, p.made_at, pg_catalog.pg_get_userbyid(p.made_by::oid) AS made_by,
		p.user_id, p.entity, p.value, p.lower, p.upper, p.label, p.confidence, p.source, p.shadow,
		p.latency_us, p.actual, p.actual_at, p.error, p.input
	FROM wfml.prediction p
	WHERE (p.model_number IN (SELECT r.number FROM wfml.registry r WHERE pg_catalog.pg_has_role(r.owner::oid, 'USAGE'))
			OR pg_catalog.pg_has_role(p.made_by::oid, 'USAGE'))
		AND ((SELECT coalesce(pg_catalog.current_setting('wfml.user_id', true), '') = '')
			OR p.user_id = (SELECT pg_catalog.current_setting('wfml.user_id', true)))
	ORDER BY p.id DESC;
COMMENT ON VIEW wfml.predictions IS
	'predictions that you made or that your models made, of the user in wfml.user_id when that is set; the newest are found fast by ORDER BY id DESC';
GRANT SELECT ON wfml.predictions TO PUBLIC;

-- src/pg/attach.sql

-- Models that score a table's rows as they arrive.  C code finds columns by
-- name (columns.c, attach.c).

CREATE TABLE wfml.attachment (
	model text COLLATE "C" NOT NULL REFERENCES wfml.registry (name) ON UPDATE CASCADE ON DELETE CASCADE,
	relation regclass NOT NULL,
	key_column name NOT NULL,
	output_column name,
	confidence_column name,
	outcome_column name,
	attached_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	attached_by regrole NOT NULL,
	CONSTRAINT attachment_pkey PRIMARY KEY (model, relation)
);
COMMENT ON TABLE wfml.attachment IS 'tables whose rows a model scores by the triggers that attach() made';
REVOKE ALL ON wfml.attachment FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('wfml.attachment', '');

-- wfml_attach() makes triggers as the caller, so it needs TRIGGER on the table.
CREATE FUNCTION wfml.attach(model text, relation regclass, key_column name, output_column name DEFAULT NULL,
		confidence_column name DEFAULT NULL, outcome_column name DEFAULT NULL) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_attach';
COMMENT ON FUNCTION wfml.attach(text, regclass, name, name, name, name) IS
	'let a model score a table''s rows as they arrive: fill output_column (the label, or a number) and confidence_column, log each prediction in wfml.predictions under its key, and join the outcome when outcome_column becomes known. Needs TRIGGER on the table, and the use of the model for you and for the table''s owner';

CREATE FUNCTION wfml.detach(model text, relation regclass) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_detach';
COMMENT ON FUNCTION wfml.detach(text, regclass) IS
	'drop a table''s triggers that use a model. Needs TRIGGER on the table; the model''s owner can stop it with revoke_model() instead, and clears away what is left of a dropped table';

CREATE FUNCTION wfml.attachment_problem(model text, relation oid, key_column name, output_column name,
		confidence_column name, outcome_column name, features jsonb, has_rule boolean) RETURNS text
	LANGUAGE C STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wfml_attachment_problem';
COMMENT ON FUNCTION wfml.attachment_problem(text, oid, name, name, name, name, jsonb, boolean) IS
	'for wfml.attachments: why an attachment does not work; NULL: it does';

CREATE VIEW wfml.attachments WITH (security_barrier) AS
	SELECT a.model, a.relation, a.key_column, a.output_column, a.confidence_column, a.outcome_column,
		pg_catalog.date_trunc('second', a.attached_at) AS attached_at, pg_catalog.pg_get_userbyid(a.attached_by::oid) AS attached_by,
		wfml.attachment_problem(a.model, a.relation::oid, a.key_column, a.output_column, a.confidence_column,
			a.outcome_column, m.features, r.fallback IS NOT NULL) AS broken
	FROM wfml.attachment a
	JOIN wfml.usable_model u ON u.name = a.model
	JOIN wfml.registry r ON r.name = a.model
	LEFT JOIN wfml.ml_model m ON m.id = r.active_id;
COMMENT ON VIEW wfml.attachments IS
	'tables that the models you may use score; broken: why an attachment does not work, NULL when it does';
GRANT SELECT ON wfml.attachments TO PUBLIC;

-- src/pg/job.sql

-- Work done apart from the caller: background trainings, retrainings, pruning.

CREATE SEQUENCE wfml.job_run_id_seq AS bigint;
CREATE TABLE wfml.job_run (
	id bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.job_run_id_seq') CONSTRAINT job_run_pkey PRIMARY KEY,
	kind text NOT NULL CHECK (kind IN ('train', 'retrain', 'prune')),
	model text COLLATE "C",
	model_number bigint,
	role regrole NOT NULL,
	status text NOT NULL CHECK (status IN ('queued', 'running', 'done', 'kept', 'failed', 'cancelled')),
	reason text,
	arguments jsonb,
	settings jsonb,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	started_at timestamptz,
	finished_at timestamptz,
	pid integer,
	backend_start timestamptz,
	cancel_requested boolean NOT NULL DEFAULT false,
	version integer,
	message text,
	result jsonb
);
ALTER SEQUENCE wfml.job_run_id_seq OWNED BY wfml.job_run.id;
CREATE INDEX job_run_model ON wfml.job_run (model_number, created_at);
CREATE INDEX job_run_open ON wfml.job_run (id) WHERE status IN ('queued', 'running');
COMMENT ON TABLE wfml.job_run IS 'what ran, or waits to run, in the background and in run_retraining()';
COMMENT ON COLUMN wfml.job_run.model IS 'name of the model when the job was made';
COMMENT ON COLUMN wfml.job_run.model_number IS 'registry.number of the model, if there was one';
COMMENT ON COLUMN wfml.job_run.role IS 'whose rights it runs with';
COMMENT ON COLUMN wfml.job_run.status IS '"kept": a retraining whose new version was stored but not activated';
COMMENT ON COLUMN wfml.job_run.reason IS 'why it ran';
COMMENT ON COLUMN wfml.job_run.arguments IS 'function and arguments of a queued job';
COMMENT ON COLUMN wfml.job_run.settings IS 'search_path, TimeZone and wfml.user_id of the session that queued it';
COMMENT ON COLUMN wfml.job_run.backend_start IS 'when process pid started: together they say whether it still lives';
COMMENT ON COLUMN wfml.job_run.message IS 'the error of a failed run, or why a new version was not activated';
REVOKE ALL ON wfml.job_run FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('wfml.job_run', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.job_run_id_seq', '');

CREATE FUNCTION wfml.job_alive(pid integer, backend_start timestamptz) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wfml_job_alive';
COMMENT ON FUNCTION wfml.job_alive(integer, timestamptz) IS
	'whether the server process that runs a job still is the one that began it';

CREATE VIEW wfml.jobs WITH (security_barrier) AS
	SELECT j.id, j.kind, j.model, pg_catalog.pg_get_userbyid(j.role::oid) AS role,
		CASE WHEN a.died THEN 'failed' ELSE j.status END AS status,
		p.phase,
		CASE WHEN p.total OPERATOR(pg_catalog.>) 0
			THEN pg_catalog.round(100.0 OPERATOR(pg_catalog.*) p.done OPERATOR(pg_catalog./) p.total, 1) END AS percent,
		j.reason, j.version,
		CASE WHEN a.died THEN CASE WHEN j.backend_start OPERATOR(pg_catalog.<) pg_catalog.pg_postmaster_start_time()
				THEN 'the server restarted while it ran' ELSE 'its session ended while it ran' END
			ELSE j.message END AS message,
		pg_catalog.date_trunc('second', j.created_at) AS created_at, pg_catalog.date_trunc('second', j.started_at) AS started_at,
		pg_catalog.date_trunc('second', j.finished_at) AS finished_at,
		CASE WHEN a.died THEN NULL ELSE pg_catalog.date_trunc('milliseconds', coalesce(j.finished_at, pg_catalog.clock_timestamp())
			OPERATOR(pg_catalog.-) j.started_at) END AS elapsed,
		j.result
	FROM wfml.job_run j
	CROSS JOIN LATERAL (SELECT CASE WHEN j.status OPERATOR(pg_catalog.=) 'running'
			THEN NOT wfml.job_alive(j.pid, j.backend_start) ELSE false END) a (died)
	LEFT JOIN wfml.training_progress_rows() p
		ON p.pid OPERATOR(pg_catalog.=) j.pid AND j.status OPERATOR(pg_catalog.=) 'running' AND NOT a.died
	LEFT JOIN wfml.registry r ON r.number OPERATOR(pg_catalog.=) j.model_number
	WHERE pg_catalog.pg_has_role(j.role::oid, 'USAGE') OR pg_catalog.pg_has_role(r.owner::oid, 'USAGE');
COMMENT ON VIEW wfml.jobs IS
	'background trainings and retrainings, of your roles and of your models; newest: ORDER BY id DESC. status: queued, running, done, kept (a new version was stored but did not win), failed, cancelled; percent is of the phase';
GRANT SELECT ON wfml.jobs TO PUBLIC;

CREATE FUNCTION wfml.cancel_job(id bigint) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_cancel_job';
COMMENT ON FUNCTION wfml.cancel_job(bigint) IS
	'cancel a job of yours that is queued or running; false when it had ended before. A running one stops within moments: see wfml.jobs';

CREATE PROCEDURE wfml.run_jobs()
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'wfml_run_jobs';
COMMENT ON PROCEDURE wfml.run_jobs() IS
	'run queued jobs of your roles here, one after the other, each with the rights and settings that it was queued with; commits after each unless called in a transaction block. Jobs wait in the queue when no background worker was free';

-- src/pg/background.sql

-- Training in the background.

CREATE FUNCTION wfml.queue_job(function text, model text, arguments jsonb) RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_queue_job';
COMMENT ON FUNCTION wfml.queue_job(text, text, jsonb) IS
	'queue a call of train, train_recommender or train_sequence, with its arguments by name, and start a background worker for it at commit; returns the job''s id';

CREATE FUNCTION wfml.train_background(
	model text, algorithm text, source text, target text DEFAULT NULL, params jsonb DEFAULT '{}',
	features text[] DEFAULT NULL, task text DEFAULT NULL, activate boolean DEFAULT true)
	RETURNS bigint
	LANGUAGE SQL VOLATILE PARALLEL UNSAFE
	BEGIN ATOMIC
		SELECT wfml.queue_job('train', train_background.model, pg_catalog.jsonb_build_object(
			'algorithm', train_background.algorithm, 'source', train_background.source, 'target', train_background.target,
			'params', train_background.params, 'features', train_background.features, 'task', train_background.task,
			'activate', train_background.activate));
	END;
COMMENT ON FUNCTION wfml.train_background(text, text, text, text, jsonb, text[], text, boolean) IS
	'wfml.train() in a background worker, with the rights that the caller has now, his search_path, TimeZone and wfml.user_id; it starts when the transaction commits. Returns the id of the job in wfml.jobs, where its result or its error will stand. Jobs take at most half of max_worker_processes; others wait for one of the same role to end, or for CALL wfml.run_jobs()';

CREATE FUNCTION wfml.train_recommender_background(
	model text, source text, user_column text, item_column text,
	rating_column text DEFAULT NULL, time_column text DEFAULT NULL,
	items text DEFAULT NULL, item_key text DEFAULT NULL,
	params jsonb DEFAULT '{}', activate boolean DEFAULT true)
	RETURNS bigint
	LANGUAGE SQL VOLATILE PARALLEL UNSAFE
	BEGIN ATOMIC
		SELECT wfml.queue_job('train_recommender', train_recommender_background.model, pg_catalog.jsonb_build_object(
			'source', train_recommender_background.source,
			'user_column', train_recommender_background.user_column, 'item_column', train_recommender_background.item_column,
			'rating_column', train_recommender_background.rating_column, 'time_column', train_recommender_background.time_column,
			'items', train_recommender_background.items, 'item_key', train_recommender_background.item_key,
			'params', train_recommender_background.params, 'activate', train_recommender_background.activate));
	END;
COMMENT ON FUNCTION wfml.train_recommender_background(text, text, text, text, text, text, text, text, jsonb, boolean) IS
	'wfml.train_recommender() in a background worker; as wfml.train_background()';

CREATE FUNCTION wfml.train_sequence_background(
	model text, source text, case_column text, event_column text, time_column text,
	params jsonb DEFAULT '{}', activate boolean DEFAULT true)
	RETURNS bigint
	LANGUAGE SQL VOLATILE PARALLEL UNSAFE
	BEGIN ATOMIC
		SELECT wfml.queue_job('train_sequence', train_sequence_background.model, pg_catalog.jsonb_build_object(
			'source', train_sequence_background.source, 'case_column', train_sequence_background.case_column,
			'event_column', train_sequence_background.event_column, 'time_column', train_sequence_background.time_column,
			'params', train_sequence_background.params, 'activate', train_sequence_background.activate));
	END;
COMMENT ON FUNCTION wfml.train_sequence_background(text, text, text, text, text, jsonb, boolean) IS
	'wfml.train_sequence() in a background worker; as wfml.train_background()';

-- src/pg/policy.sql

-- When a model is to be trained again.

CREATE TABLE wfml.retrain_policy (
	model text COLLATE "C" NOT NULL CONSTRAINT retrain_policy_pkey PRIMARY KEY
		REFERENCES wfml.registry (name) ON UPDATE CASCADE ON DELETE CASCADE,
	max_age interval,
	min_score_drop double precision,
	max_drift double precision,
	min_new_rows bigint,
	max_seconds double precision NOT NULL DEFAULT 3600,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE wfml.retrain_policy IS 'retraining policy of each model that has one';
REVOKE ALL ON wfml.retrain_policy FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('wfml.retrain_policy', '');

CREATE FUNCTION wfml.set_retrain_policy(
	model text, max_age interval DEFAULT '30 days', min_score_drop double precision DEFAULT NULL,
	max_drift double precision DEFAULT NULL, min_new_rows bigint DEFAULT NULL,
	max_seconds double precision DEFAULT 3600) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_set_retrain_policy';
COMMENT ON FUNCTION wfml.set_retrain_policy(text, interval, double precision, double precision, bigint, double precision) IS
	'when CALL wfml.run_retraining() trains a model of yours again: when its active version is older than max_age, its live score is worse than its training score, on 50 outcomes or more, by more than min_score_drop (0 or more, in the metric''s units), the drift of its logged inputs (PSI; see wfml.drift()) is above max_drift (0.25 is much), or the source has min_new_rows more rows than it was trained on (which are counted by running the source); NULL: not for that. Reading and training are each stopped after max_seconds, or wfml.max_retraining_time if that is less. Replaces the policy before';

CREATE FUNCTION wfml.drop_retrain_policy(model text) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_drop_retrain_policy';
COMMENT ON FUNCTION wfml.drop_retrain_policy(text) IS 'retrain a model of yours no more by itself; false when it had no policy';

CREATE FUNCTION wfml.set_keep_versions(model text, versions integer) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_set_keep_versions';
COMMENT ON FUNCTION wfml.set_keep_versions(text, integer) IS
	'how many versions of a model with a retraining policy run_retraining() keeps, 1 or more (5 by default). The active one, the one that rollback() returns to, retired ones, those of a split and those that an index or function uses stay in any case';

CREATE VIEW wfml.retrain_policies WITH (security_barrier) AS
	SELECT u.name AS model, u.owner, p.max_age, p.min_score_drop, p.max_drift, p.min_new_rows, p.max_seconds, u.keep_versions,
		m.version, pg_catalog.date_trunc('second', m.created_at) AS trained_at, j.status AS last_run,
		pg_catalog.date_trunc('second', j.finished_at) AS last_run_at, j.message AS last_message
	FROM wfml.retrain_policy p
	JOIN wfml.usable_model u ON u.name = p.model
	LEFT JOIN wfml.ml_model m ON m.id = u.active_id
	LEFT JOIN LATERAL (
		SELECT r.status, r.finished_at, CASE WHEN u.is_owner THEN r.message END AS message FROM wfml.job_run r
		WHERE r.model_number = u.number AND r.kind = 'retrain' AND r.finished_at IS NOT NULL
		ORDER BY r.created_at DESC LIMIT 1) j ON true;
COMMENT ON VIEW wfml.retrain_policies IS
	'retraining policies of the models that you may use, with how the last retraining ended; see wfml.retrain_due() and wfml.jobs';
GRANT SELECT ON wfml.retrain_policies TO PUBLIC;

-- src/pg/traffic.sql

-- Two versions of a model side by side in production.

CREATE FUNCTION wfml.split_traffic(model text, version_a integer, version_b integer, share double precision,
	mode text DEFAULT 'route') RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_split_traffic';
COMMENT ON FUNCTION wfml.split_traffic(text, integer, integer, double precision, text) IS
	'divide logged predictions of a model between two versions: mode ''route'' lets version_b answer for a share (0..1) of the entities, ''shadow'' lets version_a answer and logs version_b''s answer beside it for that share. An entity stays with its version. The view wfml.experiments compares them; activating a version and end_split() end it';

CREATE FUNCTION wfml.end_split(model text) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_end_split';
COMMENT ON FUNCTION wfml.end_split(text) IS
	'let the active version make all predictions of a model again; false when they were not split. wfml.experiments keeps the result until the next split';

-- src/pg/drift.sql

-- Do today's rows look like those that a model was trained on?
--
-- What the owner of a model measures is kept in wfml.evaluation, with source
-- 'drift' and one value of "at" for a run: metric 'psi' is the worst index of
-- all columns, no more than 0.25 where it is not significant; metrics
-- 'psi:<column>' are those of the (at most 20) columns that drift most.
-- Above 0.1 a model is drifting moderately, above 0.25 it is drifting.

CREATE FUNCTION wfml.drift(model text, source text DEFAULT NULL,
	OUT feature text, OUT psi double precision, OUT p_value double precision, OUT verdict text,
	OUT rows bigint, OUT part text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_drift';
COMMENT ON FUNCTION wfml.drift(text, text) IS
	'how far each column has moved since training, worst first, in the rows of a table, view or query; without one in the logged inputs of the last 7 days (owner only, wfml.set_log_input() keeps inputs; of more than 20000 a sample). psi: population stability index over tenths of the training rows, less what chance gives; p_value: Kolmogorov-Smirnov, for categories chi-squared, times the number of tests; verdict: stable below 0.1, moderate below 0.25, drifting beyond if p_value < 0.01, too few rows under 200, not measured where only the calendar moved (day of month and month never count, weekdays only in rows that have them all); part: what of a timestamp or list moved most. Kept in wfml.evaluations when the caller owns the model';

CREATE FUNCTION wfml.drift_from_stats(model text, relation regclass,
	OUT feature text, OUT psi double precision, OUT p_value double precision, OUT verdict text,
	OUT rows bigint, OUT part text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_drift_from_stats';
COMMENT ON FUNCTION wfml.drift_from_stats(text, regclass) IS
	'wfml.drift() out of the statistics that ANALYZE gathered of a table, such as the newest partition, without reading it: p_value is null, rows are those that the statistics were drawn from, and a column without statistics that the caller may read says so';

-- src/pg/fallback.sql

-- The rule that answers when a model cannot.

CREATE FUNCTION wfml.set_fallback(model text, expression text) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_set_fallback';
COMMENT ON FUNCTION wfml.set_fallback(text, text) IS
	'answer log_predict() and triggers by an expression over the input''s fields when the model cannot, e.g. ''CASE WHEN hour BETWEEN 9 AND 17 THEN 0.8 ELSE 0.3 END'': a number is the value, anything else the label; built-in functions that are not volatile, and wfml''s predictions over "input", the whole row. A model of that name need not exist yet: you then own it. NULL removes the rule';

-- src/pg/trigger.sql

-- Triggers that score rows as they arrive; wfml.attach() makes them.

CREATE FUNCTION wfml.predict_trigger() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_predict_trigger';
COMMENT ON FUNCTION wfml.predict_trigger() IS
	'trigger BEFORE INSERT or UPDATE, FOR EACH ROW, predict_trigger(''model'', ''output column'' [, ''confidence column'' [, ''key column'']]): fill in the prediction. Triggers that change features must have names before its own, as they fire in that order';

CREATE FUNCTION wfml.log_trigger() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_log_trigger';
COMMENT ON FUNCTION wfml.log_trigger() IS
	'trigger AFTER INSERT or UPDATE, FOR EACH ROW, log_trigger(''model'', ''key column''): log the prediction for the row in wfml.predictions; the key becomes its entity, as text (dates in ISO form, times with a zone in UTC)';

CREATE FUNCTION wfml.outcome_trigger() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_outcome_trigger';
COMMENT ON FUNCTION wfml.outcome_trigger() IS
	'trigger AFTER INSERT or UPDATE, FOR EACH ROW, outcome_trigger(''model'', ''key column'', ''outcome column''): when the outcome becomes known or changes, write it to the latest logged prediction of each version for that key, as far as it was made with the right of the table''s owner; if he owns the model, to anybody''s. Its name must come before log_trigger()''s';

-- src/pg/predict_cached.sql

-- Prediction by way of the session's cache of answers.

CREATE FUNCTION wfml.predict_cached(model text, input record) RETURNS wfml.prediction_detail
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_cached_record';
CREATE FUNCTION wfml.predict_cached(model text, input jsonb) RETURNS wfml.prediction_detail
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_cached_jsonb';
CREATE FUNCTION wfml.predict_cached(model text, input json) RETURNS wfml.prediction_detail
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_cached_json';
CREATE FUNCTION wfml.predict_cached(model text, input text) RETURNS wfml.prediction_detail
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_cached_json';
COMMENT ON FUNCTION wfml.predict_cached(text, record) IS
	'predict_detail() for a row (t.*), answered again from this session''s memory for wfml.prediction_cache_ttl; source says "cache" then. Worth it for large models and recurring inputs';
COMMENT ON FUNCTION wfml.predict_cached(text, jsonb) IS 'predict_detail() for a JSON object, answered again from this session''s memory for wfml.prediction_cache_ttl; source says "cache" then';
COMMENT ON FUNCTION wfml.predict_cached(text, json) IS 'predict_detail() for a JSON object, answered again from this session''s memory for wfml.prediction_cache_ttl; source says "cache" then';
COMMENT ON FUNCTION wfml.predict_cached(text, text) IS 'predict_detail() for a JSON object as text, answered again from this session''s memory for wfml.prediction_cache_ttl; source says "cache" then';

CREATE FUNCTION wfml.prediction_cache_stats(
	OUT entries bigint, OUT size bigint, OUT hits bigint, OUT misses bigint)
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wfml_prediction_cache_stats';
COMMENT ON FUNCTION wfml.prediction_cache_stats() IS
	'answers that this session keeps for predict_cached(): how many, bytes of memory, and how often an answer was found or not since the session began';

-- src/pg/counters.sql

-- Counts that are in no table.

CREATE FUNCTION wfml.counter_rows(OUT model_id bigint, OUT counter text, OUT value bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 100
	AS 'MODULE_PATHNAME', 'wfml_counter_rows';
COMMENT ON FUNCTION wfml.counter_rows() IS
	'counts of all sessions of this database since the server started, by version (0: none known, or versions silent for long); a session adds its own when a transaction ends. Empty where shared memory had no room left';
REVOKE ALL ON FUNCTION wfml.counter_rows() FROM PUBLIC;

-- src/pg/live.sql

-- The prediction log against what really happened.

CREATE FUNCTION wfml.outcome_number(outcome text) RETURNS double precision
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_outcome_number';
COMMENT ON FUNCTION wfml.outcome_number(text) IS 'number that a logged outcome reads as, of an interval its seconds; NULL when it is neither';

-- The rule of wfml.predictions, over models that the reader may use, reached
-- through the index on model and time.  The sub-selects are evaluated once.
CREATE VIEW wfml.answers WITH (security_barrier) AS
	SELECT u.name AS model, m.version, m.task, p.made_at, p.source, p.shadow, p.latency_us, p.error,
		p.value, p.lower, p.upper, p.label, p.confidence, p.actual, p.actual_at,
		greatest(p.actual_at - p.made_at, interval '0') AS delay,
		p.label = p.actual AS correct,
		p.actual = m.positive AS happened,
		CASE WHEN m.task = 'regression' THEN wfml.outcome_number(p.actual) END AS outcome
	FROM wfml.usable_model u
	JOIN wfml.ml_model m ON m.name = u.name
	JOIN wfml.prediction p ON p.model_id = m.id
	WHERE (u.is_owner OR pg_catalog.pg_has_role(p.made_by::oid, 'USAGE'))
		AND ((SELECT coalesce(pg_catalog.current_setting('wfml.user_id', true), '') = '')
			OR p.user_id = (SELECT pg_catalog.current_setting('wfml.user_id', true)))
	UNION ALL
	SELECT u.name, p.version, NULL, p.made_at, p.source, p.shadow, p.latency_us, p.error,
		p.value, p.lower, p.upper, p.label, p.confidence, p.actual, p.actual_at,
		greatest(p.actual_at - p.made_at, interval '0'), p.label = p.actual, NULL, NULL
	FROM wfml.prediction p
	JOIN wfml.usable_model u ON u.number = p.model_number
	WHERE p.model_id IS NULL
		AND (u.is_owner OR pg_catalog.pg_has_role(p.made_by::oid, 'USAGE'))
		AND ((SELECT coalesce(pg_catalog.current_setting('wfml.user_id', true), '') = '')
			OR p.user_id = (SELECT pg_catalog.current_setting('wfml.user_id', true)));
COMMENT ON VIEW wfml.answers IS
	'logged predictions that you may see, of the models that you may use, ready for the metrics: SELECT wfml.accuracy(actual, label), wfml.auc(happened, value) FROM wfml.answers WHERE model = ''m'' AND version = 2. Asked by model and made_at it is fast; version is NULL where a rule answered';
COMMENT ON COLUMN wfml.answers.delay IS 'from the prediction until its outcome was known';
COMMENT ON COLUMN wfml.answers.correct IS 'classification: the label was right';
COMMENT ON COLUMN wfml.answers.happened IS 'two classes: the outcome was the positive class, whose probability is value';
COMMENT ON COLUMN wfml.answers.outcome IS 'regression: the outcome as a number, an interval in seconds';
GRANT SELECT ON wfml.answers TO PUBLIC;

-- How long outcomes take, from at most 25 predictions every fourth day of the
-- last 92: a look at all of them would read the whole log.  Early outcomes are
-- not those of all predictions, so nothing younger than this is scored.
CREATE VIEW wfml.outcome_delay WITH (security_barrier) AS
	SELECT u.name AS model, d.outcomes, d.delay
	FROM wfml.usable_model u
	CROSS JOIN LATERAL (
		SELECT pg_catalog.count(*) AS outcomes,
			pg_catalog.percentile_disc(0.95) WITHIN GROUP (ORDER BY greatest(s.actual_at - s.made_at, interval '0')) AS delay
		FROM wfml.ml_model m
		CROSS JOIN pg_catalog.generate_series(0, 22) AS back (step)
		CROSS JOIN LATERAL (
			SELECT p.made_at, p.actual_at, p.made_by, p.user_id
			FROM wfml.prediction p
			WHERE p.model_id = m.id
				AND p.made_at <= pg_catalog.now() - back.step * interval '4 days'
				AND p.made_at > pg_catalog.now() - (back.step + 1) * interval '4 days'
			ORDER BY p.made_at DESC
			LIMIT 25) s
		WHERE m.name = u.name AND s.actual_at IS NOT NULL
			AND (u.is_owner OR pg_catalog.pg_has_role(s.made_by::oid, 'USAGE'))
			AND ((SELECT coalesce(pg_catalog.current_setting('wfml.user_id', true), '') = '')
				OR s.user_id = (SELECT pg_catalog.current_setting('wfml.user_id', true)))) d;
COMMENT ON VIEW wfml.outcome_delay IS
	'95th percentile of the time until the outcome of a prediction is known, for the models that you may use, from at most 25 predictions of every fourth day of the last 92. Live scores leave younger predictions out: outcomes that come early are not like all';
GRANT SELECT ON wfml.outcome_delay TO PUBLIC;

-- ---- intervals ----

CREATE FUNCTION wfml.wilson_interval(share double precision, n bigint,
	OUT lower double precision, OUT upper double precision)
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT greatest((share + z.zz / (2 * n) - z.half) / (1 + z.zz / n), 0),
		least((share + z.zz / (2 * n) + z.half) / (1 + z.zz / n), 1)
	FROM (SELECT 3.841458820694124 AS zz,
			1.959963984540054 * pg_catalog.sqrt(share * (1 - share) / n + 3.841458820694124 / (4.0::double precision * n * n)) AS half) z
	WHERE n > 0;
END;
COMMENT ON FUNCTION wfml.wilson_interval(double precision, bigint) IS '95 % interval of a share of n rows (Wilson 1927)';

CREATE FUNCTION wfml.auc_error(auc double precision, positives bigint, negatives bigint) RETURNS double precision
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.sqrt((auc * (1 - auc) + (positives - 1) * (auc / (2 - auc) - auc * auc)
				+ (negatives - 1) * (2 * auc * auc / (1 + auc) - auc * auc))
			/ (positives::double precision * negatives))
	WHERE positives > 0 AND negatives > 0;
END;
COMMENT ON FUNCTION wfml.auc_error(double precision, bigint, bigint) IS 'standard error of an area under the ROC curve (Hanley and McNeil 1982)';

-- Which version a name means: NULL for all of them.  Raises the error for a
-- model that the caller may not use.
CREATE FUNCTION wfml.version_asked(model text) RETURNS integer
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF model IS NULL THEN
		RAISE EXCEPTION 'argument "model" must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF position('@' IN model) = 0 AND EXISTS (SELECT FROM wfml.models m WHERE m.name = model) THEN
		RETURN NULL;
	END IF;
	RETURN (SELECT v.version FROM wfml.versions v WHERE v.id = wfml.version_id(model));
END $$;
COMMENT ON FUNCTION wfml.version_asked(text) IS 'version in name@version; NULL for a bare name; an error for a model that you may not use';

-- The active version of each model: its first metric on the latest outcomes.
CREATE VIEW wfml.live_score WITH (security_barrier) AS
	SELECT u.name AS model, m.version, h.metric, s.value, s.lower, s.upper, s.outcomes, h.training,
		-- The training score is an estimate too, from this many rows.
		CASE WHEN h.split IN ('cv', 'oob') THEN m.training_rows
			WHEN h.split = 'fresh' THEN (m.metrics #>> '{0,rows}')::double precision
			ELSE m.training_rows * coalesce(wfml.outcome_number(m.params ->> 'test_fraction'), 0.2) END AS training_rows
	FROM wfml.usable_model u
	JOIN wfml.ml_model m ON m.id = u.active_id
	JOIN wfml.outcome_delay d ON d.model = u.name
	CROSS JOIN LATERAL (
		SELECT m.metrics #>> '{0,metric}' AS metric,
			(m.metrics #>> '{0,value}')::double precision AS training,
			m.metrics #>> '{0,split}' AS split
		WHERE m.metrics #>> '{0,split}' IS DISTINCT FROM 'inner'
		UNION ALL
		SELECT NULL, NULL, NULL
		LIMIT 1) h
	CROSS JOIN LATERAL (
		SELECT pg_catalog.count(*) AS outcomes,
			pg_catalog.avg(w.hit) AS accuracy,
			pg_catalog.avg(w.squared) AS mse,
			1.959963984540054 * pg_catalog.stddev_samp(w.squared) / pg_catalog.sqrt(pg_catalog.count(w.squared)::double precision) AS mse_half,
			nullif(pg_catalog.var_pop(w.outcome), 0) AS variance
		FROM (
			SELECT CASE WHEN r.label = r.actual THEN 1.0::double precision ELSE 0 END AS hit,
				o.outcome, (o.outcome - r.value) * (o.outcome - r.value) AS squared
			FROM (
				-- Bounded on one side only, so that the planner sees how much sooner the limit ends an index scan.
				SELECT p.value, p.label, p.actual, p.made_at, p.made_by, p.user_id
				FROM wfml.prediction p
				WHERE p.model_id = m.id
					AND p.made_at <= pg_catalog.now() - coalesce(d.delay, interval '0')
				ORDER BY p.made_at DESC
				LIMIT 3000) r
			CROSS JOIN LATERAL (
				SELECT CASE WHEN m.task = 'regression' THEN wfml.outcome_number(r.actual) END AS outcome) o
			WHERE r.made_at > pg_catalog.now() - coalesce(d.delay, interval '0') - interval '30 days'
				AND CASE WHEN m.task = 'regression' THEN o.outcome - r.value IS NOT NULL
					ELSE r.label IS NOT NULL AND r.actual IS NOT NULL END
				AND (u.is_owner OR pg_catalog.pg_has_role(r.made_by::oid, 'USAGE'))
				AND ((SELECT coalesce(pg_catalog.current_setting('wfml.user_id', true), '') = '')
					OR r.user_id = (SELECT pg_catalog.current_setting('wfml.user_id', true)))) w) a
	CROSS JOIN LATERAL (
		SELECT a.accuracy AS value, i.lower, i.upper, a.outcomes
		FROM wfml.wilson_interval(a.accuracy, a.outcomes) i
		WHERE h.metric = 'accuracy'
		UNION ALL
		SELECT 1 - a.mse / a.variance, 1 - (a.mse + a.mse_half) / a.variance, 1 - (a.mse - a.mse_half) / a.variance, a.outcomes
		WHERE h.metric = 'r2'
		UNION ALL
		SELECT NULL, NULL, NULL, a.outcomes
		LIMIT 1) s;
COMMENT ON VIEW wfml.live_score IS
	'the first metric of each active version on its latest outcomes: among the last 3,000 predictions of 30 days, those younger than wfml.outcome_delay left out. lower and upper are a 95 % interval, as in wfml.live_scores(); training is the score when it was trained, estimated from training_rows rows';
GRANT SELECT ON wfml.live_score TO PUBLIC;

-- Every metric, of each version, over any time.
CREATE FUNCTION wfml.live_scores(model text, since timestamptz DEFAULT NULL,
	until timestamptz DEFAULT 'infinity',
	OUT version integer, OUT metric text, OUT value double precision,
	OUT lower double precision, OUT upper double precision, OUT n bigint)
	RETURNS SETOF record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 10000 ROWS 20
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	name_asked CONSTANT text := split_part($1, '@', 1);
	version_asked CONSTANT integer := wfml.version_asked($1);
	cutoff timestamptz;
	beginning timestamptz;
BEGIN
	SELECT least(coalesce(until, 'infinity'), now() - coalesce(d.delay, interval '0')) INTO cutoff
	FROM wfml.outcome_delay d WHERE d.model = name_asked;
	beginning := coalesce(since, cutoff - interval '30 days');
	RETURN QUERY
	WITH scored AS MATERIALIZED (
		SELECT a.*, a.outcome - a.value AS residual,
			-ln(greatest(CASE WHEN a.happened THEN a.value ELSE 1 - a.value END, 1e-15)) AS surprise,
			(a.happened::integer - a.value) ^ 2 AS squared_miss,
			CASE WHEN a.task = 'anomaly' THEN CASE WHEN lower(a.actual) IN ('true', 't', '1', 'yes') THEN true
				WHEN lower(a.actual) IN ('false', 'f', '0', 'no') THEN false END END AS was_odd
		FROM wfml.answers a
		WHERE a.model = name_asked AND a.made_at >= beginning AND a.made_at <= cutoff
			AND a.actual IS NOT NULL AND a.task IS NOT NULL
			AND (version_asked IS NULL OR a.version = version_asked)
	), summed AS (
		SELECT s.version, s.task,
			count(s.correct) AS labels, wfml.accuracy(s.actual, s.label) AS accuracy,
			count(s.happened) FILTER (WHERE s.value IS NOT NULL) AS binary,
			count(*) FILTER (WHERE s.happened AND s.value IS NOT NULL) AS positives,
			wfml.log_loss(s.happened, s.value) AS log_loss, stddev_samp(s.surprise) AS log_loss_sd,
			wfml.auc(coalesce(s.happened, s.was_odd), s.value) AS auc,
			wfml.brier(s.happened, s.value) AS brier, stddev_samp(s.squared_miss) AS brier_sd,
			CASE WHEN count(s.happened) > 0 THEN wfml.ece(s.happened, s.value, 10)
				ELSE wfml.ece(s.correct, s.confidence, 10) END AS ece,
			count(s.residual) AS numbers,
			wfml.r2(s.outcome, s.value) AS r2, wfml.rmse(s.outcome, s.value) AS rmse, wfml.mae(s.outcome, s.value) AS mae,
			stddev_samp(abs(s.residual)) AS mae_sd, stddev_samp(s.residual * s.residual) AS mse_sd,
			nullif(var_pop(s.outcome) FILTER (WHERE s.residual IS NOT NULL), 0) AS variance,
			count(*) FILTER (WHERE s.outcome IS NOT NULL AND s.lower IS NOT NULL AND s.upper IS NOT NULL) AS intervals,
			avg((s.outcome BETWEEN s.lower AND s.upper)::integer)::double precision AS coverage,
			count(s.was_odd) AS odd_known, count(*) FILTER (WHERE s.was_odd AND s.value IS NOT NULL) AS odd
		FROM scored s
		GROUP BY s.version, s.task
	)
	SELECT s.version, l.metric, l.value, l.lower, l.upper, l.n
	FROM summed s
	CROSS JOIN LATERAL (
		SELECT 1.959963984540054 / sqrt(nullif(s.binary, 0)::double precision) AS of_binary,
			1.959963984540054 / sqrt(nullif(s.numbers, 0)::double precision) AS of_numbers) half
	CROSS JOIN LATERAL (
		SELECT 1, 'accuracy', s.accuracy, w.lower, w.upper, s.labels
		FROM wfml.wilson_interval(s.accuracy, s.labels) w WHERE s.task = 'classification' AND s.labels > 0
		UNION ALL
		SELECT 2, 'log_loss', s.log_loss, s.log_loss - half.of_binary * s.log_loss_sd,
			s.log_loss + half.of_binary * s.log_loss_sd, s.binary
		WHERE s.binary > 0
		UNION ALL
		SELECT 3, 'auc', s.auc, greatest(s.auc - 1.959963984540054 * e.error, 0),
			least(s.auc + 1.959963984540054 * e.error, 1), s.binary + s.odd_known
		FROM wfml.auc_error(s.auc, s.positives + s.odd, s.binary - s.positives + s.odd_known - s.odd) AS e (error)
		WHERE s.auc <> double precision 'NaN'
		UNION ALL
		SELECT 4, 'brier', s.brier, s.brier - half.of_binary * s.brier_sd, s.brier + half.of_binary * s.brier_sd, s.binary
		WHERE s.binary > 0
		UNION ALL
		SELECT 5, 'ece', s.ece, NULL, NULL, s.labels WHERE s.task = 'classification' AND s.ece IS NOT NULL
		UNION ALL
		SELECT 6, 'r2', s.r2, 1 - (s.rmse * s.rmse + half.of_numbers * s.mse_sd) / s.variance,
			1 - (s.rmse * s.rmse - half.of_numbers * s.mse_sd) / s.variance, s.numbers
		WHERE s.numbers > 0
		UNION ALL
		SELECT 7, 'rmse', s.rmse, sqrt(greatest(s.rmse * s.rmse - half.of_numbers * s.mse_sd, 0)),
			sqrt(s.rmse * s.rmse + half.of_numbers * s.mse_sd), s.numbers
		WHERE s.numbers > 0
		UNION ALL
		SELECT 8, 'mae', s.mae, s.mae - half.of_numbers * s.mae_sd, s.mae + half.of_numbers * s.mae_sd, s.numbers
		WHERE s.numbers > 0
		UNION ALL
		SELECT 9, 'coverage', s.coverage, w.lower, w.upper, s.intervals
		FROM wfml.wilson_interval(s.coverage, s.intervals) w WHERE s.intervals > 0) l (place, metric, value, lower, upper, n)
	ORDER BY s.version, l.place;
END $$;
COMMENT ON FUNCTION wfml.live_scores(text, timestamptz, timestamptz) IS
	'how good each version of a model (or name@version) was on the predictions made in a time whose outcome is known and that you may see. Predictions younger than wfml.outcome_delay are left out; without since it is the 30 days before those. lower and upper are 95 % intervals: of accuracy and coverage (the share of outcomes within a regression''s own 90 % interval) after Wilson, of AUC after Hanley and McNeil, of the others by the normal distribution of the mean loss (for r2 and rmse that of the squared error, the variance of outcomes taken as it is); none of ece. log_loss, auc and brier need two classes; anomaly scores have an auc where outcomes read as true or false. n counts outcomes; shadow predictions count for their own version';

-- src/pg/log_predict.sql

-- Predictions that are logged.

CREATE FUNCTION wfml.log_predict(model text, input record, entity text DEFAULT NULL) RETURNS wfml.prediction_detail
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 400
	AS 'MODULE_PATHNAME', 'wfml_log_predict_record';
CREATE FUNCTION wfml.log_predict(model text, input jsonb, entity text DEFAULT NULL) RETURNS wfml.prediction_detail
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 400
	AS 'MODULE_PATHNAME', 'wfml_log_predict_jsonb';
CREATE FUNCTION wfml.log_predict(model text, input json, entity text DEFAULT NULL) RETURNS wfml.prediction_detail
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 400
	AS 'MODULE_PATHNAME', 'wfml_log_predict_json';
CREATE FUNCTION wfml.log_predict(model text, input text, entity text DEFAULT NULL) RETURNS wfml.prediction_detail
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 400
	AS 'MODULE_PATHNAME', 'wfml_log_predict_json';
CREATE FUNCTION wfml.log_predict(model text, input record, entity bigint) RETURNS wfml.prediction_detail
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 400
	AS 'MODULE_PATHNAME', 'wfml_log_predict_bigint_record';
CREATE FUNCTION wfml.log_predict(model text, input jsonb, entity bigint) RETURNS wfml.prediction_detail
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 400
	AS 'MODULE_PATHNAME', 'wfml_log_predict_bigint_jsonb';
CREATE FUNCTION wfml.log_predict(model text, input json, entity bigint) RETURNS wfml.prediction_detail
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 400
	AS 'MODULE_PATHNAME', 'wfml_log_predict_bigint_json';
CREATE FUNCTION wfml.log_predict(model text, input text, entity bigint) RETURNS wfml.prediction_detail
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 400
	AS 'MODULE_PATHNAME', 'wfml_log_predict_bigint_json';
CREATE FUNCTION wfml.log_predict(model text, input record, entity uuid) RETURNS wfml.prediction_detail
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 400
	AS 'MODULE_PATHNAME', 'wfml_log_predict_uuid_record';
CREATE FUNCTION wfml.log_predict(model text, input jsonb, entity uuid) RETURNS wfml.prediction_detail
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 400
	AS 'MODULE_PATHNAME', 'wfml_log_predict_uuid_jsonb';
CREATE FUNCTION wfml.log_predict(model text, input json, entity uuid) RETURNS wfml.prediction_detail
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 400
	AS 'MODULE_PATHNAME', 'wfml_log_predict_uuid_json';
CREATE FUNCTION wfml.log_predict(model text, input text, entity uuid) RETURNS wfml.prediction_detail
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 400
	AS 'MODULE_PATHNAME', 'wfml_log_predict_uuid_json';

COMMENT ON FUNCTION wfml.log_predict(text, record, text) IS
	'predict_detail() for a row (t.*), logged in wfml.predictions with what it is about (entity, which outcome_trigger() joins by): FROM t, LATERAL wfml.log_predict(''m'', t.*, t.id) p. When the model cannot answer, the rule of set_fallback() does, and source says "fallback"; without a rule it is an error';
COMMENT ON FUNCTION wfml.log_predict(text, jsonb, text) IS
	'prediction for a JSON object, logged with what it is about (entity): SELECT * FROM wfml.log_predict(''m'', jsonb_build_object(''age'', 40), 17)';
COMMENT ON FUNCTION wfml.log_predict(text, json, text) IS
	'prediction for a JSON object, logged with what it is about (entity): SELECT * FROM wfml.log_predict(''m'', jsonb_build_object(''age'', 40), 17)';
COMMENT ON FUNCTION wfml.log_predict(text, text, text) IS
	'prediction for a JSON object as text, logged with what it is about (entity): SELECT * FROM wfml.log_predict(''m'', ''{"age": 40}'', 17)';
COMMENT ON FUNCTION wfml.log_predict(text, record, bigint) IS
	'prediction for a row (t.*), logged with what it is about (entity): FROM t, LATERAL wfml.log_predict(''m'', t.*, t.id) p';
COMMENT ON FUNCTION wfml.log_predict(text, jsonb, bigint) IS
	'prediction for a JSON object, logged with what it is about (entity): SELECT * FROM wfml.log_predict(''m'', jsonb_build_object(''age'', 40), 17)';
COMMENT ON FUNCTION wfml.log_predict(text, json, bigint) IS
	'prediction for a JSON object, logged with what it is about (entity): SELECT * FROM wfml.log_predict(''m'', jsonb_build_object(''age'', 40), 17)';
COMMENT ON FUNCTION wfml.log_predict(text, text, bigint) IS
	'prediction for a JSON object as text, logged with what it is about (entity): SELECT * FROM wfml.log_predict(''m'', ''{"age": 40}'', 17)';
COMMENT ON FUNCTION wfml.log_predict(text, record, uuid) IS
	'prediction for a row (t.*), logged with what it is about (entity): FROM t, LATERAL wfml.log_predict(''m'', t.*, t.id) p';
COMMENT ON FUNCTION wfml.log_predict(text, jsonb, uuid) IS
	'prediction for a JSON object, logged with what it is about (entity): SELECT * FROM wfml.log_predict(''m'', jsonb_build_object(''age'', 40), 17)';
COMMENT ON FUNCTION wfml.log_predict(text, json, uuid) IS
	'prediction for a JSON object, logged with what it is about (entity): SELECT * FROM wfml.log_predict(''m'', jsonb_build_object(''age'', 40), 17)';
COMMENT ON FUNCTION wfml.log_predict(text, text, uuid) IS
	'prediction for a JSON object as text, logged with what it is about (entity): SELECT * FROM wfml.log_predict(''m'', ''{"age": 40}'', 17)';

CREATE FUNCTION wfml.set_log_input(model text, keep boolean) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_set_log_input';
COMMENT ON FUNCTION wfml.set_log_input(text, boolean) IS 'whether logged predictions keep their input, as drift() without a source needs it';

-- src/pg/health.sql

-- How the models are, in one look.
--
-- Each of the two views stands on a function that turns the just-in-time
-- compiler off: compiling these queries takes longer than running them.  The
-- function runs as the reader, over a view with the rule of access.

CREATE VIEW wfml.health_query WITH (security_barrier) AS
	WITH today AS MATERIALIZED (
		SELECT a.model, pg_catalog.count(*) AS predictions, pg_catalog.count(a.error) AS errors,
			pg_catalog.max(a.made_at) AS last_used
		FROM wfml.answers a
		WHERE a.made_at > pg_catalog.now() - interval '24 hours' AND NOT a.shadow
		GROUP BY a.model
	), facts AS MATERIALIZED (
		SELECT u.name, m.version, m.id, pg_catalog.now() - m.created_at AS age,
			coalesce(t.last_used, e.last_used) AS last_used,
			coalesce(t.predictions, 0) AS predictions, coalesce(t.errors, 0) AS errors,
			t.errors::double precision / nullif(t.predictions, 0) AS error_rate,
			l.metric, l.value AS live, l.lower AS live_lower, l.upper AS live_upper, l.outcomes, l.training,
			-- Both scores are estimates: the interval is widened by the error of the one from training.
			pg_catalog.sqrt(1 + l.outcomes / nullif(l.training_rows, 0)) AS wider,
			f.feature AS drift_feature, f.psi AS drift_psi, f.judged AS drift_judged, b.broken, b.problem, b.has_outcome, j.message AS job_error,
			NOT EXISTS (SELECT FROM pg_catalog.pg_roles a WHERE a.oid = u.owner::oid) AS orphan,
			CASE WHEN q.model IS NULL THEN interval '30 days' ELSE q.max_age END AS max_age,
			coalesce(q.max_drift, 0.25) AS max_drift
		FROM wfml.usable_model u
		LEFT JOIN wfml.ml_model m ON m.id = u.active_id
		LEFT JOIN wfml.live_score l ON l.model = u.name
		LEFT JOIN today t ON t.model = u.name
		LEFT JOIN wfml.retrain_policy q ON q.model = u.name
		LEFT JOIN LATERAL (
			SELECT pg_catalog.max(p.made_at) AS last_used
			FROM wfml.ml_model v
			CROSS JOIN LATERAL (
				SELECT p.made_at, p.made_by, p.user_id FROM wfml.prediction p
				WHERE p.model_id = v.id ORDER BY p.made_at DESC LIMIT 20) p
			WHERE v.name = u.name AND t.last_used IS NULL
				AND (u.is_owner OR pg_catalog.pg_has_role(p.made_by::oid, 'USAGE'))
				AND ((SELECT coalesce(pg_catalog.current_setting('wfml.user_id', true), '') = '')
					OR p.user_id = (SELECT pg_catalog.current_setting('wfml.user_id', true)))) e ON true
		LEFT JOIN LATERAL (
			SELECT pg_catalog.max(v.value) FILTER (WHERE v.metric = 'psi') AS judged,
				pg_catalog.max(v.value) FILTER (WHERE v.metric LIKE 'psi:%') AS psi,
				(pg_catalog.array_agg(pg_catalog.substr(v.metric, 5) ORDER BY v.value DESC, v.metric)
					FILTER (WHERE v.metric LIKE 'psi:%'))[1] AS feature
			FROM wfml.evaluation v
			WHERE v.model_id = m.id AND v.source = 'drift' AND v.value IS NOT NULL
				AND v.at = (SELECT pg_catalog.max(w.at) FROM wfml.evaluation w WHERE w.model_id = m.id AND w.source = 'drift')) f ON true
		LEFT JOIN LATERAL (
			SELECT pg_catalog.count(a.broken) AS broken, pg_catalog.min(a.broken) AS problem,
				pg_catalog.count(a.outcome_column) > 0 AS has_outcome
			FROM wfml.attachments a
			WHERE a.model = u.name) b ON true
		-- The last training of the model, where it failed and nothing newer serves.
		LEFT JOIN LATERAL (
			SELECT k.message
			FROM (SELECT r.status, r.message, r.finished_at
				FROM wfml.job_run r
				WHERE r.model_number = u.number AND u.is_owner AND r.status NOT IN ('queued', 'running', 'cancelled')
					AND (r.kind = 'retrain' OR r.kind = 'train' AND r.role::oid = u.owner::oid)
				ORDER BY r.created_at DESC
				LIMIT 1) k
			WHERE k.status = 'failed' AND (m.id IS NULL OR k.finished_at > m.created_at)) j ON true
	), judged AS (
		SELECT f.*,
			f.error_rate > 0.05 AND (f.errors >= 5 OR f.errors = f.predictions) AS failing,
			f.outcomes >= 50 AND CASE
				WHEN f.metric IN ('log_loss', 'rmse', 'mae', 'brier', 'ece')
					THEN f.training < f.live - (f.live - f.live_lower) * f.wider
				ELSE f.training > f.live + (f.live_upper - f.live) * f.wider END AS worse,
			f.drift_judged > f.max_drift AS drifts,
			f.age > f.max_age AS old
		FROM facts f
	)
	SELECT g.name, g.version,
		CASE WHEN g.orphan THEN 'orphan'
			WHEN g.id IS NULL OR g.failing OR g.broken > 0 OR g.job_error IS NOT NULL THEN 'failed'
			WHEN g.worse THEN 'degraded'
			WHEN g.drifts THEN 'drifting'
			WHEN g.old THEN 'stale'
			ELSE 'healthy' END AS status,
		pg_catalog.justify_hours(pg_catalog.date_trunc('minute', g.age)) AS age,
		pg_catalog.date_trunc('second', g.last_used) AS last_used,
		g.predictions AS predictions_24h,
		pg_catalog.round(g.error_rate::numeric, 4) AS error_rate,
		g.metric,
		pg_catalog.round(g.live::numeric, 4) AS live,
		pg_catalog.round(g.live_lower::numeric, 4) AS live_lower,
		pg_catalog.round(g.live_upper::numeric, 4) AS live_upper,
		pg_catalog.round(g.training::numeric, 4) AS training,
		g.outcomes,
		g.drift_feature,
		pg_catalog.round(g.drift_psi::numeric, 2) AS drift_psi,
		g.broken AS broken_attachments,
		CASE WHEN g.orphan THEN 'its owner is gone: wfml.reassign_models() gives it a new one'
			WHEN g.id IS NULL THEN 'no version is active: train it or wfml.activate() one'
			WHEN g.failing THEN 'see error in wfml.predictions of the last hours'
			WHEN g.broken > 0 THEN 'attached table: ' || pg_catalog.left(g.problem, 80) || '; mend it or wfml.detach()'
			WHEN g.job_error IS NOT NULL THEN 'its last training failed: ' || pg_catalog.left(g.job_error, 100)
			WHEN g.worse THEN 'worse than in training: wfml.retrain(), or look at wfml.trend() and wfml.drift() first'
			WHEN g.drifts THEN 'its input changed: wfml.retrain() once there are enough outcomes of such rows'
			WHEN g.old THEN 'older than ' || pg_catalog.justify_hours(g.max_age) || ': wfml.retrain()'
			WHEN g.predictions > 0 AND g.outcomes = 0 AND NOT g.has_outcome THEN 'nothing brings it outcomes: wfml.attach() with outcome_column does'
			WHEN g.predictions > 0 AND g.outcomes = 0 AND g.metric IN ('accuracy', 'r2') THEN 'no outcomes yet: how good its answers are is not known'
			END AS advice
	FROM judged g;
COMMENT ON VIEW wfml.health_query IS 'what wfml.health shows';
GRANT SELECT ON wfml.health_query TO PUBLIC;

CREATE FUNCTION wfml.health_rows() RETURNS SETOF wfml.health_query
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 100000 ROWS 10
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
BEGIN
	RETURN QUERY SELECT * FROM wfml.health_query;
END $$;
COMMENT ON FUNCTION wfml.health_rows() IS 'rows of wfml.health';

CREATE VIEW wfml.health WITH (security_barrier) AS
	SELECT * FROM wfml.health_rows();
COMMENT ON VIEW wfml.health IS
	'one line for each model that you may use; short form: SELECT name, status, advice FROM wfml.health. Numbers from the log count the predictions that you may see';
COMMENT ON COLUMN wfml.health.status IS
	'the first of these that holds: orphan: its owner was dropped (superusers see such models) · failed: no active version, more than 5 % of the predictions of 24 hours not answered by the model (5 at least, or all), a broken attachment, or the last training failed (the owner sees that) · degraded: with 50 outcomes or more the training score lies outside, on the better side, of the 95 % interval of the difference · drifting: the last drift() found one feature or more that drift, with a PSI above the policy''s max_drift, 0.25 without one · stale: older than the policy''s max_age, 30 days without a policy · healthy';
COMMENT ON COLUMN wfml.health.age IS 'since the active version was trained';
COMMENT ON COLUMN wfml.health.last_used IS 'latest logged prediction; those that are not logged leave no trace';
COMMENT ON COLUMN wfml.health.error_rate IS 'share of the predictions of 24 hours that the model itself could not answer, 0..1';
COMMENT ON COLUMN wfml.health.live IS 'the metric on the latest outcomes, as in wfml.live_score; live_lower and live_upper are its 95 % interval';
COMMENT ON COLUMN wfml.health.drift_psi IS 'population stability index of the feature that drifts most; above 0.1 moderate, above 0.25 drifting';
GRANT SELECT ON wfml.health TO PUBLIC;

CREATE VIEW wfml.metrics_24h_query WITH (security_barrier) AS
	WITH today AS MATERIALIZED (
		SELECT a.model, pg_catalog.count(*) AS predictions,
			pg_catalog.percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY a.latency_us) AS latency,
			pg_catalog.count(*) FILTER (WHERE a.source = 'cache') AS cache_hits,
			pg_catalog.count(*) FILTER (WHERE a.source = 'fallback') AS fallbacks,
			pg_catalog.count(a.error) AS errors,
			pg_catalog.avg(a.confidence) AS confidence
		FROM wfml.answers a
		WHERE a.made_at > pg_catalog.now() - interval '24 hours' AND NOT a.shadow
		GROUP BY a.model
	)
	SELECT u.name, coalesce(t.predictions, 0) AS predictions,
		pg_catalog.round((t.latency[1] / 1000)::numeric, 3) AS p50_ms,
		pg_catalog.round((t.latency[2] / 1000)::numeric, 3) AS p95_ms,
		pg_catalog.round((t.latency[3] / 1000)::numeric, 3) AS p99_ms,
		coalesce(t.cache_hits, 0) AS cache_hits,
		pg_catalog.round(t.fallbacks::numeric / t.predictions, 4) AS fallback_rate,
		pg_catalog.round(t.errors::numeric / t.predictions, 4) AS error_rate,
		pg_catalog.round(t.confidence::numeric, 4) AS mean_confidence,
		l.metric, pg_catalog.round(l.value::numeric, 4) AS live, l.outcomes
	FROM wfml.usable_model u
	LEFT JOIN today t ON t.model = u.name
	LEFT JOIN wfml.live_score l ON l.model = u.name;
COMMENT ON VIEW wfml.metrics_24h_query IS 'what wfml.metrics_24h shows';
GRANT SELECT ON wfml.metrics_24h_query TO PUBLIC;

CREATE FUNCTION wfml.metrics_24h_rows() RETURNS SETOF wfml.metrics_24h_query
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 100000 ROWS 10
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
BEGIN
	RETURN QUERY SELECT * FROM wfml.metrics_24h_query;
END $$;
COMMENT ON FUNCTION wfml.metrics_24h_rows() IS 'rows of wfml.metrics_24h';

CREATE VIEW wfml.metrics_24h WITH (security_barrier) AS
	SELECT * FROM wfml.metrics_24h_rows();
COMMENT ON VIEW wfml.metrics_24h IS
	'the logged predictions of the last 24 hours of each model that you may use, all its versions together, as far as you may see them; without shadow predictions. live is the score of wfml.live_score, whose outcomes may be older';
COMMENT ON COLUMN wfml.metrics_24h.p50_ms IS 'milliseconds that half of the predictions stayed below; predictions whose time was not measured are left out';
COMMENT ON COLUMN wfml.metrics_24h.cache_hits IS 'predictions answered from the prediction cache';
COMMENT ON COLUMN wfml.metrics_24h.fallback_rate IS 'share that the model''s rule answered, 0..1';
COMMENT ON COLUMN wfml.metrics_24h.error_rate IS 'share that the model itself could not answer, 0..1';
GRANT SELECT ON wfml.metrics_24h TO PUBLIC;

-- ---- the database ----

-- Totals tell nothing of single models, so everybody may see them.
CREATE FUNCTION wfml.counter_totals(OUT counter text, OUT value numeric) RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_counter_totals';
COMMENT ON FUNCTION wfml.counter_totals() IS
	'counts of all sessions of this database since the server started, all models together';

CREATE VIEW wfml.system_metrics WITH (security_barrier) AS
	SELECT c.counter AS metric, c.value, 'since server start'::text AS unit, 'all sessions of this database'::text AS covers
	FROM wfml.counter_totals() c
	UNION ALL
	SELECT v.metric, v.value, v.unit, 'models that you may use'
	FROM (SELECT pg_catalog.count(DISTINCT u.name) AS models, pg_catalog.count(m.id) AS versions,
			coalesce(pg_catalog.sum(m.artifact_bytes), 0) AS bytes
		FROM wfml.usable_model u LEFT JOIN wfml.ml_model m ON m.name = u.name) s
	CROSS JOIN LATERAL (VALUES ('models', s.models::numeric, 'models'), ('versions', s.versions, 'versions'),
		('artifact_bytes', s.bytes, 'bytes')) v (metric, value, unit)
	UNION ALL
	SELECT v.metric, v.value, v.unit, 'the table of predictions'
	FROM pg_catalog.pg_class t
	CROSS JOIN LATERAL (VALUES ('log_rows', greatest(t.reltuples, 0)::numeric, 'rows, estimated by the last ANALYZE'),
		('log_bytes', pg_catalog.pg_total_relation_size(t.oid)::numeric, 'bytes with indexes')) v (metric, value, unit)
	WHERE t.oid = 'wfml.prediction'::pg_catalog.regclass
	UNION ALL
	SELECT v.metric, v.value, v.unit, 'jobs of yours and of your models'
	FROM (SELECT pg_catalog.count(*) FILTER (WHERE j.status = 'running') AS running,
			pg_catalog.count(*) FILTER (WHERE j.status = 'queued') AS queued,
			pg_catalog.count(*) FILTER (WHERE j.status = 'failed'
				AND coalesce(j.finished_at, j.started_at, j.created_at) > pg_catalog.now() - interval '24 hours') AS failed
		FROM wfml.jobs j) s
	CROSS JOIN LATERAL (VALUES ('jobs_running', s.running::numeric, 'jobs'), ('jobs_queued', s.queued, 'jobs'),
		('jobs_failed_24h', s.failed, 'jobs')) v (metric, value, unit)
	UNION ALL
	SELECT v.metric, v.value, v.unit, 'this session'
	FROM (SELECT pg_catalog.count(*) AS models, coalesce(pg_catalog.sum(c.size), 0) AS bytes FROM wfml.cache_stats() c) s
	CROSS JOIN LATERAL (VALUES ('cached_models', s.models::numeric, 'models'), ('cached_bytes', s.bytes, 'bytes')) v (metric, value, unit);
COMMENT ON VIEW wfml.system_metrics IS
	'a line for each measurement; covers says of what: counts are kept in shared memory by all sessions of this database that use wfml, each adding its own when a transaction ends, and start again with the server (no line until then); predictions and errors count what models did: a row that attach() has both filled and logged counts twice; the rest is read from tables that you may see';
GRANT SELECT ON wfml.system_metrics TO PUBLIC;

-- src/pg/shared.sql

-- Large models that the server's sessions have in common.

CREATE FUNCTION wfml.shared_cache_stats(
	OUT database text, OUT model_id bigint, OUT size bigint, OUT sessions integer, OUT used_at timestamptz)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_shared_cache_stats';
COMMENT ON FUNCTION wfml.shared_cache_stats() IS
	'models that sessions of this server share, in any database: bytes, how many sessions have it opened, and when one last opened it; for members of pg_read_all_stats';
REVOKE ALL ON FUNCTION wfml.shared_cache_stats() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wfml.shared_cache_stats() TO pg_read_all_stats;

-- src/pg/due.sql

-- Which models are to be trained again.

CREATE FUNCTION wfml.retrain_due(
	OUT model text, OUT version integer, OUT reasons text[], OUT not_before timestamptz, OUT note text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_retrain_due';
COMMENT ON FUNCTION wfml.retrain_due() IS
	'your models that their policies say are to be trained again, with the reasons; run_retraining() trains those whose not_before is over: after a retraining in vain (it failed, or its version did not win) a model waits one day, then two, four, up to sixteen. Where a policy has min_new_rows the source is run as the model''s owner to count its rows';

-- src/pg/maintain.sql

-- The nightly run: retraining what is due, cleaning up.

CREATE PROCEDURE wfml.run_retraining()
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'wfml_run_retraining';
COMMENT ON PROCEDURE wfml.run_retraining() IS
	'for the models whose owner''s rights you have: retrain what wfml.retrain_due() says (each as its owner, committed by itself unless called in a transaction block; a second run at the same time passes over it), measure drift where a policy has max_drift and the model logs its input, drop versions past keep_versions of models with a policy, prune logged predictions older than wfml.prediction_retention and jobs older than 90 days, and run queued jobs. What it did and what failed stands in wfml.jobs';

-- src/pg/schedule.sql

-- run_retraining() every night, by pg_cron.

-- Functions that belong to the extension pg_cron, which only superusers can
-- make; a schema of the name "cron" anybody may own.
CREATE FUNCTION wfml.cron_function(function name, argument_types text, OUT schema name, OUT usable boolean)
	LANGUAGE SQL STABLE
	BEGIN ATOMIC
		SELECT n.nspname, pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
		FROM pg_catalog.pg_extension e
		JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
			AND d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'e'
		JOIN pg_catalog.pg_proc p ON p.oid = d.objid
		JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
		WHERE e.extname = 'pg_cron' AND p.proname = cron_function.function
			AND pg_catalog.oidvectortypes(p.proargtypes) = cron_function.argument_types;
	END;
COMMENT ON FUNCTION wfml.cron_function(name, text) IS
	'schema of a function of the extension pg_cron, and whether you may call it; NULL without pg_cron in this database';

-- The error for a database without pg_cron, with the line to run instead.
CREATE FUNCTION wfml.no_cron(schedule text) RETURNS void
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	elsewhere text;
	known boolean := true;
BEGIN
	BEGIN
		elsewhere := current_setting('cron.database_name', true);
	EXCEPTION WHEN insufficient_privilege THEN
		-- There is such a setting, so the library is loaded.
		known := false;
	END;
	IF elsewhere = current_database() THEN
		RAISE EXCEPTION 'the extension pg_cron is not created in this database' USING ERRCODE = '55000',
			HINT = 'A superuser runs: CREATE EXTENSION pg_cron;';
	ELSIF elsewhere IS NOT NULL OR NOT known THEN
		RAISE EXCEPTION '%', CASE WHEN known THEN format('pg_cron schedules from database "%s", not from this one', elsewhere)
				ELSE 'pg_cron schedules from another database' END
			USING ERRCODE = '55000',
			HINT = format('In %s a superuser runs: SELECT cron.schedule_in_database(%L, %L, %L, %L, %L);',
				CASE WHEN known THEN format('database "%s"', elsewhere) ELSE 'the database that cron.database_name names' END,
				'wfml retraining ' || current_database(), schedule, 'CALL wfml.run_retraining()', current_database(), current_user);
	END IF;
	RAISE EXCEPTION 'pg_cron is not installed in this server' USING ERRCODE = '0A000',
		HINT = format('Let any other scheduler run it, for example by this line of a crontab: %s psql -X -d %s -c "CALL wfml.run_retraining()"',
			schedule, current_database());
END $$;
COMMENT ON FUNCTION wfml.no_cron(text) IS 'error for a database without pg_cron, whose hint is the line to run instead';

CREATE FUNCTION wfml.schedule_retraining(schedule text DEFAULT '0 3 * * *') RETURNS bigint
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	cron record;
	job bigint;
BEGIN
	IF schedule IS NULL THEN
		RAISE EXCEPTION 'argument "schedule" must not be null' USING ERRCODE = '22004',
			HINT = 'wfml.unschedule_retraining() ends a schedule.';
	END IF;
	SELECT * INTO cron FROM wfml.cron_function('schedule', 'text, text, text');
	IF cron.schema IS NULL THEN
		PERFORM wfml.no_cron(schedule);
	ELSIF NOT cron.usable THEN
		RAISE EXCEPTION 'permission denied for pg_cron' USING ERRCODE = '42501',
			HINT = format('A superuser runs: GRANT USAGE ON SCHEMA %I TO %I;', cron.schema, current_user);
	END IF;
	EXECUTE format('SELECT %I.schedule($1, $2, $3)', cron.schema) INTO job
		USING 'wfml retraining ' || current_database(), schedule, 'CALL wfml.run_retraining()'::text;
	RETURN job;
END $$;
COMMENT ON FUNCTION wfml.schedule_retraining(text) IS
	'let pg_cron CALL wfml.run_retraining() as you, by default at 3 at night (in cron''s zone, usually GMT); replaces your schedule before. Returns pg_cron''s job id. Where pg_cron is not in this database the error''s hint is the line to run instead';

CREATE FUNCTION wfml.unschedule_retraining() RETURNS boolean
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	cron record;
	job bigint;
	done boolean := false;
BEGIN
	SELECT * INTO cron FROM wfml.cron_function('unschedule', 'bigint');
	IF cron.schema IS NULL THEN
		RETURN false;
	ELSIF NOT cron.usable THEN
		RAISE EXCEPTION 'permission denied for pg_cron' USING ERRCODE = '42501',
			HINT = format('A superuser runs: GRANT USAGE ON SCHEMA %I TO %I;', cron.schema, current_user);
	END IF;
	FOR job IN EXECUTE format('SELECT jobid FROM %I.job WHERE jobname = $1 AND username = current_user', cron.schema)
		USING 'wfml retraining ' || current_database()
	LOOP
		EXECUTE format('SELECT %I.unschedule($1)', cron.schema) USING job;
		done := true;
	END LOOP;
	RETURN done;
END $$;
COMMENT ON FUNCTION wfml.unschedule_retraining() IS 'undo wfml.schedule_retraining(); false when you had no schedule in this database';

-- src/pg/retrain.sql

-- Retraining.

CREATE TYPE wfml.retrain_summary AS (
	model text,
	version integer,
	activated boolean,
	reason text,
	metric text,
	champion double precision,
	challenger double precision,
	bound double precision,
	fresh_rows bigint,
	rows bigint,
	seconds double precision,
	champion_version integer
);
COMMENT ON TYPE wfml.retrain_summary IS
	'what a retraining made: the new version, whether and why it was activated, the loss of the active version (champion) and the new one (challenger) on fresh rows, the upper 95 % bound of the relative difference (0.02: up to 2 % worse), how many rows of the source the champion was not trained on, and rows trained on';

CREATE FUNCTION wfml.retrain(model text, force boolean DEFAULT false, tolerance double precision DEFAULT 0.01)
	RETURNS wfml.retrain_summary
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
	AS 'MODULE_PATHNAME', 'wfml_retrain';
COMMENT ON FUNCTION wfml.retrain(text, boolean, double precision) IS
	'repeat the training of a model''s active version as the model''s owner. The new version is activated when rows that the active one was not trained on, 200 at least, leave no room for it to be worse by more than tolerance (0.01: 1 % of the loss), or if force; else it is stored. They are half of those rows, which the new one is judged by before it is trained on all. Call it as SELECT * FROM wfml.retrain(…)';

-- src/pg/compare.sql

-- Models against each other on the same rows.

CREATE FUNCTION wfml.compare(models text[], source text, target text DEFAULT NULL,
	OUT model text, OUT metric text, OUT value double precision, OUT difference double precision,
	OUT lower double precision, OUT upper double precision, OUT p_value double precision,
	OUT verdict text, OUT rows bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_compare';
COMMENT ON FUNCTION wfml.compare(text[], text, text) IS
	'scores of models or versions (''m'', ''m@1'') on the same rows of a source; target defaults to the column that the first was trained on. difference is to the first model, with a 95 % interval: of accuracy after Bonett and Price with McNemar''s mid-p test, of log_loss, rmse and mae by a paired bootstrap of 1,000 replicates. verdict is "better" or "worse" where p_value, times the number of models beside the first, is below 0.05. Rows that a version was trained on flatter it: compare on others';

-- src/pg/trend.sql

-- A model through time.

CREATE FUNCTION wfml.trend(model text, bucket interval DEFAULT '1 day', since timestamptz DEFAULT pg_catalog.now() - interval '90 days',
	OUT at timestamptz, OUT version integer, OUT predictions bigint, OUT outcomes bigint,
	OUT metric text, OUT live double precision, OUT mean_confidence double precision,
	OUT fallback_rate double precision, OUT p95_ms double precision, OUT evaluated double precision)
	RETURNS SETOF record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 100000 ROWS 100
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	name_asked CONSTANT text := split_part($1, '@', 1);
	version_asked CONSTANT integer := wfml.version_asked($1);
	origin CONSTANT timestamp := '2000-01-03';	-- a Monday
BEGIN
	IF isfinite(since) IS NOT TRUE THEN
		RAISE EXCEPTION 'since must be a time'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'For example now() - interval ''30 days''.';
	END IF;
	IF bucket IS NULL OR bucket < interval '1 minute' THEN
		RAISE EXCEPTION 'bucket must be at least a minute'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use days, weeks or hours, for example ''7 days''.';
	END IF;
	IF extract(year FROM bucket) <> 0 OR extract(month FROM bucket) <> 0 THEN
		RAISE EXCEPTION 'bucket "%" has months, which differ in length', bucket
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use days, weeks or hours, for example ''7 days''.';
	END IF;
	RETURN QUERY
	WITH logged AS (
		SELECT date_bin(bucket, a.made_at::timestamp, origin)::timestamptz AS at, a.version,
			count(*) AS predictions,
			count(*) FILTER (WHERE CASE WHEN a.task = 'regression' THEN a.outcome - a.value IS NOT NULL ELSE a.correct IS NOT NULL END) AS outcomes,
			min(CASE WHEN a.task = 'regression' THEN 'rmse' WHEN a.task = 'classification' THEN 'accuracy' END) AS metric,
			CASE WHEN min(a.task) = 'regression' THEN sqrt(avg((a.outcome - a.value) * (a.outcome - a.value)))
				WHEN min(a.task) = 'classification' THEN avg(a.correct::integer)::double precision END AS live,
			avg(a.confidence) AS mean_confidence,
			(count(*) FILTER (WHERE a.source = 'fallback'))::double precision / count(*) AS fallback_rate,
			round((percentile_cont(0.95) WITHIN GROUP (ORDER BY a.latency_us) / 1000)::numeric, 3)::double precision AS p95_ms
		FROM wfml.answers a
		WHERE a.model = name_asked AND a.made_at >= since AND (version_asked IS NULL OR a.version = version_asked)
		GROUP BY 1, 2
	), stored AS (
		SELECT DISTINCT ON (1, 2, 3) date_bin(bucket, e.at::timestamp, origin)::timestamptz AS at, e.version, e.metric, e.value
		FROM wfml.evaluations e
		WHERE e.model = name_asked AND e.at >= since AND (version_asked IS NULL OR e.version = version_asked)
			AND e.metric IN ('accuracy', 'rmse')
		ORDER BY 1, 2, 3, e.at DESC
	)
	SELECT coalesce(l.at, s.at), coalesce(l.version, s.version), coalesce(l.predictions, 0), coalesce(l.outcomes, 0),
		coalesce(l.metric, s.metric), l.live, l.mean_confidence, l.fallback_rate, l.p95_ms, s.value
	FROM logged l
	FULL JOIN stored s ON s.at = l.at AND s.version = l.version
	ORDER BY 1, 2;
END $$;
COMMENT ON FUNCTION wfml.trend(text, interval, timestamptz) IS
	'a model (or name@version) by day of the session''s time zone, or by another bucket, and version: logged predictions that you may see, live accuracy or rmse on those whose outcome is known, mean confidence, share answered by the rule (0..1), 95th percentile of latency in milliseconds, and the last score that evaluate() stored in that time. version is NULL where no version answered. Buckets younger than wfml.outcome_delay know only early outcomes';

-- src/pg/experiment.sql

-- Which of two versions of a split does better.

CREATE FUNCTION wfml.difference_test(kind text,
	n_a bigint, mean_a double precision, variance_a double precision,
	n_b bigint DEFAULT NULL, mean_b double precision DEFAULT NULL, variance_b double precision DEFAULT NULL,
	OUT difference double precision, OUT lower double precision, OUT upper double precision,
	OUT p_value double precision, OUT factor double precision)
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_difference_test';
COMMENT ON FUNCTION wfml.difference_test(text, bigint, double precision, double precision, bigint, double precision, double precision) IS
	'difference b - a of two means out of counts, means and variances (var_samp), with its 95 % interval, two-sided p-value, and factor, how many times the rows it takes to show it in 80 % of cases. kind: ''means'' (Welch''s t), ''shares'' of rows that are right (pooled z, interval of Agresti and Caffo); with mean and variance of b - a as those of a: ''pairs'' (t), ''flips'' (of -1, 0, 1: McNemar, exact)';

-- What is assigned to a version is the entity, so entities are what is
-- counted, each by its mean over its outcomes; a prediction without an entity
-- is one of its own.  In route mode an entity has answers of one version, in
-- shadow mode pairs: b's is logged right after a's.
CREATE VIEW wfml.experiments WITH (security_barrier) AS
	WITH split AS (
		SELECT u.name, u.is_owner, r.traffic ->> 'mode' AS mode,
			(r.traffic ->> 'a')::integer AS version_a, (r.traffic ->> 'b')::integer AS version_b,
			(r.traffic ->> 'share')::double precision AS share,
			(r.traffic ->> 'since')::timestamptz AS since, (r.traffic ->> 'until')::timestamptz AS until,
			a.id AS id_a, b.id AS id_b, a.positive,
			CASE WHEN a.task = 'regression' THEN 'mae'
				WHEN a.task <> 'classification' THEN NULL
				WHEN a.positive = b.positive THEN 'brier'
				ELSE 'accuracy' END AS metric
		FROM wfml.usable_model u
		JOIN wfml.registry r ON r.number = u.number
		LEFT JOIN wfml.ml_model a ON a.name = r.name AND a.version = (r.traffic ->> 'a')::integer
		LEFT JOIN wfml.ml_model b ON b.name = r.name AND b.version = (r.traffic ->> 'b')::integer
		WHERE r.traffic ? 'a'
	)
	SELECT s.name AS model, s.mode, s.version_a, s.version_b, s.share,
		pg_catalog.date_trunc('second', s.since) AS since, pg_catalog.date_trunc('second', s.until) AS until,
		n.outcomes_a AS n_a, n.outcomes_b AS n_b, s.metric,
		pg_catalog.round(n.mean_a::numeric, 4) AS score_a, pg_catalog.round(n.mean_b::numeric, 4) AS score_b,
		pg_catalog.round(d.difference::numeric, 4) AS difference,
		pg_catalog.round(d.lower::numeric, 4) AS lower, pg_catalog.round(d.upper::numeric, 4) AS upper,
		pg_catalog.round(d.p_value::numeric, 4) AS p_value,
		j.leader,
		CASE WHEN s.id_a IS NULL OR s.id_b IS NULL THEN pg_catalog.format('version %s was dropped: there is nothing to compare with',
				CASE WHEN s.id_a IS NULL THEN s.version_a ELSE s.version_b END)
			WHEN s.metric IS NULL THEN 'anomaly scores have no outcome to be measured by'
			WHEN j.enough IS NOT TRUE THEN 'too few outcomes: at least 50 entities each'
			WHEN j.leader = s.version_b THEN 'b leads'
			WHEN j.leader = s.version_a THEN 'a leads'
			WHEN j.more < 1000000 THEN pg_catalog.format('undecided: a difference of this size needs about %s more outcomes',
				pg_catalog.round(j.more::numeric, -pg_catalog.floor(pg_catalog.log(greatest(j.more, 1)))::integer + 1))
			ELSE 'undecided: no difference to speak of' END AS verdict
	FROM split s
	CROSS JOIN LATERAL (
		SELECT pg_catalog.count(*) FILTER (WHERE e.a IS NOT NULL) AS n_a, pg_catalog.count(*) FILTER (WHERE e.b IS NOT NULL) AS n_b,
			coalesce(pg_catalog.sum(e.rows_a), 0)::bigint AS outcomes_a, coalesce(pg_catalog.sum(e.rows_b), 0)::bigint AS outcomes_b,
			pg_catalog.avg(e.a) AS mean_a, pg_catalog.avg(e.b) AS mean_b,
			pg_catalog.var_samp(e.a) AS variance_a, pg_catalog.var_samp(e.b) AS variance_b,
			pg_catalog.avg(e.b - e.a) AS mean_d, pg_catalog.var_samp(e.b - e.a) AS variance_d,
			pg_catalog.max(greatest(e.rows_a, e.rows_b)) = 1 AS single
		FROM (
			SELECT pg_catalog.avg(t.a) AS a, pg_catalog.avg(t.b) AS b, pg_catalog.count(t.a) AS rows_a, pg_catalog.count(t.b) AS rows_b
			FROM (
				SELECT l.entity, CASE WHEN l.entity IS NULL THEN l.id END AS id,
					CASE WHEN s.mode = 'shadow' THEN l.before WHEN NOT l.is_b THEN l.score END AS a,
					CASE WHEN l.is_b THEN l.score END AS b
				FROM (
					SELECT p.id, p.entity, p.shadow, k.is_b, k.score,
						CASE WHEN pg_catalog.lag(NOT p.shadow AND NOT k.is_b) OVER w THEN pg_catalog.lag(k.score) OVER w END AS before
					FROM wfml.prediction p
					CROSS JOIN LATERAL (
						SELECT p.model_id = s.id_b AS is_b,
							CASE s.metric WHEN 'accuracy' THEN (p.label = p.actual)::integer::double precision
								WHEN 'brier' THEN (p.value - (p.actual = s.positive)::integer) ^ 2
								WHEN 'mae' THEN pg_catalog.abs(p.value - wfml.outcome_number(p.actual)) END AS score) k
					WHERE p.model_id IN (s.id_a, s.id_b)
						AND p.made_at >= s.since AND p.made_at < coalesce(s.until, 'infinity')
						AND (s.is_owner OR pg_catalog.pg_has_role(p.made_by::oid, 'USAGE'))
						AND (coalesce(pg_catalog.current_setting('wfml.user_id', true), '') = ''
							OR p.user_id = pg_catalog.current_setting('wfml.user_id', true))
					WINDOW w AS (PARTITION BY p.entity ORDER BY p.id)) l
				WHERE l.score IS NOT NULL
					AND CASE WHEN s.mode = 'shadow' THEN l.shadow AND l.is_b AND l.before IS NOT NULL AND l.entity IS NOT NULL
						ELSE NOT l.shadow END) t
			GROUP BY t.entity, t.id) e) n
	CROSS JOIN LATERAL wfml.difference_test(
		CASE WHEN s.mode = 'shadow' THEN CASE WHEN s.metric = 'accuracy' AND n.single THEN 'flips' ELSE 'pairs' END
			WHEN s.metric = 'accuracy' AND n.single THEN 'shares' ELSE 'means' END,
		CASE WHEN s.mode = 'shadow' THEN least(n.n_a, n.n_b) ELSE n.n_a END,
		CASE WHEN s.mode = 'shadow' THEN n.mean_d ELSE n.mean_a END,
		CASE WHEN s.mode = 'shadow' THEN n.variance_d ELSE n.variance_a END,
		n.n_b, n.mean_b, n.variance_b) d
	CROSS JOIN LATERAL (
		SELECT least(n.n_a, n.n_b) >= 50 AS enough,
			CASE WHEN least(n.n_a, n.n_b) >= 50 AND d.p_value < 0.05 THEN
				CASE WHEN (d.difference > 0) = (s.metric = 'accuracy') THEN s.version_b ELSE s.version_a END END AS leader,
			(d.factor - 1) * CASE WHEN s.mode = 'shadow' THEN n.outcomes_b ELSE n.outcomes_a + n.outcomes_b END AS more) j;
COMMENT ON VIEW wfml.experiments IS
	'the two versions of each split of traffic, running or last ended (split_traffic(), end_split()), of models that you may use, on the logged predictions since then whose outcome is known, as far as you may see them. Two classes are compared by brier, several by accuracy, numbers by mae. mode route: Welch''s t-test, for accuracy a z-test, of entities with version a against those with b; shadow: paired t-test, for accuracy McNemar''s, of answers to the same call. p_value is right for one look at a time chosen beforehand: who looks every day until it is below 0.05 will see it there too often';
COMMENT ON COLUMN wfml.experiments.n_a IS 'predictions of version a with an outcome (shadow: pairs)';
COMMENT ON COLUMN wfml.experiments.score_a IS 'mean over entities of their mean';
COMMENT ON COLUMN wfml.experiments.difference IS 'score_b - score_a, with its 95 % interval lower .. upper';
COMMENT ON COLUMN wfml.experiments.leader IS 'the version that is better, where p_value is below 0.05 with 50 entities each';
GRANT SELECT ON wfml.experiments TO PUBLIC;

-- src/pg/prune_predictions.sql

-- Old predictions go.

CREATE PROCEDURE wfml.prune_predictions(older_than interval DEFAULT NULL)
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'wfml_prune_predictions_call';
COMMENT ON PROCEDURE wfml.prune_predictions(interval) IS
	'delete logged predictions of your models (a superuser: of all) that are older, by default than wfml.prediction_retention; commits every 10,000 rows unless called in a transaction block';
