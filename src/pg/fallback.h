/*-------------------------------------------------------------------------
 * fallback.h
 *	  The rule that answers when a model cannot.
 *
 * An expression over the input's fields, such as "CASE WHEN hour BETWEEN 9 AND
 * 17 THEN 0.8 ELSE 0.3 END", set by the model's owner and run as him.  It may
 * use built-in functions and operators that are not volatile, and wfml's
 * predictions, so that it can neither write, lock, sleep nor call a trojan.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_FALLBACK_H
#define WFML_FALLBACK_H

#include "postgres.h"

#include "pg/callsite.h"
#include "pg/detail.h"

typedef struct WfmlFallback WfmlFallback;

/*
 * Prepare an expression; the text is that of the registry, owner its model's
 * owner.  Everything is in context; changes of the input's type are noticed.
 */
extern WfmlFallback *wfml_fallback_prepare(MemoryContext context, const char *expression, Oid owner);

/*
 * Evaluate it for an input, in a subtransaction.  True: detail holds the
 * answer (a number in value, anything else in label; source "fallback").
 * False: *error says why not (also "the rule gives NULL").
 */
extern bool wfml_fallback_evaluate(WfmlFallback *fallback, WfmlInput kind, Datum input,
								   WfmlDetail *detail, const char **error);

/* ERROR when the expression cannot be evaluated over such rows; type: of a table, or RECORDOID. */
extern void wfml_fallback_check(const char *expression, TupleDesc desc, Oid type);

#endif							/* WFML_FALLBACK_H */
