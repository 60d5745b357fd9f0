/* Scans of histograms against plain sums in doubles; vector against scalar code. */
#include "wf_test.h"

#include "core/impurity.h"
#include "core/rng.h"
#include "core/simd.h"

/* Score of cutting after bin b, from the definition. */
static double
plain_score(WfImpurity impurity, const int64_t (*wide)[4], int b, const int64_t *start, uint32_t min_leaf)
{
	double		left[4] = {0};
	double		right[4] = {0};
	double		score = 0;

	for (int i = 0; i < 256; i++)
		for (int c = 0; c < 4; c++)
			*(i <= b || (i == 255 && start) ? &left[c] : &right[c]) += (double) wide[i][c];
	if (left[0] < min_leaf || right[0] < min_leaf)
		return -1;
	if (impurity == WF_IMPURITY_MOMENTS)
	{
		double		d = left[1] * (left[2] + right[2]) - (left[1] + right[1]) * left[2];

		return d * d / (left[2] * right[2]);
	}
	for (int c = 1; c < 4; c++)
		score += left[c] * left[c] / left[0] + right[c] * right[c] / right[0];
	return score;
}

static void
scan_once(WfImpurity impurity, uint64_t seed, int filled, bool missing, uint32_t min_leaf)
{
	uint64_t	cells[256] = {0};
	int64_t		wide[256][4] = {{0}};
	int64_t		sums[4] = {0};
	int64_t		scratch[8];
	uint64_t	total = 0;
	uint64_t	mask[4];
	uint8_t		bins[256];
	int			n = 0;
	double		best = -1;
	double		score = -1;
	double		share = 0;
	WfScan		scan = {impurity, 7, 255, missing, missing, min_leaf};
	WfNodeSplit	split[3];
	size_t		width = impurity == WF_IMPURITY_MOMENTS ? 3 : 4;
	int64_t		narrow[256 * 4];

	for (int i = 0; i < filled; i++)
	{
		uint64_t	r = wf_rng(seed, (uint64_t) i);
		int			b = missing && i % 5 == 0 ? 255 : (int) wf_rng_below(r, 255);
		int64_t		w = 1 + (int64_t) (r & 3);

		wide[b][0] += w;
		if (impurity == WF_IMPURITY_MOMENTS)
		{
			int64_t		y = (int64_t) (r >> 8 & 0xfffff) - 0x80000 + b * 1000;

			cells[b] += ((uint64_t) (y * w) << WF_CELL_BITS) + (uint64_t) w;
			wide[b][1] += y * w;
			wide[b][2] += w;
		}
		else
		{
			int			c = (int) ((r >> 8) % 3);

			cells[b] += (uint64_t) w << (WF_CELL_BITS * c);
			wide[b][1 + c] += w;
		}
	}
	for (int b = 0; b < 256; b++)
	{
		total += cells[b];
		if (cells[b] && !(missing && b == 255))
			bins[n++] = (uint8_t) b;
		for (size_t c = 0; c < width; c++)
			sums[c] += narrow[(size_t) b * width + c] = wide[b][c];
	}
	wf_cells_mask(cells, mask);
	for (int b = 0; b < 255; b++)
		for (int pass = 0; pass < (missing ? 2 : 1); pass++)
		{
			double		s = plain_score(impurity, wide, b, pass ? wide[255] : NULL, min_leaf);

			best = s > best ? s : best;
		}
	for (int i = 0; i < 3; i++)
	{
		split[i] = (WfNodeSplit) {.score = -1};
		if (i == 2)
			wf_simd_limit(WF_SIMD_SCALAR);
		wf_scan_packed(&scan, cells, i == 0 ? mask : NULL, total, &split[i]);
		wf_simd_limit(WF_SIMD_AVX512);
		WF_CHECK(split[i].score == split[0].score);		/* to the bit */
		WF_CHECK_EQ(split[i].cut, split[0].cut);
		WF_CHECK(split[i].left == split[0].left);
		WF_CHECK_EQ(split[i].missing_left, split[0].missing_left);
	}
	WF_CHECK_NEAR(split[0].score, best, 1e-9 * (1 + fabs(best)));
	wf_scan_wide(impurity, narrow, width, bins, n, NULL, sums, min_leaf, false, scratch, &score, &share);
	if (missing)
		wf_scan_wide(impurity, narrow, width, bins, n, wide[255], sums, min_leaf, true, scratch, &score, &share);
	WF_CHECK_NEAR(score, best, 1e-9 * (1 + fabs(best)));
	if (split[0].score < 0)
		return;
	/* the cut stands between bins in use, and what is left of it is what was said */
	{
		uint64_t	left = split[0].missing_left ? cells[255] : 0;

		for (int b = 0; b <= split[0].cut; b++)
			left += cells[b];
		WF_CHECK(left == split[0].left);
		WF_CHECK_NEAR(plain_score(impurity, wide, split[0].cut, split[0].missing_left ? wide[255] : NULL, min_leaf),
					  best, 1e-9 * (1 + fabs(best)));
	}
}

WF_TEST(scans_agree_with_plain_sums)
{
	for (int impurity = WF_IMPURITY_CLASSES; impurity <= WF_IMPURITY_MOMENTS; impurity++)
		for (uint64_t seed = 0; seed < 40; seed++)
			for (int missing = 0; missing < 2; missing++)
			{
				scan_once((WfImpurity) impurity, seed, 3 + (int) seed % 7, missing, 1);
				scan_once((WfImpurity) impurity, seed, 60, missing, 1 + (uint32_t) seed % 5);
				scan_once((WfImpurity) impurity, seed, 3000, missing, 200);
			}
}

/* The largest node that packed cells may hold: 2^21 - 1 draws. */
WF_TEST(full_cells_do_not_overflow)
{
	for (int impurity = WF_IMPURITY_CLASSES; impurity <= WF_IMPURITY_MOMENTS; impurity++)
	{
		uint64_t	cells[256] = {0};
		uint64_t	half = ((UINT64_C(1) << 21) - 1) / 2;
		WfScan		scan = {(WfImpurity) impurity, 0, 2, false, false, 1};
		WfNodeSplit split = {.score = -1};
		WfNodeSplit scalar = {.score = -1};
		double		expected;

		if (impurity == WF_IMPURITY_CLASSES)
		{
			cells[0] = half;
			cells[1] = (half + 1) << 42;
			expected = (double) (2 * half + 1);
		}
		else
		{
			int64_t		y = 1 << 20;

			cells[0] = ((uint64_t) (y * (int64_t) half) << 21) + half;
			cells[1] = ((uint64_t) (-y * (int64_t) (half + 1)) << 21) + half + 1;
			expected = 4.0 * (double) y * (double) y * (double) half * (double) (half + 1);
		}
		WF_CHECK(wf_scan_packed(&scan, cells, NULL, cells[0] + cells[1], &split));
		wf_simd_limit(WF_SIMD_SCALAR);
		WF_CHECK(wf_scan_packed(&scan, cells, NULL, cells[0] + cells[1], &scalar));
		wf_simd_limit(WF_SIMD_AVX512);
		WF_CHECK(split.score == scalar.score);
		WF_CHECK_NEAR(split.score, expected, 1e-9 * expected);
		WF_CHECK_EQ(split.cut, 0);
	}
}

WF_TEST(constant_features_are_told)
{
	uint64_t	cells[256] = {0};
	WfScan		scan = {WF_IMPURITY_CLASSES, 0, 10, true, true, 1};
	WfNodeSplit split = {.score = -1};

	cells[3] = 5 + (UINT64_C(6) << 21);
	WF_CHECK(!wf_scan_packed(&scan, cells, NULL, cells[3], &split));
	WF_CHECK(split.score < 0);
	/* present against missing */
	cells[255] = 4;
	WF_CHECK(wf_scan_packed(&scan, cells, NULL, cells[3] + cells[255], &split));
	WF_CHECK_EQ(split.cut, 9);
	WF_CHECK(!split.missing_left);
	/* two values, but no side of 12 */
	scan.min_leaf = 12;
	split.score = -1;
	WF_CHECK(wf_scan_packed(&scan, cells, NULL, cells[3] + cells[255], &split));
	WF_CHECK(split.score < 0);
}
