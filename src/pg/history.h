/*-------------------------------------------------------------------------
 * history.h
 *	  A case so far, as functions get it: arrays of events and times into the
 *	  state of a sequence model, and what the model says next.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_HISTORY_H
#define WFML_HISTORY_H

#include "postgres.h"

#include "utils/array.h"
#include "utils/timestamp.h"

#include "core/sequence.h"
#include "pg/cache.h"
#include "pg/callsite.h"

/* What a call site keeps between calls, and a running aggregate between rows. */
typedef struct WfmlCase
{
	const WfmlCached *cached;	/* the model that state belongs to; NULL: none yet */
	MemoryContext context;		/* of the state */
	WfSequenceState *state;
	FmgrInfo   *array_in;		/* of call sites that read arrays as text; NULL at first */
} WfmlCase;

/* The numbers that stand for events in a model; WF_EVENT_UNKNOWN for one it never saw. */
extern uint32_t wfml_event_of_text(const WfmlCached *cached, const char *bytes, size_t length);
extern uint32_t wfml_event_of_number(const WfmlCached *cached, int64 number);
extern uint32_t wfml_event_of_uuid(const WfmlCached *cached, Datum uuid);
/* Text of an event, NULL for the end of the case; a copy in CurrentMemoryContext. */
extern text *wfml_event_text(const WfmlCached *cached, uint32_t event);

static inline const WfSequence *
wfml_sequence_of(const WfmlCached *cached)
{
	return cached->model->opened;
}

/*
 * Start an empty history of that model in c->context, which the caller has
 * made; whoever calls holds a pin on the model as long as c is used.
 */
extern void wfml_case_begin(WfmlCase *c, const WfmlCached *cached);
/* One more event, by the clock on the wall of the model's zone; infinite instants are as not known. */
extern void wfml_case_push(WfmlCase *c, uint32_t event, TimestampTz at, bool has_time);

/*
 * A call site's case for the model of argument 0, empty; 22004 when that is
 * NULL.
 */
extern WfmlCase *wfml_site_case(FunctionCallInfo fcinfo);

/*
 * The events of a call, from arguments 1 (an array of text, bigint or uuid, or
 * with as_text the text of an array of text) and times (index of a
 * timestamptz[], -1: there is none).  An event that is NULL is an unknown one.
 */
typedef struct WfmlHistory
{
	int			n;
	Oid			type;			/* TEXTOID, INT8OID, UUIDOID */
	Datum	   *events;
	bool	   *event_nulls;
	Datum	   *times;			/* NULL: no times */
	bool	   *time_nulls;
} WfmlHistory;

/* Errors: times of another length 22023. */
extern void wfml_history_read(FunctionCallInfo fcinfo, WfmlCase *c, bool as_text, int times, WfmlHistory *history);
/* Number of event i. */
extern uint32_t wfml_history_event(const WfmlCase *c, const WfmlHistory *history, int i);
/* Push it, with its time. */
extern void wfml_history_push(WfmlCase *c, const WfmlHistory *history, int i, uint32_t event);

#endif							/* WFML_HISTORY_H */
