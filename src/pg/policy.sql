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
