-- Sources of the application, bound by kind: tables and the C that runs them as their owner.

CREATE SEQUENCE wfml.source_binding_id_seq AS bigint;
CREATE TABLE wfml.source_binding (
	id bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.source_binding_id_seq') CONSTRAINT source_binding_pkey PRIMARY KEY,
	kind text COLLATE "C" NOT NULL,
	owner regrole NOT NULL,
	source text NOT NULL,
	query text NOT NULL,
	search_path text NOT NULL,
	timezone text NOT NULL,
	known_at_start text[] NOT NULL DEFAULT '{}',
	columns jsonb NOT NULL,
	session_gap interval NOT NULL,
	bound_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	CONSTRAINT source_binding_kind_owner_key UNIQUE (kind, owner)
);
ALTER SEQUENCE wfml.source_binding_id_seq OWNED BY wfml.source_binding.id;
COMMENT ON TABLE wfml.source_binding IS 'the application''s tables by kind, one row for each kind and owner';
COMMENT ON COLUMN wfml.source_binding.id IS 'changes when the kind is bound anew';
COMMENT ON COLUMN wfml.source_binding.source IS 'as given to bind(), a relation schema-qualified';
COMMENT ON COLUMN wfml.source_binding.query IS 'what runs, as its owner';
COMMENT ON COLUMN wfml.source_binding.columns IS 'names and types of its columns when it was bound';

CREATE TABLE wfml.source_grant (
	binding bigint NOT NULL REFERENCES wfml.source_binding (id) ON UPDATE CASCADE ON DELETE CASCADE,
	grantee regrole NOT NULL,
	CONSTRAINT source_grant_pkey PRIMARY KEY (binding, grantee)
);
COMMENT ON TABLE wfml.source_grant IS 'roles that may read what a binding yields beside its owner; "-" is PUBLIC';

REVOKE ALL ON wfml.source_binding, wfml.source_grant FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('wfml.source_binding', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.source_binding_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.source_grant', '');

CREATE FUNCTION wfml.bind(kind text, query text, known_at_start text[] DEFAULT '{}', session_gap interval DEFAULT '1 hour')
	RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_bind';
COMMENT ON FUNCTION wfml.bind(text, text, text[], interval) IS
	'tell wfml where your application keeps a kind of rows: runs (workflow_id, started_at, finished_at, succeeded), events (user_id, event, at), workflows (workflow_id, name), usage (user_id, workflow_id, weight), patterns (events, category) or suggestions (events, accepted or score). query is a table, a view or a SELECT with those column names; it always runs as you, read-only. known_at_start (runs): further columns whose values are known when a run starts. session_gap (events): a longer pause begins a new session. Binding a kind again replaces it and keeps who was granted';

CREATE FUNCTION wfml.unbind(kind text, owner name DEFAULT NULL) RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_unbind';
COMMENT ON FUNCTION wfml.unbind(text, name) IS
	'forget your binding of a kind, or that of a role whose rights you have (for a role that is gone the number that wfml.sources shows); false when there was none';

CREATE FUNCTION wfml.grant_source(kind text, role name) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_grant_source';
COMMENT ON FUNCTION wfml.grant_source(text, name) IS
	'let a role (or public) read what your binding of that kind yields; it reads no other rows of your tables and does not see the query';

CREATE FUNCTION wfml.revoke_source(kind text, role name) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_revoke_source';
COMMENT ON FUNCTION wfml.revoke_source(text, name) IS 'take back grant_source()';

CREATE FUNCTION wfml.has_source(kind text) RETURNS boolean
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wfml_has_source';
COMMENT ON FUNCTION wfml.has_source(text) IS 'whether that kind is bound by you, or by one owner who granted it to you';

CREATE FUNCTION wfml.bound_source(kind text,
	OUT id bigint, OUT owner regrole, OUT columns jsonb, OUT known_at_start text[], OUT session_gap interval, OUT timezone text)
	RETURNS record
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wfml_bound_source';
COMMENT ON FUNCTION wfml.bound_source(text) IS
	'the binding of that kind that serves you: yours, else the one granted to you; an error when there is none. id changes when the kind is bound anew';

CREATE FUNCTION wfml.bound_rows(kind text, workflow_id text DEFAULT NULL, user_id text DEFAULT NULL,
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, row_limit bigint DEFAULT NULL)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'wfml_bound_rows';
COMMENT ON FUNCTION wfml.bound_rows(text, text, text, timestamptz, timestamptz, bigint) IS
	'rows of a bound kind, read as the binding''s owner: SELECT * FROM wfml.bound_rows(''events'', user_id => ''u1'', row_limit => 50) AS e (event text, at timestamptz). Columns go by name and are cast to the type you ask; an optional column that the binding lacks is NULL. since (inclusive) and until (exclusive) are about finished_at of runs and at of events; row_limit takes the newest, runs that have not finished first';
