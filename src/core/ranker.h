/*-------------------------------------------------------------------------
 * ranker.h
 *	  Scores of items for one history, and the best of them.
 *
 * A ranker is scratch for one caller at a time: arrays over all items that are
 * never cleared but marked with the number of the call, so that a call costs
 * what it touches, and one that was broken off by an error leaves no trace.
 *-------------------------------------------------------------------------
 */
#ifndef WF_RANKER_H
#define WF_RANKER_H

#include "core/host.h"
#include "core/top.h"

/* Weights of items for items: training's or a model's. */
typedef struct WfItemModel
{
	uint32_t	n_items;
	/* the first n_dense items among themselves, dense: floats, or 16-bit with a scale per row */
	uint32_t	n_dense;
	size_t		ld;				/* from row to row; a multiple of 16 */
	const float *dense;
	const int16_t *packed;
	const float *scale;
	/* sparse rows; entry e of row i is start[i] + e */
	const uint64_t *start;		/* NULL: none */
	const uint32_t *length;		/* NULL: start[i + 1] - start[i] */
	const uint32_t *item;
	const float *weight;
	const float *damping;		/* factor of the target; NULL: 1 */
} WfItemModel;

typedef struct WfRanker
{
	uint32_t	n_items;
	uint32_t	call;
	uint32_t	pass;			/* of scoring; a call may have several */
	uint32_t	n_full;			/* items below have a score, touched or not */
	uint32_t	n_touched;		/* others that have one */
	float	   *score;			/* n_items */
	uint32_t   *touched;
	uint32_t   *has_score;		/* == pass */
	uint32_t   *taken;			/* == call: not to be offered */
} WfRanker;

/* For n_items items, from the host; 16 bytes each. */
WfRanker   *wf_ranker_create(WfHost *host, uint32_t n_items);
void		wf_ranker_free(WfHost *host, WfRanker *r);

/* Next history: no scores, nothing taken. */
void		wf_ranker_begin(WfRanker *r);

static inline void
wf_ranker_take(WfRanker *r, uint32_t item)
{
	r->taken[item] = r->call;
}

static inline bool
wf_ranker_taken(const WfRanker *r, uint32_t item)
{
	return r->taken[item] == r->call;
}

/* Let it be offered after all. */
static inline void
wf_ranker_untake(WfRanker *r, uint32_t item)
{
	r->taken[item] = 0;
}

/* Forget the scores, not what is taken. */
void		wf_ranker_clear(WfRanker *r);

/* Scores by a model start: all that it has densely are 0. */
void		wf_ranker_start(WfRanker *r, const WfItemModel *model);
/* Add up the rows of n items of a history; those beyond the model's are passed over. */
void		wf_ranker_add(WfHost *host, WfRanker *r, const WfItemModel *model, const uint32_t *items, size_t n);
/* Multiply by the model's damping, once after all has been added. */
void		wf_ranker_damp(WfRanker *r, const WfItemModel *model);

/*
 * The n best items with a positive score that are not taken, best first, into
 * top (room for n); returns how many.  They are taken then.
 */
uint32_t	wf_ranker_best(WfRanker *r, uint32_t n, WfTop *top);

#endif							/* WF_RANKER_H */
