/*
 * Whole trainings: better than trivial, the same bytes in any row order and
 * any team, and clean after every failure that can be injected.
 */
#include "sample.h"

static const char *const algorithms[] = {"random_forest", "gradient_boosting", "linear"};
#define N_ALGORITHMS 3

static void
fit_alone(TestHost *th, Sample *s, WfFitResult *r)
{
	WfTeam		team;
	WfTeamShared shared;

	wf_team_alone(&team, &shared, &th->host);
	wf_fit(&team, &s->spec, &s->input, r);
}

static double
score_of(const WfFitResult *r, const char *metric, double *baseline)
{
	for (int i = 0; i < r->n_scores; i++)
		if (strcmp(r->scores[i].metric, metric) == 0)
		{
			*baseline = r->scores[i].baseline;
			return r->scores[i].value;
		}
	*baseline = NAN;
	return NAN;
}

WF_TEST(every_algorithm_beats_the_trivial_model)
{
	for (int a = 0; a < N_ALGORITHMS; a++)
		for (int k = 0; k <= 3; k += k ? 1 : 2)
			for (int v = 0; v < 2; v++)
			{
				TestHost	th;
				Sample		s;
				WfFitResult r;
				double		baseline;
				double		score;

				test_host_begin(&th);
				sample_make(&s, &th.host, 2000, k, 1, (size_t) 1 << 30);
				sample_spec(&th.host, &s, algorithms[a], v ? "cv" : "holdout");
				fit_alone(&th, &s, &r);
				score = score_of(&r, k ? "accuracy" : "r2", &baseline);
				WF_CHECK(score > (k ? 0.85 : 0.80));
				WF_CHECK(baseline < (k ? 0.7 : 0.05));
				if (k)
				{
					WF_CHECK(score_of(&r, "log_loss", &baseline) < 0.6 * baseline);
					/* ten trees: a row is out of bag in four, too few to calibrate well on */
					WF_CHECK(score_of(&r, "ece", &baseline) < (a == 0 ? 0.15 : 0.1));
				}
				WF_CHECK_EQ(r.headline, 0);
				WF_CHECK_EQ(r.training_rows, 2000);
				test_host_end(&th);
			}
}

/* Trained and opened again, a model says of a row what the row is. */
WF_TEST(the_artifact_predicts)
{
	for (int a = 0; a < N_ALGORITHMS; a++)
		for (int k = 0; k <= 3; k += k ? 1 : 2)
		{
			TestHost	th;
			Sample		s;
			WfFitResult r;
			WfModel    *m;
			double		error = 0;
			int			right = 0;

			test_host_begin(&th);
			sample_make(&s, &th.host, 2000, k, 1, (size_t) 1 << 30);
			sample_spec(&th.host, &s, algorithms[a], "none");
			fit_alone(&th, &s, &r);
			m = wf_model_open(&th.host, r.artifact.data, r.artifact.length);
			WF_CHECK_EQ(m->header->n_columns, 3);
			WF_CHECK_STR(m->header->algorithm, algorithms[a]);
			for (uint64_t i = 5000; i < 6000; i++)
			{
				float		x[3];
				int			level;
				double		y;
				double		out[3];
				double		sum = 0;
				char		text[2] = {0};

				sample_row(i, k, &x[0], &level, &x[2], &y);
				text[0] = (char) ('a' + level);
				x[1] = level < 0 ? NAN : wf_model_level(m, 1, text, 1);
				wf_model_predict(m, x, out);
				for (int c = 0; c < k; c++)
					sum += out[c];
				if (k)
				{
					WF_CHECK_NEAR(sum, 1, 1e-9);
					right += wf_best_class(out, k) == (int) y;
				}
				else
					error += fabs(out[0] - y);
			}
			if (k)
				WF_CHECK(right > 850);
			else
				WF_CHECK(error / 1000 < 1);
			test_host_end(&th);
		}
}

typedef struct TeamFit
{
	Sample	   *s;
	WfFitResult *r;
} TeamFit;

static void
fit_in_team(WfTeam *team, void *arg)
{
	TeamFit    *f = arg;

	wf_fit(team, &f->s->spec, team->rank == 0 ? &f->s->input : NULL, team->rank == 0 ? f->r : NULL);
}

static void
train_bytes(TestHost *th, const char *algorithm, int k, const char *validation, int team, uint32_t step,
			size_t memory_limit, WfFitResult *r)
{
	Sample		s;
	TeamFit		f = {&s, r};

	sample_make(&s, &th->host, 1500, k, step, memory_limit);
	sample_spec(&th->host, &s, algorithm, validation);
	WF_CHECK(test_team_run(th, team, fit_in_team, &f));
}

WF_TEST(same_bytes_in_any_team_and_row_order)
{
	for (int a = 0; a < N_ALGORITHMS; a++)
		for (int k = 0; k <= 3; k += k ? 1 : 2)
		{
			TestHost	first;
			WfFitResult expected;

			test_host_begin(&first);
			train_bytes(&first, algorithms[a], k, "holdout", 1, 1, (size_t) 1 << 30, &expected);
			for (int variant = 0; variant < 4; variant++)
			{
				static const int team[] = {2, 3, 1, 5};
				static const uint32_t step[] = {1, 7, 1499, 11};
				static const size_t limit[] = {(size_t) 1 << 30, 0, 0, (size_t) 1 << 30};
				TestHost	th;
				WfFitResult r;

				test_host_begin(&th);
				train_bytes(&th, algorithms[a], k, "holdout", team[variant], step[variant], limit[variant], &r);
				WF_CHECK_EQ(r.artifact.length, expected.artifact.length);
				WF_CHECK(r.artifact.length == expected.artifact.length &&
						 memcmp(r.artifact.data, expected.artifact.data, r.artifact.length) == 0);
				WF_CHECK_EQ(r.n_scores, expected.n_scores);
				for (int i = 0; i < r.n_scores; i++)
					WF_CHECK_NEAR(r.scores[i].value, expected.scores[i].value, 1e-12);
				test_host_end(&th);
			}
			test_host_end(&first);
		}
}

/* Balanced weights move answers towards the rare class, not the probabilities. */
WF_TEST(class_weights_move_answers_only)
{
	for (int a = 0; a < N_ALGORITHMS; a++)
	{
		double		mean[2];
		int			answers[2];

		for (int balanced = 0; balanced < 2; balanced++)
		{
			TestHost	th;
			Sample		s;
			WfFitResult r;
			WfModel    *m;

			test_host_begin(&th);
			sample_make(&s, &th.host, 3000, 2, 1, (size_t) 1 << 30);
			sample_spec(&th.host, &s, algorithms[a], "none");
			if (balanced)
				sample_set_word(&th.host, &s.spec, "class_weight", "balanced");
			fit_alone(&th, &s, &r);
			m = wf_model_open(&th.host, r.artifact.data, r.artifact.length);
			mean[balanced] = 0;
			answers[balanced] = 0;
			for (uint64_t i = 5000; i < 6000; i++)
			{
				/* only what cannot be told apart is left: the noise column */
				float		x[3] = {NAN, NAN, (float) wf_rng_unit(i)};
				double		out[2];

				wf_model_predict(m, x, out);
				mean[balanced] += out[1] / 1000;
				answers[balanced] += wf_output_label(&m->output, out);
			}
			WF_CHECK((m->output.class_weight != NULL) == balanced);
			test_host_end(&th);
		}
		WF_CHECK_NEAR(mean[1], mean[0], 0.12);
		WF_CHECK(answers[1] >= answers[0]);
	}
}

WF_TEST(a_leak_is_noticed)
{
	TestHost	th;
	Sample		s;
	WfFitResult r;

	test_host_begin(&th);
	sample_make(&s, &th.host, 500, 2, 1, (size_t) 1 << 30);
	sample_spec(&th.host, &s, "gradient_boosting", "none");
	fit_alone(&th, &s, &r);
	WF_CHECK_EQ(r.leak_column, -1);
	test_host_end(&th);

	/* Swap in labels that say nothing but whether x is positive. */
	test_host_begin(&th);
	sample_make(&s, &th.host, 500, 2, 1, (size_t) 1 << 30);
	for (uint64_t i = 0; i < 500; i++)
	{
		float		x;
		float		noise;
		int			level;
		double		y;

		sample_row(i, 2, &x, &level, &noise, &y);
		wf_frame_set_target(s.frame, i, x > 0 ? 1 : 0);
	}
	sample_spec(&th.host, &s, "gradient_boosting", "none");
	fit_alone(&th, &s, &r);
	WF_CHECK_EQ(r.leak_column, 0);
	WF_CHECK(r.leak_auc > 0.99);
	test_host_end(&th);
}

WF_TEST(unknown_label_in_class_weight)
{
	TestHost	th;
	Sample		s;
	WfFitResult r;
	WfPair		pair = {"never", 2};
	WfParamInput in = {.kind = WF_INPUT_PAIRS, .n_pairs = 1, .pairs = &pair};

	test_host_begin(&th);
	sample_make(&s, &th.host, 200, 2, 1, (size_t) 1 << 30);
	sample_spec(&th.host, &s, "gradient_boosting", "none");
	wf_params_set(&th.host, &s.spec, "class_weight", &in);
	WF_EXPECT_FAIL(&th, WF_E_PARAM, fit_alone(&th, &s, &r));
	WF_CHECK(strstr(th.message, "never") != NULL);
	test_host_end(&th);
}

/* Fail the n-th allocation (cancel at the n-th check) for every n until a training runs through. */
static void
inject(const char *algorithm, int k, bool cancel)
{
	volatile uint64_t runs = 0;
	volatile bool through = false;

	for (volatile uint64_t n = 1; !through; n++)
	{
		TestHost	th;
		Sample		s;
		WfFitResult r;
		jmp_buf		jb;

		test_host_begin(&th);
		th.on_fail = &jb;
		if (cancel)
			th.cancel_check_at = n;
		else
			th.fail_alloc_at = n;
		if (setjmp(jb) == 0)
		{
			sample_make(&s, &th.host, 120, k, 1, 0);
			sample_spec(&th.host, &s, algorithm, "holdout");
			fit_alone(&th, &s, &r);
			through = true;
		}
		else
			WF_CHECK(th.code == WF_E_MEMORY || strcmp(th.message, "cancelled") == 0);
		test_host_end(&th);
		runs++;
	}
	WF_CHECK(runs > 3);
}

WF_TEST(every_allocation_may_fail)
{
	for (int a = 0; a < N_ALGORITHMS; a++)
		inject(algorithms[a], a == 0 ? 3 : a == 1 ? 0 : 2, false);
}

WF_TEST(every_check_may_cancel)
{
	for (int a = 0; a < N_ALGORITHMS; a++)
		inject(algorithms[a], a == 0 ? 2 : a == 1 ? 3 : 0, true);
}
