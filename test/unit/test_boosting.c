/* Whole trainings: against the plain version, the same bytes however they ran, what each option promises. */
#include "plain_boosting.h"

#include "core/simd.h"
#include "core/trees.h"

/* A smooth target with an interaction and some noise. */
static double
smooth_target(const Problem *p, uint32_t i)
{
	double		x1 = p->bins[(size_t) i * p->data.d + 1] == WF_MISSING_BIN ? 2 : problem_x(p, i, 1);

	return sin(4 * problem_x(p, i, 0)) + x1 * problem_x(p, i, 2) + 0.3 * unit_of(99, i);
}

static void
fill_targets(Problem *p)
{
	for (uint32_t i = 0; i < p->data.n; i++)
		if (p->data.target)
			p->data.target[i] = smooth_target(p, i);
		else
			p->data.label[i] = (uint16_t) ((smooth_target(p, i) * 2 + unit_of(7, i)) > 2
										   ? 1 + (int) (unit_of(8, i) * 0.4 * p->data.n_classes) % (p->data.n_classes - 1) : 0);
}

static double
squared_error(const Problem *p, const double *out)
{
	double		sum = 0;

	for (uint32_t i = 0; i < p->data.n; i++)
		sum += (out[i] - p->data.target[i]) * (out[i] - p->data.target[i]);
	return sum / p->data.n;
}

WF_TEST(agrees_with_the_plain_version)
{
	for (int kind = 0; kind < 4; kind++)
	{
		PlainRules	rules = {
			.rounds = 8, .leaves = 7, .min_rows = 5, .rate = 0.3, .l2 = kind & 1 ? 2 : 0,
			.l1 = kind & 1 ? 0.5 : 0, .logistic = kind >= 2
		};
		Problem		p;
		double	   *fast;
		double	   *plain;

		problem_begin(&p, 300, 4, rules.logistic ? 2 : 0);
		for (uint32_t i = 0; i < p.data.n; i++)
			if (unit_of(11, i) < 0.2)
				p.bins[i * 4 + 1] = WF_MISSING_BIN;
		p.data.has_missing[1] = 1;
		fill_targets(&p);
		problem_set(&p, "rounds", rules.rounds);
		problem_set(&p, "max_leaves", rules.leaves);
		problem_set(&p, "min_samples_leaf", rules.min_rows);
		problem_set(&p, "learning_rate", rules.rate);
		problem_set(&p, "l1", rules.l1);
		problem_set(&p, "l2", rules.l2);
		problem_train_alone(&p);
		fast = calloc(p.data.n, sizeof(double));
		plain = calloc(p.data.n, sizeof(double));
		problem_score(&p, p.bins, p.data.n, fast);
		plain_boost(&p, &rules, plain);
		for (uint32_t i = 0; i < p.data.n; i++)
			WF_CHECK_NEAR(fast[i], plain[i], 2e-3);
		free(fast);
		free(plain);
		problem_end(&p);
	}
}

/* ---- the same bytes ---- */

static void
set_variant(Problem *p, int variant)
{
	static const char *const losses[] = {"squared", "absolute", "huber", "quantile", "poisson", "bounded"};

	if (variant == 6)
		p->data.target[11] = 1e5;	/* 32-bit gradients */

	if (p->data.n_classes == 0)
		problem_word(p, "loss", losses[variant % 6]);
	if (p->data.n_classes == 0 && variant % 6 == 5)
		for (uint32_t i = 0; i < p->data.n; i++)
			p->data.target[i] = p->data.target[i] > 2 ? 1 : p->data.target[i] < 0 ? 0 : p->data.target[i] / 2;
	if (p->data.n_classes == 0 && variant % 6 == 4)
		for (uint32_t i = 0; i < p->data.n; i++)
			p->data.target[i] = floor(fabs(p->data.target[i]) * 5);
	if (variant % 2)
	{
		p->data.weight = calloc(p->data.n, sizeof(float));
		for (uint32_t i = 0; i < p->data.n; i++)
			p->data.weight[i] = (float) (unit_of(21, i) * 3);
		p->data.weight[3] = 0;
	}
	if (variant % 3 == 1)
		problem_set(p, "subsample", 0.6);
	if (variant % 3 == 2)
		problem_set(p, "colsample", 0.5);
	if (variant % 4 == 3)
		problem_set(p, "early_stopping_rounds", 2);
	if (variant % 5 == 4)
		p->data.monotone[0] = 1;
	problem_set(p, "rounds", 5);
	problem_set(p, "max_leaves", 9);
}

WF_TEST(order_team_and_processor_do_not_matter)
{
	for (int variant = 0; variant < 18; variant++)
	{
		Problem		p;
		uint8_t    *first = NULL;
		size_t		length = 0;

		problem_begin(&p, 1500, 7, variant < 12 ? 0 : variant < 15 ? 2 : 4);
		problem_mix(&p);
		fill_targets(&p);
		set_variant(&p, variant);
		for (int way = 0; way < 5; way++)
		{
			TestHost	th;

			test_host_begin(&th);
			p.shuffle = way == 1 ? 77 : way == 3 ? 1234 : 0;
			wf_simd_limit(way == 4 ? WF_SIMD_SCALAR : WF_SIMD_AVX512);
			WF_CHECK(problem_train(&p, &th, way == 2 ? 2 : way == 3 ? 3 : 1));
			if (way == 0)
			{
				first = p.section;
				length = p.length;
				p.section = NULL;
			}
			else
				WF_CHECK(p.length == length && memcmp(p.section, first, length) == 0);
			test_host_end(&th);
		}
		free(first);
		problem_end(&p);
	}
	wf_simd_limit(WF_SIMD_AVX512);
}

WF_TEST(rows_held_out_do_not_matter)
{
	Problem		p;
	uint8_t    *first;
	size_t		length;

	problem_begin(&p, 800, 5, 0);
	problem_mix(&p);
	fill_targets(&p);
	problem_set(&p, "rounds", 4);
	p.data.fold = calloc(p.data.n, 1);
	for (uint32_t i = 0; i < p.data.n; i++)
		p.data.fold[i] = (uint8_t) (i % 3);
	p.out_fold = 1;
	problem_train_alone(&p);
	first = p.section;
	length = p.length;
	p.section = NULL;
	for (uint32_t i = 1; i < p.data.n; i += 3)
		p.data.target[i] = -1e6;
	problem_train_alone(&p);
	WF_CHECK(p.length == length && memcmp(p.section, first, length) == 0);
	p.out_fold = -1;
	problem_train_alone(&p);
	WF_CHECK(p.length != length || memcmp(p.section, first, length) != 0);
	free(first);
	problem_end(&p);
}

WF_TEST(a_weight_of_two_is_the_row_twice)
{
	enum { N = 400 };
	Problem		one;
	Problem		two;
	static double out[2][N];

	problem_begin(&one, N, 4, 0);
	problem_begin(&two, N + N / 2, 4, 0);
	fill_targets(&one);
	one.data.weight = calloc(N, sizeof(float));
	for (uint32_t i = 0; i < two.data.n; i++)
	{
		uint32_t	from = i < N ? i : i - N;

		memcpy(two.bins + (size_t) i * 4, one.bins + (size_t) from * 4, 4);
		two.data.target[i] = one.data.target[from];
	}
	for (uint32_t i = 0; i < N; i++)
		one.data.weight[i] = i < N / 2 ? 2 : 1;
	for (int k = 0; k < 2; k++)
	{
		Problem    *p = k ? &two : &one;

		problem_set(p, "min_samples_leaf", 1);
		problem_set(p, "min_child_weight", 12);
		problem_set(p, "rounds", 5);
		problem_set(p, "max_leaves", 6);
		problem_train_alone(p);
		problem_score(p, one.bins, N, out[k]);
	}
	for (int i = 0; i < N; i++)
		WF_CHECK_NEAR(out[0][i], out[1][i], 1e-3);
	problem_end(&one);
	problem_end(&two);
}

/* ---- what options promise ---- */

WF_TEST(monotone_outputs_never_fall)
{
	static const char *const losses[] = {"squared", "absolute", "poisson", "huber"};

	for (int k = 0; k < 4; k++)
	{
		double		step = k % 2 ? 1000 : 1;	/* a scale far from that of the gradients */
		double		error = 0;
		double	   *all;

		Problem		p;
		uint8_t		rows[32][4];
		double		out[32];

		problem_begin(&p, 1000, 4, 0);
		for (uint32_t i = 0; i < p.data.n; i++)
			p.data.target[i] = step * (3 + sin(9 * problem_x(&p, i, 0)) + problem_x(&p, i, 0)
									   - 2 * problem_x(&p, i, 1) + 2 * unit_of(4, i));
		p.data.monotone[0] = 1;
		p.data.monotone[1] = -1;
		problem_word(&p, "loss", losses[k]);
		problem_set(&p, "rounds", 20);
		problem_train_alone(&p);
		WF_CHECK(p.gain[0] > 0 && p.gain[1] > 0);
		all = calloc(p.data.n, sizeof(double));
		problem_score(&p, p.bins, p.data.n, all);
		for (uint32_t i = 0; i < p.data.n; i++)
			error += fabs((k == 2 ? exp(all[i]) : all[i]) - p.data.target[i]) / p.data.n / step;
		WF_CHECK(error < 0.85);	/* the mean alone: 1.0 */
		free(all);
		for (uint32_t i = 0; i < 200; i++)
			for (int f = 0; f < 2; f++)
			{
				for (int b = 0; b < 32; b++)
				{
					memcpy(rows[b], p.bins + (size_t) i * 4, 4);
					rows[b][f] = (uint8_t) b;
				}
				problem_score(&p, rows[0], 32, out);
				for (int b = 1; b < 32; b++)
					WF_CHECK(f == 0 ? out[b] >= out[b - 1] : out[b] <= out[b - 1]);
			}
		problem_end(&p);
	}
}

/* Missing that means high, and missing that means low, each beside a weak number. */
WF_TEST(missing_goes_where_it_belongs)
{
	Problem		p;
	uint8_t		rows[4][3] = {{255, 16, 0}, {16, 255, 0}, {31, 16, 0}, {16, 0, 0}};
	double		out[4];

	problem_begin(&p, 1000, 3, 0);
	p.data.has_missing[0] = p.data.has_missing[1] = 1;
	for (uint32_t i = 0; i < p.data.n; i++)
	{
		uint8_t    *bins = p.bins + i * 3;

		if (unit_of(1, i) < 0.2)
			bins[0] = WF_MISSING_BIN;
		if (unit_of(2, i) < 0.2)
			bins[1] = WF_MISSING_BIN;
		p.data.target[i] = (bins[0] == WF_MISSING_BIN || bins[0] > 24 ? 5.0 : 0.0)
			+ (bins[1] == WF_MISSING_BIN || bins[1] < 8 ? -7.0 : 0.0) + 0.1 * unit_of(3, i);
	}
	problem_train_alone(&p);
	problem_score(&p, rows[0], 4, out);
	WF_CHECK_NEAR(out[0], 5, 0.2);
	WF_CHECK_NEAR(out[1], -7, 0.2);
	WF_CHECK_NEAR(out[2], 5, 0.2);
	WF_CHECK_NEAR(out[3], -7, 0.2);
	problem_end(&p);
}

/* Rows of values through the run-time form of the model: missing alone on a side, categories, both directions. */
WF_TEST(values_are_predicted_as_their_bins)
{
	enum { N = 1200, D = 4 };
	Problem		p;
	TestHost	th;
	uint32_t	first_cut[D];
	float		cuts[D * 31];
	static double out[N];
	WfShape		shape = {.n_features = D, .n_outputs = 1, .first_cut = first_cut, .cuts = cuts};
	void	   *opened;

	problem_begin(&p, N, D, 0);
	problem_mix(&p);
	for (uint32_t i = 0; i < N; i++)
		p.data.target[i] = (p.bins[i * D + 1] == WF_MISSING_BIN) * 3 + problem_x(&p, i, 0) + (p.bins[i * D + 3] % 3);
	problem_set(&p, "rounds", 20);
	problem_train_alone(&p);
	for (uint32_t f = 0; f < D; f++)
		first_cut[f] = f * 31;
	for (int i = 0; i < D * 31; i++)
		cuts[i] = (float) (i % 31) + 0.5f;
	shape.n_bins = p.data.n_bins;
	shape.is_category = p.data.is_category;
	problem_score(&p, p.bins, N, out);
	test_host_begin(&th);
	opened = wf_trees_open(&th.host, p.section, p.length, &shape);
	for (uint32_t i = 0; i < N; i++)
	{
		float		x[D];
		double		y;

		for (uint32_t f = 0; f < D; f++)
			x[f] = p.bins[i * D + f] == WF_MISSING_BIN ? NAN : p.bins[i * D + f];
		wf_trees_predict(opened, x, &y);
		WF_CHECK(y == out[i]);
	}
	test_host_end(&th);
	problem_end(&p);
}

WF_TEST(categories_beat_numbers_for_their_codes)
{
	double		error[2];

	for (int as_category = 0; as_category < 2; as_category++)
	{
		Problem		p;
		double	   *out;

		problem_begin(&p, 4000, 2, 0);
		p.data.n_bins[0] = 60;
		p.data.is_category[0] = (uint8_t) as_category;
		for (uint32_t i = 0; i < p.data.n; i++)
		{
			p.bins[i * 2] = (uint8_t) (wf_rng(31, i) % 60);
			p.data.target[i] = unit_of(32, p.bins[i * 2]) < 0.5 ? 0 : 1;
		}
		problem_set(&p, "rounds", 3);
		problem_set(&p, "learning_rate", 1);
		problem_set(&p, "max_leaves", 8);
		problem_train_alone(&p);
		out = calloc(p.data.n, sizeof(double));
		problem_score(&p, p.bins, p.data.n, out);
		error[as_category] = squared_error(&p, out);
		free(out);
		problem_end(&p);
	}
	WF_CHECK(error[1] < 0.01);
	WF_CHECK(error[1] < error[0] / 10);
}

/* Share of targets at or below the outputs. */
static double
coverage(const Problem *p, const double *out)
{
	double		n = 0;

	for (uint32_t i = 0; i < p->data.n; i++)
		n += p->data.target[i] <= out[i];
	return n / p->data.n;
}

WF_TEST(each_loss_fits_what_it_stands_for)
{
	enum { N = 2000 };
	static double out[N];
	Problem		p;

	problem_begin(&p, N, 4, 0);
	problem_set(&p, "rounds", 60);
	for (uint32_t i = 0; i < N; i++)
		p.data.target[i] = 1e6 + 3 * problem_x(&p, i, 0) + unit_of(5, i) * (1 + problem_x(&p, i, 1));

	problem_word(&p, "loss", "quantile");
	problem_set(&p, "quantile_alpha", 0.9);
	problem_train_alone(&p);
	problem_score(&p, p.bins, N, out);
	WF_CHECK_NEAR(coverage(&p, out), 0.9, 0.03);

	problem_word(&p, "loss", "absolute");
	problem_train_alone(&p);
	problem_score(&p, p.bins, N, out);
	WF_CHECK_NEAR(coverage(&p, out), 0.5, 0.05);

	problem_word(&p, "loss", "squared");
	problem_train_alone(&p);
	problem_score(&p, p.bins, N, out);
	WF_CHECK(squared_error(&p, out) < 0.3);

	/* Outliers: Huber's loss hardly notices, the squared one does. */
	for (uint32_t i = 0; i < N; i += 50)
		p.data.target[i] += 1000;
	problem_word(&p, "loss", "huber");
	problem_train_alone(&p);
	problem_score(&p, p.bins, N, out);
	WF_CHECK_NEAR(out[1], 1e6 + 3 * problem_x(&p, 1, 0) + 0.5 * (1 + problem_x(&p, 1, 1)), 0.5);
	problem_end(&p);
}

/* Rows a million times off must not blind the others. */
WF_TEST(outliers_leave_the_others_their_gradients)
{
	enum { N = 10000 };
	static double out[N];
	Problem		p;
	double		error = 0;

	problem_begin(&p, N, 4, 0);
	for (uint32_t i = 0; i < N; i++)
		p.data.target[i] = 3 * problem_x(&p, i, 0) + 0.1 * unit_of(5, i);
	for (uint32_t i = 0; i < N; i++)
	{
		p.bins[i * 4 + 3] = i < 10 ? 0 : i < 20 ? 2 : 1;
		p.data.target[i] = i < 10 ? 1e6 : i < 20 ? -1e6 : p.data.target[i];
	}
	p.data.n_bins[3] = 3;
	problem_set(&p, "min_samples_leaf", 10);
	problem_set(&p, "rounds", 40);
	problem_train_alone(&p);
	problem_score(&p, p.bins, N, out);
	for (uint32_t i = 20; i < N; i++)
		error += fabs(out[i] - 3 * problem_x(&p, i, 0) - 0.05) / N;
	WF_CHECK(error < 0.1);
	problem_end(&p);
}

WF_TEST(counts_and_fractions)
{
	enum { N = 2000 };
	static double out[N];
	Problem		p;
	double		error = 0;

	problem_begin(&p, N, 3, 0);
	problem_set(&p, "rounds", 60);
	for (uint32_t i = 0; i < N; i++)
		p.data.target[i] = floor(exp(3 * problem_x(&p, i, 0)) + 2 * unit_of(5, i) - 1 + 0.5);
	problem_word(&p, "loss", "poisson");
	problem_train_alone(&p);
	WF_CHECK_EQ(p.fitted.link, WF_LINK_EXP);
	problem_score(&p, p.bins, N, out);
	for (uint32_t i = 0; i < N; i++)
		error += fabs(exp(out[i]) - exp(3 * problem_x(&p, i, 0))) / N;
	WF_CHECK(error < 0.5);

	for (uint32_t i = 0; i < N; i++)
		p.data.target[i] = fmin(1, fmax(0, problem_x(&p, i, 0) + 0.2 * (unit_of(5, i) - 0.5)));
	problem_word(&p, "loss", "bounded");
	problem_train_alone(&p);
	WF_CHECK_EQ(p.fitted.link, WF_LINK_LOGISTIC);
	problem_score(&p, p.bins, N, out);
	error = 0;
	for (uint32_t i = 0; i < N; i++)
		error += fabs(1 / (1 + exp(-out[i])) - problem_x(&p, i, 0)) / N;
	WF_CHECK(error < 0.04);
	problem_end(&p);
}

WF_TEST(classes_are_told_apart)
{
	for (int n_classes = 2; n_classes <= 5; n_classes += 3)
	{
		enum { N = 2000 };
		static double out[N * 5];
		Problem		p;
		int			right = 0;

		problem_begin(&p, N, 4, n_classes);
		problem_set(&p, "rounds", 20);
		for (uint32_t i = 0; i < N; i++)
			p.data.label[i] = (uint16_t) ((int) (problem_x(&p, i, 0) * 3 + problem_x(&p, i, 1) * 2) % n_classes);
		problem_train_alone(&p);
		WF_CHECK_EQ(p.fitted.link, n_classes == 2 ? WF_LINK_LOGISTIC : WF_LINK_SOFTMAX);
		WF_CHECK_EQ(p.fitted.rounds, 20);
		problem_score(&p, p.bins, N, out);
		for (uint32_t i = 0; i < N; i++)
		{
			int			best = n_classes == 2 ? out[i] > 0 : 0;

			for (int k = 1; k < n_classes && n_classes > 2; k++)
				if (out[i * 5 + (uint32_t) k] > out[i * 5 + (uint32_t) best])
					best = k;
			right += best == p.data.label[i];
		}
		WF_CHECK(right > N * 95 / 100);
		problem_end(&p);
	}
}

WF_TEST(rounds_stop_when_told)
{
	Problem		p;

	problem_begin(&p, 1000, 4, 0);
	for (uint32_t i = 0; i < p.data.n; i++)
		p.data.target[i] = problem_x(&p, i, 0) + 5 * unit_of(77, i);	/* mostly noise */
	problem_set(&p, "rounds", 200);
	problem_set(&p, "early_stopping_rounds", 5);
	problem_train_alone(&p);
	WF_CHECK(p.fitted.rounds >= 1 && p.fitted.rounds < 60);
	p.fixed_rounds = 7;
	problem_train_alone(&p);
	WF_CHECK_EQ(p.fitted.rounds, 7);
	WF_CHECK(!p.fitted.time_limited);
	p.fixed_rounds = 0;
	p.deadline = 1e-9;			/* long ago */
	problem_train_alone(&p);
	WF_CHECK_EQ(p.fitted.rounds, 1);
	WF_CHECK(p.fitted.time_limited);
	p.deadline = 0;
	/* Nothing to learn: one tree of one leaf. */
	for (uint32_t i = 0; i < p.data.n; i++)
		p.data.target[i] = 4;
	problem_set(&p, "early_stopping_rounds", 0);
	problem_train_alone(&p);
	WF_CHECK_EQ(p.fitted.rounds, 1);
	problem_end(&p);
}

WF_TEST(a_handful_of_rows)
{
	for (uint32_t n = 1; n < 8; n++)
	{
		Problem		p;
		TestHost	th;

		problem_begin(&p, n, 3, 0);
		for (uint32_t i = 0; i < n; i++)
			p.data.target[i] = i;
		problem_set(&p, "min_samples_leaf", 1);
		problem_set(&p, "early_stopping_rounds", 3);
		problem_set(&p, "subsample", 0.5);
		test_host_begin(&th);
		WF_CHECK(problem_train(&p, &th, 3));
		WF_CHECK(p.fitted.rounds >= 1);
		test_host_end(&th);
		problem_end(&p);
	}
}

WF_TEST(depth_and_rows_limit_leaves)
{
	Problem		p;
	TestHost	th;
	WfEnsemble	e;

	problem_begin(&p, 1000, 4, 0);
	fill_targets(&p);
	problem_set(&p, "max_depth", 3);
	problem_set(&p, "rounds", 3);
	problem_train_alone(&p);
	test_host_begin(&th);
	wf_ensemble_open(&th.host, p.section, p.length, 4, p.data.is_category, 0, &e);
	for (int t = 0; t < 3; t++)
	{
		WF_CHECK_EQ(e.directory[t].depth, 3);
		WF_CHECK_EQ(e.directory[t].n_floats, 8);
	}
	test_host_end(&th);
	problem_word(&p, "max_depth", "none");
	problem_set(&p, "min_samples_leaf", 300);
	problem_train_alone(&p);
	test_host_begin(&th);
	wf_ensemble_open(&th.host, p.section, p.length, 4, p.data.is_category, 0, &e);
	WF_CHECK(e.directory[0].n_floats >= 2 && e.directory[0].n_floats <= 3);
	test_host_end(&th);
	problem_end(&p);
}

/* With many features leaves share few histograms: the tree stays the same. */
WF_TEST(histograms_given_up_come_back)
{
	Problem		few;
	Problem		many;
	static double out[2][600];

	problem_begin(&few, 600, 4, 0);
	problem_begin(&many, 600, 3000, 0);
	fill_targets(&few);
	memset(many.bins, 0, (size_t) 600 * 3000);
	for (uint32_t f = 0; f < 3000; f++)
		many.data.n_bins[f] = f < 4 ? 32 : 1;
	for (uint32_t i = 0; i < 600; i++)
	{
		memcpy(many.bins + (size_t) i * 3000, few.bins + (size_t) i * 4, 4);
		many.data.target[i] = few.data.target[i];
	}
	for (int k = 0; k < 2; k++)
	{
		Problem    *p = k ? &many : &few;
		double	   *all = out[k];

		problem_set(p, "rounds", 2);
		problem_set(p, "min_samples_leaf", 3);
		problem_set(p, "max_leaves", 24);
		problem_train_alone(p);
		problem_score(p, p->bins, 600, all);
	}
	WF_CHECK(memcmp(out[0], out[1], sizeof(out[0])) == 0);
	problem_end(&few);
	problem_end(&many);
}

/* ---- errors ---- */

static void
expect_error(Problem *p, WfCode code, const char *part)
{
	TestHost	th;

	test_host_begin(&th);
	WF_CHECK(!problem_train(p, &th, 1));
	WF_CHECK_EQ(th.code, code);
	WF_CHECK(strstr(th.message, part) != NULL);
	test_host_end(&th);
}

WF_TEST(wrong_use_is_named)
{
	Problem		p;
	Problem		c;

	problem_begin(&p, 100, 2, 0);
	for (uint32_t i = 0; i < 100; i++)
		p.data.target[i] = i;
	problem_word(&p, "loss", "bounded");
	expect_error(&p, WF_E_DATA, "between 0 and 1");
	p.data.target[0] = -1;
	problem_word(&p, "loss", "poisson");
	expect_error(&p, WF_E_DATA, "not negative");
	problem_word(&p, "loss", "logistic");
	expect_error(&p, WF_E_PARAM, "classes");
	problem_word(&p, "loss", "auto");
	p.size_limit = 100;
	expect_error(&p, WF_E_LIMIT, "exceeds 100 bytes");
	p.size_limit = 0;
	p.data.target[0] = 1e300;
	expect_error(&p, WF_E_DATA, "too large");
	p.data.weight = calloc(100, sizeof(float));
	expect_error(&p, WF_E_DATA, "no rows");
	problem_end(&p);

	problem_begin(&c, 100, 2, 3);
	problem_word(&c, "loss", "logistic");
	expect_error(&c, WF_E_PARAM, "two classes");
	problem_word(&c, "loss", "huber");
	expect_error(&c, WF_E_PARAM, "numeric");
	problem_end(&c);
}

/* Fail every allocation once and every poll once; the host finds nothing left. */
WF_TEST(every_failure_is_survived)
{
	for (int kind = 0; kind < 3; kind++)
	{
		Problem		p;
		TestHost	th;
		uint64_t	n_allocs;
		uint64_t	n_checks;

		problem_begin(&p, 120, 3, kind == 1 ? 3 : 0);
		problem_mix(&p);
		fill_targets(&p);
		problem_word(&p, "loss", kind == 2 ? "huber" : "auto");
		problem_set(&p, "rounds", 2);
		problem_set(&p, "max_leaves", 4);
		problem_set(&p, "early_stopping_rounds", 2);
		test_host_begin(&th);
		WF_CHECK(problem_train(&p, &th, 1));
		n_allocs = th.n_allocs;
		n_checks = th.n_checks;
		WF_CHECK(th.n_progress > 0 && n_checks > 0);
		test_host_end(&th);
		for (uint64_t i = 1; i <= n_allocs + n_checks; i++)
		{
			test_host_begin(&th);
			th.fail_alloc_at = i <= n_allocs ? i : 0;
			th.cancel_check_at = i > n_allocs ? i - n_allocs : 0;
			WF_CHECK(!problem_train(&p, &th, 1));
			WF_CHECK_EQ(th.code, i <= n_allocs ? WF_E_MEMORY : WF_E_INTERNAL);
			test_host_end(&th);
		}
		problem_end(&p);
	}
}

WF_TEST(estimates_are_not_below_what_is_used)
{
	Problem		p;
	TestHost	th;
	size_t		memory;
	size_t		artifact;

	problem_begin(&p, 2000, 6, 3);
	fill_targets(&p);
	wf_boosting_estimate(&p.spec, p.data.n, p.data.d, 3, &memory, &artifact);
	test_host_begin(&th);
	WF_CHECK(problem_train(&p, &th, 1));
	WF_CHECK(p.length <= artifact);
	WF_CHECK(th.bytes_peak <= memory + 65536);
	WF_CHECK(artifact < 4 * p.length);
	test_host_end(&th);
	problem_end(&p);
}
