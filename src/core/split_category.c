/*-------------------------------------------------------------------------
 * split_category.c
 *	  Splitting the levels of a category into two sets.
 *
 * Ordering the levels by mean gradient makes the best split a cut of that
 * order (Fisher 1958); with smoothing, an extra l2 and small sides against
 * overfitting as in LightGBM (Ke et al. 2017).  The missing bin is a level
 * like the others.
 *-------------------------------------------------------------------------
 */
#include "core/split.h"

#include <string.h>

#include "core/dataset.h"
#include "core/split_gain.h"

typedef struct Level
{
	double		key;
	int			bin;
	WfSums		sums;
} Level;

typedef struct Found
{
	double		score;
	double		extra_l2;
	WfSums		left;
	int			first;			/* levels [first, last) go left */
	int			last;
} Found;

static inline bool
level_before(const Level *a, const Level *b)
{
	return a->key < b->key || (a->key == b->key && a->bin < b->bin);
}

/* Shell's sort: short, no recursion, quick for 256. */
static void
sort_levels(Level *levels, int n)
{
	static const int gaps[] = {132, 57, 23, 10, 4, 1};

	for (int k = 0; k < 6; k++)
		for (int i = gaps[k]; i < n; i++)
		{
			Level		x = levels[i];
			int			j = i;

			for (; j >= gaps[k] && level_before(&x, &levels[j - gaps[k]]); j -= gaps[k])
				levels[j] = levels[j - gaps[k]];
			levels[j] = x;
		}
}

/* Levels that have rows here. */
static int
collect_levels(const WfHistogramShape *shape, const int64_t *cells, int n_bins, Level *levels)
{
	int			n = 0;

	for (int i = 0; i <= n_bins; i++)
	{
		int			bin = i < n_bins ? i : WF_MISSING_BIN;
		WfSums		sums = wf_histogram_cell(shape, cells, bin);

		if (sums.n > 0)
			levels[n++] = (Level) {0, bin, sums};
	}
	return n;
}

static void
try_each(const WfSplitRules *rules, const WfSplitLeaf *leaf, const Level *levels, int n, Found *found)
{
	for (int i = 0; i < n; i++)
	{
		double		score = wf_sides_score(rules, leaf, levels[i].sums,
										   wf_sums_minus(leaf->total, levels[i].sums), 0.0, 0);

		if (score > found->score)
			*found = (Found) {score, 0.0, levels[i].sums, i, i + 1};
	}
}

/* Left sets that grow from one end of the order; from the other when backward. */
static void
try_prefixes(const WfSplitRules *rules, const WfSplitLeaf *leaf, const Level *levels, int n,
			 bool backward, Found *found)
{
	int			most = (n + 1) / 2 < WF_SPLIT_MAX_LEVELS ? (n + 1) / 2 : WF_SPLIT_MAX_LEVELS;
	int64_t		group = 0;
	WfSums		left = {0, 0, 0};

	for (int i = 0; i < most; i++)
	{
		const Level *level = &levels[backward ? n - 1 - i : i];
		double		score;

		left = wf_sums_plus(left, level->sums);
		group += level->sums.n;
		if (group < rules->cat_group_rows || left.n < rules->min_rows)
			continue;
		group = 0;
		score = wf_sides_score(rules, leaf, left, wf_sums_minus(leaf->total, left), rules->cat_l2, 0);
		if (score > found->score)
			*found = (Found) {score, rules->cat_l2, left, backward ? n - 1 - i : 0, backward ? n : i + 1};
	}
}

static inline void
set_bit(uint64_t *set, int bin)
{
	set[bin >> 6] |= UINT64_C(1) << (bin & 63);
}

/* The bins of the left side; levels without rows here go with the heavier side. */
static void
fill_set(const WfHistogramShape *shape, const WfSplitLeaf *leaf, const int64_t *cells, int n_bins,
		 const Level *levels, const Found *found, uint64_t *set)
{
	memset(set, 0, 4 * sizeof(uint64_t));
	for (int i = found->first; i < found->last; i++)
		set_bit(set, levels[i].bin);
	if (found->left.n * 2 < leaf->total.n)
		return;
	for (int i = 0; i <= n_bins; i++)
	{
		int			bin = i < n_bins ? i : WF_MISSING_BIN;

		if (wf_histogram_cell(shape, cells, bin).n == 0)
			set_bit(set, bin);
	}
}

void
wf_split_category(const WfHistogramShape *shape, const WfSplitRules *rules,
				  const WfSplitLeaf *leaf, const int64_t *cells, uint32_t feature,
				  WfSplit *best)
{
	const int	n_bins = shape->n_bins[feature];
	Level		levels[256];
	int			n = collect_levels(shape, cells, n_bins, levels);
	Found		found = {.score = -1.0};
	double		gain;

	if (n < 2)
		return;
	if (n <= WF_SPLIT_ONE_VS_REST)
		try_each(rules, leaf, levels, n, &found);
	else
	{
		int			kept = 0;

		for (int i = 0; i < n; i++)
			if (levels[i].sums.n >= rules->cat_min_rows)
			{
				levels[kept] = levels[i];
				levels[kept].key = (double) levels[i].sums.g / ((double) levels[i].sums.h + rules->cat_smooth);
				kept++;
			}
		sort_levels(levels, kept);
		try_prefixes(rules, leaf, levels, kept, false, &found);
		try_prefixes(rules, leaf, levels, kept, true, &found);
	}
	if (found.score < 0)
		return;
	gain = found.score - wf_leaf_score(rules, leaf);
	if (!(gain > found.score * WF_GAIN_NOISE) || !(gain > best->gain))
		return;
	best->gain = gain;
	best->feature = feature;
	best->category = true;
	best->bin = 0;
	best->missing_left = false;
	best->extra_l2 = found.extra_l2;
	best->left = found.left;
	fill_set(shape, leaf, cells, n_bins, levels, &found, best->set);
}
