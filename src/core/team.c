/*-------------------------------------------------------------------------
 * team.c
 *	  The barrier and the few collective operations of a team.
 *
 * The barrier spins briefly, then yields through host->pause(): boosting
 * crosses two barriers a split, a few microseconds apart, and a wait in the
 * kernel would cost more than the work between them.
 *-------------------------------------------------------------------------
 */
#include "core/team.h"

#include <stdatomic.h>
#include <string.h>

#define SPIN_TURNS 200

static inline void
cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#endif
}

static void *
alone_alloc(WfTeam *team, size_t size)
{
	void	   *p = wf_alloc_aligned(team->host, size, 1);

	memset(p, 0, size);
	return p;
}

static void
alone_free(WfTeam *team, void *p)
{
	wf_release_aligned(team->host, p);
}

void
wf_team_alone(WfTeam *team, WfTeamShared *shared, WfHost *host)
{
	memset(shared, 0, sizeof(*shared));
	team->host = host;
	team->rank = 0;
	team->size = 1;
	team->shared = shared;
	team->alloc_shared = alone_alloc;
	team->free_shared = alone_free;
}

void *
wf_team_alloc(WfTeam *team, size_t n, size_t size)
{
	return team->alloc_shared(team, wf_size_mul(team->host, n, size));
}

void
wf_team_free(WfTeam *team, void *p)
{
	team->free_shared(team, p);
}

void
wf_team_barrier(WfTeam *team)
{
	WfTeamShared *s = team->shared;
	uint32_t	generation;

	if (team->size == 1)
		return;
	generation = atomic_load_explicit(&s->generation, memory_order_acquire);
	if (atomic_fetch_add_explicit(&s->arrived, 1, memory_order_acq_rel) + 1 == (uint32_t) team->size)
	{
		atomic_store_explicit(&s->arrived, 0, memory_order_relaxed);
		atomic_store_explicit(&s->generation, generation + 1, memory_order_release);
		return;
	}
	for (unsigned turn = 0;
		 atomic_load_explicit(&s->generation, memory_order_acquire) == generation; turn++)
	{
		if (turn < SPIN_TURNS)
			cpu_relax();
		else
		{
			team->host->check(team->host);
			team->host->pause(team->host, turn - SPIN_TURNS);
		}
	}
}

void
wf_team_restart(WfTeam *team)
{
	wf_team_barrier(team);
	if (team->rank == 0)
		atomic_store_explicit(&team->shared->counter, 0, memory_order_relaxed);
	wf_team_barrier(team);
}

uint64_t
wf_team_next(WfTeam *team)
{
	return atomic_fetch_add_explicit(&team->shared->counter, 1, memory_order_relaxed);
}

void
wf_team_part(const WfTeam *team, size_t n, size_t *begin, size_t *end)
{
	size_t		size = (size_t) team->size;
	size_t		rank = (size_t) team->rank;
	size_t		share = n / size;
	size_t		rest = n % size;

	*begin = rank * share + (rank < rest ? rank : rest);
	*end = *begin + share + (rank < rest ? 1 : 0);
}

void
wf_team_broadcast(WfTeam *team, void *data, size_t size)
{
	void	   *shared;

	if (team->size == 1)
		return;
	shared = team->alloc_shared(team, size);
	if (team->rank == 0)
		memcpy(shared, data, size);
	wf_team_barrier(team);
	if (team->rank != 0)
		memcpy(data, shared, size);
	team->free_shared(team, shared);
}
