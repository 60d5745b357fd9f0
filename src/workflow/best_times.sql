-- When a workflow does best.

CREATE FUNCTION wfml.slot_values(slots integer[], succeeded boolean[], who integer[],
	group_runs double precision[] DEFAULT NULL, outcome_model boolean DEFAULT true)
	RETURNS TABLE (slot integer, probability double precision, lower double precision, support integer)
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_slot_values';
COMMENT ON FUNCTION wfml.slot_values(integer[], boolean[], integer[], double precision[], boolean) IS
	'success rate that runs would have had in each slot (0 to 23: the hours of Monday to Friday, 24 to 47: those of Saturday and Sunday), with its lower 80 % bound and the runs there, from runs in order of time: their slots, outcomes and who started each (a number from 0 to the number of runs). Doubly robust: each run is corrected by an outcome model of who, hour and weekend that has seen earlier runs only, and weighed by the share of the slot, shrunk to group_runs, counts by slot. outcome_model false: plain rates, shrunk to the rate of all';

CREATE FUNCTION wfml.slot_policy(slots integer[], succeeded boolean[], who integer[], windows integer[], allowed bigint[],
	group_runs double precision[] DEFAULT NULL, outcome_model boolean DEFAULT true)
	RETURNS TABLE (run integer, slot integer, weight double precision, value double precision)
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_slot_policy';
COMMENT ON FUNCTION wfml.slot_policy(integer[], boolean[], integer[], integer[], bigint[], double precision[], boolean) IS
	'what would have come of starting each window''s runs in the slot that wfml.slot_values() of the 1000 runs before it names the best of those allowed (bits of the slots): for each run that slot (NULL: none had 5 runs), the weight of the run for it and its doubly robust value, whose mean is the estimated success rate. windows: equal numbers one after the other are one window, negative ones history only';

CREATE FUNCTION wfml.slot_of(at timestamptz, timezone text) RETURNS integer
	LANGUAGE SQL STABLE PARALLEL SAFE
	RETURN EXTRACT(hour FROM (at AT TIME ZONE timezone))::integer
		+ CASE WHEN EXTRACT(isodow FROM (at AT TIME ZONE timezone)) > 5 THEN 24 ELSE 0 END;
COMMENT ON FUNCTION wfml.slot_of(timestamptz, text) IS 'slot of a moment: its hour, plus 24 on Saturday and Sunday';

-- Runs by slot of the workflow's group: its category if that has enough of the newest runs, else all.
CREATE FUNCTION wfml.slot_group(workflow_id text, known_by timestamptz, timezone text) RETURNS double precision[]
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	own_category text;
	members text[];
	result double precision[];
BEGIN
	IF wfml.has_source('workflows') THEN
		SELECT w.category INTO own_category
		FROM wfml.bound_rows('workflows', workflow_id => slot_group.workflow_id) AS w (category text);
		IF own_category IS NOT NULL THEN
			SELECT array_agg(w.workflow_id) INTO members
			FROM wfml.bound_rows('workflows') AS w (workflow_id text, category text) WHERE w.category = own_category;
		END IF;
	END IF;
	WITH newest AS MATERIALIZED (
		SELECT EXTRACT(hour FROM local.t)::integer + CASE WHEN EXTRACT(isodow FROM local.t) > 5 THEN 24 ELSE 0 END AS slot,
			coalesce(r.workflow_id = ANY (members), false) AS near
		FROM wfml.bound_rows('runs', until => known_by, row_limit => 2000) AS r (workflow_id text, started_at timestamptz)
		CROSS JOIN LATERAL (SELECT r.started_at AT TIME ZONE slot_group.timezone) local (t)
		WHERE isfinite(r.started_at)),
	chosen AS MATERIALIZED (
		SELECT n.slot, count(*) AS runs FROM newest n
		WHERE n.near OR (SELECT count(*) FILTER (WHERE near) FROM newest) < 200 GROUP BY n.slot)
	SELECT array_agg(coalesce(c.runs, 0)::double precision ORDER BY s.slot) INTO result
	FROM generate_series(0, 47) s (slot) LEFT JOIN chosen c ON c.slot = s.slot;
	RETURN result;
END $$;
COMMENT ON FUNCTION wfml.slot_group(text, timestamptz, text) IS
	'counts by slot of the newest 2000 runs of all workflows that finished before known_by: of those of the same category if they are 200 or more, else of all';

CREATE FUNCTION wfml.slot_estimates(workflow_id text, known_by timestamptz DEFAULT now())
	RETURNS TABLE (slot integer, probability double precision, lower double precision, support integer,
		expected_duration interval, source text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	zone text;
	model boolean := wfml.has_model('trigger_predictor');
	slots integer[];
	succeeded boolean[];
	who integer[];
	took double precision[];
	usual double precision;
BEGIN
	SELECT b.timezone INTO zone FROM wfml.bound_source('runs') b;
	SELECT array_agg(r.slot ORDER BY r.n), array_agg(r.succeeded ORDER BY r.n), array_agg(r.who ORDER BY r.n),
		array_agg(r.took ORDER BY r.n), percentile_cont(0.5) WITHIN GROUP (ORDER BY r.took)
	INTO slots, succeeded, who, took, usual
	FROM (SELECT EXTRACT(hour FROM local.t)::integer + CASE WHEN EXTRACT(isodow FROM local.t) > 5 THEN 24 ELSE 0 END AS slot,
			b.succeeded, (dense_rank() OVER (ORDER BY b.user_id))::integer AS who,
			EXTRACT(epoch FROM b.finished_at - b.started_at)::double precision AS took,
			row_number() OVER (ORDER BY b.finished_at, b.started_at, b.user_id, b.succeeded) AS n
		FROM wfml.bound_rows('runs', workflow_id => slot_estimates.workflow_id, until => known_by, row_limit => 1000)
			AS b (user_id text, started_at timestamptz, finished_at timestamptz, succeeded boolean)
		CROSS JOIN LATERAL (SELECT b.started_at AT TIME ZONE zone) local (t)
		WHERE b.succeeded IS NOT NULL AND isfinite(b.started_at) AND isfinite(b.finished_at)) r;
	RETURN QUERY
	SELECT v.slot, v.probability, v.lower, v.support,
		make_interval(secs => coalesce(d.took, usual)), CASE WHEN model THEN 'ml' ELSE 'rule' END
	FROM wfml.slot_values(coalesce(slots, '{}'), coalesce(succeeded, '{}'), coalesce(who, '{}'),
		CASE WHEN model THEN wfml.slot_group(workflow_id, known_by, zone) END, model) v
	LEFT JOIN (SELECT u.slot, percentile_cont(0.5) WITHIN GROUP (ORDER BY u.took) AS took
		FROM unnest(slots, took) u (slot, took) GROUP BY u.slot) d ON d.slot = v.slot;
END $$;
COMMENT ON FUNCTION wfml.slot_estimates(text, timestamptz) IS
	'wfml.slot_values() of a workflow''s newest 1000 runs that finished before known_by, hours in the time zone of the binding; expected_duration: median of the slot''s runs, of all when it has none. source "ml" where a model trigger_predictor is there, else "rule": success rate of the slot''s runs with 4 runs of the workflow''s rate added, and Wilson''s bound';

CREATE FUNCTION wfml.best_times(workflow_id text, since timestamptz DEFAULT now(), until timestamptz DEFAULT now() + interval '1 day',
	step interval DEFAULT '1 hour', n integer DEFAULT 5)
	RETURNS TABLE (at timestamptz, probability double precision, lower double precision, expected_duration interval,
		support integer, reason text, source text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	zone text;
	first timestamptz;
	length double precision := EXTRACT(epoch FROM step);
BEGIN
	IF workflow_id IS NULL OR since IS NULL OR until IS NULL OR n IS NULL THEN
		RAISE EXCEPTION 'arguments of best_times() must not be null' USING ERRCODE = '22004';
	ELSIF length IS NULL OR length < 60 OR EXTRACT(year FROM step) <> 0 OR EXTRACT(month FROM step) <> 0 THEN
		RAISE EXCEPTION 'step must be between 1 minute and a number of days' USING ERRCODE = '22023',
			HINT = 'For example: step => ''1 hour''.';
	ELSIF n < 0 THEN
		RAISE EXCEPTION 'n must be 0 or more' USING ERRCODE = '22023';
	ELSIF NOT isfinite(since) OR NOT isfinite(until) OR EXTRACT(epoch FROM until - since) / length > 10000 THEN
		RAISE EXCEPTION 'best_times() looks at 10000 moments at most' USING ERRCODE = '54000',
			HINT = 'Bring since and until closer together, or take a longer step.';
	END IF;
	SELECT b.timezone INTO zone FROM wfml.bound_source('runs') b;
	first := date_bin(step, since, timestamp '2001-01-01' AT TIME ZONE zone);
	RETURN QUERY
	SELECT m.at, e.probability, CASE WHEN e.support >= 5 THEN e.lower END, e.expected_duration, e.support,
		CASE WHEN e.support < 5 THEN format('no support: %s %s at this hour, 5 are needed', e.support,
			CASE WHEN e.support = 1 THEN 'run' ELSE 'runs' END) END, e.source
	FROM (SELECT greatest(first + i * step, since) AS at FROM generate_series(0, (ceil(EXTRACT(epoch FROM until - first) / length))::integer) i
		WHERE first + (i + 1) * step > since AND first + i * step < until AND since < until) m
	CROSS JOIN LATERAL (SELECT m.at AT TIME ZONE zone) local (t)
	JOIN wfml.slot_estimates(workflow_id, least(since, now())) e
		ON e.slot = EXTRACT(hour FROM local.t)::integer + CASE WHEN EXTRACT(isodow FROM local.t) > 5 THEN 24 ELSE 0 END
	ORDER BY e.support >= 5 DESC, CASE WHEN e.support >= 5 THEN e.lower ELSE e.probability END DESC, m.at
	LIMIT n;
END $$;
COMMENT ON FUNCTION wfml.best_times(text, timestamptz, timestamptz, interval, integer) IS
	'the n best moments to start a workflow from since to until (exclusive), every step, from the runs known at since (now if that is later): best lower bound first. probability: estimated success rate of its hour, weekdays and weekends apart; lower: it is above that in about 9 of 10 cases; support: runs of its newest 1000 in that hour. Under 5 there is no support: lower is NULL, reason says so, and the moment ranks after all others. source "ml": doubly robust with an outcome model of its own that learns these runs in the call, see wfml.slot_values(); it is used once a model trigger_predictor has been trained, whose probabilities do not enter. "rule", before that: shrunk success rate of the hour. Assumes that what makes a run fail and also moves its hour is seen: who runs it and when';
