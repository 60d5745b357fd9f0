/*-------------------------------------------------------------------------
 * ratings_split.h
 *	  What the choice of a ratings model is made on: moments of the ratings, and
 *	  a part of them kept back.
 *-------------------------------------------------------------------------
 */
#ifndef WF_RATINGS_SPLIT_H
#define WF_RATINGS_SPLIT_H

#include "core/matrix.h"

typedef struct WfRatingsMoments
{
	double		mean;
	double		deviation;		/* 1 when all ratings are equal */
	double		low;
	double		high;
} WfRatingsMoments;

/* Collective; m has at least one entry. */
void		wf_ratings_moments(WfTeam *team, const WfMatrix *m, WfRatingsMoments *moments);

/*
 * Collective: about one rating in ten goes to held, the others to train, both
 * of m's shape.  Of more than max_entries ratings only so many are taken, by
 * whole users.  Who goes where is a function of the seed and the pair.
 */
void		wf_ratings_split(WfTeam *team, const WfMatrix *m, uint64_t seed, uint64_t max_entries,
							 WfMatrix *train, WfMatrix *held);

#endif							/* WF_RATINGS_SPLIT_H */
