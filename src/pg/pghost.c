/*-------------------------------------------------------------------------
 * pghost.c
 *	  The server as the core's host.
 *
 * Everything the core asks for ends with the host's MemoryContext (memory) or
 * with the resource owner (temporary files), so an ERROR from any callback
 * leaves nothing behind.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sched.h>
#include <time.h>

#include "commands/tablespace.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"

#include "pg/pghost.h"
#include "pg/progress.h"

/* Blocks from this size on are checked against the limit. */
#define COUNTED_BLOCK ((size_t) 64 * 1024)
/* Memory is returned to the system after that much was given back. */
#define TRIM_BYTES ((size_t) 32 << 20)

typedef struct PgHost
{
	WfHost		host;			/* first: a WfHost * is a PgHost * */
	MemoryContext context;
	size_t		limit;			/* 0: none */
	const char *setting;
	bool		report;
	bool		keep_files;
	size_t		released;		/* since memory was last returned to the system */
} PgHost;

static void *
host_alloc(WfHost *host, size_t size)
{
	PgHost	   *ph = (PgHost *) host;

	if (size >= COUNTED_BLOCK && ph->limit > 0 &&
		size + MemoryContextMemAllocated(ph->context, true) > ph->limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("training needs more memory than \"%s\" allows", ph->setting),
				 errdetail("%zu kB are in use, %zu kB more are needed, %zu kB are allowed.",
						   MemoryContextMemAllocated(ph->context, true) / 1024, size / 1024, ph->limit / 1024),
				 errhint("Raise \"%s\", or train on fewer rows or columns.", ph->setting)));
	return MemoryContextAllocExtended(ph->context, size, MCXT_ALLOC_HUGE);
}

/*
 * What a training gives back early it gives back for what comes next, which is
 * often larger than any hole: malloc has to return the pages.
 */
static void
host_release(WfHost *host, void *p)
{
	PgHost	   *ph = (PgHost *) host;

	if (p == NULL)
		return;
	ph->released += GetMemoryChunkSpace(p);
	pfree(p);
#ifdef __GLIBC__
	if (ph->released >= TRIM_BYTES)
	{
		malloc_trim(0);
		ph->released = 0;
	}
#endif
}

static void
host_check(WfHost *host)
{
	CHECK_FOR_INTERRUPTS();
}

/*
 * Waits between two barriers of a training are microseconds long, waits for
 * the leader's serial parts can be seconds: give the processor away first,
 * sleep later.
 */
static void
host_pause(WfHost *host, unsigned turn)
{
	if (turn < 100)
		sched_yield();
	else
		pg_usleep(turn < 1000 ? 20L : 500L);
}

static void
host_progress(WfHost *host, WfPhase phase, uint64_t done, uint64_t total)
{
	if (((PgHost *) host)->report)
		wfml_progress_set(phase, done, total);
}

static double
host_now(WfHost *host)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

/* A formatted message in the current context. */
static char *format_message(const char *format, va_list args) pg_attribute_printf(1, 0);

static char *
format_message(const char *format, va_list args)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (;;)
	{
		va_list		copy;
		int			needed;

		va_copy(copy, args);
		needed = appendStringInfoVA(&buf, format, copy);
		va_end(copy);
		if (needed == 0)
			return buf.data;
		enlargeStringInfo(&buf, needed);
	}
}

static void host_notice(WfHost *host, const char *format,...) pg_attribute_printf(2, 3);

static void
host_notice(WfHost *host, const char *format,...)
{
	va_list		args;
	char	   *message;

	va_start(args, format);
	message = format_message(format, args);
	va_end(args);
	ereport(NOTICE, (errmsg_internal("%s", message)));
	pfree(message);
}

int
wfml_sqlstate(WfCode code)
{
	switch (code)
	{
		case WF_E_PARAM:
			return ERRCODE_INVALID_PARAMETER_VALUE;
		case WF_E_DATA:
			return ERRCODE_DATA_EXCEPTION;
		case WF_E_LIMIT:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case WF_E_MEMORY:
			return ERRCODE_OUT_OF_MEMORY;
		case WF_E_CORRUPT:
			return ERRCODE_DATA_CORRUPTED;
		case WF_E_UNSUPPORTED:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case WF_E_INTERNAL:
			break;
	}
	return ERRCODE_INTERNAL_ERROR;
}

static void host_fail(WfHost *host, WfCode code, const char *hint, const char *format,...)
			pg_attribute_printf(4, 5) __attribute__((noreturn));

static void
host_fail(WfHost *host, WfCode code, const char *hint, const char *format,...)
{
	va_list		args;
	char	   *message;

	va_start(args, format);
	message = format_message(format, args);
	va_end(args);
	ereport(ERROR,
			(errcode(wfml_sqlstate(code)),
			 errmsg_internal("%s", message),
			 hint ? errhint("%s", hint) : 0));
	pg_unreachable();
}

/* A temporary file and how much is in it: seeking to its end would not count what is still buffered. */
typedef struct PgSpool
{
	BufFile    *file;			/* NULL: closed, of a host that keeps files */
	uint64		size;
	MemoryContextCallback at_end;	/* of such a host */
} PgSpool;

/* No transaction closes such a file. */
static void
close_kept(void *arg)
{
	PgSpool    *spool = arg;

	if (spool->file)
		BufFileClose(spool->file);
	spool->file = NULL;
}

static void *
host_spool_open(WfHost *host)
{
	MemoryContext old = MemoryContextSwitchTo(((PgHost *) host)->context);
	PgSpool    *spool = palloc(sizeof(PgSpool));

	PrepareTempTablespaces();
	spool->file = BufFileCreateTemp(((PgHost *) host)->keep_files);
	spool->size = 0;
	if (((PgHost *) host)->keep_files)
	{
		spool->at_end.func = close_kept;
		spool->at_end.arg = spool;
		MemoryContextRegisterResetCallback(CurrentMemoryContext, &spool->at_end);
	}
	MemoryContextSwitchTo(old);
	return spool;
}

static void
host_spool_append(WfHost *host, void *handle, const void *data, size_t size)
{
	PgSpool    *spool = handle;

	if (BufFileSeek(spool->file, 0, (off_t) spool->size, SEEK_SET) != 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not seek in temporary file: %m")));
	BufFileWrite(spool->file, unconstify(void *, data), size);
	spool->size += size;
}

static void
host_spool_read(WfHost *host, void *handle, uint64_t offset, void *data, size_t size)
{
	PgSpool    *spool = handle;

	if (BufFileSeek(spool->file, 0, (off_t) offset, SEEK_SET) != 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not seek in temporary file: %m")));
	if (BufFileRead(spool->file, data, size) != size)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not read from temporary file: %m")));
}

static void
host_spool_close(WfHost *host, void *handle)
{
	PgSpool    *spool = handle;

	if (((PgHost *) host)->keep_files)
	{
		/* its callback stays registered */
		close_kept(spool);
		return;
	}
	BufFileClose(spool->file);
	pfree(spool);
}

WfHost *
wfml_host_create(MemoryContext context)
{
	PgHost	   *ph = MemoryContextAllocZero(context, sizeof(PgHost));

	ph->host = (WfHost) {
		host_alloc, host_release, host_check, host_pause, host_progress, host_now,
			host_notice, host_fail,
			host_spool_open, host_spool_append, host_spool_read, host_spool_close
	};
	ph->context = context;
	return &ph->host;
}

MemoryContext
wfml_host_context(WfHost *host)
{
	return ((PgHost *) host)->context;
}

void
wfml_host_limit(WfHost *host, size_t bytes, const char *setting)
{
	((PgHost *) host)->limit = bytes;
	((PgHost *) host)->setting = setting;
}

void
wfml_host_report(WfHost *host)
{
	((PgHost *) host)->report = true;
}

void
wfml_host_keep_files(WfHost *host)
{
	((PgHost *) host)->keep_files = true;
}
