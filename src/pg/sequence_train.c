/*-------------------------------------------------------------------------
 * sequence_train.c
 *	  wfml.train_sequence(): models of what happens next in a case.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "utils/jsonb.h"

#include "core/sequence.h"
#include "pg/arguments.h"
#include "pg/eventsource.h"
#include "pg/settings.h"
#include "pg/stored_arguments.h"
#include "pg/traincall.h"
#include "pg/trainspec.h"

static void
read_call(FunctionCallInfo fcinfo, WfmlSequenceCall *call)
{
	call->model = wfml_argument_text(fcinfo, 0, "model");
	call->events = (WfmlEventRequest) {
		.source = wfml_argument_text(fcinfo, 1, "source"),
		.case_column = wfml_argument_text(fcinfo, 2, "case_column"),
		.event_column = wfml_argument_text(fcinfo, 3, "event_column"),
		.time_column = wfml_argument_text(fcinfo, 4, "time_column"),
	};
	call->params = PG_ARGISNULL(5) ? NULL : PG_GETARG_JSONB_P(5);
	call->activate = PG_ARGISNULL(6) ? true : PG_GETARG_BOOL(6);
}

/* Memory of the fit, refused up front when it will not fit. Returns what may be shared. */
static size_t
check_memory(const WfSpec *spec, const WfEventLog *log)
{
	size_t		memory;
	size_t		artifact;

	wf_sequence_estimate(spec, log->n_events, log->n_cases, log->n_kinds, &memory, &artifact);
	memory += wf_eventlog_memory(log);
	wfml_training_check_memory(memory, psprintf("The source has %u cases with %u events, %u of them different.",
												log->n_cases, log->n_events, log->n_kinds));
	return memory;
}

/* The columns that the model was made of. */
static List *
columns_used(const WfmlEventSource *source)
{
	List	   *names = NIL;

	for (int i = 0; i < WFML_EVENT_COLUMNS; i++)
		names = lappend(names, unconstify(char *, source->columns[i].name));
	return names;
}

static Jsonb *
stored_arguments(const WfmlSequenceCall *call, const WfmlEventSource *source)
{
	StringInfoData buf;

	wfml_stored_begin(&buf);
	wfml_stored_add(&buf, "algorithm", "sequence");
	wfml_stored_add(&buf, "source", source->stored_source);
	wfml_stored_add(&buf, "case_column", call->events.case_column);
	wfml_stored_add(&buf, "event_column", call->events.event_column);
	wfml_stored_add(&buf, "time_column", call->events.time_column);
	return wfml_stored_end(&buf, call->params);
}

WfmlEventSource *
wfml_sequence_read(WfmlTraining *t, WfmlSequenceCall *call)
{
	WfmlEventSource *source;

	t->spec.task = WF_SEQUENCE;
	call->events.tie_column = wfml_spec_column(&t->spec, "tie_column");
	source = wfml_events_read(t->host, &call->events);
	wfml_events_notice(source);
	return source;
}

void
wfml_sequence_fit(WfmlTraining *t, const WfmlEventSource *source, WfJudges *judges)
{
	size_t		shared = check_memory(&t->spec, source->log);
	WfSequenceInput input = {
		.log = source->log,
		.size_limit = (size_t) wfml_max_model_size * 1024,
		.time_zone = source->zone,
		.judges = judges,
	};
	/* Gradient boosting on its features is most of it: hundreds of rounds over tens of columns. */
	double		work = (double) source->log->n_events * 1e4;

	wfml_training_fit(t, &input, work, shared);
}

void
wfml_sequence_describe(WfmlTraining *t, const WfmlSequenceCall *call, const WfmlEventSource *source)
{
	t->publication.source = source->stored_source;
	t->publication.features = wfml_stored_names(columns_used(source), &t->n_columns);
	t->publication.params = call->params;
	t->publication.activate = call->activate;
	t->publication.arguments = stored_arguments(call, source);
}

PG_FUNCTION_INFO_V1(wfml_train_sequence);

/* wfml.train_sequence(model, source, case_column, event_column, time_column, params, activate) → training_summary */
Datum
wfml_train_sequence(PG_FUNCTION_ARGS)
{
	WfmlSequenceCall call;
	WfmlTraining t;
	WfmlEventSource *source;

	read_call(fcinfo, &call);
	wfml_training_begin(&t, "wfml.train_sequence()", call.model, "sequence", call.params);
	source = wfml_sequence_read(&t, &call);
	wfml_sequence_fit(&t, source, NULL);
	wfml_sequence_describe(&t, &call, source);
	return wfml_training_finish(fcinfo, &t);
}
