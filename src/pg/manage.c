/*-------------------------------------------------------------------------
 * manage.c
 *	  activate, rollback, retire, drop_model, rename_model and settings of a
 *	  model's registry row.
 *
 * Each locks the registry row, checks the owner, and changes rows; all of it
 * is ordinary transactional work.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "pg/access.h"
#include "pg/attached.h"
#include "pg/compat.h"
#include "pg/predictionlog.h"
#include "pg/publish.h"
#include "pg/registry.h"
#include "pg/tables.h"
#include "pg/traffic.h"
#include "pg/usage.h"

PG_FUNCTION_INFO_V1(wfml_activate);
PG_FUNCTION_INFO_V1(wfml_rollback);
PG_FUNCTION_INFO_V1(wfml_retire);
PG_FUNCTION_INFO_V1(wfml_drop_model);
PG_FUNCTION_INFO_V1(wfml_rename_model);
PG_FUNCTION_INFO_V1(wfml_set_comment);
PG_FUNCTION_INFO_V1(wfml_set_source);

/* ---- common ---- */

/* Check before taking a lock, so that a stranger cannot even hold it up. */
static void
begin_change(WfmlWriter *writer, const char *command, const char *name, WfmlLocked *locked)
{
	Oid			user = GetUserId();

	wfml_check_owner(name);
	wfml_write_begin(writer, command);
	if (!wfml_lock_model(name, user, locked))
		wfml_unknown_model(name, user);
}

typedef struct Version
{
	int64		id;
	bool		retired;
} Version;

static Version
find_version(const char *name, int32 version)
{
	Oid			types[] = {TEXTOID, INT4OID};
	Datum		values[] = {CStringGetTextDatum(name), Int32GetDatum(version)};
	Version		found;
	bool		isnull;

	if (wfml_execute("SELECT id, status = 'retired' FROM wfml.ml_model WHERE name = $1 AND version = $2",
					 2, types, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WFML_UNKNOWN_MODEL),
				 errmsg("model \"%s\" has no version %d", name, version),
				 errhint("The view wfml.versions lists its versions.")));
	found.id = DatumGetInt64(wfml_result(0, 1, &isnull));
	found.retired = DatumGetBool(wfml_result(0, 2, &isnull));
	return found;
}

static void
set_status(int64 id, const char *status)
{
	Oid			types[] = {INT8OID, TEXTOID};
	Datum		values[] = {Int64GetDatum(id), CStringGetTextDatum(status)};

	wfml_execute("UPDATE wfml.ml_model SET status = $2 WHERE id = $1", 2, types, values, NULL);
}

/* ---- which version is active ---- */

/* activate(model, version) */
Datum
wfml_activate(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int32		number = PG_GETARG_INT32(1);
	WfmlWriter	writer;
	WfmlLocked	locked;
	Version		version;

	begin_change(&writer, "wfml.activate()", name, &locked);
	version = find_version(name, number);
	if (version.retired)
		set_status(version.id, "ready");
	if (version.id != locked.active_id)
		wfml_set_active(name, version.id, number, writer.user);
	wfml_write_end(&writer);
	PG_RETURN_VOID();
}

/*
 * The history is a stack: rolling back marks its top undone and returns to
 * the activation below, so doing it twice goes back two steps.
 */
static const char previous_query[] =
"SELECT a.id, m.version FROM wfml.activation a JOIN wfml.ml_model m ON m.id = a.id AND m.status = 'ready'"
" WHERE a.model = $1 AND a.undone_at IS NULL AND a.id <> $2"
" AND a.seq < (SELECT max(t.seq) FROM wfml.activation t WHERE t.model = $1 AND t.undone_at IS NULL AND t.id = $2)"
" ORDER BY a.seq DESC LIMIT 1";

static const char undo_query[] =
"UPDATE wfml.activation SET undone_at = clock_timestamp() WHERE model = $1 AND undone_at IS NULL"
" AND seq > (SELECT max(t.seq) FROM wfml.activation t WHERE t.model = $1 AND t.undone_at IS NULL AND t.id = $2)";

static const char return_query[] =
"UPDATE wfml.registry SET active_id = $2, active_version = $3 WHERE name = $1";

/* rollback(model) → the version that is active again */
Datum
wfml_rollback(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Oid			types[] = {TEXTOID, INT8OID, INT4OID};
	Datum		values[3];
	WfmlWriter	writer;
	WfmlLocked	locked;
	bool		isnull;

	begin_change(&writer, "wfml.rollback()", name, &locked);
	values[0] = CStringGetTextDatum(name);
	values[1] = Int64GetDatum(locked.active_id);
	if (wfml_execute(previous_query, 2, types, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" has no earlier version to return to", name),
				 errhint("The view wfml.versions lists its versions; wfml.activate() takes any of them.")));
	values[1] = wfml_result(0, 1, &isnull);
	values[2] = wfml_result(0, 2, &isnull);
	wfml_execute(undo_query, 2, types, values, NULL);
	wfml_execute(return_query, 3, types, values, NULL);
	wfml_traffic_end(name, 0);
	wfml_write_end(&writer);
	PG_RETURN_INT32(DatumGetInt32(values[2]));
}

/* retire(model, version): kept, but no longer usable by name */
Datum
wfml_retire(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int32		number = PG_GETARG_INT32(1);
	WfmlWriter	writer;
	WfmlLocked	locked;
	Version		version;

	begin_change(&writer, "wfml.retire()", name, &locked);
	version = find_version(name, number);
	if (version.id == locked.active_id)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot retire version %d of model \"%s\" because it is active", number, name),
				 errhint("Activate another version first.")));
	wfml_refuse_used_version("retire", name, number, version.id);
	wfml_traffic_end(name, number);
	set_status(version.id, "retired");
	wfml_write_end(&writer);
	PG_RETURN_VOID();
}

/* ---- dropping ---- */

static void
drop_version(const char *name, int32 number, const WfmlLocked *locked)
{
	Version		version = find_version(name, number);
	Oid			types[] = {INT8OID, TEXTOID};
	Datum		values[] = {Int64GetDatum(version.id), CStringGetTextDatum(name)};

	wfml_refuse_used_version("drop", name, number, version.id);
	if (version.id == locked->active_id)
	{
		if (wfml_execute("SELECT FROM wfml.ml_model WHERE name = $2 AND id <> $1", 2, types, values, NULL) > 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("cannot drop version %d of model \"%s\" because it is active", number, name),
					 errhint("Activate another version first, or drop the whole model.")));
		wfml_refuse_used_name("drop", name);
		/* Its rule can go on without any version. */
		if (!locked->has_fallback)
			wfml_refuse_attached("drop the last version of", name);
		wfml_execute("UPDATE wfml.registry SET active_id = NULL, active_version = NULL WHERE name = $2",
					 2, types, values, NULL);
	}
	wfml_traffic_end(name, number);
	wfml_execute("DELETE FROM wfml.ml_model WHERE id = $1", 1, types, values, NULL);
}

static void
drop_all(const char *name)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};
	uint64		n = wfml_execute("SELECT id, version FROM wfml.ml_model WHERE name = $1", 1, types, values, NULL);
	int64	   *ids = palloc(sizeof(int64) * (n + 1));
	int32	   *numbers = palloc(sizeof(int32) * (n + 1));

	for (uint64 i = 0; i < n; i++)
	{
		bool		isnull;

		ids[i] = DatumGetInt64(wfml_result(i, 1, &isnull));
		numbers[i] = DatumGetInt32(wfml_result(i, 2, &isnull));
	}
	wfml_refuse_used_name("drop", name);
	wfml_refuse_attached("drop", name);
	for (uint64 i = 0; i < n; i++)
		wfml_refuse_used_version("drop", name, numbers[i], ids[i]);
	/* The next model of this name may be somebody else's. */
	wfml_execute("DELETE FROM wfml.evaluation WHERE model = $1", 1, types, values, NULL);
	wfml_execute("DELETE FROM wfml.ml_model WHERE name = $1", 1, types, values, NULL);
	wfml_execute("DELETE FROM wfml.registry WHERE name = $1", 1, types, values, NULL);
}

/* drop_model(model, version): without a version the whole model */
Datum
wfml_drop_model(PG_FUNCTION_ARGS)
{
	char	   *name;
	WfmlWriter	writer;
	WfmlLocked	locked;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model must not be null")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	begin_change(&writer, "wfml.drop_model()", name, &locked);
	if (PG_ARGISNULL(1))
		drop_all(name);
	else
		drop_version(name, PG_GETARG_INT32(1), &locked);
	wfml_write_end(&writer);
	PG_RETURN_VOID();
}

/* ---- the registry row ---- */

/* rename_model(old_name, new_name) */
Datum
wfml_rename_model(PG_FUNCTION_ARGS)
{
	char	   *old_name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *new_name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Oid			types[] = {TEXTOID, TEXTOID};
	Datum		values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	WfmlWriter	writer;
	WfmlLocked	locked;

	wfml_check_model_name(new_name);
	begin_change(&writer, "wfml.rename_model()", old_name, &locked);
	if (wfml_execute("SELECT FROM wfml.registry WHERE name = $2", 2, types, values, NULL) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" already exists", new_name)));
	wfml_refuse_used_name("rename", old_name);
	/* Versions, grants, attachments and history follow by their foreign keys. */
	wfml_execute("UPDATE wfml.registry SET name = $2 WHERE name = $1", 2, types, values, NULL);
	wfml_execute("UPDATE wfml.evaluation SET model = $2 WHERE model = $1", 2, types, values, NULL);
	wfml_log_renamed(old_name, new_name);
	wfml_attached_rename(old_name, new_name);
	wfml_write_end(&writer);
	PG_RETURN_VOID();
}

/* set_comment(model, comment): NULL removes it */
Datum
wfml_set_comment(PG_FUNCTION_ARGS)
{
	Oid			types[] = {TEXTOID, TEXTOID};
	Datum		values[2];
	char		nulls[2] = {' ', PG_ARGISNULL(1) ? 'n' : ' '};
	WfmlWriter	writer;
	WfmlLocked	locked;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model must not be null")));
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_ARGISNULL(1) ? (Datum) 0 : PG_GETARG_DATUM(1);
	begin_change(&writer, "wfml.set_comment()", text_to_cstring(DatumGetTextPP(values[0])), &locked);
	wfml_execute("UPDATE wfml.registry SET comment = $2 WHERE name = $1", 2, types, values, nulls);
	wfml_write_end(&writer);
	PG_RETURN_VOID();
}

/*
 * set_source(model, source, target): what retraining the active version will
 * read, for a table that was renamed.  Nothing is read now.
 */
Datum
wfml_set_source(PG_FUNCTION_ARGS)
{
	Oid			types[] = {INT8OID, TEXTOID, TEXTOID};
	Datum		values[3];
	char		nulls[3] = {' ', ' ', PG_ARGISNULL(2) ? 'n' : ' '};
	char	   *name;
	WfmlWriter	writer;
	WfmlLocked	locked;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model and source must not be null")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	begin_change(&writer, "wfml.set_source()", name, &locked);
	values[0] = Int64GetDatum(locked.active_id);
	values[1] = PG_GETARG_DATUM(1);
	values[2] = PG_ARGISNULL(2) ? (Datum) 0 : PG_GETARG_DATUM(2);
	if (wfml_execute("UPDATE wfml.ml_model SET source = $2, target = coalesce($3, target),"
					 " arguments = arguments || jsonb_build_object('source', $2, 'target', coalesce($3, target))"
					 " WHERE id = $1", 3, types, values, nulls) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WFML_UNKNOWN_MODEL),
				 errmsg("model \"%s\" has no active version", name)));
	wfml_write_end(&writer);
	PG_RETURN_VOID();
}
