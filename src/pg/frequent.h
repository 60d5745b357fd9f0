/*-------------------------------------------------------------------------
 * frequent.h
 *	  What frequent_sequences() and the needs share around the core's miner.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_FREQUENT_H
#define WFML_FREQUENT_H

#include "postgres.h"

#include "pgtime.h"

#include "core/frequent.h"

/* Found sequences, closed or not, past which a search gives up. */
#define WFML_FREQUENT_FOUND 200000

/*
 * The minute of the week of each event of a finished, timed log, by the clock
 * of a zone (times are then UTC), or as it is (NULL).  From the host.
 */
extern uint16_t *wfml_frequent_minutes(WfHost *host, const WfEventLog *log, pg_tz *zone);
/* The events' order by their bytes, for cases->rank.  From the host. */
extern uint32_t *wfml_frequent_rank(WfHost *host, const WfEventLog *log);

/* Columns of type wfml.pattern, in its order. */
#define WFML_PATTERN_COLUMNS 8

extern void wfml_frequent_values(const WfEventLog *log, const WfFrequentPattern *pattern,
								 Datum values[WFML_PATTERN_COLUMNS], bool nulls[WFML_PATTERN_COLUMNS]);

#endif							/* WFML_FREQUENT_H */
