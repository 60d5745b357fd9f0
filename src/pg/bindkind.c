/*-------------------------------------------------------------------------
 * bindkind.c
 *	  The kinds of rows that an application binds, and their columns.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/bindkind.h"
#include "pg/compat.h"

/* The columns of type wfml.pattern but events, which kinds treat differently. */
#define PATTERN_COLUMNS \
	{"n_events", WFML_BIND_NUMBER, false}, {"support", WFML_BIND_NUMBER, false}, \
	{"users", WFML_BIND_NUMBER, false}, {"lift", WFML_BIND_NUMBER, false}, \
	{"typical_hour", WFML_BIND_NUMBER, false}, {"weekday_share", WFML_BIND_NUMBER, false}, \
	{"gap", WFML_BIND_INTERVAL, false}

static const WfmlBindKind kinds[] = {
	{"runs", "finished_at", {
		{"workflow_id", WFML_BIND_ANY, true}, {"started_at", WFML_BIND_TIME, true},
		{"finished_at", WFML_BIND_TIME, true}, {"succeeded", WFML_BIND_BOOLEAN, true},
		{"user_id", WFML_BIND_ANY, false}, {"run_id", WFML_BIND_ANY, false},
		{"upstream", WFML_BIND_ANY, false}
	}},
	{"events", "at", {
		{"user_id", WFML_BIND_ANY, true}, {"event", WFML_BIND_ANY, true}, {"at", WFML_BIND_TIME, true}
	}},
	{"workflows", NULL, {
		{"workflow_id", WFML_BIND_ANY, true}, {"name", WFML_BIND_ANY, true},
		{"events", WFML_BIND_TEXTS, false}, {"category", WFML_BIND_TEXT, false}
	}},
	{"usage", NULL, {
		{"user_id", WFML_BIND_ANY, true}, {"workflow_id", WFML_BIND_ANY, true}, {"weight", WFML_BIND_NUMBER, true}
	}},
	{"patterns", NULL, {
		{"events", WFML_BIND_TEXTS, true}, {"category", WFML_BIND_TEXT, true}, PATTERN_COLUMNS
	}},
	{"suggestions", NULL, {
		{"events", WFML_BIND_TEXTS, true}, {"accepted", WFML_BIND_BOOLEAN, false},
		{"score", WFML_BIND_NUMBER, false}, {"category", WFML_BIND_TEXT, false}, PATTERN_COLUMNS
	}}
};

const WfmlBindKind *
wfml_bind_kind(const char *name)
{
	StringInfoData names;

	for (size_t i = 0; i < lengthof(kinds); i++)
	{
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	initStringInfo(&names);
	for (size_t i = 0; i < lengthof(kinds); i++)
		appendStringInfo(&names, "%s%s", i == 0 ? "" : i + 1 < lengthof(kinds) ? ", " : " and ", kinds[i].name);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no kind \"%s\" of sources", name),
			 errhint("The kinds are %s.", names.data)));
}

const WfmlBindColumn *
wfml_bind_kind_column(const WfmlBindKind *kind, const char *name)
{
	for (int i = 0; kind->columns[i].name; i++)
	{
		if (strcmp(kind->columns[i].name, name) == 0)
			return &kind->columns[i];
	}
	return NULL;
}

char *
wfml_bind_required(const WfmlBindKind *kind)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; kind->columns[i].name; i++)
	{
		if (kind->columns[i].required)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", kind->columns[i].name);
	}
	if (strcmp(kind->name, "suggestions") == 0)
		appendStringInfoString(&names, ", accepted");
	return names.data;
}

static bool
is_text(Oid type)
{
	char		category;
	bool		preferred;

	get_type_category_preferred(type, &category, &preferred);
	return category == TYPCATEGORY_STRING || category == TYPCATEGORY_ENUM;
}

static bool
is_number(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return true;
		default:
			return false;
	}
}

static bool
type_fits(WfmlBindType wanted, Oid type)
{
	Oid			base = getBaseType(type);

	switch (wanted)
	{
		case WFML_BIND_ANY:
			return true;
		case WFML_BIND_TIME:
			return base == TIMESTAMPTZOID || base == TIMESTAMPOID;
		case WFML_BIND_BOOLEAN:
			return base == BOOLOID;
		case WFML_BIND_NUMBER:
			return is_number(base);
		case WFML_BIND_TEXT:
			return is_text(base);
		case WFML_BIND_TEXTS:
			return OidIsValid(get_element_type(base)) && is_text(getBaseType(get_element_type(base)));
		case WFML_BIND_INTERVAL:
			return base == INTERVALOID;
	}
	return false;
}

/* What to write in the query instead, of a column of that name and type. */
static char *
better_expression(const char *name, WfmlBindType wanted, Oid type)
{
	Oid			base = getBaseType(type);

	switch (wanted)
	{
		case WFML_BIND_TIME:
			return psprintf(is_number(base) ? "to_timestamp(%s) AS %s" : "%s::timestamptz AS %s", name, name);
		case WFML_BIND_BOOLEAN:
			return psprintf(is_number(base) ? "%s <> 0 AS %s" : "%s = 'success' AS %s", name, name);
		case WFML_BIND_NUMBER:
			return psprintf(base == INTERVALOID ? "extract(epoch FROM %s)::double precision AS %s"
							: base == BOOLOID ? "%s::int AS %s" : "%s::double precision AS %s", name, name);
		case WFML_BIND_TEXTS:
			return psprintf(base == JSONBOID ? "ARRAY(SELECT jsonb_array_elements_text(%s)) AS %s"
							: base == JSONOID ? "ARRAY(SELECT json_array_elements_text(%s)) AS %s"
							: is_text(base) ? "string_to_array(%s, ',') AS %s" : "%s::text[] AS %s", name, name);
		case WFML_BIND_INTERVAL:
			return psprintf(is_number(base) ? "make_interval(secs => %s) AS %s" : "%s::interval AS %s", name, name);
		default:
			return psprintf("%s::text AS %s", name, name);
	}
}

static const char *
type_words(WfmlBindType wanted)
{
	switch (wanted)
	{
		case WFML_BIND_TIME:
			return "a timestamp";
		case WFML_BIND_BOOLEAN:
			return "boolean";
		case WFML_BIND_NUMBER:
			return "a number";
		case WFML_BIND_TEXTS:
			return "an array of text";
		case WFML_BIND_INTERVAL:
			return "an interval";
		default:
			return "text";
	}
}

void
wfml_bind_check_type(const WfmlBindKind *kind, const WfmlBindColumn *column, Oid type)
{
	if (type_fits(column->type, type))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of %s must be %s, but is %s", column->name, kind->name,
					type_words(column->type), format_type_be(type)),
			 errhint("Bind a query that makes it one, for example with %s.",
					 better_expression(column->name, column->type, type))));
}
