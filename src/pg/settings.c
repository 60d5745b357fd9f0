/*-------------------------------------------------------------------------
 * settings.c
 *	  The wfml.* settings: limits that protect others are for superusers.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <limits.h>

#include "core/simd.h"
#include "pg/predictionlog.h"
#include "pg/settings.h"

int			wfml_max_training_memory = 1024 * 1024;
int			wfml_max_model_size = 1024 * 1024;
int			wfml_model_cache_size = 10;
int			wfml_model_cache_memory = 256 * 1024;
int			wfml_shared_cache_memory = 1024 * 1024;
int			wfml_prediction_cache_entries = 10000;
int			wfml_prediction_cache_ttl = 300;
double		wfml_log_sample_rate = 1.0;
int			wfml_rate_limit = 0;
int			wfml_max_retraining_time = 4 * 3600;
int			wfml_prediction_retention = 90 * 24 * 60;
char	   *wfml_user_id = NULL;
int			wfml_on_error = WFML_ON_ERROR_FALLBACK;

/* Only the core's limit counts, which the hook sets. */
static int	simd = WF_SIMD_AVX512_VBMI;

static const struct config_enum_entry simd_options[] = {
	{"auto", WF_SIMD_AVX512_VBMI, false},
	{"avx512", WF_SIMD_AVX512, false},
	{"avx2", WF_SIMD_AVX2, false},
	{"scalar", WF_SIMD_SCALAR, false},
	{NULL, 0, false}
};

static const struct config_enum_entry on_error_options[] = {
	{"fallback", WFML_ON_ERROR_FALLBACK, false},
	{"error", WFML_ON_ERROR_ERROR, false},
	{NULL, 0, false}
};

static void
assign_simd(int value, void *extra)
{
	wf_simd_limit((WfSimd) value);
}

static bool
check_user_id(char **value, void **extra, GucSource source)
{
	if (strlen(*value) <= WFML_LOG_KEY_BYTES)
		return true;
	GUC_check_errdetail("It may have %d bytes.", WFML_LOG_KEY_BYTES);
	return false;
}

static void
define_limits(void)
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
	DefineCustomIntVariable("wfml.shared_cache_memory",
							"Shared memory for models of 8 MB and more, which all sessions of the server then have in common.",
							"The least recently used ones that no session has opened go first; what does not fit, each session loads for itself. 0 turns sharing off.",
							&wfml_shared_cache_memory, 1024 * 1024, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("wfml.prediction_cache_entries",
							"Number of answers that a session keeps for predict_cached().",
							"The least recently used ones go first.",
							&wfml_prediction_cache_entries, 10000, 0, 10000000,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("wfml.prediction_cache_ttl",
							"How long predict_cached() may give the same answer again.",
							"0 turns the prediction cache off.",
							&wfml_prediction_cache_ttl, 300, 0, INT_MAX / 1000,
							PGC_USERSET, GUC_UNIT_S, NULL, NULL, NULL);
}

static void
define_logging(void)
{
	DefineCustomRealVariable("wfml.log_sample_rate",
							 "Share of the predictions of log_predict() and triggers that are logged.",
							 NULL,
							 &wfml_log_sample_rate, 1.0, 0.0, 1.0,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("wfml.rate_limit",
							"Logged predictions that a role may make in a minute.",
							"Over it log_predict() is an error, and triggers answer without logging. 0 turns it off.",
							&wfml_rate_limit, 0, 0, INT_MAX,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("wfml.max_retraining_time",
							"Most that run_retraining() grants a model for reading, and again for training.",
							"A policy's max_seconds holds when it is less: policies are their owners', the night is everybody's.",
							&wfml_max_retraining_time, 4 * 3600, 1, INT_MAX / 1000,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("wfml.prediction_retention",
							"How long run_retraining() keeps logged predictions.",
							"0 keeps them for ever.",
							&wfml_prediction_retention, 90 * 24 * 60, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_MIN, NULL, NULL, NULL);
	DefineCustomStringVariable("wfml.user_id",
							   "User of the application that predictions are made for.",
							   "It is logged with each prediction, and the view wfml.predictions shows only this user's. Behind a transaction pooler use SET LOCAL.",
							   &wfml_user_id, "",
							   PGC_USERSET, 0, check_user_id, NULL, NULL);
	DefineCustomEnumVariable("wfml.on_error",
							 "What log_predict() and triggers do when a model cannot answer.",
							 "\"fallback\" takes the model's rule, failing that no answer; \"error\" raises the error.",
							 &wfml_on_error, WFML_ON_ERROR_FALLBACK, on_error_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
}

void
wfml_settings_define(void)
{
	define_limits();
	define_logging();
	DefineCustomEnumVariable("wfml.simd",
							 "Vector instructions that wfml may use.",
							 "For tests: \"auto\" takes the best that the processor has, the others never more than they say. All give the same answers, to rounding.",
							 &simd, WF_SIMD_AVX512_VBMI, simd_options,
							 PGC_SUSET, 0, NULL, assign_simd, NULL);
	MarkGUCPrefixReserved("wfml");
}
