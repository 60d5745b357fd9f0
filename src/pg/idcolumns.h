/*-------------------------------------------------------------------------
 * idcolumns.h
 *	  Columns of a source that the caller names one by one: users, items,
 *	  cases, events, ratings, times.
 *
 * Ids of any type are used as their text.  What that text is does not depend
 * on DateStyle, IntervalStyle, extra_float_digits or bytea_output, and is what
 * a cast to text gives under their defaults.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_IDCOLUMNS_H
#define WFML_IDCOLUMNS_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "fmgr.h"
#include "pgtime.h"

#include "pg/input.h"

typedef enum WfmlIdKind
{
	WFML_ID_TEXT,				/* any type */
	WFML_ID_NUMBER,				/* numbers, intervals (as seconds), booleans (as 0 and 1) */
	WFML_ID_TIME,				/* timestamps and dates by the clock on the wall, or numbers */
	WFML_ID_ORDER				/* the same, but instants as such: only what comes first counts */
} WfmlIdKind;

typedef struct WfmlIdColumn
{
	/* what is wanted, by the caller */
	const char *name;			/* NULL: not wanted, attno stays 0 */
	const char *role;			/* "user" for messages: user column "x" */
	WfmlIdKind	kind;
	bool		clip;			/* TEXT: only the first WF_DICT_KEY_BYTES count; else longer ones are an error */

	/* what was found */
	AttrNumber	attno;
	Oid			type;			/* under domains */
	bool		is_clock;		/* TIME, ORDER: timestamps or dates, not numbers */
	const char *zone;			/* TIME: name of the session's time zone, if values depend on it */

	/* private */
	WfmlConverter *converter;
	FmgrInfo	out;
	char		digits[24];		/* room for a whole number */
} WfmlIdColumn;

/*
 * Find the columns in desc, and how to read them; they and everything that
 * belongs to them live in CurrentMemoryContext.  where: "source", for messages.
 * Errors: missing names 42703 (all of them at once), a name that desc has more
 * than once 42702, an unsuitable type 42804.
 */
extern void wfml_id_columns_find(WfmlIdColumn *columns, int n, TupleDesc desc, const char *where);
/* Largest attribute number needed. */
extern int	wfml_id_columns_max_attno(const WfmlIdColumn *columns, int n);

/*
 * Values that are not NULL.  Text is valid until the next call
 * for this column, or in CurrentMemoryContext; longer than WF_DICT_KEY_BYTES it is cut to whole
 * characters (clip) or 54000.
 */
extern const char *wfml_id_text(WfmlIdColumn *column, Datum value, size_t *length);
/* Of the type's output function, under the settings that a new database has; times in that zone. */
extern char *wfml_fixed_output(FmgrInfo *out, Datum value, pg_tz *zone);
/* May be NaN or infinite. */
extern double wfml_id_number(const WfmlIdColumn *column, Datum value);
/*
 * TIME: clocks as seconds since 2000-01-01 00:00 (the session's zone); ORDER:
 * of instants since 2000-01-01 00:00 UTC.  NaN for infinite timestamps.
 */
extern double wfml_id_time(const WfmlIdColumn *column, Datum value);

#endif							/* WFML_IDCOLUMNS_H */
