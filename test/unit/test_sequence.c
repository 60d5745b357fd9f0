/* Sequence models: from log to model to answers; the blend; hostile shapes, bytes and hosts. */
#include "event_maker.h"

#include "core/model.h"
#include "core/params.h"
#include "core/sequence_fitting.h"

typedef struct Job
{
	WfSpec		spec;
	WfSequenceInput input;
	WfFitResult result;
} Job;

static void
set(TestHost *th, WfSpec *spec, const char *name, double number, const char *word)
{
	WfParamInput in = {.kind = word ? WF_INPUT_TEXT : WF_INPUT_NUMBER,.number = number,.text = word};

	wf_params_set(&th->host, spec, name, &in);
}

/* A small LSTM, so that the sanitizers do not take all day. */
static void
job_start(TestHost *th, Job *job, WfEventLog *log, const char *predictor, const char *validation)
{
	memset(job, 0, sizeof(*job));
	job->spec.algorithm = wf_algorithm_find("sequence");
	job->spec.task = WF_SEQUENCE;
	wf_params_defaults(&job->spec);
	set(th, &job->spec, "predictor", 0, predictor);
	set(th, &job->spec, "validation", 0, validation);
	set(th, &job->spec, "hidden", 12, NULL);
	set(th, &job->spec, "embedding", 6, NULL);
	set(th, &job->spec, "epochs", 4, NULL);
	set(th, &job->spec, "learning_rate", 0.02, NULL);
	set(th, &job->spec, "rounds", 25, NULL);
	wf_params_finish(&th->host, &job->spec);
	job->input = (WfSequenceInput) {.log = log,.size_limit = (size_t) 1 << 28,.time_zone = "UTC"};
}

static void
fit(WfTeam *team, void *arg)
{
	Job		   *job = arg;
	bool		leads = team->rank == 0;

	wf_sequence_fit(team, &job->spec, leads ? &job->input : NULL, leads ? &job->result : NULL);
}

static const WfScore *
score_of(const WfFitResult *r, const char *metric)
{
	for (int i = 0; i < r->n_scores; i++)
		if (strcmp(r->scores[i].metric, metric) == 0)
			return &r->scores[i];
	return NULL;
}

/* Probabilities sum to 1 and none is below 0. */
static void
check_distribution(const double *p, uint32_t n)
{
	double		sum = 0;

	for (uint32_t w = 0; w < n; w++)
	{
		WF_CHECK(p[w] >= 0);
		sum += p[w];
	}
	WF_CHECK_NEAR(sum, 1, 1e-9);
}

/* Histories of every kind get an answer. */
static void
ask(TestHost *th, const WfModel *m, const WfEventLog *events, uint32_t n_cases)
{
	const WfSequence *s = m->opened;
	uint32_t	n = wf_sequence_n_events(s);
	double	   *p = wf_alloc(&th->host, n + 1, sizeof(double));
	WfSequenceState *state = wf_sequence_begin(&th->host, s);

	WF_CHECK_EQ(wf_sequence_next(state, p), WF_EXPERT_MARKOV);
	check_distribution(p, n + 1);
	WF_CHECK(isnan(wf_sequence_next_gap(state)));
	for (uint32_t c = 0; c < n_cases && c < events->n_cases; c++)
	{
		wf_sequence_restart(state);
		for (uint32_t i = events->start[c]; i < events->start[c + 1] && i < events->start[c] + 40; i++)
		{
			double		gap;

			wf_sequence_push(state, events->event[i], events->time ? events->time[i] : 0, events->time && (c + i) % 3);
			wf_sequence_next(state, p);
			check_distribution(p, n + 1);
			WF_CHECK_NEAR(wf_sequence_logp(state, n), fmax(log(p[n]), -50), 1e-9);
			gap = wf_sequence_next_gap(state);
			WF_CHECK(wf_sequence_timed(s) ? gap >= 0 && isfinite(gap) : isnan(gap));
		}
		WF_CHECK_EQ(wf_sequence_n_pushed(state),
					events->start[c + 1] - events->start[c] < 40 ? events->start[c + 1] - events->start[c] : 40);
	}
	/* An unknown event silences all but the Markov model, for a while. */
	wf_sequence_push(state, WF_EVENT_UNKNOWN, 0, false);
	for (int i = 0; i < 5; i++)
	{
		WF_CHECK_EQ(wf_sequence_next(state, p), WF_EXPERT_MARKOV);
		check_distribution(p, n + 1);
		WF_CHECK(wf_sequence_logp(state, WF_EVENT_UNKNOWN) < 0 && wf_sequence_logp(state, WF_EVENT_UNKNOWN) >= -50);
		wf_sequence_push(state, 0, 0, false);
	}
	wf_sequence_next(state, p);
	check_distribution(p, n + 1);
	wf_sequence_end(state);
}

/* Bytes and scores do not depend on team or order of rows; the blend beats order 1. */
WF_TEST(same_rows_same_bytes)
{
	MadeLog		made = made_log(250, 8, 6, 77);
	TestHost	th1;
	Job			first;
	WfModel    *m;

	test_host_begin(&th1);
	job_start(&th1, &first, made_events(&th1.host, &made, true, 1), "blend", "holdout");
	WF_CHECK(test_team_run(&th1, 1, fit, &first));
	WF_CHECK(th1.n_progress > 5);
	for (int size = 2; size <= 3; size++)
	{
		TestHost	th;
		Job			job;

		test_host_begin(&th);
		job_start(&th, &job, made_events(&th.host, &made, true, coprime(made.n, 300)), "blend", "holdout");
		WF_CHECK(test_team_run(&th, size, fit, &job));
		WF_CHECK_EQ(job.result.artifact.length, first.result.artifact.length);
		WF_CHECK(job.result.artifact.length == first.result.artifact.length &&
				 memcmp(job.result.artifact.data, first.result.artifact.data, job.result.artifact.length) == 0);
		WF_CHECK_EQ(job.result.n_scores, first.result.n_scores);
		for (int i = 0; i < job.result.n_scores; i++)
			WF_CHECK_NEAR(job.result.scores[i].value, first.result.scores[i].value, 0);
		test_host_end(&th);
	}
	WF_CHECK_STR(first.result.scores[first.result.headline].metric, "accuracy");
	WF_CHECK(score_of(&first.result, "accuracy")->value > score_of(&first.result, "accuracy")->baseline + 0.03);
	WF_CHECK(score_of(&first.result, "log_loss")->value < score_of(&first.result, "log_loss")->baseline);
	WF_CHECK(score_of(&first.result, "top3_accuracy")->value > score_of(&first.result, "accuracy")->value);
	WF_CHECK(score_of(&first.result, "accuracy:lstm") && score_of(&first.result, "log_loss:boosting"));
	WF_CHECK(score_of(&first.result, "mae")->value < 1.02 * score_of(&first.result, "mae")->baseline);
	m = wf_model_open(&th1.host, first.result.artifact.data, first.result.artifact.length);
	WF_CHECK_EQ(m->header->training_rows, made.n);
	ask(&th1, m, first.input.log, 20);
	test_host_end(&th1);
	free(made.rows);
}

/* Each predictor alone, both validations, with and without times. */
WF_TEST(predictors_alone)
{
	static const char *const predictors[] = {"markov", "lstm", "boosting"};
	static const char *const validations[] = {"none", "time", "holdout"};
	MadeLog		made = made_log(120, 7, 5, 31);

	for (int k = 0; k < 3; k++)
	{
		TestHost	th;
		Job			job;
		WfModel    *m;
		char		metric[40];

		test_host_begin(&th);
		job_start(&th, &job, made_events(&th.host, &made, k != 1, 1), predictors[k], validations[k]);
		WF_CHECK(test_team_run(&th, 1, fit, &job));
		m = wf_model_open(&th.host, job.result.artifact.data, job.result.artifact.length);
		WF_CHECK_NEAR(wf_sequence_weight(m->opened, (WfExpert) k), 1, 0);
		WF_CHECK_EQ(wf_sequence_timed(m->opened), k != 1);
		WF_CHECK_EQ(job.result.n_scores > 0, k > 0);
		snprintf(metric, sizeof(metric), "accuracy:%s", wf_expert_name((WfExpert) k));
		if (k > 0)
		{
			WF_CHECK_STR(job.result.scores[0].split, validations[k]);
			WF_CHECK_NEAR(score_of(&job.result, metric)->value, job.result.scores[0].value, 0);
		}
		ask(&th, m, job.input.log, 10);
		test_host_end(&th);
	}
	free(made.rows);
}

/* The mixture: the better expert wins, nobody unfit gets a weight. */
WF_TEST(mixture_weights)
{
	static const bool all[WF_N_EXPERTS] = {true, true, true};
	static const bool two[WF_N_EXPERTS] = {true, false, true};
	static double p[3000];
	double		weight[WF_N_EXPERTS];
	double		loss[4] = {0};
	TestHost	th;

	test_host_begin(&th);
	for (uint64_t i = 0; i < 1000; i++)
		for (uint64_t e = 0; e < 3; e++)
			p[i * 3 + e] = 0.02 + 0.9 * wf_rng_unit(wf_rng(i, e)) * (e == 1 && i % 2 ? 1.0 : 0.6);
	wf_sequence_mix(&th.host, p, 1000, all, weight);
	WF_CHECK_NEAR(weight[0] + weight[1] + weight[2], 1, 1e-12);
	WF_CHECK(weight[1] > weight[0] && weight[1] > weight[2]);
	for (int i = 0; i < 1000; i++)
	{
		loss[3] -= log(weight[0] * p[i * 3] + weight[1] * p[i * 3 + 1] + weight[2] * p[i * 3 + 2]);
		for (int e = 0; e < 3; e++)
			loss[e] -= log(p[i * 3 + e]);
	}
	for (int e = 0; e < 3; e++)
		WF_CHECK(loss[3] <= loss[e] + 1e-9);
	wf_sequence_mix(&th.host, p, 1000, two, weight);
	WF_CHECK(weight[1] == 0 && fabs(weight[0] + weight[2] - 1) < 1e-12);
	/* One that is always better takes all. */
	for (int i = 0; i < 1000; i++)
		p[i * 3] = 0.99;
	wf_sequence_mix(&th.host, p, 1000, all, weight);
	WF_CHECK_NEAR(weight[0], 1, 1e-12);
	wf_sequence_mix(&th.host, p, 0, two, weight);
	WF_CHECK_NEAR(weight[0], 0.5, 1e-12);
	test_host_end(&th);
}

/* Roles: nobody twice, sides not empty, judges in every stretch of time. */
WF_TEST(roles_of_cases)
{
	static const char *const validations[] = {"none", "holdout", "time"};

	for (int v = 0; v < 3; v++)
		for (uint32_t n = 1; n < 300; n += n < 20 ? 1 : 50)
		{
			MadeLog		made = made_log(n, 4, 3, n);
			TestHost	th;
			Job			job;
			uint32_t	n_of_role[3];
			uint8_t    *role;

			test_host_begin(&th);
			job_start(&th, &job, made_events(&th.host, &made, true, 1), "blend", validations[v]);
			role = wf_sequence_roles(&job.spec, job.input.log, n_of_role);
			WF_CHECK_EQ(n_of_role[0] + n_of_role[1] + n_of_role[2], n);
			WF_CHECK(n_of_role[WF_CASE_TEACHES] > 0);
			WF_CHECK_EQ(n_of_role[WF_CASE_REPORTS] > 0, v > 0 && n > 1);
			WF_CHECK_EQ(n_of_role[WF_CASE_JUDGES],
						n - n_of_role[WF_CASE_REPORTS] >= 16 ? (n - n_of_role[WF_CASE_REPORTS]) / 8 : 0);
			for (uint32_t c = 0; v == 0 && n >= 16 && c + 8 <= n; c += 8)
			{
				int			judges = 0;

				for (uint32_t i = c; i < c + 8; i++)
					judges += role[i] == WF_CASE_JUDGES;
				WF_CHECK_EQ(judges, 1);
			}
			if (v == 2 && n > 1)
				WF_CHECK(role[n - 1] == WF_CASE_REPORTS && role[0] != WF_CASE_REPORTS);
			test_host_end(&th);
			free(made.rows);
		}
}

/* Of few long cases the LSTM gets some to learn from and some to be judged by, whatever is drawn. */
WF_TEST(long_cases_are_drawn)
{
	enum
	{
		CASES = 20, LENGTH = 100000
	};
	uint32_t	start[CASES + 1];
	uint64_t	hash[CASES];
	uint8_t		role[CASES] = {[3] = WF_CASE_JUDGES,[11] = WF_CASE_JUDGES};
	TestHost	th;
	WfEventLog	log = {.n_cases = CASES,.n_events = CASES * LENGTH,.n_kinds = 2,.start = start,.case_hash = hash};

	test_host_begin(&th);
	log.host = &th.host;
	log.event = wf_alloc_zero(&th.host, CASES * LENGTH, sizeof(uint32_t));
	for (uint32_t c = 0; c <= CASES; c++)
		start[c] = c * LENGTH;
	for (uint32_t c = 0; c < CASES; c++)
		hash[c] = wf_mix(c);
	for (uint64_t seed = 0; seed < 40; seed++)
	{
		WfSpec		spec = {.seed = seed};
		WfLstmCases cases;
		uint32_t	judges = 0;

		wf_sequence_lstm_cases(&spec, &log, role, 1u << WF_CASE_TEACHES | 1u << WF_CASE_JUDGES, 2, &cases);
		for (uint32_t c = 0; c < cases.n_cases; c++)
			judges += cases.held_out[c];
		WF_CHECK(judges > 0 && judges < cases.n_cases && cases.n_cases < CASES);
		wf_sequence_lstm_free(&th.host, &cases);
	}
	test_host_end(&th);
}

WF_TEST(median_of_gaps)
{
	TestHost	th;

	for (uint32_t n = 2; n < 60; n++)
	{
		WfEventLog *log;
		uint8_t		role = 0;
		double		sorted[60];
		double		time = 0;

		test_host_begin(&th);
		log = wf_eventlog_create(&th.host, true);
		for (uint32_t i = 0; i < n; i++)
		{
			double		gap = (double) (wf_rng(n, i) % (n % 3 ? 1000 : 5));

			time += i ? gap : 0;
			wf_eventlog_add(log, "c", 1, "e", 1, time, NULL, 0);
			for (uint32_t j = i; i > 0 && j > 0; j--)
			{
				sorted[j - 1] = gap;
				if (j < 2 || sorted[j - 2] <= gap)
					break;
				sorted[j - 1] = sorted[j - 2];
				sorted[j - 2] = gap;
			}
		}
		wf_eventlog_finish(log);
		WF_CHECK_NEAR(wf_sequence_median_gap(log, &role, 1), sorted[(n - 1) / 2], 0);
		test_host_end(&th);
	}
}

/* ---- shapes that nobody expects ---- */

static void
fit_shape(const MadeLog *made, bool timed)
{
	TestHost	th;
	Job			job;
	WfModel    *m;
	size_t		memory,
				artifact;

	test_host_begin(&th);
	job_start(&th, &job, made_events(&th.host, made, timed, 1), "blend", "holdout");
	WF_CHECK(test_team_run(&th, 1, fit, &job));
	m = wf_model_open(&th.host, job.result.artifact.data, job.result.artifact.length);
	ask(&th, m, job.input.log, 3);
	wf_sequence_estimate(&job.spec, job.input.log->n_events, job.input.log->n_cases, job.input.log->n_kinds,
						 &memory, &artifact);
	WF_CHECK(artifact > job.result.artifact.length / 2);
	test_host_end(&th);
}

WF_TEST(hostile_shapes)
{
	MadeLog		made = {.rows = malloc(20000 * sizeof(MadeEvent))};

	/* one event */
	made.n = 1;
	made.rows[0] = (MadeEvent) {0, 0, 0};
	fit_shape(&made, true);
	/* one case; one event type; all at one instant */
	made.n = 1500;
	for (uint32_t i = 0; i < made.n; i++)
		made.rows[i] = (MadeEvent) {0, i % 7, i};
	fit_shape(&made, true);
	for (uint32_t i = 0; i < made.n; i++)
		made.rows[i] = (MadeEvent) {i / 5, 0, i};
	fit_shape(&made, true);
	for (uint32_t i = 0; i < made.n; i++)
		made.rows[i] = (MadeEvent) {i / 5, i % 3, 42};
	fit_shape(&made, true);
	/* cases of one event */
	for (uint32_t i = 0; i < made.n; i++)
		made.rows[i] = (MadeEvent) {i, i % 11, i * 60.0};
	fit_shape(&made, true);
	/* nearly every event another */
	made.n = 8000;
	for (uint32_t i = 0; i < made.n; i++)
		made.rows[i] = (MadeEvent) {i / 20, (uint32_t) (wf_mix(i) % 5000), i};
	fit_shape(&made, false);
	free(made.rows);
}

/* Bytes changed at random are refused, or answer without a fault. */
WF_TEST(hostile_bytes)
{
	MadeLog		made = made_log(60, 7, 5, 13);
	TestHost	th;
	Job			job;
	WfBytes	   *model;
	volatile int refused = 0;

	test_host_begin(&th);
	job_start(&th, &job, made_events(&th.host, &made, true, 1), "blend", "none");
	WF_CHECK(test_team_run(&th, 1, fit, &job));
	model = &job.result.artifact;
	for (uint64_t i = 0; i < 300; i++)
	{
		uint64_t	r = wf_rng(71, i);
		uint8_t    *copy = aligned_alloc(64, (model->length + 63) & ~(size_t) 63);
		WfModelHeader *h = (WfModelHeader *) copy;
		const WfSectionEntry *entry = (const WfSectionEntry *) (model->data + sizeof(WfModelHeader));
		volatile size_t length = model->length;
		size_t		at = entry[1].offset;
		TestHost	in;
		jmp_buf		jb;

		memcpy(copy, model->data, model->length);
		at += wf_rng_below(wf_mix(r), (uint32_t) (i % 3 == 0 ? sizeof(WfSequenceHeader) : entry[1].length));
		copy[at] ^= (uint8_t) (1 + (r >> 30) % 255);
		h->crc = wf_crc32c(0, copy + 16, length - 16);
		test_host_begin(&in);
		in.on_fail = &jb;
		if (setjmp(jb) == 0)
		{
			WfModel    *m = wf_model_open(&in.host, copy, length);

			ask(&in, m, job.input.log, 1);
		}
		else
		{
			WF_CHECK_EQ(in.code, WF_E_CORRUPT);
			refused++;
		}
		test_host_end(&in);
		free(copy);
	}
	WF_CHECK(refused > 20);
	test_host_end(&th);
	free(made.rows);
}

/* The only expert that answers has next to no weight: the answer is a distribution all the same. */
WF_TEST(hostile_weights)
{
	MadeLog		made = made_log(60, 7, 5, 13);
	TestHost	th;
	Job			job;
	WfBytes	   *model;
	WfModelHeader *h;
	const WfSectionEntry *entry;
	WfModel    *m;
	WfSequenceState *state;
	double		p[8];
	double		sum = 0;

	test_host_begin(&th);
	job_start(&th, &job, made_events(&th.host, &made, true, 1), "lstm", "none");
	WF_CHECK(test_team_run(&th, 1, fit, &job));
	model = &job.result.artifact;
	h = (WfModelHeader *) (void *) model->data;
	entry = (const WfSectionEntry *) (const void *) (h + 1);
	((WfSequenceHeader *) (void *) (model->data + entry[1].offset))->weight[WF_EXPERT_MARKOV] = 5e-324;
	h->crc = wf_crc32c(0, model->data + 16, model->length - 16);
	m = wf_model_open(&th.host, model->data, model->length);
	state = wf_sequence_begin(&th.host, m->opened);
	WF_CHECK(wf_sequence_n_events(m->opened) < 8);
	wf_sequence_push(state, WF_EVENT_UNKNOWN, 0, false);
	WF_CHECK_EQ(wf_sequence_next(state, p), WF_EXPERT_MARKOV);
	for (uint32_t e = 0; e <= wf_sequence_n_events(m->opened); e++)
		sum += p[e];
	WF_CHECK_NEAR(sum, 1, 1e-9);
	test_host_end(&th);
	free(made.rows);
}

/* Two blocks in the same bytes would be opened twice. */
WF_TEST(blocks_lie_apart)
{
	MadeLog		made = made_log(60, 7, 5, 13);
	TestHost	th;
	Job			job;
	WfBytes	   *model;
	WfModelHeader *h;
	WfSequenceHeader *sequence;
	const WfSectionEntry *entry;

	test_host_begin(&th);
	job_start(&th, &job, made_events(&th.host, &made, true, 1), "lstm", "none");
	WF_CHECK(test_team_run(&th, 1, fit, &job));
	model = &job.result.artifact;
	h = (WfModelHeader *) (void *) model->data;
	entry = (const WfSectionEntry *) (const void *) (h + 1);
	sequence = (WfSequenceHeader *) (void *) (model->data + entry[1].offset);
	WF_CHECK(sequence->length[WF_BLOCK_LSTM] > 64);
	sequence->at[WF_BLOCK_GAPS] = sequence->at[WF_BLOCK_LSTM] + 64;
	sequence->length[WF_BLOCK_GAPS] = sequence->length[WF_BLOCK_LSTM] - 64;
	h->crc = wf_crc32c(0, model->data + 16, model->length - 16);
	WF_EXPECT_FAIL(&th, WF_E_CORRUPT, wf_model_open(&th.host, model->data, model->length));
	WF_CHECK_STR(th.message, "the model is damaged: bad section of a sequence model");
	test_host_end(&th);
	free(made.rows);
}

/* Cases that take turns do not see each other, though their scratch is one. */
WF_TEST(cases_take_turns)
{
	MadeLog		made = made_log(60, 7, 5, 13);
	TestHost	th;
	Job			job;
	WfModel    *m;
	WfSequenceState *state[3];
	double		p[3][16];
	uint32_t	n;

	test_host_begin(&th);
	job_start(&th, &job, made_events(&th.host, &made, true, 1), "blend", "none");
	WF_CHECK(test_team_run(&th, 1, fit, &job));
	m = wf_model_open(&th.host, job.result.artifact.data, job.result.artifact.length);
	n = wf_sequence_n_events(m->opened);
	WF_CHECK(n < 16);
	for (int k = 0; k < 3; k++)
		state[k] = wf_sequence_begin(&th.host, m->opened);
	for (uint32_t i = 0; i < 12; i++)
	{
		/* 0 and 2 are the same case, 1 another one that answers between them */
		for (uint32_t k = 0; k < 3; k++)
		{
			wf_sequence_push(state[k], (k % 2 ? i * 3 + 1 : i) % n, i, true);
			wf_sequence_next(state[k], p[k]);
		}
		WF_CHECK(memcmp(p[0], p[2], (n + 1) * sizeof(double)) == 0);
	}
	for (int k = 0; k < 3; k++)
		wf_sequence_end(state[k]);
	test_host_end(&th);
	free(made.rows);
}

/* Allocations and checks that fail leave nothing but the arena. */
WF_TEST(failures_leave_nothing)
{
	MadeLog		made = made_log(40, 5, 4, 19);

	for (int cancel = 0; cancel < 2; cancel++)
	{
		volatile uint64_t total = 0;

		for (volatile uint64_t at = 0; at <= total; at += 1 + total / 30)
		{
			TestHost	th;
			Job			job;
			bool		done;

			test_host_begin(&th);
			job_start(&th, &job, made_events(&th.host, &made, true, 1), "blend", "holdout");
			set(&th, &job.spec, "epochs", 1, NULL);
			set(&th, &job.spec, "rounds", 2, NULL);
			th.n_allocs = th.n_checks = 0;
			if (at > 0 && cancel)
				th.cancel_check_at = at;
			else if (at > 0)
				th.fail_alloc_at = at;
			done = test_team_run(&th, 1, fit, &job);
			WF_CHECK_EQ(done, at == 0);
			if (at == 0)
				total = cancel ? th.n_checks : th.n_allocs;
			test_host_end(&th);
		}
		WF_CHECK(total > 50);
	}
	free(made.rows);
}
