/* Users and items into a matrix: against counting by hand, in any order and any team. */
#include "wf_test.h"

#include "interactions_maker.h"
#include "core/idmap.h"

#define N 601
#define USERS 20
#define ITEMS 15

typedef struct Build
{
	WfInteractions *in;
	WfInteractionData data;		/* rank 0's */
} Build;

static void
build(WfTeam *team, void *arg)
{
	Build	   *b = arg;
	WfInteractionData data;

	wf_interactions_build(team, team->rank == 0 ? b->in : NULL, &data);
	if (team->rank == 0)
		b->data = data;
	wf_team_barrier(team);
}

static void
build_alone(TestHost *th, Build *b)
{
	WF_CHECK(test_team_run(th, 1, build, b));
}

static const char *
user_of(const Build *b, uint32_t number, size_t *length)
{
	return wf_dict_string(b->data.users, b->data.user_code[number], length);
}

static const char *
item_of(const Build *b, uint32_t number, size_t *length)
{
	return wf_dict_string(b->data.items, b->data.item_code[number], length);
}

static int
compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
	int			c = memcmp(a, b, a_length < b_length ? a_length : b_length);

	return c ? c : (a_length > b_length) - (a_length < b_length);
}

/* Every pair, its count or mean rating and latest time, by looking at all rows. */
WF_TEST(matrix_is_what_was_added)
{
	for (int rating = 0; rating <= 1; rating++)
	{
		TestHost	th;
		Build		b;
		uint64_t	n_pairs = 0;

		test_host_begin(&th);
		b.in = make_interactions(&th.host, N, USERS, ITEMS, rating, true, 1);
		WF_CHECK_EQ(wf_interactions_n_rows(b.in), N);
		build_alone(&th, &b);
		WF_CHECK(wf_matrix_valid(&b.data.matrix));
		for (uint32_t u = 0; u < b.data.n_users; u++)
			for (uint32_t i = 0; i < b.data.n_items; i++)
			{
				size_t		ul,
							il;
				const char *us = user_of(&b, u, &ul);
				const char *is = item_of(&b, i, &il);
				double		sum = 0;
				double		latest = -1;
				int			n = 0;

				for (uint32_t k = 0; k < N; k++)
				{
					MadeRow		row = made_row(k, USERS, ITEMS);
					char		name[32];

					snprintf(name, sizeof(name), "user %u", row.user * 7919 % 100003);
					if (strlen(name) != ul || memcmp(name, us, ul) != 0)
						continue;
					snprintf(name, sizeof(name), "i%u", row.item * 31 % 10007);
					if (strlen(name) != il || memcmp(name, is, il) != 0)
						continue;
					n++;
					sum += (double) (float) row.rating;
					latest = row.time > latest ? row.time : latest;
				}
				for (uint64_t e = b.data.matrix.start[u]; e < b.data.matrix.start[u + 1]; e++)
					if (b.data.matrix.col[e] == i)
					{
						WF_CHECK_NEAR(b.data.matrix.value[e], rating ? sum / n : n, 1e-6);
						WF_CHECK_NEAR(b.data.time[e], latest, 0);
						n = -1;
						n_pairs++;
					}
				WF_CHECK(n <= 0);
			}
		WF_CHECK_EQ(n_pairs, b.data.matrix.n);
		test_host_end(&th);
	}
}

WF_TEST(numbers_follow_bytes_and_support)
{
	TestHost	th;
	Build		b;
	uint32_t	support[ITEMS] = {0};

	test_host_begin(&th);
	b.in = make_interactions(&th.host, N, USERS, ITEMS, false, false, 1);
	build_alone(&th, &b);
	for (uint64_t e = 0; e < b.data.matrix.n; e++)
		support[b.data.matrix.col[e]]++;
	for (uint32_t u = 1; u < b.data.n_users; u++)
	{
		size_t		l0,
					l1;
		const char *s0 = user_of(&b, u - 1, &l0);
		const char *s1 = user_of(&b, u, &l1);

		WF_CHECK(compare(s0, l0, s1, l1) < 0);
	}
	for (uint32_t i = 1; i < b.data.n_items; i++)
	{
		size_t		l0,
					l1;
		const char *s0 = item_of(&b, i - 1, &l0);
		const char *s1 = item_of(&b, i, &l1);

		WF_CHECK(support[i - 1] > support[i] || (support[i - 1] == support[i] && compare(s0, l0, s1, l1) < 0));
	}
	WF_CHECK(b.data.time == NULL);
	test_host_end(&th);
}

/* Other orders of rows, other teams: the same arrays. */
WF_TEST(order_and_team_do_not_show)
{
	static const uint32_t steps[] = {1, 7, 199, 600};
	TestHost	first;
	Build		a;

	test_host_begin(&first);
	a.in = make_interactions(&first.host, N, USERS, ITEMS, true, true, 1);
	build_alone(&first, &a);
	for (int s = 0; s < 4; s++)
	{
		TestHost	th;
		Build		b;
		const WfMatrix *x = &a.data.matrix;
		const WfMatrix *y = &b.data.matrix;

		test_host_begin(&th);
		b.in = make_interactions(&th.host, N, USERS, ITEMS, true, true, steps[s]);
		WF_CHECK(test_team_run(&th, 1 + s % 3, build, &b));
		WF_CHECK_EQ(x->n, y->n);
		WF_CHECK(memcmp(x->start, y->start, (x->n_rows + 1) * sizeof(uint64_t)) == 0);
		WF_CHECK(memcmp(x->col, y->col, x->n * sizeof(uint32_t)) == 0);
		WF_CHECK(memcmp(x->value, y->value, x->n * sizeof(float)) == 0);
		WF_CHECK(memcmp(a.data.time, b.data.time, x->n * sizeof(double)) == 0);
		test_host_end(&th);
	}
	test_host_end(&first);
}

/* The same pair very often, with ratings whose sum depends on the order. */
WF_TEST(mean_of_a_repeated_pair_has_one_value)
{
	float		value[2];

	for (int turn = 0; turn < 2; turn++)
	{
		TestHost	th;
		Build		b;

		test_host_begin(&th);
		b.in = wf_interactions_create(&th.host, true, true);
		for (uint32_t k = 0; k < 999; k++)
		{
			uint32_t	at = turn ? 998 - k : k;
			double		rating = wf_rng_unit(wf_rng(5, at)) * (at % 7 == 0 ? 1e9 : 1e-3);

			wf_interactions_add(b.in, "u", 1, "i", 1, rating, at == 500 ? (double) NAN : at);
		}
		build_alone(&th, &b);
		WF_CHECK_EQ(b.data.matrix.n, 1);
		value[turn] = b.data.matrix.value[0];
		WF_CHECK_NEAR(b.data.time[0], 998, 0);
		test_host_end(&th);
	}
	WF_CHECK(memcmp(&value[0], &value[1], sizeof(float)) == 0);
}

WF_TEST(catalogue_adds_items_after_the_others)
{
	TestHost	th;
	Build		b;
	size_t		length;
	WfBytes		ids;
	WfIdMap		map;
	void	   *aligned;

	test_host_begin(&th);
	b.in = wf_interactions_create(&th.host, false, false);
	wf_interactions_add_item(b.in, "z", 1);
	wf_interactions_add_item(b.in, "known", 5);
	wf_interactions_add_item(b.in, "a", 1);
	wf_interactions_add_item(b.in, "z", 1);
	wf_interactions_add(b.in, "u", 1, "known", 5, 0, 0);
	wf_interactions_add(b.in, "", 0, "known", 5, 0, 0);
	wf_interactions_add(b.in, "u", 1, "other", 5, 0, 0);
	build_alone(&th, &b);
	WF_CHECK_EQ(b.data.n_users, 2);
	WF_CHECK_EQ(b.data.n_items, 2);
	WF_CHECK_EQ(b.data.n_catalogue, 4);
	WF_CHECK_EQ(b.data.n_catalogue_rows, 4);
	WF_CHECK_EQ(b.data.catalogue_item[0], 3);
	WF_CHECK_EQ(b.data.catalogue_item[1], 0);
	WF_CHECK_EQ(b.data.catalogue_item[2], 2);
	WF_CHECK_EQ(b.data.catalogue_item[3], 3);
	WF_CHECK(memcmp(item_of(&b, 2, &length), "a", 1) == 0 && length == 1);
	wf_bytes_init(&ids, &th.host);
	wf_interactions_write_items(&th.host, &b.data, &ids);
	aligned = wf_alloc_aligned(&th.host, ids.length, 1);
	memcpy(aligned, ids.data, ids.length);
	wf_idmap_open(&th.host, aligned, ids.length, &map);
	WF_CHECK_EQ(wf_idmap_find(&map, "known", 5), 0);
	WF_CHECK_EQ(wf_idmap_find(&map, "z", 1), 3);
	test_host_end(&th);
}

WF_TEST(what_cannot_be_read_is_an_error)
{
	TestHost	th;
	WfInteractions *in;
	char		text[WF_DICT_KEY_BYTES + 1];
	WfTeamShared shared;
	WfTeam		team;
	WfInteractionData data;

	memset(text, 'x', sizeof(text));
	test_host_begin(&th);
	wf_team_alone(&team, &shared, &th.host);
	in = wf_interactions_create(&th.host, true, false);
	WF_EXPECT_FAIL(&th, WF_E_LIMIT, wf_interactions_add(in, text, sizeof(text), "i", 1, 1, 0));
	WF_EXPECT_FAIL(&th, WF_E_LIMIT, wf_interactions_add(in, "u", 1, text, sizeof(text), 1, 0));
	WF_EXPECT_FAIL(&th, WF_E_DATA, wf_interactions_add(in, "u", 1, "i", 1, (double) NAN, 0));
	WF_EXPECT_FAIL(&th, WF_E_DATA, wf_interactions_add(in, "u", 1, "i", 1, 1e300, 0));
	in = wf_interactions_create(&th.host, false, false);
	wf_interactions_add_item(in, "i", 1);
	WF_EXPECT_FAIL(&th, WF_E_DATA, wf_interactions_build(&team, in, &data));
	test_host_end(&th);
}

static void
read_and_build(TestHost *th)
{
	Build		b;

	b.in = make_interactions(&th->host, 120, 10, 8, true, true, 1);
	wf_interactions_add_item(b.in, "new", 3);
	build_alone(th, &b);
}

WF_TEST(every_failure_is_survived)
{
	TestHost	th;
	uint64_t	allocs;
	uint64_t	checks;

	test_host_begin(&th);
	read_and_build(&th);
	allocs = th.n_allocs;
	checks = th.n_checks;
	test_host_end(&th);
	for (uint64_t k = 1; k <= allocs + checks; k++)
	{
		jmp_buf		jb;

		test_host_begin(&th);
		if (k <= allocs)
			th.fail_alloc_at = k;
		else
			th.cancel_check_at = k - allocs;
		th.on_fail = &jb;
		if (setjmp(jb) == 0)
		{
			Build		b;

			b.in = make_interactions(&th.host, 120, 10, 8, true, true, 1);
			wf_interactions_add_item(b.in, "new", 3);
			WF_CHECK(!test_team_run(&th, 1, build, &b));
		}
		WF_CHECK(th.failed);
		test_host_end(&th);
	}
}
