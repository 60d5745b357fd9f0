-- Which models are to be trained again.

CREATE FUNCTION wfml.retrain_due(
	OUT model text, OUT version integer, OUT reasons text[], OUT not_before timestamptz, OUT note text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_retrain_due';
COMMENT ON FUNCTION wfml.retrain_due() IS
	'your models that their policies say are to be trained again, with the reasons; run_retraining() trains those whose not_before is over: after a retraining in vain (it failed, or its version did not win) a model waits one day, then two, four, up to sixteen. Where a policy has min_new_rows the source is run as the model''s owner to count its rows';
