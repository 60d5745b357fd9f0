/*-------------------------------------------------------------------------
 * drift.c
 *	  drift(): rows of a source, or logged inputs, against the training rows.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "pg/access.h"
#include "pg/arguments.h"
#include "pg/drift.h"
#include "pg/kind.h"
#include "pg/pghost.h"
#include "pg/scoring.h"
#include "pg/tables.h"

/* Logged inputs looked at. */
#define LOG_ROWS 20000
/* Columns kept in wfml.evaluation. */
#define STORED_COLUMNS 20

/* ---- the model ---- */

void
wfml_drift_begin(WfmlDriftRun *run, const char *reference)
{
	run->reference = reference;
	wfml_resolve(reference, GetUserId(), &run->resolved);
	run->cached = wfml_cache_get(run->resolved.id, CurrentMemoryContext);
	wfml_check_task(run->cached->model, run->resolved.name, WFML_TABLE_TASKS);
	run->drift = wf_drift_create(wfml_host_create(CurrentMemoryContext), run->cached->model);
	if (run->drift == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of model \"%s\" does not know how its training rows were distributed",
						run->resolved.version, run->resolved.name),
				 errhint("It was trained by a release of wfml that kept this for trees only. Train it again.")));
}

/* ---- results ---- */

static Datum
part_name(const WfModel *model, const WfFeatureRecord *f, bool *isnull)
{
	*isnull = false;
	switch (f->part)
	{
		case WF_PART_VALUE:
			*isnull = true;
			return (Datum) 0;
		case WF_PART_TAG:
			return CStringGetTextDatum(wf_model_string(model,
													   model->dict[model->columns[f->column].first_string + f->element]));
		case WF_PART_ELEMENT:
			return CStringGetTextDatum(psprintf("%u", f->element + 1));
		default:
			return CStringGetTextDatum(wf_part_name((WfPart) f->part));
	}
}

static int
by_drift(const void *a, const void *b, void *arg)
{
	const WfDriftColumn *columns = arg;
	const WfDriftColumn *x = &columns[*(const uint32 *) a];
	const WfDriftColumn *y = &columns[*(const uint32 *) b];

	if (isnan(x->psi) || isnan(y->psi))
		return isnan(x->psi) != isnan(y->psi) ? (isnan(x->psi) ? 1 : -1) : *(const uint32 *) a < *(const uint32 *) b ? -1 : 1;
	if (x->verdict != y->verdict)
		return x->verdict > y->verdict ? -1 : 1;
	if (x->psi != y->psi)
		return x->psi > y->psi ? -1 : 1;
	return *(const uint32 *) a < *(const uint32 *) b ? -1 : 1;
}

/* Four digits are plenty, and read better. */
static double
readable(double x, const char *format)
{
	char		text[64];

	snprintf(text, sizeof(text), format, x);
	return strtod(text, NULL);
}

static void
put_column(ReturnSetInfo *rsinfo, const WfModel *model, uint32 c, const WfDriftColumn *result, const char *unknown)
{
	Datum		values[6];
	bool		nulls[6] = {false};

	values[0] = CStringGetTextDatum(wf_model_string(model, model->columns[c].name));
	values[1] = Float8GetDatum(readable(result->psi, "%.4f"));
	nulls[1] = isnan(result->psi);
	values[2] = Float8GetDatum(readable(result->p, "%.3g"));
	nulls[2] = isnan(result->p);
	values[3] = CStringGetTextDatum(nulls[1] && unknown ? unknown : wf_drift_word(result->verdict));
	values[4] = Int64GetDatum((int64) result->rows);
	nulls[5] = true;
	if (!nulls[1])
		values[5] = part_name(model, &model->features[result->feature], &nulls[5]);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static bool
is_owner(const WfmlDriftRun *run)
{
	Oid			owner;

	return wfml_find_owner(run->resolved.name, &owner) && wfml_is_owner(owner, GetUserId());
}

static bool
may_store(const WfmlDriftRun *run)
{
	return !XactReadOnly && !RecoveryInProgress() && !IsInParallelMode() && is_owner(run);
}

static void
store_one(const WfmlDriftRun *run, Datum at, Datum by, const char *metric, double value, double rows)
{
	Oid			types[] = {INT8OID, TEXTOID, INT4OID, TEXTOID, FLOAT8OID, INT8OID, TIMESTAMPTZOID, NAMEOID};
	Datum		values[8];

	values[0] = Int64GetDatum(run->resolved.id);
	values[1] = CStringGetTextDatum(run->resolved.name);
	values[2] = Int32GetDatum(run->resolved.version);
	values[3] = CStringGetTextDatum(metric);
	values[4] = Float8GetDatum(value);
	values[5] = Int64GetDatum((int64) rows);
	values[6] = at;
	values[7] = by;
	wfml_execute("INSERT INTO wfml.evaluation (model_id, model, version, metric, value, source, rows, at, by)"
				 " SELECT id, $2, $3, $4, $5, 'drift', $6, $7, $8 FROM wfml.ml_model WHERE id = $1 FOR KEY SHARE", 8, types, values, NULL);
}

/* As drift.sql says; columns in order of their drift. */
static void
store(const WfmlDriftRun *run, const uint32 *order, uint32 n)
{
	const WfModel *model = run->cached->model;
	Datum		by = DirectFunctionCall1(namein, CStringGetDatum(GetUserNameFromId(GetUserId(), false)));
	Datum		at = TimestampTzGetDatum(GetCurrentTimestamp());
	WfmlWriter	writer;
	double		worst = NAN;
	double		rows = 0;

	wfml_write_begin(&writer, "wfml.drift()");
	for (uint32 i = 0; i < n; i++)
	{
		const WfDriftColumn *c = &run->columns[order[i]];
		double		honest = c->verdict == WF_DRIFT_YES ? c->psi : Min(c->psi, WF_DRIFT_DRIFTING);

		if (isnan(c->psi) || c->verdict == WF_DRIFT_TOO_FEW)
			continue;
		rows = Max(rows, c->rows);
		if (isnan(worst) || honest > worst)
			worst = honest;
		if (i < STORED_COLUMNS)
			store_one(run, at, by, psprintf("psi:%s", wf_model_string(model, model->columns[order[i]].name)),
					  c->psi, c->rows);
	}
	if (!isnan(worst))
		store_one(run, at, by, "psi", worst, rows);
	wfml_write_end(&writer);
}

void
wfml_drift_finish(FunctionCallInfo fcinfo, WfmlDriftRun *run, double sample, const char *const *unknown)
{
	const WfModel *model = run->cached->model;
	uint32		n = model->header->n_columns;
	uint32	   *order = palloc(sizeof(uint32) * (n + 1));

	run->columns = palloc(sizeof(WfDriftColumn) * (n + 1));
	wf_drift_columns(run->drift, sample, run->columns);
	for (uint32 c = 0; c < n; c++)
		order[c] = c;
	qsort_arg(order, n, sizeof(uint32), by_drift, run->columns);
	if (may_store(run))
		store(run, order, n);
	InitMaterializedSRF(fcinfo, 0);
	for (uint32 i = 0; i < n; i++)
		put_column((ReturnSetInfo *) fcinfo->resultinfo, model, order[i], &run->columns[order[i]],
				   unknown ? unknown[order[i]] : NULL);
	wfml_cache_unpin(run->cached, CurrentMemoryContext);
}

/* ---- rows of a source ---- */

static void
add_row(WfmlScorer *s, const WfmlScoredRow *row)
{
	wf_drift_add(s->arg, row->x, 1);
}

static void
read_source(WfmlDriftRun *run, const char *source)
{
	WfmlScorer	scorer;

	memset(&scorer, 0, sizeof(scorer));
	scorer.model_name = run->reference;
	scorer.cached = run->cached;
	scorer.emit = add_row;
	scorer.arg = run->drift;
	scorer.features_only = true;
	wfml_score(&scorer, source);
}

/* ---- logged inputs ---- */

/*
 * Inputs say nothing of the version that answered, so those of all versions
 * count, where they have the columns of this one.  Drawn by a hash of their
 * number, so that all days of the week take part.
 */
static const char log_query[] =
"SELECT p.input FROM wfml.prediction p"
" WHERE p.model_id IN (SELECT m.id FROM wfml.ml_model m WHERE m.name = $1)"
" AND p.made_at >= now() - interval '7 days' AND NOT p.shadow AND p.error IS NULL"
" AND jsonb_typeof(p.input) = 'object' AND p.input ?& $2"
" ORDER BY hashint8(p.id) LIMIT $3";

static Datum
column_names(const WfModel *model)
{
	uint32		n = model->header->n_columns;
	Datum	   *names = palloc(sizeof(Datum) * (n + 1));

	for (uint32 c = 0; c < n; c++)
		names[c] = CStringGetTextDatum(wf_model_string(model, model->columns[c].name));
	return PointerGetDatum(construct_array(names, (int) n, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
refuse_empty_log(const char *name, int32 version)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};

	if (wfml_execute("SELECT FROM wfml.registry WHERE name = $1 AND NOT log_input", 1, types, values, NULL) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("inputs of model \"%s\" are not logged", name),
				 errhint("Name a table or query in the argument \"source\", or have inputs kept from now on with wfml.set_log_input(%s, true).",
						 quote_literal_cstr(name))));
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("no inputs of model \"%s\" were logged in the last 7 days", name),
			 errdetail("Inputs count that have all columns of version %d.", version),
			 errhint("Name a table or query in the argument \"source\".")));
}

static void
read_log(WfmlDriftRun *run)
{
	Oid			types[] = {TEXTOID, TEXTARRAYOID, INT4OID};
	MemoryContext context = CurrentMemoryContext;
	MemoryContext row_context;
	WfmlJsonMap *map;
	Datum		values[3];
	WfmlWriter	writer;
	uint64		n;

	/* All that is logged is read, whoever made it. */
	if (!is_owner(run))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of model \"%s\" to read its logged inputs", run->resolved.name),
				 errhint("Name a table or query in the argument \"source\".")));
	map = wfml_cache_jsonmap(run->cached, run->reference, context);
	values[0] = CStringGetTextDatum(run->resolved.name);
	values[1] = column_names(run->cached->model);
	values[2] = Int32GetDatum(LOG_ROWS);
	wfml_write_begin(&writer, NULL);
	n = wfml_execute(log_query, 3, types, values, NULL);
	if (n == 0)
		refuse_empty_log(run->resolved.name, run->resolved.version);
	row_context = AllocSetContextCreate(CurrentMemoryContext, "wfml drift row", ALLOCSET_DEFAULT_SIZES);
	for (uint64 i = 0; i < n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(row_context);
		bool		isnull;
		Jsonb	   *input = DatumGetJsonbP(wfml_result((int) i, 1, &isnull));

		CHECK_FOR_INTERRUPTS();
		wfml_jsonmap_features(map, input, run->cached->x);
		wf_drift_add(run->drift, run->cached->x, 1);
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_context);
	}
	wfml_write_end(&writer);
}

PG_FUNCTION_INFO_V1(wfml_drift);

/* wfml.drift(model, source) → SETOF (feature, psi, p_value, verdict, rows, part) */
Datum
wfml_drift(PG_FUNCTION_ARGS)
{
	char	   *source = wfml_argument_text_or_null(fcinfo, 1);
	WfmlDriftRun run;

	wfml_drift_begin(&run, wfml_argument_text(fcinfo, 0, "model"));
	if (source)
		read_source(&run, source);
	else
		read_log(&run);
	wfml_drift_finish(fcinfo, &run, 0, NULL);
	return (Datum) 0;
}
