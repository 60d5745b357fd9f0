-- Do today's rows look like those that a model was trained on?
--
-- What the owner of a model measures is kept in wfml.evaluation, with source
-- 'drift' and one value of "at" for a run: metric 'psi' is the worst index of
-- all columns, no more than 0.25 where it is not significant; metrics
-- 'psi:<column>' are those of the (at most 20) columns that drift most.
-- Above 0.1 a model is drifting moderately, above 0.25 it is drifting.

CREATE FUNCTION wfml.drift(model text, source text DEFAULT NULL,
	OUT feature text, OUT psi double precision, OUT p_value double precision, OUT verdict text,
	OUT rows bigint, OUT part text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_drift';
COMMENT ON FUNCTION wfml.drift(text, text) IS
	'how far each column has moved since training, worst first, in the rows of a table, view or query; without one in the logged inputs of the last 7 days (owner only, wfml.set_log_input() keeps inputs; of more than 20000 a sample). psi: population stability index over tenths of the training rows, less what chance gives; p_value: Kolmogorov-Smirnov, for categories chi-squared, times the number of tests; verdict: stable below 0.1, moderate below 0.25, drifting beyond if p_value < 0.01, too few rows under 200, not measured where only the calendar moved (day of month and month never count, weekdays only in rows that have them all); part: what of a timestamp or list moved most. Kept in wfml.evaluations when the caller owns the model';

CREATE FUNCTION wfml.drift_from_stats(model text, relation regclass,
	OUT feature text, OUT psi double precision, OUT p_value double precision, OUT verdict text,
	OUT rows bigint, OUT part text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_drift_from_stats';
COMMENT ON FUNCTION wfml.drift_from_stats(text, regclass) IS
	'wfml.drift() out of the statistics that ANALYZE gathered of a table, such as the newest partition, without reading it: p_value is null, rows are those that the statistics were drawn from, and a column without statistics that the caller may read says so';
