/*
 * Differences of means and shares against scipy 1.17 (ttest_ind, ttest_1samp,
 * chi2_contingency, binomtest), and how often chance alone looks like one.
 */
#include "wf_test.h"

#include "core/difference.h"
#include "core/rng.h"

static WfGroup
group_of(const double *x, int n)
{
	WfGroup		g = {.n = n};

	for (int i = 0; i < n; i++)
		g.mean += x[i] / n;
	for (int i = 0; i < n; i++)
		g.variance += (x[i] - g.mean) * (x[i] - g.mean) / (n - 1);
	return g;
}

WF_TEST(means_as_in_scipy)
{
	double		x[80];
	double		y[60];
	double		d[60];
	WfGroup		a;
	WfGroup		b;
	WfDifference r;

	for (int i = 0; i < 80; i++)
		x[i] = ((i * 37) % 101) / 50.0;
	for (int i = 0; i < 60; i++)
	{
		y[i] = ((i * 29) % 97) / 40.0;
		d[i] = y[i] - x[i];
	}
	a = group_of(x, 80);
	b = group_of(y, 60);
	r = wf_difference_means(&a, &b);
	WF_CHECK_NEAR(r.p, 0.05457732568637891, 1e-10);
	WF_CHECK_NEAR(r.lower, -0.004373671793311412, 1e-10);
	WF_CHECK_NEAR(r.upper, 0.44254033845997753, 1e-10);
	WF_CHECK_NEAR(r.difference, 1.219583333333333 - 1.0005, 1e-12);
	a = group_of(d, 60);
	r = wf_difference_pairs(&a);
	WF_CHECK_NEAR(r.p, 0.047095818650178686, 1e-10);
	WF_CHECK_NEAR(r.lower, 0.0030394215256261126, 1e-10);
	WF_CHECK_NEAR(r.upper, 0.4554605784743738, 1e-10);
	/* (1.96 + 0.84)² standard errors² against those seen */
	WF_CHECK_NEAR(r.factor, pow((1.959963984540054 + 0.8416212335729143) / (r.difference / sqrt(a.variance / 60)), 2), 1e-9);
}

WF_TEST(shares_and_flips_as_in_scipy)
{
	WfGroup		a = {200, 0.4, 0};
	WfGroup		b = {210, 110.0 / 210, 0};
	WfGroup		d = {100, 0.06, 0.11757575757575764};
	WfDifference r = wf_difference_shares(&a, &b);

	WF_CHECK_NEAR(r.p, 0.011972897620551985, 1e-10);
	WF_CHECK(r.lower > 0 && r.lower < 0.04 && r.upper > 0.2 && r.upper < 0.23);
	r = wf_difference_flips(&d);
	WF_CHECK_NEAR(r.p, 0.14599609375, 1e-12);
	WF_CHECK_NEAR(r.difference, 0.06, 0);
}

WF_TEST(groups_without_variance)
{
	WfGroup		one = {1, 0.5, NAN};
	WfGroup		right = {60, 1, 0};
	WfGroup		wrong = {60, 0, 0};
	WfGroup		even = {60, 0, 0};

	WF_CHECK(isnan(wf_difference_means(&one, &right).p));
	WF_CHECK(isnan(wf_difference_shares(&right, &one).p));
	WF_CHECK(isnan(wf_difference_pairs(&one).p));
	WF_CHECK_NEAR(wf_difference_means(&right, &right).p, 1, 0);
	WF_CHECK_NEAR(wf_difference_means(&right, &wrong).p, 0, 0);
	WF_CHECK_NEAR(wf_difference_shares(&right, &right).p, 1, 0);
	WF_CHECK(wf_difference_shares(&right, &wrong).p < 1e-20);
	WF_CHECK_NEAR(wf_difference_pairs(&even).p, 1, 0);
	WF_CHECK_NEAR(wf_difference_flips(&even).p, 1, 0);
	WF_CHECK(isnan(wf_difference_pairs(&even).factor));
}

/* 4000 experiments without a difference, and as many with one that 80 % should show. */
WF_TEST(errors_and_power_are_as_promised)
{
	int			found[2][2] = {{0}};	/* means, shares; without, with */

	for (uint64_t k = 0; k < 4000; k++)
		for (int with = 0; with < 2; with++)
		{
			double		x[2][150];
			double		hit[2][150];
			WfGroup		a;
			WfGroup		b;

			for (int g = 0; g < 2; g++)
				for (uint64_t i = 0; i < 150; i++)
				{
					uint64_t	key = wf_rng(wf_rng(k, (uint64_t) (2 * g + with)), i);
					double		u = wf_rng_unit(key);

					/* squared errors: far from normal; a difference of 2.8 standard errors */
					x[g][i] = u * u + (g && with ? 0.298142 * 2.8016 * sqrt(2.0 / 150) : 0);
					hit[g][i] = wf_rng_unit(wf_mix(key)) < (g && with ? 0.7 + 0.1404 : 0.7);
				}
			a = group_of(x[0], 150);
			b = group_of(x[1], 150);
			found[0][with] += wf_difference_means(&a, &b).p < 0.05;
			a = group_of(hit[0], 150);
			b = group_of(hit[1], 150);
			found[1][with] += wf_difference_shares(&a, &b).p < 0.05;
		}
	for (int m = 0; m < 2; m++)
	{
		/* 200 ± 4 standard deviations; 3200 or more */
		WF_CHECK(found[m][0] > 140 && found[m][0] < 260);
		WF_CHECK(found[m][1] > 3100 && found[m][1] < 3400);
	}
}
