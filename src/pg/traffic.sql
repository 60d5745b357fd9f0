-- Two versions of a model side by side in production.

CREATE FUNCTION wfml.split_traffic(model text, version_a integer, version_b integer, share double precision,
	mode text DEFAULT 'route') RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_split_traffic';
COMMENT ON FUNCTION wfml.split_traffic(text, integer, integer, double precision, text) IS
	'divide logged predictions of a model between two versions: mode ''route'' lets version_b answer for a share (0..1) of the entities, ''shadow'' lets version_a answer and logs version_b''s answer beside it for that share. An entity stays with its version. The view wfml.experiments compares them; activating a version and end_split() end it';

CREATE FUNCTION wfml.end_split(model text) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_end_split';
COMMENT ON FUNCTION wfml.end_split(text) IS
	'let the active version make all predictions of a model again; false when they were not split. wfml.experiments keeps the result until the next split';
