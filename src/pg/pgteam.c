/*-------------------------------------------------------------------------
 * pgteam.c
 *	  PostgreSQL parallel workers as the core's team.
 *
 * The leader makes a DSA area, launches workers, counts who is really there
 * (a worker with another build of the library leaves at once), and only then
 * does everybody know the team's size and call the algorithm's fit().  Ranks are handed
 * out by arrival.  Collective allocations go through the area: rank 0
 * allocates, publishes the pointer, and a barrier on each side keeps members
 * in step.
 *
 * Errors: a worker's ERROR reaches the leader through its message queue at
 * the leader's next CHECK_FOR_INTERRUPTS, which every wait does; the leader's
 * ERROR ends the parallel context, which terminates the workers, and they
 * notice in their own waits.  The area goes with the resource owners.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "port/atomics.h"
#include "storage/dsm.h"
#include "storage/lwlock.h"
#include "utils/dsa.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/attempt.h"
#include "pg/pghost.h"
#include "pg/pgteam.h"
#include "pg/settings.h"

#define KEY_STAMP UINT64CONST(1)
#define KEY_TEAM UINT64CONST(2)

/* Less work than this (rows × features × rounds) starts no worker. */
#define MIN_PARALLEL_WORK 2e7

/* What must agree before anything else is read: the Makefile's checksum of all sources. */
#ifndef WFML_BUILD
#define WFML_BUILD "unknown"
#endif

typedef struct TeamStamp
{
	char		build[64];
	pg_atomic_uint32 refused;	/* workers that left */
} TeamStamp;

typedef struct TeamControl
{
	WfTeamShared shared;		/* the core's barrier and counter */
	pg_atomic_uint32 arrived;	/* workers ready */
	pg_atomic_uint32 size;		/* 0 until the leader has counted */
	dsa_handle	area;
	dsa_pointer exchange;		/* the allocation being handed round */
	int			training_memory;	/* kB */
	bool		no_snapshot;	/* the leader holds none while it trains */
	WfSpec		spec;
} TeamControl;

/* An allocation the leader can free again. */
typedef struct TeamBlock
{
	struct TeamBlock *next;
	void	   *p;
	dsa_pointer pointer;
} TeamBlock;

typedef struct PgTeam
{
	WfTeam		team;			/* first: a WfTeam * is a PgTeam * */
	TeamControl *control;
	dsa_area   *area;
	TeamBlock  *blocks;			/* leader */
} PgTeam;

PGDLLEXPORT void wfml_parallel_main(dsm_segment *seg, shm_toc *toc);

static inline void *
align64(void *p)
{
	return (void *) (((uintptr_t) p + 63) & ~(uintptr_t) 63);
}

static void *
team_alloc_shared(WfTeam *team, size_t size)
{
	PgTeam	   *t = (PgTeam *) team;
	dsa_pointer pointer;
	void	   *p;

	if (team->rank == 0)
	{
		size_t		whole = wf_size_add(team->host, size, 64);

		t->control->exchange = dsa_allocate_extended(t->area, whole, DSA_ALLOC_HUGE | DSA_ALLOC_ZERO);
	}
	wf_team_barrier(team);
	pointer = t->control->exchange;
	p = align64(dsa_get_address(t->area, pointer));
	if (team->rank == 0)
	{
		TeamBlock  *b = wf_alloc(team->host, 1, sizeof(TeamBlock));

		b->next = t->blocks;
		b->p = p;
		b->pointer = pointer;
		t->blocks = b;
	}
	wf_team_barrier(team);
	return p;
}

static void
team_free_shared(WfTeam *team, void *p)
{
	PgTeam	   *t = (PgTeam *) team;

	wf_team_barrier(team);
	if (team->rank != 0 || p == NULL)
		return;
	for (TeamBlock **at = &t->blocks; *at; at = &(*at)->next)
		if ((*at)->p == p)
		{
			TeamBlock  *b = *at;

			*at = b->next;
			dsa_free(t->area, b->pointer);
			wf_release(team->host, b);
			return;
		}
}

static void
team_init(PgTeam *t, WfHost *host, TeamControl *control, int rank, int size, dsa_area *area)
{
	memset(t, 0, sizeof(*t));
	t->team.host = host;
	t->team.rank = rank;
	t->team.size = size;
	t->team.shared = &control->shared;
	t->team.alloc_shared = team_alloc_shared;
	t->team.free_shared = team_free_shared;
	t->control = control;
	t->area = area;
}

/* ---- a worker ---- */

/*
 * A worker starts with the leader's snapshot and is to end with it, but an
 * hour of training must not hold vacuum back: it is put away as bytes.
 */
static char *
put_snapshot_away(void)
{
	Snapshot	snapshot = GetActiveSnapshot();
	char	   *bytes = palloc(EstimateSnapshotSpace(snapshot));

	SerializeSnapshot(snapshot, bytes);
	PopActiveSnapshot();
	return bytes;
}

static void
take_snapshot_back(char *bytes)
{
	PushActiveSnapshot(RestoreSnapshot(bytes));
	pfree(bytes);
}

void
wfml_parallel_main(dsm_segment *seg, shm_toc *toc)
{
	TeamStamp  *stamp = shm_toc_lookup(toc, KEY_STAMP, false);
	TeamControl *control;
	MemoryContext context;
	WfHost	   *host;
	PgTeam		team;
	uint32		size;
	int			rank;
	char	   *snapshot = NULL;

	if (strncmp(stamp->build, WFML_BUILD, sizeof(stamp->build)) != 0)
	{
		pg_atomic_fetch_add_u32(&stamp->refused, 1);
		return;
	}
	control = shm_toc_lookup(toc, KEY_TEAM, false);
	rank = (int) pg_atomic_fetch_add_u32(&control->arrived, 1) + 1;
	while ((size = pg_atomic_read_u32(&control->size)) == 0)
	{
		CHECK_FOR_INTERRUPTS();
		pg_usleep(50L);
	}
	pg_read_barrier();

	context = AllocSetContextCreate(CurrentMemoryContext, "wfml training", ALLOCSET_DEFAULT_SIZES);
	host = wfml_host_create(context);
	wfml_host_limit(host, (size_t) control->training_memory * 1024, "wfml.max_training_memory");
	team_init(&team, host, control, rank, (int) size, dsa_attach(control->area));
	if (control->no_snapshot)
		snapshot = put_snapshot_away();
	wf_algorithm_get(control->spec.algorithm)->fit(&team.team, &control->spec, NULL, NULL);
	if (snapshot)
		take_snapshot_back(snapshot);
	dsa_detach(team.area);
	MemoryContextDelete(context);
}

/* ---- the leader ---- */

static void
fit_alone(WfHost *host, const WfSpec *spec, const void *input, WfFitResult *result)
{
	WfTeam		team;
	WfTeamShared shared;

	wf_team_alone(&team, &shared, host);
	wf_algorithm_get(spec->algorithm)->fit(&team, spec, input, result);
}

static void
try_segment(void *bytes)
{
	dsm_detach(dsm_create(*(size_t *) bytes, 0));
}

/*
 * Is there that much shared memory?  /dev/shm is 64 MB in many containers; the
 * ERROR of a failed dsm_create is caught here, before parallel mode forbids
 * subtransactions.
 */
static bool
shared_memory_suffices(size_t bytes)
{
	ErrorData  *error = wfml_catch(try_segment, &bytes);

	if (error && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	return error == NULL;
}

/* Wait until every launched worker has arrived or left; returns how many are there. */
static int
count_workers(ParallelContext *pcxt, TeamStamp *stamp, TeamControl *control)
{
	uint32		launched = (uint32) pcxt->nworkers_launched;
	uint32		refused;

	WaitForParallelWorkersToAttach(pcxt);
	for (;;)
	{
		uint32		arrived = pg_atomic_read_u32(&control->arrived);

		refused = pg_atomic_read_u32(&stamp->refused);
		if (arrived + refused >= launched)
			break;
		CHECK_FOR_INTERRUPTS();
		pg_usleep(50L);
	}
	if (refused > 0)
		ereport(WARNING,
				(errmsg("this session uses another build of the wfml library than new sessions do"),
				 errhint("Reconnect to use the new one; until then training is not parallel.")));
	return (int) pg_atomic_read_u32(&control->arrived);
}

static void
fit_together(int workers, WfHost *host, const WfSpec *spec, const void *input, WfFitResult *result)
{
	ParallelContext *pcxt;
	TeamStamp  *stamp;
	TeamControl *control;
	dsa_area   *area;
	PgTeam		team;
	bool		no_snapshot = !ActiveSnapshotSet();

	if (no_snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	area = dsa_create(LWTRANCHE_PARALLEL_QUERY_DSA);
	EnterParallelMode();
	/* The file that the leader runs, whatever dynamic_library_path finds. */
	pcxt = CreateParallelContext("$libdir/wfml", "wfml_parallel_main", workers);
	shm_toc_estimate_chunk(&pcxt->estimator, sizeof(TeamStamp));
	shm_toc_estimate_chunk(&pcxt->estimator, sizeof(TeamControl) + 64);
	shm_toc_estimate_keys(&pcxt->estimator, 2);
	InitializeParallelDSM(pcxt);

	stamp = shm_toc_allocate(pcxt->toc, sizeof(TeamStamp));
	memset(stamp, 0, sizeof(*stamp));
	strlcpy(stamp->build, WFML_BUILD, sizeof(stamp->build));
	pg_atomic_init_u32(&stamp->refused, 0);
	shm_toc_insert(pcxt->toc, KEY_STAMP, stamp);
	control = align64(shm_toc_allocate(pcxt->toc, sizeof(TeamControl) + 64));
	memset(control, 0, sizeof(*control));
	pg_atomic_init_u32(&control->arrived, 0);
	pg_atomic_init_u32(&control->size, 0);
	control->area = dsa_get_handle(area);
	control->training_memory = wfml_max_training_memory;
	control->spec = *spec;
	control->no_snapshot = no_snapshot;
	shm_toc_insert(pcxt->toc, KEY_TEAM, control);

	LaunchParallelWorkers(pcxt);
	team_init(&team, host, control, 0, 1 + count_workers(pcxt, stamp, control), area);
	pg_write_barrier();
	pg_atomic_write_u32(&control->size, (uint32) team.team.size);
	/* every worker has taken its copy */
	if (no_snapshot)
		PopActiveSnapshot();
	wf_algorithm_get(spec->algorithm)->fit(&team.team, spec, input, result);

	WaitForParallelWorkersToFinish(pcxt);
	DestroyParallelContext(pcxt);
	ExitParallelMode();
	dsa_detach(area);
}

void
wfml_team_fit(WfHost *host, const WfSpec *spec, const void *input,
			  double work, size_t shared_bytes, WfFitResult *result)
{
	int			workers = Min(max_parallel_maintenance_workers, WF_TEAM_MAX - 1);

	if (workers > 0 && work >= MIN_PARALLEL_WORK && !IsInParallelMode())
	{
		if (shared_memory_suffices(shared_bytes))
		{
			fit_together(workers, host, spec, input, result);
			return;
		}
		ereport(WARNING,
				(errmsg("not enough shared memory for parallel training, training without workers"),
				 errdetail("About %zu MB are needed.", shared_bytes / (1024 * 1024) + 1),
				 errhint("Enlarge /dev/shm, or set max_parallel_maintenance_workers to 0.")));
	}
	fit_alone(host, spec, input, result);
}
