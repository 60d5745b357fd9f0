/*-------------------------------------------------------------------------
 * cache.h
 *	  Opened models by version id, per backend.
 *
 * A version's bytes never change, so an entry can be unneeded but never
 * wrong.  Least recently used entries go when there are more than
 * wfml.model_cache_size or more bytes than wfml.model_cache_memory; an entry
 * that a call site holds is pinned.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_CACHE_H
#define WFML_CACHE_H

#include "postgres.h"

#include "core/model.h"

typedef struct WfmlCached
{
	int64		id;
	WfModel    *model;
	pg_tz	   *zone;
	MemoryContext context;
	/* text Datums of the labels, by class */
	Datum	   *labels;
} WfmlCached;

/*
 * The opened model; pinned until holder (a MemoryContext, such as fn_mcxt) is
 * reset or deleted, or wfml_cache_unpin.
 */
extern const WfmlCached *wfml_cache_get(int64 id, MemoryContext holder);
extern void wfml_cache_unpin(const WfmlCached *cached, MemoryContext holder);

#endif							/* WFML_CACHE_H */
