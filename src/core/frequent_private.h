/*-------------------------------------------------------------------------
 * frequent_private.h
 *	  What the parts of the miner share: frequent.c finds sequences,
 *	  frequent_closed.c decides which stay, frequent_measure.c describes them.
 *-------------------------------------------------------------------------
 */
#ifndef WF_FREQUENT_PRIVATE_H
#define WF_FREQUENT_PRIVATE_H

#include "core/frequent.h"

/* Places looked at between two checks for interrupts. */
#define WF_FREQUENT_CHECK 65536

/* The cases without their rare events, which no found sequence holds. */
typedef struct WfFrequentData
{
	WfHost	   *host;
	const WfCases *cases;
	const WfFrequentParams *params;
	uint32_t	n;				/* events that are left */
	uint32_t   *start;			/* n_cases + 1 */
	uint32_t   *event;
	uint32_t   *origin;			/* where each was in cases->event */
	uint32_t   *case_of;
	uint32_t   *n_having;		/* n_kinds: cases that have the event (rare ones too) */
	uint32_t	work;			/* since the last check */
} WfFrequentData;

typedef struct WfFound
{
	uint32_t	first;			/* of its events in WfFoundList.events */
	uint32_t	n_cases;
	uint64_t	cases_hash;		/* sum over its cases */
	uint64_t	hash;			/* of its events */
	double		gain;
	uint8_t		length;
	bool		open;			/* not closed */
} WfFound;

typedef struct WfFoundList
{
	uint32_t	n;
	WfBytes		found;			/* WfFound[n] */
	WfBytes		events;			/* uint32_t */
} WfFoundList;

static inline WfFound *
wf_found(const WfFoundList *list)
{
	return (WfFound *) (void *) list->found.data;
}

static inline const uint32_t *
wf_found_events(const WfFoundList *list, const WfFound *f)
{
	return (const uint32_t *) (const void *) list->events.data + f->first;
}

static inline void
wf_frequent_work(WfFrequentData *data, size_t n)
{
	data->work += (uint32_t) n;
	if (data->work >= WF_FREQUENT_CHECK)
	{
		data->work = 0;
		data->host->check(data->host);
	}
}

/* Seconds from one place to a later one; 0 when times are unknown. */
static inline double
wf_frequent_gap(const WfFrequentData *data, uint32_t from, uint32_t to)
{
	const double *time = data->cases->time;

	return time ? time[data->origin[to]] - time[data->origin[from]] : 0;
}

uint64_t	wf_frequent_hash(const uint32_t *events, uint32_t n, uint32_t without);
/* Set open and gain of all. */
void		wf_frequent_close(WfFrequentData *data, WfFoundList *list);
/* The closed ones into the result, measured and in order. */
void		wf_frequent_measure(WfFrequentData *data, const WfFoundList *list, WfFrequentSet *set);

#endif							/* WF_FREQUENT_PRIVATE_H */
