/*-------------------------------------------------------------------------
 * isotime.h
 *	  Dates and times in ISO 8601 form, whatever DateStyle says.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_ISOTIME_H
#define WFML_ISOTIME_H

#include "postgres.h"

#include "pgtime.h"

#include "core/schema.h"

typedef enum WfmlIso
{
	WFML_ISO_VALUE,
	WFML_ISO_INFINITE,			/* "infinity", "-infinity" */
	WFML_ISO_WRONG
} WfmlIso;

/*
 * "2026-01-31", "2026-01-31T14:05:06.789", either with a zone ("Z", "+02",
 * "-03:30"), which makes it an instant, shown in zone; for WF_COL_TIME
 * "14:05" and so on.  Local days since 2000-01-01 and microseconds of the day.
 */
extern WfmlIso wfml_iso_parse(const char *text, size_t length, WfColumnKind kind,
							  pg_tz *zone, int64 *days, int64 *usec);

/* An interval as any IntervalStyle writes it ("1 day 02:00:00", "P1DT2H"), in seconds; false: it is none. */
extern bool wfml_interval_parse(const char *text, size_t length, double *seconds);

#endif							/* WFML_ISOTIME_H */
