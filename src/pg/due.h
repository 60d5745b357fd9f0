/*-------------------------------------------------------------------------
 * due.h
 *	  Models whose policy says that they are to be trained again, and why.
 *
 * A model that was retrained in vain (it failed, or the new version did not
 * win) waits a day, then two, four, … sixteen before the next try, until one
 * wins or somebody trains it.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_DUE_H
#define WFML_DUE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

typedef struct WfmlDue
{
	const char *model;
	int64		number;			/* registry.number */
	Oid			owner;
	int32		version;		/* the active one */
	const char *search_path;	/* stored; may be NULL */
	const char *timezone;
	const char *source;			/* NULL: none is stored */
	const char *target;			/* NULL: none */
	double		max_seconds;
	double		min_score_drop; /* NaN: not for that */
	int64		min_new_rows;	/* 0: not for that */
	int64		known_rows;		/* rows that the newest version was trained on */
	bool		wants_drift;	/* drift is to be measured for the next decision */
	List	   *reasons;		/* of char *; NIL: not due */
	int			in_vain;		/* retrainings since the last that won */
	bool		waiting;		/* not to be tried before not_before */
	TimestampTz not_before;
	const char *note;			/* NULL: none */
} WfmlDue;

/*
 * Models with a policy and a version whose owner's rights the user has, those
 * tried in vain last; reasons of age and drift are filled in.
 */
extern List *wfml_due_candidates(Oid user);

/* Add the reason of the live score. */
extern void wfml_due_score(WfmlDue *due);

/*
 * Add the reason of new rows: runs the source as the owner, no further than
 * it takes.  The caller sets a time limit.
 */
extern void wfml_due_rows(WfmlDue *due);

/* "; "-separated. */
extern char *wfml_due_reasons(const WfmlDue *due);

#endif							/* WFML_DUE_H */
