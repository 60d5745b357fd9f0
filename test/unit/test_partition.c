/* Rows split in place: the right ones in front, none lost. */
#include "wf_test.h"

#include "core/partition.h"
#include "core/rng.h"

static bool
expected_left(uint8_t bin, const WfRoute *route)
{
	if (route->side)
		return route->side[bin];
	return bin == 255 ? route->missing_left : bin <= route->cut;
}

static void
split_once(TestHost *th, uint64_t seed, size_t n, size_t size, const WfRoute *route, int spread)
{
	uint8_t    *records = wf_alloc(&th->host, n + 1, size);
	uint8_t    *rows = wf_alloc(&th->host, n + 1, 12);
	WfRowRef   *refs = wf_alloc(&th->host, n + 1, sizeof(WfRowRef));
	WfDataset	data = {.n = (uint32_t) n, .d = 12, .stride = 12, .rows = rows};
	uint64_t	sum = 0;
	size_t		n_left = 0;
	size_t		at;
	bool		sorted = true;

	memset(rows, 0, (n + 1) * 12);
	for (size_t i = 0; i < n; i++)
	{
		uint64_t	r = wf_rng(seed, i);
		uint8_t		bin = r % 9 == 0 ? 255 : (uint8_t) (r / 9 % (uint64_t) spread);
		uint32_t	id = (uint32_t) i * 2654435761u;

		memset(records + i * size, 0, size);
		records[i * size + route->feature] = bin;
		memcpy(records + i * size + size - 4, &id, 4);
		rows[i * 12 + route->feature] = bin;
		refs[i] = (WfRowRef) {(uint32_t) i, bin};
		sum += id ^ ((uint64_t) bin << 40);
		n_left += expected_left(bin, route);
	}
	at = wf_partition_records(&th->host, records, n, size, route);
	WF_CHECK_EQ(at, n_left);
	for (size_t i = 0; i < n; i++)
	{
		uint32_t	id;
		uint8_t		bin = records[i * size + route->feature];

		memcpy(&id, records + i * size + size - 4, 4);
		sum -= id ^ ((uint64_t) bin << 40);
		sorted &= expected_left(bin, route) == (i < n_left);
	}
	WF_CHECK(sorted);
	WF_CHECK_EQ(sum, 0);
	at = wf_partition_refs(&th->host, refs, n, &data, route);
	WF_CHECK_EQ(at, n_left);
	sum = 0;
	for (size_t i = 0; i < n; i++)
	{
		sum += refs[i].row;
		sorted &= refs[i].word == rows[refs[i].row * 12 + route->feature];
		sorted &= expected_left((uint8_t) refs[i].word, route) == (i < n_left);
	}
	WF_CHECK(sorted);
	WF_CHECK_EQ(sum, n * (n - (n > 0)) / 2);
	wf_release(&th->host, records);
	wf_release(&th->host, rows);
	wf_release(&th->host, refs);
}

WF_TEST(rows_are_split_in_place)
{
	static const size_t sizes[] = {0, 1, 2, 3, 7, 127, 128, 129, 255, 256, 257, 383, 384, 512, 1000, 5000};
	TestHost	th;
	uint8_t		side[256];

	test_host_begin(&th);
	for (int b = 0; b < 256; b++)
		side[b] = wf_rng(9, (uint64_t) b) & 1;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (uint64_t seed = 0; seed < 5; seed++)
			for (int missing = 0; missing < 2; missing++)
			{
				WfRoute		number = {(uint32_t) seed, (uint8_t) (seed * 60 + 3), (uint8_t) missing, NULL};
				WfRoute		last = {2, 254, (uint8_t) missing, NULL};
				WfRoute		category = {5, 0, 0, side};

				split_once(&th, seed, sizes[i], seed % 2 ? 24 : 16, &number, 255);
				split_once(&th, seed, sizes[i], 24, &last, 255);
				split_once(&th, seed, sizes[i], 40, &category, seed % 2 ? 255 : 3);
			}
	test_host_end(&th);
}
