/*-------------------------------------------------------------------------
 * biased.c
 *	  Alternating least squares for ratings with biases.
 *-------------------------------------------------------------------------
 */
#include "core/biased.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "core/sums.h"

#define CHUNK_ROWS 32
/* Multiplications between two looks at the host: about 2 ms. */
#define CHECK_WORK ((uint64_t) 4 << 20)
/* Ratings that a bias of a start is damped by. */
#define BIAS_DAMPING 5
#define BIAS_ROUNDS 2
#define START_SIZE 0.1

size_t
wf_biased_bytes(uint32_t n_users, uint32_t n_items, int k, int team_size)
{
	uint32_t	n = (uint32_t) k + 1;

	return ((size_t) n_users + n_items) * wf_normal_stride(n) * sizeof(float) +
		(size_t) team_size * (wf_normal_bytes(n) + 64);
}

void
wf_biased_create(WfTeam *team, WfBiased *b, uint32_t n_users, uint32_t n_items, uint32_t k)
{
	memset(b, 0, sizeof(*b));
	b->k = k;
	b->stride = wf_normal_stride(k + 1);
	b->vector[0] = wf_team_alloc(team, wf_size_mul(team->host, n_users, b->stride), sizeof(float));
	b->vector[1] = wf_team_alloc(team, wf_size_mul(team->host, n_items, b->stride), sizeof(float));
	b->room = wf_alloc_aligned(team->host, wf_normal_bytes(k + 1), 1);
}

void
wf_biased_free(WfTeam *team, WfBiased *b)
{
	wf_release_aligned(team->host, b->room);
	wf_team_free(team, b->vector[1]);
	wf_team_free(team, b->vector[0]);
	memset(b, 0, sizeof(*b));
}

/* ---- rows ---- */

typedef void (*SolveRow) (WfBiased *b, WfHost *host, int side, uint32_t row);

/* All rows of a side, handed out in chunks: a row is one member's from end to end. */
static void
solve_rows(WfTeam *team, WfBiased *b, int side, SolveRow solve)
{
	uint32_t	n = b->side[side]->n_rows;

	wf_team_restart(team);
	for (;;)
	{
		uint64_t	begin = wf_team_next(team) * CHUNK_ROWS;

		if (begin >= n)
			break;
		team->host->check(team->host);
		for (uint64_t row = begin; row < begin + CHUNK_ROWS && row < n; row++)
			solve(b, team->host, side, (uint32_t) row);
	}
	wf_team_barrier(team);
}

static inline double
brought(const WfBiased *b, float rating)
{
	return ((double) rating - b->mean) * b->inverse;
}

/* The damped mean of what the other side's biases leave. */
static void
solve_bias(WfBiased *b, WfHost *host, int side, uint32_t row)
{
	const WfMatrix *m = b->side[side];
	const float *other = b->vector[1 - side] + b->k;
	uint64_t	n = wf_matrix_row_length(m, row);
	double		sum = 0;

	for (uint64_t e = m->start[row]; e < m->start[row + 1]; e++)
	{
		if (e % (CHECK_WORK / 16) == 0)
			host->check(host);
		sum += brought(b, m->value[e]) - (double) other[(size_t) m->col[e] * b->stride];
	}
	b->vector[side][(size_t) row * b->stride + b->k] = (float) (sum / ((double) n + BIAS_DAMPING));
}

static void
solve_vector(WfBiased *b, WfHost *host, int side, uint32_t row)
{
	const WfMatrix *m = b->side[side];
	const float *other = b->vector[1 - side];
	WfNormal   *s = &b->normal;
	size_t		size = b->stride * sizeof(float);
	uint64_t	n = wf_matrix_row_length(m, row);
	uint64_t	every = CHECK_WORK / ((uint64_t) b->stride * b->stride) + 1;

	if (n == 0)
	{
		memset(b->vector[side] + (size_t) row * b->stride, 0, size);
		return;
	}
	wf_normal_begin(s, NULL, 0);
	for (uint64_t e = m->start[row]; e < m->start[row + 1]; e++)
	{
		const float *v = other + (size_t) m->col[e] * b->stride;
		float	   *x = wf_normal_next(s, 1, (float) (brought(b, m->value[e]) - (double) v[b->k]));

		memcpy(x, v, size);
		x[b->k] = 1;
		if (e % every == 0)
			host->check(host);
	}
	wf_normal_solve(s, b->regularization * sqrt((double) n), b->vector[side] + (size_t) row * b->stride);
}

/* ---- a model ---- */

void
wf_biased_start(WfTeam *team, WfBiased *b, uint32_t k, double regularization, uint64_t seed)
{
	size_t		begin;
	size_t		end;

	b->k = k;
	b->stride = wf_normal_stride(k + 1);
	b->regularization = regularization;
	wf_normal_init(&b->normal, k + 1, b->room);
	wf_team_barrier(team);
	for (int side = 0; side < 2; side++)
	{
		wf_team_part(team, b->side[side]->n_rows, &begin, &end);
		for (size_t row = begin; row < end; row++)
		{
			float	   *v = b->vector[side] + row * b->stride;
			uint64_t	key = wf_rng(seed, row);

			if (row % 1024 == 0)
				team->host->check(team->host);
			memset(v, 0, b->stride * sizeof(float));
			for (uint32_t j = 0; side == 1 && j < k; j++)
				v[j] = (float) ((wf_rng_unit(wf_rng(key, j)) - 0.5) * 2 * START_SIZE);
		}
	}
	wf_team_barrier(team);
	for (int round = 0; round < BIAS_ROUNDS; round++)
	{
		solve_rows(team, b, 1, solve_bias);
		solve_rows(team, b, 0, solve_bias);
	}
}

void
wf_biased_step(WfTeam *team, WfBiased *b)
{
	solve_rows(team, b, 0, solve_vector);
	solve_rows(team, b, 1, solve_vector);
}

/* ---- error ---- */

typedef struct ErrorTask
{
	const WfBiased *b;
	const WfMatrix *held;
	WfHost	   *host;
	float	   *sum;
	int			count;
} ErrorTask;

static void
add_errors(void *arg, uint32_t begin, uint32_t end, double *sums)
{
	const ErrorTask *task = arg;
	const WfBiased *b = task->b;
	const WfMatrix *held = task->held;

	for (uint32_t row = begin; row < end; row++)
	{
		const float *p = b->vector[0] + (size_t) row * b->stride;

		if (row % 4096 == 0)
			task->host->check(task->host);
		for (uint64_t e = held->start[row]; e < held->start[row + 1]; e++)
		{
			const float *q = b->vector[1] + (size_t) held->col[e] * b->stride;
			double		score = (double) p[b->k] + (double) q[b->k];
			double		error;

			for (uint32_t j = 0; j < b->k; j++)
				score += (double) p[j] * (double) q[j];
			if (task->count > 1)
				score += (double) task->sum[e];
			task->sum[e] = (float) score;
			score /= task->count;
			score = score < b->low ? b->low : score > b->high ? b->high : score;
			error = score - brought(b, held->value[e]);
			sums[0] += error * error;
		}
	}
}

double
wf_biased_error(WfTeam *team, const WfBiased *b, const WfMatrix *held, float *sum, int count)
{
	ErrorTask	task = {b, held, team->host, sum, count};
	WfSums		sums;
	double		squares;

	wf_sums_create(team, &sums, 1, 0);
	wf_sums_run(team, &sums, held->n_rows, add_errors, &task);
	squares = sums.total[0];
	wf_sums_free(team, &sums);
	return sqrt(squares / (double) held->n) / b->inverse;
}
