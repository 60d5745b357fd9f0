/*-------------------------------------------------------------------------
 * run_features.c
 *	  SQL functions: what is known of a run before it starts.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include <math.h>

#include "pg/arguments.h"
#include "pg/run_features.h"

PG_FUNCTION_INFO_V1(wfml_run_features);
PG_FUNCTION_INFO_V1(wfml_slot_features);
PG_FUNCTION_INFO_V1(wfml_run_example_columns);

/* ---- a row as jsonb ---- */

/* Exactly, whatever extra_float_digits says: the shortest text that reads back as the same number. */
static Numeric
exact_numeric(double number)
{
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (number == rint(number) && fabs(number) < 1e15)
		return int64_to_numeric((int64) number);
	double_to_shortest_decimal_buf(number, text);
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static Jsonb *
row_jsonb(const WfmlRunLayout *layout, const WfmlRunValue *row)
{
	JsonbParseState *state = NULL;
	JsonbValue *result;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < layout->n_columns; i++)
	{
		JsonbValue	key = {.type = jbvString};
		JsonbValue	value = {.type = jbvNull};

		key.val.string.val = unconstify(char *, layout->names[i]);
		key.val.string.len = (int) strlen(layout->names[i]);
		(void) pushJsonbValue(&state, WJB_KEY, &key);
		if (layout->is_text[i] && row[i].text)
		{
			value.type = jbvString;
			value.val.string.val = unconstify(char *, row[i].text);
			value.val.string.len = (int) strlen(row[i].text);
		}
		else if (!layout->is_text[i] && isfinite(row[i].number))
		{
			value.type = jbvNumeric;
			value.val.numeric = exact_numeric(row[i].number);
		}
		(void) pushJsonbValue(&state, WJB_VALUE, &value);
	}
	result = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(result);
}

/* ---- arguments ---- */

static TimestampTz
time_argument(FunctionCallInfo fcinfo, int i, const char *name)
{
	TimestampTz time;

	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	time = PG_GETARG_TIMESTAMPTZ(i);
	if (TIMESTAMP_NOT_FINITE(time))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be finite", name)));
	return time;
}

static void
check_slot(TimestampTz at, TimestampTz known_by)
{
	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the time of a run must be finite")));
	if (at < known_by)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("known_by must not be after the time of the run"),
				 errdetail("The run is at %s, known_by is %s.", pstrdup(timestamptz_to_str(at)), pstrdup(timestamptz_to_str(known_by))),
				 errhint("What was known when the run started is known_by => the time of the run.")));
}

/* run_features(workflow_id, at, known_by, known) → jsonb */
Datum
wfml_run_features(PG_FUNCTION_ARGS)
{
	char	   *workflow_id = wfml_argument_text(fcinfo, 0, "workflow_id");
	TimestampTz at = time_argument(fcinfo, 1, "at");
	TimestampTz known_by = PG_ARGISNULL(2) ? at : time_argument(fcinfo, 2, "known_by");
	Jsonb	   *known = PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3);
	WfmlRunLayout *layout = wfml_run_layout();
	WfmlRunValue *row = palloc(sizeof(WfmlRunValue) * layout->n_columns);

	check_slot(at, known_by);
	wfml_run_slot(layout, wfml_run_look(layout, workflow_id, known_by, known), at, row);
	PG_RETURN_JSONB_P(row_jsonb(layout, row));
}

static void
put_slot(ReturnSetInfo *result, const WfmlRunLayout *layout, WfmlRunSight *sight, TimestampTz at, WfmlRunValue *row)
{
	Datum		values[4];
	bool		nulls[4] = {false};
	double		rule;

	wfml_run_slot(layout, sight, at, row);
	rule = wf_run_rule(&sight->known);
	values[0] = TimestampTzGetDatum(at);
	values[1] = JsonbPGetDatum(row_jsonb(layout, row));
	values[2] = Float8GetDatum(rule);
	nulls[2] = isnan(rule);
	values[3] = Int64GetDatum((int64) sight->known.own.n);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* slot_features(workflow_id, slots, known_by, known) → (at, features, rule, runs) */
Datum
wfml_slot_features(PG_FUNCTION_ARGS)
{
	char	   *workflow_id = wfml_argument_text(fcinfo, 0, "workflow_id");
	TimestampTz known_by = time_argument(fcinfo, 2, "known_by");
	Jsonb	   *known = PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3);
	WfmlRunLayout *layout = wfml_run_layout();
	WfmlRunValue *row = palloc(sizeof(WfmlRunValue) * layout->n_columns);
	MemoryContext context;
	WfmlRunSight *sight;
	Datum	   *slots;
	bool	   *nulls;
	int			n;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("slots must not be null")));
	InitMaterializedSRF(fcinfo, 0);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TIMESTAMPTZOID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &slots, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			check_slot(DatumGetTimestampTz(slots[i]), known_by);
	sight = wfml_run_look(layout, workflow_id, known_by, known);
	context = AllocSetContextCreate(CurrentMemoryContext, "wfml slot", ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		CHECK_FOR_INTERRUPTS();
		if (!nulls[i])
			put_slot((ReturnSetInfo *) fcinfo->resultinfo, layout, sight, DatumGetTimestampTz(slots[i]), row);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	return (Datum) 0;
}

/* run_example_columns() → text */
Datum
wfml_run_example_columns(PG_FUNCTION_ARGS)
{
	WfmlRunLayout *layout = wfml_run_layout();
	StringInfoData list;

	initStringInfo(&list);
	appendStringInfoString(&list, "at timestamptz, known_by timestamptz, succeeded boolean");
	for (int i = 0; i < layout->n_columns; i++)
		appendStringInfo(&list, ", %s %s", quote_identifier(layout->names[i]), layout->is_text[i] ? "text" : "double precision");
	PG_RETURN_TEXT_P(cstring_to_text(list.data));
}
