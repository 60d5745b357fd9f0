/*-------------------------------------------------------------------------
 * due.c
 *	  Models whose policy says that they are to be trained again.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "pg/due.h"
#include "pg/job.h"
#include "pg/owner.h"
#include "pg/settings.h"
#include "pg/source.h"
#include "pg/tables.h"
#include "pg/timelimit.h"

/*
 * tried: when the model was last trained by whomever, or retrained without
 * success but to the end.  Drift counts when it was measured after that.
 */
static const char candidates_query[] =
"SELECT r.name, r.number, r.owner::oid, m.version, r.search_path, r.timezone, m.source, m.target,"
" p.max_seconds, p.min_score_drop, p.min_new_rows, known.rows, p.max_drift IS NOT NULL AND r.log_input,"
" CASE WHEN now() - tried.at > p.max_age THEN"
"  format(CASE WHEN tried.at > m.created_at THEN 'version %s was last compared %s ago, limit %s' ELSE 'version %s is %s old, limit %s' END,"
"   m.version, CASE WHEN now() - tried.at >= '2 days' THEN extract(day FROM now() - tried.at) || ' days'"
"    ELSE date_trunc('second', now() - tried.at)::text END, p.max_age) END,"
" CASE WHEN drift.psi > p.max_drift THEN"
"  format('inputs drift: PSI %s%s, limit %s', round(drift.psi::numeric, 3), ' of ' || drift.feature, p.max_drift) END,"
" vain.n, vain.last + least(2 ^ (vain.n - 1), 16) * interval '1 day' - interval '1 hour', vain.failed"
" FROM wfml.retrain_policy p"
" JOIN wfml.registry r ON r.name = p.model"
" JOIN wfml.ml_model m ON m.id = r.active_id"
" CROSS JOIN LATERAL (SELECT greatest(m.created_at, max(j.finished_at)) AS at FROM wfml.job_run j"
"  WHERE j.model_number = r.number AND j.kind = 'retrain' AND j.status IN ('done', 'kept')) tried"
" CROSS JOIN LATERAL (SELECT count(*)::integer AS n, max(j.finished_at) AS last, bool_or(j.status = 'failed') AS failed FROM wfml.job_run j"
"  WHERE j.model_number = r.number AND j.kind = 'retrain' AND j.status IN ('failed', 'kept') AND j.finished_at > m.created_at) vain"
" CROSS JOIN LATERAL (SELECT n.training_rows AS rows FROM wfml.ml_model n WHERE n.name = r.name ORDER BY n.version DESC LIMIT 1) known"
" LEFT JOIN LATERAL (SELECT max(e.value) FILTER (WHERE e.metric = 'psi') AS psi,"
"   substr(min(e.metric) FILTER (WHERE e.metric LIKE 'psi:%' AND e.value >= e.worst), 5) AS feature"
"  FROM (SELECT e.metric, e.value, max(e.value) FILTER (WHERE e.metric LIKE 'psi:%') OVER () AS worst FROM wfml.evaluation e"
"   WHERE p.max_drift IS NOT NULL AND e.model_id = m.id AND e.source = 'drift' AND e.at > tried.at"
"   AND e.at = (SELECT max(l.at) FROM wfml.evaluation l WHERE l.model_id = m.id AND l.source = 'drift')) e) drift ON true"
" WHERE pg_has_role($1, r.owner::oid, 'USAGE')"
" ORDER BY vain.n, r.name";

static char *
text_at(int row, int column)
{
	bool		isnull;
	Datum		value = wfml_result(row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static int64
bigint_at(int row, int column)
{
	bool		isnull;
	Datum		value = wfml_result(row, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static double
number_at(int row, int column)
{
	bool		isnull;
	Datum		value = wfml_result(row, column, &isnull);

	return isnull ? NAN : DatumGetFloat8(value);
}

static void
add_reason(WfmlDue *due, char *reason)
{
	if (reason)
		due->reasons = lappend(due->reasons, reason);
}

static void
read_waiting(WfmlDue *due, int row)
{
	bool		isnull;
	Datum		value;
	bool		failed;

	due->in_vain = DatumGetInt32(wfml_result(row, 16, &isnull));
	value = wfml_result(row, 17, &isnull);
	if (due->in_vain == 0 || isnull)
		return;
	due->not_before = DatumGetTimestampTz(value);
	due->waiting = due->not_before > GetCurrentTimestamp();
	failed = DatumGetBool(wfml_result(row, 18, &isnull));
	if (due->in_vain == 1)
		due->note = failed ? "the last retraining failed" : "the last retraining's version did not win";
	else
		due->note = psprintf("the last %d retrainings %s", due->in_vain,
							 failed ? "were in vain" : "made no version that won");
}

static WfmlDue *
read_candidate(int row)
{
	WfmlDue    *due = palloc0(sizeof(WfmlDue));
	bool		isnull;

	due->model = text_at(row, 1);
	due->number = bigint_at(row, 2);
	due->owner = DatumGetObjectId(wfml_result(row, 3, &isnull));
	due->version = DatumGetInt32(wfml_result(row, 4, &isnull));
	due->search_path = text_at(row, 5);
	due->timezone = text_at(row, 6);
	due->source = text_at(row, 7);
	due->target = text_at(row, 8);
	due->max_seconds = Min(number_at(row, 9), wfml_max_retraining_time);
	due->min_score_drop = number_at(row, 10);
	due->min_new_rows = bigint_at(row, 11);
	due->known_rows = bigint_at(row, 12);
	due->wants_drift = DatumGetBool(wfml_result(row, 13, &isnull));
	add_reason(due, text_at(row, 14));
	add_reason(due, text_at(row, 15));
	read_waiting(due, row);
	return due;
}

List *
wfml_due_candidates(Oid user)
{
	Oid			types[] = {OIDOID};
	Datum		values[] = {ObjectIdGetDatum(user)};
	MemoryContext context = CurrentMemoryContext;
	MemoryContext old;
	List	   *all = NIL;
	WfmlWriter	writer;
	uint64		n;

	wfml_write_begin(&writer, NULL);
	n = wfml_execute(candidates_query, 1, types, values, NULL);
	old = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < n; i++)
		all = lappend(all, read_candidate((int) i));
	MemoryContextSwitchTo(old);
	wfml_write_end(&writer);
	return all;
}

/* ---- the live score ---- */

/*
 * Scores are such that more is better.  A drop counts when the interval of
 * the live score leaves the training score out, too, and is of as many
 * outcomes as in wfml.health: of fewer it is no interval.
 */
static const char score_query[] =
"SELECT format('live %s %s (%s outcomes), at training %s, limit %s lower', l.metric, round(l.value::numeric, 4), l.outcomes,"
" round(l.training::numeric, 4), $2)"
" FROM wfml.live_score l WHERE l.model = $1 AND l.outcomes >= 50 AND l.training - l.value > $2"
" AND NOT coalesce(l.upper >= l.training, false)";

void
wfml_due_score(WfmlDue *due)
{
	Oid			types[] = {TEXTOID, FLOAT8OID};
	Datum		values[] = {CStringGetTextDatum(due->model), Float8GetDatum(due->min_score_drop)};
	MemoryContext context = CurrentMemoryContext;
	WfmlWriter	writer;

	if (isnan(due->min_score_drop))
		return;
	wfml_write_begin(&writer, NULL);
	/* The score is of all its users. */
	(void) set_config_option("wfml.user_id", "", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (wfml_execute(score_query, 2, types, values, NULL) > 0)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		add_reason(due, text_at(0, 1));
		MemoryContextSwitchTo(old);
	}
	wfml_write_end(&writer);
}

/* ---- new rows ---- */

typedef struct Counter
{
	WfmlRowReader reader;		/* first */
	const char *target;			/* rows where it is NULL are not trained on; NULL: none */
	AttrNumber	attno;
	int64		rows;
	int64		enough;
} Counter;

static void
count_start(WfmlRowReader *reader, TupleDesc desc, const WfmlOrigin *origins)
{
	Counter    *c = (Counter *) reader;

	for (int i = 0; c->target && i < desc->natts; i++)
		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), c->target) == 0)
			c->attno = (AttrNumber) (i + 1);
}

static bool
count_row(WfmlRowReader *reader, TupleTableSlot *slot)
{
	Counter    *c = (Counter *) reader;

	if (c->attno == 0 || !slot_attisnull(slot, c->attno))
		c->rows++;
	return c->rows < c->enough;
}

void
wfml_due_rows(WfmlDue *due)
{
	Counter		counter = {
		.reader = {.start = count_start, .row = count_row},
		.target = due->target,
		.enough = due->known_rows + due->min_new_rows
	};
	WfmlAsOwner as;
	char	   *stored;
	bool		is_relation;

	if (due->min_new_rows == 0 || due->source == NULL)
		return;
	wfml_as_owner_begin(&as, due->owner, due->search_path, due->timezone);
	wfml_source_read(wfml_source_query(due->source, &stored, &is_relation), &counter.reader);
	wfml_as_owner_end(&as);
	if (counter.rows >= counter.enough)
		add_reason(due, psprintf("at least " INT64_FORMAT " rows more than the " INT64_FORMAT " trained on",
								 due->min_new_rows, due->known_rows));
}

char *
wfml_due_reasons(const WfmlDue *due)
{
	StringInfoData all;
	ListCell   *lc;

	initStringInfo(&all);
	foreach(lc, due->reasons)
		appendStringInfo(&all, "%s%s", all.len > 0 ? "; " : "", (char *) lfirst(lc));
	return all.data;
}

/* ---- for people ---- */


static void
rows_step(void *arg)
{
	wfml_due_rows(arg);
}

/* What others stored may fail or hang: say so in the note. */
static void
count_for_people(WfmlDue *due)
{
	ErrorData  *error;
	bool		ours = wfml_time_limit_begin(due->max_seconds);
	bool		over;

	error = wfml_step(rows_step, due);
	over = wfml_time_limit_end(ours);
	if (error == NULL)
		return;
	if (wfml_is_cancel(error) && !over)
		ReThrowError(error);
	due->note = psprintf("new rows cannot be counted: %s",
						 over ? psprintf("it takes longer than %g seconds", due->max_seconds) : error->message);
}

static Datum
reasons_array(const List *reasons)
{
	Datum	   *elements = palloc(sizeof(Datum) * (list_length(reasons) + 1));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, reasons)
		elements[n++] = CStringGetTextDatum(lfirst(lc));
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

PG_FUNCTION_INFO_V1(wfml_retrain_due);

/* retrain_due() → (model, version, reasons, not_before, note) */
Datum
wfml_retrain_due(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, wfml_due_candidates(GetUserId()))
	{
		WfmlDue    *due = lfirst(lc);
		Datum		values[5] = {0};
		bool		nulls[5] = {false};

		wfml_due_score(due);
		if (due->min_new_rows > 0)
			count_for_people(due);
		if (due->reasons == NIL && (due->note == NULL || due->in_vain > 0))
			continue;
		values[0] = CStringGetTextDatum(due->model);
		values[1] = Int32GetDatum(due->version);
		values[2] = reasons_array(due->reasons);
		values[3] = TimestampTzGetDatum(due->not_before);
		nulls[3] = !due->waiting;
		if (due->note)
			values[4] = CStringGetTextDatum(due->note);
		nulls[4] = due->note == NULL;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
