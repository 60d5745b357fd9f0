/*-------------------------------------------------------------------------
 * twofold.h
 *	  Sums of doubles carried in two doubles, about 32 digits.
 *
 * For sums whose order nobody controls (parallel aggregates): any order gives
 * the same double in the end, but for cases too close to call in the 30th
 * digit.  Two-sum after Knuth, two-product after Dekker (1971).
 *-------------------------------------------------------------------------
 */
#ifndef WF_TWOFOLD_H
#define WF_TWOFOLD_H

#include <math.h>

typedef struct WfTwofold
{
	double		high;
	double		low;
} WfTwofold;

static inline void
wf_twofold_add(WfTwofold *t, double x)
{
	double		s = t->high + x;
	double		part = s - t->high;
	double		error = (t->high - (s - part)) + (x - part) + t->low;

	if (!isfinite(s))
	{
		/* infinity minus infinity is no error term */
		t->high = s;
		t->low = 0;
		return;
	}
	t->high = s + error;
	t->low = error - (t->high - s);
}

static inline void
wf_twofold_merge(WfTwofold *t, const WfTwofold *other)
{
	wf_twofold_add(t, other->high);
	wf_twofold_add(t, other->low);
}

/* a * b as high + low; exact unless it is near the ends of the range. */
static inline WfTwofold
wf_twofold_product(double a, double b)
{
	const double splitter = 134217729.0;	/* 2^27 + 1 */
	WfTwofold	p = {a * b, 0};
	double		t = a * splitter;
	double		ah = t - (t - a);
	double		al = a - ah;
	double		bh;
	double		bl;

	t = b * splitter;
	bh = t - (t - b);
	bl = b - bh;
	p.low = al * bl - (((p.high - ah * bh) - al * bh) - ah * bl);
	if (!isfinite(p.low))
		p.low = 0;
	return p;
}

static inline void
wf_twofold_add_product(WfTwofold *t, double a, double b)
{
	WfTwofold	p = wf_twofold_product(a, b);

	wf_twofold_merge(t, &p);
}

static inline double
wf_twofold_value(const WfTwofold *t)
{
	return t->high + t->low;
}

#endif							/* WF_TWOFOLD_H */
