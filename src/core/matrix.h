/*-------------------------------------------------------------------------
 * matrix.h
 *	  A sparse matrix by rows: users × items, or any other interactions.
 *
 * Compressed sparse rows in memory that a team shares.  Canonical: within a
 * row the columns rise strictly, so that the same interactions give the same
 * arrays whatever order they were read in.
 *-------------------------------------------------------------------------
 */
#ifndef WF_MATRIX_H
#define WF_MATRIX_H

#include "core/team.h"

typedef struct WfMatrix
{
	uint32_t	n_rows;
	uint32_t	n_cols;
	uint64_t	n;				/* entries */
	uint64_t   *start;			/* n_rows + 1: row r is entries [start[r], start[r + 1]) */
	uint32_t   *col;			/* n: rising within a row */
	float	   *value;			/* n: finite; duplicates of a cell have been summed */
} WfMatrix;

/* Shared memory of a matrix in bytes; saturates at SIZE_MAX. */
size_t		wf_matrix_bytes(uint32_t n_rows, uint64_t n);
/* Collective: arrays of zeros in shared memory, to be filled by any member. */
void		wf_matrix_create(WfTeam *team, WfMatrix *m, uint32_t n_rows, uint32_t n_cols, uint64_t n);
/* Collective; the struct is cleared.  Does nothing for one that was never made. */
void		wf_matrix_free(WfTeam *team, WfMatrix *m);
/* Collective: out becomes the transpose, n_cols × n_rows, in memory of its own. */
void		wf_matrix_transpose(WfTeam *team, const WfMatrix *m, WfMatrix *out);
/* Are start and col what the struct promises, and the values finite? */
bool		wf_matrix_valid(const WfMatrix *m);

/* Entries of a row. */
static inline uint64_t
wf_matrix_row_length(const WfMatrix *m, uint32_t row)
{
	return m->start[row + 1] - m->start[row];
}

#endif							/* WF_MATRIX_H */
