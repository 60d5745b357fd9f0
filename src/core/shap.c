/*-------------------------------------------------------------------------
 * shap.c
 *	  Exact, path-dependent TreeSHAP (Lundberg et al. 2020) in linear time.
 *
 * On the way to a leaf each feature j of the path has two numbers: one(j), 1
 * if the row itself takes all of the feature's splits towards the leaf, else
 * 0, and zero(j), the product of the shares of training weight that took
 * them.  The leaf's game is a product over these, and its Shapley values are
 * integrals of the game's multilinear extension along the diagonal (Owen
 * 1972):
 *
 *	phi(j) = value * (one(j) - zero(j)) * integral over t in (0, 1) of
 *			 product over i <> j of (t * one(i) + (1 - t) * zero(i))
 *
 * The integrand is a polynomial, so Gauss-Legendre quadrature with half as
 * many points as the path has features gives the integral exactly; and all
 * its terms are positive, so nothing cancels, however deep the tree is.
 *
 * As in Linear TreeSHAP (Yu et al. 2022) the sums over leaves are formed on
 * the way back up: per point, S is the sum of value * product below a node,
 * and each edge adds its feature's share of S once.  Where a feature was
 * split on before, the edge replaces that factor, and takes back below it
 * what the earlier edge's share counts too much.
 *
 * Points go in blocks of 8, the vector of AVX-512; the same operations in the
 * same order without it give the same bits.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "core/simd.h"
#include "core/treeforms.h"

#define LANES 8
/* 64 points are exact for 128 features on one path, and beyond double precision for thousands. */
#define MAX_BLOCKS 8
/* Smaller products of shares cannot be seen in a sum, but could not be divided by. */
#define TINY 1e-100
#define CHECK_SPLITS 8192

typedef double Lanes __attribute__((vector_size(LANES * sizeof(double)), aligned(8)));

/* A split on the current path, and the edge that leads to it. */
typedef struct Level
{
	uint32_t	right;			/* word of the right child while it is to be visited, then 0 */
	uint32_t	feature;		/* of the split */
	double		share;			/* of the right child */
	double		right_follows;	/* 1 if the row goes there */
	double		weight;			/* share of all training weight that came here */
	/* the edge */
	uint32_t	edge_feature;
	uint32_t	old;			/* level of the feature's edge before it, 0: none */
	double		one;
	double		zero;
} Level;

typedef struct Explain
{
	WfHost	   *host;
	const WfEnsemble *e;
	const WfTreeEntry *tree;
	int			output;
	const uint8_t *slots;
	uint32_t	n_blocks;
	Lanes	   *t;				/* by block: points, and 1 - points */
	Lanes	   *rest;
	uint32_t	n_levels;		/* there is room for */
	Level	   *levels;
	/* by level and block, in one piece */
	Lanes	   *product;		/* of the path's factors, times the points' weights */
	Lanes	   *inverse;		/* of the edge's factor */
	Lanes	   *sum;			/* over the leaves seen below */
	/* by feature */
	uint32_t   *current;		/* level of its last edge on the path, 0: none */
	Lanes	   *phi;			/* spread over the points */
	double		base;
} Explain;

/* ---- points ---- */

/* Gauss-Legendre on (0, 1): roots of the Legendre polynomial by Newton's method. */
static void
make_points(Explain *x, Lanes *weights)
{
	int			n = (int) x->n_blocks * LANES;

	for (int i = 0; i < n; i++)
	{
		double		z = cos(3.14159265358979323846 * (i + 0.75) / (n + 0.5));
		double		slope = 1;

		for (int turn = 0; turn < 8; turn++)
		{
			double		p = 1;
			double		before = 0;

			for (int k = 1; k <= n; k++)
			{
				double		next = ((2 * k - 1) * z * p - (k - 1) * before) / k;

				before = p;
				p = next;
			}
			slope = n * (z * p - before) / (z * z - 1);
			z -= p / slope;
		}
		x->t[i / LANES][i % LANES] = (1 + z) / 2;
		x->rest[i / LANES][i % LANES] = (1 - z) / 2;
		weights[i / LANES][i % LANES] = 1 / ((1 - z * z) * slope * slope);
	}
}

/* ---- a tree ---- */

static inline double
leaf_value(const Explain *x, const WfWord *w)
{
	const float *floats = x->e->floats + x->tree->first_float;
	uint32_t	k = x->e->header->n_classes;

	if (x->e->header->leaf == WF_LEAF_VALUE)
		return floats[w->payload];
	if (k == 2)
		return w->payload < k ? (double) w->payload : (double) floats[w->payload - k];
	if (w->payload < k)
		return (int) w->payload == x->output;
	return floats[(size_t) (w->payload - k) * k + (uint32_t) x->output];
}

static inline bool
goes_left(const Explain *x, const WfWord *w)
{
	uint32_t	bin = x->slots[w->slot];

	if (x->e->slot_flags[w->slot] & WF_SLOT_CATEGORY)
		return x->e->bitsets[x->tree->first_bitset + w->payload][bin >> 6] >> (bin & 63) & 1;
	return bin <= w->bin;
}

/* An edge from "level" to a leaf. */
__attribute__((always_inline))
static inline void
visit_leaf(Explain *x, uint32_t level, double share, double follows, double value, uint32_t n_blocks)
{
	const Level *at = &x->levels[level];
	uint32_t	old = x->current[at->feature];
	double		old_one = x->levels[old].one;
	double		old_zero = x->levels[old].zero;
	double		one = old_one * follows;
	double		zero = old_zero * share;
	double		gain = one - zero;
	double		old_gain = old_one - old_zero;

	x->base += value * at->weight * share;
	/* Most leaves of a classifying forest are pure, and of another class. */
	if (value == 0)
		return;
	for (uint32_t b = 0; b < n_blocks; b++)
	{
		Lanes		factor = x->t[b] * one + x->rest[b] * zero;
		Lanes		inverse = x->inverse[(size_t) old * n_blocks + b];
		Lanes		others = x->product[(size_t) level * n_blocks + b] * inverse * value;

		x->sum[(size_t) level * n_blocks + b] += others * factor;
		x->phi[at->feature] += others * (gain - old_gain * (factor * inverse));
	}
}

/* Room for twice as many levels; the depth that a tree states is not to be relied on. */
__attribute__((noinline))
static void
grow(Explain *x)
{
	uint32_t	n = x->n_levels ? 2 * x->n_levels : 64;	/* fewer than words: below 2^32 */
	size_t		old = (size_t) x->n_levels * x->n_blocks;
	size_t		size = (size_t) n * x->n_blocks;
	Level	   *levels = wf_alloc(x->host, n, sizeof(Level));
	Lanes	   *lanes = wf_alloc_aligned(x->host, wf_size_mul(x->host, size, 3), sizeof(Lanes));

	if (old)
	{
		memcpy(levels, x->levels, x->n_levels * sizeof(Level));
		memcpy(lanes, x->product, old * sizeof(Lanes));
		memcpy(lanes + size, x->inverse, old * sizeof(Lanes));
		memcpy(lanes + 2 * size, x->sum, old * sizeof(Lanes));
		wf_release(x->host, x->levels);
		wf_release_aligned(x->host, x->product);
	}
	x->n_levels = n;
	x->levels = levels;
	x->product = lanes;
	x->inverse = lanes + size;
	x->sum = lanes + 2 * size;
}

/* The edge from "level" to a split at level + 1. */
__attribute__((always_inline))
static inline void
enter(Explain *x, uint32_t level, double share, double follows, uint32_t n_blocks)
{
	const Level *at;
	Level	   *below;
	uint32_t	old;
	size_t		to = (size_t) (level + 1) * n_blocks;

	if (__builtin_expect(level + 1 == x->n_levels, 0))
		grow(x);
	at = &x->levels[level];
	below = &x->levels[level + 1];
	old = x->current[at->feature];
	below->edge_feature = at->feature;
	below->old = old;
	below->one = x->levels[old].one * follows;
	below->zero = x->levels[old].zero * share;
	if (below->zero < TINY)
		below->zero = TINY;
	below->weight = at->weight * share;
	for (uint32_t b = 0; b < n_blocks; b++)
	{
		Lanes		factor = x->t[b] * below->one + x->rest[b] * below->zero;

		x->inverse[to + b] = 1.0 / factor;
		x->product[to + b] = x->product[(size_t) level * n_blocks + b] * x->inverse[(size_t) old * n_blocks + b] * factor;
		x->sum[to + b] = (Lanes) {0};
	}
	x->current[at->feature] = level + 1;
}

/* Back over the edge that led to "level". */
__attribute__((always_inline))
static inline void
leave(Explain *x, uint32_t level, uint32_t n_blocks)
{
	const Level *at = &x->levels[level];
	const Level *old = &x->levels[at->old];
	double		gain = at->one - at->zero;
	double		old_gain = old->one - old->zero;

	for (uint32_t b = 0; b < n_blocks; b++)
	{
		Lanes		sum = x->sum[(size_t) level * n_blocks + b];

		x->phi[at->edge_feature] += sum * (gain * x->inverse[(size_t) level * n_blocks + b] -
										   old_gain * x->inverse[(size_t) at->old * n_blocks + b]);
		x->sum[(size_t) (level - 1) * n_blocks + b] += sum;
	}
	x->current[at->edge_feature] = at->old;
}

__attribute__((always_inline))
static inline void
explain_tree(Explain *x, uint32_t n_blocks)
{
	const WfEnsemble *e = x->e;
	const uint32_t *words = e->words + x->tree->first_word;
	const uint16_t *ratio = e->ratios + x->tree->first_split;
	bool		wide = e->header->wide;
	WfWord		w = wf_word_read(words, wide, e->slot_flags);
	uint32_t	level = 0;
	uint32_t	at = 0;
	uint32_t	n_splits = 0;

	if (w.leaf)
	{
		x->base += leaf_value(x, &w);
		return;
	}
	for (;;)
	{
		/* the split at "at", then its left child */
		bool		left = goes_left(x, &w);
		double		share = *ratio++ * (1.0 / 65536);
		double		follows = left;

		x->levels[level].right = at + w.skip;
		x->levels[level].feature = e->slot_feature[w.slot];
		x->levels[level].share = 1 - share;
		x->levels[level].right_follows = !left;
		at += w.words;
		if (++n_splits % CHECK_SPLITS == 0)
			x->host->check(x->host);
		for (;;)
		{
			w = wf_word_read(words + at, wide, e->slot_flags);
			if (!w.leaf)
			{
				enter(x, level, share, follows, n_blocks);
				level++;
				break;
			}
			visit_leaf(x, level, share, follows, leaf_value(x, &w), n_blocks);
			for (; x->levels[level].right == 0; level--)
			{
				if (level == 0)
					return;
				leave(x, level, n_blocks);
			}
			at = x->levels[level].right;
			share = x->levels[level].share;
			follows = x->levels[level].right_follows;
			x->levels[level].right = 0;
		}
	}
}

static void
explain_plain(Explain *x)
{
	explain_tree(x, x->n_blocks);
}

static void
explain_plain_1(Explain *x)
{
	explain_tree(x, 1);
}

#ifdef WF_HAVE_X86_SIMD

WF_TARGET_AVX512
static void
explain_avx512(Explain *x)
{
	explain_tree(x, x->n_blocks);
}

WF_TARGET_AVX512
static void
explain_avx512_1(Explain *x)
{
	explain_tree(x, 1);
}

#endif

typedef void (*ExplainTree) (Explain *x);

static ExplainTree
choose(uint32_t n_blocks)
{
#ifdef WF_HAVE_X86_SIMD
	if (wf_simd() >= WF_SIMD_AVX512)
		return n_blocks == 1 ? explain_avx512_1 : explain_avx512;
#endif
	return n_blocks == 1 ? explain_plain_1 : explain_plain;
}

/* ---- an ensemble ---- */

/* Points and memory; level 0 stands for no edge at all and changes nothing. */
static void
begin(Explain *x, uint32_t n_features)
{
	const WfEnsembleHeader *h = x->e->header;
	uint32_t	most = 1;

	for (uint32_t t = 0; t < h->n_trees; t++)
		if (x->e->directory[t].depth > most)
			most = x->e->directory[t].depth;
	if (most > n_features)
		most = n_features;
	x->n_blocks = (most + 2 * LANES - 1) / (2 * LANES);
	if (x->n_blocks > MAX_BLOCKS)
		x->n_blocks = MAX_BLOCKS;
	grow(x);
	x->phi = wf_alloc_aligned(x->host, (size_t) n_features + 2 * x->n_blocks, sizeof(Lanes));
	memset(x->phi, 0, n_features * sizeof(Lanes));
	x->t = x->phi + n_features;
	x->rest = x->t + x->n_blocks;
	x->current = wf_alloc_zero(x->host, n_features, sizeof(uint32_t));
	make_points(x, x->product);
	for (uint32_t b = 0; b < x->n_blocks; b++)
	{
		x->inverse[b] = (Lanes) {1, 1, 1, 1, 1, 1, 1, 1};
		x->sum[b] = (Lanes) {0};
	}
	memset(&x->levels[0], 0, sizeof(Level));
	x->levels[0].one = x->levels[0].zero = x->levels[0].weight = 1;
}

void
wf_trees_explain(WfHost *host, const void *opened, const float *row, int output, double *phi)
{
	const WfTrees *trees = opened;
	const WfEnsemble *e = wf_trees_ensemble(trees);
	const WfEnsembleHeader *h = e->header;
	Explain		x = {.host = host, .e = e, .output = output};
	uint8_t    *bins = wf_alloc(host, h->n_features, 1);
	uint8_t    *slots = wf_alloc(host, h->n_slots, 1);
	bool		sum = h->combine == WF_COMBINE_SUM;
	double		scale = sum ? 1.0 : 1.0 / h->n_trees;
	ExplainTree explain;

	wf_trees_bin_row(trees, row, bins);
	wf_slots_fill(e, bins, slots);
	x.slots = slots;
	begin(&x, h->n_features);
	explain = choose(x.n_blocks);
	for (uint32_t t = 0; t < h->n_trees; t++)
	{
		/* In a sum each tree belongs to one output. */
		if (sum && (int) (t % h->n_outputs) != output)
			continue;
		host->check(host);
		x.tree = &e->directory[t];
		explain(&x);
	}
	for (uint32_t f = 0; f < h->n_features; f++)
	{
		double		total = 0;

		for (int i = 0; i < LANES; i++)
			total += x.phi[f][i];
		phi[f] = total * scale;
	}
	phi[h->n_features] = x.base * scale + e->base[output];
	wf_release(host, x.current);
	wf_release_aligned(host, x.phi);
	wf_release_aligned(host, x.product);
	wf_release(host, x.levels);
	wf_release(host, slots);
	wf_release(host, bins);
}
