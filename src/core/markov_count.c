/*-------------------------------------------------------------------------
 * markov_count.c
 *	  Counting contexts and their successors: from a log to a block.
 *
 * One radix sort of all places by what stood before them, newest first, puts
 * the places of every context of every length side by side; the lengths are
 * then read off one after the other.  No table of contexts is needed, and
 * the work is linear in events times order whatever the vocabulary.
 *-------------------------------------------------------------------------
 */
#include "core/markov.h"

#include <string.h>

#include "core/smallsort.h"

#define CHECK_EVERY 65536
/* Contexts are told apart by how often they occurred up to this often. */
#define SEEN_MAX 255

typedef struct Counter
{
	WfHost	   *host;
	uint32_t	n_kinds;
	uint32_t	order;
	uint32_t	n;				/* places: every event and every end */
	uint32_t   *token;			/* by place: the event, or n_kinds for the end */
	uint8_t    *before;			/* by place: events of its case before it, at most 255 */
	uint32_t   *sorted;			/* places by context, then by token */
	uint8_t    *common;			/* by position in sorted: symbols of context shared with the one before */
	/* of the context at hand, by event */
	uint32_t   *count;
	uint32_t   *stamp;			/* last context one longer that counted it */
	uint32_t   *touched;
	uint32_t	n_touched;
	uint32_t	child;			/* number of the context one longer */
	uint32_t	least;			/* contexts of two and more events must have occurred so often */
	/* how much the contexts of each number of occurrences would take; NULL: not asked */
	uint64_t   *bytes_by_seen;
} Counter;

/* One level as it grows. */
typedef struct LevelBytes
{
	WfBytes		symbol;
	WfBytes		child;
	WfBytes		next;
	WfBytes		kind;
	WfBytes		count;
	uint32_t	n_children;		/* so far */
} LevelBytes;

/* Symbol j (1: newest) of the context of a place: 0 none, 1 start of the case, e + 2 event e. */
static inline uint32_t
symbol_of(const Counter *c, uint32_t place, uint32_t j)
{
	if (j <= c->before[place])
		return c->token[place - j] + 2;
	return j == c->before[place] + 1u;
}

static void
poll(const Counter *c, size_t i)
{
	if ((i + 1) % CHECK_EVERY == 0)
		c->host->check(c->host);
}

/* ---- places in order ---- */

static void
lay_tokens(Counter *c, const WfEventLog *log, const uint8_t *use)
{
	uint64_t	n = 0;
	uint32_t	at = 0;

	for (uint32_t i = 0; i < log->n_cases; i++)
		if (use == NULL || use[i])
			n += (uint64_t) log->start[i + 1] - log->start[i] + 1;
	if (n >= UINT32_MAX)
		c->host->fail(c->host, WF_E_LIMIT, "Train on a sample of the cases.", "too many events to train on");
	c->n = (uint32_t) n;
	c->token = wf_alloc(c->host, c->n, sizeof(uint32_t));
	c->before = wf_alloc(c->host, c->n, 1);
	for (uint32_t i = 0; i < log->n_cases; i++)
	{
		uint32_t	length = log->start[i + 1] - log->start[i];

		if (use != NULL && !use[i])
			continue;
		for (uint32_t t = 0; t <= length; t++, at++)
		{
			c->token[at] = t < length ? log->event[log->start[i] + t] : c->n_kinds;
			c->before[at] = (uint8_t) (t < 255 ? t : 255);
			poll(c, at);
		}
	}
}

/* Stable counting sort of from into to by symbol j of the context; j = 0: by token. */
static void
radix_pass(const Counter *c, const uint32_t *from, uint32_t *to, uint32_t *bucket, uint32_t j)
{
	uint32_t	sum = 0;

	memset(bucket, 0, ((size_t) c->n_kinds + 2) * sizeof(uint32_t));
	for (uint32_t i = 0; i < c->n; i++)
	{
		bucket[j ? symbol_of(c, i, j) : c->token[i]]++;
		poll(c, i);
	}
	for (uint32_t b = 0; b < c->n_kinds + 2; b++)
	{
		uint32_t	count = bucket[b];

		bucket[b] = sum;
		sum += count;
	}
	for (uint32_t i = 0; i < c->n; i++)
	{
		uint32_t	place = from ? from[i] : i;

		to[bucket[j ? symbol_of(c, place, j) : c->token[place]]++] = place;
		poll(c, i);
	}
}

static void
sort_places(Counter *c)
{
	uint32_t   *bucket = wf_alloc(c->host, (size_t) c->n_kinds + 2, sizeof(uint32_t));
	uint32_t   *from = wf_alloc(c->host, c->n, sizeof(uint32_t));
	uint32_t   *to = wf_alloc(c->host, c->n, sizeof(uint32_t));

	radix_pass(c, NULL, from, bucket, 0);
	for (uint32_t j = c->order; j >= 1; j--)
	{
		uint32_t   *swap = from;

		radix_pass(c, from, to, bucket, j);
		from = to;
		to = swap;
	}
	wf_release(c->host, bucket);
	wf_release(c->host, to);
	c->sorted = from;
	c->common = wf_alloc_zero(c->host, c->n, 1);
	for (uint32_t i = 1; i < c->n; i++)
	{
		uint32_t	j = 0;

		while (j < c->order && symbol_of(c, from[i], j + 1) == symbol_of(c, from[i - 1], j + 1))
			j++;
		c->common[i] = (uint8_t) j;
		poll(c, i);
	}
}

/* ---- one context ---- */

/* The events touched, in rising order. */
static void
sort_touched(Counter *c)
{
	uint32_t   *v = c->touched;
	uint32_t	n = c->n_touched;

	if (n > c->n_kinds / 16)
	{
		n = 0;
		for (uint32_t w = 0; w <= c->n_kinds; w++)
			if (c->count[w])
				v[n++] = w;
		return;
	}
	wf_small_sort(v, n);
}

static inline void
count_token(Counter *c, uint32_t w)
{
	if (c->count[w]++ == 0)
		c->touched[c->n_touched++] = w;
}

/*
 * Count the successors of the context of length n at sorted[begin, end);
 * returns how many of the contexts one longer will be kept.
 */
static uint32_t
count_context(Counter *c, uint32_t n, uint32_t begin, uint32_t end)
{
	uint32_t	place = c->sorted[begin];
	bool		at_start = n > 0 && symbol_of(c, place, n) == 1;
	uint32_t	kept = 0;
	uint32_t	child_begin = begin;

	c->n_touched = 0;
	if (n == c->order || at_start)
	{
		for (uint32_t i = begin; i < end; i++)
		{
			count_token(c, c->token[c->sorted[i]]);
			poll(c, i);
		}
		return 0;
	}
	c->child++;
	for (uint32_t i = begin; i < end; i++)
	{
		uint32_t	w = c->token[c->sorted[i]];

		if (i > begin && c->common[i] < n + 1)
		{
			kept += n == 0 || i - child_begin >= c->least;
			child_begin = i;
			c->child++;
		}
		if (c->stamp[w] != c->child)
		{
			c->stamp[w] = c->child;
			count_token(c, w);
		}
		poll(c, i);
	}
	return kept + (n == 0 || end - child_begin >= c->least);
}

static void
put_word(WfBytes *b, uint32_t word)
{
	wf_bytes_append(b, &word, sizeof(word));
}

static void
put_context(Counter *c, LevelBytes *out, uint32_t symbol, uint32_t n_children)
{
	put_word(&out->symbol, symbol);
	put_word(&out->child, out->n_children);
	put_word(&out->next, (uint32_t) (out->kind.length / sizeof(uint32_t)));
	out->n_children += n_children;
	sort_touched(c);
	for (uint32_t i = 0; i < c->n_touched; i++)
	{
		put_word(&out->kind, c->touched[i]);
		put_word(&out->count, c->count[c->touched[i]]);
		poll(c, i);
	}
}

/* All contexts of length n; out NULL: only their sizes. */
static void
count_level(Counter *c, uint32_t n, LevelBytes *out)
{
	uint32_t	begin = 0;

	c->child = 0;
	memset(c->stamp, 0, ((size_t) c->n_kinds + 1) * sizeof(uint32_t));
	while (begin < c->n)
	{
		uint32_t	end = begin + 1;
		uint32_t	symbol = n > 0 ? symbol_of(c, c->sorted[begin], n) : 1;

		while (end < c->n && c->common[end] >= n)
			poll(c, end++);
		/* A case too short to have that context, or a context that is left out. */
		if (symbol != 0 && (n < 2 || end - begin >= c->least))
		{
			uint32_t	children = count_context(c, n, begin, end);
			uint32_t	seen = end - begin < SEEN_MAX ? end - begin : SEEN_MAX;

			if (c->bytes_by_seen)
				c->bytes_by_seen[seen] += 12 + 8 * (uint64_t) c->n_touched;
			if (out)
				put_context(c, out, symbol - 1, children);
			for (uint32_t i = 0; i < c->n_touched; i++)
				c->count[c->touched[i]] = 0;
		}
		begin = end;
	}
}

/* How often a longer context must have occurred for all to fit. */
static void
choose_least(Counter *c, size_t size_limit)
{
	uint64_t	bytes_by_seen[SEEN_MAX + 1] = {0};
	uint64_t	bytes = 0;

	c->least = 1;
	/* A place has at most one context of each length, with one successor. */
	if ((double) c->n * c->order * 20 <= (double) size_limit)
		return;
	c->bytes_by_seen = bytes_by_seen;
	for (uint32_t n = 2; n <= c->order; n++)
		count_level(c, n, NULL);
	c->bytes_by_seen = NULL;
	for (c->least = SEEN_MAX; c->least > 1; c->least--)
	{
		bytes += bytes_by_seen[c->least];
		if (bytes + bytes_by_seen[c->least - 1] > size_limit)
			break;
	}
}

/* ---- the block ---- */

static void
put_level(WfBytes *out, LevelBytes *level)
{
	wf_bytes_append(out, level->symbol.data, level->symbol.length);
	wf_bytes_append(out, level->child.data, level->child.length);
	put_word(out, level->n_children);
	wf_bytes_append(out, level->next.data, level->next.length);
	put_word(out, (uint32_t) (level->kind.length / sizeof(uint32_t)));
	wf_bytes_append(out, level->kind.data, level->kind.length);
	wf_bytes_append(out, level->count.data, level->count.length);
	wf_bytes_free(&level->symbol);
	wf_bytes_free(&level->child);
	wf_bytes_free(&level->next);
	wf_bytes_free(&level->kind);
	wf_bytes_free(&level->count);
}

void
wf_markov_write(WfHost *host, const WfEventLog *log, const uint8_t *use, int order,
				size_t size_limit, WfBytes *out)
{
	Counter		c = {.host = host,.n_kinds = log->n_kinds,.order = (uint32_t) order};
	WfMarkovHeader header = {.order = (uint32_t) order,.n_kinds = log->n_kinds,.discount = WF_MARKOV_DISCOUNT};
	size_t		start;

	lay_tokens(&c, log, use);
	if (c.n == 0)
		host->fail(host, WF_E_DATA, WF_HINT_NONE, "there are no cases to train on");
	sort_places(&c);
	c.count = wf_alloc_zero(host, (size_t) c.n_kinds + 1, sizeof(uint32_t));
	c.stamp = wf_alloc(host, (size_t) c.n_kinds + 1, sizeof(uint32_t));
	c.touched = wf_alloc(host, (size_t) c.n_kinds + 1, sizeof(uint32_t));
	choose_least(&c, size_limit);

	wf_bytes_align(out, 8);
	start = out->length;
	wf_bytes_append(out, &header, sizeof(header));
	for (uint32_t n = 0; n <= c.order; n++)
	{
		LevelBytes	level = {.n_children = 0};

		wf_bytes_init(&level.symbol, host);
		wf_bytes_init(&level.child, host);
		wf_bytes_init(&level.next, host);
		wf_bytes_init(&level.kind, host);
		wf_bytes_init(&level.count, host);
		count_level(&c, n, &level);
		header.n_nodes[n] = (uint32_t) (level.symbol.length / sizeof(uint32_t));
		header.n_next[n] = (uint32_t) (level.kind.length / sizeof(uint32_t));
		put_level(out, &level);
	}
	while ((out->length - start) % 8 != 0)
		put_word(out, 0);
	header.length = out->length - start;
	memcpy(out->data + start, &header, sizeof(header));
	wf_release(host, c.token);
	wf_release(host, c.before);
	wf_release(host, c.sorted);
	wf_release(host, c.common);
	wf_release(host, c.count);
	wf_release(host, c.stamp);
	wf_release(host, c.touched);
}

void
wf_markov_estimate(uint64_t n_events, uint64_t n_cases, uint32_t n_kinds, int order, size_t size_limit,
				   size_t *memory, size_t *artifact)
{
	double		places = (double) n_events + (double) n_cases;
	double		longer = places * (order > 1 ? order - 1 : 0) * 20;
	double		block = (longer < (double) size_limit ? longer : (double) size_limit) +
		(places < (double) n_kinds * 1000 ? places : (double) n_kinds * 1000) * 8 + (double) n_kinds * 32;

	*artifact = block < 1e18 ? (size_t) block : (size_t) 1e18;
	block = block * 2 + places * 14 + (double) n_kinds * 16;
	*memory = block < 1e18 ? (size_t) block : (size_t) 1e18;
}
