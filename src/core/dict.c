/*-------------------------------------------------------------------------
 * dict.c
 *	  Open addressing over entries in order of arrival; strings in chunks.
 *-------------------------------------------------------------------------
 */
#include "core/dict.h"

#include "core/hash.h"
#include "core/rng.h"

#define FIRST_ENTRIES 16
#define CHUNK_BYTES_MAX ((size_t) 1 << 20)
/* Entries sorted between two calls of host->check(). */
#define CHECK_EVERY 16384

typedef struct Entry
{
	const char *bytes;
	uint64_t	hash;
	uint64_t	count;
	uint32_t	length;
} Entry;

struct WfDict
{
	WfHost	   *host;
	Entry	   *entries;
	uint32_t	n;
	uint32_t	capacity;
	uint32_t	max_entries;
	uint32_t   *slots;			/* code + 1, 0 = free; twice the capacity of entries */
	uint32_t	mask;
	char	   *chunk;			/* where the next string goes */
	size_t		chunk_left;
	size_t		chunk_size;		/* of the next chunk */
	bool		overflowed;
};

/*
 * Two words at a time through a 64 x 64 -> 128 bit product, the two halves
 * folded (the idea of wyhash, Wang Yi 2019).  Not for enemies: keys are
 * public, and a collision only merges two hashes, never two strings.
 */
uint64_t
wf_hash_bytes(const void *bytes, size_t length, uint64_t seed)
{
	const unsigned char *p = bytes;
	size_t		left = length;
	uint64_t	h = wf_mix(seed ^ UINT64_C(0x2d358dccaa6c78a5));
	uint64_t	a,
				b;

	while (left > 16)
	{
		h = wf_mul_fold(wf_load_le64(p) ^ UINT64_C(0x8bb84b93962eacc9), wf_load_le64(p + 8) ^ h);
		p += 16;
		left -= 16;
	}
	if (left >= 8)
	{
		a = wf_load_le64(p);
		b = wf_load_le64(p + left - 8);
	}
	else if (left >= 4)
	{
		a = wf_load_le32(p);
		b = wf_load_le32(p + left - 4);
	}
	else
	{
		a = left ? (uint64_t) p[0] << 16 | (uint64_t) p[left / 2] << 8 | p[left - 1] : 0;
		b = 0;
	}
	h = wf_mul_fold(a ^ UINT64_C(0x4b33a62ed433d4a3), b ^ h);
	return wf_mix(h ^ wf_mix((uint64_t) length));
}

WfDict *
wf_dict_create(WfHost *host)
{
	return wf_dict_create_limited(host, WF_DICT_MAX_ENTRIES);
}

WfDict *
wf_dict_create_limited(WfHost *host, uint32_t max_entries)
{
	WfDict	   *dict = wf_alloc_zero(host, 1, sizeof(WfDict));

	dict->host = host;
	dict->max_entries = max_entries;
	dict->chunk_size = 256;
	dict->entries = wf_alloc(host, FIRST_ENTRIES, sizeof(Entry));
	dict->slots = wf_alloc_zero(host, 2 * FIRST_ENTRIES, sizeof(uint32_t));
	dict->capacity = FIRST_ENTRIES;
	dict->mask = 2 * FIRST_ENTRIES - 1;
	return dict;
}

/* The slot where a string is, or where it would go. */
static uint32_t
find_slot(const WfDict *dict, const char *bytes, uint32_t length, uint64_t hash)
{
	uint32_t	at = (uint32_t) hash & dict->mask;

	for (;; at = (at + 1) & dict->mask)
	{
		const Entry *e;

		if (dict->slots[at] == 0)
			return at;
		e = &dict->entries[dict->slots[at] - 1];
		if (e->hash == hash && e->length == length &&
			(length == 0 || memcmp(e->bytes, bytes, length) == 0))
			return at;
	}
}

/* Twice the room.  The dictionary stays whole if an allocation fails. */
static void
grow(WfDict *dict)
{
	uint32_t	capacity = dict->capacity * 2;
	uint32_t	mask = 2 * capacity - 1;
	Entry	   *entries = wf_alloc(dict->host, capacity, sizeof(Entry));
	uint32_t   *slots = wf_alloc_zero(dict->host, 2 * (size_t) capacity, sizeof(uint32_t));

	memcpy(entries, dict->entries, dict->n * sizeof(Entry));
	for (uint32_t i = 0; i < dict->n; i++)
	{
		uint32_t	at = (uint32_t) entries[i].hash & mask;

		while (slots[at])
			at = (at + 1) & mask;
		slots[at] = i + 1;
	}
	wf_release(dict->host, dict->entries);
	wf_release(dict->host, dict->slots);
	dict->entries = entries;
	dict->slots = slots;
	dict->capacity = capacity;
	dict->mask = mask;
}

static const char *
keep_string(WfDict *dict, const char *bytes, size_t length)
{
	char	   *copy;

	if (length == 0)
		return "";
	if (length > dict->chunk_left)
	{
		size_t		size = dict->chunk_size > length ? dict->chunk_size : length;

		dict->chunk = wf_alloc(dict->host, size, 1);
		dict->chunk_left = size;
		/* Small dictionaries take little, large ones few blocks. */
		if (dict->chunk_size < CHUNK_BYTES_MAX)
			dict->chunk_size *= 2;
	}
	copy = dict->chunk;
	memcpy(copy, bytes, length);
	dict->chunk += length;
	dict->chunk_left -= length;
	return copy;
}

uint32_t
wf_dict_add(WfDict *dict, const char *bytes, size_t length)
{
	uint32_t	len = (uint32_t) (length < WF_DICT_KEY_BYTES ? length : WF_DICT_KEY_BYTES);
	uint64_t	hash = wf_hash_bytes(bytes, len, 0);
	uint32_t	at = find_slot(dict, bytes, len, hash);
	Entry	   *e;

	if (dict->slots[at])
	{
		e = &dict->entries[dict->slots[at] - 1];
		e->count++;
		return dict->slots[at] - 1;
	}
	if (dict->n >= dict->max_entries)
	{
		dict->overflowed = true;
		return WF_CODE_MISSING;
	}
	if (dict->n == dict->capacity)
	{
		grow(dict);
		at = find_slot(dict, bytes, len, hash);
	}
	e = &dict->entries[dict->n];
	e->bytes = keep_string(dict, bytes, len);
	e->hash = hash;
	e->count = 1;
	e->length = len;
	dict->slots[at] = ++dict->n;
	return dict->n - 1;
}

uint32_t
wf_dict_find(const WfDict *dict, const char *bytes, size_t length)
{
	uint32_t	len = (uint32_t) (length < WF_DICT_KEY_BYTES ? length : WF_DICT_KEY_BYTES);
	uint32_t	at = find_slot(dict, bytes, len, wf_hash_bytes(bytes, len, 0));

	return dict->slots[at] ? dict->slots[at] - 1 : WF_CODE_MISSING;
}

uint32_t
wf_dict_size(const WfDict *dict)
{
	return dict->n;
}

bool
wf_dict_overflowed(const WfDict *dict)
{
	return dict->overflowed;
}

const char *
wf_dict_string(const WfDict *dict, uint32_t code, size_t *length)
{
	*length = dict->entries[code].length;
	return dict->entries[code].bytes;
}

uint64_t
wf_dict_count(const WfDict *dict, uint32_t code)
{
	return dict->entries[code].count;
}

uint64_t
wf_dict_hash(const WfDict *dict, uint32_t code)
{
	return dict->entries[code].hash;
}

/* ---- orders ---- */

/* What is compared first lies beside the code, so that most comparisons touch no string. */
typedef struct SortItem
{
	uint64_t	less_first;		/* the more rows, the smaller; 0 when counts do not matter */
	uint64_t	prefix;			/* first 8 bytes, big-endian */
	uint32_t	code;
} SortItem;

static uint64_t
prefix_of(const Entry *e)
{
	uint64_t	prefix = 0;

	for (uint32_t i = 0; i < 8; i++)
		prefix = prefix << 8 | (i < e->length ? (unsigned char) e->bytes[i] : 0);
	return prefix;
}

static bool
item_after(const WfDict *dict, const SortItem *a, const SortItem *b)
{
	const Entry *ea,
			   *eb;
	uint32_t	shorter;
	int			c;

	if (a->less_first != b->less_first)
		return a->less_first > b->less_first;
	if (a->prefix != b->prefix)
		return a->prefix > b->prefix;
	ea = &dict->entries[a->code];
	eb = &dict->entries[b->code];
	shorter = ea->length < eb->length ? ea->length : eb->length;
	c = shorter ? memcmp(ea->bytes, eb->bytes, shorter) : 0;
	return c != 0 ? c > 0 : ea->length > eb->length;
}

/* Merge two neighbouring sorted runs of from into to. */
static void
merge_runs(const WfDict *dict, const SortItem *from, SortItem *to, size_t begin, size_t middle, size_t end)
{
	size_t		i = begin,
				j = middle;

	for (size_t k = begin; k < end; k++)
		if (j >= end || (i < middle && !item_after(dict, &from[i], &from[j])))
			to[k] = from[i++];
		else
			to[k] = from[j++];
}

static uint32_t *
sorted_codes(const WfDict *dict, bool by_count)
{
	WfHost	   *host = dict->host;
	size_t		n = dict->n;
	uint32_t   *codes = wf_alloc(host, n, sizeof(uint32_t));
	SortItem   *items = wf_alloc(host, n, sizeof(SortItem));
	SortItem   *other = wf_alloc(host, n, sizeof(SortItem));
	size_t		merged = 0;

	for (size_t i = 0; i < n; i++)
	{
		items[i].less_first = by_count ? UINT64_MAX - dict->entries[i].count : 0;
		items[i].prefix = prefix_of(&dict->entries[i]);
		items[i].code = (uint32_t) i;
	}
	for (size_t width = 1; width < n; width *= 2)
	{
		SortItem   *swap = items;

		for (size_t begin = 0; begin < n; begin += 2 * width)
		{
			size_t		middle = begin + width < n ? begin + width : n;
			size_t		end = middle + width < n ? middle + width : n;

			merge_runs(dict, items, other, begin, middle, end);
			merged += end - begin;
			if (merged >= CHECK_EVERY)
			{
				merged = 0;
				host->check(host);
			}
		}
		items = other;
		other = swap;
	}
	for (size_t i = 0; i < n; i++)
		codes[i] = items[i].code;
	wf_release(host, items);
	wf_release(host, other);
	return codes;
}

uint32_t *
wf_dict_ranking(const WfDict *dict)
{
	return sorted_codes(dict, true);
}

uint32_t *
wf_dict_sorted(const WfDict *dict)
{
	return sorted_codes(dict, false);
}
