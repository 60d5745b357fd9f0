/*-------------------------------------------------------------------------
 * forest.h
 *	  Random forest (Breiman 2001) on binned records.
 *-------------------------------------------------------------------------
 */
#ifndef WF_FOREST_H
#define WF_FOREST_H

#include "core/algorithm.h"

extern const WfParam wf_forest_params[];

size_t		wf_forest_payload(const WfSpec *spec, int n_classes, bool weighted);
void		wf_forest_train(const WfTraining *training, WfFitted *fitted);
void		wf_forest_estimate(const WfSpec *spec, uint64_t n, uint32_t d, int n_classes,
							   size_t *memory, size_t *artifact);

#endif							/* WF_FOREST_H */
