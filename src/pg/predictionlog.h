/*-------------------------------------------------------------------------
 * predictionlog.h
 *	  Rows of wfml.prediction.
 *
 * Rows are inserted by C as the tables' owner without a plan and without the
 * foreign key's trigger: the first row for a version in a statement takes the
 * key-share lock on its ml_model row that the trigger would take for each.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_PREDICTIONLOG_H
#define WFML_PREDICTIONLOG_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "pg/detail.h"

/* Longest entity and user_id, in bytes: what an index can hold, whether it compresses or not. */
#define WFML_LOG_KEY_BYTES 2000

typedef struct WfmlLogEntry
{
	int64		model_number;	/* registry.number */
	int64		model_id;		/* 0: no version answered */
	const char *model;
	const WfmlDetail *detail;	/* NULL: nothing answered */
	const char *source;			/* when detail is NULL, or to say "trigger" */
	Oid			made_by;
	Oid			made_for;		/* by whose right the model was used */
	Datum		entity;			/* text; 0: none */
	bool		shadow;
	int32		latency_us;		/* negative: not measured */
	const char *error;			/* NULL: none */
	Jsonb	   *input;			/* NULL: not kept */
} WfmlLogEntry;

typedef enum WfmlLogged
{
	WFML_LOGGED,
	WFML_LOG_READ_ONLY,			/* standby, or a read-only transaction: nothing is logged */
	WFML_LOG_SAMPLED,			/* left out by wfml.log_sample_rate */
	WFML_LOG_LIMITED			/* the role has used up wfml.rate_limit for this minute */
} WfmlLogged;

/* Between wfml_write_begin and _end: a model has another name now. */
extern void wfml_log_renamed(const char *old_name, const char *new_name);

/* user_id comes from wfml.user_id, made_at from the clock. */
extern WfmlLogged wfml_log_prediction(const WfmlLogEntry *entry);

#endif							/* WFML_PREDICTIONLOG_H */
