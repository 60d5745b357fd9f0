/*-------------------------------------------------------------------------
 * workflow_schedule.c
 *	  Writing schedules, their plans, firings and decisions, for the SQL of
 *	  the workflow floor, which has checked what they say.
 *
 * A schedule is changed by whoever has its owner's rights.  Plans and
 * decisions are notes only: where nothing can be written, or another
 * transaction holds the row, they are left out, and nobody waits.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "pg/owner.h"
#include "pg/tables.h"

PG_FUNCTION_INFO_V1(wfml_put_schedule);
PG_FUNCTION_INFO_V1(wfml_remove_schedule);
PG_FUNCTION_INFO_V1(wfml_enable_schedule);
PG_FUNCTION_INFO_V1(wfml_stamp_schedule);
PG_FUNCTION_INFO_V1(wfml_note_plan);
PG_FUNCTION_INFO_V1(wfml_note_decision);
PG_FUNCTION_INFO_V1(wfml_prune_decisions);
PG_FUNCTION_INFO_V1(wfml_decide_as_owner);

#define MAX_ARGUMENTS 12

/* Every so many new decisions some that are older than this go. */
#define PRUNE_EVERY 64
#define PRUNE_ROWS 1000
#define KEEP "90 days"

static bool
can_write(void)
{
	return !XactReadOnly && !RecoveryInProgress();
}

/* The function's arguments, then the current user. */
static uint64
execute(FunctionCallInfo fcinfo, const char *sql, const Oid *types, Oid user)
{
	Oid			all[MAX_ARGUMENTS + 1];
	Datum		values[MAX_ARGUMENTS + 1];
	char		nulls[MAX_ARGUMENTS + 1];
	int			n = PG_NARGS();

	for (int i = 0; i < n; i++)
	{
		all[i] = types[i];
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
		values[i] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
	}
	all[n] = OIDOID;
	values[n] = ObjectIdGetDatum(user);
	nulls[n] = ' ';
	return wfml_execute(sql, n + 1, all, values, nulls);
}

/* put_schedule(workflow_id, type, spec, next_at) → id */
Datum
wfml_put_schedule(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {TEXTOID, TEXTOID, JSONBOID, TIMESTAMPTZOID};
	Oid			user = GetUserId();
	WfmlWriter	writer;
	bool		isnull;
	int64		id;

	wfml_write_begin(&writer, "wfml.schedule()");
	execute(fcinfo, "INSERT INTO wfml.schedule AS s (workflow_id, type, spec, next_at, owner) VALUES ($1, $2, wfml.check_schedule($2, $3), $4, $5::regrole)"
			" ON CONFLICT (workflow_id, owner) DO UPDATE SET type = $2, spec = excluded.spec, next_at = $4, enabled = true,"
			" seen_at = NULL, created_at = pg_catalog.clock_timestamp() RETURNING s.id", types, user);
	id = DatumGetInt64(wfml_result(0, 1, &isnull));
	wfml_execute("INSERT INTO wfml.schedule_plan (schedule) VALUES ($1)"
				 " ON CONFLICT (schedule) DO UPDATE SET opens = NULL, closes = NULL, slots = NULL, source = NULL",
				 1, (Oid[]) {INT8OID}, (Datum[]) {Int64GetDatum(id)}, NULL);
	wfml_write_end(&writer);
	PG_RETURN_INT64(id);
}

/* remove_schedule(id) → whether there was one of the caller's roles */
Datum
wfml_remove_schedule(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {INT8OID};
	Oid			user = GetUserId();
	WfmlWriter	writer;
	uint64		n;

	wfml_write_begin(&writer, "wfml.unschedule()");
	n = execute(fcinfo, "DELETE FROM wfml.schedule WHERE id = $1 AND pg_catalog.pg_has_role($2, owner::oid, 'USAGE')", types, user);
	wfml_write_end(&writer);
	PG_RETURN_BOOL(n > 0);
}

/* enable_schedule(id, enabled) → whether there was one of the caller's roles */
Datum
wfml_enable_schedule(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {INT8OID, BOOLOID};
	Oid			user = GetUserId();
	WfmlWriter	writer;
	uint64		n;

	wfml_write_begin(&writer, "wfml.set_schedule_enabled()");
	n = execute(fcinfo, "UPDATE wfml.schedule SET enabled = $2 WHERE id = $1 AND pg_catalog.pg_has_role($3, owner::oid, 'USAGE')", types, user);
	wfml_write_end(&writer);
	PG_RETURN_BOOL(n > 0);
}

/*
 * stamp_schedule(id, last_fired_at, next_at, at, new_next_at, new_seen_at) →
 * whether it was still as the decision found it and nobody else has it.
 */
Datum
wfml_stamp_schedule(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Oid			user = GetUserId();
	WfmlWriter	writer;
	uint64		n;

	wfml_write_begin(&writer, "wfml.claim_due()");
	n = execute(fcinfo, "WITH free AS MATERIALIZED (SELECT s.id FROM wfml.schedule s WHERE s.id = $1 AND s.enabled"
				" AND s.last_fired_at IS NOT DISTINCT FROM $2 AND s.next_at IS NOT DISTINCT FROM $3"
				" AND pg_catalog.pg_has_role($7, s.owner::oid, 'USAGE') FOR UPDATE SKIP LOCKED)"
				" UPDATE wfml.schedule u SET last_fired_at = $4, next_at = $5, seen_at = coalesce($6, u.seen_at),"
				" fired = u.fired + 1 FROM free WHERE u.id = free.id", types, user);
	wfml_write_end(&writer);
	PG_RETURN_BOOL(n > 0);
}

/* note_plan(schedule, opens, closes, slots, source): whether it was kept */
Datum
wfml_note_plan(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, JSONBOID, TEXTOID};
	Oid			user = GetUserId();
	WfmlWriter	writer;
	uint64		n;

	/* Under one snapshot for all statements a row that others changed meanwhile would be an error. */
	if (!can_write() || IsolationUsesXactSnapshot())
		PG_RETURN_BOOL(false);
	wfml_write_begin(&writer, NULL);
	n = execute(fcinfo, "WITH free AS MATERIALIZED (SELECT p.schedule FROM wfml.schedule_plan p JOIN wfml.schedule s ON s.id = p.schedule"
				" WHERE p.schedule = $1 AND pg_catalog.pg_has_role($6, s.owner::oid, 'USAGE') FOR UPDATE OF p SKIP LOCKED)"
				" UPDATE wfml.schedule_plan u SET opens = $2, closes = $3, slots = $4, source = $5, planned_at = pg_catalog.clock_timestamp()"
				" FROM free WHERE u.schedule = free.schedule", types, user);
	wfml_write_end(&writer);
	PG_RETURN_BOOL(n > 0);
}

static void
prune_some(void)
{
	wfml_execute("DELETE FROM wfml.schedule_decision WHERE id = ANY (ARRAY(SELECT d.id FROM"
				 " (SELECT o.id, o.noted_at FROM wfml.schedule_decision o ORDER BY o.id LIMIT $1) d"
				 " JOIN wfml.schedule_decision l USING (id)"
				 " WHERE d.noted_at < pg_catalog.clock_timestamp() - interval '" KEEP "' FOR UPDATE OF l SKIP LOCKED))",
				 1, (Oid[]) {INT8OID}, (Datum[]) {Int64GetDatum(PRUNE_ROWS)}, NULL);
}

/* Whose decision it is: the owner's of a schedule whose rights the user has, else his own. */
static Oid
decision_owner(FunctionCallInfo fcinfo, Oid user)
{
	Datum		values[2] = {PG_GETARG_DATUM(0), ObjectIdGetDatum(user)};
	bool		isnull;

	if (PG_ARGISNULL(0) ||
		wfml_execute("SELECT s.owner::oid FROM wfml.schedule s WHERE s.id = $1 AND pg_catalog.pg_has_role($2, s.owner::oid, 'USAGE')",
					 2, (Oid[]) {INT8OID, OIDOID}, values, NULL) == 0)
		return user;
	return DatumGetObjectId(wfml_result(0, 1, &isnull));
}

/*
 * note_decision(schedule, workflow_id, type, at, run, claimed, probability, source, reason, alternatives)
 * A repetition of the last decision about that workflow is counted in its row.
 */
Datum
wfml_note_decision(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {INT8OID, TEXTOID, TEXTOID, TIMESTAMPTZOID, BOOLOID, BOOLOID, FLOAT8OID, TEXTOID, TEXTOID, JSONBOID};
	Oid			user = GetUserId();
	WfmlWriter	writer;
	uint64		n = 0;
	bool		isnull;

	if (!can_write() || IsInParallelMode())
		PG_RETURN_VOID();
	wfml_write_begin(&writer, NULL);
	user = decision_owner(fcinfo, user);
	if (!IsolationUsesXactSnapshot() && !(!PG_ARGISNULL(5) && PG_GETARG_BOOL(5)))
		n = execute(fcinfo, "WITH last AS MATERIALIZED (SELECT d.id FROM wfml.schedule_decision d"
					" WHERE d.workflow_id = $2 AND d.owner = $11::regrole ORDER BY d.id DESC LIMIT 1),"
					" same AS MATERIALIZED (SELECT d.id FROM wfml.schedule_decision d JOIN last USING (id)"
					" WHERE d.schedule IS NOT DISTINCT FROM $1 AND d.type IS NOT DISTINCT FROM $3 AND d.run = $5 AND NOT d.claimed"
					" AND d.probability IS NOT DISTINCT FROM $7 AND d.source = $8 AND d.reason = $9"
					" AND d.alternatives IS NOT DISTINCT FROM $10 FOR UPDATE OF d SKIP LOCKED)"
					" UPDATE wfml.schedule_decision u SET last_at = $4, times = u.times + 1, noted_at = pg_catalog.clock_timestamp()"
					" FROM same WHERE u.id = same.id", types, user);
	if (n == 0)
	{
		execute(fcinfo, "INSERT INTO wfml.schedule_decision AS d"
				" (schedule, workflow_id, type, first_at, last_at, run, claimed, probability, source, reason, alternatives, owner)"
				" VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9, $10, $11::regrole) RETURNING d.id", types, user);
		if (DatumGetInt64(wfml_result(0, 1, &isnull)) % PRUNE_EVERY == 0)
			prune_some();
	}
	wfml_write_end(&writer);
	PG_RETURN_VOID();
}

/* prune_decisions(older_than) → rows */
Datum
wfml_prune_decisions(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {INTERVALOID};
	Oid			user = GetUserId();
	WfmlWriter	writer;
	uint64		n;

	wfml_write_begin(&writer, "wfml.prune_decisions()");
	n = execute(fcinfo, "DELETE FROM wfml.schedule_decision WHERE noted_at < pg_catalog.clock_timestamp() - $1"
				" AND pg_catalog.pg_has_role($2, owner::oid, 'USAGE')", types, user);
	wfml_write_end(&writer);
	PG_RETURN_INT64((int64) n);
}

/* ---- deciding ---- */

/* decide_as_owner(schedule, at): decide() as the schedule's owner, whose rights the caller must have */
Datum
wfml_decide_as_owner(PG_FUNCTION_ARGS)
{
	HeapTupleHeader schedule = PG_GETARG_HEAPTUPLEHEADER(0);
	Oid			types[2] = {HeapTupleHeaderGetTypeId(schedule), TIMESTAMPTZOID};
	Datum		values[2] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	HeapTupleHeader result;
	TupleDesc	desc;
	WfmlAsOwner as;
	bool		isnull;
	Oid			owner = DatumGetObjectId(GetAttributeByName(schedule, "owner", &isnull));

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (isnull || !has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for a schedule of another role")));
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(owner)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the role that owns the schedule does not exist any more"),
				 errhint("Remove it with wfml.remove_schedule() and its id in wfml.schedules.")));
	wfml_as_owner_begin(&as, owner, NULL, NULL);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (wfml_execute("SELECT d.run, d.probability, d.reason, d.source, d.alternatives, d.next_at, d.seen_at FROM wfml.decide($1, $2) d",
					 2, types, values, NULL) != 1)
		elog(ERROR, "a schedule was not judged");
	result = SPI_returntuple(SPI_tuptable->vals[0], BlessTupleDesc(desc));
	SPI_finish();
	wfml_as_owner_end(&as);
	PG_RETURN_HEAPTUPLEHEADER(result);
}
