/*-------------------------------------------------------------------------
 * timelimit.c
 *	  A time limit on work that runs what others stored.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "pg/timelimit.h"

/* How often a cancel is repeated before the session is ended. */
#define MAX_CANCELS 10
#define REPEAT_MS 1000

static TimeoutId limit_id;
static volatile sig_atomic_t n_expired = 0;

/* In a signal handler. */
static void
limit_expired(void)
{
	if (++n_expired > MAX_CANCELS)
		ProcDiePending = true;
	QueryCancelPending = true;
	InterruptPending = true;
	SetLatch(MyLatch);
	wfml_timeout_again(limit_id, REPEAT_MS);
}

bool
wfml_time_limit_begin(double seconds)
{
	static bool registered = false;
	TimestampTz end = GetCurrentTimestamp() + (TimestampTz) (Min(seconds, 1e9) * USECS_PER_SEC);

	if (!registered)
	{
		limit_id = RegisterTimeout(USER_TIMEOUT, limit_expired);
		registered = true;
	}
	else if (get_timeout_active(limit_id))
		return false;
	n_expired = 0;
	enable_timeout_every(limit_id, end, REPEAT_MS);
	return true;
}

bool
wfml_time_limit_end(bool ours)
{
	if (!ours)
		return false;
	disable_timeout(limit_id, false);
	if (n_expired == 0)
		return false;
	/* Ours, and the work is over. */
	QueryCancelPending = false;
	return true;
}
