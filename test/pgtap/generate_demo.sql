-- The made-up platform: the same for the same seed everywhere, what it
-- promises of its numbers, and with whose rights it is made.

\set QUIET 1
-- some statements make several tests: a line each
\pset fieldsep '\n'
SET client_min_messages = error;
SET jit = off;
SET TimeZone = 'Asia/Kolkata';
BEGIN;

-- md5 of a table's rows in order of its key
CREATE FUNCTION sum_of(schema name, table_name name) RETURNS text LANGUAGE plpgsql
	SET TimeZone = 'UTC' SET extra_float_digits = 1 SET IntervalStyle = postgres SET DateStyle = 'ISO, YMD' AS $$
DECLARE
	sum text;
BEGIN
	EXECUTE format('SELECT md5(string_agg(t::text, E''\n'' ORDER BY t::text COLLATE "C")) FROM %I.%I t', schema, table_name) INTO sum;
	RETURN sum;
END $$;
CREATE FUNCTION sums_of(schema name) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(relname || ' ' || left(sum_of(schema, relname), 12), E'\n' ORDER BY relname COLLATE "C")
	FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = schema) AND relkind = 'r' $$;

SELECT no_plan();

-- ---- random numbers by key ----

SELECT is(wfml.uniform(1, 'a', 'b'), 0.4740405766444562::float8, 'a number belongs to its key');
SELECT isnt(wfml.uniform(1, 'a', 'b'), wfml.uniform(2, 'a', 'b'), 'and to its seed');
SELECT isnt(wfml.uniform(1, 'a', 'b'), wfml.uniform(1, 'b', 'a'), 'and to the order of the parts');
SELECT isnt(wfml.uniform(1, 'ab'), wfml.uniform(1, 'a', 'b'), 'and to how it is parted');
SELECT ok(wfml.uniform(1, VARIADIC '{}') BETWEEN 0 AND 1, 'a seed alone is a key');
SELECT throws_ok($$SELECT wfml.uniform(1, 'a', NULL)$$, '22004', 'a key of a random number must not be null');
SELECT ok(abs(avg(u) - 0.5) < 0.01 AND abs(variance(u) - 1 / 12.0) < 0.003 AND min(u) >= 0 AND max(u) < 1, 'uniform')
FROM (SELECT wfml.uniform(7, 'x', i::text) AS u FROM generate_series(1, 10000) i) s;
SELECT ok(abs(corr(wfml.uniform(7, 'x', i::text), wfml.uniform(7, 'x', (i + 1)::text))) < 0.03
	AND abs(corr(wfml.uniform(7, 'x', i::text), wfml.uniform(8, 'x', i::text))) < 0.03, 'independent') FROM generate_series(1, 10000) i;
SELECT ok(abs(avg(z)) < 0.03 AND abs(stddev(z) - 1) < 0.03, 'demo_normal: mean 0, standard deviation 1')
FROM (SELECT wfml.demo_normal(7, 'x', i::text) AS z FROM generate_series(1, 10000) i) s;

-- ---- the same, wherever and as often as it is made ----

SELECT isnt_empty($$SELECT * FROM wfml.generate_demo(30, 20)$$, 'says what it made');
SELECT isnt_empty($$SELECT * FROM wfml.generate_demo(30, 20, 2, 'another')$$);
SELECT is(sum_of('wfml_demo', c.relname) = sum_of('another', c.relname), false, format('another seed makes another %s', c.relname))
FROM pg_class c WHERE relnamespace = 'wfml_demo'::regnamespace AND relkind = 'r' ORDER BY relname;
SELECT is(sums_of('wfml_demo'), $$event 4e6f7cbbe59e
pattern 722adf53c9d5
person d6d7a5b8ba6e
run 0476cb71d789
suggestion ab056aa58d61
truth_anomaly c5c1a470d1bb
truth_category 378d3f78cf31
truth_hour ceba37c3b1c1
truth_next a6554450ca46
truth_pattern 6a86a71f7192
truth_run 5466d6943bd6
truth_score 20e07665a0f1
truth_workflow 38942351c8fa
usage 4e647d0ebfd2
workflow 96018905cee1$$, 'and they are those of every machine and version');

SET LOCAL TimeZone = 'America/New_York';
SET LOCAL DateStyle = 'German';
SET LOCAL IntervalStyle = 'iso_8601';
SET LOCAL extra_float_digits = -10;
SET LOCAL search_path = another, public;
SELECT isnt_empty($$SELECT * FROM wfml.generate_demo(30, 20, schema_name => 'elsewhere')$$, 'in a session that is set differently');
SELECT is(sums_of('elsewhere'), sums_of('wfml_demo'), 'its settings do not matter');
RESET extra_float_digits;
SET LOCAL search_path = public;
SELECT is(to_regclass('pg_temp.demo_run'), NULL, 'nothing is left behind');

SELECT isnt_empty($$SELECT * FROM wfml.generate_demo(7, 7, schema_name => 'Nöw "or" later', starts => '2026-11-20 17:00+00')$$, 'any name, any day');
SELECT is((SELECT min(started_at)::date >= '2026-11-19' AND max(started_at) < '2026-11-28' FROM "Nöw ""or"" later".run), true, 'starts on the day given');

-- ---- what it promises ----

SET LOCAL search_path = wfml_demo, public;
SELECT cmp_ok(count(*)::int, '>=', 20, 'twenty workflows at least') FROM workflow;
SELECT cmp_ok(avg(succeeded::int), '>', 0.60, 'success rate over 0.60'), cmp_ok(avg(succeeded::int), '<', 0.75, 'and below 0.75') FROM run;
SELECT ok(abs(sum(succeeded::int) - sum(probability)) < 4 * sqrt(sum(probability * (1 - probability))), 'outcomes have their probabilities')
FROM run JOIN truth_run USING (run_id);
SELECT ok(abs(avg(explored::int) - 0.2) < 0.025, 'a fifth of the runs at other hours') FROM truth_run;
SELECT ok(abs(ln(ratio / 3)) < 0.3, format('the best block has the odds ratio 3 (%s)', round(ratio::numeric, 2)))
FROM (SELECT exp(avg(l) FILTER (WHERE best) - avg(l) FILTER (WHERE NOT best)) AS ratio
	FROM (SELECT ln(probability / (1 - probability)) AS l, hour - best_hour BETWEEN 0 AND 3 AS best, workflow_id
		FROM truth_hour JOIN truth_workflow USING (workflow_id) WHERE hour BETWEEN 5 AND 22) h) r;
SELECT cmp_ok(avg(probability) FILTER (WHERE upstream_failed), '<', avg(probability) FILTER (WHERE NOT upstream_failed) - 0.1::float8, 'upstream matters') FROM truth_run;
SELECT cmp_ok(corr(load, ln(probability / (1 - probability))), '<', -0.15::float8, 'load matters') FROM truth_run;
SELECT is(count(*), 0::bigint, 'load is the number of runs under way')
FROM run r JOIN truth_run t USING (run_id)
WHERE t.load <> (SELECT count(*) FROM run x WHERE x.started_at < r.started_at AND x.finished_at > r.started_at AND x.started_at > r.started_at - interval '4 hours');
SELECT ok(abs(avg(true_probability(workflow_id, started_at) - probability)) < 0.01
	AND corr(true_probability(workflow_id, started_at), probability) > 0.8, 'true_probability() is that of an average run') FROM run JOIN truth_run USING (run_id) WHERE run_id % 12 = 0;
SELECT ok(bool_and(abs(h.probability - w.p) < 0.001), 'truth_hour is its mean over the days')
FROM (SELECT 'w001' AS workflow_id, EXTRACT(hour FROM t AT TIME ZONE 'UTC')::int AS hour, EXTRACT(isodow FROM t AT TIME ZONE 'UTC') > 5 AS weekend,
		avg(true_probability('w001', t)) AS p
	FROM generate_series('2026-01-05 00:30+00'::timestamptz, '2026-01-25 00:00+00', '1 hour') t GROUP BY 1, 2, 3) w
JOIN truth_hour h USING (workflow_id, hour, weekend);
SELECT ok(count(*)::float / (SELECT count(*) FROM run) BETWEEN 0.01 AND 0.022, 'one or two of a hundred runs are odd') FROM truth_anomaly;
SELECT is(count(*), 0::bigint, 'upstream is the workflow''s') FROM run r JOIN workflow w USING (workflow_id) WHERE r.upstream IS DISTINCT FROM w.upstream;
SELECT is(count(*), 0::bigint, 'usage counts the runs') FROM (SELECT user_id, workflow_id, count(*)::float8 FROM run GROUP BY 1, 2 EXCEPT TABLE usage) x;

SELECT cmp_ok(wfml.f1_score(coalesce(next, ''), coalesce(likely, ''), 'weighted'), '>', 0.85::float8, 'F1 of the habit''s next event, ends included'),
	cmp_ok(wfml.f1_score(next, likely_event, 'weighted') FILTER (WHERE next IS NOT NULL), '>', 0.88::float8, 'and without') FROM truth_next;
SELECT is(count(*), 0::bigint, 'sessions are an hour apart, and their events less')
FROM (SELECT at - lag(at) OVER (PARTITION BY user_id ORDER BY at) AS gap, session_id <> lag(session_id) OVER (PARTITION BY user_id ORDER BY at) AS new
	FROM event JOIN truth_next USING (event_id)) e WHERE (gap > interval '1 hour') <> new;
SELECT is(count(*) FILTER (WHERE workflow_id IS NULL), 14::bigint, 'fourteen habits are nobody''s work yet'), is(count(*), 28::bigint) FROM truth_pattern;
SELECT is(count(*), 0::bigint, 'no workflow does them') FROM truth_pattern p JOIN workflow w ON wfml.is_subsequence(p.events, w.events) WHERE p.workflow_id IS NULL;
SELECT ok(bool_and(wfml.is_subsequence(p.events, w.events)), 'the others are done') FROM truth_pattern p JOIN workflow w USING (workflow_id);

SELECT ok(wfml.accuracy(p.category, t.likely) BETWEEN 0.90 AND 0.96, 'ceiling of the categories') FROM pattern p JOIN truth_category t USING (pattern_id);
SELECT ok(wfml.r2(s.score, t.score) BETWEEN 0.77 AND 0.88, 'ceiling of the score') FROM suggestion s JOIN truth_score t USING (suggestion_id);
SELECT ok(abs(sum(accepted::int) - sum(t.score)) < 4 * sqrt(sum(t.score * (1 - t.score))), 'accepted with its probability')
FROM suggestion s JOIN truth_score t USING (suggestion_id);
SELECT is(count(*), 0::bigint, 'n_events counts') FROM (TABLE pattern) p WHERE n_events <> cardinality(events) OR typical_hour NOT BETWEEN 0 AND 24;
SET LOCAL search_path = public;

-- ---- misuse ----

SELECT throws_ok($$SELECT wfml.generate_demo(0)$$, '22023', 'users must be from 7 to 100000');
SELECT throws_ok($$SELECT wfml.generate_demo(NULL)$$, '22023', 'users must be from 7 to 100000');
SELECT throws_ok($$SELECT wfml.generate_demo(30, 0)$$, '22023', 'days must be from 7 to 3650');
SELECT throws_ok($$SELECT wfml.generate_demo(30, 20, NULL)$$, '22004', 'seed and starts must be given');
SELECT throws_ok($$SELECT wfml.generate_demo(30, 20, starts => 'infinity')$$, '22004', 'seed and starts must be given');
SELECT throws_ok($$SELECT wfml.generate_demo(30, 20, 1, '')$$, '22004', 'schema_name must be given');
SELECT throws_ok($$SELECT wfml.generate_demo(30, 20)$$, '42P06', 'schema "wfml_demo" already exists');
SELECT is((SELECT count(*)::int FROM wfml_demo.person), 30, 'and what was there stays');

-- ---- rights ----

CREATE ROLE demo_maker;
SET LOCAL ROLE demo_maker;
DO $$ BEGIN
	PERFORM wfml.generate_demo(7, 7, schema_name => 'mine');
EXCEPTION WHEN insufficient_privilege THEN
	PERFORM set_config('demo.refused', SQLERRM, true);
END $$;
RESET ROLE;
SELECT matches(current_setting('demo.refused'), '^permission denied for database', 'needs CREATE on the database');
SELECT format('GRANT CREATE ON DATABASE %I TO demo_maker', current_database()) \gexec
SET LOCAL ROLE demo_maker;
SELECT count(*) > 0 AS made FROM wfml.generate_demo(7, 7, schema_name => 'mine') \gset
RESET ROLE;
SELECT is(:'made'::text, 't', 'with it anybody makes one');
SELECT is(array_agg(DISTINCT relowner::regrole::text), '{demo_maker}', 'and owns it') FROM pg_class WHERE relnamespace = 'mine'::regnamespace;
SELECT is(nspowner::regrole::text, 'demo_maker') FROM pg_namespace WHERE nspname = 'mine';

SELECT * FROM finish();
ROLLBACK;
