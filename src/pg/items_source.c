/*-------------------------------------------------------------------------
 * items_source.c
 *	  The catalogue of items: attributes into the core's content.
 *
 * What a column becomes follows from its type: words of a text; one value of
 * an enum, boolean, uuid and the like; a number; the elements of a text array.
 * Times say when an item came, not what it is, and are left out.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/compat.h"
#include "pg/items_source.h"
#include "pg/pghost.h"
#include "pg/source.h"

/* Words beyond the first bytes of a text are not read. */
#define TEXT_BYTES 65536
/* Rows between two reports of progress. */
#define REPORT_ROWS 4096

typedef struct ItemColumn
{
	AttrNumber	attno;
	WfContentKind kind;
	bool		is_text;		/* text, varchar: words, read from the datum itself */
	WfmlConverter *converter;
} ItemColumn;

typedef struct ItemLoader
{
	WfmlRowReader pub;
	WfHost	   *host;
	WfmlInteractionsSource *in;
	WfmlIdColumn key;
	int			n;
	ItemColumn *column;
	int			max_attno;
	uint64		rows_read;
	uint64		null_keys;
} ItemLoader;

/* ---- start ---- */

/* How a type describes an item; false: not at all. */
static bool
content_kind(Oid type, WfContentKind *kind)
{
	WfColumnKind column_kind;
	char		category;
	bool		preferred;

	if (!wfml_type_kind(type, &column_kind))
		return false;
	switch (column_kind)
	{
		case WF_COL_NUMBER:
			*kind = WF_CONTENT_NUMBER;
			return true;
		case WF_COL_BOOLEAN:
			*kind = WF_CONTENT_CATEGORY;
			return true;
		case WF_COL_CATEGORY:
			get_type_category_preferred(getBaseType(type), &category, &preferred);
			*kind = category == TYPCATEGORY_STRING && getBaseType(type) != NAMEOID ? WF_CONTENT_TEXT : WF_CONTENT_CATEGORY;
			return true;
		case WF_COL_TAGS:
			*kind = WF_CONTENT_TAGS;
			return true;
		default:
			return false;
	}
}

static void
find_key(ItemLoader *loader, TupleDesc desc)
{
	WfmlInteractionsSource *in = loader->in;
	bool		found = false;

	if (in->item_key == NULL)
	{
		for (int i = 0; i < desc->natts; i++)
			found = found || strcmp(NameStr(TupleDescAttr(desc, i)->attname), in->item_column) == 0;
		if (!found)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("items have no column \"%s\"", in->item_column),
					 errhint("Name the column that holds the item's id in the argument \"item_key\".")));
		in->item_key = in->item_column;
	}
	loader->key = (WfmlIdColumn) {.name = in->item_key, .role = "key", .kind = WFML_ID_TEXT};
	wfml_id_columns_find(&loader->key, 1, desc, "items query");
}

static void
start_columns(ItemLoader *loader, TupleDesc desc)
{
	WfContentKind *kinds = palloc(sizeof(WfContentKind) * (desc->natts + 1));
	StringInfoData left_out;

	initStringInfo(&left_out);
	loader->column = palloc0(sizeof(ItemColumn) * (desc->natts + 1));
	loader->max_attno = loader->key.attno;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		ItemColumn *column = &loader->column[loader->n];

		if (i == loader->key.attno - 1)
			continue;
		if (!content_kind(attribute->atttypid, &kinds[loader->n]))
		{
			appendStringInfo(&left_out, "%s%s (%s)", left_out.len ? ", " : "", NameStr(attribute->attname),
							 format_type_be(attribute->atttypid));
			continue;
		}
		column->attno = (AttrNumber) (i + 1);
		column->kind = kinds[loader->n];
		column->converter = wfml_converter_create(attribute->atttypid, NULL, CurrentMemoryContext);
		column->is_text = column->converter->type == TEXTOID || column->converter->type == VARCHAROID;
		loader->max_attno = column->attno;
		loader->in->attributes = lappend(loader->in->attributes, pstrdup(NameStr(attribute->attname)));
		loader->n++;
	}
	loader->max_attno = Max(loader->max_attno, loader->key.attno);
	if (loader->n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("no column of the items describes them"),
				 left_out.len ? errdetail("Left out: %s.", left_out.data) : 0,
				 errhint("Text, categories, booleans, numbers and arrays of text do.")));
	if (left_out.len && !loader->in->quiet)
		ereport(NOTICE, (errmsg("columns of items left out: %s", left_out.data)));
	loader->in->content = wf_content_begin(loader->host, loader->n, kinds);
}

static void
items_start(WfmlRowReader *reader, TupleDesc desc, const WfmlOrigin *origins)
{
	ItemLoader *loader = (ItemLoader *) reader;
	MemoryContext old = MemoryContextSwitchTo(wfml_host_context(loader->host));

	find_key(loader, desc);
	start_columns(loader, desc);
	MemoryContextSwitchTo(old);
}

/* ---- rows ---- */

/* A text's leading words; only their bytes are fetched and decompressed. */
static void
add_words(WfContentReader *content, int i, Datum value)
{
	struct varlena *v = (struct varlena *) DatumGetPointer(value);
	int			length;

	if (VARATT_IS_EXTERNAL(v) || VARATT_IS_COMPRESSED(v))
		v = pg_detoast_datum_slice(v, 0, TEXT_BYTES);
	length = VARSIZE_ANY_EXHDR(v);
	if (length >= TEXT_BYTES)
		length = pg_mbcliplen(VARDATA_ANY(v), length, TEXT_BYTES);
	wf_content_add_text(content, i, VARDATA_ANY(v), (size_t) length);
}

static void
add_tags(WfContentReader *content, int i, WfmlConverter *converter, Datum value)
{
	Datum	   *values;
	bool	   *nulls;
	int			n = wfml_converter_elements(converter, value, &values, &nulls);
	size_t		length;

	for (int e = 0; e < n; e++)
		if (!nulls[e])
		{
			const char *bytes = converter->element->text(converter->element, values[e], &length);

			wf_content_add_text(content, i, bytes, length);
		}
}

static void
add_attribute(const ItemLoader *loader, int i, Datum value)
{
	const ItemColumn *column = &loader->column[i];
	WfContentReader *content = loader->in->content;
	const char *bytes;
	size_t		length;

	if (column->is_text)
		add_words(content, i, value);
	else if (column->kind == WF_CONTENT_TAGS)
		add_tags(content, i, column->converter, value);
	else if (column->kind == WF_CONTENT_NUMBER)
		wf_content_add_number(content, i, column->converter->number(column->converter, value));
	else if (column->converter->text == NULL)	/* boolean */
	{
		bytes = DatumGetBool(value) ? "true" : "false";
		wf_content_add_text(content, i, bytes, strlen(bytes));
	}
	else
	{
		bytes = column->converter->text(column->converter, value, &length);
		wf_content_add_text(content, i, bytes, length);
	}
}

static bool
items_row(WfmlRowReader *reader, TupleTableSlot *slot)
{
	ItemLoader *loader = (ItemLoader *) reader;
	AttrNumber	key = loader->key.attno;
	const char *id;
	size_t		length;

	slot_getsomeattrs(slot, loader->max_attno);
	if (++loader->rows_read % REPORT_ROWS == 0)
		loader->host->progress(loader->host, WF_PHASE_READ, loader->in->rows_read + loader->rows_read, 0);
	if (slot->tts_isnull[key - 1])
	{
		loader->null_keys++;
		return true;
	}
	id = wfml_id_text(&loader->key, slot->tts_values[key - 1], &length);
	wf_interactions_add_item(loader->in->interactions, id, length);
	wf_content_row(loader->in->content);
	for (int i = 0; i < loader->n; i++)
	{
		AttrNumber	attno = loader->column[i].attno;

		if (!slot->tts_isnull[attno - 1])
			add_attribute(loader, i, slot->tts_values[attno - 1]);
	}
	return true;
}

void
wfml_items_load(WfHost *host, WfmlInteractionsSource *in)
{
	ItemLoader	loader = {.pub = {items_start, items_row}, .host = host, .in = in};
	bool		is_relation;
	char	   *query = wfml_source_query(in->items, &in->stored_items, &is_relation);

	wfml_source_read(query, &loader.pub);
	MemoryContextSwitchTo(wfml_host_context(host));
	if (loader.rows_read == loader.null_keys)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 loader.rows_read == 0 ? errmsg("items \"%s\" returned no rows", in->items)
				 : errmsg("key column \"%s\" is NULL in every row of the items", in->item_key)));
	if (loader.null_keys > 0 && !in->quiet)
		ereport(NOTICE,
				(errmsg_plural(UINT64_FORMAT " row of the items with NULL key left out",
							   UINT64_FORMAT " rows of the items with NULL key left out",
							   (unsigned long) loader.null_keys, loader.null_keys)));
}
