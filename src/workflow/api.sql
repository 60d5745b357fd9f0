-- The functions of a REST layer (PostgREST: POST /rpc/<name>, GET for those that
-- are STABLE): scalar or jsonb arguments by name, no overloads, tables or jsonb
-- back.  All run with the caller's rights, and nobody may call one until he is
-- granted it: a web role gets what it needs, one by one.

CREATE SCHEMA wfml_api;
COMMENT ON SCHEMA wfml_api IS
	'wfml for a REST layer: grant USAGE on it, and EXECUTE on the functions that a role needs. They run with the caller''s rights, so models and sources must be granted too (wfml.grant_model(), wfml.grant_source())';

-- ---- models ----

CREATE FUNCTION wfml_api.models()
	RETURNS TABLE (type text, version integer, algorithm text, task text, metric text, score numeric, baseline numeric,
		rows bigint, size text, age interval, owner text, comment text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN QUERY SELECT m.name, m.version, m.algorithm, m.task, m.metric, m.score, m.baseline, m.rows, m.size, m.age, m.owner::text, m.comment
		FROM wfml.models m ORDER BY m.name;
END $$;
COMMENT ON FUNCTION wfml_api.models() IS 'GET /models: the models that the caller may use, with their active versions';

CREATE FUNCTION wfml_api.model(type text) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN wfml.model_info(type);
END $$;
COMMENT ON FUNCTION wfml_api.model(text) IS 'GET /models/{type}: all that wfml.model_info() says of a model, or of type@version';

CREATE FUNCTION wfml_api.train(type text, params jsonb DEFAULT '{}', algorithm text DEFAULT NULL, source text DEFAULT NULL,
	target text DEFAULT NULL, background boolean DEFAULT false) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	summary wfml.training_summary;
	job bigint;
BEGIN
	IF (algorithm IS NULL) <> (source IS NULL) THEN
		RAISE invalid_parameter_value USING MESSAGE = 'algorithm and source go together',
			HINT = 'Give both to train a model of your own, or neither for a kind that wfml.workflow_kinds() lists.';
	END IF;
	IF background THEN
		IF source IS NULL THEN
			job := wfml.queue_job('train_one', type, jsonb_build_object('params', coalesce(params, '{}')));
		ELSE
			job := wfml.train_background(type, algorithm, source, target, coalesce(params, '{}'));
		END IF;
		RETURN jsonb_build_object('model', type, 'job', job);
	END IF;
	IF source IS NULL THEN
		SELECT * INTO summary FROM wfml.train_one(type, coalesce(params, '{}'));
	ELSE
		SELECT * INTO summary FROM wfml.train(type, algorithm, source, target, coalesce(params, '{}'));
	END IF;
	RETURN to_jsonb(summary);
END $$;
COMMENT ON FUNCTION wfml_api.train(text, jsonb, text, text, text, boolean) IS
	'POST /train: train a kind of wfml.workflow_kinds() from the source bound for it, or any model from a source (a table or a query, run with the caller''s rights: grant this to roles that may send SQL anyway). With background the answer is a job of wfml_api.jobs()';

CREATE FUNCTION wfml_api.train_all(params jsonb DEFAULT '{}') RETURNS TABLE (type text, job bigint, message text)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	kind record;
BEGIN
	FOR kind IN SELECT k.kind, k.needs FROM wfml.workflow_kinds() k WHERE k.is_model ORDER BY k.step LOOP
		type := kind.kind;
		job := NULL;
		message := NULL;
		IF NOT wfml.has_source(kind.needs) THEN
			message := format('no source is bound for %s', kind.needs);
		ELSE
			BEGIN
				job := wfml.queue_job('train_one', kind.kind, jsonb_build_object('params', coalesce(params -> kind.kind, '{}')));
			EXCEPTION WHEN insufficient_privilege THEN
				-- another role's model: the others are trained all the same
				message := SQLERRM;
			END;
		END IF;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION wfml_api.train_all(jsonb) IS
	'POST /train-all: queue the training of every kind whose source is bound, each a background job in a transaction of its own (CALL wfml.train_all() commits, which no request can); wfml_api.jobs() tells how they go. message says why a kind has no job: its source is not bound, or its model is another role''s';

CREATE FUNCTION wfml_api.jobs(n integer DEFAULT 20)
	RETURNS TABLE (job bigint, kind text, type text, status text, phase text, percent numeric, version integer, message text,
		created_at timestamptz, finished_at timestamptz, result jsonb)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN QUERY SELECT j.id, j.kind, j.model, j.status, j.phase, j.percent, j.version, j.message, j.created_at, j.finished_at, j.result
		FROM wfml.jobs j ORDER BY j.id DESC LIMIT n;
END $$;
COMMENT ON FUNCTION wfml_api.jobs(integer) IS 'GET /jobs: the newest background jobs of the caller and of his models';

CREATE FUNCTION wfml_api.retrain(type text, force boolean DEFAULT false) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	summary wfml.retrain_summary;
BEGIN
	SELECT * INTO summary FROM wfml.retrain(type, coalesce(force, false));
	RETURN to_jsonb(summary);
END $$;
COMMENT ON FUNCTION wfml_api.retrain(text, boolean) IS
	'POST /retrain: train a model again from its stored source; the new version is activated if it is no worse on fresh rows, or with force';

-- ---- answers ----

CREATE FUNCTION wfml_api.predict(type text, input jsonb, entity text DEFAULT NULL, log boolean DEFAULT true) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	AS $$
DECLARE
	answer wfml.prediction_detail;
BEGIN
	IF log THEN
		answer := wfml.log_predict(type, input, entity);
	ELSE
		answer := wfml.predict_detail(type, input);
	END IF;
	RETURN pg_catalog.to_jsonb(answer);
END $$;
COMMENT ON FUNCTION wfml_api.predict(text, jsonb, text, boolean) IS
	'POST /predict: a prediction for a JSON object, logged in wfml.predictions with what it is about (entity) unless log is false';

CREATE FUNCTION wfml_api.predict_cached(type text, input jsonb) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	AS $$
BEGIN
	RETURN pg_catalog.to_jsonb(wfml.predict_cached(type, input));
END $$;
COMMENT ON FUNCTION wfml_api.predict_cached(text, jsonb) IS
	'POST /optimize/prediction: a prediction that is not logged, from the session''s cache when the same was asked before';

CREATE FUNCTION wfml_api.recommendations(user_id text, n integer DEFAULT 5)
	RETURNS TABLE (workflow_id text, name text, score double precision, reason text, source text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 5
	AS $$
BEGIN
	RETURN QUERY SELECT r.workflow_id, r.name, r.score, r.reason, r.source FROM wfml.recommend_workflows(recommendations.user_id, recommendations.n) r;
END $$;
COMMENT ON FUNCTION wfml_api.recommendations(text, integer) IS 'GET /recommendations: workflows that a user may like, best first (wfml.recommend_workflows())';

CREATE FUNCTION wfml_api.score_suggestion(pattern jsonb) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	AS $$
DECLARE
	asked CONSTANT wfml.pattern := pg_catalog.jsonb_populate_record(NULL::wfml.pattern, pattern);
BEGIN
	IF asked.events IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'a pattern needs its events',
			HINT = 'Give {"events": ["a", "b"], "n_events": 2, "support": 0.1, "users": 7, …}, the columns of type wfml.pattern.';
	END IF;
	RETURN (SELECT pg_catalog.to_jsonb(s) FROM wfml.score_suggestion(asked) s);
END $$;
COMMENT ON FUNCTION wfml_api.score_suggestion(jsonb) IS
	'POST /suggestions/score: how good it would be to automate a pattern, an object with the columns of type wfml.pattern, and why (wfml.score_suggestion())';

CREATE FUNCTION wfml_api.detect_anomalies(kind text DEFAULT 'runs', since timestamptz DEFAULT NULL, n integer DEFAULT 20)
	RETURNS TABLE (entity text, score double precision, confidence double precision, is_anomaly boolean, reasons text[], source text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 20
	AS $$
BEGIN
	RETURN QUERY SELECT a.entity, a.score, a.confidence, a.is_anomaly, a.reasons, a.source
		FROM wfml.detect_anomalies(detect_anomalies.kind, detect_anomalies.since, detect_anomalies.n) a;
END $$;
COMMENT ON FUNCTION wfml_api.detect_anomalies(text, timestamptz, integer) IS
	'GET /anomaly/detect: the oddest runs, or what users did most unusually (kind patterns), and why (wfml.detect_anomalies())';

-- ---- what was predicted, and how well ----

CREATE FUNCTION wfml_api.predictions(type text DEFAULT NULL, since timestamptz DEFAULT '-infinity', n integer DEFAULT 100)
	RETURNS TABLE (id bigint, model text, version integer, made_at timestamptz, entity text, value double precision, label text,
		confidence double precision, source text, latency_us integer, actual text, actual_at timestamptz)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN QUERY SELECT p.id, p.model, p.version, p.made_at, p.entity, p.value, p.label, p.confidence, p.source, p.latency_us, p.actual, p.actual_at
		FROM wfml.predictions p
		WHERE (predictions.type IS NULL OR p.model = predictions.type) AND p.made_at >= coalesce(predictions.since, '-infinity') AND NOT p.shadow
		-- by id, which has an index for all of the log: the order of time but for what was logged at once
		ORDER BY p.id DESC LIMIT predictions.n;
END $$;
COMMENT ON FUNCTION wfml_api.predictions(text, timestamptz, integer) IS
	'GET /predictions: the newest logged predictions that the caller may see (wfml.predictions), with their outcomes';

CREATE FUNCTION wfml_api.health()
	RETURNS TABLE (type text, version integer, status text, age interval, last_used timestamptz, predictions_24h bigint, error_rate numeric,
		metric text, live numeric, training numeric, outcomes bigint, advice text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN QUERY SELECT h.name, h.version, h.status, h.age, h.last_used, h.predictions_24h, h.error_rate, h.metric, h.live, h.training, h.outcomes, h.advice
		FROM wfml.health h ORDER BY h.name;
END $$;
COMMENT ON FUNCTION wfml_api.health() IS 'GET /health: how the models that the caller may use are doing, and what to do (wfml.health)';

CREATE FUNCTION wfml_api.model_health(type text) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	-- an unknown model is an error, as elsewhere
	PERFORM wfml.version_id(type);
	RETURN (SELECT to_jsonb(h) FROM wfml.health h WHERE h.name = type);
END $$;
COMMENT ON FUNCTION wfml_api.model_health(text) IS 'GET /health/{type}: all of the model''s row in wfml.health';

CREATE FUNCTION wfml_api.model_metrics(type text) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	PERFORM wfml.version_id(type);
	RETURN jsonb_build_object('type', type,
		'training', (SELECT coalesce(jsonb_agg(to_jsonb(m)), '[]') FROM wfml.metrics(type) m),
		'live', (SELECT coalesce(jsonb_agg(to_jsonb(l)), '[]') FROM wfml.live_scores(type) l),
		'last_24h', (SELECT to_jsonb(d) FROM wfml.metrics_24h d WHERE d.name = type));
END $$;
COMMENT ON FUNCTION wfml_api.model_metrics(text) IS
	'GET /metrics/{type}: scores on held-out rows at training, scores on outcomes since then, and traffic and latency of the last 24 hours';

CREATE FUNCTION wfml_api.evaluate(type text, source text DEFAULT NULL, target text DEFAULT NULL)
	RETURNS TABLE (version integer, metric text, value double precision, lower double precision, upper double precision, n bigint, basis text)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
BEGIN
	IF evaluate.source IS NULL THEN
		RETURN QUERY SELECT l.version, l.metric, l.value, l.lower, l.upper, l.n, 'outcomes' FROM wfml.live_scores(evaluate.type) l;
	ELSE
		RETURN QUERY SELECT (wfml.model_info(evaluate.type) ->> 'version')::integer, e.metric, e.value, NULL::double precision, NULL::double precision, NULL::bigint, 'source'
			FROM wfml.evaluate(evaluate.type, evaluate.source, evaluate.target) e;
	END IF;
END $$;
COMMENT ON FUNCTION wfml_api.evaluate(text, text, text) IS
	'POST /evaluate/{type}: scores of a model on the outcomes of its logged predictions, or on the rows of a source (a table or a query, run with the caller''s rights)';

CREATE FUNCTION wfml_api.trend(type text, bucket interval DEFAULT '1 day', since timestamptz DEFAULT NULL)
	RETURNS TABLE (at timestamptz, version integer, predictions bigint, outcomes bigint, metric text, live double precision,
		mean_confidence double precision, fallback_rate double precision, p95_ms double precision)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN QUERY SELECT t.at, t.version, t.predictions, t.outcomes, t.metric, t.live, t.mean_confidence, t.fallback_rate, t.p95_ms
		FROM wfml.trend(trend.type, trend.bucket, coalesce(trend.since, now() - interval '90 days')) t ORDER BY t.at, t.version;
END $$;
COMMENT ON FUNCTION wfml_api.trend(text, interval, timestamptz) IS 'GET /trend/{type}: how a model''s use and its scores went over time (wfml.trend())';

CREATE FUNCTION wfml_api.system_metrics() RETURNS TABLE (metric text, value numeric, unit text, covers text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN QUERY SELECT s.metric, s.value, s.unit, s.covers FROM wfml.system_metrics s;
END $$;
COMMENT ON FUNCTION wfml_api.system_metrics() IS 'GET /system/metrics: memory, caches, models and jobs (wfml.system_metrics)';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA wfml_api FROM PUBLIC;
