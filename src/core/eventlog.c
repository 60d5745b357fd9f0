/*-------------------------------------------------------------------------
 * eventlog.c
 *	  Reading an event log and putting it in order.
 *
 * Events are kept in chunks as they come: number of the case, code of the
 * event, time, and where the tie lies if there is one.  Cases are told apart
 * by 128 bits of hash, so their ids need not be kept.  Finishing sorts row
 * numbers only: by case (counting sort), inside each case by merging, which
 * a log that was read in order passes in one look.
 *-------------------------------------------------------------------------
 */
#include "core/eventlog.h"

#include <math.h>
#include <string.h>


#define CHUNK_SHIFT 16
#define CHUNK_EVENTS (1 << CHUNK_SHIFT)
#define CHUNK_MASK (CHUNK_EVENTS - 1)
#define TIE_BLOCK_SHIFT 20
#define TIE_BLOCK ((size_t) 1 << TIE_BLOCK_SHIFT)
#define TIE_MAX 1024
#define CHECK_EVERY 8192
/* Runs this short are sorted by insertion before they are merged. */
#define RUN 16

typedef struct Chunk
{
	double		time[CHUNK_EVENTS];
	uint32_t	case_no[CHUNK_EVENTS];
	uint32_t	event[CHUNK_EVENTS];	/* code in the dictionary */
	uint64_t   *tie;			/* 1 + place in the tie blocks, 0: none; NULL: no tie in this chunk */
} Chunk;

typedef struct CaseKey
{
	uint64_t	high;
	uint64_t	low;
} CaseKey;

struct WfEventReader
{
	uint32_t	n_rows;
	uint32_t	n_cases;
	uint32_t	last_case;		/* of the row before: rows of a case often come together */
	WfBytes		chunks;			/* Chunk * */
	WfBytes		ties;			/* uint8_t *: blocks of TIE_BLOCK bytes */
	size_t		tie_used;		/* bytes used in the last block */
	WfBytes		keys;			/* CaseKey of each case */
	uint32_t   *table;			/* 1 + case, 0: free */
	uint32_t	table_size;		/* a power of two */
	size_t		bytes;			/* chunks and ties, for wf_eventlog_memory() */
};

WfEventLog *
wf_eventlog_create(WfHost *host, bool timed)
{
	WfEventLog *log = wf_alloc_zero(host, 1, sizeof(WfEventLog));
	WfEventReader *r = wf_alloc_zero(host, 1, sizeof(WfEventReader));

	log->host = host;
	log->timed = timed;
	log->reader = r;
	log->dict = wf_dict_create(host);
	wf_bytes_init(&r->chunks, host);
	wf_bytes_init(&r->ties, host);
	wf_bytes_init(&r->keys, host);
	r->tie_used = TIE_BLOCK;
	r->table_size = 1024;
	r->table = wf_alloc_zero(host, r->table_size, sizeof(uint32_t));
	return log;
}

/* ---- cases ---- */

static const CaseKey *
case_keys(const WfEventReader *r)
{
	return (const CaseKey *) (const void *) r->keys.data;
}

static void
grow_table(WfHost *host, WfEventReader *r)
{
	const CaseKey *keys = case_keys(r);
	uint32_t	size = r->table_size * 2;
	uint32_t   *table = wf_alloc_zero(host, size, sizeof(uint32_t));

	for (uint32_t c = 0; c < r->n_cases; c++)
	{
		uint32_t	at = (uint32_t) keys[c].low & (size - 1);

		while (table[at])
			at = (at + 1) & (size - 1);
		table[at] = c + 1;
		if ((c + 1) % CHECK_EVERY == 0)
			host->check(host);
	}
	wf_release(host, r->table);
	r->table = table;
	r->table_size = size;
}

static uint32_t
find_case(WfHost *host, WfEventReader *r, const char *id, size_t length)
{
	CaseKey		key = {.high = wf_hash_bytes(id, length, 1),.low = wf_hash_bytes(id, length, 2)};
	const CaseKey *keys = case_keys(r);
	uint32_t	at;

	if (r->n_rows > 0 && keys[r->last_case].low == key.low && keys[r->last_case].high == key.high)
		return r->last_case;
	if (r->n_cases >= r->table_size / 2)
		grow_table(host, r);
	keys = case_keys(r);
	at = (uint32_t) key.low & (r->table_size - 1);
	while (r->table[at])
	{
		uint32_t	c = r->table[at] - 1;

		if (keys[c].low == key.low && keys[c].high == key.high)
			return c;
		at = (at + 1) & (r->table_size - 1);
	}
	wf_bytes_append(&r->keys, &key, sizeof(key));
	r->table[at] = ++r->n_cases;
	return r->n_cases - 1;
}

/* ---- rows ---- */

static Chunk *
chunk_of(const WfEventReader *r, uint32_t row)
{
	return ((Chunk *const *) (const void *) r->chunks.data)[row >> CHUNK_SHIFT];
}

static uint64_t
keep_tie(WfHost *host, WfEventReader *r, const char *tie, size_t length)
{
	uint16_t	kept = (uint16_t) (length < TIE_MAX ? length : TIE_MAX);
	size_t		n_blocks = r->ties.length / sizeof(uint8_t *);
	uint8_t    *block;

	if (r->tie_used + sizeof(kept) + kept > TIE_BLOCK)
	{
		block = wf_alloc(host, TIE_BLOCK, 1);
		wf_bytes_append(&r->ties, &block, sizeof(block));
		r->tie_used = 0;
		r->bytes += TIE_BLOCK;
		n_blocks++;
	}
	block = ((uint8_t **) (void *) r->ties.data)[n_blocks - 1] + r->tie_used;
	memcpy(block, &kept, sizeof(kept));
	memcpy(block + sizeof(kept), tie, kept);
	r->tie_used += sizeof(kept) + kept;
	return 1 + ((uint64_t) (n_blocks - 1) << TIE_BLOCK_SHIFT | (r->tie_used - sizeof(kept) - kept));
}

void
wf_eventlog_add(WfEventLog *log, const char *case_id, size_t case_length,
				const char *event, size_t event_length, double time,
				const char *tie, size_t tie_length)
{
	WfHost	   *host = log->host;
	WfEventReader *r = log->reader;
	uint32_t	i = r->n_rows & CHUNK_MASK;
	Chunk	   *chunk;

	if (r->n_rows >= WF_EVENTLOG_MAX_EVENTS)
		host->fail(host, WF_E_LIMIT, "Train on a sample of the cases.",
				   "an event log may have at most %u events", WF_EVENTLOG_MAX_EVENTS);
	if (!isfinite(time))
		host->fail(host, WF_E_DATA, "Leave such events out of the source.", "the time of an event is not finite");
	if (event_length > 0 && memchr(event, '\0', event_length) != NULL)
		host->fail(host, WF_E_DATA, WF_HINT_NONE, "the text of an event contains a zero byte");
	if (i == 0)
	{
		chunk = wf_alloc(host, 1, sizeof(Chunk));
		chunk->tie = NULL;
		wf_bytes_append(&r->chunks, &chunk, sizeof(chunk));
		r->bytes += sizeof(Chunk);
	}
	chunk = chunk_of(r, r->n_rows);
	chunk->time[i] = time;
	chunk->case_no[i] = r->last_case = find_case(host, r, case_id, case_length);
	chunk->event[i] = wf_dict_add(log->dict, event, event_length);
	if (wf_dict_overflowed(log->dict))
		host->fail(host, WF_E_LIMIT, "Group rare events under one name.",
				   "there are more than %d distinct events", WF_DICT_MAX_ENTRIES);
	if (tie && chunk->tie == NULL)
	{
		chunk->tie = wf_alloc_zero(host, CHUNK_EVENTS, sizeof(uint64_t));
		r->bytes += CHUNK_EVENTS * sizeof(uint64_t);
	}
	if (chunk->tie)
		chunk->tie[i] = tie ? keep_tie(host, r, tie, tie_length) : 0;
	r->n_rows++;
}

void
wf_eventlog_tie(double number, char out[8])
{
	uint64_t	bits;
	double		x = number == 0 ? 0 : number;	/* -0 is 0 */

	memcpy(&bits, &x, sizeof(bits));
	bits = bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
	for (int i = 0; i < 8; i++)
		out[i] = (char) (bits >> (56 - 8 * i));
}

uint64_t
wf_eventlog_n_rows(const WfEventLog *log)
{
	return log->reader ? log->reader->n_rows : log->n_events;
}

size_t
wf_eventlog_memory(const WfEventLog *log)
{
	const WfEventReader *r = log->reader;
	size_t		kinds = (size_t) wf_dict_size(log->dict) * 64;

	if (r)
		return kinds + r->bytes + r->keys.capacity + (size_t) r->table_size * sizeof(uint32_t);
	return kinds + (size_t) log->n_events * (sizeof(uint32_t) + (log->time ? sizeof(double) : 0)) +
		(size_t) log->n_cases * (sizeof(uint32_t) + sizeof(uint64_t));
}

size_t
wf_eventlog_estimate(uint64_t n_events, uint64_t n_cases, bool ties)
{
	double		bytes = (double) n_events * (ties ? 32 + 8 + 10 : 32) + (double) n_cases * 64 + (double) sizeof(Chunk);

	return bytes < 1e18 ? (size_t) bytes : (size_t) 1e18;
}

/* ---- sorting ---- */

typedef struct Order
{
	WfHost	   *host;
	const WfEventReader *reader;
	const uint32_t *by_text;	/* code → place by bytes */
	const double *first;		/* by case: time of its first event */
	uint64_t	work;
	bool		(*after) (const struct Order *order, uint32_t a, uint32_t b);
} Order;

/* -1, 0, 1 as memcmp, the shorter first; none before any. */
static int
compare_ties(const WfEventReader *r, uint64_t a, uint64_t b)
{
	const uint8_t *const *blocks = (const uint8_t *const *) (const void *) r->ties.data;
	const uint8_t *pa;
	const uint8_t *pb;
	uint16_t	la,
				lb;
	int			order;

	if (a == 0 || b == 0)
		return (a != 0) - (b != 0);
	pa = blocks[(a - 1) >> TIE_BLOCK_SHIFT] + ((a - 1) & (TIE_BLOCK - 1));
	pb = blocks[(b - 1) >> TIE_BLOCK_SHIFT] + ((b - 1) & (TIE_BLOCK - 1));
	memcpy(&la, pa, sizeof(la));
	memcpy(&lb, pb, sizeof(lb));
	order = memcmp(pa + sizeof(la), pb + sizeof(lb), la < lb ? la : lb);
	return order != 0 ? order : (la > lb) - (la < lb);
}

static bool
row_after(const Order *o, uint32_t a, uint32_t b)
{
	const Chunk *ca = chunk_of(o->reader, a);
	const Chunk *cb = chunk_of(o->reader, b);
	double		ta = ca->time[a & CHUNK_MASK];
	double		tb = cb->time[b & CHUNK_MASK];
	int			ties;

	if (ta != tb)
		return ta > tb;
	ties = compare_ties(o->reader, ca->tie ? ca->tie[a & CHUNK_MASK] : 0, cb->tie ? cb->tie[b & CHUNK_MASK] : 0);
	if (ties != 0)
		return ties > 0;
	return o->by_text[ca->event[a & CHUNK_MASK]] > o->by_text[cb->event[b & CHUNK_MASK]];
}

static bool
case_after(const Order *o, uint32_t a, uint32_t b)
{
	const CaseKey *keys = case_keys(o->reader);

	if (o->first[a] != o->first[b])
		return o->first[a] > o->first[b];
	if (keys[a].high != keys[b].high)
		return keys[a].high > keys[b].high;
	return keys[a].low > keys[b].low;
}

static void
count_work(Order *o)
{
	if (++o->work % CHECK_EVERY == 0)
		o->host->check(o->host);
}

/* Merge sort from the bottom; scratch holds n. */
static void
sort(Order *o, uint32_t *v, uint32_t *scratch, size_t n)
{
	uint32_t   *from = v;
	uint32_t   *to = scratch;
	size_t		sorted = 1;

	while (sorted < n && !o->after(o, v[sorted - 1], v[sorted]))
	{
		sorted++;
		count_work(o);
	}
	if (sorted >= n)
		return;
	for (size_t run = 0; run < n; run += RUN)
		for (size_t i = run + 1; i < run + RUN && i < n; i++)
		{
			uint32_t	x = v[i];
			size_t		j = i;

			for (; j > run && o->after(o, v[j - 1], x); j--)
				v[j] = v[j - 1];
			v[j] = x;
			count_work(o);
		}
	for (size_t width = RUN; width < n; width *= 2)
	{
		uint32_t   *swap = from;

		for (size_t begin = 0; begin < n; begin += 2 * width)
		{
			size_t		middle = begin + width < n ? begin + width : n;
			size_t		end = middle + width < n ? middle + width : n;
			size_t		i = begin,
						j = middle;

			for (size_t k = begin; k < end; k++)
			{
				to[k] = j >= end || (i < middle && !o->after(o, from[i], from[j])) ? from[i++] : from[j++];
				count_work(o);
			}
		}
		from = to;
		to = swap;
	}
	if (from != v)
		memcpy(v, from, n * sizeof(uint32_t));
}

/* ---- finishing ---- */

/* Rows by case, cases as they were numbered while reading; first times of the cases. */
static uint32_t *
rows_by_case(WfHost *host, const WfEventReader *r, uint32_t *begin, double *first)
{
	uint32_t   *rows = wf_alloc(host, r->n_rows, sizeof(uint32_t));
	uint32_t	sum = 0;

	memset(begin, 0, ((size_t) r->n_cases + 1) * sizeof(uint32_t));
	for (uint32_t i = 0; i < r->n_rows; i++)
	{
		const Chunk *chunk = chunk_of(r, i);
		uint32_t	c = chunk->case_no[i & CHUNK_MASK];
		double		time = chunk->time[i & CHUNK_MASK];

		if (begin[c]++ == 0 || time < first[c])
			first[c] = time;
		if ((i + 1) % CHECK_EVERY == 0)
			host->check(host);
	}
	for (uint32_t c = 0; c <= r->n_cases; c++)
	{
		uint32_t	count = c < r->n_cases ? begin[c] : 0;

		begin[c] = sum;
		sum += count;
		if ((c + 1) % CHECK_EVERY == 0)
			host->check(host);
	}
	for (uint32_t i = 0; i < r->n_rows; i++)
	{
		rows[begin[chunk_of(r, i)->case_no[i & CHUNK_MASK]]++] = i;
		if ((i + 1) % CHECK_EVERY == 0)
			host->check(host);
	}
	/* Each begin now stands at its end, which is where the next one starts. */
	memmove(begin + 1, begin, (size_t) r->n_cases * sizeof(uint32_t));
	begin[0] = 0;
	return rows;
}

static void
drop_reader(WfEventLog *log)
{
	WfHost	   *host = log->host;
	WfEventReader *r = log->reader;
	Chunk	  **chunks = (Chunk **) (void *) r->chunks.data;
	uint8_t   **ties = (uint8_t **) (void *) r->ties.data;

	for (size_t i = 0; i < r->chunks.length / sizeof(*chunks); i++)
	{
		wf_release(host, chunks[i]->tie);
		wf_release(host, chunks[i]);
	}
	for (size_t i = 0; i < r->ties.length / sizeof(*ties); i++)
		wf_release(host, ties[i]);
	wf_bytes_free(&r->chunks);
	wf_bytes_free(&r->ties);
	wf_bytes_free(&r->keys);
	wf_release(host, r->table);
	wf_release(host, r);
	log->reader = NULL;
}

/* Numbers of events by code, and what goes with them. */
static uint32_t *
number_events(WfEventLog *log)
{
	WfHost	   *host = log->host;
	uint32_t   *number;

	log->n_kinds = wf_dict_size(log->dict);
	log->code = wf_dict_ranking(log->dict);
	log->count = wf_alloc(host, log->n_kinds, sizeof(uint32_t));
	number = wf_alloc(host, log->n_kinds, sizeof(uint32_t));
	for (uint32_t k = 0; k < log->n_kinds; k++)
	{
		number[log->code[k]] = k;
		log->count[k] = (uint32_t) wf_dict_count(log->dict, log->code[k]);
	}
	return number;
}

static uint32_t *
places_by_text(WfEventLog *log)
{
	uint32_t   *sorted = wf_dict_sorted(log->dict);
	uint32_t   *place = wf_alloc(log->host, log->n_kinds, sizeof(uint32_t));

	for (uint32_t i = 0; i < log->n_kinds; i++)
		place[sorted[i]] = i;
	wf_release(log->host, sorted);
	return place;
}

/* Cases in their order, each with its events, into the arrays that stay. */
static void
lay_out(WfEventLog *log, const uint32_t *rows, const uint32_t *begin, const uint32_t *order, const uint32_t *number)
{
	WfHost	   *host = log->host;
	const WfEventReader *r = log->reader;
	uint32_t	at = 0;
	double		before = 0;

	log->n_cases = r->n_cases;
	log->n_events = r->n_rows;
	log->start = wf_alloc(host, (size_t) log->n_cases + 1, sizeof(uint32_t));
	log->case_hash = wf_alloc(host, log->n_cases, sizeof(uint64_t));
	log->event = wf_alloc(host, log->n_events, sizeof(uint32_t));
	if (log->timed)
		log->time = wf_alloc(host, log->n_events, sizeof(double));
	for (uint32_t i = 0; i < log->n_cases; i++)
	{
		uint32_t	c = order[i];
		uint32_t	length = begin[c + 1] - begin[c];

		log->start[i] = at;
		log->case_hash[i] = case_keys(r)[c].high;
		log->longest = length > log->longest ? length : log->longest;
		for (uint32_t k = begin[c]; k < begin[c + 1]; k++, at++)
		{
			const Chunk *chunk = chunk_of(r, rows[k]);
			double		time = chunk->time[rows[k] & CHUNK_MASK];

			log->event[at] = number[chunk->event[rows[k] & CHUNK_MASK]];
			if (log->timed)
				log->time[at] = time;
			if (k > begin[c] && time == before)
				log->n_ties++;
			before = time;
			if ((at + 1) % CHECK_EVERY == 0)
				host->check(host);
		}
	}
	log->start[log->n_cases] = at;
}

void
wf_eventlog_finish(WfEventLog *log)
{
	WfHost	   *host = log->host;
	WfEventReader *r = log->reader;
	Order		order = {.host = host,.reader = r,.after = row_after};
	uint32_t	n_cases = r->n_cases;
	uint32_t	longest = n_cases;
	uint32_t   *number;
	uint32_t   *place;
	uint32_t   *rows;
	uint32_t   *begin;
	uint32_t   *cases;
	uint32_t   *scratch;
	double	   *first;

	if (r->n_rows == 0)
		host->fail(host, WF_E_DATA, WF_HINT_NONE, "there are no events to train on");
	number = number_events(log);
	place = places_by_text(log);
	begin = wf_alloc(host, (size_t) n_cases + 1, sizeof(uint32_t));
	first = wf_alloc(host, n_cases, sizeof(double));
	rows = rows_by_case(host, r, begin, first);
	for (uint32_t c = 0; c < n_cases; c++)
	{
		if (begin[c + 1] - begin[c] > longest)
			longest = begin[c + 1] - begin[c];
		count_work(&order);
	}
	scratch = wf_alloc(host, longest, sizeof(uint32_t));

	order.by_text = place;
	order.first = first;
	for (uint32_t c = 0; c < n_cases; c++)
	{
		sort(&order, rows + begin[c], scratch, begin[c + 1] - begin[c]);
		count_work(&order);
	}
	cases = wf_alloc(host, n_cases, sizeof(uint32_t));
	for (uint32_t c = 0; c < n_cases; c++)
		cases[c] = c;
	order.after = case_after;
	sort(&order, cases, scratch, n_cases);
	wf_release(host, scratch);
	wf_release(host, place);
	wf_release(host, first);

	lay_out(log, rows, begin, cases, number);
	wf_release(host, number);
	wf_release(host, rows);
	wf_release(host, begin);
	wf_release(host, cases);
	drop_reader(log);
}

const char *
wf_eventlog_text(const WfEventLog *log, uint32_t event, size_t *length)
{
	return wf_dict_string(log->dict, log->code[event], length);
}

void
wf_eventlog_destroy(WfEventLog *log)
{
	WfHost	   *host = log->host;

	if (log->reader)
		drop_reader(log);
	wf_release(host, log->start);
	wf_release(host, log->event);
	wf_release(host, log->time);
	wf_release(host, log->case_hash);
	wf_release(host, log->count);
	wf_release(host, log->code);
	wf_release(host, log);
}
