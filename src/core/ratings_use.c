/*-------------------------------------------------------------------------
 * ratings_use.c
 *	  A stored ratings model: verified, and asked for ratings.
 *-------------------------------------------------------------------------
 */
#include "core/ratings.h"

#include <math.h>
#include <string.h>

#include "core/normal.h"

#define CHECK_EVERY 65536

static bool
header_valid(const WfRatingsHeader *h)
{
	return memcmp(h->magic, "RATINGS1", 8) == 0 &&
		h->k <= WF_RATINGS_MAX_FACTORS && h->stride == h->k + 1 &&
		h->n_members >= 1 && h->n_members <= WF_RATINGS_MAX_MEMBERS &&
		isfinite(h->mean) && isfinite(h->low) && isfinite(h->high) && h->low <= h->high &&
		isfinite(h->scale) && h->scale > 0 && isfinite(h->regularization) && h->regularization >= 0;
}

bool
wf_ratings_open(WfHost *host, const void *bytes, size_t length, WfRatings *r)
{
	const WfRatingsHeader *h = bytes;
	size_t		n;

	if (length < sizeof(*h) || !header_valid(h))
		return false;
	/* at most 2^33 vectors of 8 · 257 floats: no overflow */
	n = ((size_t) h->n_users + h->n_items) * h->n_members * h->stride;
	if ((length - sizeof(*h)) / sizeof(float) < n)
		return false;
	r->header = h;
	r->user = (const float *) (h + 1);
	r->item = r->user + (size_t) h->n_users * h->n_members * h->stride;
	for (size_t i = 0; i < n; i++)
	{
		if (!isfinite(r->user[i]))
			return false;
		if (i % CHECK_EVERY == 0)
			host->check(host);
	}
	return true;
}

size_t
wf_ratings_vector(const WfRatings *r)
{
	return (size_t) r->header->n_members * r->header->stride;
}

size_t
wf_ratings_scratch(const WfRatings *r)
{
	return wf_normal_bytes(r->header->k + 1) + wf_normal_stride(r->header->k + 1) * sizeof(float);
}

/* Mean over the members of bias + bias + product; a side that is NULL is not known. */
static double
mean_score(const WfRatingsHeader *h, const float *user, const float *item)
{
	double		sum = 0;

	for (uint32_t member = 0; member < h->n_members; member++)
	{
		size_t		at = (size_t) member * h->stride;

		if (user)
			sum += (double) user[at + h->k];
		if (item)
			sum += (double) item[at + h->k];
		for (uint32_t j = 0; user && item && j < h->k; j++)
			sum += (double) user[at + j] * (double) item[at + j];
	}
	return sum / h->n_members;
}

double
wf_ratings_predict_vector(const WfRatings *r, const float *vector, uint32_t item)
{
	const WfRatingsHeader *h = r->header;
	const float *q = item < h->n_items ? r->item + item * wf_ratings_vector(r) : NULL;
	double		rating = h->mean + h->scale * mean_score(h, vector, q);

	return rating < h->low ? h->low : rating > h->high ? h->high : rating;
}

double
wf_ratings_predict(const WfRatings *r, uint32_t user, uint32_t item)
{
	const float *p = user < r->header->n_users ? r->user + user * wf_ratings_vector(r) : NULL;

	return wf_ratings_predict_vector(r, p, item);
}

/* What training would give the user if he came last: the items' vectors stay. */
void
wf_ratings_fold_in(const WfRatings *r, const uint32_t *items, const float *values, size_t n,
				   void *scratch, float *vector)
{
	const WfRatingsHeader *h = r->header;
	size_t		width = wf_ratings_vector(r);
	float	   *solved = (float *) ((char *) scratch + wf_normal_bytes(h->k + 1));
	WfNormal	s;

	memset(vector, 0, width * sizeof(float));
	if (n == 0)
		return;
	wf_normal_init(&s, h->k + 1, scratch);
	for (uint32_t member = 0; member < h->n_members; member++)
	{
		wf_normal_begin(&s, NULL, 0);
		for (size_t e = 0; e < n; e++)
		{
			const float *q = r->item + items[e] * width + (size_t) member * h->stride;
			double		target = ((double) values[e] - h->mean) / h->scale - (double) q[h->k];
			float	   *x = wf_normal_next(&s, 1, (float) target);

			memset(x, 0, s.stride * sizeof(float));
			memcpy(x, q, h->k * sizeof(float));
			x[h->k] = 1;
		}
		wf_normal_solve(&s, h->regularization * sqrt((double) n), solved);
		memcpy(vector + (size_t) member * h->stride, solved, h->stride * sizeof(float));
	}
}
