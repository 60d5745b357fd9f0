/*-------------------------------------------------------------------------
 * shared.c
 *	  Bytes of large models, kept once for all sessions of the server.
 *
 * The table is small enough for the slack that the server leaves for add-ins.
 * Its name carries a layout number: sessions with another layout of the
 * library keep to a table of their own.  Bytes are the same for every build;
 * only whether they were verified counts for the build that did it.
 *
 * A segment is pinned while it is in the table and unpinned when it leaves;
 * the server frees it when the last session has detached.  The table counts
 * the sessions itself, because only what nobody holds is worth evicting.  A
 * server that crashed starts with an empty table and removes the segments.
 *
 * There is no subtransaction around what may fail, since parallel workers
 * cannot have one: creating and attaching hold nothing but a segment, which a
 * resource owner of our own gives back, and, on the first call, a lock.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#ifdef __linux__
#include <sys/statvfs.h>
#endif

#include "commands/dbcommands.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "storage/condition_variable.h"
#include "storage/dsm.h"
#include "storage/dsm_impl.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/wait_event.h"

#include "pg/registry.h"
#include "pg/settings.h"
#include "pg/shared.h"

#define SHARED_SEGMENT "wfml shared models 1"
#define N_SLOTS 24
/* How long to wait for another session that loads the same model. */
#define WAIT_MS 10000

/* What must agree for another's verification to count: the Makefile's checksum of all sources. */
#ifndef WFML_BUILD
#define WFML_BUILD "unknown"
#endif

typedef enum State
{
	FREE,
	LOADING,					/* by the one session that holds it */
	READY
} State;

typedef struct Slot
{
	uint8		sha256[PG_SHA256_DIGEST_LENGTH];
	int64		id;
	uint64		build;			/* of the session that verified it */
	uint64		length;
	TimestampTz used_at;
	Oid			database;
	dsm_handle	handle;
	uint32		sessions;		/* that hold it */
	uint8		state;
	bool		dropped;		/* goes with its last session */
} Slot;

typedef struct Table
{
	int			tranche;
	LWLock		lock;
	ConditionVariable loaded;
	Slot		slots[N_SLOTS];
} Table;

StaticAssertDecl(sizeof(Table) <= 2048, "the table must fit into the slack of shared memory");

/* One model that this session holds. */
typedef struct Held
{
	WfmlShared	shared;			/* first: what callers get */
	Slot	   *slot;			/* NULL: given back */
	dsm_segment *segment;
	dlist_node	node;
	MemoryContextCallback callback;
} Held;

static Table *table = NULL;
static dlist_head held = DLIST_STATIC_INIT(held);

/* Segments that left the table while this session had it locked. */
static dsm_handle leaving[N_SLOTS];
static int	n_leaving = 0;

/* ---- the table ---- */

static uint64
this_build(void)
{
	uint64		build = UINT64CONST(14695981039346656037);

	for (const char *c = WFML_BUILD; *c; c++)
		build = (build ^ (unsigned char) *c) * UINT64CONST(1099511628211);
	return build;
}

static Table *
open_table(void)
{
	bool		found;
	Table	   *t = ShmemInitStruct(SHARED_SEGMENT, sizeof(Table), &found);

	if (!found)
	{
		memset(t, 0, sizeof(Table));
		t->tranche = LWLockNewTrancheId();
		LWLockInitialize(&t->lock, t->tranche);
		ConditionVariableInit(&t->loaded);
	}
	LWLockRegisterTranche(t->tranche, "wfml shared models");
	return t;
}

/*
 * Find the table once a session.  Failing leaves only the lock behind, and the
 * error has forgotten that interrupts are held for it.
 */
static bool
attach_table(void)
{
	static bool tried = false;
	MemoryContext context = CurrentMemoryContext;

	if (tried)
		return table != NULL;
	tried = true;
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	PG_TRY();
	{
		table = open_table();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		HOLD_INTERRUPTS();
	}
	PG_END_TRY();
	LWLockRelease(AddinShmemInitLock);
	return table != NULL;
}

static Slot *
find_slot(Oid database, int64 id, const uint8 *sha256)
{
	for (int i = 0; i < N_SLOTS; i++)
	{
		Slot	   *s = &table->slots[i];

		if (s->state != FREE && s->database == database && s->id == id && memcmp(s->sha256, sha256, sizeof(s->sha256)) == 0)
			return s;
	}
	return NULL;
}

static void
lock_table(void)
{
	LWLockAcquire(&table->lock, LW_EXCLUSIVE);
	n_leaving = 0;
}

/*
 * Segments go when no session is attached any more: not under the lock, since
 * the server may give back hundreds of megabytes then.  Nobody else can find them.
 */
static void
unlock_table(void)
{
	LWLockRelease(&table->lock);
	while (n_leaving > 0)
		dsm_unpin_segment(leaving[--n_leaving]);
}

static void
free_slot(Slot *slot)
{
	if (slot->state == READY)
		leaving[n_leaving++] = slot->handle;
	slot->state = FREE;
}

/* Beside what sessions hold. */
static bool
could_fit(size_t length, uint64 limit)
{
	uint64		used = length;
	bool		place = false;

	for (int i = 0; i < N_SLOTS; i++)
	{
		const Slot *s = &table->slots[i];

		if (s->state != FREE && s->sessions > 0)
			used += s->length;
		else
			place = true;
	}
	return place && used <= limit;
}

/* A free slot when the bytes fit beside the others; what nobody holds goes, least recently used first. */
static Slot *
make_room(size_t length)
{
	uint64		limit = (uint64) wfml_shared_cache_memory * 1024;

	/* Nothing goes in vain. */
	if (!could_fit(length, limit))
		return NULL;
	for (;;)
	{
		uint64		used = 0;
		Slot	   *unused = NULL;
		Slot	   *oldest = NULL;

		for (int i = 0; i < N_SLOTS; i++)
		{
			Slot	   *s = &table->slots[i];

			if (s->state == FREE)
			{
				unused = s;
				continue;
			}
			used += s->length;
			if (s->state == READY && s->sessions == 0 && (oldest == NULL || s->used_at < oldest->used_at))
				oldest = s;
		}
		if (unused && used + length <= limit)
			return unused;
		if (oldest == NULL)
			return NULL;
		free_slot(oldest);
	}
}

/* ---- holding ---- */

/* Also when the session ends; twice does no harm. */
static void
give_back(Held *h)
{
	Slot	   *slot = h->slot;

	if (slot == NULL)
		return;
	h->slot = NULL;
	dlist_delete(&h->node);
	lock_table();
	slot->sessions--;
	if (slot->state == LOADING || (slot->dropped && slot->sessions == 0))
		free_slot(slot);
	unlock_table();
	ConditionVariableBroadcast(&table->loaded);
}

static void
holder_gone(void *arg)
{
	Held	   *h = arg;

	give_back(h);
	if (h->segment)
		dsm_detach(h->segment);
	h->segment = NULL;
}

/* Segments are detached by the server afterwards. */
static void
session_ends(int code, Datum arg)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &held)
		give_back(dlist_container(Held, node, iter.cur));
}

/* Failing is the end of the session, so not under the lock. */
static void
give_back_at_exit(void)
{
	static bool registered = false;

	if (!registered)
		before_shmem_exit(session_ends, (Datum) 0);
	registered = true;
}

static void
hold(Held *h, Slot *slot)
{
	h->slot = slot;
	dlist_push_head(&held, &h->node);
}

static bool
is_held(const Slot *slot)
{
	dlist_iter	iter;

	dlist_foreach(iter, &held)
		if (dlist_container(Held, node, iter.cur)->slot == slot)
			return true;
	return false;
}

/* ---- segments ---- */

/*
 * Is there plenty of shared memory?  Taking all of it, even for the moment
 * until that fails, would make parallel queries fail; /dev/shm has 64 MB in
 * many containers.
 */
static bool
shared_memory_suffices(size_t size)
{
#ifdef __linux__
	struct statvfs fs;

	if (dynamic_shared_memory_type == DSM_IMPL_POSIX && statvfs("/dev/shm", &fs) == 0)
		return (uint64) fs.f_bavail * fs.f_frsize >= 2 * (uint64) size;
#endif
	return true;
}

/* Room for the bytes, on a cache line, and one line before them (registry.h). */
static inline size_t
segment_size(size_t length)
{
	return length + 2 * PG_CACHE_LINE_SIZE;
}

static inline void *
segment_bytes(dsm_segment *segment)
{
	return (void *) TYPEALIGN(PG_CACHE_LINE_SIZE, (uintptr_t) dsm_segment_address(segment) + VARHDRSZ);
}

/*
 * Create a segment of that size, or attach to one (size 0): mapped for the
 * session.  NULL, and a message for those who look, when it cannot be had.
 */
static dsm_segment *
map_segment(size_t size, dsm_handle handle)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ResourceOwner own = ResourceOwnerCreate(owner, "wfml shared model");
	dsm_segment *volatile segment = NULL;

	CurrentResourceOwner = own;
	PG_TRY();
	{
		segment = size > 0 ? dsm_create(size, DSM_CREATE_NULL_IF_MAXSEGMENTS) : dsm_attach(handle);
		if (segment)
			dsm_pin_mapping(segment);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		ereport(DEBUG1, (errmsg_internal("model is not shared: %s", error->message)));
		FreeErrorData(error);
		segment = NULL;
	}
	PG_END_TRY();
	CurrentResourceOwner = owner;
	ResourceOwnerRelease(own, RESOURCE_RELEASE_BEFORE_LOCKS, false, false);
	ResourceOwnerRelease(own, RESOURCE_RELEASE_LOCKS, false, false);
	ResourceOwnerRelease(own, RESOURCE_RELEASE_AFTER_LOCKS, false, false);
	ResourceOwnerDelete(own);
	return segment;
}

/* ---- getting the bytes ---- */

/*
 * The version's slot, held by this session: READY, or LOADING by us.  NULL:
 * there is no room, another session takes too long, or this session holds it
 * already: a segment can be mapped once only, and a failed load may be waiting
 * for its memory context to go.
 */
static Slot *
claim(Held *h, int64 id, const uint8 *sha256, size_t length)
{
	TimestampTz started = 0;
	Slot	   *slot;

	for (;;)
	{
		lock_table();
		slot = find_slot(MyDatabaseId, id, sha256);
		if (slot && is_held(slot))
		{
			unlock_table();
			return NULL;
		}
		if (slot == NULL || slot->state == READY)
			break;
		unlock_table();
		if (started == 0)
		{
			started = GetCurrentTimestamp();
			ConditionVariablePrepareToSleep(&table->loaded);
			continue;
		}
		if (TimestampDifferenceExceeds(started, GetCurrentTimestamp(), WAIT_MS))
		{
			ConditionVariableCancelSleep();
			return NULL;
		}
		ConditionVariableTimedSleep(&table->loaded, WAIT_MS / 10, PG_WAIT_EXTENSION);
	}
	if (slot == NULL && (slot = make_room(length)) != NULL)
	{
		memset(slot, 0, sizeof(*slot));
		slot->state = LOADING;
		slot->database = MyDatabaseId;
		slot->id = id;
		slot->length = length;
		memcpy(slot->sha256, sha256, sizeof(slot->sha256));
	}
	if (slot)
	{
		slot->sessions++;
		slot->dropped = false;	/* the caller sees it */
		slot->used_at = GetCurrentTimestamp();
		hold(h, slot);
	}
	unlock_table();
	if (started != 0)
		ConditionVariableCancelSleep();
	return slot;
}

WfmlShared *
wfml_shared_get(int64 id, const uint8 sha256[PG_SHA256_DIGEST_LENGTH], size_t length, MemoryContext holder)
{
	Held	   *h;
	bool		first;

	if (length < WFML_SHARED_MIN || length / 1024 >= (size_t) wfml_shared_cache_memory || !attach_table())
		return NULL;
	h = MemoryContextAllocZero(holder, sizeof(Held));
	h->callback.func = holder_gone;
	h->callback.arg = h;
	MemoryContextRegisterResetCallback(holder, &h->callback);
	give_back_at_exit();
	if (claim(h, id, sha256, length) == NULL)
		return NULL;
	first = h->slot->state == LOADING;
	if (!first)
		h->segment = map_segment(0, h->slot->handle);
	else if (shared_memory_suffices(length))
		h->segment = map_segment(segment_size(length), 0);
	if (h->segment == NULL)
	{
		give_back(h);
		return NULL;
	}
	h->shared.bytes = segment_bytes(h->segment);
	h->shared.length = length;
	h->shared.verified = !first && h->slot->build == this_build();
	if (first)
		wfml_artifact_read(id, h->shared.bytes, length);
	return &h->shared;
}

void
wfml_shared_ready(WfmlShared *shared)
{
	Held	   *h = (Held *) shared;

	shared->verified = true;
	if (h->slot->state != LOADING)
		return;
	dsm_pin_segment(h->segment);
	LWLockAcquire(&table->lock, LW_EXCLUSIVE);
	h->slot->handle = dsm_segment_handle(h->segment);
	h->slot->build = this_build();
	h->slot->state = READY;
	LWLockRelease(&table->lock);
	ConditionVariableBroadcast(&table->loaded);
}

/* ---- dropped versions ---- */

/*
 * Is it a dropped version's, or a dropped database's?  Of other databases'
 * versions we cannot know.  A version whose transaction is still running looks
 * dropped to others, but its session holds it, and who sees it and asks for it
 * takes the mark back.
 */
static bool
is_dropped(const Slot *slot)
{
	uint8		sha256[PG_SHA256_DIGEST_LENGTH];
	int64		length;

	if (slot->database != MyDatabaseId)
		return !SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(slot->database));
	return !wfml_artifact_describe(slot->id, &length, sha256) || memcmp(sha256, slot->sha256, sizeof(sha256)) != 0;
}

void
wfml_shared_sweep(void)
{
	Slot		copy[N_SLOTS];

	if (!attach_table())
		return;
	LWLockAcquire(&table->lock, LW_SHARED);
	memcpy(copy, table->slots, sizeof(copy));
	LWLockRelease(&table->lock);
	for (int i = 0; i < N_SLOTS; i++)
	{
		Slot	   *s = &copy[i];

		if (s->state != READY || s->dropped || !is_dropped(s))
			continue;
		lock_table();
		s = find_slot(copy[i].database, copy[i].id, copy[i].sha256);
		if (s && s->state == READY)
		{
			s->dropped = true;
			if (s->sessions == 0)
				free_slot(s);
		}
		unlock_table();
	}
}

/* ---- what is in it ---- */

PG_FUNCTION_INFO_V1(wfml_shared_cache_stats);

/* shared_cache_stats() → SETOF (database, model_id, size, sessions, used_at) */
Datum
wfml_shared_cache_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Slot		copy[N_SLOTS];

	InitMaterializedSRF(fcinfo, 0);
	if (!attach_table())
		return (Datum) 0;
	LWLockAcquire(&table->lock, LW_SHARED);
	memcpy(copy, table->slots, sizeof(copy));
	LWLockRelease(&table->lock);
	for (int i = 0; i < N_SLOTS; i++)
	{
		const Slot *s = &copy[i];
		Datum		values[5];
		bool		nulls[5] = {false};
		char	   *database;

		if (s->state == FREE)
			continue;
		database = get_database_name(s->database);
		nulls[0] = database == NULL;
		if (database)
			values[0] = CStringGetTextDatum(database);
		values[1] = Int64GetDatum(s->id);
		values[2] = Int64GetDatum((int64) s->length);
		values[3] = Int32GetDatum((int32) s->sessions);
		values[4] = TimestampTzGetDatum(s->used_at);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
