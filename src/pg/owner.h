/*-------------------------------------------------------------------------
 * owner.h
 *	  Running what a model's owner stored (sources, fallbacks) as that owner.
 *
 * Whoever triggers it (a superuser, pg_cron, an inserting role) must not lend
 * it his rights: as REFRESH MATERIALIZED VIEW does, the owner becomes the
 * current user in a security-restricted operation, settings that the stored
 * SQL changes end with it, and row security is on.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_OWNER_H
#define WFML_OWNER_H

#include "postgres.h"

typedef struct WfmlAsOwner
{
	Oid			user;
	int			security;
	int			nest;
} WfmlAsOwner;

/*
 * Become the owner; 42704 when that role is gone.  search_path and timezone
 * as stored in the registry; NULL: "pg_catalog, pg_temp", the session's zone.
 * An ERROR undoes all of it by itself.
 */
extern void wfml_as_owner_begin(WfmlAsOwner *as, Oid owner, const char *search_path, const char *timezone);
extern void wfml_as_owner_end(const WfmlAsOwner *as);

#endif							/* WFML_OWNER_H */
