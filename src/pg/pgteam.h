/*-------------------------------------------------------------------------
 * pgteam.h
 *	  PostgreSQL parallel workers as the core's team.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_PGTEAM_H
#define WFML_PGTEAM_H

#include "postgres.h"

#include "core/fit.h"

/*
 * Run the algorithm's fit() with up to max_parallel_maintenance_workers workers beside the
 * leader; with none when the work is small, when none can be had, or when
 * shared memory is short (WARNING).  work: rows × features × trees or so;
 * shared_bytes: estimate of the shared memory needed.  Without an active
 * snapshot none is held while the team works, neither here nor in workers.
 */
extern void wfml_team_fit(WfHost *host, const WfSpec *spec, const void *input,
						  double work, size_t shared_bytes, WfFitResult *result);

#endif							/* WFML_PGTEAM_H */
