-- Large models that the server's sessions have in common.

CREATE FUNCTION wfml.shared_cache_stats(
	OUT database text, OUT model_id bigint, OUT size bigint, OUT sessions integer, OUT used_at timestamptz)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_shared_cache_stats';
COMMENT ON FUNCTION wfml.shared_cache_stats() IS
	'models that sessions of this server share, in any database: bytes, how many sessions have it opened, and when one last opened it; for members of pg_read_all_stats';
REVOKE ALL ON FUNCTION wfml.shared_cache_stats() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wfml.shared_cache_stats() TO pg_read_all_stats;
