/*-------------------------------------------------------------------------
 * nmf.c
 *	  Sixteen rows at a time: gather, transpose, sweep.
 *-------------------------------------------------------------------------
 */
#include "core/nmf.h"

#include <string.h>

#include "core/normal.h"
#include "core/simd.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define LANES WF_NMF_LANES
/* Entries between two looks at the host: well under 10 ms. */
#define CHECK_ENTRIES 65536

typedef float Float8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float Lanes __attribute__((vector_size(64), aligned(4), may_alias));
typedef int LanesInt __attribute__((vector_size(64), aligned(4), may_alias));

size_t
wf_nmf_bytes(uint32_t k)
{
	size_t		stride = wf_normal_stride(k);

	/* numerators by row, numerators and vectors by coordinate */
	return 3 * LANES * stride * sizeof(float);
}

/*
 * sum[0 .. 8 · nv) = sum over entries of value × vector, two entries in flight;
 * nv is a literal where this is called, or the sums would live in memory.
 */
ALWAYS_INLINE void
gather(const uint32_t *col, const float *value, size_t n, const float *other, size_t stride,
	   const int nv, float *sum)
{
	Float8		even[4];
	Float8		odd[4];
	size_t		e = 0;

#pragma GCC unroll 4
	for (int v = 0; v < nv; v++)
		even[v] = odd[v] = (Float8) {0};
	for (; e + 1 < n; e += 2)
	{
		const float *a = other + col[e] * stride;
		const float *b = other + col[e + 1] * stride;

#pragma GCC unroll 4
		for (int v = 0; v < nv; v++)
		{
			even[v] += value[e] * *(const Float8 *) (a + 8 * v);
			odd[v] += value[e + 1] * *(const Float8 *) (b + 8 * v);
		}
	}
	if (e < n)
	{
		const float *a = other + col[e] * stride;

#pragma GCC unroll 4
		for (int v = 0; v < nv; v++)
			even[v] += value[e] * *(const Float8 *) (a + 8 * v);
	}
#pragma GCC unroll 4
	for (int v = 0; v < nv; v++)
		*(Float8 *) (sum + 8 * v) = even[v] + odd[v];
}

/* Add the product of a part of a row's entries with the other factor to num. */
ALWAYS_INLINE void
gather_part(const WfNmfStep *step, uint64_t begin, uint64_t end, float *num)
{
	const uint32_t *col = step->m->col + begin;
	const float *value = step->m->value + begin;
	size_t		n = end - begin;
	float		sum[32];

	for (uint32_t at = 0; at < step->stride; at += 32)
	{
		const float *other = step->other + at;
		uint32_t	width = step->stride - at < 32 ? step->stride - at : 32;

		switch (width / 8)
		{
			case 1:
				gather(col, value, n, other, step->stride, 1, sum);
				break;
			case 2:
				gather(col, value, n, other, step->stride, 2, sum);
				break;
			case 3:
				gather(col, value, n, other, step->stride, 3, sum);
				break;
			default:
				gather(col, value, n, other, step->stride, 4, sum);
				break;
		}
		for (uint32_t j = 0; j < width; j++)
			num[at + j] += sum[j];
	}
}

/* Coordinate by coordinate, in all lanes: w_t = max(0, w_t - gradient / curvature). */
ALWAYS_INLINE void
sweep(const WfNmfStep *step, const float *num, float *w)
{
	uint32_t	k = step->k;

	for (int s = 0; s < step->sweeps; s++)
		for (uint32_t t = 0; t < k; t++)
		{
			const float *g = step->gram + (size_t) t * k;
			Lanes		even = -*(const Lanes *) (num + t * LANES);
			Lanes		odd = {0};
			Lanes		new;
			uint32_t	r = 0;

			/* a coordinate that no other row uses stays as it is */
			if (!(g[t] > 0))
				continue;
			for (; r + 1 < k; r += 2)
			{
				even += g[r] * *(const Lanes *) (w + r * LANES);
				odd += g[r + 1] * *(const Lanes *) (w + (r + 1) * LANES);
			}
			if (r < k)
				even += g[r] * *(const Lanes *) (w + r * LANES);
			new = *(const Lanes *) (w + t * LANES) - (even + odd) * (1 / g[t]);
			*(Lanes *) (w + t * LANES) = (Lanes) ((LanesInt) new & (new > 0));
		}
}

/* 2 num · w - w' gram w in each lane. */
ALWAYS_INLINE void
explained_part(const WfNmfStep *step, const float *num, const float *w, Lanes *sum)
{
	*sum = (Lanes) {0};
	for (uint32_t t = 0; t < step->k; t++)
	{
		const float *g = step->gram + (size_t) t * step->k;
		Lanes		product = -2 * *(const Lanes *) (num + t * LANES);

		for (uint32_t r = 0; r < step->k; r++)
			product += g[r] * *(const Lanes *) (w + r * LANES);
		*sum -= product * *(const Lanes *) (w + t * LANES);
	}
}

ALWAYS_INLINE void
solve(const WfNmfStep *step, uint32_t begin, uint32_t n, const float *rows, float *num, float *w,
	  float *explained)
{
	uint32_t	stride = step->stride;
	Lanes		part = {0};

	for (uint32_t t = 0; t < step->k; t++)
		for (uint32_t lane = 0; lane < LANES; lane++)
		{
			num[t * LANES + lane] = lane < n ? rows[lane * stride + t] : 0;
			w[t * LANES + lane] = lane < n ? step->vector[(size_t) (begin + lane) * stride + t] : 0;
		}
	sweep(step, num, w);
	if (step->judge)
		explained_part(step, num, w, &part);
	for (uint32_t lane = 0; lane < n; lane++)
	{
		float	   *vector = step->vector + (size_t) (begin + lane) * stride;
		float	   *result = step->result + (size_t) (begin + lane) * stride;

		explained[lane] = part[lane];
		for (uint32_t t = 0; t < step->k; t++)
		{
			float		new = w[t * LANES + lane];
			float		next = new + step->ahead * (new - result[t]);

			result[t] = new;
			vector[t] = next > 0 ? next : 0;
		}
	}
}

#define TWINS(SUFFIX, TARGET) \
TARGET static void \
gather_##SUFFIX(const WfNmfStep *step, uint64_t begin, uint64_t end, float *num) \
{ \
	gather_part(step, begin, end, num); \
} \
TARGET static void \
solve_##SUFFIX(const WfNmfStep *step, uint32_t begin, uint32_t n, const float *rows, float *num, float *w, \
			   float *explained) \
{ \
	solve(step, begin, n, rows, num, w, explained); \
}

TWINS(scalar,)
#ifdef WF_HAVE_X86_SIMD
TWINS(avx2, WF_TARGET_AVX2)
TWINS(avx512, WF_TARGET_AVX512)
#endif

double
wf_nmf_rows(WfHost *host, const WfNmfStep *step, uint32_t begin, uint32_t end)
{
	void		(*gather_function) (const WfNmfStep *, uint64_t, uint64_t, float *) = gather_scalar;
	void		(*solve_function) (const WfNmfStep *, uint32_t, uint32_t, const float *, float *, float *, float *) = solve_scalar;
	float	   *rows = step->room;
	float	   *num = rows + (size_t) LANES * step->stride;
	float	   *w = num + (size_t) LANES * step->stride;
	float		explained[LANES];
	double		sum = 0;

#ifdef WF_HAVE_X86_SIMD
	if (wf_simd() >= WF_SIMD_AVX512)
	{
		gather_function = gather_avx512;
		solve_function = solve_avx512;
	}
	else if (wf_simd() >= WF_SIMD_AVX2)
	{
		gather_function = gather_avx2;
		solve_function = solve_avx2;
	}
#endif
	memset(rows, 0, (size_t) LANES * step->stride * sizeof(float));
	for (uint32_t r = begin; r < end; r++)
		for (uint64_t e = step->m->start[r]; e < step->m->start[r + 1]; e += CHECK_ENTRIES)
		{
			uint64_t	last = step->m->start[r + 1];

			if (last - e > CHECK_ENTRIES)
			{
				host->check(host);
				last = e + CHECK_ENTRIES;
			}
			gather_function(step, e, last, rows + (size_t) (r - begin) * step->stride);
		}
	solve_function(step, begin, end - begin, rows, num, w, explained);
	for (uint32_t r = 0; r < end - begin; r++)
		sum += (double) explained[r];
	return sum;
}
