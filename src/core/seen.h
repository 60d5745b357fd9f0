/*-------------------------------------------------------------------------
 * seen.h
 *	  Which rows was a model trained on: a filter of their hashes, section
 *	  "SEEN" of a model.
 *
 * A Bloom filter in blocks of one cache line (Putze, Sanders, Singler 2007):
 * 12 bits a row, of which it sets one in each word of its block.  A row that
 * was trained on is always known; of others about 0.6 % are taken for known,
 * too.  Bits are only ever set, so rows in any order, read by any team, give
 * the same bytes.
 *
 * A row of a table is hashed over what the model reads of it and its target,
 * by the names of columns, and its identity, if there is one: other columns of
 * the source, their order, and the codes that a reading gave to texts do not
 * matter.  Without an identity, a row whose values were all in training is
 * known.
 *-------------------------------------------------------------------------
 */
#ifndef WF_SEEN_H
#define WF_SEEN_H

#include "core/frame.h"
#include "core/host.h"
#include "core/schema.h"

/* An opened filter. */
typedef struct WfSeen
{
	const uint64_t *blocks;		/* n_blocks × 8 words */
	uint32_t	n_blocks;		/* 0: no filter, nothing is known */
} WfSeen;

/* A filter for that many rows, appended to out (empty: the section starts there). */
void		wf_seen_begin(WfBytes *out, uint64_t n_rows);
/* One more row; out holds a filter and nothing else. */
void		wf_seen_add(WfBytes *out, uint64_t hash);

/* Verify a section (WF_E_CORRUPT); bytes must be 8-byte aligned and outlive it. */
void		wf_seen_open(WfHost *host, const void *section, size_t length, WfSeen *seen);
bool		wf_seen_has(const WfSeen *seen, uint64_t hash);

/* ---- hashes of a table's rows ---- */

typedef struct WfRowHasher WfRowHasher;

/*
 * For the columns of the schema with use[c] (NULL: those that are kept).
 * class_of_code: as in WfFitInput, for a classification.
 */
WfRowHasher *wf_row_hasher_create(WfHost *host, const WfSchema *schema, const WfFrame *frame,
								  const uint16_t *class_of_code, const bool *use);
/* Hashes of the rows that a scan shows, scan->count of them. */
void		wf_row_hashes(const WfRowHasher *hasher, const WfFrameScan *scan, uint64_t *hash);
void		wf_row_hasher_destroy(WfRowHasher *hasher);

/* The filter of all rows of a frame by the columns that are kept; its cells must be there. */
void		wf_seen_of_frame(WfHost *host, const WfSchema *schema, WfFrame *frame,
							 const uint16_t *class_of_code, WfBytes *out);

#endif							/* WF_SEEN_H */
