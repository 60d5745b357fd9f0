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
