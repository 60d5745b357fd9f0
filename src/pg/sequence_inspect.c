/*-------------------------------------------------------------------------
 * sequence_inspect.c
 *	  wfml.inspect_sequence(): the dry run of a training on an event log.
 *
 * Seconds are measured: the training is tried on two samples of the cases
 * and goes on in a straight line from there.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/sequence.h"
#include "pg/arguments.h"
#include "pg/eventsource.h"
#include "pg/inspect_lines.h"
#include "pg/pghost.h"
#include "pg/settings.h"
#include "pg/trainspec.h"

/* Events of the pilots. */
#define SMALL_EVENTS 2000
#define LARGE_EVENTS 8000
/* A pilot stops after about that many seconds. */
#define PILOT_SECONDS 5

typedef struct Inspection
{
	ReturnSetInfo *result;
	WfHost	   *host;
	WfSpec		spec;
	const WfmlEventSource *source;
	double		read_seconds;
} Inspection;

/* ---- what was read ---- */

/* "median 3 events, shortest 1, longest 15" */
static char *
lengths_text(const WfEventLog *log)
{
	uint32_t   *n_of = wf_alloc_zero(log->host, (size_t) log->longest + 1, sizeof(uint32_t));
	uint64		shortest;
	uint64		median;

	for (uint32_t c = 0; c < log->n_cases; c++)
	{
		n_of[log->start[c + 1] - log->start[c]]++;
		if (c % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
	}
	wfml_inspect_lengths(n_of, log->longest, log->n_cases, &shortest, &median);
	wf_release(log->host, n_of);
	return psprintf("median " UINT64_FORMAT " event%s, shortest " UINT64_FORMAT ", longest %u",
					median, median == 1 ? "" : "s", shortest, log->longest);
}

static char *
kinds_text(const WfEventLog *log)
{
	uint32_t	once = 0;
	size_t		length;
	const char *text = wf_eventlog_text(log, 0, &length);

	for (uint32_t k = 0; k < log->n_kinds; k++)
		once += log->count[k] == 1;
	return psprintf("most frequent \"%.*s\" (%.1f %%)%s", pg_mbcliplen(text, (int) length, 40), text,
					100.0 * log->count[0] / log->n_events,
					once > 0 ? psprintf(", %u occur once", once) : "");
}

static char *
times_text(const WfEventLog *log)
{
	const char *ties = wfml_inspect_share(log->n_ties, log->n_events);

	return psprintf("%s%s%s", log->timed ? "" : "orders the events only",
					!log->timed && *ties ? ", " : "",
					*ties ? psprintf("%s at the time of the event before", ties) : "");
}

static void
put_columns(const Inspection *in)
{
	const WfEventLog *log = in->source->log;
	const char *distinct[WFML_EVENT_COLUMNS] = {psprintf("%u", log->n_cases), psprintf("%u", log->n_kinds)};
	const char *note[WFML_EVENT_COLUMNS] = {lengths_text(log), kinds_text(log), times_text(log), "orders events of one time"};

	for (int i = 0; i < WFML_EVENT_COLUMNS; i++)
	{
		const WfmlEventColumn *column = &in->source->columns[i];

		if (column->name)
			wfml_inspect_put(in->result, column->name, wfml_inspect_type(column->type), column->role, distinct[i],
							 wfml_inspect_share(column->nulls, in->source->rows_read), note[i]);
	}
}

static void
put_rows(const Inspection *in)
{
	const WfmlEventSource *s = in->source;
	StringInfoData note;

	initStringInfo(&note);
	appendStringInfo(&note, UINT64_FORMAT " used", s->rows_read - s->without - s->timeless);
	if (s->without > 0)
		appendStringInfo(&note, ", " UINT64_FORMAT " without case, event or time", s->without);
	if (s->timeless > 0)
		appendStringInfo(&note, ", " UINT64_FORMAT " with an infinite time or NaN", s->timeless);
	wfml_inspect_note(in->result, "(rows)", note.data);
}

/* ---- what training would take ---- */

typedef struct Pilot
{
	double		events;
	double		seconds;
	double		artifact;
} Pilot;

static void pilot_notice(WfHost *host, const char *format,...) pg_attribute_printf(2, 3);

/* Remarks are for the real training. */
static void
pilot_notice(WfHost *host, const char *format,...)
{
}

/*
 * About that many events: whole cases drawn by the hash of their ids, the last
 * one cut.
 */
static WfEventLog *
sample_log(WfHost *host, const WfEventLog *log, uint32_t events)
{
	WfEventLog *sample = wf_eventlog_create(host, log->timed);
	double		share = (double) events / log->n_events;
	uint64_t	left = events;

	for (int all = 0; all < 2 && wf_eventlog_n_rows(sample) == 0; all++)
		for (uint32_t c = 0; c < log->n_cases && left > 0; c++)
		{
			if (!all && (double) log->case_hash[c] * 0x1p-64 >= share)
				continue;
			for (uint32_t e = log->start[c]; e < log->start[c + 1] && left > 0; e++, left--)
			{
				size_t		length;
				const char *text = wf_eventlog_text(log, log->event[e], &length);

				wf_eventlog_add(sample, (const char *) &c, sizeof(c), text, length,
								log->timed ? log->time[e] : e, NULL, 0);
			}
		}
	wf_eventlog_finish(sample);
	return sample;
}

static Pilot
run_pilot(const WfSpec *spec, const WfmlEventSource *source, uint32_t events)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "wfml pilot", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	WfHost	   *host = wfml_host_create(context);
	WfSpec		pilot_spec = *spec;
	WfTeam		team;
	WfTeamShared shared;
	WfSequenceInput input = {
		.log = sample_log(host, source->log, events),
		.size_limit = (size_t) wfml_max_model_size * 1024,
		.time_zone = source->zone,
	};
	WfFitResult result;
	Pilot		pilot = {.events = input.log->n_events};
	double		started;

	host->notice = pilot_notice;
	pilot_spec.max_seconds = PILOT_SECONDS;
	memset(&shared, 0, sizeof(shared));
	wf_team_alone(&team, &shared, host);
	started = host->now(host);
	wf_sequence_fit(&team, &pilot_spec, &input, &result);
	pilot.seconds = host->now(host) - started;
	pilot.artifact = (double) result.artifact.length;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return pilot;
}

static double
straight_on(Pilot a, Pilot b, double from, double to, double events)
{
	double		slope = b.events > a.events ? (to - from) / (b.events - a.events) : 0;

	return slope > 0 ? to + slope * (events - b.events) : to;
}

static void
put_forecast(const Inspection *in)
{
	const WfEventLog *log = in->source->log;
	double		events = log->n_events;
	Pilot		large = run_pilot(&in->spec, in->source, LARGE_EVENTS);
	double		seconds = large.seconds;
	double		size = large.artifact;
	size_t		memory;
	size_t		artifact;

	wf_sequence_estimate(&in->spec, log->n_events, log->n_cases, log->n_kinds, &memory, &artifact);
	if (events > LARGE_EVENTS)
	{
		Pilot		small = run_pilot(&in->spec, in->source, SMALL_EVENTS);

		seconds = straight_on(small, large, small.seconds, large.seconds, events);
		size = Min(straight_on(small, large, small.artifact, large.artifact, events), (double) artifact);
	}
	if (in->spec.max_seconds > 0)
		seconds = Min(seconds, in->spec.max_seconds);
	seconds += in->read_seconds;
	wfml_inspect_note(in->result, "(seconds)", wfml_inspect_seconds(seconds));
	wfml_inspect_note(in->result, "(memory)", wfml_inspect_size(memory + wf_eventlog_memory(log)));
	wfml_inspect_note(in->result, "(model)", wfml_inspect_size((size_t) size));
}

/* ---- the call ---- */

PG_FUNCTION_INFO_V1(wfml_inspect_sequence);

/* wfml.inspect_sequence(source, case_column, event_column, time_column, params) → lines */
Datum
wfml_inspect_sequence(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "wfml inspection", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	WfmlEventRequest request;
	Inspection	in = {.result = (ReturnSetInfo *) fcinfo->resultinfo};
	double		started;

	InitMaterializedSRF(fcinfo, 0);
	old = MemoryContextSwitchTo(context);
	in.host = wfml_host_create(context);
	wfml_host_limit(in.host, (size_t) wfml_max_training_memory * 1024, "wfml.max_training_memory");
	started = in.host->now(in.host);
	wfml_spec_parse(in.host, "sequence", PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4), &in.spec);
	in.spec.task = WF_SEQUENCE;
	request = (WfmlEventRequest) {
		.source = wfml_argument_text(fcinfo, 0, "source"),
		.case_column = wfml_argument_text(fcinfo, 1, "case_column"),
		.event_column = wfml_argument_text(fcinfo, 2, "event_column"),
		.time_column = wfml_argument_text(fcinfo, 3, "time_column"),
		.tie_column = wfml_spec_column(&in.spec, "tie_column"),
	};
	in.source = wfml_events_read(in.host, &request);
	in.read_seconds = in.host->now(in.host) - started;
	put_columns(&in);
	put_rows(&in);
	put_forecast(&in);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}
