/*-------------------------------------------------------------------------
 * slots.h
 *	  At which hour does a workflow do best?  Estimated from runs whose hours
 *	  somebody chose.
 *
 * A slot is an hour of the day on Monday to Friday (0 to 23) or on Saturday
 * and Sunday (24 to 47).  For each slot the success rate that all runs would
 * have had there is estimated doubly robustly (Robins, Rotnitzky, Zhao 1994,
 * in its kernel form: Kennedy et al. 2017):
 *
 *	value(s) = mean over runs i of  mu_i(s) + K(S_i, s) / e(s) * (Y_i - mu_i(S_i))
 *
 * K falls from 1 at the slot itself to 1/3 two hours from it.  e is
 * the propensity: the share of K in the workflow's runs, shrunk to its
 * group's.  mu_i is the outcome model, a Bayesian logistic regression on who
 * ran it, the hour, the weekend and the slot, fitted run by run (extended
 * Kalman filter with diagonal covariance): mu_i has seen the runs before i
 * only, so that no run is judged by a model that knows its outcome.
 *-------------------------------------------------------------------------
 */
#ifndef WF_SLOTS_H
#define WF_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WF_N_SLOTS 48
#define WF_SLOT_REACH 2			/* hours */
#define WF_SLOT_MIN_RUNS 5		/* fewer in a slot: no support */

typedef struct WfSlotRun
{
	uint8_t		slot;			/* below WF_N_SLOTS */
	bool		succeeded;
	uint32_t	who;			/* below n_who */
} WfSlotRun;

typedef struct WfSlotValue
{
	double		probability;	/* estimated success rate; 0 to 1 */
	double		lower;			/* the true one is above it in 9 of 10 cases; 0 to 1 */
	int			support;		/* runs in the slot */
} WfSlotValue;

/* A normal belief about one weight of the outcome model. */
typedef struct WfBelief
{
	double		mean;
	double		variance;
} WfBelief;

typedef struct WfSlotModel
{
	WfBelief	base;
	WfBelief	weekend;
	WfBelief	hour[24];
	WfBelief	around[24];		/* of the three hours around an hour */
	WfBelief	slot[WF_N_SLOTS];
	WfBelief   *who;			/* caller's memory */
} WfSlotModel;

/* rate: success rate believed in before any run. */
void		wf_slot_model_init(WfSlotModel *model, WfBelief *who, size_t n_who, double rate);
double		wf_slot_model_ask(const WfSlotModel *model, uint32_t who, int slot);
void		wf_slot_model_learn(WfSlotModel *model, const WfSlotRun *run);

/* Weight of a run in slot "run" for the estimate of another. */
double		wf_slot_kernel(int run, int slot);

/*
 * Propensities e(s) of a workflow: counts are its runs in each slot, group
 * those of its group (or zeros).
 */
void		wf_slot_propensity(const double counts[WF_N_SLOTS], const double group[WF_N_SLOTS], double e[WF_N_SLOTS]);

/*
 * runs in order of time.  who: n_who beliefs, for model, which has learnt all
 * runs afterwards.  n = 0: every slot has the rate and a lower bound of 0.
 */
void		wf_slot_values(const WfSlotRun *runs, size_t n, WfBelief *who, size_t n_who,
						   const double group[WF_N_SLOTS], WfSlotModel *model, WfSlotValue values[WF_N_SLOTS]);

/*
 * The rule without the outcome model: success rate of the runs in each slot,
 * shrunk to the workflow's rate as if WF_SLOT_PRIOR runs of that rate had been
 * added, with the lower bound of Wilson's 80 % interval of so many.
 */
#define WF_SLOT_PRIOR 4.0
void		wf_slot_rates(const WfSlotRun *runs, size_t n, WfSlotValue values[WF_N_SLOTS]);

/* The supported slot of those allowed (bit s: slot s) with the best lower bound; -1: none is supported. */
int			wf_slot_best(const WfSlotValue values[WF_N_SLOTS], uint64_t allowed);

/* What the estimator says of one run under the policy "start at the best slot". */
typedef struct WfSlotJudged
{
	int			chosen;			/* slot; -1: none was supported */
	double		expected;		/* mu(chosen) */
	double		weight;			/* K / e of the run for the chosen slot, e among the slots of its kind of day; 0: it ran elsewhere */
	double		value;			/* expected + weight * (Y - mu(its slot)); NaN without a slot */
} WfSlotJudged;

/*
 * runs[from .. n) are judged, all of one day, of whose slots those of allowed
 * can be chosen; those before it, of which the last WF_SLOT_HISTORY count, are
 * what is known when it opens.
 */
#define WF_SLOT_HISTORY 1000
void		wf_slot_judge(const WfSlotRun *runs, size_t from, size_t n, uint64_t allowed, bool outcome_model,
						  WfBelief *who, size_t n_who, const double group[WF_N_SLOTS], WfSlotJudged *judged);

#endif							/* WF_SLOTS_H */
