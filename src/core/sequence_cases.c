/*-------------------------------------------------------------------------
 * sequence_cases.c
 *	  Which case is for what, and cases as the LSTM takes them.
 *-------------------------------------------------------------------------
 */
#include "core/sequence_fitting.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"

/* Of so many cases one judges. */
#define JUDGE_OF 8
#define MIN_CASES 16
/* The LSTM learns from no more events than this, and of one case from no more than that. */
#define LSTM_MAX_EVENTS 500000
#define LSTM_MAX_CASE 100000
/*
 * Events that occur less often teach the LSTM nothing about themselves, and
 * in a long log, where each class costs time at every event, little for it.
 */
#define LSTM_MIN_COUNT 3
#define LSTM_COUNT_PER 10000
#define MEDIAN_SAMPLE 1000000

#define REPORT_KEY UINT64_C(0x7265706f5eed0003)
#define JUDGE_KEY UINT64_C(0x6a7564675eed0004)
#define LSTM_KEY UINT64_C(0x6c73746d5eed0005)

/* ---- roles ---- */

static void
choose_reports(const WfSpec *spec, const WfEventLog *log, uint8_t *role)
{
	uint32_t	n = log->n_cases;
	uint32_t	n_report = 0;
	uint32_t	lowest = 0;
	uint32_t	highest = 0;
	uint64_t	low = UINT64_MAX;
	uint64_t	high = 0;

	if (spec->validation == WF_VALIDATE_FRESH)
	{
		for (uint32_t c = 0; c < n; c++)
			role[c] = log->mark[c] ? WF_CASE_REPORTS : WF_CASE_TEACHES;
		return;
	}
	if (spec->validation == WF_VALIDATE_TIME)
	{
		double		wanted = spec->test_fraction * n;
		uint32_t	latest = wanted < 1 ? 1 : wanted > n - 1 ? n - 1 : (uint32_t) wanted;

		memset(role + (n - latest), WF_CASE_REPORTS, latest);
		return;
	}
	for (uint32_t c = 0; c < n; c++)
	{
		uint64_t	key = wf_rng(spec->seed ^ REPORT_KEY, log->case_hash[c]);

		role[c] = wf_rng_unit(key) < spec->test_fraction ? WF_CASE_REPORTS : WF_CASE_TEACHES;
		n_report += role[c] == WF_CASE_REPORTS;
		if (key <= low)
		{
			low = key;
			lowest = c;
		}
		if (key >= high)
		{
			high = key;
			highest = c;
		}
	}
	/* Neither side may be empty. */
	if (n_report == 0)
		role[lowest] = WF_CASE_REPORTS;
	else if (n_report == n)
		role[highest] = WF_CASE_TEACHES;
}

static void
choose_judges(const WfSpec *spec, const WfEventLog *log, uint8_t *role)
{
	uint32_t	in_stretch = 0;
	uint32_t	best = 0;
	uint64_t	low = 0;

	for (uint32_t c = 0; c < log->n_cases; c++)
	{
		uint64_t	key = wf_rng(spec->seed ^ JUDGE_KEY, log->case_hash[c]);

		if (role[c] != WF_CASE_TEACHES)
			continue;
		if (in_stretch == 0 || key < low)
		{
			low = key;
			best = c;
		}
		if (++in_stretch == JUDGE_OF)
		{
			role[best] = WF_CASE_JUDGES;
			in_stretch = 0;
		}
	}
}

uint8_t *
wf_sequence_roles(const WfSpec *spec, const WfEventLog *log, uint32_t n_of_role[3])
{
	uint8_t    *role = wf_alloc_zero(log->host, log->n_cases, 1);
	uint32_t	n_left = 0;

	if (spec->validation != WF_VALIDATE_NONE && log->n_cases > 1)
		choose_reports(spec, log, role);
	for (uint32_t c = 0; c < log->n_cases; c++)
		n_left += role[c] == WF_CASE_TEACHES;
	if (n_left >= MIN_CASES)
		choose_judges(spec, log, role);
	memset(n_of_role, 0, 3 * sizeof(*n_of_role));
	for (uint32_t c = 0; c < log->n_cases; c++)
		n_of_role[role[c]]++;
	return role;
}

/* ---- median gap ---- */

/* The k-th smallest by partitioning (Hoare 1961); v is reordered. */
static double
select_smallest(WfHost *host, double *v, size_t n, size_t k)
{
	size_t		low = 0;
	size_t		high = n - 1;

	while (low < high)
	{
		double		pivot = v[low + (high - low) / 2];
		size_t		i = low;
		size_t		j = high;

		for (;;)
		{
			double		x;

			while (v[i] < pivot)
				i++;
			while (v[j] > pivot)
				j--;
			if (i >= j)
				break;
			x = v[i];
			v[i++] = v[j];
			v[j--] = x;
		}
		host->check(host);
		/* v[i] = pivot when both stopped on it; all before i are at most, all after j at least pivot. */
		if (k <= j && j < high)
			high = j;
		else if (k > j)
			low = j + 1;
		else
			break;
	}
	return v[k];
}

double
wf_sequence_median_gap(const WfEventLog *log, const uint8_t *role, unsigned roles)
{
	WfHost	   *host = log->host;
	size_t		possible = log->n_events - log->n_cases;
	size_t		step = 1 + possible / MEDIAN_SAMPLE;
	double	   *gap;
	size_t		n = 0;
	size_t		seen = 0;
	double		median = 0;

	if (log->time == NULL || possible == 0)
		return 0;
	gap = wf_alloc(host, possible / step + 1, sizeof(double));
	for (uint32_t c = 0; c < log->n_cases; c++)
	{
		if ((roles & 1u << role[c]) == 0)
			continue;
		for (uint32_t i = log->start[c] + 1; i < log->start[c + 1]; i++)
			if (seen++ % step == 0)
				gap[n++] = log->time[i] - log->time[i - 1];
		if (c % 1024 == 0)
			host->check(host);
	}
	if (n > 0)
		median = select_smallest(host, gap, n, n / 2);
	wf_release(host, gap);
	return median;
}

/* ---- the LSTM's cases ---- */

uint32_t
wf_sequence_lstm_named(const WfSpec *spec, const WfEventLog *log)
{
	uint32_t	most = (uint32_t) wf_spec_number(spec, "vocabulary");
	uint32_t	least = LSTM_MIN_COUNT;
	uint32_t	n = 0;

	if (!wf_spec_value(spec, "vocabulary")->by_user)
		least += log->n_events / LSTM_COUNT_PER;
	while (n < log->n_kinds && n < most && log->count[n] >= least)
		n++;
	return n;
}

static uint32_t
cut_length(const WfEventLog *log, uint32_t c)
{
	uint32_t	length = log->start[c + 1] - log->start[c];

	return length < LSTM_MAX_CASE ? length : LSTM_MAX_CASE;
}

static void
copy_case(const WfEventLog *log, uint32_t c, uint32_t named, uint32_t at, uint32_t length,
		  uint16_t *event, float *log_gap, float *log_since)
{
	const uint32_t *from = log->event + log->start[c];
	const double *time = log->time ? log->time + log->start[c] : NULL;

	for (uint32_t i = 0; i < length; i++)
	{
		event[at + i] = (uint16_t) (from[i] < named ? from[i] : named);
		if (time)
		{
			log_gap[at + i] = wf_seq_log_seconds(i > 0 ? time[i] - time[i - 1] : 0);
			log_since[at + i] = wf_seq_log_seconds(time[i] - time[0]);
		}
		if ((i + 1) % 8192 == 0)
			log->host->check(log->host);
	}
}

static uint64_t
draw_key(const WfSpec *spec, const WfEventLog *log, uint32_t c)
{
	return wf_rng(spec->seed ^ LSTM_KEY, log->case_hash[c]);
}

/*
 * Of each role the case of lowest key, which is drawn before any other: few
 * long cases may leave nobody to teach or to judge.
 */
static void
find_first(const WfSpec *spec, const WfEventLog *log, const uint8_t *role, uint32_t first[3])
{
	uint64_t	lowest[3] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};

	for (uint32_t c = 0; c < log->n_cases; c++)
	{
		uint64_t	key = draw_key(spec, log, c);

		if (key <= lowest[role[c]])
		{
			lowest[role[c]] = key;
			first[role[c]] = c;
		}
		if (c % 8192 == 0)
			log->host->check(log->host);
	}
}

void
wf_sequence_lstm_cases(const WfSpec *spec, const WfEventLog *log, const uint8_t *role,
					   unsigned roles, uint32_t named, WfLstmCases *cases)
{
	WfHost	   *host = log->host;
	uint32_t   *start = wf_alloc(host, (size_t) log->n_cases + 1, sizeof(uint32_t));
	uint32_t   *which = wf_alloc(host, log->n_cases, sizeof(uint32_t));
	uint8_t    *held_out = wf_alloc(host, log->n_cases, 1);
	uint16_t   *event;
	float	   *log_gap = NULL;
	float	   *log_since = NULL;
	double		all = 0;
	double		share;
	uint32_t	first[3] = {0};
	uint32_t	at = 0;
	uint32_t	n = 0;

	for (uint32_t c = 0; c < log->n_cases; c++)
		if (roles & 1u << role[c])
			all += cut_length(log, c);
	share = all > LSTM_MAX_EVENTS ? LSTM_MAX_EVENTS / all : 1;
	if (share < 1)
		find_first(spec, log, role, first);
	for (uint32_t c = 0; c < log->n_cases; c++)
	{
		if ((roles & 1u << role[c]) == 0 ||
			(share < 1 && c != first[role[c]] && wf_rng_unit(draw_key(spec, log, c)) >= share))
			continue;
		start[n] = at;
		which[n] = c;
		held_out[n] = role[c] == WF_CASE_JUDGES;
		at += cut_length(log, c);
		n++;
	}
	start[n] = at;
	event = wf_alloc(host, at, sizeof(uint16_t));
	if (log->time)
	{
		log_gap = wf_alloc(host, at, sizeof(float));
		log_since = wf_alloc(host, at, sizeof(float));
	}
	for (uint32_t i = 0; i < n; i++)
	{
		copy_case(log, which[i], named, start[i], start[i + 1] - start[i], event, log_gap, log_since);
		if (i % 256 == 0)
			host->check(host);
	}
	wf_release(host, which);
	*cases = (WfLstmCases) {.n_events = named + (named < log->n_kinds),.n_cases = n,.start = start,
		.event = event,.log_gap = log_gap,.log_since = log_since,.held_out = held_out};
}

void
wf_sequence_lstm_free(WfHost *host, WfLstmCases *cases)
{
	wf_release(host, (void *) cases->start);
	wf_release(host, (void *) cases->event);
	wf_release(host, (void *) cases->log_gap);
	wf_release(host, (void *) cases->log_since);
	wf_release(host, (void *) cases->held_out);
}
