/*-------------------------------------------------------------------------
 * linear.h
 *	  Linear and logistic regression with L1 and L2 penalties (glm).
 *-------------------------------------------------------------------------
 */
#ifndef WF_LINEAR_H
#define WF_LINEAR_H

#include "core/algorithm.h"

extern const WfParam wf_linear_params[];

size_t		wf_linear_payload(const WfSpec *spec, int n_classes, bool weighted);
void		wf_linear_train(const WfTraining *training, WfFitted *fitted);
void		wf_linear_estimate(const WfSpec *spec, uint64_t n, uint32_t d, int n_classes,
							   size_t *memory, size_t *artifact);
void	   *wf_linear_open(WfHost *host, const void *section, size_t length, const WfShape *shape);
void		wf_linear_predict(const void *opened, const float *x, double *out);
void		wf_linear_predict_block(const void *opened, const float *x, size_t n, double *out);
void		wf_linear_score_row(const void *opened, const WfDataset *data, const uint8_t *record, uint32_t id, double *out);
void		wf_linear_explain(WfHost *host, const void *opened, const float *x, int output, double *phi);

#endif							/* WF_LINEAR_H */
