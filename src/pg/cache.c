/*-------------------------------------------------------------------------
 * cache.c
 *	  Opened models by version id, per backend.
 *
 * One child of CacheMemoryContext holds one model: its bytes, what opening
 * derived from them, and the maps from row types to its features.  A model is
 * built aside, in a child of the caller's context, and moved under
 * CacheMemoryContext only when it is whole; an error before that frees it.
 *
 * A version's bytes never change, but its id can: a dropped and re-created
 * extension or a restored dump starts counting again.  So after any change to
 * the registry an entry's checksum is compared with the stored one at its
 * next use.
 *
 * Pins belong to memory contexts (a call site's fn_mcxt) and end with them.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/ilist.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "pg/cache.h"
#include "pg/compat.h"
#include "pg/counters.h"
#include "pg/pghost.h"
#include "pg/predcache.h"
#include "pg/registry.h"
#include "pg/settings.h"
#include "pg/shared.h"
#include "pg/tables.h"

/* Row types whose maps one model keeps; each is a few kilobytes. */
#define MAX_ROW_MAPS 100

/* A map made for a row type (identifier 0: for JSON objects). */
typedef struct Map
{
	slist_node	node;
	uint64		identifier;		/* of assign_record_type_identifier() */
	char	   *name;			/* of the model in its messages */
	WfmlRowMap *row;
	WfmlJsonMap *json;
} Map;

typedef struct Entry
{
	WfmlCached	shown;			/* first: what callers get */
	dlist_node	lru;
	bool		listed;			/* in the table; else it goes with its last pin */
	dlist_head	pins;
	size_t		bytes;
	int64		hits;
	uint64		generation;		/* when its checksum was last compared */
	uint8		sha256[PG_SHA256_DIGEST_LENGTH];
	WfmlShared *shared;			/* NULL: its bytes are its own */
	TimestampTz loaded_at;
	slist_head	maps;
	int			n_maps;
} Entry;

typedef struct Slot
{
	int64		id;
	Entry	   *entry;
} Slot;

/* One pin: in its entry's list, or idle. */
typedef struct Pin
{
	MemoryContextCallback callback;
	MemoryContext holder;
	Entry	   *entry;			/* NULL while idle */
	dlist_node	node;
} Pin;

static HTAB *slots = NULL;
static dlist_head lru = DLIST_STATIC_INIT(lru); /* most recent first */
static dlist_head idle_pins = DLIST_STATIC_INIT(idle_pins);
static size_t total_bytes = 0;
static int	n_entries = 0;

/* ---- room ---- */

/* Off the table; freed now, or with its last pin. */
static void
forget(Entry *entry)
{
	if (entry->listed)
	{
		hash_search(slots, &entry->shown.id, HASH_REMOVE, NULL);
		dlist_delete(&entry->lru);
		entry->listed = false;
		total_bytes -= entry->bytes;
		n_entries--;
	}
	if (dlist_is_empty(&entry->pins))
		MemoryContextDelete(entry->shown.context);
}

/*
 * Least recently used models that nobody holds go until the rest fits.  One
 * model may be larger than all the memory: it is kept, not read again and again.
 */
static void
make_room(int more_entries, size_t more_bytes)
{
	dlist_node *node = dlist_is_empty(&lru) ? NULL : dlist_tail_node(&lru);

	while (node &&
		   (n_entries + more_entries > wfml_model_cache_size ||
			(n_entries + more_entries > 1 &&
			 total_bytes + more_bytes > (size_t) wfml_model_cache_memory * 1024)))
	{
		Entry	   *entry = dlist_container(Entry, lru, node);

		node = dlist_has_prev(&lru, node) ? dlist_prev_node(&lru, node) : NULL;
		if (dlist_is_empty(&entry->pins))
			forget(entry);
	}
}

/* ---- pins ---- */

/* The pin is already off its entry's list. */
static void
released(Entry *entry)
{
	if (!entry->listed)
		forget(entry);
	else
		make_room(0, 0);
}

static void
holder_gone(void *arg)
{
	Pin		   *pin = arg;

	dlist_delete(&pin->node);
	if (pin->entry)
		released(pin->entry);
}

static Pin *
find_pin(dlist_head *list, MemoryContext holder)
{
	dlist_iter	iter;

	dlist_foreach(iter, list)
	{
		Pin		   *pin = dlist_container(Pin, node, iter.cur);

		if (pin->holder == holder)
			return pin;
	}
	return NULL;
}

/*
 * An idle pin of the context: one it had before, since callbacks cannot be
 * taken back, or a new one.
 */
static Pin *
get_pin(MemoryContext holder)
{
	Pin		   *pin = find_pin(&idle_pins, holder);

	if (pin == NULL)
	{
		pin = MemoryContextAlloc(holder, sizeof(Pin));
		pin->holder = holder;
		pin->entry = NULL;
		pin->callback.func = holder_gone;
		pin->callback.arg = pin;
		MemoryContextRegisterResetCallback(holder, &pin->callback);
		dlist_push_head(&idle_pins, &pin->node);
	}
	return pin;
}

void
wfml_cache_unpin(const WfmlCached *cached, MemoryContext holder)
{
	Entry	   *entry = (Entry *) cached;
	Pin		   *pin = find_pin(&entry->pins, holder);

	if (pin)
	{
		dlist_delete(&pin->node);
		dlist_push_head(&idle_pins, &pin->node);
		pin->entry = NULL;
		released(entry);
	}
}

/* ---- loading ---- */

static void
check_bytes(const char *bytes, size_t length)
{
	if (!pg_verifymbstr(bytes, (int) length, true))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("model holds text that is not valid in encoding \"%s\"", GetDatabaseEncodingName()),
				 errhint("A model keeps the encoding of the database that it was trained in.")));
}

static void
check_string(const WfModel *model, WfStringRecord s)
{
	check_bytes(wf_model_string(model, s), s.length);
}

void
wfml_check_strings(const WfModel *model)
{
	for (int m = 0; m < WF_MAX_IDMAPS; m++)
		for (uint32 i = 0; i < model->ids[m].n; i++)
		{
			size_t		length;
			const char *id = wf_idmap_string(&model->ids[m], i, &length);

			check_bytes(id, length);
			if (i % 16384 == 0)
				CHECK_FOR_INTERRUPTS();
		}
	for (uint32 c = 0; c < model->header->n_columns; c++)
	{
		const WfColumnRecord *column = &model->columns[c];

		check_string(model, column->name);
		for (uint32 i = 0; i < column->n_strings; i++)
			check_string(model, model->dict[column->first_string + i]);
	}
	for (uint32 c = 0; c < model->header->n_classes; c++)
		check_string(model, model->labels[c]);
}

static void
make_labels(WfmlCached *cached)
{
	const WfModel *model = cached->model;

	cached->labels = palloc(sizeof(Datum) * (model->header->n_classes + 1));
	for (uint32 c = 0; c < model->header->n_classes; c++)
		cached->labels[c] = PointerGetDatum(cstring_to_text_with_len(wf_model_string(model, model->labels[c]),
																	 model->labels[c].length));
}

static void
loading(void *name)
{
	errcontext("opening model %s", (const char *) name);
}

/* The bytes, shared where they can be, and the model on them. */
static WfModel *
open_model(Entry *entry, int64 id, MemoryContext context)
{
	WfHost	   *host = wfml_host_create(context);
	int64		recorded;
	WfModel    *model;
	void	   *bytes;
	size_t		length;

	if (!wfml_artifact_describe(id, &recorded, entry->sha256))
		wfml_bad_artifact(id, "It has no row in wfml.ml_model with a checksum.");
	entry->shared = recorded > 0 ? wfml_shared_get(id, entry->sha256, (size_t) recorded, context) : NULL;
	if (entry->shared)
	{
		bytes = entry->shared->bytes;
		length = entry->shared->length;
	}
	else
		bytes = wfml_artifact_load(id, context, &length);
	if (entry->shared && entry->shared->verified)
		return wf_model_open_verified(host, bytes, length);
	model = wf_model_open(host, bytes, length);
	wfml_check_strings(model);
	if (entry->shared)
		wfml_shared_ready(entry->shared);
	return model;
}

static Entry *
load(int64 id)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "wfml model", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Entry	   *entry = palloc0(sizeof(Entry));
	WfmlCached *shown = &entry->shown;
	char	   *name = wfml_version_name(id);
	ErrorContextCallback callback = {error_context_stack, loading, name};

	error_context_stack = &callback;
	shown->id = id;
	shown->context = context;
	entry->generation = wfml_generation();
	dlist_init(&entry->pins);
	slist_init(&entry->maps);
	shown->model = open_model(entry, id, context);
	shown->zone = wfml_model_zone(shown->model);
	shown->x = palloc0(sizeof(float) * (shown->model->header->n_features + 1));
	shown->values = palloc0(sizeof(double) * wf_model_n_values(shown->model));
	shown->reuse = palloc0(sizeof(WfmlReuse));
	memcpy(&shown->fingerprint, entry->sha256, sizeof(shown->fingerprint));
	make_labels(shown);
	MemoryContextSetIdentifier(context, name);
	error_context_stack = callback.previous;
	MemoryContextSwitchTo(caller);
	entry->bytes = MemoryContextMemAllocated(context, true);
	entry->loaded_at = GetCurrentTimestamp();
	wfml_count(id, WFML_COUNT_MODEL_LOADS, 1);
	return entry;
}

static void
publish(Entry *entry)
{
	Slot	   *slot;
	bool		found;

	make_room(1, entry->bytes);
	slot = hash_search(slots, &entry->shown.id, HASH_ENTER, &found);
	/* From here on nothing fails. */
	MemoryContextSetParent(entry->shown.context, CacheMemoryContext);
	if (found)
	{
		Entry	   *other = slot->entry;

		other->listed = false;
		dlist_delete(&other->lru);
		total_bytes -= other->bytes;
		n_entries--;
		if (dlist_is_empty(&other->pins))
			MemoryContextDelete(other->shown.context);
	}
	slot->entry = entry;
	entry->listed = true;
	dlist_push_head(&lru, &entry->lru);
	total_bytes += entry->bytes;
	n_entries++;
}

static void
create_table(void)
{
	HASHCTL		control = {0};

	if (CacheMemoryContext == NULL)
		CreateCacheMemoryContext();
	control.keysize = sizeof(int64);
	control.entrysize = sizeof(Slot);
	control.hcxt = CacheMemoryContext;
	slots = hash_create("wfml models", 32, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* The entry when it is there and still means the same bytes. */
static Entry *
find(int64 id)
{
	Slot	   *slot = hash_search(slots, &id, HASH_FIND, NULL);
	Entry	   *entry = slot ? slot->entry : NULL;
	uint64		generation = wfml_generation();

	if (entry && entry->generation != generation)
	{
		uint8		sha256[PG_SHA256_DIGEST_LENGTH];
		int64		length;

		if (wfml_artifact_describe(id, &length, sha256) && memcmp(sha256, entry->sha256, sizeof(sha256)) == 0)
			entry->generation = generation;
		else
		{
			forget(entry);
			entry = NULL;
		}
	}
	return entry;
}

/*
 * After the registry has changed, versions that are no more go, here and from
 * what sessions share, rather than waiting for others to push them out.
 */
static void
sweep(void)
{
	static uint64 swept = 0;
	uint64		generation = wfml_generation();
	dlist_mutable_iter iter;

	if (swept == generation)
		return;
	swept = generation;
	dlist_foreach_modify(iter, &lru)
		(void) find(dlist_container(Entry, lru, iter.cur)->shown.id);
	wfml_shared_sweep();
}

const WfmlCached *
wfml_cache_get(int64 id, MemoryContext holder)
{
	Entry	   *entry;
	Pin		   *pin;

	if (slots == NULL)
		create_table();
	sweep();
	entry = find(id);
	pin = get_pin(holder);
	if (entry)
	{
		entry->hits++;
		dlist_move_head(&lru, &entry->lru);
	}
	else
	{
		entry = load(id);
		publish(entry);
	}
	pin->entry = entry;
	dlist_delete(&pin->node);
	dlist_push_head(&entry->pins, &pin->node);
	return &entry->shown;
}

/* ---- maps ---- */

static Map *
find_map(Entry *entry, uint64 identifier, const char *name)
{
	slist_iter	iter;

	slist_foreach(iter, &entry->maps)
	{
		Map		   *map = slist_container(Map, node, iter.cur);

		if (map->identifier == identifier && strcmp(map->name, name) == 0)
			return map;
	}
	return NULL;
}

/*
 * A new map in a context of its own, so that a failure on the way leaves
 * nothing behind.  With too many row types the map goes with the
 * holder instead of staying with the model.
 */
static MemoryContext
map_begin(Map **map, uint64 identifier, const char *name, MemoryContext holder)
{
	MemoryContext context = AllocSetContextCreate(holder, "wfml row map", ALLOCSET_SMALL_SIZES);

	*map = MemoryContextAllocZero(context, sizeof(Map));
	(*map)->identifier = identifier;
	(*map)->name = MemoryContextStrdup(context, name);
	return context;
}

static void
map_end(Entry *entry, Map *map, MemoryContext context)
{
	if (entry->n_maps >= MAX_ROW_MAPS)
		return;
	MemoryContextSetParent(context, entry->shown.context);
	slist_push_head(&entry->maps, &map->node);
	entry->n_maps++;
}

WfmlRowMap *
wfml_cache_rowmap(const WfmlCached *cached, const char *name, Oid type, int32 typmod, MemoryContext holder)
{
	Entry	   *entry = (Entry *) cached;
	uint64		identifier = assign_record_type_identifier(type, typmod);
	Map		   *map = find_map(entry, identifier, name);

	if (map == NULL)
	{
		MemoryContext context = map_begin(&map, identifier, name, holder);
		MemoryContext caller = MemoryContextSwitchTo(context);
		TupleDesc	desc = lookup_rowtype_tupdesc_copy(type, typmod);

		map->row = wfml_rowmap_create(cached->model, name, desc, context);
		MemoryContextSwitchTo(caller);
		map_end(entry, map, context);
	}
	return map->row;
}

WfmlJsonMap *
wfml_cache_jsonmap(const WfmlCached *cached, const char *name, MemoryContext holder)
{
	Entry	   *entry = (Entry *) cached;
	Map		   *map = find_map(entry, 0, name);

	if (map == NULL)
	{
		MemoryContext context = map_begin(&map, 0, name, holder);

		map->json = wfml_jsonmap_create(cached->model, name, context);
		map_end(entry, map, context);
	}
	return map->json;
}

/* ---- what is in it ---- */

PG_FUNCTION_INFO_V1(wfml_cache_stats);
PG_FUNCTION_INFO_V1(wfml_cache_stats_2);
PG_FUNCTION_INFO_V1(wfml_cache_clear);

#define N_STATS 6

static Datum
stats(FunctionCallInfo fcinfo, int n_columns)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	dlist_iter	iter;

	InitMaterializedSRF(fcinfo, 0);
	if (result->setDesc->natts != n_columns)
		elog(ERROR, "return type must be a row type of %d columns", n_columns);
	dlist_foreach(iter, &lru)
	{
		Entry	   *entry = dlist_container(Entry, lru, iter.cur);
		Datum		values[N_STATS];
		bool		nulls[N_STATS] = {false};

		values[0] = Int64GetDatum(entry->shown.id);
		values[1] = Int64GetDatum((int64) MemoryContextMemAllocated(entry->shown.context, true));
		values[2] = Int64GetDatum(entry->hits);
		values[3] = BoolGetDatum(!dlist_is_empty(&entry->pins));
		values[4] = TimestampTzGetDatum(entry->loaded_at);
		values[5] = Int64GetDatum(entry->shared ? (int64) entry->shared->length : 0);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* As 0.1.0 declares it: SETOF (model_id, size, hits, in_use, loaded_at), most recently used first */
Datum
wfml_cache_stats(PG_FUNCTION_ARGS)
{
	return stats(fcinfo, 5);
}

/* The same and shared_size. */
Datum
wfml_cache_stats_2(PG_FUNCTION_ARGS)
{
	return stats(fcinfo, 6);
}

/* cache_clear() → number of models that left this session's cache; answers go too */
Datum
wfml_cache_clear(PG_FUNCTION_ARGS)
{
	dlist_mutable_iter iter;
	int			n = 0;

	(void) wfml_predcache_clear();
	dlist_foreach_modify(iter, &lru)
	{
		forget(dlist_container(Entry, lru, iter.cur));
		n++;
	}
	PG_RETURN_INT32(n);
}
