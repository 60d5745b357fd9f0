-- When a model is to be trained again.

CREATE TABLE wfml.retrain_policy (
	model text COLLATE "C" NOT NULL CONSTRAINT retrain_policy_pkey PRIMARY KEY
		REFERENCES wfml.registry (name) ON UPDATE CASCADE ON DELETE CASCADE,
	max_age interval,
	min_score_drop double precision,
	max_drift double precision,
	min_new_rows bigint,
	max_seconds double precision NOT NULL DEFAULT 3600,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE wfml.retrain_policy IS 'retraining policy of each model that has one';
REVOKE ALL ON wfml.retrain_policy FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('wfml.retrain_policy', '');

CREATE FUNCTION wfml.set_retrain_policy(
	model text, max_age interval DEFAULT '30 days', min_score_drop double precision DEFAULT NULL,
	max_drift double precision DEFAULT NULL, min_new_rows bigint DEFAULT NULL,
	max_seconds double precision DEFAULT 3600) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_set_retrain_policy';
COMMENT ON FUNCTION wfml.set_retrain_policy(text, interval, double precision, double precision, bigint, double precision) IS
	'when CALL wfml.run_retraining() trains a model of yours again: when its active version is older than max_age, its live score is worse than its training score, on 50 outcomes or more, by more than min_score_drop (0 or more, in the metric''s units), the drift of its logged inputs (PSI; see wfml.drift()) is above max_drift (0.25 is much), or the source has min_new_rows more rows than it was trained on (which are counted by running the source); NULL: not for that. Reading and training are each stopped after max_seconds, or wfml.max_retraining_time if that is less. Replaces the policy before';

CREATE FUNCTION wfml.drop_retrain_policy(model text) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_drop_retrain_policy';
COMMENT ON FUNCTION wfml.drop_retrain_policy(text) IS 'retrain a model of yours no more by itself; false when it had no policy';

CREATE FUNCTION wfml.set_keep_versions(model text, versions integer) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_set_keep_versions';
COMMENT ON FUNCTION wfml.set_keep_versions(text, integer) IS
	'how many versions of a model with a retraining policy run_retraining() keeps, 1 or more (5 by default). The active one, the one that rollback() returns to, retired ones, those of a split and those that an index or function uses stay in any case';

CREATE VIEW wfml.retrain_policies WITH (security_barrier) AS
	SELECT u.name AS model, u.owner, p.max_age, p.min_score_drop, p.max_drift, p.min_new_rows, p.max_seconds, u.keep_versions,
		m.version, pg_catalog.date_trunc('second', m.created_at) AS trained_at, j.status AS last_run,
		pg_catalog.date_trunc('second', j.finished_at) AS last_run_at, j.message AS last_message
	FROM wfml.retrain_policy p
	JOIN wfml.usable_model u ON u.name = p.model
	LEFT JOIN wfml.ml_model m ON m.id = u.active_id
	LEFT JOIN LATERAL (
		SELECT r.status, r.finished_at, CASE WHEN u.is_owner THEN r.message END AS message FROM wfml.job_run r
		WHERE r.model_number = u.number AND r.kind = 'retrain' AND r.finished_at IS NOT NULL
		ORDER BY r.created_at DESC LIMIT 1) j ON true;
COMMENT ON VIEW wfml.retrain_policies IS
	'retraining policies of the models that you may use, with how the last retraining ended; see wfml.retrain_due() and wfml.jobs';
GRANT SELECT ON wfml.retrain_policies TO PUBLIC;
