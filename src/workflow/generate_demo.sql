-- A made-up platform whose truth is known: docs/demo_data.md says how it is
-- made.  Every number is drawn by its key, so that nothing depends on the
-- order of rows, the machine or the version.

CREATE FUNCTION wfml.uniform(seed bigint, VARIADIC key text[]) RETURNS double precision
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_uniform';
COMMENT ON FUNCTION wfml.uniform(bigint, text[]) IS
	'random number in [0, 1) that belongs to seed and key: the same on every machine and in every version';

-- Sum of four uniforms, scaled: within 3.5 standard deviations, and without a
-- function of the C library, whose last digits differ between machines.
CREATE FUNCTION wfml.demo_normal(seed bigint, what text, key text) RETURNS double precision
	LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
	RETURN (wfml.uniform(seed, what, key, 'a') + wfml.uniform(seed, what, key, 'b')
		+ wfml.uniform(seed, what, key, 'c') + wfml.uniform(seed, what, key, 'd') - 2) * 1.7320508075688772;
COMMENT ON FUNCTION wfml.demo_normal(bigint, text, text) IS
	'about normally distributed random number with mean 0 and standard deviation 1 that belongs to seed and key; for wfml.generate_demo()';

-- Seven roles: when they work, and the four things that they do again and again.
CREATE FUNCTION wfml.demo_roles() RETURNS TABLE (role_no integer, role text, morning double precision, afternoon double precision, habits text[])
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	VALUES
	(1, 'sales', 9.0::double precision, 15.0::double precision, ARRAY[
		'lead_open lead_research crm_update intro_mail',
		'call_log crm_update followup_plan calendar_invite',
		'quote_draft price_check discount_ask quote_send',
		'deal_won contract_make contract_sign handover_note crm_update']),
	(2, 'support', 8.0, 13.0, ARRAY[
		'ticket_open history_read kb_search ticket_answer',
		'ticket_escalate log_attach dev_ping ticket_hold',
		'refund_ask order_check refund_grant ticket_close',
		'survey_pull score_read kb_edit team_report']),
	(3, 'finance', 8.5, 16.0, ARRAY[
		'invoice_receive invoice_scan cost_code invoice_approve payment_plan',
		'bank_export bank_match gap_list ledger_post',
		'expense_open receipt_check expense_approve ledger_post',
		'budget_open forecast_edit variance_note budget_send']),
	(4, 'marketing', 10.0, 14.5, ARRAY[
		'campaign_draft image_pick copy_review campaign_launch',
		'list_import list_clean segment_make newsletter_send',
		'ads_pull spend_check bid_change ads_report',
		'post_write post_review post_plan post_share']),
	(5, 'operations', 6.5, 14.0, ARRAY[
		'order_fetch stock_check pick_list label_print parcel_send',
		'stock_count stock_adjust reorder_make supplier_mail',
		'delay_alert carrier_call customer_notify eta_edit',
		'return_receive return_inspect stock_adjust credit_make']),
	(6, 'hr', 9.5, 13.5, ARRAY[
		'cv_receive cv_rate interview_plan candidate_mail',
		'offer_write offer_approve offer_mail account_ask',
		'leave_ask calendar_check leave_approve payroll_note',
		'hours_export hours_fix payroll_note payslip_send']),
	(7, 'engineering', 11.0, 17.0, ARRAY[
		'branch_make code_push review_ask merge_do deploy_start',
		'alert_read trace_open issue_make oncall_note',
		'issue_pick spec_read estimate_set board_move',
		'build_fail build_log code_fix build_again']);
END;
COMMENT ON FUNCTION wfml.demo_roles() IS
	'the roles of wfml.generate_demo(): the hours around which they work, and their habitual sequences of events';

CREATE FUNCTION wfml.demo_tables() RETURNS void
	LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
	CREATE TABLE person (user_id text PRIMARY KEY, role text NOT NULL, shift_h double precision NOT NULL);
	CREATE TABLE workflow (workflow_id text PRIMARY KEY, name text NOT NULL, events text[] NOT NULL, category text NOT NULL,
		upstream text REFERENCES workflow);
	CREATE TABLE run (run_id bigint PRIMARY KEY, workflow_id text NOT NULL REFERENCES workflow, user_id text NOT NULL REFERENCES person,
		started_at timestamptz NOT NULL, finished_at timestamptz NOT NULL, succeeded boolean NOT NULL,
		duration_s double precision NOT NULL, items integer NOT NULL, retries integer NOT NULL, cpu_s double precision NOT NULL, upstream text);
	CREATE TABLE event (event_id bigint PRIMARY KEY, user_id text NOT NULL REFERENCES person, event text NOT NULL, at timestamptz NOT NULL);
	CREATE TABLE usage (user_id text REFERENCES person, workflow_id text REFERENCES workflow, weight double precision NOT NULL,
		PRIMARY KEY (user_id, workflow_id));
	CREATE TABLE pattern (pattern_id bigint PRIMARY KEY, found_at timestamptz NOT NULL, events text[] NOT NULL, n_events integer NOT NULL,
		support double precision NOT NULL, users bigint NOT NULL, lift double precision NOT NULL, typical_hour double precision NOT NULL,
		weekday_share double precision NOT NULL, gap interval NOT NULL, category text NOT NULL);
	CREATE TABLE suggestion (suggestion_id bigint PRIMARY KEY, made_at timestamptz NOT NULL, events text[] NOT NULL, n_events integer NOT NULL,
		support double precision NOT NULL, users bigint NOT NULL, lift double precision NOT NULL, typical_hour double precision NOT NULL,
		weekday_share double precision NOT NULL, gap interval NOT NULL, score double precision NOT NULL, accepted boolean NOT NULL);

	CREATE TABLE truth_workflow (workflow_id text PRIMARY KEY REFERENCES workflow, intercept double precision NOT NULL, best_hour integer NOT NULL,
		runs_a_day double precision NOT NULL, duration_s double precision NOT NULL, items double precision NOT NULL,
		retries double precision NOT NULL, cpu_share double precision NOT NULL, load_factor double precision NOT NULL);
	CREATE TABLE truth_run (run_id bigint PRIMARY KEY, explored boolean NOT NULL, load integer NOT NULL,
		upstream_failed boolean NOT NULL, probability double precision NOT NULL);
	CREATE TABLE truth_pattern (pattern_id integer PRIMARY KEY, category text NOT NULL, events text[] NOT NULL, workflow_id text REFERENCES workflow);
	CREATE TABLE truth_anomaly (run_id bigint PRIMARY KEY, what text NOT NULL);
	CREATE TABLE truth_hour (workflow_id text REFERENCES workflow, hour integer, weekend boolean, probability double precision NOT NULL,
		PRIMARY KEY (workflow_id, hour, weekend));
	CREATE TABLE truth_next (event_id bigint PRIMARY KEY, session_id text NOT NULL, next text, likely text, likely_event text);
	CREATE TABLE truth_category (pattern_id bigint PRIMARY KEY, category text NOT NULL, likely text NOT NULL);
	CREATE TABLE truth_score (suggestion_id bigint PRIMARY KEY, score double precision NOT NULL);
END $$;
COMMENT ON FUNCTION wfml.demo_tables() IS 'makes the tables of wfml.generate_demo() in the first schema of search_path';

-- People, what they do again and again, and workflows.
CREATE FUNCTION wfml.demo_people(users integer, seed bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
	INSERT INTO person
	SELECT 'u' || lpad(u::text, 4, '0'), r.role, round((wfml.uniform(seed, 'shift', u::text) * 1.5 - 0.75)::numeric, 2)::double precision
	FROM generate_series(1, users) u JOIN wfml.demo_roles() r ON r.role_no = (u - 1) % 7 + 1;

	-- Two of a role's four habits are automated already.
	CREATE TEMP TABLE demo_habit ON COMMIT DROP AS
	SELECT (r.role_no - 1) * 4 + h.n::integer AS habit, r.role_no, r.role, h.n::integer AS n, string_to_array(h.events, ' ') AS events,
		row_number() OVER (PARTITION BY r.role_no ORDER BY wfml.uniform(seed, 'automated', r.role, h.n::text)) <= 2 AS automated
	FROM wfml.demo_roles() r CROSS JOIN LATERAL unnest(r.habits) WITH ORDINALITY h(events, n);

	-- The first fourteen do those habits, the others work on data of their role.
	CREATE TEMP TABLE demo_workflow ON COMMIT DROP AS
	SELECT w, 'w' || lpad(w::text, 3, '0') AS workflow_id, r.role, r.role_no, r.morning, r.afternoon, a.events AS done, a.habit,
		-- levels of 6 : 3 : 1, so that outcomes can be drawn level by level
		CASE WHEN w % 10 IN (1, 2, 3, 5, 6, 8) THEN 0 WHEN w % 10 = 0 THEN 2 ELSE 1 END AS level
	FROM generate_series(1, greatest(24, users / 5)) w
	JOIN wfml.demo_roles() r ON r.role_no = (w - 1) % 7 + 1
	LEFT JOIN (SELECT *, row_number() OVER (PARTITION BY role_no ORDER BY habit) AS nth FROM demo_habit WHERE automated) a
		ON a.role_no = r.role_no AND a.nth = (w - 1) / 7 + 1;
	INSERT INTO workflow
	SELECT w.workflow_id, initcap(w.role) || ' ' || CASE WHEN w.done IS NULL THEN 'sync ' || w.w ELSE replace(w.done[1], '_', ' ') || ' automation' END,
		CASE WHEN w.done IS NULL
			THEN ARRAY['schedule_tick', w.role || '_fetch', (ARRAY['rows_filter', 'rows_join', 'rows_check'])[1 + floor(3 * wfml.uniform(seed, 'step', w.w::text))::integer],
				w.role || '_write', 'notify_send']
			ELSE w.done || 'notify_send'::text END,
		w.role, NULL
	FROM demo_workflow w;
	UPDATE workflow SET upstream = u.workflow_id
	FROM demo_workflow w CROSS JOIN LATERAL (
		SELECT x.workflow_id FROM demo_workflow x WHERE x.level = w.level - 1
		ORDER BY wfml.uniform(seed, 'upstream', w.w::text, x.w::text) LIMIT 1) u
	WHERE workflow.workflow_id = w.workflow_id AND w.level > 0;
	INSERT INTO truth_pattern
	SELECT h.habit, h.role, h.events, w.workflow_id FROM demo_habit h LEFT JOIN demo_workflow w ON w.habit = h.habit;

	-- How each workflow is: the block of four hours in which it succeeds best
	-- does not hold the hour at which its people mostly start it.
	INSERT INTO truth_workflow
	SELECT w.workflow_id, round(ln(b.base / (1 - b.base))::numeric, 4)::double precision,
		CASE WHEN w.morning >= b.first AND w.morning < b.first + 4 THEN 5 + (b.first - 5 + 5) % 15 ELSE b.first END,
		11 + 7 * wfml.uniform(seed, 'rate', w.w::text),
		round((30 * exp(3.2 * wfml.uniform(seed, 'duration', w.w::text)))::numeric, 1)::double precision,
		round((20 * exp(4.6 * wfml.uniform(seed, 'items', w.w::text)))::numeric)::double precision,
		round((2.5 * wfml.uniform(seed, 'retries', w.w::text) ^ 2)::numeric, 2)::double precision,
		round((0.1 + 0.7 * wfml.uniform(seed, 'cpu', w.w::text))::numeric, 2)::double precision,
		0.08 * 40 / greatest(24, users / 5)
	FROM demo_workflow w CROSS JOIN LATERAL (
		SELECT 0.62 + 0.10 * wfml.uniform(seed, 'base', w.w::text) AS base, 5 + floor(15 * wfml.uniform(seed, 'best', w.w::text))::integer AS first) b;
END $$;
COMMENT ON FUNCTION wfml.demo_people(integer, bigint) IS 'people, habits and workflows of wfml.generate_demo()';

-- When runs happen, how long they take, and what is odd about a few.
CREATE FUNCTION wfml.demo_runs(days integer, seed bigint, starts timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
	CREATE TEMP TABLE demo_member ON COMMIT DROP AS
	SELECT w.w, m, CASE WHEN wfml.uniform(seed, 'insider', w.w::text, m::text) < 0.85
			THEN i.ids[1 + floor(array_length(i.ids, 1) * wfml.uniform(seed, 'member', w.w::text, m::text))::integer]
			ELSE a.ids[1 + floor(array_length(a.ids, 1) * wfml.uniform(seed, 'member', w.w::text, m::text))::integer] END AS user_id
	FROM demo_workflow w CROSS JOIN generate_series(0, 23) m
	CROSS JOIN (SELECT array_agg(user_id ORDER BY user_id) AS ids FROM person) a
	LEFT JOIN (SELECT role, array_agg(user_id ORDER BY user_id) AS ids FROM person GROUP BY role) r ON r.role = w.role
	CROSS JOIN LATERAL (SELECT coalesce(r.ids, a.ids) AS ids) i;

	CREATE TEMP TABLE demo_run ON COMMIT DROP AS
	SELECT r.*, greatest(1, round((t.items * exp(0.3 * r.z))::numeric))::integer AS items,
		round((t.duration_s * exp(0.25 * wfml.demo_normal(seed, 'duration', key)))::numeric, 1)::double precision AS duration_s,
		floor(t.retries + wfml.uniform(seed, 'retries', key) + 0.3 * wfml.uniform(seed, 'more retries', key))::integer AS retries,
		t.cpu_share * exp(0.2 * wfml.demo_normal(seed, 'cpu', key)) AS cpu,
		-- where it starts in its workflow's best block
		(EXTRACT(hour FROM r.started_at)::integer - t.best_hour) BETWEEN 0 AND 3 AS best,
		CASE WHEN wfml.uniform(seed, 'odd', key) < 0.015 THEN 1 + floor(5 * wfml.uniform(seed, 'how odd', key))::integer ELSE 0 END AS odd
	FROM (SELECT k.*, 0.5 * k.explored::integer + wfml.demo_normal(seed, 'items', key) AS z,
			starts + make_interval(days => day)
				+ 3600000 * CASE WHEN k.explored THEN 5 + 18 * wfml.uniform(seed, 'hour', key)
					ELSE CASE WHEN wfml.uniform(seed, 'half', key) < 0.6 THEN k.morning ELSE k.afternoon END
						+ 1.3 * wfml.demo_normal(seed, 'hour', key) END * interval '1 millisecond' AS started_at
		FROM (SELECT w.w, w.workflow_id, w.level, w.morning, w.afternoon, d AS day, w.w || ' ' || d || ' ' || n AS key,
				wfml.uniform(seed, 'explore', w.w || ' ' || d || ' ' || n) < 0.2 AS explored
			FROM demo_workflow w JOIN truth_workflow t USING (workflow_id)
			CROSS JOIN generate_series(0, days - 1) d
			CROSS JOIN LATERAL generate_series(1, floor(t.runs_a_day
				* CASE WHEN EXTRACT(isodow FROM starts + make_interval(days => d)) > 5 THEN 0.45 ELSE 1 END
				* (0.6 + 0.8 * wfml.uniform(seed, 'busy', w.w::text, d::text)) + wfml.uniform(seed, 'runs', w.w::text, d::text))::integer) n) k) r
	JOIN truth_workflow t USING (workflow_id);
	-- Odd for their workflow, but not in the crowd of all.
	UPDATE demo_run SET duration_s = round((duration_s * CASE odd WHEN 1 THEN 5 WHEN 2 THEN 0.2 ELSE 1 END)::numeric, 1)::double precision,
		items = CASE odd WHEN 3 THEN items * 6 ELSE items END,
		retries = CASE odd WHEN 4 THEN retries + 4 + floor(2 * wfml.uniform(seed, 'odd retries', key))::integer ELSE retries END,
		cpu = CASE odd WHEN 5 THEN cpu * CASE WHEN cpu < 0.4 THEN 4 ELSE 0.2 END ELSE cpu END
	WHERE odd > 0;
	ALTER TABLE demo_run ADD run_id bigint, ADD load integer, ADD finished_at timestamptz;
	UPDATE demo_run r SET run_id = o.n, finished_at = r.started_at + r.duration_s * interval '1 second'
	FROM (SELECT key, row_number() OVER (ORDER BY started_at, w, key) AS n FROM demo_run) o WHERE o.key = r.key;
	-- Runs that are under way when it starts: those started minus those finished before.
	UPDATE demo_run r SET load = o.load
	FROM (SELECT run_id, sum(CASE WHEN run_id IS NULL THEN -1 ELSE 1 END) OVER (ORDER BY at, run_id NULLS FIRST) - 1 AS load
		FROM (SELECT run_id, started_at AS at FROM demo_run UNION ALL SELECT NULL, finished_at FROM demo_run) e) o
	WHERE o.run_id = r.run_id;
	CREATE INDEX ON demo_run (run_id);
	ANALYZE demo_run;
END $$;
COMMENT ON FUNCTION wfml.demo_runs(integer, bigint, timestamptz) IS 'runs of wfml.generate_demo(), but for their outcomes';

CREATE FUNCTION wfml.demo_outcomes(seed bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
	-- By level, as an outcome depends on that of the upstream workflow's last run.
	FOR step IN 0..2 LOOP
		WITH chance AS MATERIALIZED (
			SELECT r.*, wf.upstream, coalesce(NOT u.succeeded, false) AS upstream_failed,
				t.intercept + ln(3.0::double precision) * r.best::integer - t.load_factor * r.load - 0.25 * r.z
					- 0.8 * coalesce(NOT u.succeeded, false)::integer AS logit
			FROM demo_run r JOIN workflow wf USING (workflow_id) JOIN truth_workflow t USING (workflow_id)
			LEFT JOIN LATERAL (
				SELECT x.succeeded FROM run x WHERE x.workflow_id = wf.upstream AND x.finished_at <= r.started_at
				ORDER BY x.finished_at DESC, x.run_id DESC LIMIT 1) u ON true
			WHERE r.level = step),
		truth AS (
			INSERT INTO truth_run SELECT run_id, explored, load, upstream_failed, round((1 / (1 + exp(-logit)))::numeric, 4)::double precision FROM chance)
		INSERT INTO run
		SELECT c.run_id, c.workflow_id, m.user_id, c.started_at, c.finished_at, wfml.uniform(seed, 'outcome', c.key) < 1 / (1 + exp(-c.logit)),
			c.duration_s, c.items, c.retries, round((c.duration_s * c.cpu)::numeric, 1)::double precision, c.upstream
		FROM chance c
		JOIN demo_member m ON m.w = c.w AND m.m = floor(24 * wfml.uniform(seed, 'who', c.key) ^ 1.5)::integer;
		IF step = 0 THEN
			CREATE INDEX run_workflow_finished ON run (workflow_id, finished_at);
		END IF;
		ANALYZE run;
	END LOOP;
	CREATE INDEX run_finished ON run (finished_at);
	CREATE INDEX run_user ON run (user_id, started_at);
	CREATE INDEX run_started ON run (started_at);
	INSERT INTO truth_anomaly
	SELECT run_id, (ARRAY['slow', 'fast', 'many items', 'many retries', 'odd cpu'])[odd] FROM demo_run WHERE odd > 0;
	INSERT INTO usage SELECT user_id, workflow_id, count(*) FROM run GROUP BY 1, 2;
END $$;
COMMENT ON FUNCTION wfml.demo_outcomes(bigint) IS 'outcomes of the runs of wfml.generate_demo()';

-- The probability that a run of average size would succeed, at any time.
CREATE FUNCTION wfml.demo_truth(schema_name name, days integer, starts timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
	EXECUTE format($make$
		CREATE FUNCTION %1$I.true_probability(workflow_id text, at timestamptz) RETURNS double precision
			LANGUAGE SQL STABLE
		BEGIN ATOMIC
			SELECT sum(s.weight / (1 + exp(-(t.intercept
					+ CASE WHEN EXTRACT(hour FROM true_probability.at AT TIME ZONE 'UTC')::integer - t.best_hour BETWEEN 0 AND 3 THEN ln(3.0::double precision) ELSE 0 END
					- t.load_factor * (SELECT count(*) FROM %1$I.run r
						WHERE r.started_at < true_probability.at AND r.finished_at > true_probability.at
							AND r.started_at > true_probability.at - interval '4 hours')
					- 0.8 * coalesce((SELECT (NOT u.succeeded)::integer FROM %1$I.run u
						WHERE u.workflow_id = w.upstream AND u.finished_at <= true_probability.at
						ORDER BY u.finished_at DESC, u.run_id DESC LIMIT 1), 0)
					- 0.25 * s.z))))
			FROM %1$I.workflow w JOIN %1$I.truth_workflow t ON t.workflow_id = w.workflow_id
			CROSS JOIN (VALUES (-1.66, 1.0 / 6), (0.10, 2.0 / 3), (1.86, 1.0 / 6)) s(z, weight)
			WHERE w.workflow_id = true_probability.workflow_id;
		END$make$, schema_name);
	EXECUTE format('COMMENT ON FUNCTION %I.true_probability(text, timestamptz) IS %L', schema_name,
		'the true probability that a run of this workflow started at this time succeeds, averaged over its size, with the load and the upstream outcome that there were');

	-- The same averaged over the days, at half past each hour.
	INSERT INTO truth_hour
	WITH tick AS MATERIALIZED (
		SELECT t AS at, EXTRACT(hour FROM t)::integer AS hour, EXTRACT(isodow FROM t) > 5 AS weekend,
			(SELECT count(*) FROM run r WHERE r.started_at < t AND r.finished_at > t AND r.started_at > t - interval '4 hours') AS load
		FROM generate_series(starts + interval '30 minutes', starts + make_interval(days => days, secs => -1), '1 hour') t)
	SELECT w.workflow_id, k.hour, k.weekend,
		round(avg((SELECT sum(s.weight / (1 + exp(-(t.intercept + CASE WHEN k.hour - t.best_hour BETWEEN 0 AND 3 THEN ln(3.0::double precision) ELSE 0 END
			- t.load_factor * k.load - 0.8 * coalesce(u.failed, 0) - 0.25 * s.z))))
			FROM (VALUES (-1.66, 1.0 / 6), (0.10, 2.0 / 3), (1.86, 1.0 / 6)) s(z, weight)))::numeric, 4)::double precision
	FROM workflow w JOIN truth_workflow t USING (workflow_id) CROSS JOIN tick k
	LEFT JOIN LATERAL (
		SELECT (NOT x.succeeded)::integer AS failed FROM run x WHERE x.workflow_id = w.upstream AND x.finished_at <= k.at
		ORDER BY x.finished_at DESC, x.run_id DESC LIMIT 1) u ON w.upstream IS NOT NULL
	GROUP BY 1, 2, 3;
END $$;
COMMENT ON FUNCTION wfml.demo_truth(name, integer, timestamptz) IS 'the true probabilities of wfml.generate_demo()';

-- Sessions of events.
CREATE FUNCTION wfml.demo_events(days integer, seed bigint, starts timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
	-- Habits 1 and 2 belong to the morning, 3 and 4 to the afternoon, mostly.
	CREATE TEMP TABLE demo_session ON COMMIT DROP AS
	SELECT s.user_id, s.role_no, s.key, s.begins, f.first AS chain,
		CASE WHEN wfml.uniform(seed, 'second', key) >= 0.15 THEN NULL
			WHEN wfml.uniform(seed, 'follow', key) < 0.8 THEN f.first % 4 + 1
			ELSE (f.first + floor(2 * wfml.uniform(seed, 'other', key))::integer + 1) % 4 + 1 END AS second
	FROM (SELECT p.user_id, r.role_no, half, p.user_id || ' ' || d || ' ' || half AS key,
			starts + make_interval(days => d)
				+ 3600000 * (CASE half WHEN 0 THEN r.morning ELSE r.afternoon END + p.shift_h
					+ wfml.uniform(seed, 'begins', p.user_id, d::text, half::text) - 0.5) * interval '1 millisecond' AS begins
		FROM person p JOIN wfml.demo_roles() r USING (role) CROSS JOIN generate_series(0, days - 1) d CROSS JOIN generate_series(0, 1) half
		WHERE wfml.uniform(seed, 'at work', p.user_id, d::text, half::text)
			< CASE WHEN EXTRACT(isodow FROM starts + make_interval(days => d)) > 5 THEN 0.12 WHEN half = 0 THEN 0.9 ELSE 0.75 END) s
	CROSS JOIN LATERAL (
		SELECT 1 + 2 * CASE WHEN wfml.uniform(seed, 'swap', key) < 0.1 THEN 1 - half ELSE half END
			+ CASE WHEN wfml.uniform(seed, 'which', key) < 0.25 + 0.5 * wfml.uniform(seed, 'taste', user_id, half::text) THEN 1 ELSE 0 END AS first) f;

	-- What is done, a mark where each habit ends, and a distraction behind 5 of 100 events.
	CREATE TEMP TABLE demo_step ON COMMIT DROP AS
	WITH asked AS (
		SELECT s.user_id, s.role_no, s.key, s.begins, s.chain, c.turn, e.n::integer AS n, e.event, c.turn * 100 + e.n * 2 AS place,
			s.key || ' ' || c.turn || ' ' || e.n AS step
		FROM demo_session s CROSS JOIN LATERAL (VALUES (1, s.chain), (2, s.second)) c(turn, chain)
		JOIN demo_habit h ON h.role_no = s.role_no AND h.n = c.chain
		CROSS JOIN LATERAL unnest(h.events) WITH ORDINALITY e(event, n))
	SELECT user_id, role_no, key, begins, chain, turn, place, event AS event, event AS habit, step
	FROM asked WHERE n = 1 OR wfml.uniform(seed, 'skip', step) >= 0.02
	UNION ALL
	SELECT user_id, role_no, key, begins, chain, turn, place + 1,
		(ARRAY['mail_read', 'chat_message', 'file_open', 'web_search', 'calendar_open', 'note_write'])[1 + floor(6 * wfml.uniform(seed, 'noise', step))::integer],
		NULL, step || ' noise'
	FROM asked WHERE wfml.uniform(seed, 'noisy', step) < 0.05;

	CREATE TEMP TABLE demo_event ON COMMIT DROP AS
	SELECT row_number() OVER (ORDER BY at, user_id) AS event_id, e.*
	FROM (SELECT *, date_trunc('milliseconds', begins + interval '1 second'
			* sum(15 + 130 * wfml.uniform(seed, 'gap', step)) OVER (PARTITION BY key ORDER BY place)) AS at FROM demo_step) e;
	INSERT INTO event SELECT event_id, user_id, event, at FROM demo_event;
	CREATE INDEX event_user_at ON event (user_id, at);
	CREATE INDEX event_at ON event (at);

	-- The event that the habit asks for behind each: the next of its sequence
	-- that is not done yet, behind its last the end of the session, or the
	-- first of the sequence that mostly follows.
	INSERT INTO truth_next
	SELECT v.event_id, v.key, lead(v.event) OVER s, m.event, coalesce(m.event, CASE WHEN v.turn = 1 THEN f.events[1] END)
	FROM demo_event v
	LEFT JOIN demo_session ds ON ds.key = v.key
	JOIN demo_habit h ON h.role_no = v.role_no AND h.n = CASE v.turn WHEN 1 THEN ds.chain ELSE ds.second END
	JOIN demo_habit f ON f.role_no = v.role_no AND f.n = v.chain % 4 + 1
	CROSS JOIN LATERAL (SELECT h.events[(v.place - v.turn * 100)::integer / 2 + 1] AS event) m
	WINDOW s AS (PARTITION BY v.key ORDER BY v.place);
END $$;
COMMENT ON FUNCTION wfml.demo_events(integer, bigint, timestamptz) IS 'sessions of events of wfml.generate_demo()';

-- Labelled patterns and judged suggestions.
CREATE FUNCTION wfml.demo_patterns(users integer, days integer, seed bigint, starts timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
	CREATE TEMP TABLE demo_pattern ON COMMIT DROP AS
	WITH own AS (
		SELECT role_no, array_agg(DISTINCT e ORDER BY e) AS events FROM demo_habit CROSS JOIN LATERAL unnest(events) e GROUP BY role_no),
	everybody AS (
		SELECT ARRAY['mail_read', 'chat_message', 'file_open', 'web_search', 'calendar_open', 'note_write'] AS common,
			array_agg(DISTINCT e ORDER BY e) AS events FROM demo_habit CROSS JOIN LATERAL unnest(events) e)
	SELECT p.*, r.role AS category, e.events, cardinality(e.events) AS n_events,
		-- support from 0.5 to 20 %, lift from 1 to 30, gaps from half a minute to two hours
		round((0.005 * exp(3.69 * wfml.uniform(seed, 'support', key)))::numeric, 5)::double precision AS support,
		1 + floor(60 * wfml.uniform(seed, 'pattern users', key) ^ 1.5)::bigint AS users,
		round(exp(3.4 * wfml.uniform(seed, 'lift', key))::numeric, 2)::double precision AS lift,
		mod((24 + CASE WHEN wfml.uniform(seed, 'pattern half', key) < 0.5 THEN r.morning ELSE r.afternoon END
			+ 1.5 * wfml.demo_normal(seed, 'pattern hour', key))::numeric, 24)::numeric(5, 2)::double precision AS typical_hour,
		round((0.7 + 0.3 * wfml.uniform(seed, 'weekdays', key))::numeric, 3)::double precision AS weekday_share,
		round((30 * exp(5.48 * wfml.uniform(seed, 'pattern gap', key)))::numeric) * interval '1 second' AS gap
	FROM (SELECT k AS key0, k::bigint AS id, kind || ' ' || k AS key, kind,
			1 + floor(7 * wfml.uniform(seed, 'category', kind || ' ' || k))::integer AS role_no,
			date_trunc('second', starts + days * wfml.uniform(seed, 'found', kind || ' ' || k) * interval '1 day') AS at
		FROM generate_series(1, greatest(500, 10 * demo_patterns.users)) k CROSS JOIN (VALUES ('pattern'), ('suggestion')) s(kind)) p
	JOIN wfml.demo_roles() r ON r.role_no = p.role_no
	JOIN own o ON o.role_no = p.role_no CROSS JOIN everybody a
	CROSS JOIN LATERAL (
		SELECT array_agg(CASE WHEN wfml.uniform(seed, 'kind', key, n::text) < 0.75 THEN o.events[1 + floor(cardinality(o.events) * wfml.uniform(seed, 'which event', key, n::text))::integer]
			WHEN wfml.uniform(seed, 'kind', key, n::text) < 0.90 THEN a.common[1 + floor(6 * wfml.uniform(seed, 'which event', key, n::text))::integer]
			ELSE a.events[1 + floor(cardinality(a.events) * wfml.uniform(seed, 'which event', key, n::text))::integer] END ORDER BY n) AS events
		FROM generate_series(1, 3 + floor(5 * wfml.uniform(seed, 'length', key))::integer) n) e;

	-- 5 of 100 have the label of some other category.
	INSERT INTO pattern
	SELECT id, at, events, n_events, support, p.users, lift, typical_hour, weekday_share, gap,
		CASE WHEN wfml.uniform(seed, 'mislabel', key) < 0.05
			THEN (SELECT r.role FROM wfml.demo_roles() r WHERE r.role_no = (p.role_no + floor(6 * wfml.uniform(seed, 'label', key))::integer) % 7 + 1) ELSE p.category END
	FROM demo_pattern p WHERE kind = 'pattern';
	-- The category that the events and the hour make likeliest (Bayes).
	INSERT INTO truth_category
	SELECT DISTINCT ON (p.id) p.id, p.category, r.role
	FROM demo_pattern p CROSS JOIN wfml.demo_roles() r
	JOIN (SELECT role_no, array_agg(DISTINCT e) AS events FROM demo_habit CROSS JOIN LATERAL unnest(events) e GROUP BY role_no) o ON o.role_no = r.role_no
	WHERE p.kind = 'pattern'
	ORDER BY p.id, (SELECT sum(ln(CASE WHEN e = ANY (o.events) THEN 0.75 / cardinality(o.events) ELSE 0 END + 0.1 / 111)) FROM unnest(p.events) e)
		+ ln(exp(0 - (p.typical_hour - r.morning) ^ 2 / 4.5) + exp(0 - (p.typical_hour - r.afternoon) ^ 2 / 4.5) + 1e-9) DESC, r.role;

	INSERT INTO truth_score
	SELECT id, round((0.5 + 0.46 * tanh(0.55 * (ln(support / 0.005) / 3.69 - 0.5) * 3.46 + 0.45 * ((p.users - 1) / 60.0 - 0.4) * 3.3
		+ 0.45 * (ln(lift) / 3.4 - 0.5) * 3.46 + 0.25 * (n_events - 5) / 1.41 - 0.35 * (ln(EXTRACT(epoch FROM gap) / 30)::double precision / 5.48 - 0.5) * 3.46
		+ 0.2 * cos(6.283185307179586 * (typical_hour - 11) / 24)))::numeric, 4)::double precision
	FROM demo_pattern p WHERE kind = 'suggestion';
	-- Of ten people each finds it useful with that probability.
	INSERT INTO suggestion
	SELECT id, at, events, n_events, support, p.users, lift, typical_hour, weekday_share, gap,
		(SELECT count(*) FROM generate_series(1, 10) n WHERE wfml.uniform(seed, 'vote', key, n::text) < t.score) / 10.0,
		wfml.uniform(seed, 'accepted', key) < t.score
	FROM demo_pattern p JOIN truth_score t ON t.suggestion_id = p.id WHERE kind = 'suggestion';
END $$;
COMMENT ON FUNCTION wfml.demo_patterns(integer, integer, bigint, timestamptz) IS 'labelled patterns and judged suggestions of wfml.generate_demo()';

CREATE FUNCTION wfml.generate_demo(users integer DEFAULT 200, days integer DEFAULT 60, seed bigint DEFAULT 1,
	schema_name name DEFAULT 'wfml_demo', starts timestamptz DEFAULT '2026-01-05 00:00:00+00',
	OUT "table" text, OUT "rows" bigint) RETURNS SETOF record
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
	SET TimeZone = 'UTC'
	SET client_min_messages = warning
	SET jit = off
AS $$
DECLARE
	first_day timestamptz := date_trunc('day', starts);
BEGIN
	IF users IS NULL OR users < 7 OR users > 100000 THEN
		RAISE EXCEPTION 'users must be from 7 to 100000' USING ERRCODE = '22023', HINT = 'Each of the seven roles needs somebody; 200 users and 60 days make about 28,000 runs and 75,000 events.';
	ELSIF days IS NULL OR days < 7 OR days > 3650 THEN
		RAISE EXCEPTION 'days must be from 7 to 3650' USING ERRCODE = '22023', HINT = 'Habits are those of a week, so give one at least; 60 days are the default.';
	ELSIF seed IS NULL OR starts IS NULL OR NOT isfinite(starts) THEN
		RAISE EXCEPTION 'seed and starts must be given' USING ERRCODE = '22004', HINT = 'Leave them out for seed 1 and 2026-01-05.';
	ELSIF schema_name IS NULL OR schema_name = '' THEN
		RAISE EXCEPTION 'schema_name must be given' USING ERRCODE = '22004', HINT = 'Leave it out for "wfml_demo".';
	ELSIF EXISTS (SELECT FROM pg_namespace WHERE nspname = schema_name) THEN
		RAISE EXCEPTION 'schema "%" already exists', schema_name USING ERRCODE = '42P06',
			HINT = format('Drop it first (DROP SCHEMA %I CASCADE) or name another one: wfml.generate_demo(schema_name => ''other'').', schema_name);
	END IF;
	EXECUTE format('CREATE SCHEMA %I', schema_name);
	PERFORM set_config('search_path', format('%I, pg_temp', schema_name), true);
	PERFORM wfml.demo_tables();
	PERFORM wfml.demo_people(users, seed);
	PERFORM wfml.demo_runs(days, seed, first_day);
	PERFORM wfml.demo_outcomes(seed);
	PERFORM wfml.demo_truth(schema_name, days, first_day);
	PERFORM wfml.demo_events(days, seed, first_day);
	PERFORM wfml.demo_patterns(users, days, seed, first_day);
	DROP TABLE pg_temp.demo_habit, pg_temp.demo_workflow, pg_temp.demo_member, pg_temp.demo_run, pg_temp.demo_session,
		pg_temp.demo_step, pg_temp.demo_event, pg_temp.demo_pattern;
	FOR "table" IN SELECT relname FROM pg_class WHERE relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = schema_name) AND relkind = 'r' ORDER BY relname LIKE 'truth%', relname LOOP
		EXECUTE format('ANALYZE %I.%I', schema_name, "table");
		EXECUTE format('SELECT count(*) FROM %I.%I', schema_name, "table") INTO "rows";
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION wfml.generate_demo(integer, integer, bigint, name, timestamptz) IS
	'makes a schema with the tables of a made-up platform (people, workflows, runs, events, usage, patterns, suggestions) and their truth (tables truth_…), the same for the same arguments on every machine. starts is the first day; docs/demo_data.md says how all is drawn';
