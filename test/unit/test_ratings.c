/*-------------------------------------------------------------------------
 * test_ratings.c
 *	  Explicit ratings: planted factors, minima, teams, failures, hostile bytes.
 *-------------------------------------------------------------------------
 */
#include "interaction_maker.h"

#include "core/biased.h"
#include "core/ratings.h"
#include "core/ratings_split.h"
#include "core/simd.h"

typedef struct Run
{
	WfRatingsSpec spec;
	const WfMatrix *m;
	const WfMatrix *t;
	WfBytes		out;			/* rank 0 */
	WfRatingsFit fit;			/* rank 0 */
	WfHost	   *host;
} Run;

static void
train_in_team(WfTeam *team, void *arg)
{
	Run		   *run = arg;
	WfRatingsFit fit;
	WfBytes		none;

	wf_bytes_init(&none, team->host);
	if (team->rank == 0)
		wf_bytes_init(&run->out, run->host);
	wf_ratings_train(team, &run->spec, run->m, run->t, team->rank == 0 ? &run->out : &none, &fit);
	WF_CHECK_EQ(none.length, 0);
	if (team->rank == 0)
		run->fit = fit;
}

static Run
new_run(TestHost *th, const WfMatrix *m, const WfMatrix *t)
{
	return (Run) {.spec = {.k = -1, .regularization = -1, .progress = true}, .m = m, .t = t, .host = &th->host};
}

/* ---- planted factors ---- */

#define USERS 180
#define ITEMS 140
#define NOISE 0.4

static double
planted(uint32_t user, uint32_t item)
{
	double		score = 3.5 + 0.5 * make_normal(wf_rng(1, user)) + 0.5 * make_normal(wf_rng(2, item));

	for (uint64_t j = 0; j < 2; j++)
		score += 0.6 * make_normal(wf_rng(wf_rng(3, user), j)) * make_normal(wf_rng(wf_rng(4, item), j));
	return score + NOISE * make_normal(wf_rng(wf_rng(5, user), item));
}

static bool
is_test(uint32_t user, uint32_t item)
{
	return wf_rng(wf_rng(6, user), item) % 10 == 0;
}

/* Seven cells in ten are known. */
static float
planted_cell(uint32_t user, uint32_t item)
{
	return is_test(user, item) || wf_rng(wf_rng(7, user), item) % 10 >= 7 ? NAN : (float) planted(user, item);
}

WF_TEST(planted_factors_are_found)
{
	TestHost	th;
	WfTeamShared shared;
	WfTeam		team;
	WfMatrix	m;
	WfMatrix	t;
	WfRatings	r;
	Run			run;
	double		sum = 0;
	int			n = 0;

	test_host_begin(&th);
	wf_team_alone(&team, &shared, &th.host);
	make_matrix(&team, USERS, ITEMS, planted_cell, &m, &t);
	run = new_run(&th, &m, &t);
	run.spec.iterations = 5;
	run.spec.k = 3;
	train_in_team(&team, &run);
	th.n_checks = 0;
	WF_CHECK(wf_ratings_open(&th.host, run.out.data, run.out.length, &r));
	WF_CHECK(th.n_checks > 0);
	for (uint32_t u = 0; u < USERS; u++)
		for (uint32_t i = 0; i < ITEMS; i++)
			if (is_test(u, i))
			{
				double		e = wf_ratings_predict(&r, u, i) - planted(u, i);

				sum += e * e;
				n++;
			}
	WF_CHECK(sqrt(sum / n) < 1.05 * NOISE);
	WF_CHECK(run.fit.rmse < 0.6 * run.fit.baseline_rmse);
	WF_CHECK(run.fit.n_validation > m.n / 12);
	WF_CHECK(th.n_progress > 0);
	WF_CHECK(run.out.length <= wf_ratings_stored_bytes(USERS, ITEMS, m.n, -1));
	test_host_end(&th);
}

WF_TEST(bytes_promised_are_kept)
{
	TestHost	th;
	WfTeamShared shared;
	WfTeam		team;
	WfMatrix	m;
	WfMatrix	t;
	Run			run;
	size_t		before;

	test_host_begin(&th);
	wf_team_alone(&team, &shared, &th.host);
	make_matrix(&team, USERS, ITEMS, planted_cell, &m, &t);
	run = new_run(&th, &m, &t);
	run.spec.iterations = 1;
	before = th.bytes_now;
	th.bytes_peak = before;
	train_in_team(&team, &run);
	WF_CHECK(th.bytes_peak - before <= wf_ratings_training_bytes(USERS, ITEMS, m.n, -1, 1) + 65536);
	WF_CHECK_EQ(th.bytes_now, before + run.out.capacity);
	test_host_end(&th);
}

/* ---- minima ---- */

/* Squared error of an item's ratings and its penalty, as biased.h states them. */
static double
item_objective(const WfBiased *b, uint32_t item)
{
	const WfMatrix *t = b->side[1];
	const float *q = b->vector[1] + item * b->stride;
	double		sum = 0;
	double		norm = 0;

	for (uint64_t e = t->start[item]; e < t->start[item + 1]; e++)
	{
		const float *p = b->vector[0] + t->col[e] * b->stride;
		double		error = ((double) t->value[e] - b->mean) * b->inverse - (double) p[b->k] - (double) q[b->k];

		for (uint32_t j = 0; j < b->k; j++)
			error -= (double) p[j] * (double) q[j];
		sum += error * error;
	}
	for (uint32_t j = 0; j <= b->k; j++)
		norm += (double) q[j] * (double) q[j];
	return sum + b->regularization * sqrt((double) wf_matrix_row_length(t, item)) * norm;
}

WF_TEST(a_step_ends_in_the_minimum)
{
	TestHost	th;
	WfTeamShared shared;
	WfTeam		team;
	WfMatrix	m;
	WfMatrix	t;
	WfBiased	b;

	test_host_begin(&th);
	wf_team_alone(&team, &shared, &th.host);
	make_matrix(&team, 40, 30, planted_cell, &m, &t);
	wf_biased_create(&team, &b, 40, 30, 4);
	b.side[0] = &m;
	b.side[1] = &t;
	b.mean = 3.4;
	b.inverse = 0.8;
	wf_biased_start(&team, &b, 4, 0.7, 1);
	for (int i = 0; i < 3; i++)
		wf_biased_step(&team, &b);
	for (uint32_t i = 0; i < 30; i++)
	{
		double		at = item_objective(&b, i);

		for (uint32_t j = 0; j <= 4; j++)
			for (int side = -1; side <= 1; side += 2)
			{
				float	   *q = &b.vector[1][i * b.stride + j];
				float		was = *q;

				*q = was + (float) side * 0.01f;
				WF_CHECK(item_objective(&b, i) > at);
				*q = was;
			}
	}
	test_host_end(&th);
}

/* A user of training who comes as a stranger with the same ratings is predicted alike. */
WF_TEST(folding_in)
{
	TestHost	th;
	WfTeamShared shared;
	WfTeam		team;
	WfMatrix	m;
	WfMatrix	t;
	WfRatings	r;
	Run			run;
	float	   *vector;
	void	   *scratch;
	double		sum = 0;

	test_host_begin(&th);
	wf_team_alone(&team, &shared, &th.host);
	make_matrix(&team, 150, 100, planted_cell, &m, &t);
	run = new_run(&th, &m, &t);
	run.spec.k = 4;
	run.spec.iterations = 30;
	run.spec.regularization = 1;
	train_in_team(&team, &run);
	WF_CHECK(isnan(run.fit.rmse));
	WF_CHECK(wf_ratings_open(&th.host, run.out.data, run.out.length, &r));
	vector = wf_alloc(&th.host, wf_ratings_vector(&r), sizeof(float));
	scratch = wf_alloc(&th.host, wf_ratings_scratch(&r), 1);
	for (uint32_t u = 0; u < 20; u++)
	{
		wf_ratings_fold_in(&r, m.col + m.start[u], m.value + m.start[u], wf_matrix_row_length(&m, u), scratch, vector);
		for (uint32_t i = 0; i < 100; i++)
			sum += fabs(wf_ratings_predict_vector(&r, vector, i) - wf_ratings_predict(&r, u, i));
	}
	WF_CHECK(sum / 2000 < 0.02);
	/* nothing known of the user: the item's bias; of neither: the mean */
	wf_ratings_fold_in(&r, NULL, NULL, 0, scratch, vector);
	WF_CHECK_NEAR(wf_ratings_predict_vector(&r, vector, 3), wf_ratings_predict(&r, WF_RATINGS_UNKNOWN, 3), 0);
	WF_CHECK_NEAR(wf_ratings_predict(&r, WF_RATINGS_UNKNOWN, WF_RATINGS_UNKNOWN), r.header->mean, 1e-12);
	WF_CHECK(wf_ratings_predict(&r, 3, WF_RATINGS_UNKNOWN) != r.header->mean);
	test_host_end(&th);
}

/* ---- the split ---- */

WF_TEST(split_of_ratings)
{
	TestHost	th;
	WfTeamShared shared;
	WfTeam		team;
	WfMatrix	m;
	WfMatrix	t;
	WfMatrix	train;
	WfMatrix	held;

	test_host_begin(&th);
	wf_team_alone(&team, &shared, &th.host);
	make_matrix(&team, USERS, ITEMS, planted_cell, &m, &t);
	wf_ratings_split(&team, &m, 5, UINT64_MAX, &train, &held);
	WF_CHECK(wf_matrix_valid(&train));
	WF_CHECK(wf_matrix_valid(&held));
	WF_CHECK_EQ(train.n + held.n, m.n);
	WF_CHECK_NEAR((double) held.n / (double) m.n, 0.1, 0.01);
	for (uint32_t u = 0; u < USERS; u++)
	{
		uint64_t	a = train.start[u];
		uint64_t	b = held.start[u];

		for (uint64_t e = m.start[u]; e < m.start[u + 1]; e++)
		{
			bool		in_train = a < train.start[u + 1] && train.col[a] == m.col[e];
			uint64_t	at = in_train ? a++ : b++;

			WF_CHECK((in_train ? train.value : held.value)[at] == m.value[e]);
		}
		WF_CHECK_EQ(a, train.start[u + 1]);
		WF_CHECK_EQ(b, held.start[u + 1]);
	}
	/* a sample takes whole users */
	wf_ratings_split(&team, &m, 5, m.n / 4, &train, &held);
	WF_CHECK_NEAR((double) (train.n + held.n) / (double) m.n, 0.25, 0.08);
	for (uint32_t u = 0; u < USERS; u++)
	{
		uint64_t	n = wf_matrix_row_length(&train, u) + wf_matrix_row_length(&held, u);

		WF_CHECK(n == 0 || n == wf_matrix_row_length(&m, u));
	}
	test_host_end(&th);
}

/* ---- odd shapes ---- */

static float
all_three(uint32_t user, uint32_t item)
{
	return (user + item) % 3 == 0 ? 3 : NAN;
}

static float
one_cell(uint32_t user, uint32_t item)
{
	return user == 0 && item == 0 ? -2 : NAN;
}

static float
huge_numbers(uint32_t user, uint32_t item)
{
	return (user + item) % 2 ? (float) (1e30 * (1 + (double) (user % 5))) : NAN;
}

static float
empty(uint32_t user, uint32_t item)
{
	(void) user;
	(void) item;
	return NAN;
}

WF_TEST(odd_shapes)
{
	static const struct
	{
		uint32_t	users;
		uint32_t	items;
		MakeCell	cell;
	}			shapes[] = {{20, 30, all_three}, {1, 1, one_cell}, {1, 200, all_three}, {200, 1, planted_cell},
	{5, 5, one_cell}, {60, 40, huge_numbers}};

	for (int i = 0; i < 6; i++)
	{
		TestHost	th;
		WfTeamShared shared;
		WfTeam		team;
		WfMatrix	m;
		WfMatrix	t;
		WfRatings	r;
		Run			run;

		test_host_begin(&th);
		wf_team_alone(&team, &shared, &th.host);
		make_matrix(&team, shapes[i].users, shapes[i].items, shapes[i].cell, &m, &t);
		run = new_run(&th, &m, &t);
		train_in_team(&team, &run);
		WF_CHECK(wf_ratings_open(&th.host, run.out.data, run.out.length, &r));
		for (uint32_t u = 0; u <= shapes[i].users; u++)
			for (uint32_t k = 0; k <= shapes[i].items; k++)
			{
				double		rating = wf_ratings_predict(&r, u, k);

				WF_CHECK(rating >= r.header->low && rating <= r.header->high);
				if (shapes[i].cell == all_three)
					WF_CHECK_NEAR(rating, 3, 1e-6);
			}
		test_host_end(&th);
	}
}

static void
expect_refusal(int k, MakeCell cell, WfCode code)
{
	TestHost	th;
	WfTeamShared shared;
	WfTeam		team;
	WfMatrix	m;
	WfMatrix	t;
	Run			run;

	test_host_begin(&th);
	wf_team_alone(&team, &shared, &th.host);
	make_matrix(&team, 4, 4, cell, &m, &t);
	run = new_run(&th, &m, &t);
	run.spec.k = k;
	WF_EXPECT_FAIL(&th, code, train_in_team(&team, &run));
	test_host_end(&th);
}

WF_TEST(refusals)
{
	expect_refusal(257, one_cell, WF_E_PARAM);
	expect_refusal(-1, empty, WF_E_DATA);
}

WF_TEST(time_runs_out)
{
	TestHost	th;
	WfTeamShared shared;
	WfTeam		team;
	WfMatrix	m;
	WfMatrix	t;
	WfRatings	r;
	Run			run;

	test_host_begin(&th);
	wf_team_alone(&team, &shared, &th.host);
	make_matrix(&team, 60, 40, planted_cell, &m, &t);
	run = new_run(&th, &m, &t);
	run.spec.deadline = 1e-9;
	train_in_team(&team, &run);
	WF_CHECK(run.fit.time_limited);
	WF_CHECK(wf_ratings_open(&th.host, run.out.data, run.out.length, &r));
	WF_CHECK(isfinite(wf_ratings_predict(&r, 1, 1)));
	test_host_end(&th);
}

/* ---- teams and paths ---- */

WF_TEST(same_bytes_for_any_team_and_processor)
{
	TestHost	th;
	WfTeamShared shared;
	WfTeam		team;
	WfMatrix	m;
	WfMatrix	t;
	WfBytes		first = {0};

	test_host_begin(&th);
	wf_team_alone(&team, &shared, &th.host);
	make_matrix(&team, 70, 40, planted_cell, &m, &t);
	for (int size = 1; size <= 4; size++)
	{
		Run			run = new_run(&th, &m, &t);

		run.spec.iterations = 2;
		wf_simd_limit(size == 4 ? WF_SIMD_SCALAR : WF_SIMD_AVX512_VBMI);
		WF_CHECK(test_team_run(&th, size == 4 ? 1 : size, train_in_team, &run));
		if (size == 1)
			first = run.out;
		WF_CHECK_EQ(run.out.length, first.length);
		WF_CHECK(memcmp(run.out.data, first.data, first.length) == 0);
	}
	wf_simd_limit(WF_SIMD_AVX512_VBMI);
	test_host_end(&th);
}

/* ---- failures ---- */

static bool
fails(TestHost *th, Run *run)
{
	WfTeamShared shared;
	WfTeam		team;
	jmp_buf		jb;

	th->failed = false;
	th->on_fail = &jb;
	wf_team_alone(&team, &shared, &th->host);
	if (setjmp(jb) == 0)
		train_in_team(&team, run);
	th->on_fail = NULL;
	return th->failed;
}

WF_TEST(every_failure_is_survived)
{
	for (int kind = 0; kind < 2; kind++)
		for (uint64_t at = 1;; at += 1 + at / 8)
		{
			TestHost	th;
			WfTeamShared shared;
			WfTeam		team;
			WfMatrix	m;
			WfMatrix	t;
			Run			run;
			bool		failed;

			test_host_begin(&th);
			wf_team_alone(&team, &shared, &th.host);
			make_matrix(&team, 40, 30, planted_cell, &m, &t);
			run = new_run(&th, &m, &t);
			run.spec.iterations = 1;
			run.spec.k = 2;
			if (kind == 0)
				th.fail_alloc_at = th.n_allocs + at;
			else
				th.cancel_check_at = th.n_checks + at;
			failed = fails(&th, &run);
			test_host_end(&th);
			WF_CHECK(failed || at > 20);
			if (!failed)
				break;
		}
}

/* ---- hostile bytes ---- */

WF_TEST(hostile_bytes)
{
	TestHost	th;
	WfTeamShared shared;
	WfTeam		team;
	WfMatrix	m;
	WfMatrix	t;
	Run			run;

	test_host_begin(&th);
	wf_team_alone(&team, &shared, &th.host);
	make_matrix(&team, 30, 20, planted_cell, &m, &t);
	run = new_run(&th, &m, &t);
	run.spec.k = 3;
	run.spec.iterations = 1;
	train_in_team(&team, &run);
	for (uint64_t i = 0; i < 4000; i++)
	{
		uint64_t	key = wf_rng(9, i);
		size_t		length = i % 3 == 0 ? wf_rng_below(wf_rng(key, 1), (uint32_t) run.out.length) : run.out.length;
		uint8_t    *copy = wf_alloc_aligned(&th.host, length, 1);
		WfRatings	r;

		memcpy(copy, run.out.data, length);
		for (uint64_t k = 0; length && k < 1 + key % 3; k++)
			copy[wf_rng_below(wf_rng(key, 2 + k), i % 2 ? (uint32_t) length : length < 128 ? (uint32_t) length : 128)] =
				(uint8_t) wf_rng(key, 5 + k);
		if (wf_ratings_open(&th.host, copy, length, &r))
			for (uint32_t u = 0; u < 40; u++)
				WF_CHECK(!isnan(wf_ratings_predict(&r, u, u / 2)));
		wf_release_aligned(&th.host, copy);
	}
	test_host_end(&th);
}
