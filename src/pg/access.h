/*-------------------------------------------------------------------------
 * access.h
 *	  Who may use a model and who may change it.
 *
 * Owners (by role membership) and superusers change; to use one needs that,
 * or a grant to a role that one is a member of, or to PUBLIC.  A model whose
 * owner was dropped is an orphan and serves superusers only.  The views state
 * the same rule in SQL (registry.sql, usable_model).
 *-------------------------------------------------------------------------
 */
#ifndef WFML_ACCESS_H
#define WFML_ACCESS_H

#include "postgres.h"

extern bool wfml_is_owner(Oid owner, Oid user);
extern bool wfml_may_use(const char *name, Oid owner, Oid user);
/* An existing role's name, or the number that views show for one that was dropped; 42704 with that hint. */
extern Oid	wfml_role_or_number(Name role, const char *hint);

/* WF001 with the closest names that the user may use as HINT; does not return. */
extern void wfml_unknown_model(const char *reference, Oid user) __attribute__((noreturn));

/* Owner of a model under the active snapshot; false: no such name. */
extern bool wfml_find_owner(const char *name, Oid *owner);

/*
 * WF001 when there is no such model, 42501 when the current user may not
 * change it.
 */
extern void wfml_check_owner(const char *name);

#endif							/* WFML_ACCESS_H */
