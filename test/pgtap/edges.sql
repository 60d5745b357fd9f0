-- Scoring at its edges: keys and outcomes of unusual types, rules that fit no
-- row, limits, names that change meanwhile, and traps for who attaches.

\set QUIET 1
SET client_min_messages = error;
BEGIN;
SELECT * FROM no_plan();
CREATE ROLE wfml_owner;
CREATE SCHEMA edges;
GRANT ALL ON SCHEMA edges TO wfml_owner;
SET LOCAL search_path = public, edges;

CREATE TABLE history AS SELECT i % 24 AS hour, i % 7 AS day, i % 24 BETWEEN 9 AND 17 AS busy FROM generate_series(1, 480) i;
SELECT wfml.train('m', 'gradient_boosting', 'history', 'busy', '{"validation": "none", "rounds": 5}') IS NOT NULL,
    wfml.train('m', 'gradient_boosting', 'history', 'busy', '{"validation": "none", "rounds": 9}') IS NOT NULL \g /dev/null
DELETE FROM wfml.prediction;
CREATE FUNCTION message(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE query;
    RETURN 'done';
EXCEPTION WHEN others THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- ---- a model's name that changes while the transaction logs ----

SELECT wfml.log_predict('m', '{"hour": 1, "day": 1}', 'before'), wfml.rename_model('m', 'n'), 1 \g /dev/null
SELECT wfml.log_predict('n', '{"hour": 1, "day": 1}', 'after') \g /dev/null
SELECT is((SELECT array_agg(model ORDER BY id) FROM wfml.prediction), '{n,n}', 'a renamed model is logged by its new name, also in the same transaction');
SELECT wfml.rename_model('n', 'm') \g /dev/null

-- ---- limits ----

SELECT wfml.split_traffic('m', 1, 2, 1, 'shadow') \g /dev/null
CREATE TABLE limited (id int, hour int, day int);
CREATE TRIGGER l AFTER INSERT ON limited FOR EACH ROW EXECUTE FUNCTION wfml.log_trigger('m', 'id');
-- Minutes end at any time: begin when there is time left.
SELECT pg_sleep(CASE WHEN extract(second FROM clock_timestamp()) > 58 THEN 2.1 ELSE 0 END) \g /dev/null
SET LOCAL wfml.rate_limit = 3;
INSERT INTO limited SELECT i, 1, 1 FROM generate_series(1, 10) i;
RESET wfml.rate_limit;
SELECT is((SELECT count(*) FROM wfml.prediction WHERE entity <> 'before' AND shadow), (SELECT count(*) FROM wfml.prediction WHERE entity ~ '\d' AND NOT shadow),
    'over the limit no shadow is logged either');
SELECT wfml.end_split('m') \g /dev/null
DROP TABLE limited;
SELECT is(message(format('SET LOCAL wfml.user_id = %L', repeat('u', 2000))), 'done', 'a long user');
SELECT is(message(format('SET LOCAL wfml.user_id = %L', repeat('u', 2001))), format('22023 invalid value for parameter "wfml.user_id": "%s"', repeat('u', 2001)),
    'a longer one than the index of the log can hold is refused when it is set');
RESET wfml.user_id;

-- ---- keys ----

CREATE TABLE keyed (k timestamptz, hour int, day int, p float8, busy bool);
SELECT wfml.attach('m', 'keyed', 'k', 'p', NULL, 'busy') \g /dev/null
SET LOCAL timezone = 'Asia/Tokyo';
SET LOCAL datestyle = 'German';
INSERT INTO keyed VALUES ('2026-01-02 03:04:05+00', 10, 1);
SET LOCAL timezone = 'America/Lima';
SET LOCAL datestyle = 'SQL, MDY';
UPDATE keyed SET busy = true;
SELECT is((SELECT array_agg(entity || actual) FROM wfml.prediction WHERE entity LIKE '%2026%'), '{"2026-01-02 03:04:05+00true"}', 'an outcome finds its timestamp in any DateStyle and time zone');
SELECT is(to_char('2026-01-02 03:04:05+00'::timestamptz, 'HH24'), '22', 'and the session keeps its own');
RESET timezone;
RESET datestyle;
CREATE TABLE spans (k interval, b bytea, hour int, day int, busy bool);
SELECT wfml.attach('m', 'spans', 'k', NULL, NULL, 'busy') \g /dev/null
INSERT INTO spans VALUES ('1 day 2 hours', '\x01', 10, 1);
SET LOCAL intervalstyle = 'iso_8601';
UPDATE spans SET busy = true;
RESET intervalstyle;
SELECT is((SELECT array_agg(entity || actual) FROM wfml.prediction WHERE entity LIKE '1 day%'), '{"1 day 02:00:00true"}', 'an interval');

CREATE TABLE endless (k text, hour int, day int, p float8, busy bool);
SELECT wfml.attach('m', 'endless', 'k', 'p', NULL, 'busy') \g /dev/null
SELECT is(message($$INSERT INTO endless SELECT repeat('k', n), 10, 1 FROM generate_series(1999, 2002) n$$), 'done', 'keys that no index could hold keep no row away');
SELECT is((SELECT count(p) FROM endless), 4::bigint, 'the rows are scored');
SELECT is((SELECT array_agg(length(entity) ORDER BY id) FROM wfml.prediction WHERE entity LIKE 'kk%'), '{1999,2000}', 'but not all are logged');
SELECT is(message('UPDATE endless SET busy = true'), 'done', 'their outcomes');
SET LOCAL wfml.on_error = 'error';
SELECT is(message($$INSERT INTO endless VALUES (repeat('k', 2001), 10, 1)$$), '54000 the entity of a logged prediction has 2001 bytes', 'error: such a key');
RESET wfml.on_error;

-- ---- outcomes of types without "=", or with one of somebody's own ----

CREATE TABLE judged (id int, hour int, day int, verdict json);
SELECT is(message($$SELECT wfml.attach('m', 'judged', 'id', NULL, NULL, 'verdict')$$), 'done', 'an outcome in JSON');
INSERT INTO judged VALUES (1, 2, 3);
UPDATE judged SET verdict = 'true';
SELECT is((SELECT actual FROM wfml.predictions WHERE entity = '1' ORDER BY id DESC LIMIT 1), 'true', 'joins');
UPDATE judged SET verdict = NULL;
SELECT is((SELECT actual FROM wfml.predictions WHERE entity = '1' ORDER BY id DESC LIMIT 1), NULL, 'and is withdrawn');
DROP TABLE judged;

-- ---- triggers that wait until the commit ----

CREATE TABLE waiting (id int, hour int, day int, busy bool);
CREATE CONSTRAINT TRIGGER l AFTER INSERT ON waiting DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wfml.log_trigger('m', 'id');
CREATE CONSTRAINT TRIGGER a AFTER INSERT OR UPDATE ON waiting DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wfml.outcome_trigger('m', 'id', 'busy');
INSERT INTO waiting VALUES (700, 10, 1);
UPDATE waiting SET busy = true;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT is((SELECT array_agg(actual) FROM wfml.predictions WHERE entity = '700'), '{true}', 'deferred triggers join outcomes, too');
DROP TABLE waiting;

-- ---- columns that somebody added to the log ----

ALTER TABLE wfml.prediction ADD COLUMN tenant text NOT NULL DEFAULT lower('NOBODY'), ADD COLUMN gone int DEFAULT 1, ADD COLUMN later int;
ALTER TABLE wfml.prediction DROP COLUMN gone;
SELECT wfml.log_predict('m', '{"hour": 1, "day": 1}', '704') \g /dev/null
SELECT is((SELECT tenant || coalesce(later, 0) FROM wfml.prediction WHERE entity = '704'), 'nobody0', 'they get their defaults');
ALTER TABLE wfml.prediction ALTER tenant DROP DEFAULT;
SELECT is(message($$SELECT wfml.log_predict('m', '{"hour": 1, "day": 1}', '705')$$), '23502 column "tenant" that was added to wfml.prediction must not be null',
    'or must not be missing');
ALTER TABLE wfml.prediction DROP COLUMN tenant, DROP COLUMN later;

-- ---- event triggers ----

CREATE TABLE audited (tag text);
CREATE FUNCTION audit() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO audited VALUES (tg_tag); END';
CREATE TABLE watched (id int, hour int, day int, note varchar);
CREATE FUNCTION never(varchar, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, PROCEDURE = never);
CREATE EVENT TRIGGER audit ON ddl_command_end WHEN TAG IN ('CREATE TRIGGER') EXECUTE FUNCTION audit();
SELECT is(message($$SELECT wfml.attach('m', 'watched', 'id', NULL, NULL, 'note')$$), 'done', 'event triggers find their tables');
SELECT is((SELECT count(*) FROM audited), 4::bigint, 'and see what is made');
DROP EVENT TRIGGER audit;
INSERT INTO watched VALUES (702, 10, 3);
UPDATE watched SET note = 'a';
UPDATE watched SET note = 'b';
SELECT is((SELECT actual FROM wfml.predictions WHERE entity = '702'), 'b', 'conditions of triggers mean the built-in operator');
SELECT is((SELECT count(*) FROM pg_depend WHERE refclassid = 'pg_operator'::regclass AND refobjid = 'public.=(varchar, varchar)'::regoperator AND classid = 'pg_trigger'::regclass), 0::bigint, 'not that of a schema');
DROP TABLE watched;
DROP OPERATOR = (varchar, varchar);

-- ---- what the log keeps of rows ----

CREATE TABLE heavy (id int, note text, hour int, gone int, day int, other bytea);
ALTER TABLE heavy DROP COLUMN gone;
SELECT wfml.set_log_input('m', true), wfml.attach('m', 'heavy', 'id') \g /dev/null
CREATE FUNCTION to_nothing(bytea) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not needed'; END $$;
CREATE CAST (bytea AS json) WITH FUNCTION to_nothing(bytea);
INSERT INTO heavy VALUES (701, repeat('x', 1000), 10, 3, '\x00');
SELECT is((SELECT input FROM wfml.predictions WHERE entity = '701'), '{"day": 3, "hour": 10}', 'other columns are not even looked at');
DROP CAST (bytea AS json);
-- Neither are casts that the types' owner made.
CREATE TYPE mood AS ENUM ('calm', 'hurried');
CREATE FUNCTION to_nothing(mood) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN to_json('trojan of ' || current_user); END $$;
CREATE CAST (mood AS json) WITH FUNCTION to_nothing(mood);
SELECT wfml.train('moody', 'gradient_boosting', $$SELECT hour, (ARRAY['calm', 'hurried'])[1 + hour % 2]::mood AS mood, busy FROM history$$, 'busy', '{"validation": "none", "rounds": 5}') IS NOT NULL \g /dev/null
SELECT wfml.set_log_input('moody', true), wfml.set_fallback('moodless', 'hour') \g /dev/null
SELECT wfml.set_log_input('moodless', true) \g /dev/null
SELECT wfml.log_predict(m, r, '703') FROM (SELECT 1 AS hour, 'calm'::mood AS mood) r, unnest('{moody,moodless}'::text[]) m \g /dev/null
SELECT is((SELECT array_agg(DISTINCT input) FROM wfml.predictions WHERE entity = '703'), ARRAY['{"hour": 1, "mood": "calm"}'::jsonb], 'enums are their labels');
DROP CAST (mood AS json);
DROP TABLE heavy;
SELECT wfml.set_log_input('m', false) \g /dev/null
SET LOCAL wfml.prediction_retention = '36500 d';
SELECT is(message('CALL wfml.prune_predictions()'), 'done', 'a retention of a century');
SELECT isnt((SELECT count(*) FROM wfml.prediction), 0::bigint, 'keeps predictions');

-- ---- partitions ----

CREATE TABLE parted (id int, hour int, day int, busy bool, place text) PARTITION BY LIST (busy);
SELECT is(message($$SELECT wfml.attach('m', 'parted', 'id', 'busy')$$), '0A000 output_column "busy" is part of the partition key of table "parted"',
    'a prediction that would choose the partition');
DROP TABLE parted;

-- ---- a rule that fits no row is analyzed for each and leaves nothing ----

SELECT wfml.set_fallback('ruled', 'hour + 1') \g /dev/null
CREATE TABLE ruled (id int, hour int, p float8);
SELECT wfml.attach('ruled', 'ruled', 'id', 'p') \g /dev/null
SELECT wfml.set_fallback('ruled', 'hour + missing') \g /dev/null
CREATE TABLE used (id int, bytes numeric);
CREATE FUNCTION note_memory() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO used SELECT NEW.id, sum(total_bytes) FROM pg_backend_memory_contexts;
    RETURN NEW;
END $$;
CREATE TRIGGER z BEFORE INSERT ON ruled FOR EACH ROW WHEN (NEW.id % 1000 = 0) EXECUTE FUNCTION note_memory();
INSERT INTO ruled SELECT i, i % 24 FROM generate_series(1, 3000) i;
SELECT cmp_ok((SELECT bytes FROM used WHERE id = 3000) - (SELECT bytes FROM used WHERE id = 1000), '<', 2000000::numeric, 'memory does not grow with the rows');

SELECT wfml.set_fallback('long', 'repeat(''x'', size::int)') \g /dev/null
SELECT is((SELECT length(label) FROM wfml.log_predict('long', '{"size": 8192}'::jsonb)), 8192, 'a long label');
CREATE TABLE longs (id int, size numeric, label text);
ALTER TABLE longs ALTER size TYPE int;
SELECT wfml.attach('long', 'longs', 'id', 'label') \g /dev/null
INSERT INTO longs VALUES (70600, 100000000);
SELECT is((SELECT label FROM longs), NULL, 'a huge one is no answer');
SELECT matches((SELECT error FROM wfml.predictions WHERE entity = '70600'), 'the label has 100000000 bytes', 'and does not fill the log');

-- ---- traps ----

-- A constant of a composite type runs its domains' checks when it is read.
SET LOCAL ROLE wfml_owner;
CREATE TABLE edges.caught (who name);
GRANT INSERT ON edges.caught TO PUBLIC;
CREATE FUNCTION edges.trap(text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN INSERT INTO edges.caught VALUES (current_user); RETURN true; END $$;
CREATE DOMAIN edges.bait AS text CHECK (edges.trap(value));
CREATE TYPE edges.hook AS (a edges.bait);
CREATE FUNCTION edges.abs(edges.hook, int) RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT wfml.set_fallback('trap', 'abs(''(1)'', 1) + hour') \g /dev/null
RESET ROLE;
CREATE TABLE walked (id int, hour int, p float8);
SELECT is(message($$SELECT wfml.attach('trap', 'walked', 'id', 'p')$$), '42883 function abs(unknown, integer) does not exist', 'a rule means to who attaches it what it means to its owner');
SELECT is((SELECT count(*) FROM edges.caught), 0::bigint, 'nobody was caught');
SELECT is(message($$SELECT wfml.set_fallback('trap', 'xmlserialize(content xmlparse(content ''(1)'') as edges.hook)::text')$$), '0A000 type edges.hook cannot be used in a fallback',
    'a type that is named elsewhere than in a cast');
SET LOCAL app.secret = 'of the session';
SELECT is(message($$SELECT wfml.set_fallback('trap', 'current_setting(''app.secret'')')$$), '0A000 function current_setting cannot be used in a fallback because it reaches beyond the input',
    'settings of who asks are no business of the owner');

-- ---- whose tables bring outcomes ----

CREATE ROLE wfml_other;
GRANT ALL ON SCHEMA edges TO wfml_other;
SELECT wfml.end_split('m'), wfml.grant_model('m', 'wfml_other'), wfml.grant_model('m', 'wfml_owner') \g /dev/null
SET LOCAL ROLE wfml_owner;
SELECT wfml.log_predict('m', '{"hour": 1, "day": 1}', 'k1') \g /dev/null
RESET ROLE;
SELECT wfml.log_predict('m', '{"hour": 1, "day": 1}', 'k2') \g /dev/null
SET LOCAL ROLE wfml_other;
SELECT wfml.log_predict('m', '{"hour": 1, "day": 1}', 'k3') \g /dev/null
CREATE TABLE edges.claims (k text, busy bool);
CREATE TRIGGER o AFTER INSERT ON edges.claims FOR EACH ROW EXECUTE FUNCTION wfml.outcome_trigger('m', 'k', 'busy');
INSERT INTO edges.claims SELECT 'k' || i, true FROM generate_series(1, 3) i;
RESET ROLE;
SELECT is((SELECT array_agg(entity || ' ' || coalesce(actual, '-') ORDER BY entity) FROM wfml.predictions WHERE entity ~ '^k[1-3]$'), '{"k1 -","k2 -","k3 true"}',
    'who may use a model brings outcomes to what he predicted himself');
CREATE TABLE edges.known (k text, busy bool);
CREATE TRIGGER o AFTER INSERT ON edges.known FOR EACH ROW EXECUTE FUNCTION wfml.outcome_trigger('m', 'k', 'busy');
INSERT INTO edges.known SELECT 'k' || i, false FROM generate_series(1, 3) i;
SELECT is((SELECT array_agg(entity || ' ' || coalesce(actual, '-') ORDER BY entity) FROM wfml.predictions WHERE entity ~ '^k[1-3]$'), '{"k1 false","k2 false","k3 false"}',
    'the model''s owner to all');

-- ---- what is asked for ----

SELECT ok(length(message($$SELECT wfml.predict(repeat('x', 100000), '{}')$$)) BETWEEN 200 AND 300, 'a name of 100 kB is not repeated whole');

SELECT * FROM finish();
ROLLBACK;
