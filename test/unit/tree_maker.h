/*-------------------------------------------------------------------------
 * tree_maker.h
 *	  Random trees for tests, and the truth about them: a walk over the nodes
 *	  as they were grown, which knows nothing of packed words.
 *-------------------------------------------------------------------------
 */
#ifndef TREE_MAKER_H
#define TREE_MAKER_H

#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "core/tree.h"

#define MAKER_MAX_FEATURES 400

typedef struct Maker
{
	uint64_t	seed;
	uint64_t	draws;
	/* what to make; set before maker_schema() */
	uint32_t	d;
	double		categories;		/* share of the features */
	double		missing;		/* share of the number features that have missing values */
	uint32_t	max_bins;
	WfLeafKind	leaf;
	WfCombine	combine;
	int			n_classes;
	uint32_t	n_trees;
	uint32_t	n_leaves;		/* per tree, at most */
	bool		full;			/* exactly n_leaves in every tree */
	bool		chain;			/* grow as deep as can be */
	double		distributions;	/* class leaves: share that is not pure */
	/* made */
	uint8_t		is_category[MAKER_MAX_FEATURES];
	uint8_t		has_missing[MAKER_MAX_FEATURES];
	uint16_t	n_bins[MAKER_MAX_FEATURES];
	uint32_t	first_cut[MAKER_MAX_FEATURES];
	float	   *cuts;
	WfSlots    *slots;
	WfGrownTree *trees;
	double	   *base;
} Maker;

static inline uint32_t
maker_below(Maker *m, uint32_t n)
{
	return wf_rng_below(wf_rng(m->seed, m->draws++), n);
}

static inline double
maker_unit(Maker *m)
{
	return wf_rng_unit(wf_rng(m->seed, m->draws++));
}

static inline int
maker_outputs(const Maker *m)
{
	return m->n_classes > 2 ? m->n_classes : 1;
}

/* Features, bins and cuts. */
static inline void
maker_schema(WfHost *host, Maker *m)
{
	uint32_t	n = 0;

	m->cuts = wf_alloc(host, (size_t) m->d * 256, sizeof(float));
	for (uint32_t f = 0; f < m->d; f++)
	{
		m->is_category[f] = maker_unit(m) < m->categories;
		m->has_missing[f] = maker_unit(m) < m->missing;
		m->n_bins[f] = (uint16_t) (2 + maker_below(m, m->max_bins - 1));
		m->first_cut[f] = n;
		if (m->is_category[f])
			continue;
		for (uint32_t b = 0; b + 1 < m->n_bins[f]; b++)
			m->cuts[n++] = (float) b * 0.5f - 10.0f + (float) f * 0.01f;
	}
	m->slots = wf_slots_create(host, m->d, m->is_category, m->has_missing);
}

static inline void
maker_split(Maker *m, WfGrownNode *node, uint64_t (*bitsets)[4], uint32_t *n_bitsets)
{
	node->feature = (uint16_t) maker_below(m, m->d);
	if (m->is_category[node->feature])
	{
		node->bitset = (*n_bitsets)++;
		for (int i = 0; i < 4; i++)
			bitsets[node->bitset][i] = wf_rng(m->seed, m->draws++);
	}
	else
	{
		bool		missing = m->has_missing[node->feature];

		/* The last bin as a cut parts present from missing. */
		node->bin = (uint8_t) maker_below(m, m->n_bins[node->feature] - (missing ? 0u : 1u));
		node->missing_left = missing && maker_below(m, 2);
	}
}

static inline void
maker_leaves(WfHost *host, Maker *m, WfGrownTree *tree, WfGrownNode *nodes)
{
	uint32_t	k = m->n_classes > 2 ? (uint32_t) m->n_classes : 1;
	float	   *p = wf_alloc(host, ((size_t) tree->n_nodes + 1) * k, sizeof(float));

	tree->distributions = p;
	for (uint32_t i = 0; i < tree->n_nodes; i++)
	{
		if (nodes[i].left)
			continue;
		nodes[i].value = (float) (maker_unit(m) - 0.5);
		if (m->leaf == WF_LEAF_VALUE)
			continue;
		nodes[i].payload = maker_below(m, (uint32_t) m->n_classes);
		if (maker_unit(m) < m->distributions)
		{
			float	   *to = p + (size_t) tree->n_distributions * k;
			double		sum = 0;

			for (uint32_t c = 0; c < k; c++)
				sum += to[c] = (float) maker_unit(m);
			for (uint32_t c = 0; k > 1 && c < k; c++)
				to[c] = (float) (to[c] / sum);
			nodes[i].payload = (uint32_t) m->n_classes + tree->n_distributions++;
		}
	}
}

static inline void
maker_tree(WfHost *host, Maker *m, WfGrownTree *tree)
{
	uint32_t	leaves = m->full ? m->n_leaves : 1 + maker_below(m, m->n_leaves);
	WfGrownNode *nodes = wf_alloc_zero(host, 2 * (size_t) leaves, sizeof(WfGrownNode));
	uint32_t   *open = wf_alloc(host, leaves + 1, sizeof(uint32_t));
	uint64_t	(*bitsets)[4] = wf_alloc(host, leaves, sizeof(*bitsets));
	uint32_t	n_open = 1;

	memset(tree, 0, sizeof(*tree));
	tree->n_nodes = 1;
	open[0] = 0;
	nodes[0].weight = 1000;
	while (n_open < leaves)
	{
		uint32_t	i = m->chain ? n_open - 1 : maker_below(m, n_open);
		WfGrownNode *node = &nodes[open[i]];
		double		share = 0.05 + 0.9 * maker_unit(m);
		uint32_t	first = tree->n_nodes;
		bool		swap = maker_below(m, 2);

		maker_split(m, node, bitsets, &tree->n_bitsets);
		node->left = first + swap;
		node->right = first + !swap;
		nodes[node->left].weight = (float) (node->weight * share);
		nodes[node->right].weight = (float) (node->weight * (1 - share));
		tree->n_nodes += 2;
		open[i] = first;
		open[n_open++] = first + 1;
	}
	tree->nodes = nodes;
	tree->bitsets = (const uint64_t (*)[4]) bitsets;
	maker_leaves(host, m, tree, nodes);
}

/* All trees, packed into one section. */
static inline WfBytes
maker_section(WfHost *host, Maker *m)
{
	WfBytes		packed;
	WfBytes		out;
	size_t	   *at = wf_alloc(host, m->n_trees + 1, sizeof(size_t));
	const uint8_t **blocks = wf_alloc(host, m->n_trees + 1, sizeof(uint8_t *));

	wf_bytes_init(&packed, host);
	wf_bytes_init(&out, host);
	m->trees = wf_alloc(host, m->n_trees + 1, sizeof(WfGrownTree));
	m->base = wf_alloc(host, (size_t) maker_outputs(m), sizeof(double));
	for (int o = 0; o < maker_outputs(m); o++)
		m->base[o] = m->leaf == WF_LEAF_CLASS ? 0 : maker_unit(m);
	for (uint32_t t = 0; t < m->n_trees; t++)
	{
		maker_tree(host, m, &m->trees[t]);
		at[t] = packed.length;
		wf_tree_pack(&packed, m->slots, m->leaf, m->n_classes, &m->trees[t]);
	}
	for (uint32_t t = 0; t < m->n_trees; t++)
		blocks[t] = packed.data + at[t];
	wf_ensemble_write(&out, m->slots, m->leaf, m->combine, m->n_classes, maker_outputs(m),
					  m->base, m->n_trees, blocks);
	return out;
}

static inline void
maker_bins(Maker *m, uint8_t *bins)
{
	for (uint32_t f = 0; f < m->d; f++)
		bins[f] = maker_unit(m) < 0.2 ? WF_MISSING_BIN : (uint8_t) maker_below(m, m->n_bins[f]);
}

/* A row of features with its bins: NaN, both infinities, cut points themselves. */
static inline void
maker_row(Maker *m, float *x, uint8_t *bins)
{
	for (uint32_t f = 0; f < m->d; f++)
	{
		const float *cuts = m->cuts + m->first_cut[f];
		double		u = maker_unit(m);
		uint32_t	b;

		if (m->is_category[f])
			x[f] = (float) (b = maker_below(m, m->n_bins[f]));
		else
		{
			uint32_t	n = m->n_bins[f] - 1u;

			if (u > 0.9)
				x[f] = u > 0.95 ? INFINITY : -INFINITY;
			else
				x[f] = cuts[maker_below(m, n)] + (float) maker_below(m, 3) * 0.25f - 0.25f;
			for (b = 0; b < n && cuts[b] < x[f]; b++)
				;
		}
		if (u < 0.15)
		{
			x[f] = NAN;
			b = WF_MISSING_BIN;
		}
		bins[f] = (uint8_t) b;
	}
}

/* The leaf of a row of bins, by the grower's nodes. */
static inline uint32_t
maker_walk(const Maker *m, const WfGrownTree *tree, const uint8_t *bins)
{
	uint32_t	at = 0;

	while (tree->nodes[at].left)
	{
		const WfGrownNode *node = &tree->nodes[at];
		uint8_t		bin = bins[node->feature];
		bool		left;

		if (m->is_category[node->feature])
			left = tree->bitsets[node->bitset][bin / 64] >> (bin % 64) & 1;
		else if (bin == WF_MISSING_BIN)
			left = node->missing_left;
		else
			left = bin <= node->bin;
		at = left ? node->left : node->right;
	}
	return at;
}

static inline void
maker_leaf(const Maker *m, const WfGrownTree *tree, uint32_t leaf, double *out)
{
	const WfGrownNode *node = &tree->nodes[leaf];
	uint32_t	k = (uint32_t) m->n_classes;

	if (m->leaf == WF_LEAF_VALUE)
		out[0] = node->value;
	else if (k == 2)
		out[0] = node->payload < 2 ? node->payload : tree->distributions[node->payload - 2];
	else
		for (uint32_t c = 0; c < k; c++)
			out[c] = node->payload < k ? node->payload == c : tree->distributions[(node->payload - k) * k + c];
}

static inline void
maker_score(const Maker *m, const uint8_t *bins, double *out)
{
	double		leaf[1000];
	int			n = maker_outputs(m);

	for (int o = 0; o < n; o++)
		out[o] = m->combine == WF_COMBINE_SUM ? m->base[o] : 0;
	for (uint32_t t = 0; t < m->n_trees; t++)
	{
		maker_leaf(m, &m->trees[t], maker_walk(m, &m->trees[t], bins), leaf);
		if (m->combine == WF_COMBINE_SUM)
			out[t % (uint32_t) n] += leaf[0];
		else
			for (int o = 0; o < n; o++)
				out[o] += leaf[o];
	}
	for (int o = 0; m->combine == WF_COMBINE_MEAN && o < n; o++)
		out[o] = out[o] / m->n_trees + m->base[o];
}

#endif							/* TREE_MAKER_H */
