/*-------------------------------------------------------------------------
 * split.c
 *	  Scanning the bins of a number feature for its best cut.
 *
 * Without l1 and bounds a boundary costs one division:
 *
 *	  (GL^2 (HR + l2) + GR^2 (HL + l2)) / ((HL + l2) (HR + l2))
 *
 * in doubles, from exact integer prefix sums, in the same order of operations
 * in the scalar and the vector form.  Missing values go right in the first
 * scan; a second one, only where the leaf has some, starts with them on the
 * left.
 *-------------------------------------------------------------------------
 */
#include "core/split.h"

#include "core/dataset.h"
#include "core/simd.h"
#include "core/split_gain.h"

#ifdef WF_HAVE_X86_SIMD
#include <immintrin.h>
#endif

/* Sums of one scan's best boundary; score < 0: none. */
typedef struct Boundary
{
	double		score;
	int			bin;
} Boundary;

double
wf_split_output(const WfSplitRules *rules, const WfSplitLeaf *leaf, int64_t g, int64_t h, double extra_l2)
{
	double		w = wf_side_output(rules, (double) g, (double) h, extra_l2);

	return rules->bounded ? wf_clip_output(leaf, w) : w;
}

/* ---- scans: start is what lies left of the first bin (the missing cell or nothing) ---- */

static Boundary
scan_full(const WfHistogramShape *shape, const WfSplitRules *rules, const WfSplitLeaf *leaf,
		  const int64_t *cells, int n_bins, WfSums start, int monotone)
{
	Boundary	best = {-1.0, -1};
	WfSums		left = start;

	for (int b = 0; b < n_bins; b++)
	{
		double		score;

		left = wf_sums_plus(left, wf_histogram_cell(shape, cells, b));
		score = wf_sides_score(rules, leaf, left, wf_sums_minus(leaf->total, left), 0.0, monotone);
		if (score > best.score)
			best = (Boundary) {score, b};
	}
	return best;
}

static Boundary
scan_scalar(const WfHistogramShape *shape, const WfSplitRules *rules, const WfSplitLeaf *leaf,
			const int64_t *cells, int n_bins, WfSums start)
{
	Boundary	best = {-1.0, -1};
	WfSums		left = start;

	for (int b = 0; b < n_bins; b++)
	{
		double		gl;
		double		gr;
		double		hl;
		double		hr;
		double		score;

		left = wf_sums_plus(left, wf_histogram_cell(shape, cells, b));
		if (left.n < rules->min_rows)
			continue;
		if (leaf->total.n - left.n < rules->min_rows)
			break;
		hl = (double) left.h;
		hr = (double) (leaf->total.h - left.h);
		if (!(hl >= rules->min_hessian) || !(hr >= rules->min_hessian))
			continue;
		gl = (double) left.g;
		gr = (double) (leaf->total.g - left.g);
		hl += rules->l2;
		hr += rules->l2;
		score = (gl * gl * hr + gr * gr * hl) / (hl * hr);
		if (score > best.score)
			best = (Boundary) {score, b};
	}
	return best;
}

#ifdef WF_HAVE_X86_SIMD

/* Inclusive prefix sums of 8 numbers. */
WF_TARGET_AVX512 static inline __m512i
prefix8(__m512i x)
{
	const __m512i zero = _mm512_setzero_si512();

	x = _mm512_add_epi64(x, _mm512_alignr_epi64(x, zero, 7));
	x = _mm512_add_epi64(x, _mm512_alignr_epi64(x, zero, 6));
	return _mm512_add_epi64(x, _mm512_alignr_epi64(x, zero, 4));
}

/* What 8 boundaries score; allowed says which count. */
WF_TARGET_AVX512 static inline __m512d
score8(const WfSplitRules *rules, const WfSplitLeaf *leaf, __m512i g, __m512i h, __m512i n, __mmask8 *allowed)
{
	const __m512d l2 = _mm512_set1_pd(rules->l2);
	const __m512d min_hessian = _mm512_set1_pd(rules->min_hessian);
	const __m512i min_rows = _mm512_set1_epi64(rules->min_rows);
	__m512d		gl = _mm512_cvtepi64_pd(g);
	__m512d		gr = _mm512_cvtepi64_pd(_mm512_sub_epi64(_mm512_set1_epi64(leaf->total.g), g));
	__m512d		hl = _mm512_cvtepi64_pd(h);
	__m512d		hr = _mm512_cvtepi64_pd(_mm512_sub_epi64(_mm512_set1_epi64(leaf->total.h), h));
	__m512i		nr = _mm512_sub_epi64(_mm512_set1_epi64(leaf->total.n), n);
	__mmask8	m = *allowed;

	m = _mm512_mask_cmpge_epi64_mask(m, n, min_rows);
	m = _mm512_mask_cmpge_epi64_mask(m, nr, min_rows);
	m = _mm512_mask_cmp_pd_mask(m, hl, min_hessian, _CMP_GE_OQ);
	*allowed = _mm512_mask_cmp_pd_mask(m, hr, min_hessian, _CMP_GE_OQ);
	hl = _mm512_add_pd(hl, l2);
	hr = _mm512_add_pd(hr, l2);
	return _mm512_div_pd(_mm512_add_pd(_mm512_mul_pd(_mm512_mul_pd(gl, gl), hr),
									   _mm512_mul_pd(_mm512_mul_pd(gr, gr), hl)),
						 _mm512_mul_pd(hl, hr));
}

/* The lowest bin of the highest score. */
WF_TARGET_AVX512 static inline Boundary
best_of_lanes(__m512d score, __m512i bin)
{
	Boundary	best;
	__mmask8	top;

	best.score = _mm512_reduce_max_pd(score);
	top = _mm512_cmp_pd_mask(score, _mm512_set1_pd(best.score), _CMP_EQ_OQ);
	best.bin = (int) _mm512_mask_reduce_min_epi64(top, bin);
	return best;
}

WF_TARGET_AVX512 static Boundary
scan_unit_avx512(const WfSplitRules *rules, const WfSplitLeaf *leaf,
				 const int64_t *cells, int n_bins, WfSums start)
{
	const __m512i last = _mm512_set1_epi64(7);
	const __m512i count_mask = _mm512_set1_epi64(0xffffff);
	__m512i		carry = _mm512_set1_epi64(start.g * (1 << 24) + start.n);
	__m512i		bins = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
	__m512i		best_bin = _mm512_set1_epi64(-1);
	__m512d		best = _mm512_set1_pd(-1.0);

	for (int b = 0; b < n_bins; b += 8)
	{
		__m512i		p = _mm512_add_epi64(carry, prefix8(_mm512_loadu_si512(cells + b)));
		__m512i		n = _mm512_and_si512(p, count_mask);
		__mmask8	m = n_bins - b >= 8 ? 0xff : (__mmask8) ((1u << (n_bins - b)) - 1);
		__m512d		score = score8(rules, leaf, _mm512_srai_epi64(p, 24), n, n, &m);

		m = _mm512_mask_cmp_pd_mask(m, score, best, _CMP_GT_OQ);
		best = _mm512_mask_mov_pd(best, m, score);
		best_bin = _mm512_mask_mov_epi64(best_bin, m, bins);
		bins = _mm512_add_epi64(bins, _mm512_set1_epi64(8));
		carry = _mm512_permutexvar_epi64(last, p);
	}
	return best_of_lanes(best, best_bin);
}

WF_TARGET_AVX512 static Boundary
scan_wide_avx512(const WfSplitRules *rules, const WfSplitLeaf *leaf, int count_bits,
				 const int64_t *cells, int n_bins, WfSums start)
{
	const __m512i last = _mm512_set1_epi64(7);
	const __m512i count_mask = _mm512_set1_epi64((INT64_C(1) << count_bits) - 1);
	const __m128i shift = _mm_cvtsi32_si128(count_bits);
	__m512i		carry_g = _mm512_set1_epi64(start.g);
	__m512i		carry_h = _mm512_set1_epi64((start.h << count_bits) + start.n);
	__m512i		bins = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
	__m512i		best_bin = _mm512_set1_epi64(-1);
	__m512d		best = _mm512_set1_pd(-1.0);

	for (int b = 0; b < n_bins; b += 8)
	{
		__m512i		g = _mm512_add_epi64(carry_g, prefix8(_mm512_loadu_si512(cells + b)));
		__m512i		h = _mm512_add_epi64(carry_h, prefix8(_mm512_loadu_si512(cells + 256 + b)));
		__mmask8	m = n_bins - b >= 8 ? 0xff : (__mmask8) ((1u << (n_bins - b)) - 1);
		__m512d		score = score8(rules, leaf, g, _mm512_srl_epi64(h, shift),
								   _mm512_and_si512(h, count_mask), &m);

		m = _mm512_mask_cmp_pd_mask(m, score, best, _CMP_GT_OQ);
		best = _mm512_mask_mov_pd(best, m, score);
		best_bin = _mm512_mask_mov_epi64(best_bin, m, bins);
		bins = _mm512_add_epi64(bins, _mm512_set1_epi64(8));
		carry_g = _mm512_permutexvar_epi64(last, g);
		carry_h = _mm512_permutexvar_epi64(last, h);
	}
	return best_of_lanes(best, best_bin);
}
#endif

static Boundary
scan(const WfHistogramShape *shape, const WfSplitRules *rules, const WfSplitLeaf *leaf,
	 const int64_t *cells, int n_bins, WfSums start, int monotone)
{
	if (rules->l1 > 0 || rules->bounded)
		return scan_full(shape, rules, leaf, cells, n_bins, start, monotone);
#ifdef WF_HAVE_X86_SIMD
	if (wf_simd() >= WF_SIMD_AVX512)
		return shape->unit ? scan_unit_avx512(rules, leaf, cells, n_bins, start)
			: scan_wide_avx512(rules, leaf, shape->count_bits, cells, n_bins, start);
#endif
	return scan_scalar(shape, rules, leaf, cells, n_bins, start);
}

/*
 * The middle of the empty bins that follow the cut: as far from the rows of
 * one side as of the other.  When no number is right of it the cut is behind
 * the last bin: missing against the rest.
 */
static int
centre_cut(const WfHistogramShape *shape, const int64_t *cells, int n_bins, int bin)
{
	int			next = bin + 1;

	while (next < n_bins && wf_histogram_cell(shape, cells, next).n == 0)
		next++;
	return next == n_bins ? n_bins - 1 : bin + (next - 1 - bin) / 2;
}

void
wf_split_number(const WfHistogramShape *shape, const WfSplitRules *rules,
				const WfSplitLeaf *leaf, const int64_t *cells, uint32_t feature,
				bool has_missing, int monotone, WfSplit *best)
{
	const int	n_bins = shape->n_bins[feature];
	const WfSums none = {0, 0, 0};
	WfSums		missing = wf_histogram_cell(shape, cells, WF_MISSING_BIN);
	Boundary	found = scan(shape, rules, leaf, cells, n_bins, none, monotone);
	bool		missing_left = false;
	double		gain;

	if (missing.n > 0)
	{
		Boundary	other = scan(shape, rules, leaf, cells, n_bins, missing, monotone);

		if (other.score > found.score)
		{
			found = other;
			missing_left = true;
		}
	}
	if (found.score < 0)
		return;
	gain = found.score - wf_leaf_score(rules, leaf);
	if (!(gain > found.score * WF_GAIN_NOISE) || !(gain > best->gain))
		return;

	best->gain = gain;
	best->feature = feature;
	best->category = false;
	best->extra_l2 = 0;
	best->left = missing_left ? missing : none;
	for (int b = 0; b <= found.bin; b++)
		best->left = wf_sums_plus(best->left, wf_histogram_cell(shape, cells, b));
	best->bin = (uint8_t) centre_cut(shape, cells, n_bins, found.bin);
	/* What never was missing here goes with the heavier side. */
	best->missing_left = missing.n > 0 ? missing_left
		: has_missing && best->left.n * 2 >= leaf->total.n;
}
