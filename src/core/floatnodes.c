/*-------------------------------------------------------------------------
 * floatnodes.c
 *	  Small ensembles as nodes of 8 bytes that compare floats, for processors
 *	  without AVX-512.
 *
 * The children of a split are neighbours, so a step is one addition:
 * next = left + !(x <= cut).  A leaf leads to itself: it compares a value
 * that is always -infinity with its own number.  So all trees of a group of
 * LANES take the same number of steps, side by side, and no branch depends on
 * the row.  Missing values are NaN in slots where missing goes right and
 * -infinity where it goes left.
 *-------------------------------------------------------------------------
 */
#include "core/treeforms.h"

#include <math.h>
#include <string.h>

#define LANES 8
/* Larger ensembles are bound by memory, and packed words are half the size. */
#define MAX_NODES 65536

typedef struct FloatNode
{
	float		cut;			/* leaf: its value */
	uint16_t	value;			/* slot; leaves: the one after the last slot */
	uint16_t	left;			/* node of the tree; leaves: itself */
} FloatNode;

struct WfFloatNodes
{
	const WfEnsemble *ensemble;
	FloatNode  *nodes;
	uint32_t   *first;			/* by tree; padded to LANES with the last tree */
	uint32_t   *steps;			/* by group */
};

/* Nodes of a tree level by level; returns its depth.  at: word of each node. */
static uint32_t
fill_tree(const WfEnsemble *e, const WfShape *shape, const WfTreeEntry *tree, FloatNode *nodes, uint32_t *at)
{
	uint32_t	n = 1;
	uint32_t	depth = 0;
	uint32_t	level_end = 1;	/* first node of the next level */

	at[0] = 0;
	for (uint32_t i = 0; i < n; i++)
	{
		WfNode		node;
		WfWord		w = wf_word_read(e->words + tree->first_word + at[i], e->header->wide, e->slot_flags);

		if (i == level_end)
		{
			level_end = n;
			depth++;
		}
		if (w.leaf)
		{
			nodes[i] = (FloatNode) {e->floats[tree->first_float + w.payload], (uint16_t) e->header->n_slots, (uint16_t) i};
			continue;
		}
		wf_node_read(e, tree, at[i], &node);
		nodes[i] = (FloatNode) {wf_cut_of(shape, node.feature, node.bin), (uint16_t) w.slot, (uint16_t) n};
		at[n++] = node.left;
		at[n++] = node.right;
	}
	return depth;
}

WfFloatNodes *
wf_float_nodes_create(WfHost *host, const WfEnsemble *e, const WfShape *shape, size_t limit)
{
	const WfEnsembleHeader *h = e->header;
	uint32_t	n_groups = (h->n_trees + LANES - 1) / LANES;
	uint64_t	n_nodes = 2 * h->n_splits + h->n_trees;
	uint32_t	most = 0;
	uint32_t	n = 0;
	WfFloatNodes *f;
	uint32_t   *at;

	if (h->leaf != WF_LEAF_VALUE || h->has_category || h->wide || h->n_trees == 0 || n_nodes > MAX_NODES ||
		n_nodes * sizeof(FloatNode) + n_groups * (LANES + 1) * sizeof(uint32_t) > limit)
		return NULL;
	for (uint32_t t = 0; t < h->n_trees; t++)
		if (e->directory[t].n_splits > most)
			most = e->directory[t].n_splits;
	f = wf_alloc(host, 1, sizeof(*f));
	f->ensemble = e;
	f->nodes = wf_alloc_aligned(host, n_nodes, sizeof(FloatNode));
	f->first = wf_alloc(host, (size_t) n_groups * LANES, sizeof(uint32_t));
	f->steps = wf_alloc_zero(host, n_groups, sizeof(uint32_t));
	at = wf_alloc(host, 2 * (size_t) most + 1, sizeof(uint32_t));
	for (uint32_t t = 0; t < n_groups * LANES; t++)
	{
		uint32_t	depth;

		if (t >= h->n_trees)
		{
			f->first[t] = f->first[h->n_trees - 1];
			continue;
		}
		f->first[t] = n;
		depth = fill_tree(e, shape, &e->directory[t], f->nodes + n, at);
		if (depth > f->steps[t / LANES])
			f->steps[t / LANES] = depth;
		n += 2 * e->directory[t].n_splits + 1;
	}
	wf_release(host, at);
	return f;
}

/* One step of one lane: all in registers but the node and the value. */
#define STEP(LANE) \
	do { \
		const FloatNode *node = tree##LANE + i##LANE; \
		i##LANE = node->left + !(values[node->value] <= node->cut); \
	} while (0)

/* The leaves of a group. */
static inline void
walk_group(const FloatNode *nodes, const uint32_t *first, uint32_t steps, const float *values, float *leaf)
{
	const FloatNode *tree0 = nodes + first[0];
	const FloatNode *tree1 = nodes + first[1];
	const FloatNode *tree2 = nodes + first[2];
	const FloatNode *tree3 = nodes + first[3];
	const FloatNode *tree4 = nodes + first[4];
	const FloatNode *tree5 = nodes + first[5];
	const FloatNode *tree6 = nodes + first[6];
	const FloatNode *tree7 = nodes + first[7];
	size_t		i0 = 0;
	size_t		i1 = 0;
	size_t		i2 = 0;
	size_t		i3 = 0;
	size_t		i4 = 0;
	size_t		i5 = 0;
	size_t		i6 = 0;
	size_t		i7 = 0;

	for (uint32_t s = 0; s < steps; s++)
	{
		STEP(0);
		STEP(1);
		STEP(2);
		STEP(3);
		STEP(4);
		STEP(5);
		STEP(6);
		STEP(7);
	}
	leaf[0] = tree0[i0].cut;
	leaf[1] = tree1[i1].cut;
	leaf[2] = tree2[i2].cut;
	leaf[3] = tree3[i3].cut;
	leaf[4] = tree4[i4].cut;
	leaf[5] = tree5[i5].cut;
	leaf[6] = tree6[i6].cut;
	leaf[7] = tree7[i7].cut;
}

void
wf_float_nodes_row(const WfFloatNodes *f, const float *x, double *sums)
{
	const WfEnsemble *e = f->ensemble;
	uint32_t	n_slots = e->header->n_slots;
	uint32_t	n_trees = e->header->n_trees;
	uint32_t	n_outputs = e->header->n_outputs;
	uint32_t	output = 0;
	float		values[WF_NARROW_SLOTS + 2];
	float		leaf[LANES];

	for (uint32_t s = 0; s < n_slots; s++)
		values[s] = wf_float_value(x[e->slot_feature[s]], e->slot_flags[s]);
	values[n_slots] = -INFINITY;
	for (uint32_t t = 0; t < n_trees; t += LANES)
	{
		uint32_t	n = n_trees - t < LANES ? n_trees - t : LANES;

		walk_group(f->nodes, f->first + t, f->steps[t / LANES], values, leaf);
		for (uint32_t i = 0; i < n; i++)
		{
			sums[output] += leaf[i];
			output = output + 1 == n_outputs ? 0 : output + 1;
		}
	}
}
