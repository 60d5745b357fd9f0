/*-------------------------------------------------------------------------
 * grow.c
 *	  The tree: nodes opened, split and closed.
 *
 * Depth first with an explicit stack, left side first, so that the rows at
 * hand are those just moved.  With max_leaves the best split goes first
 * instead (a heap of split candidates).
 *-------------------------------------------------------------------------
 */
#include "core/grower.h"

#include <math.h>

/* Records copied at once: at most this many rows and bytes a member. */
#define RECORD_ROWS 262144
#define RECORD_BYTES ((size_t) 16 << 20)
#define RECORD_ROWS_LEAST 4096

#define GAIN_UNIT 0x1.0p40

typedef struct Stack
{
	WfOpen	   *open;
	uint32_t	n;
	uint32_t	room;
} Stack;

/* A node of a best-first tree that could be split. */
typedef struct Candidate
{
	WfOpen		open;
	WfNodeSplit		split;
	double		gain;
	double		draws;
} Candidate;

/* ---- memory ---- */

static size_t
record_rows(uint64_t n, size_t size)
{
	size_t		rows = RECORD_BYTES / size;

	rows = rows > RECORD_ROWS ? RECORD_ROWS : rows;
	rows = rows < RECORD_ROWS_LEAST ? RECORD_ROWS_LEAST : rows;
	return n < rows ? (size_t) n : rows;
}

size_t
wf_grower_bytes(uint64_t n, uint32_t d, int n_classes, bool weighted)
{
	size_t		size = (((size_t) d + 7) & ~(size_t) 3) + (n_classes ? 0 : 4) + (weighted ? 4 : 0) + 8;
	size_t		rows = record_rows(n, size);
	size_t		width = n_classes ? (size_t) n_classes + 1 : 3;

	return (rows + 1) * size + (n > rows ? ((size_t) n + 1) * sizeof(WfRowRef) : 0) +
		(size_t) d * 32 + 256 * width * 16 + 65536;
}

WfGrower *
wf_grower_create(WfHost *host, const WfForestPlan *plan)
{
	WfGrower   *g = wf_alloc_zero(host, 1, sizeof(WfGrower));
	const WfDataset *data = plan->data;
	size_t		k = (size_t) data->n_classes;
	size_t		width = k ? k + 1 : 3;
	bool		categories = false;

	g->host = host;
	g->plan = plan;
	g->data = data;
	g->layout = wf_bag_layout(plan);
	g->impurity = k ? WF_IMPURITY_CLASSES : WF_IMPURITY_MOMENTS;
	g->few = k > 0 && k <= WF_FEW_CLASSES && data->weight == NULL;
	g->record_rows = record_rows(data->n, g->layout.size);
	g->records = wf_alloc_aligned(host, wf_size_add(host, g->record_rows, 1), g->layout.size);
	if (data->n > g->record_rows)
		g->refs = wf_alloc(host, wf_size_add(host, data->n, 1), sizeof(WfRowRef));
	g->nodes_room = 1024;
	g->nodes = wf_alloc(host, g->nodes_room, sizeof(WfGrownNode));
	wf_bytes_init(&g->bitsets, host);
	wf_bytes_init(&g->distributions, host);
	g->distribution_room = 64;
	g->distribution_slots = wf_alloc_zero(host, g->distribution_room, sizeof(uint32_t));
	g->feature = wf_alloc(host, data->d, sizeof(uint32_t));
	g->swapped = wf_alloc(host, data->d, sizeof(uint32_t));
	for (uint32_t f = 0; f < data->d; f++)
	{
		g->feature[f] = f;
		categories |= data->is_category[f] != 0;
	}
	g->class_weight = wf_alloc_zero(host, k, sizeof(uint64_t));
	g->present = wf_alloc_zero(host, k, sizeof(uint16_t));
	g->local = wf_alloc_zero(host, k, sizeof(uint16_t));
	g->shift = wf_alloc_zero(host, k, sizeof(uint8_t));
	g->cells = wf_alloc_aligned(host, WF_GROUP, 256 * sizeof(uint64_t));
	memset(g->cells, 0, WF_GROUP * 256 * sizeof(uint64_t));
	g->wide = wf_alloc_zero(host, wf_size_mul(host, 256, width), sizeof(int64_t));
	g->wide_total = wf_alloc(host, width, sizeof(int64_t));
	g->scratch = wf_alloc(host, 2 * width, sizeof(int64_t));
	if (categories)
		g->levels = wf_levels_create(host, data->n_classes);
	g->tree_gain = wf_alloc(host, data->d, sizeof(double));
	g->gain = wf_alloc_zero(host, data->d, sizeof(int64_t));
	g->splits = wf_alloc_zero(host, data->d, sizeof(int64_t));
	return g;
}

/* The large blocks; the rest goes with the arena. */
void
wf_grower_free(WfGrower *g)
{
	WfHost	   *host = g->host;

	wf_release_aligned(host, g->records);
	wf_release(host, g->refs);
	wf_release(host, g->nodes);
	wf_bytes_free(&g->bitsets);
	wf_bytes_free(&g->distributions);
	wf_release(host, g->distribution_slots);
	wf_release(host, g->wide);
	wf_release_aligned(host, g->cells);
}

void
wf_grower_reset(WfGrower *g)
{
	memset(g->gain, 0, g->data->d * sizeof(int64_t));
	memset(g->splits, 0, g->data->d * sizeof(int64_t));
}

const int64_t *
wf_grower_gain(const WfGrower *g)
{
	return g->gain;
}

const int64_t *
wf_grower_splits(const WfGrower *g)
{
	return g->splits;
}

/* Two nodes next to each other; returns the first. */
static uint32_t
add_nodes(WfGrower *g, uint32_t n)
{
	uint32_t	first = g->n_nodes;

	if (n > g->nodes_room - first)
	{
		uint32_t	room = g->nodes_room;
		WfGrownNode *nodes;

		if (room > UINT32_MAX / 4)
			g->host->fail(g->host, WF_E_LIMIT, "Raise min_samples_leaf or set max_depth.",
						  "a tree of the forest has too many nodes");
		room += room < (1u << 18) ? room : room / 2;
		nodes = wf_alloc(g->host, room, sizeof(WfGrownNode));
		memcpy(nodes, g->nodes, first * sizeof(WfGrownNode));
		wf_release(g->host, g->nodes);
		g->nodes = nodes;
		g->nodes_room = room;
	}
	memset(g->nodes + first, 0, n * sizeof(WfGrownNode));
	g->n_nodes += n;
	return first;
}

/* ---- leaves ---- */

static size_t
distribution_width(const WfGrower *g)
{
	return g->data->n_classes > 2 ? (size_t) g->data->n_classes : 1;
}

static void
grow_slots(WfGrower *g)
{
	size_t		width = distribution_width(g);
	uint32_t	room = g->distribution_room * 2;
	uint32_t   *slots = wf_alloc_zero(g->host, room, sizeof(uint32_t));

	for (uint32_t i = 0; i < g->n_distributions; i++)
	{
		uint32_t	h = 0;
		const uint8_t *p = g->distributions.data + i * width * sizeof(float);

		for (size_t c = 0; c < width; c++)
		{
			uint32_t	bits;

			memcpy(&bits, p + c * sizeof(float), sizeof(bits));
			h = (uint32_t) wf_mix(h ^ ((uint64_t) bits << 32));
		}
		for (h &= room - 1; slots[h]; h = (h + 1) & (room - 1))
			;
		slots[h] = i + 1;
	}
	wf_release(g->host, g->distribution_slots);
	g->distribution_slots = slots;
	g->distribution_room = room;
}

/* Index of a distribution among the tree's; equal ones are kept once. */
static uint32_t
find_distribution(WfGrower *g, const float *p)
{
	size_t		width = distribution_width(g);
	uint32_t	h = 0;

	if (g->n_distributions >= g->distribution_room / 2)
		grow_slots(g);
	for (size_t c = 0; c < width; c++)
	{
		uint32_t	bits;

		memcpy(&bits, p + c, sizeof(bits));
		h = (uint32_t) wf_mix(h ^ ((uint64_t) bits << 32));
	}
	for (h &= g->distribution_room - 1; g->distribution_slots[h]; h = (h + 1) & (g->distribution_room - 1))
	{
		uint32_t	i = g->distribution_slots[h] - 1;

		if (memcmp(g->distributions.data + i * width * sizeof(float), p, width * sizeof(float)) == 0)
			return i;
	}
	wf_bytes_append(&g->distributions, p, width * sizeof(float));
	g->distribution_slots[h] = ++g->n_distributions;
	return g->n_distributions - 1;
}

/* The node whose sums are in g becomes a leaf. */
static void
close_leaf(WfGrower *g, uint32_t node)
{
	WfGrownNode *leaf = &g->nodes[node];
	int			k = g->data->n_classes;

	leaf->left = 0;
	if (g->impurity == WF_IMPURITY_MOMENTS)
	{
		leaf->value = (float) (g->plan->center - g->plan->base + (double) g->sums.moment / g->sums.weight / g->plan->scale);
		return;
	}
	if (g->sums.pure)
	{
		leaf->payload = g->present[0];
		return;
	}
	if (k == 2)
	{
		float		p = (float) ((double) g->class_weight[1] / g->sums.weight);

		leaf->payload = (uint32_t) k + find_distribution(g, &p);
	}
	else
	{
		float	   *p = (float *) g->scratch;	/* free between splits, wide enough */

		memset(p, 0, (size_t) k * sizeof(float));
		for (uint32_t j = 0; j < g->sums.n_classes; j++)
			p[g->present[j]] = (float) ((double) g->class_weight[g->present[j]] / g->sums.weight);
		leaf->payload = (uint32_t) k + find_distribution(g, p);
	}
}

/* ---- splits ---- */

/* What the split takes off the node's impurity, times the node's weight. */
static double
split_gain(const WfGrower *g, const WfNodeSplit *split)
{
	double		squares = 0;

	if (g->impurity == WF_IMPURITY_MOMENTS)
		return ldexp(split->score / g->sums.weight, 2 * g->target_shift);
	for (uint32_t j = 0; j < g->sums.n_classes; j++)
	{
		double		w = (double) g->class_weight[g->present[j]];

		squares += w * w;
	}
	return split->score - squares / g->sums.weight;
}

static void
unpack_count(uint64_t cell, uint32_t count[WF_FEW_CLASSES])
{
	for (int c = 0; c < WF_FEW_CLASSES; c++)
		count[c] = (uint32_t) ((cell >> (WF_CELL_BITS * c)) & WF_CELL_MASK);
}

/* Does the left side weigh at least half? */
static bool
left_is_heavier(const WfGrower *g, const WfNodeSplit *split)
{
	uint32_t	count[WF_FEW_CLASSES];

	if (!split->by_cell)
		return split->left_share >= 0.5;
	if (g->impurity == WF_IMPURITY_MOMENTS)
		return 2 * (split->left & WF_CELL_MASK) >= g->sums.draws;
	unpack_count(split->left, count);
	return 2 * ((uint64_t) count[0] + count[1] + count[2]) >= g->sums.draws;
}

/* Write the split into its node; returns the first of two new nodes. */
static uint32_t
write_split(WfGrower *g, const WfOpen *open, const WfNodeSplit *split, double gain)
{
	uint32_t	left = add_nodes(g, 2);
	WfGrownNode *node = &g->nodes[open->node];

	node->left = left;
	node->right = left + 1;
	node->feature = (uint16_t) split->feature;
	if (split->category)
	{
		node->bitset = (uint32_t) (g->bitsets.length / sizeof(split->side));
		wf_bytes_append(&g->bitsets, split->side, sizeof(split->side));
	}
	else
	{
		node->bin = split->cut;
		if (split->has_missing)
			node->missing_left = split->missing_left;
		else
			node->missing_left = g->plan->slots->left_slot[split->feature] != WF_NO_SLOT &&
				left_is_heavier(g, split);
	}
	g->tree_gain[split->feature] += gain > 0 ? gain : 0;
	g->splits[split->feature]++;
	return left;
}

static size_t
partition(WfGrower *g, const WfOpen *open, const WfNodeSplit *split)
{
	uint8_t		side[256];
	WfRoute		route = {split->feature, split->cut, 0, NULL};

	if (split->category)
	{
		for (int b = 0; b < 256; b++)
			side[b] = (uint8_t) (split->side[b >> 6] >> (b & 63)) & 1;
		route.side = side;
	}
	else
		route.missing_left = split->has_missing && split->missing_left;
	wf_grower_visit(g, open->n);
	if (open->refs)
		return wf_partition_refs(g->host, g->refs + open->begin, open->n, g->data, &route);
	return wf_partition_records(g->host, g->records + open->begin * g->layout.size, open->n,
								g->layout.size, &route);
}

/* Few classes: is a node of these counts a leaf, whatever its rows? */
static bool
settled(const WfGrower *g, const uint32_t count[WF_FEW_CLASSES], uint32_t depth)
{
	uint64_t	draws = (uint64_t) count[0] + count[1] + count[2];

	return depth >= g->plan->max_depth || draws < 2 * (uint64_t) g->plan->min_leaf ||
		count[0] == draws || count[1] == draws || count[2] == draws;
}

static void
close_settled(WfGrower *g, const WfOpen *open)
{
	wf_node_sums(g, open);
	g->nodes[open->node].weight = (float) g->sums.weight;
	close_leaf(g, open->node);
}

/*
 * Split a node: children in side[0] and side[1].  Returns a bit for each
 * child that is still open.
 */
static unsigned
divide(WfGrower *g, const WfOpen *open, const WfNodeSplit *split, double gain, WfOpen side[2])
{
	uint32_t	first = write_split(g, open, split, gain);
	unsigned	still_open = 3;

	for (int s = 0; s < 2; s++)
	{
		side[s] = *open;
		side[s].node = first + (uint32_t) s;
		side[s].depth = open->depth + 1;
		side[s].key = wf_mix(open->key * 2 + (uint64_t) s);
	}
	if (g->few && split->by_cell)
	{
		unpack_count(split->left, side[0].count);
		for (int c = 0; c < WF_FEW_CLASSES; c++)
			side[1].count[c] = open->count[c] - side[0].count[c];
		for (int s = 0; s < 2; s++)
			if (settled(g, side[s].count, side[s].depth))
			{
				close_settled(g, &side[s]);
				still_open &= ~(1u << s);
			}
		if (still_open == 0)	/* nobody needs the rows again */
			return 0;
	}
	side[0].n = partition(g, open, split);
	side[1].begin = open->begin + side[0].n;
	side[1].n = open->n - side[0].n;
	if (g->few && !split->by_cell)
	{
		memset(side[0].count, 0, sizeof(side[0].count));
		for (size_t i = 0; i < side[0].n; i++)
		{
			uint32_t	word = wf_row_word(g, &side[0], i);

			side[0].count[word & 0xffff] += word >> 16;
		}
		for (int c = 0; c < WF_FEW_CLASSES; c++)
			side[1].count[c] = open->count[c] - side[0].count[c];
	}
	return still_open;
}

/* Copy the rows of a node of references into the record buffer. */
static void
copy_rows(WfGrower *g, WfOpen *open)
{
	for (size_t i = 0; i < open->n; i++)
	{
#if defined(__GNUC__) || defined(__clang__)
		if (i + 16 < open->n)
			__builtin_prefetch(wf_dataset_row(g->data, g->refs[open->begin + i + 16].row));
#endif
		wf_bag_record(g->plan, &g->layout, g->refs[open->begin + i], g->records + i * g->layout.size);
		if (i % 32768 == 32767)
			g->host->check(g->host);
	}
	open->refs = false;
	open->begin = 0;
}

/* Sums of a node, and its split if it gets one; else it becomes a leaf. */
static bool
consider(WfGrower *g, const WfOpen *open, WfNodeSplit *split)
{
	wf_node_sums(g, open);
	g->nodes[open->node].weight =
		(float) (g->data->weight ? g->sums.weight / g->plan->weight_scale : g->sums.weight);
	if (!g->sums.pure && open->depth < g->plan->max_depth &&
		g->sums.draws >= 2 * (uint64_t) g->plan->min_leaf && wf_node_split(g, open, split))
		return true;
	close_leaf(g, open->node);
	return false;
}

/* ---- depth first ---- */

static void
push(WfGrower *g, Stack *stack, const WfOpen *open)
{
	if (stack->n == stack->room)
	{
		uint32_t	room = stack->room ? stack->room * 2 : 128;
		WfOpen	   *bigger = wf_alloc(g->host, room, sizeof(WfOpen));

		if (stack->n)
			memcpy(bigger, stack->open, stack->n * sizeof(WfOpen));
		wf_release(g->host, stack->open);
		stack->open = bigger;
		stack->room = room;
	}
	stack->open[stack->n++] = *open;
}

static void
grow_deep(WfGrower *g, const WfOpen *root)
{
	Stack		stack = {NULL, 0, 0};

	push(g, &stack, root);
	while (stack.n > 0)
	{
		WfOpen		open = stack.open[--stack.n];
		WfOpen		side[2];
		WfNodeSplit		split;
		unsigned	still_open;

		/* a subtree is done before its sibling is taken, so the buffer is free */
		if (open.refs && open.n <= g->record_rows)
			copy_rows(g, &open);
		if (!consider(g, &open, &split))
			continue;
		still_open = divide(g, &open, &split, split_gain(g, &split), side);
		if (still_open & 2)
			push(g, &stack, &side[1]);
		if (still_open & 1)
			push(g, &stack, &side[0]);
	}
	wf_release(g->host, stack.open);
}

/* ---- best first ---- */

static bool
comes_before(const Candidate *a, const Candidate *b)
{
	return a->gain > b->gain || (a->gain == b->gain && a->open.node < b->open.node);
}

static void
heap_add(Candidate *heap, uint32_t *n, const Candidate *c)
{
	uint32_t	i = (*n)++;

	while (i > 0 && comes_before(c, &heap[(i - 1) / 2]))
	{
		heap[i] = heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap[i] = *c;
}

static void
heap_take(Candidate *heap, uint32_t *n, Candidate *top)
{
	Candidate	last = heap[--(*n)];
	uint32_t	i = 0;

	*top = heap[0];
	for (;;)
	{
		uint32_t	child = 2 * i + 1;

		if (child >= *n)
			break;
		if (child + 1 < *n && comes_before(&heap[child + 1], &heap[child]))
			child++;
		if (!comes_before(&heap[child], &last))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
}

/*
 * Rows stay where they are (references when the bag is large): subtrees are
 * not finished one after the other here.
 */
static void
grow_best(WfGrower *g, const WfOpen *root)
{
	uint32_t	max_leaves = g->plan->max_leaves;
	uint32_t	room = root->n < max_leaves ? (uint32_t) root->n : max_leaves;
	Candidate  *heap = wf_alloc(g->host, wf_size_add(g->host, room, 2), sizeof(Candidate));
	Candidate	c;
	uint32_t	n = 0;
	uint32_t	n_leaves = 1;

	c.open = *root;
	if (consider(g, &c.open, &c.split))
	{
		c.gain = split_gain(g, &c.split);
		heap_add(heap, &n, &c);
	}
	while (n > 0 && n_leaves < max_leaves)
	{
		WfOpen		side[2];
		unsigned	still_open;

		heap_take(heap, &n, &c);
		wf_node_sums(g, &c.open);
		still_open = divide(g, &c.open, &c.split, c.gain, side);
		n_leaves++;
		for (int s = 0; s < 2; s++)
		{
			if (!(still_open & (1u << s)))
				continue;
			c.open = side[s];
			if (consider(g, &c.open, &c.split))
			{
				c.gain = split_gain(g, &c.split);
				heap_add(heap, &n, &c);
			}
		}
	}
	for (uint32_t i = 0; i < n; i++)
	{
		wf_node_sums(g, &heap[i].open);
		close_leaf(g, heap[i].open.node);
	}
	wf_release(g->host, heap);
}

/* ---- the tree ---- */

static void
root_counts(WfGrower *g, WfOpen *open)
{
	if (!g->few)
		return;
	for (size_t i = 0; i < open->n; i++)
	{
		uint32_t	word = wf_row_word(g, open, i);

		open->count[word & 0xffff] += word >> 16;
		if (i % 65536 == 65535)
			g->host->check(g->host);
	}
}

static void
add_up_gain(WfGrower *g)
{
	double		most = g->root_weight;

	if (g->impurity == WF_IMPURITY_MOMENTS)
		most *= 0x1.0p60;
	for (uint32_t f = 0; f < g->data->d; f++)
		if (g->tree_gain[f] > 0)
			g->gain[f] += llrint(g->tree_gain[f] / most * GAIN_UNIT);
}

static size_t
fill_bag(WfGrower *g, uint64_t tree, bool all)
{
	if (g->refs)
		return wf_bag_fill_refs(g->plan, g->host, tree, all, g->refs);
	return wf_bag_fill_records(g->plan, g->host, &g->layout, tree, all, g->records);
}

bool
wf_grower_drew_all(const WfGrower *g)
{
	return g->drew_all;
}

void
wf_grower_grow(WfGrower *g, uint64_t tree, WfGrownTree *out)
{
	WfOpen		root = {.key = wf_mix(wf_bag_key(g->plan, tree)), .refs = g->refs != NULL};

	g->n_nodes = 0;
	g->bitsets.length = 0;
	g->distributions.length = 0;
	if (g->n_distributions)
		memset(g->distribution_slots, 0, g->distribution_room * sizeof(uint32_t));
	g->n_distributions = 0;
	memset(g->tree_gain, 0, g->data->d * sizeof(double));

	root.n = fill_bag(g, tree, false);
	g->drew_all = root.n == 0;
	if (g->drew_all)
		root.n = fill_bag(g, tree, true);
	if (root.n == 0)
		g->host->fail(g->host, WF_E_DATA, WF_HINT_NONE, "no training row has a weight above zero");
	root_counts(g, &root);
	root.node = add_nodes(g, 1);
	wf_node_sums(g, &root);
	g->root_weight = g->sums.weight;
	if (g->plan->max_leaves)
		grow_best(g, &root);
	else
		grow_deep(g, &root);
	add_up_gain(g);

	*out = (WfGrownTree) {
		.n_nodes = g->n_nodes, .nodes = g->nodes,
			.n_bitsets = (uint32_t) (g->bitsets.length / (4 * sizeof(uint64_t))),
			.bitsets = (const uint64_t (*)[4]) (const void *) g->bitsets.data,
			.n_distributions = g->n_distributions,
			.distributions = (const float *) (const void *) g->distributions.data
	};
}
