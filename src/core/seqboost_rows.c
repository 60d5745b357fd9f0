/*-------------------------------------------------------------------------
 * seqboost_rows.c
 *	  Histories of a log as rows of bins that a team shares.
 *
 * Cases already have an order that does not depend on how they were read, so
 * the rows simply follow it; no hashes and no frame are needed.  Rank 0 walks
 * the log three times: to count the rows, to sample values for cut points,
 * and to fill the bins.
 *-------------------------------------------------------------------------
 */
#include "core/seqboost.h"

#include <math.h>
#include <string.h>

#include "core/boosting.h"
#include "core/mathx.h"
#include "core/rng.h"
#include "core/seqboost_private.h"

#define MAX_ROWS 150000
#define MIN_ROWS 5000
/* Rows × classes × (features, and what moving a row costs): some ten seconds of boosting. */
#define MAX_WORK 3e8
#define MOVING 50
/* Rows whose values choose the cut points. */
#define SAMPLE_ROWS 20000
#define MASKED_SHARE 0.2
#define MAX_BINS 255
/* Rows that are binned at once. */
#define BLOCK 256
/* Keys of random draws. */
#define MASK_KEY UINT64_C(0x6d61736b5eed0001)
#define ROW_KEY UINT64_C(0x726f77735eed0002)

/* What rank 0 tells the others. */
typedef struct Plan
{
	uint32_t	n;				/* rows; 0: none */
	uint32_t	d;
	uint32_t	n_named;
	uint32_t	has_other;
	uint32_t	n_cuts;
	uint64_t	payload;
} Plan;

/* A walk over the histories that become rows. */
typedef struct Walk
{
	WfHost	   *host;
	const WfEventLog *log;
	const uint8_t *role;		/* by case */
	uint64_t	seed;
	double		share;			/* of the histories; 1: all */
	bool		for_gaps;
	WfSeqLayout layout;
	WfSeqTrail	trail;
	uint32_t   *count;
	/* where it is */
	uint32_t	case_no;
	uint32_t	step;			/* events of the case already in the trail */
	bool		masked;			/* the case once more, without its times */
	uint64_t	work;
} Walk;

uint32_t
wf_seqboost_named(const WfEventLog *log, bool *has_other)
{
	uint32_t	n = 0;

	while (n < log->n_kinds && n < WF_SEQBOOST_MAX_NAMED && log->count[n] >= WF_SEQBOOST_MIN_COUNT)
		n++;
	*has_other = n < log->n_kinds;
	return n;
}

/* ---- the walk ---- */

static void
walk_start(Walk *w)
{
	w->case_no = 0;
	w->step = 0;
	w->masked = false;
}

/*
 * Once the case is over: is it to be walked again, without its times?  So that
 * calls without times are known, and no times are lost.  Only cases that
 * teach: the others judge as predictions will mostly be made.
 */
static bool
walk_again(Walk *w)
{
	uint32_t	c = w->case_no;

	w->step = 0;
	w->masked = !w->masked && w->log->time && w->role[c] == WF_CASE_TEACHES &&
		wf_rng_unit(wf_rng(w->seed ^ MASK_KEY, w->log->case_hash[c])) < MASKED_SHARE;
	return w->masked;
}

/* Go on to the next history that is a row, now in the trail; false at the end. */
static bool
walk_next(Walk *w)
{
	const WfEventLog *log = w->log;

	while (w->case_no < log->n_cases)
	{
		uint32_t	begin = log->start[w->case_no];
		uint32_t	length = log->start[w->case_no + 1] - begin;
		uint64_t	key = wf_rng(w->seed ^ ROW_KEY, log->case_hash[w->case_no]);

		if (w->step == 0)
			wf_seq_trail_start(&w->trail, &w->layout, w->count);
		/* After the last event only the end can follow, and no time. */
		while (w->step < (w->for_gaps ? length - 1 : length))
		{
			uint32_t	at = begin + w->step++;

			wf_seq_trail_push(&w->trail, log->event[at], log->time && !w->masked ? log->time[at] : (double) NAN);
			if (++w->work % 8192 == 0)
				w->host->check(w->host);
			if (w->share >= 1 || wf_rng_unit(wf_rng(key, 2 * (uint64_t) w->step + w->masked)) < w->share)
				return true;
		}
		if (!walk_again(w))
			w->case_no++;
	}
	return false;
}

/* What follows the history at hand: a class. */
static uint16_t
walk_label(const Walk *w, const Plan *plan)
{
	uint32_t	at = w->log->start[w->case_no] + w->step;

	if (at == w->log->start[w->case_no + 1])
		return (uint16_t) plan->n_named;
	return (uint16_t) (w->log->event[at] < plan->n_named ? w->log->event[at] : plan->n_named + 1);
}

static double
walk_gap(const Walk *w)
{
	const double *time = w->log->time + w->log->start[w->case_no] + w->step;

	return wf_log(1.0 + (time[0] - time[-1]));
}

/* ---- planning ---- */

double
wf_seqboost_max_rows(uint32_t d, uint32_t n_classes)
{
	double		rows = MAX_WORK / (((double) d + MOVING) * n_classes);

	return rows > MAX_ROWS ? MAX_ROWS : rows < MIN_ROWS ? MIN_ROWS : rows;
}

static void
make_plan(Walk *w, const WfSpec *spec, Plan *plan)
{
	const WfEventLog *log = w->log;
	bool		has_other;
	double		possible = (1 + MASKED_SHARE) * (w->for_gaps ? (double) log->n_events - log->n_cases : (double) log->n_events);
	double		most;
	uint32_t	n_classes;

	plan->n_named = wf_seqboost_named(log, &has_other);
	plan->has_other = has_other;
	plan->d = w->layout.n_features;
	n_classes = w->for_gaps ? 1 : plan->n_named + 1 + has_other;
	if (w->for_gaps ? log->time == NULL : plan->n_named == 0)
		return;
	most = wf_seqboost_max_rows(plan->d, n_classes);
	w->share = possible > most ? most / possible : 1;
	plan->payload = wf_boosting_payload(spec, w->for_gaps ? 0 : (int) n_classes, false);
	for (walk_start(w); walk_next(w);)
		plan->n++;
}

/* Collective: everything that the members see alike. */
static WfDataset *
alloc_data(WfTeam *team, const Plan *plan, bool for_gaps)
{
	WfDataset  *data = wf_alloc_zero(team->host, 1, sizeof(WfDataset));
	size_t		d = plan->d;
	size_t		first_cut_at = (d * sizeof(uint16_t) + 3) & ~(size_t) 3;
	uint8_t    *by_feature;

	data->n = plan->n;
	data->d = plan->d;
	data->n_classes = for_gaps ? 0 : (int) (plan->n_named + 1 + plan->has_other);
	data->layout = WF_LAYOUT_BINS;
	data->payload_at = (d + 3) & ~(size_t) 3;
	data->stride = data->payload_at + plan->payload;
	/* One block, as wf_dataset_free() expects. */
	by_feature = wf_team_alloc(team, first_cut_at + d * (sizeof(uint32_t) + 3), 1);
	data->n_bins = (uint16_t *) (void *) by_feature;
	data->first_cut = (uint32_t *) (void *) (by_feature + first_cut_at);
	data->is_category = by_feature + first_cut_at + d * sizeof(uint32_t);
	data->has_missing = data->is_category + d;
	data->monotone = (int8_t *) (data->has_missing + d);
	if (for_gaps)
		data->target = wf_team_alloc(team, data->n, sizeof(double));
	else
		data->label = wf_team_alloc(team, data->n, sizeof(uint16_t));
	data->fold = wf_team_alloc(team, data->n, 1);
	return data;
}

/* ---- cut points and bins, rank 0 ---- */

static void
find_cuts(Walk *w, WfDataset *data, WfBytes *cuts)
{
	WfHost	   *host = w->host;
	size_t		d = data->d;
	uint32_t	most = data->n < SAMPLE_ROWS ? data->n : SAMPLE_ROWS;
	float	   *rows = wf_alloc(host, most, d * sizeof(float));
	float	   *values = wf_alloc(host, most, sizeof(float));
	uint32_t	n = 0;
	uint32_t	seen = 0;

	/* Evenly spread over the rows. */
	for (walk_start(w); n < most && walk_next(w); seen++)
		if ((uint64_t) seen * most / data->n >= n)
			wf_seq_trail_row(&w->trail, rows + n++ * d);
	for (uint32_t f = 0; f < d; f++)
	{
		float		own[MAX_BINS + 1];
		size_t		m = 0;
		int			n_own = 0;

		data->is_category[f] = wf_seq_is_category(&w->layout, f);
		data->first_cut[f] = (uint32_t) (cuts->length / sizeof(float));
		if (data->is_category[f])
		{
			data->n_bins[f] = (uint16_t) (w->layout.n_levels + w->layout.has_other);
			continue;
		}
		for (uint32_t i = 0; i < n; i++)
			if (!isnan(rows[i * d + f]))
				values[m++] = rows[i * d + f];
		if (m > 0)
			n_own = wf_cuts_find(values, m, MAX_BINS, own);
		data->n_bins[f] = (uint16_t) (n_own + 1);
		wf_bytes_append(cuts, own, (size_t) n_own * sizeof(float));
		host->check(host);
	}
	data->n_cuts = (uint32_t) (cuts->length / sizeof(float));
	wf_release(host, rows);
	wf_release(host, values);
}

/* Bins of a block of rows, column by column. */
static void
bin_block(WfDataset *data, const float *x, size_t first, size_t n)
{
	float		column[BLOCK];

	for (uint32_t f = 0; f < data->d; f++)
	{
		uint8_t    *out = data->rows + first * data->stride + f;

		for (size_t i = 0; i < n; i++)
			column[i] = x[i * data->d + f];
		if (!data->is_category[f])
			wf_bins_assign(column, n, data->cuts + data->first_cut[f], data->n_bins[f] - 1, out, data->stride);
		for (size_t i = 0; i < n; i++)
		{
			if (data->is_category[f])
				out[i * data->stride] = isnan(column[i]) ? WF_MISSING_BIN : (uint8_t) column[i];
			data->has_missing[f] |= out[i * data->stride] == WF_MISSING_BIN;
		}
	}
}

static void
fill_rows(Walk *w, const Plan *plan, WfDataset *data)
{
	WfHost	   *host = w->host;
	float	   *x = wf_alloc(host, BLOCK, data->d * sizeof(float));
	uint32_t	id = 0;

	for (walk_start(w); walk_next(w);)
	{
		if (data->target)
			data->target[id] = walk_gap(w);
		else
			data->label[id] = walk_label(w, plan);
		data->fold[id] = w->role[w->case_no];
		wf_seq_trail_row(&w->trail, x + (size_t) (id % BLOCK) * data->d);
		if (plan->payload)
			memcpy(data->rows + id * data->stride + data->payload_at, &id, sizeof(id));
		id++;
		if (id % BLOCK == 0)
		{
			bin_block(data, x, id - BLOCK, BLOCK);
			host->check(host);
		}
	}
	bin_block(data, x, id - id % BLOCK, id % BLOCK);
	wf_release(host, x);
}

/* ---- the whole ---- */

WfSeqRows *
wf_seqboost_rows(WfTeam *team, const WfSpec *spec, const WfEventLog *log, const uint8_t *role, bool for_gaps)
{
	WfHost	   *host = team->host;
	bool		leads = team->rank == 0;
	Walk		w = {.host = host,.log = log,.role = role,.seed = spec->seed,.share = 1,.for_gaps = for_gaps};
	Plan		plan = {0};
	WfSeqRows  *rows;
	WfDataset  *data;
	WfBytes		cuts;

	if (leads)
	{
		wf_seq_layout(log->n_kinds, &w.layout);
		w.count = wf_alloc(host, w.layout.n_counts, sizeof(uint32_t));
		make_plan(&w, spec, &plan);
	}
	wf_team_broadcast(team, &plan, sizeof(plan));
	if (plan.n == 0)
		return NULL;
	rows = wf_alloc_zero(host, 1, sizeof(*rows));
	rows->for_gaps = for_gaps;
	rows->n_named = plan.n_named;
	rows->has_other = plan.has_other != 0;
	rows->data = data = alloc_data(team, &plan, for_gaps);
	wf_bytes_init(&cuts, host);
	if (leads)
		find_cuts(&w, data, &cuts);
	wf_team_broadcast(team, &data->n_cuts, sizeof(data->n_cuts));
	data->cuts = wf_team_alloc(team, data->n_cuts ? data->n_cuts : 1, sizeof(float));
	data->rows = wf_team_alloc(team, data->n, data->stride);
	if (leads)
	{
		if (data->n_cuts)
			memcpy(data->cuts, cuts.data, cuts.length);
		fill_rows(&w, &plan, data);
		wf_release(host, w.count);
	}
	wf_bytes_free(&cuts);
	wf_team_barrier(team);
	return rows;
}

void
wf_seqboost_rows_free(WfTeam *team, WfSeqRows *rows)
{
	if (rows == NULL)
		return;
	wf_dataset_free(team, rows->data);
	wf_release(team->host, rows);
}
