/*-------------------------------------------------------------------------
 * split.h
 *	  The best way to split a leaf, from its histogram.
 *
 * Everything is in the units of the integer sums: g in steps of the
 * gradient's scale, h in steps of the hessian's.  The caller converts its
 * penalties and bounds (WfSplitRules) and, where it needs it, the gain.
 *
 * With G, H the sums of a side and T the soft threshold of l1, a side scores
 * T(G)^2 / (H + l2), and the gain is left + right - parent (Chen and Guestrin
 * 2016).  Under monotone constraints the outputs of the sides are clipped to
 * the leaf's bounds and score 2 G w - (H + l2) w^2 - 2 l1 |w|.
 *
 * Ties go to the lower feature, then the lower bin, then missing right, so
 * that the choice depends on nothing but the sums.
 *-------------------------------------------------------------------------
 */
#ifndef WF_SPLIT_H
#define WF_SPLIT_H

#include "core/histogram.h"

typedef struct WfSplitRules
{
	double		l1;
	double		l2;
	double		min_hessian;	/* of each side */
	int64_t		min_rows;		/* of each side, at least 1 */
	double		cat_smooth;
	double		cat_l2;			/* added to l2 in splits of ordered levels */
	int64_t		cat_min_rows;	/* levels with fewer rows join the rest */
	int64_t		cat_group_rows; /* rows between two candidate cuts of the order of levels */
	bool		bounded;		/* some feature is monotone: use the bounds */
} WfSplitRules;

/* What is known of the leaf. */
typedef struct WfSplitLeaf
{
	WfSums		total;
	double		lower;			/* bounds of outputs below it; -/+ infinity */
	double		upper;
} WfSplitLeaf;

typedef struct WfSplit
{
	double		gain;			/* <= 0: no split */
	uint32_t	feature;
	uint8_t		bin;			/* numbers: bins <= this go left */
	bool		missing_left;
	bool		category;
	double		extra_l2;		/* that the sides' outputs get beyond l2 */
	WfSums		left;
	uint64_t	set[4];			/* categories: bins that go left */
} WfSplit;

/* The largest number of levels in the smaller side of a category's split. */
#define WF_SPLIT_MAX_LEVELS 32
/* Up to that many levels each is tried against the rest. */
#define WF_SPLIT_ONE_VS_REST 4

/* Best output T(G) / (H + l2) within the leaf's bounds. */
double		wf_split_output(const WfSplitRules *rules, const WfSplitLeaf *leaf,
							int64_t g, int64_t h, double extra_l2);

/*
 * Look for a better split than *best by a number feature and put it there.
 * cells: this feature's part of the leaf's histogram.  has_missing: the
 * feature is missing in some row of the data set.
 */
void		wf_split_number(const WfHistogramShape *shape, const WfSplitRules *rules,
							const WfSplitLeaf *leaf, const int64_t *cells, uint32_t feature,
							bool has_missing, int monotone, WfSplit *best);
/* The same by a category. */
void		wf_split_category(const WfHistogramShape *shape, const WfSplitRules *rules,
							  const WfSplitLeaf *leaf, const int64_t *cells, uint32_t feature,
							  WfSplit *best);

/* Is a to be preferred?  A total order over splits of different features. */
static inline bool
wf_split_better(const WfSplit *a, const WfSplit *b)
{
	return a->gain > b->gain || (a->gain == b->gain && a->gain > 0 && a->feature < b->feature);
}

#endif							/* WF_SPLIT_H */
