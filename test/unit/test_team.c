/* The barrier, broadcast and shared allocation of a team of threads. */
#include "wf_test.h"

#include <stdatomic.h>

static void
count_rounds(WfTeam *team, void *arg)
{
	uint32_t   *slots = wf_team_alloc(team, WF_TEAM_MAX, sizeof(uint32_t));
	uint64_t	word = team->rank == 0 ? 42 : 0;

	for (int round = 0; round < 1000; round++)
	{
		slots[team->rank]++;
		wf_team_barrier(team);
		for (int r = 0; r < team->size; r++)
			if (slots[r] != (uint32_t) round + 1)
				*(bool *) arg = true;
		wf_team_barrier(team);
	}
	wf_team_broadcast(team, &word, sizeof(word));
	if (word != 42)
		*(bool *) arg = true;
	wf_team_free(team, slots);
}

WF_TEST(barrier_keeps_members_in_step)
{
	for (int size = 1; size <= 4; size++)
	{
		TestHost	th;
		bool		wrong = false;

		test_host_begin(&th);
		WF_CHECK(test_team_run(&th, size, count_rounds, &wrong));
		WF_CHECK(!wrong);
		test_host_end(&th);
	}
}

static void
take_numbers(WfTeam *team, void *arg)
{
	_Atomic int *taken = arg;

	for (int pass = 0; pass < 2; pass++)
	{
		wf_team_restart(team);
		for (uint64_t i; (i = wf_team_next(team)) < 100;)
			atomic_fetch_add(&taken[i], 1);
	}
	wf_team_barrier(team);
}

WF_TEST(counter_gives_each_number_once)
{
	TestHost	th;
	_Atomic int taken[100] = {0};

	test_host_begin(&th);
	WF_CHECK(test_team_run(&th, 3, take_numbers, taken));
	for (int i = 0; i < 100; i++)
		WF_CHECK_EQ(taken[i], 2);
	test_host_end(&th);
}

static void
fail_in_member(WfTeam *team, void *arg)
{
	(void) arg;
	if (team->rank == 1)
		team->host->fail(team->host, WF_E_DATA, NULL, "member %d gives up", team->rank);
	wf_team_barrier(team);
}

WF_TEST(a_failing_member_ends_the_team)
{
	TestHost	th;

	test_host_begin(&th);
	WF_CHECK(!test_team_run(&th, 3, fail_in_member, NULL));
	test_host_end(&th);
}

WF_TEST(parts_cover_everything_once)
{
	for (size_t n = 0; n < 20; n++)
		for (int size = 1; size < 6; size++)
		{
			size_t		next = 0;

			for (int r = 0; r < size; r++)
			{
				WfTeam		t = {.rank = r, .size = size};
				size_t		b,
							e;

				wf_team_part(&t, n, &b, &e);
				WF_CHECK_EQ(b, next);
				next = e;
			}
			WF_CHECK_EQ(next, n);
		}
}
