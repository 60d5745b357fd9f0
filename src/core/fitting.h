/*-------------------------------------------------------------------------
 * fitting.h
 *	  What the rooms of fitting share: fit.c, score.c, importance.c.
 *-------------------------------------------------------------------------
 */
#ifndef WF_FITTING_H
#define WF_FITTING_H

#include "core/fit.h"

/* One run of wf_fit(), in one member. */
typedef struct WfFit
{
	WfTeam	   *team;
	const WfSpec *spec;
	const WfAlgorithm *algorithm;
	WfDataset  *data;
	WfShape		shape;
	int			n_classes;
	int			n_outputs;
	int			n_folds;		/* 0: no validation */
	double	   *raw;			/* shared, n × n_outputs by row id: raw outputs of validation rows */
	double		started;
	int			n_trainings;	/* how many fits are to be done, to share max_seconds */
	int			trainings_done;
	/* rank 0 */
	const WfFitInput *input;
	WfFitResult *result;
	const double *class_weight; /* n_classes, or NULL */
	WfBytes		seen;			/* filter of the rows */
	WfLink		link;
} WfFit;

/* Where a row's bins (or values) are, and its id; position is not the id once records moved. */
static inline const uint8_t *
wf_fit_record(const WfFit *fit, size_t position, uint32_t *id)
{
	const WfDataset *data = fit->data;
	const uint8_t *record;

	if (data->layout == WF_LAYOUT_VALUES)
	{
		*id = (uint32_t) position;
		return (const uint8_t *) (data->values + position * data->d);
	}
	record = data->rows + position * data->stride;
	if (data->stride > data->payload_at)
		__builtin_memcpy(id, record + data->payload_at, sizeof(*id));
	else
		*id = (uint32_t) position;
	return record;
}

/* ---- score.c ---- */

/* Scores over the validation rows of every fold, beside the trivial model's; rank 0. */
void		wf_fit_scores(WfFit *fit, const WfOutputRule *rule_of_fold, const char *split);
/* The same for out-of-bag rows of the final fit. */
void		wf_fit_oob_scores(WfFit *fit, const WfFitted *fitted, const WfOutputRule *rule);
/* Losses of the judges by the model trained without them; rank 0. */
void		wf_fit_judge(WfFit *fit, const WfOutputRule *rule, WfJudges *judges);
/* Calibration by the rows given (ids, raw outputs); rank 0. */
void		wf_fit_calibrate(WfFit *fit, const uint32_t *ids, const double *raw, size_t n,
							 WfOutputRule *rule);
/* Validation rows: ids in rising order and how many; from the host. */
uint32_t   *wf_fit_validation_rows(WfFit *fit, int fold, size_t *n);

/* ---- importance.c ---- */

/*
 * Collective: loss of log loss (RMSE) on fold 0's validation rows when a
 * column is shuffled.  column_loss: by kept column, filled on rank 0.
 */
void		wf_fit_permutation(WfFit *fit, const void *opened, const WfOutputRule *rule,
							   const uint32_t *first_feature, const uint32_t *n_features,
							   uint32_t n_columns, double *column_loss);
/* Counts of bins in groups, by feature; rank 0; from the host. */
uint32_t   *wf_fit_histograms(WfFit *fit);
/* The feature that alone ranks the classes almost perfectly (AUC > 0.99), or -1; rank 0. */
int			wf_fit_leak(WfFit *fit, double *auc);

#endif							/* WF_FITTING_H */
