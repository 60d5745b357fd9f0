/*-------------------------------------------------------------------------
 * test_paired.c
 *	  Paired tests against values from scipy and from a multinomial bootstrap
 *	  of 200,000 replicates in numpy.
 *-------------------------------------------------------------------------
 */
#include "wf_test.h"

#include "core/paired.h"
#include "core/rng.h"

#define N 500

static double
fraction(double x)
{
	return x - floor(x);
}

static void
make_losses(double *a, double *b)
{
	for (int i = 0; i < N; i++)
	{
		double		x = fraction(i * 0.6180339887498949);
		double		y = fraction(i * 0.6180339887498949 + 0.1);

		a[i] = x * x;
		b[i] = y * y + 0.01 * fraction(i * 0.7548776662466927);
	}
}

WF_TEST(bootstrap_of_means)
{
	TestHost	th;
	double		a[N];
	double		b[N];
	WfPaired	p;
	double		tolerance = 0.05 * 0.0136;

	test_host_begin(&th);
	make_losses(a, b);
	wf_paired_bootstrap(&th.host, a, b, NULL, N, 1, 20000, false, &p);
	WF_CHECK_NEAR(p.a, 0.33282732527387565, 1e-12);
	WF_CHECK_NEAR(p.b, 0.3377932138044421, 1e-12);
	WF_CHECK_NEAR(p.difference, 0.004965888530566444, 1e-12);
	WF_CHECK_NEAR(p.lower, -0.022313920, tolerance);
	WF_CHECK_NEAR(p.lower95, -0.017727187, tolerance);
	WF_CHECK_NEAR(p.upper95, 0.026867656, tolerance);
	WF_CHECK_NEAR(p.upper, 0.030829687, tolerance);
	WF_CHECK_NEAR(p.relative, 0.004965888530566444 / 0.33282732527387565, 1e-12);
	WF_CHECK_NEAR(p.relative_lower95, -0.051592106, tolerance / 0.33);
	WF_CHECK_NEAR(p.relative_upper95, 0.083590258, tolerance / 0.33);
	WF_CHECK_NEAR(p.p_value, 2 * 0.352745, 0.02);
	WF_CHECK_EQ(th.bytes_now, 0);
	test_host_end(&th);
}

WF_TEST(bootstrap_of_roots)
{
	TestHost	th;
	double		a[N];
	double		b[N];
	WfPaired	p;
	double		tolerance = 0.05 * 0.0117;

	test_host_begin(&th);
	make_losses(a, b);
	wf_paired_bootstrap(&th.host, a, b, NULL, N, 2, 20000, true, &p);
	WF_CHECK_NEAR(p.a, 0.5769118869237101, 1e-12);
	WF_CHECK_NEAR(p.b, 0.5811998054064041, 1e-12);
	WF_CHECK_NEAR(p.lower, -0.019251308, tolerance);
	WF_CHECK_NEAR(p.lower95, -0.015320078, tolerance);
	WF_CHECK_NEAR(p.upper95, 0.023206607, tolerance);
	WF_CHECK_NEAR(p.upper, 0.026587472, tolerance);
	test_host_end(&th);
}

/* Rows drawn in groups: intervals are those of the normal distribution. */
WF_TEST(bootstrap_of_many_rows)
{
	TestHost	th;
	size_t		n = 100003;
	double	   *a = malloc(n * sizeof(double));
	double	   *b = malloc(n * sizeof(double));
	double		sum = 0;
	double		squares = 0;
	double		error;
	WfPaired	p;
	WfPaired	again;

	test_host_begin(&th);
	for (size_t i = 0; i < n; i++)
	{
		a[i] = wf_rng_unit(wf_rng(1, i));
		b[i] = a[i] + 0.1 * (wf_rng_unit(wf_rng(2, i)) - 0.49);
		sum += b[i] - a[i];
		squares += (b[i] - a[i]) * (b[i] - a[i]);
	}
	error = sqrt((squares / (double) n - sum / (double) n * sum / (double) n) / (double) n);
	wf_paired_bootstrap(&th.host, a, b, NULL, n, 3, WF_PAIRED_ROUNDS, false, &p);
	WF_CHECK_NEAR(p.difference, sum / (double) n, 1e-12);
	WF_CHECK_NEAR(p.lower95, sum / (double) n - 1.645 * error, 0.25 * error);
	WF_CHECK_NEAR(p.upper95, sum / (double) n + 1.645 * error, 0.25 * error);
	WF_CHECK(p.p_value < 0.01 && p.p_value > 0);
	wf_paired_bootstrap(&th.host, a, b, NULL, n, 3, WF_PAIRED_ROUNDS, false, &again);
	WF_CHECK(memcmp(&p, &again, sizeof(p)) == 0);
	test_host_end(&th);
	free(a);
	free(b);
}

/* 60 units of 8 rows that are all alike: no more than 60 rows. */
WF_TEST(rows_of_a_unit_are_drawn_together)
{
	TestHost	th;
	int			missed[2] = {0};

	test_host_begin(&th);
	for (uint64_t s = 0; s < 400; s++)
	{
		double		a[480];
		double		b[480];
		uint16_t	unit[480];
		WfPaired	p;

		for (size_t i = 0; i < 480; i++)
		{
			uint64_t	group = i % 60;

			unit[i] = (uint16_t) (group * 131);
			a[i] = 1 + wf_rng_unit(wf_rng(s, group));
			b[i] = a[i] + wf_rng_unit(wf_rng(s + 100000, group)) - 0.5;
		}
		for (int together = 0; together < 2; together++)
		{
			wf_paired_bootstrap(&th.host, a, b, together ? unit : NULL, 480, s, 200, false, &p);
			missed[together] += p.upper95 < 0;
		}
		if (s == 0)
		{
			WfPaired	one;

			wf_paired_bootstrap(&th.host, a, b, unit, 480, 1, 4000, false, &p);
			wf_paired_bootstrap(&th.host, a, b, NULL, 60, 1, 4000, false, &one);
			WF_CHECK_NEAR(p.difference, one.difference, 1e-12);
			WF_CHECK_NEAR(p.upper95 - p.difference, one.upper95 - one.difference, 0.1 * (one.upper95 - one.difference));
			WF_CHECK_NEAR(p.relative_upper95, one.relative_upper95, 0.1 * fabs(one.relative_upper95) + 0.003);
		}
	}
	WF_CHECK(missed[0] > 80);
	WF_CHECK(missed[1] < 40);
	test_host_end(&th);
}

/* A bound of 95 % is passed by the truth in about 5 % of samples. */
WF_TEST(coverage)
{
	TestHost	th;
	int			missed = 0;

	test_host_begin(&th);
	for (uint64_t s = 0; s < 1000; s++)
	{
		double		a[200];
		double		b[200];
		WfPaired	p;

		for (uint64_t i = 0; i < 200; i++)
		{
			a[i] = wf_rng_unit(wf_rng(s + 7, 2 * i));
			b[i] = wf_rng_unit(wf_rng(s + 7, 2 * i + 1));
		}
		wf_paired_bootstrap(&th.host, a, b, NULL, 200, s, 200, false, &p);
		missed += p.upper95 < 0;
	}
	WF_CHECK(missed >= 30 && missed <= 72);
	test_host_end(&th);
}

WF_TEST(bootstrap_edges)
{
	TestHost	th;
	double		zero[3] = {0, 0, 0};
	double		one[3] = {1, 1, 1};
	WfPaired	p;

	test_host_begin(&th);
	wf_paired_bootstrap(&th.host, zero, one, NULL, 0, 1, 100, false, &p);
	WF_CHECK(isnan(p.difference) && isnan(p.p_value) && isnan(p.relative_upper95));
	wf_paired_bootstrap(&th.host, zero, one, NULL, 1, 1, 100, false, &p);
	WF_CHECK_NEAR(p.difference, 1, 0);
	WF_CHECK_NEAR(p.lower95, 1, 0);
	WF_CHECK(isnan(p.relative) && isnan(p.relative_lower95));
	wf_paired_bootstrap(&th.host, one, one, NULL, 3, 1, 100, true, &p);
	WF_CHECK_NEAR(p.lower, 0, 0);
	WF_CHECK_NEAR(p.upper, 0, 0);
	WF_CHECK_NEAR(p.p_value, 1, 0);
	test_host_end(&th);
}

WF_TEST(mcnemar)
{
	WF_CHECK_NEAR(wf_mcnemar(0, 0), 1, 0);
	WF_CHECK_NEAR(wf_mcnemar(7, 7), 1, 0);
	WF_CHECK_NEAR(wf_mcnemar(0, 1), 0.5, 1e-12);
	WF_CHECK_NEAR(wf_mcnemar(0, 5), 0.03125, 1e-12);
	WF_CHECK_NEAR(wf_mcnemar(3, 12), 0.02127075195312501, 1e-12);
	WF_CHECK_NEAR(wf_mcnemar(12, 3), 0.02127075195312501, 1e-12);
	WF_CHECK_NEAR(wf_mcnemar(10, 11), 0.8318119049072265, 1e-11);
	WF_CHECK_NEAR(wf_mcnemar(59, 6) / 2.7258031986068867e-12, 1, 1e-8);
	WF_CHECK_NEAR(wf_mcnemar(400, 500) / 0.0008541955361977088, 1, 1e-8);
	WF_CHECK_NEAR(wf_mcnemar(5200, 5000) / 0.04767597424321983, 1, 1e-8);
	WF_CHECK_NEAR(wf_mcnemar(100000, 101000) / 0.025714478917620322, 1, 1e-7);
	WF_CHECK_NEAR(wf_mcnemar(100000, 0), 0, 1e-300);
}

WF_TEST(paired_shares)
{
	double		lower;
	double		upper;

	wf_paired_shares(12, 3, 50, &lower, &upper);
	WF_CHECK_NEAR(lower, -0.3211925387715775, 1e-12);
	WF_CHECK_NEAR(upper, -0.02496130738226865, 1e-12);
	wf_paired_shares(0, 0, 0, &lower, &upper);
	WF_CHECK(lower >= -1 && upper <= 1);
}

WF_TEST(paired_cancel_and_memory)
{
	double		a[N];
	double		b[N];
	WfPaired	p;

	make_losses(a, b);
	for (uint64_t at = 1; at <= 3; at++)
	{
		TestHost	th;

		test_host_begin(&th);
		th.fail_alloc_at = at;
		WF_EXPECT_FAIL(&th, WF_E_MEMORY, wf_paired_bootstrap(&th.host, a, b, NULL, N, 1, 100, false, &p));
		test_host_end(&th);
	}
	{
		TestHost	th;

		test_host_begin(&th);
		th.cancel_check_at = 50;
		th.failed = false;
		{
			jmp_buf		jb;

			th.on_fail = &jb;
			if (setjmp(jb) == 0)
				wf_paired_bootstrap(&th.host, a, b, NULL, N, 1, 1000, false, &p);
			WF_CHECK(th.failed);
			WF_CHECK_EQ(th.n_checks, 50);
		}
		test_host_end(&th);
	}
}
