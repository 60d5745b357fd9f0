/*-------------------------------------------------------------------------
 * columns.h
 *	  Which columns of a source are features, and what the others are.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_COLUMNS_H
#define WFML_COLUMNS_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "nodes/pg_list.h"

#include "core/schema.h"
#include "pg/source.h"

typedef struct WfmlColumn
{
	const char *name;
	AttrNumber	attno;			/* of the source's rows */
	Oid			type;
	bool		supported;		/* its type can be a feature of that kind */
	WfColumnKind kind;
	bool		by_user;		/* named in features */
	WfLeftOut	left_out;		/* as far as it is known before rows are read */
	const char *reason;			/* for people; NULL when kept */
	int			schema_index;	/* of the column in the schema; -1: its values were not read */
} WfmlColumn;

typedef struct WfmlColumns
{
	int			n;
	WfmlColumn *column;
	/* indexes of columns with a role, -1: none */
	int			target;
	int			weight;
	int			group;
	int			scale;			/* groups that numbers are scaled by: read as WF_COL_GROUP */
	int			time;
	int			key;			/* tells rows apart: a primary key or unique column */
} WfmlColumns;

/*
 * Decide on every column of desc.  Errors: duplicate names 42701, names that
 * do not exist 42703, an unsupported type named by the user 0A000, the target
 * among the features 22023.  In CurrentMemoryContext.
 */
extern WfmlColumns *wfml_columns_decide(const WfmlSourceRequest *request, TupleDesc desc,
										const WfmlOrigin *origins);

/*
 * After the rows were read: the reason of a column that wf_schema_finish()
 * left out, NULL when it stayed.
 */
extern const char *wfml_column_reason(const WfmlColumn *column, WfLeftOut left_out);

/* ", "-separated names in double quotes. */
extern char *wfml_quoted_names(List *names);

#endif							/* WFML_COLUMNS_H */
