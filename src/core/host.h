/*-------------------------------------------------------------------------
 * host.h
 *	  Everything the core may ask of the world.
 *
 * The core is plain C11.  It gets memory, interruption, messages and
 * temporary files only from the WfHost it is handed, and owns nothing else,
 * so the host may leave it by longjmp at any callback without a leak.
 *
 * One host stands for one arena: in the server it is bound to a
 * MemoryContext, and deleting that context frees everything the core
 * allocated through it.  release() gives large blocks back early.
 *-------------------------------------------------------------------------
 */
#ifndef WF_HOST_H
#define WF_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What went wrong; the server maps each to a SQLSTATE. */
typedef enum WfCode
{
	WF_E_PARAM,					/* 22023 invalid parameter value */
	WF_E_DATA,					/* 22000 data exception */
	WF_E_LIMIT,					/* 54000 program limit exceeded */
	WF_E_MEMORY,				/* 53200 out of memory */
	WF_E_CORRUPT,				/* XX001 stored bytes are not a valid model */
	WF_E_UNSUPPORTED,			/* 0A000 feature not supported */
	WF_E_INTERNAL				/* XX000 cannot happen */
} WfCode;

/* Where a training stands; shown by wfml.training_progress. */
typedef enum WfPhase
{
	WF_PHASE_READ,				/* rows read from the source */
	WF_PHASE_PREPARE,			/* canonical order, cut points, bins */
	WF_PHASE_VALIDATE,			/* folds trained */
	WF_PHASE_TRAIN,				/* trees or iterations of the final fit */
	WF_PHASE_WRITE				/* bytes of the model written */
} WfPhase;

typedef struct WfHost WfHost;

struct WfHost
{
	/* Uninitialised memory, at least 8-byte aligned.  Never NULL: fails. */
	void	   *(*alloc) (WfHost *host, size_t size);
	/* Give a block back before the arena goes; p may be NULL. */
	void		(*release) (WfHost *host, void *p);
	/* Called at least every 10 ms of work; may not return. */
	void		(*check) (WfHost *host);
	/* Wait a moment in a spinning loop; longer as "turn" grows. */
	void		(*pause) (WfHost *host, unsigned turn);
	void		(*progress) (WfHost *host, WfPhase phase, uint64_t done, uint64_t total);
	/* Monotonic seconds, for max_seconds. */
	double		(*now) (WfHost *host);
	/* A remark for the user; never fails. */
	void		(*notice) (WfHost *host, const char *format,...)
				__attribute__((format(printf, 2, 3)));
	/* Raise an error.  hint may be NULL.  Does not return. */
	void		(*fail) (WfHost *host, WfCode code, const char *hint, const char *format,...)
				__attribute__((format(printf, 4, 5), noreturn));

	/*
	 * Temporary files for what does not fit in memory.  Closed by the host
	 * with the arena at the latest.
	 */
	void	   *(*spool_open) (WfHost *host);
	void		(*spool_append) (WfHost *host, void *spool, const void *data, size_t size);
	void		(*spool_read) (WfHost *host, void *spool, uint64_t offset, void *data, size_t size);
	void		(*spool_close) (WfHost *host, void *spool);
};

#define WF_HINT_NONE NULL

/* n * size bytes; fails with WF_E_MEMORY when the product overflows. */
void	   *wf_alloc(WfHost *host, size_t n, size_t size);
/* The same, set to zero. */
void	   *wf_alloc_zero(WfHost *host, size_t n, size_t size);
/* 64-byte aligned, not cleared; freed with wf_release_aligned or with the arena. */
void	   *wf_alloc_aligned(WfHost *host, size_t n, size_t size);
void		wf_release_aligned(WfHost *host, void *p);
/* Sum and product of sizes; fail with WF_E_MEMORY on overflow. */
size_t		wf_size_add(WfHost *host, size_t a, size_t b);
size_t		wf_size_mul(WfHost *host, size_t a, size_t b);
/* NUL-terminated copy of len bytes. */
char	   *wf_strndup(WfHost *host, const char *s, size_t len);

static inline void
wf_release(WfHost *host, void *p)
{
	if (p)
		host->release(host, p);
}

/* A growing array of bytes. */
typedef struct WfBytes
{
	WfHost	   *host;
	uint8_t    *data;
	size_t		length;
	size_t		capacity;
} WfBytes;

void		wf_bytes_init(WfBytes *b, WfHost *host);
/* Make room for size more bytes and return where they go; length grows. */
void	   *wf_bytes_extend(WfBytes *b, size_t size);
void		wf_bytes_append(WfBytes *b, const void *data, size_t size);
/* Pad with zero bytes to a multiple of align (a power of two). */
void		wf_bytes_align(WfBytes *b, size_t align);
void		wf_bytes_free(WfBytes *b);

#endif							/* WF_HOST_H */
