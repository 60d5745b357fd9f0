/*-------------------------------------------------------------------------
 * idmap.h
 *	  Ids (users, items, events, groups) as a section of a model: strings with
 *	  their numbers, and finding a number by its string.
 *
 *	OFFSET  SIZE  WHAT
 *	0       4     number of ids, n
 *	4       4     places of the hash table: a power of two above n
 *	8       8     bytes of all strings, each followed by a NUL
 *	16      …     uint64[n + 1]: where each string starts; the last is their end
 *	…       …     uint32[places]: 1 + number of the id, 0 = free; first place
 *	              hash & (places - 1), then the next ones
 *	…       …     the strings
 *
 *	Strings hold no NUL.  Everything is used where it lies, so the section must
 *	be 8-byte aligned.
 *-------------------------------------------------------------------------
 */
#ifndef WF_IDMAP_H
#define WF_IDMAP_H

#include "core/dict.h"
#include "core/host.h"

#define WF_IDMAP_MAX UINT32_C(0x3fffffff)

/* A verified section: pointers into its bytes. */
typedef struct WfIdMap
{
	uint32_t	n;
	uint32_t	mask;			/* places - 1 */
	const uint64_t *start;
	const uint32_t *table;
	const char *strings;
} WfIdMap;

/*
 * Append the section for n different strings to out (padded to a multiple of
 * 8 first); get(arg, i) gives string i and its length.  A string longer than
 * WF_DICT_KEY_BYTES is the caller's mistake (WF_E_INTERNAL).
 */
void		wf_idmap_write(WfHost *host, uint32_t n,
						   const char *(*get) (void *arg, uint32_t i, size_t *length), void *arg,
						   WfBytes *out);

/* Verify a section once (WF_E_CORRUPT); allocates nothing. */
void		wf_idmap_open(WfHost *host, const void *section, size_t length, WfIdMap *out);

/* Use a section that was verified before. */
void		wf_idmap_use(const void *section, WfIdMap *out);

/* Number of the id, WF_CODE_MISSING when there is none.  Only the first WF_DICT_KEY_BYTES count. */
uint32_t	wf_idmap_find(const WfIdMap *map, const char *bytes, size_t length);

/* String i, NUL-terminated. */
static inline const char *
wf_idmap_string(const WfIdMap *map, uint32_t i, size_t *length)
{
	*length = (size_t) (map->start[i + 1] - map->start[i] - 1);
	return map->strings + map->start[i];
}

#endif							/* WF_IDMAP_H */
