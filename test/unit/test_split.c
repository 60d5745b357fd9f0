/* Split scans against trying everything in doubles. */
#include "wf_test.h"

#include "core/dataset.h"
#include "core/rng.h"
#include "core/simd.h"
#include "core/split.h"

typedef struct Case
{
	WfHistogramShape shape;
	uint16_t	n_bins;
	WfSums		sums[256];
	int64_t		cells[512];
	WfSplitLeaf leaf;
} Case;

/* A feature's histogram of random cells; missing: some rows in the missing bin. */
static void
fill_case(Case *c, uint64_t seed, int n_bins, bool unit, bool missing)
{
	memset(c, 0, sizeof(*c));
	c->n_bins = (uint16_t) n_bins;
	c->shape = (WfHistogramShape) {.d = 1, .unit = unit, .count_bits = 24, .n_bins = &c->n_bins};
	c->leaf.lower = -INFINITY;
	c->leaf.upper = INFINITY;
	for (int i = 0; i <= n_bins; i++)
	{
		uint64_t	r = wf_rng(seed, (uint64_t) i);
		int			b = i < n_bins ? i : WF_MISSING_BIN;
		WfSums		s = {0, 0, (int64_t) (r % 40)};

		if (r % 5 == 0 || (i == n_bins && !missing))
			continue;
		s.g = s.n * ((int64_t) ((r >> 20) % 2001) - 1000 + 3 * i);
		s.h = unit ? s.n : s.n * (1 + (int64_t) ((r >> 40) % 100));
		c->sums[b] = s;
		if (unit)
			c->cells[b] = s.g * (1 << 24) + s.n;
		else
		{
			c->cells[b] = s.g;
			c->cells[256 + b] = (s.h << 24) + s.n;
		}
		c->leaf.total.g += s.g;
		c->leaf.total.h += s.h;
		c->leaf.total.n += s.n;
	}
}

static double
soft(double g, double l1)
{
	return g > l1 ? g - l1 : g < -l1 ? g + l1 : 0;
}

/* Gain of sending that part left, by the book; -1 if not allowed. */
static double
plain_gain(const WfSplitRules *rules, const WfSplitLeaf *leaf, WfSums left, double extra, int monotone)
{
	WfSums		side[3] = {left, {leaf->total.g - left.g, leaf->total.h - left.h, leaf->total.n - left.n}, leaf->total};
	double		score[3];
	double		w[3];

	for (int i = 0; i < 3; i++)
	{
		double		l2 = rules->l2 + (i < 2 ? extra : 0);
		double		g = (double) side[i].g;
		double		h = (double) side[i].h;

		if (i < 2 && (side[i].n < rules->min_rows || h < rules->min_hessian))
			return -1;
		w[i] = soft(g, rules->l1) / (h + l2);
		if (rules->bounded)
			w[i] = fmin(fmax(w[i], leaf->lower), leaf->upper);
		score[i] = 2 * g * w[i] - (h + l2) * w[i] * w[i] - 2 * rules->l1 * fabs(w[i]);
	}
	if ((monotone > 0 && w[0] > w[1]) || (monotone < 0 && w[0] < w[1]))
		return -1;
	return score[0] + score[1] - score[2];
}

/* The best of all cuts with missing on either side. */
static double
plain_best(const Case *c, const WfSplitRules *rules, int monotone)
{
	double		best = 0;

	for (int side = 0; side < 2; side++)
	{
		WfSums		left = {0, 0, 0};

		if (side)
			left = c->sums[WF_MISSING_BIN];
		for (int b = 0; b < c->n_bins; b++)
		{
			left.g += c->sums[b].g;
			left.h += c->sums[b].h;
			left.n += c->sums[b].n;
			best = fmax(best, plain_gain(rules, &c->leaf, left, 0, monotone));
		}
	}
	return best;
}

/* Does the split send left what it says, and gain what it claims? */
static void
check_number(const Case *c, const WfSplitRules *rules, const WfSplit *split, int monotone)
{
	WfSums		left = {0, 0, 0};

	for (int b = 0; b < 256; b++)
	{
		bool		goes_left = b == WF_MISSING_BIN ? split->missing_left : b <= split->bin;

		if (goes_left)
		{
			left.g += c->sums[b].g;
			left.h += c->sums[b].h;
			left.n += c->sums[b].n;
		}
	}
	WF_CHECK(memcmp(&left, &split->left, sizeof(left)) == 0);
	WF_CHECK(split->bin < c->n_bins);
	WF_CHECK_NEAR(split->gain, plain_gain(rules, &c->leaf, left, 0, monotone), 1e-9 * split->gain);
}

WF_TEST(the_best_cut_is_found)
{
	int			found = 0;

	for (uint64_t i = 0; i < 2000; i++)
	{
		static const int bins[] = {1, 2, 3, 8, 9, 64, 200, 255};
		int			monotone = i % 7 == 5 ? 1 : i % 7 == 6 ? -1 : 0;
		WfSplitRules rules = {
			.l1 = i % 3 == 1 ? 500 : 0, .l2 = (double) (i % 4) * 10, .min_hessian = i % 5 == 0 ? 100 : 0,
			.min_rows = 1 + (int64_t) (i % 30), .bounded = monotone != 0
		};
		Case		c;
		WfSplit		split[2];

		fill_case(&c, i, bins[i % 8], i % 2, i % 11 < 4);
		if (rules.bounded && i % 2)
		{
			c.leaf.lower = -30;
			c.leaf.upper = 50;
		}
		for (int form = 0; form < 2; form++)
		{
			wf_simd_limit(form ? WF_SIMD_AVX512 : WF_SIMD_SCALAR);
			memset(&split[form], 0, sizeof(split[form]));
			wf_split_number(&c.shape, &rules, &c.leaf, c.cells, 0, true, monotone, &split[form]);
		}
		WF_CHECK(memcmp(&split[0], &split[1], sizeof(split[0])) == 0);
		if (split[0].gain > 0)
		{
			found++;
			check_number(&c, &rules, &split[0], monotone);
		}
		WF_CHECK_NEAR(split[0].gain, plain_best(&c, &rules, monotone), 1e-9 * fmax(1, split[0].gain));
	}
	WF_CHECK(found > 500);
	wf_simd_limit(WF_SIMD_AVX512);
}

WF_TEST(the_first_of_equal_cuts_in_the_middle_of_empty_bins)
{
	const WfSplitRules rules = {.min_rows = 1};
	Case		c;
	WfSplit		split = {0};

	fill_case(&c, 1, 10, true, false);
	memset(c.cells, 0, sizeof(c.cells));
	memset(c.sums, 0, sizeof(c.sums));
	c.cells[1] = 100 * (1 << 24) + 5;
	c.cells[7] = -100 * (1 << 24) + 5;
	c.leaf.total = (WfSums) {0, 10, 10};
	wf_split_number(&c.shape, &rules, &c.leaf, c.cells, 0, true, 0, &split);
	WF_CHECK_EQ(split.bin, 3);	/* bins 2..6 are empty: the cut is between 3 and 4 */
	WF_CHECK_EQ(split.left.n, 5);
	WF_CHECK(split.missing_left);	/* not lighter */
	/* No better: it stays. */
	wf_split_number(&c.shape, &rules, &c.leaf, c.cells, 0, true, 0, &split);
	WF_CHECK_EQ(split.feature, 0);
	/* A feature that never was missing keeps its only direction. */
	split.gain = 0;
	wf_split_number(&c.shape, &rules, &c.leaf, c.cells, 0, false, 0, &split);
	WF_CHECK(!split.missing_left);
}

WF_TEST(missing_alone_can_be_a_side)
{
	const WfSplitRules rules = {.min_rows = 1};
	Case		c;
	WfSplit		split = {0};

	fill_case(&c, 1, 4, true, false);
	memset(c.cells, 0, sizeof(c.cells));
	c.cells[0] = 10 * (1 << 24) + 5;
	c.cells[2] = 10 * (1 << 24) + 5;
	c.cells[WF_MISSING_BIN] = -90 * (1 << 24) + 5;
	c.leaf.total = (WfSums) {-70, 15, 15};
	wf_split_number(&c.shape, &rules, &c.leaf, c.cells, 0, true, 0, &split);
	WF_CHECK(!split.missing_left);
	WF_CHECK_EQ(split.bin, 3);
	WF_CHECK_EQ(split.left.n, 10);
}

/* ---- categories ---- */

static WfSums
sums_of_set(const Case *c, const uint64_t *set)
{
	WfSums		left = {0, 0, 0};

	for (int b = 0; b < 256; b++)
		if ((set[b >> 6] >> (b & 63)) & 1)
		{
			left.g += c->sums[b].g;
			left.h += c->sums[b].h;
			left.n += c->sums[b].n;
		}
	return left;
}

WF_TEST(sets_of_levels_are_what_they_claim)
{
	for (uint64_t i = 0; i < 500; i++)
	{
		WfSplitRules rules = {
			.l2 = 5, .min_rows = 1 + (int64_t) (i % 20), .cat_smooth = 10, .cat_l2 = 7,
			.cat_min_rows = (int64_t) (i % 10), .cat_group_rows = (int64_t) (i % 25)
		};
		Case		c;
		WfSplit		split = {0};
		WfSums		left;

		fill_case(&c, i, 1 + (int) (i % 255), i % 2, i % 3 == 0);
		wf_split_category(&c.shape, &rules, &c.leaf, c.cells, 0, &split);
		if (split.gain <= 0)
			continue;
		left = sums_of_set(&c, split.set);
		WF_CHECK(memcmp(&left, &split.left, sizeof(left)) == 0);
		WF_CHECK_NEAR(split.gain, plain_gain(&rules, &c.leaf, left, split.extra_l2, 0), 1e-9 * split.gain);
	}
}

/* With every set allowed, the cut of the ordered levels is the best of all 2^n sets (Fisher 1958). */
WF_TEST(no_set_of_few_levels_is_better)
{
	for (uint64_t i = 0; i < 200; i++)
	{
		const int	n_bins = 2 + (int) (i % 7);
		WfSplitRules rules = {.min_rows = 1, .cat_min_rows = 1, .cat_group_rows = 1};
		Case		c;
		WfSplit		split = {0};
		int			levels = 0;
		double		best = 0;

		fill_case(&c, i + 77, n_bins, i % 2, false);
		for (int b = 0; b < n_bins; b++)
			levels += c.sums[b].n > 0;
		wf_split_category(&c.shape, &rules, &c.leaf, c.cells, 0, &split);
		for (unsigned set = 1; set < 1u << n_bins; set++)
		{
			uint64_t	bits[4] = {set, 0, 0, 0};
			int			size = 0;

			for (int b = 0; b < n_bins; b++)
				size += (set >> b & 1) && c.sums[b].n > 0;
			/* few levels are tried one by one */
			if (levels <= WF_SPLIT_ONE_VS_REST && size != 1)
				continue;
			best = fmax(best, plain_gain(&rules, &c.leaf, sums_of_set(&c, bits), 0, 0));
		}
		WF_CHECK_NEAR(split.gain, best, 1e-9 * fmax(1, best));
	}
}

WF_TEST(levels_without_rows_go_with_the_heavier_side)
{
	const WfSplitRules rules = {.min_rows = 1, .cat_min_rows = 1, .cat_group_rows = 1};
	Case		c;
	WfSplit		split = {0};

	fill_case(&c, 1, 4, true, false);
	memset(c.cells, 0, sizeof(c.cells));
	c.cells[0] = 10 * (1 << 24) + 50;
	c.cells[2] = -10 * (1 << 24) + 5;
	c.leaf.total = (WfSums) {0, 55, 55};
	wf_split_category(&c.shape, &rules, &c.leaf, c.cells, 0, &split);
	WF_CHECK(split.gain > 0);
	WF_CHECK((split.set[0] & 1) != (split.set[0] >> 2 & 1));
	WF_CHECK_EQ(split.set[0] & 1, split.set[0] >> 1 & 1);
	WF_CHECK_EQ(split.set[0] & 1, split.set[0] >> 3 & 1);
	WF_CHECK_EQ(split.set[0] & 1, split.set[3] >> 63);
}
