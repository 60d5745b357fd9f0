/*-------------------------------------------------------------------------
 * inspect.c
 *	  wfml.inspect(): the dry run of a training, a line per column.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/profile.h"
#include "pg/arguments.h"
#include "pg/columns.h"
#include "pg/forecast.h"
#include "pg/input.h"
#include "pg/inspect_lines.h"
#include "pg/kind.h"
#include "pg/pghost.h"
#include "pg/settings.h"
#include "pg/source.h"
#include "pg/trainspec.h"

/* Classes shown with their shares. */
#define SHOWN_CLASSES 5
#define OTHER_SHARE 0.001

typedef struct Inspection
{
	ReturnSetInfo *result;
	WfHost	   *host;
	const WfSpec *spec;
	WfmlSource *source;
	WfProfile  *profiles;
	double		read_seconds;
} Inspection;

/* ---- columns ---- */

static void
add_note(StringInfo s, const char *format,...) pg_attribute_printf(2, 3);

static void
add_note(StringInfo s, const char *format,...)
{
	va_list		args;
	char		text[256];

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	appendStringInfo(s, "%s%s", s->len ? "; " : "", text);
}

static const char *
role_name(const Inspection *in, int i)
{
	const WfmlColumns *columns = in->source->columns;
	const WfmlColumn *column = &columns->column[i];
	bool		kept = column->schema_index >= 0 &&
		in->source->schema->columns[column->schema_index].left_out == WF_KEPT;

	if (i == columns->target)
		return "target";
	if (i == columns->weight)
		return "weight";
	if (i == columns->group)
		return "group";
	if (i == columns->scale)
		return "scale_by";
	return kept ? wfml_kind_name(column->kind) : "left out";
}

static void
column_notes(const Inspection *in, const WfmlColumn *column, StringInfo note)
{
	const WfColumn *c = &in->source->schema->columns[column->schema_index];
	const WfProfile *profile = &in->profiles[column->schema_index];
	const char *reason = wfml_column_reason(column, c->left_out);

	if (reason)
	{
		add_note(note, "%s", reason);
		return;
	}
	if (profile->auc >= WF_PROFILE_LEAK)
		add_note(note, "leak? AUC %.3f alone", profile->auc);
	if (c->kind == WF_COL_CATEGORY && c->other_share >= OTHER_SHARE)
		add_note(note, "rare values as one: %.1f %%", 100 * c->other_share);
	if (c->n_features > 1)
		add_note(note, "%d features", c->n_features);
}

static void
put_column(const Inspection *in, int i)
{
	const WfmlColumns *columns = in->source->columns;
	const WfmlColumn *column = &columns->column[i];
	uint64_t	n = wf_frame_n_rows(in->source->frame);
	StringInfoData note;
	const char *distinct = NULL;
	const char *nulls = NULL;

	initStringInfo(&note);
	if (column->schema_index >= 0)
	{
		const WfProfile *profile = &in->profiles[column->schema_index];

		column_notes(in, column, &note);
		nulls = wfml_inspect_share(in->source->schema->columns[column->schema_index].n_missing, n);
		if (profile->distinct > 0)
			distinct = psprintf("%s" UINT64_FORMAT, profile->exact ? "" : "~", profile->distinct);
	}
	else if (column->reason && i != columns->target && i != columns->weight && i != columns->group && i != columns->time)
		add_note(&note, "%s", column->reason);
	if (i == columns->time)
		add_note(&note, "orders the rows");
	wfml_inspect_put(in->result, column->name, wfml_inspect_type(column->type), role_name(in, i), distinct, nulls, note.data);
}

/* ---- lines about the whole ---- */

static void
put_rows(const Inspection *in)
{
	uint64_t	left_out = in->source->null_targets;
	char	   *note = psprintf(UINT64_FORMAT " used", in->source->rows_read - left_out);

	if (left_out > 0)
		note = psprintf("%s, " UINT64_FORMAT " without target", note, left_out);
	wfml_inspect_note(in->result, "(rows)", note);
}

static void
put_classes(const Inspection *in)
{
	const WfmlSource *source = in->source;
	int			n = source->schema->n_classes;
	double		rows = (double) wf_frame_n_rows(source->frame);
	uint64_t   *count = palloc0(sizeof(uint64_t) * n);

	for (int code = 0; code < n; code++)
		count[source->class_of_code[code]] = wf_dict_count(source->labels, code);
	for (int i = 0; i < Min(n, SHOWN_CLASSES); i++)
	{
		const char *label = source->schema->labels[i];
		bool		positive = source->positive && strcmp(label, source->positive) == 0;

		wfml_inspect_note(in->result, "(class)", psprintf("%s: %.1f %%%s", label, 100 * count[i] / rows, positive ? ", positive" : ""));
	}
	if (n > SHOWN_CLASSES)
		wfml_inspect_note(in->result, "(class)", psprintf("and %d more", n - SHOWN_CLASSES));
}

static void
put_task(const Inspection *in)
{
	wfml_inspect_note(in->result, "(task)", wfml_task_name(in->source->task));
	if (in->source->task == WF_CLASSIFICATION)
		put_classes(in);
}

static void
put_forecast(const Inspection *in)
{
	WfmlForecast f;
	double		seconds;

	wfml_forecast(in->host, in->spec, in->source, &f);
	seconds = f.seconds + in->read_seconds;
	wfml_inspect_note(in->result, "(seconds)", wfml_inspect_seconds(seconds));
	wfml_inspect_note(in->result, "(memory)", wfml_inspect_size(f.memory));
	wfml_inspect_note(in->result, "(model)", wfml_inspect_size(f.artifact));
}

/* ---- the call ---- */

static WfmlSource *
load(FunctionCallInfo fcinfo, WfHost *host, const WfSpec *spec)
{
	WfmlSourceRequest request = {
		.source = wfml_argument_text(fcinfo, 0, "source"),
		.target = wfml_argument_text_or_null(fcinfo, 1),
		.features = wfml_argument_names(fcinfo, 4, "features"),
		.task = wfml_task_parse(wfml_argument_text_or_null(fcinfo, 5)),
		.positive = wfml_spec_column(spec, "positive"),
		.weight_column = wfml_spec_column(spec, "weight_column"),
		.group_column = wfml_spec_column(spec, "group_column"),
		.scale_column = wfml_spec_column(spec, "scale_by"),
		.time_column = spec->validation == WF_VALIDATE_TIME ? wfml_spec_column(spec, "time_column") : NULL,
		.time_parts = WF_TIME_PARTS_DEFAULT |
			(wf_spec_is(spec, "time_features", "epoch") ? 1u << WF_PART_EPOCH : 0),
		.memory_limit = (size_t) maintenance_work_mem * 1024,
		.quiet = true,
	};

	WfmlSource *source;
	bool		labelled = wfml_takes_target(spec, request.target, wfml_argument_text_or_null(fcinfo, 5));

	source = wfml_source_load(host, &request);
	if (!labelled)
		source->task = WF_ANOMALY;
	return source;
}

PG_FUNCTION_INFO_V1(wfml_inspect);

/* wfml.inspect(source, target, algorithm, params, features, task) → lines */
Datum
wfml_inspect(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "wfml inspection", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	Inspection	in = {.result = (ReturnSetInfo *) fcinfo->resultinfo};
	WfSpec		spec;
	double		started;

	InitMaterializedSRF(fcinfo, 0);
	old = MemoryContextSwitchTo(context);
	in.host = wfml_host_create(context);
	wfml_host_limit(in.host, (size_t) wfml_max_training_memory * 1024, "wfml.max_training_memory");
	started = in.host->now(in.host);
	wfml_check_rows_algorithm(wfml_argument_text(fcinfo, 2, "algorithm"), "inspect");
	wfml_spec_parse(in.host, wfml_argument_text(fcinfo, 2, "algorithm"),
					PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3), &spec);
	in.spec = &spec;
	in.source = load(fcinfo, in.host, &spec);
	in.read_seconds = in.host->now(in.host) - started;
	in.profiles = wf_profile(in.host, in.source->schema, in.source->frame,
							 in.source->class_of_code, in.source->schema->n_classes);
	for (int i = 0; i < in.source->columns->n; i++)
		put_column(&in, i);
	put_rows(&in);
	if (in.source->columns->target >= 0 || in.source->task == WF_ANOMALY)
	{
		put_task(&in);
		put_forecast(&in);
	}
	wf_frame_destroy(in.source->frame); /* its temporary file is the resource owner's */
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}
