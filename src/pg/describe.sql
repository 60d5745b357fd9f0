-- What a model is.

CREATE FUNCTION wfml.model_facts(model_id bigint) RETURNS jsonb
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000
	AS 'MODULE_PATHNAME', 'wfml_model_facts';
COMMENT ON FUNCTION wfml.model_facts(bigint) IS 'what a version''s bytes say: labels, columns, calibration, interval; users and items of a recommender; events of a sequence model and the weights of its experts';

CREATE FUNCTION wfml.model_info(model text) RETURNS jsonb
	LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 2000
BEGIN ATOMIC
	SELECT pg_catalog.to_jsonb(v) - 'features' || wfml.model_facts(v.id)
	FROM wfml.versions v WHERE v.id = wfml.version_id(model_info.model);
END;
COMMENT ON FUNCTION wfml.model_info(text) IS 'everything about a model''s active version, or about name@version, as one JSON object';

CREATE FUNCTION wfml.metrics(model text,
	OUT metric text, OUT value double precision, OUT baseline double precision, OUT split text)
	RETURNS SETOF record
	LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 2000 ROWS 5
BEGIN ATOMIC
	SELECT m.metric, m.value, m.baseline, m.split
	FROM wfml.versions v,
		ROWS FROM (pg_catalog.jsonb_to_recordset(v.metrics)
			AS (metric text, value double precision, baseline double precision, split text)) WITH ORDINALITY m
	WHERE v.id = wfml.version_id(metrics.model)
	ORDER BY m.ordinality;
END;
COMMENT ON FUNCTION wfml.metrics(text) IS
	'how good a model was on rows it did not train on, beside a trivial model (the commonest class, the mean)';

CREATE FUNCTION wfml.feature_importance(model text,
	OUT feature text, OUT gain double precision, OUT splits bigint, OUT permutation double precision)
	RETURNS SETOF record
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_feature_importance';
COMMENT ON FUNCTION wfml.feature_importance(text) IS
	'columns by their share of the gain of all splits; permutation: how much the metric suffers when the column is shuffled';
