/*-------------------------------------------------------------------------
 * timelimit.h
 *	  A time limit on work that runs what others stored.
 *
 * Unlike statement_timeout it is set in the middle of a statement.  When the
 * time is over the work is cancelled as pg_cancel_backend() would; a function
 * that catches the cancel is cancelled again each second, and ten seconds
 * later the session is ended, which nothing can catch.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_TIMELIMIT_H
#define WFML_TIMELIMIT_H

#include "postgres.h"

/* Not nested.  An ERROR must pass through wfml_time_limit_end() too, or end the statement. */
extern void wfml_time_limit_begin(double seconds);
/* Was the time over? */
extern bool wfml_time_limit_end(void);

#endif							/* WFML_TIMELIMIT_H */
