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
