/*-------------------------------------------------------------------------
 * slots.c
 *	  Doubly robust success rates of the hours of the week.
 *-------------------------------------------------------------------------
 */
#include "core/slots.h"

#include <math.h>
#include <string.h>

#include "core/mathx.h"

#define PRIOR_RATE 0.7			/* believed in before any run */
#define PRIOR_RUNS 2.0			/* of that rate */
#define GROUP_RUNS 10.0			/* weight of the group in a propensity */
#define LEAST_PROPENSITY 0.01	/* weights are at most 100 */
#define DRIFT 0.002				/* variance that the base gains by each run */
#define Z 1.2815515655446004	/* one side of 80 % */
/*
 * The variance leaves out that the outcome model errs for all runs of a user
 * together; measured by simulation, so much makes up for it.
 */
#define DOUBT 1.3
#define MAX_ACTIVE 8

/* ---- outcome model ---- */

static WfBelief
belief(double mean, double deviation)
{
	WfBelief	b = {mean, deviation * deviation};

	return b;
}

void
wf_slot_model_init(WfSlotModel *model, WfBelief *who, size_t n_who, double rate)
{
	double		r = fmin(fmax(rate, 0.02), 0.98);

	model->base = belief(wf_log(r / (1 - r)), 1.0);
	model->weekend = belief(0, 0.4);
	for (int i = 0; i < 24; i++)
	{
		model->hour[i] = belief(0, 0.2);
		model->around[i] = belief(0, 0.3);
	}
	for (int i = 0; i < WF_N_SLOTS; i++)
		model->slot[i] = belief(0, 0.2);
	model->who = who;
	for (size_t i = 0; i < n_who; i++)
		who[i] = belief(0, 0.8);
}

/* The weights that a run has part in. */
static int
active(WfSlotModel *model, uint32_t who, int slot, WfBelief *list[MAX_ACTIVE])
{
	int			n = 0;

	list[n++] = &model->base;
	list[n++] = &model->who[who];
	list[n++] = &model->hour[slot % 24];
	for (int d = 23; d <= 25; d++)
		list[n++] = &model->around[(slot + d) % 24];
	list[n++] = &model->slot[slot];
	if (slot >= 24)
		list[n++] = &model->weekend;
	return n;
}

/* Mean of the logistic function under a normal belief, nearly (MacKay 1992). */
static double
mean_logistic(double mean, double variance)
{
	return wf_sigmoid(mean / sqrt(1 + M_PI / 8 * variance));
}

double
wf_slot_model_ask(const WfSlotModel *model, uint32_t who, int slot)
{
	const WfBelief *u = &model->who[who];
	const WfBelief *h = &model->hour[slot % 24];
	const WfBelief *s = &model->slot[slot];
	double		mean = model->base.mean + u->mean + h->mean + s->mean;
	double		variance = model->base.variance + u->variance + h->variance + s->variance;

	for (int d = 23; d <= 25; d++)
	{
		mean += model->around[(slot + d) % 24].mean;
		variance += model->around[(slot + d) % 24].variance;
	}
	if (slot >= 24)
	{
		mean += model->weekend.mean;
		variance += model->weekend.variance;
	}
	return mean_logistic(mean, variance);
}

void
wf_slot_model_learn(WfSlotModel *model, const WfSlotRun *run)
{
	WfBelief   *list[MAX_ACTIVE];
	int			n;
	double		mean = 0;
	double		variance = 0;
	double		p;
	double		slope;
	double		gain;

	model->base.variance += DRIFT;
	n = active(model, run->who, run->slot, list);
	for (int i = 0; i < n; i++)
	{
		mean += list[i]->mean;
		variance += list[i]->variance;
	}
	p = mean_logistic(mean, variance);
	slope = p * (1 - p);
	gain = 1 / (1 + slope * variance);
	for (int i = 0; i < n; i++)
	{
		double		v = list[i]->variance;

		list[i]->mean += v * gain * ((run->succeeded ? 1.0 : 0.0) - p);
		list[i]->variance = v - v * v * slope * gain;
	}
}

/* ---- propensity ---- */

double
wf_slot_kernel(int run, int slot)
{
	int			apart;

	if (run / 24 != slot / 24)
		return 0;
	apart = (run - slot + 24) % 24;
	apart = apart > 12 ? 24 - apart : apart;
	return apart > WF_SLOT_REACH ? 0 : 1 - apart / (WF_SLOT_REACH + 1.0);
}

static double
smoothed(const double shares[WF_N_SLOTS], int slot)
{
	double		sum = 0;

	for (int d = -WF_SLOT_REACH; d <= WF_SLOT_REACH; d++)
	{
		int			s = slot / 24 * 24 + (slot + 24 + d) % 24;

		sum += wf_slot_kernel(s, slot) * shares[s];
	}
	return sum;
}

void
wf_slot_propensity(const double counts[WF_N_SLOTS], const double group[WF_N_SLOTS], double e[WF_N_SLOTS])
{
	double		n = 0;
	double		n_group = 0;

	for (int s = 0; s < WF_N_SLOTS; s++)
	{
		n += counts[s];
		n_group += group[s];
	}
	for (int s = 0; s < WF_N_SLOTS; s++)
	{
		double		own = smoothed(counts, s);
		double		others = n_group > 0 ? smoothed(group, s) / n_group : own / fmax(n, 1);

		e[s] = fmax((own + GROUP_RUNS * others) / (n + GROUP_RUNS), LEAST_PROPENSITY);
	}
}

/* Share of the runs on weekdays (0) or weekends (1), shrunk as a propensity is. */
static double
day_share(const double counts[WF_N_SLOTS], const double group[WF_N_SLOTS], int day)
{
	double		n[2] = {0};
	double		g[2] = {0};

	for (int s = 0; s < WF_N_SLOTS; s++)
	{
		n[s / 24] += counts[s];
		g[s / 24] += group[s];
	}
	if (g[0] + g[1] <= 0)
		return n[day] / fmax(n[0] + n[1], 1);
	return (n[day] + GROUP_RUNS * g[day] / (g[0] + g[1])) / (n[0] + n[1] + GROUP_RUNS);
}

/* ---- values ---- */

typedef struct Sums
{
	double		mu;				/* of mu_i(s) */
	double		mu2;
	double		rest;			/* of K / e * (Y - mu_i(S_i)) */
	double		spread;			/* of the square of that, at least as large as mu_i says */
} Sums;

static double
rate_of(const WfSlotRun *runs, size_t n)
{
	double		succeeded = 0;

	for (size_t i = 0; i < n; i++)
		succeeded += runs[i].succeeded;
	return (succeeded + PRIOR_RUNS * PRIOR_RATE) / ((double) n + PRIOR_RUNS);
}

static void
add_run(const WfSlotModel *model, const WfSlotRun *run, const double e[WF_N_SLOTS], Sums sums[WF_N_SLOTS])
{
	double		mu[WF_N_SLOTS];
	double		left;

	for (int s = 0; s < WF_N_SLOTS; s++)
	{
		mu[s] = wf_slot_model_ask(model, run->who, s);
		sums[s].mu += mu[s];
		sums[s].mu2 += mu[s] * mu[s];
	}
	left = (run->succeeded ? 1.0 : 0.0) - mu[run->slot];
	for (int d = -WF_SLOT_REACH; d <= WF_SLOT_REACH; d++)
	{
		int			s = run->slot / 24 * 24 + (run->slot + 24 + d) % 24;
		double		w = wf_slot_kernel(run->slot, s) / e[s];

		sums[s].rest += w * left;
		sums[s].spread += w * w * fmax(left * left, mu[run->slot] * (1 - mu[run->slot]));
	}
}

void
wf_slot_values(const WfSlotRun *runs, size_t n, WfBelief *who, size_t n_who,
			   const double group[WF_N_SLOTS], WfSlotModel *model, WfSlotValue values[WF_N_SLOTS])
{
	Sums		sums[WF_N_SLOTS] = {{0}};
	double		counts[WF_N_SLOTS] = {0};
	double		e[WF_N_SLOTS];
	double		m = fmax((double) n, 1);

	for (size_t i = 0; i < n; i++)
		counts[runs[i].slot]++;
	wf_slot_propensity(counts, group, e);
	/* Not the rate of these runs, which would let each of them judge itself. */
	wf_slot_model_init(model, who, n_who, PRIOR_RATE);
	for (size_t i = 0; i < n; i++)
	{
		add_run(model, &runs[i], e, sums);
		wf_slot_model_learn(model, &runs[i]);
	}
	for (int s = 0; s < WF_N_SLOTS; s++)
	{
		double		mean = n > 0 ? (sums[s].mu + sums[s].rest) / m : PRIOR_RATE;
		double		mu = sums[s].mu / m;
		double		variance = (fmax(sums[s].mu2 / m - mu * mu, 0) + sums[s].spread / m) / m;

		values[s].probability = fmin(fmax(mean, 0), 1);
		values[s].lower = n > 0 ? fmin(fmax(mean - Z * sqrt(DOUBT * variance), 0), 1) : 0;
		values[s].support = (int) counts[s];
	}
}

void
wf_slot_rates(const WfSlotRun *runs, size_t n, WfSlotValue values[WF_N_SLOTS])
{
	double		rate = rate_of(runs, n);
	double		succeeded[WF_N_SLOTS] = {0};

	memset(values, 0, WF_N_SLOTS * sizeof(values[0]));
	for (size_t i = 0; i < n; i++)
	{
		values[runs[i].slot].support++;
		succeeded[runs[i].slot] += runs[i].succeeded;
	}
	for (int s = 0; s < WF_N_SLOTS; s++)
	{
		double		m = values[s].support + WF_SLOT_PRIOR;
		double		p = (succeeded[s] + WF_SLOT_PRIOR * rate) / m;

		values[s].probability = p;
		values[s].lower = (p + Z * Z / (2 * m) - Z * sqrt(p * (1 - p) / m + Z * Z / (4 * m * m))) / (1 + Z * Z / m);
	}
}

/* ---- what a policy would have done ---- */

int
wf_slot_best(const WfSlotValue values[WF_N_SLOTS], uint64_t allowed)
{
	int			best = -1;

	for (int s = 0; s < WF_N_SLOTS; s++)
		if (((allowed >> s) & 1) && values[s].support >= WF_SLOT_MIN_RUNS &&
			(best < 0 || values[s].lower > values[best].lower))
			best = s;
	return best;
}

void
wf_slot_judge(const WfSlotRun *runs, size_t from, size_t n, uint64_t allowed, bool outcome_model,
			  WfBelief *who, size_t n_who, const double group[WF_N_SLOTS], WfSlotJudged *judged)
{
	size_t		start = from > WF_SLOT_HISTORY ? from - WF_SLOT_HISTORY : 0;
	WfSlotModel model;
	WfSlotValue values[WF_N_SLOTS];
	double		counts[WF_N_SLOTS] = {0};
	double		e[WF_N_SLOTS];
	double		of_day = 0;		/* propensity of the chosen slot among those of its kind of day */
	int			best;

	for (size_t i = start; i < from; i++)
		counts[runs[i].slot]++;
	wf_slot_propensity(counts, group, e);
	wf_slot_values(runs + start, from - start, who, n_who, group, &model, values);
	if (!outcome_model)
		wf_slot_rates(runs + start, from - start, values);
	best = wf_slot_best(values, allowed);
	if (best >= 0)
		of_day = e[best] / fmax(day_share(counts, group, best / 24), e[best] / 3);
	for (size_t i = from; i < n; i++)
	{
		WfSlotJudged *j = &judged[i - from];

		j->chosen = best;
		j->expected = j->value = NAN;
		j->weight = 0;
		if (best < 0)
			continue;
		j->expected = wf_slot_model_ask(&model, runs[i].who, best);
		j->weight = wf_slot_kernel(runs[i].slot, best) / of_day;
		j->value = j->expected + j->weight * ((runs[i].succeeded ? 1.0 : 0.0) - wf_slot_model_ask(&model, runs[i].who, runs[i].slot));
	}
}
