/*-------------------------------------------------------------------------
 * plainhost.h
 *	  A host on malloc() for programs that measure the core without a server.
 *-------------------------------------------------------------------------
 */
#ifndef WF_PLAINHOST_H
#define WF_PLAINHOST_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/host.h"

static void *
plain_alloc(WfHost *host, size_t size)
{
	void	   *p = malloc(size);

	(void) host;
	if (p == NULL)
	{
		fprintf(stderr, "out of memory (%zu bytes)\n", size);
		exit(1);
	}
	return p;
}

static void
plain_release(WfHost *host, void *p)
{
	(void) host;
	free(p);
}

static void
plain_check(WfHost *host)
{
	(void) host;
}

static void
plain_pause(WfHost *host, unsigned turn)
{
	(void) host;
	(void) turn;
}

static void
plain_progress(WfHost *host, WfPhase phase, uint64_t done, uint64_t total)
{
	(void) host;
	(void) phase;
	(void) done;
	(void) total;
}

static double
plain_now(WfHost *host)
{
	struct timespec t;

	(void) host;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static void plain_notice(WfHost *host, const char *format,...)
			__attribute__((format(printf, 2, 3)));

static void
plain_notice(WfHost *host, const char *format,...)
{
	(void) host;
	fprintf(stderr, "NOTICE: %s\n", format);
}

static void plain_fail(WfHost *host, WfCode code, const char *hint, const char *format,...)
			__attribute__((format(printf, 4, 5), noreturn));

static void
plain_fail(WfHost *host, WfCode code, const char *hint, const char *format,...)
{
	va_list		args;

	(void) host;
	(void) code;
	(void) hint;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}

/* No temporary files: what is measured here never spools. */
static inline WfHost
plain_host(void)
{
	return (WfHost)
	{
		.alloc = plain_alloc, .release = plain_release, .check = plain_check, .pause = plain_pause,
			.progress = plain_progress, .now = plain_now, .notice = plain_notice, .fail = plain_fail
	};
}

/* CPU seconds of this process. */
static inline double
plain_cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

#endif							/* WF_PLAINHOST_H */
