#!/usr/bin/env bash
# How long the workflow functions take, and train_all(), with 100,000 rows of
# each kind bound: the generator's platform of 100,000 runs and the newest
# 100,000 events; its patterns and suggestions are repeated with small changes.
#
# usage: [PG… variables of libpq] workflow_latency.sh [calls]
#
# Runs in a database of its own, wfml_latency, of the server that psql reaches
# (a superuser is needed).  Each call is measured inside one session, parsed
# and planned anew, with its models cached; the first 20 calls do not count.
set -euo pipefail
calls=${1:-1000}
psql=(psql -X -q -v ON_ERROR_STOP=1)
"${psql[@]}" -d postgres -c 'DROP DATABASE IF EXISTS wfml_latency' -c 'CREATE DATABASE wfml_latency'
"${psql[@]}" -d wfml_latency -v calls="$calls" <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION wfml;
\o /dev/null
SELECT wfml.generate_demo(200, 207, 1, starts => date_trunc('day', now()) - interval '207 days');
CREATE TABLE event AS SELECT * FROM wfml_demo.event ORDER BY at DESC LIMIT 100000;
ALTER TABLE event ADD PRIMARY KEY (event_id);
CREATE INDEX ON event (user_id, at);
CREATE INDEX ON event (at);
CREATE TABLE pattern AS
SELECT p.events, p.n_events, p.support * (0.9 + 0.2 * random()) AS support, p.users, p.lift * (0.9 + 0.2 * random()) AS lift,
	p.typical_hour, p.weekday_share, p.gap, p.category
FROM wfml_demo.pattern p, generate_series(1, 50);
CREATE TABLE suggestion AS
SELECT s.events, s.n_events, s.support * (0.9 + 0.2 * random()) AS support, s.users, s.lift * (0.9 + 0.2 * random()) AS lift,
	s.typical_hour, s.weekday_share, s.gap, s.score
FROM wfml_demo.suggestion s, generate_series(1, 50);
CREATE TABLE usage AS SELECT user_id || CASE WHEN g > 1 THEN '/' || g ELSE '' END AS user_id, workflow_id, weight FROM wfml_demo.usage, generate_series(1, 150) g LIMIT 100000;
CREATE INDEX ON usage (user_id);
VACUUM ANALYZE;
SELECT wfml.bind('runs', 'wfml_demo.run'), wfml.bind('events', 'event'), wfml.bind('workflows', 'wfml_demo.workflow'), wfml.bind('usage', 'usage'),
	wfml.bind('patterns', 'pattern'), wfml.bind('suggestions', 'suggestion');
\o
SELECT (SELECT count(*) FROM wfml_demo.run) AS runs, (SELECT count(*) FROM event) AS events, (SELECT count(*) FROM usage) AS usage,
	(SELECT count(*) FROM pattern) AS patterns, (SELECT count(*) FROM suggestion) AS suggestions;
SET client_min_messages = notice;
\timing on
CALL wfml.train_all();
\timing off
SET client_min_messages = warning;
SELECT model, round(EXTRACT(epoch FROM elapsed)::numeric, 1) AS seconds, status, left(message, 60) AS message FROM wfml.jobs WHERE kind = 'train_all' ORDER BY id;
SELECT round(sum(EXTRACT(epoch FROM elapsed))::numeric, 1) AS seconds_in_all FROM wfml.jobs WHERE kind = 'train_all';
\o /dev/null
SELECT wfml.schedule(workflow_id, 'predictive', '{"window": "24 hours"}') FROM wfml_demo.workflow;
\o
CREATE TABLE latency (call text, us double precision);
CREATE TABLE probe AS SELECT row_number() OVER () AS i, u.user_id, w.workflow_id, p.pattern FROM
	(SELECT user_id, row_number() OVER (ORDER BY user_id) AS n, count(*) OVER () AS k FROM wfml_demo.person) u,
	generate_series(1, 20) g
	CROSS JOIN LATERAL (SELECT workflow_id FROM wfml_demo.workflow ORDER BY workflow_id OFFSET (g * 7) % 40 LIMIT 1) w
	CROSS JOIN LATERAL (SELECT ROW(events, n_events, support, users, lift, typical_hour, weekday_share, gap)::wfml.pattern AS pattern FROM wfml_demo.pattern
		WHERE pattern_id = g * 83) p;
CREATE PROCEDURE measure(call text, query text, calls integer) LANGUAGE plpgsql AS $$
DECLARE
	p record;
	begun timestamptz;
	times double precision[] := '{}';
BEGIN
	FOR p IN SELECT * FROM probe ORDER BY md5(i::text) LIMIT calls + 20 LOOP
		begun := clock_timestamp();
		EXECUTE query USING p.user_id, p.workflow_id, p.pattern;
		times := times || EXTRACT(epoch FROM clock_timestamp() - begun)::double precision * 1e6;
	END LOOP;
	INSERT INTO latency SELECT call, t FROM unnest(times) WITH ORDINALITY u (t, i) WHERE i > 20;
END $$;
CALL measure('classify_pattern', 'SELECT * FROM wfml.classify_pattern($3)', :calls);
CALL measure('score_suggestion', 'SELECT * FROM wfml.score_suggestion($3)', :calls);
CALL measure('next_workflow_events', 'SELECT * FROM wfml.next_workflow_events($1, 3)', :calls);
CALL measure('success_probability', 'SELECT * FROM wfml.success_probability($2)', :calls);
CALL measure('should_run', 'SELECT * FROM wfml.should_run($2)', :calls);
CALL measure('recommend_workflows', 'SELECT * FROM wfml.recommend_workflows($1)', :calls);
CALL measure('suggest', 'SELECT * FROM wfml.suggest($1)', :calls);
CALL measure('workflow_needs', 'SELECT * FROM wfml.workflow_needs(user_id => $1)', :calls);
CALL measure('best_times, a day', 'SELECT * FROM wfml.best_times($2)', least(:calls, 200));
SELECT max(finished_at) - interval '1 hour' AS hour_ago FROM wfml_demo.run \gset
CALL measure('detect_anomalies, an hour', format('SELECT * FROM wfml.detect_anomalies(since => %L)', :'hour_ago'), :calls);
CALL measure('due_workflows', 'SELECT * FROM wfml.due_workflows()', least(:calls, 100));
SELECT call, count(*) AS calls, round((percentile_cont(0.5) WITHIN GROUP (ORDER BY us) / 1000)::numeric, 3) AS p50_ms,
	round((percentile_cont(0.99) WITHIN GROUP (ORDER BY us) / 1000)::numeric, 3) AS p99_ms, round((max(us) / 1000)::numeric, 2) AS max_ms
FROM latency GROUP BY call ORDER BY call;
SQL
