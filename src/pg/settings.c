/*-------------------------------------------------------------------------
 * settings.c
 *	  The wfml.* settings: limits that protect others are for superusers.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <limits.h>

#include "core/simd.h"
#include "pg/settings.h"

int			wfml_max_training_memory = 1024 * 1024;
int			wfml_max_model_size = 1024 * 1024;
int			wfml_model_cache_size = 10;
int			wfml_model_cache_memory = 256 * 1024;

/* Only the core's limit counts, which the hook sets. */
static int	simd = WF_SIMD_AVX512_VBMI;

static const struct config_enum_entry simd_options[] = {
	{"auto", WF_SIMD_AVX512_VBMI, false},
	{"avx512", WF_SIMD_AVX512, false},
	{"avx2", WF_SIMD_AVX2, false},
	{"scalar", WF_SIMD_SCALAR, false},
	{NULL, 0, false}
};

static void
assign_simd(int value, void *extra)
{
	wf_simd_limit((WfSimd) value);
}

void
wfml_settings_define(void)
{
	DefineCustomIntVariable("wfml.max_training_memory",
							"Memory that one training may use.",
							"It holds for what the members of a training share, and for each member's own. Raw values beyond maintenance_work_mem are spooled to disk.",
							&wfml_max_training_memory, 1024 * 1024, 1024, INT_MAX,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("wfml.max_model_size",
							"Largest size of a stored model.",
							NULL,
							&wfml_max_model_size, 1024 * 1024, 64, 1024 * 1024,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("wfml.model_cache_size",
							"Number of models that a session keeps opened.",
							"The least recently used ones are closed first.",
							&wfml_model_cache_size, 10, 1, 1000,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("wfml.model_cache_memory",
							"Memory for the opened models of a session.",
							"The least recently used ones are closed first; a model in use always stays.",
							&wfml_model_cache_memory, 256 * 1024, 1024, INT_MAX,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomEnumVariable("wfml.simd",
							 "Vector instructions that wfml may use.",
							 "For tests: \"auto\" takes the best that the processor has, the others never more than they say. All give the same answers, to rounding.",
							 &simd, WF_SIMD_AVX512_VBMI, simd_options,
							 PGC_SUSET, 0, NULL, assign_simd, NULL);
	MarkGUCPrefixReserved("wfml");
}
