/*-------------------------------------------------------------------------
 * idmap.c
 *	  Ids as a section of a model.
 *-------------------------------------------------------------------------
 */
#include "core/idmap.h"

#include <string.h>

/* Ids between two calls of host->check(). */
#define CHECK_EVERY 16384

typedef struct IdMapHeader
{
	uint32_t	n;
	uint32_t	places;
	uint64_t	strings_length;
} IdMapHeader;

void
wf_idmap_write(WfHost *host, uint32_t n, const char *(*get) (void *arg, uint32_t i, size_t *length),
			   void *arg, WfBytes *out)
{
	IdMapHeader header = {.n = n,.places = 2};
	uint64_t   *start = wf_alloc(host, (size_t) n + 1, sizeof(uint64_t));
	uint32_t   *table;

	if (n > WF_IDMAP_MAX)
		host->fail(host, WF_E_LIMIT, WF_HINT_NONE, "too many ids for one model");
	while (header.places < n + n / 2 + 1)
		header.places *= 2;
	table = wf_alloc_zero(host, header.places, sizeof(uint32_t));
	for (uint32_t i = 0; i < n; i++)
	{
		size_t		length;
		const char *s = get(arg, i, &length);
		uint64_t	at = wf_hash_bytes(s, length, 0);

		if (length > WF_DICT_KEY_BYTES)
			host->fail(host, WF_E_INTERNAL, WF_HINT_NONE, "an id is too long");
		start[i] = header.strings_length;
		header.strings_length += length + 1;
		while (table[at & (header.places - 1)])
			at++;
		table[at & (header.places - 1)] = i + 1;
		if (i % CHECK_EVERY == 0)
			host->check(host);
	}
	start[n] = header.strings_length;

	wf_bytes_align(out, 8);
	wf_bytes_append(out, &header, sizeof(header));
	wf_bytes_append(out, start, ((size_t) n + 1) * sizeof(uint64_t));
	wf_bytes_append(out, table, (size_t) header.places * sizeof(uint32_t));
	wf_release(host, start);
	wf_release(host, table);
	for (uint32_t i = 0; i < n; i++)
	{
		size_t		length;
		const char *s = get(arg, i, &length);

		wf_bytes_append(out, s, length);
		wf_bytes_append(out, "", 1);
		if (i % CHECK_EVERY == 0)
			host->check(host);
	}
}

static void corrupt(WfHost *host) __attribute__((noreturn));

static void
corrupt(WfHost *host)
{
	host->fail(host, WF_E_CORRUPT, WF_HINT_NONE, "corrupted model: bad table of ids");
}

/* Every search must end, and every entry be an id's: then finding needs no checks. */
static void
verify_table(WfHost *host, const WfIdMap *map)
{
	uint32_t	used = 0;

	for (uint32_t i = 0; i <= map->mask; i++)
	{
		if (map->table[i] > map->n)
			corrupt(host);
		used += map->table[i] != 0;
		if (i % CHECK_EVERY == 0)
			host->check(host);
	}
	if (used > map->mask)
		corrupt(host);
}

void
wf_idmap_use(const void *section, WfIdMap *out)
{
	const IdMapHeader *header = section;

	out->n = header->n;
	out->mask = header->places - 1;
	out->start = (const uint64_t *) (header + 1);
	out->table = (const uint32_t *) (out->start + header->n + 1);
	out->strings = (const char *) (out->table + header->places);
}

void
wf_idmap_open(WfHost *host, const void *section, size_t length, WfIdMap *out)
{
	const IdMapHeader *header = section;
	size_t		need = sizeof(*header);

	if (length < need || header->n > WF_IDMAP_MAX || header->places == 0 ||
		(header->places & (header->places - 1)) != 0)
		corrupt(host);
	need += ((size_t) header->n + 1) * sizeof(uint64_t) + (size_t) header->places * sizeof(uint32_t);
	if (need > length || header->strings_length != length - need)
		corrupt(host);
	wf_idmap_use(section, out);
	if (out->start[0] != 0 || out->start[out->n] != header->strings_length)
		corrupt(host);
	for (uint32_t i = 0; i < out->n; i++)
	{
		uint64_t	from = out->start[i];
		uint64_t	to = out->start[i + 1];

		if (to <= from || to > header->strings_length || to - from - 1 > WF_DICT_KEY_BYTES ||
			memchr(out->strings + from, '\0', to - from) != out->strings + to - 1)
			corrupt(host);
		if (i % CHECK_EVERY == 0)
			host->check(host);
	}
	verify_table(host, out);
}

uint32_t
wf_idmap_find(const WfIdMap *map, const char *bytes, size_t length)
{
	size_t		len = length < WF_DICT_KEY_BYTES ? length : WF_DICT_KEY_BYTES;
	uint64_t	at = wf_hash_bytes(bytes, len, 0);

	for (;; at++)
	{
		uint32_t	entry = map->table[at & map->mask];
		size_t		found;
		const char *s;

		if (entry == 0)
			return WF_CODE_MISSING;
		s = wf_idmap_string(map, entry - 1, &found);
		if (found == len && memcmp(s, bytes, len) == 0)
			return entry - 1;
	}
}
