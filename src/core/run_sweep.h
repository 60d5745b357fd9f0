/*-------------------------------------------------------------------------
 * run_sweep.h
 *	  The features of many runs at once: one way through history in time
 *	  order, with what was known at each moment.
 *
 * The order of the runs given does not matter, but where the last runs of a
 * workflow agree in times and outcome and differ in upstream.
 */
#ifndef WF_RUN_SWEEP_H
#define WF_RUN_SWEEP_H

#include "core/host.h"
#include "core/run_features.h"

#define WF_RUN_NO_CODE UINT32_MAX

/* Outcome of a run whose success is not known: it is no history, but it ran. */
#define WF_RUN_NO_OUTCOME (-1)

/* Columns of n runs; codes are below n_codes. */
typedef struct WfRunColumns
{
	uint32_t	n;
	int			n_levels;		/* columns of categories known at start */
	const int64_t *started;
	const int64_t *finished;	/* WF_RUN_UNFINISHED; before started: such a run is no history */
	const int16_t *minute;		/* of the local week at started */
	const int8_t *outcome;		/* 1, 0 or WF_RUN_NO_OUTCOME */
	const uint32_t *workflow;
	const uint32_t *upstream;	/* a code of workflow or WF_RUN_NO_CODE */
	const uint32_t *const *level;	/* WF_RUN_NO_CODE: missing */
	uint32_t	n_workflows;
	const uint32_t *n_codes;	/* of each level column */
} WfRunColumns;

/* A question: the run's features by what was known "before" microseconds before it started. */
typedef struct WfRunQuestion
{
	uint32_t	run;
	int64_t		before;
} WfRunQuestion;

/* features: WF_RUN_N_FEATURES, then WF_LEVEL_N_FEATURES for each level column. */
typedef void (*WfRunAnswer) (void *arg, const WfRunQuestion *question, const double *features);

/* Answers come in the order of known_by. */
void		wf_run_sweep(WfHost *host, const WfRunColumns *runs, const WfRunQuestion *questions, uint32_t n_questions,
						 WfRunAnswer answer, void *arg);

/* The horizon that a run is trained at beside 0: 1 h, 6 h, 24 h or 7 d, drawn by a hash of what it is. */
int64_t		wf_run_horizon(uint64_t hash);

#endif							/* WF_RUN_SWEEP_H */
