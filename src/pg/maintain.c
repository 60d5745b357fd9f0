/*-------------------------------------------------------------------------
 * maintain.c
 *	  CALL wfml.run_retraining(): what is due is trained again.
 *
 * A model is claimed by a job in state "running": its policy's row is locked
 * only while that is written, so that a second run finds either the lock or
 * the job and passes over it.  (An advisory lock could be held by a
 * stranger's source.)  Reading, training and publishing are transactions of
 * their own; an error ends its model's job and no other.
 *
 * Reading is cancelled after the policy's max_seconds; training is asked to
 * end after as long (retrain.h), and cancelled a little later.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/due.h"
#include "pg/job.h"
#include "pg/maintain.h"
#include "pg/owner.h"
#include "pg/retrain.h"
#include "pg/tables.h"
#include "pg/timelimit.h"

/* How long after max_seconds a training that does not end by itself is cancelled. */
#define GRACE_SECONDS 30

/* One model on its way. */
typedef struct Run
{
	WfmlDue    *due;
	Oid			user;			/* who called */
	TimestampTz since;			/* when the list of models was made */
	WfmlCommit	commit;
	int64		job;			/* 0: somebody else has it */
	MemoryContext context;
	WfmlRetraining *retraining;
	const WfmlRetrainResult *result;
	/* how it failed */
	ErrorData  *error;
	bool		over;			/* by our time limit */
	bool		requested;		/* by cancel_job() */
} Run;

static void
or_raise(ErrorData *error)
{
	if (error)
		ReThrowError(error);
}

/* ---- claiming ---- */

/* Nobody is at it, nobody was since we looked, and we still have the right. */
static const char claim_query[] =
"SELECT FROM wfml.registry r WHERE r.number = $1 AND pg_has_role($2, r.owner::oid, 'USAGE')"
" AND NOT EXISTS (SELECT FROM wfml.job_run j WHERE j.model_number = $1 AND j.kind = 'retrain'"
"  AND (j.finished_at > $3 OR (j.status = 'running' AND wfml.job_alive(j.pid, j.backend_start))))";

static void
claim_step(void *arg)
{
	Run		   *run = arg;
	Oid			types[] = {INT8OID, OIDOID, TIMESTAMPTZOID};
	Datum		values[] = {Int64GetDatum(run->due->number), ObjectIdGetDatum(run->user), TimestampTzGetDatum(run->since)};
	WfmlWriter	writer;
	bool		ours;

	wfml_write_begin(&writer, "wfml.run_retraining()");
	ours = wfml_execute("SELECT FROM wfml.retrain_policy p JOIN wfml.registry r ON r.name = p.model WHERE r.number = $1"
						" FOR UPDATE OF p SKIP LOCKED", 1, types, values, NULL) == 1;
	wfml_write_end(&writer);
	if (!ours)
		return;
	/* What another run committed before it gave the lock away, a snapshot from before would not show. */
	CommandCounterIncrement();
	wfml_write_begin(&writer, "wfml.run_retraining()");
	ours = wfml_execute(claim_query, 3, types, values, NULL) == 1;
	wfml_write_end(&writer);
	if (ours)
		run->job = wfml_job_start("retrain", run->due->model, run->due->number, run->due->owner, wfml_due_reasons(run->due));
}

/* ---- retraining ---- */

static void
load_step(void *arg)
{
	Run		   *run = arg;
	WfmlRetrainOptions options = {
		.tolerance = WFML_RETRAIN_TOLERANCE,
		.max_seconds = run->due->max_seconds
	};

	run->retraining = wfml_retrain_load(run->due->model, &options, run->context);
}

static void
fit_step(void *arg)
{
	wfml_retrain_fit(((Run *) arg)->retraining);
}

static Jsonb *
result_json(const WfmlRetrainResult *r)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"champion_version\": %d, \"rows\": " INT64_FORMAT ", \"fresh_rows\": " INT64_FORMAT ", \"seconds\": %.3f",
					 r->champion_version, r->rows, r->fresh_rows, r->seconds);
	if (r->metric && isfinite(r->champion) && isfinite(r->challenger))
		appendStringInfo(&json, ", \"metric\": \"%s\", \"champion\": %.15g, \"challenger\": %.15g",
						 r->metric, r->champion, r->challenger);
	if (r->metric && isfinite(r->bound))
		appendStringInfo(&json, ", \"bound\": %.15g", r->bound);
	appendStringInfoChar(&json, '}');
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}

static void
publish_step(void *arg)
{
	Run		   *run = arg;

	run->result = wfml_retrain_publish(run->retraining);
	wfml_job_end(run->job, run->result->activated ? "done" : "kept", run->result->version, run->result->reason,
				 result_json(run->result));
}

static void
fail_step(void *arg)
{
	Run		   *run = arg;

	run->requested = wfml_job_end_by_error(run->job, run->error, run->over, run->due->max_seconds);
}

/* One timed step; false: it failed. */
static bool
timed_step(Run *run, void (*work) (void *arg), bool snapshot, double seconds)
{
	bool		ours = wfml_time_limit_begin(seconds);

	run->error = snapshot ? wfml_step(work, run) : wfml_step_bare(work, run);
	run->over = wfml_time_limit_end(ours);
	if (run->error == NULL)
		wfml_commit_step(run->commit);
	return run->error == NULL;
}

/* The error stands in the job's row; a cancel that was not for this job stops us. */
static void
record_failure(Run *run)
{
	if (!wfml_job_fail_step(fail_step, run))
		run->requested = true;
	wfml_commit_step(run->commit);
	if (wfml_is_cancel(run->error) && !run->over && !run->requested)
		ReThrowError(run->error);
	if (run->over)
		ereport(NOTICE, (errmsg("retraining of model \"%s\" was stopped after %g seconds", run->due->model, run->due->max_seconds)));
	else
		ereport(NOTICE, (errmsg("retraining of model \"%s\" failed: %s", run->due->model, run->error->message)));
}

static void
retrain(Run *run)
{
	double		limit = run->due->max_seconds;

	HOLD_CANCEL_INTERRUPTS();
	or_raise(wfml_step(claim_step, run));
	wfml_commit_step(run->commit);
	if (run->job == 0)
	{
		RESUME_CANCEL_INTERRUPTS();
		ereport(NOTICE, (errmsg("model \"%s\" is being retrained by another session", run->due->model)));
		return;
	}
	if (timed_step(run, load_step, true, limit) &&
		timed_step(run, fit_step, false, limit + GRACE_SECONDS) &&
		timed_step(run, publish_step, true, limit + GRACE_SECONDS))
		wfml_retrain_notice(run->result);
	else
		record_failure(run);
	RESUME_CANCEL_INTERRUPTS();
}

static void
score_step(void *arg)
{
	wfml_due_score(((Run *) arg)->due);
}

static void
rows_step(void *arg)
{
	wfml_due_rows(((Run *) arg)->due);
}

/* A source that cannot even be counted is a failed retraining. */
static void
count_failed(Run *run)
{
	ErrorData  *error = run->error;
	bool		over = run->over;

	if (wfml_is_cancel(error) && !over)
		ReThrowError(error);
	run->due->reasons = list_make1("new rows were to be counted");
	HOLD_CANCEL_INTERRUPTS();
	or_raise(wfml_step(claim_step, run));
	if (run->job > 0)
	{
		run->error = error;
		run->over = over;
		record_failure(run);
	}
	RESUME_CANCEL_INTERRUPTS();
}

static void
maintain_model(Run *run)
{
	if (run->due->waiting)
		return;
	if (run->due->reasons == NIL && !timed_step(run, score_step, true, run->due->max_seconds))
	{
		if (wfml_is_cancel(run->error) && !run->over)
			ReThrowError(run->error);
		ereport(WARNING, (errmsg("live score of model \"%s\" is not known: %s", run->due->model, run->error->message)));
	}
	if (run->due->reasons == NIL && !timed_step(run, rows_step, true, run->due->max_seconds))
	{
		count_failed(run);
		return;
	}
	if (run->due->reasons != NIL)
		retrain(run);
}

/* ---- what tomorrow's decision needs ---- */

static void
drift_step(void *arg)
{
	Run		   *run = arg;
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(run->due->model)};
	WfmlAsOwner as;

	wfml_as_owner_begin(&as, run->due->owner, NULL, NULL);
	/* Drift is of all its users. */
	(void) set_config_option("wfml.user_id", "", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	wfml_execute("SELECT FROM wfml.drift($1)", 1, types, values, NULL);
	SPI_finish();
	wfml_as_owner_end(&as);
}

static void
measure_drift(Run *run)
{
	if (!run->due->wants_drift || timed_step(run, drift_step, true, run->due->max_seconds))
		return;
	if (wfml_is_cancel(run->error) && !run->over)
		ReThrowError(run->error);
	ereport(NOTICE, (errmsg("drift of model \"%s\" was not measured: %s", run->due->model, run->error->message)));
}

/* ---- all of it ---- */

typedef struct Candidates
{
	Oid			user;
	List	   *all;
	bool		locks;			/* the caller's own advisory locks */
} Candidates;

static void
candidates_step(void *arg)
{
	Candidates *c = arg;

	c->locks = wfml_holds_advisory_locks();
	wfml_jobs_reap();
	c->all = wfml_due_candidates(c->user);
}

static void
prune(Oid user, WfmlCommit commit)
{
	WfmlPruned	pruned = {0};

	wfml_prune_versions(user, commit, &pruned);
	wfml_prune_predictions(user, commit, &pruned);
	wfml_prune_jobs(user, commit, &pruned);
	wfml_prune_report(user, commit, &pruned);
}

PG_FUNCTION_INFO_V1(wfml_run_retraining);

/* CALL run_retraining() */
Datum
wfml_run_retraining(PG_FUNCTION_ARGS)
{
	WfmlCommit	commit = wfml_procedure_begin(fcinfo, "wfml.run_retraining()");
	Candidates	candidates = {.user = GetUserId()};
	TimestampTz since = GetCurrentTimestamp();
	ListCell   *lc;

	if (commit == WFML_COMMIT_NOT)
		ereport(NOTICE,
				(errmsg("retraining in a transaction block: nothing is committed before its end"),
				 errhint("CALL wfml.run_retraining() by itself commits after each model.")));
	or_raise(wfml_step(candidates_step, &candidates));
	wfml_commit_step(commit);
	foreach(lc, candidates.all)
	{
		Run			run = {.due = lfirst(lc), .user = candidates.user, .since = since, .commit = commit};

		CHECK_FOR_INTERRUPTS();
		run.context = AllocSetContextCreate(CurrentMemoryContext, "wfml retraining", ALLOCSET_DEFAULT_SIZES);
		maintain_model(&run);
		MemoryContextDelete(run.context);
		if (!candidates.locks)
			wfml_drop_advisory_locks();
		measure_drift(&run);
	}
	prune(candidates.user, commit);
	/* Last: nothing limits their time. */
	wfml_jobs_run_queued(commit, InvalidOid);
	SPI_finish();
	PG_RETURN_VOID();
}
