/*-------------------------------------------------------------------------
 * publish.h
 *	  Changing rows of the registry, between wfml_write_begin and _end.
 *
 * (wfml_publish itself stands in registry.h, where train() looks for it.)
 *-------------------------------------------------------------------------
 */
#ifndef WFML_PUBLISH_H
#define WFML_PUBLISH_H

#include "postgres.h"

#include "pg/registry.h"

/* A registry row, locked until the end of the transaction. */
typedef struct WfmlLocked
{
	int64		active_id;		/* 0: none */
	int32		active_version;
	int32		last_version;
	bool		has_fallback;
} WfmlLocked;

/*
 * Lock the row of a name and check that the user owns it (42501); false: no
 * such row.
 */
extern bool wfml_lock_model(const char *name, Oid user, WfmlLocked *locked);

/* The same for a name that may be new: its row is made, for the user. */
extern void wfml_lock_or_create_model(const char *name, Oid user, WfmlLocked *locked);

/* Make a version the active one and remember that it was; the row is locked. */
extern void wfml_set_active(const char *name, int64 id, int32 version, Oid user);

#endif							/* WFML_PUBLISH_H */
