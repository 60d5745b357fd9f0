/*-------------------------------------------------------------------------
 * forest_maker.h
 *	  Small data sets of bins for the tests of the forest, and a check of a
 *	  grown tree against the rows: at every node all cuts of the features
 *	  drawn are tried by brute force, in doubles.
 *-------------------------------------------------------------------------
 */
#ifndef FOREST_MAKER_H
#define FOREST_MAKER_H

#include "wf_test.h"

#include "core/bag.h"
#include "core/grow.h"

typedef struct Made
{
	WfDataset	data;
	WfForestPlan plan;
	WfSlots    *slots;
} Made;

static inline double
made_unit(uint64_t seed, uint64_t a, uint64_t b)
{
	return wf_rng_unit(wf_rng(wf_rng(seed, a), b));
}

/*
 * n rows, d features of at most n_bins bins; every third feature a category
 * when categories is set, every fourth with missing values when missing is.
 * The target depends on the first features, with noise.
 */
static inline void
made_create(Made *m, WfHost *host, uint64_t seed, uint32_t n, uint32_t d, int k, uint32_t n_bins,
			bool categories, bool missing, bool weighted)
{
	WfDataset  *data = &m->data;

	memset(m, 0, sizeof(*m));
	data->n = n;
	data->d = d;
	data->n_classes = k;
	data->layout = WF_LAYOUT_BINS;
	data->stride = ((size_t) d + 3) & ~(size_t) 3;
	data->payload_at = data->stride;
	data->rows = wf_alloc_zero(host, n, data->stride);
	data->n_bins = wf_alloc(host, d, sizeof(uint16_t));
	data->is_category = wf_alloc_zero(host, d, 1);
	data->has_missing = wf_alloc_zero(host, d, 1);
	for (uint32_t f = 0; f < d; f++)
	{
		data->is_category[f] = categories && f % 3 == 0;
		data->n_bins[f] = (uint16_t) (data->is_category[f] && n_bins > 5 ? 5 : n_bins);
		data->has_missing[f] = missing && f % 4 == 1;
		for (uint32_t i = 0; i < n; i++)
		{
			double		u = made_unit(seed, f, i);
			uint8_t		bin = (uint8_t) (u * data->n_bins[f]);

			if (data->has_missing[f] && made_unit(seed, f + 1000, i) < 0.2)
				bin = WF_MISSING_BIN;
			data->rows[i * data->stride + f] = bin;
		}
	}
	data->label = k ? wf_alloc(host, n, sizeof(uint16_t)) : NULL;
	data->target = k ? NULL : wf_alloc(host, n, sizeof(double));
	data->weight = weighted ? wf_alloc(host, n, sizeof(float)) : NULL;
	for (uint32_t i = 0; i < n; i++)
	{
		const uint8_t *row = data->rows + i * data->stride;
		double		y = row[0] % 7 + 0.5 * row[d > 1] + (row[d - 1] == 255 ? 3 : 0) +
			3 * made_unit(seed, 2000, i);

		if (k)
			data->label[i] = (uint16_t) ((uint64_t) (y * 1.7) % (uint64_t) k);
		else
			data->target[i] = y * 10 - 3;
		if (weighted)
			data->weight[i] = (float) (0.25 + 2 * made_unit(seed, 3000, i));
	}
	m->slots = wf_slots_create(host, d, data->is_category, data->has_missing);
	m->plan = (WfForestPlan) {
		.data = data, .slots = m->slots, .out_fold = -1, .seed = seed, .bootstrap = true,
			.max_features = d > 4 ? d / 2 : d, .max_depth = UINT32_MAX, .min_leaf = 1
	};
	wf_bag_prepare(&m->plan, host);
}

/* ---- the check ---- */

/* The rows of one node. */
typedef struct Truth
{
	const Made *made;
	const WfGrownTree *tree;
	uint32_t   *row;
	double	   *weight;			/* by row id: draws * weight */
	uint32_t   *draws;			/* by row id */
} Truth;

static inline bool
truth_left(const Truth *t, const WfGrownNode *node, uint32_t row)
{
	uint8_t		bin = t->made->data.rows[row * t->made->data.stride + node->feature];

	if (t->made->data.is_category[node->feature])
		return (t->tree->bitsets[node->bitset][bin / 64] >> (bin % 64)) & 1;
	if (bin == WF_MISSING_BIN)
		return node->missing_left;
	return bin <= node->bin;
}

/*
 * Impurity times weight of the rows where side[row] == want (Gini, or squared
 * error); draws gets their number.
 */
static inline double
truth_impurity(const Truth *t, const uint32_t *row, size_t n, const uint8_t *side, int want, double *draws)
{
	double		sum[64] = {0};
	double		w = 0;
	double		mean = 0;
	double		out = 0;
	int			k = t->made->data.n_classes;

	*draws = 0;
	for (size_t i = 0; i < n; i++)
	{
		if (side[i] != want)
			continue;
		*draws += t->draws[row[i]];
		w += t->weight[row[i]];
		if (k)
			sum[t->made->data.label[row[i]]] += t->weight[row[i]];
		else
			mean += t->weight[row[i]] * t->made->data.target[row[i]];
	}
	if (w <= 0)
		return 0;
	if (k)
	{
		for (int c = 0; c < k; c++)
			out += sum[c] * (1 - sum[c] / w);
		return out;
	}
	mean /= w;
	for (size_t i = 0; i < n; i++)
		if (side[i] == want)
		{
			double		e = t->made->data.target[row[i]] - mean;

			out += t->weight[row[i]] * e * e;
		}
	return out;
}

/* Smallest impurity of both sides over all cuts of a feature; INFINITY when none is allowed. */
static inline double
truth_best(const Truth *t, const uint32_t *row, size_t n, uint32_t f, bool *varies)
{
	const WfDataset *data = &t->made->data;
	uint8_t    *side = malloc(n + 1);
	double		best = INFINITY;
	uint8_t		levels[256];
	uint32_t	n_levels = 0;
	uint32_t	cuts;

	for (int b = 0; b < 256; b++)
		for (size_t i = 0; i < n; i++)
			if (data->rows[row[i] * data->stride + f] == b)
			{
				levels[n_levels++] = (uint8_t) b;
				break;
			}
	*varies = n_levels > 1;
	/* categories: every subset; numbers: a level and the direction of missing */
	cuts = data->is_category[f] ? 1u << n_levels : 2u * data->n_bins[f];
	for (uint32_t c = 0; c < cuts; c++)
	{
		double		draws[2];
		double		e;

		for (size_t i = 0; i < n; i++)
		{
			uint8_t		bin = data->rows[row[i] * data->stride + f];
			uint32_t	at = 0;

			while (levels[at] != bin)
				at++;
			if (data->is_category[f])
				side[i] = (c >> at) & 1;
			else if (bin == WF_MISSING_BIN)
				side[i] = (uint8_t) (c & 1);
			else
				side[i] = bin > c / 2;
		}
		e = truth_impurity(t, row, n, side, 0, &draws[0]) + truth_impurity(t, row, n, side, 1, &draws[1]);
		if (draws[0] >= t->made->plan.min_leaf && draws[1] >= t->made->plan.min_leaf && e < best)
			best = e;
	}
	free(side);
	return best;
}

/* Features in the order that a node of this key draws them. */
static inline void
truth_features(const Truth *t, uint64_t key, uint32_t *feature)
{
	uint32_t	d = t->made->data.d;

	for (uint32_t f = 0; f < d; f++)
		feature[f] = f;
	if (t->made->plan.max_features >= d)
		return;
	for (uint32_t i = 0; i < d; i++)
	{
		uint64_t	r = wf_mix(key + (i & ~1u) + 1);
		uint32_t	half = (i & 1) ? (uint32_t) (r >> 32) : (uint32_t) r;
		uint32_t	j = i + (uint32_t) (((uint64_t) half * (d - i)) >> 32);
		uint32_t	f = feature[i];

		feature[i] = feature[j];
		feature[j] = f;
	}
}

static inline void
truth_leaf(const Truth *t, const WfGrownNode *leaf, const uint32_t *row, size_t n)
{
	double		sum[64] = {0};
	double		w = 0;
	int			k = t->made->data.n_classes;

	for (size_t i = 0; i < n; i++)
	{
		w += t->weight[row[i]];
		sum[k ? t->made->data.label[row[i]] : 0] +=
			t->weight[row[i]] * (k ? 1 : t->made->data.target[row[i]]);
	}
	if (k == 0)
	{
		WF_CHECK_NEAR(leaf->value, sum[0] / w, 1e-5 * (1 + fabs(sum[0] / w)));
		return;
	}
	for (int c = 0; c < k; c++)
	{
		double		p = leaf->payload == (uint32_t) c;

		if (leaf->payload >= (uint32_t) k)
		{
			const float *all = t->tree->distributions + (leaf->payload - (uint32_t) k) * (k > 2 ? (uint32_t) k : 1);

			p = k > 2 ? all[c] : c ? all[0] : 1 - all[0];
		}
		WF_CHECK_NEAR(p, sum[c] / w, 1e-5);
	}
}

/*
 * A node against its rows.  Without max_leaves a node that may be split must
 * be, by a best cut among the features drawn (categories of up to six levels
 * with two classes, or regression).
 */
static inline void
truth_node(const Truth *t, uint32_t at, uint32_t *row, size_t n, uint32_t depth, uint64_t key)
{
	const WfGrownNode *node = &t->tree->nodes[at];
	const WfForestPlan *plan = &t->made->plan;
	const WfDataset *data = &t->made->data;
	uint32_t	feature[64];
	uint8_t    *side = malloc(n + 1);
	double		draws[2];
	double		all;
	double		best = INFINITY;
	uint32_t	tried = 0;
	bool		varied = false;
	bool		drawn = false;
	size_t		n_left = 0;

	memset(side, 0, n + 1);
	all = truth_impurity(t, row, n, side, 0, &draws[0]);
	if (depth < plan->max_depth && draws[0] >= 2.0 * plan->min_leaf && all > 1e-7 && plan->max_leaves == 0)
	{
		truth_features(t, key, feature);
		while (tried < data->d && (tried < plan->max_features || !varied))
		{
			bool		varies;
			double		e = truth_best(t, row, n, feature[tried], &varies);

			drawn |= node->left && feature[tried] == node->feature;
			varied |= varies;
			best = e < best ? e : best;
			tried++;
		}
	}
	if (node->left == 0)
	{
		if (isfinite(best))
			WF_CHECK_NEAR(best, -1, 0);		/* should have been split */
		truth_leaf(t, node, row, n);
		free(side);
		return;
	}
	for (size_t i = 0; i < n; i++)
	{
		uint32_t	r = row[i];

		side[i] = truth_left(t, node, r);
		if (side[i])
		{
			uint8_t		s = side[n_left];

			row[i] = row[n_left];
			row[n_left] = r;
			side[n_left++] = 1;
			if (n_left - 1 != i)
				side[i] = s;
		}
	}
	{
		double		e = truth_impurity(t, row, n, side, 0, &draws[0]) +
			truth_impurity(t, row, n, side, 1, &draws[1]);

		WF_CHECK(draws[0] >= plan->min_leaf && draws[1] >= plan->min_leaf);
		if (plan->max_leaves == 0)
		{
			WF_CHECK(drawn);
			WF_CHECK_NEAR(e, best, 1e-6 * (1 + all));
		}
	}
	free(side);
	truth_node(t, node->left, row, n_left, depth + 1, wf_mix(key * 2));
	truth_node(t, node->right, row + n_left, n - n_left, depth + 1, wf_mix(key * 2 + 1));
}

/* Check a whole tree (few hundred rows: brute force is slow). */
static inline void
truth_check(const Made *made, uint64_t tree, const WfGrownTree *grown, bool all_rows)
{
	const WfForestPlan *plan = &made->plan;
	uint32_t	n = made->data.n;
	Truth		t = {made, grown, malloc(n * sizeof(uint32_t)), malloc(n * sizeof(double)), malloc(n * sizeof(uint32_t))};
	uint64_t	key = wf_bag_key(plan, tree);
	size_t		n_rows = 0;
	double		weight = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		t.draws[i] = all_rows ? 1 : wf_bag_draws(plan, key, i);
		t.weight[i] = t.draws[i] * (made->data.weight ? (double) made->data.weight[i] : 1.0);
		if (t.draws[i] && wf_bag_takes_part(plan, i) && t.weight[i] > 0)
		{
			t.row[n_rows++] = i;
			weight += t.weight[i];
		}
	}
	WF_CHECK_NEAR(grown->nodes[0].weight, weight, 1e-4 * weight);
	truth_node(&t, 0, t.row, n_rows, 0, wf_mix(key));
	free(t.row);
	free(t.weight);
	free(t.draws);
}

#endif							/* FOREST_MAKER_H */
