/*-------------------------------------------------------------------------
 * prune.c
 *	  Old versions and old jobs go.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "pg/maintain.h"
#include "pg/settings.h"
#include "pg/tables.h"
#include "pg/usage.h"

/* Rows changed in one transaction. */
#define BATCH "10000"

typedef struct Candidate
{
	char	   *model;
	int32		version;
	int64		id;
	Oid			user;
	uint64		n;				/* predictions that forgot it in a step */
	bool		dropped;
} Candidate;

/* Versions that may go; $2 NULL: of all models, oldest first. */
static const char candidates_query[] =
"SELECT r.name, m.version, m.id FROM wfml.retrain_policy p"
" JOIN wfml.registry r ON r.name = p.model"
" JOIN wfml.ml_model m ON m.name = r.name AND m.status = 'ready' AND m.id <> r.active_id"
" WHERE pg_has_role($1, r.owner::oid, 'USAGE') AND ($2 IS NULL OR m.id = $2)"
" AND (SELECT count(*) FROM wfml.ml_model n WHERE n.name = r.name AND n.version > m.version) >= r.keep_versions"
" AND NOT coalesce(r.traffic @> jsonb_build_object('a', m.version) OR r.traffic @> jsonb_build_object('b', m.version), false)"
" AND m.id IS DISTINCT FROM (SELECT a.id FROM wfml.activation a JOIN wfml.ml_model t ON t.id = a.id AND t.status = 'ready'"
"  WHERE a.model = r.name AND a.undone_at IS NULL AND a.id <> r.active_id ORDER BY a.seq DESC LIMIT 1)"
" ORDER BY r.name, m.version";

typedef struct Candidates
{
	Oid			user;
	List	   *all;
} Candidates;

static void
find_step(void *arg)
{
	Candidates *c = arg;
	Oid			types[] = {OIDOID, INT8OID};
	Datum		values[] = {ObjectIdGetDatum(c->user), (Datum) 0};
	MemoryContext context = CurrentMemoryContext;
	MemoryContext old;
	WfmlWriter	writer;
	uint64		n;

	wfml_write_begin(&writer, NULL);
	n = wfml_execute(candidates_query, 2, types, values, " n");
	old = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < n; i++)
	{
		Candidate  *v = palloc0(sizeof(Candidate));
		bool		isnull;

		v->model = TextDatumGetCString(wfml_result((int) i, 1, &isnull));
		v->version = DatumGetInt32(wfml_result((int) i, 2, &isnull));
		v->id = DatumGetInt64(wfml_result((int) i, 3, &isnull));
		v->user = c->user;
		c->all = lappend(c->all, v);
	}
	MemoryContextSwitchTo(old);
	wfml_write_end(&writer);
}

/* In use: the error that says so ends this step and nothing else. */
static void
check_step(void *arg)
{
	Candidate  *v = arg;
	WfmlWriter	writer;

	wfml_write_begin(&writer, NULL);
	wfml_refuse_used_version("drop", v->model, v->version, v->id);
	wfml_write_end(&writer);
}

/*
 * Predictions of the version forget it, some at a time; left to the foreign
 * key it would be one statement for perhaps millions of them.
 */
static void
forget_step(void *arg)
{
	Candidate  *v = arg;
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(v->id)};
	WfmlWriter	writer;
	int			level = wfml_waiting_begin();

	wfml_write_begin(&writer, "wfml.run_retraining()");
	v->n = wfml_execute("UPDATE wfml.prediction SET model_id = NULL WHERE id = ANY"
						" (ARRAY(SELECT id FROM wfml.prediction WHERE model_id = $1 LIMIT " BATCH "))",
						1, types, values, NULL);
	wfml_write_end(&writer);
	wfml_waiting_end(level);
}

/* Under the registry row's lock it must still be one that may go. */
static void
drop_step(void *arg)
{
	Candidate  *v = arg;
	Oid			types[] = {OIDOID, INT8OID};
	Datum		values[] = {ObjectIdGetDatum(v->user), Int64GetDatum(v->id)};
	Oid			name_type[] = {TEXTOID};
	Datum		name[] = {CStringGetTextDatum(v->model)};
	WfmlWriter	writer;
	int			level = wfml_waiting_begin();

	wfml_write_begin(&writer, "wfml.run_retraining()");
	if (wfml_execute("SELECT FROM wfml.registry WHERE name = $1 FOR UPDATE SKIP LOCKED", 1, name_type, name, NULL) == 1 &&
		wfml_execute(candidates_query, 2, types, values, NULL) == 1)
		v->dropped = wfml_execute("DELETE FROM wfml.ml_model WHERE id = $2 AND $1 IS NOT NULL", 2, types, values, NULL) == 1;
	wfml_write_end(&writer);
	wfml_waiting_end(level);
}

/* Cancel stops everything; what else goes wrong with one version leaves it where it is. */
static bool
went_well(ErrorData *error)
{
	if (error && wfml_is_cancel(error))
		ReThrowError(error);
	if (error && error->sqlerrcode != ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST)
		ereport(WARNING, (errmsg("could not prune: %s", error->message)));
	return error == NULL;
}

static bool
prune_version(Candidate *v, WfmlCommit commit)
{
	if (!went_well(wfml_step(check_step, v)))
		return false;
	do
	{
		CHECK_FOR_INTERRUPTS();
		v->n = 0;
		if (!went_well(wfml_step(forget_step, v)))
			return false;
		wfml_commit_step(commit);
	} while (v->n > 0);
	if (!went_well(wfml_step(drop_step, v)))
		return false;
	wfml_commit_step(commit);
	return v->dropped;
}

void
wfml_prune_versions(Oid user, WfmlCommit commit, WfmlPruned *pruned)
{
	Candidates	candidates = {.user = user};
	ListCell   *lc;

	if (!went_well(wfml_step(find_step, &candidates)))
		return;
	wfml_commit_step(commit);
	foreach(lc, candidates.all)
		if (prune_version(lfirst(lc), commit))
			pruned->versions++;
}

/* ---- rows of a time ---- */

#define JOB_DAYS 90

/* Delete a batch of what is older than a moment; how many rows went. */
typedef uint64 (*Deletion) (Oid user, TimestampTz before);

static uint64
delete_jobs(Oid user, TimestampTz before)
{
	Oid			types[] = {OIDOID, TIMESTAMPTZOID};
	Datum		values[] = {ObjectIdGetDatum(user), TimestampTzGetDatum(before)};
	WfmlWriter	writer;
	uint64		n;

	wfml_write_begin(&writer, "wfml.run_retraining()");
	n = wfml_execute("DELETE FROM wfml.job_run WHERE id = ANY (ARRAY(SELECT id FROM wfml.job_run"
					 " WHERE finished_at < $2 AND pg_has_role($1, role::oid, 'USAGE') LIMIT " BATCH " FOR UPDATE SKIP LOCKED))",
					 2, types, values, NULL);
	wfml_write_end(&writer);
	return n;
}

typedef struct Batch
{
	Oid			user;
	Deletion	deletion;
	TimestampTz before;
	uint64		n;
} Batch;

static void
delete_step(void *arg)
{
	Batch	   *b = arg;
	int			level = wfml_waiting_begin();

	b->n = b->deletion(b->user, b->before);
	wfml_waiting_end(level);
}

static int64
delete_old(Oid user, Deletion deletion, int64 minutes, WfmlCommit commit)
{
	Batch		batch = {
		.user = user,
		.deletion = deletion,
		.before = GetCurrentTimestamp() - minutes * USECS_PER_MINUTE
	};
	int64		all = 0;

	do
	{
		CHECK_FOR_INTERRUPTS();
		batch.n = 0;
		if (!went_well(wfml_step(delete_step, &batch)))
			break;
		wfml_commit_step(commit);
		all += (int64) batch.n;
	} while (batch.n > 0);
	return all;
}

void
wfml_prune_jobs(Oid user, WfmlCommit commit, WfmlPruned *pruned)
{
	pruned->jobs += delete_old(user, delete_jobs, JOB_DAYS * 24 * 60, commit);
}

void
wfml_prune_predictions(Oid user, WfmlCommit commit, WfmlPruned *pruned)
{
	if (wfml_prediction_retention > 0)
		pruned->predictions += delete_old(user, wfml_delete_predictions, wfml_prediction_retention, commit);
}

typedef struct Report
{
	Oid			user;
	const WfmlPruned *pruned;
} Report;

static void
report_step(void *arg)
{
	const Report *r = arg;
	char	   *json = psprintf("{\"versions\": " INT64_FORMAT ", \"predictions\": " INT64_FORMAT ", \"jobs\": " INT64_FORMAT "}",
								r->pruned->versions, r->pruned->predictions, r->pruned->jobs);
	int64		job = wfml_job_start("prune", NULL, 0, r->user, NULL);

	wfml_job_end(job, "done", 0, NULL, DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json))));
}

void
wfml_prune_report(Oid user, WfmlCommit commit, const WfmlPruned *pruned)
{
	Report		report = {.user = user, .pruned = pruned};

	if (pruned->versions + pruned->predictions + pruned->jobs == 0)
		return;
	(void) went_well(wfml_step(report_step, &report));
	wfml_commit_step(commit);
}
