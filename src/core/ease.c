/*-------------------------------------------------------------------------
 * ease.c
 *	  Gram matrix and weights of EASE.
 *-------------------------------------------------------------------------
 */
#include "core/ease.h"

#include <math.h>
#include <string.h>

/* Pairs between two calls of host->check(). */
#define CHECK_PAIRS 200000

size_t
wf_ease_bytes(uint32_t n)
{
	size_t		ld = wf_spd_padded(n);

	return ld * ld * sizeof(float) + wf_spd_scratch(n);
}

/* Row i of G; sum is zero on entry and on return. */
static void
gram_row(WfHost *host, const WfMatrix *m, const WfMatrix *t, uint32_t n, WfEaseWeight weight,
		 uint32_t i, double *sum, float *row)
{
	uint64_t	pairs = n;

	for (uint64_t e = t->start[i]; e < t->start[i + 1]; e++)
	{
		uint32_t	u = t->col[e];
		uint64_t	end = m->start[u + 1];
		double		w = weight == WF_EASE_EQUAL ? 1 : 1 / (double) (end - m->start[u]);

		/* rising, so that the first n come first */
		for (uint64_t f = m->start[u]; f < end && m->col[f] < n; f++, pairs++)
			sum[m->col[f]] += w;
		if (pairs >= CHECK_PAIRS)
		{
			pairs = 0;
			host->check(host);
		}
	}
	for (uint32_t j = 0; j < n; j++)
	{
		row[j] = (float) sum[j];
		sum[j] = 0;
	}
	host->check(host);
}

void
wf_ease_gram(WfTeam *team, const WfMatrix *m, const WfMatrix *transposed,
			 uint32_t n, WfEaseWeight weight, float *gram)
{
	size_t		ld = wf_spd_padded(n);
	double	   *sum = wf_alloc_zero(team->host, n, sizeof(double));

	wf_team_restart(team);
	for (uint64_t i; (i = wf_team_next(team)) < n;)
		gram_row(team->host, m, transposed, n, weight, (uint32_t) i, sum, gram + i * ld);
	wf_release(team->host, sum);
	wf_team_barrier(team);
}

/*
 * From minus the inverse above the diagonal to weights in both triangles, in
 * tiles, so that a column of the lower one is written a cache line at a time.
 */
#define TILE 16

static void
weights_of_tile(float *a, size_t ld, uint32_t n, const float *diagonal, uint32_t i0, uint32_t j0)
{
	for (uint32_t i = i0; i < i0 + TILE && i < n; i++)
		for (uint32_t j = j0 > i ? j0 : i; j < j0 + TILE && j < n; j++)
		{
			float		p = a[i * ld + j];

			a[i * ld + j] = i == j ? 0 : -p / diagonal[j];
			if (i != j)
				a[j * ld + i] = -p / diagonal[i];
		}
}

bool
wf_ease_solve(WfTeam *team, float *a, uint32_t n, double lambda)
{
	WfHost	   *host = team->host;
	size_t		ld = wf_spd_padded(n);
	float	   *diagonal = wf_alloc(host, n, sizeof(float));
	uint32_t	tiles = (n + TILE - 1) / TILE;
	bool		sound = true;

	wf_team_barrier(team);
	if (team->rank == 0)
		for (uint32_t i = 0; i < n; i++)
			a[i * ld + i] += (float) lambda;
	wf_team_barrier(team);
	wf_spd_invert(team, a, n);
	for (uint32_t i = 0; i < n; i++)
	{
		diagonal[i] = a[i * ld + i];
		sound &= isfinite(diagonal[i]) != 0;
	}
	wf_team_barrier(team);
	for (uint32_t t = (uint32_t) team->rank; t < tiles; t += (uint32_t) team->size)
	{
		for (uint32_t s = t; s < tiles; s++)
			weights_of_tile(a, ld, n, diagonal, t * TILE, s * TILE);
		host->check(host);
	}
	wf_release(host, diagonal);
	wf_team_barrier(team);
	return sound;
}
