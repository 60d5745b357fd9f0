/*-------------------------------------------------------------------------
 * records.c
 *	  Partition of records in place, and their way through a tree.
 *
 * The partition looks at blocks of records at both ends, notes the misplaced
 * ones without a branch, and swaps them pairwise (BlockQuicksort, Edelkamp
 * and Weiss 2016): the sides of a good split cannot be predicted, and a
 * mispredicted branch costs more than moving a record.
 *-------------------------------------------------------------------------
 */
#include "core/records.h"

#include "core/dataset.h"

#define BLOCK 128
/* Blocks between two polls of the host. */
#define POLL_BLOCKS 512

static inline void
swap_records(uint8_t *a, uint8_t *b, size_t stride)
{
	while (stride >= 16)
	{
		uint64_t	x[2];
		uint64_t	y[2];

		memcpy(x, a, 16);
		memcpy(y, b, 16);
		memcpy(a, y, 16);
		memcpy(b, x, 16);
		a += 16;
		b += 16;
		stride -= 16;
	}
	while (stride >= 4)
	{
		uint32_t	x;
		uint32_t	y;

		memcpy(&x, a, 4);
		memcpy(&y, b, 4);
		memcpy(a, &y, 4);
		memcpy(b, &x, 4);
		a += 4;
		b += 4;
		stride -= 4;
	}
}

/* Fewer than 2 blocks: flag all, then swap what is on the wrong side of the count. */
static inline __attribute__((always_inline)) size_t
split_rest(uint8_t *rows, size_t n, size_t stride, const uint8_t *bin, const uint8_t *left)
{
	uint8_t		flag[2 * BLOCK];
	uint8_t		front[2 * BLOCK];
	size_t		n_left = 0;
	size_t		n_front = 0;
	size_t		k = 0;

	for (size_t i = 0; i < n; i++)
	{
		flag[i] = left[bin[i * stride]];
		n_left += flag[i];
	}
	for (size_t i = 0; i < n_left; i++)
	{
		front[n_front] = (uint8_t) i;
		n_front += !flag[i];
	}
	for (size_t i = n_left; k < n_front; i++)
		if (flag[i])
			swap_records(rows + (size_t) front[k++] * stride, rows + i * stride, stride);
	return n_left;
}

static inline __attribute__((always_inline)) size_t
split_blocks(WfHost *host, uint8_t *rows, size_t n, size_t stride, uint32_t feature, const uint8_t *left)
{
	uint8_t		front[BLOCK];
	uint8_t		back[BLOCK];
	size_t		n_front = 0;
	size_t		n_back = 0;
	size_t		at_front = 0;
	size_t		at_back = 0;
	size_t		low = 0;
	size_t		high = n;
	unsigned	polls = 0;

	while (high - low >= 2 * BLOCK)
	{
		size_t		m;

		if (n_front == 0)
		{
			const uint8_t *bin = rows + low * stride + feature;

			at_front = 0;
			for (int i = 0; i < BLOCK; i++, bin += stride)
			{
				front[n_front] = (uint8_t) i;
				n_front += !left[*bin];
			}
		}
		if (n_back == 0)
		{
			const uint8_t *bin = rows + (high - 1) * stride + feature;

			at_back = 0;
			for (int i = 0; i < BLOCK; i++, bin -= stride)
			{
				back[n_back] = (uint8_t) i;
				n_back += left[*bin];
			}
		}
		m = n_front < n_back ? n_front : n_back;
		for (size_t k = 0; k < m; k++)
			swap_records(rows + (low + front[at_front + k]) * stride,
						 rows + (high - 1 - back[at_back + k]) * stride, stride);
		at_front += m;
		at_back += m;
		n_front -= m;
		n_back -= m;
		if (n_front == 0)
			low += BLOCK;
		if (n_back == 0)
			high -= BLOCK;
		if (++polls % POLL_BLOCKS == 0)
			host->check(host);
	}
	/* A block begun at one end is looked at again. */
	return low + split_rest(rows + low * stride, high - low, stride, rows + low * stride + feature, left);
}

size_t
wf_records_split(WfHost *host, const WfRecords *r, size_t begin, size_t n,
				 uint32_t feature, const uint8_t *left)
{
	uint8_t    *rows = wf_record(r, begin);

	if (r->stride == 32)		/* up to twenty features: constant offsets are worth a copy of the code */
		return split_blocks(host, rows, n, 32, feature, left);
	return split_blocks(host, rows, n, r->stride, feature, left);
}

size_t
wf_records_select(WfHost *host, const WfRecords *r, size_t begin, size_t n,
				  WfRowTest test, const void *arg)
{
	size_t		low = begin;
	size_t		high = begin + n;
	unsigned	polls = 0;

	while (low < high)
	{
		if (test(arg, wf_record_word(wf_record(r, low), r->id_at)))
			low++;
		else
		{
			high--;
			swap_records(wf_record(r, low), wf_record(r, high), r->stride);
		}
		if (++polls % (POLL_BLOCKS * BLOCK) == 0)
			host->check(host);
	}
	return low - begin;
}

uint32_t
wf_record_leaf(const WfGrownTree *tree, const uint8_t *is_category, const uint8_t *record)
{
	uint32_t	at = 0;

	while (tree->nodes[at].left != 0)
	{
		const WfGrownNode *node = &tree->nodes[at];
		uint8_t		bin = record[node->feature];
		bool		left;

		if (is_category[node->feature])
			left = (tree->bitsets[node->bitset][bin >> 6] >> (bin & 63)) & 1;
		else if (bin == WF_MISSING_BIN)
			left = node->missing_left;
		else
			left = bin <= node->bin;
		at = left ? node->left : node->right;
	}
	return at;
}
