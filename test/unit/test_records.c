/* Moving records: every record survives, on the right side. */
#include "wf_test.h"

#include "core/records.h"
#include "core/rng.h"

static bool
is_small(const void *arg, uint32_t id)
{
	return id < *(const uint32_t *) arg;
}

/* Records of that stride: bins, then the row id. */
static WfRecords
make_records(size_t n, size_t stride, unsigned share)
{
	WfRecords	r = {.rows = calloc(n + 1, stride), .n = n, .stride = stride, .id_at = 4};

	for (size_t i = 0; i < n; i++)
	{
		uint8_t    *record = wf_record(&r, i);

		for (size_t k = 8; k < stride; k++)
			record[k] = (uint8_t) (i * 7 + k);
		record[1] = (uint8_t) (wf_rng(n, i) % 100 < share ? 3 : 200);
		wf_record_set_word(record, 4, (uint32_t) i);
	}
	return r;
}

static void
check_records(const WfRecords *r, size_t n_left, bool by_id, uint32_t limit)
{
	uint8_t    *seen = calloc(r->n + 1, 1);

	for (size_t i = 0; i < r->n; i++)
	{
		const uint8_t *record = wf_record(r, i);
		uint32_t	id = wf_record_word(record, 4);
		bool		left = by_id ? id < limit : record[1] == 3;

		WF_CHECK(id < r->n && !seen[id]);
		seen[id] = 1;
		WF_CHECK_EQ(left, i < n_left);
		for (size_t k = 8; k < r->stride; k++)
			WF_CHECK_EQ(record[k], (uint8_t) (id * 7 + k));
	}
	free(seen);
}

WF_TEST(records_go_to_their_side)
{
	static const size_t sizes[] = {0, 1, 2, 127, 255, 256, 257, 511, 1000, 5000};
	static const size_t strides[] = {12, 32, 36, 52};
	static const unsigned shares[] = {0, 3, 50, 97, 100};
	uint8_t		left[256] = {[3] = 1};
	TestHost	th;

	test_host_begin(&th);
	for (int i = 0; i < 10 * 4 * 5; i++)
	{
		WfRecords	r = make_records(sizes[i % 10], strides[i / 10 % 4], shares[i / 40]);
		uint32_t	limit = (uint32_t) (r.n * shares[i / 40] / 100);
		size_t		n_left = wf_records_split(&th.host, &r, 0, r.n, 1, left);

		check_records(&r, n_left, false, 0);
		n_left = wf_records_select(&th.host, &r, 0, r.n, is_small, &limit);
		WF_CHECK_EQ(n_left, limit);
		check_records(&r, n_left, true, limit);
		free(r.rows);
	}
	test_host_end(&th);
}

WF_TEST(a_part_leaves_the_rest_alone)
{
	uint8_t		left[256] = {[3] = 1};
	TestHost	th;
	WfRecords	r = make_records(1000, 16, 50);

	test_host_begin(&th);
	wf_records_split(&th.host, &r, 100, 500, 1, left);
	for (uint32_t i = 0; i < 1000; i++)
		if (i < 100 || i >= 600)
			WF_CHECK_EQ(wf_record_word(wf_record(&r, i), 4), i);
	test_host_end(&th);
	free(r.rows);
}

WF_TEST(records_find_their_leaf)
{
	static const uint64_t sets[1][4] = {{UINT64_C(1) << 5, 0, 0, UINT64_C(1) << 63}};
	static const uint8_t is_category[2] = {0, 1};
	const WfGrownNode nodes[] = {
		{.left = 1, .right = 2, .feature = 0, .bin = 10, .missing_left = true},
		{.left = 3, .right = 4, .feature = 1, .bitset = 0},
		{0}, {0}, {0}
	};
	const WfGrownTree tree = {.n_nodes = 5, .nodes = nodes, .n_bitsets = 1, .bitsets = sets};
	static const uint8_t records[][3] = {{10, 5, 3}, {11, 5, 2}, {255, 255, 3}, {0, 6, 4}};

	for (int i = 0; i < 4; i++)
		WF_CHECK_EQ(wf_record_leaf(&tree, is_category, records[i]), records[i][2]);
}
