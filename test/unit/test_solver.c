/* Both solvers on the same convex problems: they must agree, and meet the conditions of a minimum. */
#include "wf_test.h"

#include "core/rng.h"
#include "core/solver.h"

#define MAX_N 40
#define ROWS 120

static const double ones[MAX_N] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* Logistic loss of random rows; the last column is 1. */
typedef struct Problem
{
	int			n;
	double		x[ROWS][MAX_N];
	int			y[ROWS];
} Problem;

static void
make_problem(Problem *p, int n, uint64_t seed)
{
	p->n = n;
	for (uint64_t i = 0; i < ROWS; i++)
	{
		double		s = 0;

		for (uint64_t j = 0; j < (uint64_t) n; j++)
		{
			p->x[i][j] = j == (uint64_t) n - 1 ? 1 : (wf_rng_unit(wf_rng(seed, i * 100 + j)) - 0.5) * 3;
			s += p->x[i][j] * ((double) (j % 3) - 1);
		}
		p->y[i] = s + 3 * (wf_rng_unit(wf_rng(seed + 1, i)) - 0.5) > 0;
	}
}

static double
evaluate(const Problem *p, const double *theta, double *gradient, double *hessian)
{
	double		loss = 0;

	memset(gradient, 0, sizeof(double) * (size_t) p->n);
	if (hessian)
		memset(hessian, 0, sizeof(double) * (size_t) (p->n * (p->n + 1) / 2));
	for (int i = 0; i < ROWS; i++)
	{
		double		s = 0;
		double		q;
		double	   *h = hessian;

		for (int j = 0; j < p->n; j++)
			s += p->x[i][j] * theta[j];
		q = 1 / (1 + exp(-s));
		loss += log1p(exp(p->y[i] ? -s : s));
		for (int j = 0; j < p->n; j++)
		{
			gradient[j] += (q - p->y[i]) * p->x[i][j];
			for (int k = j; h && k < p->n; k++)
				*h++ += q * (1 - q) * p->x[i][j] * p->x[i][k];
		}
	}
	return loss;
}

static WfSolver *
solve(TestHost *th, const Problem *p, bool newton, double l1, double l2, double *theta, double *gradient)
{
	double		curvature[MAX_N];
	WfProblem	problem = {
		.n = (size_t) p->n, .n_free = 1, .l1 = l1, .l2 = l2, .curvature = curvature,
		 .tolerance = 1e-9, .max_iterations = 2000, .newton = newton
	};
	WfSolver   *s;
	double		hessian[MAX_N * (MAX_N + 1) / 2];
	double		loss;
	int			asked = 0;

	/* good guesses and bad ones */
	for (int j = 0; j < p->n; j++)
		curvature[j] = ROWS * 0.25 * (1 + j % 3 * 5);
	s = wf_solver_create(&th->host, &problem);
	memset(theta, 0, sizeof(double) * (size_t) p->n);
	do
	{
		loss = evaluate(p, theta, gradient, newton ? hessian : NULL);
		WF_CHECK(asked++ < 5000);
	} while (wf_solver_tell(s, loss, gradient, hessian, theta) && asked < 5000);
	evaluate(p, theta, gradient, NULL);
	WF_CHECK(s->converged);
	return s;
}

WF_TEST(both_methods_reach_the_minimum)
{
	static const double l1s[] = {0, 0, 1, 5, 1, 1000};
	static const double l2s[] = {1, 0.01, 0, 1, 10, 0};

	for (int c = 0; c < 6; c++)
		for (int n = 1; n <= MAX_N; n += 13)
		{
			TestHost	th;
			Problem		p;
			double		theta[2][MAX_N];
			double		gradient[MAX_N];
			int			zeros = 0;

			test_host_begin(&th);
			make_problem(&p, n, (uint64_t) (c * 100 + n));
			for (int newton = 0; newton < 2; newton++)
			{
				WfSolver   *s = solve(&th, &p, newton, l1s[c], l2s[c], theta[newton], gradient);

				/* the subgradient of F holds 0 */
				for (int j = 0; j < n; j++)
				{
					double		t = theta[newton][j];
					double		g = gradient[j] + (j < n - 1 ? l2s[c] * t : 0);

					if (j == n - 1 || l1s[c] == 0)
						WF_CHECK_NEAR(g, 0, 1e-4);
					else if (t != 0)
						WF_CHECK_NEAR(g + (t > 0 ? l1s[c] : -l1s[c]), 0, 1e-4);
					else
						WF_CHECK(fabs(g) <= l1s[c] + 1e-4);
					zeros += j < n - 1 && t == 0;
				}
				WF_CHECK(!newton || s->iterations < 40);
				wf_solver_free(s);
			}
			WF_CHECK_EQ(th.bytes_now, 0);
			for (int j = 0; j < n; j++)
				WF_CHECK_NEAR(theta[0][j], theta[1][j], 1e-5);
			if (l1s[c] == 1000)
				WF_CHECK_EQ(zeros, 2 * (n - 1));
			test_host_end(&th);
		}
}

/* Columns that are copies of others, and no penalty: a solution all the same. */
WF_TEST(dependent_columns)
{
	TestHost	th;
	Problem		p;
	double		theta[MAX_N];
	double		gradient[MAX_N];

	test_host_begin(&th);
	make_problem(&p, 8, 3);
	for (int i = 0; i < ROWS; i++)
	{
		p.x[i][5] = p.x[i][0];
		p.x[i][6] = 0;
		p.x[i][4] = 2;			/* as the intercept */
	}
	for (int newton = 0; newton < 2; newton++)
	{
		solve(&th, &p, newton, 0, 0, theta, gradient);
		for (int j = 0; j < 8; j++)
			WF_CHECK_NEAR(gradient[j], 0, 1e-4);
	}
	test_host_end(&th);
}

WF_TEST(iterations_are_limited)
{
	for (int newton = 0; newton < 2; newton++)
	{
		TestHost	th;
		Problem		p;
		WfProblem	problem = {
			.n = 10, .n_free = 1, .l2 = 1, .curvature = ones, .tolerance = 0, .max_iterations = 3, .newton = newton
		};
		WfSolver   *s;
		double		theta[MAX_N] = {0};
		double		gradient[MAX_N];
		double		hessian[MAX_N * (MAX_N + 1) / 2];
		double		loss;
		int			asked = 0;

		test_host_begin(&th);
		make_problem(&p, 10, 4);
		s = wf_solver_create(&th.host, &problem);
		do
			loss = evaluate(&p, theta, gradient, hessian);
		while (wf_solver_tell(s, loss, gradient, hessian, theta) && asked++ < 200);
		WF_CHECK_EQ(s->iterations, 3);
		WF_CHECK(!s->converged);
		test_host_end(&th);
	}
}

/* A loss that is not a number ends the search at the best point known. */
WF_TEST(a_broken_loss_ends_it)
{
	for (int newton = 0; newton < 2; newton++)
	{
		TestHost	th;
		Problem		p;
		WfProblem	problem = {
			.n = 10, .n_free = 1, .l2 = 1, .curvature = ones, .tolerance = 0, .max_iterations = 100, .newton = newton
		};
		WfSolver   *s;
		double		theta[MAX_N] = {0};
		double		gradient[MAX_N];
		double		hessian[MAX_N * (MAX_N + 1) / 2];
		int			asked = 0;
		bool		more;

		test_host_begin(&th);
		make_problem(&p, 10, 4);
		s = wf_solver_create(&th.host, &problem);
		do
		{
			double		loss = evaluate(&p, theta, gradient, hessian);

			more = wf_solver_tell(s, asked > 0 ? NAN : loss, gradient, hessian, theta);
		} while (more && asked++ < 200);
		WF_CHECK(asked < 100);
		for (int j = 0; j < 10; j++)
			WF_CHECK(theta[j] == 0);
		test_host_end(&th);
	}
}
