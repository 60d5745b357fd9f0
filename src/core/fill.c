/*-------------------------------------------------------------------------
 * fill.c
 *	  The cells of a frame into the rows of a data set.
 *
 * A strip of rows at a time: bins are found column by column into a small
 * table that stays in cache, then written row by row to where the row's rank
 * puts it.
 *-------------------------------------------------------------------------
 */
#include "core/fill.h"

#include <string.h>

#include "core/hash.h"

/* Bytes of the table of bins, about. */
#define STRIP_BYTES ((size_t) 256 << 10)
#define STRIP_ROWS_MIN 64

typedef struct Filler
{
	const WfSchema *schema;
	WfFrame    *frame;
	WfDataset  *data;
	const uint32_t *rank;
	uint32_t	strip;			/* rows at a time, also the pitch of bins */
	uint8_t    *bins;			/* by feature, then row of the strip; zeros up to 8 features */
	uint16_t  **feature_of_tag; /* by column: element's code → 1 + feature within the column, 0 = none */
} Filler;

static void
open_tags(WfHost *host, Filler *fill)
{
	const WfSchema *schema = fill->schema;

	fill->feature_of_tag = wf_alloc_zero(host, (size_t) schema->n_columns, sizeof(uint16_t *));
	for (int f = 0; f < schema->n_features; f++)
	{
		const WfFeature *feature = &schema->features[f];
		const WfColumn *column = &schema->columns[feature->column];

		if (feature->part != WF_PART_TAG)
			continue;
		if (fill->feature_of_tag[feature->column] == NULL)
			fill->feature_of_tag[feature->column] =
				wf_alloc_zero(host, wf_dict_size(column->dict), sizeof(uint16_t));
		fill->feature_of_tag[feature->column][feature->element] = (uint16_t) (f - column->first_feature + 1);
	}
}

static void
close_tags(WfHost *host, Filler *fill)
{
	for (int c = 0; c < fill->schema->n_columns; c++)
		wf_release(host, fill->feature_of_tag[c]);
	wf_release(host, fill->feature_of_tag);
}

/* All indicators of a tags column at once: f is its first feature. */
static void
bin_tags(const Filler *fill, int f, const WfCell *cells, uint32_t count)
{
	const WfFeature *feature = &fill->schema->features[f];
	const WfColumn *column = &fill->schema->columns[feature->column];
	const uint16_t *feature_of = fill->feature_of_tag[feature->column];
	uint8_t    *bins = fill->bins + (size_t) f * fill->strip;

	for (int t = 0; t < column->n_features; t++)
		for (uint32_t r = 0; r < count; r++)
			bins[(size_t) t * fill->strip + r] = cells[r].code == WF_CODE_MISSING ? WF_MISSING_BIN : 0;
	for (uint32_t r = 0; r < count; r++)
	{
		const uint32_t *codes;
		int			n;

		if (cells[r].code == WF_CODE_MISSING)
			continue;
		codes = wf_frame_tags(fill->frame, feature->cell, cells[r].code, &n);
		for (int i = 0; i < n; i++)
			if (feature_of[codes[i]])
				bins[(size_t) (feature_of[codes[i]] - 1) * fill->strip + r] = 1;
	}
}

/* The bins of count rows of feature f from cells on. */
static void
bin_feature(const Filler *fill, int f, const WfCell *cells, uint32_t count)
{
	const WfFeature *feature = &fill->schema->features[f];
	const WfDataset *data = fill->data;
	uint8_t    *bins = fill->bins + (size_t) f * fill->strip;

	if (feature->category)
		for (uint32_t r = 0; r < count; r++)
			bins[r] = cells[r].code == WF_CODE_MISSING ? WF_MISSING_BIN : feature->bin_of_code[cells[r].code];
	else if (feature->group)
		memset(bins, 0, count);
	else if (feature->part == WF_PART_TAG)
	{
		if (fill->schema->columns[feature->column].first_feature == f)
			bin_tags(fill, f, cells, count);
	}
	else
		wf_bins_assign(&cells->number, count, data->cuts + data->first_cut[f], data->n_bins[f] - 1, bins, 1);
	if (!data->has_missing[f] && memchr(bins, WF_MISSING_BIN, count))
		data->has_missing[f] = 1;
}

/* The lower half of a and the upper one of b change places, in each field of two times "bits". */
#define SWAP(a, b, bits, mask) \
	do { \
		uint64_t	t_ = ((a >> (bits)) ^ b) & UINT64_C(mask); \
		b ^= t_; \
		a ^= t_ << (bits); \
	} while (0)

/*
 * Bins of eight rows from feature f on, of eight features or of the last
 * four: eight words of eight bytes are transposed, squares of 4, 2 and 1
 * bytes at a time.  The table has columns of zeros up to a multiple of eight.
 */
static inline void
write_square(const Filler *fill, const uint8_t *bins, const uint32_t *rank, uint32_t f)
{
	const WfDataset *data = fill->data;
	size_t		pitch = fill->strip;
	size_t		stride = data->stride;
	uint8_t    *at = data->rows + f;

	/* Not an array: words stay in registers. */
	uint64_t	w0 = wf_load_le64(bins += f * pitch);
	uint64_t	w1 = wf_load_le64(bins += pitch);
	uint64_t	w2 = wf_load_le64(bins += pitch);
	uint64_t	w3 = wf_load_le64(bins += pitch);
	uint64_t	w4 = wf_load_le64(bins += pitch);
	uint64_t	w5 = wf_load_le64(bins += pitch);
	uint64_t	w6 = wf_load_le64(bins += pitch);
	uint64_t	w7 = wf_load_le64(bins += pitch);

	SWAP(w0, w4, 32, 0x00000000ffffffff);
	SWAP(w1, w5, 32, 0x00000000ffffffff);
	SWAP(w2, w6, 32, 0x00000000ffffffff);
	SWAP(w3, w7, 32, 0x00000000ffffffff);
	SWAP(w0, w2, 16, 0x0000ffff0000ffff);
	SWAP(w1, w3, 16, 0x0000ffff0000ffff);
	SWAP(w4, w6, 16, 0x0000ffff0000ffff);
	SWAP(w5, w7, 16, 0x0000ffff0000ffff);
	SWAP(w0, w1, 8, 0x00ff00ff00ff00ff);
	SWAP(w2, w3, 8, 0x00ff00ff00ff00ff);
	SWAP(w4, w5, 8, 0x00ff00ff00ff00ff);
	SWAP(w6, w7, 8, 0x00ff00ff00ff00ff);

#define STORE(size, type) \
	do { \
		wf_store_le##size(at + rank[0] * stride, (type) w0); \
		wf_store_le##size(at + rank[1] * stride, (type) w1); \
		wf_store_le##size(at + rank[2] * stride, (type) w2); \
		wf_store_le##size(at + rank[3] * stride, (type) w3); \
		wf_store_le##size(at + rank[4] * stride, (type) w4); \
		wf_store_le##size(at + rank[5] * stride, (type) w5); \
		wf_store_le##size(at + rank[6] * stride, (type) w6); \
		wf_store_le##size(at + rank[7] * stride, (type) w7); \
	} while (0)

	if (data->payload_at - f >= 8)
		STORE(64, uint64_t);
	else
		STORE(32, uint32_t);
#undef STORE
}

/* Records of count rows; rank points to theirs. */
static void
write_records(const Filler *fill, const uint32_t *rank, uint32_t count)
{
	const WfDataset *data = fill->data;
	uint32_t	r = 0;

	for (; r + 8 <= count; r += 8)
		for (uint32_t f = 0; f < data->payload_at; f += 8)
			write_square(fill, fill->bins + r, rank + r, f);
	for (; r < count; r++)
		for (uint32_t f = 0; f < data->d; f++)
			data->rows[(size_t) rank[r] * data->stride + f] = fill->bins[(size_t) f * fill->strip + r];
	if (data->stride > data->payload_at)
		for (r = 0; r < count; r++)
			memcpy(data->rows + (size_t) rank[r] * data->stride + data->payload_at, &rank[r], sizeof(uint32_t));
}

/* A group's number, NaN when it has none. */
static void
write_groups(const Filler *fill, const WfFeature *feature, uint32_t f, const WfCell *cells,
			 const uint32_t *rank, uint32_t count)
{
	WfDataset  *data = fill->data;

	for (uint32_t r = 0; r < count; r++)
	{
		uint32_t	number = cells[r].code == WF_CODE_MISSING ? WF_CODE_MISSING : feature->group_of_code[cells[r].code];

		data->values[(size_t) rank[r] * data->d + f] =
			number == WF_CODE_MISSING ? __builtin_nanf("") : (float) number;
	}
}

static void
write_values(const Filler *fill, const WfFrameScan *scan, uint32_t from, uint32_t count)
{
	WfDataset  *data = fill->data;
	const uint32_t *rank = fill->rank + scan->first_row + from;

	for (uint32_t f = 0; f < data->d; f++)
	{
		const WfFeature *feature = &fill->schema->features[f];
		const WfCell *cells = scan->cells[feature->cell] + from;
		const uint8_t *bins = fill->bins + (size_t) f * fill->strip;
		bool		coded = feature->category || feature->part == WF_PART_TAG;

		if (feature->group)
		{
			write_groups(fill, feature, f, cells, rank, count);
			continue;
		}
		for (uint32_t r = 0; r < count; r++)
		{
			float		x = !coded ? cells[r].number
				: bins[r] == WF_MISSING_BIN ? __builtin_nanf("") : (float) bins[r];

			data->values[(size_t) rank[r] * data->d + f] = x;
		}
	}
}

void
wf_dataset_fill(WfHost *host, const WfSchema *schema, WfFrame *frame,
				const uint32_t *rank, WfDataset *data)
{
	Filler		fill = {.schema = schema, .frame = frame, .data = data, .rank = rank};
	WfFrameScan scan;
	size_t		strip = STRIP_BYTES / data->d;
	size_t		columns;

	strip = strip > WF_FRAME_BLOCK ? WF_FRAME_BLOCK : strip < STRIP_ROWS_MIN ? STRIP_ROWS_MIN : strip;
	fill.strip = (uint32_t) strip;
	columns = ((size_t) data->d + 7) & ~(size_t) 7;
	fill.bins = wf_alloc(host, columns, strip);
	memset(fill.bins + data->d * strip, 0, (columns - data->d) * strip);
	open_tags(host, &fill);
	wf_frame_scan_begin(frame, &scan);
	while (wf_frame_scan_next(&scan))
	{
		for (uint32_t from = 0; from < scan.count; from += fill.strip)
		{
			uint32_t	count = scan.count - from < fill.strip ? scan.count - from : fill.strip;

			for (uint32_t f = 0; f < data->d; f++)
				bin_feature(&fill, (int) f, scan.cells[schema->features[f].cell] + from, count);
			if (data->layout == WF_LAYOUT_BINS)
				write_records(&fill, rank + scan.first_row + from, count);
			else
				write_values(&fill, &scan, from, count);
			host->check(host);
		}
		host->progress(host, WF_PHASE_PREPARE,
					   ((uint64_t) data->n + scan.first_row + scan.count) / 2, data->n);
	}
	wf_frame_scan_end(&scan);
	close_tags(host, &fill);
	wf_release(host, fill.bins);
}
