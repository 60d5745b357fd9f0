/*-------------------------------------------------------------------------
 * ratings_split.c
 *	  Moments of ratings; ratings kept back by hash.
 *-------------------------------------------------------------------------
 */
#include "core/ratings_split.h"

#include <math.h>

#include "core/rng.h"
#include "core/sums.h"

#define HELD_SHARE 0.1
#define CHECK_ENTRIES 65536
#define KEY_USER UINT64_C(0x7261746575736572)
#define KEY_PAIR UINT64_C(0x7261746570616972)

typedef struct MomentTask
{
	const WfMatrix *m;
	WfHost	   *host;
	double		mean;
} MomentTask;

/* sums: rating, squared distance to the mean, largest rating, largest negated rating */
static void
add_moments(void *arg, uint32_t begin, uint32_t end, double *sums)
{
	const MomentTask *task = arg;
	const WfMatrix *m = task->m;

	for (uint64_t e = m->start[begin]; e < m->start[end]; e++)
	{
		double		v = (double) m->value[e];

		if (e % CHECK_ENTRIES == 0)
			task->host->check(task->host);
		sums[0] += v;
		sums[1] += (v - task->mean) * (v - task->mean);
		sums[2] = v > sums[2] ? v : sums[2];
		sums[3] = -v > sums[3] ? -v : sums[3];
	}
}

void
wf_ratings_moments(WfTeam *team, const WfMatrix *m, WfRatingsMoments *moments)
{
	MomentTask	task = {m, team->host, 0};
	WfSums		sums;

	wf_sums_create(team, &sums, 4, 2);
	wf_sums_run(team, &sums, m->n_rows, add_moments, &task);
	task.mean = sums.total[0] / (double) m->n;
	moments->low = -sums.total[3];
	moments->high = sums.total[2];
	wf_sums_run(team, &sums, m->n_rows, add_moments, &task);
	moments->mean = task.mean;
	moments->deviation = sqrt(sums.total[1] / (double) m->n);
	wf_sums_free(team, &sums);
	if (!(moments->high > moments->low && moments->deviation > 0))
		moments->deviation = 1;
}

static bool
takes_user(uint64_t seed, uint32_t user, double share)
{
	return share >= 1 || wf_rng_unit(wf_rng(seed ^ KEY_USER, user)) < share;
}

static bool
keeps_back(uint64_t seed, uint32_t user, uint32_t item)
{
	return wf_rng_unit(wf_rng(wf_rng(seed ^ KEY_PAIR, user), item)) < HELD_SHARE;
}

static void
append(WfMatrix *m, uint64_t *at, uint32_t col, float value)
{
	m->col[*at] = col;
	m->value[(*at)++] = value;
}

/* Count what goes where, or with train and held given put it there. */
static void
divide(WfHost *host, const WfMatrix *m, uint64_t seed, double share, WfMatrix *train, WfMatrix *held,
	   uint64_t n[2])
{
	n[0] = n[1] = 0;
	for (uint32_t r = 0; r < m->n_rows; r++)
	{
		bool		taken = takes_user(seed, r, share);

		if (r % CHECK_ENTRIES == 0)
			host->check(host);
		for (uint64_t e = m->start[r]; taken && e < m->start[r + 1]; e++)
		{
			int			side = keeps_back(seed, r, m->col[e]);

			if (e % CHECK_ENTRIES == 0)
				host->check(host);
			if (train)
				append(side ? held : train, &n[side], m->col[e], m->value[e]);
			else
				n[side]++;
		}
		if (train)
		{
			train->start[r + 1] = n[0];
			held->start[r + 1] = n[1];
		}
	}
}

void
wf_ratings_split(WfTeam *team, const WfMatrix *m, uint64_t seed, uint64_t max_entries,
				 WfMatrix *train, WfMatrix *held)
{
	double		share = (double) max_entries / (double) (m->n ? m->n : 1);
	uint64_t	n[2];

	if (team->rank == 0)
		divide(team->host, m, seed, share, NULL, NULL, n);
	wf_team_broadcast(team, n, sizeof(n));
	wf_matrix_create(team, train, m->n_rows, m->n_cols, n[0]);
	wf_matrix_create(team, held, m->n_rows, m->n_cols, n[1]);
	if (team->rank == 0)
		divide(team->host, m, seed, share, train, held, n);
	wf_team_barrier(team);
}
