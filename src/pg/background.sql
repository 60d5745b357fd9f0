-- Training in the background.

CREATE FUNCTION wfml.queue_job(function text, model text, arguments jsonb) RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_queue_job';
COMMENT ON FUNCTION wfml.queue_job(text, text, jsonb) IS
	'queue a call of train, train_recommender, train_sequence or train_one, with its arguments by name, and start a background worker for it at commit; returns the job''s id';

CREATE FUNCTION wfml.train_background(
	model text, algorithm text, source text, target text DEFAULT NULL, params jsonb DEFAULT '{}',
	features text[] DEFAULT NULL, task text DEFAULT NULL, activate boolean DEFAULT true)
	RETURNS bigint
	LANGUAGE SQL VOLATILE PARALLEL UNSAFE
	BEGIN ATOMIC
		SELECT wfml.queue_job('train', train_background.model, pg_catalog.jsonb_build_object(
			'algorithm', train_background.algorithm, 'source', train_background.source, 'target', train_background.target,
			'params', train_background.params, 'features', train_background.features, 'task', train_background.task,
			'activate', train_background.activate));
	END;
COMMENT ON FUNCTION wfml.train_background(text, text, text, text, jsonb, text[], text, boolean) IS
	'wfml.train() in a background worker, with the rights that the caller has now, his search_path, TimeZone and wfml.user_id; it starts when the transaction commits. Returns the id of the job in wfml.jobs, where its result or its error will stand. Jobs take at most half of max_worker_processes; others wait for one of the same role to end, or for CALL wfml.run_jobs()';

CREATE FUNCTION wfml.train_recommender_background(
	model text, source text, user_column text, item_column text,
	rating_column text DEFAULT NULL, time_column text DEFAULT NULL,
	items text DEFAULT NULL, item_key text DEFAULT NULL,
	params jsonb DEFAULT '{}', activate boolean DEFAULT true)
	RETURNS bigint
	LANGUAGE SQL VOLATILE PARALLEL UNSAFE
	BEGIN ATOMIC
		SELECT wfml.queue_job('train_recommender', train_recommender_background.model, pg_catalog.jsonb_build_object(
			'source', train_recommender_background.source,
			'user_column', train_recommender_background.user_column, 'item_column', train_recommender_background.item_column,
			'rating_column', train_recommender_background.rating_column, 'time_column', train_recommender_background.time_column,
			'items', train_recommender_background.items, 'item_key', train_recommender_background.item_key,
			'params', train_recommender_background.params, 'activate', train_recommender_background.activate));
	END;
COMMENT ON FUNCTION wfml.train_recommender_background(text, text, text, text, text, text, text, text, jsonb, boolean) IS
	'wfml.train_recommender() in a background worker; as wfml.train_background()';

CREATE FUNCTION wfml.train_sequence_background(
	model text, source text, case_column text, event_column text, time_column text,
	params jsonb DEFAULT '{}', activate boolean DEFAULT true)
	RETURNS bigint
	LANGUAGE SQL VOLATILE PARALLEL UNSAFE
	BEGIN ATOMIC
		SELECT wfml.queue_job('train_sequence', train_sequence_background.model, pg_catalog.jsonb_build_object(
			'source', train_sequence_background.source, 'case_column', train_sequence_background.case_column,
			'event_column', train_sequence_background.event_column, 'time_column', train_sequence_background.time_column,
			'params', train_sequence_background.params, 'activate', train_sequence_background.activate));
	END;
COMMENT ON FUNCTION wfml.train_sequence_background(text, text, text, text, text, jsonb, boolean) IS
	'wfml.train_sequence() in a background worker; as wfml.train_background()';
