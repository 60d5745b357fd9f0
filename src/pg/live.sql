-- The prediction log against what really happened.

CREATE FUNCTION wfml.outcome_number(outcome text) RETURNS double precision
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_outcome_number';
COMMENT ON FUNCTION wfml.outcome_number(text) IS 'number that a logged outcome reads as, of an interval its seconds; NULL when it is neither';

-- The rule of wfml.predictions, over models that the reader may use, reached
-- through the index on model and time.  The sub-selects are evaluated once.
CREATE VIEW wfml.answers WITH (security_barrier) AS
	SELECT u.name AS model, m.version, m.task, p.made_at, p.source, p.shadow, p.latency_us, p.error,
		p.value, p.lower, p.upper, p.label, p.confidence, p.actual, p.actual_at,
		greatest(p.actual_at - p.made_at, interval '0') AS delay,
		p.label = p.actual AS correct,
		p.actual = m.positive AS happened,
		CASE WHEN m.task = 'regression' THEN wfml.outcome_number(p.actual) END AS outcome
	FROM wfml.usable_model u
	JOIN wfml.ml_model m ON m.name = u.name
	JOIN wfml.prediction p ON p.model_id = m.id
	WHERE (u.is_owner OR pg_catalog.pg_has_role(p.made_by::oid, 'USAGE'))
		AND ((SELECT coalesce(pg_catalog.current_setting('wfml.user_id', true), '') = '')
			OR p.user_id = (SELECT pg_catalog.current_setting('wfml.user_id', true)))
	UNION ALL
	SELECT u.name, p.version, NULL, p.made_at, p.source, p.shadow, p.latency_us, p.error,
		p.value, p.lower, p.upper, p.label, p.confidence, p.actual, p.actual_at,
		greatest(p.actual_at - p.made_at, interval '0'), p.label = p.actual, NULL, NULL
	FROM wfml.prediction p
	JOIN wfml.usable_model u ON u.number = p.model_number
	WHERE p.model_id IS NULL
		AND (u.is_owner OR pg_catalog.pg_has_role(p.made_by::oid, 'USAGE'))
		AND ((SELECT coalesce(pg_catalog.current_setting('wfml.user_id', true), '') = '')
			OR p.user_id = (SELECT pg_catalog.current_setting('wfml.user_id', true)));
COMMENT ON VIEW wfml.answers IS
	'logged predictions that you may see, of the models that you may use, ready for the metrics: SELECT wfml.accuracy(actual, label), wfml.auc(happened, value) FROM wfml.answers WHERE model = ''m'' AND version = 2. Asked by model and made_at it is fast; version is NULL where a rule answered';
COMMENT ON COLUMN wfml.answers.delay IS 'from the prediction until its outcome was known';
COMMENT ON COLUMN wfml.answers.correct IS 'classification: the label was right';
COMMENT ON COLUMN wfml.answers.happened IS 'two classes: the outcome was the positive class, whose probability is value';
COMMENT ON COLUMN wfml.answers.outcome IS 'regression: the outcome as a number, an interval in seconds';
GRANT SELECT ON wfml.answers TO PUBLIC;

-- How long outcomes take, from at most 25 predictions every fourth day of the
-- last 92: a look at all of them would read the whole log.  Early outcomes are
-- not those of all predictions, so nothing younger than this is scored.
CREATE VIEW wfml.outcome_delay WITH (security_barrier) AS
	SELECT u.name AS model, d.outcomes, d.delay
	FROM wfml.usable_model u
	CROSS JOIN LATERAL (
		SELECT pg_catalog.count(*) AS outcomes,
			pg_catalog.percentile_disc(0.95) WITHIN GROUP (ORDER BY greatest(s.actual_at - s.made_at, interval '0')) AS delay
		FROM wfml.ml_model m
		CROSS JOIN pg_catalog.generate_series(0, 22) AS back (step)
		CROSS JOIN LATERAL (
			SELECT p.made_at, p.actual_at, p.made_by, p.user_id
			FROM wfml.prediction p
			WHERE p.model_id = m.id
				AND p.made_at <= pg_catalog.now() - back.step * interval '4 days'
				AND p.made_at > pg_catalog.now() - (back.step + 1) * interval '4 days'
			ORDER BY p.made_at DESC
			LIMIT 25) s
		WHERE m.name = u.name AND s.actual_at IS NOT NULL
			AND (u.is_owner OR pg_catalog.pg_has_role(s.made_by::oid, 'USAGE'))
			AND ((SELECT coalesce(pg_catalog.current_setting('wfml.user_id', true), '') = '')
				OR s.user_id = (SELECT pg_catalog.current_setting('wfml.user_id', true)))) d;
COMMENT ON VIEW wfml.outcome_delay IS
	'95th percentile of the time until the outcome of a prediction is known, for the models that you may use, from at most 25 predictions of every fourth day of the last 92. Live scores leave younger predictions out: outcomes that come early are not like all';
GRANT SELECT ON wfml.outcome_delay TO PUBLIC;

-- ---- intervals ----

CREATE FUNCTION wfml.wilson_interval(share double precision, n bigint,
	OUT lower double precision, OUT upper double precision)
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT greatest((share + z.zz / (2 * n) - z.half) / (1 + z.zz / n), 0),
		least((share + z.zz / (2 * n) + z.half) / (1 + z.zz / n), 1)
	FROM (SELECT 3.841458820694124 AS zz,
			1.959963984540054 * pg_catalog.sqrt(share * (1 - share) / n + 3.841458820694124 / (4.0::double precision * n * n)) AS half) z
	WHERE n > 0;
END;
COMMENT ON FUNCTION wfml.wilson_interval(double precision, bigint) IS '95 % interval of a share of n rows (Wilson 1927)';

CREATE FUNCTION wfml.auc_error(auc double precision, positives bigint, negatives bigint) RETURNS double precision
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT pg_catalog.sqrt((auc * (1 - auc) + (positives - 1) * (auc / (2 - auc) - auc * auc)
				+ (negatives - 1) * (2 * auc * auc / (1 + auc) - auc * auc))
			/ (positives::double precision * negatives))
	WHERE positives > 0 AND negatives > 0;
END;
COMMENT ON FUNCTION wfml.auc_error(double precision, bigint, bigint) IS 'standard error of an area under the ROC curve (Hanley and McNeil 1982)';

-- Which version a name means: NULL for all of them.  Raises the error for a
-- model that the caller may not use.
CREATE FUNCTION wfml.version_asked(model text) RETURNS integer
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF model IS NULL THEN
		RAISE EXCEPTION 'argument "model" must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF position('@' IN model) = 0 AND EXISTS (SELECT FROM wfml.models m WHERE m.name = model) THEN
		RETURN NULL;
	END IF;
	RETURN (SELECT v.version FROM wfml.versions v WHERE v.id = wfml.version_id(model));
END $$;
COMMENT ON FUNCTION wfml.version_asked(text) IS 'version in name@version; NULL for a bare name; an error for a model that you may not use';

-- The active version of each model: its first metric on the latest outcomes.
CREATE VIEW wfml.live_score WITH (security_barrier) AS
	SELECT u.name AS model, m.version, h.metric, s.value, s.lower, s.upper, s.outcomes, h.training,
		-- The training score is an estimate too, from this many rows.
		CASE WHEN h.split IN ('cv', 'oob') THEN m.training_rows
			WHEN h.split = 'fresh' THEN (m.metrics #>> '{0,rows}')::double precision
			ELSE m.training_rows * coalesce(wfml.outcome_number(m.params ->> 'test_fraction'), 0.2) END AS training_rows
	FROM wfml.usable_model u
	JOIN wfml.ml_model m ON m.id = u.active_id
	JOIN wfml.outcome_delay d ON d.model = u.name
	CROSS JOIN LATERAL (
		SELECT m.metrics #>> '{0,metric}' AS metric,
			(m.metrics #>> '{0,value}')::double precision AS training,
			m.metrics #>> '{0,split}' AS split
		WHERE m.metrics #>> '{0,split}' IS DISTINCT FROM 'inner'
		UNION ALL
		SELECT NULL, NULL, NULL
		LIMIT 1) h
	CROSS JOIN LATERAL (
		SELECT pg_catalog.count(*) AS outcomes,
			pg_catalog.avg(w.hit) AS accuracy,
			pg_catalog.avg(w.squared) AS mse,
			1.959963984540054 * pg_catalog.stddev_samp(w.squared) / pg_catalog.sqrt(pg_catalog.count(w.squared)::double precision) AS mse_half,
			nullif(pg_catalog.var_pop(w.outcome), 0) AS variance
		FROM (
			SELECT CASE WHEN r.label = r.actual THEN 1.0::double precision ELSE 0 END AS hit,
				o.outcome, (o.outcome - r.value) * (o.outcome - r.value) AS squared
			FROM (
				-- Bounded on one side only, so that the planner sees how much sooner the limit ends an index scan.
				SELECT p.value, p.label, p.actual, p.made_at, p.made_by, p.user_id
				FROM wfml.prediction p
				WHERE p.model_id = m.id
					AND p.made_at <= pg_catalog.now() - coalesce(d.delay, interval '0')
				ORDER BY p.made_at DESC
				LIMIT 3000) r
			CROSS JOIN LATERAL (
				SELECT CASE WHEN m.task = 'regression' THEN wfml.outcome_number(r.actual) END AS outcome) o
			WHERE r.made_at > pg_catalog.now() - coalesce(d.delay, interval '0') - interval '30 days'
				AND CASE WHEN m.task = 'regression' THEN o.outcome - r.value IS NOT NULL
					ELSE r.label IS NOT NULL AND r.actual IS NOT NULL END
				AND (u.is_owner OR pg_catalog.pg_has_role(r.made_by::oid, 'USAGE'))
				AND ((SELECT coalesce(pg_catalog.current_setting('wfml.user_id', true), '') = '')
					OR r.user_id = (SELECT pg_catalog.current_setting('wfml.user_id', true)))) w) a
	CROSS JOIN LATERAL (
		SELECT a.accuracy AS value, i.lower, i.upper, a.outcomes
		FROM wfml.wilson_interval(a.accuracy, a.outcomes) i
		WHERE h.metric = 'accuracy'
		UNION ALL
		SELECT 1 - a.mse / a.variance, 1 - (a.mse + a.mse_half) / a.variance, 1 - (a.mse - a.mse_half) / a.variance, a.outcomes
		WHERE h.metric = 'r2'
		UNION ALL
		SELECT NULL, NULL, NULL, a.outcomes
		LIMIT 1) s;
COMMENT ON VIEW wfml.live_score IS
	'the first metric of each active version on its latest outcomes: among the last 3,000 predictions of 30 days, those younger than wfml.outcome_delay left out. lower and upper are a 95 % interval, as in wfml.live_scores(); training is the score when it was trained, estimated from training_rows rows';
GRANT SELECT ON wfml.live_score TO PUBLIC;

-- Every metric, of each version, over any time.
CREATE FUNCTION wfml.live_scores(model text, since timestamptz DEFAULT NULL,
	until timestamptz DEFAULT 'infinity',
	OUT version integer, OUT metric text, OUT value double precision,
	OUT lower double precision, OUT upper double precision, OUT n bigint)
	RETURNS SETOF record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 10000 ROWS 20
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	name_asked CONSTANT text := split_part($1, '@', 1);
	version_asked CONSTANT integer := wfml.version_asked($1);
	cutoff timestamptz;
	beginning timestamptz;
BEGIN
	SELECT least(coalesce(until, 'infinity'), now() - coalesce(d.delay, interval '0')) INTO cutoff
	FROM wfml.outcome_delay d WHERE d.model = name_asked;
	beginning := coalesce(since, cutoff - interval '30 days');
	RETURN QUERY
	WITH scored AS MATERIALIZED (
		SELECT a.*, a.outcome - a.value AS residual,
			-ln(greatest(CASE WHEN a.happened THEN a.value ELSE 1 - a.value END, 1e-15)) AS surprise,
			(a.happened::integer - a.value) ^ 2 AS squared_miss,
			CASE WHEN a.task = 'anomaly' THEN CASE WHEN lower(a.actual) IN ('true', 't', '1', 'yes') THEN true
				WHEN lower(a.actual) IN ('false', 'f', '0', 'no') THEN false END END AS was_odd
		FROM wfml.answers a
		WHERE a.model = name_asked AND a.made_at >= beginning AND a.made_at <= cutoff
			AND a.actual IS NOT NULL AND a.task IS NOT NULL
			AND (version_asked IS NULL OR a.version = version_asked)
	), summed AS (
		SELECT s.version, s.task,
			count(s.correct) AS labels, wfml.accuracy(s.actual, s.label) AS accuracy,
			count(s.happened) FILTER (WHERE s.value IS NOT NULL) AS binary,
			count(*) FILTER (WHERE s.happened AND s.value IS NOT NULL) AS positives,
			wfml.log_loss(s.happened, s.value) AS log_loss, stddev_samp(s.surprise) AS log_loss_sd,
			wfml.auc(coalesce(s.happened, s.was_odd), s.value) AS auc,
			wfml.brier(s.happened, s.value) AS brier, stddev_samp(s.squared_miss) AS brier_sd,
			CASE WHEN count(s.happened) > 0 THEN wfml.ece(s.happened, s.value, 10)
				ELSE wfml.ece(s.correct, s.confidence, 10) END AS ece,
			count(s.residual) AS numbers,
			wfml.r2(s.outcome, s.value) AS r2, wfml.rmse(s.outcome, s.value) AS rmse, wfml.mae(s.outcome, s.value) AS mae,
			stddev_samp(abs(s.residual)) AS mae_sd, stddev_samp(s.residual * s.residual) AS mse_sd,
			nullif(var_pop(s.outcome) FILTER (WHERE s.residual IS NOT NULL), 0) AS variance,
			count(*) FILTER (WHERE s.outcome IS NOT NULL AND s.lower IS NOT NULL AND s.upper IS NOT NULL) AS intervals,
			avg((s.outcome BETWEEN s.lower AND s.upper)::integer)::double precision AS coverage,
			count(s.was_odd) AS odd_known, count(*) FILTER (WHERE s.was_odd AND s.value IS NOT NULL) AS odd
		FROM scored s
		GROUP BY s.version, s.task
	)
	SELECT s.version, l.metric, l.value, l.lower, l.upper, l.n
	FROM summed s
	CROSS JOIN LATERAL (
		SELECT 1.959963984540054 / sqrt(nullif(s.binary, 0)::double precision) AS of_binary,
			1.959963984540054 / sqrt(nullif(s.numbers, 0)::double precision) AS of_numbers) half
	CROSS JOIN LATERAL (
		SELECT 1, 'accuracy', s.accuracy, w.lower, w.upper, s.labels
		FROM wfml.wilson_interval(s.accuracy, s.labels) w WHERE s.task = 'classification' AND s.labels > 0
		UNION ALL
		SELECT 2, 'log_loss', s.log_loss, s.log_loss - half.of_binary * s.log_loss_sd,
			s.log_loss + half.of_binary * s.log_loss_sd, s.binary
		WHERE s.binary > 0
		UNION ALL
		SELECT 3, 'auc', s.auc, greatest(s.auc - 1.959963984540054 * e.error, 0),
			least(s.auc + 1.959963984540054 * e.error, 1), s.binary + s.odd_known
		FROM wfml.auc_error(s.auc, s.positives + s.odd, s.binary - s.positives + s.odd_known - s.odd) AS e (error)
		WHERE s.auc <> double precision 'NaN'
		UNION ALL
		SELECT 4, 'brier', s.brier, s.brier - half.of_binary * s.brier_sd, s.brier + half.of_binary * s.brier_sd, s.binary
		WHERE s.binary > 0
		UNION ALL
		SELECT 5, 'ece', s.ece, NULL, NULL, s.labels WHERE s.task = 'classification' AND s.ece IS NOT NULL
		UNION ALL
		SELECT 6, 'r2', s.r2, 1 - (s.rmse * s.rmse + half.of_numbers * s.mse_sd) / s.variance,
			1 - (s.rmse * s.rmse - half.of_numbers * s.mse_sd) / s.variance, s.numbers
		WHERE s.numbers > 0
		UNION ALL
		SELECT 7, 'rmse', s.rmse, sqrt(greatest(s.rmse * s.rmse - half.of_numbers * s.mse_sd, 0)),
			sqrt(s.rmse * s.rmse + half.of_numbers * s.mse_sd), s.numbers
		WHERE s.numbers > 0
		UNION ALL
		SELECT 8, 'mae', s.mae, s.mae - half.of_numbers * s.mae_sd, s.mae + half.of_numbers * s.mae_sd, s.numbers
		WHERE s.numbers > 0
		UNION ALL
		SELECT 9, 'coverage', s.coverage, w.lower, w.upper, s.intervals
		FROM wfml.wilson_interval(s.coverage, s.intervals) w WHERE s.intervals > 0) l (place, metric, value, lower, upper, n)
	ORDER BY s.version, l.place;
END $$;
COMMENT ON FUNCTION wfml.live_scores(text, timestamptz, timestamptz) IS
	'how good each version of a model (or name@version) was on the predictions made in a time whose outcome is known and that you may see. Predictions younger than wfml.outcome_delay are left out; without since it is the 30 days before those. lower and upper are 95 % intervals: of accuracy and coverage (the share of outcomes within a regression''s own 90 % interval) after Wilson, of AUC after Hanley and McNeil, of the others by the normal distribution of the mean loss (for r2 and rmse that of the squared error, the variance of outcomes taken as it is); none of ece. log_loss, auc and brier need two classes; anomaly scores have an auc where outcomes read as true or false. n counts outcomes; shadow predictions count for their own version';
