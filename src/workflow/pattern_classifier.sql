-- Which category a pattern belongs to.

CREATE FUNCTION wfml.distinct_events(events text[]) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_distinct_events';
COMMENT ON FUNCTION wfml.distinct_events(text[]) IS 'how many different texts an array holds; NULLs do not count';

CREATE TYPE wfml.pattern_input AS (
	events text[],
	n_events integer,
	n_distinct integer,
	first_event text,
	last_event text,
	support double precision,
	users bigint,
	lift double precision,
	typical_hour double precision,
	weekday_share double precision,
	gap_seconds double precision
);
COMMENT ON TYPE wfml.pattern_input IS 'what the models of patterns see of a wfml.pattern: made by wfml.pattern_input()';

-- One expression for training and prediction; the planner puts it in place.
CREATE FUNCTION wfml.pattern_input(pattern wfml.pattern) RETURNS wfml.pattern_input
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE
	RETURN ROW((pattern).events, coalesce((pattern).n_events, pg_catalog.cardinality((pattern).events)),
		wfml.distinct_events((pattern).events), (pattern).events[1],
		(pattern).events[pg_catalog.cardinality((pattern).events)], (pattern).support, (pattern).users, (pattern).lift,
		(pattern).typical_hour, (pattern).weekday_share, EXTRACT(epoch FROM (pattern).gap)::double precision)::wfml.pattern_input;
COMMENT ON FUNCTION wfml.pattern_input(wfml.pattern) IS
	'what the models of patterns see of a pattern: its events, how many (and different ones), the first and the last, and its numbers, the gap in seconds';

CREATE FUNCTION wfml.train_pattern_classifier(params jsonb DEFAULT '{}') RETURNS wfml.training_summary
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	columns CONSTANT text := 'events text[], n_events integer, support double precision, users bigint, lift double precision, '
		'typical_hour double precision, weekday_share double precision, gap interval, category text';
	labelled bigint;
	categories bigint;
	summary wfml.training_summary;
BEGIN
	SELECT count(p.category), count(DISTINCT p.category) INTO labelled, categories FROM wfml.bound_rows('patterns') AS p (category text);
	IF categories < 2 THEN
		RAISE EXCEPTION USING ERRCODE = '22023',
			MESSAGE = CASE WHEN labelled = 0 THEN 'no pattern that is bound has a category'
				ELSE 'all patterns that are bound have the same category' END,
			HINT = 'Column "category" of what wfml.bind(''patterns'', …) names must hold two categories at least; rows without one are left out.';
	END IF;
	SELECT * INTO summary FROM wfml.train('pattern_classifier', 'random_forest',
		'SELECT i.events, i.n_events, i.n_distinct, i.first_event, i.last_event, i.support, i.users, i.lift, i.typical_hour, i.weekday_share, i.gap_seconds, p.category '
		'FROM wfml.bound_rows(''patterns'') AS p (' || columns || '), '
		'LATERAL wfml.pattern_input(ROW(p.events, p.n_events, p.support, p.users, p.lift, p.typical_hour, p.weekday_share, p.gap)::wfml.pattern) i '
		'WHERE p.category IS NOT NULL AND p.events IS NOT NULL',
		'category',
		-- Of the learners a forest was best on templates of workflows, with more
		-- features in each split than sqrt; many rows need no such deep trees.
		CASE WHEN labelled > 20000 THEN '{"max_features": 0.1, "trees": 50, "min_samples_leaf": 5}'::jsonb
			ELSE '{"max_features": 0.1}' END || coalesce(params, '{}'),
		ARRAY['events', 'n_events', 'n_distinct', 'first_event', 'last_event', 'support', 'users', 'lift', 'typical_hour', 'weekday_share', 'gap_seconds'],
		'classification');
	RETURN summary;
END $$;
COMMENT ON FUNCTION wfml.train_pattern_classifier(jsonb) IS
	'train model "pattern_classifier" from the source bound as patterns: a random forest of their events, first and last event, number of events, support, users, lift, hour, share of weekdays and gap; params as of algorithm random_forest. Rows without category are left out. Call it as SELECT * FROM wfml.train_pattern_classifier()';

-- The rule of classify_pattern().
CREATE FUNCTION wfml.similar_category(events text[], OUT category text, OUT confidence double precision)
	RETURNS record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	category := 'uncategorized';
	IF cardinality(similar_category.events) > 0 AND wfml.has_source('workflows') THEN
		SELECT w.category, s.common / (s.others + own.n)
		INTO category, confidence
		FROM wfml.bound_rows('workflows') AS w (workflow_id text, events text[], category text)
		CROSS JOIN LATERAL (
			SELECT count(DISTINCT e) FILTER (WHERE e = ANY (similar_category.events))::double precision AS common,
				count(DISTINCT e) FILTER (WHERE e <> ALL (array_remove(similar_category.events, NULL))) AS others
			FROM unnest(w.events) e) s
		CROSS JOIN (SELECT count(DISTINCT e) AS n FROM unnest(similar_category.events) e) own
		WHERE w.category IS NOT NULL AND w.events && similar_category.events
		ORDER BY 2 DESC, w.workflow_id LIMIT 1;
		IF NOT FOUND THEN
			category := 'uncategorized';
		END IF;
	END IF;
END $$;
COMMENT ON FUNCTION wfml.similar_category(text[]) IS
	'the rule of wfml.classify_pattern(): category of the bound workflow that has most events in common with these, and the share that they have in common of all events of the two (Jaccard); ''uncategorized'' and NULL when there is none or no workflows are bound';

CREATE FUNCTION wfml.classify_pattern(pattern wfml.pattern, OUT category text, OUT confidence double precision, OUT source text)
	RETURNS record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 300
AS $$
DECLARE
	detail wfml.prediction_detail;
BEGIN
	IF pattern IS NOT DISTINCT FROM NULL THEN
		RETURN;
	END IF;
	IF wfml.has_model('pattern_classifier') THEN
		detail := wfml.predict_detail('pattern_classifier', wfml.pattern_input(pattern));
		category := detail.label;
		confidence := detail.confidence;
		source := 'ml';
	ELSE
		SELECT r.category, r.confidence INTO category, confidence FROM wfml.similar_category(pattern.events) r;
		source := 'rule';
	END IF;
END $$;
COMMENT ON FUNCTION wfml.classify_pattern(wfml.pattern) IS
	'which category a pattern belongs to, by model "pattern_classifier" (wfml.train_pattern_classifier()), and how sure that is (0 to 1). source ''rule'' when there is no such model: the category of the bound workflow that shares most events with it, confidence the share (events in common of all events of the two); ''uncategorized'', confidence NULL, when no workflow shares an event or none are bound. For many: FROM wfml.workflow_needs() n, LATERAL wfml.classify_pattern(…) c';
