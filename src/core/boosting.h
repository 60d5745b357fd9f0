/*-------------------------------------------------------------------------
 * boosting.h
 *	  Gradient boosting of regression trees (Friedman 2001), second order and leaf-wise, on binned records.
 *-------------------------------------------------------------------------
 */
#ifndef WF_BOOSTING_H
#define WF_BOOSTING_H

#include "core/algorithm.h"

extern const WfParam wf_boosting_params[];

size_t		wf_boosting_payload(const WfSpec *spec, int n_classes, bool weighted);
void		wf_boosting_train(const WfTraining *training, WfFitted *fitted);
void		wf_boosting_estimate(const WfSpec *spec, uint64_t n, uint32_t d, int n_classes,
							   size_t *memory, size_t *artifact);

#endif							/* WF_BOOSTING_H */
