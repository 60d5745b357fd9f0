-- The nightly run: retraining what is due, cleaning up.

CREATE PROCEDURE wfml.run_retraining()
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'wfml_run_retraining';
COMMENT ON PROCEDURE wfml.run_retraining() IS
	'for the models whose owner''s rights you have: retrain what wfml.retrain_due() says (each as its owner, committed by itself unless called in a transaction block; a second run at the same time passes over it), measure drift where a policy has max_drift and the model logs its input, drop versions past keep_versions of models with a policy, prune logged predictions older than wfml.prediction_retention and jobs older than 90 days, and run queued jobs. What it did and what failed stands in wfml.jobs';
