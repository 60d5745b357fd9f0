-- Sequence models: what happens next in a case.

CREATE FUNCTION wfml.train_sequence(
	model text, source text, case_column text, event_column text, time_column text,
	params jsonb DEFAULT '{}', activate boolean DEFAULT true)
	RETURNS wfml.training_summary
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
	AS 'MODULE_PATHNAME', 'wfml_train_sequence';
COMMENT ON FUNCTION wfml.train_sequence(text, text, text, text, text, jsonb, boolean) IS
	'train a new version of a sequence model from an event log: a table, view or read-only query with a case, an event and a time in each row. The time is a timestamp, a date, or a number that only orders; events of one time are ordered by the column that params.tie_column names, else by their text. params.validation "time" measures on the latest cases by their first event; earlier cases may go on beside them. Call it as SELECT * FROM wfml.train_sequence(…)';
