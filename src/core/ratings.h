/*-------------------------------------------------------------------------
 * ratings.h
 *	  Explicit ratings: which value would this user give that item?
 *
 * Factors with biases inside the alternating solve, chosen and combined by the
 * squared error of inner validation ratings, then fitted to all of them.  The
 * trained model is a range of bytes, position-independent, that the
 * recommender stores and opens.
 *-------------------------------------------------------------------------
 */
#ifndef WF_RATINGS_H
#define WF_RATINGS_H

#include "core/matrix.h"

typedef struct WfRatingsSpec
{
	int			k;				/* 0: chosen */
	int			iterations;		/* 0: chosen */
	double		regularization; /* negative: chosen */
	uint64_t	seed;
	double		deadline;		/* host->now() at which to stop; 0: none */
	bool		progress;		/* report steps as WF_PHASE_TRAIN */
} WfRatingsSpec;

/* What training found out on its inner validation ratings; 0 where there were none. */
typedef struct WfRatingsFit
{
	uint64_t	n_validation;
	double		rmse;
	double		baseline_rmse;	/* mean and biases only */
	int			k;
	int			iterations;
	double		regularization;
	bool		time_limited;
} WfRatingsFit;

typedef struct WfRatings WfRatings;

/* Bytes of training beside m and its transpose, and of the stored model; saturate. */
size_t		wf_ratings_training_bytes(uint32_t n_users, uint32_t n_items, uint64_t n, int k, int team_size);
size_t		wf_ratings_stored_bytes(uint32_t n_users, uint32_t n_items, uint64_t n, int k);

/*
 * Collective.  m: users × items, value = the rating (a pair rated twice has one
 * entry: the caller's mean of them); transposed is its transpose.  Rank 0
 * appends the model to out, 64-byte aligned, and fills fit; the others pass
 * both too and they stay untouched.
 */
void		wf_ratings_train(WfTeam *team, const WfRatingsSpec *spec, const WfMatrix *m,
							 const WfMatrix *transposed, WfBytes *out, WfRatingsFit *fit);

/*
 * Verify and open; bytes are 64-byte aligned and outlive the model, which comes
 * from the host.  NULL on any defect.
 */
WfRatings  *wf_ratings_open(WfHost *host, const void *bytes, size_t length);
uint32_t	wf_ratings_n_users(const WfRatings *r);
uint32_t	wf_ratings_n_items(const WfRatings *r);

/* A user who was not in training, or an item that was not. */
#define WF_RATINGS_UNKNOWN UINT32_MAX

/*
 * A user ready for prediction.  history: n different items (below n_items) and
 * their ratings; for a user of training his row of the matrix, which must be
 * given again.  The room comes from the host once, with wf_ratings_user_create.
 */
typedef struct WfRatingsUser WfRatingsUser;

WfRatingsUser *wf_ratings_user_create(WfHost *host, const WfRatings *r);
void		wf_ratings_user_set(const WfRatings *r, WfRatingsUser *u, uint32_t user,
								const uint32_t *items, const float *values, size_t n);
/* Within the range of ratings seen in training. */
double		wf_ratings_predict(const WfRatings *r, const WfRatingsUser *u, uint32_t item);

#endif							/* WF_RATINGS_H */
