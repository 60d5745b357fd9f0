/*-------------------------------------------------------------------------
 * impurity.c
 *	  Scans over histograms: scalar, and AVX-512 for dense packed ones.
 *
 * Packed classes are computed in integers up to the one division: with
 * n = n_L + n_R < 2^21, S_L n_R + S_R n_L <= n_L n_R n < 2^62.  So scalar and
 * vector code cannot differ.
 *-------------------------------------------------------------------------
 */
#include "core/impurity.h"
#include "core/simd.h"

#include <string.h>

#ifdef WF_HAVE_X86_SIMD
#include <immintrin.h>
#endif

#if defined(__GNUC__) || defined(__clang__)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE static inline
#endif

ALWAYS_INLINE int64_t
cell_sum(uint64_t cell)
{
	return (int64_t) cell >> WF_CELL_BITS;
}

ALWAYS_INLINE uint32_t
cell_weight(WfImpurity impurity, uint64_t cell)
{
	if (impurity == WF_IMPURITY_MOMENTS)
		return (uint32_t) (cell & WF_CELL_MASK);
	return (uint32_t) ((cell & WF_CELL_MASK) + ((cell >> 21) & WF_CELL_MASK) + (cell >> 42));
}

ALWAYS_INLINE uint64_t
cell_squares(uint64_t cell)
{
	uint64_t	a = cell & WF_CELL_MASK;
	uint64_t	b = (cell >> 21) & WF_CELL_MASK;
	uint64_t	c = cell >> 42;

	return a * a + b * b + c * c;
}

/* Score of a cut, or -1 when a side is too small. */
ALWAYS_INLINE double
packed_score(WfImpurity impurity, uint64_t left, uint64_t total, uint32_t min_leaf)
{
	uint64_t	right = total - left;
	uint64_t	n_left = cell_weight(impurity, left);
	uint64_t	n_right = cell_weight(impurity, right);

	if (n_left < min_leaf || n_right < min_leaf)
		return -1;
	if (impurity == WF_IMPURITY_CLASSES)
		/* signed: converts in one instruction */
		return (double) (int64_t) (cell_squares(left) * n_right + cell_squares(right) * n_left) /
			(double) (int64_t) (n_left * n_right);
	else
	{
		double		d = (double) cell_sum(left) * (double) (int64_t) (n_left + n_right) -
			(double) cell_sum(total) * (double) (int64_t) n_left;

		return d * d / (double) (int64_t) (n_left * n_right);
	}
}

void
wf_cells_mask(const uint64_t *cells, uint64_t mask[4])
{
	for (int w = 0; w < 4; w++)
	{
		uint64_t	m = 0;

		for (int b = 0; b < 64; b++)
			m |= (uint64_t) (cells[w * 64 + b] != 0) << b;
		mask[w] = m;
	}
}

/* The next bin in use after "bin", or -1. */
static int
next_bin(const uint64_t mask[4], int bin)
{
	for (int w = ++bin >> 6; w < 4; w++, bin = w << 6)
	{
		uint64_t	m = mask[w] & (~UINT64_C(0) << (bin & 63));

		if (m)
			return (w << 6) + __builtin_ctzll(m);
	}
	return -1;
}

/*
 * Cut between the bin and the next one in use, in the middle of the empty
 * bins.  After the last one the cut is "missing or not".
 */
static uint8_t
middle_cut(const WfScan *scan, const uint64_t mask[4], int bin)
{
	int			next = next_bin(mask, bin);

	if (next < 0)
		return (uint8_t) (scan->n_bins - 1);
	return (uint8_t) ((bin + next) / 2);
}

static void
take_split(const WfScan *scan, const uint64_t mask[4], double score, int bin,
		   uint64_t left, uint64_t missing, bool missing_left, WfNodeSplit *best)
{
	best->score = score;
	best->feature = scan->feature;
	best->category = false;
	best->missing_left = missing_left;
	best->has_missing = missing != 0;
	best->cut = middle_cut(scan, mask, bin);
	best->by_cell = true;
	best->left = left;
}

/* All cuts between bins of the mask; missing: that cell, on the side that left says. */
ALWAYS_INLINE void
walk_packed(const WfScan *scan, WfImpurity impurity, const uint64_t *cells, const uint64_t mask[4],
			uint64_t missing, bool missing_left, uint64_t total, WfNodeSplit *best)
{
	uint64_t	left = missing_left ? missing : 0;
	double		score = best->score;
	uint64_t	best_left = 0;
	int			best_bin = -1;
	uint32_t	min_leaf = scan->min_leaf;

	for (int w = 0; w < 4; w++)
		for (uint64_t m = mask[w]; m; m &= m - 1)
		{
			int			bin = (w << 6) + __builtin_ctzll(m);
			double		s;

			left += cells[bin];
			s = packed_score(impurity, left, total, min_leaf);
			if (s > score)
			{
				score = s;
				best_bin = bin;
				best_left = left;
			}
		}
	if (best_bin >= 0)
		take_split(scan, mask, score, best_bin, best_left, missing, missing_left, best);
}

#ifdef WF_HAVE_X86_SIMD

/* Inclusive running sum of eight cells. */
WF_TARGET_AVX512 static inline __m512i
running_sum(__m512i x)
{
	__m512i		zero = _mm512_setzero_si512();

	x = _mm512_add_epi64(x, _mm512_alignr_epi64(x, zero, 7));
	x = _mm512_add_epi64(x, _mm512_alignr_epi64(x, zero, 6));
	return _mm512_add_epi64(x, _mm512_alignr_epi64(x, zero, 4));
}

WF_TARGET_AVX512 static inline __m512i
cells_weight(WfImpurity impurity, __m512i x, __m512i low)
{
	if (impurity == WF_IMPURITY_MOMENTS)
		return _mm512_and_si512(x, low);
	return _mm512_add_epi64(_mm512_add_epi64(_mm512_and_si512(x, low), _mm512_srli_epi64(x, 42)),
							_mm512_and_si512(_mm512_srli_epi64(x, 21), low));
}

WF_TARGET_AVX512 static inline __m512i
cells_squares(__m512i x, __m512i low)
{
	__m512i		a = _mm512_and_si512(x, low);
	__m512i		b = _mm512_and_si512(_mm512_srli_epi64(x, 21), low);
	__m512i		c = _mm512_srli_epi64(x, 42);

	return _mm512_add_epi64(_mm512_add_epi64(_mm512_mul_epu32(a, a), _mm512_mul_epu32(b, b)),
							_mm512_mul_epu32(c, c));
}

/*
 * The same cuts as walk_packed() over all bins, eight at a time.  An empty
 * bin repeats the score of the bin before it, so "greater" and the lowest
 * index among equals never choose it; only full bins are looked at.
 */
WF_TARGET_AVX512 static inline __attribute__((always_inline)) void
dense_packed(const WfScan *scan, WfImpurity impurity, const uint64_t *cells, const uint64_t mask[4],
			 uint64_t missing, bool missing_left, uint64_t total, WfNodeSplit *best)
{
	__m512i		low = _mm512_set1_epi64((long long) WF_CELL_MASK);
	__m512i		all = _mm512_set1_epi64((long long) total);
	__m512i		least = _mm512_set1_epi64(scan->min_leaf);
	__m512i		carry = _mm512_set1_epi64(missing_left ? (long long) missing : 0);
	__m512i		at = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
	__m512i		best_at = _mm512_set1_epi64(-1);
	__m512i		best_left = _mm512_setzero_si512();
	__m512d		best_score = _mm512_set1_pd(best->score);
	__m512d		n_all = _mm512_set1_pd((double) cell_weight(impurity, total));
	__m512d		sum_all = _mm512_set1_pd((double) cell_sum(total));
	double		scores[8];
	int64_t		bins[8];
	uint64_t	lefts[8];
	int			winner = -1;

	for (uint32_t b = 0; b < scan->n_bins; b += 8, at = _mm512_add_epi64(at, _mm512_set1_epi64(8)))
	{
		unsigned	used = (unsigned) (mask[b >> 6] >> (b & 63)) & 0xff;
		__m512i		left;
		__m512i		right;
		__m512i		n_left;
		__m512i		n_right;
		__m512d		s;
		__mmask8	ok;

		if (used == 0)
			continue;
		left = _mm512_add_epi64(carry, running_sum(_mm512_maskz_loadu_epi64((__mmask8) used, cells + b)));
		carry = _mm512_permutexvar_epi64(_mm512_set1_epi64(7), left);
		right = _mm512_sub_epi64(all, left);
		n_left = cells_weight(impurity, left, low);
		n_right = cells_weight(impurity, right, low);
		ok = _mm512_mask_cmpge_epu64_mask((__mmask8) used, n_left, least);
		ok = _mm512_mask_cmpge_epu64_mask(ok, n_right, least);
		if (impurity == WF_IMPURITY_CLASSES)
			s = _mm512_div_pd(
				_mm512_cvtepu64_pd(_mm512_add_epi64(_mm512_mullo_epi64(cells_squares(left, low), n_right),
													_mm512_mullo_epi64(cells_squares(right, low), n_left))),
				_mm512_cvtepu64_pd(_mm512_mul_epu32(n_left, n_right)));
		else
		{
			s = _mm512_sub_pd(_mm512_mul_pd(_mm512_cvtepi64_pd(_mm512_srai_epi64(left, WF_CELL_BITS)), n_all),
							  _mm512_mul_pd(sum_all, _mm512_cvtepu64_pd(n_left)));
			s = _mm512_div_pd(_mm512_mul_pd(s, s), _mm512_cvtepu64_pd(_mm512_mul_epu32(n_left, n_right)));
		}
		ok = _mm512_mask_cmp_pd_mask(ok, s, best_score, _CMP_GT_OQ);
		best_score = _mm512_mask_mov_pd(best_score, ok, s);
		best_at = _mm512_mask_mov_epi64(best_at, ok, at);
		best_left = _mm512_mask_mov_epi64(best_left, ok, left);
	}
	_mm512_storeu_pd(scores, best_score);
	_mm512_storeu_si512(bins, best_at);
	_mm512_storeu_si512(lefts, best_left);
	for (int i = 0; i < 8; i++)
		if (bins[i] >= 0 && (winner < 0 || scores[i] > scores[winner] ||
							 (scores[i] == scores[winner] && bins[i] < bins[winner])))
			winner = i;
	if (winner >= 0)
		take_split(scan, mask, scores[winner], (int) bins[winner], lefts[winner], missing,
				   missing_left, best);
}

WF_TARGET_AVX512 static void
dense_classes_avx512(const WfScan *scan, const uint64_t *cells, const uint64_t mask[4],
					 uint64_t missing, bool missing_left, uint64_t total, WfNodeSplit *best)
{
	dense_packed(scan, WF_IMPURITY_CLASSES, cells, mask, missing, missing_left, total, best);
}

WF_TARGET_AVX512 static void
dense_moments_avx512(const WfScan *scan, const uint64_t *cells, const uint64_t mask[4],
					 uint64_t missing, bool missing_left, uint64_t total, WfNodeSplit *best)
{
	dense_packed(scan, WF_IMPURITY_MOMENTS, cells, mask, missing, missing_left, total, best);
}

WF_TARGET_AVX512 static void
cells_mask_avx512(const uint64_t *cells, uint64_t mask[4])
{
	for (int w = 0; w < 4; w++)
	{
		uint64_t	m = 0;

		for (int b = 0; b < 64; b += 8)
		{
			__m512i		x = _mm512_loadu_si512(cells + w * 64 + b);

			m |= (uint64_t) _mm512_test_epi64_mask(x, x) << b;
		}
		mask[w] = m;
	}
}

#endif							/* WF_HAVE_X86_SIMD */

static bool
has_one_bit(const uint64_t mask[4])
{
	uint64_t	any = mask[0] | mask[1] | mask[2] | mask[3];
	int			words = (mask[0] != 0) + (mask[1] != 0) + (mask[2] != 0) + (mask[3] != 0);

	return words <= 1 && (any & (any - 1)) == 0;
}

bool
wf_scan_packed(const WfScan *scan, const uint64_t *cells, const uint64_t *mask,
			   uint64_t total, WfNodeSplit *best)
{
	uint64_t	used[4];
	uint64_t	missing = 0;

	if (mask)
		memcpy(used, mask, sizeof(used));
	else
	{
#ifdef WF_HAVE_X86_SIMD
		if (wf_simd() >= WF_SIMD_AVX512)
			cells_mask_avx512(cells, used);
		else
#endif
			wf_cells_mask(cells, used);
	}
	if (has_one_bit(used))
		return false;
	if (scan->has_missing && (used[3] >> 63))
	{
		missing = cells[WF_MISSING_BIN];
		used[3] &= ~(UINT64_C(1) << 63);
	}
	for (int pass = 0; pass < (missing && scan->missing_left ? 2 : 1); pass++)
	{
#ifdef WF_HAVE_X86_SIMD
		if (mask == NULL && wf_simd() >= WF_SIMD_AVX512)
		{
			if (scan->impurity == WF_IMPURITY_CLASSES)
				dense_classes_avx512(scan, cells, used, missing, pass, total, best);
			else
				dense_moments_avx512(scan, cells, used, missing, pass, total, best);
			continue;
		}
#endif
		if (scan->impurity == WF_IMPURITY_CLASSES)
			walk_packed(scan, WF_IMPURITY_CLASSES, cells, used, missing, pass, total, best);
		else
			walk_packed(scan, WF_IMPURITY_MOMENTS, cells, used, missing, pass, total, best);
	}
	return true;
}

/* ---- wide histograms ---- */

/*
 * Without weights squares are kept in unsigned 64-bit arithmetic and updated,
 * exact as long as the node's draws are below 2^32.  With weights they would
 * overflow, so they are summed anew, in double, at each cut.
 */
static double
squares_of(const uint64_t *sums, size_t width)
{
	double		s = 0;

	for (size_t c = 1; c < width; c++)
		s += (double) sums[c] * (double) sums[c];
	return s;
}

static int
wide_classes(const int64_t *cells, size_t width, const uint8_t *bins, int n, const int64_t *start,
			 const int64_t *total, uint32_t min_leaf, bool weighted, int64_t *scratch,
			 double *score, double *left_share)
{
	uint64_t   *left = (uint64_t *) scratch;
	uint64_t   *right = left + width;
	uint64_t	s_left = 0;
	uint64_t	s_right = 0;
	uint64_t	n_left = 0;
	uint64_t	n_right = 0;
	int			best = -1;

	for (size_t c = 0; c < width; c++)
	{
		left[c] = start ? (uint64_t) start[c] : 0;
		right[c] = (uint64_t) total[c] - left[c];
	}
	for (size_t c = 1; c < width; c++)
	{
		n_left += left[c];
		n_right += right[c];
		s_left += left[c] * left[c];
		s_right += right[c] * right[c];
	}
	for (int i = 0; i < n; i++)
	{
		const int64_t *cell = cells + (size_t) bins[i] * width;
		double		s;

		for (size_t c = 1; c < width; c++)
		{
			uint64_t	v = (uint64_t) cell[c];

			if (v == 0)
				continue;
			s_left += v * (2 * left[c] + v);
			s_right -= v * (2 * right[c] - v);
			left[c] += v;
			right[c] -= v;
			n_left += v;
			n_right -= v;
		}
		left[0] += (uint64_t) cell[0];
		right[0] -= (uint64_t) cell[0];
		if (left[0] < min_leaf || right[0] < min_leaf || n_left == 0 || n_right == 0)
			continue;
		if (weighted)
			s = squares_of(left, width) / (double) n_left + squares_of(right, width) / (double) n_right;
		else
			s = (double) s_left / (double) n_left + (double) s_right / (double) n_right;
		if (s > *score)
		{
			*score = s;
			*left_share = (double) n_left / (double) (n_left + n_right);
			best = i;
		}
	}
	return best;
}

static int
wide_moments(const int64_t *cells, size_t width, const uint8_t *bins, int n, const int64_t *start,
			 const int64_t *total, uint32_t min_leaf, double *score, double *left_share)
{
	int64_t		rows = start ? start[0] : 0;
	int64_t		sum = start ? start[1] : 0;
	int64_t		weight = start ? start[2] : 0;
	double		n_all = (double) total[2];
	double		sum_all = (double) total[1];
	int			best = -1;

	for (int i = 0; i < n; i++)
	{
		const int64_t *cell = cells + (size_t) bins[i] * width;
		double		d;
		double		s;

		rows += cell[0];
		sum += cell[1];
		weight += cell[2];
		if (rows < min_leaf || total[0] - rows < min_leaf || weight <= 0 || weight >= total[2])
			continue;
		d = (double) sum * n_all - sum_all * (double) weight;
		s = d * d / ((double) weight * (double) (total[2] - weight));
		if (s > *score)
		{
			*score = s;
			*left_share = (double) weight / n_all;
			best = i;
		}
	}
	return best;
}

int
wf_scan_wide(WfImpurity impurity, const int64_t *cells, size_t width,
			 const uint8_t *bins, int n, const int64_t *start, const int64_t *total,
			 uint32_t min_leaf, bool weighted, int64_t *scratch,
			 double *score, double *left_share)
{
	if (impurity == WF_IMPURITY_CLASSES)
		return wide_classes(cells, width, bins, n, start, total, min_leaf, weighted, scratch,
							score, left_share);
	return wide_moments(cells, width, bins, n, start, total, min_leaf, score, left_share);
}
