/*-------------------------------------------------------------------------
 * trigger_target.h
 *	  A column that a prediction is written to.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_TRIGGER_TARGET_H
#define WFML_TRIGGER_TARGET_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "fmgr.h"

#include "pg/detail.h"

typedef struct WfmlTarget
{
	AttrNumber	attno;			/* InvalidAttrNumber: none */
	Oid			declared;		/* type, perhaps a domain */
	Oid			type;			/* without domains */
	int32		typmod;
	FmgrInfo	input;
	Oid			ioparam;
	void	   *domain;			/* of domain_check() */
	MemoryContext context;
} WfmlTarget;

/* Can predictions be written to a column of that type? */
extern bool wfml_target_takes(Oid type);
/* Is it one of numbers, where a confidence fits? */
extern bool wfml_target_takes_number(Oid type);

extern void wfml_target_init(WfmlTarget *target, TupleDesc desc, AttrNumber attno, MemoryContext context);

/*
 * The answer in the column's type: floats and numeric get the value or
 * P(positive), the others the label; a number without a label goes rounded
 * into integers, as >= 0.5 into booleans, as text elsewhere.  What does not
 * fit is an error of the type's input function.
 */
extern Datum wfml_target_answer(WfmlTarget *target, const WfmlDetail *detail);
/* A number, NaN as NULL. */
extern Datum wfml_target_number(WfmlTarget *target, double number, bool *isnull);

#endif							/* WFML_TRIGGER_TARGET_H */
