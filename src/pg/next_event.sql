-- The next event of a case.  These write nothing, so they run in parallel plans,
-- on standbys and in read-only transactions.

CREATE FUNCTION wfml.next_event(
	model text, history text[], n integer DEFAULT 3, times timestamptz[] DEFAULT NULL)
	RETURNS TABLE (event text, is_end boolean, probability double precision, rank integer, source text)
	LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 3
	AS 'MODULE_PATHNAME', 'wfml_next_event_array';
CREATE FUNCTION wfml.next_event(
	model text, history bigint[], n integer DEFAULT 3, times timestamptz[] DEFAULT NULL)
	RETURNS TABLE (event text, is_end boolean, probability double precision, rank integer, source text)
	LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 3
	AS 'MODULE_PATHNAME', 'wfml_next_event_array';
CREATE FUNCTION wfml.next_event(
	model text, history uuid[], n integer DEFAULT 3, times timestamptz[] DEFAULT NULL)
	RETURNS TABLE (event text, is_end boolean, probability double precision, rank integer, source text)
	LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 3
	AS 'MODULE_PATHNAME', 'wfml_next_event_array';
CREATE FUNCTION wfml.next_event(
	model text, history text, n integer DEFAULT 3, times timestamptz[] DEFAULT NULL)
	RETURNS TABLE (event text, is_end boolean, probability double precision, rank integer, source text)
	LANGUAGE C STABLE PARALLEL SAFE COST 2000 ROWS 3
	AS 'MODULE_PATHNAME', 'wfml_next_event_text';
COMMENT ON FUNCTION wfml.next_event(text, text[], integer, timestamptz[]) IS
	'the n likeliest next events of a case so far, its events in order, with the time of each if known; event is NULL where is_end: the case ends. source: the expert with most weight in the answer (markov, lstm, boosting). Events that training did not see, none at all, and any length are answered';
COMMENT ON FUNCTION wfml.next_event(text, bigint[], integer, timestamptz[]) IS
	'next_event() for an array of whole numbers';
COMMENT ON FUNCTION wfml.next_event(text, uuid[], integer, timestamptz[]) IS
	'next_event() for an array of uuids';
COMMENT ON FUNCTION wfml.next_event(text, text, integer, timestamptz[]) IS
	'next_event() for an array as text, such as ''{a,b}''';

CREATE FUNCTION wfml.next_event_time(
	model text, history text[], times timestamptz[] DEFAULT NULL) RETURNS interval
	LANGUAGE C STABLE PARALLEL SAFE COST 2000
	AS 'MODULE_PATHNAME', 'wfml_next_event_time_array';
CREATE FUNCTION wfml.next_event_time(
	model text, history bigint[], times timestamptz[] DEFAULT NULL) RETURNS interval
	LANGUAGE C STABLE PARALLEL SAFE COST 2000
	AS 'MODULE_PATHNAME', 'wfml_next_event_time_array';
CREATE FUNCTION wfml.next_event_time(
	model text, history uuid[], times timestamptz[] DEFAULT NULL) RETURNS interval
	LANGUAGE C STABLE PARALLEL SAFE COST 2000
	AS 'MODULE_PATHNAME', 'wfml_next_event_time_array';
CREATE FUNCTION wfml.next_event_time(
	model text, history text, times timestamptz[] DEFAULT NULL) RETURNS interval
	LANGUAGE C STABLE PARALLEL SAFE COST 2000
	AS 'MODULE_PATHNAME', 'wfml_next_event_time_text';
COMMENT ON FUNCTION wfml.next_event_time(text, text[], timestamptz[]) IS
	'how long after its last event the next one of a case will come, if one does: half of them come sooner. NULL for an empty history and for models whose time column is a number';
COMMENT ON FUNCTION wfml.next_event_time(text, bigint[], timestamptz[]) IS
	'next_event_time() for an array of whole numbers';
COMMENT ON FUNCTION wfml.next_event_time(text, uuid[], timestamptz[]) IS
	'next_event_time() for an array of uuids';
COMMENT ON FUNCTION wfml.next_event_time(text, text, timestamptz[]) IS
	'next_event_time() for an array as text, such as ''{a,b}''';

CREATE FUNCTION wfml.sequence_score(
	model text, history text[], times timestamptz[] DEFAULT NULL) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 5000
	AS 'MODULE_PATHNAME', 'wfml_sequence_score_array';
CREATE FUNCTION wfml.sequence_score(
	model text, history bigint[], times timestamptz[] DEFAULT NULL) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 5000
	AS 'MODULE_PATHNAME', 'wfml_sequence_score_array';
CREATE FUNCTION wfml.sequence_score(
	model text, history uuid[], times timestamptz[] DEFAULT NULL) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 5000
	AS 'MODULE_PATHNAME', 'wfml_sequence_score_array';
CREATE FUNCTION wfml.sequence_score(
	model text, history text, times timestamptz[] DEFAULT NULL) RETURNS double precision
	LANGUAGE C STABLE PARALLEL SAFE COST 5000
	AS 'MODULE_PATHNAME', 'wfml_sequence_score_text';
COMMENT ON FUNCTION wfml.sequence_score(text, text[], timestamptz[]) IS
	'how ordinary a case is: the mean over its events of the logarithm of the probability that the model gave each of them before it happened. Never above 0; the lower, the odder. The end of the case does not count; NULL for an empty history';
COMMENT ON FUNCTION wfml.sequence_score(text, bigint[], timestamptz[]) IS
	'sequence_score() for an array of whole numbers';
COMMENT ON FUNCTION wfml.sequence_score(text, uuid[], timestamptz[]) IS
	'sequence_score() for an array of uuids';
COMMENT ON FUNCTION wfml.sequence_score(text, text, timestamptz[]) IS
	'sequence_score() for an array as text, such as ''{a,b}''';
