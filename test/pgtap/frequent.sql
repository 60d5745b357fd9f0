-- Frequent sequences and needs through SQL: what is found, types of columns,
-- gaps, NULLs, errors and hints, sessions, what workflows do already, what is
-- kept, rights, and the planted habits of the demo data.

\set QUIET 1
SET client_min_messages = warning;
BEGIN;
SELECT * FROM no_plan();

CREATE FUNCTION state(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE query;
    RETURN 'no error';
EXCEPTION WHEN query_canceled OR others THEN
    RETURN SQLSTATE;
END $$;
CREATE FUNCTION hint(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE query;
    RETURN 'no error';
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS result = PG_EXCEPTION_HINT;
    RETURN result;
END $$;

-- ---- frequent_sequences ----

-- Four cases; Monday 2026-01-05.  a b c in three of them, c to a in none.
SET LOCAL TimeZone = 'UTC';
CREATE TABLE steps (c int, u text, event text, at timestamptz, n int);
INSERT INTO steps VALUES
    (1, 'ann', 'a', '2026-01-05 09:00', 1), (1, 'ann', 'b', '2026-01-05 09:10', 2), (1, 'ann', 'c', '2026-01-05 09:30', 3),
    (2, 'bob', 'a', '2026-01-06 11:00', 1), (2, 'bob', 'x', '2026-01-06 11:05', 2), (2, 'bob', 'b', '2026-01-06 11:20', 3), (2, 'bob', 'c', '2026-01-06 11:40', 4),
    (3, 'ann', 'a', '2026-01-10 10:00', 1), (3, 'ann', 'b', '2026-01-10 10:01', 2), (3, 'ann', 'c', '2026-01-10 10:02', 3),
    (4, 'eve', 'c', '2026-01-05 23:00', 1), (4, 'eve', 'x', '2026-01-05 23:30', 2),
    (5, 'eve', NULL, '2026-01-05 23:30', 2), (NULL, 'eve', 'a', '2026-01-05 23:30', 2), (4, 'eve', 'a', NULL, 2);
CREATE VIEW found AS SELECT * FROM wfml.frequent_sequences('steps', 'c', 'event', 'at', 0.5, user_column => 'u');
SELECT results_eq('SELECT events, n_events, support, users FROM found', $$VALUES ('{a,b,c}'::text[], 3, 0.75::float8, 2::bigint)$$,
    'only the longest of those in the same cases');
SELECT is((SELECT round(lift::numeric, 6) FROM found), round(0.75 / (0.75 * 0.75 * 1.0), 6), 'lift');
SELECT is((SELECT typical_hour FROM found), 10::float8, 'hour of the first event');
SELECT is((SELECT round(weekday_share::numeric, 4) FROM found), 0.6667, 'one of three begins on a Saturday');
SELECT is((SELECT gap FROM found), interval '30 minutes', 'median of 30, 40 and 2 minutes');
SELECT is((SELECT users FROM wfml.frequent_sequences('steps', 'c', 'event', 'at', 0.5)), 3::bigint, 'without users each case is one');
SELECT is((SELECT typical_hour FROM (SELECT set_config('TimeZone', 'Asia/Tokyo', true)) z, wfml.frequent_sequences('steps', 'c', 'event', 'at', 0.5)), 19::float8,
    'hours are those of the session''s zone');
SET LOCAL TimeZone = 'UTC';
SELECT is((SELECT weekday_share FROM wfml.frequent_sequences('SELECT 1 AS c, ''a'' AS e, date ''2026-01-04'' + d AS at FROM generate_series(0, 1) d
    UNION ALL SELECT 2, ''a'', date ''2026-01-06'' + d FROM generate_series(0, 1) d', 'c', 'e', 'at')), 0.5::float8, 'dates: a Sunday and a Tuesday');
SELECT results_eq($$SELECT events, typical_hour, weekday_share, gap FROM wfml.frequent_sequences('SELECT * FROM steps WHERE at IS NOT NULL', 'c', 'event', 'n', 0.5)$$,
    $$VALUES ('{a,b,c}'::text[], NULL::float8, NULL::float8, NULL::interval)$$, 'numbers only order');
SELECT results_eq($$SELECT events, support FROM wfml.frequent_sequences('steps', 'c', 'event', 'at', 0.5, max_length => 2)$$,
    $$VALUES ('{a,b}'::text[], 0.75::float8), ('{a,c}', 0.75), ('{b,c}', 0.75)$$, 'cut at two events, by their bytes');
SELECT results_eq($$SELECT events, support FROM wfml.frequent_sequences('steps', 'c', 'event', 'at', 0.5, max_gap => '20 minutes')$$,
    $$VALUES ('{a,b,c}'::text[], 0.75::float8)$$, 'a and c are in more than one case within the gap, but not in other cases');
SELECT results_eq($$SELECT events, support FROM wfml.frequent_sequences('steps', 'c', 'event', 'at', 0.5, max_gap => '10 minutes')$$,
    $$VALUES ('{a,b}'::text[], 0.5::float8)$$, 'and at a narrower one');
SELECT is((SELECT count(*) FROM wfml.frequent_sequences('steps', 'c', 'event', 'at', 0.001)), 1::bigint, 'what one case does is not frequent');
SELECT is((SELECT count(*) FROM wfml.frequent_sequences('SELECT * FROM steps WHERE false', 'c', 'event', 'at')), 0::bigint, 'no rows, nothing found');
SELECT is((SELECT count(*) FROM wfml.frequent_sequences('SELECT gen_random_uuid() AS c, n AS e, at FROM steps', 'c', 'e', 'at')), 0::bigint, 'cases of one event have no sequences');
SELECT is((SELECT events FROM wfml.frequent_sequences('SELECT c, ascii(event) AS e, at FROM steps', 'c', 'e', 'at', 0.5)), '{97,98,99}', 'events of any type, as text');
SELECT results_eq($$SELECT f.* FROM wfml.frequent_sequences('SELECT * FROM steps ORDER BY md5(c::text || event)', 'c', 'event', 'at', 0.25, user_column => 'u') f$$,
    $$SELECT f.* FROM wfml.frequent_sequences('SELECT * FROM steps ORDER BY at DESC', 'c', 'event', 'at', 0.25, user_column => 'u') f$$, 'the order of rows does not matter');

SELECT is(state($$SELECT wfml.frequent_sequences('steps', 'c', 'wrong', 'at')$$), '42703', 'a column that is not there');
SELECT matches(hint($$SELECT wfml.frequent_sequences('steps', 'c', 'wrong', 'at')$$), '"event"', 'the hint lists those that are');
SELECT is(state($$SELECT wfml.frequent_sequences('nowhere', 'c', 'e', 'at')$$), '42P01', 'no such table');
SELECT is(state($$SELECT wfml.frequent_sequences('steps', 'c', 'event', 'u')$$), '42804', 'a time that is none');
SELECT is(state(format('SELECT wfml.frequent_sequences(''steps'', ''c'', ''event'', ''at'', %s)', a)), '22023', 'refused: ' || a)
FROM unnest(ARRAY['0', '1.1', '''NaN''', 'NULL', 'max_length => 1', 'max_length => 33', 'max_length => NULL', 'max_gap => ''-1 s''']) a;
SELECT is(state($$SELECT wfml.frequent_sequences('steps', 'c', 'event', 'n', max_gap => '1 h')$$), '22023', 'a gap needs times');
SELECT is(state($$SELECT wfml.frequent_sequences('steps', 'c', NULL, 'n')$$), '22004', 'NULL as a name');
SELECT is(state($$SELECT wfml.frequent_sequences('DELETE FROM steps', 'c', 'event', 'n')$$) IN ('42601', '22023', '0A000', '25006'), true, 'a source only reads');

-- Two cases alike of 40 events: more sequences than anybody can read.
CREATE TABLE alike AS SELECT c, n AS e, n FROM generate_series(1, 2) c, generate_series(1, 40) n;
SELECT is(state($$SELECT wfml.frequent_sequences('alike', 'c', 'e', 'n')$$), '54000', 'too many');
SELECT matches(hint($$SELECT wfml.frequent_sequences('alike', 'c', 'e', 'n')$$), 'Raise min_support', 'and what to do');
SET LOCAL wfml.max_training_memory = '2MB';
SELECT is(state($$SELECT wfml.frequent_sequences('SELECT i % 1000 AS c, i AS e, i AS n FROM generate_series(1, 200000) i', 'c', 'e', 'n')$$), '54000', 'memory is limited');
RESET wfml.max_training_memory;
SET LOCAL statement_timeout = '300ms';
SELECT is(state($$SELECT wfml.frequent_sequences('SELECT c, (hashint8(c * 100000 + n) & 255) AS e, n FROM generate_series(1, 40) c, generate_series(1, 20000) n', 'c', 'e', 'n', 0.05)$$), '57014', 'can be cancelled');
RESET statement_timeout;

-- ---- is_subsequence ----

SELECT is(wfml.is_subsequence(a, b), r, format('%s in %s', a, b))
FROM (VALUES ('{a,c}'::text[], '{a,b,c}'::text[], true), ('{c,a}', '{a,b,c}', false), ('{}', '{}', true), ('{a}', '{}', false), ('{a,a}', '{a}', false),
    ('{a,NULL}', '{a,NULL}', false), ('{a,b}', '{a,NULL,b}', true), ('{{a,b}}', '{a,b}', true), (NULL, '{a}', NULL)) v (a, b, r);

-- ---- needs ----

SELECT is(state('SELECT wfml.workflow_needs()'), '42704', 'nothing is bound');
SELECT is(state('SELECT wfml.refresh_needs()'), '42704', 'nothing is bound');

-- Ten users; each day but the last three open, read and answer; with a pause after reading it is two sessions.
CREATE TABLE doings (user_id text, event text, at timestamptz);
INSERT INTO doings
SELECT 'u' || u, e.event, timestamptz '2026-01-05 08:00' + d * interval '1 day' + u * interval '1 minute' + e.minutes * interval '1 minute'
FROM generate_series(1, 10) u, generate_series(0, 19) d, (VALUES ('open', 0), ('read', 10), ('answer', 30), ('lunch', 200)) e (event, minutes)
WHERE u < 8 OR e.event = 'lunch';
CREATE TABLE flows (workflow_id int, name text, events text[]);
SELECT wfml.bind('events', 'doings') \g /dev/null
SELECT results_eq('SELECT events, sessions, round(support::numeric, 4), users, typical_hour, round(saving::numeric, 4), (pattern).n_events, (pattern).gap FROM wfml.workflow_needs()',
    $$VALUES ('{open,read,answer}'::text[], 140::bigint, 0.4118, 7::bigint, 8.07::float8, 0.8235, 3, interval '30 minutes')$$, 'what is done again and again in one session');
SELECT wfml.bind('workflows', 'flows') \g /dev/null
SELECT is((SELECT count(*) FROM wfml.workflow_needs()), 1::bigint, 'no workflow does it');
SELECT is(wfml.refresh_needs(), 1::bigint, 'kept');
SELECT is((SELECT count(*) FROM wfml.workflow_needs()), 1::bigint, 'read again');
SELECT is((SELECT count(*) FROM wfml.need_user), 7::bigint, 'with the users who do it');
SELECT results_eq($$SELECT events, sessions, users, round(saving::numeric, 4) FROM wfml.workflow_needs(5, 'u3')$$,
    $$VALUES ('{open,read,answer}'::text[], 20::bigint, 7::bigint, 1.0)$$, 'of one user: in 20 of his 40 sessions two events less');
SELECT is((SELECT count(*) FROM wfml.workflow_needs(5, 'u9')), 0::bigint, 'who does not do it has no such need');
SELECT is((SELECT count(*) FROM wfml.workflow_needs(5, 'nobody')), 0::bigint, 'nor has nobody');
DELETE FROM doings WHERE event = 'read';
SELECT is((SELECT events FROM wfml.workflow_needs()), '{open,read,answer}', 'kept until it is refreshed');
SELECT is(wfml.refresh_needs(), 1::bigint, 'again');
SELECT is((SELECT events FROM wfml.workflow_needs()), '{open,answer}', 'what is done now');
INSERT INTO flows VALUES (1, 'other', '{open}'), (2, 'none', NULL), (3, 'backwards', '{answer,open}');
SELECT is((SELECT count(*) FROM wfml.workflow_needs()), 1::bigint, 'workflows that do something else');
INSERT INTO flows VALUES (4, 'more', '{tick,open,check,answer,notify}');
SELECT is((SELECT count(*) FROM wfml.workflow_needs()), 0::bigint, 'a workflow that does it is seen at once');
SELECT is((SELECT count(*) FROM wfml.workflow_needs(5, 'u3')), 0::bigint, 'for each user too');
DELETE FROM flows;
SELECT wfml.bind('events', 'SELECT * FROM doings WHERE event <> ''answer''') \g /dev/null
SELECT is((SELECT count(*) FROM wfml.workflow_needs()), 0::bigint, 'what was kept for another binding does not count');
SELECT is(wfml.refresh_needs(), 0::bigint, 'nothing to keep');
SELECT is((SELECT count(*) FROM wfml.need_refresh), 1::bigint, 'what was kept for a binding that is gone is gone');
SELECT wfml.bind('events', 'doings', session_gap => '20 minutes') \g /dev/null
SELECT is((SELECT count(*) FROM wfml.workflow_needs()), 0::bigint, 'a shorter session_gap cuts it apart');
SELECT wfml.bind('events', 'doings', session_gap => '4 hours') \g /dev/null
SELECT is((SELECT events FROM wfml.workflow_needs()), '{open,answer,lunch}', 'a longer one joins lunch to it');
SELECT is((SELECT max((pattern).n_events) FROM wfml.workflow_needs(user_id => 'u2')), 3, 'of one user, searched');
SELECT is(state('SELECT wfml.workflow_needs(0)'), '22023', 'n is 1 or more');
SELECT is(state('SELECT wfml.workflow_needs(NULL)'), '22023', 'and given');
TRUNCATE doings;
INSERT INTO doings SELECT 'u' || u, 'e' || e, timestamptz '2026-01-05 08:00' + d * interval '1 day' + e * interval '1 minute'
FROM generate_series(1, 3) u, generate_series(0, 4) d, generate_series(0, 39) e;
SELECT is((SELECT count(*) FROM wfml.workflow_needs()), 20::bigint, 'long sessions that are all alike: shorter parts of them');
TRUNCATE doings;
INSERT INTO doings SELECT 'u' || u, 'e' || e, timestamptz '2026-01-05 08:00' + d * interval '1 day' + e * interval '1 minute'
FROM generate_series(1, 3) u, generate_series(0, 1) d, generate_series(10, 89) e;
SELECT is((SELECT max(n_events) FROM wfml.find_needs(1000)), 3, 'also where nearly all parts of four events are in all of them');
TRUNCATE doings;
INSERT INTO doings SELECT 'u' || u, e, timestamptz '2026-01-05 08:00' + e.n * interval '1 minute'
FROM generate_series(1, 6) u, unnest(ARRAY['a', repeat('é', 3000)]) WITH ORDINALITY e (e, n);
SELECT is((SELECT count(*) FROM wfml.workflow_needs()), 1::bigint, 'long events');
INSERT INTO flows VALUES (5, 'long', ARRAY['a', repeat('é', 3000)]);
SELECT is((SELECT count(*) FROM wfml.workflow_needs()), 0::bigint, 'a workflow that does them');
DELETE FROM flows;
TRUNCATE doings;
SELECT is((SELECT count(*) FROM wfml.workflow_needs()), 0::bigint, 'no events, no needs');

-- Who was granted the events reads what is kept; only the owner refreshes.
CREATE ROLE wfml_asker;
GRANT USAGE ON SCHEMA public TO wfml_asker;
INSERT INTO doings SELECT 'u' || i % 9, e, timestamptz '2026-01-05 08:00' + i * interval '1 day' + (e = 'b')::int * interval '1 minute'
FROM generate_series(1, 50) i, unnest('{a,b}'::text[]) e;
INSERT INTO doings SELECT 'w' || i, 'c', timestamptz '2026-01-05 08:00' + i * interval '1 day' FROM generate_series(1, 50) i;
SELECT wfml.bind('events', 'doings') \g /dev/null
SELECT wfml.refresh_needs() \g /dev/null
SET LOCAL ROLE wfml_asker;
SELECT is(state('SELECT wfml.workflow_needs()'), '42704', 'a stranger has no events');
RESET ROLE;
SELECT wfml.grant_source('events', 'wfml_asker') \g /dev/null
SET LOCAL ROLE wfml_asker;
SELECT is((SELECT events FROM wfml.workflow_needs()), '{a,b}', 'one who was granted them has needs');
SELECT is(state('SELECT wfml.refresh_needs()'), '42501', 'but does not refresh them');
SELECT is(state('SELECT * FROM wfml.need'), '42501', 'and reads no table');
RESET ROLE;

-- ---- planted habits ----

SELECT wfml.unbind('events'), wfml.unbind('workflows') \g /dev/null
SELECT count(*) FROM wfml.generate_demo(users => 70, days => 20, seed => 3, schema_name => 'needs_demo') \g /dev/null
SELECT wfml.bind('events', 'needs_demo.event'), wfml.bind('workflows', 'needs_demo.workflow') \g /dev/null
SELECT is((SELECT wfml.refresh_needs()) >= 28, true, 'all habits are found, automated or not');
SELECT set_eq('SELECT events FROM wfml.workflow_needs(14)', 'SELECT events FROM needs_demo.truth_pattern WHERE workflow_id IS NULL', 'the needs are the habits that no workflow does');
SELECT cmp_ok((SELECT count(DISTINCT p.user_id) FROM needs_demo.person p, LATERAL wfml.workflow_needs(5, p.user_id)), '>', 60::bigint, 'nearly everybody has some');
SELECT is((SELECT count(*) FROM needs_demo.person p, LATERAL wfml.workflow_needs(5, p.user_id) n
    LEFT JOIN needs_demo.truth_pattern t ON t.events = n.events WHERE t.category IS DISTINCT FROM p.role), 0::bigint, 'of his role');

SELECT * FROM finish();
ROLLBACK;
