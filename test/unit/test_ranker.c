/* The best of many scores, and adding rows up, against sorting and plain loops. */
#include "wf_test.h"

#include "core/ranker.h"
#include "core/rng.h"

#define N 500
#define DENSE 37

/* Dense rows in both forms and sparse ones; small whole numbers, so that sums are exact. */
typedef struct Made
{
	WfItemModel floats;
	WfItemModel packed;
	float		dense[DENSE * 48];
	int16_t		numbers[DENSE * 48];
	float		scale[DENSE];
	uint64_t	start[N + 1];
	uint32_t	item[N * 20];
	float		weight[N * 20];
} Made;

static void
make(Made *m, bool tail)
{
	memset(m, 0, sizeof(*m));
	for (uint32_t i = 0; i < DENSE; i++)
	{
		m->scale[i] = 0.5;
		for (uint32_t j = 0; j < 48; j++)
		{
			m->numbers[i * 48 + j] = (int16_t) (wf_rng_below(wf_rng(i, j), 41) - 20);
			m->dense[i * 48 + j] = 0.5f * m->numbers[i * 48 + j];
		}
	}
	for (uint32_t i = 0; i < N; i++)
	{
		uint64_t	at = m->start[i];

		for (uint32_t k = 0; tail && k < i % 20; k++)
		{
			m->item[at] = wf_rng_below(wf_rng(i, 1000 + k), N);
			m->weight[at++] = (float) wf_rng_below(wf_rng(i, 2000 + k), 9);
		}
		m->start[i + 1] = at;
	}
	m->floats = (WfItemModel) {.n_items = N,.n_dense = DENSE,.ld = 48,.dense = m->dense};
	m->packed = (WfItemModel) {.n_items = N,.n_dense = DENSE,.ld = 48,.packed = m->numbers,.scale = m->scale};
	if (tail)
	{
		m->floats.start = m->packed.start = m->start;
		m->floats.item = m->packed.item = m->item;
		m->floats.weight = m->packed.weight = m->weight;
	}
}

static void
plain_scores(const Made *m, const uint32_t *history, uint32_t n, bool tail, float *score)
{
	memset(score, 0, N * sizeof(float));
	for (uint32_t h = 0; h < n; h++)
	{
		for (uint32_t j = 0; history[h] < DENSE && j < DENSE; j++)
			score[j] += m->dense[history[h] * 48 + j];
		for (uint64_t e = m->start[history[h]]; tail && e < m->start[history[h] + 1]; e++)
			score[m->item[e]] += m->weight[e];
	}
}

/* How many items come before j by the plain scores? */
static uint32_t
place(const float *score, const bool *taken, uint32_t j)
{
	uint32_t	before = 0;

	for (uint32_t i = 0; i < N; i++)
		before += !taken[i] && (score[i] > score[j] || (score[i] == score[j] && i < j));
	return before;
}

WF_TEST(best_are_the_best_by_plain_sums)
{
	static Made m;
	TestHost	th;
	WfRanker   *r;

	test_host_begin(&th);
	r = wf_ranker_create(&th.host, N);
	r->call = UINT32_MAX - 3;	/* marks start anew on the way */
	r->pass = UINT32_MAX - 5;
	for (uint32_t turn = 0; turn < 24; turn++)
	{
		bool		tail = turn % 2;
		uint32_t	history[12];
		uint32_t	n_history = turn % 12;
		uint32_t	wanted = turn % 5 * 30 + 1;
		float		score[N];
		bool		taken[N] = {false};
		WfTop		top[N];
		uint32_t	n;
		uint32_t	positive = 0;

		make(&m, tail);
		for (uint32_t h = 0; h < n_history; h++)
			history[h] = wf_rng_below(wf_rng(turn, h), turn % 3 ? N : DENSE);
		plain_scores(&m, history, n_history, tail, score);
		wf_ranker_begin(r);
		for (uint32_t h = 0; h < n_history; h++)
		{
			wf_ranker_take(r, history[h]);
			taken[history[h]] = true;
		}
		wf_ranker_start(r, turn % 4 < 2 ? &m.floats : &m.packed);
		wf_ranker_add(&th.host, r, turn % 4 < 2 ? &m.floats : &m.packed, history, n_history);
		n = wf_ranker_best(r, wanted, top);
		for (uint32_t j = 0; j < N; j++)
			positive += !taken[j] && score[j] > 0;
		WF_CHECK_EQ(n, positive < wanted ? positive : wanted);
		for (uint32_t k = 0; k < n; k++)
		{
			WF_CHECK_NEAR(top[k].score, score[top[k].item], 0);
			WF_CHECK_EQ(place(score, taken, top[k].item), k);
			WF_CHECK(!taken[top[k].item] && wf_ranker_taken(r, top[k].item));
		}
	}
	wf_ranker_free(&th.host, r);
	WF_CHECK_EQ(th.bytes_now, 0);
	test_host_end(&th);
}

WF_TEST(damping_changes_the_order)
{
	static Made m;
	TestHost	th;
	WfRanker   *r;
	float		damping[N];
	WfTop		top[3];
	uint32_t	history = 19;

	test_host_begin(&th);
	make(&m, true);
	m.floats.n_dense = 0;
	for (uint32_t j = 0; j < N; j++)
		damping[j] = j % 2 ? 0.001f : 1;
	m.floats.damping = damping;
	r = wf_ranker_create(&th.host, N);
	wf_ranker_begin(r);
	wf_ranker_start(r, &m.floats);
	wf_ranker_add(&th.host, r, &m.floats, &history, 1);
	wf_ranker_damp(r, &m.floats);
	WF_CHECK_EQ(wf_ranker_best(r, 3, top), 3);
	WF_CHECK(top[0].item % 2 == 0);
	/* scores go, what was offered stays taken */
	wf_ranker_clear(r);
	WF_CHECK(wf_ranker_taken(r, top[0].item));
	WF_CHECK_EQ(wf_ranker_best(r, 3, top), 0);
	test_host_end(&th);
}
