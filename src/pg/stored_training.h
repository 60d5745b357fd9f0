/*-------------------------------------------------------------------------
 * stored_training.h
 *	  The training of a model's active version, as it was stored.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_STORED_TRAINING_H
#define WFML_STORED_TRAINING_H

#include "postgres.h"

#include "core/algorithm.h"
#include "pg/traincall.h"

typedef struct WfmlStoredTraining
{
	MemoryContext context;		/* that all of this lives in */
	char	   *name;
	int64		number;			/* the model's identity (registry.number) */
	Oid			owner;
	char	   *search_path;	/* NULL: not known */
	char	   *timezone;
	int64		id;				/* of the active version */
	int32		version;
	char	   *algorithm;
	Jsonb	   *params;
	WfFamily	family;
	union
	{
		WfmlTrainCall rows;
		WfmlRecommenderCall recommender;
		WfmlSequenceCall sequence;
	}			call;			/* of that family */
} WfmlStoredTraining;

/*
 * Of a model (a name without version) that the current user may change:
 * WF001, 42501; 55000 when it has no active version, or one without a source
 * to train on (imported).  In a child of parent.
 */
extern WfmlStoredTraining *wfml_stored_training(const char *model, MemoryContext parent);

#endif							/* WFML_STORED_TRAINING_H */
