/*-------------------------------------------------------------------------
 * policy.c
 *	  set_retrain_policy, drop_retrain_policy, set_keep_versions.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "pg/access.h"
#include "pg/arguments.h"
#include "pg/publish.h"
#include "pg/tables.h"

PG_FUNCTION_INFO_V1(wfml_set_retrain_policy);
PG_FUNCTION_INFO_V1(wfml_drop_retrain_policy);
PG_FUNCTION_INFO_V1(wfml_set_keep_versions);

/* Check the right first, so that a stranger cannot even hold the lock up. */
static void
begin_change(WfmlWriter *writer, const char *command, const char *name)
{
	Oid			user = GetUserId();
	WfmlLocked	locked;

	wfml_check_owner(name);
	wfml_write_begin(writer, command);
	if (!wfml_lock_model(name, user, &locked))
		wfml_unknown_model(name, user);
}

static void
refuse(const char *argument, const char *range)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must be %s", argument, range)));
}

/* NULL means "not for that"; only a limit on time must be. */
static void
check_policy(FunctionCallInfo fcinfo)
{
	if (!PG_ARGISNULL(1))
	{
		Interval	zero = {0};

		if (DatumGetBool(DirectFunctionCall2(interval_le, PG_GETARG_DATUM(1), IntervalPGetDatum(&zero))))
			refuse("max_age", "more than no time at all");
	}
	if (!PG_ARGISNULL(2) && !(PG_GETARG_FLOAT8(2) >= 0 && isfinite(PG_GETARG_FLOAT8(2))))
		refuse("min_score_drop", "0 or more");
	if (!PG_ARGISNULL(3) && !(PG_GETARG_FLOAT8(3) > 0 && isfinite(PG_GETARG_FLOAT8(3))))
		refuse("max_drift", "above 0");
	if (!PG_ARGISNULL(4) && PG_GETARG_INT64(4) < 1)
		refuse("min_new_rows", "1 or more");
	if (PG_ARGISNULL(5) || !(PG_GETARG_FLOAT8(5) >= 1 && PG_GETARG_FLOAT8(5) <= 1e7))
		refuse("max_seconds", "between 1 and 10000000");
	if (PG_ARGISNULL(1) && PG_ARGISNULL(2) && PG_ARGISNULL(3) && PG_ARGISNULL(4))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a retraining policy needs a reason to retrain"),
				 errhint("Give one of max_age, min_score_drop, max_drift and min_new_rows, or end the policy with wfml.drop_retrain_policy().")));
}

/* set_retrain_policy(model, max_age, min_score_drop, max_drift, min_new_rows, max_seconds) */
Datum
wfml_set_retrain_policy(PG_FUNCTION_ARGS)
{
	char	   *name = wfml_argument_text(fcinfo, 0, "model");
	Oid			types[] = {TEXTOID, INTERVALOID, FLOAT8OID, FLOAT8OID, INT8OID, FLOAT8OID};
	Datum		values[6];
	char		nulls[6];
	WfmlWriter	writer;

	check_policy(fcinfo);
	for (int i = 0; i < 6; i++)
	{
		values[i] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	begin_change(&writer, "wfml.set_retrain_policy()", name);
	wfml_execute("INSERT INTO wfml.retrain_policy (model, max_age, min_score_drop, max_drift, min_new_rows, max_seconds)"
				 " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (model) DO UPDATE SET max_age = $2, min_score_drop = $3,"
				 " max_drift = $4, min_new_rows = $5, max_seconds = $6", 6, types, values, nulls);
	wfml_write_end(&writer);
	PG_RETURN_VOID();
}

/* drop_retrain_policy(model) → whether it had one */
Datum
wfml_drop_retrain_policy(PG_FUNCTION_ARGS)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {PG_GETARG_DATUM(0)};
	WfmlWriter	writer;
	uint64		n;

	begin_change(&writer, "wfml.drop_retrain_policy()", text_to_cstring(PG_GETARG_TEXT_PP(0)));
	n = wfml_execute("DELETE FROM wfml.retrain_policy WHERE model = $1", 1, types, values, NULL);
	wfml_write_end(&writer);
	PG_RETURN_BOOL(n > 0);
}

/* set_keep_versions(model, versions) */
Datum
wfml_set_keep_versions(PG_FUNCTION_ARGS)
{
	Oid			types[] = {TEXTOID, INT4OID};
	Datum		values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	WfmlWriter	writer;

	if (PG_GETARG_INT32(1) < 1)
		refuse("versions", "1 or more");
	begin_change(&writer, "wfml.set_keep_versions()", text_to_cstring(PG_GETARG_TEXT_PP(0)));
	wfml_execute("UPDATE wfml.registry SET keep_versions = $2 WHERE name = $1", 2, types, values, NULL);
	wfml_write_end(&writer);
	PG_RETURN_VOID();
}
