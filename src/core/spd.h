/*-------------------------------------------------------------------------
 * spd.h
 *	  The inverse of a symmetric positive definite matrix, in place, by a team.
 *
 * Blocked sweeps (Beaton 1964; Goodnight 1979): for each block of 128 rows its
 * diagonal block is inverted, and the product of its panels is subtracted from
 * all the rest; afterwards the matrix is minus its inverse.  n³ floating point
 * operations, the same bits whatever the team and the vector instructions:
 * every element is a sum over k in one order, without fused operations.
 *-------------------------------------------------------------------------
 */
#ifndef WF_SPD_H
#define WF_SPD_H

#include "core/team.h"

#define WF_SPD_BLOCK 128

/* Rows and columns a matrix of n takes, padding included. */
static inline size_t
wf_spd_padded(size_t n)
{
	return (n + WF_SPD_BLOCK - 1) / WF_SPD_BLOCK * WF_SPD_BLOCK;
}

/*
 * Collective.  a: shared, 64-byte aligned, wf_spd_padded(n) squared, row-major;
 * on entry its upper triangle (column >= row < n) is the matrix, what lies
 * beyond n is anything; on return the upper triangle holds minus the inverse.
 * A matrix that rounding has made indefinite is mended: a pivot below
 * 1e-7 of its diagonal element is raised to that.
 */
void		wf_spd_invert(WfTeam *team, float *a, size_t n);

/* Bytes of shared scratch that wf_spd_invert() takes. */
size_t		wf_spd_scratch(size_t n);

#endif							/* WF_SPD_H */
