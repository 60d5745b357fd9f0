/*-------------------------------------------------------------------------
 * grow.h
 *	  Growing one tree of a forest.
 *
 * The rows a tree draws are copied into records (bins, draws, class or
 * target) that are split physically from node to node: memory is then read in
 * order at every depth.  A bag too large for the record buffer is split as
 * row references at the top, and each subtree is copied once it fits.
 *
 * Random numbers: a node's key is made from its parent's key and its side,
 * features are drawn from the key.  Sums are integers.  So a tree depends on
 * (plan, tree number) only.
 *-------------------------------------------------------------------------
 */
#ifndef WF_GROW_H
#define WF_GROW_H

#include "core/bag.h"
#include "core/tree.h"

typedef struct WfGrower WfGrower;

/* Working memory of one member, from the host; the plan must outlive it. */
WfGrower   *wf_grower_create(WfHost *host, const WfForestPlan *plan);
void		wf_grower_free(WfGrower *g);

/* Grow a tree; what *out points to stays until the next call. */
void		wf_grower_grow(WfGrower *g, uint64_t tree, WfGrownTree *out);

/* Did the last tree take every row, because it had drawn none? */
bool		wf_grower_drew_all(const WfGrower *g);

/*
 * By feature, over all trees grown since the last reset: the share of the
 * forest's impurity that its splits took away, in 2^-40 of what one tree can
 * have at most, and the number of splits.
 */
const int64_t *wf_grower_gain(const WfGrower *g);
const int64_t *wf_grower_splits(const WfGrower *g);
void		wf_grower_reset(WfGrower *g);

/* Upper bound of the grower's memory but for nodes: for estimates. */
size_t		wf_grower_bytes(uint64_t n, uint32_t d, int n_classes, bool weighted);

#endif							/* WF_GROW_H */
