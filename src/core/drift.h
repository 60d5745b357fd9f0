/*-------------------------------------------------------------------------
 * drift.h
 *	  Do rows look like those that a model was trained on?
 *
 * Per feature: the shares of ten groups of values, and of missing ones, in
 * training (section HIST) against the shares now.
 *
 * Size: the population stability index Σ (q - p) ln(q / p), less what chance
 * alone gives it, (B - 1)(1/n + 1/m) in the mean (Yurdakul and Naranjo 2020),
 * never below 0.  Significance: Kolmogorov and Smirnov's test of two samples
 * over the groups in order, missing lowest, which by grouping errs towards no
 * drift; for categories Pearson's χ².  p is multiplied by the number of
 * features tested (Bonferroni).
 *
 * Groups are about tenths of the training rows where there are so many values;
 * a category's levels are grouped by falling frequency, up to ten stand alone.
 * A level that training did not know counts as "other", where it had one, else
 * as missing.  Day of month, month and epoch of a time are not measured: they
 * move with the calendar; nor are weekdays in rows that lack some of them.
 *-------------------------------------------------------------------------
 */
#ifndef WF_DRIFT_H
#define WF_DRIFT_H

#include "core/model.h"

/* Groups, and missing. */
#define WF_DRIFT_CELLS (WF_HISTOGRAM_GROUPS + 1)
/* Fewer rows, then or now, say nothing. */
#define WF_DRIFT_MIN_ROWS 200
#define WF_DRIFT_MODERATE 0.1
#define WF_DRIFT_DRIFTING 0.25
#define WF_DRIFT_P 0.01

typedef enum WfDriftVerdict
{
	WF_DRIFT_TOO_FEW,
	WF_DRIFT_STABLE,			/* below WF_DRIFT_MODERATE */
	WF_DRIFT_MODERATELY,
	WF_DRIFT_YES,				/* above WF_DRIFT_DRIFTING and p below WF_DRIFT_P */
	WF_DRIFT_UNMEASURED			/* calendar only, or a column without features */
} WfDriftVerdict;

typedef struct WfDrift WfDrift;

typedef struct WfDriftColumn
{
	uint32_t	feature;		/* the one that drifts most */
	double		psi;			/* NaN: unmeasured */
	double		p;				/* after Bonferroni; NaN: not asked for */
	double		rows;			/* that came in */
	WfDriftVerdict verdict;
} WfDriftColumn;

/*
 * NULL when the model has no histograms (it was made by a release before
 * them); WF_E_CORRUPT when they do not add up.
 */
WfDrift    *wf_drift_create(WfHost *host, const WfModel *model);
/* Rows of features, as for wf_model_predict(). */
void		wf_drift_add(WfDrift *drift, const float *x, size_t n);
/* The same for features [from, from + count) of one row only, by weight: for shares out of statistics. */
void		wf_drift_add_part(WfDrift *drift, uint32_t from, uint32_t count, const float *x, double weight);
/*
 * One result for each column of the model, into out.  sample: rows that the
 * shares of each feature were estimated from (statistics); 0: the rows added,
 * which gives p as well.
 */
void		wf_drift_columns(const WfDrift *drift, double sample, WfDriftColumn *out);
const char *wf_drift_word(WfDriftVerdict verdict);

/* ---- the parts, for training and for tests ---- */

/* What a feature's values are grouped by. */
typedef struct WfDriftGroups
{
	float		edge[WF_HISTOGRAM_GROUPS - 1];	/* numbers: the cut points where b * 10 / n_bins changes */
	uint8_t		n_edges;
	bool		category;
	uint16_t	n_bins;			/* categories: levels; numbers: n_edges + 1 */
} WfDriftGroups;

/* cuts: n_bins - 1 of a number; not looked at for a category. */
void		wf_drift_groups(WfDriftGroups *groups, const float *cuts, int n_bins, bool category);
/* Group of a value: 0..9, or 10 for missing. */
int			wf_drift_group(const WfDriftGroups *groups, float x);

/* Counts of rows then and now, missing last; sample as above. */
double		wf_drift_psi(const double then[WF_DRIFT_CELLS], const double now[WF_DRIFT_CELLS], double sample);
double		wf_drift_ks_p(const double then[WF_DRIFT_CELLS], const double now[WF_DRIFT_CELLS]);
double		wf_drift_chi2_p(const double then[WF_DRIFT_CELLS], const double now[WF_DRIFT_CELLS]);

#endif							/* WF_DRIFT_H */
