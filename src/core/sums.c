/*-------------------------------------------------------------------------
 * sums.c
 *	  Chunks of rows, and their sums in order.
 *-------------------------------------------------------------------------
 */
#include "core/sums.h"

#include <math.h>
#include <string.h>

#define MAX_CHUNKS 64
/* Fewer chunks when one's sums are large: 32 MB in all. */
#define MAX_CHUNK_DOUBLES ((size_t) 4 << 20)
#define CHECK_ENTRIES 16384

void
wf_sums_create(WfTeam *team, WfSums *sums, size_t width, size_t n_max)
{
	size_t		chunks = MAX_CHUNK_DOUBLES / (width ? width : 1);

	sums->width = width;
	sums->n_max = n_max;
	sums->n_chunks = chunks < 1 ? 1 : chunks > MAX_CHUNKS ? MAX_CHUNKS : chunks;
	sums->chunk = wf_team_alloc(team, wf_size_mul(team->host, width, sums->n_chunks), sizeof(double));
	sums->total = wf_team_alloc(team, width, sizeof(double));
}

void
wf_sums_run(WfTeam *team, WfSums *sums, uint32_t n_rows, WfSumRows function, void *arg)
{
	size_t		sum_width = sums->width - sums->n_max;
	size_t		begin;
	size_t		end;

	wf_team_part(team, sums->n_chunks, &begin, &end);
	for (size_t c = begin; c < end; c++)
	{
		double	   *s = sums->chunk + c * sums->width;

		memset(s, 0, sums->width * sizeof(double));
		for (size_t i = sum_width; i < sums->width; i++)
			s[i] = -INFINITY;
		function(arg, (uint32_t) ((uint64_t) n_rows * c / sums->n_chunks),
				 (uint32_t) ((uint64_t) n_rows * (c + 1) / sums->n_chunks), s);
	}
	wf_team_barrier(team);

	wf_team_part(team, sums->width, &begin, &end);
	for (size_t i = begin; i < end; i++)
	{
		double		sum = sums->chunk[i];

		if (i % CHECK_ENTRIES == 0)
			team->host->check(team->host);
		for (size_t c = 1; c < sums->n_chunks; c++)
		{
			double		more = sums->chunk[c * sums->width + i];

			sum = i < sum_width ? sum + more : more > sum ? more : sum;
		}
		sums->total[i] = sum;
	}
	wf_team_barrier(team);
}

void
wf_sums_free(WfTeam *team, WfSums *sums)
{
	wf_team_free(team, sums->total);
	wf_team_free(team, sums->chunk);
}
