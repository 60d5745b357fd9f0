/*-------------------------------------------------------------------------
 * content_reader.c
 *	  Rows of a catalogue into terms.
 *-------------------------------------------------------------------------
 */
#include "core/content_reader.h"

#include <math.h>
#include <string.h>

#include "core/dict.h"

/* So much of a text is read, of a word hashed, and this long is a text taken as a whole as well. */
#define MAX_TEXT 65536
#define MAX_WORD 64
#define MAX_WHOLE 64
#define CHECK_BYTES 65536
#define CHECK_ENTRIES 16384
/* Not a word: keeps a whole text apart from the word that it may be. */
#define SEED_WHOLE UINT64_C(0x77686f6c65)

WfContentReader *
wf_content_begin(WfHost *host, int n_columns, const WfContentKind *kinds)
{
	WfContentReader *reader = wf_alloc_zero(host, 1, sizeof(*reader));

	reader->host = host;
	reader->n_columns = n_columns;
	reader->kinds = wf_alloc(host, (size_t) n_columns, sizeof(*kinds));
	memcpy(reader->kinds, kinds, (size_t) n_columns * sizeof(*kinds));
	wf_bytes_init(&reader->entries, host);
	wf_bytes_init(&reader->numbers, host);
	return reader;
}

/* ---- one row's entries ---- */

static inline bool
comes_before(const WfContentEntry *a, const WfContentEntry *b)
{
	return a->column != b->column ? a->column < b->column : a->hash < b->hash;
}

static void
sift_down(WfContentEntry *e, size_t root, size_t n)
{
	WfContentEntry moving = e[root];

	for (;;)
	{
		size_t		child = 2 * root + 1;

		if (child >= n)
			break;
		if (child + 1 < n && comes_before(&e[child], &e[child + 1]))
			child++;
		if (!comes_before(&moving, &e[child]))
			break;
		e[root] = e[child];
		root = child;
	}
	e[root] = moving;
}

/* Heap sort: a row has few entries mostly, and may have tens of thousands. */
size_t
wf_content_merge(WfHost *host, WfContentEntry *entries, size_t n)
{
	size_t		kept = 0;

	for (size_t root = n / 2; root-- > 0;)
	{
		if ((root + 1) % CHECK_ENTRIES == 0)
			host->check(host);
		sift_down(entries, root, n);
	}
	for (size_t end = n; end-- > 1;)
	{
		WfContentEntry first = entries[0];

		if ((end + 1) % CHECK_ENTRIES == 0)
			host->check(host);
		entries[0] = entries[end];
		entries[end] = first;
		sift_down(entries, 0, end);
	}
	for (size_t i = 0; i < n; i++)
	{
		WfContentEntry *last = kept ? &entries[kept - 1] : NULL;

		if (last && last->hash == entries[i].hash && last->column == entries[i].column)
		{
			uint32_t	count = (uint32_t) last->count + entries[i].count;

			last->count = count > UINT16_MAX ? UINT16_MAX : (uint16_t) count;
		}
		else
			entries[kept++] = entries[i];
	}
	return kept;
}

static void
end_row(WfContentReader *reader)
{
	size_t		n = (reader->entries.length - reader->row_begin) / sizeof(WfContentEntry);

	if (n > 1)
	{
		n = wf_content_merge(reader->host, (WfContentEntry *) (reader->entries.data + reader->row_begin), n);
		reader->entries.length = reader->row_begin + n * sizeof(WfContentEntry);
	}
	reader->row_begin = reader->entries.length;
}

void
wf_content_row(WfContentReader *reader)
{
	end_row(reader);
	if (reader->n_rows == UINT32_MAX)
		reader->host->fail(reader->host, WF_E_LIMIT, WF_HINT_NONE, "there are too many items");
	reader->n_rows++;
}

static void
add_term(WfContentReader *reader, int column, const char *bytes, size_t length, uint64_t seed)
{
	WfContentEntry e = {wf_hash_bytes(bytes, length, seed + (uint64_t) column),
		reader->n_rows - 1, (uint16_t) column, 1};

	wf_bytes_append(&reader->entries, &e, sizeof(e));
}

static inline bool
is_word_byte(unsigned char c)
{
	return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static void
add_words(WfContentReader *reader, int column, const char *bytes, size_t length)
{
	char		word[MAX_WORD];
	char		whole[MAX_WHOLE];
	size_t		n_words = 0;

	for (size_t at = 0; at < length;)
	{
		size_t		n = 0;

		while (at < length && !is_word_byte((unsigned char) bytes[at]))
			at++;
		for (; at < length && is_word_byte((unsigned char) bytes[at]); at++)
			if (n < MAX_WORD)
				word[n++] = lower(bytes[at]);
		if (n)
		{
			add_term(reader, column, word, n, 0);
			n_words++;
		}
	}
	/* one word is the whole already */
	if (length <= MAX_WHOLE && n_words > 1)
	{
		for (size_t i = 0; i < length; i++)
			whole[i] = lower(bytes[i]);
		add_term(reader, column, whole, length, SEED_WHOLE);
	}
}

void
wf_content_add_text(WfContentReader *reader, int column, const char *bytes, size_t length)
{
	if (length > MAX_TEXT)
		length = MAX_TEXT;
	reader->since_check += length + 64;
	if (reader->since_check > CHECK_BYTES)
	{
		reader->host->check(reader->host);
		reader->since_check = 0;
	}
	if (reader->kinds[column] == WF_CONTENT_TEXT)
		add_words(reader, column, bytes, length);
	else
		add_term(reader, column, bytes, length, 0);
}

void
wf_content_add_number(WfContentReader *reader, int column, double value)
{
	WfContentNumber number = {value == 0 ? 0 : value, reader->n_rows - 1, (uint32_t) column};

	if (isfinite(value))
		wf_bytes_append(&reader->numbers, &number, sizeof(number));
}

uint32_t
wf_content_n_rows(const WfContentReader *reader)
{
	return reader->n_rows;
}

size_t
wf_content_bytes(const WfContentReader *reader)
{
	return sizeof(*reader) + reader->entries.capacity + reader->numbers.capacity;
}
