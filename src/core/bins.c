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

/*
 * The tree: node e (root 1, children 2e and 2e + 1) at tree[e], so many
 * levels of them.
 */
static void
fill_tree(const float *cuts, int n_cuts, int levels, float *tree)
{
	tree[0] = 0;
	for (int level = 0; level < levels; level++)
	{
		int			width = 1 << (levels - level);	/* cuts under a node of this level, and one */

		for (int p = 0; p < 1 << level; p++)
		{
			int			at = p * width + width / 2 - 1;

			tree[(1 << level) + p] = at < n_cuts ? cuts[at] : __builtin_inff();
		}
	}
}

/* One level down.  No branch: it would be a guess. */
static inline unsigned
go_down(const float *tree, unsigned e, float x)
{
	return 2 * e + (unsigned) (tree[e] < x);
}

static inline uint8_t
bin_or_missing(unsigned bin, float x)
{
	return (uint8_t) (x != x ? WF_MISSING_BIN : bin);
}

/* Four values at once, so that their loads overlap. */
static void
assign_scalar(const float *x, size_t n, const float *cuts, int n_cuts, uint8_t *out, size_t stride)
{
	float		tree[TREE];
	size_t		i = 0;
	int			levels = 0;

	while ((1 << levels) <= n_cuts)
		levels++;
	fill_tree(cuts, n_cuts, levels, tree);
	for (; i + 4 <= n; i += 4, x += 4, out += 4 * stride)
	{
		float		x0 = x[0],
					x1 = x[1],
					x2 = x[2],
					x3 = x[3];
		unsigned	e0 = 1,
					e1 = 1,
					e2 = 1,
					e3 = 1;

		for (int level = 0; level < levels; level++)
		{
			e0 = go_down(tree, e0, x0);
			e1 = go_down(tree, e1, x1);
			e2 = go_down(tree, e2, x2);
			e3 = go_down(tree, e3, x3);
		}
		out[0] = bin_or_missing(e0 - (1u << levels), x0);
		out[stride] = bin_or_missing(e1 - (1u << levels), x1);
		out[2 * stride] = bin_or_missing(e2 - (1u << levels), x2);
		out[3 * stride] = bin_or_missing(e3 - (1u << levels), x3);
	}
	for (; i < n; i++, x++, out += stride)
	{
		unsigned	e = 1;

		for (int level = 0; level < levels; level++)
			e = go_down(tree, e, *x);
		*out = bin_or_missing(e - (1u << levels), *x);
	}
}

#ifdef WF_HAVE_X86_SIMD

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

	fill_tree(cuts, n_cuts, 8, tree);
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
