/*-------------------------------------------------------------------------
 * order.c
 *	  The canonical order of rows: a radix sort of their hashes.
 *
 * One 64-bit word a row, upper 32 bits of the hash beside the row's number,
 * is sorted by as many leading bits as make ties rare; the few rows that are
 * still tied are then put in order by all 128 bits.
 *-------------------------------------------------------------------------
 */
#include "core/frame_private.h"

#include <string.h>

#define DIGIT_BITS 11
#define DIGITS (1 << DIGIT_BITS)
#define CHECK_EVERY 65536

static bool
row_after(const WfFrame *frame, uint32_t a, uint32_t b)
{
	const WfChunk *ca = &frame->chunks[a >> WF_CHUNK_SHIFT];
	const WfChunk *cb = &frame->chunks[b >> WF_CHUNK_SHIFT];
	uint32_t	ia = a & WF_CHUNK_MASK,
				ib = b & WF_CHUNK_MASK;

	if (ca->hash_high[ia] != cb->hash_high[ib])
		return ca->hash_high[ia] > cb->hash_high[ib];
	return ca->hash_low[ia] > cb->hash_low[ib];
}

/* One stable pass over from by the digit at shift. */
static void
radix_pass(WfHost *host, const uint64_t *from, uint64_t *to, size_t n, int shift)
{
	uint32_t	at[DIGITS] = {0};
	uint32_t	sum = 0;

	for (size_t begin = 0; begin < n; begin += CHECK_EVERY)
	{
		size_t		end = begin + CHECK_EVERY < n ? begin + CHECK_EVERY : n;

		for (size_t i = begin; i < end; i++)
			at[(from[i] >> shift) & (DIGITS - 1)]++;
		host->check(host);
	}
	for (int d = 0; d < DIGITS; d++)
	{
		uint32_t	count = at[d];

		at[d] = sum;
		sum += count;
	}
	for (size_t begin = 0; begin < n; begin += CHECK_EVERY)
	{
		size_t		end = begin + CHECK_EVERY < n ? begin + CHECK_EVERY : n;

		for (size_t i = begin; i < end; i++)
			to[at[(from[i] >> shift) & (DIGITS - 1)]++] = from[i];
		host->check(host);
	}
}

/* Are all rows of a run the same row?  The usual reason of a long run. */
static bool
all_equal(const WfFrame *frame, const uint64_t *run, size_t n)
{
	for (size_t i = 1; i < n; i++)
	{
		if (row_after(frame, (uint32_t) run[i], (uint32_t) run[0]) ||
			row_after(frame, (uint32_t) run[0], (uint32_t) run[i]))
			return false;
		if ((i & (CHECK_EVERY - 1)) == 0)
			frame->host->check(frame->host);
	}
	return true;
}

/* Stable merge sort of a run by the whole hash; scratch has room for it. */
static void
sort_run(const WfFrame *frame, uint64_t *run, uint64_t *scratch, size_t n)
{
	uint64_t   *from = run,
			   *to = scratch;
	size_t		merged = 0;

	for (size_t width = 1; width < n; width *= 2)
	{
		uint64_t   *swap = from;

		for (size_t begin = 0; begin < n; begin += 2 * width)
		{
			size_t		middle = begin + width < n ? begin + width : n;
			size_t		end = middle + width < n ? middle + width : n;
			size_t		i = begin,
						j = middle;

			for (size_t k = begin; k < end; k++)
				if (j >= end ||
					(i < middle && !row_after(frame, (uint32_t) from[i], (uint32_t) from[j])))
					to[k] = from[i++];
				else
					to[k] = from[j++];
			merged += end - begin;
			if (merged >= CHECK_EVERY)
			{
				merged = 0;
				frame->host->check(frame->host);
			}
		}
		from = to;
		to = swap;
	}
	if (from != run)
		memcpy(run, from, n * sizeof(uint64_t));
}

/* Rows that share the sorted bits (those from shift on). */
static void
repair_ties(const WfFrame *frame, uint64_t *words, uint64_t *scratch, size_t n, int shift)
{
	size_t		since_check = 0;

	for (size_t begin = 0, end; begin < n; begin = end)
	{
		for (end = begin + 1; end < n && words[end] >> shift == words[begin] >> shift; end++)
			;
		since_check += end - begin;
		if (since_check >= CHECK_EVERY)
		{
			since_check = 0;
			frame->host->check(frame->host);
		}
		if (end - begin == 2)
		{
			if (row_after(frame, (uint32_t) words[begin], (uint32_t) words[begin + 1]))
			{
				uint64_t	swap = words[begin];

				words[begin] = words[begin + 1];
				words[begin + 1] = swap;
			}
		}
		else if (end - begin > 2 && !all_equal(frame, words + begin, end - begin))
			sort_run(frame, words + begin, scratch, end - begin);
	}
}

uint32_t *
wf_frame_ranks(WfFrame *frame)
{
	WfHost	   *host = frame->host;
	size_t		n = (size_t) frame->n_rows;
	uint64_t   *words = wf_alloc(host, n, sizeof(uint64_t));
	uint64_t   *other = wf_alloc(host, n, sizeof(uint64_t));
	uint32_t   *rank;
	int			passes = n < ((size_t) 1 << 20) ? 2 : 3;
	int			shift = 64 - passes * DIGIT_BITS;

	/* Three digits reach one bit into the row's number, which is in order anyway. */
	for (size_t i = 0; i < n; i++)
	{
		words[i] = (wf_frame_hash(frame, i) & ~(uint64_t) UINT32_MAX) | i;
		if ((i & (CHECK_EVERY - 1)) == 0)
			host->check(host);
	}
	for (int p = 0; p < passes; p++)
	{
		uint64_t   *swap = words;

		radix_pass(host, words, other, n, shift + p * DIGIT_BITS);
		words = other;
		other = swap;
	}
	repair_ties(frame, words, other, n, shift > 32 ? shift : 32);
	wf_release(host, other);
	rank = wf_alloc(host, n, sizeof(uint32_t));
	for (size_t i = 0; i < n; i++)
	{
		rank[(uint32_t) words[i]] = (uint32_t) i;
		if ((i & (CHECK_EVERY - 1)) == 0)
			host->check(host);
	}
	wf_release(host, words);
	return rank;
}
