/*-------------------------------------------------------------------------
 * difference.c
 *	  Is the mean of one group another than that of the other?
 *-------------------------------------------------------------------------
 */
#include "core/difference.h"

#include <math.h>

#include "core/tails.h"

/* Of the normal distribution: 97.5 % and 80 %. */
#define Z95 1.959963984540054
#define Z80 0.8416212335729143
/* Fewer standard errors than this are no difference: 785 times the rows. */
#define Z_LEAST 0.1

static const WfDifference nothing = {NAN, NAN, NAN, NAN, NAN};

static double
factor_of(double z)
{
	double		ratio = (Z95 + Z80) / fabs(z);

	return fabs(z) < Z_LEAST || isnan(z) ? (double) NAN : ratio * ratio;
}

/* A difference with its standard error and degrees of freedom. */
static WfDifference
student(double difference, double error, double df)
{
	WfDifference d = {.difference = difference};
	double		half = error > 0 ? wf_student_t95(df) * error : 0;

	d.lower = difference - half;
	d.upper = difference + half;
	d.p = error > 0 ? wf_student_p(difference / error, df) : difference == 0 ? 1 : 0;
	d.factor = error > 0 ? factor_of(difference / error) : (double) NAN;
	return d;
}

WfDifference
wf_difference_means(const WfGroup *a, const WfGroup *b)
{
	double		va = a->variance / a->n;
	double		vb = b->variance / b->n;
	double		v = va + vb;

	if (!(a->n >= 2 && b->n >= 2) || isnan(v))
		return nothing;
	return student(b->mean - a->mean, sqrt(v), v > 0 ? v * v / (va * va / (a->n - 1) + vb * vb / (b->n - 1)) : 1);
}

WfDifference
wf_difference_shares(const WfGroup *a, const WfGroup *b)
{
	WfDifference d;
	double		pooled = (a->n * a->mean + b->n * b->mean) / (a->n + b->n);
	double		error = sqrt(pooled * (1 - pooled) * (1 / a->n + 1 / b->n));
	double		pa = (a->n * a->mean + 1) / (a->n + 2);
	double		pb = (b->n * b->mean + 1) / (b->n + 2);
	double		half = Z95 * sqrt(pa * (1 - pa) / (a->n + 2) + pb * (1 - pb) / (b->n + 2));

	if (!(a->n >= 2 && b->n >= 2) || isnan(error))
		return nothing;
	d.difference = b->mean - a->mean;
	d.lower = fmax(pb - pa - half, -1);
	d.upper = fmin(pb - pa + half, 1);
	d.p = error > 0 ? wf_normal_p(d.difference / error) : 1;
	d.factor = error > 0 ? factor_of(d.difference / error) : (double) NAN;
	return d;
}

WfDifference
wf_difference_pairs(const WfGroup *d)
{
	if (!(d->n >= 2) || isnan(d->variance))
		return nothing;
	return student(d->mean, sqrt(d->variance / d->n), d->n - 1);
}

WfDifference
wf_difference_flips(const WfGroup *d)
{
	WfDifference r = wf_difference_pairs(d);
	double		net = d->n * d->mean;
	double		flips = d->variance * (d->n - 1) + d->n * d->mean * d->mean;

	if (isnan(r.p))
		return r;
	r.p = wf_sign_p(floor((flips + net) / 2 + 0.5), floor((flips - net) / 2 + 0.5));
	return r;
}
