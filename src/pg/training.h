/*-------------------------------------------------------------------------
 * training.h
 *	  What every way to train a model shares: checks before, one memory
 *	  context, a fit by the team, publication, the summary.
 *
 * Nothing is written before the fit has ended: parallel mode forbids it, and
 * an error then leaves no trace.  All memory of a training is in one context.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_TRAINING_H
#define WFML_TRAINING_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/jsonb.h"

#include "core/algorithm.h"
#include "core/fit.h"
#include "pg/registry.h"

typedef struct WfmlTraining
{
	const char *model;
	MemoryContext context;		/* of everything that training needs */
	WfHost	   *host;			/* on that context */
	WfSpec		spec;			/* checked; the caller sets its task before the fit */
	double		started;		/* host->now() */
	WfFitResult result;
	/*
	 * For wfml.ml_model; the caller fills source, target, features, params,
	 * arguments and positive.
	 */
	WfmlPublication publication;
	int			n_columns;		/* source columns used, for the summary */
} WfmlTraining;

/*
 * Check name, rights, algorithm and parameters, and show the training in
 * wfml.training_progress.  function: "wfml.train()", for a read-only
 * transaction's error.
 */
extern void wfml_training_begin(WfmlTraining *training, const char *function, const char *model,
								const char *algorithm, Jsonb *params);

/*
 * 54000 when more bytes are needed than wfml.max_training_memory; detail says
 * what was read ("The source has … rows …").
 */
extern void wfml_training_check_memory(size_t bytes, const char *detail);

/* Fit by the algorithm, with workers when the work is worth it (pgteam.h). */
extern void wfml_training_fit(WfmlTraining *training, const void *input, double work, size_t shared_bytes);

/* Store the fit under publication.name, and say if time ran out. */
extern void wfml_training_publish(WfmlTraining *training);

/*
 * Publish, tell what is to be told, free the context; a
 * wfml.training_summary for the caller to return.
 */
extern Datum wfml_training_finish(FunctionCallInfo fcinfo, WfmlTraining *training);

#endif							/* WFML_TRAINING_H */
