/*-------------------------------------------------------------------------
 * biased.h
 *	  One factor model of ratings with biases, by alternating least squares.
 *
 * A rating, brought to mean 0 and deviation 1, is b_u + b_i + p_u · q_i.  With
 * the items fixed, [p_u, b_u] is the ridge regression of the user's ratings less
 * b_i on [q_i, 1], and likewise for the items.  The penalty of a row with n
 * ratings is regularization · sqrt(n): it lies between the constant one of a
 * Gaussian prior and the one proportional to n (Zhou et al. 2008), and predicts
 * better than both.
 *
 * All functions are collective, and any size of team gives the same numbers.
 *-------------------------------------------------------------------------
 */
#ifndef WF_BIASED_H
#define WF_BIASED_H

#include "core/matrix.h"
#include "core/normal.h"

typedef struct WfBiased
{
	const WfMatrix *side[2];	/* users × items, and its transpose */
	double		mean;			/* of the ratings */
	double		inverse;		/* 1 / their deviation */
	double		low;			/* range of the brought ratings */
	double		high;
	double		regularization;
	uint32_t	k;
	uint32_t	stride;			/* floats of a vector: k factors, the bias, zeros */
	float	   *vector[2];		/* shared: users × stride, items × stride */
	WfNormal	normal;			/* the member's own */
	void	   *room;
} WfBiased;

/* Shared bytes and a member's own. */
size_t		wf_biased_bytes(uint32_t n_users, uint32_t n_items, int k, int team_size);
/* Room for up to k factors; side, mean, inverse, low and high are the caller's to set. */
void		wf_biased_create(WfTeam *team, WfBiased *b, uint32_t n_users, uint32_t n_items, uint32_t k);
void		wf_biased_free(WfTeam *team, WfBiased *b);
/* Biases alone, and small random factors of items; k at most that of create. */
void		wf_biased_start(WfTeam *team, WfBiased *b, uint32_t k, double regularization, uint64_t seed);
/* Users, then items. */
void		wf_biased_step(WfTeam *team, WfBiased *b);
/*
 * Root of the mean squared error over the entries of held (users × items), in
 * ratings, of the mean of this model and count - 1 others, whose scores sum
 * (shared, an element for each entry of held) adds up; this one's are added.
 */
double		wf_biased_error(WfTeam *team, const WfBiased *b, const WfMatrix *held, float *sum, int count);

#endif							/* WF_BIASED_H */
