/*-------------------------------------------------------------------------
 * history.c
 *	  A case so far: arrays of events and times into the state of a model.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/fmgroids.h"
#include "utils/uuid.h"

#include "pg/compat.h"
#include "pg/history.h"
#include "pg/input.h"
#include "pg/kind.h"
#include "pg/pghost.h"

/* ---- events ---- */

uint32_t
wfml_event_of_text(const WfmlCached *cached, const char *bytes, size_t length)
{
	StaticAssertStmt(WF_CODE_MISSING == WF_EVENT_UNKNOWN, "what is not found is unknown");
	return wf_idmap_find(&cached->model->ids[0], bytes, wfml_clip_text(bytes, length));
}

uint32_t
wfml_event_of_number(const WfmlCached *cached, int64 number)
{
	char		digits[24];

	return wfml_event_of_text(cached, digits, (size_t) pg_lltoa(number, digits));
}

uint32_t
wfml_event_of_uuid(const WfmlCached *cached, Datum uuid)
{
	const char *text = DatumGetCString(DirectFunctionCall1(uuid_out, uuid));

	return wfml_event_of_text(cached, text, strlen(text));
}

text *
wfml_event_text(const WfmlCached *cached, uint32_t event)
{
	const WfIdMap *ids = &cached->model->ids[0];
	size_t		length;
	const char *bytes;

	if (event >= ids->n)
		return NULL;
	bytes = wf_idmap_string(ids, event, &length);
	return cstring_to_text_with_len(bytes, (int) length);
}

/* ---- the case ---- */

void
wfml_case_begin(WfmlCase *c, const WfmlCached *cached)
{
	c->state = wf_sequence_begin(wfml_host_create(c->context), wfml_sequence_of(cached));
	c->cached = cached;
}

void
wfml_case_push(WfmlCase *c, uint32_t event, TimestampTz at, bool has_time)
{
	int64		days = 0;
	int64		usec = 0;

	has_time = has_time && wfml_local_time(at, c->cached->zone, &days, &usec);
	wf_sequence_push(c->state, event, (double) days * SECS_PER_DAY + (double) usec / USECS_PER_SEC, has_time);
}

/*
 * The state of the call before serves again while the site's model is the
 * same opened one.  It is forgotten while the name is resolved: an error
 * there must not leave it beside another model.
 */
WfmlCase *
wfml_site_case(FunctionCallInfo fcinfo)
{
	WfmlSite   *site = wfml_site(fcinfo);
	WfmlCase   *c = site->own;
	const WfmlCached *before;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model must not be null")));
	if (c == NULL)
		c = site->own = MemoryContextAllocZero(site->context, sizeof(WfmlCase));
	before = c->cached;
	c->cached = NULL;
	site->tasks = WFML_TASK(WF_SEQUENCE);
	wfml_site_use_name(site, PG_GETARG_TEXT_PP(0));
	if (before && site->cached == before)
	{
		c->cached = before;
		wf_sequence_restart(c->state);
		return c;
	}
	if (c->context)
		MemoryContextReset(c->context);
	else
		c->context = AllocSetContextCreate(site->context, "wfml case", ALLOCSET_SMALL_SIZES);
	wfml_case_begin(c, site->cached);
	return c;
}

/* ---- arguments ---- */

static void
literal_error(void *arg)
{
	if (geterrcode() == ERRCODE_INVALID_TEXT_REPRESENTATION)
		errhint("The history is an array, such as ARRAY['a', 'b'] or '{a,b}'.");
}

/* A literal such as '{a,b}' comes as text. */
static ArrayType *
array_of_text(FunctionCallInfo fcinfo, WfmlCase *c, text *literal)
{
	ErrorContextCallback callback = {error_context_stack, literal_error, NULL};
	Datum		array;

	if (c->array_in == NULL)
	{
		MemoryContext context = fcinfo->flinfo ? fcinfo->flinfo->fn_mcxt : CurrentMemoryContext;
		FmgrInfo   *function = MemoryContextAlloc(context, sizeof(FmgrInfo));

		fmgr_info_cxt(F_ARRAY_IN, function, context);
		c->array_in = function;
	}
	error_context_stack = &callback;
	array = InputFunctionCall(c->array_in, text_to_cstring(literal), TEXTOID, -1);
	error_context_stack = callback.previous;
	return DatumGetArrayTypeP(array);
}

static void
read_events(ArrayType *array, WfmlHistory *h)
{
	h->type = ARR_ELEMTYPE(array);
	switch (h->type)
	{
		case INT8OID:
			deconstruct_array(array, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
							  &h->events, &h->event_nulls, &h->n);
			break;
		case UUIDOID:
			deconstruct_array(array, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR,
							  &h->events, &h->event_nulls, &h->n);
			break;
		default:
			deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
							  &h->events, &h->event_nulls, &h->n);
			break;
	}
}

static void
read_times(ArrayType *array, WfmlHistory *h)
{
	int			n;

	deconstruct_array(array, TIMESTAMPTZOID, sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &h->times, &h->time_nulls, &n);
	if (n != h->n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"times\" has length %d, but \"history\" has length %d", n, h->n),
				 errhint("Give a time for each event, null where it is not known, or no times at all.")));
}

void
wfml_history_read(FunctionCallInfo fcinfo, WfmlCase *c, bool as_text, int times, WfmlHistory *h)
{
	memset(h, 0, sizeof(*h));
	if (PG_ARGISNULL(1))
		return;
	read_events(as_text ? array_of_text(fcinfo, c, PG_GETARG_TEXT_PP(1)) : PG_GETARG_ARRAYTYPE_P(1), h);
	if (times >= 0 && !PG_ARGISNULL(times))
		read_times(PG_GETARG_ARRAYTYPE_P(times), h);
}

uint32_t
wfml_history_event(const WfmlCase *c, const WfmlHistory *h, int i)
{
	if (h->event_nulls[i])
		return WF_EVENT_UNKNOWN;
	switch (h->type)
	{
		case INT8OID:
			return wfml_event_of_number(c->cached, DatumGetInt64(h->events[i]));
		case UUIDOID:
			return wfml_event_of_uuid(c->cached, h->events[i]);
		default:
			{
				text	   *t = DatumGetTextPP(h->events[i]);

				return wfml_event_of_text(c->cached, VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));
			}
	}
}

void
wfml_history_push(WfmlCase *c, const WfmlHistory *h, int i, uint32_t event)
{
	bool		has_time = h->times && !h->time_nulls[i];

	wfml_case_push(c, event, has_time ? DatumGetTimestampTz(h->times[i]) : 0, has_time);
	CHECK_FOR_INTERRUPTS();
}
