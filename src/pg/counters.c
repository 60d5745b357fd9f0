/*-------------------------------------------------------------------------
 * counters.c
 *	  Counts that are in no table: predictions, errors, cache hits.
 *
 * A slot counts for one version in one database.  There are fewer slots than
 * versions in a long life: the one that was silent longest is folded into its
 * database's slot for version 0, so that totals never shrink.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "core/rng.h"
#include "pg/counters.h"

/* Its name carries a layout number: sessions of another layout keep to their own segment. */
#define COUNTERS_SEGMENT "wfml counters 1"
#define N_SLOTS 200
#define N_RATES 128
/* Versions that a session adds up for before it must write. */
#define N_LOCAL 16

typedef struct Slot
{
	Oid			database;		/* 0: free */
	uint32		used;			/* when it was last added to, minutes */
	int64		model_id;
	pg_atomic_uint64 n[WFML_N_COUNTERS];
} Slot;

/* Predictions of one role in one minute. */
typedef struct Rate
{
	pg_atomic_uint32 role;		/* 0: free */
	pg_atomic_uint64 window;	/* minute << 32 | count */
} Rate;

typedef struct Segment
{
	int			tranche;
	LWLock		lock;			/* shared: slots stay where they are; exclusive: they change hands */
	Slot		slots[N_SLOTS];
	Rate		rates[N_RATES];
} Segment;

StaticAssertDecl(sizeof(Segment) < 24 * 1024, "the segment must fit into the slack of shared memory");

typedef struct Local
{
	int64		model_id;
	int			slot;			/* where it was last time; -1: not known */
	uint64		n[WFML_N_COUNTERS];
} Local;

static Segment *segment = NULL;
static bool attached = false;	/* or tried to */
static Local local[N_LOCAL];
static int	n_local = 0;
static Local *last = NULL;		/* the one counted for last; NULL: nothing to write */

static const char *const counter_name[WFML_N_COUNTERS] = {
	"predictions", "errors", "fallbacks", "logged", "not_logged", "cache_hits", "cache_misses", "model_loads"
};

/* ---- the segment ---- */

static Segment *
open_segment(void)
{
	bool		found;
	Segment    *s = ShmemInitStruct(COUNTERS_SEGMENT, sizeof(Segment), &found);

	if (!found)
	{
		memset(s, 0, sizeof(Segment));
		s->tranche = LWLockNewTrancheId();
		LWLockInitialize(&s->lock, s->tranche);
		for (int i = 0; i < N_SLOTS; i++)
			for (int c = 0; c < WFML_N_COUNTERS; c++)
				pg_atomic_init_u64(&s->slots[i].n[c], 0);
		for (int i = 0; i < N_RATES; i++)
		{
			pg_atomic_init_u32(&s->rates[i].role, 0);
			pg_atomic_init_u64(&s->rates[i].window, 0);
		}
	}
	LWLockRegisterTranche(s->tranche, "wfml counters");
	return s;
}

/*
 * Find the segment once a session.  Where other add-ins have used up the
 * slack, nothing is counted.  There is no subtransaction, which parallel
 * workers could not have: all that failing leaves behind is the lock, and an
 * error has forgotten that interrupts are held for it.
 */
static void
attach(void)
{
	MemoryContext context = CurrentMemoryContext;

	attached = true;
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	PG_TRY();
	{
		segment = open_segment();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		HOLD_INTERRUPTS();
	}
	PG_END_TRY();
	LWLockRelease(AddinShmemInitLock);
}

static uint32
minute(void)
{
	return (uint32) (GetCurrentTimestamp() / (60 * INT64CONST(1000000)));
}

/* ---- slots; the lock is held ---- */

static bool
is_slot(int i, Oid database, int64 model_id)
{
	return i >= 0 && segment->slots[i].database == database && segment->slots[i].model_id == model_id;
}

static int
find_slot(Oid database, int64 model_id)
{
	for (int i = 0; i < N_SLOTS; i++)
		if (is_slot(i, database, model_id))
			return i;
	return -1;
}

/* The version that was silent longest; -1: there are only totals. */
static int
oldest_slot(void)
{
	int			oldest = -1;

	for (int i = 0; i < N_SLOTS; i++)
		if (segment->slots[i].model_id != 0 &&
			(oldest < 0 || segment->slots[i].used < segment->slots[oldest].used))
			oldest = i;
	return oldest;
}

/* A slot that is free, after folding an old one away if need be; -1: there is none. */
static int
free_slot(void)
{
	int			i = find_slot(InvalidOid, 0);

	while (i < 0)
	{
		int			old = oldest_slot();
		int			total;

		if (old < 0)
			return -1;
		total = find_slot(segment->slots[old].database, 0);
		if (total < 0)
		{
			/* It becomes its database's total itself, and another one must go. */
			segment->slots[old].model_id = 0;
			continue;
		}
		for (int c = 0; c < WFML_N_COUNTERS; c++)
		{
			pg_atomic_fetch_add_u64(&segment->slots[total].n[c], (int64) pg_atomic_read_u64(&segment->slots[old].n[c]));
			pg_atomic_write_u64(&segment->slots[old].n[c], 0);
		}
		segment->slots[old].database = InvalidOid;
		segment->slots[old].model_id = 0;
		i = old;
	}
	return i;
}

/* The lock is held exclusively. */
static int
make_slot(int64 model_id)
{
	int			i = find_slot(MyDatabaseId, model_id);

	if (i < 0)
	{
		i = free_slot();
		if (i >= 0)
		{
			segment->slots[i].database = MyDatabaseId;
			segment->slots[i].model_id = model_id;
		}
	}
	return i;
}

static void
add(Local *l, uint32 now)
{
	Slot	   *slot = &segment->slots[l->slot];

	for (int c = 0; c < WFML_N_COUNTERS; c++)
		if (l->n[c] > 0)
		{
			pg_atomic_fetch_add_u64(&slot->n[c], (int64) l->n[c]);
			l->n[c] = 0;
		}
	slot->used = now;
}

static bool
has_counts(const Local *l)
{
	uint64		any = 0;

	for (int c = 0; c < WFML_N_COUNTERS; c++)
		any |= l->n[c];
	return any != 0;
}

/* Nothing here can fail: it runs where a transaction ends. */
static void
write_counts(void)
{
	uint32		now = minute();
	bool		homeless = false;

	last = NULL;
	LWLockAcquire(&segment->lock, LW_SHARED);
	for (int i = 0; i < n_local; i++)
	{
		if (!has_counts(&local[i]))
			continue;
		if (!is_slot(local[i].slot, MyDatabaseId, local[i].model_id))
			local[i].slot = find_slot(MyDatabaseId, local[i].model_id);
		if (local[i].slot >= 0)
			add(&local[i], now);
		else
			homeless = true;
	}
	LWLockRelease(&segment->lock);
	if (!homeless)
		return;
	LWLockAcquire(&segment->lock, LW_EXCLUSIVE);
	for (int i = 0; i < n_local; i++)
		if (has_counts(&local[i]))
		{
			local[i].slot = make_slot(local[i].model_id);
			if (local[i].slot >= 0)
				add(&local[i], now);
			else
				memset(local[i].n, 0, sizeof(local[i].n));
		}
	LWLockRelease(&segment->lock);
}

/* ---- counting ---- */

static void
transaction_ends(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			if (last)
				write_counts();
			break;
		default:
			break;
	}
}

static Local *
find_local(int64 model_id)
{
	if (!attached)
	{
		attach();
		if (segment)
			RegisterXactCallback(transaction_ends, NULL);
	}
	for (int i = 0; i < n_local; i++)
		if (local[i].model_id == model_id)
			return &local[i];
	if (n_local == N_LOCAL)
	{
		if (segment)
			write_counts();
		n_local = 0;
	}
	local[n_local] = (Local) {.model_id = model_id, .slot = -1};
	return &local[n_local++];
}

void
wfml_count(int64 model_id, WfmlCounter counter, uint64 n)
{
	if (last == NULL || last->model_id != model_id)
		last = find_local(model_id);
	last->n[counter] += n;
}

/* ---- rates ---- */

/* The role's place: its own, a free one, or one that counts an earlier minute; NULL: none of those. */
static Rate *
find_rate(Oid role, uint32 now)
{
	for (uint64 i = 0; i < N_RATES; i++)
	{
		Rate	   *rate = &segment->rates[(wf_mix(role) + i) % N_RATES];
		uint32		is = pg_atomic_read_u32(&rate->role);

		if (is == role || (is == 0 && pg_atomic_compare_exchange_u32(&rate->role, &is, role)) || is == role)
			return rate;
	}
	for (int i = 0; i < N_RATES; i++)
	{
		Rate	   *rate = &segment->rates[i];
		uint32		is = pg_atomic_read_u32(&rate->role);

		if (pg_atomic_read_u64(&rate->window) >> 32 != now && pg_atomic_compare_exchange_u32(&rate->role, &is, role))
			return rate;
	}
	return NULL;
}

bool
wfml_rate_allows(Oid role, int limit)
{
	static Rate own;			/* of this session, where the segment has no room */
	uint32		now = minute();
	Rate	   *rate;
	uint64		window;
	uint64		next;

	if (!attached)
		(void) find_local(0);
	rate = segment ? find_rate(role, now) : NULL;
	if (rate == NULL)
		rate = &own;
	window = pg_atomic_read_u64(&rate->window);
	do
	{
		uint64		count = window >> 32 == now ? window & PG_UINT32_MAX : 0;

		if (count >= (uint64) limit)
			return false;
		next = (uint64) now << 32 | (count + 1);
	} while (!pg_atomic_compare_exchange_u64(&rate->window, &window, next));
	return true;
}

/* ---- reading ---- */

PG_FUNCTION_INFO_V1(wfml_counter_rows);

/* counter_rows() → SETOF (model_id, counter, value) of this database */
Datum
wfml_counter_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Slot	   *copy = palloc(sizeof(Slot) * N_SLOTS);

	InitMaterializedSRF(fcinfo, 0);
	if (!attached)
		(void) find_local(0);
	if (segment == NULL)
		return (Datum) 0;
	/* What this session did before counts too. */
	if (last)
		write_counts();
	LWLockAcquire(&segment->lock, LW_SHARED);
	memcpy(copy, segment->slots, sizeof(Slot) * N_SLOTS);
	LWLockRelease(&segment->lock);
	for (int i = 0; i < N_SLOTS; i++)
	{
		if (copy[i].database != MyDatabaseId)
			continue;
		for (int c = 0; c < WFML_N_COUNTERS; c++)
		{
			Datum		values[3];
			bool		nulls[3] = {false};

			values[0] = Int64GetDatum(copy[i].model_id);
			values[1] = CStringGetTextDatum(counter_name[c]);
			values[2] = Int64GetDatum((int64) pg_atomic_read_u64(&copy[i].n[c]));
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
	}
	return (Datum) 0;
}
