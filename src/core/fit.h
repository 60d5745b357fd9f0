/*-------------------------------------------------------------------------
 * fit.h
 *	  From a frame to a model: validation, training, calibration, writing.
 *
 * SPMD: every member calls wf_fit(); rank 0 brings the frame and takes the
 * result.
 *-------------------------------------------------------------------------
 */
#ifndef WF_FIT_H
#define WF_FIT_H

#include "core/algorithm.h"
#include "core/frame.h"
#include "core/metric.h"
#include "core/model.h"
#include "core/schema.h"

/* What only the leader has. */
typedef struct WfFitInput
{
	WfSchema   *schema;			/* finished; labels set for classification */
	WfFrame    *frame;
	const uint16_t *class_of_code;	/* label dictionary code → class */
	size_t		size_limit;		/* wfml.max_model_size */
} WfFitInput;

typedef struct WfScore
{
	const char *metric;			/* "accuracy", "log_loss", "r2" … */
	double		value;
	double		baseline;		/* of the trivial model: majority class or mean */
	const char *split;			/* "holdout", "cv", "time", "group", "oob" */
} WfScore;

#define WF_MAX_SCORES 32

typedef struct WfFitResult
{
	WfBytes		artifact;
	int			n_scores;
	WfScore		scores[WF_MAX_SCORES];
	int			headline;		/* index into scores; -1: not validated */
	int			rounds;
	bool		time_limited;
	uint64_t	training_rows;
	/* the feature that alone reaches AUC > 0.99, or -1 (a leak) */
	int			leak_column;
	double		leak_auc;
} WfFitResult;

/*
 * Bytes that wf_fit() needs for n rows, d features and K classes (0:
 * regression) beside the frame; *shared of them are shared by the team.
 */
size_t		wf_fit_memory(const WfSpec *spec, uint64_t n, uint32_t d, int n_classes, size_t *shared);

/* input is NULL except on rank 0; result is filled on rank 0. */
void		wf_fit(WfTeam *team, const WfSpec *spec, const WfFitInput *input, WfFitResult *result);

#endif							/* WF_FIT_H */
