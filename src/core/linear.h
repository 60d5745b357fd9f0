/*-------------------------------------------------------------------------
 * linear.h
 *	  Linear, logistic and multinomial regression with L1 and L2 penalties.
 *
 * The columns are those of design.h.  Penalties mean what they mean in
 * scikit-learn for standardised columns: the fit minimises
 *
 *		Σ w_i loss_i + l2 / 2 Σ β² + l1 Σ |β|
 *
 * with loss (y - f)² / 2 for regression (so l2 is Ridge's alpha, and l1 is n
 * times Lasso's) and the log loss for classification (so l2 is 1 / C of
 * LogisticRegression); intercepts are not penalised.  Raw outputs: the value;
 * the margin of class 1; for K > 2 classes K margins.
 *
 * Section "LINR" (m columns, K raw outputs):
 *
 *	OFFSET           SIZE         WHAT
 *	0                4            features d
 *	4                4            raw outputs K
 *	8                4            columns m
 *	12               4            zero
 *	16               40 d         WfDesignFeature of each feature
 *	16 + 40 d        8 m          mean of each column over the training rows
 *	16 + 40 d + 8 m  8 K (m + 1)  coefficients, the K of a column together;
 *	                              the last K are the intercepts
 *-------------------------------------------------------------------------
 */
#ifndef WF_LINEAR_H
#define WF_LINEAR_H

#include "core/algorithm.h"
#include "core/design.h"

typedef struct WfLinearHeader
{
	uint32_t	n_features;
	uint32_t	n_outputs;
	uint32_t	n_columns;
	uint32_t	reserved;
} WfLinearHeader;

extern const WfParam wf_linear_params[];

size_t		wf_linear_payload(const WfSpec *spec, int n_classes, bool weighted);
void		wf_linear_train(const WfTraining *training, WfFitted *fitted);	/* linear_fit.c */
void		wf_linear_estimate(const WfSpec *spec, uint64_t n, uint32_t d, int n_classes,
							   size_t *memory, size_t *artifact);
void	   *wf_linear_open(WfHost *host, const void *section, size_t length, const WfShape *shape);
void		wf_linear_predict(const void *opened, const float *x, double *out);
void		wf_linear_predict_block(const void *opened, const float *x, size_t n, double *out);
void		wf_linear_score_row(const void *opened, const WfDataset *data, const uint8_t *record, uint32_t id, double *out);
void		wf_linear_explain(WfHost *host, const void *opened, const float *x, int output, double *phi);

#endif							/* WF_LINEAR_H */
