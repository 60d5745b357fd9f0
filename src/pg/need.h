/*-------------------------------------------------------------------------
 * need.h
 *	  What users do again and again: found among the bound events (need.c),
 *	  kept in tables (need_kept.c).
 *-------------------------------------------------------------------------
 */
#ifndef WFML_NEED_H
#define WFML_NEED_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "pg/binding.h"
#include "pg/frequent.h"

/* Most sequences that are kept. */
#define WFML_NEEDS_KEPT 100
/* A user does what he did in so many sessions. */
#define WFML_NEEDS_OWN_SESSIONS 2

typedef struct WfmlNeed
{
	Datum		values[WFML_PATTERN_COLUMNS];	/* columns of wfml.pattern */
	bool		nulls[WFML_PATTERN_COLUMNS];
	int			place;			/* of a search only: among all, by falling saving */
	int64		sessions;		/* that contain it; of one user where one was asked for */
	double		saving;			/* events less in a session, on average */
} WfmlNeed;

/* One user's part in a need. */
typedef struct WfmlNeedUser
{
	int64		user_hash;
	int64		sessions;
	double		saving;
} WfmlNeedUser;

typedef struct WfmlNeeds
{
	int			n;
	WfmlNeed   *need;
	TimestampTz made_at;
	/* of a search only */
	int64		sessions;
	int64		users;
	double		min_support;
	WfmlNeedUser **by_user;		/* for each need, those with WFML_NEEDS_OWN_SESSIONS or more */
	int		   *n_by_user;
} WfmlNeeds;

/* A user's id as it is kept. */
extern int64 wfml_need_user_hash(const char *user_id, size_t length);

/* Search the binding's events; all in CurrentMemoryContext, by falling saving. */
extern void wfml_needs_search(const WfmlBinding *binding, WfmlNeeds *needs);

/* Replace what is kept for the binding. */
extern void wfml_needs_keep(const WfmlBinding *binding, const WfmlNeeds *needs);
/* What is kept, all or a user's (by falling saving); false: nothing was ever kept for this binding. */
extern bool wfml_needs_kept(const WfmlBinding *binding, const int64 *user_hash, WfmlNeeds *needs);

#endif							/* WFML_NEED_H */
