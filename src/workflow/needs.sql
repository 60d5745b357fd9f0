-- What users do again and again and no workflow does for them.

CREATE FUNCTION wfml.workflow_needs(n integer DEFAULT 20, user_id text DEFAULT NULL)
	RETURNS TABLE (events text[], sessions bigint, support double precision, users bigint, lift double precision,
		typical_hour double precision, saving double precision, made_at timestamptz, pattern wfml.pattern)
	LANGUAGE SQL STABLE PARALLEL UNSAFE ROWS 20
BEGIN ATOMIC
	SELECT f.events, f.sessions, f.support, f.users, f.lift, f.typical_hour, f.saving, f.made_at,
		ROW(f.events, f.n_events, f.support, f.users, f.lift, f.typical_hour, f.weekday_share, f.gap)::wfml.pattern
	FROM wfml.find_needs(n, user_id) f;
END;
COMMENT ON FUNCTION wfml.workflow_needs(integer, text) IS
	'what users do again and again and no workflow does for them: closed sequences of 2 to 8 bound events in one session (a pause longer than the binding''s session_gap begins a new one) that are in 1 % of the sessions and in 5 at least (more, and shorter ones, while more than 200000 are found), none of whose events is rarer beside the others than chance would have it, and that are no subsequence of the events of a bound workflow. By falling saving: the events that a session would have less on average if a workflow did them at one stroke, support * (number of events - 1). Of two sequences one of which contains the other only the one that saves more is listed, except a part that is in more than twice as many sessions. With user_id those that he did in two sessions at least: sessions and saving are then his. From what refresh_needs() kept (made_at), with the workflows as they are now; while nothing is kept the events are searched at each call';
