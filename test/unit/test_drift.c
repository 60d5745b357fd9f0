/*
 * Drift: measures against numpy and scipy, silence where there is none, and
 * what was planted is found.
 */
#include "sample.h"

#include "core/drift.h"
#include "core/model.h"

static const char *const algorithms[] = {"random_forest", "gradient_boosting", "linear"};
#define N_ALGORITHMS 3

static const double then[WF_DRIFT_CELLS] = {95, 110, 100, 99, 101, 90, 105, 100, 120, 80, 0};
static const double now[WF_DRIFT_CELLS] = {40, 60, 45, 55, 52, 48, 70, 30, 61, 39, 25};

/* scipy.special.kolmogorov, scipy.stats.chi2_contingency; the index in numpy, from the header's formula */
WF_TEST(measures_as_in_scipy)
{
	double		none[WF_DRIFT_CELLS] = {0};
	double		half[WF_DRIFT_CELLS];

	WF_CHECK_NEAR(wf_drift_psi(then, now, 0), 0.22580518964786866, 1e-12);
	WF_CHECK_NEAR(wf_drift_psi(then, now, 300), 0.21279171446532968, 1e-12);
	WF_CHECK_NEAR(wf_drift_ks_p(then, now), 0.30135560078783336, 1e-10);
	WF_CHECK_NEAR(wf_drift_chi2_p(then, now), 3.725706478780388e-09, 1e-17);
	for (int c = 0; c < WF_DRIFT_CELLS; c++)
		half[c] = then[c] / 2;
	WF_CHECK_NEAR(wf_drift_psi(then, half, 0), 0, 0);
	WF_CHECK_NEAR(wf_drift_ks_p(then, half), 1, 0);
	WF_CHECK_NEAR(wf_drift_chi2_p(then, half), 1, 1e-12);
	WF_CHECK(isnan(wf_drift_psi(then, none, 0)) && isnan(wf_drift_ks_p(then, none)) && isnan(wf_drift_chi2_p(none, then)));
}

/* One cell only, or all rows in a cell that training never saw. */
WF_TEST(measures_of_extremes_are_finite)
{
	double		one[WF_DRIFT_CELLS] = {1000};
	double		other[WF_DRIFT_CELLS] = {0};

	other[9] = 1000;
	WF_CHECK_NEAR(wf_drift_psi(one, one, 0), 0, 0);
	WF_CHECK_NEAR(wf_drift_ks_p(one, one), 1, 0);
	WF_CHECK_NEAR(wf_drift_chi2_p(one, one), 1, 0);
	WF_CHECK(wf_drift_psi(one, other, 0) > 10 && isfinite(wf_drift_psi(one, other, 0)));
	WF_CHECK(wf_drift_ks_p(one, other) < 1e-100);
	WF_CHECK(wf_drift_chi2_p(one, other) < 1e-100);
	/* Rare cells are joined: a single row where none was is no proof. */
	one[4] = 1;
	WF_CHECK_NEAR(wf_drift_chi2_p(one, one), 1, 0);
}

WF_TEST(groups_are_those_of_the_histograms)
{
	float		cuts[254];
	WfDriftGroups g;

	for (int i = 0; i < 254; i++)
		cuts[i] = (float) i;
	for (int n_bins = 1; n_bins <= 255; n_bins++)
	{
		wf_drift_groups(&g, cuts, n_bins, false);
		for (int b = 0; b < n_bins; b++)
			WF_CHECK_EQ(wf_drift_group(&g, (float) b - 0.5f), b * WF_HISTOGRAM_GROUPS / n_bins);
		WF_CHECK_EQ(wf_drift_group(&g, INFINITY), (n_bins - 1) * WF_HISTOGRAM_GROUPS / n_bins);
		WF_CHECK_EQ(wf_drift_group(&g, -INFINITY), 0);
		WF_CHECK_EQ(wf_drift_group(&g, NAN), WF_HISTOGRAM_GROUPS);
		wf_drift_groups(&g, NULL, n_bins, true);
		for (int b = 0; b < n_bins; b++)
			WF_CHECK_EQ(wf_drift_group(&g, (float) b), b * WF_HISTOGRAM_GROUPS / n_bins);
		WF_CHECK_EQ(wf_drift_group(&g, 300), (n_bins - 1) * WF_HISTOGRAM_GROUPS / n_bins);
		WF_CHECK_EQ(wf_drift_group(&g, -1), 0);
	}
}

static WfModel *
fit_model(TestHost *th, const char *algorithm, int k, uint32_t n)
{
	WfTeam		team;
	WfTeamShared shared;
	Sample		s;
	WfFitResult r;

	sample_make(&s, &th->host, n, k, 1, (size_t) 1 << 30);
	sample_spec(&th->host, &s, algorithm, "none");
	wf_team_alone(&team, &shared, &th->host);
	wf_fit(&team, &s.spec, &s.input, &r);
	return wf_model_open(&th->host, r.artifact.data, r.artifact.length);
}

typedef enum Planted
{
	NOTHING,
	NUMBER_SHIFTED,
	NUMBER_MISSING,
	LEVEL_GONE,
	LEVEL_NEW
} Planted;

static void
add_rows(WfDrift *d, const WfModel *m, uint64_t start, int n, Planted planted)
{
	for (uint64_t i = start; i < start + (uint64_t) n; i++)
	{
		float		x[3];
		char		text[2] = {0};
		int			level;
		double		y;

		sample_row(i, 2, &x[0], &level, &x[2], &y);
		if (planted == NUMBER_SHIFTED)
			x[0] += 3;
		if (planted == NUMBER_MISSING && i % 2)
			x[2] = NAN;
		if (planted == LEVEL_GONE && level < 3)
			level = 4;
		text[0] = planted == LEVEL_NEW && i % 2 ? 'z' : (char) ('a' + level);
		x[1] = level < 0 ? NAN : wf_model_level(m, 1, text, 1);
		wf_drift_add(d, x, 1);
	}
}

/* Every algorithm keeps its histograms: training rows drift in nothing, and their counts add up. */
WF_TEST(training_rows_do_not_drift)
{
	for (int a = 0; a < N_ALGORITHMS; a++)
	{
		TestHost	th;
		WfModel    *m;
		WfDrift    *d;
		WfDriftColumn c[3];

		test_host_begin(&th);
		m = fit_model(&th, algorithms[a], 2, 3000);
		d = wf_drift_create(&th.host, m);
		WF_CHECK(d != NULL);
		add_rows(d, m, 0, 3000, NOTHING);
		wf_drift_columns(d, 0, c);
		for (int i = 0; i < 3; i++)
		{
			WF_CHECK_NEAR(c[i].psi, 0, 0);
			WF_CHECK_NEAR(c[i].p, 1, 1e-9);
			WF_CHECK_NEAR(c[i].rows, 3000, 0);
			WF_CHECK_EQ(c[i].verdict, WF_DRIFT_STABLE);
		}
		test_host_end(&th);
	}
}

/* Chance alone: the index is near 0 in the mean, and hardly anything drifts. */
WF_TEST(no_drift_is_no_drift)
{
	TestHost	th;
	WfModel    *m;
	double		sum = 0;
	double		truth = 0;
	int			drifting = 0;
	int			moderate = 0;
	int			significant = 0;

	test_host_begin(&th);
	m = fit_model(&th, "linear", 2, 4000);
	for (int k = 0; k < 1000; k++)
	{
		WfDrift    *d = wf_drift_create(&th.host, m);
		WfDriftColumn c[3];
		bool		any = false;

		add_rows(d, m, 10000 + 400 * (uint64_t) k, 400, NOTHING);
		wf_drift_columns(d, 0, c);
		for (int i = 0; i < 3; i++)
		{
			/* what flooring at 0 leaves of a χ² with its mean taken away */
			sum += c[i].psi;
			drifting += c[i].verdict == WF_DRIFT_YES;
			moderate += c[i].verdict == WF_DRIFT_MODERATELY;
			any |= c[i].p < 0.05;
		}
		significant += any;
	}
	truth = sum / 3000;
	/* uncorrected, the mean would be 9 (1/400 + 1/4000) = 0.025 */
	WF_CHECK(truth < 0.006);
	WF_CHECK_EQ(drifting, 0);
	WF_CHECK(moderate <= 2);
	WF_CHECK(significant <= 60);
	test_host_end(&th);
}

WF_TEST(planted_shifts_are_found)
{
	static const struct
	{
		Planted		planted;
		int			column;
	}			cases[] = {{NUMBER_SHIFTED, 0}, {NUMBER_MISSING, 2}, {LEVEL_GONE, 1}, {LEVEL_NEW, 1}};

	for (int a = 0; a < N_ALGORITHMS; a++)
	{
		TestHost	th;
		WfModel    *m;

		test_host_begin(&th);
		m = fit_model(&th, algorithms[a], 2, 3000);
		for (int k = 0; k < 4; k++)
		{
			WfDrift    *d = wf_drift_create(&th.host, m);
			WfDriftColumn c[3];

			add_rows(d, m, 10000, 600, cases[k].planted);
			wf_drift_columns(d, 0, c);
			for (int i = 0; i < 3; i++)
			{
				WF_CHECK_EQ(c[i].verdict, i == cases[k].column ? WF_DRIFT_YES : WF_DRIFT_STABLE);
				WF_CHECK_EQ(c[i].feature, (uint32_t) i);
			}
		}
		test_host_end(&th);
	}
}

WF_TEST(few_rows_say_nothing)
{
	TestHost	th;
	WfModel    *m;
	WfDrift    *d;
	WfDriftColumn c[3];

	test_host_begin(&th);
	m = fit_model(&th, "gradient_boosting", 0, 1000);
	d = wf_drift_create(&th.host, m);
	wf_drift_columns(d, 0, c);
	WF_CHECK_EQ(c[0].verdict, WF_DRIFT_TOO_FEW);
	WF_CHECK(isnan(c[0].psi));
	add_rows(d, m, 5000, 199, NUMBER_SHIFTED);
	wf_drift_columns(d, 0, c);
	WF_CHECK_EQ(c[0].verdict, WF_DRIFT_TOO_FEW);
	add_rows(d, m, 5199, 1, NUMBER_SHIFTED);
	wf_drift_columns(d, 0, c);
	WF_CHECK_EQ(c[0].verdict, WF_DRIFT_YES);
	/* shares from statistics: no p, and the index decides */
	wf_drift_columns(d, 30000, c);
	WF_CHECK(isnan(c[0].p));
	WF_CHECK_EQ(c[0].verdict, WF_DRIFT_YES);
	WF_CHECK_NEAR(c[0].rows, 30000, 0);
	test_host_end(&th);
}

/* A histogram whose counts do not add up is refused, an absent one said. */
WF_TEST(stored_histograms_are_checked)
{
	TestHost	th;
	WfModel    *m;
	uint8_t    *copy;
	size_t		length;
	const uint8_t *hist;
	WfSectionEntry *section;

	test_host_begin(&th);
	m = fit_model(&th, "random_forest", 2, 1000);
	copy = wf_alloc_aligned(&th.host, m->length, 1);
	memcpy(copy, m->bytes, m->length);
	hist = wf_model_section(m, "HIST", &length);
	copy[hist - m->bytes]++;
	((WfModelHeader *) copy)->crc = wf_crc32c(0, copy + 16, m->length - 16);
	WF_EXPECT_FAIL(&th, WF_E_CORRUPT, wf_drift_create(&th.host, wf_model_open(&th.host, copy, m->length)));
	section = (WfSectionEntry *) (copy + sizeof(WfModelHeader));
	while (memcmp(section->tag, "HIST", 4) != 0)
		section++;
	memcpy(section->tag, "hist", 4);
	((WfModelHeader *) copy)->crc = wf_crc32c(0, copy + 16, m->length - 16);
	WF_CHECK(wf_drift_create(&th.host, wf_model_open(&th.host, copy, m->length)) == NULL);
	test_host_end(&th);
}
