-- What to automate next: needs, classified, scored, ranked and explained.

CREATE FUNCTION wfml.ranked_needs(user_id text, n integer, in_category text,
	OUT events text[], OUT category text, OUT score double precision, OUT confidence double precision, OUT explanation text,
	OUT users bigint, OUT support double precision, OUT source text)
	RETURNS SETOF record
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 10000 ROWS 5
AS $$
#variable_conflict use_column
DECLARE
	bound CONSTANT bigint NOT NULL := (wfml.bound_source('events')).id;	-- else an error here, without a long context
	classifier CONSTANT boolean NOT NULL := wfml.has_model('pattern_classifier');
	scorer CONSTANT boolean NOT NULL := wfml.has_model('suggestion_scorer');
	answered_by CONSTANT pg_catalog.text NOT NULL := CASE WHEN classifier AND scorer THEN 'ml' ELSE 'rule' END;
	-- More than are shown, as the score ranks otherwise than the saving.
	candidates CONSTANT integer := CASE WHEN in_category IS NULL THEN greatest(n, 20) ELSE greatest(n, 100) END;
BEGIN
	IF n IS NULL OR n OPERATOR(pg_catalog.<) 0 THEN
		RAISE EXCEPTION 'n must be 0 or more' USING ERRCODE = '22023';
	END IF;
	RETURN QUERY
	SELECT t.events, t.category, t.score, t.confidence,
		CASE WHEN t.own THEN pg_catalog.concat_ws(': ', 'this user does it', r.explanation) ELSE r.explanation END, t.users, t.support, answered_by
	FROM (SELECT c.events, c.pattern, c.users, c.support, c.own, c.saving, c.category, c.confidence,
			CASE WHEN scorer THEN least(greatest(wfml.predict('suggestion_scorer', wfml.pattern_input(c.pattern)), 0), 1)
				ELSE (wfml.suggestion_rule(c.pattern)).score END AS score
		FROM (SELECT d.events, d.pattern, d.users, d.support, d.own, d.saving,
				coalesce((d.detail).label, s.category) AS category, CASE WHEN classifier THEN (d.detail).confidence ELSE s.confidence END AS confidence
			FROM (SELECT p.events, p.pattern, p.users, p.support, p.own, p.saving,
					CASE WHEN classifier THEN wfml.predict_detail('pattern_classifier', wfml.pattern_input(p.pattern)) END AS detail
				FROM (SELECT a.events, a.users, a.support, a.saving, o.events IS NOT NULL AS own,
						ROW(a.events, a.n_events, a.support, a.users, a.lift, a.typical_hour, a.weekday_share, a.gap)::wfml.pattern AS pattern
					FROM wfml.find_needs(candidates) a
					LEFT JOIN (SELECT f.events FROM wfml.find_needs(candidates, user_id) f WHERE user_id IS NOT NULL) o
						ON o.events OPERATOR(pg_catalog.=) a.events) p
				OFFSET 0) d
			LEFT JOIN LATERAL (SELECT m.category, m.confidence FROM wfml.similar_category(d.events) m WHERE NOT classifier) s ON true) c
		WHERE in_category IS NULL OR c.category OPERATOR(pg_catalog.=) in_category
		ORDER BY c.own DESC, 9 DESC, c.saving DESC, c.events LIMIT n) t
	CROSS JOIN LATERAL wfml.suggestion_reasons(t.pattern) r
	ORDER BY t.own DESC, t.score DESC, t.saving DESC, t.events;
END $$;
COMMENT ON FUNCTION wfml.ranked_needs(text, integer, text) IS 'the rows of wfml.suggest()';

CREATE FUNCTION wfml.suggest(user_id text DEFAULT NULL, n integer DEFAULT 5, category text DEFAULT NULL,
	OUT events text[], OUT category text, OUT score double precision, OUT confidence double precision, OUT explanation text,
	OUT users bigint, OUT support double precision, OUT source text)
	RETURNS SETOF record
	LANGUAGE SQL STABLE PARALLEL UNSAFE ROWS 5
BEGIN ATOMIC
	SELECT r.events, r.category, r.score, r.confidence, r.explanation, r.users, r.support, r.source
	FROM wfml.ranked_needs(user_id, n, category) r;
END;
COMMENT ON FUNCTION wfml.suggest(text, integer, text) IS
	'what to automate next, best first: of the 20 needs (wfml.workflow_needs()) that save most, or of 100 with a category, the n that score best, each with its category and how sure that is, its score (0 to 1) and why in words, and how many users and what share of sessions do it. With user_id those that this user did in two sessions at least come before the others. source ''rule'' when one of the models pattern_classifier and suggestion_scorer is missing: what it would answer comes from the rule of wfml.classify_pattern() or wfml.score_suggestion()';
