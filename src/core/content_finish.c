/*-------------------------------------------------------------------------
 * content_finish.c
 *	  From the terms of rows to weighted vectors and an inverted index.
 *
 * Everything is put into the order of items, columns and hashes first, so that
 * sums are added up in an order of their own.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "core/content_bytes.h"
#include "core/content_reader.h"
#include "core/dict.h"
#include "core/mathx.h"

#define CHECK_ENTRIES 16384
/* Points that a number lies between. */
#define KNOTS 8
/* Logistic curve that is closest to the normal distribution. */
#define LOGISTIC 1.702

typedef struct Term
{
	uint64_t	hash;			/* 0: empty place */
	uint32_t	items;			/* that have it */
	uint32_t	number;			/* 1 + its number in the result; 0: not kept */
} Term;

/* An item's term while its weight is found. */
typedef struct Weighed
{
	uint64_t	hash;
	double		weight;
	uint32_t	column;
	bool		shared;			/* with another item */
} Weighed;

typedef struct Moments
{
	double		sum;
	double		squares;		/* of distances to the mean */
	uint64_t	n;
} Moments;

typedef struct Finish
{
	WfHost	   *host;
	const WfContentReader *reader;
	uint32_t	n_items;
	uint64_t	n_described;	/* items with a term */
	WfContentEntry *entries;	/* by item, column, hash */
	size_t	   *entry_start;	/* n_items + 1 */
	WfContentNumber *numbers;	/* by item, column, value; then one for each item and column */
	size_t	   *number_start;
	Moments    *moments;		/* by column */
	Term	   *table;
	size_t		table_size;		/* a power of two */
	size_t		n_terms;		/* in the table */
	WfBytes		weighed;		/* scratch: Weighed of an item */
	WfBytes		hashes;			/* uint64_t: kept terms, by item */
	WfBytes		weights;		/* float */
	uint64_t   *item_start;		/* n_items + 1, in kept terms */
} Finish;

/* ---- order ---- */

/* Where the things of each item start, from the items of n things of that size. */
static size_t *
count_starts(Finish *f, const uint8_t *things, size_t size, size_t row_at, size_t n, const uint32_t *place)
{
	size_t	   *start = wf_alloc_zero(f->host, (size_t) f->n_items + 2, sizeof(size_t));

	for (size_t i = 0; i < n; i++)
	{
		uint32_t	row;

		if (i % CHECK_ENTRIES == 0)
			f->host->check(f->host);
		memcpy(&row, things + i * size + row_at, sizeof(row));
		start[place[row] + 2]++;
	}
	for (size_t i = 2; i < (size_t) f->n_items + 2; i++)
		start[i] += start[i - 1];
	return start;
}

/* Things by item: a counting sort; start[i + 1] runs from item i's first place to its end. */
static void *
sort_by_item(Finish *f, WfBytes *things, size_t size, size_t row_at, const uint32_t *place, size_t **start)
{
	size_t		n = things->length / size;
	uint8_t    *sorted = wf_alloc(f->host, n, size);

	*start = count_starts(f, things->data, size, row_at, n, place);
	for (size_t i = 0; i < n; i++)
	{
		const uint8_t *thing = things->data + i * size;
		uint32_t	row;

		if (i % CHECK_ENTRIES == 0)
			f->host->check(f->host);
		memcpy(&row, thing + row_at, sizeof(row));
		memcpy(sorted + (*start)[place[row] + 1]++ * size, thing, size);
	}
	wf_bytes_free(things);
	return sorted;
}

/* Join what several rows say of one item; the entries move together. */
static void
merge_entries(Finish *f)
{
	size_t		kept = 0;
	size_t		begin = 0;

	for (uint32_t i = 0; i < f->n_items; i++)
	{
		size_t		end = f->entry_start[i + 1];
		size_t		n = wf_content_merge(f->host, f->entries + begin, end - begin);

		if (i % 64 == 0)
			f->host->check(f->host);
		memmove(f->entries + kept, f->entries + begin, n * sizeof(WfContentEntry));
		f->entry_start[i] = kept;
		kept += n;
		begin = end;
	}
	f->entry_start[f->n_items] = kept;
}

static bool
number_before(const WfContentNumber *a, const WfContentNumber *b)
{
	return a->column != b->column ? a->column < b->column : a->value < b->value;
}

static void
sift_number(WfContentNumber *x, size_t root, size_t n)
{
	WfContentNumber moving = x[root];

	for (size_t child; (child = 2 * root + 1) < n; root = child)
	{
		if (child + 1 < n && number_before(&x[child], &x[child + 1]))
			child++;
		if (!number_before(&moving, &x[child]))
			break;
		x[root] = x[child];
	}
	x[root] = moving;
}

/* Heap sort: an item has one number a column, but a wrong key gives it those of all rows. */
static void
sort_numbers(WfHost *host, WfContentNumber *x, size_t n)
{
	for (size_t root = n / 2; root-- > 0;)
	{
		if ((root + 1) % CHECK_ENTRIES == 0)
			host->check(host);
		sift_number(x, root, n);
	}
	for (size_t end = n; end-- > 1;)
	{
		WfContentNumber first = x[0];

		if ((end + 1) % CHECK_ENTRIES == 0)
			host->check(host);
		x[0] = x[end];
		x[end] = first;
		sift_number(x, 0, end);
	}
}

/* An item's numbers become one for each column: the mean, added up in their order. */
static size_t
merge_numbers(WfHost *host, WfContentNumber *x, size_t n)
{
	size_t		kept = 0;

	sort_numbers(host, x, n);
	for (size_t i = 0; i < n;)
	{
		size_t		begin = i;
		double		mean = 0;

		for (; i < n && x[i].column == x[begin].column; i++)
			mean += (x[i].value - mean) / (double) (i - begin + 1);
		x[kept] = x[begin];
		x[kept++].value = mean;
	}
	return kept;
}

static void
order_numbers(Finish *f)
{
	size_t		kept = 0;
	size_t		begin = 0;

	for (uint32_t i = 0; i < f->n_items; i++)
	{
		size_t		end = f->number_start[i + 1];
		size_t		n = merge_numbers(f->host, f->numbers + begin, end - begin);

		if (i % 4096 == 0)
			f->host->check(f->host);
		memmove(f->numbers + kept, f->numbers + begin, n * sizeof(WfContentNumber));
		f->number_start[i] = kept;
		kept += n;
		begin = end;
	}
	f->number_start[f->n_items] = kept;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < kept; i++)
		{
			Moments    *m = &f->moments[f->numbers[i].column];
			double		v = f->numbers[i].value;

			if (i % CHECK_ENTRIES == 0)
				f->host->check(f->host);
			if (pass == 0)
			{
				m->n++;
				m->sum += (v - m->sum) / (double) m->n;
			}
			else
				m->squares += (v - m->sum) * (v - m->sum);
		}
}

/* ---- the table of terms ---- */

static Term *
find_term(Term *table, size_t size, uint64_t hash)
{
	size_t		at = hash & (size - 1);

	while (table[at].hash != 0 && table[at].hash != hash)
		at = (at + 1) & (size - 1);
	return &table[at];
}

static void
grow_table(Finish *f)
{
	size_t		size = f->table_size ? wf_size_mul(f->host, f->table_size, 2) : 1024;
	Term	   *table = wf_alloc_zero(f->host, size, sizeof(Term));

	for (size_t i = 0; i < f->table_size; i++)
	{
		if (i % CHECK_ENTRIES == 0)
			f->host->check(f->host);
		if (f->table[i].hash)
			*find_term(table, size, f->table[i].hash) = f->table[i];
	}
	wf_release(f->host, f->table);
	f->table = table;
	f->table_size = size;
}

static void
count_terms(Finish *f)
{
	for (size_t i = 0; i < f->entry_start[f->n_items]; i++)
	{
		Term	   *term;

		if (i % CHECK_ENTRIES == 0)
			f->host->check(f->host);
		if (2 * (f->n_terms + 1) > f->table_size)
			grow_table(f);
		/* 0 marks an empty place */
		f->entries[i].hash += f->entries[i].hash == 0;
		term = find_term(f->table, f->table_size, f->entries[i].hash);
		f->n_terms += term->hash == 0;
		term->hash = f->entries[i].hash;
		term->items++;
	}
}

/* ---- weights ---- */

static void
add_weighed(Finish *f, uint64_t hash, double weight, uint32_t column, bool shared)
{
	Weighed		w = {hash, weight, column, shared};

	wf_bytes_append(&f->weighed, &w, sizeof(w));
}

/* Hash of one of the points of a number column. */
static uint64_t
knot_hash(uint32_t column, uint32_t knot)
{
	uint32_t	key[2] = {column, knot};

	return wf_hash_bytes(key, sizeof(key), UINT64_C(0x6e756d626572)) | 1;
}

static void
weigh_number(Finish *f, const WfContentNumber *number)
{
	const Moments *m = &f->moments[number->column];
	double		deviation = sqrt(m->squares / (double) m->n);
	double		z = deviation > 0 ? (number->value - m->sum) / deviation : 0;
	double		place;
	uint32_t	knot;

	/* all the same, or beyond what squares can tell: nothing to compare */
	if (!(deviation > 0 && isfinite(z)))
		return;
	place = wf_sigmoid(LOGISTIC * z) * (KNOTS - 1);
	knot = place < KNOTS - 2 ? (uint32_t) place : KNOTS - 2;
	place -= knot;
	if (place < 1)
		add_weighed(f, knot_hash(number->column, knot), sqrt(1 - place), number->column, true);
	if (place > 0)
		add_weighed(f, knot_hash(number->column, knot + 1), sqrt(place), number->column, true);
}

/* Each column to length 1, then the whole. */
static void
balance(Weighed *w, size_t n)
{
	size_t		n_columns = 0;

	for (size_t i = 0; i < n;)
	{
		size_t		begin = i;
		double		squares = 0;

		for (; i < n && w[i].column == w[begin].column; i++)
			squares += w[i].weight * w[i].weight;
		for (size_t j = begin; j < i; j++)
			w[j].weight /= sqrt(squares);
		n_columns++;
	}
	for (size_t i = 0; i < n; i++)
		w[i].weight /= sqrt((double) n_columns);
}

static bool
weighs_more(const Weighed *a, const Weighed *b)
{
	return a->weight != b->weight ? a->weight > b->weight : a->hash < b->hash;
}

/*
 * The strongest shared ones to the front, in the order of their hashes; returns
 * how many.  Of two columns' terms with one hash, should that happen, one stays.
 */
static size_t
select_strongest(Weighed *w, size_t n)
{
	size_t		kept = 0;

	for (size_t i = 0; i < n; i++)
	{
		Weighed		moving = w[i];
		size_t		at;

		if (!moving.shared || (kept == WF_CONTENT_TERMS && !weighs_more(&moving, &w[kept - 1])))
			continue;
		at = kept < WF_CONTENT_TERMS ? kept++ : kept - 1;
		for (; at > 0 && weighs_more(&moving, &w[at - 1]); at--)
			w[at] = w[at - 1];
		w[at] = moving;
	}
	for (size_t i = 1; i < kept; i++)
	{
		Weighed		moving = w[i];
		size_t		at = i;

		for (; at > 0 && moving.hash < w[at - 1].hash; at--)
			w[at] = w[at - 1];
		w[at] = moving;
	}
	for (size_t i = 1; i < kept; i++)
		if (w[i].hash == w[i - 1].hash)
		{
			memmove(w + i, w + i + 1, (kept - i - 1) * sizeof(*w));
			kept--;
			i--;
		}
	return kept;
}

static void
weigh_item(Finish *f, uint32_t item)
{
	Weighed    *w;
	size_t		n;

	f->weighed.length = 0;
	for (size_t e = f->entry_start[item]; e < f->entry_start[item + 1]; e++)
	{
		const WfContentEntry *entry = &f->entries[e];
		uint32_t	items = find_term(f->table, f->table_size, entry->hash)->items;
		double		idf = 1 + wf_log((double) (f->n_described + 1) / (items + 1.0));

		if (e % CHECK_ENTRIES == 0)
			f->host->check(f->host);
		add_weighed(f, entry->hash, (1 + wf_log(entry->count)) * idf, entry->column, items > 1);
	}
	for (size_t e = f->number_start[item]; e < f->number_start[item + 1]; e++)
		weigh_number(f, &f->numbers[e]);
	w = (Weighed *) f->weighed.data;
	n = f->weighed.length / sizeof(Weighed);
	balance(w, n);
	n = select_strongest(w, n);
	for (size_t i = 0; i < n; i++)
	{
		float		weight = (float) w[i].weight;

		wf_bytes_append(&f->hashes, &w[i].hash, sizeof(uint64_t));
		wf_bytes_append(&f->weights, &weight, sizeof(weight));
	}
	f->item_start[item + 1] = f->weights.length / sizeof(float);
}

static void
weigh_items(Finish *f)
{
	for (uint32_t i = 0; i < f->n_items; i++)
		f->n_described += f->entry_start[i + 1] > f->entry_start[i] || f->number_start[i + 1] > f->number_start[i];
	for (uint32_t i = 0; i < f->n_items; i++)
	{
		if (i % 64 == 0)
			f->host->check(f->host);
		weigh_item(f, i);
	}
}

/* ---- all of it ---- */

size_t
wf_content_finish_bytes(const WfContentReader *reader)
{
	size_t		entries = reader->entries.length / sizeof(WfContentEntry);
	size_t		numbers = reader->numbers.length / sizeof(WfContentNumber);

	/* sorted copies; the table; what is kept, growing; the result */
	return wf_content_bytes(reader) + reader->entries.length + reader->numbers.length +
		6 * sizeof(Term) * entries + (entries + 2 * numbers) * (3 * (sizeof(uint64_t) + sizeof(float)) + 32);
}

void
wf_content_finish(WfContentReader *reader, const uint32_t *place, uint32_t n_items, WfBytes *out)
{
	WfHost	   *host = reader->host;
	Finish		f = {.host = host, .reader = reader, .n_items = n_items};
	WfContentVectors vectors;

	/* the last row's entries are merged like any others below */
	f.entries = sort_by_item(&f, &reader->entries, sizeof(WfContentEntry), offsetof(WfContentEntry, row),
							 place, &f.entry_start);
	merge_entries(&f);
	f.numbers = sort_by_item(&f, &reader->numbers, sizeof(WfContentNumber), offsetof(WfContentNumber, row),
							 place, &f.number_start);
	f.moments = wf_alloc_zero(host, (size_t) reader->n_columns, sizeof(Moments));
	order_numbers(&f);
	grow_table(&f);
	count_terms(&f);
	wf_bytes_init(&f.weighed, host);
	wf_bytes_init(&f.hashes, host);
	wf_bytes_init(&f.weights, host);
	f.item_start = wf_alloc_zero(host, (size_t) n_items + 1, sizeof(uint64_t));
	weigh_items(&f);

	wf_release(host, f.table);
	wf_release(host, f.moments);
	wf_release(host, f.numbers);
	wf_release(host, f.number_start);
	wf_release(host, f.entries);
	wf_release(host, f.entry_start);
	wf_bytes_free(&f.weighed);
	vectors = (WfContentVectors) {n_items, f.item_start, (const uint64_t *) f.hashes.data,
			(const float *) f.weights.data};
	wf_content_write(host, &vectors, out);
	wf_bytes_free(&f.weights);
	wf_bytes_free(&f.hashes);
	wf_release(host, f.item_start);
	wf_release(host, reader->kinds);
	wf_release(host, reader);
}
