/*-------------------------------------------------------------------------
 * ratings.c
 *	  The choice of a ratings model, its fit, and its bytes.
 *-------------------------------------------------------------------------
 */
#include "core/ratings.h"

#include <math.h>
#include <string.h>

#include "core/biased.h"
#include "core/ratings_split.h"
#include "core/rng.h"

/* What is used when nothing can be tried. */
#define DEFAULT_FACTORS 10
#define DEFAULT_REGULARIZATION 1.0
#define DEFAULT_ITERATIONS 12
/* Steps that a trial may take, and how many of them without a gain worth the name. */
#define MAX_ITERATIONS 30
#define PATIENCE 3
#define GAIN 0.9998
/* Trials use at most so many ratings, and need so many kept back. */
#define TRIAL_ENTRIES ((uint64_t) 250000)
#define MIN_HELD 20
/*
 * Multiplications, at some 5e9 a second: of twelve steps of a trial at most, of
 * those up to which a trial has several starts, and of all starts of the fit.
 */
#define TRIAL_WORK 1e10
#define TRIAL_STARTS_WORK 1.5e9
#define FIT_WORK 1e10
#define USUAL_STEPS 12
/* More factors must be better by this much. */
#define WORTH_MORE 0.999
/* With more vectors than this no more than 20 factors are tried. */
#define MANY_VECTORS 200000
/* Random starts: so many ratings are gone through for them, as far as that gives more than one. */
#define TRIAL_MEMBERS 3
#define MEMBER_ENTRIES ((uint64_t) 4000000)

typedef struct Trial
{
	int			k;
	int			iterations;
	double		regularization;
	double		error;
} Trial;

typedef struct Search
{
	WfTeam	   *team;
	const WfRatingsSpec *spec;
	WfBiased	biased;
	WfMatrix	held;
	float	   *sum;			/* shared: steps of a trial × entries of held */
	int			max_steps;
	int			members;		/* of a trial */
	Trial		best;
	int			max_k;
	bool		time_limited;
} Search;

static int
max_factors(uint32_t n_users, uint32_t n_items, int k)
{
	return k >= 0 ? k : (uint64_t) n_users + n_items > MANY_VECTORS ? 20 : 40;
}

/* Multiplications of one step: outer products of both sides, and a Cholesky of each vector. */
static double
step_work(uint64_t n, uint32_t n_users, uint32_t n_items, int k)
{
	double		width = k + 1;

	return width * width * ((double) n + ((double) n_users + n_items) * width / 6);
}

/* Upper bound of the random starts of the fit. */
static int
max_members(uint64_t n)
{
	uint64_t	members = MEMBER_ENTRIES / (n ? n : 1);

	return members < 1 ? 1 : members > WF_RATINGS_MAX_MEMBERS ? WF_RATINGS_MAX_MEMBERS : (int) members;
}

static int
n_members(uint64_t n, uint32_t n_users, uint32_t n_items, int k, int iterations)
{
	double		members = FIT_WORK / (iterations * step_work(n, n_users, n_items, k));

	/* without factors every start ends alike */
	if (k == 0 || members < 1)
		return 1;
	return members < max_members(n) ? (int) members : max_members(n);
}

/* Is the time over?  The leader's clock decides for all. */
static bool
time_over(WfTeam *team, double deadline)
{
	bool		over;

	if (deadline <= 0)
		return false;
	over = team->host->now(team->host) >= deadline;
	wf_team_broadcast(team, &over, sizeof(over));
	return over;
}

/* ---- the choice ---- */

/*
 * One start of a trial: *steps steps, or fewer where the first start stops to
 * gain.  error[i] becomes that of the mean of the starts so far after i + 1 steps.
 * Returns false when the time is over.
 */
static bool
try_start(Search *s, int k, double regularization, int member, int *steps, double *error)
{
	int			best = 0;

	wf_biased_start(s->team, &s->biased, (uint32_t) k, regularization,
					wf_rng(s->spec->seed, (uint64_t) member + 1));
	for (int i = 0; i < *steps; i++)
	{
		if ((s->time_limited = time_over(s->team, s->spec->deadline)))
			return false;
		wf_biased_step(s->team, &s->biased);
		error[i] = wf_biased_error(s->team, &s->biased, &s->held, s->sum + (size_t) i * s->held.n, member + 1);
		if (i == 0 || error[i] < error[best] * GAIN)
			best = i;
		else if (member == 0 && s->spec->iterations == 0 && i >= best + PATIENCE)
			*steps = i + 1;
	}
	return true;
}

/* Fit to what was not kept back; true when the error is below the best one times factor. */
static bool
try_model(Search *s, int k, double regularization, double factor)
{
	Trial		trial = {k, 0, regularization, INFINITY};
	double	   *error = wf_alloc(s->team->host, (size_t) s->max_steps, sizeof(double));
	int			steps = s->max_steps;

	if (k <= s->max_k && !s->time_limited)
	{
		bool		done = true;

		for (int member = 0; member < (k ? s->members : 1) && done; member++)
			done = try_start(s, k, regularization, member, &steps, error);
		for (int i = s->spec->iterations > 0 ? steps - 1 : 0; i < steps && done; i++)
			if (error[i] < trial.error)
			{
				trial.error = error[i];
				trial.iterations = i + 1;
			}
	}
	wf_release(s->team->host, error);
	if (!(trial.error < s->best.error * factor))
		return false;
	s->best = trial;
	return true;
}

/* Larger penalties while they help, else smaller ones; step is a factor. */
static void
climb(Search *s, double step)
{
	int			k = s->best.k;
	bool		up = false;

	if (s->spec->regularization >= 0)
		return;
	while (s->best.regularization < 100 && try_model(s, k, s->best.regularization * step, 1))
		up = true;
	while (!up && s->best.regularization > 1e-3 && try_model(s, k, s->best.regularization / step, 1))
		continue;
}

/* Twice or half as many factors while that helps, then a few more or fewer. */
static void
choose_factors(Search *s)
{
	int			first = s->best.k;
	int			step;

	while (try_model(s, s->best.k * 2, s->best.regularization, WORTH_MORE))
		continue;
	while (s->best.k <= first && s->best.k > 1 && try_model(s, s->best.k / 2, s->best.regularization, 1))
		continue;
	step = (s->best.k + 7) / 8;
	while (s->best.k > step && try_model(s, s->best.k - step, s->best.regularization, 1))
		continue;
	while (try_model(s, s->best.k + step, s->best.regularization, WORTH_MORE))
		continue;
	if (s->best.k != first)
		climb(s, 1.3);
}

static void
choose(Search *s, double *baseline)
{
	const WfRatingsSpec *spec = s->spec;
	double		start = spec->regularization >= 0 ? spec->regularization : DEFAULT_REGULARIZATION;

	try_model(s, 0, start, 1);
	*baseline = s->best.error;
	if (spec->k == 0)
	{
		climb(s, 2);
		return;
	}
	/* Any model with factors replaces the biases here; they may win in the end. */
	s->best.error = INFINITY;
	try_model(s, spec->k > 0 ? spec->k : DEFAULT_FACTORS, start, 1);
	climb(s, 2);
	climb(s, 1.3);
	if (spec->k < 0)
	{
		choose_factors(s);
		if (!(s->best.error < *baseline * WORTH_MORE))
			try_model(s, 0, s->best.regularization, INFINITY);
	}
}

static void
set_up(WfBiased *b, const WfRatingsMoments *moments, const WfMatrix *m, const WfMatrix *transposed)
{
	b->side[0] = m;
	b->side[1] = transposed;
	b->mean = moments->mean;
	b->inverse = 1 / moments->deviation;
	b->low = (moments->low - moments->mean) * b->inverse;
	b->high = (moments->high - moments->mean) * b->inverse;
}

static void
take_best(const Search *s, WfRatingsFit *fit)
{
	fit->k = s->best.k;
	fit->iterations = s->spec->iterations > 0 ? s->spec->iterations : s->best.iterations;
	fit->regularization = s->best.regularization;
	fit->time_limited = s->time_limited;
}

static void
search(WfTeam *team, const WfRatingsSpec *spec, const WfRatingsMoments *moments, const WfMatrix *m,
	   WfRatingsFit *fit)
{
	Search		s = {.team = team, .spec = spec};
	WfMatrix	train;
	WfMatrix	transposed;

	s.best = (Trial) {spec->k >= 0 ? spec->k : DEFAULT_FACTORS,
			spec->iterations > 0 ? spec->iterations : DEFAULT_ITERATIONS,
			spec->regularization >= 0 ? spec->regularization : DEFAULT_REGULARIZATION, INFINITY};
	take_best(&s, fit);
	if (spec->k >= 0 && spec->iterations > 0 && spec->regularization >= 0)
		return;

	wf_ratings_split(team, m, spec->seed, TRIAL_ENTRIES, &train, &s.held);
	if (s.held.n >= MIN_HELD)
	{
		Trial		fallback = s.best;

		s.max_k = max_factors(m->n_rows, m->n_cols, spec->k);
		while (spec->k < 0 && s.max_k > DEFAULT_FACTORS &&
			   USUAL_STEPS * step_work(train.n, m->n_rows, m->n_cols, s.max_k) > TRIAL_WORK)
			s.max_k /= 2;
		s.members = USUAL_STEPS * step_work(train.n, m->n_rows, m->n_cols, DEFAULT_FACTORS) > TRIAL_STARTS_WORK
			? 1 : TRIAL_MEMBERS;
		s.max_steps = spec->iterations > 0 && spec->iterations < MAX_ITERATIONS ? spec->iterations : MAX_ITERATIONS;
		s.sum = wf_team_alloc(team, wf_size_mul(team->host, s.held.n, (size_t) s.max_steps), sizeof(float));
		wf_matrix_transpose(team, &train, &transposed);
		wf_biased_create(team, &s.biased, m->n_rows, m->n_cols, (uint32_t) s.max_k);
		set_up(&s.biased, moments, &train, &transposed);
		choose(&s, &fit->baseline_rmse);
		wf_biased_free(team, &s.biased);
		wf_matrix_free(team, &transposed);
		wf_team_free(team, s.sum);
		if (s.best.iterations == 0)
			s.best = fallback;	/* no time for a single trial */
		fit->n_validation = s.held.n;
		fit->rmse = isfinite(s.best.error) ? s.best.error : (double) NAN;
	}
	wf_matrix_free(team, &s.held);
	wf_matrix_free(team, &train);
	take_best(&s, fit);
}

/* ---- the fit ---- */

static float *
user_vectors(WfBytes *out, size_t at)
{
	return (float *) (out->data + at + sizeof(WfRatingsHeader));
}

/* Put a member's vectors, without their padding, among the model's. */
static void
store_vectors(WfHost *host, const float *from, uint32_t n, uint32_t stride, const WfRatingsHeader *h,
			  uint32_t member, float *to)
{
	for (uint32_t i = 0; i < n; i++)
	{
		if (i % 16384 == 0)
			host->check(host);
		memcpy(to + ((size_t) i * h->n_members + member) * h->stride,
			   from + (size_t) i * stride, h->stride * sizeof(float));
	}
}

/* Fit the members one after the other; each is stored as it ends. */
static void
fit_members(WfTeam *team, const WfRatingsSpec *spec, WfBiased *b, WfRatingsFit *fit,
			const WfRatingsHeader *h, WfBytes *out, size_t at)
{
	uint64_t	total = (uint64_t) fit->members * (uint64_t) fit->iterations;

	for (uint32_t member = 0; member < h->n_members; member++)
	{
		wf_biased_start(team, b, h->k, fit->regularization, wf_rng(spec->seed, member + 1));
		for (int i = 0; i < fit->iterations; i++)
		{
			if (i > 0 && (fit->time_limited = time_over(team, spec->deadline)))
				break;
			wf_biased_step(team, b);
			if (spec->progress && team->rank == 0)
				team->host->progress(team->host, WF_PHASE_TRAIN,
									 (uint64_t) member * (uint64_t) fit->iterations + (uint64_t) i + 1, total);
		}
		if (team->rank == 0)
		{
			float	   *users = user_vectors(out, at);

			store_vectors(team->host, b->vector[0], h->n_users, b->stride, h, member, users);
			store_vectors(team->host, b->vector[1], h->n_items, b->stride, h, member,
						  users + (size_t) h->n_users * h->n_members * h->stride);
		}
		wf_team_barrier(team);
	}
}

static void
check_spec(WfHost *host, const WfRatingsSpec *spec, const WfMatrix *m)
{
	if (spec->k > WF_RATINGS_MAX_FACTORS)
		host->fail(host, WF_E_PARAM, WF_HINT_NONE, "number of factors must not exceed %d", WF_RATINGS_MAX_FACTORS);
	if (m->n == 0)
		host->fail(host, WF_E_DATA, WF_HINT_NONE, "there are no ratings");
}

void
wf_ratings_train(WfTeam *team, const WfRatingsSpec *spec, const WfMatrix *m, const WfMatrix *transposed,
				 WfBytes *out, WfRatingsFit *fit)
{
	WfRatingsMoments moments;
	WfRatingsHeader h = {.n_users = m->n_rows, .n_items = m->n_cols};
	WfBiased	b;
	size_t		at = 0;

	check_spec(team->host, spec, m);
	*fit = (WfRatingsFit) {.rmse = (double) NAN, .baseline_rmse = (double) NAN};
	wf_ratings_moments(team, m, &moments);
	search(team, spec, &moments, m, fit);

	fit->members = n_members(m->n, m->n_rows, m->n_cols, fit->k, fit->iterations);
	if (time_over(team, spec->deadline))
		fit->members = 1;
	memcpy(h.magic, "RATINGS1", 8);
	h.k = (uint32_t) fit->k;
	h.stride = h.k + 1;
	h.n_members = (uint32_t) fit->members;
	h.mean = moments.mean;
	h.scale = moments.deviation;
	h.low = moments.low;
	h.high = moments.high;
	h.regularization = fit->regularization;
	if (team->rank == 0)
	{
		size_t		vectors = ((size_t) h.n_users + h.n_items) * h.n_members;
		size_t		size = wf_size_mul(team->host, vectors, h.stride * sizeof(float));

		wf_bytes_align(out, 64);
		at = out->length;
		wf_bytes_append(out, &h, sizeof(h));
		wf_bytes_extend(out, size);
	}
	wf_biased_create(team, &b, m->n_rows, m->n_cols, h.k);
	set_up(&b, &moments, m, transposed);
	fit_members(team, spec, &b, fit, &h, out, at);
	wf_biased_free(team, &b);
}

/* ---- sizes ---- */

size_t
wf_ratings_stored_bytes(uint32_t n_users, uint32_t n_items, uint64_t n, int k)
{
	size_t		stride = (size_t) max_factors(n_users, n_items, k) + 1;

	return sizeof(WfRatingsHeader) + 64 +
		((size_t) n_users + n_items) * stride * (size_t) max_members(n) * sizeof(float);
}

size_t
wf_ratings_training_bytes(uint32_t n_users, uint32_t n_items, uint64_t n, int k, int team_size)
{
	size_t		vectors = wf_biased_bytes(n_users, n_items, max_factors(n_users, n_items, k), team_size);
	uint64_t	sample = n < TRIAL_ENTRIES ? n : TRIAL_ENTRIES + TRIAL_ENTRIES / 4;
	size_t		trial = 2 * wf_matrix_bytes(n_users, 0) + wf_matrix_bytes(n_items, 0) + 2 * wf_matrix_bytes(0, sample);
	size_t		stored = wf_ratings_stored_bytes(n_users, n_items, n, k);

	/* the trials' matrices are gone when the model's bytes are there */
	return vectors + (trial > stored ? trial : stored);
}
