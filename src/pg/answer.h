/*-------------------------------------------------------------------------
 * answer.h
 *	  An answer that is logged: by the model, its other version, or its rule.
 *
 * What log_predict() and the triggers share.  The registry row is read once a
 * statement (as callsite.h does for names), then per row: choose the version
 * (traffic.h), predict; when there is no version or predicting fails, and
 * wfml.on_error is "fallback", evaluate the model's rule (fallback.h).
 * Cancel, termination and out-of-memory always pass as errors.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_ANSWER_H
#define WFML_ANSWER_H

#include "postgres.h"

#include "fmgr.h"

#include "pg/callsite.h"
#include "pg/detail.h"
#include "pg/predictionlog.h"

typedef struct WfmlAnswer
{
	bool		answered;		/* detail holds an answer */
	WfmlDetail	detail;			/* source as wfml.prediction says; "function" is the caller's to replace */
	int64		model_number;
	int64		model_id;		/* 0: no version answered */
	const char *model;			/* current name */
	const char *error;			/* why the model did not answer; NULL: it did */
	ErrorData  *failure;		/* the same as it was raised, for ReThrowError() */
	int32		latency_us;
	bool		log_input;		/* the registry's wish */
	/* the other version of a split in shadow mode, to be logged beside */
	bool		has_shadow;
	WfmlDetail	shadow;
	int64		shadow_id;
	int32		shadow_latency_us;
} WfmlAnswer;

typedef struct WfmlAnswerer WfmlAnswerer;

/* State of one call site or trigger, in context. */
extern WfmlAnswerer *wfml_answerer(MemoryContext context);

/*
 * Answer for an input.  user: whose right to use the model counts (the
 * caller's, or a trigger's table's owner).  entity: text, or 0; decides about
 * traffic, the input otherwise.  Valid until the next call; strings and
 * labels are in the answerer's memory or the model's pinned entry.
 * An unknown name and a missing right are errors whatever wfml.on_error says;
 * the triggers catch them (trigger.c).  name@version asks that version, however
 * traffic is divided.
 */
extern const WfmlAnswer *wfml_answer(WfmlAnswerer *answerer, text *model, Oid user,
									 WfmlInput kind, Datum input, Datum entity);

/*
 * Log it, and its shadow: source "function" becomes what is given unless the
 * answer came from the fallback or a cache.  input as JSON is made only when
 * the model keeps inputs.
 */
extern WfmlLogged wfml_answer_log(WfmlAnswerer *answerer, const WfmlAnswer *answer, const char *source,
								  WfmlInput kind, Datum input, Datum entity);

#endif							/* WFML_ANSWER_H */
