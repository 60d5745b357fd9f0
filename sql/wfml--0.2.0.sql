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
COMMENT ON FUNCTION wfml.drop_model(text, integer) IS 'drop a model with all its versions, or one version; refused while an index, function or attached table uses it';

CREATE FUNCTION wfml.rename_model(old_name text, new_name text) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_rename_model';
COMMENT ON FUNCTION wfml.rename_model(text, text) IS 'give a model another name; its versions, grants, attachments and history follow';

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
	kind text NOT NULL CHECK (kind IN ('train', 'retrain', 'prune', 'train_all')),
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
COMMENT ON TABLE wfml.job_run IS 'what ran, or waits to run, in the background, in run_retraining() and in train_all()';
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
	'background trainings, retrainings and what train_all() made, of your roles and of your models; newest: ORDER BY id DESC. status: queued, running, done, kept (a new version was stored but did not win), failed, cancelled; percent is of the phase';
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
	'queue a call of train, train_recommender, train_sequence or train_one, with its arguments by name, and start a background worker for it at commit; returns the job''s id';

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

-- src/pg/workflow_model.sql

-- Whether the workflow functions have a model to ask.

CREATE FUNCTION wfml.has_model(model text) RETURNS boolean
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_has_model';
COMMENT ON FUNCTION wfml.has_model(text) IS 'whether a model of that name has an active version that you may use; false where predict() would be an error for want of a model or of the right to use it';

-- src/workflow/pattern.sql

-- What a repeated piece of work looks like.

CREATE TYPE wfml.pattern AS (
	events text[],
	n_events integer,
	support double precision,
	users bigint,
	lift double precision,
	typical_hour double precision,
	weekday_share double precision,
	gap interval
);
COMMENT ON TYPE wfml.pattern IS 'events that users do again and again in this order, and how: made by wfml.frequent_sequences()';
COMMENT ON COLUMN wfml.pattern.events IS 'the events in order; others may come between them';
COMMENT ON COLUMN wfml.pattern.n_events IS 'how many they are';
COMMENT ON COLUMN wfml.pattern.support IS 'share of the cases (sessions) that contain them, 0 to 1';
COMMENT ON COLUMN wfml.pattern.users IS 'how many users did them';
COMMENT ON COLUMN wfml.pattern.lift IS 'support over what it would be if its events came independently of each other';
COMMENT ON COLUMN wfml.pattern.typical_hour IS 'circular mean of the hour of day of the first event, 0 to 24';
COMMENT ON COLUMN wfml.pattern.weekday_share IS 'share that begins on Monday to Friday, 0 to 1';
COMMENT ON COLUMN wfml.pattern.gap IS 'median time from the first event to the last';

-- src/pg/binding.sql

-- Sources of the application, bound by kind: tables and the C that runs them as their owner.

CREATE SEQUENCE wfml.source_binding_id_seq AS bigint;
CREATE TABLE wfml.source_binding (
	id bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.source_binding_id_seq') CONSTRAINT source_binding_pkey PRIMARY KEY,
	kind text COLLATE "C" NOT NULL,
	owner regrole NOT NULL,
	source text NOT NULL,
	query text NOT NULL,
	search_path text NOT NULL,
	timezone text NOT NULL,
	known_at_start text[] NOT NULL DEFAULT '{}',
	columns jsonb NOT NULL,
	session_gap interval NOT NULL,
	bound_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	CONSTRAINT source_binding_kind_owner_key UNIQUE (kind, owner)
);
ALTER SEQUENCE wfml.source_binding_id_seq OWNED BY wfml.source_binding.id;
COMMENT ON TABLE wfml.source_binding IS 'the application''s tables by kind, one row for each kind and owner';
COMMENT ON COLUMN wfml.source_binding.id IS 'changes when the kind is bound anew';
COMMENT ON COLUMN wfml.source_binding.source IS 'as given to bind(), a relation schema-qualified';
COMMENT ON COLUMN wfml.source_binding.query IS 'what runs, as its owner';
COMMENT ON COLUMN wfml.source_binding.columns IS 'names and types of its columns when it was bound';

CREATE TABLE wfml.source_grant (
	binding bigint NOT NULL REFERENCES wfml.source_binding (id) ON UPDATE CASCADE ON DELETE CASCADE,
	grantee regrole NOT NULL,
	CONSTRAINT source_grant_pkey PRIMARY KEY (binding, grantee)
);
COMMENT ON TABLE wfml.source_grant IS 'roles that may read what a binding yields beside its owner; "-" is PUBLIC';

REVOKE ALL ON wfml.source_binding, wfml.source_grant FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('wfml.source_binding', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.source_binding_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.source_grant', '');

CREATE FUNCTION wfml.bind(kind text, query text, known_at_start text[] DEFAULT '{}', session_gap interval DEFAULT '1 hour')
	RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_bind';
COMMENT ON FUNCTION wfml.bind(text, text, text[], interval) IS
	'tell wfml where your application keeps a kind of rows: runs (workflow_id, started_at, finished_at, succeeded), events (user_id, event, at), workflows (workflow_id, name), usage (user_id, workflow_id, weight), patterns (events, category) or suggestions (events, accepted or score). query is a table, a view or a SELECT with those column names; it always runs as you, read-only. known_at_start (runs): further columns whose values are known when a run starts. session_gap (events): a longer pause begins a new session. Binding a kind again replaces it and keeps who was granted';

CREATE FUNCTION wfml.unbind(kind text, owner name DEFAULT NULL) RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_unbind';
COMMENT ON FUNCTION wfml.unbind(text, name) IS
	'forget your binding of a kind, or that of a role whose rights you have (for a role that is gone the number that wfml.sources shows); false when there was none';

CREATE FUNCTION wfml.grant_source(kind text, role name) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_grant_source';
COMMENT ON FUNCTION wfml.grant_source(text, name) IS
	'let a role (or public) read what your binding of that kind yields; it reads no other rows of your tables and does not see the query';

CREATE FUNCTION wfml.revoke_source(kind text, role name) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_revoke_source';
COMMENT ON FUNCTION wfml.revoke_source(text, name) IS 'take back grant_source()';

CREATE FUNCTION wfml.has_source(kind text) RETURNS boolean
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wfml_has_source';
COMMENT ON FUNCTION wfml.has_source(text) IS 'whether that kind is bound by you, or by one owner who granted it to you';

CREATE FUNCTION wfml.bound_source(kind text,
	OUT id bigint, OUT owner regrole, OUT columns jsonb, OUT known_at_start text[], OUT session_gap interval, OUT timezone text)
	RETURNS record
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wfml_bound_source';
COMMENT ON FUNCTION wfml.bound_source(text) IS
	'the binding of that kind that serves you: yours, else the one granted to you; an error when there is none. id changes when the kind is bound anew';

CREATE FUNCTION wfml.bound_rows(kind text, workflow_id text DEFAULT NULL, user_id text DEFAULT NULL,
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, row_limit bigint DEFAULT NULL)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'wfml_bound_rows';
COMMENT ON FUNCTION wfml.bound_rows(text, text, text, timestamptz, timestamptz, bigint) IS
	'rows of a bound kind, read as the binding''s owner: SELECT * FROM wfml.bound_rows(''events'', user_id => ''u1'', row_limit => 50) AS e (event text, at timestamptz). Columns go by name and are cast to the type you ask; an optional column that the binding lacks is NULL. since (inclusive) and until (exclusive) are about finished_at of runs and at of events; row_limit takes the newest, runs that have not finished first';

-- src/workflow/sources.sql

-- What is bound, and who may read it.

-- The rule of binding.c in SQL.
CREATE VIEW wfml.sources WITH (security_barrier) AS
	WITH usable AS (
		SELECT b.*, pg_catalog.pg_has_role(b.owner::oid, 'USAGE') AS is_owner,
			EXISTS (SELECT FROM pg_catalog.pg_roles a WHERE a.oid = b.owner::oid) AS serves,
			b.owner::oid = (SELECT a.oid FROM pg_catalog.pg_roles a WHERE a.rolname = CURRENT_USER) AS own
		FROM wfml.source_binding b
		WHERE pg_catalog.pg_has_role(b.owner::oid, 'USAGE')
			OR (EXISTS (SELECT FROM pg_catalog.pg_roles a WHERE a.oid = b.owner::oid)
				AND EXISTS (SELECT FROM wfml.source_grant g
							WHERE g.binding = b.id
								AND CASE WHEN g.grantee::oid = 0::oid THEN true
									ELSE pg_catalog.pg_has_role(g.grantee::oid, 'USAGE') END))
	)
	SELECT u.kind, u.owner,
		u.serves AND (u.own OR (pg_catalog.count(*) FILTER (WHERE u.serves) OVER same_kind = 1)) AS used,
		CASE WHEN u.is_owner THEN u.source END AS source,
		u.columns, u.known_at_start, u.session_gap, u.timezone,
		CASE WHEN u.is_owner THEN
			(SELECT pg_catalog.array_agg(CASE WHEN g.grantee::oid = 0::oid THEN 'public' ELSE g.grantee::text END ORDER BY g.grantee::text)
				FROM wfml.source_grant g WHERE g.binding = u.id) END AS granted_to,
		u.bound_at
	FROM usable u
	WINDOW same_kind AS (PARTITION BY u.kind);
COMMENT ON VIEW wfml.sources IS 'what wfml.bind() has bound, of you and of those who granted it to you';
COMMENT ON COLUMN wfml.sources.used IS 'whether this is the binding of its kind that serves you: your own, else the only one there is for you';
COMMENT ON COLUMN wfml.sources.source IS 'table or query, for its owner only';
COMMENT ON COLUMN wfml.sources.columns IS 'its columns and their types when it was bound';
COMMENT ON COLUMN wfml.sources.timezone IS 'zone in which timestamps without one, hours and weekdays are read';
COMMENT ON COLUMN wfml.sources.granted_to IS 'who else may read it, for its owner only';
GRANT SELECT ON wfml.sources TO PUBLIC;

-- src/workflow/history.sql

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

-- src/workflow/tools.sql

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

-- src/pg/frequent.sql

-- Mining of frequent sequences.

CREATE FUNCTION wfml.frequent_sequences(source text, case_column text, event_column text, time_column text,
	min_support double precision DEFAULT 0.01, max_length integer DEFAULT 6, max_gap interval DEFAULT NULL,
	user_column text DEFAULT NULL)
	RETURNS SETOF wfml.pattern
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000
	AS 'MODULE_PATHNAME', 'wfml_frequent_sequences';
COMMENT ON FUNCTION wfml.frequent_sequences(text, text, text, text, double precision, integer, interval, text) IS
	'sequences of 2 to max_length (32 at most) events that a share of min_support of the cases, and at least two, contain in that order of time; other events may come between, but under max_gap no more than that time from one event of the sequence to the next. Only closed ones: a sequence is left out when a longer one that contains it is in the very same cases. source is a table or query and is read with your rights; time_column a timestamp or date, or a number that only orders (then hour, weekday and gap are NULL and max_gap is an error); events of one time are ordered by their text; rows with a NULL are left out. users counts the distinct values of user_column, each case having that of its first event; without it the cases. typical_hour (in the time zone of the session, to the minute; NULL when the hours have no middle), weekday_share and gap are about one occurrence a case: of those that end first, the one that begins last. By falling support, lift, and then events';

CREATE FUNCTION wfml.is_subsequence(needle text[], haystack text[]) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_is_subsequence';
COMMENT ON FUNCTION wfml.is_subsequence(text[], text[]) IS
	'whether all elements of the first array are in the second in the same order, others between them or not; texts are compared by their bytes, a NULL in the first is found nowhere';

-- src/pg/need.sql

-- What users do again and again: found among the bound events, and kept.

CREATE TABLE wfml.need_refresh (
	binding bigint NOT NULL CONSTRAINT need_refresh_pkey PRIMARY KEY,
	made_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	sessions bigint NOT NULL,
	users bigint NOT NULL,
	min_support double precision NOT NULL
);
COMMENT ON TABLE wfml.need_refresh IS 'when refresh_needs() last looked at a binding of events; not dumped, as it can be made again';
COMMENT ON COLUMN wfml.need_refresh.binding IS 'source_binding.id, which changes when the kind is bound anew: what was kept for another is not used';

CREATE TABLE wfml.need (
	binding bigint NOT NULL REFERENCES wfml.need_refresh (binding) ON DELETE CASCADE,
	place integer NOT NULL,
	events text[] NOT NULL,
	n_events integer NOT NULL,
	support double precision NOT NULL,
	users bigint NOT NULL,
	lift double precision NOT NULL,
	typical_hour double precision,
	weekday_share double precision,
	gap interval,
	sessions bigint NOT NULL,
	saving double precision NOT NULL,
	CONSTRAINT need_pkey PRIMARY KEY (binding, place)
);
COMMENT ON TABLE wfml.need IS 'sequences of events that refresh_needs() found, automated already or not';
COMMENT ON COLUMN wfml.need.place IS 'by falling saving, from 1';

CREATE TABLE wfml.need_user (
	binding bigint NOT NULL,
	user_hash bigint NOT NULL,
	place integer NOT NULL,
	sessions bigint NOT NULL,
	saving double precision NOT NULL,
	CONSTRAINT need_user_pkey PRIMARY KEY (binding, user_hash, place),
	FOREIGN KEY (binding, place) REFERENCES wfml.need (binding, place) ON DELETE CASCADE
);
CREATE INDEX need_user_place ON wfml.need_user (binding, place);
COMMENT ON TABLE wfml.need_user IS 'which of them a user does himself, in two sessions at least';
COMMENT ON COLUMN wfml.need_user.user_hash IS 'hash of the user''s id';

REVOKE ALL ON wfml.need_refresh, wfml.need, wfml.need_user FROM PUBLIC;

CREATE FUNCTION wfml.refresh_needs() RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_refresh_needs';
COMMENT ON FUNCTION wfml.refresh_needs() IS
	'look through your bound events for what users do again and again, and keep it for workflow_needs() and suggest(), which then answer at once instead of looking themselves; how many sequences are kept (100 at most). Needs the rights of the owner of the binding. Call it as often as habits may change, or let train_all() do it';

CREATE FUNCTION wfml.find_needs(n integer DEFAULT 20, user_id text DEFAULT NULL,
	OUT events text[], OUT n_events integer, OUT support double precision, OUT users bigint, OUT lift double precision,
	OUT typical_hour double precision, OUT weekday_share double precision, OUT gap interval,
	OUT sessions bigint, OUT saving double precision, OUT made_at timestamptz)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL UNSAFE COST 1000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_find_needs';
COMMENT ON FUNCTION wfml.find_needs(integer, text) IS 'the rows of workflow_needs(), without the patterns as such';

-- src/workflow/needs.sql

-- What users do again and again and no workflow does for them.

CREATE FUNCTION wfml.workflow_needs(n integer DEFAULT 20, user_id text DEFAULT NULL)
	RETURNS TABLE (events text[], sessions bigint, support double precision, users bigint, lift double precision,
		typical_hour double precision, saving double precision, made_at timestamptz, pattern wfml.pattern)
	LANGUAGE SQL STABLE PARALLEL UNSAFE ROWS 20
BEGIN ATOMIC
	SELECT f.events, f.sessions, f.support, f.users, f.lift, f.typical_hour, f.saving, f.made_at,
		ROW(f.events, f.n_events, f.support, f.users, f.lift, f.typical_hour, f.weekday_share, f.gap)::wfml.pattern
	FROM wfml.find_needs(n, user_id) f;
END;
COMMENT ON FUNCTION wfml.workflow_needs(integer, text) IS
	'what users do again and again and no workflow does for them: closed sequences of 2 to 8 bound events in one session (a pause longer than the binding''s session_gap begins a new one) that are in 1 % of the sessions and in 5 at least (more, and shorter ones, while more than 200000 are found), none of whose events is rarer beside the others than chance would have it, and that are no subsequence of the events of a bound workflow. By falling saving: the events that a session would have less on average if a workflow did them at one stroke, support * (number of events - 1). Of two sequences one of which contains the other only the one that saves more is listed, except a part that is in more than twice as many sessions. With user_id those that he did in two sessions at least: sessions and saving are then his. From what refresh_needs() kept (made_at), with the workflows as they are now; while nothing is kept the events are searched at each call';

-- src/pg/run_features.sql

-- What is known of a workflow before it runs.

CREATE FUNCTION wfml.run_features(workflow_id text, at timestamptz, known_by timestamptz DEFAULT NULL, known jsonb DEFAULT NULL)
	RETURNS jsonb
	LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'wfml_run_features';
COMMENT ON FUNCTION wfml.run_features(text, timestamptz, timestamptz, jsonb) IS
	'what was known at known_by (by default at "at") of a run of a workflow at a time, out of the bound runs: how its last runs went (100, and 400 for what depends on the time of day), how those of the platform went (250), who is running, the calendar. History are runs that started before known_by and finished at it or earlier; what happened later changes nothing. known: values of the columns known at start, by default those of the workflow''s last run. The input of the trigger predictor';

CREATE FUNCTION wfml.slot_features(workflow_id text, slots timestamptz[], known_by timestamptz DEFAULT pg_catalog.now(),
	known jsonb DEFAULT NULL, OUT at timestamptz, OUT features jsonb, OUT rule double precision, OUT runs bigint)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000 ROWS 100
	AS 'MODULE_PATHNAME', 'wfml_slot_features';
COMMENT ON FUNCTION wfml.slot_features(text, timestamptz[], timestamptz, jsonb) IS
	'run_features() for many times by one reading of history, in the order given; rule: the probability of success without a model, see success_probability(); runs: how many finished runs of the workflow were looked at, 400 at most';

CREATE FUNCTION wfml.run_example_columns() RETURNS text
	LANGUAGE C STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wfml_run_example_columns';
COMMENT ON FUNCTION wfml.run_example_columns() IS
	'the list of columns for wfml.run_examples(), which follows from the columns known at start';

CREATE FUNCTION wfml.run_examples(since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, horizons interval[] DEFAULT NULL)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL RESTRICTED COST 100000 ROWS 100000
	AS 'MODULE_PATHNAME', 'wfml_run_examples';
COMMENT ON FUNCTION wfml.run_examples(timestamptz, timestamptz, interval[]) IS
	'the bound runs that started in [since, until) and whose outcome is known, each with the features that run_features() gives for it at known_by = at - horizon: horizons, by default 0 and one of 1 hour, 6 hours, 24 hours and 7 days, drawn by a hash of the run. Call it with a list of columns, all or some of wfml.run_example_columns(): SELECT * FROM wfml.run_examples() AS e (at timestamptz, succeeded boolean, rate double precision)';

-- src/workflow/trigger_predictor.sql

-- Will a run succeed?

CREATE FUNCTION wfml.slot_probabilities(workflow_id text, slots timestamptz[], known_by timestamptz DEFAULT pg_catalog.now())
	RETURNS TABLE (at timestamptz, probability double precision, source text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 2000 ROWS 100
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	IF wfml.has_model('trigger_predictor') THEN
		RETURN QUERY SELECT s.at, wfml.predict('trigger_predictor', s.features), 'ml'::text
			FROM wfml.slot_features(slot_probabilities.workflow_id, slot_probabilities.slots, slot_probabilities.known_by) s;
	ELSE
		RETURN QUERY SELECT s.at, s.rule, 'rule'::text
			FROM wfml.slot_features(slot_probabilities.workflow_id, slot_probabilities.slots, slot_probabilities.known_by) s;
	END IF;
END
$$;
COMMENT ON FUNCTION wfml.slot_probabilities(text, timestamptz[], timestamptz) IS
	'probability that a run of the workflow succeeds at each of the times, by what was known at known_by; see success_probability()';

CREATE FUNCTION wfml.success_probability(workflow_id text, at timestamptz DEFAULT pg_catalog.now(), known jsonb DEFAULT NULL,
	OUT probability double precision, OUT runs bigint, OUT source text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 2000
AS $$
#variable_conflict use_variable
DECLARE
	features pg_catalog.jsonb;
BEGIN
	SELECT s.features, s.rule, s.runs INTO features, probability, runs
		FROM wfml.slot_features(workflow_id, ARRAY[at], LEAST(at, pg_catalog.now()), known) s;
	source := 'rule';
	IF wfml.has_model('trigger_predictor') THEN
		probability := wfml.predict('trigger_predictor', features);
		source := 'ml';
	END IF;
END
$$;
COMMENT ON FUNCTION wfml.success_probability(text, timestamptz, jsonb) IS
	'probability that a run of the workflow at a time (by default now) succeeds, by what is known now (then, for a time that is past); runs: how many of its finished runs were looked at, 400 at most. source ml: the model trigger_predictor; rule: the share of successes among those of the workflow''s last 400 runs near that time of day (the weight falls to 0 two hours away), drawn to the share of its last 100 runs as if 5 runs had shown that, which is drawn in the same way to the share of the platform''s last 250; so an unknown workflow has the platform''s share, and where nothing has run it is NULL. known: values of the columns known at start, by default those of the workflow''s last run';

-- From the simplest to the richest; of features NULL stands for all, "numbers" for those of numbers.
CREATE FUNCTION wfml.trigger_candidate_rows(
	OUT rank integer, OUT candidate text, OUT algorithm text, OUT features text, OUT params jsonb)
	RETURNS SETOF record
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE ROWS 5
BEGIN ATOMIC
	SELECT * FROM (VALUES
		-- One step of next to nothing from the base rate, on any column.
		(1, 'base rate', 'gradient_boosting', 'hour', '{"rounds": 1, "learning_rate": 0.000001, "max_leaves": 2}'::jsonb),
		(2, 'hour rate', 'gradient_boosting', 'hour', '{"rounds": 50, "max_leaves": 24}'::jsonb),
		(3, 'linear', 'linear', 'numbers', '{"max_iterations": 50, "l2": 10}'::jsonb),
		(4, 'small boosting', 'gradient_boosting', 'numbers', '{"rounds": 60, "max_leaves": 8, "min_samples_leaf": 100}'::jsonb),
		(5, 'boosting', 'gradient_boosting', NULL, '{"rounds": 150, "learning_rate": 0.05, "max_leaves": 16, "min_samples_leaf": 100}'::jsonb)
	) AS c (rank, candidate, algorithm, features, params);
END;
COMMENT ON FUNCTION wfml.trigger_candidate_rows() IS 'the models that wfml.trigger_candidates() compares';

-- Columns of a candidate out of those of a list such as wfml.run_example_columns() gives, read as those of a table.
CREATE FUNCTION wfml.trigger_candidate_columns(relation regclass, features text) RETURNS text[]
	LANGUAGE SQL STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attnum)
	FROM pg_catalog.pg_attribute a
	WHERE a.attrelid = trigger_candidate_columns.relation AND a.attnum > 0 AND NOT a.attisdropped
		AND a.attname NOT IN ('example', 'at', 'known_by', 'succeeded')
		AND CASE trigger_candidate_columns.features WHEN 'numbers' THEN a.atttypid = 'pg_catalog.float8'::pg_catalog.regtype
			ELSE trigger_candidate_columns.features IS NULL OR a.attname = trigger_candidate_columns.features END;
END;
COMMENT ON FUNCTION wfml.trigger_candidate_columns(regclass, text) IS 'the columns that a candidate of wfml.trigger_candidates() learns from';

CREATE FUNCTION wfml.trigger_candidates(OUT candidate text, OUT log_loss double precision, OUT brier double precision,
	OUT behind double precision, OUT standard_error double precision, OUT chosen boolean)
	RETURNS SETOF record
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 5
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = error
AS $$
#variable_conflict use_column
DECLARE
	cuts timestamptz[];
	oldest timestamptz;
	c record;
	columns text;
BEGIN
	-- It is made and dropped here, so one of somebody's own would be lost.
	IF EXISTS (SELECT FROM wfml.models m WHERE m.name = 'trigger_predictor_candidate') THEN
		RAISE EXCEPTION 'there is a model "trigger_predictor_candidate", the name that candidates are tried under' USING ERRCODE = '42710',
			HINT = 'Give it another name: SELECT wfml.rename_model(''trigger_predictor_candidate'', ''…'').';
	END IF;
	SELECT r.at INTO oldest FROM wfml.bound_rows('runs') AS r0 (started_at timestamptz, succeeded boolean)
		CROSS JOIN LATERAL (SELECT r0.started_at) r (at) WHERE r0.succeeded IS NOT NULL ORDER BY r.at DESC OFFSET 100000 LIMIT 1;
	DROP TABLE IF EXISTS pg_temp.wfml_run_example, pg_temp.wfml_run_loss;
	EXECUTE format('CREATE TEMP TABLE wfml_run_example ON COMMIT DROP AS SELECT row_number() OVER () AS example, e.* '
		'FROM wfml.run_examples(%L) AS e (%s)', oldest, wfml.run_example_columns());
	CREATE TEMP TABLE wfml_run_loss (rank integer, candidate text, example bigint, log_loss double precision, brier double precision) ON COMMIT DROP;
	ANALYZE pg_temp.wfml_run_example;
	SELECT percentile_disc(ARRAY[0.4, 0.6, 0.8, 1]) WITHIN GROUP (ORDER BY e.at) INTO cuts FROM pg_temp.wfml_run_example e;
	cuts[4] := 'infinity';
	IF (SELECT count(DISTINCT e.succeeded) FROM pg_temp.wfml_run_example e WHERE e.at < cuts[1]) < 2 THEN
		RETURN QUERY SELECT r.candidate, NULL::double precision, NULL::double precision, NULL::double precision, NULL::double precision, r.rank = 1
			FROM wfml.trigger_candidate_rows() r ORDER BY r.rank;
		RETURN;
	END IF;
	FOR c IN SELECT r.*, f.fold FROM wfml.trigger_candidate_rows() r CROSS JOIN generate_series(1, 3) AS f (fold) ORDER BY r.rank, f.fold LOOP
		SELECT string_agg(quote_ident(n), ', ') INTO columns
			FROM unnest(wfml.trigger_candidate_columns('pg_temp.wfml_run_example', c.features)) AS n;
		PERFORM wfml.train('trigger_predictor_candidate', c.algorithm,
			format('SELECT succeeded, %s FROM pg_temp.wfml_run_example WHERE at < %L', columns, cuts[c.fold]),
			'succeeded', c.params || '{"validation": "none", "positive": "true"}');
		EXECUTE format('INSERT INTO pg_temp.wfml_run_loss SELECT $1, $2, e.example, '
			'-ln(greatest(CASE WHEN e.succeeded THEN p.value ELSE 1 - p.value END, 1e-9)), (p.value - e.succeeded::integer) ^ 2 '
			'FROM wfml.predict_batch(''trigger_predictor_candidate'', %L, ''example'') p '
			'JOIN pg_temp.wfml_run_example e ON e.example = p.key::bigint',
			format('SELECT example, %s FROM pg_temp.wfml_run_example WHERE at >= %L AND at < %L', columns, cuts[c.fold], cuts[c.fold + 1]))
			USING c.rank, c.candidate;
	END LOOP;
	PERFORM wfml.drop_model('trigger_predictor_candidate');
	-- Examples of one run share its outcome, so runs are what is counted.
	RETURN QUERY
		WITH run AS (
			SELECT l.rank, l.candidate, e.workflow_id, e.at, avg(l.log_loss) AS log_loss, avg(l.brier) AS brier
			FROM pg_temp.wfml_run_loss l JOIN pg_temp.wfml_run_example e ON e.example = l.example
			GROUP BY l.rank, l.candidate, e.workflow_id, e.at
		), mean AS (
			SELECT r.rank, r.candidate, avg(r.log_loss) AS log_loss, avg(r.brier) AS brier FROM run r GROUP BY r.rank, r.candidate
		), best AS (
			SELECT m.rank FROM mean m ORDER BY m.log_loss, m.rank LIMIT 1
		), difference AS (
			SELECT r.rank, avg(r.log_loss - b.log_loss) AS mean, coalesce(stddev(r.log_loss - b.log_loss) / sqrt(count(*)), 0) AS se
			FROM run r JOIN run b ON b.rank = (SELECT best.rank FROM best) AND b.workflow_id = r.workflow_id AND b.at = r.at
			GROUP BY r.rank
		)
		SELECT m.candidate, m.log_loss, m.brier, d.mean, d.se,
			m.rank = (SELECT min(n.rank) FROM difference n WHERE n.mean <= n.se)
		FROM mean m JOIN difference d ON d.rank = m.rank ORDER BY m.rank;
	DROP TABLE pg_temp.wfml_run_example, pg_temp.wfml_run_loss;
END $$;
COMMENT ON FUNCTION wfml.trigger_candidates() IS
	'which model of success the bound runs bear: base rate, rate by hour, linear, small boosting (on numbers) and boosting (on all that is known, the workflow too) are trained on the first 40, 60 and 80 % of the time and judged on the next 20 %, on the last 100,000 runs. log_loss and brier: means over those runs; behind: how far the log loss is behind the best one''s, standard_error: of that difference; chosen: the simplest that is no more than one standard error behind. Trains fifteen models and keeps none';

CREATE FUNCTION wfml.train_trigger_predictor(params jsonb DEFAULT '{}') RETURNS wfml.training_summary
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	given jsonb := coalesce(params, '{}') - 'candidate';
	wanted text := params ->> 'candidate';
	runs bigint;
	succeeded bigint;
	r record;
	c record;
	columns text[];
	list text;
	summary wfml.training_summary;
BEGIN
	SELECT count(b.succeeded), count(*) FILTER (WHERE b.succeeded) INTO runs, succeeded
		FROM wfml.bound_rows('runs') AS b (succeeded boolean, started_at timestamptz) WHERE b.started_at IS NOT NULL;
	IF runs < 50 OR succeeded IN (0, runs) THEN
		RAISE EXCEPTION USING ERRCODE = '22023',
			MESSAGE = CASE WHEN runs < 50 THEN format('only %s bound runs have an outcome to learn from, 50 are needed', runs)
				WHEN succeeded = 0 THEN 'all runs that are bound failed' ELSE 'all runs that are bound succeeded' END,
			HINT = 'wfml.success_probability() answers by a rule meanwhile.';
	ELSIF wanted IS NOT NULL AND NOT EXISTS (SELECT FROM wfml.trigger_candidate_rows() t WHERE t.candidate = wanted) THEN
		RAISE EXCEPTION 'there is no candidate "%"', wanted USING ERRCODE = '22023',
			HINT = (SELECT 'Candidates are ' || string_agg('"' || t.candidate || '"', ', ' ORDER BY t.rank) || '.' FROM wfml.trigger_candidate_rows() t);
	END IF;
	IF wanted IS NULL THEN
		-- A background job may make no temporary tables, nor may everybody.
		BEGIN
			CREATE TEMP TABLE wfml_run_probe () ON COMMIT DROP;
			DROP TABLE pg_temp.wfml_run_probe;
		EXCEPTION WHEN insufficient_privilege THEN
			wanted := coalesce((SELECT t.candidate FROM wfml.versions v JOIN wfml.trigger_candidate_rows() t ON t.algorithm = v.algorithm AND v.params @> t.params
				WHERE v.name = 'trigger_predictor' AND v.active ORDER BY t.rank LIMIT 1), 'small boosting');
			RAISE NOTICE 'candidates are not compared, which needs temporary tables: % is taken', wanted;
		END;
	END IF;
	IF wanted IS NULL THEN
		FOR r IN SELECT * FROM wfml.trigger_candidates() LOOP
			RAISE NOTICE '%: log loss %, Brier score %, % (standard error %) behind the best%', r.candidate, round(r.log_loss::numeric, 4),
				round(r.brier::numeric, 4), round(r.behind::numeric, 4), round(r.standard_error::numeric, 4), CASE WHEN r.chosen THEN ': taken' ELSE '' END;
			wanted := CASE WHEN r.chosen THEN r.candidate ELSE wanted END;
		END LOOP;
	END IF;
	SELECT * INTO c FROM wfml.trigger_candidate_rows() t WHERE t.candidate = wanted;
	list := wfml.run_example_columns();
	SELECT array_agg(l.name ORDER BY l.i) INTO columns
		FROM (SELECT m.i, m.type, CASE WHEN m.word LIKE '"%' THEN replace(substr(m.word, 2, length(m.word) - 2), '""', '"') ELSE m.word END AS name
			FROM (SELECT row_number() OVER () AS i, x[1] AS word, x[2] AS type
				FROM regexp_matches(list, '("(?:[^"]|"")+"|[^\s",]+) (double precision|text|timestamptz|boolean)', 'g') x) m) l
		WHERE l.name NOT IN ('at', 'known_by', 'succeeded')
			AND CASE c.features WHEN 'numbers' THEN l.type = 'double precision' ELSE c.features IS NULL OR l.name = c.features END;
	SELECT * INTO summary FROM wfml.train('trigger_predictor', c.algorithm,
		format('SELECT at, succeeded, %s FROM wfml.run_examples() AS e (%s)', (SELECT string_agg(quote_ident(n), ', ') FROM unnest(columns) n), list),
		'succeeded', c.params || '{"validation": "time", "time_column": "at", "positive": "true"}' || given, columns);
	RETURN summary;
END $$;
COMMENT ON FUNCTION wfml.train_trigger_predictor(jsonb) IS
	'train model "trigger_predictor", the probability that a run succeeds, from the bound runs: the candidate that wfml.trigger_candidates() chooses, each as a NOTICE, on two examples of each run (wfml.run_examples()). params: candidate (base rate, hour rate, linear, small boosting or boosting) takes that one without comparing; all else goes to wfml.train(). Where temporary tables may not be made, as in a background job, it is the candidate of the active version, else small boosting. Call it as SELECT * FROM wfml.train_trigger_predictor()';

-- src/workflow/cron.sql

-- Cron expressions.

CREATE FUNCTION wfml.cron_next(expression text, after timestamptz, timezone text DEFAULT NULL) RETURNS timestamptz
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_cron_next';
COMMENT ON FUNCTION wfml.cron_next(text, timestamptz, text) IS
	'first moment after that one at which a cron expression matches: minute, hour, day of month, month, day of week (lists, ranges, steps, names of months and weekdays, 0 and 7 = Sunday; either day is enough when both are restricted), or @hourly, @daily, @weekly, @monthly, @yearly. timezone: the session''s when NULL. Where the clocks change, an hour field that begins with * follows the clock on the wall; other expressions name times that occur once a day, skipped ones when the clocks have gone forward and repeated ones at their first occurrence. NULL when it never matches, as 31 February';

CREATE FUNCTION wfml.cron_matches(expression text, at timestamptz, timezone text DEFAULT NULL) RETURNS boolean
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_cron_matches';
COMMENT ON FUNCTION wfml.cron_matches(text, timestamptz, text) IS
	'whether a cron expression matches the minute of that moment; see wfml.cron_next()';

-- src/workflow/best_times.sql

-- When a workflow does best.

CREATE FUNCTION wfml.slot_values(slots integer[], succeeded boolean[], who integer[],
	group_runs double precision[] DEFAULT NULL, outcome_model boolean DEFAULT true)
	RETURNS TABLE (slot integer, probability double precision, lower double precision, support integer)
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_slot_values';
COMMENT ON FUNCTION wfml.slot_values(integer[], boolean[], integer[], double precision[], boolean) IS
	'success rate that runs would have had in each slot (0 to 23: the hours of Monday to Friday, 24 to 47: those of Saturday and Sunday), with its lower 80 % bound and the runs there, from runs in order of time: their slots, outcomes and who started each (a number from 0 to the number of runs). Doubly robust: each run is corrected by an outcome model of who, hour and weekend that has seen earlier runs only, and weighed by the share of the slot, shrunk to group_runs, counts by slot. outcome_model false: plain rates, shrunk to the rate of all';

CREATE FUNCTION wfml.slot_policy(slots integer[], succeeded boolean[], who integer[], windows integer[], allowed bigint[],
	group_runs double precision[] DEFAULT NULL, outcome_model boolean DEFAULT true)
	RETURNS TABLE (run integer, slot integer, weight double precision, value double precision)
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_slot_policy';
COMMENT ON FUNCTION wfml.slot_policy(integer[], boolean[], integer[], integer[], bigint[], double precision[], boolean) IS
	'what would have come of starting each window''s runs in the slot that wfml.slot_values() of the 1000 runs before it names the best of those allowed (bits of the slots): for each run that slot (NULL: none had 5 runs), the weight of the run for it and its doubly robust value, whose mean is the estimated success rate. windows: equal numbers one after the other are one window, negative ones history only';

CREATE FUNCTION wfml.slot_of(at timestamptz, timezone text) RETURNS integer
	LANGUAGE SQL STABLE PARALLEL SAFE
	RETURN EXTRACT(hour FROM (at AT TIME ZONE timezone))::integer
		+ CASE WHEN EXTRACT(isodow FROM (at AT TIME ZONE timezone)) > 5 THEN 24 ELSE 0 END;
COMMENT ON FUNCTION wfml.slot_of(timestamptz, text) IS 'slot of a moment: its hour, plus 24 on Saturday and Sunday';

-- Runs by slot of the workflow's group: its category if that has enough of the newest runs, else all.
CREATE FUNCTION wfml.slot_group(workflow_id text, known_by timestamptz, timezone text) RETURNS double precision[]
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	own_category text;
	members text[];
	result double precision[];
BEGIN
	IF wfml.has_source('workflows') THEN
		SELECT w.category INTO own_category
		FROM wfml.bound_rows('workflows', workflow_id => slot_group.workflow_id) AS w (category text);
		IF own_category IS NOT NULL THEN
			SELECT array_agg(w.workflow_id) INTO members
			FROM wfml.bound_rows('workflows') AS w (workflow_id text, category text) WHERE w.category = own_category;
		END IF;
	END IF;
	WITH newest AS MATERIALIZED (
		SELECT EXTRACT(hour FROM local.t)::integer + CASE WHEN EXTRACT(isodow FROM local.t) > 5 THEN 24 ELSE 0 END AS slot,
			coalesce(r.workflow_id = ANY (members), false) AS near
		FROM wfml.bound_rows('runs', until => known_by, row_limit => 2000) AS r (workflow_id text, started_at timestamptz)
		CROSS JOIN LATERAL (SELECT r.started_at AT TIME ZONE slot_group.timezone) local (t)
		WHERE isfinite(r.started_at)),
	chosen AS MATERIALIZED (
		SELECT n.slot, count(*) AS runs FROM newest n
		WHERE n.near OR (SELECT count(*) FILTER (WHERE near) FROM newest) < 200 GROUP BY n.slot)
	SELECT array_agg(coalesce(c.runs, 0)::double precision ORDER BY s.slot) INTO result
	FROM generate_series(0, 47) s (slot) LEFT JOIN chosen c ON c.slot = s.slot;
	RETURN result;
END $$;
COMMENT ON FUNCTION wfml.slot_group(text, timestamptz, text) IS
	'counts by slot of the newest 2000 runs of all workflows that finished before known_by: of those of the same category if they are 200 or more, else of all';

CREATE FUNCTION wfml.slot_estimates(workflow_id text, known_by timestamptz DEFAULT now())
	RETURNS TABLE (slot integer, probability double precision, lower double precision, support integer,
		expected_duration interval, source text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	zone text;
	model boolean := wfml.has_model('trigger_predictor');
	slots integer[];
	succeeded boolean[];
	who integer[];
	took double precision[];
	usual double precision;
BEGIN
	SELECT b.timezone INTO zone FROM wfml.bound_source('runs') b;
	SELECT array_agg(r.slot ORDER BY r.n), array_agg(r.succeeded ORDER BY r.n), array_agg(r.who ORDER BY r.n),
		array_agg(r.took ORDER BY r.n), percentile_cont(0.5) WITHIN GROUP (ORDER BY r.took)
	INTO slots, succeeded, who, took, usual
	FROM (SELECT EXTRACT(hour FROM local.t)::integer + CASE WHEN EXTRACT(isodow FROM local.t) > 5 THEN 24 ELSE 0 END AS slot,
			b.succeeded, (dense_rank() OVER (ORDER BY b.user_id))::integer AS who,
			EXTRACT(epoch FROM b.finished_at - b.started_at)::double precision AS took,
			row_number() OVER (ORDER BY b.finished_at, b.started_at, b.user_id, b.succeeded) AS n
		FROM wfml.bound_rows('runs', workflow_id => slot_estimates.workflow_id, until => known_by, row_limit => 1000)
			AS b (user_id text, started_at timestamptz, finished_at timestamptz, succeeded boolean)
		CROSS JOIN LATERAL (SELECT b.started_at AT TIME ZONE zone) local (t)
		WHERE b.succeeded IS NOT NULL AND isfinite(b.started_at) AND isfinite(b.finished_at)) r;
	RETURN QUERY
	SELECT v.slot, v.probability, v.lower, v.support,
		make_interval(secs => coalesce(d.took, usual)), CASE WHEN model THEN 'ml' ELSE 'rule' END
	FROM wfml.slot_values(coalesce(slots, '{}'), coalesce(succeeded, '{}'), coalesce(who, '{}'),
		CASE WHEN model THEN wfml.slot_group(workflow_id, known_by, zone) END, model) v
	LEFT JOIN (SELECT u.slot, percentile_cont(0.5) WITHIN GROUP (ORDER BY u.took) AS took
		FROM unnest(slots, took) u (slot, took) GROUP BY u.slot) d ON d.slot = v.slot;
END $$;
COMMENT ON FUNCTION wfml.slot_estimates(text, timestamptz) IS
	'wfml.slot_values() of a workflow''s newest 1000 runs that finished before known_by, hours in the time zone of the binding; expected_duration: median of the slot''s runs, of all when it has none. source "ml" where a model trigger_predictor is there, else "rule": success rate of the slot''s runs with 4 runs of the workflow''s rate added, and Wilson''s bound';

CREATE FUNCTION wfml.best_times(workflow_id text, since timestamptz DEFAULT now(), until timestamptz DEFAULT now() + interval '1 day',
	step interval DEFAULT '1 hour', n integer DEFAULT 5)
	RETURNS TABLE (at timestamptz, probability double precision, lower double precision, expected_duration interval,
		support integer, reason text, source text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	zone text;
	first timestamptz;
	length double precision := EXTRACT(epoch FROM step);
BEGIN
	IF workflow_id IS NULL OR since IS NULL OR until IS NULL OR n IS NULL THEN
		RAISE EXCEPTION 'arguments of best_times() must not be null' USING ERRCODE = '22004';
	ELSIF length IS NULL OR length < 60 OR EXTRACT(year FROM step) <> 0 OR EXTRACT(month FROM step) <> 0 THEN
		RAISE EXCEPTION 'step must be between 1 minute and a number of days' USING ERRCODE = '22023',
			HINT = 'For example: step => ''1 hour''.';
	ELSIF n < 0 THEN
		RAISE EXCEPTION 'n must be 0 or more' USING ERRCODE = '22023';
	ELSIF NOT isfinite(since) OR NOT isfinite(until) OR EXTRACT(epoch FROM until - since) / length > 10000 THEN
		RAISE EXCEPTION 'best_times() looks at 10000 moments at most' USING ERRCODE = '54000',
			HINT = 'Bring since and until closer together, or take a longer step.';
	END IF;
	SELECT b.timezone INTO zone FROM wfml.bound_source('runs') b;
	first := date_bin(step, since, timestamp '2001-01-01' AT TIME ZONE zone);
	RETURN QUERY
	SELECT m.at, e.probability, CASE WHEN e.support >= 5 THEN e.lower END, e.expected_duration, e.support,
		CASE WHEN e.support < 5 THEN format('no support: %s %s at this hour, 5 are needed', e.support,
			CASE WHEN e.support = 1 THEN 'run' ELSE 'runs' END) END, e.source
	FROM (SELECT greatest(first + i * step, since) AS at FROM generate_series(0, (ceil(EXTRACT(epoch FROM until - first) / length))::integer) i
		WHERE first + (i + 1) * step > since AND first + i * step < until AND since < until) m
	CROSS JOIN LATERAL (SELECT m.at AT TIME ZONE zone) local (t)
	JOIN wfml.slot_estimates(workflow_id, least(since, now())) e
		ON e.slot = EXTRACT(hour FROM local.t)::integer + CASE WHEN EXTRACT(isodow FROM local.t) > 5 THEN 24 ELSE 0 END
	ORDER BY e.support >= 5 DESC, CASE WHEN e.support >= 5 THEN e.lower ELSE e.probability END DESC, m.at
	LIMIT n;
END $$;
COMMENT ON FUNCTION wfml.best_times(text, timestamptz, timestamptz, interval, integer) IS
	'the n best moments to start a workflow from since to until (exclusive), every step, from the runs known at since (now if that is later): best lower bound first. probability: estimated success rate of its hour, weekdays and weekends apart; lower: it is above that in about 9 of 10 cases; support: runs of its newest 1000 in that hour. Under 5 there is no support: lower is NULL, reason says so, and the moment ranks after all others. source "ml": doubly robust with an outcome model of its own that learns these runs in the call, see wfml.slot_values(); it is used once a model trigger_predictor has been trained, whose probabilities do not enter. "rule", before that: shrunk success rate of the hour. Assumes that what makes a run fail and also moves its hour is seen: who runs it and when';

-- src/workflow/schedules.sql

-- Schedules, decisions, dispatch.

CREATE SEQUENCE wfml.schedule_id_seq AS bigint;
CREATE TABLE wfml.schedule (
	id bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.schedule_id_seq') CONSTRAINT schedule_pkey PRIMARY KEY,
	owner regrole NOT NULL,
	workflow_id text COLLATE "C" NOT NULL,
	type text NOT NULL CHECK (type IN ('interval', 'cron', 'event', 'sequence', 'predictive')),
	spec jsonb NOT NULL,
	enabled boolean NOT NULL DEFAULT true,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	last_fired_at timestamptz,
	next_at timestamptz,
	seen_at timestamptz,
	fired bigint NOT NULL DEFAULT 0,
	CONSTRAINT schedule_workflow_id_owner_key UNIQUE (workflow_id, owner)
);
ALTER SEQUENCE wfml.schedule_id_seq OWNED BY wfml.schedule.id;
CREATE INDEX schedule_next_at ON wfml.schedule (next_at, id) WHERE enabled;
COMMENT ON TABLE wfml.schedule IS 'when workflows are to run: one schedule for each workflow and owner';
COMMENT ON COLUMN wfml.schedule.next_at IS 'it need not be looked at before; of interval and cron: when it is due';
COMMENT ON COLUMN wfml.schedule.seen_at IS 'time of the newest event that it has fired for';
COMMENT ON COLUMN wfml.schedule.fired IS 'how often it was claimed';

-- A row of its own, so that who plans never waits for who fires.
CREATE TABLE wfml.schedule_plan (
	schedule bigint NOT NULL CONSTRAINT schedule_plan_pkey PRIMARY KEY REFERENCES wfml.schedule (id) ON UPDATE CASCADE ON DELETE CASCADE,
	opens timestamptz,
	closes timestamptz,
	slots jsonb,
	source text,
	planned_at timestamptz
);
COMMENT ON TABLE wfml.schedule_plan IS 'what the hours of a predictive schedule''s window were worth when it was first looked at';

CREATE SEQUENCE wfml.schedule_decision_id_seq AS bigint;
CREATE TABLE wfml.schedule_decision (
	id bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.schedule_decision_id_seq') CONSTRAINT schedule_decision_pkey PRIMARY KEY,
	owner regrole NOT NULL,
	schedule bigint,
	workflow_id text COLLATE "C" NOT NULL,
	type text,
	first_at timestamptz NOT NULL,
	last_at timestamptz NOT NULL,
	times bigint NOT NULL DEFAULT 1,
	run boolean NOT NULL,
	claimed boolean NOT NULL DEFAULT false,
	probability double precision,
	source text NOT NULL,
	reason text NOT NULL,
	alternatives jsonb,
	noted_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
) WITH (fillfactor = 85);
ALTER SEQUENCE wfml.schedule_decision_id_seq OWNED BY wfml.schedule_decision.id;
CREATE INDEX schedule_decision_workflow_id ON wfml.schedule_decision (workflow_id, owner, id);
COMMENT ON TABLE wfml.schedule_decision IS 'what should_run() and claim_due() answered; no reference to the schedule, which may be gone';

REVOKE ALL ON wfml.schedule, wfml.schedule_plan, wfml.schedule_decision FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('wfml.schedule', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.schedule_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.schedule_plan', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.schedule_decision', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.schedule_decision_id_seq', '');

CREATE VIEW wfml.schedules WITH (security_barrier) AS
	SELECT s.id, s.owner, s.workflow_id, s.type, s.spec, s.enabled, s.created_at, s.last_fired_at, s.next_at, s.fired, s.seen_at,
		p.opens, p.closes, p.slots AS plan, p.source AS plan_source, p.planned_at
	FROM wfml.schedule s LEFT JOIN wfml.schedule_plan p ON p.schedule = s.id
	WHERE pg_catalog.pg_has_role(s.owner::oid, 'USAGE');
COMMENT ON VIEW wfml.schedules IS
	'schedules of your roles. next_at: it will not run before; opens, closes, plan: the last window of a predictive one that was planned, and what its hours are worth';
GRANT SELECT ON wfml.schedules TO PUBLIC;

CREATE VIEW wfml.decisions WITH (security_barrier) AS
	SELECT d.id, d.owner, d.workflow_id, d.type, d.first_at, d.last_at, d.times, d.run, d.claimed, d.probability, d.source, d.reason, d.alternatives
	FROM wfml.schedule_decision d
	WHERE pg_catalog.pg_has_role(d.owner::oid, 'USAGE');
COMMENT ON VIEW wfml.decisions IS
	'what should_run() and claim_due() decided for your roles, newest: ORDER BY id DESC. times: how often in a row, from first_at to last_at; claimed: claim_due() handed it out; probability: of success; alternatives: the best hours that were left. Kept for 90 days';
GRANT SELECT ON wfml.decisions TO PUBLIC;

CREATE FUNCTION wfml.put_schedule(workflow_id text, type text, spec jsonb, next_at timestamptz) RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wfml_put_schedule';
COMMENT ON FUNCTION wfml.put_schedule(text, text, jsonb, timestamptz) IS 'for wfml.schedule(): stores what it has checked';
CREATE FUNCTION wfml.remove_schedule(id bigint) RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wfml_remove_schedule';
COMMENT ON FUNCTION wfml.remove_schedule(bigint) IS 'for wfml.unschedule()';
CREATE FUNCTION wfml.enable_schedule(id bigint, enabled boolean) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wfml_enable_schedule';
COMMENT ON FUNCTION wfml.enable_schedule(bigint, boolean) IS 'pause (false) or resume a schedule of your roles, by its id in wfml.schedules; false when there is none';
CREATE FUNCTION wfml.stamp_schedule(id bigint, last_fired_at timestamptz, next_at timestamptz, at timestamptz,
	new_next_at timestamptz, seen_at timestamptz) RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wfml_stamp_schedule';
COMMENT ON FUNCTION wfml.stamp_schedule(bigint, timestamptz, timestamptz, timestamptz, timestamptz, timestamptz) IS
	'for wfml.claim_due(): marks a schedule of your roles as fired if it still is as it was found and nobody else is at it';
CREATE FUNCTION wfml.note_plan(schedule bigint, opens timestamptz, closes timestamptz, slots jsonb, source text) RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wfml_note_plan';
COMMENT ON FUNCTION wfml.note_plan(bigint, timestamptz, timestamptz, jsonb, text) IS 'for wfml.should_run(): keeps a window''s plan where it can be written';
CREATE FUNCTION wfml.note_decision(schedule bigint, workflow_id text, type text, at timestamptz, run boolean, claimed boolean,
	probability double precision, source text, reason text, alternatives jsonb) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wfml_note_decision';
COMMENT ON FUNCTION wfml.note_decision(bigint, text, text, timestamptz, boolean, boolean, double precision, text, text, jsonb) IS
	'for wfml.should_run() and wfml.claim_due(): logs a decision where it can be written: that on a schedule of your roles for its owner, all else for you';
CREATE FUNCTION wfml.prune_decisions(older_than interval DEFAULT '90 days') RETURNS bigint
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wfml_prune_decisions';
COMMENT ON FUNCTION wfml.prune_decisions(interval) IS
	'delete decisions of your roles that were last repeated longer ago; how many. Those of 90 days go by themselves as new ones are logged';

-- ---- making schedules ----

CREATE FUNCTION wfml.schedule_spec_error(message text, hint text) RETURNS void
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION '%', message USING ERRCODE = '22023', HINT = coalesce(hint, 'See the comment of wfml.schedule().');
END $$;
COMMENT ON FUNCTION wfml.schedule_spec_error(text, text) IS 'error of wfml.schedule()';

-- A duration of a spec; an error names the key.
CREATE FUNCTION wfml.schedule_duration(spec jsonb, key text, least_value interval, otherwise interval) RETURNS interval
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	result interval;
BEGIN
	IF NOT spec ? key THEN
		RETURN otherwise;
	END IF;
	IF jsonb_typeof(spec -> key) = 'string' THEN
		BEGIN
			result := (spec ->> key)::interval;
		EXCEPTION WHEN data_exception THEN
			result := NULL;
		END;
	END IF;
	IF result IS NULL OR result < least_value OR result > interval '10 years' THEN
		PERFORM wfml.schedule_spec_error(format('"%s" of a schedule is no duration from %s to 10 years: %s', key, least_value, spec -> key),
			'Durations are texts like "15 minutes", "6 hours" or "1 day".');
	END IF;
	RETURN result;
END $$;
COMMENT ON FUNCTION wfml.schedule_duration(jsonb, text, interval, interval) IS 'a checked duration of a schedule''s spec';

CREATE FUNCTION wfml.check_schedule(type text, spec jsonb) RETURNS jsonb
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	clock_form constant text := '^([01]?[0-9]|2[0-3]):[0-5][0-9]$';
	window_form constant text := '^([01]?[0-9]|2[0-3]):[0-5][0-9]-([01]?[0-9]|2[0-3]):[0-5][0-9]$';
	valid text[];
	needed text;
	key text;
	zone text;
	kept jsonb := spec;
BEGIN
	valid := CASE type WHEN 'interval' THEN '{every}' WHEN 'cron' THEN '{cron,timezone}' WHEN 'event' THEN '{event,user_id,cooldown}'
		WHEN 'sequence' THEN '{event,user_id,threshold,cooldown}'
		WHEN 'predictive' THEN '{window,deadline,cooldown,min_probability,timezone}' END::text[];
	IF valid IS NULL THEN
		PERFORM wfml.schedule_spec_error(format('unknown type of schedule "%s"', type),
			'There are interval, cron, event, sequence and predictive.');
	ELSIF jsonb_typeof(spec) <> 'object' THEN
		PERFORM wfml.schedule_spec_error('the spec of a schedule is a JSON object', format('Its keys for type %s are %s.', type, array_to_string(valid, ', ')));
	END IF;
	FOR key IN SELECT jsonb_object_keys(spec) LOOP
		IF key <> ALL (valid) THEN
			PERFORM wfml.schedule_spec_error(format('unknown key "%s" of a schedule of type %s', key, type),
				format('Its keys are %s.', array_to_string(valid, ', ')));
		ELSIF key IN ('threshold', 'min_probability') THEN
			IF jsonb_typeof(spec -> key) <> 'number' OR NOT (spec ->> key)::numeric BETWEEN 0 AND 1 THEN
				PERFORM wfml.schedule_spec_error(format('"%s" of a schedule must be a number between 0 and 1, not %s', key, spec -> key), NULL);
			END IF;
		ELSIF jsonb_typeof(spec -> key) <> 'string' OR spec ->> key = '' THEN
			PERFORM wfml.schedule_spec_error(format('"%s" of a schedule must be a text, not %s', key, spec -> key), NULL);
		END IF;
	END LOOP;
	FOREACH needed IN ARRAY CASE type WHEN 'interval' THEN '{every}' WHEN 'sequence' THEN '{event,user_id}'
		WHEN 'predictive' THEN '{window}' ELSE ARRAY[type] END::text[]
	LOOP
		IF NOT spec ? needed THEN
			PERFORM wfml.schedule_spec_error(format('a schedule of type %s needs the key "%s"', type, needed),
				CASE needed WHEN 'every' THEN 'For example: {"every": "15 minutes"}.' WHEN 'cron' THEN 'For example: {"cron": "30 6 * * mon-fri", "timezone": "Europe/Berlin"}.'
					WHEN 'window' THEN 'For example: {"window": "06:00-12:00"}, or {"window": "24 hours"} after each run.'
					ELSE format('Its keys are %s.', array_to_string(valid, ', ')) END);
		END IF;
	END LOOP;
	PERFORM wfml.schedule_duration(spec, 'every', interval '1 second', NULL);
	PERFORM wfml.schedule_duration(spec, 'cooldown', interval '0', NULL);
	IF type IN ('cron', 'predictive') THEN
		zone := coalesce(spec ->> 'timezone', CASE WHEN type = 'predictive' AND wfml.has_source('runs')
			THEN (SELECT b.timezone FROM wfml.bound_source('runs') b) END, current_setting('TimeZone'));
		-- an unknown zone is an error of cron_next()
		IF wfml.cron_next(coalesce(spec ->> 'cron', '@daily'), now(), zone) IS NULL THEN
			PERFORM wfml.schedule_spec_error(format('cron expression "%s" never matches', spec ->> 'cron'), NULL);
		END IF;
		kept := kept || jsonb_build_object('timezone', zone);
	END IF;
	IF type = 'predictive' THEN
		IF spec ->> 'window' ~ window_form THEN
			IF split_part(spec ->> 'window', '-', 1)::time = split_part(spec ->> 'window', '-', 2)::time THEN
				PERFORM wfml.schedule_spec_error(format('window "%s" is empty', spec ->> 'window'), 'A whole day is {"window": "24 hours"}, or "00:00-23:59".');
			END IF;
		ELSIF spec ->> 'window' ~ ':[0-9]+ *-' OR spec ->> 'window' !~ '^[0-9]' THEN
			PERFORM wfml.schedule_spec_error(format('"%s" is no window', spec ->> 'window'), 'A window is "06:00-12:00", each day, or a duration like "24 hours" after each run.');
		ELSIF wfml.schedule_duration(spec, 'window', interval '1 hour', NULL) > interval '31 days' THEN
			PERFORM wfml.schedule_spec_error('a window is 31 days long at most', NULL);
		ELSIF wfml.schedule_duration(spec, 'cooldown', interval '0', interval '0') >= (spec ->> 'window')::interval THEN
			PERFORM wfml.schedule_spec_error('"cooldown" must be shorter than "window"', NULL);
		END IF;
		IF spec ->> 'deadline' ~ clock_form THEN
			IF spec ->> 'window' !~ window_form THEN
				PERFORM wfml.schedule_spec_error('"deadline" is a time of day only when "window" is one', 'Give a duration after the window opens, for example "20 hours".');
			END IF;
		ELSE
			PERFORM wfml.schedule_duration(spec, 'deadline', interval '1 minute', NULL);
		END IF;
	END IF;
	RETURN kept;
END $$;
COMMENT ON FUNCTION wfml.check_schedule(text, jsonb) IS
	'checks a schedule''s spec; gives it back with its time zone, by default that of the binding of runs (predictive) or the session''s';

-- Of the interval's grid the first moment after that one.
CREATE FUNCTION wfml.next_of_grid(due timestamptz, every interval, after timestamptz) RETURNS timestamptz
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	length constant double precision := EXTRACT(epoch FROM every);
	steps bigint;
BEGIN
	IF length < 1 THEN
		RAISE EXCEPTION 'the interval of a schedule must be at least a second' USING ERRCODE = '22023';
	END IF;
	-- Months differ by 3 days from their mean and the clocks by hours: begin that much early.
	steps := floor(EXTRACT(epoch FROM after - due) / (length * CASE WHEN every >= interval '28 days' THEN 1.02 ELSE 1 END))
		- CASE WHEN EXTRACT(day FROM every) <> 0 OR EXTRACT(month FROM every) <> 0 THEN ceil(7200 / length) ELSE 0 END - 1;
	steps := greatest(steps, 0);
	WHILE due + steps * every <= after LOOP
		steps := steps + 1;
	END LOOP;
	RETURN due + steps * every;
END $$;
COMMENT ON FUNCTION wfml.next_of_grid(timestamptz, interval, timestamptz) IS 'first of due + k * every that is after a moment';

CREATE FUNCTION wfml.schedule(workflow_id text, type text, spec jsonb DEFAULT '{}') RETURNS bigint
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	checked jsonb;
BEGIN
	IF workflow_id IS NULL OR type IS NULL OR spec IS NULL THEN
		RAISE EXCEPTION 'arguments of schedule() must not be null' USING ERRCODE = '22004';
	END IF;
	checked := wfml.check_schedule(type, spec);
	RETURN wfml.put_schedule(workflow_id, type, checked,
		CASE type WHEN 'cron' THEN wfml.cron_next(checked ->> 'cron', now(), checked ->> 'timezone') ELSE now() END);
END $$;
COMMENT ON FUNCTION wfml.schedule(text, text, jsonb) IS
	'say when a workflow is to run; replaces your schedule of it before, but keeps when it last ran. type and spec: interval {every}, cron {cron, timezone}, event {event, user_id, cooldown}, sequence {event, user_id, threshold 0.5, cooldown 1 hour}, predictive {window "06:00-12:00" or "24 hours" after each run, deadline, cooldown, min_probability, timezone}. Returns its id in wfml.schedules. Nothing runs by itself: a dispatcher calls wfml.claim_due()';

CREATE FUNCTION wfml.unschedule(workflow_id text) RETURNS boolean
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN coalesce((SELECT wfml.remove_schedule(s.id) FROM wfml.schedules s WHERE s.workflow_id = unschedule.workflow_id
		ORDER BY s.owner = quote_ident(current_user)::regrole DESC, s.id LIMIT 1), false);
END $$;
COMMENT ON FUNCTION wfml.unschedule(text) IS
	'forget the schedule of a workflow, yours or else one of a role whose rights you have; false when there was none. What it decided stays in wfml.decisions';

-- ---- deciding ----

-- The window that a moment belongs to: the one open, else the last one that was.
CREATE FUNCTION wfml.schedule_window(spec jsonb, base timestamptz, fired boolean, at timestamptz,
	OUT opens timestamptz, OUT closes timestamptz, OUT deadline timestamptz, OUT daily boolean)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	window_text constant text := spec ->> 'window';
	zone constant text := spec ->> 'timezone';
	local timestamp;
	open_time time;
	close_time time;
	length interval;
	steps double precision;
BEGIN
	daily := window_text ~ '^[0-9]+:[0-9]+-';
	IF daily THEN
		open_time := split_part(window_text, '-', 1)::time;
		close_time := split_part(window_text, '-', 2)::time;
		local := (at AT TIME ZONE zone)::date + open_time;
		IF local AT TIME ZONE zone > at THEN
			local := local - interval '1 day';
		END IF;
		opens := local AT TIME ZONE zone;
		closes := (local::date + close_time + CASE WHEN close_time <= open_time THEN interval '1 day' ELSE interval '0' END) AT TIME ZONE zone;
	ELSE
		length := window_text::interval;
		steps := greatest(floor(EXTRACT(epoch FROM at - base) / EXTRACT(epoch FROM length)), 0);
		opens := base + steps * length;
		closes := opens + length;
		IF fired AND steps = 0 THEN
			opens := base + coalesce((spec ->> 'cooldown')::interval, length / 2);
		END IF;
	END IF;
	IF spec ->> 'deadline' ~ '^[0-9]+:[0-9]+$' THEN
		deadline := (local::date + (spec ->> 'deadline')::time
			+ CASE WHEN (spec ->> 'deadline')::time <= open_time THEN interval '1 day' ELSE interval '0' END) AT TIME ZONE zone;
	ELSE
		deadline := opens + (spec ->> 'deadline')::interval;
	END IF;
END $$;
COMMENT ON FUNCTION wfml.schedule_window(jsonb, timestamptz, boolean, timestamptz) IS
	'window of a predictive schedule at a moment; base: its last firing, before the first one when it was made';

-- What the hours of a window are worth.
CREATE FUNCTION wfml.schedule_plan_slots(workflow_id text, opens timestamptz, closes timestamptz, at timestamptz,
	OUT slots jsonb, OUT source text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	SELECT jsonb_agg(jsonb_build_object('at', EXTRACT(epoch FROM b.at), 'probability', round(b.probability::numeric, 4),
			'lower', round(b.lower::numeric, 4), 'support', b.support) ORDER BY b.at), min(b.source)
	INTO slots, source
	FROM wfml.best_times(workflow_id, opens, closes, interval '1 hour', 10000) b;
	slots := coalesce(slots, '[]');
	source := coalesce(source, 'rule');
END $$;
COMMENT ON FUNCTION wfml.schedule_plan_slots(text, timestamptz, timestamptz, timestamptz) IS
	'for predictive schedules: wfml.best_times() of a window''s hours in order of time';

-- Does the hour in which "at" lies win against those that are left?
CREATE FUNCTION wfml.weigh_slots(slots jsonb, at timestamptz, min_probability double precision,
	OUT run boolean, OUT probability double precision, OUT reason text, OUT alternatives jsonb)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	now_s constant double precision := EXTRACT(epoch FROM at);
	slot jsonb;
	here jsonb;
	best jsonb;
	best_rank double precision;
	here_rank double precision;
	rank double precision;
BEGIN
	-- A supported hour ranks by its lower bound, above every other, which rank by probability.
	FOR slot IN SELECT jsonb_array_elements(slots) LOOP
		rank := coalesce(1 + (slot ->> 'lower')::double precision, (slot ->> 'probability')::double precision);
		IF (slot ->> 'at')::double precision <= now_s THEN
			here := slot;
			here_rank := rank;
		ELSIF coalesce((slot ->> 'probability')::double precision >= min_probability, true) AND (best IS NULL OR rank > best_rank) THEN
			best := slot;
			best_rank := rank;
		END IF;
	END LOOP;
	probability := (here ->> 'probability')::double precision;
	IF best IS NOT NULL THEN
		alternatives := jsonb_build_array(jsonb_set(best, '{at}', to_jsonb(to_timestamp((best ->> 'at')::double precision))));
	END IF;
	IF probability < min_probability THEN
		run := false;
		reason := format('success is less probable than min_probability %s', min_probability);
	ELSIF best IS NULL THEN
		run := true;
		reason := 'no later hour of the window is left';
	ELSIF here IS NULL OR here_rank < best_rank THEN
		run := false;
		reason := CASE WHEN here ->> 'lower' IS NULL THEN 'no support at this hour, a later one of the window is better'
			ELSE 'a later hour of the window has a better lower bound' END;
	ELSE
		run := true;
		reason := CASE WHEN here ->> 'lower' IS NULL THEN 'no hour that is left has support, and none is more probable to succeed'
			ELSE 'no later hour of the window has a better lower bound' END;
	END IF;
END $$;
COMMENT ON FUNCTION wfml.weigh_slots(jsonb, timestamptz, double precision) IS 'for predictive schedules: a moment against the later hours of a plan';

CREATE FUNCTION wfml.decide_event(type text, spec jsonb, since timestamptz, at timestamptz,
	OUT run boolean, OUT probability double precision, OUT reason text, OUT source text, OUT alternatives jsonb, OUT seen_at timestamptz)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	threshold constant double precision := coalesce((spec ->> 'threshold')::double precision, 0.5);
BEGIN
	source := 'rule';
	IF type = 'event' THEN
		SELECT max(e.at) INTO seen_at
		FROM wfml.bound_rows('events', user_id => spec ->> 'user_id', since => decide_event.since,
			until => decide_event.at + interval '1 microsecond') AS e (event text, at timestamptz)
		WHERE e.event = spec ->> 'event' AND e.at > decide_event.since;
		run := seen_at IS NOT NULL;
		reason := CASE WHEN run THEN 'the event has come' ELSE 'the event has not come since' END;
	ELSE
		SELECT max(e.probability) FILTER (WHERE e.event = spec ->> 'event'), coalesce(min(e.source), 'rule'),
			jsonb_agg(jsonb_build_object('event', e.event, 'probability', round(e.probability::numeric, 4)) ORDER BY e.rank) FILTER (WHERE e.rank <= 3)
		INTO probability, decide_event.source, alternatives
		FROM wfml.next_workflow_events(spec ->> 'user_id', 100, at) e;
		probability := coalesce(probability, 0);
		run := probability >= threshold;
		reason := format('the next event is %s with a probability %s', quote_ident(spec ->> 'event'),
			CASE WHEN run THEN 'of ' ELSE 'under ' END || threshold || CASE WHEN run THEN ' or more' ELSE '' END);
	END IF;
END $$;
COMMENT ON FUNCTION wfml.decide_event(text, jsonb, timestamptz, timestamptz) IS 'for should_run(): schedules of type event and sequence';

CREATE FUNCTION wfml.decide_predictive(s wfml.schedules, at timestamptz,
	OUT run boolean, OUT probability double precision, OUT reason text, OUT source text, OUT alternatives jsonb, OUT next_at timestamptz)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	w record;
	plan jsonb := s.plan;
BEGIN
	source := coalesce(s.plan_source, 'rule');
	run := false;
	w := wfml.schedule_window(s.spec, coalesce(s.last_fired_at, s.created_at), s.last_fired_at IS NOT NULL, at);
	IF s.last_fired_at >= w.opens OR (NOT w.daily AND at < w.opens) THEN
		reason := CASE WHEN w.daily THEN 'it ran in this window' ELSE 'it ran a short while ago' END;
		RETURN;
	ELSIF at < s.last_fired_at + (s.spec ->> 'cooldown')::interval THEN
		reason := 'cooldown';
		RETURN;
	ELSIF at >= w.deadline AND w.deadline >= s.created_at THEN
		run := true;
		reason := 'the deadline has passed';
		IF at >= w.closes THEN
			RETURN;
		END IF;
	ELSIF at >= w.closes THEN
		reason := 'the window is closed';
		RETURN;
	END IF;
	IF plan IS NULL OR s.opens IS DISTINCT FROM w.opens OR s.closes IS DISTINCT FROM w.closes THEN
		BEGIN
			SELECT p.slots, p.source INTO plan, source FROM wfml.schedule_plan_slots(s.workflow_id, w.opens, w.closes, at) p;
			-- A moment to come is asked about, not planned for.
			IF at <= clock_timestamp() THEN
				PERFORM wfml.note_plan(s.id, w.opens, w.closes, plan, source);
			END IF;
		EXCEPTION WHEN transaction_rollback THEN
			RAISE;
		WHEN others THEN
			-- The deadline holds all the same.
			IF NOT run THEN
				RAISE;
			END IF;
			reason := format('the deadline has passed; hours cannot be judged: %s', SQLERRM);
			source := 'rule';
			RETURN;
		END;
	END IF;
	IF run THEN
		SELECT d.probability, d.alternatives INTO probability, alternatives
		FROM wfml.weigh_slots(plan, at, NULL) d;
	ELSE
		SELECT d.run, d.probability, d.reason, d.alternatives INTO run, probability, reason, alternatives
		FROM wfml.weigh_slots(plan, at, (s.spec ->> 'min_probability')::double precision) d;
	END IF;
END $$;
COMMENT ON FUNCTION wfml.decide_predictive(wfml.schedules, timestamptz) IS 'for should_run(): schedules of type predictive';

CREATE FUNCTION wfml.decide_as_owner(s wfml.schedules, at timestamptz,
	OUT run boolean, OUT probability double precision, OUT reason text, OUT source text, OUT alternatives jsonb,
	OUT next_at timestamptz, OUT seen_at timestamptz)
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wfml_decide_as_owner';
COMMENT ON FUNCTION wfml.decide_as_owner(wfml.schedules, timestamptz) IS
	'for wfml.decide(): the same by the sources and models of the schedule''s owner and with his rights only; you must have them';

CREATE FUNCTION wfml.decide(s wfml.schedules, at timestamptz,
	OUT run boolean, OUT probability double precision, OUT reason text, OUT source text, OUT alternatives jsonb,
	OUT next_at timestamptz, OUT seen_at timestamptz)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- By its owner's data and models, whoever asks; decide_as_owner() comes back here as that owner.
	IF s.owner <> quote_ident(current_user)::regrole THEN
		SELECT o.* INTO run, probability, reason, source, alternatives, next_at, seen_at FROM wfml.decide_as_owner(s, at) o;
		RETURN;
	END IF;
	run := false;
	source := 'rule';
	IF at < s.next_at THEN
		reason := CASE WHEN s.type IN ('interval', 'cron') THEN format('next at %s', s.next_at)
			WHEN s.last_fired_at IS NULL THEN 'the schedule was made later' ELSE 'cooldown' END;
		RETURN;
	ELSIF s.type IN ('interval', 'cron') THEN
		run := true;
		reason := format('due since %s', s.next_at);
		next_at := CASE s.type WHEN 'interval' THEN wfml.next_of_grid(s.next_at, (s.spec ->> 'every')::interval, at)
			ELSE wfml.cron_next(s.spec ->> 'cron', at, s.spec ->> 'timezone') END;
	ELSIF s.type = 'predictive' THEN
		SELECT d.run, d.probability, d.reason, d.source, d.alternatives INTO run, probability, reason, source, alternatives
		FROM wfml.decide_predictive(s, at) d;
		next_at := at + coalesce((s.spec ->> 'cooldown')::interval, CASE WHEN s.spec ->> 'window' !~ ':[0-9]+-' THEN (s.spec ->> 'window')::interval / 2 END, interval '0');
	ELSE
		SELECT d.run, d.probability, d.reason, d.source, d.alternatives, d.seen_at INTO run, probability, reason, source, alternatives, seen_at
		FROM wfml.decide_event(s.type, s.spec, coalesce(s.seen_at, s.last_fired_at, s.created_at), at) d;
		next_at := at + coalesce((s.spec ->> 'cooldown')::interval, CASE s.type WHEN 'sequence' THEN interval '1 hour' ELSE interval '0' END);
	END IF;
	-- How likely a run that is asked for for other reasons is to succeed: it runs whether or not that can be told.
	IF run AND probability IS NULL AND wfml.has_source('runs') THEN
		BEGIN
			SELECT p.probability, p.source INTO probability, source FROM wfml.success_probability(s.workflow_id, at) p;
			source := coalesce(source, 'rule');
		EXCEPTION WHEN transaction_rollback THEN
			RAISE;
		WHEN others THEN
			source := 'rule';
			alternatives := coalesce(alternatives, '[]') || jsonb_build_array(jsonb_build_object('error', SQLERRM));
		END;
	END IF;
END $$;
COMMENT ON FUNCTION wfml.decide(wfml.schedules, timestamptz) IS 'for should_run() and claim_due(): a schedule at a moment, and what claiming it would store';

CREATE FUNCTION wfml.should_run(workflow_id text, at timestamptz DEFAULT now(),
	OUT run boolean, OUT probability double precision, OUT reason text, OUT source text)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	s wfml.schedules;
	d record;
BEGIN
	IF workflow_id IS NULL OR at IS NULL THEN
		RAISE EXCEPTION 'arguments of should_run() must not be null' USING ERRCODE = '22004';
	END IF;
	SELECT v.* INTO s FROM wfml.schedules v WHERE v.workflow_id = should_run.workflow_id
	ORDER BY v.owner = quote_ident(current_user)::regrole DESC, v.id LIMIT 1;
	IF s.id IS NULL THEN
		SELECT p.probability, p.source INTO probability, source FROM wfml.success_probability(workflow_id, at) p;
		run := coalesce(probability >= 0.5, true);
		source := coalesce(source, 'rule');
		reason := CASE WHEN probability IS NULL THEN 'no schedule, and nothing is known of its success'
			WHEN run THEN 'no schedule; more likely to succeed than not' ELSE 'no schedule; more likely to fail than not' END;
		PERFORM wfml.note_decision(NULL, workflow_id, NULL, at, run, false, probability, source, reason, NULL);
		RETURN;
	ELSIF NOT s.enabled THEN
		run := false;
		source := 'rule';
		reason := 'the schedule is paused';
		PERFORM wfml.note_decision(s.id, workflow_id, s.type, at, run, false, NULL, source, reason, NULL);
		RETURN;
	END IF;
	SELECT * INTO d FROM wfml.decide(s, at);
	run := d.run;
	probability := d.probability;
	reason := d.reason;
	source := d.source;
	PERFORM wfml.note_decision(s.id, workflow_id, s.type, at, run, false, probability, source, reason, d.alternatives);
END $$;
COMMENT ON FUNCTION wfml.should_run(text, timestamptz) IS
	'whether a workflow should run at a moment, by its schedule; without one it is advice: run when success is at least as probable as failure, or nothing is known. probability: of success (type sequence: that the event comes next); source: what the probability is from, ''ml'' the models trigger_predictor and sequence_predictor, ''rule'' without them. The answer is logged in wfml.decisions, except in read-only transactions and on standbys. It claims nothing: see wfml.claim_due()';

CREATE FUNCTION wfml.due_workflows(at timestamptz DEFAULT now())
	RETURNS TABLE (workflow_id text, type text, run_since timestamptz, probability double precision, reason text, source text, schedule bigint)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	s wfml.schedules;
	d record;
BEGIN
	FOR s IN SELECT v.* FROM wfml.schedules v WHERE v.enabled AND v.next_at <= due_workflows.at ORDER BY v.next_at, v.id LOOP
		BEGIN
			SELECT * INTO d FROM wfml.decide(s, at);
		EXCEPTION WHEN transaction_rollback THEN
			RAISE;
		WHEN others THEN
			RAISE WARNING 'schedule % of workflow "%" cannot be judged: %', s.id, s.workflow_id, SQLERRM;
			CONTINUE;
		END;
		IF d.run THEN
			RETURN QUERY SELECT s.workflow_id, s.type, coalesce(d.seen_at, CASE WHEN s.type IN ('interval', 'cron') THEN s.next_at ELSE at END),
				d.probability, d.reason, d.source, s.id;
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION wfml.due_workflows(timestamptz) IS
	'the schedules of your roles that should run at a moment; run_since: when they became due. It claims nothing and logs nothing. A schedule that cannot be judged, as for want of a binding, is a WARNING';

CREATE FUNCTION wfml.claim_due(at timestamptz DEFAULT now(), max_count integer DEFAULT NULL)
	RETURNS TABLE (workflow_id text, type text, run_since timestamptz, probability double precision, reason text, source text, schedule bigint)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	s wfml.schedules;
	d record;
	claimed integer := 0;
BEGIN
	IF max_count < 0 THEN
		RAISE EXCEPTION 'max_count must be 0 or more' USING ERRCODE = '22023';
	ELSIF max_count = 0 THEN
		RETURN;
	END IF;
	FOR s IN SELECT v.* FROM wfml.schedules v WHERE v.enabled AND v.next_at <= claim_due.at ORDER BY v.next_at, v.id LOOP
		BEGIN
			SELECT * INTO d FROM wfml.decide(s, at);
		EXCEPTION WHEN transaction_rollback THEN
			RAISE;
		WHEN others THEN
			RAISE WARNING 'schedule % of workflow "%" cannot be judged: %', s.id, s.workflow_id, SQLERRM;
			CONTINUE;
		END;
		CONTINUE WHEN NOT d.run OR NOT wfml.stamp_schedule(s.id, s.last_fired_at, s.next_at, at, d.next_at, d.seen_at);
		PERFORM wfml.note_decision(s.id, s.workflow_id, s.type, at, true, true, d.probability, d.source, d.reason, d.alternatives);
		RETURN QUERY SELECT s.workflow_id, s.type, coalesce(d.seen_at, CASE WHEN s.type IN ('interval', 'cron') THEN s.next_at ELSE at END),
			d.probability, d.reason, d.source, s.id;
		claimed := claimed + 1;
		EXIT WHEN claimed >= max_count;
	END LOOP;
END $$;
COMMENT ON FUNCTION wfml.claim_due(timestamptz, integer) IS
	'as wfml.due_workflows(), for at most max_count, longest due first, and marks them as fired: another dispatcher does not get them again, and does not wait either. The claim is part of the transaction: a rollback or crash gives it back. Start the runs in that transaction if they can be rolled back too (or are queued by it), else commit first: a dispatcher that dies in between loses a run rather than starting it twice. However many times of an interval or cron were missed, it fires once';

-- src/workflow/simulate.sql

-- What schedules would have done.

-- Bits of the slots that a window has: of a time of day the hours it touches, of a duration of a day or more all.
CREATE FUNCTION wfml.window_slots(spec jsonb) RETURNS bigint
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	opens time;
	closes time;
	bits bigint := 0;
BEGIN
	IF spec ->> 'window' !~ ':[0-9]+-' THEN
		RETURN 281474976710655;
	END IF;
	opens := split_part(spec ->> 'window', '-', 1)::time;
	closes := split_part(spec ->> 'window', '-', 2)::time;
	FOR h IN 0..23 LOOP
		IF (make_time(h, 59, 59.999) >= opens AND make_time(h, 0, 0) < closes)
			OR (opens >= closes AND (make_time(h, 59, 59.999) >= opens OR make_time(h, 0, 0) < closes)) THEN
			bits := bits | (1::bigint << h) | (1::bigint << (h + 24));
		END IF;
	END LOOP;
	RETURN bits;
END $$;
COMMENT ON FUNCTION wfml.window_slots(jsonb) IS 'slots (wfml.slot_of()) of a predictive schedule''s window as bits';

-- Runs of one workflow, those since "since" judged day by day against what was known when the day began.
CREATE FUNCTION wfml.simulate_workflow(workflow_id text, spec jsonb, since timestamptz, until timestamptz)
	RETURNS TABLE (succeeded boolean, slot integer, weight double precision, value double precision)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	zone text;
	slots integer[];
	ok boolean[];
	who integer[];
	days integer[];
	bits constant bigint := wfml.window_slots(spec);
	model constant boolean := wfml.has_model('trigger_predictor');
BEGIN
	SELECT b.timezone INTO zone FROM wfml.bound_source('runs') b;
	-- A day's runs are one window: a weekday's, or one of the weekend, whose hours are other slots.
	SELECT array_agg(r.slot ORDER BY r.n), array_agg(r.succeeded ORDER BY r.n), array_agg(r.who ORDER BY r.n), array_agg(r.day ORDER BY r.n)
	INTO slots, ok, who, days
	FROM (SELECT EXTRACT(hour FROM local.t)::integer + CASE WHEN EXTRACT(isodow FROM local.t) > 5 THEN 24 ELSE 0 END AS slot,
			b.succeeded, (dense_rank() OVER (ORDER BY b.user_id))::integer AS who,
			CASE WHEN b.started_at >= simulate_workflow.since THEN local.t::date - date '2000-01-01' ELSE -1 END AS day,
			row_number() OVER (ORDER BY local.t::date, b.finished_at, b.started_at, b.user_id, b.succeeded) AS n
		FROM wfml.bound_rows('runs', workflow_id => simulate_workflow.workflow_id, until => simulate_workflow.until)
			AS b (user_id text, started_at timestamptz, finished_at timestamptz, succeeded boolean)
		CROSS JOIN LATERAL (SELECT b.started_at AT TIME ZONE zone) local (t)
		WHERE b.succeeded IS NOT NULL AND isfinite(b.started_at) AND isfinite(b.finished_at)) r;
	IF slots IS NULL THEN
		RETURN;
	END IF;
	RETURN QUERY
	SELECT ok[p.run], p.slot, p.weight, p.value
	FROM wfml.slot_policy(slots, ok, who, days,
		(SELECT array_agg(CASE WHEN u.s < 24 THEN bits & 16777215 ELSE bits & 281474959933440 END ORDER BY u.i)
			FROM unnest(slots) WITH ORDINALITY u (s, i)),
		CASE WHEN model THEN wfml.slot_group(workflow_id, since, zone) END, model) p;
END $$;
COMMENT ON FUNCTION wfml.simulate_workflow(text, jsonb, timestamptz, timestamptz) IS
	'runs of a workflow that started since that moment: outcome, the slot of a predictive schedule''s window that would have been chosen by what was known when its day began, and weight and doubly robust value for it, as wfml.slot_policy()';

CREATE FUNCTION wfml.simulate_schedule(since timestamptz, until timestamptz DEFAULT now())
	RETURNS TABLE (workflow_id text, runs bigint, actual double precision, predicted double precision, lower double precision,
		upper double precision, uplift double precision, supported double precision, effective_runs double precision, reason text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	IF since IS NULL OR until IS NULL OR since >= until THEN
		RAISE EXCEPTION 'since must be before until' USING ERRCODE = '22023';
	END IF;
	RETURN QUERY
	WITH judged AS MATERIALIZED (
		SELECT s.workflow_id, j.succeeded, j.slot, j.weight, j.value
		FROM wfml.schedules s CROSS JOIN LATERAL wfml.simulate_workflow(s.workflow_id, s.spec, since, until) j
		WHERE s.type = 'predictive' AND s.owner = quote_ident(current_user)::regrole),
	summed AS (
		SELECT j.workflow_id, count(*) AS runs, avg(j.succeeded::integer)::double precision AS actual,
			avg(j.succeeded::integer) FILTER (WHERE j.slot IS NOT NULL)::double precision AS actual_there,
			avg(j.value) AS value, stddev_samp(j.value) / sqrt(nullif(count(j.value), 0)) AS deviation,
			count(j.slot)::double precision / count(*) AS supported, sum(j.weight) ^ 2 / nullif(sum(j.weight ^ 2), 0) AS effective
		FROM judged j GROUP BY GROUPING SETS ((j.workflow_id), ()) HAVING count(*) > 0),
	said AS (
		SELECT s.*, CASE WHEN s.supported < 0.5 THEN format('at %s %% of the runs'' times no hour of the window had 5 runs before; 50 %% are allowed',
				round((100 * (1 - s.supported))::numeric))
			WHEN coalesce(s.effective, 0) < 100 THEN format('the runs that started at predicted times count as %s, 100 are needed',
				round(coalesce(s.effective, 0)::numeric)) END AS why
		FROM summed s)
	SELECT s.workflow_id, s.runs, s.actual,
		CASE WHEN s.why IS NULL THEN least(greatest(s.value, 0), 1) END,
		CASE WHEN s.why IS NULL THEN greatest(s.value - 1.2815515655446004 * s.deviation, 0) END,
		CASE WHEN s.why IS NULL THEN least(s.value + 1.2815515655446004 * s.deviation, 1) END,
		CASE WHEN s.why IS NULL THEN (s.value / nullif(s.actual_there, 0)) - 1 END,
		s.supported, coalesce(s.effective, 0), s.why
	FROM said s ORDER BY s.workflow_id NULLS LAST;
END $$;
COMMENT ON FUNCTION wfml.simulate_schedule(timestamptz, timestamptz) IS
	'what success rate your predictive schedules would have had over history (yours only, not those of other roles whose rights you have), one row for each and one (workflow_id NULL) for all together. actual: rate of all runs that started in that time; predicted: doubly robust estimate had each day''s runs been started at the hour that was then predicted, by earlier runs only; lower, upper: its 80 % interval; uplift: predicted over actual, less 1; supported: share of the runs for which some hour had 5 runs before; effective_runs: effective sample size, (sum of weights)^2 / sum of squares. Under 0.5 supported or 100 effective runs the estimate is NULL and reason says why. It assumes that nothing unseen moves both the time of a run and its success: given who runs it, the hour and the day, time was chosen at random';

-- src/workflow/pattern_classifier.sql

-- Which category a pattern belongs to.

CREATE FUNCTION wfml.distinct_events(events text[]) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_distinct_events';
COMMENT ON FUNCTION wfml.distinct_events(text[]) IS 'how many different texts an array holds; NULLs do not count';

CREATE TYPE wfml.pattern_input AS (
	events text[],
	n_events integer,
	n_distinct integer,
	first_event text,
	last_event text,
	support double precision,
	users bigint,
	lift double precision,
	typical_hour double precision,
	weekday_share double precision,
	gap_seconds double precision
);
COMMENT ON TYPE wfml.pattern_input IS 'what the models of patterns see of a wfml.pattern: made by wfml.pattern_input()';

-- One expression for training and prediction; the planner puts it in place.
CREATE FUNCTION wfml.pattern_input(pattern wfml.pattern) RETURNS wfml.pattern_input
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE
	RETURN ROW((pattern).events, coalesce((pattern).n_events, pg_catalog.cardinality((pattern).events)),
		wfml.distinct_events((pattern).events), (pattern).events[1],
		(pattern).events[pg_catalog.cardinality((pattern).events)], (pattern).support, (pattern).users, (pattern).lift,
		(pattern).typical_hour, (pattern).weekday_share, EXTRACT(epoch FROM (pattern).gap)::double precision)::wfml.pattern_input;
COMMENT ON FUNCTION wfml.pattern_input(wfml.pattern) IS
	'what the models of patterns see of a pattern: its events, how many (and different ones), the first and the last, and its numbers, the gap in seconds';

CREATE FUNCTION wfml.train_pattern_classifier(params jsonb DEFAULT '{}') RETURNS wfml.training_summary
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	columns CONSTANT text := 'events text[], n_events integer, support double precision, users bigint, lift double precision, '
		'typical_hour double precision, weekday_share double precision, gap interval, category text';
	labelled bigint;
	categories bigint;
	summary wfml.training_summary;
BEGIN
	SELECT count(p.category), count(DISTINCT p.category) INTO labelled, categories FROM wfml.bound_rows('patterns') AS p (category text);
	IF categories < 2 THEN
		RAISE EXCEPTION USING ERRCODE = '22023',
			MESSAGE = CASE WHEN labelled = 0 THEN 'no pattern that is bound has a category'
				ELSE 'all patterns that are bound have the same category' END,
			HINT = 'Column "category" of what wfml.bind(''patterns'', …) names must hold two categories at least; rows without one are left out.';
	END IF;
	SELECT * INTO summary FROM wfml.train('pattern_classifier', 'random_forest',
		'SELECT i.events, i.n_events, i.n_distinct, i.first_event, i.last_event, i.support, i.users, i.lift, i.typical_hour, i.weekday_share, i.gap_seconds, p.category '
		'FROM wfml.bound_rows(''patterns'') AS p (' || columns || '), '
		'LATERAL wfml.pattern_input(ROW(p.events, p.n_events, p.support, p.users, p.lift, p.typical_hour, p.weekday_share, p.gap)::wfml.pattern) i '
		'WHERE p.category IS NOT NULL AND p.events IS NOT NULL',
		'category',
		-- Of the learners a forest was best on templates of workflows, with more
		-- features in each split than sqrt; many rows need no such deep trees.
		CASE WHEN labelled > 20000 THEN '{"max_features": 0.1, "trees": 50, "min_samples_leaf": 5}'::jsonb
			ELSE '{"max_features": 0.1}' END || coalesce(params, '{}'),
		ARRAY['events', 'n_events', 'n_distinct', 'first_event', 'last_event', 'support', 'users', 'lift', 'typical_hour', 'weekday_share', 'gap_seconds'],
		'classification');
	RETURN summary;
END $$;
COMMENT ON FUNCTION wfml.train_pattern_classifier(jsonb) IS
	'train model "pattern_classifier" from the source bound as patterns: a random forest of their events, first and last event, number of events, support, users, lift, hour, share of weekdays and gap; params as of algorithm random_forest. Rows without category are left out. Call it as SELECT * FROM wfml.train_pattern_classifier()';

-- The rule of classify_pattern().
CREATE FUNCTION wfml.similar_category(events text[], OUT category text, OUT confidence double precision)
	RETURNS record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	category := 'uncategorized';
	IF cardinality(similar_category.events) > 0 AND wfml.has_source('workflows') THEN
		SELECT w.category, s.common / (s.others + own.n)
		INTO category, confidence
		FROM wfml.bound_rows('workflows') AS w (workflow_id text, events text[], category text)
		CROSS JOIN LATERAL (
			SELECT count(DISTINCT e) FILTER (WHERE e = ANY (similar_category.events))::double precision AS common,
				count(DISTINCT e) FILTER (WHERE e <> ALL (array_remove(similar_category.events, NULL))) AS others
			FROM unnest(w.events) e) s
		CROSS JOIN (SELECT count(DISTINCT e) AS n FROM unnest(similar_category.events) e) own
		WHERE w.category IS NOT NULL AND w.events && similar_category.events
		ORDER BY 2 DESC, w.workflow_id LIMIT 1;
		IF NOT FOUND THEN
			category := 'uncategorized';
		END IF;
	END IF;
END $$;
COMMENT ON FUNCTION wfml.similar_category(text[]) IS
	'the rule of wfml.classify_pattern(): category of the bound workflow that has most events in common with these, and the share that they have in common of all events of the two (Jaccard); ''uncategorized'' and NULL when there is none or no workflows are bound';

CREATE FUNCTION wfml.classify_pattern(pattern wfml.pattern, OUT category text, OUT confidence double precision, OUT source text)
	RETURNS record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 300
AS $$
DECLARE
	detail wfml.prediction_detail;
BEGIN
	IF pattern IS NOT DISTINCT FROM NULL THEN
		RETURN;
	END IF;
	IF wfml.has_model('pattern_classifier') THEN
		detail := wfml.predict_detail('pattern_classifier', wfml.pattern_input(pattern));
		category := detail.label;
		confidence := detail.confidence;
		source := 'ml';
	ELSE
		SELECT r.category, r.confidence INTO category, confidence FROM wfml.similar_category(pattern.events) r;
		source := 'rule';
	END IF;
END $$;
COMMENT ON FUNCTION wfml.classify_pattern(wfml.pattern) IS
	'which category a pattern belongs to, by model "pattern_classifier" (wfml.train_pattern_classifier()), and how sure that is (0 to 1). source ''rule'' when there is no such model: the category of the bound workflow that shares most events with it, confidence the share (events in common of all events of the two); ''uncategorized'', confidence NULL, when no workflow shares an event or none are bound. For many: FROM wfml.workflow_needs() n, LATERAL wfml.classify_pattern(…) c';

-- src/workflow/suggestion_scorer.sql

-- How good a suggestion would be.

CREATE FUNCTION wfml.train_suggestion_scorer(params jsonb DEFAULT '{}') RETURNS wfml.training_summary
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	columns CONSTANT text := 'events text[], n_events integer, support double precision, users bigint, lift double precision, '
		'typical_hour double precision, weekday_share double precision, gap interval, ';
	scored CONSTANT boolean := (wfml.bound_source('suggestions')).columns ? 'score';
	target CONSTANT text := CASE WHEN scored THEN 'score' ELSE 'accepted' END;
	answers bigint;
	lowest double precision;
	highest double precision;
	summary wfml.training_summary;
BEGIN
	IF scored THEN
		SELECT count(s.score), min(s.score), max(s.score) INTO answers, lowest, highest
		FROM wfml.bound_rows('suggestions') AS s (score double precision);
	ELSE
		SELECT count(s.accepted), min(s.accepted::integer), max(s.accepted::integer) INTO answers, lowest, highest
		FROM wfml.bound_rows('suggestions') AS s (accepted boolean);
	END IF;
	IF answers = 0 OR lowest = highest THEN
		RAISE EXCEPTION USING ERRCODE = '22023',
			MESSAGE = CASE WHEN answers = 0 THEN format('no suggestion that is bound has a value in column "%s"', target)
				WHEN scored THEN 'all suggestions that are bound have the same score'
				ELSE format('all suggestions that are bound were %s', CASE WHEN highest = 1 THEN 'accepted' ELSE 'refused' END) END,
			HINT = 'What wfml.bind(''suggestions'', …) names must hold good ones and bad ones to learn from; rows whose answer is NULL are left out.';
	ELSIF lowest < 0 OR highest > 1 THEN
		RAISE EXCEPTION 'scores of suggestions must be from 0 to 1, but there is %', CASE WHEN lowest < 0 THEN lowest ELSE highest END
			USING ERRCODE = '22023', HINT = 'Divide the column "score" by its greatest possible value in the query of wfml.bind(''suggestions'', …).';
	END IF;
	SELECT * INTO summary FROM wfml.train('suggestion_scorer', 'gradient_boosting',
		'SELECT i.n_events, i.support, i.users, i.lift, i.typical_hour, i.weekday_share, i.gap_seconds, p.' || target || ' '
		'FROM wfml.bound_rows(''suggestions'') AS p (' || columns || target || CASE WHEN scored THEN ' double precision' ELSE ' boolean' END || '), '
		'LATERAL wfml.pattern_input(ROW(p.events, p.n_events, p.support, p.users, p.lift, p.typical_hour, p.weekday_share, p.gap)::wfml.pattern) i '
		'WHERE p.events IS NOT NULL AND p.' || target || ' IS NOT NULL',
		target,
		-- Small trees: few rows are judged, and the reasons are wanted in no time.
		'{"rounds": 100, "max_leaves": 6, "learning_rate": 0.1}'
			|| CASE WHEN scored THEN '{"loss": "bounded"}'::jsonb ELSE '{"positive": "true"}' END || coalesce(params, '{}'),
		ARRAY['n_events', 'support', 'users', 'lift', 'typical_hour', 'weekday_share', 'gap_seconds'],
		CASE WHEN scored THEN 'regression' ELSE 'classification' END);
	RETURN summary;
END $$;
COMMENT ON FUNCTION wfml.train_suggestion_scorer(jsonb) IS
	'train model "suggestion_scorer" from the source bound as suggestions: boosting of small trees on the number of events, support, users, lift, hour, share of weekdays and gap, of column score (0 to 1) where there is one, else of accepted; params as of algorithm gradient_boosting. Rows without answer are left out. Call it as SELECT * FROM wfml.train_suggestion_scorer()';

-- A branch each, so that a call prepares no more than the words it gives.
CREATE FUNCTION wfml.suggestion_words(pattern wfml.pattern, feature text) RETURNS text
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 50
AS $$
DECLARE
	amount double precision;
	unit pg_catalog.text := ' seconds';
BEGIN
	IF feature OPERATOR(pg_catalog.=) 'users' THEN
		RETURN CASE WHEN pattern.users OPERATOR(pg_catalog.=) 1 THEN 'done by one user'
			ELSE 'done by ' OPERATOR(pg_catalog.||) pattern.users OPERATOR(pg_catalog.||) ' users' END;
	ELSIF feature OPERATOR(pg_catalog.=) 'n_events' THEN
		RETURN 'saves ' OPERATOR(pg_catalog.||) coalesce(pattern.n_events, pg_catalog.cardinality(pattern.events)) OPERATOR(pg_catalog.||) ' steps';
	ELSIF feature OPERATOR(pg_catalog.=) 'typical_hour' THEN
		IF pattern.typical_hour OPERATOR(pg_catalog.<) 0 OR pattern.typical_hour OPERATOR(pg_catalog.>) 24 THEN
			RETURN NULL;
		END IF;
		RETURN 'usually at ' OPERATOR(pg_catalog.||) (pg_catalog.round(pattern.typical_hour)::integer OPERATOR(pg_catalog.%) 24);
	ELSIF feature OPERATOR(pg_catalog.=) 'support' THEN
		amount := pattern.support OPERATOR(pg_catalog.*) 100;
		IF amount OPERATOR(pg_catalog.<) 0 OR amount OPERATOR(pg_catalog.>) 100 THEN
			RETURN NULL;
		END IF;
		RETURN 'in ' OPERATOR(pg_catalog.||) pg_catalog.round(amount::numeric, CASE WHEN amount OPERATOR(pg_catalog.<) 1 THEN 1 ELSE 0 END)
			OPERATOR(pg_catalog.||) ' % of sessions';
	ELSIF feature OPERATOR(pg_catalog.=) 'lift' THEN
		RETURN CASE WHEN pattern.lift OPERATOR(pg_catalog.<) 0 OR pattern.lift OPERATOR(pg_catalog.=) 'NaN' THEN NULL
			WHEN pattern.lift OPERATOR(pg_catalog.>=) 1000 THEN 'over 1000'
			ELSE pg_catalog.round(pattern.lift::numeric, CASE WHEN pattern.lift OPERATOR(pg_catalog.<) 9.95 THEN 1 ELSE 0 END)::pg_catalog.text END
			OPERATOR(pg_catalog.||) ' times as often as by chance';
	ELSIF feature OPERATOR(pg_catalog.=) 'weekday_share' THEN
		RETURN CASE WHEN pattern.weekday_share OPERATOR(pg_catalog.<) 0 OR pattern.weekday_share OPERATOR(pg_catalog.>) 1 THEN NULL
			WHEN pattern.weekday_share OPERATOR(pg_catalog.>=) 0.995 THEN 'on weekdays only'
			ELSE 'on weekdays in ' OPERATOR(pg_catalog.||) pg_catalog.round((pattern.weekday_share OPERATOR(pg_catalog.*) 100)::numeric)
				OPERATOR(pg_catalog.||) ' % of cases' END;
	ELSIF feature OPERATOR(pg_catalog.=) 'gap_seconds' THEN
		amount := EXTRACT(epoch FROM pattern.gap);
		IF amount OPERATOR(pg_catalog.<) 0 THEN
			RETURN NULL;
		ELSIF amount OPERATOR(pg_catalog.>=) 129600 THEN
			amount := amount OPERATOR(pg_catalog./) 86400;
			unit := ' days';
		ELSIF amount OPERATOR(pg_catalog.>=) 5400 THEN
			amount := amount OPERATOR(pg_catalog./) 3600;
			unit := ' hours';
		ELSIF amount OPERATOR(pg_catalog.>=) 90 THEN
			amount := amount OPERATOR(pg_catalog./) 60;
			unit := ' minutes';
		END IF;
		RETURN 'takes ' OPERATOR(pg_catalog.||) pg_catalog.round(amount) OPERATOR(pg_catalog.||) unit;
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION wfml.suggestion_words(wfml.pattern, text) IS
	'one property of a pattern (a column of wfml.pattern_input) in words, for explanations; NULL when the pattern does not have it, or what it has makes no sense (an hour of 25)';

-- The rule of score_suggestion(): four grades from 0 to 1, their weighted mean.
CREATE FUNCTION wfml.suggestion_rule(pattern wfml.pattern,
	OUT score double precision, OUT users double precision, OUT support double precision, OUT lift double precision, OUT n_events double precision)
	RETURNS record
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT g.users + g.support + g.lift + g.n_events, g.users, g.support, g.lift, g.n_events
	-- NaN is greater than all other numbers.
	FROM (SELECT 0.3 * (1 - 10 / (10 + greatest((pattern).users, 0)::double precision)) AS users,
			0.3 * (1 - 0.05 / (0.05 + CASE WHEN (pattern).support > 0 AND (pattern).support < 'NaN' THEN (pattern).support ELSE 0 END)) AS support,
			0.2 * (1 - 5 / (4 + CASE WHEN (pattern).lift > 1 AND (pattern).lift < 'NaN' THEN (pattern).lift ELSE 1 END)) AS lift,
			0.2 * (1 - 3 / (2 + greatest(coalesce((pattern).n_events, pg_catalog.cardinality((pattern).events), 1), 1)::double precision)) AS n_events) g;
END;
COMMENT ON FUNCTION wfml.suggestion_rule(wfml.pattern) IS
	'the rule of wfml.score_suggestion() and what each part adds: 0.3 users/(users + 10) + 0.3 support/(support + 0.05) + 0.2 (lift - 1)/(lift + 4) + 0.2 (n_events - 1)/(n_events + 2); what is not known, or makes no sense (a negative number, NaN), adds nothing';

-- The three strongest reasons in words, those against it behind a "but".
CREATE FUNCTION wfml.suggestion_reasons(pattern wfml.pattern, OUT explanation text, OUT contributions jsonb)
	RETURNS record
	LANGUAGE plpgsql STABLE PARALLEL SAFE COST 2000
AS $$
#variable_conflict use_variable
DECLARE
	part pg_catalog.record;
	words pg_catalog.text;
	good pg_catalog.text;
	bad pg_catalog.text;
	n integer := 0;
	rule pg_catalog.record;
BEGIN
	-- A loop, as sorting and aggregating in SQL takes three times as long.
	IF wfml.has_model('suggestion_scorer') THEN
		contributions := '{}';
		FOR part IN SELECT e.feature, e.contribution FROM wfml.explain('suggestion_scorer', wfml.pattern_input(pattern)) e LOOP
			IF n OPERATOR(pg_catalog.<) 3 AND part.feature OPERATOR(pg_catalog.<>) '(base)' AND part.contribution OPERATOR(pg_catalog.<>) 0 THEN
				words := wfml.suggestion_words(pattern, part.feature);
				IF words IS NOT NULL THEN
					n := n OPERATOR(pg_catalog.+) 1;
					IF part.contribution OPERATOR(pg_catalog.>) 0 THEN
						good := pg_catalog.concat_ws(', ', good, words);
					ELSE
						bad := pg_catalog.concat_ws(', ', bad, words);
					END IF;
				END IF;
			END IF;
			contributions := contributions OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object(
				CASE WHEN part.feature OPERATOR(pg_catalog.=) '(base)' THEN 'base' WHEN part.feature OPERATOR(pg_catalog.=) 'gap_seconds' THEN 'gap' ELSE part.feature END, part.contribution);
		END LOOP;
		IF n OPERATOR(pg_catalog.>) 0 THEN
			explanation := pg_catalog.concat_ws('; but ', good, bad);
		END IF;
	ELSE
		rule := wfml.suggestion_rule(pattern);
		SELECT pg_catalog.string_agg(r.words, ', ' ORDER BY r.contribution DESC, r.feature) FILTER (WHERE r.contribution OPERATOR(pg_catalog.>) 0),
			pg_catalog.jsonb_object_agg(r.feature, r.contribution)
		INTO explanation, contributions
		FROM (SELECT v.feature, v.contribution, wfml.suggestion_words(pattern, v.feature) AS words
			FROM (VALUES ('users', rule.users), ('support', rule.support), ('lift', rule.lift), ('n_events', rule.n_events)) v(feature, contribution)) r;
	END IF;
END $$;
COMMENT ON FUNCTION wfml.suggestion_reasons(wfml.pattern) IS
	'why a pattern has the score that wfml.score_suggestion() gives it: the three strongest reasons in words, those against it behind "but", and what each property adds';

CREATE FUNCTION wfml.score_suggestion(pattern wfml.pattern,
	OUT score double precision, OUT explanation text, OUT contributions jsonb, OUT source text)
	RETURNS record
	LANGUAGE plpgsql STABLE PARALLEL SAFE COST 2000
AS $$
DECLARE
	reasons pg_catalog.record;
BEGIN
	IF pattern IS NOT DISTINCT FROM NULL THEN
		RETURN;
	END IF;
	IF wfml.has_model('suggestion_scorer') THEN
		source := 'ml';
		-- Not each loss keeps within 0 and 1.
		score := least(greatest(wfml.predict('suggestion_scorer', wfml.pattern_input(pattern)), 0), 1);
	ELSE
		source := 'rule';
		score := (wfml.suggestion_rule(pattern)).score;
	END IF;
	reasons := wfml.suggestion_reasons(pattern);
	explanation := reasons.explanation;
	contributions := reasons.contributions;
END $$;
COMMENT ON FUNCTION wfml.score_suggestion(wfml.pattern) IS
	'how good it would be to automate a pattern, 0 to 1, by model "suggestion_scorer" (wfml.train_suggestion_scorer()): the expected score, or the probability that it is accepted. explanation: the three strongest reasons in words, those against it behind "but"; contributions: what each property adds, in log-odds, base being where all start. source ''rule'' when there is no such model: 0.3 users/(users + 10) + 0.3 support/(support + 0.05) + 0.2 (lift - 1)/(lift + 4) + 0.2 (n_events - 1)/(n_events + 2), contributions being these four. For many: FROM wfml.workflow_needs() n, LATERAL wfml.score_suggestion(…) s';

-- src/workflow/next_events.sql

-- What a user does next.

-- The events that are bound, cut into sessions; a case is a user and the
-- number of his session.  The text is the model's source, so it stands alone.
CREATE FUNCTION wfml.train_sequence_predictor(params jsonb DEFAULT '{}') RETURNS wfml.training_summary
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	summary wfml.training_summary;
BEGIN
	SELECT * INTO summary FROM wfml.train_sequence('sequence_predictor',
		'SELECT g.user_id || '' '' || coalesce(pg_catalog.sum(g.begins) OVER (PARTITION BY g.user_id ORDER BY g.at, g.event), 0) AS session, g.event, g.at '
		'FROM (SELECT e.user_id, e.event, e.at, (e.at - pg_catalog.lag(e.at) OVER (PARTITION BY e.user_id ORDER BY e.at, e.event) > b.session_gap)::integer AS begins '
		'FROM wfml.bound_rows(''events'', row_limit => 200000) AS e (user_id text, event text, at timestamptz), wfml.bound_source(''events'') b WHERE pg_catalog.isfinite(e.at) IS NOT FALSE) g',
		'session', 'event', 'at',
		'{"predictor": "markov"}' || coalesce(params, '{}'));
	RETURN summary;
END $$;
COMMENT ON FUNCTION wfml.train_sequence_predictor(jsonb) IS
	'train model "sequence_predictor" from the latest 200,000 events of the source bound as events: a case is a session of a user, which ends where he pauses for longer than session_gap of the binding; params as of algorithm sequence. Call it as SELECT * FROM wfml.train_sequence_predictor()';

-- The rule of next_workflow_events().
CREATE FUNCTION wfml.frequent_successors(event text, n integer DEFAULT 3,
	OUT next_event text, OUT is_end boolean, OUT probability double precision)
	RETURNS SETOF record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 100000 ROWS 3
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	session_gap CONSTANT interval := (wfml.bound_source('events')).session_gap;
BEGIN
	IF event IS NOT NULL THEN
		RETURN QUERY
		SELECT s.next, s.next IS NULL, count(*) / sum(count(*)) OVER ()::double precision
		FROM (SELECT e.event, CASE WHEN lead(e.at) OVER w - e.at <= session_gap THEN lead(e.event) OVER w END AS next, lead(e.at) OVER w AS until
			FROM wfml.bound_rows('events', row_limit => 10000) AS e (user_id text, event text, at timestamptz)
			WHERE isfinite(e.at)
			WINDOW w AS (PARTITION BY e.user_id ORDER BY e.at, e.event)) s
		WHERE s.event = frequent_successors.event AND s.until IS NOT NULL
		GROUP BY s.next ORDER BY 3 DESC, s.next LIMIT n;
		IF FOUND THEN
			RETURN;
		END IF;
	END IF;
	RETURN QUERY
	SELECT e.event, false, count(*) / sum(count(*)) OVER ()::double precision
	FROM wfml.bound_rows('events', row_limit => 10000) AS e (event text)
	WHERE e.event IS NOT NULL GROUP BY e.event ORDER BY 3 DESC, e.event LIMIT n;
END $$;
COMMENT ON FUNCTION wfml.frequent_successors(text, integer) IS
	'the rule of wfml.next_workflow_events(): among the latest 10,000 bound events the most frequent ones right behind this event in a session (next_event NULL, is_end: the end of the session), with their share; when it is NULL or none followed it, the most frequent events';

CREATE FUNCTION wfml.next_workflow_events(user_id text, n integer DEFAULT 3, at timestamptz DEFAULT NULL,
	OUT event text, OUT is_end boolean, OUT probability double precision, OUT rank integer, OUT source text)
	RETURNS SETOF record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 1000 ROWS 3
AS $$
#variable_conflict use_column
DECLARE
	session_gap CONSTANT interval NOT NULL := (wfml.bound_source('events')).session_gap;
	history pg_catalog.text[];
	times pg_catalog.timestamptz[];
BEGIN
	IF n IS NULL OR n OPERATOR(pg_catalog.<) 0 THEN
		RAISE EXCEPTION 'n must be 0 or more' USING ERRCODE = '22023';
	END IF;
	-- The events behind the last long pause.
	IF user_id IS NOT NULL THEN
		SELECT pg_catalog.array_agg(s.event ORDER BY s.at, s.event), pg_catalog.array_agg(s.at ORDER BY s.at, s.event) INTO history, times
		FROM (SELECT e.event, e.at, pg_catalog.max(e.at) FILTER (WHERE e.pause OPERATOR(pg_catalog.>) session_gap) OVER () AS begins
			FROM (SELECT r.event, r.at, r.at OPERATOR(pg_catalog.-) pg_catalog.lag(r.at) OVER (ORDER BY r.at, r.event) AS pause
				FROM wfml.bound_rows('events', user_id => next_workflow_events.user_id, row_limit => 50,
					until => next_workflow_events.at OPERATOR(pg_catalog.+) interval '1 microsecond') AS r (event pg_catalog.text, at pg_catalog.timestamptz)
				WHERE r.event IS NOT NULL AND pg_catalog.isfinite(r.at)) e) s
		WHERE s.begins IS NULL OR s.at OPERATOR(pg_catalog.>=) s.begins;
		IF next_workflow_events.at OPERATOR(pg_catalog.>) (times[pg_catalog.cardinality(times)] OPERATOR(pg_catalog.+) session_gap) THEN
			history := NULL;
		END IF;
	END IF;
	IF history IS NULL THEN
		history := '{}';
		times := '{}';
	END IF;
	IF wfml.has_model('sequence_predictor') THEN
		RETURN QUERY SELECT e.event, e.is_end, e.probability, e.rank, 'ml'::pg_catalog.text
		FROM wfml.next_event('sequence_predictor', history, n, times) e;
	ELSE
		RETURN QUERY SELECT f.next_event, f.is_end, f.probability, f.ordinality::integer, 'rule'::pg_catalog.text
		FROM wfml.frequent_successors(history[pg_catalog.cardinality(history)], n) WITH ORDINALITY f;
	END IF;
END $$;
COMMENT ON FUNCTION wfml.next_workflow_events(text, integer, timestamptz) IS
	'the n likeliest next events of a user in his present session, by model "sequence_predictor" (wfml.train_sequence_predictor()); event is NULL where is_end: the session ends. Present is the session of his last bound event, however long ago; with at, it is as it was then, and a session whose last event is further back than the binding''s session_gap is over. At most his last 50 events are read. A user without events gets what sessions begin with. source ''rule'' when there is no such model: among the latest 10,000 bound events the most frequent ones right behind his last, or the most frequent ones where nothing followed it or he has none';

-- src/workflow/recommender.sql

-- Which workflows a user may like.

CREATE FUNCTION wfml.train_workflow_recommender(params jsonb DEFAULT '{}') RETURNS wfml.training_summary
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	has_items CONSTANT boolean := wfml.has_source('workflows');
	summary wfml.training_summary;
BEGIN
	SELECT * INTO summary FROM wfml.train_recommender('workflow_recommender',
		'SELECT u.user_id, u.workflow_id FROM wfml.bound_rows(''usage'') AS u (user_id text, workflow_id text, weight double precision) WHERE u.weight > 0',
		'user_id', 'workflow_id',
		items => CASE WHEN has_items THEN
			'SELECT w.workflow_id, w.name, w.category, w.events FROM wfml.bound_rows(''workflows'') AS w (workflow_id text, name text, category text, events text[])' END,
		params => coalesce(params, '{}'));
	RETURN summary;
END $$;
COMMENT ON FUNCTION wfml.train_workflow_recommender(jsonb) IS
	'train model "workflow_recommender" from the source bound as usage, rows whose weight is above 0, and from names, categories and events of the workflows where they are bound; params as of algorithm recommender. Call it as SELECT * FROM wfml.train_workflow_recommender()';

-- The rule of recommend_workflows().
CREATE FUNCTION wfml.popular_workflows(user_id text, n integer DEFAULT 5,
	OUT workflow_id text, OUT users bigint, OUT share double precision)
	RETURNS SETOF record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 100000 ROWS 5
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH used AS MATERIALIZED (
		SELECT u.user_id, u.workflow_id, u.weight
		FROM wfml.bound_rows('usage') AS u (user_id text, workflow_id text, weight double precision)
		WHERE u.weight > 0 AND u.user_id IS NOT NULL AND u.workflow_id IS NOT NULL)
	SELECT u.workflow_id, count(DISTINCT u.user_id), count(DISTINCT u.user_id) / (SELECT count(DISTINCT a.user_id) FROM used a)::double precision
	FROM used u
	GROUP BY u.workflow_id
	HAVING coalesce(NOT bool_or(u.user_id = popular_workflows.user_id), true)
	ORDER BY 2 DESC, sum(u.weight) DESC, u.workflow_id LIMIT n;
END $$;
COMMENT ON FUNCTION wfml.popular_workflows(text, integer) IS
	'the rule of wfml.recommend_workflows(): the workflows that most users have, but this one has not, with the share of all users';

CREATE FUNCTION wfml.recommend_workflows(user_id text, n integer DEFAULT 5,
	OUT workflow_id text, OUT name text, OUT score double precision, OUT reason text, OUT source text)
	RETURNS SETOF record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 2000 ROWS 5
AS $$
#variable_conflict use_column
DECLARE
	named CONSTANT boolean NOT NULL := wfml.has_source('workflows');
	history pg_catalog.text[];
BEGIN
	IF n IS NULL OR n OPERATOR(pg_catalog.<) 0 THEN
		RAISE EXCEPTION 'n must be 0 or more' USING ERRCODE = '22023';
	END IF;
	IF NOT wfml.has_model('workflow_recommender') THEN
		RETURN QUERY
		SELECT p.workflow_id, w.name, p.share, CASE WHEN p.users OPERATOR(pg_catalog.=) 1 THEN 'one user has it' ELSE pg_catalog.concat(p.users, ' users have it') END, 'rule'::pg_catalog.text
		FROM wfml.popular_workflows(user_id, CASE WHEN named THEN NULL ELSE n END) WITH ORDINALITY p
		LEFT JOIN LATERAL (SELECT b.name, true AS is_there FROM wfml.bound_rows('workflows', workflow_id => p.workflow_id) AS b (name pg_catalog.text) WHERE named LIMIT 1) w ON true
		WHERE NOT named OR w.is_there
		ORDER BY p.ordinality LIMIT n;
		RETURN;
	END IF;
	IF user_id IS NOT NULL AND wfml.has_source('usage') THEN
		SELECT pg_catalog.array_agg(u.workflow_id) INTO history
		FROM wfml.bound_rows('usage', user_id => recommend_workflows.user_id) AS u (workflow_id pg_catalog.text, weight double precision)
		WHERE u.weight OPERATOR(pg_catalog.>) 0;
	END IF;
	-- Workflows that are gone since the training are passed over.
	RETURN QUERY
	SELECT t.item, t.name, t.score,
		CASE WHEN t.source OPERATOR(pg_catalog.=) 'popular' THEN 'many users have it'
			WHEN l.item IS NOT NULL THEN pg_catalog.concat(CASE WHEN t.source OPERATOR(pg_catalog.=) 'content' THEN 'is like ' ELSE 'goes with ' END,
				coalesce(o.name, l.item), ', which this user has')
			WHEN t.source OPERATOR(pg_catalog.=) 'content' THEN 'is like workflows that this user has'
			ELSE 'users with the same workflows have it'
		END, 'ml'::pg_catalog.text
	FROM (SELECT r.item, w.name, r.score, r.source, r.rank
		FROM wfml.recommend('workflow_recommender', user_id, n OPERATOR(pg_catalog.+) 5, true, history) r
		LEFT JOIN LATERAL (SELECT b.name, true AS is_there FROM wfml.bound_rows('workflows', workflow_id => r.item) AS b (name pg_catalog.text) WHERE named LIMIT 1) w ON true
		WHERE NOT named OR w.is_there
		ORDER BY r.rank LIMIT n) t
	LEFT JOIN LATERAL (SELECT s.item FROM wfml.similar_items('workflow_recommender', t.item, 20) s
		WHERE t.source OPERATOR(pg_catalog.<>) 'popular' AND s.item OPERATOR(pg_catalog.=) ANY (history) ORDER BY s.rank LIMIT 1) l ON true
	LEFT JOIN LATERAL (SELECT b.name FROM wfml.bound_rows('workflows', workflow_id => l.item) AS b (name pg_catalog.text) WHERE named AND l.item IS NOT NULL LIMIT 1) o ON true
	ORDER BY t.rank;
END $$;
COMMENT ON FUNCTION wfml.recommend_workflows(text, integer) IS
	'workflows that a user does not use yet and may like, best first, by model "workflow_recommender" (wfml.train_workflow_recommender()); reason names the most alike of his own. What he uses now (source bound as usage) counts beside what he used when it was trained; where workflows are bound their names are given, and those that are gone are left out. score compares within one answer. source ''rule'' when there is no such model: the workflows that most users have and he has not, score being the share of users. A user_id that is NULL or unknown gets what many use';

-- src/workflow/suggest.sql

-- What to automate next: needs, classified, scored, ranked and explained.

CREATE FUNCTION wfml.ranked_needs(user_id text, n integer, in_category text,
	OUT events text[], OUT category text, OUT score double precision, OUT confidence double precision, OUT explanation text,
	OUT users bigint, OUT support double precision, OUT source text)
	RETURNS SETOF record
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 10000 ROWS 5
AS $$
#variable_conflict use_column
DECLARE
	bound CONSTANT bigint NOT NULL := (wfml.bound_source('events')).id;	-- else an error here, without a long context
	classifier CONSTANT boolean NOT NULL := wfml.has_model('pattern_classifier');
	scorer CONSTANT boolean NOT NULL := wfml.has_model('suggestion_scorer');
	answered_by CONSTANT pg_catalog.text NOT NULL := CASE WHEN classifier AND scorer THEN 'ml' ELSE 'rule' END;
	-- More than are shown, as the score ranks otherwise than the saving.
	candidates CONSTANT integer := CASE WHEN in_category IS NULL THEN greatest(n, 20) ELSE greatest(n, 100) END;
BEGIN
	IF n IS NULL OR n OPERATOR(pg_catalog.<) 0 THEN
		RAISE EXCEPTION 'n must be 0 or more' USING ERRCODE = '22023';
	END IF;
	RETURN QUERY
	SELECT t.events, t.category, t.score, t.confidence,
		CASE WHEN t.own THEN pg_catalog.concat_ws(': ', 'this user does it', r.explanation) ELSE r.explanation END, t.users, t.support, answered_by
	FROM (SELECT c.events, c.pattern, c.users, c.support, c.own, c.saving, c.category, c.confidence,
			CASE WHEN scorer THEN least(greatest(wfml.predict('suggestion_scorer', wfml.pattern_input(c.pattern)), 0), 1)
				ELSE (wfml.suggestion_rule(c.pattern)).score END AS score
		FROM (SELECT d.events, d.pattern, d.users, d.support, d.own, d.saving,
				coalesce((d.detail).label, s.category) AS category, CASE WHEN classifier THEN (d.detail).confidence ELSE s.confidence END AS confidence
			FROM (SELECT p.events, p.pattern, p.users, p.support, p.own, p.saving,
					CASE WHEN classifier THEN wfml.predict_detail('pattern_classifier', wfml.pattern_input(p.pattern)) END AS detail
				FROM (SELECT a.events, a.users, a.support, a.saving, o.events IS NOT NULL AS own,
						ROW(a.events, a.n_events, a.support, a.users, a.lift, a.typical_hour, a.weekday_share, a.gap)::wfml.pattern AS pattern
					FROM wfml.find_needs(candidates) a
					LEFT JOIN (SELECT f.events FROM wfml.find_needs(candidates, user_id) f WHERE user_id IS NOT NULL) o
						ON o.events OPERATOR(pg_catalog.=) a.events) p
				OFFSET 0) d
			LEFT JOIN LATERAL (SELECT m.category, m.confidence FROM wfml.similar_category(d.events) m WHERE NOT classifier) s ON true) c
		WHERE in_category IS NULL OR c.category OPERATOR(pg_catalog.=) in_category
		ORDER BY c.own DESC, 9 DESC, c.saving DESC, c.events LIMIT n) t
	CROSS JOIN LATERAL wfml.suggestion_reasons(t.pattern) r
	ORDER BY t.own DESC, t.score DESC, t.saving DESC, t.events;
END $$;
COMMENT ON FUNCTION wfml.ranked_needs(text, integer, text) IS 'the rows of wfml.suggest()';

CREATE FUNCTION wfml.suggest(user_id text DEFAULT NULL, n integer DEFAULT 5, category text DEFAULT NULL,
	OUT events text[], OUT category text, OUT score double precision, OUT confidence double precision, OUT explanation text,
	OUT users bigint, OUT support double precision, OUT source text)
	RETURNS SETOF record
	LANGUAGE SQL STABLE PARALLEL UNSAFE ROWS 5
BEGIN ATOMIC
	SELECT r.events, r.category, r.score, r.confidence, r.explanation, r.users, r.support, r.source
	FROM wfml.ranked_needs(user_id, n, category) r;
END;
COMMENT ON FUNCTION wfml.suggest(text, integer, text) IS
	'what to automate next, best first: of the 20 needs (wfml.workflow_needs()) that save most, or of 100 with a category, the n that score best, each with its category and how sure that is, its score (0 to 1) and why in words, and how many users and what share of sessions do it. With user_id those that this user did in two sessions at least come before the others. source ''rule'' when one of the models pattern_classifier and suggestion_scorer is missing: what it would answer comes from the rule of wfml.classify_pattern() or wfml.score_suggestion()';

-- src/workflow/anomalies.sql

-- Odd runs, and odd things that users did.

CREATE FUNCTION wfml.anomaly_scale(model text, group_key text,
	OUT feature text, OUT median double precision, OUT iqr double precision)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 100 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_anomaly_scale';
COMMENT ON FUNCTION wfml.anomaly_scale(text, text) IS
	'what an isolation forest trained with scale_by knows to be usual in a group: median and interquartile range of each number (an IQR of 0 counts as 1; NULL where no row of the group had a value); no row for a group that training did not see, or saw in fewer than 8 rows';

CREATE FUNCTION wfml.short_number(x double precision) RETURNS text
	LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
	BEGIN ATOMIC
		SELECT CASE
			WHEN x OPERATOR(pg_catalog.=) 0 OR pg_catalog.abs(x) OPERATOR(pg_catalog.>=) 1e15 OR pg_catalog.abs(x) OPERATOR(pg_catalog.<) 1e-6
				OR x OPERATOR(pg_catalog.=) 'NaN' THEN x::text
			ELSE pg_catalog.trim_scale(pg_catalog.round(x::numeric,
				greatest(0, 2 OPERATOR(pg_catalog.-) pg_catalog.floor(pg_catalog.log(pg_catalog.abs(x)))::integer)))::text END;
	END;
COMMENT ON FUNCTION wfml.short_number(double precision) IS 'a number with three digits that count, and all before the point';

CREATE FUNCTION wfml.unusual_text(feature text, value double precision, low double precision, high double precision)
	RETURNS text
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE
	BEGIN ATOMIC
		SELECT CASE
			WHEN value IS NULL THEN pg_catalog.format('%s is missing', feature)
			WHEN low IS NULL THEN pg_catalog.format('%s %s, usually missing', feature, wfml.short_number(value))
			ELSE pg_catalog.format('%s %s%s, usually %s%s', feature, wfml.short_number(value), u.unit,
				CASE WHEN wfml.short_number(low) OPERATOR(pg_catalog.=) wfml.short_number(high) THEN wfml.short_number(low)
					ELSE pg_catalog.format('%s–%s', wfml.short_number(low), wfml.short_number(high)) END, u.unit) END
		FROM (SELECT CASE WHEN feature OPERATOR(pg_catalog.=) 'duration' THEN ' s' ELSE '' END) u (unit);
	END;
COMMENT ON FUNCTION wfml.unusual_text(text, double precision, double precision, double precision) IS
	'why a number is odd, in words: "duration 340 s, usually 42–55 s"';

CREATE FUNCTION wfml.run_numbers(columns jsonb) RETURNS text[]
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE
	BEGIN ATOMIC
		SELECT coalesce(pg_catalog.array_agg(c.key ORDER BY c.key COLLATE "C"), '{}')
		FROM pg_catalog.jsonb_each_text(columns) c
		WHERE c.value OPERATOR(pg_catalog.~) '^(smallint|integer|bigint|real|double precision|numeric(\(.*\))?)$'
			AND c.key OPERATOR(pg_catalog.!~) '^(workflow_id|user_id|run_id|upstream|id)$|_id$'
			AND c.key OPERATOR(pg_catalog.!~) '^(duration|run_?time|elapsed)(_|$)';
	END;
COMMENT ON FUNCTION wfml.run_numbers(jsonb) IS
	'the columns of bound runs that the anomaly detector looks at beside the duration: all numbers but ids, and but those that are named as a duration, which it computes itself';

-- ---- training ----

CREATE FUNCTION wfml.train_anomaly_detector(params jsonb DEFAULT '{}') RETURNS wfml.training_summary
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	numbers CONSTANT text[] := (SELECT wfml.run_numbers(s.columns) FROM wfml.bound_source('runs') s);
	summary wfml.training_summary;
BEGIN
	SELECT * INTO summary FROM wfml.train('anomaly_detector', 'isolation_forest',
		format('SELECT r.workflow_id, extract(epoch FROM r.finished_at - r.started_at)::double precision AS duration%s'
			' FROM wfml.bound_rows(''runs'') AS r (workflow_id text, started_at timestamptz, finished_at timestamptz%s)'
			' WHERE r.finished_at >= r.started_at AND pg_catalog.isfinite(r.finished_at) AND pg_catalog.isfinite(r.started_at)',
			(SELECT string_agg(format(', r.%I', c), '' ORDER BY i) FROM unnest(numbers) WITH ORDINALITY u (c, i)),
			(SELECT string_agg(format(', %I double precision', c), '' ORDER BY i) FROM unnest(numbers) WITH ORDINALITY u (c, i))),
		params => '{"scale_by": "workflow_id", "contamination": 0.02}'::jsonb || coalesce(params, '{}'),
		features => 'duration'::text || numbers);
	RETURN summary;
END $$;
COMMENT ON FUNCTION wfml.train_anomaly_detector(jsonb) IS
	'train the model anomaly_detector: an isolation forest on the finished runs (also failed ones) of the bound source "runs": their duration in seconds and all further columns that are numbers, each scaled by median and interquartile range of its workflow. The oddest 2 % of them set the threshold of is_anomaly; another share: params ''{"contamination": 0.05}''. params: as for wfml.train(). Call it as SELECT * FROM wfml.train_anomaly_detector()';

-- ---- runs ----

CREATE FUNCTION wfml.run_anomalies_by_model(since timestamptz, n integer)
	RETURNS TABLE (entity text, score double precision, confidence double precision, is_anomaly boolean, reasons text[])
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 20
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	bound record;
	known text[];
	numbers text[];
BEGIN
	SELECT s.columns, s.timezone INTO bound FROM wfml.bound_source('runs') s;
	-- as the model was trained; a column that the binding lost since, or that
	-- is no number any more, is NULL
	SELECT array_agg(c ->> 'name') INTO numbers
	FROM jsonb_array_elements(wfml.model_facts(wfml.version_id('anomaly_detector')) -> 'columns') c
	WHERE c ->> 'name' NOT IN ('workflow_id', 'duration');
	SELECT array_agg(c) INTO known FROM unnest(numbers) c WHERE c = ANY (wfml.run_numbers(bound.columns));
	RETURN QUERY EXECUTE format($query$
		WITH r AS MATERIALIZED (
			SELECT coalesce(b.run_id, b.workflow_id || ' ' || to_char(b.started_at AT TIME ZONE $3, 'YYYY-MM-DD HH24:MI:SS')) AS entity,
				b.workflow_id, "its numbers" AS input
			FROM wfml.bound_rows('runs', since => $1, row_limit => CASE WHEN $1 IS NULL THEN 100000 END)
				AS b (run_id text, workflow_id text, started_at timestamptz, finished_at timestamptz%2$s)
			CROSS JOIN LATERAL (
				SELECT b.workflow_id, extract(epoch FROM b.finished_at - b.started_at)::double precision AS duration%1$s) "its numbers"
			WHERE b.finished_at >= b.started_at AND isfinite(b.finished_at) AND isfinite(b.started_at)),
		w AS MATERIALIZED (
			SELECT d.workflow_id FROM (SELECT DISTINCT r.workflow_id FROM r) d
			WHERE EXISTS (SELECT FROM wfml.anomaly_scale('anomaly_detector', d.workflow_id))),
		top AS MATERIALIZED (
			SELECT r.input, r.entity, r.workflow_id, w.workflow_id IS NOT NULL AS judged,
				CASE WHEN w.workflow_id IS NULL THEN least(p.value, 0.5) ELSE p.value END AS value,
				CASE WHEN w.workflow_id IS NULL THEN 0 ELSE p.confidence END AS confidence, p.label
			FROM r LEFT JOIN w USING (workflow_id), LATERAL wfml.predict_detail('anomaly_detector', r.input) p
			ORDER BY value DESC, r.entity LIMIT $2)
		SELECT t.entity, t.value, t.confidence, t.judged AND t.label = 'anomaly',
			CASE
				WHEN NOT t.judged THEN ARRAY['too few runs of this workflow to tell what is usual']
				WHEN t.label = 'anomaly' THEN coalesce((
					SELECT array_agg(wfml.unusual_text(x.feature, x.value, x.low, x.high) ORDER BY x.contribution DESC)
					FROM (SELECT e.feature, e.contribution, v.value,
								CASE WHEN v.whole THEN ceil(v.low) ELSE v.low END AS low, CASE WHEN v.whole THEN floor(v.high) ELSE v.high END AS high
							FROM wfml.explain_anomaly('anomaly_detector', to_jsonb(t.input)) e
							JOIN wfml.anomaly_scale('anomaly_detector', t.workflow_id) s ON s.feature = e.feature
							CROSS JOIN LATERAL (
								SELECT (to_jsonb(t.input) ->> e.feature)::double precision,
									CASE WHEN s.median >= 0 THEN greatest(s.median - s.iqr / 2, 0) ELSE s.median - s.iqr / 2 END,
									s.median + s.iqr / 2, coalesce($4 ->> e.feature ~ 'int', false)) v (value, low, high, whole)
							WHERE e.contribution > 0
								AND (abs(v.value - s.median) > s.iqr OR (v.value IS NULL) <> (s.median IS NULL))
							ORDER BY e.contribution DESC LIMIT 3) x), '{}')
				ELSE '{}' END
		FROM top t
		ORDER BY t.value DESC, t.entity$query$,
			(SELECT string_agg(CASE WHEN c = ANY (known) THEN format(', b.%I', c) ELSE format(', NULL::double precision AS %I', c) END, '') FROM unnest(numbers) c),
			(SELECT string_agg(format(', %I double precision', c), '') FROM unnest(known) c))
		USING since, n, bound.timezone, bound.columns;
END $$;
COMMENT ON FUNCTION wfml.run_anomalies_by_model(timestamptz, integer) IS 'detect_anomalies(''runs'') where the model anomaly_detector is there';

CREATE FUNCTION wfml.run_anomalies_by_rule(since timestamptz, n integer)
	RETURNS TABLE (entity text, score double precision, confidence double precision, is_anomaly boolean, reasons text[])
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 20
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	bound record;
	numbers text[];
BEGIN
	SELECT s.columns, s.timezone INTO bound FROM wfml.bound_source('runs') s;
	numbers := wfml.run_numbers(bound.columns);
	RETURN QUERY EXECUTE format($query$
		WITH r AS MATERIALIZED (
			SELECT row_number() OVER () AS i,
				coalesce(b.run_id, b.workflow_id || ' ' || to_char(b.started_at AT TIME ZONE $3, 'YYYY-MM-DD HH24:MI:SS')) AS entity,
				b.workflow_id, $1 IS NULL OR b.finished_at >= $1 AS asked,
				ARRAY[extract(epoch FROM b.finished_at - b.started_at)::double precision%s] AS numbers
			FROM wfml.bound_rows('runs', row_limit => 100000)
				AS b (run_id text, workflow_id text, started_at timestamptz, finished_at timestamptz%s)
			WHERE b.finished_at >= b.started_at AND isfinite(b.finished_at) AND isfinite(b.started_at)),
		s AS MATERIALIZED (
			SELECT r.workflow_id, u.f, count(u.x) AS runs,
				percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY u.x) AS q
			FROM r, unnest(r.numbers) WITH ORDINALITY u (x, f)
			WHERE u.x <> 'NaN'
			GROUP BY 1, 2 HAVING count(u.x) >= 8),
		scale AS MATERIALIZED (
			SELECT s.*, coalesce(nullif(greatest((s.q[3] - s.q[1]) / 1.349, abs(s.q[2]) / 10), 0), 1) AS unit FROM s),
		z AS MATERIALIZED (
			SELECT r.i, r.asked, r.entity, r.workflow_id, r.numbers, max(abs(u.x - s.q[2]) / s.unit) AS z
			FROM r CROSS JOIN unnest(r.numbers) WITH ORDINALITY u (x, f)
			LEFT JOIN scale s ON s.workflow_id = r.workflow_id AND s.f = u.f AND u.x <> 'NaN'
			GROUP BY 1, 2, 3, 4, 5),
		top AS MATERIALIZED (
			SELECT y.* FROM (SELECT z.*, percent_rank() OVER (ORDER BY coalesce(z.z, 0)) AS rank FROM z) y
			WHERE y.asked
			ORDER BY coalesce(y.z, 0) DESC, y.entity LIMIT $2)
		SELECT t.entity, coalesce(CASE WHEN t.z = 'Infinity' THEN 1 ELSE t.z / (t.z + 3.5) END, 0), t.rank, coalesce(t.z > 3.5, false),
			CASE WHEN t.z IS NOT NULL THEN coalesce((
				SELECT array_agg(wfml.unusual_text(x.feature, x.value, x.low, x.high) ORDER BY x.z DESC)
				FROM (SELECT $4[u.f] AS feature, u.x AS value, s.q[1] AS low, s.q[3] AS high, abs(u.x - s.q[2]) / s.unit AS z
						FROM unnest(t.numbers) WITH ORDINALITY u (x, f)
						JOIN scale s ON s.workflow_id = t.workflow_id AND s.f = u.f
						WHERE u.x <> 'NaN'
						ORDER BY 5 DESC LIMIT 3) x
				WHERE x.z > 2), '{}')
				ELSE ARRAY['too few runs of this workflow to tell what is usual'] END
		FROM top t
		ORDER BY 2 DESC, t.entity$query$,
			(SELECT string_agg(format(', b.%I', c), '' ORDER BY i) FROM unnest(numbers) WITH ORDINALITY u (c, i)),
			(SELECT string_agg(format(', %I double precision', c), '' ORDER BY i) FROM unnest(numbers) WITH ORDINALITY u (c, i)))
		USING since, n, bound.timezone, 'duration'::text || numbers;
END $$;
COMMENT ON FUNCTION wfml.run_anomalies_by_rule(timestamptz, integer) IS 'detect_anomalies(''runs'') by rule';

-- ---- what users did ----

CREATE FUNCTION wfml.session_anomalies(since timestamptz, n integer, by_model boolean)
	RETURNS TABLE (entity text, score double precision, confidence double precision, is_anomaly boolean, reasons text[])
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 20
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN QUERY
		WITH bound AS MATERIALIZED (
			SELECT b.session_gap, b.timezone FROM wfml.bound_source('events') b),
		e AS MATERIALIZED (
			SELECT x.*, count(*) FILTER (WHERE x.pause IS NULL OR x.pause > b.session_gap) OVER (PARTITION BY x.user_id ORDER BY x.at, x.event) AS session
			FROM (SELECT y.user_id, y.event, y.at, y.at - lag(y.at) OVER (PARTITION BY y.user_id ORDER BY y.at, y.event) AS pause
					FROM wfml.bound_rows('events', row_limit => 20000) AS y (user_id text, event text, at timestamptz)
					WHERE y.event IS NOT NULL AND isfinite(y.at)) x, bound b),
		step AS MATERIALIZED (
			SELECT e.user_id, e.session, e.event, e.at,
				lag(e.event) OVER (PARTITION BY e.user_id, e.session ORDER BY e.at, e.event) AS before
			FROM e),
		follows AS MATERIALIZED (
			SELECT s.before, s.event, count(*) AS n FROM step s GROUP BY 1, 2),
		origin AS MATERIALIZED (
			SELECT f.before, sum(f.n) AS n FROM follows f GROUP BY 1),
		vocabulary AS MATERIALIZED (
			SELECT count(DISTINCT f.event) AS n FROM follows f),
		-- each transition by what the others say of it
		rare AS MATERIALIZED (
			SELECT f.before, f.event, f.n, o.n AS of_n, ln((f.n - 0.9) / (o.n - 1 + 0.1 * v.n))::double precision AS p
			FROM follows f JOIN origin o ON o.before IS NOT DISTINCT FROM f.before, vocabulary v),
		session AS MATERIALIZED (
			SELECT s.user_id, s.session, min(s.at) AS started, max(s.at) AS ended, count(*) AS events,
				array_agg(s.event ORDER BY s.at, s.event) AS history, array_agg(s.at ORDER BY s.at, s.event) AS times,
				avg(r.p) AS p
			FROM step s JOIN rare r ON r.event = s.event AND r.before IS NOT DISTINCT FROM s.before
			GROUP BY 1, 2 HAVING count(*) > 1),
		scored AS MATERIALIZED (
			SELECT s.user_id, s.session, s.started, s.ended,
				CASE WHEN by_model THEN wfml.sequence_score('sequence_predictor', s.history, s.times) ELSE s.p END AS p
			FROM session s),
		usual AS MATERIALIZED (
			SELECT percentile_cont(ARRAY[0.02, 0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY s.p) AS q, count(*) AS n FROM scored s),
		top AS MATERIALIZED (
			SELECT y.* FROM (SELECT s.*, percent_rank() OVER (ORDER BY s.p DESC) AS rank FROM scored s) y
			WHERE since IS NULL OR y.ended >= since
			ORDER BY y.p, y.user_id, y.started LIMIT session_anomalies.n)
		SELECT t.user_id || ' ' || to_char(t.started AT TIME ZONE b.timezone, 'YYYY-MM-DD HH24:MI:SS'),
			1 - exp(least(t.p, 0)), t.rank,
			u.n >= 20 AND t.p <= u.q[1] AND t.p < u.q[3] - 3.5 * greatest(u.q[4] - u.q[2], 0.01) / 1.349,
			(SELECT array_agg(x.reason ORDER BY x.p)
				FROM (SELECT DISTINCT ON (r.p, r.before, r.event) r.p,
							CASE WHEN r.before IS NULL THEN format('begins with "%s", as %s of %s do', r.event, r.n, r.of_n)
								ELSE format('"%s" after "%s", as in %s of %s', r.event, r.before, r.n, r.of_n) END AS reason
						FROM step s JOIN rare r ON r.event = s.event AND r.before IS NOT DISTINCT FROM s.before
						WHERE s.user_id = t.user_id AND s.session = t.session
						ORDER BY r.p, r.before, r.event LIMIT 2) x)
		FROM top t, usual u, bound b
		ORDER BY t.p, 1;
END $$;
COMMENT ON FUNCTION wfml.session_anomalies(timestamptz, integer, boolean) IS
	'detect_anomalies(''patterns''), by the model sequence_predictor or by rule';

-- ---- both ----

CREATE FUNCTION wfml.detect_anomalies(kind text DEFAULT 'runs', since timestamptz DEFAULT NULL, n integer DEFAULT 20)
	RETURNS TABLE (entity text, score double precision, confidence double precision, is_anomaly boolean, reasons text[], source text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 20
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	IF n IS NULL OR n < 0 THEN
		RAISE invalid_parameter_value USING MESSAGE = 'n must be a number from 0 on';
	END IF;
	CASE kind
		WHEN 'runs' THEN
			IF wfml.has_model('anomaly_detector') THEN
				RETURN QUERY SELECT a.*, 'ml' FROM wfml.run_anomalies_by_model(since, n) a;
			ELSE
				RETURN QUERY SELECT a.*, 'rule' FROM wfml.run_anomalies_by_rule(since, n) a;
			END IF;
		WHEN 'patterns' THEN
			IF wfml.has_model('sequence_predictor') THEN
				RETURN QUERY SELECT a.*, 'ml' FROM wfml.session_anomalies(since, n, true) a;
			ELSE
				RETURN QUERY SELECT a.*, 'rule' FROM wfml.session_anomalies(since, n, false) a;
			END IF;
		ELSE
			RAISE invalid_parameter_value USING
				MESSAGE = CASE WHEN kind IS NULL THEN 'kind must not be null' ELSE format('there is no kind of anomalies "%s"', kind) END,
				HINT = 'The kinds are runs and patterns.';
	END CASE;
END $$;
COMMENT ON FUNCTION wfml.detect_anomalies(text, timestamptz, integer) IS
	'the n oddest, oddest first. Kind "runs": finished runs (also failed ones) that finished since then, of the newest 100,000; entity is run_id, or workflow_id and start. score (0 to 1) is the isolation forest''s, confidence the share of training runs that score lower, reasons of an anomaly say which of its numbers are odd for its workflow. Kind "patterns": sessions of users among the newest 20,000 events that ended since then; entity is user_id and start; score is 1 less the geometric mean of the probabilities of the steps by sequence_predictor, an anomaly one of the lowest 2 % that is also below the median by 3.5 robust deviations. Rules, where the model is missing (source "rule"): runs by the largest robust z of duration and further numbers within their workflow, z = |x - median| / (IQR / 1.349, or a tenth of the median if that is more), score z / (z + 3.5), an anomaly above 3.5; sessions by how often each step follows the one before. A workflow of fewer than 8 runs is not judged';

-- src/workflow/train_one.sql

-- The models of the workflow floor by their names: what each needs, and training one.

CREATE FUNCTION wfml.workflow_kinds(
	OUT step integer, OUT kind text, OUT needs text, OUT needs_columns text, OUT is_model boolean, OUT purpose text)
	RETURNS SETOF record
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE ROWS 7
	BEGIN ATOMIC
		SELECT k.step, k.kind, k.needs, k.needs_columns, k.is_model, k.purpose
		FROM (VALUES
			(1, 'sequence_predictor', 'events', 'user_id, event, at', true, 'what a user does next'),
			(2, 'workflow_needs', 'events', 'user_id, event, at', false, 'what users do again and again and no workflow does'),
			(3, 'pattern_classifier', 'patterns', 'events, category', true, 'which category a pattern belongs to'),
			(4, 'suggestion_scorer', 'suggestions', 'events, accepted (or score)', true, 'how good a suggestion is'),
			(5, 'trigger_predictor', 'runs', 'workflow_id, started_at, finished_at, succeeded', true, 'whether a workflow would succeed at a time'),
			(6, 'anomaly_detector', 'runs', 'workflow_id, started_at, finished_at, succeeded', true, 'which runs are odd for their workflow'),
			(7, 'workflow_recommender', 'usage', 'user_id, workflow_id, weight', true, 'which workflows a user may like'))
			AS k (step, kind, needs, needs_columns, is_model, purpose);
	END;
COMMENT ON FUNCTION wfml.workflow_kinds() IS
	'what train_all() makes, in that order: needs is the kind of source that it is trained from (wfml.bind()), with the columns it must have; is_model is false for rows that are kept instead of a model';

CREATE FUNCTION wfml.train_one(kind text, params jsonb DEFAULT '{}') RETURNS wfml.training_summary
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	given CONSTANT jsonb := coalesce(params, '{}');
	summary wfml.training_summary;
BEGIN
	CASE kind
		WHEN 'pattern_classifier' THEN SELECT * INTO summary FROM wfml.train_pattern_classifier(given);
		WHEN 'suggestion_scorer' THEN SELECT * INTO summary FROM wfml.train_suggestion_scorer(given);
		WHEN 'sequence_predictor' THEN SELECT * INTO summary FROM wfml.train_sequence_predictor(given);
		WHEN 'trigger_predictor' THEN SELECT * INTO summary FROM wfml.train_trigger_predictor(given);
		WHEN 'workflow_recommender' THEN SELECT * INTO summary FROM wfml.train_workflow_recommender(given);
		WHEN 'anomaly_detector' THEN SELECT * INTO summary FROM wfml.train_anomaly_detector(given);
		ELSE
			RAISE invalid_parameter_value USING
				MESSAGE = CASE WHEN kind IS NULL THEN 'kind must not be null' ELSE format('there is no kind of model "%s"', kind) END,
				HINT = format('The kinds are %s.', (SELECT string_agg(k.kind, ', ' ORDER BY k.step) FROM wfml.workflow_kinds() k WHERE k.is_model));
	END CASE;
	RETURN summary;
END $$;
COMMENT ON FUNCTION wfml.train_one(text, jsonb) IS
	'train a new version of one model of the workflow functions from the source that is bound for it: pattern_classifier, suggestion_scorer, sequence_predictor, trigger_predictor, workflow_recommender or anomaly_detector; params as for that kind. Call it as SELECT * FROM wfml.train_one(…)';

-- src/pg/train_all.sql

-- Training all that the bound sources allow.

CREATE UNIQUE INDEX job_run_train_all ON wfml.job_run (role, model) WHERE kind = 'train_all' AND status = 'running';

CREATE PROCEDURE wfml.train_all(kinds text[] DEFAULT NULL, params jsonb DEFAULT '{}')
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'wfml_train_all';
COMMENT ON PROCEDURE wfml.train_all(text[], jsonb) IS
	'train every model of the workflow functions whose source is bound (or only the kinds named, see wfml.workflow_kinds()), with the caller''s rights. Commits after each kind unless called in a transaction block; an error of one is a WARNING and does not stop the others; each has its row in wfml.jobs. params: an object of the parameters by kind';

CREATE FUNCTION wfml.train_all_background(params jsonb DEFAULT '{}') RETURNS TABLE (kind text, job bigint)
	LANGUAGE SQL VOLATILE PARALLEL UNSAFE ROWS 6
	BEGIN ATOMIC
		SELECT k.kind, wfml.queue_job('train_one', k.kind,
				pg_catalog.jsonb_build_object('params', coalesce(train_all_background.params OPERATOR(pg_catalog.->) k.kind, '{}')))
		FROM wfml.workflow_kinds() k
		WHERE k.is_model AND wfml.has_source(k.needs)
		ORDER BY k.step;
	END;
COMMENT ON FUNCTION wfml.train_all_background(jsonb) IS
	'queue the training of every model whose source is bound, each a job of its own in a background worker as by wfml.train_background(): for callers that cannot wait, such as HTTP. Their results stand in wfml.jobs. params: an object of the parameters by kind';

-- src/workflow/generate_demo.sql

-- A made-up platform whose truth is known: docs/demo_data.md says how it is
-- made.  Every number is drawn by its key, so that nothing depends on the
-- order of rows, the machine or the version.

CREATE FUNCTION wfml.uniform(seed bigint, VARIADIC key text[]) RETURNS double precision
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_uniform';
COMMENT ON FUNCTION wfml.uniform(bigint, text[]) IS
	'random number in [0, 1) that belongs to seed and key: the same on every machine and in every version';

-- Sum of four uniforms, scaled: within 3.5 standard deviations, and without a
-- function of the C library, whose last digits differ between machines.
CREATE FUNCTION wfml.demo_normal(seed bigint, what text, key text) RETURNS double precision
	LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
	RETURN (wfml.uniform(seed, what, key, 'a') + wfml.uniform(seed, what, key, 'b')
		+ wfml.uniform(seed, what, key, 'c') + wfml.uniform(seed, what, key, 'd') - 2) * 1.7320508075688772;
COMMENT ON FUNCTION wfml.demo_normal(bigint, text, text) IS
	'about normally distributed random number with mean 0 and standard deviation 1 that belongs to seed and key; for wfml.generate_demo()';

-- Seven roles: when they work, and the four things that they do again and again.
CREATE FUNCTION wfml.demo_roles() RETURNS TABLE (role_no integer, role text, morning double precision, afternoon double precision, habits text[])
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES
	(1, 'sales', 9.0::double precision, 15.0::double precision, ARRAY[
		'lead_open lead_research crm_update intro_mail',
		'call_log crm_update followup_plan calendar_invite',
		'quote_draft price_check discount_ask quote_send',
		'deal_won contract_make contract_sign handover_note crm_update']),
	(2, 'support', 8.0, 13.0, ARRAY[
		'ticket_open history_read kb_search ticket_answer',
		'ticket_escalate log_attach dev_ping ticket_hold',
		'refund_ask order_check refund_grant ticket_close',
		'survey_pull score_read kb_edit team_report']),
	(3, 'finance', 8.5, 16.0, ARRAY[
		'invoice_receive invoice_scan cost_code invoice_approve payment_plan',
		'bank_export bank_match gap_list ledger_post',
		'expense_open receipt_check expense_approve ledger_post',
		'budget_open forecast_edit variance_note budget_send']),
	(4, 'marketing', 10.0, 14.5, ARRAY[
		'campaign_draft image_pick copy_review campaign_launch',
		'list_import list_clean segment_make newsletter_send',
		'ads_pull spend_check bid_change ads_report',
		'post_write post_review post_plan post_share']),
	(5, 'operations', 6.5, 14.0, ARRAY[
		'order_fetch stock_check pick_list label_print parcel_send',
		'stock_count stock_adjust reorder_make supplier_mail',
		'delay_alert carrier_call customer_notify eta_edit',
		'return_receive return_inspect stock_adjust credit_make']),
	(6, 'hr', 9.5, 13.5, ARRAY[
		'cv_receive cv_rate interview_plan candidate_mail',
		'offer_write offer_approve offer_mail account_ask',
		'leave_ask calendar_check leave_approve payroll_note',
		'hours_export hours_fix payroll_note payslip_send']),
	(7, 'engineering', 11.0, 17.0, ARRAY[
		'branch_make code_push review_ask merge_do deploy_start',
		'alert_read trace_open issue_make oncall_note',
		'issue_pick spec_read estimate_set board_move',
		'build_fail build_log code_fix build_again']);
END;
COMMENT ON FUNCTION wfml.demo_roles() IS
	'the roles of wfml.generate_demo(): the hours around which they work, and their habitual sequences of events';

CREATE FUNCTION wfml.demo_tables() RETURNS void
	LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
	CREATE TABLE person (user_id text PRIMARY KEY, role text NOT NULL, shift_h double precision NOT NULL);
	CREATE TABLE workflow (workflow_id text PRIMARY KEY, name text NOT NULL, events text[] NOT NULL, category text NOT NULL,
		upstream text REFERENCES workflow);
	CREATE TABLE run (run_id bigint PRIMARY KEY, workflow_id text NOT NULL REFERENCES workflow, user_id text NOT NULL REFERENCES person,
		started_at timestamptz NOT NULL, finished_at timestamptz NOT NULL, succeeded boolean NOT NULL,
		duration_s double precision NOT NULL, items integer NOT NULL, retries integer NOT NULL, cpu_s double precision NOT NULL, upstream text);
	CREATE TABLE event (event_id bigint PRIMARY KEY, user_id text NOT NULL REFERENCES person, event text NOT NULL, at timestamptz NOT NULL);
	CREATE TABLE usage (user_id text REFERENCES person, workflow_id text REFERENCES workflow, weight double precision NOT NULL,
		PRIMARY KEY (user_id, workflow_id));
	CREATE TABLE pattern (pattern_id bigint PRIMARY KEY, found_at timestamptz NOT NULL, events text[] NOT NULL, n_events integer NOT NULL,
		support double precision NOT NULL, users bigint NOT NULL, lift double precision NOT NULL, typical_hour double precision NOT NULL,
		weekday_share double precision NOT NULL, gap interval NOT NULL, category text NOT NULL);
	CREATE TABLE suggestion (suggestion_id bigint PRIMARY KEY, made_at timestamptz NOT NULL, events text[] NOT NULL, n_events integer NOT NULL,
		support double precision NOT NULL, users bigint NOT NULL, lift double precision NOT NULL, typical_hour double precision NOT NULL,
		weekday_share double precision NOT NULL, gap interval NOT NULL, score double precision NOT NULL, accepted boolean NOT NULL);

	CREATE TABLE truth_workflow (workflow_id text PRIMARY KEY REFERENCES workflow, intercept double precision NOT NULL, best_hour integer NOT NULL,
		runs_a_day double precision NOT NULL, duration_s double precision NOT NULL, items double precision NOT NULL,
		retries double precision NOT NULL, cpu_share double precision NOT NULL, load_factor double precision NOT NULL);
	CREATE TABLE truth_run (run_id bigint PRIMARY KEY, explored boolean NOT NULL, load integer NOT NULL,
		upstream_failed boolean NOT NULL, probability double precision NOT NULL);
	CREATE TABLE truth_pattern (pattern_id integer PRIMARY KEY, category text NOT NULL, events text[] NOT NULL, workflow_id text REFERENCES workflow);
	CREATE TABLE truth_anomaly (run_id bigint PRIMARY KEY, what text NOT NULL);
	CREATE TABLE truth_hour (workflow_id text REFERENCES workflow, hour integer, weekend boolean, probability double precision NOT NULL,
		PRIMARY KEY (workflow_id, hour, weekend));
	CREATE TABLE truth_next (event_id bigint PRIMARY KEY, session_id text NOT NULL, next text, likely text, likely_event text);
	CREATE TABLE truth_category (pattern_id bigint PRIMARY KEY, category text NOT NULL, likely text NOT NULL);
	CREATE TABLE truth_score (suggestion_id bigint PRIMARY KEY, score double precision NOT NULL);
END $$;
COMMENT ON FUNCTION wfml.demo_tables() IS 'makes the tables of wfml.generate_demo() in the first schema of search_path';

-- People, what they do again and again, and workflows.
CREATE FUNCTION wfml.demo_people(users integer, seed bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
	INSERT INTO person
	SELECT 'u' || lpad(u::text, 4, '0'), r.role, round((wfml.uniform(seed, 'shift', u::text) * 1.5 - 0.75)::numeric, 2)::double precision
	FROM generate_series(1, users) u JOIN wfml.demo_roles() r ON r.role_no = (u - 1) % 7 + 1;

	-- Two of a role's four habits are automated already.
	CREATE TEMP TABLE demo_habit ON COMMIT DROP AS
	SELECT (r.role_no - 1) * 4 + h.n::integer AS habit, r.role_no, r.role, h.n::integer AS n, string_to_array(h.events, ' ') AS events,
		row_number() OVER (PARTITION BY r.role_no ORDER BY wfml.uniform(seed, 'automated', r.role, h.n::text)) <= 2 AS automated
	FROM wfml.demo_roles() r CROSS JOIN LATERAL unnest(r.habits) WITH ORDINALITY h(events, n);

	-- The first fourteen do those habits, the others work on data of their role.
	CREATE TEMP TABLE demo_workflow ON COMMIT DROP AS
	SELECT w, 'w' || lpad(w::text, 3, '0') AS workflow_id, r.role, r.role_no, r.morning, r.afternoon, a.events AS done, a.habit,
		-- levels of 6 : 3 : 1, so that outcomes can be drawn level by level
		CASE WHEN w % 10 IN (1, 2, 3, 5, 6, 8) THEN 0 WHEN w % 10 = 0 THEN 2 ELSE 1 END AS level
	FROM generate_series(1, greatest(24, users / 5)) w
	JOIN wfml.demo_roles() r ON r.role_no = (w - 1) % 7 + 1
	LEFT JOIN (SELECT *, row_number() OVER (PARTITION BY role_no ORDER BY habit) AS nth FROM demo_habit WHERE automated) a
		ON a.role_no = r.role_no AND a.nth = (w - 1) / 7 + 1;
	INSERT INTO workflow
	SELECT w.workflow_id, initcap(w.role) || ' ' || CASE WHEN w.done IS NULL THEN 'sync ' || w.w ELSE replace(w.done[1], '_', ' ') || ' automation' END,
		CASE WHEN w.done IS NULL
			THEN ARRAY['schedule_tick', w.role || '_fetch', (ARRAY['rows_filter', 'rows_join', 'rows_check'])[1 + floor(3 * wfml.uniform(seed, 'step', w.w::text))::integer],
				w.role || '_write', 'notify_send']
			ELSE w.done || 'notify_send'::text END,
		w.role, NULL
	FROM demo_workflow w;
	UPDATE workflow SET upstream = u.workflow_id
	FROM demo_workflow w CROSS JOIN LATERAL (
		SELECT x.workflow_id FROM demo_workflow x WHERE x.level = w.level - 1
		ORDER BY wfml.uniform(seed, 'upstream', w.w::text, x.w::text) LIMIT 1) u
	WHERE workflow.workflow_id = w.workflow_id AND w.level > 0;
	INSERT INTO truth_pattern
	SELECT h.habit, h.role, h.events, w.workflow_id FROM demo_habit h LEFT JOIN demo_workflow w ON w.habit = h.habit;

	-- How each workflow is: the block of four hours in which it succeeds best
	-- does not hold the hour at which its people mostly start it.
	INSERT INTO truth_workflow
	SELECT w.workflow_id, round(ln(b.base / (1 - b.base))::numeric, 4)::double precision,
		CASE WHEN w.morning >= b.first AND w.morning < b.first + 4 THEN 5 + (b.first - 5 + 5) % 15 ELSE b.first END,
		11 + 7 * wfml.uniform(seed, 'rate', w.w::text),
		round((30 * exp(3.2 * wfml.uniform(seed, 'duration', w.w::text)))::numeric, 1)::double precision,
		round((20 * exp(4.6 * wfml.uniform(seed, 'items', w.w::text)))::numeric)::double precision,
		round((2.5 * wfml.uniform(seed, 'retries', w.w::text) ^ 2)::numeric, 2)::double precision,
		round((0.1 + 0.7 * wfml.uniform(seed, 'cpu', w.w::text))::numeric, 2)::double precision,
		0.08 * 40 / greatest(24, users / 5)
	FROM demo_workflow w CROSS JOIN LATERAL (
		SELECT 0.62 + 0.10 * wfml.uniform(seed, 'base', w.w::text) AS base, 5 + floor(15 * wfml.uniform(seed, 'best', w.w::text))::integer AS first) b;
END $$;
COMMENT ON FUNCTION wfml.demo_people(integer, bigint) IS 'people, habits and workflows of wfml.generate_demo()';

-- When runs happen, how long they take, and what is odd about a few.
CREATE FUNCTION wfml.demo_runs(days integer, seed bigint, starts timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
	CREATE TEMP TABLE demo_member ON COMMIT DROP AS
	SELECT w.w, m, CASE WHEN wfml.uniform(seed, 'insider', w.w::text, m::text) < 0.85
			THEN i.ids[1 + floor(array_length(i.ids, 1) * wfml.uniform(seed, 'member', w.w::text, m::text))::integer]
			ELSE a.ids[1 + floor(array_length(a.ids, 1) * wfml.uniform(seed, 'member', w.w::text, m::text))::integer] END AS user_id
	FROM demo_workflow w CROSS JOIN generate_series(0, 23) m
	CROSS JOIN (SELECT array_agg(user_id ORDER BY user_id) AS ids FROM person) a
	LEFT JOIN (SELECT role, array_agg(user_id ORDER BY user_id) AS ids FROM person GROUP BY role) r ON r.role = w.role
	CROSS JOIN LATERAL (SELECT coalesce(r.ids, a.ids) AS ids) i;

	CREATE TEMP TABLE demo_run ON COMMIT DROP AS
	SELECT r.*, greatest(1, round((t.items * exp(0.3 * r.z))::numeric))::integer AS items,
		round((t.duration_s * exp(0.25 * wfml.demo_normal(seed, 'duration', key)))::numeric, 1)::double precision AS duration_s,
		floor(t.retries + wfml.uniform(seed, 'retries', key) + 0.3 * wfml.uniform(seed, 'more retries', key))::integer AS retries,
		t.cpu_share * exp(0.2 * wfml.demo_normal(seed, 'cpu', key)) AS cpu,
		-- where it starts in its workflow's best block
		(EXTRACT(hour FROM r.started_at)::integer - t.best_hour) BETWEEN 0 AND 3 AS best,
		CASE WHEN wfml.uniform(seed, 'odd', key) < 0.015 THEN 1 + floor(5 * wfml.uniform(seed, 'how odd', key))::integer ELSE 0 END AS odd
	FROM (SELECT k.*, 0.5 * k.explored::integer + wfml.demo_normal(seed, 'items', key) AS z,
			starts + make_interval(days => day)
				+ 3600000 * CASE WHEN k.explored THEN 5 + 18 * wfml.uniform(seed, 'hour', key)
					ELSE CASE WHEN wfml.uniform(seed, 'half', key) < 0.6 THEN k.morning ELSE k.afternoon END
						+ 1.3 * wfml.demo_normal(seed, 'hour', key) END * interval '1 millisecond' AS started_at
		FROM (SELECT w.w, w.workflow_id, w.level, w.morning, w.afternoon, d AS day, w.w || ' ' || d || ' ' || n AS key,
				wfml.uniform(seed, 'explore', w.w || ' ' || d || ' ' || n) < 0.2 AS explored
			FROM demo_workflow w JOIN truth_workflow t USING (workflow_id)
			CROSS JOIN generate_series(0, days - 1) d
			CROSS JOIN LATERAL generate_series(1, floor(t.runs_a_day
				* CASE WHEN EXTRACT(isodow FROM starts + make_interval(days => d)) > 5 THEN 0.45 ELSE 1 END
				* (0.6 + 0.8 * wfml.uniform(seed, 'busy', w.w::text, d::text)) + wfml.uniform(seed, 'runs', w.w::text, d::text))::integer) n) k) r
	JOIN truth_workflow t USING (workflow_id);
	-- Odd for their workflow, but not in the crowd of all.
	UPDATE demo_run SET duration_s = round((duration_s * CASE odd WHEN 1 THEN 5 WHEN 2 THEN 0.2 ELSE 1 END)::numeric, 1)::double precision,
		items = CASE odd WHEN 3 THEN items * 6 ELSE items END,
		retries = CASE odd WHEN 4 THEN retries + 4 + floor(2 * wfml.uniform(seed, 'odd retries', key))::integer ELSE retries END,
		cpu = CASE odd WHEN 5 THEN cpu * CASE WHEN cpu < 0.4 THEN 4 ELSE 0.2 END ELSE cpu END
	WHERE odd > 0;
	ALTER TABLE demo_run ADD run_id bigint, ADD load integer, ADD finished_at timestamptz;
	UPDATE demo_run r SET run_id = o.n, finished_at = r.started_at + r.duration_s * interval '1 second'
	FROM (SELECT key, row_number() OVER (ORDER BY started_at, w, key) AS n FROM demo_run) o WHERE o.key = r.key;
	-- Runs that are under way when it starts: those started minus those finished before.
	UPDATE demo_run r SET load = o.load
	FROM (SELECT run_id, sum(CASE WHEN run_id IS NULL THEN -1 ELSE 1 END) OVER (ORDER BY at, run_id NULLS FIRST) - 1 AS load
		FROM (SELECT run_id, started_at AS at FROM demo_run UNION ALL SELECT NULL, finished_at FROM demo_run) e) o
	WHERE o.run_id = r.run_id;
	CREATE INDEX ON demo_run (run_id);
	ANALYZE demo_run;
END $$;
COMMENT ON FUNCTION wfml.demo_runs(integer, bigint, timestamptz) IS 'runs of wfml.generate_demo(), but for their outcomes';

CREATE FUNCTION wfml.demo_outcomes(seed bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
	-- By level, as an outcome depends on that of the upstream workflow's last run.
	FOR step IN 0..2 LOOP
		WITH chance AS MATERIALIZED (
			SELECT r.*, wf.upstream, coalesce(NOT u.succeeded, false) AS upstream_failed,
				t.intercept + ln(3.0::double precision) * r.best::integer - t.load_factor * r.load - 0.25 * r.z
					- 0.8 * coalesce(NOT u.succeeded, false)::integer AS logit
			FROM demo_run r JOIN workflow wf USING (workflow_id) JOIN truth_workflow t USING (workflow_id)
			LEFT JOIN LATERAL (
				SELECT x.succeeded FROM run x WHERE x.workflow_id = wf.upstream AND x.finished_at <= r.started_at
				ORDER BY x.finished_at DESC, x.run_id DESC LIMIT 1) u ON true
			WHERE r.level = step),
		truth AS (
			INSERT INTO truth_run SELECT run_id, explored, load, upstream_failed, round((1 / (1 + exp(-logit)))::numeric, 4)::double precision FROM chance)
		INSERT INTO run
		SELECT c.run_id, c.workflow_id, m.user_id, c.started_at, c.finished_at, wfml.uniform(seed, 'outcome', c.key) < 1 / (1 + exp(-c.logit)),
			c.duration_s, c.items, c.retries, round((c.duration_s * c.cpu)::numeric, 1)::double precision, c.upstream
		FROM chance c
		JOIN demo_member m ON m.w = c.w AND m.m = floor(24 * wfml.uniform(seed, 'who', c.key) ^ 1.5)::integer;
		IF step = 0 THEN
			CREATE INDEX run_workflow_finished ON run (workflow_id, finished_at);
		END IF;
		ANALYZE run;
	END LOOP;
	CREATE INDEX run_finished ON run (finished_at);
	CREATE INDEX run_user ON run (user_id, started_at);
	CREATE INDEX run_started ON run (started_at);
	INSERT INTO truth_anomaly
	SELECT run_id, (ARRAY['slow', 'fast', 'many items', 'many retries', 'odd cpu'])[odd] FROM demo_run WHERE odd > 0;
	INSERT INTO usage SELECT user_id, workflow_id, count(*) FROM run GROUP BY 1, 2;
END $$;
COMMENT ON FUNCTION wfml.demo_outcomes(bigint) IS 'outcomes of the runs of wfml.generate_demo()';

-- The probability that a run of average size would succeed, at any time.
CREATE FUNCTION wfml.demo_truth(schema_name name, days integer, starts timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
	EXECUTE format($make$
		CREATE FUNCTION %1$I.true_probability(workflow_id text, at timestamptz) RETURNS double precision
			LANGUAGE SQL STABLE
		BEGIN ATOMIC
			SELECT sum(s.weight / (1 + exp(-(t.intercept
					+ CASE WHEN EXTRACT(hour FROM true_probability.at AT TIME ZONE 'UTC')::integer - t.best_hour BETWEEN 0 AND 3 THEN ln(3.0::double precision) ELSE 0 END
					- t.load_factor * (SELECT count(*) FROM %1$I.run r
						WHERE r.started_at < true_probability.at AND r.finished_at > true_probability.at
							AND r.started_at > true_probability.at - interval '4 hours')
					- 0.8 * coalesce((SELECT (NOT u.succeeded)::integer FROM %1$I.run u
						WHERE u.workflow_id = w.upstream AND u.finished_at <= true_probability.at
						ORDER BY u.finished_at DESC, u.run_id DESC LIMIT 1), 0)
					- 0.25 * s.z))))
			FROM %1$I.workflow w JOIN %1$I.truth_workflow t ON t.workflow_id = w.workflow_id
			CROSS JOIN (VALUES (-1.66, 1.0 / 6), (0.10, 2.0 / 3), (1.86, 1.0 / 6)) s(z, weight)
			WHERE w.workflow_id = true_probability.workflow_id;
		END$make$, schema_name);
	EXECUTE format('COMMENT ON FUNCTION %I.true_probability(text, timestamptz) IS %L', schema_name,
		'the true probability that a run of this workflow started at this time succeeds, averaged over its size, with the load and the upstream outcome that there were');

	-- The same averaged over the days, at half past each hour.
	INSERT INTO truth_hour
	WITH tick AS MATERIALIZED (
		SELECT t AS at, EXTRACT(hour FROM t)::integer AS hour, EXTRACT(isodow FROM t) > 5 AS weekend,
			(SELECT count(*) FROM run r WHERE r.started_at < t AND r.finished_at > t AND r.started_at > t - interval '4 hours') AS load
		FROM generate_series(starts + interval '30 minutes', starts + make_interval(days => days, secs => -1), '1 hour') t)
	SELECT w.workflow_id, k.hour, k.weekend,
		round(avg((SELECT sum(s.weight / (1 + exp(-(t.intercept + CASE WHEN k.hour - t.best_hour BETWEEN 0 AND 3 THEN ln(3.0::double precision) ELSE 0 END
			- t.load_factor * k.load - 0.8 * coalesce(u.failed, 0) - 0.25 * s.z))))
			FROM (VALUES (-1.66, 1.0 / 6), (0.10, 2.0 / 3), (1.86, 1.0 / 6)) s(z, weight)))::numeric, 4)::double precision
	FROM workflow w JOIN truth_workflow t USING (workflow_id) CROSS JOIN tick k
	LEFT JOIN LATERAL (
		SELECT (NOT x.succeeded)::integer AS failed FROM run x WHERE x.workflow_id = w.upstream AND x.finished_at <= k.at
		ORDER BY x.finished_at DESC, x.run_id DESC LIMIT 1) u ON w.upstream IS NOT NULL
	GROUP BY 1, 2, 3;
END $$;
COMMENT ON FUNCTION wfml.demo_truth(name, integer, timestamptz) IS 'the true probabilities of wfml.generate_demo()';

-- Sessions of events.
CREATE FUNCTION wfml.demo_events(days integer, seed bigint, starts timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
	-- Habits 1 and 2 belong to the morning, 3 and 4 to the afternoon, mostly.
	CREATE TEMP TABLE demo_session ON COMMIT DROP AS
	SELECT s.user_id, s.role_no, s.key, s.begins, f.first AS chain,
		CASE WHEN wfml.uniform(seed, 'second', key) >= 0.15 THEN NULL
			WHEN wfml.uniform(seed, 'follow', key) < 0.8 THEN f.first % 4 + 1
			ELSE (f.first + floor(2 * wfml.uniform(seed, 'other', key))::integer + 1) % 4 + 1 END AS second
	FROM (SELECT p.user_id, r.role_no, half, p.user_id || ' ' || d || ' ' || half AS key,
			starts + make_interval(days => d)
				+ 3600000 * (CASE half WHEN 0 THEN r.morning ELSE r.afternoon END + p.shift_h
					+ wfml.uniform(seed, 'begins', p.user_id, d::text, half::text) - 0.5) * interval '1 millisecond' AS begins
		FROM person p JOIN wfml.demo_roles() r USING (role) CROSS JOIN generate_series(0, days - 1) d CROSS JOIN generate_series(0, 1) half
		WHERE wfml.uniform(seed, 'at work', p.user_id, d::text, half::text)
			< CASE WHEN EXTRACT(isodow FROM starts + make_interval(days => d)) > 5 THEN 0.12 WHEN half = 0 THEN 0.9 ELSE 0.75 END) s
	CROSS JOIN LATERAL (
		SELECT 1 + 2 * CASE WHEN wfml.uniform(seed, 'swap', key) < 0.1 THEN 1 - half ELSE half END
			+ CASE WHEN wfml.uniform(seed, 'which', key) < 0.25 + 0.5 * wfml.uniform(seed, 'taste', user_id, half::text) THEN 1 ELSE 0 END AS first) f;

	-- What is done, a mark where each habit ends, and a distraction behind 5 of 100 events.
	CREATE TEMP TABLE demo_step ON COMMIT DROP AS
	WITH asked AS (
		SELECT s.user_id, s.role_no, s.key, s.begins, s.chain, c.turn, e.n::integer AS n, e.event, c.turn * 100 + e.n * 2 AS place,
			s.key || ' ' || c.turn || ' ' || e.n AS step
		FROM demo_session s CROSS JOIN LATERAL (VALUES (1, s.chain), (2, s.second)) c(turn, chain)
		JOIN demo_habit h ON h.role_no = s.role_no AND h.n = c.chain
		CROSS JOIN LATERAL unnest(h.events) WITH ORDINALITY e(event, n))
	SELECT user_id, role_no, key, begins, chain, turn, place, event AS event, event AS habit, step
	FROM asked WHERE n = 1 OR wfml.uniform(seed, 'skip', step) >= 0.02
	UNION ALL
	SELECT user_id, role_no, key, begins, chain, turn, place + 1,
		(ARRAY['mail_read', 'chat_message', 'file_open', 'web_search', 'calendar_open', 'note_write'])[1 + floor(6 * wfml.uniform(seed, 'noise', step))::integer],
		NULL, step || ' noise'
	FROM asked WHERE wfml.uniform(seed, 'noisy', step) < 0.05;

	CREATE TEMP TABLE demo_event ON COMMIT DROP AS
	SELECT row_number() OVER (ORDER BY at, user_id) AS event_id, e.*
	FROM (SELECT *, date_trunc('milliseconds', begins + interval '1 second'
			* sum(15 + 130 * wfml.uniform(seed, 'gap', step)) OVER (PARTITION BY key ORDER BY place)) AS at FROM demo_step) e;
	INSERT INTO event SELECT event_id, user_id, event, at FROM demo_event;
	CREATE INDEX event_user_at ON event (user_id, at);
	CREATE INDEX event_at ON event (at);

	-- The event that the habit asks for behind each: the next of its sequence
	-- that is not done yet, behind its last the end of the session, or the
	-- first of the sequence that mostly follows.
	INSERT INTO truth_next
	SELECT v.event_id, v.key, lead(v.event) OVER s, m.event, coalesce(m.event, CASE WHEN v.turn = 1 THEN f.events[1] END)
	FROM demo_event v
	LEFT JOIN demo_session ds ON ds.key = v.key
	JOIN demo_habit h ON h.role_no = v.role_no AND h.n = CASE v.turn WHEN 1 THEN ds.chain ELSE ds.second END
	JOIN demo_habit f ON f.role_no = v.role_no AND f.n = v.chain % 4 + 1
	CROSS JOIN LATERAL (SELECT h.events[(v.place - v.turn * 100)::integer / 2 + 1] AS event) m
	WINDOW s AS (PARTITION BY v.key ORDER BY v.place);
END $$;
COMMENT ON FUNCTION wfml.demo_events(integer, bigint, timestamptz) IS 'sessions of events of wfml.generate_demo()';

-- Labelled patterns and judged suggestions.
CREATE FUNCTION wfml.demo_patterns(users integer, days integer, seed bigint, starts timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
	CREATE TEMP TABLE demo_pattern ON COMMIT DROP AS
	WITH own AS (
		SELECT role_no, array_agg(DISTINCT e ORDER BY e) AS events FROM demo_habit CROSS JOIN LATERAL unnest(events) e GROUP BY role_no),
	everybody AS (
		SELECT ARRAY['mail_read', 'chat_message', 'file_open', 'web_search', 'calendar_open', 'note_write'] AS common,
			array_agg(DISTINCT e ORDER BY e) AS events FROM demo_habit CROSS JOIN LATERAL unnest(events) e)
	SELECT p.*, r.role AS category, e.events, cardinality(e.events) AS n_events,
		-- support from 0.5 to 20 %, lift from 1 to 30, gaps from half a minute to two hours
		round((0.005 * exp(3.69 * wfml.uniform(seed, 'support', key)))::numeric, 5)::double precision AS support,
		1 + floor(60 * wfml.uniform(seed, 'pattern users', key) ^ 1.5)::bigint AS users,
		round(exp(3.4 * wfml.uniform(seed, 'lift', key))::numeric, 2)::double precision AS lift,
		mod((24 + CASE WHEN wfml.uniform(seed, 'pattern half', key) < 0.5 THEN r.morning ELSE r.afternoon END
			+ 1.5 * wfml.demo_normal(seed, 'pattern hour', key))::numeric, 24)::numeric(5, 2)::double precision AS typical_hour,
		round((0.7 + 0.3 * wfml.uniform(seed, 'weekdays', key))::numeric, 3)::double precision AS weekday_share,
		round((30 * exp(5.48 * wfml.uniform(seed, 'pattern gap', key)))::numeric) * interval '1 second' AS gap
	FROM (SELECT k AS key0, k::bigint AS id, kind || ' ' || k AS key, kind,
			1 + floor(7 * wfml.uniform(seed, 'category', kind || ' ' || k))::integer AS role_no,
			date_trunc('second', starts + days * wfml.uniform(seed, 'found', kind || ' ' || k) * interval '1 day') AS at
		FROM generate_series(1, greatest(500, 10 * demo_patterns.users)) k CROSS JOIN (VALUES ('pattern'), ('suggestion')) s(kind)) p
	JOIN wfml.demo_roles() r ON r.role_no = p.role_no
	JOIN own o ON o.role_no = p.role_no CROSS JOIN everybody a
	CROSS JOIN LATERAL (
		SELECT array_agg(CASE WHEN wfml.uniform(seed, 'kind', key, n::text) < 0.75 THEN o.events[1 + floor(cardinality(o.events) * wfml.uniform(seed, 'which event', key, n::text))::integer]
			WHEN wfml.uniform(seed, 'kind', key, n::text) < 0.90 THEN a.common[1 + floor(6 * wfml.uniform(seed, 'which event', key, n::text))::integer]
			ELSE a.events[1 + floor(cardinality(a.events) * wfml.uniform(seed, 'which event', key, n::text))::integer] END ORDER BY n) AS events
		FROM generate_series(1, 3 + floor(5 * wfml.uniform(seed, 'length', key))::integer) n) e;

	-- 5 of 100 have the label of some other category.
	INSERT INTO pattern
	SELECT id, at, events, n_events, support, p.users, lift, typical_hour, weekday_share, gap,
		CASE WHEN wfml.uniform(seed, 'mislabel', key) < 0.05
			THEN (SELECT r.role FROM wfml.demo_roles() r WHERE r.role_no = (p.role_no + floor(6 * wfml.uniform(seed, 'label', key))::integer) % 7 + 1) ELSE p.category END
	FROM demo_pattern p WHERE kind = 'pattern';
	-- The category that the events and the hour make likeliest (Bayes).
	INSERT INTO truth_category
	SELECT DISTINCT ON (p.id) p.id, p.category, r.role
	FROM demo_pattern p CROSS JOIN wfml.demo_roles() r
	JOIN (SELECT role_no, array_agg(DISTINCT e) AS events FROM demo_habit CROSS JOIN LATERAL unnest(events) e GROUP BY role_no) o ON o.role_no = r.role_no
	WHERE p.kind = 'pattern'
	ORDER BY p.id, (SELECT sum(ln(CASE WHEN e = ANY (o.events) THEN 0.75 / cardinality(o.events) ELSE 0 END + 0.1 / 111)) FROM unnest(p.events) e)
		+ ln(exp(0 - (p.typical_hour - r.morning) ^ 2 / 4.5) + exp(0 - (p.typical_hour - r.afternoon) ^ 2 / 4.5) + 1e-9) DESC, r.role;

	INSERT INTO truth_score
	SELECT id, round((0.5 + 0.46 * tanh(0.55 * (ln(support / 0.005) / 3.69 - 0.5) * 3.46 + 0.45 * ((p.users - 1) / 60.0 - 0.4) * 3.3
		+ 0.45 * (ln(lift) / 3.4 - 0.5) * 3.46 + 0.25 * (n_events - 5) / 1.41 - 0.35 * (ln(EXTRACT(epoch FROM gap) / 30)::double precision / 5.48 - 0.5) * 3.46
		+ 0.2 * cos(6.283185307179586 * (typical_hour - 11) / 24)))::numeric, 4)::double precision
	FROM demo_pattern p WHERE kind = 'suggestion';
	-- Of ten people each finds it useful with that probability.
	INSERT INTO suggestion
	SELECT id, at, events, n_events, support, p.users, lift, typical_hour, weekday_share, gap,
		(SELECT count(*) FROM generate_series(1, 10) n WHERE wfml.uniform(seed, 'vote', key, n::text) < t.score) / 10.0,
		wfml.uniform(seed, 'accepted', key) < t.score
	FROM demo_pattern p JOIN truth_score t ON t.suggestion_id = p.id WHERE kind = 'suggestion';
END $$;
COMMENT ON FUNCTION wfml.demo_patterns(integer, integer, bigint, timestamptz) IS 'labelled patterns and judged suggestions of wfml.generate_demo()';

CREATE FUNCTION wfml.generate_demo(users integer DEFAULT 200, days integer DEFAULT 60, seed bigint DEFAULT 1,
	schema_name name DEFAULT 'wfml_demo', starts timestamptz DEFAULT '2026-01-05 00:00:00+00',
	OUT "table" text, OUT "rows" bigint) RETURNS SETOF record
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
	SET TimeZone = 'UTC'
	SET client_min_messages = warning
	SET jit = off
AS $$
DECLARE
	first_day timestamptz := date_trunc('day', starts);
BEGIN
	IF users IS NULL OR users < 7 OR users > 100000 THEN
		RAISE EXCEPTION 'users must be from 7 to 100000' USING ERRCODE = '22023', HINT = 'Each of the seven roles needs somebody; 200 users and 60 days make about 28,000 runs and 75,000 events.';
	ELSIF days IS NULL OR days < 7 OR days > 3650 THEN
		RAISE EXCEPTION 'days must be from 7 to 3650' USING ERRCODE = '22023', HINT = 'Habits are those of a week, so give one at least; 60 days are the default.';
	ELSIF seed IS NULL OR starts IS NULL OR NOT isfinite(starts) THEN
		RAISE EXCEPTION 'seed and starts must be given' USING ERRCODE = '22004', HINT = 'Leave them out for seed 1 and 2026-01-05.';
	ELSIF schema_name IS NULL OR schema_name = '' THEN
		RAISE EXCEPTION 'schema_name must be given' USING ERRCODE = '22004', HINT = 'Leave it out for "wfml_demo".';
	ELSIF EXISTS (SELECT FROM pg_namespace WHERE nspname = schema_name) THEN
		RAISE EXCEPTION 'schema "%" already exists', schema_name USING ERRCODE = '42P06',
			HINT = format('Drop it first (DROP SCHEMA %I CASCADE) or name another one: wfml.generate_demo(schema_name => ''other'').', schema_name);
	END IF;
	EXECUTE format('CREATE SCHEMA %I', schema_name);
	PERFORM set_config('search_path', format('%I, pg_temp', schema_name), true);
	PERFORM wfml.demo_tables();
	PERFORM wfml.demo_people(users, seed);
	PERFORM wfml.demo_runs(days, seed, first_day);
	PERFORM wfml.demo_outcomes(seed);
	PERFORM wfml.demo_truth(schema_name, days, first_day);
	PERFORM wfml.demo_events(days, seed, first_day);
	PERFORM wfml.demo_patterns(users, days, seed, first_day);
	DROP TABLE pg_temp.demo_habit, pg_temp.demo_workflow, pg_temp.demo_member, pg_temp.demo_run, pg_temp.demo_session,
		pg_temp.demo_step, pg_temp.demo_event, pg_temp.demo_pattern;
	FOR "table" IN SELECT relname FROM pg_class WHERE relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = schema_name) AND relkind = 'r' ORDER BY relname LIKE 'truth%', relname LOOP
		EXECUTE format('ANALYZE %I.%I', schema_name, "table");
		EXECUTE format('SELECT count(*) FROM %I.%I', schema_name, "table") INTO "rows";
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION wfml.generate_demo(integer, integer, bigint, name, timestamptz) IS
	'makes a schema with the tables of a made-up platform (people, workflows, runs, events, usage, patterns, suggestions) and their truth (tables truth_…), the same for the same arguments on every machine. starts is the first day; docs/demo_data.md says how all is drawn';

-- src/workflow/api.sql

-- The functions of a REST layer (PostgREST: POST /rpc/<name>, GET for those that
-- are STABLE): scalar or jsonb arguments by name, no overloads, tables or jsonb
-- back.  All run with the caller's rights, and nobody may call one until he is
-- granted it: a web role gets what it needs, one by one.

CREATE SCHEMA wfml_api;
COMMENT ON SCHEMA wfml_api IS
	'wfml for a REST layer: grant USAGE on it, and EXECUTE on the functions that a role needs. They run with the caller''s rights, so models and sources must be granted too (wfml.grant_model(), wfml.grant_source())';

-- ---- models ----

CREATE FUNCTION wfml_api.models()
	RETURNS TABLE (type text, version integer, algorithm text, task text, metric text, score numeric, baseline numeric,
		rows bigint, size text, age interval, owner text, comment text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN QUERY SELECT m.name, m.version, m.algorithm, m.task, m.metric, m.score, m.baseline, m.rows, m.size, m.age, m.owner::text, m.comment
		FROM wfml.models m ORDER BY m.name;
END $$;
COMMENT ON FUNCTION wfml_api.models() IS 'GET /models: the models that the caller may use, with their active versions';

CREATE FUNCTION wfml_api.model(type text) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN wfml.model_info(type);
END $$;
COMMENT ON FUNCTION wfml_api.model(text) IS 'GET /models/{type}: all that wfml.model_info() says of a model, or of type@version';

CREATE FUNCTION wfml_api.train(type text, params jsonb DEFAULT '{}', algorithm text DEFAULT NULL, source text DEFAULT NULL,
	target text DEFAULT NULL, background boolean DEFAULT false) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	summary wfml.training_summary;
	job bigint;
BEGIN
	IF (algorithm IS NULL) <> (source IS NULL) THEN
		RAISE invalid_parameter_value USING MESSAGE = 'algorithm and source go together',
			HINT = 'Give both to train a model of your own, or neither for a kind that wfml.workflow_kinds() lists.';
	END IF;
	IF background THEN
		IF source IS NULL THEN
			job := wfml.queue_job('train_one', type, jsonb_build_object('params', coalesce(params, '{}')));
		ELSE
			job := wfml.train_background(type, algorithm, source, target, coalesce(params, '{}'));
		END IF;
		RETURN jsonb_build_object('model', type, 'job', job);
	END IF;
	IF source IS NULL THEN
		SELECT * INTO summary FROM wfml.train_one(type, coalesce(params, '{}'));
	ELSE
		SELECT * INTO summary FROM wfml.train(type, algorithm, source, target, coalesce(params, '{}'));
	END IF;
	RETURN to_jsonb(summary);
END $$;
COMMENT ON FUNCTION wfml_api.train(text, jsonb, text, text, text, boolean) IS
	'POST /train: train a kind of wfml.workflow_kinds() from the source bound for it, or any model from a source (a table or a query, run with the caller''s rights: grant this to roles that may send SQL anyway). With background the answer is a job of wfml_api.jobs()';

CREATE FUNCTION wfml_api.train_all(params jsonb DEFAULT '{}') RETURNS TABLE (type text, job bigint, message text)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	kind record;
BEGIN
	FOR kind IN SELECT k.kind, k.needs FROM wfml.workflow_kinds() k WHERE k.is_model ORDER BY k.step LOOP
		type := kind.kind;
		job := NULL;
		message := NULL;
		IF NOT wfml.has_source(kind.needs) THEN
			message := format('no source is bound for %s', kind.needs);
		ELSE
			BEGIN
				job := wfml.queue_job('train_one', kind.kind, jsonb_build_object('params', coalesce(params -> kind.kind, '{}')));
			EXCEPTION WHEN insufficient_privilege THEN
				-- another role's model: the others are trained all the same
				message := SQLERRM;
			END;
		END IF;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION wfml_api.train_all(jsonb) IS
	'POST /train-all: queue the training of every kind whose source is bound, each a background job in a transaction of its own (CALL wfml.train_all() commits, which no request can); wfml_api.jobs() tells how they go. message says why a kind has no job: its source is not bound, or its model is another role''s';

CREATE FUNCTION wfml_api.jobs(n integer DEFAULT 20)
	RETURNS TABLE (job bigint, kind text, type text, status text, phase text, percent numeric, version integer, message text,
		created_at timestamptz, finished_at timestamptz, result jsonb)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN QUERY SELECT j.id, j.kind, j.model, j.status, j.phase, j.percent, j.version, j.message, j.created_at, j.finished_at, j.result
		FROM wfml.jobs j ORDER BY j.id DESC LIMIT n;
END $$;
COMMENT ON FUNCTION wfml_api.jobs(integer) IS 'GET /jobs: the newest background jobs of the caller and of his models';

CREATE FUNCTION wfml_api.retrain(type text, force boolean DEFAULT false) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	summary wfml.retrain_summary;
BEGIN
	SELECT * INTO summary FROM wfml.retrain(type, coalesce(force, false));
	RETURN to_jsonb(summary);
END $$;
COMMENT ON FUNCTION wfml_api.retrain(text, boolean) IS
	'POST /retrain: train a model again from its stored source; the new version is activated if it is no worse on fresh rows, or with force';

-- ---- answers ----

CREATE FUNCTION wfml_api.predict(type text, input jsonb, entity text DEFAULT NULL, log boolean DEFAULT true) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	AS $$
DECLARE
	answer wfml.prediction_detail;
BEGIN
	IF log THEN
		answer := wfml.log_predict(type, input, entity);
	ELSE
		answer := wfml.predict_detail(type, input);
	END IF;
	RETURN pg_catalog.to_jsonb(answer);
END $$;
COMMENT ON FUNCTION wfml_api.predict(text, jsonb, text, boolean) IS
	'POST /predict: a prediction for a JSON object, logged in wfml.predictions with what it is about (entity) unless log is false';

CREATE FUNCTION wfml_api.predict_cached(type text, input jsonb) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	AS $$
BEGIN
	RETURN pg_catalog.to_jsonb(wfml.predict_cached(type, input));
END $$;
COMMENT ON FUNCTION wfml_api.predict_cached(text, jsonb) IS
	'POST /optimize/prediction: a prediction that is not logged, from the session''s cache when the same was asked before';

CREATE FUNCTION wfml_api.recommendations(user_id text, n integer DEFAULT 5)
	RETURNS TABLE (workflow_id text, name text, score double precision, reason text, source text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 5
	AS $$
BEGIN
	RETURN QUERY SELECT r.workflow_id, r.name, r.score, r.reason, r.source FROM wfml.recommend_workflows(recommendations.user_id, recommendations.n) r;
END $$;
COMMENT ON FUNCTION wfml_api.recommendations(text, integer) IS 'GET /recommendations: workflows that a user may like, best first (wfml.recommend_workflows())';

CREATE FUNCTION wfml_api.score_suggestion(pattern jsonb) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	AS $$
DECLARE
	asked CONSTANT wfml.pattern := pg_catalog.jsonb_populate_record(NULL::wfml.pattern, pattern);
BEGIN
	IF asked.events IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'a pattern needs its events',
			HINT = 'Give {"events": ["a", "b"], "n_events": 2, "support": 0.1, "users": 7, …}, the columns of type wfml.pattern.';
	END IF;
	RETURN (SELECT pg_catalog.to_jsonb(s) FROM wfml.score_suggestion(asked) s);
END $$;
COMMENT ON FUNCTION wfml_api.score_suggestion(jsonb) IS
	'POST /suggestions/score: how good it would be to automate a pattern, an object with the columns of type wfml.pattern, and why (wfml.score_suggestion())';

CREATE FUNCTION wfml_api.detect_anomalies(kind text DEFAULT 'runs', since timestamptz DEFAULT NULL, n integer DEFAULT 20)
	RETURNS TABLE (entity text, score double precision, confidence double precision, is_anomaly boolean, reasons text[], source text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 20
	AS $$
BEGIN
	RETURN QUERY SELECT a.entity, a.score, a.confidence, a.is_anomaly, a.reasons, a.source
		FROM wfml.detect_anomalies(detect_anomalies.kind, detect_anomalies.since, detect_anomalies.n) a;
END $$;
COMMENT ON FUNCTION wfml_api.detect_anomalies(text, timestamptz, integer) IS
	'GET /anomaly/detect: the oddest runs, or what users did most unusually (kind patterns), and why (wfml.detect_anomalies())';

-- ---- what was predicted, and how well ----

CREATE FUNCTION wfml_api.predictions(type text DEFAULT NULL, since timestamptz DEFAULT '-infinity', n integer DEFAULT 100)
	RETURNS TABLE (id bigint, model text, version integer, made_at timestamptz, entity text, value double precision, label text,
		confidence double precision, source text, latency_us integer, actual text, actual_at timestamptz)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN QUERY SELECT p.id, p.model, p.version, p.made_at, p.entity, p.value, p.label, p.confidence, p.source, p.latency_us, p.actual, p.actual_at
		FROM wfml.predictions p
		WHERE (predictions.type IS NULL OR p.model = predictions.type) AND p.made_at >= coalesce(predictions.since, '-infinity') AND NOT p.shadow
		-- by id, which has an index for all of the log: the order of time but for what was logged at once
		ORDER BY p.id DESC LIMIT predictions.n;
END $$;
COMMENT ON FUNCTION wfml_api.predictions(text, timestamptz, integer) IS
	'GET /predictions: the newest logged predictions that the caller may see (wfml.predictions), with their outcomes';

CREATE FUNCTION wfml_api.health()
	RETURNS TABLE (type text, version integer, status text, age interval, last_used timestamptz, predictions_24h bigint, error_rate numeric,
		metric text, live numeric, training numeric, outcomes bigint, advice text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN QUERY SELECT h.name, h.version, h.status, h.age, h.last_used, h.predictions_24h, h.error_rate, h.metric, h.live, h.training, h.outcomes, h.advice
		FROM wfml.health h ORDER BY h.name;
END $$;
COMMENT ON FUNCTION wfml_api.health() IS 'GET /health: how the models that the caller may use are doing, and what to do (wfml.health)';

CREATE FUNCTION wfml_api.model_health(type text) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	-- an unknown model is an error, as elsewhere
	PERFORM wfml.version_id(type);
	RETURN (SELECT to_jsonb(h) FROM wfml.health h WHERE h.name = type);
END $$;
COMMENT ON FUNCTION wfml_api.model_health(text) IS 'GET /health/{type}: all of the model''s row in wfml.health';

CREATE FUNCTION wfml_api.model_metrics(type text) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	PERFORM wfml.version_id(type);
	RETURN jsonb_build_object('type', type,
		'training', (SELECT coalesce(jsonb_agg(to_jsonb(m)), '[]') FROM wfml.metrics(type) m),
		'live', (SELECT coalesce(jsonb_agg(to_jsonb(l)), '[]') FROM wfml.live_scores(type) l),
		'last_24h', (SELECT to_jsonb(d) FROM wfml.metrics_24h d WHERE d.name = type));
END $$;
COMMENT ON FUNCTION wfml_api.model_metrics(text) IS
	'GET /metrics/{type}: scores on held-out rows at training, scores on outcomes since then, and traffic and latency of the last 24 hours';

CREATE FUNCTION wfml_api.evaluate(type text, source text DEFAULT NULL, target text DEFAULT NULL)
	RETURNS TABLE (version integer, metric text, value double precision, lower double precision, upper double precision, n bigint, basis text)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
BEGIN
	IF evaluate.source IS NULL THEN
		RETURN QUERY SELECT l.version, l.metric, l.value, l.lower, l.upper, l.n, 'outcomes' FROM wfml.live_scores(evaluate.type) l;
	ELSE
		RETURN QUERY SELECT (wfml.model_info(evaluate.type) ->> 'version')::integer, e.metric, e.value, NULL::double precision, NULL::double precision, NULL::bigint, 'source'
			FROM wfml.evaluate(evaluate.type, evaluate.source, evaluate.target) e;
	END IF;
END $$;
COMMENT ON FUNCTION wfml_api.evaluate(text, text, text) IS
	'POST /evaluate/{type}: scores of a model on the outcomes of its logged predictions, or on the rows of a source (a table or a query, run with the caller''s rights)';

CREATE FUNCTION wfml_api.trend(type text, bucket interval DEFAULT '1 day', since timestamptz DEFAULT NULL)
	RETURNS TABLE (at timestamptz, version integer, predictions bigint, outcomes bigint, metric text, live double precision,
		mean_confidence double precision, fallback_rate double precision, p95_ms double precision)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN QUERY SELECT t.at, t.version, t.predictions, t.outcomes, t.metric, t.live, t.mean_confidence, t.fallback_rate, t.p95_ms
		FROM wfml.trend(trend.type, trend.bucket, coalesce(trend.since, now() - interval '90 days')) t ORDER BY t.at, t.version;
END $$;
COMMENT ON FUNCTION wfml_api.trend(text, interval, timestamptz) IS 'GET /trend/{type}: how a model''s use and its scores went over time (wfml.trend())';

CREATE FUNCTION wfml_api.system_metrics() RETURNS TABLE (metric text, value numeric, unit text, covers text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN QUERY SELECT s.metric, s.value, s.unit, s.covers FROM wfml.system_metrics s;
END $$;
COMMENT ON FUNCTION wfml_api.system_metrics() IS 'GET /system/metrics: memory, caches, models and jobs (wfml.system_metrics)';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA wfml_api FROM PUBLIC;
