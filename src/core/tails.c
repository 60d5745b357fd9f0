/*-------------------------------------------------------------------------
 * tails.c
 *	  Tail probabilities of the distributions that tests refer to.
 *-------------------------------------------------------------------------
 */
#include "core/tails.h"

#include <math.h>

#include "core/mathx.h"

#define MAX_STEPS 100000
#define EPSILON 1e-15
#define TINY 1e-300
#define PI 3.14159265358979323846

/* ln Γ(x), x > 0: Lanczos with g = 7 and nine terms (Godfrey 2001). */
static double
log_gamma(double x)
{
	static const double c[] = {0.99999999999980993, 676.5203681218851, -1259.1392167224028,
		771.32342877765313, -176.61502916214059, 12.507343278686905, -0.13857109526572012,
	9.9843695780195716e-6, 1.5056327351493116e-7};
	double		sum = c[0];
	double		t = x + 6.5;

	for (int i = 1; i < 9; i++)
		sum += c[i] / (x - 1 + i);
	return 0.91893853320467274178 + (x - 0.5) * wf_log(t) - t + wf_log(sum);
}

/* Away from 0, for Lentz's method. */
static double
nonzero(double x)
{
	return fabs(x) < TINY ? TINY : x;
}

double
wf_normal_p(double z)
{
	return erfc(fabs(z) * 0.70710678118654752440);
}

/* The continued fraction of the incomplete beta function; converges fast for x < (a + 1) / (a + b + 2). */
static double
beta_fraction(double x, double a, double b)
{
	double		c = 1;
	double		d = 1 / nonzero(1 - (a + b) * x / (a + 1));
	double		h = d;

	for (int m = 1; m < MAX_STEPS; m++)
	{
		double		even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double		odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		double		step;

		d = 1 / nonzero(1 + even * d);
		c = nonzero(1 + even / c);
		h *= d * c;
		d = 1 / nonzero(1 + odd * d);
		c = nonzero(1 + odd / c);
		step = d * c;
		h *= step;
		if (fabs(step - 1) < EPSILON)
			break;
	}
	return h;
}

/* I_x(a, b); y is 1 - x, given apart so that it keeps its digits. */
static double
incomplete_beta(double x, double y, double a, double b)
{
	double		front;

	if (x <= 0)
		return 0;
	if (y <= 0)
		return 1;
	front = wf_exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * wf_log(x) + b * wf_log(y));
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(x, a, b) / a;
	return 1 - front * beta_fraction(y, b, a) / b;
}

double
wf_student_p(double t, double df)
{
	double		t2 = t * t;

	if (isnan(t) || !(df > 0))
		return NAN;
	if (isinf(t2))
		return 0;
	/* So many degrees are the normal distribution, and the fraction needs ever more steps. */
	if (df > 1e7)
		return wf_normal_p(t);
	return incomplete_beta(df / (df + t2), t2 / (df + t2), df / 2, 0.5);
}

double
wf_student_t95(double df)
{
	double		low = 1;
	double		high = 2;

	if (!(df > 0))
		return NAN;
	while (wf_student_p(high, df) > 0.05 && high < 1e300)
		high *= 2;
	for (int i = 0; i < 80; i++)
	{
		double		middle = (low + high) / 2;

		if (wf_student_p(middle, df) > 0.05)
			low = middle;
		else
			high = middle;
	}
	return (low + high) / 2;
}

/* The regularized lower incomplete gamma function by its series. */
static double
gamma_series(double a, double x)
{
	double		term = 1 / a;
	double		sum = term;

	for (int i = 1; i < MAX_STEPS && term > sum * EPSILON; i++)
	{
		term *= x / (a + i);
		sum += term;
	}
	return sum * wf_exp(a * wf_log(x) - x - log_gamma(a));
}

/* The upper one by its continued fraction, for x > a + 1. */
static double
gamma_fraction(double a, double x)
{
	double		b = x + 1 - a;
	double		c = 1 / TINY;
	double		d = 1 / nonzero(b);
	double		h = d;

	for (int i = 1; i < MAX_STEPS; i++)
	{
		double		an = -i * (i - a);
		double		step;

		b += 2;
		d = 1 / nonzero(an * d + b);
		c = nonzero(b + an / c);
		step = d * c;
		h *= step;
		if (fabs(step - 1) < EPSILON)
			break;
	}
	return h * wf_exp(a * wf_log(x) - x - log_gamma(a));
}

double
wf_chi2_p(double x, double df)
{
	if (isnan(x) || !(df > 0))
		return NAN;
	if (x <= 0)
		return 1;
	if (isinf(x))
		return 0;
	return x / 2 < df / 2 + 1 ? 1 - gamma_series(df / 2, x / 2) : gamma_fraction(df / 2, x / 2);
}

double
wf_kolmogorov_p(double x)
{
	double		sum = 0;

	if (isnan(x))
		return NAN;
	if (x < 0.04)
		return 1;
	if (x < 1)
	{
		/* 1 - sqrt(2 π) / x Σ exp(-(2k - 1)² π² / (8 x²)) */
		for (int k = 1; k <= 6; k++)
			sum += wf_exp(-(2 * k - 1) * (2 * k - 1) * PI * PI / (8 * x * x));
		return 1 - sqrt(2 * PI) / x * sum;
	}
	/* 2 Σ (-1)^(k - 1) exp(-2 k² x²) */
	for (int k = 1; k <= 8; k++)
		sum += (k & 1 ? 2 : -2) * wf_exp(-2.0 * k * k * x * x);
	return sum;
}

double
wf_sign_p(double a, double b)
{
	double		least = a < b ? a : b;
	double		p;

	if (!(a >= 0 && b >= 0))
		return NAN;
	/* P(X <= least), X of the binomial distribution with a + b tosses */
	p = 2 * incomplete_beta(0.5, 0.5, a + b - least, least + 1);
	return p > 1 || least == a + b - least ? 1 : p;
}
