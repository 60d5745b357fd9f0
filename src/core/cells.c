/*-------------------------------------------------------------------------
 * cells.c
 *	  The blocks of cells: opening, spooling, walking over them.
 *-------------------------------------------------------------------------
 */
#include "core/frame_private.h"

#include <string.h>

/* Wide tables have blocks of fewer rows, down to these. */
#define BLOCK_ROWS_MIN 64
#define BLOCK_BYTES_AIM ((size_t) 8 << 20)
#define LANES 8

static size_t
block_bytes(WfHost *host, const WfCellBlock *block)
{
	return wf_size_mul(host, wf_size_mul(host, wf_block_pitch(block), (size_t) block->n_columns),
					   sizeof(WfCell));
}

/* What the rows of a block say about a column. */
static void
look_at_column(const WfCellBlock *block, int c, WfCellColumn *state)
{
	const WfCell *cells = block->cells + (size_t) c * wf_block_pitch(block);
	uint32_t	missing = wf_missing_bits(state->kind);
	uint32_t	different[LANES] = {0};
	uint32_t	n_missing[LANES] = {0};
	uint32_t	r = 0;

	if (block->first_row == 0 && block->count)
		state->first = cells[0].code;
	/* Lanes of a fixed number are what compilers make vector code of. */
	for (uint32_t first = state->first; r + LANES <= block->count; r += LANES)
		for (int l = 0; l < LANES; l++)
		{
			different[l] |= cells[r + (uint32_t) l].code ^ first;
			n_missing[l] += cells[r + (uint32_t) l].code == missing;
		}
	for (; r < block->count; r++)
	{
		different[0] |= cells[r].code ^ state->first;
		n_missing[0] += cells[r].code == missing;
	}
	for (int l = 0; l < LANES; l++)
	{
		state->varies |= different[l] != 0;
		state->n_missing += n_missing[l];
	}
}

static void
spool_block(WfFrame *frame, WfCellBlock *block)
{
	WfHost	   *host = frame->host;
	size_t		bytes = block_bytes(host, block);

	if (block->cells == NULL || bytes == 0)
		return;
	block->spool_at = frame->spool_size;
	host->spool_append(host, frame->spool, block->cells, bytes);
	frame->spool_size += bytes;
	wf_release(host, frame->spare);
	frame->spare = block->cells;
	frame->spare_bytes = bytes;
	frame->cell_bytes -= bytes;
	block->cells = NULL;
}

/*
 * No more rows for the last block: take its summary.  Once cells do not fit in
 * memory all of them are spooled, since what is built from them needs the
 * memory more.
 */
static void
close_block(WfFrame *frame)
{
	WfCellBlock *block;

	if (frame->n_blocks == 0)
		return;
	block = &frame->blocks[frame->n_blocks - 1];
	for (int c = 0; c < block->n_columns; c++)
		look_at_column(block, c, &frame->columns[c]);
	frame->open = NULL;
	if (frame->spool)
		spool_block(frame, block);
	else if (frame->cell_bytes > frame->memory_limit)
	{
		frame->spool = frame->host->spool_open(frame->host);
		for (uint32_t i = 0; i < frame->n_blocks; i++)
			spool_block(frame, &frame->blocks[i]);
	}
}

WfCellBlock *
wf_frame_open_block(WfFrame *frame)
{
	WfHost	   *host = frame->host;
	WfCellBlock *block;
	size_t		bytes;

	host->check(host);
	/* A column was added since, or the block is full. */
	close_block(frame);
	if (frame->n_blocks == frame->blocks_capacity)
	{
		uint32_t	capacity = frame->blocks_capacity ? frame->blocks_capacity * 2 : 64;
		WfCellBlock *blocks = wf_alloc(host, capacity, sizeof(WfCellBlock));

		if (frame->n_blocks)
			memcpy(blocks, frame->blocks, frame->n_blocks * sizeof(WfCellBlock));
		wf_release(host, frame->blocks);
		frame->blocks = blocks;
		frame->blocks_capacity = capacity;
	}
	block = &frame->blocks[frame->n_blocks];
	memset(block, 0, sizeof(*block));
	block->first_row = frame->n_rows;
	block->n_columns = frame->n_columns;
	block->capacity = WF_FRAME_BLOCK;
	while (block->capacity > BLOCK_ROWS_MIN && block_bytes(host, block) > BLOCK_BYTES_AIM)
		block->capacity /= 2;
	bytes = block_bytes(host, block);
	if (frame->spare && frame->spare_bytes == bytes)
	{
		block->cells = frame->spare;
		frame->spare = NULL;
	}
	else
	{
		wf_release(host, frame->spare);
		frame->spare = NULL;
		block->cells = wf_alloc(host, bytes, 1);
		/* The cache line between two columns is spooled with them. */
		for (int c = 0; c < block->n_columns; c++)
			memset(block->cells + (size_t) c * wf_block_pitch(block) + block->capacity, 0,
				   (wf_block_pitch(block) - block->capacity) * sizeof(WfCell));
	}
	frame->cell_bytes += bytes;
	if (bytes > frame->largest_block)
		frame->largest_block = bytes;
	frame->n_blocks++;
	frame->open = block;
	return block;
}

bool
wf_frame_spooled(const WfFrame *frame)
{
	return frame->spool != NULL;
}

/* The column's summary with the rows of the block that is still open. */
static WfCellColumn
settled(const WfFrame *frame, int cell)
{
	WfCellColumn state = frame->columns[cell];

	if (frame->n_blocks)
	{
		const WfCellBlock *last = &frame->blocks[frame->n_blocks - 1];

		/* It was not looked at before the next one is opened. */
		if (last->cells && cell < last->n_columns && !frame->closed)
			look_at_column(last, cell, &state);
	}
	return state;
}

bool
wf_frame_varies(const WfFrame *frame, int cell)
{
	return settled(frame, cell).varies;
}

uint64_t
wf_frame_n_missing(const WfFrame *frame, int cell)
{
	return settled(frame, cell).n_missing;
}

/* ---- walking ---- */

void
wf_frame_scan_begin(WfFrame *frame, WfFrameScan *scan)
{
	WfHost	   *host = frame->host;

	memset(scan, 0, sizeof(*scan));
	scan->frame = frame;
	scan->cells = wf_alloc_zero(host, (size_t) frame->n_columns, sizeof(WfCell *));
	if (frame->spool)
		scan->buffer = wf_alloc(host, frame->largest_block, 1);
}

/* A block of missing cells, made when a column first needs one. */
static const WfCell *
missing_cells(WfFrameScan *scan, WfCellKind kind)
{
	if (scan->missing[kind] == NULL)
	{
		WfCell	   *cells = wf_alloc(scan->frame->host, WF_FRAME_BLOCK, sizeof(WfCell));

		for (int r = 0; r < WF_FRAME_BLOCK; r++)
			cells[r].code = wf_missing_bits(kind);
		scan->missing[kind] = cells;
	}
	return scan->missing[kind];
}

uint32_t
wf_frame_scan_next(WfFrameScan *scan)
{
	WfFrame    *frame = scan->frame;
	WfHost	   *host = frame->host;
	const WfCellBlock *block;
	const WfCell *cells;

	scan->count = 0;
	if (scan->next_block >= frame->n_blocks)
		return 0;
	block = &frame->blocks[scan->next_block++];
	cells = block->cells;
	if (cells == NULL && block->n_columns > 0)
	{
		host->spool_read(host, frame->spool, block->spool_at, scan->buffer, block_bytes(host, block));
		cells = scan->buffer;
	}
	for (int c = 0; c < frame->n_columns; c++)
		scan->cells[c] = c < block->n_columns ? cells + (size_t) c * wf_block_pitch(block)
			: missing_cells(scan, frame->columns[c].kind);
	scan->first_row = block->first_row;
	scan->count = block->count;
	return block->count;
}

void
wf_frame_scan_end(WfFrameScan *scan)
{
	WfHost	   *host = scan->frame->host;

	for (int k = 0; k < 3; k++)
		wf_release(host, scan->missing[k]);
	wf_release(host, scan->buffer);
	wf_release(host, scan->cells);
	memset(scan, 0, sizeof(*scan));
}

void
wf_frame_drop_cells(WfFrame *frame)
{
	WfHost	   *host = frame->host;

	if (!frame->closed)
	{
		frame->memory_limit = SIZE_MAX; /* it is thrown away: do not spool it */
		close_block(frame);
		frame->closed = true;
	}
	for (uint32_t i = 0; i < frame->n_blocks; i++)
		wf_release(host, frame->blocks[i].cells);
	wf_release(host, frame->spare);
	wf_release(host, frame->blocks);
	frame->spare = NULL;
	frame->blocks = NULL;
	frame->n_blocks = frame->blocks_capacity = 0;
	frame->cell_bytes = 0;
	if (frame->spool)
		host->spool_close(host, frame->spool);
	frame->spool = NULL;
}
