-- What schedules would have done.

-- Bits of the slots that a window has: of a time of day the hours it touches, of a duration of a day or more all.
CREATE FUNCTION wfml.window_slots(spec jsonb) RETURNS bigint
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	opens time;
	closes time;
	bits bigint := 0;
BEGIN
	IF spec ->> 'window' !~ ':[0-9]+-' THEN
		RETURN 281474976710655;
	END IF;
	opens := split_part(spec ->> 'window', '-', 1)::time;
	closes := split_part(spec ->> 'window', '-', 2)::time;
	FOR h IN 0..23 LOOP
		IF (make_time(h, 59, 59.999) >= opens AND make_time(h, 0, 0) < closes)
			OR (opens >= closes AND (make_time(h, 59, 59.999) >= opens OR make_time(h, 0, 0) < closes)) THEN
			bits := bits | (1::bigint << h) | (1::bigint << (h + 24));
		END IF;
	END LOOP;
	RETURN bits;
END $$;
COMMENT ON FUNCTION wfml.window_slots(jsonb) IS 'slots (wfml.slot_of()) of a predictive schedule''s window as bits';

-- Runs of one workflow, those since "since" judged day by day against what was known when the day began.
CREATE FUNCTION wfml.simulate_workflow(workflow_id text, spec jsonb, since timestamptz, until timestamptz)
	RETURNS TABLE (succeeded boolean, slot integer, weight double precision, value double precision)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	zone text;
	slots integer[];
	ok boolean[];
	who integer[];
	days integer[];
	bits constant bigint := wfml.window_slots(spec);
	model constant boolean := wfml.has_model('trigger_predictor');
BEGIN
	SELECT b.timezone INTO zone FROM wfml.bound_source('runs') b;
	-- A day's runs are one window: a weekday's, or one of the weekend, whose hours are other slots.
	SELECT array_agg(r.slot ORDER BY r.n), array_agg(r.succeeded ORDER BY r.n), array_agg(r.who ORDER BY r.n), array_agg(r.day ORDER BY r.n)
	INTO slots, ok, who, days
	FROM (SELECT EXTRACT(hour FROM local.t)::integer + CASE WHEN EXTRACT(isodow FROM local.t) > 5 THEN 24 ELSE 0 END AS slot,
			b.succeeded, (dense_rank() OVER (ORDER BY b.user_id))::integer AS who,
			CASE WHEN b.started_at >= simulate_workflow.since THEN local.t::date - date '2000-01-01' ELSE -1 END AS day,
			row_number() OVER (ORDER BY local.t::date, b.finished_at, b.started_at, b.user_id, b.succeeded) AS n
		FROM wfml.bound_rows('runs', workflow_id => simulate_workflow.workflow_id, until => simulate_workflow.until)
			AS b (user_id text, started_at timestamptz, finished_at timestamptz, succeeded boolean)
		CROSS JOIN LATERAL (SELECT b.started_at AT TIME ZONE zone) local (t)
		WHERE b.succeeded IS NOT NULL AND isfinite(b.started_at) AND isfinite(b.finished_at)) r;
	IF slots IS NULL THEN
		RETURN;
	END IF;
	RETURN QUERY
	SELECT ok[p.run], p.slot, p.weight, p.value
	FROM wfml.slot_policy(slots, ok, who, days,
		(SELECT array_agg(CASE WHEN u.s < 24 THEN bits & 16777215 ELSE bits & 281474959933440 END ORDER BY u.i)
			FROM unnest(slots) WITH ORDINALITY u (s, i)),
		CASE WHEN model THEN wfml.slot_group(workflow_id, since, zone) END, model) p;
END $$;
COMMENT ON FUNCTION wfml.simulate_workflow(text, jsonb, timestamptz, timestamptz) IS
	'runs of a workflow that started since that moment: outcome, the slot of a predictive schedule''s window that would have been chosen by what was known when its day began, and weight and doubly robust value for it, as wfml.slot_policy()';

CREATE FUNCTION wfml.simulate_schedule(since timestamptz, until timestamptz DEFAULT now())
	RETURNS TABLE (workflow_id text, runs bigint, actual double precision, predicted double precision, lower double precision,
		upper double precision, uplift double precision, supported double precision, effective_runs double precision, reason text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	IF since IS NULL OR until IS NULL OR since >= until THEN
		RAISE EXCEPTION 'since must be before until' USING ERRCODE = '22023';
	END IF;
	RETURN QUERY
	WITH judged AS MATERIALIZED (
		SELECT s.workflow_id, j.succeeded, j.slot, j.weight, j.value
		FROM wfml.schedules s CROSS JOIN LATERAL wfml.simulate_workflow(s.workflow_id, s.spec, since, until) j
		WHERE s.type = 'predictive' AND s.owner = quote_ident(current_user)::regrole),
	summed AS (
		SELECT j.workflow_id, count(*) AS runs, avg(j.succeeded::integer)::double precision AS actual,
			avg(j.succeeded::integer) FILTER (WHERE j.slot IS NOT NULL)::double precision AS actual_there,
			avg(j.value) AS value, stddev_samp(j.value) / sqrt(nullif(count(j.value), 0)) AS deviation,
			count(j.slot)::double precision / count(*) AS supported, sum(j.weight) ^ 2 / nullif(sum(j.weight ^ 2), 0) AS effective
		FROM judged j GROUP BY GROUPING SETS ((j.workflow_id), ()) HAVING count(*) > 0),
	said AS (
		SELECT s.*, CASE WHEN s.supported < 0.5 THEN format('at %s %% of the runs'' times no hour of the window had 5 runs before; 50 %% are allowed',
				round((100 * (1 - s.supported))::numeric))
			WHEN coalesce(s.effective, 0) < 100 THEN format('the runs that started at predicted times count as %s, 100 are needed',
				round(coalesce(s.effective, 0)::numeric)) END AS why
		FROM summed s)
	SELECT s.workflow_id, s.runs, s.actual,
		CASE WHEN s.why IS NULL THEN least(greatest(s.value, 0), 1) END,
		CASE WHEN s.why IS NULL THEN greatest(s.value - 1.2815515655446004 * s.deviation, 0) END,
		CASE WHEN s.why IS NULL THEN least(s.value + 1.2815515655446004 * s.deviation, 1) END,
		CASE WHEN s.why IS NULL THEN (s.value / nullif(s.actual_there, 0)) - 1 END,
		s.supported, coalesce(s.effective, 0), s.why
	FROM said s ORDER BY s.workflow_id NULLS LAST;
END $$;
COMMENT ON FUNCTION wfml.simulate_schedule(timestamptz, timestamptz) IS
	'what success rate your predictive schedules would have had over history (yours only, not those of other roles whose rights you have), one row for each and one (workflow_id NULL) for all together. actual: rate of all runs that started in that time; predicted: doubly robust estimate had each day''s runs been started at the hour that was then predicted, by earlier runs only; lower, upper: its 80 % interval; uplift: predicted over actual, less 1; supported: share of the runs for which some hour had 5 runs before; effective_runs: effective sample size, (sum of weights)^2 / sum of squares. Under 0.5 supported or 100 effective runs the estimate is NULL and reason says why. It assumes that nothing unseen moves both the time of a run and its success: given who runs it, the hour and the day, time was chosen at random';
