/*-------------------------------------------------------------------------
 * run_sight.c
 *	  What was known of a workflow at a time, by a few short reads of the
 *	  application's tables.
 *
 * The reads are those of the last runs, in the order of core/run_sweep.c, so
 * that both yield the same.  Indexes on (workflow_id, finished_at),
 * (finished_at), (started_at), and (column, finished_at) for each category
 * known at start make each of them a short walk.
 */
#include "pg/compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include <math.h>

#include "pg/owner.h"
#include "pg/run_features.h"

/* Columns of every query over history; of the workflow's own further ones follow. */
enum
{
	COLUMN_STARTED = 1,
	COLUMN_FINISHED,
	COLUMN_SUCCEEDED,
	COLUMN_UPSTREAM,
	COLUMN_KNOWN
};

typedef struct Reading
{
	const WfmlRunLayout *layout;
	MemoryContext context;		/* of what outlives a row */
	WfPastRun  *runs;
	size_t		n;
	size_t		room;
	/* of the newest own run */
	WfPastRun	newest;
	char	   *upstream;
	WfmlRunValue *last;			/* columns known at start; NULL: not wanted */
	/* started ones */
	WfStartedRun *started;
	size_t		n_started;
} Reading;

/* ---- queries ---- */

/* A type by its name in the binding, which its owner's search_path explains. */
static Oid
type_of_name(const WfmlBinding *binding, const char *name)
{
	Oid			type;
	int32		typmod;
	WfmlAsOwner as;

	wfml_as_owner_begin(&as, binding->owner, binding->search_path, binding->timezone);
#if PG_VERSION_NUM >= 160000
	(void) parseTypeString(name, &type, &typmod, NULL);
#else
	parseTypeString(name, &type, &typmod, false);
#endif
	wfml_as_owner_end(&as);
	return getBaseType(type);
}

/* What to cast a text to so that it compares with a column by an operator of pg_catalog; NULL: compare as text. */
static const char *
comparable_type(const WfmlBinding *binding, const char *column)
{
	static const char *const common[] = {"text", "integer", "bigint", "smallint", "uuid"};
	const char *name = wfml_binding_type(binding, column);
	Oid			type;

	for (size_t i = 0; i < lengthof(common); i++)
		if (strcmp(name, common[i]) == 0)
			return common[i];
	type = type_of_name(binding, name);
	if (type == VARCHAROID)
		return "text";
	if ((type >= FirstGenbkiObjectId && !type_is_enum(type)) || !OidIsValid(lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr))
		return NULL;
	return format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

/* "q.column = $1" in the column's type, so that an index serves. */
static void
append_equality(StringInfo sql, const WfmlRunLayout *layout, const char *name)
{
	const char *type = comparable_type(layout->binding, name);

	if (type)
		appendStringInfo(sql, "q.%s OPERATOR(pg_catalog.=) $1::%s", quote_identifier(name), type);
	else
		appendStringInfo(sql, "q.%s::pg_catalog.text OPERATOR(pg_catalog.=) $1", quote_identifier(name));
}

/*
 * Where history is, newest first.  What an index cannot serve is hidden in a
 * CASE: the planner would guess that it leaves nearly nothing, and read and
 * sort all.  The limit is hidden too, so that it takes that for a small part of
 * what there is.  With ties, which compare_past() puts in order.
 */
static void
append_history(StringInfo sql, size_t most)
{
	appendStringInfo(sql, " q.finished_at OPERATOR(pg_catalog.<=) $2"
					 " AND CASE WHEN q.started_at OPERATOR(pg_catalog.<) $2 AND q.started_at OPERATOR(pg_catalog.<=) q.finished_at"
					 " AND q.started_at OPERATOR(pg_catalog.>) '-infinity'"
					 " THEN q.succeeded IS NOT NULL AND q.workflow_id IS NOT NULL ELSE false END"
					 " ORDER BY q.finished_at DESC FETCH FIRST (SELECT %zu) ROWS WITH TIES", most);
}

static void
begin_history(StringInfo sql, const WfmlRunLayout *layout, bool own)
{
	initStringInfo(sql);
	appendStringInfoString(sql, "SELECT q.started_at::pg_catalog.timestamptz, q.finished_at::pg_catalog.timestamptz, q.succeeded");
	if (own)
	{
		appendStringInfoString(sql, wfml_binding_has(layout->binding, "upstream") ? ", q.upstream::pg_catalog.text" : ", NULL::pg_catalog.text");
		for (int i = 0; i < layout->n_known; i++)
		{
			appendStringInfoString(sql, ", ");
			wfml_run_append_known(sql, layout, &layout->known[i]);
		}
	}
	appendStringInfoString(sql, " FROM (%s) q WHERE");
}

static char *
history_query(const WfmlRunLayout *layout, const char *column, size_t most, bool own)
{
	StringInfoData sql;

	begin_history(&sql, layout, own);
	if (column)
	{
		appendStringInfoChar(&sql, ' ');
		append_equality(&sql, layout, column);
		appendStringInfoString(&sql, " AND");
	}
	append_history(&sql, most);
	return sql.data;
}

/* With all that started with the oldest: by what became of them they must not be told apart. */
static char *
started_query(void)
{
	return psprintf("SELECT q.started_at::pg_catalog.timestamptz, q.finished_at::pg_catalog.timestamptz,"
					" q.workflow_id::pg_catalog.text OPERATOR(pg_catalog.=) $1"
					" FROM (%%s) q WHERE q.started_at OPERATOR(pg_catalog.<) $2 AND q.workflow_id IS NOT NULL ORDER BY q.started_at DESC FETCH FIRST (SELECT %d) ROWS WITH TIES", WF_RUN_STARTED);
}

/* ---- rows ---- */

/* Newer is what finished later, then what started later, then success: the reverse of the core's sweep. */
static int
compare_past(const void *a, const void *b)
{
	const WfPastRun *x = a,
			   *y = b;

	if (x->finished != y->finished)
		return x->finished > y->finished ? -1 : 1;
	if (x->started != y->started)
		return x->started > y->started ? -1 : 1;
	return (int) y->succeeded - (int) x->succeeded;
}

static void
keep_last(Reading *r, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, COLUMN_UPSTREAM, desc, &isnull);
	MemoryContext old = MemoryContextSwitchTo(r->context);

	r->upstream = isnull ? NULL : TextDatumGetCString(value);
	for (int i = 0; i < r->layout->n_known; i++)
	{
		value = heap_getattr(tuple, COLUMN_KNOWN + i, desc, &isnull);
		if (r->layout->known[i].category)
			r->last[i].text = isnull ? NULL : TextDatumGetCString(value);
		else
			r->last[i].number = isnull ? NAN : DatumGetFloat8(value);
	}
	MemoryContextSwitchTo(old);
}

static bool
keep_past(void *arg, HeapTuple tuple, TupleDesc desc)
{
	Reading    *r = arg;
	WfPastRun  *run;
	bool		isnull;

	if (r->n == r->room)
	{
		r->room *= 2;
		r->runs = repalloc_huge(r->runs, r->room * sizeof(WfPastRun));
	}
	run = &r->runs[r->n];
	run->started = DatumGetTimestampTz(heap_getattr(tuple, COLUMN_STARTED, desc, &isnull));
	run->finished = DatumGetTimestampTz(heap_getattr(tuple, COLUMN_FINISHED, desc, &isnull));
	run->succeeded = DatumGetBool(heap_getattr(tuple, COLUMN_SUCCEEDED, desc, &isnull));
	run->minute = wfml_run_minute(r->layout, run->started);
	if (r->last && (r->n == 0 || compare_past(run, &r->newest) < 0))
	{
		r->newest = *run;
		keep_last(r, tuple, desc);
	}
	r->n++;
	return true;
}

static bool
keep_started(void *arg, HeapTuple tuple, TupleDesc desc)
{
	Reading    *r = arg;
	WfStartedRun *run;
	bool		isnull;
	Datum		finished;

	if (r->n_started == r->room)
	{
		r->room *= 2;
		r->started = repalloc_huge(r->started, r->room * sizeof(WfStartedRun));
	}
	run = &r->started[r->n_started++];
	run->started = DatumGetTimestampTz(heap_getattr(tuple, 1, desc, &isnull));
	finished = heap_getattr(tuple, 2, desc, &isnull);
	run->finished = isnull ? WF_RUN_UNFINISHED : DatumGetTimestampTz(finished);
	run->own = DatumGetBool(heap_getattr(tuple, 3, desc, &isnull));
	if (TIMESTAMP_NOT_FINITE(run->started))
		r->n_started--;
	return true;
}

/* ---- reading ---- */

static void
run_query(const WfmlRunLayout *layout, const char *sql, const char *value, TimestampTz known_by, WfmlBoundRow row, Reading *r)
{
	static const Oid types[2] = {TEXTOID, TIMESTAMPTZOID};
	Datum		values[2] = {CStringGetTextDatum(value), TimestampTzGetDatum(known_by)};

	wfml_binding_read(layout->binding, sql, 2, types, values, NULL, row, r);
}

static WfPastRuns
read_past(const WfmlRunLayout *layout, const char *column, const char *value, TimestampTz known_by, size_t most, Reading *own)
{
	Reading		local = {.layout = layout};
	Reading    *r = own ? own : &local;

	r->room = most + 16;
	r->runs = palloc(sizeof(WfPastRun) * r->room);
	run_query(layout, history_query(layout, column, most, own != NULL), value, known_by, keep_past, r);
	qsort(r->runs, r->n, sizeof(WfPastRun), compare_past);
	return (WfPastRuns) {.runs = r->runs, .n = Min(r->n, most)};
}

static void
read_started(const WfmlRunLayout *layout, const char *workflow_id, TimestampTz known_by, WfRunKnowledge *known)
{
	Reading		r = {.layout = layout, .room = WF_RUN_STARTED + 64};

	r.started = palloc(sizeof(WfStartedRun) * r.room);
	run_query(layout, started_query(), workflow_id, known_by, keep_started, &r);
	known->started = r.started;
	known->n_started = r.n_started;
}

/* ---- what the caller says of columns known at start ---- */

static double
given_number(const char *name, JsonbValue *value)
{
	double		number = NAN;

	if (value->type == jbvNumeric)
		number = DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(value->val.numeric)));
	else if (value->type == jbvBool)
		number = value->val.boolean;
	else if (value->type != jbvNull)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" in known must be a number", name),
				 errhint("It is a column of numbers in the runs that are bound.")));
	return number;
}

static const char *
given_text(const char *name, JsonbValue *value)
{
	const char *text = NULL;

	if (value->type == jbvString)
		text = pnstrdup(value->val.string.val, value->val.string.len);
	else if (value->type == jbvNumeric)
		text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	else if (value->type == jbvBool)
		text = value->val.boolean ? "true" : "false";
	else if (value->type != jbvNull)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" in known must be a text", name)));
	return text;
}

static void
check_given(const WfmlRunLayout *layout, Jsonb *given)
{
	JsonbIterator *it = JsonbIteratorInit(&given->root);
	JsonbValue	value;
	JsonbIteratorToken token;

	if (!JB_ROOT_IS_OBJECT(given))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("known must be an object of columns and values")));
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		bool		found = token != WJB_KEY;

		for (int i = 0; i < layout->n_known && !found; i++)
			found = strlen(layout->known[i].name) == (size_t) value.val.string.len &&
				memcmp(layout->known[i].name, value.val.string.val, value.val.string.len) == 0;
		if (!found)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("\"%s\" in known is no column known at start", pnstrdup(value.val.string.val, value.val.string.len)),
					 errhint("Name it in known_at_start when you bind the runs with wfml.bind().")));
	}
}

static void
take_given(const WfmlRunLayout *layout, Jsonb *given, WfmlRunValue *values)
{
	check_given(layout, given);
	for (int i = 0; i < layout->n_known; i++)
	{
		const WfmlKnownColumn *column = &layout->known[i];
		JsonbValue	value;

		if (getKeyJsonValueFromContainer(&given->root, column->name, (int) strlen(column->name), &value) == NULL)
			continue;
		if (column->category)
			values[i].text = given_text(column->name, &value);
		else
			values[i].number = given_number(column->name, &value);
	}
}

WfmlRunSight *
wfml_run_look(const WfmlRunLayout *layout, const char *workflow_id, TimestampTz known_by, Jsonb *given)
{
	WfmlRunSight *sight = palloc0(sizeof(WfmlRunSight));
	Reading		own = {.layout = layout, .context = CurrentMemoryContext};
	int			nest = NewGUCNestLevel();

	/* The last few hundred by an index that has them in order, not all of them sorted. */
	(void) set_config_option("enable_bitmapscan", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	sight->workflow_id = workflow_id;
	sight->known.known_by = known_by;
	sight->given = palloc(sizeof(WfmlRunValue) * (layout->n_known + 1));
	sight->level = palloc0(sizeof(WfPastRuns) * (layout->n_known + 1));
	for (int i = 0; i < layout->n_known; i++)
	{
		if (layout->known[i].category)
			sight->given[i].text = NULL;
		else
			sight->given[i].number = NAN;
	}
	own.last = sight->given;
	sight->known.own = read_past(layout, "workflow_id", workflow_id, known_by, WF_RUN_OWN, &own);
	if (own.upstream)
		sight->known.upstream = read_past(layout, "workflow_id", own.upstream, known_by, WF_RUN_UPSTREAM, NULL);
	sight->known.platform = read_past(layout, NULL, "", known_by, WF_RUN_PLATFORM, NULL);
	read_started(layout, workflow_id, known_by, &sight->known);
	if (given)
		take_given(layout, given, sight->given);
	for (int i = 0; i < layout->n_known; i++)
		if (layout->known[i].category && sight->given[i].text)
			sight->level[i] = read_past(layout, layout->known[i].name, sight->given[i].text, known_by, WF_RUN_LEVEL, NULL);
	AtEOXact_GUC(false, nest);
	return sight;
}

void
wfml_run_slot(const WfmlRunLayout *layout, WfmlRunSight *sight, TimestampTz at, WfmlRunValue *row)
{
	double		features[WF_RUN_N_FEATURES];
	double		level[WF_LEVEL_N_FEATURES];

	sight->known.at = at;
	sight->known.minute = wfml_run_minute(layout, at);
	wf_run_features(&sight->known, features);
	row[0].text = sight->workflow_id;
	for (int i = 0; i < WF_RUN_N_FEATURES; i++)
		row[1 + i].number = features[i];
	for (int i = 0; i < layout->n_known; i++)
	{
		int			place = layout->known[i].place;

		row[place] = sight->given[i];
		if (!layout->known[i].category)
			continue;
		wf_level_features(&sight->known, sight->level[i], features[WF_RUN_PLATFORM_RATE], level);
		for (int j = 0; j < WF_LEVEL_N_FEATURES; j++)
			row[place + 1 + j].number = level[j];
	}
}
