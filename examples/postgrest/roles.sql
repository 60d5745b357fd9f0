-- Roles for wfml behind PostgREST.  Run it as a superuser in a database that has
-- the extension, once; the password comes from psql:
--     psql -v password="$AUTHENTICATOR_PASSWORD" -f roles.sql
-- What a web role may do is what is granted below, and nothing else: schema
-- wfml_api is closed, and its functions run with the role's own rights.

-- PostgREST logs in as this role and becomes the role that the token names.
CREATE ROLE authenticator LOGIN NOINHERIT PASSWORD :'password';

-- Who sends no token: may connect, and call nothing.
CREATE ROLE web_anon NOLOGIN;

-- The application: asks models.
CREATE ROLE web_reader NOLOGIN;

-- Operators: train, too.  train, evaluate and retrain take or run SQL (a source),
-- with this role's rights: give it none on tables that a trainer should not read.
CREATE ROLE web_trainer NOLOGIN IN ROLE web_reader;

GRANT web_anon, web_reader, web_trainer TO authenticator;

GRANT USAGE ON SCHEMA wfml_api TO web_reader;
GRANT EXECUTE ON FUNCTION wfml_api.models, wfml_api.model, wfml_api.predict, wfml_api.predict_cached, wfml_api.recommendations,
    wfml_api.score_suggestion, wfml_api.detect_anomalies, wfml_api.predictions, wfml_api.health, wfml_api.model_health,
    wfml_api.model_metrics, wfml_api.trend, wfml_api.system_metrics TO web_reader;
GRANT EXECUTE ON FUNCTION wfml_api.train, wfml_api.train_all, wfml_api.jobs, wfml_api.evaluate, wfml_api.retrain TO web_trainer;

-- Predictions are logged as made by the token's subject, and a subject sees his own only.
CREATE SCHEMA web;
GRANT USAGE ON SCHEMA web TO web_anon, web_reader;
CREATE FUNCTION web.begin_request() RETURNS void LANGUAGE sql
    RETURN set_config('wfml.user_id', coalesce(nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub', ''), true) IS NULL;
