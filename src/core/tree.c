/*-------------------------------------------------------------------------
 * tree.c
 *	  Writing trees: slots, packed words, and the "TREE" section.
 *
 * Packing goes over a tree three times: down, to put its nodes in preorder;
 * backwards, which meets children before parents, to know the words of every
 * subtree; and forwards again to write.  Nothing recurses, so a tree may be
 * a chain of a million nodes.
 *-------------------------------------------------------------------------
 */
#include "core/tree.h"

#include <string.h>

#include "core/rng.h"

/* ---- slots ---- */

WfSlots *
wf_slots_create(WfHost *host, uint32_t d, const uint8_t *is_category, const uint8_t *has_missing)
{
	WfSlots    *slots = wf_alloc(host, 1, sizeof(*slots));
	uint32_t	n = d;

	if (d >= WF_NO_SLOT)
		host->fail(host, WF_E_LIMIT, WF_HINT_NONE, "trees cannot have %u features", d);
	for (uint32_t f = 0; f < d; f++)
		n += !is_category[f] && has_missing[f];
	/* With tens of thousands of features the last ones send missing right only. */
	if (n >= WF_NO_SLOT)
		n = WF_NO_SLOT - 1;

	slots->n_slots = n;
	slots->wide = n > WF_NARROW_SLOTS;
	slots->slot_feature = wf_alloc(host, n, sizeof(uint16_t));
	slots->slot_flags = wf_alloc(host, n, 1);
	slots->right_slot = wf_alloc(host, d, sizeof(uint16_t));
	slots->left_slot = wf_alloc(host, d, sizeof(uint16_t));

	n = d;
	for (uint32_t f = 0; f < d; f++)
	{
		slots->slot_feature[f] = (uint16_t) f;
		slots->slot_flags[f] = is_category[f] ? WF_SLOT_CATEGORY : 0;
		slots->right_slot[f] = (uint16_t) f;
		slots->left_slot[f] = WF_NO_SLOT;
		if (!is_category[f] && has_missing[f] && n < slots->n_slots)
		{
			slots->slot_feature[n] = (uint16_t) f;
			slots->slot_flags[n] = WF_SLOT_MISSING_LEFT;
			slots->left_slot[f] = (uint16_t) n++;
		}
	}
	return slots;
}

/* ---- one tree ---- */

typedef struct Packing
{
	WfHost	   *host;
	const WfSlots *slots;
	WfLeafKind	leaf;
	uint64_t	n_payloads;		/* leaves' payloads are below this */
	const WfGrownTree *tree;
	uint32_t   *order;			/* node numbers in preorder */
	uint32_t   *size;			/* by node: words of its subtree */
	uint32_t   *depth;			/* by node: splits above it */
	uint32_t   *bitset;			/* by the grower's bitset: its number among those kept */
	WfTreeEntry entry;
} Packing;

static void
bad_tree(Packing *p)
{
	p->host->fail(p->host, WF_E_INTERNAL, WF_HINT_NONE, "a grown tree is not a tree");
}

static void
large_tree(Packing *p)
{
	p->host->fail(p->host, WF_E_LIMIT, "Raise \"min_samples_leaf\" or lower \"max_depth\".",
				  "a tree has too many nodes");
}

/*
 * Keep each bitset once: deep trees ask a category with few levels the same
 * question again and again.  Open addressing, at most half full.
 */
static void
number_bitsets(Packing *p)
{
	const WfGrownTree *tree = p->tree;
	uint32_t	n = tree->n_bitsets;
	size_t		size = 2;
	uint32_t   *table;			/* 1 + the grower's number, 0: free */

	if (n == 0)
		return;
	while (size < 2 * (size_t) n)
		size *= 2;
	p->bitset = wf_alloc(p->host, n, sizeof(uint32_t));
	table = wf_alloc_zero(p->host, size, sizeof(uint32_t));
	for (uint32_t i = 0; i < n; i++)
	{
		const uint64_t *b = tree->bitsets[i];
		size_t		at = wf_rng(wf_rng(b[0], b[1]), wf_rng(b[2], b[3])) & (size - 1);

		while (table[at] && memcmp(tree->bitsets[table[at] - 1], b, sizeof(uint64_t[4])) != 0)
			at = (at + 1) & (size - 1);
		if (table[at])
			p->bitset[i] = p->bitset[table[at] - 1];
		else
		{
			table[at] = i + 1;
			p->bitset[i] = p->entry.n_bitsets++;
		}
	}
	wf_release(p->host, table);
}

/*
 * Put the nodes in preorder.  The stack of right children still to visit
 * shares the array "size", which is not needed yet.
 */
static void
order_nodes(Packing *p)
{
	uint32_t	n = p->tree->n_nodes;
	uint32_t   *stack = p->size;
	uint32_t	top = 0;
	uint32_t	visited = 0;
	uint32_t	at = 0;

	if (n == 0)
		bad_tree(p);
	p->depth[0] = 0;
	for (;;)
	{
		const WfGrownNode *node = &p->tree->nodes[at];

		if (visited == n)
			bad_tree(p);		/* a node has two parents */
		p->order[visited++] = at;
		if (p->depth[at] > p->entry.depth)
			p->entry.depth = p->depth[at];
		if (node->left != 0)
		{
			if (node->left >= n || node->right >= n || node->right == 0 || top == n)
				bad_tree(p);
			p->depth[node->left] = p->depth[node->right] = p->depth[at] + 1;
			stack[top++] = node->right;
			at = node->left;
		}
		else if (top > 0)
			at = stack[--top];
		else
			break;
	}
	if (visited != n)
		bad_tree(p);
}

static uint16_t
slot_of(Packing *p, const WfGrownNode *node)
{
	const WfSlots *slots = p->slots;
	uint16_t	slot = slots->right_slot[node->feature];

	if (slots->slot_flags[slot] & WF_SLOT_CATEGORY)
	{
		if (node->bitset >= p->tree->n_bitsets)
			bad_tree(p);
	}
	else
	{
		if (node->bin == WF_MISSING_BIN)
			bad_tree(p);
		/* A feature without a slot for it never was missing in training. */
		if (node->missing_left && slots->left_slot[node->feature] != WF_NO_SLOT)
			slot = slots->left_slot[node->feature];
	}
	return slot;
}

static bool
is_category(const Packing *p, uint16_t slot)
{
	return (p->slots->slot_flags[slot] & WF_SLOT_CATEGORY) != 0;
}

/* Words of a split itself; left: words of its left subtree. */
static uint32_t
split_words(const Packing *p, uint16_t slot, uint32_t left)
{
	uint32_t	words = p->slots->wide ? 2 : 1;

	if (is_category(p, slot))
		words++;
	if (!p->slots->wide && words + left > WF_MAX_SHORT_SKIP)
		words++;
	return words;
}

/* Words of every subtree, and the counts of the entry. */
static void
measure(Packing *p)
{
	WfTreeEntry *entry = &p->entry;
	uint32_t	n = p->tree->n_nodes;

	for (uint32_t i = n; i-- > 0;)
	{
		uint32_t	at = p->order[i];
		const WfGrownNode *node = &p->tree->nodes[at];
		uint64_t	words;

		if (node->left == 0)
		{
			words = p->slots->wide ? 2 : 1;
			if (p->leaf == WF_LEAF_VALUE)
				p->n_payloads = ++entry->n_floats;
			else if (node->payload >= p->n_payloads)
				bad_tree(p);
		}
		else
		{
			uint32_t	left = p->size[node->left];

			words = (uint64_t) left + p->size[node->right] + split_words(p, slot_of(p, node), left);
			entry->n_splits++;
		}
		if (words > WF_MAX_TREE_WORDS)
			large_tree(p);
		p->size[at] = (uint32_t) words;
	}
	entry->n_words = p->size[0];
	if (!p->slots->wide && p->n_payloads > WF_MAX_PAYLOAD)
		large_tree(p);
}

/* Share of the weight that went left, in 1/65536, never 0 or all. */
static uint16_t
ratio_of(const WfGrownNode *nodes, const WfGrownNode *node)
{
	double		left = nodes[node->left].weight;
	double		right = nodes[node->right].weight;
	double		ratio = left / (left + right) * 65536.0 + 0.5;

	if (!(ratio >= 1.0))
		return 1;
	return ratio >= 65535.0 ? 65535 : (uint16_t) ratio;
}

static uint32_t *
put_split(const Packing *p, uint32_t *w, uint16_t slot, const WfGrownNode *node)
{
	uint32_t	left = p->size[node->left];
	uint32_t	skip = split_words(p, slot, left) + left;
	bool		category = is_category(p, slot);
	uint32_t	bin = category ? 0 : node->bin;

	if (p->slots->wide)
	{
		*w++ = slot | bin << 16;
		*w++ = skip;
	}
	else if (left + (category ? 2 : 1) <= WF_MAX_SHORT_SKIP)
		*w++ = slot | bin << 8 | skip << 16;
	else
	{
		*w++ = slot | bin << 8;
		*w++ = skip;
	}
	if (category)
		*w++ = p->bitset[node->bitset];
	return w;
}

/* Words, ratios and leaf values, in preorder. */
static void
write_nodes(Packing *p, uint32_t *words, uint16_t *ratios, float *values)
{
	uint32_t   *w = words;
	uint32_t	n_leaves = 0;

	for (uint32_t i = 0; i < p->tree->n_nodes; i++)
	{
		const WfGrownNode *node = &p->tree->nodes[p->order[i]];
		uint32_t	payload;

		if (node->left != 0)
		{
			w = put_split(p, w, slot_of(p, node), node);
			*ratios++ = ratio_of(p->tree->nodes, node);
			continue;
		}
		payload = node->payload;
		if (p->leaf == WF_LEAF_VALUE)
		{
			values[n_leaves] = node->value;
			payload = n_leaves++;
		}
		if (p->slots->wide)
		{
			*w++ = WF_NO_SLOT;
			*w++ = payload;
		}
		else
			*w++ = WF_LEAF_BYTE | payload << 8;
	}
}

/* Bytes of the parts of a packed tree, in their order. */
static void
block_offsets(const WfTreeEntry *entry, size_t at[5])
{
	at[0] = sizeof(WfTreeEntry);
	at[1] = at[0] + (size_t) entry->n_bitsets * sizeof(uint64_t[4]);	/* words */
	at[2] = at[1] + (size_t) entry->n_words * sizeof(uint32_t);	/* floats */
	at[3] = at[2] + (size_t) entry->n_floats * sizeof(float);	/* ratios */
	at[4] = (at[3] + (size_t) entry->n_splits * sizeof(uint16_t) + 7) & ~(size_t) 7;	/* end */
}

size_t
wf_tree_pack(WfBytes *out, const WfSlots *slots, WfLeafKind leaf, int n_classes,
			 const WfGrownTree *tree)
{
	WfHost	   *host = out->host;
	uint32_t	per_leaf = n_classes > 2 ? (uint32_t) n_classes : 1;
	Packing		p = {.host = host, .slots = slots, .leaf = leaf, .tree = tree};
	size_t		at[5];
	uint8_t    *block;
	size_t		tail;

	p.order = wf_alloc(host, tree->n_nodes, 3 * sizeof(uint32_t));
	p.size = p.order + tree->n_nodes;
	p.depth = p.size + tree->n_nodes;
	number_bitsets(&p);
	if (leaf == WF_LEAF_CLASS)
	{
		if (tree->n_distributions > WF_MAX_TREE_WORDS / per_leaf)
			large_tree(&p);
		p.entry.n_floats = tree->n_distributions * per_leaf;
		p.n_payloads = (uint64_t) n_classes + tree->n_distributions;
	}
	order_nodes(&p);
	measure(&p);

	/* The block may stand anywhere in memory but its parts are aligned to themselves. */
	block_offsets(&p.entry, at);
	wf_bytes_align(out, 8);
	block = wf_bytes_extend(out, at[4]);
	memcpy(block, &p.entry, sizeof(WfTreeEntry));
	for (uint32_t i = 0; i < tree->n_bitsets; i++)
		memcpy(block + at[0] + p.bitset[i] * sizeof(uint64_t[4]), tree->bitsets[i], sizeof(uint64_t[4]));
	if (leaf == WF_LEAF_CLASS && p.entry.n_floats)
		memcpy(block + at[2], tree->distributions, at[3] - at[2]);
	write_nodes(&p, (uint32_t *) (block + at[1]), (uint16_t *) (block + at[3]), (float *) (block + at[2]));
	tail = at[3] + (size_t) p.entry.n_splits * sizeof(uint16_t);
	memset(block + tail, 0, at[4] - tail);
	wf_release(host, p.bitset);
	wf_release(host, p.order);
	return at[4];
}

/* ---- the section ---- */

/* Place n bytes at the next multiple of 64. */
static uint64_t
place(WfHost *host, uint64_t *end, uint64_t n)
{
	uint64_t	at = wf_size_add(host, *end, 63) & ~UINT64_C(63);

	*end = wf_size_add(host, at, n);
	return at;
}

/* Where everything stands; returns the section's length. */
static uint64_t
lay_out(WfHost *host, WfEnsembleHeader *h)
{
	uint64_t	end = sizeof(WfEnsembleHeader);

	h->slot_feature_at = place(host, &end, (uint64_t) h->n_slots * sizeof(uint16_t));
	h->slot_flags_at = place(host, &end, h->n_slots);
	h->directory_at = place(host, &end, (uint64_t) h->n_trees * sizeof(WfTreeEntry));
	h->words_at = place(host, &end, h->n_words * sizeof(uint32_t));
	h->ratios_at = place(host, &end, h->n_splits * sizeof(uint16_t));
	h->bitsets_at = place(host, &end, h->n_bitsets * sizeof(uint64_t[4]));
	h->floats_at = place(host, &end, h->n_floats * sizeof(float));
	h->base_at = place(host, &end, h->n_outputs * sizeof(double));
	return end;
}

/* Copy one packed tree to its places; entry's offsets say where. */
static void
copy_tree(uint8_t *section, const WfEnsembleHeader *h, const WfTreeEntry *entry, const uint8_t *block)
{
	size_t		at[5];

	block_offsets(entry, at);
	memcpy(section + h->bitsets_at + (uint64_t) entry->first_bitset * sizeof(uint64_t[4]),
		   block + at[0], at[1] - at[0]);
	memcpy(section + h->words_at + entry->first_word * sizeof(uint32_t), block + at[1], at[2] - at[1]);
	memcpy(section + h->floats_at + entry->first_float * sizeof(float), block + at[2], at[3] - at[2]);
	memcpy(section + h->ratios_at + entry->first_split * sizeof(uint16_t),
		   block + at[3], (size_t) entry->n_splits * sizeof(uint16_t));
}

void
wf_ensemble_write(WfBytes *out, const WfSlots *slots, WfLeafKind leaf, WfCombine combine,
				  int n_classes, int n_outputs, const double *base,
				  uint32_t n_trees, const uint8_t *const *trees)
{
	WfEnsembleHeader h = {.n_trees = n_trees, .n_slots = slots->n_slots,
		.n_outputs = (uint16_t) n_outputs, .n_classes = (uint16_t) n_classes,
	.leaf = (uint8_t) leaf, .combine = (uint8_t) combine, .wide = slots->wide};
	WfTreeEntry entry;
	uint64_t	length;
	uint8_t    *section;

	for (uint32_t s = 0; s < slots->n_slots; s++)
	{
		if (slots->slot_flags[s] & WF_SLOT_CATEGORY)
			h.has_category = 1;
		if (slots->slot_feature[s] >= h.n_features)
			h.n_features = slots->slot_feature[s] + 1;
	}
	for (uint32_t t = 0; t < n_trees; t++)
	{
		memcpy(&entry, trees[t], sizeof(entry));
		h.n_words += entry.n_words;
		h.n_splits += entry.n_splits;
		h.n_bitsets += entry.n_bitsets;
		h.n_floats += entry.n_floats;
	}
	if (h.n_bitsets > UINT32_MAX)
		out->host->fail(out->host, WF_E_LIMIT, WF_HINT_NONE, "the trees have too many category splits");

	length = lay_out(out->host, &h);
	wf_bytes_align(out, 64);
	section = wf_bytes_extend(out, length);
	memset(section, 0, length);
	memcpy(section, &h, sizeof(h));
	memcpy(section + h.slot_feature_at, slots->slot_feature, h.n_slots * sizeof(uint16_t));
	memcpy(section + h.slot_flags_at, slots->slot_flags, h.n_slots);
	if (base)
		memcpy(section + h.base_at, base, h.n_outputs * sizeof(double));

	h.n_words = h.n_splits = h.n_bitsets = h.n_floats = 0;
	for (uint32_t t = 0; t < n_trees; t++)
	{
		memcpy(&entry, trees[t], sizeof(entry));
		entry.first_word = h.n_words;
		entry.first_split = h.n_splits;
		entry.first_float = h.n_floats;
		entry.first_bitset = (uint32_t) h.n_bitsets;
		memcpy(section + h.directory_at + t * sizeof(entry), &entry, sizeof(entry));
		copy_tree(section, &h, &entry, trees[t]);
		h.n_words += entry.n_words;
		h.n_splits += entry.n_splits;
		h.n_bitsets += entry.n_bitsets;
		h.n_floats += entry.n_floats;
	}
}
