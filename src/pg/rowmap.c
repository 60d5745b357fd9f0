/*-------------------------------------------------------------------------
 * rowmap.c
 *	  Rows of a descriptor into the features of a model.
 *
 * Everything that needs the catalogs happens once, when the map is made.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/columns.h"
#include "pg/compat.h"
#include "pg/features.h"
#include "pg/input.h"

/* The usual columns of numbers are read without a call. */
typedef enum FastKind
{
	FAST_NONE,
	FAST_INT4,
	FAST_INT8,
	FAST_FLOAT4,
	FAST_FLOAT8
} FastKind;

typedef struct MapItem
{
	FastKind	fast;
	AttrNumber	attno;
	uint32_t	feature;		/* the only one of a fast column */
	uint32_t	offset;			/* in a row's data, when the map is fixed */
	const WfmlPlace *place;
	WfmlConverter *converter;
} MapItem;

struct WfmlRowMap
{
	int			n;
	MapItem    *items;
	int			max_attno;
	bool		fixed;			/* all are fast, and no column before the last has a variable length */
	HeapTupleData tuple;		/* a row handed to wfml_rowmap_heap */
	TupleTableSlot *slot;		/* it again, to be deformed no further than needed */
	double	   *elements;		/* room for the longest vector */
	int			elements_size;
	MemoryContext context;
};

/* ---- making ---- */

static AttrNumber
find_attribute(TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), name) == 0)
			return (AttrNumber) (i + 1);
	}
	return InvalidAttrNumber;
}

/* Names f1, f2, …: a row made by ROW(). */
static bool
is_nameless(TupleDesc desc)
{
	for (int i = 0; i < desc->natts; i++)
	{
		char		name[16];

		snprintf(name, sizeof(name), "f%d", i + 1);
		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) != 0)
			return false;
	}
	return desc->natts > 0;
}

static bool
is_time(WfColumnKind kind)
{
	return kind == WF_COL_TIMESTAMP || kind == WF_COL_DATE;
}

static bool
compatible(WfColumnKind model, WfColumnKind row)
{
	return model == row ||
		(model == WF_COL_NUMBER && row == WF_COL_BOOLEAN) ||
		(is_time(model) && is_time(row));
}

static FastKind
fast_kind(const WfmlPlace *place, Oid base_type)
{
	if (place->kind != WF_COL_NUMBER || place->n != 1)
		return FAST_NONE;
	switch (base_type)
	{
		case INT4OID:
			return FAST_INT4;
		case INT8OID:
			return FAST_INT8;
		case FLOAT4OID:
			return FAST_FLOAT4;
		case FLOAT8OID:
			return FAST_FLOAT8;
		default:
			return FAST_NONE;
	}
}

static void
report_missing(List *missing, const char *model_name, TupleDesc desc)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg_plural("column %s required by model \"%s\" is missing from the input",
						   "columns %s required by model \"%s\" are missing from the input",
						   list_length(missing), wfml_quoted_names(missing), model_name),
			 is_nameless(desc)
			 ? errhint("ROW(...) has no column names; select from a sub-select instead: predict(..., s) FROM (SELECT a, b) s.")
			 : 0));
}

/* Where the columns are in rows without NULLs, if that is the same in all of them. */
static void
find_offsets(WfmlRowMap *map, TupleDesc desc)
{
	uint32_t	offset = 0;

	map->fixed = true;
	for (int i = 0; i < map->max_attno && map->fixed; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		map->fixed = attribute->attlen > 0;
		offset = att_align_nominal(offset, attribute->attalign);
		for (int j = 0; j < map->n; j++)
			if (map->items[j].attno == i + 1)
				map->items[j].offset = offset;
		offset += attribute->attlen;
	}
	for (int j = 0; j < map->n; j++)
		map->fixed &= map->items[j].fast != FAST_NONE;
}

WfmlRowMap *
wfml_rowmap_create(const WfModel *model, const char *model_name, TupleDesc desc, MemoryContext cxt)
{
	WfmlRowMap *map = MemoryContextAllocZero(cxt, sizeof(WfmlRowMap));
	WfmlPlace  *places = wfml_places(model, cxt);
	pg_tz	   *zone = NULL;
	List	   *missing = NIL;
	StringInfoData wrong;
	MemoryContext old;

	initStringInfo(&wrong);
	map->context = cxt;
	map->n = (int) model->header->n_columns;
	map->items = MemoryContextAllocZero(cxt, sizeof(MapItem) * (map->n + 1));
	for (int i = 0; i < map->n; i++)
	{
		MapItem    *item = &map->items[i];
		WfColumnKind kind;
		Oid			type;

		item->place = &places[i];
		item->attno = find_attribute(desc, places[i].name);
		if (item->attno == InvalidAttrNumber)
		{
			missing = lappend(missing, (void *) places[i].name);
			continue;
		}
		map->max_attno = Max(map->max_attno, item->attno);
		if (places[i].kind == WF_COL_GROUP)
		{
			item->converter = wfml_converter_create_group(places[i].name, desc, cxt);
			continue;
		}
		type = TupleDescAttr(desc, item->attno - 1)->atttypid;
		if (!wfml_type_kind(type, &kind) || !compatible(places[i].kind, kind))
		{
			appendStringInfo(&wrong, "%s\"%s\" is %s where the model expects %s", wrong.len ? "; " : "",
							 places[i].name, format_type_be(type), wfml_kind_noun(places[i].kind));
			continue;
		}
		if (zone == NULL && kind == WF_COL_TIMESTAMP)
			zone = wfml_model_zone(model);
		item->converter = wfml_converter_create(type, zone, cxt);
		item->fast = fast_kind(item->place, item->converter->type);
		item->feature = item->place->first;
	}
	if (missing != NIL)
		report_missing(missing, model_name, desc);
	if (wrong.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("input does not fit model \"%s\": column %s", model_name, wrong.data),
				 errhint("Cast the columns to the types of the training source.")));
	pfree(wrong.data);
	find_offsets(map, desc);
	old = MemoryContextSwitchTo(cxt);
	/* With constraints: they hold the values of columns added after a row was made. */
	map->slot = MakeSingleTupleTableSlot(CreateTupleDescCopyConstr(desc), &TTSOpsHeapTuple);
	MemoryContextSwitchTo(old);
	return map;
}

int
wfml_rowmap_max_attno(const WfmlRowMap *map)
{
	return map->max_attno;
}

/* ---- rows ---- */

static void
map_tags(const MapItem *item, Datum value, float *x)
{
	WfmlConverter *element = item->converter->element;
	Datum	   *values;
	bool	   *nulls;
	int			n = wfml_converter_elements(item->converter, value, &values, &nulls);

	wfml_put_no_tags(item->place, x);
	for (int i = 0; i < n; i++)
	{
		size_t		length;
		const char *bytes;

		if (nulls[i])
			continue;
		bytes = element->text(element, values[i], &length);
		wfml_put_tag(item->place, bytes, length, x);
	}
	pfree(values);
	pfree(nulls);
}

static void
map_vector(WfmlRowMap *map, const MapItem *item, Datum value, float *x)
{
	WfmlConverter *element = item->converter->element;
	Datum	   *values;
	bool	   *nulls;
	int			n = wfml_converter_elements(item->converter, value, &values, &nulls);

	if (n > map->elements_size)
	{
		if (map->elements)
			pfree(map->elements);
		map->elements = NULL;
		map->elements_size = 0;
		map->elements = MemoryContextAlloc(map->context, sizeof(double) * n);
		map->elements_size = n;
	}
	for (int i = 0; i < n; i++)
		map->elements[i] = nulls[i] ? NAN : element->number(element, values[i]);
	pfree(values);
	pfree(nulls);
	wfml_put_vector(item->place, map->elements, n, x);
}

static void
map_value(WfmlRowMap *map, const MapItem *item, Datum value, float *x)
{
	WfmlConverter *c = item->converter;
	const char *bytes;
	size_t		length;
	int64		days,
				usec;

	switch (item->place->kind)
	{
		case WF_COL_NUMBER:
		case WF_COL_BOOLEAN:
			wfml_put_number(item->place, c->number(c, value), x);
			break;
		case WF_COL_CATEGORY:
		case WF_COL_GROUP:
			bytes = c->text(c, value, &length);
			wfml_put_text(item->place, bytes, length, x);
			break;
		case WF_COL_TIMESTAMP:
		case WF_COL_DATE:
		case WF_COL_TIME:
			if (c->time(c, value, &days, &usec))
				wfml_put_time(item->place, days, usec, x);
			else
				wfml_put_missing(item->place, x);
			break;
		case WF_COL_TAGS:
			map_tags(item, value, x);
			break;
		case WF_COL_VECTOR:
			map_vector(map, item, value, x);
			break;
	}
}

/* A number as a feature. */
static inline float
fast_number(FastKind kind, Datum value)
{
	switch (kind)
	{
		case FAST_INT4:
			return (float) DatumGetInt32(value);
		case FAST_INT8:
			/* over double, as the converter of training goes */
			return (float) (double) DatumGetInt64(value);
		case FAST_FLOAT4:
			return DatumGetFloat4(value);
		default:
			return (float) DatumGetFloat8(value);
	}
}

/* The same from a row's data. */
static inline float
fast_number_at(FastKind kind, const char *at)
{
	switch (kind)
	{
		case FAST_INT4:
			return (float) *(const int32 *) at;
		case FAST_INT8:
			return (float) (double) *(const int64 *) at;
		case FAST_FLOAT4:
			return *(const float4 *) at;
		default:
			return (float) *(const float8 *) at;
	}
}

void
wfml_rowmap_slot(WfmlRowMap *map, TupleTableSlot *slot, float *x)
{
	slot_getsomeattrs(slot, map->max_attno);
	for (int i = 0; i < map->n; i++)
	{
		const MapItem *item = &map->items[i];
		Datum		value = slot->tts_values[item->attno - 1];

		if (slot->tts_isnull[item->attno - 1])
		{
			wfml_put_missing(item->place, x);
			continue;
		}
		if (item->fast != FAST_NONE)
			x[item->feature] = fast_number(item->fast, value);
		else
			map_value(map, item, value, x);
	}
}

void
wfml_rowmap_heap(WfmlRowMap *map, HeapTupleHeader row, float *x)
{
	/* A row from before the last column was added has fewer than the type. */
	if (map->fixed && (row->t_infomask & HEAP_HASNULL) == 0 && HeapTupleHeaderGetNatts(row) >= map->max_attno)
	{
		const char *data = (const char *) row + row->t_hoff;

		for (int i = 0; i < map->n; i++)
		{
			const MapItem *item = &map->items[i];

			x[item->feature] = fast_number_at(item->fast, data + item->offset);
		}
		return;
	}
	map->tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	ItemPointerSetInvalid(&map->tuple.t_self);
	map->tuple.t_tableOid = InvalidOid;
	map->tuple.t_data = row;
	ExecStoreHeapTuple(&map->tuple, map->slot, false);
	wfml_rowmap_slot(map, map->slot, x);
	ExecClearTuple(map->slot);
}
