/*-------------------------------------------------------------------------
 * category.h
 *	  The best split of a category feature of a forest's node.
 *
 * Levels are put in an order and cut like a number.  Two classes: by the
 * share of the second; regression: by mean; for both that contains the best
 * split of all (Fisher 1958; Breiman et al. 1984).  More classes: by the
 * first principal component of the levels' class shares (Coppersmith, Hong,
 * Hosking 1999), and up to four levels also each one against the rest.
 * Shares and means are smoothed towards the node's by "smooth" rows; levels
 * with fewer than min_leaf rows stay together.
 *-------------------------------------------------------------------------
 */
#ifndef WF_CATEGORY_H
#define WF_CATEGORY_H

#include "core/impurity.h"

/* Working memory for that many classes in a node; from the host. */
typedef struct WfLevels WfLevels;

WfLevels   *wf_levels_create(WfHost *host, int n_classes);

/*
 * cells: a wide histogram; bins[0 .. n-1] in use, rising; the cells
 * are the same after the call.  A level absent from the node goes with the
 * heavier side.  *best is replaced by a better split.
 */
void		wf_levels_scan(WfLevels *levels, WfImpurity impurity, uint32_t feature,
						   int64_t *cells, size_t width, const uint8_t *bins, int n,
						   const int64_t *total, uint32_t min_leaf, bool weighted,
			   double smooth, WfNodeSplit *best);

#endif							/* WF_CATEGORY_H */
