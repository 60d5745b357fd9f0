/*-------------------------------------------------------------------------
 * answer_input.c
 *	  The input of a prediction as the log keeps it.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

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
is_column(const WfModel *model, const JsonbValue *key)
{
	for (uint32 c = 0; c < model->header->n_columns; c++)
	{
		WfStringRecord name = model->columns[c].name;

		if ((int) name.length == key->val.string.len &&
			memcmp(wf_model_string(model, name), key->val.string.val, name.length) == 0)
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
		if (is_column(model, &key))
		{
			pushJsonbValue(&state, WJB_KEY, &key);
			pushJsonbValue(&state, token, &value);
		}
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static void
make(void *arg)
{
	Input	   *i = arg;

	switch (i->kind)
	{
		case WFML_INPUT_RECORD:
			i->json = parse(DirectFunctionCall1(row_to_json, i->input));
			break;
		case WFML_INPUT_JSONB:
			i->json = DatumGetJsonbP(i->input);
			break;
		case WFML_INPUT_JSON:
			i->json = parse(i->input);
			break;
	}
	if (i->cached && JB_ROOT_IS_OBJECT(i->json))
		i->json = select_columns(i->cached->model, i->json);
}

Jsonb *
wfml_answer_input(const WfmlCached *cached, WfmlInput kind, Datum input)
{
	Input		i = {.cached = cached,.kind = kind,.input = input};

	return wfml_attempt(make, &i) == NULL ? i.json : NULL;
}
