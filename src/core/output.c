/*-------------------------------------------------------------------------
 * output.c
 *	  Link, class weights and calibration, in that order.
 *-------------------------------------------------------------------------
 */
#include "core/output.h"

#include "core/calibrate.h"
#include "core/mathx.h"
#include "core/model.h"

static void
softmax(const double *raw, int n, double *p)
{
	double		top = raw[0];
	double		sum = 0;

	for (int c = 1; c < n; c++)
		if (raw[c] > top)
			top = raw[c];
	for (int c = 0; c < n; c++)
		sum += p[c] = wf_exp(raw[c] - top);
	for (int c = 0; c < n; c++)
		p[c] /= sum;
}

/* Keep every probability off 0 and 1, and the sum at 1. */
static void
clip(double *p, int n)
{
	double		sum = 0;

	for (int c = 0; c < n; c++)
	{
		if (p[c] < WF_P_MIN)
			p[c] = WF_P_MIN;
		else if (p[c] > 1 - WF_P_MIN)
			p[c] = 1 - WF_P_MIN;
		sum += p[c];
	}
	for (int c = 0; c < n; c++)
		p[c] /= sum;
}

static void
link_classes(const WfOutputRule *rule, const double *raw, double *p)
{
	int			n = rule->n_classes;

	if (n == 2)
	{
		p[1] = rule->link == WF_LINK_PROBABILITY ? raw[0] : wf_sigmoid(raw[0]);
		p[0] = 1 - p[1];
	}
	else if (rule->link == WF_LINK_PROBABILITY)
	{
		double		sum = 0;

		/* Stored as floats, so the sum is 1 only to seven digits. */
		for (int c = 0; c < n; c++)
			sum += raw[c];
		for (int c = 0; c < n; c++)
			p[c] = raw[c] / sum;
	}
	else
		softmax(raw, n, p);
}

void
wf_output_finish(const WfOutputRule *rule, const double *raw, double *out)
{
	int			n = rule->n_classes;

	if (n == 0)
	{
		out[0] = rule->link == WF_LINK_LOGISTIC ? wf_sigmoid(raw[0]) :
			rule->link == WF_LINK_EXP ? wf_exp(raw[0]) : raw[0];
		return;
	}
	link_classes(rule, raw, out);
	if (rule->class_weight)
	{
		double		sum = 0;

		for (int c = 0; c < n; c++)
			sum += out[c] /= rule->class_weight[c];
		for (int c = 0; c < n; c++)
			out[c] /= sum;
	}
	if (rule->calibration == WF_CALIBRATE_PLATT && n == 2)
	{
		out[1] = wf_platt_apply(out[1], rule->a, rule->b);
		out[0] = 1 - out[1];
		clip(out, n);
	}
	else if (rule->calibration == WF_CALIBRATE_TEMPERATURE)
	{
		wf_temperature_apply(out, n, rule->a, out);
		clip(out, n);
	}
}

int
wf_output_label(const WfOutputRule *rule, const double *p)
{
	int			best = 0;

	if (rule->class_weight == NULL)
		return wf_best_class(p, rule->n_classes);
	for (int c = 1; c < rule->n_classes; c++)
		if (p[c] * rule->class_weight[c] > p[best] * rule->class_weight[best])
			best = c;
	return best;
}
