/*-------------------------------------------------------------------------
 * modelinput.h
 *	  Rows of a frame as features of a model that was trained before.
 *
 * Columns are matched by name, texts by their bytes: the frame may have been
 * read from a table that has grown new levels and columns since.
 *-------------------------------------------------------------------------
 */
#ifndef WF_MODELINPUT_H
#define WF_MODELINPUT_H

#include "core/frame.h"
#include "core/model.h"
#include "core/schema.h"

typedef struct WfModelInput WfModelInput;

/*
 * Match every column of a table model.  WF_E_DATA: a column is missing, or of
 * a kind that the model cannot read.  use, if not NULL, gets true for each
 * column of the schema that the model reads.
 */
WfModelInput *wf_model_input_create(WfHost *host, const WfModel *model, const WfSchema *schema,
									const WfFrame *frame, bool *use);
/* Features of row r of the block that a scan shows; x: n_features floats. */
void		wf_model_input_row(const WfModelInput *input, const WfFrameScan *scan, uint32_t r, float *x);
void		wf_model_input_destroy(WfModelInput *input);

#endif							/* WF_MODELINPUT_H */
