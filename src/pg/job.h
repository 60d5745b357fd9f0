/*-------------------------------------------------------------------------
 * job.h
 *	  Rows of wfml.job_run, and work that commits step by step.
 *
 * A running job is owned by the process whose pid and start time stand in its
 * row; when that process is gone the job has failed, whatever the row says.
 * Jobs that end well are marked in the transaction that holds their result.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_JOB_H
#define WFML_JOB_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/jsonb.h"

/* How work that consists of several steps may end a step. */
typedef enum WfmlCommit
{
	WFML_COMMIT_NOT,			/* in a transaction block: subtransactions only */
	WFML_COMMIT_SPI,			/* a procedure, connected by SPI_connect_ext(SPI_OPT_NONATOMIC) */
	WFML_COMMIT_PLAIN			/* a background worker */
} WfmlCommit;

/*
 * For a procedure: refuse read-only transactions, connect to SPI, and say how
 * it may commit.  It ends by SPI_finish().
 */
extern WfmlCommit wfml_procedure_begin(FunctionCallInfo fcinfo, const char *command);

/* Commit and begin anew. No snapshot is active then. */
extern void wfml_commit_step(WfmlCommit commit);

/*
 * Run work(arg) in a subtransaction with an active snapshot; NULL: it went
 * well.  Otherwise all it did is rolled back, and the error, whichever it is,
 * is given in CurrentMemoryContext.
 *
 * A cancel between two steps would leave a job in state "running" that nobody
 * runs: from claiming a job until its end is written hold cancels
 * (HOLD_CANCEL_INTERRUPTS), which each step then lets in.
 */
extern ErrorData *wfml_step(void (*work) (void *arg), void *arg);
/* The same without a snapshot. */
extern ErrorData *wfml_step_bare(void (*work) (void *arg), void *arg);

/* Did somebody cancel us?  (Stored code can raise the same SQLSTATE.) */
extern bool wfml_is_cancel(const ErrorData *error);

/*
 * Session-level advisory locks that stored code took would stay with us: see
 * that there are none of our own before, then let go of all after it.
 */
extern bool wfml_holds_advisory_locks(void);
extern void wfml_drop_advisory_locks(void);

/*
 * Others can hold rows locked as long as they like (by cancel_job() or an
 * outcome in a transaction that stays open): from here until wfml_waiting_end()
 * waiting for a lock fails after a few seconds (55P03).  An ERROR ends it, too.
 */
extern int	wfml_waiting_begin(void);
extern void wfml_waiting_end(int level);

/* A job's row. */
typedef struct WfmlJob
{
	int64		id;
	const char *model;
	Oid			role;
	Jsonb	   *arguments;		/* of queued jobs */
	const char *search_path;	/* of queued jobs */
	const char *timezone;
	const char *user_id;
} WfmlJob;

/*
 * The following write as the tables' owner, in the current transaction.
 */

/* A row in state "running", by this process.  model_number 0: none. */
extern int64 wfml_job_start(const char *kind, const char *model, int64 model_number, Oid role, const char *reason);

/*
 * The end of a running job: status "done", "kept", "failed" or "cancelled".
 * version 0, message NULL, result NULL: none.  True: it was cancel_job() that
 * asked for its end.  In state "failed" or "cancelled" cancels wait until it
 * is written, though not if somebody holds the row locked too long (55P03).
 */
extern bool wfml_job_end(int64 id, const char *status, int32 version, const char *message, Jsonb *result);

/* The end that an error means; true as above. */
extern bool wfml_job_end_by_error(int64 id, const ErrorData *error, bool time_is_over, double max_seconds);

/*
 * wfml_step() for work that calls it.  False, with a WARNING: the row stays
 * locked, as by a cancel_job() that is not committed.  Other errors are raised.
 */
extern bool wfml_job_fail_step(void (*work) (void *arg), void *arg);

/* Running jobs whose process is gone have failed. */
extern void wfml_jobs_reap(void);

/* Is that a function that jobs may call? */
extern bool wfml_job_callable(const char *function);

/* Run a queued job here if it is still queued; an error is its row's, unless it is our own cancel. */
extern void wfml_job_run(int64 id, WfmlCommit commit);

/*
 * All queued jobs that the current user has the rights for; only: of that
 * role alone, if valid.
 */
extern void wfml_jobs_run_queued(WfmlCommit commit, Oid only);

/* How many jobs run now; between wfml_write_begin and _end. */
extern int	wfml_jobs_running(void);

#endif							/* WFML_JOB_H */
