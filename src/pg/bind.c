/*-------------------------------------------------------------------------
 * bind.c
 *	  bind, unbind, grant_source, revoke_source.
 *
 * What is bound is checked as it will be read: as its owner in a
 * security-restricted operation with the search_path to be stored.  Running
 * it for no rows also finds missing privileges.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_relation.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "pg/access.h"
#include "pg/arguments.h"
#include "pg/binding.h"
#include "pg/bindkind.h"
#include "pg/owner.h"
#include "pg/source.h"
#include "pg/tables.h"

PG_FUNCTION_INFO_V1(wfml_bind);
PG_FUNCTION_INFO_V1(wfml_unbind);
PG_FUNCTION_INFO_V1(wfml_grant_source);
PG_FUNCTION_INFO_V1(wfml_revoke_source);

typedef struct QueryColumn
{
	const char *name;
	Oid			type;
	int32		typmod;
} QueryColumn;

/* ---- the query's columns ---- */

/* Those of the query, in the current context. */
static List *
list_columns(Query *query)
{
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, query->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);
		QueryColumn *column;

		if (entry->resjunk)
			continue;
		column = palloc(sizeof(QueryColumn));
		column->name = pstrdup(entry->resname);
		column->type = exprType((Node *) entry->expr);
		column->typmod = exprTypmod((Node *) entry->expr);
		columns = lappend(columns, column);
	}
	return columns;
}

static QueryColumn *
find_column(List *columns, const char *name)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		if (strcmp(((QueryColumn *) lfirst(lc))->name, name) == 0)
			return lfirst(lc);
	}
	return NULL;
}

static char *
column_names(List *columns)
{
	StringInfoData names;
	ListCell   *lc;

	initStringInfo(&names);
	foreach(lc, columns)
		appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "", ((QueryColumn *) lfirst(lc))->name);
	return names.data;
}

static void
missing_column(const WfmlBindKind *kind, List *columns, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("%s need a column \"%s\", which the source does not have", kind->name, name),
			 errdetail("Its columns are %s.", column_names(columns)),
			 errhint("Bind a query that names one so: SELECT …, expression AS %s FROM …", name)));
}

static void
check_columns(const WfmlBindKind *kind, List *columns)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		QueryColumn *column = lfirst(lc);

		if (find_column(columns, column->name) != column)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("the source has two columns \"%s\"", column->name),
					 errhint("Give each column a name of its own.")));
	}
	for (int i = 0; kind->columns[i].name; i++)
	{
		QueryColumn *column = find_column(columns, kind->columns[i].name);

		if (column)
			wfml_bind_check_type(kind, &kind->columns[i], column->type);
		else if (kind->columns[i].required)
			missing_column(kind, columns, kind->columns[i].name);
	}
	if (strcmp(kind->name, "suggestions") == 0 && !find_column(columns, "accepted") && !find_column(columns, "score"))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("suggestions need a column \"accepted\" or \"score\", and the source has neither"),
				 errdetail("Its columns are %s.", column_names(columns))));
}

/* known_at_start: further columns, which a run can be asked about before it has run. */
static void
check_known(const WfmlBindKind *kind, List *columns, List *known)
{
	ListCell   *lc;

	if (known != NIL && strcmp(kind->name, "runs") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("known_at_start is for runs, not for %s", kind->name)));
	foreach(lc, known)
	{
		const char *name = lfirst(lc);

		if (find_column(columns, name) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of known_at_start is not in the source", name),
					 errdetail("Its columns are %s.", column_names(columns))));
		for (int before = 0; before < foreach_current_index(lc); before++)
			if (strcmp(name, list_nth(known, before)) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("column \"%s\" is in known_at_start twice", name)));
		if (strcmp(name, "succeeded") == 0 || strcmp(name, "finished_at") == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column \"%s\" cannot be known when a run starts", name)));
		if (wfml_bind_kind_column(kind, name) != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column \"%s\" need not be in known_at_start", name),
					 errhint("It is for further columns of the source; those of the kind are used as what they are.")));
	}
}

static Datum
columns_jsonb(List *columns)
{
	JsonbParseState *state = NULL;
	JsonbValue *object;
	ListCell   *lc;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	foreach(lc, columns)
	{
		QueryColumn *column = lfirst(lc);
		JsonbValue	text = {.type = jbvString};

		text.val.string.val = unconstify(char *, column->name);
		text.val.string.len = (int) strlen(column->name);
		(void) pushJsonbValue(&state, WJB_KEY, &text);
		text.val.string.val = format_type_extended(column->type, column->typmod, FORMAT_TYPE_TYPEMOD_GIVEN);
		text.val.string.len = (int) strlen(text.val.string.val);
		(void) pushJsonbValue(&state, WJB_VALUE, &text);
	}
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbPGetDatum(JsonbValueToJsonb(object));
}

/* ---- bind ---- */

/* Analyses the query and runs it for no rows; the columns are in the caller's context. */
static List *
try_query(const char *query)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext spi;
	bool		read_only = XactReadOnly;
	SPIPlanPtr	plan;
	Query	   *parsed;
	List	   *columns;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	plan = SPI_prepare(query, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "could not prepare the source: %s", SPI_result_code_string(SPI_result));
	parsed = wfml_source_single_query(plan);
	if (isQueryUsingTempRelation(parsed))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a temporary table cannot be bound"),
				 errhint("Other sessions read the binding too: bind a permanent table.")));
	spi = MemoryContextSwitchTo(context);
	columns = list_columns(parsed);
	MemoryContextSwitchTo(spi);
	XactReadOnly = true;
	if (SPI_execute(psprintf("SELECT FROM (%s\n) q LIMIT 0", query), true, 0) < 0)
		elog(ERROR, "could not try the source");
	XactReadOnly = read_only;
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "could not leave SPI");
	return columns;
}

typedef struct NewBinding
{
	const WfmlBindKind *kind;
	char	   *source;
	char	   *query;
	char	   *search_path;
	char	   *timezone;
	List	   *columns;
	Datum		columns_json;
} NewBinding;

static void
check_binding(NewBinding *binding, const char *source, List *known)
{
	bool		is_relation;
	WfmlAsOwner as;

	binding->search_path = pstrdup(namespace_search_path);
	binding->timezone = pstrdup(GetConfigOption("TimeZone", false, false));
	wfml_as_owner_begin(&as, GetUserId(), binding->search_path, binding->timezone);
	binding->query = wfml_source_query(source, &binding->source, &is_relation);
	binding->columns = try_query(binding->query);
	check_columns(binding->kind, binding->columns);
	check_known(binding->kind, binding->columns, known);
	binding->columns_json = columns_jsonb(binding->columns);
	wfml_as_owner_end(&as);
}

static void
store_binding(const NewBinding *binding, Datum known, Datum session_gap)
{
	Oid			types[] = {TEXTOID, OIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTARRAYOID, JSONBOID, INTERVALOID};
	Datum		values[] = {
		CStringGetTextDatum(binding->kind->name),
		ObjectIdGetDatum(GetUserId()),
		CStringGetTextDatum(binding->source),
		CStringGetTextDatum(binding->query),
		CStringGetTextDatum(binding->search_path),
		CStringGetTextDatum(binding->timezone),
		known,
		binding->columns_json,
		session_gap
	};
	WfmlWriter	writer;

	wfml_write_begin(&writer, "wfml.bind()");
	(void) wfml_execute("INSERT INTO wfml.source_binding AS b"
						" (kind, owner, source, query, search_path, timezone, known_at_start, columns, session_gap)"
						" VALUES ($1, $2::regrole, $3, $4, $5, $6, $7, $8, $9)"
						" ON CONFLICT (kind, owner) DO UPDATE SET id = pg_catalog.nextval('wfml.source_binding_id_seq'),"
						" source = $3, query = $4, search_path = $5, timezone = $6, known_at_start = $7, columns = $8,"
						" session_gap = $9, bound_at = pg_catalog.clock_timestamp()",
						lengthof(types), types, values, NULL);
	wfml_write_end(&writer);
}

/* bind(kind, query, known_at_start, session_gap) */
Datum
wfml_bind(PG_FUNCTION_ARGS)
{
	NewBinding	binding = {.kind = wfml_bind_kind(wfml_argument_text(fcinfo, 0, "kind"))};
	char	   *source = wfml_argument_text(fcinfo, 1, "query");
	Datum		known = PG_ARGISNULL(2) ? PointerGetDatum(construct_empty_array(TEXTOID)) : PG_GETARG_DATUM(2);
	List	   *names = NIL;
	Interval	zero = {0};

	if (PG_ARGISNULL(3) || DatumGetBool(DirectFunctionCall2(interval_le, PG_GETARG_DATUM(3), IntervalPGetDatum(&zero))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("session_gap must be more than no time at all")));
	if (ArrayGetNItems(ARR_NDIM(DatumGetArrayTypeP(known)), ARR_DIMS(DatumGetArrayTypeP(known))) > 0)
		names = wfml_argument_names(fcinfo, 2, "known_at_start");
	check_binding(&binding, source, names);
	store_binding(&binding, known, PG_GETARG_DATUM(3));
	PG_RETURN_VOID();
}

/* ---- unbind and grants ---- */

static const char gone_hint[] = "For a role that was dropped give the number that wfml.sources shows as owner.";

/* unbind(kind, owner) → whether there was one */
Datum
wfml_unbind(PG_FUNCTION_ARGS)
{
	const WfmlBindKind *kind = wfml_bind_kind(wfml_argument_text(fcinfo, 0, "kind"));
	Oid			owner = PG_ARGISNULL(1) ? GetUserId() : wfml_role_or_number(PG_GETARG_NAME(1), gone_hint);
	Oid			types[] = {TEXTOID, OIDOID};
	Datum		values[] = {CStringGetTextDatum(kind->name), ObjectIdGetDatum(owner)};
	WfmlWriter	writer;
	uint64		n;

	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to unbind the %s of \"%s\"", kind->name, NameStr(*PG_GETARG_NAME(1)))));
	wfml_write_begin(&writer, "wfml.unbind()");
	n = wfml_execute("DELETE FROM wfml.source_binding WHERE kind = $1 AND owner::oid = $2", 2, types, values, NULL);
	wfml_write_end(&writer);
	PG_RETURN_BOOL(n > 0);
}

/* Of the binding that serves the current user, if he has its owner's rights. */
static void
change_grant(FunctionCallInfo fcinfo, const char *command, const char *sql)
{
	WfmlBinding *binding = wfml_binding_find(text_to_cstring(PG_GETARG_TEXT_PP(0)), false);
	bool		everybody = strcmp(NameStr(*PG_GETARG_NAME(1)), "public") == 0;
	Oid			types[] = {INT8OID, OIDOID};
	Datum		values[2];
	WfmlWriter	writer;

	if (!has_privs_of_role(GetUserId(), binding->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to grant or revoke the %s bound by \"%s\"", binding->kind,
						GetUserNameFromId(binding->owner, true))));
	values[0] = Int64GetDatum(binding->id);
	values[1] = ObjectIdGetDatum(everybody ? InvalidOid : wfml_role_or_number(PG_GETARG_NAME(1), gone_hint));
	wfml_write_begin(&writer, command);
	(void) wfml_execute(sql, 2, types, values, NULL);
	wfml_write_end(&writer);
}

/* grant_source(kind, role) */
Datum
wfml_grant_source(PG_FUNCTION_ARGS)
{
	change_grant(fcinfo, "wfml.grant_source()",
				 "INSERT INTO wfml.source_grant (binding, grantee) VALUES ($1, $2::regrole) ON CONFLICT DO NOTHING");
	PG_RETURN_VOID();
}

/* revoke_source(kind, role) */
Datum
wfml_revoke_source(PG_FUNCTION_ARGS)
{
	change_grant(fcinfo, "wfml.revoke_source()",
				 "DELETE FROM wfml.source_grant WHERE binding = $1 AND grantee::oid = $2");
	PG_RETURN_VOID();
}
