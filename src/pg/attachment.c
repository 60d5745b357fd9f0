/*-------------------------------------------------------------------------
 * attachment.c
 *	  attachment_problem(): why an attachment does not work.
 *
 * It reads catalogs without locking the table, so that looking at
 * wfml.attachments never waits.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "pg/access.h"
#include "pg/attached.h"

PG_FUNCTION_INFO_V1(wfml_attachment_problem);

typedef enum Argument
{
	ARG_MODEL, ARG_RELATION, ARG_KEY, ARG_OUTPUT, ARG_CONFIDENCE, ARG_OUTCOME, ARG_FEATURES, ARG_HAS_RULE
} Argument;

typedef struct Question
{
	const char *model;
	Oid			relation;
	const char *column[4];		/* key, output, confidence, outcome; NULL: none */
	List	   *features;		/* of the active version, char * */
	bool		has_version;
	bool		has_rule;
} Question;

static Oid
owner_of(Oid relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

static const char *
model_problem(const Question *q, Oid table_owner)
{
	Oid			model_owner;

	if (!wfml_find_owner(q->model, &model_owner))
		return "the model does not exist";
	if (!wfml_may_use(q->model, model_owner, table_owner))
		return psprintf("the table's owner \"%s\" may not use the model", GetUserNameFromId(table_owner, true));
	if (!q->has_version && q->has_rule && !SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(model_owner)))
		return "the role that owns the model and its fallback does not exist any more";
	if (!q->has_version)
		return q->has_rule ? "the model has no active version; its fallback answers" : "the model has no active version";
	return NULL;
}

static const char *
missing_column(const Question *q)
{
	ListCell   *lc;

	for (int i = 0; i < 4; i++)
		if (q->column[i] && get_attnum(q->relation, q->column[i]) == InvalidAttrNumber)
			return psprintf("column \"%s\" is missing from the table", q->column[i]);
	foreach(lc, q->features)
		if (get_attnum(q->relation, lfirst(lc)) == InvalidAttrNumber)
			return psprintf("column \"%s\", which the model predicts from, is missing from the table", (char *) lfirst(lc));
	return NULL;
}

/* A feature whose changes an UPDATE trigger does not see; NULL: none. */
static const char *
unwatched(const Question *q, const WfmlAttached *trigger)
{
	ListCell   *lc;

	if (!trigger->on_update || trigger->n_watched == 0)
		return NULL;
	foreach(lc, q->features)
	{
		AttrNumber	attno = get_attnum(q->relation, lfirst(lc));
		bool		found = false;

		for (int i = 0; i < trigger->n_watched; i++)
			found |= trigger->watched[i] == attno;
		if (!found)
			return lfirst(lc);
	}
	return NULL;
}

static const char *
trigger_problem(const Question *q, WfmlTriggerKind kind, List *attached)
{
	bool		on_insert = false;
	bool		on_update = false;
	ListCell   *lc;

	foreach(lc, attached)
	{
		const WfmlAttached *trigger = lfirst(lc);
		const char *column;

		if (trigger->kind != kind)
			continue;
		on_insert |= trigger->on_insert;
		on_update |= trigger->on_update;
		if (!trigger->enabled)
			return psprintf("trigger \"%s\" is disabled", NameStr(trigger->name));
		column = kind == WFML_TRIGGER_OUTCOME ? NULL : unwatched(q, trigger);
		if (column)
			return psprintf("trigger \"%s\" does not watch column \"%s\": detach and attach the model again",
							NameStr(trigger->name), column);
	}
	if (on_insert && on_update)
		return NULL;
	return psprintf("a trigger of wfml.%s() is missing: detach and attach the model again", wfml_trigger_function(kind));
}

static const char *
triggers_problem(const Question *q)
{
	List	   *attached = wfml_attached(q->relation, q->model);
	const char *problem = trigger_problem(q, WFML_TRIGGER_LOG, attached);

	if (problem == NULL && q->column[1])
		problem = trigger_problem(q, WFML_TRIGGER_PREDICT, attached);
	if (problem == NULL && q->column[3])
		problem = trigger_problem(q, WFML_TRIGGER_OUTCOME, attached);
	return problem;
}

static List *
json_names(Jsonb *array)
{
	JsonbIterator *it = JsonbIteratorInit(&array->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	List	   *names = NIL;

	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
		if (token == WJB_ELEM && value.type == jbvString)
			names = lappend(names, pnstrdup(value.val.string.val, value.val.string.len));
	return names;
}

/* attachment_problem(model, relation, key, output, confidence, outcome, features, has_rule) → why, or NULL */
Datum
wfml_attachment_problem(PG_FUNCTION_ARGS)
{
	Question	q = {.model = NULL};
	const char *problem = NULL;
	Oid			table_owner;

	if (PG_ARGISNULL(ARG_MODEL) || PG_ARGISNULL(ARG_RELATION))
		PG_RETURN_NULL();
	q.model = text_to_cstring(PG_GETARG_TEXT_PP(ARG_MODEL));
	q.relation = PG_GETARG_OID(ARG_RELATION);
	for (int i = 0; i < 4; i++)
		if (!PG_ARGISNULL(ARG_KEY + i))
			q.column[i] = NameStr(*PG_GETARG_NAME(ARG_KEY + i));
	q.has_version = !PG_ARGISNULL(ARG_FEATURES);
	if (q.has_version)
		q.features = json_names(PG_GETARG_JSONB_P(ARG_FEATURES));
	q.has_rule = !PG_ARGISNULL(ARG_HAS_RULE) && PG_GETARG_BOOL(ARG_HAS_RULE);

	table_owner = owner_of(q.relation);
	if (!OidIsValid(table_owner))
		problem = "the table was dropped";
	if (problem == NULL)
		problem = model_problem(&q, table_owner);
	if (problem == NULL)
		problem = missing_column(&q);
	if (problem == NULL)
		problem = triggers_problem(&q);
	if (problem == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(problem));
}
