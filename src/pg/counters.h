/*-------------------------------------------------------------------------
 * counters.h
 *	  Counts that are in no table: predictions, errors, cache hits.
 *
 * A small segment in the slack of shared memory, so no preloading: every
 * session of the server that uses wfml adds to it, readers see all sessions
 * of their database, counts start with the server.  A session adds up in its
 * own memory and writes at the end of a transaction.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_COUNTERS_H
#define WFML_COUNTERS_H

#include "postgres.h"

typedef enum WfmlCounter
{
	WFML_COUNT_PREDICTIONS,		/* rows, by any function */
	WFML_COUNT_ERRORS,			/* logged predictions that the model, or a shadow, could not answer */
	WFML_COUNT_FALLBACKS,		/* answered by a rule */
	WFML_COUNT_LOGGED,
	WFML_COUNT_NOT_LOGGED,		/* sampled away, over the rate limit, read-only */
	WFML_COUNT_CACHE_HITS,		/* of the prediction cache */
	WFML_COUNT_CACHE_MISSES,
	WFML_COUNT_MODEL_LOADS,		/* models opened by a session */
	WFML_N_COUNTERS
} WfmlCounter;

/* Add n for a version (0: none known); cheap enough for every row. */
extern void wfml_count(int64 model_id, WfmlCounter counter, uint64 n);

/*
 * Count one more for a role in this minute, over all sessions; false: that
 * would be more than limit.
 */
extern bool wfml_rate_allows(Oid role, int limit);

#endif							/* WFML_COUNTERS_H */
