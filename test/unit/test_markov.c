/* Kneser-Ney against counting by hand, in hostile shapes, and from hostile bytes. */
#include "event_maker.h"

#include "core/markov.h"

/* ---- the definition, by brute force over the cases ---- */

#define BRUTE_START (-1)

typedef struct Brute
{
	const WfEventLog *log;
	const uint8_t *use;
	int			order;
} Brute;

/* Symbol t of a case: -1 before its first event, the end after its last. */
static int
symbol_at(const WfEventLog *log, uint32_t c, int t)
{
	int			length = (int) (log->start[c + 1] - log->start[c]);

	return t < 0 ? BRUTE_START : t == length ? (int) log->n_kinds : (int) log->event[log->start[c] + (uint32_t) t];
}

/* Does the context (oldest first) stand before place t of the case? */
static bool
stands(const WfEventLog *log, uint32_t c, int t, const int *context, int n)
{
	if (t - n < -1)
		return false;
	for (int j = 0; j < n; j++)
		if (symbol_at(log, c, t - n + j) != context[j])
			return false;
	return true;
}

/* Counts of w after the context: occurrences, or different events before it. */
static double
brute_count(const Brute *b, const int *context, int n, int w)
{
	const WfEventLog *log = b->log;
	bool		occurrences = n == b->order || (n > 0 && context[0] == BRUTE_START);
	uint8_t    *seen = calloc(log->n_kinds + 1, 1);
	double		count = 0;

	for (uint32_t c = 0; c < log->n_cases; c++)
		for (int t = 0; t <= (int) (log->start[c + 1] - log->start[c]); t++)
			if ((b->use == NULL || b->use[c]) && symbol_at(log, c, t) == w && stands(log, c, t, context, n))
			{
				if (occurrences)
					count++;
				else
				{
					int			x = symbol_at(log, c, t - n - 1);

					count += !seen[x + 1];
					seen[x + 1] = 1;
				}
			}
	free(seen);
	return count;
}

static void
brute_p(const Brute *b, const int *context, int n, double *p)
{
	int			n_out = (int) b->log->n_kinds + 1;
	double	   *count = malloc((size_t) n_out * sizeof(double));
	double		total = 0;
	double		kinds = 0;

	if (n == 0)
		for (int w = 0; w < n_out; w++)
			p[w] = 1.0 / n_out;
	else
		brute_p(b, context + 1, n - 1, p);
	for (int w = 0; w < n_out; w++)
	{
		count[w] = brute_count(b, context, n, w);
		total += count[w];
		kinds += count[w] > 0;
	}
	for (int w = 0; w < n_out && total > 0; w++)
		p[w] = (count[w] > 0 ? count[w] - WF_MARKOV_DISCOUNT : 0) / total + WF_MARKOV_DISCOUNT * kinds / total * p[w];
	free(count);
}

/* The model's answer to the history of a case up to place t. */
static double
model_p(const WfMarkov *m, const WfEventLog *log, uint32_t c, int t, double *p)
{
	WfMarkovState s;

	wf_markov_start(&s);
	for (int i = 0; i < t; i++)
		wf_markov_push(m, &s, (uint32_t) symbol_at(log, c, i));
	return wf_markov_probabilities(m, &s, p);
}

static void
compare(TestHost *th, const WfEventLog *log, const uint8_t *use, int order)
{
	Brute		brute = {log, use, order};
	WfBytes		bytes;
	WfMarkov   *m;
	double	   *p = malloc((log->n_kinds + 1) * sizeof(double));
	double	   *q = malloc((log->n_kinds + 1) * sizeof(double));

	wf_bytes_init(&bytes, &th->host);
	wf_markov_write(&th->host, log, use, order, SIZE_MAX, &bytes);
	m = wf_markov_open(&th->host, bytes.data, bytes.length, log->n_kinds);
	/* Cases that were not counted have contexts never seen. */
	for (uint32_t c = 0; c < log->n_cases; c += 3)
		for (int t = 0; t <= (int) (log->start[c + 1] - log->start[c]); t++)
		{
			int			context[WF_MARKOV_MAX_ORDER];
			int			n = t + 1 < order ? t + 1 : order;
			double		sum = 0;

			for (int j = 0; j < n; j++)
				context[j] = symbol_at(log, c, t - n + j);
			brute_p(&brute, context, n, p);
			model_p(m, log, c, t, q);
			for (uint32_t w = 0; w <= log->n_kinds; w++)
			{
				WF_CHECK_NEAR(q[w], p[w], 1e-12);
				sum += q[w];
			}
			WF_CHECK_NEAR(sum, 1, 1e-12);
		}
	wf_markov_close(&th->host, m);
	wf_bytes_free(&bytes);
	free(p);
	free(q);
}

WF_TEST(equals_the_definition)
{
	static const int order[] = {1, 2, 3, 5, 10};

	for (int o = 0; o < 5; o++)
		for (int part = 0; part < 2; part++)
		{
			MadeLog		made = made_log(40, 12, 4, 11);
			uint8_t		use[40];
			TestHost	th;

			for (int c = 0; c < 40; c++)
				use[c] = c % 3 != 0;
			test_host_begin(&th);
			compare(&th, made_events(&th.host, &made, false, 1), part ? use : NULL, order[o]);
			test_host_end(&th);
			free(made.rows);
		}
}

WF_TEST(an_event_never_seen_falls_back)
{
	MadeLog		made = made_log(50, 8, 5, 2);
	TestHost	th;
	WfEventLog *log;
	WfBytes		bytes;
	WfMarkov   *m;
	WfMarkovState s;
	double		p[6];
	double		q[6];
	double		left;
	Brute		brute;

	test_host_begin(&th);
	log = made_events(&th.host, &made, false, 1);
	brute = (Brute) {log, NULL, 4};
	wf_bytes_init(&bytes, &th.host);
	wf_markov_write(&th.host, log, NULL, 4, SIZE_MAX, &bytes);
	m = wf_markov_open(&th.host, bytes.data, bytes.length, log->n_kinds);
	wf_markov_start(&s);
	wf_markov_push(m, &s, 1);
	wf_markov_push(m, &s, UINT32_MAX);
	left = wf_markov_probabilities(m, &s, p);
	brute_p(&brute, NULL, 0, q);
	for (int w = 0; w < 6; w++)
		WF_CHECK_NEAR(p[w], q[w], 1e-12);
	WF_CHECK(left > 0 && left < 0.2);
	/* One known event after it is a context of one. */
	wf_markov_push(m, &s, 2);
	wf_markov_probabilities(m, &s, p);
	brute_p(&brute, (int[]) {2}, 1, q);
	for (int w = 0; w < 6; w++)
		WF_CHECK_NEAR(p[w], q[w], 1e-12);
	test_host_end(&th);
	free(made.rows);
}

/* 50,000 distinct events in one case of 100,000: neither square nor deep. */
WF_TEST(large_vocabulary)
{
	MadeLog		made = {.n = 100000,.rows = malloc(100000 * sizeof(MadeEvent))};
	TestHost	th;
	WfEventLog *log;
	WfBytes		bytes;
	WfMarkov   *m;
	WfMarkovState s;
	double	   *p = malloc(50001 * sizeof(double));
	double		sum = 0;

	for (uint32_t i = 0; i < made.n; i++)
		made.rows[i] = (MadeEvent) {0, i % 50000, i};
	test_host_begin(&th);
	log = made_events(&th.host, &made, true, 1);
	WF_CHECK_EQ(log->n_kinds, 50000);
	wf_bytes_init(&bytes, &th.host);
	wf_markov_write(&th.host, log, NULL, 5, SIZE_MAX, &bytes);
	WF_CHECK(bytes.length < 16 << 20);
	m = wf_markov_open(&th.host, bytes.data, bytes.length, log->n_kinds);
	wf_markov_start(&s);
	for (uint32_t i = 0; i < 30; i++)
		wf_markov_push(m, &s, log->event[i]);
	wf_markov_probabilities(m, &s, p);
	for (uint32_t w = 0; w <= 50000; w++)
		sum += p[w];
	WF_CHECK_NEAR(sum, 1, 1e-9);
	WF_CHECK(p[log->event[30]] > 0.3);
	test_host_end(&th);
	free(made.rows);
	free(p);
}

/* Long contexts give way first, and what is left is still a distribution. */
WF_TEST(size_limit)
{
	MadeLog		made = made_log(3000, 20, 12, 9);
	TestHost	th;
	WfEventLog *log;
	size_t		before = SIZE_MAX;

	test_host_begin(&th);
	log = made_events(&th.host, &made, false, 1);
	for (size_t limit = (size_t) 1 << 22; limit >= 1 << 12; limit >>= 2)
	{
		WfBytes		bytes;
		WfMarkov   *m;
		double		p[13];
		size_t		memory,
					artifact;

		wf_bytes_init(&bytes, &th.host);
		wf_markov_write(&th.host, log, NULL, 5, limit, &bytes);
		WF_CHECK(bytes.length <= before);
		WF_CHECK(bytes.length <= limit + 8192 || limit < 1 << 17);
		before = bytes.length;
		wf_markov_estimate(log->n_events, log->n_cases, log->n_kinds, 5, limit, &memory, &artifact);
		WF_CHECK(bytes.length <= artifact + 8192);
		m = wf_markov_open(&th.host, bytes.data, bytes.length, log->n_kinds);
		for (uint32_t c = 0; c < 50; c++)
		{
			double		sum = 0;

			model_p(m, log, c, (int) (log->start[c + 1] - log->start[c]), p);
			for (int w = 0; w < 13; w++)
				sum += p[w];
			WF_CHECK_NEAR(sum, 1, 1e-12);
		}
		wf_bytes_free(&bytes);
	}
	test_host_end(&th);
	free(made.rows);
}

/* Bytes changed at random are refused, or answer without a fault. */
WF_TEST(hostile_bytes)
{
	MadeLog		made = made_log(30, 8, 5, 4);
	TestHost	th;
	WfEventLog *log;
	WfBytes		bytes;
	volatile int refused = 0;

	test_host_begin(&th);
	log = made_events(&th.host, &made, false, 1);
	wf_bytes_init(&bytes, &th.host);
	wf_markov_write(&th.host, log, NULL, 3, SIZE_MAX, &bytes);
	for (uint64_t i = 0; i < 20000; i++)
	{
		uint64_t	r = wf_rng(17, i);
		volatile size_t length = i % 5 == 0 ? wf_rng_below(r, (uint32_t) bytes.length) : bytes.length;
		uint8_t    *copy = aligned_alloc(8, bytes.length);
		size_t		at = wf_rng_below(wf_mix(r), (uint32_t) (i % 2 ? sizeof(WfMarkovHeader) : bytes.length));
		TestHost	in;
		jmp_buf		jb;

		memcpy(copy, bytes.data, bytes.length);
		if (i % 5 != 0)
			copy[at] = r % 3 ? (uint8_t) (r >> 20) : (uint8_t) (copy[at] + 1);
		test_host_begin(&in);
		in.on_fail = &jb;
		if (setjmp(jb) == 0)
		{
			WfMarkov   *m = wf_markov_open(&in.host, copy, length & ~(size_t) 7, log->n_kinds);
			double		p[6];

			model_p(m, log, (uint32_t) i % log->n_cases, 1, p);
		}
		else
		{
			WF_CHECK_EQ(in.code, WF_E_CORRUPT);
			refused++;
		}
		test_host_end(&in);
		free(copy);
	}
	WF_CHECK(refused > 5000);
	/* so little that the chance of a new event would be 0 */
	((WfMarkovHeader *) (void *) bytes.data)->discount = 1e-300;
	WF_EXPECT_FAIL(&th, WF_E_CORRUPT, wf_markov_open(&th.host, bytes.data, bytes.length, log->n_kinds));
	test_host_end(&th);
	free(made.rows);
}

WF_TEST(failures_leave_nothing)
{
	MadeLog		made = made_log(300, 9, 12, 5);
	uint64_t	allocs = 0;

	for (uint64_t at = 0; at <= allocs; at++)
	{
		TestHost	th;
		jmp_buf		jb;
		WfBytes		bytes;

		test_host_begin(&th);
		th.on_fail = &jb;
		if (setjmp(jb) == 0)
		{
			WfEventLog *log = made_events(&th.host, &made, true, 1);

			th.n_allocs = 0;
			th.fail_alloc_at = at;
			wf_bytes_init(&bytes, &th.host);
			wf_markov_write(&th.host, log, NULL, 5, SIZE_MAX, &bytes);
			wf_markov_open(&th.host, bytes.data, bytes.length, log->n_kinds);
			WF_CHECK_EQ(at, 0);
			allocs = th.n_allocs;
		}
		test_host_end(&th);
	}
	WF_CHECK(allocs > 10);
	free(made.rows);
}
