/*-------------------------------------------------------------------------
 * dict.h
 *	  A dictionary of byte strings: codes in order of arrival, with counts.
 *
 * Used while a table is read, for categories, tags and labels.  Codes depend
 * on the order of rows; whatever reaches a model goes through
 * wf_dict_ranking(), which does not.
 *-------------------------------------------------------------------------
 */
#ifndef WF_DICT_H
#define WF_DICT_H

#include "core/host.h"

#define WF_CODE_MISSING UINT32_MAX
/* Strings are told apart by this many leading bytes. */
#define WF_DICT_KEY_BYTES 1024
/* More distinct strings than this and the dictionary overflows. */
#define WF_DICT_MAX_ENTRIES 1000000

typedef struct WfDict WfDict;

WfDict	   *wf_dict_create(WfHost *host);
/* With another limit than WF_DICT_MAX_ENTRIES, for ids; below 2^29. */
WfDict	   *wf_dict_create_limited(WfHost *host, uint32_t max_entries);
/*
 * Code of the string, added when new; its count goes up by one.  Once the
 * dictionary has overflowed new strings give WF_CODE_MISSING and
 * wf_dict_overflowed() is true.
 */
uint32_t	wf_dict_add(WfDict *dict, const char *bytes, size_t length);
/* Code or WF_CODE_MISSING; counts nothing. */
uint32_t	wf_dict_find(const WfDict *dict, const char *bytes, size_t length);
uint32_t	wf_dict_size(const WfDict *dict);
bool		wf_dict_overflowed(const WfDict *dict);
/* The string of a code (not NUL-terminated). */
const char *wf_dict_string(const WfDict *dict, uint32_t code, size_t *length);
uint64_t	wf_dict_count(const WfDict *dict, uint32_t code);
/* Hash of the string's bytes, the same on every machine and in every order of rows. */
uint64_t	wf_dict_hash(const WfDict *dict, uint32_t code);
/* Codes by falling count, ties by bytes; wf_dict_size() of them, from the host. */
uint32_t   *wf_dict_ranking(const WfDict *dict);
/* Codes by bytes (memcmp order). */
uint32_t   *wf_dict_sorted(const WfDict *dict);

/* 64-bit hash of bytes, stable across machines. */
uint64_t	wf_hash_bytes(const void *bytes, size_t length, uint64_t seed);

#endif							/* WF_DICT_H */
