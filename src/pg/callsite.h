/*-------------------------------------------------------------------------
 * callsite.h
 *	  The model and the row type of one call site, kept in fn_extra.
 *
 * A name is resolved once and the result used again while the active snapshot
 * is the same one (by xmin, xmax, xcnt, subxcnt and curcid), no change of the
 * registry was heard of, and the user is the same: then resolving again could
 * only give the same.  Everything per row afterwards is arithmetic.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_CALLSITE_H
#define WFML_CALLSITE_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "fmgr.h"
#include "utils/typcache.h"

#include "pg/cache.h"
#include "pg/registry.h"

/* How the input argument comes. */
typedef enum WfmlInput
{
	WFML_INPUT_RECORD,
	WFML_INPUT_JSONB,
	WFML_INPUT_JSON				/* json, or text that holds JSON */
} WfmlInput;

/*
 * When, and for whom, something was read from the registry.  It holds while
 * the active snapshot is that one, the user is the same and no change was
 * heard of: reading again could only give the same.
 */
typedef struct WfmlMoment
{
	bool		valid;
	Oid			user;
	uint64		generation;
	TransactionId xmin;
	TransactionId xmax;
	uint32		xcnt;
	int32		subxcnt;
	CommandId	curcid;
} WfmlMoment;

/* Before reading, and after: what arrives in between then counts as a change. */
extern void wfml_moment_begin(WfmlMoment *moment, Oid user);
extern void wfml_moment_end(WfmlMoment *moment);
extern bool wfml_moment_holds(const WfmlMoment *moment, Oid user);

/* "name@version" */
#define WFML_REFERENCE_SIZE (NAMEDATALEN + 12)

typedef struct WfmlSite
{
	/* what the call is about; valid after wfml_site_use_… */
	WfmlResolved resolved;
	const WfmlCached *cached;
	TupleDesc	result;			/* blessed, for composite results; set by the caller */
	unsigned	tasks;			/* models that the function works with (kind.h); by wfml_site() those of tables */

	/* when and how it was resolved */
	MemoryContext context;
	WfmlMoment	moment;
	bool		by_id;
	char		reference[WFML_REFERENCE_SIZE];

	/* maps of the input, valid for this resolution */
	Oid			type;
	int32		typmod;
	TypeCacheEntry *type_entry; /* of a named type, and what its row looked like */
	uint64		type_identifier;
	WfmlRowMap *rowmap;
	WfmlJsonMap *jsonmap;

	void	   *own;			/* what the function itself keeps, in its flinfo's context; NULL at first */
} WfmlSite;

/* The call site's state; without a flinfo (DirectFunctionCall) one for this call. */
extern WfmlSite *wfml_site(FunctionCallInfo fcinfo);
/* One that is no function's, such as a trigger's; lives in context. */
extern WfmlSite *wfml_site_create(MemoryContext context);

/*
 * Make resolved and cached say what the name, or the id, means now to the
 * current user; WF002 when it is no model for this function.
 */
extern void wfml_site_use_name(WfmlSite *site, text *reference);
/* The same with the rights of another role, such as a table's owner. */
extern void wfml_site_use_name_as(WfmlSite *site, text *reference, Oid user);
extern void wfml_site_use_id(WfmlSite *site, int64 id);
/* A version that the caller has resolved, and whose use by that role it has checked, in this statement. */
extern void wfml_site_use_resolved(WfmlSite *site, const WfmlResolved *resolved, Oid user);

/*
 * The features of an input for the model in use: cached->x, overwritten by the
 * next call.
 */
extern const float *wfml_site_features(WfmlSite *site, WfmlInput kind, Datum input);

#endif							/* WFML_CALLSITE_H */
