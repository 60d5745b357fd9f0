/*-------------------------------------------------------------------------
 * traffic.h
 *	  Which version answers a logged prediction.
 *
 * registry.traffic: {"a": version, "b": version, "share": 0..1, "mode":
 * "route" | "shadow"}.  A stable hash of the entity (without one: of the
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
} WfmlTraffic;

/* False: not divided (NULL, or not of that form). */
extern bool wfml_traffic_parse(Jsonb *traffic, WfmlTraffic *result);
/* Does the hash of an entity, or of an input's features, fall to version b? */
extern bool wfml_traffic_chooses_b(const WfmlTraffic *traffic, uint64 hash);
extern uint64 wfml_traffic_hash(const void *bytes, size_t length);

#endif							/* WFML_TRAFFIC_H */
