/*-------------------------------------------------------------------------
 * evaluate.h
 *	  What functions that hold models against what really happened share.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_EVALUATE_H
#define WFML_EVALUATE_H

#include "postgres.h"

#include "core/model.h"

/* Class of a label, or -1. */
extern int	wfml_class_of(const WfModel *model, const char *label);

/*
 * The column with what really happened: what was asked for, else the target
 * that the version (called name) was trained with; 22023 when it has none.
 */
extern const char *wfml_evaluation_target(char *asked, int64 model_id, const char *name);

#endif							/* WFML_EVALUATE_H */
