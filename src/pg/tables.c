/*-------------------------------------------------------------------------
 * tables.c
 *	  wfml's own tables: their OIDs, when they changed, writing to them.
 *
 * The OIDs are looked up once and again after any change.  Changes are heard
 * through relcache invalidation, which triggers on registry, ml_model and
 * model_grant send (registry.sql): to others at commit, to ourselves at the end
 * of the command and when a subtransaction rolls back.  The callback may run
 * inside any lock acquisition, so it only counts.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/compat.h"
#include "pg/tables.h"

static WfmlTables tables;
static bool tables_valid = false;
static bool listening = false;
static uint64 generation = 1;

PG_FUNCTION_INFO_V1(wfml_registry_changed);

/* ---- what and where ---- */

static void
relation_changed(Datum arg, Oid relation)
{
	if (relation == InvalidOid || relation == tables.registry ||
		relation == tables.ml_model || relation == tables.model_grant)
	{
		tables_valid = false;
		generation++;
	}
}

static void
listen(void)
{
	if (!listening)
	{
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
		listening = true;
	}
}

static Oid
find_relation(const char *name, Oid schema)
{
	Oid			found = get_relname_relid(name, schema);

	if (!OidIsValid(found))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"wfml.%s\" does not exist", name),
				 errhint("Create the extension wfml in this database, or update it with ALTER EXTENSION wfml UPDATE.")));
	return found;
}

const WfmlTables *
wfml_tables(void)
{
	uint64		started;

	if (tables_valid)
		return &tables;
	listen();
	do
	{
		started = generation;
		tables.schema = get_namespace_oid("wfml", false);
		tables.registry = find_relation("registry", tables.schema);
		tables.registry_pkey = find_relation("registry_pkey", tables.schema);
		tables.ml_model = find_relation("ml_model", tables.schema);
		tables.ml_model_pkey = find_relation("ml_model_pkey", tables.schema);
		tables.ml_model_version = find_relation("ml_model_name_version_key", tables.schema);
		tables.ml_artifact = find_relation("ml_artifact", tables.schema);
		tables.ml_artifact_pkey = find_relation("ml_artifact_pkey", tables.schema);
		tables.model_grant = find_relation("model_grant", tables.schema);
		tables.model_grant_pkey = find_relation("model_grant_pkey", tables.schema);
		/* Looking up takes invalidation messages, which may have been about these. */
	} while (started != generation);
	tables_valid = true;
	return &tables;
}

Oid
wfml_own_relation(const char *name)
{
	return find_relation(name, wfml_tables()->schema);
}

uint64
wfml_generation(void)
{
	listen();
	return generation;
}

/*
 * Trigger of registry, ml_model and model_grant: tell every session.
 */
Datum
wfml_registry_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("registry_changed() can be called only as a trigger")));
	CacheInvalidateRelcache(trigger->tg_relation);
	return PointerGetDatum(NULL);
}

/* ---- reading ---- */

/*
 * Index expressions may be evaluated where no snapshot is active (some
 * maintenance commands); the catalog snapshot then shows what is committed.
 */
Snapshot
wfml_snapshot(void)
{
	return ActiveSnapshotSet() ? GetActiveSnapshot() : NULL;
}

static void
scan_begin(WfmlScan *scan, Oid table, Oid index, ScanKey keys, int n_keys)
{
	scan->table = table_open(table, AccessShareLock);
	scan->scan = systable_beginscan(scan->table, index, true, wfml_snapshot(), n_keys, keys);
	scan->tuple = systable_getnext(scan->scan);
}

static void
text_key(ScanKey key, AttrNumber attno, const char *value)
{
	ScanKeyEntryInitialize(key, 0, attno, BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID,
						   F_TEXTEQ, CStringGetTextDatum(value));
}

void
wfml_scan_text(WfmlScan *scan, Oid table, Oid index, AttrNumber attno, const char *key)
{
	ScanKeyData keys[1];

	text_key(&keys[0], attno, key);
	scan_begin(scan, table, index, keys, 1);
}

void
wfml_scan_id(WfmlScan *scan, Oid table, Oid index, AttrNumber attno, int64 key)
{
	ScanKeyData keys[1];

	ScanKeyInit(&keys[0], attno, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(key));
	scan_begin(scan, table, index, keys, 1);
}

void
wfml_scan_version(WfmlScan *scan, const char *name, int32 version)
{
	const WfmlTables *t = wfml_tables();
	ScanKeyData keys[2];

	text_key(&keys[0], Anum_ml_model_name, name);
	ScanKeyInit(&keys[1], Anum_ml_model_version, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(version));
	scan_begin(scan, t->ml_model, t->ml_model_version, keys, 2);
}

void
wfml_scan_all(WfmlScan *scan, Oid table)
{
	scan->table = table_open(table, AccessShareLock);
	scan->scan = systable_beginscan(scan->table, InvalidOid, false, wfml_snapshot(), 0, NULL);
	scan->tuple = systable_getnext(scan->scan);
}

bool
wfml_scan_next(WfmlScan *scan)
{
	scan->tuple = systable_getnext(scan->scan);
	return HeapTupleIsValid(scan->tuple);
}

void
wfml_scan_done(WfmlScan *scan)
{
	systable_endscan(scan->scan);
	table_close(scan->table, AccessShareLock);
}

/* ---- writing ---- */

static Oid
tables_owner(void)
{
	Relation	registry = table_open(wfml_tables()->registry, AccessShareLock);
	Oid			owner = registry->rd_rel->relowner;

	table_close(registry, AccessShareLock);
	return owner;
}

void
wfml_write_begin(WfmlWriter *writer, const char *command)
{
	Oid			owner = tables_owner();

	if (command)
		PreventCommandIfReadOnly(command);
	GetUserIdAndSecContext(&writer->user, &writer->security);
	SetUserIdAndSecContext(owner, writer->security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	writer->nest = NewGUCNestLevel();
	RestrictSearchPath();
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
}

void
wfml_write_end(const WfmlWriter *writer)
{
	SPI_finish();
	AtEOXact_GUC(false, writer->nest);
	SetUserIdAndSecContext(writer->user, writer->security);
}

uint64
wfml_execute(const char *sql, int n, const Oid *types, const Datum *values, const char *nulls)
{
	int			rc = SPI_execute_with_args(sql, n, unconstify(Oid *, types), unconstify(Datum *, values), nulls, false, 0);

	if (rc < 0)
		elog(ERROR, "could not execute \"%s\": %s", sql, SPI_result_code_string(rc));
	return SPI_processed;
}

Datum
wfml_result(int row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}
