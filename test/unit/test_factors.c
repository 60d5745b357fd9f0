/*-------------------------------------------------------------------------
 * test_factors.c
 *	  Factors of implicit feedback against NumPy and scikit-learn; teams,
 *	  failures, hostile bytes.
 *-------------------------------------------------------------------------
 */
#include "interaction_maker.h"

#include "core/factors.h"
#include "core/simd.h"

#define USERS 60
#define ITEMS 40

/* Four groups of users, each with its own items mostly; values 0.5 to 1.5. */
static float
group_cell(uint32_t user, uint32_t item)
{
	uint64_t	key = wf_rng(wf_rng(21, user), item);

	return wf_rng_unit(key) < (user % 4 == item % 4 ? 0.6 : 0.1)
		? (float) (0.5 + wf_rng_unit(wf_rng(key, 1))) : NAN;
}

static float
empty(uint32_t user, uint32_t item)
{
	(void) user;
	(void) item;
	return NAN;
}

static float
one_cell(uint32_t user, uint32_t item)
{
	return user == 0 && item == 0 ? 5 : NAN;
}

typedef struct World
{
	TestHost	th;
	WfTeamShared shared;
	WfTeam		team;
	WfMatrix	m;
	WfMatrix	t;
} World;

static void
begin(World *w, uint32_t n_users, uint32_t n_items, MakeCell cell)
{
	test_host_begin(&w->th);
	wf_team_alone(&w->team, &w->shared, &w->th.host);
	make_matrix(&w->team, n_users, n_items, cell, &w->m, &w->t);
}

static WfFactorSpec
new_spec(WfFactorKind kind, int k, int iterations, double unseen, double regularization)
{
	return (WfFactorSpec) {.kind = kind, .k = k, .iterations = iterations, .unseen = unseen,
			.regularization = regularization, .progress = true};
}

static double
product(const WfFactors *f, uint32_t user, uint32_t item)
{
	double		sum = 0;

	for (uint32_t j = 0; j < f->k; j++)
		sum += (double) f->user[user * f->stride + j] * (double) f->item[item * f->stride + j];
	return sum;
}

static double
square(const float *v, uint32_t k)
{
	double		sum = 0;

	for (uint32_t j = 0; j < k; j++)
		sum += (double) v[j] * (double) v[j];
	return sum;
}

/* What factors.h says is minimised, over all cells. */
static double
objective(const World *w, const WfFactors *f)
{
	double		sum = 0;

	for (uint32_t u = 0; u < f->n_users; u++)
	{
		uint64_t	e = w->m.start[u];
		double		n = (double) wf_matrix_row_length(&w->m, u);

		for (uint32_t i = 0; i < f->n_items; i++)
		{
			bool		seen = e < w->m.start[u + 1] && w->m.col[e] == i;
			bool		plain = f->kind == WF_FACTORS_NMF && f->unseen >= 1;
			double		target = !seen ? 0 : plain ? (double) w->m.value[e] : 1;
			double		weight = !seen ? f->unseen : plain ? 1 : (double) wf_factors_weight(w->m.value[e]);
			double		error = target - product(f, u, i);

			sum += weight * error * error;
			e += seen;
		}
		sum += f->regularization * (n + f->unseen * (f->n_items - n)) * square(f->user + u * f->stride, f->k);
	}
	for (uint32_t i = 0; i < f->n_items; i++)
	{
		double		n = (double) wf_matrix_row_length(&w->t, i);

		sum += f->regularization * (n + f->unseen * (f->n_users - n)) * square(f->item + i * f->stride, f->k);
	}
	return sum;
}

/*
 * The same objective from NumPy in double, 300 iterations of least squares with
 * the full system of each row: 126.381026 (3 factors), 111.672559 (5 factors).
 */
WF_TEST(als_reaches_the_objective_of_numpy)
{
	static const double numpy[][2] = {{3, 126.38102656705217}, {5, 111.6725588273707}};

	for (int i = 0; i < 2; i++)
	{
		World		w;
		WfFactors	f;
		WfFactorSpec spec = new_spec(WF_FACTORS_ALS, (int) numpy[i][0], 100, 0.1, 0.03);

		begin(&w, USERS, ITEMS, group_cell);
		WF_CHECK_EQ(w.m.n, 543);
		wf_factors_train(&w.team, &spec, &w.m, &w.t, &f);
		/* another start may end in a minimum of its own, next to that one */
		WF_CHECK(objective(&w, &f) > numpy[i][1] - 1e-3);
		WF_CHECK(objective(&w, &f) < numpy[i][1] * 1.002);
		WF_CHECK_EQ(w.th.n_progress, 100);
		test_host_end(&w.th);
	}
}

/* scikit-learn 1.9, NMF(k, init="nndsvda", max_iter=2000, tol=1e-9), squared error. */
WF_TEST(plain_nmf_reaches_the_error_of_scikit_learn)
{
	static const double sklearn[][2] = {{3, 336.694936}, {5, 274.104679}};
	static const double norm = 587.4553564931495;

	for (int i = 0; i < 2; i++)
	{
		World		w;
		WfFactors	f;
		WfFactorSpec spec = new_spec(WF_FACTORS_NMF, (int) sklearn[i][0], 0, 1, 0);
		double		error;

		begin(&w, USERS, ITEMS, group_cell);
		wf_factors_train(&w.team, &spec, &w.m, &w.t, &f);
		error = objective(&w, &f);
		WF_CHECK(norm - error >= 0.99 * (norm - sklearn[i][1]));
		WF_CHECK(norm - error <= 1.001 * (norm - sklearn[i][1]));
		WF_CHECK(w.th.n_progress < 60);
		for (uint32_t j = 0; j < USERS * f.stride; j++)
			WF_CHECK(f.user[j] >= 0);
		for (uint32_t j = 0; j < ITEMS * f.stride; j++)
			WF_CHECK(f.item[j] >= 0);
		test_host_end(&w.th);
	}
}

WF_TEST(weighted_nmf_descends_and_separates)
{
	World		w;
	WfFactors	f;
	WfFactorSpec spec = new_spec(WF_FACTORS_NMF, 4, 1, 0.1, 0.03);
	double		before = INFINITY;
	double		same = 0;
	double		other = 0;

	begin(&w, USERS, ITEMS, group_cell);
	for (spec.iterations = 1; spec.iterations <= 32; spec.iterations *= 2)
	{
		double		now;

		wf_factors_train(&w.team, &spec, &w.m, &w.t, &f);
		now = objective(&w, &f);
		WF_CHECK(now < before);
		before = now;
	}
	/* nearly what factors without a sign reach */
	WF_CHECK(before < 1.05 * 119);
	for (uint32_t u = 0; u < USERS; u++)
		for (uint32_t i = 0; i < ITEMS; i++)
		{
			WF_CHECK(product(&f, u, i) >= 0);
			*(u % 4 == i % 4 ? &same : &other) += product(&f, u, i) / (u % 4 == i % 4 ? 600 : 1800);
		}
	WF_CHECK(same > 2 * other);
	test_host_end(&w.th);
}

/* No single number of an item's vector can be better: items are solved last. */
WF_TEST(items_are_at_their_minimum)
{
	World		w;
	WfFactors	f;
	WfFactorSpec spec = new_spec(WF_FACTORS_ALS, 4, 2, 0.2, 0.05);
	double		at;

	begin(&w, USERS, ITEMS, group_cell);
	wf_factors_train(&w.team, &spec, &w.m, &w.t, &f);
	at = objective(&w, &f);
	for (uint32_t i = 0; i < ITEMS; i++)
		for (uint32_t j = 0; j < 4; j++)
			for (int side = -1; side <= 1; side += 2)
			{
				float	   *x = &f.vector[1][i * f.stride + j];
				float		was = *x;

				*x = was + (float) side * 0.02f;
				WF_CHECK(objective(&w, &f) > at);
				*x = was;
			}
	test_host_end(&w.th);
}

/* A user of training comes as a stranger; stored and opened on the way. */
WF_TEST(folding_in)
{
	for (int kind = WF_FACTORS_ALS; kind <= WF_FACTORS_NMF; kind++)
		for (int plain = 0; plain <= kind; plain++)
		{
			World		w;
			WfFactors	trained;
			WfFactors	f;
			WfBytes		out;
			WfFactorSpec spec = new_spec((WfFactorKind) kind, 4, 200, plain ? 1 : 0.1, plain ? 0 : 0.03);
			float		vector[8];
			float		score[ITEMS];
			void	   *scratch;

			begin(&w, USERS, ITEMS, group_cell);
			wf_factors_train(&w.team, &spec, &w.m, &w.t, &trained);
			wf_bytes_init(&out, &w.th.host);
			wf_bytes_append(&out, "x", 1);
			wf_factors_write(&trained, &out);
			WF_CHECK(out.length <= wf_factors_stored_bytes(USERS, ITEMS, 4) + 64);
			WF_CHECK(wf_factors_open(&w.th.host, out.data + 64, out.length - 64, &f));
			wf_factors_free(&w.team, &trained);
			scratch = wf_alloc(&w.th.host, wf_factors_scratch(&f), 1);
			for (uint32_t u = 0; u < USERS; u++)
			{
				wf_factors_fold_in(&f, w.m.col + w.m.start[u], w.m.value + w.m.start[u],
								   wf_matrix_row_length(&w.m, u), scratch, vector);
				wf_factors_score(&f, vector, 3, ITEMS, score);
				for (uint32_t i = 3; i < ITEMS; i++)
					WF_CHECK_NEAR((double) score[i - 3], product(&f, u, i), plain ? 0.05 : 0.01);
			}
			wf_factors_fold_in(&f, NULL, NULL, 0, scratch, vector);
			for (int j = 0; j < 8; j++)
				WF_CHECK(vector[j] == 0);
			test_host_end(&w.th);
		}
}

WF_TEST(weights_and_defaults)
{
	WfFactorSpec spec;

	WF_CHECK(wf_factors_weight(0) == 0);
	WF_CHECK(wf_factors_weight(-3) == 0);
	WF_CHECK(wf_factors_weight(NAN) == 0);
	WF_CHECK(wf_factors_weight(0.25f) == 0.25f);
	WF_CHECK(wf_factors_weight(1) == 1);
	WF_CHECK_NEAR((double) wf_factors_weight(100), 1 + log(100), 1e-5);
	for (int kind = WF_FACTORS_ALS; kind <= WF_FACTORS_NMF; kind++)
		for (int c = 0; c < WF_FACTORS_CANDIDATES; c++)
		{
			wf_factors_default((WfFactorKind) kind, c, &spec);
			WF_CHECK(spec.kind == (WfFactorKind) kind && spec.k == 20 && spec.iterations == 0);
			WF_CHECK(spec.unseen > 0 && spec.unseen < 1 && spec.regularization > 0);
		}
}

/* ---- odd shapes, refusals ---- */

WF_TEST(odd_shapes)
{
	static const struct
	{
		uint32_t	users;
		uint32_t	items;
		MakeCell	cell;
	}			shapes[] = {{1, 1, one_cell}, {7, 5, one_cell}, {3, 4, empty}, {1, 40, group_cell}, {60, 1, group_cell},
	{17, 33, group_cell}};

	for (int s = 0; s < 6; s++)
		for (int kind = WF_FACTORS_ALS; kind <= WF_FACTORS_NMF; kind++)
			for (int plain = 0; plain < 2; plain++)
			{
				World		w;
				WfFactors	f;
				WfBytes		out;
				WfFactorSpec spec = new_spec((WfFactorKind) kind, 9, 5, plain ? 1 : 0.1, plain ? 0 : 0.03);

				begin(&w, shapes[s].users, shapes[s].items, shapes[s].cell);
				wf_factors_train(&w.team, &spec, &w.m, &w.t, &f);
				wf_bytes_init(&out, &w.th.host);
				wf_factors_write(&f, &out);
				/* verifies that everything is finite */
				w.th.n_checks = 0;
				WF_CHECK(wf_factors_open(&w.th.host, out.data, out.length, &f));
				WF_CHECK(w.th.n_checks > 0);
				test_host_end(&w.th);
			}
}

static void
expect_refusal(WfFactorSpec spec)
{
	World		w;
	WfFactors	f;

	begin(&w, 4, 4, one_cell);
	WF_EXPECT_FAIL(&w.th, WF_E_PARAM, wf_factors_train(&w.team, &spec, &w.m, &w.t, &f));
	test_host_end(&w.th);
}

WF_TEST(refusals)
{
	expect_refusal(new_spec(WF_FACTORS_ALS, 0, 1, 0.1, 0.1));
	expect_refusal(new_spec(WF_FACTORS_ALS, 257, 1, 0.1, 0.1));
	expect_refusal(new_spec(WF_FACTORS_NMF, 2, 1, 1.5, 0.1));
	expect_refusal(new_spec(WF_FACTORS_NMF, 2, 1, NAN, 0.1));
	expect_refusal(new_spec(WF_FACTORS_NMF, 2, 1, 0.1, -1));
	expect_refusal(new_spec(WF_FACTORS_NMF, 2, 1, 0.1, NAN));
}

WF_TEST(time_runs_out)
{
	World		w;
	WfFactors	f;
	WfFactorSpec spec = new_spec(WF_FACTORS_ALS, 4, 50, 0.1, 0.03);

	spec.deadline = 1e-9;
	begin(&w, USERS, ITEMS, group_cell);
	wf_factors_train(&w.team, &spec, &w.m, &w.t, &f);
	WF_CHECK_EQ(w.th.n_progress, 1);
	test_host_end(&w.th);
}

/* ---- teams, paths, memory ---- */

typedef struct Run
{
	World	   *w;
	WfFactorSpec spec;
	WfBytes		out;
} Run;

static void
train_in_team(WfTeam *team, void *arg)
{
	Run		   *run = arg;
	WfFactors	f;

	wf_factors_train(team, &run->spec, &run->w->m, &run->w->t, &f);
	if (team->rank == 0)
	{
		wf_bytes_init(&run->out, team->host);
		wf_factors_write(&f, &run->out);
	}
	wf_factors_free(team, &f);
}

WF_TEST(same_bytes_for_any_team_and_processor)
{
	for (int variant = 0; variant < 3; variant++)
	{
		World		w;
		WfBytes		first = {0};

		begin(&w, USERS, ITEMS, group_cell);
		for (int size = 1; size <= 5; size++)
		{
			Run			run = {&w, new_spec(variant == 0 ? WF_FACTORS_ALS : WF_FACTORS_NMF, 11, 6,
											variant == 2 ? 1 : 0.1, 0.01), {0}};

			wf_simd_limit(size == 4 ? WF_SIMD_SCALAR : size == 5 ? WF_SIMD_AVX2 : WF_SIMD_AVX512_VBMI);
			WF_CHECK(test_team_run(&w.th, size > 3 ? 1 : size, train_in_team, &run));
			if (size == 1)
				first = run.out;
			WF_CHECK_EQ(run.out.length, first.length);
			WF_CHECK(memcmp(run.out.data, first.data, first.length) == 0);
		}
		wf_simd_limit(WF_SIMD_AVX512_VBMI);
		test_host_end(&w.th);
	}
}

WF_TEST(bytes_promised_are_kept)
{
	for (int plain = 0; plain < 2; plain++)
	{
		World		w;
		WfFactors	f;
		WfFactorSpec spec = new_spec(WF_FACTORS_NMF, 20, 2, plain ? 1 : 0.1, 0.01);
		size_t		before;

		begin(&w, 600, 200, group_cell);
		before = w.th.bytes_now;
		w.th.bytes_peak = before;
		wf_factors_train(&w.team, &spec, &w.m, &w.t, &f);
		WF_CHECK(w.th.bytes_peak - before <= wf_factors_training_bytes(600, 200, 20, 1) + 4096);
		wf_factors_free(&w.team, &f);
		WF_CHECK_EQ(w.th.bytes_now, before);
		test_host_end(&w.th);
	}
}

/* ---- failures ---- */

static bool
fails(Run *run)
{
	TestHost   *th = &run->w->th;
	jmp_buf		jb;

	th->failed = false;
	th->on_fail = &jb;
	if (setjmp(jb) == 0)
		train_in_team(&run->w->team, run);
	th->on_fail = NULL;
	return th->failed;
}

WF_TEST(every_failure_is_survived)
{
	for (int kind = 0; kind < 4; kind++)
		for (uint64_t at = 1;; at++)
		{
			World		w;
			Run			run = {&w, new_spec(kind < 2 ? WF_FACTORS_ALS : WF_FACTORS_NMF, 3, 2, kind < 2 ? 0.1 : 1, 0.01), {0}};
			bool		failed;

			begin(&w, 40, 30, group_cell);
			if (kind % 2)
				w.th.fail_alloc_at = w.th.n_allocs + at;
			else
				w.th.cancel_check_at = w.th.n_checks + at;
			failed = fails(&run);
			test_host_end(&w.th);
			WF_CHECK(failed || at > 5);
			if (!failed)
				break;
		}
}

/* ---- hostile bytes ---- */

WF_TEST(hostile_bytes)
{
	World		w;
	Run			run = {&w, new_spec(WF_FACTORS_NMF, 3, 2, 0.1, 0.01), {0}};
	float		score[200];

	begin(&w, 30, 20, group_cell);
	train_in_team(&w.team, &run);
	for (uint64_t i = 0; i < 5000; i++)
	{
		uint64_t	key = wf_rng(9, i);
		size_t		length = i % 3 == 0 ? wf_rng_below(wf_rng(key, 1), (uint32_t) run.out.length) : run.out.length;
		uint32_t	reach = (uint32_t) (i % 2 || length < 64 ? length : 64);
		uint8_t    *copy = wf_alloc_aligned(&w.th.host, length, 1);
		WfFactors	f;

		memcpy(copy, run.out.data, length);
		for (uint64_t k = 0; length && k < 1 + key % 3; k++)
			copy[wf_rng_below(wf_rng(key, 2 + k), reach)] = (uint8_t) wf_rng(key, 5 + k);
		if (wf_factors_open(&w.th.host, copy, length, &f) && f.n_items <= 200)
			for (uint32_t u = 0; u < f.n_users; u++)
				wf_factors_score(&f, wf_factors_user(&f, u), 0, f.n_items, score);
		wf_release_aligned(&w.th.host, copy);
	}
	test_host_end(&w.th);
}
