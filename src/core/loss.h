/*-------------------------------------------------------------------------
 * loss.h
 *	  Loss functions of boosting: gradients, hessians, links, starting values.
 *
 * Every row carries a score, a float.  Losses of regression that depend on
 * the residual alone keep the residual (target - base - sum of trees) as
 * score and need no target; the others keep the margin (base + sum of trees).
 * Gradients here are negative ones, g = -dL/dmargin, so that a leaf's step is
 * sum(g) / sum(h).
 *
 * Gradients become integers at once (16 bits, hessians 14), so that sums over
 * rows are exact whatever the order.  The block kernels work in float
 * arithmetic without fused operations: the scalar form and the AVX-512 form
 * give the same bits.
 *
 * Sources: Friedman (2001) for the losses and their leaf refits; Shi et al.
 * (2022) for training on quantised gradients.
 *-------------------------------------------------------------------------
 */
#ifndef WF_LOSS_H
#define WF_LOSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum WfLossKind
{
	WF_LOSS_SQUARED,			/* r^2 / 2 */
	WF_LOSS_ABSOLUTE,			/* |r| */
	WF_LOSS_HUBER,				/* r^2 / 2 up to delta, then delta (|r| - delta / 2) */
	WF_LOSS_QUANTILE,			/* alpha r above, (alpha - 1) r below */
	WF_LOSS_LOGISTIC,			/* -y log p - (1 - y) log(1 - p), y in 0..1 */
	WF_LOSS_SOFTMAX,			/* -log p of the row's class */
	WF_LOSS_POISSON				/* exp(margin) - y margin */
} WfLossKind;

typedef struct WfLoss
{
	WfLossKind	kind;
	double		alpha;			/* quantile: its level */
	double		delta;			/* huber: where the loss turns linear */
	int			n_outputs;		/* softmax: classes; else 1 */
} WfLoss;

#define WF_GRADIENT_MAX 32767
#define WF_HESSIAN_MAX 16383
#define WF_FINE_GRADIENT_MAX 2147483000	/* room for the scale's rounding */

/* Does the score hold the residual? */
static inline bool
wf_loss_on_residual(const WfLoss *loss)
{
	return loss->kind <= WF_LOSS_QUANTILE;
}

/* Is the hessian 1 for every row (of weight 1)? */
static inline bool
wf_loss_unit_hessian(const WfLoss *loss)
{
	return loss->kind <= WF_LOSS_QUANTILE;
}

/* Are leaf values an order statistic of the residuals, not a Newton step? */
static inline bool
wf_loss_refits(const WfLoss *loss)
{
	return loss->kind >= WF_LOSS_ABSOLUTE && loss->kind <= WF_LOSS_QUANTILE;
}

/* Loss of a row; losses of one output.  target is not used by losses on residuals. */
double		wf_loss_value(const WfLoss *loss, double score, double target);
/* Cross entropy of class "label" from K margins. */
double		wf_softmax_value(const float *margin, int n_classes, int label);

/*
 * Negative gradients and hessians of n rows of one output.  target may be
 * NULL for losses on residuals, h where every hessian is 1; g may be score.
 */
void		wf_loss_gradients(const WfLoss *loss, const float *score, const float *target,
							  size_t n, float *g, float *h);
/* Of one row for softmax, K each; the hessian carries Friedman's K / (K - 1). */
void		wf_softmax_gradients(const float *margin, int n_classes, int label, float *g, float *h);

/*
 * Largest |g| and h that rows of weight 1 can have; false when that depends
 * on the rows (squared, poisson) and the caller must look.
 */
bool		wf_loss_bounds(const WfLoss *loss, double *g_max, double *h_max);

/*
 * Round n gradients and hessians to integers: g * g_scale in the lower 16
 * bits (signed), h * h_scale, at least 1, in the upper 16.  h NULL: h = 1 / h_scale.
 */
void		wf_loss_quantise(const float *g, const float *h, size_t n,
							 float g_scale, float h_scale, uint32_t *gh);

/* The fine form: n gradients as 32-bit integers; every hessian is 1. */
void		wf_loss_quantise_fine(const float *g, size_t n, double g_scale, uint32_t *gh);

static inline int
wf_gh_gradient(uint32_t gh)
{
	return (int16_t) (uint16_t) gh;
}

static inline uint32_t
wf_gh_hessian(uint32_t gh)
{
	return gh >> 16;
}

/* Starting margin for losses that start from the mean target (of class shares for softmax). */
double		wf_loss_base(const WfLoss *loss, double mean);

#endif							/* WF_LOSS_H */
