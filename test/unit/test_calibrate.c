/*
 * Calibration against minima found by scipy.optimize (BFGS polished by
 * Nelder-Mead; Brent for the temperature) on data made by the formulas below.
 */
#include "wf_test.h"

#include "core/calibrate.h"
#include "core/rng.h"

#define N 300

static double p[N];
static uint8_t positive[N];
static float w[N];
static double p3[N * 3];
static uint16_t label[N];

static void
make_data(void)
{
	for (int i = 0; i < N; i++)
	{
		double		sum = 0;

		p[i] = (i * 29 % 97 + 0.5) / 98;
		positive[i] = (double) (i * 53 % 89) / 89 < 0.15 + 0.5 * p[i];
		w[i] = (float) (1 + i % 3);
		for (int c = 0; c < 3; c++)
		{
			double		raw = (i * 13 + 5 * c * i + c * 3) % 17 + 1;

			p3[i * 3 + c] = raw * raw;
			sum += raw * raw;
		}
		for (int c = 0; c < 3; c++)
			p3[i * 3 + c] /= sum;
		label[i] = (double) (i * 31 % 101) / 101 < sqrt(p3[i * 3]) ? 0 : i % 3 ? 1 : 2;
	}
}

WF_TEST(platt_finds_the_minimum)
{
	double		a;
	double		b;

	make_data();
	wf_platt_fit(positive, p, NULL, N, &a, &b);
	WF_CHECK_NEAR(a, 0.3934037, 1e-6);
	WF_CHECK_NEAR(b, -0.30104785, 1e-6);
	wf_platt_fit(positive, p, w, N, &a, &b);
	WF_CHECK_NEAR(a, 0.40515165, 1e-6);
	WF_CHECK_NEAR(b, -0.30216943, 1e-6);
	WF_CHECK_NEAR(wf_platt_apply(0.3, a, b), 1 / (1 + exp(-(a * log(0.3 / 0.7) + b))), 1e-14);
	WF_CHECK(wf_platt_apply(0, a, b) > 0 && wf_platt_apply(0, a, b) == wf_platt_apply(1e-7, a, b));
	WF_CHECK(wf_platt_apply(1, a, b) < 1);
}

WF_TEST(platt_on_hard_data)
{
	double		score[40];
	uint8_t		y[40];
	double		a;
	double		b;

	/* perfectly separated, with sure probabilities: smoothed targets keep it finite */
	for (int i = 0; i < 40; i++)
	{
		score[i] = i < 20 ? 0 : 1;
		y[i] = i >= 20;
	}
	wf_platt_fit(y, score, NULL, 40, &a, &b);
	WF_CHECK_NEAR(wf_platt_apply(1, a, b), 21.0 / 22, 1e-6);
	WF_CHECK_NEAR(wf_platt_apply(0, a, b), 1.0 / 22, 1e-6);

	/* one class only */
	memset(y, 1, sizeof(y));
	wf_platt_fit(y, score, NULL, 40, &a, &b);
	WF_CHECK(isfinite(a) && isfinite(b) && wf_platt_apply(0.5, a, b) > 0.9);

	/* the same score everywhere: the share of positives */
	for (int i = 0; i < 40; i++)
	{
		score[i] = 0.9;
		y[i] = i % 4 == 0;
	}
	wf_platt_fit(y, score, NULL, 40, &a, &b);
	/* smoothed targets: (10 · 11/12 + 30 · 1/32) / 40 */
	WF_CHECK_NEAR(wf_platt_apply(0.9, a, b), (10 * 11.0 / 12 + 30 / 32.0) / 40, 1e-6);

	/* scores that mean the opposite are not turned round */
	for (int i = 0; i < 40; i++)
	{
		score[i] = i < 20 ? 0.8 : 0.2;
		y[i] = i >= 20;
	}
	wf_platt_fit(y, score, NULL, 40, &a, &b);
	WF_CHECK(a == 0);
	WF_CHECK_NEAR(wf_platt_apply(0.8, a, b), 0.5, 1e-12);

	wf_platt_fit(y, score, NULL, 0, &a, &b);
	WF_CHECK(a == 1 && b == 0);
}

/* More rows than are looked at: the selection must stand for all. */
WF_TEST(platt_of_many_rows)
{
	enum
	{
		MANY = 250000
	};
	TestHost	th;
	double	   *score;
	uint8_t    *y;
	double		a;
	double		b;

	test_host_begin(&th);
	score = wf_alloc(&th.host, MANY, sizeof(double));
	y = wf_alloc(&th.host, MANY, 1);
	for (uint64_t i = 0; i < MANY; i++)
	{
		double		z = (wf_rng_unit(wf_rng(1, i)) - 0.5) * 6;

		score[i] = 1 / (1 + exp(-z));
		y[i] = wf_rng_unit(wf_rng(2, i)) < 1 / (1 + exp(-(0.5 * z - 1)));
	}
	wf_platt_fit(y, score, NULL, MANY, &a, &b);
	WF_CHECK_NEAR(a, 0.5, 0.02);
	WF_CHECK_NEAR(b, -1, 0.03);
	test_host_end(&th);
}

WF_TEST(temperature_finds_the_minimum)
{
	double		out[3];
	double		t;

	make_data();
	WF_CHECK_NEAR(wf_temperature_fit(label, p3, NULL, N, 3), 2.288759461239082, 1e-6);
	t = wf_temperature_fit(label, p3, w, N, 3);
	WF_CHECK_NEAR(t, 2.3513673173818543, 1e-6);
	wf_temperature_apply(p3, 3, t, out);
	WF_CHECK_NEAR(out[0] + out[1] + out[2], 1, 1e-15);
	WF_CHECK_NEAR(out[0] / out[1], pow(p3[0] / p3[1], 1 / t), 1e-12);
	wf_temperature_apply(p3, 3, 1, out);
	WF_CHECK_NEAR(out[2], p3[2], 1e-15);
}

WF_TEST(temperature_stays_in_bounds)
{
	double		sure[] = {0.9, 0.05, 0.05, 0.1, 0.8, 0.1};
	double		flat[] = {1.0 / 3, 1.0 / 3, 1.0 / 3};
	double		zeros[] = {0, 1, 0};
	uint16_t	right[] = {0, 1};
	uint16_t	wrong[] = {2, 0};
	double		out[3];
	double		t;

	t = wf_temperature_fit(right, sure, NULL, 2, 3);
	WF_CHECK(t >= 0.0499 && t < 0.06);	/* always right: as sharp as allowed */
	t = wf_temperature_fit(wrong, sure, NULL, 2, 3);
	WF_CHECK(t > 19 && t <= 20.01);
	WF_CHECK_NEAR(wf_temperature_fit(right, flat, NULL, 1, 3), 1, 1e-12);
	WF_CHECK_NEAR(wf_temperature_fit(right, flat, NULL, 0, 3), 1, 1e-12);
	wf_temperature_apply(zeros, 3, 2, out);
	WF_CHECK(out[0] > 0 && out[1] < 1 && out[1] > 0.99);
}

WF_TEST(conformal_interval_covers)
{
	enum
	{
		MANY = 1000
	};
	TestHost	th;
	double		y[MANY];
	double		f[MANY];
	double		lower;
	double		upper;

	test_host_begin(&th);
	/* residuals 1..19 shuffled: 5 % of 20 on each side is one, the extremes themselves */
	for (int i = 0; i < 19; i++)
	{
		f[i] = i;
		y[i] = f[i] + (i * 7 % 19) - 9;
	}
	wf_conformal_fit(&th.host, y, f, 19, &lower, &upper);
	WF_CHECK_NEAR(lower, -9, 0);
	WF_CHECK_NEAR(upper, 9, 0);
	wf_conformal_fit(&th.host, y, f, 18, &lower, &upper);
	WF_CHECK(isnan(lower) && isnan(upper));
	wf_conformal_fit(&th.host, y, f, 0, &lower, &upper);
	WF_CHECK(isnan(lower) && isnan(upper));

	/* residuals -499 … 500: the 50th from either end */
	for (int i = 0; i < MANY; i++)
	{
		f[i] = 0.5 * i;
		y[i] = f[i] + (i * 377 % MANY) - 499;
	}
	wf_conformal_fit(&th.host, y, f, MANY, &lower, &upper);
	WF_CHECK_NEAR(lower, -450, 0);
	WF_CHECK_NEAR(upper, 451, 0);
	test_host_end(&th);
}
