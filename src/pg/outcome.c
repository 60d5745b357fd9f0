/*-------------------------------------------------------------------------
 * outcome.c
 *	  outcome_trigger(): what really happened joins the predictions.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "pg/access.h"
#include "pg/settings.h"
#include "pg/tables.h"
#include "pg/trigger.h"

PG_FUNCTION_INFO_V1(wfml_outcome_trigger);

static Oid
tables_owner(void)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(wfml_tables()->registry));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", wfml_tables()->registry);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* Of one trigger, statement and relation. */
typedef struct State
{
	const char *model;
	WfmlAsText	key;
	WfmlAsText	outcome;
	Oid			tables_owner;
	bool		useless;		/* it was said why */
} State;

/*
 * The latest prediction of each version: a split in shadow mode, and a version
 * that answered before a retraining, have their own.
 */
static const char outcome_query[] =
"UPDATE wfml.prediction p SET actual = $3,"
" actual_at = CASE WHEN $3 IS NOT NULL THEN pg_catalog.clock_timestamp() END"
" FROM (SELECT DISTINCT ON (l.version) l.id FROM wfml.prediction l"
"       WHERE l.entity OPERATOR(pg_catalog.=) $2"
"       AND l.model_number OPERATOR(pg_catalog.=) (SELECT r.number FROM wfml.registry r WHERE r.name OPERATOR(pg_catalog.=) $1)"
"       ORDER BY l.version, l.made_at DESC, l.id DESC) latest"
" WHERE p.id OPERATOR(pg_catalog.=) latest.id AND p.actual IS DISTINCT FROM $3";

/* Kept by the session: the server plans it again when it must. */
static SPIPlanPtr outcome_plan = NULL;

static SPIPlanPtr
get_plan(void)
{
	Oid			types[] = {TEXTOID, TEXTOID, TEXTOID};
	SPIPlanPtr	plan;

	if (outcome_plan)
		return outcome_plan;
	plan = SPI_prepare(outcome_query, 3, types);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare the update of wfml.prediction: %s", SPI_result_code_string(SPI_result));
	outcome_plan = plan;
	return plan;
}

static void
write_outcome(const State *state, Datum entity, Datum outcome)
{
	Datum		values[] = {CStringGetTextDatum(state->model), entity, outcome};
	char		nulls[] = {' ', ' ', outcome == (Datum) 0 ? 'n' : ' '};
	Oid			user;
	int			security;
	int			rc;

	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(state->tables_owner, security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	rc = SPI_execute_plan(get_plan(), values, nulls, false, 0);
	if (rc != SPI_OK_UPDATE)
		elog(ERROR, "could not update wfml.prediction: %s", SPI_result_code_string(rc));
	SPI_finish();
	SetUserIdAndSecContext(user, security);
}

/* ---- the trigger ---- */

/* Why the trigger can write nothing; NULL: it can. */
static const char *
find_problem(const TriggerData *trigger, const State *state)
{
	Oid			user = trigger->tg_relation->rd_rel->relowner;
	Oid			owner;

	for (int i = 1; i <= 2; i++)
		if (wfml_trigger_column(trigger, trigger->tg_trigger->tgargs[i]) == InvalidAttrNumber)
			return psprintf("column \"%s\" of table \"%s\" does not exist", trigger->tg_trigger->tgargs[i],
							RelationGetRelationName(trigger->tg_relation));
	if (!wfml_find_owner(state->model, &owner))
		return psprintf("model \"%s\" does not exist", state->model);
	if (!wfml_may_use(state->model, owner, user))
		return psprintf("permission denied for model \"%s\"", state->model);
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
	state->model = MemoryContextStrdup(context, arguments[0]);
	wfml_as_text_init(&state->key, desc, wfml_trigger_column(trigger, arguments[1]), context);
	wfml_as_text_init(&state->outcome, desc, wfml_trigger_column(trigger, arguments[2]), context);
	state->tables_owner = tables_owner();
	problem = find_problem(trigger, state);
	if (problem)
		tell_problem(state, trigger, problem);
	fcinfo->flinfo->fn_extra = state;
	return state;
}

static bool
same_text(Datum a, Datum b)
{
	text	   *x = DatumGetTextPP(a);
	text	   *y = DatumGetTextPP(b);

	return VARSIZE_ANY_EXHDR(x) == VARSIZE_ANY_EXHDR(y) &&
		memcmp(VARDATA_ANY(x), VARDATA_ANY(y), VARSIZE_ANY_EXHDR(x)) == 0;
}

/* Did an UPDATE leave the outcome as it was? */
static bool
unchanged(State *state, const TriggerData *trigger, Datum outcome)
{
	Datum		before;

	if (!TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return outcome == (Datum) 0;
	before = wfml_as_text(&state->outcome, trigger->tg_trigtuple, RelationGetDescr(trigger->tg_relation));
	if (before == (Datum) 0 || outcome == (Datum) 0)
		return before == outcome;
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

	if (state->useless)
		return PointerGetDatum(NULL);
	outcome = wfml_as_text(&state->outcome, row, desc);
	if (unchanged(state, trigger, outcome))
		return PointerGetDatum(NULL);
	entity = wfml_as_text(&state->key, row, desc);
	/* Rows of temporary tables arrive in read-only transactions, too. */
	if (entity != (Datum) 0 && !XactReadOnly)
		write_outcome(state, entity, outcome);
	return PointerGetDatum(NULL);
}
