-- What a user does next.

-- The events that are bound, cut into sessions; a case is a user and the
-- number of his session.  The text is the model's source, so it stands alone.
CREATE FUNCTION wfml.train_sequence_predictor(params jsonb DEFAULT '{}') RETURNS wfml.training_summary
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	summary wfml.training_summary;
BEGIN
	SELECT * INTO summary FROM wfml.train_sequence('sequence_predictor',
		'SELECT g.user_id || '' '' || coalesce(pg_catalog.sum(g.begins) OVER (PARTITION BY g.user_id ORDER BY g.at, g.event), 0) AS session, g.event, g.at '
		'FROM (SELECT e.user_id, e.event, e.at, (e.at - pg_catalog.lag(e.at) OVER (PARTITION BY e.user_id ORDER BY e.at, e.event) > b.session_gap)::integer AS begins '
		'FROM wfml.bound_rows(''events'', row_limit => 200000) AS e (user_id text, event text, at timestamptz), wfml.bound_source(''events'') b) g',
		'session', 'event', 'at',
		'{"predictor": "markov"}' || coalesce(params, '{}'));
	RETURN summary;
END $$;
COMMENT ON FUNCTION wfml.train_sequence_predictor(jsonb) IS
	'train model "sequence_predictor" from the latest 200,000 events of the source bound as events: a case is a session of a user, which ends where he pauses for longer than session_gap of the binding; params as of algorithm sequence. Call it as SELECT * FROM wfml.train_sequence_predictor()';
