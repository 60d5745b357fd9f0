-- A look at users and items before training.

CREATE FUNCTION wfml.inspect_recommender(
	source text, user_column text, item_column text,
	rating_column text DEFAULT NULL, time_column text DEFAULT NULL, params jsonb DEFAULT '{}',
	OUT column_name text, OUT type text, OUT role text, OUT n_distinct text, OUT nulls text, OUT note text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 15
	AS 'MODULE_PATHNAME', 'wfml_inspect_recommender';
COMMENT ON FUNCTION wfml.inspect_recommender(text, text, text, text, text, jsonb) IS
	'dry run of train_recommender(): columns, users, items and NULLs; then rows, repeated pairs, density, length of histories, methods that would be tried, and the seconds, memory and size of the model to expect. Reads the source once, writes nothing';
