-- Sequence models: what they learn of a process whose truth is known, what
-- every form of call answers, and what is said to misuse.

\set QUIET 1
SET client_min_messages = error;
BEGIN;
SET LOCAL max_parallel_maintenance_workers = 0;
SET LOCAL timezone = 'Europe/Berlin';
SELECT setseed(0.25);

-- The error of a statement, or 'none'; its HINT.
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE query;
    RETURN 'none';
EXCEPTION WHEN others THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE FUNCTION hint_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE query;
    RETURN 'none';
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN hint;
END $$;

-- ---- an ordering process: each event with its probability, and with that of the likeliest ----

CREATE TABLE orders (id text, n int, event text, ts timestamptz, p float8, best float8);
CREATE FUNCTION make_orders(cases int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    now_at timestamptz;
    event text;
    reminded boolean;
    reviewed boolean;
    hours float8;
    -- what may follow, and how probable each is
    next text[];
    chance float8[];
    pick int;
    u float8;
    i int;
BEGIN
    FOR c IN 1..cases LOOP
        now_at := timestamptz '2024-01-01 00:00+01' + c * interval '47 min';
        event := '';
        reminded := false;
        reviewed := false;
        FOR step IN 1..1000 LOOP
            hours := 1;
            CASE event
                WHEN '' THEN next := '{order}'; chance := '{1}';
                WHEN 'order' THEN next := '{pay,remind}'; chance := '{0.8,0.2}'; hours := 3;
                WHEN 'remind' THEN next := '{pay,remind,cancel}'; chance := '{0.5,0.3,0.2}'; hours := 72;
                -- whoever had to be reminded is looked at
                WHEN 'pay' THEN next := CASE WHEN reminded THEN '{review,pack}' ELSE '{pack}' END::text[];
                    chance := CASE WHEN reminded THEN '{0.6,0.4}' ELSE '{1}' END::float8[];
                WHEN 'review' THEN next := '{pack,cancel}'; chance := '{0.9,0.1}';
                WHEN 'pack' THEN next := '{ship}'; chance := '{1}'; hours := 24;
                WHEN 'ship' THEN next := '{NULL,return}'; chance := '{0.7,0.3}'; hours := 240;
                -- and gets no exchange, four events later
                WHEN 'return' THEN next := CASE WHEN reviewed THEN '{refund}' ELSE '{refund,exchange}' END::text[];
                    chance := CASE WHEN reviewed THEN '{1}' ELSE '{0.5,0.5}' END::float8[];
                WHEN 'exchange' THEN next := '{ship}'; chance := '{1}';
                ELSE next := '{NULL}'; chance := '{1}';
            END CASE;
            u := random();
            pick := 1;
            WHILE pick < cardinality(next) AND u >= chance[pick] LOOP
                u := u - chance[pick];
                pick := pick + 1;
            END LOOP;
            event := next[pick];
            now_at := now_at + hours * (0.9 + 0.2 * random()) * interval '1 hour';
            INSERT INTO orders VALUES ('order ' || c, step, event, CASE WHEN event IS NOT NULL THEN now_at END, chance[pick],
                                       (SELECT max(x) FROM unnest(chance) x));
            EXIT WHEN event IS NULL;
            reminded := reminded OR event = 'remind';
            reviewed := reviewed OR event = 'review';
        END LOOP;
    END LOOP;
END $$;
SELECT make_orders(2400);
ALTER TABLE orders ADD COLUMN test boolean;
UPDATE orders SET test = substr(id, 7)::int > 1600;

SELECT no_plan();

-- ---- training ----

SELECT row_eq($$SELECT model, version, algorithm, task, features, metric FROM wfml.train_sequence('orders',
    'SELECT id, event, ts FROM orders WHERE NOT test AND event IS NOT NULL', 'id', 'event', 'ts')$$,
    ROW('orders'::text, 1, 'sequence'::text, 'sequence'::text, 3, 'accuracy'::text), 'a summary as of other trainings');
SELECT is((wfml.model_info('orders') ->> 'events')::int, 10, 'ten kinds of events');
SELECT is(wfml.model_info('orders') ->> 'timed', 'true', 'with times');
SELECT ok((SELECT abs(1 - sum(value::float8)) < 0.001 FROM jsonb_each_text(wfml.model_info('orders') -> 'weights')), 'the weights of its experts');
SELECT cmp_ok((SELECT count(*) FROM wfml.metrics('orders') WHERE metric IN ('accuracy', 'top3_accuracy', 'macro_f1', 'weighted_f1', 'log_loss', 'mae')),
              '=', 6::bigint, 'all measures are there');
SELECT cmp_ok((SELECT value FROM wfml.metrics('orders') WHERE metric = 'accuracy'), '>=',
              (SELECT baseline FROM wfml.metrics('orders') WHERE metric = 'accuracy') - 0.005, 'not below the order-1 model');
SELECT cmp_ok((SELECT count(*) FROM wfml.metrics('orders') WHERE metric LIKE 'log_loss:%'), '>=', 2::bigint, 'and those of single experts');

-- ---- against the truth, on cases that it has not seen ----

CREATE TABLE prefixes AS
    SELECT id, n, event, ts, lead(event) OVER w AS actual, lead(p) OVER w AS p, lead(best) OVER w AS best,
           lead(ts) OVER w - ts AS gap, array_agg(event) OVER w AS history, array_agg(ts) OVER w AS times
    FROM orders WHERE test WINDOW w AS (PARTITION BY id ORDER BY n);
DELETE FROM prefixes WHERE event IS NULL;
CREATE TABLE answers AS SELECT a.*, e.event AS said, e.is_end, e.probability, e.rank, e.source
    FROM prefixes a, LATERAL wfml.next_event('orders', history, 100, times) e;

SELECT avg(-ln(p)) AS entropy, avg(best) AS bayes FROM prefixes \gset
SELECT avg(-ln(probability)) AS loss FROM answers WHERE said IS NOT DISTINCT FROM actual \gset
SELECT avg((said IS NOT DISTINCT FROM actual)::int) AS hits FROM answers WHERE rank = 1 \gset
SELECT cmp_ok(:loss::numeric, '<=', :entropy::numeric + 0.03, 'log loss within 0.03 of the entropy of the process');
SELECT cmp_ok(:loss::numeric, '>=', :entropy::numeric - 0.03, 'which nothing can beat by much');
SELECT cmp_ok(:hits::numeric, '>=', :bayes::numeric - 0.01, 'accuracy within 0.01 of what knowing the process gives');

-- what happened four events ago
SELECT cmp_ok((SELECT probability FROM wfml.next_event('orders', '{order,remind,pay,review,pack,ship,return}', 100) WHERE event = 'refund'), '>', 0.8::float8,
              'after a review a return is refunded');
SELECT ok((SELECT probability BETWEEN 0.35 AND 0.65 FROM wfml.next_event('orders', '{order,pay,pack,ship,return}', 100) WHERE event = 'refund'), 'else half of them are');

-- when
SELECT ok(percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(extract(epoch FROM wfml.next_event_time('orders', history, times) - gap)))
          < 3 * 3600, 'the time to the next event is told to three hours, by the median')
FROM prefixes WHERE gap IS NOT NULL;
SELECT ok(wfml.next_event_time('orders', '{order,pay,pack}', ARRAY['2024-05-01 10:00', '2024-05-01 13:00', '2024-05-01 14:00']::timestamptz[])
          BETWEEN '20 hours' AND '28 hours', 'a parcel leaves the day after it was packed');

-- ---- the shape of an answer ----

SELECT is((SELECT max(abs(1 - s)) FROM (SELECT sum(probability) AS s FROM answers GROUP BY id, n) x) < 1e-9, true, 'probabilities sum to 1');
SELECT is((SELECT count(*) FROM (SELECT 1 FROM answers GROUP BY id, n HAVING count(*) <> 11 OR count(*) FILTER (WHERE is_end) <> 1) x), 0::bigint,
          'every event and the end, each once');
SELECT is((SELECT count(*) FROM answers WHERE is_end <> (said IS NULL)), 0::bigint, 'the end has no event');
SELECT is((SELECT count(*) FROM (SELECT probability <= lag(probability) OVER w AS falls, rank = 1 + lag(rank) OVER w AS next FROM answers
          WINDOW w AS (PARTITION BY id, n ORDER BY rank)) x WHERE NOT falls OR NOT next), 0::bigint, 'ranks follow probabilities');
SELECT is((SELECT count(*) FROM answers WHERE source NOT IN ('markov', 'lstm', 'boosting')), 0::bigint, 'with a source');
SELECT is((SELECT count(*) FROM wfml.next_event('orders', '{order}')), 3::bigint, 'three by default');
SELECT is((SELECT count(*) FROM wfml.next_event('orders', '{order}', n => NULL)), 3::bigint, 'also for NULL');
SELECT is((SELECT count(*) FROM wfml.next_event('orders', '{order}', 0)), 0::bigint, 'none of none');
SELECT is((SELECT count(*) FROM wfml.next_event('orders', '{order}', 2147483647)), 11::bigint, 'all of very many');
SELECT matches(error_of($$SELECT * FROM wfml.next_event('orders', '{order}', -1)$$), '^22023 .*negative', 'a negative number is an error');
SELECT results_eq($$SELECT event, probability FROM wfml.next_event('orders', '{order,pay}', 2)$$,
                  $$SELECT event, probability FROM wfml.next_event('orders', '{order,pay}', 100) LIMIT 2$$, 'the first ones of all');

-- ---- forms of a history ----

SELECT results_eq($$SELECT * FROM wfml.next_event('orders', ARRAY['order', 'remind'])$$, $$SELECT * FROM wfml.next_event('orders', '{order,remind}')$$, 'an array or its text');
SELECT results_eq($$SELECT * FROM wfml.next_event('orders', ARRAY['order', 'remind']::varchar[])$$, $$SELECT * FROM wfml.next_event('orders', '{order,remind}')$$, 'or of varchar');
SELECT results_eq($$SELECT * FROM wfml.next_event(model => 'orders', history => '{order}', times => NULL, n => 2)$$, $$SELECT * FROM wfml.next_event('orders', ARRAY['order'], 2)$$, 'arguments by name');
PREPARE ask AS SELECT event FROM wfml.next_event('orders', $1, 1);
SELECT results_eq($$EXECUTE ask('{order,pay}')$$, ARRAY['pack'], 'an untyped parameter');
PREPARE ask_when AS SELECT wfml.next_event_time('orders', $1), wfml.sequence_score('orders', $1);
SELECT is(error_of($$EXECUTE ask_when('{order,pay}')$$), 'none', 'also of the other functions');
SELECT results_eq($$SELECT * FROM wfml.next_event('orders', '{}')$$, $$SELECT * FROM wfml.next_event('orders', NULL)$$, 'no history, twice the same');
SELECT is((SELECT event FROM wfml.next_event('orders', NULL::text[], 1)), 'order', 'which has an answer');
SELECT is((SELECT event FROM wfml.next_event('orders', ARRAY[]::bigint[], 1)), 'order', 'of any type');
SELECT is((SELECT source FROM wfml.next_event('orders', '{}', 1)), 'markov', 'and its source');
SELECT is((SELECT sum(probability) FROM wfml.next_event('orders', '{never,seen}', 100)) - 1 < 1e-9, true, 'events that it never saw');
SELECT is((SELECT source FROM wfml.next_event('orders', '{order,never}', 1)), 'markov', 'are answered by the Markov model');
SELECT results_eq($$SELECT * FROM wfml.next_event('orders', '{order,NULL,pay}')$$, $$SELECT * FROM wfml.next_event('orders', '{order,never,pay}')$$, 'and so is NULL');
SELECT is((SELECT count(*) FROM wfml.next_event('orders', (SELECT array_agg('remind'::text) FROM generate_series(1, 5000)))), 3::bigint, 'a history longer than any');
SELECT matches(error_of($$SELECT * FROM wfml.next_event('orders', 'order')$$), '^22P02 ', 'a text that is no array');
SELECT matches(error_of($$SELECT * FROM wfml.next_event(NULL, '{order}')$$), '^22004 ', 'no model');

CREATE TABLE steps AS SELECT c, e, (c * e * e) % 7 AS step, ('00000000-0000-0000-0000-00000000000' || (c * e * e) % 7)::uuid AS id,
       CASE (c * e * e) % 7 WHEN 0 THEN 'odd' ELSE 'even' END AS word FROM generate_series(1, 40) c, generate_series(1, 6) e;
SELECT is(rows, 240::bigint) FROM wfml.train_sequence('steps', 'steps', 'c', 'step', 'e');
SELECT results_eq($$SELECT * FROM wfml.next_event('steps', ARRAY[1, 4])$$, $$SELECT * FROM wfml.next_event('steps', '{1,4}')$$, 'whole numbers');
SELECT results_eq($$SELECT * FROM wfml.next_event('steps', ARRAY[1, 4]::smallint[])$$, $$SELECT * FROM wfml.next_event('steps', ARRAY['1', '4'])$$, 'of any width');
SELECT results_eq($$SELECT wfml.next_event_agg('steps', x, NULL ORDER BY x) FROM unnest(ARRAY[1, 4]) x$$,
                  $$SELECT wfml.next_event_agg('steps', x::text, NULL ORDER BY x) FROM unnest(ARRAY[1, 4]) x$$, 'also in the aggregate');
SELECT is(wfml.sequence_score('steps', ARRAY[1, 4]), wfml.sequence_score('steps', '{1,4}'), 'and of a score');
SELECT is(wfml.next_event_time('steps', ARRAY[1, 4], ARRAY[now(), now()]), NULL, 'where times are numbers there is no time to tell');
SELECT is(rows, 240::bigint) FROM wfml.train_sequence('ids', 'steps', 'c', 'id', 'e', '{"validation": "none"}');
SELECT results_eq($$SELECT * FROM wfml.next_event('ids', ARRAY['00000000-0000-0000-0000-000000000001']::uuid[])$$,
                  $$SELECT * FROM wfml.next_event('ids', ARRAY['00000000-0000-0000-0000-000000000001'])$$, 'uuids');

-- ---- times ----

SELECT matches(error_of($$SELECT * FROM wfml.next_event('orders', '{order,pay}', times => ARRAY[now()])$$), '^22023 "times" has length 1, but "history" has length 2', 'a time for each event');
SELECT matches(hint_of($$SELECT * FROM wfml.next_event('orders', '{order,pay}', times => ARRAY[now()])$$), 'null where it is not known', 'or null');
SELECT matches(error_of($$SELECT wfml.next_event_time('orders', '{order,pay}', ARRAY[]::timestamptz[])$$), '^22023 ', 'none is not one for each');
SELECT results_eq($$SELECT * FROM wfml.next_event('orders', '{order,pay}', times => '{NULL,NULL}')$$, $$SELECT * FROM wfml.next_event('orders', '{order,pay}')$$, 'times that are not known');
SELECT results_eq($$SELECT * FROM wfml.next_event('orders', '{order,pay}', times => '{infinity,-infinity}')$$, $$SELECT * FROM wfml.next_event('orders', '{order,pay}')$$, 'or infinite');
SELECT is((SELECT count(*) FROM wfml.next_event('orders', '{order,pay}', times => '{2024-05-02,2024-05-01}')), 3::bigint, 'times that fall');
SELECT is((SELECT count(*) FROM wfml.next_event('orders', '{order,pay}', times => '{4713-01-01 BC,294276-12-31}')), 3::bigint, 'the ends of time');
SELECT is(wfml.next_event_time('orders', '{}', NULL), NULL, 'no time without an event');
SELECT is(wfml.next_event_time('orders', NULL, NULL), NULL, 'nor for NULL');
SELECT isnt(wfml.next_event_time('orders', '{order}'), NULL, 'but without times');
-- the clock is that of the model's zone
SELECT wfml.next_event_time('orders', '{order}', '{2024-05-01 10:00+00}') AS here \gset
SET LOCAL timezone = 'Asia/Tokyo';
SELECT is(wfml.next_event_time('orders', '{order}', '{2024-05-01 10:00+00}'), :'here', 'wherever one asks from');
SET LOCAL timezone = 'Europe/Berlin';

-- ---- how likely a case is ----

SELECT is(wfml.sequence_score('orders', '{}'), NULL, 'no score of nothing');
SELECT is(wfml.sequence_score('orders', NULL), NULL, 'nor of NULL');
SELECT ok(abs(wfml.sequence_score('orders', '{order,remind,pay}') -
    (SELECT avg(ln(probability)) FROM (VALUES ('{}'::text[], 'order'), ('{order}', 'remind'), ('{order,remind}', 'pay')) v(h, e),
     LATERAL wfml.next_event('orders', h, 100) x WHERE x.event = v.e)) < 1e-9, 'the mean of the logarithms');
SELECT cmp_ok(wfml.sequence_score('orders', '{order,pay,pack,ship}'), '>', wfml.sequence_score('orders', '{ship,pack,pay,order}'), 'backwards is odd');
SELECT cmp_ok(wfml.sequence_score('orders', '{order,never}'), '<', wfml.sequence_score('orders', '{order,remind}'), 'what never was is odder than what is rare');
SELECT ok(wfml.sequence_score('orders', '{never}') >= -50, 'but not endlessly');
SELECT is((SELECT count(*) FROM prefixes WHERE wfml.sequence_score('orders', history, times) > 0), 0::bigint, 'never above 0');

-- ---- the aggregate ----

CREATE TABLE running AS SELECT id, n, (wfml.next_event_agg('orders', event, ts) OVER (PARTITION BY id ORDER BY n)).* FROM orders WHERE test AND event IS NOT NULL;
SELECT is((SELECT count(*) FROM running r JOIN answers a ON a.id = r.id AND a.n = r.n AND a.rank = 1
           WHERE (r.event, r.is_end) IS DISTINCT FROM (a.said, a.is_end) OR abs(r.probability - a.probability) > 1e-12), 0::bigint,
          'as a window function it says after each event what next_event() does');
SELECT results_eq($$SELECT id, (x).event, (x).is_end FROM (SELECT id, wfml.next_event_agg('orders', event, ts ORDER BY n) AS x FROM orders WHERE test AND event IS NOT NULL GROUP BY id) s ORDER BY id$$,
                  $$SELECT DISTINCT ON (id) id, event, is_end FROM running ORDER BY id, n DESC$$, 'as an aggregate for each case');
SELECT results_eq($$SELECT (wfml.next_event_agg('orders', event, ts ORDER BY n)).* FROM prefixes WHERE id = 'order 2000'$$,
                  $$SELECT event, is_end, probability FROM running WHERE id = 'order 2000' ORDER BY n DESC LIMIT 1$$, 'taken apart');
SELECT is(wfml.next_event_agg('orders', event, ts ORDER BY n), NULL, 'nothing of no rows') FROM orders WHERE n < 0;
SELECT is((wfml.next_event_agg('orders', NULL, NULL)).event, 'order', 'rows without an event are none') FROM generate_series(1, 3);
SELECT results_eq($$SELECT (wfml.next_event_agg('orders', event, ts ORDER BY n)).* FROM orders WHERE id = 'order 2000'$$,
                  $$SELECT (wfml.next_event_agg('orders', event, ts ORDER BY n)).* FROM orders WHERE id = 'order 2000' AND event IS NOT NULL$$, 'so they change nothing');
SELECT matches(error_of($$SELECT wfml.next_event_agg(m, event, ts ORDER BY n) FROM orders, (VALUES ('orders'), ('steps')) v(m) WHERE id = 'order 2000'$$), '^22023 .*another model', 'one model for a case');
SELECT is(error_of($$SELECT id, m, wfml.next_event_agg(m, event, ts ORDER BY n) FROM orders, (VALUES ('orders'), ('steps')) v(m) WHERE test GROUP BY id, m$$), 'none', 'others for other cases');
SELECT matches(error_of($$SELECT wfml.next_event_agg(NULL, event, ts) FROM orders$$), '^22004 ', 'and not none');
-- a hash over groups whose rows come mixed
SET LOCAL enable_sort = off;
SELECT is((SELECT count(*) FROM (SELECT id, wfml.next_event_agg('orders', event, NULL) FROM (SELECT * FROM orders WHERE event IS NOT NULL ORDER BY n, id) o GROUP BY id) s), 2400::bigint, 'groups side by side');
RESET enable_sort;

-- ---- places that a call can stand in ----

CREATE FUNCTION twice() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    answer interval;
BEGIN
    FOR i IN 1..2 LOOP
        answer := wfml.next_event_time('changing', ARRAY['a']);
        RETURN NEXT answer;
        PERFORM wfml.train_sequence('changing', format($q$SELECT c, e, '2024-01-01'::timestamp + n * interval '%s hours' AS ts
            FROM generate_series(1, 30) c, unnest('{a,b,c,d}'::text[]) WITH ORDINALITY u(e, n)$q$, 5 * i), 'c', 'e', 'ts', '{"validation": "none"}');
    END LOOP;
    RETURN NEXT wfml.next_event_time('changing', ARRAY['a']);
END $$;
SELECT is(rows, 20::bigint) FROM wfml.train_sequence('changing', $q$SELECT c, e, '2024-01-01'::timestamp + n * interval '1 hour' AS ts
    FROM generate_series(1, 10) c, unnest('{a,b}'::text[]) WITH ORDINALITY u(e, n)$q$, 'c', 'e', 'ts', '{"validation": "none"}');
SELECT results_eq('SELECT count(DISTINCT t) FROM twice() t', ARRAY[3::bigint], 'a call site follows the model');
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SELECT is((SELECT sum(wfml.sequence_score('orders', history, times)) FROM prefixes)::numeric(12, 6),
          (SELECT sum(s) FROM (SELECT wfml.sequence_score('orders', history, times) AS s FROM prefixes OFFSET 0) x)::numeric(12, 6), 'in parallel workers');
RESET max_parallel_workers_per_gather;
CREATE VIEW likely AS SELECT p.id, p.n, e.event FROM prefixes p, LATERAL wfml.next_event('orders', p.history, 1, p.times) e;
SELECT is((SELECT count(*) FROM likely WHERE id = 'order 2000'), (SELECT count(*) FROM prefixes WHERE id = 'order 2000'), 'in a view');

-- ---- ties, gaps in the data ----

-- at one time: by the tie column, numbers as numbers
CREATE TABLE ties AS SELECT c, e AS place, CASE WHEN e = 10 THEN 'z' WHEN e = 9 THEN 'm' ELSE 'a' END AS event, '2024-01-01'::timestamp AS ts FROM generate_series(1, 60) c, generate_series(1, 10) e;
SELECT is(rows, 600::bigint) FROM wfml.train_sequence('ties', 'ties', 'c', 'event', 'ts', '{"tie_column": "place", "validation": "none"}');
SELECT is((SELECT event FROM wfml.next_event('ties', '{a,a,a,a,a,a,a,a,m}', 1)), 'z', 'ties are numbers: ten comes after nine');
SELECT is(rows, 600::bigint) FROM wfml.train_sequence('ties', 'SELECT c, (-place)::text AS place, event, ts FROM ties', 'c', 'event', 'ts', '{"tie_column": "place", "validation": "none"}');
SELECT is((SELECT event FROM wfml.next_event('ties', '{a}', 1)), 'z', 'or text: -10 after -1');
SELECT is(rows, 600::bigint) FROM wfml.train_sequence('ties', 'SELECT c, ''2000-01-01''::date + place AS place, event, ts FROM ties', 'c', 'event', 'ts', '{"tie_column": "place", "validation": "none"}');
SELECT is((SELECT event FROM wfml.next_event('ties', '{a,a,a,a,a,a,a,a,m}', 1)), 'z', 'or times');

-- ---- what it says to misuse ----

SELECT matches(error_of($$SELECT wfml.train_sequence('x', 'orders', 'id', 'event', 'none')$$), '^42703 time column "none" does not exist', 'no such column');
SELECT matches(error_of($$SELECT wfml.train_sequence('x', 'orders', 'a', 'b', 'c')$$), '^42703 .*"a".*"b".*"c"', 'all of them at once');
SELECT matches(error_of($$SELECT wfml.train_sequence('x', 'orders', 'id', 'event', 'ts', '{"tie_column": "none"}')$$), '^42703 .*"none"', 'the tie too');
SELECT matches(error_of($$SELECT wfml.train_sequence('x', 'SELECT id, event, event AS event, ts FROM orders', 'id', 'event', 'ts')$$), '^42702 ', 'a name twice');
SELECT matches(error_of($$SELECT wfml.train_sequence('x', 'orders', 'id', 'event', 'event')$$), '^42804 .*type text', 'a time that is none');
SELECT matches(error_of($$SELECT wfml.train_sequence('x', 'orders', 'id', 'event', 'test')$$), '^42804 ', 'nor is a boolean');
SELECT matches(error_of($$SELECT wfml.train_sequence('x', 'orders', NULL, 'event', 'ts')$$), '^22004 ', 'NULL for a column');
SELECT matches(error_of($$SELECT wfml.train_sequence('x', 'SELECT * FROM orders WHERE false', 'id', 'event', 'ts')$$), '^P0002 ', 'no rows');
SELECT matches(error_of($$SELECT wfml.train_sequence('x', 'SELECT id, NULL::text AS event, ts FROM orders', 'id', 'event', 'ts')$$), '^22000 none of ', 'no usable row');
SELECT matches(error_of($$SELECT wfml.train_sequence('x', 'orders', 'id', 'event', 'ts', '{"hiden": 3}')$$), '^22023 .*hiden', 'an unknown parameter');
SELECT matches(error_of($$SELECT wfml.train_sequence('no good', 'orders', 'id', 'event', 'ts')$$), '^22023 ', 'a bad name');
SELECT matches(error_of($$SELECT wfml.train_sequence('x', 'DELETE FROM orders RETURNING *', 'id', 'event', 'ts')$$), '^25006 ', 'a source that writes');
SELECT matches(error_of($$SELECT wfml.train('x', 'sequence', 'orders', 'event')$$), '^22023 |^0A000 |^WF002 ', 'train() is for tables');
SELECT matches(hint_of($$SELECT wfml.train('x', 'sequence', 'orders', 'event')$$), 'train_sequence', 'and says what to use');
SELECT matches(error_of($$SELECT wfml.predict('orders', '{}')$$), '^WF002 ', 'predict() is not for sequences');
SELECT matches(hint_of($$SELECT wfml.predict('orders', '{}')$$), 'next_event', 'and says what is');
SELECT is(rows, 40::bigint) FROM wfml.train('table', 'linear', 'SELECT c AS x, c * 2 AS y FROM generate_series(1, 40) c', 'y', '{"validation": "none"}');
SELECT matches(error_of($$SELECT * FROM wfml.next_event('table', '{a}')$$), '^WF002 ', 'nor next_event() for tables');
SELECT matches(error_of($$SELECT wfml.next_event_time('table', '{a}')$$), '^WF002 ', 'nor this');
SELECT matches(error_of($$SELECT wfml.sequence_score('table', '{a}')$$), '^WF002 ', 'nor this');
SELECT matches(error_of($$SELECT wfml.next_event_agg('table', 'a', NULL)$$), '^WF002 ', 'nor this');
SELECT matches(error_of($$SELECT * FROM wfml.next_event('ordres', '{a}')$$), '^WF001 ', 'a model that is not there');
SELECT matches(hint_of($$SELECT * FROM wfml.next_event('ordres', '{a}')$$), 'orders', 'and the closest');

-- one call site, from model to model over an error and back
CREATE FUNCTION hop() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    name text;
    answer text;
BEGIN
    FOREACH name IN ARRAY '{orders,table,changing,nothing,orders,steps,orders}'::text[] LOOP
        BEGIN
            answer := wfml.sequence_score(name, ARRAY['order', 'a', 'pay', '1']);
        EXCEPTION WHEN others THEN
            answer := SQLSTATE;
        END;
        RETURN NEXT answer;
    END LOOP;
END $$;
SELECT results_eq('SELECT * FROM hop()', $$SELECT unnest(ARRAY[o, 'WF002', c, 'WF001', o, s, o]) FROM (SELECT
    wfml.sequence_score('orders', ARRAY['order', 'a', 'pay', '1'])::text AS o, wfml.sequence_score('changing', ARRAY['order', 'a', 'pay', '1'])::text AS c,
    wfml.sequence_score('steps', ARRAY['order', 'a', 'pay', '1'])::text AS s) x$$, 'a call site that changes its model');

-- ---- the rest of the house ----

SELECT is((SELECT algorithm || ' ' || task || ' ' || metric FROM wfml.models WHERE name = 'orders'), 'sequence sequence accuracy', 'a line among the models');
SELECT is((SELECT arguments ->> 'time_column' FROM wfml.ml_model WHERE name = 'ids'), 'e', 'what it was trained with is kept');
SELECT is((SELECT count(*) FROM wfml.parameters WHERE algorithm = 'sequence' AND parameter = 'tie_column'), 1::bigint, 'parameters are documented');
SELECT is((SELECT count(*) FROM wfml.verify('orders')), 1::bigint, 'verified');
SELECT is(wfml.import_model('copy', wfml.export_model('orders')) IS NOT NULL, true, 'out and in again');
SELECT results_eq($$SELECT * FROM wfml.next_event('copy', '{order,pay}')$$, $$SELECT * FROM wfml.next_event('orders', '{order,pay}')$$, 'it says the same');
SELECT is(wfml.rename_model('copy', 'copied') IS NOT NULL, true, 'renamed');
SELECT is((SELECT count(*) FROM wfml.next_event('copied@1', '{order}')), 3::bigint, 'a version by its number');
SELECT wfml.drop_model('copied');
SELECT matches(error_of($$SELECT * FROM wfml.next_event('copied', '{order}')$$), '^WF001 ', 'dropped');
CREATE ROLE wfml_sequence_stranger;
SET LOCAL ROLE wfml_sequence_stranger;
SELECT matches(error_of($$SELECT * FROM wfml.next_event('orders', '{order}')$$), '^(42501|WF001) ', 'a stranger may not');
SELECT matches(error_of($$SELECT wfml.next_event_agg('orders', 'order', NULL)$$), '^(42501|WF001) ', 'nor by the aggregate');
SELECT matches(error_of($$SELECT wfml.train_sequence('mine', 'public.orders', 'id', 'event', 'ts')$$), '^42501 ', 'nor read what is not his');
SELECT matches(error_of($$SELECT wfml.train_sequence('orders', 'SELECT 1 AS c, 2 AS e, 3 AS t', 'c', 'e', 't')$$), '^42501 ', 'nor replace a model');
RESET ROLE;
SELECT wfml.grant_model('orders', 'wfml_sequence_stranger');
SET LOCAL ROLE wfml_sequence_stranger;
SELECT is((SELECT count(*) FROM wfml.next_event('orders', '{order}')), 3::bigint, 'but with a grant');
RESET ROLE;
SET LOCAL transaction_read_only = on;
SELECT is((SELECT count(*) FROM wfml.next_event('orders', '{order}')), 3::bigint, 'prediction in a read-only transaction');
SELECT matches(error_of($$SELECT wfml.train_sequence('x', 'orders', 'id', 'event', 'ts')$$), '^25006 .*train_sequence', 'but no training');

SELECT * FROM finish();
ROLLBACK;
