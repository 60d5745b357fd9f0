-- The prediction log: what log_predict() and the triggers answered, and what
-- really happened.  C code inserts rows in the order of these columns
-- (predictionlog.c); append columns only.

CREATE SEQUENCE wfml.prediction_id_seq AS bigint;
CREATE TABLE wfml.prediction (
	id bigint NOT NULL DEFAULT pg_catalog.nextval('wfml.prediction_id_seq') CONSTRAINT prediction_pkey PRIMARY KEY,
	model_number bigint NOT NULL,
	model_id bigint REFERENCES wfml.ml_model (id) ON DELETE SET NULL,
	model text COLLATE "C" NOT NULL,
	version integer,
	made_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	made_by regrole NOT NULL,
	user_id text,
	entity text,
	value double precision,
	lower double precision,
	upper double precision,
	label text,
	confidence double precision,
	source text NOT NULL CHECK (source IN ('function', 'trigger', 'fallback', 'cache')),
	shadow boolean NOT NULL DEFAULT false,
	latency_us integer,
	actual text,
	actual_at timestamptz,
	error text,
	input jsonb,
	made_for regrole
) WITH (fillfactor = 85);
ALTER SEQUENCE wfml.prediction_id_seq OWNED BY wfml.prediction.id;
-- No index holds actual: an outcome is then a HOT update.
CREATE INDEX prediction_model ON wfml.prediction (model_id, made_at);
CREATE INDEX prediction_name ON wfml.prediction (model, made_at);
CREATE INDEX prediction_entity ON wfml.prediction (entity, model_number) WHERE entity IS NOT NULL;
CREATE INDEX prediction_user ON wfml.prediction (user_id, made_at) WHERE user_id IS NOT NULL;
COMMENT ON TABLE wfml.prediction IS 'logged predictions, and what really happened';
COMMENT ON COLUMN wfml.prediction.model_number IS 'registry.number of the model';
COMMENT ON COLUMN wfml.prediction.model_id IS 'version that answered; NULL when none did, or when it was dropped since';
COMMENT ON COLUMN wfml.prediction.model IS 'name of the model; rename_model() keeps it up to date';
COMMENT ON COLUMN wfml.prediction.user_id IS 'setting wfml.user_id when it was made';
COMMENT ON COLUMN wfml.prediction.shadow IS 'made beside the answer, by the other version of a split in shadow mode';
COMMENT ON COLUMN wfml.prediction.made_for IS 'role by whose right the model was used: who called log_predict(), or the owner of the scored table; outcomes join from tables of that role and of the model''s owner';
COMMENT ON COLUMN wfml.prediction.error IS 'why the model itself did not answer';

REVOKE ALL ON wfml.prediction FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('wfml.prediction', '');
SELECT pg_catalog.pg_extension_config_dump('wfml.prediction_id_seq', '');

-- Everybody sees what he made and what his models made; wfml.user_id narrows
-- that.  The sub-selects are evaluated once, and all else is of one table, so
-- that id, model with made_at, and entity find their indexes.  Queries above a
-- security barrier cannot ask for an order below it: without the ORDER BY here
-- the newest predictions would be found by sorting all.
CREATE VIEW wfml.predictions WITH (security_barrier) AS
	SELECT p.id, p.model, p.version, p.made_at, pg_catalog.pg_get_userbyid(p.made_by::oid) AS made_by,
		p.user_id, p.entity, p.value, p.lower, p.upper, p.label, p.confidence, p.source, p.shadow,
		p.latency_us, p.actual, p.actual_at, p.error, p.input
	FROM wfml.prediction p
	WHERE (p.model_number IN (SELECT r.number FROM wfml.registry r WHERE pg_catalog.pg_has_role(r.owner::oid, 'USAGE'))
			OR pg_catalog.pg_has_role(p.made_by::oid, 'USAGE'))
		AND ((SELECT coalesce(pg_catalog.current_setting('wfml.user_id', true), '') = '')
			OR p.user_id = (SELECT pg_catalog.current_setting('wfml.user_id', true)))
	ORDER BY p.id DESC;
COMMENT ON VIEW wfml.predictions IS
	'predictions that you made or that your models made, of the user in wfml.user_id when that is set; the newest are found fast by ORDER BY id DESC';
GRANT SELECT ON wfml.predictions TO PUBLIC;
