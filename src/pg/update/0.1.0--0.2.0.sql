-- What 0.2.0 changed in the pieces of 0.1.0.

-- registry.sql
CREATE SEQUENCE wfml.registry_number_seq AS bigint;
ALTER TABLE wfml.registry ADD COLUMN number bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.registry_number_seq') CONSTRAINT registry_number_key UNIQUE;
ALTER SEQUENCE wfml.registry_number_seq OWNED BY wfml.registry.number;
SELECT pg_catalog.pg_extension_config_dump('wfml.registry_number_seq', '');
COMMENT ON COLUMN wfml.registry.fallback IS 'expression over the input that answers when the model cannot; set_fallback() checks and sets it';
COMMENT ON COLUMN wfml.registry.log_input IS 'whether logged predictions keep their input, for drift';
COMMENT ON COLUMN wfml.registry.traffic IS 'how split_traffic() divides logged predictions between two versions';
COMMENT ON COLUMN wfml.registry.number IS 'the model''s identity: stays when it is renamed, and no later model of its name gets it';

CREATE OR REPLACE VIEW wfml.usable_model WITH (security_barrier) AS
	SELECT r.name, r.owner, r.active_id, r.comment, r.keep_versions,
		pg_catalog.pg_has_role(r.owner::oid, 'USAGE') AS is_owner, r.number
	FROM wfml.registry r
	WHERE pg_catalog.pg_has_role(r.owner::oid, 'USAGE')
		OR (EXISTS (SELECT FROM pg_catalog.pg_roles a WHERE a.oid = r.owner::oid)
			AND EXISTS (SELECT FROM wfml.model_grant g
						WHERE g.model = r.name
							AND CASE WHEN g.grantee::oid = 0::oid THEN true
								ELSE pg_catalog.pg_has_role(g.grantee::oid, 'USAGE') END));

-- registry.sql: caches
DROP FUNCTION wfml.cache_stats();
CREATE FUNCTION wfml.cache_stats(
	OUT model_id bigint, OUT size bigint, OUT hits bigint, OUT in_use boolean, OUT loaded_at timestamptz,
	OUT shared_size bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_cache_stats_2';
COMMENT ON FUNCTION wfml.cache_stats() IS
	'models that this session keeps opened, most recently used first: size is its own memory, shared_size what it shares with other sessions (bytes); hits counts statements, not rows';
COMMENT ON FUNCTION wfml.cache_clear() IS 'empty this session''s caches of models and of answers; returns how many models left';

-- manage.sql
COMMENT ON FUNCTION wfml.drop_model(text, integer) IS 'drop a model with all its versions, or one version; refused while an index, function or attached table uses it';
COMMENT ON FUNCTION wfml.rename_model(text, text) IS 'give a model another name; its versions, grants, attachments and history follow';
