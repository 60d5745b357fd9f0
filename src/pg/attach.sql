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
