/*-------------------------------------------------------------------------
 * predict.c
 *	  predict, classify, predict_proba, predict_detail and their forms by id.
 *
 * Each comes for four kinds of input (record, jsonb, json, text), as C
 * functions of their own, so that a call needs no look at argument types.
 * None writes or logs anything.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "pg/callsite.h"
#include "pg/compat.h"
#include "pg/counters.h"
#include "pg/detail.h"
#include "pg/kind.h"
#include "pg/registry.h"

/* How the first argument names the model. */
typedef enum Reference
{
	BY_NAME,
	BY_ID
} Reference;

/* ---- common to all ---- */

/*
 * Resolve, map and predict; the outputs are in site->cached->values.  False:
 * the input is NULL, and so is the result.
 */
static inline bool
predict_row(FunctionCallInfo fcinfo, Reference reference, WfmlInput input, WfmlSite **used)
{
	WfmlSite   *site;
	const WfmlCached *cached;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model must not be null")));
	if (PG_ARGISNULL(1))
		return false;
	site = wfml_site(fcinfo);
	if (reference == BY_NAME)
		wfml_site_use_name(site, PG_GETARG_TEXT_PP(0));
	else
		wfml_site_use_id(site, PG_GETARG_INT64(0));
	cached = site->cached;
	wf_model_predict(cached->model, wfml_site_features(site, input, PG_GETARG_DATUM(1)), cached->values);
	wfml_count(cached->id, WFML_COUNT_PREDICTIONS, 1);
	*used = site;
	return true;
}

static inline int
n_classes(const WfmlSite *site)
{
	return (int) site->cached->model->header->n_classes;
}

static void
need_classes(const WfmlSite *site, const char *function)
{
	wfml_check_task(site->cached->model, site->resolved.name, WFML_TASK(WF_REGRESSION) | WFML_TASK(WF_CLASSIFICATION));
	if (n_classes(site) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WFML_WRONG_KIND),
				 errmsg("model \"%s\" is a regression model and has no classes", site->resolved.name),
				 errhint("Use wfml.predict() instead of wfml.%s().", function)));
}

static Datum
best_label(const WfmlSite *site)
{
	return site->cached->labels[wf_output_label(&site->cached->model->output, site->cached->values)];
}

/* Labels live in the cache: what leaves a function is a copy in the caller's memory. */
static Datum
copy_label(Datum label)
{
	text	   *t = DatumGetTextPP(label);
	Size		size = VARSIZE_ANY(t);
	text	   *copy = palloc(size);

	memcpy(copy, t, size);
	return PointerGetDatum(copy);
}

/* ---- results ---- */

static void
too_many_classes(const WfmlSite *site)
{
	ereport(ERROR,
			(errcode(ERRCODE_WFML_WRONG_KIND),
			 errmsg("model \"%s\" has %d classes, which no single number describes",
					site->resolved.name, n_classes(site)),
			 errhint("Use wfml.classify() for the label or wfml.predict_proba() for the probabilities.")));
}

static inline Datum
result_number(FunctionCallInfo fcinfo, WfmlSite *site)
{
	if (n_classes(site) > 2)
		too_many_classes(site);
	PG_RETURN_FLOAT8(site->cached->values[n_classes(site) == 2]);
}

static inline Datum
result_label(FunctionCallInfo fcinfo, WfmlSite *site)
{
	need_classes(site, "classify");
	return copy_label(best_label(site));
}

/* {label: probability} */
static Datum
result_probabilities(FunctionCallInfo fcinfo, WfmlSite *site)
{
	const WfModel *model = site->cached->model;
	JsonbParseState *state = NULL;
	JsonbValue *object;

	need_classes(site, "predict_proba");
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int c = 0; c < n_classes(site); c++)
	{
		JsonbValue	key;
		JsonbValue	value;

		key.type = jbvString;
		key.val.string.val = unconstify(char *, wf_model_string(model, model->labels[c]));
		key.val.string.len = model->labels[c].length;
		value.type = jbvNumeric;
		value.val.numeric = DatumGetNumeric(DirectFunctionCall1(float8_numeric,
																Float8GetDatum(site->cached->values[c])));
		pushJsonbValue(&state, WJB_KEY, &key);
		pushJsonbValue(&state, WJB_VALUE, &value);
	}
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	PG_RETURN_POINTER(JsonbValueToJsonb(object));
}

static void
unknown_label(const WfmlSite *site, text *label)
{
	const WfModel *model = site->cached->model;
	StringInfoData names;
	int			shown = Min(n_classes(site), 10);

	initStringInfo(&names);
	for (int c = 0; c < shown; c++)
		appendStringInfo(&names, "%s\"%s\"", c ? ", " : "", wf_model_string(model, model->labels[c]));
	if (shown < n_classes(site))
		appendStringInfo(&names, " and %d more", n_classes(site) - shown);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("model \"%s\" has no label \"%s\"", site->resolved.name, text_to_cstring(label)),
			 errhint("Its labels are %s.", names.data)));
}

/* The probability of one label, the third argument. */
static Datum
result_probability(FunctionCallInfo fcinfo, WfmlSite *site)
{
	const WfModel *model = site->cached->model;
	text	   *label;

	need_classes(site, "predict_proba");
	if (PG_ARGISNULL(2))
		PG_RETURN_NULL();
	label = PG_GETARG_TEXT_PP(2);
	for (int c = 0; c < n_classes(site); c++)
		if (model->labels[c].length == VARSIZE_ANY_EXHDR(label) &&
			memcmp(wf_model_string(model, model->labels[c]), VARDATA_ANY(label), model->labels[c].length) == 0)
			PG_RETURN_FLOAT8(site->cached->values[c]);
	unknown_label(site, label);
	PG_RETURN_NULL();			/* not reached */
}

static Datum
result_detail(FunctionCallInfo fcinfo, WfmlSite *site)
{
	WfmlDetail	detail;

	if (site->result == NULL)
		site->result = wfml_detail_desc(fcinfo, site->context);
	wfml_detail_fill(site->cached, site->resolved.version, "function", &detail);
	PG_RETURN_DATUM(wfml_detail_row(site->result, &detail));
}

/* ---- the SQL functions ---- */

#define ENTRY(name, reference, input, result) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	WfmlSite   *site; \
	if (!predict_row(fcinfo, reference, input, &site)) \
		PG_RETURN_NULL(); \
	return result(fcinfo, site); \
}

/* One for each kind of input; json and text share the last. */
#define ENTRIES(name, reference, result) \
ENTRY(name##_record, reference, WFML_INPUT_RECORD, result) \
ENTRY(name##_jsonb, reference, WFML_INPUT_JSONB, result) \
ENTRY(name##_json, reference, WFML_INPUT_JSON, result)

ENTRIES(wfml_predict, BY_NAME, result_number)
ENTRIES(wfml_classify, BY_NAME, result_label)
ENTRIES(wfml_predict_proba, BY_NAME, result_probabilities)
ENTRIES(wfml_predict_proba_label, BY_NAME, result_probability)
ENTRIES(wfml_predict_detail, BY_NAME, result_detail)
ENTRIES(wfml_predict_version, BY_ID, result_number)
ENTRIES(wfml_classify_version, BY_ID, result_label)
