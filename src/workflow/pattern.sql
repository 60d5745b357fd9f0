-- What a repeated piece of work looks like.

CREATE TYPE wfml.pattern AS (
	events text[],
	n_events integer,
	support double precision,
	users bigint,
	lift double precision,
	typical_hour double precision,
	weekday_share double precision,
	gap interval
);
COMMENT ON TYPE wfml.pattern IS 'events that users do again and again in this order, and how: made by wfml.frequent_sequences()';
COMMENT ON COLUMN wfml.pattern.events IS 'the events in order; others may come between them';
COMMENT ON COLUMN wfml.pattern.n_events IS 'how many they are';
COMMENT ON COLUMN wfml.pattern.support IS 'share of the cases (sessions) that contain them, 0 to 1';
COMMENT ON COLUMN wfml.pattern.users IS 'how many users did them';
COMMENT ON COLUMN wfml.pattern.lift IS 'support over what it would be if its events came independently of each other';
COMMENT ON COLUMN wfml.pattern.typical_hour IS 'circular mean of the hour of day of the first event, 0 to 24';
COMMENT ON COLUMN wfml.pattern.weekday_share IS 'share that begins on Monday to Friday, 0 to 1';
COMMENT ON COLUMN wfml.pattern.gap IS 'median time from the first event to the last';
