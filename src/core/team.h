/*-------------------------------------------------------------------------
 * team.h
 *	  Parallel work, SPMD: every member runs the same function.
 *
 * A member knows its rank and the size of the team, shares memory that all
 * ask for together, and meets the others at barriers.  A team of one costs
 * nothing.  The server's members are PostgreSQL parallel workers, the unit
 * tests' are threads; the barrier lives here, in shared memory, so that both
 * behave alike.  A member that fails never returns from its callbacks; the
 * others notice in host->check() while they wait.
 *-------------------------------------------------------------------------
 */
#ifndef WF_TEAM_H
#define WF_TEAM_H

#include "core/host.h"

#define WF_TEAM_MAX 64

/* The part of a team that lives in memory all members see; zeroed at start. */
typedef struct WfTeamShared
{
	_Alignas(64) _Atomic uint32_t arrived;
	_Alignas(64) _Atomic uint32_t generation;
	_Alignas(64) _Atomic uint64_t counter;	/* wf_team_next */
} WfTeamShared;

typedef struct WfTeam WfTeam;

struct WfTeam
{
	WfHost	   *host;
	int			rank;			/* 0 is the leader */
	int			size;
	WfTeamShared *shared;
	/*
	 * Collective: every member calls it in the same order with the same size
	 * and gets the same zeroed, 64-byte aligned memory (maybe at another
	 * address).  Includes a barrier.
	 */
	void	   *(*alloc_shared) (WfTeam *team, size_t size);
	/* Collective; includes a barrier.  p may be NULL. */
	void		(*free_shared) (WfTeam *team, void *p);
};

/* A team of one on this host: shared memory is ordinary memory. */
void		wf_team_alone(WfTeam *team, WfTeamShared *shared, WfHost *host);
/* Collective allocation of n * size zeroed bytes. */
void	   *wf_team_alloc(WfTeam *team, size_t n, size_t size);
void		wf_team_free(WfTeam *team, void *p);
/* Wait until every member is here. */
void		wf_team_barrier(WfTeam *team);
/* Collective: set the shared counter to zero (two barriers). */
void		wf_team_restart(WfTeam *team);
/* The next number of the shared counter: 0, 1, 2, … each given to one member. */
uint64_t	wf_team_next(WfTeam *team);
/* This member's part [*begin, *end) of n things. */
void		wf_team_part(const WfTeam *team, size_t n, size_t *begin, size_t *end);
/* Collective: rank 0's size bytes reach every member's data. */
void		wf_team_broadcast(WfTeam *team, void *data, size_t size);

#endif							/* WF_TEAM_H */
