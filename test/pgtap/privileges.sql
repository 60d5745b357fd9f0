-- Who may do what: owner, member of the owner, grantee, stranger, superuser,
-- and nobody's models.  Roles live in the transaction.

\set QUIET 1
SET client_min_messages = warning;
BEGIN;
CREATE ROLE wfml_owner;
CREATE ROLE wfml_member IN ROLE wfml_owner;
CREATE ROLE wfml_uninherited NOINHERIT IN ROLE wfml_owner;
CREATE ROLE wfml_team;
CREATE ROLE wfml_grantee IN ROLE wfml_team;
CREATE ROLE wfml_stranger;
GRANT CREATE ON SCHEMA public TO wfml_owner;

CREATE TABLE points AS SELECT i % 20 AS x, (i % 20 >= 10) <> (i % 7 = 0) AS y FROM generate_series(1, 280) i;
ALTER TABLE points OWNER TO wfml_owner;

-- Run a query as a role: its first value as text, or its SQLSTATE.
CREATE FUNCTION try(who name, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    BEGIN
        EXECUTE query INTO result;
    EXCEPTION WHEN others THEN
        result := SQLSTATE;
    END;
    RESET ROLE;
    RETURN result;
END $$;

-- The HINT of the error that a query raises.
CREATE FUNCTION hint(who name, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text := 'no error';
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    BEGIN
        EXECUTE query;
    EXCEPTION WHEN others THEN
        GET STACKED DIAGNOSTICS result = PG_EXCEPTION_HINT;
    END;
    RESET ROLE;
    RETURN result;
END $$;

-- Everything that only needs the use of a model, and what answers.
CREATE TABLE uses (query text);
INSERT INTO uses VALUES
    ($$SELECT wfml.predict('secret', '{"x": 1}') < 0.5$$),
    ($$SELECT wfml.predict('secret@1', '{"x": 1}') < 0.5$$),
    ($$SELECT wfml.predict('secret', s) < 0.5 FROM (SELECT 1 AS x) s$$),
    ($$SELECT wfml.classify('secret', '{"x": 1}') = 'false'$$),
    ($$SELECT wfml.predict_proba('secret', '{"x": 1}', 'false') > 0.5$$),
    ($$SELECT wfml.predict_proba('secret', '{"x": 1}') ? 'false'$$),
    ($$SELECT label = 'false' FROM wfml.predict_detail('secret', '{"x": 1}')$$),
    ($$SELECT wfml.predict_version(current_setting('test.id')::bigint, '{"x": 1}') < 0.5$$),
    ($$SELECT wfml.classify_version(current_setting('test.id')::bigint, '{"x": 1}') = 'false'$$),
    ($$SELECT wfml.version_id('secret') = current_setting('test.id')::bigint$$),
    ($$SELECT count(*) >= 0 FROM wfml.metrics('secret')$$),
    ($$SELECT wfml.model_info('secret') ? 'labels'$$),
    ($$SELECT count(*) = 1 FROM wfml.feature_importance('secret')$$),
    ($$SELECT wfml.verify('secret')$$);

-- Everything that needs its ownership; each is undone again.
CREATE TABLE changes (query text);
INSERT INTO changes VALUES
    ($$SELECT wfml.activate('secret', 1)$$),
    ($$SELECT wfml.rollback('secret')$$),
    ($$SELECT wfml.retire('secret', 1)$$),
    ($$SELECT wfml.drop_model('secret')$$),
    ($$SELECT wfml.drop_model('secret', 1)$$),
    ($$SELECT wfml.rename_model('secret', 'mine')$$),
    ($$SELECT wfml.set_comment('secret', 'mine')$$),
    ($$SELECT wfml.set_source('secret', 'mine')$$),
    ($$SELECT wfml.grant_model('secret', 'wfml_stranger')$$),
    ($$SELECT wfml.revoke_model('secret', 'wfml_team')$$),
    ($$SELECT wfml.reassign_models('wfml_owner', 'wfml_stranger')$$),
    ($$SELECT length(wfml.export_model('secret'))$$),
    ($$SELECT wfml.import_model('secret', current_setting('test.bytes')::bytea)$$),
    ($$SELECT version FROM wfml.train('secret', 'gradient_boosting', 'SELECT 1 AS x, 2.0 AS y UNION ALL SELECT 2, 3', 'y', '{"validation": "none"}')$$);

SELECT no_plan();

-- ---- what PUBLIC has ----

SELECT is(count(*), 0::bigint, 'PUBLIC has no right on any table or sequence')
FROM pg_class c
WHERE relnamespace = 'wfml'::regnamespace AND relkind IN ('r', 'p', 'S')
    AND CASE relkind WHEN 'S' THEN has_sequence_privilege('wfml_stranger', oid, 'USAGE, SELECT, UPDATE')
        ELSE has_table_privilege('wfml_stranger', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
            OR has_any_column_privilege('wfml_stranger', oid, 'SELECT, INSERT, UPDATE, REFERENCES') END;
SELECT is(has_schema_privilege('wfml_stranger', 'wfml', 'CREATE'), false, 'nor may it create anything in the schema');
SELECT is(string_agg(relname, ' ' ORDER BY relname), NULL, 'views on our tables are security barriers')
FROM pg_class c
WHERE relnamespace = 'wfml'::regnamespace AND relkind = 'v' AND NOT coalesce(reloptions @> '{security_barrier=true}', false)
    AND EXISTS (SELECT FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                JOIN pg_class t ON t.oid = d.refobjid AND t.relkind = 'r' AND t.relnamespace = 'wfml'::regnamespace
                WHERE r.ev_class = c.oid);
SELECT is(string_agg(p.oid::regprocedure::text, ' '), NULL, 'no function runs with the rights of its owner')
FROM pg_proc p WHERE pronamespace = 'wfml'::regnamespace AND prosecdef;
SELECT is(try('wfml_stranger', 'SELECT * FROM wfml.usable_model'), '42501', 'the helper view is nobody''s');
SELECT is(try('wfml_stranger', 'SELECT wfml.registry_changed()'), '42501', 'nor is the trigger function');

-- ---- the owner ----

SELECT is(try('wfml_owner', $$SELECT model || '@' || version FROM wfml.train('secret', 'gradient_boosting', 'points', 'y', '{"validation": "none"}')$$),
    'secret@1', 'an ordinary role trains a model');
SELECT is(owner::text, 'wfml_owner', 'and owns it') FROM wfml.models WHERE name = 'secret';
SELECT set_config('test.id', wfml.version_id('secret')::text, true) \g /dev/null
SELECT set_config('test.bytes', wfml.export_model('secret')::text, true) \g /dev/null
SELECT is(try('wfml_owner', query), 'true', 'owner: ' || query) FROM uses;
SELECT is(try('wfml_member', query), 'true', 'member of the owner: ' || query) FROM uses;
SELECT is(try(current_user, query), 'true', 'superuser: ' || query) FROM uses;
SELECT is(try('wfml_uninherited', query), '42501', 'member without inheritance: ' || query) FROM uses;
SELECT is(try('wfml_owner', 'SELECT source FROM wfml.versions'), 'public.points', 'the owner sees the source');

-- ---- a stranger ----

SELECT is(try('wfml_stranger', query), '42501', 'stranger: ' || query) FROM uses;
SELECT is(try('wfml_stranger', query), '42501', 'stranger: ' || query) FROM changes;
SELECT is(try('wfml_stranger', 'SELECT count(*) FROM ' || v), '0', 'stranger: nothing in ' || v)
FROM unnest('{wfml.models,wfml.versions,wfml.evaluations}'::text[]) v;
SELECT unalike(hint('wfml_stranger', $$SELECT wfml.predict('secrets', '{}')$$), '%secret"%', 'hints do not tell names to strangers');
SELECT alike(hint('wfml_owner', $$SELECT wfml.predict('secrets', '{}')$$), '%"secret"%', 'but to those who may use them');
SELECT is(try('wfml_stranger', $$SELECT wfml.predict('points', '{}')$$), 'WF001', 'an unknown model has its own SQLSTATE');

-- The rights that count are those of who runs a view's or function's expression.
CREATE VIEW public_view AS SELECT wfml.predict('secret', '{"x": 1}') < 0.5 AS answer;
ALTER VIEW public_view OWNER TO wfml_owner;
GRANT SELECT ON public_view TO PUBLIC;
SELECT is(try('wfml_stranger', 'SELECT answer FROM public_view'), '42501', 'a view does not lend the right');
CREATE FUNCTION public_function() RETURNS boolean LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$SELECT wfml.predict('secret', '{"x": 1}') < 0.5$$;
ALTER FUNCTION public_function() OWNER TO wfml_owner;
SELECT is(try('wfml_stranger', 'SELECT public_function()'), 'true', 'a SECURITY DEFINER function does');

-- ---- a grantee ----

SELECT is(try('wfml_owner', $$SELECT wfml.grant_model('secret', 'wfml_team')$$), '', 'the owner grants the use');
SELECT is(try('wfml_grantee', query), 'true', 'grantee: ' || query) FROM uses;
SELECT is(try('wfml_grantee', query), '42501', 'grantee: ' || query) FROM changes;
SELECT is(try('wfml_grantee', 'SELECT name FROM wfml.models'), 'secret', 'the grantee sees it');
SELECT is(try('wfml_grantee', 'SELECT source FROM wfml.versions'), NULL, 'but not what it was trained from');
SELECT is(try('wfml_owner', $$SELECT wfml.revoke_model('secret', 'wfml_team')$$), '', 'and takes it back');
SELECT is(try('wfml_grantee', query), '42501', 'no longer: ' || query) FROM uses LIMIT 2;
SELECT is(try('wfml_owner', $$SELECT wfml.grant_model('secret', 'public')$$), '', 'granted to PUBLIC');
SELECT is(try('wfml_stranger', query), 'true', 'everybody: ' || query) FROM uses LIMIT 2;
SELECT is(try('wfml_stranger', 'SELECT name FROM wfml.models'), 'secret', 'everybody sees it');
SELECT is(try('wfml_owner', $$SELECT wfml.revoke_model('secret', 'public')$$), '', 'and revoked');
SELECT is(try('wfml_stranger', 'SELECT count(*) FROM wfml.models'), '0', 'nobody sees it');
SELECT is(try('wfml_owner', $$SELECT wfml.grant_model('secret', 'no_such_role')$$), '42704', 'no grant to a role that does not exist');

-- ---- our SQL is not led astray ----

CREATE SCHEMA evil;
CREATE FUNCTION evil.boom(text, text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE 'led astray'; END$$;
CREATE OPERATOR evil.= (FUNCTION = evil.boom, LEFTARG = text, RIGHTARG = text);
CREATE FUNCTION evil.max(integer) RETURNS integer LANGUAGE plpgsql AS $$BEGIN RAISE 'led astray'; END$$;
CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$BEGIN RAISE 'led astray'; END$$;
CREATE TABLE evil.registry (name text);
GRANT USAGE ON SCHEMA evil TO PUBLIC;
CREATE TABLE led (n serial, query text, expected text, result text);
INSERT INTO led (query, expected) VALUES
    ($$SELECT wfml.set_comment('secret', 'still here')$$, ''),
    ($$SELECT wfml.verify('secret')$$, 'true'),
    ($$SELECT wfml.import_model('again', pg_catalog.current_setting('test.bytes')::pg_catalog.bytea)$$, 'again@1'),
    ($$SELECT wfml.import_model('again', pg_catalog.current_setting('test.bytes')::pg_catalog.bytea)$$, 'again@2'),
    ($$SELECT wfml.rollback('again')$$, '1'),
    ($$SELECT wfml.rename_model('again', 'more')$$, ''),
    ($$SELECT wfml.drop_model('more')$$, ''),
    ($$SELECT pg_catalog.count(*) FROM wfml.models$$, '1'),
    ($$SELECT wfml.predict('secret', '{"x": 1}') OPERATOR(pg_catalog.<) 0.5$$, 'true');
SET LOCAL search_path = evil, wfml, pg_catalog, public;
UPDATE led SET result = public.try(current_user, query);
RESET search_path;
SELECT is(result, expected, 'with a hostile search_path: ' || query) FROM led ORDER BY n;

-- ---- nobody's models ----

SELECT is(try('wfml_owner', $$SELECT wfml.grant_model('secret', 'wfml_team')$$), '', 'granted again');
DROP VIEW public_view;
DROP FUNCTION public_function();
ALTER TABLE points OWNER TO CURRENT_USER;
SELECT set_config('test.owner', owner::oid::text, true) FROM wfml.models WHERE name = 'secret' \g /dev/null
DROP OWNED BY wfml_owner;
DROP ROLE wfml_owner;
SELECT is(try('wfml_grantee', query), '42501', 'orphan, its grantee: ' || query) FROM uses LIMIT 2;
SELECT is(try('wfml_member', query), '42501', 'orphan, who was a member: ' || query) FROM uses LIMIT 2;
SELECT is(try('wfml_grantee', 'SELECT count(*) FROM wfml.models'), '0', 'nobody sees it');
SELECT is(try(current_user, query), 'true', 'orphan, superuser: ' || query) FROM uses;
SELECT is(try(current_user, 'SELECT owner FROM wfml.models'), current_setting('test.owner'), 'the owner is a number');
SELECT is(try('wfml_member', format('SELECT wfml.reassign_models(%L, %L)', current_setting('test.owner'), 'wfml_member')), '42501',
    'only a superuser mends it');
SELECT is(try(current_user, format('SELECT wfml.reassign_models(%L, %L)', current_setting('test.owner'), 'wfml_member')), '1', 'so he does');
SELECT is(try('wfml_member', query), 'true', 'new owner: ' || query) FROM uses LIMIT 2;
SELECT is(try('wfml_grantee', query), 'true', 'grants came along: ' || query) FROM uses LIMIT 2;
SET ROLE wfml_stranger;
CREATE FUNCTION pg_temp.in_the_way(jsonb) RETURNS float8 LANGUAGE sql BEGIN ATOMIC SELECT wfml.predict('secret', $1); END;
RESET ROLE;
SELECT is(try('wfml_member', $$SELECT wfml.drop_model('secret')$$), '', 'and may drop it, whatever strangers write');

SELECT * FROM finish();
ROLLBACK;
