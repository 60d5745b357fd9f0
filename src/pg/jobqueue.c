/*-------------------------------------------------------------------------
 * jobqueue.c
 *	  Queued jobs: who runs one, and how it runs.
 *
 * A job is a call of one of a few functions with arguments by name.  It runs
 * as the role that queued it in a security-restricted operation, whoever runs
 * it, with the settings that were in force then.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "pg/job.h"
#include "pg/owner.h"
#include "pg/tables.h"

/* What jobs may call: how to take the arguments out of JSON, and the call. */
typedef struct Callable
{
	const char *function;
	const char *arguments;		/* of $1 jsonb and $2 the model's name; runs with a pinned search_path */
	const char *call;			/* runs with the job's search_path */
} Callable;

static const Callable callables[] = {
	{
		"train",
		"SELECT $2, $1 ->> 'algorithm', $1 ->> 'source', $1 ->> 'target', $1 -> 'params',"
		" CASE WHEN jsonb_typeof($1 -> 'features') = 'array'"
		"  THEN (SELECT array_agg(f.name ORDER BY f.i) FROM jsonb_array_elements_text($1 -> 'features') WITH ORDINALITY f (name, i)) END,"
		" $1 ->> 'task', ($1 ->> 'activate')::boolean",
		"SELECT pg_catalog.to_jsonb(s) FROM wfml.train($1, $2, $3, $4, $5, $6, $7, $8) s"
	},
	{
		"train_recommender",
		"SELECT $2, $1 ->> 'source', $1 ->> 'user_column', $1 ->> 'item_column', $1 ->> 'rating_column',"
		" $1 ->> 'time_column', $1 ->> 'items', $1 ->> 'item_key', $1 -> 'params', ($1 ->> 'activate')::boolean",
		"SELECT pg_catalog.to_jsonb(s) FROM wfml.train_recommender($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) s"
	},
	{
		"train_sequence",
		"SELECT $2, $1 ->> 'source', $1 ->> 'case_column', $1 ->> 'event_column', $1 ->> 'time_column',"
		" $1 -> 'params', ($1 ->> 'activate')::boolean",
		"SELECT pg_catalog.to_jsonb(s) FROM wfml.train_sequence($1, $2, $3, $4, $5, $6, $7) s"
	},
	{
		"train_one",
		"SELECT $2, $1 -> 'params'",
		"SELECT pg_catalog.to_jsonb(s) FROM wfml.train_one($1, $2) s"
	},
};

#define MAX_ARGUMENTS 10

bool
wfml_job_callable(const char *function)
{
	for (int i = 0; i < (int) lengthof(callables); i++)
		if (strcmp(function, callables[i].function) == 0)
			return true;
	return false;
}

/* ---- taking one ---- */

static const char claim_query[] =
"UPDATE wfml.job_run SET status = 'running', pid = $2, backend_start = $3, started_at = clock_timestamp()"
" WHERE id = (SELECT id FROM wfml.job_run WHERE id = $1 AND status = 'queued' FOR UPDATE SKIP LOCKED)"
" RETURNING role::oid, model, arguments, settings ->> 'search_path', settings ->> 'TimeZone', settings ->> 'wfml.user_id'";

static char *
text_of(int column)
{
	bool		isnull;
	Datum		value = wfml_result(0, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* False: it is not queued any more, or another runner is about to take it. */
static bool
claim(WfmlJob *job)
{
	Oid			types[] = {INT8OID, INT4OID, TIMESTAMPTZOID};
	Datum		values[] = {Int64GetDatum(job->id), Int32GetDatum(MyProcPid), TimestampTzGetDatum(MyStartTimestamp)};
	MemoryContext context = CurrentMemoryContext;
	WfmlWriter	writer;
	bool		claimed;

	wfml_write_begin(&writer, "wfml.run_jobs()");
	claimed = wfml_execute(claim_query, 3, types, values, NULL) > 0;
	if (claimed)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		bool		isnull;

		job->role = DatumGetObjectId(wfml_result(0, 1, &isnull));
		job->model = text_of(2);
		job->arguments = DatumGetJsonbPCopy(wfml_result(0, 3, &isnull));
		job->search_path = text_of(4);
		job->timezone = text_of(5);
		job->user_id = text_of(6);
		MemoryContextSwitchTo(old);
	}
	wfml_write_end(&writer);
	return claimed;
}

static void
claim_step(void *arg)
{
	WfmlJob    *job = arg;

	if (!claim(job))
		job->role = InvalidOid;
}

/* ---- running it ---- */

typedef struct Call
{
	const Callable *callable;
	int			n;
	Oid			types[MAX_ARGUMENTS];
	Datum		values[MAX_ARGUMENTS];
	char		nulls[MAX_ARGUMENTS];
} Call;

static const Callable *
find_callable(void)
{
	char	   *function = text_of(1);

	for (int i = 0; function && i < (int) lengthof(callables); i++)
		if (strcmp(function, callables[i].function) == 0)
			return &callables[i];
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("jobs cannot call \"%s\"", function ? function : "")));
}

static void
read_call(const WfmlJob *job, Call *call)
{
	Oid			types[] = {JSONBOID, TEXTOID};
	Datum		values[] = {JsonbPGetDatum(job->arguments), CStringGetTextDatum(job->model)};
	MemoryContext context = CurrentMemoryContext;
	MemoryContext old;
	WfmlWriter	writer;
	TupleDesc	desc;

	wfml_write_begin(&writer, NULL);
	wfml_execute("SELECT $1 ->> 'function'", 1, types, values, NULL);
	call->callable = find_callable();
	wfml_execute(call->callable->arguments, 2, types, values, NULL);
	desc = SPI_tuptable->tupdesc;
	call->n = desc->natts;
	old = MemoryContextSwitchTo(context);
	for (int i = 0; i < call->n; i++)
	{
		Form_pg_attribute a = TupleDescAttr(desc, i);
		bool		isnull;
		Datum		value = wfml_result(0, i + 1, &isnull);

		call->types[i] = a->atttypid;
		call->nulls[i] = isnull ? 'n' : ' ';
		call->values[i] = isnull ? (Datum) 0 : datumCopy(value, a->attbyval, a->attlen);
	}
	MemoryContextSwitchTo(old);
	wfml_write_end(&writer);
}

static void
set_user_id(const char *user_id)
{
	if (user_id)
		(void) set_config_option("wfml.user_id", user_id, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* The call, as its role; its result and the job's end are one transaction. */
static void
run_step(void *arg)
{
	WfmlJob    *job = arg;
	MemoryContext context = CurrentMemoryContext;
	Call		call;
	WfmlAsOwner as;
	Jsonb	   *result;
	bool		isnull;
	Datum		version;

	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(job->role)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the role that queued the job does not exist any more")));
	read_call(job, &call);
	wfml_as_owner_begin(&as, job->role, job->search_path, job->timezone);
	set_user_id(job->user_id);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (wfml_execute(call.callable->call, call.n, call.types, call.values, call.nulls) != 1)
		elog(ERROR, "a job returned no row");
	MemoryContextSwitchTo(context);
	result = DatumGetJsonbPCopy(wfml_result(0, 1, &isnull));
	SPI_finish();
	MemoryContextSwitchTo(context);
	wfml_as_owner_end(&as);
	version = DirectFunctionCall2(jsonb_object_field_text, JsonbPGetDatum(result), CStringGetTextDatum("version"));
	wfml_job_end(job->id, "done", pg_strtoint32(TextDatumGetCString(version)), NULL, result);
}

typedef struct Failure
{
	const WfmlJob *job;
	const ErrorData *error;
	bool		requested;
} Failure;

static void
fail_step(void *arg)
{
	Failure    *f = arg;

	f->requested = wfml_job_end_by_error(f->job->id, f->error, false, 0);
}

static void
or_raise(ErrorData *error)
{
	if (error)
		ReThrowError(error);
}

void
wfml_job_run(int64 id, WfmlCommit commit)
{
	WfmlJob		job = {.id = id};
	Failure		failure = {.job = &job};

	HOLD_CANCEL_INTERRUPTS();
	or_raise(wfml_step(claim_step, &job));
	wfml_commit_step(commit);
	if (!OidIsValid(job.role))
	{
		RESUME_CANCEL_INTERRUPTS();
		return;
	}
	failure.error = wfml_step(run_step, &job);
	if (failure.error)
	{
		if (!wfml_job_fail_step(fail_step, &failure))
			failure.requested = true;
		wfml_commit_step(commit);
		/* Somebody stopped us, not just this job. */
		if (wfml_is_cancel(failure.error) && !failure.requested)
			ReThrowError(unconstify(ErrorData *, failure.error));
		ereport(NOTICE,
				(errmsg("job " INT64_FORMAT " failed: %s", id, failure.error->message)));
	}
	else
		wfml_commit_step(commit);
	RESUME_CANCEL_INTERRUPTS();
}

/* ---- the queue ---- */

int
wfml_jobs_running(void)
{
	bool		isnull;

	wfml_execute("SELECT count(*)::integer FROM wfml.job_run WHERE status = 'running' AND wfml.job_alive(pid, backend_start)",
				 0, NULL, NULL, NULL);
	return DatumGetInt32(wfml_result(0, 1, &isnull));
}

typedef struct Next
{
	int64		after;			/* 0: none */
	Oid			user;
	Oid			only;			/* InvalidOid: of any role */
	bool		found;
} Next;

static void
next_step(void *arg)
{
	Next	   *next = arg;
	Oid			types[] = {INT8OID, OIDOID, OIDOID};
	Datum		values[] = {Int64GetDatum(next->after), ObjectIdGetDatum(next->user), ObjectIdGetDatum(next->only)};
	WfmlWriter	writer;
	bool		isnull;

	wfml_write_begin(&writer, "wfml.run_jobs()");
	next->found = wfml_execute("SELECT id FROM wfml.job_run WHERE status = 'queued' AND id > $1"
							   " AND pg_has_role($2, role::oid, 'USAGE') AND $3 IN (0::oid, role::oid) ORDER BY id LIMIT 1",
							   3, types, values, NULL) > 0;
	if (next->found)
		next->after = DatumGetInt64(wfml_result(0, 1, &isnull));
	wfml_write_end(&writer);
}

static void
reap_step(void *arg)
{
	*(bool *) arg = wfml_holds_advisory_locks();
	wfml_jobs_reap();
}

void
wfml_jobs_run_queued(WfmlCommit commit, Oid only)
{
	Next		next = {.user = GetUserId(), .only = only};
	bool		locks = false;

	or_raise(wfml_step(reap_step, &locks));
	wfml_commit_step(commit);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		or_raise(wfml_step(next_step, &next));
		if (!next.found)
			break;
		wfml_job_run(next.after, commit);
		if (!locks)
			wfml_drop_advisory_locks();
	}
}

PG_FUNCTION_INFO_V1(wfml_run_jobs);

/* CALL run_jobs() */
Datum
wfml_run_jobs(PG_FUNCTION_ARGS)
{
	WfmlCommit	commit = wfml_procedure_begin(fcinfo, "wfml.run_jobs()");

	wfml_jobs_run_queued(commit, InvalidOid);
	SPI_finish();
	PG_RETURN_VOID();
}
