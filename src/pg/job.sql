-- Work done apart from the caller: background trainings, retrainings, pruning.

CREATE SEQUENCE wfml.job_run_id_seq AS bigint;
CREATE TABLE wfml.job_run (
	id bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.job_run_id_seq') CONSTRAINT job_run_pkey PRIMARY KEY,
	kind text NOT NULL CHECK (kind IN ('train', 'retrain', 'prune')),
	model text COLLATE "C",
	role regrole NOT NULL,
	status text NOT NULL CHECK (status IN ('queued', 'running', 'done', 'kept', 'failed', 'cancelled')),
	reason text,
	arguments jsonb,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	started_at timestamptz,
	finished_at timestamptz,
	pid integer,
	version integer,
	message text,
	result jsonb
);
ALTER SEQUENCE wfml.job_run_id_seq OWNED BY wfml.job_run.id;
CREATE INDEX job_run_model ON wfml.job_run (model, created_at);
COMMENT ON TABLE wfml.job_run IS 'what ran, or waits to run, in the background and in run_retraining()';
COMMENT ON COLUMN wfml.job_run.status IS '"kept": a retraining whose new version was stored but not activated';
COMMENT ON COLUMN wfml.job_run.reason IS 'why it ran';
COMMENT ON COLUMN wfml.job_run.message IS 'the error of a failed run, or why a new version was not activated';
REVOKE ALL ON wfml.job_run FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('wfml.job_run', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.job_run_id_seq', '');
