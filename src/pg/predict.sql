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
