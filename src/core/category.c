/*-------------------------------------------------------------------------
 * category.c
 *	  Ordering the levels of a category within a node.
 *
 * All arithmetic on floating point runs over bins and classes in rising
 * order, on exact integer sums, so that the result depends on the rows alone.
 *-------------------------------------------------------------------------
 */
#include "core/category.h"

#include <string.h>

#define MAX_BINS 256
#define ALONE_LEVELS 4
#define PC_ITERATIONS 20

struct WfLevels
{
	double		key[MAX_BINS];	/* by bin */
	uint8_t		order[MAX_BINS];
	uint8_t		together[MAX_BINS]; /* bins that stay together */
	uint8_t		members[MAX_BINS];	/* bins too small to stand alone */
	int			n_members;
	int64_t    *scratch;		/* 2 * width */
	int64_t    *joined;			/* width: sum of the small levels */
	double	   *share;			/* MAX_BINS × classes, when there are more than two */
	double	   *mean;
	double	   *axis;
	double	   *next;
};

WfLevels *
wf_levels_create(WfHost *host, int n_classes)
{
	WfLevels   *levels = wf_alloc_zero(host, 1, sizeof(WfLevels));
	size_t		width = n_classes ? (size_t) n_classes + 1 : 3;

	levels->scratch = wf_alloc(host, 2 * width, sizeof(int64_t));
	levels->joined = wf_alloc(host, width, sizeof(int64_t));
	if (n_classes > 2)
	{
		levels->share = wf_alloc(host, wf_size_mul(host, MAX_BINS, (size_t) n_classes), sizeof(double));
		levels->mean = wf_alloc(host, (size_t) n_classes, sizeof(double));
		levels->axis = wf_alloc(host, (size_t) n_classes, sizeof(double));
		levels->next = wf_alloc(host, (size_t) n_classes, sizeof(double));
	}
	return levels;
}

/* Weight of a level: the sum over classes, or the last cell of moments. */
static double
level_weight(WfImpurity impurity, const int64_t *cell, size_t width)
{
	int64_t		w = 0;

	if (impurity == WF_IMPURITY_MOMENTS)
		return (double) cell[2];
	for (size_t c = 1; c < width; c++)
		w += cell[c];
	return (double) w;
}

/*
 * The levels' projections on the direction in which their class shares
 * differ most: power iteration on the weighted covariance, started from the
 * level that is farthest from the node's shares.
 */
static void
keys_by_component(WfLevels *levels, const int64_t *cells, size_t width, const uint8_t *bins, int n,
				  const int64_t *total, double smooth)
{
	size_t		k = width - 1;
	double		all = level_weight(WF_IMPURITY_CLASSES, total, width);
	double		farthest = -1;

	for (size_t c = 0; c < k; c++)
		levels->mean[c] = (double) total[c + 1] / all;
	for (int i = 0; i < n; i++)
	{
		const int64_t *cell = cells + (size_t) bins[i] * width;
		double	   *share = levels->share + (size_t) i * k;
		double		w = level_weight(WF_IMPURITY_CLASSES, cell, width);
		double		norm = 0;

		for (size_t c = 0; c < k; c++)
		{
			share[c] = ((double) cell[c + 1] - w * levels->mean[c]) / (w + smooth);
			norm += share[c] * share[c];
		}
		if (norm * w > farthest)
		{
			farthest = norm * w;
			memcpy(levels->axis, share, k * sizeof(double));
		}
	}
	for (int turn = 0; turn < PC_ITERATIONS; turn++)
	{
		double		largest = 0;

		memset(levels->next, 0, k * sizeof(double));
		for (int i = 0; i < n; i++)
		{
			const double *share = levels->share + (size_t) i * k;
			double		dot = 0;

			for (size_t c = 0; c < k; c++)
				dot += share[c] * levels->axis[c];
			dot *= level_weight(WF_IMPURITY_CLASSES, cells + (size_t) bins[i] * width, width);
			for (size_t c = 0; c < k; c++)
				levels->next[c] += dot * share[c];
		}
		for (size_t c = 0; c < k; c++)
		{
			double		size = levels->next[c] < 0 ? -levels->next[c] : levels->next[c];

			if (size > largest)
				largest = size;
		}
		if (largest <= 0)
			break;
		for (size_t c = 0; c < k; c++)
			levels->axis[c] = levels->next[c] / largest;
	}
	for (int i = 0; i < n; i++)
	{
		double		dot = 0;

		for (size_t c = 0; c < k; c++)
			dot += levels->share[(size_t) i * k + c] * levels->axis[c];
		levels->key[bins[i]] = dot;
	}
}

static void
find_keys(WfLevels *levels, WfImpurity impurity, const int64_t *cells, size_t width,
		  const uint8_t *bins, int n, const int64_t *total, double smooth)
{
	if (impurity == WF_IMPURITY_CLASSES && width > 3)
	{
		keys_by_component(levels, cells, width, bins, n, total, smooth);
		return;
	}
	for (int i = 0; i < n; i++)
	{
		const int64_t *cell = cells + (size_t) bins[i] * width;
		double		w = level_weight(impurity, cell, width);
		double		all = level_weight(impurity, total, width);
		size_t		at = impurity == WF_IMPURITY_MOMENTS ? 1 : width - 1;

		levels->key[bins[i]] = ((double) cell[at] + smooth * ((double) total[at] / all)) / (w + smooth);
	}
}

/* Shell sort by key, then bin: a total order, so any sort gives the same. */
static void
sort_levels(const double *key, uint8_t *order, int n)
{
	static const int gaps[] = {132, 57, 23, 10, 4, 1};

	for (size_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++)
		for (int i = gaps[g]; i < n; i++)
		{
			uint8_t		x = order[i];
			int			j = i;

			while (j >= gaps[g])
			{
				uint8_t		y = order[j - gaps[g]];

				if (key[y] < key[x] || (key[y] == key[x] && y < x))
					break;
				order[j] = y;
				j -= gaps[g];
			}
			order[j] = x;
		}
}

/*
 * Bins left of the cut, and, when the left side is the heavier one, every bin
 * absent from the node too.
 */
static void
take_split(const WfLevels *levels, uint32_t feature, const uint8_t *left, int n_left,
		   const uint8_t *bins, int n, double score, double share, WfNodeSplit *best)
{
	uint64_t	side[4] = {0, 0, 0, 0};

	if (share >= 0.5)
	{
		memset(side, 0xff, sizeof(side));
		for (int i = 0; i < n; i++)
			side[bins[i] >> 6] &= ~(UINT64_C(1) << (bins[i] & 63));
	}
	for (int i = 0; i < n_left; i++)
	{
		side[left[i] >> 6] |= UINT64_C(1) << (left[i] & 63);
		if (levels->n_members > 0 && left[i] == levels->members[0])
			for (int j = 1; j < levels->n_members; j++)
				side[levels->members[j] >> 6] |= UINT64_C(1) << (levels->members[j] & 63);
	}
	best->score = score;
	best->feature = feature;
	best->category = true;
	best->missing_left = false;
	best->has_missing = false;
	best->by_cell = false;
	best->left_share = share;
	memcpy(best->side, side, sizeof(side));
}

/*
 * Add the levels too small to stand alone into the first of them.  Returns
 * how many levels are left in order; levels->joined keeps the
 * cells of the first one, to be put back.
 */
static int
join_small(WfLevels *levels, int64_t *cells, size_t width, const uint8_t *bins, int n, uint32_t min_leaf)
{
	int			kept = 0;
	int64_t    *first;

	levels->n_members = 0;
	for (int i = 0; i < n; i++)
	{
		if (cells[(size_t) bins[i] * width] < (int64_t) min_leaf)
			levels->members[levels->n_members++] = bins[i];
		else
			levels->order[kept++] = bins[i];
	}
	if (levels->n_members == 0)
		return kept;
	first = cells + (size_t) levels->members[0] * width;
	memcpy(levels->joined, first, width * sizeof(int64_t));
	for (int j = 1; j < levels->n_members; j++)
		for (size_t c = 0; c < width; c++)
			first[c] += cells[(size_t) levels->members[j] * width + c];
	levels->order[kept++] = levels->members[0];
	/* rising again, as sums over levels run in that order */
	for (int i = kept - 1; i > 0 && levels->order[i - 1] > levels->order[i]; i--)
	{
		uint8_t		x = levels->order[i];

		levels->order[i] = levels->order[i - 1];
		levels->order[i - 1] = x;
	}
	return kept;
}

void
wf_levels_scan(WfLevels *levels, WfImpurity impurity, uint32_t feature,
			   int64_t *cells, size_t width, const uint8_t *bins, int n,
			   const int64_t *total, uint32_t min_leaf, bool weighted,
			   double smooth, WfNodeSplit *best)
{
	double		score = best->score;
	double		share = 0;
	int			kept = join_small(levels, cells, width, bins, n, min_leaf);
	int			at;

	if (kept >= 2)
	{
		memcpy(levels->together, levels->order, (size_t) kept);
		find_keys(levels, impurity, cells, width, levels->together, kept, total, smooth);
		sort_levels(levels->key, levels->order, kept);
		at = wf_scan_wide(impurity, cells, width, levels->order, kept, NULL, total,
						  min_leaf, weighted, levels->scratch, &score, &share);
		if (at >= 0)
			take_split(levels, feature, levels->order, at + 1, bins, n, score, share, best);
		if (impurity == WF_IMPURITY_CLASSES && width > 3 && kept <= ALONE_LEVELS)
			for (int i = 0; i < kept; i++)
				if (wf_scan_wide(impurity, cells, width, levels->together + i, 1, NULL, total,
								 min_leaf, weighted, levels->scratch, &score, &share) >= 0)
					take_split(levels, feature, levels->together + i, 1, bins, n, score, share, best);
	}
	if (levels->n_members > 0)
		memcpy(cells + (size_t) levels->members[0] * width, levels->joined, width * sizeof(int64_t));
}
