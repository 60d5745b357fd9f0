/*-------------------------------------------------------------------------
 * load.c
 *	  Rows of a source into a frame.
 *
 * One converter per column is chosen when the row type is known; after that
 * a row costs a call per column and one append.  All cell columns exist
 * before the first append, in the order of the source's columns, so that row
 * hashes do not depend on the order of rows; while the length of an array
 * column is unknown, rows wait in a tuplestore.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "pg/columns.h"
#include "pg/compat.h"
#include "pg/input.h"
#include "pg/pghost.h"
#include "pg/roles.h"
#include "pg/source.h"
#include "pg/target.h"

/* Rows between two reports of progress. */
#define REPORT_ROWS 4096
#define MAX_VECTOR_LENGTH 16000
/* Shares of "other" below this are not worth a word. */
#define OTHER_SHARE 0.001

typedef struct LoadColumn
{
	WfmlColumn *column;
	WfmlConverter *converter;
	WfDict	   *dict;			/* categories and tags */
	int			first_cell;
	int			n_cells;		/* vectors: -1 until an array was seen */
	WfPart		parts[WF_N_PARTS];
	uint64_t	n_missing;
} LoadColumn;

typedef struct Loader
{
	WfmlRowReader pub;
	WfHost	   *host;
	const WfmlSourceRequest *request;
	WfmlSource *source;
	WfmlColumns *columns;
	WfmlTarget *target;
	AttrNumber	target_attno;
	WfmlRole	weight;
	WfmlRole	group;
	WfmlRole	time;
	WfmlRole	key;
	int			n;
	LoadColumn *load;
	int			max_attno;
	int			n_unknown;		/* vectors of unknown length */
	bool		ready;			/* cell columns exist */
	Tuplestorestate *waiting;
	TupleDesc	desc;
	WfCell	   *cells;
	uint64_t	n_rows;			/* read */
} Loader;

/* ---- start ---- */

static void
start_role(Loader *loader, WfmlRole *role, WfmlRoleKind kind, int index)
{
	if (index < 0)
		return;
	wfml_role_start(role, kind, &loader->columns->column[index]);
	loader->max_attno = Max(loader->max_attno, role->attno);
}

static void
start_roles(Loader *loader)
{
	const WfmlColumns *columns = loader->columns;

	start_role(loader, &loader->weight, WFML_ROLE_WEIGHT, columns->weight);
	start_role(loader, &loader->group, WFML_ROLE_GROUP, columns->group);
	start_role(loader, &loader->time, WFML_ROLE_TIME, columns->time);
	start_role(loader, &loader->key, WFML_ROLE_IDENTITY, columns->key);
	if (columns->key >= 0)
	{
		loader->source->key = columns->column[columns->key].name;
		wf_frame_keep_identity(loader->source->frame);
	}
	if (columns->target >= 0)
	{
		const WfmlColumn *column = &columns->column[columns->target];

		loader->target = wfml_target_create(loader->host, loader->request, loader->source->frame,
											column->name, column->type);
		loader->target_attno = column->attno;
		loader->max_attno = Max(loader->max_attno, column->attno);
	}
}

static void
start_column(Loader *loader, WfmlColumn *column)
{
	LoadColumn *load = &loader->load[loader->n++];
	WfSchema   *schema = loader->source->schema;

	load->column = column;
	load->converter = column->kind == WF_COL_GROUP
		? wfml_converter_create_group(column->name, loader->desc, CurrentMemoryContext)
		: wfml_converter_create(column->type, NULL, CurrentMemoryContext);
	column->schema_index = wf_schema_add(schema, column->name, column->kind);
	schema->columns[column->schema_index].by_user = column->by_user;
	load->n_cells = 1;
	switch (column->kind)
	{
		case WF_COL_CATEGORY:
		case WF_COL_TAGS:
		case WF_COL_GROUP:
			load->dict = wf_dict_create(loader->host);
			break;
		case WF_COL_TIMESTAMP:
		case WF_COL_DATE:
		case WF_COL_TIME:
			load->n_cells = wf_time_parts(column->kind, loader->request->time_parts, load->parts);
			break;
		case WF_COL_VECTOR:
			load->n_cells = -1;
			loader->n_unknown++;
			break;
		default:
			break;
	}
	loader->max_attno = Max(loader->max_attno, column->attno);
}

static char *
left_out_list(Loader *loader)
{
	StringInfoData s;

	initStringInfo(&s);
	for (int i = 0; i < loader->columns->n; i++)
	{
		const WfmlColumn *column = &loader->columns->column[i];
		WfLeftOut	left_out = column->left_out;

		if (i == loader->columns->target ||
			(loader->request->features != NIL && !column->by_user))
			continue;
		if (column->schema_index >= 0)
			left_out = loader->source->schema->columns[column->schema_index].left_out;
		if (left_out != WF_KEPT)
			appendStringInfo(&s, "%s%s (%s)", s.len ? ", " : "", column->name,
							 wfml_column_reason(column, left_out));
	}
	return s.data;
}

static void
load_start(WfmlRowReader *reader, TupleDesc desc, const WfmlOrigin *origins)
{
	Loader	   *loader = (Loader *) reader;
	MemoryContext old = MemoryContextSwitchTo(wfml_host_context(loader->host));
	WfmlSource *source = loader->source;
	const WfmlSourceRequest *request = loader->request;

	loader->desc = CreateTupleDescCopy(desc);
	loader->columns = source->columns = wfml_columns_decide(request, desc, origins);
	source->schema = wf_schema_create(loader->host);
	source->frame = wf_frame_create(loader->host, request->memory_limit,
									loader->columns->weight >= 0, loader->columns->group >= 0,
									loader->columns->time >= 0);
	start_roles(loader);
	loader->load = palloc0(sizeof(LoadColumn) * (loader->columns->n + 1));
	for (int i = 0; i < loader->columns->n; i++)
		if (loader->columns->column[i].left_out == WF_KEPT)
			start_column(loader, &loader->columns->column[i]);
	if (loader->n == 0)
	{
		char	   *list = left_out_list(loader);

		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("no column of the source can be a feature"),
				 *list ? errdetail("Left out: %s.", list) : 0,
				 errhint("Name columns in features to use them all the same.")));
	}
	MemoryContextSwitchTo(old);
}

/* Every column's cells, once the lengths of vectors are known (or never will be). */
static void
create_cells(Loader *loader)
{
	WfFrame    *frame = loader->source->frame;
	int			n_cells = 0;

	for (int i = 0; i < loader->n; i++)
	{
		LoadColumn *load = &loader->load[i];
		WfColumn   *column = &loader->source->schema->columns[load->column->schema_index];
		WfCellKind	kind = load->column->kind == WF_COL_TAGS ? WF_CELL_TAGS :
			load->dict ? WF_CELL_CODE : WF_CELL_NUMBER;

		if (load->n_cells < 0)	/* an array column without any array */
			load->n_cells = 1;
		load->first_cell = n_cells;
		for (int j = 0; j < load->n_cells; j++)
			(void) wf_frame_add_column(frame, kind, load->dict);
		n_cells += load->n_cells;
		column->first_cell = load->first_cell;
		column->n_cells = load->n_cells;
		column->dict = load->dict;
		for (int j = 0; load->converter->time && j < load->n_cells; j++)
			column->parts |= (uint32_t) 1 << load->parts[j];
	}
	loader->cells = wf_alloc(loader->host, n_cells, sizeof(WfCell));
	loader->ready = true;
}

/* ---- rows ---- */

static bool
number_cell(const LoadColumn *load, Datum value, WfCell *cell)
{
	cell->number = (float) load->converter->number(load->converter, value);
	return !isnan(cell->number);
}

static bool
time_cells(const LoadColumn *load, Datum value, WfCell *cells)
{
	float		values[WF_N_PARTS];
	int64		days,
				usec;

	if (!load->converter->time(load->converter, value, &days, &usec))
		return false;
	wf_time_values(load->parts, load->n_cells, days, usec, values);
	for (int i = 0; i < load->n_cells; i++)
		cells[i].number = values[i];
	return true;
}

static bool
tags_cell(const Loader *loader, const LoadColumn *load, Datum value, WfCell *cell)
{
	WfmlConverter *element = load->converter->element;
	Datum	   *values;
	bool	   *nulls;
	int			n = wfml_converter_elements(load->converter, value, &values, &nulls);
	uint32_t   *codes = palloc(sizeof(uint32_t) * (n + 1));
	int			n_codes = 0;

	for (int i = 0; i < n; i++)
	{
		const char *bytes;
		size_t		length;
		uint32_t	code;

		if (nulls[i])
			continue;
		bytes = element->text(element, values[i], &length);
		code = wf_dict_add(load->dict, bytes, length);
		if (code != WF_CODE_MISSING)
			codes[n_codes++] = code;
	}
	cell->code = wf_frame_tag_list(loader->source->frame, load->first_cell, codes, n_codes);
	return true;
}

static bool
vector_cells(const LoadColumn *load, Datum value, WfCell *cells)
{
	WfmlConverter *element = load->converter->element;
	Datum	   *values;
	bool	   *nulls;
	int			n = wfml_converter_elements(load->converter, value, &values, &nulls);

	if (n == 0)
		return false;
	if (n != load->n_cells)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("column \"%s\" holds arrays of different lengths, %d and %d",
						load->column->name, load->n_cells, n),
				 errhint("Arrays of numbers are features when all have the same length.")));
	for (int i = 0; i < n; i++)
		cells[i].number = nulls[i] ? NAN : (float) element->number(element, values[i]);
	return true;
}

/* The cells of one column; false: missing. */
static bool
fill_cells(const Loader *loader, const LoadColumn *load, Datum value)
{
	WfCell	   *cells = loader->cells + load->first_cell;

	switch (load->column->kind)
	{
		case WF_COL_NUMBER:
		case WF_COL_BOOLEAN:
			return number_cell(load, value, cells);
		case WF_COL_CATEGORY:
		case WF_COL_GROUP:
			{
				size_t		length;
				const char *bytes = load->converter->text(load->converter, value, &length);

				cells->code = wf_dict_add(load->dict, bytes, length);
				return true;
			}
		case WF_COL_TIMESTAMP:
		case WF_COL_DATE:
		case WF_COL_TIME:
			return time_cells(load, value, cells);
		case WF_COL_TAGS:
			return tags_cell(loader, load, value, cells);
		case WF_COL_VECTOR:
			return vector_cells(load, value, cells);
	}
	return false;
}

static void
missing_cells(const Loader *loader, const LoadColumn *load)
{
	WfCell	   *cells = loader->cells + load->first_cell;

	if (load->dict)
		cells->code = WF_CODE_MISSING;
	else
		for (int i = 0; i < load->n_cells; i++)
			cells[i].number = NAN;
}

static void
append_row(Loader *loader, TupleTableSlot *slot)
{
	WfRowExtra	extra = {.weight = 1.0};

	if (loader->target &&
		!wfml_target_row(loader->target, slot->tts_values[loader->target_attno - 1],
						 slot->tts_isnull[loader->target_attno - 1], &extra))
	{
		loader->source->null_targets++;
		return;
	}
	if (loader->weight.attno)
		extra.weight = wfml_role_weight(&loader->weight, slot);
	if (loader->group.attno)
		extra.group = wfml_role_group(&loader->group, slot);
	if (loader->time.attno)
		extra.time = wfml_role_time(&loader->time, slot);
	if (loader->key.attno)
		extra.identity = wfml_role_identity(&loader->key, slot);
	for (int i = 0; i < loader->n; i++)
	{
		LoadColumn *load = &loader->load[i];
		AttrNumber	attno = load->column->attno;

		if (slot->tts_isnull[attno - 1] || !fill_cells(loader, load, slot->tts_values[attno - 1]))
		{
			missing_cells(loader, load);
			load->n_missing++;
		}
	}
	wf_frame_append(loader->source->frame, loader->cells, &extra);
}

/* Lengths of vectors that this row tells. */
static void
learn_lengths(Loader *loader, TupleTableSlot *slot)
{
	for (int i = 0; i < loader->n; i++)
	{
		LoadColumn *load = &loader->load[i];
		ArrayType  *array;
		int			length;

		if (load->n_cells >= 0 || slot->tts_isnull[load->column->attno - 1])
			continue;
		array = DatumGetArrayTypeP(slot->tts_values[load->column->attno - 1]);
		length = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
		if (length > MAX_VECTOR_LENGTH)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("column \"%s\" holds an array of %d elements, at most %d can be features",
							load->column->name, length, MAX_VECTOR_LENGTH)));
		if (length > 0)
		{
			load->n_cells = length;
			loader->n_unknown--;
		}
	}
}

static void
append_waiting(Loader *loader)
{
	TupleTableSlot *slot;
	MemoryContext scratch;
	MemoryContext old;

	if (loader->waiting == NULL)
		return;
	slot = MakeSingleTupleTableSlot(loader->desc, &TTSOpsMinimalTuple);
	scratch = AllocSetContextCreate(CurrentMemoryContext, "wfml waiting row", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(scratch);
	while (tuplestore_gettupleslot(loader->waiting, true, false, slot))
	{
		slot_getsomeattrs(slot, loader->max_attno);
		append_row(loader, slot);
		MemoryContextReset(scratch);
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(loader->waiting);
	loader->waiting = NULL;
}

static bool
load_row(WfmlRowReader *reader, TupleTableSlot *slot)
{
	Loader	   *loader = (Loader *) reader;

	slot_getsomeattrs(slot, loader->max_attno);
	if (!loader->ready)
	{
		learn_lengths(loader, slot);
		if (loader->n_unknown > 0)
		{
			if (loader->waiting == NULL)
			{
				MemoryContext old = MemoryContextSwitchTo(wfml_host_context(loader->host));

				loader->waiting = tuplestore_begin_heap(false, false, work_mem);
				MemoryContextSwitchTo(old);
			}
			tuplestore_puttupleslot(loader->waiting, slot);
			loader->n_rows++;
			return true;
		}
		create_cells(loader);
		append_waiting(loader);
	}
	append_row(loader, slot);
	if (++loader->n_rows % REPORT_ROWS == 0)
		loader->host->progress(loader->host, WF_PHASE_READ, loader->n_rows, 0);
	return true;
}

/* ---- end ---- */

static void
check_rows(const Loader *loader)
{
	if (loader->n_rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("source \"%s\" returned no rows", loader->request->source)));
	if (loader->source->null_targets == loader->n_rows)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("target column \"%s\" holds no value in any of %llu rows",
						loader->request->target, (unsigned long long) loader->n_rows)));
}

static void
notice_rows(const Loader *loader)
{
	uint64_t	n = loader->source->null_targets;

	if (n > 0)
		ereport(NOTICE,
				(errmsg_plural("%llu row with NULL target left out",
							   "%llu rows with NULL target left out", (unsigned long) n,
							   (unsigned long long) n),
				 loader->source->task == WF_REGRESSION ? errdetail("NaN and infinite targets count as NULL.") : 0));
}

static void
note_timestamps(WfmlSource *source)
{
	for (int i = 0; i < source->schema->n_columns; i++)
	{
		const WfColumn *column = &source->schema->columns[i];

		if (column->left_out == WF_KEPT &&
			(column->kind == WF_COL_TIMESTAMP || column->kind == WF_COL_DATE))
			source->has_timestamp = true;
	}
}

static void
notice_columns(Loader *loader)
{
	char	   *left_out = left_out_list(loader);
	StringInfoData other;

	if (*left_out)
		ereport(NOTICE, (errmsg("left out: %s", left_out)));
	initStringInfo(&other);
	for (int i = 0; i < loader->n; i++)
	{
		const WfColumn *column = &loader->source->schema->columns[loader->load[i].column->schema_index];

		if (column->left_out != WF_KEPT)
			continue;
		if (column->kind == WF_COL_CATEGORY && column->other_share >= OTHER_SHARE)
			appendStringInfo(&other, "%s%s (%.1f %% of rows)", other.len ? ", " : "", column->name,
							 100.0 * column->other_share);
	}
	if (other.len)
		ereport(NOTICE, (errmsg("rare values share one category: %s", other.data)));
}

/* What a retraining reads only because the first training did. */
static void
leave_out_again(Loader *loader)
{
	ListCell   *lc;

	for (int i = 0; loader->request->kept != NIL && i < loader->n; i++)
	{
		bool		kept = loader->load[i].column->kind == WF_COL_GROUP;

		foreach(lc, loader->request->kept)
			kept |= strcmp(lfirst(lc), loader->load[i].column->name) == 0;
		if (!kept)
			loader->source->schema->columns[loader->load[i].column->schema_index].left_out = WF_LEFT_ROLE;
	}
}

WfmlSource *
wfml_source_load(WfHost *host, const WfmlSourceRequest *request)
{
	MemoryContext context = wfml_host_context(host);
	MemoryContext old = MemoryContextSwitchTo(context);
	WfmlSource *source = palloc0(sizeof(WfmlSource));
	Loader	   *loader = palloc0(sizeof(Loader));
	char	   *query = wfml_source_query(request->source, &source->stored_source, &source->is_relation);

	loader->pub.start = load_start;
	loader->pub.row = load_row;
	loader->host = host;
	loader->request = request;
	loader->source = source;
	wfml_source_read(query, &loader->pub);
	MemoryContextSwitchTo(context);
	if (!loader->ready)
	{
		create_cells(loader);
		append_waiting(loader);
	}
	check_rows(loader);
	for (int i = 0; i < loader->n; i++)
		source->schema->columns[loader->load[i].column->schema_index].n_missing = loader->load[i].n_missing;
	source->schema->time_zone = pstrdup(pg_get_timezone_name(session_timezone));
	if (loader->target)
		wfml_target_finish(loader->target, source->schema, source);
	source->rows_read = loader->n_rows;
	if (!request->quiet)
		notice_rows(loader);
	leave_out_again(loader);
	wf_schema_finish(source->schema, source->frame);
	note_timestamps(source);
	if (!request->quiet)
		notice_columns(loader);
	host->progress(host, WF_PHASE_READ, loader->n_rows, loader->n_rows);
	MemoryContextSwitchTo(old);
	return source;
}
