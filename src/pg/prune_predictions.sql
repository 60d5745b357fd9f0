-- Old predictions go.

CREATE PROCEDURE wfml.prune_predictions(older_than interval DEFAULT NULL)
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'wfml_prune_predictions_call';
COMMENT ON PROCEDURE wfml.prune_predictions(interval) IS
	'delete logged predictions of your models (a superuser: of all) that are older, by default than wfml.prediction_retention; commits every 10,000 rows unless called in a transaction block';
