/*-------------------------------------------------------------------------
 * job.c
 *	  Rows of wfml.job_run, and work that commits step by step.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <signal.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lock.h"
#include "tcop/utility.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pg/attempt.h"
#include "pg/job.h"
#include "pg/tables.h"

/* Longest HINT that a failed job's message takes over, and longest message, in bytes. */
#define MAX_HINT 150
#define MAX_MESSAGE 1000
/* How long locks of others are waited for. */
#define LOCK_WAIT "5s"
#define LOCK_TRIES 50
#define LOCK_PAUSE_US 100000L

/* ---- steps ---- */

WfmlCommit
wfml_procedure_begin(FunctionCallInfo fcinfo, const char *command)
{
	bool		may_commit = fcinfo->context && IsA(fcinfo->context, CallContext) &&
		!((CallContext *) fcinfo->context)->atomic;

	PreventCommandIfReadOnly(command);
	if (SPI_connect_ext(may_commit ? SPI_OPT_NONATOMIC : 0) != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	return may_commit ? WFML_COMMIT_SPI : WFML_COMMIT_NOT;
}

void
wfml_commit_step(WfmlCommit commit)
{
	switch (commit)
	{
		case WFML_COMMIT_NOT:
			CommandCounterIncrement();
			break;
		case WFML_COMMIT_SPI:
			SPI_commit();
			break;
		case WFML_COMMIT_PLAIN:
			{
				MemoryContext context = CurrentMemoryContext;

				CommitTransactionCommand();
				StartTransactionCommand();
				MemoryContextSwitchTo(context);
			}
			break;
	}
}

typedef struct Work
{
	void		(*work) (void *arg);
	void	   *arg;
} Work;

static void
with_snapshot(void *arg)
{
	const Work *w = arg;

	PushActiveSnapshot(GetTransactionSnapshot());
	w->work(w->arg);
	PopActiveSnapshot();
}

/* Cancels are held between steps, not in them; an error forgets the count. */
ErrorData *
wfml_step_bare(void (*work) (void *arg), void *arg)
{
	uint32		holdoff = QueryCancelHoldoffCount;
	ErrorData  *error;

	QueryCancelHoldoffCount = 0;
	error = wfml_catch(work, arg);
	QueryCancelHoldoffCount = holdoff;
	return error;
}

ErrorData *
wfml_step(void (*work) (void *arg), void *arg)
{
	Work		w = {work, arg};

	return wfml_step_bare(with_snapshot, &w);
}

/* ---- what stored code may try ---- */

bool
wfml_is_cancel(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED &&
		error->funcname && strcmp(error->funcname, "ProcessInterrupts") == 0;
}

bool
wfml_holds_advisory_locks(void)
{
	WfmlWriter	writer;
	bool		any;

	wfml_write_begin(&writer, NULL);
	any = wfml_execute("SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory' LIMIT 1",
					   0, NULL, NULL, NULL) > 0;
	wfml_write_end(&writer);
	return any;
}

void
wfml_drop_advisory_locks(void)
{
	LockReleaseSession(USER_LOCKMETHOD);
}

int
wfml_waiting_begin(void)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("lock_timeout", LOCK_WAIT, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return level;
}

void
wfml_waiting_end(int level)
{
	AtEOXact_GUC(false, level);
}

/* ---- rows ---- */

int64
wfml_job_start(const char *kind, const char *model, int64 model_number, Oid role, const char *reason)
{
	Oid			types[] = {TEXTOID, TEXTOID, INT8OID, OIDOID, TEXTOID, INT4OID, TIMESTAMPTZOID};
	Datum		values[7];
	char		nulls[] = "       ";
	WfmlWriter	writer;
	int64		id;
	bool		isnull;

	values[0] = CStringGetTextDatum(kind);
	values[1] = model ? CStringGetTextDatum(model) : (Datum) 0;
	values[2] = Int64GetDatum(model_number);
	values[3] = ObjectIdGetDatum(role);
	values[4] = reason ? CStringGetTextDatum(reason) : (Datum) 0;
	values[5] = Int32GetDatum(MyProcPid);
	values[6] = TimestampTzGetDatum(MyStartTimestamp);
	nulls[1] = model ? ' ' : 'n';
	nulls[2] = model_number ? ' ' : 'n';
	nulls[4] = reason ? ' ' : 'n';
	wfml_write_begin(&writer, "wfml.run_retraining()");
	wfml_execute("INSERT INTO wfml.job_run (kind, model, model_number, role, status, reason, pid, backend_start, started_at)"
				 " VALUES ($1, $2, $3, $4::regrole, 'running', $5, $6, $7, clock_timestamp()) RETURNING id",
				 7, types, values, nulls);
	id = DatumGetInt64(wfml_result(0, 1, &isnull));
	wfml_write_end(&writer);
	return id;
}

static const char end_query[] =
"UPDATE wfml.job_run SET status = CASE WHEN cancel_requested AND $2 = 'failed' THEN 'cancelled' ELSE $2 END,"
" finished_at = clock_timestamp(), version = $3, message = $4, result = $5"
" WHERE id = $1 AND status = 'running' RETURNING cancel_requested";

/* Not by lock_timeout, which is a kind of cancel. */
static void
lock_row(int64 id)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(id)};

	for (int i = 0; wfml_execute("SELECT FROM wfml.job_run WHERE id = $1 FOR UPDATE SKIP LOCKED", 1, types, values, NULL) == 0; i++)
	{
		if (i >= LOCK_TRIES)
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("the row of job " INT64_FORMAT " is locked by another session", id)));
		pg_usleep(LOCK_PAUSE_US);
	}
}

bool
wfml_job_end(int64 id, const char *status, int32 version, const char *message, Jsonb *result)
{
	Oid			types[] = {INT8OID, TEXTOID, INT4OID, TEXTOID, JSONBOID};
	Datum		values[5];
	char		nulls[] = "     ";
	bool		badly = strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0;
	WfmlWriter	writer;
	bool		requested = false;

	values[0] = Int64GetDatum(id);
	values[1] = CStringGetTextDatum(status);
	values[2] = Int32GetDatum(version);
	values[3] = message ? CStringGetTextDatum(message) : (Datum) 0;
	values[4] = JsonbPGetDatum(result);
	nulls[2] = version ? ' ' : 'n';
	nulls[3] = message ? ' ' : 'n';
	nulls[4] = result ? ' ' : 'n';
	if (badly)
		HOLD_CANCEL_INTERRUPTS();
	wfml_write_begin(&writer, "wfml.run_retraining()");
	if (badly)
		lock_row(id);
	if (wfml_execute(end_query, 5, types, values, nulls) > 0)
	{
		bool		isnull;

		requested = DatumGetBool(wfml_result(0, 1, &isnull));
	}
	else if (!badly)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("job " INT64_FORMAT " was ended by another session", id)));
	wfml_write_end(&writer);
	if (badly)
		RESUME_CANCEL_INTERRUPTS();
	return requested;
}

bool
wfml_job_end_by_error(int64 id, const ErrorData *error, bool time_is_over, double max_seconds)
{
	const char *status = "failed";
	char	   *message = pstrdup(error->message ? error->message : "");

	if (wfml_is_cancel(error) && time_is_over)
		message = psprintf("it took longer than %g seconds", max_seconds);
	else if (wfml_is_cancel(error))
		status = "cancelled";
	else
	{
		if (error->detail)
			message = psprintf("%s; %s", message, error->detail);
		/* Some hints are long lists. */
		if (error->hint && strlen(error->hint) <= MAX_HINT)
			message = psprintf("%s; %s", message, error->hint);
	}
	message[pg_mbcliplen(message, strlen(message), MAX_MESSAGE)] = '\0';
	return wfml_job_end(id, status, 0, message, NULL);
}

bool
wfml_job_fail_step(void (*work) (void *arg), void *arg)
{
	ErrorData  *error = wfml_step(work, arg);

	if (error && error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
		ReThrowError(error);
	if (error)
		ereport(WARNING,
				(errmsg("the end of a job could not be noted: somebody holds its row locked"),
				 errdetail("It counts as failed when this session is over.")));
	return error == NULL;
}

void
wfml_jobs_reap(void)
{
	WfmlWriter	writer;

	wfml_write_begin(&writer, "wfml.run_jobs()");
	wfml_execute("UPDATE wfml.job_run SET status = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'failed' END,"
				 " finished_at = clock_timestamp(),"
				 " message = CASE WHEN backend_start < pg_postmaster_start_time() THEN 'the server restarted while it ran'"
				 "  ELSE 'its session ended while it ran' END"
				 " WHERE id IN (SELECT id FROM wfml.job_run WHERE status = 'running'"
				 "  AND NOT wfml.job_alive(pid, backend_start) FOR UPDATE SKIP LOCKED)",
				 0, NULL, NULL, NULL);
	wfml_write_end(&writer);
}

/* ---- is a process still the one that it was? ---- */

static bool
backend_lives(int pid, TimestampTz start)
{
	int			n;

	if (pid == MyProcPid && start == MyStartTimestamp)
		return true;
	pgstat_clear_backend_activity_snapshot();
	n = pgstat_fetch_stat_numbackends();
	for (int i = 1; i <= n; i++)
	{
		const LocalPgBackendStatus *local = pgstat_get_local_beentry_by_index(i);

		if (local && local->backendStatus.st_procpid == pid && local->backendStatus.st_proc_start_timestamp == start)
			return true;
	}
	return false;
}

PG_FUNCTION_INFO_V1(wfml_job_alive);

/* job_alive(pid, backend_start) */
Datum
wfml_job_alive(PG_FUNCTION_ARGS)
{
	/* Processes of the primary are not to be seen from here. */
	if (RecoveryInProgress())
		PG_RETURN_BOOL(true);
	PG_RETURN_BOOL(backend_lives(PG_GETARG_INT32(0), PG_GETARG_TIMESTAMPTZ(1)));
}

/* ---- cancelling ---- */

typedef struct Open
{
	bool		queued;
	bool		running;
	int32		pid;
	TimestampTz start;
} Open;

/* Lock the row: whoever runs the job cannot end it meanwhile, so that pid is its. */
static Open
lock_job(int64 id, Oid user)
{
	Oid			types[] = {INT8OID, OIDOID};
	Datum		values[] = {Int64GetDatum(id), ObjectIdGetDatum(user)};
	Open		open = {false};
	bool		isnull;
	char	   *status;

	if (wfml_execute("SELECT j.status, j.pid, j.backend_start, pg_has_role($2, j.role::oid, 'USAGE')"
					 " OR coalesce(pg_has_role($2, (SELECT r.owner::oid FROM wfml.registry r WHERE r.number = j.model_number), 'USAGE'), false)"
					 " FROM wfml.job_run j WHERE j.id = $1 FOR UPDATE OF j", 2, types, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("job " INT64_FORMAT " does not exist", id),
				 errhint("The view wfml.jobs lists your jobs.")));
	if (!DatumGetBool(wfml_result(0, 4, &isnull)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must have the rights of the role that job " INT64_FORMAT " runs as", id)));
	status = TextDatumGetCString(wfml_result(0, 1, &isnull));
	open.queued = strcmp(status, "queued") == 0;
	open.running = strcmp(status, "running") == 0;
	open.pid = DatumGetInt32(wfml_result(0, 2, &isnull));
	open.start = DatumGetTimestampTz(wfml_result(0, 3, &isnull));
	return open;
}

PG_FUNCTION_INFO_V1(wfml_cancel_job);

/* cancel_job(id) → whether there was something to cancel */
Datum
wfml_cancel_job(PG_FUNCTION_ARGS)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {PG_GETARG_DATUM(0)};
	bool		cancelled = false;
	WfmlWriter	writer;
	Open		open;

	wfml_write_begin(&writer, "wfml.cancel_job()");
	open = lock_job(PG_GETARG_INT64(0), writer.user);
	if (open.queued)
	{
		wfml_execute("UPDATE wfml.job_run SET status = 'cancelled', finished_at = clock_timestamp() WHERE id = $1",
					 1, types, values, NULL);
		cancelled = true;
	}
	else if (open.running && backend_lives(open.pid, open.start))
	{
		wfml_execute("UPDATE wfml.job_run SET cancel_requested = true WHERE id = $1", 1, types, values, NULL);
		if (kill(open.pid, SIGINT) != 0)
			ereport(WARNING, (errmsg("could not send signal to process %d: %m", open.pid)));
		cancelled = true;
	}
	wfml_write_end(&writer);
	PG_RETURN_BOOL(cancelled);
}
