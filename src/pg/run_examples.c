/*-------------------------------------------------------------------------
 * run_examples.c
 *	  The features of all past runs, for training.
 *
 * The binding is read once into columns; the core goes through them in time
 * order (core/run_sweep.h).
 */
#include "pg/compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include <math.h>

#include "core/dict.h"
#include "core/run_sweep.h"
#include "pg/pghost.h"
#include "pg/run_features.h"

PG_FUNCTION_INFO_V1(wfml_run_examples);

/* Columns of the query; those known at start follow. */
enum
{
	COLUMN_WORKFLOW = 1,
	COLUMN_STARTED,
	COLUMN_FINISHED,
	COLUMN_SUCCEEDED,
	COLUMN_UPSTREAM,
	COLUMN_KNOWN
};

/* What a column of the result shows beside features, whose place is 0 and up. */
enum
{
	SHOW_AT = -3,
	SHOW_KNOWN_BY,
	SHOW_SUCCEEDED
};

typedef struct Table
{
	WfHost	   *host;
	const WfmlRunLayout *layout;
	WfDict	   *workflows;
	WfDict	  **levels;			/* of each column known at start; NULL: numbers */
	uint32		room;
	WfRunColumns runs;
	/* what runs points to */
	int64	   *started;
	int64	   *finished;
	int16	   *minute;
	int8	   *outcome;
	uint32	   *workflow;
	uint32	   *upstream;
	uint32	  **codes;			/* of each column known at start */
	double	  **numbers;
	/* the answers */
	ReturnSetInfo *result;
	int		   *shown;			/* what each column of the result shows */
	WfmlRunValue *row;
	Datum	   *values;
	bool	   *nulls;
	MemoryContext scratch;
} Table;

/* ---- reading ---- */

static void
grow(Table *t)
{
	uint32		room = t->room * 2;

	if (t->room > (UINT32_C(1) << 28))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many runs are bound to learn from")));
	t->started = repalloc_huge(t->started, room * sizeof(int64));
	t->finished = repalloc_huge(t->finished, room * sizeof(int64));
	t->minute = repalloc_huge(t->minute, room * sizeof(int16));
	t->outcome = repalloc_huge(t->outcome, room * sizeof(int8));
	t->workflow = repalloc_huge(t->workflow, room * sizeof(uint32));
	t->upstream = repalloc_huge(t->upstream, room * sizeof(uint32));
	for (int i = 0; i < t->layout->n_known; i++)
	{
		if (t->levels[i])
			t->codes[i] = repalloc_huge(t->codes[i], room * sizeof(uint32));
		else
			t->numbers[i] = repalloc_huge(t->numbers[i], room * sizeof(double));
	}
	t->room = room;
}

static uint32
text_code(WfDict *dict, Datum value, bool isnull)
{
	text	   *bytes;
	uint32		code;

	if (isnull)
		return WF_RUN_NO_CODE;
	bytes = DatumGetTextPP(value);
	code = wf_dict_add(dict, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	if (code == WF_CODE_MISSING)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a column of the bound runs has more than %d different values", WF_DICT_MAX_ENTRIES),
				 errhint("Bind the runs without it in known_at_start.")));
	return code;
}

static void
read_known(Table *t, HeapTuple tuple, TupleDesc desc, uint32 at)
{
	for (int i = 0; i < t->layout->n_known; i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, COLUMN_KNOWN + i, desc, &isnull);

		if (t->levels[i])
			t->codes[i][at] = text_code(t->levels[i], value, isnull);
		else
			t->numbers[i][at] = isnull ? NAN : DatumGetFloat8(value);
	}
}

static bool
read_run(void *arg, HeapTuple tuple, TupleDesc desc)
{
	Table	   *t = arg;
	uint32		at = t->runs.n;
	bool		no_workflow,
				no_start,
				isnull;
	Datum		workflow = heap_getattr(tuple, COLUMN_WORKFLOW, desc, &no_workflow);
	Datum		started = heap_getattr(tuple, COLUMN_STARTED, desc, &no_start);
	Datum		value;

	if (no_workflow || no_start || TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(started)))
		return true;
	if (at == t->room)
		grow(t);
	t->workflow[at] = text_code(t->workflows, workflow, false);
	t->started[at] = DatumGetTimestampTz(started);
	t->minute[at] = wfml_run_minute(t->layout, t->started[at]);
	value = heap_getattr(tuple, COLUMN_FINISHED, desc, &isnull);
	t->finished[at] = isnull ? WF_RUN_UNFINISHED : DatumGetTimestampTz(value);
	value = heap_getattr(tuple, COLUMN_SUCCEEDED, desc, &isnull);
	t->outcome[at] = isnull ? WF_RUN_NO_OUTCOME : DatumGetBool(value);
	value = heap_getattr(tuple, COLUMN_UPSTREAM, desc, &isnull);
	t->upstream[at] = text_code(t->workflows, value, isnull);
	read_known(t, tuple, desc, at);
	t->runs.n++;
	return true;
}

static char *
runs_query(const WfmlRunLayout *layout)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT q.workflow_id::pg_catalog.text, q.started_at::pg_catalog.timestamptz,"
					 " q.finished_at::pg_catalog.timestamptz, q.succeeded, %s::pg_catalog.text",
					 wfml_binding_has(layout->binding, "upstream") ? "q.upstream" : "NULL");
	for (int i = 0; i < layout->n_known; i++)
	{
		appendStringInfoString(&sql, ", ");
		wfml_run_append_known(&sql, layout, &layout->known[i]);
	}
	appendStringInfoString(&sql, " FROM (%s) q");
	return sql.data;
}

static void
make_table(Table *t, const WfmlRunLayout *layout)
{
	t->host = wfml_host_create(CurrentMemoryContext);
	t->layout = layout;
	t->room = 1024;
	t->workflows = wf_dict_create(t->host);
	t->levels = palloc0(sizeof(WfDict *) * (layout->n_known + 1));
	t->codes = palloc0(sizeof(uint32 *) * (layout->n_known + 1));
	t->numbers = palloc0(sizeof(double *) * (layout->n_known + 1));
	t->started = palloc(t->room * sizeof(int64));
	t->finished = palloc(t->room * sizeof(int64));
	t->minute = palloc(t->room * sizeof(int16));
	t->outcome = palloc(t->room * sizeof(int8));
	t->workflow = palloc(t->room * sizeof(uint32));
	t->upstream = palloc(t->room * sizeof(uint32));
	for (int i = 0; i < layout->n_known; i++)
	{
		if (layout->known[i].category)
		{
			t->levels[i] = wf_dict_create(t->host);
			t->codes[i] = palloc(t->room * sizeof(uint32));
		}
		else
			t->numbers[i] = palloc(t->room * sizeof(double));
	}
	wfml_binding_read(layout->binding, runs_query(layout), 0, NULL, NULL, NULL, read_run, t);
}

static void
finish_table(Table *t)
{
	WfRunColumns *runs = &t->runs;
	const uint32 **level = palloc(sizeof(uint32 *) * (t->layout->n_known + 1));
	uint32	   *n_codes = palloc(sizeof(uint32) * (t->layout->n_known + 1));

	for (int i = 0; i < t->layout->n_known; i++)
	{
		if (t->levels[i])
		{
			level[runs->n_levels] = t->codes[i];
			n_codes[runs->n_levels++] = wf_dict_size(t->levels[i]);
		}
	}
	runs->started = t->started;
	runs->finished = t->finished;
	runs->minute = t->minute;
	runs->outcome = t->outcome;
	runs->workflow = t->workflow;
	runs->upstream = t->upstream;
	runs->level = level;
	runs->n_workflows = wf_dict_size(t->workflows);
	runs->n_codes = n_codes;
}

/* ---- the rows of the result ---- */

static void
choose_columns(Table *t, TupleDesc desc)
{
	static const char *const first[3] = {"at", "known_by", "succeeded"};
	static const Oid first_types[3] = {TIMESTAMPTZOID, TIMESTAMPTZOID, BOOLOID};

	t->shown = palloc(sizeof(int) * desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		const char *name = NameStr(att->attname);
		Oid			type = InvalidOid;

		for (int j = 0; j < 3; j++)
			if (strcmp(name, first[j]) == 0)
			{
				t->shown[i] = SHOW_AT + j;
				type = first_types[j];
			}
		for (int j = 0; j < t->layout->n_columns && !OidIsValid(type); j++)
			if (strcmp(name, t->layout->names[j]) == 0)
			{
				t->shown[i] = j;
				type = t->layout->is_text[j] ? TEXTOID : FLOAT8OID;
			}
		if (!OidIsValid(type))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("runs have no feature \"%s\"", name),
					 errhint("SELECT wfml.run_example_columns() lists what there is.")));
		if (type != att->atttypid)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("feature \"%s\" of runs is of type %s, not %s", name, format_type_be(type), format_type_be(att->atttypid))));
	}
}

static Datum
dict_datum(const WfDict *dict, uint32 code)
{
	size_t		length;
	const char *bytes = wf_dict_string(dict, code, &length);

	return PointerGetDatum(cstring_to_text_with_len(bytes, (int) length));
}

/* Value of one column of features; false: missing. */
static bool
feature_value(const Table *t, int place, uint32 run, const double *features, Datum *value)
{
	int			level = 0;

	if (place == 0)
	{
		*value = dict_datum(t->workflows, t->workflow[run]);
		return true;
	}
	if (place <= WF_RUN_N_FEATURES)
	{
		*value = Float8GetDatum(features[place - 1]);
		return isfinite(features[place - 1]);
	}
	for (int i = 0; i < t->layout->n_known; i++)
	{
		int			away = place - t->layout->known[i].place;

		if (away == 0 && t->levels[i])
		{
			*value = t->codes[i][run] == WF_RUN_NO_CODE ? (Datum) 0 : dict_datum(t->levels[i], t->codes[i][run]);
			return t->codes[i][run] != WF_RUN_NO_CODE;
		}
		if (away == 0)
		{
			*value = Float8GetDatum(t->numbers[i][run]);
			return isfinite(t->numbers[i][run]);
		}
		if (t->levels[i] && away <= WF_LEVEL_N_FEATURES)
		{
			*value = Float8GetDatum(features[WF_RUN_N_FEATURES + level * WF_LEVEL_N_FEATURES + away - 1]);
			return true;
		}
		level += t->levels[i] != NULL;
	}
	return false;
}

static void
put_example(void *arg, const WfRunQuestion *question, const double *features)
{
	Table	   *t = arg;
	uint32		run = question->run;
	MemoryContext old = MemoryContextSwitchTo(t->scratch);

	for (int i = 0; i < t->result->setDesc->natts; i++)
	{
		t->nulls[i] = false;
		switch (t->shown[i])
		{
			case SHOW_AT:
				t->values[i] = TimestampTzGetDatum(t->started[run]);
				break;
			case SHOW_KNOWN_BY:
				t->values[i] = TimestampTzGetDatum(t->started[run] - question->before);
				break;
			case SHOW_SUCCEEDED:
				t->values[i] = BoolGetDatum(t->outcome[run] == 1);
				t->nulls[i] = t->outcome[run] < 0;
				break;
			default:
				t->nulls[i] = !feature_value(t, t->shown[i], run, features, &t->values[i]);
		}
	}
	tuplestore_putvalues(t->result->setResult, t->result->setDesc, t->values, t->nulls);
	MemoryContextSwitchTo(old);
	MemoryContextReset(t->scratch);
}

/* ---- the questions ---- */

static int64
horizon_of(const Table *t, uint32 run)
{
	return wf_run_horizon(wf_dict_hash(t->workflows, t->workflow[run]) ^ (uint64) t->started[run]);
}

static int64 *
read_horizons(ArrayType *array, int *n)
{
	Datum	   *items;
	bool	   *nulls;
	int64	   *horizons;

	deconstruct_array(array, INTERVALOID, sizeof(Interval), false, TYPALIGN_DOUBLE, &items, &nulls, n);
	horizons = palloc(sizeof(int64) * (*n + 1));
	for (int i = 0; i < *n; i++)
	{
		Interval   *interval = nulls[i] ? NULL : DatumGetIntervalP(items[i]);

		if (interval == NULL || interval->month != 0 || interval->day < 0 || interval->day > 3650 || interval->time < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a horizon must be an interval from 0 to 3650 days, without months")));
		horizons[i] = interval->day * USECS_PER_DAY + interval->time;
	}
	return horizons;
}

static WfRunQuestion *
make_questions(const Table *t, TimestampTz since, TimestampTz until, const int64 *horizons, int n_horizons, uint32 *n)
{
	int			each = horizons ? n_horizons : 2;
	WfRunQuestion *questions;

	*n = 0;
	if ((uint64) t->runs.n * (uint64) each > UINT32_MAX / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many runs at too many horizons")));
	questions = palloc_extended(sizeof(WfRunQuestion) * ((Size) t->runs.n * each + 1), MCXT_ALLOC_HUGE);
	for (uint32 run = 0; run < t->runs.n; run++)
	{
		if (t->outcome[run] < 0 || t->started[run] < since || t->started[run] >= until)
			continue;
		for (int i = 0; i < each; i++)
			questions[(*n)++] = (WfRunQuestion) {
				.run = run, .before = horizons ? horizons[i] : i == 0 ? 0 : horizon_of(t, run)
			};
	}
	return questions;
}

/* run_examples(since, until, horizons) AS (column type, …) */
Datum
wfml_run_examples(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	TimestampTz since = PG_ARGISNULL(0) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(0);
	TimestampTz until = PG_ARGISNULL(1) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(1);
	int			n_horizons = 0;
	int64	   *horizons = PG_ARGISNULL(2) ? NULL : read_horizons(PG_GETARG_ARRAYTYPE_P(2), &n_horizons);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "wfml run examples", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	Table		t = {.result = result};
	WfRunQuestion *questions;
	uint32		n;

	if (result == NULL || !IsA(result, ReturnSetInfo) || result->expectedDesc == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("wfml.run_examples() needs a list of columns"),
				 errhint("SELECT wfml.run_example_columns() writes the list of all: SELECT … FROM wfml.run_examples() AS e (column type, …).")));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	old = MemoryContextSwitchTo(context);
	make_table(&t, wfml_run_layout());
	finish_table(&t);
	choose_columns(&t, result->setDesc);
	t.values = palloc(sizeof(Datum) * (result->setDesc->natts + 1));
	t.nulls = palloc(sizeof(bool) * (result->setDesc->natts + 1));
	t.scratch = AllocSetContextCreate(context, "wfml run example", ALLOCSET_SMALL_SIZES);
	questions = make_questions(&t, since, until, horizons, n_horizons, &n);
	wf_run_sweep(t.host, &t.runs, questions, n, put_example, &t);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}
