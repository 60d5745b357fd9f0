/*-------------------------------------------------------------------------
 * test_content.c
 *	  Content of items: likeness against a table in double, order of rows,
 *	  failures, hostile bytes.
 *-------------------------------------------------------------------------
 */
#include "wf_test.h"

#include <time.h>

#include "core/content.h"
#include "core/rng.h"

/* title, kind, price, tags */
static const WfContentKind kinds[] = {WF_CONTENT_TEXT, WF_CONTENT_CATEGORY, WF_CONTENT_NUMBER, WF_CONTENT_TAGS};

typedef struct Row
{
	uint32_t	item;
	const char *title;			/* NULL: none */
	const char *kind;
	double		price;			/* NaN: none */
	const char *tags[3];
} Row;

static const Row catalogue[] = {
	{0, "Send a mail when a FORM is filled", "trigger", 10, {"mail", "form"}},
	{1, "send mail", "trigger", 12, {"mail"}},
	{2, "Read a table, write a table", "database", 90, {"sql"}},
	{3, "read-table", "database", 95, {"sql", "form"}},
	{4, NULL, NULL, NAN, {NULL}},
	{5, "nothing alike whatsoever", "odd", NAN, {NULL}},
	{6, "Schl\xc3\xbcssel", "trigger", 50, {NULL}},
	{7, "schl\xc3\xbcssel!", NULL, 50, {NULL}},
	{3, NULL, NULL, 97, {"sql"}},
};

#define N_ROWS (sizeof(catalogue) / sizeof(catalogue[0]))
#define N_ITEMS 9				/* the last has no row */

static void
read_rows(WfHost *host, const Row *rows, size_t n, bool backwards, WfBytes *out)
{
	WfContentReader *reader = wf_content_begin(host, 4, kinds);
	uint32_t	place[64];

	for (size_t i = 0; i < n; i++)
	{
		const Row  *r = &rows[backwards ? n - 1 - i : i];

		place[i] = r->item;
		wf_content_row(reader);
		if (r->title)
			wf_content_add_text(reader, 0, r->title, strlen(r->title));
		for (int t = 0; t < 3; t++)
			if (r->tags[t])
				wf_content_add_text(reader, 3, r->tags[t], strlen(r->tags[t]));
		if (r->kind)
			wf_content_add_text(reader, 1, r->kind, strlen(r->kind));
		wf_content_add_number(reader, 2, r->price);
	}
	WF_CHECK_EQ(wf_content_n_rows(reader), n);
	WF_CHECK(wf_content_bytes(reader) > 0);
	wf_bytes_init(out, host);
	wf_content_finish(reader, place, N_ITEMS, out);
}

/* Likeness of two items through a profile of one. */
static double
likeness(const WfContent *c, uint32_t a, uint32_t b)
{
	float		profile[64] = {0};
	float		score[N_ITEMS];
	float		one = 1;

	WF_CHECK(c->n_terms <= 64 && c->n_items == N_ITEMS);
	wf_content_score(c, &a, &one, 1, profile, score);
	for (int i = 0; i < 64; i++)
		WF_CHECK(profile[i] == 0);
	return (double) score[b];
}

WF_TEST(what_is_alike)
{
	TestHost	th;
	WfBytes		out;
	WfContent	c;
	float		profile[64] = {0};
	float		score[N_ITEMS];
	uint32_t	history[] = {0, 2, 4};
	float		weights[] = {1, 0.5f, 1};

	test_host_begin(&th);
	read_rows(&th.host, catalogue, N_ROWS, false, &out);
	th.n_checks = 0;
	WF_CHECK(wf_content_open(&th.host, out.data, out.length, &c));
	WF_CHECK(th.n_checks > 0);
	/* a trigger with mail, about the same price */
	WF_CHECK(likeness(&c, 0, 1) > 0.5);
	WF_CHECK(likeness(&c, 2, 3) > 0.6);
	WF_CHECK(likeness(&c, 0, 1) > 2 * likeness(&c, 0, 2));
	/* one tag, and the far end of the prices */
	WF_CHECK(likeness(&c, 0, 3) > 0 && likeness(&c, 0, 3) < 0.3);
	/* bytes from 0x80 on are letters; the whole text differs by a mark only in one word */
	WF_CHECK(likeness(&c, 6, 7) > 0.6);
	/* nothing known, nothing shared */
	WF_CHECK(!wf_content_has(&c, 4) && !wf_content_has(&c, 5) && !wf_content_has(&c, 8) && !wf_content_has(&c, 99));
	WF_CHECK(likeness(&c, 0, 5) == 0 && likeness(&c, 4, 0) == 0);
	for (uint32_t i = 0; i < N_ITEMS; i++)
		if (wf_content_has(&c, i))
			WF_CHECK_NEAR(likeness(&c, i, i), 1, 0.5);
	/* several items: between them by weight */
	WF_CHECK(wf_content_score(&c, history, weights, 3, profile, score));
	WF_CHECK(score[1] > score[3] && score[3] > score[6]);
	WF_CHECK(!wf_content_score(&c, history + 2, weights, 1, profile, score));
	WF_CHECK(score[1] == 0);
	test_host_end(&th);
}

/*
 * Two items of three share the category; prices 1, 1.5, 4.  By hand: the
 * category weighs 1 / sqrt(2); the prices stand at 7 · logistic(1.702 z), the
 * first between points 1 and 2, the second between 2 and 3.
 */
WF_TEST(numbers_by_hand)
{
	static const Row rows[] = {{0, NULL, "a", 1, {NULL}}, {1, NULL, "a", 1.5, {NULL}}, {2, NULL, "b", 4, {NULL}}};
	TestHost	th;
	WfBytes		out;
	WfContent	c;
	double		mean = 6.5 / 3;
	double		deviation = sqrt((1 + 2.25 + 16) / 3 - mean * mean);
	double		place[2];

	test_host_begin(&th);
	read_rows(&th.host, rows, 3, false, &out);
	WF_CHECK(wf_content_open(&th.host, out.data, out.length, &c));
	for (int i = 0; i < 2; i++)
		place[i] = 7 / (1 + exp(-1.702 * (rows[i].price - mean) / deviation));
	WF_CHECK(place[0] > 1 && place[0] < 2 && place[1] > 2 && place[1] < 3);
	WF_CHECK_NEAR(likeness(&c, 0, 1), 0.5 + 0.5 * sqrt((place[0] - 1) * (3 - place[1])), 1e-6);
	/* the far end of the prices, and a category of its own */
	WF_CHECK(likeness(&c, 0, 2) == 0);
	test_host_end(&th);
}

/* "x y" and "x z z", and a third without either: tf and idf by hand. */
WF_TEST(words_by_hand)
{
	static const Row rows[] = {{0, "x y", NULL, NAN, {NULL}}, {1, "X-z, z", NULL, NAN, {NULL}},
	{2, "y", NULL, NAN, {NULL}}, {3, "z", NULL, NAN, {NULL}}};
	TestHost	th;
	WfBytes		out;
	WfContent	c;
	double		shared = 1 + log(5.0 / 3);
	double		unique = 1 + log(5.0 / 2);
	double		twice = shared * (1 + log(2));
	double		first = sqrt(2 * shared * shared + unique * unique);
	double		second = sqrt(shared * shared + twice * twice + unique * unique);
	double		profile;

	test_host_begin(&th);
	read_rows(&th.host, rows, 4, false, &out);
	WF_CHECK(wf_content_open(&th.host, out.data, out.length, &c));
	WF_CHECK_EQ(c.n_terms, 3);
	/* the profile is what is kept of item 0, brought to length 1 */
	profile = sqrt(2) * shared / first;
	WF_CHECK_NEAR(likeness(&c, 0, 1), shared / first * shared / second / profile, 1e-6);
	WF_CHECK_NEAR(likeness(&c, 0, 2), shared / first / profile, 1e-6);
	WF_CHECK_NEAR(likeness(&c, 1, 3), twice / sqrt(shared * shared + twice * twice), 1e-6);
	test_host_end(&th);
}

WF_TEST(order_of_rows_does_not_matter)
{
	TestHost	th;
	WfBytes		a;
	WfBytes		b;

	test_host_begin(&th);
	read_rows(&th.host, catalogue, N_ROWS, false, &a);
	read_rows(&th.host, catalogue, N_ROWS, true, &b);
	WF_CHECK_EQ(a.length, b.length);
	WF_CHECK(memcmp(a.data, b.data, a.length) == 0);
	WF_CHECK_EQ(th.bytes_now, a.capacity + b.capacity);
	test_host_end(&th);
}

/* ---- many ---- */

/* n items of words from a vocabulary; also long ones. */
static void
read_many(WfHost *host, uint32_t n, uint32_t words, WfBytes *out, size_t *promised)
{
	WfContentReader *reader = wf_content_begin(host, 4, kinds);
	uint32_t   *place = wf_alloc(host, n, sizeof(uint32_t));
	char	   *text = wf_alloc(host, words, 8);

	for (uint32_t i = 0; i < n; i++)
	{
		size_t		length = 0;

		place[i] = n - 1 - i;
		wf_content_row(reader);
		for (uint32_t j = 0; j < words; j++)
			length += (size_t) sprintf(text + length, "w%x ", wf_rng_below(wf_rng(i % 7, j * 3 + i), 999));
		wf_content_add_text(reader, 0, text, length);
		wf_content_add_number(reader, 2, i % 10 ? (double) (i % 13) : INFINITY);
	}
	*promised = wf_content_finish_bytes(reader);
	wf_bytes_init(out, host);
	wf_content_finish(reader, place, n, out);
	wf_release(host, text);
	wf_release(host, place);
}

WF_TEST(the_index_agrees_with_the_vectors)
{
	TestHost	th;
	WfBytes		out;
	WfContent	c;
	size_t		promised;
	float	   *profile;
	float	   *score;

	test_host_begin(&th);
	read_many(&th.host, 300, 100, &out, &promised);
	WF_CHECK(th.bytes_peak <= promised + 65536);
	WF_CHECK(wf_content_open(&th.host, out.data, out.length, &c));
	profile = wf_alloc_zero(&th.host, c.n_terms, sizeof(float));
	score = wf_alloc(&th.host, 300, sizeof(float));
	for (uint32_t i = 0; i < 300; i++)
	{
		float		one = 1;
		double		norm = 0;

		WF_CHECK(c.item_start[i + 1] - c.item_start[i] <= WF_CONTENT_TERMS);
		for (uint64_t e = c.item_start[i]; e < c.item_start[i + 1]; e++)
			norm += (double) c.item_weight[e] * (double) c.item_weight[e];
		WF_CHECK(norm > 0 && norm < 1 + 1e-6);
		if (i % 10)
			continue;
		wf_content_score(&c, &i, &one, 1, profile, score);
		for (uint32_t k = 0; k < 300; k++)
		{
			double		sum = 0;

			for (uint64_t e = c.item_start[i]; e < c.item_start[i + 1]; e++)
				for (uint64_t x = c.item_start[k]; x < c.item_start[k + 1]; x++)
					if (c.item_term[e] == c.item_term[x])
						sum += (double) c.item_weight[e] * (double) c.item_weight[x];
			WF_CHECK_NEAR((double) score[k], sum / sqrt(norm), 1e-5);
		}
	}
	test_host_end(&th);
}

WF_TEST(odd_catalogues)
{
	TestHost	th;
	WfContentReader *reader;
	WfBytes		out;
	WfContent	c;
	uint32_t	place[2] = {0, 0};
	char	   *text;

	test_host_begin(&th);
	/* no row at all */
	wf_bytes_init(&out, &th.host);
	wf_content_finish(wf_content_begin(&th.host, 4, kinds), place, 0, &out);
	WF_CHECK(wf_content_open(&th.host, out.data, out.length, &c));
	WF_CHECK(c.n_items == 0 && c.n_terms == 0);
	/* a huge text, an endless word, empty strings, extreme numbers */
	reader = wf_content_begin(&th.host, 4, kinds);
	text = wf_alloc(&th.host, 1000000, 1);
	memset(text, 'a', 1000000);
	for (int i = 0; i < 2; i++)
	{
		wf_content_row(reader);
		place[i] = (uint32_t) i;
		wf_content_add_text(reader, 0, text, 1000000);
		wf_content_add_text(reader, 0, "", 0);
		wf_content_add_text(reader, 1, "", 0);
		wf_content_add_number(reader, 2, i ? 1.7e308 : -1.7e308);
		wf_content_add_number(reader, 2, NAN);
	}
	for (size_t i = 1; i < 1000000; i += 2)
		text[i] = ' ';
	wf_content_add_text(reader, 0, text, 1000000);
	wf_bytes_free(&out);
	wf_content_finish(reader, place, 2, &out);
	WF_CHECK(wf_content_open(&th.host, out.data, out.length, &c));
	WF_CHECK(wf_content_has(&c, 0) && wf_content_has(&c, 1));
	WF_CHECK(th.n_checks > 0);
	test_host_end(&th);
}

/* ---- failures and hostile bytes ---- */

static bool
fails(TestHost *th)
{
	WfBytes		out;
	jmp_buf		jb;
	size_t		promised;

	th->failed = false;
	th->on_fail = &jb;
	if (setjmp(jb) == 0)
		read_many(&th->host, 30, 20, &out, &promised);
	th->on_fail = NULL;
	return th->failed;
}

/* A key that is the same in all rows is a mistake, which must not take for ever. */
WF_TEST(one_item_of_many_rows)
{
	enum
	{
		ROWS = 200000
	};
	static uint32_t place[ROWS + 1];
	clock_t		before = clock();
	TestHost	th;
	WfContentReader *reader;
	WfContent	c;
	WfBytes		out;

	test_host_begin(&th);
	reader = wf_content_begin(&th.host, 4, kinds);
	for (uint32_t i = 0; i <= ROWS; i++)
	{
		place[i] = i == ROWS;
		wf_content_row(reader);
		wf_content_add_number(reader, 2, wf_rng_unit(wf_rng(17, i)));
		wf_content_add_text(reader, 1, i % 2 ? "odd" : "even", i % 2 ? 3 : 4);
	}
	wf_bytes_init(&out, &th.host);
	wf_content_finish(reader, place, 2, &out);
	WF_CHECK(wf_content_open(&th.host, out.data, out.length, &c));
	WF_CHECK_EQ(c.n_items, 2);
	WF_CHECK((double) (clock() - before) / CLOCKS_PER_SEC < 10);
	test_host_end(&th);
}

WF_TEST(every_failure_is_survived)
{
	for (int kind = 0; kind < 2; kind++)
		for (uint64_t at = 1;; at++)
		{
			TestHost	th;
			bool		failed;

			test_host_begin(&th);
			if (kind == 0)
				th.fail_alloc_at = at;
			else
				th.cancel_check_at = at;
			failed = fails(&th);
			test_host_end(&th);
			WF_CHECK(failed || at > 5);
			if (!failed)
				break;
		}
}

WF_TEST(hostile_bytes)
{
	TestHost	th;
	WfBytes		out;

	test_host_begin(&th);
	read_rows(&th.host, catalogue, N_ROWS, false, &out);
	for (uint64_t i = 0; i < 20000; i++)
	{
		uint64_t	key = wf_rng(9, i);
		size_t		length = i % 3 == 0 ? wf_rng_below(wf_rng(key, 1), (uint32_t) out.length) : out.length;
		uint32_t	reach = (uint32_t) (i % 2 || length < 128 ? length : 128);
		uint8_t    *copy = wf_alloc_aligned(&th.host, length, 1);
		WfContent	c;

		memcpy(copy, out.data, length);
		for (uint64_t k = 0; length && k < 1 + key % 3; k++)
			copy[wf_rng_below(wf_rng(key, 2 + k), reach)] = (uint8_t) wf_rng(key, 5 + k);
		if (wf_content_open(&th.host, copy, length, &c))
		{
			float	   *profile = wf_alloc_zero(&th.host, c.n_terms, sizeof(float));
			float	   *score = wf_alloc(&th.host, c.n_items, sizeof(float));
			float		one = 1;

			for (uint32_t k = 0; k < c.n_items; k++)
				wf_content_score(&c, &k, &one, 1, profile, score);
			wf_release(&th.host, score);
			wf_release(&th.host, profile);
		}
		wf_release_aligned(&th.host, copy);
	}
	test_host_end(&th);
}
