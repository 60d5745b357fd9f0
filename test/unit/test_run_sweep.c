/* Features of runs against a count from all runs, and what must not change them. */
#include "wf_test.h"

#include "core/rng.h"
#include "core/run_sweep.h"

#define N 1500
#define N_WORKFLOWS 7
#define N_LEVELS 5
#define HOUR INT64_C(3600000000)
#define N_OUT (WF_RUN_N_FEATURES + WF_LEVEL_N_FEATURES)

typedef struct Runs
{
	WfRunColumns columns;
	int64_t		started[N];
	int64_t		finished[N];
	int16_t		minute[N];
	int8_t		outcome[N];
	uint32_t	workflow[N];
	uint32_t	upstream[N];
	uint32_t	code[N];
	const uint32_t *level[1];
	uint32_t	n_codes[1];
} Runs;

/* Coarse times, so that many tie; some runs have no length, no end or no outcome, some end before they start. */
static void
make_runs(Runs *r, uint64_t seed)
{
	for (uint32_t i = 0; i < N; i++)
	{
		uint64_t	h = wf_rng(seed, i);

		r->started[i] = (int64_t) (h % 2000) * HOUR / 4;
		r->finished[i] = h >> 8 & 15 ? r->started[i] + (int64_t) (h >> 12 & 7) * HOUR / 4 : WF_RUN_UNFINISHED;
		if ((h >> 20 & 31) == 0)
			r->finished[i] = r->started[i] - HOUR;
		r->minute[i] = (int16_t) (r->started[i] / (HOUR / 60) % 10080);
		r->outcome[i] = (h >> 26 & 31) == 0 ? WF_RUN_NO_OUTCOME : (int8_t) (h >> 32 & 1);
		r->workflow[i] = h >> 50 & 1 ? 3 : (uint32_t) (h >> 33) % N_WORKFLOWS;
		r->upstream[i] = r->workflow[i] == 0 ? WF_RUN_NO_CODE : r->workflow[i] - 1;
		r->code[i] = (h >> 40 & 15) == 0 ? WF_RUN_NO_CODE : (uint32_t) (h >> 44) % N_LEVELS;
	}
	r->level[0] = r->code;
	r->n_codes[0] = N_LEVELS;
	r->columns = (WfRunColumns) {
		.n = N, .n_levels = 1, .started = r->started, .finished = r->finished, .minute = r->minute, .outcome = r->outcome,
			.workflow = r->workflow, .upstream = r->upstream, .level = r->level, .n_workflows = N_WORKFLOWS, .n_codes = r->n_codes
	};
}

/* ---- the same, told from all runs ---- */

static bool
is_past(const Runs *r, uint32_t i, int64_t known_by)
{
	return r->outcome[i] >= 0 && r->finished[i] != WF_RUN_UNFINISHED && r->finished[i] >= r->started[i] &&
		r->finished[i] <= known_by && r->started[i] < known_by;
}

static bool
newer(const WfPastRun *a, const WfPastRun *b)
{
	if (a->finished != b->finished)
		return a->finished > b->finished;
	if (a->started != b->started)
		return a->started > b->started;
	return a->succeeded > b->succeeded;
}

/* The newest of those whose column has that code (column NULL: of all). */
static WfPastRuns
gather(const Runs *r, const uint32_t *column, uint32_t code, int64_t known_by, size_t most, WfPastRun *into)
{
	size_t		n = 0;

	for (uint32_t i = 0; i < r->columns.n; i++)
	{
		WfPastRun	run = {r->started[i], r->finished[i], r->minute[i], r->outcome[i] == 1};
		size_t		at = n;

		if (!is_past(r, i, known_by) || (column && column[i] != code))
			continue;
		for (; at > 0 && newer(&run, &into[at - 1]); at--)
			into[at] = into[at - 1];
		into[at] = run;
		n++;
	}
	return (WfPastRuns) {into, n < most ? n : most};
}

static size_t
gather_started(const Runs *r, uint32_t workflow, int64_t known_by, WfStartedRun *into)
{
	size_t		n = 0;
	int64_t		oldest = INT64_MAX;

	for (size_t left = WF_RUN_STARTED; left > 0 && oldest != INT64_MIN;)
	{
		int64_t		next = INT64_MIN;
		size_t		same = 0;

		for (uint32_t i = 0; i < r->columns.n; i++)
			if (r->started[i] < known_by && r->started[i] < oldest && r->started[i] > next)
				next = r->started[i];
		for (uint32_t i = 0; i < r->columns.n && next != INT64_MIN; i++)
			if (r->started[i] == next)
			{
				into[n++] = (WfStartedRun) {next, r->finished[i], r->workflow[i] == workflow};
				same++;
			}
		left -= same < left ? same : left;
		oldest = next;
	}
	return n;
}

static void
expected(const Runs *r, const WfRunQuestion *q, double *out)
{
	static WfPastRun own[N],
				platform[N],
				upstream[N],
				level[N];
	static WfStartedRun started[N];
	uint32_t	workflow = r->workflow[q->run];
	int64_t		known_by = r->started[q->run] - q->before;
	WfRunKnowledge known = {.at = r->started[q->run], .known_by = known_by, .minute = r->minute[q->run]};
	WfPastRuns	same = {.n = 0};

	known.own = gather(r, r->workflow, workflow, known_by, WF_RUN_OWN, own);
	known.platform = gather(r, NULL, 0, known_by, WF_RUN_PLATFORM, platform);
	if (known.own.n > 0 && workflow > 0)
		known.upstream = gather(r, r->workflow, workflow - 1, known_by, WF_RUN_UPSTREAM, upstream);
	known.n_started = gather_started(r, workflow, known_by, started);
	known.started = started;
	wf_run_features(&known, out);
	if (r->code[q->run] != WF_RUN_NO_CODE)
		same = gather(r, r->code, r->code[q->run], known_by, WF_RUN_LEVEL, level);
	wf_level_features(&known, same, out[WF_RUN_PLATFORM_RATE], out + WF_RUN_N_FEATURES);
}

/* ---- sweeping ---- */

typedef struct Answers
{
	double		(*out)[N_OUT];
	const WfRunQuestion *first;
	const Runs *runs;
	int64_t		last;
	uint32_t	n;
} Answers;

static void
keep(void *arg, const WfRunQuestion *q, const double *features)
{
	Answers    *a = arg;
	int64_t		known_by = a->runs->started[q->run] - q->before;

	WF_CHECK(a->n == 0 || known_by >= a->last);
	a->last = known_by;
	a->n++;
	memcpy(a->out[q - a->first], features, sizeof(double) * N_OUT);
}

static bool
same(const double *a, const double *b)
{
	for (int i = 0; i < N_OUT; i++)
		if (!(a[i] == b[i] || (isnan(a[i]) && isnan(b[i]))))
			return false;
	return true;
}

static void
ask(const Runs *r, WfRunQuestion *questions, double (*out)[N_OUT])
{
	TestHost	th;
	Answers		answers = {.out = out, .first = questions, .runs = r};

	for (uint32_t i = 0; i < r->columns.n; i++)
		questions[i] = (WfRunQuestion) {.run = i, .before = i % 2 ? 0 : wf_run_horizon(i)};
	test_host_begin(&th);
	wf_run_sweep(&th.host, &r->columns, questions, r->columns.n, keep, &answers);
	WF_CHECK_EQ(answers.n, r->columns.n);
	test_host_end(&th);
}

static Runs base, changed;
static WfRunQuestion questions[N], other[N];
static double got[N][N_OUT], again[N][N_OUT];

WF_TEST(sweep_is_what_all_runs_say)
{
	int			wrong = 0;

	make_runs(&base, 1);
	ask(&base, questions, got);
	for (uint32_t i = 0; i < N; i += 3)
	{
		double		want[N_OUT];

		expected(&base, &questions[i], want);
		wrong += !same(got[i], want);
	}
	WF_CHECK_EQ(wrong, 0);
}

/* What starts at t or later, and what becomes after t of those that started before, changes nothing known by t. */
WF_TEST(the_future_changes_nothing)
{
	const int64_t t = 1200 * HOUR / 4;
	int			wrong = 0,
				asked = 0;

	make_runs(&base, 2);
	ask(&base, questions, got);
	make_runs(&changed, 2);
	for (uint32_t i = 0; i < N; i++)
	{
		if (changed.started[i] >= t || changed.finished[i] > t)
			changed.outcome[i] = changed.outcome[i] == 1 ? 0 : 1;
		if (changed.started[i] < t && changed.finished[i] > t)
			changed.finished[i] = i % 2 ? WF_RUN_UNFINISHED : t + 1 + i;
		if (changed.started[i] >= t && changed.finished[i] != WF_RUN_UNFINISHED)
			changed.finished[i] = changed.started[i] + HOUR * (i % 3);
	}
	ask(&changed, other, again);
	for (uint32_t i = 0; i < N; i++)
	{
		if (base.started[i] - questions[i].before > t)
			continue;
		asked++;
		wrong += !same(got[i], again[i]);
	}
	WF_CHECK(asked > N / 2);
	WF_CHECK_EQ(wrong, 0);
}

/* Its own outcome changes nothing, not even of a run that ends when it starts. */
WF_TEST(a_run_does_not_know_itself)
{
	int			wrong = 0;

	make_runs(&base, 3);
	for (uint32_t i = 0; i < N; i++)
	{
		base.started[i] = base.finished[i] = (int64_t) i * HOUR;
		base.outcome[i] = (int8_t) (i & 1);
	}
	ask(&base, questions, got);
	changed = base;
	changed.columns.outcome = changed.outcome;
	for (uint32_t i = N / 2; i < N; i++)
		changed.outcome[i] = (int8_t) !changed.outcome[i];
	ask(&changed, other, again);
	for (uint32_t i = 0; i <= N / 2; i++)
		wrong += !same(got[i], again[i]);
	WF_CHECK_EQ(wrong, 0);
	WF_CHECK(!same(got[N / 2 + 1], again[N / 2 + 1]));
}

WF_TEST(any_order_gives_the_same)
{
	int			wrong = 0;

	make_runs(&base, 4);
	ask(&base, questions, got);
	/* Turned around; questions keep the horizons of their runs. */
	for (uint32_t i = 0; i < N; i++)
	{
		uint32_t	from = N - 1 - i;

		changed.started[i] = base.started[from];
		changed.finished[i] = base.finished[from];
		changed.minute[i] = base.minute[from];
		changed.outcome[i] = base.outcome[from];
		changed.workflow[i] = base.workflow[from];
		changed.upstream[i] = base.upstream[from];
		changed.code[i] = base.code[from];
		other[i] = (WfRunQuestion) {.run = i, .before = questions[from].before};
	}
	changed.columns = (WfRunColumns) {
		.n = N, .n_levels = 1, .started = changed.started, .finished = changed.finished, .minute = changed.minute,
			.outcome = changed.outcome, .workflow = changed.workflow, .upstream = changed.upstream, .level = changed.level,
			.n_workflows = N_WORKFLOWS, .n_codes = changed.n_codes
	};
	changed.level[0] = changed.code;
	changed.n_codes[0] = N_LEVELS;
	{
		TestHost	th;
		Answers		answers = {.out = again, .first = other, .runs = &changed};

		test_host_begin(&th);
		wf_run_sweep(&th.host, &changed.columns, other, N, keep, &answers);
		test_host_end(&th);
	}
	for (uint32_t i = 0; i < N; i++)
		wrong += !same(got[i], again[N - 1 - i]);
	WF_CHECK_EQ(wrong, 0);
}

/* All four horizons are drawn about equally often. */
WF_TEST(horizons)
{
	int			count[4] = {0};

	for (uint64_t i = 0; i < 4000; i++)
	{
		int64_t		hours = wf_run_horizon(i) / HOUR;

		count[hours == 1 ? 0 : hours == 6 ? 1 : hours == 24 ? 2 : 3]++;
		WF_CHECK(hours == 1 || hours == 6 || hours == 24 || hours == 168);
	}
	for (int i = 0; i < 4; i++)
		WF_CHECK(count[i] > 850 && count[i] < 1150);
}

static void
drop(void *arg, const WfRunQuestion *q, const double *features)
{
	(void) arg;
	(void) q;
	(void) features;
}

WF_TEST(failures_leave_nothing)
{
	static uint64_t allocs = 1,
				checks = 1,
				at;

	make_runs(&base, 5);
	for (volatile int kind = 0; kind < 2; kind++)
		for (at = 0; at <= (kind ? checks : allocs); at++)
		{
			TestHost	th;
			jmp_buf		jump;

			test_host_begin(&th);
			th.on_fail = &jump;
			if (kind)
				th.cancel_check_at = at;
			else
				th.fail_alloc_at = at;
			if (setjmp(jump) == 0)
				wf_run_sweep(&th.host, &base.columns, questions, N / 4, drop, NULL);
			WF_CHECK_EQ(th.failed, at > 0);
			allocs = at == 0 ? th.n_allocs : allocs;
			checks = at == 0 ? th.n_checks : checks;
			test_host_end(&th);
		}
	WF_CHECK(allocs > 5 && checks > 0);
}
