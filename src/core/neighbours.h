/*-------------------------------------------------------------------------
 * neighbours.h
 *	  Which items go together: rows of weights from one pass over all pairs of
 *	  items that some user has both of.
 *
 * RP3beta (Paudel, Christoffel, Newell, Bernstein 2017), the chance that a
 * random walk item → user → item ends at j, damped by j's popularity:
 *
 *	s(i, j) = 1 / n_i · Σ over users of both 1 / |u|  ·  n_j^-beta
 *
 * Item-kNN: the cosine with shrinkage (Sarwar et al. 2001; Bell, Koren 2007):
 *
 *	s(i, j) = c_ij / (sqrt(n_i n_j) + shrink)
 *
 * Of each row the k greatest weights stay, for RP3beta before the damping:
 * pruned afterwards, or by column, it loses a third of its accuracy.  The
 * damping is a factor of the target alone, so one pass serves every beta.
 *-------------------------------------------------------------------------
 */
#ifndef WF_NEIGHBOURS_H
#define WF_NEIGHBOURS_H

#include "core/matrix.h"

/* Rows of weights, shared; within a row by falling weight, ties by item. */
typedef struct WfNeighbours
{
	uint32_t	n_items;
	uint64_t   *start;			/* n_items + 1: room of a row */
	uint32_t   *length;			/* entries of a row */
	uint32_t   *item;
	float	   *weight;
} WfNeighbours;

typedef struct WfNeighbourSpec
{
	uint32_t	k;				/* at most so many in a row */
	float		shrink;			/* of item-kNN */
	uint32_t	apart;			/* items below this have no neighbours below it */
	const uint8_t *wanted;		/* by item: make its row; NULL: all.  The same in all members. */
} WfNeighbourSpec;

/*
 * Collective: rows for RP3beta (without n_j^-beta) and for item-kNN; either may
 * be NULL.  m: users × items, of which values do not matter; transposed is its
 * transpose.  Every row is made by one member, alike whichever.
 */
void		wf_neighbours_build(WfTeam *team, const WfMatrix *m, const WfMatrix *transposed,
								const WfNeighbourSpec *spec, WfNeighbours *rp3beta, WfNeighbours *knn);
/* Collective; the struct is cleared.  Does nothing for one that was never made. */
void		wf_neighbours_free(WfTeam *team, WfNeighbours *rows);

/* Upper bound of the bytes of all rows. */
size_t		wf_neighbours_bytes(uint64_t n_items, uint32_t k);

/* factor[j] = n_j^-beta (0 for items without users); support by item. */
void		wf_neighbours_damping(double beta, const uint32_t *support, uint32_t n_items, float *factor);

#endif							/* WF_NEIGHBOURS_H */
