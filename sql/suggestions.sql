-- What to automate next, what a user does next, what he may like: first by rule, then by model.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
RESET client_min_messages;
SET TimeZone = 'UTC';

-- An office. Clerks file invoices in the morning, sellers send offers in the afternoon; one thing is automated.
CREATE TABLE done AS
SELECT (ARRAY['clerk', 'seller'])[1 + u % 2] || u AS user_id, e.event,
	timestamptz '2026-01-05' + d * interval '1 day' + ((9 + u % 2 * 5) * 60 + e.minute) * interval '1 minute' AS at
FROM generate_series(1, 12) u, generate_series(0, 19) d,
	(VALUES (0, 'open_mail', 1), (0, 'save_invoice', 4), (0, 'book_invoice', 7), (0, 'pay_invoice', 12),
		(1, 'find_customer', 1), (1, 'write_offer', 9), (1, 'send_offer', 11)) e (role, event, minute)
WHERE u % 2 = e.role AND (u + d) % 5 > 0;
CREATE TABLE flow (workflow_id text PRIMARY KEY, name text, events text[], category text);
INSERT INTO flow VALUES ('f1', 'Offer mailer', '{find_customer,write_offer,send_offer,notify}', 'sales'),
	('f2', 'Invoice archive', '{save_invoice,archive}', 'finance'), ('f3', 'Payment check', '{pay_invoice,check}', 'finance'), ('f4', 'Mail digest', '{open_mail,digest}', 'office');
CREATE TABLE usage AS
SELECT DISTINCT user_id, w AS workflow_id, 1 AS weight FROM done, unnest(CASE WHEN user_id LIKE 'clerk%' THEN '{f2,f3,f4}'::text[] ELSE '{f1,f4}' END) w
WHERE user_id || w NOT IN ('clerk2f3', 'clerk4f2', 'seller1f4');

-- Nothing is bound yet.
\set SHOW_CONTEXT never
SELECT * FROM wfml.suggest();
SELECT wfml.bind('events', 'done');
SELECT wfml.bind('workflows', 'flow');
SELECT wfml.bind('usage', 'usage');

-- By rule: what is done again and again and by no workflow, most alike to finance.
SELECT events, category, round(confidence::numeric, 2) AS confidence, round(score::numeric, 2) AS score, explanation, source FROM wfml.suggest();
SELECT event, is_end, round(probability::numeric, 2) AS probability, rank, source FROM wfml.next_workflow_events('clerk2', at => '2026-01-07 09:08');
SELECT workflow_id, name, reason, source FROM wfml.recommend_workflows('clerk2');

-- What was labelled and judged before teaches the models.
SET client_min_messages = error;
CREATE TABLE labelled AS
SELECT (CASE WHEN g % 2 = 0 THEN ARRAY['open_mail', 'save_invoice', 'book_invoice', 'pay_invoice', 'scan'] ELSE ARRAY['find_customer', 'write_offer', 'send_offer', 'call'] END)
		[1 + g % 3 : 3 + g % 2 + g % 3] AS events, CASE WHEN g % 2 = 0 THEN 'finance' ELSE 'sales' END AS category,
	(g * 7 % 50) / 100.0 AS support, g * 13 % 40 AS users, 1 + g % 9 AS lift, (g * 13 % 40) / 40.0 * 0.8 + 0.1 AS score
FROM generate_series(1, 300) g;
SELECT wfml.bind('patterns', 'labelled');
SELECT wfml.bind('suggestions', 'SELECT events, support, users, lift, score FROM labelled');
SELECT t.model, t.algorithm, t.task, t.rows
FROM unnest('{pattern_classifier,suggestion_scorer,sequence_predictor,workflow_recommender}'::text[]) k, wfml.train_one(k) t;

SELECT events, category, score BETWEEN 0 AND 1 AS scored, users, source FROM wfml.suggest('clerk2');
SELECT split_part(explanation, ';', 1) AS for_it FROM wfml.score_suggestion(ROW('{save_invoice,pay_invoice}', 2, 0.2, 39, 4, NULL, NULL, NULL)::wfml.pattern);
SELECT category, source FROM wfml.classify_pattern(jsonb_populate_record(NULL::wfml.pattern, '{"events": ["write_offer", "send_offer", "call"]}'));
SELECT event, is_end, probability > 0.5 AS likely, rank, source FROM wfml.next_workflow_events('clerk2', 1, '2026-01-07 09:08');
SELECT workflow_id, name, reason, source FROM wfml.recommend_workflows('clerk2', 1);

-- One category teaches nothing.
SELECT wfml.bind('patterns', $$SELECT * FROM labelled WHERE category = 'sales'$$);
SELECT * FROM wfml.train_pattern_classifier();

SELECT wfml.unbind(kind) FROM wfml.sources ORDER BY kind;
SELECT wfml.drop_model(m) FROM unnest('{pattern_classifier,suggestion_scorer,sequence_predictor,workflow_recommender}'::text[]) m;
DROP TABLE done, flow, usage, labelled;
RESET client_min_messages;
RESET TimeZone;
