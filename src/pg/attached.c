/*-------------------------------------------------------------------------
 * attached.c
 *	  The triggers of tables that name a model.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "pg/access.h"
#include "pg/attached.h"
#include "pg/tables.h"

/* Tables that an error names. */
#define MAX_NAMED 5

const char *
wfml_trigger_function(WfmlTriggerKind kind)
{
	static const char *const names[] = {"predict_trigger", "log_trigger", "outcome_trigger"};

	return names[kind];
}

/* ---- finding ---- */

static void
find_functions(Oid functions[WFML_N_TRIGGER_KINDS])
{
	oidvector  *none = buildoidvector(NULL, 0);

	for (int kind = 0; kind < WFML_N_TRIGGER_KINDS; kind++)
		functions[kind] = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
										  CStringGetDatum(wfml_trigger_function(kind)),
										  PointerGetDatum(none), ObjectIdGetDatum(wfml_tables()->schema));
}

/* Arguments follow each other, each with a NUL at its end. */
static char *
first_argument(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		arguments = heap_getattr(tuple, Anum_pg_trigger_tgargs, desc, &isnull);

	if (isnull || ((Form_pg_trigger) GETSTRUCT(tuple))->tgnargs == 0)
		return pstrdup("");
	return text_to_cstring(DatumGetTextPP(arguments));
}

/* The model's name, alone or before "@version". */
static bool
names_model(const char *reference, const char *model)
{
	size_t		length = strlen(model);

	return strncmp(reference, model, length) == 0 && (reference[length] == '\0' || reference[length] == '@');
}

static WfmlAttached *
describe(HeapTuple tuple, TupleDesc desc, WfmlTriggerKind kind)
{
	Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);
	WfmlAttached *found = palloc0(sizeof(WfmlAttached));
	bool		isnull;
	int2vector *columns = (int2vector *) DatumGetPointer(heap_getattr(tuple, Anum_pg_trigger_tgattr, desc, &isnull));

	found->oid = form->oid;
	found->relation = form->tgrelid;
	found->kind = kind;
	found->name = form->tgname;
	found->enabled = form->tgenabled == TRIGGER_FIRES_ON_ORIGIN || form->tgenabled == TRIGGER_FIRES_ALWAYS;
	found->on_insert = TRIGGER_FOR_INSERT(form->tgtype);
	found->on_update = TRIGGER_FOR_UPDATE(form->tgtype);
	found->n_watched = columns->dim1;
	found->watched = palloc(sizeof(AttrNumber) * (columns->dim1 + 1));
	for (int i = 0; i < columns->dim1; i++)
		found->watched[i] = columns->values[i];
	return found;
}

static SysScanDesc
begin_scan(Relation triggers, Oid relation, ScanKey key)
{
	ScanKeyInit(key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	return systable_beginscan(triggers, TriggerRelidNameIndexId, OidIsValid(relation), NULL,
							  OidIsValid(relation) ? 1 : 0, key);
}

/* Which of wfml's functions it calls for the model; -1: none. */
static int
kind_of(HeapTuple tuple, TupleDesc desc, const Oid functions[WFML_N_TRIGGER_KINDS], const char *model)
{
	Oid			function = ((Form_pg_trigger) GETSTRUCT(tuple))->tgfoid;

	for (int kind = 0; kind < WFML_N_TRIGGER_KINDS; kind++)
		if (function == functions[kind] && names_model(first_argument(tuple, desc), model))
			return kind;
	return -1;
}

List *
wfml_attached(Oid relation, const char *model)
{
	Oid			functions[WFML_N_TRIGGER_KINDS];
	Relation	triggers;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	List	   *found = NIL;

	find_functions(functions);
	triggers = table_open(TriggerRelationId, AccessShareLock);
	scan = begin_scan(triggers, relation, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		int			kind = kind_of(tuple, RelationGetDescr(triggers), functions, model);

		if (kind >= 0 && !OidIsValid(((Form_pg_trigger) GETSTRUCT(tuple))->tgparentid))
			found = lappend(found, describe(tuple, RelationGetDescr(triggers), kind));
	}
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
	return found;
}

/* ---- changing ---- */

void
wfml_attached_drop(List *attached)
{
	ObjectAddresses *objects = new_object_addresses();
	ListCell   *lc;

	foreach(lc, attached)
	{
		const WfmlAttached *trigger = lfirst(lc);
		ObjectAddress address;

		LockRelationOid(trigger->relation, AccessExclusiveLock);
		ObjectAddressSet(address, TriggerRelationId, trigger->oid);
		add_exact_object_address(&address, objects);
	}
	performMultipleDeletions(objects, DROP_RESTRICT, 0);
	free_object_addresses(objects);
}

/* The arguments with another model in front, which keeps its "@version". */
static bytea *
renamed_arguments(HeapTuple tuple, TupleDesc desc, const char *old_name, const char *new_name)
{
	bool		isnull;
	bytea	   *arguments = DatumGetByteaPP(heap_getattr(tuple, Anum_pg_trigger_tgargs, desc, &isnull));
	size_t		skip = strlen(old_name);
	size_t		rest = VARSIZE_ANY_EXHDR(arguments) - skip;
	size_t		length = strlen(new_name);
	bytea	   *renamed = palloc(VARHDRSZ + length + rest);

	SET_VARSIZE(renamed, VARHDRSZ + length + rest);
	memcpy(VARDATA(renamed), new_name, length);
	memcpy(VARDATA(renamed) + length, VARDATA_ANY(arguments) + skip, rest);
	return renamed;
}

/*
 * Keep other changes of the tables' triggers away, but no rows.  All tables
 * before the first change, so that who alters several of them meets no trigger
 * that is changed already.
 */
static void
lock_relations(Relation triggers, const Oid functions[WFML_N_TRIGGER_KINDS], const char *model)
{
	List	   *relations = NIL;
	ScanKeyData key;
	SysScanDesc scan = begin_scan(triggers, InvalidOid, &key);
	HeapTuple	tuple;
	ListCell   *lc;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		if (kind_of(tuple, RelationGetDescr(triggers), functions, model) >= 0)
			relations = list_append_unique_oid(relations, ((Form_pg_trigger) GETSTRUCT(tuple))->tgrelid);
	systable_endscan(scan);
	list_sort(relations, list_oid_cmp);
	foreach(lc, relations)
		LockRelationOid(lfirst_oid(lc), ShareUpdateExclusiveLock);
}

/*
 * The name stands in the triggers' arguments, which no command changes, and
 * making them again would need the rights of the tables' owners.
 */
void
wfml_attached_rename(const char *old_name, const char *new_name)
{
	Oid			functions[WFML_N_TRIGGER_KINDS];
	Relation	triggers;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	find_functions(functions);
	triggers = table_open(TriggerRelationId, RowExclusiveLock);
	lock_relations(triggers, functions, old_name);
	scan = begin_scan(triggers, InvalidOid, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		TupleDesc	desc = RelationGetDescr(triggers);
		Oid			relation = ((Form_pg_trigger) GETSTRUCT(tuple))->tgrelid;
		Datum		values[Natts_pg_trigger];
		bool		nulls[Natts_pg_trigger] = {false};
		bool		replace[Natts_pg_trigger] = {false};
		HeapTuple	changed;

		if (kind_of(tuple, desc, functions, old_name) < 0)
			continue;
		LockRelationOid(relation, ShareUpdateExclusiveLock);
		values[Anum_pg_trigger_tgargs - 1] = PointerGetDatum(renamed_arguments(tuple, desc, old_name, new_name));
		replace[Anum_pg_trigger_tgargs - 1] = true;
		changed = heap_modify_tuple(tuple, desc, values, nulls, replace);
		CatalogTupleUpdate(triggers, &tuple->t_self, changed);
		CacheInvalidateRelcacheByRelid(relation);
	}
	systable_endscan(scan);
	table_close(triggers, RowExclusiveLock);
}

/* ---- refusing ---- */

static bool
owner_may_use(Oid relation, const char *model, Oid model_owner)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	bool		may;

	if (!HeapTupleIsValid(tuple))
		return false;
	may = wfml_may_use(model, model_owner, ((Form_pg_class) GETSTRUCT(tuple))->relowner);
	ReleaseSysCache(tuple);
	return may;
}

/* For strangers' tables the model does not work anyway, so they must not keep its owner from dropping it. */
static List *
serious_relations(const char *model)
{
	List	   *relations = NIL;
	ListCell   *lc;
	Oid			owner;

	if (!wfml_find_owner(model, &owner))
		return NIL;
	foreach(lc, wfml_attached(InvalidOid, model))
	{
		const WfmlAttached *trigger = lfirst(lc);

		if (owner_may_use(trigger->relation, model, owner))
			relations = list_append_unique_oid(relations, trigger->relation);
	}
	return relations;
}

void
wfml_refuse_attached(const char *action, const char *model)
{
	List	   *relations = serious_relations(model);
	StringInfoData names;
	int			n = Min(list_length(relations), MAX_NAMED);

	if (relations == NIL)
		return;
	initStringInfo(&names);
	for (int i = 0; i < n; i++)
	{
		Oid			relation = list_nth_oid(relations, i);

		appendStringInfo(&names, "%s%s", i ? ", " : "",
						 quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), get_rel_name(relation)));
	}
	if (list_length(relations) > n)
		appendStringInfo(&names, " and %d more", list_length(relations) - n);
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot %s model \"%s\" because tables use it", action, model),
			 errdetail("It is attached to %s.", names.data),
			 errhint("Use wfml.detach() first.")));
}
