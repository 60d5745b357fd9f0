/*-------------------------------------------------------------------------
 * mathx.h
 *	  exp and log that give the same bits on every processor.
 *
 * libm picks fused variants by processor; what feeds a model must not.
 * Compiled with -ffp-contract=off; relative error below 4e-16 (tested).
 *-------------------------------------------------------------------------
 */
#ifndef WF_MATHX_H
#define WF_MATHX_H

/* e^x; 0 below -745, +infinity above 709.8; NaN stays NaN. */
double		wf_exp(double x);
/* Natural logarithm; -infinity at 0, NaN below. */
double		wf_log(double x);
/* 1 / (1 + e^-x) without overflow. */
double		wf_sigmoid(double x);

#endif							/* WF_MATHX_H */
