/*-------------------------------------------------------------------------
 * recommend_open.c
 *	  Verifying the bytes of a recommender.
 *
 * Everything that is later used as an index or an offset is checked here,
 * once, in time linear in the length; every weight is finite and small enough
 * that no sum of them overflows.
 *-------------------------------------------------------------------------
 */
#include "core/recommend_private.h"

#include <math.h>
#include <string.h>

#define CHECK_EVERY 65536
#define WEIGHT_MAX 1e20f

typedef struct Reader
{
	WfHost	   *host;
	const uint8_t *bytes;
	size_t		length;
	WfRecommender *rec;
	bool		verified;		/* all entries were looked at before */
} Reader;

static void corrupt(const Reader *r, const char *what) __attribute__((noreturn));

static void
corrupt(const Reader *r, const char *what)
{
	r->host->fail(r->host, WF_E_CORRUPT, WF_HINT_NONE, "corrupted model: %s", what);
}

/* A part of n things of that size, NULL when it is absent. */
static const void *
part_of(const Reader *r, WfRecPart part, uint64_t n, size_t size)
{
	uint64_t	offset = r->rec->header.part[part].offset;
	uint64_t	length = r->rec->header.part[part].length;

	if (length == 0)
		return NULL;
	if (offset % 64 != 0 || offset > r->length || length > r->length - offset)
		corrupt(r, "a part of the recommender lies outside its section");
	if (n != UINT64_MAX && (length % size != 0 || length / size != n))
		corrupt(r, "a part of the recommender has a wrong length");
	return r->bytes + offset;
}

static const void *
need_part(const Reader *r, WfRecPart part, uint64_t n, size_t size)
{
	const void *p = part_of(r, part, n, size);

	if (p == NULL && n > 0)
		corrupt(r, "a part of the recommender is missing");
	return p;
}

static void
verify_header(const Reader *r, const WfShape *shape)
{
	const WfRecHeader *h = &r->rec->header;

	if (h->version != WF_REC_VERSION)
		r->host->fail(r->host, WF_E_UNSUPPORTED, "Update the extension.",
					  "the recommender has layout %u, this version of wfml reads %d", h->version, WF_REC_VERSION);
	if (h->method > WF_METHOD_ALS || h->n_users == 0 || h->n_items == 0 ||
		h->n_interactions == 0 || h->n_catalogue < h->n_items ||
		h->n_dense > h->n_items || h->dense_row != wf_rec_dense_row(h->n_dense))
		corrupt(r, "bad sizes of the recommender");
	if (shape == NULL || shape->ids[0] == NULL || shape->ids[1] == NULL ||
		shape->ids[0]->n != h->n_users || shape->ids[1]->n != h->n_catalogue)
		corrupt(r, "ids do not fit the recommender");
}

/* Offsets of n rows into total entries. */
static void
verify_starts(const Reader *r, const uint64_t *start, uint32_t n, uint64_t total)
{
	if (start[0] != 0 || start[n] != total)
		corrupt(r, "bad rows of the recommender");
	for (uint32_t i = 0; !r->verified && i < n; i++)
	{
		if (start[i + 1] < start[i] || start[i + 1] > total)
			corrupt(r, "bad rows of the recommender");
		if (i % CHECK_EVERY == 0)
			r->host->check(r->host);
	}
}

static void
verify_below(const Reader *r, const uint32_t *x, uint64_t n, uint32_t limit)
{
	for (uint64_t k = 0; !r->verified && k < n; k++)
	{
		if (x[k] >= limit)
			corrupt(r, "an item does not exist");
		if (k % CHECK_EVERY == 0)
			r->host->check(r->host);
	}
}

static void
verify_weights(const Reader *r, const float *x, uint64_t n)
{
	for (uint64_t k = 0; !r->verified && k < n; k++)
	{
		/* wrong also for NaN */
		if (!(fabsf(x[k]) <= WEIGHT_MAX))
			corrupt(r, "bad weights of the recommender");
		if (k % CHECK_EVERY == 0)
			r->host->check(r->host);
	}
}

static void
open_histories(Reader *r)
{
	WfRecommender *rec = r->rec;
	const WfRecHeader *h = &rec->header;
	uint64_t	n_popular = h->part[WF_REC_POPULAR].length / sizeof(uint32_t);

	if (n_popular > h->n_items)
		corrupt(r, "bad sizes of the recommender");
	rec->support = need_part(r, WF_REC_SUPPORT, h->n_items, sizeof(uint32_t));
	rec->popular = need_part(r, WF_REC_POPULAR, n_popular, sizeof(uint32_t));
	rec->n_popular = (uint32_t) n_popular;
	verify_below(r, rec->popular, n_popular, h->n_items);
	rec->start = need_part(r, WF_REC_HISTORY_START, (uint64_t) h->n_users + 1, sizeof(uint64_t));
	verify_starts(r, rec->start, h->n_users, h->n_interactions);
	rec->item = need_part(r, WF_REC_HISTORY_ITEM, h->n_interactions, sizeof(uint32_t));
	verify_below(r, rec->item, h->n_interactions, h->n_items);
	/* no item twice */
	for (uint32_t u = 0; !r->verified && u < h->n_users; u++)
		for (uint64_t e = rec->start[u] + 1; e < rec->start[u + 1]; e++)
		{
			if (rec->item[e] <= rec->item[e - 1])
				corrupt(r, "bad history");
			if (e % CHECK_EVERY == 0)
				r->host->check(r->host);
		}
	rec->value = part_of(r, WF_REC_VALUE, h->n_interactions, sizeof(float));
	if (rec->value)
		verify_weights(r, rec->value, h->n_interactions);
}

static void
open_item_model(Reader *r)
{
	WfRecommender *rec = r->rec;
	const WfRecHeader *h = &rec->header;
	WfItemModel *m = &rec->model;

	m->n_items = h->n_items;
	if (h->n_dense)
	{
		m->n_dense = h->n_dense;
		m->ld = h->dense_row;
		m->scale = need_part(r, WF_REC_DENSE_SCALE, h->n_dense, sizeof(float));
		verify_weights(r, m->scale, h->n_dense);
		m->packed = need_part(r, WF_REC_DENSE, (uint64_t) h->n_dense * h->dense_row, sizeof(int16_t));
	}
	m->start = part_of(r, WF_REC_ROW_START, (uint64_t) h->n_items + 1, sizeof(uint64_t));
	if (m->start)
	{
		verify_starts(r, m->start, h->n_items, h->n_entries);
		m->item = need_part(r, WF_REC_ROW_ITEM, h->n_entries, sizeof(uint32_t));
		m->weight = need_part(r, WF_REC_ROW_WEIGHT, h->n_entries, sizeof(float));
		verify_below(r, m->item, h->n_entries, h->n_items);
		verify_weights(r, m->weight, h->n_entries);
	}
}

static void
open_guests(Reader *r)
{
	WfRecommender *rec = r->rec;
	const WfRecHeader *h = &rec->header;
	const void *p;

	p = part_of(r, WF_REC_FACTORS, UINT64_MAX, 1);
	rec->has_factors = p != NULL;
	if (p && (!wf_factors_open(r->host, p, h->part[WF_REC_FACTORS].length, &rec->factors) ||
			  rec->factors.n_users != h->n_users || rec->factors.n_items != h->n_items || rec->value == NULL))
		corrupt(r, "bad factors");
	p = part_of(r, WF_REC_RATINGS, UINT64_MAX, 1);
	rec->has_ratings = p != NULL;
	if (p && (!wf_ratings_open(r->host, p, h->part[WF_REC_RATINGS].length, &rec->ratings) ||
			  rec->ratings.header->n_users != h->n_users || rec->ratings.header->n_items != h->n_items))
		corrupt(r, "bad model of ratings");
	p = part_of(r, WF_REC_CONTENT, UINT64_MAX, 1);
	rec->has_content = p != NULL;
	if (p && (!wf_content_open(r->host, p, h->part[WF_REC_CONTENT].length, &rec->content) ||
			  rec->content.n_items != h->n_catalogue))
		corrupt(r, "bad content of items");
}

/* Does the model have what its method works with? */
static void
verify_method(const Reader *r)
{
	const WfRecommender *rec = r->rec;
	bool		fits = true;

	switch ((WfRecommendMethod) rec->header.method)
	{
		case WF_METHOD_EASE:
			fits = rec->model.n_dense > 0;
			break;
		case WF_METHOD_RP3BETA:
		case WF_METHOD_ITEM_KNN:
			fits = rec->model.start != NULL;
			break;
		case WF_METHOD_POPULAR:
			fits = rec->model.n_dense == 0 && rec->model.start == NULL;
			break;
		case WF_METHOD_NMF:
		case WF_METHOD_ALS:
			fits = rec->has_factors;
			break;
	}
	if (!fits)
		corrupt(r, "the recommender lacks what its method needs");
}

void *
wf_recommender_open(WfHost *host, const void *section, size_t length, const WfShape *shape)
{
	Reader		r = {.host = host,.bytes = section,.length = length,.verified = shape && shape->verified};

	if (length < sizeof(WfRecHeader) || ((uintptr_t) section & 7) != 0)
		corrupt(&r, "the recommender is too short");
	r.rec = wf_alloc_zero(host, 1, sizeof(WfRecommender));
	memcpy(&r.rec->header, section, sizeof(WfRecHeader));
	verify_header(&r, shape);
	open_histories(&r);
	open_item_model(&r);
	open_guests(&r);
	verify_method(&r);
	r.rec->ranker = wf_ranker_create(host, r.rec->header.n_catalogue);
	if (r.rec->has_content)
		r.rec->profile = wf_alloc_zero(host, (size_t) r.rec->content.n_terms + 1, sizeof(float));
	return r.rec;
}

WfRecommenderInfo
wf_recommender_info(const void *opened)
{
	const WfRecommender *rec = opened;

	return (WfRecommenderInfo) {
		.method = (WfRecommendMethod) rec->header.method,
			.n_users = rec->header.n_users,
			.n_items = rec->header.n_items,
			.n_catalogue = rec->header.n_catalogue,
			.n_interactions = rec->header.n_interactions,
			.has_ratings = rec->has_ratings,
			.has_content = rec->has_content
	};
}
