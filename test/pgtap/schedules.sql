-- Schedules: what may be said, when they fire, who may claim, what is logged;
-- best_times() and simulate_schedule() on runs whose truth is known.

\set QUIET 1
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SELECT plan(99);

CREATE ROLE wfml_planner;
CREATE ROLE wfml_other;
CREATE SCHEMA shop AUTHORIZATION wfml_planner;
SET ROLE wfml_planner;

-- Runs of 60 days: 10 to 13 o'clock is good, and careful users run in the afternoon, careless ones in the morning.
CREATE TABLE shop.run AS
WITH r AS (
    SELECT i, w, timestamptz '2026-01-05' + (i / 20) * interval '1 day' + (i * 7919 % 20 * 0.6 + 7) * interval '1 hour' AS started_at
    FROM generate_series(0, 1199) i, generate_series(1, 2) w)
SELECT 'w' || w AS workflow_id, started_at, started_at + interval '90 seconds' AS finished_at,
    CASE WHEN EXTRACT(hour FROM started_at) >= 13 THEN 'careful' ELSE 'careless' END AS user_id,
    wfml.uniform(1, 'run', w::text, i::text) < CASE WHEN EXTRACT(hour FROM started_at) BETWEEN 10 AND 13 THEN 0.9 ELSE 0.55 END AS succeeded
FROM r;
CREATE INDEX ON shop.run (workflow_id, finished_at);
CREATE TABLE shop.event (user_id text, event text, at timestamptz);
SELECT wfml.bind('runs', 'shop.run');
SELECT wfml.bind('events', 'shop.event');

-- what may be said
SELECT throws_ok($$ SELECT wfml.schedule('w1', 'hourly') $$, '22023', 'unknown type of schedule "hourly"');
SELECT throws_ok($$ SELECT wfml.schedule('w1', 'interval') $$, '22023', 'a schedule of type interval needs the key "every"');
SELECT throws_ok($$ SELECT wfml.schedule('w1', 'interval', '{"evry": "1 h"}') $$, '22023', 'unknown key "evry" of a schedule of type interval');
SELECT throws_ok($$ SELECT wfml.schedule('w1', 'interval', '{"every": 5}') $$, '22023', '"every" of a schedule must be a text, not 5');
SELECT throws_ok($$ SELECT wfml.schedule('w1', 'interval', '{"every": "-1 h"}') $$, '22023', '"every" of a schedule is no duration from 00:00:01 to 10 years: "-1 h"');
SELECT throws_ok($$ SELECT wfml.schedule('w1', 'interval', '[]') $$, '22023', 'the spec of a schedule is a JSON object');
SELECT throws_ok($$ SELECT wfml.schedule('w1', 'cron', '{"cron": "0 0 31 2 *"}') $$, '22023', 'cron expression "0 0 31 2 *" never matches');
SELECT throws_ok($$ SELECT wfml.schedule('w1', 'cron', '{"cron": "0 25 * * *"}') $$, '22023', 'hour 25 in a cron expression is not between 0 and 23');
SELECT throws_ok($$ SELECT wfml.schedule('w1', 'cron', '{"cron": "@daily", "timezone": "Mars"}') $$, '22023', 'time zone "Mars" not recognized');
SELECT throws_ok($$ SELECT wfml.schedule('w1', 'sequence', '{"event": "a", "user_id": "u", "threshold": 2}') $$, '22023', '"threshold" of a schedule must be a number between 0 and 1, not 2');
SELECT throws_ok($$ SELECT wfml.schedule('w1', 'sequence', '{"event": "a"}') $$, '22023', 'a schedule of type sequence needs the key "user_id"');
SELECT throws_ok($$ SELECT wfml.schedule('w1', 'predictive', '{"window": "6-12"}') $$, '22023');
SELECT throws_ok($$ SELECT wfml.schedule('w1', 'predictive', '{"window": "06:00-06:00"}') $$, '22023', 'window "06:00-06:00" is empty');
SELECT throws_ok($$ SELECT wfml.schedule('w1', 'predictive', '{"window": "24 hours", "deadline": "11:00"}') $$, '22023', '"deadline" is a time of day only when "window" is one');
SELECT throws_ok($$ SELECT wfml.schedule('w1', 'predictive', '{"window": "24 hours", "cooldown": "24 hours"}') $$, '22023', '"cooldown" must be shorter than "window"');
SELECT throws_ok($$ SELECT wfml.schedule(NULL, 'interval') $$, '22004');
SELECT throws_ok($$ SELECT wfml.schedule('w1', 'interval', '{"every": "1 h"}') FROM (SELECT set_config('transaction_read_only', 'on', true)) x $$, '25006');
SET transaction_read_only = off;

-- interval
SELECT wfml.schedule('i', 'interval', '{"every": "15 minutes"}') AS i \gset
SELECT is((SELECT run FROM wfml.should_run('i')), true, 'interval: at once when it never ran');
SELECT is((SELECT count(*) FROM wfml.claim_due(now() + interval '1 minute')), 1::bigint, 'it is claimed');
SELECT is((SELECT count(*) FROM wfml.claim_due(now() + interval '1 minute')), 0::bigint, 'once');
SELECT is((SELECT run FROM wfml.should_run('i', now() + interval '10 minutes')), false, 'not again before its time');
SELECT is((SELECT count(*) FROM wfml.due_workflows(now() + interval '16 minutes')), 1::bigint, 'again after it');
SELECT is((SELECT count(*) FROM wfml.claim_due(now() + interval '10 hours')), 1::bigint, 'missed times fire once');
SELECT is((SELECT count(*) FROM wfml.claim_due(now() + interval '10 hours')), 0::bigint, 'once only');
SELECT ok((SELECT next_at BETWEEN now() + interval '10 hours' AND now() + interval '10 hours 15 minutes' FROM wfml.schedules WHERE workflow_id = 'i'), 'and the grid is kept');
SELECT is(wfml.next_of_grid('2026-01-31', '1 month', '2026-05-15'), '2026-05-31'::timestamptz, 'months are no number of days');
SELECT is(wfml.next_of_grid('2026-01-01', '1 second', '2126-01-01 00:00:00.5'), '2126-01-01 00:00:01'::timestamptz, 'a century of seconds is no long way');
SELECT is((SELECT array_agg(wfml.next_of_grid('2026-01-31 02:30', e, '2031-05-15')) FROM unnest('{1 day,1 week,36 hours,1 year}'::interval[]) e),
    (SELECT array_agg((SELECT min(t) FROM generate_series(timestamptz '2026-01-31 02:30', '2033-01-01', e) t WHERE t > '2031-05-15') ORDER BY o) FROM unnest('{1 day,1 week,36 hours,1 year}'::interval[]) WITH ORDINALITY u (e, o)), 'it is the first that comes');
SET TimeZone = 'Europe/Berlin';
SELECT is(wfml.next_of_grid('2026-01-31 02:30', '1 day', '2026-10-25 02:29'), '2026-10-25 02:30'::timestamptz, 'where the clocks change, days of 23 and 25 hours');
SELECT is(wfml.next_of_grid('2026-10-24 12:00', '1 hour', '2026-10-25 12:00'), '2026-10-25 13:00'::timestamptz, 'but hours of 60 minutes');
SET TimeZone = 'UTC';
SELECT throws_ok($$ SELECT wfml.next_of_grid('2026-01-01', '-1 second', '2026-01-02') $$, '22023', NULL, 'no grid goes back');
SELECT throws_ok($$ SELECT wfml.put_schedule('evil', 'interval', '{"every": "-1 s"}', now()) $$, '22023', NULL, 'nor is one stored that was not checked');
SELECT is(wfml.enable_schedule(:i, false), true, 'paused');
SELECT is((SELECT reason FROM wfml.should_run('i', now() + interval '20 hours')), 'the schedule is paused', 'a paused one does not run');
SELECT is((SELECT count(*) FROM wfml.claim_due(now() + interval '20 hours')), 0::bigint, 'nor is it claimed');

-- cron
SELECT wfml.schedule('c', 'cron', '{"cron": "30 6 * * *", "timezone": "Europe/Berlin"}') AS c \gset
SELECT is((SELECT next_at FROM wfml.schedules WHERE workflow_id = 'c'), wfml.cron_next('30 6 * * *', now(), 'Europe/Berlin'), 'cron: next time');
SELECT is((SELECT run FROM wfml.should_run('c')), false, 'not before');
SELECT is((SELECT count(*) FROM wfml.claim_due(now() + interval '5 days')), 1::bigint, 'missed ones fire once');
SELECT is((SELECT next_at FROM wfml.schedules WHERE workflow_id = 'c'), wfml.cron_next('30 6 * * *', now() + interval '5 days', 'Europe/Berlin'), 'then the next one after that');
SELECT is(wfml.unschedule('c'), true, 'unscheduled');
SELECT is(wfml.unschedule('c'), false, 'which it then is');

-- event
SELECT wfml.schedule('e', 'event', '{"event": "order", "cooldown": "1 hour"}') AS e \gset
SELECT is((SELECT reason FROM wfml.should_run('e', now() - interval '1 year')), 'the schedule was made later', 'a moment before there was a schedule');
SELECT is((SELECT run FROM wfml.should_run('e', now() + interval '1 second')), false, 'event: not without one');
INSERT INTO shop.event VALUES ('u1', 'visit', now() + interval '1 minute');
SELECT is((SELECT run FROM wfml.should_run('e', now() + interval '2 minutes')), false, 'another event is none');
INSERT INTO shop.event VALUES ('u1', 'order', clock_timestamp() + interval '1 minute');
SELECT is((SELECT run FROM wfml.should_run('e', clock_timestamp() + interval '2 minutes')), true, 'the event fires it');
SELECT is((SELECT count(*) FROM wfml.claim_due(clock_timestamp() + interval '2 minutes')), 1::bigint, 'claimed');
INSERT INTO shop.event VALUES ('u1', 'order', clock_timestamp() + interval '3 minutes');
SELECT is((SELECT reason FROM wfml.should_run('e', clock_timestamp() + interval '4 minutes')), 'cooldown', 'cooldown');
SELECT is((SELECT count(*) FROM wfml.claim_due(clock_timestamp() + interval '2 hours')), 1::bigint, 'what came meanwhile is not lost');
SELECT is((SELECT count(*) FROM wfml.claim_due(clock_timestamp() + interval '4 hours')), 0::bigint, 'one event fires once');
SELECT wfml.unschedule('e') \gset

-- sequence: after a comes b
INSERT INTO shop.event SELECT 'u2', CASE WHEN i % 2 = 0 THEN 'b' ELSE 'a' END, now() + interval '1 day' + i * interval '1 minute' FROM generate_series(1, 21) i;
SELECT wfml.schedule('s', 'sequence', '{"event": "b", "user_id": "u2", "threshold": 0.8}') AS s \gset
SELECT results_eq($$ SELECT run, probability, source FROM wfml.should_run('s', now() + interval '1 day 21 minutes 5 seconds') $$, $$ VALUES (true, 1::float8, 'rule') $$, 'sequence: the predicted event fires it, by rule');
SELECT is((SELECT run FROM wfml.should_run('s', now() + interval '1 day 20 minutes 5 seconds')), false, 'another one does not');
SELECT is((SELECT count(*) FROM wfml.claim_due(now() + interval '1 day 21 minutes 5 seconds') WHERE workflow_id = 's'), 1::bigint, 'claimed');
SELECT is((SELECT reason FROM wfml.should_run('s', now() + interval '1 day 22 minutes')), 'cooldown', 'an hour of cooldown');
SELECT wfml.unschedule('s') \gset

-- best_times: the rule
SELECT ok((SELECT bool_and(EXTRACT(hour FROM at) BETWEEN 10 AND 13 AND support >= 5 AND source = 'rule' AND lower < probability)
    FROM wfml.best_times('w1', '2026-03-09', '2026-03-10', n => 3)), 'best_times: the good hours, by rule');
SELECT ok((SELECT bool_and(lower IS NULL AND reason LIKE 'no support: 0 runs%') FROM wfml.best_times('w1', '2026-03-09', '2026-03-09 05:00')), 'no support at night');
SELECT is((SELECT count(*) FROM wfml.best_times('w1', '2026-03-09', '2026-03-16', n => 1000)), 168::bigint, 'every hour of a week');
SELECT is((SELECT count(*) FROM wfml.best_times('w1', '2026-03-09', '2026-03-09')), 0::bigint, 'no time, no answer');
SELECT is((SELECT min(support) FROM wfml.best_times('nobody', '2026-03-09', '2026-03-10')), 0, 'an unknown workflow has no support');
SELECT throws_ok($$ SELECT wfml.best_times('w1', step => '1 month') $$, '22023');
SELECT throws_ok($$ SELECT wfml.best_times('w1', until => 'infinity') $$, '54000');
SELECT is((SELECT expected_duration FROM wfml.best_times('w1', '2026-03-09', '2026-03-10', n => 1)), '90 seconds'::interval, 'expected duration');

-- predictive
SELECT wfml.schedule('w1', 'predictive', '{"window": "07:00-18:00", "deadline": "16:00", "min_probability": 0.2}') AS p \gset
SELECT is((SELECT reason FROM wfml.should_run('w1', '2027-03-08 06:30')), 'the deadline has passed', 'predictive: a day that was missed is made up for, late');
SELECT is((SELECT run FROM wfml.should_run('w1', '2027-03-08 07:30')), false, 'not in a poor hour');
SELECT is((SELECT bool_or(run) FROM generate_series(timestamptz '2027-03-08 10:10', '2027-03-08 13:10', '1 hour') t, wfml.should_run('w1', t)), true, 'in the best hour');
SELECT is((SELECT reason FROM wfml.should_run('w1', '2027-03-08 16:05')), 'the deadline has passed', 'at the deadline whatever the model says');
SELECT is((SELECT count(*) FROM wfml.claim_due('2027-03-08 16:05') WHERE workflow_id = 'w1'), 1::bigint, 'claimed');
SELECT is((SELECT reason FROM wfml.should_run('w1', '2027-03-08 17:00')), 'it ran in this window', 'once in a window');
SELECT is((SELECT run FROM wfml.should_run('w1', '2027-03-09 07:30')), false, 'the next day anew');
SELECT wfml.schedule('w2', 'predictive', '{"window": "07:00-18:00", "min_probability": 0.99}') AS p2 \gset
SELECT is((SELECT reason FROM wfml.should_run('w2', '2027-03-08 06:30')), 'the window is closed', 'before the window, without a deadline');
SELECT is((SELECT bool_or(run) FROM generate_series(timestamptz '2027-03-08 07:10', '2027-03-08 17:10', '1 hour') t, wfml.should_run('w2', t)), false, 'never under min_probability');
SELECT wfml.schedule('w2', 'predictive', '{"window": "24 hours"}') AS p2 \gset
SELECT is((SELECT count(*) FROM (SELECT now() + i * interval '1 hour' AS t FROM generate_series(0, 47) i) x, wfml.claim_due(t, NULL) c WHERE c.workflow_id = 'w2') BETWEEN 1 AND 4, true, 'windows of 24 hours: once in each, 12 hours apart at least');

-- decisions
SELECT is((SELECT count(DISTINCT run) FROM wfml.should_run('i'), generate_series(1, 3)), 1::bigint, 'asked again');
SELECT count(*) AS before, max(times) AS times FROM wfml.decisions WHERE workflow_id = 'i' \gset
SELECT run FROM wfml.should_run('i') \gset
SELECT is((SELECT count(*) FROM wfml.decisions WHERE workflow_id = 'i'), :before::bigint, 'a repetition is counted, not added');
BEGIN READ ONLY;
SELECT is((SELECT run FROM wfml.should_run('w1', '2027-03-09 07:30')), false, 'should_run() works in a read-only transaction');
SELECT lives_ok($$ SELECT * FROM wfml.due_workflows('2027-03-12') $$, 'and due_workflows()');
SELECT throws_ok($$ SELECT * FROM wfml.claim_due('2030-03-12') $$, '25006', NULL, 'claiming does not');
COMMIT;
SELECT is((SELECT run FROM wfml.should_run('never seen')), true, 'no schedule: advice');
RESET ROLE;
UPDATE wfml.schedule_decision SET noted_at = noted_at - interval '100 days' WHERE workflow_id = 'i';
SET ROLE wfml_planner;
SELECT ok(wfml.prune_decisions() > 0, 'old decisions go');

-- strangers
SET ROLE wfml_other;
SELECT is((SELECT count(*) FROM wfml.schedules) + (SELECT count(*) FROM wfml.decisions), 0::bigint, 'a stranger sees nothing');
SELECT is(wfml.remove_schedule(:p), false, 'removes nothing');
SELECT is(wfml.stamp_schedule(:p2, NULL, NULL, now(), now(), NULL) OR wfml.enable_schedule(:p2, false), false, 'claims and pauses nothing');
SELECT is((SELECT count(*) FROM wfml.claim_due('2030-01-01')), 0::bigint, 'and is handed nothing');
RESET ROLE;

-- A dispatcher that has the owner's rights decides by the owner's data and models, whatever it has bound itself.
CREATE ROLE "wfml Dispatcher" IN ROLE wfml_planner;
CREATE SCHEMA far AUTHORIZATION "wfml Dispatcher";
SET ROLE wfml_planner;
SELECT wfml.schedule('own', 'event', '{"event": "alarm"}') AS own \gset
INSERT INTO shop.event VALUES ('u9', 'alarm', clock_timestamp() + interval '1 second');
SELECT wfml.schedule('plain', 'interval', '{"every": "1 hour"}') AS plain \gset
SELECT wfml.schedule('w2', 'predictive', '{"window": "07:00-18:00"}') AS p2 \gset
SET ROLE "wfml Dispatcher";
SELECT is((SELECT run FROM wfml.should_run('own', now() + interval '1 minute')), true, 'should_run() of a member: by the owner''s events');
CREATE TABLE far.event (user_id text, event text, at timestamptz);
CREATE TABLE far.run (workflow_id text, started_at timestamptz, finished_at timestamptz, succeeded boolean);
SELECT wfml.bind('events', 'far.event');
SELECT wfml.bind('runs', 'far.run');
SELECT is((SELECT run FROM wfml.should_run('own', now() + interval '1 minute')), true, 'also when he has bound other events');
SELECT is((SELECT count(*) FROM wfml.due_workflows(now() + interval '1 minute') WHERE workflow_id = 'own'), 1::bigint, 'so due_workflows()');
SELECT run FROM wfml.should_run('w2', '2027-03-09 07:30') \gset
SELECT is((SELECT max((a ->> 'support')::int) > 5 FROM wfml.decisions d, jsonb_array_elements(d.alternatives) a WHERE d.workflow_id = 'w2' AND NOT d.run), true, 'and hours are those of the owner''s runs');
SELECT is((SELECT current_user), 'wfml Dispatcher', 'who is himself again');
SELECT is((SELECT count(*) FROM wfml.simulate_schedule('2026-02-01', '2026-03-06')), 0::bigint, 'simulate_schedule() is of his own schedules');
SELECT is(wfml.schedule('own', 'interval', '{"every": "1 day"}') <> :own, true, 'he may have a schedule of the same workflow');
SELECT is((SELECT reason LIKE 'due since%' FROM wfml.should_run('own', now() + interval '1 minute')), true, 'which is the one that he asks about, whatever letters his name has');
SELECT is(wfml.unschedule('own'), true, 'and forgets');
RESET ROLE;
SELECT is((SELECT count(*) FROM wfml.claim_due(now() + interval '1 minute') WHERE workflow_id IN ('own', 'plain')), 2::bigint, 'a superuser, who has bound nothing, claims too');
SET ROLE wfml_planner;
SELECT is((SELECT count(*) FROM wfml.decisions WHERE workflow_id IN ('own', 'plain') AND claimed AND owner = 'wfml_planner'::regrole), 2::bigint, 'and the owner sees that in his decisions');
SET ROLE wfml_other;
SELECT throws_ok(format('SELECT wfml.decide_as_owner(ROW(1, %s, ''w1'', ''interval'', ''{}'', true, now(), NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL)::wfml.schedules, now())', 'wfml_planner'::regrole::oid), '42501', NULL, 'a stranger does not decide as the owner');

-- What cannot be judged does not keep back what runs anyhow.
SET ROLE wfml_planner;
ALTER TABLE shop.run RENAME COLUMN succeeded TO went_well;
SELECT is((SELECT run FROM wfml.should_run('plain', now() + interval '3 hours')), true, 'an interval fires though the bound runs cannot be read');
SELECT results_eq($$ SELECT run, reason LIKE 'the deadline has passed; hours cannot be judged: %' FROM wfml.should_run('w1', '2027-03-10 16:05') $$, $$ VALUES (true, true) $$, 'and so does a deadline');
ALTER TABLE shop.run RENAME COLUMN went_well TO succeeded;
SELECT throws_ok($$ SELECT * FROM wfml.put_schedule('x', 'cron', '{"cron": "x; DROP TABLE shop.run"}', now()) $$, '22023', NULL, 'a spec is data');
RESET ROLE;
DELETE FROM wfml.source_binding WHERE owner = '"wfml Dispatcher"'::regrole;
DELETE FROM wfml.schedule_decision WHERE owner = '"wfml Dispatcher"'::regrole;
DROP OWNED BY "wfml Dispatcher";
DROP ROLE "wfml Dispatcher";

-- simulation: predicted hours are near the truth, 0.9; the runs are at 0.66
SET ROLE wfml_planner;
SELECT ok((SELECT abs(predicted - 0.9) < 0.06 AND reason IS NULL AND effective_runs >= 100 AND lower < predicted AND actual < 0.75
    FROM wfml.simulate_schedule('2026-02-01', '2026-03-06') WHERE workflow_id IS NULL), 'simulate_schedule() finds the success rate that the good hours have');
SELECT ok((SELECT predicted IS NULL AND reason LIKE '%100 are needed' FROM wfml.simulate_schedule('2026-03-04', '2026-03-06') WHERE workflow_id IS NULL), 'and says nothing of few runs');

RESET ROLE;
SELECT * FROM finish();
DROP OWNED BY wfml_planner, wfml_other;
DELETE FROM wfml.schedule WHERE owner = 'wfml_planner'::regrole;
DELETE FROM wfml.schedule_decision WHERE owner = 'wfml_planner'::regrole;
DELETE FROM wfml.source_binding WHERE owner = 'wfml_planner'::regrole;
DROP ROLE wfml_planner, wfml_other;
