/*-------------------------------------------------------------------------
 * recommend.c
 *	  recommend, predict_rating, similar_items.
 *
 * Ids come as text, bigint or uuid, as C functions of their own, so that a
 * call needs no look at argument types.  An id that training has not seen is
 * normal input: applications have new users and new items every day.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

#include "core/recommender.h"
#include "pg/callsite.h"
#include "pg/compat.h"
#include "pg/counters.h"
#include "pg/kind.h"
#include "pg/pghost.h"
#include "pg/registry.h"

#define DEFAULT_N 10

/* ---- the model ---- */

static const WfmlSite *
use_model(FunctionCallInfo fcinfo)
{
	WfmlSite   *site;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model must not be null")));
	site = wfml_site(fcinfo);
	site->tasks = WFML_TASK(WF_RECOMMENDATION);
	wfml_site_use_name(site, PG_GETARG_TEXT_PP(0));
	return site;
}

static inline const WfIdMap *
user_ids(const WfmlSite *site)
{
	return &site->cached->model->ids[0];
}

static inline const WfIdMap *
item_ids(const WfmlSite *site)
{
	return &site->cached->model->ids[1];
}

/* ---- ids ---- */

typedef enum IdType
{
	ID_TEXT,
	ID_BIGINT,
	ID_UUID
} IdType;

/* Ids longer than training takes are not known, whatever they begin with. */
static uint32
find_bytes(const WfIdMap *ids, const char *bytes, size_t length)
{
	return length > WF_DICT_KEY_BYTES ? WF_CODE_MISSING : wf_idmap_find(ids, bytes, length);
}

static uint32
find_text(const WfIdMap *ids, const text *id)
{
	return find_bytes(ids, VARDATA_ANY(id), VARSIZE_ANY_EXHDR(id));
}

/* Number of the id in argument i, WF_CODE_MISSING when it is NULL or unknown. */
static uint32
find_argument(FunctionCallInfo fcinfo, int i, IdType type, const WfIdMap *ids)
{
	char		digits[MAXINT8LEN + 1];

	if (PG_ARGISNULL(i))
		return WF_CODE_MISSING;
	switch (type)
	{
		case ID_TEXT:
			return find_text(ids, PG_GETARG_TEXT_PP(i));
		case ID_BIGINT:
			return find_bytes(ids, digits, (size_t) pg_lltoa(PG_GETARG_INT64(i), digits));
		case ID_UUID:
			{
				const char *text = DatumGetCString(DirectFunctionCall1(uuid_out, PG_GETARG_DATUM(i)));

				return find_bytes(ids, text, strlen(text));
			}
	}
	return WF_CODE_MISSING;
}

/* The known items of a text[]; unknown ones and NULLs tell nothing. */
static uint32 *
find_history(FunctionCallInfo fcinfo, int i, const WfIdMap *ids, size_t *n)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n_elements;
	uint32	   *history;

	*n = 0;
	if (PG_ARGISNULL(i))
		return NULL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(i), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n_elements);
	history = palloc(sizeof(uint32) * (n_elements + 1));
	for (int e = 0; e < n_elements; e++)
	{
		uint32		item = nulls[e] ? WF_CODE_MISSING : find_text(ids, DatumGetTextPP(elements[e]));

		if (item != WF_CODE_MISSING)
			history[(*n)++] = item;
	}
	return history;
}

/* How many are wanted: argument i, at most all items. */
static uint32
wanted(FunctionCallInfo fcinfo, int i, const WfmlSite *site)
{
	int32		n = PG_ARGISNULL(i) ? DEFAULT_N : PG_GETARG_INT32(i);

	if (n < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"n\" must not be negative")));
	return Min((uint32) n, item_ids(site)->n);
}

/* ---- rows ---- */

static WfRecommendation *
make_room(uint32 n)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, sizeof(WfRecommendation) * ((Size) n + 1));
}

static Datum
item_text(const WfmlSite *site, uint32 item)
{
	size_t		length;
	const char *bytes = wf_idmap_string(item_ids(site), item, &length);

	return PointerGetDatum(cstring_to_text_with_len(bytes, (int) length));
}

/* (item, score, source, rank), or without source. */
static void
put_rows(FunctionCallInfo fcinfo, const WfmlSite *site, const WfRecommendation *rows, uint32 n, bool with_source)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	for (uint32 i = 0; i < n; i++)
	{
		Datum		values[4];
		bool		nulls[4] = {false};
		int			at = 0;

		values[at++] = item_text(site, rows[i].item);
		nulls[at] = isnan(rows[i].score);
		values[at++] = Float8GetDatum(rows[i].score);
		if (with_source)
			values[at++] = CStringGetTextDatum(wf_recommend_source_name(rows[i].source));
		values[at++] = Int32GetDatum((int32) i + 1);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/* ---- recommend(model, user_id, n, exclude_seen, history) → SETOF (item, score, source, rank) ---- */

static Datum
recommend(FunctionCallInfo fcinfo, IdType type)
{
	const WfmlSite *site = use_model(fcinfo);
	WfRecommendQuery query;
	uint32		n = wanted(fcinfo, 2, site);
	WfRecommendation *rows = make_room(n);

	query.user = find_argument(fcinfo, 1, type, user_ids(site));
	query.exclude_seen = PG_ARGISNULL(3) || PG_GETARG_BOOL(3);
	query.history = find_history(fcinfo, 4, item_ids(site), &query.n_history);
	InitMaterializedSRF(fcinfo, 0);
	if (n > 0)
		n = wf_recommend(wfml_host_create(CurrentMemoryContext), site->cached->model->opened, &query, n, rows);
	wfml_count(site->cached->id, WFML_COUNT_PREDICTIONS, 1);
	put_rows(fcinfo, site, rows, n, true);
	return (Datum) 0;
}

/* ---- similar_items(model, item, n) → SETOF (item, score, rank) ---- */

static Datum
similar_items(FunctionCallInfo fcinfo, IdType type)
{
	const WfmlSite *site = use_model(fcinfo);
	uint32		item = find_argument(fcinfo, 1, type, item_ids(site));
	uint32		n = wanted(fcinfo, 2, site);
	WfRecommendation *rows = make_room(n);

	InitMaterializedSRF(fcinfo, 0);
	if (item == WF_CODE_MISSING || n == 0)
		return (Datum) 0;
	n = wf_similar_items(wfml_host_create(CurrentMemoryContext), site->cached->model->opened, item, n, rows);
	put_rows(fcinfo, site, rows, n, false);
	return (Datum) 0;
}

/* ---- predict_rating(model, user_id, item) → float8 ---- */

static Datum
predict_rating(FunctionCallInfo fcinfo, IdType user_type, IdType item_type)
{
	const WfmlSite *site = use_model(fcinfo);
	const void *opened = site->cached->model->opened;
	double		rating;

	if (!wf_recommender_info(opened).has_ratings)
		ereport(ERROR,
				(errcode(ERRCODE_WFML_WRONG_KIND),
				 errmsg("model \"%s\" was trained without ratings", site->resolved.name),
				 errhint("Train it with \"rating_column\", or use wfml.recommend().")));
	if (PG_ARGISNULL(2))
		PG_RETURN_NULL();
	rating = wf_predict_rating(wfml_host_create(CurrentMemoryContext), opened,
							   find_argument(fcinfo, 1, user_type, user_ids(site)),
							   find_argument(fcinfo, 2, item_type, item_ids(site)));
	wfml_count(site->cached->id, WFML_COUNT_PREDICTIONS, 1);
	PG_RETURN_FLOAT8(rating);
}

/* ---- the SQL functions ---- */

#define LIST_ENTRY(function, name, type) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	return function(fcinfo, type); \
}

LIST_ENTRY(recommend, wfml_recommend_text, ID_TEXT)
LIST_ENTRY(recommend, wfml_recommend_bigint, ID_BIGINT)
LIST_ENTRY(recommend, wfml_recommend_uuid, ID_UUID)
LIST_ENTRY(similar_items, wfml_similar_items_text, ID_TEXT)
LIST_ENTRY(similar_items, wfml_similar_items_bigint, ID_BIGINT)
LIST_ENTRY(similar_items, wfml_similar_items_uuid, ID_UUID)

#define RATING_ENTRY(name, user_type, item_type) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	return predict_rating(fcinfo, user_type, item_type); \
}

/* For one type of user, every type of item. */
#define RATING_ENTRIES(name, user_type) \
RATING_ENTRY(name##_text, user_type, ID_TEXT) \
RATING_ENTRY(name##_bigint, user_type, ID_BIGINT) \
RATING_ENTRY(name##_uuid, user_type, ID_UUID)

RATING_ENTRIES(wfml_predict_rating_text, ID_TEXT)
RATING_ENTRIES(wfml_predict_rating_bigint, ID_BIGINT)
RATING_ENTRIES(wfml_predict_rating_uuid, ID_UUID)
