/*-------------------------------------------------------------------------
 * booster_rows.c
 *	  Before the first round: which rows take part, their payload, and the
 *	  constant that the trees start from.
 *
 * The constant is a mean, so a sum over rows, and would depend on their
 * order in floating point; it is summed in 64-bit fixed point instead, its
 * unit chosen by the largest term.
 *-------------------------------------------------------------------------
 */
#include "core/booster.h"

#include <math.h>

#include "core/rng.h"

#define POLL_ROWS 65536
/* One training row in so many chooses the number of rounds when stopping early. */
#define INNER_PART 10
/* Keys of random draws, so that no two uses see the same numbers. */
#define INNER_KEY UINT64_C(0x1b005fe4c2d7a613)

/* Largest target that leaves room for sums of float leaf values. */
#define TARGET_LIMIT 1e37

double
wf_booster_max(WfBooster *b, double mine)
{
	if (b->team->size == 1)
		return mine;
	b->cells[b->team->rank].real = mine;
	wf_team_barrier(b->team);
	for (int r = 0; r < b->team->size; r++)
		mine = b->cells[r].real > mine ? b->cells[r].real : mine;
	wf_team_barrier(b->team);
	return mine;
}

int64_t
wf_booster_sum(WfBooster *b, int64_t mine)
{
	int64_t		sum = 0;

	if (b->team->size == 1)
		return mine;
	b->cells[b->team->rank].whole = mine;
	wf_team_barrier(b->team);
	for (int r = 0; r < b->team->size; r++)
		sum += b->cells[r].whole;
	wf_team_barrier(b->team);
	return sum;
}

/* ---- which rows ---- */

static bool
takes_part(const void *arg, uint32_t id)
{
	const WfBooster *b = arg;
	const WfDataset *data = b->data;

	if (b->training->out_fold >= 0 && data->fold && data->fold[id] == b->training->out_fold)
		return false;
	return data->weight == NULL || data->weight[id] > 0;
}

static bool
trains(const void *arg, uint32_t id)
{
	const WfBooster *b = arg;

	if (b->training->inner_fold > 0)
		return b->data->fold[id] != b->training->inner_fold;
	return wf_rng_below(wf_rng(b->seed ^ INNER_KEY, id), INNER_PART) != 0;
}

static double
row_target(const WfDataset *data, uint32_t id)
{
	return data->target ? data->target[id] : (double) (data->label[id] == 1);
}

static double
row_weight(const WfDataset *data, uint32_t id)
{
	return data->weight ? (double) data->weight[id] : 1.0;
}

static void
poll(const WfBooster *b, size_t i)
{
	if ((i + 1) % POLL_ROWS == 0)
		b->host->check(b->host);
}

/* Largest |weight × target| and weight of the training rows; are all targets valid? */
static void
look_at_targets(WfBooster *b, double *term_max)
{
	const WfDataset *data = b->data;
	double		weight_max = 0;
	double		target_max = 0;
	bool		negative = false;
	bool		above_one = false;

	*term_max = 0;
	for (size_t i = 0; i < b->n_train + b->n_inner; i++)
	{
		uint32_t	id = wf_record_word(wf_record(&b->records, i), b->records.id_at);
		double		y = row_target(data, id);
		double		w = row_weight(data, id);

		negative |= y < 0;
		above_one |= y > 1;
		target_max = fabs(y) > target_max ? fabs(y) : target_max;
		weight_max = w > weight_max ? w : weight_max;
		*term_max = fabs(w * y) > *term_max ? fabs(w * y) : *term_max;
		poll(b, i);
	}
	*term_max = wf_booster_max(b, *term_max);
	weight_max = wf_booster_max(b, weight_max);
	target_max = wf_booster_max(b, target_max);
	negative = wf_booster_sum(b, negative) > 0;
	above_one = wf_booster_sum(b, above_one) > 0;
	b->weight_max = data->weight ? weight_max : 0;

	if (b->loss.kind == WF_LOSS_POISSON && negative)
		b->host->fail(b->host, WF_E_DATA, "Use another \"loss\", or leave these rows out.",
					  "loss \"poisson\" needs targets that are not negative");
	if (b->bounded && (negative || above_one))
		b->host->fail(b->host, WF_E_DATA, "Use another \"loss\", or divide the target by its largest possible value.",
					  "loss \"bounded\" needs targets between 0 and 1");
	if (!(target_max < TARGET_LIMIT))
		b->host->fail(b->host, WF_E_DATA, "Divide the target by a constant.",
					  "target values up to %g are too large for gradient boosting", target_max);
}

/* 2^e such that n terms up to max sum to less than 2^61. */
static double
sum_scale(uint64_t n, double max)
{
	int			e;
	int			bits = 1;

	if (!(max > 0))
		return 1.0;
	while (n >> bits)
		bits++;
	frexp(max, &e);
	return ldexp(1.0, 61 - bits - e);
}

/* Weighted mean of the training rows' targets. */
static double
mean_target(WfBooster *b, double term_max)
{
	const WfDataset *data = b->data;
	double		term_scale = sum_scale(b->all_train, term_max);
	double		weight_scale = sum_scale(b->all_train, b->weight_max > 0 ? b->weight_max : 1.0);
	int64_t		terms = 0;
	int64_t		weights = 0;

	for (size_t i = 0; i < b->n_train; i++)
	{
		uint32_t	id = wf_record_word(wf_record(&b->records, i), b->records.id_at);
		double		w = row_weight(data, id);

		terms += llrint(w * row_target(data, id) * term_scale);
		weights += llrint(w * weight_scale);
		poll(b, i);
	}
	terms = wf_booster_sum(b, terms);
	weights = wf_booster_sum(b, weights);
	return weights > 0 ? ((double) terms / term_scale) / ((double) weights / weight_scale) : 0.0;
}

/* Weighted share of each class, as logarithm. */
static void
class_bases(WfBooster *b)
{
	const WfDataset *data = b->data;
	double		scale = sum_scale(b->all_train, b->weight_max > 0 ? b->weight_max : 1.0);
	int64_t		total = 0;
	int64_t    *sums = wf_alloc_zero(b->host, (size_t) b->loss.n_outputs, sizeof(int64_t));

	for (size_t i = 0; i < b->n_train; i++)
	{
		uint32_t	id = wf_record_word(wf_record(&b->records, i), b->records.id_at);

		sums[data->label[id]] += llrint(row_weight(data, id) * scale);
		poll(b, i);
	}
	for (int k = 0; k < b->loss.n_outputs; k++)
	{
		sums[k] = wf_booster_sum(b, sums[k]);
		total += sums[k];
	}
	for (int k = 0; k < b->loss.n_outputs; k++)
		b->base[k] = wf_loss_base(&b->loss, total > 0 ? (double) sums[k] / (double) total : 0.0);
	wf_release(b->host, sums);
}

/* ---- payload ---- */

static void
fill_payload(WfBooster *b)
{
	const WfRecords *r = &b->records;
	bool		on_residual = wf_loss_on_residual(&b->loss);

	for (size_t i = 0; i < b->n_train + b->n_inner; i++)
	{
		uint8_t    *record = wf_record(r, i);
		uint32_t	id = wf_record_word(record, r->id_at);
		double		y = r->score_at ? row_target(b->data, id) : 0.0;

		if (r->score_at)
			wf_record_set_float(record, r->score_at, (float) (on_residual ? y - b->base[0] : b->base[0]));
		if (r->target_at)
			wf_record_set_float(record, r->target_at, (float) y);
		if (r->weight_at)
			wf_record_set_float(record, r->weight_at, b->data->weight[id]);
		poll(b, i);
	}
}

static void
fill_margins(WfBooster *b)
{
	size_t		k = (size_t) b->loss.n_outputs;
	size_t		first;
	size_t		last;

	b->margins = wf_team_alloc(b->team, wf_size_mul(b->host, b->data->n, k), sizeof(float));
	b->gradients = wf_team_alloc(b->team, wf_size_mul(b->host, b->data->n, k), sizeof(uint32_t));
	wf_team_part(b->team, b->data->n, &first, &last);
	for (size_t i = first; i < last; i++)
	{
		for (size_t c = 0; c < k; c++)
			b->margins[i * k + c] = (float) b->base[c];
		poll(b, i);
	}
}

void
wf_booster_place(WfBooster *b)
{
	const WfDataset *data = b->data;
	size_t		begin;
	size_t		end;
	size_t		n_active;

	wf_team_part(b->team, data->n, &begin, &end);
	b->records.rows = data->rows + begin * data->stride;
	b->records.n = end - begin;
	n_active = wf_records_select(b->host, &b->records, 0, b->records.n, takes_part, b);
	b->n_train = n_active;
	b->all_train = (uint64_t) wf_booster_sum(b, (int64_t) n_active);
	if (b->patience > 0)
	{
		size_t		n_train = wf_records_select(b->host, &b->records, 0, n_active, trains, b);
		uint64_t	all = (uint64_t) wf_booster_sum(b, (int64_t) n_train);

		/* Too few rows to keep some aside: all rounds, on all rows. */
		if (all == 0 || all == b->all_train)
			b->patience = 0;
		else
		{
			b->n_train = n_train;
			b->all_train = all;
		}
	}
	b->n_inner = n_active - b->n_train;
	b->n_tree = b->n_train;
	if (b->all_train == 0)
		b->host->fail(b->host, WF_E_DATA, WF_HINT_NONE, "there are no rows to train on");
}

void
wf_booster_start(WfBooster *b)
{
	WfRefitGroup all = {.begin = 0, .n = b->n_train};
	double		term_max;

	look_at_targets(b, &term_max);
	if (b->loss.kind == WF_LOSS_SOFTMAX)
	{
		class_bases(b);
		fill_margins(b);
		return;
	}
	b->base[0] = wf_loss_base(&b->loss, mean_target(b, term_max));
	fill_payload(b);
	if (!wf_loss_refits(&b->loss))
		return;

	/* From a quantile of the distances to the mean to a quantile of the targets. */
	wf_refit_init(&b->refit, b->team, b->weight_max);
	wf_refit_quantiles(&b->refit, &b->records, &all, 1,
					   b->loss.kind == WF_LOSS_QUANTILE ? b->loss.alpha : 0.5, false);
	b->base[0] += all.value;
	fill_payload(b);
}
