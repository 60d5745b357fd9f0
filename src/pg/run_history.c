/*-------------------------------------------------------------------------
 * run_history.c
 *	  sync_runs() and prune_runs(): finished runs that outlive their tool's.
 *
 * The binding is read as its owner, in batches by the time that runs finished;
 * each batch is written and committed before the next one is read.  Runs that
 * are there already are left as they are, so that an overlap does no harm.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pg/binding.h"
#include "pg/job.h"
#include "pg/owner.h"
#include "pg/tables.h"

PG_FUNCTION_INFO_V1(wfml_sync_runs);
PG_FUNCTION_INFO_V1(wfml_prune_runs);

/* Runs read and written in one transaction. */
#define BATCH 10000
/* Runs can become visible a little after the time at which they say they finished. */
#define OVERLAP USECS_PER_HOUR
/* Statistics are made at once for so many new runs: plans without them are bad. */
#define ANALYZE_RUNS 1000
/* Workflows that one call warns of, for each tool. */
#define MAX_WARNINGS 10

/* Columns of a run as they are read and written. */
enum
{
	RUN_TOOL, RUN_WORKFLOW, RUN_ID, RUN_NAME, RUN_USER, RUN_STARTED, RUN_FINISHED, RUN_SUCCEEDED, RUN_COLUMNS
};

static const Oid run_types[RUN_COLUMNS] = {
	TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, BOOLOID
};

typedef struct Sync
{
	Oid			owner;
	int64		binding;
	TimestampTz from;			/* runs that finished then or later */
	int64		limit;
	ArrayBuildState *columns[RUN_COLUMNS];
	int64		n_read;
	TimestampTz last;			/* when the last of them finished */
	uint64		n_kept;			/* new ones of all batches */
	MemoryContext context;		/* of a batch */
} Sync;

/* ---- reading ---- */

static char *
read_query(const WfmlBinding *binding)
{
	return psprintf("SELECT q.kept_as::pg_catalog.text, q.workflow_id::pg_catalog.text, q.run_id::pg_catalog.text,"
					" %s, %s, q.started_at::pg_catalog.timestamptz, q.finished_at::pg_catalog.timestamptz, q.succeeded"
					" FROM (%%s) q WHERE q.kept_as IS NOT NULL AND q.workflow_id IS NOT NULL AND q.run_id IS NOT NULL"
					" AND q.started_at IS NOT NULL AND q.succeeded IS NOT NULL"
					" AND q.finished_at::pg_catalog.timestamptz OPERATOR(pg_catalog.>=) $1"
					" AND pg_catalog.isfinite(q.finished_at::pg_catalog.timestamptz)"
					" AND pg_catalog.isfinite(q.started_at::pg_catalog.timestamptz)"
					" ORDER BY 7 LIMIT $2",
					wfml_binding_has(binding, "name") ? "q.name::pg_catalog.text" : "NULL::pg_catalog.text",
					wfml_binding_has(binding, "user_id") ? "q.user_id::pg_catalog.text" : "NULL::pg_catalog.text");
}

static bool
take_run(void *arg, HeapTuple tuple, TupleDesc desc)
{
	Sync	   *sync = arg;

	for (int i = 0; i < RUN_COLUMNS; i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, i + 1, desc, &isnull);

		if (i == RUN_FINISHED)
			sync->last = DatumGetTimestampTz(value);
		sync->columns[i] = accumArrayResult(sync->columns[i], value, isnull, run_types[i], sync->context);
	}
	sync->n_read++;
	return true;
}

/* The owner's own, whatever others grant him. */
static WfmlBinding *
find_binding(Oid owner)
{
	WfmlAsOwner as;
	WfmlBinding *binding;

	wfml_as_owner_begin(&as, owner, NULL, NULL);
	binding = wfml_binding_find("runs", true);
	wfml_as_owner_end(&as);
	return binding && binding->owner == owner ? binding : NULL;
}

/* Where to begin: the end of what is kept of this binding's runs. */
static TimestampTz
kept_until(const Sync *sync)
{
	Oid			types[] = {OIDOID, INT8OID};
	Datum		values[] = {ObjectIdGetDatum(sync->owner), Int64GetDatum(sync->binding)};
	WfmlWriter	writer;
	TimestampTz result = DT_NOBEGIN;
	Datum		value;
	bool		isnull;

	wfml_write_begin(&writer, NULL);
	wfml_execute("SELECT min(kept_until) FROM wfml.run_sync WHERE owner = $1 AND binding = $2", 2, types, values, NULL);
	value = wfml_result(0, 1, &isnull);
	if (!isnull)
		result = DatumGetTimestampTz(value);
	wfml_write_end(&writer);
	return result;
}

/* ---- writing ---- */

static const char insert_query[] =
"INSERT INTO wfml.run_history (owner, tool, workflow_id, run_id, name, user_id, started_at, finished_at, succeeded)"
" SELECT $9::oid::regrole, r.* FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) r ON CONFLICT DO NOTHING";

/* Times in the future, of clocks that are wrong, must not hide what comes. */
static const char remember_query[] =
"INSERT INTO wfml.run_sync (owner, tool, binding, kept_until)"
" SELECT $3::oid::regrole, r.tool, $4, least(max(r.finished_at), now()) - $5 FROM unnest($1, $2) r (tool, finished_at) GROUP BY r.tool"
" ON CONFLICT (owner, tool) DO UPDATE SET binding = excluded.binding, synced_at = excluded.synced_at,"
" kept_until = CASE WHEN run_sync.binding = excluded.binding THEN greatest(run_sync.kept_until, excluded.kept_until)"
" ELSE excluded.kept_until END";

/* Another session may do the same: then it need not be done, and nobody be told. */
static void
make_statistics(void)
{
	WfmlWriter	writer;

	wfml_write_begin(&writer, "wfml.sync_runs()");
	(void) set_config_option("client_min_messages", "error", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) wfml_execute("ANALYZE (SKIP_LOCKED) wfml.run_history", 0, NULL, NULL, NULL);
	wfml_write_end(&writer);
}

static void
write_batch(Sync *sync)
{
	Oid			types[RUN_COLUMNS + 1];
	Datum		values[RUN_COLUMNS + 1];
	Interval	overlap = {.time = OVERLAP};
	Oid			sync_types[] = {TEXTARRAYOID, get_array_type(TIMESTAMPTZOID), OIDOID, INT8OID, INTERVALOID};
	Datum		sync_values[5];
	WfmlWriter	writer;
	uint64		n;

	for (int i = 0; i < RUN_COLUMNS; i++)
	{
		types[i] = get_array_type(run_types[i]);
		values[i] = makeArrayResult(sync->columns[i], sync->context);
	}
	types[RUN_COLUMNS] = OIDOID;
	values[RUN_COLUMNS] = ObjectIdGetDatum(sync->owner);
	sync_values[0] = values[RUN_TOOL];
	sync_values[1] = values[RUN_FINISHED];
	sync_values[2] = ObjectIdGetDatum(sync->owner);
	sync_values[3] = Int64GetDatum(sync->binding);
	sync_values[4] = IntervalPGetDatum(&overlap);
	wfml_write_begin(&writer, "wfml.sync_runs()");
	n = wfml_execute(insert_query, RUN_COLUMNS + 1, types, values, NULL);
	(void) wfml_execute(remember_query, 5, sync_types, sync_values, NULL);
	wfml_write_end(&writer);
	sync->n_kept += n;
	if (n >= ANALYZE_RUNS)
		make_statistics();
}

/* ---- a batch ---- */

static void
batch_step(void *arg)
{
	Sync	   *sync = arg;
	MemoryContext old = MemoryContextSwitchTo(sync->context);
	WfmlBinding *binding = find_binding(sync->owner);
	Oid			types[] = {TIMESTAMPTZOID, INT8OID};
	Datum		values[2];

	sync->n_read = 0;
	for (int i = 0; i < RUN_COLUMNS; i++)
		sync->columns[i] = NULL;
	/* Bound anew, or no more, since the last batch: that is another sync. */
	if (binding && (sync->binding == 0 || sync->binding == binding->id))
	{
		if (sync->binding == 0)
		{
			sync->binding = binding->id;
			sync->from = kept_until(sync);
		}
		values[0] = TimestampTzGetDatum(sync->from);
		values[1] = Int64GetDatum(sync->limit);
		wfml_binding_read(binding, read_query(binding), 2, types, values, NULL, take_run, sync);
		if (sync->n_read > 0)
			write_batch(sync);
	}
	MemoryContextSwitchTo(old);
}

/* After a batch; false: it was the last. */
static bool
next_batch(Sync *sync)
{
	bool		full = sync->n_read >= sync->limit;

	/* As many as that at one time: take more of them. */
	if (full && sync->last == sync->from)
		sync->limit *= 2;
	sync->from = sync->last;
	return full;
}

/* ---- warnings ---- */

static const char failures_query[] =
"SELECT h.tool, h.workflow_id, count(*), max(h.name) FROM wfml.run_history h"
" JOIN wfml.run_sync s ON s.owner = h.owner AND s.tool = h.tool AND s.binding = $2"
" WHERE h.owner = $1 GROUP BY 1, 2 HAVING count(*) >= 3 AND NOT bool_or(h.succeeded) ORDER BY 1, 2 LIMIT $3";

static void
warn_of_failures(const Sync *sync)
{
	Oid			types[] = {OIDOID, INT8OID, INT4OID};
	Datum		values[] = {ObjectIdGetDatum(sync->owner), Int64GetDatum(sync->binding), Int32GetDatum(MAX_WARNINGS)};
	WfmlWriter	writer;
	uint64		n;

	wfml_write_begin(&writer, NULL);
	n = wfml_execute(failures_query, 3, types, values, NULL);
	for (uint64 i = 0; i < n; i++)
	{
		bool		isnull;
		char	   *tool = TextDatumGetCString(wfml_result(i, 1, &isnull));
		char	   *workflow = TextDatumGetCString(wfml_result(i, 2, &isnull));
		int64		count = DatumGetInt64(wfml_result(i, 3, &isnull));
		Datum		name = wfml_result(i, 4, &isnull);

		ereport(WARNING,
				(errmsg("only failures of %s workflow \"%s\"%s are kept", tool, workflow,
						isnull ? "" : psprintf(" (%s)", TextDatumGetCString(name))),
				 errdetail("None of its " INT64_FORMAT " runs succeeded.", count),
				 errhint("If it does succeed at times, its successful runs are not saved: n8n leaves them out under EXECUTIONS_DATA_SAVE_ON_SUCCESS=none or the workflow's own setting. Nothing can be learned about when it succeeds then.")));
	}
	wfml_write_end(&writer);
}

static void
warn_step(void *arg)
{
	warn_of_failures(arg);
}

/* ---- sync_runs ---- */

static const char owners_query[] =
"SELECT b.owner::oid FROM wfml.source_binding b JOIN pg_roles a ON a.oid = b.owner::oid"
" WHERE b.kind = 'runs' AND b.columns ?& ARRAY['run_id', 'kept_as'] AND pg_has_role($1, b.owner::oid, 'USAGE') ORDER BY a.rolname";

typedef struct Owners
{
	Oid			user;
	int			n;
	Oid		   *oids;
	MemoryContext context;
} Owners;

static void
owners_step(void *arg)
{
	Owners	   *owners = arg;
	Oid			types[] = {OIDOID};
	Datum		values[] = {ObjectIdGetDatum(owners->user)};
	WfmlWriter	writer;

	wfml_write_begin(&writer, NULL);
	owners->n = (int) wfml_execute(owners_query, 1, types, values, NULL);
	owners->oids = MemoryContextAlloc(owners->context, (owners->n + 1) * sizeof(Oid));
	for (int i = 0; i < owners->n; i++)
	{
		bool		isnull;

		owners->oids[i] = DatumGetObjectId(wfml_result(i, 1, &isnull));
	}
	wfml_write_end(&writer);
}

/* Whose, for messages; only where it is not clear. */
static const char *
of_owner(Oid owner, Oid user)
{
	char	   *name = owner == user ? NULL : GetUserNameFromId(owner, true);

	return name ? psprintf(" of role \"%s\"", name) : "";
}

/* One owner's trouble is not the others'. */
static void
sync_owner(Oid owner, Oid user, WfmlCommit commit, MemoryContext context)
{
	Sync		sync = {.owner = owner, .limit = BATCH, .context = context};
	ErrorData  *error;
	bool		more;

	do
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(context);
		error = wfml_step(batch_step, &sync);
		if (error && wfml_is_cancel(error))
			ReThrowError(error);
		if (error)
		{
			ereport(WARNING,
					(errcode(error->sqlerrcode),
					 errmsg("could not keep the runs%s: %s", of_owner(owner, user), error->message),
					 error->detail ? errdetail("%s", error->detail) : 0,
					 error->hint ? errhint("%s", error->hint) : 0));
			wfml_commit_step(commit);
			return;
		}
		more = next_batch(&sync);
		wfml_commit_step(commit);
	} while (more);
	error = wfml_step(warn_step, &sync);
	if (error)
		ReThrowError(error);
	wfml_commit_step(commit);
	ereport(NOTICE,
			(errmsg_plural("kept " UINT64_FORMAT " new run%s", "kept " UINT64_FORMAT " new runs%s", (unsigned long) sync.n_kept,
						   sync.n_kept, of_owner(owner, user))));
}

Datum
wfml_sync_runs(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(PortalContext, "wfml sync_runs", ALLOCSET_DEFAULT_SIZES);
	MemoryContext batch = AllocSetContextCreate(context, "wfml runs of a batch", ALLOCSET_DEFAULT_SIZES);
	Owners		owners = {.user = GetUserId(), .context = context};
	WfmlCommit	commit = wfml_procedure_begin(fcinfo, "wfml.sync_runs()");
	ErrorData  *error = wfml_step(owners_step, &owners);

	if (error)
		ReThrowError(error);
	if (owners.n == 0)
		ereport(NOTICE,
				(errmsg("no runs are bound that need to be kept"),
				 errhint("wfml.bind_n8n(), wfml.bind_airflow() and wfml.bind_pg_cron() bind such; of your own tables those with the columns run_id and kept_as are kept.")));
	for (int i = 0; i < owners.n; i++)
		sync_owner(owners.oids[i], owners.user, commit, batch);
	SPI_finish();
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}

/* ---- prune_runs ---- */

static const char prune_query[] =
"DELETE FROM wfml.run_history WHERE ctid = ANY (ARRAY("
"SELECT h.ctid FROM wfml.run_history h WHERE h.finished_at < $2 AND h.owner IN ("
"SELECT s.owner FROM wfml.run_sync s WHERE pg_has_role($1, s.owner::oid, 'USAGE')) LIMIT $3))";

static uint64
prune_batch(Oid user, TimestampTz before)
{
	Oid			types[] = {OIDOID, TIMESTAMPTZOID, INT4OID};
	Datum		values[] = {ObjectIdGetDatum(user), TimestampTzGetDatum(before), Int32GetDatum(BATCH)};
	WfmlWriter	writer;
	uint64		n;

	wfml_write_begin(&writer, "wfml.prune_runs()");
	n = wfml_execute(prune_query, 3, types, values, NULL);
	wfml_write_end(&writer);
	return n;
}

/* CALL prune_runs(older_than) */
Datum
wfml_prune_runs(PG_FUNCTION_ARGS)
{
	Oid			user = GetUserId();
	Interval	none = {0};
	TimestampTz before;
	WfmlCommit	commit;
	uint64		all = 0;
	uint64		n;

	if (PG_ARGISNULL(0) || DatumGetBool(DirectFunctionCall2(interval_lt, PG_GETARG_DATUM(0), IntervalPGetDatum(&none))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"older_than\" must be an interval that is not negative")));
	before = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(GetCurrentTimestamp()),
													 PG_GETARG_DATUM(0)));
	commit = wfml_procedure_begin(fcinfo, "wfml.prune_runs()");
	do
	{
		CHECK_FOR_INTERRUPTS();
		PushActiveSnapshot(GetTransactionSnapshot());
		n = prune_batch(user, before);
		PopActiveSnapshot();
		all += n;
		wfml_commit_step(commit);
	} while (n > 0);
	SPI_finish();
	ereport(NOTICE,
			(errmsg_plural("deleted " UINT64_FORMAT " kept run", "deleted " UINT64_FORMAT " kept runs", (unsigned long) all, all)));
	PG_RETURN_VOID();
}
