/*-------------------------------------------------------------------------
 * train.c
 *	  wfml.train(): models of rows.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/arguments.h"
#include "pg/columns.h"
#include "pg/kind.h"
#include "pg/settings.h"
#include "pg/source.h"
#include "pg/stored_arguments.h"
#include "pg/traincall.h"
#include "pg/trainspec.h"

static void
read_call(FunctionCallInfo fcinfo, WfmlTrainCall *call)
{
	memset(call, 0, sizeof(*call));
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
read_source(WfHost *host, const WfmlTrainCall *call, const WfSpec *spec)
{
	WfmlSourceRequest request = {
		.source = call->source,
		.features = call->features,
		.target = call->target,
		.task = wfml_task_parse(call->task),
		.positive = wfml_spec_column(spec, "positive"),
		.positive_before = call->positive,
		.read = call->read,
		.kept = call->kept,
		.key = call->key,
		.weight_column = wfml_spec_column(spec, "weight_column"),
		.group_column = wfml_spec_column(spec, "group_column"),
		.scale_column = wfml_spec_column(spec, "scale_by"),
		.time_column = spec->validation == WF_VALIDATE_TIME ? wfml_spec_column(spec, "time_column") : NULL,
		.time_parts = WF_TIME_PARTS_DEFAULT |
			(wf_spec_is(spec, "time_features", "epoch") ? 1u << WF_PART_EPOCH : 0),
		.model = call->model,
		.memory_limit = (size_t) maintenance_work_mem * 1024,
		.quiet = call->kept != NIL,
	};
	WfmlSource *source;

	if (wfml_takes_target(spec, call->target, call->task) && call->target == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("algorithm \"%s\" needs a target", call->algorithm),
				 errhint("Name the column to predict in the argument \"target\".")));
	source = wfml_source_load(host, &request);
	if (call->target == NULL)
		source->task = WF_ANOMALY;
	if ((wf_algorithm_get(spec->algorithm)->tasks & (1u << source->task)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("algorithm \"%s\" cannot do %s", call->algorithm, wfml_task_name(source->task))));
	if (source->has_timestamp && !request.quiet &&
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
	double		rounds = wf_spec_has(spec, "trees") ? wf_spec_number(spec, "trees") :
		wf_spec_has(spec, "rounds") ? wf_spec_number(spec, "rounds") : 100;

	wfml_training_check_memory(memory, psprintf("The source has " UINT64_FORMAT " rows and %u features.", n, d));
	*work = (double) n * d * rounds;
	return shared;
}

/* The source's columns that the model was made of. */
static List *
columns_kept(const WfSchema *schema)
{
	List	   *names = NIL;

	for (int c = 0; c < schema->n_columns; c++)
		if (schema->columns[c].left_out == WF_KEPT)
			names = lappend(names, schema->columns[c].name);
	return names;
}

/* Columns that were read beside those: what a row is known by depends on them (frame.h). */
static List *
columns_read(const WfmlSource *source)
{
	List	   *names = NIL;
	bool		more = false;

	for (int i = 0; i < source->columns->n; i++)
	{
		const WfmlColumn *column = &source->columns->column[i];

		if (column->schema_index < 0)
			continue;
		names = lappend(names, unconstify(char *, column->name));
		more |= source->schema->columns[column->schema_index].left_out != WF_KEPT;
	}
	return more ? names : NIL;
}

static Jsonb *
stored_arguments(const WfmlTrainCall *call, const WfmlSource *source)
{
	StringInfoData buf;

	wfml_stored_begin(&buf);
	wfml_stored_add(&buf, "algorithm", call->algorithm);
	wfml_stored_add(&buf, "source", source->stored_source);
	wfml_stored_add(&buf, "target", call->target);
	wfml_stored_add(&buf, "task", call->task);
	wfml_stored_add_names(&buf, "features", call->features);
	if (call->features == NIL)
		wfml_stored_add_names(&buf, "read", columns_read(source));
	wfml_stored_add(&buf, "key", source->key);
	return wfml_stored_end(&buf, call->params);
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

WfmlSource *
wfml_train_read(WfmlTraining *t, const WfmlTrainCall *call)
{
	WfmlSource *source = read_source(t->host, call, &t->spec);

	t->spec.task = source->task;
	return source;
}

void
wfml_train_fit(WfmlTraining *t, const WfmlSource *source, WfJudges *judges)
{
	double		work;
	size_t		shared = check_memory(&t->spec, source, &work);
	WfFitInput	input = {
		.schema = source->schema,
		.frame = source->frame,
		.class_of_code = source->class_of_code,
		.size_limit = (size_t) wfml_max_model_size * 1024,
		.judges = judges,
	};

	wfml_training_fit(t, &input, work, shared);
	warn_of_leak(&t->result, source);
}

void
wfml_train_describe(WfmlTraining *t, const WfmlTrainCall *call, const WfmlSource *source)
{
	t->publication.source = source->stored_source;
	t->publication.target = call->target;
	t->publication.features = wfml_stored_names(columns_kept(source->schema), &t->n_columns);
	t->publication.params = call->params;
	t->publication.activate = call->activate;
	t->publication.positive = source->positive;
	t->publication.arguments = stored_arguments(call, source);
}

PG_FUNCTION_INFO_V1(wfml_train);

/* wfml.train(model, algorithm, source, target, params, features, task, activate) → training_summary */
Datum
wfml_train(PG_FUNCTION_ARGS)
{
	WfmlTrainCall call;
	WfmlTraining t;
	WfmlSource *source;

	read_call(fcinfo, &call);
	wfml_training_begin(&t, "wfml.train()", call.model, call.algorithm, call.params);
	source = wfml_train_read(&t, &call);
	wfml_train_fit(&t, source, NULL);
	wfml_train_describe(&t, &call, source);
	return wfml_training_finish(fcinfo, &t);
}
