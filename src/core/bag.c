/*-------------------------------------------------------------------------
 * bag.c
 *	  Drawing the rows of a tree.
 *-------------------------------------------------------------------------
 */
#include "core/bag.h"

#include <math.h>
#include <string.h>

#define ROWS_PER_CHECK 65536

/* Largest fixed-point target and weight of a row, and their sums (see below). */
#define TARGET_BITS 30
#define WEIGHTED_TARGET_BITS 26
#define WEIGHT_BITS 28

/* Targets farther than that from 0, in half ranges, get a base. */
#define FAR 16

/* Cumulative Poisson(1) in steps of 1/4096; the mean is 1 to 1e-4. */
static void
fill_draws(uint8_t *draws)
{
	double		p = 0.36787944117144233;
	double		sum = p;
	uint8_t		k = 0;

	for (int i = 0; i < WF_DRAW_TABLE; i++)
	{
		while (((double) i + 0.5) / WF_DRAW_TABLE > sum)
		{
			k++;
			p /= k;
			sum += p;
		}
		draws[i] = k;
	}
}

/* The largest power of two not above x > 0. */
static double
power_below(double x)
{
	int			e;

	frexp(x, &e);
	return ldexp(1.0, e - 1);
}

/*
 * Sums of weight * target must stay below 2^63 with at most 2^4 draws of a
 * row: 2^26 * 2^33 * 2^4.  Without targets 2^48 keeps sums exact in doubles.
 * A power of two makes whole and dyadic weights exact.
 */
static void
scale_weights(WfForestPlan *plan, WfHost *host)
{
	const WfDataset *data = plan->data;
	double		largest = 0;
	double		sum = 0;
	double		limit = ldexp(1.0, data->target ? 33 : 48);

	for (uint32_t i = 0; i < data->n; i++)
	{
		double		w = data->weight[i];

		if (i % ROWS_PER_CHECK == 0)
			host->check(host);
		largest = w > largest ? w : largest;
	}
	if (!(largest > 0) || !isfinite(largest))
	{
		plan->weight_scale = 1;
		return;
	}
	plan->weight_scale = power_below(ldexp(1.0, WEIGHT_BITS) / largest);
	/* whole units, so that the sum is exact and the same in any order */
	for (uint32_t i = 0; i < data->n; i++)
		sum += wf_bag_weight(plan, i);
	while (sum > limit)
	{
		plan->weight_scale /= 2;
		sum = sum / 2 + data->n;
	}
}

static void
scale_targets(WfForestPlan *plan, WfHost *host)
{
	const WfDataset *data = plan->data;
	double		low = INFINITY;
	double		high = -INFINITY;
	double		half;

	for (uint32_t i = 0; i < data->n; i++)
	{
		double		y = data->target[i];

		if (i % ROWS_PER_CHECK == 0)
			host->check(host);
		if (!wf_bag_takes_part(plan, i))
			continue;
		low = y < low ? y : low;
		high = y > high ? y : high;
	}
	plan->center = 0;
	plan->scale = 1;
	plan->base = 0;
	if (!(high >= low))
		return;
	plan->center = low / 2 + high / 2;
	half = high / 2 - low / 2;
	if (fabs(plan->center) > FAR * half)
		plan->base = plan->center;
	if (half > 0)
		plan->scale = ldexp(1.0, data->weight ? WEIGHTED_TARGET_BITS : TARGET_BITS) * 0.999 / half;
	if (!isfinite(plan->scale))
		plan->scale = 1;
}

void
wf_bag_prepare(WfForestPlan *plan, WfHost *host)
{
	fill_draws(plan->draws);
	plan->weight_scale = 0;
	if (plan->data->weight)
		scale_weights(plan, host);
	if (plan->data->target)
		scale_targets(plan, host);
}

WfBagLayout
wf_bag_layout(const WfForestPlan *plan)
{
	WfBagLayout layout;

	layout.word_at = ((size_t) plan->data->d + 3) & ~(size_t) 3;
	layout.target_at = layout.word_at + 4;
	layout.weight_at = layout.target_at + (plan->data->target ? 4 : 0);
	layout.size = (layout.weight_at + (plan->data->weight ? 4 : 0) + 7) & ~(size_t) 7;
	return layout;
}

void
wf_bag_record(const WfForestPlan *plan, const WfBagLayout *layout, WfRowRef ref, uint8_t *record)
{
	const WfDataset *data = plan->data;

	memcpy(record, wf_dataset_row(data, ref.row), data->d);
	memcpy(record + layout->word_at, &ref.word, 4);
	if (data->target)
	{
		int32_t		y = wf_bag_target(plan, ref.row);

		memcpy(record + layout->target_at, &y, 4);
	}
	if (data->weight)
	{
		uint32_t	w = wf_bag_weight(plan, ref.row);

		memcpy(record + layout->weight_at, &w, 4);
	}
}

/* draws << 16 | class, 0 when the row is not in the bag. */
static inline WfRowRef
bag_ref(const WfForestPlan *plan, uint64_t key, uint32_t row, bool all)
{
	const WfDataset *data = plan->data;
	uint32_t	draws = all ? 1 : wf_bag_draws(plan, key, row);
	WfRowRef	ref = {row, 0};

	if (plan->out_fold >= 0 && !wf_bag_takes_part(plan, row))
		return ref;
	if (data->weight && wf_bag_weight(plan, row) == 0)
		return ref;
	if (draws)
		ref.word = draws << 16 | (data->label ? data->label[row] : 0);
	return ref;
}

size_t
wf_bag_fill_records(const WfForestPlan *plan, WfHost *host, const WfBagLayout *layout,
					uint64_t tree, bool all, uint8_t *records)
{
	const WfDataset *data = plan->data;
	uint64_t	key = wf_bag_key(plan, tree);
	size_t		size = layout->size;
	size_t		n = 0;

	/* every row is written, and kept by moving on: no branch on the draw */
	for (uint32_t i = 0; i < data->n; i++)
	{
		WfRowRef	ref = bag_ref(plan, key, i, all);

		wf_bag_record(plan, layout, ref, records + n * size);
		n += ref.word != 0;
		if (i % ROWS_PER_CHECK == 0)
			host->check(host);
	}
	return n;
}

size_t
wf_bag_fill_refs(const WfForestPlan *plan, WfHost *host, uint64_t tree, bool all, WfRowRef *refs)
{
	uint64_t	key = wf_bag_key(plan, tree);
	size_t		n = 0;

	for (uint32_t i = 0; i < plan->data->n; i++)
	{
		refs[n] = bag_ref(plan, key, i, all);
		n += refs[n].word != 0;
		if (i % ROWS_PER_CHECK == 0)
			host->check(host);
	}
	return n;
}
