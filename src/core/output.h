/*-------------------------------------------------------------------------
 * output.h
 *	  From an algorithm's raw outputs to values and probabilities.
 *
 * raw → link → division by the class weights of training → calibration.
 * Weighting a class by w multiplies the odds that a learner sees by w;
 * dividing them out again makes probabilities mean what they say, while the
 * label is still chosen with the weights (wf_output_label).
 *-------------------------------------------------------------------------
 */
#ifndef WF_OUTPUT_H
#define WF_OUTPUT_H

#include "core/algorithm.h"

typedef struct WfOutputRule
{
	WfLink		link;
	int			n_classes;		/* 0: regression */
	int			calibration;	/* WfCalibration of model.h */
	double		a;
	double		b;
	const double *class_weight; /* n_classes, or NULL */
} WfOutputRule;

/* out: 1 value, or n_classes probabilities that sum to 1. */
void		wf_output_finish(const WfOutputRule *rule, const double *raw, double *out);
/* The class to answer: the largest probability × class weight, ties to the lower class. */
int			wf_output_label(const WfOutputRule *rule, const double *p);

#endif							/* WF_OUTPUT_H */
