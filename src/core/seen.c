/*-------------------------------------------------------------------------
 * seen.c
 *	  A filter of the rows that a model was trained on.
 *-------------------------------------------------------------------------
 */
#include "core/seen.h"

#include <string.h>

#include "core/frame_private.h"
#include "core/rng.h"

#define BITS_PER_ROW 12
#define BLOCK_WORDS 8
#define BLOCK_BYTES (BLOCK_WORDS * sizeof(uint64_t))
#define BLOCK_BITS (BLOCK_BYTES * 8)
#define BIT_SALT UINT64_C(0x7365656e66696c74)
#define SEEN_FORMAT 1
#define ROWS_AT_ONCE 512

/* The section: this, then the blocks. */
typedef struct SeenHeader
{
	uint32_t	format;
	uint32_t	n_blocks;
} SeenHeader;

/* ---- the filter ---- */

static inline size_t
block_of(uint64_t key, uint32_t n_blocks)
{
	return (size_t) (((key >> 32) * n_blocks) >> 32);
}

/* One bit in each word of a block, by 6 bits of the mixed hash each. */
static inline uint64_t
bit_of_word(uint64_t bits, int word)
{
	return UINT64_C(1) << (bits >> 6 * word & 63);
}

void
wf_seen_begin(WfBytes *out, uint64_t n_rows)
{
	uint64_t	n_blocks = (n_rows * BITS_PER_ROW + BLOCK_BITS - 1) / BLOCK_BITS;
	SeenHeader	header = {SEEN_FORMAT, 0};
	size_t		size;

	if (n_blocks < 1)
		n_blocks = 1;
	header.n_blocks = (uint32_t) n_blocks;
	wf_bytes_append(out, &header, sizeof(header));
	size = wf_size_mul(out->host, (size_t) n_blocks, BLOCK_BYTES);
	memset(wf_bytes_extend(out, size), 0, size);
}

void
wf_seen_add(WfBytes *out, uint64_t hash)
{
	const SeenHeader *header = (const SeenHeader *) (const void *) out->data;
	uint64_t   *blocks = (uint64_t *) (void *) (out->data + sizeof(*header));
	uint64_t	key = wf_mix(hash);
	uint64_t   *block = blocks + block_of(key, header->n_blocks) * BLOCK_WORDS;
	uint64_t	bits = wf_mix(key ^ BIT_SALT);

	for (int i = 0; i < BLOCK_WORDS; i++)
		block[i] |= bit_of_word(bits, i);
}

void
wf_seen_open(WfHost *host, const void *section, size_t length, WfSeen *seen)
{
	const SeenHeader *header = section;

	if (length < sizeof(*header) || header->format != SEEN_FORMAT || header->n_blocks == 0 ||
		(length - sizeof(*header)) % BLOCK_BYTES != 0 ||
		(length - sizeof(*header)) / BLOCK_BYTES != header->n_blocks)
		host->fail(host, WF_E_CORRUPT, WF_HINT_NONE, "corrupted model: bad filter of rows");
	seen->blocks = (const uint64_t *) (header + 1);
	seen->n_blocks = header->n_blocks;
}

bool
wf_seen_has(const WfSeen *seen, uint64_t hash)
{
	uint64_t	key = wf_mix(hash);
	const uint64_t *block;
	uint64_t	bits = wf_mix(key ^ BIT_SALT);

	if (seen->n_blocks == 0)
		return false;
	block = seen->blocks + block_of(key, seen->n_blocks) * BLOCK_WORDS;
	for (int i = 0; i < BLOCK_WORDS; i++)
		if ((block[i] & bit_of_word(bits, i)) == 0)
			return false;
	return true;
}

/* ---- hashes of a table's rows ---- */

/* What a cell adds: nothing when missing, else an odd or 32-bit word times the cell's key. */
typedef struct CellHash
{
	int			cell;
	uint64_t	key;
} CellHash;

struct WfRowHasher
{
	WfHost	   *host;
	const WfFrame *frame;
	int			n;
	CellHash   *cells;
	uint64_t	target_key;
	uint64_t	identity_key;
	const uint16_t *class_of_code;	/* NULL: the target is a number */
	uint64_t   *class_hash;
};

static uint64_t
cell_key(const char *name, uint64_t place)
{
	return wf_rng(wf_hash_bytes(name, strlen(name), 0), place) | 1;
}

WfRowHasher *
wf_row_hasher_create(WfHost *host, const WfSchema *schema, const WfFrame *frame,
					 const uint16_t *class_of_code, const bool *use)
{
	WfRowHasher *hasher = wf_alloc_zero(host, 1, sizeof(WfRowHasher));

	hasher->host = host;
	hasher->frame = frame;
	hasher->cells = wf_alloc(host, (size_t) wf_frame_n_cells(frame), sizeof(CellHash));
	for (int c = 0; c < schema->n_columns; c++)
	{
		const WfColumn *column = &schema->columns[c];

		if (use ? !use[c] : column->left_out != WF_KEPT)
			continue;
		for (int i = 0; i < column->n_cells; i++)
			hasher->cells[hasher->n++] = (CellHash) {column->first_cell + i, cell_key(column->name, (uint64_t) i + 1)};
	}
	hasher->target_key = cell_key("", 0);
	hasher->identity_key = cell_key("", 1);
	hasher->class_of_code = schema->n_classes ? class_of_code : NULL;
	hasher->class_hash = wf_alloc(host, (size_t) schema->n_classes + 1, sizeof(uint64_t));
	for (int k = 0; k < schema->n_classes; k++)
		hasher->class_hash[k] = wf_hash_bytes(schema->labels[k], strlen(schema->labels[k]), 0) | 1;
	return hasher;
}

void
wf_row_hasher_destroy(WfRowHasher *hasher)
{
	wf_release(hasher->host, hasher->cells);
	wf_release(hasher->host, hasher->class_hash);
	wf_release(hasher->host, hasher);
}

static void
add_cells(const WfCellColumn *column, uint64_t key, const WfCell *cells, uint32_t n, uint64_t *hash)
{
	if (column->kind == WF_CELL_NUMBER)
	{
		/* a frame keeps one zero and one NaN */
		uint32_t	r = 0;

		for (; r + 4 <= n; r += 4)
			for (uint32_t l = r; l < r + 4; l++)
				hash[l] += (uint64_t) (cells[l].code ^ WF_NAN_BITS) * key;
		for (; r < n; r++)
			hash[r] += (uint64_t) (cells[r].code ^ WF_NAN_BITS) * key;
		return;
	}
	for (uint32_t r = 0; r < n; r++)
	{
		uint32_t	code = cells[r].code;

		if (code == WF_CODE_MISSING)
			continue;
		hash[r] += (column->kind == WF_CELL_CODE ? wf_dict_hash(column->dict, code) | 1
					: column->tags->lists[code].hash | 1) * key;
	}
}

void
wf_row_hashes(const WfRowHasher *hasher, const WfFrameScan *scan, uint64_t *hash)
{
	uint32_t	n = scan->count;

	for (uint32_t r = 0; r < n; r++)
	{
		double		target = wf_frame_target(hasher->frame, scan->first_row + r);
		uint64_t	word;

		if (hasher->class_of_code)
			word = hasher->class_hash[hasher->class_of_code[(uint32_t) target]];
		else
			memcpy(&word, &target, sizeof(word));
		/* mixed, because doubles of small integers differ in their upper bits only */
		hash[r] = wf_mix(word) * hasher->target_key +
			wf_frame_identity(hasher->frame, scan->first_row + r) * hasher->identity_key;
	}
	/* a few rows at a time, whose sums stay in the nearest cache */
	for (uint32_t from = 0; from < n; from += ROWS_AT_ONCE)
		for (int i = 0; i < hasher->n; i++)
			add_cells(&hasher->frame->columns[hasher->cells[i].cell], hasher->cells[i].key,
					  scan->cells[hasher->cells[i].cell] + from,
					  n - from < ROWS_AT_ONCE ? n - from : ROWS_AT_ONCE, hash + from);
}

void
wf_seen_of_frame(WfHost *host, const WfSchema *schema, WfFrame *frame,
				 const uint16_t *class_of_code, WfBytes *out)
{
	WfRowHasher *hasher = wf_row_hasher_create(host, schema, frame, class_of_code, NULL);
	uint64_t   *hash = wf_alloc(host, WF_FRAME_BLOCK, sizeof(uint64_t));
	WfFrameScan scan;

	wf_bytes_init(out, host);
	wf_seen_begin(out, wf_frame_n_rows(frame));
	wf_frame_scan_begin(frame, &scan);
	while (wf_frame_scan_next(&scan))
	{
		wf_row_hashes(hasher, &scan, hash);
		for (uint32_t r = 0; r < scan.count; r++)
			wf_seen_add(out, hash[r]);
		host->check(host);
	}
	wf_frame_scan_end(&scan);
	wf_release(host, hash);
	wf_row_hasher_destroy(hasher);
}
