/* Small frames drawn from large ones: by content, whole, in any order of reading. */
#include "wf_test.h"

#include "core/frame_private.h"
#include "core/sample.h"

/* Rows 0 .. n-1, forwards or backwards: a number, a code and a list of tags that all follow from the row. */
static WfFrame *
frame_of(WfHost *host, uint64_t n, bool backwards, size_t limit)
{
	WfFrame    *frame = wf_frame_create(host, limit, true, true, true);
	WfDict	   *dict = wf_dict_create(host);
	WfDict	   *tags = wf_dict_create(host);

	wf_frame_add_column(frame, WF_CELL_NUMBER, NULL);
	wf_frame_add_column(frame, WF_CELL_CODE, dict);
	wf_frame_add_column(frame, WF_CELL_TAGS, tags);
	for (uint64_t i = 0; i < n; i++)
	{
		uint64_t	r = backwards ? n - 1 - i : i;
		char		letter = (char) ('a' + r % 7);
		uint32_t	codes[3] = {wf_dict_add(tags, "x", 1), wf_dict_add(tags, &letter, 1), wf_dict_add(tags, "x", 1)};
		WfCell		cells[3];
		WfRowExtra	extra = {.target = (double) (r % 5), .weight = (double) (1 + r % 3), .group = r % 11, .time = (double) r};

		cells[0].number = (float) r;
		cells[1].code = wf_dict_add(dict, &letter, 1);
		cells[2].code = r % 4 == 0 ? WF_CODE_MISSING : wf_frame_tag_list(frame, 2, codes, 3);
		wf_frame_append(frame, cells, &extra);
	}
	return frame;
}

/* Which rows were drawn; every cell and extra must be the row's. */
static uint32_t
check_rows(WfFrame *sample, WfDict *dict, WfDict *tags, uint8_t *drawn)
{
	WfFrameScan scan;
	uint32_t	n,
				total = 0;

	wf_frame_scan_begin(sample, &scan);
	while ((n = wf_frame_scan_next(&scan)) > 0)
		for (uint32_t i = 0; i < n; i++, total++)
		{
			uint64_t	row = scan.first_row + i;
			uint64_t	r = (uint64_t) scan.cells[0][i].number;
			char		letter = (char) ('a' + r % 7);
			size_t		length;
			const uint32_t *list;
			int			n_tags;

			drawn[r]++;
			WF_CHECK_EQ(wf_frame_target(sample, row), r % 5);
			WF_CHECK_EQ(wf_frame_weight(sample, row), 1 + r % 3);
			WF_CHECK_EQ(wf_frame_group(sample, row), r % 11);
			WF_CHECK_EQ(wf_frame_time(sample, row), r);
			WF_CHECK_EQ(*wf_dict_string(dict, scan.cells[1][i].code, &length), letter);
			if (r % 4 == 0)
			{
				WF_CHECK_EQ(scan.cells[2][i].code, WF_CODE_MISSING);
				continue;
			}
			list = wf_frame_tags(sample, 2, scan.cells[2][i].code, &n_tags);
			WF_CHECK_EQ(n_tags, 2);
			WF_CHECK(*wf_dict_string(tags, list[0], &length) == letter || *wf_dict_string(tags, list[1], &length) == letter);
		}
	wf_frame_scan_end(&scan);
	return total;
}

WF_TEST(sample_is_by_content)
{
	enum
	{
		N = 30000, K = 700
	};
	TestHost	th;
	static uint8_t forwards[N],
				backwards[N];

	memset(forwards, 0, N);
	memset(backwards, 0, N);
	test_host_begin(&th);
	for (int pass = 0; pass < 2; pass++)
	{
		/* The second time most cells are spooled. */
		WfFrame    *frame = frame_of(&th.host, N, pass == 1, pass == 1 ? 10000 : SIZE_MAX);
		WfFrame    *sample = wf_frame_sample(&th.host, frame, K);

		WF_CHECK_EQ(wf_frame_n_rows(sample), K);
		WF_CHECK_EQ(wf_frame_n_rows(frame), N);
		WF_CHECK_EQ(wf_frame_spooled(frame), pass == 1);
		WF_CHECK_EQ(check_rows(sample, frame->columns[1].dict, frame->columns[2].dict, pass ? backwards : forwards), K);
	}
	WF_CHECK(memcmp(forwards, backwards, N) == 0);
	test_host_end(&th);
}

WF_TEST(sample_of_few)
{
	TestHost	th;
	WfFrame    *frame;
	WfFrame    *sample;
	uint8_t		drawn[40] = {0};

	test_host_begin(&th);
	frame = frame_of(&th.host, 40, false, SIZE_MAX);
	sample = wf_frame_sample(&th.host, frame, 100);
	WF_CHECK_EQ(check_rows(sample, frame->columns[1].dict, frame->columns[2].dict, drawn), 40);
	for (int r = 0; r < 40; r++)
		WF_CHECK_EQ(drawn[r], 1);
	test_host_end(&th);
}

static void
sample_again(TestHost *th)
{
	(void) wf_frame_sample(&th->host, frame_of(&th->host, 20000, false, SIZE_MAX), 100);
}

WF_TEST(sample_failures)
{
	TestHost	th;
	uint64_t	allocs,
				checks;

	test_host_begin(&th);
	sample_again(&th);
	allocs = th.n_allocs;
	checks = th.n_checks;
	test_host_end(&th);
	WF_CHECK(checks >= 4);
	for (uint64_t i = allocs > 60 ? allocs - 60 : 1; i <= allocs; i += 7)
	{
		test_host_begin(&th);
		th.fail_alloc_at = i;
		WF_EXPECT_FAIL(&th, WF_E_MEMORY, sample_again(&th));
		test_host_end(&th);
	}
}
