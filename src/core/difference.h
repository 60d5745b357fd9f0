/*-------------------------------------------------------------------------
 * difference.h
 *	  Is the mean of one group another than that of the other?
 *-------------------------------------------------------------------------
 */
#ifndef WF_DIFFERENCE_H
#define WF_DIFFERENCE_H

typedef struct WfGroup
{
	double		n;
	double		mean;
	double		variance;		/* with n - 1 */
} WfGroup;

typedef struct WfDifference
{
	double		difference;		/* b - a */
	double		lower;			/* 95 % */
	double		upper;
	double		p;				/* two-sided */
	/*
	 * So many times the rows show a difference of this size in 80 % of cases
	 * (5 %, two-sided); NaN when there is no difference to speak of.
	 */
	double		factor;
} WfDifference;

/* Two groups of measurements (Welch 1947); n of at least 2 each, else everything is NaN. */
WfDifference wf_difference_means(const WfGroup *a, const WfGroup *b);
/* Two groups of rows that are right or wrong: pooled z test; interval of Agresti and Caffo (2000). */
WfDifference wf_difference_shares(const WfGroup *a, const WfGroup *b);
/* Differences b - a of pairs: Student's t. */
WfDifference wf_difference_pairs(const WfGroup *d);
/* The same of answers that are right or wrong, so -1, 0 or 1: p is McNemar's, exact. */
WfDifference wf_difference_flips(const WfGroup *d);

#endif							/* WF_DIFFERENCE_H */
