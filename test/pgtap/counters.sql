-- Counts of all sessions: what is rolled back was still done, workers count
-- too, and more versions than there are slots lose no total.

\set QUIET 1
SET client_min_messages = warning;
CREATE FUNCTION counted(what text, version bigint DEFAULT NULL) RETURNS numeric LANGUAGE sql AS $$
    SELECT coalesce(sum(value), 0) FROM wfml.counter_rows() WHERE counter = what AND (version IS NULL OR model_id = version) $$;
CREATE TABLE counts AS SELECT i AS id, i % 10 AS x, 2.0 * i AS y FROM generate_series(1, 20000) i;
ANALYZE counts;
SELECT plan(8);

SELECT wfml.train('counted', 'linear', 'SELECT x, y FROM counts LIMIT 100', 'y', '{"validation": "none"}') \g /dev/null
SELECT wfml.version_id('counted') AS id, counted('predictions') AS before \gset
SELECT is(counted('predictions', :id), 0::numeric, 'nothing yet');
SELECT sum(wfml.predict('counted', c)) FROM counts c WHERE id <= 70 \g /dev/null
SELECT is(counted('predictions', :id), 70::numeric, 'rows of a query');
BEGIN;
SELECT sum(wfml.predict('counted', c)) FROM counts c WHERE id <= 30 \g /dev/null
ROLLBACK;
SELECT is(counted('predictions', :id), 100::numeric, 'also of one that is rolled back');

SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT sum(wfml.predict('counted', c)) FROM counts c \g /dev/null
RESET ALL;
SET client_min_messages = warning;
SELECT is(counted('predictions', :id), 20100::numeric, 'and what parallel workers did');
SELECT is(counted('predictions') - :before, 20100::numeric, 'the total agrees');

-- More versions than slots.
SELECT count(wfml.train('counted' || i, 'linear', 'SELECT x, y FROM counts LIMIT 20', 'y', '{"validation": "none"}')) FROM generate_series(1, 230) i \g /dev/null
SELECT sum(wfml.predict('counted' || i, '{"x": 1}')) FROM generate_series(1, 230) i, generate_series(1, 3) \g /dev/null
SELECT is(counted('predictions') - :before, 20790::numeric, 'totals stay when versions are folded');
SELECT ok(count(DISTINCT model_id) <= 200, 'there are only so many slots') FROM wfml.counter_rows();
SELECT ok(counted('predictions', 0) > 0, 'version 0 has what was folded');

SELECT * FROM finish();
SELECT wfml.drop_model(name) FROM wfml.models WHERE name ~ '^counted' \g /dev/null
DROP TABLE counts;
DROP FUNCTION counted;
