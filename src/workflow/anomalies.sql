-- Odd runs, and odd things that users did.

CREATE FUNCTION wfml.anomaly_scale(model text, group_key text,
	OUT feature text, OUT median double precision, OUT iqr double precision)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 100 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_anomaly_scale';
COMMENT ON FUNCTION wfml.anomaly_scale(text, text) IS
	'what an isolation forest trained with scale_by knows to be usual in a group: median and interquartile range of each number (an IQR of 0 counts as 1; NULL where no row of the group had a value); no row for a group that training did not see, or saw in fewer than 8 rows';

CREATE FUNCTION wfml.short_number(x double precision) RETURNS text
	LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
	BEGIN ATOMIC
		SELECT CASE
			WHEN x OPERATOR(pg_catalog.=) 0 OR pg_catalog.abs(x) OPERATOR(pg_catalog.>=) 1e15 OR pg_catalog.abs(x) OPERATOR(pg_catalog.<) 1e-6
				OR x OPERATOR(pg_catalog.=) 'NaN' THEN x::text
			ELSE pg_catalog.trim_scale(pg_catalog.round(x::numeric,
				greatest(0, 2 OPERATOR(pg_catalog.-) pg_catalog.floor(pg_catalog.log(pg_catalog.abs(x)))::integer)))::text END;
	END;
COMMENT ON FUNCTION wfml.short_number(double precision) IS 'a number with three digits that count, and all before the point';

CREATE FUNCTION wfml.unusual_text(feature text, value double precision, low double precision, high double precision)
	RETURNS text
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE
	BEGIN ATOMIC
		SELECT CASE
			WHEN value IS NULL THEN pg_catalog.format('%s is missing', feature)
			WHEN low IS NULL THEN pg_catalog.format('%s %s, usually missing', feature, wfml.short_number(value))
			ELSE pg_catalog.format('%s %s%s, usually %s%s', feature, wfml.short_number(value), u.unit,
				CASE WHEN wfml.short_number(low) OPERATOR(pg_catalog.=) wfml.short_number(high) THEN wfml.short_number(low)
					ELSE pg_catalog.format('%s–%s', wfml.short_number(low), wfml.short_number(high)) END, u.unit) END
		FROM (SELECT CASE WHEN feature OPERATOR(pg_catalog.=) 'duration' THEN ' s' ELSE '' END) u (unit);
	END;
COMMENT ON FUNCTION wfml.unusual_text(text, double precision, double precision, double precision) IS
	'why a number is odd, in words: "duration 340 s, usually 42–55 s"';

CREATE FUNCTION wfml.run_numbers(columns jsonb) RETURNS text[]
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE
	BEGIN ATOMIC
		SELECT coalesce(pg_catalog.array_agg(c.key ORDER BY c.key COLLATE "C"), '{}')
		FROM pg_catalog.jsonb_each_text(columns) c
		WHERE c.value OPERATOR(pg_catalog.~) '^(smallint|integer|bigint|real|double precision|numeric(\(.*\))?)$'
			AND c.key OPERATOR(pg_catalog.!~) '^(workflow_id|user_id|run_id|upstream|id)$|_id$'
			AND c.key OPERATOR(pg_catalog.!~) '^(duration|run_?time|elapsed)(_|$)';
	END;
COMMENT ON FUNCTION wfml.run_numbers(jsonb) IS
	'the columns of bound runs that the anomaly detector looks at beside the duration: all numbers but ids, and but those that are named as a duration, which it computes itself';

-- ---- training ----

CREATE FUNCTION wfml.train_anomaly_detector(params jsonb DEFAULT '{}') RETURNS wfml.training_summary
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	numbers CONSTANT text[] := (SELECT wfml.run_numbers(s.columns) FROM wfml.bound_source('runs') s);
	summary wfml.training_summary;
BEGIN
	SELECT * INTO summary FROM wfml.train('anomaly_detector', 'isolation_forest',
		format('SELECT r.workflow_id, extract(epoch FROM r.finished_at - r.started_at)::double precision AS duration%s'
			' FROM wfml.bound_rows(''runs'') AS r (workflow_id text, started_at timestamptz, finished_at timestamptz%s)'
			' WHERE r.finished_at >= r.started_at AND pg_catalog.isfinite(r.finished_at) AND pg_catalog.isfinite(r.started_at)',
			(SELECT string_agg(format(', r.%I', c), '' ORDER BY i) FROM unnest(numbers) WITH ORDINALITY u (c, i)),
			(SELECT string_agg(format(', %I double precision', c), '' ORDER BY i) FROM unnest(numbers) WITH ORDINALITY u (c, i))),
		params => '{"scale_by": "workflow_id", "contamination": 0.02}'::jsonb || coalesce(params, '{}'),
		features => 'duration'::text || numbers);
	RETURN summary;
END $$;
COMMENT ON FUNCTION wfml.train_anomaly_detector(jsonb) IS
	'train the model anomaly_detector: an isolation forest on the finished runs (also failed ones) of the bound source "runs": their duration in seconds and all further columns that are numbers, each scaled by median and interquartile range of its workflow. The oddest 2 % of them set the threshold of is_anomaly; another share: params ''{"contamination": 0.05}''. params: as for wfml.train(). Call it as SELECT * FROM wfml.train_anomaly_detector()';

-- ---- runs ----

CREATE FUNCTION wfml.run_anomalies_by_model(since timestamptz, n integer)
	RETURNS TABLE (entity text, score double precision, confidence double precision, is_anomaly boolean, reasons text[])
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 20
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	bound record;
	known text[];
	numbers text[];
BEGIN
	SELECT s.columns, s.timezone INTO bound FROM wfml.bound_source('runs') s;
	-- as the model was trained; a column that the binding lost since, or that
	-- is no number any more, is NULL
	SELECT array_agg(c ->> 'name') INTO numbers
	FROM jsonb_array_elements(wfml.model_facts(wfml.version_id('anomaly_detector')) -> 'columns') c
	WHERE c ->> 'name' NOT IN ('workflow_id', 'duration');
	SELECT array_agg(c) INTO known FROM unnest(numbers) c WHERE c = ANY (wfml.run_numbers(bound.columns));
	RETURN QUERY EXECUTE format($query$
		WITH r AS MATERIALIZED (
			SELECT coalesce(b.run_id, b.workflow_id || ' ' || to_char(b.started_at AT TIME ZONE $3, 'YYYY-MM-DD HH24:MI:SS')) AS entity,
				b.workflow_id, "its numbers" AS input
			FROM wfml.bound_rows('runs', since => $1, row_limit => CASE WHEN $1 IS NULL THEN 100000 END)
				AS b (run_id text, workflow_id text, started_at timestamptz, finished_at timestamptz%2$s)
			CROSS JOIN LATERAL (
				SELECT b.workflow_id, extract(epoch FROM b.finished_at - b.started_at)::double precision AS duration%1$s) "its numbers"
			WHERE b.finished_at >= b.started_at AND isfinite(b.finished_at) AND isfinite(b.started_at)),
		w AS MATERIALIZED (
			SELECT d.workflow_id FROM (SELECT DISTINCT r.workflow_id FROM r) d
			WHERE EXISTS (SELECT FROM wfml.anomaly_scale('anomaly_detector', d.workflow_id))),
		top AS MATERIALIZED (
			SELECT r.input, r.entity, r.workflow_id, w.workflow_id IS NOT NULL AS judged,
				CASE WHEN w.workflow_id IS NULL THEN least(p.value, 0.5) ELSE p.value END AS value,
				CASE WHEN w.workflow_id IS NULL THEN 0 ELSE p.confidence END AS confidence, p.label
			FROM r LEFT JOIN w USING (workflow_id), LATERAL wfml.predict_detail('anomaly_detector', r.input) p
			ORDER BY value DESC, r.entity LIMIT $2)
		SELECT t.entity, t.value, t.confidence, t.judged AND t.label = 'anomaly',
			CASE
				WHEN NOT t.judged THEN ARRAY['too few runs of this workflow to tell what is usual']
				WHEN t.label = 'anomaly' THEN coalesce((
					SELECT array_agg(wfml.unusual_text(x.feature, x.value, x.low, x.high) ORDER BY x.contribution DESC)
					FROM (SELECT e.feature, e.contribution, v.value,
								CASE WHEN v.whole THEN ceil(v.low) ELSE v.low END AS low, CASE WHEN v.whole THEN floor(v.high) ELSE v.high END AS high
							FROM wfml.explain_anomaly('anomaly_detector', to_jsonb(t.input)) e
							JOIN wfml.anomaly_scale('anomaly_detector', t.workflow_id) s ON s.feature = e.feature
							CROSS JOIN LATERAL (
								SELECT (to_jsonb(t.input) ->> e.feature)::double precision,
									CASE WHEN s.median >= 0 THEN greatest(s.median - s.iqr / 2, 0) ELSE s.median - s.iqr / 2 END,
									s.median + s.iqr / 2, coalesce($4 ->> e.feature ~ 'int', false)) v (value, low, high, whole)
							WHERE e.contribution > 0
								AND (abs(v.value - s.median) > s.iqr OR (v.value IS NULL) <> (s.median IS NULL))
							ORDER BY e.contribution DESC LIMIT 3) x), '{}')
				ELSE '{}' END
		FROM top t
		ORDER BY t.value DESC, t.entity$query$,
			(SELECT string_agg(CASE WHEN c = ANY (known) THEN format(', b.%I', c) ELSE format(', NULL::double precision AS %I', c) END, '') FROM unnest(numbers) c),
			(SELECT string_agg(format(', %I double precision', c), '') FROM unnest(known) c))
		USING since, n, bound.timezone, bound.columns;
END $$;
COMMENT ON FUNCTION wfml.run_anomalies_by_model(timestamptz, integer) IS 'detect_anomalies(''runs'') where the model anomaly_detector is there';

CREATE FUNCTION wfml.run_anomalies_by_rule(since timestamptz, n integer)
	RETURNS TABLE (entity text, score double precision, confidence double precision, is_anomaly boolean, reasons text[])
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 20
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	bound record;
	numbers text[];
BEGIN
	SELECT s.columns, s.timezone INTO bound FROM wfml.bound_source('runs') s;
	numbers := wfml.run_numbers(bound.columns);
	RETURN QUERY EXECUTE format($query$
		WITH r AS MATERIALIZED (
			SELECT row_number() OVER () AS i,
				coalesce(b.run_id, b.workflow_id || ' ' || to_char(b.started_at AT TIME ZONE $3, 'YYYY-MM-DD HH24:MI:SS')) AS entity,
				b.workflow_id, $1 IS NULL OR b.finished_at >= $1 AS asked,
				ARRAY[extract(epoch FROM b.finished_at - b.started_at)::double precision%s] AS numbers
			FROM wfml.bound_rows('runs', row_limit => 100000)
				AS b (run_id text, workflow_id text, started_at timestamptz, finished_at timestamptz%s)
			WHERE b.finished_at >= b.started_at AND isfinite(b.finished_at) AND isfinite(b.started_at)),
		s AS MATERIALIZED (
			SELECT r.workflow_id, u.f, count(u.x) AS runs,
				percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY u.x) AS q
			FROM r, unnest(r.numbers) WITH ORDINALITY u (x, f)
			WHERE u.x <> 'NaN'
			GROUP BY 1, 2 HAVING count(u.x) >= 8),
		scale AS MATERIALIZED (
			SELECT s.*, coalesce(nullif(greatest((s.q[3] - s.q[1]) / 1.349, abs(s.q[2]) / 10), 0), 1) AS unit FROM s),
		z AS MATERIALIZED (
			SELECT r.i, r.asked, r.entity, r.workflow_id, r.numbers, max(abs(u.x - s.q[2]) / s.unit) AS z
			FROM r CROSS JOIN unnest(r.numbers) WITH ORDINALITY u (x, f)
			LEFT JOIN scale s ON s.workflow_id = r.workflow_id AND s.f = u.f AND u.x <> 'NaN'
			GROUP BY 1, 2, 3, 4, 5),
		top AS MATERIALIZED (
			SELECT y.* FROM (SELECT z.*, percent_rank() OVER (ORDER BY coalesce(z.z, 0)) AS rank FROM z) y
			WHERE y.asked
			ORDER BY coalesce(y.z, 0) DESC, y.entity LIMIT $2)
		SELECT t.entity, coalesce(CASE WHEN t.z = 'Infinity' THEN 1 ELSE t.z / (t.z + 3.5) END, 0), t.rank, coalesce(t.z > 3.5, false),
			CASE WHEN t.z IS NOT NULL THEN coalesce((
				SELECT array_agg(wfml.unusual_text(x.feature, x.value, x.low, x.high) ORDER BY x.z DESC)
				FROM (SELECT $4[u.f] AS feature, u.x AS value, s.q[1] AS low, s.q[3] AS high, abs(u.x - s.q[2]) / s.unit AS z
						FROM unnest(t.numbers) WITH ORDINALITY u (x, f)
						JOIN scale s ON s.workflow_id = t.workflow_id AND s.f = u.f
						WHERE u.x <> 'NaN'
						ORDER BY 5 DESC LIMIT 3) x
				WHERE x.z > 2), '{}')
				ELSE ARRAY['too few runs of this workflow to tell what is usual'] END
		FROM top t
		ORDER BY 2 DESC, t.entity$query$,
			(SELECT string_agg(format(', b.%I', c), '' ORDER BY i) FROM unnest(numbers) WITH ORDINALITY u (c, i)),
			(SELECT string_agg(format(', %I double precision', c), '' ORDER BY i) FROM unnest(numbers) WITH ORDINALITY u (c, i)))
		USING since, n, bound.timezone, 'duration'::text || numbers;
END $$;
COMMENT ON FUNCTION wfml.run_anomalies_by_rule(timestamptz, integer) IS 'detect_anomalies(''runs'') by rule';

-- ---- what users did ----

CREATE FUNCTION wfml.session_anomalies(since timestamptz, n integer, by_model boolean)
	RETURNS TABLE (entity text, score double precision, confidence double precision, is_anomaly boolean, reasons text[])
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 20
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN QUERY
		WITH bound AS MATERIALIZED (
			SELECT b.session_gap, b.timezone FROM wfml.bound_source('events') b),
		e AS MATERIALIZED (
			SELECT x.*, count(*) FILTER (WHERE x.pause IS NULL OR x.pause > b.session_gap) OVER (PARTITION BY x.user_id ORDER BY x.at, x.event) AS session
			FROM (SELECT y.user_id, y.event, y.at, y.at - lag(y.at) OVER (PARTITION BY y.user_id ORDER BY y.at, y.event) AS pause
					FROM wfml.bound_rows('events', row_limit => 20000) AS y (user_id text, event text, at timestamptz)
					WHERE y.event IS NOT NULL AND isfinite(y.at)) x, bound b),
		step AS MATERIALIZED (
			SELECT e.user_id, e.session, e.event, e.at,
				lag(e.event) OVER (PARTITION BY e.user_id, e.session ORDER BY e.at, e.event) AS before
			FROM e),
		follows AS MATERIALIZED (
			SELECT s.before, s.event, count(*) AS n FROM step s GROUP BY 1, 2),
		origin AS MATERIALIZED (
			SELECT f.before, sum(f.n) AS n FROM follows f GROUP BY 1),
		vocabulary AS MATERIALIZED (
			SELECT count(DISTINCT f.event) AS n FROM follows f),
		-- each transition by what the others say of it
		rare AS MATERIALIZED (
			SELECT f.before, f.event, f.n, o.n AS of_n, ln((f.n - 0.9) / (o.n - 1 + 0.1 * v.n))::double precision AS p
			FROM follows f JOIN origin o ON o.before IS NOT DISTINCT FROM f.before, vocabulary v),
		session AS MATERIALIZED (
			SELECT s.user_id, s.session, min(s.at) AS started, max(s.at) AS ended, count(*) AS events,
				array_agg(s.event ORDER BY s.at, s.event) AS history, array_agg(s.at ORDER BY s.at, s.event) AS times,
				avg(r.p) AS p
			FROM step s JOIN rare r ON r.event = s.event AND r.before IS NOT DISTINCT FROM s.before
			GROUP BY 1, 2 HAVING count(*) > 1),
		scored AS MATERIALIZED (
			SELECT s.user_id, s.session, s.started, s.ended,
				CASE WHEN by_model THEN wfml.sequence_score('sequence_predictor', s.history, s.times) ELSE s.p END AS p
			FROM session s),
		usual AS MATERIALIZED (
			SELECT percentile_cont(ARRAY[0.02, 0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY s.p) AS q, count(*) AS n FROM scored s),
		top AS MATERIALIZED (
			SELECT y.* FROM (SELECT s.*, percent_rank() OVER (ORDER BY s.p DESC) AS rank FROM scored s) y
			WHERE since IS NULL OR y.ended >= since
			ORDER BY y.p, y.user_id, y.started LIMIT session_anomalies.n)
		SELECT t.user_id || ' ' || to_char(t.started AT TIME ZONE b.timezone, 'YYYY-MM-DD HH24:MI:SS'),
			1 - exp(least(t.p, 0)), t.rank,
			u.n >= 20 AND t.p <= u.q[1] AND t.p < u.q[3] - 3.5 * greatest(u.q[4] - u.q[2], 0.01) / 1.349,
			(SELECT array_agg(x.reason ORDER BY x.p)
				FROM (SELECT DISTINCT ON (r.p, r.before, r.event) r.p,
							CASE WHEN r.before IS NULL THEN format('begins with "%s", as %s of %s do', r.event, r.n, r.of_n)
								ELSE format('"%s" after "%s", as in %s of %s', r.event, r.before, r.n, r.of_n) END AS reason
						FROM step s JOIN rare r ON r.event = s.event AND r.before IS NOT DISTINCT FROM s.before
						WHERE s.user_id = t.user_id AND s.session = t.session
						ORDER BY r.p, r.before, r.event LIMIT 2) x)
		FROM top t, usual u, bound b
		ORDER BY t.p, 1;
END $$;
COMMENT ON FUNCTION wfml.session_anomalies(timestamptz, integer, boolean) IS
	'detect_anomalies(''patterns''), by the model sequence_predictor or by rule';

-- ---- both ----

CREATE FUNCTION wfml.detect_anomalies(kind text DEFAULT 'runs', since timestamptz DEFAULT NULL, n integer DEFAULT 20)
	RETURNS TABLE (entity text, score double precision, confidence double precision, is_anomaly boolean, reasons text[], source text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 20
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	IF n IS NULL OR n < 0 THEN
		RAISE invalid_parameter_value USING MESSAGE = 'n must be a number from 0 on';
	END IF;
	CASE kind
		WHEN 'runs' THEN
			IF wfml.has_model('anomaly_detector') THEN
				RETURN QUERY SELECT a.*, 'ml' FROM wfml.run_anomalies_by_model(since, n) a;
			ELSE
				RETURN QUERY SELECT a.*, 'rule' FROM wfml.run_anomalies_by_rule(since, n) a;
			END IF;
		WHEN 'patterns' THEN
			IF wfml.has_model('sequence_predictor') THEN
				RETURN QUERY SELECT a.*, 'ml' FROM wfml.session_anomalies(since, n, true) a;
			ELSE
				RETURN QUERY SELECT a.*, 'rule' FROM wfml.session_anomalies(since, n, false) a;
			END IF;
		ELSE
			RAISE invalid_parameter_value USING
				MESSAGE = CASE WHEN kind IS NULL THEN 'kind must not be null' ELSE format('there is no kind of anomalies "%s"', kind) END,
				HINT = 'The kinds are runs and patterns.';
	END CASE;
END $$;
COMMENT ON FUNCTION wfml.detect_anomalies(text, timestamptz, integer) IS
	'the n oddest, oddest first. Kind "runs": finished runs (also failed ones) that finished since then, of the newest 100,000; entity is run_id, or workflow_id and start. score (0 to 1) is the isolation forest''s, confidence the share of training runs that score lower, reasons of an anomaly say which of its numbers are odd for its workflow. Kind "patterns": sessions of users among the newest 20,000 events that ended since then; entity is user_id and start; score is 1 less the geometric mean of the probabilities of the steps by sequence_predictor, an anomaly one of the lowest 2 % that is also below the median by 3.5 robust deviations. Rules, where the model is missing (source "rule"): runs by the largest robust z of duration and further numbers within their workflow, z = |x - median| / (IQR / 1.349, or a tenth of the median if that is more), score z / (z + 3.5), an anomaly above 3.5; sessions by how often each step follows the one before. A workflow of fewer than 8 runs is not judged';
