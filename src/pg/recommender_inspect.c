/*-------------------------------------------------------------------------
 * recommender_inspect.c
 *	  wfml.inspect_recommender(): the dry run of train_recommender().
 *
 * The source is read as training reads it; where the matrix of users and items
 * fits in memory it is made, to tell repeated pairs and long histories.
 * Nothing is trained.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/arguments.h"
#include "pg/inspect_lines.h"
#include "pg/interactions_source.h"
#include "pg/pghost.h"
#include "pg/recommender_work.h"
#include "pg/settings.h"
#include "pg/trainspec.h"

typedef struct Inspection
{
	ReturnSetInfo *result;
	WfHost	   *host;
	WfSpec		spec;
	WfmlInteractionsSource read;
	WfmlRecommenderWork work;
	double		read_seconds;
	bool		built;			/* the matrix fits and is in data */
	WfInteractionData data;
} Inspection;

/* ---- columns ---- */

static void
put_columns(const Inspection *in)
{
	static const char *const role[] = {"user", "item", "rating", "time"};
	const WfmlInteractionsSource *read = &in->read;
	const uint64 nulls[] = {read->null_users, read->null_items, read->null_ratings, 0};
	const uint32 distinct[] = {
		wf_interactions_n_users(read->interactions), wf_interactions_n_items(read->interactions), 0, 0
	};

	for (int i = 0; i < read->desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(read->desc, i);
		const char *name = NameStr(attribute->attname);
		const char *type = wfml_inspect_type(attribute->atttypid);
		bool		used = false;

		for (int c = 0; c < WFML_N_INTERACTION_COLUMNS; c++)
			if (read->column[c].attno == i + 1)
			{
				used = true;
				wfml_inspect_put(in->result, name, type, role[c], distinct[c] ? psprintf("%u", distinct[c]) : NULL,
								 wfml_inspect_share(nulls[c], read->rows_read),
								 c == WFML_TIME_COLUMN ? "orders the rows" : NULL);
			}
		if (!used)
			wfml_inspect_put(in->result, name, type, "left out", NULL, NULL, NULL);
	}
}

/* ---- the matrix ---- */

/* "1 to 45 items, median 3" */
static void
put_histories(const Inspection *in)
{
	const WfMatrix *m = &in->data.matrix;
	uint32	   *n_of = wf_alloc_zero(in->host, (size_t) in->data.n_items + 1, sizeof(uint32));
	uint64		longest = 0;
	uint64		shortest;
	uint64		median;

	for (uint32 u = 0; u < m->n_rows; u++)
	{
		uint64		length = wf_matrix_row_length(m, u);

		n_of[length]++;			/* an item at most once */
		longest = Max(longest, length);
		if (u % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
	}
	wfml_inspect_lengths(n_of, longest, m->n_rows, &shortest, &median);
	wfml_inspect_note(in->result, "(histories)",
					  psprintf(UINT64_FORMAT " to " UINT64_FORMAT " items a user, median " UINT64_FORMAT,
							   shortest, longest, median));
	wf_release(in->host, n_of);
}

static void
put_ratings(const Inspection *in)
{
	const WfMatrix *m = &in->data.matrix;
	double		low = HUGE_VAL;
	double		high = -HUGE_VAL;
	double		sum = 0;

	for (uint64 e = 0; e < m->n; e++)
	{
		low = Min(low, m->value[e]);
		high = Max(high, m->value[e]);
		sum += m->value[e];
		if (e % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
	}
	wfml_inspect_note(in->result, "(ratings)", psprintf("%g to %g, mean %.4g", low, high, sum / (double) m->n));
}

static void
put_matrix(const Inspection *in)
{
	const WfMatrix *m = &in->data.matrix;
	uint64		repeated = in->data.n_rows - m->n;
	char	   *pairs = psprintf(UINT64_FORMAT " of user and item", m->n);

	if (repeated > 0)
		pairs = psprintf("%s, " UINT64_FORMAT " repetitions %s", pairs, repeated,
						 in->data.has_rating ? "averaged" : "counted");
	wfml_inspect_note(in->result, "(pairs)", pairs);
	wfml_inspect_note(in->result, "(density)",
					  psprintf("%.3g %% of users × items", 100.0 * (double) m->n / ((double) in->data.n_users * in->data.n_items)));
	put_histories(in);
	if (in->data.has_rating)
		put_ratings(in);
}

/* ---- lines about the whole ---- */

static void
put_rows(const Inspection *in)
{
	uint64		used = in->read.rows_read - in->read.null_users - in->read.null_items - in->read.null_ratings;
	char	   *note = psprintf(UINT64_FORMAT " used", used);

	if (used < in->read.rows_read)
		note = psprintf("%s, " UINT64_FORMAT " left out", note, in->read.rows_read - used);
	wfml_inspect_note(in->result, "(rows)", note);
}

static void
put_method(const Inspection *in)
{
	uint32		items = wf_interactions_n_items(in->read.interactions);
	uint32		ease = Min(items, (uint32) wf_spec_number(&in->spec, "ease_items"));

	if (!wf_spec_is(&in->spec, "method", "auto"))
		wfml_inspect_note(in->result, "(method)", wf_spec_word(&in->spec, "method"));
	else if (ease < items)
		wfml_inspect_note(in->result, "(method)",
						  psprintf("the best of rp3beta, item_knn, and ease for the %u most frequent items", ease));
	else
		wfml_inspect_note(in->result, "(method)", "the best of ease, rp3beta, item_knn and popular");
}

static void
put_forecast(const Inspection *in)
{
	size_t		limit = (size_t) wfml_max_training_memory * 1024;
	const char *memory = wfml_inspect_size(in->work.memory);

	wfml_inspect_note(in->result, "(seconds)", wfml_inspect_seconds(in->read_seconds + in->work.seconds));
	wfml_inspect_note(in->result, "(memory)",
					  in->work.memory > limit ? psprintf("%s, more than wfml.max_training_memory", memory) : memory);
	wfml_inspect_note(in->result, "(model)", wfml_inspect_size(in->work.artifact));
}

/* ---- the call ---- */

static void
read_source(FunctionCallInfo fcinfo, Inspection *in)
{
	double		started = in->host->now(in->host);

	in->read = (WfmlInteractionsSource) {
		.source = wfml_argument_text(fcinfo, 0, "source"),
		.user_column = wfml_argument_text(fcinfo, 1, "user_column"),
		.item_column = wfml_argument_text(fcinfo, 2, "item_column"),
		.rating_column = wfml_argument_text_or_null(fcinfo, 3),
		.time_column = wfml_argument_text_or_null(fcinfo, 4),
		.quiet = true,
	};
	wfml_spec_parse(in->host, "recommender", PG_ARGISNULL(5) ? NULL : PG_GETARG_JSONB_P(5), &in->spec);
	in->spec.task = WF_RECOMMENDATION;
	wfml_interactions_load(in->host, &in->read);
	in->read_seconds = in->host->now(in->host) - started;
}

PG_FUNCTION_INFO_V1(wfml_inspect_recommender);

/* wfml.inspect_recommender(source, user_column, item_column, rating_column, time_column, params) → lines */
Datum
wfml_inspect_recommender(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "wfml inspection", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	Inspection	in = {.result = (ReturnSetInfo *) fcinfo->resultinfo};

	InitMaterializedSRF(fcinfo, 0);
	old = MemoryContextSwitchTo(context);
	in.host = wfml_host_create(context);
	wfml_host_limit(in.host, (size_t) wfml_max_training_memory * 1024, "wfml.max_training_memory");
	read_source(fcinfo, &in);
	wfml_recommender_work(&in.spec, &in.read, NULL, &in.work);
	put_columns(&in);
	put_rows(&in);
	if (in.work.memory <= (size_t) wfml_max_training_memory * 1024)
	{
		WfTeam		team;
		WfTeamShared shared;

		wf_team_alone(&team, &shared, in.host);
		wf_interactions_build(&team, in.read.interactions, &in.data);
		wfml_recommender_work(&in.spec, &in.read, &in.data.matrix, &in.work);
		put_matrix(&in);
	}
	put_method(&in);
	put_forecast(&in);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}
