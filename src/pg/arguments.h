/*-------------------------------------------------------------------------
 * arguments.h
 *	  Arguments of SQL functions that are not STRICT.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_ARGUMENTS_H
#define WFML_ARGUMENTS_H

#include "postgres.h"

#include "fmgr.h"
#include "nodes/pg_list.h"

/* Argument i as a C string; NULL: ERROR 22004 naming it. */
extern char *wfml_argument_text(FunctionCallInfo fcinfo, int i, const char *name);
/* The same, but NULL gives NULL. */
extern char *wfml_argument_text_or_null(FunctionCallInfo fcinfo, int i);
/* A text[] as a list of C strings; NULL: NIL.  Without elements: ERROR 22023, with NULL ones: 22004. */
extern List *wfml_argument_names(FunctionCallInfo fcinfo, int i, const char *name);

#endif							/* WFML_ARGUMENTS_H */
