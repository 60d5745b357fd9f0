/*-------------------------------------------------------------------------
 * predcache.c
 *	  Answers of this session that may be given again.
 *
 * A hash table with chains and a list by last use, in a context of its own
 * under CacheMemoryContext.  Only the model's work is saved, not the reading
 * of the input, so it pays where predicting takes long.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "lib/ilist.h"
#include "portability/instr_time.h"
#include "utils/catcache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/dict.h"
#include "pg/counters.h"
#include "pg/predcache.h"
#include "pg/settings.h"

#define FIRST_BUCKETS 256

/*
 * What asking costs, and keeping an answer, in nanoseconds: measured with 10
 * to 30 features, half as much again for a cold processor cache.
 */
#define LOOKUP_NS 150.0
#define STORE_NS 350.0
/* Predictions cheaper than this are made without asking. */
#define WORTH_NS 2000.0
/* Look-ups of a trial, and predictions without asking after one that did not pay. */
#define TRIAL 256
#define PAUSE 8192
/* One prediction of so many is timed. */
#define TIME_EVERY 64
#define TIME_FIRST 4

typedef struct Answer
{
	struct Answer *next;		/* in the bucket */
	dlist_node	lru;
	uint64		hash;
	int64		id;
	uint64		fingerprint;
	TimestampTz made_at;
	uint32		x_bytes;
	uint32		values_bytes;
	/* values, then x */
	double		values[FLEXIBLE_ARRAY_MEMBER];
} Answer;

static MemoryContext context = NULL;
static Answer **buckets = NULL;
static uint32 n_buckets = 0;
static int64 n_answers = 0;
static size_t answer_bytes = 0;
static dlist_head lru = DLIST_STATIC_INIT(lru); /* most recent first */
static int64 hits = 0;
static int64 misses = 0;

static inline size_t
x_bytes(const WfmlCached *cached)
{
	return sizeof(float) * cached->model->header->n_features;
}

static inline size_t
values_bytes(const WfmlCached *cached)
{
	return sizeof(double) * (size_t) wf_model_n_values(cached->model);
}

static inline void *
answer_x(const Answer *answer)
{
	return (char *) answer->values + answer->values_bytes;
}

static inline uint64
hash_of(const WfmlCached *cached)
{
	return wf_hash_bytes((const char *) cached->x, x_bytes(cached), cached->fingerprint ^ (uint64) cached->id);
}

static inline bool
turned_off(void)
{
	return wfml_prediction_cache_ttl == 0 || wfml_prediction_cache_entries == 0;
}

/* ---- the table ---- */

static Answer **
place_of(const WfmlCached *cached, uint64 hash)
{
	Answer	  **at = &buckets[hash & (n_buckets - 1)];

	for (; *at; at = &(*at)->next)
	{
		Answer	   *a = *at;

		if (a->hash == hash && a->id == cached->id && a->fingerprint == cached->fingerprint &&
			a->x_bytes == x_bytes(cached) && memcmp(answer_x(a), cached->x, a->x_bytes) == 0)
			break;
	}
	return at;
}

/* at: what points to it in its bucket. */
static void
forget_at(Answer **at)
{
	Answer	   *answer = *at;

	*at = answer->next;
	dlist_delete(&answer->lru);
	answer_bytes -= GetMemoryChunkSpace(answer);
	n_answers--;
	pfree(answer);
}

static void
forget_oldest(void)
{
	Answer	   *oldest = dlist_container(Answer, lru, dlist_tail_node(&lru));
	Answer	  **at = &buckets[oldest->hash & (n_buckets - 1)];

	while (*at != oldest)
		at = &(*at)->next;
	forget_at(at);
}

int64
wfml_predcache_clear(void)
{
	int64		n = n_answers;

	buckets = NULL;
	n_buckets = 0;
	n_answers = 0;
	answer_bytes = 0;
	dlist_init(&lru);
	if (context)
		MemoryContextReset(context);
	return n;
}

static inline size_t
memory_limit(void)
{
	return (size_t) wfml_model_cache_memory * 1024 / 4;
}

/* Until more bytes fit, and one more answer. */
static void
make_room(size_t more)
{
	while (n_answers > 0 &&
		   (n_answers >= wfml_prediction_cache_entries ||
			answer_bytes + n_buckets * sizeof(Answer *) + more > memory_limit()))
		forget_oldest();
	/* Holes left by answers of other sizes: rarely, all of it is begun anew. */
	if (context && MemoryContextMemAllocated(context, false) > memory_limit() + memory_limit() / 4)
		wfml_predcache_clear();
}

/* Twice as many buckets, or the first ones. */
static void
grow(void)
{
	uint32		n = n_buckets ? n_buckets * 2 : FIRST_BUCKETS;
	Answer	  **grown;

	if (context == NULL)
	{
		if (CacheMemoryContext == NULL)
			CreateCacheMemoryContext();
		context = AllocSetContextCreate(CacheMemoryContext, "wfml predictions", ALLOCSET_DEFAULT_SIZES);
	}
	grown = MemoryContextAllocExtended(context, n * sizeof(Answer *), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 b = 0; b < n_buckets; b++)
		while (buckets[b])
		{
			Answer	   *a = buckets[b];

			buckets[b] = a->next;
			a->next = grown[a->hash & (n - 1)];
			grown[a->hash & (n - 1)] = a;
		}
	if (buckets)
		pfree(buckets);
	buckets = grown;
	n_buckets = n;
}

/* ---- asking and keeping ---- */

bool
wfml_predcache_lookup(const WfmlCached *cached)
{
	Answer	  **at;

	if (turned_off())
		return false;
	at = n_answers > 0 ? place_of(cached, hash_of(cached)) : NULL;
	if (at && *at &&
		GetCurrentTimestamp() - (*at)->made_at >= (int64) wfml_prediction_cache_ttl * USECS_PER_SEC)
		forget_at(at);
	else if (at && *at)
	{
		memcpy(cached->values, (*at)->values, (*at)->values_bytes);
		dlist_move_head(&lru, &(*at)->lru);
		hits++;
		wfml_count(cached->id, WFML_COUNT_CACHE_HITS, 1);
		return true;
	}
	misses++;
	wfml_count(cached->id, WFML_COUNT_CACHE_MISSES, 1);
	return false;
}

void
wfml_predcache_store(const WfmlCached *cached)
{
	size_t		size = offsetof(Answer, values) + values_bytes(cached) + x_bytes(cached);
	uint64		hash = hash_of(cached);
	Answer	  **at;
	Answer	   *answer;

	if (turned_off() || size > memory_limit() / 16)
		return;
	make_room(size);
	if (n_answers >= n_buckets)
		grow();
	at = place_of(cached, hash);
	if (*at)
		forget_at(at);
	answer = MemoryContextAlloc(context, size);
	answer->hash = hash;
	answer->id = cached->id;
	answer->fingerprint = cached->fingerprint;
	answer->made_at = GetCurrentTimestamp();
	answer->x_bytes = (uint32) x_bytes(cached);
	answer->values_bytes = (uint32) values_bytes(cached);
	memcpy(answer->values, cached->values, answer->values_bytes);
	memcpy(answer_x(answer), cached->x, answer->x_bytes);
	at = &buckets[hash & (n_buckets - 1)];
	answer->next = *at;
	*at = answer;
	dlist_push_head(&lru, &answer->lru);
	answer_bytes += GetMemoryChunkSpace(answer);
	n_answers++;
}

/* ---- predicting ---- */

/* Reading the clock costs as much as a quick prediction: now and then is enough. */
static void
predict(const WfmlCached *cached)
{
	WfmlReuse  *reuse = cached->reuse;
	instr_time	start;
	instr_time	duration;
	double		ns;

	if (reuse->n_timed >= TIME_FIRST && ++reuse->untimed < TIME_EVERY)
	{
		wf_model_predict(cached->model, cached->x, cached->values);
		return;
	}
	INSTR_TIME_SET_CURRENT(start);
	wf_model_predict(cached->model, cached->x, cached->values);
	INSTR_TIME_SET_CURRENT(duration);
	INSTR_TIME_SUBTRACT(duration, start);
	ns = INSTR_TIME_GET_DOUBLE(duration) * 1e9;
	reuse->untimed = 0;
	/* The least of the first ones, since a model is cold at first; then a slow mean without outliers. */
	if (reuse->n_timed == 0 || (reuse->n_timed < TIME_FIRST && ns < reuse->predict_ns))
		reuse->predict_ns = ns;
	else if (reuse->n_timed >= TIME_FIRST)
		reuse->predict_ns += (Min(ns, 4 * reuse->predict_ns) - reuse->predict_ns) / 8;
	if (reuse->n_timed < TIME_FIRST)
		reuse->n_timed++;
}

bool
wfml_predcache_predict(const WfmlCached *cached)
{
	if (wfml_predcache_lookup(cached))
		return true;
	wf_model_predict(cached->model, cached->x, cached->values);
	wfml_predcache_store(cached);
	return false;
}

/* At the end of a trial: did it save more than it cost? */
static void
judge(WfmlReuse *reuse)
{
	double		saved = reuse->found * reuse->predict_ns;
	double		spent = reuse->lookups * LOOKUP_NS + (reuse->lookups - reuse->found) * STORE_NS;

	if (saved <= spent)
		reuse->pause = PAUSE;
	reuse->lookups = 0;
	reuse->found = 0;
}

bool
wfml_predcache_predict_if_faster(const WfmlCached *cached)
{
	WfmlReuse  *reuse = cached->reuse;

	if (reuse->pause > 0)
		reuse->pause--;
	else if (reuse->n_timed >= TIME_FIRST && reuse->predict_ns >= WORTH_NS && !turned_off())
	{
		bool		found = wfml_predcache_lookup(cached);

		reuse->lookups++;
		reuse->found += found;
		if (!found)
		{
			predict(cached);
			wfml_predcache_store(cached);
		}
		if (reuse->lookups == TRIAL)
			judge(reuse);
		return found;
	}
	predict(cached);
	return false;
}

/* ---- what is in it ---- */

PG_FUNCTION_INFO_V1(wfml_prediction_cache_stats);

/* prediction_cache_stats() → (entries, size, hits, misses) */
Datum
wfml_prediction_cache_stats(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[4];
	bool		nulls[4] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != lengthof(values))
		elog(ERROR, "return type must be a row type of %d columns", (int) lengthof(values));
	values[0] = Int64GetDatum(n_answers);
	values[1] = Int64GetDatum(context ? (int64) MemoryContextMemAllocated(context, true) : 0);
	values[2] = Int64GetDatum(hits);
	values[3] = Int64GetDatum(misses);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
