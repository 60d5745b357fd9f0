/*-------------------------------------------------------------------------
 * inspect_lines.h
 *	  What the functions that look before training have in common: lines of
 *	  (column_name, type, role, n_distinct, nulls, note), and words for numbers.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_INSPECT_LINES_H
#define WFML_INSPECT_LINES_H

#include "postgres.h"

#include "nodes/execnodes.h"

/* One line of the result (InitMaterializedSRF); NULL and empty texts are NULL. */
extern void wfml_inspect_put(ReturnSetInfo *result, const char *name, const char *type, const char *role,
							 const char *distinct, const char *nulls, const char *note);
/* "(rows)" and the like, with a note only. */
extern void wfml_inspect_note(ReturnSetInfo *result, const char *name, const char *note);

/* Names of types as people type them: a line should fit. */
extern const char *wfml_inspect_type(Oid type);
/* "12.5 %", "< 0.1 %", "" for none. */
extern const char *wfml_inspect_share(uint64 part, uint64 all);
/* "about 12 MB" */
extern const char *wfml_inspect_size(size_t bytes);
/* "about 7", "below 1" */
extern const char *wfml_inspect_seconds(double seconds);

/*
 * Lengths told by how often each occurs: n_of[0 .. longest], n in all (not 0).
 * The median is the lower one of two.
 */
extern void wfml_inspect_lengths(const uint32 *n_of, uint64 longest, uint64 n, uint64 *shortest, uint64 *median);

#endif							/* WFML_INSPECT_LINES_H */
