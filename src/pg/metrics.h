/*-------------------------------------------------------------------------
 * metrics.h
 *	  What the metric aggregates share: states, labels, positives.
 *
 * A state is an ordinary bytea, so that the aggregates run in parallel plans
 * and on shards.  Its struct starts with the varlena header and 4 bytes that
 * name its kind, so the rest is 8-byte aligned.  A transition function writes
 * into the state it is handed; where that must grow it returns a new one of
 * twice the size, which the executor moves to the aggregate's context.
 *
 * Anyone can make an aggregate with these functions and an initial state of
 * his own, so nothing read from a state is trusted.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_METRICS_H
#define WFML_METRICS_H

#include "pg/compat.h"

typedef struct WfmlState
{
	int32		vl_len_;		/* varlena header */
	uint32		kind;
} WfmlState;

/* A zeroed state of that size in the current context. */
extern void *wfml_state_create(uint32 kind, Size size);

/*
 * Argument argno as a state of at least that size, aligned; NULL when it is
 * NULL.  Argument 0 may be written to.  ERROR when called outside an
 * aggregate or when the bytes are of another kind.
 */
extern void *wfml_state_get(FunctionCallInfo fcinfo, int argno, uint32 kind, Size size);
/* Report a state that contradicts itself. */
extern void wfml_state_damaged(void) __attribute__((noreturn));

/* A label as text, without padding; valid until the row's context is reset. */
typedef struct WfmlLabel
{
	const char *bytes;
	Size		length;
	char		buffer[24];
} WfmlLabel;

/* Argument argno, which is not NULL, as a label. */
extern void wfml_label_get(FunctionCallInfo fcinfo, int argno, WfmlLabel *label);
extern bool wfml_labels_equal(const WfmlLabel *a, const WfmlLabel *b);

/* Is argument argno, which is not NULL, the positive label: true or 1?  ERROR when that cannot be told. */
extern bool wfml_positive_get(FunctionCallInfo fcinfo, int argno);
/* Argument argno, which is not NULL, as a probability; ERROR when it is none. */
extern double wfml_probability_get(FunctionCallInfo fcinfo, int argno);

#endif							/* WFML_METRICS_H */
