/*-------------------------------------------------------------------------
 * walk.c
 *	  Walking packed trees, several at a time.
 *
 * A walk waits for memory at every node of a large tree.  LANES walks go
 * side by side, one step each in turn, so that their waits overlap; a lane
 * that reaches a leaf takes the next tree (or the next row of a block).
 *-------------------------------------------------------------------------
 */
#include "core/treeforms.h"

/* Measured: 8 to 16 are alike, more spill out of the first-level cache's ports. */
#define LANES 12
/* Walks whose leaves are kept before they are added, in order. */
#define BATCH 128

static const uint64_t no_bits[1][4];

typedef struct Lane
{
	const uint32_t *at;
	const uint8_t *slots;
	const uint64_t (*bitsets)[4];
	uint32_t	job;
} Lane;

/* What a batch walks: trees first.. for one row, or one tree for rows. */
typedef struct Batch
{
	const WfEnsemble *e;
	const uint8_t *slots;
	uint32_t	first;			/* tree */
	uint32_t	n;				/* jobs */
	bool		by_row;
} Batch;

static inline void
start(const Batch *b, Lane *lane, uint32_t job)
{
	const WfTreeEntry *tree = &b->e->directory[b->by_row ? b->first : b->first + job];

	lane->at = b->e->words + tree->first_word;
	/* Steps read a bitset at number splits too, so there must be one. */
	lane->bitsets = tree->n_bitsets ? b->e->bitsets + tree->first_bitset : no_bits;
	lane->slots = b->by_row ? b->slots + (size_t) job * b->e->header->n_slots : b->slots;
	lane->job = job;
}

/* The node after a split at "at". */
static inline const uint32_t *
step(const Lane *lane, const uint8_t *slot_flags, bool wide, bool category)
{
	const uint32_t *at = lane->at;
	uint32_t	w = *at;
	uint32_t	slot = wide ? w & 0xffff : w & 0xff;
	uint32_t	cut = wide ? w >> 16 : w >> 8 & 0xff;
	uint32_t	skip = wide ? at[1] : w >> 16;
	uint32_t	words = wide ? 2 : 1;
	uint32_t	bin = lane->slots[slot];
	uint32_t	right;

	if (!wide && __builtin_expect(skip == 0, 0))
		skip = at[words++];
	right = bin > cut;
	/* By arithmetic: branches here would be wrong every other time. */
	if (category)
	{
		uint32_t	is = slot_flags[slot] & WF_SLOT_CATEGORY;
		const uint64_t *bits = lane->bitsets[at[words] & (0 - is)];
		uint32_t	out = ~(uint32_t) (bits[bin >> 6] >> (bin & 63)) & 1;

		right = (right & ~is) | (out & is);
		words += is;
	}
	return at + (words + ((skip - words) & (0 - right)));
}

__attribute__((always_inline))
static inline void
walk_lanes(const Batch *b, uint32_t *payload, bool wide, bool category)
{
	const uint8_t *slot_flags = b->e->slot_flags;
	Lane		lanes[LANES];
	uint32_t	n_lanes = b->n < LANES ? b->n : LANES;
	uint32_t	next = n_lanes;

	for (uint32_t i = 0; i < n_lanes; i++)
		start(b, &lanes[i], i);
	while (n_lanes > 0)
	{
		for (uint32_t i = 0; i < n_lanes; i++)
		{
			Lane	   *lane = &lanes[i];
			uint32_t	w = *lane->at;

			if (wide ? (w & 0xffff) == WF_NO_SLOT : (w & 0xff) == WF_LEAF_BYTE)
			{
				payload[lane->job] = wide ? lane->at[1] : w >> 8;
				if (next < b->n)
					start(b, lane, next++);
				else
					*lane = lanes[--n_lanes];
			}
			else
				lane->at = step(lane, slot_flags, wide, category);
		}
	}
}

static void
walk_batch(const Batch *b, uint32_t *payload)
{
	if (b->e->header->wide)
		walk_lanes(b, payload, true, true);
	else if (b->e->header->has_category)
		walk_lanes(b, payload, false, true);
	else
		walk_lanes(b, payload, false, false);
}

void
wf_walk_row(const WfEnsemble *e, const uint8_t *slots, double *sums)
{
	uint32_t	payload[BATCH];
	uint32_t	n = e->header->n_trees;

	for (uint32_t t = 0; t < n; t += BATCH)
	{
		Batch		b = {e, slots, t, n - t < BATCH ? n - t : BATCH, false};

		walk_batch(&b, payload);
		for (uint32_t i = 0; i < b.n; i++)
			wf_leaf_add(e, t + i, payload[i], sums);
	}
}

void
wf_walk_rows(const WfEnsemble *e, const uint8_t *slots, size_t n, double *sums)
{
	uint32_t	payload[BATCH];

	for (size_t r = 0; r < n; r += BATCH)
	{
		Batch		b = {e, slots + r * e->header->n_slots, 0, n - r < BATCH ? (uint32_t) (n - r) : BATCH, true};

		for (b.first = 0; b.first < e->header->n_trees; b.first++)
		{
			walk_batch(&b, payload);
			for (uint32_t i = 0; i < b.n; i++)
				wf_leaf_add(e, b.first, payload[i], sums + (r + i) * e->header->n_outputs);
		}
	}
}
