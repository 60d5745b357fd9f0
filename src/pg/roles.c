/*-------------------------------------------------------------------------
 * roles.c
 *	  Columns that are not learned from but say how: weight, group, time.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "core/dict.h"
#include "pg/compat.h"
#include "pg/roles.h"

static void
check_type(const WfmlRole *role, WfmlRoleKind kind, Oid type)
{
	const WfmlConverter *c = role->converter;

	if (kind == WFML_ROLE_WEIGHT && (c == NULL || c->number == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("weight column \"%s\" is of type %s, not a number",
						role->name, format_type_be(type))));
	if (kind == WFML_ROLE_TIME && (c == NULL || (c->number == NULL && c->time == NULL)))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("time column \"%s\" is of type %s, neither a time nor a number",
						role->name, format_type_be(type))));
}

void
wfml_role_start(WfmlRole *role, WfmlRoleKind kind, const WfmlColumn *column)
{
	role->attno = column->attno;
	role->name = column->name;
	if (column->supported && column->kind != WF_COL_TAGS && column->kind != WF_COL_VECTOR)
		role->converter = wfml_converter_create(column->type, NULL, CurrentMemoryContext);
	else
	{
		Oid			function;
		bool		is_varlena;

		getTypeOutputInfo(column->type, &function, &is_varlena);
		fmgr_info_cxt(function, &role->out, CurrentMemoryContext);
	}
	check_type(role, kind, column->type);
}

static Datum
role_value(const WfmlRole *role, const char *what, const TupleTableSlot *slot)
{
	if (slot->tts_isnull[role->attno - 1])
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("%s column \"%s\" holds NULL", what, role->name),
				 errhint("Leave such rows out in the source query.")));
	return slot->tts_values[role->attno - 1];
}

double
wfml_role_weight(const WfmlRole *role, const TupleTableSlot *slot)
{
	double		weight = role->converter->number(role->converter, role_value(role, "weight", slot));

	if (!(weight >= 0) || isinf(weight))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("weight column \"%s\" holds %g", role->name, weight),
				 errhint("Weights are finite numbers, 0 or more.")));
	return weight;
}

uint64
wfml_role_group(WfmlRole *role, const TupleTableSlot *slot)
{
	Datum		value = role_value(role, "group", slot);
	WfmlConverter *c = role->converter;
	const char *bytes;
	size_t		length;
	struct
	{
		double		number;
		int64		days;
		int64		usec;
	}			key = {0, 0, 0};

	if (c && c->text)
	{
		bytes = c->text(c, value, &length);
		return wf_hash_bytes(bytes, length, 0);
	}
	if (c && c->time)
		(void) c->time(c, value, &key.days, &key.usec);
	else if (c && c->type == INT8OID)	/* all its digits count */
		key.days = DatumGetInt64(value);
	else if (c)
		key.number = c->number(c, value) + 0.0; /* -0 as 0 */
	else
	{
		bytes = OutputFunctionCall(&role->out, value);
		return wf_hash_bytes(bytes, strlen(bytes), 0);
	}
	return wf_hash_bytes(&key, sizeof(key), 0);
}

uint64
wfml_role_identity(WfmlRole *role, const TupleTableSlot *slot)
{
	if (slot->tts_isnull[role->attno - 1])
		return 0;
	return wfml_role_group(role, slot);
}

/* Only the order counts: instants are not taken apart into local time. */
double
wfml_role_time(const WfmlRole *role, const TupleTableSlot *slot)
{
	Datum		value = role_value(role, "time", slot);
	WfmlConverter *c = role->converter;
	double		order;
	int64		days,
				usec;

	if (c->number)
		order = c->number(c, value);
	else if (!c->time(c, value, &days, &usec))
		order = NAN;
	else if (c->type == TIMESTAMPTZOID)
		order = (double) DatumGetTimestampTz(value);
	else
		order = (double) (days * USECS_PER_DAY + usec);
	if (isnan(order))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("time column \"%s\" holds a value that has no place in time", role->name),
				 errhint("Leave rows with infinite times or NaN out in the source query.")));
	return order;
}
