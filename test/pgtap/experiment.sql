-- Splits of traffic: who goes where, what ends a split, who may, and how often
-- wfml.experiments sees what is there and what is not.

\set QUIET 1
SET client_min_messages = error;
BEGIN;
SELECT plan(58);
SELECT setseed(0.42);

CREATE TABLE shop AS
    SELECT i AS id, i % 20 AS x, i % 7 AS z, i % 20 >= 10 AS y, (ARRAY['a', 'b', 'c'])[1 + i % 3] AS k, i % 20 + i % 7 / 10.0 AS v
    FROM generate_series(1, 300) i;
CREATE FUNCTION pg_temp.make(name text, target text, versions int) RETURNS void LANGUAGE sql AS
    $$ SELECT wfml.train(name, 'linear', format('SELECT x, z, %I FROM shop', target), target) FROM generate_series(1, versions) $$;
SELECT pg_temp.make('two', 'y', 3), pg_temp.make('many', 'k', 2), pg_temp.make('number', 'v', 2) \g /dev/null

-- ---- what is accepted ----

PREPARE bad_share AS SELECT wfml.split_traffic('two', 1, 2, 1.01);
SELECT throws_ok('bad_share', '22023', NULL, 'a share above 1');
PREPARE nan_share AS SELECT wfml.split_traffic('two', 1, 2, 'NaN');
SELECT throws_ok('nan_share', '22023', NULL, 'a share that is no number');
PREPARE no_share AS SELECT wfml.split_traffic('two', 1, 2, NULL);
SELECT throws_ok('no_share', '22004', NULL, 'no share');
PREPARE bad_mode AS SELECT wfml.split_traffic('two', 1, 2, 0.5, 'mirror');
SELECT throws_ok('bad_mode', '22023', 'unknown mode "mirror"', 'an unknown mode');
PREPARE same AS SELECT wfml.split_traffic('two', 2, 2, 0.5);
SELECT throws_ok('same', '22023', NULL, 'one version twice');
PREPARE absent AS SELECT wfml.split_traffic('two', 1, 9, 0.5);
SELECT throws_ok('absent', 'WF001', 'model "two" has no version 9', 'a version that is not there');
PREPARE unknown AS SELECT wfml.split_traffic('towo', 1, 2, 0.5);
SELECT throws_ok('unknown', 'WF001', NULL, 'an unknown model');
SELECT wfml.retire('two', 2) \g /dev/null
PREPARE retired AS SELECT wfml.split_traffic('two', 1, 2, 0.5);
SELECT throws_ok('retired', '55000', 'version 2 of model "two" is retired', 'a retired version');
SELECT wfml.activate('two', 2) \g /dev/null
SELECT wfml.train('two', 'linear', 'SELECT x, z, v FROM shop', 'v', activate => false) \g /dev/null
PREPARE tasks AS SELECT wfml.split_traffic('two', 1, 4, 0.5);
SELECT throws_ok('tasks', 'WF002', NULL, 'versions that do different tasks');
SELECT wfml.activate('two', 2), wfml.drop_model('two', 4) \g /dev/null

-- ---- what ends a split ----

CREATE FUNCTION pg_temp.running(model text) RETURNS boolean LANGUAGE sql AS
    $$ SELECT until IS NULL FROM wfml.experiments e WHERE e.model = running.model $$;
SELECT is_empty('SELECT * FROM wfml.experiments', 'no split, no experiment');
SELECT is(wfml.end_split('two'), false, 'nothing to end');
SELECT wfml.split_traffic('two', 1, 2, 0.3) \g /dev/null
SELECT is(pg_temp.running('two'), true, 'split');
SELECT is(wfml.end_split('two'), true, 'ended');
SELECT is(pg_temp.running('two'), false, 'its result stays');
SELECT wfml.split_traffic('two', 1, 2, 0.3), wfml.activate('two', 2) \g /dev/null
SELECT is(pg_temp.running('two'), true, 'activating the active version changes nothing');
SELECT wfml.activate('two', 1) \g /dev/null
SELECT is(pg_temp.running('two'), false, 'activate() ends a split');
SELECT wfml.split_traffic('two', 1, 2, 0.3), wfml.rollback('two') \g /dev/null
SELECT is(pg_temp.running('two'), false, 'rollback() ends a split');
SELECT wfml.split_traffic('two', 2, 3, 0.3), wfml.drop_model('two', 1) \g /dev/null
SELECT is(pg_temp.running('two'), true, 'dropping another version does not end it');
SELECT wfml.retire('two', 3) \g /dev/null
SELECT is(pg_temp.running('two'), false, 'retiring one of its versions does');
SELECT wfml.activate('two', 3), wfml.activate('two', 2), wfml.split_traffic('two', 2, 3, 0.3), wfml.drop_model('two', 3) \g /dev/null
SELECT is(verdict, 'version 3 was dropped: there is nothing to compare with', 'and experiments say so') FROM wfml.experiments WHERE model = 'two';
SELECT is(pg_temp.running('two'), false, 'dropping one of its versions does');
SELECT is(n_a::text || n_b, '00', 'an experiment whose version was dropped is still a line') FROM wfml.experiments WHERE model = 'two';
SELECT wfml.split_traffic('many', 1, 2, 0.3), wfml.train('many', 'linear', 'SELECT x, z, k FROM shop', 'k', activate => false) \g /dev/null
SELECT is(pg_temp.running('many'), true, 'training without activation does not end it');
SELECT wfml.train('many', 'linear', 'SELECT x, z, k FROM shop', 'k') \g /dev/null
SELECT is(pg_temp.running('many'), false, 'training with activation does');
SELECT wfml.rename_model('many', 'several') \g /dev/null
SELECT is((SELECT count(*)::int FROM wfml.experiments WHERE model = 'several'), 1, 'an experiment follows its model''s name');

-- ---- who goes where ----

SELECT pg_temp.make('ab', 'y', 3) \g /dev/null
SELECT wfml.activate('ab', 1) \g /dev/null
CREATE TABLE asked (share float8, entity text, version int, value float8);
CREATE FUNCTION pg_temp.ask(a int, b int, share float8, n int, mode text DEFAULT 'route') RETURNS void LANGUAGE sql AS $$
    SELECT wfml.split_traffic('ab', a, b, share, mode);
    INSERT INTO asked SELECT share, 'e' || i, p.model_version, p.value
        FROM generate_series(1, n) i, LATERAL wfml.log_predict('ab', jsonb_build_object('x', i % 20, 'z', i % 7), 'e' || i) p;
$$;
SELECT pg_temp.ask(1, 2, s, 2000) FROM unnest('{0, 0.1, 0.3, 0.5, 1}'::float8[]) s \g /dev/null
SELECT cmp_ok(abs(avg((version = 2)::int) - share), '<', CASE WHEN share IN (0, 1) THEN 1e-9 ELSE 0.045 END::float8, 'share ' || share)
    FROM asked GROUP BY share ORDER BY share;
SELECT is_empty($$ SELECT FROM asked x JOIN asked y USING (entity) WHERE x.share < y.share AND x.version = 2 AND y.version = 1 $$,
    'a larger share moves entities from a to b only');
CREATE TABLE first AS SELECT * FROM asked WHERE share = 0.5;
TRUNCATE asked;
SELECT pg_temp.ask(1, 2, 0.5, 2000) \g /dev/null
SELECT set_eq('SELECT entity, version FROM asked', 'SELECT entity, version FROM first', 'an entity stays with its version');
TRUNCATE asked;
SELECT pg_temp.ask(1, 3, 0.5, 2000) \g /dev/null
SELECT cmp_ok(abs(corr(x.version, y.version)), '<', 0.08::float8, 'another experiment draws anew') FROM asked x JOIN first y USING (entity);
-- The same on every machine and in every release: a split outlives both.
UPDATE wfml.registry SET traffic = '{"a": 1, "b": 2, "share": 0.5, "mode": "route", "salt": 12345}' WHERE name = 'ab';
SELECT is(string_agg(p.model_version::text, '' ORDER BY i), '1111112212221222122122211212112122211221', 'who goes where, written down')
    FROM generate_series(1, 40) i, LATERAL wfml.log_predict('ab', jsonb_build_object('x', i % 20, 'z', i % 7), 'customer ' || i) p;
DELETE FROM wfml.prediction;
TRUNCATE asked;
SELECT pg_temp.ask(1, 2, 0.4, 1000, 'shadow') \g /dev/null
SELECT is((SELECT array_agg(DISTINCT version) FROM asked), '{1}', 'in shadow mode version a answers');
SELECT is(count(*) FILTER (WHERE NOT shadow AND version = 1), 1000::bigint, 'all its answers are logged') FROM wfml.prediction;
SELECT cmp_ok(abs(count(*) FILTER (WHERE shadow AND version = 2) - 400), '<', 60::bigint, 'and version b''s for the share') FROM wfml.prediction;
UPDATE wfml.prediction SET actual = (abs(hashint4(substr(entity, 2)::int)) % 2 = 0)::text;
SELECT is(e.n_a, (SELECT count(*) FROM wfml.prediction WHERE shadow), 'each is a pair') FROM wfml.experiments e WHERE model = 'ab';
SELECT is(e.score_b - e.score_a, e.difference, 'scores of pairs') FROM wfml.experiments e WHERE model = 'ab';
SELECT pg_temp.ask(1, 2, 0.5, 1) \g /dev/null
SELECT is(e.n_a + e.n_b, 0::bigint, 'a new split begins from nothing') FROM wfml.experiments e WHERE model = 'ab';

-- ---- who may ----

CREATE ROLE split_owner;
CREATE ROLE split_user;
CREATE ROLE split_stranger;
SELECT pg_temp.make('mine', 'v', 2) \g /dev/null
SELECT wfml.reassign_models(current_user, 'split_owner'), wfml.grant_model('mine', 'split_user') \g /dev/null
SET ROLE split_owner;
SELECT lives_ok($$ SELECT wfml.split_traffic('mine', 1, 2, 0.5) $$, 'an owner splits');
SET ROLE split_user;
SELECT throws_ok($$ SELECT wfml.split_traffic('mine', 1, 2, 0.5) $$, '42501', NULL, 'a grantee does not');
SELECT throws_ok($$ SELECT wfml.end_split('mine') $$, '42501', NULL, 'nor ends it');
SELECT is(array_agg(model), '{mine}', 'but sees it') FROM wfml.experiments;
SET ROLE split_stranger;
SELECT throws_ok($$ SELECT wfml.split_traffic('mine', 1, 2, 0.5) $$, '42501', NULL, 'nor does a stranger');
SELECT is_empty('SELECT * FROM wfml.experiments', 'who sees nothing');
RESET ROLE;

-- ---- statistics: 250 experiments of each kind ----

CREATE TABLE kind (kind text, template text, mode text, per int, n int, effect float8);
INSERT INTO kind VALUES
    ('accuracy, route', 'several', 'route', 1, 100, 0), ('brier, route', 'ab', 'route', 1, 100, 0),
    ('mae of three each, route', 'number', 'route', 3, 80, 0), ('accuracy, shadow', 'several', 'shadow', 1, 100, 0),
    ('mae, shadow', 'number', 'shadow', 1, 100, 0),
    ('accuracy, route', 'several', 'route', 1, 100, 1), ('brier, route', 'ab', 'route', 1, 100, 1),
    ('mae of three each, route', 'number', 'route', 3, 80, 1), ('accuracy, shadow', 'several', 'shadow', 1, 100, 1),
    ('mae, shadow', 'number', 'shadow', 1, 100, 1);
CREATE TABLE made AS
    SELECT k.*, format('sim %s %s %s', k.kind, k.effect, g) AS name, g
    FROM kind k, generate_series(1, 250) g WHERE k.effect = 0 OR g <= 25;
INSERT INTO wfml.registry (name, owner, traffic)
    SELECT m.name, r.owner, jsonb_build_object('a', 1, 'b', 2, 'share', 0.5, 'mode', m.mode, 'since', now())
    FROM made m JOIN wfml.registry r ON r.name = m.template;
INSERT INTO wfml.ml_model (name, version, artifact_bytes, artifact_sha256, algorithm, task, positive, format_version)
    SELECT m.name, v.version, v.artifact_bytes, v.artifact_sha256, v.algorithm, v.task, v.positive, v.format_version
    FROM made m JOIN wfml.ml_model v ON v.name = m.template AND v.version <= 2;
-- Without the foreign key's checks, which cost more than all else.
SET LOCAL session_replication_role = replica;
-- An entity has a difficulty of its own, so that its outcomes are alike.
INSERT INTO wfml.prediction (model_number, model_id, model, version, made_by, entity, source, shadow, value, label, actual)
    SELECT r.number, v.id, m.name, v.version, 'postgres'::regrole, e.entity, 'function', m.mode = 'shadow' AND v.version = 2,
        CASE m.template WHEN 'ab' THEN CASE WHEN e.happened THEN 1 - l.loss ELSE l.loss END
            ELSE 5 + l.loss * l.loss END,
        CASE WHEN l.loss < 0.4 THEN 'a' ELSE 'b' END,
        CASE m.template WHEN 'ab' THEN e.happened::text WHEN 'number' THEN '5' ELSE 'a' END
    FROM made m JOIN wfml.registry r ON r.name = m.name
    CROSS JOIN LATERAL (SELECT i, 'e' || i AS entity, random() AS difficulty, random() < 0.5 AS happened, 1 + (random() < 0.5)::int AS version
                        FROM generate_series(1, m.n * 2 + 0 * m.g) i) e
    CROSS JOIN generate_series(1, m.per) outcome
    JOIN wfml.ml_model v ON v.name = m.name AND (m.mode = 'shadow' OR v.version = e.version)
    CROSS JOIN LATERAL (SELECT (0.8 * e.difficulty + 0.2 * random()) * CASE WHEN v.version = 2 THEN 1 - 0.5 * m.effect ELSE 1 END AS loss
                        WHERE v.id > 0 AND outcome > 0) l
    ORDER BY r.number, e.i, outcome, v.version;
SET LOCAL session_replication_role = origin;
ANALYZE wfml.prediction, wfml.registry, wfml.ml_model;
CREATE TABLE seen AS SELECT m.kind, m.effect, e.* FROM wfml.experiments e JOIN made m ON m.name = e.model;
SELECT cmp_ok(count(*) FILTER (WHERE leader IS NOT NULL), '<=', 24::bigint, kind || ': chance is no winner') FROM seen WHERE effect = 0 GROUP BY kind ORDER BY kind;
SELECT cmp_ok(avg((leader IS NOT NULL)::int), '<=', 0.068, 'in all no more than one of twenty and three standard deviations') FROM seen WHERE effect = 0;
SELECT cmp_ok(avg((difference BETWEEN -1 AND 1 AND 0 NOT BETWEEN lower AND upper)::int), '<=', 0.068, 'intervals hold what is true') FROM seen WHERE effect = 0;
SELECT is(array_agg(DISTINCT verdict), '{b leads}', kind || ': half the loss is seen') FROM seen WHERE effect = 1 GROUP BY kind ORDER BY kind;

SELECT * FROM finish();
ROLLBACK;
