/*-------------------------------------------------------------------------
 * maintain.h
 *	  What run_retraining() does beside retraining.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_MAINTAIN_H
#define WFML_MAINTAIN_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "pg/job.h"

/* What was pruned. */
typedef struct WfmlPruned
{
	int64		versions;
	int64		predictions;
	int64		jobs;
} WfmlPruned;

/*
 * Drop versions past keep_versions of the user's models that have a policy:
 * never the active one, the one that rollback() returns to, retired ones,
 * those of a split, nor those that an index or function uses.
 */
extern void wfml_prune_versions(Oid user, WfmlCommit commit, WfmlPruned *pruned);

/* Finished jobs older than 90 days of roles whose rights the user has. */
extern void wfml_prune_jobs(Oid user, WfmlCommit commit, WfmlPruned *pruned);

/* Logged predictions of the user's models older than wfml.prediction_retention. */
extern void wfml_prune_predictions(Oid user, WfmlCommit commit, WfmlPruned *pruned);

/* A batch of them, those made before a moment; how many went. */
extern uint64 wfml_delete_predictions(Oid user, TimestampTz before);

/* A row of job_run, when anything was pruned. */
extern void wfml_prune_report(Oid user, WfmlCommit commit, const WfmlPruned *pruned);

#endif							/* WFML_MAINTAIN_H */
