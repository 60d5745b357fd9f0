/*-------------------------------------------------------------------------
 * binding.c
 *	  The binding of a kind that serves the current user.
 *
 * One look at the index of wfml.source_binding each time: nothing to keep in
 * step with grants, memberships and roles.  The view wfml.sources states the
 * same rule in SQL.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "pg/binding.h"
#include "pg/bindkind.h"
#include "pg/tables.h"

/* Attribute numbers of wfml.source_binding and wfml.source_grant (binding.sql). */
#define Anum_binding_id 1
#define Anum_binding_kind 2
#define Anum_binding_owner 3
#define Anum_binding_query 5
#define Anum_binding_search_path 6
#define Anum_binding_timezone 7
#define Anum_binding_known_at_start 8
#define Anum_binding_columns 9
#define Anum_binding_session_gap 10
#define Anum_grant_binding 1
#define Anum_grant_grantee 2

PG_FUNCTION_INFO_V1(wfml_has_source);
PG_FUNCTION_INFO_V1(wfml_bound_source);

static Datum
attribute(HeapTuple tuple, AttrNumber attno, TupleDesc desc)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attno, desc, &isnull);

	if (isnull)
		elog(ERROR, "null in column %d of wfml.source_binding", attno);
	return value;
}

static WfmlBinding *
read_binding(HeapTuple tuple, TupleDesc desc)
{
	WfmlBinding *binding = palloc(sizeof(WfmlBinding));

	binding->id = DatumGetInt64(attribute(tuple, Anum_binding_id, desc));
	binding->owner = DatumGetObjectId(attribute(tuple, Anum_binding_owner, desc));
	binding->kind = TextDatumGetCString(attribute(tuple, Anum_binding_kind, desc));
	binding->query = TextDatumGetCString(attribute(tuple, Anum_binding_query, desc));
	binding->search_path = TextDatumGetCString(attribute(tuple, Anum_binding_search_path, desc));
	binding->timezone = TextDatumGetCString(attribute(tuple, Anum_binding_timezone, desc));
	binding->known_at_start = DatumGetArrayTypePCopy(attribute(tuple, Anum_binding_known_at_start, desc));
	binding->columns = JsonbPGetDatum(DatumGetJsonbPCopy(attribute(tuple, Anum_binding_columns, desc)));
	binding->session_gap = datumCopy(attribute(tuple, Anum_binding_session_gap, desc), false, sizeof(Interval));
	return binding;
}

/* ---- whose ---- */

static bool
is_granted(int64 id, Oid user)
{
	Relation	table = table_open(wfml_own_relation("source_grant"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&key, Anum_grant_binding, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	scan = systable_beginscan(table, wfml_own_relation("source_grant_pkey"), true, wfml_snapshot(), 1, &key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Oid			grantee = DatumGetObjectId(attribute(tuple, Anum_grant_grantee, RelationGetDescr(table)));

		found = !OidIsValid(grantee) ||
			(SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(grantee)) && has_privs_of_role(user, grantee));
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return found;
}

/* A binding whose owner was dropped serves nobody. */
static bool
may_read(int64 id, Oid owner, Oid user)
{
	return SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(owner)) &&
		(has_privs_of_role(user, owner) || is_granted(id, user));
}

typedef struct BindingScan
{
	Relation	table;
	SysScanDesc scan;
} BindingScan;

/* By kind, and owner unless that is invalid. */
static BindingScan
begin_scan(const char *kind, Oid owner)
{
	BindingScan result;
	ScanKeyData keys[2];

	ScanKeyEntryInitialize(&keys[0], 0, Anum_binding_kind, BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID,
						   F_TEXTEQ, CStringGetTextDatum(kind));
	ScanKeyInit(&keys[1], Anum_binding_owner, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(owner));
	result.table = table_open(wfml_own_relation("source_binding"), AccessShareLock);
	result.scan = systable_beginscan(result.table, wfml_own_relation("source_binding_kind_owner_key"), true, wfml_snapshot(),
									 OidIsValid(owner) ? 2 : 1, keys);
	return result;
}

static void
end_scan(BindingScan *scan)
{
	systable_endscan(scan->scan);
	table_close(scan->table, AccessShareLock);
}

static WfmlBinding *
find_own(const char *kind, Oid user)
{
	BindingScan scan = begin_scan(kind, user);
	HeapTuple	tuple = systable_getnext(scan.scan);
	WfmlBinding *found = HeapTupleIsValid(tuple) ? read_binding(tuple, RelationGetDescr(scan.table)) : NULL;

	end_scan(&scan);
	return found;
}

/* The one that others let the user read; *owners names them all if there are several. */
static WfmlBinding *
find_others(const char *kind, Oid user, int *n, char **owners)
{
	BindingScan scan = begin_scan(kind, InvalidOid);
	TupleDesc	desc = RelationGetDescr(scan.table);
	WfmlBinding *found = NULL;
	StringInfoData names;
	HeapTuple	tuple;

	initStringInfo(&names);
	*n = 0;
	while (HeapTupleIsValid(tuple = systable_getnext(scan.scan)))
	{
		Oid			owner = DatumGetObjectId(attribute(tuple, Anum_binding_owner, desc));

		if (!may_read(DatumGetInt64(attribute(tuple, Anum_binding_id, desc)), owner, user))
			continue;
		if ((*n)++ == 0)
			found = read_binding(tuple, desc);
		appendStringInfo(&names, "%s\"%s\"", *n > 1 ? ", " : "", GetUserNameFromId(owner, true));
	}
	end_scan(&scan);
	*owners = names.data;
	return found;
}

WfmlBinding *
wfml_binding_find(const char *kind, bool missing_ok)
{
	const WfmlBindKind *spec = wfml_bind_kind(kind);
	Oid			user = GetUserId();
	WfmlBinding *found = find_own(kind, user);
	char	   *owners;
	int			n;

	if (found)
		return found;
	found = find_others(kind, user, &n, &owners);
	if (n > 1)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_FUNCTION),
				 errmsg("several owners let you read their %s", kind),
				 errdetail("The owners are %s.", owners),
				 errhint("Bind your own with wfml.bind('%s', …), or have one of them revoked.", kind)));
	if (found == NULL && !missing_ok)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no source is bound for %s", kind),
				 errhint("Bind a table or query with the columns %s: SELECT wfml.bind('%s', 'SELECT … FROM …').",
						 wfml_bind_required(spec), kind)));
	return found;
}

/* ---- what ---- */

const char *
wfml_binding_type(const WfmlBinding *binding, const char *column)
{
	JsonbValue	value;

	if (getKeyJsonValueFromContainer(&DatumGetJsonbP(binding->columns)->root, column, strlen(column), &value) == NULL ||
		value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

bool
wfml_binding_has(const WfmlBinding *binding, const char *column)
{
	JsonbValue	value;

	return getKeyJsonValueFromContainer(&DatumGetJsonbP(binding->columns)->root, column, strlen(column), &value) != NULL;
}

/* has_source(kind) */
Datum
wfml_has_source(PG_FUNCTION_ARGS)
{
	char	   *kind = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *owners;
	int			n;

	(void) wfml_bind_kind(kind);
	if (find_own(kind, GetUserId()))
		PG_RETURN_BOOL(true);
	(void) find_others(kind, GetUserId(), &n, &owners);
	PG_RETURN_BOOL(n == 1);
}

/* bound_source(kind) → (id, owner, columns, known_at_start, session_gap, timezone) */
Datum
wfml_bound_source(PG_FUNCTION_ARGS)
{
	WfmlBinding *binding = wfml_binding_find(text_to_cstring(PG_GETARG_TEXT_PP(0)), false);
	Datum		values[6];
	bool		nulls[6] = {false};
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int64GetDatum(binding->id);
	values[1] = ObjectIdGetDatum(binding->owner);
	values[2] = binding->columns;
	values[3] = PointerGetDatum(binding->known_at_start);
	values[4] = binding->session_gap;
	values[5] = CStringGetTextDatum(binding->timezone);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
