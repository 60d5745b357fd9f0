/*-------------------------------------------------------------------------
 * next_event.c
 *	  What comes next in a case, when, and how likely the case is.
 *
 * Each function takes the history as an array of text, bigint or uuid; of
 * the last form it also takes a text, since that is what an untyped literal
 * or parameter is taken for when several arrays would do.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "pg/compat.h"
#include "pg/counters.h"
#include "pg/history.h"

#define DEFAULT_N 3
#define N_OUT 5
/* Up to that many events are picked by insertion, more by sorting all. */
#define FEW 64
/* Longer gaps than that (a thousand years) are told as such. */
#define MAX_SECONDS (1000.0 * 365.25 * SECS_PER_DAY)

/* ---- the likeliest events ---- */

typedef struct Ranked
{
	double		p;
	uint32_t	event;
} Ranked;

/* Higher probability first; ties go to the event more frequent in training, the end last. */
static int
compare_ranked(const void *a, const void *b)
{
	const Ranked *x = a;
	const Ranked *y = b;

	if (x->p != y->p)
		return x->p > y->p ? -1 : 1;
	return x->event < y->event ? -1 : 1;
}

/* The n likeliest of n_all, in order; returns how many there are. */
static uint32_t
rank_events(const double *p, uint32_t n_all, uint32_t n, Ranked **ranked)
{
	uint32_t	used = 0;
	Ranked	   *r;

	n = Min(n, n_all);
	r = *ranked = palloc_extended(sizeof(Ranked) * ((Size) (n <= FEW ? n : n_all) + 1), MCXT_ALLOC_HUGE);
	for (uint32_t e = 0; e < n_all; e++)
	{
		uint32_t	at;

		if (n > FEW)
		{
			r[e] = (Ranked) {p[e], e};
			continue;
		}
		if (used == n && !(n > 0 && p[e] > r[n - 1].p))
			continue;
		for (at = used < n ? used++ : n - 1; at > 0 && p[e] > r[at - 1].p; at--)
			r[at] = r[at - 1];
		r[at] = (Ranked) {p[e], e};
	}
	if (n > FEW)
		qsort(r, n_all, sizeof(Ranked), compare_ranked);
	return n;
}

/* ---- next_event ---- */

static uint32_t
wanted(FunctionCallInfo fcinfo)
{
	int32		n = PG_ARGISNULL(2) ? DEFAULT_N : PG_GETARG_INT32(2);

	if (n < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"n\" must not be negative")));
	return (uint32_t) n;
}

static Datum
next_event(FunctionCallInfo fcinfo, bool as_text)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	WfmlCase   *c = wfml_site_case(fcinfo);
	uint32_t	n_all = wf_sequence_n_events(wfml_sequence_of(c->cached)) + 1;
	uint32_t	n = wanted(fcinfo);
	double	   *p = palloc_extended(sizeof(double) * n_all, MCXT_ALLOC_HUGE);
	WfmlHistory history;
	WfExpert	expert;
	Datum		source;
	Ranked	   *ranked;

	wfml_history_read(fcinfo, c, as_text, 3, &history);
	for (int i = 0; i < history.n; i++)
		wfml_history_push(c, &history, i, wfml_history_event(c, &history, i));
	expert = wf_sequence_next(c->state, p);
	wfml_count(c->cached->id, WFML_COUNT_PREDICTIONS, 1);
	source = CStringGetTextDatum(wf_expert_name(expert));
	n = rank_events(p, n_all, n, &ranked);
	InitMaterializedSRF(fcinfo, 0);
	for (uint32_t i = 0; i < n; i++)
	{
		text	   *event = wfml_event_text(c->cached, ranked[i].event);
		Datum		values[N_OUT] = {
			PointerGetDatum(event), BoolGetDatum(event == NULL), Float8GetDatum(ranked[i].p),
			Int32GetDatum((int32) i + 1), source
		};
		bool		nulls[N_OUT] = {event == NULL};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ---- next_event_time ---- */

/* As the difference of two timestamps comes: days and a time. Long gaps are told to the second. */
static Interval *
interval_of(double seconds)
{
	Interval   *span = palloc0(sizeof(Interval));
	int64		usec;

	seconds = Max(0.0, Min(seconds, MAX_SECONDS));
	if (seconds >= 10)
		seconds = rint(seconds);
	usec = (int64) rint(seconds * USECS_PER_SEC);
	span->day = (int32) (usec / USECS_PER_DAY);
	span->time = usec % USECS_PER_DAY;
	return span;
}

static Datum
next_event_time(FunctionCallInfo fcinfo, bool as_text)
{
	WfmlCase   *c = wfml_site_case(fcinfo);
	WfmlHistory history;
	double		gap;

	wfml_history_read(fcinfo, c, as_text, 2, &history);
	for (int i = 0; i < history.n; i++)
		wfml_history_push(c, &history, i, wfml_history_event(c, &history, i));
	gap = wf_sequence_next_gap(c->state);
	if (isnan(gap))
		PG_RETURN_NULL();
	PG_RETURN_INTERVAL_P(interval_of(gap));
}

/* ---- sequence_score ---- */

static Datum
sequence_score(FunctionCallInfo fcinfo, bool as_text)
{
	WfmlCase   *c = wfml_site_case(fcinfo);
	WfmlHistory history;
	double		sum = 0;

	wfml_history_read(fcinfo, c, as_text, 2, &history);
	if (history.n == 0)
		PG_RETURN_NULL();
	for (int i = 0; i < history.n; i++)
	{
		uint32_t	event = wfml_history_event(c, &history, i);

		sum += wf_sequence_logp(c->state, event);
		wfml_history_push(c, &history, i, event);
	}
	PG_RETURN_FLOAT8(sum / history.n);
}

/* ---- the SQL functions ---- */

#define ENTRY(name, function, as_text) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	return function(fcinfo, as_text); \
}

#define ENTRIES(function) \
ENTRY(wfml_##function##_array, function, false) \
ENTRY(wfml_##function##_text, function, true)

ENTRIES(next_event)
ENTRIES(next_event_time)
ENTRIES(sequence_score)
