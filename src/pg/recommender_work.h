/*-------------------------------------------------------------------------
 * recommender_work.h
 *	  What training a recommender takes, from what was read.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_RECOMMENDER_WORK_H
#define WFML_RECOMMENDER_WORK_H

#include "postgres.h"

#include "core/recommender.h"
#include "pg/interactions_source.h"

typedef struct WfmlRecommenderWork
{
	size_t		memory;			/* bytes while training, what was read included */
	size_t		artifact;		/* bytes of the model */
	double		steps;			/* simple operations, to decide about workers */
	double		seconds;		/* of one process, without reading the source */
} WfmlRecommenderWork;

/* m: the matrix of what was read, for better figures; NULL: not made yet. */
extern void wfml_recommender_work(const WfSpec *spec, const WfmlInteractionsSource *read, const WfMatrix *m,
								  WfmlRecommenderWork *work);

/* "The source has 12 rows, 3 users and 4 items. …", and what bounds the memory. */
extern char *wfml_recommender_size_text(const WfmlInteractionsSource *read);

#endif							/* WFML_RECOMMENDER_WORK_H */
