/*-------------------------------------------------------------------------
 * trigger.h
 *	  What triggers of wfml have in common.
 *
 * Row triggers keep their state in fn_extra: the server makes one FmgrInfo for
 * each trigger, statement and relation (partition), so what is there holds for
 * a statement.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_TRIGGER_H
#define WFML_TRIGGER_H

#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"

/*
 * A row trigger's data; ERROR 39P01 when function was not called as one, at
 * that time (TRIGGER_EVENT_BEFORE or _AFTER), for INSERT or UPDATE, with that
 * many arguments.
 */
extern TriggerData *wfml_trigger_data(FunctionCallInfo fcinfo, const char *function, uint32 timing,
									  int min_args, int max_args, const char *usage);

/* The row as it is, or will be. */
extern HeapTuple wfml_trigger_row(const TriggerData *trigger);

/* Number of a column by name; InvalidAttrNumber: there is none. */
extern AttrNumber wfml_trigger_column(const TriggerData *trigger, const char *name);

/*
 * A column's value as labels and entities are written, the same in every
 * session ("true", shortest numbers, ISO dates, times with a zone in UTC); 0: NULL.  In CurrentMemoryContext.
 */
typedef struct WfmlAsText
{
	AttrNumber	attno;			/* InvalidAttrNumber: always NULL */
	Oid			type;			/* without domains */
	FmgrInfo	output;
} WfmlAsText;

extern void wfml_as_text_init(WfmlAsText *as_text, TupleDesc desc, AttrNumber attno, MemoryContext context);
extern Datum wfml_as_text(WfmlAsText *as_text, HeapTuple row, TupleDesc desc);

/*
 * One WARNING for each statement, table (that of a partition) and model,
 * however many rows and triggers meet the problem.
 */
extern void wfml_trigger_warning(const TriggerData *trigger, const char *model, const char *problem,
								 const char *consequence);

#endif							/* WFML_TRIGGER_H */
