-- Schedules, decisions, dispatch.

CREATE SEQUENCE wfml.schedule_id_seq AS bigint;
CREATE TABLE wfml.schedule (
	id bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.schedule_id_seq') CONSTRAINT schedule_pkey PRIMARY KEY,
	owner regrole NOT NULL,
	workflow_id text COLLATE "C" NOT NULL,
	type text NOT NULL CHECK (type IN ('interval', 'cron', 'event', 'sequence', 'predictive')),
	spec jsonb NOT NULL,
	enabled boolean NOT NULL DEFAULT true,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	last_fired_at timestamptz,
	next_at timestamptz,
	seen_at timestamptz,
	fired bigint NOT NULL DEFAULT 0,
	CONSTRAINT schedule_workflow_id_owner_key UNIQUE (workflow_id, owner)
);
ALTER SEQUENCE wfml.schedule_id_seq OWNED BY wfml.schedule.id;
CREATE INDEX schedule_next_at ON wfml.schedule (next_at, id) WHERE enabled;
COMMENT ON TABLE wfml.schedule IS 'when workflows are to run: one schedule for each workflow and owner';
COMMENT ON COLUMN wfml.schedule.next_at IS 'it need not be looked at before; of interval and cron: when it is due';
COMMENT ON COLUMN wfml.schedule.seen_at IS 'time of the newest event that it has fired for';
COMMENT ON COLUMN wfml.schedule.fired IS 'how often it was claimed';

-- A row of its own, so that who plans never waits for who fires.
CREATE TABLE wfml.schedule_plan (
	schedule bigint NOT NULL CONSTRAINT schedule_plan_pkey PRIMARY KEY REFERENCES wfml.schedule (id) ON UPDATE CASCADE ON DELETE CASCADE,
	opens timestamptz,
	closes timestamptz,
	slots jsonb,
	source text,
	planned_at timestamptz
);
COMMENT ON TABLE wfml.schedule_plan IS 'what the hours of a predictive schedule''s window were worth when it was first looked at';

CREATE SEQUENCE wfml.schedule_decision_id_seq AS bigint;
CREATE TABLE wfml.schedule_decision (
	id bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.schedule_decision_id_seq') CONSTRAINT schedule_decision_pkey PRIMARY KEY,
	owner regrole NOT NULL,
	schedule bigint,
	workflow_id text COLLATE "C" NOT NULL,
	type text,
	first_at timestamptz NOT NULL,
	last_at timestamptz NOT NULL,
	times bigint NOT NULL DEFAULT 1,
	run boolean NOT NULL,
	claimed boolean NOT NULL DEFAULT false,
	probability double precision,
	source text NOT NULL,
	reason text NOT NULL,
	alternatives jsonb,
	noted_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
) WITH (fillfactor = 85);
ALTER SEQUENCE wfml.schedule_decision_id_seq OWNED BY wfml.schedule_decision.id;
CREATE INDEX schedule_decision_workflow_id ON wfml.schedule_decision (workflow_id, owner, id);
COMMENT ON TABLE wfml.schedule_decision IS 'what should_run() and claim_due() answered; no reference to the schedule, which may be gone';

REVOKE ALL ON wfml.schedule, wfml.schedule_plan, wfml.schedule_decision FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('wfml.schedule', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.schedule_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.schedule_plan', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.schedule_decision', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.schedule_decision_id_seq', '');

CREATE VIEW wfml.schedules WITH (security_barrier) AS
	SELECT s.id, s.owner, s.workflow_id, s.type, s.spec, s.enabled, s.created_at, s.last_fired_at, s.next_at, s.fired, s.seen_at,
		p.opens, p.closes, p.slots AS plan, p.source AS plan_source, p.planned_at
	FROM wfml.schedule s LEFT JOIN wfml.schedule_plan p ON p.schedule = s.id
	WHERE pg_catalog.pg_has_role(s.owner::oid, 'USAGE');
COMMENT ON VIEW wfml.schedules IS
	'schedules of your roles. next_at: it will not run before; opens, closes, plan: the last window of a predictive one that was planned, and what its hours are worth';
GRANT SELECT ON wfml.schedules TO PUBLIC;

CREATE VIEW wfml.decisions WITH (security_barrier) AS
	SELECT d.id, d.owner, d.workflow_id, d.type, d.first_at, d.last_at, d.times, d.run, d.claimed, d.probability, d.source, d.reason, d.alternatives
	FROM wfml.schedule_decision d
	WHERE pg_catalog.pg_has_role(d.owner::oid, 'USAGE');
COMMENT ON VIEW wfml.decisions IS
	'what should_run() and claim_due() decided for your roles, newest: ORDER BY id DESC. times: how often in a row, from first_at to last_at; claimed: claim_due() handed it out; probability: of success; alternatives: the best hours that were left. Kept for 90 days';
GRANT SELECT ON wfml.decisions TO PUBLIC;

CREATE FUNCTION wfml.put_schedule(workflow_id text, type text, spec jsonb, next_at timestamptz) RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wfml_put_schedule';
COMMENT ON FUNCTION wfml.put_schedule(text, text, jsonb, timestamptz) IS 'for wfml.schedule(): stores what it has checked';
CREATE FUNCTION wfml.remove_schedule(id bigint) RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wfml_remove_schedule';
COMMENT ON FUNCTION wfml.remove_schedule(bigint) IS 'for wfml.unschedule()';
CREATE FUNCTION wfml.enable_schedule(id bigint, enabled boolean) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wfml_enable_schedule';
COMMENT ON FUNCTION wfml.enable_schedule(bigint, boolean) IS 'pause (false) or resume a schedule of your roles, by its id in wfml.schedules; false when there is none';
CREATE FUNCTION wfml.stamp_schedule(id bigint, last_fired_at timestamptz, next_at timestamptz, at timestamptz,
	new_next_at timestamptz, seen_at timestamptz) RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wfml_stamp_schedule';
COMMENT ON FUNCTION wfml.stamp_schedule(bigint, timestamptz, timestamptz, timestamptz, timestamptz, timestamptz) IS
	'for wfml.claim_due(): marks a schedule of your roles as fired if it still is as it was found and nobody else is at it';
CREATE FUNCTION wfml.note_plan(schedule bigint, opens timestamptz, closes timestamptz, slots jsonb, source text) RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wfml_note_plan';
COMMENT ON FUNCTION wfml.note_plan(bigint, timestamptz, timestamptz, jsonb, text) IS 'for wfml.should_run(): keeps a window''s plan where it can be written';
CREATE FUNCTION wfml.note_decision(schedule bigint, workflow_id text, type text, at timestamptz, run boolean, claimed boolean,
	probability double precision, source text, reason text, alternatives jsonb) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wfml_note_decision';
COMMENT ON FUNCTION wfml.note_decision(bigint, text, text, timestamptz, boolean, boolean, double precision, text, text, jsonb) IS
	'for wfml.should_run() and wfml.claim_due(): logs a decision where it can be written: that on a schedule of your roles for its owner, all else for you';
CREATE FUNCTION wfml.prune_decisions(older_than interval DEFAULT '90 days') RETURNS bigint
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wfml_prune_decisions';
COMMENT ON FUNCTION wfml.prune_decisions(interval) IS
	'delete decisions of your roles that were last repeated longer ago; how many. Those of 90 days go by themselves as new ones are logged';

-- ---- making schedules ----

CREATE FUNCTION wfml.schedule_spec_error(message text, hint text) RETURNS void
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION '%', message USING ERRCODE = '22023', HINT = coalesce(hint, 'See the comment of wfml.schedule().');
END $$;
COMMENT ON FUNCTION wfml.schedule_spec_error(text, text) IS 'error of wfml.schedule()';

-- A duration of a spec; an error names the key.
CREATE FUNCTION wfml.schedule_duration(spec jsonb, key text, least_value interval, otherwise interval) RETURNS interval
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	result interval;
BEGIN
	IF NOT spec ? key THEN
		RETURN otherwise;
	END IF;
	IF jsonb_typeof(spec -> key) = 'string' THEN
		BEGIN
			result := (spec ->> key)::interval;
		EXCEPTION WHEN data_exception THEN
			result := NULL;
		END;
	END IF;
	IF result IS NULL OR result < least_value OR result > interval '10 years' THEN
		PERFORM wfml.schedule_spec_error(format('"%s" of a schedule is no duration from %s to 10 years: %s', key, least_value, spec -> key),
			'Durations are texts like "15 minutes", "6 hours" or "1 day".');
	END IF;
	RETURN result;
END $$;
COMMENT ON FUNCTION wfml.schedule_duration(jsonb, text, interval, interval) IS 'a checked duration of a schedule''s spec';

CREATE FUNCTION wfml.check_schedule(type text, spec jsonb) RETURNS jsonb
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	clock_form constant text := '^([01]?[0-9]|2[0-3]):[0-5][0-9]$';
	window_form constant text := '^([01]?[0-9]|2[0-3]):[0-5][0-9]-([01]?[0-9]|2[0-3]):[0-5][0-9]$';
	valid text[];
	needed text;
	key text;
	zone text;
	kept jsonb := spec;
BEGIN
	valid := CASE type WHEN 'interval' THEN '{every}' WHEN 'cron' THEN '{cron,timezone}' WHEN 'event' THEN '{event,user_id,cooldown}'
		WHEN 'sequence' THEN '{event,user_id,threshold,cooldown}'
		WHEN 'predictive' THEN '{window,deadline,cooldown,min_probability,timezone}' END::text[];
	IF valid IS NULL THEN
		PERFORM wfml.schedule_spec_error(format('unknown type of schedule "%s"', type),
			'There are interval, cron, event, sequence and predictive.');
	ELSIF jsonb_typeof(spec) <> 'object' THEN
		PERFORM wfml.schedule_spec_error('the spec of a schedule is a JSON object', format('Its keys for type %s are %s.', type, array_to_string(valid, ', ')));
	END IF;
	FOR key IN SELECT jsonb_object_keys(spec) LOOP
		IF key <> ALL (valid) THEN
			PERFORM wfml.schedule_spec_error(format('unknown key "%s" of a schedule of type %s', key, type),
				format('Its keys are %s.', array_to_string(valid, ', ')));
		ELSIF key IN ('threshold', 'min_probability') THEN
			IF jsonb_typeof(spec -> key) <> 'number' OR NOT (spec ->> key)::numeric BETWEEN 0 AND 1 THEN
				PERFORM wfml.schedule_spec_error(format('"%s" of a schedule must be a number between 0 and 1, not %s', key, spec -> key), NULL);
			END IF;
		ELSIF jsonb_typeof(spec -> key) <> 'string' OR spec ->> key = '' THEN
			PERFORM wfml.schedule_spec_error(format('"%s" of a schedule must be a text, not %s', key, spec -> key), NULL);
		END IF;
	END LOOP;
	FOREACH needed IN ARRAY CASE type WHEN 'interval' THEN '{every}' WHEN 'sequence' THEN '{event,user_id}'
		WHEN 'predictive' THEN '{window}' ELSE ARRAY[type] END::text[]
	LOOP
		IF NOT spec ? needed THEN
			PERFORM wfml.schedule_spec_error(format('a schedule of type %s needs the key "%s"', type, needed),
				CASE needed WHEN 'every' THEN 'For example: {"every": "15 minutes"}.' WHEN 'cron' THEN 'For example: {"cron": "30 6 * * mon-fri", "timezone": "Europe/Berlin"}.'
					WHEN 'window' THEN 'For example: {"window": "06:00-12:00"}, or {"window": "24 hours"} after each run.'
					ELSE format('Its keys are %s.', array_to_string(valid, ', ')) END);
		END IF;
	END LOOP;
	PERFORM wfml.schedule_duration(spec, 'every', interval '1 second', NULL);
	PERFORM wfml.schedule_duration(spec, 'cooldown', interval '0', NULL);
	IF type IN ('cron', 'predictive') THEN
		zone := coalesce(spec ->> 'timezone', CASE WHEN type = 'predictive' AND wfml.has_source('runs')
			THEN (SELECT b.timezone FROM wfml.bound_source('runs') b) END, current_setting('TimeZone'));
		-- an unknown zone is an error of cron_next()
		IF wfml.cron_next(coalesce(spec ->> 'cron', '@daily'), now(), zone) IS NULL THEN
			PERFORM wfml.schedule_spec_error(format('cron expression "%s" never matches', spec ->> 'cron'), NULL);
		END IF;
		kept := kept || jsonb_build_object('timezone', zone);
	END IF;
	IF type = 'predictive' THEN
		IF spec ->> 'window' ~ window_form THEN
			IF split_part(spec ->> 'window', '-', 1)::time = split_part(spec ->> 'window', '-', 2)::time THEN
				PERFORM wfml.schedule_spec_error(format('window "%s" is empty', spec ->> 'window'), 'A whole day is {"window": "24 hours"}, or "00:00-23:59".');
			END IF;
		ELSIF spec ->> 'window' ~ ':[0-9]+ *-' OR spec ->> 'window' !~ '^[0-9]' THEN
			PERFORM wfml.schedule_spec_error(format('"%s" is no window', spec ->> 'window'), 'A window is "06:00-12:00", each day, or a duration like "24 hours" after each run.');
		ELSIF wfml.schedule_duration(spec, 'window', interval '1 hour', NULL) > interval '31 days' THEN
			PERFORM wfml.schedule_spec_error('a window is 31 days long at most', NULL);
		ELSIF wfml.schedule_duration(spec, 'cooldown', interval '0', interval '0') >= (spec ->> 'window')::interval THEN
			PERFORM wfml.schedule_spec_error('"cooldown" must be shorter than "window"', NULL);
		END IF;
		IF spec ->> 'deadline' ~ clock_form THEN
			IF spec ->> 'window' !~ window_form THEN
				PERFORM wfml.schedule_spec_error('"deadline" is a time of day only when "window" is one', 'Give a duration after the window opens, for example "20 hours".');
			END IF;
		ELSE
			PERFORM wfml.schedule_duration(spec, 'deadline', interval '1 minute', NULL);
		END IF;
	END IF;
	RETURN kept;
END $$;
COMMENT ON FUNCTION wfml.check_schedule(text, jsonb) IS
	'checks a schedule''s spec; gives it back with its time zone, by default that of the binding of runs (predictive) or the session''s';

-- Of the interval's grid the first moment after that one.
CREATE FUNCTION wfml.next_of_grid(due timestamptz, every interval, after timestamptz) RETURNS timestamptz
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	length constant double precision := EXTRACT(epoch FROM every);
	steps bigint;
BEGIN
	IF length < 1 THEN
		RAISE EXCEPTION 'the interval of a schedule must be at least a second' USING ERRCODE = '22023';
	END IF;
	-- Months differ by 3 days from their mean and the clocks by hours: begin that much early.
	steps := floor(EXTRACT(epoch FROM after - due) / (length * CASE WHEN every >= interval '28 days' THEN 1.02 ELSE 1 END))
		- CASE WHEN EXTRACT(day FROM every) <> 0 OR EXTRACT(month FROM every) <> 0 THEN ceil(7200 / length) ELSE 0 END - 1;
	steps := greatest(steps, 0);
	WHILE due + steps * every <= after LOOP
		steps := steps + 1;
	END LOOP;
	RETURN due + steps * every;
END $$;
COMMENT ON FUNCTION wfml.next_of_grid(timestamptz, interval, timestamptz) IS 'first of due + k * every that is after a moment';

CREATE FUNCTION wfml.schedule(workflow_id text, type text, spec jsonb DEFAULT '{}') RETURNS bigint
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	checked jsonb;
BEGIN
	IF workflow_id IS NULL OR type IS NULL OR spec IS NULL THEN
		RAISE EXCEPTION 'arguments of schedule() must not be null' USING ERRCODE = '22004';
	END IF;
	checked := wfml.check_schedule(type, spec);
	RETURN wfml.put_schedule(workflow_id, type, checked,
		CASE type WHEN 'cron' THEN wfml.cron_next(checked ->> 'cron', now(), checked ->> 'timezone') ELSE now() END);
END $$;
COMMENT ON FUNCTION wfml.schedule(text, text, jsonb) IS
	'say when a workflow is to run; replaces your schedule of it before, but keeps when it last ran. type and spec: interval {every}, cron {cron, timezone}, event {event, user_id, cooldown}, sequence {event, user_id, threshold 0.5, cooldown 1 hour}, predictive {window "06:00-12:00" or "24 hours" after each run, deadline, cooldown, min_probability, timezone}. Returns its id in wfml.schedules. Nothing runs by itself: a dispatcher calls wfml.claim_due()';

CREATE FUNCTION wfml.unschedule(workflow_id text) RETURNS boolean
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN coalesce((SELECT wfml.remove_schedule(s.id) FROM wfml.schedules s WHERE s.workflow_id = unschedule.workflow_id
		ORDER BY s.owner = quote_ident(current_user)::regrole DESC, s.id LIMIT 1), false);
END $$;
COMMENT ON FUNCTION wfml.unschedule(text) IS
	'forget the schedule of a workflow, yours or else one of a role whose rights you have; false when there was none. What it decided stays in wfml.decisions';

-- ---- deciding ----

-- The window that a moment belongs to: the one open, else the last one that was.
CREATE FUNCTION wfml.schedule_window(spec jsonb, base timestamptz, fired boolean, at timestamptz,
	OUT opens timestamptz, OUT closes timestamptz, OUT deadline timestamptz, OUT daily boolean)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	window_text constant text := spec ->> 'window';
	zone constant text := spec ->> 'timezone';
	local timestamp;
	open_time time;
	close_time time;
	length interval;
	steps double precision;
BEGIN
	daily := window_text ~ '^[0-9]+:[0-9]+-';
	IF daily THEN
		open_time := split_part(window_text, '-', 1)::time;
		close_time := split_part(window_text, '-', 2)::time;
		local := (at AT TIME ZONE zone)::date + open_time;
		IF local AT TIME ZONE zone > at THEN
			local := local - interval '1 day';
		END IF;
		opens := local AT TIME ZONE zone;
		closes := (local::date + close_time + CASE WHEN close_time <= open_time THEN interval '1 day' ELSE interval '0' END) AT TIME ZONE zone;
	ELSE
		length := window_text::interval;
		steps := greatest(floor(EXTRACT(epoch FROM at - base) / EXTRACT(epoch FROM length)), 0);
		opens := base + steps * length;
		closes := opens + length;
		IF fired AND steps = 0 THEN
			opens := base + coalesce((spec ->> 'cooldown')::interval, length / 2);
		END IF;
	END IF;
	IF spec ->> 'deadline' ~ '^[0-9]+:[0-9]+$' THEN
		deadline := (local::date + (spec ->> 'deadline')::time
			+ CASE WHEN (spec ->> 'deadline')::time <= open_time THEN interval '1 day' ELSE interval '0' END) AT TIME ZONE zone;
	ELSE
		deadline := opens + (spec ->> 'deadline')::interval;
	END IF;
END $$;
COMMENT ON FUNCTION wfml.schedule_window(jsonb, timestamptz, boolean, timestamptz) IS
	'window of a predictive schedule at a moment; base: its last firing, before the first one when it was made';

-- What the hours of a window are worth.
CREATE FUNCTION wfml.schedule_plan_slots(workflow_id text, opens timestamptz, closes timestamptz, at timestamptz,
	OUT slots jsonb, OUT source text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	SELECT jsonb_agg(jsonb_build_object('at', EXTRACT(epoch FROM b.at), 'probability', round(b.probability::numeric, 4),
			'lower', round(b.lower::numeric, 4), 'support', b.support) ORDER BY b.at), min(b.source)
	INTO slots, source
	FROM wfml.best_times(workflow_id, opens, closes, interval '1 hour', 10000) b;
	slots := coalesce(slots, '[]');
	source := coalesce(source, 'rule');
END $$;
COMMENT ON FUNCTION wfml.schedule_plan_slots(text, timestamptz, timestamptz, timestamptz) IS
	'for predictive schedules: wfml.best_times() of a window''s hours in order of time';

-- Does the hour in which "at" lies win against those that are left?
CREATE FUNCTION wfml.weigh_slots(slots jsonb, at timestamptz, min_probability double precision,
	OUT run boolean, OUT probability double precision, OUT reason text, OUT alternatives jsonb)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	now_s constant double precision := EXTRACT(epoch FROM at);
	slot jsonb;
	here jsonb;
	best jsonb;
	best_rank double precision;
	here_rank double precision;
	rank double precision;
BEGIN
	-- A supported hour ranks by its lower bound, above every other, which rank by probability.
	FOR slot IN SELECT jsonb_array_elements(slots) LOOP
		rank := coalesce(1 + (slot ->> 'lower')::double precision, (slot ->> 'probability')::double precision);
		IF (slot ->> 'at')::double precision <= now_s THEN
			here := slot;
			here_rank := rank;
		ELSIF coalesce((slot ->> 'probability')::double precision >= min_probability, true) AND (best IS NULL OR rank > best_rank) THEN
			best := slot;
			best_rank := rank;
		END IF;
	END LOOP;
	probability := (here ->> 'probability')::double precision;
	IF best IS NOT NULL THEN
		alternatives := jsonb_build_array(jsonb_set(best, '{at}', to_jsonb(to_timestamp((best ->> 'at')::double precision))));
	END IF;
	IF probability < min_probability THEN
		run := false;
		reason := format('success is less probable than min_probability %s', min_probability);
	ELSIF best IS NULL THEN
		run := true;
		reason := 'no later hour of the window is left';
	ELSIF here IS NULL OR here_rank < best_rank THEN
		run := false;
		reason := CASE WHEN here ->> 'lower' IS NULL THEN 'no support at this hour, a later one of the window is better'
			ELSE 'a later hour of the window has a better lower bound' END;
	ELSE
		run := true;
		reason := CASE WHEN here ->> 'lower' IS NULL THEN 'no hour that is left has support, and none is more probable to succeed'
			ELSE 'no later hour of the window has a better lower bound' END;
	END IF;
END $$;
COMMENT ON FUNCTION wfml.weigh_slots(jsonb, timestamptz, double precision) IS 'for predictive schedules: a moment against the later hours of a plan';

CREATE FUNCTION wfml.decide_event(type text, spec jsonb, since timestamptz, at timestamptz,
	OUT run boolean, OUT probability double precision, OUT reason text, OUT source text, OUT alternatives jsonb, OUT seen_at timestamptz)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	threshold constant double precision := coalesce((spec ->> 'threshold')::double precision, 0.5);
BEGIN
	source := 'rule';
	IF type = 'event' THEN
		SELECT max(e.at) INTO seen_at
		FROM wfml.bound_rows('events', user_id => spec ->> 'user_id', since => decide_event.since,
			until => decide_event.at + interval '1 microsecond') AS e (event text, at timestamptz)
		WHERE e.event = spec ->> 'event' AND e.at > decide_event.since;
		run := seen_at IS NOT NULL;
		reason := CASE WHEN run THEN 'the event has come' ELSE 'the event has not come since' END;
	ELSE
		SELECT max(e.probability) FILTER (WHERE e.event = spec ->> 'event'), coalesce(min(e.source), 'rule'),
			jsonb_agg(jsonb_build_object('event', e.event, 'probability', round(e.probability::numeric, 4)) ORDER BY e.rank) FILTER (WHERE e.rank <= 3)
		INTO probability, decide_event.source, alternatives
		FROM wfml.next_workflow_events(spec ->> 'user_id', 100, at) e;
		probability := coalesce(probability, 0);
		run := probability >= threshold;
		reason := format('the next event is %s with a probability %s', quote_ident(spec ->> 'event'),
			CASE WHEN run THEN 'of ' ELSE 'under ' END || threshold || CASE WHEN run THEN ' or more' ELSE '' END);
	END IF;
END $$;
COMMENT ON FUNCTION wfml.decide_event(text, jsonb, timestamptz, timestamptz) IS 'for should_run(): schedules of type event and sequence';

CREATE FUNCTION wfml.decide_predictive(s wfml.schedules, at timestamptz,
	OUT run boolean, OUT probability double precision, OUT reason text, OUT source text, OUT alternatives jsonb, OUT next_at timestamptz)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	w record;
	plan jsonb := s.plan;
BEGIN
	source := coalesce(s.plan_source, 'rule');
	run := false;
	w := wfml.schedule_window(s.spec, coalesce(s.last_fired_at, s.created_at), s.last_fired_at IS NOT NULL, at);
	IF s.last_fired_at >= w.opens OR (NOT w.daily AND at < w.opens) THEN
		reason := CASE WHEN w.daily THEN 'it ran in this window' ELSE 'it ran a short while ago' END;
		RETURN;
	ELSIF at < s.last_fired_at + (s.spec ->> 'cooldown')::interval THEN
		reason := 'cooldown';
		RETURN;
	ELSIF at >= w.deadline AND w.deadline >= s.created_at THEN
		run := true;
		reason := 'the deadline has passed';
		IF at >= w.closes THEN
			RETURN;
		END IF;
	ELSIF at >= w.closes THEN
		reason := 'the window is closed';
		RETURN;
	END IF;
	IF plan IS NULL OR s.opens IS DISTINCT FROM w.opens OR s.closes IS DISTINCT FROM w.closes THEN
		BEGIN
			SELECT p.slots, p.source INTO plan, source FROM wfml.schedule_plan_slots(s.workflow_id, w.opens, w.closes, at) p;
			-- A moment to come is asked about, not planned for.
			IF at <= clock_timestamp() THEN
				PERFORM wfml.note_plan(s.id, w.opens, w.closes, plan, source);
			END IF;
		EXCEPTION WHEN transaction_rollback THEN
			RAISE;
		WHEN others THEN
			-- The deadline holds all the same.
			IF NOT run THEN
				RAISE;
			END IF;
			reason := format('the deadline has passed; hours cannot be judged: %s', SQLERRM);
			source := 'rule';
			RETURN;
		END;
	END IF;
	IF run THEN
		SELECT d.probability, d.alternatives INTO probability, alternatives
		FROM wfml.weigh_slots(plan, at, NULL) d;
	ELSE
		SELECT d.run, d.probability, d.reason, d.alternatives INTO run, probability, reason, alternatives
		FROM wfml.weigh_slots(plan, at, (s.spec ->> 'min_probability')::double precision) d;
	END IF;
END $$;
COMMENT ON FUNCTION wfml.decide_predictive(wfml.schedules, timestamptz) IS 'for should_run(): schedules of type predictive';

CREATE FUNCTION wfml.decide_as_owner(s wfml.schedules, at timestamptz,
	OUT run boolean, OUT probability double precision, OUT reason text, OUT source text, OUT alternatives jsonb,
	OUT next_at timestamptz, OUT seen_at timestamptz)
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wfml_decide_as_owner';
COMMENT ON FUNCTION wfml.decide_as_owner(wfml.schedules, timestamptz) IS
	'for wfml.decide(): the same by the sources and models of the schedule''s owner and with his rights only; you must have them';

CREATE FUNCTION wfml.decide(s wfml.schedules, at timestamptz,
	OUT run boolean, OUT probability double precision, OUT reason text, OUT source text, OUT alternatives jsonb,
	OUT next_at timestamptz, OUT seen_at timestamptz)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- By its owner's data and models, whoever asks; decide_as_owner() comes back here as that owner.
	IF s.owner <> quote_ident(current_user)::regrole THEN
		SELECT o.* INTO run, probability, reason, source, alternatives, next_at, seen_at FROM wfml.decide_as_owner(s, at) o;
		RETURN;
	END IF;
	run := false;
	source := 'rule';
	IF at < s.next_at THEN
		reason := CASE WHEN s.type IN ('interval', 'cron') THEN format('next at %s', s.next_at)
			WHEN s.last_fired_at IS NULL THEN 'the schedule was made later' ELSE 'cooldown' END;
		RETURN;
	ELSIF s.type IN ('interval', 'cron') THEN
		run := true;
		reason := format('due since %s', s.next_at);
		next_at := CASE s.type WHEN 'interval' THEN wfml.next_of_grid(s.next_at, (s.spec ->> 'every')::interval, at)
			ELSE wfml.cron_next(s.spec ->> 'cron', at, s.spec ->> 'timezone') END;
	ELSIF s.type = 'predictive' THEN
		SELECT d.run, d.probability, d.reason, d.source, d.alternatives INTO run, probability, reason, source, alternatives
		FROM wfml.decide_predictive(s, at) d;
		next_at := at + coalesce((s.spec ->> 'cooldown')::interval, CASE WHEN s.spec ->> 'window' !~ ':[0-9]+-' THEN (s.spec ->> 'window')::interval / 2 END, interval '0');
	ELSE
		SELECT d.run, d.probability, d.reason, d.source, d.alternatives, d.seen_at INTO run, probability, reason, source, alternatives, seen_at
		FROM wfml.decide_event(s.type, s.spec, coalesce(s.seen_at, s.last_fired_at, s.created_at), at) d;
		next_at := at + coalesce((s.spec ->> 'cooldown')::interval, CASE s.type WHEN 'sequence' THEN interval '1 hour' ELSE interval '0' END);
	END IF;
	-- How likely a run that is asked for for other reasons is to succeed: it runs whether or not that can be told.
	IF run AND probability IS NULL AND wfml.has_source('runs') THEN
		BEGIN
			SELECT p.probability, p.source INTO probability, source FROM wfml.success_probability(s.workflow_id, at) p;
			source := coalesce(source, 'rule');
		EXCEPTION WHEN transaction_rollback THEN
			RAISE;
		WHEN others THEN
			source := 'rule';
			alternatives := coalesce(alternatives, '[]') || jsonb_build_array(jsonb_build_object('error', SQLERRM));
		END;
	END IF;
END $$;
COMMENT ON FUNCTION wfml.decide(wfml.schedules, timestamptz) IS 'for should_run() and claim_due(): a schedule at a moment, and what claiming it would store';

CREATE FUNCTION wfml.should_run(workflow_id text, at timestamptz DEFAULT now(),
	OUT run boolean, OUT probability double precision, OUT reason text, OUT source text)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	s wfml.schedules;
	d record;
BEGIN
	IF workflow_id IS NULL OR at IS NULL THEN
		RAISE EXCEPTION 'arguments of should_run() must not be null' USING ERRCODE = '22004';
	END IF;
	SELECT v.* INTO s FROM wfml.schedules v WHERE v.workflow_id = should_run.workflow_id
	ORDER BY v.owner = quote_ident(current_user)::regrole DESC, v.id LIMIT 1;
	IF s.id IS NULL THEN
		SELECT p.probability, p.source INTO probability, source FROM wfml.success_probability(workflow_id, at) p;
		run := coalesce(probability >= 0.5, true);
		source := coalesce(source, 'rule');
		reason := CASE WHEN probability IS NULL THEN 'no schedule, and nothing is known of its success'
			WHEN run THEN 'no schedule; more likely to succeed than not' ELSE 'no schedule; more likely to fail than not' END;
		PERFORM wfml.note_decision(NULL, workflow_id, NULL, at, run, false, probability, source, reason, NULL);
		RETURN;
	ELSIF NOT s.enabled THEN
		run := false;
		source := 'rule';
		reason := 'the schedule is paused';
		PERFORM wfml.note_decision(s.id, workflow_id, s.type, at, run, false, NULL, source, reason, NULL);
		RETURN;
	END IF;
	SELECT * INTO d FROM wfml.decide(s, at);
	run := d.run;
	probability := d.probability;
	reason := d.reason;
	source := d.source;
	PERFORM wfml.note_decision(s.id, workflow_id, s.type, at, run, false, probability, source, reason, d.alternatives);
END $$;
COMMENT ON FUNCTION wfml.should_run(text, timestamptz) IS
	'whether a workflow should run at a moment, by its schedule; without one it is advice: run when success is at least as probable as failure, or nothing is known. probability: of success (type sequence: that the event comes next); source: what the probability is from, ''ml'' the models trigger_predictor and sequence_predictor, ''rule'' without them. The answer is logged in wfml.decisions, except in read-only transactions and on standbys. It claims nothing: see wfml.claim_due()';

CREATE FUNCTION wfml.due_workflows(at timestamptz DEFAULT now())
	RETURNS TABLE (workflow_id text, type text, run_since timestamptz, probability double precision, reason text, source text, schedule bigint)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	s wfml.schedules;
	d record;
BEGIN
	FOR s IN SELECT v.* FROM wfml.schedules v WHERE v.enabled AND v.next_at <= due_workflows.at ORDER BY v.next_at, v.id LOOP
		BEGIN
			SELECT * INTO d FROM wfml.decide(s, at);
		EXCEPTION WHEN transaction_rollback THEN
			RAISE;
		WHEN others THEN
			RAISE WARNING 'schedule % of workflow "%" cannot be judged: %', s.id, s.workflow_id, SQLERRM;
			CONTINUE;
		END;
		IF d.run THEN
			RETURN QUERY SELECT s.workflow_id, s.type, coalesce(d.seen_at, CASE WHEN s.type IN ('interval', 'cron') THEN s.next_at ELSE at END),
				d.probability, d.reason, d.source, s.id;
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION wfml.due_workflows(timestamptz) IS
	'the schedules of your roles that should run at a moment; run_since: when they became due. It claims nothing and logs nothing. A schedule that cannot be judged, as for want of a binding, is a WARNING';

CREATE FUNCTION wfml.claim_due(at timestamptz DEFAULT now(), max_count integer DEFAULT NULL)
	RETURNS TABLE (workflow_id text, type text, run_since timestamptz, probability double precision, reason text, source text, schedule bigint)
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	s wfml.schedules;
	d record;
	claimed integer := 0;
BEGIN
	IF max_count < 0 THEN
		RAISE EXCEPTION 'max_count must be 0 or more' USING ERRCODE = '22023';
	ELSIF max_count = 0 THEN
		RETURN;
	END IF;
	FOR s IN SELECT v.* FROM wfml.schedules v WHERE v.enabled AND v.next_at <= claim_due.at ORDER BY v.next_at, v.id LOOP
		BEGIN
			SELECT * INTO d FROM wfml.decide(s, at);
		EXCEPTION WHEN transaction_rollback THEN
			RAISE;
		WHEN others THEN
			RAISE WARNING 'schedule % of workflow "%" cannot be judged: %', s.id, s.workflow_id, SQLERRM;
			CONTINUE;
		END;
		CONTINUE WHEN NOT d.run OR NOT wfml.stamp_schedule(s.id, s.last_fired_at, s.next_at, at, d.next_at, d.seen_at);
		PERFORM wfml.note_decision(s.id, s.workflow_id, s.type, at, true, true, d.probability, d.source, d.reason, d.alternatives);
		RETURN QUERY SELECT s.workflow_id, s.type, coalesce(d.seen_at, CASE WHEN s.type IN ('interval', 'cron') THEN s.next_at ELSE at END),
			d.probability, d.reason, d.source, s.id;
		claimed := claimed + 1;
		EXIT WHEN claimed >= max_count;
	END LOOP;
END $$;
COMMENT ON FUNCTION wfml.claim_due(timestamptz, integer) IS
	'as wfml.due_workflows(), for at most max_count, longest due first, and marks them as fired: another dispatcher does not get them again, and does not wait either. The claim is part of the transaction: a rollback or crash gives it back. Start the runs in that transaction if they can be rolled back too (or are queued by it), else commit first: a dispatcher that dies in between loses a run rather than starting it twice. However many times of an interval or cron were missed, it fires once';
