/*-------------------------------------------------------------------------
 * factors_train.c
 *	  Alternating fits of implicit feedback: users given items, items given
 *	  users.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "core/factors_row.h"
#include "core/nmf.h"
#include "core/rng.h"
#include "core/sums.h"

#define CHUNK_ROWS 32
/* Multiplications between two looks at the host: about 2 ms. */
#define CHECK_WORK ((uint64_t) 4 << 20)
#define START_SIZE 0.1
/* Iterations when none are asked for; plain factorisation ends by itself. */
#define ALS_ITERATIONS 10
#define NMF_ITERATIONS 15
#define PLAIN_ITERATIONS 100
/* Sweeps of coordinate descent in a half step: one sometimes stalls, four are no better. */
#define SWEEPS 2
/*
 * Extrapolation of plain factorisation: how far ahead at first; how it grows
 * while that helps, and shrinks when it does not; growth of its own bound.
 */
#define AHEAD_START 0.5
#define AHEAD_GROWTH 1.05
#define AHEAD_LOSS 1.5
#define BOUND_GROWTH 1.01
/* The end: so many steps in which the explained part has grown by less than this. */
#define TOLERANCE_STEPS 4
#define TOLERANCE 2e-3

typedef struct Training
{
	WfTeam	   *team;
	const WfFactorSpec *spec;
	const WfMatrix *side[2];	/* users × items, and its transpose */
	float	   *vector[2];
	uint32_t	k;
	uint32_t	stride;
	double	   *gram;			/* shared, k × k: of the side that is fixed */
	void	   *room;
	WfNormal	normal;
	WfSums		sums;
	/* plain factorisation */
	float	   *gram32;			/* the member's own copy, with the ridge */
	float	   *result[2];		/* shared: what vector extrapolates */
	double	   *explained;		/* shared: of the items, 16 at a time */
	double		ahead;
	double		bound;			/* of ahead */
	double		last;			/* explained by the last step */
	double		best[TOLERANCE_STEPS + 1];	/* best explained part, now and in the steps before */
} Training;

/* ---- sums of outer products ---- */

typedef struct GramTask
{
	WfHost	   *host;
	WfNormal   *normal;
	const float *vector;
} GramTask;

static void
add_gram(void *arg, uint32_t begin, uint32_t end, double *sums)
{
	GramTask   *task = arg;
	WfNormal   *s = task->normal;
	uint64_t	every = CHECK_WORK / ((uint64_t) s->stride * s->stride) + 1;

	wf_normal_begin(s, NULL, 0);
	for (uint32_t r = begin; r < end; r++)
	{
		if (r % every == 0)
			task->host->check(task->host);
		memcpy(wf_normal_next(s, 1, 0), task->vector + (size_t) r * s->stride, s->stride * sizeof(float));
	}
	wf_normal_flush(s);
	for (uint32_t i = 0; i < s->n; i++)
		for (uint32_t j = 0; j < s->n; j++)
			sums[(size_t) i * s->n + j] = s->a[(size_t) (i < j ? i : j) * s->stride + (i < j ? j : i)];
}

static void
find_gram(Training *t, int side)
{
	GramTask	task = {t->team->host, &t->normal, t->vector[side]};

	wf_sums_run(t->team, &t->sums, t->side[side]->n_rows, add_gram, &task);
	if (t->team->rank == 0)
		memcpy(t->gram, t->sums.total, (size_t) t->k * t->k * sizeof(double));
	wf_team_barrier(t->team);
}

/* ---- half steps ---- */

static bool
is_plain(const WfFactorSpec *spec)
{
	return spec->kind == WF_FACTORS_NMF && spec->unseen >= 1;
}

/* Rows [begin, end) of a side by their own normal equations. */
static void
solve_weighted(Training *t, int side, uint32_t begin, uint32_t end)
{
	const WfMatrix *m = t->side[side];
	WfFactorRow row = {t->spec->kind, t->spec->unseen, t->spec->regularization, m->n_cols,
		t->vector[1 - side], t->gram, SWEEPS};
	uint64_t	every = CHECK_WORK / ((uint64_t) t->stride * t->stride) + 1;
	uint64_t	work = 0;

	for (uint32_t r = begin; r < end; r++)
	{
		float	   *vector = t->vector[side] + (size_t) r * t->stride;
		uint64_t	n = wf_matrix_row_length(m, r);

		/* solving costs as much as a third of k entries, and a long row is cut */
		work += t->k / 3;
		wf_factor_row_begin(&row, &t->normal);
		for (uint64_t e = 0; e < n; e += every)
		{
			uint64_t	part = n - e < every ? n - e : every;

			work += part;
			wf_factor_row_add(&row, &t->normal, m->col + m->start[r] + e, m->value + m->start[r] + e, part);
			if (work >= every)
			{
				t->team->host->check(t->team->host);
				work = 0;
			}
		}
		if (n == 0)
			memset(vector, 0, t->stride * sizeof(float));
		else
			wf_factor_row_solve(&row, &t->normal, n, vector);
	}
}

static void
solve_side(Training *t, int side)
{
	uint32_t	n = t->side[side]->n_rows;
	bool		plain = is_plain(t->spec);
	double		ridge = t->spec->regularization * t->side[side]->n_cols;
	uint32_t	chunk = plain ? WF_NMF_LANES : CHUNK_ROWS;
	WfNmfStep	step = {t->side[side], t->vector[1 - side], t->vector[side], t->result[side],
		(float) t->ahead, t->gram32, t->k, t->stride, SWEEPS, side == 1, t->room};

	find_gram(t, 1 - side);
	for (size_t i = 0; plain && i < (size_t) t->k * t->k; i++)
		t->gram32[i] = (float) (t->gram[i] + (i % (t->k + 1) == 0 ? ridge : 0));
	wf_team_restart(t->team);
	for (;;)
	{
		uint64_t	begin = wf_team_next(t->team) * chunk;
		uint32_t	end;

		if (begin >= n)
			break;
		end = begin + chunk < n ? (uint32_t) begin + chunk : n;
		if (begin % (CHUNK_ROWS * 8) == 0)
			t->team->host->check(t->team->host);
		if (plain)
		{
			double		explained = wf_nmf_rows(t->team->host, &step, (uint32_t) begin, end);

			if (side == 1)
				t->explained[begin / WF_NMF_LANES] = explained;
		}
		else
			solve_weighted(t, side, (uint32_t) begin, end);
	}
	wf_team_barrier(t->team);
}

/* ---- plain factorisation ---- */

static void
start_plain(Training *t)
{
	WfTeam	   *team = t->team;
	uint32_t	n_items = t->side[1]->n_rows;

	t->gram32 = wf_alloc(team->host, (size_t) t->k * t->k, sizeof(float));
	for (int side = 0; side < 2; side++)
		t->result[side] = wf_team_alloc(team, wf_size_mul(team->host, t->side[side]->n_rows, t->stride), sizeof(float));
	t->explained = wf_team_alloc(team, n_items / WF_NMF_LANES + 1, sizeof(double));
	if (team->rank == 0)
		memcpy(t->result[1], t->vector[1], (size_t) n_items * t->stride * sizeof(float));
	t->bound = 1;
	wf_team_barrier(team);
}

/* The vectors become the results, without extrapolation. */
static void
take_results(Training *t)
{
	for (int side = 0; side < 2; side++)
	{
		size_t		begin;
		size_t		end;

		wf_team_part(t->team, (size_t) t->side[side]->n_rows * t->stride, &begin, &end);
		memcpy(t->vector[side] + begin, t->result[side] + begin, (end - begin) * sizeof(float));
	}
	wf_team_barrier(t->team);
}

/* After a step: how far ahead the next one starts; false when little is gained any more. */
static bool
judge_plain(Training *t, int iteration)
{
	double		explained = 0;

	for (uint32_t i = 0; i < t->side[1]->n_rows; i += WF_NMF_LANES)
		explained += t->explained[i / WF_NMF_LANES];
	if (iteration == 0)
		t->ahead = AHEAD_START;
	else if (explained < t->last)
	{
		take_results(t);
		t->bound = t->ahead;
		t->ahead /= AHEAD_LOSS;
	}
	else
	{
		t->ahead = fmin(t->bound, t->ahead * AHEAD_GROWTH);
		t->bound = fmin(1, t->bound * BOUND_GROWTH);
	}
	t->last = explained;
	memmove(t->best + 1, t->best, TOLERANCE_STEPS * sizeof(double));
	t->best[0] = fmax(t->best[1], explained);
	return iteration < TOLERANCE_STEPS ||
		t->best[0] - t->best[TOLERANCE_STEPS] > TOLERANCE * t->best[0];
}

static void
end_plain(Training *t)
{
	take_results(t);
	wf_team_free(t->team, t->explained);
	wf_team_free(t->team, t->result[1]);
	wf_team_free(t->team, t->result[0]);
	wf_release(t->team->host, t->gram32);
}

/* ---- start and end ---- */

/* So large that products of random vectors are about as large as the mean cell. */
static double
start_size(Training *t)
{
	double		sum = 0;

	if (t->spec->kind == WF_FACTORS_ALS)
		return START_SIZE;
	if (is_plain(t->spec))
	{
		const WfMatrix *m = t->side[0];

		if (t->team->rank == 0)
			for (uint64_t e = 0; e < m->n; e++)
			{
				if (e % 65536 == 0)
					t->team->host->check(t->team->host);
				sum += fabs((double) m->value[e]);
			}
		wf_team_broadcast(t->team, &sum, sizeof(sum));
		sum /= (double) m->n_rows * (double) m->n_cols;
	}
	else
		sum = START_SIZE;
	return 2 * sqrt(sum / t->k);
}

static void
start_items(Training *t)
{
	double		size = start_size(t);
	double		shift = t->spec->kind == WF_FACTORS_NMF ? 0 : 0.5;
	size_t		begin;
	size_t		end;

	wf_team_part(t->team, t->side[1]->n_rows, &begin, &end);
	for (size_t i = begin; i < end; i++)
	{
		uint64_t	key = wf_rng(t->spec->seed, i);

		if (i % 1024 == 0)
			t->team->host->check(t->team->host);
		for (uint32_t j = 0; j < t->k; j++)
			t->vector[1][i * t->stride + j] = (float) ((wf_rng_unit(wf_rng(key, j)) - shift) * size);
	}
	wf_team_barrier(t->team);
}

static void
check_spec(WfHost *host, const WfFactorSpec *spec)
{
	if (spec->k < 1 || spec->k > WF_FACTORS_MAX)
		host->fail(host, WF_E_PARAM, WF_HINT_NONE, "number of factors must be between 1 and %d", WF_FACTORS_MAX);
	if (!(spec->unseen >= 0 && spec->unseen <= 1))
		host->fail(host, WF_E_PARAM, WF_HINT_NONE, "weight of unseen pairs must be between 0 and 1");
	if (!(spec->regularization >= 0 && isfinite(spec->regularization)))
		host->fail(host, WF_E_PARAM, WF_HINT_NONE, "regularization must not be negative");
}

/* The leader's clock decides for all. */
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

static void
iterate(Training *t)
{
	const WfFactorSpec *spec = t->spec;
	WfHost	   *host = t->team->host;
	bool		plain = is_plain(spec);
	int			n = spec->iterations > 0 ? spec->iterations :
		plain ? PLAIN_ITERATIONS : spec->kind == WF_FACTORS_NMF ? NMF_ITERATIONS : ALS_ITERATIONS;

	if (plain)
		start_plain(t);
	for (int i = 0; i < n; i++)
	{
		if (i > 0 && time_over(t->team, spec->deadline))
			break;
		solve_side(t, 0);
		solve_side(t, 1);
		if (spec->progress && t->team->rank == 0)
			host->progress(host, WF_PHASE_TRAIN, (uint64_t) i + 1, (uint64_t) n);
		if (plain && !judge_plain(t, i))
			break;
	}
	if (plain)
		end_plain(t);
}

void
wf_factors_train(WfTeam *team, const WfFactorSpec *spec, const WfMatrix *m, const WfMatrix *transposed,
				 WfFactors *out)
{
	WfHost	   *host = team->host;
	Training	t = {.team = team, .spec = spec, .side = {m, transposed}};
	size_t		square;

	check_spec(host, spec);
	t.k = (uint32_t) spec->k;
	t.stride = wf_normal_stride(t.k);
	square = (size_t) t.k * t.k;
	t.vector[0] = wf_team_alloc(team, wf_size_mul(host, m->n_rows, t.stride), sizeof(float));
	t.vector[1] = wf_team_alloc(team, wf_size_mul(host, m->n_cols, t.stride), sizeof(float));
	t.gram = wf_team_alloc(team, square, sizeof(double));
	t.room = wf_alloc_aligned(host, wf_normal_bytes(t.k) + wf_nmf_bytes(t.k), 1);
	wf_normal_init(&t.normal, t.k, (char *) t.room + wf_nmf_bytes(t.k));
	wf_sums_create(team, &t.sums, square, 0);

	start_items(&t);
	iterate(&t);
	find_gram(&t, 1);

	wf_sums_free(team, &t.sums);
	wf_release_aligned(host, t.room);
	*out = (WfFactors) {.kind = spec->kind, .n_users = m->n_rows, .n_items = m->n_cols, .k = t.k,
			.stride = t.stride, .unseen = spec->unseen, .regularization = spec->regularization,
			.user = t.vector[0], .item = t.vector[1], .gram = t.gram,
			.vector = {t.vector[0], t.vector[1]}, .product = t.gram};
}

void
wf_factors_free(WfTeam *team, WfFactors *f)
{
	wf_team_free(team, f->product);
	wf_team_free(team, f->vector[1]);
	wf_team_free(team, f->vector[0]);
	memset(f, 0, sizeof(*f));
}

size_t
wf_factors_training_bytes(uint32_t n_users, uint32_t n_items, int k, int team_size)
{
	size_t		stride = wf_normal_stride((uint32_t) k);
	size_t		square = (size_t) k * (size_t) k;

	/* vectors, and once more what plain factorisation extrapolates */
	return 2 * ((size_t) n_users + n_items) * stride * sizeof(float) +
		square * (2 + 64) * sizeof(double) +
		(size_t) team_size * (wf_normal_bytes((uint32_t) k) + wf_nmf_bytes((uint32_t) k) + square * sizeof(float));
}
