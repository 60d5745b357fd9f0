/*-------------------------------------------------------------------------
 * traffic.h
 *	  Which version answers a logged prediction.
 *
 * registry.traffic: {"a": version, "b": version, "share": 0..1, "mode":
 * "route" | "shadow", "salt": integer, "since": time} and, once the split has
 * ended, "until": time.  A stable hash of the entity (without one: of the
 * input) falls below share: b answers.  In mode "shadow" a answers and b is
 * asked beside it for that share.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_TRAFFIC_H
#define WFML_TRAFFIC_H

#include "postgres.h"

#include "utils/jsonb.h"

typedef struct WfmlTraffic
{
	int32		version_a;
	int32		version_b;
	double		share;
	bool		shadow;
	uint32		salt;			/* so that each experiment draws anew */
} WfmlTraffic;

/* False: not divided (NULL, ended, or not of that form). */
extern bool wfml_traffic_parse(Jsonb *traffic, WfmlTraffic *result);
/* Does the hash of an entity, or of an input's features, fall to version b? */
extern bool wfml_traffic_chooses_b(const WfmlTraffic *traffic, uint64 hash);
/* The same on every machine and in every release. */
extern uint64 wfml_traffic_hash(const void *bytes, size_t length);

/*
 * Between wfml_write_begin and _end, the row is locked: end the split of a
 * model with a NOTICE.  version 0: whatever its versions; else only when that
 * one takes part.
 */
extern void wfml_traffic_end(const char *name, int32 version);

#endif							/* WFML_TRAFFIC_H */
