/*-------------------------------------------------------------------------
 * gemm.h
 *	  Products of matrices of floats, and their transposes.
 *
 * One kernel, C += A B: A is read as scalars through two strides, so that it
 * may be a matrix or its transpose; the rows of B and C are vectors.  No
 * packing: made for matrices that fit the second-level cache.  Every width
 * adds along k in the same order, so results differ by the rounding of fused
 * multiply-adds only; the same width gives the same bits however the work is
 * cut.
 *-------------------------------------------------------------------------
 */
#ifndef WF_GEMM_H
#define WF_GEMM_H

#include <stddef.h>
#include <stdint.h>

#include "core/simd.h"

/* n, the length of rows, is padded to this with zeros. */
#define WF_GEMM_PAD 16

static inline size_t
wf_gemm_pad(size_t n)
{
	return (n + WF_GEMM_PAD - 1) / WF_GEMM_PAD * WF_GEMM_PAD;
}

/* A matrix read one value at a time: value (i, k) is at[i * row + k * column]. */
typedef struct WfScalars
{
	const float *at;
	size_t		row;
	size_t		column;
} WfScalars;

/*
 * C (m × n) += A (m × k) · B (k × n).  n is a multiple of WF_GEMM_PAD; rows of
 * B and C are b_row and c_row floats apart; no alignment is asked for.  C must
 * not overlap A or B.
 */
typedef void (*WfGemm) (size_t m, size_t n, size_t k, WfScalars a,
						const float *b, size_t b_row, float *c, size_t c_row);

/*
 * to (columns × rows) = transpose of from (rows × columns); both counts are
 * multiples of 8.  With pick, row i is from's row pick[i].
 */
typedef void (*WfTranspose) (size_t rows, size_t columns, const float *from, size_t from_row,
							 const uint32_t *pick, float *to, size_t to_row);

typedef struct WfGemmKernels
{
	WfGemm		multiply;
	WfTranspose transpose;
} WfGemmKernels;

/* The kernels for the level that wf_simd() gives now. */
const WfGemmKernels *wf_gemm_kernels(void);

#endif							/* WF_GEMM_H */
