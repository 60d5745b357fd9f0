/*-------------------------------------------------------------------------
 * booster.c
 *	  Passes over the rows in every round: gradients, values of leaves,
 *	  scores.
 *
 * Fields of records are brought into short arrays for the loss kernels and
 * taken back, a few hundred rows at a time, just before those rows enter the
 * root's histogram, while they are in the cache.
 *-------------------------------------------------------------------------
 */
#include "core/booster.h"

#include <math.h>

#include "core/mathx.h"
#include "core/rng.h"

#define BATCH 256
/* Rows between the gradient pass and their histogram: a chunk of its kernel. */
#define PIECE 2048
#define POLL_ROWS 65536
/* Records ahead whose margins are fetched: they lie anywhere. */
#define PREFETCH 16
#define SAMPLE_KEY UINT64_C(0x6d0f27bd8a2c9e35)
/* Below this a largest gradient is no signal, and its inverse no float. */
#define TINY_GRADIENT 1e-30
/*
 * When the largest residual is that many times their mean, 15 bits leave the
 * mean 8, and fewer as the rest is fitted: time for 31.
 */
#define COARSE_RATIO 100.0
/* Huber's delta when it follows the residuals: this quantile of |r| (Friedman 2001). */
#define HUBER_QUANTILE 0.9
/* A row's loss may grow to that many times the largest at the start before it is cut off. */
#define LOSS_HEADROOM 16.0

/* A float's worth of it, for the kernels; exact where it is used as a double. */
static inline double
scale_of(int steps, double max)
{
	return max < TINY_GRADIENT ? 1.0 : (double) (float) (steps / max);
}

static inline double
gradient_scale(const WfBooster *b)
{
	return scale_of(b->fine ? WF_FINE_GRADIENT_MAX : WF_GRADIENT_MAX, b->g_max);
}

static inline int
hessian_steps(const WfBooster *b)
{
	return (1 << b->grower->shape.hessian_bits) - 1;
}

/* Where a record's margin and gradient of class k stand beside the records. */
static inline size_t
beside(const WfBooster *b, const uint8_t *record, int k)
{
	return (size_t) wf_record_word(record, b->records.id_at) * (size_t) b->loss.n_outputs + (size_t) k;
}

/* Do rows differ in their hessians? */
static inline bool
has_hessians(const WfBooster *b)
{
	return !wf_loss_unit_hessian(&b->loss) || b->weight_max > 0;
}

/* ---- gradients ---- */

/* A field of n records from "first" on. */
static void
gather(const WfRecords *r, size_t first, size_t n, size_t at, float *out)
{
	const uint8_t *field = wf_record(r, first) + at;

	for (size_t i = 0; i < n; i++, field += r->stride)
		memcpy(&out[i], field, sizeof(float));
}

/* Gradients of up to BATCH records from "first" on, weights included; h only where rows differ in it. */
static void
batch_gradients(const WfBooster *b, size_t first, size_t n, float *g, float *h)
{
	const WfRecords *r = &b->records;
	float		target[BATCH];
	float		weight[BATCH];

	gather(r, first, n, r->score_at, g);
	if (r->target_at)
		gather(r, first, n, r->target_at, target);
	wf_loss_gradients(&b->loss, g, target, n, g, has_hessians(b) ? h : NULL);
	if (r->weight_at)
	{
		gather(r, first, n, r->weight_at, weight);
		for (size_t i = 0; i < n; i++)
		{
			g[i] *= weight[i];
			h[i] *= weight[i];
		}
	}
}

/* Scales for the losses without bounds: the largest gradient of any row. */
static void
find_scales(WfBooster *b)
{
	float		g[BATCH];
	float		h[BATCH];
	float		g_max = 0;
	float		h_max = 0;

	for (size_t first = 0; first < b->n_train; first += BATCH)
	{
		size_t		n = b->n_train - first < BATCH ? b->n_train - first : BATCH;

		batch_gradients(b, first, n, g, h);
		for (size_t i = 0; i < n; i++)
			g_max = fabsf(g[i]) > g_max ? fabsf(g[i]) : g_max;
		for (size_t i = 0; has_hessians(b) && i < n; i++)
			h_max = h[i] > h_max ? h[i] : h_max;
		if ((first / BATCH) % (POLL_ROWS / BATCH) == 0)
			b->host->check(b->host);
	}
	b->g_max = wf_booster_max(b, g_max);
	b->h_max = wf_booster_max(b, h_max);
}

void
wf_booster_look_at_scales(WfBooster *b)
{
	const WfRecords *r = &b->records;
	double		scale;
	int64_t		sum = 0;

	if (b->loss.kind != WF_LOSS_SQUARED || has_hessians(b))
		return;
	find_scales(b);
	scale = scale_of(1 << 30, b->g_max);
	for (size_t i = 0; i < b->n_train; i++)
	{
		sum += lrint(fabsf(wf_record_float(wf_record(r, i), r->score_at)) * scale);
		if ((i + 1) % POLL_ROWS == 0)
			b->host->check(b->host);
	}
	sum = wf_booster_sum(b, sum);
	b->fine = (double) sum * COARSE_RATIO < (double) b->all_train * (1 << 30);
}

/* All classes' gradients, by row id; each member does a part of the ids. */
static void
class_gradients(WfBooster *b)
{
	const int	n_classes = b->loss.n_outputs;
	const size_t k = (size_t) n_classes;
	const float g_scale = (float) gradient_scale(b);
	const float h_scale = (float) scale_of(hessian_steps(b), b->h_max);
	float		g[WF_MAX_CLASSES];
	float		h[WF_MAX_CLASSES];
	size_t		first;
	size_t		last;

	wf_team_part(b->team, b->data->n, &first, &last);
	wf_team_barrier(b->team);	/* all margins are up to date */
	for (size_t i = first; i < last; i++)
	{
		wf_softmax_gradients(b->margins + i * k, n_classes, b->data->label[i], g, h);
		if (b->weight_max > 0)
			for (size_t c = 0; c < k; c++)
			{
				g[c] *= b->data->weight[i];
				h[c] *= b->data->weight[i];
			}
		wf_loss_quantise(g, h, k, g_scale, h_scale, b->gradients + i * k);
		if ((i + 1) % (POLL_ROWS / 16) == 0)
			b->host->check(b->host);
	}
	wf_team_barrier(b->team);
}

/* Integer gradients of a batch of records, from the records or from beside them. */
static void
batch_integers(const WfBooster *b, size_t first, size_t n, int k, double g_scale, double h_scale, uint32_t *gh)
{
	const WfRecords *r = &b->records;
	float		g[BATCH];
	float		h[BATCH];

	if (b->gradients)
	{
		const uint8_t *record = wf_record(r, first);

		for (size_t i = 0; i < n; i++, record += r->stride)
		{
			if (i + PREFETCH < n)
				__builtin_prefetch(&b->gradients[beside(b, record + PREFETCH * r->stride, k)]);
			gh[i] = b->gradients[beside(b, record, k)];
		}
		return;
	}
	batch_gradients(b, first, n, g, h);
	if (b->fine)
		wf_loss_quantise_fine(g, n, g_scale, gh);
	else
		wf_loss_quantise(g, has_hessians(b) ? h : NULL, n, (float) g_scale, (float) h_scale, gh);
}

void
wf_booster_grow(WfBooster *b, int k)
{
	const WfRecords *r = &b->records;
	const double g_scale = gradient_scale(b);
	const double h_scale = has_hessians(b) ? scale_of(hessian_steps(b), b->h_max) : 1.0;
	WfSums		sums = {0, 0, (int64_t) b->n_tree};
	uint32_t	gh[BATCH];

	wf_leafwise_begin(b->grower);
	for (size_t piece = 0; piece < b->n_tree; piece += PIECE)
	{
		size_t		end = b->n_tree - piece < PIECE ? b->n_tree : piece + PIECE;

		for (size_t first = piece; first < end; first += BATCH)
		{
			size_t		n = end - first < BATCH ? end - first : BATCH;
			uint8_t    *record = wf_record(r, first);

			batch_integers(b, first, n, k, g_scale, h_scale, gh);
			for (size_t i = 0; i < n; i++, record += r->stride)
			{
				wf_record_set_word(record, r->gh_at, gh[i]);
				sums.g += b->fine ? (int32_t) gh[i] : wf_gh_gradient(gh[i]);
				sums.h += b->fine ? 1 : wf_gh_hessian(gh[i]);
			}
		}
		wf_leafwise_add(b->grower, r, piece, end - piece);
		if (piece % POLL_ROWS == 0)
			b->host->check(b->host);
	}
	wf_leafwise_grow(b->grower, r, b->n_tree, sums, 1.0 / g_scale, 1.0 / h_scale);
}

/* ---- rounds ---- */

typedef struct Sampling
{
	uint64_t	key;
	double		share;
} Sampling;

static bool
sampled(const void *arg, uint32_t id)
{
	const Sampling *s = arg;

	return wf_rng_unit(wf_rng(s->key, id)) < s->share;
}

/* Exactly ⌈share × d⌉ features: the first of a random order. */
static void
sample_features(WfBooster *b, uint64_t key)
{
	uint32_t	d = b->data->d;
	uint32_t	left = (uint32_t) ceil(b->colsample * d);

	/* Selection sampling (Knuth's algorithm S): every subset is equally likely. */
	for (uint32_t f = 0; f < d; f++)
	{
		b->use[f] = wf_rng_below(wf_rng(key, f), d - f) < left;
		left -= b->use[f];
	}
}

void
wf_booster_begin_round(WfBooster *b, int round)
{
	uint64_t	key = wf_rng(b->seed ^ SAMPLE_KEY, (uint64_t) round);

	if (b->subsample < 1)
	{
		Sampling	s = {wf_mix(key), b->subsample};

		b->n_tree = wf_records_select(b->host, &b->records, 0, b->n_train, sampled, &s);
	}
	if (b->use)
		sample_features(b, key);
	if (b->auto_delta)
	{
		WfRefitGroup all = {.begin = 0, .n = b->n_train};

		wf_refit_quantiles(&b->refit, &b->records, &all, 1, HUBER_QUANTILE, true);
		b->loss.delta = all.value > 0 ? all.value : 1.0;
	}
	if (wf_loss_bounds(&b->loss, &b->g_max, &b->h_max))
	{
		double		weight = b->weight_max > 0 ? b->weight_max : 1.0;

		b->g_max *= weight;
		b->h_max *= weight;
	}
	else if (round > 0 && !has_hessians(b))
		b->g_max = wf_booster_max(b, b->residual_max);
	else
		find_scales(b);
	if (b->gradients)
		class_gradients(b);
}

/* ---- leaves ---- */

/* Order statistics of the leaves' residuals, into groups. */
static void
refit_leaves(WfBooster *b)
{
	const WfLeafwise *grower = b->grower;

	for (uint32_t i = 0; i < grower->n_leaves; i++)
		b->groups[i] = (WfRefitGroup) {.begin = grower->leaves[i].begin, .n = grower->leaves[i].n};
	wf_refit_quantiles(&b->refit, &b->records, b->groups, grower->n_leaves,
					   b->loss.kind == WF_LOSS_QUANTILE ? b->loss.alpha : 0.5, false);
	if (b->loss.kind == WF_LOSS_HUBER)
		wf_refit_clipped_means(&b->refit, &b->records, b->groups, grower->n_leaves,
							   b->loss.delta, b->all_train);
}

void
wf_booster_set_values(WfBooster *b)
{
	WfLeafwise *grower = b->grower;
	bool		refits = wf_loss_refits(&b->loss);

	if (refits)
		refit_leaves(b);
	for (uint32_t i = 0; i < grower->n_leaves; i++)
	{
		const WfLeafwiseLeaf *leaf = &grower->leaves[i];
		double		value = wf_leafwise_output(grower, leaf);

		/*
		 * Poisson: a Newton step up from a small mean overshoots by far; the
		 * same sums give the exact optimum log(1 + step).
		 */
		if (refits)
			value = b->groups[i].value;
		else if (b->loss.kind == WF_LOSS_POISSON && value > 0)
			value = wf_log(1.0 + value);
		grower->nodes[leaf->node].value = (float) (b->learning_rate * value);
	}
	if (refits)
		wf_leafwise_keep_order(grower);
}

/*
 * Add value to the scores of records [first, first + n).  Residuals are
 * measured on the way: the next round wants the largest.
 */
static void
add_value(WfBooster *b, size_t first, size_t n, int k, float value)
{
	const WfRecords *r = &b->records;
	uint8_t    *record = wf_record(r, first);

	if (b->margins)
	{
		for (size_t i = 0; i < n; i++, record += r->stride)
		{
			if (i + PREFETCH < n)
				__builtin_prefetch(&b->margins[beside(b, record + PREFETCH * r->stride, k)], 1);
			b->margins[beside(b, record, k)] += value;
		}
		return;
	}
	if (wf_loss_on_residual(&b->loss))
	{
		float		max = (float) b->residual_max;

		for (size_t i = 0; i < n; i++, record += r->stride)
		{
			float		x = wf_record_float(record, r->score_at) - value;

			max = fabsf(x) > max ? fabsf(x) : max;
			wf_record_set_float(record, r->score_at, x);
		}
		b->residual_max = max;
		return;
	}
	for (size_t i = 0; i < n; i++, record += r->stride)
		wf_record_set_float(record, r->score_at, wf_record_float(record, r->score_at) + value);
}

void
wf_booster_update(WfBooster *b, int k)
{
	const WfLeafwise *grower = b->grower;
	const WfGrownTree tree = wf_leafwise_tree(grower);

	b->residual_max = 0;
	for (uint32_t i = 0; i < grower->n_leaves; i++)
	{
		const WfLeafwiseLeaf *leaf = &grower->leaves[i];

		for (size_t at = 0; at < leaf->n; at += POLL_ROWS)
		{
			add_value(b, leaf->begin + at, leaf->n - at < POLL_ROWS ? leaf->n - at : POLL_ROWS, k,
					  grower->nodes[leaf->node].value);
			b->host->check(b->host);
		}
	}
	/* Rows that the tree was not grown from have to walk. */
	for (size_t i = b->n_tree; i < b->n_train + b->n_inner; i++)
	{
		uint32_t	leaf = wf_record_leaf(&tree, b->data->is_category, wf_record(&b->records, i));

		add_value(b, i, 1, k, grower->nodes[leaf].value);
		if ((i + 1) % (POLL_ROWS / 8) == 0)
			b->host->check(b->host);
	}
}

/* ---- choosing the number of rounds ---- */

static double
inner_row_loss(const WfBooster *b, const uint8_t *record)
{
	const WfRecords *r = &b->records;
	uint32_t	id = wf_record_word(record, r->id_at);
	double		w = b->data->weight ? (double) b->data->weight[id] : 1.0;

	if (b->margins)
		return w * wf_softmax_value(b->margins + (size_t) id * (size_t) b->loss.n_outputs,
									b->loss.n_outputs, b->data->label[id]);
	return w * wf_loss_value(&b->loss, wf_record_float(record, r->score_at),
							 r->target_at ? wf_record_float(record, r->target_at) : 0.0);
}

int64_t
wf_booster_inner_loss(WfBooster *b)
{
	const uint8_t *record = wf_record(&b->records, b->n_train);
	int64_t		sum = 0;

	if (b->loss_unit == 0)
	{
		uint64_t	n = (uint64_t) wf_booster_sum(b, (int64_t) b->n_inner);
		double		max = 0;

		for (size_t i = 0; i < b->n_inner; i++)
		{
			double		x = fabs(inner_row_loss(b, record + i * b->records.stride));

			max = x > max ? x : max;
			if ((i + 1) % (POLL_ROWS / 8) == 0)
				b->host->check(b->host);
		}
		max = wf_booster_max(b, max);
		b->loss_cap = max > 0 ? LOSS_HEADROOM * max : 1.0;
		b->loss_unit = b->loss_cap * (double) (n + 1) * 0x1p-61;
	}
	for (size_t i = 0; i < b->n_inner; i++)
	{
		double		x = inner_row_loss(b, record + i * b->records.stride);

		x = x > b->loss_cap ? b->loss_cap : x < -b->loss_cap ? -b->loss_cap : x;
		sum += llrint(x / b->loss_unit);
		if ((i + 1) % (POLL_ROWS / 8) == 0)
			b->host->check(b->host);
	}
	return wf_booster_sum(b, sum);
}
