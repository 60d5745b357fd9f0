-- What patterns, suggestions, sessions and usage teach, and what the rules say
-- without them: on a small platform of generate_demo(), and on rows whose
-- answers are known.

\set QUIET 1
SET client_min_messages = warning;
BEGIN;
SELECT * FROM no_plan();

CREATE FUNCTION hint(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE query;
    RETURN 'no error';
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS result = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ' ' || result;
END $$;
CREATE FUNCTION pattern(events text[], n_events int DEFAULT NULL, support float8 DEFAULT NULL, users bigint DEFAULT NULL, lift float8 DEFAULT NULL,
    typical_hour float8 DEFAULT NULL, weekday_share float8 DEFAULT NULL, gap interval DEFAULT NULL) RETURNS wfml.pattern LANGUAGE sql
    RETURN ROW(events, n_events, support, users, lift, typical_hour, weekday_share, gap)::wfml.pattern;

-- ---- nothing bound, nothing trained ----

SELECT results_eq($$SELECT * FROM wfml.classify_pattern(pattern('{a,b}'))$$, $$VALUES ('uncategorized', NULL::float8, 'rule')$$,
    'a pattern is uncategorized as long as nothing is known');
SELECT results_eq($$SELECT score, explanation, contributions, source FROM wfml.score_suggestion(pattern('{a,b,c,d}', 4, 0.05, 10, 6))$$,
    $$VALUES (0.5::float8, 'in 5 % of sessions, done by 10 users, 6.0 times as often as by chance, saves 4 steps',
        '{"users": 0.15, "support": 0.15, "lift": 0.1, "n_events": 0.1}'::jsonb, 'rule')$$, 'the score by rule: each part at its half');
SELECT is((SELECT score FROM wfml.score_suggestion(pattern('{a}'))), 0::float8, 'what is not known adds nothing to it');
SELECT ok((SELECT score BETWEEN 0.99 AND 1 FROM wfml.score_suggestion(pattern('{a}', 1000000, 1e6, 100000000, 'infinity'))), 'it stays below 1, whatever comes');
SELECT ok(bool_and(score = 0 AND explanation IS NULL), 'what makes no sense neither') FROM wfml.score_suggestion(pattern('{a}', -3, 'NaN', -10, 'NaN', 'NaN', 'NaN', '-1 day'));
SELECT is((SELECT score FROM wfml.score_suggestion(pattern('{a}', 1, -0.05, -10, -4))), 0::float8, 'nor do numbers below zero');
SELECT is(wfml.suggestion_words(pattern('{a}', 1, x, 1, 'NaN', x, x, '-1 day'), f), NULL, f || ' of ' || x || ' has no words')
FROM unnest('{NaN,-1,Infinity}'::float8[]) x, unnest('{support,lift,typical_hour,weekday_share,gap_seconds}'::text[]) f;
SELECT results_eq($$SELECT category, source FROM wfml.classify_pattern(NULL)$$, $$VALUES (NULL::text, NULL::text)$$, 'no pattern, no category');
SELECT results_eq($$SELECT score, source FROM wfml.score_suggestion(NULL)$$, $$VALUES (NULL::float8, NULL::text)$$, 'nor a score');
SELECT throws_ok(q, '42704', NULL, q || ' needs a source') FROM unnest(ARRAY['SELECT wfml.train_pattern_classifier()', 'SELECT wfml.train_suggestion_scorer()',
    'SELECT wfml.train_sequence_predictor()', 'SELECT wfml.train_workflow_recommender()', 'SELECT wfml.suggest()',
    $$SELECT wfml.next_workflow_events('u')$$, $$SELECT wfml.recommend_workflows('u')$$]) q;
SELECT matches(hint($$SELECT wfml.recommend_workflows('u')$$), 'wfml.bind\(''usage''', 'the hint says what to bind');
SELECT is(wfml.distinct_events('{b,a,b,NULL,aa,a}'), 3, 'different events are counted, NULL is none');
SELECT is(wfml.distinct_events('{}'), 0, 'none in an empty array');

-- ---- rules on known rows ----

CREATE TABLE flow (workflow_id int, name text, events text[], category text);
INSERT INTO flow VALUES (1, 'Invoices', '{mail,ocr,book,pay}', 'finance'), (2, 'Leads', '{form,crm,mail}', 'sales'), (3, 'Nameless', '{mail,ocr}', NULL);
SELECT wfml.bind('workflows', 'flow') \g /dev/null
SELECT results_eq($$SELECT * FROM wfml.classify_pattern(pattern('{ocr,pay,ocr,file}'))$$, $$VALUES ('finance', 0.4::float8, 'rule')$$,
    'by rule: two events in common of the five of both');
SELECT results_eq($$SELECT * FROM wfml.classify_pattern(pattern('{mail}'))$$, $$VALUES ('sales', 1 / 3::float8, 'rule')$$, 'the closer one of two');
SELECT results_eq($$SELECT * FROM wfml.classify_pattern(pattern('{ocr,pay,NULL,file}'))$$, $$VALUES ('finance', 0.4::float8, 'rule')$$, 'NULL is no event');
SELECT results_eq($$SELECT * FROM wfml.classify_pattern(pattern('{swim}'))$$, $$VALUES ('uncategorized', NULL::float8, 'rule')$$, 'nothing in common');

CREATE TABLE doing (user_id text, event text, at timestamptz);
INSERT INTO doing
SELECT u, e, timestamptz '2026-02-02 09:00Z' + d * interval '1 day' + n * interval '1 minute'
FROM (VALUES ('ann', '{a,b,c}'::text[]), ('bob', '{a,b,d}'), ('cyd', '{a,b,c}')) v(u, events), generate_series(0, 1) d, unnest(events) WITH ORDINALITY x(e, n);
SELECT wfml.bind('events', 'doing') \g /dev/null
SELECT results_eq($$SELECT event, is_end, round(probability::numeric, 3), rank, source FROM wfml.next_workflow_events('ann', at => '2026-02-03 09:02Z')$$,
    $$VALUES ('c', false, 0.667, 1, 'rule'), ('d', false, 0.333, 2, 'rule')$$, 'by rule: what mostly follows');
SELECT results_eq($$SELECT event, is_end, probability, rank FROM wfml.next_workflow_events('ann')$$,
    $$VALUES (NULL::text, true, 1::float8, 1)$$, 'nothing but the end behind c');
SELECT results_eq($$SELECT event, rank FROM wfml.next_workflow_events('ann', 2, '2026-02-03 11:00Z')$$, $$VALUES ('a', 1), ('b', 2)$$,
    'once the session is over: the most frequent events');
SELECT results_eq($$SELECT event, rank FROM wfml.next_workflow_events('nobody', 1)$$, $$VALUES ('a', 1)$$, 'the same of a stranger');
SELECT results_eq($$SELECT event, rank FROM wfml.next_workflow_events(NULL, 1)$$, $$VALUES ('a', 1)$$, 'and of nobody');
INSERT INTO doing VALUES ('fay', 'a', '2026-02-03 09:00Z'), ('fay', 'z', '-infinity'), ('fay', 'z', 'infinity'), ('fay', 'z', NULL), ('fay', NULL, '2026-02-03 09:01Z');
SELECT results_eq($$SELECT event, source FROM wfml.next_workflow_events('fay', 1)$$, $$VALUES ('b', 'rule')$$, 'what happened at no time is passed over');
SELECT is((SELECT count(*) FROM wfml.next_workflow_events('fay', 1, 'infinity')), 1::bigint, 'the end of time is no error');
SELECT is((SELECT count(*) FROM wfml.detect_anomalies('patterns')), 6::bigint, 'nor are such events to detect_anomalies()');
SELECT is((SELECT task FROM wfml.train_sequence_predictor()), 'sequence', 'nor in training');
SELECT wfml.drop_model('sequence_predictor') \g /dev/null
DELETE FROM doing WHERE user_id = 'fay';
SELECT is((SELECT count(*) FROM wfml.next_workflow_events('ann', 0)), 0::bigint, 'none of none');
SELECT throws_ok($$SELECT wfml.next_workflow_events('ann', -1)$$, '22023', NULL, 'fewer than none is an error');

CREATE TABLE used (user_id text, workflow_id int, weight float8);
INSERT INTO used VALUES ('ann', 1, 3), ('bob', 1, 1), ('bob', 2, 9), ('cyd', 2, 1), ('cyd', 9, 2), ('dan', 9, 50), ('eve', 9, 1), ('eve', 2, 0);
SELECT wfml.bind('usage', 'used') \g /dev/null
SELECT results_eq($$SELECT workflow_id, name, score, reason, source FROM wfml.recommend_workflows('ann')$$,
    $$VALUES ('2', 'Leads', 0.4::float8, '2 users have it', 'rule')$$, 'by rule: what most have and ann has not; the workflow that is gone is not named');
SELECT results_eq($$SELECT workflow_id FROM wfml.recommend_workflows(NULL)$$, $$VALUES ('2'), ('1')$$, 'a stranger is told of all, uses of equal users by weight');
INSERT INTO flow VALUES (8, NULL, NULL, NULL);
INSERT INTO used VALUES ('ann', 8, 1), ('bob', 8, 1), ('cyd', 8, 1), (NULL, 2, 1);
SELECT results_eq($$SELECT workflow_id, name, reason FROM wfml.recommend_workflows('dan', 2)$$, $$VALUES ('8', NULL::text, '3 users have it'), ('2', 'Leads', '2 users have it')$$,
    'one without a name is not gone');
DELETE FROM used WHERE workflow_id = 8 OR user_id IS NULL;
SELECT wfml.unbind('workflows') \g /dev/null
SELECT results_eq($$SELECT workflow_id, name FROM wfml.recommend_workflows('ann')$$, $$VALUES ('9', NULL::text), ('2', NULL)$$, 'without workflows their ids must do');
SELECT throws_ok($$SELECT wfml.recommend_workflows('ann', NULL)$$, '22023', NULL, 'how many must be said');

-- ---- what cannot be learnt from ----

SELECT wfml.bind('patterns', $$SELECT '{a}'::text[] AS events, NULL::text AS category$$) \g /dev/null
SELECT throws_ok('SELECT wfml.train_pattern_classifier()', '22023', 'no pattern that is bound has a category', 'no categories');
SELECT wfml.bind('patterns', $$SELECT '{a}'::text[] AS events, 'x'::text AS category FROM generate_series(1, 30)$$) \g /dev/null
SELECT throws_ok('SELECT wfml.train_pattern_classifier()', '22023', 'all patterns that are bound have the same category', 'one category');
SELECT matches(hint('SELECT wfml.train_pattern_classifier()'), 'two categories at least', 'the hint says how many');
SELECT wfml.bind('suggestions', $$SELECT '{a}'::text[] AS events, NULL::boolean AS accepted$$) \g /dev/null
SELECT throws_ok('SELECT wfml.train_suggestion_scorer()', '22023', 'no suggestion that is bound has a value in column "accepted"', 'no answers');
SELECT wfml.bind('suggestions', $$SELECT '{a}'::text[] AS events, true AS accepted FROM generate_series(1, 30)$$) \g /dev/null
SELECT throws_ok('SELECT wfml.train_suggestion_scorer()', '22023', 'all suggestions that are bound were accepted', 'only good ones');
SELECT wfml.bind('suggestions', $$SELECT '{a}'::text[] AS events, g / 10.0 AS score FROM generate_series(1, 30) g$$) \g /dev/null
SELECT throws_ok('SELECT wfml.train_suggestion_scorer()', '22023', 'scores of suggestions must be from 0 to 1, but there is 3', 'scores of another scale');

-- ---- learnt ----

SELECT count(*) FROM wfml.generate_demo(70, 28, 3) \g /dev/null
SELECT wfml.bind(k, s) FROM (VALUES ('events', 'wfml_demo.event'), ('workflows', 'wfml_demo.workflow'), ('usage', 'wfml_demo.usage'),
    ('patterns', 'SELECT * FROM wfml_demo.pattern WHERE pattern_id % 5 < 4'), ('suggestions', 'SELECT * FROM wfml_demo.suggestion WHERE suggestion_id % 5 < 4')) v(k, s) \g /dev/null
SELECT results_eq($$SELECT source, count(*) FROM wfml.suggest() GROUP BY 1$$, $$VALUES ('rule', 5::bigint)$$, 'suggestions without a model');
SELECT ok(wfml.refresh_needs() > 5, 'needs are kept') ;
SELECT ok(bool_and(wfml.is_subsequence(s.events, t.events) OR wfml.is_subsequence(t.events, s.events)) AND count(*) > 4, 'they are planted ones that nothing does yet')
FROM wfml.suggest(n => 10) s JOIN wfml_demo.truth_pattern t ON t.workflow_id IS NULL AND t.events[1:2] && s.events;
SELECT is((s).task, t, k || ': task') FROM (VALUES ('pattern_classifier', 'classification'), ('suggestion_scorer', 'regression'), ('sequence_predictor', 'sequence'),
    ('workflow_recommender', 'recommendation')) v(k, t), LATERAL wfml.train_one(k) s;
-- the models are seen from the next statement on
SELECT cmp_ok(wfml.accuracy(p.category, c.category), '>', 0.65::float8, 'categories of held-out patterns')
FROM wfml_demo.pattern p, LATERAL wfml.classify_pattern(ROW(p.events, p.n_events, p.support, p.users, p.lift, p.typical_hour, p.weekday_share, p.gap)::wfml.pattern) c
WHERE pattern_id % 5 = 4;
SELECT cmp_ok(wfml.r2(p.score, s.score), '>', 0.7::float8, 'scores of held-out suggestions')
FROM wfml_demo.suggestion p, LATERAL wfml.score_suggestion(ROW(p.events, p.n_events, p.support, p.users, p.lift, p.typical_hour, p.weekday_share, p.gap)::wfml.pattern) s
WHERE suggestion_id % 5 = 4;
SELECT cmp_ok(wfml.f1_score(coalesce(next, '(end)'), coalesce(g.event, '(end)'), 'weighted'), '>', 0.75::float8, 'next events')
FROM (SELECT e.user_id, e.at, t.next FROM wfml_demo.event e JOIN wfml_demo.truth_next t USING (event_id) ORDER BY e.event_id DESC LIMIT 400) l,
    LATERAL wfml.next_workflow_events(l.user_id, 1, l.at) g;

SELECT results_eq($$SELECT source FROM wfml.classify_pattern(pattern('{lead_open,crm_update}'))$$, $$VALUES ('ml')$$, 'the model answers');
SELECT is((SELECT category FROM wfml.classify_pattern(pattern('{lead_open,lead_research,intro_mail,quote_draft}'))), 'sales', 'also of events alone');
SELECT ok((SELECT score BETWEEN 0 AND 1 AND source = 'ml' FROM wfml.score_suggestion(pattern(NULL))), 'nothing known is no error');
SELECT ok(abs(ln(score / (1 - score)) - (SELECT sum(value::float8) FROM jsonb_each_text(contributions))) < 1e-6, 'contributions sum to the log-odds of the score')
FROM wfml.score_suggestion(pattern('{a,b,c}', 3, 0.08, 30, 12, 9.2, 0.9, '3 minutes'));
SELECT ok(good > bad, 'more users, support and lift score better')
FROM (SELECT (wfml.score_suggestion(pattern('{a,b,c}', 6, 0.15, 50, 20, 9.2, 0.9, '1 minute'))).score AS good,
    (wfml.score_suggestion(pattern('{a,b,c}', 3, 0.01, 2, 1.2, 20, 0.9, '100 minutes'))).score AS bad) x;
SELECT matches((wfml.score_suggestion(pattern('{a,b,c}', 6, 0.15, 50, 20, 9.2, 0.9, '1 minute'))).explanation, '^(in 15 % of sessions|done by 50 users|20 times|saves 6|takes 60)',
    'reasons in words');
SELECT matches((wfml.score_suggestion(pattern('{a,b,c}', 6, 0.15, 1, 1.1, 9.2, 0.9, '100 minutes'))).explanation, '; but .*(done by one user|1.1 times|takes 2 hours)', 'and what speaks against it');
SELECT is(wfml.suggestion_words(pattern('{a}', 1, 0.004, 1, 3.25, 23.8, 0.999, '3 days'), f), w, f)
FROM (VALUES ('users', 'done by one user'), ('n_events', 'saves 1 steps'), ('support', 'in 0.4 % of sessions'), ('lift', '3.3 times as often as by chance'),
    ('typical_hour', 'usually at 0'), ('weekday_share', 'on weekdays only'), ('gap_seconds', 'takes 3 days'), ('else', NULL)) v(f, w);
SELECT is(wfml.suggestion_words(pattern('{a}'), 'users'), NULL, 'no words for what is not known');

SELECT results_eq($$SELECT count(*), count(category), count(score), count(explanation), bool_and(source = 'ml'), bool_and(score >= 0 AND score <= 1) FROM wfml.suggest(n => 5)$$,
    $$VALUES (5::bigint, 5::bigint, 5::bigint, 5::bigint, true, true)$$, 'suggestions with both models');
SELECT ok(bool_and(ordered), 'the best come first') FROM (SELECT score <= lag(score, 1, 1::float8) OVER (ORDER BY ordinality) AS ordered FROM wfml.suggest(n => 20) WITH ORDINALITY) x;
SELECT ok(bool_and(category = 'sales') AND count(*) > 0, 'of one category') FROM wfml.suggest(category => 'sales');
SELECT is((SELECT count(*) FROM wfml.suggest(category => 'no such category')), 0::bigint, 'of none');
SELECT ok((array_agg(explanation ORDER BY ordinality))[1] LIKE 'this user does it: %' AND (array_agg(explanation ORDER BY ordinality DESC))[1] NOT LIKE 'this user%',
    'what the user does himself comes before the rest') FROM wfml.suggest('u0001', 20) WITH ORDINALITY;
SELECT set_eq($$SELECT events FROM wfml.suggest('u0001', 20) WHERE explanation LIKE 'this user does it%'$$, $$SELECT events FROM wfml.find_needs(20, 'u0001')$$, 'and that is what his needs are');
SELECT ok(bool_and(r.source = 'ml' AND u.user_id IS NULL AND r.name = w.name) AND count(*) = 3, 'recommended is what he has not')
FROM wfml.recommend_workflows('u0007', 3) r JOIN wfml_demo.workflow w USING (workflow_id) LEFT JOIN wfml_demo.usage u ON u.user_id = 'u0007' AND u.workflow_id = r.workflow_id;
SELECT ok(bool_or(u.user_id IS NOT NULL), 'for something that he has')
FROM wfml.recommend_workflows('u0007', 3) r JOIN wfml_demo.workflow w ON r.reason = 'goes with ' || w.name || ', which this user has'
LEFT JOIN wfml_demo.usage u ON u.user_id = 'u0007' AND u.workflow_id = w.workflow_id;
SELECT results_eq($$SELECT reason, source FROM wfml.recommend_workflows('stranger', 1)$$, $$VALUES ('many users have it', 'ml')$$, 'a stranger gets what many have');
INSERT INTO wfml_demo.usage SELECT 'u0007', workflow_id, 1 FROM wfml.recommend_workflows('u0007', 1);
SELECT is((SELECT count(*) FROM wfml.recommend_workflows('u0007', 40) r JOIN wfml_demo.usage u USING (workflow_id) WHERE u.user_id = 'u0007'), 0::bigint, 'what he has taken up since is not named again');
SELECT ok((SELECT rows > 0 FROM wfml.retrain(k)), k || ' is trained again from its source') FROM unnest('{pattern_classifier,suggestion_scorer,sequence_predictor,workflow_recommender}'::text[]) k;

-- a loss that knows no bounds
SELECT is((SELECT task FROM wfml.train_suggestion_scorer('{"loss": "squared", "rounds": 500}')), 'regression', 'another loss');
SELECT ok(bool_and(s.score BETWEEN 0 AND 1), 'scores are from 0 to 1 nevertheless')
FROM wfml_demo.suggestion p, LATERAL wfml.score_suggestion(ROW(p.events, p.n_events, p.support, p.users, p.lift, p.typical_hour, p.weekday_share, p.gap)::wfml.pattern) s;

-- accepted instead of score
SELECT wfml.bind('suggestions', 'SELECT events, n_events, support, users, lift, typical_hour, weekday_share, gap, accepted FROM wfml_demo.suggestion WHERE suggestion_id % 5 < 4') \g /dev/null
SELECT is((SELECT task FROM wfml.train_suggestion_scorer()), 'classification', 'answers yes and no make a classification');
SELECT cmp_ok(wfml.auc(p.accepted, s.score), '>', 0.75::float8, 'whose score is the probability of a yes')
FROM wfml_demo.suggestion p, LATERAL wfml.score_suggestion(ROW(p.events, p.n_events, p.support, p.users, p.lift, p.typical_hour, p.weekday_share, p.gap)::wfml.pattern) s
WHERE suggestion_id % 5 = 4;

-- ---- somebody's own names before PostgreSQL's ----

CREATE SCHEMA astray;
CREATE DOMAIN astray.text AS pg_catalog.text CHECK (false);
CREATE FUNCTION astray.wrong(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'astray'; END $$;
CREATE OPERATOR astray.= (LEFTARG = pg_catalog.text, RIGHTARG = pg_catalog.text, FUNCTION = astray.wrong);
SET LOCAL search_path = astray, pg_catalog, public;
SELECT FROM wfml.classify_pattern(ROW('{a,b}', 3, 0.08, 30, 12, 9.2, 0.9, '3 minutes')::wfml.pattern) \g /dev/null
SELECT FROM wfml.score_suggestion(ROW('{a,b}', 3, 0.08, 30, 12, 9.2, 0.9, '3 minutes')::wfml.pattern) \g /dev/null
SELECT FROM wfml.next_workflow_events('u0001') \g /dev/null
SELECT FROM wfml.recommend_workflows('u0001') \g /dev/null
SELECT FROM wfml.suggest('u0001') \g /dev/null
RESET search_path;
DROP SCHEMA astray CASCADE;
SELECT pass('it does not matter what stands first in search_path');

-- ---- rights ----

CREATE ROLE wfml_friend;
CREATE ROLE wfml_stranger;
SELECT wfml.grant_source(k, 'wfml_friend') FROM unnest('{events,workflows,usage}'::text[]) k \g /dev/null
SET LOCAL ROLE wfml_friend;
SELECT results_eq($$SELECT DISTINCT source FROM wfml.suggest('u0001')$$, $$VALUES ('rule')$$, 'who is granted the sources only is answered by rule');
RESET ROLE;
SELECT wfml.grant_model(k, 'wfml_friend') FROM unnest('{pattern_classifier,suggestion_scorer,sequence_predictor,workflow_recommender}'::text[]) k \g /dev/null
SET LOCAL ROLE wfml_friend;
SELECT results_eq($$SELECT DISTINCT source FROM wfml.suggest('u0001') UNION ALL SELECT DISTINCT source FROM wfml.recommend_workflows('u0001')
    UNION ALL SELECT DISTINCT source FROM wfml.next_workflow_events('u0001')$$, $$VALUES ('ml'), ('ml'), ('ml')$$, 'and by models with these too');
SELECT throws_ok('SELECT wfml.train_sequence_predictor()', '42501', NULL, 'but trains none of another''s name');
SET LOCAL ROLE wfml_stranger;
SELECT throws_ok(q, '42704', NULL, 'a stranger: ' || q) FROM unnest(ARRAY['SELECT wfml.suggest()', $$SELECT wfml.next_workflow_events('u0001')$$, $$SELECT wfml.recommend_workflows('u0001')$$]) q;
RESET ROLE;
SELECT is((SELECT source FROM wfml.classify_pattern(ROW('{a}', 1, 0.1, 1, 1, 1, 1, '1 s')::wfml.pattern)), 'ml', 'the owner goes on');

SELECT * FROM finish();
ROLLBACK;
