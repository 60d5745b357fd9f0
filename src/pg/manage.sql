-- Changing models.  Everything here checks that the caller owns the model, and
-- obeys BEGIN, ROLLBACK and savepoints as any UPDATE does.

CREATE FUNCTION wfml.activate(model text, version integer) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_activate';
COMMENT ON FUNCTION wfml.activate(text, integer) IS 'make a version the one that the model''s name means, also a retired one';

CREATE FUNCTION wfml.rollback(model text) RETURNS integer
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_rollback';
COMMENT ON FUNCTION wfml.rollback(text) IS 'undo the last activation; returns the version that is active again';

CREATE FUNCTION wfml.retire(model text, version integer) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_retire';
COMMENT ON FUNCTION wfml.retire(text, integer) IS 'keep a version, but refuse its use by name; refused while it is active or an index or function uses it';

CREATE FUNCTION wfml.drop_model(model text, version integer DEFAULT NULL) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_drop_model';
COMMENT ON FUNCTION wfml.drop_model(text, integer) IS 'drop a model with all its versions, or one version; refused while an index, function or attached table uses it';

CREATE FUNCTION wfml.rename_model(old_name text, new_name text) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_rename_model';
COMMENT ON FUNCTION wfml.rename_model(text, text) IS 'give a model another name; its versions, grants, attachments and history follow';

CREATE FUNCTION wfml.set_comment(model text, comment text) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_set_comment';
COMMENT ON FUNCTION wfml.set_comment(text, text) IS 'describe a model for wfml.models; NULL removes the description';

CREATE FUNCTION wfml.set_source(model text, source text, target text DEFAULT NULL) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_set_source';
COMMENT ON FUNCTION wfml.set_source(text, text, text) IS 'what retraining the active version reads, for instance after a table was renamed';

CREATE FUNCTION wfml.grant_model(model text, role name) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_grant_model';
COMMENT ON FUNCTION wfml.grant_model(text, name) IS 'let a role use a model; ''public'' is everybody';

CREATE FUNCTION wfml.revoke_model(model text, role name) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_revoke_model';
COMMENT ON FUNCTION wfml.revoke_model(text, name) IS 'take back what grant_model() gave';

CREATE FUNCTION wfml.reassign_models(old_owner name, new_owner name) RETURNS bigint
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'wfml_reassign_models';
COMMENT ON FUNCTION wfml.reassign_models(name, name) IS 'give all models of a role to another; for a dropped role give the number that wfml.models shows. Returns how many';
