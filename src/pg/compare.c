/*-------------------------------------------------------------------------
 * compare.c
 *	  compare(): several models on the same rows, and whether they differ.
 *
 * The source runs once; each model keeps what it lost on each row.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "core/metric.h"
#include "core/paired.h"
#include "pg/arguments.h"
#include "pg/cache.h"
#include "pg/evaluate.h"
#include "pg/kind.h"
#include "pg/pghost.h"
#include "pg/registry.h"
#include "pg/scoring.h"

/* More are a mistake, and their losses are kept. */
#define MAX_MODELS 64
/* Below this a difference is told. */
#define SIGNIFICANT 0.05
/* In place of whether a label was right: the model does not know it. */
#define UNKNOWN (-1)

typedef struct Contender
{
	const char *name;			/* as asked for */
	WfmlResolved resolved;
	const WfmlCached *cached;
	size_t		n;
	/* classification: surprise and whether the label was right; regression: squared and absolute error */
	WfBytes		loss;			/* double[n]; NaN: the row says nothing */
	WfBytes		second;			/* double[n] */
} Contender;

typedef struct Contest
{
	WfHost	   *host;
	Contender  *contender;
	int			n_contenders;
	bool		classes;
	const char *target;
	size_t		n;				/* rows that count for all */
	ReturnSetInfo *rsinfo;
} Contest;

static void
collect_row(WfmlScorer *s, const WfmlScoredRow *row)
{
	Contender  *c = s->arg;
	const WfModel *model = s->cached->model;
	double		loss = NAN;
	double		second = NAN;

	if (model->header->task == WF_CLASSIFICATION)
	{
		int			actual = row->extra ? wfml_class_of(model, row->extra) : -1;

		/* A label that only others know: this model gave it no chance. */
		if (row->extra)
		{
			loss = wf_surprise(true, actual < 0 ? 0 : row->values[actual]);
			second = actual < 0 ? UNKNOWN : wf_output_label(&model->output, row->values) == actual;
		}
	}
	else if (row->extra && isfinite(row->number))
	{
		double		error = row->number - row->values[0];

		loss = error * error;
		second = fabs(error);
	}
	wf_bytes_append(&c->loss, &loss, sizeof(loss));
	wf_bytes_append(&c->second, &second, sizeof(second));
	c->n++;
}

static void
resolve(Contest *t, List *names)
{
	ListCell   *cell;
	int			i = 0;

	t->n_contenders = list_length(names);
	if (t->n_contenders < 2 || t->n_contenders > MAX_MODELS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot compare %d models", t->n_contenders),
				 errhint("Give 2 to %d of them, for example ARRAY['m', 'm@1'].", MAX_MODELS)));
	t->contender = palloc0(sizeof(Contender) * (Size) t->n_contenders);
	foreach(cell, names)
	{
		Contender  *c = &t->contender[i];

		c->name = lfirst(cell);
		wfml_resolve(c->name, GetUserId(), &c->resolved);
		c->cached = wfml_cache_get(c->resolved.id, CurrentMemoryContext);
		wfml_check_task(c->cached->model, c->resolved.name, WFML_TASK(WF_REGRESSION) | WFML_TASK(WF_CLASSIFICATION));
		if (c->cached->model->header->task != t->contender[0].cached->model->header->task)
			ereport(ERROR,
					(errcode(ERRCODE_WFML_WRONG_KIND),
					 errmsg("model \"%s\" is for %s, but model \"%s\" for %s",
							c->name, wfml_task_name(c->cached->model->header->task),
							t->contender[0].name, wfml_task_name(t->contender[0].cached->model->header->task)),
					 errhint("Compare models that predict the same thing.")));
		wf_bytes_init(&c->loss, t->host);
		wf_bytes_init(&c->second, t->host);
		i++;
	}
	t->classes = t->contender[0].cached->model->header->task == WF_CLASSIFICATION;
}

/* Has the row an outcome, which is the same for all, that at least one of them knows? */
static bool
counts(const Contest *t, size_t i)
{
	for (int m = 0; m < t->n_contenders; m++)
		if (((const double *) t->contender[m].second.data)[i] >= 0)
			return true;
	return false;
}

static void
score_all(Contest *t, const char *source)
{
	WfmlScorer *scorers = palloc0(sizeof(WfmlScorer) * (Size) t->n_contenders);
	size_t		n_rows;

	for (int i = 0; i < t->n_contenders; i++)
	{
		scorers[i].model_name = t->contender[i].name;
		scorers[i].cached = t->contender[i].cached;
		scorers[i].extra_column = t->target;
		scorers[i].extra_role = "target";
		scorers[i].emit = collect_row;
		scorers[i].arg = &t->contender[i];
	}
	wfml_score_together(scorers, t->n_contenders, source);
	n_rows = t->contender[0].n;
	for (size_t i = 0; i < n_rows; i++)
		if (counts(t, i))
		{
			for (int m = 0; m < t->n_contenders; m++)
			{
				double	   *loss = (double *) t->contender[m].loss.data;
				double	   *second = (double *) t->contender[m].second.data;

				loss[t->n] = loss[i];
				second[t->n] = second[i] == UNKNOWN ? 0 : second[i];
			}
			t->n++;
		}
	if (t->n < n_rows)
		ereport(NOTICE,
				(errmsg("%zu rows whose \"%s\" is null or unknown to all the models were left out", n_rows - t->n, t->target)));
	if (t->n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("there are no rows to compare models on")));
}

/* One line of the result; NaN stands for NULL. */
static void
put(const Contest *t, const Contender *c, const char *metric, double value, const WfPaired *p, bool higher_is_better)
{
	Datum		values[9];
	bool		nulls[9] = {false};
	const char *verdict = "reference";

	values[0] = CStringGetTextDatum(c->name);
	values[1] = CStringGetTextDatum(metric);
	values[2] = Float8GetDatum(value);
	nulls[2] = isnan(value);
	for (int i = 3; i < 7; i++)
		nulls[i] = p == NULL;
	if (p)
	{
		values[3] = Float8GetDatum(p->difference);
		values[4] = Float8GetDatum(p->lower);
		values[5] = Float8GetDatum(p->upper);
		values[6] = Float8GetDatum(p->p_value);
		if (p->p_value * (t->n_contenders - 1) >= SIGNIFICANT)
			verdict = "no difference shown";
		else
			verdict = (p->difference > 0) == higher_is_better ? "better" : "worse";
	}
	values[7] = CStringGetTextDatum(verdict);
	values[8] = Int64GetDatum((int64) t->n);
	tuplestore_putvalues(t->rsinfo->setResult, t->rsinfo->setDesc, values, nulls);
}

/* Mean losses of one kind by paired bootstrap. */
static void
compare_losses(const Contest *t, const char *metric, bool second, bool root)
{
	const Contender *first = &t->contender[0];
	const double *a = (const double *) (second ? first->second.data : first->loss.data);

	for (int m = 0; m < t->n_contenders; m++)
	{
		const Contender *c = &t->contender[m];
		const double *b = (const double *) (second ? c->second.data : c->loss.data);
		WfPaired	p;

		/* The reference beside itself: only for its mean. */
		wf_paired_bootstrap(t->host, a, b, NULL, t->n, 0, m == 0 ? 1 : WF_PAIRED_ROUNDS, root, &p);
		put(t, c, metric, p.b, m == 0 ? NULL : &p, false);
	}
}

static void
compare_accuracy(const Contest *t)
{
	const double *a = (const double *) t->contender[0].second.data;

	for (int m = 0; m < t->n_contenders; m++)
	{
		const Contender *c = &t->contender[m];
		const double *b = (const double *) c->second.data;
		uint64		right = 0;
		uint64		only_a = 0;
		uint64		only_b = 0;
		WfPaired	p = {0};

		for (size_t i = 0; i < t->n; i++)
		{
			right += b[i] > 0;
			only_a += a[i] > b[i];
			only_b += b[i] > a[i];
		}
		p.difference = ((double) only_b - (double) only_a) / (double) t->n;
		wf_paired_shares(only_a, only_b, t->n, &p.lower, &p.upper);
		p.p_value = wf_mcnemar(only_a, only_b);
		put(t, c, "accuracy", (double) right / (double) t->n, m == 0 ? NULL : &p, true);
	}
}

PG_FUNCTION_INFO_V1(wfml_compare);

/* wfml.compare(models, source, target) → SETOF (model, metric, value, difference, lower, upper, p_value, verdict, rows) */
Datum
wfml_compare(PG_FUNCTION_ARGS)
{
	Contest		t = {0};
	List	   *names = wfml_argument_names(fcinfo, 0, "models");
	char	   *source = wfml_argument_text(fcinfo, 1, "source");

	InitMaterializedSRF(fcinfo, 0);
	t.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	t.host = wfml_host_create(CurrentMemoryContext);
	resolve(&t, names);
	t.target = wfml_evaluation_target(wfml_argument_text_or_null(fcinfo, 2), t.contender[0].resolved.id, t.contender[0].name);
	score_all(&t, source);
	if (t.classes)
	{
		compare_accuracy(&t);
		compare_losses(&t, "log_loss", false, false);
	}
	else
	{
		compare_losses(&t, "rmse", false, true);
		compare_losses(&t, "mae", true, false);
	}
	for (int m = 0; m < t.n_contenders; m++)
		wfml_cache_unpin(t.contender[m].cached, CurrentMemoryContext);
	return (Datum) 0;
}
