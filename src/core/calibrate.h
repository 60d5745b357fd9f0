/*-------------------------------------------------------------------------
 * calibrate.h
 *	  Turning scores into probabilities that mean what they say.
 *
 * Platt (1999) with his smoothed targets for two classes, temperature
 * scaling (Guo et al. 2017) for more; split-conformal residuals for intervals.
 *-------------------------------------------------------------------------
 */
#ifndef WF_CALIBRATE_H
#define WF_CALIBRATE_H

#include "core/host.h"

/* Fit P = 1/(1 + exp(-(a logit(p) + b))) by Newton's method; p clipped to [1e-6, 1-1e-6]. */
void		wf_platt_fit(const uint8_t *positive, const double *p, const float *w, size_t n, double *a, double *b);
double		wf_platt_apply(double p, double a, double b);
/* Fit the temperature t of P ∝ p^(1/t), n × K probabilities. */
double		wf_temperature_fit(const uint16_t *label, const double *p, const float *w, size_t n, int n_classes);
void		wf_temperature_apply(const double *p, int n_classes, double t, double *out);
/* 90 % split-conformal interval: lower and upper residual (y - f) with the finite-sample correction. */
void		wf_conformal_fit(WfHost *host, const double *y, const double *f, size_t n, double *lower, double *upper);

#endif							/* WF_CALIBRATE_H */
