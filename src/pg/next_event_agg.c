/*-------------------------------------------------------------------------
 * next_event_agg.c
 *	  next_event_agg(): the next event of each case in a table of events.
 *
 * The state is the model's state of a case, of one size however many events
 * there are.  It holds a pin on the model of its own: a group may outlive
 * the call site's, when rows of other models come between.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/compat.h"
#include "pg/counters.h"
#include "pg/history.h"
#include "pg/kind.h"

typedef struct Running
{
	WfmlCase	c;
	size_t		length;			/* of reference */
	char		reference[WFML_REFERENCE_SIZE];
} Running;

static Running *
start_case(FunctionCallInfo fcinfo, MemoryContext aggregate, text *model)
{
	MemoryContext context;
	WfmlSite   *site = wfml_site(fcinfo);
	Running    *running;

	site->tasks = WFML_TASK(WF_SEQUENCE);
	wfml_site_use_name(site, model);
	context = AllocSetContextCreate(aggregate, "wfml case", ALLOCSET_SMALL_SIZES);
	running = MemoryContextAllocZero(context, sizeof(Running));
	running->c.context = context;
	running->length = VARSIZE_ANY_EXHDR(model); /* a name that was resolved fits */
	memcpy(running->reference, VARDATA_ANY(model), running->length);
	wfml_case_begin(&running->c, wfml_cache_get(site->resolved.id, context));
	return running;
}

/* The state that goes on with this row; made by the first row of a group. */
static Running *
running_case(FunctionCallInfo fcinfo)
{
	MemoryContext aggregate;
	Running    *running = PG_ARGISNULL(0) ? NULL : (Running *) PG_GETARG_POINTER(0);
	text	   *model;

	if (!AggCheckCallContext(fcinfo, &aggregate))
		elog(ERROR, "next_event_agg was called outside of an aggregate");
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model must not be null")));
	model = PG_GETARG_TEXT_PP(1);
	if (running == NULL)
		return start_case(fcinfo, aggregate, model);
	if (VARSIZE_ANY_EXHDR(model) != running->length || memcmp(VARDATA_ANY(model), running->reference, running->length) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a case cannot be continued with another model"),
				 errhint("The model must be the same in all rows of a group.")));
	return running;
}

static void
push(FunctionCallInfo fcinfo, Running *running, uint32_t event)
{
	bool		has_time = !PG_ARGISNULL(3);

	wfml_case_push(&running->c, event, has_time ? PG_GETARG_TIMESTAMPTZ(3) : 0, has_time);
}

/* Rows without an event, as an outer join makes them, are no events. */
#define STEP(name, number) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	Running    *running = running_case(fcinfo); \
	if (!PG_ARGISNULL(2)) \
		push(fcinfo, running, number); \
	PG_RETURN_POINTER(running); \
}

static uint32_t
event_of_text(const WfmlCached *cached, text *event)
{
	return wfml_event_of_text(cached, VARDATA_ANY(event), VARSIZE_ANY_EXHDR(event));
}

STEP(wfml_next_event_step_text, event_of_text(running->c.cached, PG_GETARG_TEXT_PP(2)))
STEP(wfml_next_event_step_bigint, wfml_event_of_number(running->c.cached, PG_GETARG_INT64(2)))
STEP(wfml_next_event_step_uuid, wfml_event_of_uuid(running->c.cached, PG_GETARG_DATUM(2)))

/* The row type of the result, looked up once. */
static TupleDesc
result_type(FunctionCallInfo fcinfo)
{
	TupleDesc	desc = fcinfo->flinfo->fn_extra;

	if (desc == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != 3)
			elog(ERROR, "next_event_agg() must return type wfml.next_event_result");
		fcinfo->flinfo->fn_extra = BlessTupleDesc(CreateTupleDescCopy(desc));
		desc = fcinfo->flinfo->fn_extra;
		MemoryContextSwitchTo(old);
	}
	return desc;
}

PG_FUNCTION_INFO_V1(wfml_next_event_final);

/* May be called after every row of a window: what it changes of the state is scratch. */
Datum
wfml_next_event_final(PG_FUNCTION_ARGS)
{
	Running    *running = PG_ARGISNULL(0) ? NULL : (Running *) PG_GETARG_POINTER(0);
	uint32_t	n;
	uint32_t	best = 0;
	double	   *p;
	text	   *event;
	Datum		values[3];
	bool		nulls[3] = {false};

	if (running == NULL)
		PG_RETURN_NULL();
	n = wf_sequence_n_events(wfml_sequence_of(running->c.cached)) + 1;
	p = palloc_extended(sizeof(double) * n, MCXT_ALLOC_HUGE);
	(void) wf_sequence_next(running->c.state, p);
	wfml_count(running->c.cached->id, WFML_COUNT_PREDICTIONS, 1);
	for (uint32_t e = 1; e < n; e++)
		if (p[e] > p[best])
			best = e;
	event = wfml_event_text(running->c.cached, best);
	values[0] = PointerGetDatum(event);
	nulls[0] = event == NULL;
	values[1] = BoolGetDatum(event == NULL);
	values[2] = Float8GetDatum(p[best]);
	pfree(p);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result_type(fcinfo), values, nulls)));
}
