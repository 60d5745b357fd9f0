/* Cron expressions: fields, days, and the next match against a walk over all minutes. */
#include "wf_test.h"

#include "core/cron.h"

static void
parse(TestHost *th, const char *text, WfCron *cron)
{
	wf_cron_parse(&th->host, text, strlen(text), cron);
}

WF_TEST(cron_fields)
{
	TestHost	th;
	WfCron		c;

	test_host_begin(&th);
	parse(&th, "*/15 8-10 1,31 feb-APR fri-7", &c);
	WF_CHECK_EQ(c.minutes, (uint64_t) (1ull | 1ull << 15 | 1ull << 30 | 1ull << 45));
	WF_CHECK_EQ(c.hours, 0x700u);
	WF_CHECK_EQ(c.days, 1u << 1 | 1u << 31);
	WF_CHECK_EQ(c.months, 0x1cu);
	WF_CHECK_EQ(c.weekdays, 1u << 5 | 1u << 6 | 1u);
	WF_CHECK(c.either_day && !c.every_hour);
	parse(&th, "@weekly", &c);
	WF_CHECK_EQ(c.weekdays, 1u);
	WF_CHECK(!c.either_day && !c.every_hour);
	parse(&th, "0 */2 * * *", &c);
	WF_CHECK(c.every_hour);
	test_host_end(&th);
}

WF_TEST(cron_refusals)
{
	static const char *const wrong[] = {
		"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *", "* * * * 8",
		"a * * * *", "*- * * * *", "1- * * * *", "5-1 * * * *", "*/ * * * *", "*/0 * * * *", "*/99999999999999999999 * * * *",
		"1,,2 * * * *", ", * * * *", "1/ * * * *", "**  * * * *", "* * * ja *", "* * * january *", "* * * * sunday", "@", "@never", "1;2 * * * *"
	};
	TestHost	th;
	WfCron		c;

	test_host_begin(&th);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		WF_EXPECT_FAIL(&th, WF_E_PARAM, parse(&th, wrong[i], &c));
	test_host_end(&th);
}

WF_TEST(cron_next_is_the_first_match)
{
	static const char *const texts[] = {
		"* * * * *", "0 0 29 2 *", "*/7 3 * * 1-5", "30 6 13 * fri", "59 23 31 12 *", "0 12 */10 */3 *", "5 4 * * sun,wed", "0 0 1-7 * */7"
	};
	TestHost	th;

	test_host_begin(&th);
	for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++)
	{
		WfCron		c;
		int64_t		at = -3000000 + (int64_t) t * 777777;

		parse(&th, texts[t], &c);
		for (int i = 0; i < 20; i++)
		{
			int64_t		next = wf_cron_next(&c, at);
			int64_t		walk = at + 1;

			while (!wf_cron_matches(&c, walk))
				walk++;
			WF_CHECK_EQ(next, walk);
			at = next + i * 13;
		}
	}
	test_host_end(&th);
}

WF_TEST(cron_calendar)
{
	TestHost	th;
	WfCron		c;

	test_host_begin(&th);
	parse(&th, "0 0 31 2 *", &c);
	WF_CHECK_EQ(wf_cron_next(&c, 0), WF_CRON_NEVER);
	parse(&th, "0 0 30 feb,apr mon", &c);
	/* either day is enough */
	WF_CHECK(wf_cron_next(&c, 0) < 60 * 1440);
	parse(&th, "0 0 29 2 *", &c);
	/* 2000-02-29, 2004-02-29; 2100 is no leap year */
	WF_CHECK_EQ(wf_cron_next(&c, 0), 59 * 1440);
	WF_CHECK_EQ(wf_cron_next(&c, 59 * 1440), (59 + 1461) * 1440);
	WF_CHECK_EQ(wf_cron_next(&c, (59 + 24 * 1461) * 1440), (59 + 26 * 1461 - 1) * 1440);
	test_host_end(&th);
}
