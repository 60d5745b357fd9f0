/*-------------------------------------------------------------------------
 * recommender_work.c
 *	  What training a recommender takes, from what was read.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/compat.h"
#include "pg/recommender_work.h"

/* Saturates, as the core's estimates do. */
static size_t
add_bytes(size_t a, size_t b)
{
	return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

/* Pairs of items that users have in common: the square of each history. */
static double
count_pairs(const WfSpec *spec, const WfmlInteractionsSource *read, const WfMatrix *m)
{
	double		longest = wf_spec_number(spec, "max_history");
	double		n = (double) wf_interactions_n_rows(read->interactions);
	double		pairs = 0;

	if (m == NULL)
		return n * Min(n / Max(wf_interactions_n_users(read->interactions), 1), longest);
	for (uint32 u = 0; u < m->n_rows; u++)
	{
		double		length = Min((double) wf_matrix_row_length(m, u), longest);

		pairs += length * length;
	}
	return pairs;
}

void
wfml_recommender_work(const WfSpec *spec, const WfmlInteractionsSource *read, const WfMatrix *m,
					  WfmlRecommenderWork *work)
{
	const WfInteractions *in = read->interactions;
	double		n = (double) wf_interactions_n_rows(in);
	double		pairs = count_pairs(spec, read, m);
	double		ease = Min((double) wf_interactions_n_items(in), wf_spec_number(spec, "ease_items"));

	wf_recommender_estimate(spec, wf_interactions_n_rows(in), wf_interactions_n_users(in), wf_interactions_n_items(in),
							wf_interactions_has_rating(in), wf_interactions_has_time(in),
							&work->memory, &work->artifact);
	if (read->content)
	{
		work->memory = add_bytes(work->memory, wf_content_finish_bytes(read->content));
		work->artifact = add_bytes(work->artifact, wf_content_bytes(read->content));
	}
	work->steps = 100 * n + 10 * pairs + ease * ease * ease / 4;
	work->seconds = 1e-9 * work->steps;
}

char *
wfml_recommender_size_text(const WfmlInteractionsSource *read)
{
	const WfInteractions *in = read->interactions;

	return psprintf("The source has " UINT64_FORMAT " rows, %u users and %u items.",
					wf_interactions_n_rows(in), wf_interactions_n_users(in), wf_interactions_n_items(in));
}
