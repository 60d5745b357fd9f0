/*-------------------------------------------------------------------------
 * export.c
 *	  export_model, import_model, verify.
 *
 * What is imported is hostile until proven otherwise: the model's bytes are
 * opened as prediction opens them, strings must be valid in the database's
 * encoding, and of the description only members of the expected kind are
 * taken.  The source is not: retraining would run it with the rights of who
 * imported it, so he has to name one himself (set_source).
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "pg/access.h"
#include "pg/cache.h"
#include "pg/compat.h"
#include "pg/envelope.h"
#include "pg/kind.h"
#include "pg/pghost.h"
#include "pg/registry.h"
#include "pg/settings.h"
#include "pg/tables.h"

PG_FUNCTION_INFO_V1(wfml_export_model);
PG_FUNCTION_INFO_V1(wfml_import_model);
PG_FUNCTION_INFO_V1(wfml_verify);

/* ---- out ---- */

static const char description_query[] =
"SELECT jsonb_strip_nulls(jsonb_build_object('name', name, 'version', version, 'algorithm', algorithm, 'task', task,"
" 'source', source, 'target', target, 'positive', positive, 'features', features, 'params', params,"
" 'arguments', arguments, 'metrics', metrics, 'seed', seed, 'training_rows', training_rows,"
" 'training_seconds', training_seconds, 'created_at', created_at))"
" FROM wfml.ml_model WHERE id = $1";

/* In the caller's memory. */
static Jsonb *
describe(int64 id)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(id)};
	WfmlWriter	writer;
	Jsonb	   *description;
	bool		isnull;

	wfml_write_begin(&writer, NULL);
	if (SPI_execute_with_args(description_query, 1, types, values, NULL, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read model version " INT64_FORMAT, id);
	description = DatumGetJsonbP(wfml_result(0, 1, &isnull));
	{
		Jsonb	   *copy = MemoryContextAlloc(caller, VARSIZE(description));

		memcpy(copy, description, VARSIZE(description));
		description = copy;
	}
	wfml_write_end(&writer);
	return description;
}

/* The stored bytes of a version, their checksum compared. */
static void *
load_verified(int64 id, MemoryContext context, size_t *length)
{
	uint8		stored[PG_SHA256_DIGEST_LENGTH];
	uint8		found[PG_SHA256_DIGEST_LENGTH];
	int64		recorded;
	void	   *bytes = wfml_artifact_load(id, context, length);

	if (!wfml_artifact_describe(id, &recorded, stored))
		elog(ERROR, "model version " INT64_FORMAT " vanished while it was read", id);
	wfml_sha256(bytes, *length, found);
	if (memcmp(stored, found, sizeof(found)) != 0)
		wfml_bad_artifact(id, "Their SHA-256 checksum does not match.");
	return bytes;
}

/* export_model(model) → bytea */
Datum
wfml_export_model(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "wfml export", ALLOCSET_DEFAULT_SIZES);
	WfmlResolved resolved;
	WfmlEnvelope envelope;
	bytea	   *result;

	wfml_resolve(text_to_cstring(PG_GETARG_TEXT_PP(0)), GetUserId(), &resolved);
	wfml_check_owner(resolved.name);
	envelope.model = load_verified(resolved.id, context, &envelope.model_bytes);
	envelope.description = describe(resolved.id);
	result = wfml_envelope_write(&envelope);
	MemoryContextDelete(context);
	PG_RETURN_BYTEA_P(result);
}

/* verify(model) → true, or an ERROR */
Datum
wfml_verify(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "wfml verify", ALLOCSET_DEFAULT_SIZES);
	WfmlResolved resolved;
	size_t		length;
	void	   *bytes;

	wfml_resolve(text_to_cstring(PG_GETARG_TEXT_PP(0)), GetUserId(), &resolved);
	bytes = load_verified(resolved.id, context, &length);
	wfml_check_strings(wf_model_open(wfml_host_create(context), bytes, length));
	MemoryContextDelete(context);
	PG_RETURN_BOOL(true);
}

/* ---- in ---- */

/* A member of the description when it is of that type, else NULL. */
static JsonbValue *
member(JsonbContainer *object, const char *key, enum jbvType type)
{
	JsonbValue	k;
	JsonbValue *found;

	if (object == NULL)
		return NULL;
	k.type = jbvString;
	k.val.string.val = unconstify(char *, key);
	k.val.string.len = strlen(key);
	found = findJsonbValueFromContainer(object, JB_FOBJECT, &k);
	return found && found->type == type ? found : NULL;
}

static char *
text_member(JsonbContainer *object, const char *key)
{
	JsonbValue *found = member(object, key, jbvString);

	return found ? pnstrdup(found->val.string.val, found->val.string.len) : NULL;
}

static Numeric
numeric_member(JsonbContainer *object, const char *key)
{
	JsonbValue *found = member(object, key, jbvNumeric);

	return found ? found->val.numeric : NULL;
}

static double
number_member(JsonbContainer *object, const char *key, double otherwise)
{
	Numeric		found = numeric_member(object, key);

	return found ? DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(found))) : otherwise;
}

/* An object or array. */
static Jsonb *
container_member(JsonbContainer *object, const char *key, bool array)
{
	JsonbValue *found = member(object, key, jbvBinary);

	if (found == NULL || (array ? !JsonContainerIsArray(found->val.binary.data) : !JsonContainerIsObject(found->val.binary.data)))
		return NULL;
	return JsonbValueToJsonb(found);
}

static void
push_member(JsonbParseState **state, const char *key, JsonbValue *value)
{
	JsonbValue	k;

	k.type = jbvString;
	k.val.string.val = unconstify(char *, key);
	k.val.string.len = strlen(key);
	pushJsonbValue(state, WJB_KEY, &k);
	pushJsonbValue(state, WJB_VALUE, value);
}

/* One metric with its known members only, and numbers that fit a double. */
static void
push_metric(JsonbParseState **state, JsonbContainer *object)
{
	static const char *const numbers[] = {"value", "baseline"};
	static const char *const texts[] = {"metric", "split"};

	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	for (size_t i = 0; i < lengthof(texts); i++)
	{
		JsonbValue *found = member(object, texts[i], jbvString);

		if (found)
			push_member(state, texts[i], found);
	}
	for (size_t i = 0; i < lengthof(numbers); i++)
	{
		JsonbValue *found = member(object, numbers[i], jbvNumeric);

		if (found && fabs(number_member(object, numbers[i], 0)) < 1e300)
			push_member(state, numbers[i], found);
	}
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* The views compute with metrics, so these are built anew. */
static Jsonb *
clean_metrics(JsonbContainer *description)
{
	Jsonb	   *metrics = container_member(description, "metrics", true);
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 i = 0; metrics && i < Min(JB_ROOT_COUNT(metrics), 100); i++)
	{
		JsonbValue *entry = getIthJsonbValueFromContainer(&metrics->root, i);

		if (entry && entry->type == jbvBinary && JsonContainerIsObject(entry->val.binary.data))
			push_metric(&state, entry->val.binary.data);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

/* Names of the source columns, from the model itself. */
static Jsonb *
feature_names(const WfModel *model)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 c = 0; c < model->header->n_columns; c++)
	{
		JsonbValue	name;

		name.type = jbvString;
		name.val.string.val = unconstify(char *, wf_model_string(model, model->columns[c].name));
		name.val.string.len = model->columns[c].name.length;
		pushJsonbValue(&state, WJB_ELEM, &name);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

/* The arguments of train() but the source. */
static Jsonb *
clean_arguments(JsonbContainer *description)
{
	Jsonb	   *arguments = container_member(description, "arguments", false);

	return arguments == NULL ? NULL :
		DatumGetJsonbP(DirectFunctionCall2(jsonb_delete, JsonbPGetDatum(arguments), CStringGetTextDatum("source")));
}

/* What the bytes say themselves comes from there, the rest from the description. */
static void
fill_publication(WfmlPublication *p, const WfModel *model, JsonbContainer *description)
{
	const WfModelHeader *header = model->header;
	double		seconds = number_member(description, "training_seconds", 0);

	p->algorithm = model->algorithm->name;
	p->task = wfml_task_name((WfTask) header->task);
	p->source = NULL;
	p->target = text_member(description, "target");
	p->positive = header->n_classes == 2 ? pnstrdup(wf_model_string(model, model->labels[1]), model->labels[1].length) : NULL;
	p->features = feature_names(model);
	p->params = container_member(description, "params", false);
	p->arguments = clean_arguments(description);
	p->metrics = clean_metrics(description);
	p->seed = (int64) header->seed;
	p->training_rows = (int64) header->training_rows;
	p->training_seconds = seconds >= 0 && seconds < 1e12 ? seconds : 0;
	p->format_version = (int32) header->format;
}

/* import_model(name, artifact, activate) → name@version */
Datum
wfml_import_model(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "wfml import", ALLOCSET_DEFAULT_SIZES);
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bytea	   *bytes = PG_GETARG_BYTEA_PP(1);
	WfmlEnvelope envelope;
	WfmlPublication p;
	WfModel    *model;
	void	   *aligned;

	PreventCommandIfReadOnly("wfml.import_model()");
	wfml_check_may_train(name);
	wfml_envelope_read(bytes, &envelope);
	if (envelope.model_bytes > (size_t) wfml_max_model_size * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("model has %zu MB, more than wfml.max_model_size", envelope.model_bytes >> 20)));
	aligned = MemoryContextAlloc(context, Max(envelope.model_bytes, 1));
	memcpy(aligned, envelope.model, envelope.model_bytes);
	model = wf_model_open(wfml_host_create(context), aligned, envelope.model_bytes);
	wfml_check_strings(model);
	memset(&p, 0, sizeof(p));
	p.name = name;
	fill_publication(&p, model, envelope.description ? &envelope.description->root : NULL);
	p.artifact = aligned;
	p.artifact_bytes = envelope.model_bytes;
	p.activate = PG_GETARG_BOOL(2);
	wfml_publish(&p);
	MemoryContextDelete(context);
	PG_FREE_IF_COPY(bytes, 1);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s@%d", name, p.version)));
}
