-- A model through time.

CREATE FUNCTION wfml.trend(model text, bucket interval DEFAULT '1 day', since timestamptz DEFAULT pg_catalog.now() - interval '90 days',
	OUT at timestamptz, OUT version integer, OUT predictions bigint, OUT outcomes bigint,
	OUT metric text, OUT live double precision, OUT mean_confidence double precision,
	OUT fallback_rate double precision, OUT p95_ms double precision, OUT evaluated double precision)
	RETURNS SETOF record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 100000 ROWS 100
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	name_asked CONSTANT text := split_part($1, '@', 1);
	version_asked CONSTANT integer := wfml.version_asked($1);
	origin CONSTANT timestamp := '2000-01-03';	-- a Monday
BEGIN
	IF isfinite(since) IS NOT TRUE THEN
		RAISE EXCEPTION 'since must be a time'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'For example now() - interval ''30 days''.';
	END IF;
	IF bucket IS NULL OR bucket < interval '1 minute' THEN
		RAISE EXCEPTION 'bucket must be at least a minute'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use days, weeks or hours, for example ''7 days''.';
	END IF;
	IF extract(year FROM bucket) <> 0 OR extract(month FROM bucket) <> 0 THEN
		RAISE EXCEPTION 'bucket "%" has months, which differ in length', bucket
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use days, weeks or hours, for example ''7 days''.';
	END IF;
	RETURN QUERY
	WITH logged AS (
		SELECT date_bin(bucket, a.made_at::timestamp, origin)::timestamptz AS at, a.version,
			count(*) AS predictions,
			count(*) FILTER (WHERE CASE WHEN a.task = 'regression' THEN a.outcome - a.value IS NOT NULL ELSE a.correct IS NOT NULL END) AS outcomes,
			min(CASE WHEN a.task = 'regression' THEN 'rmse' WHEN a.task = 'classification' THEN 'accuracy' END) AS metric,
			CASE WHEN min(a.task) = 'regression' THEN sqrt(avg((a.outcome - a.value) * (a.outcome - a.value)))
				WHEN min(a.task) = 'classification' THEN avg(a.correct::integer)::double precision END AS live,
			avg(a.confidence) AS mean_confidence,
			(count(*) FILTER (WHERE a.source = 'fallback'))::double precision / count(*) AS fallback_rate,
			round((percentile_cont(0.95) WITHIN GROUP (ORDER BY a.latency_us) / 1000)::numeric, 3)::double precision AS p95_ms
		FROM wfml.answers a
		WHERE a.model = name_asked AND a.made_at >= since AND (version_asked IS NULL OR a.version = version_asked)
		GROUP BY 1, 2
	), stored AS (
		SELECT DISTINCT ON (1, 2, 3) date_bin(bucket, e.at::timestamp, origin)::timestamptz AS at, e.version, e.metric, e.value
		FROM wfml.evaluations e
		WHERE e.model = name_asked AND e.at >= since AND (version_asked IS NULL OR e.version = version_asked)
			AND e.metric IN ('accuracy', 'rmse')
		ORDER BY 1, 2, 3, e.at DESC
	)
	SELECT coalesce(l.at, s.at), coalesce(l.version, s.version), coalesce(l.predictions, 0), coalesce(l.outcomes, 0),
		coalesce(l.metric, s.metric), l.live, l.mean_confidence, l.fallback_rate, l.p95_ms, s.value
	FROM logged l
	FULL JOIN stored s ON s.at = l.at AND s.version = l.version
	ORDER BY 1, 2;
END $$;
COMMENT ON FUNCTION wfml.trend(text, interval, timestamptz) IS
	'a model (or name@version) by day of the session''s time zone, or by another bucket, and version: logged predictions that you may see, live accuracy or rmse on those whose outcome is known, mean confidence, share answered by the rule (0..1), 95th percentile of latency in milliseconds, and the last score that evaluate() stored in that time. version is NULL where no version answered. Buckets younger than wfml.outcome_delay know only early outcomes';
