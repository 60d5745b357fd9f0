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
