-- Success rate at predicted times on the made-up platform, whose truth is
-- known (wfml.generate_demo(), bound, schema wfml_demo): for each workflow and
-- each of the last 12 days the hour that best_times() names by the runs before
-- that day, against the times at which the runs were started and the best hour
-- there is.  psql -v seed=1 -f bench/workflow_schedule.sql
\set QUIET 1
\if :{?seed}
\else
\set seed 0
\endif
SELECT date_trunc('day', max(started_at)) - interval '11 days' AS since FROM wfml_demo.run \gset
CREATE TEMP TABLE held AS
SELECT r.workflow_id, date_trunc('day', r.started_at) AS day, count(*) AS runs, avg(t.probability) AS actual
FROM wfml_demo.run r JOIN wfml_demo.truth_run t USING (run_id)
WHERE r.started_at >= :'since' GROUP BY 1, 2;
CREATE TEMP TABLE chosen AS
SELECT h.*, b.source, b.support, t.probability AS predicted, o.oracle
FROM held h
CROSS JOIN LATERAL (SELECT * FROM wfml.best_times(h.workflow_id, h.day, h.day + interval '1 day', '1 hour', 1)) b
JOIN wfml_demo.truth_hour t ON t.workflow_id = h.workflow_id AND t.hour = EXTRACT(hour FROM b.at) AND t.weekend = (EXTRACT(isodow FROM h.day) > 5)
CROSS JOIN LATERAL (SELECT max(m.probability) AS oracle FROM wfml_demo.truth_hour m
	WHERE m.workflow_id = h.workflow_id AND m.weekend = (EXTRACT(isodow FROM h.day) > 5)) o;
\pset footer off
SELECT :seed AS seed, max(c.source) AS source, sum(c.runs) AS runs, round((sum(runs * actual) / sum(runs))::numeric, 4) AS actual,
	round((sum(runs * oracle) / sum(runs))::numeric, 4) AS oracle, round((sum(runs * predicted) / sum(runs))::numeric, 4) AS wfml,
	round((sum(runs * predicted) / sum(runs * actual) - 1)::numeric, 3) AS uplift,
	round(((sum(runs * predicted) - sum(runs * actual)) / (sum(runs * oracle) - sum(runs * actual)))::numeric, 3) AS share_of_oracle
FROM chosen c;
DROP TABLE held, chosen;
