/*-------------------------------------------------------------------------
 * kind.h
 *	  What kind of model a function needs, and what it says to another kind.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_KIND_H
#define WFML_KIND_H

#include "postgres.h"

#include "core/model.h"

#define WFML_TASK(task) (1u << (task))
/* Models that take a row or an object as input. */
#define WFML_TABLE_TASKS (WFML_TASK(WF_REGRESSION) | WFML_TASK(WF_CLASSIFICATION) | WFML_TASK(WF_ANOMALY))

/* "classification", "regression", "anomaly", "recommendation", "sequence" */
extern const char *wfml_task_name(WfTask task);

/*
 * WF002, with a HINT of the functions that the model is for, unless its task
 * is among tasks (a mask of WFML_TASK).
 */
extern void wfml_check_task(const WfModel *model, const char *name, unsigned tasks);

/*
 * 22023, with a HINT of the right one, for an algorithm that learns from other
 * things than rows of columns.  verb: "train" or "inspect", the function
 * called.
 */
extern void wfml_check_rows_algorithm(const char *algorithm, const char *verb);

#endif							/* WFML_KIND_H */
