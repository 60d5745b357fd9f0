/*-------------------------------------------------------------------------
 * trigger.c
 *	  predict_trigger() and log_trigger(): rows are scored as they arrive.
 *
 * The model is used with the rights of the table's owner, as foreign keys use
 * theirs.  Unless wfml.on_error is "error", nothing about a model makes the
 * statement fail.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "pg/answer.h"
#include "pg/attempt.h"
#include "pg/callsite.h"
#include "pg/columns.h"
#include "pg/settings.h"
#include "pg/trigger.h"
#include "pg/trigger_target.h"

PG_FUNCTION_INFO_V1(wfml_predict_trigger);
PG_FUNCTION_INFO_V1(wfml_log_trigger);

/* Of one trigger, statement and relation. */
typedef struct State
{
	text	   *model;
	const char *model_name;
	WfmlAnswerer *answerer;
	WfmlAsText	key;
	WfmlTarget	output;
	WfmlTarget	confidence;
	const char *problem;		/* with the trigger's arguments; NULL: none */
	bool		hopeless;		/* there is nothing to be done for any row */
	bool		may_generate;	/* the table has generated columns */
	bool		checked;		/* the model uses none of them */
	bool		warned;
} State;

/* One row's way through the model; inside a subtransaction where errors are caught. */
typedef struct Asking
{
	State	   *state;
	TriggerData *trigger;
	Datum		row;
	Datum		entity;
	const WfmlAnswer *answer;
	/* predict_trigger */
	HeapTuple	tuple;
	HeapTuple	filled;			/* NULL: nothing to fill in */
} Asking;

/* ---- state ---- */

static State *
new_state(FunctionCallInfo fcinfo, const TriggerData *trigger)
{
	MemoryContext context = fcinfo->flinfo->fn_mcxt;
	MemoryContext caller = MemoryContextSwitchTo(context);
	State	   *state = palloc0(sizeof(State));

	state->model_name = pstrdup(trigger->tg_trigger->tgargs[0]);
	state->model = cstring_to_text(state->model_name);
	state->answerer = wfml_answerer(context);
	MemoryContextSwitchTo(caller);
	return state;
}

/* A column that an argument names; a missing one is a problem, told once. */
static AttrNumber
named_column(State *state, FunctionCallInfo fcinfo, const TriggerData *trigger, int argument)
{
	const char *name;
	AttrNumber	attno;

	if (argument >= trigger->tg_trigger->tgnargs || trigger->tg_trigger->tgargs[argument][0] == '\0')
		return InvalidAttrNumber;
	name = trigger->tg_trigger->tgargs[argument];
	attno = wfml_trigger_column(trigger, name);
	if (attno == InvalidAttrNumber && state->problem == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		state->problem = psprintf("column \"%s\" of table \"%s\" does not exist", name,
								  RelationGetRelationName(trigger->tg_relation));
		MemoryContextSwitchTo(caller);
	}
	return attno;
}

static void
check_output(State *state, FunctionCallInfo fcinfo, const TriggerData *trigger, const WfmlTarget *target, bool number)
{
	MemoryContext caller;

	if (state->problem || target->attno == InvalidAttrNumber ||
		(number ? wfml_target_takes_number(target->type) : wfml_target_takes(target->type)))
		return;
	caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	state->problem = psprintf("column \"%s\" of table \"%s\" has type %s, which no %s can be written to",
							  NameStr(TupleDescAttr(RelationGetDescr(trigger->tg_relation), target->attno - 1)->attname),
							  RelationGetRelationName(trigger->tg_relation), format_type_be(target->declared),
							  number ? "confidence" : "prediction");
	state->hopeless = true;
	MemoryContextSwitchTo(caller);
}

static State *
predict_state(FunctionCallInfo fcinfo, const TriggerData *trigger)
{
	State	   *state = fcinfo->flinfo->fn_extra;
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	MemoryContext context = fcinfo->flinfo->fn_mcxt;

	if (state)
		return state;
	state = new_state(fcinfo, trigger);
	wfml_target_init(&state->output, desc, named_column(state, fcinfo, trigger, 1), context);
	state->hopeless = state->output.attno == InvalidAttrNumber;
	wfml_target_init(&state->confidence, desc, named_column(state, fcinfo, trigger, 2), context);
	wfml_as_text_init(&state->key, desc, named_column(state, fcinfo, trigger, 3), context);
	check_output(state, fcinfo, trigger, &state->output, false);
	check_output(state, fcinfo, trigger, &state->confidence, true);
	state->may_generate = desc->constr && WFML_HAS_GENERATED(desc->constr);
	fcinfo->flinfo->fn_extra = state;
	return state;
}

static State *
log_state(FunctionCallInfo fcinfo, const TriggerData *trigger)
{
	State	   *state = fcinfo->flinfo->fn_extra;

	if (state)
		return state;
	state = new_state(fcinfo, trigger);
	wfml_as_text_init(&state->key, RelationGetDescr(trigger->tg_relation),
					  named_column(state, fcinfo, trigger, 1), fcinfo->flinfo->fn_mcxt);
	fcinfo->flinfo->fn_extra = state;
	return state;
}

/* ---- problems ---- */

static const char attach_hint[] = "Make the trigger again with wfml.detach() and wfml.attach().";

static void
warn(Asking *asking, const char *problem, const char *consequence)
{
	if (asking->state->warned)
		return;
	asking->state->warned = true;
	wfml_trigger_warning(asking->trigger, asking->state->model_name, problem, consequence);
}

/* A problem with the trigger's arguments. */
static void
tell_problem(Asking *asking)
{
	State	   *state = asking->state;

	if (state->problem == NULL)
		return;
	if (wfml_on_error == WFML_ON_ERROR_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("%s", state->problem),
				 errdetail("Trigger \"%s\" names it.", asking->trigger->tg_trigger->tgname),
				 errhint("%s", attach_hint)));
	warn(asking, state->problem, attach_hint);
}

/* Generated columns are computed after BEFORE triggers: the model would see NULL. */
static void
refuse_generated(const Asking *asking, const WfModel *model)
{
	TupleDesc	desc = RelationGetDescr(asking->trigger->tg_relation);

	for (uint32_t i = 0; i < model->header->n_columns; i++)
	{
		const char *name = wf_model_string(model, model->columns[i].name);
		AttrNumber	attno = wfml_trigger_column(asking->trigger, name);

		if (attno != InvalidAttrNumber && TupleDescAttr(desc, attno - 1)->attgenerated)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("model \"%s\" uses the generated column \"%s\", which is computed only after predict_trigger()",
							asking->state->model_name, name),
					 errhint("Train the model without it, or on the columns that it is computed from.")));
	}
}

/* Once a statement: the answerer does not say which model it uses. */
static void
check_generated(Asking *asking)
{
	State	   *state = asking->state;
	WfmlSite   *site;

	if (!state->may_generate || state->checked)
		return;
	site = wfml_site_create(CurrentMemoryContext);
	wfml_site_use_name_as(site, state->model, asking->trigger->tg_relation->rd_rel->relowner);
	refuse_generated(asking, site->cached->model);
	state->checked = true;
}

/* ---- asking the model ---- */

/*
 * The row as a value of the table's type.  The server would fetch all that
 * lies out of line; the model's converters fetch what they need, and the
 * value goes nowhere else, so it gets a row that does not say it has any.
 */
static Datum
row_datum(Relation relation, HeapTuple tuple)
{
	HeapTuple	plain;
	Datum		datum;

	if (!HeapTupleHasExternal(tuple))
		return heap_copy_tuple_as_datum(tuple, RelationGetDescr(relation));
	plain = heap_copytuple(tuple);
	plain->t_data->t_infomask &= ~HEAP_HASEXTERNAL;
	datum = heap_copy_tuple_as_datum(plain, RelationGetDescr(relation));
	heap_freetuple(plain);
	return datum;
}

static void
start_asking(Asking *asking, State *state, TriggerData *trigger)
{
	HeapTuple	tuple = wfml_trigger_row(trigger);

	*asking = (Asking) {.state = state,.trigger = trigger,.tuple = tuple};
	asking->row = row_datum(trigger->tg_relation, tuple);
}

static void
ask(void *arg)
{
	Asking	   *asking = arg;
	State	   *state = asking->state;
	Relation	relation = asking->trigger->tg_relation;

	asking->entity = wfml_as_text(&state->key, asking->tuple, RelationGetDescr(relation));
	asking->answer = wfml_answer(state->answerer, state->model, relation->rd_rel->relowner,
								 WFML_INPUT_RECORD, asking->row, asking->entity);
}

/* ask() and what comes of it, catching errors unless the user wants them; NULL: it is done. */
static const char *
attempt(Asking *asking, void (*work) (void *))
{
	ErrorData  *error;

	if (wfml_on_error == WFML_ON_ERROR_ERROR)
	{
		work(asking);
		return NULL;
	}
	error = wfml_attempt(work, asking);
	if (error == NULL)
		return NULL;
	asking->filled = NULL;
	return error->message;
}

static const char *
what_happens(const Asking *asking)
{
	return asking->answer && asking->answer->answered ? "Its fallback answers." : NULL;
}

/* ---- predict_trigger ---- */

/* The answer written to the columns. */
static void
fill(Asking *asking)
{
	State	   *state = asking->state;
	const WfmlDetail *detail = &asking->answer->detail;
	int			columns[2];
	Datum		values[2];
	bool		nulls[2] = {false, false};
	int			n = 1;

	columns[0] = state->output.attno;
	values[0] = wfml_target_answer(&state->output, detail);
	if (state->confidence.attno != InvalidAttrNumber)
	{
		columns[n] = state->confidence.attno;
		values[n] = wfml_target_number(&state->confidence, detail->confidence, &nulls[n]);
		n++;
	}
	asking->filled = heap_modify_tuple_by_cols(asking->tuple, RelationGetDescr(asking->trigger->tg_relation),
											   n, columns, values, nulls);
}

static void
ask_and_fill(void *arg)
{
	Asking	   *asking = arg;

	check_generated(asking);
	ask(asking);
	if (asking->answer->answered)
		fill(asking);
}

/* predict_trigger('model', 'output' [, 'confidence' [, 'key']]) */
Datum
wfml_predict_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = wfml_trigger_data(fcinfo, "predict_trigger", TRIGGER_EVENT_BEFORE, 2, 4,
											 "wfml.predict_trigger('model', 'output column' [, 'confidence column' [, 'key column']])");
	State	   *state = predict_state(fcinfo, trigger);
	Asking		asking;
	const char *error;

	start_asking(&asking, state, trigger);
	tell_problem(&asking);
	if (state->hopeless)
		return PointerGetDatum(asking.tuple);
	error = attempt(&asking, ask_and_fill);
	if (error)
		warn(&asking, error, NULL);
	else if (asking.answer->error)
		warn(&asking, asking.answer->error, what_happens(&asking));
	return PointerGetDatum(asking.filled ? asking.filled : asking.tuple);
}

/* ---- log_trigger ---- */

/* A key that the log's index cannot hold is no reason to lose the row. */
static bool
refuse_key(Asking *asking)
{
	size_t		length = asking->entity ? VARSIZE_ANY_EXHDR(DatumGetPointer(asking->entity)) : 0;

	if (length <= WFML_LOG_KEY_BYTES || wfml_on_error == WFML_ON_ERROR_ERROR)
		return false;
	warn(asking, psprintf("a key has %zu bytes, more than %d", length, WFML_LOG_KEY_BYTES),
		 "Predictions for such rows are not logged.");
	return true;
}

/* log_trigger('model', 'key') */
Datum
wfml_log_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = wfml_trigger_data(fcinfo, "log_trigger", TRIGGER_EVENT_AFTER, 2, 2,
											 "wfml.log_trigger('model', 'key column')");
	State	   *state = log_state(fcinfo, trigger);
	Asking		asking;
	const char *error;

	start_asking(&asking, state, trigger);
	tell_problem(&asking);
	error = attempt(&asking, ask);
	if (error)
	{
		/* No model, or none that the table's owner may use: there is nobody to log for. */
		warn(&asking, error, NULL);
		return PointerGetDatum(NULL);
	}
	if (asking.answer->error)
		warn(&asking, asking.answer->error, what_happens(&asking));
	if (refuse_key(&asking))
		return PointerGetDatum(NULL);
	/* Not in the subtransaction, which would then need a transaction ID for each row. */
	wfml_answer_log(state->answerer, asking.answer, "trigger", WFML_INPUT_RECORD, asking.row, asking.entity);
	return PointerGetDatum(NULL);
}
