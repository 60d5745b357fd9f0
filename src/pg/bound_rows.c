/*-------------------------------------------------------------------------
 * bound_rows.c
 *	  bound_rows(): what a binding yields, in the columns and types asked for.
 *
 * Its rows go straight into the tuple store of the calling query.  All code
 * that runs here has the rights of the binding's owner, so nothing of the
 * caller's may be run: a column is cast only to the types of pg_catalog, which
 * bring no code of users with them.  Of other types (domains, enums, …) it
 * must be already.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

#include "pg/arguments.h"
#include "pg/binding_read.h"
#include "pg/bindkind.h"

PG_FUNCTION_INFO_V1(wfml_bound_rows);

/* Arguments of bound_rows() after kind, which are the query's parameters too. */
enum
{
	BY_WORKFLOW,
	BY_USER,
	SINCE,
	UNTIL,
	N_FILTERS
};

static const char *const filter_names[N_FILTERS] = {"workflow_id", "user_id", "since", "until"};

typedef struct BoundRows
{
	DestReceiver pub;
	const WfmlBindKind *kind;
	TupleDesc	asked;
	bool		filters[N_FILTERS];
	int64		limit;			/* -1: none */
	Tuplestorestate *store;
} BoundRows;

/* ---- the query ---- */

static bool
is_builtin(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	result = ((Form_pg_type) GETSTRUCT(tuple))->typnamespace == PG_CATALOG_NAMESPACE;
	ReleaseSysCache(tuple);
	return result;
}

/* Names of the columns that are bound, and of those that are NULL for want of a binding. */
static char *
readable_columns(const BoundRows *b, const WfmlBinding *binding)
{
	JsonbIterator *it = JsonbIteratorInit(&DatumGetJsonbP(binding->columns)->root);
	StringInfoData names;
	JsonbValue	value;
	JsonbIteratorToken token;

	initStringInfo(&names);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			appendStringInfo(&names, "%s\"%.*s\"", names.len > 0 ? ", " : "", value.val.string.len, value.val.string.val);
	}
	for (int i = 0; b->kind->columns[i].name; i++)
	{
		if (!wfml_binding_has(binding, b->kind->columns[i].name))
			appendStringInfo(&names, ", \"%s\" (NULL)", b->kind->columns[i].name);
	}
	return names.data;
}

static void
no_such_column(const BoundRows *b, const WfmlBinding *binding, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("the %s that are bound have no column \"%s\"", binding->kind, name),
			 errdetail("Their columns are %s.", readable_columns(b, binding)),
			 errhint("To read more columns bind a query that has them with wfml.bind('%s', …).", binding->kind)));
}

static void
append_column(StringInfo sql, const BoundRows *b, const WfmlBinding *binding, Form_pg_attribute att)
{
	const char *name = NameStr(att->attname);
	bool		bound = wfml_binding_has(binding, name);

	if (!bound && wfml_bind_kind_column(b->kind, name) == NULL)
		no_such_column(b, binding, name);
	appendStringInfo(sql, bound ? "q.%s" : "NULL", bound ? quote_identifier(name) : "");
	if (is_builtin(att->atttypid))
		appendStringInfo(sql, "::%s", format_type_extended(att->atttypid, att->atttypmod,
														   FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
}

/* "schema.=" of the operator. */
static char *
operator_name(Oid operator)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	name = psprintf("%s.%s", quote_identifier(get_namespace_name(form->oprnamespace)), NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return name;
}

/*
 * "q.column = $i" in the column's own type, so that its indexes serve.  The
 * operator is the type's own, whatever search_path holds.
 */
static void
append_equality(StringInfo sql, const WfmlBinding *binding, const char *name, int i)
{
	const char *type_name = wfml_binding_type(binding, name);
	Oid			type;
	int32		typmod;
	Oid			operator;

	if (type_name == NULL)
	{
		appendStringInfoString(sql, "false");
		return;
	}
#if PG_VERSION_NUM >= 160000
	(void) parseTypeString(type_name, &type, &typmod, NULL);
#else
	parseTypeString(type_name, &type, &typmod, false);
#endif
	type = getBaseType(type);
	operator = lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
	if (!OidIsValid(operator))
		appendStringInfo(sql, "q.%s::pg_catalog.text OPERATOR(pg_catalog.=) $%d", quote_identifier(name), i);
	else
		appendStringInfo(sql, "q.%s OPERATOR(%s) $%d::%s", quote_identifier(name), operator_name(operator), i,
						 format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
}

static char *
build_query(void *arg, const WfmlBinding *binding)
{
	const BoundRows *b = arg;
	const char *word = " WHERE ";
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (int i = 0; i < b->asked->natts; i++)
	{
		appendStringInfoString(&sql, i > 0 ? ", " : "");
		append_column(&sql, b, binding, TupleDescAttr(b->asked, i));
	}
	/* Not by a format: the query may hold per cent signs. */
	appendStringInfo(&sql, " FROM (%s\n) q", binding->query);
	for (int i = 0; i < N_FILTERS; i++)
	{
		if (!b->filters[i])
			continue;
		appendStringInfoString(&sql, word);
		word = " AND ";
		if (i == SINCE || i == UNTIL)
			appendStringInfo(&sql, "q.%s OPERATOR(pg_catalog.%s) $%d", quote_identifier(b->kind->time), i == SINCE ? ">=" : "<", i + 1);
		else
			append_equality(&sql, binding, filter_names[i], i + 1);
	}
	/* NULLs first: that is how an ascending index reads backward. */
	if (b->limit >= 0 && b->kind->time)
		appendStringInfo(&sql, " ORDER BY q.%s DESC", quote_identifier(b->kind->time));
	if (b->limit >= 0)
		appendStringInfo(&sql, " LIMIT " INT64_FORMAT, b->limit);
	return sql.data;
}

/* All that the text of build_query() depends on but the binding. */
static void
make_shape(StringInfo shape, const BoundRows *b)
{
	/* No text for wfml_binding_read() begins so. */
	appendStringInfoChar(shape, '\0');
	appendBinaryStringInfo(shape, (const char *) b->filters, sizeof(b->filters));
	appendBinaryStringInfo(shape, (const char *) &b->limit, sizeof(b->limit));
	for (int i = 0; i < b->asked->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(b->asked, i);

		appendBinaryStringInfo(shape, (const char *) &att->atttypid, sizeof(Oid));
		appendBinaryStringInfo(shape, (const char *) &att->atttypmod, sizeof(int32));
		appendBinaryStringInfo(shape, NameStr(att->attname), (int) strlen(NameStr(att->attname)) + 1);
	}
}

/* ---- the rows ---- */

static void
receive_start(DestReceiver *self, int operation, TupleDesc desc)
{
	TupleDesc	asked = ((BoundRows *) self)->asked;

	for (int i = 0; i < asked->natts; i++)
	{
		Oid			wanted = TupleDescAttr(asked, i)->atttypid;
		Oid			got = TupleDescAttr(desc, i)->atttypid;

		if (got != wanted)
			ereport(ERROR,
					(errcode(ERRCODE_CANNOT_COERCE),
					 errmsg("column \"%s\" cannot be read as %s",
							NameStr(TupleDescAttr(asked, i)->attname), format_type_be(wanted)),
					 errdetail("Columns of a binding are cast to built-in types only, since that is done as its owner."),
					 errhint("Read it as text or as %s and cast that in your query.", format_type_be(got))));
	}
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	tuplestore_puttupleslot(((BoundRows *) self)->store, slot);
	return true;
}

static void
receive_nothing(DestReceiver *self)
{
}

static void
check_filters(const BoundRows *b, const WfmlBinding *binding)
{
	for (int i = 0; i < N_FILTERS; i++)
	{
		if (!b->filters[i])
			continue;
		if ((i == SINCE || i == UNTIL) && b->kind->time == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s have no time, so %s cannot choose among them", b->kind->name, filter_names[i])));
		if (i != SINCE && i != UNTIL && wfml_bind_kind_column(b->kind, filter_names[i]) == NULL &&
			!wfml_binding_has(binding, filter_names[i]))
			no_such_column(b, binding, filter_names[i]);
	}
	if (b->limit < -1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_ROW_COUNT_IN_LIMIT_CLAUSE),
				 errmsg("row_limit must be 0 or more")));
}

/* bound_rows(kind, workflow_id, user_id, since, until, row_limit) AS (name type, …) */
Datum
wfml_bound_rows(PG_FUNCTION_ARGS)
{
	static const Oid types[N_FILTERS] = {TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *kind = wfml_argument_text(fcinfo, 0, "kind");
	WfmlBinding *binding = wfml_binding_find(kind, false);
	BoundRows	b = {
		.pub = {
			.receiveSlot = receive_row,
			.rStartup = receive_start,
			.rShutdown = receive_nothing,
			.rDestroy = receive_nothing,
			.mydest = DestTuplestore
		},
		.kind = wfml_bind_kind(kind),
		.limit = -1
	};
	Datum		values[N_FILTERS] = {0};
	char		nulls[N_FILTERS];
	StringInfoData shape;
	MemoryContext old;
	WfmlBoundQuery query = {.build = build_query, .arg = &b, .n = N_FILTERS, .types = types, .values = values, .nulls = nulls};

	if (result == NULL || !IsA(result, ReturnSetInfo) || result->expectedDesc == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("wfml.bound_rows() needs a list of columns"),
				 errhint("Write SELECT … FROM wfml.bound_rows('%s') AS r (column type, …).", kind)));
	for (int i = 0; i < N_FILTERS; i++)
	{
		b.filters[i] = !PG_ARGISNULL(i + 1);
		nulls[i] = b.filters[i] ? ' ' : 'n';
		if (b.filters[i])
			values[i] = PG_GETARG_DATUM(i + 1);
	}
	if (!PG_ARGISNULL(5))
		b.limit = PG_GETARG_INT64(5) < 0 ? -2 : PG_GETARG_INT64(5);
	check_filters(&b, binding);
	InitMaterializedSRF(fcinfo, 0);
	/* The executor frees it, and would need expectedDesc again. */
	old = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	result->setDesc = CreateTupleDescCopy(result->expectedDesc);
	MemoryContextSwitchTo(old);
	b.asked = result->setDesc;
	b.store = result->setResult;
	initStringInfo(&shape);
	make_shape(&shape, &b);
	query.shape = shape.data;
	query.shape_size = shape.len;
	wfml_binding_run(binding, &query, &b.pub);
	return (Datum) 0;
}
