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
 * Values: one float for each number slot that some split uses.  "Right" is
 * !(x <= cut), which is true for NaN as missing values in slots where missing
 * goes right; where it goes left they are -infinity.
 *
 * Categories: for each level of a category, and for missing, the leaves that
 * it rules out in each tree, whatever the row's other values.
 *-------------------------------------------------------------------------
 */
#include "core/treeforms.h"

#include <math.h>
#include <string.h>

#include "core/simd.h"

#ifdef WF_HAVE_X86_SIMD

#include <immintrin.h>

#define LANES 16
#define MAX_VALUES 128
#define MAX_CATEGORIES 64
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

/* A category feature: its rows in the tables of levels, n_bins of them and one for missing. */
typedef struct Category
{
	uint16_t	feature;
	uint16_t	n_bins;
	uint32_t	first_row;
} Category;

struct WfQuick
{
	const WfEnsemble *ensemble;
	uint32_t	n_groups;
	uint32_t	n_outputs;
	uint32_t	n_values;
	uint32_t	n_categories;
	uint32_t	leaf_stride;	/* floats per tree: 32, or 64 when some tree is tall */
	Group	   *groups;
	float	   *leaves;			/* by tree, from the left */
	/* by row of a level, then by tree: leaves ruled out, lower and upper 32 (NULL: none is tall) */
	uint32_t   *level_low;
	uint32_t   *level_high;
	uint16_t	value_feature[MAX_VALUES];
	uint8_t		value_flags[MAX_VALUES];	/* WF_SLOT_* */
	Category	categories[MAX_CATEGORIES];
};

/* ---- making the tables ---- */

typedef struct Making
{
	WfHost	   *host;
	const WfEnsemble *e;
	const WfShape *shape;
	WfQuick    *quick;
	/* by slot: number of its value or category + 1, 0: no split uses it */
	uint8_t    *number_of_slot;
	/* by tree: splits on numbers */
	uint8_t    *n_steps;
	size_t		all_steps;		/* of all groups */
	size_t		n_rows;			/* of levels */
	bool		tall;
} Making;

/* Number the value or category of a slot; false when there are too many. */
static bool
number_slot(Making *m, uint32_t slot)
{
	WfQuick    *q = m->quick;
	uint16_t	feature = m->e->slot_feature[slot];

	if (m->number_of_slot[slot])
		return true;
	if (m->e->slot_flags[slot] & WF_SLOT_CATEGORY)
	{
		if (q->n_categories == MAX_CATEGORIES)
			return false;
		q->categories[q->n_categories] = (Category) {feature, m->shape->n_bins[feature], (uint32_t) m->n_rows};
		m->n_rows += m->shape->n_bins[feature] + 1u;
		m->number_of_slot[slot] = (uint8_t) ++q->n_categories;
	}
	else
	{
		if (q->n_values == MAX_VALUES)
			return false;
		q->value_feature[q->n_values] = feature;
		q->value_flags[q->n_values] = m->e->slot_flags[slot];
		m->number_of_slot[slot] = (uint8_t) ++q->n_values;
	}
	return true;
}

/* Number what the splits use and count them; false when the form does not suit. */
static bool
survey(Making *m)
{
	const WfEnsemble *e = m->e;

	for (uint32_t t = 0; t < e->header->n_trees; t++)
	{
		const WfTreeEntry *tree = &e->directory[t];

		m->tall |= tree->n_splits >= LOW_LEAVES;
		m->n_steps[t] = 0;
		for (uint32_t at = 0; at < tree->n_words;)
		{
			WfWord		w = wf_word_read(e->words + tree->first_word + at, e->header->wide, e->slot_flags);

			at += w.words;
			if (w.leaf)
				continue;
			if (!number_slot(m, w.slot))
				return false;
			m->n_steps[t] += (e->slot_flags[w.slot] & WF_SLOT_CATEGORY) == 0;
		}
	}
	for (uint32_t t = 0; t < e->header->n_trees; t += LANES)
	{
		uint32_t	most = 0;

		for (uint32_t i = t; i < t + LANES && i < e->header->n_trees; i++)
			most = m->n_steps[i] > most ? m->n_steps[i] : most;
		m->all_steps += most;
	}
	return true;
}

/* The leaves that a split rules out when a row goes right. */
static void
put_mask(Making *m, const Group *group, uint32_t t, const WfNode *node, uint32_t step, uint32_t number, uint64_t mask)
{
	WfQuick    *q = m->quick;
	size_t		stride = (size_t) q->n_groups * LANES;
	const Category *c;

	if (!node->category)
	{
		group->steps[step].mask[t % LANES] = (uint32_t) mask;
		if (group->upper)
			group->upper[step][t % LANES] = (uint32_t) (mask >> 32);
		return;
	}
	c = &q->categories[number - 1];
	for (uint32_t level = 0; level <= c->n_bins; level++)
	{
		uint32_t	bin = level < c->n_bins ? level : WF_MISSING_BIN;
		size_t		at = (c->first_row + level) * stride + t;

		if (node->bitset[bin >> 6] >> (bin & 63) & 1)
			continue;
		q->level_low[at] |= (uint32_t) mask;
		if (q->level_high)
			q->level_high[at] |= (uint32_t) (mask >> 32);
	}
}

/* A split whose left subtree is being read. */
typedef struct Open
{
	WfNode		node;
	uint32_t	step;
	uint32_t	number;			/* of the category */
	uint32_t	first_leaf;
} Open;

/*
 * A tree's splits and leaves into its lane.  In preorder the leaves of a left
 * subtree are those met between the split and its right child.
 */
static void
fill_lane(Making *m, const Group *group, uint32_t t)
{
	const WfEnsemble *e = m->e;
	const WfTreeEntry *tree = &e->directory[t];
	const uint32_t *words = e->words + tree->first_word;
	float	   *leaves = m->quick->leaves + (size_t) t * m->quick->leaf_stride;
	Open		open[MAX_LEAVES];
	uint32_t	n_open = 0;
	uint32_t	n_leaves = 0;
	uint32_t	n_steps = 0;

	for (uint32_t at = 0; at < tree->n_words;)
	{
		Open	   *o = &open[n_open];

		if (n_open > 0 && o[-1].node.right == at)
		{
			o = &open[--n_open];
			put_mask(m, group, t, &o->node, o->step, o->number,
					 ((UINT64_C(1) << (n_leaves - o->first_leaf)) - 1) << o->first_leaf);
		}
		wf_node_read(e, tree, at, &o->node);
		if (o->node.leaf)
		{
			leaves[n_leaves++] = e->floats[tree->first_float + o->node.payload];
			at += e->header->wide ? 2 : 1;
			continue;
		}
		o->number = m->number_of_slot[words[at] & (e->header->wide ? 0xffff : 0xff)];
		o->first_leaf = n_leaves;
		o->step = n_steps;
		if (!o->node.category)
		{
			group->steps[n_steps].value[t % LANES] = (uint8_t) (o->number - 1);
			group->steps[n_steps++].cut[t % LANES] = wf_cut_of(m->shape, o->node.feature, o->node.bin);
		}
		at = o->node.left;
		n_open++;
	}
}

static void
fill_groups(Making *m, Step *steps, uint32_t (*upper)[LANES])
{
	const WfEnsemble *e = m->e;

	for (uint32_t g = 0; g < m->quick->n_groups; g++)
	{
		Group	   *group = &m->quick->groups[g];
		uint32_t	first = g * LANES;
		uint32_t	n = e->header->n_trees - first;

		*group = (Group) {steps, upper, 0, n < LANES ? n : LANES};
		for (uint32_t i = 0; i < group->n_trees; i++)
			if (m->n_steps[first + i] > group->n_steps)
				group->n_steps = m->n_steps[first + i];
		/* Padding: whatever the row, no leaf is ruled out. */
		memset(steps, 0, group->n_steps * sizeof(Step));
		if (upper)
			memset(upper, 0, group->n_steps * sizeof(*upper));
		for (uint32_t i = 0; i < group->n_trees; i++)
			fill_lane(m, group, first + i);
		steps += group->n_steps;
		if (upper)
			upper += group->n_steps;
	}
}

/* All the memory, once its sizes are known; at most limit bytes, or false. */
static bool
make_tables(Making *m, size_t limit)
{
	WfQuick    *q = m->quick;
	size_t		halves = m->tall ? 2 : 1;
	size_t		step = sizeof(Step) + (m->tall ? sizeof(uint32_t[LANES]) : 0);
	size_t		n_trees = m->e->header->n_trees;
	size_t		lanes = (size_t) q->n_groups * LANES;
	Step	   *steps;

	q->leaf_stride = m->tall ? MAX_LEAVES : LOW_LEAVES;
	if (m->all_steps * step + n_trees * q->leaf_stride * sizeof(float) + q->n_groups * sizeof(Group) +
		m->n_rows * lanes * halves * sizeof(uint32_t) > limit)
		return false;
	q->groups = wf_alloc(m->host, q->n_groups, sizeof(Group));
	q->leaves = wf_alloc_zero(m->host, n_trees * q->leaf_stride, sizeof(float));
	q->level_low = wf_alloc_zero(m->host, m->n_rows * lanes * halves, sizeof(uint32_t));
	if (m->tall)
		q->level_high = q->level_low + m->n_rows * lanes;
	steps = wf_alloc_aligned(m->host, m->all_steps, step);
	fill_groups(m, steps, m->tall ? (uint32_t (*)[LANES]) (steps + m->all_steps) : NULL);
	return true;
}

WfQuick *
wf_quick_create(WfHost *host, const WfEnsemble *e, const WfShape *shape, size_t limit)
{
	const WfEnsembleHeader *h = e->header;
	Making		m = {.host = host,.e = e,.shape = shape};
	WfQuick    *q;

	if (wf_simd() < WF_SIMD_AVX512 || h->leaf != WF_LEAF_VALUE || h->n_trees == 0)
		return NULL;
	for (uint32_t t = 0; t < h->n_trees; t++)
		if (e->directory[t].n_splits >= MAX_LEAVES)
			return NULL;
	q = m.quick = wf_alloc_zero(host, 1, sizeof(*q));
	q->ensemble = e;
	q->n_outputs = h->n_outputs;
	q->n_groups = (h->n_trees + LANES - 1) / LANES;
	m.number_of_slot = wf_alloc_zero(host, (size_t) h->n_slots + h->n_trees, 1);
	m.n_steps = m.number_of_slot + h->n_slots;
	if (!survey(&m) || !make_tables(&m, limit))
	{
		wf_release(host, q);
		q = NULL;
	}
	wf_release(host, m.number_of_slot);
	return q;
}

/* ---- scoring ---- */

static inline float
value_for(const WfQuick *q, uint32_t v, const float *x)
{
	return wf_float_value(x[q->value_feature[v]], q->value_flags[v]);
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

/* v[idx], where bit "bit" of idx chooses between two results. */
WF_TARGET_AVX512
static inline __m512
choose(__m512 low, __m512 high, __m512i idx, int bit)
{
	return _mm512_mask_mov_ps(low, _mm512_test_epi32_mask(idx, _mm512_set1_epi32(bit)), high);
}

/* v[idx] of 16 * n values in n registers. */
WF_TARGET_AVX512
__attribute__((always_inline))
static inline __m512
pick(const __m512 *v, __m512i idx, int n)
{
	__m512		low;

	if (n == 1)
		return _mm512_permutexvar_ps(idx, v[0]);
	low = _mm512_permutex2var_ps(v[0], idx, v[1]);
	if (n == 2)
		return low;
	low = choose(low, _mm512_permutex2var_ps(v[2], idx, v[3]), idx, 32);
	if (n == 4)
		return low;
	return choose(low, choose(_mm512_permutex2var_ps(v[4], idx, v[5]),
							  _mm512_permutex2var_ps(v[6], idx, v[7]), idx, 32), idx, 64);
}

/* A row as the tables want it. */
typedef struct Row
{
	__m512		v[MAX_VALUES / LANES];
	uint32_t	n_levels;
	size_t		level[MAX_CATEGORIES];	/* where the level's leaves start in the tables */
} Row;

/* Leaves of one row in the 16 trees of a group. */
WF_TARGET_AVX512
__attribute__((always_inline))
static inline __m512i
group_leaves(const WfQuick *q, uint32_t g, const Row *row, int n, bool tall)
{
	const Group *group = &q->groups[g];
	__m512i		low = _mm512_setzero_si512();	/* ruled out */
	__m512i		high = low;

	for (uint32_t i = 0; i < row->n_levels; i++)
	{
		low = _mm512_or_si512(low, _mm512_loadu_si512(q->level_low + row->level[i] + g * LANES));
		if (tall)
			high = _mm512_or_si512(high, _mm512_loadu_si512(q->level_high + row->level[i] + g * LANES));
	}
	for (uint32_t j = 0; j < group->n_steps; j++)
	{
		const Step *s = &group->steps[j];
		__m512i		idx = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *) s->value));
		__mmask16	right = _mm512_cmp_ps_mask(pick(row->v, idx, n), _mm512_loadu_ps(s->cut), _CMP_NLE_UQ);

		low = _mm512_or_si512(low, _mm512_maskz_loadu_epi32(right, s->mask));
		if (tall)
			high = _mm512_or_si512(high, _mm512_maskz_loadu_epi32(right, group->upper[j]));
	}
	return tall ? lowest_zero_of_two(low, high) : lowest_zero(low);
}

/* With one output the sum stays in a register. */
WF_TARGET_AVX512
__attribute__((always_inline))
static inline void
score_row(const WfQuick *q, const Row *row, int n, bool tall, double *sums)
{
	const float *leaves = q->leaves;
	double		sum = sums[0];
	uint32_t	output = 0;

	for (uint32_t g = 0; g < q->n_groups; g++)
	{
		uint32_t	n_trees = q->groups[g].n_trees;
		uint32_t	leaf[LANES];

		_mm512_storeu_si512(leaf, group_leaves(q, g, row, n, tall));
		if (q->n_outputs == 1)
		{
			for (uint32_t i = 0; i < n_trees; i++)
				sum += leaves[i * q->leaf_stride + leaf[i]];
		}
		else
		{
			for (uint32_t i = 0; i < n_trees; i++)
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
static void
read_row(const WfQuick *q, const float *x, Row *row)
{
	float		values[MAX_VALUES];

	for (uint32_t i = 0; i < q->n_values; i++)
		values[i] = value_for(q, i, x);
	for (uint32_t i = 0; i < MAX_VALUES / LANES; i++)
	{
		uint32_t	left = q->n_values > i * LANES ? q->n_values - i * LANES : 0;

		row->v[i] = _mm512_maskz_loadu_ps(left >= LANES ? 0xffff : (__mmask16) ((1u << left) - 1), values + i * LANES);
	}
	row->n_levels = q->n_categories;
	for (uint32_t i = 0; i < q->n_categories; i++)
	{
		const Category *c = &q->categories[i];
		float		value = x[c->feature];
		uint32_t	level = value >= 0 && value < c->n_bins ? (uint32_t) value : c->n_bins;

		row->level[i] = (size_t) (c->first_row + level) * q->n_groups * LANES;
	}
}

WF_TARGET_AVX512
void
wf_quick_row(const WfQuick *q, const float *x, double *sums)
{
	bool		tall = q->leaf_stride == MAX_LEAVES;
	Row			row;

	read_row(q, x, &row);
	if (q->n_values <= LANES)
		tall ? score_row(q, &row, 1, true, sums) : score_row(q, &row, 1, false, sums);
	else if (q->n_values <= 2 * LANES)
		tall ? score_row(q, &row, 2, true, sums) : score_row(q, &row, 2, false, sums);
	else if (q->n_values <= 4 * LANES)
		tall ? score_row(q, &row, 4, true, sums) : score_row(q, &row, 4, false, sums);
	else
		tall ? score_row(q, &row, 8, true, sums) : score_row(q, &row, 8, false, sums);
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

	/* Below half a vector single rows are as fast, and levels are looked up row by row anyway. */
	for (; n - r >= LANES / 2 && q->n_outputs <= MAX_BLOCK_OUTPUTS && q->n_categories == 0; r += LANES)
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
