/*-------------------------------------------------------------------------
 * recommend.c
 *	  What to recommend to a user, what he would rate, what is like an item.
 *
 * A call works in the model's own scratch (ranker.h): it clears nothing that
 * it has not touched.  Only factors of a user who brings more than his stored
 * history need room of their own.
 *-------------------------------------------------------------------------
 */
#include "core/recommend_private.h"

#include <math.h>
#include <string.h>

/* Items scored by factors between two calls of host->check(). */
#define SCORE_STEP 16384

static const char *const method_names[] = {"ease", "rp3beta", "item_knn", "popular", "nmf", "als"};
static const char *const source_names[] = {"collaborative", "content", "popular"};

const char *
wf_recommend_method_name(WfRecommendMethod method)
{
	return method_names[method];
}

const char *
wf_recommend_source_name(WfRecommendSource source)
{
	return source_names[source];
}

typedef struct Call
{
	WfHost	   *host;
	const WfRecommender *rec;
	WfRanker   *ranker;
	const WfRecommendQuery *query;
	const uint32_t *own;		/* the user's stored history */
	size_t		n_own;
	size_t		n_more;			/* items of the query's history that are not in it, each once */
	uint32_t	n;				/* results wanted */
	uint32_t	found;
	WfTop	   *top;			/* room for n */
	WfRecommendation *out;
} Call;

/* Mark the history; afterwards a taken item of the query's history may be one that came twice. */
static void
take_history(Call *c)
{
	const WfRecommendQuery *q = c->query;

	wf_ranker_begin(c->ranker);
	if (q->user < c->rec->header.n_users)
	{
		c->own = c->rec->item + c->rec->start[q->user];
		c->n_own = (size_t) (c->rec->start[q->user + 1] - c->rec->start[q->user]);
	}
	for (size_t k = 0; k < c->n_own; k++)
		wf_ranker_take(c->ranker, c->own[k]);
}

/* Add the rows of the own history, then of what the query adds, each item once. */
static void
add_rows(Call *c)
{
	const WfItemModel *model = &c->rec->model;
	const WfRecommendQuery *q = c->query;

	wf_ranker_start(c->ranker, model);
	wf_ranker_add(c->host, c->ranker, model, c->own, c->n_own);
	for (size_t k = 0; k < q->n_history; k++)
	{
		uint32_t	item = q->history[k];

		if (item >= c->rec->header.n_catalogue || wf_ranker_taken(c->ranker, item))
			continue;
		wf_ranker_take(c->ranker, item);
		c->n_more++;
		wf_ranker_add(c->host, c->ranker, model, &item, 1);
	}
}

/* The vector of a user with a history beyond the stored one; from the host. */
static float *
fold_in(Call *c)
{
	const WfRecommender *rec = c->rec;
	const WfRecommendQuery *q = c->query;
	size_t		n = c->n_own;
	uint32_t   *items = wf_alloc(c->host, c->n_own + q->n_history, sizeof(uint32_t));
	float	   *values = wf_alloc(c->host, c->n_own + q->n_history, sizeof(float));
	float	   *vector = wf_alloc_aligned(c->host, rec->factors.stride, sizeof(float));
	void	   *scratch = wf_alloc_aligned(c->host, wf_factors_scratch(&rec->factors), 1);

	if (n)
	{
		memcpy(items, c->own, n * sizeof(uint32_t));
		memcpy(values, rec->value + (c->own - rec->item), n * sizeof(float));
	}
	for (size_t k = 0; k < q->n_history; k++)
	{
		uint32_t	item = q->history[k];

		if (item >= rec->header.n_catalogue || wf_ranker_taken(c->ranker, item))
			continue;
		wf_ranker_take(c->ranker, item);
		c->n_more++;
		if (item >= rec->header.n_items)
			continue;
		items[n] = item;
		values[n++] = 1;
	}
	wf_factors_fold_in(&rec->factors, items, values, n, scratch, vector);
	wf_release_aligned(c->host, scratch);
	wf_release(c->host, values);
	wf_release(c->host, items);
	return vector;
}

static void
score_factors(WfHost *host, WfRanker *r, const WfFactors *f, const float *vector)
{
	for (uint32_t begin = 0; begin < f->n_items; begin += SCORE_STEP)
	{
		uint32_t	end = f->n_items - begin > SCORE_STEP ? begin + SCORE_STEP : f->n_items;

		wf_factors_score(f, vector, begin, end, r->score + begin);
		host->check(host);
	}
	r->n_full = f->n_items;
}

static void
add_factors(Call *c)
{
	const WfFactors *f = &c->rec->factors;
	float	   *vector;

	if (c->query->n_history == 0)
	{
		if (c->n_own)
			score_factors(c->host, c->ranker, f, wf_factors_user(f, c->query->user));
		return;
	}
	vector = fold_in(c);
	score_factors(c->host, c->ranker, f, vector);
	wf_release_aligned(c->host, vector);
}

/* Seen items are only left out if asked. */
static void
let_history_in(Call *c)
{
	if (c->query->exclude_seen)
		return;
	for (size_t k = 0; k < c->n_own; k++)
		wf_ranker_untake(c->ranker, c->own[k]);
	for (size_t k = 0; k < c->query->n_history; k++)
		if (c->query->history[k] < c->rec->header.n_catalogue)
			wf_ranker_untake(c->ranker, c->query->history[k]);
}

static void
take_best(Call *c, WfRecommendSource source)
{
	uint32_t	n = wf_ranker_best(c->ranker, c->n - c->found, c->top);

	for (uint32_t k = 0; k < n; k++)
		c->out[c->found++] = (WfRecommendation) {c->top[k].item, source, (double) c->top[k].score};
}

/* Every step-th item of the history, so that the profile has room for it. */
static size_t
add_to_profile(const WfRecommender *rec, size_t at, const uint32_t *items, size_t n, size_t step, uint32_t limit)
{
	WfRecommender *scratch = (WfRecommender *) rec;

	for (size_t k = 0; k < n && at < WF_REC_PROFILE; k += step)
		if (items[k] < limit)
		{
			scratch->profile_item[at] = items[k];
			scratch->profile_weight[at++] = 1;
		}
	return at;
}

static void
fill_by_content(Call *c)
{
	const WfRecommender *rec = c->rec;
	size_t		step = (c->n_own + c->query->n_history) / WF_REC_PROFILE + 1;
	size_t		n;

	if (!rec->has_content || c->found == c->n)
		return;
	n = add_to_profile(rec, 0, c->query->history, c->query->n_history, step, rec->header.n_catalogue);
	n = add_to_profile(rec, n, c->own, c->n_own, step, rec->header.n_catalogue);
	wf_ranker_clear(c->ranker);
	if (!wf_content_score(&rec->content, rec->profile_item, rec->profile_weight, n, rec->profile, c->ranker->score))
		return;
	c->ranker->n_full = rec->header.n_catalogue;
	take_best(c, WF_SOURCE_CONTENT);
}

static void
fill_by_popularity(Call *c)
{
	const WfRecommender *rec = c->rec;

	for (uint32_t k = 0; k < rec->n_popular && c->found < c->n; k++)
	{
		uint32_t	item = rec->popular[k];

		if (wf_ranker_taken(c->ranker, item))
			continue;
		wf_ranker_take(c->ranker, item);
		c->out[c->found++] = (WfRecommendation) {item, WF_SOURCE_POPULAR,
			(double) rec->support[item] / rec->header.n_users};
	}
}

uint32_t
wf_recommend(WfHost *host, const void *opened, const WfRecommendQuery *query,
			 uint32_t n, WfRecommendation *out)
{
	const WfRecommender *rec = opened;
	Call		c = {.host = host,.rec = rec,.ranker = rec->ranker,.query = query,.out = out};

	c.n = n < rec->header.n_catalogue ? n : rec->header.n_catalogue;
	if (c.n == 0)
		return 0;
	c.top = wf_alloc(host, c.n, sizeof(WfTop));
	take_history(&c);
	if (rec->has_factors)
		add_factors(&c);
	else
		add_rows(&c);
	let_history_in(&c);
	take_best(&c, WF_SOURCE_COLLABORATIVE);
	if (c.n_own + c.n_more > 0)
		fill_by_content(&c);
	fill_by_popularity(&c);
	wf_release(host, c.top);
	return c.found;
}

double
wf_predict_rating(WfHost *host, const void *opened, uint32_t user, uint32_t item)
{
	const WfRecommender *rec = opened;

	(void) host;
	if (!rec->has_ratings)
		return (double) NAN;
	return wf_ratings_predict(&rec->ratings,
							  user < rec->header.n_users ? user : WF_RATINGS_UNKNOWN,
							  item < rec->header.n_items ? item : WF_RATINGS_UNKNOWN);
}

/* Scores become cosines with the item. */
static void
score_cosine(WfHost *host, WfRanker *r, const WfFactors *f, uint32_t item)
{
	const float *v = f->item + (size_t) item * f->stride;
	double		own = 0;

	for (uint32_t k = 0; k < f->k; k++)
		own += (double) v[k] * v[k];
	score_factors(host, r, f, v);
	for (uint32_t j = 0; j < f->n_items; j++)
	{
		const float *w = f->item + (size_t) j * f->stride;
		double		other = 0;

		for (uint32_t k = 0; k < f->k; k++)
			other += (double) w[k] * w[k];
		r->score[j] = own > 0 && other > 0 ? (float) (r->score[j] / sqrt(own * other)) : 0;
		if (j % 4096 == 0)
			host->check(host);
	}
}

uint32_t
wf_similar_items(WfHost *host, const void *opened, uint32_t item, uint32_t n, WfRecommendation *out)
{
	const WfRecommender *rec = opened;
	WfRecommendQuery query = {.user = WF_CODE_MISSING,.history = &item,.n_history = 1,.exclude_seen = true};
	Call		c = {.host = host,.rec = rec,.ranker = rec->ranker,.query = &query,.out = out};

	c.n = n < rec->header.n_catalogue ? n : rec->header.n_catalogue;
	if (c.n == 0 || item >= rec->header.n_catalogue)
		return 0;
	c.top = wf_alloc(host, c.n, sizeof(WfTop));
	if (rec->has_factors)
	{
		wf_ranker_begin(c.ranker);
		wf_ranker_take(c.ranker, item);
		if (item < rec->header.n_items)
			score_cosine(host, c.ranker, &rec->factors, item);
	}
	else
	{
		take_history(&c);
		add_rows(&c);
	}
	take_best(&c, WF_SOURCE_COLLABORATIVE);
	fill_by_content(&c);
	wf_release(host, c.top);
	return c.found;
}
