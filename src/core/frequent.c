/*-------------------------------------------------------------------------
 * frequent.c
 *	  Finding frequent sequences: growing them by one event, depth first.
 *
 * A sequence is known by its ENDS: the places where an occurrence of it may
 * end, by rising place.  Without a gap the first end of a case can be
 * followed by whatever any other can, so only that is kept.  An end at p
 * lets the sequence grow by every event after p (up to max_gap from it) as
 * far as the next end, from which on the next end's reach goes further; so
 * each place is looked at once.
 *-------------------------------------------------------------------------
 */
#include "core/frequent_private.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"

/* A sequence grown by one event. */
typedef struct Extension
{
	uint32_t	event;
	uint32_t	n_cases;
	uint32_t	n_ends;
	uint32_t	first;			/* of its ends in the level's */
	uint64_t	cases_hash;
} Extension;

/* All that the sequence of the level above grows to. */
typedef struct Level
{
	uint32_t	n;
	uint32_t	next;			/* the one to be grown next */
	WfBytes		extensions;		/* Extension[n] */
	WfBytes		ends;			/* uint32_t */
} Level;

/* What is counted of each event while one sequence grows; all zero in between. */
typedef struct Tally
{
	uint32_t	last_case;		/* 1 + the case it was last seen in */
	uint32_t	n_cases;
	uint32_t	n_ends;
	uint32_t	slot;			/* 1 + its number among the level's extensions */
	uint64_t	cases_hash;
} Tally;

typedef struct Miner
{
	WfFrequentData *data;
	Tally	   *tally;			/* by event */
	uint32_t   *touched;		/* events whose tally is not zero */
	uint32_t	n_touched;
	bool		gapped;
	Level		level[WF_FREQUENT_MAX_LENGTH];
	uint32_t	prefix[WF_FREQUENT_MAX_LENGTH];
	WfFoundList found;
} Miner;

/* ---- the data ---- */

/* Cases that have each event; then only events that enough cases have. */
static void
prepare(WfFrequentData *data)
{
	const WfCases *cases = data->cases;
	WfHost	   *host = data->host;
	uint32_t   *last = wf_alloc_zero(host, cases->n_kinds, sizeof(uint32_t));
	uint32_t	total = cases->start[cases->n_cases];
	uint32_t	n = 0;

	data->n_having = wf_alloc_zero(host, cases->n_kinds, sizeof(uint32_t));
	for (uint32_t c = 0; c < cases->n_cases; c++)
	{
		for (uint32_t i = cases->start[c]; i < cases->start[c + 1]; i++)
			if (last[cases->event[i]] != c + 1)
			{
				last[cases->event[i]] = c + 1;
				data->n_having[cases->event[i]]++;
			}
		wf_frequent_work(data, cases->start[c + 1] - cases->start[c] + 1);
	}
	wf_release(host, last);
	for (uint32_t i = 0; i < total; i++)
	{
		n += data->n_having[cases->event[i]] >= data->params->min_cases;
		wf_frequent_work(data, 1);
	}
	data->start = wf_alloc(host, (size_t) cases->n_cases + 1, sizeof(uint32_t));
	data->event = wf_alloc(host, n, sizeof(uint32_t));
	data->origin = wf_alloc(host, n, sizeof(uint32_t));
	data->case_of = wf_alloc(host, n, sizeof(uint32_t));
	for (uint32_t c = 0; c < cases->n_cases; c++)
	{
		data->start[c] = data->n;
		for (uint32_t i = cases->start[c]; i < cases->start[c + 1]; i++)
			if (data->n_having[cases->event[i]] >= data->params->min_cases)
			{
				data->event[data->n] = cases->event[i];
				data->origin[data->n] = i;
				data->case_of[data->n++] = c;
			}
		wf_frequent_work(data, cases->start[c + 1] - cases->start[c] + 1);
	}
	data->start[cases->n_cases] = data->n;
}

static void
release_data(WfFrequentData *data)
{
	wf_release(data->host, data->n_having);
	wf_release(data->host, data->start);
	wf_release(data->host, data->event);
	wf_release(data->host, data->origin);
	wf_release(data->host, data->case_of);
}

/* ---- growing ---- */

/*
 * Where the next event may be after end i of n: [*from, *to), all in one case.
 * The ranges of one sequence's ends do not overlap.
 */
static void
reach(const WfFrequentData *data, bool gapped, const uint32_t *ends, uint32_t n, uint32_t i,
	  uint32_t *from, uint32_t *to)
{
	uint32_t	p = ends[i];
	uint32_t	stop = data->start[data->case_of[p] + 1];

	*from = p + 1;
	if (!gapped)
	{
		*to = stop;
		return;
	}
	if (i + 1 < n && ends[i + 1] < stop)
		stop = ends[i + 1] + 1;
	*to = *from;
	while (*to < stop && wf_frequent_gap(data, p, *to) <= data->params->max_gap)
		(*to)++;
}

/* Is place q an end of the sequence grown by its event?  The first in its case? */
static inline bool
count_place(Miner *m, uint32_t q, uint32_t c, uint64_t case_hash)
{
	Tally	   *t = &m->tally[m->data->event[q]];

	if (t->last_case != c + 1)
	{
		t->last_case = c + 1;
		if (t->n_cases++ == 0)
			m->touched[m->n_touched++] = m->data->event[q];
		t->cases_hash += case_hash;
		t->n_ends++;
		return true;
	}
	t->n_ends += m->gapped;
	return m->gapped;
}

/* The touched events that enough cases have become the level's extensions. */
static void
keep_frequent(Miner *m, Level *level)
{
	uint32_t	first = 0;

	level->n = level->next = 0;
	level->extensions.length = 0;
	for (uint32_t i = 0; i < m->n_touched; i++)
	{
		Tally	   *t = &m->tally[m->touched[i]];
		Extension  *x;

		t->last_case = 0;
		if (t->n_cases < m->data->params->min_cases)
			continue;
		x = wf_bytes_extend(&level->extensions, sizeof(Extension));
		*x = (Extension) {m->touched[i], t->n_cases, t->n_ends, first, t->cases_hash};
		first += t->n_ends;
		t->slot = ++level->n;
	}
	level->ends.length = 0;
}

static void
clear_tally(Miner *m)
{
	for (uint32_t i = 0; i < m->n_touched; i++)
		m->tally[m->touched[i]] = (Tally) {0};
	m->n_touched = 0;
}

/* Put the ends of the level's extensions, counted before, into its lists. */
static inline void
place(Miner *m, const Extension *x, uint32_t *filled, uint32_t *ends, uint32_t q, uint32_t c)
{
	Tally	   *t = &m->tally[m->data->event[q]];

	if (t->slot == 0 || (!m->gapped && t->last_case == c + 1))
		return;
	t->last_case = c + 1;
	ends[x[t->slot - 1].first + filled[t->slot - 1]++] = q;
}

/* Room for the level's ends; *filled counts those of each extension. */
static uint32_t *
make_room(Miner *m, Level *level, uint32_t **filled)
{
	const Extension *x = (const Extension *) (void *) level->extensions.data;
	size_t		n = level->n ? (size_t) x[level->n - 1].first + x[level->n - 1].n_ends : 0;

	wf_bytes_extend(&level->ends, n * sizeof(uint32_t));
	*filled = wf_alloc_zero(m->data->host, level->n, sizeof(uint32_t));
	return (uint32_t *) (void *) level->ends.data;
}

/* What a sequence with those ends grows to; without further ends when it cannot grow again. */
static void
grow(Miner *m, Level *level, const uint32_t *ends, uint32_t n, bool last)
{
	WfFrequentData *data = m->data;
	const Extension *x;
	uint32_t   *filled;
	uint32_t   *out;
	uint32_t	from,
				to;

	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	c = data->case_of[ends[i]];
		uint64_t	case_hash = wf_mix(c);

		reach(data, m->gapped, ends, n, i, &from, &to);
		for (uint32_t q = from; q < to; q++)
			count_place(m, q, c, case_hash);
		wf_frequent_work(data, to - from + 1);
	}
	keep_frequent(m, level);
	if (!last && level->n > 0)
	{
		out = make_room(m, level, &filled);
		x = (const Extension *) (void *) level->extensions.data;
		for (uint32_t i = 0; i < n; i++)
		{
			reach(data, m->gapped, ends, n, i, &from, &to);
			for (uint32_t q = from; q < to; q++)
				place(m, x, filled, out, q, data->case_of[ends[i]]);
			wf_frequent_work(data, to - from + 1);
		}
		wf_release(data->host, filled);
	}
	clear_tally(m);
}

/* The sequences of one event. */
static void
grow_first(Miner *m, Level *level)
{
	WfFrequentData *data = m->data;
	uint32_t   *filled;
	uint32_t   *out;

	for (uint32_t q = 0; q < data->n; q++)
	{
		count_place(m, q, data->case_of[q], 0);
		wf_frequent_work(data, 1);
	}
	keep_frequent(m, level);
	out = make_room(m, level, &filled);
	for (uint32_t q = 0; q < data->n; q++)
	{
		place(m, (const Extension *) (void *) level->extensions.data, filled, out, q, data->case_of[q]);
		wf_frequent_work(data, 1);
	}
	wf_release(data->host, filled);
	clear_tally(m);
}

static void
record(Miner *m, const Extension *x, uint32_t length)
{
	WfFound    *f = wf_bytes_extend(&m->found.found, sizeof(WfFound));

	*f = (WfFound) {
		.first = (uint32_t) (m->found.events.length / sizeof(uint32_t)),
		.n_cases = x->n_cases,
		.cases_hash = x->cases_hash,
		.hash = wf_frequent_hash(m->prefix, length, UINT32_MAX),
		.length = (uint8_t) length,
	};
	wf_bytes_append(&m->found.events, m->prefix, length * sizeof(uint32_t));
	m->found.n++;
}

/* False: there are too many. */
static bool
find_all(Miner *m)
{
	const WfFrequentParams *params = m->data->params;
	uint32_t	depth = 0;

	grow_first(m, &m->level[0]);
	for (;;)
	{
		Level	   *level = &m->level[depth];
		const Extension *x = (const Extension *) (void *) level->extensions.data + level->next;

		if (level->next == level->n)
		{
			if (depth-- == 0)
				return true;
			continue;
		}
		level->next++;
		m->prefix[depth] = x->event;
		if (depth > 0)
		{
			if (m->found.n == params->max_found)
				return false;
			record(m, x, depth + 1);
		}
		if (depth + 1 < params->max_length)
		{
			const uint32_t *ends = (const uint32_t *) (void *) level->ends.data + x->first;

			depth++;
			grow(m, &m->level[depth], ends, x->n_ends, depth + 1 == params->max_length);
		}
	}
}

/* ---- the whole ---- */

static void
check_params(WfHost *host, const WfCases *cases, const WfFrequentParams *params)
{
	if (params->max_length < 2 || params->max_length > WF_FREQUENT_MAX_LENGTH)
		host->fail(host, WF_E_PARAM, WF_HINT_NONE, "max_length must be between 2 and %d", WF_FREQUENT_MAX_LENGTH);
	if (params->min_cases < 1 || params->max_found > UINT32_C(1) << 26)
		host->fail(host, WF_E_PARAM, WF_HINT_NONE, "limits of a search for frequent sequences are out of range");
	if (!(params->max_gap >= 0))
		host->fail(host, WF_E_PARAM, WF_HINT_NONE, "max_gap must be 0 or more");
	if (isfinite(params->max_gap) && cases->time == NULL)
		host->fail(host, WF_E_PARAM, "Leave max_gap out, or use a column of timestamps.",
				   "max_gap needs times, but these events are only in order");
}

static void
miner_begin(Miner *m, WfFrequentData *data)
{
	WfHost	   *host = data->host;

	*m = (Miner) {.data = data,.gapped = isfinite(data->params->max_gap)};
	m->tally = wf_alloc_zero(host, data->cases->n_kinds, sizeof(Tally));
	m->touched = wf_alloc(host, data->cases->n_kinds, sizeof(uint32_t));
	for (int i = 0; i < WF_FREQUENT_MAX_LENGTH; i++)
	{
		wf_bytes_init(&m->level[i].extensions, host);
		wf_bytes_init(&m->level[i].ends, host);
	}
	wf_bytes_init(&m->found.found, host);
	wf_bytes_init(&m->found.events, host);
}

static void
release_search(Miner *m)
{
	WfHost	   *host = m->data->host;

	wf_release(host, m->tally);
	wf_release(host, m->touched);
	for (int i = 0; i < WF_FREQUENT_MAX_LENGTH; i++)
	{
		wf_bytes_free(&m->level[i].extensions);
		wf_bytes_free(&m->level[i].ends);
	}
}

void
wf_frequent_mine(WfHost *host, const WfCases *cases, const WfFrequentParams *params, WfFrequentSet *set)
{
	WfFrequentData data = {.host = host,.cases = cases,.params = params};
	Miner	   *m = wf_alloc(host, 1, sizeof(Miner));

	memset(set, 0, sizeof(*set));
	check_params(host, cases, params);
	prepare(&data);
	miner_begin(m, &data);
	set->too_many = !find_all(m);
	release_search(m);
	set->n_found = m->found.n;
	if (!set->too_many)
	{
		wf_frequent_close(&data, &m->found);
		wf_frequent_measure(&data, &m->found, set);
	}
	wf_bytes_free(&m->found.found);
	wf_bytes_free(&m->found.events);
	wf_release(host, m);
	release_data(&data);
}

void
wf_frequent_free(WfHost *host, WfFrequentSet *set)
{
	wf_release(host, set->pattern);
	wf_release(host, set->events);
	memset(set, 0, sizeof(*set));
}

uint32_t
wf_frequent_min_cases(uint32_t n_cases, double share)
{
	/* 0.07 * 100 is a little more than 7 */
	double		n = ceil(share * n_cases * (1 - 1e-12));

	return n < 2 ? 2 : n > UINT32_MAX ? UINT32_MAX : (uint32_t) n;
}

/* ---- cases of a log ---- */

void
wf_frequent_cases(const WfEventLog *log, WfCases *cases)
{
	*cases = (WfCases) {
		.n_cases = log->n_cases,
		.n_kinds = log->n_kinds,
		.n_users = log->n_cases,
		.start = log->start,
		.event = log->event,
		.time = log->time,
	};
}

void
wf_frequent_cut(WfHost *host, const WfEventLog *log, double gap, WfCases *cases)
{
	uint32_t	n = 0;
	uint32_t   *start;
	uint32_t   *user;

	wf_frequent_cases(log, cases);
	for (int pass = 0; pass < 2; pass++)
	{
		if (pass == 1)
		{
			cases->start = start = wf_alloc(host, (size_t) n + 1, sizeof(uint32_t));
			cases->user = user = wf_alloc(host, n, sizeof(uint32_t));
			cases->n_cases = n;
			start[n] = log->n_events;
			n = 0;
		}
		for (uint32_t c = 0; c < log->n_cases; c++)
		{
			for (uint32_t i = log->start[c]; i < log->start[c + 1]; i++)
				if (i == log->start[c] || log->time[i] - log->time[i - 1] > gap)
				{
					if (pass == 1)
					{
						start[n] = i;
						user[n] = c;
					}
					n++;
				}
			if (c % 1024 == 0)
				host->check(host);
		}
	}
}
