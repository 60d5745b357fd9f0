-- Models against each other on the same rows.

CREATE FUNCTION wfml.compare(models text[], source text, target text DEFAULT NULL,
	OUT model text, OUT metric text, OUT value double precision, OUT difference double precision,
	OUT lower double precision, OUT upper double precision, OUT p_value double precision,
	OUT verdict text, OUT rows bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_compare';
COMMENT ON FUNCTION wfml.compare(text[], text, text) IS
	'scores of models or versions (''m'', ''m@1'') on the same rows of a source; target defaults to the column that the first was trained on. difference is to the first model, with a 95 % interval: of accuracy after Bonett and Price with McNemar''s mid-p test, of log_loss, rmse and mae by a paired bootstrap of 1,000 replicates. verdict is "better" or "worse" where p_value, times the number of models beside the first, is below 0.05. Rows that a version was trained on flatter it: compare on others';
