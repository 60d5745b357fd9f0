-- Training all that the bound sources allow.

CREATE UNIQUE INDEX job_run_train_all ON wfml.job_run (role, model) WHERE kind = 'train_all' AND status = 'running';

CREATE PROCEDURE wfml.train_all(kinds text[] DEFAULT NULL, params jsonb DEFAULT '{}')
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'wfml_train_all';
COMMENT ON PROCEDURE wfml.train_all(text[], jsonb) IS
	'train every model of the workflow functions whose source is bound (or only the kinds named, see wfml.workflow_kinds()), with the caller''s rights. Commits after each kind unless called in a transaction block; an error of one is a WARNING and does not stop the others; each has its row in wfml.jobs. params: an object of the parameters by kind';

CREATE FUNCTION wfml.train_all_background(params jsonb DEFAULT '{}') RETURNS TABLE (kind text, job bigint)
	LANGUAGE SQL VOLATILE PARALLEL UNSAFE ROWS 6
	BEGIN ATOMIC
		SELECT k.kind, wfml.queue_job('train_one', k.kind,
				pg_catalog.jsonb_build_object('params', coalesce(train_all_background.params OPERATOR(pg_catalog.->) k.kind, '{}')))
		FROM wfml.workflow_kinds() k
		WHERE k.is_model AND wfml.has_source(k.needs)
		ORDER BY k.step;
	END;
COMMENT ON FUNCTION wfml.train_all_background(jsonb) IS
	'queue the training of every model whose source is bound, each a job of its own in a background worker as by wfml.train_background(): for callers that cannot wait, such as HTTP. Their results stand in wfml.jobs. params: an object of the parameters by kind';
