/*-------------------------------------------------------------------------
 * bins.c
 *	  Values into bins by cut points: scalar and AVX-512.
 *
 * Cuts form a perfect binary tree of 255 nodes, padded with +infinity, which
 * nothing is above; eight comparisons lead to the number of cuts below x.
 * With AVX-512 the whole tree lies in 16 registers, and a permutation per
 * level looks up the nodes of 16 values at once; gathers are slower than the
 * scalar search on some processors.
 *-------------------------------------------------------------------------
 */
#include "core/dataset.h"
#include "core/simd.h"

#include <string.h>

#ifdef WF_HAVE_X86_SIMD
#include <immintrin.h>
#endif

#define MAX_CUTS 254
#define TREE 256				/* nodes and one place to spare */
#define LANES 4

/* x by x through the sorted cuts; several at once, so that loads overlap. */
static void
assign_scalar(const float *x, size_t n, const float *cuts, int n_cuts, uint8_t *out, size_t stride)
{
	float		sorted[TREE];
	size_t		i = 0;
	unsigned	top = 1;

	while ((int) (2 * top - 1) < n_cuts)
		top *= 2;
	if (n_cuts)
		memcpy(sorted, cuts, (size_t) n_cuts * sizeof(float));
	for (unsigned k = (unsigned) n_cuts; k < TREE; k++)
		sorted[k] = __builtin_inff();
	for (; i + LANES <= n; i += LANES)
	{
		unsigned	at[LANES] = {0};

		for (unsigned step = top; step; step /= 2)
			for (int l = 0; l < LANES; l++)
				at[l] += step & (0 - (unsigned) (sorted[at[l] + step - 1] < x[i + (size_t) l]));
		for (int l = 0; l < LANES; l++)
			out[(i + (size_t) l) * stride] = (uint8_t) (x[i + (size_t) l] != x[i + (size_t) l]
														? WF_MISSING_BIN : at[l]);
	}
	for (; i < n; i++)
	{
		unsigned	at = 0;

		for (unsigned step = top; step; step /= 2)
			at += step & (0 - (unsigned) (sorted[at + step - 1] < x[i]));
		out[i * stride] = (uint8_t) (x[i] != x[i] ? WF_MISSING_BIN : at);
	}
}

#ifdef WF_HAVE_X86_SIMD

/* Node e of the tree (root 1, children 2e and 2e + 1) at tree[e]. */
static void
fill_tree(const float *cuts, int n_cuts, float *tree)
{
	tree[0] = 0;
	for (int level = 0; level < 8; level++)
	{
		int			width = 256 >> level;	/* cuts and a half under a node of this level */

		for (int p = 0; p < 1 << level; p++)
		{
			int			at = p * width + width / 2 - 1;

			tree[(1 << level) + p] = at < n_cuts ? cuts[at] : __builtin_inff();
		}
	}
}

WF_TARGET_AVX512 static inline __m512i
descend(__m512i e, __m512 node, __m512 x)
{
	__mmask16	right = _mm512_cmp_ps_mask(node, x, _CMP_LT_OQ);

	e = _mm512_add_epi32(e, e);
	return _mm512_mask_add_epi32(e, right, e, _mm512_set1_epi32(1));
}

/* 16 values down the tree; the result's low byte is the bin. */
WF_TARGET_AVX512 static inline __m512i
search16(const __m512 *t, __m512 x)
{
	__m512i		e = _mm512_set1_epi32(1);
	__m512		a,
				b;
	__mmask16	bit5,
				bit6;

	for (int level = 0; level < 4; level++)
		e = descend(e, _mm512_permutexvar_ps(e, t[0]), x);
	e = descend(e, _mm512_permutexvar_ps(e, t[1]), x);
	e = descend(e, _mm512_permutex2var_ps(t[2], e, t[3]), x);

	bit5 = _mm512_test_epi32_mask(e, _mm512_set1_epi32(32));
	a = _mm512_permutex2var_ps(t[4], e, t[5]);
	b = _mm512_permutex2var_ps(t[6], e, t[7]);
	e = descend(e, _mm512_mask_blend_ps(bit5, a, b), x);

	bit5 = _mm512_test_epi32_mask(e, _mm512_set1_epi32(32));
	bit6 = _mm512_test_epi32_mask(e, _mm512_set1_epi32(64));
	a = _mm512_mask_blend_ps(bit5, _mm512_permutex2var_ps(t[8], e, t[9]),
							 _mm512_permutex2var_ps(t[10], e, t[11]));
	b = _mm512_mask_blend_ps(bit5, _mm512_permutex2var_ps(t[12], e, t[13]),
							 _mm512_permutex2var_ps(t[14], e, t[15]));
	e = descend(e, _mm512_mask_blend_ps(bit6, a, b), x);
	return _mm512_mask_mov_epi32(e, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q),
								 _mm512_set1_epi32(WF_MISSING_BIN));
}

WF_TARGET_AVX512 static void
assign_avx512(const float *x, size_t n, const float *cuts, int n_cuts, uint8_t *out, size_t stride)
{
	float		tree[TREE];
	__m512		t[16];

	fill_tree(cuts, n_cuts, tree);
	for (int k = 0; k < 16; k++)
		t[k] = _mm512_loadu_ps(tree + 16 * k);
	for (size_t i = 0; i < n; i += 16)
	{
		size_t		count = n - i < 16 ? n - i : 16;
		__mmask16	some = (__mmask16) ((1u << count) - 1);
		__m128i		bins = _mm512_cvtepi32_epi8(search16(t, _mm512_maskz_loadu_ps(some, x + i)));

		if (stride == 1)
			_mm_mask_storeu_epi8(out + i, some, bins);
		else
		{
			uint8_t		one[16];

			_mm_storeu_si128((__m128i *) one, bins);
			for (size_t k = 0; k < count; k++)
				out[(i + k) * stride] = one[k];
		}
	}
}

#endif							/* WF_HAVE_X86_SIMD */

void
wf_bins_assign(const float *x, size_t n, const float *cuts, int n_cuts,
			   uint8_t *out, size_t out_stride)
{
	if (n_cuts > MAX_CUTS)
		n_cuts = MAX_CUTS;
#ifdef WF_HAVE_X86_SIMD
	if (wf_simd() >= WF_SIMD_AVX512)
	{
		assign_avx512(x, n, cuts, n_cuts, out, out_stride);
		return;
	}
#endif
	assign_scalar(x, n, cuts, n_cuts, out, out_stride);
}
