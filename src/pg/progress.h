/*-------------------------------------------------------------------------
 * progress.h
 *	  What running trainings are doing, for wfml.training_progress.
 *
 * Slots in a small shared segment that needs no shared_preload_libraries.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_PROGRESS_H
#define WFML_PROGRESS_H

#include "postgres.h"

#include "core/host.h"

extern void wfml_progress_begin(const char *model, const char *algorithm);
extern void wfml_progress_set(WfPhase phase, uint64 done, uint64 total);
extern void wfml_progress_end(void);	/* also at error, by the memory context's callback */

#endif							/* WFML_PROGRESS_H */
