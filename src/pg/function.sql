-- Predictions as computed columns.

CREATE FUNCTION wfml.create_function(model text, function_name text, relation regclass) RETURNS regprocedure
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_create_function';
COMMENT ON FUNCTION wfml.create_function(text, text, regclass) IS
	'make a function of a table''s row that predicts, so that SELECT c.churn_risk FROM customers c works: the value, P(positive), or with more classes the label. Without a schema the name goes into the table''s; drop it with DROP FUNCTION';
