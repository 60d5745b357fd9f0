/*-------------------------------------------------------------------------
 * train_all.c
 *	  CALL wfml.train_all(): the models of the workflow floor, one by one.
 *
 * Each kind is claimed by a job in state "running", trained and ended in
 * transactions of its own, so that what is trained is there at once and one
 * kind that fails takes no other with it.  A unique index lets only one
 * session of a role be at a kind.  Kinds whose source is not bound are passed
 * over with a NOTICE.
 *
 * What the kinds are, and how each is trained, stands in SQL
 * (wfml.workflow_kinds(), wfml.train_one()).
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/arguments.h"
#include "pg/binding.h"
#include "pg/job.h"
#include "pg/tables.h"

#define JOB_KIND "train_all"

/* What is to be made. */
typedef struct Kind
{
	char	   *name;
	char	   *needs;			/* kind of source that it is trained from */
	char	   *columns;		/* of that source, for a HINT */
	bool		is_model;		/* else rows that are kept */
	bool		bound;
} Kind;

typedef struct Round
{
	Oid			user;
	List	   *asked;			/* of char *; NIL: all */
	Jsonb	   *params;			/* {kind: parameters}; NULL: none */
	List	   *kinds;			/* of Kind * */
	bool		locks;			/* the caller's own advisory locks */
	WfmlCommit	commit;
	int			trained;
	int			failed;
} Round;

/* One kind on its way. */
typedef struct Run
{
	const Round *round;
	const Kind *kind;
	int64		job;
	TimestampTz begun;
	/* what came of it */
	char	   *told;
	ErrorData  *error;
	bool		requested;		/* its end, by cancel_job() */
} Run;

static void
or_raise(ErrorData *error)
{
	if (error)
		ReThrowError(error);
}

/* ---- what there is to do ---- */

static char *
text_of(int row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static bool
is_asked(const List *asked, const char *name)
{
	ListCell   *lc;

	foreach(lc, asked)
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	return asked == NIL;
}

static Kind *
find_kind(const List *kinds, const char *name)
{
	ListCell   *lc;

	foreach(lc, kinds)
	{
		Kind	   *kind = lfirst(lc);

		if (strcmp(kind->name, name) == 0)
			return kind;
	}
	return NULL;
}

/* All kinds, in the order of their training. */
static void
read_kinds(Round *round)
{
	MemoryContext context = CurrentMemoryContext;
	WfmlWriter	writer;

	wfml_write_begin(&writer, NULL);
	wfml_execute("SELECT kind, needs, needs_columns, is_model::text FROM wfml.workflow_kinds() ORDER BY step", 0, NULL, NULL, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		Kind	   *kind = palloc0(sizeof(*kind));

		kind->name = text_of((int) i, 1);
		kind->needs = text_of((int) i, 2);
		kind->columns = text_of((int) i, 3);
		kind->is_model = strcmp(text_of((int) i, 4), "true") == 0;
		round->kinds = lappend(round->kinds, kind);
		MemoryContextSwitchTo(old);
	}
	wfml_write_end(&writer);
}

static void
check_kind(const Round *round, const char *name)
{
	StringInfoData known;
	ListCell   *lc;

	if (find_kind(round->kinds, name))
		return;
	initStringInfo(&known);
	foreach(lc, round->kinds)
		appendStringInfo(&known, "%s%s", known.len > 0 ? ", " : "", ((Kind *) lfirst(lc))->name);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no kind of training \"%s\"", name),
			 errhint("The kinds are %s.", known.data)));
}

static void
check_params(const Round *round)
{
	JsonbIterator *it;
	JsonbValue	key;

	if (round->params == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(round->params))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("params must be a JSON object"),
				 errhint("Give each kind its own, as in {\"trigger_predictor\": {\"seed\": 1}}.")));
	it = JsonbIteratorInit(&round->params->root);
	for (JsonbIteratorToken token = JsonbIteratorNext(&it, &key, true); token != WJB_DONE; token = JsonbIteratorNext(&it, &key, true))
		if (token == WJB_KEY)
			check_kind(round, pnstrdup(key.val.string.val, key.val.string.len));
}

static void
read_step(void *arg)
{
	Round	   *round = arg;
	List	   *all;
	ListCell   *lc;

	round->locks = wfml_holds_advisory_locks();
	wfml_jobs_reap();
	read_kinds(round);
	check_params(round);
	foreach(lc, round->asked)
		check_kind(round, lfirst(lc));
	all = round->kinds;
	round->kinds = NIL;
	foreach(lc, all)
	{
		Kind	   *kind = lfirst(lc);

		if (!is_asked(round->asked, kind->name))
			continue;
		kind->bound = wfml_binding_find(kind->needs, true) != NULL;
		round->kinds = lappend(round->kinds, kind);
	}
}

/* ---- one kind ---- */

/* registry.number of the model of that name; 0: none yet. */
static int64
model_number(const char *name)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};
	WfmlWriter	writer;
	int64		number = 0;
	bool		isnull;

	wfml_write_begin(&writer, NULL);
	if (wfml_execute("SELECT number FROM wfml.registry WHERE name = $1", 1, types, values, NULL) > 0)
		number = DatumGetInt64(wfml_result(0, 1, &isnull));
	wfml_write_end(&writer);
	return number;
}

/* The unique index makes a second session wait for the first one's commit, or fail. */
static void
claim_step(void *arg)
{
	Run		   *run = arg;
	int			level = wfml_waiting_begin();

	run->job = wfml_job_start(JOB_KIND, run->kind->name, run->kind->is_model ? model_number(run->kind->name) : 0,
							  run->round->user, "CALL wfml.train_all()");
	wfml_waiting_end(level);
}

static const char model_call[] =
"SELECT pg_catalog.to_jsonb(s), s.version, pg_catalog.format('%s@%s: %s%s rows',"
" s.model, s.version, CASE WHEN s.score IS NOT NULL THEN pg_catalog.format('%s %s%s, ', pg_catalog.replace(s.metric, '_', ' '),"
"  pg_catalog.round(s.score::pg_catalog.numeric, 3),"
"  ' (baseline ' OPERATOR(pg_catalog.||) pg_catalog.round(s.baseline::pg_catalog.numeric, 3)::pg_catalog.text OPERATOR(pg_catalog.||) ')') END, s.rows)"
" FROM wfml.train_one($1, $2) s";
static const char rows_call[] =
"SELECT pg_catalog.jsonb_build_object('sequences', n), NULL::pg_catalog.int4, pg_catalog.format('%s: %s sequences', $1, n) FROM wfml.refresh_needs() n";

/* As the caller; its result and the job's end are one transaction. */
static void
train_step(void *arg)
{
	Run		   *run = arg;
	MemoryContext context = CurrentMemoryContext;
	Oid			types[] = {TEXTOID, JSONBOID};
	Datum		values[2];
	char		nulls[] = "  ";
	Jsonb	   *result;
	int32		version;
	bool		isnull;

	values[0] = CStringGetTextDatum(run->kind->name);
	values[1] = (Datum) 0;
	if (run->round->params)
	{
		JsonbValue	own;
		JsonbValue *found = getKeyJsonValueFromContainer(&run->round->params->root, run->kind->name, strlen(run->kind->name), &own);

		values[1] = found ? JsonbPGetDatum(JsonbValueToJsonb(found)) : (Datum) 0;
	}
	nulls[1] = values[1] ? ' ' : 'n';
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	wfml_execute(run->kind->is_model ? model_call : rows_call, run->kind->is_model ? 2 : 1, types, values, nulls);
	MemoryContextSwitchTo(context);
	result = DatumGetJsonbPCopy(wfml_result(0, 1, &isnull));
	version = DatumGetInt32(wfml_result(0, 2, &isnull));
	run->told = text_of(0, 3);
	SPI_finish();
	MemoryContextSwitchTo(context);
	wfml_job_end(run->job, "done", isnull ? 0 : version, NULL, result);
}

static void
fail_step(void *arg)
{
	Run		   *run = arg;

	run->requested = wfml_job_end_by_error(run->job, run->error, false, 0);
}

/* What follows a cancel has its rows, too. */
static void
rest_step(void *arg)
{
	Run		   *run = arg;
	ListCell   *lc;
	bool		after = false;

	foreach(lc, run->round->kinds)
	{
		const Kind *kind = lfirst(lc);

		if (after && kind->bound)
		{
			Run			other = {.round = run->round, .kind = kind};

			claim_step(&other);
			wfml_job_end(other.job, "cancelled", 0, "train_all() was cancelled before it began", NULL);
		}
		after = after || kind == run->kind;
	}
}

static double
seconds_since(TimestampTz begun)
{
	return (double) (GetCurrentTimestamp() - begun) / 1e6;
}

/* The error stands in the job's row; a cancel that was not for this job stops us. */
static void
record_failure(Round *round, Run *run)
{
	if (!wfml_job_fail_step(fail_step, run))
		run->requested = true;
	wfml_commit_step(round->commit);
	round->failed++;
	if (wfml_is_cancel(run->error) && !run->requested)
	{
		if (round->commit != WFML_COMMIT_NOT)
		{
			/* Another session at one of them is no matter now. */
			(void) wfml_step(rest_step, run);
			wfml_commit_step(round->commit);
		}
		ReThrowError(run->error);
	}
	ereport(WARNING,
			(errmsg("training of \"%s\" failed: %s", run->kind->name, run->error->message),
			 run->error->detail ? errdetail_internal("%s", run->error->detail) : 0,
			 run->error->hint ? errhint("%s", run->error->hint) : 0));
}

/* False: somebody else is at it. */
static bool
claim(Run *run)
{
	ErrorData  *error = wfml_step(claim_step, run);

	if (error == NULL)
		return true;
	if (error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION && error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
		ReThrowError(error);
	ereport(NOTICE,
			(errmsg("\"%s\" is being trained by another session", run->kind->name)));
	return false;
}

static void
train_kind(Round *round, const Kind *kind)
{
	Run			run = {.round = round, .kind = kind, .begun = GetCurrentTimestamp()};

	if (!kind->bound)
	{
		ereport(NOTICE,
				(errmsg("\"%s\" is not trained: nothing is bound as %s", kind->name, kind->needs),
				 errhint("SELECT wfml.bind('%s', '…') with a table or query that has the columns %s.", kind->needs, kind->columns)));
		return;
	}
	HOLD_CANCEL_INTERRUPTS();
	if (claim(&run))
	{
		wfml_commit_step(round->commit);
		run.error = wfml_step(train_step, &run);
		if (run.error)
			record_failure(round, &run);
		else
		{
			wfml_commit_step(round->commit);
			round->trained++;
			ereport(NOTICE, (errmsg("%s, %.1f s", run.told, seconds_since(run.begun))));
		}
	}
	RESUME_CANCEL_INTERRUPTS();
}

PG_FUNCTION_INFO_V1(wfml_train_all);

/* CALL train_all(kinds, params) */
Datum
wfml_train_all(PG_FUNCTION_ARGS)
{
	WfmlCommit	commit = wfml_procedure_begin(fcinfo, "wfml.train_all()");
	Round		round = {.user = GetUserId(), .commit = commit};
	TimestampTz begun = GetCurrentTimestamp();
	ListCell   *lc;

	round.asked = wfml_argument_names(fcinfo, 0, "kinds");
	round.params = PG_ARGISNULL(1) ? NULL : DatumGetJsonbPCopy(PG_GETARG_DATUM(1));
	if (commit == WFML_COMMIT_NOT)
		ereport(NOTICE,
				(errmsg("training in a transaction block: nothing is committed before its end"),
				 errhint("CALL wfml.train_all() by itself commits after each model.")));
	or_raise(wfml_step(read_step, &round));
	wfml_commit_step(commit);
	foreach(lc, round.kinds)
	{
		CHECK_FOR_INTERRUPTS();
		train_kind(&round, lfirst(lc));
		if (!round.locks)
			wfml_drop_advisory_locks();
	}
	ereport(NOTICE,
			(errmsg("%d trained, %d failed, %.1f s in all", round.trained, round.failed, seconds_since(begun))));
	SPI_finish();
	PG_RETURN_VOID();
}
