/*-------------------------------------------------------------------------
 * gemm.c
 *	  gemm_kernel.h in every width, and which of them to use.
 *-------------------------------------------------------------------------
 */
#include "core/gemm.h"

#define VEC_LANES 4
#include "core/gemm_kernel.h"

static const WfGemmKernels kernels_4 = {multiply_4, transpose_4};

#ifdef WF_HAVE_X86_SIMD
#undef VEC_LANES
#define VEC_LANES 8
#include "core/gemm_kernel.h"
#undef VEC_LANES
#define VEC_LANES 16
#include "core/gemm_kernel.h"

static const WfGemmKernels kernels_8 = {multiply_8, transpose_8};
static const WfGemmKernels kernels_16 = {multiply_16, transpose_16};
#endif

const WfGemmKernels *
wf_gemm_kernels(void)
{
#ifdef WF_HAVE_X86_SIMD
	WfSimd		level = wf_simd();

	if (level >= WF_SIMD_AVX512)
		return &kernels_16;
	if (level >= WF_SIMD_AVX2)
		return &kernels_8;
#endif
	return &kernels_4;
}
