/*-------------------------------------------------------------------------
 * node.c
 *	  The best split of one node: sums, features drawn, histograms, scans.
 *
 * Packed histograms take up to four features in one pass over the rows, and
 * serve nodes of up to three classes (of those present in the node) or of
 * moments, below 2^21 draws, without weights.  All else is wide.
 *-------------------------------------------------------------------------
 */
#include "core/grower.h"
#include "core/simd.h"

#if defined(__GNUC__) || defined(__clang__)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE static inline
#endif

/* Rows up to which the mask of used bins is set while adding. */
#define MASK_ROWS_VECTOR 32
#define MASK_ROWS_SCALAR 256
/* Rows between two polls inside a large node. */
#define CHUNK 32768
/* References: rows to fetch ahead. */
#define AHEAD 16

/* ---- sums ---- */

static void
sums_of_few(WfGrower *g, const WfOpen *open)
{
	int			k = g->data->n_classes;

	g->sums.draws = 0;
	g->sums.n_classes = 0;
	for (int c = 0; c < k; c++)
	{
		g->class_weight[c] = open->count[c];
		g->sums.draws += open->count[c];
		if (open->count[c])
			g->present[g->sums.n_classes++] = (uint16_t) c;
		g->local[c] = (uint16_t) c;
		g->shift[c] = (uint8_t) (WF_CELL_BITS * c);
	}
	g->sums.weight = (double) g->sums.draws;
	g->sums.pure = g->sums.n_classes <= 1;
}

static void
sums_of_classes(WfGrower *g, const WfOpen *open)
{
	uint64_t	draws = 0;
	uint64_t	weight = 0;
	uint32_t	n_present = 0;

	for (uint32_t j = 0; j < g->sums.n_classes; j++)
		g->class_weight[g->present[j]] = 0;
	for (size_t i = 0; i < open->n; i++)
	{
		uint32_t	word = wf_row_word(g, open, i);
		uint64_t	w = (uint64_t) (word >> 16) * wf_row_weight(g, open, i);
		uint16_t	c = (uint16_t) word;

		if (g->class_weight[c] == 0)
			g->present[n_present++] = c;
		g->class_weight[c] += w;
		weight += w;
		draws += word >> 16;
		if (i % CHUNK == CHUNK - 1)
			g->host->check(g->host);
	}
	/* rising order, whatever the rows' */
	if (n_present > 32)
	{
		n_present = 0;
		for (int c = 0; c < g->data->n_classes; c++)
			if (g->class_weight[c])
				g->present[n_present++] = (uint16_t) c;
	}
	else
		for (uint32_t i = 1; i < n_present; i++)
			for (uint32_t j = i; j > 0 && g->present[j - 1] > g->present[j]; j--)
			{
				uint16_t	c = g->present[j];

				g->present[j] = g->present[j - 1];
				g->present[j - 1] = c;
			}
	for (uint32_t j = 0; j < n_present; j++)
	{
		g->local[g->present[j]] = (uint16_t) j;
		g->shift[g->present[j]] = (uint8_t) (j < WF_FEW_CLASSES ? WF_CELL_BITS * j : 0);
	}
	g->sums = (WfNodeSums) {draws, (double) weight, n_present <= 1, 0, n_present};
}

static void
sums_of_moments(WfGrower *g, const WfOpen *open)
{
	uint64_t	draws = 0;
	uint64_t	weight = 0;
	int64_t		moment = 0;
	bool		pure = true;
	int32_t		first = open->n ? wf_row_target(g, open, 0) : 0;

	for (size_t i = 0; i < open->n; i++)
	{
		uint32_t	n = wf_row_word(g, open, i) >> 16;
		uint64_t	w = (uint64_t) n * wf_row_weight(g, open, i);
		int32_t		y = wf_row_target(g, open, i);

		pure &= y == first;
		moment += (int64_t) w * y;
		weight += w;
		draws += n;
		if (i % CHUNK == CHUNK - 1)
			g->host->check(g->host);
	}
	g->sums = (WfNodeSums) {draws, (double) weight, pure, moment, 0};
}

void
wf_node_sums(WfGrower *g, const WfOpen *open)
{
	if (g->few)
		sums_of_few(g, open);
	else if (g->impurity == WF_IMPURITY_CLASSES)
		sums_of_classes(g, open);
	else
		sums_of_moments(g, open);
}

/* ---- features ---- */

/* The next feature of the node; all features in order when all are tried anyway. */
static uint32_t
draw_feature(WfGrower *g, uint64_t key)
{
	uint32_t	i = g->n_drawn++;
	uint32_t	d = g->data->d;
	uint32_t	r;
	uint32_t	j;
	uint32_t	f;

	g->swapped[i] = i;
	if (g->plan->max_features >= d)
		return g->feature[i];
	if ((i & 1) == 0)
		g->random = wf_mix(key + i + 1);
	r = (i & 1) ? (uint32_t) (g->random >> 32) : (uint32_t) g->random;
	j = i + (uint32_t) (((uint64_t) r * (d - i)) >> 32);
	g->swapped[i] = j;
	f = g->feature[j];
	g->feature[j] = g->feature[i];
	g->feature[i] = f;
	return f;
}

static void
put_features_back(WfGrower *g)
{
	while (g->n_drawn > 0)
	{
		uint32_t	i = --g->n_drawn;
		uint32_t	j = g->swapped[i];
		uint32_t	f = g->feature[j];

		g->feature[j] = g->feature[i];
		g->feature[i] = f;
	}
}

/* ---- packed histograms ---- */

/* The cell of a row of that word (and, for moments, target). */
ALWAYS_INLINE uint64_t
row_cell(const uint8_t *shift, int target_shift, uint32_t word, int32_t target, bool classes)
{
	uint64_t	draws = word >> 16;

	if (classes)
		return draws << shift[word & 0xffff];
	return ((uint64_t) (target >> target_shift) * draws << WF_CELL_BITS) + draws;
}

/*
 * Add n records to m histograms; returns the sum of their cells.  All that
 * the loop needs is in locals: the compiler cannot know that cells do not
 * overlap the grower.
 */
ALWAYS_INLINE uint64_t
add_rows(WfGrower *g, const WfOpen *open, const uint32_t *feature, int m, bool classes, bool marked)
{
	const uint8_t *record = g->records + open->begin * g->layout.size;
	const uint8_t *tail = record + g->layout.word_at;
	const uint8_t *shift = g->shift;
	size_t		size = g->layout.size;
	int			target_shift = g->target_shift;
	uint64_t  (*cells)[256] = g->cells;
	uint64_t  (*masks)[4] = g->masks;
	uint32_t	f0 = feature[0];
	uint32_t	f1 = m > 1 ? feature[1] : 0;
	uint32_t	f2 = m > 2 ? feature[2] : 0;
	uint32_t	f3 = m > 3 ? feature[3] : 0;
	uint64_t	total = 0;

#define ADD(J, F) \
	do { \
		uint8_t		b_ = record[F]; \
		cells[J][b_] += cell; \
		if (marked) \
			masks[J][b_ >> 6] |= UINT64_C(1) << (b_ & 63); \
	} while (0)

	for (size_t n = open->n; n > 0; n--, record += size, tail += size)
	{
		uint32_t	word;
		int32_t		target = 0;
		uint64_t	cell;

		memcpy(&word, tail, sizeof(word));
		if (!classes)
			memcpy(&target, tail + 4, sizeof(target));
		cell = row_cell(shift, target_shift, word, target, classes);
		total += cell;
		ADD(0, f0);
		if (m > 1)
			ADD(1, f1);
		if (m > 2)
			ADD(2, f2);
		if (m > 3)
			ADD(3, f3);
	}
#undef ADD
	return total;
}

ALWAYS_INLINE uint64_t
add_rows_of(WfGrower *g, const WfOpen *open, const uint32_t *feature, int m, bool classes, bool marked)
{
	switch (m)
	{
		case 4:
			return add_rows(g, open, feature, 4, classes, marked);
		case 3:
			return add_rows(g, open, feature, 3, classes, marked);
		case 2:
			return add_rows(g, open, feature, 2, classes, marked);
		default:
			return add_rows(g, open, feature, 1, classes, marked);
	}
}

static uint64_t
add_records(WfGrower *g, const WfOpen *open, const uint32_t *feature, int m, bool marked)
{
	if (g->impurity == WF_IMPURITY_CLASSES)
	{
		if (marked)
			return add_rows_of(g, open, feature, m, true, true);
		return add_rows_of(g, open, feature, m, true, false);
	}
	if (marked)
		return add_rows_of(g, open, feature, m, false, true);
	return add_rows_of(g, open, feature, m, false, false);
}

/* The same for references, polling the host and fetching rows ahead. */
static uint64_t
add_refs(WfGrower *g, const WfOpen *open, const uint32_t *feature, int m)
{
	const WfRowRef *refs = g->refs + open->begin;
	bool		classes = g->impurity == WF_IMPURITY_CLASSES;
	uint64_t	total = 0;

	for (size_t i = 0; i < open->n; i++)
	{
		const uint8_t *bins = wf_dataset_row(g->data, refs[i].row);
		uint64_t	cell = row_cell(g->shift, g->target_shift, refs[i].word,
									classes ? 0 : wf_bag_target(g->plan, refs[i].row), classes);

#if defined(__GNUC__) || defined(__clang__)
		if (i + AHEAD < open->n)
			__builtin_prefetch(wf_dataset_row(g->data, refs[i + AHEAD].row));
#endif
		total += cell;
		for (int j = 0; j < m; j++)
			g->cells[j][bins[feature[j]]] += cell;
		if (i % CHUNK == CHUNK - 1)
			g->host->check(g->host);
	}
	return total;
}

/* ---- wide histograms ---- */

/* Bins of a mask, rising. */
static int
mask_bins(const uint64_t mask[4], uint8_t *bins)
{
	int			n = 0;

	for (int w = 0; w < 4; w++)
		for (uint64_t m = mask[w]; m; m &= m - 1)
			bins[n++] = (uint8_t) ((w << 6) + __builtin_ctzll(m));
	return n;
}

static size_t
wide_width(const WfGrower *g)
{
	if (g->impurity == WF_IMPURITY_MOMENTS)
		return 3;
	return (size_t) (g->few ? (uint32_t) g->data->n_classes : g->sums.n_classes) + 1;
}

/* Fill g->wide and g->wide_total with one feature; returns its bins in use. */
static int
add_wide(WfGrower *g, const WfOpen *open, uint32_t feature, uint8_t *bins)
{
	size_t		width = wide_width(g);
	uint64_t	mask[4] = {0, 0, 0, 0};
	bool		classes = g->impurity == WF_IMPURITY_CLASSES;
	int			n;

	for (size_t i = 0; i < open->n; i++)
	{
		uint8_t		b = wf_row_bins(g, open, i)[feature];
		uint32_t	word = wf_row_word(g, open, i);
		int64_t		w = (int64_t) (word >> 16) * wf_row_weight(g, open, i);
		int64_t    *cell = g->wide + (size_t) b * width;

		mask[b >> 6] |= UINT64_C(1) << (b & 63);
		cell[0] += word >> 16;
		if (classes)
			cell[1 + g->local[word & 0xffff]] += w;
		else
		{
			cell[1] += w * wf_row_target(g, open, i);
			cell[2] += w;
		}
		if (i % CHUNK == CHUNK - 1)
			g->host->check(g->host);
	}
	n = mask_bins(mask, bins);
	memset(g->wide_total, 0, width * sizeof(int64_t));
	for (int i = 0; i < n; i++)
		for (size_t c = 0; c < width; c++)
			g->wide_total[c] += g->wide[(size_t) bins[i] * width + c];
	return n;
}

/* The same from a packed histogram, for categories. */
static int
widen_cells(WfGrower *g, const uint64_t *cells, const uint64_t mask[4], uint64_t total, uint8_t *bins)
{
	size_t		width = wide_width(g);
	int			n = mask_bins(mask, bins);

	for (int i = -1; i < n; i++)
	{
		uint64_t	cell = i < 0 ? total : cells[bins[i]];
		int64_t    *wide = i < 0 ? g->wide_total : g->wide + (size_t) bins[i] * width;

		if (g->impurity == WF_IMPURITY_MOMENTS)
		{
			wide[0] = wide[2] = (int64_t) (cell & WF_CELL_MASK);
			wide[1] = (int64_t) cell >> WF_CELL_BITS;
			continue;
		}
		wide[0] = 0;
		for (size_t c = 1; c < width; c++)
		{
			wide[c] = (int64_t) ((cell >> (WF_CELL_BITS * (c - 1))) & WF_CELL_MASK);
			wide[0] += wide[c];
		}
	}
	return n;
}

static void
clear_wide(WfGrower *g, const uint8_t *bins, int n)
{
	size_t		width = wide_width(g);

	for (int i = 0; i < n; i++)
		memset(g->wide + (size_t) bins[i] * width, 0, width * sizeof(int64_t));
}

/* A number feature in wide cells: missing values are tried on both sides. */
static void
scan_wide_number(WfGrower *g, const WfScan *scan, const uint8_t *bins, int n, WfNodeSplit *best)
{
	size_t		width = wide_width(g);
	bool		missing = scan->has_missing && bins[n - 1] == WF_MISSING_BIN;
	int			numbers = n - (missing ? 1 : 0);

	for (int pass = 0; pass < (missing && scan->missing_left ? 2 : 1); pass++)
	{
		const int64_t *start = pass ? g->wide + (size_t) WF_MISSING_BIN * width : NULL;
		int			at = wf_scan_wide(g->impurity, g->wide, width, bins, numbers, start, g->wide_total,
									  scan->min_leaf, g->data->weight != NULL, g->scratch,
									  &best->score, &best->left_share);

		if (at < 0)
			continue;
		best->feature = scan->feature;
		best->category = false;
		best->missing_left = pass != 0;
		best->has_missing = missing;
		best->by_cell = false;
		best->cut = (uint8_t) (at + 1 < numbers ? (bins[at] + bins[at + 1]) / 2 : scan->n_bins - 1);
	}
}

/* ---- one feature after the other ---- */

static WfScan
feature_scan(const WfGrower *g, uint32_t feature)
{
	return (WfScan)
	{
		g->impurity, feature, g->data->n_bins[feature], g->data->has_missing[feature] != 0,
			g->plan->slots->left_slot[feature] != WF_NO_SLOT, g->plan->min_leaf
	};
}

static bool
scan_levels(WfGrower *g, uint32_t feature, const uint8_t *bins, int n, WfNodeSplit *best)
{
	if (n < 2)
		return false;
	wf_levels_scan(g->levels, g->impurity, feature, g->wide, wide_width(g), bins, n, g->wide_total,
				   g->plan->min_leaf, g->data->weight != NULL,
				   g->plan->cat_smooth * g->sums.weight / (double) g->sums.draws, best);
	return true;
}

/* m features drawn at once; returns whether any of them varies. */
static bool
try_packed(WfGrower *g, const WfOpen *open, const uint32_t *feature, int m, WfNodeSplit *best)
{
	size_t		mask_rows = wf_simd() >= WF_SIMD_AVX512 ? MASK_ROWS_VECTOR : MASK_ROWS_SCALAR;
	bool		marked = !open->refs && open->n <= mask_rows;
	bool		varies = false;
	uint64_t	total;

	total = open->refs ? add_refs(g, open, feature, m)
		: add_records(g, open, feature, m, marked);
	for (int j = 0; j < m; j++)
	{
		uint64_t   *cells = g->cells[j];
		WfScan		scan = feature_scan(g, feature[j]);

		if (g->data->is_category[feature[j]])
		{
			uint8_t		bins[256];
			int			n;

			if (!marked)
				wf_cells_mask(cells, g->masks[j]);
			n = widen_cells(g, cells, g->masks[j], total, bins);
			varies |= scan_levels(g, feature[j], bins, n, best);
			clear_wide(g, bins, n);
		}
		else
			varies |= wf_scan_packed(&scan, cells, marked ? g->masks[j] : NULL, total, best);
		if (marked)
		{
			for (int w = 0; w < 4; w++)
				for (uint64_t k = g->masks[j][w]; k; k &= k - 1)
					cells[(w << 6) + __builtin_ctzll(k)] = 0;
		}
		else
		{
			memset(cells, 0, g->data->n_bins[feature[j]] * sizeof(uint64_t));
			cells[WF_MISSING_BIN] = 0;
		}
		memset(g->masks[j], 0, sizeof(g->masks[j]));
	}
	return varies;
}

static bool
try_wide(WfGrower *g, const WfOpen *open, uint32_t feature, WfNodeSplit *best)
{
	WfScan		scan = feature_scan(g, feature);
	uint8_t		bins[256];
	int			n = add_wide(g, open, feature, bins);

	if (n >= 2)
	{
		if (g->data->is_category[feature])
			scan_levels(g, feature, bins, n, best);
		else
			scan_wide_number(g, &scan, bins, n, best);
	}
	clear_wide(g, bins, n);
	return n >= 2;
}

/*
 * Bits of a fixed-point target that packed cells have no room for: the sum
 * has 43 bits, draws below 2^21 leave it 22 for one target.  Small nodes keep
 * all 31.
 */
static int
target_shift(uint64_t draws)
{
	int			bits = 64 - __builtin_clzll(draws | 1);

	return bits > 11 ? bits - 11 : 0;
}

/*
 * Two rows of different classes: every feature in which they differ scores
 * the same, so the first one drawn is it.  A category is left to the general
 * way, which knows what to do with absent levels.
 */
static bool
try_pair(WfGrower *g, const WfOpen *open, WfNodeSplit *split)
{
	const uint8_t *a = wf_row_bins(g, open, 0);
	const uint8_t *b = wf_row_bins(g, open, 1);

	if (open->refs || g->impurity != WF_IMPURITY_CLASSES || g->plan->min_leaf > 1)
		return false;
	while (g->n_drawn < g->data->d)
	{
		uint32_t	f = draw_feature(g, open->key);
		uint8_t		low = a[f] < b[f] ? a[f] : b[f];
		uint8_t		high = a[f] < b[f] ? b[f] : a[f];

		if (low == high)
			continue;
		if (g->data->is_category[f])
			return try_packed(g, open, &f, 1, split);
		split->score = (double) g->sums.draws;
		split->feature = f;
		split->category = false;
		split->missing_left = false;
		split->has_missing = g->data->has_missing[f] && high == WF_MISSING_BIN;
		split->cut = (uint8_t) (split->has_missing ? g->data->n_bins[f] - 1 : (low + high) / 2);
		split->by_cell = true;
		split->left = row_cell(g->shift, 0, wf_row_word(g, open, a[f] < b[f] ? 0 : 1), 0, true);
		return true;
	}
	return false;
}

/*
 * max_features are tried; on goes the draw only if none of them varies in the
 * node (as in scikit-learn), so that a node that can be split is.
 */
bool
wf_node_split(WfGrower *g, const WfOpen *open, WfNodeSplit *split)
{
	uint32_t	d = g->data->d;
	uint32_t	wanted = g->plan->max_features;
	bool		varies = false;
	bool		decided = false;	/* nothing better can come */
	bool		packed = g->data->weight == NULL && g->sums.draws < (1u << WF_CELL_BITS) &&
		(g->impurity == WF_IMPURITY_MOMENTS || g->few || g->sums.n_classes <= WF_FEW_CLASSES);

	split->score = -1;
	g->target_shift = packed ? target_shift(g->sums.draws) : 0;
	if (packed && open->n == 2 && wanted < d)
		decided = try_pair(g, open, split);
	while (g->n_drawn < d && (g->n_drawn < wanted || !varies) && !decided)
	{
		uint32_t	group[WF_GROUP];
		uint32_t	m = g->n_drawn < wanted ? wanted - g->n_drawn : 1;

		if (!packed)
			m = 1;
		else if (m > WF_GROUP)
			m = WF_GROUP;
		for (uint32_t j = 0; j < m; j++)
			group[j] = draw_feature(g, open->key);
		if (packed)
			varies |= try_packed(g, open, group, (int) m, split);
		else
			varies |= try_wide(g, open, group[0], split);
		wf_grower_visit(g, open->n * m);
	}
	put_features_back(g);
	return split->score >= 0;
}
