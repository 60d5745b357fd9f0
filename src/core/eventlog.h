/*-------------------------------------------------------------------------
 * eventlog.h
 *	  The cases of an event log: read in any order, kept compactly, put into
 *	  an order that does not depend on how they were read.
 *
 * Rows arrive one event at a time; a case's rows may be scattered over the
 * source.  wf_eventlog_finish() sorts the events of each case by (time, tie,
 * text of the event) and the cases by (time of the first event, hash of the
 * case's id), and numbers the events by falling frequency (ties by bytes).
 * So the same rows give the same log in whatever order they came.
 *
 * Only rank 0 of a team reads.  Memory: 16 bytes an event while reading
 * (and 9 and its own length for a tie), 32 at the height of finishing, 12
 * afterwards; about 50 bytes a case; each distinct event's text once.
 *-------------------------------------------------------------------------
 */
#ifndef WF_EVENTLOG_H
#define WF_EVENTLOG_H

#include "core/dict.h"
#include "core/host.h"

#define WF_EVENTLOG_MAX_EVENTS UINT32_C(0x7fffffff)
/* An event's text is told apart by this many leading bytes. */
#define WF_EVENTLOG_EVENT_BYTES WF_DICT_KEY_BYTES

typedef struct WfEventReader WfEventReader; /* private */

typedef struct WfEventLog
{
	WfHost	   *host;
	/*
	 * Are times seconds (since 2000-01-01 00:00, by the clock on the wall), so
	 * that gaps, hours and weekdays mean something?  Else they only order the
	 * events.
	 */
	bool		timed;
	WfEventReader *reader;		/* NULL once finished */

	/* valid after wf_eventlog_finish() */
	uint32_t	n_cases;
	uint32_t	n_events;		/* in all cases */
	uint32_t	n_kinds;		/* distinct events; numbers are 0 .. n_kinds - 1, most frequent first */
	uint32_t	longest;		/* events of the longest case */
	uint32_t	n_ties;			/* events at the very time of the one before them in their case */
	uint32_t   *start;			/* n_cases + 1: where each case starts in event and time */
	uint32_t   *event;			/* n_events: number of the event */
	double	   *time;			/* n_events, never falling inside a case; NULL when not timed */
	uint64_t   *case_hash;		/* n_cases: hash of the case's id */
	uint32_t   *count;			/* n_kinds: how often each occurs */
	WfDict	   *dict;			/* texts of the events */
	uint32_t   *code;			/* n_kinds: number → code in dict */
	const uint32_t *mark;		/* by case, the caller's; NULL: none.  Under WF_VALIDATE_FRESH those judge */
} WfEventLog;

WfEventLog *wf_eventlog_create(WfHost *host, bool timed);
/*
 * One event.  A case's id may have any bytes and length; an event's text no
 * NUL, and at most WF_EVENTLOG_EVENT_BYTES count.  time must be finite.  tie
 * decides between events of one time, compared as bytes (memcmp, shorter
 * first); NULL: none, before every other.  Fails with WF_E_DATA or WF_E_LIMIT.
 */
void		wf_eventlog_add(WfEventLog *log, const char *case_id, size_t case_length,
							const char *event, size_t event_length, double time,
							const char *tie, size_t tie_length);
/* A number as 8 bytes that compare as it does, for ties. */
void		wf_eventlog_tie(double number, char out[8]);
/* Rows added so far. */
uint64_t	wf_eventlog_n_rows(const WfEventLog *log);
/* Bytes now in memory. */
size_t		wf_eventlog_memory(const WfEventLog *log);
/* Bytes at the height of reading and finishing that many events, for estimates. */
size_t		wf_eventlog_estimate(uint64_t n_events, uint64_t n_cases, bool ties);

/* Sort and number; fails with WF_E_DATA when no event was added. */
void		wf_eventlog_finish(WfEventLog *log);
/* Text of an event by its number (not NUL-terminated). */
const char *wf_eventlog_text(const WfEventLog *log, uint32_t event, size_t *length);
void		wf_eventlog_destroy(WfEventLog *log);

#endif							/* WF_EVENTLOG_H */
