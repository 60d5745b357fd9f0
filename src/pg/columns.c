/*-------------------------------------------------------------------------
 * columns.c
 *	  Which columns of a source are features, and what the others are.
 *
 * A column that tells rows apart (a key) or repeats the answer (the target,
 * a column that the model's own trigger fills) would make a model that looks
 * good and is worthless, so these are left out unless the user names them.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "pg/columns.h"
#include "pg/compat.h"
#include "pg/input.h"
#include "pg/tables.h"

/* Views over views deeper than this are not looked through. */
#define MAX_VIEW_DEPTH 32
/* Names listed in a HINT. */
#define MAX_HINT_NAMES 50

char *
wfml_quoted_names(List *names)
{
	StringInfoData s;
	ListCell   *lc;

	initStringInfo(&s);
	foreach(lc, names)
		appendStringInfo(&s, "%s\"%s\"", s.len ? ", " : "", (const char *) lfirst(lc));
	return s.data;
}

/* ---- names ---- */

typedef struct NameEntry
{
	char		name[NAMEDATALEN];
	int			index;
} NameEntry;

static HTAB *
index_names(TupleDesc desc)
{
	HASHCTL		ctl = {.keysize = NAMEDATALEN, .entrysize = sizeof(NameEntry), .hcxt = CurrentMemoryContext};
	HTAB	   *names = hash_create("wfml columns", desc->natts + 1, &ctl,
									HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);

	for (int i = 0; i < desc->natts; i++)
	{
		const char *name = NameStr(TupleDescAttr(desc, i)->attname);
		bool		found;
		NameEntry  *entry = hash_search(names, name, HASH_ENTER, &found);

		if (found)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("column name \"%s\" appears more than once in the source", name),
					 errhint("Name the columns of the query, or give them aliases.")));
		entry->index = i;
	}
	return names;
}

static int
find_name(HTAB *names, const char *name)
{
	NameEntry  *entry = strlen(name) < NAMEDATALEN ? hash_search(names, name, HASH_FIND, NULL) : NULL;

	return entry ? entry->index : -1;
}

static int
hint_available(TupleDesc desc)
{
	StringInfoData s;

	initStringInfo(&s);
	for (int i = 0; i < Min(desc->natts, MAX_HINT_NAMES); i++)
		appendStringInfo(&s, "%s\"%s\"", i ? ", " : "", NameStr(TupleDescAttr(desc, i)->attname));
	if (desc->natts > MAX_HINT_NAMES)
		appendStringInfo(&s, ", and %d more", desc->natts - MAX_HINT_NAMES);
	return errhint("The source has the columns %s.", s.data);
}

static int
find_role(HTAB *names, TupleDesc desc, const char *name, const char *role)
{
	int			i;

	if (name == NULL)
		return -1;
	i = find_name(names, name);
	if (i < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("%s column \"%s\" does not exist in the source", role, name),
				 hint_available(desc)));
	return i;
}

/* ---- where a column comes from ---- */

/* Down through views to the table that holds the column, if there is one. */
static WfmlOrigin
base_origin(WfmlOrigin origin)
{
	for (int depth = 0; depth < MAX_VIEW_DEPTH; depth++)
	{
		Relation	view;
		TargetEntry *entry = NULL;
		ListCell   *lc;

		if (!OidIsValid(origin.relation) || get_rel_relkind(origin.relation) != RELKIND_VIEW)
			return origin;
		view = relation_open(origin.relation, AccessShareLock);
		foreach(lc, get_view_query(view)->targetList)
			if (lfirst_node(TargetEntry, lc)->resno == origin.attno)
				entry = lfirst_node(TargetEntry, lc);
		origin.relation = entry ? entry->resorigtbl : InvalidOid;
		origin.attno = entry ? entry->resorigcol : 0;
		relation_close(view, AccessShareLock);
	}
	return (WfmlOrigin) {InvalidOid, 0};
}

/* "primary key", "unique" or NULL. */
static const char *
key_reason(WfmlOrigin origin)
{
	const char *reason = NULL;
	Relation	table;
	List	   *indexes;
	ListCell   *lc;
	char		relkind = OidIsValid(origin.relation) ? get_rel_relkind(origin.relation) : '\0';

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE && relkind != RELKIND_MATVIEW)
		return NULL;
	table = relation_open(origin.relation, AccessShareLock);
	indexes = RelationGetIndexList(table);
	foreach(lc, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		if (index->indisunique && index->indimmediate && index->indisvalid && index->indnkeyatts == 1 &&
			index->indkey.values[0] == origin.attno &&
			heap_attisnull(tuple, Anum_pg_index_indpred, NULL))
		{
			if (index->indisprimary)
				reason = "primary key";
			else if (reason == NULL)
				reason = "unique";
		}
		ReleaseSysCache(tuple);
	}
	list_free(indexes);
	relation_close(table, AccessShareLock);
	return reason;
}

/* ---- columns that the model's own triggers write ---- */

typedef struct OutputColumn
{
	Oid			relation;
	char		name[NAMEDATALEN];
} OutputColumn;

static void
collect_output(List **outputs, Relation table, HeapTuple tuple, Oid relation, const char *field)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(table), field);
	OutputColumn *output;
	Datum		value;
	bool		isnull;

	if (attno == InvalidAttrNumber)
		return;
	value = heap_getattr(tuple, attno, RelationGetDescr(table), &isnull);
	if (isnull)
		return;
	output = palloc(sizeof(OutputColumn));
	output->relation = relation;
	strlcpy(output->name, NameStr(*DatumGetName(value)), NAMEDATALEN);
	*outputs = lappend(*outputs, output);
}

/* From the table of attachments, in installations that have one. */
static List *
model_outputs(const char *model)
{
	Oid			schema = get_namespace_oid("wfml", true);
	Oid			oid = OidIsValid(schema) ? get_relname_relid("attachment", schema) : InvalidOid;
	List	   *outputs = NIL;
	WfmlScan	scan;

	if (model == NULL || !OidIsValid(oid))
		return NIL;
	wfml_scan_all(&scan, oid);
	for (; HeapTupleIsValid(scan.tuple); wfml_scan_next(&scan))
	{
		AttrNumber	at_model = get_attnum(oid, "model");
		AttrNumber	at_relation = get_attnum(oid, "relation");
		Datum		name,
					relation;
		bool		no_name,
					no_relation;

		if (at_model == InvalidAttrNumber || at_relation == InvalidAttrNumber)
			break;
		name = heap_getattr(scan.tuple, at_model, RelationGetDescr(scan.table), &no_name);
		relation = heap_getattr(scan.tuple, at_relation, RelationGetDescr(scan.table), &no_relation);
		if (no_name || no_relation || strcmp(TextDatumGetCString(name), model) != 0)
			continue;
		collect_output(&outputs, scan.table, scan.tuple, DatumGetObjectId(relation), "output_column");
		collect_output(&outputs, scan.table, scan.tuple, DatumGetObjectId(relation), "confidence_column");
	}
	wfml_scan_done(&scan);
	return outputs;
}

static bool
is_output(List *outputs, WfmlOrigin origin)
{
	ListCell   *lc;

	foreach(lc, outputs)
	{
		const OutputColumn *output = lfirst(lc);

		if (output->relation == origin.relation &&
			get_attnum(origin.relation, output->name) == origin.attno)
			return true;
	}
	return false;
}

/* ---- decisions ---- */

static void
leave_out(WfmlColumn *column, WfLeftOut why, const char *reason)
{
	column->left_out = why;
	column->reason = reason;
}

/* The columns that the user named: all of them, or an error that names every mistake. */
static void
apply_features(WfmlColumns *columns, List *features, HTAB *names, TupleDesc desc)
{
	List	   *missing = NIL;
	StringInfoData unsupported;
	ListCell   *lc;

	initStringInfo(&unsupported);
	foreach(lc, features)
	{
		const char *name = lfirst(lc);
		int			i = find_name(names, name);
		WfmlColumn *column = i >= 0 ? &columns->column[i] : NULL;

		if (column == NULL)
		{
			missing = lappend(missing, (void *) name);
			continue;
		}
		if (i == columns->target || i == columns->weight || i == columns->group || i == columns->scale)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s column \"%s\" cannot be a feature",
							i == columns->target ? "target" : i == columns->weight ? "weight" :
							i == columns->group ? "group" : "scale_by", name)));
		if (column->by_user)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("column \"%s\" is listed more than once in features", name)));
		column->by_user = true;
		if (!column->supported)
			appendStringInfo(&unsupported, "%s\"%s\" (%s)", unsupported.len ? ", " : "", name,
							 format_type_be(column->type));
	}
	if (missing != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg_plural("column %s of features does not exist in the source",
							   "columns %s of features do not exist in the source",
							   list_length(missing), wfml_quoted_names(missing)),
				 hint_available(desc)));
	if (unsupported.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("columns of these types cannot be features: %s", unsupported.data),
				 errhint("Turn them into numbers, text, times or arrays in the source query.")));
	for (int i = 0; i < columns->n; i++)
		if (!columns->column[i].by_user && columns->column[i].left_out == WF_KEPT && i != columns->scale)
			leave_out(&columns->column[i], WF_LEFT_ROLE, "not in features");
}

/* What nobody should learn from, when the user has not said what to learn from. */
static void
apply_defaults(WfmlColumns *columns, const WfmlOrigin *origins, const char *model)
{
	List	   *outputs = model_outputs(model);

	for (int i = 0; i < columns->n; i++)
	{
		WfmlColumn *column = &columns->column[i];
		WfmlOrigin	origin;
		const char *key;

		if (i == columns->target || i == columns->scale)
			continue;
		if (i == columns->weight)
			leave_out(column, WF_LEFT_ROLE, "weight column");
		else if (i == columns->group)
			leave_out(column, WF_LEFT_ROLE, "group column");
		else if (!column->supported)
			leave_out(column, WF_LEFT_UNSUPPORTED,
					  psprintf("unsupported type %s", format_type_be(column->type)));
		else
		{
			origin = base_origin(origins[i]);
			if (is_output(outputs, origin))
				leave_out(column, WF_LEFT_OUTPUT, "written by this model's trigger");
			else if ((key = key_reason(origin)) != NULL)
				leave_out(column, WF_LEFT_KEY, key);
		}
	}
}

static bool
is_listed(List *list, const char *name)
{
	ListCell   *lc;

	foreach(lc, list)
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	return false;
}

/* The primary key, else the first unique column; of a retraining what it was then. */
static int
find_key(const WfmlColumns *columns, const WfmlSourceRequest *request, const WfmlOrigin *origins, HTAB *names)
{
	int			unique = -1;

	if (request->kept != NIL)
		return request->key ? find_name(names, request->key) : -1;
	for (int i = 0; i < columns->n; i++)
	{
		const char *reason = key_reason(base_origin(origins[i]));

		if (reason && strcmp(reason, "primary key") == 0)
			return i;
		if (reason && unique < 0)
			unique = i;
	}
	return unique;
}

/* A retraining: the model's columns have to be there, and new ones are not for it. */
static void
apply_kept(WfmlColumns *columns, const WfmlSourceRequest *request, HTAB *names, TupleDesc desc)
{
	List	   *missing = NIL;
	ListCell   *lc;

	foreach(lc, request->kept)
	{
		int			i = find_name(names, lfirst(lc));

		if (i < 0)
			missing = lappend(missing, lfirst(lc));
		/* a key by now, but the model is made of it */
		else if (columns->column[i].left_out == WF_LEFT_KEY)
			leave_out(&columns->column[i], WF_KEPT, NULL);
		else if (columns->column[i].left_out == WF_LEFT_UNSUPPORTED)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" of the model is of type %s now, which cannot be a feature",
							columns->column[i].name, format_type_be(columns->column[i].type))));
	}
	if (missing != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg_plural("column %s of the model does not exist in the source any more",
							   "columns %s of the model do not exist in the source any more",
							   list_length(missing), wfml_quoted_names(missing)),
				 hint_available(desc)));
	for (int i = 0; i < columns->n; i++)
		if (columns->column[i].left_out == WF_KEPT && i != columns->scale &&
			!is_listed(request->kept, columns->column[i].name) &&
			!is_listed(request->read, columns->column[i].name))
			leave_out(&columns->column[i], WF_LEFT_ROLE, "new");
}

WfmlColumns *
wfml_columns_decide(const WfmlSourceRequest *request, TupleDesc desc, const WfmlOrigin *origins)
{
	WfmlColumns *columns = palloc0(sizeof(WfmlColumns));
	HTAB	   *names = index_names(desc);

	columns->n = desc->natts;
	columns->column = palloc0(sizeof(WfmlColumn) * (desc->natts + 1));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		WfmlColumn *column = &columns->column[i];

		column->name = pstrdup(NameStr(attribute->attname));
		column->attno = (AttrNumber) (i + 1);
		column->type = attribute->atttypid;
		column->schema_index = -1;
		column->supported = wfml_type_kind(column->type, &column->kind);
	}
	columns->target = find_role(names, desc, request->target, "target");
	columns->weight = find_role(names, desc, request->weight_column, "weight");
	columns->group = find_role(names, desc, request->group_column, "group");
	columns->time = find_role(names, desc, request->time_column, "time");
	columns->scale = find_role(names, desc, request->scale_column, "scale_by");
	if (columns->scale >= 0)
	{
		columns->column[columns->scale].kind = WF_COL_GROUP;
		columns->column[columns->scale].supported = true;
	}
	if (columns->target >= 0 && (columns->target == columns->weight || columns->target == columns->group))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("target column \"%s\" cannot be the %s column", columns->column[columns->target].name,
						columns->target == columns->weight ? "weight" : "group")));
	if (columns->target >= 0)
		leave_out(&columns->column[columns->target], WF_LEFT_ROLE, "target");
	if (request->features != NIL)
		apply_features(columns, request->features, names, desc);
	else
		apply_defaults(columns, origins, request->model);
	if (request->kept != NIL)
		apply_kept(columns, request, names, desc);
	columns->key = find_key(columns, request, origins, names);
	hash_destroy(names);
	return columns;
}

const char *
wfml_column_reason(const WfmlColumn *column, WfLeftOut left_out)
{
	switch (left_out)
	{
		case WF_KEPT:
			return NULL;
		case WF_LEFT_CONSTANT:
			return "constant";
		case WF_LEFT_EMPTY:
			return "only NULL";
		case WF_LEFT_IDENTIFIER:
			return "looks like an identifier";
		default:
			return column->reason;
	}
}
