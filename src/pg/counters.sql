-- Counts that are in no table.

CREATE FUNCTION wfml.counter_rows(OUT model_id bigint, OUT counter text, OUT value bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 100
	AS 'MODULE_PATHNAME', 'wfml_counter_rows';
COMMENT ON FUNCTION wfml.counter_rows() IS
	'counts of all sessions of this database since the server started, by version (0: none known, or versions silent for long); a session adds its own when a transaction ends. Empty where shared memory had no room left';
REVOKE ALL ON FUNCTION wfml.counter_rows() FROM PUBLIC;
