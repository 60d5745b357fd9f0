-- What is bound, and who may read it.

-- The rule of binding.c in SQL.
CREATE VIEW wfml.sources WITH (security_barrier) AS
	WITH usable AS (
		SELECT b.*, pg_catalog.pg_has_role(b.owner::oid, 'USAGE') AS is_owner,
			EXISTS (SELECT FROM pg_catalog.pg_roles a WHERE a.oid = b.owner::oid) AS serves,
			b.owner::oid = (SELECT a.oid FROM pg_catalog.pg_roles a WHERE a.rolname = CURRENT_USER) AS own
		FROM wfml.source_binding b
		WHERE pg_catalog.pg_has_role(b.owner::oid, 'USAGE')
			OR (EXISTS (SELECT FROM pg_catalog.pg_roles a WHERE a.oid = b.owner::oid)
				AND EXISTS (SELECT FROM wfml.source_grant g
							WHERE g.binding = b.id
								AND CASE WHEN g.grantee::oid = 0::oid THEN true
									ELSE pg_catalog.pg_has_role(g.grantee::oid, 'USAGE') END))
	)
	SELECT u.kind, u.owner,
		u.serves AND (u.own OR (pg_catalog.count(*) FILTER (WHERE u.serves) OVER same_kind = 1)) AS used,
		CASE WHEN u.is_owner THEN u.source END AS source,
		u.columns, u.known_at_start, u.session_gap, u.timezone,
		CASE WHEN u.is_owner THEN
			(SELECT pg_catalog.array_agg(CASE WHEN g.grantee::oid = 0::oid THEN 'public' ELSE g.grantee::text END ORDER BY g.grantee::text)
				FROM wfml.source_grant g WHERE g.binding = u.id) END AS granted_to,
		u.bound_at
	FROM usable u
	WINDOW same_kind AS (PARTITION BY u.kind);
COMMENT ON VIEW wfml.sources IS 'what wfml.bind() has bound, of you and of those who granted it to you';
COMMENT ON COLUMN wfml.sources.used IS 'whether this is the binding of its kind that serves you: your own, else the only one there is for you';
COMMENT ON COLUMN wfml.sources.source IS 'table or query, for its owner only';
COMMENT ON COLUMN wfml.sources.columns IS 'its columns and their types when it was bound';
COMMENT ON COLUMN wfml.sources.timezone IS 'zone in which timestamps without one, hours and weekdays are read';
COMMENT ON COLUMN wfml.sources.granted_to IS 'who else may read it, for its owner only';
GRANT SELECT ON wfml.sources TO PUBLIC;
