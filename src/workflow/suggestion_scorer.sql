-- How good a suggestion would be.

CREATE FUNCTION wfml.train_suggestion_scorer(params jsonb DEFAULT '{}') RETURNS wfml.training_summary
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	columns CONSTANT text := 'events text[], n_events integer, support double precision, users bigint, lift double precision, '
		'typical_hour double precision, weekday_share double precision, gap interval, ';
	scored CONSTANT boolean := (wfml.bound_source('suggestions')).columns ? 'score';
	target CONSTANT text := CASE WHEN scored THEN 'score' ELSE 'accepted' END;
	answers bigint;
	lowest double precision;
	highest double precision;
	summary wfml.training_summary;
BEGIN
	IF scored THEN
		SELECT count(s.score), min(s.score), max(s.score) INTO answers, lowest, highest
		FROM wfml.bound_rows('suggestions') AS s (score double precision);
	ELSE
		SELECT count(s.accepted), min(s.accepted::integer), max(s.accepted::integer) INTO answers, lowest, highest
		FROM wfml.bound_rows('suggestions') AS s (accepted boolean);
	END IF;
	IF answers = 0 OR lowest = highest THEN
		RAISE EXCEPTION USING ERRCODE = '22023',
			MESSAGE = CASE WHEN answers = 0 THEN format('no suggestion that is bound has a value in column "%s"', target)
				WHEN scored THEN 'all suggestions that are bound have the same score'
				ELSE format('all suggestions that are bound were %s', CASE WHEN highest = 1 THEN 'accepted' ELSE 'refused' END) END,
			HINT = 'What wfml.bind(''suggestions'', …) names must hold good ones and bad ones to learn from; rows whose answer is NULL are left out.';
	ELSIF lowest < 0 OR highest > 1 THEN
		RAISE EXCEPTION 'scores of suggestions must be from 0 to 1, but there is %', CASE WHEN lowest < 0 THEN lowest ELSE highest END
			USING ERRCODE = '22023', HINT = 'Divide the column "score" by its greatest possible value in the query of wfml.bind(''suggestions'', …).';
	END IF;
	SELECT * INTO summary FROM wfml.train('suggestion_scorer', 'gradient_boosting',
		'SELECT i.n_events, i.support, i.users, i.lift, i.typical_hour, i.weekday_share, i.gap_seconds, p.' || target || ' '
		'FROM wfml.bound_rows(''suggestions'') AS p (' || columns || target || CASE WHEN scored THEN ' double precision' ELSE ' boolean' END || '), '
		'LATERAL wfml.pattern_input(ROW(p.events, p.n_events, p.support, p.users, p.lift, p.typical_hour, p.weekday_share, p.gap)::wfml.pattern) i '
		'WHERE p.events IS NOT NULL AND p.' || target || ' IS NOT NULL',
		target,
		-- Small trees: few rows are judged, and the reasons are wanted in no time.
		'{"rounds": 100, "max_leaves": 6, "learning_rate": 0.1}'
			|| CASE WHEN scored THEN '{"loss": "bounded"}'::jsonb ELSE '{"positive": "true"}' END || coalesce(params, '{}'),
		ARRAY['n_events', 'support', 'users', 'lift', 'typical_hour', 'weekday_share', 'gap_seconds'],
		CASE WHEN scored THEN 'regression' ELSE 'classification' END);
	RETURN summary;
END $$;
COMMENT ON FUNCTION wfml.train_suggestion_scorer(jsonb) IS
	'train model "suggestion_scorer" from the source bound as suggestions: boosting of small trees on the number of events, support, users, lift, hour, share of weekdays and gap, of column score (0 to 1) where there is one, else of accepted; params as of algorithm gradient_boosting. Rows without answer are left out. Call it as SELECT * FROM wfml.train_suggestion_scorer()';

-- A branch each, so that a call prepares no more than the words it gives.
CREATE FUNCTION wfml.suggestion_words(pattern wfml.pattern, feature text) RETURNS text
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 50
AS $$
DECLARE
	amount double precision;
	unit pg_catalog.text := ' seconds';
BEGIN
	IF feature OPERATOR(pg_catalog.=) 'users' THEN
		RETURN CASE WHEN pattern.users OPERATOR(pg_catalog.=) 1 THEN 'done by one user'
			ELSE 'done by ' OPERATOR(pg_catalog.||) pattern.users OPERATOR(pg_catalog.||) ' users' END;
	ELSIF feature OPERATOR(pg_catalog.=) 'n_events' THEN
		RETURN 'saves ' OPERATOR(pg_catalog.||) coalesce(pattern.n_events, pg_catalog.cardinality(pattern.events)) OPERATOR(pg_catalog.||) ' steps';
	ELSIF feature OPERATOR(pg_catalog.=) 'typical_hour' THEN
		IF pattern.typical_hour OPERATOR(pg_catalog.<) 0 OR pattern.typical_hour OPERATOR(pg_catalog.>) 24 THEN
			RETURN NULL;
		END IF;
		RETURN 'usually at ' OPERATOR(pg_catalog.||) (pg_catalog.round(pattern.typical_hour)::integer OPERATOR(pg_catalog.%) 24);
	ELSIF feature OPERATOR(pg_catalog.=) 'support' THEN
		amount := pattern.support OPERATOR(pg_catalog.*) 100;
		IF amount OPERATOR(pg_catalog.<) 0 OR amount OPERATOR(pg_catalog.>) 100 THEN
			RETURN NULL;
		END IF;
		RETURN 'in ' OPERATOR(pg_catalog.||) pg_catalog.round(amount::numeric, CASE WHEN amount OPERATOR(pg_catalog.<) 1 THEN 1 ELSE 0 END)
			OPERATOR(pg_catalog.||) ' % of sessions';
	ELSIF feature OPERATOR(pg_catalog.=) 'lift' THEN
		RETURN CASE WHEN pattern.lift OPERATOR(pg_catalog.<) 0 OR pattern.lift OPERATOR(pg_catalog.=) 'NaN' THEN NULL
			WHEN pattern.lift OPERATOR(pg_catalog.>=) 1000 THEN 'over 1000'
			ELSE pg_catalog.round(pattern.lift::numeric, CASE WHEN pattern.lift OPERATOR(pg_catalog.<) 9.95 THEN 1 ELSE 0 END)::pg_catalog.text END
			OPERATOR(pg_catalog.||) ' times as often as by chance';
	ELSIF feature OPERATOR(pg_catalog.=) 'weekday_share' THEN
		RETURN CASE WHEN pattern.weekday_share OPERATOR(pg_catalog.<) 0 OR pattern.weekday_share OPERATOR(pg_catalog.>) 1 THEN NULL
			WHEN pattern.weekday_share OPERATOR(pg_catalog.>=) 0.995 THEN 'on weekdays only'
			ELSE 'on weekdays in ' OPERATOR(pg_catalog.||) pg_catalog.round((pattern.weekday_share OPERATOR(pg_catalog.*) 100)::numeric)
				OPERATOR(pg_catalog.||) ' % of cases' END;
	ELSIF feature OPERATOR(pg_catalog.=) 'gap_seconds' THEN
		amount := EXTRACT(epoch FROM pattern.gap);
		IF amount OPERATOR(pg_catalog.<) 0 THEN
			RETURN NULL;
		ELSIF amount OPERATOR(pg_catalog.>=) 129600 THEN
			amount := amount OPERATOR(pg_catalog./) 86400;
			unit := ' days';
		ELSIF amount OPERATOR(pg_catalog.>=) 5400 THEN
			amount := amount OPERATOR(pg_catalog./) 3600;
			unit := ' hours';
		ELSIF amount OPERATOR(pg_catalog.>=) 90 THEN
			amount := amount OPERATOR(pg_catalog./) 60;
			unit := ' minutes';
		END IF;
		RETURN 'takes ' OPERATOR(pg_catalog.||) pg_catalog.round(amount) OPERATOR(pg_catalog.||) unit;
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION wfml.suggestion_words(wfml.pattern, text) IS
	'one property of a pattern (a column of wfml.pattern_input) in words, for explanations; NULL when the pattern does not have it, or what it has makes no sense (an hour of 25)';

-- The rule of score_suggestion(): four grades from 0 to 1, their weighted mean.
CREATE FUNCTION wfml.suggestion_rule(pattern wfml.pattern,
	OUT score double precision, OUT users double precision, OUT support double precision, OUT lift double precision, OUT n_events double precision)
	RETURNS record
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT g.users + g.support + g.lift + g.n_events, g.users, g.support, g.lift, g.n_events
	-- NaN is greater than all other numbers.
	FROM (SELECT 0.3 * (1 - 10 / (10 + greatest((pattern).users, 0)::double precision)) AS users,
			0.3 * (1 - 0.05 / (0.05 + CASE WHEN (pattern).support > 0 AND (pattern).support < 'NaN' THEN (pattern).support ELSE 0 END)) AS support,
			0.2 * (1 - 5 / (4 + CASE WHEN (pattern).lift > 1 AND (pattern).lift < 'NaN' THEN (pattern).lift ELSE 1 END)) AS lift,
			0.2 * (1 - 3 / (2 + greatest(coalesce((pattern).n_events, pg_catalog.cardinality((pattern).events), 1), 1)::double precision)) AS n_events) g;
END;
COMMENT ON FUNCTION wfml.suggestion_rule(wfml.pattern) IS
	'the rule of wfml.score_suggestion() and what each part adds: 0.3 users/(users + 10) + 0.3 support/(support + 0.05) + 0.2 (lift - 1)/(lift + 4) + 0.2 (n_events - 1)/(n_events + 2); what is not known, or makes no sense (a negative number, NaN), adds nothing';

-- The three strongest reasons in words, those against it behind a "but".
CREATE FUNCTION wfml.suggestion_reasons(pattern wfml.pattern, OUT explanation text, OUT contributions jsonb)
	RETURNS record
	LANGUAGE plpgsql STABLE PARALLEL SAFE COST 2000
AS $$
#variable_conflict use_variable
DECLARE
	part pg_catalog.record;
	words pg_catalog.text;
	good pg_catalog.text;
	bad pg_catalog.text;
	n integer := 0;
	rule pg_catalog.record;
BEGIN
	-- A loop, as sorting and aggregating in SQL takes three times as long.
	IF wfml.has_model('suggestion_scorer') THEN
		contributions := '{}';
		FOR part IN SELECT e.feature, e.contribution FROM wfml.explain('suggestion_scorer', wfml.pattern_input(pattern)) e LOOP
			IF n OPERATOR(pg_catalog.<) 3 AND part.feature OPERATOR(pg_catalog.<>) '(base)' AND part.contribution OPERATOR(pg_catalog.<>) 0 THEN
				words := wfml.suggestion_words(pattern, part.feature);
				IF words IS NOT NULL THEN
					n := n OPERATOR(pg_catalog.+) 1;
					IF part.contribution OPERATOR(pg_catalog.>) 0 THEN
						good := pg_catalog.concat_ws(', ', good, words);
					ELSE
						bad := pg_catalog.concat_ws(', ', bad, words);
					END IF;
				END IF;
			END IF;
			contributions := contributions OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object(
				CASE WHEN part.feature OPERATOR(pg_catalog.=) '(base)' THEN 'base' WHEN part.feature OPERATOR(pg_catalog.=) 'gap_seconds' THEN 'gap' ELSE part.feature END, part.contribution);
		END LOOP;
		IF n OPERATOR(pg_catalog.>) 0 THEN
			explanation := pg_catalog.concat_ws('; but ', good, bad);
		END IF;
	ELSE
		rule := wfml.suggestion_rule(pattern);
		SELECT pg_catalog.string_agg(r.words, ', ' ORDER BY r.contribution DESC, r.feature) FILTER (WHERE r.contribution OPERATOR(pg_catalog.>) 0),
			pg_catalog.jsonb_object_agg(r.feature, r.contribution)
		INTO explanation, contributions
		FROM (SELECT v.feature, v.contribution, wfml.suggestion_words(pattern, v.feature) AS words
			FROM (VALUES ('users', rule.users), ('support', rule.support), ('lift', rule.lift), ('n_events', rule.n_events)) v(feature, contribution)) r;
	END IF;
END $$;
COMMENT ON FUNCTION wfml.suggestion_reasons(wfml.pattern) IS
	'why a pattern has the score that wfml.score_suggestion() gives it: the three strongest reasons in words, those against it behind "but", and what each property adds';

CREATE FUNCTION wfml.score_suggestion(pattern wfml.pattern,
	OUT score double precision, OUT explanation text, OUT contributions jsonb, OUT source text)
	RETURNS record
	LANGUAGE plpgsql STABLE PARALLEL SAFE COST 2000
AS $$
DECLARE
	reasons pg_catalog.record;
BEGIN
	IF pattern IS NOT DISTINCT FROM NULL THEN
		RETURN;
	END IF;
	IF wfml.has_model('suggestion_scorer') THEN
		source := 'ml';
		-- Not each loss keeps within 0 and 1.
		score := least(greatest(wfml.predict('suggestion_scorer', wfml.pattern_input(pattern)), 0), 1);
	ELSE
		source := 'rule';
		score := (wfml.suggestion_rule(pattern)).score;
	END IF;
	reasons := wfml.suggestion_reasons(pattern);
	explanation := reasons.explanation;
	contributions := reasons.contributions;
END $$;
COMMENT ON FUNCTION wfml.score_suggestion(wfml.pattern) IS
	'how good it would be to automate a pattern, 0 to 1, by model "suggestion_scorer" (wfml.train_suggestion_scorer()): the expected score, or the probability that it is accepted. explanation: the three strongest reasons in words, those against it behind "but"; contributions: what each property adds, in log-odds, base being where all start. source ''rule'' when there is no such model: 0.3 users/(users + 10) + 0.3 support/(support + 0.05) + 0.2 (lift - 1)/(lift + 4) + 0.2 (n_events - 1)/(n_events + 2), contributions being these four. For many: FROM wfml.workflow_needs() n, LATERAL wfml.score_suggestion(…) s';
