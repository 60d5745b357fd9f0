/*-------------------------------------------------------------------------
 * recommender.h
 *	  Recommendations from users' interactions with items.
 *
 * Methods: EASE (Steck 2019, ease.h), RP3beta (rp3beta.h), item-kNN
 * (item_knn.h), popularity, and factors: ALS (Hu, Koren, Volinsky 2008) and
 * NMF (factors.h).  "auto" scores the item methods on interactions that it
 * keeps back from some users, takes the best by NDCG@10 and fits it on all
 * rows.  With ratings a second model, factors with biases, predicts ratings.
 *
 * Everything here speaks of numbers of users and items; ids are in the model's
 * sections "IDS0" (users) and "IDS1" (items).
 *-------------------------------------------------------------------------
 */
#ifndef WF_RECOMMENDER_H
#define WF_RECOMMENDER_H

#include "core/algorithm.h"
#include "core/fit.h"
#include "core/interactions.h"

struct WfContentReader;			/* content.h: attributes of items as they are read */

/* What only the leader has. */
typedef struct WfRecommenderInput
{
	WfInteractions *interactions;
	/*
	 * Attributes of items, or NULL.  Its row r is row r of the catalogue
	 * (wf_interactions_add_item).
	 */
	struct WfContentReader *content;
	size_t		size_limit;		/* bytes the artifact may take */
	size_t		memory_limit;	/* bytes that training may take; SIZE_MAX: no limit */
	/*
	 * A retraining: the model in use, and what comes of comparing with it on
	 * fresh pairs of user and item (challenge.h); NULL: none.
	 */
	const struct WfModel *champion;
	struct WfChallenge *challenge;
} WfRecommenderInput;

typedef enum WfRecommendMethod	/* stored in artifacts: never renumber; the order of the words of "method" after auto */
{
	WF_METHOD_EASE = 0,
	WF_METHOD_RP3BETA = 1,
	WF_METHOD_ITEM_KNN = 2,
	WF_METHOD_POPULAR = 3,
	WF_METHOD_NMF = 4,
	WF_METHOD_ALS = 5
} WfRecommendMethod;

/* Where a result comes from. */
typedef enum WfRecommendSource
{
	WF_SOURCE_COLLABORATIVE,	/* from what users did with it */
	WF_SOURCE_CONTENT,			/* its attributes are like those of the history */
	WF_SOURCE_POPULAR			/* many users have it */
} WfRecommendSource;

extern const WfParam wf_recommender_params[];

/* SPMD: every member calls it; input is a WfRecommenderInput on rank 0, NULL elsewhere. */
void		wf_recommender_fit(WfTeam *team, const WfSpec *spec, const void *input, WfFitResult *result);

/*
 * Bytes of memory while training, reading included (*memory), and of the
 * model (*artifact), for n rows, different users and items; upper bounds up to
 * the length of ids, which is taken as 16 bytes.
 */
void		wf_recommender_estimate(const WfSpec *spec, uint64_t n, uint64_t n_users, uint64_t n_items,
									bool with_rating, bool with_time, size_t *memory, size_t *artifact);

/* Verify a section "RECM" (WF_E_CORRUPT) and make the run-time form, from the host. */
void	   *wf_recommender_open(WfHost *host, const void *section, size_t length, const WfShape *shape);

/* What a model is. */
typedef struct WfRecommenderInfo
{
	WfRecommendMethod method;
	uint32_t	n_users;
	uint32_t	n_items;		/* that some user has */
	uint32_t	n_catalogue;	/* with those known by attributes only; numbers are below this */
	uint64_t	n_interactions; /* different pairs */
	bool		has_ratings;	/* wf_predict_rating() gives ratings */
	bool		has_content;
} WfRecommenderInfo;

WfRecommenderInfo wf_recommender_info(const void *opened);
/* "ease", … */
const char *wf_recommend_method_name(WfRecommendMethod method);
const char *wf_recommend_source_name(WfRecommendSource source);

typedef struct WfRecommendation
{
	uint32_t	item;
	WfRecommendSource source;
	double		score;			/* comparable within one source of one call */
} WfRecommendation;

typedef struct WfRecommendQuery
{
	uint32_t	user;			/* number, or WF_CODE_MISSING: not known or none */
	const uint32_t *history;	/* items beside the user's own; repetitions count once */
	size_t		n_history;
	bool		exclude_seen;	/* leave out the user's items and the history */
} WfRecommendQuery;

/*
 * The n best items, best first; returns how many there are (out has room for
 * n).  A history gives collaborative results; when they do not suffice, items
 * like the history's by content, then popular ones.  Without a history:
 * popular ones.  Ties go to the lower number.  host: interruption, and room
 * for folding a history into factors.  Not reentrant for one opened model.
 */
uint32_t	wf_recommend(WfHost *host, const void *opened, const WfRecommendQuery *query,
						 uint32_t n, WfRecommendation *out);

/*
 * Rating that the user would give; WF_CODE_MISSING for an unknown user or
 * item: mean and the biases that are known.  Only for models with has_ratings;
 * else NaN.  Within the range of ratings seen in training.
 */
double		wf_predict_rating(WfHost *host, const void *opened, uint32_t user, uint32_t item);

/*
 * The n items most like this one, best first, without itself: by the item
 * model's weights or the factors' cosine; filled up by content.  Popular-only
 * models have content or nothing.
 */
uint32_t	wf_similar_items(WfHost *host, const void *opened, uint32_t item, uint32_t n, WfRecommendation *out);

#endif							/* WF_RECOMMENDER_H */
