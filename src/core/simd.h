/*-------------------------------------------------------------------------
 * simd.h
 *	  Which vector instructions the kernels may use, decided at run time.
 *
 * Every vector kernel stands beside a scalar twin that gives the same bits;
 * unit tests force either with wf_simd_limit().
 *-------------------------------------------------------------------------
 */
#ifndef WF_SIMD_H
#define WF_SIMD_H

typedef enum WfSimd
{
	WF_SIMD_SCALAR = 0,
	WF_SIMD_AVX2 = 1,			/* and FMA, which came with it */
	WF_SIMD_AVX512 = 2,			/* F, BW, DQ, VL */
	WF_SIMD_AVX512_VBMI = 3		/* the same and VBMI: permutes of bytes */
} WfSimd;

/* The best level of this processor, not above the limit set. */
WfSimd		wf_simd(void);
/* Cap the level (tests, a setting); WF_SIMD_AVX512_VBMI lifts the cap. */
void		wf_simd_limit(WfSimd level);

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define WF_HAVE_X86_SIMD 1
#define WF_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,bmi,bmi2,popcnt,lzcnt")))
#define WF_TARGET_AVX512_VBMI \
	__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,bmi,bmi2,popcnt,lzcnt")))
#define WF_TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt")))
#endif

#endif							/* WF_SIMD_H */
