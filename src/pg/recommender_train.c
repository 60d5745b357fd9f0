/*-------------------------------------------------------------------------
 * recommender_train.c
 *	  wfml.train_recommender(): models of users and items.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "utils/jsonb.h"

#include "core/recommender.h"
#include "pg/arguments.h"
#include "pg/interactions_source.h"
#include "pg/recommender_work.h"
#include "pg/settings.h"
#include "pg/stored_arguments.h"
#include "pg/traincall.h"

static void
read_call(FunctionCallInfo fcinfo, WfmlRecommenderCall *call)
{
	memset(call, 0, sizeof(*call));
	call->model = wfml_argument_text(fcinfo, 0, "model");
	call->read.source = wfml_argument_text(fcinfo, 1, "source");
	call->read.user_column = wfml_argument_text(fcinfo, 2, "user_column");
	call->read.item_column = wfml_argument_text(fcinfo, 3, "item_column");
	call->read.rating_column = wfml_argument_text_or_null(fcinfo, 4);
	call->read.time_column = wfml_argument_text_or_null(fcinfo, 5);
	call->read.items = wfml_argument_text_or_null(fcinfo, 6);
	call->read.item_key = wfml_argument_text_or_null(fcinfo, 7);
	call->params = PG_ARGISNULL(8) ? NULL : PG_GETARG_JSONB_P(8);
	call->activate = PG_ARGISNULL(9) ? true : PG_GETARG_BOOL(9);
}

/* ---- what is stored beside the model ---- */

/* The columns that the model was made of. */
static List *
columns_used(const WfmlInteractionsSource *read)
{
	const char *const of_source[] = {read->user_column, read->item_column, read->rating_column, read->time_column};
	List	   *names = NIL;

	for (int i = 0; i < (int) lengthof(of_source); i++)
		names = lappend(names, unconstify(char *, of_source[i]));
	return list_concat(names, read->attributes);
}

static Jsonb *
stored_arguments(const WfmlRecommenderCall *call)
{
	const WfmlInteractionsSource *read = &call->read;
	StringInfoData buf;

	wfml_stored_begin(&buf);
	wfml_stored_add(&buf, "algorithm", "recommender");
	wfml_stored_add(&buf, "source", read->stored_source);
	wfml_stored_add(&buf, "user_column", read->user_column);
	wfml_stored_add(&buf, "item_column", read->item_column);
	wfml_stored_add(&buf, "rating_column", read->rating_column);
	wfml_stored_add(&buf, "time_column", read->time_column);
	wfml_stored_add(&buf, "items", read->stored_items);
	wfml_stored_add(&buf, "item_key", read->item_key);
	return wfml_stored_end(&buf, call->params);
}

void
wfml_recommender_read(WfmlTraining *t, WfmlRecommenderCall *call)
{
	t->spec.task = WF_RECOMMENDATION;
	wfml_interactions_load(t->host, &call->read);
}

void
wfml_recommender_fit(WfmlTraining *t, const WfmlRecommenderCall *call, const WfModel *champion, WfChallenge *challenge)
{
	WfRecommenderInput input = {
		.interactions = call->read.interactions,
		.content = call->read.content,
		.size_limit = (size_t) wfml_max_model_size * 1024,
		.memory_limit = (size_t) wfml_max_training_memory * 1024,
		.champion = champion,
		.challenge = challenge,
	};
	WfmlRecommenderWork work;

	wfml_recommender_work(&t->spec, &call->read, NULL, &work);
	wfml_training_check_memory(work.memory, wfml_recommender_size_text(&call->read));
	wfml_training_fit(t, &input, work.steps, work.memory);
}

void
wfml_recommender_describe(WfmlTraining *t, const WfmlRecommenderCall *call)
{
	t->publication.source = call->read.stored_source;
	t->publication.features = wfml_stored_names(columns_used(&call->read), &t->n_columns);
	t->publication.params = call->params;
	t->publication.activate = call->activate;
	t->publication.arguments = stored_arguments(call);
}

PG_FUNCTION_INFO_V1(wfml_train_recommender);

/*
 * wfml.train_recommender(model, source, user_column, item_column,
 * rating_column, time_column, items, item_key, params, activate)
 * → training_summary
 */
Datum
wfml_train_recommender(PG_FUNCTION_ARGS)
{
	WfmlRecommenderCall call;
	WfmlTraining t;

	read_call(fcinfo, &call);
	wfml_training_begin(&t, "wfml.train_recommender()", call.model, "recommender", call.params);
	wfml_recommender_read(&t, &call);
	wfml_recommender_fit(&t, &call, NULL, NULL);
	wfml_recommender_describe(&t, &call);
	return wfml_training_finish(fcinfo, &t);
}
