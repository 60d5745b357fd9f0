/*-------------------------------------------------------------------------
 * frame.c
 *	  Columns, appending, the hash of a row, what is kept by row.
 *-------------------------------------------------------------------------
 */
#include "core/frame_private.h"

#include <string.h>

#include "core/hash.h"
#include "core/rng.h"

/* Keys of what is not a cell; cells have keys of their own from 0 on. */
enum
{
	KEY_TARGET = 1,
	KEY_WEIGHT,
	KEY_GROUP,
	KEY_TIME
};
#define KEY_EXTRA (UINT64_C(1) << 63)

WfFrame *
wf_frame_create(WfHost *host, size_t memory_limit, bool with_weight, bool with_group, bool with_time)
{
	WfFrame    *frame = wf_alloc_zero(host, 1, sizeof(WfFrame));

	frame->host = host;
	frame->memory_limit = memory_limit;
	frame->with_weight = with_weight;
	frame->with_group = with_group;
	frame->with_time = with_time;
	return frame;
}

void
wf_frame_keep_identity(WfFrame *frame)
{
	frame->with_identity = true;
}

int
wf_frame_add_column(WfFrame *frame, WfCellKind kind, WfDict *dict)
{
	WfCellColumn *column;

	if (frame->n_columns == frame->columns_capacity)
	{
		int			capacity = frame->columns_capacity ? frame->columns_capacity * 2 : 16;
		WfCellColumn *columns;

		columns = wf_alloc(frame->host, (size_t) capacity, sizeof(WfCellColumn));
		if (frame->n_columns)
			memcpy(columns, frame->columns, (size_t) frame->n_columns * sizeof(WfCellColumn));
		wf_release(frame->host, frame->columns);
		frame->columns = columns;
		frame->columns_capacity = capacity;
	}
	column = &frame->columns[frame->n_columns];
	memset(column, 0, sizeof(*column));
	column->kind = kind;
	column->dict = dict;
	column->first = wf_missing_bits(kind);
	column->n_missing = frame->n_rows;
	if (kind == WF_CELL_TAGS)
		column->tags = wf_taglists_create(frame->host);
	frame->n_columns++;
	frame->open = NULL;			/* the open block has too few columns now */
	wf_frame_set_key(frame, frame->n_columns - 1, (uint64_t) frame->n_columns - 1);
	return frame->n_columns - 1;
}

void
wf_frame_set_key(WfFrame *frame, int cell, uint64_t key)
{
	WfCellColumn *column = &frame->columns[cell];

	/* Odd, so that no word is lost in the lower half. */
	column->key_low = wf_rng(key, 1) | 1;
	column->key_high = wf_rng(key, 2);
}

int
wf_frame_n_cells(const WfFrame *frame)
{
	return frame->n_columns;
}

WfCellKind
wf_frame_cell_kind(const WfFrame *frame, int cell)
{
	return frame->columns[cell].kind;
}

/* ---- the hash of a row ---- */

/*
 * Multilinear: the sum of word times a random 128-bit key, modulo 2^128
 * (Carter & Wegman 1979), then mixed by two steps that lose nothing.  A sum
 * lets a missing cell count for nothing, so a row hashes the same before and
 * after a late column was added.
 */
typedef struct RowHash
{
	uint64_t	low;
	uint64_t	high;
} RowHash;

static inline void
hash_add(RowHash *h, uint64_t word, uint64_t key_low, uint64_t key_high)
{
	wf_mul_add128(word, key_low, &h->low, &h->high);
	h->high += word * key_high;
}

static void
hash_add_extra(RowHash *h, uint64_t word, uint64_t key)
{
	hash_add(h, word, wf_rng(KEY_EXTRA | key, 1) | 1, wf_rng(KEY_EXTRA | key, 2));
}

/* One zero, one NaN. */
static inline double
plain_double(double x)
{
	return x == 0 ? 0.0 : x != x ? (double) __builtin_nanf("") : x;
}

static inline uint64_t
double_bits(double x)
{
	uint64_t	bits;

	x = plain_double(x);
	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static void
hash_extras(const WfFrame *frame, const WfRowExtra *extra, RowHash *h)
{
	hash_add_extra(h, extra->target_hash ? extra->target_hash : double_bits(extra->target), KEY_TARGET);
	if (frame->with_weight)
		hash_add_extra(h, double_bits(extra->weight), KEY_WEIGHT);
	if (frame->with_group)
		hash_add_extra(h, extra->group, KEY_GROUP);
	if (frame->with_time)
		hash_add_extra(h, double_bits(extra->time), KEY_TIME);
}

/* ---- by row ---- */

/* The target and what else is kept of a row. */
static int
words_of_extras(const WfFrame *frame)
{
	return 1 + frame->with_weight + frame->with_group + frame->with_time + frame->with_identity;
}

static WfChunk *
add_chunk(WfFrame *frame)
{
	WfHost	   *host = frame->host;
	int			words = 2 + words_of_extras(frame);
	WfChunk    *chunk;
	uint64_t   *at;

	if (frame->n_chunks == frame->chunks_capacity)
	{
		uint32_t	capacity = frame->chunks_capacity ? frame->chunks_capacity * 2 : 64;
		WfChunk    *chunks = wf_alloc(host, capacity, sizeof(WfChunk));

		if (frame->n_chunks)
			memcpy(chunks, frame->chunks, frame->n_chunks * sizeof(WfChunk));
		wf_release(host, frame->chunks);
		frame->chunks = chunks;
		frame->chunks_capacity = capacity;
	}
	/* Hashes and the rest are given back at different times, so they are two blocks. */
	chunk = &frame->chunks[frame->n_chunks];
	memset(chunk, 0, sizeof(*chunk));
	chunk->hash_high = wf_alloc(host, 2 * WF_FRAME_BLOCK, sizeof(uint64_t));
	chunk->hash_low = chunk->hash_high + WF_FRAME_BLOCK;
	at = wf_alloc(host, (size_t) (words - 2) * WF_FRAME_BLOCK, sizeof(uint64_t));
	chunk->target = (double *) at;
	if (frame->with_weight)
		chunk->weight = (double *) (at += WF_FRAME_BLOCK);
	if (frame->with_group)
		chunk->group = at += WF_FRAME_BLOCK;
	if (frame->with_time)
		chunk->time = (double *) (at += WF_FRAME_BLOCK);
	if (frame->with_identity)
		chunk->identity = at += WF_FRAME_BLOCK;
	frame->n_chunks++;
	frame->row_bytes += (size_t) words * WF_FRAME_BLOCK * sizeof(uint64_t);
	return chunk;
}

static void
keep_row(WfFrame *frame, const RowHash *h, const WfRowExtra *extra)
{
	size_t		at = frame->n_rows & WF_CHUNK_MASK;
	WfChunk    *chunk = at ? &frame->chunks[frame->n_chunks - 1] : add_chunk(frame);

	/* Two Feistel steps: every bit of either half reaches both. */
	chunk->hash_high[at] = h->high ^ wf_mix(h->low);
	chunk->hash_low[at] = h->low ^ wf_mix(chunk->hash_high[at]);
	chunk->target[at] = plain_double(extra->target);
	if (chunk->weight)
		chunk->weight[at] = plain_double(extra->weight);
	if (chunk->group)
		chunk->group[at] = extra->group;
	if (chunk->time)
		chunk->time[at] = plain_double(extra->time);
	if (chunk->identity)
		chunk->identity[at] = extra->identity;
}

/* A cell as it is stored, and the word that it hashes as. */
static inline uint32_t
plain_cell(const WfCellColumn *column, uint32_t bits, uint64_t *word)
{
	if (column->kind == WF_CELL_NUMBER)
	{
		uint32_t	size = bits & 0x7fffffff;

		bits = size == 0 ? 0 : size > UINT32_C(0x7f800000) ? WF_NAN_BITS : bits;
		*word = bits ^ WF_NAN_BITS;
	}
	else if (bits == WF_CODE_MISSING)
		*word = 0;
	else if (column->kind == WF_CELL_CODE)
		*word = wf_dict_hash(column->dict, bits) | 1;
	else
	{
		column->tags->lists[bits].rows++;
		*word = column->tags->lists[bits].hash | 1;
	}
	return bits;
}

void
wf_frame_append(WfFrame *frame, const WfCell *cells, const WfRowExtra *extra)
{
	WfCellBlock *block = frame->open;
	RowHash		h = {0, 0};
	size_t		pitch;
	WfCell	   *out;

	if (frame->n_rows >= WF_FRAME_MAX_ROWS)
		frame->host->fail(frame->host, WF_E_LIMIT, "Train on a sample of the rows.",
						  "training source has more than %u rows", WF_FRAME_MAX_ROWS);
	if (block == NULL || block->count == block->capacity)
		block = wf_frame_open_block(frame);
	pitch = wf_block_pitch(block);
	out = block->cells + block->count;
	for (int c = 0; c < frame->n_columns; c++, out += pitch)
	{
		const WfCellColumn *column = &frame->columns[c];
		uint64_t	word;

		out->code = plain_cell(column, cells[c].code, &word);
		hash_add(&h, word, column->key_low, column->key_high);
	}
	hash_extras(frame, extra, &h);
	keep_row(frame, &h, extra);
	block->count++;
	frame->n_rows++;
}

uint64_t
wf_frame_n_rows(const WfFrame *frame)
{
	return frame->n_rows;
}

double
wf_frame_target(const WfFrame *frame, uint64_t row)
{
	return frame->chunks[row >> WF_CHUNK_SHIFT].target[row & WF_CHUNK_MASK];
}

void
wf_frame_set_target(WfFrame *frame, uint64_t row, double target)
{
	frame->chunks[row >> WF_CHUNK_SHIFT].target[row & WF_CHUNK_MASK] = plain_double(target);
}

double
wf_frame_weight(const WfFrame *frame, uint64_t row)
{
	return frame->with_weight ? frame->chunks[row >> WF_CHUNK_SHIFT].weight[row & WF_CHUNK_MASK] : 1.0;
}

uint64_t
wf_frame_group(const WfFrame *frame, uint64_t row)
{
	return frame->with_group ? frame->chunks[row >> WF_CHUNK_SHIFT].group[row & WF_CHUNK_MASK] : 0;
}

double
wf_frame_time(const WfFrame *frame, uint64_t row)
{
	return frame->with_time ? frame->chunks[row >> WF_CHUNK_SHIFT].time[row & WF_CHUNK_MASK] : 0.0;
}

void
wf_frame_set_marks(WfFrame *frame, const uint32_t *mark)
{
	frame->mark = mark;
}

const uint32_t *
wf_frame_marks(const WfFrame *frame)
{
	return frame->mark;
}

uint64_t
wf_frame_hash(const WfFrame *frame, uint64_t row)
{
	return frame->chunks[row >> WF_CHUNK_SHIFT].hash_high[row & WF_CHUNK_MASK];
}

uint64_t
wf_frame_identity(const WfFrame *frame, uint64_t row)
{
	return frame->with_identity ? frame->chunks[row >> WF_CHUNK_SHIFT].identity[row & WF_CHUNK_MASK] : 0;
}

bool
wf_frame_has_weight(const WfFrame *frame)
{
	return frame->with_weight;
}

bool
wf_frame_has_group(const WfFrame *frame)
{
	return frame->with_group;
}

bool
wf_frame_has_time(const WfFrame *frame)
{
	return frame->with_time;
}

size_t
wf_frame_memory(const WfFrame *frame)
{
	size_t		bytes = frame->cell_bytes + frame->row_bytes;

	for (int c = 0; c < frame->n_columns; c++)
		if (frame->columns[c].tags)
			bytes += frame->columns[c].tags->bytes;
	return bytes;
}

void
wf_frame_drop_hashes(WfFrame *frame)
{
	for (uint32_t i = 0; i < frame->n_chunks; i++)
	{
		if (frame->chunks[i].hash_high)
			frame->row_bytes -= 2 * WF_FRAME_BLOCK * sizeof(uint64_t);
		wf_release(frame->host, frame->chunks[i].hash_high);
		frame->chunks[i].hash_high = frame->chunks[i].hash_low = NULL;
	}
}

void
wf_frame_drop_extras(WfFrame *frame)
{
	for (uint32_t i = 0; i < frame->n_chunks; i++)
	{
		wf_release(frame->host, frame->chunks[i].target);
		if (frame->chunks[i].target)
			frame->row_bytes -= (size_t) words_of_extras(frame) *
				WF_FRAME_BLOCK * sizeof(uint64_t);
		frame->chunks[i].target = frame->chunks[i].weight = frame->chunks[i].time = NULL;
		frame->chunks[i].group = frame->chunks[i].identity = NULL;
	}
}

void
wf_frame_destroy(WfFrame *frame)
{
	WfHost	   *host = frame->host;

	wf_frame_drop_cells(frame);
	wf_frame_drop_hashes(frame);
	wf_frame_drop_extras(frame);
	for (int c = 0; c < frame->n_columns; c++)
		if (frame->columns[c].tags)
			wf_taglists_free(host, frame->columns[c].tags);
	wf_release(host, frame->columns);
	wf_release(host, frame->chunks);
	wf_release(host, frame);
}
