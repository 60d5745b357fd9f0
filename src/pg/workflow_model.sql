-- Whether the workflow functions have a model to ask.

CREATE FUNCTION wfml.has_model(model text) RETURNS boolean
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_has_model';
COMMENT ON FUNCTION wfml.has_model(text) IS 'whether a model of that name has an active version that you may use; false where predict() would be an error for want of a model or of the right to use it';
