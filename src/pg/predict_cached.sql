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
