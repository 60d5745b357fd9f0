/* Tables of ids: written, found again, damaged. */
#include "wf_test.h"

#include "core/idmap.h"
#include "core/rng.h"

#define N_IDS 5000

static const char *
get_id(void *arg, uint32_t i, size_t *length)
{
	static char text[64];

	(void) arg;
	*length = (size_t) snprintf(text, sizeof(text), i == 7 ? "" : "id %u of %llu", i,
								(unsigned long long) wf_rng(1, i) % 100000);
	return text;
}

static void
write_ids(WfHost *host, uint32_t n, WfBytes *out)
{
	wf_bytes_init(out, host);
	wf_idmap_write(host, n, get_id, NULL, out);
}

WF_TEST(every_id_is_found)
{
	TestHost	th;
	WfHost	   *host = &th.host;
	WfBytes		bytes;
	WfIdMap		map;
	WfIdMap		again;

	test_host_begin(&th);
	write_ids(host, N_IDS, &bytes);
	wf_idmap_open(host, bytes.data, bytes.length, &map);
	WF_CHECK_EQ(map.n, N_IDS);
	wf_idmap_use(bytes.data, &again);
	WF_CHECK(again.n == map.n && again.mask == map.mask && again.start == map.start &&
			 again.table == map.table && again.strings == map.strings);
	for (uint32_t i = 0; i < N_IDS; i++)
	{
		size_t		length;
		size_t		stored;
		const char *id = get_id(NULL, i, &length);

		WF_CHECK_EQ(wf_idmap_find(&map, id, length), i);
		WF_CHECK_STR(wf_idmap_string(&map, i, &stored), id);
		WF_CHECK_EQ(stored, length);
	}
	WF_CHECK_EQ(wf_idmap_find(&map, "id 3", 4), WF_CODE_MISSING);
	WF_CHECK_EQ(wf_idmap_find(&map, "nobody", 6), WF_CODE_MISSING);
	test_host_end(&th);
}

WF_TEST(no_ids)
{
	TestHost	th;
	WfHost	   *host = &th.host;
	WfBytes		bytes;
	WfIdMap		map;

	test_host_begin(&th);
	write_ids(host, 0, &bytes);
	wf_idmap_open(host, bytes.data, bytes.length, &map);
	WF_CHECK_EQ(map.n, 0);
	WF_CHECK_EQ(wf_idmap_find(&map, "", 0), WF_CODE_MISSING);
	test_host_end(&th);
}

/* Open what may be damaged and use all of it; false: refused. */
static bool
survives(TestHost *th, const uint8_t *bytes, size_t length)
{
	jmp_buf		jump;
	WfIdMap		map;

	th->on_fail = &jump;
	if (setjmp(jump) != 0)
	{
		WF_CHECK_EQ(th->code, WF_E_CORRUPT);
		return false;
	}
	wf_idmap_open(&th->host, bytes, length, &map);
	for (uint32_t i = 0; i < map.n; i++)
	{
		size_t		found;
		const char *id = wf_idmap_string(&map, i, &found);

		WF_CHECK_EQ(strlen(id), found);
		(void) wf_idmap_find(&map, id, found);
	}
	(void) wf_idmap_find(&map, "nobody", 6);
	return true;
}

/* Any damage is an error or harmless. */
WF_TEST(damaged_bytes)
{
	TestHost	th;
	WfBytes		bytes;
	uint8_t    *copy;
	int			refused = 0;

	test_host_begin(&th);
	write_ids(&th.host, 20, &bytes);
	copy = wf_alloc(&th.host, bytes.length, 1);
	for (uint32_t round = 0; round < 20000; round++)
	{
		uint64_t	r = wf_rng(3, round);
		size_t		length = bytes.length;

		memcpy(copy, bytes.data, bytes.length);
		for (uint32_t k = 0; k <= wf_rng_below(r, 3); k++)
			copy[wf_rng_below(wf_rng(r, k), (uint32_t) (round % 2 ? 300 : bytes.length))] = (uint8_t) wf_rng(r, k + 9);
		if (round % 10 == 0)
			length = wf_rng_below(wf_rng(r, 5), (uint32_t) bytes.length);
		refused += !survives(&th, copy, length);
	}
	WF_CHECK(refused > 5000);
	test_host_end(&th);
}
