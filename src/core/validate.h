/*-------------------------------------------------------------------------
 * validate.h
 *	  Which rows report: folds by hash, by group, by time.
 *
 * Folds are by row hash within each class, so that equal rows share a side
 * and an assignment survives growth of the table.
 *-------------------------------------------------------------------------
 */
#ifndef WF_VALIDATE_H
#define WF_VALIDATE_H

#include "core/algorithm.h"

/*
 * Fill fold[n]: fold number of each row (0 .. *n_folds - 1), or 255 for rows
 * that are always training rows.  holdout and time: one fold (0).  cv and group: spec->folds.
 * group: hash of the row's group (WF_VALIDATE_GROUP); time: order (WF_VALIDATE_TIME).
 * WF_VALIDATE_FRESH: fold 0 is the rows with a mark (data->mark).
 * Fails with WF_E_DATA when a side would be empty or a class missing from training, naming what to change.
 */
void		wf_validate_folds(WfHost *host, const WfSpec *spec, const WfDataset *data,
							  const uint64_t *group, const double *time,
							  uint8_t *fold, int *n_folds);

#endif							/* WF_VALIDATE_H */
