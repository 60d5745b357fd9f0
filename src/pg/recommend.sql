-- Recommendations: what a user may like, how he would rate it, what is alike.
-- They write nothing, so they run in parallel plans, on standbys and in
-- read-only transactions.  Ids come as text, bigint or uuid; 42, 'abc', NULL
-- and an untyped $1 all resolve.

CREATE FUNCTION wfml.recommend(
	model text, user_id text, n integer DEFAULT 10, exclude_seen boolean DEFAULT true, history text[] DEFAULT NULL,
	OUT item text, OUT score double precision, OUT source text, OUT rank integer)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_recommend_text';
CREATE FUNCTION wfml.recommend(
	model text, user_id bigint, n integer DEFAULT 10, exclude_seen boolean DEFAULT true, history text[] DEFAULT NULL,
	OUT item text, OUT score double precision, OUT source text, OUT rank integer)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_recommend_bigint';
CREATE FUNCTION wfml.recommend(
	model text, user_id uuid, n integer DEFAULT 10, exclude_seen boolean DEFAULT true, history text[] DEFAULT NULL,
	OUT item text, OUT score double precision, OUT source text, OUT rank integer)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_recommend_uuid';
COMMENT ON FUNCTION wfml.recommend(text, text, integer, boolean, text[]) IS
	'the n items that a user is likeliest to want, best first, without those he has (exclude_seen); history: items that he has now beside those of training. source: collaborative (what users with like histories have), content (attributes like those of his items), popular (no history is known); scores compare within one source of one call. A user who is NULL or unknown, unknown items in history and n beyond the catalogue are no errors; n below 0 is 22023, another kind of model WF002';

COMMENT ON FUNCTION wfml.recommend(text, bigint, integer, boolean, text[]) IS
	'the n items that a user is likeliest to want, best first, without those he has (exclude_seen); history: items that he has now beside those of training. source: collaborative (what users with like histories have), content (attributes like those of his items), popular (no history is known); scores compare within one source of one call. A user who is NULL or unknown, unknown items in history and n beyond the catalogue are no errors; n below 0 is 22023, another kind of model WF002';

COMMENT ON FUNCTION wfml.recommend(text, uuid, integer, boolean, text[]) IS
	'the n items that a user is likeliest to want, best first, without those he has (exclude_seen); history: items that he has now beside those of training. source: collaborative (what users with like histories have), content (attributes like those of his items), popular (no history is known); scores compare within one source of one call. A user who is NULL or unknown, unknown items in history and n beyond the catalogue are no errors; n below 0 is 22023, another kind of model WF002';

CREATE FUNCTION wfml.predict_rating(model text, user_id text, item text) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_text_text';
CREATE FUNCTION wfml.predict_rating(model text, user_id text, item bigint) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_text_bigint';
CREATE FUNCTION wfml.predict_rating(model text, user_id text, item uuid) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_text_uuid';
CREATE FUNCTION wfml.predict_rating(model text, user_id bigint, item text) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_bigint_text';
CREATE FUNCTION wfml.predict_rating(model text, user_id bigint, item bigint) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_bigint_bigint';
CREATE FUNCTION wfml.predict_rating(model text, user_id bigint, item uuid) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_bigint_uuid';
CREATE FUNCTION wfml.predict_rating(model text, user_id uuid, item text) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_uuid_text';
CREATE FUNCTION wfml.predict_rating(model text, user_id uuid, item bigint) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_uuid_bigint';
CREATE FUNCTION wfml.predict_rating(model text, user_id uuid, item uuid) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'wfml_predict_rating_uuid_uuid';
COMMENT ON FUNCTION wfml.predict_rating(text, text, text) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';
COMMENT ON FUNCTION wfml.predict_rating(text, text, bigint) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';
COMMENT ON FUNCTION wfml.predict_rating(text, text, uuid) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';
COMMENT ON FUNCTION wfml.predict_rating(text, bigint, text) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';
COMMENT ON FUNCTION wfml.predict_rating(text, bigint, bigint) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';
COMMENT ON FUNCTION wfml.predict_rating(text, bigint, uuid) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';
COMMENT ON FUNCTION wfml.predict_rating(text, uuid, text) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';
COMMENT ON FUNCTION wfml.predict_rating(text, uuid, bigint) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';
COMMENT ON FUNCTION wfml.predict_rating(text, uuid, uuid) IS 'rating that the user would give to the item, within the range of ratings seen in training; of an unknown user or item (a NULL user is unknown) the mean and the biases that are known; NULL for a NULL item. WF002 when the model was trained without rating_column';

CREATE FUNCTION wfml.similar_items(model text, item text, n integer DEFAULT 10,
	OUT item text, OUT score double precision, OUT rank integer)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_similar_items_text';
CREATE FUNCTION wfml.similar_items(model text, item bigint, n integer DEFAULT 10,
	OUT item text, OUT score double precision, OUT rank integer)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_similar_items_bigint';
CREATE FUNCTION wfml.similar_items(model text, item uuid, n integer DEFAULT 10,
	OUT item text, OUT score double precision, OUT rank integer)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 10
	AS 'MODULE_PATHNAME', 'wfml_similar_items_uuid';
COMMENT ON FUNCTION wfml.similar_items(text, text, integer) IS
	'the n items most like one, best first, without itself: those that the same users have, then those with like attributes; no rows for an item that training has not seen';
COMMENT ON FUNCTION wfml.similar_items(text, bigint, integer) IS
	'the n items most like one, best first, without itself: those that the same users have, then those with like attributes; no rows for an item that training has not seen';
COMMENT ON FUNCTION wfml.similar_items(text, uuid, integer) IS
	'the n items most like one, best first, without itself: those that the same users have, then those with like attributes; no rows for an item that training has not seen';
