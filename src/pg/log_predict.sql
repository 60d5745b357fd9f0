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
