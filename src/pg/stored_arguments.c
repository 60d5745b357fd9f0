/*-------------------------------------------------------------------------
 * stored_arguments.c
 *	  What is kept of a training's call.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "utils/fmgrprotos.h"
#include "utils/json.h"

#include "pg/stored_arguments.h"

/* ---- columns ---- */

/* Is there a name like that before this place?  Names are as few as columns. */
static bool
repeats(const List *names, int place)
{
	const char *name = list_nth(names, place);

	for (int i = 0; i < place; i++)
	{
		const char *other = list_nth(names, i);

		if (other && strcmp(other, name) == 0)
			return true;
	}
	return false;
}

Jsonb *
wfml_stored_names(const List *names, int *count)
{
	JsonbParseState *state = NULL;

	*count = 0;
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < list_length(names); i++)
	{
		JsonbValue	v = {.type = jbvString};

		v.val.string.val = list_nth(names, i);
		if (v.val.string.val == NULL || repeats(names, i))
			continue;
		v.val.string.len = (int) strlen(v.val.string.val);
		pushJsonbValue(&state, WJB_ELEM, &v);
		(*count)++;
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

/* ---- arguments ---- */

static void
add_key(StringInfo arguments, const char *key)
{
	if (arguments->len > 1)
		appendStringInfoString(arguments, ", ");
	escape_json(arguments, key);
	appendStringInfoString(arguments, ": ");
}

void
wfml_stored_begin(StringInfo arguments)
{
	initStringInfo(arguments);
	appendStringInfoChar(arguments, '{');
}

void
wfml_stored_add(StringInfo arguments, const char *key, const char *value)
{
	if (value == NULL)
		return;
	add_key(arguments, key);
	escape_json(arguments, value);
}

void
wfml_stored_add_names(StringInfo arguments, const char *key, const List *names)
{
	ListCell   *cell;

	if (names == NIL)
		return;
	add_key(arguments, key);
	appendStringInfoChar(arguments, '[');
	foreach(cell, names)
	{
		if (foreach_current_index(cell) > 0)
			appendStringInfoString(arguments, ", ");
		escape_json(arguments, lfirst(cell));
	}
	appendStringInfoChar(arguments, ']');
}

Jsonb *
wfml_stored_end(StringInfo arguments, Jsonb *params)
{
	add_key(arguments, "params");
	appendStringInfoString(arguments, params ? JsonbToCString(NULL, &params->root, VARSIZE(params)) : "{}");
	appendStringInfoChar(arguments, '}');
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(arguments->data)));
}
