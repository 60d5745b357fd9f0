/*-------------------------------------------------------------------------
 * test_normal.c
 *	  Normal equations against Gaussian elimination in double; the same bits on
 *	  every path of the processor.
 *-------------------------------------------------------------------------
 */
#include "wf_test.h"

#include "core/normal.h"
#include "core/rng.h"
#include "core/simd.h"

#define MAX_N 40

typedef struct Problem
{
	uint32_t	n;
	uint32_t	rows;
	double		x[200][MAX_N];
	double		weight[200];
	double		rhs[200];
	double		gram[MAX_N * MAX_N];
	double		factor;
	double		ridge;
} Problem;

static double
number(uint64_t a, uint64_t b)
{
	return wf_rng_unit(wf_rng(a, b)) - 0.5;
}

static void
make_problem(Problem *p, uint32_t n, uint32_t rows, bool with_gram)
{
	p->n = n;
	p->rows = rows;
	p->factor = with_gram ? 0.3 : 0;
	p->ridge = 0.2;
	for (uint32_t e = 0; e < rows; e++)
	{
		for (uint32_t j = 0; j < n; j++)
			p->x[e][j] = (float) number(e + 1, j);
		p->weight[e] = (float) (0.5 + number(7, e) * 0.5);
		p->rhs[e] = (float) number(8, e);
	}
	memset(p->gram, 0, sizeof(p->gram));
	for (uint32_t f = 0; f < 2 * n; f++)
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t j = 0; j < n; j++)
				p->gram[i * n + j] += number(100 + f, i) * number(100 + f, j);
}

/* a (n × n) and h of the problem, in double. */
static void
plain_equations(const Problem *p, double *a, double *h)
{
	uint32_t	n = p->n;

	memset(h, 0, n * sizeof(double));
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = 0; j < n; j++)
			a[i * n + j] = p->gram[i * n + j] * p->factor + (i == j ? p->ridge : 0);
	for (uint32_t e = 0; e < p->rows; e++)
		for (uint32_t i = 0; i < n; i++)
		{
			h[i] += p->rhs[e] * p->x[e][i];
			for (uint32_t j = 0; j < n; j++)
				a[i * n + j] += p->weight[e] * p->x[e][i] * p->x[e][j];
		}
}

/* Gaussian elimination; the matrix is positive definite. */
static void
plain_solve(uint32_t n, double *a, double *h)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t r = i + 1; r < n; r++)
		{
			double		f = a[r * n + i] / a[i * n + i];

			for (uint32_t c = i; c < n; c++)
				a[r * n + c] -= f * a[i * n + c];
			h[r] -= f * h[i];
		}
	for (uint32_t i = n; i-- > 0;)
	{
		for (uint32_t c = i + 1; c < n; c++)
			h[i] -= a[i * n + c] * h[c];
		h[i] /= a[i * n + i];
	}
}

static void
add_rows(WfNormal *s, const Problem *p)
{
	wf_normal_begin(s, p->factor != 0 ? p->gram : NULL, p->factor);
	for (uint32_t e = 0; e < p->rows; e++)
	{
		float	   *x = wf_normal_next(s, (float) p->weight[e], (float) p->rhs[e]);

		memset(x, 0, s->stride * sizeof(float));
		for (uint32_t j = 0; j < p->n; j++)
			x[j] = (float) p->x[e][j];
	}
}

static const uint32_t sizes[][2] = {{1, 3}, {5, 2}, {8, 64}, {9, 65}, {21, 200}, {40, 130}, {3, 0}};

WF_TEST(least_squares)
{
	for (int i = 0; i < 7; i++)
		for (int with_gram = 0; with_gram < 2; with_gram++)
		{
			TestHost	th;
			WfNormal	s;
			Problem    *p;
			double		a[MAX_N * MAX_N];
			double		h[MAX_N];
			float		w[MAX_N + 8];
			float		first[MAX_N + 8];

			test_host_begin(&th);
			p = wf_alloc(&th.host, 1, sizeof(*p));
			make_problem(p, sizes[i][0], sizes[i][1], with_gram);
			wf_normal_init(&s, p->n, wf_alloc(&th.host, wf_normal_bytes(p->n), 1));
			plain_equations(p, a, h);
			plain_solve(p->n, a, h);
			for (int level = WF_SIMD_SCALAR; level <= WF_SIMD_AVX512; level++)
			{
				wf_simd_limit((WfSimd) level);
				add_rows(&s, p);
				wf_normal_solve(&s, p->ridge, w);
				if (level == WF_SIMD_SCALAR)
					memcpy(first, w, sizeof(w));
				WF_CHECK(memcmp(w, first, s.stride * sizeof(float)) == 0);
				for (uint32_t j = 0; j < s.stride; j++)
					WF_CHECK_NEAR((double) w[j], j < p->n ? h[j] : 0, 1e-5);
			}
			wf_simd_limit(WF_SIMD_AVX512_VBMI);
			test_host_end(&th);
		}
}

/* Never negative; the gradient is 0 where the unknown is positive, and points outward elsewhere. */
WF_TEST(non_negative_least_squares)
{
	for (int i = 0; i < 7; i++)
	{
		TestHost	th;
		WfNormal	s;
		Problem    *p;
		double		a[MAX_N * MAX_N];
		double		h[MAX_N];
		float		w[MAX_N + 8] = {0};
		int			bound = 0;

		test_host_begin(&th);
		p = wf_alloc(&th.host, 1, sizeof(*p));
		make_problem(p, sizes[i][0], sizes[i][1], true);
		wf_normal_init(&s, p->n, wf_alloc(&th.host, wf_normal_bytes(p->n), 1));
		plain_equations(p, a, h);
		add_rows(&s, p);
		w[0] = 3;				/* a start that must not show */
		wf_normal_descend(&s, p->ridge, 1000, w);
		for (uint32_t j = 0; j < p->n; j++)
		{
			double		gradient = -h[j];

			for (uint32_t l = 0; l < p->n; l++)
				gradient += a[j * p->n + l] * (double) w[l];
			WF_CHECK(w[j] >= 0);
			WF_CHECK(w[j] > 0 ? fabs(gradient) < 2e-5 : gradient > -2e-5);
			bound += w[j] == 0;
		}
		WF_CHECK(bound > 0 || p->n < 5);
		test_host_end(&th);
	}
}

/* Without a ridge, a repeated unknown and one that no row has: no infinities, and the rest fits. */
WF_TEST(undetermined_unknowns)
{
	TestHost	th;
	WfNormal	s;
	float		w[8];

	test_host_begin(&th);
	wf_normal_init(&s, 4, wf_alloc(&th.host, wf_normal_bytes(4), 1));
	wf_normal_begin(&s, NULL, 0);
	for (int e = 0; e < 10; e++)
	{
		float	   *x = wf_normal_next(&s, 1, (float) (2 * e + 1));

		memset(x, 0, 8 * sizeof(float));
		x[0] = (float) e;
		x[1] = 1;
		x[2] = 1;
	}
	wf_normal_solve(&s, 0, w);
	WF_CHECK_NEAR((double) w[0], 2, 1e-5);
	WF_CHECK_NEAR((double) w[1] + (double) w[2], 1, 1e-5);
	WF_CHECK(w[3] == 0);
	test_host_end(&th);
}

/* A long row is as exact as a short one: a million equal entries. */
WF_TEST(long_rows)
{
	TestHost	th;
	WfNormal	s;
	float		w[8];

	test_host_begin(&th);
	wf_normal_init(&s, 2, wf_alloc(&th.host, wf_normal_bytes(2), 1));
	wf_normal_begin(&s, NULL, 0);
	for (int e = 0; e < 1000000; e++)
	{
		float	   *x = wf_normal_next(&s, 1, e % 2 ? 1.7f : 0.3f);

		memset(x, 0, 8 * sizeof(float));
		x[0] = 1;
		x[1] = e % 2;
	}
	wf_normal_solve(&s, 0, w);
	WF_CHECK_NEAR((double) w[0], 0.3, 3e-6);
	WF_CHECK_NEAR((double) w[1], 1.4, 3e-6);
	test_host_end(&th);
}
