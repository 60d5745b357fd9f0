/*-------------------------------------------------------------------------
 * run_features.h
 *	  What is known of a run of a workflow before it starts, as numbers.
 *
 * A run is asked about for the time "at", by what was known at "known_by" <=
 * at.  Known are the outcomes of runs that started before known_by and
 * finished at known_by or earlier, and of the others that they started before
 * it; nothing else is looked at.  The same function serves training, where
 * run_sweep.h goes through all runs in time order, and prediction, where the
 * server reads the few runs needed through the application's indexes; so all
 * there is to know is cut to the last runs of each kind.
 *
 * Times are microseconds; local times of day and week are the caller's, in
 * the time zone of the application.
 */
#ifndef WF_RUN_FEATURES_H
#define WF_RUN_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many of the last runs are looked at. */
#define WF_RUN_OWN 400			/* finished ones of the workflow, for what depends on the time of day */
#define WF_RUN_RECENT 100		/* of them, for the rest */
#define WF_RUN_UPSTREAM 20		/* of the workflow it waits for */
#define WF_RUN_LEVEL 100		/* with the same level of a column known at start */
#define WF_RUN_PLATFORM 250		/* of all workflows */
#define WF_RUN_STARTED 200		/* started of all workflows (and those that started with the oldest) */

#define WF_RUN_UNFINISHED INT64_MAX

/* A finished run, as history sees it. */
typedef struct WfPastRun
{
	int64_t		started;
	int64_t		finished;		/* >= started */
	int16_t		minute;			/* of the local week, when it started; Monday 00:00 is 0 */
	bool		succeeded;
} WfPastRun;

/* A run that started, whether or not it has finished. */
typedef struct WfStartedRun
{
	int64_t		started;
	int64_t		finished;		/* WF_RUN_UNFINISHED, or any time after known_by: it was running then */
	bool		own;			/* of the workflow asked about */
} WfStartedRun;

/* Past runs, newest first: by finished, then started (later first). */
typedef struct WfPastRuns
{
	const WfPastRun *runs;
	size_t		n;
} WfPastRuns;

typedef struct WfRunKnowledge
{
	int64_t		at;
	int64_t		known_by;
	int16_t		minute;			/* of the local week at "at" */
	WfPastRuns	own;			/* at most WF_RUN_OWN, and so on */
	WfPastRuns	platform;
	WfPastRuns	upstream;		/* n 0: none, or it has not run yet */
	const WfStartedRun *started;	/* in any order */
	size_t		n_started;
} WfRunKnowledge;

/* The features; NaN is "not known". */
typedef enum WfRunFeature
{
	WF_RUN_HORIZON,				/* hours from known_by to at, 168 at most */
	WF_RUN_HOUR,
	WF_RUN_MINUTE,				/* of the day */
	WF_RUN_WEEKDAY,				/* 1 = Monday */
	WF_RUN_WEEKEND,
	WF_RUN_RUNS,				/* of the workflow's last WF_RUN_OWN, how many there are */
	WF_RUN_RATE,				/* of success, drawn to platform_rate */
	WF_RUN_RATE_10,
	WF_RUN_RATE_DECAYED,
	WF_RUN_HOUR_RATE,			/* at that time of day */
	WF_RUN_DAY_RATE,			/* on weekends, or on weekdays */
	WF_RUN_LAST,				/* outcome: 1 or 0 */
	WF_RUN_LAST_2,
	WF_RUN_LAST_3,
	WF_RUN_STREAK,				/* equal outcomes in a row, negative for failures */
	WF_RUN_SINCE_RUN,			/* log(1 + hours before known_by, 720 at most) */
	WF_RUN_SINCE_SUCCESS,
	WF_RUN_SINCE_FAILURE,
	WF_RUN_MEDIAN_SECONDS,
	WF_RUN_LAST_SECONDS,
	WF_RUN_PLATFORM_RATE,
	WF_RUN_PLATFORM_RATE_50,
	WF_RUN_PLATFORM_RATE_3H,
	WF_RUN_PLATFORM_RATE_24H,
	WF_RUN_PLATFORM_HOUR_RATE,
	WF_RUN_RUNNING,
	WF_RUN_OWN_RUNNING,
	WF_RUN_STARTED_1H,
	WF_RUN_STARTED_24H,
	WF_RUN_UPSTREAM_LAST,
	WF_RUN_UPSTREAM_HOURS,		/* as WF_RUN_SINCE_RUN */
	WF_RUN_UPSTREAM_RATE,
	WF_RUN_N_FEATURES
} WfRunFeature;

/* For each column of categories known at start: how runs with the same level went. */
typedef enum WfLevelFeature
{
	WF_LEVEL_RATE,
	WF_LEVEL_RATE_10,
	WF_LEVEL_RATE_24H,			/* finished in the last 24 hours */
	WF_LEVEL_HOUR_RATE,
	WF_LEVEL_N_FEATURES
} WfLevelFeature;

/* Names as the model sees them; of level features the prefix before the column's name. */
const char *wf_run_feature_name(WfRunFeature feature);
const char *wf_level_feature_name(WfLevelFeature feature);

void		wf_run_features(const WfRunKnowledge *known, double out[WF_RUN_N_FEATURES]);
/* prior: the feature WF_RUN_PLATFORM_RATE. */
void		wf_level_features(const WfRunKnowledge *known, WfPastRuns level, double prior, double out[WF_LEVEL_N_FEATURES]);

/*
 * The rule where there is no model: hour_rate with the platform's share drawn
 * to one half.  NaN when nothing has run.
 */
double		wf_run_rule(const WfRunKnowledge *known);

#endif							/* WF_RUN_FEATURES_H */
