/*-------------------------------------------------------------------------
 * neighbours.c
 *	  The pass over pairs of items.
 *
 * Row i is gathered in arrays over all items: for each of i's users, each of
 * the user's items.  An array is small enough for the second-level cache in
 * most catalogues, and what was touched is listed, so that a row costs its own
 * pairs only.
 *-------------------------------------------------------------------------
 */
#include "core/neighbours.h"

#include <math.h>
#include <string.h>

#include "core/mathx.h"
#include "core/top.h"

/* Pairs between two calls of host->check(). */
#define CHECK_PAIRS 100000

typedef struct Pass
{
	WfTeam	   *team;
	const WfMatrix *m;
	const WfMatrix *t;
	const WfNeighbourSpec *spec;
	float	   *walk;			/* by item: Σ 1 / |u|; zeros between rows */
	float	   *count;			/* by item: users of both; NULL: not needed */
	uint32_t   *touched;
	WfTop	   *top;
	uint64_t	since_check;
} Pass;

size_t
wf_neighbours_bytes(uint64_t n_items, uint32_t k)
{
	size_t		row = sizeof(uint64_t) + sizeof(uint32_t);
	size_t		bytes;

	if (k > n_items)
		k = (uint32_t) n_items;
	row += k * (sizeof(uint32_t) + sizeof(float));
	return __builtin_mul_overflow((size_t) n_items + 1, row, &bytes) ? SIZE_MAX : bytes;
}

/* Entries that row i can have: no more than pairs, items or k. */
static uint64_t
row_bound(const Pass *pass, uint32_t i)
{
	const WfMatrix *t = pass->t;
	uint64_t	most = pass->spec->k < t->n_rows - 1 ? pass->spec->k : t->n_rows - 1;
	uint64_t	pairs = 0;

	if (pass->spec->wanted && !pass->spec->wanted[i])
		return 0;
	for (uint64_t e = t->start[i]; e < t->start[i + 1] && pairs < most; e++)
		pairs += wf_matrix_row_length(pass->m, t->col[e]) - 1;
	return pairs < most ? pairs : most;
}

/* Collective. */
static void
create_rows(Pass *pass, WfNeighbours *rows)
{
	WfTeam	   *team = pass->team;
	uint32_t	n = pass->t->n_rows;
	size_t		begin,
				end;

	memset(rows, 0, sizeof(*rows));
	rows->n_items = n;
	rows->start = wf_team_alloc(team, (size_t) n + 1, sizeof(uint64_t));
	rows->length = wf_team_alloc(team, n, sizeof(uint32_t));
	wf_team_part(team, n, &begin, &end);
	for (size_t i = begin; i < end; i++)
	{
		rows->start[i + 1] = row_bound(pass, (uint32_t) i);
		if (i % 1024 == 0)
			team->host->check(team->host);
	}
	wf_team_barrier(team);
	if (team->rank == 0)
		for (uint32_t i = 0; i < n; i++)
			rows->start[i + 1] += rows->start[i];
	wf_team_barrier(team);
	rows->item = wf_team_alloc(team, rows->start[n], sizeof(uint32_t));
	rows->weight = wf_team_alloc(team, rows->start[n], sizeof(float));
}

static void
store_row(Pass *pass, WfNeighbours *rows, uint32_t i, uint32_t n)
{
	uint32_t   *item = rows->item + rows->start[i];
	float	   *weight = rows->weight + rows->start[i];

	wf_top_sort(pass->top, n);
	for (uint32_t e = 0; e < n; e++)
	{
		item[e] = pass->top[e].item;
		weight[e] = pass->top[e].score;
	}
	rows->length[i] = n;
}

/* Sum up row i; returns how many items it touched, i itself left out. */
static uint32_t
gather_row(Pass *pass, uint32_t i)
{
	const WfMatrix *m = pass->m;
	const WfMatrix *t = pass->t;
	float	   *walk = pass->walk;
	float	   *count = pass->count;
	uint32_t	least = i < pass->spec->apart ? pass->spec->apart : 0;
	uint32_t	n = 0;

	for (uint64_t e = t->start[i]; e < t->start[i + 1]; e++)
	{
		uint32_t	u = t->col[e];
		uint64_t	first = m->start[u];
		uint64_t	end = m->start[u + 1];
		float		share = 1.0f / (float) (end - first);

		/* from the back: items that are kept apart come first in a history */
		for (uint64_t f = end; f > first && m->col[f - 1] >= least; f--)
		{
			uint32_t	j = m->col[f - 1];

			if (walk[j] == 0)
				pass->touched[n++] = j;
			walk[j] += share;
			if (count)
				count[j] += 1;
		}
		pass->since_check += end - first;
		if (pass->since_check >= CHECK_PAIRS)
		{
			pass->since_check = 0;
			pass->team->host->check(pass->team->host);
		}
	}
	return n;
}

static void
make_row(Pass *pass, uint32_t i, WfNeighbours *rp3beta, WfNeighbours *knn)
{
	const WfMatrix *t = pass->t;
	uint32_t	n = gather_row(pass, i);
	double		n_i = (double) wf_matrix_row_length(t, i);
	uint32_t	kept;

	if (rp3beta && rp3beta->start[i + 1] > rp3beta->start[i])
	{
		kept = 0;
		for (uint32_t k = 0; k < n; k++)
			if (pass->touched[k] != i)
				wf_top_offer(pass->top, &kept, pass->spec->k,
							 (float) ((double) pass->walk[pass->touched[k]] / n_i), pass->touched[k]);
		store_row(pass, rp3beta, i, kept);
	}
	if (knn && knn->start[i + 1] > knn->start[i])
	{
		kept = 0;
		for (uint32_t k = 0; k < n; k++)
		{
			uint32_t	j = pass->touched[k];
			double		norm = sqrt(n_i * (double) wf_matrix_row_length(t, j)) + (double) pass->spec->shrink;

			if (j != i)
				wf_top_offer(pass->top, &kept, pass->spec->k, (float) ((double) pass->count[j] / norm), j);
		}
		store_row(pass, knn, i, kept);
	}
	for (uint32_t k = 0; k < n; k++)
		pass->walk[pass->touched[k]] = 0;
	for (uint32_t k = 0; pass->count && k < n; k++)
		pass->count[pass->touched[k]] = 0;
	pass->since_check += 4 * (uint64_t) n;
}

void
wf_neighbours_build(WfTeam *team, const WfMatrix *m, const WfMatrix *transposed,
					const WfNeighbourSpec *spec, WfNeighbours *rp3beta, WfNeighbours *knn)
{
	WfHost	   *host = team->host;
	Pass		pass = {.team = team,.m = m,.t = transposed,.spec = spec};
	uint32_t	n = transposed->n_rows;

	pass.walk = wf_alloc_zero(host, n, sizeof(float));
	if (knn)
		pass.count = wf_alloc_zero(host, n, sizeof(float));
	pass.touched = wf_alloc(host, n, sizeof(uint32_t));
	pass.top = wf_alloc(host, spec->k < n ? spec->k : n, sizeof(WfTop));
	if (rp3beta)
		create_rows(&pass, rp3beta);
	if (knn)
		create_rows(&pass, knn);
	/* Popular items first and one by one: they take the longest. */
	wf_team_restart(team);
	for (uint64_t i; (i = wf_team_next(team)) < n;)
		if (spec->wanted == NULL || spec->wanted[i])
			make_row(&pass, (uint32_t) i, rp3beta, knn);
	wf_team_barrier(team);
	wf_release(host, pass.top);
	wf_release(host, pass.touched);
	wf_release(host, pass.count);
	wf_release(host, pass.walk);
}

void
wf_neighbours_free(WfTeam *team, WfNeighbours *rows)
{
	if (rows->start == NULL)
		return;
	wf_team_free(team, rows->weight);
	wf_team_free(team, rows->item);
	wf_team_free(team, rows->length);
	wf_team_free(team, rows->start);
	memset(rows, 0, sizeof(*rows));
}

void
wf_neighbours_damping(double beta, const uint32_t *support, uint32_t n_items, float *factor)
{
	for (uint32_t j = 0; j < n_items; j++)
		factor[j] = support[j] ? (float) wf_exp(-beta * wf_log((double) support[j])) : 0;
}
