/*-------------------------------------------------------------------------
 * gemm_kernel.h
 *	  The source of gemm.h's kernels, compiled by gemm.c for each VEC_LANES.
 *
 * A tile of C, rows × vectors, stays in registers while k runs.  Its size must
 * be literal: as a parameter, even of an inlined function, the accumulators
 * become an array in memory and the kernel five times slower.  6 × 4 vectors
 * fill the 32 registers of AVX-512, 6 × 2 the 16 of the others.
 *-------------------------------------------------------------------------
 */
#include "core/gemm.h"
#include "core/vec.h"

#undef GEMM_TILE
#define GEMM_TILE(ROWS, VECTORS) \
static VEC_TARGET void \
VEC_NAME(tile_##ROWS##_##VECTORS) (size_t k, WfScalars a, const float *b, size_t b_row, float *c, size_t c_row) \
{ \
	vec			sum[ROWS][VECTORS]; \
 \
	VEC_UNROLL for (int i = 0; i < ROWS; i++) \
		VEC_UNROLL for (int j = 0; j < VECTORS; j++) \
			sum[i][j] = VEC_NAME(v_load) (c + i * c_row + j * VEC_LANES); \
	for (; k > 0; k--) \
	{ \
		vec			row[VECTORS]; \
 \
		VEC_UNROLL for (int j = 0; j < VECTORS; j++) \
			row[j] = VEC_NAME(v_load) (b + j * VEC_LANES); \
		VEC_UNROLL for (int i = 0; i < ROWS; i++) \
		{ \
			vec			x = VEC_NAME(v_all) (a.at[i * a.row]); \
 \
			VEC_UNROLL for (int j = 0; j < VECTORS; j++) \
				sum[i][j] = VEC_NAME(v_fma) (x, row[j], sum[i][j]); \
		} \
		a.at += a.column; \
		b += b_row; \
	} \
	VEC_UNROLL for (int i = 0; i < ROWS; i++) \
		VEC_UNROLL for (int j = 0; j < VECTORS; j++) \
			VEC_NAME(v_store) (c + i * c_row + j * VEC_LANES, sum[i][j]); \
}

/* The rows that are left over have tiles of their own height. */
#undef GEMM_COLUMN
#define GEMM_COLUMN(VECTORS) \
GEMM_TILE(6, VECTORS) \
GEMM_TILE(5, VECTORS) \
GEMM_TILE(4, VECTORS) \
GEMM_TILE(3, VECTORS) \
GEMM_TILE(2, VECTORS) \
GEMM_TILE(1, VECTORS) \
static VEC_TARGET void \
VEC_NAME(column_##VECTORS) (size_t m, size_t k, WfScalars a, const float *b, size_t b_row, float *c, size_t c_row) \
{ \
	for (; m >= 6; m -= 6) \
	{ \
		VEC_NAME(tile_6_##VECTORS) (k, a, b, b_row, c, c_row); \
		a.at += 6 * a.row; \
		c += 6 * c_row; \
	} \
	switch (m) \
	{ \
		case 5: \
			VEC_NAME(tile_5_##VECTORS) (k, a, b, b_row, c, c_row); \
			break; \
		case 4: \
			VEC_NAME(tile_4_##VECTORS) (k, a, b, b_row, c, c_row); \
			break; \
		case 3: \
			VEC_NAME(tile_3_##VECTORS) (k, a, b, b_row, c, c_row); \
			break; \
		case 2: \
			VEC_NAME(tile_2_##VECTORS) (k, a, b, b_row, c, c_row); \
			break; \
		case 1: \
			VEC_NAME(tile_1_##VECTORS) (k, a, b, b_row, c, c_row); \
			break; \
	} \
}

GEMM_COLUMN(1)
GEMM_COLUMN(2)
#if VEC_LANES == 16
GEMM_COLUMN(4)
#endif
/* One row alone has to hide the latency of its additions by its breadth. */
GEMM_TILE(1, 8)

static VEC_TARGET void
VEC_NAME(multiply) (size_t m, size_t n, size_t k, WfScalars a,
					const float *b, size_t b_row, float *c, size_t c_row)
{
	size_t		j = 0;

	if (m == 1)
		for (; j + 8 * VEC_LANES <= n; j += 8 * VEC_LANES)
			VEC_NAME(tile_1_8) (k, a, b + j, b_row, c + j, c_row);
#if VEC_LANES == 16
	for (; j + 4 * VEC_LANES <= n; j += 4 * VEC_LANES)
		VEC_NAME(column_4) (m, k, a, b + j, b_row, c + j, c_row);
#endif
	for (; j + 2 * VEC_LANES <= n; j += 2 * VEC_LANES)
		VEC_NAME(column_2) (m, k, a, b + j, b_row, c + j, c_row);
	for (; j + VEC_LANES <= n; j += VEC_LANES)
		VEC_NAME(column_1) (m, k, a, b + j, b_row, c + j, c_row);
}

#if VEC_LANES >= 8

/* 8 × 8: pairs, then fours, then halves change places. */
VEC_INLINE void
VEC_NAME(transpose_block) (const float *const from[8], float *to, size_t to_row)
{
	__m256		r[8];
	__m256		s[8];

	VEC_UNROLL for (int i = 0; i < 8; i++)
		r[i] = _mm256_loadu_ps(from[i]);
	VEC_UNROLL for (int i = 0; i < 4; i++)
	{
		s[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
		s[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
	}
	VEC_UNROLL for (int i = 0; i < 2; i++)
		VEC_UNROLL for (int j = 0; j < 2; j++)
		{
			r[4 * i + 2 * j] = _mm256_shuffle_ps(s[4 * i + j], s[4 * i + 2 + j], 0x44);
			r[4 * i + 2 * j + 1] = _mm256_shuffle_ps(s[4 * i + j], s[4 * i + 2 + j], 0xee);
		}
	VEC_UNROLL for (int i = 0; i < 4; i++)
	{
		_mm256_storeu_ps(to + i * to_row, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
		_mm256_storeu_ps(to + (i + 4) * to_row, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
	}
}

#else

VEC_INLINE void
VEC_NAME(transpose_block) (const float *const from[8], float *to, size_t to_row)
{
	for (int half = 0; half < 8; half += 4)
		for (int j = 0; j < 8; j += 4)
		{
#if defined(__SSE2__)
			__m128		r0 = _mm_loadu_ps(from[half] + j);
			__m128		r1 = _mm_loadu_ps(from[half + 1] + j);
			__m128		r2 = _mm_loadu_ps(from[half + 2] + j);
			__m128		r3 = _mm_loadu_ps(from[half + 3] + j);

			_MM_TRANSPOSE4_PS(r0, r1, r2, r3);
			_mm_storeu_ps(to + j * to_row + half, r0);
			_mm_storeu_ps(to + (j + 1) * to_row + half, r1);
			_mm_storeu_ps(to + (j + 2) * to_row + half, r2);
			_mm_storeu_ps(to + (j + 3) * to_row + half, r3);
#else
			for (int i = 0; i < 4; i++)
				for (int c = 0; c < 4; c++)
					to[(j + c) * to_row + half + i] = from[half + i][j + c];
#endif
		}
}

#endif

static VEC_TARGET void
VEC_NAME(transpose) (size_t rows, size_t columns, const float *from, size_t from_row,
					 const uint32_t *pick, float *to, size_t to_row)
{
	for (size_t i = 0; i < rows; i += 8)
	{
		const float *at[8];

		for (size_t r = 0; r < 8; r++)
			at[r] = from + (pick ? pick[i + r] : i + r) * from_row;
		for (size_t j = 0; j < columns; j += 8)
		{
			VEC_NAME(transpose_block) (at, to + j * to_row + i, to_row);
			VEC_UNROLL for (int r = 0; r < 8; r++)
				at[r] += 8;
		}
	}
}
