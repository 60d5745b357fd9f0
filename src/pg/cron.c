/*-------------------------------------------------------------------------
 * cron.c
 *	  cron_next, cron_matches: cron expressions in a time zone.
 *
 * Where the clocks change (as Vixie cron does it):  an expression whose hour
 * field begins with "*" follows the clock on the wall, so that times skipped
 * do not occur and times shown twice occur twice.  Any other names times of
 * the day, each of which occurs once: a skipped one when the clocks have gone
 * forward, one shown twice at its first occurrence.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/cron.h"
#include "pg/arguments.h"
#include "pg/pghost.h"

PG_FUNCTION_INFO_V1(wfml_cron_next);
PG_FUNCTION_INFO_V1(wfml_cron_matches);

#define SECONDS_TO_2000 INT64CONST(946684800)	/* from 1970 */
#define LOOK_BACK (26 * 3600)	/* no clock is ever set back by more */

static pg_tz *
find_zone(const char *name)
{
	pg_tz	   *zone;

	if (name == NULL)
		return session_timezone;
	zone = pg_tzset(name);
	if (zone == NULL || !pg_tz_acceptable(zone))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" not recognized", name),
				 errhint("pg_timezone_names lists those that are known.")));
	return zone;
}

static int64
floor_div(int64 a, int64 b)
{
	return a / b - (a % b < 0);
}

/* Seconds since 2000, local: the first match at or after "from". */
static int64
next_local(const WfCron *cron, int64 from)
{
	int64		minute = wf_cron_next(cron, floor_div(from + 59, 60) - 1);

	return minute == WF_CRON_NEVER ? PG_INT64_MAX : minute * 60;
}

/* The first match after a moment, both in seconds since 2000 UTC; PG_INT64_MAX: none. */
static int64
next_moment(const WfCron *cron, pg_tz *zone, int64 after)
{
	bool		once = !cron->every_hour;
	int64		start = after - LOOK_BACK;
	int64		shown = PG_INT64_MIN;	/* local times before it were shown already */

	if (wf_cron_next(cron, floor_div(after, 60)) == WF_CRON_NEVER)
		return PG_INT64_MAX;
	for (;;)
	{
		pg_time_t	at = start + SECONDS_TO_2000;
		pg_time_t	change;
		long		before_offset;
		long		after_offset;
		int			isdst[2];
		int			changes = pg_next_dst_boundary(&at, &before_offset, &isdst[0], &change, &after_offset, &isdst[1], zone);
		int64		boundary = changes == 1 ? change - SECONDS_TO_2000 : PG_INT64_MAX;

		if (changes < 0)
			return PG_INT64_MAX;
		if (boundary > after)
		{
			int64		from = Max(after + 1, start) + before_offset;
			int64		found = next_local(cron, once ? Max(from, shown) : from);

			if (found == PG_INT64_MAX)
				return found;
			if (found - before_offset < boundary)
				return found - before_offset;
			if (once && after_offset > before_offset && next_local(cron, boundary + before_offset) < boundary + after_offset)
				return boundary;
		}
		shown = boundary == PG_INT64_MAX ? shown : boundary + before_offset;
		start = boundary;
	}
}

static void
parse(const char *text, WfCron *cron)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "wfml cron", ALLOCSET_SMALL_SIZES);

	wf_cron_parse(wfml_host_create(context), text, strlen(text), cron);
	MemoryContextDelete(context);
}

/* cron_next(expression, after, timezone) */
Datum
wfml_cron_next(PG_FUNCTION_ARGS)
{
	WfCron		cron;
	pg_tz	   *zone;
	TimestampTz after;
	int64		next;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), &cron);
	zone = find_zone(wfml_argument_text_or_null(fcinfo, 2));
	after = PG_GETARG_TIMESTAMPTZ(1);
	if (TIMESTAMP_NOT_FINITE(after))
		PG_RETURN_NULL();
	next = next_moment(&cron, zone, floor_div(after, USECS_PER_SEC));
	if (next >= END_TIMESTAMP / USECS_PER_SEC)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(next * USECS_PER_SEC);
}

/* cron_matches(expression, at, timezone) */
Datum
wfml_cron_matches(PG_FUNCTION_ARGS)
{
	WfCron		cron;
	pg_tz	   *zone;
	TimestampTz at;
	int64		minute;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), &cron);
	zone = find_zone(wfml_argument_text_or_null(fcinfo, 2));
	at = PG_GETARG_TIMESTAMPTZ(1);
	if (TIMESTAMP_NOT_FINITE(at))
		PG_RETURN_BOOL(false);
	minute = floor_div(at, USECS_PER_MINUTE) * 60;
	PG_RETURN_BOOL(next_moment(&cron, zone, minute - 1) == minute);
}
