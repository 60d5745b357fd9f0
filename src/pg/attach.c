/*-------------------------------------------------------------------------
 * attach.c
 *	  attach() and detach(): the triggers that let a model score a table.
 *
 * The triggers are made by CREATE TRIGGER as the caller, so PostgreSQL's own
 * rules and event triggers hold.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/relation.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parser.h"
#include "tcop/dest.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "pg/access.h"
#include "pg/attached.h"
#include "pg/cache.h"
#include "pg/fallback.h"
#include "pg/kind.h"
#include "pg/owner.h"
#include "pg/registry.h"
#include "pg/rule.h"
#include "pg/tables.h"
#include "pg/trigger_target.h"

PG_FUNCTION_INFO_V1(wfml_attach);
PG_FUNCTION_INFO_V1(wfml_detach);

/* The columns that attach() names. */
typedef enum Role
{
	KEY, OUTPUT, CONFIDENCE, OUTCOME, N_ROLES
} Role;

static const char *const role_names[N_ROLES] = {"key_column", "output_column", "confidence_column", "outcome_column"};

typedef struct Attachment
{
	const char *model;
	Relation	relation;
	const char *column[N_ROLES];	/* NULL: none */
	List	   *watched;		/* names of the columns that predictions depend on */
	/* of the registry */
	Oid			owner;
	int64		number;
	int64		active_id;		/* 0: none, a rule answers */
	char	   *fallback;
} Attachment;

/* ---- the table ---- */

static void
refuse_relation(Relation relation, const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("cannot attach a model to \"%s\"", RelationGetRelationName(relation)),
			 errdetail("%s", reason)));
}

static void
check_relation(Relation relation)
{
	switch (relation->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			break;
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
			refuse_relation(relation, "It is a view: attach to the tables that rows are inserted into.");
			break;
		case RELKIND_FOREIGN_TABLE:
			refuse_relation(relation, "It is a foreign table, whose rows arrive elsewhere.");
			break;
		default:
			refuse_relation(relation, "It is not a table.");
	}
	if (IsCatalogRelation(relation) || RelationGetNamespace(relation) == wfml_tables()->schema)
		refuse_relation(relation, "It is a table of the system.");
	if (relation->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		refuse_relation(relation, "It is a temporary table; make its triggers with CREATE TRIGGER.");
}

/* The lock of CREATE TRIGGER, taken only by those who may use it. */
static Relation
open_relation(Oid oid, LOCKMODE lock)
{
	AclResult	allowed = pg_class_aclcheck(oid, GetUserId(), ACL_TRIGGER);
	Relation	relation;

	if (allowed != ACLCHECK_OK)
	{
		const char *name = get_rel_name(oid);

		if (name == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("table with OID %u does not exist", oid)));
		aclcheck_error(allowed, get_relkind_objtype(get_rel_relkind(oid)), name);
	}
	relation = relation_open(oid, lock);
	if (pg_class_aclcheck(oid, GetUserId(), ACL_TRIGGER) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, RelationGetRelationName(relation));
	return relation;
}

/* ---- the columns ---- */

static Form_pg_attribute
find_column(const Attachment *a, const char *name)
{
	TupleDesc	desc = RelationGetDescr(a->relation);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), name) == 0)
			return attribute;
	}
	return NULL;
}

static void
check_type(const Form_pg_attribute attribute, bool fits, const char *role, const char *hint)
{
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s \"%s\" has type %s", role, NameStr(attribute->attname), format_type_be(attribute->atttypid)),
				 errhint("%s", hint)));
	if (attribute->attgenerated || attribute->attidentity)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s \"%s\" is a generated column", role, NameStr(attribute->attname))));
}

/* The server chooses a row's partition before triggers run. */
static void
check_partition_key(const Attachment *a, const Form_pg_attribute attribute, const char *role)
{
	Bitmapset  *column = bms_make_singleton(attribute->attnum - FirstLowInvalidHeapAttributeNumber);

	if (has_partition_attrs(a->relation, column, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s \"%s\" is part of the partition key of table \"%s\"", role, NameStr(attribute->attname),
						RelationGetRelationName(a->relation)),
				 errdetail("A row's partition is chosen before its prediction is made.")));
}

static void
check_columns(const Attachment *a)
{
	for (int i = 0; i < N_ROLES; i++)
	{
		Form_pg_attribute attribute;

		if (a->column[i] == NULL)
			continue;
		attribute = find_column(a, a->column[i]);
		if (attribute == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("%s \"%s\" of table \"%s\" does not exist", role_names[i], a->column[i],
							RelationGetRelationName(a->relation))));
		for (int j = 0; j < i; j++)
			if (a->column[j] && strcmp(a->column[i], a->column[j]) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("%s and %s are both \"%s\"", role_names[j], role_names[i], a->column[i])));
		if (i == OUTPUT || i == CONFIDENCE)
			check_partition_key(a, attribute, role_names[i]);
		if (i == OUTPUT)
			check_type(attribute, wfml_target_takes(attribute->atttypid), role_names[i],
					   "Predictions go into columns of text, an enum, a boolean, an integer, a float or numeric.");
		if (i == CONFIDENCE)
			check_type(attribute, wfml_target_takes_number(attribute->atttypid), role_names[i],
					   "A confidence between 0 and 1 goes into a column of double precision, real or numeric.");
	}
	if (a->column[CONFIDENCE] && a->column[OUTPUT] == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("confidence_column needs an output_column")));
}

static void
check_generated(const Attachment *a, const Form_pg_attribute attribute)
{
	if (WFML_IS_VIRTUAL(attribute))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" uses the generated column \"%s\", which is not stored", a->model, NameStr(attribute->attname)),
				 errhint("Train the model without it, or on the columns that it is computed from.")));
	if (a->column[OUTPUT] && attribute->attgenerated)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" uses the generated column \"%s\", which is computed only after a prediction could be filled in",
						a->model, NameStr(attribute->attname)),
				 errhint("Train the model without it, or on the columns that it is computed from; without output_column it can be attached.")));
}

/* Columns that the prediction is made from. */
static void
check_watched(const Attachment *a)
{
	ListCell   *lc;

	foreach(lc, a->watched)
	{
		const char *name = lfirst(lc);

		for (int i = OUTPUT; i < N_ROLES; i++)
			if (a->column[i] && strcmp(a->column[i], name) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("%s \"%s\" is one of the columns that model \"%s\" predicts from",
								role_names[i], name, a->model)));
		check_generated(a, find_column(a, name));
	}
}

/* ---- the model ---- */

static void
read_registry(Attachment *a)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(a->model)};
	MemoryContext caller = CurrentMemoryContext;
	WfmlWriter	writer;
	bool		isnull;
	Datum		fallback;

	wfml_write_begin(&writer, "wfml.attach()");
	if (wfml_execute("SELECT owner::oid, number, coalesce(active_id, 0), fallback FROM wfml.registry WHERE name = $1",
					 1, types, values, NULL) == 0)
		wfml_unknown_model(a->model, writer.user);
	a->owner = DatumGetObjectId(wfml_result(0, 1, &isnull));
	a->number = DatumGetInt64(wfml_result(0, 2, &isnull));
	a->active_id = DatumGetInt64(wfml_result(0, 3, &isnull));
	fallback = wfml_result(0, 4, &isnull);
	if (!isnull)
		a->fallback = MemoryContextStrdup(caller, TextDatumGetCString(fallback));
	wfml_write_end(&writer);
}

static void
check_rights(const Attachment *a)
{
	Oid			table_owner = a->relation->rd_rel->relowner;
	const char *role;

	if (!wfml_may_use(a->model, a->owner, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for model \"%s\"", a->model),
				 errhint("Its owner can allow the use with wfml.grant_model().")));
	if (wfml_may_use(a->model, a->owner, table_owner))
		return;
	role = GetUserNameFromId(table_owner, false);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("owner \"%s\" of table \"%s\" may not use model \"%s\"", role,
					RelationGetRelationName(a->relation), a->model),
			 errdetail("Triggers use a model with the rights of the table's owner."),
			 errhint("The model's owner can allow it: SELECT wfml.grant_model(%s, %s).",
					 quote_literal_cstr(a->model), quote_literal_cstr(role))));
}

static void
watch_model(Attachment *a)
{
	const WfmlCached *cached = wfml_cache_get(a->active_id, CurrentMemoryContext);
	const WfModel *model = cached->model;

	wfml_check_task(model, a->model, WFML_TABLE_TASKS);
	/* Columns that do not fit are an error now, not at the first row. */
	(void) wfml_cache_rowmap(cached, a->model, a->relation->rd_rel->reltype, -1, CurrentMemoryContext);
	for (uint32_t i = 0; i < model->header->n_columns; i++)
		a->watched = lappend(a->watched, pstrdup(wf_model_string(model, model->columns[i].name)));
}

/* Without a version the rule's fields are what matters. */
static void
watch_rule(Attachment *a)
{
	ListCell   *lc;

	if (a->fallback == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WFML_UNKNOWN_MODEL),
				 errmsg("model \"%s\" has no active version and no fallback", a->model),
				 errhint("Activate a version with wfml.activate(), or give it a rule with wfml.set_fallback().")));
	foreach(lc, wfml_rule_fields(wfml_rule_parse(a->fallback)))
		if (find_column(a, lfirst(lc)))
			a->watched = lappend(a->watched, lfirst(lc));
}

static void
rule_context(void *arg)
{
	const Attachment *a = arg;

	errcontext("fallback of model \"%s\": %s", a->model, a->fallback);
}

/* A rule that cannot work here is better told now than when it is needed. */
static void
check_rule(Attachment *a)
{
	ErrorContextCallback callback;
	WfmlAsOwner as;

	callback.callback = rule_context;
	callback.arg = a;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	/* What its text means to the caller is no matter, and could run somebody's code as the caller. */
	wfml_as_owner_begin(&as, a->owner, NULL, NULL);
	wfml_fallback_check(a->fallback, RelationGetDescr(a->relation), a->relation->rd_rel->reltype);
	wfml_as_owner_end(&as);
	error_context_stack = callback.previous;
}

static void
check_model(Attachment *a)
{
	read_registry(a);
	check_rights(a);
	if (a->active_id != 0)
		watch_model(a);
	else
		watch_rule(a);
	if (a->fallback)
		check_rule(a);
	check_watched(a);
}

/* ---- the triggers ---- */

static void
append_watched(StringInfo sql, const Attachment *a)
{
	ListCell   *lc;

	foreach(lc, a->watched)
		appendStringInfo(sql, "%s %s", lc == list_head(a->watched) ? " OF" : ",", quote_identifier(lfirst(lc)));
}

/* Has its type a built-in "="?  Else outcome_trigger() itself, which compares text, finds what changed. */
static bool
is_comparable(const Attachment *a, const char *column)
{
	Oid			equal = lookup_type_cache(find_column(a, column)->atttypid, TYPECACHE_EQ_OPR)->eq_opr;

	return OidIsValid(equal) && equal < FirstNormalObjectId;
}

static void
append_condition(StringInfo sql, const Attachment *a, WfmlTriggerKind kind, bool update)
{
	const char *outcome = a->column[OUTCOME] ? quote_identifier(a->column[OUTCOME]) : NULL;

	if (outcome == NULL || (kind == WFML_TRIGGER_OUTCOME && update && !is_comparable(a, a->column[OUTCOME])))
		return;
	if (kind == WFML_TRIGGER_OUTCOME)
		appendStringInfo(sql, update ? " WHEN (OLD.%s IS DISTINCT FROM NEW.%s)" : " WHEN (NEW.%s IS NOT NULL)",
						 outcome, outcome);
	else if (update)
		appendStringInfo(sql, " WHEN (NEW.%s IS NULL)", outcome);
}

static const char *
argument(const Attachment *a, Role role)
{
	return quote_literal_cstr(a->column[role] ? a->column[role] : "");
}

static void
append_arguments(StringInfo sql, const Attachment *a, WfmlTriggerKind kind)
{
	appendStringInfo(sql, "%s", quote_literal_cstr(a->model));
	switch (kind)
	{
		case WFML_TRIGGER_PREDICT:
			appendStringInfo(sql, ", %s, %s, %s", argument(a, OUTPUT), argument(a, CONFIDENCE), argument(a, KEY));
			break;
		case WFML_TRIGGER_LOG:
			appendStringInfo(sql, ", %s", argument(a, KEY));
			break;
		case WFML_TRIGGER_OUTCOME:
			appendStringInfo(sql, ", %s, %s", argument(a, KEY), argument(a, OUTCOME));
			break;
	}
}

/*
 * Execute CREATE TRIGGER.  IS DISTINCT FROM in its condition means the
 * built-in "=", which SQL cannot say; another search_path would say it, but
 * event triggers of the database may need theirs.
 */
static void
execute(const char *sql)
{
	RawStmt    *raw = linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT));
	CreateTrigStmt *create = castNode(CreateTrigStmt, raw->stmt);
	PlannedStmt *statement = makeNode(PlannedStmt);

	if (create->whenClause && IsA(create->whenClause, A_Expr))
		castNode(A_Expr, create->whenClause)->name = list_make2(makeString("pg_catalog"), makeString("="));
	statement->commandType = CMD_UTILITY;
	statement->canSetTag = true;
	statement->utilityStmt = (Node *) create;
	statement->stmt_location = 0;
	statement->stmt_len = (int) strlen(sql);
	ProcessUtility(statement, sql, false, PROCESS_UTILITY_QUERY, NULL, NULL, None_Receiver, NULL);
	CommandCounterIncrement();
}

/*
 * Names start with "wfml", so that most other BEFORE triggers come first, and
 * that of outcomes comes before that of the log: an outcome belongs to
 * predictions made before it.
 */
static void
create_trigger(const Attachment *a, WfmlTriggerKind kind, bool update)
{
	static const char *const names[] = {"predict", "log", "actual"};
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE TRIGGER wfml_%s_" INT64_FORMAT "_%s %s %s", names[kind], a->number,
					 update ? "update" : "insert", kind == WFML_TRIGGER_PREDICT ? "BEFORE" : "AFTER",
					 update ? "UPDATE" : "INSERT");
	if (update && kind != WFML_TRIGGER_OUTCOME)
		append_watched(&sql, a);
	appendStringInfo(&sql, " ON %s FOR EACH ROW",
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(a->relation)),
												RelationGetRelationName(a->relation)));
	append_condition(&sql, a, kind, update);
	appendStringInfo(&sql, " EXECUTE FUNCTION wfml.%s(", wfml_trigger_function(kind));
	append_arguments(&sql, a, kind);
	appendStringInfoChar(&sql, ')');
	execute(sql.data);
}

static void
create_triggers(const Attachment *a)
{
	for (int update = 0; update < 2; update++)
	{
		if (a->column[OUTPUT])
			create_trigger(a, WFML_TRIGGER_PREDICT, update);
		create_trigger(a, WFML_TRIGGER_LOG, update);
		if (a->column[OUTCOME])
			create_trigger(a, WFML_TRIGGER_OUTCOME, update);
	}
}

/* ---- the row ---- */

static void
check_free(const Attachment *a, const Oid *types, const Datum *values)
{
	bool		isnull;

	if (wfml_execute("SELECT FROM wfml.attachment WHERE model = $1 AND relation::oid = $2", 2, types, values, NULL) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" is already attached to table \"%s\"", a->model, RelationGetRelationName(a->relation)),
				 errhint("Use wfml.detach() first to attach it in another way.")));
	if (a->column[OUTPUT] &&
		wfml_execute("SELECT model FROM wfml.attachment WHERE relation::oid = $2 AND $1 <> ''"
					 " AND (output_column IN ($3, $4) OR confidence_column IN ($3, $4))", 4, types, values, NULL) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" writes its predictions to these columns already",
						TextDatumGetCString(wfml_result(0, 1, &isnull)))));
}

/* The triggers of a partitioned table are those of its partitions, too. */
static void
check_parents(const Attachment *a)
{
	ListCell   *cell;

	if (!a->relation->rd_rel->relispartition)
		return;
	foreach(cell, get_partition_ancestors(RelationGetRelid(a->relation)))
	{
		Oid			types[] = {TEXTOID, OIDOID};
		Datum		values[] = {CStringGetTextDatum(a->model), ObjectIdGetDatum(lfirst_oid(cell))};

		if (wfml_execute("SELECT FROM wfml.attachment WHERE model = $1 AND relation::oid = $2", 2, types, values, NULL) > 0)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_OBJECT),
					 errmsg("model \"%s\" is already attached to table \"%s\"", a->model, get_rel_name(lfirst_oid(cell))),
					 errdetail("Table \"%s\" is a partition of it.", RelationGetRelationName(a->relation))));
	}
}

static void
insert_row(const Attachment *a)
{
	Oid			types[] = {TEXTOID, OIDOID, NAMEOID, NAMEOID, NAMEOID, NAMEOID, OIDOID};
	Datum		values[7];
	char		nulls[7] = {' ', ' ', ' ', ' ', ' ', ' ', ' '};
	/* without NULLs */
	Datum		columns[4];
	NameData	names[N_ROLES];
	WfmlWriter	writer;

	wfml_write_begin(&writer, "wfml.attach()");
	values[0] = columns[0] = CStringGetTextDatum(a->model);
	values[1] = columns[1] = ObjectIdGetDatum(RelationGetRelid(a->relation));
	for (int i = 0; i < N_ROLES; i++)
	{
		/* The key is there always, and it is no column that another model writes. */
		namestrcpy(&names[i], a->column[i] ? a->column[i] : a->column[OUTPUT] ? a->column[OUTPUT] : "");
		nulls[2 + i] = a->column[i] ? ' ' : 'n';
		values[2 + i] = NameGetDatum(&names[i]);
	}
	columns[2] = values[2 + OUTPUT];
	columns[3] = values[2 + CONFIDENCE];
	values[6] = ObjectIdGetDatum(writer.user);
	/* Those of tables that are gone. */
	wfml_execute("DELETE FROM wfml.attachment a WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = a.relation::oid)",
				 0, NULL, NULL, NULL);
	check_free(a, types, columns);
	check_parents(a);
	wfml_execute("INSERT INTO wfml.attachment (model, relation, key_column, output_column, confidence_column, outcome_column, attached_by)"
				 " VALUES ($1, $2::regclass, $3, $4, $5, $6, $7::regrole)", 7, types, values, nulls);
	wfml_write_end(&writer);
}

/* ---- attach and detach ---- */

/* attach(model, relation, key_column, output_column, confidence_column, outcome_column) */
Datum
wfml_attach(PG_FUNCTION_ARGS)
{
	Attachment	a = {.model = NULL};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model, relation and key_column must not be null")));
	a.model = text_to_cstring(PG_GETARG_TEXT_PP(0));
	wfml_check_model_name(a.model);
	for (int i = 0; i < N_ROLES; i++)
		if (!PG_ARGISNULL(2 + i))
			a.column[i] = pstrdup(NameStr(*PG_GETARG_NAME(2 + i)));
	a.relation = open_relation(PG_GETARG_OID(1), ShareRowExclusiveLock);
	check_relation(a.relation);
	check_columns(&a);
	check_model(&a);
	insert_row(&a);
	create_triggers(&a);
	relation_close(a.relation, NoLock);
	PG_RETURN_VOID();
}

/* Is there a table to ask for rights?  Else the row is the model's owner's to remove. */
static bool
table_exists(Oid relation)
{
	return get_rel_name(relation) != NULL;
}

/* detach(model, relation) */
Datum
wfml_detach(PG_FUNCTION_ARGS)
{
	char	   *model = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Oid			oid = PG_GETARG_OID(1);
	Oid			types[] = {TEXTOID, OIDOID};
	Datum		values[] = {PG_GETARG_DATUM(0), ObjectIdGetDatum(oid)};
	List	   *attached = NIL;
	WfmlWriter	writer;
	uint64		n;

	if (table_exists(oid))
	{
		relation_close(open_relation(oid, AccessExclusiveLock), NoLock);
		attached = wfml_attached(oid, model);
	}
	else
		wfml_check_owner(model);
	wfml_write_begin(&writer, "wfml.detach()");
	n = wfml_execute("DELETE FROM wfml.attachment WHERE model = $1 AND relation::oid = $2", 2, types, values, NULL);
	wfml_write_end(&writer);
	if (n == 0 && attached == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model \"%s\" is not attached to table \"%s\"", model, get_rel_name(oid) ? get_rel_name(oid) : "-"),
				 errhint("The view wfml.attachments lists what is attached.")));
	wfml_attached_drop(attached);
	PG_RETURN_VOID();
}
