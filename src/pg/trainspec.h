/*-------------------------------------------------------------------------
 * trainspec.h
 *	  jsonb parameters to a checked WfSpec, and the views of parameters.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_TRAINSPEC_H
#define WFML_TRAINSPEC_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "core/algorithm.h"
#include "core/fit.h"

/* Check algorithm and params (an object; NULL: none) into spec; texts live in host's context. */
extern void wfml_spec_parse(WfHost *host, const char *algorithm, Jsonb *params, WfSpec *spec);
/* -1 for NULL; ERROR for anything but classification and regression. */
extern int	wfml_task_parse(const char *task);
/* Column named by a parameter, or NULL. */
extern const char *wfml_spec_column(const WfSpec *spec, const char *name);

/*
 * Does the algorithm learn labels?  One that does not raises an error for a
 * target or task all the same (NULL: not given).
 */
extern bool wfml_takes_target(const WfSpec *spec, const char *target, const char *task);

/* [{"metric", "value", "baseline", "split"}, …], the headline first. */
extern Jsonb *wfml_scores_json(const WfFitResult *result);

#endif							/* WFML_TRAINSPEC_H */
