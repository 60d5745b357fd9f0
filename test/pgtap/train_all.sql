-- train_all() and train_one(): every kind whose source is bound, one after the
-- other; those that fail or are not bound do not stop the rest; their rows in
-- wfml.jobs; as whom.  Run in a database of its own: it commits.

\set QUIET 1
SET client_min_messages = error;
SELECT no_plan();
SELECT wfml.generate_demo(20, 14, 1) \g /dev/null

CREATE FUNCTION jobs_of(since bigint) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', kind, model, status, version) FROM wfml.jobs WHERE id > since ORDER BY id $$;
CREATE FUNCTION last_job() RETURNS bigint LANGUAGE sql AS $$ SELECT coalesce(max(id), 0) FROM wfml.jobs $$;

-- ---- nothing bound ----

SELECT last_job() AS first \gset
CALL wfml.train_all();
SELECT is_empty(format('SELECT jobs_of(%s)', :first), 'nothing bound: nothing trained');
SELECT is_empty('SELECT * FROM wfml.train_all_background()', 'nor queued');
SELECT throws_ok($$SELECT * FROM wfml.train_one('anomaly_detector')$$, '42704', NULL, 'train_one() says that it is not bound');
SELECT throws_ok($$SELECT * FROM wfml.train_one('x')$$, '22023', 'there is no kind of model "x"', 'or that there is no such kind');
SELECT throws_ok($$SELECT * FROM wfml.train_one(NULL)$$, '22023', 'kind must not be null', 'NULL neither');

-- ---- all of them ----

SELECT wfml.bind('runs', 'wfml_demo.run'), wfml.bind('events', 'wfml_demo.event'), wfml.bind('workflows', 'wfml_demo.workflow'), wfml.bind('usage', 'wfml_demo.usage'),
    wfml.bind('patterns', 'SELECT * FROM wfml_demo.pattern WHERE pattern_id <= 300'), wfml.bind('suggestions', 'SELECT * FROM wfml_demo.suggestion WHERE suggestion_id <= 300') \g /dev/null
CALL wfml.train_all(params => '{"trigger_predictor": {"candidate": "linear"}, "anomaly_detector": {"trees": 30}}');
SELECT results_eq(format('SELECT jobs_of(%s)', :first), ARRAY['train_all sequence_predictor done 1', 'train_all workflow_needs done', 'train_all pattern_classifier done 1', 'train_all suggestion_scorer done 1',
    'train_all trigger_predictor done 1', 'train_all anomaly_detector done 1', 'train_all workflow_recommender done 1'], 'a row for each kind');
SELECT is(bool_and(result ?& '{metric,score,baseline,rows,seconds,version}'), true, 'each tells metric, score, baseline, rows and seconds') FROM wfml.jobs WHERE kind = 'train_all' AND version = 1;
SELECT is(count(*), 6::bigint, 'and its model is there') FROM wfml.models m JOIN wfml.workflow_kinds() k ON k.kind = m.name WHERE k.is_model AND wfml.has_model(m.name);
SELECT is((params ->> 'trees')::int, 30, 'parameters go to their kind') FROM wfml.versions WHERE name = 'anomaly_detector';

-- ---- some of them, and failing ones ----

SELECT last_job() AS before \gset
CALL wfml.train_all('{workflow_recommender,anomaly_detector}');
SELECT results_eq(format('SELECT jobs_of(%s)', :before), ARRAY['train_all anomaly_detector done 2', 'train_all workflow_recommender done 2'], 'only those named, in their order');
ALTER TABLE wfml_demo.run RENAME TO moved;
SELECT last_job() AS before \gset
CALL wfml.train_all('{anomaly_detector,workflow_recommender}');
ALTER TABLE wfml_demo.moved RENAME TO run;
SELECT results_eq(format('SELECT jobs_of(%s)', :before), ARRAY['train_all anomaly_detector failed', 'train_all workflow_recommender done 3'], 'one that fails stops no other');
SELECT matches(message, 'relation "wfml_demo.run" does not exist', 'its error stands in its row') FROM wfml.jobs WHERE status = 'failed' AND kind = 'train_all';
SELECT is(active_version, 2, 'and its model is what it was') FROM wfml.registry WHERE name = 'anomaly_detector';

-- ---- in a transaction block ----

BEGIN;
CALL wfml.train_all('{anomaly_detector,workflow_needs}');
SELECT is(version, 3, 'in a transaction block it trains, too') FROM wfml.models WHERE name = 'anomaly_detector';
ROLLBACK;
SELECT is(version, 2, 'and a rollback undoes it') FROM wfml.models WHERE name = 'anomaly_detector';

-- ---- whose is what ----

CREATE ROLE wfml_clerk;
GRANT USAGE ON SCHEMA wfml_demo TO wfml_clerk;
GRANT SELECT ON wfml_demo.run TO wfml_clerk;
SET ROLE wfml_clerk;
SELECT wfml.bind('runs', 'wfml_demo.run') \g /dev/null
CALL wfml.train_all('{anomaly_detector}');
RESET ROLE;
SELECT is(role || ' ' || status || ' ' || message, 'wfml_clerk failed must be owner of model "anomaly_detector"; Choose another name for your model.', 'another''s model is not trained') FROM wfml.jobs ORDER BY id DESC LIMIT 1;
SELECT wfml.drop_model('anomaly_detector') \g /dev/null
SET ROLE wfml_clerk;
CALL wfml.train_all('{anomaly_detector}');
SELECT is(owner::text, 'wfml_clerk', 'a new one is his who trained it') FROM wfml.models WHERE name = 'anomaly_detector';
SELECT is(count(*), 2::bigint, 'he sees his own rows only') FROM wfml.jobs;
RESET ROLE;

-- ---- two at once: the second finds the first one's row ----

INSERT INTO wfml.job_run (kind, model, role, status, pid, backend_start)
    SELECT 'train_all', 'workflow_recommender', current_user::regrole, 'running', pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid();
SELECT last_job() AS before \gset
CALL wfml.train_all('{workflow_recommender}');
SELECT is_empty(format('SELECT jobs_of(%s)', :before), 'what another session trains is passed over');
UPDATE wfml.job_run SET pid = 1 WHERE status = 'running';
CALL wfml.train_all('{workflow_recommender}');
SELECT results_eq(format('SELECT jobs_of(%s)', :before), ARRAY['train_all workflow_recommender done 4'], 'unless that session is gone');

-- ---- apart ----

SELECT results_eq('SELECT kind FROM wfml.train_all_background()',
    $$SELECT kind FROM wfml.workflow_kinds() WHERE is_model ORDER BY step$$, 'a job for each model');
SELECT wfml.cancel_job(id) FROM wfml.jobs WHERE status IN ('queued', 'running') \g /dev/null

DROP SCHEMA wfml_demo CASCADE;
DROP FUNCTION jobs_of(bigint), last_job();
SELECT wfml.unbind(kind), wfml.unbind('runs', 'wfml_clerk') FROM wfml.sources WHERE owner = current_user::regrole \g /dev/null
SELECT wfml.drop_model(m.name) FROM wfml.models m JOIN wfml.workflow_kinds() k ON k.kind = m.name \g /dev/null
DROP ROLE wfml_clerk;
SELECT * FROM finish();
