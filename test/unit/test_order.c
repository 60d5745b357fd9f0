/* The canonical order against a plain sort, with and without equal rows. */
#include "wf_test.h"

#include "core/frame.h"
#include "core/rng.h"

/* n rows whose value is one of "distinct"; which, depends on order. */
static WfFrame *
frame_of(WfHost *host, uint32_t n, uint32_t distinct, const uint32_t *order)
{
	WfFrame    *frame = wf_frame_create(host, SIZE_MAX, false, false, false);

	wf_frame_add_column(frame, WF_CELL_NUMBER, NULL);
	for (uint32_t r = 0; r < n; r++)
	{
		uint32_t	i = order ? order[r] : r;
		WfCell		cell = {.number = (float) (wf_mix(i) % distinct)};
		WfRowExtra	extra = {.target = (double) (wf_mix(i) % distinct), .weight = 1};

		wf_frame_append(frame, &cell, &extra);
	}
	return frame;
}

static void
check_order(const WfFrame *frame, const uint32_t *rank, uint32_t n)
{
	uint32_t   *row = malloc(n * sizeof(uint32_t));

	memset(row, 0xff, n * sizeof(uint32_t));
	for (uint32_t r = 0; r < n; r++)
	{
		WF_CHECK(rank[r] < n);
		if (rank[r] < n)
		{
			WF_CHECK_EQ(row[rank[r]], UINT32_MAX);
			row[rank[r]] = r;
		}
	}
	for (uint32_t k = 1; k < n; k++)
	{
		uint64_t	a = wf_frame_hash(frame, row[k - 1]);
		uint64_t	b = wf_frame_hash(frame, row[k]);

		WF_CHECK(a <= b);
		if (a == b)				/* equal rows: by arrival */
			WF_CHECK(wf_frame_target(frame, row[k - 1]) == wf_frame_target(frame, row[k]) && row[k - 1] < row[k]);
	}
	free(row);
}

WF_TEST(ranks_sort_by_hash)
{
	static const uint32_t rows[] = {0, 1, 2, 3, 100, 4096, 60000};
	static const uint32_t kinds[] = {1, 2, 5, 1000, 20000, 1000000000};	/* 20000: runs that tie in their leading bits */

	for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
		for (size_t d = 0; d < sizeof(kinds) / sizeof(kinds[0]); d++)
		{
			TestHost	th;
			WfFrame    *frame;
			uint32_t   *rank;

			test_host_begin(&th);
			frame = frame_of(&th.host, rows[k], kinds[d], NULL);
			rank = wf_frame_ranks(frame);
			check_order(frame, rank, rows[k]);
			wf_release(&th.host, rank);
			wf_frame_destroy(frame);
			WF_CHECK_EQ(th.bytes_now, 0);
			test_host_end(&th);
		}
}

/* Above a million rows a third digit is sorted by. */
WF_TEST(ranks_of_many_rows)
{
	enum { N = (1 << 20) + 5 };
	TestHost	th;
	WfFrame    *frame;
	size_t		before;

	test_host_begin(&th);
	frame = frame_of(&th.host, N, 1 << 30, NULL);
	wf_frame_drop_cells(frame);
	before = th.bytes_now;
	th.bytes_peak = before;
	check_order(frame, wf_frame_ranks(frame), N);
	WF_CHECK(th.bytes_peak - before <= (size_t) N * 16);
	test_host_end(&th);
}

WF_TEST(order_does_not_depend_on_arrival)
{
	enum { N = 20000 };
	TestHost	th;
	uint32_t   *order;
	double	   *at[2];

	test_host_begin(&th);
	order = wf_alloc(&th.host, N, sizeof(uint32_t));
	for (uint32_t i = 0; i < N; i++)
		order[i] = i;
	for (int turn = 0; turn < 2; turn++)
	{
		WfFrame    *frame = frame_of(&th.host, N, 3000, order);
		uint32_t   *rank = wf_frame_ranks(frame);

		at[turn] = wf_alloc(&th.host, N, sizeof(double));
		for (uint32_t r = 0; r < N; r++)
			at[turn][rank[r]] = wf_frame_target(frame, r);
		for (uint32_t i = N - 1; i > 0; i--)
		{
			uint32_t	j = wf_rng_below(wf_rng(i, 99), i + 1);
			uint32_t	swap = order[i];

			order[i] = order[j];
			order[j] = swap;
		}
	}
	WF_CHECK(memcmp(at[0], at[1], N * sizeof(double)) == 0);
	test_host_end(&th);
}
