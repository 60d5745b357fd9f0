/*-------------------------------------------------------------------------
 * predcache.h
 *	  Answers of this session that may be given again.
 *
 * A version's bytes never change, so an answer belongs to the version and to
 * the features, bit by bit, and is never wrong: it only goes, after
 * wfml.prediction_cache_ttl, or as the least recently used one when there are
 * more than wfml.prediction_cache_entries or they take more than a quarter of
 * wfml.model_cache_memory.  Who may use the model is decided before: a caller
 * has resolved it for this statement.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_PREDCACHE_H
#define WFML_PREDCACHE_H

#include "postgres.h"

#include "pg/cache.h"

/*
 * The features are in cached->x.  True: the answer is known and now in
 * cached->values, as wf_model_predict() would leave it.
 */
extern bool wfml_predcache_lookup(const WfmlCached *cached);
/* Keep cached->values as the answer for cached->x. */
extern void wfml_predcache_store(const WfmlCached *cached);

/*
 * wf_model_predict() from cached->x to cached->values by way of the cache;
 * true: the answer was known.
 */
extern bool wfml_predcache_predict(const WfmlCached *cached);

/*
 * The same where it pays: the cache is asked only for models whose
 * predictions take much longer than asking (measured now and then), and only
 * as long as enough answers are found.
 */
extern bool wfml_predcache_predict_if_faster(const WfmlCached *cached);

/* Forget every answer; returns how many there were. */
extern int64 wfml_predcache_clear(void);

#endif							/* WFML_PREDCACHE_H */
