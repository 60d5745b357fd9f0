/*-------------------------------------------------------------------------
 * recommender_work.c
 *	  What training a recommender takes, from what was read.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/factors.h"
#include "pg/compat.h"
#include "pg/recommender_work.h"

/* Saturates, as the core's estimates do. */
static size_t
add_bytes(size_t a, size_t b)
{
	return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

/* Sizes that the work depends on. */
typedef struct Sizes
{
	double		rows;
	double		users;
	double		items;
	double		pairs;			/* of items that a user has: squares of the lengths of histories */
	double		length;			/* of a history */
	double		ease;			/* items that EASE takes */
	bool		validated;
} Sizes;

static Sizes
measure(const WfSpec *spec, const WfInteractions *in, const WfMatrix *m)
{
	double		longest = wf_spec_number(spec, "max_history");
	Sizes		s = {
		.rows = (double) wf_interactions_n_rows(in),
		.users = Max((double) wf_interactions_n_users(in), 1),
		.items = (double) wf_interactions_n_items(in),
		.validated = spec->validation != WF_VALIDATE_NONE
	};

	s.length = Min(Min(s.rows / s.users, s.items), longest);
	s.ease = Min(s.items, wf_spec_number(spec, "ease_items"));
	s.pairs = s.rows * s.length;
	if (m == NULL)
		return s;
	s.pairs = 0;
	for (uint32 u = 0; u < m->n_rows; u++)
	{
		double		length = Min((double) wf_matrix_row_length(m, u), longest);

		s.pairs += length * length;
	}
	return s;
}

/* ---- seconds, fitted to measurements on a machine with AVX-512: a hint, no promise ---- */

/* One inverse of n × n. */
static double
inverse_seconds(double n)
{
	return 2e-11 * n * n * n + 6e-5 * n;
}

/* Trying penalties and weights among few items, then on all: chosen, reported, final. */
static double
ease_seconds(const WfSpec *spec, const Sizes *s)
{
	int			tried = (wf_spec_is(spec, "regularization", "auto") ? 5 : 1) *
		(wf_spec_is(spec, "user_weight", "auto") ? 2 : 1);
	double		few = Min(s->ease, 2000);
	double		scored = Min(s->users, 5000) * s->length;

	if (tried == 1)
		tried = 0;
	return tried * (inverse_seconds(few) + 3e-10 * scored * few) +
		(s->validated + 1 + (few < s->ease)) * (inverse_seconds(s->ease) + 2e-9 * s->pairs);
}

static double
rows_seconds(const Sizes *s)
{
	return (s->validated + 2) * 3e-8 * s->pairs;
}

/* als, nmf: a few settings tried, then reported and final; k × k systems of every user and item. */
static double
factors_seconds(const WfSpec *spec, const Sizes *s)
{
	double		k = wf_spec_number(spec, "factors");
	double		iterations = wf_spec_is(spec, "iterations", "auto") ? 15 : wf_spec_number(spec, "iterations");
	int			trainings = 1 + s->validated + (wf_spec_is(spec, "regularization", "auto") ||
												wf_spec_is(spec, "confidence", "auto") ? WF_FACTORS_CANDIDATES : 0);

	return trainings * iterations * 4e-10 * (s->rows * k * k + (s->users + s->items) * k * k * k / 3);
}

static double
ratings_seconds(const WfSpec *spec, const Sizes *s)
{
	double		k = wf_spec_number(spec, "factors") + 1;

	return (s->validated + 1) * 100 * 1e-10 * (s->rows * k * k + (s->users + s->items) * k * k * k / 3);
}

static double
seconds(const WfSpec *spec, const WfInteractions *in, const Sizes *s)
{
	const char *method = wf_spec_word(spec, "method");
	bool		any = strcmp(method, "auto") == 0;
	double		sum = 3e-7 * s->rows;

	if (any || strcmp(method, "ease") == 0)
		sum += ease_seconds(spec, s);
	if (any || strcmp(method, "rp3beta") == 0 || strcmp(method, "item_knn") == 0)
		sum += rows_seconds(s);
	if (strcmp(method, "als") == 0 || strcmp(method, "nmf") == 0)
		sum += factors_seconds(spec, s);
	if (wf_interactions_has_rating(in))
		sum += ratings_seconds(spec, s);
	return sum;
}

void
wfml_recommender_work(const WfSpec *spec, const WfmlInteractionsSource *read, const WfMatrix *m,
					  WfmlRecommenderWork *work)
{
	const WfInteractions *in = read->interactions;
	Sizes		s = measure(spec, in, m);

	wf_recommender_estimate(spec, wf_interactions_n_rows(in), wf_interactions_n_users(in), wf_interactions_n_items(in),
							wf_interactions_has_rating(in), wf_interactions_has_time(in),
							&work->memory, &work->artifact);
	if (read->content)
	{
		work->memory = add_bytes(work->memory, wf_content_finish_bytes(read->content));
		work->artifact = add_bytes(work->artifact, wf_content_bytes(read->content));
	}
	work->seconds = seconds(spec, in, &s);
	/* workers from a tenth of a second on */
	work->steps = 2e8 * work->seconds;
}

char *
wfml_recommender_size_text(const WfmlInteractionsSource *read)
{
	const WfInteractions *in = read->interactions;

	return psprintf("The source has " UINT64_FORMAT " rows, %u users and %u items. Lower \"ease_items\", \"neighbours\" or \"factors\" to need less.",
					wf_interactions_n_rows(in), wf_interactions_n_users(in), wf_interactions_n_items(in));
}
