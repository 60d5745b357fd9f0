/*-------------------------------------------------------------------------
 * impurity.h
 *	  The best split of one feature from the histogram of a node.
 *
 * Two forms of histogram, both exact integers:
 *
 * Packed: one 64-bit cell for each of 256 bins.  Classes: three sums of
 * weights, 21 bits each, of (at most) three classes.  Moments (regression):
 * sum of the targets << 21 plus sum of the weights.  For nodes that weigh
 * less than 2^21.
 *
 * Wide: "width" int64 a bin, cell 0 the number of rows drawn; then a
 * weight for each class, or the weighted sum of the targets and the weight.
 *
 * Scores, larger is better (the node's own term is left out):
 *	classes (Gini)		sum_c L_c^2 / n_L + sum_c R_c^2 / n_R
 *	moments (variance)	(L n - S n_L)^2 / (n_L n_R), L and S sums of targets
 * Ties go to the feature seen first, then to the lowest bin.
 *-------------------------------------------------------------------------
 */
#ifndef WF_IMPURITY_H
#define WF_IMPURITY_H

#include "core/dataset.h"

#define WF_CELL_BITS 21
#define WF_CELL_MASK (((uint64_t) 1 << WF_CELL_BITS) - 1)

typedef enum WfImpurity
{
	WF_IMPURITY_CLASSES,
	WF_IMPURITY_MOMENTS
} WfImpurity;

/* The best split of a node so far. */
typedef struct WfNodeSplit
{
	double		score;			/* below 0: none yet */
	uint32_t	feature;
	bool		category;
	bool		missing_left;	/* numbers, missing in the node: where it goes */
	bool		has_missing;	/* numbers: missing was in the node */
	uint8_t		cut;			/* numbers: bin <= cut goes left */
	bool		by_cell;		/* left below is valid */
	uint64_t	left;			/* packed histograms: the left side's cell */
	double		left_share;		/* wide histograms: share of the weight that goes left */
	uint64_t	side[4];		/* categories: bit of a bin set = left */
} WfNodeSplit;

/* What a scan has to know of the node and the feature. */
typedef struct WfScan
{
	WfImpurity	impurity;
	uint32_t	feature;
	uint32_t	n_bins;
	bool		has_missing;	/* a missing value may be in the node */
	bool		missing_left;	/* and may go left */
	uint32_t	min_leaf;		/* rows drawn on either side, at least 1 */
} WfScan;

/*
 * Packed numbers.  mask: the bins in use (few), or NULL when not known.  total: sum
 * of the cells.  Returns whether the feature has more than one value; *best
 * is replaced by a better split.  The cells are left as they are.
 */
bool		wf_scan_packed(const WfScan *scan, const uint64_t *cells, const uint64_t *mask,
						   uint64_t total, WfNodeSplit *best);

/* Bins in use of a packed histogram. */
void		wf_cells_mask(const uint64_t *cells, uint64_t mask[4]);

/*
 * Wide, any order of bins: bins[0 .. n-1] are in use and in the order to cut
 * (rising for numbers); start holds what is left of all of them (NULL:
 * nothing).  Without weights sums of squares are exact (below 2^32 draws).
 * scratch: 2 * width words.  Returns the index of the last bin on
 * the left of the best cut that scores above *score (updated), -1 for none.
 */
int			wf_scan_wide(WfImpurity impurity, const int64_t *cells, size_t width,
						 const uint8_t *bins, int n, const int64_t *start, const int64_t *total,
						 uint32_t min_leaf, bool weighted, int64_t *scratch,
						 double *score, double *left_share);

#endif							/* WF_IMPURITY_H */
