-- Models against what really happened.

CREATE FUNCTION wfml.evaluate(model text, source text, target text DEFAULT NULL,
	OUT metric text, OUT value double precision)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_evaluate';
COMMENT ON FUNCTION wfml.evaluate(text, text, text) IS
	'scores of a model on the rows of a source; target defaults to the column it was trained on. Kept in wfml.evaluation when the caller owns the model';

CREATE FUNCTION wfml.confusion_matrix(model text, source text, target text DEFAULT NULL,
	OUT actual text, OUT predicted text, OUT count bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 9
	AS 'MODULE_PATHNAME', 'wfml_confusion_matrix';
COMMENT ON FUNCTION wfml.confusion_matrix(text, text, text) IS
	'how often each label was predicted for each actual label; every pair, also those with count 0';

CREATE FUNCTION wfml.roc_curve(model text, source text, target text DEFAULT NULL,
	OUT threshold double precision, OUT false_positive_rate double precision, OUT true_positive_rate double precision)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 200
	AS 'MODULE_PATHNAME', 'wfml_roc_curve';
COMMENT ON FUNCTION wfml.roc_curve(text, text, text) IS
	'rates of false and true positives when P(positive class) >= threshold is called positive, at about 200 thresholds from high to low; two classes only';

CREATE FUNCTION wfml.calibration(model text, source text, bins integer DEFAULT 10, target text DEFAULT NULL,
	OUT lower double precision, OUT upper double precision, OUT rows bigint,
	OUT predicted double precision, OUT observed double precision)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_calibration';
COMMENT ON FUNCTION wfml.calibration(text, text, integer, text) IS
	'mean predicted probability of the positive class beside its observed share, in bins of equal width; empty bins are left out; two classes only';
