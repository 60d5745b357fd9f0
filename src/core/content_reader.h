/*-------------------------------------------------------------------------
 * content_reader.h
 *	  What the reader of a catalogue has gathered; for content_*.c only.
 *
 * A term is known by a 64-bit hash of its column and bytes: no dictionary, and
 * an order that does not depend on the order of rows.
 *-------------------------------------------------------------------------
 */
#ifndef WF_CONTENT_READER_H
#define WF_CONTENT_READER_H

#include "core/content.h"

typedef struct WfContentEntry
{
	uint64_t	hash;			/* of column and bytes */
	uint32_t	row;			/* later: the item */
	uint16_t	column;
	uint16_t	count;			/* saturates */
} WfContentEntry;

typedef struct WfContentNumber
{
	double		value;
	uint32_t	row;
	uint32_t	column;
} WfContentNumber;

struct WfContentReader
{
	WfHost	   *host;
	int			n_columns;
	WfContentKind *kinds;
	uint32_t	n_rows;
	size_t		row_begin;		/* first entry of the row, in bytes: not merged yet */
	size_t		since_check;	/* bytes of text */
	WfBytes		entries;		/* WfContentEntry */
	WfBytes		numbers;		/* WfContentNumber */
};

/* Sort by column and hash, and join equal ones; returns how many are left. */
size_t		wf_content_merge(WfHost *host, WfContentEntry *entries, size_t n);

#endif							/* WF_CONTENT_READER_H */
