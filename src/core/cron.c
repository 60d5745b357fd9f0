/*-------------------------------------------------------------------------
 * cron.c
 *	  Cron expressions: bit sets of what each field allows.
 *-------------------------------------------------------------------------
 */
#include "core/cron.h"

#include <string.h>

#define MINUTES_PER_DAY 1440
#define DAYS_PER_ERA 146097		/* 400 years */
#define ERA_START (-730425)		/* 0000-03-01, in days since 2000-01-01 */

typedef struct Field
{
	const char *name;
	int			low;
	int			high;
	const char *names;			/* of three letters each, from low on */
} Field;

static const Field fields[5] = {
	{"minute", 0, 59, ""},
	{"hour", 0, 23, ""},
	{"day of month", 1, 31, ""},
	{"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
	{"day of week", 0, 7, "sunmontuewedthufrisat"},
};

static const struct
{
	const char *name;
	const char *text;
}			macros[] = {
	{"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
	{"@monthly", "0 0 1 * *"},
	{"@weekly", "0 0 * * 0"},
	{"@daily", "0 0 * * *"},
	{"@midnight", "0 0 * * *"},
	{"@hourly", "0 * * * *"},
};

/* ---- reading ---- */

typedef struct Reader
{
	WfHost	   *host;
	const char *at;
	const char *end;			/* of the field */
	const Field *field;
	const char *start;			/* of the field */
} Reader;

static void refuse(const Reader *r, const char *problem) __attribute__((noreturn));

static void
refuse(const Reader *r, const char *problem)
{
	int			length = (int) (r->end - r->start);

	if (length > 40)
		length = 40;
	if (r->field->names[0])
		r->host->fail(r->host, WF_E_PARAM,
					  "A field is a list of *, numbers, three-letter English names and ranges, each with a step if need be: \"*\", \"mon-fri\", \"1,3\", \"*/2\".",
					  "%s field \"%.*s\" of a cron expression %s", r->field->name, length, r->start, problem);
	r->host->fail(r->host, WF_E_PARAM,
				  "A field is a list of *, numbers and ranges, each with a step if need be: \"*\", \"1,15\", \"8-18\", \"*/5\".",
				  "%s field \"%.*s\" of a cron expression %s", r->field->name, length, r->start, problem);
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static bool
is_digit(const Reader *r)
{
	return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

static int
read_number(Reader *r)
{
	int			n = 0;

	while (is_digit(r))
	{
		n = n * 10 + (*r->at++ - '0');
		if (n > 9999)
			refuse(r, "has a number out of range");
	}
	return n;
}

static int
read_value(Reader *r)
{
	const Field *f = r->field;

	if (is_digit(r))
	{
		int			n = read_number(r);

		if (n < f->low || n > f->high)
			r->host->fail(r->host, WF_E_PARAM, WF_HINT_NONE, "%s %d in a cron expression is not between %d and %d",
						  f->name, n, f->low, f->high);
		return n;
	}
	if (r->end - r->at >= 3)
		for (int i = 0; f->names[i]; i += 3)
			if (lower(r->at[0]) == f->names[i] && lower(r->at[1]) == f->names[i + 1] && lower(r->at[2]) == f->names[i + 2])
			{
				r->at += 3;
				return f->low + i / 3;
			}
	refuse(r, r->at == r->end || *r->at == ',' ? "lacks a value" : "has something that is not a value");
}

static bool
accept(Reader *r, char c)
{
	if (r->at < r->end && *r->at == c)
	{
		r->at++;
		return true;
	}
	return false;
}

static uint64_t
read_item(Reader *r)
{
	const Field *f = r->field;
	bool		weekday = f->high == 7;
	int			low = f->low;
	int			high = weekday ? 6 : f->high;
	int			step = 1;
	bool		single = false;
	uint64_t	bits = 0;

	if (!accept(r, '*'))
	{
		low = read_value(r);
		single = !accept(r, '-');
		if (!single)
		{
			high = read_value(r);
			if (weekday && high == 0 && low > 0)
				high = 7;
			if (high < low)
				refuse(r, "has a range that runs backwards");
		}
	}
	if (accept(r, '/'))
	{
		if (!is_digit(r))
			refuse(r, "has a step that is not a number");
		step = read_number(r);
		if (step < 1)
			refuse(r, "has a step of 0");
		if (step > f->high)
			refuse(r, "has a step that is longer than the field");
	}
	else if (single)
		high = low;
	for (int v = low; v <= high; v += step)
		bits |= UINT64_C(1) << (weekday ? v % 7 : v);
	return bits;
}

static uint64_t
read_field(WfHost *host, int number, const char *text, size_t length)
{
	Reader		r = {host, text, text + length, &fields[number], text};
	uint64_t	bits = 0;

	do
		bits |= read_item(&r);
	while (accept(&r, ','));
	if (r.at < r.end)
		refuse(&r, "has something that is not a value");
	return bits;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* Where the fields are; more than 5 are counted only. */
static int
split(const char *text, size_t length, const char *start[5], size_t sizes[5])
{
	size_t		i = 0;
	int			n = 0;

	for (;;)
	{
		size_t		from;

		while (i < length && is_space(text[i]))
			i++;
		if (i == length)
			return n;
		from = i;
		while (i < length && !is_space(text[i]))
			i++;
		if (n < 5)
		{
			start[n] = text + from;
			sizes[n] = i - from;
		}
		n++;
	}
}

static const char *
find_macro(const char *text, size_t length)
{
	for (size_t m = 0; m < sizeof(macros) / sizeof(macros[0]); m++)
	{
		size_t		i = 0;

		if (strlen(macros[m].name) != length)
			continue;
		while (i < length && lower(text[i]) == macros[m].name[i])
			i++;
		if (i == length)
			return macros[m].text;
	}
	return NULL;
}

void
wf_cron_parse(WfHost *host, const char *text, size_t length, WfCron *cron)
{
	const char *start[5];
	size_t		sizes[5];
	int			n = split(text, length, start, sizes);

	if (n == 1 && start[0][0] == '@')
	{
		const char *macro = find_macro(start[0], sizes[0]);

		if (macro != NULL)
			n = split(macro, strlen(macro), start, sizes);
		else
			host->fail(host, WF_E_PARAM, "There are @hourly, @daily, @weekly, @monthly and @yearly.",
					   "unknown cron expression \"%.*s\"", (int) (sizes[0] > 40 ? 40 : sizes[0]), start[0]);
	}
	if (n != 5)
		host->fail(host, WF_E_PARAM, "The fields are minute, hour, day of month, month and day of week, for example \"30 6 * * mon-fri\".",
				   "a cron expression has 5 fields, this one has %d", n);
	memset(cron, 0, sizeof(*cron));
	cron->minutes = read_field(host, 0, start[0], sizes[0]);
	cron->hours = (uint32_t) read_field(host, 1, start[1], sizes[1]);
	cron->days = (uint32_t) read_field(host, 2, start[2], sizes[2]);
	cron->months = (uint32_t) read_field(host, 3, start[3], sizes[3]);
	cron->weekdays = (uint32_t) read_field(host, 4, start[4], sizes[4]);
	cron->every_hour = start[1][0] == '*';
	cron->either_day = start[2][0] != '*' && start[4][0] != '*';
}

/* ---- matching ---- */

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Day of month and month of a day since 2000-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static void
split_day(int64_t day, int *day_of_month, int *month)
{
	int64_t		since = day - ERA_START;
	int64_t		of_era = since - floor_div(since, DAYS_PER_ERA) * DAYS_PER_ERA;
	int64_t		year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t		of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t		from_march = (5 * of_year + 2) / 153;

	*day_of_month = (int) (of_year - (153 * from_march + 2) / 5 + 1);
	*month = (int) (from_march < 10 ? from_march + 3 : from_march - 9);
}

static bool
day_matches(const WfCron *cron, int64_t day)
{
	int			day_of_month;
	int			month;
	/* 2000-01-01 was a Saturday */
	int			weekday = (int) (day + 6 - floor_div(day + 6, 7) * 7);
	bool		by_month;
	bool		by_week = (cron->weekdays >> weekday) & 1;

	split_day(day, &day_of_month, &month);
	if (!((cron->months >> month) & 1))
		return false;
	by_month = (cron->days >> day_of_month) & 1;
	return cron->either_day ? by_month || by_week : by_month && by_week;
}

bool
wf_cron_matches(const WfCron *cron, int64_t minute)
{
	int64_t		day = floor_div(minute, MINUTES_PER_DAY);
	int			of_day = (int) (minute - day * MINUTES_PER_DAY);

	return ((cron->minutes >> of_day % 60) & 1) && ((cron->hours >> of_day / 60) & 1) && day_matches(cron, day);
}

/* First minute of a day at or after "from" that hour and minute allow; -1: none. */
static int
next_of_day(const WfCron *cron, int from)
{
	for (int hour = from / 60; hour < 24; hour++)
	{
		uint64_t	left = cron->minutes;

		if (!((cron->hours >> hour) & 1))
			continue;
		if (hour == from / 60)
			left &= ~UINT64_C(0) << from % 60;
		if (left)
			return hour * 60 + __builtin_ctzll(left);
	}
	return -1;
}

int64_t
wf_cron_next(const WfCron *cron, int64_t minute)
{
	int64_t		first = floor_div(minute + 1, MINUTES_PER_DAY);
	int			from = (int) (minute + 1 - first * MINUTES_PER_DAY);

	for (int64_t day = first; day <= first + DAYS_PER_ERA; day++)
	{
		int			of_day;

		if (day_matches(cron, day) && (of_day = next_of_day(cron, from)) >= 0)
			return day * MINUTES_PER_DAY + of_day;
		from = 0;
	}
	return WF_CRON_NEVER;
}
