/*-------------------------------------------------------------------------
 * target.h
 *	  The target column: values or labels, the task, the order of classes.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_TARGET_H
#define WFML_TARGET_H

#include "postgres.h"

#include "core/frame.h"
#include "core/schema.h"
#include "pg/source.h"

typedef struct WfmlTarget WfmlTarget;

/*
 * In CurrentMemoryContext.  A type that cannot be the target of the asked
 * task is an ERROR 42804.
 */
extern WfmlTarget *wfml_target_create(WfHost *host, const WfmlSourceRequest *request,
									  WfFrame *frame, const char *name, Oid type);

/* Fill target and target_hash; false: the row has no usable target and stays out. */
extern bool wfml_target_row(WfmlTarget *target, Datum value, bool isnull, WfRowExtra *extra);

/*
 * All rows are in: settle the task, order the classes, fill schema and
 * source (task, labels, class_of_code, positive).
 */
extern void wfml_target_finish(WfmlTarget *target, WfSchema *schema, WfmlSource *source);

/* Number of distinct values when it is small (labels, or up to 20 integers), else -1. */
extern int	wfml_target_distinct(const WfmlTarget *target);

#endif							/* WFML_TARGET_H */
