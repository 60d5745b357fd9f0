-- Work done apart from the caller: background trainings, retrainings, pruning.

CREATE SEQUENCE wfml.job_run_id_seq AS bigint;
CREATE TABLE wfml.job_run (
	id bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.job_run_id_seq') CONSTRAINT job_run_pkey PRIMARY KEY,
	kind text NOT NULL CHECK (kind IN ('train', 'retrain', 'prune', 'train_all')),
	model text COLLATE "C",
	model_number bigint,
	role regrole NOT NULL,
	status text NOT NULL CHECK (status IN ('queued', 'running', 'done', 'kept', 'failed', 'cancelled')),
	reason text,
	arguments jsonb,
	settings jsonb,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	started_at timestamptz,
	finished_at timestamptz,
	pid integer,
	backend_start timestamptz,
	cancel_requested boolean NOT NULL DEFAULT false,
	version integer,
	message text,
	result jsonb
);
ALTER SEQUENCE wfml.job_run_id_seq OWNED BY wfml.job_run.id;
CREATE INDEX job_run_model ON wfml.job_run (model_number, created_at);
CREATE INDEX job_run_open ON wfml.job_run (id) WHERE status IN ('queued', 'running');
COMMENT ON TABLE wfml.job_run IS 'what ran, or waits to run, in the background, in run_retraining() and in train_all()';
COMMENT ON COLUMN wfml.job_run.model IS 'name of the model when the job was made';
COMMENT ON COLUMN wfml.job_run.model_number IS 'registry.number of the model, if there was one';
COMMENT ON COLUMN wfml.job_run.role IS 'whose rights it runs with';
COMMENT ON COLUMN wfml.job_run.status IS '"kept": a retraining whose new version was stored but not activated';
COMMENT ON COLUMN wfml.job_run.reason IS 'why it ran';
COMMENT ON COLUMN wfml.job_run.arguments IS 'function and arguments of a queued job';
COMMENT ON COLUMN wfml.job_run.settings IS 'search_path, TimeZone and wfml.user_id of the session that queued it';
COMMENT ON COLUMN wfml.job_run.backend_start IS 'when process pid started: together they say whether it still lives';
COMMENT ON COLUMN wfml.job_run.message IS 'the error of a failed run, or why a new version was not activated';
REVOKE ALL ON wfml.job_run FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('wfml.job_run', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.job_run_id_seq', '');

CREATE FUNCTION wfml.job_alive(pid integer, backend_start timestamptz) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wfml_job_alive';
COMMENT ON FUNCTION wfml.job_alive(integer, timestamptz) IS
	'whether the server process that runs a job still is the one that began it';

CREATE VIEW wfml.jobs WITH (security_barrier) AS
	SELECT j.id, j.kind, j.model, pg_catalog.pg_get_userbyid(j.role::oid) AS role,
		CASE WHEN a.died THEN 'failed' ELSE j.status END AS status,
		p.phase,
		CASE WHEN p.total OPERATOR(pg_catalog.>) 0
			THEN pg_catalog.round(100.0 OPERATOR(pg_catalog.*) p.done OPERATOR(pg_catalog./) p.total, 1) END AS percent,
		j.reason, j.version,
		CASE WHEN a.died THEN CASE WHEN j.backend_start OPERATOR(pg_catalog.<) pg_catalog.pg_postmaster_start_time()
				THEN 'the server restarted while it ran' ELSE 'its session ended while it ran' END
			ELSE j.message END AS message,
		pg_catalog.date_trunc('second', j.created_at) AS created_at, pg_catalog.date_trunc('second', j.started_at) AS started_at,
		pg_catalog.date_trunc('second', j.finished_at) AS finished_at,
		CASE WHEN a.died THEN NULL ELSE pg_catalog.date_trunc('milliseconds', coalesce(j.finished_at, pg_catalog.clock_timestamp())
			OPERATOR(pg_catalog.-) j.started_at) END AS elapsed,
		j.result
	FROM wfml.job_run j
	CROSS JOIN LATERAL (SELECT CASE WHEN j.status OPERATOR(pg_catalog.=) 'running'
			THEN NOT wfml.job_alive(j.pid, j.backend_start) ELSE false END) a (died)
	LEFT JOIN wfml.training_progress_rows() p
		ON p.pid OPERATOR(pg_catalog.=) j.pid AND j.status OPERATOR(pg_catalog.=) 'running' AND NOT a.died
	LEFT JOIN wfml.registry r ON r.number OPERATOR(pg_catalog.=) j.model_number
	WHERE pg_catalog.pg_has_role(j.role::oid, 'USAGE') OR pg_catalog.pg_has_role(r.owner::oid, 'USAGE');
COMMENT ON VIEW wfml.jobs IS
	'background trainings, retrainings and what train_all() made, of your roles and of your models; newest: ORDER BY id DESC. status: queued, running, done, kept (a new version was stored but did not win), failed, cancelled; percent is of the phase';
GRANT SELECT ON wfml.jobs TO PUBLIC;

CREATE FUNCTION wfml.cancel_job(id bigint) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_cancel_job';
COMMENT ON FUNCTION wfml.cancel_job(bigint) IS
	'cancel a job of yours that is queued or running; false when it had ended before. A running one stops within moments: see wfml.jobs';

CREATE PROCEDURE wfml.run_jobs()
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'wfml_run_jobs';
COMMENT ON PROCEDURE wfml.run_jobs() IS
	'run queued jobs of your roles here, one after the other, each with the rights and settings that it was queued with; commits after each unless called in a transaction block. Jobs wait in the queue when no background worker was free';
