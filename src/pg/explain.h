/*-------------------------------------------------------------------------
 * explain.h
 *	  Rows of an explanation, for explain() and its kin.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_EXPLAIN_H
#define WFML_EXPLAIN_H

#include "postgres.h"

#include "fmgr.h"

#include "pg/callsite.h"

/*
 * A call of (model or id, input[, class, expanded]) → SETOF (feature, value,
 * contribution), for models of those tasks (kind.h).
 */
extern Datum wfml_explain_rows(FunctionCallInfo fcinfo, WfmlInput kind, bool by_id, unsigned tasks);

#endif							/* WFML_EXPLAIN_H */
