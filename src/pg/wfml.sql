-- The library itself.

-- Who owns the schema can add functions that are taken for ours, and a schema
-- may have been there before the extension.
DO $$
DECLARE
	stranger name := (SELECT r.rolname FROM pg_catalog.pg_namespace n
		JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) n.nspowner
		WHERE n.nspname OPERATOR(pg_catalog.=) 'wfml' AND NOT r.rolsuper AND r.rolname OPERATOR(pg_catalog.<>) CURRENT_USER);
BEGIN
	IF stranger IS NOT NULL THEN
		RAISE EXCEPTION USING errcode = 'insufficient_privilege',
			message = pg_catalog.format('schema "wfml" belongs to role "%s"', stranger),
			hint = 'Look at what is in it, then drop it: CREATE EXTENSION makes its own.';
	END IF;
END $$;

REVOKE ALL ON SCHEMA wfml FROM PUBLIC;
GRANT USAGE ON SCHEMA wfml TO PUBLIC;

CREATE FUNCTION wfml.version() RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_version';
COMMENT ON FUNCTION wfml.version() IS
	'version of the wfml library loaded in this session (compare with pg_extension.extversion)';
