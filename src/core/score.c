/*-------------------------------------------------------------------------
 * score.c
 *	  What a fitted model is worth: scores on rows it has not seen, beside
 *	  those of a trivial model that answers the class shares or the mean.
 *
 * The trivial model is fitted to the same training rows as the model it is
 * compared with, so a fold's baseline never sees the fold.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "core/calibrate.h"
#include "core/fitting.h"
#include "core/mathx.h"

/* Predictions to be scored, and those of the trivial model. */
typedef struct Scored
{
	size_t		n;
	uint16_t   *label;
	double	   *y;
	double	   *p;				/* n × K, or n values */
	double	   *trivial;		/* the same shape */
	float	   *weight;			/* NULL: all 1 */
	uint16_t   *answer;			/* the class answered */
} Scored;

void
wf_fit_result_init(WfFitResult *result)
{
	memset(result, 0, sizeof(*result));
	result->headline = -1;
	result->leak_column = -1;
}

void
wf_fit_result_add(WfFitResult *result, const char *metric, double value, double baseline, const char *split)
{
	if (result->n_scores < WF_MAX_SCORES)
		result->scores[result->n_scores++] = (WfScore) {metric, value, baseline, split};
}

static void
add_score(WfFit *fit, const char *metric, double value, double baseline, const char *split)
{
	wf_fit_result_add(fit->result, metric, value, baseline, split);
}

/* Sample weight without the class weight that training multiplied in. */
static float
sample_weight(const WfFit *fit, uint32_t id)
{
	float		w = fit->data->weight ? fit->data->weight[id] : 1.0f;

	if (fit->class_weight && fit->data->label)
		w = (float) (w / fit->class_weight[fit->data->label[id]]);
	return w;
}

static Scored
scored_alloc(WfFit *fit, size_t n)
{
	WfHost	   *host = fit->team->host;
	size_t		width = fit->n_classes ? (size_t) fit->n_classes : 1;
	Scored		s = {.n = n};

	s.p = wf_alloc(host, wf_size_mul(host, n, width), sizeof(double));
	s.trivial = wf_alloc(host, wf_size_mul(host, n, width), sizeof(double));
	if (fit->n_classes)
	{
		s.label = wf_alloc(host, n, sizeof(uint16_t));
		s.answer = wf_alloc(host, n, sizeof(uint16_t));
	}
	else
		s.y = wf_alloc(host, n, sizeof(double));
	if (wf_spec_value(fit->spec, "weight_column")->by_user)
		s.weight = wf_alloc(host, n, sizeof(float));
	return s;
}

static void
scored_free(WfFit *fit, Scored *s)
{
	WfHost	   *host = fit->team->host;

	wf_release(host, s->p);
	wf_release(host, s->trivial);
	wf_release(host, s->label);
	wf_release(host, s->answer);
	wf_release(host, s->y);
	wf_release(host, s->weight);
}

/* Class shares or mean over the rows outside a fold (-1: all rows). */
static void
trivial_model(const WfFit *fit, int out_fold, double *out)
{
	const WfDataset *data = fit->data;
	size_t		width = fit->n_classes ? (size_t) fit->n_classes : 1;
	double		total = 0;

	memset(out, 0, width * sizeof(double));
	for (uint32_t id = 0; id < data->n; id++)
	{
		double		w = sample_weight(fit, id);

		if (out_fold >= 0 && data->fold[id] == out_fold)
			continue;
		out[fit->n_classes ? data->label[id] : 0] += fit->n_classes ? w : w * data->target[id];
		total += w;
	}
	for (size_t c = 0; c < width; c++)
		out[c] /= total > 0 ? total : 1;
}

static void
scored_set(WfFit *fit, Scored *s, size_t i, uint32_t id, const double *raw,
		   const WfOutputRule *rule, const double *trivial)
{
	size_t		width = fit->n_classes ? (size_t) fit->n_classes : 1;

	wf_output_finish(rule, raw, s->p + i * width);
	memcpy(s->trivial + i * width, trivial, width * sizeof(double));
	if (s->weight)
		s->weight[i] = sample_weight(fit, id);
	if (fit->n_classes)
	{
		s->label[i] = fit->data->label[id];
		s->answer[i] = (uint16_t) wf_output_label(rule, s->p + i * width);
	}
	else
		s->y[i] = fit->data->target[id];
}

/* Accuracy of the answers given (class weights may move them off the largest probability). */
static double
answer_accuracy(const Scored *s)
{
	double		right = 0;
	double		total = 0;

	for (size_t i = 0; i < s->n; i++)
	{
		double		w = s->weight ? s->weight[i] : 1;

		total += w;
		if (s->answer[i] == s->label[i])
			right += w;
	}
	return total > 0 ? right / total : NAN;
}

/* AUC and average precision of class 1. */
static void
ranking_scores(WfFit *fit, const Scored *s, const char *split)
{
	WfHost	   *host = fit->team->host;
	uint8_t    *positive = wf_alloc(host, s->n, 1);
	double	   *score = wf_alloc(host, s->n, sizeof(double));
	double		total = 0;
	double		ones = 0;

	for (size_t i = 0; i < s->n; i++)
	{
		double		w = s->weight ? s->weight[i] : 1;

		positive[i] = s->label[i] == 1;
		score[i] = s->p[2 * i + 1];
		total += w;
		ones += positive[i] ? w : 0;
	}
	add_score(fit, "auc", wf_auc(host, positive, score, s->weight, s->n), 0.5, split);
	add_score(fit, "average_precision", wf_average_precision(host, positive, score, s->weight, s->n),
			  total > 0 ? ones / total : NAN, split);
	wf_release(host, positive);
	wf_release(host, score);
}

static void
classification_scores(WfFit *fit, const Scored *s, const char *split)
{
	WfHost	   *host = fit->team->host;
	int			k = fit->n_classes;

	fit->result->headline = fit->result->n_scores;
	add_score(fit, "accuracy", answer_accuracy(s),
			  wf_accuracy(s->label, s->trivial, s->weight, s->n, k), split);
	add_score(fit, "log_loss", wf_log_loss(s->label, s->p, s->weight, s->n, k),
			  wf_log_loss(s->label, s->trivial, s->weight, s->n, k), split);
	if (k == 2)
		ranking_scores(fit, s, split);
	add_score(fit, "macro_f1", wf_macro_f1(host, s->label, s->p, s->weight, s->n, k),
			  wf_macro_f1(host, s->label, s->trivial, s->weight, s->n, k), split);
	add_score(fit, "brier", wf_brier(s->label, s->p, s->weight, s->n, k),
			  wf_brier(s->label, s->trivial, s->weight, s->n, k), split);
	add_score(fit, "ece", wf_ece(s->label, s->p, s->weight, s->n, k, 10),
			  wf_ece(s->label, s->trivial, s->weight, s->n, k, 10), split);
}

static void
regression_scores(WfFit *fit, const Scored *s, const char *split)
{
	fit->result->headline = fit->result->n_scores;
	add_score(fit, "r2", wf_r2(s->y, s->p, s->weight, s->n),
			  wf_r2(s->y, s->trivial, s->weight, s->n), split);
	add_score(fit, "rmse", wf_rmse(s->y, s->p, s->weight, s->n),
			  wf_rmse(s->y, s->trivial, s->weight, s->n), split);
	add_score(fit, "mae", wf_mae(s->y, s->p, s->weight, s->n),
			  wf_mae(s->y, s->trivial, s->weight, s->n), split);
}

static void
report(WfFit *fit, Scored *s, const char *split)
{
	if (s->n > 0 && fit->n_classes)
		classification_scores(fit, s, split);
	else if (s->n > 0)
		regression_scores(fit, s, split);
	scored_free(fit, s);
}

uint32_t *
wf_fit_validation_rows(WfFit *fit, int fold, size_t *n)
{
	const WfDataset *data = fit->data;
	size_t		count = 0;
	uint32_t   *rows;

	for (uint32_t id = 0; id < data->n; id++)
		count += fold < 0 ? data->fold[id] < fit->n_folds : data->fold[id] == fold;
	rows = wf_alloc(fit->team->host, count, sizeof(uint32_t));
	count = 0;
	for (uint32_t id = 0; id < data->n; id++)
		if (fold < 0 ? data->fold[id] < fit->n_folds : data->fold[id] == fold)
			rows[count++] = id;
	*n = count;
	return rows;
}

/*
 * A fold that a calibration was fitted on may not be reported with it: when the
 * user asked for a calibration that has no out-of-bag rows, each fold's scores
 * use one fitted to the other half of the validation rows.
 */
static bool
cross_fits(const WfFit *fit, const WfOutputRule *rules)
{
	return fit->n_classes > 0 && rules[0].calibration == WF_CALIBRATE_NONE &&
		!wf_spec_is(fit->spec, "calibration", "auto") && !wf_spec_is(fit->spec, "calibration", "none");
}

/* The calibrations for the even and the odd validation rows, each fitted to the others. */
static void
cross_fit(WfFit *fit, const uint32_t *rows, size_t n, WfOutputRule half[2])
{
	WfHost	   *host = fit->team->host;
	size_t		width = (size_t) fit->n_outputs;
	uint32_t   *ids = wf_alloc(host, n, sizeof(uint32_t));
	double	   *raw = wf_alloc(host, wf_size_mul(host, n, width), sizeof(double));

	for (size_t side = 0; side < 2; side++)
	{
		size_t		m = 0;

		for (size_t i = 1 - side; i < n; i += 2)
		{
			memcpy(raw + m * width, fit->raw + rows[i] * width, width * sizeof(double));
			ids[m++] = rows[i];
		}
		wf_fit_calibrate(fit, ids, raw, m, &half[side]);
	}
	wf_release(host, ids);
	wf_release(host, raw);
}

void
wf_fit_scores(WfFit *fit, const WfOutputRule *rules, const char *split)
{
	WfHost	   *host = fit->team->host;
	size_t		width = fit->n_classes ? (size_t) fit->n_classes : 1;
	size_t		n;
	uint32_t   *rows = wf_fit_validation_rows(fit, -1, &n);
	double	   *trivial = wf_alloc(host, (size_t) fit->n_folds * width, sizeof(double));
	bool		crossed = cross_fits(fit, rules);
	WfOutputRule half[2] = {rules[0], rules[0]};
	Scored		s = scored_alloc(fit, n);

	for (int f = 0; f < fit->n_folds; f++)
		trivial_model(fit, f, trivial + (size_t) f * width);
	if (crossed)
		cross_fit(fit, rows, n, half);
	for (size_t i = 0; i < n; i++)
	{
		int			f = fit->data->fold[rows[i]];

		scored_set(fit, &s, i, rows[i], fit->raw + (size_t) rows[i] * (size_t) fit->n_outputs,
				   crossed ? &half[i % 2] : &rules[f], trivial + (size_t) f * width);
	}
	wf_release(host, trivial);
	wf_release(host, rows);
	report(fit, &s, split);
}

double
wf_row_loss(const double *out, int label, double target)
{
	double		p;

	if (label < 0)
		return (target - out[0]) * (target - out[0]);
	p = out[label];
	return -wf_log(p < WF_P_MIN ? WF_P_MIN : p > 1 ? 1 : p);
}

void
wf_fit_judge(WfFit *fit, const WfOutputRule *rule, WfJudges *judges)
{
	WfHost	   *host = fit->team->host;
	const WfDataset *data = fit->data;
	size_t		n;
	uint32_t   *rows = wf_fit_validation_rows(fit, -1, &n);
	double	   *out = wf_alloc(host, fit->n_classes ? (size_t) fit->n_classes : 1, sizeof(double));
	bool		crossed = cross_fits(fit, rule);
	WfOutputRule half[2] = {*rule, *rule};

	fit->result->n_judges = n;

	if (crossed)
		cross_fit(fit, rows, n, half);
	for (size_t i = 0; i < n; i++)
	{
		uint32_t	id = rows[i];
		uint32_t	place = data->mark[id] - 1;

		wf_output_finish(&half[i % 2], fit->raw + (size_t) id * (size_t) fit->n_outputs, out);
		judges->challenger[place] = wf_row_loss(out, data->label ? data->label[id] : -1,
												data->label ? 0 : data->target[id]);
		judges->order[i] = place;
	}
	wf_release(host, rows);
	wf_release(host, out);
}

void
wf_fit_oob_scores(WfFit *fit, const WfFitted *fitted, const WfOutputRule *rule)
{
	WfHost	   *host = fit->team->host;
	size_t		width = fit->n_classes ? (size_t) fit->n_classes : 1;
	double	   *trivial = wf_alloc(host, width, sizeof(double));
	Scored		s = scored_alloc(fit, fitted->n_oob);

	trivial_model(fit, -1, trivial);
	for (uint32_t i = 0; i < fitted->n_oob; i++)
		scored_set(fit, &s, i, fitted->oob_row[i],
				   fitted->oob_out + (size_t) i * (size_t) fit->n_outputs, rule, trivial);
	wf_release(host, trivial);
	report(fit, &s, "oob");
}

void
wf_fit_calibrate(WfFit *fit, const uint32_t *ids, const double *raw, size_t n, WfOutputRule *rule)
{
	WfHost	   *host = fit->team->host;
	int			k = fit->n_classes;
	WfOutputRule plain = *rule;
	double	   *p = wf_alloc(host, wf_size_mul(host, n, (size_t) k), sizeof(double));
	float	   *weight = fit->data->weight ? wf_alloc(host, n, sizeof(float)) : NULL;

	plain.calibration = WF_CALIBRATE_NONE;
	for (size_t i = 0; i < n; i++)
	{
		wf_output_finish(&plain, raw + i * (size_t) fit->n_outputs, p + i * (size_t) k);
		if (weight)
			weight[i] = sample_weight(fit, ids[i]);
	}
	if (k == 2)
	{
		uint8_t    *positive = wf_alloc(host, n, 1);
		double	   *p1 = wf_alloc(host, n, sizeof(double));

		for (size_t i = 0; i < n; i++)
		{
			positive[i] = fit->data->label[ids[i]] == 1;
			p1[i] = p[2 * i + 1];
		}
		wf_platt_fit(positive, p1, weight, n, &rule->a, &rule->b);
		rule->calibration = WF_CALIBRATE_PLATT;
		wf_release(host, positive);
		wf_release(host, p1);
	}
	else
	{
		uint16_t   *label = wf_alloc(host, n, sizeof(uint16_t));

		for (size_t i = 0; i < n; i++)
			label[i] = fit->data->label[ids[i]];
		rule->a = wf_temperature_fit(label, p, weight, n, k);
		rule->b = 0;
		rule->calibration = WF_CALIBRATE_TEMPERATURE;
		wf_release(host, label);
	}
	wf_release(host, weight);
	wf_release(host, p);
}
