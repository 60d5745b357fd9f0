/*-------------------------------------------------------------------------
 * ranker.c
 *	  Adding up rows of weights, and choosing the best items.
 *-------------------------------------------------------------------------
 */
#include "core/ranker.h"

#include <string.h>

/* Floats added between two calls of host->check(). */
#define CHECK_WORK 1000000

typedef float Floats __attribute__((vector_size(32), aligned(4)));
typedef int16_t Shorts __attribute__((vector_size(16), aligned(2)));
typedef int32_t Ints __attribute__((vector_size(32), aligned(4)));

#define LANES 8

WfRanker *
wf_ranker_create(WfHost *host, uint32_t n_items)
{
	WfRanker   *r = wf_alloc_zero(host, 1, sizeof(*r));

	r->n_items = n_items;
	r->score = wf_alloc(host, n_items, sizeof(float));
	r->touched = wf_alloc(host, n_items, sizeof(uint32_t));
	r->has_score = wf_alloc_zero(host, n_items, sizeof(uint32_t));
	r->taken = wf_alloc_zero(host, n_items, sizeof(uint32_t));
	return r;
}

void
wf_ranker_free(WfHost *host, WfRanker *r)
{
	wf_release(host, r->score);
	wf_release(host, r->touched);
	wf_release(host, r->has_score);
	wf_release(host, r->taken);
	wf_release(host, r);
}

void
wf_ranker_clear(WfRanker *r)
{
	if (++r->pass == 0)
	{
		memset(r->has_score, 0, r->n_items * sizeof(uint32_t));
		r->pass = 1;
	}
	r->n_full = 0;
	r->n_touched = 0;
}

void
wf_ranker_begin(WfRanker *r)
{
	if (++r->call == 0)
	{
		memset(r->taken, 0, r->n_items * sizeof(uint32_t));
		r->call = 1;
	}
	wf_ranker_clear(r);
}

/* Not a number more than n: what follows may be the score of an item without a dense row. */
static void
add_floats(float *score, const float *row, size_t n)
{
	size_t		j = 0;

	for (; j + LANES <= n; j += LANES)
		*(Floats *) (score + j) += *(const Floats *) (row + j);
	for (; j < n; j++)
		score[j] += row[j];
}

static void
add_packed(float *score, const int16_t *row, float scale, size_t n)
{
	size_t		j = 0;

	for (; j + LANES <= n; j += LANES)
	{
		Ints		x = __builtin_convertvector(*(const Shorts *) (row + j), Ints);

		*(Floats *) (score + j) += __builtin_convertvector(x, Floats) * scale;
	}
	for (; j < n; j++)
		score[j] += (float) row[j] * scale;
}

void
wf_ranker_start(WfRanker *r, const WfItemModel *model)
{
	memset(r->score, 0, model->n_dense * sizeof(float));
	r->n_full = model->n_dense;
}

static void
add_dense(WfRanker *r, const WfItemModel *model, uint32_t i)
{
	if (model->dense)
		add_floats(r->score, model->dense + i * model->ld, model->n_dense);
	else
		add_packed(r->score, model->packed + i * model->ld, model->scale[i], model->n_dense);
}

static size_t
add_sparse(WfRanker *r, const WfItemModel *model, uint32_t i)
{
	uint64_t	begin = model->start[i];
	uint64_t	end = model->length ? begin + model->length[i] : model->start[(size_t) i + 1];

	for (uint64_t e = begin; e < end; e++)
	{
		uint32_t	j = model->item[e];

		if (j < r->n_full || r->has_score[j] == r->pass)
			r->score[j] += model->weight[e];
		else
		{
			r->has_score[j] = r->pass;
			r->score[j] = model->weight[e];
			r->touched[r->n_touched++] = j;
		}
	}
	return (size_t) (end - begin);
}

void
wf_ranker_add(WfHost *host, WfRanker *r, const WfItemModel *model, const uint32_t *items, size_t n)
{
	size_t		work = 0;

	for (size_t h = 0; h < n; h++)
	{
		if (items[h] < model->n_dense)
		{
			add_dense(r, model, items[h]);
			work += model->n_dense;
		}
		if (model->start && items[h] < model->n_items)
			work += add_sparse(r, model, items[h]);
		if (work >= CHECK_WORK)
		{
			work = 0;
			host->check(host);
		}
	}
}

void
wf_ranker_damp(WfRanker *r, const WfItemModel *model)
{
	if (model->damping == NULL)
		return;
	for (uint32_t j = 0; j < r->n_full; j++)
		r->score[j] *= model->damping[j];
	for (uint32_t k = 0; k < r->n_touched; k++)
		r->score[r->touched[k]] *= model->damping[r->touched[k]];
}

uint32_t
wf_ranker_best(WfRanker *r, uint32_t n, WfTop *top)
{
	uint32_t	kept = 0;
	float		least = 0;

	if (n == 0)
		return 0;
	for (uint32_t j = 0; j < r->n_full; j++)
		if (r->score[j] > least && !wf_ranker_taken(r, j))
		{
			wf_top_offer(top, &kept, n, r->score[j], j);
			if (kept == n)
				least = top[0].score;
		}
	for (uint32_t k = 0; k < r->n_touched; k++)
	{
		uint32_t	j = r->touched[k];

		if (r->score[j] > 0 && r->score[j] >= least && !wf_ranker_taken(r, j))
		{
			wf_top_offer(top, &kept, n, r->score[j], j);
			if (kept == n)
				least = top[0].score;
		}
	}
	wf_top_sort(top, kept);
	for (uint32_t k = 0; k < kept; k++)
		wf_ranker_take(r, top[k].item);
	return kept;
}
