/*-------------------------------------------------------------------------
 * trigger_target.c
 *	  A column that a prediction is written to.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "pg/trigger_target.h"

/* As wfml_anomaly_word() says it. */
static const char anomaly_label[] = "anomaly";
static const char normal_label[] = "normal";

bool
wfml_target_takes_number(Oid type)
{
	Oid			base = getBaseType(type);

	return base == FLOAT4OID || base == FLOAT8OID || base == NUMERICOID;
}

bool
wfml_target_takes(Oid type)
{
	switch (getBaseType(type))
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
			return true;
		default:
			return wfml_target_takes_number(type) || type_is_enum(getBaseType(type));
	}
}

void
wfml_target_init(WfmlTarget *target, TupleDesc desc, AttrNumber attno, MemoryContext context)
{
	Oid			function;

	*target = (WfmlTarget) {.attno = attno,.context = context};
	if (attno == InvalidAttrNumber)
		return;
	target->declared = TupleDescAttr(desc, attno - 1)->atttypid;
	target->typmod = TupleDescAttr(desc, attno - 1)->atttypmod;
	target->type = getBaseTypeAndTypmod(target->declared, &target->typmod);
	getTypeInputInfo(target->type, &function, &target->ioparam);
	fmgr_info_cxt(function, &target->input, context);
}

static Datum
from_text(WfmlTarget *target, const char *value)
{
	return InputFunctionCall(&target->input, unconstify(char *, value), target->ioparam, target->typmod);
}

static Datum
from_label(WfmlTarget *target, Datum label)
{
	char	   *value = TextDatumGetCString(label);

	if (target->type == BOOLOID && strcmp(value, anomaly_label) == 0)
		return BoolGetDatum(true);
	if (target->type == BOOLOID && strcmp(value, normal_label) == 0)
		return BoolGetDatum(false);
	return from_text(target, value);
}

static Datum
from_number(WfmlTarget *target, double number)
{
	char		buffer[DOUBLE_SHORTEST_DECIMAL_LEN];
	Datum		value = Float8GetDatum(number);

	switch (target->type)
	{
		case FLOAT8OID:
			return value;
		case FLOAT4OID:
			return DirectFunctionCall1(dtof, value);
		case NUMERICOID:
			value = DirectFunctionCall1(float8_numeric, value);
			if (target->typmod < 0)
				return value;
			return DirectFunctionCall2(numeric, value, Int32GetDatum(target->typmod));
		case INT2OID:
			return DirectFunctionCall1(dtoi2, value);
		case INT4OID:
			return DirectFunctionCall1(dtoi4, value);
		case INT8OID:
			return DirectFunctionCall1(dtoi8, value);
		case BOOLOID:
			return BoolGetDatum(number >= 0.5);
		default:
			double_to_shortest_decimal_buf(number, buffer);
			return from_text(target, buffer);
	}
}

static Datum
checked(WfmlTarget *target, Datum value, bool isnull)
{
	if (target->declared != target->type)
		domain_check(value, isnull, target->declared, &target->domain, target->context);
	return value;
}

Datum
wfml_target_answer(WfmlTarget *target, const WfmlDetail *detail)
{
	bool		number_first = wfml_target_takes_number(target->type);
	bool		has_number = !isnan(detail->value);

	if (detail->label != (Datum) 0 && !(number_first && has_number))
		return checked(target, from_label(target, detail->label), false);
	return checked(target, from_number(target, detail->value), false);
}

Datum
wfml_target_number(WfmlTarget *target, double number, bool *isnull)
{
	*isnull = isnan(number);
	return checked(target, *isnull ? (Datum) 0 : from_number(target, number), *isnull);
}
