/*-------------------------------------------------------------------------
 * jsonmap.c
 *	  JSON objects into the features of a model.
 *
 * The keys of a stored object are sorted by length, then bytes.  With the
 * model's columns in the same order one walk over the keys finds all of
 * them, and one over the values reads them: no search per key, no copies.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "pg/columns.h"
#include "pg/compat.h"
#include "pg/features.h"
#include "pg/input.h"
#include "pg/isotime.h"

struct WfmlJsonMap
{
	int			n;
	WfmlPlace  *places;
	int		   *order;			/* places by the length and bytes of their names */
	uint32	   *key;			/* by position in order: the object's key */
	pg_tz	   *zone;
	const char *model_name;
	double	   *elements;		/* room for the longest vector */
	int			elements_size;
	MemoryContext context;
};

/* ---- making ---- */

/* The order of keys in jsonb. */
static int
compare_names(const char *a, size_t a_length, const char *b, size_t b_length)
{
	if (a_length != b_length)
		return a_length < b_length ? -1 : 1;
	return memcmp(a, b, a_length);
}

static int
compare_places(const void *a, const void *b, void *arg)
{
	const WfmlPlace *places = arg;
	const WfmlPlace *x = &places[*(const int *) a];
	const WfmlPlace *y = &places[*(const int *) b];

	return compare_names(x->name, x->name_length, y->name, y->name_length);
}

WfmlJsonMap *
wfml_jsonmap_create(const WfModel *model, const char *model_name, MemoryContext cxt)
{
	WfmlJsonMap *map = MemoryContextAllocZero(cxt, sizeof(WfmlJsonMap));

	map->n = (int) model->header->n_columns;
	map->places = wfml_places(model, cxt);
	map->order = MemoryContextAlloc(cxt, sizeof(int) * (map->n + 1));
	map->key = MemoryContextAlloc(cxt, sizeof(uint32) * (map->n + 1));
	map->model_name = MemoryContextStrdup(cxt, model_name);
	map->context = cxt;
	for (int i = 0; i < map->n; i++)
	{
		map->order[i] = i;
		if (map->places[i].kind == WF_COL_TIMESTAMP || map->places[i].kind == WF_COL_DATE)
			map->zone = wfml_model_zone(model);
	}
	qsort_arg(map->order, map->n, sizeof(int), compare_places, map->places);
	return map;
}

/* ---- stored JSON ---- */

/* One entry after another of an object (keys, then values) or array. */
typedef struct Walk
{
	const JEntry *entries;
	const char *base;
	uint32		next;
	uint32		offset;			/* of the next entry's bytes */
} Walk;

typedef struct Value
{
	JEntry		entry;
	const char *bytes;
	uint32		length;
} Value;

static inline void
walk_next(Walk *walk, Value *value)
{
	JEntry		entry = walk->entries[walk->next++];
	uint32		end = JBE_OFFLENFLD(entry) + (JBE_HAS_OFF(entry) ? 0 : walk->offset);

	value->entry = entry;
	value->bytes = walk->base + walk->offset;
	value->length = end - walk->offset;
	walk->offset = end;
}

/* Numbers and containers are aligned within the object. */
static inline const void *
aligned_bytes(const Walk *walk, const Value *value)
{
	return walk->base + INTALIGN(value->bytes - walk->base);
}

/* ---- values ---- */

static void
wrong_type(const WfmlPlace *place)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("value of key \"%s\" is not %s", place->name, wfml_kind_noun(place->kind))));
}

static void
wrong_number(const WfmlPlace *place, const char *bytes, size_t length)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("value \"%.*s\" of key \"%s\" is not a number",
					(int) wfml_clip_text(bytes, length), bytes, place->name)));
}

/* A number as SQL reads a float ("1e3", "NaN", " 7 "; too large is infinite), or an interval in seconds. */
static double
number_of_text(const WfmlPlace *place, const char *bytes, size_t length)
{
	char		text[128];
	char	   *end;
	double		value;

	if (length == 0 || length >= sizeof(text))
		wrong_number(place, bytes, length);
	memcpy(text, bytes, length);
	text[length] = '\0';
	value = strtod(text, &end);
	while (end != text && (*end == ' ' || *end == '\t' || *end == '\n' || *end == '\r'))
		end++;
	/* strtod's hexadecimal and "nan(...)" forms are not SQL's */
	if (end != text && *end == '\0' && strpbrk(text, "xX(") == NULL)
		return value;
	if (!wfml_interval_parse(bytes, length, &value))
		wrong_number(place, bytes, length);
	return value;
}

static double
number_of_value(const WfmlPlace *place, const Walk *walk, const Value *value)
{
	if (JBE_ISNUMERIC(value->entry))
		return wfml_numeric_double(PointerGetDatum(aligned_bytes(walk, value)));
	if (JBE_ISBOOL_TRUE(value->entry))
		return 1;
	if (JBE_ISBOOL_FALSE(value->entry))
		return 0;
	if (!JBE_ISSTRING(value->entry))
		wrong_type(place);
	return number_of_text(place, value->bytes, value->length);
}

static double
boolean_of_value(const WfmlPlace *place, const Walk *walk, const Value *value)
{
	bool		truth = false;

	if (JBE_ISNUMERIC(value->entry))
	{
		double		number = number_of_value(place, walk, value);

		if (number == 0 || number == 1)
			return number;
	}
	else if (JBE_ISBOOL_TRUE(value->entry) || JBE_ISBOOL_FALSE(value->entry))
		return JBE_ISBOOL_TRUE(value->entry) ? 1 : 0;
	else if (JBE_ISSTRING(value->entry) && parse_bool_with_len(value->bytes, value->length, &truth))
		return truth ? 1 : 0;
	wrong_type(place);
	return 0;
}

/* A character(n) value comes padded out of to_jsonb(), but training drops the padding. */
static void
put_string(const WfmlPlace *place, const char *bytes, size_t length, float *x)
{
	if (length > 0 && bytes[length - 1] == ' ' &&
		wf_model_tag(place->model, place->column, bytes, length) < 0)
		while (length > 0 && bytes[length - 1] == ' ')
			length--;
	wfml_put_text(place, bytes, length, x);
}

static void
put_category(const WfmlPlace *place, const Walk *walk, const Value *value, float *x)
{
	if (JBE_ISSTRING(value->entry))
		put_string(place, value->bytes, wfml_clip_text(value->bytes, value->length), x);
	else if (JBE_ISBOOL_TRUE(value->entry))
		wfml_put_text(place, "true", 4, x);
	else if (JBE_ISBOOL_FALSE(value->entry))
		wfml_put_text(place, "false", 5, x);
	else if (JBE_ISNUMERIC(value->entry))
	{
		char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out,
															   PointerGetDatum(aligned_bytes(walk, value))));

		wfml_put_text(place, text, wfml_clip_text(text, strlen(text)), x);
		pfree(text);
	}
	else
		wrong_type(place);
}

static void
put_time(const WfmlJsonMap *map, const WfmlPlace *place, const Value *value, float *x)
{
	int64		days,
				usec;

	if (!JBE_ISSTRING(value->entry))
		wrong_type(place);
	switch (wfml_iso_parse(value->bytes, value->length, place->kind, map->zone, &days, &usec))
	{
		case WFML_ISO_VALUE:
			wfml_put_time(place, days, usec, x);
			break;
		case WFML_ISO_INFINITE:
			wfml_put_missing(place, x);
			break;
		case WFML_ISO_WRONG:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
					 errmsg("value \"%.*s\" of key \"%s\" is not %s in ISO form",
							(int) wfml_clip_text(value->bytes, value->length), value->bytes, place->name,
							wfml_kind_noun(place->kind)),
					 errhint("Write it like %s.", place->kind == WF_COL_TIME ? "\"14:05:00\"" :
							 place->kind == WF_COL_DATE ? "\"2026-01-31\"" : "\"2026-01-31T14:05:00\"")));
	}
}

/* ---- arrays, of any shape ---- */

static double
number_of_scalar(const WfmlPlace *place, const JsonbValue *v)
{
	switch (v->type)
	{
		case jbvNull:
			return NAN;
		case jbvNumeric:
			return wfml_numeric_double(NumericGetDatum(v->val.numeric));
		case jbvBool:
			return v->val.boolean ? 1 : 0;
		case jbvString:
			return number_of_text(place, v->val.string.val, (size_t) v->val.string.len);
		default:
			wrong_type(place);
			return NAN;
	}
}

static void
put_tag(const WfmlPlace *place, const JsonbValue *v, float *x)
{
	switch (v->type)
	{
		case jbvNull:
			break;
		case jbvString:
			wfml_put_tag(place, v->val.string.val,
						 wfml_clip_text(v->val.string.val, (size_t) v->val.string.len), x);
			break;
		case jbvBool:
			wfml_put_tag(place, v->val.boolean ? "true" : "false", v->val.boolean ? 4 : 5, x);
			break;
		case jbvNumeric:
			{
				char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out,
																	   NumericGetDatum(v->val.numeric)));

				wfml_put_tag(place, text, strlen(text), x);
				pfree(text);
				break;
			}
		default:
			wrong_type(place);
	}
}

static void
add_element(WfmlJsonMap *map, int n, double value)
{
	if (n >= map->elements_size)
	{
		int			size = Max(64, map->elements_size * 2);

		if (map->elements)
			map->elements = repalloc(map->elements, sizeof(double) * size);
		else
			map->elements = MemoryContextAlloc(map->context, sizeof(double) * size);
		map->elements_size = size;
	}
	map->elements[n] = value;
}

static void
put_array(WfmlJsonMap *map, const WfmlPlace *place, const Walk *walk, const Value *value, float *x)
{
	JsonbContainer *container = (JsonbContainer *) aligned_bytes(walk, value);
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	int			n = 0;

	if (!JBE_ISCONTAINER(value->entry) || !JsonContainerIsArray(container))
		wrong_type(place);
	if (place->kind == WF_COL_TAGS)
		wfml_put_no_tags(place, x);
	it = JsonbIteratorInit(container);
	while ((token = JsonbIteratorNext(&it, &v, false)) != WJB_DONE)
	{
		if (token == WJB_BEGIN_OBJECT)
			wrong_type(place);
		if (token != WJB_ELEM)
			continue;
		if (place->kind == WF_COL_TAGS)
			put_tag(place, &v, x);
		else if ((uint64) n <= place->length)	/* one more tells that it is too long */
		{
			add_element(map, n, number_of_scalar(place, &v));
			n++;
		}
	}
	if (place->kind == WF_COL_VECTOR)
		wfml_put_vector(place, map->elements, n, x);
}

/* ---- objects ---- */

static void
put_value(WfmlJsonMap *map, const WfmlPlace *place, const Walk *walk, const Value *value, float *x)
{
	if (JBE_ISNULL(value->entry))
	{
		wfml_put_missing(place, x);
		return;
	}
	switch (place->kind)
	{
		case WF_COL_NUMBER:
			wfml_put_number(place, number_of_value(place, walk, value), x);
			break;
		case WF_COL_BOOLEAN:
			wfml_put_number(place, boolean_of_value(place, walk, value), x);
			break;
		case WF_COL_CATEGORY:
		case WF_COL_GROUP:
			put_category(place, walk, value, x);
			break;
		case WF_COL_TIMESTAMP:
		case WF_COL_DATE:
		case WF_COL_TIME:
			put_time(map, place, value, x);
			break;
		case WF_COL_TAGS:
		case WF_COL_VECTOR:
			put_array(map, place, walk, value, x);
			break;
	}
}

static void
report_absent(const WfmlJsonMap *map, uint32 none)
{
	List	   *absent = NIL;

	for (int c = 0; c < map->n; c++)
		for (int i = 0; i < map->n; i++)
			if (map->order[i] == c && map->key[i] == none)
				absent = lappend(absent, (void *) map->places[c].name);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg_plural("key %s required by model \"%s\" is missing from the input",
						   "keys %s required by model \"%s\" are missing from the input",
						   list_length(absent), wfml_quoted_names(absent), map->model_name),
			 errhint("Pass null for what is not known.")));
}

void
wfml_jsonmap_features(WfmlJsonMap *map, Jsonb *object, float *x)
{
	JsonbContainer *container = &object->root;
	uint32		n_keys = JsonContainerSize(container);
	Walk		walk = {.entries = container->children};
	Value		value;
	int			at = 0;
	int			n_found = 0;

	if (!JsonContainerIsObject(container))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("input of model \"%s\" must be a JSON object", map->model_name),
				 errhint("Pass one like '{\"column\": value, ...}'.")));
	walk.base = (const char *) &container->children[(Size) n_keys * 2];
	for (int i = 0; i < map->n; i++)
		map->key[i] = n_keys;
	for (uint32 k = 0; k < n_keys; k++)
	{
		int			cmp = 1;

		walk_next(&walk, &value);
		while (at < map->n)
		{
			const WfmlPlace *place = &map->places[map->order[at]];

			cmp = compare_names(place->name, place->name_length, value.bytes, value.length);
			if (cmp >= 0)
				break;
			at++;
		}
		if (at < map->n && cmp == 0)
		{
			map->key[at++] = k;
			n_found++;
		}
	}
	if (n_found < map->n)
		report_absent(map, n_keys);
	at = 0;
	for (uint32 k = 0; k < n_keys && at < map->n; k++)
	{
		walk_next(&walk, &value);
		if (map->key[at] == k)
			put_value(map, &map->places[map->order[at++]], &walk, &value, x);
	}
}
