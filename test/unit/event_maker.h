/* Event logs for tests: cases drawn from a small process, added in any order. */
#ifndef EVENT_MAKER_H
#define EVENT_MAKER_H

#include "wf_test.h"

#include "core/eventlog.h"
#include "core/rng.h"

typedef struct MadeEvent
{
	uint32_t	case_no;
	uint32_t	event;
	double		time;
} MadeEvent;

typedef struct MadeLog
{
	uint32_t	n;
	MadeEvent  *rows;
} MadeLog;

/*
 * Cases of 1 to longest events out of kinds; the next event depends on the
 * two before it and, at random, on the hour.
 */
static inline MadeLog
made_log(uint32_t n_cases, uint32_t longest, uint32_t kinds, uint64_t seed)
{
	MadeLog		log = {.n = 0,.rows = malloc((size_t) n_cases * longest * sizeof(MadeEvent))};

	for (uint32_t c = 0; c < n_cases; c++)
	{
		uint32_t	length = 1 + wf_rng_below(wf_rng(seed, c), longest);
		double		time = 86400.0 * c + wf_rng_below(wf_rng(seed + 1, c), 86400);
		uint32_t	last = 0;
		uint32_t	before = 0;

		for (uint32_t t = 0; t < length; t++)
		{
			uint64_t	r = wf_rng(wf_rng(seed + 2, c), t);
			uint32_t	event = r % 4 == 0 ? wf_rng_below(wf_mix(r), kinds) : (2 * last + before + 1) % kinds;

			time += 60 + 3600.0 * (event + 1) * wf_rng_unit(wf_mix(r + 1));
			log.rows[log.n++] = (MadeEvent) {c, event, time};
			before = last;
			last = event;
		}
	}
	return log;
}

/* Add the rows in an order: step must have no factor in common with their number. */
static inline WfEventLog *
made_events(WfHost *host, const MadeLog *made, bool timed, uint32_t step)
{
	WfEventLog *log = wf_eventlog_create(host, timed);

	for (uint64_t i = 0; i < made->n; i++)
	{
		const MadeEvent *e = &made->rows[i * step % made->n];
		char		id[32];
		char		text[32];
		int			id_length = snprintf(id, sizeof(id), "case %u", e->case_no);
		int			length = snprintf(text, sizeof(text), "event %u", e->event);

		wf_eventlog_add(log, id, (size_t) id_length, text, (size_t) length, e->time, NULL, 0);
	}
	wf_eventlog_finish(log);
	return log;
}

/* A number near step that shares no factor with n. */
static inline uint32_t
coprime(uint32_t n, uint32_t step)
{
	for (;; step++)
	{
		uint32_t	a = n,
					b = step;

		while (b)
		{
			uint32_t	r = a % b;

			a = b;
			b = r;
		}
		if (a == 1)
			return step;
	}
}

#endif							/* EVENT_MAKER_H */
