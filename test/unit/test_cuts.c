/* Cut points: every value its own bin where possible, else bins of even mass. */
#include "wf_test.h"

#include <float.h>

#include "core/cuts.h"
#include "core/dataset.h"
#include "core/rng.h"

#define N_MAX 20000

static int
compare(const void *a, const void *b)
{
	float		x = *(const float *) a,
				y = *(const float *) b;

	return (x > y) - (x < y);
}

/*
 * What must hold for any sample: cuts rise and are at most max_bins - 1, no
 * bin is empty, both ways of sorting agree.  Returns the number of cuts; rows
 * of each bin in mass.
 */
static int
check_cuts(const float *v, size_t n, int max_bins, float *cuts, size_t *mass)
{
	static float sorted[N_MAX],
				values[N_MAX],
				scratch[N_MAX];
	float		other[256];
	int			n_cuts,
				again;

	memcpy(sorted, v, n * sizeof(float));
	qsort(sorted, n, sizeof(float), compare);
	memcpy(values, v, n * sizeof(float));
	n_cuts = wf_cuts_find(values, n, max_bins, cuts);
	for (size_t i = 0; i < n; i++)
		WF_CHECK(values[i] == sorted[i]);
	memcpy(values, v, n * sizeof(float));
	again = wf_cuts_find_with(values, scratch, n, max_bins, other);
	WF_CHECK_EQ(again, n_cuts);
	WF_CHECK(memcmp(cuts, other, (size_t) n_cuts * sizeof(float)) == 0);

	WF_CHECK(n_cuts < max_bins);
	memset(mass, 0, 256 * sizeof(size_t));
	for (size_t i = 0; i < n; i++)
	{
		int			bin = 0;

		while (bin < n_cuts && cuts[bin] < v[i])
			bin++;
		mass[bin]++;
	}
	for (int k = 1; k < n_cuts; k++)
		WF_CHECK(cuts[k] > cuts[k - 1]);
	for (int k = 0; n && k <= n_cuts; k++)
		WF_CHECK(mass[k] > 0);
	return n_cuts;
}

WF_TEST(distinct_values_get_midpoints)
{
	float		v[] = {3, 1, 2, 1, -4, 3, 3, 10};
	float		cuts[256];
	size_t		mass[256];

	WF_CHECK_EQ(check_cuts(v, 8, 5, cuts, mass), 4);
	WF_CHECK(cuts[0] == -1.5f && cuts[1] == 1.5f && cuts[2] == 2.5f && cuts[3] == 6.5f);
	WF_CHECK_EQ(check_cuts(v, 8, 255, cuts, mass), 4);
	WF_CHECK_EQ(check_cuts(v, 1, 255, cuts, mass), 0);
	WF_CHECK_EQ(check_cuts(v, 0, 255, cuts, mass), 0);
	WF_CHECK_EQ(check_cuts(v, 8, 2, cuts, mass), 1);
}

/* numpy.quantile(arange(1000)**2 / 64, [.1 … .9], method="midpoint") */
WF_TEST(quantiles_as_numpy)
{
	static const double expected[] = {154.6953125, 621.8828125, 1401.5703125, 2493.7578125, 3898.4453125,
	5615.6328125, 7645.3203125, 9987.5078125, 12642.1953125};
	float		v[1000];
	float		cuts[256];
	size_t		mass[256];

	for (int i = 0; i < 1000; i++)
		v[i] = (float) ((i * 617 % 1000) * (i * 617 % 1000)) / 64.0f;
	WF_CHECK_EQ(check_cuts(v, 1000, 10, cuts, mass), 9);
	for (int k = 0; k < 9; k++)
		WF_CHECK_NEAR(cuts[k], expected[k], 0);
	check_cuts(v, 1000, 255, cuts, mass);
	for (int k = 0; k < 255; k++)
		WF_CHECK(mass[k] == 3 || mass[k] == 4);
}

WF_TEST(heavy_values_have_bins_of_their_own)
{
	static float v[10000];
	float		cuts[256];
	size_t		mass[256];
	int			n_cuts;
	int			full = 0;

	/* 60 % zeros amid positive and negative values, 10 % at 5 */
	for (int i = 0; i < 10000; i++)
	{
		uint64_t	r = wf_mix((uint64_t) i);

		v[i] = r % 10 < 6 ? 0 : r % 10 < 7 ? 5 : (float) wf_rng_unit(wf_mix(r)) * 20 - 10;
	}
	n_cuts = check_cuts(v, 10000, 100, cuts, mass);
	WF_CHECK(n_cuts >= 90);
	for (int k = 0; k <= n_cuts; k++)
	{
		full += mass[k] > 5000 || (mass[k] > 900 && mass[k] < 1100);
		WF_CHECK(mass[k] > 5000 || mass[k] < 60 || (mass[k] > 900 && mass[k] < 1100));
	}
	WF_CHECK_EQ(full, 2);
}

/* Every second value is heavy: more runs than bins. */
WF_TEST(many_heavy_values)
{
	static float v[N_MAX];
	float		cuts[256];
	size_t		mass[256];
	size_t		n = 0;

	for (int k = 0; k < 60; k++)
	{
		for (int i = 0; i < 150; i++)
			v[n++] = (float) k;
		v[n++] = (float) k + 0.5f;
	}
	WF_CHECK(check_cuts(v, n, 64, cuts, mass) >= 59);
	for (int k = 0; k < 60; k++)
		WF_CHECK(mass[k] <= 152);
	WF_CHECK_EQ(check_cuts(v, n, 2, cuts, mass), 1);
	WF_CHECK(mass[0] * 3 > n && mass[1] * 3 > n);
}

WF_TEST(random_samples_are_even)
{
	static float v[N_MAX];
	float		cuts[256];
	size_t		mass[256];

	for (uint64_t turn = 0; turn < 60; turn++)
	{
		size_t		n = 1 + wf_rng_below(wf_rng(turn, 1), N_MAX - 1);
		int			max_bins = 2 + (int) wf_rng_below(wf_rng(turn, 2), 254);
		uint32_t	kinds = 1u << wf_rng_below(wf_rng(turn, 3), 24);
		int			n_cuts;

		for (size_t i = 0; i < n; i++)
		{
			double		u = wf_rng_unit(wf_rng(turn, 100 + i));

			v[i] = (float) ((uint32_t) (u * u * kinds)) - 100;
		}
		n_cuts = check_cuts(v, n, max_bins, cuts, mass);
		if (kinds > 1u << 20 && n > 4000)
		{
			WF_CHECK(n_cuts >= max_bins - 2);
			for (int k = 0; k <= n_cuts; k++)
				WF_CHECK(mass[k] <= n / (size_t) max_bins + n / 200 + 2);
		}
	}
}

/* Outliers on both sides, and between them many values that differ in their last bits only. */
WF_TEST(values_close_together)
{
	static float v[N_MAX];
	float		cuts[256];
	size_t		mass[256];

	for (int turn = 0; turn < 3; turn++)
	{
		for (size_t i = 0; i < 15000; i++)
		{
			uint32_t	bits = UINT32_C(0x44800000) + wf_rng_below(wf_rng(i, (uint64_t) turn), turn == 0 ? 20 : turn == 1 ? 700 : 5000);

			memcpy(&v[i], &bits, sizeof(bits));
		}
		v[3] = -1e30f;
		v[5] = 1e30f;
		if (turn == 0)
			WF_CHECK_EQ(check_cuts(v, 15000, 100, cuts, mass), 21);
		else
			WF_CHECK(check_cuts(v, 15000, 100, cuts, mass) >= 97);
		for (int k = 0; k < 100 && turn; k++)
			WF_CHECK(mass[k] < 200);
	}
}

WF_TEST(cuts_at_the_edges_of_floats)
{
	float		inf = __builtin_inff();
	float		up = nextafterf(1, 2);
	float		v[] = {inf, -inf, 0, -0.0f, FLT_MAX, -FLT_MAX, 1, up, FLT_MIN, -inf};
	float		cuts[256];
	size_t		mass[256];

	WF_CHECK_EQ(check_cuts(v, 10, 255, cuts, mass), 7);
	WF_CHECK(cuts[0] == -inf);	/* nothing finite lies between */
	WF_CHECK(cuts[1] == -FLT_MAX / 2);
	WF_CHECK(cuts[4] == 1);		/* between two neighbours of a float */
	WF_CHECK(isfinite(cuts[6]) && cuts[6] == FLT_MAX);
	{
		float		w[] = {-inf, inf, 1};

		WF_CHECK_EQ(check_cuts(w, 2, 255, cuts, mass), 1);
		WF_CHECK(cuts[0] == 0);
		WF_CHECK_EQ(check_cuts(w, 3, 255, cuts, mass), 2);
		WF_CHECK(cuts[0] == -FLT_MAX && cuts[1] == FLT_MAX);
	}
}
