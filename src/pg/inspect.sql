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
