/*-------------------------------------------------------------------------
 * leafwise.c
 *	  Growing one regression tree leaf-wise, by all members of a team.
 *
 * All members hold the same leaves, nodes and free slots; only the places of
 * their records differ.  Histograms live in slots that follow their leaf: a
 * parent's becomes that of its larger child.  With many features there are
 * fewer slots than leaves; then the leaf of least gain gives its slot up, and
 * its histogram is filled again should its turn come.
 *-------------------------------------------------------------------------
 */
#include "core/leafwise.h"

#include <math.h>

/* Memory for histograms, unless three of them take more. */
#define SLOT_BYTES ((size_t) 32 << 20)
/* Levels of a category with fewer rows in a leaf join the rest; rows between cuts of their order, in large tables. */
#define CATEGORY_LEVEL 10
#define CATEGORY_GROUP 50
/* Updates of cells between two polls of the host. */
#define POLL_UPDATES ((size_t) 1 << 22)
/* Features scanned between two polls. */
#define POLL_FEATURES 256

/* Of the values of the leaves below a node: what they are, and what they may be. */
typedef struct WfValueRange
{
	double		min;
	double		max;
	double		lower;
	double		upper;
} WfValueRange;

/* A member's contribution to what all must know. */
typedef struct WfLeafwiseMember
{
	_Alignas(64) WfSums sums;
	WfSplit		best[2];
} WfLeafwiseMember;

static int
count_slots(size_t bytes, uint32_t max_leaves)
{
	size_t		n = SLOT_BYTES / bytes;

	if (n < 3)
		n = 3;
	return n < max_leaves ? (int) n : (int) max_leaves;
}

static size_t
histogram_bytes(uint32_t d, bool unit)
{
	return ((size_t) d + 3) / 4 * 4 * (unit ? 256 : 512) * sizeof(int64_t);
}

size_t
wf_leafwise_bytes(uint32_t d, bool unit, uint32_t max_leaves, int team_size)
{
	size_t		bytes = histogram_bytes(d, unit);

	return bytes * ((size_t) count_slots(bytes, max_leaves) + (team_size > 1 ? (size_t) team_size : 0));
}

WfLeafwise *
wf_leafwise_create(WfTeam *team, const WfDataset *data, const WfHistogramShape *shape,
				 const WfLeafwiseRules *rules)
{
	WfHost	   *host = team->host;
	WfLeafwise   *grower = wf_alloc_zero(host, 1, sizeof(WfLeafwise));
	size_t		n_leaves = rules->max_leaves;

	grower->team = team;
	grower->data = data;
	grower->shape = *shape;
	grower->rules = *rules;
	grower->cells = wf_histogram_cells(shape);
	grower->n_slots = count_slots(grower->cells * sizeof(int64_t), rules->max_leaves);
	for (uint32_t f = 0; f < data->d; f++)
		grower->bounded |= data->monotone && data->monotone[f] != 0;

	grower->leaves = wf_alloc(host, n_leaves, sizeof(WfLeafwiseLeaf));
	grower->nodes = wf_alloc(host, n_leaves, 2 * sizeof(WfGrownNode));
	if (grower->bounded)
		grower->ranges = wf_alloc(host, n_leaves, 2 * sizeof(WfValueRange));
	grower->bitsets = wf_alloc(host, n_leaves, sizeof(*grower->bitsets));
	grower->free_slots = wf_alloc(host, (size_t) grower->n_slots, sizeof(int));
	grower->scratch = wf_alloc_aligned(host, WF_HISTOGRAM_SCRATCH, sizeof(int64_t));
	grower->slots = wf_team_alloc(team, wf_size_mul(host, grower->cells, (size_t) grower->n_slots), sizeof(int64_t));
	if (team->size > 1)
	{
		grower->own = wf_team_alloc(team, wf_size_mul(host, grower->cells, (size_t) team->size), sizeof(int64_t));
		grower->mine = wf_alloc_aligned(host, grower->cells, sizeof(int64_t));
	}
	grower->members = wf_team_alloc(team, (size_t) team->size, sizeof(WfLeafwiseMember));
	return grower;
}

void
wf_leafwise_free(WfLeafwise *grower)
{
	WfTeam	   *team = grower->team;
	WfHost	   *host = team->host;

	wf_team_free(team, grower->members);
	if (grower->own)
		wf_team_free(team, grower->own);
	wf_release_aligned(host, grower->mine);
	wf_team_free(team, grower->slots);
	wf_release_aligned(host, grower->scratch);
	wf_release(host, grower->free_slots);
	wf_release(host, grower->bitsets);
	wf_release(host, grower->ranges);
	wf_release(host, grower->nodes);
	wf_release(host, grower->leaves);
	wf_release(host, grower);
}

/* ---- histograms ---- */

static int64_t *
slot_cells(const WfLeafwise *grower, int slot)
{
	return grower->slots + (size_t) slot * grower->cells;
}

/*
 * Where this member fills the histogram that will stand in slot.  In a team
 * that is memory of its own: cells that another processor has just read would
 * have to be won back line by line while they are added to.
 */
static int64_t *
own_cells(const WfLeafwise *grower, int slot)
{
	return grower->team->size == 1 ? slot_cells(grower, slot) : grower->mine;
}

/* Show the others what was filled of the features that they add up; before a barrier. */
static void
publish(const WfLeafwise *grower)
{
	const WfTeam *team = grower->team;
	int64_t    *shared = grower->own + (size_t) team->rank * grower->cells;

	if (team->size == 1)
		return;
	for (uint32_t f = 0; f < grower->shape.d; f++)
		if (f % (uint32_t) team->size != (uint32_t) team->rank)
			wf_histogram_copy(&grower->shape, f, shared, grower->mine);
}

static void
add_records(const WfLeafwise *grower, int64_t *cells, const WfRecords *records, size_t begin, size_t n)
{
	WfHost	   *host = grower->team->host;
	size_t		piece = POLL_UPDATES / (grower->shape.d + 1) + 1;

	/* Whole chunks of the kernels, lest each piece ends in a short one. */
	piece = (piece + 2047) / 2048 * 2048;
	for (size_t i = 0; i < n; i += piece)
	{
		wf_histogram_add(&grower->shape, cells, wf_record(records, begin + i),
						 n - i < piece ? n - i : piece, grower->scratch);
		if (n > piece)
			host->check(host);
	}
}

static void
fill_own(const WfLeafwise *grower, int slot, const WfRecords *records, size_t begin, size_t n)
{
	int64_t    *cells = own_cells(grower, slot);

	memset(cells, 0, grower->cells * sizeof(int64_t));
	add_records(grower, cells, records, begin, n);
}

/* Add up the members' histograms of one feature; after a barrier. */
static void
merge_feature(const WfLeafwise *grower, uint32_t feature, int slot)
{
	const WfTeam *team = grower->team;
	int64_t    *cells = slot_cells(grower, slot);

	if (team->size == 1)
		return;
	wf_histogram_copy(&grower->shape, feature, cells, grower->mine);
	for (int r = 0; r < team->size; r++)
		if (r != team->rank)
			wf_histogram_merge(&grower->shape, feature, cells, grower->own + (size_t) r * grower->cells);
}

static int
take_slot(WfLeafwise *grower)
{
	WfLeafwiseLeaf *least = NULL;
	int			slot;

	if (grower->n_free > 0)
		return grower->free_slots[--grower->n_free];
	for (uint32_t i = 0; i < grower->n_leaves; i++)
	{
		WfLeafwiseLeaf *leaf = &grower->leaves[i];

		if (leaf->slot >= 0 && (least == NULL || leaf->best.gain < least->best.gain))
			least = leaf;
	}
	if (least == NULL)
		grower->team->host->fail(grower->team->host, WF_E_INTERNAL, WF_HINT_NONE, "no histogram to give up");
	slot = least->slot;
	least->slot = -1;
	return slot;
}

static void
drop_slot(WfLeafwise *grower, WfLeafwiseLeaf *leaf)
{
	if (leaf->slot >= 0)
		grower->free_slots[grower->n_free++] = leaf->slot;
	leaf->slot = -1;
}

/* ---- scanning ---- */

static void
scan_feature(const WfLeafwise *grower, const WfLeafwiseLeaf *leaf, uint32_t f, WfSplit *best)
{
	const WfDataset *data = grower->data;
	const int64_t *cells = slot_cells(grower, leaf->slot) + f * wf_histogram_width(&grower->shape);

	if (data->is_category[f])
		wf_split_category(&grower->shape, &grower->split, &leaf->sums, cells, f, best);
	else
		wf_split_number(&grower->shape, &grower->split, &leaf->sums, cells, f,
						data->has_missing[f], data->monotone ? data->monotone[f] : 0, best);
}

static bool
feature_used(const WfLeafwise *grower, uint32_t f)
{
	return grower->use == NULL || grower->use[f];
}

/* All members have put their best splits of a leaf: take the best. */
static void
agree(const WfLeafwise *grower, WfLeafwiseLeaf *leaf, int which)
{
	leaf->best = grower->members[0].best[which];
	for (int r = 1; r < grower->team->size; r++)
		if (wf_split_better(&grower->members[r].best[which], &leaf->best))
			leaf->best = grower->members[r].best[which];
}

/*
 * Collective: members have filled their histograms of "small".  Merge them;
 * when "large" is given its slot holds the parent's, which becomes its own.
 * Scan those of the two that may be split further.
 */
static void
merge_and_scan(WfLeafwise *grower, WfLeafwiseLeaf *small, bool scan_small, WfLeafwiseLeaf *large, bool scan_large)
{
	WfLeafwiseMember *me = &grower->members[grower->team->rank];
	const uint32_t step = (uint32_t) grower->team->size;
	uint32_t	done = 0;

	publish(grower);
	wf_team_barrier(grower->team);
	me->best[0].gain = me->best[1].gain = 0;
	for (uint32_t f = (uint32_t) grower->team->rank; f < grower->shape.d; f += step)
	{
		if (!feature_used(grower, f))
			continue;
		merge_feature(grower, f, small->slot);
		if (large)
			wf_histogram_subtract(&grower->shape, f, slot_cells(grower, large->slot),
								  slot_cells(grower, small->slot));
		if (scan_small)
			scan_feature(grower, small, f, &me->best[0]);
		if (scan_large)
			scan_feature(grower, large, f, &me->best[1]);
		if (++done % POLL_FEATURES == 0)
			grower->team->host->check(grower->team->host);
	}
	wf_team_barrier(grower->team);
	if (scan_small)
		agree(grower, small, 0);
	if (scan_large)
		agree(grower, large, 1);
}

/* ---- the tree ---- */

static bool
may_split(const WfLeafwise *grower, const WfLeafwiseLeaf *leaf)
{
	return leaf->sums.total.n >= 2 * grower->rules.min_rows &&
		grower->n_leaves < grower->rules.max_leaves &&
		(grower->rules.max_depth == 0 || leaf->depth < grower->rules.max_depth);
}

static uint32_t
new_node(WfLeafwise *grower, const WfLeafwiseLeaf *leaf)
{
	uint32_t	at = grower->n_nodes++;

	memset(&grower->nodes[at], 0, sizeof(WfGrownNode));
	grower->nodes[at].weight = (float) leaf->sums.total.n;
	return at;
}

/* The leaf's node becomes a split; left[] says which bins go left. */
static void
make_split(WfLeafwise *grower, WfLeafwiseLeaf *leaf, uint8_t *left)
{
	const WfSplit *split = &leaf->best;
	WfGrownNode *node = &grower->nodes[leaf->node];

	node->feature = (uint16_t) split->feature;
	node->bin = split->bin;
	node->missing_left = split->missing_left;
	if (split->category)
	{
		node->bitset = grower->n_bitsets;
		memcpy(grower->bitsets[grower->n_bitsets++], split->set, sizeof(split->set));
		for (int b = 0; b < 256; b++)
			left[b] = (split->set[b >> 6] >> (b & 63)) & 1;
	}
	else
	{
		for (int b = 0; b < WF_MISSING_BIN; b++)
			left[b] = b <= split->bin;
		left[WF_MISSING_BIN] = split->missing_left;
	}
	if (grower->gain)
	{
		grower->gain[split->feature] += split->gain * (grower->g_unit * grower->g_unit / grower->h_unit);
		grower->splits[split->feature] += 1;
	}
}

/* A monotone split keeps the outputs below its sides apart, at their middle. */
static void
divide_bounds(const WfLeafwise *grower, const WfSplit *split, WfSplitLeaf *left, WfSplitLeaf *right)
{
	int			monotone = split->category ? 0 : grower->data->monotone[split->feature];
	double		wl = wf_split_output(&grower->split, left, left->total.g, left->total.h, split->extra_l2);
	double		wr = wf_split_output(&grower->split, right, right->total.g, right->total.h, split->extra_l2);
	double		middle = wl + (wr - wl) / 2;

	if (monotone > 0)
		left->upper = right->lower = middle;
	else if (monotone < 0)
		left->lower = right->upper = middle;
}

/*
 * Divide a leaf: it becomes its left child, *right is the right one.  The
 * histogram's slot stays with neither.
 */
static void
divide(WfLeafwise *grower, const WfRecords *records, WfLeafwiseLeaf *leaf, WfLeafwiseLeaf *right)
{
	const WfSplit split = leaf->best;
	WfGrownNode *node = &grower->nodes[leaf->node];
	uint8_t		left[256];
	size_t		n_left;

	make_split(grower, leaf, left);
	n_left = wf_records_split(grower->team->host, records, leaf->begin, leaf->n, split.feature, left);
	*right = *leaf;
	right->begin = leaf->begin + n_left;
	right->n = leaf->n - n_left;
	leaf->n = n_left;
	right->sums.total.g -= split.left.g;
	right->sums.total.h -= split.left.h;
	right->sums.total.n -= split.left.n;
	leaf->sums.total = split.left;
	leaf->extra_l2 = right->extra_l2 = split.extra_l2;
	if (grower->bounded)
		divide_bounds(grower, &split, &leaf->sums, &right->sums);
	leaf->depth++;
	right->depth++;
	leaf->best.gain = right->best.gain = 0;
	leaf->slot = right->slot = -1;
	leaf->node = new_node(grower, leaf);
	right->node = new_node(grower, right);
	node->left = leaf->node;
	node->right = right->node;
}

/* Fill the histogram of a leaf that has given up its slot. */
static void
refill(WfLeafwise *grower, const WfRecords *records, WfLeafwiseLeaf *leaf)
{
	int			slot = take_slot(grower);

	leaf->slot = slot;
	fill_own(grower, slot, records, leaf->begin, leaf->n);
	merge_and_scan(grower, leaf, false, NULL, false);
}

static void
split_leaf(WfLeafwise *grower, const WfRecords *records, WfLeafwiseLeaf *leaf)
{
	WfLeafwiseLeaf *right = &grower->leaves[grower->n_leaves];
	WfLeafwiseLeaf *small;
	WfLeafwiseLeaf *large;
	bool		scan_small;
	bool		scan_large;
	int			slot;

	/* With these two, will there be room for children of either? */
	if (leaf->slot < 0 && grower->n_leaves + 1 < grower->rules.max_leaves)
		refill(grower, records, leaf);
	slot = leaf->slot;
	divide(grower, records, leaf, right);
	grower->n_leaves++;
	small = leaf->sums.total.n <= right->sums.total.n ? leaf : right;
	large = small == leaf ? right : leaf;
	scan_small = may_split(grower, small);
	scan_large = may_split(grower, large);
	if (!scan_small && !scan_large)
	{
		if (slot >= 0)
			grower->free_slots[grower->n_free++] = slot;
		return;
	}

	/* Not yet the large child's, so that it cannot be given up. */
	small->slot = take_slot(grower);
	large->slot = slot;
	fill_own(grower, small->slot, records, small->begin, small->n);
	merge_and_scan(grower, small, scan_small, large, scan_large);
	if (small->best.gain <= 0)
		drop_slot(grower, small);
	if (large->best.gain <= 0)
		drop_slot(grower, large);
}

/* The leaf to split next: highest gain, the earliest of equals. */
static WfLeafwiseLeaf *
best_leaf(const WfLeafwise *grower)
{
	WfLeafwiseLeaf *best = NULL;

	for (uint32_t i = 0; i < grower->n_leaves; i++)
		if (grower->leaves[i].best.gain > (best ? best->best.gain : 0))
			best = &grower->leaves[i];
	return best;
}

void
wf_leafwise_begin(WfLeafwise *grower)
{
	grower->n_leaves = 0;
	grower->n_nodes = 0;
	grower->n_bitsets = 0;
	grower->n_free = 0;
	for (int s = grower->n_slots; s-- > 1;)
		grower->free_slots[grower->n_free++] = s;
	memset(own_cells(grower, 0), 0, grower->cells * sizeof(int64_t));
}

void
wf_leafwise_add(WfLeafwise *grower, const WfRecords *records, size_t begin, size_t n)
{
	add_records(grower, own_cells(grower, 0), records, begin, n);
}

static void
set_rules(WfLeafwise *grower, double g_unit, double h_unit, int64_t n_rows)
{
	const WfLeafwiseRules *rules = &grower->rules;
	int64_t		group = n_rows / 100 < CATEGORY_GROUP ? n_rows / 100 : CATEGORY_GROUP;

	grower->g_unit = g_unit;
	grower->h_unit = h_unit;
	grower->split = (WfSplitRules)
	{
		.l1 = rules->l1 / g_unit,
		.l2 = rules->l2 / h_unit,
		.min_hessian = rules->min_hessian / h_unit,
		.min_rows = rules->min_rows,
		.cat_smooth = rules->cat_smooth / h_unit,
		.cat_l2 = rules->cat_l2 / h_unit,
		.cat_min_rows = rules->min_rows < CATEGORY_LEVEL ? rules->min_rows : CATEGORY_LEVEL,
		.cat_group_rows = group > rules->min_rows ? group : rules->min_rows,
		.bounded = grower->bounded
	};
}

void
wf_leafwise_grow(WfLeafwise *grower, const WfRecords *records, size_t n, WfSums own,
			   double g_unit, double h_unit)
{
	WfTeam	   *team = grower->team;
	WfLeafwiseLeaf *root = &grower->leaves[0];
	WfLeafwiseLeaf *leaf;

	memset(root, 0, sizeof(*root));
	root->n = n;
	root->sums.lower = -INFINITY;
	root->sums.upper = INFINITY;
	grower->members[team->rank].sums = own;
	wf_team_barrier(team);
	for (int r = 0; r < team->size; r++)
	{
		root->sums.total.g += grower->members[r].sums.g;
		root->sums.total.h += grower->members[r].sums.h;
		root->sums.total.n += grower->members[r].sums.n;
	}
	set_rules(grower, g_unit, h_unit, root->sums.total.n);
	grower->n_leaves = 1;
	root->node = new_node(grower, root);
	if (may_split(grower, root))
		merge_and_scan(grower, root, true, NULL, false);
	if (root->best.gain <= 0)
		drop_slot(grower, root);

	while (grower->n_leaves < grower->rules.max_leaves && (leaf = best_leaf(grower)) != NULL)
	{
		team->host->check(team->host);
		split_leaf(grower, records, leaf);
	}
}

/* ---- monotone order of values that are no Newton steps ---- */

static inline double
clip(double x, double lower, double upper)
{
	x = x < lower ? lower : x;
	return x > upper ? upper : x;
}

/*
 * Children stand behind their parents.  Backwards: the range of the leaves'
 * values below each node.  Forwards: where the ranges of two sides that
 * should be in order overlap, they are cut at the middle of the overlap.
 * Clipping keeps all orders that hold already.
 */
void
wf_leafwise_keep_order(WfLeafwise *grower)
{
	WfValueRange *range = grower->ranges;

	if (!grower->bounded)
		return;
	for (uint32_t i = grower->n_nodes; i-- > 0;)
	{
		const WfGrownNode *node = &grower->nodes[i];

		range[i] = (WfValueRange) {node->value, node->value, -INFINITY, INFINITY};
		if (node->left == 0)
			continue;
		range[i].min = fmin(range[node->left].min, range[node->right].min);
		range[i].max = fmax(range[node->left].max, range[node->right].max);
	}
	for (uint32_t i = 0; i < grower->n_nodes; i++)
	{
		WfGrownNode *node = &grower->nodes[i];
		WfValueRange *left = &range[node->left];
		WfValueRange *right = &range[node->right];
		int			monotone = grower->data->is_category[node->feature] ? 0 : grower->data->monotone[node->feature];

		if (node->left == 0)
		{
			node->value = (float) clip(node->value, range[i].lower, range[i].upper);
			continue;
		}
		left->lower = right->lower = range[i].lower;
		left->upper = right->upper = range[i].upper;
		if (monotone != 0)
		{
			WfValueRange *low = monotone > 0 ? left : right;
			WfValueRange *high = monotone > 0 ? right : left;
			double		top = clip(low->max, low->lower, low->upper);
			double		bottom = clip(high->min, high->lower, high->upper);

			if (top > bottom)
				low->upper = high->lower = (double) (float) (bottom + (top - bottom) / 2);
		}
	}
}

double
wf_leafwise_output(const WfLeafwise *grower, const WfLeafwiseLeaf *leaf)
{
	return wf_split_output(&grower->split, &leaf->sums, leaf->sums.total.g, leaf->sums.total.h,
						   leaf->extra_l2) * (grower->g_unit / grower->h_unit);
}
