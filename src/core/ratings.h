/*-------------------------------------------------------------------------
 * ratings.h
 *	  Explicit ratings: which value would this user give that item?
 *
 * A rating is mean + user's bias + item's bias + product of two short vectors,
 * biases and vectors solved together by alternating least squares: [p, b]
 * against [q, 1] (after Koren, Bell, Volinsky 2009), with a penalty that grows
 * as the square root of a row's length.  Length of vectors, penalty and number
 * of iterations are chosen by the squared error of ratings kept back; then
 * everything is fitted again to all ratings, a few times from different random
 * starts, whose mean errs less than any of them.
 *
 * The model is a range of bytes, position-independent, that the recommender
 * stores and opens.
 *-------------------------------------------------------------------------
 */
#ifndef WF_RATINGS_H
#define WF_RATINGS_H

#include "core/matrix.h"

#define WF_RATINGS_MAX_FACTORS 256
#define WF_RATINGS_MAX_MEMBERS 8

typedef struct WfRatingsSpec
{
	int			k;				/* -1: chosen; 0: biases only */
	int			iterations;		/* 0: chosen */
	double		regularization; /* in units of the ratings' standard deviation; negative: chosen */
	uint64_t	seed;
	double		deadline;		/* host->now() at which to stop; 0: none */
	bool		progress;		/* report steps as WF_PHASE_TRAIN */
} WfRatingsSpec;

/* What training found out; the figures of validation are NaN where nothing was chosen or kept back. */
typedef struct WfRatingsFit
{
	uint64_t	n_validation;
	double		rmse;			/* on the ratings kept back, of fewer starts and the rest of the ratings */
	double		baseline_rmse;	/* the same, biases only */
	int			k;
	int			iterations;
	double		regularization;
	int			members;		/* random starts that were averaged */
	bool		time_limited;
} WfRatingsFit;

typedef struct WfRatingsHeader
{
	char		magic[8];
	uint32_t	n_users;
	uint32_t	n_items;
	uint32_t	k;
	uint32_t	stride;			/* floats of one vector */
	uint32_t	n_members;
	uint32_t	reserved;
	double		mean;
	double		scale;			/* standard deviation of the ratings */
	double		low;			/* range of the ratings */
	double		high;
	double		regularization;
	double		reserved2[7];
} WfRatingsHeader;

/* An opened model.  A vector is k factors, then the bias, then zeros. */
typedef struct WfRatings
{
	const WfRatingsHeader *header;
	const float *user;			/* n_users × n_members × stride */
	const float *item;			/* n_items × n_members × stride */
} WfRatings;

/* Bytes of training beside m and its transpose, and of the stored model (upper bounds); saturate. */
size_t		wf_ratings_training_bytes(uint32_t n_users, uint32_t n_items, uint64_t n, int k, int team_size);
size_t		wf_ratings_stored_bytes(uint32_t n_users, uint32_t n_items, uint64_t n, int k);

/*
 * Collective.  m: users × items, value = the rating; transposed is its
 * transpose.  Rank 0 appends the model to out, 64-byte aligned; out is not used
 * in other members.  Every member gets the same fit.
 */
void		wf_ratings_train(WfTeam *team, const WfRatingsSpec *spec, const WfMatrix *m,
							 const WfMatrix *transposed, WfBytes *out, WfRatingsFit *fit);

/* Verify and open; bytes are 8-byte aligned and outlive r.  false on any defect.  Checks host, allocates nothing. */
bool		wf_ratings_open(WfHost *host, const void *bytes, size_t length, WfRatings *r);

/* A user who was not in training, or an item that was not. */
#define WF_RATINGS_UNKNOWN UINT32_MAX

/*
 * The rating that the user would give, within the range seen in training; of an
 * unknown user or item the mean and the biases that are known.
 */
double		wf_ratings_predict(const WfRatings *r, uint32_t user, uint32_t item);

/* The same for a user known by his history only: floats of his vector, bytes of scratch. */
size_t		wf_ratings_vector(const WfRatings *r);
size_t		wf_ratings_scratch(const WfRatings *r);
/* history: n different items (below n_items) and their ratings; scratch 8-byte aligned. */
void		wf_ratings_fold_in(const WfRatings *r, const uint32_t *items, const float *values,
							   size_t n, void *scratch, float *vector);
double		wf_ratings_predict_vector(const WfRatings *r, const float *vector, uint32_t item);

#endif							/* WF_RATINGS_H */
