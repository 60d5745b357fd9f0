/*-------------------------------------------------------------------------
 * ease.h
 *	  EASE: every item as a linear function of all others, in closed form
 *	  (Steck, "Embarrassingly shallow autoencoders", 2019).
 *
 * With G = X'X over users and P = (G + lambda I)^-1 the weight of item i for
 * item j is B_ij = -P_ij / P_jj, and B_jj = 0.  A user's row may count less the
 * longer it is (weight 1 / sqrt(length) on the row), so that users with many
 * items do not outvote the others.
 *
 * The items are the first n: they are numbered by falling support.  Matrices
 * are square, row-major, wf_spd_padded(n) floats to a row, in shared memory.
 *-------------------------------------------------------------------------
 */
#ifndef WF_EASE_H
#define WF_EASE_H

#include "core/matrix.h"
#include "core/spd.h"

typedef enum WfEaseWeight		/* of a user's row */
{
	WF_EASE_EQUAL,
	WF_EASE_BY_LENGTH			/* 1 / sqrt(length) */
} WfEaseWeight;

/* Collective: G of the first n items, both triangles.  transposed is m's transpose. */
void		wf_ease_gram(WfTeam *team, const WfMatrix *m, const WfMatrix *transposed,
						 uint32_t n, WfEaseWeight weight, float *gram);

/*
 * Collective: from G in a to B in a.  False, in every member, when lambda is
 * too small for floats: with more items than users G alone has no inverse.
 */
bool		wf_ease_solve(WfTeam *team, float *a, uint32_t n, double lambda);

/* Bytes of one matrix, and of the scratch to solve it. */
size_t		wf_ease_bytes(uint32_t n);

#endif							/* WF_EASE_H */
