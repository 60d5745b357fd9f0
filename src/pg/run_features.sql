-- What is known of a workflow before it runs.

CREATE FUNCTION wfml.run_features(workflow_id text, at timestamptz, known_by timestamptz DEFAULT NULL, known jsonb DEFAULT NULL)
	RETURNS jsonb
	LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'wfml_run_features';
COMMENT ON FUNCTION wfml.run_features(text, timestamptz, timestamptz, jsonb) IS
	'what was known at known_by (by default at "at") of a run of a workflow at a time, out of the bound runs: how its last runs went (100, and 400 for what depends on the time of day), how those of the platform went (250), who is running, the calendar. History are runs that started before known_by and finished at it or earlier; what happened later changes nothing. known: values of the columns known at start, by default those of the workflow''s last run. The input of the trigger predictor';

CREATE FUNCTION wfml.slot_features(workflow_id text, slots timestamptz[], known_by timestamptz DEFAULT pg_catalog.now(),
	known jsonb DEFAULT NULL, OUT at timestamptz, OUT features jsonb, OUT rule double precision, OUT runs bigint)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000 ROWS 100
	AS 'MODULE_PATHNAME', 'wfml_slot_features';
COMMENT ON FUNCTION wfml.slot_features(text, timestamptz[], timestamptz, jsonb) IS
	'run_features() for many times by one reading of history, in the order given; rule: the probability of success without a model, see success_probability(); runs: how many finished runs of the workflow were looked at, 400 at most';

CREATE FUNCTION wfml.run_example_columns() RETURNS text
	LANGUAGE C STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wfml_run_example_columns';
COMMENT ON FUNCTION wfml.run_example_columns() IS
	'the list of columns for wfml.run_examples(), which follows from the columns known at start';

CREATE FUNCTION wfml.run_examples(since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, horizons interval[] DEFAULT NULL)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL RESTRICTED COST 100000 ROWS 100000
	AS 'MODULE_PATHNAME', 'wfml_run_examples';
COMMENT ON FUNCTION wfml.run_examples(timestamptz, timestamptz, interval[]) IS
	'the bound runs that started in [since, until) and whose outcome is known, each with the features that run_features() gives for it at known_by = at - horizon: horizons, by default 0 and one of 1 hour, 6 hours, 24 hours and 7 days, drawn by a hash of the run. Call it with a list of columns, all or some of wfml.run_example_columns(): SELECT * FROM wfml.run_examples() AS e (at timestamptz, succeeded boolean, rate double precision)';
