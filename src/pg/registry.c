/*-------------------------------------------------------------------------
 * registry.c
 *	  Names to versions, and the bytes of a version.
 *
 * Everything is read under the active snapshot by index scans: 1 to 2 µs for
 * a name, which is why no name is cached beyond a statement.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/mman.h>

#include "access/detoast.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/toast_internals.h"
#include "common/cryptohash.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/access.h"
#include "pg/compat.h"
#include "pg/registry.h"
#include "pg/settings.h"
#include "pg/tables.h"

/* ---- names ---- */

static bool
is_name_start(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || IS_HIGHBIT_SET(c);
}

static bool
is_valid_name(const char *name)
{
	size_t		length = strlen(name);

	if (length == 0 || length >= NAMEDATALEN || !is_name_start((unsigned char) name[0]))
		return false;
	for (size_t i = 1; i < length; i++)
	{
		unsigned char c = (unsigned char) name[i];

		if (!is_name_start(c) && !(c >= '0' && c <= '9') && c != '.' && c != '-')
			return false;
	}
	return true;
}

void
wfml_check_model_name(const char *name)
{
	if (!is_valid_name(name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid model name: \"%s\"", name),
				 errhint("A name starts with a letter or \"_\", goes on with letters, digits, \"_\", \".\" or \"-\", and has at most %d bytes.",
						 NAMEDATALEN - 1)));
}

bool
wfml_split_reference(const char *reference, char name[NAMEDATALEN], int32 *version)
{
	const char *at = strchr(reference, '@');
	size_t		length = at ? (size_t) (at - reference) : strlen(reference);

	*version = 0;
	if (length >= NAMEDATALEN)
		return false;
	memcpy(name, reference, length);
	name[length] = '\0';
	if (at)
	{
		int64		number = 0;

		if (at[1] < '1' || at[1] > '9')
			return false;
		for (at++; *at >= '0' && *at <= '9' && number <= PG_INT32_MAX; at++)
			number = number * 10 + (*at - '0');
		if (*at != '\0' || number > PG_INT32_MAX)
			return false;
		*version = (int32) number;
	}
	return is_valid_name(name);
}

void
wfml_check_may_use(const char *name, Oid owner, Oid user)
{
	if (!wfml_may_use(name, owner, user))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for model \"%s\"", name),
				 errhint("Its owner can allow the use with wfml.grant_model().")));
}

/* ---- resolving ---- */

/* name's active version from its registry row. */
static void
resolve_active(const char *reference, Oid user, WfmlResolved *result)
{
	const WfmlTables *t = wfml_tables();
	WfmlScan	scan;
	Datum		values[Natts_registry_read];
	bool		nulls[Natts_registry_read];

	wfml_scan_text(&scan, t->registry, t->registry_pkey, Anum_registry_name, result->name);
	if (!HeapTupleIsValid(scan.tuple))
	{
		wfml_scan_done(&scan);
		wfml_unknown_model(reference, user);
	}
	for (int i = 0; i < Natts_registry_read; i++)
		values[i] = heap_getattr(scan.tuple, i + 1, RelationGetDescr(scan.table), &nulls[i]);
	wfml_check_may_use(result->name, DatumGetObjectId(values[Anum_registry_owner - 1]), user);
	if (nulls[Anum_registry_active_id - 1])
		ereport(ERROR,
				(errcode(ERRCODE_WFML_UNKNOWN_MODEL),
				 errmsg("model \"%s\" has no active version", result->name),
				 errhint("Activate one with wfml.activate(), or name one as \"%s@version\".", result->name)));
	result->id = DatumGetInt64(values[Anum_registry_active_id - 1]);
	result->version = DatumGetInt32(values[Anum_registry_active_version - 1]);
	wfml_scan_done(&scan);
}

/* What of an ml_model row resolving needs. */
static void
read_version(WfmlScan *scan, WfmlResolved *result, char *status, size_t status_size)
{
	TupleDesc	desc = RelationGetDescr(scan->table);
	bool		isnull;

	result->id = DatumGetInt64(heap_getattr(scan->tuple, Anum_ml_model_id, desc, &isnull));
	result->version = DatumGetInt32(heap_getattr(scan->tuple, Anum_ml_model_version, desc, &isnull));
	text_to_cstring_buffer(DatumGetTextPP(heap_getattr(scan->tuple, Anum_ml_model_name, desc, &isnull)),
						   result->name, sizeof(result->name));
	text_to_cstring_buffer(DatumGetTextPP(heap_getattr(scan->tuple, Anum_ml_model_status, desc, &isnull)),
						   status, status_size);
}

static void
resolve_version(const char *reference, int32 version, Oid user, WfmlResolved *result)
{
	WfmlScan	scan;
	Oid			owner;
	char		status[NAMEDATALEN];
	bool		found;

	if (!wfml_find_owner(result->name, &owner))
		wfml_unknown_model(reference, user);
	wfml_check_may_use(result->name, owner, user);
	wfml_scan_version(&scan, result->name, version);
	found = HeapTupleIsValid(scan.tuple);
	if (found)
		read_version(&scan, result, status, sizeof(status));
	wfml_scan_done(&scan);
	if (!found)
		ereport(ERROR,
				(errcode(ERRCODE_WFML_UNKNOWN_MODEL),
				 errmsg("model \"%s\" has no version %d", result->name, version),
				 errhint("The view wfml.versions lists its versions.")));
	if (strcmp(status, "retired") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of model \"%s\" is retired", version, result->name),
				 errhint("wfml.activate() brings a retired version back; wfml.predict_version() uses it by its id.")));
}

void
wfml_resolve(const char *reference, Oid user, WfmlResolved *result)
{
	int32		version;

	if (!wfml_split_reference(reference, result->name, &version))
		wfml_unknown_model(reference, user);
	if (version == 0)
		resolve_active(reference, user, result);
	else
		resolve_version(reference, version, user, result);
}

/* By id: retired versions too, since indexes may still use them. */
void
wfml_resolve_id(int64 id, Oid user, WfmlResolved *result)
{
	const WfmlTables *t = wfml_tables();
	WfmlScan	scan;
	Oid			owner;
	char		status[NAMEDATALEN];
	bool		found;

	wfml_scan_id(&scan, t->ml_model, t->ml_model_pkey, Anum_ml_model_id, id);
	found = HeapTupleIsValid(scan.tuple);
	if (found)
		read_version(&scan, result, status, sizeof(status));
	wfml_scan_done(&scan);
	if (!found || !wfml_find_owner(result->name, &owner))
		ereport(ERROR,
				(errcode(ERRCODE_WFML_UNKNOWN_MODEL),
				 errmsg("model version with id " INT64_FORMAT " does not exist", id),
				 errhint("wfml.version_id() gives the id of a version by its name; the view wfml.versions lists them.")));
	wfml_check_may_use(result->name, owner, user);
}

PG_FUNCTION_INFO_V1(wfml_version_id);

/* version_id(model text) → bigint */
Datum
wfml_version_id(PG_FUNCTION_ARGS)
{
	WfmlResolved resolved;

	wfml_resolve(text_to_cstring(PG_GETARG_TEXT_PP(0)), GetUserId(), &resolved);
	PG_RETURN_INT64(resolved.id);
}

/* ---- what a version is ---- */

/* A member of a jsonb object by its key; NULL when it has none. */
static JsonbValue *
json_member(JsonbContainer *object, const char *key)
{
	JsonbValue	k;

	k.type = jbvString;
	k.val.string.val = unconstify(char *, key);
	k.val.string.len = strlen(key);
	return findJsonbValueFromContainer(object, JB_FOBJECT, &k);
}

bool
wfml_headline(int64 id, char **metric, double *value)
{
	const WfmlTables *t = wfml_tables();
	WfmlScan	scan;
	bool		found = false;

	wfml_scan_id(&scan, t->ml_model, t->ml_model_pkey, Anum_ml_model_id, id);
	if (HeapTupleIsValid(scan.tuple))
	{
		bool		isnull;
		Datum		datum = heap_getattr(scan.tuple, Anum_ml_model_metrics, RelationGetDescr(scan.table), &isnull);
		JsonbValue *first = NULL;

		if (!isnull)
		{
			Jsonb	   *metrics = DatumGetJsonbP(datum);

			if (JB_ROOT_IS_ARRAY(metrics) && !JB_ROOT_IS_SCALAR(metrics))
				first = getIthJsonbValueFromContainer(&metrics->root, 0);
		}
		if (first && first->type == jbvBinary && JsonContainerIsObject(first->val.binary.data))
		{
			JsonbValue *name = json_member(first->val.binary.data, "metric");
			JsonbValue *number = json_member(first->val.binary.data, "value");
			JsonbValue *split = json_member(first->val.binary.data, "split");

			/* A score that training only chose by is no headline. */
			if (split && split->type == jbvString && split->val.string.len == 5 &&
				memcmp(split->val.string.val, "inner", 5) == 0)
				name = NULL;
			if (name && name->type == jbvString && number && number->type == jbvNumeric)
			{
				*metric = pnstrdup(name->val.string.val, name->val.string.len);
				*value = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
															NumericGetDatum(number->val.numeric)));
				found = true;
			}
		}
	}
	wfml_scan_done(&scan);
	return found;
}

/* Length and checksum as stored; false: no such version. */
bool
wfml_artifact_describe(int64 id, int64 *length, uint8 sha256[PG_SHA256_DIGEST_LENGTH])
{
	const WfmlTables *t = wfml_tables();
	WfmlScan	scan;
	bool		found;

	wfml_scan_id(&scan, t->ml_model, t->ml_model_pkey, Anum_ml_model_id, id);
	found = HeapTupleIsValid(scan.tuple);
	if (found)
	{
		TupleDesc	desc = RelationGetDescr(scan.table);
		bool		isnull;
		bytea	   *sum;

		*length = DatumGetInt64(heap_getattr(scan.tuple, Anum_ml_model_artifact_bytes, desc, &isnull));
		sum = DatumGetByteaPP(heap_getattr(scan.tuple, Anum_ml_model_artifact_sha256, desc, &isnull));
		if (VARSIZE_ANY_EXHDR(sum) != PG_SHA256_DIGEST_LENGTH)
			found = false;
		else
			memcpy(sha256, VARDATA_ANY(sum), PG_SHA256_DIGEST_LENGTH);
	}
	wfml_scan_done(&scan);
	return found;
}

char *
wfml_version_name(int64 id)
{
	const WfmlTables *t = wfml_tables();
	WfmlScan	scan;
	char	   *name;

	wfml_scan_id(&scan, t->ml_model, t->ml_model_pkey, Anum_ml_model_id, id);
	if (HeapTupleIsValid(scan.tuple))
	{
		TupleDesc	desc = RelationGetDescr(scan.table);
		bool		isnull;

		name = psprintf("%s@%d",
						TextDatumGetCString(heap_getattr(scan.tuple, Anum_ml_model_name, desc, &isnull)),
						DatumGetInt32(heap_getattr(scan.tuple, Anum_ml_model_version, desc, &isnull)));
	}
	else
		name = psprintf("with id " INT64_FORMAT, id);
	wfml_scan_done(&scan);
	return name;
}

void
wfml_sha256(const void *bytes, size_t length, uint8 sha256[PG_SHA256_DIGEST_LENGTH])
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);

	if (pg_cryptohash_init(hash) < 0 ||
		pg_cryptohash_update(hash, bytes, length) < 0 ||
		pg_cryptohash_final(hash, sha256, PG_SHA256_DIGEST_LENGTH) < 0)
		elog(ERROR, "could not compute a SHA-256 checksum");
	pg_cryptohash_free(hash);
}

/* ---- bytes ---- */

void
wfml_bad_artifact(int64 id, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("stored bytes of model %s are damaged", wfml_version_name(id)),
			 errdetail("%s", detail),
			 errhint("Restore wfml.ml_artifact from a backup, or train the model again.")));
}

/*
 * Copy one chunk to its place, returning its length.  An uncompressed chunk in
 * the TOAST table, the usual case, is fetched straight to that place.
 */
static size_t
load_chunk(struct varlena *chunk, uint8 *to, size_t room, int64 id)
{
	size_t		length;

	if (VARATT_IS_EXTERNAL_ONDISK(chunk))
	{
		struct varatt_external pointer;

		VARATT_EXTERNAL_GET_POINTER(pointer, chunk);
		if (!VARATT_EXTERNAL_IS_COMPRESSED(pointer))
		{
			Relation	toast;

			length = pointer.va_rawsize - VARHDRSZ;
			if (length > room)
				wfml_bad_artifact(id, "Its chunks are longer than their recorded length.");
			toast = table_open(pointer.va_toastrelid, AccessShareLock);
			table_relation_fetch_toast_slice(toast, pointer.va_valueid, length, 0, length,
											 (struct varlena *) (to - VARHDRSZ));
			table_close(toast, AccessShareLock);
			return length;
		}
	}
	{
		struct varlena *plain = pg_detoast_datum_packed(chunk);

		length = VARSIZE_ANY_EXHDR(plain);
		if (length > room)
			wfml_bad_artifact(id, "Its chunks are longer than their recorded length.");
		memcpy(to, VARDATA_ANY(plain), length);
		if (plain != chunk)
			pfree(plain);
	}
	return length;
}

/* Chunks in order of seq into bytes; returns how many bytes there were. */
static size_t
load_chunks(int64 id, uint8 *bytes, size_t length)
{
	const WfmlTables *t = wfml_tables();
	Relation	table = table_open(t->ml_artifact, AccessShareLock);
	Relation	index = index_open(t->ml_artifact_pkey, AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	size_t		at = 0;
	int32		expected = 0;

	ScanKeyInit(&key, Anum_ml_artifact_model_id, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	scan = systable_beginscan_ordered(table, index, wfml_snapshot(), 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		bool		isnull;
		TupleDesc	desc = RelationGetDescr(table);
		int32		seq = DatumGetInt32(heap_getattr(tuple, Anum_ml_artifact_seq, desc, &isnull));

		if (seq != expected++)
			wfml_bad_artifact(id, "A chunk is missing.");
		at += load_chunk((struct varlena *) DatumGetPointer(heap_getattr(tuple, Anum_ml_artifact_bytes, desc, &isnull)),
						 bytes + at, length - at, id);
		CHECK_FOR_INTERRUPTS();
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(table, AccessShareLock);
	return at;
}

/*
 * Ask for huge pages: reading a large model then takes a quarter less time
 * (fewer page faults), and walking its trees misses the TLB less.  Only a
 * hint; memory is the same.
 */
static void
advise_huge_pages(char *block, size_t length)
{
#ifdef MADV_HUGEPAGE
	const uintptr_t huge = (uintptr_t) 2 << 20;
	uintptr_t	start = TYPEALIGN(huge, (uintptr_t) block);
	uintptr_t	end = TYPEALIGN_DOWN(huge, (uintptr_t) block + length);

	if (end > start)
		(void) madvise((void *) start, end - start, MADV_HUGEPAGE);
#endif
}

/* The length that is recorded of a version. */
static size_t
stored_length(int64 id)
{
	uint8		sha256[PG_SHA256_DIGEST_LENGTH];
	int64		stored;

	if (!wfml_artifact_describe(id, &stored, sha256))
		wfml_bad_artifact(id, "It has no row in wfml.ml_model with a checksum.");
	if (stored < 0 || stored > (int64) MaxAllocHugeSize - 2 * PG_CACHE_LINE_SIZE)
		wfml_bad_artifact(id, "Its recorded length is impossible.");
	return (size_t) stored;
}

void
wfml_artifact_read(int64 id, void *bytes, size_t length)
{
	bool		pushed = !ActiveSnapshotSet();

	/* Fetching from TOAST wants a snapshot that is held. */
	if (pushed)
		PushActiveSnapshot(GetTransactionSnapshot());
	advise_huge_pages(bytes, length);
	if (load_chunks(id, bytes, length) != length)
		wfml_bad_artifact(id, "Its chunks are shorter than their recorded length.");
	if (pushed)
		PopActiveSnapshot();
}

/*
 * The block starts on a cache line; it is freed with its context only.
 */
void *
wfml_artifact_load(int64 id, MemoryContext cxt, size_t *length)
{
	char	   *block;
	void	   *bytes;

	*length = stored_length(id);
	/* One line more in front, where the first chunk's varlena header would be. */
	block = MemoryContextAllocHuge(cxt, *length + 2 * PG_CACHE_LINE_SIZE);
	bytes = (void *) TYPEALIGN(PG_CACHE_LINE_SIZE, (uintptr_t) block + VARHDRSZ);
	wfml_artifact_read(id, bytes, *length);
	return bytes;
}
