/* Parts of dates and times, against Python's datetime and a calendar that counts. */
#include "wf_test.h"

#include "core/schema.h"

static const struct
{
	int			days,
				weekday,
				day,
				month;
}			dates[] = {
	{-730119, 0, 1, 1},
	{-152384, 4, 15, 10},
	{-146038, 1, 29, 2},
	{-109513, 0, 1, 3},
	{-36525, 6, 31, 12},
	{-36466, 2, 28, 2},
	{-36465, 3, 1, 3},
	{-10958, 2, 31, 12},
	{-10957, 3, 1, 1},
	{-1, 4, 31, 12},
	{0, 5, 1, 1},
	{59, 1, 29, 2},
	{60, 2, 1, 3},
	{8825, 3, 29, 2},
	{36583, 6, 28, 2},
	{36584, 0, 1, 3},
	{2921939, 4, 31, 12},
	{267976, 0, 11, 9},
	{1755597, 2, 30, 8},
	{1552543, 4, 20, 9},
	{-183087, 3, 22, 9},
	{821585, 0, 4, 6},
	{1802905, 4, 9, 3},
	{1258205, 2, 6, 11},
	{1894342, 0, 14, 7},
	{1706151, 4, 14, 4},
	{-455272, 6, 5, 7},
	{1809949, 6, 22, 6},
	{-674889, 0, 20, 3},
	{2782480, 6, 4, 3},
	{1237984, 4, 26, 6},
	{357690, 2, 28, 4}
};

static const WfPart calendar[] = {WF_PART_WEEKDAY, WF_PART_DAY, WF_PART_MONTH, WF_PART_WEEKEND};

WF_TEST(dates_as_datetime_says)
{
	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++)
	{
		float		out[4];

		wf_time_values(calendar, 4, dates[i].days, 0, out);
		WF_CHECK_EQ(out[0], dates[i].weekday);
		WF_CHECK_EQ(out[1], dates[i].day);
		WF_CHECK_EQ(out[2], dates[i].month);
		WF_CHECK_EQ(out[3], dates[i].weekday >= 5);
	}
}

/* Day by day from 1 January 1600, a Saturday, through 800 years. */
WF_TEST(calendar_counts_through_centuries)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int			days = -146097;
	int			weekday = 5;

	for (int year = 1600; year < 2400; year++)
		for (int month = 1; month <= 12; month++)
		{
			bool		leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
			int			length = lengths[month - 1] + (month == 2 && leap);

			for (int day = 1; day <= length; day++, days++, weekday = (weekday + 1) % 7)
			{
				float		out[4];

				wf_time_values(calendar, 4, days, 0, out);
				if (out[0] != (float) weekday || out[1] != (float) day || out[2] != (float) month)
					wf_test_failed(__FILE__, __LINE__, "%d-%d-%d: weekday %g, day %g, month %g",
								   year, month, day, out[0], out[1], out[2]);
			}
		}
	WF_CHECK_EQ(days, 146097);
}

WF_TEST(clock_parts)
{
	static const WfPart parts[] = {WF_PART_HOUR, WF_PART_MINUTE, WF_PART_HOUR_SIN, WF_PART_HOUR_COS,
	WF_PART_WEEKDAY_SIN, WF_PART_WEEKDAY_COS, WF_PART_EPOCH};

	for (int hour = 0; hour < 24; hour++)
	{
		float		out[7];
		double		turn = 2 * 3.14159265358979323846 / 24 * hour;
		double		week = 2 * 3.14159265358979323846 / 7 * (hour % 7);

		/* 2000-01-03 was a Monday */
		wf_time_values(parts, 7, 2 + hour % 7, (hour * INT64_C(3600) + 59 * 60 + 59) * 1000000 + 999999, out);
		WF_CHECK_EQ(out[0], hour);
		WF_CHECK_EQ(out[1], hour * 60 + 59);
		WF_CHECK_NEAR(out[2], sin(turn), 6e-8);
		WF_CHECK_NEAR(out[3], cos(turn), 6e-8);
		WF_CHECK_NEAR(out[4], sin(week), 6e-8);
		WF_CHECK_NEAR(out[5], cos(week), 6e-8);
		WF_CHECK_NEAR(out[6], 2 + hour % 7 + (hour + 1) / 24.0, 1e-6);
	}
	{
		float		out[7];

		wf_time_values(parts, 7, -1, 24 * INT64_C(3600000000), out);	/* time '24:00' */
		WF_CHECK_EQ(out[0], 0);
		WF_CHECK_EQ(out[1], 0);
	}
}

WF_TEST(parts_by_kind)
{
	WfPart		parts[WF_N_PARTS];
	uint32_t	all = UINT32_MAX;
	int			n;

	WF_CHECK_EQ(wf_time_parts(WF_COL_TIMESTAMP, WF_TIME_PARTS_DEFAULT, parts), 10);
	WF_CHECK_EQ(wf_time_parts(WF_COL_TIMESTAMP, all, parts), 11);
	WF_CHECK_EQ(wf_time_parts(WF_COL_NUMBER, all, parts), 0);
	n = wf_time_parts(WF_COL_DATE, WF_TIME_PARTS_DEFAULT, parts);
	WF_CHECK_EQ(n, 6);
	for (int i = 0; i < n; i++)
		WF_CHECK(strstr(wf_part_name(parts[i]), "hour") == NULL && parts[i] != WF_PART_MINUTE);
	n = wf_time_parts(WF_COL_TIME, all, parts);
	WF_CHECK_EQ(n, 4);
	WF_CHECK(parts[0] == WF_PART_HOUR && parts[1] == WF_PART_MINUTE);
	WF_CHECK_EQ(wf_time_parts(WF_COL_DATE, 1u << WF_PART_HOUR, parts), 0);
	WF_CHECK(wf_part_name(WF_PART_VALUE) == NULL);
	WF_CHECK_STR(wf_part_name(WF_PART_WEEKEND), "weekend");
	WF_CHECK_STR(wf_part_name(WF_PART_ELEMENT), "element");
	WF_CHECK(wf_part_name((WfPart) WF_N_PARTS) == NULL);
}
