-- What can be trained, from the table that training checks against.

CREATE FUNCTION wfml.algorithm_rows(OUT algorithm text, OUT tasks text, OUT description text)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_algorithm_rows';
COMMENT ON FUNCTION wfml.algorithm_rows() IS 'rows of the view wfml.algorithms';

CREATE VIEW wfml.algorithms AS
	SELECT r.algorithm, r.tasks, r.description FROM wfml.algorithm_rows() r;
COMMENT ON VIEW wfml.algorithms IS 'algorithms that wfml.train() knows, and the tasks they solve';
GRANT SELECT ON wfml.algorithms TO PUBLIC;

CREATE FUNCTION wfml.parameter_rows(
	OUT algorithm text, OUT parameter text, OUT type text, OUT "default" text, OUT range text, OUT description text)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_parameter_rows';
COMMENT ON FUNCTION wfml.parameter_rows() IS 'rows of the view wfml.parameters';

CREATE VIEW wfml.parameters AS
	SELECT r.algorithm, r.parameter, r.type, r."default", r.range, r.description FROM wfml.parameter_rows() r;
COMMENT ON VIEW wfml.parameters IS 'parameters of each algorithm with type, default and range, as wfml.train() checks them';
GRANT SELECT ON wfml.parameters TO PUBLIC;
