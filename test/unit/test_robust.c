/*
 * Sorting of keys, quantiles, and scales by group against sorting in plain
 * words.
 */
#include "wf_test.h"

#include <float.h>

#include "core/rng.h"
#include "core/robust.h"

static int
by_value(const void *a, const void *b)
{
	float		x = *(const float *) a;
	float		y = *(const float *) b;

	return x < y ? -1 : x > y;
}

WF_TEST(keys_in_order)
{
	static const size_t sizes[] = {0, 1, 2, 31, 33, 500, 2048, 2049, 30000};
	TestHost	th;

	test_host_begin(&th);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
	{
		size_t		n = sizes[s];
		uint32_t   *keys = wf_alloc(&th.host, n + 1, sizeof(uint32_t));
		uint32_t   *scratch = wf_alloc(&th.host, n + 1, sizeof(uint32_t));
		uint64_t	before = 0;
		uint64_t	after = 0;

		for (size_t i = 0; i < n; i++)
			before += wf_mix(keys[i] = (uint32_t) wf_rng(s, i) >> (s % 3 * 10));
		wf_sort_keys(&th.host, keys, scratch, n);
		for (size_t i = 0; i < n; i++)
		{
			after += wf_mix(keys[i]);
			WF_CHECK(i == 0 || keys[i - 1] <= keys[i]);
		}
		WF_CHECK(before == after);
	}
	test_host_end(&th);
}

WF_TEST(float_keys)
{
	static const float values[] = {-FLT_MAX, -1e9f, -1.5f, -FLT_MIN, 0, FLT_MIN, 1, 1.0000001f, 3e38f, FLT_MAX};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
	{
		WF_CHECK(wf_key_float(wf_float_key(values[i])) == values[i]);
		WF_CHECK(i == 0 || wf_float_key(values[i - 1]) < wf_float_key(values[i]));
	}
	WF_CHECK_EQ(wf_float_key(-0.0f), wf_float_key(0.0f));
	WF_CHECK(wf_key_float(wf_float_key(INFINITY)) == FLT_MAX);
	WF_CHECK(wf_key_float(wf_float_key(-INFINITY)) == -FLT_MAX);
}

static double
item(const void *arg, size_t i)
{
	return ((const double *) arg)[i];
}

WF_TEST(quantiles_like_numpy)
{
	static const double x[] = {1, 2, 4, 8, 16};

	WF_CHECK_NEAR(wf_sorted_quantile(item, x, 5, 0), 1, 0);
	WF_CHECK_NEAR(wf_sorted_quantile(item, x, 5, 0.3), 2.4, 1e-15);
	WF_CHECK_NEAR(wf_sorted_quantile(item, x, 5, 0.5), 4, 0);
	WF_CHECK_NEAR(wf_sorted_quantile(item, x, 5, 0.9), 12.8, 1e-14);
	WF_CHECK_NEAR(wf_sorted_quantile(item, x, 5, 1), 16, 0);
	WF_CHECK_NEAR(wf_sorted_quantile(item, x, 1, 0.7), 1, 0);
}

WF_TEST(scaled_values)
{
	WfScale		plain = {10, 0.5f};
	WfScale		ordinary = {10, -0.5f};

	WF_CHECK(wf_scale_apply(&plain, 12) == 1);
	WF_CHECK(wf_scale_apply(&plain, -1000) == -50);
	WF_CHECK(wf_scale_apply(&plain, INFINITY) == 50);
	WF_CHECK(isnan(wf_scale_apply(&plain, NAN)));
	WF_CHECK(wf_scale_apply(&ordinary, 12) == 1);
	WF_CHECK(wf_scale_apply(&ordinary, NAN) == 0);
}

/* ---- groups ---- */

#define N 6000
#define D 4
#define GROUPS 7

typedef struct Scales
{
	WfDataset	data;
	WfScale		scales[(GROUPS + 1) * 2];
} Scales;

static const uint32_t features[2] = {1, 3};

static void
scale_in_team(WfTeam *team, void *arg)
{
	Scales	   *s = arg;
	WfScale    *shared = wf_team_alloc(team, (GROUPS + 1) * 2, sizeof(WfScale));

	wf_robust_scales(team, &s->data, 0, GROUPS, features, 2, shared);
	if (team->rank == 0)
		memcpy(s->scales, shared, sizeof(s->scales));
	wf_team_barrier(team);
	wf_team_free(team, shared);
}

/* Group 5 has five rows, group 6 no value of feature 3; the rest of the rows has no group. */
static void
make_rows(TestHost *th, Scales *s)
{
	memset(s, 0, sizeof(*s));
	s->data.n = N;
	s->data.d = D;
	s->data.values = wf_alloc(&th->host, N * D, sizeof(float));
	for (uint32_t i = 0; i < N; i++)
	{
		float	   *x = s->data.values + i * D;
		uint32_t	group = i < 5 ? 5 : i % 13 < 5 ? i % 13 : i % 13 == 6 ? 6 : 99;

		x[0] = group == 99 ? NAN : (float) group;
		x[1] = i % 11 == 0 ? NAN : (float) (wf_rng_unit(wf_rng(1, i)) * (group + 1));
		x[2] = 0;
		x[3] = group == 6 ? NAN : group == 4 ? 3.0f : (float) (wf_rng(2, i) % 1000);
	}
}

/* Median and IQR of what the group has of the feature; n gets how many. */
static WfScale
plain_scale(const Scales *s, uint32_t group, uint32_t f, size_t *n)
{
	static float values[N];
	double		q[3];

	*n = 0;
	for (uint32_t i = 0; i < N; i++)
	{
		const float *x = s->data.values + i * D;

		if ((group == GROUPS || x[0] == (float) group) && !isnan(x[f]))
			values[(*n)++] = x[f];
	}
	if (*n == 0)
		return (WfScale) {0, 0};
	qsort(values, *n, sizeof(float), by_value);
	for (int i = 0; i < 3; i++)
	{
		double		at = 0.25 * (i + 1) * (double) (*n - 1);
		size_t		k = (size_t) at;

		q[i] = k + 1 < *n ? values[k] + (at - (double) k) * ((double) values[k + 1] - values[k]) : values[k];
	}
	return (WfScale) {(float) q[1], q[2] > q[0] ? (float) (1 / (q[2] - q[0])) : 1};
}

WF_TEST(scales_by_group)
{
	TestHost	th;
	Scales		s;

	test_host_begin(&th);
	for (int size = 1; size <= 4; size++)
	{
		make_rows(&th, &s);
		WF_CHECK(test_team_run(&th, size, scale_in_team, &s));
		for (uint32_t g = 0; g <= GROUPS; g++)
			for (uint32_t j = 0; j < 2; j++)
			{
				const WfScale *found = &s.scales[g * 2 + j];
				size_t		n;
				size_t		n_all;
				WfScale		all = plain_scale(&s, GROUPS, features[j], &n_all);
				WfScale		own = plain_scale(&s, g, features[j], &n);
				WfScale    *expected = g == 5 ? &all : &own;

				if (n == 0)
				{
					WF_CHECK_EQ(g, 6);
					WF_CHECK(found->inverse == -all.inverse && found->centre == all.centre);
					continue;
				}
				WF_CHECK_NEAR(found->centre, expected->centre, 1e-6);
				WF_CHECK_NEAR(found->inverse, expected->inverse, 1e-6 * expected->inverse);
			}
	}
	test_host_end(&th);
}
