/*-------------------------------------------------------------------------
 * schema.c
 *	  Columns into features, once all rows are read.
 *-------------------------------------------------------------------------
 */
#include "core/schema.h"

#include <string.h>

#include "core/dataset.h"
#include "core/frame.h"

#define MAX2(a, b) ((a) > (b) ? (a) : (b))

WfSchema *
wf_schema_create(WfHost *host)
{
	WfSchema   *schema = wf_alloc_zero(host, 1, sizeof(WfSchema));

	schema->host = host;
	schema->time_zone = "";
	return schema;
}

int
wf_schema_add(WfSchema *schema, const char *name, WfColumnKind kind)
{
	WfHost	   *host = schema->host;
	WfColumn   *column;

	if (schema->n_columns == schema->columns_capacity)
	{
		int			capacity = schema->columns_capacity ? schema->columns_capacity * 2 : 16;
		WfColumn   *columns = wf_alloc(host, (size_t) capacity, sizeof(WfColumn));

		if (schema->n_columns)
			memcpy(columns, schema->columns, (size_t) schema->n_columns * sizeof(WfColumn));
		wf_release(host, schema->columns);
		schema->columns = columns;
		schema->columns_capacity = capacity;
	}
	column = &schema->columns[schema->n_columns];
	memset(column, 0, sizeof(*column));
	column->name = wf_strndup(host, name, strlen(name));
	column->kind = kind;
	return schema->n_columns++;
}

/* ---- which columns stay ---- */

static bool
all_missing(const WfFrame *frame, const WfColumn *column)
{
	for (int c = 0; c < column->n_cells; c++)
		if (wf_frame_n_missing(frame, column->first_cell + c) < wf_frame_n_rows(frame))
			return false;
	return true;
}

static bool
any_varies(const WfFrame *frame, const WfColumn *column)
{
	for (int c = 0; c < column->n_cells; c++)
		if (wf_frame_varies(frame, column->first_cell + c))
			return true;
	return false;
}

/*
 * Names, keys and free text: more levels than bins, and hardly one twice.  A
 * dictionary that is full holds what came first, so its codes would depend on
 * the order of rows.
 */
static bool
is_identifier(const WfFrame *frame, const WfColumn *column)
{
	uint64_t	rows = wf_frame_n_rows(frame) - wf_frame_n_missing(frame, column->first_cell);

	if (wf_dict_overflowed(column->dict))
		return true;
	return wf_dict_size(column->dict) > WF_MAX_LEVELS &&
		(uint64_t) wf_dict_size(column->dict) * 2 > rows;
}

static WfLeftOut
judge(const WfFrame *frame, const WfColumn *column)
{
	bool		strings = column->kind == WF_COL_CATEGORY || column->kind == WF_COL_TAGS;

	if (column->kind == WF_COL_GROUP)
		return WF_KEPT;
	/* Without a value there may be nothing to make a feature of. */
	if (column->n_cells == 0 || (strings && wf_dict_size(column->dict) == 0))
		return column->n_cells == 0 || all_missing(frame, column) ? WF_LEFT_EMPTY : WF_LEFT_CONSTANT;
	if (column->by_user)
		return WF_KEPT;
	if (all_missing(frame, column))
		return WF_LEFT_EMPTY;
	if (column->kind == WF_COL_CATEGORY && is_identifier(frame, column))
		return WF_LEFT_IDENTIFIER;
	return any_varies(frame, column) ? WF_KEPT : WF_LEFT_CONSTANT;
}

/* ---- features ---- */

typedef struct Maker
{
	WfSchema   *schema;
	const WfFrame *frame;
	int			capacity;
} Maker;

static WfFeature *
add_feature(Maker *m, int column, int cell, WfPart part, uint32_t element)
{
	WfSchema   *schema = m->schema;
	WfHost	   *host = schema->host;
	WfFeature  *f;

	if (schema->n_features >= WF_MAX_FEATURES)
		host->fail(host, WF_E_LIMIT, "Name fewer columns in \"features\".",
				   "training source has more than %d features", WF_MAX_FEATURES);
	if (schema->n_features == m->capacity)
	{
		int			capacity = m->capacity ? m->capacity * 2 : 32;
		WfFeature  *features = wf_alloc(host, (size_t) capacity, sizeof(WfFeature));

		if (schema->n_features)
			memcpy(features, schema->features, (size_t) schema->n_features * sizeof(WfFeature));
		wf_release(host, schema->features);
		schema->features = features;
		m->capacity = capacity;
	}
	f = &schema->features[schema->n_features++];
	memset(f, 0, sizeof(*f));
	f->column = column;
	f->cell = cell;
	f->part = part;
	f->element = element;
	return f;
}

/* Does a come before b: more rows first, then by bytes. */
static bool
comes_before(const WfDict *dict, const uint64_t *rows, uint32_t a, uint32_t b)
{
	size_t		la,
				lb;
	const char *sa,
			   *sb;
	int			c;

	if (rows[a] != rows[b])
		return rows[a] > rows[b];
	sa = wf_dict_string(dict, a, &la);
	sb = wf_dict_string(dict, b, &lb);
	c = memcmp(sa, sb, la < lb ? la : lb);
	return c != 0 ? c < 0 : la < lb;
}

/*
 * The at most "most" codes of most rows, of those with 1 to limit rows;
 * returns how many.  Few candidates beat the last one kept, so a sorted array
 * will do.
 */
static uint32_t
top_codes(WfHost *host, const WfDict *dict, const uint64_t *rows, uint64_t limit,
		  uint32_t most, uint32_t *top)
{
	uint32_t	n = 0;

	for (uint32_t code = 0; code < wf_dict_size(dict); code++)
	{
		uint32_t	at;

		if ((code & 0xfff) == 0)
			host->check(host);
		if (rows[code] == 0 || rows[code] > limit ||
			(n == most && !comes_before(dict, rows, code, top[n - 1])))
			continue;
		at = n < most ? n++ : n - 1;
		for (; at > 0 && comes_before(dict, rows, code, top[at - 1]); at--)
			top[at] = top[at - 1];
		top[at] = code;
	}
	return n;
}

static void
make_category(Maker *m, int index)
{
	WfColumn   *column = &m->schema->columns[index];
	WfHost	   *host = m->schema->host;
	uint32_t	size = wf_dict_size(column->dict);
	uint64_t   *rows = wf_alloc(host, size, sizeof(uint64_t));
	uint64_t	all = 0,
				in_levels = 0;
	WfFeature  *f;

	for (uint32_t code = 0; code < size; code++)
		all += rows[code] = wf_dict_count(column->dict, code);
	f = add_feature(m, index, column->first_cell, WF_PART_VALUE, 0);
	f->category = true;
	f->levels = wf_alloc(host, WF_MAX_LEVELS, sizeof(uint32_t));
	f->n_levels = top_codes(host, column->dict, rows, UINT64_MAX, WF_MAX_LEVELS, f->levels);
	f->has_other = size > f->n_levels;
	f->bin_of_code = wf_alloc(host, size, 1);
	memset(f->bin_of_code, (int) f->n_levels, size);
	for (uint32_t level = 0; level < f->n_levels; level++)
	{
		f->bin_of_code[f->levels[level]] = (uint8_t) level;
		in_levels += rows[f->levels[level]];
	}
	column->other_share = all ? (double) (all - in_levels) / (double) MAX2(all, wf_frame_n_rows(m->frame)) : 0;
	wf_release(host, rows);
}

/* Rows that have each element; the dictionary counts doubles within an array too. */
static uint64_t *
element_rows(Maker *m, const WfColumn *column)
{
	WfHost	   *host = m->schema->host;
	uint64_t   *rows = wf_alloc_zero(host, wf_dict_size(column->dict), sizeof(uint64_t));
	uint32_t	n_lists = wf_frame_n_tag_lists(m->frame, column->first_cell);

	for (uint32_t list = 0; list < n_lists; list++)
	{
		int			n;
		const uint32_t *codes = wf_frame_tags(m->frame, column->first_cell, list, &n);
		uint64_t	count = wf_frame_tag_list_rows(m->frame, column->first_cell, list);

		for (int i = 0; i < n; i++)
			rows[codes[i]] += count;
		if ((list & 0xfff) == 0)
			host->check(host);
	}
	return rows;
}

static void
make_tags(Maker *m, int index)
{
	WfColumn   *column = &m->schema->columns[index];
	WfHost	   *host = m->schema->host;
	uint64_t	n_rows = wf_frame_n_rows(m->frame);
	uint64_t   *rows = element_rows(m, column);
	uint32_t	top[WF_MAX_TAGS];
	uint32_t	n;

	/* An element of every row tells nothing, unless the user insists on the column. */
	n = top_codes(host, column->dict, rows, n_rows - 1, WF_MAX_TAGS, top);
	if (n == 0 && column->by_user)
		n = top_codes(host, column->dict, rows, n_rows, WF_MAX_TAGS, top);
	if (n == 0)
		column->left_out = WF_LEFT_CONSTANT;
	for (uint32_t i = 0; i < n; i++)
		add_feature(m, index, column->first_cell, WF_PART_TAG, top[i]);
	wf_release(host, rows);
}

/* Groups are numbered by their bytes, so that the order of rows does not matter. */
static void
make_group(Maker *m, int index)
{
	WfColumn   *column = &m->schema->columns[index];
	WfHost	   *host = m->schema->host;
	uint32_t	size = wf_dict_size(column->dict);
	uint32_t   *sorted;
	WfFeature  *f;

	if (wf_dict_overflowed(column->dict))
		host->fail(host, WF_E_LIMIT, "Use a column with fewer values.",
				   "column \"%s\" has more than %d distinct values, too many for groups",
				   column->name, WF_DICT_MAX_ENTRIES);
	f = add_feature(m, index, column->first_cell, WF_PART_VALUE, 0);
	f->group = true;
	f->levels = wf_alloc(host, size, sizeof(uint32_t));
	f->group_of_code = wf_alloc(host, size, sizeof(uint32_t));
	sorted = wf_dict_sorted(column->dict);
	for (uint32_t i = 0; i < size; i++)
	{
		uint32_t	code = sorted[i];

		if (wf_dict_count(column->dict, code) < WF_GROUP_ROWS)
		{
			f->group_of_code[code] = WF_CODE_MISSING;
			continue;
		}
		f->group_of_code[code] = f->n_levels;
		f->levels[f->n_levels++] = code;
		if (i % 4096 == 0)
			host->check(host);
	}
	wf_release(host, sorted);
}

static void
make_features(Maker *m, int index)
{
	WfColumn   *column = &m->schema->columns[index];
	WfPart		parts[WF_N_PARTS];
	int			n_parts;

	column->first_feature = m->schema->n_features;
	switch (column->kind)
	{
		case WF_COL_NUMBER:
		case WF_COL_BOOLEAN:
			add_feature(m, index, column->first_cell, WF_PART_VALUE, 0);
			break;
		case WF_COL_CATEGORY:
			make_category(m, index);
			break;
		case WF_COL_TIMESTAMP:
		case WF_COL_DATE:
		case WF_COL_TIME:
			n_parts = wf_time_parts(column->kind, column->parts, parts);
			for (int c = 0; c < column->n_cells && c < n_parts; c++)
				add_feature(m, index, column->first_cell + c, parts[c], 0);
			break;
		case WF_COL_TAGS:
			make_tags(m, index);
			break;
		case WF_COL_VECTOR:
			for (int c = 0; c < column->n_cells; c++)
				add_feature(m, index, column->first_cell + c, WF_PART_ELEMENT, (uint32_t) c);
			break;
		case WF_COL_GROUP:
			make_group(m, index);
			break;
	}
	column->n_features = m->schema->n_features - column->first_feature;
}

void
wf_schema_finish(WfSchema *schema, const WfFrame *frame)
{
	WfHost	   *host = schema->host;
	Maker		m = {schema, frame, 0};
	int			n_groups = 0;

	schema->n_features = 0;
	schema->features = NULL;
	for (int i = 0; i < schema->n_columns; i++)
	{
		WfColumn   *column = &schema->columns[i];

		host->check(host);
		column->first_feature = schema->n_features;
		column->n_features = 0;
		if (column->left_out == WF_KEPT)
			column->left_out = judge(frame, column);
		if (column->left_out == WF_KEPT)
			make_features(&m, i);
		n_groups += column->kind == WF_COL_GROUP && column->left_out == WF_KEPT;
	}
	if (schema->n_features == n_groups)
		host->fail(host, WF_E_DATA,
				   "Columns that are constant, empty, keys or identifiers are left out unless \"features\" names them.",
				   "training source has no usable feature column");
}
