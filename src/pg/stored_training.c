/*-------------------------------------------------------------------------
 * stored_training.c
 *	  The training of a model's active version, as it was stored.
 *
 * ml_model.arguments has what the call was given.  Where it says nothing (a
 * version that was imported and given a source by set_source()) the columns of
 * ml_model do.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/access.h"
#include "pg/kind.h"
#include "pg/registry.h"
#include "pg/stored_training.h"
#include "pg/tables.h"

static const char stored_query[] =
"SELECT r.number, r.owner::oid, r.search_path, r.timezone, r.active_id, r.active_version,"
" coalesce(m.arguments ->> 'algorithm', m.algorithm), coalesce(m.arguments -> 'params', m.params),"
" m.arguments, m.features, m.source, m.target, m.task, m.positive"
" FROM wfml.registry r LEFT JOIN wfml.ml_model m ON m.id = r.active_id WHERE r.name = $1";

/* Places of what the query gives. */
enum
{
	NUMBER = 1, OWNER, SEARCH_PATH, TIMEZONE, ACTIVE_ID, ACTIVE_VERSION,
	ALGORITHM, PARAMS, ARGUMENTS, FEATURES, SOURCE, TARGET, TASK, POSITIVE
};

static char *
result_text(int column)
{
	bool		isnull;
	Datum		value = wfml_result(0, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static Jsonb *
result_json(int column)
{
	bool		isnull;
	Datum		value = wfml_result(0, column, &isnull);

	return isnull ? NULL : DatumGetJsonbPCopy(value);
}

/* ---- arguments ---- */

static bool
find_value(const Jsonb *object, const char *key, JsonbValue *value)
{
	JsonbValue	name = {.type = jbvString};
	JsonbValue *found;

	if (object == NULL || !JB_ROOT_IS_OBJECT(object))
		return false;
	name.val.string.val = unconstify(char *, key);
	name.val.string.len = (int) strlen(key);
	found = findJsonbValueFromContainer(&unconstify(Jsonb *, object)->root, JB_FOBJECT, &name);
	if (found)
		*value = *found;
	return found != NULL;
}

/* A text argument; NULL: not given. */
static char *
find_text(const Jsonb *object, const char *key)
{
	JsonbValue	v;

	if (!find_value(object, key, &v) || v.type != jbvString)
		return NULL;
	return pnstrdup(v.val.string.val, v.val.string.len);
}

/* The texts of an array; NIL for anything else. */
static List *
names_of(JsonbContainer *array)
{
	JsonbIterator *it;
	JsonbValue	v;
	List	   *names = NIL;

	if (!JsonContainerIsArray(array))
		return NIL;
	it = JsonbIteratorInit(array);
	(void) JsonbIteratorNext(&it, &v, true);
	while (JsonbIteratorNext(&it, &v, true) == WJB_ELEM)
		if (v.type == jbvString)
			names = lappend(names, pnstrdup(v.val.string.val, v.val.string.len));
	return names;
}

static List *
find_names(const Jsonb *object, const char *key)
{
	JsonbValue	v;

	return find_value(object, key, &v) && v.type == jbvBinary ? names_of(v.val.binary.data) : NIL;
}

/* ---- calls ---- */

static void
rows_call(WfmlStoredTraining *stored, const Jsonb *arguments)
{
	WfmlTrainCall *call = &stored->call.rows;
	bool		labels = (wf_algorithm_get(wf_algorithm_find(stored->algorithm))->tasks & WFML_TASK(WF_ANOMALY)) == 0;
	Jsonb	   *features = result_json(FEATURES);

	call->model = stored->name;
	call->algorithm = stored->algorithm;
	call->source = result_text(SOURCE);
	call->target = labels ? result_text(TARGET) : NULL;
	call->task = labels ? result_text(TASK) : NULL;
	call->params = stored->params;
	call->features = find_names(arguments, "features");
	call->positive = result_text(POSITIVE);
	call->kept = features ? names_of(&features->root) : NIL;
	call->key = find_text(arguments, "key");
	call->read = call->features != NIL ? call->features : find_names(arguments, "read");
}

static void
recommender_call(WfmlStoredTraining *stored, const Jsonb *arguments)
{
	WfmlRecommenderCall *call = &stored->call.recommender;

	call->model = stored->name;
	call->params = stored->params;
	call->read.source = result_text(SOURCE);
	call->read.user_column = find_text(arguments, "user_column");
	call->read.item_column = find_text(arguments, "item_column");
	call->read.rating_column = find_text(arguments, "rating_column");
	call->read.time_column = find_text(arguments, "time_column");
	call->read.items = find_text(arguments, "items");
	call->read.item_key = find_text(arguments, "item_key");
}

static void
sequence_call(WfmlStoredTraining *stored, const Jsonb *arguments)
{
	WfmlSequenceCall *call = &stored->call.sequence;

	call->model = stored->name;
	call->params = stored->params;
	call->events.source = result_text(SOURCE);
	call->events.case_column = find_text(arguments, "case_column");
	call->events.event_column = find_text(arguments, "event_column");
	call->events.time_column = find_text(arguments, "time_column");
}

/* Is everything there that the training needs? */
static bool
is_complete(const WfmlStoredTraining *stored)
{
	switch (stored->family)
	{
		case WF_FAMILY_TABLE:
			return stored->call.rows.source != NULL && stored->call.rows.kept != NIL;
		case WF_FAMILY_INTERACTIONS:
			return stored->call.recommender.read.source && stored->call.recommender.read.user_column &&
				stored->call.recommender.read.item_column;
		case WF_FAMILY_EVENTS:
			return stored->call.sequence.events.source && stored->call.sequence.events.case_column &&
				stored->call.sequence.events.event_column && stored->call.sequence.events.time_column;
	}
	return false;
}

static void
read_training(WfmlStoredTraining *stored)
{
	Jsonb	   *arguments = result_json(ARGUMENTS);
	int			algorithm;
	bool		isnull;

	stored->number = DatumGetInt64(wfml_result(0, NUMBER, &isnull));
	stored->owner = DatumGetObjectId(wfml_result(0, OWNER, &isnull));
	stored->search_path = result_text(SEARCH_PATH);
	stored->timezone = result_text(TIMEZONE);
	stored->version = DatumGetInt32(wfml_result(0, ACTIVE_VERSION, &isnull));
	stored->id = DatumGetInt64(wfml_result(0, ACTIVE_ID, &isnull));
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" has no active version to retrain", stored->name)));
	stored->algorithm = result_text(ALGORITHM);
	stored->params = result_json(PARAMS);
	algorithm = stored->algorithm ? wf_algorithm_find(stored->algorithm) : -1;
	if (algorithm < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" was trained by an algorithm that this version of wfml does not have", stored->name)));
	stored->family = wf_algorithm_get(algorithm)->family;
	switch (stored->family)
	{
		case WF_FAMILY_TABLE:
			rows_call(stored, arguments);
			break;
		case WF_FAMILY_INTERACTIONS:
			recommender_call(stored, arguments);
			break;
		case WF_FAMILY_EVENTS:
			sequence_call(stored, arguments);
			break;
	}
	if (!is_complete(stored))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of model \"%s\" does not tell what it was trained on", stored->version, stored->name),
				 errhint("Name a source with wfml.set_source(), or train it anew.")));
}

WfmlStoredTraining *
wfml_stored_training(const char *model, MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "wfml stored training", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	WfmlStoredTraining *stored = palloc0(sizeof(WfmlStoredTraining));
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(model)};
	WfmlWriter	writer;

	stored->context = context;
	stored->name = pstrdup(model);
	wfml_check_owner(stored->name);
	wfml_write_begin(&writer, NULL);
	if (wfml_execute(stored_query, 1, types, values, NULL) == 0)
		wfml_unknown_model(stored->name, writer.user);
	MemoryContextSwitchTo(context);
	read_training(stored);
	wfml_write_end(&writer);
	MemoryContextSwitchTo(old);
	return stored;
}
