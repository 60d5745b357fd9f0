/*-------------------------------------------------------------------------
 * run_sweep.c
 *	  The features of many runs at once.
 *
 * Finished runs are put in the order in which they became known.  Each knows
 * the one before it of the same workflow, and of the same level of each
 * column, so that the last runs of a kind are a short walk from the newest.
 * Questions are answered in the order of known_by, while the newest of each
 * kind moves on.
 */
#include "core/run_sweep.h"

#include <string.h>

#include "core/rng.h"

#define NONE UINT32_MAX
#define HOUR INT64_C(3600000000)
#define CHECK_EVERY 1024

typedef struct Sweep
{
	WfHost	   *host;
	const WfRunColumns *runs;
	uint32_t   *past;			/* runs that are history, as they become known */
	uint32_t	n_past;
	uint32_t	known;			/* so many of them are known now */
	uint32_t   *begun;			/* runs by started */
	uint32_t	seen;			/* so many of them have started now */
	uint32_t   *newest;			/* place in past, of each workflow; NONE */
	uint32_t   *before;			/* place in past of the workflow's run before */
	uint32_t  **level_newest;
	uint32_t  **level_before;
	/* what one question needs */
	WfPastRun  *own;
	WfPastRun  *upstream;
	WfPastRun  *platform;
	WfPastRun  *level;
	WfStartedRun *started;
	double	   *features;
} Sweep;

typedef bool (*Before) (const void *what, uint32_t a, uint32_t b);

/* ---- orders ---- */

/* By finished, started, outcome: runs that still tie look the same to history. */
static bool
known_before(const void *what, uint32_t a, uint32_t b)
{
	const WfRunColumns *runs = what;

	if (runs->finished[a] != runs->finished[b])
		return runs->finished[a] < runs->finished[b];
	if (runs->started[a] != runs->started[b])
		return runs->started[a] < runs->started[b];
	return runs->outcome[a] < runs->outcome[b];
}

static bool
started_before(const void *what, uint32_t a, uint32_t b)
{
	const WfRunColumns *runs = what;

	return runs->started[a] < runs->started[b];
}

typedef struct Asked
{
	const WfRunColumns *runs;
	const WfRunQuestion *questions;
} Asked;

static int64_t
known_by(const WfRunColumns *runs, const WfRunQuestion *question)
{
	return runs->started[question->run] - question->before;
}

static bool
asked_before(const void *what, uint32_t a, uint32_t b)
{
	const Asked *asked = what;

	return known_by(asked->runs, &asked->questions[a]) < known_by(asked->runs, &asked->questions[b]);
}

/* Stable merge sort, from the bottom. */
static void
sort(WfHost *host, uint32_t *items, uint32_t n, Before before, const void *what)
{
	uint32_t   *from = items,
			   *to = wf_alloc(host, (size_t) n + 1, sizeof(uint32_t)),
			   *room = to;
	uint32_t	work = 0;

	for (uint64_t width = 1; width < n; width *= 2)
	{
		uint32_t   *swap = from;

		for (uint64_t begin = 0; begin < n; begin += 2 * width)
		{
			uint32_t	middle = (uint32_t) (begin + width < n ? begin + width : n),
						end = (uint32_t) (begin + 2 * width < n ? begin + 2 * width : n),
						a = (uint32_t) begin,
						b = middle;

			for (uint32_t at = (uint32_t) begin; at < end; at++)
			{
				to[at] = b >= end || (a < middle && !before(what, from[b], from[a])) ? from[a++] : from[b++];
				if ((++work & 0xffff) == 0)
					host->check(host);
			}
		}
		from = to;
		to = swap;
	}
	if (from != items)
		memcpy(items, from, n * sizeof(uint32_t));
	wf_release(host, room);
}

/* ---- history ---- */

static uint32_t *
nones(WfHost *host, size_t n)
{
	uint32_t   *a = wf_alloc(host, n + 1, sizeof(uint32_t));

	memset(a, 0xff, (n + 1) * sizeof(uint32_t));
	return a;
}

static void
prepare(Sweep *s, WfHost *host, const WfRunColumns *runs)
{
	s->host = host;
	s->runs = runs;
	s->past = wf_alloc(host, (size_t) runs->n + 1, sizeof(uint32_t));
	s->begun = wf_alloc(host, (size_t) runs->n + 1, sizeof(uint32_t));
	for (uint32_t i = 0; i < runs->n; i++)
	{
		s->begun[i] = i;
		if (runs->outcome[i] >= 0 && runs->finished[i] != WF_RUN_UNFINISHED && runs->finished[i] >= runs->started[i])
			s->past[s->n_past++] = i;
	}
	sort(host, s->past, s->n_past, known_before, runs);
	sort(host, s->begun, runs->n, started_before, runs);
	s->newest = nones(host, runs->n_workflows);
	s->before = nones(host, s->n_past);
	s->level_newest = wf_alloc(host, (size_t) runs->n_levels + 1, sizeof(uint32_t *));
	s->level_before = wf_alloc(host, (size_t) runs->n_levels + 1, sizeof(uint32_t *));
	for (int c = 0; c < runs->n_levels; c++)
	{
		s->level_newest[c] = nones(host, runs->n_codes[c]);
		s->level_before[c] = nones(host, s->n_past);
	}
	s->own = wf_alloc(host, WF_RUN_OWN, sizeof(WfPastRun));
	s->upstream = wf_alloc(host, WF_RUN_UPSTREAM, sizeof(WfPastRun));
	s->platform = wf_alloc(host, WF_RUN_PLATFORM, sizeof(WfPastRun));
	s->level = wf_alloc(host, WF_RUN_LEVEL, sizeof(WfPastRun));
	s->started = wf_alloc(host, (size_t) runs->n + 1, sizeof(WfStartedRun));
	s->features = wf_alloc(host, WF_RUN_N_FEATURES + (size_t) runs->n_levels * WF_LEVEL_N_FEATURES, sizeof(double));
}

static void
finish(Sweep *s)
{
	WfHost	   *host = s->host;

	for (int c = 0; c < s->runs->n_levels; c++)
	{
		wf_release(host, s->level_newest[c]);
		wf_release(host, s->level_before[c]);
	}
	wf_release(host, s->past);
	wf_release(host, s->begun);
	wf_release(host, s->newest);
	wf_release(host, s->before);
	wf_release(host, s->level_newest);
	wf_release(host, s->level_before);
	wf_release(host, s->own);
	wf_release(host, s->upstream);
	wf_release(host, s->platform);
	wf_release(host, s->level);
	wf_release(host, s->started);
	wf_release(host, s->features);
}

/* One more run is known. */
static void
learn(Sweep *s)
{
	uint32_t	run = s->past[s->known],
				workflow = s->runs->workflow[run];

	s->before[s->known] = s->newest[workflow];
	s->newest[workflow] = s->known;
	for (int c = 0; c < s->runs->n_levels; c++)
	{
		uint32_t	code = s->runs->level[c][run];

		if (code != WF_RUN_NO_CODE)
		{
			s->level_before[c][s->known] = s->level_newest[c][code];
			s->level_newest[c][code] = s->known;
		}
	}
	s->known++;
}

static void
advance(Sweep *s, int64_t to)
{
	const WfRunColumns *runs = s->runs;

	while (s->known < s->n_past)
	{
		uint32_t	run = s->past[s->known];

		if (runs->finished[run] > to || runs->started[run] >= to)
			break;
		learn(s);
	}
	while (s->seen < runs->n && runs->started[s->begun[s->seen]] < to)
		s->seen++;
}

static WfPastRun
past_run(const Sweep *s, uint32_t place)
{
	uint32_t	run = s->past[place];

	return (WfPastRun) {
		.started = s->runs->started[run], .finished = s->runs->finished[run],
			.minute = s->runs->minute[run], .succeeded = s->runs->outcome[run] == 1
	};
}

/* The newest runs of a kind, by the chain that leads back from its newest. */
static WfPastRuns
follow(const Sweep *s, uint32_t place, const uint32_t *before, size_t most, WfPastRun *into)
{
	size_t		n = 0;

	for (; place != NONE && n < most; place = before[place])
		into[n++] = past_run(s, place);
	return (WfPastRuns) {.runs = into, .n = n};
}

/* The newest of all; and those that started last, with all that started with the oldest of them. */
static void
look(Sweep *s, uint32_t workflow, WfRunKnowledge *known)
{
	const WfRunColumns *runs = s->runs;
	size_t		n = 0;

	for (; n < s->known && n < WF_RUN_PLATFORM; n++)
		s->platform[n] = past_run(s, s->known - 1 - (uint32_t) n);
	known->platform = (WfPastRuns) {.runs = s->platform, .n = n};
	n = 0;
	for (uint32_t at = s->seen; at > 0; at--)
	{
		uint32_t	run = s->begun[at - 1];

		if (n >= WF_RUN_STARTED && runs->started[run] != s->started[n - 1].started)
			break;
		s->started[n++] = (WfStartedRun) {
			.started = runs->started[run], .finished = runs->finished[run], .own = runs->workflow[run] == workflow
		};
	}
	known->started = s->started;
	known->n_started = n;
}

static void
answer_one(Sweep *s, const WfRunQuestion *question)
{
	const WfRunColumns *runs = s->runs;
	uint32_t	run = question->run,
				workflow = runs->workflow[run],
				newest = s->newest[workflow];
	uint32_t	upstream = newest == NONE ? WF_RUN_NO_CODE : runs->upstream[s->past[newest]];
	WfRunKnowledge known = {.at = runs->started[run], .known_by = known_by(runs, question), .minute = runs->minute[run]};

	known.own = follow(s, newest, s->before, WF_RUN_OWN, s->own);
	if (upstream != WF_RUN_NO_CODE)
		known.upstream = follow(s, s->newest[upstream], s->before, WF_RUN_UPSTREAM, s->upstream);
	look(s, workflow, &known);
	wf_run_features(&known, s->features);
	for (int c = 0; c < runs->n_levels; c++)
	{
		uint32_t	code = runs->level[c][run];
		WfPastRuns	level = {.n = 0};

		if (code != WF_RUN_NO_CODE)
			level = follow(s, s->level_newest[c][code], s->level_before[c], WF_RUN_LEVEL, s->level);
		wf_level_features(&known, level, s->features[WF_RUN_PLATFORM_RATE],
						  s->features + WF_RUN_N_FEATURES + c * WF_LEVEL_N_FEATURES);
	}
}

void
wf_run_sweep(WfHost *host, const WfRunColumns *runs, const WfRunQuestion *questions, uint32_t n_questions,
			 WfRunAnswer answer, void *arg)
{
	Sweep		s = {.host = host};
	Asked		asked = {.runs = runs, .questions = questions};
	uint32_t   *order = wf_alloc(host, (size_t) n_questions + 1, sizeof(uint32_t));

	prepare(&s, host, runs);
	for (uint32_t i = 0; i < n_questions; i++)
		order[i] = i;
	sort(host, order, n_questions, asked_before, &asked);
	for (uint32_t i = 0; i < n_questions; i++)
	{
		const WfRunQuestion *question = &questions[order[i]];

		advance(&s, known_by(runs, question));
		answer_one(&s, question);
		answer(arg, question, s.features);
		if (i % CHECK_EVERY == 0)
			host->check(host);
	}
	finish(&s);
	wf_release(host, order);
}

int64_t
wf_run_horizon(uint64_t hash)
{
	static const int hours[4] = {1, 6, 24, 168};

	return hours[wf_mix(hash) >> 62] * HOUR;
}
