/*-------------------------------------------------------------------------
 * tails.h
 *	  Tail probabilities of the distributions that tests refer to.
 *
 * Relative error below 1e-9 down to 1e-250 against scipy (tested); NaN where an
 * argument is NaN or out of range.  Series and continued fractions as in
 * Abramowitz and Stegun, 6.5, 26.5; Kolmogorov's limit by either of its two
 * series.
 *-------------------------------------------------------------------------
 */
#ifndef WF_TAILS_H
#define WF_TAILS_H

/* Two-sided: P(|Z| >= |z|). */
double		wf_normal_p(double z);
/* Two-sided, df > 0 degrees of freedom, fractions allowed. */
double		wf_student_p(double t, double df);
/* The t that wf_student_p() gives 0.05 for. */
double		wf_student_t95(double df);
/* P(X >= x), df > 0. */
double		wf_chi2_p(double x, double df);
/* P(K >= x) of the limit of sqrt(n) D: two samples take n m / (n + m). */
double		wf_kolmogorov_p(double x);
/* Two-sided and exact: at most as even a split of a + b tosses of a fair coin as a to b. */
double		wf_sign_p(double a, double b);

#endif							/* WF_TAILS_H */
