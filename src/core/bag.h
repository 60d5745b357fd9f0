/*-------------------------------------------------------------------------
 * bag.h
 *	  The plan of a forest, the same for every tree and member, and the rows
 *	  that a tree draws.
 *
 * Bootstrap by Poisson(1) draws (Oza and Russell 2001), a function of (seed,
 * tree, row id), so that any member can tell which rows any tree saw.
 *-------------------------------------------------------------------------
 */
#ifndef WF_BAG_H
#define WF_BAG_H

#include "core/dataset.h"
#include "core/partition.h"
#include "core/rng.h"
#include "core/tree.h"

#define WF_DRAW_TABLE 4096

typedef struct WfForestPlan
{
	const WfDataset *data;
	const WfSlots *slots;		/* features without a slot for it never send missing left */
	int			out_fold;		/* rows of this fold stay out; -1: none */
	uint64_t	seed;
	bool		bootstrap;
	uint32_t	max_features;	/* tried at a node, 1..d */
	uint32_t	max_depth;		/* UINT32_MAX: no limit */
	uint32_t	min_leaf;		/* rows drawn, counted as often as drawn */
	uint32_t	max_leaves;		/* 0: no limit; else trees grow best split first */
	double		cat_smooth;
	/* regression: fixed-point target = (target - center) * scale, within ±2^30 */
	double		center;
	double		scale;
	double		base;			/* leaves hold means less this: 4 bytes must do for targets far from 0 */
	/* units of weight per 1.0, a power of two; 0: no row has a weight */
	double		weight_scale;
	uint8_t		draws[WF_DRAW_TABLE];	/* 12 random bits → times drawn */
} WfForestPlan;

/* Center, scales and the table of draws from plan->data and plan->out_fold. */
void		wf_bag_prepare(WfForestPlan *plan, WfHost *host);

static inline uint64_t
wf_bag_key(const WfForestPlan *plan, uint64_t tree)
{
	return wf_rng(plan->seed ^ UINT64_C(0x666f72657374), tree);
}

/* How often the tree of that key draws the row; four rows share a random number. */
static inline uint32_t
wf_bag_draws(const WfForestPlan *plan, uint64_t key, uint32_t row)
{
	if (!plan->bootstrap)
		return 1;
	return plan->draws[(wf_mix(key + (row >> 2)) >> (16 * (row & 3))) & (WF_DRAW_TABLE - 1)];
}

static inline int32_t
wf_bag_target(const WfForestPlan *plan, uint32_t row)
{
	double		y = (plan->data->target[row] - plan->center) * plan->scale;

	return (int32_t) (y < 0 ? y - 0.5 : y + 0.5);
}

/* Units of weight of one draw of the row; 0: the row is never used. */
static inline uint32_t
wf_bag_weight(const WfForestPlan *plan, uint32_t row)
{
	float		w = plan->data->weight[row];
	double		units = (double) w * plan->weight_scale + 0.5;

	if (!(w > 0))
		return 0;
	return units < 1 ? 1 : (uint32_t) units;
}

static inline bool
wf_bag_takes_part(const WfForestPlan *plan, uint32_t row)
{
	return plan->out_fold < 0 || plan->data->fold == NULL ||
		plan->data->fold[row] != plan->out_fold;
}

/*
 * A record: bins, then draws << 16 | class, then for regression the
 * fixed-point target, then with weights the units of one draw.
 */
typedef struct WfBagLayout
{
	size_t		size;			/* of a record, a multiple of 8 */
	size_t		word_at;
	size_t		target_at;
	size_t		weight_at;
} WfBagLayout;

WfBagLayout wf_bag_layout(const WfForestPlan *plan);
void		wf_bag_record(const WfForestPlan *plan, const WfBagLayout *layout, WfRowRef ref, uint8_t *record);

/*
 * The rows a tree draws (all: every row once, for a bag that came out empty),
 * as records or as references; returns how many there are.  The array has room for one more than plan->data->n of them.
 */
size_t		wf_bag_fill_records(const WfForestPlan *plan, WfHost *host, const WfBagLayout *layout,
								uint64_t tree, bool all, uint8_t *records);
size_t		wf_bag_fill_refs(const WfForestPlan *plan, WfHost *host, uint64_t tree, bool all,
							 WfRowRef *refs);

#endif							/* WF_BAG_H */
