/* Rows of weights against their definitions, pruned and whole. */
#include "wf_test.h"

#include "interactions_maker.h"
#include "core/neighbours.h"

#define N 900
#define USERS 50
#define ITEMS 30

typedef struct Problem
{
	WfInteractions *in;
	WfNeighbourSpec spec;
	bool		walk;
	bool		knn;
	/* rank 0's */
	WfInteractionData data;
	WfNeighbours walk_rows;
	WfNeighbours knn_rows;
} Problem;

static void
run(WfTeam *team, void *arg)
{
	Problem    *p = arg;
	WfInteractionData data;
	WfMatrix	t;
	WfNeighbours walk = {0};
	WfNeighbours knn = {0};

	wf_interactions_build(team, team->rank == 0 ? p->in : NULL, &data);
	wf_matrix_transpose(team, &data.matrix, &t);
	wf_neighbours_build(team, &data.matrix, &t, &p->spec, p->walk ? &walk : NULL, p->knn ? &knn : NULL);
	if (team->rank == 0)
	{
		p->data = data;
		p->walk_rows = walk;
		p->knn_rows = knn;
	}
	wf_team_barrier(team);
}

static void
start(TestHost *th, Problem *p, uint32_t k, int size)
{
	test_host_begin(th);
	memset(p, 0, sizeof(*p));
	p->in = make_interactions(&th->host, N, USERS, ITEMS, false, false, 1);
	p->spec.k = k;
	p->spec.shrink = 5;
	p->walk = p->knn = true;
	WF_CHECK(test_team_run(th, size, run, p));
}

static bool
has(const WfMatrix *m, uint32_t u, uint32_t i)
{
	for (uint64_t e = m->start[u]; e < m->start[u + 1]; e++)
		if (m->col[e] == i)
			return true;
	return false;
}

/* 1 / n_i · Σ 1 / |u|, or the cosine with shrinkage, by looking at every user. */
static double
weight_of(const Problem *p, bool walk, uint32_t i, uint32_t j)
{
	const WfMatrix *m = &p->data.matrix;
	double		n_i = 0;
	double		n_j = 0;
	double		both = 0;
	double		sum = 0;

	for (uint32_t u = 0; u < m->n_rows; u++)
	{
		n_i += has(m, u, i);
		n_j += has(m, u, j);
		if (has(m, u, i) && has(m, u, j))
		{
			both++;
			sum += 1 / (double) wf_matrix_row_length(m, u);
		}
	}
	return walk ? sum / n_i : both / (sqrt(n_i * n_j) + 5);
}

static void
check_rows(const Problem *p, const WfNeighbours *rows, bool walk, uint32_t k)
{
	for (uint32_t i = 0; i < rows->n_items; i++)
	{
		double		least = rows->length[i] ? rows->weight[rows->start[i] + rows->length[i] - 1] : 0;
		uint32_t	better = 0;

		WF_CHECK(rows->length[i] <= k && rows->start[i] + rows->length[i] <= rows->start[i + 1]);
		for (uint32_t e = 0; e < rows->length[i]; e++)
		{
			uint64_t	at = rows->start[i] + e;

			WF_CHECK(rows->item[at] != i);
			WF_CHECK_NEAR(rows->weight[at], weight_of(p, walk, i, rows->item[at]), 1e-6);
			WF_CHECK(e == 0 || rows->weight[at] < rows->weight[at - 1] ||
					 (rows->weight[at] == rows->weight[at - 1] && rows->item[at] > rows->item[at - 1]));
		}
		for (uint32_t j = 0; j < rows->n_items; j++)
			better += j != i && weight_of(p, walk, i, j) > least + 1e-6;
		WF_CHECK(better <= rows->length[i]);
		WF_CHECK(rows->length[i] == k || better == 0 || better == rows->length[i] ||
				 least > 0);
	}
}

WF_TEST(weights_are_as_defined)
{
	for (uint32_t k = 5; k <= 100; k += 95)
	{
		TestHost	th;
		Problem		p;

		start(&th, &p, k, 1);
		check_rows(&p, &p.walk_rows, true, k);
		check_rows(&p, &p.knn_rows, false, k);
		test_host_end(&th);
	}
}

WF_TEST(team_does_not_show)
{
	TestHost	th1;
	Problem		a;

	start(&th1, &a, 7, 1);
	for (int size = 2; size <= 3; size++)
	{
		TestHost	th;
		Problem		b;

		start(&th, &b, 7, size);
		for (uint32_t i = 0; i < a.walk_rows.n_items; i++)
		{
			const WfNeighbours *x = &a.walk_rows;
			const WfNeighbours *y = &b.walk_rows;

			WF_CHECK_EQ(x->length[i], y->length[i]);
			WF_CHECK(memcmp(x->item + x->start[i], y->item + y->start[i], x->length[i] * 4) == 0);
			WF_CHECK(memcmp(x->weight + x->start[i], y->weight + y->start[i], x->length[i] * 4) == 0);
		}
		test_host_end(&th);
	}
	test_host_end(&th1);
}

/* Only rows that are wanted, without pairs that are kept apart: otherwise the same. */
WF_TEST(left_out_is_left_out)
{
	TestHost	th;
	Problem		all;
	Problem		some;
	uint8_t		wanted[ITEMS];

	start(&th, &all, 100, 1);
	for (uint32_t i = 0; i < ITEMS; i++)
		wanted[i] = i % 3 != 1;
	memset(&some, 0, sizeof(some));
	some.in = make_interactions(&th.host, N, USERS, ITEMS, false, false, 1);
	some.spec = (WfNeighbourSpec) {.k = 100,.apart = 8,.wanted = wanted};
	some.walk = true;
	WF_CHECK(test_team_run(&th, 2, run, &some));
	for (uint32_t i = 0; i < all.walk_rows.n_items; i++)
	{
		uint64_t	at = some.walk_rows.start[i];
		uint64_t	end = at + some.walk_rows.length[i];

		for (uint32_t e = 0; wanted[i] && e < all.walk_rows.length[i]; e++)
		{
			uint64_t	from = all.walk_rows.start[i] + e;

			if (i < 8 && all.walk_rows.item[from] < 8)
				continue;
			WF_CHECK(at < end && some.walk_rows.item[at] == all.walk_rows.item[from]);
			WF_CHECK_NEAR(some.walk_rows.weight[at++], all.walk_rows.weight[from], 0);
		}
		WF_CHECK_EQ(at, end);
	}
	test_host_end(&th);
}

WF_TEST(damping_is_a_power)
{
	static const uint32_t support[] = {1, 2, 100, 0};
	float		factor[4];

	wf_neighbours_damping(0.3, support, 4, factor);
	for (int j = 0; j < 3; j++)
		WF_CHECK_NEAR(factor[j], pow(support[j], -0.3), 1e-7);
	WF_CHECK_NEAR(factor[3], 0, 0);
}
