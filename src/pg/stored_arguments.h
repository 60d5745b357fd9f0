/*-------------------------------------------------------------------------
 * stored_arguments.h
 *	  What wfml.ml_model keeps of a training's call: the columns that the
 *	  model was made of, and the arguments, for retraining.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_STORED_ARGUMENTS_H
#define WFML_STORED_ARGUMENTS_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/*
 * An array of the names (char *) in their order, each once; NULLs among them
 * are passed over.  *count of them.
 */
extern Jsonb *wfml_stored_names(const List *names, int *count);

/* An object is begun, takes arguments in any order, and is ended by the parameters. */
extern void wfml_stored_begin(StringInfo arguments);
/* value NULL: the argument was not given and is left out. */
extern void wfml_stored_add(StringInfo arguments, const char *key, const char *value);
/* An argument that is a list of names (char *); NIL: left out. */
extern void wfml_stored_add_names(StringInfo arguments, const char *key, const List *names);
/* params NULL: an empty object. */
extern Jsonb *wfml_stored_end(StringInfo arguments, Jsonb *params);

#endif							/* WFML_STORED_ARGUMENTS_H */
