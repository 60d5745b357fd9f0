/* Sums over rows: right, and the same bits for any team. */
#include "wf_test.h"

#include "core/rng.h"
#include "core/sums.h"

#define ROWS 150

typedef struct Run
{
	size_t		width;
	double		total[8];
	size_t		n_chunks;
} Run;

/* Row i: value u in every sum but the last two, which are the extremes of it. */
static void
add_rows(void *arg, uint32_t begin, uint32_t end, double *sums)
{
	const Run  *run = arg;

	for (uint32_t i = begin; i < end; i++)
	{
		double		u = wf_rng_unit(wf_rng(1, i)) - 0.25;

		for (size_t j = 0; j < run->width - 2; j++)
			sums[j] += u;
		if (-u > sums[run->width - 2])
			sums[run->width - 2] = -u;
		if (u > sums[run->width - 1])
			sums[run->width - 1] = u;
	}
}

static void
run_in_team(WfTeam *team, void *arg)
{
	Run		   *run = arg;
	WfSums		sums;

	wf_sums_create(team, &sums, run->width, 2);
	for (int again = 0; again < 2; again++)
		wf_sums_run(team, &sums, ROWS, add_rows, run);
	if (team->rank == 0)
	{
		run->n_chunks = sums.n_chunks;
		memcpy(run->total, sums.total, 4 * sizeof(double));
		memcpy(run->total + 4, sums.total + run->width - 4, 4 * sizeof(double));
	}
	wf_sums_free(team, &sums);
}

WF_TEST(sums_are_right_for_any_team)
{
	/* a wide one leaves room for few chunks */
	static const size_t widths[] = {5, 100000};
	static const size_t chunks[] = {64, 41};
	double		truth = 0;
	double		least = 1;
	double		most = -1;

	for (uint32_t i = 0; i < ROWS; i++)
	{
		double		u = wf_rng_unit(wf_rng(1, i)) - 0.25;

		truth += u;
		least = fmin(least, u);
		most = fmax(most, u);
	}
	for (int v = 0; v < 2; v++)
	{
		double		first[8];

		for (int size = 1; size <= 3; size++)
		{
			TestHost	th;
			Run			run = {.width = widths[v]};

			if (v > 0 && size == 2)
				continue;
			test_host_begin(&th);
			WF_CHECK(test_team_run(&th, size, run_in_team, &run));
			WF_CHECK_EQ(run.n_chunks, chunks[v]);
			WF_CHECK_NEAR(run.total[0], truth, 1e-9);
			WF_CHECK_NEAR(run.total[5], truth, 1e-9);
			WF_CHECK(run.total[6] == -least && run.total[7] == most);
			if (size == 1)
				memcpy(first, run.total, sizeof(first));
			WF_CHECK(memcmp(first, run.total, sizeof(first)) == 0);
			WF_CHECK_EQ(th.bytes_now, 0);
			test_host_end(&th);
		}
	}
}
