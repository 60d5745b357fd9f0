/*-------------------------------------------------------------------------
 * slots.c
 *	  slot_values, slot_policy: core/slots.h for arrays of runs.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "core/slots.h"

PG_FUNCTION_INFO_V1(wfml_slot_values);
PG_FUNCTION_INFO_V1(wfml_slot_policy);

typedef struct Runs
{
	WfSlotRun  *run;
	int			n;
	WfBelief   *who;
	size_t		n_who;
	double		group[WF_N_SLOTS];
} Runs;

/* An array of n values without NULLs; n < 0: of any length, which comes back. */
static void *
take_array(FunctionCallInfo fcinfo, int i, const char *name, Oid type, int *n)
{
	ArrayType  *array;
	int			length;

	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
	array = PG_GETARG_ARRAYTYPE_P(i);
	length = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	if (ARR_NDIM(array) > 1 || ARR_ELEMTYPE(array) != type || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be an array of one dimension without nulls", name)));
	if (*n >= 0 && length != *n)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("argument \"%s\" has %d elements instead of %d", name, length, *n)));
	*n = length;
	return ARR_DATA_PTR(array);
}

static void
take_runs(FunctionCallInfo fcinfo, Runs *r, int group)
{
	const int32 *slot;
	const bool *succeeded;
	const int32 *who;
	int			n = -1;

	memset(r, 0, sizeof(*r));
	slot = take_array(fcinfo, 0, "slots", INT4OID, &n);
	succeeded = take_array(fcinfo, 1, "succeeded", BOOLOID, &n);
	who = take_array(fcinfo, 2, "who", INT4OID, &n);
	r->n = n;
	r->run = palloc(sizeof(WfSlotRun) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		if (slot[i] < 0 || slot[i] >= WF_N_SLOTS)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("slot %d is not between 0 and %d", slot[i], WF_N_SLOTS - 1)));
		if (who[i] < 0 || who[i] > n)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("number %d of \"who\" is not between 0 and the number of runs, %d", who[i], n)));
		r->run[i].slot = (uint8) slot[i];
		r->run[i].succeeded = succeeded[i];
		r->run[i].who = (uint32) who[i];
	}
	r->n_who = (size_t) n + 1;
	r->who = palloc(sizeof(WfBelief) * r->n_who);
	if (!PG_ARGISNULL(group))
	{
		int			n_slots = WF_N_SLOTS;
		const double *counts = take_array(fcinfo, group, "group_runs", FLOAT8OID, &n_slots);

		for (int s = 0; s < WF_N_SLOTS; s++)
			r->group[s] = counts[s] >= 0 && isfinite(counts[s]) ? counts[s] : 0;
	}
}

static void
put(ReturnSetInfo *rsi, const Datum *values, const bool *nulls)
{
	tuplestore_putvalues(rsi->setResult, rsi->setDesc, unconstify(Datum *, values), unconstify(bool *, nulls));
}

/* slot_values(slots, succeeded, who, group_runs, outcome_model) */
Datum
wfml_slot_values(PG_FUNCTION_ARGS)
{
	Runs		r;
	WfSlotModel model;
	WfSlotValue v[WF_N_SLOTS];
	bool		nulls[4] = {false};

	InitMaterializedSRF(fcinfo, 0);
	take_runs(fcinfo, &r, 3);
	if (PG_ARGISNULL(4) || PG_GETARG_BOOL(4))
		wf_slot_values(r.run, (size_t) r.n, r.who, r.n_who, r.group, &model, v);
	else
		wf_slot_rates(r.run, (size_t) r.n, v);
	for (int s = 0; s < WF_N_SLOTS; s++)
	{
		Datum		values[4] = {Int32GetDatum(s), Float8GetDatum(v[s].probability), Float8GetDatum(v[s].lower), Int32GetDatum(v[s].support)};

		put((ReturnSetInfo *) fcinfo->resultinfo, values, nulls);
	}
	return (Datum) 0;
}

/* slot_policy(slots, succeeded, who, windows, allowed, group_runs, outcome_model) */
Datum
wfml_slot_policy(PG_FUNCTION_ARGS)
{
	Runs		r;
	const int32 *window;
	const int64 *allowed;
	WfSlotJudged *judged;
	bool		outcome_model = PG_ARGISNULL(6) || PG_GETARG_BOOL(6);

	InitMaterializedSRF(fcinfo, 0);
	take_runs(fcinfo, &r, 5);
	window = take_array(fcinfo, 3, "windows", INT4OID, &r.n);
	allowed = take_array(fcinfo, 4, "allowed", INT8OID, &r.n);
	judged = palloc(sizeof(WfSlotJudged) * Max(r.n, 1));
	for (int from = 0, to; from < r.n; from = to)
	{
		CHECK_FOR_INTERRUPTS();
		for (to = from + 1; to < r.n && window[to] == window[from]; to++)
			;
		/* negative: history only */
		if (window[from] < 0)
			continue;
		wf_slot_judge(r.run, (size_t) from, (size_t) to, (uint64) allowed[from], outcome_model, r.who, r.n_who, r.group, judged);
		for (int i = from; i < to; i++)
		{
			const WfSlotJudged *j = &judged[i - from];
			Datum		values[4] = {Int32GetDatum(i + 1), Int32GetDatum(j->chosen), Float8GetDatum(j->weight), Float8GetDatum(j->value)};
			bool		nulls[4] = {false, j->chosen < 0, j->chosen < 0, j->chosen < 0};

			put((ReturnSetInfo *) fcinfo->resultinfo, values, nulls);
		}
	}
	return (Datum) 0;
}
