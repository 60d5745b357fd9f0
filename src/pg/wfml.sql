-- The library itself.

REVOKE ALL ON SCHEMA wfml FROM PUBLIC;
GRANT USAGE ON SCHEMA wfml TO PUBLIC;

CREATE FUNCTION wfml.version() RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_version';
COMMENT ON FUNCTION wfml.version() IS
	'version of the wfml library loaded in this session (compare with pg_extension.extversion)';
