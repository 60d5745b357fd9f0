-- Rows scored as they arrive: every way that rows arrive, types of columns,
-- rights, failing models, rules, outcomes.

\set QUIET 1
SET client_min_messages = error;
BEGIN;
SELECT * FROM no_plan();

CREATE ROLE wfml_owner;
CREATE ROLE wfml_keeper;
CREATE ROLE wfml_writer;
CREATE ROLE wfml_stranger;
GRANT CREATE ON SCHEMA public TO wfml_owner, wfml_keeper, wfml_stranger;

CREATE TABLE history AS
    SELECT i % 24 AS hour, (i * 37 % 100)::float8 AS amount, CASE i % 3 WHEN 0 THEN 'web' WHEN 1 THEN 'app' ELSE 'shop' END AS channel,
        (i % 24 >= 12) <> (i % 11 = 0) AS late, i % 24 * 2 + i % 3 AS minutes,
        CASE WHEN i % 24 < 8 THEN 'low' WHEN i % 24 < 16 THEN 'mid' ELSE 'high' END AS level
    FROM generate_series(1, 1200) i;
GRANT SELECT ON history TO wfml_owner;

CREATE FUNCTION try(who name, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text := 'done';
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    BEGIN
        EXECUTE query;
    EXCEPTION WHEN others THEN
        result := SQLSTATE || ' ' || SQLERRM;
    END;
    RESET ROLE;
    RETURN result;
END $$;

-- Models: two classes, three classes, a number.
SELECT wfml.train('late', 'gradient_boosting', 'SELECT hour, amount, channel, late FROM history', 'late', '{"validation": "none", "rounds": 20}') IS NOT NULL AS ok \g /dev/null
SELECT wfml.train('level', 'gradient_boosting', 'SELECT hour, amount, level FROM history', 'level', '{"validation": "none", "rounds": 20}') IS NOT NULL AS ok \g /dev/null
SELECT wfml.train('minutes', 'gradient_boosting', 'SELECT hour, amount, minutes FROM history', 'minutes', '{"validation": "none", "rounds": 20}', NULL, 'regression') IS NOT NULL AS ok \g /dev/null

CREATE TABLE orders (id int PRIMARY KEY, hour int, amount float8, channel text,
    p float8, confidence float4, late boolean, note text);
SELECT is(try('postgres', $$SELECT wfml.attach('late', 'orders', 'id', 'p', 'confidence', 'late')$$), 'done', 'attach');
SELECT is(broken, NULL, 'nothing is broken') FROM wfml.attachments WHERE model = 'late';

-- What a row gets is what predict() says of it.
CREATE FUNCTION wrong(model text DEFAULT 'late') RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM orders o
    WHERE p IS DISTINCT FROM wfml.predict(model, (SELECT r FROM (SELECT o.hour, o.amount, o.channel) r)) $$;
CREATE FUNCTION unlogged() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM orders o
    WHERE NOT EXISTS (SELECT FROM wfml.predictions l WHERE l.entity = o.id::text AND l.value = o.p AND l.source = 'trigger') $$;
CREATE FUNCTION n_logged() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM wfml.predictions';

-- ---- the ways of rows ----

INSERT INTO orders (id, hour, amount, channel) SELECT i, i % 24, i, 'web' FROM generate_series(1, 50) i;
SELECT is(wrong(), 0::bigint, 'INSERT of many rows');
SELECT is(unlogged(), 0::bigint, 'each is logged');
SELECT is(n_logged(), 50::bigint, 'once');
SELECT is((SELECT count(*) FROM orders WHERE confidence <> greatest(p, 1 - p)::float4), 0::bigint, 'confidence');
SELECT is((SELECT count(*) FROM wfml.predictions WHERE made_by <> current_user OR label <> (value > 0.5)::text), 0::bigint, 'log row');

COPY orders (id, hour, amount, channel) FROM stdin;
51	3	4.5	app
52	\N	\N	\N
53	15	1	unseen
\.
SELECT is(wrong() + unlogged(), 0::bigint, 'COPY, NULLs, unseen categories');

INSERT INTO orders (id, hour, amount, channel) VALUES (53, 1, 1, 'web'), (54, 20, 1, 'web') ON CONFLICT DO NOTHING;
SELECT is(n_logged(), 54::bigint, 'ON CONFLICT DO NOTHING: only rows that exist are logged');
INSERT INTO orders (id, hour, amount, channel) VALUES (53, 2, 1, 'web'), (55, 20, 1, 'web')
    ON CONFLICT (id) DO UPDATE SET hour = excluded.hour, amount = excluded.amount;
SELECT is(wrong() + unlogged(), 0::bigint, 'ON CONFLICT DO UPDATE');
SELECT is(n_logged(), 56::bigint, 'both are logged');

UPDATE orders SET hour = (hour + 7) % 24 WHERE id <= 10;
SELECT is(wrong() + unlogged(), 0::bigint, 'UPDATE of features');
SELECT is(n_logged(), 66::bigint, 'UPDATE is logged');
UPDATE orders SET note = 'x';
SELECT is(n_logged(), 66::bigint, 'UPDATE of other columns is not');

MERGE INTO orders o USING (VALUES (1, 5), (100, 6)) s (id, hour) ON o.id = s.id
    WHEN MATCHED THEN UPDATE SET hour = s.hour WHEN NOT MATCHED THEN INSERT (id, hour) VALUES (s.id, s.hour);
SELECT is(wrong() + unlogged(), 0::bigint, 'MERGE');
SELECT is(n_logged(), 68::bigint, 'MERGE is logged');

WITH i AS (INSERT INTO orders (id, hour) VALUES (101, 9) RETURNING p) SELECT isnt(p, NULL, 'RETURNING shows it') FROM i;
SET LOCAL session_replication_role = replica;
INSERT INTO orders (id, hour) VALUES (102, 9);
SET LOCAL session_replication_role = origin;
SELECT is((SELECT p FROM orders WHERE id = 102), NULL, 'replicated rows come as they are');
DELETE FROM orders WHERE id = 102;

PREPARE add (int, int) AS INSERT INTO orders (id, hour, amount, channel) VALUES ($1, $2, 1, 'web');
EXECUTE add (200, 1); EXECUTE add (201, 2); EXECUTE add (202, 3); EXECUTE add (203, 4); EXECUTE add (204, 5); EXECUTE add (205, 6); EXECUTE add (206, 17);
DO $$ BEGIN FOR i IN 210..220 LOOP INSERT INTO orders (id, hour) VALUES (i, i % 24); END LOOP; END $$;
SELECT is(wrong() + unlogged(), 0::bigint, 'prepared statements and loops');

-- One look-up of the model a statement: hits of the cache grow by as much for a thousand rows as for one.
CREATE FUNCTION hits() RETURNS bigint LANGUAGE sql AS 'SELECT sum(hits)::bigint FROM wfml.cache_stats()';
CREATE TABLE counted (n int, hits bigint);
INSERT INTO counted SELECT 0, hits();
INSERT INTO orders (id, hour) VALUES (1000, 1);
INSERT INTO counted SELECT 1, hits();
INSERT INTO orders (id, hour) SELECT i, i % 24 FROM generate_series(1001, 2000) i;
INSERT INTO counted SELECT 2, hits();
SELECT is((SELECT c.hits - b.hits FROM counted b, counted c WHERE b.n = 1 AND c.n = 2),
    (SELECT b.hits - a.hits FROM counted a, counted b WHERE a.n = 0 AND b.n = 1), 'the model is looked up once a statement');

-- Foreign keys' cascades.
CREATE TABLE hours (hour int PRIMARY KEY);
INSERT INTO hours SELECT generate_series(0, 30);
ALTER TABLE orders ADD FOREIGN KEY (hour) REFERENCES hours ON UPDATE CASCADE;
UPDATE hours SET hour = 123 WHERE hour = 7;
SELECT is(wrong(), 0::bigint, 'a cascade scores again');
ALTER TABLE orders DROP CONSTRAINT orders_hour_fkey;

-- ---- outcomes ----

UPDATE orders SET late = true WHERE id IN (1, 2);
SELECT is((SELECT string_agg(actual, ',' ORDER BY entity) FROM wfml.predictions WHERE actual IS NOT NULL), 'true,true', 'outcomes join');
SELECT is((SELECT count(*) FROM wfml.predictions WHERE entity = '1'), 3::bigint, 'one row has three predictions');
SELECT is((SELECT max(id) FROM wfml.predictions WHERE entity = '1'), (SELECT id FROM wfml.predictions WHERE entity = '1' AND actual IS NOT NULL),
    'only the latest gets the outcome');
UPDATE orders SET hour = 1 WHERE id = 1;
SELECT is((SELECT count(*) FROM wfml.predictions WHERE entity = '1'), 3::bigint, 'known outcomes are not predicted any more');
UPDATE orders SET late = false WHERE id = 1;
SELECT is((SELECT actual FROM wfml.predictions WHERE entity = '1' AND actual IS NOT NULL), 'false', 'a corrected outcome');
UPDATE orders SET late = NULL WHERE id = 1;
SELECT is((SELECT count(*) FROM wfml.predictions WHERE entity = '1' AND (actual IS NOT NULL OR actual_at IS NOT NULL)), 0::bigint, 'a withdrawn outcome');
UPDATE orders SET late = true, hour = 3 WHERE id = 3;
SELECT is((SELECT count(*) FROM wfml.predictions WHERE entity = '3' AND actual = 'true'), 1::bigint, 'outcome and features at once');
INSERT INTO orders (id, hour, late) VALUES (3000, 1, true);
SELECT is((SELECT actual FROM wfml.predictions WHERE entity = '3000'), NULL, 'a row that arrives with its outcome was not predicted before');
SELECT lives_ok($$SELECT wfml.log_predict('late', '{"hour": 1, "amount": 2, "channel": "web"}', '3001')$$, 'an application asks first');
INSERT INTO orders (id, hour, late) VALUES (3001, 1, true);
SELECT is((SELECT count(*) FROM wfml.predictions WHERE entity = '3001' AND actual = 'true'), 1::bigint, 'and its question gets the outcome');
SELECT cmp_ok(pg_stat_get_xact_tuples_hot_updated('wfml.prediction'::regclass), '>=', 5::bigint, 'outcomes are HOT updates');

-- Each version has its own latest prediction.
SELECT wfml.train('late', 'linear', 'SELECT hour, amount, channel, late FROM history', 'late', '{"validation": "none"}') IS NOT NULL AS ok \g /dev/null
UPDATE orders SET hour = 13 WHERE id = 4;
UPDATE orders SET late = true WHERE id = 4;
SELECT is((SELECT array_agg(DISTINCT version ORDER BY version) FROM wfml.predictions WHERE entity = '4' AND actual = 'true'), '{1,2}', 'the latest of each version');
SELECT wfml.rollback('late') IS NOT NULL AS ok \g /dev/null
-- A trigger by hand may ask one version.
CREATE TABLE second (id text, hour int, amount float8, channel text, late bool);
CREATE TRIGGER l AFTER INSERT ON second FOR EACH ROW EXECUTE FUNCTION wfml.log_trigger('late@2', 'id');
CREATE TRIGGER a AFTER UPDATE ON second FOR EACH ROW EXECUTE FUNCTION wfml.outcome_trigger('late@2', 'id', 'late');
INSERT INTO second VALUES ('second', 3, 4, 'web');
UPDATE second SET late = true;
SELECT is((SELECT version || actual FROM wfml.predictions WHERE entity = 'second'), '2true', 'name@version in a trigger');
SELECT throws_ok($$SELECT wfml.drop_model('late')$$, '2BP01', 'cannot drop model "late" because tables use it', 'keeps its model, too');
DROP TABLE second;

-- ---- output columns ----

CREATE DOMAIN share AS float8 CHECK (value BETWEEN 0 AND 1);
CREATE TYPE level AS ENUM ('low', 'mid', 'high');
CREATE TABLE kinds (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), hour int, amount float8, channel text);
CREATE FUNCTION filled(model text, type text, OUT result text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE kinds ADD COLUMN "the Output" %s', type);
    EXECUTE format('CREATE TRIGGER t BEFORE INSERT ON kinds FOR EACH ROW EXECUTE FUNCTION wfml.predict_trigger(%L, %L)', model, 'the Output');
    EXECUTE 'INSERT INTO kinds (hour, amount, channel) VALUES (20, 5, ''web'') RETURNING "the Output"::text' INTO result;
    DROP TRIGGER t ON kinds;
    ALTER TABLE kinds DROP COLUMN "the Output";
END $$;
SELECT is(filled('late', 'boolean'), 'true', 'boolean');
SELECT is(filled('late', 'text'), 'true', 'text');
SELECT is(filled('late', 'varchar(3)'), NULL, 'a label that is too long leaves the column');
SELECT is(round(filled('late', 'numeric(4,2)')::numeric, 2), round(wfml.predict('late', '{"hour": 20, "amount": 5, "channel": "web"}')::numeric, 2), 'numeric');
SELECT is(filled('late', 'share')::float8, wfml.predict('late', '{"hour": 20, "amount": 5, "channel": "web"}'), 'a domain');
SELECT is(filled('late', 'float4')::float4, wfml.predict('late', '{"hour": 20, "amount": 5, "channel": "web"}')::float4, 'float4');
SELECT is(filled('late', 'int'), NULL, 'a boolean label is no integer');
SELECT is(filled('level', 'level'), 'high', 'an enum');
SELECT is(filled('level', 'char(6)'), 'high', 'character(n)');
SELECT is(filled('level', 'boolean'), NULL, 'a label that is no boolean');
SELECT is(filled('level', 'float8'), NULL, 'three classes are no number');
SELECT is(filled('minutes', 'smallint')::int, round(wfml.predict('minutes', '{"hour": 20, "amount": 5}'))::int, 'a number, rounded');
SELECT is(filled('minutes', 'bigint')::int, round(wfml.predict('minutes', '{"hour": 20, "amount": 5}'))::int, 'bigint');
SELECT is(filled('minutes', 'text')::float8, wfml.predict('minutes', '{"hour": 20, "amount": 5}'), 'a number as text');
SELECT is(filled('minutes', 'share'), NULL, 'a domain that refuses');
SELECT is(filled('minutes', 'point'), NULL, 'no type for predictions');
SELECT is(filled('nobody', 'float8'), NULL, 'no such model');
SET LOCAL wfml.on_error = 'error';
SELECT throws_ok($$SELECT filled('level', 'boolean')$$, '22P02', NULL, 'error: a label that is no boolean');
SELECT throws_ok($$SELECT filled('minutes', 'share')$$, '23514', NULL, 'error: a domain');
SELECT throws_ok($$SELECT filled('nobody', 'float8')$$, 'WF001', NULL, 'error: no such model');
SELECT throws_ok($$SELECT filled('minutes', 'point')$$, '42703', NULL, 'error: no type for predictions');
RESET wfml.on_error;

-- ---- partitions ----

CREATE TABLE parted (id int, channel text, hour int, amount float8, level level, PRIMARY KEY (id, channel)) PARTITION BY LIST (channel);
CREATE TABLE parted_web PARTITION OF parted FOR VALUES IN ('web');
SELECT is(try('postgres', $$SELECT wfml.attach('level', 'parted', 'id', 'level')$$), 'done', 'attach to a partitioned table');
CREATE TABLE parted_app (gone int, level level, amount float8, junk text, hour int, channel text NOT NULL, id int NOT NULL);
ALTER TABLE parted_app DROP COLUMN gone, DROP COLUMN junk;
ALTER TABLE parted ATTACH PARTITION parted_app FOR VALUES IN ('app');
INSERT INTO parted (id, channel, hour) SELECT i, CASE WHEN i % 2 = 0 THEN 'web' ELSE 'app' END, i % 24 FROM generate_series(1, 48) i;
SELECT is((SELECT count(*) FROM parted WHERE level::text IS DISTINCT FROM CASE WHEN hour < 8 THEN 'low' WHEN hour < 16 THEN 'mid' ELSE 'high' END), 0::bigint,
    'partitions with other column orders, attached later');
SELECT is((SELECT count(DISTINCT entity) FROM wfml.predictions WHERE model = 'level'), 48::bigint, 'logged');
UPDATE parted SET channel = 'app', hour = 20 WHERE id = 2;
SELECT is((SELECT level::text FROM parted WHERE id = 2), 'high', 'a row that moves to another partition');
INSERT INTO parted_app (id, channel, hour) VALUES (60, 'app', 20);
SELECT is((SELECT level::text FROM parted WHERE id = 60), 'high', 'straight into a partition');
SELECT is(try('postgres', $$SELECT wfml.attach('level', 'parted_app', 'id', 'level')$$), '42710 model "level" is already attached to table "parted"', 'a partition has what its parent has');
SELECT is(try('postgres', $$SELECT wfml.detach('level', 'parted')$$), 'done', 'detach');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgfoid IN ('wfml.predict_trigger'::regproc, 'wfml.log_trigger'::regproc) AND tgrelid::regclass::text LIKE 'parted%'), 0::bigint, 'no trigger is left');

-- ---- rules ----

CREATE TABLE ruled (id text, hour int, kind level, amount float8, p float8, late boolean);
SELECT lives_ok($$SELECT wfml.set_fallback('later', 'CASE WHEN hour BETWEEN 9 AND 17 THEN 0.8 ELSE 0.3 END')$$, 'a rule before the model');
SELECT is(try('postgres', $$SELECT wfml.attach('later', 'ruled', 'id', 'p', NULL, 'late')$$), 'done', 'attach a rule');
INSERT INTO ruled (id, hour) VALUES ('a', 10), ('b', 20), (NULL, 10);
SELECT is((SELECT array_agg(p ORDER BY id) FROM ruled), '{0.8,0.3,0.8}', 'the rule answers');
SELECT is((SELECT count(*) FROM wfml.predictions WHERE model = 'later' AND source = 'fallback' AND error IS NOT NULL AND version IS NULL), 3::bigint, 'and is logged with the error');
UPDATE ruled SET late = true WHERE id = 'a';
SELECT is((SELECT actual FROM wfml.predictions WHERE model = 'later' AND entity = 'a'), 'true', 'outcomes join rules, too');
SELECT matches(broken, 'fallback answers', 'attachments say so') FROM wfml.attachments WHERE model = 'later';
SELECT lives_ok($$SELECT wfml.set_fallback('later', 'CASE kind WHEN ''low'' THEN 0.1 ELSE wfml.predict(''late'', input) END')$$, 'a rule that asks another model');
INSERT INTO ruled (id, hour, kind) VALUES ('c', 10, 'low'), ('d', 20, 'high');
SELECT is((SELECT array_agg(p ORDER BY id) FROM ruled WHERE id IN ('c', 'd')), ARRAY[0.1, NULL]::float8[], 'enums come as text; columns that are missing for the other model leave the column');
ALTER TABLE ruled ADD channel text;
INSERT INTO ruled (id, hour, amount, channel) VALUES ('e', 20, 5, 'web');
SELECT is((SELECT p FROM ruled WHERE id = 'e'), wfml.predict('late', '{"hour": 20, "amount": 5, "channel": "web"}'), 'it gets the whole row');
SELECT lives_ok($$SELECT wfml.set_fallback('later', '1 / (hour - 10)')$$, 'a rule that fails');
INSERT INTO ruled (id, hour) VALUES ('f', 10), ('g', 11);
SELECT is((SELECT array_agg(p ORDER BY id) FROM ruled WHERE id IN ('f', 'g')), ARRAY[NULL, 1::float8], 'leaves the column for those rows');
SELECT is((SELECT error FROM wfml.predictions WHERE entity = 'f'), 'model "later" has no active version; fallback: division by zero', 'and says why');
SELECT lives_ok($$SELECT wfml.set_fallback('later', NULL)$$, 'no rule');
INSERT INTO ruled (id, hour, p) VALUES ('h', 10, 0.5);
SELECT is((SELECT p FROM ruled WHERE id = 'h'), 0.5::float8, 'the column is left as it is');
SET LOCAL wfml.on_error = 'error';
SELECT throws_ok($$INSERT INTO ruled (id, hour) VALUES ('i', 10)$$, 'WF001', NULL, 'error: no version');
RESET wfml.on_error;

-- Rules over JSON, by log_predict().
SELECT lives_ok($$SELECT wfml.set_fallback('later', 'CASE WHEN flag AND lower(name) = ''x'' THEN coalesce(a, 1) + b ELSE -1 END')$$, 'a rule over JSON');
SELECT is((SELECT array_agg(value) FROM (VALUES ('{"flag": true, "name": "X", "a": 2, "b": 3.5}'), ('{"flag": true, "name": "x", "b": 3}'), ('{"flag": false}'), ('{"flag": true, "name": "x", "a": null, "b": 0}')) v (j),
    LATERAL wfml.log_predict('later', v.j::jsonb) l), ARRAY[5.5, 4, -1, 1]::float8[], 'numbers, text, booleans, absent keys');
SELECT throws_ok($$SELECT * FROM wfml.log_predict('later', '{"name": null, "flag": "no", "b": 1}'::jsonb)$$, 'WF001', NULL, 'neither model nor rule');
SELECT lives_ok($$SELECT wfml.set_fallback('later', 'CASE WHEN hour > 9 THEN ''yes'' ELSE ''no'' END')$$, 'a rule that gives labels');
SELECT is((SELECT label FROM wfml.log_predict('later', '{"hour": 10}'::jsonb)), 'yes', 'a label');

-- Columns out of line.
CREATE TABLE wide (id int, hour int, amount float8, channel text, note text, p float8);
ALTER TABLE wide ALTER note SET STORAGE EXTERNAL, ALTER channel SET STORAGE EXTERNAL;
SELECT is(try('postgres', $$SELECT wfml.attach('late', 'wide', 'id', 'p')$$), 'done', 'attach to a wide table');
INSERT INTO wide (id, hour, amount, channel, note) VALUES (1, 20, 5, 'web', repeat('x', 100000)), (2, 20, 5, repeat('y', 100000), 'x');
UPDATE wide SET hour = 3;
SELECT is((SELECT count(*) FROM wide w WHERE p IS DISTINCT FROM wfml.predict('late', w)), 0::bigint, 'wide rows are scored');
SELECT is((SELECT count(*) FROM wfml.predictions l JOIN wide w ON l.entity = w.id::text AND l.value = w.p WHERE l.id > (SELECT max(id) - 2 FROM wfml.predictions)), 2::bigint, 'and logged');
SELECT lives_ok($$SELECT wfml.set_fallback('widely', 'length(note) + length(channel)')$$, 'a rule over them');
CREATE TRIGGER a AFTER UPDATE ON wide FOR EACH ROW EXECUTE FUNCTION wfml.log_trigger('widely', 'id');
CREATE TRIGGER b BEFORE UPDATE ON wide FOR EACH ROW EXECUTE FUNCTION wfml.predict_trigger('widely', 'p');
UPDATE wide SET amount = 1;
SELECT is((SELECT array_agg(value ORDER BY entity) FROM wfml.predictions WHERE model = 'widely'), '{100003,100001}', 'a rule over wide rows');
DROP TABLE wide;

-- Nobody's code runs in it: neither a cast nor a domain's check of the table's owner.
CREATE FUNCTION trojan(kind level) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trojan'; END $$;
CREATE FUNCTION trojan_json(kind level) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trojan'; END $$;
CREATE CAST (level AS text) WITH FUNCTION trojan(level);
CREATE CAST (level AS json) WITH FUNCTION trojan_json(level);
CREATE FUNCTION trojan_check(float8) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN IF current_user = 'wfml_owner' THEN RAISE EXCEPTION 'trojan'; END IF; RETURN true; END $$;
CREATE DOMAIN checked AS float8 CHECK (trojan_check(value));
SET LOCAL ROLE wfml_owner;
SELECT lives_ok($$SELECT wfml.set_fallback('wary', 'to_jsonb(kind)::text || kind || '' '' || (x + 1) || '' '' || current_user')$$, 'a rule over a stranger''s types');
RESET ROLE;
CREATE TABLE baited (id int, kind level, x checked, label text);
CREATE TRIGGER t BEFORE INSERT ON baited FOR EACH ROW EXECUTE FUNCTION wfml.predict_trigger('wary', 'label');
INSERT INTO baited VALUES (1, 'low', 2);
SELECT is((SELECT label FROM baited), '"low"low 3 wfml_owner', 'enums are text, domains their base types');
DROP CAST (level AS text); DROP CAST (level AS json);

-- What no rule may be.
SELECT throws_ok(format('SELECT wfml.set_fallback(%L, %L)', 'later', rule), code, NULL, rule) FROM (VALUES
    ('random()', '0A000'), ('(SELECT 1)', '0A000'), ('EXISTS (SELECT 1)', '0A000'), ('sum(hour)', '0A000'), ('count(*)', '0A000'),
    ('rank() OVER ()', '0A000'), ('generate_series(1, 2)', '0A000'), ('pg_sleep(1)', '0A000'), ('nextval(''s'')', '0A000'),
    ('pg_read_file(''x'')', '0A000'), ('table_to_xml(''orders'', true, true, '''')', '0A000'), ('query_to_xml(''SELECT 1'', true, true, '''')', '0A000'),
    ('jsonb_populate_record(NULL::orders, input)', '0A000'), ('1::public.share', '0A000'), ('1::share', '42704'), ('try(''a'', ''b'')', '42883'), ('public.try(''a'', ''b'')', '0A000'),
    ('hour OPERATOR(public.+) 1', '0A000'), ('$1', '0A000'), ('a, b', '42601'), ('1; DROP TABLE orders', '42601'), ('1 FROM orders', '42601'),
    ('', '42601'), ('orders.hour', '42601'), ('ARRAY[1]', '42804'), ('wfml.train(''x'', ''y'', ''z'')', '0A000'), ('set_config(''a'', ''b'', true)', '0A000'),
    ('wfml.drop_model(''late'')', '0A000'), ('1/0', '22012'), ('txid_current()', '0A000'), (repeat('1 + ', 3000) || '1', '54000'), ('to_jsonb(input)', NULL)) r (rule, code) WHERE code IS NOT NULL;
SELECT lives_ok($$SELECT wfml.set_fallback('later', 'to_jsonb(input)::text')$$, 'what needs types is told when it is used');
INSERT INTO ruled (id, hour) VALUES ('j', 10);
SELECT matches((SELECT error FROM wfml.predictions WHERE entity = 'j'), 'cannot be used in a fallback', '"input" goes to predictions only');

-- ---- rights ----

SELECT is(try('wfml_stranger', $$SELECT wfml.set_fallback('late', '1')$$), '42501 must be owner of model "late"', 'a stranger sets no rule');
CREATE TABLE kept (id int PRIMARY KEY, hour int, amount float8, channel text, p float8);
ALTER TABLE kept OWNER TO wfml_keeper;
GRANT INSERT, SELECT ON kept TO wfml_writer;
GRANT TRIGGER ON kept TO wfml_owner;
SELECT is(try('wfml_keeper', $$SELECT wfml.attach('late', 'kept', 'id', 'p')$$), '42501 permission denied for model "late"', 'attach needs the use of the model');
SELECT is(try('wfml_stranger', $$SELECT wfml.attach('late', 'kept', 'id', 'p')$$), '42501 permission denied for table kept', 'and TRIGGER on the table');
SELECT is(try('postgres', $$SELECT wfml.attach('late', 'kept', 'id', 'p')$$), '42501 owner "wfml_keeper" of table "kept" may not use model "late"', 'and that the owner may use it');
SELECT wfml.grant_model('late', 'wfml_keeper') IS NOT NULL AS ok \g /dev/null
SELECT is(try('wfml_keeper', $$SELECT wfml.attach('late', 'kept', 'id', 'p')$$), 'done', 'a grantee attaches');
SELECT is(try('wfml_writer', $$INSERT INTO kept (id, hour, amount, channel) VALUES (1, 20, 5, 'web')$$), 'done', 'a role without any right on wfml inserts');
SELECT is((SELECT p FROM kept), wfml.predict('late', '{"hour": 20, "amount": 5, "channel": "web"}'), 'and the row is scored');
SELECT is((SELECT made_by::text FROM wfml.predictions ORDER BY id DESC LIMIT 1), 'wfml_writer', 'made_by is who inserted');
SELECT is(try('wfml_stranger', $$SELECT wfml.detach('late', 'kept')$$), '42501 permission denied for table kept', 'a stranger does not detach');
SELECT wfml.revoke_model('late', 'wfml_keeper') IS NOT NULL AS ok \g /dev/null
SELECT is(try('wfml_writer', $$INSERT INTO kept (id, hour, amount, channel) VALUES (2, 20, 5, 'web')$$), 'done', 'the use was revoked: the INSERT succeeds');
SELECT is((SELECT p FROM kept WHERE id = 2), NULL, 'without a prediction');
SELECT is((SELECT made_by::text || entity FROM wfml.predictions ORDER BY id DESC LIMIT 1), 'wfml_writer1', 'nor a log row');
SELECT matches(broken, 'may not use', 'which attachments tell') FROM wfml.attachments WHERE relation = 'kept'::regclass;
SELECT is(try('wfml_keeper', $$SELECT wfml.detach('late', 'kept')$$), 'done', 'detach needs TRIGGER only');
-- By hand, on a table of one's own.
CREATE TABLE mine (id int, hour int, amount float8, channel text, p float8);
ALTER TABLE mine OWNER TO wfml_stranger;
SELECT is(try('wfml_stranger', $$CREATE TRIGGER t BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION wfml.predict_trigger('late', 'p')$$), 'done', 'triggers by hand');
INSERT INTO mine (id, hour, amount, channel) VALUES (1, 20, 5, 'web');
SELECT is((SELECT p FROM mine), NULL, 'even a superuser''s row gives a stranger no prediction');

-- A rule runs as the model's owner, whoever inserts.
GRANT EXECUTE ON FUNCTION try TO PUBLIC;
SELECT is(try('wfml_owner', $$SELECT wfml.set_fallback('who', 'current_user')$$), 'done', 'an owner''s rule');
SELECT is((SELECT label FROM wfml.log_predict('who', '{}'::jsonb)), 'wfml_owner', 'runs as he');

-- ---- attach, detach, drop, rename ----

SELECT is(try('postgres', query), answer, query) FROM (VALUES
    ($$SELECT wfml.attach('late', 'orders', 'id')$$, '42710 model "late" is already attached to table "orders"'),
    ($$SELECT wfml.attach('minutes', 'orders', 'id', 'p')$$, '42710 model "late" writes its predictions to these columns already'),
    ($$SELECT wfml.attach('minutes', 'orders', 'nix', 'p')$$, '42703 key_column "nix" of table "orders" does not exist'),
    ($$SELECT wfml.attach('minutes', 'orders', 'id', 'nix')$$, '42703 output_column "nix" of table "orders" does not exist'),
    ($$SELECT wfml.attach('minutes', 'orders', 'id', 'note', 'channel')$$, '42804 confidence_column "channel" has type text'),
    ($$SELECT wfml.attach('minutes', 'orders', 'id', 'note', NULL, 'note')$$, '22023 output_column and outcome_column are both "note"'),
    ($$SELECT wfml.attach('minutes', 'orders', 'id', 'hour')$$, '22023 output_column "hour" is one of the columns that model "minutes" predicts from'),
    ($$SELECT wfml.attach('minutes', 'orders', 'id', NULL, 'p')$$, '22023 confidence_column needs an output_column'),
    ($$SELECT wfml.attach('minutes', 'hours', 'hour')$$, '42703 column "amount" required by model "minutes" is missing from the input'),
    ($$SELECT wfml.attach('minutes', 'wfml.prediction', 'id')$$, '42809 cannot attach a model to "prediction"'),
    ($$SELECT wfml.attach('minutes', 'pg_class', 'oid')$$, '42809 cannot attach a model to "pg_class"'),
    ($$SELECT wfml.attach('minutes', 'wfml.models', 'name')$$, '42809 cannot attach a model to "models"'),
    ($$SELECT wfml.attach('minutes', 'orders_pkey', 'id')$$, '42809 cannot attach a model to "orders_pkey"'),
    ($$SELECT wfml.attach('nobody', 'orders', 'id')$$, 'WF001 model "nobody" does not exist'),
    ($$SELECT wfml.detach('minutes', 'orders')$$, '42704 model "minutes" is not attached to table "orders"'),
    ($$SELECT wfml.drop_model('late')$$, '2BP01 cannot drop model "late" because tables use it')) v (query, answer);
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'orders'::regclass), 6::bigint, 'what failed left nothing');

SELECT wfml.rename_model('late', 'tardy') IS NOT NULL AS ok \g /dev/null
INSERT INTO orders (id, hour, amount, channel) VALUES (4000, 20, 5, 'web');
SELECT is((SELECT p FROM orders WHERE id = 4000), wfml.predict('tardy', '{"hour": 20, "amount": 5, "channel": "web"}'), 'a renamed model goes on');
SELECT is((SELECT model FROM wfml.attachments WHERE relation = 'orders'::regclass), 'tardy', 'its attachment follows');
SELECT is(broken, NULL, 'and works') FROM wfml.attachments WHERE relation = 'orders'::regclass;

ALTER TABLE orders DISABLE TRIGGER ALL;
SELECT matches(broken, 'is disabled', 'disabled triggers') FROM wfml.attachments WHERE relation = 'orders'::regclass;
ALTER TABLE orders ENABLE TRIGGER ALL;
ALTER TABLE orders RENAME amount TO total;
SELECT matches(broken, 'column "amount"', 'a renamed column') FROM wfml.attachments WHERE relation = 'orders'::regclass;
INSERT INTO orders (id, hour) VALUES (4001, 20);
SELECT is((SELECT p FROM orders WHERE id = 4001), NULL, 'leaves the prediction out');
SELECT is((SELECT error FROM wfml.predictions WHERE entity = '4001'), 'column "amount" required by model "tardy" is missing from the input', 'and says why in the log');
ALTER TABLE orders RENAME total TO amount;
ALTER TABLE orders RENAME p TO q;
INSERT INTO orders (id, hour) VALUES (4002, 20);
SELECT is((SELECT q FROM orders WHERE id = 4002), NULL, 'a renamed output column');
SET LOCAL wfml.on_error = 'error';
SELECT throws_ok($$INSERT INTO orders (id, hour) VALUES (4003, 20)$$, '42703', 'column "p" of table "orders" does not exist', 'error: a renamed output column');
RESET wfml.on_error;
ALTER TABLE orders RENAME q TO p;
SELECT is(try('postgres', $$SELECT wfml.detach('tardy', 'orders')$$), 'done', 'detach');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'orders'::regclass), 0::bigint, 'leaves nothing');

CREATE TABLE generated (id int, half int, hour int GENERATED ALWAYS AS (half * 2) STORED, amount float8, out float8);
SELECT matches(try('postgres', $$SELECT wfml.attach('minutes', 'generated', 'id', 'out')$$), '^0A000 model "minutes" uses the generated column "hour"', 'a generated column is refused');
CREATE TRIGGER t BEFORE INSERT ON generated FOR EACH ROW EXECUTE FUNCTION wfml.predict_trigger('minutes', 'out');
INSERT INTO generated (id, half, amount) VALUES (1, 5, 1);
SELECT is((SELECT out FROM generated), NULL, 'also in triggers made by hand');
DROP TRIGGER t ON generated;
SELECT is(try('postgres', $$SELECT wfml.attach('minutes', 'generated', 'id')$$), 'done', 'only to log it works');
INSERT INTO generated (id, half, amount) VALUES (2, 5, 1);
SELECT is((SELECT value FROM wfml.predictions ORDER BY id DESC LIMIT 1), wfml.predict('minutes', '{"hour": 10, "amount": 1}'), 'with the generated value');
DROP TABLE generated;
SELECT is(broken, 'the table was dropped', 'a dropped table') FROM wfml.attachments WHERE model = 'minutes';
SELECT lives_ok($$SELECT wfml.drop_model('minutes')$$, 'does not keep its model');

-- ---- used wrongly ----

SELECT throws_ok('SELECT wfml.predict_trigger()', '39P01', NULL, 'called');
CREATE FUNCTION made(definition text, OUT result text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'CREATE TRIGGER t ' || definition;
    BEGIN
        INSERT INTO mine (id) VALUES (1);
        result := 'done';
    EXCEPTION WHEN others THEN
        result := SQLSTATE;
    END;
    DROP TRIGGER t ON mine;
END $$;
DROP TRIGGER t ON mine;
SELECT is(made('AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION wfml.predict_trigger(''a'', ''p'')'), '39P01', 'AFTER');
SELECT is(made('BEFORE INSERT ON mine FOR EACH STATEMENT EXECUTE FUNCTION wfml.predict_trigger(''a'', ''p'')'), '39P01', 'FOR EACH STATEMENT');
SELECT is(made('BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION wfml.predict_trigger(''a'')'), '39P01', 'too few arguments');
SELECT is(made('BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION wfml.log_trigger(''a'', ''id'')'), '39P01', 'log_trigger BEFORE');
SELECT is(made('AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION wfml.log_trigger(''a'', ''nix'')'), 'done', 'log_trigger without model and key');
SELECT is(made('AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION wfml.outcome_trigger(''a'', ''id'', ''p'')'), 'done', 'outcome_trigger without model');
SELECT is(made('AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION wfml.outcome_trigger(''a'', ''id'')'), '39P01', 'outcome_trigger, too few arguments');

SELECT * FROM finish();
ROLLBACK;
