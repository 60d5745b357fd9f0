-- Tables of every shape: each trains with each algorithm, and afterwards every
-- row of the table can be predicted: finite, probabilities that sum to 1, a
-- label of the model, and the same bits through every form of input.

\set QUIET 1
SET client_min_messages = error;
BEGIN;
SET LOCAL max_parallel_maintenance_workers = 0;
SET LOCAL wfml.model_cache_size = 3;

-- What is wrong with a model's predictions of the rows of a relation; 'sane'
-- if nothing.  json: whether the rows mean the same as JSON.
CREATE FUNCTION sane(model text, relation text, json boolean DEFAULT true) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    info CONSTANT jsonb := wfml.model_info(model);
    id CONSTANT bigint := info ->> 'id';
    labels CONSTANT text[] := ARRAY(SELECT jsonb_array_elements_text(info -> 'labels'));
    value_fails bigint := 0;
    sums bigint;
    foreign_labels bigint;
    differ bigint;
    single text;
    batch text;
BEGIN
    IF info ->> 'task' = 'regression' OR cardinality(labels) = 2 THEN
        EXECUTE format($q$
            SELECT count(*) FILTER (WHERE p IS NULL OR p::text IN ('NaN', 'Infinity', '-Infinity')
                                       OR (%L = 'classification' AND p NOT BETWEEN 0 AND 1)),
                   count(*) FILTER (WHERE p IS DISTINCT FROM v OR d IS DISTINCT FROM v OR (%L AND (j IS DISTINCT FROM v OR t IS DISTINCT FROM v))),
                   string_agg(p::text, ' ' ORDER BY p)
            FROM (SELECT wfml.predict(%L, the_row) AS p, wfml.predict_version(%s, the_row) AS v, (wfml.predict_detail(%L, the_row)).value AS d,
                         CASE WHEN %L THEN wfml.predict(%L, to_jsonb(the_row)) END AS j,
                         CASE WHEN %L THEN wfml.predict(%L, to_jsonb(the_row)::text) END AS t
                  FROM %s the_row) s$q$, info ->> 'task', json, model, id, model, json, model, json, model, relation)
        INTO value_fails, differ, single;
        EXECUTE format($q$SELECT string_agg(value::text, ' ' ORDER BY value) FROM wfml.predict_batch(%L, %L)$q$, model, 'SELECT * FROM ' || relation)
        INTO batch;
        IF value_fails > 0 THEN RETURN value_fails || ' values out of range'; END IF;
        IF differ > 0 THEN RETURN differ || ' values differ between forms'; END IF;
        IF single IS DISTINCT FROM batch THEN RETURN 'predict_batch differs'; END IF;
    END IF;
    IF info ->> 'task' = 'classification' THEN
        EXECUTE format($q$
            SELECT count(*) FILTER (WHERE (abs(1 - (SELECT sum(value::float8) FROM jsonb_each_text(p))) < 1e-9) IS NOT TRUE),
                   count(*) FILTER (WHERE (l = ANY (%L::text[])) IS NOT TRUE),
                   count(*) FILTER (WHERE l IS DISTINCT FROM v OR (d).label IS DISTINCT FROM l
                                       OR (abs((d).confidence - (p ->> l)::float8) < 1e-9) IS NOT TRUE
                                       OR (%L AND (j IS DISTINCT FROM l OR pj IS DISTINCT FROM p))),
                   string_agg(l, ' ' ORDER BY l)
            FROM (SELECT wfml.predict_proba(%L, the_row) AS p, wfml.classify(%L, the_row) AS l, wfml.classify_version(%s, the_row) AS v, wfml.predict_detail(%L, the_row) AS d,
                         CASE WHEN %L THEN wfml.classify(%L, to_jsonb(the_row)) END AS j, CASE WHEN %L THEN wfml.predict_proba(%L, to_jsonb(the_row)) END AS pj
                  FROM %s the_row) s$q$, labels, json, model, model, id, model, json, model, json, model, relation)
        INTO sums, foreign_labels, differ, single;
        EXECUTE format($q$SELECT string_agg(label, ' ' ORDER BY label) FROM wfml.predict_batch(%L, %L)$q$, model, 'SELECT * FROM ' || relation)
        INTO batch;
        IF sums > 0 THEN RETURN sums || ' sums of probabilities'; END IF;
        IF foreign_labels > 0 THEN RETURN foreign_labels || ' labels that are none'; END IF;
        IF differ > 0 THEN RETURN differ || ' labels differ between forms'; END IF;
        IF single IS DISTINCT FROM batch THEN RETURN 'predict_batch differs'; END IF;
    END IF;
    RETURN 'sane';
END $$;

-- Train on a relation and look at the predictions; an error as its text.
CREATE FUNCTION tried(algorithm text, relation text, target text, params jsonb DEFAULT '{}', json boolean DEFAULT true, features text[] DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
    few CONSTANT jsonb := CASE algorithm WHEN 'random_forest' THEN '{"trees": 8}' WHEN 'gradient_boosting' THEN '{"rounds": 8}' ELSE '{}' END;
BEGIN
    PERFORM 1 FROM wfml.train('shape', algorithm, relation, target, few || params, features);
    RETURN sane('shape', relation, json);
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ' ' || SQLERRM || ' / ' || hint;
END $$;

CREATE FUNCTION all_sane(relation text, target text, description text, params jsonb DEFAULT '{}', json boolean DEFAULT true) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    algorithm text;
BEGIN
    FOREACH algorithm IN ARRAY '{random_forest,gradient_boosting,linear}'::text[] LOOP
        RETURN NEXT is(tried(algorithm, relation, target, params, json), 'sane', description || ', ' || algorithm);
    END LOOP;
END $$;

-- What every algorithm answers to a table that teaches nothing.
CREATE FUNCTION all_say(relation text, target text, message text, description text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    algorithm text;
BEGIN
    FOREACH algorithm IN ARRAY '{random_forest,gradient_boosting,linear}'::text[] LOOP
        RETURN NEXT matches(tried(algorithm, relation, target), message, description || ', ' || algorithm);
    END LOOP;
END $$;

SELECT no_plan();

-- ---- wide and short ----

DO $$ BEGIN
    EXECUTE 'CREATE TABLE wide AS SELECT i % 3 = 0 AS y, ' ||
        (SELECT string_agg(format('(i * %s %% 1009 / 7.0)::numeric(10,3) AS c%s', k * 7919, k), ', ') FROM generate_series(1, 1000) k) ||
        ' FROM generate_series(1, 200) i';
END $$;
SELECT is(tried('gradient_boosting', 'wide', 'y', '{"rounds": 3, "max_leaves": 4}'), 'sane', '1,000 numeric columns, gradient_boosting');
SELECT is(tried('random_forest', 'wide', 'y', '{"trees": 4}', false), 'sane', '1,000 numeric columns, random_forest');
SELECT is(tried('linear', 'wide', 'c17', '{"l2": 10}', false), 'sane', '1,000 numeric columns, linear');
SELECT is((SELECT count(*) FROM wide w, wfml.explain('shape', w) WHERE w.c1 = (SELECT min(c1) FROM wide)),
          (SELECT count(*) * 1001 FROM wide WHERE c1 = (SELECT min(c1) FROM wide)), 'and all 1,000 are explained');

CREATE TABLE two AS SELECT * FROM (VALUES (1, true), (2, false)) t(x, y);
SELECT all_sane('two', 'y', 'two rows of two classes', '{"validation": "none"}');
SELECT all_sane('two', 'x', 'two rows of a number', '{"validation": "none"}');
SELECT all_say('two', 'y', '^22000 too few different rows .*"validation" to "none"', 'two rows and validation');
CREATE TABLE two_alike AS SELECT 1 AS x, i AS y FROM generate_series(1, 2) i;
SELECT all_say('two_alike', 'y', '^22000 .*no (usable feature|different)|too few', 'two rows, one feature without any spread');

CREATE TABLE cities AS SELECT 'city' || i % 50000 AS city, i % 3 AS x, (i % 50000 < 25000)::int + (i % 7 = 0)::int AS y FROM generate_series(1, 60000) i;
SELECT is(tried('gradient_boosting', 'cities', 'y', '{"rounds": 3}', false, '{city,x}'), 'sane', '50,000 categories, gradient_boosting');
SELECT is(tried('linear', 'cities', 'y', '{}', false, '{city,x}'), 'sane', '50,000 categories, linear');
SELECT is(tried('random_forest', 'cities', 'y', '{"trees": 3}', false, '{city,x}'), 'sane', '50,000 categories, random_forest');
DROP TABLE cities;

CREATE TABLE manifold AS SELECT 'class ' || i % 100 AS y, i % 10 AS a, (i % 100) / 10 AS b, i AS c FROM generate_series(1, 1000) i;
SELECT is(tried('gradient_boosting', 'manifold', 'y', '{"rounds": 2}'), 'sane', '100 classes, gradient_boosting');
SELECT is(tried('random_forest', 'manifold', 'y'), 'sane', '100 classes, random_forest');
SELECT is(tried('linear', 'manifold', 'y'), 'sane', '100 classes, linear');

-- ---- numbers that are none, or too large ----

CREATE TABLE odd AS
SELECT CASE i % 5 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN '-Infinity' WHEN 3 THEN NULL ELSE i::text END::float8 AS d,
       CASE i % 4 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' ELSE i::text END::float4 AS f,
       CASE i % 4 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' ELSE '1e' || i END::numeric AS n,
       CASE i % 3 WHEN 0 THEN 1.7e308 WHEN 1 THEN -1.7e308 ELSE 5e-324 END AS h,
       (CASE i % 3 WHEN 0 THEN 9223372036854775807 WHEN 1 THEN -9223372036854775808 ELSE 4611686018427387905 - i END)::bigint AS b,
       i % 2 = 0 AS y, (i * i % 17)::float8 AS r
FROM generate_series(1, 120) i;
SELECT all_sane('odd', 'y', 'NaN, infinities and giants, two classes');
SELECT all_sane('odd', 'r', 'NaN, infinities and giants, a number');

CREATE TABLE odd_target AS
SELECT i % 13 AS x, CASE i % 10 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN NULL ELSE (i % 13)::text END::float8 AS y
FROM generate_series(1, 200) i;
SELECT all_say('odd_target', 'y', '^sane$|infinit|NaN|finite', 'targets that are no number');
CREATE TABLE giant_target AS SELECT i % 13 AS x, (i % 13 - 6) * 1e300 AS y FROM generate_series(1, 200) i;
SELECT all_say('giant_target', 'y', '^22\w{3} target values .*too large', 'giant targets');
CREATE TABLE tiny_target AS SELECT i % 13 AS x, (i % 13 - 6) * 1e-300 AS y FROM generate_series(1, 200) i;
SELECT all_say('tiny_target', 'y', '^sane$', 'tiny targets');
CREATE TABLE far_target AS SELECT i % 13 AS x, 1e15 + i % 13 AS y FROM generate_series(1, 200) i;
SELECT all_sane('far_target', 'y', 'targets far from 0');
CREATE TABLE learnt AS SELECT a FROM unnest('{random_forest,gradient_boosting,linear}'::text[]) a,
    wfml.train('far_' || a, a, 'far_target', 'y', '{"seed": 1}');
SELECT is((SELECT max(abs(wfml.predict('far_' || a, f) - y)) < 1.5 FROM far_target f, learnt WHERE a = algorithm), true, 'which are learnt, ' || algorithm)
FROM unnest('{random_forest,gradient_boosting,linear}'::text[]) algorithm;

-- ---- little to learn from ----

CREATE TABLE hollow AS SELECT NULL::int AS a, NULL::text AS b, NULL::timestamptz AS c, NULL::jsonb AS d, i % 7 AS e, i % 3 = 0 AS y FROM generate_series(1, 60) i;
SELECT all_sane('hollow', 'y', 'columns that are all NULL');
CREATE TABLE empty_columns AS SELECT NULL::int AS a, NULL::text AS b, i % 3 = 0 AS y FROM generate_series(1, 60) i;
SELECT all_say('empty_columns', 'y', '^22000 training source has no usable feature column', 'nothing but NULL');
CREATE TABLE lone AS SELECT i AS x, 'only'::text AS y FROM generate_series(1, 50) i;
SELECT all_say('lone', 'y', '^22\w{3} .*(class|value)', 'one class');
CREATE TABLE unlabelled AS SELECT i AS x, NULL::text AS y FROM generate_series(1, 50) i;
SELECT all_say('unlabelled', 'y', '^22\w{3} .*(NULL|rows)', 'no target at all');
CREATE TABLE flat AS SELECT i % 9 AS x, 7.25::float8 AS y FROM generate_series(1, 50) i;
SELECT all_sane('flat', 'y', 'a constant target');
SELECT is((SELECT array_agg(DISTINCT round(wfml.predict('shape', f)::numeric, 6)) FROM flat f), '{7.250000}', 'which is predicted');
CREATE TABLE holes AS SELECT i % 9 AS x, CASE WHEN i % 4 > 0 THEN i % 9 > 4 END AS y FROM generate_series(1, 200) i;
SELECT all_sane('holes', 'y', 'NULL among the targets');
SELECT is((SELECT rows FROM wfml.train('shape', 'linear', 'holes', 'y')), 150::bigint, 'which are left out');
CREATE TABLE nothing (x int, y boolean);
SELECT all_say('nothing', 'y', '^22\w{3}|^P0002', 'no rows');
CREATE TABLE rare AS SELECT i % 9 AS x, CASE WHEN i = 1 THEN 'once' WHEN i <= 3 THEN 'twice' ELSE 'often' END AS y FROM generate_series(1, 200) i;
SELECT all_sane('rare', 'y', 'a class of one row');
SELECT all_sane('rare', 'y', 'a class of one row, cross-validated', '{"validation": "cv"}');

-- ---- texts ----

CREATE TABLE texts AS
SELECT CASE i % 5 WHEN 0 THEN '' WHEN 1 THEN 'x' WHEN 2 THEN ' ' WHEN 3 THEN repeat('long ', 200000) ELSE E'\t\n"''\\{},' END AS s,
       (i % 3)::text::"char" AS c, (i % 4)::text::char(5) AS p, ('n' || i % 4)::name AS n,
       CASE i % 4 WHEN 0 THEN 'ß' WHEN 1 THEN '日本' WHEN 2 THEN U&'e\0301' ELSE U&'\00E9' END::varchar(9) AS u,
       CASE i % 3 WHEN 0 THEN '' WHEN 1 THEN 'no' ELSE repeat('y', 1020) END AS y
FROM generate_series(1, 60) i;
SELECT all_sane('texts', 'y', 'texts of 0 bytes to 1 MB, labels of none to 1,020');
UPDATE texts SET y = y || s;
SELECT all_say('texts', 'y', '^54000 target column "y" holds a label of more than 1020 bytes', 'labels of 1 MB');

-- ---- names ----

CREATE TABLE "Names " AS
SELECT i % 7 AS "Upper", i % 5 AS "a ""quoted"" name", i % 3 AS "日本 ü", i % 4 AS "select", i % 11 AS "semi;colon--", i % 13 AS "it's",
       i % 17 AS "Names ", i % 2 = 0 AS "Y? ""y"" 'y'", i % 6 AS "a_column_name_of_sixty_three_bytes_which_is_as_long_as_they_get"
FROM generate_series(1, 80) i;
SELECT is((SELECT count(*) FROM wfml.train('shape', 'linear', 'public."Names "', 'Y? "y" ''y''')), 1::bigint, 'names that need quotes train');
SELECT is((SELECT count(DISTINCT wfml.predict('shape', t.*)) > 1 FROM (SELECT * FROM "Names ") t), true, 'and predict');
SELECT is((SELECT string_agg(feature, '|' ORDER BY feature COLLATE "C") FROM (SELECT * FROM "Names " LIMIT 1) t, wfml.explain('shape', to_jsonb(t))),
          '(base)|Names |Upper|a "quoted" name|a_column_name_of_sixty_three_bytes_which_is_as_long_as_they_get|it''s|select|semi;colon--|日本 ü', 'and explain');
SELECT is((SELECT count(*) > 1 FROM wfml.partial_dependence('shape', 'a "quoted" name', 'public."Names "')), true, 'and show dependence');
SELECT is((SELECT count(*) > 1 FROM wfml.evaluate('shape', 'public."Names "')), true, 'and are evaluated');

-- ---- relations of every kind ----

CREATE TABLE parted (x int, z int, y boolean) PARTITION BY RANGE (x);
CREATE TABLE parted_low (y boolean, gone text, z int, x int);
ALTER TABLE parted_low DROP COLUMN gone;
ALTER TABLE parted ATTACH PARTITION parted_low FOR VALUES FROM (0) TO (5);
CREATE TABLE parted_high PARTITION OF parted DEFAULT;
INSERT INTO parted SELECT i % 10, i % 7, i % 10 > 3 FROM generate_series(1, 100) i;
SELECT all_sane('parted', 'y', 'a partitioned table');
SELECT is(tried('linear', 'parted', 'y') || sane('shape', 'parted_low'), 'sanesane', 'and its partition with other column numbers');
CREATE TABLE parent (x int, y boolean);
CREATE TABLE child (extra text) INHERITS (parent);
INSERT INTO child SELECT i % 10, i % 10 > 3, 'e' || i % 4 FROM generate_series(1, 100) i;
SELECT all_sane('parent', 'y', 'an inheritance parent');
CREATE VIEW seen AS SELECT x AS renamed, z, y FROM parted;
SELECT all_sane('seen', 'y', 'a view');
CREATE MATERIALIZED VIEW kept AS SELECT x * 2 AS x, z, y FROM parted;
SELECT all_sane('kept', 'y', 'a materialized view');
CREATE TEMPORARY TABLE fleeting AS SELECT * FROM parted;
SELECT all_sane('fleeting', 'y', 'a temporary table');
CREATE EXTENSION IF NOT EXISTS file_fdw;
CREATE SERVER shape_files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE afar (x int, z int, y boolean) SERVER shape_files OPTIONS (program 'seq 1 80 | sed "s/\(.*\)\(.\)/\2,\1,\1/; s/,[0-4]*$/,f/; s/,[0-9]*$/,t/; s/^\(.\)$/\1,\1,f/; s/^\([0-9]*\),,/\1,0,/"', format 'csv');
SELECT all_sane('afar', 'y', 'a foreign table');
CREATE TABLE scarred (a int, b text, c float8, d int, y text);
INSERT INTO scarred SELECT i % 5, 'gone', i % 9, i, 'k' || i % 2 FROM generate_series(1, 90) i;
ALTER TABLE scarred DROP COLUMN b, DROP COLUMN d, ADD COLUMN e int DEFAULT 3, ADD COLUMN f float8 GENERATED ALWAYS AS (c * 2 + a) STORED;
SELECT all_sane('scarred', 'y', 'dropped, defaulted and generated columns');

-- ---- types ----

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN percent AS numeric(6, 3) CHECK (VALUE BETWEEN 0 AND 100);
CREATE DOMAIN percents AS percent;
CREATE TYPE pair AS (a int, b text);
CREATE TABLE types AS
SELECT (ARRAY['sad', 'ok', 'happy']::mood[])[1 + i % 3] AS mood, (i % 101)::percents AS pct, i % 3 = 1 AS flag, i::smallint AS small, i::oid AS oid,
       make_interval(days => i % 40, secs => i * 1.5) AS iv, '2024-03-30 23:30:00+00'::timestamptz + i * interval '7 hours 13 min' AS tz,
       '2024-02-28'::timestamp + i * interval '19 hours' AS ts, '2024-02-28'::date + i AS day, '00:00'::time + i * interval '11 min' AS clock,
       CASE WHEN i % 5 > 0 THEN ARRAY['a', 'b' || i % 4, NULL] ELSE '{}' END AS tags,
       ARRAY[i % 7, i % 4, NULL]::numeric[] AS vec, ARRAY[i, i * 2]::float4[] AS vec4, i::money AS cash, md5((i % 3)::text)::uuid AS u,
       jsonb_build_object('a', i % 4) AS doc, '{"a": 1}'::json AS js, '\x00'::bytea AS raw, point(i, i) AS pt, int4range(i, i + 9) AS range, (i, 'x')::pair AS pair,
       ('10.0.0.' || i % 9)::inet AS ip, B'101' AS bits, 'a b'::tsvector AS tsv, '<a/>'::xml AS xml,
       (ARRAY['sad', 'ok', 'happy']::mood[])[1 + (i / 2) % 3] AS y, make_interval(hours => i % 30) AS lasts, i::numeric(20, 5) / 3 AS amount
FROM generate_series(1, 120) i;
SELECT all_sane('types', 'y', 'every type, an enum as target');
SELECT all_sane('types', 'amount', 'every type, a numeric as target');
SELECT all_sane('types', 'lasts', 'every type, an interval as target');
SELECT all_sane('types', 'u', 'every type, a uuid as target');

-- The zone of training is the model's: that of the session does not matter.
SET LOCAL TimeZone = 'Pacific/Chatham';
CREATE TABLE zoned AS SELECT tz, extract(hour FROM tz) < 12 AS y FROM types;
SELECT all_sane('zoned', 'y', 'timestamps with time zone');
CREATE TABLE zones (zone text, style text, predictions text);
DO $$
DECLARE
    z text;
    s text;
BEGIN
    FOREACH z IN ARRAY '{Pacific/Chatham,UTC,America/St_Johns,Asia/Tokyo}'::text[] LOOP
        PERFORM set_config('TimeZone', z, true);
        FOREACH s IN ARRAY '{"SQL, DMY","Postgres, MDY",German,ISO}'::text[] LOOP
            PERFORM set_config('DateStyle', s, true), set_config('IntervalStyle', CASE s WHEN 'ISO' THEN 'postgres' ELSE 'sql_standard' END, true);
            INSERT INTO zones SELECT z, s, string_agg(wfml.predict('shape', t) || ' ' || wfml.predict('shape', to_jsonb(t)), ' ' ORDER BY tz) FROM zoned t;
        END LOOP;
    END LOOP;
END $$;
SELECT is((SELECT count(DISTINCT predictions) FROM zones), 1::bigint, 'are the same in every zone and date style');

SELECT * FROM finish();
ROLLBACK;
