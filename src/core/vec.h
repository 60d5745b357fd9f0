/*-------------------------------------------------------------------------
 * vec.h
 *	  Vectors of floats in one of three widths, for kernels whose source is
 *	  compiled once for each.
 *
 * Include it (no guard: again for each width) with
 *
 *	VEC_LANES	floats in a vector: 16 (AVX-512), 8 (AVX2 and FMA), 4 (any)
 *
 * and get the types vec (floats), vei (int32) and veu (uint32), VEC_TARGET
 * for the functions that use them, VEC_NAME(f) to name those, and the
 * operations below; + - * / < & and so on are the compiler's own.  Width 4
 * is what every processor has: SSE2 on x86, whatever the compiler makes of
 * it elsewhere.
 *
 * A fused multiply-add rounds once where width 4 rounds twice: results agree
 * to rounding, not in bits.  Loads and stores need no alignment.
 *-------------------------------------------------------------------------
 */
#ifndef WF_VEC_ONCE
#define WF_VEC_ONCE

#include <stdint.h>
#include <string.h>

#include "core/simd.h"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

#define VEC_GLUE2(a, b) a ## _ ## b
#define VEC_GLUE(a, b) VEC_GLUE2(a, b)
#define VEC_NAME(f) VEC_GLUE(f, VEC_LANES)

#define vec VEC_NAME(vec)
#define vei VEC_NAME(vei)
#define veu VEC_NAME(veu)

/* Full unrolling, without which accumulators would live in memory. */
#if defined(__clang__)
#define VEC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define VEC_UNROLL _Pragma("GCC unroll 8")
#endif

#define VEC_INLINE static inline __attribute__((always_inline, unused)) VEC_TARGET
#endif							/* WF_VEC_ONCE */

#ifndef VEC_LANES
#define VEC_LANES 4
#endif

#undef VEC_TARGET
#if VEC_LANES == 16
#define VEC_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#elif VEC_LANES == 8
#define VEC_TARGET __attribute__((target("avx2,fma")))
#else
#define VEC_TARGET
#endif

typedef float vec __attribute__((vector_size(4 * VEC_LANES)));
typedef int32_t vei __attribute__((vector_size(4 * VEC_LANES)));
typedef uint32_t veu __attribute__((vector_size(4 * VEC_LANES)));

VEC_INLINE vec
VEC_NAME(v_load) (const float *p)
{
	vec			v;

	memcpy(&v, p, sizeof(v));
	return v;
}

VEC_INLINE void
VEC_NAME(v_store) (float *p, vec v)
{
	memcpy(p, &v, sizeof(v));
}

VEC_INLINE vec
VEC_NAME(v_all) (float x)
{
#if VEC_LANES == 16
	return _mm512_set1_ps(x);
#elif VEC_LANES == 8
	return _mm256_set1_ps(x);
#else
	return (vec) {x, x, x, x};
#endif
}

/* a * b + c */
VEC_INLINE vec
VEC_NAME(v_fma) (vec a, vec b, vec c)
{
#if VEC_LANES == 16
	return _mm512_fmadd_ps(a, b, c);
#elif VEC_LANES == 8
	return _mm256_fmadd_ps(a, b, c);
#else
	return a * b + c;
#endif
}

/* The second when either is NaN, as the x86 instructions have it. */
VEC_INLINE vec
VEC_NAME(v_max) (vec a, vec b)
{
#if VEC_LANES == 16
	return _mm512_max_ps(a, b);
#elif VEC_LANES == 8
	return _mm256_max_ps(a, b);
#elif defined(__SSE2__)
	return _mm_max_ps(a, b);
#else
	vei			m = a > b;

	return (vec) (((vei) a & m) | ((vei) b & ~m));
#endif
}

VEC_INLINE vec
VEC_NAME(v_min) (vec a, vec b)
{
#if VEC_LANES == 16
	return _mm512_min_ps(a, b);
#elif VEC_LANES == 8
	return _mm256_min_ps(a, b);
#elif defined(__SSE2__)
	return _mm_min_ps(a, b);
#else
	vei			m = a < b;

	return (vec) (((vei) a & m) | ((vei) b & ~m));
#endif
}

VEC_INLINE vec
VEC_NAME(v_sqrt) (vec a)
{
#if VEC_LANES == 16
	return _mm512_sqrt_ps(a);
#elif VEC_LANES == 8
	return _mm256_sqrt_ps(a);
#elif defined(__SSE2__)
	return _mm_sqrt_ps(a);
#else
	return (vec) {__builtin_sqrtf(a[0]), __builtin_sqrtf(a[1]), __builtin_sqrtf(a[2]), __builtin_sqrtf(a[3])};
#endif
}

/*
 * e^x to about 1e-7, relative, after Cephes' expf: x = n ln 2 + r, a
 * polynomial of degree 5 in r, n into the exponent.  Adding 1.5 · 2^23 rounds
 * to the nearest integer.  Clamped to ±87, so never 0, infinite or denormal.
 */
VEC_INLINE vec
VEC_NAME(v_exp) (vec x)
{
	const vec	magic = VEC_NAME(v_all) (12582912.0f);
	vec			n;
	vec			r;
	vec			y;
	vei			power;

	x = VEC_NAME(v_min) (VEC_NAME(v_max) (x, VEC_NAME(v_all) (-87.0f)), VEC_NAME(v_all) (87.0f));
	n = VEC_NAME(v_fma) (x, VEC_NAME(v_all) (1.44269504088896341f), magic);
	power = (vei) n << 23;
	n -= magic;
	r = VEC_NAME(v_fma) (n, VEC_NAME(v_all) (-0.693359375f), x);
	r = VEC_NAME(v_fma) (n, VEC_NAME(v_all) (2.12194440e-4f), r);
	y = VEC_NAME(v_all) (1.9875691500e-4f);
	y = VEC_NAME(v_fma) (y, r, VEC_NAME(v_all) (1.3981999507e-3f));
	y = VEC_NAME(v_fma) (y, r, VEC_NAME(v_all) (8.3334519073e-3f));
	y = VEC_NAME(v_fma) (y, r, VEC_NAME(v_all) (4.1665795894e-2f));
	y = VEC_NAME(v_fma) (y, r, VEC_NAME(v_all) (1.6666665459e-1f));
	y = VEC_NAME(v_fma) (y, r, VEC_NAME(v_all) (5.0000001201e-1f));
	y = VEC_NAME(v_fma) (y, r * r, r + VEC_NAME(v_all) (1.0f));
	return (vec) ((vei) y + power);
}

/* 1 / (1 + e^-x) */
VEC_INLINE vec
VEC_NAME(v_sigmoid) (vec x)
{
	return VEC_NAME(v_all) (1.0f) / (VEC_NAME(v_all) (1.0f) + VEC_NAME(v_exp) (-x));
}

/* 2 / (1 + e^-2x) - 1: off by at most 1e-7, absolutely. */
VEC_INLINE vec
VEC_NAME(v_tanh) (vec x)
{
	return VEC_NAME(v_all) (2.0f) / (VEC_NAME(v_all) (1.0f) + VEC_NAME(v_exp) (x * VEC_NAME(v_all) (-2.0f))) -
		VEC_NAME(v_all) (1.0f);
}
