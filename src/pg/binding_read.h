/*-------------------------------------------------------------------------
 * binding_read.h
 *	  Running a query over a binding, into any receiver.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_BINDING_READ_H
#define WFML_BINDING_READ_H

#include "postgres.h"

#include "tcop/dest.h"

#include "pg/binding.h"

/*
 * A query whose plan the session keeps under its binding and shape, a string
 * that says all that the text depends on.  Only where there is no plan yet is
 * the text asked for: build(arg, binding), run as the binding's owner.
 */
typedef struct WfmlBoundQuery
{
	const char *shape;
	size_t		shape_size;
	char	   *(*build) (void *arg, const WfmlBinding *binding);
	void	   *arg;
	int			n;				/* parameters */
	const Oid  *types;
	const Datum *values;
	const char *nulls;			/* as for SPI; NULL: none is null */
} WfmlBoundQuery;

/* The binding's query as a sub-select "(…\n) q" in the text of sql in the place of %s. */
extern char *wfml_binding_embed(const WfmlBinding *binding, const char *sql);

/* Read-only and as the owner; the receiver runs as the owner too. */
extern void wfml_binding_run(const WfmlBinding *binding, const WfmlBoundQuery *query, DestReceiver *dest);

#endif							/* WFML_BINDING_READ_H */
