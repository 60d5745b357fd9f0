/*-------------------------------------------------------------------------
 * attached.h
 *	  The triggers of tables that name a model.
 *
 * What counts are the triggers themselves, also those made without attach():
 * ones of wfml's trigger functions whose first argument is the model.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_ATTACHED_H
#define WFML_ATTACHED_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/pg_list.h"

typedef enum WfmlTriggerKind
{
	WFML_TRIGGER_PREDICT,
	WFML_TRIGGER_LOG,
	WFML_TRIGGER_OUTCOME
} WfmlTriggerKind;

#define WFML_N_TRIGGER_KINDS 3

/* "predict_trigger", … */
extern const char *wfml_trigger_function(WfmlTriggerKind kind);

typedef struct WfmlAttached
{
	Oid			oid;			/* of pg_trigger */
	Oid			relation;
	WfmlTriggerKind kind;
	NameData	name;
	bool		enabled;
	bool		on_insert;
	bool		on_update;
	int			n_watched;		/* columns of UPDATE OF; 0: all */
	AttrNumber *watched;
} WfmlAttached;

/*
 * Triggers of a relation, or of all with InvalidOid, that name the model or
 * one of its versions: list of WfmlAttached, without the clones that
 * partitions have.
 */
extern List *wfml_attached(Oid relation, const char *model);

/* Drop them all; locks the tables. */
extern void wfml_attached_drop(List *attached);

/* Let the triggers that name a model name it by its new name. */
extern void wfml_attached_rename(const char *old_name, const char *new_name);

/*
 * ERROR 2BP01 naming tables whose triggers use the model, as long as their
 * owners may use it.
 */
extern void wfml_refuse_attached(const char *action, const char *model);

#endif							/* WFML_ATTACHED_H */
