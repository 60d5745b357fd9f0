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

/*
 * Take a slot for this training, given back when the context is reset or
 * deleted, at error too.  Without a free slot the training runs unseen.
 */
extern void wfml_progress_begin(const char *model, const char *algorithm, MemoryContext context);
extern void wfml_progress_set(WfPhase phase, uint64 done, uint64 total);

#endif							/* WFML_PROGRESS_H */
