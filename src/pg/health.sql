-- How the models are, in one look.
--
-- Each of the two views stands on a function that turns the just-in-time
-- compiler off: compiling these queries takes longer than running them.  The
-- function runs as the reader, over a view with the rule of access.

CREATE VIEW wfml.health_query WITH (security_barrier) AS
	WITH today AS MATERIALIZED (
		SELECT a.model, pg_catalog.count(*) AS predictions, pg_catalog.count(a.error) AS errors,
			pg_catalog.max(a.made_at) AS last_used
		FROM wfml.answers a
		WHERE a.made_at > pg_catalog.now() - interval '24 hours' AND NOT a.shadow
		GROUP BY a.model
	), facts AS MATERIALIZED (
		SELECT u.name, m.version, m.id, pg_catalog.now() - m.created_at AS age,
			coalesce(t.last_used, e.last_used) AS last_used,
			coalesce(t.predictions, 0) AS predictions, coalesce(t.errors, 0) AS errors,
			t.errors::double precision / nullif(t.predictions, 0) AS error_rate,
			l.metric, l.value AS live, l.lower AS live_lower, l.upper AS live_upper, l.outcomes, l.training,
			-- Both scores are estimates: the interval is widened by the error of the one from training.
			pg_catalog.sqrt(1 + l.outcomes / nullif(l.training_rows, 0)) AS wider,
			f.feature AS drift_feature, f.psi AS drift_psi, f.judged AS drift_judged, b.broken, b.problem, b.has_outcome, j.message AS job_error,
			NOT EXISTS (SELECT FROM pg_catalog.pg_roles a WHERE a.oid = u.owner::oid) AS orphan,
			CASE WHEN q.model IS NULL THEN interval '30 days' ELSE q.max_age END AS max_age,
			coalesce(q.max_drift, 0.25) AS max_drift
		FROM wfml.usable_model u
		LEFT JOIN wfml.ml_model m ON m.id = u.active_id
		LEFT JOIN wfml.live_score l ON l.model = u.name
		LEFT JOIN today t ON t.model = u.name
		LEFT JOIN wfml.retrain_policy q ON q.model = u.name
		LEFT JOIN LATERAL (
			SELECT pg_catalog.max(p.made_at) AS last_used
			FROM wfml.ml_model v
			CROSS JOIN LATERAL (
				SELECT p.made_at, p.made_by, p.user_id FROM wfml.prediction p
				WHERE p.model_id = v.id ORDER BY p.made_at DESC LIMIT 20) p
			WHERE v.name = u.name AND t.last_used IS NULL
				AND (u.is_owner OR pg_catalog.pg_has_role(p.made_by::oid, 'USAGE'))
				AND ((SELECT coalesce(pg_catalog.current_setting('wfml.user_id', true), '') = '')
					OR p.user_id = (SELECT pg_catalog.current_setting('wfml.user_id', true)))) e ON true
		LEFT JOIN LATERAL (
			SELECT pg_catalog.max(v.value) FILTER (WHERE v.metric = 'psi') AS judged,
				pg_catalog.max(v.value) FILTER (WHERE v.metric LIKE 'psi:%') AS psi,
				(pg_catalog.array_agg(pg_catalog.substr(v.metric, 5) ORDER BY v.value DESC, v.metric)
					FILTER (WHERE v.metric LIKE 'psi:%'))[1] AS feature
			FROM wfml.evaluation v
			WHERE v.model_id = m.id AND v.source = 'drift' AND v.value IS NOT NULL
				AND v.at = (SELECT pg_catalog.max(w.at) FROM wfml.evaluation w WHERE w.model_id = m.id AND w.source = 'drift')) f ON true
		LEFT JOIN LATERAL (
			SELECT pg_catalog.count(a.broken) AS broken, pg_catalog.min(a.broken) AS problem,
				pg_catalog.count(a.outcome_column) > 0 AS has_outcome
			FROM wfml.attachments a
			WHERE a.model = u.name) b ON true
		-- The last training of the model, where it failed and nothing newer serves.
		LEFT JOIN LATERAL (
			SELECT k.message
			FROM (SELECT r.status, r.message, r.finished_at
				FROM wfml.job_run r
				WHERE r.model_number = u.number AND u.is_owner AND r.status NOT IN ('queued', 'running', 'cancelled')
					AND (r.kind = 'retrain' OR r.kind = 'train' AND r.role::oid = u.owner::oid)
				ORDER BY r.created_at DESC
				LIMIT 1) k
			WHERE k.status = 'failed' AND (m.id IS NULL OR k.finished_at > m.created_at)) j ON true
	), judged AS (
		SELECT f.*,
			f.error_rate > 0.05 AND (f.errors >= 5 OR f.errors = f.predictions) AS failing,
			f.outcomes >= 50 AND CASE
				WHEN f.metric IN ('log_loss', 'rmse', 'mae', 'brier', 'ece')
					THEN f.training < f.live - (f.live - f.live_lower) * f.wider
				ELSE f.training > f.live + (f.live_upper - f.live) * f.wider END AS worse,
			f.drift_judged > f.max_drift AS drifts,
			f.age > f.max_age AS old
		FROM facts f
	)
	SELECT g.name, g.version,
		CASE WHEN g.orphan THEN 'orphan'
			WHEN g.id IS NULL OR g.failing OR g.broken > 0 OR g.job_error IS NOT NULL THEN 'failed'
			WHEN g.worse THEN 'degraded'
			WHEN g.drifts THEN 'drifting'
			WHEN g.old THEN 'stale'
			ELSE 'healthy' END AS status,
		pg_catalog.justify_hours(pg_catalog.date_trunc('minute', g.age)) AS age,
		pg_catalog.date_trunc('second', g.last_used) AS last_used,
		g.predictions AS predictions_24h,
		pg_catalog.round(g.error_rate::numeric, 4) AS error_rate,
		g.metric,
		pg_catalog.round(g.live::numeric, 4) AS live,
		pg_catalog.round(g.live_lower::numeric, 4) AS live_lower,
		pg_catalog.round(g.live_upper::numeric, 4) AS live_upper,
		pg_catalog.round(g.training::numeric, 4) AS training,
		g.outcomes,
		g.drift_feature,
		pg_catalog.round(g.drift_psi::numeric, 2) AS drift_psi,
		g.broken AS broken_attachments,
		CASE WHEN g.orphan THEN 'its owner is gone: wfml.reassign_models() gives it a new one'
			WHEN g.id IS NULL THEN 'no version is active: train it or wfml.activate() one'
			WHEN g.failing THEN 'see error in wfml.predictions of the last hours'
			WHEN g.broken > 0 THEN 'attached table: ' || pg_catalog.left(g.problem, 80) || '; mend it or wfml.detach()'
			WHEN g.job_error IS NOT NULL THEN 'its last training failed: ' || pg_catalog.left(g.job_error, 100)
			WHEN g.worse THEN 'worse than in training: wfml.retrain(), or look at wfml.trend() and wfml.drift() first'
			WHEN g.drifts THEN 'its input changed: wfml.retrain() once there are enough outcomes of such rows'
			WHEN g.old THEN 'older than ' || pg_catalog.justify_hours(g.max_age) || ': wfml.retrain()'
			WHEN g.predictions > 0 AND g.outcomes = 0 AND NOT g.has_outcome THEN 'nothing brings it outcomes: wfml.attach() with outcome_column does'
			WHEN g.predictions > 0 AND g.outcomes = 0 AND g.metric IN ('accuracy', 'r2') THEN 'no outcomes yet: how good its answers are is not known'
			END AS advice
	FROM judged g;
COMMENT ON VIEW wfml.health_query IS 'what wfml.health shows';
GRANT SELECT ON wfml.health_query TO PUBLIC;

CREATE FUNCTION wfml.health_rows() RETURNS SETOF wfml.health_query
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 100000 ROWS 10
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
BEGIN
	RETURN QUERY SELECT * FROM wfml.health_query;
END $$;
COMMENT ON FUNCTION wfml.health_rows() IS 'rows of wfml.health';

CREATE VIEW wfml.health WITH (security_barrier) AS
	SELECT * FROM wfml.health_rows();
COMMENT ON VIEW wfml.health IS
	'one line for each model that you may use; short form: SELECT name, status, advice FROM wfml.health. Numbers from the log count the predictions that you may see';
COMMENT ON COLUMN wfml.health.status IS
	'the first of these that holds: orphan: its owner was dropped (superusers see such models) · failed: no active version, more than 5 % of the predictions of 24 hours not answered by the model (5 at least, or all), a broken attachment, or the last training failed (the owner sees that) · degraded: with 50 outcomes or more the training score lies outside, on the better side, of the 95 % interval of the difference · drifting: the last drift() found one feature or more that drift, with a PSI above the policy''s max_drift, 0.25 without one · stale: older than the policy''s max_age, 30 days without a policy · healthy';
COMMENT ON COLUMN wfml.health.age IS 'since the active version was trained';
COMMENT ON COLUMN wfml.health.last_used IS 'latest logged prediction; those that are not logged leave no trace';
COMMENT ON COLUMN wfml.health.error_rate IS 'share of the predictions of 24 hours that the model itself could not answer, 0..1';
COMMENT ON COLUMN wfml.health.live IS 'the metric on the latest outcomes, as in wfml.live_score; live_lower and live_upper are its 95 % interval';
COMMENT ON COLUMN wfml.health.drift_psi IS 'population stability index of the feature that drifts most; above 0.1 moderate, above 0.25 drifting';
GRANT SELECT ON wfml.health TO PUBLIC;

CREATE VIEW wfml.metrics_24h_query WITH (security_barrier) AS
	WITH today AS MATERIALIZED (
		SELECT a.model, pg_catalog.count(*) AS predictions,
			pg_catalog.percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY a.latency_us) AS latency,
			pg_catalog.count(*) FILTER (WHERE a.source = 'cache') AS cache_hits,
			pg_catalog.count(*) FILTER (WHERE a.source = 'fallback') AS fallbacks,
			pg_catalog.count(a.error) AS errors,
			pg_catalog.avg(a.confidence) AS confidence
		FROM wfml.answers a
		WHERE a.made_at > pg_catalog.now() - interval '24 hours' AND NOT a.shadow
		GROUP BY a.model
	)
	SELECT u.name, coalesce(t.predictions, 0) AS predictions,
		pg_catalog.round((t.latency[1] / 1000)::numeric, 3) AS p50_ms,
		pg_catalog.round((t.latency[2] / 1000)::numeric, 3) AS p95_ms,
		pg_catalog.round((t.latency[3] / 1000)::numeric, 3) AS p99_ms,
		coalesce(t.cache_hits, 0) AS cache_hits,
		pg_catalog.round(t.fallbacks::numeric / t.predictions, 4) AS fallback_rate,
		pg_catalog.round(t.errors::numeric / t.predictions, 4) AS error_rate,
		pg_catalog.round(t.confidence::numeric, 4) AS mean_confidence,
		l.metric, pg_catalog.round(l.value::numeric, 4) AS live, l.outcomes
	FROM wfml.usable_model u
	LEFT JOIN today t ON t.model = u.name
	LEFT JOIN wfml.live_score l ON l.model = u.name;
COMMENT ON VIEW wfml.metrics_24h_query IS 'what wfml.metrics_24h shows';
GRANT SELECT ON wfml.metrics_24h_query TO PUBLIC;

CREATE FUNCTION wfml.metrics_24h_rows() RETURNS SETOF wfml.metrics_24h_query
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 100000 ROWS 10
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
BEGIN
	RETURN QUERY SELECT * FROM wfml.metrics_24h_query;
END $$;
COMMENT ON FUNCTION wfml.metrics_24h_rows() IS 'rows of wfml.metrics_24h';

CREATE VIEW wfml.metrics_24h WITH (security_barrier) AS
	SELECT * FROM wfml.metrics_24h_rows();
COMMENT ON VIEW wfml.metrics_24h IS
	'the logged predictions of the last 24 hours of each model that you may use, all its versions together, as far as you may see them; without shadow predictions. live is the score of wfml.live_score, whose outcomes may be older';
COMMENT ON COLUMN wfml.metrics_24h.p50_ms IS 'milliseconds that half of the predictions stayed below; predictions whose time was not measured are left out';
COMMENT ON COLUMN wfml.metrics_24h.cache_hits IS 'predictions answered from the prediction cache';
COMMENT ON COLUMN wfml.metrics_24h.fallback_rate IS 'share that the model''s rule answered, 0..1';
COMMENT ON COLUMN wfml.metrics_24h.error_rate IS 'share that the model itself could not answer, 0..1';
GRANT SELECT ON wfml.metrics_24h TO PUBLIC;

-- ---- the database ----

-- Totals tell nothing of single models, so everybody may see them.
CREATE FUNCTION wfml.counter_totals(OUT counter text, OUT value numeric) RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_counter_totals';
COMMENT ON FUNCTION wfml.counter_totals() IS
	'counts of all sessions of this database since the server started, all models together';

CREATE VIEW wfml.system_metrics WITH (security_barrier) AS
	SELECT c.counter AS metric, c.value, 'since server start'::text AS unit, 'all sessions of this database'::text AS covers
	FROM wfml.counter_totals() c
	UNION ALL
	SELECT v.metric, v.value, v.unit, 'models that you may use'
	FROM (SELECT pg_catalog.count(DISTINCT u.name) AS models, pg_catalog.count(m.id) AS versions,
			coalesce(pg_catalog.sum(m.artifact_bytes), 0) AS bytes
		FROM wfml.usable_model u LEFT JOIN wfml.ml_model m ON m.name = u.name) s
	CROSS JOIN LATERAL (VALUES ('models', s.models::numeric, 'models'), ('versions', s.versions, 'versions'),
		('artifact_bytes', s.bytes, 'bytes')) v (metric, value, unit)
	UNION ALL
	SELECT v.metric, v.value, v.unit, 'the table of predictions'
	FROM pg_catalog.pg_class t
	CROSS JOIN LATERAL (VALUES ('log_rows', greatest(t.reltuples, 0)::numeric, 'rows, estimated by the last ANALYZE'),
		('log_bytes', pg_catalog.pg_total_relation_size(t.oid)::numeric, 'bytes with indexes')) v (metric, value, unit)
	WHERE t.oid = 'wfml.prediction'::pg_catalog.regclass
	UNION ALL
	SELECT v.metric, v.value, v.unit, 'jobs of yours and of your models'
	FROM (SELECT pg_catalog.count(*) FILTER (WHERE j.status = 'running') AS running,
			pg_catalog.count(*) FILTER (WHERE j.status = 'queued') AS queued,
			pg_catalog.count(*) FILTER (WHERE j.status = 'failed'
				AND coalesce(j.finished_at, j.started_at, j.created_at) > pg_catalog.now() - interval '24 hours') AS failed
		FROM wfml.jobs j) s
	CROSS JOIN LATERAL (VALUES ('jobs_running', s.running::numeric, 'jobs'), ('jobs_queued', s.queued, 'jobs'),
		('jobs_failed_24h', s.failed, 'jobs')) v (metric, value, unit)
	UNION ALL
	SELECT v.metric, v.value, v.unit, 'this session'
	FROM (SELECT pg_catalog.count(*) AS models, coalesce(pg_catalog.sum(c.size), 0) AS bytes FROM wfml.cache_stats() c) s
	CROSS JOIN LATERAL (VALUES ('cached_models', s.models::numeric, 'models'), ('cached_bytes', s.bytes, 'bytes')) v (metric, value, unit);
COMMENT ON VIEW wfml.system_metrics IS
	'a line for each measurement; covers says of what: counts are kept in shared memory by all sessions of this database that use wfml, each adding its own when a transaction ends, and start again with the server (no line until then); predictions and errors count what models did: a row that attach() has both filled and logged counts twice; the rest is read from tables that you may see';
GRANT SELECT ON wfml.system_metrics TO PUBLIC;
