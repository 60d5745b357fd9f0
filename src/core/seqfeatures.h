/*-------------------------------------------------------------------------
 * seqfeatures.h
 *	  A history of events as a row of features, for boosting.
 *
 *	the last 5 events, newest first	categories; missing before the start
 *	counts of the most frequent events in the history
 *	log1p of the last 3 gaps, newest first; of the time since the start
 *	hour of the day (0 to 24) and weekday (0 = Monday) of the last event
 *	number of events; number of different events, the rare ones as one
 *
 * Gaps, time since the start, hour and weekday are missing where times are
 * not known.  A trail is what must be kept of a history; its size depends on
 * the vocabulary only.
 *-------------------------------------------------------------------------
 */
#ifndef WF_SEQFEATURES_H
#define WF_SEQFEATURES_H

#include "core/host.h"

#define WF_SEQ_LAST 5
#define WF_SEQ_GAPS 3
/* Events that have a count, and events that are a level of their own; the rest is "other". */
#define WF_SEQ_MAX_COUNTS 100
#define WF_SEQ_MAX_LEVELS 250
#define WF_SEQ_UNKNOWN UINT32_MAX

/* What the features of a model look like: follows from the number of events alone. */
typedef struct WfSeqLayout
{
	uint32_t	n_kinds;
	uint32_t	n_levels;		/* of the last events; code n_levels is "other" when has_other */
	bool		has_other;
	uint32_t	n_counts;
	uint32_t	first_count;	/* features from here on: */
	uint32_t	first_gap;
	uint32_t	since;
	uint32_t	hour;
	uint32_t	weekday;
	uint32_t	position;
	uint32_t	distinct;
	uint32_t	n_features;
} WfSeqLayout;

void		wf_seq_layout(uint32_t n_kinds, WfSeqLayout *layout);
static inline bool
wf_seq_is_category(const WfSeqLayout *layout, uint32_t feature)
{
	return feature < layout->first_count;
}

/* The history so far; plain data but for counts. */
typedef struct WfSeqTrail
{
	const WfSeqLayout *layout;
	uint64_t	n;				/* events */
	uint32_t	last[WF_SEQ_LAST];	/* newest first; WF_SEQ_UNKNOWN: none, or unknown */
	double		time[WF_SEQ_GAPS + 1];	/* of the last events, newest first; NaN: not known */
	double		first;			/* time of the first event that has one; NaN: none yet */
	double		latest;			/* highest time seen */
	uint32_t	distinct;		/* among those with a count */
	bool		any_rare;		/* an event without a count was there */
	uint32_t   *count;			/* layout->n_counts, from whoever made the trail */
} WfSeqTrail;

/* log1p, as it enters all models. */
float		wf_seq_log_seconds(double seconds);

/* Empty it; count must point to layout->n_counts numbers. */
void		wf_seq_trail_start(WfSeqTrail *trail, const WfSeqLayout *layout, uint32_t *count);
/* One more event; time NaN: not known.  A time before the latest one counts as not known. */
void		wf_seq_trail_push(WfSeqTrail *trail, uint32_t event, double time);
/* log1p of the last gap (0 for the first event) and of the time since the start; NaN: not known. */
void		wf_seq_trail_times(const WfSeqTrail *trail, float *log_gap, float *log_since);
/* The row: layout->n_features values. */
void		wf_seq_trail_row(const WfSeqTrail *trail, float *x);

#endif							/* WF_SEQFEATURES_H */
