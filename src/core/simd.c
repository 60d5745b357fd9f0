/*-------------------------------------------------------------------------
 * simd.c
 *	  Ask the processor once what it can do.
 *-------------------------------------------------------------------------
 */
#include "core/simd.h"

static WfSimd limit = WF_SIMD_AVX512_VBMI;
static int	detected = -1;

static int
detect(void)
{
#ifdef WF_HAVE_X86_SIMD
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
		__builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma"))
		return __builtin_cpu_supports("avx512vbmi") ? WF_SIMD_AVX512_VBMI : WF_SIMD_AVX512;
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma"))
		return WF_SIMD_AVX2;
#endif
	return WF_SIMD_SCALAR;
}

WfSimd
wf_simd(void)
{
	if (detected < 0)
		detected = detect();
	return (WfSimd) detected < limit ? (WfSimd) detected : limit;
}

void
wf_simd_limit(WfSimd level)
{
	limit = level;
}
