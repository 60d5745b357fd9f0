/*
 * Frequent sequences: against an enumeration of every sequence and every
 * occurrence by definition, on thousands of small sets of cases.
 */
#include "wf_test.h"

#include "core/frequent.h"
#include "core/rng.h"

#define KINDS 4
#define CASES 12
#define EVENTS 9
#define LONGEST 4

typedef struct Small
{
	WfCases		cases;
	uint32_t	start[CASES + 1];
	uint32_t	event[CASES * EVENTS];
	double		time[CASES * EVENTS];
	uint16_t	minute[CASES * EVENTS];
	uint32_t	user[CASES];
} Small;

static uint32_t
draw(uint64_t *state, uint32_t n)
{
	return wf_rng_below(wf_mix(++*state), n);
}

/* Even numbers of seed: without users; the order of the cases may be turned round. */
static void
make_small(Small *s, uint64_t seed, bool reversed)
{
	uint64_t	state = seed << 20;
	uint32_t	kinds = 2 + draw(&state, KINDS - 1);
	uint32_t	n_cases = 2 + draw(&state, CASES - 1);
	uint32_t	longest = 1 + draw(&state, EVENTS);
	uint32_t	n = 0;

	memset(s, 0, sizeof(*s));
	for (uint32_t i = 0; i < n_cases; i++)
	{
		uint32_t	c = reversed ? n_cases - 1 - i : i;
		uint64_t	own = (seed << 20) + (c + 1) * 1000;
		uint32_t	length = 1 + draw(&own, longest);
		double		time = draw(&own, 1000000);

		s->start[i] = n;
		s->user[i] = draw(&own, 5) == 0 ? WF_FREQUENT_NOBODY : draw(&own, 4);
		for (uint32_t k = 0; k < length; k++)
		{
			s->event[n] = draw(&own, kinds);
			s->minute[n] = (uint16_t) ((uint64_t) (time / 60) % WF_FREQUENT_WEEK);
			s->time[n++] = time;
			time += draw(&own, 4) * 1000;
		}
	}
	s->start[n_cases] = n;
	s->cases = (WfCases) {
		.n_cases = n_cases,.n_kinds = kinds,.n_users = 4,.start = s->start,.event = s->event,
		.time = s->time,.minute = s->minute,.user = seed % 2 ? s->user : NULL,
	};
}

/* ---- by definition ---- */

typedef struct Truth
{
	uint32_t	events[LONGEST];
	uint32_t	n_events;
	uint32_t	cases;			/* bits */
	uint32_t	users;
	uint32_t	n_cases;
	double		duration[CASES];
	double		sine;
	double		cosine;
	uint32_t	weekdays;
	bool		open;
} Truth;

/* Every occurrence; the one that ends first and of those begins last. */
static void
occurrences(const WfCases *s, uint32_t c, const Truth *t, double max_gap, uint32_t k, uint32_t first, uint32_t last,
			uint32_t best[2])
{
	if (k == t->n_events)
	{
		if (last < best[1] || (last == best[1] && first > best[0]))
		{
			best[0] = first;
			best[1] = last;
		}
		return;
	}
	for (uint32_t q = k ? last + 1 : s->start[c]; q < s->start[c + 1]; q++)
		if (s->event[q] == t->events[k] && (k == 0 || s->time[q] - s->time[last] <= max_gap))
			occurrences(s, c, t, max_gap, k + 1, k ? first : q, q, best);
}

static void
look(const WfCases *s, Truth *t, double max_gap)
{
	for (uint32_t c = 0; c < s->n_cases; c++)
	{
		uint32_t	best[2] = {0, UINT32_MAX};
		double		hour;

		occurrences(s, c, t, max_gap, 0, 0, 0, best);
		if (best[1] == UINT32_MAX)
			continue;
		t->cases |= UINT32_C(1) << c;
		t->duration[t->n_cases++] = s->time[best[1]] - s->time[best[0]];
		if (s->user && s->user[c] != WF_FREQUENT_NOBODY)
			t->users |= UINT32_C(1) << s->user[c];
		hour = s->minute[best[0]] % 1440 / 60.0;
		t->sine += sin(hour / 12 * M_PI);
		t->cosine += cos(hour / 12 * M_PI);
		t->weekdays += s->minute[best[0]] / 1440 < 5;
	}
}

static bool
contains(const Truth *whole, const Truth *part)
{
	uint32_t	k = 0;

	for (uint32_t i = 0; i < whole->n_events && k < part->n_events; i++)
		k += whole->events[i] == part->events[k];
	return k == part->n_events;
}

static uint32_t
enumerate(const WfCases *s, const WfFrequentParams *p, Truth *truth)
{
	uint32_t	n = 0;

	for (uint32_t length = 2; length <= p->max_length; length++)
	{
		uint32_t	total = 1;

		for (uint32_t i = 0; i < length; i++)
			total *= s->n_kinds;
		for (uint32_t number = 0; number < total; number++)
		{
			Truth	   *t = &truth[n];

			memset(t, 0, sizeof(*t));
			t->n_events = length;
			for (uint32_t i = 0, rest = number; i < length; i++, rest /= s->n_kinds)
				t->events[i] = rest % s->n_kinds;
			look(s, t, p->max_gap);
			n += t->n_cases >= p->min_cases;
		}
	}
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = 0; j < n; j++)
			if (truth[j].n_events > truth[i].n_events && truth[j].cases == truth[i].cases && contains(&truth[j], &truth[i]))
				truth[i].open = true;
	return n;
}

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

static double
share_of_event(const WfCases *s, uint32_t event)
{
	uint32_t	n = 0;

	for (uint32_t c = 0; c < s->n_cases; c++)
		for (uint32_t q = s->start[c]; q < s->start[c + 1]; q++)
			if (s->event[q] == event)
			{
				n++;
				break;
			}
	return (double) n / s->n_cases;
}

/* Share of the cases that contain the sequence without event k; at least min_cases of them. */
static double
share_without(const WfCases *s, const Truth *t, const WfFrequentParams *p, uint32_t k)
{
	Truth		rest = {.n_events = t->n_events - 1};

	for (uint32_t i = 0, j = 0; i < t->n_events; i++)
		if (i != k)
			rest.events[j++] = t->events[i];
	if (rest.n_events == 1)
		return share_of_event(s, rest.events[0]);
	look(s, &rest, p->max_gap);
	return (double) (rest.n_cases < p->min_cases ? p->min_cases : rest.n_cases) / s->n_cases;
}

static void
check_pattern(const WfCases *s, const WfFrequentParams *params, const WfFrequentPattern *p, Truth *t)
{
	double		share = (double) t->n_cases / s->n_cases;
	double		lift = share;
	double		gain = INFINITY;
	double		length = hypot(t->sine, t->cosine);

	for (uint32_t i = 0; i < t->n_events; i++)
	{
		lift /= share_of_event(s, t->events[i]);
		gain = fmin(gain, share / (share_without(s, t, params, i) * share_of_event(s, t->events[i])));
	}
	WF_CHECK_EQ(p->n_cases, t->n_cases);
	WF_CHECK_EQ(p->n_users, s->user ? (uint32_t) __builtin_popcount(t->users) : t->n_cases);
	WF_CHECK_NEAR(p->share, share, 1e-12);
	WF_CHECK_NEAR(p->lift, lift, 1e-9);
	WF_CHECK_NEAR(p->gain, gain, 1e-9);
	WF_CHECK_NEAR(p->weekday_share, (double) t->weekdays / t->n_cases, 1e-12);
	qsort(t->duration, t->n_cases, sizeof(double), compare_doubles);
	WF_CHECK_NEAR(p->duration, (t->duration[(t->n_cases - 1) / 2] + t->duration[t->n_cases / 2]) / 2, 1e-9);
	if (length > 0.01 * t->n_cases)
	{
		double		off = fabs(p->hour - fmod(atan2(t->sine, t->cosine) / M_PI * 12 + 24, 24));

		WF_CHECK(off < 0.006 || off > 24 - 0.006);
		WF_CHECK(p->hour >= 0 && p->hour < 24);
	}
	else
		WF_CHECK(length > 0.0001 * t->n_cases || isnan(p->hour));
}

/* Everything found, and how much of it was not closed. */
static uint32_t
check_small(const Small *s, const WfFrequentParams *params)
{
	static Truth truth[2000];
	TestHost	th;
	WfFrequentSet set;
	uint32_t	n = enumerate(&s->cases, params, truth);
	uint32_t	closed = 0;

	test_host_begin(&th);
	wf_frequent_mine(&th.host, &s->cases, params, &set);
	WF_CHECK(!set.too_many);
	WF_CHECK_EQ(set.n_found, n);
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	at = 0;

		if (truth[i].open)
			continue;
		closed++;
		while (at < set.n && !(set.pattern[at].n_events == truth[i].n_events &&
							   memcmp(set.pattern[at].events, truth[i].events, truth[i].n_events * sizeof(uint32_t)) == 0))
			at++;
		if (at == set.n)
			wf_test_failed(__FILE__, __LINE__, "a closed sequence is missing");
		else
			check_pattern(&s->cases, params, &set.pattern[at], &truth[i]);
	}
	WF_CHECK_EQ(set.n, closed);
	for (uint32_t i = 1; i < set.n; i++)
		WF_CHECK(set.pattern[i - 1].n_cases > set.pattern[i].n_cases ||
				 (set.pattern[i - 1].n_cases == set.pattern[i].n_cases && set.pattern[i - 1].lift >= set.pattern[i].lift));
	wf_frequent_free(&th.host, &set);
	WF_CHECK_EQ(th.bytes_now, 0);
	test_host_end(&th);
	return n - closed;
}

static WfFrequentParams
small_params(uint64_t seed, bool gapped)
{
	uint64_t	state = seed << 30;
	WfFrequentParams p = {.min_cases = 1 + draw(&state, 4),.max_length = 2 + draw(&state, LONGEST - 1)};

	p.max_gap = gapped ? draw(&state, 4) * 1000.0 : INFINITY;
	p.max_found = 100000;
	return p;
}

WF_TEST(without_a_gap_as_by_definition)
{
	uint32_t	open = 0;

	for (uint64_t seed = 1; seed <= 1500; seed++)
	{
		Small		s;
		WfFrequentParams p = small_params(seed, false);

		make_small(&s, seed, false);
		open += check_small(&s, &p);
	}
	WF_CHECK(open > 1000);
}

WF_TEST(under_a_gap_as_by_definition)
{
	uint32_t	open = 0;

	for (uint64_t seed = 1; seed <= 1500; seed++)
	{
		Small		s;
		WfFrequentParams p = small_params(seed, true);

		make_small(&s, seed, false);
		open += check_small(&s, &p);
	}
	WF_CHECK(open > 100);
}

/* ---- order, limits ---- */

WF_TEST(any_order_of_cases_gives_the_same)
{
	for (uint64_t seed = 1; seed <= 200; seed++)
	{
		WfFrequentParams p = small_params(seed, seed % 3 == 0);
		TestHost	th;
		WfFrequentSet set[2];

		test_host_begin(&th);
		for (int reversed = 0; reversed < 2; reversed++)
		{
			Small		s;

			make_small(&s, seed, reversed);
			wf_frequent_mine(&th.host, &s.cases, &p, &set[reversed]);
		}
		WF_CHECK_EQ(set[0].n, set[1].n);
		for (uint32_t i = 0; i < set[0].n && i < set[1].n; i++)
		{
			WfFrequentPattern *a = &set[0].pattern[i];
			WfFrequentPattern *b = &set[1].pattern[i];

			WF_CHECK_EQ(a->n_events, b->n_events);
			WF_CHECK(memcmp(a->events, b->events, a->n_events * sizeof(uint32_t)) == 0);
			WF_CHECK(memcmp(&a->n_cases, &b->n_cases, sizeof(*a) - offsetof(WfFrequentPattern, n_cases)) == 0);
		}
		test_host_end(&th);
	}
}

WF_TEST(rank_decides_between_equals)
{
	static const uint32_t event[] = {0, 1, 2, 0, 1, 2, 3, 2};
	static const uint32_t start[] = {0, 2, 4, 6, 8};
	static const uint32_t rank[] = {3, 2, 1, 0};
	WfCases		cases = {.n_cases = 4,.n_kinds = 4,.n_users = 4,.start = start,.event = event,.rank = rank};
	WfFrequentParams p = {.min_cases = 1,.max_length = 3,.max_gap = INFINITY,.max_found = 100};
	TestHost	th;
	WfFrequentSet set;

	test_host_begin(&th);
	wf_frequent_mine(&th.host, &cases, &p, &set);
	/* 3 2: lift 4/3; 2 0, 1 2, 0 1 */
	WF_CHECK_EQ(set.n, 4);
	WF_CHECK_EQ(set.pattern[0].events[0], 3);
	WF_CHECK(isnan(set.pattern[0].hour) && isnan(set.pattern[0].duration) && isnan(set.pattern[0].weekday_share));
	WF_CHECK_EQ(set.pattern[0].n_users, 1);
	WF_CHECK_EQ(set.pattern[1].events[0], 0);
	test_host_end(&th);
}

WF_TEST(limits_and_wrong_parameters)
{
	Small		s;
	TestHost	th;
	WfFrequentSet set;
	WfFrequentParams p = {.min_cases = 1,.max_length = 4,.max_gap = INFINITY,.max_found = 1};

	make_small(&s, 5, false);
	test_host_begin(&th);
	wf_frequent_mine(&th.host, &s.cases, &p, &set);
	WF_CHECK(set.too_many && set.n == 0 && set.pattern == NULL);
	WF_CHECK_EQ(th.bytes_now, 0);
	p.max_length = 33;
	WF_EXPECT_FAIL(&th, WF_E_PARAM, wf_frequent_mine(&th.host, &s.cases, &p, &set));
	p.max_length = 1;
	WF_EXPECT_FAIL(&th, WF_E_PARAM, wf_frequent_mine(&th.host, &s.cases, &p, &set));
	p.max_length = 4;
	p.max_gap = NAN;
	WF_EXPECT_FAIL(&th, WF_E_PARAM, wf_frequent_mine(&th.host, &s.cases, &p, &set));
	p.max_gap = 5;
	s.cases.time = NULL;
	WF_EXPECT_FAIL(&th, WF_E_PARAM, wf_frequent_mine(&th.host, &s.cases, &p, &set));
	p.max_gap = INFINITY;
	p.min_cases = 0;
	WF_EXPECT_FAIL(&th, WF_E_PARAM, wf_frequent_mine(&th.host, &s.cases, &p, &set));
	test_host_end(&th);
}

WF_TEST(no_cases_and_empty_ones)
{
	static const uint32_t start[] = {0, 0, 0};
	WfCases		cases = {.n_cases = 0,.start = start,.event = start};
	WfFrequentParams p = {.min_cases = 1,.max_length = 6,.max_gap = INFINITY,.max_found = 10};
	TestHost	th;
	WfFrequentSet set;

	test_host_begin(&th);
	wf_frequent_mine(&th.host, &cases, &p, &set);
	WF_CHECK_EQ(set.n, 0);
	cases.n_cases = 2;
	wf_frequent_mine(&th.host, &cases, &p, &set);
	WF_CHECK_EQ(set.n, 0);
	WF_CHECK_EQ(wf_frequent_min_cases(100, 0.07), 7);
	WF_CHECK_EQ(wf_frequent_min_cases(100, 0.071), 8);
	WF_CHECK_EQ(wf_frequent_min_cases(10, 0.01), 2);
	WF_CHECK_EQ(wf_frequent_min_cases(UINT32_MAX, 1), UINT32_MAX);
	test_host_end(&th);
}

/* ---- sessions, users ---- */

static void
add(WfEventLog *log, const char *user, const char *event, double time)
{
	wf_eventlog_add(log, user, strlen(user), event, strlen(event), time, NULL, 0);
}

WF_TEST(a_log_is_cut_where_nothing_happens)
{
	TestHost	th;
	WfEventLog *log;
	WfCases		cases;
	WfFrequentSet set;
	WfFrequentParams p = {.min_cases = 3,.max_length = 6,.max_gap = INFINITY,.max_found = 100};
	uint32_t	by_user[2];

	test_host_begin(&th);
	log = wf_eventlog_create(&th.host, true);
	for (int day = 0; day < 3; day++)
	{
		add(log, "u", "open", 86400.0 * day);
		add(log, "u", "send", 86400.0 * day + 3600);
		add(log, "u", "close", 86400.0 * day + 7200.5);
	}
	add(log, "v", "open", 100);
	add(log, "v", "send", 200);
	wf_eventlog_finish(log);
	wf_frequent_cut(&th.host, log, 3600, &cases);
	WF_CHECK_EQ(cases.n_cases, 7);
	WF_CHECK_EQ(cases.n_users, 2);
	WF_CHECK_EQ(cases.start[7], 11);
	wf_frequent_mine(&th.host, &cases, &p, &set);
	WF_CHECK_EQ(set.n, 1);
	WF_CHECK_EQ(set.pattern[0].n_cases, 4);
	WF_CHECK_EQ(set.pattern[0].n_users, 2);
	WF_CHECK_NEAR(set.pattern[0].duration, 3600, 0);
	WF_CHECK_NEAR(set.pattern[0].share, 4.0 / 7, 1e-12);
	wf_frequent_by_user(&th.host, &cases, set.pattern[0].events, 2, INFINITY, by_user);
	WF_CHECK_EQ(by_user[0], 3);
	WF_CHECK_EQ(by_user[1], 1);
	wf_frequent_by_user(&th.host, &cases, set.pattern[0].events, 2, 1000, by_user);
	WF_CHECK_EQ(by_user[0], 0);
	WF_CHECK_EQ(by_user[1], 1);
	wf_frequent_cut(&th.host, log, 3601, &cases);
	WF_CHECK_EQ(cases.n_cases, 4);
	wf_frequent_cases(log, &cases);
	WF_CHECK_EQ(cases.n_cases, 2);
	WF_CHECK(cases.user == NULL);
	test_host_end(&th);
}

WF_TEST(subsequences)
{
	static const uint32_t a[] = {1, 2, 1, 3};

	WF_CHECK(wf_is_subsequence(a, 0, a, 0));
	WF_CHECK(wf_is_subsequence(a, 4, a, 4));
	WF_CHECK(wf_is_subsequence(a + 2, 2, a, 4));
	WF_CHECK(!wf_is_subsequence((const uint32_t[]) {3, 1}, 2, a, 4));
	WF_CHECK(!wf_is_subsequence(a, 4, a, 3));
	WF_CHECK(wf_is_subsequence((const uint32_t[]) {1, 1, 3}, 3, a, 4));
}

/* ---- memory, cancel ---- */

WF_TEST(failures_leave_nothing)
{
	Small		s;
	WfFrequentParams p = {.min_cases = 2,.max_length = 4,.max_gap = 3000,.max_found = 10000};
	volatile uint64_t allocs = 0;

	make_small(&s, 11, false);
	for (uint64_t at = 0; at <= allocs; at++)
	{
		TestHost	th;
		jmp_buf		jb;
		WfFrequentSet set;

		test_host_begin(&th);
		th.fail_alloc_at = at;
		th.on_fail = &jb;
		if (setjmp(jb) == 0)
		{
			wf_frequent_mine(&th.host, &s.cases, &p, &set);
			WF_CHECK_EQ(at, 0);
			allocs = th.n_allocs;
		}
		test_host_end(&th);
	}
	WF_CHECK(allocs > 20);
}

/* Two long cases alike: the host is asked often, and a cancel ends it. */
WF_TEST(long_cases_can_be_cancelled)
{
	static uint32_t event[40000];
	static const uint32_t start[] = {0, 20000, 40000};
	WfCases		cases = {.n_cases = 2,.n_kinds = 50,.n_users = 2,.start = start,.event = event};
	WfFrequentParams p = {.min_cases = 2,.max_length = 3,.max_gap = INFINITY,.max_found = 1000};
	TestHost	th;
	WfFrequentSet set;

	for (uint32_t i = 0; i < 40000; i++)
		event[i] = wf_rng_below(wf_mix(i), 50);
	test_host_begin(&th);
	wf_frequent_mine(&th.host, &cases, &p, &set);
	WF_CHECK(set.too_many);
	WF_CHECK(th.n_checks > 10);
	for (uint64_t at = 1; at < 10; at++)
	{
		th.n_checks = 0;
		th.cancel_check_at = at;
		WF_EXPECT_FAIL(&th, WF_E_INTERNAL, wf_frequent_mine(&th.host, &cases, &p, &set));
	}
	test_host_end(&th);
}
