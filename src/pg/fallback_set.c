/*-------------------------------------------------------------------------
 * fallback_set.c
 *	  set_fallback(): the rule that answers when a model cannot.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "pg/access.h"
#include "pg/fallback.h"
#include "pg/owner.h"
#include "pg/publish.h"
#include "pg/registry.h"
#include "pg/rule.h"
#include "pg/tables.h"

PG_FUNCTION_INFO_V1(wfml_set_fallback);

/* What can be said before the fields' types are known, with the names meaning what they will mean. */
static void
check_expression(const char *expression)
{
	WfmlAsOwner as;
	Node	   *parsed;

	wfml_as_owner_begin(&as, GetUserId(), NULL, NULL);
	parsed = wfml_rule_parse(expression);
	wfml_rule_check_parsed(parsed);
	if (wfml_rule_fields(parsed) == NIL)
		wfml_fallback_check(expression, CreateTemplateTupleDesc(0), RECORDOID);
	wfml_as_owner_end(&as);
}

/*
 * set_fallback(model, expression): NULL removes it.  A name without any
 * version is fine: the rule answers until there is one.
 */
Datum
wfml_set_fallback(PG_FUNCTION_ARGS)
{
	Oid			types[] = {TEXTOID, TEXTOID};
	Datum		values[2];
	char		nulls[2] = {' ', PG_ARGISNULL(1) ? 'n' : ' '};
	char	   *name;
	WfmlWriter	writer;
	WfmlLocked	locked;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model must not be null")));
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_ARGISNULL(1) ? (Datum) 0 : PG_GETARG_DATUM(1);
	name = text_to_cstring(DatumGetTextPP(values[0]));
	if (PG_ARGISNULL(1))
		wfml_check_owner(name);
	else
	{
		Oid			owner;

		wfml_check_model_name(name);
		if (wfml_find_owner(name, &owner))
			wfml_check_owner(name);
		check_expression(text_to_cstring(DatumGetTextPP(values[1])));
	}
	wfml_write_begin(&writer, "wfml.set_fallback()");
	wfml_lock_or_create_model(name, writer.user, &locked);
	wfml_execute("UPDATE wfml.registry SET fallback = $2 WHERE name = $1", 2, types, values, nulls);
	wfml_write_end(&writer);
	PG_RETURN_VOID();
}
