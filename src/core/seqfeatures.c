/*-------------------------------------------------------------------------
 * seqfeatures.c
 *	  The row of features after each event of a case.
 *-------------------------------------------------------------------------
 */
#include "core/seqfeatures.h"

#include <math.h>
#include <string.h>

#include "core/mathx.h"

#define DAY 86400.0
/* 2000-01-01 was a Saturday. */
#define FIRST_WEEKDAY 5

void
wf_seq_layout(uint32_t n_kinds, WfSeqLayout *layout)
{
	uint32_t	at = WF_SEQ_LAST;

	layout->n_kinds = n_kinds;
	layout->n_levels = n_kinds < WF_SEQ_MAX_LEVELS ? n_kinds : WF_SEQ_MAX_LEVELS;
	layout->has_other = layout->n_levels < n_kinds;
	layout->n_counts = n_kinds < WF_SEQ_MAX_COUNTS ? n_kinds : WF_SEQ_MAX_COUNTS;
	layout->first_count = at;
	at += layout->n_counts;
	layout->first_gap = at;
	at += WF_SEQ_GAPS;
	layout->since = at++;
	layout->hour = at++;
	layout->weekday = at++;
	layout->position = at++;
	layout->distinct = at++;
	layout->n_features = at;
}

void
wf_seq_trail_start(WfSeqTrail *trail, const WfSeqLayout *layout, uint32_t *count)
{
	memset(trail, 0, sizeof(*trail));
	trail->layout = layout;
	trail->count = count;
	memset(count, 0, layout->n_counts * sizeof(uint32_t));
	for (int i = 0; i < WF_SEQ_LAST; i++)
		trail->last[i] = WF_SEQ_UNKNOWN;
	for (int i = 0; i <= WF_SEQ_GAPS; i++)
		trail->time[i] = NAN;
	trail->first = NAN;
	trail->latest = -INFINITY;
}

void
wf_seq_trail_push(WfSeqTrail *trail, uint32_t event, double time)
{
	memmove(trail->last + 1, trail->last, (WF_SEQ_LAST - 1) * sizeof(trail->last[0]));
	memmove(trail->time + 1, trail->time, WF_SEQ_GAPS * sizeof(trail->time[0]));
	trail->last[0] = event < trail->layout->n_kinds ? event : WF_SEQ_UNKNOWN;
	if (isfinite(time) && time >= trail->latest)
	{
		trail->time[0] = trail->latest = time;
		if (isnan(trail->first))
			trail->first = time;
	}
	else
		trail->time[0] = NAN;
	if (event < trail->layout->n_counts)
		trail->distinct += trail->count[event]++ == 0;
	else
		trail->any_rare = true;
	trail->n++;
}

float
wf_seq_log_seconds(double seconds)
{
	return (float) wf_log(1.0 + seconds);
}

void
wf_seq_trail_times(const WfSeqTrail *trail, float *log_gap, float *log_since)
{
	double		gap = trail->n == 1 && !isnan(trail->time[0]) ? 0 : trail->time[0] - trail->time[1];

	*log_gap = isnan(gap) ? NAN : wf_seq_log_seconds(gap);
	*log_since = isnan(trail->time[0]) ? NAN : wf_seq_log_seconds(trail->time[0] - trail->first);
}

void
wf_seq_trail_row(const WfSeqTrail *trail, float *x)
{
	const WfSeqLayout *layout = trail->layout;
	double		now = trail->time[0];

	for (int i = 0; i < WF_SEQ_LAST; i++)
	{
		uint32_t	event = trail->last[i];

		x[i] = event == WF_SEQ_UNKNOWN ? NAN
			: (float) (event < layout->n_levels ? event : layout->n_levels);
	}
	for (uint32_t k = 0; k < layout->n_counts; k++)
		x[layout->first_count + k] = (float) trail->count[k];
	for (int i = 0; i < WF_SEQ_GAPS; i++)
	{
		double		gap = trail->time[i] - trail->time[i + 1];

		x[layout->first_gap + (uint32_t) i] = isnan(gap) ? NAN : wf_seq_log_seconds(gap);
	}
	if (isnan(now))
		x[layout->since] = x[layout->hour] = x[layout->weekday] = NAN;
	else
	{
		double		day = floor(now / DAY);
		double		weekday = fmod(day + FIRST_WEEKDAY, 7);

		x[layout->since] = wf_seq_log_seconds(now - trail->first);
		x[layout->hour] = (float) ((now - day * DAY) / 3600);
		x[layout->weekday] = (float) (weekday < 0 ? weekday + 7 : weekday);
	}
	x[layout->position] = (float) trail->n;
	x[layout->distinct] = (float) (trail->distinct + trail->any_rare);
}
