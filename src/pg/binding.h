/*-------------------------------------------------------------------------
 * binding.h
 *	  The application's tables, bound by kind, and reading them.
 *
 * A binding is a query that its owner stored for a kind (runs, events,
 * workflows, usage, patterns, suggestions).  It is found for the current user:
 * his own first, else the one that was granted to him.  It always runs as its
 * owner, in a security-restricted operation with row security on (owner.h),
 * whoever asks.
 */
#ifndef WFML_BINDING_H
#define WFML_BINDING_H

#include "postgres.h"

#include "executor/spi.h"

typedef struct WfmlBinding
{
	int64		id;				/* changes when the kind is bound anew */
	Oid			owner;
	char	   *kind;
	char	   *query;			/* the stored query, which yields the kind's columns */
	char	   *search_path;
	char	   *timezone;
	ArrayType  *known_at_start; /* text[]: further columns of runs that are known when a run starts */
	Datum		columns;		/* jsonb: {"column": "type as format_type() writes it", …} */
	Datum		session_gap;	/* interval: events further apart belong to two sessions */
} WfmlBinding;

/*
 * The current user's binding of that kind, in CurrentMemoryContext.  None:
 * NULL if missing_ok, else 42704 with a HINT to wfml.bind().  Granted by
 * several owners and none of his own: 42725 naming them.
 */
extern WfmlBinding *wfml_binding_find(const char *kind, bool missing_ok);

/* Does it have that column? */
extern bool wfml_binding_has(const WfmlBinding *binding, const char *column);
/* The type of a column as it was bound, for casts in a query's text; NULL: no such column. */
extern const char *wfml_binding_type(const WfmlBinding *binding, const char *column);

/*
 * Run a query over it, read-only, as its owner.  sql holds %s once where the
 * bound query goes as a sub-select, e.g.
 *		SELECT started_at FROM (%s) q WHERE q.workflow_id = $1::bigint ORDER BY 1 DESC LIMIT 100
 * Plans are kept for the session by (binding's id, sql).  Each row goes to
 * row(arg, …), valid during that call only; false ends the query early.  What
 * row() allocates in the current context is gone some rows later.
 * Within a function that SPI called it nests as usual.
 */
typedef bool (*WfmlBoundRow) (void *arg, HeapTuple tuple, TupleDesc desc);
extern void wfml_binding_read(const WfmlBinding *binding, const char *sql, int n, const Oid *types, const Datum *values,
							  const char *nulls, WfmlBoundRow row, void *arg);

#endif							/* WFML_BINDING_H */
