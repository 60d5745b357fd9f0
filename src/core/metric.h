/*-------------------------------------------------------------------------
 * metric.h
 *	  Scores of predictions, in memory.
 *
 * Classification takes n × K probabilities, row-major; labels are classes.
 * weights may be NULL.
 *-------------------------------------------------------------------------
 */
#ifndef WF_METRIC_H
#define WF_METRIC_H

#include "core/host.h"
#include "core/twofold.h"

double		wf_accuracy(const uint16_t *label, const double *p, const float *w, size_t n, int n_classes);
/* Mean of -log p of the true class, p clipped to [1e-15, 1]. */
double		wf_log_loss(const uint16_t *label, const double *p, const float *w, size_t n, int n_classes);
/* Mean over classes of F1; classes that neither occur nor are predicted are skipped. */
double		wf_macro_f1(WfHost *host, const uint16_t *label, const double *p, const float *w, size_t n, int n_classes);
/* Two classes: mean (p1 - y)²; more: sum over classes. */
double		wf_brier(const uint16_t *label, const double *p, const float *w, size_t n, int n_classes);
/* Area under the ROC curve of score for label 1, ties by half; NaN with one class only. */
double		wf_auc(WfHost *host, const uint8_t *positive, const double *score, const float *w, size_t n);
/* Area under precision and recall, step-wise as in scikit-learn. */
double		wf_average_precision(WfHost *host, const uint8_t *positive, const double *score, const float *w, size_t n);
/*
 * Normalised discounted cumulative gain of one ranking (Järvelin and Kekäläinen
 * 2002), linear gains: relevance ≥ 0 of items whose place in the ranking is
 * rank (1 = first).  Only places up to k count (k < 1: all).  NaN when nothing
 * is relevant.
 */
double		wf_ndcg(WfHost *host, const double *relevance, const int64_t *rank, size_t n, int64_t k);
/*
 * Expected calibration error over equal-width bins: of P(class 1) with two
 * classes, of the top probability with more.
 */
double		wf_ece(const uint16_t *label, const double *p, const float *w, size_t n, int n_classes, int bins);

/* ---- from counts and sums, as aggregates gather them ---- */

/* How often a class occurred, was predicted, and both at once. */
typedef struct WfClassCount
{
	int64_t		hit;
	int64_t		predicted;
	int64_t		actual;
} WfClassCount;

typedef enum WfClassScore
{
	WF_PRECISION,
	WF_RECALL,
	WF_F1
} WfClassScore;

typedef enum WfAverage
{
	WF_AVERAGE_MACRO,			/* mean over the classes that occur or are predicted */
	WF_AVERAGE_MICRO,			/* of all rows together */
	WF_AVERAGE_WEIGHTED			/* by how often the class occurs */
} WfAverage;

/* Of one class; 0 where nothing was there to find, as in scikit-learn. */
double		wf_class_score(const WfClassCount *count, WfClassScore score);
double		wf_classes_score(const WfClassCount *count, size_t n, WfClassScore score, WfAverage average);

/* R² from Σ y, Σ y², Σ (y - f)² over n rows. */
double		wf_r2_of_sums(uint64_t n, const WfTwofold *y, const WfTwofold *yy, const WfTwofold *ee);

/* -log of the probability given to what happened, clipped as in wf_log_loss. */
double		wf_surprise(bool happened, double p);

/* ---- regression ---- */

double		wf_r2(const double *y, const double *f, const float *w, size_t n);
double		wf_mae(const double *y, const double *f, const float *w, size_t n);
double		wf_rmse(const double *y, const double *f, const float *w, size_t n);

#endif							/* WF_METRIC_H */
