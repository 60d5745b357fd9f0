/*-------------------------------------------------------------------------
 * usage.h
 *	  Indexes, constraints and functions that use a model.
 *
 * PostgreSQL knows that an object uses a function of wfml (pg_depend); which
 * model it names stands in its definition.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_USAGE_H
#define WFML_USAGE_H

#include "postgres.h"

/*
 * ERROR 2BP01 naming what uses the version: by id in an index, column default,
 * constraint or function, or as name@version in a function with a BEGIN
 * ATOMIC body.  Objects whose owner may not use the model do not count.
 * action: "drop" or "retire".  Between wfml_write_begin and _end.
 */
extern void wfml_refuse_used_version(const char *action, const char *name, int32 version, int64 id);

/* The same for functions that use the bare name or any of its versions by name. */
extern void wfml_refuse_used_name(const char *action, const char *name);

#endif							/* WFML_USAGE_H */
