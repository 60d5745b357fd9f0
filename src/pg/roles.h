/*-------------------------------------------------------------------------
 * roles.h
 *	  Columns that are not learned from but say how: weight, group, time.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_ROLES_H
#define WFML_ROLES_H

#include "postgres.h"

#include "executor/tuptable.h"

#include "pg/columns.h"
#include "pg/input.h"

typedef enum WfmlRoleKind
{
	WFML_ROLE_WEIGHT,
	WFML_ROLE_GROUP,
	WFML_ROLE_TIME,
	WFML_ROLE_IDENTITY
} WfmlRoleKind;

typedef struct WfmlRole
{
	AttrNumber	attno;			/* 0: there is none */
	const char *name;
	WfmlConverter *converter;	/* NULL: through the output function */
	FmgrInfo	out;
} WfmlRole;

/* A type that cannot play the role: ERROR 42804.  In CurrentMemoryContext. */
extern void wfml_role_start(WfmlRole *role, WfmlRoleKind kind, const WfmlColumn *column);

/*
 * Values of a row that is deformed up to attno.  NULL and values without a
 * meaning (negative weights, infinite times): ERROR 22000 naming the column.
 */
extern double wfml_role_weight(const WfmlRole *role, const TupleTableSlot *slot);
/* A hash of the value. */
extern uint64 wfml_role_group(WfmlRole *role, const TupleTableSlot *slot);
/* The same for any value; 0 for NULL. */
extern uint64 wfml_role_identity(WfmlRole *role, const TupleTableSlot *slot);
/* A number in the order of time. */
extern double wfml_role_time(const WfmlRole *role, const TupleTableSlot *slot);

#endif							/* WFML_ROLES_H */
