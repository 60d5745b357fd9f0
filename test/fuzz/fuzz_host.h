/*-------------------------------------------------------------------------
 * fuzz_host.h
 *	  A host for fuzzers: errors leave by longjmp, memory has a limit, and
 *	  everything goes when the input is done.
 *-------------------------------------------------------------------------
 */
#ifndef FUZZ_HOST_H
#define FUZZ_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/host.h"

typedef struct FuzzBlock
{
	struct FuzzBlock *next;
	struct FuzzBlock *prev;
	size_t		size;
	_Alignas(16) char data[];
} FuzzBlock;

typedef struct FuzzHost
{
	WfHost		host;			/* first */
	jmp_buf		out;
	FuzzBlock  *blocks;
	size_t		used;
	size_t		limit;			/* more is an error of the program, not of the input */
	bool		strict;			/* abort when the limit is passed; else fail as out of memory */
	WfCode		code;
} FuzzHost;

static void fuzz_fail(WfHost *host, WfCode code, const char *hint, const char *format,...)
			__attribute__((format(printf, 4, 5), noreturn));

static void
fuzz_fail(WfHost *host, WfCode code, const char *hint, const char *format,...)
{
	FuzzHost   *fh = (FuzzHost *) host;
	char		message[1024];
	va_list		args;

	/* Format it, so that bad arguments are found. */
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	(void) hint;
	fh->code = code;
	longjmp(fh->out, 1);
}

static void *
fuzz_alloc(WfHost *host, size_t size)
{
	FuzzHost   *fh = (FuzzHost *) host;
	FuzzBlock  *b;

	if (size > fh->limit || fh->used > fh->limit - size)
	{
		if (fh->strict)
		{
			fprintf(stderr, "%zu bytes more than %zu: past the limit of %zu\n", size, fh->used, fh->limit);
			abort();
		}
		fuzz_fail(host, WF_E_MEMORY, NULL, "out of memory");
	}
	b = malloc(sizeof(FuzzBlock) + size);
	if (b == NULL)
		abort();
	b->size = size;
	b->prev = NULL;
	b->next = fh->blocks;
	if (b->next)
		b->next->prev = b;
	fh->blocks = b;
	fh->used += size;
	return b->data;
}

static void
fuzz_release(WfHost *host, void *p)
{
	FuzzHost   *fh = (FuzzHost *) host;
	FuzzBlock  *b = (FuzzBlock *) ((char *) p - offsetof(FuzzBlock, data));

	if (p == NULL)
		return;
	fh->used -= b->size;
	if (b->next)
		b->next->prev = b->prev;
	if (b->prev)
		b->prev->next = b->next;
	else
		fh->blocks = b->next;
	free(b);
}

static void
fuzz_check(WfHost *host)
{
	(void) host;
}

static void
fuzz_pause(WfHost *host, unsigned turn)
{
	(void) host;
	(void) turn;
}

static void
fuzz_progress(WfHost *host, WfPhase phase, uint64_t done, uint64_t total)
{
	(void) host;
	(void) phase;
	(void) done;
	(void) total;
}

static double
fuzz_now(WfHost *host)
{
	(void) host;
	return 0;
}

static void
fuzz_notice(WfHost *host, const char *format,...)
{
	(void) host;
	(void) format;
}

static inline void
fuzz_host_begin(FuzzHost *fh, size_t limit)
{
	memset(fh, 0, sizeof(*fh));
	fh->limit = limit;
	fh->host.alloc = fuzz_alloc;
	fh->host.release = fuzz_release;
	fh->host.check = fuzz_check;
	fh->host.pause = fuzz_pause;
	fh->host.progress = fuzz_progress;
	fh->host.now = fuzz_now;
	fh->host.notice = fuzz_notice;
	fh->host.fail = fuzz_fail;
}

static inline void
fuzz_host_end(FuzzHost *fh)
{
	while (fh->blocks)
		fuzz_release(&fh->host, fh->blocks->data);
}

#endif							/* FUZZ_HOST_H */
