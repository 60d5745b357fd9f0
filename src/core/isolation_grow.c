/*-------------------------------------------------------------------------
 * isolation_grow.c
 *	  One tree of an isolation forest, from a sample of the rows.
 *
 * Every draw is a function of seed, tree and node, and rows are known by
 * their place in the canonical order: who grows a tree does not matter.
 *
 * A sample row whose value is missing where a node cuts goes to one child at
 * random, by the shares of the rows that have a value: counts stay whole, and
 * on average it goes to both by weight, as in prediction.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/isolation_forms.h"
#include "core/rng.h"

#define CHECK_WORK 200000

/* Rows of a node: places in the order, and its depth. */
typedef struct Range
{
	uint32_t	begin;
	uint32_t	end;
	uint32_t	depth;
} Range;

struct WfIsolationGrower
{
	WfHost	   *host;
	WfIsolationPlan plan;
	uint32_t	n_candidates;
	uint32_t   *candidates;		/* features that may be cut, any order */
	uint32_t   *rows;			/* sample: row ids */
	uint32_t   *order;			/* sample: places in rows, node by node */
	uint32_t   *apart;			/* scratch of partition() */
	uint32_t   *set;			/* ids drawn, open addressing; UINT32_MAX: free */
	uint32_t	set_size;
	float	   *values;			/* feature × sample */
	Range	   *range;			/* by node */
	uint64_t	work;			/* values looked at since the last check */
};

/* A cut that was drawn. */
typedef struct Cut
{
	uint32_t	feature;
	bool		category;
	float		threshold;
	uint32_t	present[8];		/* levels that the node has seen */
	WfIsolationBitset left;
} Cut;

WfIsolationGrower *
wf_isolation_grower_create(WfHost *host, const WfIsolationPlan *plan)
{
	WfIsolationGrower *g = wf_alloc_zero(host, 1, sizeof(WfIsolationGrower));
	uint32_t	d = plan->data->d;

	g->host = host;
	g->plan = *plan;
	g->candidates = wf_alloc(host, d, sizeof(uint32_t));
	g->rows = wf_alloc(host, plan->sample, sizeof(uint32_t));
	g->order = wf_alloc(host, plan->sample, sizeof(uint32_t));
	g->apart = wf_alloc(host, plan->sample, sizeof(uint32_t));
	for (g->set_size = 16; g->set_size < 2 * plan->sample; g->set_size *= 2)
		continue;
	g->set = wf_alloc(host, g->set_size, sizeof(uint32_t));
	g->values = wf_alloc(host, wf_size_mul(host, d, plan->sample), sizeof(float));
	g->range = wf_alloc(host, 2 * (size_t) plan->sample, sizeof(Range));
	return g;
}

void
wf_isolation_grower_free(WfIsolationGrower *g)
{
	WfHost	   *host = g->host;

	wf_release(host, g->candidates);
	wf_release(host, g->rows);
	wf_release(host, g->order);
	wf_release(host, g->apart);
	wf_release(host, g->set);
	wf_release(host, g->values);
	wf_release(host, g->range);
	wf_release(host, g);
}

static void
worked(WfIsolationGrower *g, uint64_t work)
{
	g->work += work;
	if (g->work >= CHECK_WORK)
	{
		g->work = 0;
		g->host->check(g->host);
	}
}

/* ---- the sample ---- */

/* False when it is there already. */
static bool
set_add(WfIsolationGrower *g, uint32_t id)
{
	uint32_t	mask = g->set_size - 1;
	uint32_t	at = (uint32_t) wf_mix(id) & mask;

	for (; g->set[at] != UINT32_MAX; at = (at + 1) & mask)
		if (g->set[at] == id)
			return false;
	g->set[at] = id;
	return true;
}

/* Without replacement (Floyd; Bentley and Floyd 1987). */
static void
draw_rows(WfIsolationGrower *g, uint64_t key)
{
	uint32_t	n = g->plan.data->n;
	uint32_t	sample = g->plan.sample;

	if (sample == n)
	{
		for (uint32_t i = 0; i < n; i++)
			g->rows[i] = i;
		return;
	}
	memset(g->set, 0xff, g->set_size * sizeof(uint32_t));
	for (uint32_t i = 0; i < sample; i++)
	{
		uint32_t	last = n - sample + i;
		uint32_t	id = wf_rng_below(wf_rng(key, i), last + 1);

		if (!set_add(g, id))
		{
			id = last;
			(void) set_add(g, id);
		}
		g->rows[i] = id;
	}
}

static void
read_values(WfIsolationGrower *g)
{
	const WfIsolationPlan *p = &g->plan;
	const WfDataset *data = p->data;

	for (uint32_t i = 0; i < p->sample; i++)
	{
		const float *x = data->values + (size_t) g->rows[i] * data->d;
		const WfScale *scale = NULL;

		for (uint32_t f = 0; f < data->d; f++)
			g->values[(size_t) f * p->sample + i] = x[f];
		if (p->scales)
		{
			float		group = x[p->group_feature];
			uint32_t	row = group >= 0 && group < (float) p->n_groups ? (uint32_t) group : p->n_groups;

			scale = p->scales + (size_t) row * p->n_scaled;
		}
		for (uint32_t j = 0; scale && j < p->n_scaled; j++)
			g->values[(size_t) p->scaled[j] * p->sample + i] = wf_scale_apply(&scale[j], x[p->scaled[j]]);
		worked(g, data->d);
	}
}

/* ---- cuts ---- */

/* A value between least and greatest; false: they are equal. */
static bool
draw_threshold(WfIsolationGrower *g, const Range *r, uint32_t f, uint64_t draw, Cut *cut)
{
	const float *x = g->values + (size_t) f * g->plan.sample;
	float		low = FLT_MAX;
	float		high = -FLT_MAX;
	double		t;

	for (uint32_t i = r->begin; i < r->end; i++)
	{
		float		v = x[g->order[i]];

		/* NaN changes neither; infinities count as the largest floats. */
		low = v < low ? v : low;
		high = v > high ? v : high;
	}
	low = low < -FLT_MAX ? -FLT_MAX : low;
	high = high > FLT_MAX ? FLT_MAX : high;
	if (!(low < high))
		return false;
	t = low + wf_rng_unit(draw) * ((double) high - low);
	cut->threshold = (float) t;
	/* Rounding may not leave a side empty. */
	if (!(cut->threshold >= low && cut->threshold < high))
		cut->threshold = low;
	return true;
}

/* A proper subset of the levels present; false: there are fewer than two. */
static bool
draw_levels(WfIsolationGrower *g, const Range *r, uint32_t f, uint64_t draw, Cut *cut)
{
	const float *x = g->values + (size_t) f * g->plan.sample;
	uint8_t		level[256];
	uint32_t	n = 0;
	uint32_t	n_left = 0;

	memset(cut->present, 0, sizeof(cut->present));
	memset(&cut->left, 0, sizeof(cut->left));
	for (uint32_t i = r->begin; i < r->end; i++)
	{
		float		v = x[g->order[i]];
		uint32_t	code = v >= 0 && v < 256 ? (uint32_t) v : 0;

		if (isnan(v) || cut->present[code >> 5] >> (code & 31) & 1)
			continue;
		cut->present[code >> 5] |= UINT32_C(1) << (code & 31);
	}
	for (uint32_t code = 0; code < 256; code++)
		if (cut->present[code >> 5] >> (code & 31) & 1)
			level[n++] = (uint8_t) code;
	if (n < 2)
		return false;
	for (uint32_t i = 0; i < n; i++)
	{
		if (wf_rng(draw, i) >> 63)
		{
			cut->left.word[level[i] >> 5] |= UINT32_C(1) << (level[i] & 31);
			n_left++;
		}
	}
	/* All on one side: one of them changes it. */
	if (n_left == 0 || n_left == n)
	{
		uint32_t	one = level[wf_rng_below(wf_rng(draw, n), n)];

		cut->left.word[one >> 5] ^= UINT32_C(1) << (one & 31);
	}
	return true;
}

/* A cut of a feature that is not constant in the node; false: there is none. */
static bool
draw_cut(WfIsolationGrower *g, const Range *r, uint64_t key, Cut *cut)
{
	uint32_t	left = g->n_candidates;

	for (uint64_t draw = 0; left > 0; draw += 2)
	{
		uint32_t	j = wf_rng_below(wf_rng(key, draw), left);
		uint32_t	f = g->candidates[j];
		uint64_t	value = wf_rng(key, draw + 1);

		cut->feature = f;
		cut->category = g->plan.data->is_category[f] != 0;
		worked(g, r->end - r->begin);
		if (cut->category ? draw_levels(g, r, f, value, cut) : draw_threshold(g, r, f, value, cut))
			return true;
		left--;
		g->candidates[j] = g->candidates[left];
		g->candidates[left] = f;
	}
	return false;
}

static bool
goes_left(const Cut *cut, float x)
{
	uint32_t	code;

	if (!cut->category)
		return x <= cut->threshold;
	code = x >= 0 && x < 256 ? (uint32_t) x : 0;
	return cut->left.word[code >> 5] >> (code & 31) & 1;
}

/* Rows that go left first; returns where the others begin. */
static uint32_t
partition(WfIsolationGrower *g, const Range *r, const Cut *cut, uint64_t key)
{
	const float *x = g->values + (size_t) cut->feature * g->plan.sample;
	uint32_t	n_left = 0;
	uint32_t	n_right = 0;
	uint32_t	to = r->begin;
	uint32_t	n_apart = 0;
	double		share;

	for (uint32_t i = r->begin; i < r->end; i++)
	{
		float		v = x[g->order[i]];

		if (isnan(v))
			continue;
		if (goes_left(cut, v))
			n_left++;
		else
			n_right++;
	}
	share = (double) n_left / ((double) n_left + n_right);
	for (uint32_t i = r->begin; i < r->end; i++)
	{
		uint32_t	place = g->order[i];
		float		v = x[place];
		bool		left = isnan(v) ? wf_rng_unit(wf_rng(key, g->rows[place])) < share : goes_left(cut, v);

		if (left)
			g->order[to++] = place;
		else
			g->apart[n_apart++] = place;
	}
	memcpy(g->order + to, g->apart, n_apart * sizeof(uint32_t));
	return to;
}

/* ---- a tree ---- */

/* Levels that the node has not seen go with the smaller child. */
static void
place_unseen(Cut *cut, uint32_t n_left, uint32_t n_right)
{
	if (n_left >= n_right)
		return;
	for (int w = 0; w < 8; w++)
		cut->left.word[w] |= ~cut->present[w];
}

static void
start(WfIsolationGrower *g, uint64_t key)
{
	uint32_t	n = 0;

	draw_rows(g, wf_rng(key, 1));
	read_values(g);
	for (uint32_t f = 0; f < g->plan.data->d; f++)
		if (f != g->plan.group_feature)
			g->candidates[n++] = f;
	g->n_candidates = n;
	for (uint32_t i = 0; i < g->plan.sample; i++)
		g->order[i] = i;
	g->range[0] = (Range) {0, g->plan.sample, 0};
}

void
wf_isolation_grow(WfIsolationGrower *g, uint32_t tree, WfBytes *nodes, WfBytes *bitsets)
{
	uint64_t	key = wf_rng(wf_rng(g->plan.seed, UINT64_C(0x150)), tree);
	size_t		first_bitset = bitsets->length;
	uint32_t	n_nodes = 1;

	start(g, key);
	for (uint32_t at = 0; at < n_nodes; at++)
	{
		Range		r = g->range[at];
		uint64_t	node_key = wf_rng(key, UINT64_C(0x10000) + at);
		WfIsolationNode node;
		Cut			cut;

		memset(&node, 0, sizeof(node));
		node.rows = r.end - r.begin;
		if (node.rows > 1 && r.depth < g->plan.depth && draw_cut(g, &r, wf_rng(node_key, 0), &cut))
		{
			uint32_t	middle = partition(g, &r, &cut, wf_rng(node_key, 1));

			node.feature = (uint16_t) cut.feature;
			node.left = (uint16_t) n_nodes;
			g->range[n_nodes++] = (Range) {r.begin, middle, r.depth + 1};
			g->range[n_nodes++] = (Range) {middle, r.end, r.depth + 1};
			node.threshold = cut.threshold;
			if (cut.category)
			{
				node.bitset = (uint32_t) ((bitsets->length - first_bitset) / sizeof(WfIsolationBitset));
				place_unseen(&cut, middle - r.begin, r.end - middle);
				wf_bytes_append(bitsets, &cut.left, sizeof(cut.left));
			}
		}
		else
		{
			node.feature = WF_ISOLATION_LEAF;
			node.path = r.depth * WF_PATH_UNIT + wf_isolation_average_path(node.rows);
		}
		wf_bytes_append(nodes, &node, sizeof(node));
	}
}
