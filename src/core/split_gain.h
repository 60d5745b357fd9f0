/*-------------------------------------------------------------------------
 * split_gain.h
 *	  What a side of a split scores; shared by split.c and split_category.c.
 *-------------------------------------------------------------------------
 */
#ifndef WF_SPLIT_GAIN_H
#define WF_SPLIT_GAIN_H

#include "core/split.h"

/* A gain below this share of the sides' scores is rounding. */
#define WF_GAIN_NOISE 1e-13

static inline double
wf_soft_threshold(double g, double l1)
{
	if (g > l1)
		return g - l1;
	return g < -l1 ? g + l1 : 0.0;
}

/* Output of a side before bounds. */
static inline double
wf_side_output(const WfSplitRules *rules, double g, double h, double extra_l2)
{
	double		weight = h + rules->l2 + extra_l2;

	return weight > 0 ? wf_soft_threshold(g, rules->l1) / weight : 0.0;
}

static inline double
wf_clip_output(const WfSplitLeaf *leaf, double w)
{
	w = w < leaf->lower ? leaf->lower : w;
	return w > leaf->upper ? leaf->upper : w;
}

/* Score of a side whose output is w. */
static inline double
wf_side_score(const WfSplitRules *rules, double g, double h, double extra_l2, double w)
{
	return w * (2.0 * g - (h + rules->l2 + extra_l2) * w) - 2.0 * rules->l1 * (w < 0 ? -w : w);
}

/* Score of the leaf as it is. */
static inline double
wf_leaf_score(const WfSplitRules *rules, const WfSplitLeaf *leaf)
{
	double		g = (double) leaf->total.g;
	double		h = (double) leaf->total.h;
	double		w = wf_side_output(rules, g, h, 0.0);

	if (rules->bounded)
		w = wf_clip_output(leaf, w);
	return wf_side_score(rules, g, h, 0.0, w);
}

static inline WfSums
wf_sums_minus(WfSums a, WfSums b)
{
	a.g -= b.g;
	a.h -= b.h;
	a.n -= b.n;
	return a;
}

static inline WfSums
wf_sums_plus(WfSums a, WfSums b)
{
	a.g += b.g;
	a.h += b.h;
	a.n += b.n;
	return a;
}

static inline bool
wf_side_allowed(const WfSplitRules *rules, WfSums side)
{
	return side.n >= rules->min_rows && (double) side.h >= rules->min_hessian;
}

/*
 * Sum of the scores of both sides, with everything: l1, extra l2, bounds and
 * order of the outputs.  -1 when not allowed.
 */
static inline double
wf_sides_score(const WfSplitRules *rules, const WfSplitLeaf *leaf, WfSums left, WfSums right,
			   double extra_l2, int monotone)
{
	double		wl;
	double		wr;

	if (!wf_side_allowed(rules, left) || !wf_side_allowed(rules, right))
		return -1.0;
	wl = wf_side_output(rules, (double) left.g, (double) left.h, extra_l2);
	wr = wf_side_output(rules, (double) right.g, (double) right.h, extra_l2);
	if (rules->bounded)
	{
		wl = wf_clip_output(leaf, wl);
		wr = wf_clip_output(leaf, wr);
		if ((monotone > 0 && wl > wr) || (monotone < 0 && wl < wr))
			return -1.0;
	}
	return wf_side_score(rules, (double) left.g, (double) left.h, extra_l2, wl) +
		wf_side_score(rules, (double) right.g, (double) right.h, extra_l2, wr);
}

#endif							/* WF_SPLIT_GAIN_H */
