/* Reading event logs: order of cases and events, numbers, ties, limits. */
#include "event_maker.h"

static void
add(WfEventLog *log, const char *id, const char *event, double time, const char *tie)
{
	wf_eventlog_add(log, id, strlen(id), event, strlen(event), time, tie, tie ? strlen(tie) : 0);
}

static void
check_case(const WfEventLog *log, uint32_t c, const char *expected)
{
	char		text[1000] = "";

	for (uint32_t i = log->start[c]; i < log->start[c + 1]; i++)
	{
		size_t		length;
		const char *s = wf_eventlog_text(log, log->event[i], &length);

		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.*s", i > log->start[c] ? " " : "",
				 (int) length, s);
	}
	WF_CHECK_STR(text, expected);
}

WF_TEST(events_come_in_order_of_time_then_tie_then_text)
{
	TestHost	th;
	WfEventLog *log;

	test_host_begin(&th);
	log = wf_eventlog_create(&th.host, true);
	add(log, "late", "b", 100, NULL);
	add(log, "early", "z", 3, "2");
	add(log, "early", "y", 3, "10");
	add(log, "early", "b", 1, NULL);
	add(log, "late", "a", 100, NULL);
	add(log, "early", "x", 3, NULL);
	add(log, "early", "b", 2, "9");
	WF_CHECK_EQ(wf_eventlog_n_rows(log), 7);
	WF_CHECK(wf_eventlog_memory(log) > 0);
	wf_eventlog_finish(log);
	WF_CHECK_EQ(wf_eventlog_n_rows(log), 7);
	WF_CHECK_EQ(log->n_cases, 2);
	WF_CHECK_EQ(log->n_kinds, 5);
	WF_CHECK_EQ(log->longest, 5);
	check_case(log, 0, "b b x y z");
	check_case(log, 1, "a b");
	WF_CHECK_EQ(log->count[0], 3);
	for (uint32_t k = 1; k < 5; k++)
		WF_CHECK_EQ(log->count[k], 1);
	WF_CHECK_NEAR(log->time[0], 1, 0);
	WF_CHECK_NEAR(log->time[4], 3, 0);
	wf_eventlog_destroy(log);
	test_host_end(&th);
}

WF_TEST(ties_of_numbers_compare_as_numbers)
{
	static const double v[] = {-INFINITY, -1e300, -2, -1e-300, 0, 1e-300, 1, 2, 10, 1e18, INFINITY};
	char		a[8];
	char		b[8];

	for (size_t i = 0; i + 1 < sizeof(v) / sizeof(v[0]); i++)
	{
		wf_eventlog_tie(v[i], a);
		wf_eventlog_tie(v[i + 1], b);
		WF_CHECK(memcmp(a, b, 8) < 0);
	}
	wf_eventlog_tie(0.0, a);
	wf_eventlog_tie(-0.0, b);
	WF_CHECK(memcmp(a, b, 8) == 0);
}

static void
check_same(const WfEventLog *a, const WfEventLog *b)
{
	WF_CHECK_EQ(a->n_events, b->n_events);
	WF_CHECK_EQ(a->n_cases, b->n_cases);
	WF_CHECK_EQ(a->n_kinds, b->n_kinds);
	WF_CHECK_EQ(a->longest, b->longest);
	WF_CHECK(memcmp(a->start, b->start, (a->n_cases + 1) * sizeof(uint32_t)) == 0);
	WF_CHECK(memcmp(a->event, b->event, a->n_events * sizeof(uint32_t)) == 0);
	WF_CHECK((a->time == NULL) == (b->time == NULL));
	WF_CHECK(a->time == NULL || memcmp(a->time, b->time, a->n_events * sizeof(double)) == 0);
	WF_CHECK(memcmp(a->case_hash, b->case_hash, a->n_cases * sizeof(uint64_t)) == 0);
	for (uint32_t k = 0; k < a->n_kinds; k++)
	{
		size_t		la,
					lb;
		const char *ta = wf_eventlog_text(a, k, &la);
		const char *tb = wf_eventlog_text(b, k, &lb);

		WF_CHECK(la == lb && memcmp(ta, tb, la) == 0);
		WF_CHECK_EQ(a->count[k], b->count[k]);
		WF_CHECK(k == 0 || a->count[k] <= a->count[k - 1]);
	}
}

/* Also across chunks, with long cases, and when times say nothing. */
WF_TEST(any_order_of_rows_gives_the_same_log)
{
	static const uint32_t longest[] = {1, 9, 40000};
	static const uint32_t n_cases[] = {500, 4000, 5};

	for (int shape = 0; shape < 3; shape++)
		for (int timed = 0; timed < 2; timed++)
		{
			MadeLog		made = made_log(n_cases[shape], longest[shape], 30, 7);
			TestHost	th;
			WfEventLog *first;

			test_host_begin(&th);
			first = made_events(&th.host, &made, timed, 1);
			WF_CHECK_EQ(first->n_events, made.n);
			for (uint32_t i = 1; first->time && i < first->n_cases; i++)
				WF_CHECK(first->time[first->start[i - 1]] <= first->time[first->start[i]]);
			for (int variant = 0; variant < 3; variant++)
			{
				static const uint32_t step[] = {7, 4999, 1};
				uint32_t	by = variant == 2 ? made.n - 1 : coprime(made.n, step[variant]);
				WfEventLog *log = made_events(&th.host, &made, timed, by);

				check_same(first, log);
				wf_eventlog_destroy(log);
			}
			test_host_end(&th);
			free(made.rows);
		}
}

/* Cases by start, ties by the hash of their id, whatever they hold. */
WF_TEST(all_events_at_one_instant)
{
	TestHost	th;
	WfEventLog *a;
	WfEventLog *b;

	test_host_begin(&th);
	a = wf_eventlog_create(&th.host, true);
	b = wf_eventlog_create(&th.host, true);
	for (int i = 0; i < 300; i++)
	{
		int			j = 299 - i;

		add(a, i % 3 ? "x" : "y", i % 7 ? "p" : "q", 5, NULL);
		add(b, j % 3 ? "x" : "y", j % 7 ? "p" : "q", 5, NULL);
	}
	wf_eventlog_finish(a);
	wf_eventlog_finish(b);
	check_same(a, b);
	test_host_end(&th);
}

WF_TEST(what_is_refused)
{
	TestHost	th;
	WfEventLog *log;

	test_host_begin(&th);
	log = wf_eventlog_create(&th.host, true);
	WF_EXPECT_FAIL(&th, WF_E_DATA, wf_eventlog_finish(log));
	WF_EXPECT_FAIL(&th, WF_E_DATA, add(log, "a", "b", NAN, NULL));
	WF_EXPECT_FAIL(&th, WF_E_DATA, add(log, "a", "b", INFINITY, NULL));
	WF_EXPECT_FAIL(&th, WF_E_DATA, wf_eventlog_add(log, "a", 1, "b\0c", 3, 0, NULL, 0));
	add(log, "", "", 0, "");
	wf_eventlog_finish(log);
	WF_CHECK_EQ(log->n_events, 1);
	test_host_end(&th);
}

/* Long texts, long ties and binary ids. */
WF_TEST(long_strings)
{
	static char text[3000];
	char		tie[3000];
	TestHost	th;
	WfEventLog *log;
	size_t		length;

	memset(text, 'a', sizeof(text));
	memset(tie, 't', sizeof(tie));
	test_host_begin(&th);
	log = wf_eventlog_create(&th.host, false);
	for (int i = 0; i < 2000; i++)
	{
		char		id[2] = {(char) (i % 5), 0};

		tie[1000] = (char) (200 - i / 10);
		wf_eventlog_add(log, id, 2, text, 2000 + (size_t) (i % 2), 0, tie, sizeof(tie));
	}
	wf_eventlog_finish(log);
	WF_CHECK_EQ(log->n_cases, 5);
	WF_CHECK_EQ(log->n_kinds, 1);
	wf_eventlog_text(log, 0, &length);
	WF_CHECK_EQ(length, WF_EVENTLOG_EVENT_BYTES);
	test_host_end(&th);
}

WF_TEST(memory_stays_within_the_estimate)
{
	MadeLog		made = made_log(60000, 10, 20, 3);
	TestHost	th;
	WfEventLog *log;

	test_host_begin(&th);
	log = made_events(&th.host, &made, true, 1);
	WF_CHECK(th.bytes_peak <= wf_eventlog_estimate(log->n_events, log->n_cases, false) + (1 << 20));
	WF_CHECK(th.bytes_peak / log->n_events < 50);
	test_host_end(&th);
	free(made.rows);
}

/* Every allocation and every check fails once; the arena is all there is to clean up. */
WF_TEST(failures_leave_nothing)
{
	MadeLog		made = made_log(300, 9, 12, 5);
	uint64_t	allocs = 0;

	for (uint64_t at = 0; at <= allocs; at++)
	{
		TestHost	th;
		jmp_buf		jb;

		test_host_begin(&th);
		th.fail_alloc_at = at;
		th.on_fail = &jb;
		if (setjmp(jb) == 0)
		{
			made_events(&th.host, &made, true, 1);
			WF_CHECK_EQ(at, 0);
			allocs = th.n_allocs;
		}
		test_host_end(&th);
	}
	WF_CHECK(allocs > 10);
	free(made.rows);
}
