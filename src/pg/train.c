/*-------------------------------------------------------------------------
 * train.c
 *	  wfml.train(): check, read, fit, publish.
 *
 * Nothing is written before the fit has ended: parallel mode forbids it, and
 * an error then leaves no trace.  All memory of a training is in one context.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/model.h"
#include "pg/arguments.h"
#include "pg/pghost.h"
#include "pg/pgteam.h"
#include "pg/progress.h"
#include "pg/registry.h"
#include "pg/settings.h"
#include "pg/source.h"
#include "pg/trainspec.h"

/* The arguments of wfml.train(). */
typedef struct TrainCall
{
	char	   *model;
	char	   *algorithm;
	char	   *source;
	char	   *target;			/* NULL: none */
	Jsonb	   *params;			/* NULL: none */
	List	   *features;		/* of char *; NIL: automatic */
	char	   *task;			/* NULL: automatic */
	bool		activate;
} TrainCall;

static void
read_call(FunctionCallInfo fcinfo, TrainCall *call)
{
	call->model = wfml_argument_text(fcinfo, 0, "model");
	call->algorithm = wfml_argument_text(fcinfo, 1, "algorithm");
	call->source = wfml_argument_text(fcinfo, 2, "source");
	call->target = wfml_argument_text_or_null(fcinfo, 3);
	call->params = PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4);
	call->features = wfml_argument_names(fcinfo, 5, "features");
	call->task = wfml_argument_text_or_null(fcinfo, 6);
	call->activate = PG_ARGISNULL(7) ? true : PG_GETARG_BOOL(7);
}

static WfmlSource *
read_source(WfHost *host, const TrainCall *call, const WfSpec *spec)
{
	WfmlSourceRequest request = {
		.source = call->source,
		.features = call->features,
		.target = call->target,
		.task = wfml_task_parse(call->task),
		.positive = wfml_spec_column(spec, "positive"),
		.weight_column = wfml_spec_column(spec, "weight_column"),
		.group_column = wfml_spec_column(spec, "group_column"),
		.time_column = spec->validation == WF_VALIDATE_TIME ? wfml_spec_column(spec, "time_column") : NULL,
		.time_parts = WF_TIME_PARTS_DEFAULT |
			(wf_spec_is(spec, "time_features", "epoch") ? 1u << WF_PART_EPOCH : 0),
		.model = call->model,
		.memory_limit = (size_t) maintenance_work_mem * 1024,
	};
	WfmlSource *source;

	if (call->target == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("algorithm \"%s\" needs a target", call->algorithm),
				 errhint("Name the column to predict in the argument \"target\".")));
	source = wfml_source_load(host, &request);
	if ((wf_algorithm_get(spec->algorithm)->tasks & (1u << source->task)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("algorithm \"%s\" cannot do %s", call->algorithm, wfml_task_name(source->task))));
	if (source->has_timestamp &&
		(spec->validation == WF_VALIDATE_HOLDOUT || spec->validation == WF_VALIDATE_CV))
		ereport(NOTICE,
				(errmsg("rows have a time but are validated at random"),
				 errhint("To measure as in use, on later rows: '{\"validation\": \"time\", \"time_column\": …}'.")));
	return source;
}

/* Memory of the fit, refused up front when it will not fit. Returns what is to be shared. */
static size_t
check_memory(const WfSpec *spec, const WfmlSource *source, double *work)
{
	uint64_t	n = wf_frame_n_rows(source->frame);
	uint32_t	d = (uint32_t) source->schema->n_features;
	int			k = source->task == WF_CLASSIFICATION ? source->schema->n_classes : 0;
	size_t		shared;
	size_t		memory = wf_fit_memory(spec, n, d, k, &shared) + wf_frame_memory(source->frame);
	size_t		limit = (size_t) wfml_max_training_memory * 1024;
	double		rounds = wf_spec_has(spec, "trees") ? wf_spec_number(spec, "trees") :
		wf_spec_has(spec, "rounds") ? wf_spec_number(spec, "rounds") : 100;

	if (memory > limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("training needs about %zu MB, more than \"wfml.max_training_memory\" allows (%zu MB)",
						memory >> 20, limit >> 20),
				 errdetail("The source has " UINT64_FORMAT " rows and %u features.", n, d),
				 errhint("Raise \"wfml.max_training_memory\", or train on fewer rows or columns.")));
	*work = (double) n * d * rounds;
	return shared;
}

static Jsonb *
names_json(const WfSchema *schema, int *count)
{
	JsonbParseState *state = NULL;

	*count = 0;
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int c = 0; c < schema->n_columns; c++)
	{
		JsonbValue	v;

		if (schema->columns[c].left_out != WF_KEPT)
			continue;
		v.type = jbvString;
		v.val.string.val = schema->columns[c].name;
		v.val.string.len = (int) strlen(v.val.string.val);
		pushJsonbValue(&state, WJB_ELEM, &v);
		(*count)++;
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

static Jsonb *
arguments_json(const TrainCall *call, const char *stored_source)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "{\"algorithm\": ");
	escape_json(&buf, call->algorithm);
	appendStringInfoString(&buf, ", \"source\": ");
	escape_json(&buf, stored_source);
	if (call->target)
	{
		appendStringInfoString(&buf, ", \"target\": ");
		escape_json(&buf, call->target);
	}
	if (call->task)
	{
		appendStringInfoString(&buf, ", \"task\": ");
		escape_json(&buf, call->task);
	}
	if (call->features)
	{
		ListCell   *cell;

		appendStringInfoString(&buf, ", \"features\": [");
		foreach(cell, call->features)
		{
			if (foreach_current_index(cell) > 0)
				appendStringInfoString(&buf, ", ");
			escape_json(&buf, lfirst(cell));
		}
		appendStringInfoChar(&buf, ']');
	}
	appendStringInfoString(&buf, ", \"params\": ");
	if (call->params)
		appendStringInfoString(&buf, JsonbToCString(NULL, &call->params->root, VARSIZE(call->params)));
	else
		appendStringInfoString(&buf, "{}");
	appendStringInfoChar(&buf, '}');
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(buf.data)));
}

static void
warn_of_leak(const WfFitResult *result, const WfmlSource *source)
{
	if (result->leak_column < 0)
		return;
	ereport(WARNING,
			(errmsg("column \"%s\" alone predicts \"%s\" almost perfectly (AUC %.3f)",
					source->schema->columns[result->leak_column].name, source->positive, result->leak_auc),
			 errdetail("Such a column is often written together with the target, and not known when predicting."),
			 errhint("If so, leave it out with the argument \"features\".")));
}

/*
 * "churn@4 replaces churn@3: accuracy 0.87, was 0.86 (better)", or, when the
 * new version was only stored, that the other one stays.
 */
static void
compare_with_replaced(const WfmlPublication *p, const WfFitResult *result)
{
	char	   *metric;
	double		was;
	const WfScore *now = result->headline >= 0 ? &result->scores[result->headline] : NULL;
	char	   *what;

	if (p->replaced_id == 0)
		return;
	what = p->activate
		? psprintf("%s@%d replaces %s@%d", p->name, p->version, p->name, p->replaced_version)
		: psprintf("%s@%d is stored, %s@%d stays active", p->name, p->version, p->name, p->replaced_version);
	if (now && wfml_headline(p->replaced_id, &metric, &was) && strcmp(metric, now->metric) == 0)
		ereport(NOTICE,
				(errmsg("%s: %s %.4g, %s %.4g (%s)", what, metric, now->value,
						p->activate ? "was" : "against", was,
						now->value > was ? "better" : now->value < was ? "worse" : "equal")));
	else
		ereport(NOTICE, (errmsg("%s", what)));
}

static Datum
summary(FunctionCallInfo fcinfo, const WfmlPublication *p, const WfFitResult *result, int n_columns)
{
	TupleDesc	desc;
	Datum		values[12];
	bool		nulls[12] = {false};
	const WfScore *score = result->headline >= 0 ? &result->scores[result->headline] : NULL;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = CStringGetTextDatum(p->name);
	values[1] = Int32GetDatum(p->version);
	values[2] = CStringGetTextDatum(p->algorithm);
	values[3] = CStringGetTextDatum(p->task);
	values[4] = Int64GetDatum(p->training_rows);
	values[5] = Int32GetDatum(n_columns);
	nulls[6] = nulls[7] = nulls[8] = score == NULL;
	if (score)
	{
		values[6] = CStringGetTextDatum(score->metric);
		values[7] = Float8GetDatum(score->value);
		values[8] = Float8GetDatum(score->baseline);
		nulls[7] = isnan(score->value);
		nulls[8] = isnan(score->baseline);
	}
	values[9] = Float8GetDatum(rint(p->training_seconds * 1000) / 1000);
	values[10] = DirectFunctionCall1(pg_size_pretty, Int64GetDatum((int64) p->artifact_bytes));
	nulls[11] = p->positive == NULL;
	values[11] = p->positive ? CStringGetTextDatum(p->positive) : (Datum) 0;
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

PG_FUNCTION_INFO_V1(wfml_train);

/* wfml.train(model, algorithm, source, target, params, features, task, activate) → training_summary */
Datum
wfml_train(PG_FUNCTION_ARGS)
{
	TrainCall	call;
	WfSpec		spec;
	WfFitResult result;
	WfFitInput	input;
	WfmlPublication p;
	WfmlSource *source;
	MemoryContext context;
	WfHost	   *host;
	double		started;
	double		work;
	size_t		shared;
	int			n_columns;
	Datum		row;

	PreventCommandIfReadOnly("wfml.train()");
	read_call(fcinfo, &call);
	wfml_check_model_name(call.model);
	wfml_check_may_train(call.model);

	context = AllocSetContextCreate(CurrentMemoryContext, "wfml training", ALLOCSET_DEFAULT_SIZES);
	host = wfml_host_create(context);
	wfml_host_limit(host, (size_t) wfml_max_training_memory * 1024, "wfml.max_training_memory");
	wfml_host_report(host);
	started = host->now(host);
	wfml_spec_parse(host, call.algorithm, call.params, &spec);
	wfml_progress_begin(call.model, call.algorithm, context);

	source = read_source(host, &call, &spec);
	spec.task = source->task;
	shared = check_memory(&spec, source, &work);
	input = (WfFitInput) {
		.schema = source->schema,
		.frame = source->frame,
		.class_of_code = source->class_of_code,
		.size_limit = (size_t) wfml_max_model_size * 1024,
	};
	wfml_team_fit(host, &spec, &input, work, shared, &result);

	memset(&p, 0, sizeof(p));
	p.name = call.model;
	p.algorithm = call.algorithm;
	p.task = wfml_task_name(source->task);
	p.source = source->stored_source;
	p.target = call.target;
	p.features = names_json(source->schema, &n_columns);
	p.params = call.params;
	p.metrics = wfml_scores_json(&result);
	p.seed = (int64) spec.seed;
	p.training_rows = (int64) result.training_rows;
	p.training_seconds = host->now(host) - started;
	p.artifact = result.artifact.data;
	p.artifact_bytes = result.artifact.length;
	p.format_version = WF_MODEL_FORMAT;
	p.activate = call.activate;
	p.positive = source->positive;
	p.arguments = arguments_json(&call, source->stored_source);
	wfml_publish(&p);

	warn_of_leak(&result, source);
	if (result.time_limited)
		ereport(NOTICE,
				(errmsg("training stopped after \"max_seconds\" with %d rounds", result.rounds),
				 errdetail("The model depends on the machine's speed, so it cannot be repeated exactly.")));
	compare_with_replaced(&p, &result);
	row = summary(fcinfo, &p, &result, n_columns);
	MemoryContextDelete(context);
	return row;
}
