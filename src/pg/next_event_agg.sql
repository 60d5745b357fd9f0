-- The next event of every case of a table: an aggregate over its rows.

CREATE TYPE wfml.next_event_result AS (
	event text,
	is_end boolean,
	probability double precision
);
COMMENT ON TYPE wfml.next_event_result IS
	'the likeliest next event of a case, NULL with is_end where the case ends, and its probability';

CREATE FUNCTION wfml.next_event_step(state internal, model text, event text, at timestamptz) RETURNS internal
	LANGUAGE C STABLE PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'wfml_next_event_step_text';
COMMENT ON FUNCTION wfml.next_event_step(internal, text, text, timestamptz) IS 'next_event_agg(): one more event';
CREATE FUNCTION wfml.next_event_step(state internal, model text, event bigint, at timestamptz) RETURNS internal
	LANGUAGE C STABLE PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'wfml_next_event_step_bigint';
COMMENT ON FUNCTION wfml.next_event_step(internal, text, bigint, timestamptz) IS 'next_event_agg(): one more event';
CREATE FUNCTION wfml.next_event_step(state internal, model text, event uuid, at timestamptz) RETURNS internal
	LANGUAGE C STABLE PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'wfml_next_event_step_uuid';
COMMENT ON FUNCTION wfml.next_event_step(internal, text, uuid, timestamptz) IS 'next_event_agg(): one more event';
CREATE FUNCTION wfml.next_event_final(state internal) RETURNS wfml.next_event_result
	LANGUAGE C STABLE PARALLEL SAFE COST 1000
	AS 'MODULE_PATHNAME', 'wfml_next_event_final';
COMMENT ON FUNCTION wfml.next_event_final(internal) IS 'next_event_agg(): the answer';

CREATE AGGREGATE wfml.next_event_agg(model text, event text, at timestamptz) (
	SFUNC = wfml.next_event_step,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = wfml.next_event_final,
	PARALLEL = SAFE
);
CREATE AGGREGATE wfml.next_event_agg(model text, event bigint, at timestamptz) (
	SFUNC = wfml.next_event_step,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = wfml.next_event_final,
	PARALLEL = SAFE
);
CREATE AGGREGATE wfml.next_event_agg(model text, event uuid, at timestamptz) (
	SFUNC = wfml.next_event_step,
	STYPE = internal,
	SSPACE = 4096,
	FINALFUNC = wfml.next_event_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE wfml.next_event_agg(text, text, timestamptz) IS
	'the likeliest next event of a case, from its rows: next_event_agg(model, activity, ts ORDER BY ts). at may be NULL; rows whose event is NULL do not count. The state does not grow with the case. As a window function it answers after every event (rows that the ORDER BY does not tell apart count as one step). Take it apart in a query around: SELECT case_id, (n).* FROM (SELECT case_id, wfml.next_event_agg(…) AS n FROM … GROUP BY case_id) c';
COMMENT ON AGGREGATE wfml.next_event_agg(text, bigint, timestamptz) IS
	'next_event_agg() for events of type bigint';
COMMENT ON AGGREGATE wfml.next_event_agg(text, uuid, timestamptz) IS
	'next_event_agg() for events of type uuid';
