/*-------------------------------------------------------------------------
 * describe.c
 *	  model_facts and feature_importance: what a version's bytes say.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/tuplestore.h"

#include "core/isolation.h"
#include "core/sequence.h"
#include "pg/cache.h"
#include "pg/compat.h"
#include "pg/registry.h"

PG_FUNCTION_INFO_V1(wfml_model_facts);
PG_FUNCTION_INFO_V1(wfml_feature_importance);

/* ---- one JSON object ---- */

static void
push_key(JsonbParseState **state, const char *key)
{
	JsonbValue	v;

	v.type = jbvString;
	v.val.string.val = unconstify(char *, key);
	v.val.string.len = strlen(key);
	pushJsonbValue(state, WJB_KEY, &v);
}

static void
push_text(JsonbParseState **state, JsonbIteratorToken token, const char *bytes, size_t length)
{
	JsonbValue	v;

	v.type = jbvString;
	v.val.string.val = unconstify(char *, bytes);
	v.val.string.len = length;
	pushJsonbValue(state, token, &v);
}

static void
push_number(JsonbParseState **state, const char *key, double number)
{
	JsonbValue	v;

	if (isnan(number) || isinf(number))
		return;
	v.type = jbvNumeric;
	v.val.numeric = DatumGetNumeric(DirectFunctionCall1(float8_numeric, Float8GetDatum(number)));
	push_key(state, key);
	pushJsonbValue(state, WJB_VALUE, &v);
}

static const char *
kind_name(uint8 kind)
{
	static const char *const names[] = {
		"number", "boolean", "category", "timestamp", "date", "time", "tags", "vector", "group"
	};

	return kind < lengthof(names) ? names[kind] : "unknown";
}

static void
push_columns(JsonbParseState **state, const WfModel *model)
{
	push_key(state, "columns");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 c = 0; c < model->header->n_columns; c++)
	{
		const WfColumnRecord *column = &model->columns[c];
		const char *kind = kind_name(column->kind);

		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		push_key(state, "name");
		push_text(state, WJB_VALUE, wf_model_string(model, column->name), column->name.length);
		push_key(state, "kind");
		push_text(state, WJB_VALUE, kind, strlen(kind));
		push_number(state, "features", column->n_features);
		if (column->n_strings > 0)
			push_number(state, "levels", column->n_strings);
		pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
push_labels(JsonbParseState **state, const WfModel *model)
{
	push_key(state, "labels");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 c = 0; c < model->header->n_classes; c++)
		push_text(state, WJB_ELEM, wf_model_string(model, model->labels[c]), model->labels[c].length);
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

/* Distinct events, whether times can be told, and the shares that the experts have in an answer. */
static void
push_sequence(JsonbParseState **state, const WfModel *model)
{
	const WfSequence *sequence = model->opened;
	JsonbValue	timed = {.type = jbvBool, .val.boolean = wf_sequence_timed(sequence)};

	push_number(state, "events", model->ids[0].n);
	push_key(state, "timed");
	pushJsonbValue(state, WJB_VALUE, &timed);
	push_key(state, "weights");
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	for (int e = 0; e < WF_N_EXPERTS; e++)
		push_number(state, wf_expert_name((WfExpert) e), rint(1e4 * wf_sequence_weight(sequence, (WfExpert) e)) / 1e4);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* model_facts(model_id) → jsonb */
Datum
wfml_model_facts(PG_FUNCTION_ARGS)
{
	static const char *const calibrations[] = {"none", "platt", "temperature"};
	WfmlResolved resolved;
	const WfModel *model;
	const WfModelHeader *header;
	const char *calibration;
	JsonbParseState *state = NULL;

	wfml_resolve_id(PG_GETARG_INT64(0), GetUserId(), &resolved);
	model = wfml_cache_get(resolved.id, CurrentMemoryContext)->model;
	header = model->header;
	calibration = header->calibration < lengthof(calibrations) ? calibrations[header->calibration] : "unknown";
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (header->task == WF_RECOMMENDATION)
	{
		push_number(&state, "users", model->ids[0].n);
		push_number(&state, "items", model->ids[1].n);
	}
	else if (header->task == WF_SEQUENCE)
		push_sequence(&state, model);
	else
	{
		push_columns(&state, model);
		push_number(&state, "features", header->n_features);
	}
	if (header->n_classes > 0)
	{
		push_labels(&state, model);
		push_key(&state, "calibration");
		push_text(&state, WJB_VALUE, calibration, strlen(calibration));
	}
	else if (header->task == WF_ANOMALY)
		push_number(&state, "threshold", wf_isolation_facts(model->opened)->threshold);
	else if (header->task == WF_REGRESSION)
	{
		push_number(&state, "lower_residual", header->lower);
		push_number(&state, "upper_residual", header->upper);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/* ---- importance ---- */

typedef struct Ranked
{
	uint32		column;
	double		gain;
} Ranked;

/* Higher gain first; the model's order of columns breaks ties. */
static int
by_gain(const void *a, const void *b)
{
	const Ranked *x = a;
	const Ranked *y = b;

	if (x->gain != y->gain)
		return x->gain > y->gain ? -1 : 1;
	return x->column < y->column ? -1 : 1;
}

/* feature_importance(model) → SETOF (feature, gain, splits, permutation) */
Datum
wfml_feature_importance(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	WfmlResolved resolved;
	const WfModel *model;
	Ranked	   *order;
	double		total = 0;
	uint32		n;

	wfml_resolve(text_to_cstring(PG_GETARG_TEXT_PP(0)), GetUserId(), &resolved);
	model = wfml_cache_get(resolved.id, CurrentMemoryContext)->model;
	InitMaterializedSRF(fcinfo, 0);
	n = model->importance ? model->header->n_columns : 0;
	order = palloc(sizeof(Ranked) * (n + 1));
	for (uint32 c = 0; c < n; c++)
	{
		double		gain = model->importance[c].gain;

		order[c].column = c;
		order[c].gain = gain > 0 && !isinf(gain) ? gain : 0;
		total += order[c].gain;
	}
	qsort(order, n, sizeof(Ranked), by_gain);
	for (uint32 i = 0; i < n; i++)
	{
		const WfImportance *importance = &model->importance[order[i].column];
		const WfStringRecord name = model->columns[order[i].column].name;
		Datum		values[4];
		bool		nulls[4] = {false};

		values[0] = PointerGetDatum(cstring_to_text_with_len(wf_model_string(model, name), name.length));
		values[1] = Float8GetDatum(total > 0 ? order[i].gain / total : 0);
		nulls[2] = !(importance->splits >= 0 && importance->splits < 1e18);
		values[2] = nulls[2] ? (Datum) 0 : Int64GetDatum((int64) importance->splits);
		nulls[3] = isnan(importance->permutation);
		values[3] = Float8GetDatum(importance->permutation);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
