/*-------------------------------------------------------------------------
 * traincall.h
 *	  A training of each kind in steps, for train() and its kin and for
 *	  retraining: read the source, fit, tell what is to be stored.
 *
 * Every step works on a WfmlTraining (training.h) and leaves what it makes in
 * its context.  Reading runs the caller's SQL as the current user.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_TRAINCALL_H
#define WFML_TRAINCALL_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "core/challenge.h"
#include "pg/eventsource.h"
#include "pg/interactions_source.h"
#include "pg/source.h"
#include "pg/training.h"

/* ---- rows: train.c ---- */

/* The arguments of wfml.train(). */
typedef struct WfmlTrainCall
{
	char	   *model;
	char	   *algorithm;
	char	   *source;
	char	   *target;			/* NULL: none */
	Jsonb	   *params;			/* NULL: none */
	List	   *features;		/* of char *; NIL: automatic */
	char	   *task;			/* NULL: automatic */
	bool		activate;
	/* of a retraining; NULL and NIL otherwise */
	const char *positive;		/* label that was class 1 */
	List	   *read;			/* columns whose values were read */
	List	   *kept;			/* those of them that the model was made of */
	const char *key;			/* that told rows apart */
} WfmlTrainCall;

extern WfmlSource *wfml_train_read(WfmlTraining *t, const WfmlTrainCall *call);
/* judges: rows of the source's frame are marked, and judge (WF_VALIDATE_FRESH); NULL: none. */
extern void wfml_train_fit(WfmlTraining *t, const WfmlSource *source, WfJudges *judges);
extern void wfml_train_describe(WfmlTraining *t, const WfmlTrainCall *call, const WfmlSource *source);

/* ---- users and items: recommender_train.c ---- */

/* The arguments of wfml.train_recommender() beside what is to be read. */
typedef struct WfmlRecommenderCall
{
	char	   *model;
	WfmlInteractionsSource read;
	Jsonb	   *params;			/* NULL: none */
	bool		activate;
} WfmlRecommenderCall;

extern void wfml_recommender_read(WfmlTraining *t, WfmlRecommenderCall *call);
/* champion: a model to compare with on fresh pairs, and what comes of it; NULL: none. */
extern void wfml_recommender_fit(WfmlTraining *t, const WfmlRecommenderCall *call,
								 const WfModel *champion, WfChallenge *challenge);
extern void wfml_recommender_describe(WfmlTraining *t, const WfmlRecommenderCall *call);

/* ---- cases and events: sequence_train.c ---- */

/* The arguments of wfml.train_sequence(). */
typedef struct WfmlSequenceCall
{
	char	   *model;
	WfmlEventRequest events;
	Jsonb	   *params;			/* NULL: none */
	bool		activate;
} WfmlSequenceCall;

extern WfmlEventSource *wfml_sequence_read(WfmlTraining *t, WfmlSequenceCall *call);
/* judges: cases that log->mark marks; NULL: none. */
extern void wfml_sequence_fit(WfmlTraining *t, const WfmlEventSource *source, WfJudges *judges);
extern void wfml_sequence_describe(WfmlTraining *t, const WfmlSequenceCall *call, const WfmlEventSource *source);

#endif							/* WFML_TRAINCALL_H */
