/*-------------------------------------------------------------------------
 * anomaly.c
 *	  anomaly_score(), is_anomaly() and explain_anomaly().
 *
 * As for predict(), a C function of its own for each kind of input.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "core/isolation.h"
#include "pg/anomaly.h"
#include "pg/callsite.h"
#include "pg/counters.h"
#include "pg/explain.h"
#include "pg/kind.h"

bool
wfml_is_anomalous(const WfModel *model, double score)
{
	return score > wf_isolation_facts(model->opened)->threshold;
}

const char *
wfml_anomaly_word(const WfModel *model, double score)
{
	return wfml_is_anomalous(model, score) ? "anomaly" : "normal";
}

double
wfml_anomaly_confidence(const WfModel *model, double score)
{
	return wf_isolation_confidence(model->opened, score);
}

/* The score of the input; false: model or input is NULL. */
static bool
score_input(FunctionCallInfo fcinfo, WfmlInput input, const WfModel **model, double *score)
{
	WfmlSite   *site;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model must not be null")));
	if (PG_ARGISNULL(1))
		return false;
	site = wfml_site(fcinfo);
	site->tasks = WFML_TASK(WF_ANOMALY);
	wfml_site_use_name(site, PG_GETARG_TEXT_PP(0));
	*model = site->cached->model;
	wf_model_predict(*model, wfml_site_features(site, input, PG_GETARG_DATUM(1)), score);
	wfml_count(site->cached->id, WFML_COUNT_PREDICTIONS, 1);
	return true;
}

static Datum
anomaly_score(FunctionCallInfo fcinfo, WfmlInput input)
{
	const WfModel *model;
	double		score;

	if (!score_input(fcinfo, input, &model, &score))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(score);
}

static Datum
is_anomaly(FunctionCallInfo fcinfo, WfmlInput input)
{
	const WfModel *model;
	double		score;

	if (!score_input(fcinfo, input, &model, &score))
		PG_RETURN_NULL();
	PG_RETURN_BOOL(wfml_is_anomalous(model, score));
}

#define ANOMALY_FUNCTIONS(SUFFIX, KIND) \
PG_FUNCTION_INFO_V1(wfml_anomaly_score_##SUFFIX); \
Datum \
wfml_anomaly_score_##SUFFIX(PG_FUNCTION_ARGS) \
{ \
	return anomaly_score(fcinfo, KIND); \
} \
PG_FUNCTION_INFO_V1(wfml_is_anomaly_##SUFFIX); \
Datum \
wfml_is_anomaly_##SUFFIX(PG_FUNCTION_ARGS) \
{ \
	return is_anomaly(fcinfo, KIND); \
} \
PG_FUNCTION_INFO_V1(wfml_explain_anomaly_##SUFFIX); \
Datum \
wfml_explain_anomaly_##SUFFIX(PG_FUNCTION_ARGS) \
{ \
	return wfml_explain_rows(fcinfo, KIND, false, WFML_TASK(WF_ANOMALY)); \
}

/* json serves text too. */
ANOMALY_FUNCTIONS(record, WFML_INPUT_RECORD)
ANOMALY_FUNCTIONS(jsonb, WFML_INPUT_JSONB)
ANOMALY_FUNCTIONS(json, WFML_INPUT_JSON)
