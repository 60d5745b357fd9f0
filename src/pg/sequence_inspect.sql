-- A look at an event log before training.

CREATE FUNCTION wfml.inspect_sequence(
	source text, case_column text, event_column text, time_column text, params jsonb DEFAULT '{}',
	OUT column_name text, OUT type text, OUT role text, OUT n_distinct text, OUT nulls text, OUT note text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 8
	AS 'MODULE_PATHNAME', 'wfml_inspect_sequence';
COMMENT ON FUNCTION wfml.inspect_sequence(text, text, text, text, jsonb) IS
	'dry run of train_sequence(): cases and how long they are, events, how many happen at one time, rows that would be left out; then the seconds, memory and size to expect. Writes nothing';
