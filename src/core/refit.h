/*-------------------------------------------------------------------------
 * refit.h
 *	  Order statistics of scores in groups of records, exact, by a team.
 *
 * The losses on |r| fit a leaf by a quantile of its residuals (Friedman
 * 2001), not by a Newton step.  Floats map to integers of the same order,
 * and three passes over histograms of 11, 11 and 10 bits of them find the
 * value, whatever the order of the rows and however many members count.
 *-------------------------------------------------------------------------
 */
#ifndef WF_REFIT_H
#define WF_REFIT_H

#include "core/records.h"
#include "core/team.h"

typedef struct WfRefit
{
	WfTeam	   *team;
	double		weight_unit;	/* row weights are counted in steps of this; 0: all are 1 */
	int64_t    *counts;			/* shared: per member, groups × 2048 */
	int64_t    *sums;			/* shared: per member, 2 per group */
} WfRefit;

/* A group: this member's records [begin, begin + n). */
typedef struct WfRefitGroup
{
	size_t		begin;
	size_t		n;
	float		value;			/* result */
} WfRefitGroup;

/* Groups that are worked on at once. */
#define WF_REFIT_GROUPS 64

/* Collective.  max_weight: the largest weight of a row, 0 when all are 1. */
void		wf_refit_init(WfRefit *refit, WfTeam *team, double max_weight);
void		wf_refit_free(WfRefit *refit);

/*
 * Collective: value = the smallest score (absolute: |score|) such that at least alpha
 * of the group's weight is at or below; 0 for an empty group.
 */
void		wf_refit_quantiles(WfRefit *refit, const WfRecords *records, WfRefitGroup *groups,
							   size_t n_groups, double alpha, bool absolute);

/*
 * Collective: value += the weighted mean of score - value clipped to
 * [-delta, delta]: Friedman's step for Huber's loss from the median.
 */
void		wf_refit_clipped_means(WfRefit *refit, const WfRecords *records, WfRefitGroup *groups,
								   size_t n_groups, double delta, uint64_t n_rows);

#endif							/* WF_REFIT_H */
