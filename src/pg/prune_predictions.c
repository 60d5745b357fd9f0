/*-------------------------------------------------------------------------
 * prune_predictions.c
 *	  CALL wfml.prune_predictions(older_than): old predictions go.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pg/job.h"
#include "pg/maintain.h"
#include "pg/settings.h"
#include "pg/tables.h"

PG_FUNCTION_INFO_V1(wfml_prune_predictions_call);

/* Rows deleted in one transaction. */
#define BATCH 10000

/*
 * Version by version along the index on model and time; then what has no
 * version any more, or never had.  Of models that are gone altogether
 * everybody deletes what he made.
 */
static const char delete_query[] =
"DELETE FROM wfml.prediction WHERE id = ANY (ARRAY("
"SELECT old.id FROM wfml.registry r JOIN wfml.ml_model m ON m.name = r.name"
" CROSS JOIN LATERAL (SELECT p.id FROM wfml.prediction p WHERE p.model_id = m.id AND p.made_at < $2 LIMIT $3) old"
" WHERE pg_has_role($1, r.owner::oid, 'USAGE')"
" UNION ALL "
"SELECT p.id FROM wfml.prediction p LEFT JOIN wfml.registry r ON r.number = p.model_number"
" WHERE p.model_id IS NULL AND p.made_at < $2 AND pg_has_role($1, coalesce(r.owner, p.made_by)::oid, 'USAGE')"
" LIMIT $3))";

uint64
wfml_delete_predictions(Oid user, TimestampTz before)
{
	Oid			types[] = {OIDOID, TIMESTAMPTZOID, INT4OID};
	Datum		values[] = {ObjectIdGetDatum(user), TimestampTzGetDatum(before), Int32GetDatum(BATCH)};
	WfmlWriter	writer;
	uint64		n;

	wfml_write_begin(&writer, "wfml.prune_predictions()");
	n = wfml_execute(delete_query, 3, types, values, NULL);
	wfml_write_end(&writer);
	return n;
}

/* The moment before which predictions go; false: they are kept for ever. */
static bool
find_moment(FunctionCallInfo fcinfo, TimestampTz *before)
{
	Interval	none = {0};
	Datum		now = TimestampTzGetDatum(GetCurrentTimestamp());

	if (PG_ARGISNULL(0))
	{
		*before = DatumGetTimestampTz(now) - wfml_prediction_retention * USECS_PER_MINUTE;
		return wfml_prediction_retention > 0;
	}
	if (DatumGetBool(DirectFunctionCall2(interval_lt, PG_GETARG_DATUM(0), IntervalPGetDatum(&none))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"older_than\" must not be negative")));
	*before = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval, now, PG_GETARG_DATUM(0)));
	return true;
}

Datum
wfml_prune_predictions_call(PG_FUNCTION_ARGS)
{
	Oid			user = GetUserId();
	TimestampTz before;
	WfmlCommit	commit;
	uint64		all = 0;
	uint64		n;

	if (!find_moment(fcinfo, &before))
	{
		ereport(NOTICE,
				(errmsg("predictions are kept for ever, because wfml.prediction_retention is 0"),
				 errhint("CALL wfml.prune_predictions('90 days') deletes older ones.")));
		PG_RETURN_VOID();
	}
	commit = wfml_procedure_begin(fcinfo, "wfml.prune_predictions()");
	do
	{
		CHECK_FOR_INTERRUPTS();
		PushActiveSnapshot(GetTransactionSnapshot());
		n = wfml_delete_predictions(user, before);
		PopActiveSnapshot();
		all += n;
		wfml_commit_step(commit);
	} while (n > 0);
	SPI_finish();
	ereport(NOTICE,
			(errmsg_plural("deleted " UINT64_FORMAT " prediction", "deleted " UINT64_FORMAT " predictions", (unsigned long) all, all)));
	PG_RETURN_VOID();
}
