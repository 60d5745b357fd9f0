/*-------------------------------------------------------------------------
 * answer_input.c
 *	  The input of a prediction as the log keeps it.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
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

/*
 * A field of the selected row.  Types that users made come as text: their
 * casts to json would run somebody's code as the caller.
 */
static void
select_field(TupleDesc selected, int at, TupleDesc desc, int from, Datum *value, bool isnull)
{
	Oid			type = TupleDescAttr(desc, from)->atttypid;
	Oid			output;
	bool		is_varlena;

	if (getBaseType(type) < FirstNormalObjectId)
	{
		TupleDescCopyEntry(selected, (AttrNumber) (at + 1), desc, (AttrNumber) (from + 1));
		return;
	}
	TupleDescInitEntry(selected, (AttrNumber) (at + 1), NameStr(TupleDescAttr(desc, from)->attname), TEXTOID, -1, 0);
	if (isnull)
		return;
	getTypeOutputInfo(type, &output, &is_varlena);
	*value = CStringGetTextDatum(OidOutputFunctionCall(output, *value));
}

/* The row with the model's columns only: others may be large, and are nobody's business.  model NULL: all of it. */
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

		if (!attribute->attisdropped && (model == NULL || is_column(model, NameStr(attribute->attname), strlen(NameStr(attribute->attname)))))
			kept[n++] = (AttrNumber) i;
	}
	heap_deform_tuple(&tuple, desc, values, nulls);
	selected = CreateTemplateTupleDesc(n);
	for (int i = 0; i < n; i++)
	{
		values[i] = values[kept[i]];
		nulls[i] = nulls[kept[i]];
		select_field(selected, i, desc, kept[i], &values[i], nulls[i]);
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
			i->json = parse(DirectFunctionCall1(row_to_json, select_fields(i->cached ? i->cached->model : NULL,
																		   DatumGetHeapTupleHeader(i->input))));
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
