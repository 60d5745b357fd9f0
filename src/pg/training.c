/*-------------------------------------------------------------------------
 * training.c
 *	  What every way to train a model shares.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/model.h"
#include "pg/kind.h"
#include "pg/pghost.h"
#include "pg/pgteam.h"
#include "pg/progress.h"
#include "pg/settings.h"
#include "pg/training.h"
#include "pg/trainspec.h"

void
wfml_training_begin(WfmlTraining *t, const char *function, const char *model, const char *algorithm, Jsonb *params)
{
	PreventCommandIfReadOnly(function);
	if (strcmp(function, "wfml.train()") == 0)
		wfml_check_rows_algorithm(algorithm, "train");
	wfml_check_model_name(model);
	wfml_check_may_train(model);

	memset(t, 0, sizeof(*t));
	t->model = model;
	t->context = AllocSetContextCreate(CurrentMemoryContext, "wfml training", ALLOCSET_DEFAULT_SIZES);
	t->host = wfml_host_create(t->context);
	wfml_host_limit(t->host, (size_t) wfml_max_training_memory * 1024, "wfml.max_training_memory");
	wfml_host_report(t->host);
	t->started = t->host->now(t->host);
	wfml_spec_parse(t->host, algorithm, params, &t->spec);
	wfml_progress_begin(model, algorithm, t->context);
}

void
wfml_training_check_memory(size_t bytes, const char *detail)
{
	size_t		limit = (size_t) wfml_max_training_memory * 1024;

	if (bytes > limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("training needs about %zu MB, more than \"wfml.max_training_memory\" allows (%zu MB)",
						bytes >> 20, limit >> 20),
				 errdetail("%s", detail),
				 errhint("Raise \"wfml.max_training_memory\", or train on less data.")));
}

void
wfml_training_fit(WfmlTraining *t, const void *input, double work, size_t shared_bytes)
{
	wfml_team_fit(t->host, &t->spec, input, work, shared_bytes, &t->result);
}

/* " (better)"; scores are stored with 15 digits.  Which share of rows is odd is neither good nor bad. */
static const char *
verdict(const WfmlPublication *p, double now, double was)
{
	if (strcmp(p->task, wfml_task_name(WF_ANOMALY)) == 0)
		return "";
	if (fabs(now - was) <= 1e-12 * fabs(was))
		return " (equal)";
	return now > was ? " (better)" : " (worse)";
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
	if (now == NULL || !wfml_headline(p->replaced_id, &metric, &was) || strcmp(metric, now->metric) != 0)
		ereport(NOTICE, (errmsg("%s", what)));
	else
		ereport(NOTICE,
				(errmsg("%s: %s %.4g, %s %.4g%s", what, metric, now->value,
						p->activate ? "was" : "against", was, verdict(p, now->value, was))));
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

void
wfml_training_publish(WfmlTraining *t)
{
	WfmlPublication *p = &t->publication;

	p->algorithm = wf_algorithm_get(t->spec.algorithm)->name;
	p->task = wfml_task_name(t->spec.task);
	p->metrics = wfml_scores_json(&t->result);
	p->seed = (int64) t->spec.seed;
	p->training_rows = (int64) t->result.training_rows;
	p->training_seconds = t->host->now(t->host) - t->started;
	p->artifact = t->result.artifact.data;
	p->artifact_bytes = t->result.artifact.length;
	p->format_version = WF_MODEL_FORMAT;
	wfml_publish(p);

	if (t->result.time_limited)
		ereport(NOTICE,
				(errmsg("training stopped after \"max_seconds\" with %d rounds", t->result.rounds),
				 errdetail("The model depends on the machine's speed, so it cannot be repeated exactly.")));
}

Datum
wfml_training_finish(FunctionCallInfo fcinfo, WfmlTraining *t)
{
	WfmlPublication *p = &t->publication;
	Datum		row;

	p->name = t->model;
	wfml_training_publish(t);
	compare_with_replaced(p, &t->result);
	row = summary(fcinfo, p, &t->result, t->n_columns);
	MemoryContextDelete(t->context);
	return row;
}
