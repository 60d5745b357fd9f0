/*-------------------------------------------------------------------------
 * attempt.h
 *	  Work that may fail without failing the statement.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_ATTEMPT_H
#define WFML_ATTEMPT_H

#include "postgres.h"

#include "utils/elog.h"

/*
 * Run work(arg) in a subtransaction.  NULL: it is done.  Otherwise all it did
 * is rolled back, and the error is given, in CurrentMemoryContext, whatever
 * it is: the caller sees to cancels.  Not in parallel mode.
 */
extern ErrorData *wfml_catch(void (*work) (void *arg), void *arg);

/*
 * The same, but what must never be swallowed passes as an error: cancel and
 * shutdown (class 57), lack of memory or disk (53), serialization failures and
 * deadlocks (40), damaged files (58) and the like.
 */
extern ErrorData *wfml_attempt(void (*work) (void *arg), void *arg);

/* Is it one of those? */
extern bool wfml_error_passes(int sqlerrcode);

#endif							/* WFML_ATTEMPT_H */
