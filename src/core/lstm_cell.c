/*-------------------------------------------------------------------------
 * lstm_cell.c
 *	  lstm_kernel.h in every width, and which of them to use.
 *-------------------------------------------------------------------------
 */
#include "core/lstm_cell.h"
#include "core/simd.h"

#define VEC_LANES 4
#include "core/lstm_kernel.h"

static const WfLstmKernels kernels_4 = KERNELS;

#ifdef WF_HAVE_X86_SIMD
#undef VEC_LANES
#define VEC_LANES 8
#include "core/lstm_kernel.h"

static const WfLstmKernels kernels_8 = KERNELS;

#undef VEC_LANES
#define VEC_LANES 16
#include "core/lstm_kernel.h"

static const WfLstmKernels kernels_16 = KERNELS;
#endif

const WfLstmKernels *
wf_lstm_kernels(void)
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
