/*-------------------------------------------------------------------------
 * leafwise.h
 *	  Growing one regression tree leaf-wise, by all members of a team.
 *
 * Best-first (Shi 2007; Ke et al. 2017): the leaf of the highest gain is
 * split next until there are max_leaves.  A member owns a part of the
 * records and moves only those.  For a split it partitions its records and
 * fills a histogram of the child with fewer rows; after a barrier it adds up
 * all members' histograms for its share of the features, subtracts from the
 * parent's to get the other child's, and scans both; after a second barrier
 * all agree on the best splits.  Sums are integers, so the tree does not
 * depend on who did what.
 *-------------------------------------------------------------------------
 */
#ifndef WF_LEAFWISE_H
#define WF_LEAFWISE_H

#include "core/dataset.h"
#include "core/histogram.h"
#include "core/records.h"
#include "core/split.h"
#include "core/team.h"
#include "core/tree.h"

/* In units of the loss. */
typedef struct WfLeafwiseRules
{
	uint32_t	max_leaves;		/* at least 2 */
	uint32_t	max_depth;		/* 0: no limit */
	int64_t		min_rows;
	double		min_hessian;
	double		l1;
	double		l2;
	double		cat_smooth;
	double		cat_l2;
} WfLeafwiseRules;

typedef struct WfLeafwiseLeaf
{
	size_t		begin;			/* this member's records */
	size_t		n;
	WfSplitLeaf sums;			/* of all members; bounds in integer units */
	double		extra_l2;
	WfSplit		best;
	uint32_t	node;
	uint32_t	depth;
	int			slot;			/* of its histogram; -1: none */
} WfLeafwiseLeaf;

typedef struct WfLeafwise
{
	WfTeam	   *team;
	const WfDataset *data;
	WfLeafwiseRules rules;
	WfHistogramShape shape;
	const uint8_t *use;			/* by feature: take part in this tree; NULL: all */

	/* the tree, after wf_leafwise_grow() */
	uint32_t	n_leaves;
	WfLeafwiseLeaf *leaves;
	uint32_t	n_nodes;
	WfGrownNode *nodes;			/* leaves' values are left to the caller */
	uint32_t	n_bitsets;
	uint64_t	(*bitsets)[4];
	double	   *gain;			/* by feature, added to; NULL: not kept */
	double	   *splits;

	/* private */
	WfSplitRules split;			/* in integer units */
	bool		bounded;		/* some feature is monotone */
	double		g_unit;			/* what one step of g and h is worth */
	double		h_unit;
	size_t		cells;			/* numbers in a histogram */
	int			n_slots;
	int64_t    *slots;			/* shared: n_slots histograms */
	int64_t    *own;			/* shared: what each member filled; team of one: none */
	int64_t    *mine;			/* not shared: where this member fills it; team of one: none */
	struct WfLeafwiseMember *members;	/* shared */
	struct WfValueRange *ranges;	/* by node, when bounded */
	int			n_free;
	int		   *free_slots;
	int64_t    *scratch;
} WfLeafwise;

/* Collective. */
WfLeafwise *wf_leafwise_create(WfTeam *team, const WfDataset *data, const WfHistogramShape *shape,
							   const WfLeafwiseRules *rules);
void		wf_leafwise_free(WfLeafwise *grower);

/* Shared bytes that a team's grower takes. */
size_t		wf_leafwise_bytes(uint32_t d, bool unit, uint32_t max_leaves, int team_size);

/*
 * Start a tree: forget the last one.  Then every member adds the records that
 * take part, in any pieces, with wf_leafwise_add(), and calls
 * wf_leafwise_grow().
 */
void		wf_leafwise_begin(WfLeafwise *grower);
void		wf_leafwise_add(WfLeafwise *grower, const WfRecords *records, size_t begin, size_t n);

/*
 * Collective: grow from records [0, n) of every member's, whose sums are
 * "own".  g_unit and h_unit: what one step of the integer gradients and
 * hessians is worth.
 */
void		wf_leafwise_grow(WfLeafwise *grower, const WfRecords *records, size_t n, WfSums own,
							 double g_unit, double h_unit);

/* Newton step of a leaf, within its bounds, in units of the loss. */
double		wf_leafwise_output(const WfLeafwise *grower, const WfLeafwiseLeaf *leaf);
/*
 * For leaf values that are no Newton steps: once they stand in the nodes,
 * change them where they break a monotone constraint.
 */
void		wf_leafwise_keep_order(WfLeafwise *grower);

static inline WfGrownTree
wf_leafwise_tree(const WfLeafwise *grower)
{
	return (WfGrownTree)
	{
		.n_nodes = grower->n_nodes, .nodes = grower->nodes,
		.n_bitsets = grower->n_bitsets, .bitsets = (const uint64_t (*)[4]) grower->bitsets
	};
}

#endif							/* WF_LEAFWISE_H */
