/*-------------------------------------------------------------------------
 * trees.c
 *	  Trees at run time: opening a section, binning rows, scoring.
 *-------------------------------------------------------------------------
 */
#include "core/trees.h"

#include <math.h>
#include <string.h>

#include "core/simd.h"
#include "core/treeforms.h"

#ifdef WF_HAVE_X86_SIMD
#include <immintrin.h>
#endif

/* Slots of a block of rows, on the stack; enough for one row of the widest ensemble. */
#define BLOCK_BYTES 65536
#define BLOCK_ROWS 128

/* How a slot is filled from a row of features. */
typedef struct SlotSource
{
	const float *cuts;
	uint16_t	n_cuts;
	uint16_t	feature;
	uint16_t	twin;			/* missing left: the slot of the same feature that is filled before, else itself */
	uint8_t		category;
	uint8_t		missing;		/* what a missing value becomes: 0 or WF_MISSING_BIN */
} SlotSource;

struct WfTrees
{
	WfEnsemble	ensemble;
	WfShape		shape;
	SlotSource *sources;		/* by slot */
	/* one of these, or none: then the packed words are walked */
	WfHops	   *hops;
	WfQuick    *quick;
	WfFloatNodes *nodes;
};

static SlotSource *
make_sources(WfHost *host, const WfEnsemble *e, const WfShape *shape)
{
	uint32_t	n = e->header->n_slots;
	SlotSource *sources = wf_alloc(host, n, sizeof(SlotSource));

	for (uint32_t s = 0; s < n; s++)
	{
		uint16_t	f = e->slot_feature[s];
		bool		left = (e->slot_flags[s] & WF_SLOT_MISSING_LEFT) != 0;
		bool		category = shape->is_category[f] != 0;

		sources[s] = (SlotSource) {
			.cuts = category ? NULL : shape->cuts + shape->first_cut[f],
			.n_cuts = (uint16_t) (category ? shape->n_bins[f] : shape->n_bins[f] - 1),
			.feature = f,
			.twin = (uint16_t) s,
			.category = category,
			.missing = left ? 0 : WF_MISSING_BIN
		};
		/* Slot f is feature f's own in what wf_slots_create() makes. */
		if (left && f < s && e->slot_feature[f] == f && e->slot_flags[f] == 0)
			sources[s].twin = f;
	}
	return sources;
}

void *
wf_trees_open(WfHost *host, const void *section, size_t length, const WfShape *shape)
{
	WfTrees    *trees = wf_alloc_zero(host, 1, sizeof(*trees));
	size_t		limit;

	if (shape->verified)
		wf_ensemble_use(host, section, length, shape->n_features, shape->n_classes, &trees->ensemble);
	else
		wf_ensemble_open(host, section, length, shape->n_features, shape->is_category,
						 shape->n_classes, &trees->ensemble);
	trees->shape = *shape;
	trees->sources = make_sources(host, &trees->ensemble, shape);
	/* Opening may take twice the model's length in all, and something for the smallest. */
	limit = length + length / 2 + 16384;
	trees->hops = wf_hops_create(host, &trees->ensemble, shape, limit);
	if (trees->hops == NULL)
		trees->quick = wf_quick_create(host, &trees->ensemble, shape, limit);
	if (trees->hops == NULL && trees->quick == NULL)
		trees->nodes = wf_float_nodes_create(host, &trees->ensemble, shape, limit);
	return trees;
}

const WfEnsemble *
wf_trees_ensemble(const WfTrees *trees)
{
	return &trees->ensemble;
}

const WfShape *
wf_trees_shape(const WfTrees *trees)
{
	return &trees->shape;
}

const char *
wf_trees_form(const WfTrees *trees)
{
	return trees->hops ? "byte vectors" : trees->quick ? "bit vectors" : trees->nodes ? "float nodes" : "walk";
}

/* ---- bins ---- */

/* Number of cuts below x, by halving, without a branch that depends on x; 0 for NaN. */
static inline uint8_t
count_below(float x, const float *cuts, uint32_t n)
{
	uint32_t	base = 0;

	if (n == 0)
		return 0;
	while (n > 1)
	{
		uint32_t	half = n / 2;

		base += half & (0 - (uint32_t) (cuts[base + half - 1] < x));
		n -= half;
	}
	return (uint8_t) (base + (cuts[base] < x));
}

static inline uint8_t
category_bin(float x, uint32_t n_bins)
{
	return x >= 0 && x < (float) n_bins ? (uint8_t) x : WF_MISSING_BIN;
}

void
wf_trees_bin_row(const WfTrees *trees, const float *x, uint8_t *bins)
{
	const WfShape *shape = &trees->shape;

	for (uint32_t f = 0; f < shape->n_features; f++)
	{
		if (isnan(x[f]))
			bins[f] = WF_MISSING_BIN;
		else if (!shape->is_category[f])
			bins[f] = count_below(x[f], shape->cuts + shape->first_cut[f], shape->n_bins[f] - 1u);
		else
			bins[f] = category_bin(x[f], shape->n_bins[f]);
	}
}

/* The same as binning the row and wf_slots_fill(). */
static void
fill_slots(const WfTrees *trees, const float *x, uint8_t *slots)
{
	uint32_t	n = trees->ensemble.header->n_slots;

	for (uint32_t s = 0; s < n; s++)
	{
		const SlotSource *from = &trees->sources[s];
		float		value = x[from->feature];
		uint8_t		bin;

		if (from->twin != s)
			bin = slots[from->twin];
		else if (from->category)
			bin = category_bin(value, from->n_cuts);
		else
			bin = count_below(value, from->cuts, from->n_cuts);
		slots[s] = isnan(value) ? from->missing : bin;
	}
}

/* ---- scores ---- */

static inline void
begin(const WfEnsemble *e, double *out)
{
	for (int o = 0; o < e->header->n_outputs; o++)
		out[o] = e->header->combine == WF_COMBINE_SUM ? e->base[o] : 0.0;
}

static inline void
end(const WfEnsemble *e, double *out)
{
	if (e->header->combine == WF_COMBINE_MEAN)
		for (int o = 0; o < e->header->n_outputs; o++)
			out[o] = out[o] / e->header->n_trees + e->base[o];
}

/*
 * Walk one row: features x, or bins when x is NULL.  Apart from the narrow
 * case, so that only wide ensembles pay for a frame of many pages.
 */
__attribute__((noinline))
static void
walk_wide(const WfTrees *trees, const float *x, const uint8_t *bins, double *out)
{
	uint8_t		slots[BLOCK_BYTES];

	if (x)
		fill_slots(trees, x, slots);
	else
		wf_slots_fill(&trees->ensemble, bins, slots);
	wf_walk_row(&trees->ensemble, slots, out);
}

__attribute__((noinline))
static void
walk_narrow(const WfTrees *trees, const float *x, const uint8_t *bins, double *out)
{
	uint8_t		slots[WF_NARROW_SLOTS + 2];

	if (x)
		fill_slots(trees, x, slots);
	else
		wf_slots_fill(&trees->ensemble, bins, slots);
	wf_walk_row(&trees->ensemble, slots, out);
}

static void
walk_one(const WfTrees *trees, const float *x, const uint8_t *bins, double *out)
{
	if (trees->ensemble.header->wide)
		walk_wide(trees, x, bins, out);
	else
		walk_narrow(trees, x, bins, out);
}

void
wf_trees_predict(const void *opened, const float *x, double *out)
{
	const WfTrees *trees = opened;
	const WfEnsemble *e = &trees->ensemble;

	begin(e, out);
	if (trees->hops)
		wf_hops_row(trees->hops, x, out);
	else if (trees->quick)
		wf_quick_row(trees->quick, x, out);
	else if (trees->nodes)
		wf_float_nodes_row(trees->nodes, x, out);
	else
		walk_one(trees, x, NULL, out);
	end(e, out);
}

/* A few rows by walking; slots has room for them. */
static void
walk_some(const WfTrees *trees, const float *x, size_t n, uint8_t *slots, double *out)
{
	const WfEnsemble *e = &trees->ensemble;

	for (size_t i = 0; i < n; i++)
		fill_slots(trees, x + i * trees->shape.n_features, slots + i * e->header->n_slots);
	wf_walk_rows(e, slots, n, out);
}

void
wf_trees_predict_block(const void *opened, const float *x, size_t n, double *out)
{
	const WfTrees *trees = opened;
	const WfEnsemble *e = &trees->ensemble;
	size_t		d = trees->shape.n_features;
	size_t		n_outputs = e->header->n_outputs;
	size_t		rows = BLOCK_BYTES / (e->header->n_slots + 1);
	uint8_t		slots[BLOCK_BYTES];

	rows = rows < BLOCK_ROWS ? rows : BLOCK_ROWS;
	/* Float nodes go side by side by trees, and few rows do not keep the lanes of one tree busy. */
	if (!trees->hops && !trees->quick && (trees->nodes || rows < 8 || n < 8))
	{
		for (size_t i = 0; i < n; i++)
			wf_trees_predict(trees, x + i * d, out + i * n_outputs);
		return;
	}
	for (size_t i = 0; i < n; i++)
		begin(e, out + i * n_outputs);
	if (trees->hops)
		wf_hops_rows(trees->hops, x, d, n, out);
	else if (trees->quick)
		wf_quick_rows(trees->quick, x, d, n, out);
	else
		for (size_t i = 0; i < n; i += rows)
			walk_some(trees, x + i * d, n - i < rows ? n - i : rows, slots, out + i * n_outputs);
	for (size_t i = 0; i < n; i++)
		end(e, out + i * n_outputs);
}

void
wf_trees_score_row(const void *opened, const WfDataset *data, const uint8_t *record, uint32_t id, double *out)
{
	const WfTrees *trees = opened;

	(void) data;
	(void) id;
	begin(&trees->ensemble, out);
	walk_one(trees, NULL, record, out);
	end(&trees->ensemble, out);
}
