/*-------------------------------------------------------------------------
 * progress.c
 *	  Progress slots in shared memory.
 *
 * The segment is small enough for the slack that the server leaves for
 * add-ins, so wfml need not be preloaded.  Its name carries a layout number:
 * sessions with another layout of the library keep to a segment of their own.
 * A slot belongs to one backend; readers take the lock, and the owner writes
 * its counters without it (a torn pair of numbers harms nobody).
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "pg/attempt.h"
#include "pg/progress.h"

#define PROGRESS_SLOTS 24
#define PROGRESS_SEGMENT "wfml training progress 1"

typedef struct ProgressSlot
{
	int			pid;			/* 0: free */
	Oid			role;
	Oid			database;
	int			phase;
	pg_atomic_uint64 done;
	pg_atomic_uint64 total;
	TimestampTz started_at;
	char		model[NAMEDATALEN];
	char		algorithm[32];
} ProgressSlot;

static ProgressSlot *slots = NULL;	/* PROGRESS_SLOTS of them */
static ProgressSlot *mine = NULL;

static const char *const phase_name[] = {"reading rows", "preparing", "validating", "training", "writing"};

/* The segment, made by whoever comes first; an ERROR when there is no room for it. */
static void
open_segment(void *unused)
{
	bool		found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	slots = ShmemInitStruct(PROGRESS_SEGMENT, PROGRESS_SLOTS * sizeof(ProgressSlot), &found);
	if (!found)
	{
		memset(slots, 0, PROGRESS_SLOTS * sizeof(ProgressSlot));
		for (int i = 0; i < PROGRESS_SLOTS; i++)
		{
			pg_atomic_init_u64(&slots[i].done, 0);
			pg_atomic_init_u64(&slots[i].total, 0);
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

/*
 * Find the slots once a session.  Where other add-ins have used up the slack
 * in shared memory, training goes on unseen.
 */
static bool
attach_slots(void)
{
	static bool tried = false;

	if (!tried)
	{
		tried = true;
		(void) wfml_catch(open_segment, NULL);
	}
	return slots != NULL;
}

static void
release_slot(void *arg)
{
	ProgressSlot *slot = arg;

	if (slot == mine)
		mine = NULL;
	/* One word, written by its owner only: no lock needed (nor wanted while an error is handled). */
	if (slot->pid == MyProcPid)
		slot->pid = 0;
}

/* A backend that was killed while training cannot run its callbacks. */
static void
release_at_exit(int code, Datum arg)
{
	if (mine)
		release_slot(mine);
}

void
wfml_progress_begin(const char *model, const char *algorithm, MemoryContext context)
{
	static bool exit_registered = false;
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(*callback));
	ProgressSlot *slot = NULL;

	if (!attach_slots())
		return;
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (int i = 0; i < PROGRESS_SLOTS && slot == NULL; i++)
		if (slots[i].pid == 0)
			slot = &slots[i];
	if (slot)
	{
		slot->role = GetUserId();
		slot->database = MyDatabaseId;
		slot->phase = WF_PHASE_READ;
		pg_atomic_write_u64(&slot->done, 0);
		pg_atomic_write_u64(&slot->total, 0);
		slot->started_at = GetCurrentTimestamp();
		strlcpy(slot->model, model, sizeof(slot->model));
		strlcpy(slot->algorithm, algorithm, sizeof(slot->algorithm));
		slot->pid = MyProcPid;
	}
	LWLockRelease(AddinShmemInitLock);
	if (slot == NULL)
		return;
	mine = slot;
	callback->func = release_slot;
	callback->arg = slot;
	MemoryContextRegisterResetCallback(context, callback);
	if (!exit_registered)
	{
		before_shmem_exit(release_at_exit, (Datum) 0);
		exit_registered = true;
	}
}

void
wfml_progress_set(WfPhase phase, uint64 done, uint64 total)
{
	if (mine == NULL)
		return;
	mine->phase = phase;
	pg_atomic_write_u64(&mine->done, done);
	pg_atomic_write_u64(&mine->total, total);
}

PG_FUNCTION_INFO_V1(wfml_training_progress);

/* The rows of wfml.training_progress that the caller may see. */
Datum
wfml_training_progress(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ProgressSlot copy[PROGRESS_SLOTS];
	bool		see_all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);

	InitMaterializedSRF(fcinfo, 0);
	if (!attach_slots())
		return (Datum) 0;
	LWLockAcquire(AddinShmemInitLock, LW_SHARED);
	memcpy(copy, slots, sizeof(copy));
	LWLockRelease(AddinShmemInitLock);
	for (int i = 0; i < PROGRESS_SLOTS; i++)
	{
		ProgressSlot *s = &copy[i];
		Datum		values[8];
		bool		nulls[8] = {false};
		uint64		done = pg_atomic_read_u64(&s->done);
		uint64		total = pg_atomic_read_u64(&s->total);

		if (s->pid == 0 || s->database != MyDatabaseId ||
			!(see_all || has_privs_of_role(GetUserId(), s->role)))
			continue;
		values[0] = Int32GetDatum(s->pid);
		values[1] = ObjectIdGetDatum(s->role);
		values[2] = CStringGetTextDatum(s->model);
		values[3] = CStringGetTextDatum(s->algorithm);
		values[4] = CStringGetTextDatum(phase_name[s->phase]);
		values[5] = Int64GetDatum((int64) done);
		values[6] = Int64GetDatum((int64) total);
		nulls[6] = total == 0;
		values[7] = TimestampTzGetDatum(s->started_at);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
