/*-------------------------------------------------------------------------
 * callsite.c
 *	  The model and the row type of one call site, kept in fn_extra.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/snapmgr.h"

#include "pg/callsite.h"
#include "pg/compat.h"
#include "pg/kind.h"
#include "pg/tables.h"

WfmlSite *
wfml_site_create(MemoryContext context)
{
	WfmlSite   *site = MemoryContextAllocZero(context, sizeof(WfmlSite));

	site->context = context;
	site->tasks = WFML_TABLE_TASKS;
	return site;
}

WfmlSite *
wfml_site(FunctionCallInfo fcinfo)
{
	WfmlSite   *site = fcinfo->flinfo ? fcinfo->flinfo->fn_extra : NULL;

	if (site == NULL)
	{
		site = wfml_site_create(fcinfo->flinfo ? fcinfo->flinfo->fn_mcxt : CurrentMemoryContext);
		if (fcinfo->flinfo)
			fcinfo->flinfo->fn_extra = site;
	}
	return site;
}

/* ---- which model ---- */

static inline bool
holds(const WfmlMoment *moment, Oid user)
{
	Snapshot	snapshot;

	if (!moment->valid || moment->generation != wfml_generation() || moment->user != user || !ActiveSnapshotSet())
		return false;
	snapshot = GetActiveSnapshot();
	return snapshot->xmin == moment->xmin && snapshot->xmax == moment->xmax &&
		snapshot->xcnt == moment->xcnt && snapshot->subxcnt == moment->subxcnt &&
		snapshot->curcid == moment->curcid;
}

bool
wfml_moment_holds(const WfmlMoment *moment, Oid user)
{
	return holds(moment, user);
}

void
wfml_moment_begin(WfmlMoment *moment, Oid user)
{
	moment->valid = false;
	moment->user = user;
	moment->generation = wfml_generation();
}

void
wfml_moment_end(WfmlMoment *moment)
{
	if (ActiveSnapshotSet())
	{
		Snapshot	snapshot = GetActiveSnapshot();

		moment->xmin = snapshot->xmin;
		moment->xmax = snapshot->xmax;
		moment->xcnt = snapshot->xcnt;
		moment->subxcnt = snapshot->subxcnt;
		moment->curcid = snapshot->curcid;
		moment->valid = true;
	}
}

static void
start_resolving(WfmlSite *site, Oid user)
{
	wfml_moment_begin(&site->moment, user);
	site->type = InvalidOid;
}

static void
finish_resolving(WfmlSite *site)
{
	/* Asked for again even when the id is the same: the cache checks the bytes then. */
	const WfmlCached *before = site->cached;

	site->jsonmap = NULL;
	site->cached = wfml_cache_get(site->resolved.id, site->context);
	if (before)
		wfml_cache_unpin(before, site->context);
	wfml_check_task(site->cached->model, site->resolved.name, site->tasks);
	wfml_moment_end(&site->moment);
}

void
wfml_site_use_name(WfmlSite *site, text *reference)
{
	wfml_site_use_name_as(site, reference, GetUserId());
}

void
wfml_site_use_name_as(WfmlSite *site, text *reference, Oid user)
{
	const char *bytes = VARDATA_ANY(reference);
	size_t		length = VARSIZE_ANY_EXHDR(reference);

	if (!site->by_id && strncmp(site->reference, bytes, length) == 0 &&
		length < WFML_REFERENCE_SIZE && site->reference[length] == '\0' && holds(&site->moment, user))
		return;
	start_resolving(site, user);
	wfml_resolve(text_to_cstring(reference), user, &site->resolved);
	site->by_id = false;
	memcpy(site->reference, bytes, length);
	site->reference[length] = '\0';
	finish_resolving(site);
}

void
wfml_site_use_id(WfmlSite *site, int64 id)
{
	if (site->by_id && site->resolved.id == id && holds(&site->moment, GetUserId()))
		return;
	start_resolving(site, GetUserId());
	site->by_id = true;
	wfml_resolve_id(id, site->moment.user, &site->resolved);
	finish_resolving(site);
}

void
wfml_site_use_resolved(WfmlSite *site, const WfmlResolved *resolved, Oid user)
{
	if (site->by_id && site->resolved.id == resolved->id && holds(&site->moment, user))
		return;
	start_resolving(site, user);
	site->by_id = true;
	site->resolved = *resolved;
	finish_resolving(site);
}

/* ---- the row ---- */

/*
 * Is it the row type that the map was made for?  A table's may have been
 * altered by another session since; anonymous ones never change.
 */
static bool
same_row_type(const WfmlSite *site, Oid type, int32 typmod)
{
	return type == site->type && typmod == site->typmod &&
		(type == RECORDOID || site->type_entry->tupDesc_identifier == site->type_identifier);
}

static void
record_features(WfmlSite *site, HeapTupleHeader row)
{
	Oid			type = HeapTupleHeaderGetTypeId(row);
	int32		typmod = HeapTupleHeaderGetTypMod(row);

	if (!same_row_type(site, type, typmod))
	{
		site->type = InvalidOid;
		site->rowmap = wfml_cache_rowmap(site->cached, site->resolved.name, type, typmod, site->context);
		if (type != RECORDOID)
		{
			site->type_entry = lookup_type_cache(type, TYPECACHE_TUPDESC);
			site->type_identifier = site->type_entry->tupDesc_identifier;
		}
		site->typmod = typmod;
		site->type = type;
	}
	wfml_rowmap_heap(site->rowmap, row, site->cached->x);
}

static void
jsonb_features(WfmlSite *site, Jsonb *object)
{
	if (site->jsonmap == NULL)
		site->jsonmap = wfml_cache_jsonmap(site->cached, site->resolved.name, site->context);
	wfml_jsonmap_features(site->jsonmap, object, site->cached->x);
}

/* A column named like the table wins over the table's row: then its text comes here. */
static void
json_error(void *arg)
{
	int			code = geterrcode();

	if (code == ERRCODE_INVALID_TEXT_REPRESENTATION)
		errhint("The input is read as JSON text. If a row of table t was meant, write t.*: a column named like the table wins over the row.");
}

static Jsonb *
parse_json(text *input)
{
	ErrorContextCallback callback;
	Datum		parsed;

	callback.callback = json_error;
	callback.arg = NULL;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	parsed = DirectFunctionCall1(jsonb_in, CStringGetDatum(text_to_cstring(input)));
	error_context_stack = callback.previous;
	return DatumGetJsonbP(parsed);
}

const float *
wfml_site_features(WfmlSite *site, WfmlInput kind, Datum input)
{
	switch (kind)
	{
		case WFML_INPUT_RECORD:
			record_features(site, DatumGetHeapTupleHeader(input));
			break;
		case WFML_INPUT_JSONB:
			jsonb_features(site, DatumGetJsonbP(input));
			break;
		case WFML_INPUT_JSON:
			jsonb_features(site, parse_json(DatumGetTextPP(input)));
			break;
	}
	return site->cached->x;
}
