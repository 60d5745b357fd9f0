/*-------------------------------------------------------------------------
 * recommending.h
 *	  What the rooms of the recommender's training share: recommender.c,
 *	  rec_split.c, rec_score.c, rec_choose.c, rec_train.c, rec_write.c.
 *-------------------------------------------------------------------------
 */
#ifndef WF_RECOMMENDING_H
#define WF_RECOMMENDING_H

#include "core/ease.h"
#include "core/factors.h"
#include "core/neighbours.h"
#include "core/ranker.h"
#include "core/ratings.h"
#include "core/recommender.h"

/* Places of a ranking that metrics look at. */
#define WF_REC_TOP 10

/* Parts that the entries of a user are cut into to choose by. */
#define WF_REC_FOLDS 10

/* With up to so many entries the choice is made again with those that reported. */
#define WF_REC_CHOOSE_TWICE 1000000

/* Sides of an entry, a bit each; none: always for training. */
#define WF_SIDE_HELD 1			/* reports */
#define WF_SIDE_HIDDEN 2		/* chooses */

/* How to train: one setting of one method. */
typedef struct WfRecSetting
{
	WfRecommendMethod method;
	double		regularization; /* lambda of EASE */
	WfEaseWeight weight;
	double		beta;
	double		shrink;
	double		tail;			/* factor of RP3beta's weights where EASE has none */
	WfFactorSpec factors;
} WfRecSetting;

/* The entries that one training sees. */
typedef struct WfRecStage
{
	WfMatrix	m;				/* whole histories; maybe the run's own matrix */
	WfMatrix	pairs;			/* for pairs of items: long histories sampled; maybe m itself */
	WfMatrix	t;				/* transpose of pairs */
	bool		own_m;
	bool		own_pairs;
	uint32_t   *support;		/* by item, of m; shared */
	uint32_t   *popular;		/* items by falling support; shared */
} WfRecStage;

/* Users to be scored, and what for. */
typedef struct WfRecAudience
{
	uint32_t	n;
	uint32_t   *user;			/* shared */
	int			side;			/* their entries on this side are what should be found */
} WfRecAudience;

/* What was trained; the part that the method has. */
typedef struct WfRecTrained
{
	WfRecommendMethod method;
	WfItemModel model;			/* pointers into what follows */
	float	   *dense;			/* shared */
	WfNeighbours rows;
	float	   *damping;		/* shared */
	WfFactors	factors;
} WfRecTrained;

/* Means over an audience. */
typedef struct WfRecScores
{
	uint32_t	n_users;
	double		ndcg;
	double		precision;
	double		recall;
	double		map;
	double		hit_rate;
	double		coverage;
	double		ndcg_squares;	/* sum over users, for errors over several audiences */
} WfRecScores;

/* One run of wf_recommender_fit(), in one member. */
typedef struct WfRec
{
	WfTeam	   *team;
	const WfSpec *spec;
	const WfRecommenderInput *input;	/* rank 0 */
	WfFitResult *result;		/* rank 0 */
	WfInteractionData data;
	uint8_t    *side;			/* by entry of data.matrix; shared */
	float		liked;			/* a rating from which on an item counts as found; -infinity without ratings */
	uint64_t	seed;
	double		deadline;		/* 0: none */
	bool		time_limited;
	WfRanker   *ranker;
	WfBytes		seen;			/* rank 0: filter of the pairs */
	double	   *each;			/* rank 0: room for the NDCG of each user scored; NULL: not asked for */
} WfRec;

/* Collective: the same answer in every member. */
bool		wf_rec_late(WfRec *rec);

/* ---- rec_split.c ---- */

/* Collective: mark what reports; false when nothing can be held out.  *split: "holdout" or "time". */
bool		wf_rec_hold_out(WfRec *rec, const char **split);
/*
 * Collective: hide one in WF_REC_FOLDS entries (fold 0 .. WF_REC_FOLDS - 1) of
 * some users to choose by, among those not held out.  There may be no such
 * users.
 */
void		wf_rec_hide(WfRec *rec, int fold, WfRecAudience *audience);
/* Collective: take that back; frees the audience. */
void		wf_rec_show(WfRec *rec, WfRecAudience *audience);
/* Collective: nothing is held out or hidden any more. */
void		wf_rec_show_all(WfRec *rec);
/* Collective: users with something to find on that side and a history, at most max. */
void		wf_rec_audience(WfRec *rec, int side, uint32_t max, WfRecAudience *audience);
/* Collective: items of the audience's histories; shared, 1 or 0 by item. */
uint8_t    *wf_rec_rows_wanted(WfRec *rec, const WfRecStage *stage, const WfRecAudience *audience);
void		wf_rec_audience_free(WfRec *rec, WfRecAudience *audience);
/* Collective: entries on none of the sides of the mask. */
void		wf_rec_stage(WfRec *rec, int mask, WfRecStage *stage);
/* Collective: what only training needs. */
void		wf_rec_stage_free_pairs(WfRec *rec, WfRecStage *stage);
void		wf_rec_stage_free(WfRec *rec, WfRecStage *stage);

/* ---- rec_score.c ---- */

/* Collective: rank for every user of the audience; trained NULL: by popularity. */
void		wf_rec_score(WfRec *rec, const WfRecStage *stage, const WfRecAudience *audience,
						 const WfRecTrained *trained, WfRecScores *scores);

/* ---- rec_choose.c ---- */

/* What the parameters say; methods and numbers left open get their defaults. */
WfRecSetting wf_rec_setting(const WfSpec *spec);
/* Collective: the best setting by what is hidden; scores go to the result if told is true. */
WfRecSetting wf_rec_choose(WfRec *rec, bool told);

/* ---- rec_train.c ---- */

/* How many items EASE takes. */
uint32_t	wf_rec_ease_items(const WfRec *rec);
/* Collective.  wanted: rows that will be used (shared), or NULL. */
void		wf_rec_train(WfRec *rec, const WfRecStage *stage, const WfRecSetting *setting,
						 const uint8_t *wanted, WfRecTrained *trained);
void		wf_rec_trained_free(WfRec *rec, WfRecTrained *trained);

/* ---- rec_ratings.c ---- */

/* Collective: the model of ratings; rank 0 gets its bytes. */
void		wf_rec_train_ratings(WfRec *rec, const WfRecStage *stage, WfBytes *out);
/* Collective: errors of ratings that are held out. */
void		wf_rec_report_ratings(WfRec *rec, const WfRecStage *stage, const char *split);

/* ---- rec_write.c ---- */

/* Room for that many bytes at once, so that a large block need not move as it grows. */
void		wf_rec_reserve(WfBytes *b, size_t size);

/* Rank 0: the section of a trained model.  ratings: bytes of ratings.h, or empty. */
void		wf_rec_write(WfRec *rec, const WfRecStage *stage, const WfRecTrained *trained,
						 const WfBytes *ratings, WfBytes *out);

/* ---- rec_challenge.c ---- */

/* Rank 0: rec->seen, the filter of all pairs. */
void		wf_rec_see(WfRec *rec);
/*
 * Rank 0: hold out half of the pairs that the champion does not know, the
 * latest half by time; returns how many, 0 when they are too few to judge.
 */
uint64_t	wf_rec_hold_fresh(WfRec *rec, bool by_time);
/* Rank 0: what an audience's users find by the champion, beside rec->each of the challenger. */
void		wf_rec_challenge(WfRec *rec, const WfRecAudience *audience);

#endif							/* WF_RECOMMENDING_H */
