-- Progress of running trainings.

CREATE FUNCTION wfml.training_progress_rows(
	OUT pid integer, OUT role regrole, OUT model text, OUT algorithm text, OUT phase text,
	OUT done bigint, OUT total bigint, OUT started_at timestamptz)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_training_progress';
COMMENT ON FUNCTION wfml.training_progress_rows() IS
	'rows of the view wfml.training_progress that the caller may see';

CREATE VIEW wfml.training_progress WITH (security_barrier) AS
	SELECT p.pid, p.role, p.model, p.algorithm, p.phase, p.done, p.total,
		CASE WHEN p.total OPERATOR(pg_catalog.>) 0
			THEN pg_catalog.round(100.0 OPERATOR(pg_catalog.*) p.done OPERATOR(pg_catalog./) p.total, 1) END AS percent,
		pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) p.started_at AS elapsed
	FROM wfml.training_progress_rows() p;
COMMENT ON VIEW wfml.training_progress IS
	'trainings running now in this database: your own, or all for members of pg_read_all_stats; done and total count what the phase counts (rows, folds, trees)';
GRANT SELECT ON wfml.training_progress TO PUBLIC;
