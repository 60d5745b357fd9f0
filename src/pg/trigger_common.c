/*-------------------------------------------------------------------------
 * trigger_common.c
 *	  What triggers of wfml have in common.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/idcolumns.h"
#include "pg/trigger.h"

TriggerData *
wfml_trigger_data(FunctionCallInfo fcinfo, const char *function, uint32 timing, int min_args, int max_args,
				  const char *usage)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("%s() can be called only as a trigger", function),
				 errhint("wfml.attach() makes the triggers.")));
	if ((trigger->tg_event & TRIGGER_EVENT_TIMINGMASK) != timing ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		!(TRIGGER_FIRED_BY_INSERT(trigger->tg_event) || TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("%s() must be fired %s INSERT or UPDATE, FOR EACH ROW", function,
						timing == TRIGGER_EVENT_BEFORE ? "BEFORE" : "AFTER"),
				 errhint("wfml.attach() makes the triggers.")));
	if (trigger->tg_trigger->tgnargs < min_args || trigger->tg_trigger->tgnargs > max_args)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" gives %s() %d arguments", trigger->tg_trigger->tgname, function,
						trigger->tg_trigger->tgnargs),
				 errhint("It is used as %s.", usage)));
	return trigger;
}

HeapTuple
wfml_trigger_row(const TriggerData *trigger)
{
	return TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
}

AttrNumber
wfml_trigger_column(const TriggerData *trigger, const char *name)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), name) == 0)
			return (AttrNumber) (i + 1);
	}
	return InvalidAttrNumber;
}

/* ---- values as text ---- */

void
wfml_as_text_init(WfmlAsText *as_text, TupleDesc desc, AttrNumber attno, MemoryContext context)
{
	Oid			function;
	bool		is_varlena;

	as_text->attno = attno;
	if (attno == InvalidAttrNumber)
		return;
	as_text->type = getBaseType(TupleDescAttr(desc, attno - 1)->atttypid);
	getTypeOutputInfo(as_text->type, &function, &is_varlena);
	fmgr_info_cxt(function, &as_text->output, context);
}

Datum
wfml_as_text(WfmlAsText *as_text, HeapTuple row, TupleDesc desc)
{
	char		buffer[Max(24, DOUBLE_SHORTEST_DECIMAL_LEN)];	/* bigint has up to 20 characters */
	Datum		value;
	bool		isnull;
	int			length;

	if (as_text->attno == InvalidAttrNumber)
		return (Datum) 0;
	value = heap_getattr(row, as_text->attno, desc, &isnull);
	if (isnull)
		return (Datum) 0;
	switch (as_text->type)
	{
		case TEXTOID:
		case VARCHAROID:
			return PointerGetDatum(PG_DETOAST_DATUM_PACKED(value));
		case INT4OID:
			length = pg_ltoa(DatumGetInt32(value), buffer);
			break;
		case INT8OID:
			length = pg_lltoa(DatumGetInt64(value), buffer);
			break;
		case FLOAT4OID:
			length = float_to_shortest_decimal_bufn(DatumGetFloat4(value), buffer);
			break;
		case FLOAT8OID:
			length = double_to_shortest_decimal_bufn(DatumGetFloat8(value), buffer);
			break;
		case BOOLOID:
			return CStringGetTextDatum(DatumGetBool(value) ? "true" : "false");
		case BPCHAROID:
			{
				text	   *padded = DatumGetTextPP(value);

				length = (int) VARSIZE_ANY_EXHDR(padded);
				while (length > 0 && VARDATA_ANY(padded)[length - 1] == ' ')
					length--;
				return PointerGetDatum(cstring_to_text_with_len(VARDATA_ANY(padded), length));
			}
		default:
			return CStringGetTextDatum(wfml_fixed_output(&as_text->output, value, pg_tzset("UTC")));
	}
	return PointerGetDatum(cstring_to_text_with_len(buffer, length));
}

/* ---- warnings ---- */

/* What was warned of in the running statement, so that it is said once. */
#define MAX_WARNED 32

static struct
{
	LocalTransactionId transaction;
	TimestampTz started;
	CommandId	command;
	int			n;
	struct
	{
		Oid			relation;
		char		model[NAMEDATALEN];
	}			of[MAX_WARNED];
}			warned;

static bool
same_statement(void)
{
	CommandId	command = ActiveSnapshotSet() ? GetActiveSnapshot()->curcid : InvalidCommandId;
	bool		same = warned.transaction == WFML_MY_LXID && warned.command == command &&
		warned.started == GetCurrentStatementStartTimestamp();

	warned.transaction = WFML_MY_LXID;
	warned.command = command;
	warned.started = GetCurrentStatementStartTimestamp();
	return same;
}

static bool
first_warning(Oid relation, const char *model)
{
	if (!same_statement())
		warned.n = 0;
	for (int i = 0; i < warned.n; i++)
		if (warned.of[i].relation == relation && strncmp(warned.of[i].model, model, NAMEDATALEN - 1) == 0)
			return false;
	if (warned.n < MAX_WARNED)
	{
		warned.of[warned.n].relation = relation;
		strlcpy(warned.of[warned.n].model, model, NAMEDATALEN);
		warned.n++;
	}
	return true;
}

/* The table whose partition it is. */
static Oid
whole_table(Relation relation)
{
	List	   *ancestors;

	if (!relation->rd_rel->relispartition)
		return RelationGetRelid(relation);
	ancestors = get_partition_ancestors(RelationGetRelid(relation));
	return ancestors == NIL ? RelationGetRelid(relation) : llast_oid(ancestors);
}

void
wfml_trigger_warning(const TriggerData *trigger, const char *model, const char *problem, const char *consequence)
{
	Oid			relation = whole_table(trigger->tg_relation);

	if (!first_warning(relation, model))
		return;
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("model \"%s\" does not answer for table \"%s\": %s", model,
					get_rel_name(relation), problem),
			 consequence ? errdetail("%s", consequence) : 0));
}
