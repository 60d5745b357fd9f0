/*-------------------------------------------------------------------------
 * log_predict.c
 *	  log_predict(): predict and log; set_log_input().
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "pg/access.h"
#include "pg/answer.h"
#include "pg/publish.h"
#include "pg/registry.h"
#include "pg/settings.h"
#include "pg/tables.h"

/* What a call site keeps. */
typedef struct Logger
{
	WfmlAnswerer *answerer;
	TupleDesc	result;
} Logger;

static Logger *
logger(FunctionCallInfo fcinfo)
{
	Logger	   *l = fcinfo->flinfo ? fcinfo->flinfo->fn_extra : NULL;

	if (l == NULL)
	{
		MemoryContext context = fcinfo->flinfo ? fcinfo->flinfo->fn_mcxt : CurrentMemoryContext;

		l = MemoryContextAllocZero(context, sizeof(Logger));
		l->answerer = wfml_answerer(context);
		l->result = wfml_detail_desc(fcinfo, context);
		if (fcinfo->flinfo)
			fcinfo->flinfo->fn_extra = l;
	}
	return l;
}

/* Nothing answered: the caller hears the model's error, and that the rule failed too. */
static void
unanswered(const WfmlAnswer *answer)
{
	ErrorData  *failure = answer->failure;

	if (answer->error != failure->message && failure->detail == NULL)
		failure->detail = pstrdup(answer->error + strlen(failure->message) + 2);
	ReThrowError(failure);
}

static void
over_limit(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("role \"%s\" has logged %d predictions in this minute, which is the limit",
					GetUserNameFromId(GetUserId(), false), wfml_rate_limit),
			 errhint("wfml.predict_detail() does not log; a superuser can raise wfml.rate_limit.")));
}

static Datum
log_predict(FunctionCallInfo fcinfo, WfmlInput kind, Datum entity)
{
	Datum		input = PG_GETARG_DATUM(1);
	Logger	   *l = logger(fcinfo);
	const WfmlAnswer *answer = wfml_answer(l->answerer, PG_GETARG_TEXT_PP(0), GetUserId(), kind, input, entity);

	if (!answer->answered)
		unanswered(answer);
	if (wfml_answer_log(l->answerer, answer, "function", kind, input, entity) == WFML_LOG_LIMITED)
		over_limit();
	return wfml_detail_row(l->result, &answer->detail);
}

/* ---- the SQL functions ---- */

static Datum
text_entity(Datum value)
{
	return value;
}

static Datum
bigint_entity(Datum value)
{
	return CStringGetTextDatum(DatumGetCString(DirectFunctionCall1(int8out, value)));
}

static Datum
uuid_entity(Datum value)
{
	return CStringGetTextDatum(DatumGetCString(DirectFunctionCall1(uuid_out, value)));
}

#define ENTRY(name, input, entity) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	if (PG_ARGISNULL(0)) \
		ereport(ERROR, \
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), \
				 errmsg("model must not be null"))); \
	if (PG_ARGISNULL(1)) \
		PG_RETURN_NULL(); \
	return log_predict(fcinfo, input, PG_ARGISNULL(2) ? (Datum) 0 : entity(PG_GETARG_DATUM(2))); \
}

#define ENTRIES(name, entity) \
ENTRY(name##_record, WFML_INPUT_RECORD, entity) \
ENTRY(name##_jsonb, WFML_INPUT_JSONB, entity) \
ENTRY(name##_json, WFML_INPUT_JSON, entity)

ENTRIES(wfml_log_predict, text_entity)
ENTRIES(wfml_log_predict_bigint, bigint_entity)
ENTRIES(wfml_log_predict_uuid, uuid_entity)

/* ---- what is kept ---- */

PG_FUNCTION_INFO_V1(wfml_set_log_input);

/* set_log_input(model, keep): whether logged predictions keep their input */
Datum
wfml_set_log_input(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Oid			types[] = {TEXTOID, BOOLOID};
	Datum		values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	Oid			user = GetUserId();
	WfmlWriter	writer;
	WfmlLocked	locked;

	wfml_check_owner(name);
	wfml_write_begin(&writer, "wfml.set_log_input()");
	if (!wfml_lock_model(name, user, &locked))
		wfml_unknown_model(name, user);
	wfml_execute("UPDATE wfml.registry SET log_input = $2 WHERE name = $1", 2, types, values, NULL);
	wfml_write_end(&writer);
	PG_RETURN_VOID();
}
