/*-------------------------------------------------------------------------
 * detail.h
 *	  One prediction with all that is known of it.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_DETAIL_H
#define WFML_DETAIL_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "fmgr.h"

#include "pg/cache.h"

/* As wfml.prediction_detail; NaN stands for none. */
typedef struct WfmlDetail
{
	double		value;			/* regression: the value; two classes: P(positive); anomaly: score */
	double		lower;			/* regression: 90 % interval */
	double		upper;
	double		confidence;
	Datum		label;			/* text of the model's cache entry, valid while it is pinned; 0: none */
	int32		version;		/* 0: no version answered */
	const char *source;			/* "function", "trigger", "fallback" or "cache" */
} WfmlDetail;

/* From cached->values as wf_model_predict() left them. */
extern void wfml_detail_fill(const WfmlCached *cached, int32 version, const char *source, WfmlDetail *detail);

/* The result descriptor of a function that returns wfml.prediction_detail, blessed, in context. */
extern TupleDesc wfml_detail_desc(FunctionCallInfo fcinfo, MemoryContext context);
/* A row of it in CurrentMemoryContext. */
extern Datum wfml_detail_row(TupleDesc desc, const WfmlDetail *detail);

#endif							/* WFML_DETAIL_H */
