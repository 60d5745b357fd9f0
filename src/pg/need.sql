-- What users do again and again: found among the bound events, and kept.

CREATE TABLE wfml.need_refresh (
	binding bigint NOT NULL CONSTRAINT need_refresh_pkey PRIMARY KEY,
	made_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	sessions bigint NOT NULL,
	users bigint NOT NULL,
	min_support double precision NOT NULL
);
COMMENT ON TABLE wfml.need_refresh IS 'when refresh_needs() last looked at a binding of events; not dumped, as it can be made again';
COMMENT ON COLUMN wfml.need_refresh.binding IS 'source_binding.id, which changes when the kind is bound anew: what was kept for another is not used';

CREATE TABLE wfml.need (
	binding bigint NOT NULL REFERENCES wfml.need_refresh (binding) ON DELETE CASCADE,
	place integer NOT NULL,
	events text[] NOT NULL,
	n_events integer NOT NULL,
	support double precision NOT NULL,
	users bigint NOT NULL,
	lift double precision NOT NULL,
	typical_hour double precision,
	weekday_share double precision,
	gap interval,
	sessions bigint NOT NULL,
	saving double precision NOT NULL,
	CONSTRAINT need_pkey PRIMARY KEY (binding, place)
);
COMMENT ON TABLE wfml.need IS 'sequences of events that refresh_needs() found, automated already or not';
COMMENT ON COLUMN wfml.need.place IS 'by falling saving, from 1';

CREATE TABLE wfml.need_user (
	binding bigint NOT NULL,
	user_hash bigint NOT NULL,
	place integer NOT NULL,
	sessions bigint NOT NULL,
	saving double precision NOT NULL,
	CONSTRAINT need_user_pkey PRIMARY KEY (binding, user_hash, place),
	FOREIGN KEY (binding, place) REFERENCES wfml.need (binding, place) ON DELETE CASCADE
);
CREATE INDEX need_user_place ON wfml.need_user (binding, place);
COMMENT ON TABLE wfml.need_user IS 'which of them a user does himself, in two sessions at least';
COMMENT ON COLUMN wfml.need_user.user_hash IS 'hash of the user''s id';

REVOKE ALL ON wfml.need_refresh, wfml.need, wfml.need_user FROM PUBLIC;

CREATE FUNCTION wfml.refresh_needs() RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_refresh_needs';
COMMENT ON FUNCTION wfml.refresh_needs() IS
	'look through your bound events for what users do again and again, and keep it for workflow_needs() and suggest(), which then answer at once instead of looking themselves; how many sequences are kept (100 at most). Needs the rights of the owner of the binding. Call it as often as habits may change, or let train_all() do it';

CREATE FUNCTION wfml.find_needs(n integer DEFAULT 20, user_id text DEFAULT NULL,
	OUT events text[], OUT n_events integer, OUT support double precision, OUT users bigint, OUT lift double precision,
	OUT typical_hour double precision, OUT weekday_share double precision, OUT gap interval,
	OUT sessions bigint, OUT saving double precision, OUT made_at timestamptz)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL UNSAFE COST 1000 ROWS 20
	AS 'MODULE_PATHNAME', 'wfml_find_needs';
COMMENT ON FUNCTION wfml.find_needs(integer, text) IS 'the rows of workflow_needs(), without the patterns as such';
