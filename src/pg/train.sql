-- Training.

CREATE TYPE wfml.training_summary AS (
	model text,
	version integer,
	algorithm text,
	task text,
	rows bigint,
	features integer,
	metric text,
	score double precision,
	baseline double precision,
	seconds double precision,
	size text,
	positive text
);
COMMENT ON TYPE wfml.training_summary IS
	'what a training made: its version, the rows and source columns used, the headline metric on held-out rows beside a trivial model''s, seconds, size, and for two classes the label whose probability predict() returns';

CREATE FUNCTION wfml.train(
	model text, algorithm text, source text, target text DEFAULT NULL, params jsonb DEFAULT '{}',
	features text[] DEFAULT NULL, task text DEFAULT NULL, activate boolean DEFAULT true)
	RETURNS wfml.training_summary
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
	AS 'MODULE_PATHNAME', 'wfml_train';
COMMENT ON FUNCTION wfml.train(text, text, text, text, jsonb, text[], text, boolean) IS
	'train a new version of a model from a table, view or read-only query; the source runs once, as the caller. Call it as SELECT * FROM wfml.train(…). See wfml.algorithms and wfml.parameters';
