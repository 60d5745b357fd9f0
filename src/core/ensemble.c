/*-------------------------------------------------------------------------
 * ensemble.c
 *	  Reading trees: verify a "TREE" section, decode nodes, and the plain
 *	  walk that every faster form must agree with.
 *
 * Preorder makes verification one scan: a split puts the place where its
 * right child must start on a stack, a leaf must end exactly where the top
 * of the stack says.  So each word is reached once, without recursion, and
 * the stack is never deeper than the tree.
 *-------------------------------------------------------------------------
 */
#include "core/tree.h"

#include <math.h>
#include <string.h>

/* Words between two calls of host->check(): about a millisecond. */
#define CHECK_WORDS (1 << 18)

typedef struct Pending
{
	uint32_t	at;				/* where the right child starts */
	uint32_t	depth;			/* splits above it */
} Pending;

typedef struct Verify
{
	WfHost	   *host;
	const WfEnsemble *e;
	uint32_t	n_payloads;		/* class leaves */
	Pending    *stack;
} Verify;

static void corrupt(WfHost *host, const char *what) __attribute__((noreturn));

static void
corrupt(WfHost *host, const char *what)
{
	host->fail(host, WF_E_CORRUPT, WF_HINT_NONE, "corrupted model: %s", what);
}

/* ---- decoding ---- */

/* The fields of the word at "at", both encodings; what follows is read only for what it is. */
typedef struct Word
{
	uint32_t	slot;
	bool		leaf;
	uint32_t	bin;
	uint32_t	skip;
	uint32_t	payload;		/* leaf: payload; category: bitset */
	uint32_t	words;			/* of this node alone */
} Word;

static inline Word
read_word(const uint32_t *w, bool wide, const uint8_t *slot_flags)
{
	Word		r = {0};

	if (wide)
	{
		r.slot = w[0] & 0xffff;
		r.leaf = r.slot == WF_NO_SLOT;
		r.bin = w[0] >> 16;
		r.skip = r.payload = w[1];
		r.words = 2;
	}
	else
	{
		r.slot = w[0] & 0xff;
		r.leaf = r.slot == WF_LEAF_BYTE;
		r.bin = w[0] >> 8 & 0xff;
		r.skip = w[0] >> 16;
		r.payload = w[0] >> 8;
		r.words = 1;
		if (!r.leaf && r.skip == 0)
			r.skip = w[r.words++];
	}
	if (!r.leaf && (slot_flags[r.slot] & WF_SLOT_CATEGORY))
		r.payload = w[r.words++];
	return r;
}

void
wf_node_read(const WfEnsemble *e, const WfTreeEntry *tree, uint32_t word, WfNode *out)
{
	Word		w = read_word(e->words + tree->first_word + word, e->header->wide, e->slot_flags);

	memset(out, 0, sizeof(*out));
	out->leaf = w.leaf;
	if (w.leaf)
	{
		out->payload = w.payload;
		return;
	}
	out->category = (e->slot_flags[w.slot] & WF_SLOT_CATEGORY) != 0;
	out->missing_left = (e->slot_flags[w.slot] & WF_SLOT_MISSING_LEFT) != 0;
	out->feature = e->slot_feature[w.slot];
	out->bin = (uint8_t) w.bin;
	out->left = word + w.words;
	out->right = word + w.skip;
	if (out->category)
		out->bitset = e->bitsets[tree->first_bitset + w.payload];
}

void
wf_leaf_outputs(const WfEnsemble *e, const WfTreeEntry *tree, uint32_t payload, double *out)
{
	const float *floats = e->floats + tree->first_float;
	uint32_t	k = e->header->n_classes;

	if (e->header->leaf == WF_LEAF_VALUE)
		out[0] = floats[payload];
	else if (k <= 2)
		out[0] = payload < k ? (double) payload : (double) floats[payload - k];
	else
		for (uint32_t c = 0; c < k; c++)
			out[c] = payload < k ? (double) (payload == c) : (double) floats[(size_t) (payload - k) * k + c];
}

/* ---- verification ---- */

/* The bytes of n things of that size at offset "at", inside the section. */
static const void *
part(WfHost *host, const uint8_t *section, size_t length, uint64_t at, uint64_t n, size_t size)
{
	uint64_t	bytes;

	if (at > length || at % 64 != 0 ||
		__builtin_mul_overflow(n, (uint64_t) size, &bytes) || bytes > length - at)
		corrupt(host, "a part of the trees lies outside the section");
	return section + at;
}

/* Are task, leaves and sums a combination that exists? */
static void
verify_header(WfHost *host, const WfEnsembleHeader *h, uint32_t n_features, int n_classes)
{
	if (h->n_features != n_features || h->n_classes != n_classes || h->n_classes == 1 ||
		h->n_outputs != (n_classes > 2 ? n_classes : 1))
		corrupt(host, "the trees do not fit the columns and classes");
	if (h->leaf > WF_LEAF_CLASS || h->combine > WF_COMBINE_MEAN || h->wide > 1 || h->has_category > 1 ||
		(h->leaf == WF_LEAF_CLASS && (h->combine != WF_COMBINE_MEAN || n_classes < 2)) ||
		(h->leaf == WF_LEAF_VALUE && h->combine == WF_COMBINE_MEAN && h->n_outputs != 1) ||
		(h->combine == WF_COMBINE_MEAN && h->n_trees == 0))
		corrupt(host, "unknown kind of trees");
	if (h->n_slots > (h->wide ? WF_NO_SLOT - 1 : WF_NARROW_SLOTS))
		corrupt(host, "the trees have too many slots");
}

static void
verify_slots(WfHost *host, const WfEnsemble *e, const uint8_t *is_category)
{
	const WfEnsembleHeader *h = e->header;
	bool		category = false;

	for (uint32_t s = 0; s < h->n_slots; s++)
	{
		uint8_t		flags = e->slot_flags[s];

		if (e->slot_feature[s] >= h->n_features ||
			(flags != 0 && flags != WF_SLOT_CATEGORY && flags != WF_SLOT_MISSING_LEFT) ||
			(flags == WF_SLOT_CATEGORY) != (is_category[e->slot_feature[s]] != 0))
			corrupt(host, "bad slot");
		category |= flags == WF_SLOT_CATEGORY;
	}
	if (category != h->has_category)
		corrupt(host, "bad slot");
}

/* Trees follow each other without gaps in every part; returns the greatest depth. */
static uint32_t
verify_directory(WfHost *host, const WfEnsemble *e)
{
	const WfEnsembleHeader *h = e->header;
	uint64_t	words = 0;
	uint64_t	splits = 0;
	uint64_t	bitsets = 0;
	uint64_t	floats = 0;
	uint32_t	depth = 0;

	for (uint32_t t = 0; t < h->n_trees; t++)
	{
		const WfTreeEntry *tree = &e->directory[t];

		if (tree->first_word != words || tree->first_split != splits ||
			tree->first_bitset != bitsets || tree->first_float != floats)
			corrupt(host, "bad directory of trees");
		/* Every split has a leaf more below it, so a chain of n splits has 2n + 1 nodes. */
		if (tree->n_words == 0 || tree->n_words > WF_MAX_TREE_WORDS ||
			tree->depth > (tree->n_words - 1) / 2)
			corrupt(host, "bad size of a tree");
		words += tree->n_words;
		splits += tree->n_splits;
		bitsets += tree->n_bitsets;
		floats += tree->n_floats;
		if (words > h->n_words || splits > h->n_splits || bitsets > h->n_bitsets || floats > h->n_floats)
			corrupt(host, "bad directory of trees");
		if (tree->depth > depth)
			depth = tree->depth;
	}
	if (words != h->n_words || splits != h->n_splits || bitsets != h->n_bitsets || floats != h->n_floats)
		corrupt(host, "bad directory of trees");
	return depth;
}

/* Any tree: every word, in preorder. */
static void
verify_tree(const Verify *v, const WfTreeEntry *tree, uint32_t n_payloads)
{
	const WfEnsemble *e = v->e;
	const uint32_t *words = e->words + tree->first_word;
	bool		wide = e->header->wide;
	uint32_t	n = tree->n_words;
	uint32_t	at = 0;
	uint32_t	top = 0;
	uint32_t	depth = 0;
	uint32_t	deepest = 0;
	uint32_t	splits = 0;
	uint32_t	checked = 0;

	for (;;)
	{
		uint32_t	slot;
		Word		w;

		if (at >= checked)
		{
			v->host->check(v->host);
			checked = at + CHECK_WORDS;
		}
		/* Nothing is read beyond the tree: a split is followed by two more words at least. */
		slot = words[at] & (wide ? 0xffff : 0xff);
		if (slot == (wide ? WF_NO_SLOT : WF_LEAF_BYTE))
		{
			uint32_t	size = wide ? 2 : 1;

			if (n - at < size)
				break;
			w = read_word(words + at, wide, e->slot_flags);
			if (w.payload >= n_payloads || (wide && w.bin != 0))
				break;
			at += size;
			if (top == 0)
			{
				if (at == n && splits == tree->n_splits && deepest == tree->depth)
					return;
				break;
			}
			top--;
			if (v->stack[top].at != at || at >= n)
				break;
			depth = v->stack[top].depth;
			continue;
		}
		if (slot >= e->header->n_slots || n - at < 4)
		{
			/* The smallest split with its two leaves has three words. */
			if (slot >= e->header->n_slots || n - at < 3 || wide ||
				(e->slot_flags[slot] & WF_SLOT_CATEGORY) || words[at] >> 16 == 0)
				break;
		}
		w = read_word(words + at, wide, e->slot_flags);
		if (e->slot_flags[slot] & WF_SLOT_CATEGORY)
		{
			if (w.bin != 0 || w.payload >= tree->n_bitsets)
				break;
		}
		else if (w.bin >= WF_MISSING_BIN)
			break;
		if (w.skip <= w.words || w.skip >= n - at || depth == tree->depth)
			break;
		depth++;
		if (depth > deepest)
			deepest = depth;
		v->stack[top].at = at + w.skip;
		v->stack[top].depth = depth;
		top++;
		splits++;
		at += w.words;
	}
	corrupt(v->host, "bad node of a tree");
}

/* Leaf values are finite; distributions are probabilities that sum to 1. */
static void
verify_floats(WfHost *host, const WfEnsemble *e)
{
	const WfEnsembleHeader *h = e->header;
	uint32_t	k = h->leaf == WF_LEAF_CLASS && h->n_classes > 2 ? h->n_classes : 1;
	bool		bad = false;

	if (h->n_floats % k != 0)
		corrupt(host, "bad leaf values");
	for (uint64_t i = 0; i < h->n_floats; i++)
	{
		/* Wrong also for NaN. */
		bad |= h->leaf == WF_LEAF_CLASS
			? !(e->floats[i] >= 0.0f && e->floats[i] <= 1.0f) : !(fabsf(e->floats[i]) <= 3.4028234e38f);
		if (i % CHECK_WORDS == 0)
			host->check(host);
	}
	for (uint64_t i = 0; k > 1 && !bad && i < h->n_floats; i += k)
	{
		double		sum = 0;

		for (uint32_t c = 0; c < k; c++)
			sum += e->floats[i + c];
		bad = !(fabs(sum - 1.0) <= 1e-4);
	}
	if (bad)
		corrupt(host, "bad leaf values");
}

/* A ratio of 0 would make a path impossible. */
static void
verify_ratios(WfHost *host, const WfEnsemble *e)
{
	uint64_t	n = e->header->n_splits;
	uint64_t	i = 0;
	uint64_t	zero = 0;

	/* Four at a time: the lowest lane that is 0 borrows into its highest bit. */
	for (; i + 4 <= n; i += 4)
	{
		uint64_t	four;

		memcpy(&four, e->ratios + i, 8);
		zero |= (four - UINT64_C(0x0001000100010001)) & ~four & UINT64_C(0x8000800080008000);
		if (i % CHECK_WORDS == 0)
			host->check(host);
	}
	for (; i < n; i++)
		zero |= e->ratios[i] == 0;
	if (zero)
		corrupt(host, "bad ratio of a split");
}

void
wf_ensemble_open(WfHost *host, const void *section, size_t length,
				 uint32_t n_features, const uint8_t *is_category, int n_classes,
				 WfEnsemble *out)
{
	const WfEnsembleHeader *h = section;
	Verify		v = {.host = host, .e = out};
	uint32_t	depth;
	uint32_t	k;

	if (length < sizeof(*h) || ((uintptr_t) section & 7) != 0)
		corrupt(host, "the trees are cut off");
	verify_header(host, h, n_features, n_classes);
	out->header = h;
	out->slot_feature = part(host, section, length, h->slot_feature_at, h->n_slots, sizeof(uint16_t));
	out->slot_flags = part(host, section, length, h->slot_flags_at, h->n_slots, 1);
	out->directory = part(host, section, length, h->directory_at, h->n_trees, sizeof(WfTreeEntry));
	out->words = part(host, section, length, h->words_at, h->n_words, sizeof(uint32_t));
	out->ratios = part(host, section, length, h->ratios_at, h->n_splits, sizeof(uint16_t));
	out->bitsets = part(host, section, length, h->bitsets_at, h->n_bitsets, sizeof(uint64_t[4]));
	out->floats = part(host, section, length, h->floats_at, h->n_floats, sizeof(float));
	out->base = part(host, section, length, h->base_at, h->n_outputs, sizeof(double));

	verify_slots(host, out, is_category);
	depth = verify_directory(host, out);
	verify_floats(host, out);
	verify_ratios(host, out);
	for (int o = 0; o < h->n_outputs; o++)
		if (!isfinite(out->base[o]))
			corrupt(host, "bad base value of the trees");

	v.stack = wf_alloc(host, (size_t) depth + 1, sizeof(Pending));
	k = h->n_classes > 2 ? h->n_classes : 1;
	for (uint32_t t = 0; t < h->n_trees; t++)
	{
		const WfTreeEntry *tree = &out->directory[t];

		if (h->leaf == WF_LEAF_CLASS && tree->n_floats % k != 0)
			corrupt(host, "bad leaf values");
		verify_tree(&v, tree, h->leaf == WF_LEAF_CLASS
					? h->n_classes + tree->n_floats / k : tree->n_floats);
	}
	wf_release(host, v.stack);
}

/* ---- the plain walk ---- */

void
wf_slots_fill(const WfEnsemble *e, const uint8_t *bins, uint8_t *slots)
{
	for (uint32_t s = 0; s < e->header->n_slots; s++)
	{
		uint8_t		bin = bins[e->slot_feature[s]];

		slots[s] = bin == WF_MISSING_BIN && (e->slot_flags[s] & WF_SLOT_MISSING_LEFT) ? 0 : bin;
	}
}

/* The payload of the leaf that a row of slots falls into. */
static uint32_t
walk(const WfEnsemble *e, const WfTreeEntry *tree, const uint8_t *slots)
{
	const uint32_t *at = e->words + tree->first_word;

	for (;;)
	{
		Word		w = read_word(at, e->header->wide, e->slot_flags);
		uint32_t	bin;
		bool		left;

		if (w.leaf)
			return w.payload;
		bin = slots[w.slot];
		if (e->slot_flags[w.slot] & WF_SLOT_CATEGORY)
			left = e->bitsets[tree->first_bitset + w.payload][bin >> 6] >> (bin & 63) & 1;
		else
			left = bin <= w.bin;
		at += left ? w.words : w.skip;
	}
}

void
wf_ensemble_add_bins(const WfEnsemble *e, uint32_t first, uint32_t last,
					 const uint8_t *bins, double *sums)
{
	const WfEnsembleHeader *h = e->header;
	uint8_t		slots[WF_NO_SLOT];

	wf_slots_fill(e, bins, slots);
	for (uint32_t t = first; t < last; t++)
	{
		const WfTreeEntry *tree = &e->directory[t];
		uint32_t	payload = walk(e, tree, slots);
		const float *floats = e->floats + tree->first_float;
		uint32_t	k = h->n_classes;

		if (h->leaf == WF_LEAF_VALUE)
			sums[h->combine == WF_COMBINE_SUM ? t % h->n_outputs : 0] += floats[payload];
		else if (k == 2)
			sums[0] += payload < k ? (double) payload : (double) floats[payload - k];
		else if (payload < k)
			sums[payload] += 1.0;
		else
			for (uint32_t c = 0; c < k; c++)
				sums[c] += floats[(size_t) (payload - k) * k + c];
	}
}

void
wf_ensemble_score_bins(const WfEnsemble *e, const uint8_t *bins, double *out)
{
	const WfEnsembleHeader *h = e->header;
	bool		sum = h->combine == WF_COMBINE_SUM;

	for (int o = 0; o < h->n_outputs; o++)
		out[o] = sum ? e->base[o] : 0.0;
	wf_ensemble_add_bins(e, 0, h->n_trees, bins, out);
	if (!sum)
		for (int o = 0; o < h->n_outputs; o++)
			out[o] /= h->n_trees;
}
