/*-------------------------------------------------------------------------
 * isotime.c
 *	  Dates and times in ISO 8601 form, whatever DateStyle says.
 *
 * The server's own input functions take more ("today", "1/2/2003"), and what
 * they make of it depends on the day and on DateStyle; a prediction that may
 * stand in an index must depend on neither.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "datatype/timestamp.h"
#include "miscadmin.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
#include "pg/input.h"
#include "pg/isotime.h"

typedef struct Cursor
{
	const char *at;
	const char *end;
} Cursor;

static bool
take(Cursor *c, char wanted)
{
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

/* A number of least to most digits. */
static bool
take_number(Cursor *c, int least, int most, int *value)
{
	int			n = 0;

	*value = 0;
	while (n < most && c->at < c->end && isdigit((unsigned char) *c->at))
	{
		*value = *value * 10 + (*c->at++ - '0');
		n++;
	}
	return n >= least;
}

static bool
take_date(Cursor *c, int *year, int *month, int *day)
{
	return take_number(c, 4, 6, year) && take(c, '-') &&
		take_number(c, 2, 2, month) && take(c, '-') &&
		take_number(c, 2, 2, day) &&
		*month >= 1 && *month <= 12 && *day >= 1;
}

/* hh:mm[:ss[.ffffff]] */
static bool
take_time(Cursor *c, int64 *usec)
{
	int			hour,
				minute,
				second = 0;
	int64		fraction = 0;

	if (!take_number(c, 2, 2, &hour) || !take(c, ':') || !take_number(c, 2, 2, &minute))
		return false;
	if (take(c, ':'))
	{
		if (!take_number(c, 2, 2, &second))
			return false;
		if (take(c, '.'))
		{
			int64		scale = USECS_PER_SEC / 10;

			for (; c->at < c->end && isdigit((unsigned char) *c->at); c->at++, scale /= 10)
				fraction += (*c->at - '0') * scale;
		}
	}
	*usec = ((hour * INT64CONST(60) + minute) * 60 + second) * USECS_PER_SEC + fraction;
	return minute < 60 && second <= 60 && *usec <= USECS_PER_DAY;
}

/* Z, +hh, +hhmm, +hh:mm[:ss]; none is right too. */
static bool
take_zone(Cursor *c, bool *has_zone, int64 *offset)
{
	int			sign,
				hour,
				minute = 0,
				second = 0;

	*has_zone = false;
	*offset = 0;
	if (c->at == c->end || (*c->at == ' ' && c->end - c->at == 3))	/* " BC" */
		return true;
	*has_zone = true;
	if (take(c, 'Z') || take(c, 'z'))
		return true;
	sign = take(c, '-') ? -1 : 1;
	if (sign > 0 && !take(c, '+'))
		return false;
	if (!take_number(c, 2, 2, &hour))
		return false;
	if (take(c, ':'))
	{
		if (!take_number(c, 2, 2, &minute))
			return false;
		if (take(c, ':') && !take_number(c, 2, 2, &second))
			return false;
	}
	else if (c->at < c->end && isdigit((unsigned char) *c->at) && !take_number(c, 2, 2, &minute))
		return false;
	*offset = sign * ((hour * INT64CONST(60) + minute) * 60 + second) * USECS_PER_SEC;
	return hour < 16 && minute < 60 && second < 60;
}

static bool
at_word(const Cursor *c, const char *word)
{
	size_t		n = strlen(word);

	return (size_t) (c->end - c->at) == n && pg_strncasecmp(c->at, word, n) == 0;
}

WfmlIso
wfml_iso_parse(const char *text, size_t length, WfColumnKind kind, pg_tz *zone,
			   int64 *days, int64 *usec)
{
	Cursor		c = {text, text + length};
	int			year,
				month,
				day;
	bool		has_zone;
	int64		offset;

	*days = 0;
	*usec = 0;
	if (kind == WF_COL_TIME)
	{
		if (!take_time(&c, usec) || !take_zone(&c, &has_zone, &offset) || c.at != c.end)
			return WFML_ISO_WRONG;
		*usec %= USECS_PER_DAY;
		return WFML_ISO_VALUE;
	}
	if (at_word(&c, "infinity") || at_word(&c, "-infinity"))
		return WFML_ISO_INFINITE;
	if (!take_date(&c, &year, &month, &day))
		return WFML_ISO_WRONG;
	if ((take(&c, 'T') || take(&c, 't') || (c.end - c.at != 3 && take(&c, ' '))) && !take_time(&c, usec))
		return WFML_ISO_WRONG;
	if (!take_zone(&c, &has_zone, &offset))
		return WFML_ISO_WRONG;
	if (at_word(&c, " BC"))
	{
		year = 1 - year;		/* 1 BC is year 0 */
		c.at = c.end;
	}
	else if (year == 0)
		return WFML_ISO_WRONG;
	if (c.at != c.end || !IS_VALID_JULIAN(year, month, day) || year > 294276 ||
		day > day_tab[isleap(year)][month - 1])
		return WFML_ISO_WRONG;
	*days = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	if (has_zone)
		return wfml_local_time(*days * USECS_PER_DAY + *usec - offset, zone, days, usec) ?
			WFML_ISO_VALUE : WFML_ISO_INFINITE;
	if (*usec == USECS_PER_DAY) /* 24:00 */
	{
		*usec = 0;
		(*days)++;
	}
	return WFML_ISO_VALUE;
}

/* ---- intervals ---- */

static bool
decode_interval(char **fields, int *types, int n, char *text, Interval *span)
{
	int			kind = DTK_DELTA;
	int			error;
#if PG_VERSION_NUM >= 150000
	struct pg_itm_in parts = {0};

	error = DecodeInterval(fields, types, n, INTERVAL_FULL_RANGE, &kind, &parts);
	if (error == DTERR_BAD_FORMAT)
		error = DecodeISO8601Interval(text, &kind, &parts);
	return error == 0 && kind == DTK_DELTA && itmin2interval(&parts, span) == 0;
#else
	struct pg_tm parts = {0};
	fsec_t		fraction = 0;

	error = DecodeInterval(fields, types, n, INTERVAL_FULL_RANGE, &kind, &parts, &fraction);
	if (error == DTERR_BAD_FORMAT)
		error = DecodeISO8601Interval(text, &kind, &parts, &fraction);
	return error == 0 && kind == DTK_DELTA && tm2interval(&parts, fraction, span) == 0;
#endif
}

bool
wfml_interval_parse(const char *text, size_t length, double *seconds)
{
	char		copy[128];
	char		work[256];
	char	   *fields[MAXDATEFIELDS];
	int			types[MAXDATEFIELDS];
	int			n;
	int			style = IntervalStyle;
	Interval	span;
	bool		valid;

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (ParseDateTime(copy, work, sizeof(work), fields, types, MAXDATEFIELDS, &n) != 0 || n == 0)
		return false;
	/* The style decides what a sign covers; nothing in between raises an error. */
	IntervalStyle = INTSTYLE_POSTGRES;
	valid = decode_interval(fields, types, n, copy, &span);
	IntervalStyle = style;
	if (valid)
		*seconds = wfml_interval_seconds(&span);
	return valid;
}
