/*-------------------------------------------------------------------------
 * features.h
 *	  One column of a model and where its features lie in the vector.
 *
 * What rows and JSON have in common: a value, already converted, is put into
 * the features that training made of its column.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_FEATURES_H
#define WFML_FEATURES_H

#include "postgres.h"

#include "core/model.h"

typedef struct WfmlPlace
{
	const WfModel *model;
	uint32_t	column;			/* of the model */
	const char *name;
	size_t		name_length;
	WfColumnKind kind;
	uint32_t	first;			/* feature */
	uint32_t	n;				/* features */
	const WfPart *parts;		/* time columns: the part of each feature */
	const int32 *feature_of_tag;	/* tags: by string, -1: none */
	uint32_t	n_tags;
	uint64		length;			/* vectors: largest element + 1 */
} WfmlPlace;

/* The columns of a model, header->n_columns of them, in cxt. */
extern WfmlPlace *wfml_places(const WfModel *model, MemoryContext cxt);

extern void wfml_put_missing(const WfmlPlace *place, float *x);
extern void wfml_put_number(const WfmlPlace *place, double value, float *x);
extern void wfml_put_text(const WfmlPlace *place, const char *bytes, size_t length, float *x);
extern void wfml_put_time(const WfmlPlace *place, int64 days, int64 usec, float *x);

/* No tag yet; then one after the other. */
extern void wfml_put_no_tags(const WfmlPlace *place, float *x);
extern void wfml_put_tag(const WfmlPlace *place, const char *bytes, size_t length, float *x);

/* All elements of a vector, NaN where NULL; another length than in training is an ERROR 22000. */
extern void wfml_put_vector(const WfmlPlace *place, const double *values, int n, float *x);

#endif							/* WFML_FEATURES_H */
