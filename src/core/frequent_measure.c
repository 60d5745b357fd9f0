/*-------------------------------------------------------------------------
 * frequent_measure.c
 *	  What is told of the closed sequences: who, when, how long, how unlikely.
 *
 * Each is looked for once more, in the cases of the sequence that it grew
 * from: found sequences come in that order.  Of every part of it (its first j events) the latest place where it may end is
 * remembered, with the latest place where such an occurrence may begin: a
 * later end can be followed by all that an earlier one can, and none begins
 * earlier.  So the first time that the whole is complete gives the occurrence
 * that ends first and of those the one that begins last.
 *-------------------------------------------------------------------------
 */
#include "core/frequent_private.h"

#include <math.h>
#include <string.h>

#include "core/smallsort.h"

#define DAY_MINUTES (24 * 60)
/* Sines are summed as integers, so that the order of the cases does not matter. */
#define SINE_ONE 1073741824.0
/* A mean direction this short, as a share of the longest, is none. */
#define SHORTEST_MEAN 1e-3

/* Which places of the sequence each event may stand for. */
typedef struct Matcher
{
	const WfCases *cases;
	double		max_gap;
	uint32_t	n_events;
	uint32_t   *places;			/* by event: bits */
} Matcher;

static void
matcher_set(Matcher *m, const uint32_t *events, uint32_t n_events)
{
	m->n_events = n_events;
	for (uint32_t i = 0; i < n_events; i++)
		m->places[events[i]] |= UINT32_C(1) << i;
}

static void
matcher_clear(Matcher *m, const uint32_t *events)
{
	for (uint32_t i = 0; i < m->n_events; i++)
		m->places[events[i]] = 0;
}

/* The occurrence described above, [*first, *last]; false: the case does not contain it. */
static bool
match(const Matcher *m, uint32_t c, uint32_t *first, uint32_t *last)
{
	const WfCases *cases = m->cases;
	uint32_t	begin[WF_FREQUENT_MAX_LENGTH];
	uint32_t	end[WF_FREQUENT_MAX_LENGTH];
	uint32_t	have = 0;		/* bit j: the first j + 1 events */

	for (uint32_t q = cases->start[c]; q < cases->start[c + 1]; q++)
	{
		uint32_t	places = m->places[cases->event[q]];

		/* the later ones first: one event is not two of a sequence */
		while (places)
		{
			uint32_t	j = 31 - (uint32_t) __builtin_clz(places);

			places ^= UINT32_C(1) << j;
			if (j > 0 && !(have >> (j - 1) & 1))
				continue;
			if (j > 0 && cases->time && cases->time[q] - cases->time[end[j - 1]] > m->max_gap)
				continue;
			begin[j] = j == 0 ? q : begin[j - 1];
			end[j] = q;
			have |= UINT32_C(1) << j;
			if (j + 1 == m->n_events)
			{
				*first = begin[j];
				*last = q;
				return true;
			}
		}
	}
	return false;
}

/* ---- the cases that have an event ---- */

typedef struct Having
{
	size_t	   *start;			/* n_kinds + 1 */
	uint32_t   *cases;
} Having;

static Having
make_having(WfFrequentData *data)
{
	uint32_t	kinds = data->cases->n_kinds;
	Having		h = {.start = wf_alloc(data->host, (size_t) kinds + 1, sizeof(size_t))};
	uint32_t   *filled = wf_alloc_zero(data->host, kinds, sizeof(uint32_t));
	size_t		n = 0;

	for (uint32_t e = 0; e < kinds; e++)
	{
		h.start[e] = n;
		if (data->n_having[e] >= data->params->min_cases)
			n += data->n_having[e];
	}
	h.start[kinds] = n;
	h.cases = wf_alloc(data->host, n, sizeof(uint32_t));
	for (uint32_t i = 0; i < data->n; i++)
	{
		uint32_t	e = data->event[i];
		uint32_t   *list = h.cases + h.start[e];

		if (filled[e] == 0 || list[filled[e] - 1] != data->case_of[i])
			list[filled[e]++] = data->case_of[i];
		wf_frequent_work(data, 1);
	}
	wf_release(data->host, filled);
	return h;
}

/* ---- sums over a sequence's cases ---- */

typedef struct Sums
{
	uint32_t	n_cases;
	uint32_t	n_users;
	uint32_t	n_weekday;
	int64_t		sine;
	int64_t		cosine;
} Sums;

typedef struct Measure
{
	WfFrequentData *data;
	Matcher		matcher;
	Having		having;
	int64_t    *sine;			/* of each minute of the day */
	int64_t    *cosine;
	uint64_t   *duration;		/* bits of the seconds in each case: not negative, so they sort as numbers */
	uint64_t   *scratch;
	uint32_t   *seen_user;		/* 1 + number of the pattern he was last counted for */
	/* cases of the found sequence that was last seen of each length, while longer ones may follow */
	WfBytes		cases_of[WF_FREQUENT_MAX_LENGTH + 1];	/* uint32_t */
} Measure;

static void
measure_begin(Measure *m, WfFrequentData *data)
{
	const WfCases *cases = data->cases;
	WfHost	   *host = data->host;

	*m = (Measure) {.data = data,.matcher = {.cases = cases,.max_gap = data->params->max_gap}};
	m->matcher.places = wf_alloc_zero(host, cases->n_kinds, sizeof(uint32_t));
	m->having = make_having(data);
	m->sine = wf_alloc(host, DAY_MINUTES, sizeof(int64_t));
	m->cosine = wf_alloc(host, DAY_MINUTES, sizeof(int64_t));
	for (int i = 0; i < DAY_MINUTES; i++)
	{
		double		angle = 2 * 3.14159265358979323846 * i / DAY_MINUTES;

		m->sine[i] = llround(sin(angle) * SINE_ONE);
		m->cosine[i] = llround(cos(angle) * SINE_ONE);
	}
	m->duration = wf_alloc(host, cases->n_cases, sizeof(uint64_t));
	m->scratch = wf_alloc(host, cases->n_cases, sizeof(uint64_t));
	m->seen_user = wf_alloc_zero(host, cases->user ? cases->n_users : 0, sizeof(uint32_t));
	for (int i = 0; i <= WF_FREQUENT_MAX_LENGTH; i++)
		wf_bytes_init(&m->cases_of[i], host);
}

static void
measure_end(Measure *m)
{
	WfHost	   *host = m->data->host;

	wf_release(host, m->matcher.places);
	wf_release(host, m->having.start);
	wf_release(host, m->having.cases);
	wf_release(host, m->sine);
	wf_release(host, m->cosine);
	wf_release(host, m->duration);
	wf_release(host, m->scratch);
	wf_release(host, m->seen_user);
	for (int i = 0; i <= WF_FREQUENT_MAX_LENGTH; i++)
		wf_bytes_free(&m->cases_of[i]);
}

static void
add_case(Measure *m, Sums *sums, uint32_t pattern, uint32_t c, uint32_t first, uint32_t last)
{
	const WfCases *cases = m->data->cases;
	uint32_t	user = cases->user ? cases->user[c] : WF_FREQUENT_NOBODY;

	if (cases->time)
	{
		double		seconds = cases->time[last] - cases->time[first];

		memcpy(&m->duration[sums->n_cases], &seconds, sizeof(seconds));
	}
	sums->n_cases++;
	if (user != WF_FREQUENT_NOBODY && m->seen_user[user] != pattern + 1)
	{
		m->seen_user[user] = pattern + 1;
		sums->n_users++;
	}
	if (cases->minute)
	{
		sums->n_weekday += cases->minute[first] < 5 * DAY_MINUTES;
		sums->sine += m->sine[cases->minute[first] % DAY_MINUTES];
		sums->cosine += m->cosine[cases->minute[first] % DAY_MINUTES];
	}
}

/* The value that has rank others below it, digit by digit; moves the values. */
static uint64_t
select_rank(uint64_t *v, uint32_t n, uint32_t rank)
{
	for (int shift = 56; shift >= 0 && n > 1; shift -= 8)
	{
		uint32_t	count[256] = {0};
		uint32_t	digit = 0;
		uint32_t	kept = 0;

		for (uint32_t i = 0; i < n; i++)
			count[v[i] >> shift & 255]++;
		while (rank >= count[digit])
			rank -= count[digit++];
		for (uint32_t i = 0; i < n; i++)
			if ((v[i] >> shift & 255) == digit)
				v[kept++] = v[i];
		n = kept;
	}
	return v[0];
}

static double
median(Measure *m, uint32_t n)
{
	uint64_t	bits;
	double		low,
				high;

	memcpy(m->scratch, m->duration, n * sizeof(uint64_t));
	bits = select_rank(m->scratch, n, (n - 1) / 2);
	memcpy(&low, &bits, sizeof(low));
	memcpy(m->scratch, m->duration, n * sizeof(uint64_t));
	bits = select_rank(m->scratch, n, n / 2);
	memcpy(&high, &bits, sizeof(high));
	return low + (high - low) / 2;
}

static double
mean_hour(const Sums *sums)
{
	double		hour;

	if (hypot((double) sums->sine, (double) sums->cosine) < SHORTEST_MEAN * SINE_ONE * sums->n_cases)
		return NAN;
	hour = atan2((double) sums->sine, (double) sums->cosine) * (12 / 3.14159265358979323846);
	/* 36 seconds are near enough, and hide how each processor rounds */
	hour = round((hour < 0 ? hour + 24 : hour) * 100) / 100;
	return hour >= 24 ? 0 : hour;
}

/* Where to look for a found sequence: *n cases, all of its own among them. */
static const uint32_t *
candidates(const Measure *m, const uint32_t *events, uint32_t n_events, size_t *n)
{
	uint32_t	rarer = m->data->n_having[events[0]] < m->data->n_having[events[1]] ? events[0] : events[1];

	if (n_events > 2)
	{
		*n = m->cases_of[n_events - 1].length / sizeof(uint32_t);
		return (const uint32_t *) (const void *) m->cases_of[n_events - 1].data;
	}
	*n = m->having.start[rarer + 1] - m->having.start[rarer];
	return m->having.cases + m->having.start[rarer];
}

/* Find the cases of a sequence again: for those that grow from it (keep), for its sums (number, unless none). */
static void
find_cases(Measure *m, const uint32_t *events, uint32_t n_events, bool keep, uint32_t number, Sums *sums)
{
	const WfCases *cases = m->data->cases;
	size_t		n;
	const uint32_t *in = candidates(m, events, n_events, &n);

	m->cases_of[n_events].length = 0;
	matcher_set(&m->matcher, events, n_events);
	for (size_t i = 0; i < n; i++)
	{
		uint32_t	first,
					last;

		wf_frequent_work(m->data, cases->start[in[i] + 1] - cases->start[in[i]]);
		if (!match(&m->matcher, in[i], &first, &last))
			continue;
		if (keep)
			wf_bytes_append(&m->cases_of[n_events], &in[i], sizeof(uint32_t));
		if (sums)
			add_case(m, sums, number, in[i], first, last);
	}
	matcher_clear(&m->matcher, events);
}

static void
describe(Measure *m, WfFrequentPattern *p, uint32_t number, bool keep)
{
	WfFrequentData *data = m->data;
	const WfCases *cases = data->cases;
	uint32_t	having[WF_FREQUENT_MAX_LENGTH];
	Sums		sums = {0};

	for (uint32_t i = 0; i < p->n_events; i++)
		having[i] = data->n_having[p->events[i]];
	/* in an order that makes lifts of the same events equal to the last bit */
	wf_insertion_sort(having, p->n_events);
	p->lift = p->share = (double) p->n_cases / cases->n_cases;
	for (uint32_t i = 0; i < p->n_events; i++)
		p->lift /= (double) having[i] / cases->n_cases;
	find_cases(m, p->events, p->n_events, keep, number, &sums);
	p->n_users = cases->user ? sums.n_users : sums.n_cases;
	p->hour = cases->minute ? mean_hour(&sums) : NAN;
	p->weekday_share = cases->minute ? (double) sums.n_weekday / sums.n_cases : NAN;
	p->duration = cases->time ? median(m, sums.n_cases) : NAN;
}

/* ---- order ---- */

static bool
comes_before(const WfCases *cases, const WfFrequentPattern *a, const WfFrequentPattern *b)
{
	if (a->n_cases != b->n_cases)
		return a->n_cases > b->n_cases;
	if (a->lift != b->lift)
		return a->lift > b->lift;
	for (uint32_t i = 0; i < a->n_events && i < b->n_events; i++)
		if (a->events[i] != b->events[i])
			return cases->rank ? cases->rank[a->events[i]] < cases->rank[b->events[i]] : a->events[i] < b->events[i];
	return a->n_events < b->n_events;
}

/* Heap sort: no two are equal. */
static void
sift_down(WfFrequentData *data, WfFrequentPattern *p, size_t root, size_t n)
{
	WfFrequentPattern v = p[root];
	size_t		child;

	while ((child = 2 * root + 1) < n)
	{
		if (child + 1 < n && comes_before(data->cases, &p[child], &p[child + 1]))
			child++;
		if (!comes_before(data->cases, &v, &p[child]))
			break;
		p[root] = p[child];
		root = child;
	}
	p[root] = v;
	wf_frequent_work(data, 64);
}

static void
sort_patterns(WfFrequentData *data, WfFrequentPattern *p, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift_down(data, p, i, n);
	for (size_t i = n; i-- > 1;)
	{
		WfFrequentPattern top = p[0];

		p[0] = p[i];
		p[i] = top;
		sift_down(data, p, 0, i);
	}
}

void
wf_frequent_measure(WfFrequentData *data, const WfFoundList *list, WfFrequentSet *set)
{
	const WfFound *found = wf_found(list);
	size_t		n_events = 0;
	Measure		m;

	for (uint32_t i = 0; i < list->n; i++)
		if (!found[i].open)
		{
			set->n++;
			n_events += found[i].length;
		}
	set->pattern = wf_alloc(data->host, set->n, sizeof(WfFrequentPattern));
	set->events = wf_alloc(data->host, n_events, sizeof(uint32_t));
	measure_begin(&m, data);
	n_events = 0;
	for (uint32_t i = 0, k = 0; i < list->n; i++)
	{
		WfFrequentPattern *p = &set->pattern[k];
		bool		grows = i + 1 < list->n && found[i + 1].length > found[i].length;

		if (found[i].open)
		{
			if (grows)
				find_cases(&m, wf_found_events(list, &found[i]), found[i].length, true, 0, NULL);
			continue;
		}
		*p = (WfFrequentPattern) {
			.events = set->events + n_events,
			.n_events = found[i].length,
			.n_cases = found[i].n_cases,
			.gain = found[i].gain,
		};
		memcpy(set->events + n_events, wf_found_events(list, &found[i]), found[i].length * sizeof(uint32_t));
		n_events += found[i].length;
		describe(&m, p, k++, grows);
	}
	measure_end(&m);
	sort_patterns(data, set->pattern, set->n);
}

/* ---- by user ---- */

void
wf_frequent_by_user(WfHost *host, const WfCases *cases, const uint32_t *events, uint32_t n_events,
					double max_gap, uint32_t *out)
{
	Matcher		m = {.cases = cases,.max_gap = max_gap};
	uint32_t	first,
				last;

	m.places = wf_alloc_zero(host, cases->n_kinds, sizeof(uint32_t));
	memset(out, 0, cases->n_users * sizeof(uint32_t));
	matcher_set(&m, events, n_events);
	for (uint32_t c = 0; c < cases->n_cases; c++)
	{
		uint32_t	user = cases->user ? cases->user[c] : c;

		if (user != WF_FREQUENT_NOBODY)
			out[user] += match(&m, c, &first, &last);
		if (c % 1024 == 0)
			host->check(host);
	}
	wf_release(host, m.places);
}
