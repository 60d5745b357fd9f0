/*-------------------------------------------------------------------------
 * interactions_source.h
 *	  Users, items and the items' attributes, from queries into the core.
 *
 * Each query runs once, as the current user, in a read-only transaction.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_INTERACTIONS_SOURCE_H
#define WFML_INTERACTIONS_SOURCE_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "nodes/pg_list.h"

#include "core/content.h"
#include "core/interactions.h"
#include "pg/idcolumns.h"

/* Places in WfmlInteractionsSource.column. */
enum
{
	WFML_USER_COLUMN,
	WFML_ITEM_COLUMN,
	WFML_RATING_COLUMN,
	WFML_TIME_COLUMN,
	WFML_N_INTERACTION_COLUMNS
};

typedef struct WfmlInteractionsSource
{
	/* what to read */
	const char *source;			/* relation name or query */
	const char *user_column;
	const char *item_column;
	const char *rating_column;	/* NULL: none */
	const char *time_column;	/* NULL: none */
	const char *items;			/* NULL: none; else relation name or query of items' attributes */
	const char *item_key;		/* NULL: named like item_column */
	bool		quiet;			/* no NOTICEs */

	/* what was read */
	WfInteractions *interactions;
	WfContentReader *content;	/* NULL without items */
	char	   *stored_source;	/* what to store: relations schema-qualified */
	char	   *stored_items;
	WfmlIdColumn column[WFML_N_INTERACTION_COLUMNS];
	TupleDesc	desc;			/* of the source */
	List	   *attributes;		/* of char *: columns of items that describe them */
	uint64		rows_read;		/* of the source */
	uint64		null_users;		/* rows left out, each counted once */
	uint64		null_items;
	uint64		null_ratings;	/* NaN and infinite ones too */
} WfmlInteractionsSource;

/*
 * Read them; everything lives in the host's context.  Raises the errors and
 * NOTICEs that a user needs: columns that are missing or of the wrong type,
 * rows left out, an empty source (P0002).
 */
extern void wfml_interactions_load(WfHost *host, WfmlInteractionsSource *in);

#endif							/* WFML_INTERACTIONS_SOURCE_H */
