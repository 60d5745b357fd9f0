/*-------------------------------------------------------------------------
 * sequence_score.c
 *	  The experts judged: weights of the blend, and scores on held-out cases.
 *
 * Everything is measured through the run-time model, event by event, as
 * predictions will be made.
 *-------------------------------------------------------------------------
 */
#include "core/sequence_fitting.h"

#include <math.h>
#include <string.h>

#include "core/mathx.h"
#include "core/metric.h"
#include "core/rng.h"

#define MAX_HISTORIES 200000
/* Histories × events: about ten seconds. */
#define MAX_WORK 2e9
#define ROUNDS_OF_EM 2000
#define P_MIN 1e-15
/*
 * The weights are pulled towards equal ones as by one outcome more in a hundred on
 * which the experts agree: where the likelihood is flat, that hedges.
 */
#define PRIOR 0.01
/* An expert of less weight costs more than it tells. */
#define WEIGHT_MIN 0.005
#define CASE_KEY UINT64_C(0x63617365fe0d0006)

/* The predictors scored: experts, their blend, and the baseline. */
#define BLEND WF_N_EXPERTS
#define BASELINE (WF_N_EXPERTS + 1)
#define N_PREDICTORS (WF_N_EXPERTS + 2)

/* ---- walking over histories ---- */

typedef struct Walk
{
	WfHost	   *host;
	const WfEventLog *log;
	const uint8_t *role;
	uint8_t		wanted;
	double		share;			/* of the cases; 1: all */
	WfSequenceState *state;
	uint32_t	case_no;
	uint32_t	step;			/* events pushed */
	uint64_t	work;
} Walk;

static void
walk_start(Walk *w, WfHost *host, const WfEventLog *log, const uint8_t *role, uint8_t wanted,
		   const WfSequence *model)
{
	double		n = 0;
	double		most = MAX_WORK / ((double) log->n_kinds + 1);

	*w = (Walk) {.host = host,.log = log,.role = role,.wanted = wanted,.share = 1};
	most = most > MAX_HISTORIES ? MAX_HISTORIES : most;
	for (uint32_t c = 0; c < log->n_cases; c++)
		if (role[c] == wanted)
			n += log->start[c + 1] - log->start[c];
	if (n > most)
		w->share = most / n;
	w->state = wf_sequence_begin(host, model);
}

/* One more event; false when there are no more. */
static bool
walk_next(Walk *w)
{
	const WfEventLog *log = w->log;

	for (; w->case_no < log->n_cases; w->case_no++, w->step = 0)
	{
		uint32_t	at = log->start[w->case_no] + w->step;

		if (w->role[w->case_no] != w->wanted || at == log->start[w->case_no + 1] ||
			(w->share < 1 && wf_rng_unit(wf_rng(CASE_KEY, log->case_hash[w->case_no])) >= w->share))
			continue;
		/* One case may be longer than all that can be looked at. */
		if (w->step >= MAX_HISTORIES)
			continue;
		if (w->step++ == 0)
			wf_sequence_restart(w->state);
		wf_sequence_push(w->state, log->event[at], log->time ? log->time[at] : 0, log->time != NULL);
		if (++w->work % 64 == 0)
			w->host->check(w->host);
		return true;
	}
	return false;
}

/* What follows: an event, or n_kinds for the end. */
static uint32_t
walk_outcome(const Walk *w)
{
	uint32_t	at = w->log->start[w->case_no] + w->step;

	return at < w->log->start[w->case_no + 1] ? w->log->event[at] : w->log->n_kinds;
}

/* Seconds to the next event, NaN when there is none. */
static double
walk_gap(const Walk *w)
{
	uint32_t	at = w->log->start[w->case_no] + w->step;

	return w->log->time && at < w->log->start[w->case_no + 1] ? w->log->time[at] - w->log->time[at - 1] : NAN;
}

/* ---- the blend ---- */

static double
mixed_loss(const double *p, size_t n, const double *weight)
{
	double		loss = 0;

	for (size_t i = 0; i < n; i++)
	{
		double		x = 0;

		for (int e = 0; e < WF_N_EXPERTS; e++)
			x += weight[e] * p[i * WF_N_EXPERTS + (size_t) e];
		loss -= wf_log(x > P_MIN ? x : P_MIN);
	}
	return loss;
}

/* One round of EM; returns the largest change of a weight. */
static double
improve(const double *p, size_t n, const bool allowed[WF_N_EXPERTS], double *weight)
{
	int			n_allowed = 0;
	double		sum[WF_N_EXPERTS] = {0};
	double		change = 0;

	for (size_t i = 0; i < n; i++)
	{
		double		x = 0;

		for (int e = 0; e < WF_N_EXPERTS; e++)
			x += weight[e] * p[i * WF_N_EXPERTS + (size_t) e];
		if (x < P_MIN)
			continue;
		for (int e = 0; e < WF_N_EXPERTS; e++)
			sum[e] += weight[e] * p[i * WF_N_EXPERTS + (size_t) e] / x;
	}
	for (int e = 0; e < WF_N_EXPERTS; e++)
		n_allowed += allowed[e];
	for (int e = 0; e < WF_N_EXPERTS; e++)
	{
		double		prior = allowed[e] ? PRIOR * (double) n / n_allowed : 0;
		double		now = (sum[e] + prior) / ((1 + PRIOR) * (double) n);

		change = fabs(now - weight[e]) > change ? fabs(now - weight[e]) : change;
		weight[e] = now;
	}
	return change;
}

static void
normalise(double *weight)
{
	double		sum = 0;

	for (int e = 0; e < WF_N_EXPERTS; e++)
		sum += weight[e];
	for (int e = 0; e < WF_N_EXPERTS; e++)
		weight[e] /= sum;
}

void
wf_sequence_mix(WfHost *host, const double *p, size_t n, const bool allowed[WF_N_EXPERTS],
				double weight[WF_N_EXPERTS])
{
	double		best = INFINITY;

	for (int e = 0; e < WF_N_EXPERTS; e++)
		weight[e] = allowed[e];
	normalise(weight);
	for (int round = 0; round < ROUNDS_OF_EM && n > 0; round++)
	{
		if (improve(p, n, allowed, weight) < 1e-6)
			break;
		host->check(host);
	}
	for (int e = 0; e < WF_N_EXPERTS; e++)
		if (weight[e] < WEIGHT_MIN)
			weight[e] = 0;
	normalise(weight);
	best = mixed_loss(p, n, weight);
	for (int e = 0; e < WF_N_EXPERTS && n > 0; e++)
	{
		double		alone[WF_N_EXPERTS] = {0};

		alone[e] = 1;
		if (allowed[e] && mixed_loss(p, n, alone) < best)
		{
			best = mixed_loss(p, n, alone);
			memcpy(weight, alone, sizeof(alone));
		}
	}
}

void
wf_sequence_choose(WfHost *host, const WfEventLog *log, const uint8_t *role,
				   const bool allowed[WF_N_EXPERTS], WfSequence *model)
{
	size_t		n_out = (size_t) log->n_kinds + 1;
	double	   *p = wf_alloc(host, n_out, sizeof(double));
	double		off[WF_GAP_BOOSTING + 1] = {0};
	WfBytes		given;
	Walk		w;

	wf_bytes_init(&given, host);
	walk_start(&w, host, log, role, WF_CASE_JUDGES, model);
	while (walk_next(&w))
	{
		double		gap = walk_gap(&w);
		double		of_outcome[WF_N_EXPERTS] = {0};

		wf_markov_probabilities(model->markov, &w.state->markov, w.state->q);
		for (WfExpert e = WF_EXPERT_MARKOV; e < WF_N_EXPERTS; e++)
		{
			if (!allowed[e] || !wf_sequence_answers(w.state, e))
				continue;
			memset(p, 0, n_out * sizeof(double));
			wf_sequence_add_expert(w.state, e, 1, p);
			of_outcome[e] = p[walk_outcome(&w)];
		}
		wf_bytes_append(&given, of_outcome, sizeof(of_outcome));
		for (WfGapSource s = WF_GAP_MEDIAN; !isnan(gap) && s <= WF_GAP_BOOSTING; s++)
			if (s == WF_GAP_MEDIAN || (s == WF_GAP_LSTM && model->lstm) || (s == WF_GAP_BOOSTING && model->gaps))
				off[s] += fabs(wf_sequence_gap_by(w.state, s) - gap);
			else
				off[s] = INFINITY;
	}
	wf_sequence_end(w.state);
	wf_sequence_mix(host, (const double *) (const void *) given.data, given.length / (WF_N_EXPERTS * sizeof(double)),
					allowed, model->own.weight);
	if (model->own.gap_source != WF_GAP_NONE)
	{
		model->own.gap_source = WF_GAP_MEDIAN;
		for (WfGapSource s = WF_GAP_LSTM; s <= WF_GAP_BOOSTING; s++)
			if (off[s] < off[model->own.gap_source])
				model->own.gap_source = s;
	}
	wf_bytes_free(&given);
	wf_release(host, p);
}

/* ---- scores ---- */

typedef struct Tally
{
	bool		there;
	uint64_t	n;
	uint64_t	right;
	uint64_t	in_three;
	double		loss;
	WfClassCount *count;		/* n_kinds + 1 */
} Tally;

static void
tally(Tally *t, const double *p, uint32_t n_out, uint32_t outcome)
{
	uint32_t	best = 0;
	uint32_t	ahead = 0;

	for (uint32_t w = 0; w < n_out; w++)
	{
		if (p[w] > p[best])
			best = w;
		ahead += p[w] > p[outcome] || (p[w] == p[outcome] && w < outcome);
	}
	t->n++;
	t->right += ahead == 0;
	t->in_three += ahead < 3;
	t->loss -= wf_log(p[outcome] > P_MIN ? p[outcome] : P_MIN);
	t->count[best].predicted++;
	t->count[outcome].actual++;
	t->count[outcome].hit += best == outcome;
}

/* What the baseline is asked with. */
typedef struct Baseline
{
	WfBytes		bytes;
	WfMarkov   *model;
	WfMarkovState state;
} Baseline;

static void
baseline_create(WfHost *host, const WfEventLog *log, const uint8_t *role, Baseline *b)
{
	uint8_t    *teaches = wf_alloc(host, log->n_cases, 1);

	for (uint32_t c = 0; c < log->n_cases; c++)
		teaches[c] = role[c] == WF_CASE_TEACHES;
	wf_bytes_init(&b->bytes, host);
	wf_markov_write(host, log, teaches, 1, SIZE_MAX, &b->bytes);
	b->model = wf_markov_open(host, b->bytes.data, b->bytes.length, log->n_kinds);
	wf_release(host, teaches);
}

static void
tally_all(Walk *w, const WfSequence *model, Baseline *baseline, Tally *t, double *p)
{
	uint32_t	n_out = w->log->n_kinds + 1;
	uint32_t	outcome = walk_outcome(w);

	wf_sequence_next(w->state, p);
	tally(&t[BLEND], p, n_out, outcome);
	for (WfExpert e = WF_EXPERT_MARKOV; e < WF_N_EXPERTS; e++)
	{
		if (!t[e].there)
			continue;
		memset(p, 0, n_out * sizeof(double));
		wf_sequence_add_expert(w->state, e, 1, p);
		tally(&t[e], p, n_out, outcome);
	}
	if (w->step == 1)
		wf_markov_start(&baseline->state);
	wf_markov_push(baseline->model, &baseline->state, w->log->event[w->log->start[w->case_no] + w->step - 1]);
	wf_markov_probabilities(baseline->model, &baseline->state, p);
	tally(&t[BASELINE], p, n_out, outcome);
	(void) model;
}

static void
add_scores(const Tally *t, const Tally *baseline, uint32_t n_out, const char *const *names,
		   const char *split, WfFitResult *result)
{
	double		n = (double) t->n;
	double		m = (double) baseline->n;

	wf_fit_result_add(result, names[0], (double) t->right / n, (double) baseline->right / m, split);
	wf_fit_result_add(result, names[1], (double) t->in_three / n, (double) baseline->in_three / m, split);
	wf_fit_result_add(result, names[2], wf_classes_score(t->count, n_out, WF_F1, WF_AVERAGE_MACRO),
					  wf_classes_score(baseline->count, n_out, WF_F1, WF_AVERAGE_MACRO), split);
	wf_fit_result_add(result, names[3], wf_classes_score(t->count, n_out, WF_F1, WF_AVERAGE_WEIGHTED),
					  wf_classes_score(baseline->count, n_out, WF_F1, WF_AVERAGE_WEIGHTED), split);
	wf_fit_result_add(result, names[4], t->loss / n, baseline->loss / m, split);
}

void
wf_sequence_scores(WfHost *host, const WfEventLog *log, const uint8_t *role,
				   WfSequence *model, const char *split, WfFitResult *result)
{
	static const char *const names[WF_N_EXPERTS + 1][5] = {
		{"accuracy:markov", "top3_accuracy:markov", "macro_f1:markov", "weighted_f1:markov", "log_loss:markov"},
		{"accuracy:lstm", "top3_accuracy:lstm", "macro_f1:lstm", "weighted_f1:lstm", "log_loss:lstm"},
		{"accuracy:boosting", "top3_accuracy:boosting", "macro_f1:boosting", "weighted_f1:boosting", "log_loss:boosting"},
		{"accuracy", "top3_accuracy", "macro_f1", "weighted_f1", "log_loss"}
	};
	uint32_t	n_out = log->n_kinds + 1;
	double	   *p = wf_alloc(host, n_out, sizeof(double));
	Tally		t[N_PREDICTORS] = {0};
	Baseline	baseline;
	double		off = 0;
	double		off_median = 0;
	uint64_t	n_gaps = 0;
	Walk		w;

	for (int i = 0; i < N_PREDICTORS; i++)
	{
		t[i].there = i >= BLEND || i == WF_EXPERT_MARKOV || (i == WF_EXPERT_LSTM ? model->lstm != NULL : model->events != NULL);
		t[i].count = wf_alloc_zero(host, n_out, sizeof(WfClassCount));
	}
	baseline_create(host, log, role, &baseline);
	walk_start(&w, host, log, role, WF_CASE_REPORTS, model);
	while (walk_next(&w))
	{
		double		gap = walk_gap(&w);

		tally_all(&w, model, &baseline, t, p);
		if (isnan(gap))
			continue;
		off += fabs(wf_sequence_next_gap(w.state) - gap);
		off_median += fabs(model->own.median_gap - gap);
		n_gaps++;
	}
	if (t[BLEND].n > 0)
	{
		result->headline = result->n_scores;
		add_scores(&t[BLEND], &t[BASELINE], n_out, names[BLEND], split, result);
		if (n_gaps > 0)
			wf_fit_result_add(result, "mae", off / (double) n_gaps, off_median / (double) n_gaps, split);
		for (int e = 0; e < WF_N_EXPERTS; e++)
			if (t[e].there)
				add_scores(&t[e], &t[BASELINE], n_out, names[e], split, result);
	}
	wf_sequence_end(w.state);
	wf_markov_close(host, baseline.model);
	wf_bytes_free(&baseline.bytes);
	for (int i = 0; i < N_PREDICTORS; i++)
		wf_release(host, t[i].count);
	wf_release(host, p);
}
