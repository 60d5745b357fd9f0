/*-------------------------------------------------------------------------
 * bindkind.h
 *	  The kinds of rows that an application binds, and their columns.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_BINDKIND_H
#define WFML_BINDKIND_H

#include "postgres.h"

/* What a column's type must be. */
typedef enum WfmlBindType
{
	WFML_BIND_ANY,				/* an identity, read as text */
	WFML_BIND_TIME,				/* timestamp with or without time zone */
	WFML_BIND_BOOLEAN,
	WFML_BIND_NUMBER,
	WFML_BIND_TEXT,
	WFML_BIND_TEXTS,			/* an array of text */
	WFML_BIND_INTERVAL
} WfmlBindType;

typedef struct WfmlBindColumn
{
	const char *name;
	WfmlBindType type;
	bool		required;
} WfmlBindColumn;

#define WFML_BIND_COLUMNS 12

typedef struct WfmlBindKind
{
	const char *name;
	const char *time;			/* since, until and row_limit go by it; NULL: none */
	WfmlBindColumn columns[WFML_BIND_COLUMNS];	/* ends with a NULL name */
} WfmlBindKind;

/* An unknown kind: ERROR 22023 naming them all. */
extern const WfmlBindKind *wfml_bind_kind(const char *name);

/* Of that name in the kind; NULL: none. */
extern const WfmlBindColumn *wfml_bind_kind_column(const WfmlBindKind *kind, const char *name);

/* "workflow_id, started_at, …": those that must be there. */
extern char *wfml_bind_required(const WfmlBindKind *kind);

/* ERROR 42804 with the cast to write unless the type will do. */
extern void wfml_bind_check_type(const WfmlBindKind *kind, const WfmlBindColumn *column, Oid type);

#endif							/* WFML_BINDKIND_H */
