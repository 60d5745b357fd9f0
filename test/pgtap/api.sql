-- The functions of the REST layer: each of the seventeen endpoints is called as
-- PostgREST calls it (arguments by name out of a JSON object, GET in a
-- transaction that only reads), on real models, and by roles of the web.

\set QUIET 1
-- some statements make several tests: a line each
\pset fieldsep '\n'
SET client_min_messages = error;
BEGIN;
SET LOCAL TimeZone = 'UTC';
CREATE ROLE api_app;
CREATE ROLE api_reader;
CREATE ROLE api_trainer;
CREATE ROLE api_nobody;
SELECT format('GRANT CREATE ON DATABASE %I TO api_app', current_database()) \gexec
GRANT CREATE ON SCHEMA public TO api_app;

SET LOCAL ROLE api_app;
SELECT count(*) FROM wfml.generate_demo(30, 20) \g /dev/null
SELECT wfml.bind(kind, source) FROM (VALUES ('runs', 'wfml_demo.run'), ('events', 'wfml_demo.event'), ('workflows', 'wfml_demo.workflow'),
    ('usage', 'wfml_demo.usage'), ('patterns', 'wfml_demo.pattern'), ('suggestions', 'wfml_demo.suggestion')) s (kind, source) \g /dev/null
RESET ROLE;

SELECT no_plan();

-- ---- their shape ----

SELECT is((SELECT count(*) FROM pg_proc WHERE pronamespace = 'wfml_api'::regnamespace), 18::bigint, 'seventeen endpoints and jobs()');
SELECT is(string_agg(proname, ' '), NULL, 'no two of a name, since a JSON object cannot choose') FROM
    (SELECT proname FROM pg_proc WHERE pronamespace = 'wfml_api'::regnamespace GROUP BY 1 HAVING count(*) > 1) x;
SELECT is(string_agg(proname, ' '), NULL, 'functions only, of the caller''s rights, all arguments with names')
FROM pg_proc WHERE pronamespace = 'wfml_api'::regnamespace AND (prokind <> 'f' OR prosecdef OR pronargs > 0 AND (proargnames IS NULL OR '' = ANY (proargnames)));
SELECT is(string_agg(DISTINCT format('%s(%s)', proname, a), ' '), NULL, 'no argument that PostgREST would take for an option of the request')
FROM pg_proc, unnest(proargnames[:pronargs]) a WHERE pronamespace = 'wfml_api'::regnamespace AND a IN ('select', 'order', 'limit', 'offset', 'columns', 'and', 'or', 'not', 'on_conflict');
SELECT is(string_agg(proname, ' '), NULL, 'each has its comment') FROM pg_proc p WHERE pronamespace = 'wfml_api'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL;
SELECT is(string_agg(DISTINCT coalesce(nullif(x.grantee, 0)::regrole::text, 'PUBLIC'), ' '), current_user::text, 'nobody but the owner of the extension may call one')
FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x WHERE pronamespace = 'wfml_api'::regnamespace;
SELECT is(has_schema_privilege('api_nobody', 'wfml_api', 'USAGE'), false, 'nor see the schema');

-- ---- calling as PostgREST does ----

-- The rows of the call as a JSON array, or the SQLSTATE of its error.
CREATE FUNCTION rest(who name, method text, name text, arguments json DEFAULT '{}') RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    f record;
    given text[] := ARRAY(SELECT k FROM json_object_keys(arguments) k);
    query text;
    result jsonb;
BEGIN
    SELECT * INTO STRICT f FROM pg_proc WHERE pronamespace = 'wfml_api'::regnamespace AND proname = name;
    IF method = 'GET' AND f.provolatile = 'v' THEN
        RETURN '"405"';
    END IF;
    SELECT format('SELECT coalesce(jsonb_agg(c), ''[]'') FROM (SELECT c.* FROM (SELECT 1) one%s, LATERAL wfml_api.%I(%s) c) c',
            CASE WHEN given <> '{}' THEN format(', LATERAL json_to_record($1) AS a (%s)', string_agg(format('%I %s', n, format_type(t, NULL)), ', ') FILTER (WHERE n = ANY (given))) ELSE '' END,
            name, string_agg(format('%I := a.%I', n, n), ', ') FILTER (WHERE n = ANY (given)))
    INTO query FROM unnest(f.proargnames[:f.pronargs], f.proargtypes::oid[]) u (n, t);
    BEGIN
        EXECUTE format('SET LOCAL ROLE %I', who);
        IF f.provolatile <> 'v' THEN
            SET LOCAL transaction_read_only = on;
        END IF;
        EXECUTE query INTO result USING arguments;
        IF f.provolatile <> 'v' THEN
            RAISE SQLSTATE 'DONE0';
        END IF;
        RESET ROLE;
    EXCEPTION WHEN SQLSTATE 'DONE0' THEN
        RETURN result;
    WHEN others THEN
        RETURN to_jsonb(SQLSTATE);
    END;
    RETURN result;
END $$;

-- who has no grant
SELECT is(rest('api_nobody', 'POST', proname), '"42501"', 'a web role without grants: ' || proname) FROM pg_proc WHERE pronamespace = 'wfml_api'::regnamespace AND pronargs - pronargdefaults = 0;
SELECT is(rest('api_nobody', 'POST', 'predict', '{"type": "late", "input": {}}'), '"42501"', 'a web role without grants: predict');

GRANT USAGE ON SCHEMA wfml_api TO api_reader, api_trainer, api_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA wfml_api TO api_trainer, api_app;
GRANT EXECUTE ON FUNCTION wfml_api.models, wfml_api.model, wfml_api.predict, wfml_api.predict_cached, wfml_api.recommendations, wfml_api.score_suggestion,
    wfml_api.detect_anomalies, wfml_api.predictions, wfml_api.health, wfml_api.model_health, wfml_api.model_metrics, wfml_api.trend, wfml_api.system_metrics TO api_reader;

-- without models: the rule answers, with the caller's sources
SELECT is(rest('api_app', 'GET', 'recommendations', '{"user_id": "nobody", "n": 2}') #>> '{1,source}', 'rule', 'recommendations without a model');
SELECT is(rest('api_app', 'POST', 'score_suggestion', '{"pattern": {"events": ["a", "b"], "users": 10}}') #>> '{0,source}', 'rule', 'suggestions/score without a model');
SELECT is(rest('api_app', 'GET', 'detect_anomalies', '{"n": 1}') #>> '{0,source}', 'rule', 'anomaly/detect without a model');

-- 3 train, 4 train-all
SELECT is(rest('api_app', 'POST', 'train', '{"type": "late", "algorithm": "linear", "source": "SELECT items, cpu_s, succeeded FROM wfml_demo.run", "target": "succeeded"}') #>> '{0,version}', '1', 'train a model of one''s own');
SELECT is(rest('api_app', 'POST', 'train', format('{"type": %s}', to_json(kind))::json) #>> '{0,model}', kind, 'train ' || kind)
FROM unnest('{suggestion_scorer,anomaly_detector,workflow_recommender}'::text[]) kind;
SELECT is(rest('api_app', 'POST', 'train', '{"type": "late", "algorithm": "linear"}'), '"22023"', 'algorithm without source');
SELECT is(rest('api_app', 'POST', 'train', '{"type": "weather"}'), '"22023"', 'no such kind');
SELECT is(rest('api_app', 'POST', 'train', '{"type": "anomaly_detector", "background": true}') #>> '{0,model}', 'anomaly_detector', 'train in the background');
SELECT is((SELECT count(r ->> 'job') FROM jsonb_array_elements(rest('api_app', 'POST', 'train_all')) r), 6::bigint, 'train-all queues every kind');
SELECT is(jsonb_array_length(rest('api_app', 'GET', 'jobs')), 7, 'which jobs() shows');
SELECT is((SELECT string_agg(DISTINCT r ->> 'message', ' ') FROM jsonb_array_elements(rest('api_trainer', 'POST', 'train_all')) r WHERE r ->> 'job' IS NULL),
    'no source is bound for events no source is bound for patterns no source is bound for runs no source is bound for suggestions no source is bound for usage', 'or says why not');
SELECT is(rest('api_app', 'GET', 'train', '{"type": "late"}'), '"405"', 'nothing is trained by GET');

-- 1 models, 2 models/{type}
SELECT is((SELECT string_agg(r ->> 'type', ' ' ORDER BY r ->> 'type') FROM jsonb_array_elements(rest('api_app', 'GET', 'models')) r), 'anomaly_detector late suggestion_scorer workflow_recommender', 'models');
SELECT is(rest('api_app', 'GET', 'model', '{"type": "late"}') #>> '{0,algorithm}', 'linear', 'models/{type}');
SELECT is(rest('api_app', 'GET', 'model', '{"type": "none"}'), '"WF001"', 'of a model that is not there');

-- a web role reads what it was granted, and no more
SELECT is(rest('api_reader', 'GET', 'models'), '[]', 'no models without a grant of them');
SELECT is(rest('api_reader', 'POST', 'predict', '{"type": "late", "input": {"items": 3}}'), '"42501"', 'nor predictions');
SELECT is(rest('api_reader', 'GET', 'recommendations', '{"user_id": "u1"}'), '"42704"', 'nor recommendations');
SELECT is(rest('api_reader', 'POST', 'train', '{"type": "late"}'), '"42501"', 'nor may it train');
SET LOCAL ROLE api_app;
SELECT wfml.grant_model(m, 'api_reader') FROM unnest('{late,suggestion_scorer,anomaly_detector,workflow_recommender}'::text[]) m \g /dev/null
SELECT wfml.grant_source(k, 'api_reader') FROM unnest('{runs,usage,workflows}'::text[]) k \g /dev/null
RESET ROLE;
SELECT is(jsonb_array_length(rest('api_reader', 'GET', 'models')), 4, 'models, granted');

-- 5 predict, 15 optimize/prediction
SELECT is(rest('api_reader', 'POST', 'predict', '{"type": "late", "input": {"items": 3, "cpu_s": 1}, "entity": "order 7"}') #>> '{0,model_version}', '1', 'predict');
SELECT is(rest('api_reader', 'POST', 'predict', '{"type": "late", "input": {"items": 3, "cpu_s": 1}, "log": false}') #> '{0,value}',
    rest('api_reader', 'POST', 'predict_cached', '{"type": "late", "input": {"items": 3, "cpu_s": 1}}') #> '{0,value}', 'optimize/prediction says the same');
SELECT is(rest('api_reader', 'GET', 'predict_cached', '{"type": "late", "input": {"items": 3, "cpu_s": 1}}') #>> '{0,model_version}', '1', 'and may be a GET');
SELECT is(rest('api_reader', 'POST', 'predict', '{"type": "late", "input": {"items": "many", "cpu_s": 1}}'), '"22P02"', 'input that cannot be read');

-- 6 recommendations, 7 suggestions/score, 8 anomaly/detect
SELECT is(r #>> '{0,source}', 'ml', 'recommendations'), is(jsonb_array_length(r), 3, 'as many as asked for'), isnt(r #>> '{0,name}', NULL, 'with names')
FROM rest('api_reader', 'GET', 'recommendations', '{"user_id": "nobody", "n": 3}') r;
SELECT is(r #>> '{0,source}', 'ml', 'suggestions/score'), ok((r #>> '{0,score}')::float8 BETWEEN 0 AND 1, 'from 0 to 1'), isnt(r #>> '{0,explanation}', NULL, 'explained')
FROM rest('api_reader', 'POST', 'score_suggestion', '{"pattern": {"events": ["a", "b"], "n_events": 2, "users": 10, "support": 0.1}}') r;
SELECT is(rest('api_reader', 'POST', 'score_suggestion', '{"pattern": {"users": 10}}'), '"22023"', 'a pattern without events');
SELECT is(r #>> '{0,source}', 'ml', 'anomaly/detect'), is(jsonb_array_length(r), 4, 'as many as asked for'), is(r #>> '{0,is_anomaly}', 'true', 'the oddest first')
FROM rest('api_reader', 'GET', 'detect_anomalies', '{"kind": "runs", "n": 4}') r;

-- 9 predictions
SELECT is(rest('api_reader', 'GET', 'predictions', '{"type": "late"}') #>> '{0,entity}', 'order 7', 'predictions: what one made');
SELECT is(jsonb_array_length(rest('api_app', 'GET', 'predictions')), 1, 'and the owner''s models');
SELECT is(rest('api_trainer', 'GET', 'predictions'), '[]', 'nothing of others''');

-- 10 health, 11 health/{type}, 12 metrics/{type}, 14 system/metrics
SELECT is(jsonb_array_length(rest('api_reader', 'GET', 'health')), 4, 'health');
SELECT is(rest('api_reader', 'GET', 'model_health', '{"type": "late"}') #>> '{0,predictions_24h}', '1', 'health/{type}');
SELECT is(rest('api_trainer', 'GET', 'model_health', '{"type": "late"}'), '"42501"', 'not of a model that was not granted');
SELECT is(r #>> '{0,training,0,metric}', 'accuracy', 'metrics/{type}: at training'), is(r #>> '{0,last_24h,predictions}', '1', 'and lately')
FROM rest('api_reader', 'GET', 'model_metrics', '{"type": "late"}') r;
SELECT is((SELECT r ->> 'value' FROM jsonb_array_elements(rest('api_reader', 'GET', 'system_metrics')) r WHERE r ->> 'metric' = 'models'), '4', 'system/metrics');

-- 13 evaluate/{type}
SELECT is(r #>> '{0,metric}', 'accuracy', 'evaluate/{type} on a source'), is(r #>> '{0,basis}', 'source', 'says so')
FROM rest('api_app', 'POST', 'evaluate', '{"type": "late", "source": "wfml_demo.run"}') r;
SELECT is(rest('api_trainer', 'POST', 'evaluate', '{"type": "late", "source": "wfml_demo.run"}'), '"42501"', 'not by who has no right on the model');
SET LOCAL ROLE api_app;
SELECT count(*) FROM wfml.log_predict('late', '{"items": 1, "cpu_s": 1}', 'x') \g /dev/null
RESET ROLE;
UPDATE wfml.prediction SET made_at = now() - interval '2 days', actual = 'true', actual_at = now() - interval '1 day';
SELECT is(r #>> '{0,basis}', 'outcomes', 'evaluate/{type} on outcomes'), is(r #>> '{0,n}', '2', 'all there are') FROM rest('api_app', 'POST', 'evaluate', '{"type": "late"}') r;

-- 16 retrain, 17 trend/{type}
SELECT is(rest('api_reader', 'POST', 'retrain', '{"type": "late"}'), '"42501"', 'retrain is not for who merely uses a model');
SELECT is(rest('api_app', 'POST', 'retrain', '{"type": "late", "force": true}') #>> '{0,activated}', 'true', 'retrain');
SELECT is(rest('api_reader', 'GET', 'trend', '{"type": "late", "bucket": "1 hour"}') #>> '{0,outcomes}', '1', 'trend/{type}: of what one may see');
SELECT is(rest('api_app', 'GET', 'trend', '{"type": "late"}') #>> '{0,outcomes}', '2', 'trend/{type}: of all, for the owner');

-- models of another role are passed over, and the rest is trained
SET LOCAL ROLE api_app;
SELECT wfml.grant_source(k, 'api_trainer') FROM unnest('{runs,usage}'::text[]) k \g /dev/null
RESET ROLE;
SELECT is((SELECT string_agg(r ->> 'message', ', ' ORDER BY r ->> 'type') FROM jsonb_array_elements(rest('api_trainer', 'POST', 'train_all')) r WHERE r ->> 'type' ~ '^(anomaly|trigger|workflow)'),
    'must be owner of model "anomaly_detector", must be owner of model "workflow_recommender"', 'train-all passes over the models of others');

-- sources given over the API are read with the caller's rights
SELECT is(rest('api_trainer', 'POST', 'train', '{"type": "mine", "algorithm": "linear", "source": "wfml_demo.run", "target": "succeeded"}'), '"42501"', 'no table that the caller may not read');
SELECT is(rest('api_trainer', 'POST', 'train', '{"type": "late", "algorithm": "linear", "source": "SELECT 1 AS x, true AS y", "target": "y"}'), '"42501"', 'no model of another''s');
SELECT is(rest('api_trainer', 'POST', 'train', '{"type": "mine", "algorithm": "linear", "source": "DELETE FROM wfml_demo.run", "target": "y"}'), '"25006"', 'nothing that writes');

SELECT * FROM finish();
ROLLBACK;
