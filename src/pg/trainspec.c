/*-------------------------------------------------------------------------
 * trainspec.c
 *	  Parameters between jsonb and the core, and as rows for people.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/tuplestore.h"

#include "pg/kind.h"
#include "pg/pghost.h"
#include "pg/trainspec.h"

static double
json_number(const JsonbValue *v)
{
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(v->val.numeric)));
}

/* {key: number, …}; anything else inside: false. */
static bool
read_pairs(WfHost *host, JsonbContainer *object, WfParamInput *input)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	v;
	WfPair	   *pairs = wf_alloc(host, JsonContainerSize(object) + 1, sizeof(WfPair));
	int			n = 0;

	token = JsonbIteratorNext(&it, &v, true);
	if (token != WJB_BEGIN_OBJECT)
		return false;
	while ((token = JsonbIteratorNext(&it, &v, true)) == WJB_KEY)
	{
		pairs[n].key = wf_strndup(host, v.val.string.val, (size_t) v.val.string.len);
		token = JsonbIteratorNext(&it, &v, true);
		if (v.type != jbvNumeric)
			return false;
		pairs[n++].number = json_number(&v);
	}
	input->kind = WF_INPUT_PAIRS;
	input->pairs = pairs;
	input->n_pairs = n;
	return true;
}

static WfParamInput
read_value(WfHost *host, const JsonbValue *v)
{
	WfParamInput input = {.kind = WF_INPUT_OTHER};

	switch (v->type)
	{
		case jbvNumeric:
			input.kind = WF_INPUT_NUMBER;
			input.number = json_number(v);
			break;
		case jbvBool:
			input.kind = WF_INPUT_BOOL;
			input.number = v->val.boolean ? 1 : 0;
			break;
		case jbvString:
			input.kind = WF_INPUT_TEXT;
			input.text = wf_strndup(host, v->val.string.val, (size_t) v->val.string.len);
			break;
		case jbvBinary:
			if (JsonContainerIsObject(v->val.binary.data))
				(void) read_pairs(host, v->val.binary.data, &input);
			break;
		default:
			break;
	}
	return input;
}

void
wfml_spec_parse(WfHost *host, const char *algorithm, Jsonb *params, WfSpec *spec)
{
	memset(spec, 0, sizeof(*spec));
	spec->algorithm = wf_algorithm_find(algorithm);
	if (spec->algorithm < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown algorithm \"%s\"", algorithm),
				 errhint("Valid algorithms are %s.", wf_algorithm_names())));
	wf_params_defaults(spec);
	if (params)
	{
		JsonbIterator *it;
		JsonbValue	key;
		JsonbValue	v;

		if (!JB_ROOT_IS_OBJECT(params))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("params must be a JSON object"),
					 errhint("For example: '{\"seed\": 1}'.")));
		it = JsonbIteratorInit(&params->root);
		(void) JsonbIteratorNext(&it, &key, true);
		while (JsonbIteratorNext(&it, &key, true) == WJB_KEY)
		{
			char	   *name = wf_strndup(host, key.val.string.val, (size_t) key.val.string.len);
			WfParamInput input;

			(void) JsonbIteratorNext(&it, &v, true);
			input = read_value(host, &v);
			wf_params_set(host, spec, name, &input);
		}
	}
	wf_params_finish(host, spec);
}

int
wfml_task_parse(const char *task)
{
	if (task == NULL)
		return -1;
	if (strcmp(task, "classification") == 0)
		return WF_CLASSIFICATION;
	if (strcmp(task, "regression") == 0)
		return WF_REGRESSION;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown task \"%s\"", task),
			 errhint("Valid tasks are classification and regression.")));
	return -1;
}

bool
wfml_takes_target(const WfSpec *spec, const char *target, const char *task)
{
	const WfAlgorithm *algorithm = wf_algorithm_get(spec->algorithm);

	if ((algorithm->tasks & (1u << WF_ANOMALY)) == 0)
		return true;
	if (target)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("algorithm \"%s\" takes no target", algorithm->name),
				 errhint("Leave \"target\" out, and name the columns to look at in \"features\" so that the labels are not among them; measure with wfml.evaluate() and the column of labels.")));
	if (task)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("algorithm \"%s\" takes no task", algorithm->name)));
	return false;
}

const char *
wfml_spec_column(const WfSpec *spec, const char *name)
{
	const WfParamValue *value = wf_spec_value(spec, name);

	return value->by_user ? value->text : NULL;
}

/* ---- results ---- */

static void
push_text(JsonbParseState **state, const char *key, const char *text)
{
	JsonbValue	v;

	v.type = jbvString;
	v.val.string.val = unconstify(char *, key);
	v.val.string.len = (int) strlen(key);
	pushJsonbValue(state, WJB_KEY, &v);
	v.val.string.val = unconstify(char *, text);
	v.val.string.len = (int) strlen(text);
	pushJsonbValue(state, WJB_VALUE, &v);
}

/* JSON knows no NaN: null. */
static void
push_number(JsonbParseState **state, const char *key, double number)
{
	JsonbValue	v;

	v.type = jbvString;
	v.val.string.val = unconstify(char *, key);
	v.val.string.len = (int) strlen(key);
	pushJsonbValue(state, WJB_KEY, &v);
	if (isfinite(number))
	{
		v.type = jbvNumeric;
		v.val.numeric = DatumGetNumeric(DirectFunctionCall1(float8_numeric, Float8GetDatum(number)));
	}
	else
		v.type = jbvNull;
	pushJsonbValue(state, WJB_VALUE, &v);
}

Jsonb *
wfml_scores_json(const WfFitResult *result)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < result->n_scores; i++)
		{
			const WfScore *s = &result->scores[i];

			if ((i == result->headline) != (pass == 0))
				continue;
			pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
			push_text(&state, "metric", s->metric);
			push_number(&state, "value", s->value);
			push_number(&state, "baseline", s->baseline);
			push_text(&state, "split", s->split);
			/* Of how many rows others are an estimate, the number of training rows tells. */
			if (result->n_judges > 0 && strcmp(s->split, "fresh") == 0)
				push_number(&state, "rows", (double) result->n_judges);
			pushJsonbValue(&state, WJB_END_OBJECT, NULL);
		}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

/* ---- the tables of algorithms and parameters as rows ---- */

/* "classification, regression" */
static char *
task_names(unsigned tasks)
{
	static const WfTask order[] = {WF_CLASSIFICATION, WF_REGRESSION, WF_ANOMALY, WF_RECOMMENDATION, WF_SEQUENCE};
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < (int) lengthof(order); i++)
		if (tasks & WFML_TASK(order[i]))
			appendStringInfo(&names, "%s%s", names.len ? ", " : "", wfml_task_name(order[i]));
	return names.data;
}

PG_FUNCTION_INFO_V1(wfml_algorithm_rows);

/* wfml.algorithm_rows() → (algorithm, tasks, description) */
Datum
wfml_algorithm_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < wf_algorithm_count(); i++)
	{
		const WfAlgorithm *a = wf_algorithm_get(i);
		Datum		values[3];
		bool		nulls[3] = {false};

		values[0] = CStringGetTextDatum(a->name);
		values[1] = CStringGetTextDatum(task_names(a->tasks));
		values[2] = CStringGetTextDatum(a->title);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static const char *const type_name[] = {"integer", "number", "boolean", "word", "text", "column", "numbers"};

PG_FUNCTION_INFO_V1(wfml_parameter_rows);

/* wfml.parameter_rows() → (algorithm, parameter, type, default, range, description) */
Datum
wfml_parameter_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	WfHost	   *host = wfml_host_create(CurrentMemoryContext);

	InitMaterializedSRF(fcinfo, 0);
	for (int a = 0; a < wf_algorithm_count(); a++)
		for (int i = 0; i < wf_params_count(a); i++)
		{
			const WfParam *p = wf_params_get(a, i);
			Datum		values[6];
			bool		nulls[6] = {false};

			values[0] = CStringGetTextDatum(wf_algorithm_get(a)->name);
			values[1] = CStringGetTextDatum(p->name);
			values[2] = CStringGetTextDatum(type_name[p->type]);
			nulls[3] = p->fallback == NULL;
			values[3] = p->fallback ? CStringGetTextDatum(p->fallback) : (Datum) 0;
			values[4] = CStringGetTextDatum(wf_params_range(host, p));
			values[5] = CStringGetTextDatum(p->description);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
	return (Datum) 0;
}
