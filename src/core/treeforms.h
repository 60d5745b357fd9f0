/*-------------------------------------------------------------------------
 * treeforms.h
 *	  The forms in which trees are evaluated; private to ensemble.c, trees.c,
 *	  walk.c, quick.c, hops.c, floatnodes.c and shap.c.
 *
 * walk	packed words on slots of bins, many trees (or rows) side by side, so
 *		that their cache misses overlap.  Any ensemble.
 * quick	bit vectors as in QuickScorer (Lucchese et al. 2015) on floats, 16
 *		trees or 16 rows a vector.  AVX-512, value leaves, at most 64 leaves a
 *		tree, 128 number slots and 64 categories in use.
 * hops	places of leaves as bytes, 64 trees or 64 rows a vector.  AVX-512 with
 *		VBMI, value leaves, at most 256 leaves a tree, 128 slots in use, no
 *		category splits.
 * floatnodes
 *		nodes of 8 bytes on floats, 8 trees side by side.  Small narrow
 *		ensembles with value leaves and without category splits.
 *
 * Every form adds the leaves of a row in the order of the trees, in double,
 * so that all give the same bits.
 *-------------------------------------------------------------------------
 */
#ifndef WF_TREEFORMS_H
#define WF_TREEFORMS_H

#include <math.h>

#include "core/trees.h"

/* A node's fields, in both encodings. */
typedef struct WfWord
{
	uint32_t	slot;
	bool		leaf;
	uint32_t	bin;
	uint32_t	skip;
	uint32_t	payload;		/* leaf: payload; category: bitset */
	uint32_t	words;			/* of this node alone */
} WfWord;

static inline WfWord
wf_word_read(const uint32_t *w, bool wide, const uint8_t *slot_flags)
{
	WfWord		r = {0};

	if (wide)
	{
		r.slot = w[0] & 0xffff;
		r.leaf = r.slot == WF_NO_SLOT;
		r.bin = w[0] >> 16;
		r.skip = r.payload = w[1];
		r.words = 2;
	}
	else
	{
		r.slot = w[0] & 0xff;
		r.leaf = r.slot == WF_LEAF_BYTE;
		r.bin = w[0] >> 8 & 0xff;
		r.skip = w[0] >> 16;
		r.payload = w[0] >> 8;
		r.words = 1;
		if (!r.leaf && r.skip == 0)
			r.skip = w[r.words++];
	}
	if (!r.leaf && (slot_flags[r.slot] & WF_SLOT_CATEGORY))
		r.payload = w[r.words++];
	return r;
}

/* Add a leaf of tree t into the outputs. */
static inline void
wf_leaf_add(const WfEnsemble *e, uint32_t t, uint32_t payload, double *sums)
{
	const WfEnsembleHeader *h = e->header;
	const float *floats = e->floats + e->directory[t].first_float;
	uint32_t	k = h->n_classes;

	if (h->leaf == WF_LEAF_VALUE)
		sums[h->n_outputs == 1 ? 0 : t % h->n_outputs] += floats[payload];
	else if (k == 2)
		sums[0] += payload < k ? (double) payload : (double) floats[payload - k];
	else if (payload < k)
		sums[payload] += 1.0;
	else
		for (uint32_t c = 0; c < k; c++)
			sums[c] += floats[(size_t) (payload - k) * k + c];
}

/*
 * Threshold of "bin <= b" on floats: bin counts the cuts below x, so it is
 * x <= cuts[b].  The last bin's is beyond all numbers, but not NaN.
 */
static inline float
wf_cut_of(const WfShape *shape, uint32_t feature, uint32_t bin)
{
	return bin + 1u < shape->n_bins[feature] ? shape->cuts[shape->first_cut[feature] + bin] : INFINITY;
}

/*
 * A number slot's value: where missing goes left, it is below everything;
 * where it goes right, NaN, of which no comparison "<=" is true.  Without a
 * short circuit, so without a branch on what is missing.
 */
static inline float
wf_float_value(float x, uint8_t slot_flags)
{
	return (((slot_flags & WF_SLOT_MISSING_LEFT) != 0) & (isnan(x) != 0)) ? -INFINITY : x;
}

/* ---- walk.c ---- */

/* Add the leaves of all trees for one row of slots. */
void		wf_walk_row(const WfEnsemble *e, const uint8_t *slots, double *sums);
/* The same for n rows of slots, n_slots bytes apart; sums n × n_outputs. */
void		wf_walk_rows(const WfEnsemble *e, const uint8_t *slots, size_t n, double *sums);

/* ---- quick.c ---- */

typedef struct WfQuick WfQuick;

/* The form, or NULL when it does not suit; at most "limit" bytes. */
WfQuick    *wf_quick_create(WfHost *host, const WfEnsemble *e, const WfShape *shape, size_t limit);
/* Add the leaves of all trees for one row of features. */
void		wf_quick_row(const WfQuick *quick, const float *x, double *sums);
/* The same for n rows of d features; sums n × n_outputs. */
void		wf_quick_rows(const WfQuick *quick, const float *x, size_t d, size_t n, double *sums);

/* ---- hops.c ---- */

typedef struct WfHops WfHops;

/* The form, or NULL when it does not suit; at most "limit" bytes. */
WfHops	   *wf_hops_create(WfHost *host, const WfEnsemble *e, const WfShape *shape, size_t limit);
/* Add the leaves of all trees for one row of features. */
void		wf_hops_row(const WfHops *hops, const float *x, double *sums);
/* The same for n rows of d features; sums n × n_outputs. */
void		wf_hops_rows(const WfHops *hops, const float *x, size_t d, size_t n, double *sums);

/* ---- floatnodes.c ---- */

typedef struct WfFloatNodes WfFloatNodes;

/* The form, or NULL when it does not suit; at most "limit" bytes. */
WfFloatNodes *wf_float_nodes_create(WfHost *host, const WfEnsemble *e, const WfShape *shape, size_t limit);
/* Add the leaves of all trees for one row of features. */
void		wf_float_nodes_row(const WfFloatNodes *f, const float *x, double *sums);

#endif							/* WF_TREEFORMS_H */
