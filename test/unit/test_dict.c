/* Codes, counts, orders and the overflow of dictionaries; the byte hash. */
#include "wf_test.h"

#include "core/dict.h"
#include "core/rng.h"

static uint32_t
add(WfDict *dict, const char *s)
{
	return wf_dict_add(dict, s, strlen(s));
}

WF_TEST(codes_come_in_order_of_arrival)
{
	TestHost	th;
	WfDict	   *dict;
	size_t		length;
	const char *s;

	test_host_begin(&th);
	dict = wf_dict_create(&th.host);
	WF_CHECK_EQ(add(dict, "b"), 0);
	WF_CHECK_EQ(add(dict, ""), 1);
	WF_CHECK_EQ(add(dict, "b"), 0);
	WF_CHECK_EQ(wf_dict_add(dict, "a\0c", 3), 2);
	WF_CHECK_EQ(wf_dict_add(dict, "a\0d", 3), 3);
	WF_CHECK_EQ(wf_dict_size(dict), 4);
	WF_CHECK_EQ(wf_dict_count(dict, 0), 2);
	WF_CHECK_EQ(wf_dict_find(dict, "a\0d", 3), 3);
	WF_CHECK_EQ(wf_dict_find(dict, "a", 1), WF_CODE_MISSING);
	WF_CHECK_EQ(wf_dict_find(dict, NULL, 0), 1);
	WF_CHECK_EQ(wf_dict_count(dict, 3), 1);
	s = wf_dict_string(dict, 2, &length);
	WF_CHECK_EQ(length, 3);
	WF_CHECK(memcmp(s, "a\0c", 3) == 0);
	test_host_end(&th);
}

WF_TEST(many_strings_keep_their_codes)
{
	enum { N = 20000 };
	TestHost	th;
	WfDict	   *dict;
	char		s[32];

	test_host_begin(&th);
	dict = wf_dict_create(&th.host);
	for (uint32_t i = 0; i < N; i++)
		for (uint32_t k = 0; k <= i % 3; k++)
		{
			snprintf(s, sizeof(s), "value %u", i * 7919u);
			WF_CHECK_EQ(add(dict, s), i);
		}
	for (uint32_t i = 0; i < N; i++)
	{
		size_t		length;

		snprintf(s, sizeof(s), "value %u", i * 7919u);
		WF_CHECK_EQ(wf_dict_find(dict, s, strlen(s)), i);
		WF_CHECK_EQ(wf_dict_count(dict, i), i % 3 + 1);
		WF_CHECK(memcmp(wf_dict_string(dict, i, &length), s, strlen(s)) == 0);
		WF_CHECK_EQ(length, strlen(s));
		WF_CHECK_EQ(wf_dict_hash(dict, i), wf_hash_bytes(s, strlen(s), 0));
	}
	test_host_end(&th);
}

WF_TEST(orders_do_not_depend_on_arrival)
{
	static const char *const words[] = {"pear", "apple", "fig", "applesauce", "", "apple pie", "fi", "\xff"};
	static const int times[] = {2, 3, 2, 1, 2, 3, 1, 2};
	static const char *const by_count[] = {"apple", "apple pie", "", "fig", "pear", "\xff", "applesauce", "fi"};
	static const char *const by_bytes[] = {"", "apple", "apple pie", "applesauce", "fi", "fig", "pear", "\xff"};
	TestHost	th;

	test_host_begin(&th);
	for (int turn = 0; turn < 8; turn++)
	{
		WfDict	   *dict = wf_dict_create(&th.host);
		uint32_t   *ranking,
				   *sorted;

		for (int k = 0; k < 8; k++)
			for (int t = 0; t < times[(k + turn) % 8]; t++)
				add(dict, words[(k + turn) % 8]);
		ranking = wf_dict_ranking(dict);
		sorted = wf_dict_sorted(dict);
		for (uint32_t i = 0; i < 8; i++)
		{
			size_t		length;
			const char *s = wf_dict_string(dict, ranking[i], &length);

			WF_CHECK(length == strlen(by_count[i]) && memcmp(s, by_count[i], length) == 0);
			s = wf_dict_string(dict, sorted[i], &length);
			WF_CHECK(length == strlen(by_bytes[i]) && memcmp(s, by_bytes[i], length) == 0);
		}
	}
	test_host_end(&th);
}

WF_TEST(long_strings_are_told_apart_by_their_start)
{
	TestHost	th;
	WfDict	   *dict;
	char		s[WF_DICT_KEY_BYTES + 10];
	size_t		length;

	test_host_begin(&th);
	dict = wf_dict_create(&th.host);
	memset(s, 'x', sizeof(s));
	WF_CHECK_EQ(wf_dict_add(dict, s, WF_DICT_KEY_BYTES), 0);
	s[WF_DICT_KEY_BYTES + 1] = 'y';
	WF_CHECK_EQ(wf_dict_add(dict, s, sizeof(s)), 0);
	WF_CHECK_EQ(wf_dict_find(dict, s, sizeof(s)), 0);
	wf_dict_string(dict, 0, &length);
	WF_CHECK_EQ(length, WF_DICT_KEY_BYTES);
	s[WF_DICT_KEY_BYTES - 1] = 'y';
	WF_CHECK_EQ(wf_dict_add(dict, s, sizeof(s)), 1);
	test_host_end(&th);
}

WF_TEST(a_full_dictionary_refuses_new_strings)
{
	TestHost	th;
	WfDict	   *dict;
	uint32_t	i;

	test_host_begin(&th);
	dict = wf_dict_create(&th.host);
	for (i = 0; i < WF_DICT_MAX_ENTRIES; i++)
		if (wf_dict_add(dict, (char *) &i, sizeof(i)) != i)
			break;
	WF_CHECK_EQ(i, WF_DICT_MAX_ENTRIES);
	WF_CHECK(!wf_dict_overflowed(dict));
	i = 17;
	WF_CHECK_EQ(wf_dict_add(dict, (char *) &i, sizeof(i)), 17);
	WF_CHECK(!wf_dict_overflowed(dict));
	WF_CHECK_EQ(add(dict, "one more"), WF_CODE_MISSING);
	WF_CHECK(wf_dict_overflowed(dict));
	WF_CHECK_EQ(wf_dict_size(dict), WF_DICT_MAX_ENTRIES);
	WF_CHECK_EQ(wf_dict_add(dict, (char *) &i, sizeof(i)), 17);
	WF_CHECK_EQ(wf_dict_count(dict, 17), 3);
	test_host_end(&th);
}

/* A flipped bit changes half of the bits; no two of many short strings collide. */
WF_TEST(hash_mixes_every_byte)
{
	unsigned char s[80];
	uint64_t	flips = 0;
	int			n = 0;

	for (size_t length = 0; length <= sizeof(s); length++)
	{
		uint64_t	h;

		for (size_t i = 0; i < sizeof(s); i++)
			s[i] = (unsigned char) wf_rng(i, length);
		h = wf_hash_bytes(s, length, 0);
		WF_CHECK(h != wf_hash_bytes(s, length, 1));
		if (length)
			WF_CHECK(h != wf_hash_bytes(s, length - 1, 0));
		for (size_t bit = 0; bit < 8 * length; bit++)
		{
			int			changed;

			s[bit / 8] ^= (unsigned char) (1 << bit % 8);
			changed = __builtin_popcountll(h ^ wf_hash_bytes(s, length, 0));
			s[bit / 8] ^= (unsigned char) (1 << bit % 8);
			WF_CHECK(changed >= 8 && changed <= 56);
			flips += (uint64_t) changed;
			n++;
		}
	}
	WF_CHECK_NEAR((double) flips / n, 32, 0.2);
	/* The value is part of models: it may never change. */
	WF_CHECK_EQ(wf_hash_bytes("", 0, 0), (long long) UINT64_C(0x022cad8849e8b3c8));
	WF_CHECK_EQ(wf_hash_bytes("wf", 2, 0), (long long) UINT64_C(0x84734408aa0b242f));
	WF_CHECK_EQ(wf_hash_bytes("a string of more than sixteen bytes", 35, 7), (long long) UINT64_C(0x94cd0e75ff5f9a76));
}

/* Strings that differ after a long common start, by a zero byte, or only in length. */
WF_TEST(orders_look_at_every_byte)
{
	static const struct
	{
		const char *bytes;
		size_t		length;
	}			rising[] = {
		{"a", 1}, {"a\0", 2}, {"a\0\0", 3}, {"a\0b", 3}, {"common start", 12}, {"common start, a", 15},
		{"common start, b", 15}, {"common start, b and more", 24}, {"common staru", 12}
	};
	enum { N = sizeof(rising) / sizeof(rising[0]) };
	TestHost	th;
	WfDict	   *dict;
	uint32_t   *orders[2];

	test_host_begin(&th);
	dict = wf_dict_create(&th.host);
	for (int i = 0; i < N; i++)
		wf_dict_add(dict, rising[(i * 4 + 5) % N].bytes, rising[(i * 4 + 5) % N].length);
	orders[0] = wf_dict_sorted(dict);
	orders[1] = wf_dict_ranking(dict);
	for (int k = 0; k < 2; k++)
		for (int i = 0; i < N; i++)
			WF_CHECK_EQ(orders[k][i], wf_dict_find(dict, rising[i].bytes, rising[i].length));
	test_host_end(&th);
}

static void
small_dictionary(WfHost *host)
{
	WfDict	   *dict = wf_dict_create(host);

	for (uint32_t i = 0; i < 100; i++)
		wf_dict_add(dict, (char *) &i, sizeof(i));
	wf_dict_ranking(dict);
	wf_dict_sorted(dict);
}

static bool
fails_at(uint64_t at, void (*fn) (WfHost *host))
{
	TestHost	th;
	jmp_buf		jb;
	bool		failed;

	test_host_begin(&th);
	th.on_fail = &jb;
	th.fail_alloc_at = at;
	if (setjmp(jb) == 0)
		fn(&th.host);
	failed = th.failed;
	if (failed)
		WF_CHECK_EQ(th.code, WF_E_MEMORY);
	test_host_end(&th);
	return failed;
}

WF_TEST(no_memory_at_any_point)
{
	uint64_t	at = 1;

	while (fails_at(at, small_dictionary))
		at++;
	WF_CHECK(at > 10);
}
