-- Will a run succeed?

CREATE FUNCTION wfml.slot_probabilities(workflow_id text, slots timestamptz[], known_by timestamptz DEFAULT pg_catalog.now())
	RETURNS TABLE (at timestamptz, probability double precision, source text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 2000 ROWS 100
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	IF wfml.has_model('trigger_predictor') THEN
		RETURN QUERY SELECT s.at, wfml.predict('trigger_predictor', s.features), 'ml'::text
			FROM wfml.slot_features(slot_probabilities.workflow_id, slot_probabilities.slots, slot_probabilities.known_by) s;
	ELSE
		RETURN QUERY SELECT s.at, s.rule, 'rule'::text
			FROM wfml.slot_features(slot_probabilities.workflow_id, slot_probabilities.slots, slot_probabilities.known_by) s;
	END IF;
END
$$;
COMMENT ON FUNCTION wfml.slot_probabilities(text, timestamptz[], timestamptz) IS
	'probability that a run of the workflow succeeds at each of the times, by what was known at known_by; see success_probability()';

CREATE FUNCTION wfml.success_probability(workflow_id text, at timestamptz DEFAULT pg_catalog.now(), known jsonb DEFAULT NULL,
	OUT probability double precision, OUT runs bigint, OUT source text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 2000
AS $$
#variable_conflict use_variable
DECLARE
	features pg_catalog.jsonb;
BEGIN
	SELECT s.features, s.rule, s.runs INTO features, probability, runs
		FROM wfml.slot_features(workflow_id, ARRAY[at], LEAST(at, pg_catalog.now()), known) s;
	source := 'rule';
	IF wfml.has_model('trigger_predictor') THEN
		probability := wfml.predict('trigger_predictor', features);
		source := 'ml';
	END IF;
END
$$;
COMMENT ON FUNCTION wfml.success_probability(text, timestamptz, jsonb) IS
	'probability that a run of the workflow at a time (by default now) succeeds, by what is known now (then, for a time that is past); runs: how many of its finished runs were looked at, 100 at most. source ml: the model trigger_predictor; rule: the share of successes among the workflow''s last 100 runs near that time of day (runs two hours away or more count 0), drawn to that of all its last runs as if 5 runs had shown it, which is drawn in the same way to the platform''s; so an unknown workflow has the platform''s share, and where nothing has run it is NULL. known: values of the columns known at start, by default those of the workflow''s last run';
