-- What goes in: sources of every kind to train from, values of every type, rows and JSON to predict from.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS wfml;
CREATE SCHEMA input;
SET search_path = input, public;
\set SHOW_CONTEXT never

-- ---------------------------------------------------------------------------
-- Every type that can be a feature
-- ---------------------------------------------------------------------------
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN percent AS int CHECK (value BETWEEN 0 AND 100);
CREATE TABLE every AS
SELECT g AS n,
	g % 3 = 0 AS bool, g::int2 AS int2, g AS int4, g::int8 AS int8, g::float4 AS float4, g::float8 AS float8,
	g::numeric / 3 AS "numeric", g * interval '1 day 1 hour' AS "interval",
	'text ' || g % 3 AS text, ('v' || g % 3)::varchar(9) AS "varchar", ('c' || g % 3)::char(9) AS "char(n)",
	('n' || g % 3)::name AS name, chr(97 + g % 3)::"char" AS """char""",
	(ARRAY['sad', 'ok', 'happy']::mood[])[1 + g % 3] AS enum, md5((g % 3)::text)::uuid AS uuid,
	inet '10.0.0.1' + g % 3 AS inet, ('00:00:00:00:00:0' || g % 3)::macaddr AS macaddr, (g % 3)::bit(2) AS bit,
	(g % 90)::percent AS "domain",
	timestamp '2026-01-01' + g * interval '1 hour' AS "timestamp",
	timestamptz '2026-01-01 00:00+00' + g * interval '1 hour' AS timestamptz,
	date '2026-01-01' + g AS date, time '00:00' + g * interval '1 hour' AS "time",
	(time '00:00' + g * interval '1 hour')::timetz AS timetz,
	ARRAY['a', 'x' || g % 3, NULL] AS "text[]", ARRAY[(ARRAY['sad', 'ok', 'happy']::mood[])[1 + g % 3]] AS "enum[]",
	ARRAY[g, NULL, 7] AS "int[]", ARRAY[[g / 2.0], [1]] AS "numeric[]", ARRAY[g % 2 = 0, g % 3 = 0] AS "bool[]"
FROM generate_series(1, 240) g;
SELECT column_name, type, role, n_distinct, note FROM wfml.inspect('every') WHERE column_name <> '(rows)';

-- Each alone can be learned from: the target follows from the column, so a boosting of a few rounds gets it right.
-- The answer to a row, and to the same row as JSON, is the same.
CREATE FUNCTION learn(name text, target text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	PERFORM wfml.train('learn', 'gradient_boosting', format('SELECT %I, (%s)::float8 AS y FROM input.every', name, target), 'y',
		'{"validation": "none", "learning_rate": 0.5, "rounds": 40, "min_samples_leaf": 1}', ARRAY[name]);
	EXECUTE format('SELECT CASE WHEN max(abs(p - y)) < 0.1 THEN ''learned'' ELSE ''not learned'' END ||
			CASE WHEN bool_and(p = j) THEN '', JSON agrees'' ELSE '', JSON differs'' END
		FROM (SELECT wfml.predict(''learn'', s) AS p, wfml.predict(''learn'', to_jsonb(s)) AS j, y
			FROM (SELECT %I, (%s)::float8 AS y FROM input.every) s) t', name, target) INTO answer;
	RETURN answer;
END $$;
SELECT name, learn(name, CASE
		WHEN name IN ('int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'interval', 'int[]', 'numeric[]') THEN 'CASE WHEN n > 100 THEN 1 ELSE 0 END'
		WHEN name = 'domain' THEN 'CASE WHEN n % 90 > 40 THEN 1 ELSE 0 END'
		WHEN name IN ('timestamp', 'time', 'timetz') THEN 'CASE WHEN n % 24 BETWEEN 8 AND 17 THEN 1 ELSE 0 END'
		WHEN name = 'timestamptz' THEN 'CASE WHEN extract(hour FROM timestamptz) BETWEEN 8 AND 17 THEN 1 ELSE 0 END'
		WHEN name = 'date' THEN 'CASE WHEN extract(isodow FROM date) > 5 THEN 1 ELSE 0 END'
		ELSE 'CASE WHEN n % 3 = 0 THEN 1 ELSE 0 END' END)
FROM unnest(ARRAY['bool', 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'interval', 'text', 'varchar', 'char(n)', 'name',
	'"char"', 'enum', 'uuid', 'inet', 'macaddr', 'bit', 'domain', 'timestamp', 'timestamptz', 'date', 'time', 'timetz',
	'text[]', 'enum[]', 'int[]', 'numeric[]', 'bool[]']) AS name;

-- The hour of a timestamptz is the hour where the model was trained, whoever asks.
SET timezone = 'Asia/Tokyo';
SELECT count(*) FROM wfml.train('tokyo', 'gradient_boosting',
	'SELECT timestamptz AS at, (extract(hour FROM timestamptz) < 6)::int::float8 AS y FROM input.every', 'y',
	'{"validation": "none", "learning_rate": 0.5, "rounds": 40, "min_samples_leaf": 1}');
SET timezone = 'America/New_York';
SET datestyle = 'SQL, DMY';
SELECT round(wfml.predict('tokyo', s)) AS night_in_tokyo, round(wfml.predict('tokyo', to_jsonb(s))) AS as_json,
	round(wfml.predict('tokyo', '{"at": "2026-06-01T03:30:00+09:00"}')) AS with_offset,
	round(wfml.predict('tokyo', '{"at": "2026-06-01 03:30"}')) AS local,
	round(wfml.predict('tokyo', '{"at": "2026-06-01T12:30:00Z"}')) AS at_half_past_nine
FROM (SELECT timestamptz '2026-06-01 03:30 Asia/Tokyo' AS at) s;
RESET timezone;
RESET datestyle;

-- Missing values and what is beyond the range of numbers.
CREATE TABLE odd AS
SELECT (ARRAY['NaN', 'Infinity', '-Infinity', '1e300', '-1e300', '0', '1', NULL]::float8[])[1 + g % 8] AS x,
	(ARRAY['infinity', '-infinity', '2026-01-01 12:00', NULL]::timestamp[])[1 + g % 4] AS at,
	(ARRAY[1, 2, 4, 2, 4, 3, 3, 1]::float8[])[1 + g % 8] AS y
FROM generate_series(1, 160) g;
SELECT count(*) FROM wfml.train('odd', 'gradient_boosting', 'odd', 'y',
	'{"validation": "none", "learning_rate": 0.5, "rounds": 40, "min_samples_leaf": 1}', '{x}');
SELECT x, y, round(wfml.predict('odd', odd)) AS predicted FROM odd GROUP BY 1, 2, 3 ORDER BY 1;
SELECT j, round(wfml.predict('odd', j)) FROM unnest(ARRAY['{"x": "NaN"}', '{"x": "Infinity"}', '{"x": 1e400}', '{"x": -1e400}', '{"x": "1e999"}', '{"x": null}']) j;
SELECT role, nulls, note FROM wfml.inspect('odd') WHERE column_name IN ('x', 'at');

-- ---------------------------------------------------------------------------
-- Sources
-- ---------------------------------------------------------------------------
RESET client_min_messages;
CREATE TABLE base (id int PRIMARY KEY, code text UNIQUE, a int, b int, note jsonb, whatever point, k int DEFAULT 1, empty text, y float8, UNIQUE (a, b));
INSERT INTO base SELECT g, 'code ' || g, g % 7, g, '{}', '(1,2)', 1, NULL, g % 7 FROM generate_series(1, 200) g;
CREATE UNIQUE INDEX ON base (b) WHERE b > 10;
CREATE VIEW seen AS SELECT id AS ident, code, a, y FROM base;
CREATE VIEW seen_again AS SELECT * FROM seen WHERE a >= 0;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM base;
CREATE UNIQUE INDEX ON kept (id);
CREATE TABLE parted (id int, a int, y float8, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100) TO (1000);
INSERT INTO parted SELECT id, a, y FROM base;
CREATE TABLE "My Table" AS SELECT a, y AS "the y" FROM base;
CREATE FUNCTION rows_from(source text, target text DEFAULT 'y') RETURNS text LANGUAGE sql AS
	$$ SELECT rows || ' rows, ' || features || ' features' FROM wfml.train('m', 'gradient_boosting', source, target, '{"validation": "none", "rounds": 2}') $$;
SET client_min_messages = notice;

-- Keys are left out wherever they come from, and what cannot be a feature.
SELECT rows_from('base');
SELECT rows_from('seen_again');
SELECT rows_from('WITH q AS (SELECT * FROM seen) SELECT s.*, 1.5 * a AS more FROM (SELECT * FROM q) s');
SELECT rows_from('kept');
SELECT rows_from('parted');
SELECT rows_from('input.parted_1');
SELECT rows_from('"My Table"', 'the y');
SELECT rows_from('  /* a comment -- with /* another */ */ (TABLE base) -- the end');
SELECT rows_from('VALUES (1, 2.5), (2, 3.5), (3, 4.5)', 'column2');
SELECT source FROM wfml.versions WHERE name = 'm' ORDER BY version LIMIT 1;

-- Columns by name; a key may be named.
SELECT features FROM wfml.train('m', 'gradient_boosting', 'base', 'y', '{"validation": "none", "rounds": 2}', '{id,a}');

-- What is no source.
SELECT rows_from('');
SELECT rows_from('nowhere');
SELECT rows_from('base_pkey');
SELECT rows_from('my table');
SELECT rows_from('SELECT * FROM nowhere');
SELECT rows_from('SELECT 1 AS a; SELECT 2 AS b');
SELECT rows_from('SELECT a, b AS a, y FROM base');
SELECT rows_from('SELECT id, code, y FROM base');
SELECT rows_from('SELECT 1 AS a, y FROM base');
SELECT rows_from('SELECT * FROM base WHERE false');
SELECT rows_from('base', 'z');
SELECT wfml.train('m', 'gradient_boosting', 'base', 'y', features => '{a,nope,neither}');
SELECT wfml.train('m', 'gradient_boosting', 'base', 'y', features => '{a,note,whatever}');
SELECT wfml.train('m', 'gradient_boosting', 'base', 'y', features => '{a,y}');
SELECT wfml.train('m', 'gradient_boosting', 'base', 'y', features => '{a,a}');

-- It only reads: neither the statement nor a function in it may write, and afterwards all is as it was.
CREATE TABLE diary (n int);
CREATE FUNCTION writes() RETURNS int LANGUAGE sql AS 'INSERT INTO input.diary VALUES (1) RETURNING n';
CREATE FUNCTION unlocks() RETURNS int LANGUAGE plpgsql AS $$ BEGIN SET transaction_read_only = off; RETURN input.writes(); END $$;
SELECT rows_from('DELETE FROM base RETURNING *');
SELECT rows_from('WITH gone AS (DELETE FROM base RETURNING *) SELECT * FROM gone');
SELECT rows_from('SELECT * FROM base FOR UPDATE');
SELECT rows_from('SELECT * INTO copy FROM base');
SELECT rows_from('SELECT a, y, writes() AS w FROM base');
SELECT rows_from('SELECT a, y, unlocks() AS w FROM base');
BEGIN;
INSERT INTO diary VALUES (2);
SELECT rows_from('SELECT a, y, (SELECT n FROM diary) AS n FROM base');
SHOW transaction_read_only;
INSERT INTO diary VALUES (3);
COMMIT;
DO $$
BEGIN
	INSERT INTO input.diary VALUES (4);
	BEGIN
		PERFORM input.rows_from('SELECT a, y, input.writes() AS w FROM input.base');
	EXCEPTION WHEN read_only_sql_transaction THEN
		RAISE NOTICE 'refused: %', sqlerrm;
	END;
	INSERT INTO input.diary VALUES (5);
END $$;
SELECT array_agg(n) AS diary FROM diary;
SELECT count(*) > 0 AS base_is_whole FROM base;

-- The rights are the caller's.
CREATE ROLE regress_input_reader;
GRANT USAGE ON SCHEMA input TO regress_input_reader;
GRANT SELECT ON seen TO regress_input_reader;
SET ROLE regress_input_reader;
SELECT column_name, role, note FROM wfml.inspect('seen');
SELECT column_name FROM wfml.inspect('base');
RESET ROLE;

-- ---------------------------------------------------------------------------
-- Targets
-- ---------------------------------------------------------------------------
CREATE FUNCTION target(expression text, task text DEFAULT NULL, params jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	t wfml.training_summary;
BEGIN
	SELECT * INTO t FROM wfml.train('t', 'gradient_boosting', format('SELECT b %% 4 AS x, %s AS y FROM input.base', expression), 'y',
		'{"validation": "none", "rounds": 2}' || params, task => task);
	RETURN format('%s%s, %s rows, says %s', t.task, ' of ' || t.positive, t.rows,
		CASE t.task WHEN 'classification' THEN wfml.classify('t', '{"x": 0}') ELSE round(wfml.predict('t', '{"x": 0}'))::text END);
END $$;
SELECT target('a > 3');
SELECT target($$CASE WHEN a > 4 THEN 'yes' ELSE 'no' END$$);
SELECT target($$CASE WHEN a > 4 THEN 'yes' ELSE 'no' END$$, params => '{"positive": "no"}');
SELECT target($$(ARRAY['sad', 'ok', 'happy']::input.mood[])[1 + a % 3]$$);
SELECT target('a % 2');
SELECT target('-10 * (a % 2)');
SELECT target('a');
SELECT target('a', 'classification');
SELECT target('b');
SELECT target('a / 2.0');
SELECT target('a / 2.0', 'classification');
SELECT target($$a * interval '1 minute'$$);
SELECT target($$inet '10.0.0.1' + a$$);
SELECT target('CASE WHEN b % 10 > 2 THEN a > 3 END');
SELECT target($$(ARRAY['NaN', 'Infinity', NULL, '1', '2', '3', '4']::float8[])[1 + a]$$);
-- No target:
SELECT target('1');
SELECT target('NULL::float8');
SELECT target($$'only'::text$$);
SELECT target('note');
SELECT target('b::text', 'regression');
SELECT target('a > 3', 'regression');
SELECT target('a > 3', 'ranking');
SELECT target('a > 3', params => '{"positive": "maybe"}');
SELECT target('a', 'classification', '{"positive": "1"}');
SELECT target('a / 2.0', params => '{"positive": "1"}');
SELECT wfml.train('t', 'gradient_boosting', 'SELECT g % 7 AS a, ''c'' || g AS y FROM generate_series(1, 1001) g', 'y');

-- Weights, groups, and the order of time.
SELECT features FROM wfml.train('t', 'gradient_boosting', 'SELECT a, b % 5 AS grp, 1.5 AS w, y FROM base', 'y',
	'{"validation": "group", "group_column": "grp", "weight_column": "w", "rounds": 2}');
SET client_min_messages = warning;
SELECT features FROM wfml.train('t', 'gradient_boosting', 'SELECT a, date ''2026-01-01'' + b AS day, y FROM base', 'y',
	'{"validation": "time", "time_column": "day", "rounds": 2}');
SELECT wfml.train('t', 'gradient_boosting', 'SELECT a, -a AS w, y FROM base', 'y', '{"weight_column": "w"}');
SELECT wfml.train('t', 'gradient_boosting', 'SELECT a, NULL::int AS w, y FROM base', 'y', '{"weight_column": "w"}');
SELECT wfml.train('t', 'gradient_boosting', 'SELECT a, code AS w, y FROM base', 'y', '{"weight_column": "w"}');
SELECT wfml.train('t', 'gradient_boosting', 'SELECT a, NULL AS g, y FROM base', 'y', '{"validation": "group", "group_column": "g"}');
SELECT wfml.train('t', 'gradient_boosting', 'SELECT a, timestamp ''infinity'' AS at, y FROM base', 'y', '{"validation": "time", "time_column": "at"}');
SELECT wfml.train('t', 'gradient_boosting', 'SELECT a, code AS at, y FROM base', 'y', '{"validation": "time", "time_column": "at"}');

SET client_min_messages = notice;

-- Categories: the frequent ones, and the rest together; an identifier is none.
SELECT rows_from('SELECT a, ''c'' || CASE WHEN g < 3000 THEN g % 200 ELSE g % 1000 END AS c, ''id'' || g AS ident, g % 7 + 0.5 AS y FROM base, generate_series(1, 20) h, LATERAL (SELECT b * 20 + h AS g) s');

-- Arrays of numbers all have one length; several may be of unknown length for a while.
SELECT rows_from('SELECT CASE WHEN b > 100 THEN ARRAY[a, 1] END AS v, CASE WHEN b > 150 THEN ARRAY[a, 1, 2] END AS w, NULL::int[] AS never, y FROM base');
SELECT rows_from('SELECT CASE WHEN b > 100 THEN ARRAY[a, 1] ELSE ARRAY[a] END AS v, y FROM base');

-- ---------------------------------------------------------------------------
-- Rows and JSON
-- ---------------------------------------------------------------------------
SET client_min_messages = warning;
CREATE TABLE person (age int, member boolean, city text, seen timestamp, born date, wakes time, likes text[], size float8[], happy float8);
INSERT INTO person SELECT 20 + g % 60, g % 2 = 0, 'city ' || g % 4, timestamp '2026-01-01' + g * interval '7 hour',
	date '1980-01-01' + g, time '05:00' + g % 5 * interval '1 hour', ARRAY['tag ' || g % 3], ARRAY[g % 5, 1], g % 4 + g % 5
FROM generate_series(1, 400) g;
SELECT features FROM wfml.train('p', 'gradient_boosting', 'person', 'happy', '{"validation": "none"}');

-- Columns go by name: any order, more of them, other widths of the same kind, nested or not.
SELECT count(*) AS rows, count(DISTINCT round(a::numeric, 3)) > 5 AS varied, bool_and(a = b AND a = c AND a = d AND a = e AND a = f) AS same
FROM person,
	LATERAL (SELECT wfml.predict('p', person) AS a, wfml.predict('p', to_jsonb(person)) AS b, wfml.predict('p', to_json(person)) AS c,
		wfml.predict('p', to_jsonb(person)::text) AS d) x,
	LATERAL (SELECT wfml.predict('p', s) AS e FROM (SELECT size::numeric[], likes::varchar[], wakes, born::timestamp, seen, city::varchar, member, age::numeric, 1 AS extra) s) y,
	LATERAL (SELECT wfml.predict('p', s) AS f FROM (SELECT (person).*) s) z;

-- NULL and unseen values are normal input.
SELECT wfml.predict('p', s) IS NOT NULL AS answered
FROM (SELECT NULL::int AS age, NULL::boolean AS member, 'nowhere' AS city, NULL::timestamp AS seen, 'infinity'::date AS born,
	NULL::time AS wakes, '{unheard of}'::text[] AS likes, NULL::float8[] AS size) s;
SELECT wfml.predict('p', NULL::person), wfml.predict('p', NULL);

-- A table that changes.
ALTER TABLE person DROP COLUMN happy;
ALTER TABLE person ADD COLUMN height int DEFAULT 180;
SELECT count(wfml.predict('p', person)) FROM person;
ALTER TABLE person RENAME COLUMN city TO town;
SELECT count(wfml.predict('p', person)) FROM person;

-- What does not fit, all at once.
SELECT wfml.predict('p', s) FROM (SELECT 1 AS age, true AS member) s;
SELECT wfml.predict('p', ROW(1, true));
SELECT wfml.predict('p', s) FROM (SELECT 'old' AS age, 1 AS member, 2 AS city, 3 AS seen, now() AS born, now() AS wakes, 'x' AS likes, ARRAY['y'] AS size) s;

-- The same from JSON; null must be said.
SELECT wfml.predict('p', '{"age": 1, "member": true, "extra": [1, {"a": 2}]}');
SELECT wfml.predict('p', '[1, 2]');
SELECT wfml.predict('p', '7'::jsonb);
CREATE FUNCTION ask(patch jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN CASE WHEN wfml.predict('p', '{"age": 30, "member": true, "city": "city 1", "seen": "2026-01-01T10:00:00", "born": "1980-02-03",
		"wakes": "07:00", "likes": ["tag 1"], "size": [1, 2]}'::jsonb || patch) IS NOT NULL THEN 'answered' END;
EXCEPTION WHEN others THEN
	RETURN sqlstate || ': ' || sqlerrm;
END $$;
SELECT patch, ask(patch) FROM unnest(ARRAY[
	'{"age": " 3e1 "}', '{"age": true}', '{"age": "thirty"}', '{"age": "0x1E"}', '{"age": [30]}', '{"age": "2 days 03:00:00"}',
	'{"member": 1}', '{"member": "yes"}', '{"member": 2}', '{"member": "perhaps"}',
	'{"city": 7}', '{"city": false}', '{"city": {"name": "x"}}',
	'{"seen": "2026-01-01"}', '{"seen": "2026-01-01 10:00:00.5+02"}', '{"seen": "infinity"}', '{"seen": "yesterday"}', '{"seen": "1/2/2026"}',
	'{"seen": "2026-02-30"}', '{"seen": 1767225600}',
	'{"born": "1980-02-03T00:00:00Z"}', '{"born": "80-2-3"}', '{"wakes": "07:00:30.25+01"}', '{"wakes": "24:00"}', '{"wakes": "25:00"}', '{"wakes": "7"}',
	'{"likes": []}', '{"likes": [null, 1, true, ["tag 1"]]}', '{"likes": "tag 1"}', '{"likes": [{}]}',
	'{"size": [[1], [null]]}', '{"size": ["1", 2]}', '{"size": [1]}', '{"size": [1, 2, 3]}', '{"size": []}', '{"size": 1}', '{"size": [1, "x"]}']::jsonb[]) patch;

-- Text longer than 1024 bytes is told apart by its first 1024, whole characters only.
SELECT count(*) FROM wfml.train('long', 'gradient_boosting', 'SELECT repeat(x, 2000) || g AS t, (x = ''b'')::int::float8 AS y FROM generate_series(1, 60) g, unnest(''{a,b}''::text[]) x', 'y',
	'{"validation": "none", "learning_rate": 0.5, "rounds": 40}');
SELECT x, round(wfml.predict('long', s)) AS row, round(wfml.predict('long', to_jsonb(s))) AS json
FROM unnest('{a,b}'::text[]) x, LATERAL (SELECT repeat(x, 3000) AS t) s;

RESET client_min_messages;
REVOKE ALL ON SCHEMA input FROM regress_input_reader;
REVOKE ALL ON seen FROM regress_input_reader;
DROP ROLE regress_input_reader;
SET client_min_messages = warning;
SELECT wfml.drop_model(name) FROM unnest(ARRAY['learn', 'tokyo', 'odd', 'm', 't', 'p', 'long']) name;
DROP SCHEMA input CASCADE;
