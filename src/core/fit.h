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

/*
 * Rows that judge between two models (challenge.h): held out under
 * WF_VALIDATE_FRESH.  A row's mark in the frame is 1 + its place in these
 * arrays, 0 for a row that does not judge.
 */
typedef struct WfJudges
{
	size_t		n;
	double	   *weight;			/* of the row */
	uint16_t   *unit;			/* number of its group, below WF_PAIRED_UNITS; NULL: each row stands for itself */
	double	   *champion;		/* loss of the model in use */
	double	   *challenger;		/* filled by wf_fit(): loss of the model trained without these rows */
	uint32_t   *order;			/* filled by wf_fit(): places in canonical order */
} WfJudges;

/*
 * Loss of finished outputs: of class label -log p, p not below WF_P_MIN, so
 * that one row cannot decide everything; the square of the error when label is
 * negative.
 */
double		wf_row_loss(const double *out, int label, double target);

/* What only the leader has. */
typedef struct WfFitInput
{
	WfSchema   *schema;			/* finished; labels set for classification */
	WfFrame    *frame;
	const uint16_t *class_of_code;	/* label dictionary code → class */
	size_t		size_limit;		/* wfml.max_model_size */
	WfJudges   *judges;			/* WF_VALIDATE_FRESH; else NULL */
} WfFitInput;

typedef struct WfScore
{
	/*
	 * "accuracy", "log_loss", "r2" …; of a part or a candidate of the model with
	 * its name: "accuracy:lstm", "ndcg@10:ease(20)".  A constant, or from the
	 * host.
	 */
	const char *metric;
	double		value;
	double		baseline;		/* of the trivial model: majority class or mean */
	const char *split;			/* "holdout", "cv", "time", "group", "fresh", "oob"; "inner": only to choose; "training" */
} WfScore;

#define WF_MAX_SCORES 128

/* What a fit of any family leaves. */
typedef struct WfFitResult
{
	WfBytes		artifact;
	int			n_scores;
	WfScore		scores[WF_MAX_SCORES];
	int			headline;		/* index into scores; -1: not validated */
	int			rounds;
	bool		time_limited;
	uint64_t	training_rows;
	uint64_t	n_judges;		/* rows that scores of split "fresh" are of */
	/* the feature that alone reaches AUC > 0.99, or -1 (a leak) */
	int			leak_column;
	double		leak_auc;
} WfFitResult;

/*
 * Bytes that wf_fit() needs for n rows, d features and K classes (0:
 * regression) beside the frame; *shared of them are shared by the team.
 */
size_t		wf_fit_memory(const WfSpec *spec, uint64_t n, uint32_t d, int n_classes, size_t *shared);

/* input: a WfFitInput, NULL except on rank 0; result is filled on rank 0. */
void		wf_fit(WfTeam *team, const WfSpec *spec, const void *input, WfFitResult *result);
/* Start a result: nothing scored yet. */
void		wf_fit_result_init(WfFitResult *result);
/* One more score; silently full at WF_MAX_SCORES. */
void		wf_fit_result_add(WfFitResult *result, const char *metric, double value, double baseline, const char *split);

#endif							/* WF_FIT_H */
