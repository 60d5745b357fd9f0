/* Features of a run, counted by hand; against a count from all runs in test_run_sweep.c. */
#include "wf_test.h"

#include "core/run_features.h"

#define HOUR INT64_C(3600000000)

/* Counted by hand: two failures after three successes at 09:00, asked for Monday 10:00. */
WF_TEST(features_by_hand)
{
	WfPastRun	runs[5];
	WfStartedRun started[2] = {{0, WF_RUN_UNFINISHED, true}, {9 * HOUR, 9 * HOUR + 1, false}};
	WfRunKnowledge known = {.at = 34 * HOUR, .known_by = 10 * HOUR, .minute = 600};
	double		out[WF_RUN_N_FEATURES];
	double		platform = 3.5 / 6,
				rate = (3 + 5 * platform) / 10;

	for (int i = 0; i < 5; i++)
		runs[i] = (WfPastRun) {(9 - 24 * i) * HOUR, (9 - 24 * i) * HOUR + 60000000 * (i + 1), 540, i >= 2};
	known.own = known.platform = (WfPastRuns) {runs, 5};
	known.started = started;
	known.n_started = 2;
	wf_run_features(&known, out);
	WF_CHECK_EQ(out[WF_RUN_HORIZON], 24);
	WF_CHECK_EQ(out[WF_RUN_HOUR], 10);
	WF_CHECK_EQ(out[WF_RUN_WEEKDAY], 1);
	WF_CHECK_EQ(out[WF_RUN_RUNS], 5);
	WF_CHECK_NEAR(out[WF_RUN_PLATFORM_RATE], platform, 1e-12);
	WF_CHECK_NEAR(out[WF_RUN_RATE], rate, 1e-12);
	/* An hour away counts half. */
	WF_CHECK_NEAR(out[WF_RUN_HOUR_RATE], (1.5 + 5 * rate) / 7.5, 1e-12);
	WF_CHECK_NEAR(wf_run_rule(&known), (1.5 + 5 * rate) / 7.5, 1e-12);
	WF_CHECK_EQ(out[WF_RUN_LAST], 0);
	WF_CHECK_EQ(out[WF_RUN_STREAK], -2);
	WF_CHECK_NEAR(out[WF_RUN_SINCE_RUN], log(1 + 59.0 / 60), 1e-12);
	WF_CHECK_NEAR(out[WF_RUN_SINCE_SUCCESS], log(1 + 49 - 3.0 / 60), 1e-12);
	WF_CHECK_EQ(out[WF_RUN_MEDIAN_SECONDS], 180);
	WF_CHECK_EQ(out[WF_RUN_LAST_SECONDS], 60);
	WF_CHECK_EQ(out[WF_RUN_RUNNING], 1);
	WF_CHECK_EQ(out[WF_RUN_OWN_RUNNING], 1);
	WF_CHECK_EQ(out[WF_RUN_STARTED_1H], 1);
	WF_CHECK_EQ(out[WF_RUN_STARTED_24H], 2);
	WF_CHECK(isnan(out[WF_RUN_UPSTREAM_LAST]));
	/* Long after all that is known it is no longer ago than a month, nor further ahead than a week. */
	known.known_by += INT64_C(86400000000) * 36500;
	known.at = known.known_by + INT64_C(86400000000) * 3650;
	known.upstream = known.own;
	wf_run_features(&known, out);
	WF_CHECK_NEAR(out[WF_RUN_SINCE_RUN], log(721), 1e-12);
	WF_CHECK_NEAR(out[WF_RUN_SINCE_FAILURE], log(721), 1e-12);
	WF_CHECK_NEAR(out[WF_RUN_UPSTREAM_HOURS], log(721), 1e-12);
	WF_CHECK_EQ(out[WF_RUN_HORIZON], 168);
	known.own.n = 0;
	WF_CHECK_NEAR(wf_run_rule(&known), platform, 1e-12);
	known.platform.n = 0;
	WF_CHECK(isnan(wf_run_rule(&known)));
	for (int i = 0; i < WF_RUN_N_FEATURES; i++)
		WF_CHECK(wf_run_feature_name(i) != NULL);
}

/* Runs at other times of day count by how near they are, around midnight too. */
WF_TEST(the_hour_goes_round)
{
	WfPastRun	run = {0, 1, 23 * 60 + 30, true};
	WfRunKnowledge known = {.minute = 30, .own = {&run, 1}};
	double		out[WF_RUN_N_FEATURES];

	wf_run_features(&known, out);
	WF_CHECK_NEAR(out[WF_RUN_HOUR_RATE], (0.5 + 5 * out[WF_RUN_RATE]) / 5.5, 1e-12);
	run.minute = 6 * 1440 + 30;
	wf_run_features(&known, out);
	WF_CHECK_NEAR(out[WF_RUN_HOUR_RATE], (1 + 5 * out[WF_RUN_RATE]) / 6, 1e-12);
	WF_CHECK_NEAR(out[WF_RUN_DAY_RATE], out[WF_RUN_RATE], 1e-12);
	known.minute = 150;
	wf_run_features(&known, out);
	WF_CHECK_NEAR(out[WF_RUN_HOUR_RATE], out[WF_RUN_RATE], 1e-12);
}
