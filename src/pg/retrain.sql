-- Retraining.

CREATE TYPE wfml.retrain_summary AS (
	model text,
	version integer,
	activated boolean,
	reason text,
	metric text,
	champion double precision,
	challenger double precision,
	bound double precision,
	fresh_rows bigint,
	rows bigint,
	seconds double precision,
	champion_version integer
);
COMMENT ON TYPE wfml.retrain_summary IS
	'what a retraining made: the new version, whether and why it was activated, the loss of the active version (champion) and the new one (challenger) on fresh rows, the upper 95 % bound of the relative difference (0.02: up to 2 % worse), how many rows of the source the champion was not trained on, and rows trained on';

CREATE FUNCTION wfml.retrain(model text, force boolean DEFAULT false, tolerance double precision DEFAULT 0.01)
	RETURNS wfml.retrain_summary
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
	AS 'MODULE_PATHNAME', 'wfml_retrain';
COMMENT ON FUNCTION wfml.retrain(text, boolean, double precision) IS
	'repeat the training of a model''s active version as the model''s owner. The new version is activated when rows that the active one was not trained on, 200 at least, leave no room for it to be worse by more than tolerance (0.01: 1 % of the loss), or if force; else it is stored. They are half of those rows, which the new one is judged by before it is trained on all. Call it as SELECT * FROM wfml.retrain(…)';
