/*-------------------------------------------------------------------------
 * recommend_private.h
 *	  A recommender as it is used: recommend_open.c and recommend.c.
 *-------------------------------------------------------------------------
 */
#ifndef WF_RECOMMEND_PRIVATE_H
#define WF_RECOMMEND_PRIVATE_H

#include "core/content.h"
#include "core/factors.h"
#include "core/ranker.h"
#include "core/ratings.h"
#include "core/rec_section.h"
#include "core/recommender.h"

/* Items of a history that make up a profile of content, at most. */
#define WF_REC_PROFILE 500

typedef struct WfRecommender
{
	WfRecHeader header;
	WfItemModel model;			/* no rows at all without an item model */
	const uint32_t *support;
	const uint32_t *popular;
	uint32_t	n_popular;
	const uint64_t *start;		/* histories */
	const uint32_t *item;
	const float *value;			/* NULL: not kept */
	bool		has_factors;
	bool		has_ratings;
	bool		has_content;
	WfFactors	factors;
	WfRatings	ratings;
	WfContent	content;
	/* scratch of a call */
	WfRanker   *ranker;
	float	   *profile;		/* by term of the content; zeros between calls */
	uint32_t	profile_item[WF_REC_PROFILE];
	float		profile_weight[WF_REC_PROFILE];
} WfRecommender;

#endif							/* WF_RECOMMEND_PRIVATE_H */
