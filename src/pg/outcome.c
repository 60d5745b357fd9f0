/*-------------------------------------------------------------------------
 * outcome.c
 *	  outcome_trigger(): what really happened joins the predictions.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "pg/access.h"
#include "pg/settings.h"
#include "pg/tables.h"
#include "pg/trigger.h"

PG_FUNCTION_INFO_V1(wfml_outcome_trigger);

/* Of one trigger, statement and relation. */
typedef struct State
{
	char	   *model;
	WfmlAsText	key;
	WfmlAsText	outcome;
	int64		number;			/* of the model */
	Oid			joins_as;		/* the owner of the table */
	bool		joins_all;		/* who owns the model, too */
	Oid			tables_owner;
	/* wfml.prediction, and where its columns are */
	Oid			table;
	Oid			index;			/* (entity, model_number); InvalidOid: somebody dropped it */
	AttrNumber	entity;
	AttrNumber	model_number;
	AttrNumber	id;
	AttrNumber	version;
	AttrNumber	made_at;
	AttrNumber	actual;
	AttrNumber	made_for;
	bool		useless;		/* it was said why */
} State;

/* The latest prediction of a version; 0: by the rule, when none answered. */
typedef struct Latest
{
	int32		version;
	int64		id;
	TimestampTz made_at;
	Datum		actual;			/* text; 0: NULL */
} Latest;

/* ---- finding predictions ---- */

static void
find_table(State *state)
{
	Oid			schema = wfml_tables()->schema;
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(wfml_tables()->registry));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", wfml_tables()->registry);
	state->tables_owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	state->table = get_relname_relid("prediction", schema);
	state->index = get_relname_relid("prediction_entity", schema);
	state->entity = get_attnum(state->table, "entity");
	state->model_number = get_attnum(state->table, "model_number");
	state->id = get_attnum(state->table, "id");
	state->version = get_attnum(state->table, "version");
	state->made_at = get_attnum(state->table, "made_at");
	state->actual = get_attnum(state->table, "actual");
	state->made_for = get_attnum(state->table, "made_for");
}

/*
 * May this table say what came of the prediction?  Who may merely use a model
 * shall not write into what others predicted with it.
 */
static bool
joins(const State *state, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Oid			role;

	if (state->joins_all)
		return true;
	role = DatumGetObjectId(heap_getattr(tuple, state->made_for, desc, &isnull));
	return !isnull && has_privs_of_role(state->joins_as, role);
}

/* Keep it when it is the latest of its version so far; the list is short. */
static List *
consider(List *latest, const State *state, HeapTuple tuple, TupleDesc desc)
{
	Latest		found;
	Latest	   *of_version = NULL;
	bool		isnull;
	ListCell   *lc;

	found.version = DatumGetInt32(heap_getattr(tuple, state->version, desc, &isnull));
	if (isnull)
		found.version = 0;
	found.id = DatumGetInt64(heap_getattr(tuple, state->id, desc, &isnull));
	found.made_at = DatumGetTimestampTz(heap_getattr(tuple, state->made_at, desc, &isnull));
	found.actual = heap_getattr(tuple, state->actual, desc, &isnull);
	if (isnull)
		found.actual = (Datum) 0;
	foreach(lc, latest)
		if (((Latest *) lfirst(lc))->version == found.version)
			of_version = lfirst(lc);
	if (of_version == NULL)
	{
		of_version = palloc(sizeof(Latest));
		latest = lappend(latest, of_version);
	}
	else if (of_version->made_at > found.made_at ||
			 (of_version->made_at == found.made_at && of_version->id > found.id))
		return latest;
	*of_version = found;
	if (found.actual)
		of_version->actual = PointerGetDatum(DatumGetTextPCopy(found.actual));
	return latest;
}

/*
 * The latest prediction of each version: a split in shadow mode, and a version
 * that answered before a retraining, have their own.  What this command logs
 * is not seen, as it was not made before the outcome.
 */
static List *
find_latest(const State *state, Datum entity)
{
	Relation	table = table_open(state->table, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *latest = NIL;

	ScanKeyEntryInitialize(&keys[0], 0, state->entity, BTEqualStrategyNumber, InvalidOid, DEFAULT_COLLATION_OID,
						   F_TEXTEQ, entity);
	ScanKeyInit(&keys[1], state->model_number, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(state->number));
	PushActiveSnapshot(GetTransactionSnapshot());
	scan = systable_beginscan(table, state->index, OidIsValid(state->index), GetActiveSnapshot(), 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		if (joins(state, tuple, RelationGetDescr(table)))
			latest = consider(latest, state, tuple, RelationGetDescr(table));
	systable_endscan(scan);
	PopActiveSnapshot();
	table_close(table, AccessShareLock);
	return latest;
}

/* ---- writing ---- */

/* By a plan, which knows how to wait for another session's update. */
static const char outcome_query[] =
"UPDATE wfml.prediction SET actual = $2,"
" actual_at = CASE WHEN $2 IS NOT NULL THEN pg_catalog.clock_timestamp() END"
" WHERE id OPERATOR(pg_catalog.=) $1";

/* Kept by the session: the server plans it again when it must. */
static SPIPlanPtr outcome_plan = NULL;

static SPIPlanPtr
get_plan(void)
{
	Oid			types[] = {INT8OID, TEXTOID};
	SPIPlanPtr	plan;

	if (outcome_plan)
		return outcome_plan;
	plan = SPI_prepare(outcome_query, 2, types);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare the update of wfml.prediction: %s", SPI_result_code_string(SPI_result));
	outcome_plan = plan;
	return plan;
}

static bool
same_text(Datum a, Datum b)
{
	text	   *x;
	text	   *y;

	if (a == (Datum) 0 || b == (Datum) 0)
		return a == b;
	x = DatumGetTextPP(a);
	y = DatumGetTextPP(b);
	return VARSIZE_ANY_EXHDR(x) == VARSIZE_ANY_EXHDR(y) &&
		memcmp(VARDATA_ANY(x), VARDATA_ANY(y), VARSIZE_ANY_EXHDR(x)) == 0;
}

static void
write_outcome(const State *state, const List *latest, Datum outcome)
{
	Oid			user;
	int			security;
	ListCell   *lc;

	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(state->tables_owner, security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	foreach(lc, latest)
	{
		const Latest *prediction = lfirst(lc);
		Datum		values[] = {Int64GetDatum(prediction->id), outcome};
		char		nulls[] = {' ', outcome == (Datum) 0 ? 'n' : ' '};
		int			rc;

		if (same_text(prediction->actual, outcome))
			continue;
		rc = SPI_execute_plan(get_plan(), values, nulls, false, 0);
		if (rc != SPI_OK_UPDATE)
			elog(ERROR, "could not update wfml.prediction: %s", SPI_result_code_string(rc));
	}
	SPI_finish();
	SetUserIdAndSecContext(user, security);
}

/* ---- the trigger ---- */

static bool
read_registry(State *state, Oid *owner)
{
	const WfmlTables *t = wfml_tables();
	WfmlScan	scan;
	bool		found;
	bool		isnull;

	wfml_scan_text(&scan, t->registry, t->registry_pkey, Anum_registry_name, state->model);
	found = HeapTupleIsValid(scan.tuple);
	if (found)
	{
		TupleDesc	desc = RelationGetDescr(scan.table);

		*owner = DatumGetObjectId(heap_getattr(scan.tuple, Anum_registry_owner, desc, &isnull));
		state->number = DatumGetInt64(heap_getattr(scan.tuple, Anum_registry_number, desc, &isnull));
	}
	wfml_scan_done(&scan);
	return found;
}

/* Why the trigger can write nothing; NULL: it can. */
static const char *
find_problem(const TriggerData *trigger, State *state)
{
	Oid			user = trigger->tg_relation->rd_rel->relowner;
	Oid			owner;

	for (int i = 1; i <= 2; i++)
		if (wfml_trigger_column(trigger, trigger->tg_trigger->tgargs[i]) == InvalidAttrNumber)
			return psprintf("column \"%s\" of table \"%s\" does not exist", trigger->tg_trigger->tgargs[i],
							RelationGetRelationName(trigger->tg_relation));
	if (!read_registry(state, &owner))
		return psprintf("model \"%s\" does not exist", state->model);
	if (!wfml_may_use(state->model, owner, user))
		return psprintf("permission denied for model \"%s\"", state->model);
	state->joins_as = user;
	state->joins_all = wfml_is_owner(owner, user);
	return NULL;
}

static void
tell_problem(State *state, const TriggerData *trigger, const char *problem)
{
	if (wfml_on_error == WFML_ON_ERROR_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s", problem),
				 errdetail("Trigger \"%s\" names it.", trigger->tg_trigger->tgname),
				 errhint("Make the trigger again with wfml.detach() and wfml.attach().")));
	wfml_trigger_warning(trigger, state->model, problem, "Outcomes are not joined to its predictions.");
	state->useless = true;
}

static State *
get_state(FunctionCallInfo fcinfo, const TriggerData *trigger)
{
	State	   *state = fcinfo->flinfo->fn_extra;
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	char	  **arguments = trigger->tg_trigger->tgargs;
	MemoryContext context = fcinfo->flinfo->fn_mcxt;
	const char *problem;

	if (state)
		return state;
	state = MemoryContextAllocZero(context, sizeof(State));
	/* Whichever version log_trigger() was told to ask, every version's predictions get the outcome. */
	state->model = MemoryContextStrdup(context, arguments[0]);
	state->model[strcspn(state->model, "@")] = '\0';
	wfml_as_text_init(&state->key, desc, wfml_trigger_column(trigger, arguments[1]), context);
	wfml_as_text_init(&state->outcome, desc, wfml_trigger_column(trigger, arguments[2]), context);
	find_table(state);
	problem = find_problem(trigger, state);
	if (problem)
		tell_problem(state, trigger, problem);
	fcinfo->flinfo->fn_extra = state;
	return state;
}

/* Did an UPDATE leave the outcome as it was? */
static bool
unchanged(State *state, const TriggerData *trigger, Datum outcome)
{
	Datum		before;

	if (!TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return outcome == (Datum) 0;
	before = wfml_as_text(&state->outcome, trigger->tg_trigtuple, RelationGetDescr(trigger->tg_relation));
	return same_text(before, outcome);
}

/*
 * outcome_trigger('model', 'key', 'outcome').  A row that arrives with its
 * outcome has usually no prediction yet, but an application may have asked
 * log_predict() before it wrote the row.
 */
Datum
wfml_outcome_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = wfml_trigger_data(fcinfo, "outcome_trigger", TRIGGER_EVENT_AFTER, 3, 3,
											 "wfml.outcome_trigger('model', 'key column', 'outcome column')");
	State	   *state = get_state(fcinfo, trigger);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple	row = wfml_trigger_row(trigger);
	Datum		outcome;
	Datum		entity;
	List	   *latest;

	if (state->useless)
		return PointerGetDatum(NULL);
	outcome = wfml_as_text(&state->outcome, row, desc);
	if (unchanged(state, trigger, outcome))
		return PointerGetDatum(NULL);
	entity = wfml_as_text(&state->key, row, desc);
	/* Rows of temporary tables arrive in read-only transactions, too. */
	if (entity == (Datum) 0 || XactReadOnly)
		return PointerGetDatum(NULL);
	/* Triggers that wait until the commit all run as one command: the log's rows came before. */
	if (trigger->tg_trigger->tgdeferrable)
		CommandCounterIncrement();
	latest = find_latest(state, entity);
	if (latest != NIL)
		write_outcome(state, latest, outcome);
	return PointerGetDatum(NULL);
}
