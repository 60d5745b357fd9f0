/*-------------------------------------------------------------------------
 * run_features.c
 *	  What is known of a run of a workflow before it starts, as numbers.
 *
 * Rates are shares of successes drawn to a wider rate as if some runs had
 * shown it (beta-binomial smoothing with a fixed strength): the workflow's to
 * the platform's, its hour's to its own.
 */
#include "core/run_features.h"

#include <math.h>
#include <string.h>

#include "core/mathx.h"

#define HOUR INT64_C(3600000000)
#define DAY_MINUTES 1440

/* Runs that the wider rate counts for. */
#define STRENGTH 5.0
#define RECENT_STRENGTH 2.0
/* Runs at other times of day count less, and two hours away not at all. */
#define HOUR_REACH 120
/* Weight of a run against the one after it, for the decayed rate. */
#define DECAY 0.85
/* Nothing is seen as longer ago, or further ahead, than this. */
#define OLDEST_HOURS 720.0
#define HORIZON_HOURS 168.0

static const char *const run_names[WF_RUN_N_FEATURES] = {
	"horizon_hours", "hour", "minute_of_day", "weekday", "weekend",
	"runs", "rate", "rate_10", "rate_decayed", "hour_rate", "day_rate",
	"last_outcome", "last_outcome_2", "last_outcome_3", "streak",
	"log_hours_since_run", "log_hours_since_success", "log_hours_since_failure",
	"median_seconds", "last_seconds",
	"platform_rate", "platform_rate_50", "platform_rate_3h", "platform_rate_24h", "platform_hour_rate",
	"running", "workflow_running", "started_1h", "started_24h",
	"upstream_outcome", "upstream_log_hours", "upstream_rate"
};

static const char *const level_names[WF_LEVEL_N_FEATURES] = {"rate_of_", "rate_10_of_", "rate_24h_of_", "hour_rate_of_"};

const char *
wf_run_feature_name(WfRunFeature feature)
{
	return run_names[feature];
}

const char *
wf_level_feature_name(WfLevelFeature feature)
{
	return level_names[feature];
}

static double
drawn(double successes, double weight, double prior, double strength)
{
	return (successes + strength * prior) / (weight + strength);
}

/* Of the newest n runs. */
static double
rate_of(WfPastRuns past, size_t n, double prior, double strength)
{
	size_t		successes = 0;

	if (n > past.n)
		n = past.n;
	for (size_t i = 0; i < n; i++)
		successes += past.runs[i].succeeded;
	return drawn((double) successes, (double) n, prior, strength);
}

/* Of the runs that finished after a time. */
static double
rate_since(WfPastRuns past, int64_t since, double prior)
{
	size_t		n = 0;

	while (n < past.n && past.runs[n].finished > since)
		n++;
	return rate_of(past, n, prior, STRENGTH);
}

static double
rate_decayed(WfPastRuns past, double prior)
{
	double		successes = 0,
				weights = 0,
				weight = 1;

	for (size_t i = 0; i < past.n; i++)
	{
		successes += past.runs[i].succeeded ? weight : 0;
		weights += weight;
		weight *= DECAY;
	}
	return drawn(successes, weights, prior, 1);
}

/* Of the runs that started about that time of day. */
static double
rate_at_hour(WfPastRuns past, int minute, double prior)
{
	int			successes = 0,
				weights = 0;

	for (size_t i = 0; i < past.n; i++)
	{
		int			away = (past.runs[i].minute - minute) % DAY_MINUTES;

		if (away < 0)
			away = -away;
		if (away > DAY_MINUTES / 2)
			away = DAY_MINUTES - away;
		if (away < HOUR_REACH)
		{
			weights += HOUR_REACH - away;
			successes += past.runs[i].succeeded ? HOUR_REACH - away : 0;
		}
	}
	return drawn((double) successes / HOUR_REACH, (double) weights / HOUR_REACH, prior, STRENGTH);
}

static bool
is_weekend(int minute)
{
	return minute >= 5 * DAY_MINUTES;
}

static double
rate_at_day(WfPastRuns past, int minute, double prior)
{
	size_t		n = 0,
				successes = 0;

	for (size_t i = 0; i < past.n; i++)
		if (is_weekend(past.runs[i].minute) == is_weekend(minute))
		{
			n++;
			successes += past.runs[i].succeeded;
		}
	return drawn((double) successes, (double) n, prior, STRENGTH);
}

static double
hours_between(int64_t from, int64_t to)
{
	return ((double) to - (double) from) / (double) HOUR;
}

/*
 * How long ago.  A model of sums that has seen hours and is asked about months
 * would say nonsense: so as a logarithm, and not without end.
 */
static double
age(int64_t from, int64_t to)
{
	return wf_log(1 + fmin(hours_between(from, to), OLDEST_HOURS));
}

/* Outcomes in a row, and how long ago each of them last was. */
static void
look_back(const WfRunKnowledge *known, double *out)
{
	WfPastRuns	own = known->own;
	size_t		streak = 0;
	bool		seen[2] = {false, false};

	for (size_t i = 0; i < 3; i++)
		out[WF_RUN_LAST + i] = i < own.n ? (double) own.runs[i].succeeded : NAN;
	out[WF_RUN_SINCE_RUN] = own.n > 0 ? age(own.runs[0].finished, known->known_by) : NAN;
	out[WF_RUN_SINCE_SUCCESS] = out[WF_RUN_SINCE_FAILURE] = NAN;
	for (size_t i = 0; i < own.n && !(seen[0] && seen[1]); i++)
	{
		bool		succeeded = own.runs[i].succeeded;

		if (!seen[succeeded])
			out[succeeded ? WF_RUN_SINCE_SUCCESS : WF_RUN_SINCE_FAILURE] =
				age(own.runs[i].finished, known->known_by);
		seen[succeeded] = true;
		if (!seen[!succeeded])
			streak++;
	}
	out[WF_RUN_STREAK] = own.n == 0 ? 0 : own.runs[0].succeeded ? (double) streak : -(double) streak;
}

static double
seconds_of(const WfPastRun *run)
{
	return ((double) run->finished - (double) run->started) / 1e6;
}

/* The lower median of the recent runs: insertion sort, since they are few. */
static double
median_seconds(WfPastRuns past)
{
	double		sorted[WF_RUN_RECENT];
	size_t		n = past.n;

	if (n == 0)
		return NAN;
	if (n > WF_RUN_RECENT)
		n = WF_RUN_RECENT;
	for (size_t i = 0; i < n; i++)
	{
		double		seconds = seconds_of(&past.runs[i]);
		size_t		j = i;

		for (; j > 0 && sorted[j - 1] > seconds; j--)
			sorted[j] = sorted[j - 1];
		sorted[j] = seconds;
	}
	return sorted[(n - 1) / 2];
}

/* Who was running, and how busy it was. */
static void
look_around(const WfRunKnowledge *known, double *out)
{
	size_t		running = 0,
				own = 0,
				hour = 0,
				day = 0;

	for (size_t i = 0; i < known->n_started; i++)
	{
		const WfStartedRun *run = &known->started[i];
		double		ago = hours_between(run->started, known->known_by);
		bool		runs = run->finished > known->known_by;

		running += runs;
		own += runs && run->own;
		hour += ago <= 1;
		day += ago <= 24;
	}
	out[WF_RUN_RUNNING] = (double) running;
	out[WF_RUN_OWN_RUNNING] = (double) own;
	out[WF_RUN_STARTED_1H] = (double) hour;
	out[WF_RUN_STARTED_24H] = (double) day;
}

static double
platform_rate(const WfRunKnowledge *known)
{
	return rate_of(known->platform, known->platform.n, 0.5, 1);
}

static void
rates(const WfRunKnowledge *known, double *out)
{
	double		platform = platform_rate(known);
	double		rate = rate_of(known->own, WF_RUN_RECENT, platform, STRENGTH);

	out[WF_RUN_PLATFORM_RATE] = platform;
	out[WF_RUN_PLATFORM_RATE_50] = rate_of(known->platform, 50, platform, STRENGTH);
	out[WF_RUN_PLATFORM_RATE_3H] = rate_since(known->platform, known->known_by - 3 * HOUR, platform);
	out[WF_RUN_PLATFORM_RATE_24H] = rate_since(known->platform, known->known_by - 24 * HOUR, platform);
	out[WF_RUN_PLATFORM_HOUR_RATE] = rate_at_hour(known->platform, known->minute, platform);
	out[WF_RUN_RUNS] = (double) known->own.n;
	out[WF_RUN_RATE] = rate;
	out[WF_RUN_RATE_10] = rate_of(known->own, 10, rate, RECENT_STRENGTH);
	out[WF_RUN_RATE_DECAYED] = rate_decayed(known->own, rate);
	out[WF_RUN_HOUR_RATE] = rate_at_hour(known->own, known->minute, rate);
	out[WF_RUN_DAY_RATE] = rate_at_day(known->own, known->minute, rate);
}

void
wf_run_features(const WfRunKnowledge *known, double out[WF_RUN_N_FEATURES])
{
	bool		upstream = known->upstream.n > 0;

	out[WF_RUN_HORIZON] = fmin(hours_between(known->known_by, known->at), HORIZON_HOURS);
	out[WF_RUN_HOUR] = known->minute % DAY_MINUTES / 60;
	out[WF_RUN_MINUTE] = known->minute % DAY_MINUTES;
	out[WF_RUN_WEEKDAY] = 1 + known->minute / DAY_MINUTES;
	out[WF_RUN_WEEKEND] = is_weekend(known->minute);
	rates(known, out);
	look_back(known, out);
	out[WF_RUN_MEDIAN_SECONDS] = median_seconds(known->own);
	out[WF_RUN_LAST_SECONDS] = known->own.n > 0 ? seconds_of(&known->own.runs[0]) : NAN;
	look_around(known, out);
	out[WF_RUN_UPSTREAM_LAST] = upstream ? (double) known->upstream.runs[0].succeeded : NAN;
	out[WF_RUN_UPSTREAM_HOURS] = upstream ? age(known->upstream.runs[0].finished, known->known_by) : NAN;
	out[WF_RUN_UPSTREAM_RATE] = upstream ?
		rate_of(known->upstream, known->upstream.n, out[WF_RUN_PLATFORM_RATE], STRENGTH) : NAN;
}

void
wf_level_features(const WfRunKnowledge *known, WfPastRuns level, double prior, double out[WF_LEVEL_N_FEATURES])
{
	double		rate = rate_of(level, level.n, prior, STRENGTH);

	out[WF_LEVEL_RATE] = rate;
	out[WF_LEVEL_RATE_10] = rate_of(level, 10, rate, RECENT_STRENGTH);
	out[WF_LEVEL_RATE_24H] = rate_since(level, known->known_by - 24 * HOUR, rate);
	out[WF_LEVEL_HOUR_RATE] = rate_at_hour(level, known->minute, rate);
}

double
wf_run_rule(const WfRunKnowledge *known)
{
	double		platform = platform_rate(known);
	double		rate = rate_of(known->own, WF_RUN_RECENT, platform, STRENGTH);

	if (known->own.n == 0 && known->platform.n == 0)
		return NAN;
	return rate_at_hour(known->own, known->minute, rate);
}
