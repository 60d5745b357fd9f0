-- Cron expressions.

CREATE FUNCTION wfml.cron_next(expression text, after timestamptz, timezone text DEFAULT NULL) RETURNS timestamptz
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_cron_next';
COMMENT ON FUNCTION wfml.cron_next(text, timestamptz, text) IS
	'first moment after that one at which a cron expression matches: minute, hour, day of month, month, day of week (lists, ranges, steps, names of months and weekdays, 0 and 7 = Sunday; either day is enough when both are restricted), or @hourly, @daily, @weekly, @monthly, @yearly. timezone: the session''s when NULL. Where the clocks change, an hour field that begins with * follows the clock on the wall; other expressions name times that occur once a day, skipped ones when the clocks have gone forward and repeated ones at their first occurrence. NULL when it never matches, as 31 February';

CREATE FUNCTION wfml.cron_matches(expression text, at timestamptz, timezone text DEFAULT NULL) RETURNS boolean
	LANGUAGE C STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wfml_cron_matches';
COMMENT ON FUNCTION wfml.cron_matches(text, timestamptz, text) IS
	'whether a cron expression matches the minute of that moment; see wfml.cron_next()';
