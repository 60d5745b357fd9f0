/* The inverse: times the matrix it is the identity, alike at any width and in any team. */
#include "wf_test.h"

#include "core/rng.h"
#include "core/simd.h"
#include "core/spd.h"

typedef struct Problem
{
	size_t		n;
	float	   *a;
	const float *from;
} Problem;

/* Users' random items: what EASE inverts. */
static void
fill(float *a, size_t n, double ridge)
{
	size_t		ld = wf_spd_padded(n);

	for (size_t i = 0; i < ld * ld; i++)
		a[i] = (float) 1e30;
	for (size_t i = 0; i < n; i++)
		for (size_t j = i; j < n; j++)
			a[i * ld + j] = i == j ? (float) ridge : 0;
	for (size_t u = 0; u < 3 * n; u++)
	{
		size_t		item[4];

		for (int k = 0; k < 4; k++)
		{
			double		x = wf_rng_unit(wf_rng(u, (uint64_t) k));

			item[k] = (size_t) (x * x * (double) n);
		}
		for (int k = 0; k < 4; k++)
			for (int l = 0; l < 4; l++)
				if (item[k] <= item[l])
					a[item[k] * ld + item[l]] += 1;
	}
}

static void
invert(WfTeam *team, void *arg)
{
	Problem    *p = arg;
	size_t		ld = wf_spd_padded(p->n);
	float	   *a = wf_team_alloc(team, ld * ld, sizeof(float));

	if (team->rank == 0)
		memcpy(a, p->from, ld * ld * sizeof(float));
	wf_team_barrier(team);
	wf_spd_invert(team, a, p->n);
	if (team->rank == 0)
		p->a = a;
	wf_team_barrier(team);
}

static float
upper(const float *a, size_t ld, size_t i, size_t j)
{
	return i < j ? a[i * ld + j] : a[j * ld + i];
}

WF_TEST(product_with_the_inverse_is_the_identity)
{
	static const size_t sizes[] = {1, 2, 63, 128, 129, 200};

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
	{
		TestHost	th;
		size_t		n = sizes[s];
		size_t		ld = wf_spd_padded(n);
		Problem		p = {.n = n};
		float	   *from;

		test_host_begin(&th);
		from = wf_alloc(&th.host, ld * ld, sizeof(float));
		fill(from, n, 5);
		p.from = from;
		WF_CHECK(test_team_run(&th, 1, invert, &p));
		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; j < n; j++)
			{
				double		sum = 0;

				for (size_t k = 0; k < n; k++)
					sum -= (double) upper(from, ld, i, k) * upper(p.a, ld, k, j);
				WF_CHECK_NEAR(sum, i == j, 2e-4);
			}
		test_host_end(&th);
	}
}

WF_TEST(same_bits_at_any_width_and_team)
{
	TestHost	th;
	size_t		n = 140;
	size_t		ld = wf_spd_padded(n);
	Problem		first = {.n = n};
	float	   *from;

	test_host_begin(&th);
	from = wf_alloc(&th.host, ld * ld, sizeof(float));
	fill(from, n, 20);
	first.from = from;
	WF_CHECK(test_team_run(&th, 1, invert, &first));
	for (int level = WF_SIMD_SCALAR; level <= WF_SIMD_AVX512_VBMI; level++)
		for (int size = 1; size <= 3; size++)
		{
			Problem		p = {.n = n,.from = from};

			wf_simd_limit((WfSimd) level);
			WF_CHECK(test_team_run(&th, size, invert, &p));
			for (size_t i = 0; i < n; i++)
				WF_CHECK(memcmp(p.a + i * ld + i, first.a + i * ld + i, (n - i) * sizeof(float)) == 0);
		}
	wf_simd_limit(WF_SIMD_AVX512_VBMI);
	test_host_end(&th);
}

/* All rows equal, next to no ridge: numbers stay finite. */
WF_TEST(singular_matrix_is_mended)
{
	TestHost	th;
	size_t		n = 130;
	size_t		ld = wf_spd_padded(n);
	Problem		p = {.n = n};
	float	   *from;

	test_host_begin(&th);
	from = wf_alloc_zero(&th.host, ld * ld, sizeof(float));
	for (size_t i = 0; i < n; i++)
		for (size_t j = i; j < n; j++)
			from[i * ld + j] = 1e6f;
	p.from = from;
	WF_CHECK(test_team_run(&th, 1, invert, &p));
	for (size_t i = 0; i < n; i++)
		for (size_t j = i; j < n; j++)
			WF_CHECK(isfinite(p.a[i * ld + j]));
	test_host_end(&th);
}

/* No ridge, and elements of which nothing is known: the others are inverted as without them. */
WF_TEST(elements_of_zeros)
{
	TestHost	th;
	size_t		n = 200;
	size_t		ld = wf_spd_padded(n);
	Problem		p = {.n = n};
	Problem		whole = {.n = n};
	float	   *from;

	test_host_begin(&th);
	from = wf_alloc(&th.host, ld * ld, sizeof(float));
	fill(from, n, 20);
	for (size_t i = 0; i < n; i++)
		for (size_t j = i; j < n; j++)
			if (i % 7 == 3 || j % 7 == 3)
				from[i * ld + j] = i == j ? 1 : 0;
	whole.from = from;
	WF_CHECK(test_team_run(&th, 1, invert, &whole));
	for (size_t i = 3; i < n; i += 7)
		from[i * ld + i] = 0;
	p.from = from;
	WF_CHECK(test_team_run(&th, 1, invert, &p));
	for (size_t i = 0; i < n; i++)
		WF_CHECK(memcmp(p.a + i * ld + i, whole.a + i * ld + i, (n - i) * sizeof(float)) == 0);
	test_host_end(&th);
}
