/*-------------------------------------------------------------------------
 * sums.h
 *	  Sums of floats over rows that are the same for any size of team.
 *
 * Floats do not add up the same in every order.  So rows are cut into a fixed
 * number of chunks, each summed by one member from its first row to its last,
 * and the chunks' sums are added in order of the chunks.
 *-------------------------------------------------------------------------
 */
#ifndef WF_SUMS_H
#define WF_SUMS_H

#include "core/team.h"

typedef struct WfSums
{
	size_t		width;			/* sums of a row */
	size_t		n_max;			/* the last of them are maxima instead */
	size_t		n_chunks;		/* depends on width only */
	double	   *chunk;			/* shared, n_chunks × width */
	double	   *total;			/* shared, width */
} WfSums;

/* Add the rows [begin, end) to sums, which start at 0 (maxima at -infinity). */
typedef void (*WfSumRows) (void *arg, uint32_t begin, uint32_t end, double *sums);

/* All three are collective. */
void		wf_sums_create(WfTeam *team, WfSums *sums, size_t width, size_t n_max);
/* Afterwards every member may read total, until the next run. */
void		wf_sums_run(WfTeam *team, WfSums *sums, uint32_t n_rows, WfSumRows function, void *arg);
void		wf_sums_free(WfTeam *team, WfSums *sums);

#endif							/* WF_SUMS_H */
