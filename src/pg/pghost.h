/*-------------------------------------------------------------------------
 * pghost.h
 *	  The server as the core's host: a MemoryContext, interrupts, ereport.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_PGHOST_H
#define WFML_PGHOST_H

#include "postgres.h"

#include "core/host.h"

/* A host bound to a context; it lives in that context and dies with it. */
extern WfHost *wfml_host_create(MemoryContext context);
extern MemoryContext wfml_host_context(WfHost *host);
/* Refuse to grow the context past that many bytes, naming the setting in the error. */
extern void wfml_host_limit(WfHost *host, size_t bytes, const char *setting);
/* Report host->progress() to wfml.training_progress. */
extern void wfml_host_report(WfHost *host);
/* Temporary files live as long as the context, past the end of the transaction. */
extern void wfml_host_keep_files(WfHost *host);
/* SQLSTATE of a core error. */
extern int	wfml_sqlstate(WfCode code);

#endif							/* WFML_PGHOST_H */
