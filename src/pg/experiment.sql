-- Which of two versions of a split does better.

CREATE FUNCTION wfml.difference_test(kind text,
	n_a bigint, mean_a double precision, variance_a double precision,
	n_b bigint DEFAULT NULL, mean_b double precision DEFAULT NULL, variance_b double precision DEFAULT NULL,
	OUT difference double precision, OUT lower double precision, OUT upper double precision,
	OUT p_value double precision, OUT factor double precision)
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_difference_test';
COMMENT ON FUNCTION wfml.difference_test(text, bigint, double precision, double precision, bigint, double precision, double precision) IS
	'difference b - a of two means out of counts, means and variances (var_samp), with its 95 % interval, two-sided p-value, and factor, how many times the rows it takes to show it in 80 % of cases. kind: ''means'' (Welch''s t), ''shares'' of rows that are right (pooled z, interval of Agresti and Caffo); with mean and variance of b - a as those of a: ''pairs'' (t), ''flips'' (of -1, 0, 1: McNemar, exact)';

-- What is assigned to a version is the entity, so entities are what is
-- counted, each by its mean over its outcomes; a prediction without an entity
-- is one of its own.  In route mode an entity has answers of one version, in
-- shadow mode pairs: b's is logged right after a's.
CREATE VIEW wfml.experiments WITH (security_barrier) AS
	WITH split AS (
		SELECT u.name, u.is_owner, r.traffic ->> 'mode' AS mode,
			(r.traffic ->> 'a')::integer AS version_a, (r.traffic ->> 'b')::integer AS version_b,
			(r.traffic ->> 'share')::double precision AS share,
			(r.traffic ->> 'since')::timestamptz AS since, (r.traffic ->> 'until')::timestamptz AS until,
			a.id AS id_a, b.id AS id_b, a.positive,
			CASE WHEN a.task = 'regression' THEN 'mae'
				WHEN a.task <> 'classification' THEN NULL
				WHEN a.positive = b.positive THEN 'brier'
				ELSE 'accuracy' END AS metric
		FROM wfml.usable_model u
		JOIN wfml.registry r ON r.number = u.number
		LEFT JOIN wfml.ml_model a ON a.name = r.name AND a.version = (r.traffic ->> 'a')::integer
		LEFT JOIN wfml.ml_model b ON b.name = r.name AND b.version = (r.traffic ->> 'b')::integer
		WHERE r.traffic ? 'a'
	)
	SELECT s.name AS model, s.mode, s.version_a, s.version_b, s.share,
		pg_catalog.date_trunc('second', s.since) AS since, pg_catalog.date_trunc('second', s.until) AS until,
		n.outcomes_a AS n_a, n.outcomes_b AS n_b, s.metric,
		pg_catalog.round(n.mean_a::numeric, 4) AS score_a, pg_catalog.round(n.mean_b::numeric, 4) AS score_b,
		pg_catalog.round(d.difference::numeric, 4) AS difference,
		pg_catalog.round(d.lower::numeric, 4) AS lower, pg_catalog.round(d.upper::numeric, 4) AS upper,
		pg_catalog.round(d.p_value::numeric, 4) AS p_value,
		j.leader,
		CASE WHEN s.id_a IS NULL OR s.id_b IS NULL THEN pg_catalog.format('version %s was dropped: there is nothing to compare with',
				CASE WHEN s.id_a IS NULL THEN s.version_a ELSE s.version_b END)
			WHEN s.metric IS NULL THEN 'anomaly scores have no outcome to be measured by'
			WHEN j.enough IS NOT TRUE THEN 'too few outcomes: at least 50 entities each'
			WHEN j.leader = s.version_b THEN 'b leads'
			WHEN j.leader = s.version_a THEN 'a leads'
			WHEN j.more < 1000000 THEN pg_catalog.format('undecided: a difference of this size needs about %s more outcomes',
				pg_catalog.round(j.more::numeric, -pg_catalog.floor(pg_catalog.log(greatest(j.more, 1)))::integer + 1))
			ELSE 'undecided: no difference to speak of' END AS verdict
	FROM split s
	CROSS JOIN LATERAL (
		SELECT pg_catalog.count(*) FILTER (WHERE e.a IS NOT NULL) AS n_a, pg_catalog.count(*) FILTER (WHERE e.b IS NOT NULL) AS n_b,
			coalesce(pg_catalog.sum(e.rows_a), 0)::bigint AS outcomes_a, coalesce(pg_catalog.sum(e.rows_b), 0)::bigint AS outcomes_b,
			pg_catalog.avg(e.a) AS mean_a, pg_catalog.avg(e.b) AS mean_b,
			pg_catalog.var_samp(e.a) AS variance_a, pg_catalog.var_samp(e.b) AS variance_b,
			pg_catalog.avg(e.b - e.a) AS mean_d, pg_catalog.var_samp(e.b - e.a) AS variance_d,
			pg_catalog.max(greatest(e.rows_a, e.rows_b)) = 1 AS single
		FROM (
			SELECT pg_catalog.avg(t.a) AS a, pg_catalog.avg(t.b) AS b, pg_catalog.count(t.a) AS rows_a, pg_catalog.count(t.b) AS rows_b
			FROM (
				SELECT l.entity, CASE WHEN l.entity IS NULL THEN l.id END AS id,
					CASE WHEN s.mode = 'shadow' THEN l.before WHEN NOT l.is_b THEN l.score END AS a,
					CASE WHEN l.is_b THEN l.score END AS b
				FROM (
					SELECT p.id, p.entity, p.shadow, k.is_b, k.score,
						CASE WHEN pg_catalog.lag(NOT p.shadow AND NOT k.is_b) OVER w THEN pg_catalog.lag(k.score) OVER w END AS before
					FROM wfml.prediction p
					CROSS JOIN LATERAL (
						SELECT p.model_id = s.id_b AS is_b,
							CASE s.metric WHEN 'accuracy' THEN (p.label = p.actual)::integer::double precision
								WHEN 'brier' THEN (p.value - (p.actual = s.positive)::integer) ^ 2
								WHEN 'mae' THEN pg_catalog.abs(p.value - wfml.outcome_number(p.actual)) END AS score) k
					WHERE p.model_id IN (s.id_a, s.id_b)
						AND p.made_at >= s.since AND p.made_at < coalesce(s.until, 'infinity')
						AND (s.is_owner OR pg_catalog.pg_has_role(p.made_by::oid, 'USAGE'))
						AND (coalesce(pg_catalog.current_setting('wfml.user_id', true), '') = ''
							OR p.user_id = pg_catalog.current_setting('wfml.user_id', true))
					WINDOW w AS (PARTITION BY p.entity ORDER BY p.id)) l
				WHERE l.score IS NOT NULL
					AND CASE WHEN s.mode = 'shadow' THEN l.shadow AND l.is_b AND l.before IS NOT NULL AND l.entity IS NOT NULL
						ELSE NOT l.shadow END) t
			GROUP BY t.entity, t.id) e) n
	CROSS JOIN LATERAL wfml.difference_test(
		CASE WHEN s.mode = 'shadow' THEN CASE WHEN s.metric = 'accuracy' AND n.single THEN 'flips' ELSE 'pairs' END
			WHEN s.metric = 'accuracy' AND n.single THEN 'shares' ELSE 'means' END,
		CASE WHEN s.mode = 'shadow' THEN least(n.n_a, n.n_b) ELSE n.n_a END,
		CASE WHEN s.mode = 'shadow' THEN n.mean_d ELSE n.mean_a END,
		CASE WHEN s.mode = 'shadow' THEN n.variance_d ELSE n.variance_a END,
		n.n_b, n.mean_b, n.variance_b) d
	CROSS JOIN LATERAL (
		SELECT least(n.n_a, n.n_b) >= 50 AS enough,
			CASE WHEN least(n.n_a, n.n_b) >= 50 AND d.p_value < 0.05 THEN
				CASE WHEN (d.difference > 0) = (s.metric = 'accuracy') THEN s.version_b ELSE s.version_a END END AS leader,
			(d.factor - 1) * CASE WHEN s.mode = 'shadow' THEN n.outcomes_b ELSE n.outcomes_a + n.outcomes_b END AS more) j;
COMMENT ON VIEW wfml.experiments IS
	'the two versions of each split of traffic, running or last ended (split_traffic(), end_split()), of models that you may use, on the logged predictions since then whose outcome is known, as far as you may see them. Two classes are compared by brier, several by accuracy, numbers by mae. mode route: Welch''s t-test, for accuracy a z-test, of entities with version a against those with b; shadow: paired t-test, for accuracy McNemar''s, of answers to the same call. p_value is right for one look at a time chosen beforehand: who looks every day until it is below 0.05 will see it there too often';
COMMENT ON COLUMN wfml.experiments.n_a IS 'predictions of version a with an outcome (shadow: pairs)';
COMMENT ON COLUMN wfml.experiments.score_a IS 'mean over entities of their mean';
COMMENT ON COLUMN wfml.experiments.difference IS 'score_b - score_a, with its 95 % interval lower .. upper';
COMMENT ON COLUMN wfml.experiments.leader IS 'the version that is better, where p_value is below 0.05 with 50 entities each';
GRANT SELECT ON wfml.experiments TO PUBLIC;
