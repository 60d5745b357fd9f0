-- Models as rows.  Nobody but the owner of the extension has a right on these
-- tables: functions write them after their own check, the views below show
-- what the reader may use.  The C code reads the first columns of registry,
-- ml_model, ml_artifact and model_grant by number (tables.h).

CREATE SEQUENCE wfml.registry_number_seq AS bigint;
CREATE TABLE wfml.registry (
	name text COLLATE "C" CONSTRAINT registry_pkey PRIMARY KEY,
	owner regrole NOT NULL,
	active_id bigint,
	active_version integer,
	last_version integer NOT NULL DEFAULT 0,
	fallback text,
	comment text,
	keep_versions integer NOT NULL DEFAULT 5 CHECK (keep_versions >= 1),
	log_input boolean NOT NULL DEFAULT false,
	traffic jsonb,
	search_path text,
	timezone text,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	number bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.registry_number_seq') CONSTRAINT registry_number_key UNIQUE,
	CHECK ((active_id IS NULL) = (active_version IS NULL))
);
ALTER SEQUENCE wfml.registry_number_seq OWNED BY wfml.registry.number;
COMMENT ON TABLE wfml.registry IS 'one row for each model name; activating a version updates this row';
COMMENT ON COLUMN wfml.registry.owner IS 'role that may change the model; an orphan, whose role is gone, serves superusers only';
COMMENT ON COLUMN wfml.registry.active_id IS 'ml_model.id of the version that the bare name means';
COMMENT ON COLUMN wfml.registry.last_version IS 'highest version number given out, also to versions dropped since';
COMMENT ON COLUMN wfml.registry.search_path IS 'search_path of the last training, for retraining';
COMMENT ON COLUMN wfml.registry.timezone IS 'TimeZone of the last training, for retraining';
COMMENT ON COLUMN wfml.registry.fallback IS 'expression over the input that answers when the model cannot; set_fallback() checks and sets it';
COMMENT ON COLUMN wfml.registry.log_input IS 'whether logged predictions keep their input, for drift';
COMMENT ON COLUMN wfml.registry.traffic IS 'how split_traffic() divides logged predictions between two versions';
COMMENT ON COLUMN wfml.registry.number IS 'the model''s identity: stays when it is renamed, and no later model of its name gets it';

CREATE SEQUENCE wfml.ml_model_id_seq AS bigint;
CREATE TABLE wfml.ml_model (
	id bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.ml_model_id_seq') CONSTRAINT ml_model_pkey PRIMARY KEY,
	name text COLLATE "C" NOT NULL REFERENCES wfml.registry (name) ON UPDATE CASCADE,
	version integer NOT NULL CHECK (version >= 1),
	status text NOT NULL DEFAULT 'ready' CHECK (status IN ('ready', 'retired')),
	artifact_bytes bigint NOT NULL,
	artifact_sha256 bytea NOT NULL CHECK (pg_catalog.octet_length(artifact_sha256) = 32),
	metrics jsonb NOT NULL DEFAULT '[]',
	algorithm text NOT NULL,
	task text NOT NULL,
	source text,
	target text,
	positive text,
	features jsonb NOT NULL DEFAULT '[]',
	params jsonb NOT NULL DEFAULT '{}',
	arguments jsonb NOT NULL DEFAULT '{}',
	seed bigint NOT NULL DEFAULT 0,
	training_rows bigint NOT NULL DEFAULT 0,
	training_seconds double precision NOT NULL DEFAULT 0,
	format_version integer NOT NULL,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT ml_model_name_version_key UNIQUE (name, version)
);
ALTER SEQUENCE wfml.ml_model_id_seq OWNED BY wfml.ml_model.id;
COMMENT ON TABLE wfml.ml_model IS 'one row for each version of a model; its bytes are in ml_artifact and never change';
COMMENT ON COLUMN wfml.ml_model.metrics IS 'array of {metric, value, baseline, split}; the first is the headline, unless its split is "inner" (only to choose by)';
COMMENT ON COLUMN wfml.ml_model.features IS 'array of the source columns used';
COMMENT ON COLUMN wfml.ml_model.arguments IS 'everything train() was called with, for retraining';

CREATE TABLE wfml.ml_artifact (
	model_id bigint NOT NULL REFERENCES wfml.ml_model (id) ON DELETE CASCADE,
	seq integer NOT NULL,
	bytes bytea NOT NULL,
	CONSTRAINT ml_artifact_pkey PRIMARY KEY (model_id, seq)
);
-- Trained trees hardly compress; uncompressed they are read five times faster.
ALTER TABLE wfml.ml_artifact ALTER COLUMN bytes SET STORAGE EXTERNAL;
COMMENT ON TABLE wfml.ml_artifact IS 'the bytes of each version, in chunks of 4 MB numbered from 0';

CREATE TABLE wfml.model_grant (
	model text COLLATE "C" NOT NULL REFERENCES wfml.registry (name) ON UPDATE CASCADE ON DELETE CASCADE,
	grantee regrole NOT NULL,
	CONSTRAINT model_grant_pkey PRIMARY KEY (model, grantee)
);
COMMENT ON TABLE wfml.model_grant IS 'roles that may use a model beside its owner; "-" is PUBLIC';

CREATE SEQUENCE wfml.activation_seq_seq AS bigint;
CREATE TABLE wfml.activation (
	seq bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.activation_seq_seq') CONSTRAINT activation_pkey PRIMARY KEY,
	model text COLLATE "C" NOT NULL REFERENCES wfml.registry (name) ON UPDATE CASCADE ON DELETE CASCADE,
	id bigint NOT NULL,
	at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	by name NOT NULL,
	undone_at timestamptz
);
ALTER SEQUENCE wfml.activation_seq_seq OWNED BY wfml.activation.seq;
CREATE INDEX activation_model ON wfml.activation (model, seq);
COMMENT ON TABLE wfml.activation IS 'which version became active when; rollback() marks the last one undone';

CREATE SEQUENCE wfml.evaluation_seq_seq AS bigint;
CREATE TABLE wfml.evaluation (
	seq bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.evaluation_seq_seq') CONSTRAINT evaluation_pkey PRIMARY KEY,
	model_id bigint REFERENCES wfml.ml_model (id) ON DELETE SET NULL,
	model text COLLATE "C" NOT NULL,
	version integer NOT NULL,
	metric text NOT NULL,
	value double precision,
	source text,
	rows bigint NOT NULL,
	at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	by name NOT NULL
);
ALTER SEQUENCE wfml.evaluation_seq_seq OWNED BY wfml.evaluation.seq;
CREATE INDEX evaluation_model ON wfml.evaluation (model, at);
CREATE INDEX evaluation_model_id ON wfml.evaluation (model_id);
COMMENT ON TABLE wfml.evaluation IS 'scores that evaluate() found for a version on other rows';

REVOKE ALL ON wfml.registry, wfml.ml_model, wfml.ml_artifact, wfml.model_grant, wfml.activation, wfml.evaluation FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('wfml.registry', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.registry_number_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.ml_model', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.ml_model_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.ml_artifact', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.model_grant', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.activation', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.activation_seq_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.evaluation', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.evaluation_seq_seq', '');

-- Every session hears of a change, also of one that logical replication
-- applies, which fires no triggers of statements but TRUNCATE's.
CREATE FUNCTION wfml.registry_changed() RETURNS trigger
	LANGUAGE C VOLATILE
	AS 'MODULE_PATHNAME', 'wfml_registry_changed';
COMMENT ON FUNCTION wfml.registry_changed() IS 'trigger: tell all sessions that models changed';
REVOKE ALL ON FUNCTION wfml.registry_changed() FROM PUBLIC;

CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE ON wfml.registry
	FOR EACH ROW EXECUTE FUNCTION wfml.registry_changed();
CREATE TRIGGER registry_emptied AFTER TRUNCATE ON wfml.registry
	FOR EACH STATEMENT EXECUTE FUNCTION wfml.registry_changed();
ALTER TABLE wfml.registry ENABLE ALWAYS TRIGGER registry_changed, ENABLE ALWAYS TRIGGER registry_emptied;
CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE ON wfml.ml_model
	FOR EACH ROW EXECUTE FUNCTION wfml.registry_changed();
CREATE TRIGGER registry_emptied AFTER TRUNCATE ON wfml.ml_model
	FOR EACH STATEMENT EXECUTE FUNCTION wfml.registry_changed();
ALTER TABLE wfml.ml_model ENABLE ALWAYS TRIGGER registry_changed, ENABLE ALWAYS TRIGGER registry_emptied;
CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE ON wfml.model_grant
	FOR EACH ROW EXECUTE FUNCTION wfml.registry_changed();
CREATE TRIGGER registry_emptied AFTER TRUNCATE ON wfml.model_grant
	FOR EACH STATEMENT EXECUTE FUNCTION wfml.registry_changed();
ALTER TABLE wfml.model_grant ENABLE ALWAYS TRIGGER registry_changed, ENABLE ALWAYS TRIGGER registry_emptied;

-- ---- reading ----

-- The rule of access.c in SQL.
CREATE VIEW wfml.usable_model WITH (security_barrier) AS
	SELECT r.name, r.owner, r.active_id, r.comment, r.keep_versions,
		pg_catalog.pg_has_role(r.owner::oid, 'USAGE') AS is_owner, r.number
	FROM wfml.registry r
	WHERE pg_catalog.pg_has_role(r.owner::oid, 'USAGE')
		OR (EXISTS (SELECT FROM pg_catalog.pg_roles a WHERE a.oid = r.owner::oid)
			AND EXISTS (SELECT FROM wfml.model_grant g
						WHERE g.model = r.name
							AND CASE WHEN g.grantee::oid = 0::oid THEN true
								ELSE pg_catalog.pg_has_role(g.grantee::oid, 'USAGE') END));
COMMENT ON VIEW wfml.usable_model IS 'names that the current user may use: the access rule for the other views';

CREATE VIEW wfml.versions WITH (security_barrier) AS
	SELECT m.name, m.version, m.id, m.id = u.active_id AS active, m.status, m.algorithm, m.task,
		h.score ->> 'metric' AS metric,
		pg_catalog.round((h.score ->> 'value')::numeric, 4) AS score,
		pg_catalog.round((h.score ->> 'baseline')::numeric, 4) AS baseline,
		m.target, m.positive, m.training_rows AS rows,
		pg_catalog.jsonb_array_length(m.features) AS features,
		pg_catalog.round(m.training_seconds::numeric, 3) AS seconds,
		m.artifact_bytes AS size, m.created_at,
		m.params, m.metrics, m.seed, m.format_version,
		CASE WHEN u.is_owner THEN m.source END AS source
	FROM wfml.ml_model m
	JOIN wfml.usable_model u ON u.name = m.name
	CROSS JOIN LATERAL (SELECT CASE WHEN m.metrics #>> '{0,split}' IS DISTINCT FROM 'inner' THEN m.metrics -> 0 END) h (score);
COMMENT ON VIEW wfml.versions IS 'versions of the models that you may use; score and baseline are of the first metric';
GRANT SELECT ON wfml.versions TO PUBLIC;

CREATE VIEW wfml.models WITH (security_barrier) AS
	SELECT u.name, v.version, v.algorithm, v.task, v.metric, v.score, v.baseline, v.positive, v.rows,
		pg_catalog.pg_size_pretty(v.size) AS size,
		pg_catalog.justify_hours(pg_catalog.date_trunc('second', pg_catalog.now() - v.created_at)) AS age,
		u.owner, u.comment
	FROM wfml.usable_model u
	LEFT JOIN wfml.versions v ON v.id = u.active_id;
COMMENT ON VIEW wfml.models IS 'models that you may use, with their active version';
GRANT SELECT ON wfml.models TO PUBLIC;

CREATE VIEW wfml.evaluations WITH (security_barrier) AS
	SELECT e.model, e.version, e.metric, e.value, e.rows, e.at, e.by,
		CASE WHEN u.is_owner THEN e.source END AS source
	FROM wfml.evaluation e
	JOIN wfml.usable_model u ON u.name = e.model;
COMMENT ON VIEW wfml.evaluations IS 'stored results of wfml.evaluate() for the models that you may use';
GRANT SELECT ON wfml.evaluations TO PUBLIC;

CREATE FUNCTION wfml.version_id(model text) RETURNS bigint
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 50
	AS 'MODULE_PATHNAME', 'wfml_version_id';
COMMENT ON FUNCTION wfml.version_id(text) IS
	'id of a model''s active version, or of name@version, for predict_version() and indexes';

-- ---- the session's cache ----

CREATE FUNCTION wfml.cache_stats(
	OUT model_id bigint, OUT size bigint, OUT hits bigint, OUT in_use boolean, OUT loaded_at timestamptz,
	OUT shared_size bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_cache_stats_2';
COMMENT ON FUNCTION wfml.cache_stats() IS
	'models that this session keeps opened, most recently used first: size is its own memory, shared_size what it shares with other sessions (bytes); hits counts statements, not rows';

CREATE FUNCTION wfml.cache_clear() RETURNS integer
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wfml_cache_clear';
COMMENT ON FUNCTION wfml.cache_clear() IS 'empty this session''s caches of models and of answers; returns how many models left';
