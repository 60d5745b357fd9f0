/*-------------------------------------------------------------------------
 * frequent.h
 *	  Closed frequent sequences of events, with gaps: what many cases do in
 *	  the same order, whatever comes between.
 *
 * A case is a list of events in order of time.  It CONTAINS a sequence
 * e1 … ek (k >= 2) when it has events e1 … ek at rising places and, under a
 * max_gap, no more than max_gap seconds from each of those places to the
 * next.  A sequence's support is the number of cases that contain it; it is
 * FOUND when that is at least min_cases and k at most max_length.
 *
 * It is CLOSED, and part of the result, when no longer found sequence that
 * it is a subsequence of is contained in the very same cases.  Without a gap
 * that is the usual meaning (no super-sequence of equal support); under a
 * gap a part is not always contained where the whole is (a and c may be too
 * far apart where a, b, c are not), so equal numbers of cases would not say
 * that the one explains the other.  Sequences of more than max_length events
 * are not looked at: one of max_length events is always closed.
 *
 * Only prefixes and suffixes of a found sequence are found for sure, so
 * sequences grow by one event at their end, depth first: PrefixSpan (Pei et
 * al., Mining sequential patterns by pattern-growth, TKDE 2004) with the
 * places where a sequence may end as in cSPADE (Zaki, Sequence mining in
 * categorical domains: incorporating constraints, CIKM 2000).  Without a gap
 * the first such place of each case is enough.  Closedness is decided at the
 * end: by deleting one event from each sequence and looking the rest up,
 * and under a gap by comparing the others of the same cases, told apart by
 * 64 bits of hash.
 *
 * Memory: 16 bytes an event, 4 bytes an event and level at worst (lists
 * shrink as sequences grow), 40 bytes and 4 an event for each found one.
 * The result does not depend on the order of the cases.
 *-------------------------------------------------------------------------
 */
#ifndef WF_FREQUENT_H
#define WF_FREQUENT_H

#include "core/eventlog.h"
#include "core/host.h"

#define WF_FREQUENT_MAX_LENGTH 32
#define WF_FREQUENT_NOBODY UINT32_MAX
/* Minutes of a week, which begins on Monday. */
#define WF_FREQUENT_WEEK (7 * 24 * 60)

/* What is mined; all arrays are the caller's. */
typedef struct WfCases
{
	uint32_t	n_cases;
	uint32_t	n_kinds;		/* events are 0 .. n_kinds - 1 */
	uint32_t	n_users;		/* users are 0 .. n_users - 1 */
	const uint32_t *start;		/* n_cases + 1: where each case starts in event, time, minute */
	const uint32_t *event;		/* in order of time inside a case */
	const double *time;			/* seconds; NULL: only the order is known */
	const uint16_t *minute;		/* minute of the week, 0 .. WF_FREQUENT_WEEK - 1; NULL: unknown */
	const uint32_t *user;		/* by case, WF_FREQUENT_NOBODY: unknown; NULL: each case is a user */
	const uint32_t *rank;		/* n_kinds: order of the events among equals; NULL: their numbers */
} WfCases;

typedef struct WfFrequentParams
{
	uint32_t	min_cases;		/* 1 or more */
	uint32_t	max_length;		/* 2 .. WF_FREQUENT_MAX_LENGTH */
	double		max_gap;		/* seconds; INFINITY: none.  Needs time */
	uint32_t	max_found;		/* stop when more are found, closed or not; below 2^28 */
} WfFrequentParams;

/*
 * Times and hours are those of one occurrence a case: of those that end
 * first, the one that begins last.
 */
typedef struct WfFrequentPattern
{
	const uint32_t *events;
	uint32_t	n_events;
	uint32_t	n_cases;		/* that contain it */
	uint32_t	n_users;		/* distinct ones of those cases */
	double		share;			/* n_cases of all cases */
	double		lift;			/* share over the product of its events' shares */
	/*
	 * The least, over its events x, of share over (share of the rest without
	 * x times share of x): at 1 or below some event is there by chance.  A rest
	 * that was not found counts as contained in min_cases.
	 */
	double		gain;
	double		hour;			/* circular mean of the first event's, to the minute, [0, 24); NaN: none */
	double		weekday_share;	/* of occurrences that begin on Monday to Friday; NaN: unknown */
	double		duration;		/* median of seconds from first to last event; NaN: unknown */
} WfFrequentPattern;

typedef struct WfFrequentSet
{
	uint32_t	n_found;		/* closed or not */
	uint32_t	n;				/* closed */
	bool		too_many;		/* more than max_found: nothing else is filled in */
	WfFrequentPattern *pattern; /* by falling n_cases, falling lift, events by rank */
	uint32_t   *events;			/* of all patterns */
} WfFrequentSet;

/* From the host.  Fails with WF_E_PARAM, WF_E_MEMORY. */
void		wf_frequent_mine(WfHost *host, const WfCases *cases, const WfFrequentParams *params, WfFrequentSet *set);
void		wf_frequent_free(WfHost *host, WfFrequentSet *set);

/* Smallest number of cases that is that share of them, and at least 2: what one case does is not frequent. */
uint32_t	wf_frequent_min_cases(uint32_t n_cases, double share);

/*
 * Cut the cases of a finished, timed log wherever more than gap seconds pass
 * between two events.  start and user of *cases come from the host (a piece's
 * user is the number of the case it was cut from); the rest is the log's.
 */
void		wf_frequent_cut(WfHost *host, const WfEventLog *log, double gap, WfCases *cases);
/* The cases of the log as they are; allocates nothing.  time stays NULL unless timed. */
void		wf_frequent_cases(const WfEventLog *log, WfCases *cases);

/* For each user (n_users of them), how many of his cases contain the sequence; out is overwritten. */
void		wf_frequent_by_user(WfHost *host, const WfCases *cases, const uint32_t *events, uint32_t n_events,
								double max_gap, uint32_t *out);

/* Is the needle's every event in the haystack, in the same order? */
bool		wf_is_subsequence(const uint32_t *needle, uint32_t n_needle, const uint32_t *haystack, uint32_t n_haystack);

#endif							/* WF_FREQUENT_H */
