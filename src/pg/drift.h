/*-------------------------------------------------------------------------
 * drift.h
 *	  What drift() and drift_from_stats() share: the model, and the result.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_DRIFT_H
#define WFML_DRIFT_H

#include "postgres.h"

#include "fmgr.h"

#include "core/drift.h"
#include "pg/cache.h"
#include "pg/registry.h"

typedef struct WfmlDriftRun
{
	const char *reference;		/* as the user named the model */
	WfmlResolved resolved;
	const WfmlCached *cached;
	WfDrift    *drift;
	WfDriftColumn *columns;		/* by column of the model, after wfml_drift_finish */
} WfmlDriftRun;

/* Resolve and open; WF002 for other kinds of models, 55000 when the version keeps no histograms. */
extern void wfml_drift_begin(WfmlDriftRun *run, const char *reference);
/*
 * Results as the set that fcinfo wants, worst first, and into wfml.evaluation.
 * sample as for wf_drift_columns().  unknown: by column, the word for one that
 * nothing came in of (NULL: none; by entry NULL: nothing to say).
 */
extern void wfml_drift_finish(FunctionCallInfo fcinfo, WfmlDriftRun *run, double sample, const char *const *unknown);

#endif							/* WFML_DRIFT_H */
