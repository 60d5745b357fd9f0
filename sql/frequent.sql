-- What people do again and again, and which of it nobody has automated.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
RESET client_min_messages;
SET TimeZone = 'UTC';

-- Twelve people on twenty days: every morning an invoice is filed, on even days a report is made,
-- and mail is read here and there.
CREATE TABLE clicks AS
SELECT 'user' || u AS user_id, e.event,
	timestamptz '2026-01-05' + d * interval '1 day' + e.hour * interval '1 hour' + u * interval '1 minute' AS at
FROM generate_series(1, 12) u, generate_series(0, 19) d,
	(VALUES ('open_mail', 9.0, 1), ('save_invoice', 9.1, 1), ('read_mail', 9.15, 3), ('book_invoice', 9.2, 1), ('pay_invoice', 9.4, 1),
		('export_data', 14.0, 2), ('make_chart', 14.3, 2), ('read_mail', 14.4, 3), ('send_report', 14.5, 2)) e (event, hour, every)
WHERE (d + u * (e.every - 1) / 2) % e.every = 0;

-- Closed sequences in cases that the query makes: here a case is a person's day.
SELECT events, round(support::numeric, 3) AS support, users, round(lift::numeric, 2) AS lift, typical_hour, round(weekday_share::numeric, 2) AS weekdays, gap
FROM wfml.frequent_sequences('SELECT user_id || at::date AS day, * FROM clicks', 'day', 'event', 'at',
	min_support => 0.4, max_length => 8, user_column => 'user_id');

-- No more than a quarter of an hour from one event to the next, and short ones.
SELECT events, round(support::numeric, 3) AS support
FROM wfml.frequent_sequences('SELECT user_id || at::date AS day, * FROM clicks', 'day', 'event', 'at',
	min_support => 0.4, max_length => 2, max_gap => '15 minutes');

-- One sequence in another.
SELECT wfml.is_subsequence('{save_invoice,pay_invoice}', '{open_mail,save_invoice,book_invoice,pay_invoice}'),
	wfml.is_subsequence('{pay_invoice,save_invoice}', '{open_mail,save_invoice,book_invoice,pay_invoice}');

-- The application's tables, bound: a pause of more than an hour begins a new session.
CREATE TABLE flows (workflow_id int PRIMARY KEY, name text, events text[]);
INSERT INTO flows VALUES (1, 'weekly figures', '{export_data,make_chart,send_report,archive}');
SELECT wfml.bind('events', 'clicks', session_gap => '1 hour'), wfml.bind('workflows', 'flows');

-- The report has its workflow already.
SELECT events, sessions, users, typical_hour, round(saving::numeric, 2) AS saving, (pattern).gap FROM wfml.workflow_needs();
DELETE FROM flows;
SELECT events, sessions, round(saving::numeric, 2) AS saving FROM wfml.workflow_needs();

-- Kept, so that asking takes no search; then for one person too.
SELECT wfml.refresh_needs();
SELECT events, sessions, round(saving::numeric, 2) AS saving FROM wfml.workflow_needs(1);
SELECT events, sessions, round(saving::numeric, 2) AS saving FROM wfml.workflow_needs(5, 'user3');

-- What can be wrong.
SELECT * FROM wfml.frequent_sequences('clicks', 'person', 'event', 'at');
SELECT * FROM wfml.frequent_sequences('clicks', 'user_id', 'event', 'at', min_support => 5);
SELECT * FROM wfml.frequent_sequences('SELECT user_id, event, 1 AS n FROM clicks', 'user_id', 'event', 'n', max_gap => '1 hour');
SELECT count(*) FROM wfml.frequent_sequences('SELECT i % 3 AS c, i AS n, i / 3 AS e FROM generate_series(1, 200) i', 'c', 'e', 'n');

SELECT wfml.unbind('events'), wfml.unbind('workflows');
SELECT * FROM wfml.workflow_needs();
DROP TABLE clicks, flows;
RESET TimeZone;
