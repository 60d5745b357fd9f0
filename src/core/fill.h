/*-------------------------------------------------------------------------
 * fill.h
 *	  The cells of a frame into the rows of a data set.
 *-------------------------------------------------------------------------
 */
#ifndef WF_FILL_H
#define WF_FILL_H

#include "core/dataset.h"

/*
 * Rank 0: bins (or values) of every row, row ids in the payload, has_missing.
 * Cuts, n_bins and the zeroed rows are there already.
 */
void		wf_dataset_fill(WfHost *host, const WfSchema *schema, WfFrame *frame,
							const uint32_t *rank, WfDataset *data);

#endif							/* WF_FILL_H */
