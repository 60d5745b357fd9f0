-- Sources: what bind() takes and refuses, how they are read, and by whom.
-- Roles and tables live in the transaction.

\set QUIET 1
-- some statements make several tests: a line each
\pset fieldsep '\n'
SET client_min_messages = error;
BEGIN;
SET LOCAL TimeZone = 'UTC';
CREATE ROLE bind_app;
CREATE ROLE bind_member IN ROLE bind_app;
CREATE ROLE bind_grantee;
CREATE ROLE bind_stranger;
CREATE ROLE bind_rival;
CREATE SCHEMA app AUTHORIZATION bind_app;
CREATE SCHEMA other AUTHORIZATION bind_grantee;
CREATE SCHEMA rival AUTHORIZATION bind_rival;

SET LOCAL ROLE bind_app;
SET LOCAL search_path = app, public;
CREATE TABLE run (run_id bigint PRIMARY KEY, workflow_id int, started_at timestamptz NOT NULL, finished_at timestamptz, succeeded boolean,
    who uuid, load numeric, team varchar(20), secret text);
INSERT INTO run SELECT i, i % 10, timestamptz '2024-01-01 00:00+00' + i * interval '1 h', CASE WHEN i < 996 THEN timestamptz '2024-01-01 00:10+00' + i * interval '1 h' END,
    i % 3 > 0, md5((i % 5)::text)::uuid, i / 2.0, 'team ' || i % 4, 'secret ' || i FROM generate_series(1, 1000) i;
CREATE INDEX ON run (workflow_id, finished_at);
CREATE TABLE event (who varchar(10), event text, at timestamp);
INSERT INTO event SELECT 'u' || i % 4, 'e' || i % 3, timestamp '2024-01-01 12:00' + i * interval '1 min' FROM generate_series(1, 200) i;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE flow (workflow_id char(5), name text, mood mood);
INSERT INTO flow VALUES ('a', 'first', 'good'), ('abcde', 'second', 'bad');
ANALYZE run;

SELECT no_plan();

-- ---- bind ----

PREPARE bind AS SELECT wfml.bind($1, $2);
SELECT lives_ok($$SELECT wfml.bind('runs', 'run', ARRAY['load', 'team'])$$, 'a table with the columns');
SELECT is(source, 'app.run', 'is stored with its schema') FROM wfml.sources WHERE kind = 'runs';
SELECT is(columns ->> 'team', 'character varying(20)', 'types as they were') FROM wfml.sources WHERE kind = 'runs';
SELECT is(owner::text || used || known_at_start::text || session_gap || timezone, 'bind_apptrue{load,team}01:00:00UTC', 'with the rest') FROM wfml.sources WHERE kind = 'runs';
SELECT throws_ok(format('SELECT wfml.bind(%L, %L)', kind, query), code, NULL, format('%s: %s', kind, query)) FROM (VALUES
    ('jobs', 'run', '22023'),
    (NULL, 'run', '22004'), ('runs', NULL, '22004'), ('runs', '', '22023'),
    ('runs', 'no_such_table', '42P01'),
    ('runs', 'SELECT workflow_id, started_at, finished_at FROM run', '42703'),
    ('runs', 'SELECT *, 1 AS load FROM run', '42701'),
    ('runs', 'SELECT workflow_id, started_at, finished_at, 1 AS succeeded FROM run', '42804'),
    ('runs', 'SELECT workflow_id, started_at::date, finished_at, succeeded FROM run', '42804'),
    ('runs', 'SELECT workflow_id, started_at, finished_at, succeeded FROM run WHERE run_id = $1', '42P02'),
    ('runs', 'SELECT * FROM run FOR UPDATE', '25006'),
    ('runs', 'WITH gone AS (DELETE FROM run RETURNING *) SELECT * FROM gone', '25006'),
    ('runs', 'SELECT * FROM run; SELECT * FROM run', '42601'),
    ('runs', 'SELECT * FROM run) q, (SELECT 1', '42601'),
    ('events', 'event', '42703'),
    ('workflows', 'SELECT workflow_id, name, name AS events FROM flow', '42804'),
    ('usage', 'SELECT 1 AS user_id, 2 AS workflow_id, ''x''::text AS weight', '42804'),
    ('patterns', 'SELECT ARRAY[1] AS events, ''x''::text AS category', '42804'),
    ('patterns', 'SELECT ARRAY[''a''] AS events, ''x''::text AS category, 1 AS gap', '42804'),
    ('suggestions', 'SELECT ARRAY[''a''] AS events', '42703')) x (kind, query, code);
SELECT is((SELECT count(*) FROM wfml.sources), 1::bigint, 'nothing of that was bound');
SELECT lives_ok(format('SELECT wfml.bind(%L, %L)', kind, query), format('%s: %s', kind, query)) FROM (VALUES
    ('workflows', 'flow'), ('workflows', 'SELECT workflow_id, name, ARRAY[mood] AS events FROM flow -- as it is'),
    ('usage', 'SELECT 1 AS user_id, 2 AS workflow_id, 1 AS weight;'),
    ('patterns', 'SELECT ARRAY[''a'']::varchar[] AS events, ''good''::mood AS category, interval ''1 h'' AS gap'),
    ('suggestions', 'SELECT ARRAY[''a''] AS events, 0.5 AS score'), ('suggestions', 'SELECT ARRAY[''a''] AS events, true AS accepted'),
    ('events', '  ( SELECT who AS user_id, event, at, 100 % 7 AS "%s" FROM event )')) x (kind, query);
SELECT throws_ok($$SELECT wfml.bind('runs', 'run', ARRAY['nix'])$$, '42703', NULL, 'known_at_start must be there');
SELECT throws_ok(format($$SELECT wfml.bind('runs', 'run', ARRAY[%L])$$, c), '22023', NULL, c || ' is not known at start') FROM unnest('{succeeded,finished_at,workflow_id}'::text[]) c;
SELECT throws_ok($$SELECT wfml.bind('runs', 'run', ARRAY['load', 'team', 'load'])$$, '42701', NULL, 'known_at_start names each column once');
SELECT throws_ok($$SELECT wfml.bind('events', 'SELECT who AS user_id, event, at FROM event', ARRAY['at'])$$, '22023', NULL, 'and is for runs');
SELECT throws_ok($$SELECT wfml.bind('runs', 'run', session_gap => '0')$$, '22023', NULL, 'session_gap is above 0');
RESET ROLE;
SET LOCAL search_path = app, public;
CREATE TEMP TABLE passing AS SELECT * FROM app.run;
SELECT throws_ok(format('SELECT wfml.bind(%L, %L)', 'runs', q), '0A000', NULL, 'a temporary table: ' || q) FROM unnest('{passing,SELECT * FROM pg_temp.passing}'::text[]) q;
SET LOCAL ROLE bind_stranger;
SELECT throws_ok($$SELECT wfml.bind('runs', 'app.run')$$, '42501', NULL, 'a table that one may not read');
RESET ROLE;
SET LOCAL ROLE bind_app;

-- ---- bound_rows ----

SELECT results_eq($$SELECT run_id FROM wfml.bound_rows('runs') AS r (run_id bigint) ORDER BY 1$$, 'SELECT run_id FROM run ORDER BY 1', 'all rows');
SELECT results_eq($$SELECT * FROM wfml.bound_rows('runs', row_limit => 1000) AS r (workflow_id text, load float8, upstream text, started_at date, succeeded text)$$,
    'SELECT workflow_id::text, load::float8, NULL::text, started_at::date, succeeded::text FROM run ORDER BY finished_at DESC NULLS FIRST', 'columns by name, cast, NULL where there is none');
SELECT results_eq($$SELECT run_id, finished_at FROM wfml.bound_rows('runs', workflow_id => '7', row_limit => 4) AS r (run_id bigint, finished_at timestamptz)$$,
    'SELECT run_id, finished_at FROM run WHERE workflow_id = 7 ORDER BY finished_at DESC NULLS FIRST LIMIT 4', 'of a workflow, the newest first');
SELECT results_eq($$SELECT run_id FROM wfml.bound_rows('runs', since => '2024-01-05 05:10+00', until => '2024-01-06 05:10+00') AS r (run_id bigint) ORDER BY 1$$,
    $$SELECT run_id FROM run WHERE finished_at >= '2024-01-05 05:10+00' AND finished_at < '2024-01-06 05:10+00' ORDER BY 1$$, 'since is inclusive, until is not');
SELECT is((SELECT count(*) FROM wfml.bound_rows('runs', until => 'infinity') AS r (run_id bigint)), 995::bigint, 'until leaves out runs that have not finished');
SELECT is((SELECT count(*) FROM wfml.bound_rows('runs', user_id => 'x') AS r (run_id bigint)), 0::bigint, 'a filter by a column that the binding lacks finds nothing');
SELECT is((SELECT count(*) FROM wfml.bound_rows('runs', row_limit => 0) AS r (run_id bigint)), 0::bigint, 'no rows when none are asked for');
SELECT is((SELECT count(*) FROM wfml.bound_rows('workflows', workflow_id => 'a') AS w (name text)), 1::bigint, 'ids of type character');
SELECT is((SELECT count(*) FROM wfml.bound_rows('workflows', workflow_id => 'abcdef') AS w (name text)), 0::bigint, 'are not cut');
SELECT is((SELECT count(*) FROM wfml.bound_rows('events', user_id => 'u1') AS e (event text, "%s" int)), 50::bigint, 'per cent signs in the query');
SELECT is((SELECT events || category FROM wfml.bound_rows('patterns') AS p (events text[], category text)), '{a,good}', 'arrays and enums as text');
SELECT throws_ok(q, code, NULL, q) FROM (VALUES
    ($$SELECT * FROM wfml.bound_rows('runs') AS r (nix text)$$, '42703'),
    ($$SELECT * FROM wfml.bound_rows('runs') AS r (started_at boolean)$$, '42846'),
    ($$SELECT * FROM wfml.bound_rows('nix') AS r (run_id text)$$, '22023'),
    ($$SELECT * FROM wfml.bound_rows(NULL) AS r (run_id text)$$, '22004'),
    ($$SELECT * FROM wfml.bound_rows('runs', row_limit => -1) AS r (run_id text)$$, '2201W'),
    ($$SELECT * FROM wfml.bound_rows('runs', workflow_id => 'x') AS r (run_id text)$$, '22P02'),
    ($$SELECT * FROM wfml.bound_rows('usage', since => now()) AS r (weight text)$$, '22023'),
    ($$SELECT * FROM wfml.bound_rows('events', workflow_id => 'x') AS r (event text)$$, '42703'),
    ($$SELECT wfml.bound_rows('runs')$$, '42601')) x (q, code);
-- the zone is that of bind()
SET LOCAL TimeZone = 'Asia/Tokyo';
SELECT is((SELECT min(at) FROM wfml.bound_rows('events') AS e (at timestamptz)), '2024-01-01 12:01+00', 'timestamps without a zone are in the binding''s');
SELECT is((SELECT count(*) FROM wfml.bound_rows('events', since => '2024-01-01 12:10+00', until => '2024-01-01 12:20+00') AS e (at timestamptz)), 10::bigint, 'since and until too');
SELECT wfml.bind('events', 'SELECT who AS user_id, event, at FROM event') \g /dev/null
SET LOCAL TimeZone = 'UTC';
SELECT is((SELECT min(at) FROM wfml.bound_rows('events') AS e (at timestamptz)), '2024-01-01 03:01+00', 'which is anew with each bind()');
SELECT is(current_setting('TimeZone') || current_setting('search_path') || current_setting('transaction_read_only'), 'UTCapp, publicoff', 'reading leaves the settings alone');

-- an index of the application serves
CREATE FUNCTION wide_reads() RETURNS bigint LANGUAGE sql AS $$SELECT pg_catalog.pg_stat_get_xact_tuples_returned('app.run'::regclass)$$;
SELECT set_config('test.reads', wide_reads()::text, true) \g /dev/null
SELECT count(*) FROM generate_series(0, 9) w, LATERAL (SELECT * FROM wfml.bound_rows('runs', workflow_id => w::text, row_limit => 5) AS r (finished_at timestamptz)) r \g /dev/null
SELECT is(wide_reads(), current_setting('test.reads')::bigint, 'no scan of the table for a workflow');

-- ---- plans are kept, and not too long ----

SELECT lives_ok($$DO 'BEGIN FOR i IN 1..8 LOOP PERFORM count(*) FROM wfml.bound_rows(''runs'', workflow_id => i::text) AS r (team text); END LOOP; END'$$, 'again and again');
SELECT lives_ok($$DO 'BEGIN FOR i IN 1..600 LOOP PERFORM count(*) FROM wfml.bound_rows(''runs'', row_limit => i) AS r (team text); END LOOP; END'$$, 'in more shapes than plans are kept');
SELECT wfml.bind('runs', 'SELECT * FROM run WHERE run_id <= 10') \g /dev/null
SELECT is((SELECT count(*) FROM wfml.bound_rows('runs') AS r (run_id bigint)), 10::bigint, 'bound anew');
SELECT is((SELECT count(*) FROM wfml.bound_rows('runs', workflow_id => '7') AS r (team text)), 1::bigint, 'kept plans are those of the binding');
ALTER TABLE run ALTER run_id TYPE int;
SELECT is((SELECT count(*) FROM wfml.bound_rows('runs', workflow_id => '7') AS r (team text)), 1::bigint, 'a column of another type');
CREATE FUNCTION failure(query text, OUT message text, OUT hint text, OUT context text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE query;
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
END $$;
SAVEPOINT before;
ALTER TABLE run RENAME TO runs;
PREPARE broken AS SELECT * FROM wfml.bound_rows('runs') AS r (run_id bigint);
SELECT throws_ok('broken', '42P01', NULL, 'the table was renamed');
SELECT matches(hint, 'wfml.bind\(''runs''', 'the hint says what to do'), matches(context, 'source bound for "runs"', 'the context which it was') FROM failure('EXECUTE broken');
ROLLBACK TO before;
ALTER TABLE run RENAME load TO burden;
SELECT is((SELECT count(*) FROM wfml.bound_rows('runs') AS r (run_id bigint)), 10::bigint, 'a further column was renamed: SELECT * goes by the table');
SELECT throws_ok($$SELECT * FROM wfml.bound_rows('runs') AS r (load float8)$$, '42703', NULL, 'that column is gone');
SELECT wfml.bind('runs', 'run', ARRAY['burden']) \g /dev/null
-- a source that reads itself
SELECT wfml.bind('workflows', 'flow') \g /dev/null
SELECT wfml.bind('workflows', 'SELECT * FROM wfml.bound_rows(''workflows'') AS w (workflow_id text, name text)') \g /dev/null
SELECT throws_ok($$SELECT * FROM wfml.bound_rows('workflows') AS w (name text)$$, '42P19', NULL, 'a source cannot read itself');
SELECT wfml.bind('workflows', 'flow') \g /dev/null
SELECT is((SELECT count(*) FROM wfml.bound_rows('workflows') AS w (name text)), 2::bigint, 'nor is anything left of the attempt');
-- a function that writes, found out when it runs
CREATE FUNCTION note() RETURNS int LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.event VALUES ('x', 'y', now()); RETURN 1; END$$;
SELECT wfml.bind('usage', 'SELECT 1 AS user_id, 1 AS workflow_id, app.note() AS weight') \g /dev/null
SELECT throws_ok($$SELECT * FROM wfml.bound_rows('usage') AS u (weight int)$$, '25006', NULL, 'a source cannot write');
SELECT lives_ok('SELECT app.note()', 'what ran into that can go on writing');

-- ---- who ----

SELECT wfml.grant_source(k, 'bind_grantee') FROM unnest('{runs,usage}'::text[]) k \g /dev/null
CREATE VIEW own_rights AS SELECT current_user::text AS user_id, session_user::text AS workflow_id, 1 AS weight;
SELECT wfml.bind('usage', 'own_rights') \g /dev/null
SELECT is(granted_to, '{bind_grantee}', 'binding anew keeps the grants') FROM wfml.sources WHERE kind = 'usage';

CREATE FUNCTION pg_temp.sees(who name) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    BEGIN
        SELECT user_id || ' ' || wfml.has_source('usage') INTO result FROM wfml.bound_rows('usage') AS u (user_id text);
    EXCEPTION WHEN others THEN
        result := SQLSTATE || ' ' || wfml.has_source('usage');
    END;
    RETURN result;
END $$;
GRANT USAGE ON SCHEMA app TO PUBLIC;
RESET ROLE;
SELECT set_config('test.me', current_user, true) \g /dev/null
SELECT is(pg_temp.sees('bind_app'), 'bind_app true', 'the owner');
SELECT is(pg_temp.sees('bind_member'), 'bind_app true', 'a member of it: with the owner''s rights');
SELECT is(pg_temp.sees('bind_grantee'), 'bind_app true', 'who was granted: with the owner''s rights');
SELECT is(pg_temp.sees('bind_stranger'), '42704 false', 'a stranger: nothing is bound');
RESET ROLE;
SELECT is(pg_temp.sees(current_setting('test.me')::name), 'bind_app true', 'a superuser: with the owner''s rights only');
SET LOCAL ROLE bind_grantee;
SELECT throws_ok('SELECT * FROM app.run', '42501', NULL, 'the grantee has no right on the table');
SELECT is((SELECT count(*) FROM wfml.bound_rows('runs') AS r (run_id bigint)), 1000::bigint, 'and reads the rows');
SELECT is((SELECT count(*) FROM wfml.sources WHERE source IS NULL AND granted_to IS NULL), 2::bigint, 'but not the query nor who else was granted');
SELECT throws_ok($$SELECT wfml.grant_source('runs', 'bind_stranger')$$, '42501', NULL, 'he cannot grant it');
SELECT is(wfml.unbind('runs'), false, 'has nothing to unbind');
SELECT throws_ok($$SELECT wfml.unbind('runs', 'bind_app')$$, '42501', NULL, 'and cannot unbind the owner''s');
-- no code of the reader runs with the owner's rights
CREATE FUNCTION other.spy(text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE 'spied as %', current_user; END$$;
CREATE DOMAIN other.trap AS text CHECK (other.spy(VALUE));
CREATE FUNCTION other.same(text, text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE 'compared as %', current_user; END$$;
CREATE OPERATOR other.= (LEFTARG = text, RIGHTARG = text, FUNCTION = other.same);
SELECT throws_ok($$SELECT * FROM wfml.bound_rows('runs') AS r (secret other.trap)$$, '42846', NULL, 'not that of a domain');
SELECT throws_ok($$SELECT * FROM wfml.bound_rows('runs') AS r (upstream other.trap)$$, '42846', NULL, 'not that of a domain for NULL');
SELECT throws_ok($$SELECT * FROM wfml.bound_rows('runs') AS r (secret other.trap[])$$, '42846', NULL, 'nor of an array of it');
SET LOCAL search_path = other, pg_catalog;
SELECT set_config('test.found', count(*)::text, true) FROM wfml.bound_rows('runs', workflow_id => '3') AS r (secret text) \g /dev/null
SET LOCAL search_path = public;
SELECT is(current_setting('test.found'), '100', 'nor an operator of his');
-- what breaks does not tell him the query
RESET ROLE;
SAVEPOINT before;
ALTER TABLE app.run RENAME TO runs;
SET LOCAL ROLE bind_grantee;
SELECT unalike(context, '%finished_at%', 'errors do not show the query'), matches(hint, 'its owner has to bind it again', 'and say who can help')
FROM app.failure('SELECT * FROM wfml.bound_rows(''runs'') AS r (run_id bigint)');
ROLLBACK TO before;
-- nor do notices, nor what debug_print_plan sends
RESET ROLE;
SET LOCAL search_path = app, public;
SET LOCAL ROLE bind_app;
SELECT wfml.bind('usage', 'SELECT current_setting(''client_min_messages'') AS user_id, 1 AS workflow_id, 1 AS weight') \g /dev/null
RESET ROLE;
SET LOCAL client_min_messages = log;
SET LOCAL ROLE bind_grantee;
SELECT set_config('test.level', user_id, true) FROM wfml.bound_rows('usage') AS u (user_id text) \g /dev/null
RESET ROLE;
SET LOCAL client_min_messages = error;
SELECT is(current_setting('test.level'), 'error', 'no message but errors reaches who was granted');
-- a temporary view of his in the place of a table that is gone
SET LOCAL ROLE bind_app;
SELECT wfml.bind('usage', 'SELECT user_id, workflow_id, weight FROM own_rights') \g /dev/null
RESET ROLE;
SELECT is(pg_temp.sees('bind_grantee'), 'bind_app true', 'a query by the names of search_path');
RESET ROLE;
SAVEPOINT before;
ALTER VIEW app.own_rights RENAME TO other_name;
SET LOCAL ROLE bind_grantee;
CREATE FUNCTION other.spied() RETURNS text LANGUAGE sql AS 'SELECT current_user::text';
CREATE TEMP VIEW own_rights AS SELECT other.spied() AS user_id, 2 AS workflow_id, 1 AS weight;
GRANT SELECT ON own_rights TO PUBLIC;
GRANT USAGE ON SCHEMA other TO PUBLIC;
SELECT is(pg_temp.sees('bind_grantee'), '42P01 true', 'no temporary view of his is taken for it, as a kept plan');
SELECT throws_ok($$SELECT * FROM wfml.bound_rows('usage') AS u (weight int)$$, '42P01', NULL, 'nor as a new one');
SELECT is((SELECT count(*) FROM own_rights), 1::bigint, 'which he goes on using himself');
RESET ROLE;
ROLLBACK TO before;
SET LOCAL ROLE bind_app;
SELECT wfml.bind('usage', 'own_rights') \g /dev/null
-- his settings give the query no other meaning
SELECT wfml.bind('runs', 'SELECT * FROM run WHERE team <> ''team\ 1'' AND NOT coalesce(team = NULL, run_id > 500)') \g /dev/null
RESET ROLE;
SET LOCAL ROLE bind_grantee;
SET LOCAL standard_conforming_strings = off;
SET LOCAL transform_null_equals = on;
SELECT set_config('test.found', count(*)::text, true) FROM wfml.bound_rows('runs') AS r (run_id bigint, team text) \g /dev/null
SET LOCAL standard_conforming_strings = on;
SET LOCAL transform_null_equals = off;
SELECT isnt(current_setting('test.found'), '0', 'read under other settings');
RESET ROLE;
SET LOCAL ROLE bind_app;
SELECT is(current_setting('test.found')::bigint, (SELECT count(*) FROM run WHERE team <> 'team\ 1' AND NOT coalesce(team = NULL, run_id > 500)), 'the rows are the same');
SELECT wfml.bind('runs', 'run', ARRAY['burden']) \g /dev/null
-- row security is the owner's
RESET ROLE;
ALTER TABLE app.run ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY few ON app.run USING (run_id <= 5);
SELECT is((SELECT count(*) FROM wfml.bound_rows('runs') AS r (run_id bigint)), 5::bigint, 'row security holds, also for superusers');
ALTER TABLE app.run DISABLE ROW LEVEL SECURITY;

-- two owners
SET LOCAL ROLE bind_rival;
SELECT wfml.bind('usage', 'SELECT ''rival'' AS user_id, 1 AS workflow_id, 1 AS weight') \g /dev/null
SELECT wfml.grant_source('usage', 'public') \g /dev/null
RESET ROLE;
SELECT is(pg_temp.sees('bind_app'), 'bind_app true', 'one''s own goes first');
SELECT is(pg_temp.sees('bind_stranger'), 'rival true', 'the public one for who has no other');
SELECT is(pg_temp.sees('bind_grantee'), '42725 false', 'two for who has none of his own: an error');
SET LOCAL ROLE bind_grantee;
SELECT is(bool_or(used), false, 'the view says so') FROM wfml.sources WHERE kind = 'usage';
RESET ROLE;
SELECT is(wfml.unbind('usage', 'bind_rival'), true, 'a superuser unbinds for others');
SELECT is(pg_temp.sees('bind_grantee'), 'bind_app true', 'which helps');
SET LOCAL ROLE bind_app;
SELECT wfml.revoke_source('usage', 'bind_grantee') \g /dev/null
RESET ROLE;
SELECT is(pg_temp.sees('bind_grantee'), '42704 false', 'revoked');
SET LOCAL ROLE bind_app;

-- ---- as the source of a training ----

SELECT count(*) FROM wfml.train('of_runs', 'linear', 'SELECT * FROM wfml.bound_rows(''runs'') AS r (burden float8, team text, succeeded boolean)', 'succeeded') \g /dev/null
SELECT is(wfml.has_model('of_runs'), true, 'a model learns from a binding');
INSERT INTO app.run (run_id, workflow_id, started_at, finished_at, succeeded, who, burden, team) SELECT run_id + 1000, workflow_id, started_at, finished_at, succeeded, who, burden, team FROM app.run;
RESET ROLE;
SELECT lives_ok($$SELECT * FROM wfml.retrain('of_runs', true)$$, 'and again, whoever says so');
SELECT is((SELECT rows FROM wfml.versions WHERE name = 'of_runs' AND version = 2), 2000::bigint, 'as its owner');

-- ---- the owner is gone ----

REASSIGN OWNED BY bind_app TO CURRENT_USER;
DROP OWNED BY bind_app;
DROP ROLE bind_app;
SELECT is(pg_temp.sees(who), '42704 false', who || ' reads nothing of an owner who is gone') FROM unnest(ARRAY['bind_member', 'bind_grantee']::name[]) who;
RESET ROLE;
SELECT is(pg_temp.sees(current_setting('test.me')::name), '42704 false', 'nor does a superuser');
SELECT is(count(*), 6::bigint, 'who sees the bindings') FROM wfml.sources WHERE NOT used AND owner::text ~ '^\d+$';
SELECT is(bool_and(wfml.unbind(kind, owner::text::name)), true, 'and unbinds them') FROM wfml.sources;
SELECT is(count(*), 0::bigint, 'all') FROM wfml.sources;

SELECT * FROM finish();
ROLLBACK;
