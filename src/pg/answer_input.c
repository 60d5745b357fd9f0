/*-------------------------------------------------------------------------
 * answer_input.c
 *	  The input of a prediction as the log keeps it.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/typcache.h"

#include "pg/answer_input.h"
#include "pg/attempt.h"

typedef struct Input
{
	const WfmlCached *cached;
	WfmlInput	kind;
	Datum		input;
	Jsonb	   *json;
} Input;

static Jsonb *
parse(Datum json)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(TextDatumGetCString(json))));
}

static bool
is_column(const WfModel *model, const char *bytes, size_t length)
{
	for (uint32 c = 0; c < model->header->n_columns; c++)
	{
		WfStringRecord name = model->columns[c].name;

		if (name.length == length && memcmp(wf_model_string(model, name), bytes, length) == 0)
			return true;
	}
	return false;
}

/* The object with the model's columns only. */
static Jsonb *
select_columns(const WfModel *model, Jsonb *object)
{
	JsonbIterator *it = JsonbIteratorInit(&object->root);
	JsonbParseState *state = NULL;
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	value;

	(void) JsonbIteratorNext(&it, &value, true);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	while ((token = JsonbIteratorNext(&it, &key, true)) == WJB_KEY)
	{
		token = JsonbIteratorNext(&it, &value, true);
		if (is_column(model, key.val.string.val, (size_t) key.val.string.len))
		{
			pushJsonbValue(&state, WJB_KEY, &key);
			pushJsonbValue(&state, token, &value);
		}
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* The row with the model's columns only: others may be large, and are nobody's business. */
static Datum
select_fields(const WfModel *model, HeapTupleHeader row)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row), HeapTupleHeaderGetTypMod(row));
	Datum	   *values = palloc(sizeof(Datum) * desc->natts);
	bool	   *nulls = palloc(sizeof(bool) * desc->natts);
	AttrNumber *kept = palloc(sizeof(AttrNumber) * desc->natts);
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(row),.t_data = row};
	TupleDesc	selected;
	int			n = 0;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && is_column(model, NameStr(attribute->attname), strlen(NameStr(attribute->attname))))
			kept[n++] = (AttrNumber) i;
	}
	heap_deform_tuple(&tuple, desc, values, nulls);
	selected = CreateTemplateTupleDesc(n);
	for (int i = 0; i < n; i++)
	{
		TupleDescCopyEntry(selected, (AttrNumber) (i + 1), desc, (AttrNumber) (kept[i] + 1));
		values[i] = values[kept[i]];
		nulls[i] = nulls[kept[i]];
	}
	ReleaseTupleDesc(desc);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(selected), values, nulls));
}

static void
make(void *arg)
{
	Input	   *i = arg;

	switch (i->kind)
	{
		case WFML_INPUT_RECORD:
			if (i->cached)
				i->input = select_fields(i->cached->model, DatumGetHeapTupleHeader(i->input));
			i->json = parse(DirectFunctionCall1(row_to_json, i->input));
			break;
		case WFML_INPUT_JSONB:
			i->json = DatumGetJsonbP(i->input);
			break;
		case WFML_INPUT_JSON:
			i->json = parse(i->input);
			break;
	}
	if (i->cached && i->kind != WFML_INPUT_RECORD && JB_ROOT_IS_OBJECT(i->json))
		i->json = select_columns(i->cached->model, i->json);
}

Jsonb *
wfml_answer_input(const WfmlCached *cached, WfmlInput kind, Datum input)
{
	Input		i = {.cached = cached,.kind = kind,.input = input};

	return wfml_attempt(make, &i) == NULL ? i.json : NULL;
}
