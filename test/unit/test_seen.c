/*
 * The filter of training rows: knows what it was given, in any order, little
 * else, in at most 1.5 bytes a row; hostile bytes are refused.
 */
#include "sample.h"

#include "core/seen.h"

static uint64_t
row_hash(uint64_t i)
{
	return wf_rng(i, 77);
}

static void
filter(WfHost *host, uint64_t n, uint64_t step, WfBytes *out)
{
	wf_bytes_init(out, host);
	wf_seen_begin(out, n);
	for (uint64_t i = 0; i < n; i++)
		wf_seen_add(out, row_hash(i * step % n));
}

WF_TEST(it_knows_its_rows_and_few_others)
{
	static const uint64_t sizes[] = {1, 10, 1000, 100000};

	for (int s = 0; s < 4; s++)
	{
		TestHost	th;
		WfBytes		bytes;
		WfSeen		seen;
		uint64_t	n = sizes[s];
		uint64_t	known = 0;

		test_host_begin(&th);
		filter(&th.host, n, 1, &bytes);
		wf_seen_open(&th.host, bytes.data, bytes.length, &seen);
		for (uint64_t i = 0; i < n; i++)
			WF_CHECK(wf_seen_has(&seen, row_hash(i)));
		for (uint64_t i = n; i < n + 100000; i++)
			known += wf_seen_has(&seen, row_hash(i));
		WF_CHECK(known < 1000);
		WF_CHECK(bytes.length <= n * 3 / 2 + 72);
		test_host_end(&th);
	}
}

WF_TEST(any_order_gives_the_same_bytes)
{
	TestHost	th;
	WfBytes		a;
	WfBytes		b;

	test_host_begin(&th);
	filter(&th.host, 5000, 1, &a);
	filter(&th.host, 5000, 1237, &b);
	WF_CHECK_EQ(a.length, b.length);
	WF_CHECK(memcmp(a.data, b.data, a.length) == 0);
	test_host_end(&th);
}

WF_TEST(without_a_filter_nothing_is_known)
{
	WfSeen		seen = {0};

	for (uint64_t i = 0; i < 100; i++)
		WF_CHECK(!wf_seen_has(&seen, row_hash(i)));
}

WF_TEST(hostile_bytes_are_refused)
{
	TestHost	th;
	WfBytes		bytes;
	WfSeen		seen;

	test_host_begin(&th);
	filter(&th.host, 1000, 1, &bytes);
	for (size_t length = 0; length < bytes.length; length += length < 100 ? 1 : 57)
		WF_EXPECT_FAIL(&th, WF_E_CORRUPT, wf_seen_open(&th.host, bytes.data, length, &seen));
	for (volatile int word = 0; word < 2; word++)
		for (volatile int bit = 0; bit < 32; bit++)
		{
			uint32_t   *w = (uint32_t *) (void *) bytes.data + word;

			*w ^= UINT32_C(1) << bit;
			WF_EXPECT_FAIL(&th, WF_E_CORRUPT, wf_seen_open(&th.host, bytes.data, bytes.length, &seen));
			*w ^= UINT32_C(1) << bit;
		}
	wf_seen_open(&th.host, bytes.data, bytes.length, &seen);
	test_host_end(&th);
}

/* Rows in another order have other codes of texts; one column comes late. */
WF_TEST(a_frame_in_any_order_gives_the_same_filter)
{
	for (int k = 0; k <= 3; k++)
	{
		TestHost	th;
		Sample		s;
		WfBytes		bytes[3];

		if (k == 1)
			continue;
		test_host_begin(&th);
		for (int i = 0; i < 3; i++)
		{
			/* the last one spools its cells */
			sample_make(&s, &th.host, 9000, k, i == 0 ? 1 : 1237, i == 2 ? 1 : (size_t) 1 << 30);
			wf_seen_of_frame(&th.host, s.schema, s.frame, s.class_of_code, &bytes[i]);
		}
		for (int i = 1; i < 3; i++)
		{
			WF_CHECK_EQ(bytes[0].length, bytes[i].length);
			WF_CHECK(memcmp(bytes[0].data, bytes[i].data, bytes[0].length) == 0);
		}
		test_host_end(&th);
	}
}

/* Hash of a block with one column left out of the schema or out of use. */
static uint64_t
sum_of_hashes(TestHost *th, Sample *s, const bool *use)
{
	WfRowHasher *hasher = wf_row_hasher_create(&th->host, s->schema, s->frame, s->class_of_code, use);
	uint64_t	hash[WF_FRAME_BLOCK];
	uint64_t	sum = 0;
	WfFrameScan scan;

	wf_frame_scan_begin(s->frame, &scan);
	while (wf_frame_scan_next(&scan))
	{
		wf_row_hashes(hasher, &scan, hash);
		for (uint32_t r = 0; r < scan.count; r++)
			sum += wf_mix(hash[r]);
	}
	wf_frame_scan_end(&scan);
	wf_row_hasher_destroy(hasher);
	return sum;
}

WF_TEST(columns_count_by_name)
{
	TestHost	th;
	Sample		s;
	bool		use[3] = {true, true, true};
	uint64_t	all;
	WfColumn	column;

	test_host_begin(&th);
	sample_make(&s, &th.host, 1000, 2, 1, (size_t) 1 << 30);
	all = sum_of_hashes(&th, &s, NULL);
	WF_CHECK_EQ(sum_of_hashes(&th, &s, use), all);
	use[2] = false;
	WF_CHECK(sum_of_hashes(&th, &s, use) != all);
	s.schema->columns[2].left_out = WF_LEFT_ROLE;
	WF_CHECK_EQ(sum_of_hashes(&th, &s, NULL), sum_of_hashes(&th, &s, use));
	s.schema->columns[2].left_out = WF_KEPT;
	/* the order of columns in the schema does not matter, their names do */
	column = s.schema->columns[0];
	s.schema->columns[0] = s.schema->columns[2];
	s.schema->columns[2] = column;
	WF_CHECK_EQ(sum_of_hashes(&th, &s, NULL), all);
	s.schema->columns[2].name = "other";
	WF_CHECK(sum_of_hashes(&th, &s, NULL) != all);
	test_host_end(&th);
}

/* Equal rows with keys of their own are different rows; their canonical order does not depend on it. */
WF_TEST(an_identity_tells_equal_rows_apart)
{
	TestHost	th;
	WfFrame    *frame;
	WfSchema   *schema;
	WfFrameScan scan;
	WfRowHasher *hasher;
	uint64_t	hash[WF_FRAME_BLOCK];

	test_host_begin(&th);
	schema = wf_schema_create(&th.host);
	frame = wf_frame_create(&th.host, (size_t) 1 << 30, true, false, true);
	wf_frame_keep_identity(frame);
	wf_schema_add(schema, "x", WF_COL_NUMBER);
	schema->columns[0].first_cell = wf_frame_add_column(frame, WF_CELL_NUMBER, NULL);
	schema->columns[0].n_cells = 1;
	for (uint32_t i = 0; i < 9000; i++)
	{
		WfCell		cell = {.number = 1};
		WfRowExtra	extra = {.weight = 2, .time = 3, .target = 4, .identity = i / 2};

		wf_frame_append(frame, &cell, &extra);
	}
	hasher = wf_row_hasher_create(&th.host, schema, frame, NULL, NULL);
	wf_frame_scan_begin(frame, &scan);
	while (wf_frame_scan_next(&scan))
	{
		wf_row_hashes(hasher, &scan, hash);
		for (uint32_t r = 1; r < scan.count; r++)
			WF_CHECK((hash[r] == hash[r - 1]) == (r % 2 == 1));
	}
	wf_frame_scan_end(&scan);
	WF_CHECK_EQ(wf_frame_identity(frame, 8999), 4499);
	WF_CHECK_EQ(wf_frame_time(frame, 8999), 3);
	WF_CHECK_EQ(wf_frame_hash(frame, 0), wf_frame_hash(frame, 8999));
	wf_frame_drop_extras(frame);
	wf_frame_destroy(frame);
	test_host_end(&th);
}
