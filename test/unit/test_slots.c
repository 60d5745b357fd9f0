/* Doubly robust success rates of slots: against plain formulas, and against the truth of made-up runs. */
#include "wf_test.h"

#include "core/mathx.h"
#include "core/slots.h"

#define N 500
#define USERS 8

static double
uniform(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double) (*state >> 11) / 9007199254740992.0;
}

WF_TEST(slots_kernel_and_propensity)
{
	double		counts[WF_N_SLOTS] = {0};
	double		none[WF_N_SLOTS] = {0};
	double		group[WF_N_SLOTS] = {0};
	double		e[WF_N_SLOTS];

	WF_CHECK_NEAR(wf_slot_kernel(5, 5), 1, 1e-12);
	WF_CHECK_NEAR(wf_slot_kernel(23, 1), 1.0 / 3, 1e-12);
	WF_CHECK_NEAR(wf_slot_kernel(24, 47), 2.0 / 3, 1e-12);
	WF_CHECK_NEAR(wf_slot_kernel(23, 24), 0, 1e-12);
	WF_CHECK_NEAR(wf_slot_kernel(3, 6), 0, 1e-12);
	counts[8] = 30;
	counts[9] = 60;
	wf_slot_propensity(counts, none, e);
	WF_CHECK_NEAR(e[8], (30 + 40.0) / 90 * (90 + 10) / (90 + 10), 1e-12);
	WF_CHECK_NEAR(e[20], 0.01, 1e-12);
	group[20] = 4;
	wf_slot_propensity(counts, group, e);
	WF_CHECK_NEAR(e[20], 10.0 / 100, 1e-12);
	WF_CHECK_NEAR(e[8], 70.0 / 100, 1e-12);
}

WF_TEST(slots_rule)
{
	WfSlotRun	runs[20];
	WfSlotValue v[WF_N_SLOTS];
	double		rate = (15 + 1.4) / 22;
	double		p = (4 + 4 * rate) / 12;

	for (int i = 0; i < 20; i++)
		runs[i] = (WfSlotRun) {.slot = (uint8_t) (i < 8 ? 10 : 11), .succeeded = i < 4 || i >= 9, .who = 0};
	wf_slot_rates(runs, 20, v);
	WF_CHECK_EQ(v[10].support, 8);
	WF_CHECK_NEAR(v[10].probability, p, 1e-12);
	/* Wilson: (p + z²/2n - z sqrt(p (1 - p) / n + z²/4n²)) / (1 + z²/n) */
	WF_CHECK_NEAR(v[10].lower, (p + 1.6423744151 / 24 - 1.2815515655 * sqrt(p * (1 - p) / 12 + 1.6423744151 / 576)) / (1 + 1.6423744151 / 12), 1e-9);
	WF_CHECK_EQ(v[12].support, 0);
	WF_CHECK_NEAR(v[12].probability, rate, 1e-12);
	WF_CHECK_EQ(wf_slot_best(v, UINT64_C(1) << 10 | UINT64_C(1) << 12), 10);
	WF_CHECK_EQ(wf_slot_best(v, UINT64_C(1) << 12), -1);
}

/*
 * Users of different rates who choose different hours; 12 to 15 o'clock is
 * better.  The estimate must be near the rate that all users would have there.
 */
WF_TEST(slots_are_unbiased_under_confounding)
{
	double		bias = 0;
	double		plain = 0;
	int			n = 0;
	int			covered = 0;
	uint64_t	state = 42;

	for (int round = 0; round < 60; round++)
	{
		WfSlotRun	runs[N];
		WfBelief	who[USERS];
		WfSlotModel model;
		WfSlotValue v[WF_N_SLOTS];
		double		none[WF_N_SLOTS] = {0};
		double		ok[WF_N_SLOTS] = {0};
		double		base[USERS];

		for (int u = 0; u < USERS; u++)
			base[u] = (u % 2 ? 1.4 : -0.4) + (uniform(&state) - 0.5) * 0.4;
		for (int i = 0; i < N; i++)
		{
			int			u = (int) (uniform(&state) * USERS);
			/* mostly their own hours */
			int			hour = uniform(&state) < 0.2 ? 8 + (int) (uniform(&state) * 12) : (u % 2 ? 12 : 8) + (int) (uniform(&state) * 8);

			runs[i] = (WfSlotRun) {.slot = (uint8_t) hour, .who = (uint32_t) u};
			runs[i].succeeded = uniform(&state) < wf_sigmoid(base[u] + (hour >= 12 && hour < 16 ? 0.8 : 0));
			ok[hour] += runs[i].succeeded;
		}
		wf_slot_values(runs, N, who, USERS, none, &model, v);
		for (int s = 8; s < 20; s++)
		{
			double		truth = 0;

			for (int u = 0; u < USERS; u++)
				truth += wf_sigmoid(base[u] + (s >= 12 && s < 16 ? 0.8 : 0)) / USERS;
			bias += v[s].probability - truth;
			plain += (s >= 16 ? 1 : -1) * (ok[s] / v[s].support - truth) * (s < 12 || s >= 16);
			covered += truth >= v[s].lower;
			n++;
		}
	}
	WF_CHECK_NEAR(bias / n, 0, 0.02);
	/* what the runs alone say of the hours that mostly one half uses is far off */
	WF_CHECK(plain / n > 0.05);
	/* the bound leaves out that the model has to guess half of the users: fewer than 9 of 10 */
	WF_CHECK(covered > n * 0.7 && covered < n * 0.95);
}

WF_TEST(slots_judge)
{
	WfSlotRun	runs[40];
	WfBelief	who[2];
	double		none[WF_N_SLOTS] = {0};
	WfSlotJudged judged[10];

	for (int i = 0; i < 40; i++)
		runs[i] = (WfSlotRun) {.slot = (uint8_t) (i % 2 ? 14 : 6), .succeeded = i % 2 || i % 8 == 0, .who = 0};
	wf_slot_judge(runs, 30, 40, (UINT64_C(1) << 24) - 1, true, who, 2, none, judged);
	for (int i = 0; i < 10; i++)
	{
		WF_CHECK_EQ(judged[i].chosen, 14);
		WF_CHECK_NEAR(judged[i].weight, i % 2 ? 2 : 0, 1e-12);
		WF_CHECK(judged[i].expected > 0.5 && judged[i].expected < 1);
		if (i % 2 == 0)
			WF_CHECK_NEAR(judged[i].value, judged[i].expected, 1e-12);
	}
	/* no hour of the weekend was ever seen */
	wf_slot_judge(runs, 30, 40, ~((UINT64_C(1) << 24) - 1), true, who, 2, none, judged);
	WF_CHECK_EQ(judged[0].chosen, -1);
	WF_CHECK(isnan(judged[0].value));
	wf_slot_judge(runs, 0, 4, ~UINT64_C(0), false, who, 2, none, judged);
	WF_CHECK_EQ(judged[0].chosen, -1);
}

WF_TEST(slots_first_run_does_not_judge_itself)
{
	/* Where the only run has no weight its outcome is of no account. */
	WfSlotRun	run = {.slot = 3, .succeeded = true};
	WfBelief	who[1];
	double		none[WF_N_SLOTS] = {0};
	WfSlotModel model;
	WfSlotValue succeeded[WF_N_SLOTS];
	WfSlotValue failed[WF_N_SLOTS];

	wf_slot_values(&run, 1, who, 1, none, &model, succeeded);
	run.succeeded = false;
	wf_slot_values(&run, 1, who, 1, none, &model, failed);
	WF_CHECK_NEAR(succeeded[15].probability, failed[15].probability, 0);
	WF_CHECK(succeeded[3].probability > failed[3].probability);
}

WF_TEST(slots_do_not_peek)
{
	/* What is said of a run does not depend on it, nor on what comes after it. */
	WfSlotRun	runs[60];
	WfBelief	who[2];
	double		none[WF_N_SLOTS] = {0};
	WfSlotJudged a[10];
	WfSlotJudged b[10];

	for (int i = 0; i < 60; i++)
		runs[i] = (WfSlotRun) {.slot = (uint8_t) (8 + i % 3), .succeeded = i % 5 != 0, .who = 1};
	wf_slot_judge(runs, 50, 60, ~UINT64_C(0), true, who, 2, none, a);
	for (int i = 50; i < 60; i++)
		runs[i].succeeded = !runs[i].succeeded;
	wf_slot_judge(runs, 50, 60, ~UINT64_C(0), true, who, 2, none, b);
	for (int i = 0; i < 10; i++)
	{
		WF_CHECK_EQ(a[i].chosen, b[i].chosen);
		WF_CHECK_NEAR(a[i].expected, b[i].expected, 0);
		WF_CHECK_NEAR(a[i].weight, b[i].weight, 0);
	}
}
