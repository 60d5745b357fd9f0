/*-------------------------------------------------------------------------
 * quick.c
 *	  Small trees as bit vectors: QuickScorer (Lucchese et al. 2015), turned
 *	  so that a vector holds 16 trees (one row) or 16 rows (one tree).
 *
 * Leaves are numbered from the left.  A split that a row passes to the right
 * rules out the leaves of its left subtree, so it has a mask of those bits;
 * the row's leaf is the lowest bit that no such split has ruled out.  No split
 * waits for another.
 *
 * Table of a group of 16 trees: for each step j, the j-th split of every tree
 * (in preorder, padded with splits that rule out nothing): a cut, the number
 * of a value, and the mask's lower and, in tall groups, upper 32 bits.
 *
 * Values: one float for each slot that some split uses.  "Right" is
 * !(x <= cut), which is true for NaN as missing values in slots where missing
 * goes right; where it goes left they are -infinity.
 *-------------------------------------------------------------------------
 */
#include "core/treeforms.h"

#include <math.h>
#include <string.h>

#include "core/simd.h"

#ifdef WF_HAVE_X86_SIMD

#include <immintrin.h>

#define LANES 16
#define MAX_VALUES 64
#define MAX_LEAVES 64
#define LOW_LEAVES 32

typedef struct Step
{
	float		cut[LANES];
	uint32_t	mask[LANES];
	uint8_t		value[LANES];
} Step;

typedef struct Group
{
	Step	   *steps;
	uint32_t	(*upper)[LANES];	/* NULL: no tree has more than 32 leaves */
	uint32_t	n_steps;
	uint32_t	n_trees;
} Group;

struct WfQuick
{
	const WfEnsemble *ensemble;
	uint32_t	n_groups;
	uint32_t	n_outputs;
	uint32_t	n_values;
	uint32_t	leaf_stride;	/* floats per tree: 32 or 64 */
	Group	   *groups;
	float	   *leaves;			/* by tree, from the left */
	uint16_t	value_feature[MAX_VALUES];
	uint8_t		value_missing_left[MAX_VALUES];
};

/* ---- making the tables ---- */

typedef struct Making
{
	WfHost	   *host;
	const WfEnsemble *e;
	const WfShape *shape;
	WfQuick    *quick;
	uint8_t    *value_of_slot;	/* MAX_VALUES: none yet */
} Making;

/* Threshold of "bin <= b": the last bin's is beyond all numbers. */
static float
cut_of(const WfShape *shape, uint32_t feature, uint32_t bin)
{
	return bin + 1u < shape->n_bins[feature] ? shape->cuts[shape->first_cut[feature] + bin] : INFINITY;
}

/* Splits of the largest tree of each group, in all; 0 when some tree is too large. */
static size_t
count_steps(const WfEnsemble *e, bool *tall)
{
	size_t		total = 0;

	*tall = false;
	for (uint32_t g = 0; g < e->header->n_trees; g += LANES)
	{
		uint32_t	most = 1;

		for (uint32_t t = g; t < e->header->n_trees && t < g + LANES; t++)
			if (e->directory[t].n_splits > most)
				most = e->directory[t].n_splits;
		if (most >= MAX_LEAVES)
			return 0;
		if (most >= LOW_LEAVES)
			*tall = true;
		total += most;
	}
	return total;
}

/* Number of the slot's value, or -1 when there are too many. */
static int
value_of(Making *m, uint32_t slot)
{
	WfQuick    *q = m->quick;

	if (m->value_of_slot[slot] == MAX_VALUES)
	{
		if (q->n_values == MAX_VALUES)
			return -1;
		q->value_feature[q->n_values] = m->e->slot_feature[slot];
		q->value_missing_left[q->n_values] = (m->e->slot_flags[slot] & WF_SLOT_MISSING_LEFT) != 0;
		m->value_of_slot[slot] = (uint8_t) q->n_values++;
	}
	return m->value_of_slot[slot];
}

/*
 * A tree's splits and leaves into its lane.  In preorder the leaves of a left
 * subtree are those met between the split and its right child.
 */
static bool
fill_lane(Making *m, const Group *group, uint32_t lane, uint32_t t)
{
	const WfEnsemble *e = m->e;
	const WfTreeEntry *tree = &e->directory[t];
	const uint32_t *words = e->words + tree->first_word;
	float	   *leaves = m->quick->leaves + (size_t) t * m->quick->leaf_stride;
	uint32_t	right[MAX_LEAVES];	/* by split that is open: word where the right child starts */
	uint32_t	split[MAX_LEAVES];
	uint32_t	first[MAX_LEAVES];	/* leaves met before it */
	uint32_t	open = 0;
	uint32_t	n_leaves = 0;
	uint32_t	n_splits = 0;

	for (uint32_t at = 0; at < tree->n_words;)
	{
		WfNode		node;
		int			value;

		while (open > 0 && right[open - 1] == at)
		{
			uint64_t	mask;

			open--;
			mask = ((UINT64_C(1) << (n_leaves - first[open])) - 1) << first[open];
			group->steps[split[open]].mask[lane] = (uint32_t) mask;
			if (group->upper)
				group->upper[split[open]][lane] = (uint32_t) (mask >> 32);
		}
		wf_node_read(e, tree, at, &node);
		if (node.leaf)
		{
			leaves[n_leaves++] = e->floats[tree->first_float + node.payload];
			at += e->header->wide ? 2 : 1;
			continue;
		}
		value = value_of(m, words[at] & (e->header->wide ? 0xffff : 0xff));
		if (value < 0)
			return false;
		group->steps[n_splits].value[lane] = (uint8_t) value;
		group->steps[n_splits].cut[lane] = cut_of(m->shape, node.feature, node.bin);
		right[open] = node.right;
		split[open] = n_splits++;
		first[open++] = n_leaves;
		at = node.left;
	}
	return true;
}

static bool
fill_groups(Making *m, Step *steps, uint32_t (*upper)[LANES])
{
	const WfEnsemble *e = m->e;

	for (uint32_t g = 0; g < m->quick->n_groups; g++)
	{
		Group	   *group = &m->quick->groups[g];
		uint32_t	first = g * LANES;
		uint32_t	n = e->header->n_trees - first;

		*group = (Group) {steps, upper, 1, n < LANES ? n : LANES};
		for (uint32_t i = 0; i < group->n_trees; i++)
			if (e->directory[first + i].n_splits > group->n_steps)
				group->n_steps = e->directory[first + i].n_splits;
		/* Padding: whatever the row, no leaf is ruled out. */
		memset(steps, 0, group->n_steps * sizeof(Step));
		if (upper)
			memset(upper, 0, group->n_steps * sizeof(*upper));
		for (uint32_t i = 0; i < group->n_trees; i++)
			if (!fill_lane(m, group, i, first + i))
				return false;
		steps += group->n_steps;
		if (upper)
			upper += group->n_steps;
	}
	return true;
}

WfQuick *
wf_quick_create(WfHost *host, const WfEnsemble *e, const WfShape *shape, size_t limit)
{
	const WfEnsembleHeader *h = e->header;
	Making		m = {host, e, shape, NULL, NULL};
	bool		tall;
	size_t		n_steps;
	size_t		bytes;
	WfQuick    *q;
	void	   *tables;

	if (wf_simd() < WF_SIMD_AVX512 || h->leaf != WF_LEAF_VALUE || h->has_category || h->n_trees == 0)
		return NULL;
	n_steps = count_steps(e, &tall);
	if (n_steps == 0)
		return NULL;
	bytes = n_steps * (sizeof(Step) + (tall ? sizeof(uint32_t[LANES]) : 0)) +
		(size_t) h->n_trees * (tall ? MAX_LEAVES : LOW_LEAVES) * sizeof(float) +
		(h->n_trees / LANES + 1) * sizeof(Group);
	if (bytes > limit + 4096)
		return NULL;

	q = m.quick = wf_alloc_zero(host, 1, sizeof(*q));
	q->ensemble = e;
	q->n_outputs = h->n_outputs;
	q->n_groups = (h->n_trees + LANES - 1) / LANES;
	q->leaf_stride = tall ? MAX_LEAVES : LOW_LEAVES;
	q->groups = wf_alloc(host, q->n_groups, sizeof(Group));
	q->leaves = wf_alloc_zero(host, (size_t) h->n_trees * q->leaf_stride, sizeof(float));
	m.value_of_slot = wf_alloc(host, h->n_slots, 1);
	memset(m.value_of_slot, MAX_VALUES, h->n_slots);
	tables = wf_alloc_aligned(host, n_steps, sizeof(Step) + (tall ? sizeof(uint32_t[LANES]) : 0));
	if (!fill_groups(&m, tables, tall ? (uint32_t (*)[LANES]) ((Step *) tables + n_steps) : NULL))
	{
		wf_release_aligned(host, tables);
		wf_release(host, q->leaves);
		wf_release(host, q->groups);
		wf_release(host, q);
		q = NULL;
	}
	wf_release(host, m.value_of_slot);
	return q;
}

/* ---- scoring ---- */

static inline float
value_for(const WfQuick *q, uint32_t v, const float *x)
{
	float		value = x[q->value_feature[v]];

	/* Without a short circuit, so without a branch on what is missing. */
	return (q->value_missing_left[v] & (isnan(value) != 0)) ? -INFINITY : value;
}

/* Number of each lane's lowest bit that is 0: alone in a float, it is the exponent. */
WF_TARGET_AVX512
static inline __m512i
lowest_zero(__m512i v)
{
	__m512i		bit = _mm512_andnot_si512(v, _mm512_add_epi32(v, _mm512_set1_epi32(1)));

	return _mm512_sub_epi32(_mm512_srli_epi32(_mm512_castps_si512(_mm512_cvtepu32_ps(bit)), 23),
							_mm512_set1_epi32(127));
}

/* The same of 64 bits, in two halves. */
WF_TARGET_AVX512
static inline __m512i
lowest_zero_of_two(__m512i low, __m512i high)
{
	__mmask16	full = _mm512_cmpeq_epi32_mask(low, _mm512_set1_epi32(-1));

	return _mm512_mask_add_epi32(lowest_zero(low), full, lowest_zero(high), _mm512_set1_epi32(32));
}

/* Values v[idx], 64 of them in four registers; n: how many registers matter. */
WF_TARGET_AVX512
static inline __m512
pick(const __m512 v[4], __m512i idx, int n)
{
	__m512		low;
	__m512		high;

	if (n == 1)
		return _mm512_permutexvar_ps(idx, v[0]);
	low = _mm512_permutex2var_ps(v[0], idx, v[1]);
	if (n == 2)
		return low;
	high = _mm512_permutex2var_ps(v[2], idx, v[3]);
	return _mm512_mask_mov_ps(low, _mm512_test_epi32_mask(idx, _mm512_set1_epi32(32)), high);
}

/* Leaves of one row in the 16 trees of a group. */
WF_TARGET_AVX512
__attribute__((always_inline))
static inline __m512i
group_leaves(const Group *group, const __m512 v[4], int n, bool tall)
{
	__m512i		low = _mm512_setzero_si512();	/* ruled out */
	__m512i		high = low;

	for (uint32_t j = 0; j < group->n_steps; j++)
	{
		const Step *s = &group->steps[j];
		__m512i		idx = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *) s->value));
		__mmask16	right = _mm512_cmp_ps_mask(pick(v, idx, n), _mm512_loadu_ps(s->cut), _CMP_NLE_UQ);

		low = _mm512_or_si512(low, _mm512_maskz_loadu_epi32(right, s->mask));
		if (tall)
			high = _mm512_or_si512(high, _mm512_maskz_loadu_epi32(right, group->upper[j]));
	}
	return tall ? lowest_zero_of_two(low, high) : lowest_zero(low);
}

/* One output: the sum stays in a register, and the additions wait for nothing else. */
WF_TARGET_AVX512
__attribute__((always_inline))
static inline void
score_row(const WfQuick *q, const __m512 v[4], int n, bool tall, double *sums)
{
	const float *leaves = q->leaves;
	double		sum = sums[0];
	uint32_t	output = 0;

	for (uint32_t g = 0; g < q->n_groups; g++)
	{
		const Group *group = &q->groups[g];
		uint32_t	leaf[LANES];

		_mm512_storeu_si512(leaf, group_leaves(group, v, n, tall));
		if (q->n_outputs == 1)
		{
			for (uint32_t i = 0; i < group->n_trees; i++)
				sum += leaves[i * q->leaf_stride + leaf[i]];
		}
		else
		{
			for (uint32_t i = 0; i < group->n_trees; i++)
			{
				sums[output] += leaves[i * q->leaf_stride + leaf[i]];
				output = output + 1 == q->n_outputs ? 0 : output + 1;
			}
		}
		leaves += LANES * q->leaf_stride;
	}
	if (q->n_outputs == 1)
		sums[0] = sum;
}

WF_TARGET_AVX512
void
wf_quick_row(const WfQuick *q, const float *x, double *sums)
{
	float		values[MAX_VALUES];
	__m512		v[4];
	uint32_t	used = (q->n_values + LANES - 1) / LANES;

	for (uint32_t i = 0; i < q->n_values; i++)
		values[i] = value_for(q, i, x);
	for (uint32_t i = 0; i < 4; i++)
	{
		uint32_t	left = q->n_values > i * LANES ? q->n_values - i * LANES : 0;

		v[i] = _mm512_maskz_loadu_ps(left >= LANES ? 0xffff : (__mmask16) ((1u << left) - 1), values + i * LANES);
	}
	if (q->leaf_stride == MAX_LEAVES)
		score_row(q, v, 4, true, sums);
	else if (used <= 1)
		score_row(q, v, 1, false, sums);
	else if (used == 2)
		score_row(q, v, 2, false, sums);
	else
		score_row(q, v, 4, false, sums);
}

/* Leaf values of 16 rows in one tree. */
WF_TARGET_AVX512
static inline __m512
leaf_values(const float *leaves, uint32_t stride, __m512i leaf)
{
	__m512		v[4] = {_mm512_loadu_ps(leaves), _mm512_loadu_ps(leaves + 16)};

	if (stride == LOW_LEAVES)
		return pick(v, leaf, 2);
	v[2] = _mm512_loadu_ps(leaves + 32);
	v[3] = _mm512_loadu_ps(leaves + 48);
	return pick(v, leaf, 4);
}

/* Leaves of 16 rows in the tree of one lane of a group. */
WF_TARGET_AVX512
__attribute__((always_inline))
static inline __m512i
tree_leaves(const Group *group, uint32_t lane, uint32_t n_splits, const float (*values)[LANES], bool tall)
{
	__m512i		low = _mm512_setzero_si512();	/* ruled out */
	__m512i		high = low;

	for (uint32_t j = 0; j < n_splits; j++)
	{
		const Step *s = &group->steps[j];
		__mmask16	right = _mm512_cmp_ps_mask(_mm512_loadu_ps(values[s->value[lane]]),
											   _mm512_set1_ps(s->cut[lane]), _CMP_NLE_UQ);

		low = _mm512_or_si512(low, _mm512_maskz_set1_epi32(right, (int) s->mask[lane]));
		if (tall)
			high = _mm512_or_si512(high, _mm512_maskz_set1_epi32(right, (int) group->upper[j][lane]));
	}
	return tall ? lowest_zero_of_two(low, high) : lowest_zero(low);
}

/* 16 rows: values[v][row]; sums[output][row]. */
WF_TARGET_AVX512
static void
score_sixteen(const WfQuick *q, const float (*values)[LANES], double (*sums)[LANES])
{
	uint32_t	output = 0;

	for (uint32_t t = 0; t < q->ensemble->header->n_trees; t++)
	{
		const Group *group = &q->groups[t / LANES];
		uint32_t	n_splits = q->ensemble->directory[t].n_splits;
		double	   *sum = sums[output];
		__m512		leaf;

		leaf = leaf_values(q->leaves + (size_t) t * q->leaf_stride, q->leaf_stride,
						   group->upper
						   ? tree_leaves(group, t % LANES, n_splits, values, true)
						   : tree_leaves(group, t % LANES, n_splits, values, false));
		_mm512_storeu_pd(sum, _mm512_add_pd(_mm512_loadu_pd(sum),
											_mm512_cvtps_pd(_mm512_castps512_ps256(leaf))));
		_mm512_storeu_pd(sum + 8, _mm512_add_pd(_mm512_loadu_pd(sum + 8),
												_mm512_cvtps_pd(_mm512_extractf32x8_ps(leaf, 1))));
		output = output + 1 == q->n_outputs ? 0 : output + 1;
	}
}

/* Outputs of a block that fit on the stack; with more classes rows go one by one. */
#define MAX_BLOCK_OUTPUTS 64

void
wf_quick_rows(const WfQuick *q, const float *x, size_t d, size_t n, double *sums)
{
	float		values[MAX_VALUES][LANES];
	double		block[MAX_BLOCK_OUTPUTS][LANES];
	size_t		r = 0;

	/* Below half a vector single rows are as fast. */
	for (; n - r >= LANES / 2 && q->n_outputs <= MAX_BLOCK_OUTPUTS; r += LANES)
	{
		size_t		rows = n - r < LANES ? n - r : LANES;

		for (uint32_t v = 0; v < q->n_values; v++)
			for (size_t i = 0; i < LANES; i++)
				values[v][i] = value_for(q, v, x + (r + (i < rows ? i : 0)) * d);
		for (uint32_t o = 0; o < q->n_outputs; o++)
			for (size_t i = 0; i < LANES; i++)
				block[o][i] = sums[(r + (i < rows ? i : 0)) * q->n_outputs + o];
		score_sixteen(q, values, block);
		for (size_t i = 0; i < rows; i++)
			for (uint32_t o = 0; o < q->n_outputs; o++)
				sums[(r + i) * q->n_outputs + o] = block[o][i];
		if (rows < LANES)
			return;
	}
	for (; r < n; r++)
		wf_quick_row(q, x + r * d, sums + r * q->n_outputs);
}

#else

WfQuick *
wf_quick_create(WfHost *host, const WfEnsemble *e, const WfShape *shape, size_t limit)
{
	(void) host;
	(void) e;
	(void) shape;
	(void) limit;
	return NULL;
}

/* Never called: there is no WfQuick without vectors. */
void
wf_quick_row(const WfQuick *q, const float *x, double *sums)
{
	(void) q;
	(void) x;
	(void) sums;
}

void
wf_quick_rows(const WfQuick *q, const float *x, size_t d, size_t n, double *sums)
{
	(void) q;
	(void) x;
	(void) d;
	(void) n;
	(void) sums;
}

#endif
