/*-------------------------------------------------------------------------
 * eventsource.h
 *	  A source of events (table, view or query) into an event log.
 *
 * The source runs once, as the current user, in a read-only transaction.
 * Rows without a case, an event or a time say nothing about what follows
 * what: they are left out, and so are infinite times and NaN.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_EVENTSOURCE_H
#define WFML_EVENTSOURCE_H

#include "postgres.h"

#include "core/eventlog.h"

typedef struct WfmlEventRequest
{
	const char *source;			/* relation name or SELECT/WITH/VALUES/TABLE */
	const char *case_column;
	const char *event_column;
	const char *time_column;	/* timestamps, dates, or numbers that only order */
	const char *tie_column;		/* decides between events of one time; NULL: the event's text */
} WfmlEventRequest;

/* What the named columns are, in the order of the request. */
#define WFML_EVENT_COLUMNS 4

typedef struct WfmlEventColumn
{
	const char *name;			/* NULL: not asked for */
	const char *role;			/* "case" */
	Oid			type;
	uint64_t	nulls;
} WfmlEventColumn;

typedef struct WfmlEventSource
{
	WfEventLog *log;			/* finished */
	const char *zone;			/* time zone of the clock on the wall; NULL when times are numbers */
	char	   *stored_source;	/* what to store: relations schema-qualified */
	uint64_t	rows_read;
	uint64_t	without;		/* rows left out: NULL as case, event or time */
	uint64_t	timeless;		/* rows left out: infinite time or NaN */
	WfmlEventColumn columns[WFML_EVENT_COLUMNS];
} WfmlEventSource;

/*
 * Read and finish.  Everything lives in host's context.  Errors: no rows
 * P0002, no usable row 22000, and those of idcolumns.h.
 */
extern WfmlEventSource *wfml_events_read(WfHost *host, const WfmlEventRequest *request);

/* The NOTICE about rows left out, if there were any. */
extern void wfml_events_notice(const WfmlEventSource *source);

#endif							/* WFML_EVENTSOURCE_H */
