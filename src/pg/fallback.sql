-- The rule that answers when a model cannot.

CREATE FUNCTION wfml.set_fallback(model text, expression text) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_set_fallback';
COMMENT ON FUNCTION wfml.set_fallback(text, text) IS
	'answer log_predict() and triggers by an expression over the input''s fields when the model cannot, e.g. ''CASE WHEN hour BETWEEN 9 AND 17 THEN 0.8 ELSE 0.3 END'': a number is the value, anything else the label; built-in functions that are not volatile, and wfml''s predictions over "input", the whole row. A model of that name need not exist yet: you then own it. NULL removes the rule';
