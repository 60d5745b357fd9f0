/*-------------------------------------------------------------------------
 * partition.h
 *	  Splitting a node's rows in place, without branches on the data.
 *
 * Misplaced rows of a block at each end are collected first and swapped then
 * (BlockQuicksort, Edelkamp and Weiss 2016), so that the processor has no
 * branch to guess.  The order of rows within a side is not kept: sums over
 * rows are exact, so nothing depends on it.
 *-------------------------------------------------------------------------
 */
#ifndef WF_PARTITION_H
#define WF_PARTITION_H

#include "core/dataset.h"

/* A drawn row that has not been copied: its id, and draws << 16 | class. */
typedef struct WfRowRef
{
	uint32_t	row;
	uint32_t	word;
} WfRowRef;

/* Which bins of a feature go left. */
typedef struct WfRoute
{
	uint32_t	feature;
	uint8_t		cut;			/* numbers: bin <= cut goes left */
	uint8_t		missing_left;	/* numbers: 1 when WF_MISSING_BIN goes left too */
	const uint8_t *side;		/* categories: 256 flags, 1 = left; NULL for numbers */
} WfRoute;

/* Both return how many rows went to the left (front) side. */
size_t		wf_partition_records(WfHost *host, uint8_t *records, size_t n, size_t size,
								 const WfRoute *route);
size_t		wf_partition_refs(WfHost *host, WfRowRef *refs, size_t n, const WfDataset *data,
							  const WfRoute *route);

#endif							/* WF_PARTITION_H */
