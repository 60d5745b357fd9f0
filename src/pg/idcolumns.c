/*-------------------------------------------------------------------------
 * idcolumns.c
 *	  Columns of a source that the caller names one by one.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/float.h"
#include "utils/lsyscache.h"

#include "pg/columns.h"
#include "pg/compat.h"
#include "pg/idcolumns.h"

/* Names listed in a HINT. */
#define MAX_HINT_NAMES 50

/* ---- names ---- */

/* Column number of the name, 0: none, -1: several. */
static int
find_name(TupleDesc desc, const char *name)
{
	int			found = 0;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (attribute->attisdropped || strcmp(NameStr(attribute->attname), name) != 0)
			continue;
		if (found)
			return -1;
		found = i + 1;
	}
	return found;
}

static void
missing_columns(const WfmlIdColumn *columns, int n, TupleDesc desc, const char *where)
{
	StringInfoData missing;
	List	   *names = NIL;
	int			count = 0;

	initStringInfo(&missing);
	for (int i = 0; i < n; i++)
		if (columns[i].name && columns[i].attno == 0)
			appendStringInfo(&missing, "%s%s column \"%s\"", count++ ? ", " : "", columns[i].role, columns[i].name);
	if (count == 0)
		return;
	for (int i = 0; i < Min(desc->natts, MAX_HINT_NAMES); i++)
		names = lappend(names, NameStr(TupleDescAttr(desc, i)->attname));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg_plural("%s does not exist in the %s", "%s do not exist in the %s", count, missing.data, where),
			 desc->natts > MAX_HINT_NAMES
			 ? errhint("The %s has the columns %s, and %d more.", where, wfml_quoted_names(names), desc->natts - MAX_HINT_NAMES)
			 : errhint("The %s has the columns %s.", where, wfml_quoted_names(names))));
}

/* ---- types ---- */

static void
wrong_type(const WfmlIdColumn *column, Oid type, const char *wanted)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("%s column \"%s\" is of type %s, %s",
					column->role, column->name, format_type_be(type), wanted)));
}

/* Types whose text input.c makes without the output function, and whole. */
static bool
has_fast_text(Oid base)
{
	switch (base)
	{
		case TEXTOID:
		case VARCHAROID:
		case NAMEOID:
		case UUIDOID:
			return true;
		default:
			return type_is_enum(base);
	}
}

static void
start_column(WfmlIdColumn *column, Oid type)
{
	WfColumnKind kind;
	Oid			function;
	bool		is_varlena;
	bool		scalar = wfml_type_kind(type, &kind) && kind != WF_COL_TAGS && kind != WF_COL_VECTOR;

	column->type = getBaseType(type);
	if (scalar)
		column->converter = wfml_converter_create(type, NULL, CurrentMemoryContext);
	if (column->kind == WFML_ID_TEXT)
	{
		if (!has_fast_text(column->type))
		{
			column->converter = NULL;
			getTypeOutputInfo(column->type, &function, &is_varlena);
			fmgr_info_cxt(function, &column->out, CurrentMemoryContext);
		}
		return;
	}
	if (column->kind == WFML_ID_NUMBER)
	{
		if (!scalar || !column->converter->number)
			wrong_type(column, type, "not a number");
		return;
	}
	if (!scalar || kind == WF_COL_BOOLEAN || (kind != WF_COL_NUMBER && kind != WF_COL_TIMESTAMP && kind != WF_COL_DATE))
		wrong_type(column, type, "neither a timestamp nor a number");
	column->is_clock = kind != WF_COL_NUMBER;
	if (column->kind == WFML_ID_TIME && column->type == TIMESTAMPTZOID)
		column->zone = pstrdup(pg_get_timezone_name(session_timezone));
}

void
wfml_id_columns_find(WfmlIdColumn *columns, int n, TupleDesc desc, const char *where)
{
	for (int i = 0; i < n; i++)
	{
		int			found = columns[i].name ? find_name(desc, columns[i].name) : 0;

		if (found < 0)
			ereport(ERROR,
					(errcode(ERRCODE_AMBIGUOUS_COLUMN),
					 errmsg("%s column \"%s\" appears more than once in the %s", columns[i].role, columns[i].name, where),
					 errhint("Name the columns of the query, or give them aliases.")));
		columns[i].attno = (AttrNumber) found;
	}
	missing_columns(columns, n, desc, where);
	for (int i = 0; i < n; i++)
		if (columns[i].attno)
			start_column(&columns[i], TupleDescAttr(desc, columns[i].attno - 1)->atttypid);
}

int
wfml_id_columns_max_attno(const WfmlIdColumn *columns, int n)
{
	int			max = 0;

	for (int i = 0; i < n; i++)
		max = Max(max, columns[i].attno);
	return max;
}

/* ---- text ---- */

char *
wfml_fixed_output(FmgrInfo *out, Datum value, pg_tz *zone)
{
	pg_tz	   *session_zone = session_timezone;
	int			date_style = DateStyle;
	int			interval_style = IntervalStyle;
	int			float_digits = extra_float_digits;
	int			bytea_style = bytea_output;
	char	   *volatile text = NULL;

	PG_TRY();
	{
		DateStyle = USE_ISO_DATES;
		IntervalStyle = INTSTYLE_POSTGRES;
		extra_float_digits = 1;
		bytea_output = BYTEA_OUTPUT_HEX;
		session_timezone = zone;
		text = OutputFunctionCall(out, value);
	}
	PG_FINALLY();
	{
		DateStyle = date_style;
		IntervalStyle = interval_style;
		extra_float_digits = float_digits;
		bytea_output = bytea_style;
		session_timezone = session_zone;
	}
	PG_END_TRY();
	return text;
}

static void
check_length(const WfmlIdColumn *column, size_t length)
{
	if (length > WF_DICT_KEY_BYTES && !column->clip)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%s column \"%s\" holds a value of %zu bytes, at most %d are allowed",
						column->role, column->name, length, WF_DICT_KEY_BYTES),
				 errhint("Use a shorter id, for example md5() of it.")));
}

const char *
wfml_id_text(WfmlIdColumn *column, Datum value, size_t *length)
{
	const char *text;

	switch (column->type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			{
				int64		number = column->type == INT2OID ? DatumGetInt16(value) :
					column->type == INT4OID ? DatumGetInt32(value) : DatumGetInt64(value);

				*length = (size_t) pg_lltoa(number, column->digits);
				return column->digits;
			}
		case BOOLOID:
			text = DatumGetBool(value) ? "true" : "false";
			*length = strlen(text);
			return text;
		case TEXTOID:
		case VARCHAROID:
			check_length(column, toast_raw_datum_size(value) - VARHDRSZ);
			return column->converter->text(column->converter, value, length);
		default:
			if (column->converter)
				return column->converter->text(column->converter, value, length);
	}
	text = wfml_fixed_output(&column->out, value, session_timezone);
	*length = strlen(text);
	if (column->type == BPCHAROID)	/* padding is no part of it: a cast to text drops it too */
		while (*length > 0 && text[*length - 1] == ' ')
			(*length)--;
	check_length(column, *length);
	*length = wfml_clip_text(text, *length);
	return text;
}

/* ---- numbers and times ---- */

double
wfml_id_number(const WfmlIdColumn *column, Datum value)
{
	return column->converter->number(column->converter, value);
}

double
wfml_id_time(const WfmlIdColumn *column, Datum value)
{
	int64		days,
				usec;

	if (!column->is_clock)
		return wfml_id_number(column, value);
	if (!column->converter->time(column->converter, value, &days, &usec))
		return NAN;
	if (column->kind == WFML_ID_ORDER && column->type == TIMESTAMPTZOID)
		return (double) DatumGetTimestampTz(value) / USECS_PER_SEC;
	return (double) days * SECS_PER_DAY + (double) usec / USECS_PER_SEC;
}
