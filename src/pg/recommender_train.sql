-- Training of recommenders.

CREATE FUNCTION wfml.train_recommender(
	model text, source text, user_column text, item_column text,
	rating_column text DEFAULT NULL, time_column text DEFAULT NULL,
	items text DEFAULT NULL, item_key text DEFAULT NULL,
	params jsonb DEFAULT '{}', activate boolean DEFAULT true)
	RETURNS wfml.training_summary
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000
	AS 'MODULE_PATHNAME', 'wfml_train_recommender';
COMMENT ON FUNCTION wfml.train_recommender(text, text, text, text, text, text, text, text, jsonb, boolean) IS
	'train a new version of a recommender from a table, view or read-only query of users and items (ids of any type); a pair that comes several times counts so often, or with rating_column has the mean of its ratings; rows without user, item or rating are left out with a NOTICE. time_column: the latest fifth of the rows measures how good it is, else a random fifth. items: a table or query of items, its item_key (by default a column named like item_column) and columns that describe them (text, categories, numbers, text[]), for items that few users have. Method (params.method): "auto" takes the best of EASE, RP3beta and item-kNN on interactions kept back. Errors: 42703 missing columns, P0002 no rows, 54000 more memory than wfml.max_training_memory. Call it as SELECT * FROM wfml.train_recommender(…). See wfml.parameters, wfml.inspect_recommender()';
