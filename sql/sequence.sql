-- Sequences: what comes next in a case, and when.

-- A help desk: a ticket is opened, assigned, perhaps escalated, solved, closed;
-- every seventh one waits for the customer first.
CREATE TABLE ticket_event (
	ticket int,
	activity text,
	at timestamptz,
	place int
);
INSERT INTO ticket_event
SELECT t, activity, '2024-03-04 09:00+00'::timestamptz + t * interval '37 min' + place * interval '2 h'
	+ CASE WHEN activity = 'close' THEN interval '1 day' ELSE '0' END, place
FROM generate_series(1, 210) t,
	unnest(CASE WHEN t % 7 = 0 THEN '{open,assign,wait,assign,solve,close}'::text[]
		WHEN t % 3 = 0 THEN '{open,assign,escalate,solve,close}'
		ELSE '{open,assign,solve,close}' END) WITH ORDINALITY u(activity, place);

-- What training would see, without training.
SELECT column_name, type, role, n_distinct, nulls, note
FROM wfml.inspect_sequence('ticket_event', 'ticket', 'activity', 'at')
WHERE column_name NOT IN ('(seconds)', '(memory)', '(model)');

-- One call.  A fifth of the cases is kept out to measure with; the baseline is
-- a table of what follows what.
SELECT model, version, algorithm, task, rows, features, metric, score >= baseline AS good, positive
FROM wfml.train_sequence('tickets', 'ticket_event', 'ticket', 'activity', 'at');
SELECT metric, value IS NOT NULL AS value, baseline IS NOT NULL AS baseline, split
FROM wfml.metrics('tickets') WHERE metric NOT LIKE '%:%';

-- What comes next; the end of the case is one of the answers.
SELECT event, is_end, probability > 0.9 AS sure, rank
FROM wfml.next_event('tickets', '{open,assign,wait,assign,solve}', 1);
SELECT event, is_end, probability > 0.9 AS sure, rank
FROM wfml.next_event('tickets', ARRAY['open', 'assign', 'solve', 'close'], n => 1);
SELECT event, probability > 0.1 AS likely FROM wfml.next_event('tickets', '{open,assign}');

-- With the times of the events.
SELECT event FROM wfml.next_event('tickets', '{open,assign}', 1, ARRAY['2024-06-03 10:00', '2024-06-03 12:00']::timestamptz[]);

-- When: a ticket is closed a day after it was solved.
SELECT wfml.next_event_time('tickets', '{open,assign,solve}') BETWEEN '20 hours' AND '32 hours' AS a_day,
	wfml.next_event_time('tickets', '{open}') BETWEEN '1 hour' AND '4 hours' AS some_hours,
	wfml.next_event_time('tickets', '{}') IS NULL AS nothing;

-- How ordinary a case is.
SELECT wfml.sequence_score('tickets', '{open,assign,solve,close}') > -0.5 AS ordinary,
	wfml.sequence_score('tickets', '{close,solve,assign,open}') < -2 AS odd;

-- What training never saw is answered too, and the source says by whom.
SELECT event, source FROM wfml.next_event('tickets', '{}', 1);
SELECT count(*), min(source) AS source FROM wfml.next_event('tickets', '{open,teleport}');
SELECT count(*) FROM wfml.next_event('tickets', '{open,assign,NULL}');

-- For every case of a table: an aggregate, and a window function to follow it.
SELECT ticket, (n).event, (n).is_end
FROM (SELECT ticket, wfml.next_event_agg('tickets', activity, at ORDER BY at) AS n
	FROM ticket_event WHERE ticket IN (6, 7, 8) AND place <= 4 GROUP BY ticket) t
ORDER BY ticket;
SELECT place, activity, (wfml.next_event_agg('tickets', activity, at) OVER (ORDER BY at)).event AS next
FROM ticket_event WHERE ticket = 6;

-- Events may be of any type, and times may be numbers, which only order.
SELECT rows, features FROM wfml.train_sequence('numbers', 'SELECT i / 6 AS id, i % 6 AS step, i AS place FROM generate_series(0, 299) i',
	'id', 'step', 'place');
SELECT event, is_end, probability > 0.9 AS sure FROM wfml.next_event('numbers', ARRAY[0, 1, 2], 1);
SELECT wfml.next_event_time('numbers', ARRAY[0, 1, 2]) IS NULL AS not_known;

-- Events at one time are ordered by a column of one's choice, else by their text.
SELECT version FROM wfml.train_sequence('numbers', 'SELECT i / 6 AS id, i % 6 AS step, i AS place, ''2024-01-01''::date AS day FROM generate_series(0, 299) i',
	'id', 'step', 'day', '{"tie_column": "place", "validation": "none"}');

-- Rows without a case, an event or a time are left out.
SELECT rows FROM wfml.train_sequence('gaps',
	$$SELECT CASE WHEN i % 50 > 0 THEN i / 6 END AS id, CASE WHEN i % 40 > 0 THEN i % 6 END AS step,
		CASE WHEN i % 30 > 0 THEN '2024-01-01'::timestamp + i * interval '1 min' WHEN i % 60 > 0 THEN 'infinity' END AS at
	FROM generate_series(0, 299) i$$, 'id', 'step', 'at', '{"validation": "none"}');

-- A sequence model is a model like others.
SELECT name, version, algorithm, task, metric FROM wfml.models WHERE algorithm = 'sequence' ORDER BY name;
SELECT wfml.model_info('tickets') -> 'events' AS events;
SELECT wfml.rename_model('gaps', 'holes');
SELECT wfml.drop_model('holes');

-- Errors name what is wrong.
SELECT wfml.train_sequence('x', 'ticket_event', 'case', 'activity', 'time');
SELECT wfml.train_sequence('x', 'ticket_event', 'ticket', 'activity', 'activity');
SELECT wfml.train_sequence('x', 'ticket_event', 'ticket', 'activity', 'at', '{"hidden": 0}');
SELECT wfml.train_sequence('x', 'SELECT * FROM ticket_event WHERE false', 'ticket', 'activity', 'at');
SELECT wfml.train_sequence('x', 'SELECT ticket, NULL::text AS activity, at FROM ticket_event', 'ticket', 'activity', 'at');
SELECT * FROM wfml.next_event('tickets', '{open,assign}', times => ARRAY[now()]);
SELECT * FROM wfml.next_event('tickets', '{open,assign}', -1);
SELECT * FROM wfml.next_event('tickets', 'open');
SELECT wfml.next_event_agg(CASE place WHEN 1 THEN 'tickets' ELSE 'numbers' END, activity, at ORDER BY at) FROM ticket_event WHERE ticket = 1;
SELECT * FROM wfml.next_event('ticket', '{open}');
SELECT wfml.predict('tickets', '{"activity": "open"}');
SELECT wfml.train('x', 'sequence', 'ticket_event', 'activity');

DROP TABLE ticket_event;
SELECT count(wfml.drop_model(name)) FROM wfml.models WHERE algorithm = 'sequence';
