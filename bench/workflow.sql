-- The workflow functions against the truth of generate_demo(): what was learnt
-- from the first 75 % of the days is judged on the later ones.  Run by
-- workflow.sh, once for each seed, in a database of its own with wfml:
--   psql -X -v seed=1 -v users=200 -v days=60 -f bench/workflow.sql

\set ON_ERROR_STOP 1
\set QUIET 1
\pset footer off
SET client_min_messages = error;
SET TimeZone = 'UTC';
SET jit = off;
SELECT count(*) FROM wfml.generate_demo(:users, :days, :seed) \g /dev/null
SET search_path = wfml_demo, public;
SELECT '2026-01-05'::timestamptz + :days * 0.75 * interval '1 day' AS cut \gset
CREATE TABLE public.bar (nth serial, what text, measured numeric, ceiling numeric, reference numeric, bar text, met boolean);
CREATE TABLE public.held AS SELECT user_id, workflow_id FROM usage WHERE wfml.uniform(1, user_id, workflow_id) < 0.2;

-- ---- train on what was known at the cut ----
SELECT wfml.bind('runs', format('SELECT * FROM wfml_demo.run WHERE finished_at < %L', :'cut'), '{items}') \g /dev/null
SELECT wfml.bind('events', format('SELECT * FROM wfml_demo.event WHERE at < %L', :'cut')) \g /dev/null
SELECT wfml.bind('workflows', 'wfml_demo.workflow') \g /dev/null
SELECT wfml.bind('usage', 'SELECT u.* FROM wfml_demo.usage u WHERE NOT EXISTS (SELECT FROM public.held h WHERE h.user_id = u.user_id AND h.workflow_id = u.workflow_id)') \g /dev/null
SELECT wfml.bind('patterns', format('SELECT events, n_events, support, users, lift, typical_hour, weekday_share, gap, category FROM wfml_demo.pattern WHERE found_at < %L', :'cut')) \g /dev/null
SELECT wfml.bind('suggestions', format('SELECT events, n_events, support, users, lift, typical_hour, weekday_share, gap, score FROM wfml_demo.suggestion WHERE made_at < %L', :'cut')) \g /dev/null
SELECT clock_timestamp() AS before \gset
CALL wfml.train_all();
SELECT round(EXTRACT(epoch FROM clock_timestamp() - :'before')::numeric, 1) AS train_seconds \gset

-- ---- patterns and suggestions ----
INSERT INTO public.bar (what, measured, ceiling, bar, met)
SELECT 'pattern classification, accuracy', a, c, '0.85', a >= 0.85
FROM (SELECT wfml.accuracy(p.category, (wfml.classify_pattern(ROW(p.events, p.n_events, p.support, p.users, p.lift, p.typical_hour, p.weekday_share, p.gap)::wfml.pattern)).category) AS a,
		wfml.accuracy(p.category, t.likely) AS c
	FROM pattern p JOIN truth_category t USING (pattern_id) WHERE found_at >= :'cut') x;
CREATE TEMP TABLE judged AS
SELECT s.score AS votes, s.accepted, g.score, t.score AS truth
FROM suggestion s JOIN truth_score t USING (suggestion_id)
CROSS JOIN LATERAL wfml.score_suggestion(ROW(s.events, s.n_events, s.support, s.users, s.lift, s.typical_hour, s.weekday_share, s.gap)::wfml.pattern) g
WHERE made_at >= :'cut';
INSERT INTO public.bar (what, measured, ceiling, bar, met)
SELECT b.* FROM (SELECT wfml.r2(votes, score) AS r2, wfml.r2(votes, truth) AS ceiling,
		wfml.ece(accepted, score) AS ece, wfml.ece(accepted, truth) AS ece_of_truth FROM judged) x,
	-- ten people voted on each: ten times as many outcomes as acceptances
	(SELECT wfml.ece(n <= round(10 * votes), score) AS ece, wfml.ece(n <= round(10 * votes), truth) AS ece_of_truth
	FROM judged, generate_series(1, 10) n) v,
	LATERAL (VALUES ('suggestion score, R²', x.r2, x.ceiling, '0.7 and 0.9 of the ceiling', x.r2 >= 0.7 AND x.r2 >= 0.9 * x.ceiling),
	('suggestion score, ECE against ten votes each (ceiling: the truth''s own)', v.ece, v.ece_of_truth, '< 0.05', v.ece < 0.05),
	('suggestion score, ECE against one acceptance each (the same)', x.ece, x.ece_of_truth, '< 0.05', x.ece < 0.05)) b;

-- ---- what comes next: 3,000 later events, at their time ----
SELECT wfml.bind('events', 'wfml_demo.event') \g /dev/null
SELECT wfml.bind('runs', 'wfml_demo.run', '{items}') \g /dev/null
CREATE TEMP TABLE foretold AS
SELECT t.*, (SELECT CASE WHEN g.is_end THEN '(end)' ELSE g.event END FROM wfml.next_workflow_events(e.user_id, 1, e.at) g) AS first,
	(SELECT g.event FROM wfml.next_workflow_events(e.user_id, 3, e.at) g WHERE NOT g.is_end ORDER BY g.rank LIMIT 1) AS first_event
FROM (SELECT * FROM event WHERE at >= :'cut' ORDER BY wfml.uniform(1, event_id::text) LIMIT 3000) e JOIN truth_next t USING (event_id);
INSERT INTO public.bar (what, measured, ceiling, bar, met)
SELECT 'next event, weighted F1', f, c, '0.8', f >= 0.8
FROM (SELECT wfml.f1_score(next, first_event, 'weighted') AS f, wfml.f1_score(next, likely_event, 'weighted') AS c FROM foretold WHERE next IS NOT NULL) x;
INSERT INTO public.bar (what, measured, ceiling, bar, met)
SELECT 'the same, ends of sessions too', f, c, '0.8', f >= 0.8
FROM (SELECT wfml.f1_score(coalesce(next, '(end)'), first, 'weighted') AS f, wfml.f1_score(coalesce(next, '(end)'), coalesce(likely, '(end)'), 'weighted') AS c FROM foretold) x;

-- ---- odd runs of the later days ----
INSERT INTO public.bar (what, measured, bar, met)
SELECT 'odd runs, AUC', a, '0.95', a >= 0.95
FROM (SELECT wfml.auc(t.run_id IS NOT NULL, coalesce(d.score, 0)) AS a
	FROM run r LEFT JOIN wfml.detect_anomalies('runs', :'cut', 1000000) d ON d.entity = r.run_id::text
	LEFT JOIN truth_anomaly t USING (run_id) WHERE r.finished_at >= :'cut') x;

-- ---- when: each of seven later days, the best hour of the day by what was known at the cut ----
SELECT wfml.bind('runs', format('SELECT * FROM wfml_demo.run WHERE finished_at < %L', :'cut'), '{items}') \g /dev/null
CREATE TEMP TABLE picked AS
SELECT w.workflow_id, d, b.at, (SELECT h.probability FROM truth_hour h WHERE h.workflow_id = w.workflow_id AND h.weekend = (EXTRACT(isodow FROM d) > 5)
		AND h.hour = EXTRACT(hour FROM b.at)) AS p,
	(SELECT max(h.probability) FROM truth_hour h WHERE h.workflow_id = w.workflow_id AND h.weekend = (EXTRACT(isodow FROM d) > 5) AND h.hour BETWEEN 5 AND 22) AS oracle
FROM workflow w CROSS JOIN generate_series(date_trunc('day', :'cut'::timestamptz) + interval '1 day', date_trunc('day', :'cut'::timestamptz) + interval '7 days', '1 day') d
LEFT JOIN LATERAL wfml.best_times(w.workflow_id, d, d + interval '1 day', '1 hour', 1) b ON b.lower IS NOT NULL;
INSERT INTO public.bar (what, measured, ceiling, reference, bar, met)
SELECT 'success at the best times (reference: at the actual ones)', p, oracle, actual, '1.2 of actual, 0.7 of the oracle''s uplift',
	p >= 1.2 * actual AND p - actual >= 0.7 * (oracle - actual)
FROM (SELECT avg(coalesce(c.p, a.actual)) AS p, avg(c.oracle) AS oracle, avg(a.actual) AS actual
	FROM picked c JOIN (SELECT workflow_id, avg(probability) AS actual FROM run JOIN truth_run USING (run_id) WHERE started_at >= :'cut' GROUP BY 1) a USING (workflow_id)) x;

-- ---- what to automate ----
INSERT INTO public.bar (what, measured, ceiling, reference, bar, met)
SELECT 'planted sequences among the 14 needs first named (reference: those done already)', n, 14, decoys, 'all, and none done already', n = 14 AND decoys = 0
FROM (SELECT count(*) FILTER (WHERE t.workflow_id IS NULL) AS n, count(*) FILTER (WHERE t.workflow_id IS NOT NULL) AS decoys
	FROM wfml.workflow_needs(14) w JOIN truth_pattern t USING (events)) x;

-- ---- recommendations: a fifth of the pairs held out; NDCG@5 beside the most popular that a user does not use ----
CREATE TEMP TABLE ranked AS
SELECT h.user_id, i.n, i.workflow_id, 'wfml' AS who FROM (SELECT DISTINCT user_id FROM held) h
CROSS JOIN LATERAL (SELECT r.workflow_id, row_number() OVER (ORDER BY r.score DESC, r.workflow_id) AS n FROM wfml.recommend_workflows(h.user_id, 5) r) i
UNION ALL
SELECT h.user_id, i.n, i.workflow_id, 'popular' FROM (SELECT DISTINCT user_id FROM held) h
CROSS JOIN LATERAL (SELECT p.workflow_id, row_number() OVER (ORDER BY p.users DESC, p.workflow_id) AS n
	FROM (SELECT workflow_id, count(*) AS users FROM (TABLE usage) u WHERE NOT EXISTS (SELECT FROM held x WHERE (x.user_id, x.workflow_id) = (u.user_id, u.workflow_id)) GROUP BY 1) p
	WHERE NOT EXISTS (SELECT FROM usage u WHERE u.user_id = h.user_id AND u.workflow_id = p.workflow_id
		AND NOT EXISTS (SELECT FROM held x WHERE (x.user_id, x.workflow_id) = (u.user_id, u.workflow_id)))) i WHERE i.n <= 5;
INSERT INTO public.bar (what, measured, reference, bar, met)
SELECT 'recommended workflows, NDCG@5 (reference: the most popular)', w, p, 'above the reference', w > p
FROM (SELECT avg(ndcg) FILTER (WHERE who = 'wfml') AS w, avg(ndcg) FILTER (WHERE who = 'popular') AS p
	FROM (SELECT r.who, coalesce(sum(1 / log(2, r.n + 1)) FILTER (WHERE h.workflow_id IS NOT NULL), 0)
			/ (SELECT sum(1 / log(2, k + 1)) FROM generate_series(1, least(5, (SELECT count(*) FROM held y WHERE y.user_id = r.user_id))) k) AS ndcg
		FROM ranked r LEFT JOIN held h USING (user_id, workflow_id) GROUP BY r.who, r.user_id) g) x;

\pset border 1
\echo
\echo 'seed' :seed ': ' :users 'people,' :days 'days; all models trained in' :train_seconds 's'
SELECT what, round(measured, 4) AS measured, round(ceiling, 4) AS ceiling, round(reference, 4) AS reference, bar, CASE WHEN met THEN 'met' ELSE 'MISSED' END AS " " FROM public.bar ORDER BY nth;

\echo '-- by what was known before each of the last 12 days:'
SELECT wfml.bind('runs', 'wfml_demo.run', '{items}') \g /dev/null
\ir workflow_schedule.sql
