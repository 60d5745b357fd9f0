/* exp, log and the logistic function against libm in long double. */
#include "wf_test.h"

#include "core/mathx.h"
#include "core/rng.h"

#define POINTS 400000
#define BOUND 4e-16

static double
relative_error(double got, long double truth)
{
	return (double) (fabsl((long double) got - truth) / fabsl(truth));
}

WF_TEST(exp_is_accurate_over_its_range)
{
	double		worst = 0;
	double		at = 0;

	for (uint64_t i = 0; i < POINTS; i++)
	{
		double		u = wf_rng_unit(wf_rng(1, i));
		double		x = i % 3 == 0 ? -708 + u * 1417 : i % 3 == 1 ? -40 + u * 80 : (u - 0.5) * 1.4;
		double		e = relative_error(wf_exp(x), expl((long double) x));

		if (e > worst)
		{
			worst = e;
			at = x;
		}
	}
	if (!(worst < BOUND))
		wf_test_failed(__FILE__, __LINE__, "relative error %g at %.17g", worst, at);
}

WF_TEST(exp_at_the_ends)
{
	WF_CHECK(wf_exp(0.0) == 1.0);
	WF_CHECK(wf_exp(-0.0) == 1.0);
	WF_CHECK(isinf(wf_exp(710)));
	WF_CHECK(isinf(wf_exp(INFINITY)));
	WF_CHECK(wf_exp(-746) == 0);
	WF_CHECK(wf_exp(-INFINITY) == 0);
	WF_CHECK(isnan(wf_exp(NAN)));
	WF_CHECK(isfinite(wf_exp(709.78)));
	WF_CHECK_NEAR(wf_exp(709.78) / exp(709.78), 1.0, 1e-15);
	/* subnormal results: within one unit of the last place */
	for (double x = -745.1; x < -708.3; x += 0.37)
		WF_CHECK_NEAR(wf_exp(x), exp(x), 0x1p-1074);
	/* rising across every change of exponent */
	for (int k = -1000; k <= 1000; k++)
	{
		double		x = (k + 0.5) * 0.69314718055994530942;

		WF_CHECK(wf_exp(nextafter(x, -800)) <= wf_exp(x));
		WF_CHECK(wf_exp(x) <= wf_exp(nextafter(x, 800)));
	}
}

WF_TEST(log_is_accurate_over_its_range)
{
	double		worst = 0;
	double		at = 0;

	for (uint64_t i = 0; i < POINTS; i++)
	{
		double		u = wf_rng_unit(wf_rng(2, i));
		double		x = i % 3 == 0 ? exp2(-1070 + 2090 * u) : i % 3 == 1 ? 0.5 + 1.5 * u : 1 + (u - 0.5) * exp2(-(double) (i % 50));
		double		e;

		if (x == 1)
			continue;
		e = relative_error(wf_log(x), logl((long double) x));
		if (e > worst)
		{
			worst = e;
			at = x;
		}
	}
	if (!(worst < BOUND))
		wf_test_failed(__FILE__, __LINE__, "relative error %g at %.17g", worst, at);
}

WF_TEST(log_at_the_ends)
{
	WF_CHECK(wf_log(1.0) == 0);
	WF_CHECK(isinf(wf_log(0)) && wf_log(0) < 0);
	WF_CHECK(isinf(wf_log(-0.0)) && wf_log(-0.0) < 0);
	WF_CHECK(isnan(wf_log(-1)));
	WF_CHECK(isnan(wf_log(NAN)));
	WF_CHECK(isinf(wf_log(INFINITY)) && wf_log(INFINITY) > 0);
	WF_CHECK_NEAR(wf_log(0x1p-1074), -744.44007192138126, 1e-12);
	WF_CHECK_NEAR(wf_log(1.7976931348623157e308), 709.782712893384, 1e-12);
}

WF_TEST(sigmoid_is_accurate_and_never_overflows)
{
	for (uint64_t i = 0; i < 20000; i++)
	{
		double		x = -700 + 1400 * wf_rng_unit(wf_rng(3, i));
		long double truth = 1 / (1 + expl(-(long double) x));

		WF_CHECK(relative_error(wf_sigmoid(x), truth) < 2 * BOUND);
	}
	WF_CHECK(wf_sigmoid(0) == 0.5);
	WF_CHECK(wf_sigmoid(1e300) == 1);
	WF_CHECK(wf_sigmoid(-1e300) == 0);
	WF_CHECK(isnan(wf_sigmoid(NAN)));
}
