-- Retraining policies: who may set them, what is due and why, what
-- run_retraining() does, and what a hostile owner cannot make it do.

\set QUIET 1
SET client_min_messages = warning;
CREATE ROLE wfml_owner;
CREATE ROLE wfml_member IN ROLE wfml_owner;
CREATE ROLE wfml_grantee;
CREATE ROLE wfml_stranger;
CREATE SCHEMA lair AUTHORIZATION wfml_owner;

SELECT plan(80);

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

CREATE TABLE points AS SELECT i AS id, i % 20 AS x, (i % 20 >= 10) <> (i % 7 = 0) AS y FROM generate_series(1, 1000) i;
ALTER TABLE points OWNER TO wfml_owner;

-- A model that the owner has, aged by so many days.
CREATE PROCEDURE make(model text, source text, days integer DEFAULT 0) LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL ROLE wfml_owner;
    PERFORM wfml.train(model, 'linear', source, 'y', '{"validation": "none"}', features => '{x}');
    RESET ROLE;
    UPDATE wfml.ml_model SET created_at = created_at - days * interval '1 day' WHERE name = model;
END $$;

CREATE FUNCTION last_run(which text) RETURNS text LANGUAGE sql AS
$$ SELECT concat_ws(' ', status, version, message) FROM wfml.jobs WHERE model = which AND kind = 'retrain' ORDER BY id DESC LIMIT 1 $$;
CREATE FUNCTION runs(which text) RETURNS bigint LANGUAGE sql AS
$$ SELECT count(*) FROM wfml.jobs WHERE model = which AND kind = 'retrain' $$;

-- ---- who, and which values ----

CALL make('plain', 'public.points');
SELECT wfml.grant_model('plain', 'wfml_grantee');

SELECT is(try('wfml_owner', $$SELECT wfml.set_retrain_policy('plain')$$), '', 'the owner sets a policy');
SELECT is(try('wfml_member', $$SELECT wfml.set_retrain_policy('plain', '20 days', 0.1, 0.25, 500, 60)$$), '', 'so does a member of the owner, anew');
SELECT is(try('wfml_grantee', $$SELECT wfml.set_retrain_policy('plain')$$), '42501', 'who may only use it does not');
SELECT is(try('wfml_stranger', $$SELECT wfml.set_retrain_policy('plain')$$), '42501', 'nor does a stranger');
SELECT is(try('wfml_stranger', $$SELECT wfml.drop_retrain_policy('plain')$$), '42501', 'who drops none either');
SELECT is(try('wfml_stranger', $$SELECT wfml.set_keep_versions('plain', 1)$$), '42501', 'nor says how many versions stay');
SELECT is(try('wfml_owner', $$SELECT wfml.set_retrain_policy('nothing')$$), 'WF001', 'a model must exist');
SELECT is(try('wfml_owner', $$SELECT wfml.set_retrain_policy(NULL)$$), '22004', 'a model must be named');
SELECT is(try('wfml_owner', format($$SELECT wfml.set_retrain_policy('plain', %s)$$, argument)), '22023', 'refused: ' || argument)
FROM unnest('{max_age => ''0 s'',max_age => ''-1 day'',max_age => NULL,min_score_drop => -0.1,min_score_drop => ''NaN'',
    max_drift => 0,max_drift => ''inf'',min_new_rows => 0,max_seconds => 0,max_seconds => NULL,max_seconds => ''NaN''}'::text[]) argument;
SELECT is(try('wfml_owner', $$SELECT wfml.set_keep_versions('plain', 0)$$), '22023', 'one version stays at least');

SELECT is(try(who, $$SELECT concat_ws(' ', max_age, min_score_drop, max_drift, min_new_rows, max_seconds) FROM wfml.retrain_policies$$),
    expected, 'policies as ' || who || ' sees them')
FROM (VALUES ('wfml_owner', '20 days 0.1 0.25 500 60'), ('wfml_member', '20 days 0.1 0.25 500 60'), ('wfml_grantee', '20 days 0.1 0.25 500 60'),
    ('wfml_stranger', NULL)) v (who, expected);
SELECT is(try('wfml_owner', $$SELECT wfml.drop_retrain_policy('plain')$$), 'true', 'it had one');
SELECT is(try('wfml_owner', $$SELECT wfml.drop_retrain_policy('plain')$$), 'false', 'and has none now');

-- ---- what is due ----

CALL make('old', 'public.points', 31);
CALL make('young', 'public.points', 29);
SELECT wfml.set_retrain_policy(m) FROM unnest('{plain,old,young}'::text[]) m;
SELECT results_eq($$SELECT model, reasons FROM wfml.retrain_due()$$,
    $$VALUES ('old', '{"version 1 is 31 days old, limit 30 days"}'::text[])$$, 'what is older than its policy says is due');
SELECT is(try('wfml_member', $$SELECT string_agg(model, ' ') FROM wfml.retrain_due()$$), 'old', 'members see it');
SELECT is(try('wfml_grantee', $$SELECT string_agg(model, ' ') FROM wfml.retrain_due()$$), NULL, 'grantees do not');

SELECT wfml.set_retrain_policy('plain', min_new_rows => 100);
INSERT INTO points SELECT i, i % 20, i % 20 >= 10 FROM generate_series(1001, 1099) i;
INSERT INTO points SELECT i, i % 20, NULL FROM generate_series(1100, 1300) i;
SELECT is(array_agg(model ORDER BY model), '{old}', 'too few new rows, as those without target do not count') FROM wfml.retrain_due();
INSERT INTO points VALUES (1301, 1, true);
SELECT is(reasons, '{at least 100 rows more than the 1000 trained on}', 'enough new rows') FROM wfml.retrain_due() WHERE model = 'plain';

SELECT wfml.set_retrain_policy('plain', max_drift => 0.25);
INSERT INTO wfml.evaluation (model_id, model, version, metric, value, source, rows, at, by)
SELECT active_id, name, active_version, metric, value, 'drift', 1000, clock_timestamp() + since, 'x'
FROM wfml.registry, (VALUES ('psi', 0.5, interval '-1 min'), ('psi', 0.3, '0'), ('psi:x', 0.31, '0'), ('psi:z', 0.1, '0')) v (metric, value, since) WHERE name = 'plain';
UPDATE wfml.evaluation SET at = (SELECT max(at) FROM wfml.evaluation WHERE source = 'drift') WHERE source = 'drift' AND value < 0.5;
SELECT is(reasons, '{"inputs drift: PSI 0.300 of x, limit 0.25"}', 'the worst feature of the last look at drift') FROM wfml.retrain_due() WHERE model = 'plain';
DELETE FROM wfml.evaluation;

-- ---- running it ----

SET ROLE wfml_grantee;
CALL wfml.run_retraining();
RESET ROLE;
SELECT is(count(*), 0::bigint, 'whose model it is not retrains nothing') FROM wfml.jobs;
SET ROLE wfml_member;
CALL wfml.run_retraining();
RESET ROLE;
SELECT is(runs('old'), 1::bigint, 'what is due is retrained');
SELECT is(runs('young') + runs('plain'), 0::bigint, 'what is not is not');
SELECT is(version, 2, 'there is a new version') FROM wfml.ml_model WHERE name = 'old' ORDER BY version DESC LIMIT 1;
SELECT is(role::text, 'wfml_owner', 'the job is the owner''s') FROM wfml.jobs WHERE model = 'old';
SELECT is(try('wfml_owner', $$SELECT count(*) FROM wfml.jobs$$), '1', 'who sees it');
SELECT is(try('wfml_stranger', $$SELECT count(*) FROM wfml.jobs$$), '0', 'a stranger does not');
SELECT is(try('wfml_stranger', $$SELECT wfml.cancel_job((SELECT max(id) FROM wfml.job_run))$$), '42501', 'nor reads its table');
SELECT is(count(*), 0::bigint, 'and it is not due again, won or not') FROM wfml.retrain_due() WHERE model = 'old';

-- ---- failures wait, and stop nobody ----

DELETE FROM wfml.retrain_policy;
CREATE TABLE lair.doomed AS SELECT * FROM points;
ALTER TABLE lair.doomed OWNER TO wfml_owner;
CALL make('doomed', 'lair.doomed', 31);
CALL make('sound', 'public.points', 31);
SELECT wfml.set_retrain_policy(m) FROM unnest('{doomed,sound}'::text[]) m;
DROP TABLE lair.doomed;
CALL wfml.run_retraining();
SELECT matches(last_run('doomed'), '^failed relation "lair.doomed" does not exist', 'a failure is told');
SELECT is(runs('sound'), 1::bigint, 'and the next model is retrained');
CALL wfml.run_retraining();
SELECT is(runs('doomed'), 1::bigint, 'what failed is not tried again at once');
SELECT ok(not_before BETWEEN now() + interval '22 h' AND now() + interval '23 h' AND note = 'the last retraining failed', 'but the next night')
FROM wfml.retrain_due() WHERE model = 'doomed';
UPDATE wfml.job_run SET finished_at = finished_at - interval '23 h 1 min' WHERE model = 'doomed';
CALL wfml.run_retraining();
SELECT ok(runs('doomed') = 2 AND not_before BETWEEN now() + interval '46 h' AND now() + interval '47 h', 'then two days later') FROM wfml.retrain_due() WHERE model = 'doomed';

-- ---- what a source of the owner's tries with a superuser's session ----

DELETE FROM wfml.retrain_policy;
CREATE FUNCTION lair.attack(how text) RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF how = 'who' THEN
        RAISE EXCEPTION 'I am %', current_user;
    ELSIF how = 'cancelled' THEN
        RAISE EXCEPTION 'canceling statement due to user request' USING ERRCODE = '57014';
    ELSIF how = 'long' THEN
        RAISE EXCEPTION '%', repeat('x', 1000000);
    ELSIF how = 'lock' THEN
        PERFORM pg_advisory_lock(42);
        RETURN 1;
    ELSIF how = 'setting' THEN
        PERFORM set_config('wfml.on_error', 'error', false), set_config('search_path', 'lair', false), set_config('row_security', 'off', false);
        RETURN 1;
    ELSIF how IN ('endless', 'unlimited') THEN
        IF how = 'unlimited' THEN
            -- counts the rows of another model, within a long limit of its own
            PERFORM wfml.retrain_due();
        END IF;
        LOOP
            PERFORM pg_sleep(0.01);
        END LOOP;
    END IF;
    EXECUTE how;
    RETURN 1;
END $$;
ALTER FUNCTION lair.attack(text) OWNER TO wfml_owner;
CREATE TABLE lair.source AS SELECT * FROM points;
ALTER TABLE lair.source OWNER TO wfml_owner;
-- Overloads that match better than pg_catalog's, for statements that are not qualified.
CREATE FUNCTION lair.pg_has_role(oid, oid, text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN CREATE ROLE wfml_pwned; RETURN true; END$$;
CREATE FUNCTION lair.same(text, text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN CREATE ROLE wfml_pwned; RETURN true; END$$;
CREATE OPERATOR lair.= (LEFTARG = text, RIGHTARG = text, FUNCTION = lair.same);

-- Retrain a model whose source is a view that attacks, as superuser.
CREATE PROCEDURE prepare(how text) LANGUAGE plpgsql AS $$
BEGIN
    CALL make('evil', 'lair.source', 31);
    DELETE FROM wfml.job_run;
    EXECUTE format('CREATE OR REPLACE VIEW lair.trap AS SELECT x, y, lair.attack(%L) AS z FROM points LIMIT 900', how);
    ALTER VIEW lair.trap OWNER TO wfml_owner;
    PERFORM wfml.set_source('evil', 'lair.trap');
    PERFORM wfml.set_retrain_policy('evil', max_seconds => 1);
    UPDATE wfml.registry SET search_path = 'lair, pg_catalog' WHERE name = 'evil';
END $$;

CALL make('aide', 'public.points');
SELECT wfml.set_retrain_policy('aide', NULL, min_new_rows => 100000, max_seconds => 10000);

CALL prepare('who');
SET search_path = lair, pg_catalog, public;
CALL wfml.run_retraining();
RESET search_path;
SELECT is(last_run('evil'), 'failed I am wfml_owner', 'it runs as the owner, in whatever search_path');
SELECT is((SELECT count(*) FROM pg_roles WHERE rolname = 'wfml_pwned'), 0::bigint, 'nothing of the owner''s ran as superuser');
CREATE TABLE attacks (how text, expected text);
INSERT INTO attacks VALUES
    ('ALTER ROLE wfml_owner SUPERUSER', '^failed (must be superuser|permission denied|cannot execute)'),
    ('SET ROLE postgres', '^failed cannot set parameter "role" within security-'),
    ('RESET ROLE', '^failed cannot set parameter "role" within security-'),
    ('SET SESSION AUTHORIZATION DEFAULT', '^failed cannot set parameter "session_authorization" within security-'),
    ('DELETE FROM public.points', '^failed cannot execute DELETE in a read-only transaction'),
    ('CREATE TEMP TABLE t (i int)', '^failed cannot (execute|create)'),
    ('SET transaction_read_only = off', '^failed '),
    ('COMMIT', '^failed '),
    ('cancelled', '^failed canceling statement'),
    ('unlimited', '^failed it took longer than 1 seconds$'),
    ('endless', '^failed it took longer than 1 seconds$');
CREATE TABLE outcome (how text, run text);
SELECT format('CALL prepare(%L); CALL wfml.run_retraining(); INSERT INTO outcome SELECT %L, last_run(''evil'')', how, how) FROM attacks \gexec
SELECT matches(o.run, a.expected, 'tried: ' || a.how) FROM attacks a LEFT JOIN outcome o USING (how);
CALL prepare('long');
CALL wfml.run_retraining();
SELECT cmp_ok(length(last_run('evil')), '<=', 1010, 'a long message is cut');
CALL prepare('lock');
CALL wfml.run_retraining();
SELECT is((SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), 0::bigint, 'no lock of its stays');
CALL prepare('setting');
CALL wfml.run_retraining();
SELECT is(current_setting('wfml.on_error') || ' ' || current_setting('row_security'), 'fallback on', 'no setting of its stays');
SELECT is(runs('evil'), 1::bigint, 'though it was retrained');

-- ---- drift and live scores decide the next night ----

DELETE FROM wfml.retrain_policy;
CALL make('drifty', 'public.points');
SELECT wfml.set_log_input('drifty', true), wfml.set_retrain_policy('drifty', NULL, max_drift => 0.25);
SET ROLE wfml_owner;
SET wfml.user_id = 'somebody';
SELECT count(*) FROM points p, LATERAL wfml.log_predict('drifty', (SELECT s FROM (SELECT p.x + 15 AS x) s)) WHERE id <= 500 \g /dev/null
RESET wfml.user_id;
RESET ROLE;
SET wfml.user_id = 'nobody';
CALL wfml.run_retraining();
SELECT is(runs('drifty'), 0::bigint, 'drift is not known the first night');
SELECT matches(reasons::text, 'inputs drift: PSI \d\.\d+ of x, limit 0.25', 'but measured, for the next, of all users') FROM wfml.retrain_due() WHERE model = 'drifty';
RESET wfml.user_id;
CALL wfml.run_retraining();
SELECT is(runs('drifty'), 1::bigint, 'when it is a reason');
SELECT is(count(*), 0::bigint, 'once: it is measured against the new version') FROM wfml.retrain_due() WHERE model = 'drifty' AND not_before IS NULL;

DELETE FROM wfml.retrain_policy;
SET ROLE wfml_owner;
SELECT version FROM wfml.train('scored', 'linear', 'public.points', 'y', features => '{x}') \g /dev/null
SELECT wfml.set_retrain_policy('scored', NULL, min_score_drop => 0.1);
SELECT count(*) FROM points p, LATERAL wfml.log_predict('scored', (SELECT s FROM (SELECT p.x) s), p.id) WHERE id <= 900 \g /dev/null
RESET ROLE;
UPDATE wfml.prediction SET actual = (entity::int % 20 < 10)::text, actual_at = made_at WHERE model = 'scored' AND entity::int <= 49;
SELECT is(count(*), 0::bigint, 'fewer than 50 outcomes are no reason, however bad') FROM wfml.retrain_due();
UPDATE wfml.prediction SET actual = NULL, actual_at = NULL WHERE model = 'scored';
UPDATE wfml.prediction SET actual = (entity::int % 20 >= 10)::text, actual_at = made_at WHERE model = 'scored' AND entity::int > 90;
SELECT is(count(*), 0::bigint, 'a good live score is no reason') FROM wfml.retrain_due();
UPDATE wfml.prediction SET actual = (NOT actual::boolean)::text WHERE model = 'scored' AND entity::int % 3 = 0;
SELECT matches(reasons::text, 'live accuracy 0\.6\d* \(810 outcomes\), at training 0\.9\d*, limit 0.1 lower', 'a worse one is') FROM wfml.retrain_due();
SELECT wfml.set_retrain_policy('scored', NULL, min_score_drop => 0.3);
SELECT is(count(*), 0::bigint, 'unless the policy bears it') FROM wfml.retrain_due();

-- ---- predictions and jobs of long ago ----

UPDATE wfml.prediction SET made_at = made_at - interval '2 days' WHERE model = 'scored' AND entity::int <= 300;
UPDATE wfml.job_run SET finished_at = finished_at - interval '91 days' WHERE model = 'drifty';
SET wfml.prediction_retention = '1 d';
SET ROLE wfml_grantee;
CALL wfml.run_retraining();
RESET ROLE;
SELECT is(count(*), 900::bigint, 'who does not own the model prunes nothing') FROM wfml.prediction WHERE model = 'scored';
INSERT INTO wfml.job_run (kind, model, role, status, arguments, settings) VALUES ('train', 'late', 'wfml_owner', 'queued',
    '{"function": "train", "algorithm": "linear", "source": "public.points", "target": "y", "features": ["x"]}', '{}');
CALL wfml.run_retraining();
SELECT ok(j.status = 'done' AND j.started_at > (SELECT max(p.finished_at) FROM wfml.job_run p WHERE p.kind = 'prune'), 'queued jobs, whose time nothing limits, come last')
FROM wfml.job_run j WHERE j.model = 'late';
SELECT wfml.drop_model('late') \g /dev/null
SELECT is(count(*), 600::bigint, 'predictions past wfml.prediction_retention go') FROM wfml.prediction WHERE model = 'scored';
SELECT is(runs('drifty'), 0::bigint, 'so do jobs of three months ago');
SELECT is(result ->> 'predictions', '300', 'which is told') FROM wfml.jobs WHERE kind = 'prune' ORDER BY id DESC LIMIT 1;
RESET wfml.prediction_retention;

-- ---- a model whose owner is gone ----

DELETE FROM wfml.retrain_policy;
CREATE ROLE wfml_gone;
GRANT SELECT ON points TO wfml_gone;
SET ROLE wfml_gone;
SELECT version FROM wfml.train('orphan', 'linear', 'public.points', 'y', features => '{x}') \g /dev/null
SELECT wfml.set_retrain_policy('orphan', min_new_rows => 1);
RESET ROLE;
DROP OWNED BY wfml_gone;
DROP ROLE wfml_gone;
UPDATE wfml.ml_model SET created_at = created_at - interval '31 days' WHERE name = 'orphan';
CALL wfml.run_retraining();
SELECT matches(last_run('orphan'), '^failed the role that owns the model does not exist any more; A superuser can', 'a model without owner is not retrained');

-- ---- versions past keep_versions ----

DELETE FROM wfml.retrain_policy;
CALL make('many', 'public.points');
CALL make('many', 'public.points');
CALL make('many', 'public.points');
CALL make('many', 'public.points');
CALL make('many', 'public.points');
CALL make('many', 'public.points');
SELECT wfml.activate('many', 2), wfml.retire('many', 1), wfml.set_keep_versions('many', 2);
SELECT format('CREATE INDEX by_third ON points (wfml.predict_version(%s, jsonb %L)) WHERE x = 1', id, '{"x": 1}')
FROM wfml.versions WHERE name = 'many' AND version = 3 \gexec
CALL wfml.run_retraining();
SELECT is(count(*), 6::bigint, 'without a policy nothing is dropped') FROM wfml.versions WHERE name = 'many';
SELECT wfml.set_retrain_policy('many');
CALL wfml.run_retraining();
-- 1 is retired, 2 active, 3 in an index, 5 and 6 newest; rollback() would return to 6
SELECT is(array_agg(version ORDER BY version), '{1,2,3,5,6}', 'old versions go, but those that are needed') FROM wfml.versions WHERE name = 'many';
SELECT is(result, '{"jobs": 0, "versions": 1, "predictions": 0}', 'which the log tells') FROM wfml.jobs WHERE kind = 'prune' ORDER BY id DESC LIMIT 1;

SELECT * FROM finish();
DROP INDEX by_third;
SELECT wfml.drop_model(name) FROM wfml.models \g /dev/null
DELETE FROM wfml.job_run;
DELETE FROM wfml.prediction;
DROP TABLE points, attacks, outcome CASCADE;
DROP FUNCTION try, last_run, runs;
DROP PROCEDURE make, prepare;
DROP OWNED BY wfml_owner CASCADE;
DROP SCHEMA IF EXISTS lair CASCADE;
DROP ROLE wfml_owner, wfml_member, wfml_grantee, wfml_stranger;
