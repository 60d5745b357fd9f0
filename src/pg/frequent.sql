-- Mining of frequent sequences.

CREATE FUNCTION wfml.frequent_sequences(source text, case_column text, event_column text, time_column text,
	min_support double precision DEFAULT 0.01, max_length integer DEFAULT 6, max_gap interval DEFAULT NULL,
	user_column text DEFAULT NULL)
	RETURNS SETOF wfml.pattern
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000
	AS 'MODULE_PATHNAME', 'wfml_frequent_sequences';
COMMENT ON FUNCTION wfml.frequent_sequences(text, text, text, text, double precision, integer, interval, text) IS
	'sequences of 2 to max_length (32 at most) events that a share of min_support of the cases, and at least two, contain in that order of time; other events may come between, but under max_gap no more than that time from one event of the sequence to the next. Only closed ones: a sequence is left out when a longer one that contains it is in the very same cases. source is a table or query and is read with your rights; time_column a timestamp or date, or a number that only orders (then hour, weekday and gap are NULL and max_gap is an error); events of one time are ordered by their text; rows with a NULL are left out. users counts the distinct values of user_column, each case having that of its first event; without it the cases. typical_hour (in the time zone of the session, to the minute; NULL when the hours have no middle), weekday_share and gap are about one occurrence a case: of those that end first, the one that begins last. By falling support, lift, and then events';

CREATE FUNCTION wfml.is_subsequence(needle text[], haystack text[]) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_is_subsequence';
COMMENT ON FUNCTION wfml.is_subsequence(text[], text[]) IS
	'whether all elements of the first array are in the second in the same order, others between them or not; texts are compared by their bytes, a NULL in the first is found nowhere';
