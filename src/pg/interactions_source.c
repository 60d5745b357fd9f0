/*-------------------------------------------------------------------------
 * interactions_source.c
 *	  Rows of users and items into the core.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "executor/tuptable.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/compat.h"
#include "pg/interactions_source.h"
#include "pg/items_source.h"
#include "pg/pghost.h"
#include "pg/source.h"

/* Rows between two reports of progress. */
#define REPORT_ROWS 4096
/* Beyond this a rating is a mistake, and sums of squares in floats would overflow. */
#define MAX_RATING 1e15

typedef struct Loader
{
	WfmlRowReader pub;
	WfHost	   *host;
	WfmlInteractionsSource *in;
	int			max_attno;
} Loader;

static void
load_start(WfmlRowReader *reader, TupleDesc desc, const WfmlOrigin *origins)
{
	Loader	   *loader = (Loader *) reader;
	WfmlInteractionsSource *in = loader->in;
	MemoryContext old = MemoryContextSwitchTo(wfml_host_context(loader->host));

	in->column[WFML_USER_COLUMN] = (WfmlIdColumn) {.name = in->user_column, .role = "user", .kind = WFML_ID_TEXT};
	in->column[WFML_ITEM_COLUMN] = (WfmlIdColumn) {.name = in->item_column, .role = "item", .kind = WFML_ID_TEXT};
	in->column[WFML_RATING_COLUMN] = (WfmlIdColumn) {.name = in->rating_column, .role = "rating", .kind = WFML_ID_NUMBER};
	in->column[WFML_TIME_COLUMN] = (WfmlIdColumn) {.name = in->time_column, .role = "time", .kind = WFML_ID_ORDER};
	wfml_id_columns_find(in->column, WFML_N_INTERACTION_COLUMNS, desc, "source");
	if (in->column[WFML_USER_COLUMN].attno == in->column[WFML_ITEM_COLUMN].attno)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" cannot be both user and item", in->user_column)));
	loader->max_attno = wfml_id_columns_max_attno(in->column, WFML_N_INTERACTION_COLUMNS);
	in->desc = CreateTupleDescCopy(desc);
	in->interactions = wf_interactions_create(loader->host, in->rating_column != NULL, in->time_column != NULL);
	MemoryContextSwitchTo(old);
}

/* The value of a column, or NaN. */
static double
number_of(const WfmlIdColumn *column, TupleTableSlot *slot)
{
	Datum		value;

	if (column->attno == 0 || slot->tts_isnull[column->attno - 1])
		return NAN;
	value = slot->tts_values[column->attno - 1];
	return column->kind == WFML_ID_NUMBER ? wfml_id_number(column, value) : wfml_id_time(column, value);
}

static void
check_rating(const WfmlIdColumn *column, double rating)
{
	if (fabs(rating) > MAX_RATING)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("rating column \"%s\" holds %g", column->name, rating),
				 errhint("Ratings are numbers between %g and %g.", -MAX_RATING, MAX_RATING)));
}

static void
add_row(Loader *loader, TupleTableSlot *slot)
{
	WfmlInteractionsSource *in = loader->in;
	WfmlIdColumn *user = &in->column[WFML_USER_COLUMN];
	WfmlIdColumn *item = &in->column[WFML_ITEM_COLUMN];
	double		rating = number_of(&in->column[WFML_RATING_COLUMN], slot);
	const char *user_id;
	const char *item_id;
	size_t		user_length;
	size_t		item_length;

	if (slot->tts_isnull[user->attno - 1])
		in->null_users++;
	else if (slot->tts_isnull[item->attno - 1])
		in->null_items++;
	else if (in->rating_column && !isfinite(rating))
		in->null_ratings++;
	else
	{
		check_rating(&in->column[WFML_RATING_COLUMN], rating);
		user_id = wfml_id_text(user, slot->tts_values[user->attno - 1], &user_length);
		item_id = wfml_id_text(item, slot->tts_values[item->attno - 1], &item_length);
		wf_interactions_add(in->interactions, user_id, user_length, item_id, item_length,
							rating, number_of(&in->column[WFML_TIME_COLUMN], slot));
	}
}

static bool
load_row(WfmlRowReader *reader, TupleTableSlot *slot)
{
	Loader	   *loader = (Loader *) reader;

	slot_getsomeattrs(slot, loader->max_attno);
	add_row(loader, slot);
	if (++loader->in->rows_read % REPORT_ROWS == 0)
		loader->host->progress(loader->host, WF_PHASE_READ, loader->in->rows_read, 0);
	return true;
}

/* ---- end ---- */

/* "3 with NULL user, 1 with NULL rating"; empty when no row was left out. */
static char *
left_out_list(const WfmlInteractionsSource *in)
{
	const struct
	{
		uint64		n;
		const char *what;
	}			part[] = {
		{in->null_users, "NULL user"}, {in->null_items, "NULL item"}, {in->null_ratings, "NULL rating"}
	};
	StringInfoData s;

	initStringInfo(&s);
	for (int i = 0; i < (int) lengthof(part); i++)
		if (part[i].n > 0)
			appendStringInfo(&s, "%s" UINT64_FORMAT " with %s", s.len ? ", " : "", part[i].n, part[i].what);
	return s.data;
}

static void
check_rows(const WfmlInteractionsSource *in)
{
	uint64		left_out = in->null_users + in->null_items + in->null_ratings;

	if (in->rows_read == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("source \"%s\" returned no rows", in->source)));
	if (left_out == in->rows_read)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("no row of the source has a user, an item%s", in->rating_column ? " and a rating" : ""),
				 errdetail("Rows: %s.", left_out_list(in))));
	if (left_out > 0 && !in->quiet)
		ereport(NOTICE,
				(errmsg_plural(UINT64_FORMAT " row left out: %s", UINT64_FORMAT " rows left out: %s",
							   (unsigned long) left_out, left_out, left_out_list(in)),
				 in->null_ratings ? errdetail("NaN and infinite ratings count as NULL.") : 0));
}

void
wfml_interactions_load(WfHost *host, WfmlInteractionsSource *in)
{
	MemoryContext old = MemoryContextSwitchTo(wfml_host_context(host));
	Loader		loader = {.pub = {load_start, load_row}, .host = host, .in = in};
	bool		is_relation;
	char	   *query;

	if (in->items == NULL && in->item_key)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"item_key\" is given without \"items\""),
				 errhint("Name a table or query of items in the argument \"items\".")));
	query = wfml_source_query(in->source, &in->stored_source, &is_relation);
	wfml_source_read(query, &loader.pub);
	MemoryContextSwitchTo(wfml_host_context(host));
	check_rows(in);
	if (in->items)
		wfml_items_load(host, in);
	host->progress(host, WF_PHASE_READ, in->rows_read, in->rows_read);
	MemoryContextSwitchTo(old);
}
