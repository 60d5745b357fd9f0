-- Schedules: what a user sees of them.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
SET TimeZone = 'UTC';
SELECT wfml.generate_demo(20, 20, 1, 'tour_demo') \g /dev/null
SELECT wfml.bind('runs', 'tour_demo.run');
SELECT wfml.bind('events', 'tour_demo.event');

-- cron expressions
SELECT wfml.cron_next('30 6 * * mon-fri', '2026-03-28 12:00', 'Europe/Berlin');
SELECT wfml.cron_next('0 0 31 2 *', now());
SELECT wfml.cron_next('0 25 * * *', now());

-- when does a workflow do best?
SELECT at, round(probability::numeric, 2) AS probability, round(lower::numeric, 2) AS lower, support, reason, source
FROM wfml.best_times((SELECT workflow_id FROM tour_demo.run GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1), '2026-01-20', '2026-01-21', n => 3);

-- schedules of each type, and what is wrong with others
SELECT wfml.schedule('backup', 'interval', '{"every": "6 hours"}') IS NOT NULL AS made;
SELECT wfml.schedule('report', 'cron', '{"cron": "30 6 * * mon-fri", "timezone": "Europe/Berlin"}') IS NOT NULL AS made;
SELECT wfml.schedule('greet', 'event', '{"event": "ticket_open", "cooldown": "10 minutes"}') IS NOT NULL AS made;
SELECT wfml.schedule('w001', 'predictive', '{"window": "06:00-12:00", "deadline": "11:30"}') IS NOT NULL AS made;
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT wfml.schedule('report', 'cron', '{"cron": "30 6 * *"}');
SELECT wfml.schedule('backup', 'interval', '{"evry": "6 hours"}');
SELECT wfml.schedule('w001', 'predictive', '{"window": "mornings"}');
SELECT workflow_id, type, spec, enabled, last_fired_at, fired FROM wfml.schedules ORDER BY id;

-- asking, claiming, once
SELECT run, source FROM wfml.should_run('backup');
SELECT workflow_id, type, source FROM wfml.claim_due(now() + interval '1 minute', 1);
SELECT run, source FROM wfml.should_run('backup', now() + interval '1 minute');
SELECT run, source FROM wfml.should_run('greet');
SELECT run, reason, source FROM wfml.should_run('w001', '2031-03-03 11:45');
SELECT workflow_id, type, times, run, claimed, probability IS NOT NULL AS probable, source FROM wfml.decisions ORDER BY id;

-- too little to judge by
SELECT runs > 0 AS runs, predicted, reason FROM wfml.simulate_schedule('2026-01-24', '2026-01-25') WHERE workflow_id IS NULL;

SELECT wfml.unschedule(workflow_id) FROM wfml.schedules;
SELECT wfml.unbind('runs'), wfml.unbind('events');
DROP SCHEMA tour_demo CASCADE;
