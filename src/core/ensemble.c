/*-------------------------------------------------------------------------
 * ensemble.c
 *	  Reading trees: verify a "TREE" section, decode nodes, and the plain
 *	  walk that every faster form must agree with.
 *
 * Preorder makes verification one scan with a stack of places where right
 * children must start.  So each word is reached once, without recursion.
 *-------------------------------------------------------------------------
 */
#include "core/tree.h"

#include <math.h>
#include <string.h>

#include "core/simd.h"
#include "core/treeforms.h"

#ifdef WF_HAVE_X86_SIMD
#include <immintrin.h>
#endif

/* Words between two calls of host->check(): about a millisecond. */
#define CHECK_WORDS (1 << 18)

typedef struct Verify
{
	WfHost	   *host;
	const WfEnsemble *e;
	uint32_t   *places;			/* room for twice as many as the largest tree has words, and one */
} Verify;

static void corrupt(WfHost *host, const char *what) __attribute__((noreturn));

static void
corrupt(WfHost *host, const char *what)
{
	host->fail(host, WF_E_CORRUPT, WF_HINT_NONE, "corrupted model: %s", what);
}

/* ---- decoding ---- */

void
wf_node_read(const WfEnsemble *e, const WfTreeEntry *tree, uint32_t word, WfNode *out)
{
	WfWord		w = wf_word_read(e->words + tree->first_word + word, e->header->wide, e->slot_flags);

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

/* Trees follow each other without gaps in every part; returns the words of the largest. */
static uint32_t
verify_directory(WfHost *host, const WfEnsemble *e)
{
	const WfEnsembleHeader *h = e->header;
	uint64_t	words = 0;
	uint64_t	splits = 0;
	uint64_t	bitsets = 0;
	uint64_t	floats = 0;
	uint32_t	most = 0;

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
		if (tree->n_words > most)
			most = tree->n_words;
	}
	if (words != h->n_words || splits != h->n_splits || bitsets != h->n_bitsets || floats != h->n_floats)
		corrupt(host, "bad directory of trees");
	return most;
}

/*
 * Any tree, in preorder: a split puts the place of its right child on a
 * stack, and behind each leaf the place on the top must come.
 */
static bool
tree_fits(const Verify *v, const WfTreeEntry *tree, uint32_t n_payloads)
{
	const WfEnsembleHeader *h = v->e->header;
	const uint8_t *slot_flags = v->e->slot_flags;
	const uint32_t *words = v->e->words + tree->first_word;
	uint32_t	n = tree->n_words;
	uint32_t	at = 0;
	uint32_t	top = 0;
	uint32_t	splits = 0;
	uint32_t	steps = 0;

	while (at < n)
	{
		/* A node has three words at most; none behind the tree is read. */
		uint32_t	node[3] = {words[at], n - at > 1 ? words[at + 1] : 0, n - at > 2 ? words[at + 2] : 0};
		uint32_t	slot = node[0] & (h->wide ? 0xffff : 0xff);
		bool		leaf = slot == (h->wide ? WF_NO_SLOT : WF_LEAF_BYTE);
		WfWord		w;

		if (++steps % CHECK_WORDS == 0)
			v->host->check(v->host);
		if (!leaf && slot >= h->n_slots)
			return false;
		w = wf_word_read(node, h->wide, slot_flags);
		if (w.words > n - at)
			return false;
		if (leaf)
		{
			if (w.payload >= n_payloads || (h->wide && w.bin != 0))
				return false;
			at += w.words;
			if (top == 0)
				return at == n && splits == tree->n_splits;
			if (v->places[--top] != at)
				return false;
		}
		else
		{
			bool		category = (slot_flags[slot] & WF_SLOT_CATEGORY) != 0;

			if (w.skip <= w.words || w.skip >= n - at ||
				(category ? w.bin != 0 || w.payload >= tree->n_bitsets : w.bin >= WF_MISSING_BIN))
				return false;
			v->places[top++] = at + w.skip;
			at += w.words;
			splits++;
		}
	}
	return false;
}

/*
 * Narrow trees without category splits: every word but a skip is a node.
 *
 * A skip that does not fit in 16 bits has something in its upper half, while
 * the split before it has 0 there: so a word with 0 in its upper half that is
 * no leaf tells, from either side, that the next word is a skip.
 */
static inline bool
is_long_split(uint32_t w)
{
	return (w >> 16 | ((w & 0xff) == WF_LEAF_BYTE)) == 0;
}

/* What a look at every word, wherever it stands, says about a tree. */
typedef struct Glance
{
	bool		bad;			/* a value is out of range, if all words are nodes */
	bool		has_long;		/* not all of them are */
	uint32_t	n_splits;
} Glance;

#ifdef WF_HAVE_X86_SIMD
WF_TARGET_AVX512
static Glance
glance_avx512(const uint32_t *words, uint32_t n, uint32_t n_slots, uint32_t n_payloads)
{
	const __m512i low = _mm512_set1_epi32(0xff);
	const __m512i slots = _mm512_set1_epi32((int) n_slots);
	const __m512i payloads = _mm512_set1_epi32((int) n_payloads);
	const __m512i end = _mm512_set1_epi32((int) n);
	const __m512i step = _mm512_set1_epi32(16);
	__m512i		at = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	Glance		g = {false, false, 0};
	uint32_t	bad = 0;
	uint32_t	has_long = 0;

	for (uint32_t i = 0; i < n; i += 16, at = _mm512_add_epi32(at, step))
	{
		__mmask16	some = n - i >= 16 ? 0xffff : (__mmask16) ((1u << (n - i)) - 1);
		__m512i		w = _mm512_maskz_loadu_epi32(some, words + i);
		__m512i		slot = _mm512_and_si512(w, low);
		__m512i		payload = _mm512_srli_epi32(w, 8);
		__m512i		skip = _mm512_srli_epi32(w, 16);
		__mmask16	leaf = _mm512_mask_cmpeq_epi32_mask(some, slot, low);
		__mmask16	split = (__mmask16) (some & ~leaf);

		bad |= _mm512_mask_cmpge_epu32_mask(leaf, payload, payloads) |
			_mm512_mask_cmpge_epu32_mask(split, slot, slots) |
			_mm512_mask_cmpeq_epi32_mask(split, _mm512_and_si512(payload, low), low) |
			_mm512_mask_cmpge_epu32_mask(split, _mm512_add_epi32(at, skip), end);
		has_long |= _mm512_mask_testn_epi32_mask(split, skip, skip);
		g.n_splits += (uint32_t) __builtin_popcount(split);
	}
	g.bad = bad != 0;
	g.has_long = has_long != 0;
	return g;
}
#endif

static Glance
glance(const uint32_t *words, uint32_t n, uint32_t n_slots, uint32_t n_payloads)
{
	uint32_t	bad = 0;
	uint32_t	has_long = 0;
	uint32_t	n_splits = 0;

#ifdef WF_HAVE_X86_SIMD
	if (wf_simd() >= WF_SIMD_AVX512)
		return glance_avx512(words, n, n_slots, n_payloads);
#endif
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	w = words[i];
		uint32_t	split = (w & 0xff) != WF_LEAF_BYTE;

		bad |= (w >> 8 >= n_payloads) & ~split;
		bad |= (((w & 0xff) >= n_slots) | ((w >> 8 & 0xff) == WF_MISSING_BIN) | (i + (w >> 16) >= n)) & split;
		has_long |= is_long_split(w);
		n_splits += split;
	}
	return (Glance) {bad & 1, has_long != 0, n_splits};
}

/*
 * Does every right child start where its parent says?  Large forests are
 * opened at the first prediction of a session, so this waits for nothing and
 * has no branch that depends on the node.  Count from the end, a leaf as 1
 * and a split as -1: the count at a node is the number of whole subtrees from
 * it to the end.  A split's right child has the same count as the split
 * itself, and all nodes between them have larger ones.  So the place that had
 * this count last, backwards, must be where the right child starts.  Every
 * word is a node here.
 */
static bool
short_skips_fit(WfHost *host, const uint32_t *words, uint32_t n, uint32_t *places)
{
	/*
	 * By count.  It may also be as low as -n, but the split that brings it to
	 * 0 finds a place there that is no right child's.
	 */
	uint32_t   *none = places + n;
	uint32_t   *place = none;
	uint32_t	bad = 0;

	*none = 0;
	for (uint32_t end = n; end > 0;)
	{
		uint32_t	begin = end > CHECK_WORDS ? end - CHECK_WORDS : 0;

		for (uint32_t at = end; at-- > begin;)
		{
			uint32_t	w = words[at];
			int64_t		split = ((int64_t) (w & 0xff) - WF_LEAF_BYTE) >> 63;	/* all bits, or none */

			place += split | 1;
			bad |= (*place ^ (at + (w >> 16))) & (uint32_t) split;
			*place = at;
		}
		host->check(host);
		end = begin;
	}
	return !bad && place == none + 1;
}

/* The same where some words are skips, with all other checks. */
static bool
long_tree_fits(WfHost *host, const uint32_t *words, const WfTreeEntry *tree, uint32_t *stack,
			   uint32_t n_slots, uint32_t n_payloads)
{
	uint32_t	splits = 0;
	uint32_t	top = 0;

	for (uint32_t at = tree->n_words; at > 0;)
	{
		uint32_t	w = words[--at];
		uint32_t	skip = w >> 16;

		if (at % CHECK_WORDS <= 1)
			host->check(host);
		if (at > 0 && is_long_split(words[at - 1]))
		{
			/* w is the skip of the split before it */
			if (skip == 0)
				return false;
			skip = w;
			w = words[--at];
		}
		else if (is_long_split(w))
			return false;		/* the last word */
		if ((w & 0xff) == WF_LEAF_BYTE)
		{
			if (w >> 8 >= n_payloads)
				return false;
			top++;
		}
		else
		{
			if ((w & 0xff) >= n_slots || (w >> 8 & 0xff) == WF_MISSING_BIN ||
				top < 2 || skip >= tree->n_words - at || stack[top - 1] != at + skip)
				return false;
			top--;
			splits++;
		}
		stack[top] = at;
	}
	return top == 1 && splits == tree->n_splits;
}

/* Narrow and without category splits. */
static bool
plain_tree_fits(const Verify *v, const WfTreeEntry *tree, uint32_t n_payloads)
{
	const uint32_t *words = v->e->words + tree->first_word;
	uint32_t	n_slots = v->e->header->n_slots;
	Glance		g = glance(words, tree->n_words, n_slots, n_payloads);

	if (g.has_long)
		return long_tree_fits(v->host, words, tree, v->places, n_slots, n_payloads);
	return !g.bad && g.n_splits == tree->n_splits &&
		short_skips_fit(v->host, words, tree->n_words, v->places);
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

static void
verify_trees(Verify *v, uint32_t most_words)
{
	const WfEnsembleHeader *h = v->e->header;
	uint32_t	k = h->n_classes > 2 ? h->n_classes : 1;
	bool		plain = !h->wide && !h->has_category;

	v->places = wf_alloc(v->host, 2 * (size_t) most_words + 1, sizeof(uint32_t));
	for (uint32_t t = 0; t < h->n_trees; t++)
	{
		const WfTreeEntry *tree = &v->e->directory[t];
		uint32_t	n_payloads = tree->n_floats;

		if (h->leaf == WF_LEAF_CLASS)
		{
			if (tree->n_floats % k != 0)
				corrupt(v->host, "bad leaf values");
			n_payloads = h->n_classes + tree->n_floats / k;
		}
		if (plain ? !plain_tree_fits(v, tree, n_payloads) : !tree_fits(v, tree, n_payloads))
			corrupt(v->host, "bad node of a tree");
	}
	wf_release(v->host, v->places);
}

void
wf_ensemble_use(WfHost *host, const void *section, size_t length,
				uint32_t n_features, int n_classes, WfEnsemble *out)
{
	const WfEnsembleHeader *h = section;

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
}

void
wf_ensemble_open(WfHost *host, const void *section, size_t length,
				 uint32_t n_features, const uint8_t *is_category, int n_classes,
				 WfEnsemble *out)
{
	const WfEnsembleHeader *h = section;
	Verify		v = {.host = host, .e = out};
	uint32_t	most_words;

	wf_ensemble_use(host, section, length, n_features, n_classes, out);
	verify_slots(host, out, is_category);
	for (int o = 0; o < h->n_outputs; o++)
		if (!isfinite(out->base[o]) || (h->leaf == WF_LEAF_CLASS && out->base[o] != 0))
			corrupt(host, "bad base value of the trees");
	most_words = verify_directory(host, out);
	verify_floats(host, out);
	verify_ratios(host, out);
	verify_trees(&v, most_words);
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
		WfWord		w = wf_word_read(at, e->header->wide, e->slot_flags);
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
	uint8_t		slots[WF_NO_SLOT];

	wf_slots_fill(e, bins, slots);
	for (uint32_t t = first; t < last; t++)
	{
		const WfTreeEntry *tree = &e->directory[t];

		wf_leaf_add(e, t, walk(e, tree, slots), sums);
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
			out[o] = out[o] / h->n_trees + e->base[o];
}
