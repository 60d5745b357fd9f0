/*-------------------------------------------------------------------------
 * timeparts.c
 *	  What features see of a moment: hour, weekday, month and the like.
 *-------------------------------------------------------------------------
 */
#include "core/schema.h"

#define USEC_PER_HOUR INT64_C(3600000000)
#define USEC_PER_MINUTE INT64_C(60000000)
#define USEC_PER_DAY (24 * USEC_PER_HOUR)

static const char *const part_names[WF_N_PARTS] = {
	NULL, "hour", "weekday", "day", "month", "minute", "hour_sin", "hour_cos",
	"weekday_sin", "weekday_cos", "weekend", "epoch", "tag", "element"
};

#define BIT(part) ((uint32_t) 1 << (part))
#define CLOCK_PARTS \
	(BIT(WF_PART_HOUR) | BIT(WF_PART_MINUTE) | BIT(WF_PART_HOUR_SIN) | BIT(WF_PART_HOUR_COS))
#define CALENDAR_PARTS \
	(BIT(WF_PART_WEEKDAY) | BIT(WF_PART_DAY) | BIT(WF_PART_MONTH) | BIT(WF_PART_WEEKDAY_SIN) | \
	 BIT(WF_PART_WEEKDAY_COS) | BIT(WF_PART_WEEKEND) | BIT(WF_PART_EPOCH))

/* Sine and cosine of k parts of a full turn; written out, because libm may round them differently elsewhere. */
static const float hour_sin[24] = {
	0.0f, 0.258819044f, 0.5f, 0.707106769f, 0.866025388f, 0.965925813f,
	1.0f, 0.965925813f, 0.866025388f, 0.707106769f, 0.5f, 0.258819044f,
	0.0f, -0.258819044f, -0.5f, -0.707106769f, -0.866025388f, -0.965925813f,
	-1.0f, -0.965925813f, -0.866025388f, -0.707106769f, -0.5f, -0.258819044f
};
static const float hour_cos[24] = {
	1.0f, 0.965925813f, 0.866025388f, 0.707106769f, 0.5f, 0.258819044f,
	0.0f, -0.258819044f, -0.5f, -0.707106769f, -0.866025388f, -0.965925813f,
	-1.0f, -0.965925813f, -0.866025388f, -0.707106769f, -0.5f, -0.258819044f,
	0.0f, 0.258819044f, 0.5f, 0.707106769f, 0.866025388f, 0.965925813f
};
static const float weekday_sin[7] = {
	0.0f, 0.781831503f, 0.974927902f, 0.433883727f, -0.433883727f, -0.974927902f,
	-0.781831503f
};
static const float weekday_cos[7] = {
	1.0f, 0.623489797f, -0.222520933f, -0.90096885f, -0.90096885f, -0.222520933f,
	0.623489797f
};

const char *
wf_part_name(WfPart part)
{
	return (unsigned) part < WF_N_PARTS ? part_names[part] : NULL;
}

int
wf_time_parts(WfColumnKind kind, uint32_t wanted, WfPart parts[WF_N_PARTS])
{
	uint32_t	mask = 0;
	int			n = 0;

	if (kind == WF_COL_TIMESTAMP)
		mask = CLOCK_PARTS | CALENDAR_PARTS;
	else if (kind == WF_COL_DATE)
		mask = CALENDAR_PARTS;
	else if (kind == WF_COL_TIME)
		mask = CLOCK_PARTS;
	mask &= wanted;
	for (int part = 0; part < WF_N_PARTS; part++)
		if (mask & BIT(part))
			parts[n++] = (WfPart) part;
	return n;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/*
 * Month and day of the proleptic Gregorian calendar: years from March, so
 * that the leap day comes last, in eras of 400 years (Howard Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms").
 */
static void
month_and_day(int64_t days, int *month, int *day)
{
	int64_t		from_march = days + 730425; /* 0000-03-01 */
	int64_t		of_era = from_march - floor_div(from_march, 146097) * 146097;
	int64_t		year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int			of_year = (int) (of_era - (365 * year + year / 4 - year / 100));
	int			shifted = (5 * of_year + 2) / 153;	/* 0 = March */

	*day = of_year - (153 * shifted + 2) / 5 + 1;
	*month = shifted < 10 ? shifted + 3 : shifted - 9;
}

void
wf_time_values(const WfPart *parts, int n, int64_t days, int64_t usec, float *out)
{
	int64_t		of_day = usec - floor_div(usec, USEC_PER_DAY) * USEC_PER_DAY;	/* 24:00 is midnight */
	int			hour = (int) (of_day / USEC_PER_HOUR);
	int64_t		since_monday = floor_div(days, 7) * -7 + days + 5;	/* 2000-01-01 was a Saturday */
	int			weekday = (int) (since_monday >= 7 ? since_monday - 7 : since_monday);
	int			month,
				day;

	month_and_day(days, &month, &day);
	for (int i = 0; i < n; i++)
	{
		switch (parts[i])
		{
			case WF_PART_HOUR:
				out[i] = (float) hour;
				break;
			case WF_PART_WEEKDAY:
				out[i] = (float) weekday;
				break;
			case WF_PART_DAY:
				out[i] = (float) day;
				break;
			case WF_PART_MONTH:
				out[i] = (float) month;
				break;
			case WF_PART_MINUTE:
				out[i] = (float) (of_day / USEC_PER_MINUTE);
				break;
			case WF_PART_HOUR_SIN:
				out[i] = hour_sin[hour];
				break;
			case WF_PART_HOUR_COS:
				out[i] = hour_cos[hour];
				break;
			case WF_PART_WEEKDAY_SIN:
				out[i] = weekday_sin[weekday];
				break;
			case WF_PART_WEEKDAY_COS:
				out[i] = weekday_cos[weekday];
				break;
			case WF_PART_WEEKEND:
				out[i] = weekday >= 5 ? 1.0f : 0.0f;
				break;
			case WF_PART_EPOCH:
				out[i] = (float) ((double) days + (double) usec / (double) USEC_PER_DAY);
				break;
			case WF_PART_VALUE:
			case WF_PART_TAG:
			case WF_PART_ELEMENT:
				out[i] = 0;		/* no parts of a time */
				break;
		}
	}
}
