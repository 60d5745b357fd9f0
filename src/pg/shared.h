/*-------------------------------------------------------------------------
 * shared.h
 *	  Bytes of large models, kept once for all sessions of the server.
 *
 * A model's bytes are used where they lie, so what sessions share is the
 * bytes themselves: a dynamic shared memory segment for each version, found
 * through a small table in the slack of shared memory, without preloading.
 * Whatever goes wrong (no shared memory, no place in the table, another
 * session loads for too long), the caller loads the model for itself.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_SHARED_H
#define WFML_SHARED_H

#include "postgres.h"

#include "common/sha2.h"

/* Smaller models are opened in a few milliseconds and take little memory. */
#define WFML_SHARED_MIN ((size_t) 8 << 20)

typedef struct WfmlShared
{
	void	   *bytes;			/* on a cache line */
	size_t		length;
	bool		verified;		/* a session with this build of the library has opened them */
} WfmlShared;

/*
 * The bytes of a version with that checksum, from the session that loaded them
 * first or loaded now; held until the memory context goes.  NULL: they are not
 * shared.  When they are not verified, wfml_shared_ready() says that they are
 * now, and only then others get them; an error in between frees them.
 */
extern WfmlShared *wfml_shared_get(int64 id, const uint8 sha256[PG_SHA256_DIGEST_LENGTH], size_t length,
								   MemoryContext holder);
extern void wfml_shared_ready(WfmlShared *shared);

/* Give up bytes of dropped versions and databases: at once, or when the last session leaves them. */
extern void wfml_shared_sweep(void);

#endif							/* WFML_SHARED_H */
