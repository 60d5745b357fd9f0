-- The models of the workflow floor by their names: what each needs, and training one.

CREATE FUNCTION wfml.workflow_kinds(
	OUT step integer, OUT kind text, OUT needs text, OUT needs_columns text, OUT is_model boolean, OUT purpose text)
	RETURNS SETOF record
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE ROWS 7
	BEGIN ATOMIC
		SELECT k.step, k.kind, k.needs, k.needs_columns, k.is_model, k.purpose
		FROM (VALUES
			(1, 'sequence_predictor', 'events', 'user_id, event, at', true, 'what a user does next'),
			(2, 'workflow_needs', 'events', 'user_id, event, at', false, 'what users do again and again and no workflow does'),
			(3, 'pattern_classifier', 'patterns', 'events, category', true, 'which category a pattern belongs to'),
			(4, 'suggestion_scorer', 'suggestions', 'events, accepted (or score)', true, 'how good a suggestion is'),
			(5, 'trigger_predictor', 'runs', 'workflow_id, started_at, finished_at, succeeded', true, 'whether a workflow would succeed at a time'),
			(6, 'anomaly_detector', 'runs', 'workflow_id, started_at, finished_at, succeeded', true, 'which runs are odd for their workflow'),
			(7, 'workflow_recommender', 'usage', 'user_id, workflow_id, weight', true, 'which workflows a user may like'))
			AS k (step, kind, needs, needs_columns, is_model, purpose);
	END;
COMMENT ON FUNCTION wfml.workflow_kinds() IS
	'what train_all() makes, in that order: needs is the kind of source that it is trained from (wfml.bind()), with the columns it must have; is_model is false for rows that are kept instead of a model';

CREATE FUNCTION wfml.train_one(kind text, params jsonb DEFAULT '{}') RETURNS wfml.training_summary
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	given CONSTANT jsonb := coalesce(params, '{}');
	summary wfml.training_summary;
BEGIN
	CASE kind
		WHEN 'pattern_classifier' THEN SELECT * INTO summary FROM wfml.train_pattern_classifier(given);
		WHEN 'suggestion_scorer' THEN SELECT * INTO summary FROM wfml.train_suggestion_scorer(given);
		WHEN 'sequence_predictor' THEN SELECT * INTO summary FROM wfml.train_sequence_predictor(given);
		WHEN 'trigger_predictor' THEN SELECT * INTO summary FROM wfml.train_trigger_predictor(given);
		WHEN 'workflow_recommender' THEN SELECT * INTO summary FROM wfml.train_workflow_recommender(given);
		WHEN 'anomaly_detector' THEN SELECT * INTO summary FROM wfml.train_anomaly_detector(given);
		ELSE
			RAISE invalid_parameter_value USING
				MESSAGE = CASE WHEN kind IS NULL THEN 'kind must not be null' ELSE format('there is no kind of model "%s"', kind) END,
				HINT = format('The kinds are %s.', (SELECT string_agg(k.kind, ', ' ORDER BY k.step) FROM wfml.workflow_kinds() k WHERE k.is_model));
	END CASE;
	RETURN summary;
END $$;
COMMENT ON FUNCTION wfml.train_one(text, jsonb) IS
	'train a new version of one model of the workflow functions from the source that is bound for it: pattern_classifier, suggestion_scorer, sequence_predictor, trigger_predictor, workflow_recommender or anomaly_detector; params as for that kind. Call it as SELECT * FROM wfml.train_one(…)';
