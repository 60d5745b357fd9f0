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

	r->host = host;
	r->n_items = n_items;
	r->score = wf_alloc(host, (size_t) n_items + 16, sizeof(float));
	r->touched = wf_alloc(host, n_items, sizeof(uint32_t));
	r->has_score = wf_alloc_zero(host, n_items, sizeof(uint32_t));
	r->taken = wf_alloc_zero(host, n_items, sizeof(uint32_t));
	return r;
}

void
wf_ranker_free(WfRanker *r)
{
	WfHost	   *host = r->host;

	wf_release(host, r->score);
	wf_release(host, r->touched);
	wf_release(host, r->has_score);
	wf_release(host, r->taken);
	wf_release(host, r->top);
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

static void
add_floats(float *score, const float *row, size_t n)
{
	for (size_t j = 0; j < n; j += LANES)
		*(Floats *) (score + j) += *(const Floats *) (row + j);
}

static void
add_packed(float *score, const int16_t *row, float scale, size_t n)
{
	for (size_t j = 0; j < n; j += LANES)
	{
		Ints		x = __builtin_convertvector(*(const Shorts *) (row + j), Ints);

		*(Floats *) (score + j) += __builtin_convertvector(x, Floats) * scale;
	}
}

static void
add_dense(WfRanker *r, const WfItemModel *model, const uint32_t *items, size_t n)
{
	size_t		work = 0;

	/* the padding of rows falls on items beyond n_dense, or beyond all: not yet in use */
	memset(r->score, 0, ((size_t) model->n_dense + 15) / 16 * 16 * sizeof(float));
	r->n_full = model->n_dense;
	for (size_t h = 0; h < n; h++)
	{
		if (items[h] >= model->n_dense)
			continue;
		if (model->dense)
			add_floats(r->score, model->dense + items[h] * model->ld, model->n_dense);
		else
			add_packed(r->score, model->packed + items[h] * model->ld, model->scale[items[h]], model->n_dense);
		work += model->n_dense;
		if (work >= CHECK_WORK)
		{
			work = 0;
			r->host->check(r->host);
		}
	}
}

static void
add_sparse(WfRanker *r, const WfItemModel *model, const uint32_t *items, size_t n)
{
	size_t		work = 0;

	for (size_t h = 0; h < n; h++)
	{
		uint64_t	e;
		uint64_t	end;

		if (items[h] >= model->n_items)
			continue;
		e = model->start[items[h]];
		end = model->length ? e + model->length[items[h]] : model->start[(size_t) items[h] + 1];
		work += (size_t) (end - e);
		for (; e < end; e++)
		{
			uint32_t	j = model->item[e];

			if (j < r->n_full)
				r->score[j] += model->weight[e];
			else if (r->has_score[j] == r->pass)
				r->score[j] += model->weight[e];
			else
			{
				r->has_score[j] = r->pass;
				r->score[j] = model->weight[e];
				r->touched[r->n_touched++] = j;
			}
		}
		if (work >= CHECK_WORK)
		{
			work = 0;
			r->host->check(r->host);
		}
	}
}

void
wf_ranker_add(WfRanker *r, const WfItemModel *model, const uint32_t *items, size_t n)
{
	if (model->n_dense)
		add_dense(r, model, items, n);
	if (model->start)
		add_sparse(r, model, items, n);
	if (model->damping)
	{
		for (uint32_t j = 0; j < r->n_full; j++)
			r->score[j] *= model->damping[j];
		for (uint32_t k = 0; k < r->n_touched; k++)
			r->score[r->touched[k]] *= model->damping[r->touched[k]];
	}
}

uint32_t
wf_ranker_best(WfRanker *r, uint32_t n)
{
	uint32_t	kept = 0;
	float		least = 0;

	if (n > r->n_items)
		n = r->n_items;
	if (n == 0)
		return 0;
	if (n > r->max_top)
	{
		wf_release(r->host, r->top);
		r->top = NULL;
		r->max_top = 0;
		r->top = wf_alloc(r->host, n, sizeof(WfTop));
		r->max_top = n;
	}
	for (uint32_t j = 0; j < r->n_full; j++)
		if (r->score[j] > least && !wf_ranker_taken(r, j))
		{
			wf_top_offer(r->top, &kept, n, r->score[j], j);
			if (kept == n)
				least = r->top[0].score;
		}
	for (uint32_t k = 0; k < r->n_touched; k++)
	{
		uint32_t	j = r->touched[k];

		if (r->score[j] > 0 && r->score[j] >= least && !wf_ranker_taken(r, j))
		{
			wf_top_offer(r->top, &kept, n, r->score[j], j);
			if (kept == n)
				least = r->top[0].score;
		}
	}
	wf_top_sort(r->top, kept);
	for (uint32_t k = 0; k < kept; k++)
		wf_ranker_take(r, r->top[k].item);
	return kept;
}
