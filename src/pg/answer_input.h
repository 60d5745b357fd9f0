/*-------------------------------------------------------------------------
 * answer_input.h
 *	  The input of a prediction as the log keeps it.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_ANSWER_INPUT_H
#define WFML_ANSWER_INPUT_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "pg/callsite.h"

/*
 * As a JSON object of the model's columns alone: what else the row holds is
 * nobody's business.  cached NULL: all of it.  NULL: it cannot be told.  In
 * CurrentMemoryContext.
 */
extern Jsonb *wfml_answer_input(const WfmlCached *cached, WfmlInput kind, Datum input);

#endif							/* WFML_ANSWER_INPUT_H */
