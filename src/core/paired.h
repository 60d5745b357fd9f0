/*-------------------------------------------------------------------------
 * paired.h
 *	  Two predictors on the same rows: is the difference more than chance?
 *
 * Row by row differences are far less noisy than the scores themselves, since
 * rows that are hard for one are hard for the other.
 *-------------------------------------------------------------------------
 */
#ifndef WF_PAIRED_H
#define WF_PAIRED_H

#include "core/host.h"

#define WF_PAIRED_ROUNDS 1000
/* Units of rows that are drawn together are numbered below this. */
#define WF_PAIRED_UNITS 8192

/* Difference and relative difference are of b against a: positive means that b loses more. */
typedef struct WfPaired
{
	double		a;				/* mean loss, or its square root */
	double		b;
	double		difference;		/* b - a */
	double		lower95;		/* one-sided bounds: each is passed by 5 % of the replicates */
	double		upper95;
	double		lower;			/* two-sided 95 % interval */
	double		upper;
	double		relative;		/* (b - a) / a; NaN when a is 0 */
	double		relative_lower95;
	double		relative_upper95;
	double		p_value;		/* two-sided, of no difference; never below 2 / (rounds + 1) */
} WfPaired;

/*
 * Paired bootstrap of mean losses (Efron and Tibshirani 1993, chapter 13;
 * Poisson weights as in Chamandy et al. 2012): percentile intervals over
 * "rounds" (at least 20) replicates.  root: of the square roots of the means,
 * for squared errors.  Losses are finite, n of each.  More than 8,192 rows are
 * drawn in that many groups, row i in group i mod 8192: rows that depend on
 * their neighbours should come in an order of no meaning.
 *
 * unit: rows with the same number depend on each other and are drawn together
 * (a cluster bootstrap); NULL: each row stands for itself.
 *
 * The same losses in the same order, seed and rounds give the same bits.
 * Everything is NaN when n is 0.
 */
void		wf_paired_bootstrap(WfHost *host, const double *loss_a, const double *loss_b, const uint16_t *unit, size_t n,
								uint64_t seed, int rounds, bool root, WfPaired *out);

/*
 * McNemar's test with the mid-p value (Fagerland, Lydersen, Laake 2013) from
 * the rows that only one of two classifiers got right: two-sided, exact
 * binomial, so also for few rows.  1 when no row tells them apart.
 */
double		wf_mcnemar(uint64_t only_a, uint64_t only_b);

/*
 * 95 % interval of the difference of the shares, b - a, of n rows (Bonett and
 * Price 2012).
 */
void		wf_paired_shares(uint64_t only_a, uint64_t only_b, uint64_t n, double *lower, double *upper);

#endif							/* WF_PAIRED_H */
