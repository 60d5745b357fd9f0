/*-------------------------------------------------------------------------
 * host.c
 *	  Checked allocation on top of the host's arena.
 *-------------------------------------------------------------------------
 */
#include "core/host.h"

#include <string.h>

size_t
wf_size_add(WfHost *host, size_t a, size_t b)
{
	size_t		r;

	if (__builtin_add_overflow(a, b, &r))
		host->fail(host, WF_E_MEMORY, WF_HINT_NONE, "requested memory size overflows");
	return r;
}

size_t
wf_size_mul(WfHost *host, size_t a, size_t b)
{
	size_t		r;

	if (__builtin_mul_overflow(a, b, &r))
		host->fail(host, WF_E_MEMORY, WF_HINT_NONE, "requested memory size overflows");
	return r;
}

void *
wf_alloc(WfHost *host, size_t n, size_t size)
{
	size_t		total = wf_size_mul(host, n, size);

	return host->alloc(host, total ? total : 1);
}

void *
wf_alloc_zero(WfHost *host, size_t n, size_t size)
{
	void	   *p = wf_alloc(host, n, size);

	memset(p, 0, n * size);
	return p;
}

/* The block's own address stands just before the aligned one. */
void *
wf_alloc_aligned(WfHost *host, size_t n, size_t size)
{
	size_t		total = wf_size_add(host, wf_size_mul(host, n, size), 64 + sizeof(void *));
	char	   *block = host->alloc(host, total);
	uintptr_t	start = ((uintptr_t) block + sizeof(void *) + 63) & ~(uintptr_t) 63;

	((void **) start)[-1] = block;
	return (void *) start;
}

void
wf_release_aligned(WfHost *host, void *p)
{
	if (p)
		host->release(host, ((void **) p)[-1]);
}

char *
wf_strndup(WfHost *host, const char *s, size_t len)
{
	char	   *copy = wf_alloc(host, wf_size_add(host, len, 1), 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

void
wf_bytes_init(WfBytes *b, WfHost *host)
{
	b->host = host;
	b->data = NULL;
	b->length = 0;
	b->capacity = 0;
}

void *
wf_bytes_extend(WfBytes *b, size_t size)
{
	size_t		need = wf_size_add(b->host, b->length, size);
	uint8_t    *at;

	if (need > b->capacity || b->data == NULL)
	{
		size_t		capacity = b->capacity ? b->capacity : 1024;
		uint8_t    *data;

		/* Double, but not past what is needed by more than a half for large ones. */
		while (capacity < need)
			capacity = capacity < ((size_t) 1 << 26)
				? wf_size_mul(b->host, capacity, 2) : wf_size_add(b->host, need, need / 4);
		data = wf_alloc(b->host, capacity, 1);
		if (b->length)
			memcpy(data, b->data, b->length);
		wf_release(b->host, b->data);
		b->data = data;
		b->capacity = capacity;
	}
	at = b->data + b->length;
	b->length = need;
	return at;
}

void
wf_bytes_append(WfBytes *b, const void *data, size_t size)
{
	void	   *at = wf_bytes_extend(b, size);

	if (size)
		memcpy(at, data, size);
}

void
wf_bytes_align(WfBytes *b, size_t align)
{
	size_t		pad = (align - (b->length & (align - 1))) & (align - 1);

	if (pad)
		memset(wf_bytes_extend(b, pad), 0, pad);
}

void
wf_bytes_free(WfBytes *b)
{
	wf_release(b->host, b->data);
	wf_bytes_init(b, b->host);
}
