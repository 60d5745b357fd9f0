/*-------------------------------------------------------------------------
 * normal.c
 *	  Tiles of outer products, and a Cholesky solver.
 *-------------------------------------------------------------------------
 */
#include "core/normal.h"

#include <math.h>
#include <string.h>

#include "core/simd.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Eight floats, four doubles; unaligned, since the room is aligned to 8 bytes only. */
typedef float Float8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef double Double4 __attribute__((vector_size(32), aligned(8), may_alias));

/* A pivot below this share of its diagonal is round-off: the unknown is not determined. */
#define PIVOT_FLOOR 1e-13

size_t
wf_normal_bytes(uint32_t n)
{
	size_t		stride = wf_normal_stride(n);

	return (stride * stride + stride) * sizeof(double) +
		(2 * stride + 2) * WF_NORMAL_BATCH * sizeof(float);
}

void
wf_normal_init(WfNormal *s, uint32_t n, void *room)
{
	s->n = n;
	s->stride = wf_normal_stride(n);
	s->pending = 0;
	s->a = room;
	s->h = s->a + (size_t) s->stride * s->stride;
	s->x = (float *) (s->h + s->stride);
	s->y = s->x + (size_t) s->stride * WF_NORMAL_BATCH;
	s->rhs = s->y + (size_t) s->stride * WF_NORMAL_BATCH;
	s->weight = s->rhs + WF_NORMAL_BATCH;
}

void
wf_normal_begin(WfNormal *s, const double *gram, double factor)
{
	memset(s->a, 0, ((size_t) s->stride + 1) * s->stride * sizeof(double));
	s->pending = 0;
	if (gram)
		for (uint32_t i = 0; i < s->n; i++)
			for (uint32_t j = i; j < s->n; j++)
				s->a[(size_t) i * s->stride + j] = gram[(size_t) i * s->n + j] * factor;
}

/* One tile: rows i .. i + 7, columns j .. j + 7 of the sum of y x' over m rows. */
ALWAYS_INLINE void
add_tile(const WfNormal *s, uint32_t m, uint32_t i, uint32_t j)
{
	size_t		stride = s->stride;
	const float *y = s->y + i;
	const float *x = s->x + j;
	Float8		sum[8];

	for (int r = 0; r < 8; r++)
		sum[r] = (Float8) {0};
	for (uint32_t e = 0; e < m; e++, y += stride, x += stride)
	{
		Float8		columns = *(const Float8 *) x;

#pragma GCC unroll 8
		for (int r = 0; r < 8; r++)
			sum[r] += y[r] * columns;
	}
	for (int r = 0; r < 8; r++)
	{
		double	   *a = s->a + (i + (size_t) r) * stride + j;

		for (int c = 0; c < 8; c++)
			a[c] += (double) sum[r][c];
	}
}

ALWAYS_INLINE void
flush_rows(WfNormal *s)
{
	uint32_t	m = s->pending;
	size_t		stride = s->stride;

	for (uint32_t e = 0; e < m; e++)
		for (size_t i = 0; i < stride; i += 8)
			*(Float8 *) (s->y + e * stride + i) = s->weight[e] * *(const Float8 *) (s->x + e * stride + i);
	for (uint32_t i = 0; i < s->stride; i += 8)
	{
		Float8		sum = {0};

		for (uint32_t e = 0; e < m; e++)
			sum += s->rhs[e] * *(const Float8 *) (s->x + e * stride + i);
		for (int c = 0; c < 8; c++)
			s->h[i + (uint32_t) c] += (double) sum[c];
		for (uint32_t j = i; j < s->stride; j += 8)
			add_tile(s, m, i, j);
	}
}

static void
flush_scalar(WfNormal *s)
{
	flush_rows(s);
}

#ifdef WF_HAVE_X86_SIMD
WF_TARGET_AVX2 static void
flush_avx2(WfNormal *s)
{
	flush_rows(s);
}

WF_TARGET_AVX512 static void
flush_avx512(WfNormal *s)
{
	flush_rows(s);
}
#endif

void
wf_normal_flush(WfNormal *s)
{
#ifdef WF_HAVE_X86_SIMD
	WfSimd		level = wf_simd();

	if (level >= WF_SIMD_AVX512)
		flush_avx512(s);
	else if (level >= WF_SIMD_AVX2)
		flush_avx2(s);
	else
#endif
		flush_scalar(s);
	s->pending = 0;
}

/*
 * a = U'U in place, by rows: row j is finished, then taken out of the rows
 * below.  Vectors start at a multiple of four and so reach into the lower
 * triangle, which nobody reads.
 */
ALWAYS_INLINE void
factor_rows(WfNormal *s, double ridge)
{
	uint32_t	n = s->n;
	size_t		stride = s->stride;

	for (uint32_t j = 0; j < n; j++)
		s->a[j * stride + j] += ridge;
	for (uint32_t j = 0; j < n; j++)
	{
		double	   *row = s->a + j * stride;
		double		taken = 0;
		double		inverse;

		for (uint32_t l = 0; l < j; l++)
			taken += s->a[l * stride + j] * s->a[l * stride + j];
		inverse = row[j] > PIVOT_FLOOR * (row[j] + taken) && row[j] > 0 ? 1 / sqrt(row[j]) : 0;
		for (size_t c = j & ~3u; c < stride; c += 4)
			*(Double4 *) (row + c) *= inverse;
		for (uint32_t l = j + 1; l < n; l++)
		{
			double	   *below = s->a + l * stride;
			double		factor = row[l];

			for (size_t c = l & ~3u; c < stride; c += 4)
				*(Double4 *) (below + c) -= factor * *(const Double4 *) (row + c);
		}
		/* the diagonal holds the inverse from here on */
		row[j] = inverse;
	}
}

static void
factor_scalar(WfNormal *s, double ridge)
{
	factor_rows(s, ridge);
}

#ifdef WF_HAVE_X86_SIMD
WF_TARGET_AVX2 static void
factor_avx2(WfNormal *s, double ridge)
{
	factor_rows(s, ridge);
}
#endif

void
wf_normal_solve(WfNormal *s, double ridge, float *w)
{
	uint32_t	n = s->n;
	size_t		stride = s->stride;

	if (s->pending)
		wf_normal_flush(s);
#ifdef WF_HAVE_X86_SIMD
	if (wf_simd() >= WF_SIMD_AVX2)
		factor_avx2(s, ridge);
	else
#endif
		factor_scalar(s, ridge);
	/* U' z = h, then U w = z */
	for (uint32_t j = 0; j < n; j++)
	{
		const double *row = s->a + j * stride;
		double		z = s->h[j] * row[j];

		s->h[j] = z;
		for (uint32_t l = j + 1; l < n; l++)
			s->h[l] -= z * row[l];
	}
	for (uint32_t j = n; j-- > 0;)
	{
		const double *row = s->a + j * stride;
		double		sum = s->h[j];

		for (uint32_t l = j + 1; l < n; l++)
			sum -= row[l] * s->h[l];
		s->h[j] = sum * row[j];
	}
	for (uint32_t j = 0; j < n; j++)
		w[j] = (float) s->h[j];
	memset(w + n, 0, (stride - n) * sizeof(float));
}

/* h becomes the gradient's opposite as the unknowns change: one row of a for each change. */
void
wf_normal_descend(WfNormal *s, double ridge, int sweeps, float *w)
{
	uint32_t	n = s->n;
	size_t		stride = s->stride;

	if (s->pending)
		wf_normal_flush(s);
	for (uint32_t j = 0; j < n; j++)
	{
		s->a[j * stride + j] += ridge;
		for (uint32_t l = 0; l < j; l++)
			s->a[j * stride + l] = s->a[l * stride + j];
	}
	for (uint32_t j = 0; j < n; j++)
		for (uint32_t l = 0; l < n && w[j] != 0; l++)
			s->h[l] -= s->a[j * stride + l] * (double) w[j];
	for (int sweep = 0; sweep < sweeps; sweep++)
	{
		double		largest = 0;
		double		moved = 0;

		for (uint32_t j = 0; j < n; j++)
		{
			const double *row = s->a + j * stride;
			double		old = (double) w[j];
			double		new = row[j] > 0 ? old + s->h[j] / row[j] : 0;
			double		step;

			w[j] = new > 0 ? (float) new : 0;
			step = (double) w[j] - old;
			for (uint32_t l = 0; l < n && step != 0; l++)
				s->h[l] -= row[l] * step;
			largest = (double) w[j] > largest ? (double) w[j] : largest;
			moved = fabs(step) > moved ? fabs(step) : moved;
		}
		if (moved <= 1e-7 * largest)
			break;
	}
	memset(w + n, 0, (stride - n) * sizeof(float));
}
