-- Isolation forests on real data, of every shape, and by whom they may be
-- used.  Reference: scikit-learn 1.9, IsolationForest(n_estimators=100,
-- max_samples=256), random_state 0 to 4, fitted to and scored on the same
-- rows without the label; mean ROC AUC.  For FlowBench each number is first
-- scaled by median and IQR of its task (NULL as 0).

\set QUIET 1
SET client_min_messages = warning;
BEGIN;
\i test/data/load.sql

-- Mean AUC over five seeds.
CREATE FUNCTION mean_auc(source text, names text[], params jsonb DEFAULT '{}') RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    total float8 := 0;
    one float8;
BEGIN
    FOR seed IN 0..4 LOOP
        PERFORM 1 FROM wfml.train('t', 'isolation_forest', source, params => params || jsonb_build_object('seed', seed),
                                  features => names);
        SELECT value INTO one FROM wfml.evaluate('t', source, 'is_anomaly') WHERE metric = 'auc';
        total := total + one;
    END LOOP;
    RETURN total / 5;
END $$;

CREATE FUNCTION at_least(value float8, bound float8, what text) RETURNS text LANGUAGE sql AS $$
    SELECT cmp_ok(round(value::numeric, 4), '>=', bound::numeric, what) $$;

CREATE FUNCTION flowbench_features() RETURNS text[] IMMUTABLE LANGUAGE sql AS $$
    SELECT '{wms_delay,queue_delay,runtime,post_script_delay,stage_in_delay,stage_in_bytes,stage_out_delay,stage_out_bytes,
             cpu_time,iowait,bytes_read,bytes_written,read_system_calls,write_system_calls,utime,stime}'::text[] $$;

SELECT plan(33);

SELECT at_least(mean_auc('data.mammography', '{f1,f2,f3,f4,f5,f6}'), 0.864, 'mammography (reference 0.874)');
SELECT at_least(mean_auc('data.pima', '{f1,f2,f3,f4,f5,f6,f7,f8}'), 0.660, 'pima (reference 0.670)');
SELECT at_least(mean_auc('data.flowbench', flowbench_features(), '{"scale_by": "task"}'), 0.826,
                'FlowBench, scaled by task (reference 0.833)');
SELECT at_least(mean_auc(format('SELECT task, is_anomaly, %s FROM data.flowbench',
                                (SELECT string_agg(format('coalesce(%1$I, 0) AS %1$I', name), ', ') FROM unnest(flowbench_features()) name)),
                         flowbench_features(), '{"scale_by": "task"}'), 0.822, 'FlowBench, NULL as 0 (reference 0.833)');

-- ---- the same model however rows come ----

SELECT wfml.train('a', 'isolation_forest', 'SELECT * FROM data.flowbench ORDER BY runtime, job, run_id', features => flowbench_features(),
                  params => '{"scale_by": "task"}') IS NOT NULL AS trained \gset
SELECT wfml.train('b', 'isolation_forest', 'SELECT * FROM data.flowbench ORDER BY utime DESC, job DESC, run_id', features => flowbench_features(),
                  params => '{"scale_by": "task"}') IS NOT NULL AS trained \gset
SELECT ok((SELECT count(DISTINCT artifact_sha256) = 1 FROM wfml.ml_model WHERE name IN ('a', 'b')), 'any order of rows');
SELECT ok((SELECT bool_and(wfml.anomaly_score('a', f.*) = wfml.anomaly_score('a', to_jsonb(f))) FROM data.flowbench f WHERE run_id % 50 = 0),
          'rows and JSON agree');
SELECT ok((SELECT bool_and(abs(s.total - s.score) < 1e-9) FROM (
              SELECT wfml.anomaly_score('a', f.*) AS score,
                     (SELECT sum(contribution) FROM wfml.explain_anomaly('a', f.*)) AS total
              FROM data.flowbench f WHERE run_id % 100 = 0) s), 'contributions sum to the score');
SELECT ok((SELECT abs(avg(wfml.anomaly_score('a', f.*)) - (SELECT value FROM wfml.metrics('a') WHERE metric = 'mean_score')) < 1e-9
           FROM data.flowbench f), 'the stored mean is the mean');
SELECT ok((SELECT abs(avg(wfml.is_anomaly('a', f.*)::int) - (SELECT value FROM wfml.metrics('a') WHERE metric = 'flagged')) < 1e-9
           FROM data.flowbench f), 'the stored share flagged is the share flagged');
SELECT ok((SELECT bool_and(abs(b.value - wfml.anomaly_score('a', f.*)) = 0) FROM wfml.predict_batch('a',
           'SELECT *, ctid::text AS here FROM data.flowbench', 'here') b JOIN data.flowbench f ON f.ctid = b.key::tid), 'batches give the same');
SELECT ok(wfml.verify('a'), 'verified');
SELECT ok(wfml.import_model('c', wfml.export_model('a')) IS NOT NULL, 'exported and imported');
SELECT ok((SELECT bool_and(wfml.anomaly_score('a', f.*) = wfml.anomaly_score('c', f.*)) FROM data.flowbench f WHERE run_id = 1), 'the copy scores alike');

-- ---- shapes ----

CREATE FUNCTION score_of(source text, input jsonb, params jsonb DEFAULT '{}', names text[] DEFAULT NULL) RETURNS float8 LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM wfml.train('s', 'isolation_forest', source, params => params, features => names);
    RETURN wfml.anomaly_score('s', input);
END $$;

-- By how much one row scores higher than another.
CREATE FUNCTION odder(source text, odd jsonb, usual jsonb, params jsonb DEFAULT '{}') RETURNS float8 LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM wfml.train('s', 'isolation_forest', source, params => params);
    RETURN wfml.anomaly_score('s', odd) - wfml.anomaly_score('s', usual);
END $$;

SELECT is(score_of('SELECT 1 AS x', '{"x": 1}', names => '{x}'), 0.5::float8, 'one row');
SELECT is(score_of('SELECT 7 AS x, ''a'' AS y FROM generate_series(1, 500)', '{"x": 7, "y": "a"}', names => '{x,y}'), 0.5::float8, 'all rows equal');
SELECT is(score_of('SELECT NULL::int AS x FROM generate_series(1, 50)', '{"x": null}', names => '{x}'), 0.5::float8, 'nothing but NULL');
SELECT throws_ok($$SELECT score_of('SELECT 1 AS x FROM generate_series(1, 9)', '{"x": 1}')$$, '22000', NULL, 'a constant is left out, and nothing is left');
SELECT throws_ok($$SELECT score_of('SELECT 1 AS x WHERE false', '{"x": 1}')$$, 'P0002', NULL, 'no rows');
SELECT cmp_ok(score_of('SELECT i::float8 AS x FROM generate_series(1, 1000) i', '{"x": "Infinity"}'), '>', 0.5::float8, 'infinity is odd');
SELECT ok(score_of($$SELECT CASE i % 4 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN '-Infinity' ELSE i::text END::float8 AS x
                     FROM generate_series(1, 400) i$$, '{"x": 3}') BETWEEN 0 AND 1, 'NaN and infinities in training');
SELECT cmp_ok(odder($$SELECT timestamp '2026-01-05' + i * interval '1 day' + CASE WHEN i % 60 = 0 THEN interval '3:17' ELSE (8 + i % 9) * interval '1 hour' END AS at
                      FROM generate_series(0, 300) i$$,
                    '{"at": "2026-01-06T03:17:00"}', '{"at": "2026-01-06T11:00:00"}'), '>', 0.02::float8, 'an odd hour');
SELECT cmp_ok(odder($$SELECT ARRAY['a', CASE WHEN i % 2 = 0 THEN 'b' ELSE 'c' END] AS tags, ARRAY[i % 10, i % 7]::float8[] AS v FROM generate_series(1, 300) i$$,
                    '{"tags": ["b", "c"], "v": [100, 2]}', '{"tags": ["a", "b"], "v": [1, 2]}'), '>', 0::float8, 'tags and arrays');
SELECT cmp_ok(odder($$SELECT CASE WHEN i % 50 = 0 THEN 'rare' ELSE 'usual' || i % 3 END AS c FROM generate_series(1, 1000) i$$,
                    '{"c": "rare"}', '{"c": "usual1"}'), '>', 0::float8, 'a rare category is odd');
SELECT cmp_ok(odder($$SELECT i % 1000 AS g, i % 13 + i % 1000 AS x FROM generate_series(1, 20000) i$$,
                    '{"g": 17, "x": 500}', '{"g": 494, "x": 500}', '{"scale_by": "g"}'), '>', 0::float8, 'a thousand groups');
SELECT is(odder($$SELECT i AS g, i % 13 AS x FROM generate_series(1, 2000) i$$,
                '{"g": 17, "x": 5}', '{"g": null, "x": 5}', '{"scale_by": "g"}'), 0::float8, 'groups of one row are scaled like all');
SELECT cmp_ok(odder($$SELECT date '2026-01-01' + i % 20 AS g, i % 13 + i % 20 * 100 AS x FROM generate_series(1, 2000) i$$,
                    '{"g": "2026-01-05", "x": 1905}', '{"g": "2026-01-20", "x": 1905}', '{"scale_by": "g"}'), '>', 0::float8, 'groups of dates');
SELECT ok(score_of('SELECT i AS x FROM generate_series(1, 10000) i', '{"x": 5000}', '{"sample_size": 8192, "trees": 3}') < 0.55, 'a large sample');
SELECT throws_ok($$SELECT score_of('SELECT 1 AS x', '{"x": 1}', '{"trees": 100000}', '{x}')$$, '22023', NULL, 'too many trees');

-- ---- rights ----

CREATE ROLE wfml_stranger;
CREATE FUNCTION as_stranger(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL ROLE wfml_stranger;
    BEGIN
        EXECUTE query;
    EXCEPTION WHEN others THEN
        RESET ROLE;
        RETURN SQLSTATE;
    END;
    RESET ROLE;
    RETURN 'allowed';
END $$;
SELECT is(as_stranger(format('SELECT wfml.%s(''a'', ''{}'')', f)), '42501', f || ' of a model that is not granted')
FROM unnest('{anomaly_score,is_anomaly,explain_anomaly}'::text[]) f;
SELECT wfml.grant_model('a', 'wfml_stranger') IS NULL AS granted \gset
SET LOCAL ROLE wfml_stranger;
SELECT wfml.is_anomaly('a', jsonb_object_agg(name, NULL) || '{"task": "x"}') AS odd
FROM unnest('{wms_delay,queue_delay,runtime,post_script_delay,stage_in_delay,stage_in_bytes,stage_out_delay,stage_out_bytes,cpu_time,iowait,bytes_read,bytes_written,read_system_calls,write_system_calls,utime,stime}'::text[]) name \gset
RESET ROLE;
SELECT is(:'odd'::text, 'f', 'a grantee may ask, and a row of which nothing is known is not odd');
SELECT throws_ok($$SELECT wfml.anomaly_score('nobody', '{}')$$, 'WF001', NULL, 'an unknown model');

SELECT * FROM finish();
ROLLBACK;
