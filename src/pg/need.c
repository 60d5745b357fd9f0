/*-------------------------------------------------------------------------
 * need.c
 *	  refresh_needs() and find_needs(): what users do again and again.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "pg/access.h"
#include "pg/arguments.h"
#include "pg/input.h"
#include "pg/need.h"
#include "pg/pghost.h"
#include "pg/settings.h"
#include "pg/training.h"

#define MIN_SUPPORT 0.01
#define MIN_SESSIONS 5
#define MAX_LENGTH 8
/* A sequence that is in more than that many times the sessions of one that contains it is more than its part. */
#define MUCH_MORE 2
/*
 * Below that some event of a sequence is there by chance.  At 1 it may be one
 * that every session has: then the sequence without it is in the same sessions
 * and not closed, so the whole has to stand for it.  Less than rounding is nothing.
 */
#define LEAST_GAIN (1 - 1e-9)
#define FIND_COLUMNS (WFML_PATTERN_COLUMNS + 3)

/* ---- reading ---- */

int64
wfml_need_user_hash(const char *user_id, size_t length)
{
	return (int64) wf_hash_bytes(user_id, length, 1);
}

typedef struct Reader
{
	WfEventLog *log;
	MemoryContext scratch;
} Reader;

static bool
read_event(void *arg, HeapTuple tuple, TupleDesc desc)
{
	Reader	   *reader = arg;
	MemoryContext old = MemoryContextSwitchTo(reader->scratch);
	Datum		values[3];
	bool		nulls[3];

	heap_deform_tuple(tuple, desc, values, nulls);
	if (!nulls[0] && !nulls[1] && !nulls[2] && !TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(values[2])))
	{
		text	   *user = DatumGetTextPP(values[0]);
		text	   *event = DatumGetTextPP(values[1]);

		wf_eventlog_add(reader->log, VARDATA_ANY(user), VARSIZE_ANY_EXHDR(user),
						VARDATA_ANY(event), (size_t) wfml_clip_text(VARDATA_ANY(event), VARSIZE_ANY_EXHDR(event)),
						(double) DatumGetTimestampTz(values[2]) / USECS_PER_SEC, NULL, 0);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(reader->scratch);
	return true;
}

/* The events of the binding as sessions; false: there are none. */
static bool
read_sessions(WfHost *host, const WfmlBinding *binding, WfEventLog **log, WfCases *cases)
{
	Reader		reader = {.log = wf_eventlog_create(host, true)};
	double		gap = wfml_interval_seconds(DatumGetIntervalP(binding->session_gap));
	pg_tz	   *zone = pg_tzset(binding->timezone);

	reader.scratch = AllocSetContextCreate(CurrentMemoryContext, "wfml event", ALLOCSET_SMALL_SIZES);
	wfml_binding_read(binding, "SELECT q.user_id::pg_catalog.text, q.event::pg_catalog.text, q.at::pg_catalog.timestamptz FROM (%s) q",
					  0, NULL, NULL, NULL, read_event, &reader);
	*log = reader.log;
	if (wf_eventlog_n_rows(reader.log) == 0)
		return false;
	wfml_training_check_memory(wf_eventlog_estimate(wf_eventlog_n_rows(reader.log), 1, false),
							   psprintf("There are " UINT64_FORMAT " bound events.", wf_eventlog_n_rows(reader.log)));
	wf_eventlog_finish(reader.log);
	wf_frequent_cut(host, reader.log, gap, cases);
	cases->rank = wfml_frequent_rank(host, reader.log);
	cases->minute = wfml_frequent_minutes(host, reader.log, zone ? zone : session_timezone);
	return true;
}

/* ---- searching ---- */

static double
saving_of(const WfFrequentPattern *p)
{
	return p->share * (p->n_events - 1);
}

static int
compare_savings(const void *a, const void *b)
{
	const WfFrequentPattern *x = *(WfFrequentPattern *const *) a;
	const WfFrequentPattern *y = *(WfFrequentPattern *const *) b;
	double		sx = saving_of(x),
				sy = saving_of(y);

	if (sx != sy)
		return sx > sy ? -1 : 1;
	/* their places in the set, which has an order of its own */
	return x < y ? -1 : x > y;
}

/* Is it told by one that saves more? */
static bool
is_told(WfFrequentPattern *const *chosen, int n, const WfFrequentPattern *p)
{
	for (int i = 0; i < n; i++)
	{
		const WfFrequentPattern *c = chosen[i];

		if (c->n_events < p->n_events && wf_is_subsequence(c->events, c->n_events, p->events, p->n_events))
			return true;
		if (c->n_events > p->n_events && p->n_cases <= (uint64) MUCH_MORE * c->n_cases &&
			wf_is_subsequence(p->events, p->n_events, c->events, c->n_events))
			return true;
	}
	return false;
}

/* Those that are needs, by falling saving; how many. */
static int
choose(const WfFrequentSet *set, WfFrequentPattern **chosen)
{
	WfFrequentPattern **all = palloc_extended(sizeof(*all) * (set->n + 1), MCXT_ALLOC_HUGE);
	int			n = 0;
	uint32		m = 0;

	for (uint32 i = 0; i < set->n; i++)
		if (set->pattern[i].gain >= LEAST_GAIN)
			all[m++] = &set->pattern[i];
	qsort(all, m, sizeof(*all), compare_savings);
	for (uint32 i = 0; i < m && n < WFML_NEEDS_KEPT; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!is_told(chosen, n, all[i]))
			chosen[n++] = all[i];
	}
	pfree(all);
	return n;
}

/*
 * Ask for less when there is too much: sessions may be long and alike.  False
 * when there is nothing less to ask for.
 */
static bool
ask_less(WfFrequentParams *params, double *support)
{
	if (*support < 0.1 || (params->max_length <= 4 && *support < 1))
		*support = Min(*support * 2, 1);
	else if (params->max_length > 2)
		params->max_length--;
	else
		return false;
	return true;
}

static void
mine(WfHost *host, const WfCases *cases, WfFrequentSet *set, double *support)
{
	WfFrequentParams params = {.max_length = MAX_LENGTH,.max_gap = INFINITY,.max_found = WFML_FREQUENT_FOUND};

	do
	{
		params.min_cases = Max(wf_frequent_min_cases(cases->n_cases, *support), MIN_SESSIONS);
		wf_frequent_mine(host, cases, &params, set);
	} while (set->too_many && ask_less(&params, support));
}

/* Users of a need who do it themselves. */
static void
count_by_user(WfHost *host, const WfEventLog *log, const WfCases *cases, const WfFrequentPattern *p,
			  const uint32_t *sessions_of, uint32_t *counts, WfmlNeedUser **out, int *n)
{
	wf_frequent_by_user(host, cases, p->events, p->n_events, INFINITY, counts);
	*n = 0;
	*out = palloc_extended(sizeof(WfmlNeedUser) * ((Size) p->n_users + 1), MCXT_ALLOC_HUGE);
	for (uint32 u = 0; u < cases->n_users; u++)
		if (counts[u] >= WFML_NEEDS_OWN_SESSIONS)
			(*out)[(*n)++] = (WfmlNeedUser) {
			.user_hash = (int64) log->case_hash[u],
			.sessions = counts[u],
			.saving = (double) counts[u] / sessions_of[u] * (p->n_events - 1),
		};
}

static void
tell(WfHost *host, const WfEventLog *log, const WfCases *cases, WfFrequentPattern **chosen, WfmlNeeds *needs)
{
	uint32_t   *sessions_of = wf_alloc_zero(host, cases->n_users, sizeof(uint32_t));
	uint32_t   *counts = wf_alloc(host, cases->n_users, sizeof(uint32_t));

	for (uint32 c = 0; c < cases->n_cases; c++)
		sessions_of[cases->user[c]]++;
	needs->need = palloc0(sizeof(WfmlNeed) * (needs->n + 1));
	needs->by_user = palloc0(sizeof(WfmlNeedUser *) * (needs->n + 1));
	needs->n_by_user = palloc0(sizeof(int) * (needs->n + 1));
	for (int i = 0; i < needs->n; i++)
	{
		WfmlNeed   *need = &needs->need[i];

		wfml_frequent_values(log, chosen[i], need->values, need->nulls);
		need->place = i + 1;
		need->sessions = chosen[i]->n_cases;
		need->saving = saving_of(chosen[i]);
		count_by_user(host, log, cases, chosen[i], sessions_of, counts, &needs->by_user[i], &needs->n_by_user[i]);
	}
}

void
wfml_needs_search(const WfmlBinding *binding, WfmlNeeds *needs)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "wfml needs", ALLOCSET_DEFAULT_SIZES);
	WfHost	   *host = wfml_host_create(context);
	WfFrequentPattern *chosen[WFML_NEEDS_KEPT];
	WfEventLog *log;
	WfCases		cases;
	WfFrequentSet set;

	memset(needs, 0, sizeof(*needs));
	needs->made_at = GetCurrentTransactionStartTimestamp();
	needs->min_support = MIN_SUPPORT;
	wfml_host_limit(host, (size_t) wfml_max_training_memory * 1024, "wfml.max_training_memory");
	if (read_sessions(host, binding, &log, &cases))
	{
		mine(host, &cases, &set, &needs->min_support);
		needs->sessions = cases.n_cases;
		needs->users = cases.n_users;
		needs->n = choose(&set, chosen);
		tell(host, log, &cases, chosen, needs);
	}
	MemoryContextDelete(context);
}

/* ---- what a workflow does already ---- */

/* Events as hashes, which compare faster than texts. */
typedef struct Steps
{
	int			n;
	uint64	   *hash;
} Steps;

typedef struct Filter
{
	const WfmlNeeds *needs;
	Steps	   *steps;			/* of each need */
	bool	   *done;			/* a workflow does it */
	MemoryContext scratch;
} Filter;

static Steps
steps_of(Datum array)
{
	Steps		steps;
	Datum	   *elements;
	bool	   *nulls;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &steps.n);
	steps.hash = palloc(sizeof(uint64) * (steps.n + 1));
	for (int i = 0; i < steps.n; i++)
	{
		const char *text = VARDATA_ANY(DatumGetPointer(elements[i]));

		/* long events are clipped where they are read */
		steps.hash[i] = nulls[i] ? 0
			: wf_hash_bytes(text, wfml_clip_text(text, VARSIZE_ANY_EXHDR(DatumGetPointer(elements[i]))), 1);
	}
	return steps;
}

static bool
read_workflow(void *arg, HeapTuple tuple, TupleDesc desc)
{
	Filter	   *filter = arg;
	MemoryContext old = MemoryContextSwitchTo(filter->scratch);
	bool		isnull;
	Datum		events = heap_getattr(tuple, 1, desc, &isnull);
	Steps		has = {0};

	if (!isnull)
		has = steps_of(events);
	for (int i = 0; i < filter->needs->n; i++)
	{
		const Steps *need = &filter->steps[i];
		int			k = 0;

		if (filter->done[i] || need->n > has.n)
			continue;
		for (int j = 0; j < has.n && k < need->n; j++)
			k += has.hash[j] == need->hash[k];
		filter->done[i] = k == need->n;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(filter->scratch);
	return true;
}

/* Leave out what the workflows that the caller has bound do. */
static void
leave_out_done(WfmlNeeds *needs)
{
	WfmlBinding *workflows = needs->n > 0 ? wfml_binding_find("workflows", true) : NULL;
	Filter		filter = {.needs = needs};
	int			n = 0;

	if (workflows == NULL || !wfml_binding_has(workflows, "events"))
		return;
	filter.steps = palloc(sizeof(Steps) * needs->n);
	filter.done = palloc0(sizeof(bool) * needs->n);
	filter.scratch = AllocSetContextCreate(CurrentMemoryContext, "wfml workflow", ALLOCSET_SMALL_SIZES);
	for (int i = 0; i < needs->n; i++)
		filter.steps[i] = steps_of(needs->need[i].values[0]);
	wfml_binding_read(workflows, "SELECT q.events::pg_catalog.text[] FROM (%s) q WHERE q.events IS NOT NULL",
					  0, NULL, NULL, NULL, read_workflow, &filter);
	for (int i = 0; i < needs->n; i++)
		if (!filter.done[i])
			needs->need[n++] = needs->need[i];
	needs->n = n;
	MemoryContextDelete(filter.scratch);
}

/* ---- the functions ---- */

PG_FUNCTION_INFO_V1(wfml_refresh_needs);

/* refresh_needs() → sequences kept */
Datum
wfml_refresh_needs(PG_FUNCTION_ARGS)
{
	WfmlBinding *binding = wfml_binding_find("events", false);
	WfmlNeeds	needs;

	PreventCommandIfReadOnly("wfml.refresh_needs()");
	if (!wfml_is_owner(binding->owner, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of the binding of events"),
				 errhint("What is kept serves everybody whom that binding was granted to, so its owner calls this.")));
	wfml_needs_search(binding, &needs);
	wfml_needs_keep(binding, &needs);
	PG_RETURN_INT64(needs.n);
}

static int
compare_needs(const void *a, const void *b)
{
	const WfmlNeed *x = a;
	const WfmlNeed *y = b;

	if (x->saving != y->saving)
		return x->saving > y->saving ? -1 : 1;
	return x->place - y->place;
}

/* Of what a search found, what one user does. */
static void
keep_own(WfmlNeeds *needs, int64 user_hash)
{
	int			n = 0;

	for (int i = 0; i < needs->n; i++)
		for (int u = 0; u < needs->n_by_user[i]; u++)
			if (needs->by_user[i][u].user_hash == user_hash)
			{
				needs->need[n] = needs->need[i];
				needs->need[n].sessions = needs->by_user[i][u].sessions;
				needs->need[n++].saving = needs->by_user[i][u].saving;
			}
	needs->n = n;
	qsort(needs->need, n, sizeof(WfmlNeed), compare_needs);
}

PG_FUNCTION_INFO_V1(wfml_find_needs);

/* find_needs(n, user_id) */
Datum
wfml_find_needs(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *user_id = wfml_argument_text_or_null(fcinfo, 1);
	int64		user_hash = user_id ? wfml_need_user_hash(user_id, strlen(user_id)) : 0;
	WfmlBinding *binding;
	WfmlNeeds	needs;

	if (PG_ARGISNULL(0) || PG_GETARG_INT32(0) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("n must be 1 or more")));
	InitMaterializedSRF(fcinfo, 0);
	binding = wfml_binding_find("events", false);
	if (!wfml_needs_kept(binding, user_id ? &user_hash : NULL, &needs))
	{
		wfml_needs_search(binding, &needs);
		if (user_id)
			keep_own(&needs, user_hash);
	}
	leave_out_done(&needs);
	for (int i = 0; i < needs.n && i < PG_GETARG_INT32(0); i++)
	{
		Datum		values[FIND_COLUMNS];
		bool		nulls[FIND_COLUMNS] = {false};

		memcpy(values, needs.need[i].values, sizeof(needs.need[i].values));
		memcpy(nulls, needs.need[i].nulls, sizeof(needs.need[i].nulls));
		values[WFML_PATTERN_COLUMNS] = Int64GetDatum(needs.need[i].sessions);
		values[WFML_PATTERN_COLUMNS + 1] = Float8GetDatum(needs.need[i].saving);
		values[WFML_PATTERN_COLUMNS + 2] = TimestampTzGetDatum(needs.made_at);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
