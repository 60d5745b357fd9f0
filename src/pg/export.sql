-- Models as bytes, to carry to another database.

CREATE FUNCTION wfml.export_model(model text) RETURNS bytea
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000
	AS 'MODULE_PATHNAME', 'wfml_export_model';
COMMENT ON FUNCTION wfml.export_model(text) IS
	'a version of your model as bytes for import_model(): the model, how it was trained and a checksum; up to 500 MB';

CREATE FUNCTION wfml.import_model(name text, artifact bytea, activate boolean DEFAULT true) RETURNS text
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000
	AS 'MODULE_PATHNAME', 'wfml_import_model';
COMMENT ON FUNCTION wfml.import_model(text, bytea, boolean) IS
	'store bytes of export_model() as a new version of a model; returns name@version. The bytes are checked throughout before anything is stored; to retrain it name a source with set_source()';

CREATE FUNCTION wfml.verify(model text) RETURNS boolean
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000
	AS 'MODULE_PATHNAME', 'wfml_verify';
COMMENT ON FUNCTION wfml.verify(text) IS
	'true when the stored bytes of a version have their checksum and are a valid model; an ERROR with SQLSTATE XX001 says what is damaged';
