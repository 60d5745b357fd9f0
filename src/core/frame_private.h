/*-------------------------------------------------------------------------
 * frame_private.h
 *	  How a frame lies in memory; for frame.c, cells.c, taglist.c, order.c.
 *
 * By row, in chunks of WF_FRAME_BLOCK rows and always in memory: hash,
 * target and the extras in use.  By cell, in blocks of at most that many
 * rows: the values, column by column.  A block is closed early when a column
 * is added, so that all its rows have the same columns.
 *-------------------------------------------------------------------------
 */
#ifndef WF_FRAME_PRIVATE_H
#define WF_FRAME_PRIVATE_H

#include "core/frame.h"

#define WF_CHUNK_SHIFT 12
#define WF_CHUNK_MASK (WF_FRAME_BLOCK - 1)

/* All NaN are this one. */
#define WF_NAN_BITS UINT32_C(0x7fc00000)

typedef struct WfChunk
{
	uint64_t   *hash_high;
	uint64_t   *hash_low;
	double	   *target;
	double	   *weight;			/* NULL when not kept, as the next two */
	uint64_t   *group;
	double	   *time;
	uint64_t   *identity;
} WfChunk;

typedef struct WfCellBlock
{
	WfCell	   *cells;			/* NULL once spooled */
	uint64_t	first_row;
	uint64_t	spool_at;
	int			n_columns;
	uint32_t	count;			/* rows */
	uint32_t	capacity;		/* rows */
} WfCellBlock;

typedef struct WfTagList
{
	const uint32_t *codes;
	uint64_t	hash;
	uint64_t	rows;			/* that have this list */
	uint32_t	n;
} WfTagList;

/* The distinct tag lists of one cell column. */
typedef struct WfTagLists
{
	WfTagList  *lists;
	uint32_t	n;
	uint32_t	capacity;
	uint32_t   *slots;			/* list + 1, 0 = free */
	uint32_t	mask;
	uint32_t   *chunk;
	size_t		chunk_left;
	size_t		bytes;
} WfTagLists;

typedef struct WfCellColumn
{
	/* of the hash: a missing cell adds 0, any other its word times the key */
	uint64_t	key_low;
	uint64_t	key_high;
	WfCellKind	kind;
	uint32_t	first;			/* bits of the first row's cell */
	bool		varies;			/* in closed blocks */
	uint64_t	n_missing;		/* in closed blocks */
	WfDict	   *dict;
	WfTagLists *tags;
} WfCellColumn;

struct WfFrame
{
	WfHost	   *host;
	size_t		memory_limit;
	uint64_t	n_rows;

	WfCellColumn *columns;
	int			n_columns;
	int			columns_capacity;

	WfChunk    *chunks;
	uint32_t	n_chunks;
	uint32_t	chunks_capacity;
	bool		with_weight;
	bool		with_group;
	bool		with_time;
	bool		with_identity;
	const uint32_t *mark;		/* by row, the caller's; NULL: none */

	WfCellBlock *blocks;
	uint32_t	n_blocks;
	uint32_t	blocks_capacity;
	WfCellBlock *open;			/* the block that takes rows; NULL: none */
	bool		closed;			/* cells were dropped */
	void	   *spool;
	uint64_t	spool_size;
	WfCell	   *spare;			/* buffer of a spooled block, to be filled again */
	size_t		spare_bytes;
	size_t		largest_block;	/* bytes */

	size_t		cell_bytes;		/* in memory */
	size_t		row_bytes;
};

/*
 * Columns of a block lie this many cells apart: a cache line more than the
 * rows, or all columns of a row would share one cache set.
 */
static inline size_t
wf_block_pitch(const WfCellBlock *block)
{
	return (size_t) block->capacity + 16;
}

static inline uint32_t
wf_missing_bits(WfCellKind kind)
{
	return kind == WF_CELL_NUMBER ? WF_NAN_BITS : WF_CODE_MISSING;
}

/* cells.c: a block with room for a row of all columns. */
WfCellBlock *wf_frame_open_block(WfFrame *frame);

/* taglist.c */
WfTagLists *wf_taglists_create(WfHost *host);
void		wf_taglists_free(WfHost *host, WfTagLists *tags);

#endif							/* WF_FRAME_PRIVATE_H */
