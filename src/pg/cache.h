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
#include "pg/input.h"

/* Kept by predcache.c for each model; all zeros at first. */
typedef struct WfmlReuse
{
	double		predict_ns;		/* one prediction, from n_timed of them */
	uint32		n_timed;
	uint32		untimed;		/* predictions since then */
	uint32		lookups;		/* in the running trial, and how many were found */
	uint32		found;
	uint32		pause;			/* predictions until the next trial */
} WfmlReuse;

typedef struct WfmlCached
{
	int64		id;
	WfModel    *model;
	pg_tz	   *zone;
	MemoryContext context;
	/* text Datums of the labels, by class */
	Datum	   *labels;
	/* room for one row: model->header->n_features floats, wf_model_n_values() doubles */
	float	   *x;
	double	   *values;
	/* with the id, which bytes these are, also after ids were given anew */
	uint64		fingerprint;
	/* what predicting costs and whether answers recur (predcache.c) */
	WfmlReuse  *reuse;
} WfmlCached;

/*
 * The opened model; pinned until holder (a MemoryContext, such as fn_mcxt) is
 * reset or deleted, or wfml_cache_unpin.
 */
extern const WfmlCached *wfml_cache_get(int64 id, MemoryContext holder);
extern void wfml_cache_unpin(const WfmlCached *cached, MemoryContext holder);

/*
 * How rows of a composite type (also anonymous records), and JSON objects, map
 * to the model's features; made on first use and kept with the model (with
 * the holder of a pin when there are very many).  name is what error messages
 * call the model.
 */
extern WfmlRowMap *wfml_cache_rowmap(const WfmlCached *cached, const char *name, Oid type, int32 typmod, MemoryContext holder);
extern WfmlJsonMap *wfml_cache_jsonmap(const WfmlCached *cached, const char *name, MemoryContext holder);

/*
 * XX001 unless every string of the model is valid in the database's encoding:
 * bytes come from elsewhere, and text that is not valid must never leave.
 */
extern void wfml_check_strings(const WfModel *model);

#endif							/* WFML_CACHE_H */
