/*-------------------------------------------------------------------------
 * factors.h
 *	  Factor models of implicit feedback: a short vector for every user and
 *	  every item, whose product scores the pair.
 *
 * Two ways to learn them from a users × items matrix:
 *
 *	ALS		weighted alternating least squares (Hu, Koren, Volinsky 2008): a
 *			seen pair should score 1 with the weight wf_factors_weight() of its
 *			value, an unseen one 0 with the weight "unseen".
 *	NMF		the same without negative numbers, by coordinate descent (Cichocki,
 *			Phan 2009; Hsieh, Dhillon 2011).  With "unseen" 1 it is the plain
 *			factorisation of the matrix of values (not negative), every cell
 *			weighing 1; it ends when little is gained, at the latest after
 *			"iterations".
 *
 * Training is collective; every row is solved by one member and sums over rows
 * are cut into fixed chunks, so that the team's size does not show.  A WfFactors
 * is the result of training (arrays in shared memory) or of opening stored
 * bytes (arrays inside them); scoring does not care.
 *-------------------------------------------------------------------------
 */
#ifndef WF_FACTORS_H
#define WF_FACTORS_H

#include "core/matrix.h"

#define WF_FACTORS_MAX 256

typedef enum WfFactorKind		/* stored: never renumber */
{
	WF_FACTORS_ALS = 0,
	WF_FACTORS_NMF = 1
} WfFactorKind;

typedef struct WfFactorSpec
{
	WfFactorKind kind;
	int			k;				/* 1 .. WF_FACTORS_MAX */
	int			iterations;		/* both sides once each; 0: as many as usually help */
	double		unseen;			/* weight of an unseen pair: 0 .. 1 */
	double		regularization; /* ridge of a row, by its seen pairs + unseen · its others */
	uint64_t	seed;
	double		deadline;		/* host->now() at which to stop; 0: none */
	bool		progress;		/* report iterations as WF_PHASE_TRAIN */
} WfFactorSpec;

typedef struct WfFactors
{
	WfFactorKind kind;
	uint32_t	n_users;
	uint32_t	n_items;
	uint32_t	k;
	uint32_t	stride;			/* floats from one vector to the next: k rounded up to 8, zeros */
	double		unseen;
	double		regularization;
	const float *user;			/* n_users × stride */
	const float *item;			/* n_items × stride */
	const double *gram;			/* k × k: sum of the items' outer products */
	float	   *vector[2];		/* the first two, as training owns them; NULL when opened */
	double	   *product;		/* likewise gram */
} WfFactors;

/*
 * What to use when the caller names no numbers.  Good values of "unseen" and
 * "regularization" depend on the data within a factor of three, so choose by
 * validation among candidate = 0 .. WF_FACTORS_CANDIDATES - 1, the likeliest
 * first; everything but seed, deadline and progress is set.  A number named by
 * the caller overrides the candidate's; with "unseen" 1 and NMF named, the
 * usual regularization is 0.
 */
#define WF_FACTORS_CANDIDATES 5
void		wf_factors_default(WfFactorKind kind, int candidate, WfFactorSpec *spec);

/* Weight of a seen pair: its value, growing as its logarithm above 1; at least 0. */
float		wf_factors_weight(float value);

/* Bytes of training beside the two matrices, and of the stored model; saturate. */
size_t		wf_factors_training_bytes(uint32_t n_users, uint32_t n_items, int k, int team_size);
size_t		wf_factors_stored_bytes(uint32_t n_users, uint32_t n_items, int k);

/* Collective.  transposed is the transpose of m.  Fails with WF_E_PARAM on a spec out of range. */
void		wf_factors_train(WfTeam *team, const WfFactorSpec *spec, const WfMatrix *m,
							 const WfMatrix *transposed, WfFactors *out);
/* Collective: gives back what training allocated. */
void		wf_factors_free(WfTeam *team, WfFactors *f);

/* Appends the model, 64-byte aligned within out; length a multiple of 64. */
void		wf_factors_write(const WfFactors *f, WfBytes *out);
/*
 * Verify and open what was written; bytes are 8-byte aligned and outlive f.
 * Returns false on any defect.  Checks host, allocates nothing.
 */
bool		wf_factors_open(WfHost *host, const void *bytes, size_t length, WfFactors *f);

/* ---- use ---- */

/* Scratch bytes of wf_factors_fold_in(), 8-byte aligned. */
size_t		wf_factors_scratch(const WfFactors *f);
/*
 * The vector (stride floats) of a user who is known by his history only: n
 * different items and their values, as in a row of the matrix.  No history
 * gives zeros.
 */
void		wf_factors_fold_in(const WfFactors *f, const uint32_t *items, const float *values,
							   size_t n, void *scratch, float *vector);
/* score[i] = vector · item i, for items [begin, end); score points at item begin's place. */
void		wf_factors_score(const WfFactors *f, const float *vector, uint32_t begin, uint32_t end,
							 float *score);

static inline const float *
wf_factors_user(const WfFactors *f, uint32_t user)
{
	return f->user + (size_t) user * f->stride;
}

#endif							/* WF_FACTORS_H */
