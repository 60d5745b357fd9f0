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
	'probability that a run of the workflow at a time (by default now) succeeds, by what is known now (then, for a time that is past); runs: how many of its finished runs were looked at, 400 at most. source ml: the model trigger_predictor; rule: the share of successes among those of the workflow''s last 400 runs near that time of day (the weight falls to 0 two hours away), drawn to the share of its last 100 runs as if 5 runs had shown that, which is drawn in the same way to the share of the platform''s last 250; so an unknown workflow has the platform''s share, and where nothing has run it is NULL. known: values of the columns known at start, by default those of the workflow''s last run';

-- From the simplest to the richest; of features NULL stands for all, "numbers" for those of numbers.
CREATE FUNCTION wfml.trigger_candidate_rows(
	OUT rank integer, OUT candidate text, OUT algorithm text, OUT features text, OUT params jsonb)
	RETURNS SETOF record
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE ROWS 5
BEGIN ATOMIC
	SELECT * FROM (VALUES
		-- One step of next to nothing from the base rate, on any column.
		(1, 'base rate', 'gradient_boosting', 'hour', '{"rounds": 1, "learning_rate": 0.000001, "max_leaves": 2}'::jsonb),
		(2, 'hour rate', 'gradient_boosting', 'hour', '{"rounds": 50, "max_leaves": 24}'::jsonb),
		(3, 'linear', 'linear', 'numbers', '{"max_iterations": 50, "l2": 10}'::jsonb),
		(4, 'small boosting', 'gradient_boosting', 'numbers', '{"rounds": 60, "max_leaves": 8, "min_samples_leaf": 100}'::jsonb),
		(5, 'boosting', 'gradient_boosting', NULL, '{"rounds": 150, "learning_rate": 0.05, "max_leaves": 16, "min_samples_leaf": 100}'::jsonb)
	) AS c (rank, candidate, algorithm, features, params);
END;
COMMENT ON FUNCTION wfml.trigger_candidate_rows() IS 'the models that wfml.trigger_candidates() compares';

-- Columns of a candidate out of those of a list such as wfml.run_example_columns() gives, read as those of a table.
CREATE FUNCTION wfml.trigger_candidate_columns(relation regclass, features text) RETURNS text[]
	LANGUAGE SQL STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attnum)
	FROM pg_catalog.pg_attribute a
	WHERE a.attrelid = trigger_candidate_columns.relation AND a.attnum > 0 AND NOT a.attisdropped
		AND a.attname NOT IN ('example', 'at', 'known_by', 'succeeded')
		AND CASE trigger_candidate_columns.features WHEN 'numbers' THEN a.atttypid = 'pg_catalog.float8'::pg_catalog.regtype
			ELSE trigger_candidate_columns.features IS NULL OR a.attname = trigger_candidate_columns.features END;
END;
COMMENT ON FUNCTION wfml.trigger_candidate_columns(regclass, text) IS 'the columns that a candidate of wfml.trigger_candidates() learns from';

CREATE FUNCTION wfml.trigger_candidates(OUT candidate text, OUT log_loss double precision, OUT brier double precision,
	OUT behind double precision, OUT standard_error double precision, OUT chosen boolean)
	RETURNS SETOF record
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 5
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = error
AS $$
#variable_conflict use_column
DECLARE
	cuts timestamptz[];
	oldest timestamptz;
	c record;
	columns text;
BEGIN
	-- It is made and dropped here, so one of somebody's own would be lost.
	IF EXISTS (SELECT FROM wfml.models m WHERE m.name = 'trigger_predictor_candidate') THEN
		RAISE EXCEPTION 'there is a model "trigger_predictor_candidate", the name that candidates are tried under' USING ERRCODE = '42710',
			HINT = 'Give it another name: SELECT wfml.rename_model(''trigger_predictor_candidate'', ''…'').';
	END IF;
	SELECT r.at INTO oldest FROM wfml.bound_rows('runs') AS r0 (started_at timestamptz, succeeded boolean)
		CROSS JOIN LATERAL (SELECT r0.started_at) r (at) WHERE r0.succeeded IS NOT NULL ORDER BY r.at DESC OFFSET 100000 LIMIT 1;
	DROP TABLE IF EXISTS pg_temp.wfml_run_example, pg_temp.wfml_run_loss;
	EXECUTE format('CREATE TEMP TABLE wfml_run_example ON COMMIT DROP AS SELECT row_number() OVER () AS example, e.* '
		'FROM wfml.run_examples(%L) AS e (%s)', oldest, wfml.run_example_columns());
	CREATE TEMP TABLE wfml_run_loss (rank integer, candidate text, example bigint, log_loss double precision, brier double precision) ON COMMIT DROP;
	ANALYZE pg_temp.wfml_run_example;
	SELECT percentile_disc(ARRAY[0.4, 0.6, 0.8, 1]) WITHIN GROUP (ORDER BY e.at) INTO cuts FROM pg_temp.wfml_run_example e;
	cuts[4] := 'infinity';
	IF (SELECT count(DISTINCT e.succeeded) FROM pg_temp.wfml_run_example e WHERE e.at < cuts[1]) < 2 THEN
		RETURN QUERY SELECT r.candidate, NULL::double precision, NULL::double precision, NULL::double precision, NULL::double precision, r.rank = 1
			FROM wfml.trigger_candidate_rows() r ORDER BY r.rank;
		RETURN;
	END IF;
	FOR c IN SELECT r.*, f.fold FROM wfml.trigger_candidate_rows() r CROSS JOIN generate_series(1, 3) AS f (fold) ORDER BY r.rank, f.fold LOOP
		SELECT string_agg(quote_ident(n), ', ') INTO columns
			FROM unnest(wfml.trigger_candidate_columns('pg_temp.wfml_run_example', c.features)) AS n;
		PERFORM wfml.train('trigger_predictor_candidate', c.algorithm,
			format('SELECT succeeded, %s FROM pg_temp.wfml_run_example WHERE at < %L', columns, cuts[c.fold]),
			'succeeded', c.params || '{"validation": "none", "positive": "true"}');
		EXECUTE format('INSERT INTO pg_temp.wfml_run_loss SELECT $1, $2, e.example, '
			'-ln(greatest(CASE WHEN e.succeeded THEN p.value ELSE 1 - p.value END, 1e-9)), (p.value - e.succeeded::integer) ^ 2 '
			'FROM wfml.predict_batch(''trigger_predictor_candidate'', %L, ''example'') p '
			'JOIN pg_temp.wfml_run_example e ON e.example = p.key::bigint',
			format('SELECT example, %s FROM pg_temp.wfml_run_example WHERE at >= %L AND at < %L', columns, cuts[c.fold], cuts[c.fold + 1]))
			USING c.rank, c.candidate;
	END LOOP;
	PERFORM wfml.drop_model('trigger_predictor_candidate');
	-- Examples of one run share its outcome, so runs are what is counted.
	RETURN QUERY
		WITH run AS (
			SELECT l.rank, l.candidate, e.workflow_id, e.at, avg(l.log_loss) AS log_loss, avg(l.brier) AS brier
			FROM pg_temp.wfml_run_loss l JOIN pg_temp.wfml_run_example e ON e.example = l.example
			GROUP BY l.rank, l.candidate, e.workflow_id, e.at
		), mean AS (
			SELECT r.rank, r.candidate, avg(r.log_loss) AS log_loss, avg(r.brier) AS brier FROM run r GROUP BY r.rank, r.candidate
		), best AS (
			SELECT m.rank FROM mean m ORDER BY m.log_loss, m.rank LIMIT 1
		), difference AS (
			SELECT r.rank, avg(r.log_loss - b.log_loss) AS mean, coalesce(stddev(r.log_loss - b.log_loss) / sqrt(count(*)), 0) AS se
			FROM run r JOIN run b ON b.rank = (SELECT best.rank FROM best) AND b.workflow_id = r.workflow_id AND b.at = r.at
			GROUP BY r.rank
		)
		SELECT m.candidate, m.log_loss, m.brier, d.mean, d.se,
			m.rank = (SELECT min(n.rank) FROM difference n WHERE n.mean <= n.se)
		FROM mean m JOIN difference d ON d.rank = m.rank ORDER BY m.rank;
	DROP TABLE pg_temp.wfml_run_example, pg_temp.wfml_run_loss;
END $$;
COMMENT ON FUNCTION wfml.trigger_candidates() IS
	'which model of success the bound runs bear: base rate, rate by hour, linear, small boosting (on numbers) and boosting (on all that is known, the workflow too) are trained on the first 40, 60 and 80 % of the time and judged on the next 20 %, on the last 100,000 runs. log_loss and brier: means over those runs; behind: how far the log loss is behind the best one''s, standard_error: of that difference; chosen: the simplest that is no more than one standard error behind. Trains fifteen models and keeps none';

CREATE FUNCTION wfml.train_trigger_predictor(params jsonb DEFAULT '{}') RETURNS wfml.training_summary
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	given jsonb := coalesce(params, '{}') - 'candidate';
	wanted text := params ->> 'candidate';
	runs bigint;
	succeeded bigint;
	r record;
	c record;
	columns text[];
	list text;
	summary wfml.training_summary;
BEGIN
	SELECT count(b.succeeded), count(*) FILTER (WHERE b.succeeded) INTO runs, succeeded
		FROM wfml.bound_rows('runs') AS b (succeeded boolean, started_at timestamptz) WHERE b.started_at IS NOT NULL;
	IF runs < 50 OR succeeded IN (0, runs) THEN
		RAISE EXCEPTION USING ERRCODE = '22023',
			MESSAGE = CASE WHEN runs < 50 THEN format('only %s bound runs have an outcome to learn from, 50 are needed', runs)
				WHEN succeeded = 0 THEN 'all runs that are bound failed' ELSE 'all runs that are bound succeeded' END,
			HINT = 'wfml.success_probability() answers by a rule meanwhile.';
	ELSIF wanted IS NOT NULL AND NOT EXISTS (SELECT FROM wfml.trigger_candidate_rows() t WHERE t.candidate = wanted) THEN
		RAISE EXCEPTION 'there is no candidate "%"', wanted USING ERRCODE = '22023',
			HINT = (SELECT 'Candidates are ' || string_agg('"' || t.candidate || '"', ', ' ORDER BY t.rank) || '.' FROM wfml.trigger_candidate_rows() t);
	END IF;
	IF wanted IS NULL THEN
		-- A background job may make no temporary tables, nor may everybody.
		BEGIN
			CREATE TEMP TABLE wfml_run_probe () ON COMMIT DROP;
			DROP TABLE pg_temp.wfml_run_probe;
		EXCEPTION WHEN insufficient_privilege THEN
			wanted := coalesce((SELECT t.candidate FROM wfml.versions v JOIN wfml.trigger_candidate_rows() t ON t.algorithm = v.algorithm AND v.params @> t.params
				WHERE v.name = 'trigger_predictor' AND v.active ORDER BY t.rank LIMIT 1), 'small boosting');
			RAISE NOTICE 'candidates are not compared, which needs temporary tables: % is taken', wanted;
		END;
	END IF;
	IF wanted IS NULL THEN
		FOR r IN SELECT * FROM wfml.trigger_candidates() LOOP
			RAISE NOTICE '%: log loss %, Brier score %, % (standard error %) behind the best%', r.candidate, round(r.log_loss::numeric, 4),
				round(r.brier::numeric, 4), round(r.behind::numeric, 4), round(r.standard_error::numeric, 4), CASE WHEN r.chosen THEN ': taken' ELSE '' END;
			wanted := CASE WHEN r.chosen THEN r.candidate ELSE wanted END;
		END LOOP;
	END IF;
	SELECT * INTO c FROM wfml.trigger_candidate_rows() t WHERE t.candidate = wanted;
	list := wfml.run_example_columns();
	SELECT array_agg(l.name ORDER BY l.i) INTO columns
		FROM (SELECT m.i, m.type, CASE WHEN m.word LIKE '"%' THEN replace(substr(m.word, 2, length(m.word) - 2), '""', '"') ELSE m.word END AS name
			FROM (SELECT row_number() OVER () AS i, x[1] AS word, x[2] AS type
				FROM regexp_matches(list, '("(?:[^"]|"")+"|[^\s",]+) (double precision|text|timestamptz|boolean)', 'g') x) m) l
		WHERE l.name NOT IN ('at', 'known_by', 'succeeded')
			AND CASE c.features WHEN 'numbers' THEN l.type = 'double precision' ELSE c.features IS NULL OR l.name = c.features END;
	SELECT * INTO summary FROM wfml.train('trigger_predictor', c.algorithm,
		format('SELECT at, succeeded, %s FROM wfml.run_examples() AS e (%s)', (SELECT string_agg(quote_ident(n), ', ') FROM unnest(columns) n), list),
		'succeeded', c.params || '{"validation": "time", "time_column": "at", "positive": "true"}' || given, columns);
	RETURN summary;
END $$;
COMMENT ON FUNCTION wfml.train_trigger_predictor(jsonb) IS
	'train model "trigger_predictor", the probability that a run succeeds, from the bound runs: the candidate that wfml.trigger_candidates() chooses, each as a NOTICE, on two examples of each run (wfml.run_examples()). params: candidate (base rate, hour rate, linear, small boosting or boosting) takes that one without comparing; all else goes to wfml.train(). Where temporary tables may not be made, as in a background job, it is the candidate of the active version, else small boosting. Call it as SELECT * FROM wfml.train_trigger_predictor()';
