/*-------------------------------------------------------------------------
 * interaction_maker.h
 *	  Sparse matrices for the tests of factors and ratings.
 *-------------------------------------------------------------------------
 */
#ifndef WF_INTERACTION_MAKER_H
#define WF_INTERACTION_MAKER_H

#include "wf_test.h"

#include "core/matrix.h"
#include "core/rng.h"

/* The value of a cell, NaN where there is none. */
typedef float (*MakeCell) (uint32_t row, uint32_t col);

/* A matrix and its transpose in a team of one; freed with the host. */
static inline void
make_matrix(WfTeam *team, uint32_t n_rows, uint32_t n_cols, MakeCell cell, WfMatrix *m, WfMatrix *t)
{
	uint64_t	n = 0;

	for (uint32_t r = 0; r < n_rows; r++)
		for (uint32_t c = 0; c < n_cols; c++)
			n += !isnan(cell(r, c));
	wf_matrix_create(team, m, n_rows, n_cols, n);
	n = 0;
	for (uint32_t r = 0; r < n_rows; r++)
	{
		for (uint32_t c = 0; c < n_cols; c++)
			if (!isnan(cell(r, c)))
			{
				m->col[n] = c;
				m->value[n++] = cell(r, c);
			}
		m->start[r + 1] = n;
	}
	wf_matrix_transpose(team, m, t);
}

/* About standard normal, a function of the key. */
static inline double
make_normal(uint64_t key)
{
	double		sum = -6;

	for (uint64_t i = 0; i < 12; i++)
		sum += wf_rng_unit(wf_rng(key, i));
	return sum;
}

#endif							/* WF_INTERACTION_MAKER_H */
