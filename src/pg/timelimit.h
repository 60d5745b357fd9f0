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

/*
 * False: a limit is in force already, and stays the one that counts; stored
 * code must not be able to lift it by calling what sets one.  An ERROR must
 * pass through wfml_time_limit_end() too, or end the statement.
 */
extern bool wfml_time_limit_begin(double seconds);
/* ours: what _begin said.  Was it our limit, and the time over? */
extern bool wfml_time_limit_end(bool ours);

#endif							/* WFML_TIMELIMIT_H */
