/*-------------------------------------------------------------------------
 * hops.c
 *	  Small trees on bytes: a vector holds 64 trees (one row) or 64 rows (one
 *	  tree), each lane the place of its leaf.
 *
 * Leaves are numbered from the left, so the leaves below a split are a range,
 * and its right child's begin where its left child's end.  A lane starts at
 * place 0 and looks at the splits in preorder.  A split is on the row's path
 * exactly when the first leaf below it is the lane's place: all others with
 * that first leaf are its ancestors and descendants down left children.  If
 * the row passes it to the right, the place hops over the left subtree.  So a
 * step is two comparisons and a masked move of 64 bytes, and nothing waits
 * for memory.
 *
 * Table of a group of 64 trees: for each step j, the j-th split of every
 * tree: number of a value, cut, first leaf, and end of the left subtree.
 *
 * Values: for each slot that some split uses, the number of the cuts in use
 * that are below the feature; missing is 0 where it goes left, else 255.
 *-------------------------------------------------------------------------
 */
#include "core/treeforms.h"

#include <math.h>
#include <string.h>

#include "core/simd.h"

#ifdef WF_HAVE_X86_SIMD

#include <immintrin.h>

#define LANES 64
#define MAX_VALUES 128
#define MAX_LEAVES 256
#define BLOCK 16				/* cuts that are compared at once */
#define MAX_CUTS 256
#define NEVER 255				/* the cut of padding: no bin is above it */
#define PERMUTED_LEAVES 32		/* so many are looked up in registers */

typedef struct Step
{
	uint8_t		value[LANES];
	uint8_t		cut[LANES];
	uint8_t		first[LANES];
	uint8_t		end[LANES];
} Step;

typedef struct Value
{
	float		last[BLOCK];	/* of each block of cuts but the last block; padded with infinity */
	float	   *cuts;			/* the same padding */
	uint16_t	feature;
	uint8_t		missing;
} __attribute__((aligned(64))) Value;

struct WfHops
{
	const WfEnsemble *ensemble;
	uint32_t	n_groups;
	uint32_t	n_values;
	uint32_t	leaf_stride;	/* floats per tree */
	uint32_t   *n_steps;		/* by group */
	Step	   *steps;			/* of all groups */
	float	   *leaves;			/* by tree, from the left */
	Value	   *values;
};

/* ---- making the tables ---- */

/* A slot in use: which of its bins are cuts. */
typedef struct Used
{
	uint64_t	bins[4];
	uint16_t	slot;
} Used;

typedef struct Making
{
	WfHost	   *host;
	const WfEnsemble *e;
	const WfShape *shape;
	WfHops	   *hops;
	uint8_t    *value_of_slot;	/* + 1; 0: no split uses it */
	Used	   *used;			/* MAX_VALUES */
	size_t		all_steps;
} Making;

static uint32_t
n_cuts(const Used *used)
{
	uint32_t	n = 0;

	for (int i = 0; i < 4; i++)
		n += (uint32_t) __builtin_popcountll(used->bins[i]);
	return n;
}

static size_t
padded_cuts(const Used *used)
{
	return ((size_t) n_cuts(used) + BLOCK - 1) / BLOCK * BLOCK;
}

/* Number of the bin's cut among those in use. */
static uint32_t
cut_number(const Used *used, uint32_t bin)
{
	uint32_t	n = (uint32_t) __builtin_popcountll(used->bins[bin >> 6] & ((UINT64_C(1) << (bin & 63)) - 1));

	for (uint32_t i = 0; i < bin >> 6; i++)
		n += (uint32_t) __builtin_popcountll(used->bins[i]);
	return n;
}

/* Find the values and cuts in use; false when there are too many. */
static bool
survey(Making *m)
{
	const WfEnsemble *e = m->e;

	/* The trees' words follow each other without gaps. */
	for (uint64_t at = 0; at < e->header->n_words;)
	{
		WfWord		w = wf_word_read(e->words + at, e->header->wide, e->slot_flags);

		at += w.words;
		if (w.leaf)
			continue;
		if (m->value_of_slot[w.slot] == 0)
		{
			if (m->hops->n_values == MAX_VALUES)
				return false;
			m->used[m->hops->n_values++].slot = (uint16_t) w.slot;
			m->value_of_slot[w.slot] = (uint8_t) m->hops->n_values;
		}
		m->used[m->value_of_slot[w.slot] - 1].bins[w.bin >> 6] |= UINT64_C(1) << (w.bin & 63);
	}
	return true;
}

static void
make_values(Making *m)
{
	WfHops	   *h = m->hops;
	size_t		n = 0;
	float	   *cuts;

	for (uint32_t v = 0; v < h->n_values; v++)
		n += padded_cuts(&m->used[v]);
	cuts = wf_alloc_aligned(m->host, n, sizeof(float));
	h->values = wf_alloc_aligned(m->host, h->n_values, sizeof(Value));
	for (uint32_t v = 0; v < h->n_values; v++)
	{
		const Used *used = &m->used[v];
		Value	   *value = &h->values[v];
		size_t		padded = padded_cuts(used);

		*value = (Value) {.cuts = cuts,.feature = m->e->slot_feature[used->slot],
			.missing = m->e->slot_flags[used->slot] & WF_SLOT_MISSING_LEFT ? 0 : 255};
		for (size_t i = 0; i < padded; i++)
			cuts[i] = INFINITY;
		for (uint32_t bin = 0; bin < MAX_CUTS; bin++)
			if (used->bins[bin >> 6] >> (bin & 63) & 1)
				cuts[cut_number(used, bin)] = wf_cut_of(m->shape, value->feature, bin);
		for (uint32_t i = 0; i < BLOCK; i++)
			value->last[i] = (i + 1) * BLOCK < padded ? cuts[i * BLOCK + BLOCK - 1] : INFINITY;
		cuts += padded;
	}
}

/* A tree's splits and leaves into its lane. */
static void
fill_lane(Making *m, Step *steps, uint32_t t)
{
	const WfEnsemble *e = m->e;
	const WfTreeEntry *tree = &e->directory[t];
	const uint32_t *words = e->words + tree->first_word;
	float	   *leaves = m->hops->leaves + (size_t) t * m->hops->leaf_stride;
	uint32_t	right[MAX_LEAVES];	/* splits that are open: where the right child starts */
	Step	   *open[MAX_LEAVES];
	uint32_t	n_open = 0;
	uint32_t	n_leaves = 0;
	uint32_t	lane = t % LANES;

	for (uint32_t at = 0; at < tree->n_words;)
	{
		WfWord		w = wf_word_read(words + at, e->header->wide, e->slot_flags);

		if (n_open > 0 && right[n_open - 1] == at)
			open[--n_open]->end[lane] = (uint8_t) n_leaves;
		if (w.leaf)
			leaves[n_leaves++] = e->floats[tree->first_float + w.payload];
		else
		{
			uint32_t	v = m->value_of_slot[w.slot] - 1u;

			steps->value[lane] = (uint8_t) v;
			steps->cut[lane] = (uint8_t) cut_number(&m->used[v], w.bin);
			steps->first[lane] = (uint8_t) n_leaves;
			right[n_open] = at + w.skip;
			open[n_open++] = steps++;
		}
		at += w.words;
	}
}

static void
fill_groups(Making *m)
{
	WfHops	   *h = m->hops;
	uint32_t	n_trees = m->e->header->n_trees;
	Step	   *steps = h->steps;

	/* Padding never hops. */
	memset(steps, 0, m->all_steps * sizeof(Step));
	for (size_t j = 0; j < m->all_steps; j++)
		memset(steps[j].cut, NEVER, LANES);
	for (uint32_t t = 0; t < n_trees; t++)
	{
		fill_lane(m, steps, t);
		if (t % LANES == LANES - 1)
			steps += h->n_steps[t / LANES];
	}
}

/* All the memory, once its sizes are known; at most limit bytes, or false. */
static bool
make_tables(Making *m, size_t limit)
{
	WfHops	   *h = m->hops;
	uint32_t	n_trees = m->e->header->n_trees;
	size_t		cuts = 0;

	for (uint32_t v = 0; v < h->n_values; v++)
		cuts += padded_cuts(&m->used[v]);
	if (m->all_steps * sizeof(Step) + (size_t) n_trees * h->leaf_stride * sizeof(float) +
		h->n_values * sizeof(Value) + cuts * sizeof(float) > limit)
		return false;
	h->leaves = wf_alloc_zero(m->host, (size_t) n_trees * h->leaf_stride, sizeof(float));
	h->steps = wf_alloc_aligned(m->host, m->all_steps, sizeof(Step));
	make_values(m);
	fill_groups(m);
	return true;
}

WfHops *
wf_hops_create(WfHost *host, const WfEnsemble *e, const WfShape *shape, size_t limit)
{
	const WfEnsembleHeader *header = e->header;
	Making		m = {.host = host,.e = e,.shape = shape};
	WfHops	   *h;

	if (wf_simd() < WF_SIMD_AVX512_VBMI || header->leaf != WF_LEAF_VALUE || header->has_category || header->n_trees == 0)
		return NULL;
	for (uint32_t t = 0; t < header->n_trees; t++)
		if (e->directory[t].n_splits >= MAX_LEAVES)
			return NULL;
	h = m.hops = wf_alloc_zero(host, 1, sizeof(*h));
	h->ensemble = e;
	h->n_groups = (header->n_trees + LANES - 1) / LANES;
	h->n_steps = wf_alloc_zero(host, h->n_groups, sizeof(uint32_t));
	h->leaf_stride = 1;
	for (uint32_t t = 0; t < header->n_trees; t++)
	{
		uint32_t	n = e->directory[t].n_splits;

		if (n > h->n_steps[t / LANES])
			h->n_steps[t / LANES] = n;
		if (n >= h->leaf_stride)
			h->leaf_stride = n + 1;
	}
	/* Whole registers are read. */
	if (h->leaf_stride <= PERMUTED_LEAVES)
		h->leaf_stride = h->leaf_stride <= 16 ? 16 : PERMUTED_LEAVES;
	/* Groups go in pairs. */
	for (uint32_t g = 1; g < h->n_groups; g += 2)
		h->n_steps[g] = h->n_steps[g - 1] = h->n_steps[g] > h->n_steps[g - 1] ? h->n_steps[g] : h->n_steps[g - 1];
	for (uint32_t g = 0; g < h->n_groups; g++)
		m.all_steps += h->n_steps[g];
	m.value_of_slot = wf_alloc_zero(host, header->n_slots, 1);
	m.used = wf_alloc_zero(host, MAX_VALUES, sizeof(Used));
	if (!survey(&m) || !make_tables(&m, limit))
	{
		wf_release(host, h->n_steps);
		wf_release(host, h);
		h = NULL;
	}
	wf_release(host, m.used);
	wf_release(host, m.value_of_slot);
	return h;
}

/* ---- scoring ---- */

/* Cuts in use below x: first among the last ones of blocks, then in the block. */
WF_TARGET_AVX512_VBMI
static inline uint8_t
value_of(const Value *v, float x)
{
	__m512		all = _mm512_set1_ps(x);
	uint32_t	n = BLOCK * (uint32_t) __builtin_popcount(_mm512_cmp_ps_mask(all, _mm512_load_ps(v->last), _CMP_GT_OQ));

	n += (uint32_t) __builtin_popcount(_mm512_cmp_ps_mask(all, _mm512_load_ps(v->cuts + n), _CMP_GT_OQ));
	return isnan(x) ? v->missing : (uint8_t) n;
}

/* The values of a row in registers. */
typedef struct Row
{
	__m512i		low;
	__m512i		high;
} Row;

WF_TARGET_AVX512_VBMI
static inline Row
read_row(const WfHops *h, const float *x)
{
	uint8_t		bytes[MAX_VALUES] __attribute__((aligned(64)));

	for (uint32_t v = 0; v < h->n_values; v++)
		bytes[v] = value_of(&h->values[v], x[h->values[v].feature]);
	return (Row) {_mm512_load_si512(bytes), _mm512_load_si512(bytes + LANES)};
}

/* One step of 64 trees. */
WF_TARGET_AVX512_VBMI
__attribute__((always_inline))
static inline __m512i
hop(const Step *s, const Row *row, __m512i place, bool large)
{
	__m512i		number = _mm512_load_si512(s->value);
	__m512i		value = large ? _mm512_permutex2var_epi8(row->low, number, row->high)
		: _mm512_permutexvar_epi8(number, row->low);
	__mmask64	right = _mm512_cmpgt_epu8_mask(value, _mm512_load_si512(s->cut));
	__mmask64	hops = _mm512_mask_cmpeq_epu8_mask(right, place, _mm512_load_si512(s->first));

	return _mm512_mask_mov_epi8(place, hops, _mm512_load_si512(s->end));
}

/* Add the leaves of n trees from tree t on. */
WF_TARGET_AVX512_VBMI
static inline void
add_leaves(const WfHops *h, uint32_t t, const uint8_t *places, uint32_t n, double *sums)
{
	const float *leaves = h->leaves + (size_t) t * h->leaf_stride;
	uint32_t	n_outputs = h->ensemble->header->n_outputs;

	if (n_outputs == 1)
	{
		double		sum = sums[0];

		for (uint32_t i = 0; i < n; i++, leaves += h->leaf_stride)
			sum += leaves[places[i]];
		sums[0] = sum;
		return;
	}
	for (uint32_t i = 0, output = t % n_outputs; i < n; i++, leaves += h->leaf_stride)
	{
		sums[output] += leaves[places[i]];
		output = output + 1 == n_outputs ? 0 : output + 1;
	}
}

WF_TARGET_AVX512_VBMI
__attribute__((always_inline))
static inline void
score_row(const WfHops *h, const float *x, double *sums, bool large)
{
	Row			row = read_row(h, x);
	const Step *steps = h->steps;
	uint32_t	n_trees = h->ensemble->header->n_trees;

	uint32_t	t = 0;

	/* Two groups side by side, as each step of one waits for the last. */
	for (; t + LANES < n_trees; t += 2 * LANES)
	{
		const Step *others = steps + h->n_steps[t / LANES];
		const Step *end = others;
		uint8_t		places[2 * LANES];
		__m512i		place = _mm512_setzero_si512();
		__m512i		other = place;
		uint32_t	left = n_trees - t;

		for (; steps < end; steps++, others++)
		{
			place = hop(steps, &row, place, large);
			other = hop(others, &row, other, large);
		}
		_mm512_storeu_si512(places, place);
		_mm512_storeu_si512(places + LANES, other);
		add_leaves(h, t, places, left < 2 * LANES ? left : 2 * LANES, sums);
		steps = others;
	}
	if (t < n_trees)
	{
		uint8_t		places[LANES];
		__m512i		place = _mm512_setzero_si512();

		for (const Step *end = steps + h->n_steps[t / LANES]; steps < end; steps++)
			place = hop(steps, &row, place, large);
		_mm512_storeu_si512(places, place);
		add_leaves(h, t, places, n_trees - t, sums);
	}
}

WF_TARGET_AVX512_VBMI
void
wf_hops_row(const WfHops *h, const float *x, double *sums)
{
	if (h->n_values <= LANES)
		score_row(h, x, sums, false);
	else
		score_row(h, x, sums, true);
}

/* Values of a block of rows, value by value; lanes beyond the last row repeat the first. */
WF_TARGET_AVX512_VBMI
static void
fill_values(const WfHops *h, const float *x, size_t d, size_t rows, uint8_t (*values)[LANES])
{
	for (uint32_t v = 0; v < h->n_values; v++)
	{
		const Value *value = &h->values[v];

		for (size_t i = 0; i < LANES; i++)
			values[v][i] = value_of(value, x[(i < rows ? i : 0) * d + value->feature]);
	}
}

/* Leaf values of 16 rows in one tree. */
WF_TARGET_AVX512_VBMI
__attribute__((always_inline))
static inline void
add_sixteen(const float *leaves, uint32_t stride, __m128i places, double *sums)
{
	__m512i		idx = _mm512_cvtepu8_epi32(places);
	__m512		values = stride == BLOCK ? _mm512_permutexvar_ps(idx, _mm512_loadu_ps(leaves))
		: _mm512_permutex2var_ps(_mm512_loadu_ps(leaves), idx, _mm512_loadu_ps(leaves + 16));

	_mm512_storeu_pd(sums, _mm512_add_pd(_mm512_loadu_pd(sums),
										 _mm512_cvtps_pd(_mm512_castps512_ps256(values))));
	_mm512_storeu_pd(sums + 8, _mm512_add_pd(_mm512_loadu_pd(sums + 8),
											 _mm512_cvtps_pd(_mm512_extractf32x8_ps(values, 1))));
}

/* Places of 64 rows in the tree of one lane. */
WF_TARGET_AVX512_VBMI
static inline __m512i
tree_places(const Step *s, uint32_t lane, uint32_t n_splits, const uint8_t (*values)[LANES])
{
	__m512i		place = _mm512_setzero_si512();

	for (const Step *end = s + n_splits; s < end; s++)
	{
		__mmask64	right = _mm512_cmpgt_epu8_mask(_mm512_load_si512(values[s->value[lane]]),
												   _mm512_set1_epi8((char) s->cut[lane]));
		__mmask64	hops = _mm512_mask_cmpeq_epu8_mask(right, place, _mm512_set1_epi8((char) s->first[lane]));

		place = _mm512_mask_mov_epi8(place, hops, _mm512_set1_epi8((char) s->end[lane]));
	}
	return place;
}

/* 64 rows: values[v][row]; sums[output][row]. */
WF_TARGET_AVX512_VBMI
static void
score_block(const WfHops *h, const uint8_t (*values)[LANES], double (*sums)[LANES])
{
	const WfEnsemble *e = h->ensemble;
	const Step *steps = h->steps;
	const float *leaves = h->leaves;
	uint32_t	output = 0;

	for (uint32_t t = 0; t < e->header->n_trees; t++, leaves += h->leaf_stride)
	{
		uint8_t		places[LANES] __attribute__((aligned(64)));
		double	   *sum = sums[output];

		_mm512_store_si512(places, tree_places(steps, t % LANES, e->directory[t].n_splits, values));
		for (uint32_t i = 0; i < LANES && h->leaf_stride <= PERMUTED_LEAVES; i += 16)
			add_sixteen(leaves, h->leaf_stride, _mm_load_si128((const __m128i *) (places + i)), sum + i);
		for (uint32_t i = 0; i < LANES && h->leaf_stride > PERMUTED_LEAVES; i++)
			sum[i] += leaves[places[i]];
		if (t % LANES == LANES - 1)
			steps += h->n_steps[t / LANES];
		output = output + 1 == e->header->n_outputs ? 0 : output + 1;
	}
}

/* Outputs of a block that fit on the stack; with more classes rows go one by one. */
#define MAX_BLOCK_OUTPUTS 16

void
wf_hops_rows(const WfHops *h, const float *x, size_t d, size_t n, double *sums)
{
	uint8_t		values[MAX_VALUES][LANES] __attribute__((aligned(64)));
	double		block[MAX_BLOCK_OUTPUTS][LANES];
	uint32_t	n_outputs = h->ensemble->header->n_outputs;
	size_t		r = 0;

	/* Below half a vector single rows are as fast. */
	for (; n - r >= LANES / 2 && n_outputs <= MAX_BLOCK_OUTPUTS; r += LANES)
	{
		size_t		rows = n - r < LANES ? n - r : LANES;

		fill_values(h, x + r * d, d, rows, values);
		for (uint32_t o = 0; o < n_outputs; o++)
			for (size_t i = 0; i < LANES; i++)
				block[o][i] = sums[(r + (i < rows ? i : 0)) * n_outputs + o];
		score_block(h, values, block);
		for (size_t i = 0; i < rows; i++)
			for (uint32_t o = 0; o < n_outputs; o++)
				sums[(r + i) * n_outputs + o] = block[o][i];
		if (rows < LANES)
			return;
	}
	for (; r < n; r++)
		wf_hops_row(h, x + r * d, sums + r * n_outputs);
}

#else

WfHops *
wf_hops_create(WfHost *host, const WfEnsemble *e, const WfShape *shape, size_t limit)
{
	(void) host;
	(void) e;
	(void) shape;
	(void) limit;
	return NULL;
}

/* Never called: there is no WfHops without vectors. */
void
wf_hops_row(const WfHops *h, const float *x, double *sums)
{
	(void) h;
	(void) x;
	(void) sums;
}

void
wf_hops_rows(const WfHops *h, const float *x, size_t d, size_t n, double *sums)
{
	(void) h;
	(void) x;
	(void) d;
	(void) n;
	(void) sums;
}

#endif
