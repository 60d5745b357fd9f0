/*-------------------------------------------------------------------------
 * batch.c
 *	  Set-returning functions that run a model over a query:
 *	  predict_batch() and partial_dependence().
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "core/rng.h"
#include "pg/anomaly.h"
#include "pg/arguments.h"
#include "pg/cache.h"
#include "pg/counters.h"
#include "pg/input.h"
#include "pg/kind.h"
#include "pg/registry.h"
#include "pg/scoring.h"

typedef struct BatchOut
{
	ReturnSetInfo *rsinfo;
	MemoryContext row_context;
} BatchOut;

static void
emit_prediction(WfmlScorer *s, const WfmlScoredRow *row)
{
	BatchOut   *out = s->arg;
	const WfModel *model = s->cached->model;
	int			k = (int) model->header->n_classes;
	MemoryContext old = MemoryContextSwitchTo(out->row_context);
	Datum		values[4];
	bool		nulls[4] = {false};

	nulls[0] = row->extra == NULL;
	if (row->extra)
		values[0] = CStringGetTextDatum(row->extra);
	if (k == 0)
	{
		values[1] = Float8GetDatum(row->values[0]);
		nulls[2] = nulls[3] = model->header->task != WF_ANOMALY;
		if (model->header->task == WF_ANOMALY)
		{
			values[2] = CStringGetTextDatum(wfml_anomaly_word(model, row->values[0]));
			values[3] = Float8GetDatum(wfml_anomaly_confidence(model, row->values[0]));
		}
	}
	else
	{
		int			label = wf_output_label(&model->output, row->values);

		nulls[1] = k > 2;
		values[1] = Float8GetDatum(row->values[1]);
		values[2] = s->cached->labels[label];
		values[3] = Float8GetDatum(row->values[label]);
	}
	tuplestore_putvalues(out->rsinfo->setResult, out->rsinfo->setDesc, values, nulls);
	MemoryContextSwitchTo(old);
	MemoryContextReset(out->row_context);
}

PG_FUNCTION_INFO_V1(wfml_predict_batch);

/* wfml.predict_batch(model, source, key_column) → SETOF (key, value, label, confidence) */
Datum
wfml_predict_batch(PG_FUNCTION_ARGS)
{
	char	   *name = wfml_argument_text(fcinfo, 0, "model");
	char	   *source = wfml_argument_text(fcinfo, 1, "source");
	BatchOut	out;
	WfmlResolved resolved;
	WfmlScorer	scorer;

	InitMaterializedSRF(fcinfo, 0);
	wfml_resolve(name, GetUserId(), &resolved);
	memset(&scorer, 0, sizeof(scorer));
	out.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	out.row_context = AllocSetContextCreate(CurrentMemoryContext, "wfml batch row", ALLOCSET_SMALL_SIZES);
	scorer.model_name = name;
	scorer.cached = wfml_cache_get(resolved.id, CurrentMemoryContext);
	wfml_check_task(scorer.cached->model, resolved.name, WFML_TABLE_TASKS);
	scorer.extra_column = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	scorer.extra_role = "key_column";
	scorer.emit = emit_prediction;
	scorer.arg = &out;
	wfml_score(&scorer, source);
	wfml_count(resolved.id, WFML_COUNT_PREDICTIONS, scorer.n_rows);
	wfml_cache_unpin(scorer.cached, CurrentMemoryContext);
	return (Datum) 0;
}

/* ---- partial dependence ---- */

#define DEPENDENCE_ROWS 1000
#define DEPENDENCE_POINTS 20

/* A sample of rows: the ones of smallest hash of their features, so that a source's order does not matter. */
typedef struct Dependence
{
	uint32		n;
	float	   *x;				/* DEPENDENCE_ROWS × d */
	uint64		hash[DEPENDENCE_ROWS];
	uint32		worst;			/* index of the largest hash */
} Dependence;

static void
keep_row(WfmlScorer *s, const WfmlScoredRow *row)
{
	Dependence *d = s->arg;
	uint32		features = s->cached->model->shape.n_features;
	uint64		hash = 0;
	uint32		at = d->n;

	for (uint32 f = 0; f < features; f++)
	{
		uint32		bits;

		memcpy(&bits, &row->x[f], sizeof(bits));
		hash = wf_rng(hash, bits);
	}
	if (d->n == DEPENDENCE_ROWS)
	{
		if (hash >= d->hash[d->worst])
			return;
		at = d->worst;
	}
	else
		d->n++;
	memcpy(d->x + (Size) at * features, row->x, sizeof(float) * features);
	d->hash[at] = hash;
	if (d->n == DEPENDENCE_ROWS)
	{
		d->worst = 0;
		for (uint32 i = 1; i < d->n; i++)
			if (d->hash[i] > d->hash[d->worst])
				d->worst = i;
	}
}

static int
compare_floats(const void *a, const void *b)
{
	float		x = *(const float *) a;
	float		y = *(const float *) b;

	return x < y ? -1 : x > y;
}

/* Values of a feature to show: its levels, or quantiles of the sample. Returns how many. */
static int
grid_of(const WfModel *model, uint32 feature, const Dependence *d, float *grid, int max)
{
	const WfFeatureRecord *f = &model->features[feature];
	float	   *all = palloc(sizeof(float) * (d->n + 1));
	uint32		m = 0;
	int			n = 0;

	if (f->category)
	{
		for (int b = 0; b < f->n_bins && n < max; b++)
			grid[n++] = (float) b;
		return n;
	}
	for (uint32 i = 0; i < d->n; i++)
	{
		float		v = d->x[(Size) i * model->shape.n_features + feature];

		if (!isnan(v))
			all[m++] = v;
	}
	qsort(all, m, sizeof(float), compare_floats);
	for (int q = 0; q < DEPENDENCE_POINTS && m > 0; q++)
	{
		float		v = all[(Size) q * (m - 1) / (DEPENDENCE_POINTS - 1)];

		if (n == 0 || v > grid[n - 1])
			grid[n++] = v;
	}
	return n;
}

/* The first feature of the column: of a timestamp its hour, of a date its weekday. */
static uint32
feature_of(const WfModel *model, const char *model_name, const char *name)
{
	for (uint32 c = 0; c < model->header->n_columns; c++)
	{
		const WfColumnRecord *col = &model->columns[c];

		/* An array column without elements has none. */
		if (strcmp(wf_model_string(model, col->name), name) == 0 && col->n_features > 0)
			return col->first_feature;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("model \"%s\" has no feature column \"%s\"", model_name, name),
			 errhint("See wfml.feature_importance('%s') for its columns.", model_name)));
	return 0;
}

PG_FUNCTION_INFO_V1(wfml_partial_dependence);

/* wfml.partial_dependence(model, feature, source) → SETOF (value text, prediction float8) */
Datum
wfml_partial_dependence(PG_FUNCTION_ARGS)
{
	char	   *name = wfml_argument_text(fcinfo, 0, "model");
	char	   *column = wfml_argument_text(fcinfo, 1, "feature");
	char	   *source = wfml_argument_text(fcinfo, 2, "source");
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const WfModel *model;
	WfmlResolved resolved;
	WfmlScorer	scorer;
	Dependence *d = palloc0(sizeof(Dependence));
	float		grid[256];
	uint32		feature;
	int			points;
	double	   *values;

	InitMaterializedSRF(fcinfo, 0);
	wfml_resolve(name, GetUserId(), &resolved);
	memset(&scorer, 0, sizeof(scorer));
	scorer.model_name = name;
	scorer.cached = wfml_cache_get(resolved.id, CurrentMemoryContext);
	wfml_check_task(scorer.cached->model, resolved.name, WFML_TABLE_TASKS);
	model = scorer.cached->model;
	feature = feature_of(model, name, column);
	d->x = palloc_extended(sizeof(float) * DEPENDENCE_ROWS * (Size) model->shape.n_features, MCXT_ALLOC_HUGE);
	scorer.emit = keep_row;
	scorer.arg = d;
	if (model->header->n_classes > 2)
		ereport(ERROR,
				(errcode(ERRCODE_WFML_WRONG_KIND),
				 errmsg("partial dependence needs a single output, but model \"%s\" has %u classes",
						name, model->header->n_classes)));
	wfml_score(&scorer, source);
	if (d->n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("source \"%s\" returned no rows", source)));
	points = grid_of(model, feature, d, grid, lengthof(grid));
	values = palloc(sizeof(double) * DEPENDENCE_ROWS * (Size) wf_model_n_values(model));
	for (int g = 0; g < points; g++)
	{
		Datum		row[2];
		bool		nulls[2] = {false};
		double		sum = 0;

		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < d->n; i++)
			d->x[(Size) i * model->shape.n_features + feature] = grid[g];
		wf_model_predict_block(model, d->x, d->n, values);
		for (uint32 i = 0; i < d->n; i++)
			sum += model->header->n_classes ? values[2 * i + 1] : values[i];
		row[0] = CStringGetTextDatum(wfml_feature_text(model, feature, d->x));
		row[1] = Float8GetDatum(sum / d->n);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, row, nulls);
	}
	wfml_cache_unpin(scorer.cached, CurrentMemoryContext);
	return (Datum) 0;
}
