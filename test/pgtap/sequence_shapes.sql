-- Event logs of every shape: each trains, and the model answers to all that
-- one may ask: probabilities sum to 1, each event once, a time not below 0,
-- the aggregate says what next_event() says.

\set QUIET 1
SET client_min_messages = error;
BEGIN;
SET LOCAL max_parallel_maintenance_workers = 0;
SET LOCAL timezone = 'UTC';

CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE query;
    RETURN 'none';
EXCEPTION WHEN others THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- What is wrong with a model's answers to this history; 'sane' if nothing.
CREATE FUNCTION sane_after(history text[], times timestamptz[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    kinds CONSTANT bigint := wfml.model_info('shape') ->> 'events';
    answer record;
    running wfml.next_event_result;
    score float8;
BEGIN
    SELECT count(*) AS n, count(DISTINCT event) AS events, count(*) FILTER (WHERE is_end) AS ends, sum(probability) AS p,
           min(probability) AS least, min(event) FILTER (WHERE rank = 1) AS best, bool_or(probability::text IN ('NaN', 'Infinity')) AS odd
    INTO answer FROM wfml.next_event('shape', history, 2147483647, times);
    IF answer.n <> kinds + 1 OR answer.events <> kinds OR answer.ends <> 1 THEN RETURN format('%s answers to %s kinds', answer.n, kinds); END IF;
    IF answer.odd OR answer.least < 0 OR abs(answer.p - 1) > 1e-6 THEN RETURN format('probabilities sum to %s', answer.p); END IF;
    IF wfml.next_event_time('shape', history, times) < '0' THEN RETURN 'a time before now'; END IF;
    score := wfml.sequence_score('shape', history, times);
    IF score > 0 OR score < -50 OR score::text = 'NaN' THEN RETURN format('a score of %s', score); END IF;
    IF history <> '{}' THEN
        running := (SELECT wfml.next_event_agg('shape', h, t ORDER BY o) FROM unnest(history, coalesce(times, array_fill(NULL::timestamptz, ARRAY[cardinality(history)])))
                    WITH ORDINALITY u(h, t, o));
        IF running.event IS DISTINCT FROM answer.best THEN RETURN 'the aggregate says something else'; END IF;
    END IF;
    RETURN 'sane';
END $$;

CREATE FUNCTION sane(source text, time_column text DEFAULT 'at', params text DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    asked record;
    found text;
BEGIN
    DROP TABLE IF EXISTS shape;
    EXECUTE 'CREATE TABLE shape AS ' || source;
    PERFORM wfml.train_sequence('shape', 'shape', 'id', 'event', time_column, '{"hidden": 8, "embedding": 4, "epochs": 3}' || params::jsonb);
    PERFORM 1 FROM wfml.verify('shape');
    FOR asked IN
        SELECT '{}'::text[] AS h, NULL::timestamptz[] AS t
        UNION ALL (SELECT array_agg(event::text), NULL FROM (SELECT event FROM shape LIMIT 30) s WHERE event IS NOT NULL)
        UNION ALL (SELECT array_agg(event::text), array_agg('2024-01-01'::timestamptz + o * interval '1 h') FROM (SELECT event, row_number() OVER () AS o FROM shape LIMIT 3) s WHERE event IS NOT NULL)
        UNION ALL (SELECT ARRAY['never', NULL, ''], ARRAY['2024-01-02', NULL, '2024-01-01']::timestamptz[])
    LOOP
        found := sane_after(asked.h, asked.t);
        IF found <> 'sane' THEN RETURN found || ' after ' || left(asked.h::text, 200); END IF;
    END LOOP;
    RETURN 'sane';
END $$;

SELECT no_plan();

SELECT is(sane($$SELECT 1 AS id, 'a' AS event, '2024-01-01'::timestamp AS at$$), 'sane', 'one event');
SELECT is(sane($$SELECT 1 AS id, chr(97 + i % 3) AS event, '2024-01-01'::timestamp + i * interval '1 h' AS at FROM generate_series(1, 50) i$$), 'sane', 'one case');
SELECT is(sane($$SELECT i AS id, 'a' AS event, '2024-01-01'::timestamp + i * interval '1 h' AS at FROM generate_series(1, 2) i$$), 'sane', 'two cases of one event');
SELECT is(sane($$SELECT i % 30 AS id, 'a' AS event, '2024-01-01'::timestamp + i * interval '1 h' AS at FROM generate_series(1, 300) i$$), 'sane', 'one kind of event');
SELECT is(sane($$SELECT i AS id, chr(97 + i % 7) AS event, '2024-01-01'::timestamp + i * interval '1 h' AS at FROM generate_series(1, 300) i$$), 'sane', 'cases of one event');
SELECT is(wfml.next_event_time('shape', '{a}'), NULL, 'without a gap to learn from there is no time to tell');
SELECT is(sane($$SELECT i % 30 AS id, chr(97 + i % 7) AS event, '2024-01-01'::timestamp AS at FROM generate_series(1, 300) i$$), 'sane', 'everything at one instant');
SELECT is(sane($$SELECT i % 30 AS id, chr(97 + i % 7) AS event, 0 AS at FROM generate_series(1, 300) i$$), 'sane', 'or at one number');
SELECT is(sane($$SELECT i % 30 AS id, chr(97 + i % 7) AS event, '2024-01-01'::date + i AS at FROM generate_series(1, 300) i$$), 'sane', 'dates');
SELECT is(sane($$SELECT i % 30 AS id, chr(97 + i % 7) AS event, i * 1e300 AS at FROM generate_series(1, 300) i$$), 'sane', 'large numbers');
SELECT is(sane($$SELECT i % 30 AS id, i % 7 AS event, CASE i % 2 WHEN 0 THEN '4713-01-02 BC' ELSE '294276-12-30' END::timestamptz AS at FROM generate_series(1, 300) i$$), 'sane', 'the ends of time');
SELECT is(sane($$SELECT i % 30 AS id, i % 7 AS event, CASE WHEN i % 5 = 0 THEN 'infinity' WHEN i % 5 = 1 THEN '-infinity' WHEN i % 5 = 2 THEN NULL ELSE '2024-01-01'::timestamp + i * interval '1 h' END AS at FROM generate_series(1, 600) i$$), 'sane', 'infinite times');
SELECT is(sane($$SELECT i % 30 AS id, i % 7 AS event, CASE WHEN i % 5 = 0 THEN 'NaN' ELSE i::numeric END AS at FROM generate_series(1, 600) i$$), 'sane', 'numbers that are none');
SELECT is(sane($$SELECT CASE WHEN i % 7 > 0 THEN i % 30 END AS id, CASE WHEN i % 11 > 0 THEN i % 7 END AS event, i AS at FROM generate_series(1, 600) i$$), 'sane', 'NULLs');
SELECT is(sane($$SELECT chr(1 + i % 30) || E'\n"\t' AS id, E'\\ {",}'' ' || chr(128512 + i % 3) || CASE i % 4 WHEN 0 THEN 'NULL' ELSE '' END AS event, i AS at FROM generate_series(1, 300) i$$), 'sane', 'odd characters');
SELECT is(sane($$SELECT i % 30 AS id, CASE i % 3 WHEN 0 THEN '' WHEN 1 THEN ' ' ELSE '  ' END AS event, i AS at FROM generate_series(1, 300) i$$), 'sane', 'empty text is an event too');
SELECT is(sane($$SELECT i / 3 AS id, CASE WHEN i % 3 > 0 THEN repeat('é', 3000000) || i % 2 ELSE i::text END AS event, i AS at FROM generate_series(1, 9) i$$), 'sane', 'long texts, told apart by their beginning');
SELECT is((wfml.model_info('shape') ->> 'events')::int, 4, 'so these are one');
SELECT is(sane($$SELECT i % 30 AS id, (i % 7 > 2) AS event, i AS at FROM generate_series(1, 300) i$$), 'sane', 'booleans');
SELECT is(sane($$SELECT (i % 30) * interval '1 h' AS id, (i % 7) * 1.5 AS event, i * interval '1 day' AS at FROM generate_series(1, 300) i$$), 'sane', 'intervals and fractions');
CREATE TYPE colour AS ENUM ('red', 'green', 'blue');
SELECT is(sane($$SELECT i % 30 AS id, (enum_range(NULL::colour))[1 + i % 3] AS event, i AS at FROM generate_series(1, 300) i$$), 'sane', 'enums');
SELECT is(sane($$SELECT CASE WHEN i > 4000 THEN i / 10 ELSE 0 END AS id, chr(97 + (i * i % 7)::int) AS event, '2024-01-01'::timestamp + i * interval '1 min' AS at FROM generate_series(1::bigint, 6000) i$$), 'sane', 'a long case among short ones');
SELECT is(sane($$SELECT 1 AS id, chr(97 + (i * i % 7)::int) AS event, '2024-01-01'::timestamp + i * interval '1 min' AS at FROM generate_series(1::bigint, 100000) i$$), 'sane', 'a case of 100,000 events');
SELECT is(sane($$SELECT i / 10 AS id, i AS event, i AS at FROM generate_series(1, 3000) i$$), 'sane', 'no event twice');
SELECT is(sane($$SELECT i / 50 AS id, i % 50000 AS event, i AS at FROM generate_series(1, 60000) i$$, 'at', '{"validation": "none", "predictor": "markov"}'), 'sane', '50,000 kinds of events');

-- the running case
SELECT is((SELECT count(*) FROM (SELECT wfml.next_event_agg('shape', i % 50000, NULL) FROM generate_series(1, 1000000) i) s), 1::bigint, 'a case of a million events');

-- columns that are gone, or come by inheritance and partitions
CREATE TABLE parted (gone int, id int, event text, gone_too int, at timestamp) PARTITION BY RANGE (at);
CREATE TABLE part_a PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2024-01-05');
CREATE TABLE part_b (at timestamp, event text, id int, gone int, gone_too int);
ALTER TABLE part_b DROP COLUMN gone, ADD COLUMN gone int;
ALTER TABLE parted ATTACH PARTITION part_b FOR VALUES FROM ('2024-01-05') TO ('2025-01-01');
ALTER TABLE parted DROP COLUMN gone, DROP COLUMN gone_too;
INSERT INTO parted SELECT i % 30, chr(97 + i % 7), '2024-01-01'::timestamp + i * interval '1 h' FROM generate_series(1, 300) i;
SELECT is(sane('SELECT * FROM parted'), 'sane', 'columns that are gone');
SELECT is(rows, 300::bigint, 'and partitions') FROM wfml.train_sequence('shape', 'parted', 'id', 'event', 'at', '{"hidden": 8, "epochs": 2}');

-- limits
SELECT matches(error_of($$SELECT wfml.train_sequence('x', $q$SELECT repeat('x', 2000) || i AS id, 'a' AS event, i AS at FROM generate_series(1, 9) i$q$, 'id', 'event', 'at')$$), '^54000 case column "id"', 'ids as long as that are refused, not mixed up');
SET LOCAL wfml.max_training_memory = '8MB';
SELECT matches(error_of($$SELECT wfml.train_sequence('x', $q$SELECT i / 10 AS id, i % 7 AS event, i AS at FROM generate_series(1, 300000) i$q$, 'id', 'event', 'at')$$), '^54000 training needs', 'more memory than there is');
RESET wfml.max_training_memory;
SET LOCAL wfml.max_model_size = '64kB';
SELECT matches(error_of($$SELECT wfml.train_sequence('x', $q$SELECT i / 50 AS id, i AS event, i AS at FROM generate_series(1, 20000) i$q$, 'id', 'event', 'at', '{"predictor": "markov", "validation": "none"}')$$), '^54000 ', 'a model larger than allowed');
RESET wfml.max_model_size;

-- the look before
SELECT results_eq($$SELECT column_name, type, role, n_distinct, nulls, note FROM wfml.inspect_sequence(
    $q$SELECT CASE WHEN i % 10 > 0 THEN i % 30 END AS id, chr(97 + i % 4) AS event, '2024-01-01'::timestamp + i / 60 * interval '1 h' AS at, i AS place FROM generate_series(1, 600) i$q$,
    'id', 'event', 'at', '{"tie_column": "place", "epochs": 2, "hidden": 8}') WHERE column_name NOT IN ('(seconds)', '(memory)', '(model)')$$,
    $$VALUES ('id', 'integer', 'case', '27', '10.0 %', 'median 20 events, shortest 20, longest 20'),
             ('event', 'text', 'event', '4', NULL, 'most frequent "b" (27.8 %)'),
             ('at', 'timestamp', 'time', NULL, NULL, '50.0 % at the time of the event before'),
             ('place', 'integer', 'tie', NULL, NULL, 'orders events of one time'),
             ('(rows)', NULL, NULL, NULL, NULL, '540 used, 60 without case, event or time')$$, 'what inspect_sequence() sees');
SELECT is((SELECT string_agg(column_name, ' ') FROM wfml.inspect_sequence('SELECT i / 10 AS id, i % 7 AS event, i AS at FROM generate_series(1, 20000) i', 'id', 'event', 'at', '{"epochs": 1, "hidden": 8}') WHERE note LIKE 'about%' OR note LIKE 'below%'),
          '(seconds) (memory) (model)', 'and expects');
SELECT matches(error_of($$SELECT * FROM wfml.inspect_sequence('SELECT 1 AS a', 'a', 'b', 'c')$$), '^42703 ', 'it says what is missing');
SELECT matches(error_of($$SELECT * FROM wfml.inspect_sequence('SELECT 1 AS a WHERE false', 'a', 'a', 'a')$$), '^P0002 ', 'and when there is nothing');

SELECT * FROM finish();
ROLLBACK;
