/*-------------------------------------------------------------------------
 * cron.h
 *	  Cron expressions: five fields, and when they match next.
 *
 * As Vixie cron reads them: minute, hour, day of month, month, day of week;
 * lists, ranges, steps, names of months and weekdays, 0 and 7 both Sunday.
 * A day matches when day of month AND day of week do, unless both fields are
 * restricted (do not begin with "*"): then either is enough.
 *
 * Times here are local ones, without a zone: minutes since 2000-01-01 00:00
 * of the proleptic Gregorian calendar.
 *-------------------------------------------------------------------------
 */
#ifndef WF_CRON_H
#define WF_CRON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/host.h"

typedef struct WfCron
{
	uint64_t	minutes;		/* bit m: minute m, 0 to 59 */
	uint32_t	hours;			/* bits 0 to 23 */
	uint32_t	days;			/* bits 1 to 31 */
	uint32_t	months;			/* bits 1 to 12 */
	uint32_t	weekdays;		/* bits 0 (Sunday) to 6 */
	bool		every_hour;		/* the hour field begins with "*" */
	bool		either_day;		/* both day fields are restricted */
} WfCron;

#define WF_CRON_NEVER INT64_MAX

/* Text that is no cron expression fails with WF_E_PARAM, naming the field. */
void		wf_cron_parse(WfHost *host, const char *text, size_t length, WfCron *cron);
bool		wf_cron_matches(const WfCron *cron, int64_t minute);

/* First minute after that one that matches; WF_CRON_NEVER: none in 400 years, after which the calendar repeats. */
int64_t		wf_cron_next(const WfCron *cron, int64_t minute);

#endif							/* WF_CRON_H */
