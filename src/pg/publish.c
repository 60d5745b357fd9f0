/*-------------------------------------------------------------------------
 * publish.c
 *	  A trained model becomes rows: registry, version, chunks, activation.
 *
 * The version number is taken while the registry row is locked, so of two
 * trainers of one name both succeed and the last to commit is active.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "pg/access.h"
#include "pg/compat.h"
#include "pg/publish.h"
#include "pg/settings.h"
#include "pg/tables.h"
#include "pg/traffic.h"

#define CHUNK_BYTES (4 * 1024 * 1024)

void
wfml_check_may_train(const char *name)
{
	Oid			owner;

	wfml_check_model_name(name);
	if (wfml_find_owner(name, &owner) && !wfml_is_owner(owner, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of model \"%s\"", name),
				 errhint("Choose another name for your model.")));
}

/*
 * Lock the registry row for the rest of the transaction and check its owner as
 * it is now; false: no such row.
 */
bool
wfml_lock_model(const char *name, Oid user, WfmlLocked *locked)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};
	bool		isnull;
	Oid			owner;

	if (wfml_execute("SELECT owner::oid, active_id, active_version, last_version, fallback IS NOT NULL FROM wfml.registry WHERE name = $1 FOR UPDATE",
					 1, types, values, NULL) == 0)
		return false;
	owner = DatumGetObjectId(wfml_result(0, 1, &isnull));
	locked->active_id = DatumGetInt64(wfml_result(0, 2, &isnull));
	if (isnull)
		locked->active_id = 0;
	locked->active_version = DatumGetInt32(wfml_result(0, 3, &isnull));
	if (isnull)
		locked->active_version = 0;
	locked->last_version = DatumGetInt32(wfml_result(0, 4, &isnull));
	locked->has_fallback = DatumGetBool(wfml_result(0, 5, &isnull));
	if (!wfml_is_owner(owner, user))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of model \"%s\"", name)));
	return true;
}

void
wfml_set_active(const char *name, int64 id, int32 version, Oid user)
{
	Oid			types[] = {TEXTOID, INT8OID, INT4OID, NAMEOID};
	NameData	by;
	Datum		values[4];

	namestrcpy(&by, GetUserNameFromId(user, false));
	values[0] = CStringGetTextDatum(name);
	values[1] = Int64GetDatum(id);
	values[2] = Int32GetDatum(version);
	values[3] = NameGetDatum(&by);
	wfml_execute("UPDATE wfml.registry SET active_id = $2, active_version = $3 WHERE name = $1", 3, types, values, NULL);
	wfml_execute("INSERT INTO wfml.activation (model, id, by) VALUES ($1, $2, $4)", 4, types, values, NULL);
	wfml_traffic_end(name, 0);
}

void
wfml_lock_or_create_model(const char *name, Oid user, WfmlLocked *locked)
{
	Oid			types[] = {TEXTOID, OIDOID};
	Datum		values[] = {CStringGetTextDatum(name), ObjectIdGetDatum(user)};

	wfml_execute("INSERT INTO wfml.registry (name, owner) VALUES ($1, $2::regrole) ON CONFLICT (name) DO NOTHING",
				 2, types, values, NULL);
	if (!wfml_lock_model(name, user, locked))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("model \"%s\" was dropped by another session meanwhile", name)));
}

static void
take_version(WfmlPublication *p, const char *search_path, const char *timezone, const WfmlLocked *locked)
{
	Oid			types[] = {TEXTOID, INT4OID, TEXTOID, TEXTOID};
	Datum		values[4];

	p->version = locked->last_version + 1;
	values[0] = CStringGetTextDatum(p->name);
	values[1] = Int32GetDatum(p->version);
	values[2] = CStringGetTextDatum(search_path);
	values[3] = CStringGetTextDatum(timezone);
	wfml_execute("UPDATE wfml.registry SET last_version = $2, search_path = $3, timezone = $4 WHERE name = $1",
				 4, types, values, NULL);
}

/* ---- the version's row ---- */

#define N_VERSION_COLUMNS 17

typedef struct Row
{
	Oid			types[N_VERSION_COLUMNS];
	Datum		values[N_VERSION_COLUMNS];
	char		nulls[N_VERSION_COLUMNS];
	int			n;
} Row;

static void
add(Row *row, Oid type, Datum value, bool isnull)
{
	Assert(row->n < N_VERSION_COLUMNS);
	row->types[row->n] = type;
	row->values[row->n] = value;
	row->nulls[row->n] = isnull ? 'n' : ' ';
	row->n++;
}

static void
add_text(Row *row, const char *value)
{
	add(row, TEXTOID, value ? CStringGetTextDatum(value) : (Datum) 0, value == NULL);
}

static void
add_json(Row *row, Jsonb *value, const char *otherwise)
{
	add(row, JSONBOID,
		value ? JsonbPGetDatum(value) : DirectFunctionCall1(jsonb_in, CStringGetDatum(otherwise)), false);
}

static bytea *
checksum(const void *bytes, size_t length)
{
	bytea	   *sum = palloc(VARHDRSZ + PG_SHA256_DIGEST_LENGTH);

	SET_VARSIZE(sum, VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	wfml_sha256(bytes, length, (uint8 *) VARDATA(sum));
	return sum;
}

static void
insert_version(WfmlPublication *p)
{
	Row			row = {.n = 0};
	bool		isnull;

	add_text(&row, p->name);
	add(&row, INT4OID, Int32GetDatum(p->version), false);
	add(&row, INT8OID, Int64GetDatum((int64) p->artifact_bytes), false);
	add(&row, BYTEAOID, PointerGetDatum(checksum(p->artifact, p->artifact_bytes)), false);
	add_json(&row, p->metrics, "[]");
	add_text(&row, p->algorithm);
	add_text(&row, p->task);
	add_text(&row, p->source);
	add_text(&row, p->target);
	add_text(&row, p->positive);
	add_json(&row, p->features, "[]");
	add_json(&row, p->params, "{}");
	add_json(&row, p->arguments, "{}");
	add(&row, INT8OID, Int64GetDatum(p->seed), false);
	add(&row, INT8OID, Int64GetDatum(p->training_rows), false);
	add(&row, FLOAT8OID, Float8GetDatum(p->training_seconds), false);
	add(&row, INT4OID, Int32GetDatum(p->format_version), false);
	wfml_execute("INSERT INTO wfml.ml_model (name, version, artifact_bytes, artifact_sha256, metrics, algorithm, task,"
				 " source, target, positive, features, params, arguments, seed, training_rows, training_seconds, format_version)"
				 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) RETURNING id",
				 row.n, row.types, row.values, row.nulls);
	p->id = DatumGetInt64(wfml_result(0, 1, &isnull));
}

/* ---- its bytes ---- */

static void
insert_chunks(const WfmlPublication *p)
{
	Oid			types[] = {INT8OID, INT4OID, BYTEAOID};
	bytea	   *chunk = palloc(VARHDRSZ + Min(p->artifact_bytes, CHUNK_BYTES));
	SPIPlanPtr	plan = SPI_prepare("INSERT INTO wfml.ml_artifact (model_id, seq, bytes) VALUES ($1, $2, $3)", 3, types);
	int32		seq = 0;

	if (plan == NULL)
		elog(ERROR, "could not prepare an insert into wfml.ml_artifact: %s", SPI_result_code_string(SPI_result));
	for (size_t at = 0; at < p->artifact_bytes; at += CHUNK_BYTES)
	{
		size_t		length = Min(p->artifact_bytes - at, CHUNK_BYTES);
		Datum		values[3];
		int			rc;

		CHECK_FOR_INTERRUPTS();
		SET_VARSIZE(chunk, VARHDRSZ + length);
		memcpy(VARDATA(chunk), (const char *) p->artifact + at, length);
		values[0] = Int64GetDatum(p->id);
		values[1] = Int32GetDatum(seq++);
		values[2] = PointerGetDatum(chunk);
		rc = SPI_execute_plan(plan, values, NULL, false, 0);
		if (rc != SPI_OK_INSERT)
			elog(ERROR, "could not insert into wfml.ml_artifact: %s", SPI_result_code_string(rc));
	}
	SPI_freeplan(plan);
	pfree(chunk);
}

void
wfml_publish(WfmlPublication *p)
{
	WfmlWriter	writer;
	WfmlLocked	locked;
	/* The caller's, before the writer pins its own. */
	char	   *search_path = pstrdup(p->search_path ? p->search_path : GetConfigOption("search_path", false, false));
	char	   *timezone = pstrdup(p->timezone ? p->timezone : GetConfigOption("TimeZone", false, false));

	wfml_check_may_train(p->name);
	if (p->artifact_bytes > (size_t) wfml_max_model_size * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("model \"%s\" has %zu MB, more than wfml.max_model_size", p->name, p->artifact_bytes >> 20)));
	wfml_write_begin(&writer, "wfml.train()");
	wfml_lock_or_create_model(p->name, writer.user, &locked);
	take_version(p, search_path, timezone, &locked);
	insert_version(p);
	insert_chunks(p);
	p->replaced_id = locked.active_id;
	p->replaced_version = locked.active_version;
	if (p->activate)
		wfml_set_active(p->name, p->id, p->version, writer.user);
	wfml_write_end(&writer);
}
