/* Rows kept by a frame: blocks, late columns, spooling, hashes, tag lists. */
#include "wf_test.h"

#include "core/frame.h"
#include "core/rng.h"

#define NOTHING __builtin_nanf("")

static WfRowExtra
extra_of(double target)
{
	return (WfRowExtra) {.target = target, .weight = 1};
}

/* What row r of a made-up table has in column c; some are missing. */
static float
number_at(uint64_t r, int c)
{
	uint64_t	x = wf_rng(r, (uint64_t) c);

	return x % 11 == 0 ? NOTHING : (float) (x % 1000) / 8.0f - 40.0f;
}

static uint32_t
bits_of(float x)
{
	uint32_t	b;

	memcpy(&b, &x, sizeof(b));
	return b;
}

/* n rows of d numbers; from row "late" on there are two columns more. */
static WfFrame *
number_frame(WfHost *host, uint64_t n, int d, uint64_t late, size_t limit)
{
	WfFrame    *frame = wf_frame_create(host, limit, true, false, true);
	WfCell	   *cells = wf_alloc(host, (size_t) d + 2, sizeof(WfCell));

	for (int c = 0; c < d; c++)
		wf_frame_add_column(frame, WF_CELL_NUMBER, NULL);
	for (uint64_t r = 0; r < n; r++)
	{
		WfRowExtra	extra = {.target = (double) r, .weight = (double) (r % 7), .time = (double) r / 2};

		if (r == late)
		{
			wf_frame_add_column(frame, WF_CELL_NUMBER, NULL);
			wf_frame_add_column(frame, WF_CELL_CODE, NULL);
		}
		for (int c = 0; c < wf_frame_n_cells(frame); c++)
			cells[c].number = number_at(r, c);
		if (r >= late)
			cells[d + 1].code = WF_CODE_MISSING;
		wf_frame_append(frame, cells, &extra);
	}
	wf_release(host, cells);
	return frame;
}

static void
check_cells(WfFrame *frame, uint64_t n, int d, uint64_t late)
{
	WfFrameScan scan;
	uint64_t	row = 0;

	wf_frame_scan_begin(frame, &scan);
	while (wf_frame_scan_next(&scan))
	{
		WF_CHECK_EQ(scan.first_row, row);
		for (uint32_t i = 0; i < scan.count; i++, row++)
			for (int c = 0; c < d + 2; c++)
			{
				uint32_t	expected = bits_of(number_at(row, c));

				if (c == d + 1)
					expected = WF_CODE_MISSING;
				else if (c == d && row < late)
					expected = bits_of(NOTHING);
				WF_CHECK_EQ(scan.cells[c][i].code, expected);
			}
	}
	WF_CHECK_EQ(row, n);
	wf_frame_scan_end(&scan);
}

WF_TEST(rows_come_back_with_late_columns)
{
	static const uint64_t rows[] = {1, 5, 4095, 4096, 4097, 10000};

	for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
		for (int late = 0; late < 3; late++)
		{
			uint64_t	n = rows[k];
			uint64_t	from = late == 0 ? 0 : late == 1 ? n / 2 : n - 1;
			uint64_t	missing = 0;
			TestHost	th;
			WfFrame    *frame;

			test_host_begin(&th);
			frame = number_frame(&th.host, n, 3, from, SIZE_MAX);
			check_cells(frame, n, 3, from);
			check_cells(frame, n, 3, from);
			for (uint64_t r = 0; r < n; r++)
			{
				missing += isnan(number_at(r, 1));
				WF_CHECK(wf_frame_target(frame, r) == (double) r);
				WF_CHECK(wf_frame_weight(frame, r) == (double) (r % 7));
				WF_CHECK(wf_frame_time(frame, r) == (double) r / 2);
				WF_CHECK_EQ(wf_frame_group(frame, r), 0);
			}
			WF_CHECK_EQ(wf_frame_n_rows(frame), n);
			WF_CHECK_EQ(wf_frame_n_missing(frame, 1), missing);
			WF_CHECK_EQ(wf_frame_n_missing(frame, 4), n);
			WF_CHECK_EQ(wf_frame_varies(frame, 1), n > 1);
			WF_CHECK(!wf_frame_varies(frame, 4));
			WF_CHECK(!wf_frame_spooled(frame));
			wf_frame_destroy(frame);
			WF_CHECK_EQ(th.bytes_now, 0);
			test_host_end(&th);
		}
}

WF_TEST(spooled_cells_are_the_same)
{
	enum { N = 30000, D = 5 };
	size_t		limits[] = {0, 200000, 400000};

	for (int k = 0; k < 3; k++)
	{
		TestHost	th;
		WfFrame    *frame,
				   *whole;
		size_t		by_row = ((N + 4095) / 4096) * 4096 * 40;

		test_host_begin(&th);
		frame = number_frame(&th.host, N, D, N / 3, limits[k]);
		whole = number_frame(&th.host, N, D, N / 3, SIZE_MAX);
		WF_CHECK(wf_frame_spooled(frame));
		WF_CHECK(!wf_frame_spooled(whole));
		check_cells(frame, N, D, N / 3);
		/* the limit, and the block that is open */
		WF_CHECK(wf_frame_memory(frame) <= by_row + limits[k] + 2 * 4112 * 4 * (D + 2));
		for (int c = 0; c < D + 2; c++)
		{
			WF_CHECK_EQ(wf_frame_varies(frame, c), wf_frame_varies(whole, c));
			WF_CHECK_EQ(wf_frame_n_missing(frame, c), wf_frame_n_missing(whole, c));
		}
		for (uint64_t r = 0; r < N; r++)
			WF_CHECK_EQ(wf_frame_hash(frame, r), wf_frame_hash(whole, r));
		wf_frame_destroy(frame);
		wf_frame_drop_cells(whole);
		wf_frame_drop_cells(whole);
		WF_CHECK_EQ(wf_frame_n_missing(whole, D + 1), N);
		WF_CHECK(wf_frame_varies(whole, 0));
		WF_CHECK_EQ(wf_frame_memory(whole), by_row);
		wf_frame_drop_hashes(whole);
		wf_frame_drop_extras(whole);
		WF_CHECK_EQ(wf_frame_memory(whole), 0);
		wf_frame_destroy(whole);
		WF_CHECK_EQ(th.bytes_now, 0);
		test_host_end(&th);
	}
}

WF_TEST(wide_tables_have_small_blocks)
{
	enum { D = 3000 };
	TestHost	th;
	WfFrame    *frame;
	WfFrameScan scan;
	uint64_t	rows = 0;
	WfCell	   *cells;

	test_host_begin(&th);
	frame = wf_frame_create(&th.host, SIZE_MAX, false, false, false);
	cells = wf_alloc(&th.host, D, sizeof(WfCell));
	for (int c = 0; c < D; c++)
		wf_frame_add_column(frame, WF_CELL_NUMBER, NULL);
	for (int r = 0; r < 700; r++)
	{
		WfRowExtra	extra = extra_of(r);

		for (int c = 0; c < D; c++)
			cells[c].number = (float) (r * c);
		wf_frame_append(frame, cells, &extra);
	}
	WF_CHECK(th.bytes_now < (size_t) 16 << 20);
	wf_frame_scan_begin(frame, &scan);
	while (wf_frame_scan_next(&scan))
		for (uint32_t i = 0; i < scan.count; i++, rows++)
			for (int c = 0; c < D; c += 271)
				WF_CHECK(scan.cells[c][i].number == (float) ((int) rows * c));
	WF_CHECK_EQ(rows, 700);
	wf_frame_scan_end(&scan);
	test_host_end(&th);
}

/* ---- hashes ---- */

static uint64_t
hash_one(WfHost *host, const float *x, int d, WfRowExtra extra)
{
	WfFrame    *frame = wf_frame_create(host, SIZE_MAX, true, true, true);
	WfCell		cells[16];
	uint64_t	h;

	for (int c = 0; c < d; c++)
	{
		wf_frame_add_column(frame, WF_CELL_NUMBER, NULL);
		cells[c].number = x[c];
	}
	wf_frame_append(frame, cells, &extra);
	h = wf_frame_hash(frame, 0);
	wf_frame_destroy(frame);
	return h;
}

WF_TEST(hash_sees_everything_and_only_that)
{
	TestHost	th;
	WfHost	   *host = &th.host;
	float		x[4] = {1, 0, NOTHING, -3};
	float		y[4];
	WfRowExtra	e = extra_of(2);
	WfRowExtra	f;
	uint32_t	other_nan = UINT32_C(0xffc12345);
	uint64_t	h;

	test_host_begin(&th);
	h = hash_one(host, x, 4, e);
	memcpy(y, x, sizeof(x));
	y[1] = -0.0f;
	memcpy(&y[2], &other_nan, 4);
	WF_CHECK_EQ(hash_one(host, y, 4, e), h);
	for (int c = 0; c < 4; c++)
	{
		memcpy(y, x, sizeof(x));
		y[c] = 7;
		WF_CHECK(hash_one(host, y, 4, e) != h);
	}
	y[0] = x[1], y[1] = x[0], y[2] = x[2], y[3] = x[3];
	WF_CHECK(hash_one(host, y, 4, e) != h);
	f = e, f.target = 3;
	WF_CHECK(hash_one(host, x, 4, f) != h);
	f = e, f.target_hash = 3;
	h = hash_one(host, x, 4, f);
	WF_CHECK(h != hash_one(host, x, 4, e));
	f.target = 99;				/* a code: it does not count */
	WF_CHECK_EQ(hash_one(host, x, 4, f), h);
	f.weight = 2;
	WF_CHECK(hash_one(host, x, 4, f) != h);
	f.weight = 1, f.group = 1;
	WF_CHECK(hash_one(host, x, 4, f) != h);
	f.group = 0, f.time = 1;
	WF_CHECK(hash_one(host, x, 4, f) != h);
	f.time = -0.0;
	WF_CHECK_EQ(hash_one(host, x, 4, f), h);
	test_host_end(&th);
}

/* Columns that hold small integers, whose bits are mostly zero, still give distinct, even hashes. */
WF_TEST(hashes_are_even)
{
	enum { SIDE = 40, BUCKETS = 64 };
	TestHost	th;
	WfFrame    *frame;
	int			count[BUCKETS] = {0};
	int			low[BUCKETS] = {0};
	double		chi = 0,
				chi_low = 0;
	uint64_t	n = 0;

	test_host_begin(&th);
	frame = wf_frame_create(&th.host, SIZE_MAX, false, false, false);
	for (int c = 0; c < 3; c++)
		wf_frame_add_column(frame, WF_CELL_NUMBER, NULL);
	for (int a = 0; a < SIDE; a++)
		for (int b = 0; b < SIDE; b++)
			for (int c = 0; c < SIDE; c++)
			{
				WfCell		cells[3] = {{.number = (float) a}, {.number = (float) b}, {.number = (float) c}};
				WfRowExtra	extra = extra_of(0);

				wf_frame_append(frame, cells, &extra);
			}
	n = wf_frame_n_rows(frame);
	for (uint64_t r = 0; r < n; r++)
	{
		count[wf_frame_hash(frame, r) >> 58]++;
		low[wf_frame_hash(frame, r) & 63]++;
	}
	for (int k = 0; k < BUCKETS; k++)
	{
		double		expected = (double) n / BUCKETS;

		chi += (count[k] - expected) * (count[k] - expected) / expected;
		chi_low += (low[k] - expected) * (low[k] - expected) / expected;
	}
	/* 63 degrees of freedom: 99.99 % lie between 28 and 114 */
	WF_CHECK(chi > 28 && chi < 114);
	WF_CHECK(chi_low > 28 && chi_low < 114);
	test_host_end(&th);
}

/* A row hashes the same whenever it came, before or after a late column, and in which order codes were given. */
WF_TEST(hash_does_not_depend_on_arrival)
{
	static const char *const words[] = {"red", "green", "blue"};
	TestHost	th;
	uint64_t	first[3];

	test_host_begin(&th);
	for (int turn = 0; turn < 3; turn++)
	{
		WfDict	   *dict = wf_dict_create(&th.host);
		WfDict	   *tags = wf_dict_create(&th.host);
		WfFrame    *frame = wf_frame_create(&th.host, SIZE_MAX, false, false, false);
		int			vector = -1;

		wf_frame_add_column(frame, WF_CELL_CODE, dict);
		wf_frame_add_column(frame, WF_CELL_TAGS, tags);
		for (int k = 0; k < 3; k++)
		{
			int			i = (k + turn) % 3;
			WfRowExtra	extra = extra_of(i);
			uint32_t	codes[4];
			WfCell		cells[3];

			for (int t = 0; t < 4; t++)
			{
				const char *w = words[(i + t + turn) % 3 == i ? i : 0];

				codes[t] = wf_dict_add(tags, w, strlen(w));
			}
			if (i == 2 && vector < 0)
			{
				vector = wf_frame_add_column(frame, WF_CELL_NUMBER, NULL);
				wf_frame_set_key(frame, vector, 12345);
			}
			cells[0].code = wf_dict_add(dict, words[i], strlen(words[i]));
			cells[1].code = wf_frame_tag_list(frame, 1, codes, 4);
			if (vector >= 0)
				cells[2].number = i == 2 ? 5 : NOTHING;
			wf_frame_append(frame, cells, &extra);
			if (turn == 0)
				first[i] = wf_frame_hash(frame, (uint64_t) k);
			else
				WF_CHECK_EQ(wf_frame_hash(frame, (uint64_t) k), first[i]);
		}
	}
	WF_CHECK(first[0] != first[1] && first[1] != first[2]);
	test_host_end(&th);
}

/* ---- tags ---- */

WF_TEST(equal_tag_lists_have_one_code)
{
	TestHost	th;
	WfDict	   *dict;
	WfFrame    *frame;
	uint32_t	a[5] = {3, 1, 3, WF_CODE_MISSING, 0};
	uint32_t	b[3] = {0, 1, 3};
	uint32_t	long_list[100];
	uint32_t	list;
	const uint32_t *codes;
	int			n;
	WfRowExtra	extra = extra_of(0);

	test_host_begin(&th);
	dict = wf_dict_create(&th.host);
	for (char c = 'a'; c < 'a' + 26; c++)
		wf_dict_add(dict, &c, 1);
	frame = wf_frame_create(&th.host, SIZE_MAX, false, false, false);
	wf_frame_add_column(frame, WF_CELL_TAGS, dict);
	list = wf_frame_tag_list(frame, 0, a, 5);
	WF_CHECK_EQ(wf_frame_tag_list(frame, 0, b, 3), list);
	WF_CHECK(wf_frame_tag_list(frame, 0, b, 2) != list);
	codes = wf_frame_tags(frame, 0, list, &n);
	WF_CHECK(n == 3 && codes[0] == 0 && codes[1] == 1 && codes[2] == 3);
	for (int i = 0; i < 100; i++)
		long_list[i] = (uint32_t) (i * 7 % 26);
	list = wf_frame_tag_list(frame, 0, long_list, 100);
	codes = wf_frame_tags(frame, 0, list, &n);
	WF_CHECK_EQ(n, 26);
	for (int i = 0; i < n; i++)
		WF_CHECK_EQ(codes[i], i);
	list = wf_frame_tag_list(frame, 0, NULL, 0);
	codes = wf_frame_tags(frame, 0, list, &n);
	WF_CHECK_EQ(n, 0);
	for (int r = 0; r < 3; r++)
		wf_frame_append(frame, &(WfCell) {.code = list}, &extra);
	wf_frame_append(frame, &(WfCell) {.code = WF_CODE_MISSING}, &extra);
	WF_CHECK_EQ(wf_frame_tag_list_rows(frame, 0, list), 3);
	WF_CHECK_EQ(wf_frame_tag_list_rows(frame, 0, 0), 0);
	WF_CHECK_EQ(wf_frame_n_tag_lists(frame, 0), 4);
	WF_CHECK_EQ(wf_frame_n_missing(frame, 0), 1);
	WF_CHECK(wf_frame_varies(frame, 0));
	/* many lists, twice each */
	for (int turn = 0; turn < 2; turn++)
		for (uint32_t k = 0; k < 500; k++)
		{
			uint32_t	pair[3] = {k % 26, k / 26, 25};
			uint32_t	code = wf_frame_tag_list(frame, 0, pair, 3);

			codes = wf_frame_tags(frame, 0, code, &n);
			for (int i = 1; i < n; i++)
				WF_CHECK(codes[i - 1] < codes[i]);
			WF_CHECK(codes[n - 1] == 25);
		}
	WF_CHECK(wf_frame_n_tag_lists(frame, 0) < 504);
	test_host_end(&th);
}

WF_TEST(targets_may_be_replaced)
{
	TestHost	th;
	WfFrame    *frame;
	uint64_t	h;

	test_host_begin(&th);
	frame = number_frame(&th.host, 5000, 1, 5000, SIZE_MAX);
	h = wf_frame_hash(frame, 4500);
	wf_frame_set_target(frame, 4500, -0.0);
	WF_CHECK(wf_frame_target(frame, 4500) == 0 && !signbit(wf_frame_target(frame, 4500)));
	WF_CHECK_EQ(wf_frame_hash(frame, 4500), h);
	test_host_end(&th);
}

static void
small_frame(WfHost *host)
{
	WfDict	   *dict = wf_dict_create(host);
	WfFrame    *frame = number_frame(host, 9000, 2, 5000, 0);
	int			tags = wf_frame_add_column(frame, WF_CELL_TAGS, dict);

	for (uint32_t k = 0; k < 40; k++)
	{
		uint32_t	code = wf_dict_add(dict, (char *) &k, sizeof(k));

		wf_frame_tag_list(frame, tags, &code, 1);
	}
	wf_release(host, wf_frame_ranks(frame));
	check_cells(frame, 9000, 2, 5000);
}

static bool
fails_at(uint64_t alloc_at, uint64_t check_at)
{
	TestHost	th;
	jmp_buf		jb;
	bool		failed;

	test_host_begin(&th);
	th.on_fail = &jb;
	th.fail_alloc_at = alloc_at;
	th.cancel_check_at = check_at;
	if (setjmp(jb) == 0)
		small_frame(&th.host);
	failed = th.failed;
	test_host_end(&th);
	return failed;
}

WF_TEST(failures_at_any_point)
{
	uint64_t	at = 1;

	while (fails_at(at, 0))
		at++;
	WF_CHECK(at > 20);
	for (at = 1; fails_at(0, at);)
		at++;
	WF_CHECK(at > 5);
}
