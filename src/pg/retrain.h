/*-------------------------------------------------------------------------
 * retrain.h
 *	  A stored training done again: champion against challenger.
 *
 * The active version (the champion) tells what to train and how; the new one
 * (the challenger) takes its place only if rows that the champion was not
 * trained on do not show it to be worse (core/challenge.h).
 *
 * In three steps, so that nothing is held while the work is done: each may run
 * in a transaction of its own, and between them only memory and temporary
 * files are kept.  An ERROR in any step leaves nothing but the context, which
 * goes with its parent.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_RETRAIN_H
#define WFML_RETRAIN_H

#include "postgres.h"

#define WFML_RETRAIN_TOLERANCE 0.01

typedef struct WfmlRetrainOptions
{
	bool		force;			/* activate whatever the comparison says */
	double		tolerance;		/* relative loss that a challenger may be worse by: WFML_RETRAIN_TOLERANCE */
	double		max_seconds;	/* a policy's; the smaller of it and the stored one holds; 0: none */
} WfmlRetrainOptions;

typedef struct WfmlRetrainResult
{
	const char *model;			/* its name at publication */
	int32		version;		/* stored by this retraining */
	int32		champion_version;	/* that it was compared with */
	bool		activated;
	const char *reason;			/* of either; a phrase for people */
	const char *metric;			/* "log_loss", "rmse", "ndcg@10"; NULL: not compared */
	double		champion;		/* their losses (ndcg: scores) on the fresh rows; NaN: not compared */
	double		challenger;
	double		bound;			/* upper 95 % bound of the challenger's relative loss: 0.02 = up to 2 % worse */
	int64		fresh_rows;		/* that the champion does not know; -1: it has no record of its rows */
	int64		rows;			/* trained on */
	double		seconds;
} WfmlRetrainResult;

typedef struct WfmlRetraining WfmlRetraining;

/*
 * Check the caller's right (owner or superuser; 42501), read the stored source
 * as the model's owner, and find the fresh rows.  model: a name without a
 * version.  Everything lives in a child of parent, which must outlive the
 * transaction when the steps are to be apart.  Needs an active snapshot.
 */
extern WfmlRetraining *wfml_retrain_load(const char *model, const WfmlRetrainOptions *options, MemoryContext parent);

/*
 * Train.  Needs a transaction, no snapshot: when none is active, the one that
 * workers need to start is given back at once, so that vacuum goes on.
 */
extern void wfml_retrain_fit(WfmlRetraining *r);

/*
 * Store the new version and activate it if it may be.  The registry row is
 * locked from here on.  WF001 when the model was dropped meanwhile.  Valid
 * until wfml_retrain_free().
 */
extern const WfmlRetrainResult *wfml_retrain_publish(WfmlRetraining *r);

/* One NOTICE: "churn@5 replaces churn@4 on 1,234 fresh rows: log loss 0.31, was 0.35". */
extern void wfml_retrain_notice(const WfmlRetrainResult *result);

extern void wfml_retrain_free(WfmlRetraining *r);

#endif							/* WFML_RETRAIN_H */
