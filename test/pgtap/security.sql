-- Who may do what, for every function, procedure and view there is: the matrix
-- of docs/security.md.  A function or view that is new makes this fail until
-- it has its line here and its place in the document.  Roles live in the
-- transaction.

\set QUIET 1
SET client_min_messages = error;
BEGIN;
CREATE ROLE wfml_owner;
CREATE ROLE wfml_member IN ROLE wfml_owner;
CREATE ROLE wfml_grantee;
CREATE ROLE wfml_stranger;
GRANT CREATE ON SCHEMA public TO wfml_owner, wfml_grantee, wfml_stranger;

CREATE TABLE points AS SELECT i AS id, i % 20 AS x, (i % 20 >= 10) <> (i % 7 = 0) AS y FROM generate_series(1, 420) i;
CREATE TABLE arrivals (id int PRIMARY KEY, x int, y boolean, p text);
CREATE TABLE attached (id int PRIMARY KEY, x int, y boolean);
CREATE TABLE log_of_events AS SELECT c, substr('abcd', 1 + (c * 7 + e * e) % 4, 1) AS event, timestamptz '2024-01-01' + c * interval '1 h' + e * interval '7 min' AS at
    FROM generate_series(1, 80) c, generate_series(1, 5) e;
CREATE TABLE likes AS SELECT u, (u * u + i * 7) % 23 AS item, 1 + (u * i) % 5 AS stars FROM generate_series(1, 60) u, generate_series(1, 6) i;
ANALYZE points;
GRANT SELECT ON points, log_of_events, likes TO PUBLIC;
GRANT ALL ON arrivals TO PUBLIC;
GRANT SELECT, INSERT, UPDATE ON attached TO PUBLIC;
ALTER TABLE attached OWNER TO wfml_owner;

SET LOCAL ROLE wfml_owner;
SELECT count(*) FROM wfml.train('secret', 'gradient_boosting', 'SELECT x, y FROM points', 'y', '{"rounds": 3}') \g /dev/null
SELECT count(*) FROM wfml.train('secret', 'gradient_boosting', 'SELECT x, y FROM points', 'y', '{"rounds": 4}') \g /dev/null
SELECT count(*) FROM wfml.train('odd', 'isolation_forest', 'SELECT x FROM points', params => '{"trees": 5}') \g /dev/null
SELECT count(*) FROM wfml.train_recommender('liked', 'likes', 'u', 'item', 'stars', params => '{"validation": "none"}') \g /dev/null
SELECT count(*) FROM wfml.train_sequence('next', 'log_of_events', 'c', 'event', 'at', '{"hidden": 8, "embedding": 4, "epochs": 1, "rounds": 3, "validation": "none"}') \g /dev/null
SELECT wfml.grant_model(m, 'wfml_grantee') FROM unnest('{secret,odd,liked,next}'::text[]) m \g /dev/null
SELECT wfml.set_retrain_policy('secret', max_age => '1 ms') \g /dev/null
SELECT wfml.attach('secret', 'attached', 'id') \g /dev/null
SELECT count(*) FROM wfml.evaluate('secret', 'points') \g /dev/null
SELECT set_config('test.job', wfml.train_background('secret', 'linear', 'SELECT x, y FROM points', 'y')::text, true) \g /dev/null
SELECT wfml.bind('runs', 'SELECT x AS workflow_id, now() AS started_at, now() AS finished_at, y AS succeeded FROM points') \g /dev/null
SELECT wfml.grant_source('runs', 'wfml_grantee') \g /dev/null
SELECT wfml.bind('events', 'SELECT c AS user_id, event, at FROM log_of_events') \g /dev/null
SELECT wfml.grant_source('events', 'wfml_grantee') \g /dev/null
SELECT wfml.bind('usage', 'SELECT u AS user_id, item AS workflow_id, stars AS weight FROM likes') \g /dev/null
SELECT wfml.bind('patterns', $$SELECT ARRAY['a', 'b' || x % 3] AS events, id AS users, (x % 3)::text AS category FROM points$$) \g /dev/null
SELECT wfml.bind('suggestions', $$SELECT ARRAY['a', 'b' || x % 3] AS events, x AS support, x % 3 = 0 AS accepted FROM points$$) \g /dev/null
SELECT wfml.grant_source(k, 'wfml_grantee') FROM unnest('{usage,patterns,suggestions}'::text[]) k \g /dev/null
RESET ROLE;
UPDATE wfml.ml_model SET created_at = now() - interval '1 day';
SELECT set_config('test.id', wfml.version_id('secret')::text, true), set_config('test.odd', wfml.version_id('odd')::text, true),
    set_config('test.bytes', wfml.export_model('secret')::text, true) \g /dev/null

-- Run a query as a role, and undo it: 'yes', or the SQLSTATE of its error.
CREATE FUNCTION try(who name, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    BEGIN
        EXECUTE format('SET LOCAL ROLE %I', who);
        EXECUTE query;
        RAISE SQLSTATE 'YES00';
    EXCEPTION WHEN SQLSTATE 'YES00' THEN
        RETURN 'yes';
    WHEN others THEN
        result := SQLSTATE;
    END;
    RETURN result;
END $$;

-- The first value of a query as a role.
CREATE FUNCTION value(who name, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    EXECUTE query INTO result;
    RESET ROLE;
    RETURN result;
END $$;

SELECT no_plan();

-- ---- functions ----

-- kind: what a row of the document's table says.
--   use: the owner, who is granted, superusers
--   change: the owner, superusers
--   table: use, and the right on the table
--   any: everybody (it tells nothing of models, or only of the caller's own)
--   inner: everybody; for views, aggregates and triggers to call, and harmless
--   none: superusers (or a role that PostgreSQL has for it)
-- arguments: of a call; $row, $id and $history stand for each type that the
-- function takes, so that a call is made for each overload; NULL: not called here.
CREATE TABLE matrix (name text, kind text, arguments text, overloads int DEFAULT 1, prefix text DEFAULT 'SELECT count(*) FROM (SELECT 1 AS x) s, LATERAL ', suffix text DEFAULT '');
INSERT INTO matrix (name, kind, arguments, overloads) VALUES
    ('predict', 'use', $$'secret', $row$$, 4), ('classify', 'use', $$'secret', $row$$, 4), ('predict_detail', 'use', $$'secret', $row$$, 4),
    ('predict_cached', 'use', $$'secret', $row$$, 4), ('explain', 'use', $$'secret', $row$$, 4), ('explain_text', 'use', $$'secret', $row$$, 4),
    ('predict_proba', 'use', $$'secret', $row$$, 8), ('predict_proba', 'use', $$'secret', $row, 'true'$$, 8),
    ('predict_version', 'use', $$current_setting('test.id')::bigint, $row$$, 4), ('classify_version', 'use', $$current_setting('test.id')::bigint, $row$$, 4),
    ('explain_version', 'use', $$current_setting('test.id')::bigint, $row$$, 4),
    ('log_predict', 'use', $$'secret', $row$$, 12), ('log_predict', 'use', $$'secret', $row, $id$$, 12),
    ('anomaly_score', 'use', $$'odd', $row$$, 4), ('is_anomaly', 'use', $$'odd', $row$$, 4), ('explain_anomaly', 'use', $$'odd', $row$$, 4),
    ('recommend', 'use', $$'liked', $id$$, 3), ('similar_items', 'use', $$'liked', $id$$, 3),
    ('predict_rating', 'use', $$'liked', $id, '1'::text$$, 9), ('predict_rating', 'use', $$'liked', $id, 1::bigint$$, 9), ('predict_rating', 'use', $$'liked', $id, gen_random_uuid()$$, 9),
    ('next_event', 'use', $$'next', $history$$, 4), ('next_event_time', 'use', $$'next', $history$$, 4), ('sequence_score', 'use', $$'next', $history$$, 4),
    ('predict_batch', 'use', $$'secret', 'points'$$, 1), ('partial_dependence', 'use', $$'secret', 'x', 'points'$$, 1),
    ('evaluate', 'use', $$'secret', 'points'$$, 1), ('confusion_matrix', 'use', $$'secret', 'points'$$, 1), ('roc_curve', 'use', $$'secret', 'points'$$, 1),
    ('calibration', 'use', $$'secret', 'points'$$, 1), ('compare', 'use', $$'{secret,secret@1}', 'points'$$, 1),
    ('drift', 'use', $$'secret', 'points'$$, 1), ('drift_from_stats', 'use', $$'secret', 'points'$$, 1),
    ('version_id', 'use', $$'secret'$$, 1), ('version_asked', 'use', $$'secret'$$, 1), ('metrics', 'use', $$'secret'$$, 1), ('model_info', 'use', $$'secret'$$, 1),
    ('feature_importance', 'use', $$'secret'$$, 1), ('verify', 'use', $$'secret'$$, 1), ('live_scores', 'use', $$'secret'$$, 1), ('trend', 'use', $$'secret'$$, 1),
    ('model_facts', 'use', $$current_setting('test.id')::bigint$$, 1),
    ('create_function', 'table', $$'secret', 'expected', 'attached'$$, 1), ('attach', 'table', $$'secret', 'arrivals', 'id', 'p', NULL, 'y'$$, 1),
    ('detach', 'detach', $$'secret', 'attached'$$, 1),
    ('activate', 'change', $$'secret', 1$$, 1), ('rollback', 'change', $$'secret'$$, 1), ('retire', 'change', $$'secret', 1$$, 1),
    ('drop_model', 'change', $$'liked'$$, 1), ('rename_model', 'change', $$'secret', 'other'$$, 1), ('set_comment', 'change', $$'secret', 'mine'$$, 1),
    ('set_source', 'change', $$'secret', 'points', 'y'$$, 1), ('set_fallback', 'change', $$'secret', 'x > 9'$$, 1), ('set_log_input', 'change', $$'secret', true$$, 1),
    ('set_keep_versions', 'change', $$'secret', 3$$, 1), ('set_retrain_policy', 'change', $$'secret'$$, 1), ('drop_retrain_policy', 'change', $$'secret'$$, 1),
    ('split_traffic', 'change', $$'secret', 1, 2, 0.5$$, 1), ('end_split', 'change', $$'secret'$$, 1),
    ('grant_model', 'change', $$'secret', 'wfml_stranger'$$, 1), ('revoke_model', 'change', $$'secret', 'wfml_grantee'$$, 1),
    ('reassign_models', 'reassign', $$'wfml_owner', 'wfml_member'$$, 1), ('export_model', 'change', $$'secret'$$, 1),
    ('import_model', 'change', $$'secret', current_setting('test.bytes')::bytea$$, 1),
    ('train', 'change', $$'secret', 'linear', 'SELECT x, y FROM points', 'y'$$, 1),
    ('train_recommender', 'change', $$'liked', 'likes', 'u', 'item'$$, 1),
    ('train_sequence', 'change', $$'next', 'log_of_events', 'c', 'event', 'at', '{"hidden": 4, "embedding": 2, "epochs": 1, "rounds": 2, "validation": "none"}'$$, 1),
    ('train_background', 'change', $$'secret', 'linear', 'SELECT x, y FROM points', 'y'$$, 1),
    ('train_recommender_background', 'change', $$'liked', 'likes', 'u', 'item'$$, 1),
    ('train_sequence_background', 'change', $$'next', 'log_of_events', 'c', 'event', 'at'$$, 1),
    ('queue_job', 'change', $$'train', 'secret', '{"algorithm": "linear", "source": "SELECT x, y FROM points", "target": "y"}'$$, 1),
    ('retrain', 'retrain', $$'secret', true$$, 1), ('cancel_job', 'change', $$current_setting('test.job')::bigint$$, 1),
    ('version', 'any', '', 1), ('inspect', 'any', $$'points', 'y'$$, 1), ('inspect_recommender', 'any', $$'likes', 'u', 'item'$$, 1),
    ('inspect_sequence', 'any', $$'log_of_events', 'c', 'event', 'at'$$, 1), ('cache_stats', 'any', '', 1), ('cache_clear', 'any', '', 1),
    ('prediction_cache_stats', 'any', '', 1), ('retrain_due', 'any', '', 1), ('schedule_retraining', 'cron', '', 1), ('unschedule_retraining', 'any', '', 1),
    ('algorithm_rows', 'inner', '', 1), ('parameter_rows', 'inner', '', 1), ('training_progress_rows', 'inner', '', 1), ('counter_totals', 'inner', '', 1), ('health_rows', 'inner', '', 1), ('metrics_24h_rows', 'inner', '', 1),
    ('job_alive', 'inner', $$1, now()$$, 1), ('outcome_number', 'inner', $$'3'$$, 1), ('wilson_interval', 'inner', '0.5, 10', 1), ('auc_error', 'inner', '0.7, 10, 10', 1),
    ('difference_test', 'inner', $$'means', 10, 0.5, 0.1, 10, 0.6, 0.1$$, 1), ('cron_function', 'inner', $$'schedule', 'text'$$, 1), ('no_cron', 'cron', $$'0 3 * * *'$$, 1),
    ('attachment_problem', 'inner', $$'secret', 'arrivals'::regclass, 'id', NULL, NULL, NULL, NULL, false$$, 1),
    ('predict_trigger', 'inner', NULL, 1), ('log_trigger', 'inner', NULL, 1), ('outcome_trigger', 'inner', NULL, 1),
    ('counter_rows', 'none', '', 1), ('shared_cache_stats', 'none', '', 1), ('registry_changed', 'none', NULL, 1);
INSERT INTO matrix VALUES
    ('next_event_agg', 'use', $$'next', 'a'::text, now()$$, 3, 'SELECT '), ('next_event_agg', 'use', $$'next', 1::bigint, now()$$, 3, 'SELECT '),
    ('next_event_agg', 'use', $$'next', gen_random_uuid(), now()$$, 3, 'SELECT '),
    ('run_retraining', 'any', '', 1, 'CALL '), ('run_jobs', 'any', '', 1, 'CALL '), ('prune_predictions', 'any', $$interval '100 days'$$, 1, 'CALL ');
-- tools and what is kept of their runs
INSERT INTO matrix (name, kind, arguments) VALUES
    ('bind_n8n', 'tool', ''), ('bind_airflow', 'tool', ''), ('bind_pg_cron', 'tool', $$'public'$$), ('tool_columns', 'inner', $$'n8n', 'public', 'points', '{x}'$$),
    ('tool_kinds', 'inner', $$'n8n', NULL, '{runs}'$$), ('tool_runs', 'inner', $$'n8n', 't', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'$$),
    ('bind_tool', 'inner', $$'n8n', 'events', 'SELECT c AS user_id, event, at FROM public.log_of_events'$$), ('n8n_node_types', 'inner', $$'[]'$$), ('airflow_task_ids', 'inner', $$'{}'$$),
    ('n8n_runs', 'tool', $$'public', ''$$), ('n8n_usage', 'inner', $$'public', ''$$), ('n8n_workflows', 'tool', $$'public', ''$$), ('warn_of_n8n_settings', 'tool', $$'public', ''$$),
    ('airflow_runs', 'tool', $$'public'$$), ('airflow_workflows', 'tool', $$'public'$$);
INSERT INTO matrix VALUES ('sync_runs', 'any', '', 1, 'CALL ', ''), ('prune_runs', 'any', $$interval '100 years'$$, 1, 'CALL ', '');
-- sources
INSERT INTO matrix (name, kind, arguments) VALUES
    ('bind', 'any', $$'events', 'SELECT c AS user_id, event, at FROM log_of_events'$$), ('unbind', 'any', $$'events'$$), ('has_source', 'any', $$'runs'$$), ('has_model', 'any', $$'secret'$$),
    ('bound_source', 'source', $$'runs'$$), ('grant_source', 'grant source', $$'runs', 'wfml_stranger'$$), ('revoke_source', 'grant source', $$'runs', 'wfml_grantee'$$);
INSERT INTO matrix VALUES ('bound_rows', 'source', $$'runs') AS r (workflow_id text$$, 1, 'SELECT count(*) FROM ');
-- frequent sequences, needs
INSERT INTO matrix (name, kind, arguments) VALUES
    ('frequent_sequences', 'any', $$'log_of_events', 'c', 'event', 'at'$$), ('is_subsequence', 'inner', $$'{a}', '{a,b}'$$),
    ('workflow_needs', 'source', ''), ('find_needs', 'source', ''), ('refresh_needs', 'grant source', '');
-- schedules
INSERT INTO matrix (name, kind, arguments) VALUES
    ('cron_next', 'any', $$'@daily', now()$$), ('cron_matches', 'any', $$'@daily', now()$$),
    ('schedule', 'any', $$'3', 'interval', '{"every": "1 hour"}'$$), ('unschedule', 'any', $$'3'$$), ('due_workflows', 'any', ''), ('claim_due', 'any', ''), ('prune_decisions', 'any', ''),
    ('simulate_schedule', 'any', $$now() - interval '1 day'$$), ('enable_schedule', 'any', '1, false'), ('should_run', 'source', $$'3'$$), ('best_times', 'source', $$'3'$$),
    ('slot_estimates', 'source', $$'3'$$), ('slot_group', 'source', $$'3', now(), 'UTC'$$), ('schedule_plan_slots', 'source', $$'3', now(), now() + interval '1 day', now()$$),
    ('simulate_workflow', 'source', $$'3', '{"window": "24 hours"}', now() - interval '1 day', now()$$),
    ('put_schedule', 'any', NULL), ('remove_schedule', 'any', '1'), ('stamp_schedule', 'any', '1, NULL, NULL, now(), NULL, NULL'), ('note_plan', 'any', $$1, NULL, NULL, NULL, NULL$$),
    ('note_decision', 'any', $$NULL, '3', NULL, now(), true, false, NULL, 'rule', 'mine', NULL$$), ('decide', 'inner', NULL), ('decide_as_owner', 'inner', NULL), ('decide_event', 'inner', NULL), ('decide_predictive', 'inner', NULL),
    ('check_schedule', 'inner', $$'interval', '{"every": "1 hour"}'$$), ('schedule_spec_error', 'inner', NULL), ('schedule_duration', 'inner', $$'{}', 'every', '1 s', NULL$$),
    ('schedule_window', 'inner', $$'{"window": "24 hours"}', now(), true, now()$$), ('next_of_grid', 'inner', $$now(), '1 hour', now()$$), ('weigh_slots', 'inner', $$'[]', now(), NULL$$),
    ('window_slots', 'inner', $$'{"window": "24 hours"}'$$), ('slot_of', 'inner', $$now(), 'UTC'$$), ('slot_values', 'inner', $$'{1}', '{true}', '{1}'$$), ('slot_policy', 'inner', $$'{1}', '{true}', '{1}', '{1}', '{1}'$$);
-- suggestions
INSERT INTO matrix (name, kind, arguments) VALUES
    ('suggest', 'source', ''), ('ranked_needs', 'source', 'NULL, 5, NULL'), ('next_workflow_events', 'source', $$'1'$$), ('frequent_successors', 'source', $$'a'$$),
    ('recommend_workflows', 'source', $$'1'$$), ('popular_workflows', 'source', $$'1'$$), ('train_pattern_classifier', 'source', ''),
    ('train_suggestion_scorer', 'source', ''), ('train_sequence_predictor', 'source', ''), ('train_workflow_recommender', 'source', ''),
    ('classify_pattern', 'any', $$jsonb_populate_record(NULL::wfml.pattern, '{"events": ["a"]}')$$),
    ('score_suggestion', 'any', $$jsonb_populate_record(NULL::wfml.pattern, '{"events": ["a"]}')$$),
    ('pattern_input', 'inner', $$jsonb_populate_record(NULL::wfml.pattern, '{"events": ["a"]}')$$), ('distinct_events', 'inner', $$'{a}'$$),
    ('similar_category', 'inner', $$'{a}'$$), ('suggestion_words', 'inner', $$NULL, 'users'$$), ('suggestion_rule', 'inner', 'NULL'),
    ('suggestion_reasons', 'inner', 'NULL');
-- training of all kinds, anomalies
INSERT INTO matrix (name, kind, arguments) VALUES
    ('train_one', 'source', $$'anomaly_detector'$$), ('train_anomaly_detector', 'source', ''), ('train_all_background', 'any', ''), ('workflow_kinds', 'inner', ''),
    ('detect_anomalies', 'source', ''), ('run_anomalies_by_rule', 'source', 'NULL, 5'), ('run_anomalies_by_model', 'inner', NULL), ('session_anomalies', 'inner', NULL),
    ('anomaly_scale', 'use', $$'odd', 'x'$$), ('short_number', 'inner', '1.5'), ('unusual_text', 'inner', $$'x', 1, 2, 3$$), ('run_numbers', 'inner', $$'{"x": "integer"}'$$);
-- the made-up platform; who may make one: generate_demo.sql
INSERT INTO matrix (name, kind, arguments) VALUES
    ('generate_demo', 'any', NULL), ('uniform', 'inner', $$1, 'a'$$), ('demo_normal', 'inner', $$1, 'a', 'b'$$), ('demo_roles', 'inner', ''),
    ('demo_tables', 'inner', NULL), ('demo_people', 'inner', NULL), ('demo_runs', 'inner', NULL), ('demo_outcomes', 'inner', NULL), ('demo_truth', 'inner', NULL),
    ('demo_events', 'inner', NULL), ('demo_patterns', 'inner', NULL);
INSERT INTO matrix VALUES ('train_all', 'any', $$'{anomaly_detector}'$$, 1, 'CALL ');
-- run features, the trigger predictor
INSERT INTO matrix (name, kind, arguments) VALUES
    ('run_features', 'source', $$'3', now()$$), ('slot_features', 'source', $$'3', '{}'$$), ('run_example_columns', 'source', ''),
    ('slot_probabilities', 'source', $$'3', '{}'$$), ('success_probability', 'source', $$'3'$$),
    ('trigger_candidates', 'source', NULL), ('train_trigger_predictor', 'source', NULL),
    ('trigger_candidate_rows', 'inner', ''), ('trigger_candidate_columns', 'inner', $$'points', NULL$$);
INSERT INTO matrix VALUES ('run_examples', 'source', $$) AS r (rate float8$$, 1, 'SELECT count(*) FROM ');
INSERT INTO matrix (name, kind, overloads)
    SELECT proname, 'inner', count(*) FROM pg_proc WHERE pronamespace = 'wfml'::regnamespace
        AND (prokind = 'a' AND proname <> 'next_event_agg' OR proname ~ '_(accum|combine|final|step)$') GROUP BY proname;

SELECT is(string_agg(DISTINCT p.proname, ' '), NULL, 'every function has its line in the matrix')
FROM pg_proc p WHERE pronamespace = 'wfml'::regnamespace AND NOT EXISTS (SELECT FROM matrix m WHERE m.name = p.proname);
SELECT is(string_agg(DISTINCT m.name, ' '), NULL, 'and every line its function')
FROM matrix m WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'wfml'::regnamespace AND p.proname = m.name);
SELECT is(string_agg(format('%s %s, not %s', proname, n, overloads), ' '), NULL, 'as many of each name as the matrix says')
FROM (SELECT proname, count(*) AS n FROM pg_proc WHERE pronamespace = 'wfml'::regnamespace GROUP BY 1) p
JOIN (SELECT DISTINCT name, overloads FROM matrix) m ON m.name = proname WHERE n <> overloads;
\set doc `cat docs/security.md`
SELECT is(string_agg(DISTINCT m.name, ' '), NULL, 'docs/security.md has every function')
FROM matrix m WHERE kind NOT IN ('inner') AND position(format('`%s`', m.name) IN :'doc') = 0;

-- Every call that is to be made, as text.
CREATE TABLE call AS
    SELECT m.name, m.kind, prefix || 'wfml.' || m.name || '(' || replace(replace(replace(m.arguments, '$row', coalesce(i.text, '')), '$id', coalesce(d.text, '')), '$history', coalesce(h.text, '')) || ')'
        || CASE prefix WHEN 'SELECT count(*) FROM (SELECT 1 AS x) s, LATERAL ' THEN ' r' ELSE '' END || suffix AS query
    FROM matrix m
    LEFT JOIN unnest(ARRAY['s', $$'{"x": 1}'::jsonb$$, $$'{"x": 1}'::json$$, $$'{"x": 1}'::text$$]) i (text) ON m.arguments ~ '\$row'
    LEFT JOIN unnest(ARRAY['1::bigint', $$'1'::text$$, 'gen_random_uuid()']) d (text) ON m.arguments ~ '\$id'
    LEFT JOIN unnest(ARRAY['ARRAY[1]::bigint[]', $$'{a}'::text[]$$, 'ARRAY[gen_random_uuid()]', $$'{a}'::text$$]) h (text) ON m.arguments ~ '\$history'
    WHERE m.arguments IS NOT NULL;

-- What each kind gives to: owner, a member of it, grantee, stranger, superuser.
CREATE TABLE rule (kind text, expected text, orphan text);
INSERT INTO rule VALUES
    ('use', 'yes yes yes 42501 yes', '42501 42501 yes'),
    ('table', 'yes yes yes 42501 yes', '42501 42501 yes'),
    ('detach', 'yes yes 42501 42501 yes', '42501 42501 yes'),
    ('change', 'yes yes 42501 42501 yes', '42501 42501 yes'),
    ('reassign', '42501 yes 42501 42501 yes', NULL),
    ('retrain', 'yes yes 42501 42501 yes', '42501 42501 42704'),
    ('any', 'yes yes yes yes yes', 'yes yes yes'),
    ('source', 'yes yes yes 42704 yes', '42704 42704 42704'),
    ('grant source', 'yes yes 42501 42704 yes', '42704 42704 42704'),
    ('cron', '0A000 0A000 0A000 0A000 0A000', NULL),
    ('inner', 'yes yes yes yes yes', 'yes yes yes'),
    ('tool', '42P01 42P01 42P01 42P01 42P01', NULL),
    ('none', '42501 42501 42501 42501 yes', NULL);

SELECT is(string_agg(try(who, query), ' ' ORDER BY n), expected, kind || ': ' || query)
FROM call JOIN rule USING (kind), unnest(ARRAY['wfml_owner', 'wfml_member', 'wfml_grantee', 'wfml_stranger', current_user]::name[]) WITH ORDINALITY r (who, n)
GROUP BY name, kind, query, expected ORDER BY kind, query;
SELECT is(has_function_privilege('wfml_owner', p.oid, 'EXECUTE'), false, 'nobody executes ' || name)
FROM matrix m JOIN pg_proc p ON p.proname = m.name AND pronamespace = 'wfml'::regnamespace WHERE kind = 'none';
SELECT is(try('wfml_grantee', $$SELECT wfml.attach('secret', 'attached', 'id')$$), '42501', 'who has no TRIGGER on a table attaches nothing to it');
SELECT is(try('wfml_grantee', $$SELECT wfml.predict_batch('secret', 'private')$$), '42P01', 'sources are read as the caller');

-- ---- views ----

-- What each of three roles sees, with and without wfml.user_id.
SET LOCAL ROLE wfml_stranger;
SELECT count(*) FROM wfml.train('strange', 'linear', 'SELECT x, y FROM points', 'y', '{"validation": "none"}') \g /dev/null
SELECT wfml.set_retrain_policy('strange') \g /dev/null
SELECT wfml.attach('strange', 'arrivals', 'id') \g /dev/null
SELECT wfml.train_background('strange', 'linear', 'SELECT x, y FROM points', 'y') \g /dev/null
SELECT count(*) FROM wfml.evaluate('strange', 'points') \g /dev/null
SET LOCAL wfml.user_id = 'u3';
SELECT count(*) FROM wfml.log_predict('strange', '{"x": 1}') \g /dev/null
SET LOCAL ROLE wfml_owner;
SET LOCAL wfml.user_id = 'u1';
SELECT wfml.split_traffic('secret', 1, 2, 0.5) \g /dev/null
SELECT count(*) FROM generate_series(1, 20) x, wfml.log_predict('secret', jsonb_build_object('x', x), x::text) \g /dev/null
SET LOCAL ROLE wfml_grantee;
SET LOCAL wfml.user_id = 'u2';
SELECT count(*) FROM generate_series(1, 3) x, wfml.log_predict('secret', jsonb_build_object('x', x), x::text) \g /dev/null
SET LOCAL wfml.user_id = 'u1';
SELECT count(*) FROM generate_series(1, 2) x, wfml.log_predict('secret', jsonb_build_object('x', x), x::text) \g /dev/null
RESET ROLE;
SET LOCAL wfml.user_id = '';

-- query: one number or text; what owner, grantee, stranger get, without a user
-- and as user u1; superuser without one.
CREATE TABLE sight (view text, query text, free text, as_u1 text, super text);
INSERT INTO sight VALUES
    ('models', 'SELECT string_agg(name, $$,$$ ORDER BY name) FROM wfml.models', 'liked,next,odd,secret liked,next,odd,secret strange', NULL, 'liked,next,odd,secret,strange'),
    ('versions', 'SELECT count(*) FROM wfml.versions', '5 5 1', NULL, '6'),
    ('versions', 'SELECT count(source) FROM wfml.versions', '5 0 1', NULL, '6'),
    ('evaluations', 'SELECT string_agg(DISTINCT model, $$,$$) FROM wfml.evaluations', 'secret secret strange', NULL, 'secret,strange'),
    ('evaluations', 'SELECT count(DISTINCT source) FROM wfml.evaluations', '1 0 1', NULL, '1'),
    ('predictions', 'SELECT count(*) FROM wfml.predictions', '25 5 1', '22 2 0', '26'),
    ('answers', 'SELECT count(*) FROM wfml.answers', '25 5 1', '22 2 0', '26'),
    ('metrics_24h', 'SELECT string_agg(name || $$=$$ || predictions, $$,$$ ORDER BY name) FROM wfml.metrics_24h WHERE predictions > 0', 'secret=25 secret=5 strange=1', 'secret=22 secret=2 -', 'secret=25,strange=1'),
    ('metrics_24h', 'SELECT count(*) FROM wfml.metrics_24h', '4 4 1', '4 4 1', '5'),
    ('health', 'SELECT string_agg(name || $$=$$ || predictions_24h, $$,$$ ORDER BY name) FROM wfml.health WHERE predictions_24h > 0', 'secret=25 secret=5 strange=1', 'secret=22 secret=2 -', 'secret=25,strange=1'),
    ('health', 'SELECT count(*) FROM wfml.health', '4 4 1', '4 4 1', '5'),
    ('health_query', 'SELECT count(*) FROM wfml.health_query', '4 4 1', '4 4 1', '5'),
    ('metrics_24h_query', 'SELECT count(*) FROM wfml.metrics_24h_query', '4 4 1', '4 4 1', '5'),
    ('live_score', 'SELECT count(*) FROM wfml.live_score', '4 4 1', '4 4 1', '5'),
    ('outcome_delay', 'SELECT count(*) FROM wfml.outcome_delay', '4 4 1', '4 4 1', '5'),
    ('experiments', 'SELECT count(DISTINCT model) FROM wfml.experiments', '1 1 0', '1 1 0', '1'),
    ('jobs', 'SELECT string_agg(model, $$,$$ ORDER BY model) FROM wfml.jobs', 'secret - strange', NULL, 'secret,strange'),
    ('attachments', 'SELECT string_agg(model, $$,$$ ORDER BY model) FROM wfml.attachments', 'secret secret strange', NULL, 'secret,strange'),
    ('retrain_policies', 'SELECT string_agg(model, $$,$$ ORDER BY model) FROM wfml.retrain_policies', 'secret secret strange', NULL, 'secret,strange'),
    ('sources', 'SELECT count(*) FROM wfml.sources WHERE kind = $$runs$$', '1 1 0', NULL, '1'),
    ('sources', 'SELECT count(source) FROM wfml.sources WHERE kind = $$runs$$', '1 0 0', NULL, '1'),
    ('kept_runs', 'SELECT count(*) FROM wfml.kept_runs', '0 0 0', NULL, '0'), ('kept_tools', 'SELECT count(*) FROM wfml.kept_tools', '0 0 0', NULL, '0'),
    ('schedules', 'SELECT count(*) FROM wfml.schedules', '0 0 0', NULL, '0'), ('decisions', 'SELECT count(*) FROM wfml.decisions', '0 0 0', NULL, '0'),
    ('training_progress', 'SELECT count(*) FROM wfml.training_progress', '0 0 0', NULL, '0'),
    ('system_metrics', 'SELECT value::int FROM wfml.system_metrics WHERE metric = $$models$$', '4 4 1', NULL, '5'),
    ('algorithms', 'SELECT count(*) > 3 FROM wfml.algorithms', 'true true true', NULL, 'true'),
    ('parameters', 'SELECT count(*) > 10 FROM wfml.parameters', 'true true true', NULL, 'true');

SELECT is(string_agg(relname, ' '), 'usable_model', 'every view has its line, but the one that is nobody''s')
FROM pg_class c WHERE relnamespace = 'wfml'::regnamespace AND relkind IN ('v', 'm') AND NOT EXISTS (SELECT FROM sight WHERE view = relname);
SELECT is(string_agg(view, ' '), NULL, 'docs/security.md has every view') FROM sight WHERE position(format('`%s`', view) IN :'doc') = 0;
SELECT is(string_agg(coalesce(value(who, query), '-'), ' ' ORDER BY n), free, view || ': ' || query)
FROM sight, unnest('{wfml_owner,wfml_grantee,wfml_stranger}'::name[]) WITH ORDINALITY r (who, n) GROUP BY view, query, free ORDER BY view, query;
SELECT is(value(current_user, query), super, view || ', superuser: ' || query) FROM sight ORDER BY view, query;
SET LOCAL wfml.user_id = 'u1';
SELECT is(string_agg(coalesce(value(who, query), '-'), ' ' ORDER BY n), as_u1, view || ', user u1: ' || query)
FROM sight, unnest('{wfml_owner,wfml_grantee,wfml_stranger}'::name[]) WITH ORDINALITY r (who, n) WHERE as_u1 IS NOT NULL GROUP BY view, query, as_u1 ORDER BY view, query;
SET LOCAL wfml.user_id = 'u9';
SELECT is(value(who, 'SELECT count(*) FROM wfml.predictions'), '0', who || ': nothing of a user who made nothing') FROM unnest('{wfml_owner,wfml_grantee,wfml_stranger}'::name[]) who;
SET LOCAL wfml.user_id = '';
-- the same through functions
SELECT is(string_agg(value(who, $$SELECT sum(predictions) FROM wfml.trend('secret')$$), ' ' ORDER BY n), '25 5', 'trend() counts what the caller may see')
FROM unnest('{wfml_owner,wfml_grantee}'::name[]) WITH ORDINALITY r (who, n);
SELECT is(value('wfml_stranger', 'SELECT count(*) FROM wfml.retrain_due()'), '0', 'a stranger has nothing due');
SELECT is(value('wfml_grantee', 'SELECT count(*) FROM wfml.retrain_due()'), '0', 'nor has a grantee');
SELECT is(value('wfml_owner', 'SELECT count(*) FROM wfml.retrain_due()'), '1', 'but the owner');
-- a function of the reader's in the view's WHERE sees no row that he may not see
SET LOCAL ROLE wfml_stranger;
CREATE FUNCTION peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$BEGIN IF $1 LIKE 'secret%' THEN RAISE 'seen'; END IF; RETURN true; END$$;
RESET ROLE;
SELECT is(try('wfml_stranger', format('SELECT count(*) FROM wfml.%I WHERE peek(%I)', v, c)), 'yes', 'a cheap function of the reader sees nothing through ' || v)
FROM (VALUES ('models', 'name'), ('versions', 'name'), ('predictions', 'model'), ('answers', 'model'), ('health', 'name'), ('metrics_24h', 'name'), ('jobs', 'model'),
    ('attachments', 'model'), ('retrain_policies', 'model'), ('evaluations', 'model'), ('experiments', 'model'), ('live_score', 'model'), ('outcome_delay', 'model')) x (v, c);

-- ---- tables, sequences, the schema ----

SELECT is(string_agg(DISTINCT format('%s: %s', c.relname, x.privilege_type), ' '), NULL, 'nobody but their owner has a right on tables and sequences')
FROM pg_class c, aclexplode(c.relacl) x WHERE relnamespace = 'wfml'::regnamespace AND relkind IN ('r', 'S') AND x.grantee <> c.relowner;
SELECT is(try('wfml_owner', q), '42501', 'the owner of models neither: ' || q) FROM unnest(ARRAY[
    'INSERT INTO wfml.prediction DEFAULT VALUES', 'DELETE FROM wfml.prediction', 'UPDATE wfml.registry SET owner = 10', 'SELECT * FROM wfml.job_run', 'SELECT * FROM wfml.ml_artifact',
    'TRUNCATE wfml.attachment', 'CREATE TRIGGER t BEFORE INSERT ON wfml.prediction FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()', 'LOCK wfml.registry IN ACCESS EXCLUSIVE MODE',
    'CREATE FUNCTION wfml.predict(text, points) RETURNS float8 LANGUAGE sql AS ''SELECT 1.0::float8''', 'COMMENT ON FUNCTION wfml.version() IS ''mine''',
    'UPDATE wfml.predictions SET actual = ''x''',
    'SET wfml.rate_limit = 0', 'SET wfml.log_sample_rate = 0', 'SET wfml.max_training_memory = ''1GB''', 'SET wfml.prediction_retention = 0', 'SET wfml.model_cache_size = 100']) q;

-- ---- overload ----

SET LOCAL wfml.rate_limit = 5;
SELECT is(try('wfml_grantee', $$SELECT count(*) FROM generate_series(1, 50) x, wfml.log_predict('secret', jsonb_build_object('x', x), x::text) p$$), '53400', 'a role that logs too much is stopped');
SELECT is(try('wfml_owner', $$SELECT count(*) FROM generate_series(1, 4) x, wfml.log_predict('secret', jsonb_build_object('x', x), x::text) p$$), 'yes', 'others are not');
RESET wfml.rate_limit;

-- ---- the owner is gone ----

REASSIGN OWNED BY wfml_owner TO CURRENT_USER;
DROP OWNED BY wfml_owner;
DROP ROLE wfml_owner;
SELECT is(string_agg(try(who, query), ' ' ORDER BY n), CASE WHEN name = 'cancel_job' THEN '42501 42501 yes' ELSE orphan END, 'orphan, ' || kind || ': ' || query)
FROM call JOIN rule USING (kind), unnest(ARRAY['wfml_member', 'wfml_grantee', current_user]::name[]) WITH ORDINALITY r (who, n)
WHERE orphan IS NOT NULL GROUP BY name, kind, query, orphan ORDER BY kind, query;
SELECT is(value('wfml_grantee', query), CASE view WHEN 'system_metrics' THEN '0' ELSE value('wfml_grantee', query) END, 'orphan, grantee can still read ' || view) FROM sight;
SELECT is(value('wfml_grantee', 'SELECT count(*) FROM wfml.models'), '0', 'nothing of it');
SELECT is(value('wfml_grantee', 'SELECT count(*) FROM wfml.predictions'), '5', 'but what he had it predict');
SELECT is(value(current_user, $$SELECT string_agg(DISTINCT status, ',') FROM wfml.health WHERE name <> 'strange'$$), 'orphan', 'health says so to superusers');

SELECT * FROM finish();
ROLLBACK;
