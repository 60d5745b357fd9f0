/*-------------------------------------------------------------------------
 * nmf.h
 *	  The half step of plain non-negative matrix factorisation.
 *
 * With one factor fixed, every row of the other is a small non-negative least
 * squares problem with one common matrix, and coordinate descent updates one
 * coordinate of many rows at once (Cichocki, Phan 2009; Hsieh, Dhillon 2011):
 * 16 rows stand in the lanes of vectors, so that a sweep needs no sum across
 * lanes.  Lanes are independent of each other: all paths of the processor give
 * the same bits.
 *
 * The next step may start ahead of the result, in the direction that it moved
 * (Ang, Gillis 2019), which halves the number of steps.
 *-------------------------------------------------------------------------
 */
#ifndef WF_NMF_H
#define WF_NMF_H

#include "core/matrix.h"

#define WF_NMF_LANES 16

typedef struct WfNmfStep
{
	const WfMatrix *m;			/* rows to solve for */
	const float *other;			/* n_cols × stride */
	float	   *vector;			/* n_rows × stride: start, then result + ahead · (result - last result) */
	float	   *result;			/* n_rows × stride: the last result, then this one's */
	float		ahead;			/* extrapolation: 0 .. 1 */
	const float *gram;			/* k × k: other'other, the ridge on its diagonal */
	uint32_t	k;
	uint32_t	stride;			/* a multiple of 8; zeros from k on */
	int			sweeps;
	bool		judge;			/* tell what is explained */
	void	   *room;
} WfNmfStep;

/* Bytes of room, 8-byte aligned. */
size_t		wf_nmf_bytes(uint32_t k);
/*
 * Solve for rows [begin, end), at most WF_NMF_LANES of them.  Returns what the
 * result explains of their squares, |x|² - |x - result · other'|² (less the
 * ridge's part), summed over the rows in order; 0 unless step->judge.
 */
double		wf_nmf_rows(WfHost *host, const WfNmfStep *step, uint32_t begin, uint32_t end);

#endif							/* WF_NMF_H */
