/*
 * Champion against challenger: which rows are fresh, which of them judge, what
 * both lose on them, and how often the verdict is right.
 */
#include "sample.h"

#include "core/challenge.h"
#include "core/mathx.h"

#define MEMORY ((size_t) 1 << 30)

static void
fit(TestHost *th, Sample *s, WfFitResult *r)
{
	WfTeam		team;
	WfTeamShared shared;

	wf_team_alone(&team, &shared, &th->host);
	wf_fit(&team, &s->spec, &s->input, r);
}

/* A model of rows 0 .. n - 1. */
static WfModel *
champion_of(TestHost *th, uint32_t n, int n_classes, const char *algorithm)
{
	Sample		s;
	WfFitResult r;

	sample_make(&s, &th->host, n, n_classes, 1, MEMORY);
	sample_spec(&th->host, &s, algorithm, "none");
	fit(th, &s, &r);
	return wf_model_open(&th->host, r.artifact.data, r.artifact.length);
}

WF_TEST(only_new_rows_are_fresh_and_half_of_them_judge)
{
	for (int k = 0; k <= 3; k += k ? 1 : 2)
	{
		TestHost	th;
		Sample		s;
		WfChallenge c;
		uint32_t	n = 6000;
		uint32_t	step = 1237;
		uint64_t	judges = 0;

		test_host_begin(&th);
		sample_make(&s, &th.host, n, k, step, MEMORY);
		wf_challenge_prepare(&th.host, champion_of(&th, 2000, k, "linear"), s.schema, s.frame, s.class_of_code,
							 WF_VALIDATE_HOLDOUT, &c);
		WF_CHECK_EQ(c.state, WF_CHALLENGE_JUDGED);
		/* the filter takes a few for known */
		WF_CHECK(c.n_fresh > 3950 && c.n_fresh <= 4000);
		for (uint32_t row = 0; row < n; row++)
			if (c.mark[row])
			{
				judges++;
				WF_CHECK((uint64_t) row * step % n >= 2000);
				WF_CHECK(c.mark[row] <= c.judges.n);
			}
		WF_CHECK_EQ(judges, c.judges.n);
		WF_CHECK(judges > 1850 && judges < 2150);
		wf_challenge_free(&th.host, &c);
		test_host_end(&th);
	}
}

/* The champion's loss, from the row itself. */
static double
loss_of(const WfModel *m, uint64_t i, int k)
{
	float		x[3];
	int			level;
	double		y;
	double		out[3];
	char		text[2] = {0};

	sample_row(i, k, &x[0], &level, &x[2], &y);
	text[0] = (char) ('a' + level);
	x[1] = level < 0 ? NAN : wf_model_level(m, 1, text, 1);
	wf_model_predict(m, x, out);
	if (k == 0)
		return (y - out[0]) * (y - out[0]);
	for (int c = 0; c < k; c++)
		if (strcmp(wf_model_string(m, m->labels[c]), sample_labels[(int) y]) == 0)
			return -log(fmax(out[c], 1e-4));
	return -log(1e-4);
}

WF_TEST(losses_are_those_of_both_models)
{
	for (int k = 0; k <= 3; k += k ? 1 : 2)
	{
		TestHost	th;
		Sample		s;
		WfFitResult r;
		WfChallenge c;
		WfModel    *champion;
		uint32_t	n = 6000;
		uint32_t	step = 1237;
		uint32_t   *row_of;
		double		mean = 0;
		double		reported = NAN;

		test_host_begin(&th);
		champion = champion_of(&th, 2000, k, "gradient_boosting");
		sample_make(&s, &th.host, n, k, step, MEMORY);
		sample_spec(&th.host, &s, "gradient_boosting", "holdout");
		wf_challenge_prepare(&th.host, champion, s.schema, s.frame, s.class_of_code, WF_VALIDATE_HOLDOUT, &c);
		row_of = wf_alloc(&th.host, c.judges.n, sizeof(uint32_t));
		for (uint32_t row = 0; row < n; row++)
			if (c.mark[row])
			{
				row_of[c.mark[row] - 1] = row;
				WF_CHECK_NEAR(c.judges.champion[c.mark[row] - 1],
							  loss_of(champion, (uint64_t) row * step % n, k), 1e-6);
			}
		wf_frame_set_marks(s.frame, c.mark);
		s.input.judges = &c.judges;
		s.spec.validation = WF_VALIDATE_FRESH;
		fit(&th, &s, &r);
		for (size_t i = 0; i < c.judges.n; i++)
			mean += c.judges.challenger[i] / (double) c.judges.n;
		for (int i = 0; i < r.n_scores; i++)
			if (strcmp(r.scores[i].metric, k ? "log_loss" : "rmse") == 0)
			{
				WF_CHECK_STR(r.scores[i].split, "fresh");
				reported = r.scores[i].value;
			}
		WF_CHECK_NEAR(k ? mean : sqrt(mean), reported, k ? 1e-2 : 1e-9);
		WF_CHECK(reported > 0);
		test_host_end(&th);
	}
}

/* The order of judges, and so the bootstrap, is that of the rows' hashes, not of arrival. */
WF_TEST(any_order_of_rows_gives_the_same_verdict)
{
	WfVerdict	verdict[2];

	for (int i = 0; i < 2; i++)
	{
		TestHost	th;
		Sample		s;
		WfFitResult r;
		WfChallenge c;

		test_host_begin(&th);
		sample_make(&s, &th.host, 3000, 2, i ? 1237 : 1, MEMORY);
		sample_spec(&th.host, &s, "linear", "holdout");
		wf_challenge_prepare(&th.host, champion_of(&th, 1000, 2, "linear"), s.schema, s.frame, s.class_of_code,
							 WF_VALIDATE_HOLDOUT, &c);
		wf_frame_set_marks(s.frame, c.mark);
		s.input.judges = &c.judges;
		s.spec.validation = WF_VALIDATE_FRESH;
		fit(&th, &s, &r);
		wf_challenge_judge(&th.host, &c.judges, WF_JUDGE_LOSS, 0.01, &verdict[i]);
		test_host_end(&th);
	}
	WF_CHECK(memcmp(&verdict[0].paired, &verdict[1].paired, sizeof(WfPaired)) == 0);
}

WF_TEST(too_few_to_judge)
{
	TestHost	th;
	Sample		s;
	WfChallenge c;
	WfModel    *champion;

	test_host_begin(&th);
	champion = champion_of(&th, 2000, 2, "linear");
	sample_make(&s, &th.host, 2150, 2, 1, MEMORY);
	wf_challenge_prepare(&th.host, champion, s.schema, s.frame, s.class_of_code, WF_VALIDATE_HOLDOUT, &c);
	WF_CHECK_EQ(c.state, WF_CHALLENGE_FEW_ROWS);
	WF_CHECK(c.n_fresh > 130 && c.n_fresh <= 150);
	WF_CHECK(c.mark == NULL);
	/* the same rows again */
	sample_make(&s, &th.host, 2000, 2, 1237, MEMORY);
	wf_challenge_prepare(&th.host, champion, s.schema, s.frame, s.class_of_code, WF_VALIDATE_HOLDOUT, &c);
	WF_CHECK_EQ(c.state, WF_CHALLENGE_FEW_ROWS);
	WF_CHECK_EQ(c.n_fresh, 0);
	/* one class only: every label is made the same */
	sample_make(&s, &th.host, 3000, 2, 1, MEMORY);
	s.class_of_code[0] = s.class_of_code[1] = 0;
	wf_challenge_prepare(&th.host, champion, s.schema, s.frame, s.class_of_code, WF_VALIDATE_HOLDOUT, &c);
	WF_CHECK_EQ(c.state, WF_CHALLENGE_FEW_OF_CLASS);
	WF_CHECK_EQ(c.n_rarer, 0);
	champion->seen.n_blocks = 0;
	wf_challenge_prepare(&th.host, champion, s.schema, s.frame, s.class_of_code, WF_VALIDATE_HOLDOUT, &c);
	WF_CHECK_EQ(c.state, WF_CHALLENGE_NO_FILTER);
	test_host_end(&th);
}

/* Rows with a group of 10 or a time, the last ones fresh. */
static void
make_extra(Sample *s, WfHost *host, uint32_t n, bool group, uint32_t rows_of_group)
{
	memset(s, 0, sizeof(*s));
	s->schema = wf_schema_create(host);
	s->frame = wf_frame_create(host, MEMORY, false, group, !group);
	wf_schema_add(s->schema, "x", WF_COL_NUMBER);
	s->schema->columns[0].first_cell = wf_frame_add_column(s->frame, WF_CELL_NUMBER, NULL);
	s->schema->columns[0].n_cells = 1;
	for (uint32_t i = 0; i < n; i++)
	{
		WfCell		cell = {.number = (float) wf_rng_unit(wf_rng(5, i))};
		WfRowExtra	extra = {.weight = 1, .target = cell.number, .group = wf_mix(i / rows_of_group), .time = i % 50 == 7 ? NAN : i};

		wf_frame_append(s->frame, &cell, &extra);
	}
	wf_schema_finish(s->schema, s->frame);
	s->schema->time_zone = "UTC";
	s->input = (WfFitInput) {.schema = s->schema, .frame = s->frame, .size_limit = (size_t) 64 << 20};
	s->spec.task = WF_REGRESSION;
}

WF_TEST(groups_stay_together_and_the_latest_rows_judge)
{
	for (int group = 0; group < 2; group++)
	{
		TestHost	th;
		Sample		s;
		WfFitResult r;
		WfChallenge c;
		WfModel    *champion;
		int			torn = 0;

		test_host_begin(&th);
		make_extra(&s, &th.host, 2000, group, 10);
		sample_spec(&th.host, &s, "linear", "none");
		fit(&th, &s, &r);
		champion = wf_model_open(&th.host, r.artifact.data, r.artifact.length);
		make_extra(&s, &th.host, 4000, group, 10);
		wf_challenge_prepare(&th.host, champion, s.schema, s.frame, NULL,
							 group ? WF_VALIDATE_GROUP : WF_VALIDATE_TIME, &c);
		WF_CHECK_EQ(c.state, WF_CHALLENGE_JUDGED);
		WF_CHECK(c.judges.n > 800 && c.judges.n < 1200);
		for (uint32_t i = 2000; i < 4000; i++)
			if (!group)
				WF_CHECK(c.mark[i] == 0 || i > 2900);
			else if (i % 10)
				/* but for rows that the filter takes for known */
				torn += (c.mark[i] == 0) != (c.mark[i - 1] == 0);
		WF_CHECK(torn < 40);
		test_host_end(&th);
	}
}

/* Rows of a group are alike, so 1,000 rows of few groups prove little. */
WF_TEST(groups_are_what_counts)
{
	for (uint32_t rows = 10; rows <= 200; rows += 190)
	{
		TestHost	th;
		Sample		s;
		WfFitResult r;
		WfChallenge c;
		WfModel    *champion;
		size_t		units = 0;

		test_host_begin(&th);
		make_extra(&s, &th.host, 2000, true, rows);
		sample_spec(&th.host, &s, "linear", "none");
		fit(&th, &s, &r);
		champion = wf_model_open(&th.host, r.artifact.data, r.artifact.length);
		make_extra(&s, &th.host, 4000, true, rows);
		wf_challenge_prepare(&th.host, champion, s.schema, s.frame, NULL, WF_VALIDATE_GROUP, &c);
		WF_CHECK_EQ(c.state, rows == 10 ? WF_CHALLENGE_JUDGED : WF_CHALLENGE_FEW_GROUPS);
		if (c.state == WF_CHALLENGE_JUDGED)
		{
			for (size_t i = 1; i < c.judges.n; i++)
				units += c.judges.unit[i] != c.judges.unit[i - 1];
			WF_CHECK(units > 70 && units < 130);
		}
		else
			WF_CHECK(c.n_rarer < WF_CHALLENGE_GROUPS && c.mark == NULL);
		test_host_end(&th);
	}
}

/* A label that only judges have could not be learned: its rows do not judge. */
WF_TEST(no_label_is_left_to_judges)
{
	TestHost	th;
	Sample		s;
	WfFitResult r;
	WfChallenge c;
	uint32_t	alone = 0;

	test_host_begin(&th);
	sample_make(&s, &th.host, 4000, 2, 1, MEMORY);
	sample_spec(&th.host, &s, "linear", "holdout");
	/* a third label of one fresh row, that would judge */
	wf_challenge_prepare(&th.host, champion_of(&th, 2000, 2, "linear"), s.schema, s.frame, s.class_of_code,
						 WF_VALIDATE_HOLDOUT, &c);
	while (c.mark[alone] == 0)
		alone++;
	s.schema->n_classes = 3;
	s.class_of_code[2] = 2;
	s.schema->labels = (char *[]) {s.schema->labels[0], s.schema->labels[1], (char *) "maybe"};
	wf_frame_set_target(s.frame, alone, 2);
	wf_challenge_prepare(&th.host, champion_of(&th, 2000, 2, "linear"), s.schema, s.frame, s.class_of_code,
						 WF_VALIDATE_HOLDOUT, &c);
	WF_CHECK_EQ(c.state, WF_CHALLENGE_JUDGED);
	WF_CHECK_EQ(c.mark[alone], 0);
	wf_frame_set_marks(s.frame, c.mark);
	s.input.judges = &c.judges;
	s.spec.validation = WF_VALIDATE_FRESH;
	fit(&th, &s, &r);
	WF_CHECK(r.artifact.length > 0);
	test_host_end(&th);
}

/* ---- time between looks at the host ---- */

/* Each pass over many judges, or cases, can be cancelled. */
WF_TEST(long_passes_look_at_the_host)
{
	const size_t n = 10 * 65536;
	TestHost	th;
	WfJudges	judges = {.n = n};
	WfVerdict	verdict;
	uint64_t	before;

	test_host_begin(&th);
	judges.weight = wf_alloc(&th.host, n, sizeof(double));
	judges.champion = wf_alloc(&th.host, n, sizeof(double));
	judges.challenger = wf_alloc(&th.host, n, sizeof(double));
	judges.order = wf_alloc(&th.host, n, sizeof(uint32_t));
	for (size_t i = 0; i < n; i++)
	{
		judges.weight[i] = judges.champion[i] = judges.challenger[i] = 1;
		judges.order[i] = (uint32_t) (n - 1 - i);
	}
	before = th.n_checks;
	wf_challenge_judge(&th.host, &judges, WF_JUDGE_LOSS, 0.01, &verdict);
	WF_CHECK(th.n_checks - before >= WF_PAIRED_ROUNDS + n / WF_PAIRED_UNITS + 2 * 10);
	WF_CHECK(verdict.wins);
	test_host_end(&th);
}

WF_TEST(long_passes_over_cases_look_at_the_host)
{
	TestHost	th;
	WfModel		champion = {0};
	WfEventLog	log = {.n_cases = 10 * 65536};
	uint64_t	filter[8];
	uint64_t   *hash;
	WfChallenge c;
	uint64_t	before;

	test_host_begin(&th);
	/* a filter that knows every case */
	memset(filter, 0xff, sizeof(filter));
	champion.seen = (WfSeen) {.blocks = filter, .n_blocks = 1};
	log.case_hash = hash = wf_alloc_zero(&th.host, log.n_cases, sizeof(uint64_t));
	before = th.n_checks;
	wf_challenge_prepare_cases(&th.host, &champion, &log, WF_VALIDATE_HOLDOUT, &c);
	WF_CHECK(th.n_checks - before >= 2 * 10);
	WF_CHECK_EQ(c.state, WF_CHALLENGE_FEW_ROWS);
	wf_challenge_free(&th.host, &c);
	wf_release(&th.host, hash);
	test_host_end(&th);
}

/* ---- how often the verdict is right ---- */

static double
normal(uint64_t key)
{
	return sqrt(-2 * log(wf_rng_unit(wf_rng(key, 1)) + 1e-300)) * cos(6.283185307179586 * wf_rng_unit(wf_rng(key, 2)));
}

/*
 * Two models of a probability, with errors of standard deviations a and b in
 * their logits, half of whose variance they share, as models of mostly the
 * same rows do; a tenth of the labels is wrong.  The losses of n
 * judges, and (expected) what each model loses in truth.
 */
static void
simulate(uint64_t seed, size_t n, double a, double b, WfJudges *judges, double expected[2])
{
	expected[0] = expected[1] = 0;
	for (size_t i = 0; i < n; i++)
	{
		uint64_t	key = wf_rng(seed, i);
		double		logit = 1.5 * normal(wf_rng(key, 1));
		double		truth = 0.1 + 0.8 / (1 + exp(-logit));
		bool		label = wf_rng_unit(wf_rng(key, 2)) < truth;
		double		spread[2] = {a, b};
		double	   *loss[2] = {judges ? judges->champion : NULL, judges ? judges->challenger : NULL};

		for (int m = 0; m < 2; m++)
		{
			double		error = sqrt(0.5) * (normal(wf_rng(key, 3)) + normal(wf_rng(key, (uint64_t) m + 4)));
			double		p = 0.1 + 0.8 / (1 + exp(-logit - spread[m] * error));
			double		out[2] = {1 - p, p};

			expected[m] -= (truth * log(p) + (1 - truth) * log(1 - p)) / (double) n;
			if (judges)
				loss[m][i] = wf_row_loss(out, label, 0);
		}
		if (judges)
		{
			judges->weight[i] = 1;
			judges->order[i] = (uint32_t) i;
		}
	}
}

/* The challenger's error that makes it lose the champion's loss × (1 + relative), by bisection. */
static double
error_for(double a, double relative)
{
	double		low = 0;
	double		high = 5;

	for (int step = 0; step < 12; step++)
	{
		double		middle = (low + high) / 2;
		double		expected[2];

		simulate(12345, 5000, a, middle, NULL, expected);
		if (expected[1] / expected[0] - 1 < relative)
			low = middle;
		else
			high = middle;
	}
	return (low + high) / 2;
}

static int
activated(double a, double b, size_t n, int seeds)
{
	int			wins = 0;

	for (int seed = 0; seed < seeds; seed++)
	{
		TestHost	th;
		WfJudges	judges = {.n = n};
		WfVerdict	verdict;
		double		expected[2];

		test_host_begin(&th);
		judges.weight = wf_alloc(&th.host, n, sizeof(double));
		judges.champion = wf_alloc(&th.host, n, sizeof(double));
		judges.challenger = wf_alloc(&th.host, n, sizeof(double));
		judges.order = wf_alloc(&th.host, n, sizeof(uint32_t));
		simulate((uint64_t) seed + 1, n, a, b, &judges, expected);
		wf_challenge_judge(&th.host, &judges, WF_JUDGE_LOSS, 0.01, &verdict);
		wins += verdict.wins;
		test_host_end(&th);
	}
	return wins;
}

WF_TEST(worse_ones_hardly_win_and_better_ones_mostly)
{
	int			seeds = getenv("WF_VERBOSE") ? 200 : 40;
	double		error = 0.9;

	/* 2,000 fresh rows: 1,000 judges; with few judges caution grows */
	int			worse = activated(error, error_for(error, 0.03), 1000, seeds);
	int			worse_few = activated(error, error_for(error, 0.03), 100, seeds);
	int			better = activated(error, error_for(error, -0.03), 1000, seeds);

	WF_CHECK(worse <= seeds * 5 / 100);
	WF_CHECK(worse_few <= seeds * 5 / 100);
	WF_CHECK(better >= seeds * 80 / 100);
	if (getenv("WF_VERBOSE"))
		printf("of %d: 3 %% worse %d (100 judges: %d), 3 %% better %d\n", seeds, worse, worse_few, better);
}

WF_TEST(perfect_models_and_weights)
{
	TestHost	th;
	double		zero[100] = {0};
	double		some[100];
	double		weight[100];
	uint32_t	order[100];
	WfJudges	judges = {.n = 100, .weight = weight, .champion = zero, .challenger = zero, .order = order};
	WfVerdict	verdict;

	test_host_begin(&th);
	for (uint32_t i = 0; i < 100; i++)
	{
		some[i] = i % 2;
		weight[i] = i % 2 ? 3 : 1;
		order[i] = i;
	}
	wf_challenge_judge(&th.host, &judges, WF_JUDGE_ROOT, 0.01, &verdict);
	WF_CHECK(verdict.wins);
	judges.challenger = some;
	wf_challenge_judge(&th.host, &judges, WF_JUDGE_ROOT, 0.01, &verdict);
	WF_CHECK(!verdict.wins);
	/* odd rows weigh three times as much */
	WF_CHECK_NEAR(verdict.paired.b, sqrt(0.75), 1e-12);
	judges.champion = some;
	judges.challenger = zero;
	wf_challenge_judge(&th.host, &judges, WF_JUDGE_ROOT, 0.01, &verdict);
	WF_CHECK(verdict.wins);
	/* as gains it is the other way round */
	wf_challenge_judge(&th.host, &judges, WF_JUDGE_GAIN, 0.01, &verdict);
	WF_CHECK(!verdict.wins);
	WF_CHECK_NEAR(verdict.bound, 1, 1e-12);
	judges.challenger = some;
	wf_challenge_judge(&th.host, &judges, WF_JUDGE_GAIN, 0.01, &verdict);
	WF_CHECK(verdict.wins);
	some[3] = INFINITY;
	judges.challenger = some;
	judges.champion = zero;
	wf_challenge_judge(&th.host, &judges, WF_JUDGE_ROOT, 0.01, &verdict);
	WF_CHECK(!verdict.wins);
	test_host_end(&th);
}

/* Fail the n-th allocation (cancel at the n-th check) for every n until a challenge runs through. */
static void
inject(bool cancel)
{
	TestHost	keeper;
	WfModel    *champion;
	volatile uint64_t runs = 0;
	volatile bool through = false;

	test_host_begin(&keeper);
	champion = champion_of(&keeper, 200, 2, "linear");
	for (volatile uint64_t n = 1; !through; n++)
	{
		TestHost	th;
		Sample		s;
		WfFitResult r;
		WfChallenge c;
		WfVerdict	verdict;
		jmp_buf		jb;

		test_host_begin(&th);
		th.on_fail = &jb;
		if (cancel)
			th.cancel_check_at = n;
		else
			th.fail_alloc_at = n;
		if (setjmp(jb) == 0)
		{
			/* cells are spooled */
			sample_make(&s, &th.host, 700, 2, 1, 0);
			sample_spec(&th.host, &s, "linear", "holdout");
			wf_challenge_prepare(&th.host, champion, s.schema, s.frame, s.class_of_code, WF_VALIDATE_HOLDOUT, &c);
			wf_frame_set_marks(s.frame, c.mark);
			s.input.judges = &c.judges;
			s.spec.validation = WF_VALIDATE_FRESH;
			fit(&th, &s, &r);
			wf_challenge_judge(&th.host, &c.judges, WF_JUDGE_LOSS, 0.01, &verdict);
			through = true;
		}
		else
			WF_CHECK(th.code == WF_E_MEMORY || strcmp(th.message, "cancelled") == 0);
		test_host_end(&th);
		runs++;
	}
	WF_CHECK(runs > 3);
	test_host_end(&keeper);
}

WF_TEST(every_allocation_and_every_check_may_fail)
{
	inject(false);
	inject(true);
}
