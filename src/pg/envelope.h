/*-------------------------------------------------------------------------
 * envelope.h
 *	  The bytes of export_model(): a model and how it came to be.
 *
 *	OFFSET  SIZE  WHAT (little-endian)
 *	0       8     magic "WFEXPORT"
 *	8       4     version of the envelope (1)
 *	12      4     length of the description
 *	16      8     length of the model
 *	24      32    SHA-256 of bytes 0 .. 23, description and model
 *	56      …     description: a JSON object in UTF-8
 *	…       …     model (core/model.h)
 *
 * Bytes that start as a model does are taken as one without description.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_ENVELOPE_H
#define WFML_ENVELOPE_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/jsonb.h"

/* A bytea must also pass through COPY and pg_dump, which double it. */
#define WFML_EXPORT_LIMIT ((size_t) 500 * 1024 * 1024)

typedef struct WfmlEnvelope
{
	Jsonb	   *description;	/* an object; NULL: none */
	const void *model;
	size_t		model_bytes;
} WfmlEnvelope;

extern bytea *wfml_envelope_write(const WfmlEnvelope *envelope);
/* XX001 for bytes that are no export; the model points into bytes. */
extern void wfml_envelope_read(const bytea *bytes, WfmlEnvelope *envelope);

#endif							/* WFML_ENVELOPE_H */
