-- Models that score a table's rows as they arrive.  C code finds columns by
-- name (columns.c, attach.c).

CREATE TABLE wfml.attachment (
	model text COLLATE "C" NOT NULL REFERENCES wfml.registry (name) ON UPDATE CASCADE ON DELETE CASCADE,
	relation regclass NOT NULL,
	key_column name NOT NULL,
	output_column name,
	confidence_column name,
	outcome_column name,
	attached_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	attached_by regrole NOT NULL,
	CONSTRAINT attachment_pkey PRIMARY KEY (model, relation)
);
COMMENT ON TABLE wfml.attachment IS 'tables whose rows a model scores by the triggers that attach() made';
REVOKE ALL ON wfml.attachment FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('wfml.attachment', '');

-- wfml_attach() makes triggers as the caller, so it needs TRIGGER on the table.
CREATE FUNCTION wfml.attach(model text, relation regclass, key_column name, output_column name DEFAULT NULL,
		confidence_column name DEFAULT NULL, outcome_column name DEFAULT NULL) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_attach';
COMMENT ON FUNCTION wfml.attach(text, regclass, name, name, name, name) IS
	'let a model score a table''s rows as they arrive: fill output_column (the label, or a number) and confidence_column, log each prediction in wfml.predictions under its key, and join the outcome when outcome_column becomes known. Needs TRIGGER on the table, and the use of the model for you and for the table''s owner';

CREATE FUNCTION wfml.detach(model text, relation regclass) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_detach';
COMMENT ON FUNCTION wfml.detach(text, regclass) IS
	'drop a table''s triggers that use a model. Needs TRIGGER on the table; the model''s owner can stop it with revoke_model() instead, and clears away what is left of a dropped table';

CREATE FUNCTION wfml.attachment_problem(model text, relation oid, key_column name, output_column name,
		confidence_column name, outcome_column name, features jsonb, has_rule boolean) RETURNS text
	LANGUAGE C STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wfml_attachment_problem';
COMMENT ON FUNCTION wfml.attachment_problem(text, oid, name, name, name, name, jsonb, boolean) IS
	'for wfml.attachments: why an attachment does not work; NULL: it does';

CREATE VIEW wfml.attachments WITH (security_barrier) AS
	SELECT a.model, a.relation, a.key_column, a.output_column, a.confidence_column, a.outcome_column,
		pg_catalog.date_trunc('second', a.attached_at) AS attached_at, pg_catalog.pg_get_userbyid(a.attached_by::oid) AS attached_by,
		wfml.attachment_problem(a.model, a.relation::oid, a.key_column, a.output_column, a.confidence_column,
			a.outcome_column, m.features, r.fallback IS NOT NULL) AS broken
	FROM wfml.attachment a
	JOIN wfml.usable_model u ON u.name = a.model
	JOIN wfml.registry r ON r.name = a.model
	LEFT JOIN wfml.ml_model m ON m.id = r.active_id;
COMMENT ON VIEW wfml.attachments IS
	'tables that the models you may use score; broken: why an attachment does not work, NULL when it does';
GRANT SELECT ON wfml.attachments TO PUBLIC;
