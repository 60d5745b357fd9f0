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
		'FROM wfml.bound_rows(''events'', row_limit => 200000) AS e (user_id text, event text, at timestamptz), wfml.bound_source(''events'') b WHERE pg_catalog.isfinite(e.at) IS NOT FALSE) g',
		'session', 'event', 'at',
		'{"predictor": "markov"}' || coalesce(params, '{}'));
	RETURN summary;
END $$;
COMMENT ON FUNCTION wfml.train_sequence_predictor(jsonb) IS
	'train model "sequence_predictor" from the latest 200,000 events of the source bound as events: a case is a session of a user, which ends where he pauses for longer than session_gap of the binding; params as of algorithm sequence. Call it as SELECT * FROM wfml.train_sequence_predictor()';

-- The rule of next_workflow_events().
CREATE FUNCTION wfml.frequent_successors(event text, n integer DEFAULT 3,
	OUT next_event text, OUT is_end boolean, OUT probability double precision)
	RETURNS SETOF record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 100000 ROWS 3
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	session_gap CONSTANT interval := (wfml.bound_source('events')).session_gap;
BEGIN
	IF event IS NOT NULL THEN
		RETURN QUERY
		SELECT s.next, s.next IS NULL, count(*) / sum(count(*)) OVER ()::double precision
		FROM (SELECT e.event, CASE WHEN lead(e.at) OVER w - e.at <= session_gap THEN lead(e.event) OVER w END AS next, lead(e.at) OVER w AS until
			FROM wfml.bound_rows('events', row_limit => 10000) AS e (user_id text, event text, at timestamptz)
			WHERE isfinite(e.at)
			WINDOW w AS (PARTITION BY e.user_id ORDER BY e.at, e.event)) s
		WHERE s.event = frequent_successors.event AND s.until IS NOT NULL
		GROUP BY s.next ORDER BY 3 DESC, s.next LIMIT n;
		IF FOUND THEN
			RETURN;
		END IF;
	END IF;
	RETURN QUERY
	SELECT e.event, false, count(*) / sum(count(*)) OVER ()::double precision
	FROM wfml.bound_rows('events', row_limit => 10000) AS e (event text)
	WHERE e.event IS NOT NULL GROUP BY e.event ORDER BY 3 DESC, e.event LIMIT n;
END $$;
COMMENT ON FUNCTION wfml.frequent_successors(text, integer) IS
	'the rule of wfml.next_workflow_events(): among the latest 10,000 bound events the most frequent ones right behind this event in a session (next_event NULL, is_end: the end of the session), with their share; when it is NULL or none followed it, the most frequent events';

CREATE FUNCTION wfml.next_workflow_events(user_id text, n integer DEFAULT 3, at timestamptz DEFAULT NULL,
	OUT event text, OUT is_end boolean, OUT probability double precision, OUT rank integer, OUT source text)
	RETURNS SETOF record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 1000 ROWS 3
AS $$
#variable_conflict use_column
DECLARE
	session_gap CONSTANT interval NOT NULL := (wfml.bound_source('events')).session_gap;
	history pg_catalog.text[];
	times pg_catalog.timestamptz[];
BEGIN
	IF n IS NULL OR n OPERATOR(pg_catalog.<) 0 THEN
		RAISE EXCEPTION 'n must be 0 or more' USING ERRCODE = '22023';
	END IF;
	-- The events behind the last long pause.
	IF user_id IS NOT NULL THEN
		SELECT pg_catalog.array_agg(s.event ORDER BY s.at, s.event), pg_catalog.array_agg(s.at ORDER BY s.at, s.event) INTO history, times
		FROM (SELECT e.event, e.at, pg_catalog.max(e.at) FILTER (WHERE e.pause OPERATOR(pg_catalog.>) session_gap) OVER () AS begins
			FROM (SELECT r.event, r.at, r.at OPERATOR(pg_catalog.-) pg_catalog.lag(r.at) OVER (ORDER BY r.at, r.event) AS pause
				FROM wfml.bound_rows('events', user_id => next_workflow_events.user_id, row_limit => 50,
					until => next_workflow_events.at OPERATOR(pg_catalog.+) interval '1 microsecond') AS r (event pg_catalog.text, at pg_catalog.timestamptz)
				WHERE r.event IS NOT NULL AND pg_catalog.isfinite(r.at)) e) s
		WHERE s.begins IS NULL OR s.at OPERATOR(pg_catalog.>=) s.begins;
		IF next_workflow_events.at OPERATOR(pg_catalog.>) (times[pg_catalog.cardinality(times)] OPERATOR(pg_catalog.+) session_gap) THEN
			history := NULL;
		END IF;
	END IF;
	IF history IS NULL THEN
		history := '{}';
		times := '{}';
	END IF;
	IF wfml.has_model('sequence_predictor') THEN
		RETURN QUERY SELECT e.event, e.is_end, e.probability, e.rank, 'ml'::pg_catalog.text
		FROM wfml.next_event('sequence_predictor', history, n, times) e;
	ELSE
		RETURN QUERY SELECT f.next_event, f.is_end, f.probability, f.ordinality::integer, 'rule'::pg_catalog.text
		FROM wfml.frequent_successors(history[pg_catalog.cardinality(history)], n) WITH ORDINALITY f;
	END IF;
END $$;
COMMENT ON FUNCTION wfml.next_workflow_events(text, integer, timestamptz) IS
	'the n likeliest next events of a user in his present session, by model "sequence_predictor" (wfml.train_sequence_predictor()); event is NULL where is_end: the session ends. Present is the session of his last bound event, however long ago; with at, it is as it was then, and a session whose last event is further back than the binding''s session_gap is over. At most his last 50 events are read. A user without events gets what sessions begin with. source ''rule'' when there is no such model: among the latest 10,000 bound events the most frequent ones right behind his last, or the most frequent ones where nothing followed it or he has none';
