/*-------------------------------------------------------------------------
 * rec_ratings.c
 *	  The part of a recommender that predicts ratings, and its errors.
 *-------------------------------------------------------------------------
 */
#include "core/recommending.h"

#include <math.h>
#include <string.h>

#define CHECK_EVERY 16384

void
wf_rec_train_ratings(WfRec *rec, const WfRecStage *stage, WfBytes *out)
{
	const WfSpec *spec = rec->spec;
	WfRatingsSpec ratings = {.k = -1,.iterations = 0,.regularization = -1,.seed = rec->seed,
	.deadline = rec->deadline,.progress = true};
	WfRatingsFit fit;
	WfMatrix	t = {0};
	bool		all = stage->own_pairs;

	if (wf_spec_value(spec, "factors")->by_user)
		ratings.k = (int) wf_spec_number(spec, "factors");
	if (!wf_spec_is(spec, "iterations", "auto"))
		ratings.iterations = (int) wf_spec_number(spec, "iterations");
	/* pairs may be a sample of the histories; ratings want all */
	if (all)
		wf_matrix_transpose(rec->team, &stage->m, &t);
	wf_ratings_train(rec->team, &ratings, &stage->m, all ? &t : &stage->t, out, &fit);
	wf_matrix_free(rec->team, &t);
	if (fit.time_limited)
		rec->time_limited = true;
}

/* Sums over the ratings that are held out. */
typedef struct Errors
{
	double		square;
	double		absolute;
	uint64_t	n;
} Errors;

static void
add_error(Errors *errors, double e)
{
	errors->square += e * e;
	errors->absolute += fabs(e);
	errors->n++;
}

/* Rank 0: of the model, and of the mean of what it was trained on. */
static void
sum_errors(WfRec *rec, const WfRecStage *stage, const WfRatings *model, Errors *own, Errors *mean)
{
	const WfMatrix *m = &rec->data.matrix;
	double		sum = 0;

	for (uint64_t e = 0; e < stage->m.n; e++)
		sum += stage->m.value[e];
	sum /= (double) stage->m.n;
	for (uint32_t u = 0; u < m->n_rows; u++)
		for (uint64_t e = m->start[u]; e < m->start[u + 1]; e++)
		{
			if (e % CHECK_EVERY == 0)
				rec->team->host->check(rec->team->host);
			if (!(rec->side[e] & WF_SIDE_HELD))
				continue;
			add_error(own, wf_ratings_predict(model, u, m->col[e]) - (double) m->value[e]);
			add_error(mean, sum - (double) m->value[e]);
		}
}

void
wf_rec_report_ratings(WfRec *rec, const WfRecStage *stage, const char *split)
{
	WfHost	   *host = rec->team->host;
	WfBytes		bytes;
	WfRatings	model;
	Errors		own = {0};
	Errors		mean = {0};

	if (stage->m.n == 0)
		return;
	wf_bytes_init(&bytes, host);
	wf_rec_train_ratings(rec, stage, &bytes);
	if (rec->result)
	{
		void	   *aligned = wf_alloc_aligned(host, bytes.length, 1);

		memcpy(aligned, bytes.data, bytes.length);
		if (!wf_ratings_open(host, aligned, bytes.length, &model))
			host->fail(host, WF_E_INTERNAL, WF_HINT_NONE, "the model of ratings cannot be opened");
		sum_errors(rec, stage, &model, &own, &mean);
		wf_release_aligned(host, aligned);
		wf_fit_result_add(rec->result, "rmse", sqrt(own.square / (double) own.n),
						  sqrt(mean.square / (double) mean.n), split);
		wf_fit_result_add(rec->result, "mae", own.absolute / (double) own.n, mean.absolute / (double) mean.n, split);
	}
	wf_bytes_free(&bytes);
}
