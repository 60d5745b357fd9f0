/*-------------------------------------------------------------------------
 * background.c
 *	  Queueing jobs and the background workers that run them.
 *
 * A worker is started when the transaction that queued its job commits: it
 * could not see the job earlier, and a rollback leaves nothing to run.  Jobs
 * take no more than half of the server's workers, which also serve parallel
 * queries; others wait until a worker of their role has ended its job, or for
 * run_jobs() or run_retraining().
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <signal.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "pg/arguments.h"
#include "pg/job.h"
#include "pg/registry.h"
#include "pg/tables.h"

/* What a worker is told. */
typedef struct Start
{
	int64		job;
	Oid			database;
	Oid			role;
	Oid			connect;		/* role to connect as; InvalidOid: it may not log in */
} Start;

/* ---- starting workers at commit ---- */

typedef struct Pending
{
	Start		start;
	struct Pending *next;
} Pending;

static Pending *pending = NULL; /* in TopTransactionContext */

static bool
start_worker(const Start *start)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	snprintf(worker.bgw_library_name, sizeof(worker.bgw_library_name), "wfml");
	snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "wfml_job_worker");
	snprintf(worker.bgw_type, BGW_MAXLEN, "wfml job");
	snprintf(worker.bgw_name, BGW_MAXLEN, "wfml job " INT64_FORMAT, start->job);
	memcpy(worker.bgw_extra, start, sizeof(*start));
	return RegisterDynamicBackgroundWorker(&worker, &handle);
}

/* After the commit nothing may fail: a job that cannot start just stays queued. */
static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			for (Pending *p = pending; p; p = p->next)
				if (!start_worker(&p->start))
					ereport(WARNING,
							(errmsg("job " INT64_FORMAT " stays queued: no background worker is free", p->start.job),
							 errhint("CALL wfml.run_jobs() runs it; \"max_worker_processes\" says how many workers there are.")));
			pending = NULL;
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			pending = NULL;
			break;
		default:
			break;
	}
}

static bool
may_log_in(Oid role)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool		may = false;

	if (HeapTupleIsValid(tuple))
	{
		may = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
		ReleaseSysCache(tuple);
	}
	return may;
}

static void
start_at_commit(int64 job, Oid role)
{
	static bool registered = false;
	Pending    *p = MemoryContextAlloc(TopTransactionContext, sizeof(*p));

	if (!registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		registered = true;
	}
	p->start = (Start) {.job = job, .database = MyDatabaseId, .role = role, .connect = role};
#ifndef BGWORKER_BYPASS_ROLELOGINCHECK
	if (!may_log_in(role))
		p->start.connect = InvalidOid;
#endif
	p->next = pending;
	pending = p;
}

/* ---- queueing ---- */

/* running: how many jobs do. */
static int64
insert_job(const char *function, const char *model, Jsonb *arguments, int *running)
{
	Oid			types[] = {TEXTOID, TEXTOID, OIDOID, JSONBOID, TEXTOID, TEXTOID, TEXTOID};
	Datum		values[7];
	WfmlWriter	writer;
	bool		isnull;
	int64		id;

	values[0] = CStringGetTextDatum(function);
	values[1] = CStringGetTextDatum(model);
	values[2] = ObjectIdGetDatum(GetUserId());
	values[3] = JsonbPGetDatum(arguments);
	/* The caller's, before the writer pins its own. */
	values[4] = CStringGetTextDatum(GetConfigOption("search_path", false, false));
	values[5] = CStringGetTextDatum(GetConfigOption("TimeZone", false, false));
	values[6] = CStringGetTextDatum(GetConfigOption("wfml.user_id", false, false));
	wfml_write_begin(&writer, "wfml.train_background()");
	wfml_execute("INSERT INTO wfml.job_run (kind, model, model_number, role, status, arguments, settings)"
				 " VALUES ('train', $2, (SELECT number FROM wfml.registry WHERE name = $2), $3::regrole, 'queued',"
				 " $4 || jsonb_build_object('function', $1),"
				 " jsonb_build_object('search_path', $5, 'TimeZone', $6, 'wfml.user_id', $7)) RETURNING id",
				 7, types, values, NULL);
	id = DatumGetInt64(wfml_result(0, 1, &isnull));
	*running = wfml_jobs_running();
	wfml_write_end(&writer);
	for (const Pending *p = pending; p; p = p->next)
		++*running;
	return id;
}

PG_FUNCTION_INFO_V1(wfml_queue_job);

/* queue_job(function, model, arguments) → the job's id */
Datum
wfml_queue_job(PG_FUNCTION_ARGS)
{
	char	   *function = wfml_argument_text(fcinfo, 0, "function");
	char	   *model = wfml_argument_text(fcinfo, 1, "model");
	int64		id;
	int			running;

	PreventCommandIfReadOnly(psprintf("wfml.%s_background()", function));
	if (!wfml_job_callable(function))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("jobs cannot call \"%s\"", function),
				 errhint("They can call train, train_recommender, train_sequence and train_one.")));
	if (PG_ARGISNULL(2) || !JB_ROOT_IS_OBJECT(PG_GETARG_JSONB_P(2)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("arguments must be a JSON object")));
	/* What can be said at once is not left to the job. */
	wfml_check_may_train(model);
	id = insert_job(function, model, PG_GETARG_JSONB_P(2), &running);
	if (running < Max(1, max_worker_processes / 2))
		start_at_commit(id, GetUserId());
	else
		ereport(NOTICE,
				(errmsg("job " INT64_FORMAT " waits, as %d jobs are running", id, running),
				 errhint("It runs when a job of the same role has ended, or by CALL wfml.run_jobs().")));
	PG_RETURN_INT64(id);
}

/* ---- the worker ---- */

PGDLLEXPORT void wfml_job_worker(Datum arg);

/*
 * Servers before 17 let no worker connect as a role without LOGIN.  For such
 * a role the worker connects as nobody in particular; the job itself always
 * runs in a security-restricted operation, which cannot leave its role.
 */
static void
connect_worker(const Start *start)
{
	uint32		flags = 0;

#ifdef BGWORKER_BYPASS_ROLELOGINCHECK
	flags |= BGWORKER_BYPASS_ROLELOGINCHECK;
#endif
	BackgroundWorkerInitializeConnectionByOid(start->database, start->connect, flags);
}

void
wfml_job_worker(Datum arg)
{
	Start		start;
	char		activity[64];

	memcpy(&start, MyBgworkerEntry->bgw_extra, sizeof(start));
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	connect_worker(&start);
	snprintf(activity, sizeof(activity), "wfml job " INT64_FORMAT, start.job);
	pgstat_report_appname(activity);
	pgstat_report_activity(STATE_RUNNING, activity);

	StartTransactionCommand();
	MemoryContextSwitchTo(AllocSetContextCreate(TopMemoryContext, "wfml job", ALLOCSET_DEFAULT_SIZES));
	wfml_job_run(start.job, WFML_COMMIT_PLAIN);
	wfml_jobs_run_queued(WFML_COMMIT_PLAIN, start.role);
	CommitTransactionCommand();
	pgstat_report_activity(STATE_IDLE, NULL);
	proc_exit(0);
}
