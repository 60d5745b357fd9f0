\echo Use "CREATE EXTENSION wfml" to load this file. \quit

-- src/pg/wfml.sql

-- The library itself.

-- Who owns the schema can add functions that are taken for ours, and a schema
-- may have been there before the extension.
DO $$
DECLARE
	stranger name := (SELECT r.rolname FROM pg_catalog.pg_namespace n
		JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) n.nspowner
		WHERE n.nspname OPERATOR(pg_catalog.=) 'wfml' AND NOT r.rolsuper AND r.rolname OPERATOR(pg_catalog.<>) CURRENT_USER);
BEGIN
	IF stranger IS NOT NULL THEN
		RAISE EXCEPTION USING errcode = 'insufficient_privilege',
			message = pg_catalog.format('schema "wfml" belongs to role "%s"', stranger),
			hint = 'Look at what is in it, then drop it: CREATE EXTENSION makes its own.';
	END IF;
END $$;

REVOKE ALL ON SCHEMA wfml FROM PUBLIC;
GRANT USAGE ON SCHEMA wfml TO PUBLIC;

CREATE FUNCTION wfml.version() RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_version';
COMMENT ON FUNCTION wfml.version() IS
	'version of the wfml library loaded in this session (compare with pg_extension.extversion)';

-- src/pg/metrics.sql

-- Metrics as aggregates: how good predictions are, over any rows and groups.
--
-- Rows in which an argument is NULL are left out; without any row the result
-- is NULL.  "any" is a label of any type: labels are compared by their text,
-- so a boolean column matches what classify() returns.  Where a positive class
-- is needed, it is true, 1, or text that reads as true; other labels are
-- compared first, as in auc(churned = 'yes', score).

-- Shares and means

CREATE FUNCTION wfml.accuracy_accum(bytea, "any", "any") RETURNS bytea
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_accuracy_accum';
COMMENT ON FUNCTION wfml.accuracy_accum(bytea, "any", "any") IS
	'transition of accuracy()';

CREATE FUNCTION wfml.log_loss_accum(bytea, "any", double precision) RETURNS bytea
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_log_loss_accum';
COMMENT ON FUNCTION wfml.log_loss_accum(bytea, "any", double precision) IS
	'transition of log_loss()';

CREATE FUNCTION wfml.brier_accum(bytea, "any", double precision) RETURNS bytea
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_brier_accum';
COMMENT ON FUNCTION wfml.brier_accum(bytea, "any", double precision) IS
	'transition of brier()';

CREATE FUNCTION wfml.mae_accum(bytea, double precision, double precision) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_mae_accum';
COMMENT ON FUNCTION wfml.mae_accum(bytea, double precision, double precision) IS
	'transition of mae()';

CREATE FUNCTION wfml.rmse_accum(bytea, double precision, double precision) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_rmse_accum';
COMMENT ON FUNCTION wfml.rmse_accum(bytea, double precision, double precision) IS
	'transition of rmse()';

CREATE FUNCTION wfml.mean_combine(bytea, bytea) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_mean_combine';
COMMENT ON FUNCTION wfml.mean_combine(bytea, bytea) IS
	'combines states of accuracy(), log_loss(), brier(), mae() and rmse()';

CREATE FUNCTION wfml.mean_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_mean_final';
COMMENT ON FUNCTION wfml.mean_final(bytea) IS
	'result of accuracy(), log_loss(), brier() and mae()';

CREATE FUNCTION wfml.rmse_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_rmse_final';
COMMENT ON FUNCTION wfml.rmse_final(bytea) IS
	'result of rmse()';

CREATE AGGREGATE wfml.accuracy(actual "any", predicted "any") (
	sfunc = wfml.accuracy_accum, stype = bytea,
	combinefunc = wfml.mean_combine, finalfunc = wfml.mean_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.accuracy("any", "any") IS
	'share of rows whose labels are equal';

CREATE AGGREGATE wfml.log_loss(actual "any", p double precision) (
	sfunc = wfml.log_loss_accum, stype = bytea,
	combinefunc = wfml.mean_combine, finalfunc = wfml.mean_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.log_loss("any", double precision) IS
	'mean of -ln of the probability given to what happened; p is the probability of the positive class, clipped to 1e-15';

CREATE AGGREGATE wfml.brier(actual "any", p double precision) (
	sfunc = wfml.brier_accum, stype = bytea,
	combinefunc = wfml.mean_combine, finalfunc = wfml.mean_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.brier("any", double precision) IS
	'mean of (p - happened) squared; p is the probability of the positive class';

CREATE AGGREGATE wfml.mae(actual double precision, predicted double precision) (
	sfunc = wfml.mae_accum, stype = bytea,
	combinefunc = wfml.mean_combine, finalfunc = wfml.mean_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.mae(double precision, double precision) IS
	'mean absolute error';

CREATE AGGREGATE wfml.rmse(actual double precision, predicted double precision) (
	sfunc = wfml.rmse_accum, stype = bytea,
	combinefunc = wfml.mean_combine, finalfunc = wfml.rmse_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.rmse(double precision, double precision) IS
	'root of the mean squared error';

-- Explained variance

CREATE FUNCTION wfml.r2_accum(bytea, double precision, double precision) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_r2_accum';
COMMENT ON FUNCTION wfml.r2_accum(bytea, double precision, double precision) IS
	'transition of r2()';

CREATE FUNCTION wfml.r2_combine(bytea, bytea) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_r2_combine';
COMMENT ON FUNCTION wfml.r2_combine(bytea, bytea) IS
	'combines states of r2()';

CREATE FUNCTION wfml.r2_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_r2_final';
COMMENT ON FUNCTION wfml.r2_final(bytea) IS
	'result of r2()';

CREATE AGGREGATE wfml.r2(actual double precision, predicted double precision) (
	sfunc = wfml.r2_accum, stype = bytea,
	combinefunc = wfml.r2_combine, finalfunc = wfml.r2_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.r2(double precision, double precision) IS
	'coefficient of determination: 1 is perfect, 0 as good as the mean, below 0 worse';

-- Calibration

CREATE FUNCTION wfml.ece_accum(bytea, "any", double precision) RETURNS bytea
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_ece_accum';
COMMENT ON FUNCTION wfml.ece_accum(bytea, "any", double precision) IS
	'transition of ece() with 10 bins';

CREATE FUNCTION wfml.ece_accum(bytea, "any", double precision, integer) RETURNS bytea
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_ece_accum';
COMMENT ON FUNCTION wfml.ece_accum(bytea, "any", double precision, integer) IS
	'transition of ece()';

CREATE FUNCTION wfml.ece_combine(bytea, bytea) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_ece_combine';
COMMENT ON FUNCTION wfml.ece_combine(bytea, bytea) IS
	'combines states of ece()';

CREATE FUNCTION wfml.ece_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_ece_final';
COMMENT ON FUNCTION wfml.ece_final(bytea) IS
	'result of ece()';

CREATE AGGREGATE wfml.ece(actual "any", p double precision) (
	sfunc = wfml.ece_accum, stype = bytea,
	combinefunc = wfml.ece_combine, finalfunc = wfml.ece_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.ece("any", double precision) IS
	'expected calibration error over 10 bins of equal width of p, the probability of the positive class';

CREATE AGGREGATE wfml.ece(actual "any", p double precision, bins integer) (
	sfunc = wfml.ece_accum, stype = bytea,
	combinefunc = wfml.ece_combine, finalfunc = wfml.ece_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.ece("any", double precision, integer) IS
	'expected calibration error over bins of equal width of p, the probability of the positive class';

-- Scores of labels

CREATE FUNCTION wfml.labels_accum(bytea, "any", "any") RETURNS bytea
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_labels_accum';
COMMENT ON FUNCTION wfml.labels_accum(bytea, "any", "any") IS
	'transition of precision_score(), recall_score() and f1_score(), average macro';

CREATE FUNCTION wfml.labels_accum(bytea, "any", "any", text) RETURNS bytea
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_labels_accum';
COMMENT ON FUNCTION wfml.labels_accum(bytea, "any", "any", text) IS
	'transition of precision_score(), recall_score() and f1_score()';

CREATE FUNCTION wfml.labels_combine(bytea, bytea) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_labels_combine';
COMMENT ON FUNCTION wfml.labels_combine(bytea, bytea) IS
	'combines states of precision_score(), recall_score() and f1_score()';

CREATE FUNCTION wfml.precision_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_precision_final';
COMMENT ON FUNCTION wfml.precision_final(bytea) IS
	'result of precision_score()';

CREATE AGGREGATE wfml.precision_score(actual "any", predicted "any") (
	sfunc = wfml.labels_accum, stype = bytea,
	combinefunc = wfml.labels_combine, finalfunc = wfml.precision_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.precision_score("any", "any") IS
	'share of right ones among the rows predicted as a class, averaged over the classes (macro)';

CREATE AGGREGATE wfml.precision_score(actual "any", predicted "any", average text) (
	sfunc = wfml.labels_accum, stype = bytea,
	combinefunc = wfml.labels_combine, finalfunc = wfml.precision_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.precision_score("any", "any", text) IS
	'share of right ones among the rows predicted as a class; average: macro, micro, weighted, or binary (of the label true, else 1, else the greater of the two)';

CREATE FUNCTION wfml.recall_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_recall_final';
COMMENT ON FUNCTION wfml.recall_final(bytea) IS
	'result of recall_score()';

CREATE AGGREGATE wfml.recall_score(actual "any", predicted "any") (
	sfunc = wfml.labels_accum, stype = bytea,
	combinefunc = wfml.labels_combine, finalfunc = wfml.recall_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.recall_score("any", "any") IS
	'share of a class that was found, averaged over the classes (macro)';

CREATE AGGREGATE wfml.recall_score(actual "any", predicted "any", average text) (
	sfunc = wfml.labels_accum, stype = bytea,
	combinefunc = wfml.labels_combine, finalfunc = wfml.recall_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.recall_score("any", "any", text) IS
	'share of a class that was found; average: macro, micro, weighted, or binary (of the label true, else 1, else the greater of the two)';

CREATE FUNCTION wfml.f1_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_f1_final';
COMMENT ON FUNCTION wfml.f1_final(bytea) IS
	'result of f1_score()';

CREATE AGGREGATE wfml.f1_score(actual "any", predicted "any") (
	sfunc = wfml.labels_accum, stype = bytea,
	combinefunc = wfml.labels_combine, finalfunc = wfml.f1_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.f1_score("any", "any") IS
	'harmonic mean of precision and recall, averaged over the classes (macro)';

CREATE AGGREGATE wfml.f1_score(actual "any", predicted "any", average text) (
	sfunc = wfml.labels_accum, stype = bytea,
	combinefunc = wfml.labels_combine, finalfunc = wfml.f1_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.f1_score("any", "any", text) IS
	'harmonic mean of precision and recall; average: macro, micro, weighted, or binary (of the label true, else 1, else the greater of the two)';

-- Rankings

CREATE FUNCTION wfml.scores_accum(bytea, "any", double precision) RETURNS bytea
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_scores_accum';
COMMENT ON FUNCTION wfml.scores_accum(bytea, "any", double precision) IS
	'transition of auc() and average_precision()';

CREATE FUNCTION wfml.scores_combine(bytea, bytea) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_scores_combine';
COMMENT ON FUNCTION wfml.scores_combine(bytea, bytea) IS
	'combines states of auc() and average_precision()';

CREATE FUNCTION wfml.auc_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_auc_final';
COMMENT ON FUNCTION wfml.auc_final(bytea) IS
	'result of auc()';

CREATE FUNCTION wfml.average_precision_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_average_precision_final';
COMMENT ON FUNCTION wfml.average_precision_final(bytea) IS
	'result of average_precision()';

CREATE AGGREGATE wfml.auc(actual "any", score double precision) (
	sfunc = wfml.scores_accum, stype = bytea,
	sspace = 65536,
	combinefunc = wfml.scores_combine, finalfunc = wfml.auc_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.auc("any", double precision) IS
	'area under the ROC curve: the share of pairs of a positive and a negative that score ranks rightly, ties half; NULL with one class only';

CREATE AGGREGATE wfml.average_precision(actual "any", score double precision) (
	sfunc = wfml.scores_accum, stype = bytea,
	sspace = 65536,
	combinefunc = wfml.scores_combine, finalfunc = wfml.average_precision_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.average_precision("any", double precision) IS
	'mean precision over the positives by falling score, equal scores together; NULL without positives';

CREATE FUNCTION wfml.ndcg_accum(bytea, double precision, bigint) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_ndcg_accum';
COMMENT ON FUNCTION wfml.ndcg_accum(bytea, double precision, bigint) IS
	'transition of ndcg() over all places';

CREATE FUNCTION wfml.ndcg_accum(bytea, double precision, bigint, integer) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_ndcg_accum';
COMMENT ON FUNCTION wfml.ndcg_accum(bytea, double precision, bigint, integer) IS
	'transition of ndcg()';

CREATE FUNCTION wfml.ndcg_combine(bytea, bytea) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_ndcg_combine';
COMMENT ON FUNCTION wfml.ndcg_combine(bytea, bytea) IS
	'combines states of ndcg()';

CREATE FUNCTION wfml.ndcg_final(bytea) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_ndcg_final';
COMMENT ON FUNCTION wfml.ndcg_final(bytea) IS
	'result of ndcg()';

CREATE AGGREGATE wfml.ndcg(relevance double precision, rank bigint) (
	sfunc = wfml.ndcg_accum, stype = bytea,
	sspace = 1024,
	combinefunc = wfml.ndcg_combine, finalfunc = wfml.ndcg_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.ndcg(double precision, bigint) IS
	'normalised discounted cumulative gain of one ranking (group by user for many); rank 1 is the first place; NULL when nothing is relevant';

CREATE AGGREGATE wfml.ndcg(relevance double precision, rank bigint, k integer) (
	sfunc = wfml.ndcg_accum, stype = bytea,
	sspace = 1024,
	combinefunc = wfml.ndcg_combine, finalfunc = wfml.ndcg_final, parallel = safe
);
COMMENT ON AGGREGATE wfml.ndcg(double precision, bigint, integer) IS
	'normalised discounted cumulative gain of the first k places of one ranking; NULL when nothing is relevant';

-- src/pg/registry.sql

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
	OUT model_id bigint, OUT size bigint, OUT hits bigint, OUT in_use boolean, OUT loaded_at timestamptz)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_cache_stats';
COMMENT ON FUNCTION wfml.cache_stats() IS
	'models that this session keeps in memory, most recently used first; hits counts statements, not rows';

CREATE FUNCTION wfml.cache_clear() RETURNS integer
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wfml_cache_clear';
COMMENT ON FUNCTION wfml.cache_clear() IS 'empty this session''s model cache; returns how many models left it';

-- src/pg/predict.sql

-- Prediction: expressions over a row or a JSON object.  They write nothing, so
-- they run in parallel plans, on standbys and in read-only transactions.

CREATE TYPE wfml.prediction_detail AS (
	value double precision,
	lower double precision,
	upper double precision,
	label text,
	confidence double precision,
	model_version integer,
	source text
);
COMMENT ON TYPE wfml.prediction_detail IS
	'value: regression, or P(positive) with two classes; lower, upper: 90 % interval of a regression; label and confidence: the likeliest class, or "anomaly" and "normal" with the share of training rows that score lower';


CREATE FUNCTION wfml.predict(model text, input record) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_record';
CREATE FUNCTION wfml.predict(model text, input jsonb) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_jsonb';
CREATE FUNCTION wfml.predict(model text, input json) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_json';
CREATE FUNCTION wfml.predict(model text, input text) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_json';
COMMENT ON FUNCTION wfml.predict(text, record) IS 'predicted value, probability of the positive class, or score for a row (t.*)';
COMMENT ON FUNCTION wfml.predict(text, jsonb) IS 'predicted value, probability of the positive class, or score for a JSON object';
COMMENT ON FUNCTION wfml.predict(text, json) IS 'predicted value, probability of the positive class, or score for a JSON object';
COMMENT ON FUNCTION wfml.predict(text, text) IS 'predicted value, probability of the positive class, or score for a JSON object as text';

CREATE FUNCTION wfml.classify(model text, input record) RETURNS text
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_classify_record';
CREATE FUNCTION wfml.classify(model text, input jsonb) RETURNS text
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_classify_jsonb';
CREATE FUNCTION wfml.classify(model text, input json) RETURNS text
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_classify_json';
CREATE FUNCTION wfml.classify(model text, input text) RETURNS text
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_classify_json';
COMMENT ON FUNCTION wfml.classify(text, record) IS 'likeliest label for a row (t.*)';
COMMENT ON FUNCTION wfml.classify(text, jsonb) IS 'likeliest label for a JSON object';
COMMENT ON FUNCTION wfml.classify(text, json) IS 'likeliest label for a JSON object';
COMMENT ON FUNCTION wfml.classify(text, text) IS 'likeliest label for a JSON object as text';

CREATE FUNCTION wfml.predict_proba(model text, input record) RETURNS jsonb
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_proba_record';
CREATE FUNCTION wfml.predict_proba(model text, input jsonb) RETURNS jsonb
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_proba_jsonb';
CREATE FUNCTION wfml.predict_proba(model text, input json) RETURNS jsonb
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_proba_json';
CREATE FUNCTION wfml.predict_proba(model text, input text) RETURNS jsonb
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_proba_json';
COMMENT ON FUNCTION wfml.predict_proba(text, record) IS 'probability of each label for a row (t.*)';
COMMENT ON FUNCTION wfml.predict_proba(text, jsonb) IS 'probability of each label for a JSON object';
COMMENT ON FUNCTION wfml.predict_proba(text, json) IS 'probability of each label for a JSON object';
COMMENT ON FUNCTION wfml.predict_proba(text, text) IS 'probability of each label for a JSON object as text';

CREATE FUNCTION wfml.predict_proba(model text, input record, label text) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_proba_label_record';
CREATE FUNCTION wfml.predict_proba(model text, input jsonb, label text) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_proba_label_jsonb';
CREATE FUNCTION wfml.predict_proba(model text, input json, label text) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_proba_label_json';
CREATE FUNCTION wfml.predict_proba(model text, input text, label text) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_proba_label_json';
COMMENT ON FUNCTION wfml.predict_proba(text, record, text) IS 'probability of one label for a row (t.*)';
COMMENT ON FUNCTION wfml.predict_proba(text, jsonb, text) IS 'probability of one label for a JSON object';
COMMENT ON FUNCTION wfml.predict_proba(text, json, text) IS 'probability of one label for a JSON object';
COMMENT ON FUNCTION wfml.predict_proba(text, text, text) IS 'probability of one label for a JSON object as text';

CREATE FUNCTION wfml.predict_detail(model text, input record) RETURNS wfml.prediction_detail
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_detail_record';
CREATE FUNCTION wfml.predict_detail(model text, input jsonb) RETURNS wfml.prediction_detail
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_detail_jsonb';
CREATE FUNCTION wfml.predict_detail(model text, input json) RETURNS wfml.prediction_detail
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_detail_json';
CREATE FUNCTION wfml.predict_detail(model text, input text) RETURNS wfml.prediction_detail
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_detail_json';
COMMENT ON FUNCTION wfml.predict_detail(text, record) IS 'prediction with interval, confidence and version for a row (t.*)';
COMMENT ON FUNCTION wfml.predict_detail(text, jsonb) IS 'prediction with interval, confidence and version for a JSON object';
COMMENT ON FUNCTION wfml.predict_detail(text, json) IS 'prediction with interval, confidence and version for a JSON object';
COMMENT ON FUNCTION wfml.predict_detail(text, text) IS 'prediction with interval, confidence and version for a JSON object as text';

-- By id: a version's bytes never change, so these may stand in indexes.

CREATE FUNCTION wfml.predict_version(model_id bigint, input record) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_version_record';
CREATE FUNCTION wfml.predict_version(model_id bigint, input jsonb) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_version_jsonb';
CREATE FUNCTION wfml.predict_version(model_id bigint, input json) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_version_json';
CREATE FUNCTION wfml.predict_version(model_id bigint, input text) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_predict_version_json';
COMMENT ON FUNCTION wfml.predict_version(bigint, record) IS 'predict() of the version with that id (wfml.version_id()), for a row (t.*)';
COMMENT ON FUNCTION wfml.predict_version(bigint, jsonb) IS 'predict() of the version with that id (wfml.version_id()), for a JSON object';
COMMENT ON FUNCTION wfml.predict_version(bigint, json) IS 'predict() of the version with that id (wfml.version_id()), for a JSON object';
COMMENT ON FUNCTION wfml.predict_version(bigint, text) IS 'predict() of the version with that id (wfml.version_id()), for a JSON object as text';

CREATE FUNCTION wfml.classify_version(model_id bigint, input record) RETURNS text
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_classify_version_record';
CREATE FUNCTION wfml.classify_version(model_id bigint, input jsonb) RETURNS text
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_classify_version_jsonb';
CREATE FUNCTION wfml.classify_version(model_id bigint, input json) RETURNS text
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_classify_version_json';
CREATE FUNCTION wfml.classify_version(model_id bigint, input text) RETURNS text
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_classify_version_json';
COMMENT ON FUNCTION wfml.classify_version(bigint, record) IS 'classify() of the version with that id (wfml.version_id()), for a row (t.*)';
COMMENT ON FUNCTION wfml.classify_version(bigint, jsonb) IS 'classify() of the version with that id (wfml.version_id()), for a JSON object';
COMMENT ON FUNCTION wfml.classify_version(bigint, json) IS 'classify() of the version with that id (wfml.version_id()), for a JSON object';
COMMENT ON FUNCTION wfml.classify_version(bigint, text) IS 'classify() of the version with that id (wfml.version_id()), for a JSON object as text';

-- src/pg/manage.sql

-- Changing models.  Everything here checks that the caller owns the model, and
-- obeys BEGIN, ROLLBACK and savepoints as any UPDATE does.

CREATE FUNCTION wfml.activate(model text, version integer) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_activate';
COMMENT ON FUNCTION wfml.activate(text, integer) IS 'make a version the one that the model''s name means, also a retired one';

CREATE FUNCTION wfml.rollback(model text) RETURNS integer
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_rollback';
COMMENT ON FUNCTION wfml.rollback(text) IS 'undo the last activation; returns the version that is active again';

CREATE FUNCTION wfml.retire(model text, version integer) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_retire';
COMMENT ON FUNCTION wfml.retire(text, integer) IS 'keep a version, but refuse its use by name; refused while it is active or an index or function uses it';

CREATE FUNCTION wfml.drop_model(model text, version integer DEFAULT NULL) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_drop_model';
COMMENT ON FUNCTION wfml.drop_model(text, integer) IS 'drop a model with all its versions, or one version; refused while an index or function uses it';

CREATE FUNCTION wfml.rename_model(old_name text, new_name text) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_rename_model';
COMMENT ON FUNCTION wfml.rename_model(text, text) IS 'give a model another name; its versions, grants and history follow';

CREATE FUNCTION wfml.set_comment(model text, comment text) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_set_comment';
COMMENT ON FUNCTION wfml.set_comment(text, text) IS 'describe a model for wfml.models; NULL removes the description';

CREATE FUNCTION wfml.set_source(model text, source text, target text DEFAULT NULL) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_set_source';
COMMENT ON FUNCTION wfml.set_source(text, text, text) IS 'what retraining the active version reads, for instance after a table was renamed';

CREATE FUNCTION wfml.grant_model(model text, role name) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_grant_model';
COMMENT ON FUNCTION wfml.grant_model(text, name) IS 'let a role use a model; ''public'' is everybody';

CREATE FUNCTION wfml.revoke_model(model text, role name) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_revoke_model';
COMMENT ON FUNCTION wfml.revoke_model(text, name) IS 'take back what grant_model() gave';

CREATE FUNCTION wfml.reassign_models(old_owner name, new_owner name) RETURNS bigint
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_reassign_models';
COMMENT ON FUNCTION wfml.reassign_models(name, name) IS 'give all models of a role to another; for a dropped role give the number that wfml.models shows. Returns how many';

-- src/pg/describe.sql

-- What a model is.

CREATE FUNCTION wfml.model_facts(model_id bigint) RETURNS jsonb
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000
	AS 'MODULE_PATHNAME', 'wfml_model_facts';
COMMENT ON FUNCTION wfml.model_facts(bigint) IS 'what a version''s bytes say: labels, columns, calibration, interval; users and items of a recommender; events of a sequence model and the weights of its experts';

CREATE FUNCTION wfml.model_info(model text) RETURNS jsonb
	LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 2000
BEGIN ATOMIC
	SELECT pg_catalog.to_jsonb(v) - 'features' || wfml.model_facts(v.id)
	FROM wfml.versions v WHERE v.id = wfml.version_id(model_info.model);
END;
COMMENT ON FUNCTION wfml.model_info(text) IS 'everything about a model''s active version, or about name@version, as one JSON object';

CREATE FUNCTION wfml.metrics(model text,
	OUT metric text, OUT value double precision, OUT baseline double precision, OUT split text)
	RETURNS SETOF record
	LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 2000 ROWS 5
BEGIN ATOMIC
	SELECT m.metric, m.value, m.baseline, m.split
	FROM wfml.versions v,
		ROWS FROM (pg_catalog.jsonb_to_recordset(v.metrics)
			AS (metric text, value double precision, baseline double precision, split text)) WITH ORDINALITY m
	WHERE v.id = wfml.version_id(metrics.model)
	ORDER BY m.ordinality;
END;
COMMENT ON FUNCTION wfml.metrics(text) IS
	'how good a model was on rows it did not train on, beside a trivial model (the commonest class, the mean)';

CREATE FUNCTION wfml.feature_importance(model text,
	OUT feature text, OUT gain double precision, OUT splits bigint, OUT permutation double precision)
	RETURNS SETOF record
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_feature_importance';
COMMENT ON FUNCTION wfml.feature_importance(text) IS
	'columns by their share of the gain of all splits; permutation: how much the metric suffers when the column is shuffled';

-- src/pg/export.sql

-- Models as bytes, to carry to another database.

CREATE FUNCTION wfml.export_model(model text) RETURNS bytea
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000
	AS 'MODULE_PATHNAME', 'wfml_export_model';
COMMENT ON FUNCTION wfml.export_model(text) IS
	'a version of your model as bytes for import_model(): the model, how it was trained and a checksum; up to 500 MB';

CREATE FUNCTION wfml.import_model(name text, artifact bytea, activate boolean DEFAULT true) RETURNS text
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000
	AS 'MODULE_PATHNAME', 'wfml_import_model';
COMMENT ON FUNCTION wfml.import_model(text, bytea, boolean) IS
	'store bytes of export_model() as a new version of a model; returns name@version. The bytes are checked throughout before anything is stored; to retrain it name a source with set_source()';

CREATE FUNCTION wfml.verify(model text) RETURNS boolean
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000
	AS 'MODULE_PATHNAME', 'wfml_verify';
COMMENT ON FUNCTION wfml.verify(text) IS
	'true when the stored bytes of a version have their checksum and are a valid model; an ERROR with SQLSTATE XX001 says what is damaged';

-- src/pg/function.sql

-- Predictions as computed columns.

CREATE FUNCTION wfml.create_function(model text, function_name text, relation regclass) RETURNS regprocedure
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_create_function';
COMMENT ON FUNCTION wfml.create_function(text, text, regclass) IS
	'make a function of a table''s row that predicts, so that SELECT c.churn_risk FROM customers c works: the value, P(positive), or with more classes the label. Without a schema the name goes into the table''s; drop it with DROP FUNCTION';

-- src/pg/trainspec.sql

-- What can be trained, from the table that training checks against.

CREATE FUNCTION wfml.algorithm_rows(OUT algorithm text, OUT tasks text, OUT description text)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_algorithm_rows';
COMMENT ON FUNCTION wfml.algorithm_rows() IS 'rows of the view wfml.algorithms';

CREATE VIEW wfml.algorithms AS
	SELECT r.algorithm, r.tasks, r.description FROM wfml.algorithm_rows() r;
COMMENT ON VIEW wfml.algorithms IS 'algorithms that wfml.train() knows, and the tasks they solve';
GRANT SELECT ON wfml.algorithms TO PUBLIC;

CREATE FUNCTION wfml.parameter_rows(
	OUT algorithm text, OUT parameter text, OUT type text, OUT "default" text, OUT range text, OUT description text)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_parameter_rows';
COMMENT ON FUNCTION wfml.parameter_rows() IS 'rows of the view wfml.parameters';

CREATE VIEW wfml.parameters AS
	SELECT r.algorithm, r.parameter, r.type, r."default", r.range, r.description FROM wfml.parameter_rows() r;
COMMENT ON VIEW wfml.parameters IS 'parameters of each algorithm with type, default and range, as wfml.train() checks them';
GRANT SELECT ON wfml.parameters TO PUBLIC;

-- src/pg/progress.sql

-- Progress of running trainings.

CREATE FUNCTION wfml.training_progress_rows(
	OUT pid integer, OUT role regrole, OUT model text, OUT algorithm text, OUT phase text,
	OUT done bigint, OUT total bigint, OUT started_at timestamptz)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_training_progress';
COMMENT ON FUNCTION wfml.training_progress_rows() IS
	'rows of the view wfml.training_progress that the caller may see';

CREATE VIEW wfml.training_progress WITH (security_barrier) AS
	SELECT p.pid, p.role, p.model, p.algorithm, p.phase, p.done, p.total,
		CASE WHEN p.total OPERATOR(pg_catalog.>) 0
			THEN pg_catalog.round(100.0 OPERATOR(pg_catalog.*) p.done OPERATOR(pg_catalog./) p.total, 1) END AS percent,
		pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) p.started_at AS elapsed
	FROM wfml.training_progress_rows() p;
COMMENT ON VIEW wfml.training_progress IS
	'trainings running now in this database: your own, or all for members of pg_read_all_stats; done and total count what the phase counts (rows, folds, trees)';
GRANT SELECT ON wfml.training_progress TO PUBLIC;

-- src/pg/train.sql

-- Training.

CREATE TYPE wfml.training_summary AS (
	model text,
	version integer,
	algorithm text,
	task text,
	rows bigint,
	features integer,
	metric text,
	score double precision,
	baseline double precision,
	seconds double precision,
	size text,
	positive text
);
COMMENT ON TYPE wfml.training_summary IS
	'what a training made: its version, the rows and source columns used, the headline metric on held-out rows beside a trivial model''s, seconds, size, and for two classes the label whose probability predict() returns';

CREATE FUNCTION wfml.train(
	model text, algorithm text, source text, target text DEFAULT NULL, params jsonb DEFAULT '{}',
	features text[] DEFAULT NULL, task text DEFAULT NULL, activate boolean DEFAULT true)
	RETURNS wfml.training_summary
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
	AS 'MODULE_PATHNAME', 'wfml_train';
COMMENT ON FUNCTION wfml.train(text, text, text, text, jsonb, text[], text, boolean) IS
	'train a new version of a model from a table, view or read-only query; the source runs once, as the caller. Call it as SELECT * FROM wfml.train(…). See wfml.algorithms and wfml.parameters';

-- src/pg/recommender_train.sql

-- Training of recommenders.

CREATE FUNCTION wfml.train_recommender(
	model text, source text, user_column text, item_column text,
	rating_column text DEFAULT NULL, time_column text DEFAULT NULL,
	items text DEFAULT NULL, item_key text DEFAULT NULL,
	params jsonb DEFAULT '{}', activate boolean DEFAULT true)
	RETURNS wfml.training_summary
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
	AS 'MODULE_PATHNAME', 'wfml_train_recommender';
COMMENT ON FUNCTION wfml.train_recommender(text, text, text, text, text, text, text, text, jsonb, boolean) IS
	'train a new version of a recommender from a table, view or read-only query of users and items (ids of any type); a pair that comes several times counts so often, or with rating_column has the mean of its ratings; rows without user, item or rating are left out with a NOTICE. time_column: the latest fifth of the rows measures how good it is, else a random fifth. items: a table or query of items, its item_key (by default a column named like item_column) and columns that describe them (text, categories, numbers, text[]), for items that few users have. Method (params.method): "auto" takes the best of EASE, RP3beta and item-kNN on interactions kept back. Errors: 42703 missing columns, P0002 no rows, 54000 more memory than wfml.max_training_memory. Call it as SELECT * FROM wfml.train_recommender(…). See wfml.parameters, wfml.inspect_recommender()';

-- src/pg/recommender_inspect.sql

-- A look at users and items before training.

CREATE FUNCTION wfml.inspect_recommender(
	source text, user_column text, item_column text,
	rating_column text DEFAULT NULL, time_column text DEFAULT NULL, params jsonb DEFAULT '{}',
	OUT column_name text, OUT type text, OUT role text, OUT n_distinct text, OUT nulls text, OUT note text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 15
	AS 'MODULE_PATHNAME', 'wfml_inspect_recommender';
COMMENT ON FUNCTION wfml.inspect_recommender(text, text, text, text, text, jsonb) IS
	'dry run of train_recommender(): columns, users, items and NULLs; then rows, repeated pairs, density, length of histories, methods that would be tried, and the seconds, memory and size of the model to expect. Reads the source once, writes nothing';

-- src/pg/recommend.sql

-- Recommendations: what a user may like, how he would rate it, what is alike.
-- They write nothing, so they run in parallel plans, on standbys and in
-- read-only transactions.  Ids come as text, bigint or uuid; 42, 'abc', NULL
-- and an untyped $1 all resolve.

CREATE FUNCTION wfml.recommend(
	model text, user_id text, n integer DEFAULT 10, exclude_seen boolean DEFAULT true, history text[] DEFAULT NULL,
	OUT item text, OUT score double precision, OUT source text, OUT rank integer)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_recommend_text';
CREATE FUNCTION wfml.recommend(
	model text, user_id bigint, n integer DEFAULT 10, exclude_seen boolean DEFAULT true, history text[] DEFAULT NULL,
	OUT item text, OUT score double precision, OUT source text, OUT rank integer)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_recommend_bigint';
CREATE FUNCTION wfml.recommend(
	model text, user_id uuid, n integer DEFAULT 10, exclude_seen boolean DEFAULT true, history text[] DEFAULT NULL,
	OUT item text, OUT score double precision, OUT source text, OUT rank integer)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_recommend_uuid';
COMMENT ON FUNCTION wfml.recommend(text, text, integer, boolean, text[]) IS
	'the n items that a user is likeliest to want, best first, without those he has (exclude_seen); history: items that he has now beside those of training. source: collaborative (what users with like histories have), content (attributes like those of his items), popular (no history is known); scores compare within one source of one call. A user who is NULL or unknown, unknown items in history and n beyond the catalogue are no errors; n below 0 is 22023, another kind of model WF002';

COMMENT ON FUNCTION wfml.recommend(text, bigint, integer, boolean, text[]) IS
	'the n items that a user is likeliest to want, best first, without those he has (exclude_seen); history: items that he has now beside those of training. source: collaborative (what users with like histories have), content (attributes like those of his items), popular (no history is known); scores compare within one source of one call. A user who is NULL or unknown, unknown items in history and n beyond the catalogue are no errors; n below 0 is 22023, another kind of model WF002';

COMMENT ON FUNCTION wfml.recommend(text, uuid, integer, boolean, text[]) IS
	'the n items that a user is likeliest to want, best first, without those he has (exclude_seen); history: items that he has now beside those of training. source: collaborative (what users with like histories have), content (attributes like those of his items), popular (no history is known); scores compare within one source of one call. A user who is NULL or unknown, unknown items in history and n beyond the catalogue are no errors; n below 0 is 22023, another kind of model WF002';

CREATE FUNCTION wfml.predict_rating(model text, user_id text, item text) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_text_text';
CREATE FUNCTION wfml.predict_rating(model text, user_id text, item bigint) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_text_bigint';
CREATE FUNCTION wfml.predict_rating(model text, user_id text, item uuid) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_text_uuid';
CREATE FUNCTION wfml.predict_rating(model text, user_id bigint, item text) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_bigint_text';
CREATE FUNCTION wfml.predict_rating(model text, user_id bigint, item bigint) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_bigint_bigint';
CREATE FUNCTION wfml.predict_rating(model text, user_id bigint, item uuid) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_bigint_uuid';
CREATE FUNCTION wfml.predict_rating(model text, user_id uuid, item text) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_uuid_text';
CREATE FUNCTION wfml.predict_rating(model text, user_id uuid, item bigint) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_uuid_bigint';
CREATE FUNCTION wfml.predict_rating(model text, user_id uuid, item uuid) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_uuid_uuid';
COMMENT ON FUNCTION wfml.predict_rating(text, text, text) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';
COMMENT ON FUNCTION wfml.predict_rating(text, text, bigint) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';
COMMENT ON FUNCTION wfml.predict_rating(text, text, uuid) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';
COMMENT ON FUNCTION wfml.predict_rating(text, bigint, text) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';
COMMENT ON FUNCTION wfml.predict_rating(text, bigint, bigint) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';
COMMENT ON FUNCTION wfml.predict_rating(text, bigint, uuid) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';
COMMENT ON FUNCTION wfml.predict_rating(text, uuid, text) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';
COMMENT ON FUNCTION wfml.predict_rating(text, uuid, bigint) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';
COMMENT ON FUNCTION wfml.predict_rating(text, uuid, uuid) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';

CREATE FUNCTION wfml.similar_items(model text, item text, n integer DEFAULT 10,
	OUT item text, OUT score double precision, OUT rank integer)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_similar_items_text';
CREATE FUNCTION wfml.similar_items(model text, item bigint, n integer DEFAULT 10,
	OUT item text, OUT score double precision, OUT rank integer)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_similar_items_bigint';
CREATE FUNCTION wfml.similar_items(model text, item uuid, n integer DEFAULT 10,
	OUT item text, OUT score double precision, OUT rank integer)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_similar_items_uuid';
COMMENT ON FUNCTION wfml.similar_items(text, text, integer) IS
	'the n items most like one, best first, without itself: those that the same users have, then those with like attributes; no rows for an item that training has not seen';
COMMENT ON FUNCTION wfml.similar_items(text, bigint, integer) IS
	'the n items most like one, best first, without itself: those that the same users have, then those with like attributes; no rows for an item that training has not seen';
COMMENT ON FUNCTION wfml.similar_items(text, uuid, integer) IS
	'the n items most like one, best first, without itself: those that the same users have, then those with like attributes; no rows for an item that training has not seen';

-- src/pg/inspect.sql

-- A look at a source before training.

CREATE FUNCTION wfml.inspect(
	source text, target text DEFAULT NULL, algorithm text DEFAULT 'gradient_boosting',
	params jsonb DEFAULT '{}', features text[] DEFAULT NULL, task text DEFAULT NULL,
	OUT column_name text, OUT type text, OUT role text, OUT n_distinct text, OUT nulls text, OUT note text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 30
	AS 'MODULE_PATHNAME', 'wfml_inspect';
COMMENT ON FUNCTION wfml.inspect(text, text, text, jsonb, text[], text) IS
	'dry run of train(): what each column of a table or query would be used for, distinct values, share of NULLs, remarks; then, where a target is given, rows, classes, and the seconds, memory and size to expect. Writes nothing';

-- src/pg/batch.sql

-- Models over queries.

CREATE FUNCTION wfml.predict_batch(
	model text, source text, key_column text DEFAULT NULL,
	OUT key text, OUT value double precision, OUT label text, OUT confidence double precision)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 10000
	AS 'MODULE_PATHNAME', 'wfml_predict_batch';
COMMENT ON FUNCTION wfml.predict_batch(text, text, text) IS
	'predictions for every row of a table, view or read-only query, the fast way: key is key_column as text, value as predict() gives it (null with 3 or more classes), label and confidence for classes';

CREATE FUNCTION wfml.partial_dependence(
	model text, feature text, source text,
	OUT value text, OUT prediction double precision)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_partial_dependence';
COMMENT ON FUNCTION wfml.partial_dependence(text, text, text) IS
	'mean prediction over up to 1000 rows of the source when one column is set to each of its values (levels, or 20 quantiles); of a timestamp the hour, of a date the weekday (Friedman 2001)';

-- src/pg/evaluate.sql

-- Models against what really happened.

CREATE FUNCTION wfml.evaluate(model text, source text, target text DEFAULT NULL,
	OUT metric text, OUT value double precision)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_evaluate';
COMMENT ON FUNCTION wfml.evaluate(text, text, text) IS
	'scores of a model on the rows of a source; target defaults to the column it was trained on. Kept in wfml.evaluation when the caller owns the model';

CREATE FUNCTION wfml.confusion_matrix(model text, source text, target text DEFAULT NULL,
	OUT actual text, OUT predicted text, OUT count bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 9
	AS 'MODULE_PATHNAME', 'wfml_confusion_matrix';
COMMENT ON FUNCTION wfml.confusion_matrix(text, text, text) IS
	'how often each label was predicted for each actual label; every pair, also those with count 0';

CREATE FUNCTION wfml.roc_curve(model text, source text, target text DEFAULT NULL,
	OUT threshold double precision, OUT false_positive_rate double precision, OUT true_positive_rate double precision)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 200
	AS 'MODULE_PATHNAME', 'wfml_roc_curve';
COMMENT ON FUNCTION wfml.roc_curve(text, text, text) IS
	'rates of false and true positives when P(positive class) >= threshold is called positive, at about 200 thresholds from high to low; two classes only';

CREATE FUNCTION wfml.calibration(model text, source text, bins integer DEFAULT 10, target text DEFAULT NULL,
	OUT lower double precision, OUT upper double precision, OUT rows bigint,
	OUT predicted double precision, OUT observed double precision)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_calibration';
COMMENT ON FUNCTION wfml.calibration(text, text, integer, text) IS
	'mean predicted probability of the positive class beside its observed share, in bins of equal width; empty bins are left out; two classes only';

-- src/pg/explain.sql

-- Why a prediction is what it is.

CREATE FUNCTION wfml.explain(model text, input record, class text DEFAULT NULL, expanded boolean DEFAULT false,
	OUT feature text, OUT value text, OUT contribution double precision)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_explain_record';
COMMENT ON FUNCTION wfml.explain(text, record, text, boolean) IS
	'what each column adds to a prediction (TreeSHAP), strongest first after the row (base); sums to the model''s output before calibration: probability (forest), log-odds (boosting, linear) of class, which defaults to the positive or, of several, the predicted one; expanded shows features instead of columns';

CREATE FUNCTION wfml.explain_version(model_id bigint, input record, class text DEFAULT NULL, expanded boolean DEFAULT false,
	OUT feature text, OUT value text, OUT contribution double precision)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_explain_version_record';
COMMENT ON FUNCTION wfml.explain_version(bigint, record, text, boolean) IS
	'wfml.explain() for one version by its id';

CREATE FUNCTION wfml.explain_text(model text, input record) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 2000
	AS 'MODULE_PATHNAME', 'wfml_explain_text_record';
COMMENT ON FUNCTION wfml.explain_text(text, record) IS
	'a prediction and its strongest reasons in words';

CREATE FUNCTION wfml.explain(model text, input jsonb, class text DEFAULT NULL, expanded boolean DEFAULT false,
	OUT feature text, OUT value text, OUT contribution double precision)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_explain_jsonb';
COMMENT ON FUNCTION wfml.explain(text, jsonb, text, boolean) IS
	'what each column adds to a prediction (TreeSHAP), strongest first after the row (base); sums to the model''s output before calibration: probability (forest), log-odds (boosting, linear) of class, which defaults to the positive or, of several, the predicted one; expanded shows features instead of columns';

CREATE FUNCTION wfml.explain_version(model_id bigint, input jsonb, class text DEFAULT NULL, expanded boolean DEFAULT false,
	OUT feature text, OUT value text, OUT contribution double precision)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_explain_version_jsonb';
COMMENT ON FUNCTION wfml.explain_version(bigint, jsonb, text, boolean) IS
	'wfml.explain() for one version by its id';

CREATE FUNCTION wfml.explain_text(model text, input jsonb) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 2000
	AS 'MODULE_PATHNAME', 'wfml_explain_text_jsonb';
COMMENT ON FUNCTION wfml.explain_text(text, jsonb) IS
	'a prediction and its strongest reasons in words';

CREATE FUNCTION wfml.explain(model text, input json, class text DEFAULT NULL, expanded boolean DEFAULT false,
	OUT feature text, OUT value text, OUT contribution double precision)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_explain_json';
COMMENT ON FUNCTION wfml.explain(text, json, text, boolean) IS
	'what each column adds to a prediction (TreeSHAP), strongest first after the row (base); sums to the model''s output before calibration: probability (forest), log-odds (boosting, linear) of class, which defaults to the positive or, of several, the predicted one; expanded shows features instead of columns';

CREATE FUNCTION wfml.explain_version(model_id bigint, input json, class text DEFAULT NULL, expanded boolean DEFAULT false,
	OUT feature text, OUT value text, OUT contribution double precision)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_explain_version_json';
COMMENT ON FUNCTION wfml.explain_version(bigint, json, text, boolean) IS
	'wfml.explain() for one version by its id';

CREATE FUNCTION wfml.explain_text(model text, input json) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 2000
	AS 'MODULE_PATHNAME', 'wfml_explain_text_json';
COMMENT ON FUNCTION wfml.explain_text(text, json) IS
	'a prediction and its strongest reasons in words';

CREATE FUNCTION wfml.explain(model text, input text, class text DEFAULT NULL, expanded boolean DEFAULT false,
	OUT feature text, OUT value text, OUT contribution double precision)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_explain_json';
COMMENT ON FUNCTION wfml.explain(text, text, text, boolean) IS
	'what each column adds to a prediction (TreeSHAP), strongest first after the row (base); sums to the model''s output before calibration: probability (forest), log-odds (boosting, linear) of class, which defaults to the positive or, of several, the predicted one; expanded shows features instead of columns';

CREATE FUNCTION wfml.explain_version(model_id bigint, input text, class text DEFAULT NULL, expanded boolean DEFAULT false,
	OUT feature text, OUT value text, OUT contribution double precision)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_explain_version_json';
COMMENT ON FUNCTION wfml.explain_version(bigint, text, text, boolean) IS
	'wfml.explain() for one version by its id';

CREATE FUNCTION wfml.explain_text(model text, input text) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 2000
	AS 'MODULE_PATHNAME', 'wfml_explain_text_json';
COMMENT ON FUNCTION wfml.explain_text(text, text) IS
	'a prediction and its strongest reasons in words';

-- src/pg/anomaly.sql

-- Anomaly models: how odd a row is, whether it counts as an anomaly, and why.

CREATE FUNCTION wfml.anomaly_score(model text, input record) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_anomaly_score_record';
COMMENT ON FUNCTION wfml.anomaly_score(text, record) IS
	'how odd a row (t.*) is to an isolation forest, from 0 to 1: about 0.5 and below is ordinary';

CREATE FUNCTION wfml.is_anomaly(model text, input record) RETURNS boolean
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_is_anomaly_record';
COMMENT ON FUNCTION wfml.is_anomaly(text, record) IS
	'does a row (t.*) score above the threshold of the model (0.5, or the quantile that "contamination" asked for)';

CREATE FUNCTION wfml.explain_anomaly(model text, input record,
	OUT feature text, OUT value text, OUT contribution double precision)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_explain_anomaly_record';
COMMENT ON FUNCTION wfml.explain_anomaly(text, record) IS
	'what each column adds to the anomaly score of a row (t.*) (TreeSHAP of the path length), strongest first after the row (base), the mean score of the training rows; sums to the score';

CREATE FUNCTION wfml.anomaly_score(model text, input jsonb) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_anomaly_score_jsonb';
COMMENT ON FUNCTION wfml.anomaly_score(text, jsonb) IS
	'how odd a JSON object is to an isolation forest, from 0 to 1: about 0.5 and below is ordinary';

CREATE FUNCTION wfml.is_anomaly(model text, input jsonb) RETURNS boolean
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_is_anomaly_jsonb';
COMMENT ON FUNCTION wfml.is_anomaly(text, jsonb) IS
	'does a JSON object score above the threshold of the model (0.5, or the quantile that "contamination" asked for)';

CREATE FUNCTION wfml.explain_anomaly(model text, input jsonb,
	OUT feature text, OUT value text, OUT contribution double precision)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_explain_anomaly_jsonb';
COMMENT ON FUNCTION wfml.explain_anomaly(text, jsonb) IS
	'what each column adds to the anomaly score of a JSON object (TreeSHAP of the path length), strongest first after the row (base), the mean score of the training rows; sums to the score';

CREATE FUNCTION wfml.anomaly_score(model text, input json) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_anomaly_score_json';
COMMENT ON FUNCTION wfml.anomaly_score(text, json) IS
	'how odd a JSON object is to an isolation forest, from 0 to 1: about 0.5 and below is ordinary';

CREATE FUNCTION wfml.is_anomaly(model text, input json) RETURNS boolean
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_is_anomaly_json';
COMMENT ON FUNCTION wfml.is_anomaly(text, json) IS
	'does a JSON object score above the threshold of the model (0.5, or the quantile that "contamination" asked for)';

CREATE FUNCTION wfml.explain_anomaly(model text, input json,
	OUT feature text, OUT value text, OUT contribution double precision)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_explain_anomaly_json';
COMMENT ON FUNCTION wfml.explain_anomaly(text, json) IS
	'what each column adds to the anomaly score of a JSON object (TreeSHAP of the path length), strongest first after the row (base), the mean score of the training rows; sums to the score';

CREATE FUNCTION wfml.anomaly_score(model text, input text) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_anomaly_score_json';
COMMENT ON FUNCTION wfml.anomaly_score(text, text) IS
	'how odd a JSON object as text is to an isolation forest, from 0 to 1: about 0.5 and below is ordinary';

CREATE FUNCTION wfml.is_anomaly(model text, input text) RETURNS boolean
	LANGUAGE C STABLE PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'wfml_is_anomaly_json';
COMMENT ON FUNCTION wfml.is_anomaly(text, text) IS
	'does a JSON object as text score above the threshold of the model (0.5, or the quantile that "contamination" asked for)';

CREATE FUNCTION wfml.explain_anomaly(model text, input text,
	OUT feature text, OUT value text, OUT contribution double precision)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_explain_anomaly_json';
COMMENT ON FUNCTION wfml.explain_anomaly(text, text) IS
	'what each column adds to the anomaly score of a JSON object as text (TreeSHAP of the path length), strongest first after the row (base), the mean score of the training rows; sums to the score';

-- src/pg/sequence_train.sql

-- Sequence models: what happens next in a case.

CREATE FUNCTION wfml.train_sequence(
	model text, source text, case_column text, event_column text, time_column text,
	params jsonb DEFAULT '{}', activate boolean DEFAULT true)
	RETURNS wfml.training_summary
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
	AS 'MODULE_PATHNAME', 'wfml_train_sequence';
COMMENT ON FUNCTION wfml.train_sequence(text, text, text, text, text, jsonb, boolean) IS
	'train a new version of a sequence model from an event log: a table, view or read-only query with a case, an event and a time in each row. The time is a timestamp, a date, or a number that only orders; events of one time are ordered by the column that params.tie_column names, else by their text. params.validation "time" measures on the latest cases by their first event; earlier cases may go on beside them. Call it as SELECT * FROM wfml.train_sequence(…)';

-- src/pg/sequence_inspect.sql

-- A look at an event log before training.

CREATE FUNCTION wfml.inspect_sequence(
	source text, case_column text, event_column text, time_column text, params jsonb DEFAULT '{}',
	OUT column_name text, OUT type text, OUT role text, OUT n_distinct text, OUT nulls text, OUT note text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 8
	AS 'MODULE_PATHNAME', 'wfml_inspect_sequence';
COMMENT ON FUNCTION wfml.inspect_sequence(text, text, text, text, jsonb) IS
	'dry run of train_sequence(): cases and how long they are, events, how many happen at one time, rows that would be left out; then the seconds, memory and size to expect. Writes nothing';

-- src/pg/next_event.sql

-- The next event of a case.  These write nothing, so they run in parallel plans,
-- on standbys and in read-only transactions.

CREATE FUNCTION wfml.next_event(
	model text, history text[], n integer DEFAULT 3, times timestamptz[] DEFAULT NULL)
	RETURNS TABLE (event text, is_end boolean, probability double precision, rank integer, source text)
	LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 3
	AS 'MODULE_PATHNAME', 'wfml_next_event_array';
CREATE FUNCTION wfml.next_event(
	model text, history bigint[], n integer DEFAULT 3, times timestamptz[] DEFAULT NULL)
	RETURNS TABLE (event text, is_end boolean, probability double precision, rank integer, source text)
	LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 3
	AS 'MODULE_PATHNAME', 'wfml_next_event_array';
CREATE FUNCTION wfml.next_event(
	model text, history uuid[], n integer DEFAULT 3, times timestamptz[] DEFAULT NULL)
	RETURNS TABLE (event text, is_end boolean, probability double precision, rank integer, source text)
	LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 3
	AS 'MODULE_PATHNAME', 'wfml_next_event_array';
CREATE FUNCTION wfml.next_event(
	model text, history text, n integer DEFAULT 3, times timestamptz[] DEFAULT NULL)
	RETURNS TABLE (event text, is_end boolean, probability double precision, rank integer, source text)
	LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 3
	AS 'MODULE_PATHNAME', 'wfml_next_event_text';
COMMENT ON FUNCTION wfml.next_event(text, text[], integer, timestamptz[]) IS
	'the n likeliest next events of a case so far, its events in order, with the time of each if known; event is NULL where is_end: the case ends. source: the expert with most weight in the answer (markov, lstm, boosting). Events that training did not see, none at all, and any length are answered';
COMMENT ON FUNCTION wfml.next_event(text, bigint[], integer, timestamptz[]) IS
	'next_event() for an array of whole numbers';
COMMENT ON FUNCTION wfml.next_event(text, uuid[], integer, timestamptz[]) IS
	'next_event() for an array of uuids';
COMMENT ON FUNCTION wfml.next_event(text, text, integer, timestamptz[]) IS
	'next_event() for an array as text, such as ''{a,b}''';

CREATE FUNCTION wfml.next_event_time(
	model text, history text[], times timestamptz[] DEFAULT NULL) RETURNS interval
	LANGUAGE C STABLE PARALLEL SAFE COST 2000
	AS 'MODULE_PATHNAME', 'wfml_next_event_time_array';
CREATE FUNCTION wfml.next_event_time(
	model text, history bigint[], times timestamptz[] DEFAULT NULL) RETURNS interval
	LANGUAGE C STABLE PARALLEL SAFE COST 2000
	AS 'MODULE_PATHNAME', 'wfml_next_event_time_array';
CREATE FUNCTION wfml.next_event_time(
	model text, history uuid[], times timestamptz[] DEFAULT NULL) RETURNS interval
	LANGUAGE C STABLE PARALLEL SAFE COST 2000
	AS 'MODULE_PATHNAME', 'wfml_next_event_time_array';
CREATE FUNCTION wfml.next_event_time(
	model text, history text, times timestamptz[] DEFAULT NULL) RETURNS interval
	LANGUAGE C STABLE PARALLEL SAFE COST 2000
	AS 'MODULE_PATHNAME', 'wfml_next_event_time_text';
COMMENT ON FUNCTION wfml.next_event_time(text, text[], timestamptz[]) IS
	'how long after its last event the next one of a case will come, if one does: half of them come sooner. NULL for an empty history and for models whose time column is a number';
COMMENT ON FUNCTION wfml.next_event_time(text, bigint[], timestamptz[]) IS
	'next_event_time() for an array of whole numbers';
COMMENT ON FUNCTION wfml.next_event_time(text, uuid[], timestamptz[]) IS
	'next_event_time() for an array of uuids';
COMMENT ON FUNCTION wfml.next_event_time(text, text, timestamptz[]) IS
	'next_event_time() for an array as text, such as ''{a,b}''';

CREATE FUNCTION wfml.sequence_score(
	model text, history text[], times timestamptz[] DEFAULT NULL) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 5000
	AS 'MODULE_PATHNAME', 'wfml_sequence_score_array';
CREATE FUNCTION wfml.sequence_score(
	model text, history bigint[], times timestamptz[] DEFAULT NULL) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 5000
	AS 'MODULE_PATHNAME', 'wfml_sequence_score_array';
CREATE FUNCTION wfml.sequence_score(
	model text, history uuid[], times timestamptz[] DEFAULT NULL) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 5000
	AS 'MODULE_PATHNAME', 'wfml_sequence_score_array';
CREATE FUNCTION wfml.sequence_score(
	model text, history text, times timestamptz[] DEFAULT NULL) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 5000
	AS 'MODULE_PATHNAME', 'wfml_sequence_score_text';
COMMENT ON FUNCTION wfml.sequence_score(text, text[], timestamptz[]) IS
	'how ordinary a case is: the mean over its events of the logarithm of the probability that the model gave each of them before it happened. Never above 0; the lower, the odder. The end of the case does not count; NULL for an empty history';
COMMENT ON FUNCTION wfml.sequence_score(text, bigint[], timestamptz[]) IS
	'sequence_score() for an array of whole numbers';
COMMENT ON FUNCTION wfml.sequence_score(text, uuid[], timestamptz[]) IS
	'sequence_score() for an array of uuids';
COMMENT ON FUNCTION wfml.sequence_score(text, text, timestamptz[]) IS
	'sequence_score() for an array as text, such as ''{a,b}''';

-- src/pg/next_event_agg.sql

-- The next event of every case of a table: an aggregate over its rows.

CREATE TYPE wfml.next_event_result AS (
	event text,
	is_end boolean,
	probability double precision
);
COMMENT ON TYPE wfml.next_event_result IS
	'the likeliest next event of a case, NULL with is_end where the case ends, and its probability';

CREATE FUNCTION wfml.next_event_step(state internal, model text, event text, at timestamptz) RETURNS internal
	LANGUAGE C STABLE PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'wfml_next_event_step_text';
COMMENT ON FUNCTION wfml.next_event_step(internal, text, text, timestamptz) IS 'next_event_agg(): one more event';
CREATE FUNCTION wfml.next_event_step(state internal, model text, event bigint, at timestamptz) RETURNS internal
	LANGUAGE C STABLE PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'wfml_next_event_step_bigint';
COMMENT ON FUNCTION wfml.next_event_step(internal, text, bigint, timestamptz) IS 'next_event_agg(): one more event';
CREATE FUNCTION wfml.next_event_step(state internal, model text, event uuid, at timestamptz) RETURNS internal
	LANGUAGE C STABLE PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'wfml_next_event_step_uuid';
COMMENT ON FUNCTION wfml.next_event_step(internal, text, uuid, timestamptz) IS 'next_event_agg(): one more event';
CREATE FUNCTION wfml.next_event_final(state internal) RETURNS wfml.next_event_result
	LANGUAGE C STABLE PARALLEL SAFE COST 1000
	AS 'MODULE_PATHNAME', 'wfml_next_event_final';
COMMENT ON FUNCTION wfml.next_event_final(internal) IS 'next_event_agg(): the answer';

CREATE AGGREGATE wfml.next_event_agg(model text, event text, at timestamptz) (
	SFUNC = wfml.next_event_step,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = wfml.next_event_final,
	PARALLEL = SAFE
);
CREATE AGGREGATE wfml.next_event_agg(model text, event bigint, at timestamptz) (
	SFUNC = wfml.next_event_step,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = wfml.next_event_final,
	PARALLEL = SAFE
);
CREATE AGGREGATE wfml.next_event_agg(model text, event uuid, at timestamptz) (
	SFUNC = wfml.next_event_step,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = wfml.next_event_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE wfml.next_event_agg(text, text, timestamptz) IS
	'the likeliest next event of a case, from its rows: next_event_agg(model, activity, ts ORDER BY ts). at may be NULL; rows whose event is NULL do not count. The state does not grow with the case. As a window function it answers after every event (rows that the ORDER BY does not tell apart count as one step). Take it apart in a query around: SELECT case_id, (n).* FROM (SELECT case_id, wfml.next_event_agg(…) AS n FROM … GROUP BY case_id) c';
COMMENT ON AGGREGATE wfml.next_event_agg(text, bigint, timestamptz) IS
	'next_event_agg() for events of type bigint';
COMMENT ON AGGREGATE wfml.next_event_agg(text, uuid, timestamptz) IS
	'next_event_agg() for events of type uuid';

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
