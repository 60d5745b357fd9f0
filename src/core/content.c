/*-------------------------------------------------------------------------
 * content.c
 *	  The bytes of item content: written, verified, searched.
 *-------------------------------------------------------------------------
 */
#include "core/content.h"

#include <math.h>
#include <string.h>

#include "core/content_bytes.h"

#define MAGIC "CONTENT1"
#define CHECK_ENTRIES 65536

/* After the header: item_start, term_start, item_term, item_weight, term_item, term_weight. */
typedef struct Header
{
	char		magic[8];
	uint64_t	n;
	uint32_t	n_items;
	uint32_t	n_terms;
	uint64_t	reserved;
} Header;

static void
lay_out(const Header *h, WfContent *c)
{
	c->n_items = h->n_items;
	c->n_terms = h->n_terms;
	c->n = h->n;
	c->item_start = (const uint64_t *) (h + 1);
	c->term_start = c->item_start + (size_t) h->n_items + 1;
	c->item_term = (const uint32_t *) (c->term_start + (size_t) h->n_terms + 1);
	c->item_weight = (const float *) (c->item_term + h->n);
	c->term_item = (const uint32_t *) (c->item_weight + h->n);
	c->term_weight = (const float *) (c->term_item + h->n);
}

static size_t
starts_size(const Header *h)
{
	return ((size_t) h->n_items + h->n_terms + 2) * sizeof(uint64_t);
}

/* ---- writing ---- */

/* Radix sort of n 64-bit numbers by their bytes; the result is in a. */
static void
sort_hashes(WfHost *host, uint64_t *a, uint64_t *b, size_t n)
{
	for (int byte = 0; byte < 8; byte++)
	{
		size_t		count[257] = {0};
		uint64_t   *swap = a;

		for (size_t i = 0; i < n; i++)
			count[((a[i] >> (8 * byte)) & 255) + 1]++;
		host->check(host);
		for (int v = 0; v < 256; v++)
			count[v + 1] += count[v];
		for (size_t i = 0; i < n; i++)
		{
			if (i % CHECK_ENTRIES == 0)
				host->check(host);
			b[count[(a[i] >> (8 * byte)) & 255]++] = a[i];
		}
		a = b;
		b = swap;
	}
}

/* The different hashes, rising. */
static uint64_t *
distinct_hashes(WfHost *host, const uint64_t *hash, size_t n, uint32_t *n_terms)
{
	uint64_t   *a = wf_alloc(host, n, sizeof(uint64_t));
	uint64_t   *b = wf_alloc(host, n, sizeof(uint64_t));
	size_t		kept = 0;

	if (n)
		memcpy(a, hash, n * sizeof(uint64_t));
	sort_hashes(host, a, b, n);
	wf_release(host, b);
	for (size_t i = 0; i < n; i++)
	{
		if (i % CHECK_ENTRIES == 0)
			host->check(host);
		if (kept == 0 || a[i] != a[kept - 1])
			a[kept++] = a[i];
	}
	if (kept >= UINT32_MAX)
		host->fail(host, WF_E_LIMIT, WF_HINT_NONE, "the items have too many different terms");
	*n_terms = (uint32_t) kept;
	return a;
}

/* Place of a hash that is there. */
static uint32_t
number_of(const uint64_t *terms, uint32_t n, uint64_t hash)
{
	uint32_t	low = 0;
	uint32_t	high = n;

	while (low + 1 < high)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (terms[middle] <= hash)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The items of each term, from the terms of each item. */
static void
invert(WfHost *host, const WfContent *c, uint64_t *start, uint32_t *item, float *weight)
{
	memset(start, 0, ((size_t) c->n_terms + 1) * sizeof(uint64_t));
	for (uint64_t e = 0; e < c->n; e++)
	{
		if (e % CHECK_ENTRIES == 0)
			host->check(host);
		start[c->item_term[e] + 1]++;
	}
	for (uint32_t t = 0; t < c->n_terms; t++)
		start[t + 1] += start[t];
	for (uint32_t i = 0; i < c->n_items; i++)
	{
		if (i % 1024 == 0)
			host->check(host);
		for (uint64_t e = c->item_start[i]; e < c->item_start[i + 1]; e++)
		{
			uint64_t	at = start[c->item_term[e]]++;

			item[at] = i;
			weight[at] = c->item_weight[e];
		}
	}
	/* each start has moved to its end, which is the next one's start */
	memmove(start + 1, start, c->n_terms * sizeof(uint64_t));
	start[0] = 0;
}

void
wf_content_write(WfHost *host, const WfContentVectors *v, WfBytes *out)
{
	Header		h = {.n = v->start[v->n_items], .n_items = v->n_items};
	uint64_t   *terms;
	size_t		at;
	WfContent	c;

	memcpy(h.magic, MAGIC, sizeof(h.magic));
	terms = distinct_hashes(host, v->hash, h.n, &h.n_terms);
	wf_bytes_align(out, 64);
	at = out->length;
	wf_bytes_append(out, &h, sizeof(h));
	wf_bytes_extend(out, wf_size_add(host, starts_size(&h), wf_size_mul(host, h.n, 16)));
	lay_out((const Header *) (out->data + at), &c);

	memcpy((uint64_t *) c.item_start, v->start, ((size_t) h.n_items + 1) * sizeof(uint64_t));
	if (h.n)
		memcpy((float *) c.item_weight, v->weight, h.n * sizeof(float));
	for (uint64_t e = 0; e < h.n; e++)
	{
		if (e % 16384 == 0)
			host->check(host);
		((uint32_t *) c.item_term)[e] = number_of(terms, h.n_terms, v->hash[e]);
	}
	wf_release(host, terms);
	invert(host, &c, (uint64_t *) c.term_start, (uint32_t *) c.term_item, (float *) c.term_weight);
	wf_bytes_align(out, 8);
}

/* ---- reading ---- */

/* Rows of a sparse matrix with rising columns below n_columns and finite values. */
static bool
rows_valid(WfHost *host, const uint64_t *start, uint32_t n_rows, const uint32_t *col, const float *value,
		   uint64_t n, uint32_t n_columns)
{
	if (start[0] != 0 || start[n_rows] != n)
		return false;
	for (uint32_t r = 0; r < n_rows; r++)
	{
		if (start[r + 1] < start[r] || start[r + 1] > n)
			return false;
		if (r % CHECK_ENTRIES == 0)
			host->check(host);
	}
	for (uint32_t r = 0; r < n_rows; r++)
		for (uint64_t e = start[r]; e < start[r + 1]; e++)
		{
			if (col[e] >= n_columns || (e > start[r] && col[e] <= col[e - 1]) || !isfinite(value[e]))
				return false;
			if (e % CHECK_ENTRIES == 0)
				host->check(host);
		}
	return true;
}

bool
wf_content_open(WfHost *host, const void *bytes, size_t length, WfContent *c)
{
	const Header *h = bytes;

	if (length < sizeof(*h) || memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0 ||
		h->n > length / 16 || starts_size(h) > length - sizeof(*h) ||
		h->n * 16 > length - sizeof(*h) - starts_size(h))
		return false;
	lay_out(h, c);
	return rows_valid(host, c->item_start, c->n_items, c->item_term, c->item_weight, c->n, c->n_terms) &&
		rows_valid(host, c->term_start, c->n_terms, c->term_item, c->term_weight, c->n, c->n_items);
}

bool
wf_content_score(const WfContent *c, const uint32_t *items, const float *weights, size_t n,
				 float *profile, float *score)
{
	double		squares = 0;
	float		inverse;

	memset(score, 0, c->n_items * sizeof(float));
	for (size_t i = 0; i < n; i++)
		if (wf_content_has(c, items[i]))
			for (uint64_t e = c->item_start[items[i]]; e < c->item_start[items[i] + 1]; e++)
				profile[c->item_term[e]] += weights[i] * c->item_weight[e];

	/* Each term once: it is taken out of the profile as it is met. */
	for (size_t i = 0; i < n; i++)
		if (wf_content_has(c, items[i]))
			for (uint64_t e = c->item_start[items[i]]; e < c->item_start[items[i] + 1]; e++)
			{
				uint32_t	t = c->item_term[e];
				float		p = profile[t];

				profile[t] = 0;
				squares += (double) p * (double) p;
				for (uint64_t x = c->term_start[t]; p != 0 && x < c->term_start[t + 1]; x++)
					score[c->term_item[x]] += p * c->term_weight[x];
			}
	if (!(squares > 0))
		return false;
	inverse = (float) (1 / sqrt(squares));
	for (uint32_t i = 0; i < c->n_items; i++)
		score[i] *= inverse;
	return true;
}
