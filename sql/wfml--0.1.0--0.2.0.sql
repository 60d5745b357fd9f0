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
	input jsonb
) WITH (fillfactor = 85);
ALTER SEQUENCE wfml.prediction_id_seq OWNED BY wfml.prediction.id;
-- No index holds actual: an outcome is then a HOT update.
CREATE INDEX prediction_model ON wfml.prediction (model_id, made_at);
CREATE INDEX prediction_entity ON wfml.prediction (entity, model_number);
CREATE INDEX prediction_user ON wfml.prediction (user_id, made_at);
COMMENT ON TABLE wfml.prediction IS 'logged predictions, and what really happened';
COMMENT ON COLUMN wfml.prediction.model_number IS 'registry.number of the model';
COMMENT ON COLUMN wfml.prediction.model_id IS 'version that answered; NULL when none did, or when it was dropped since';
COMMENT ON COLUMN wfml.prediction.model IS 'name of the model when it answered';
COMMENT ON COLUMN wfml.prediction.user_id IS 'setting wfml.user_id when it was made';
COMMENT ON COLUMN wfml.prediction.shadow IS 'made beside the answer, by the other version of a split in shadow mode';
COMMENT ON COLUMN wfml.prediction.error IS 'why the model itself did not answer';

REVOKE ALL ON wfml.prediction FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('wfml.prediction', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.prediction_id_seq', '');

-- Everybody sees what he made and what his models made; wfml.user_id narrows that.
CREATE VIEW wfml.predictions WITH (security_barrier) AS
	SELECT p.id, coalesce(r.name, p.model) AS model, p.version, p.made_at, pg_catalog.pg_get_userbyid(p.made_by::oid) AS made_by,
		p.user_id, p.entity, p.value, p.lower, p.upper, p.label, p.confidence, p.source, p.shadow,
		p.latency_us, p.actual, p.actual_at, p.error, p.input
	FROM wfml.prediction p
	LEFT JOIN wfml.registry r ON r.number = p.model_number
	WHERE (pg_catalog.pg_has_role(p.made_by::oid, 'USAGE')
			OR pg_catalog.pg_has_role(r.owner::oid, 'USAGE'))
		AND (coalesce(pg_catalog.current_setting('wfml.user_id', true), '') = ''
			OR p.user_id = pg_catalog.current_setting('wfml.user_id', true));
COMMENT ON VIEW wfml.predictions IS
	'predictions that you made or that your models made, of the user in wfml.user_id when that is set; newest: ORDER BY id DESC';
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

-- src/pg/job.sql

-- Work done apart from the caller: background trainings, retrainings, pruning.

CREATE SEQUENCE wfml.job_run_id_seq AS bigint;
CREATE TABLE wfml.job_run (
	id bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.job_run_id_seq') CONSTRAINT job_run_pkey PRIMARY KEY,
	kind text NOT NULL CHECK (kind IN ('train', 'retrain', 'prune')),
	model text COLLATE "C",
	role regrole NOT NULL,
	status text NOT NULL CHECK (status IN ('queued', 'running', 'done', 'kept', 'failed', 'cancelled')),
	reason text,
	arguments jsonb,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	started_at timestamptz,
	finished_at timestamptz,
	pid integer,
	version integer,
	message text,
	result jsonb
);
ALTER SEQUENCE wfml.job_run_id_seq OWNED BY wfml.job_run.id;
CREATE INDEX job_run_model ON wfml.job_run (model, created_at);
COMMENT ON TABLE wfml.job_run IS 'what ran, or waits to run, in the background and in run_retraining()';
COMMENT ON COLUMN wfml.job_run.status IS '"kept": a retraining whose new version was stored but not activated';
COMMENT ON COLUMN wfml.job_run.reason IS 'why it ran';
COMMENT ON COLUMN wfml.job_run.message IS 'the error of a failed run, or why a new version was not activated';
REVOKE ALL ON wfml.job_run FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('wfml.job_run', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.job_run_id_seq', '');

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
