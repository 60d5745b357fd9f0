/* EASE: weights as NumPy gives them, and the same in any team. */
#include "wf_test.h"

#include "core/ease.h"
#include "core/rng.h"

#define USERS 6
#define ITEMS 5

static const int seen[USERS][ITEMS] = {
	{1, 1, 0, 0, 1}, {1, 0, 1, 0, 0}, {0, 1, 1, 1, 0}, {1, 1, 1, 0, 0}, {0, 0, 1, 1, 1}, {1, 1, 0, 1, 0}
};

/*
 * X as above, W = X with rows as they are or divided by the square root of
 * their sums; P = inv(W'W + lambda I); B = -P / diag(P) by column, 0 on the
 * diagonal; by weight and lambda 0.5, 5.
 */
static const double reference[2][2][ITEMS][ITEMS] = {
	{
		{
			{0.000000000, 0.571226081, 0.314374354, -0.246085011, 0.143180106},
			{0.642231076, 0.000000000, 0.016546019, 0.420581655, 0.007535795},
			{0.242231076, 0.011339476, 0.000000000, 0.322147651, 0.064807837},
			{-0.262948207, 0.399716513, 0.446742503, 0.000000000, 0.203466466},
			{0.151394422, 0.007087172, 0.088934850, 0.201342282, 0.000000000}
		},
		{
			{0.000000000, 0.281545943, 0.152316076, 0.005162242, 0.068989228},
			{0.290467388, 0.000000000, 0.120435967, 0.171828909, 0.054549622},
			{0.147610246, 0.113130279, 0.000000000, 0.172566372, 0.064405226},
			{0.005545287, 0.178909649, 0.191280654, 0.000000000, 0.086637635},
			{0.079482440, 0.060916304, 0.076566757, 0.092920354, 0.000000000}
		}
	},
	{
		{
			{0.000000000, 0.418855453, 0.321022727, -0.119483135, 0.087588933},
			{0.471786834, 0.000000000, 0.052884615, 0.307434133, 0.057233202},
			{0.287813480, 0.042094277, 0.000000000, 0.254069475, 0.061027668},
			{-0.139498433, 0.318664115, 0.330856643, 0.000000000, 0.150197628},
			{0.108542320, 0.062967473, 0.084353147, 0.159422722, 0.000000000}
		},
		{
			{0.000000000, 0.137579356, 0.109534601, 0.023791793, 0.038293519},
			{0.141519088, 0.000000000, 0.075817090, 0.089782056, 0.037860381},
			{0.108904257, 0.073282266, 0.000000000, 0.087896620, 0.037872756},
			{0.025364031, 0.093050543, 0.094247483, 0.000000000, 0.045013345},
			{0.042600743, 0.040946343, 0.042376519, 0.046972325, 0.000000000}
		}
	}
};

typedef struct Problem
{
	uint32_t	n;				/* items taken */
	WfEaseWeight weight;
	double		lambda;			/* 0: only the Gram matrix */
	float	   *a;				/* rank 0's */
} Problem;

static void
solve(WfTeam *team, void *arg)
{
	Problem    *p = arg;
	size_t		ld = wf_spd_padded(p->n);
	float	   *a = wf_team_alloc(team, ld * ld, sizeof(float));
	WfMatrix	m;
	WfMatrix	t;

	wf_matrix_create(team, &m, USERS, ITEMS, 17);
	if (team->rank == 0)
	{
		uint64_t	e = 0;

		for (uint32_t u = 0; u < USERS; u++)
		{
			for (uint32_t i = 0; i < ITEMS; i++)
				if (seen[u][i])
				{
					m.col[e] = i;
					m.value[e++] = 1;
				}
			m.start[u + 1] = e;
		}
		WF_CHECK_EQ(e, 17);
	}
	wf_team_barrier(team);
	wf_matrix_transpose(team, &m, &t);
	wf_ease_gram(team, &m, &t, p->n, p->weight, a);
	if (p->lambda > 0)
		wf_ease_solve(team, a, p->n, p->lambda);
	if (team->rank == 0)
		p->a = a;
	wf_matrix_free(team, &t);
	wf_matrix_free(team, &m);
}

WF_TEST(weights_are_numpys)
{
	static const double lambda[2] = {0.5, 5};

	for (int size = 1; size <= 3; size++)
		for (int w = 0; w < 2; w++)
			for (int l = 0; l < 2; l++)
			{
				TestHost	th;
				Problem		p = {.n = ITEMS,.weight = (WfEaseWeight) w,.lambda = lambda[l]};

				test_host_begin(&th);
				WF_CHECK(test_team_run(&th, size, solve, &p));
				for (uint32_t i = 0; i < ITEMS; i++)
					for (uint32_t j = 0; j < ITEMS; j++)
						WF_CHECK_NEAR(p.a[i * wf_spd_padded(ITEMS) + j], reference[w][l][i][j], 1e-6);
				test_host_end(&th);
			}
}

WF_TEST(gram_matrix_counts_users_of_both)
{
	TestHost	th;

	test_host_begin(&th);
	for (uint32_t n = 1; n <= ITEMS; n++)
	{
		Problem		p = {.n = n};

		WF_CHECK(test_team_run(&th, 1, solve, &p));
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t j = 0; j < n; j++)
			{
				int			both = 0;

				for (int u = 0; u < USERS; u++)
					both += seen[u][i] && seen[u][j];
				WF_CHECK_NEAR(p.a[i * wf_spd_padded(n) + j], both, 0);
			}
	}
	test_host_end(&th);
}

/* With many more items than users there is no inverse without a penalty; that is told. */
WF_TEST(too_small_a_penalty_is_told)
{
	static const double lambda[2] = {0, 1};
	uint32_t	n = 900;
	size_t		ld = wf_spd_padded(n);

	for (int l = 0; l < 2; l++)
	{
		TestHost	th;
		WfTeam		team;
		WfTeamShared shared;
		float	   *a;

		test_host_begin(&th);
		wf_team_alone(&team, &shared, &th.host);
		a = wf_team_alloc(&team, ld * ld, sizeof(float));
		for (uint64_t u = 0; u < 100; u++)
		{
			uint32_t	item[40];

			for (uint64_t k = 0; k < 40; k++)
				item[k] = wf_rng_below(wf_rng(u, k), n);
			for (int i = 0; i < 40; i++)
				for (int j = 0; j < 40; j++)
					a[item[i] * ld + item[j]] += 1;
		}
		WF_CHECK_EQ(wf_ease_solve(&team, a, n, lambda[l]), l == 1);
		test_host_end(&th);
	}
}
