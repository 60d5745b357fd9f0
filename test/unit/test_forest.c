/* Training of whole forests: any team, size rule, limits, out-of-bag, failures. */
#include "forest_maker.h"

#include "core/forest.h"
#include "core/outofbag.h"
#include "core/simd.h"

/* One training of a made data set. */
typedef struct Job
{
	Made		made;
	WfSpec		spec;
	WfTraining	training;
	WfFitted	fitted;
	TestHost	th;
} Job;

static void
set_number(Job *job, const char *name, double x)
{
	WfParamInput input = {.kind = WF_INPUT_NUMBER, .number = x};

	wf_params_set(&job->th.host, &job->spec, name, &input);
}

static void
job_begin(Job *job, uint32_t n, uint32_t d, int k, bool weighted)
{
	memset(job, 0, sizeof(*job));
	test_host_begin(&job->th);
	made_create(&job->made, &job->th.host, 5, n, d, k, 100, true, true, weighted);
	job->spec.algorithm = wf_algorithm_find("random_forest");
	job->spec.task = k ? WF_CLASSIFICATION : WF_REGRESSION;
	wf_params_defaults(&job->spec);
	job->spec.seed = 3;
	set_number(job, "trees", 10);
	job->training = (WfTraining) {.spec = &job->spec, .data = &job->made.data, .out_fold = -1, .report = true};
}

static void
train_member(WfTeam *team, void *arg)
{
	Job		   *job = arg;
	WfTraining	training = job->training;
	WfFitted	fitted;

	training.team = team;
	wf_forest_train(&training, &fitted);
	if (team->rank == 0)
		job->fitted = fitted;
}

static bool
job_train(Job *job, int team)
{
	return test_team_run(&job->th, team, train_member, job);
}

static void
open_model(Job *job, WfEnsemble *e)
{
	wf_ensemble_open(&job->th.host, job->fitted.section.data, job->fitted.section.length,
					 job->made.data.d, job->made.data.is_category, job->made.data.n_classes, e);
}

static bool
same_fit(const WfFitted *a, const WfFitted *b, uint32_t d, int n_outputs)
{
	return a->section.length == b->section.length &&
		memcmp(a->section.data, b->section.data, a->section.length) == 0 &&
		memcmp(a->gain, b->gain, d * sizeof(double)) == 0 &&
		memcmp(a->splits, b->splits, d * sizeof(double)) == 0 &&
		a->n_oob == b->n_oob &&
		memcmp(a->oob_row, b->oob_row, a->n_oob * sizeof(uint32_t)) == 0 &&
		memcmp(a->oob_out, b->oob_out, a->n_oob * (size_t) n_outputs * sizeof(double)) == 0;
}

WF_TEST(any_team_and_any_simd_give_the_same_model)
{
	static const int classes[] = {0, 2, 3, 7};

	for (int c = 0; c < 4; c++)
	{
		Job			job;
		WfFitted	first;

		job_begin(&job, 700, 9, classes[c], c == 1);
		WF_CHECK(job_train(&job, 1));
		first = job.fitted;
		WF_CHECK_EQ(first.rounds, 10);
		WF_CHECK(!first.time_limited);
		WF_CHECK_EQ(first.link, classes[c] ? WF_LINK_PROBABILITY : WF_LINK_IDENTITY);
		for (int team = 2; team <= 3; team++)
		{
			WF_CHECK(job_train(&job, team));
			WF_CHECK(same_fit(&first, &job.fitted, 9, wf_n_outputs(classes[c])));
		}
		wf_simd_limit(WF_SIMD_SCALAR);
		WF_CHECK(job_train(&job, 2));
		wf_simd_limit(WF_SIMD_AVX512);
		WF_CHECK(same_fit(&first, &job.fitted, 9, wf_n_outputs(classes[c])));
		job.spec.seed = 4;
		WF_CHECK(job_train(&job, 1));
		WF_CHECK(!same_fit(&first, &job.fitted, 9, wf_n_outputs(classes[c])));
		test_host_end(&job.th);
	}
}

/* The written model says what the grown trees say, and learns the training rows. */
WF_TEST(model_fits_its_rows)
{
	static const int classes[] = {0, 2, 5};

	for (int c = 0; c < 3; c++)
	{
		int			k = classes[c];
		Job			job;
		WfEnsemble	e;
		double		right = 0;
		double		error = 0;
		double		spread = 0;

		job_begin(&job, 600, 8, k, false);
		set_number(&job, "trees", 40);
		WF_CHECK(job_train(&job, 1));
		open_model(&job, &e);
		WF_CHECK_EQ(e.header->n_trees, 40);
		for (uint32_t i = 0; i < 600; i++)
		{
			double		out[8];
			int			best = 0;

			wf_ensemble_score_bins(&e, wf_dataset_row(&job.made.data, i), out);
			if (k == 0)
			{
				error += (out[0] - job.made.data.target[i]) * (out[0] - job.made.data.target[i]);
				spread += (job.made.data.target[i] - 100) * (job.made.data.target[i] - 100);
				continue;
			}
			if (k == 2)
				best = out[0] > 0.5;
			else
				for (int j = 1; j < k; j++)
					best = out[j] > out[best] ? j : best;
			right += best == job.made.data.label[i];
		}
		WF_CHECK(k == 0 ? error < 0.2 * spread : right > 580);
		test_host_end(&job.th);
	}
}

/* Out-of-bag outputs again, straight from the model: one model per tree. */
WF_TEST(out_of_bag_is_what_other_trees_say)
{
	for (int k = 0; k <= 3; k++)
	{
		Job			job;
		WfEnsemble	e;
		uint32_t	at = 0;
		int			outputs = wf_n_outputs(k);

		if (k == 1)
			continue;
		job_begin(&job, 300, 8, k, false);
		job.made.data.fold = wf_alloc_zero(&job.th.host, 300, 1);
		for (uint32_t i = 0; i < 300; i++)
			job.made.data.fold[i] = i % 3 == 0;
		job.training.out_fold = 1;
		WF_CHECK(job_train(&job, 2));
		open_model(&job, &e);
		for (uint32_t i = 0; i < 300; i++)
		{
			double		sum[3] = {0};
			int			n = 0;

			job.made.plan.seed = job.spec.seed;
			for (uint32_t t = 0; t < 10 && i % 3; t++)
				if (wf_bag_draws(&job.made.plan, wf_bag_key(&job.made.plan, t), i) == 0)
				{
					wf_ensemble_add_bins(&e, t, t + 1, wf_dataset_row(&job.made.data, i), sum);
					n++;
				}
			if (n == 0)
				continue;
			WF_CHECK(at < job.fitted.n_oob);
			if (at >= job.fitted.n_oob)
				break;
			WF_CHECK_EQ(job.fitted.oob_row[at], i);
			for (int o = 0; o < outputs; o++)
				WF_CHECK_NEAR(job.fitted.oob_out[at * (uint32_t) outputs + (uint32_t) o], sum[o] / n, 1e-5 * (k ? 1 : 100));
			at++;
		}
		WF_CHECK_EQ(at, job.fitted.n_oob);
		WF_CHECK(at > 190);
		test_host_end(&job.th);
	}
}

WF_TEST(no_bootstrap_no_out_of_bag)
{
	Job			job;
	WfParamInput off = {.kind = WF_INPUT_BOOL, .number = 0};

	job_begin(&job, 100, 5, 2, false);
	wf_params_set(&job.th.host, &job.spec, "bootstrap", &off);
	WF_CHECK(job_train(&job, 1));
	WF_CHECK_EQ(job.fitted.n_oob, 0);
	test_host_end(&job.th);
}

/* "auto" makes leaves larger until the model fits, alike in every team; a number is refused. */
WF_TEST(size_decides_min_samples_leaf)
{
	Job			job;
	WfFitted	first;
	size_t		full;

	job_begin(&job, 3000, 6, 2, false);
	WF_CHECK(job_train(&job, 1));
	full = job.fitted.section.length;
	WF_CHECK_EQ(strlen(job.th.notices), 0);
	job.training.size_limit = full / 3;
	WF_CHECK(job_train(&job, 1));
	first = job.fitted;
	WF_CHECK(first.section.length <= full / 3);
	WF_CHECK(first.section.length >= full / 12);
	WF_CHECK(strstr(job.th.notices, "\"min_samples_leaf\" is ") != NULL);
	WF_CHECK(job_train(&job, 3));
	WF_CHECK(same_fit(&first, &job.fitted, 6, 1));
	set_number(&job, "min_samples_leaf", 1);
	for (int team = 1; team <= 2; team++)
	{
		WF_CHECK(!job_train(&job, team));
		WF_CHECK_EQ(job.th.code, WF_E_LIMIT);
		WF_CHECK(strstr(job.th.message, "more than the limit") != NULL);
	}
	job.training.size_limit = full * 2;
	WF_CHECK(job_train(&job, 1));
	WF_CHECK_EQ(job.fitted.section.length, full);
	test_host_end(&job.th);
}

WF_TEST(deadline_keeps_the_trees_done)
{
	Job			job;

	job_begin(&job, 200, 5, 2, false);
	job.training.deadline = 1e-9;
	for (int team = 1; team <= 3; team++)
	{
		WfEnsemble	e;

		WF_CHECK(job_train(&job, team));
		WF_CHECK_EQ(job.fitted.rounds, 1);
		WF_CHECK(job.fitted.time_limited);
		open_model(&job, &e);
		WF_CHECK_EQ(e.header->n_trees, 1);
	}
	test_host_end(&job.th);
}

WF_TEST(parameters_shape_trees)
{
	Job			job;
	WfEnsemble	e;

	job_begin(&job, 500, 9, 2, false);
	set_number(&job, "max_depth", 3);
	WF_CHECK(job_train(&job, 1));
	open_model(&job, &e);
	for (uint32_t t = 0; t < 10; t++)
		WF_CHECK_EQ(e.directory[t].depth, 3);
	set_number(&job, "max_leaf_nodes", 5);
	WF_CHECK(job_train(&job, 2));
	open_model(&job, &e);
	for (uint32_t t = 0; t < 10; t++)
		WF_CHECK_EQ(e.directory[t].n_splits, 4);
	for (int i = 0; i < 4; i++)
	{
		static const double tried[] = {1, 0.5, 9, 60000};

		set_number(&job, "max_features", tried[i]);
		WF_CHECK(job_train(&job, 1));
	}
	test_host_end(&job.th);
}

/* Every allocation failed once, every poll cancelled once: an error, never a crash. */
WF_TEST(failures_leave_cleanly)
{
	for (int team = 1; team <= 2; team++)
	{
		uint64_t	n_allocs = 0;
		uint64_t	n_checks = 0;

		for (uint64_t at = 0; at <= n_allocs + n_checks; at++)
		{
			Job			job;
			uint64_t	allocs;
			uint64_t	checks;
			bool		ok;

			job_begin(&job, 120, 5, 3, false);
			allocs = job.th.n_allocs;
			checks = job.th.n_checks;
			if (at > 0 && at <= n_allocs)
				job.th.fail_alloc_at = allocs + at;
			else if (at > n_allocs)
				job.th.cancel_check_at = checks + at - n_allocs;
			ok = job_train(&job, team);
			if (at == 0)
			{
				WF_CHECK(ok);
				n_allocs = job.th.n_allocs - allocs;
				n_checks = team == 1 ? job.th.n_checks - checks : 0;
			}
			else if (team == 1)
				WF_CHECK(!ok);
			test_host_end(&job.th);
		}
		WF_CHECK(n_allocs > 20);
	}
}

/* Leaves are floats; the base keeps what they cannot. */
WF_TEST(targets_far_from_zero_keep_their_digits)
{
	static const double offsets[] = {0, 1e9, -1e15};
	double		score[3];

	for (int c = 0; c < 3; c++)
	{
		Job			job;
		WfEnsemble	e;
		double		sum = 0;

		job_begin(&job, 400, 4, 0, false);
		for (uint32_t i = 0; i < job.made.data.n; i++)
			job.made.data.target[i] += offsets[c];
		WF_CHECK(job_train(&job, 1));
		open_model(&job, &e);
		WF_CHECK_EQ(e.base[0] != 0, offsets[c] != 0);
		for (uint32_t i = 0; i < job.made.data.n; i++)
		{
			double		out;

			wf_ensemble_score_bins(&e, job.made.data.rows + i * job.made.data.stride, &out);
			sum += fabs(out - job.made.data.target[i]);
		}
		score[c] = sum / job.made.data.n;
		test_host_end(&job.th);
	}
	WF_CHECK(score[0] > 0);
	WF_CHECK_NEAR(score[1], score[0], 1e-3 * score[0]);
	WF_CHECK_NEAR(score[2], score[0], 0.5 * score[0]);
}

WF_TEST(estimates_grow_with_the_data)
{
	Job			job;
	size_t		memory;
	size_t		artifact;
	size_t		more;
	size_t		larger;

	job_begin(&job, 10, 5, 2, false);
	wf_forest_estimate(&job.spec, 10000, 20, 3, &memory, &artifact);
	wf_forest_estimate(&job.spec, 100000, 20, 3, &more, &larger);
	WF_CHECK(more > memory && larger > artifact);
	wf_forest_estimate(&job.spec, UINT64_C(3000000000), 20, 3, &memory, &artifact);
	WF_CHECK(artifact <= (size_t) 256 << 20);
	WF_CHECK_EQ(wf_forest_payload(&job.spec, 3, true), 0);
	test_host_end(&job.th);
}
