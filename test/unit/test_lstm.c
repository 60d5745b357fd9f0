/*
 * Training, bytes and prediction of the recurrent network: does it learn what
 * can be learned, does it stop when it should, the same bytes, damaged bytes,
 * failing hosts.
 */
#include "wf_test.h"

#include "core/rng.h"
#include "core/simd.h"
#include "lstm_plain.h"

typedef struct Log
{
	WfLstmCases cases;
	uint32_t   *start;
	uint16_t   *event;
	float	   *log_gap;
	float	   *log_since;
	uint8_t    *held_out;
} Log;

/*
 * Cases of 1 to 9 events over 6: 0 or 1 first, then 2s and 3s in turn, at the
 * end 4 after a 0 and 5 after a 1.  So the fifth event needs the first.  A gap
 * is 100 s after a 2 and 5,000 s after a 3, give or take a little.
 */
static void
make_log(WfHost *host, Log *log, uint32_t n_cases, bool timed, bool held_out)
{
	uint32_t	at = 0;

	memset(log, 0, sizeof(*log));
	log->start = wf_alloc(host, n_cases + 1, sizeof(uint32_t));
	log->event = wf_alloc(host, n_cases * 9, sizeof(uint16_t));
	log->log_gap = wf_alloc(host, n_cases * 9, sizeof(float));
	log->log_since = wf_alloc(host, n_cases * 9, sizeof(float));
	log->held_out = wf_alloc(host, n_cases, 1);
	for (uint32_t c = 0; c < n_cases; c++)
	{
		uint32_t	length = 3 + wf_rng_below(wf_rng(1, c), 7);
		uint16_t	first = (uint16_t) (wf_rng(2, c) >> 40 & 1);
		double		since = 0;

		log->start[c] = at;
		log->held_out[c] = c % 8 == 3;
		for (uint32_t t = 0; t < length; t++, at++)
		{
			double		noise = 1 + 0.1 * wf_rng_unit(wf_rng(3, at));
			double		gap = t == 0 ? 0 : noise * (log->event[at - 1] == 2 ? 100 : log->event[at - 1] == 3 ? 5000 : 1000);

			since += gap;
			log->event[at] = (uint16_t) (t == 0 ? first : t + 1 == length ? 4 + first : t % 2 ? 2 : 3);
			log->log_gap[at] = (float) log1p(gap);
			log->log_since[at] = (float) log1p(since);
		}
	}
	log->start[n_cases] = at;
	log->cases = (WfLstmCases) {6, n_cases, log->start, log->event, timed ? log->log_gap : NULL,
		timed ? log->log_since : NULL, held_out ? log->held_out : NULL};
}

static void
small_options(WfLstmOptions *o)
{
	wf_lstm_options_default(o);
	o->hidden = 20;
	o->embedding = 6;
	o->epochs = 12;
	o->learning_rate = 0.01;
	o->dropout = 0.1;
	o->seed = 3;
}

static WfLstm *
open_trained(WfHost *host, const WfLstmTrained *trained, WfBytes *bytes)
{
	wf_bytes_init(bytes, host);
	wf_lstm_write(bytes, trained);
	return wf_lstm_open(host, bytes->data, bytes->length);
}

typedef struct Tally
{
	const WfLstmCases *cases;
	uint64_t	n;
	double		loss;
	uint64_t	n_gaps;
	double		gap_off;		/* absolute error of log1p of seconds */
	int			last_right;		/* the fork at the end */
	int			last_wrong;
	double		sum_off;		/* largest distance of a sum of probabilities from 1 */
} Tally;

static void
tell(void *arg, uint32_t c, uint32_t step, const float *p, float log_gap)
{
	Tally	   *tally = arg;
	const WfLstmCases *cases = tally->cases;
	uint32_t	at = cases->start[c] + step;
	bool		last = at + 1 == cases->start[c + 1];
	double		sum = 0;

	for (uint32_t i = 0; i <= cases->n_events; i++)
		sum += p[i];
	tally->sum_off = fmax(tally->sum_off, fabs(sum - 1));
	tally->loss -= log(p[last ? cases->n_events : cases->event[at + 1]]);
	tally->n++;
	if (last)
		return;
	if (cases->log_gap)
	{
		tally->gap_off += fabs(log_gap - cases->log_gap[at + 1]);
		tally->n_gaps++;
	}
	if (at + 2 == cases->start[c + 1])
	{
		if (p[cases->event[at + 1]] > p[9 - cases->event[at + 1]])
			tally->last_right++;
		else
			tally->last_wrong++;
	}
}

WF_TEST(learns)
{
	TestHost	th;
	Log			log;
	WfLstmOptions options;
	WfLstmTrained trained;
	WfBytes		bytes;
	WfLstm	   *model;

	test_host_begin(&th);
	make_log(&th.host, &log, 400, true, true);
	small_options(&options);
	options.epochs = 30;
	wf_lstm_train(&th.host, &log.cases, &options, &trained);
	model = open_trained(&th.host, &trained, &bytes);
	WF_CHECK(wf_lstm_timed(model));
	WF_CHECK_EQ(wf_lstm_n_events(model), 6);
	WF_CHECK_EQ(wf_lstm_length(model), bytes.length);
	for (int hide = 0; hide < 2; hide++)
	{
		Tally		tally = {.cases = &log.cases};

		wf_lstm_walk(&th.host, model, &log.cases, NULL, log.cases.n_cases, hide, tell, &tally);
		WF_CHECK_EQ(tally.n, log.start[400]);
		WF_CHECK_NEAR(tally.sum_off, 0, 1e-5);
		/* the best possible: only the length, one of seven, cannot be known */
		WF_CHECK_NEAR(tally.loss / (double) tally.n, 1.9459 / 6, 0.04);
		WF_CHECK(tally.last_wrong <= 4 && tally.last_right > 390);
		WF_CHECK_NEAR(tally.gap_off / (double) tally.n_gaps, 0, 0.25);
	}
	test_host_end(&th);
}

/* The weights kept are those of the best epoch, and its loss is what it says. */
WF_TEST(stops_early)
{
	TestHost	th;
	Log			log;
	WfLstmOptions options;
	WfLstmTrained trained;
	WfBytes		bytes;
	Tally		tally = {0};
	uint32_t	which[100];
	uint32_t	n = 0;

	test_host_begin(&th);
	make_log(&th.host, &log, 60, true, true);
	small_options(&options);
	options.epochs = 200;
	options.patience = 3;
	options.learning_rate = 0.05;
	wf_lstm_train(&th.host, &log.cases, &options, &trained);
	WF_CHECK(trained.n_epochs < 200);
	WF_CHECK_EQ(trained.best_epoch, trained.n_epochs - 4);
	for (uint32_t e = 0; e < trained.n_epochs; e++)
		WF_CHECK(trained.held_out_loss[e] >= trained.held_out_loss[trained.best_epoch]);
	for (uint32_t c = 0; c < 60; c++)
		if (log.held_out[c])
			which[n++] = c;
	tally.cases = &log.cases;
	wf_lstm_walk(&th.host, open_trained(&th.host, &trained, &bytes), &log.cases, which, n, false, tell, &tally);
	WF_CHECK_NEAR(tally.loss / (double) tally.n, trained.held_out_loss[trained.best_epoch], 1e-5);
	test_host_end(&th);
}

WF_TEST(runs_all_epochs)
{
	TestHost	th;
	Log			log;
	WfLstmOptions options;
	WfLstmTrained trained;

	test_host_begin(&th);
	make_log(&th.host, &log, 30, false, false);
	small_options(&options);
	options.epochs = 4;
	wf_lstm_train(&th.host, &log.cases, &options, &trained);
	WF_CHECK_EQ(trained.n_epochs, 4);
	WF_CHECK_EQ(trained.best_epoch, 3);
	WF_CHECK(trained.held_out_loss == NULL);
	WF_CHECK(trained.training_loss[3] < trained.training_loss[0]);
	/* no patience: the last epoch even if another was better, but its weights are not kept */
	make_log(&th.host, &log, 30, false, true);
	options.patience = 0;
	options.epochs = 20;
	options.learning_rate = 0.1;
	wf_lstm_train(&th.host, &log.cases, &options, &trained);
	WF_CHECK_EQ(trained.n_epochs, 20);
	/* a deadline that has passed: one batch, a model all the same */
	options.deadline = 1e-9;
	wf_lstm_train(&th.host, &log.cases, &options, &trained);
	WF_CHECK_EQ(trained.n_epochs, 1);
	test_host_end(&th);
}

/* ---- the same bytes ---- */

typedef struct Run
{
	Log		   *log;
	const WfLstmOptions *options;
	WfBytes		bytes;
} Run;

static void
run_in_team(WfTeam *team, void *arg)
{
	Run		   *run = arg;

	if (team->rank == 0)
	{
		WfLstmTrained trained;

		wf_lstm_train(team->host, &run->log->cases, run->options, &trained);
		wf_bytes_init(&run->bytes, team->host);
		wf_lstm_write(&run->bytes, &trained);
		wf_lstm_trained_free(team->host, &trained);
	}
	wf_team_barrier(team);
}

WF_TEST(same_bytes)
{
	TestHost	th;
	Log			log;
	WfLstmOptions options;
	Run			first = {0};

	test_host_begin(&th);
	make_log(&th.host, &log, 70, true, true);
	small_options(&options);
	options.epochs = 3;
	options.refit = true;
	first.log = &log;
	first.options = &options;
	WF_CHECK(test_team_run(&th, 1, run_in_team, &first));
	WF_CHECK_EQ(first.bytes.length % 64, 0);
	for (int size = 1; size <= 3; size++)
	{
		Run			again = {&log, &options, {0}};

		WF_CHECK(test_team_run(&th, size, run_in_team, &again));
		WF_CHECK_EQ(again.bytes.length, first.bytes.length);
		WF_CHECK(memcmp(again.bytes.data, first.bytes.data, first.bytes.length) == 0);
	}
	options.seed++;
	{
		Run			other = {&log, &options, {0}};

		WF_CHECK(test_team_run(&th, 1, run_in_team, &other));
		WF_CHECK(memcmp(other.bytes.data, first.bytes.data, first.bytes.length) != 0);
	}
	test_host_end(&th);
}

/* Refitted, the held-out cases teach: with all cases held out but one that shows. */
WF_TEST(refit_learns_from_all)
{
	TestHost	th;
	Log			log;
	WfLstmOptions options;
	WfLstmTrained alone;
	WfLstmTrained refitted;
	double		loss[2];

	test_host_begin(&th);
	make_log(&th.host, &log, 100, false, true);
	for (uint32_t c = 0; c < 100; c++)
		log.held_out[c] = c >= 10;
	small_options(&options);
	options.patience = 0;
	wf_lstm_train(&th.host, &log.cases, &options, &alone);
	options.refit = true;
	wf_lstm_train(&th.host, &log.cases, &options, &refitted);
	WF_CHECK_EQ(refitted.best_epoch, alone.best_epoch);
	WF_CHECK(memcmp(refitted.held_out_loss, alone.held_out_loss, alone.n_epochs * sizeof(double)) == 0);
	for (int k = 0; k < 2; k++)
	{
		WfBytes		bytes;
		Tally		tally = {.cases = &log.cases};

		wf_lstm_walk(&th.host, open_trained(&th.host, k ? &refitted : &alone, &bytes), &log.cases, NULL, 100,
					 false, tell, &tally);
		loss[k] = tally.loss / (double) tally.n;
	}
	WF_CHECK(loss[1] < loss[0] - 0.02);
	test_host_end(&th);
}

/* ---- prediction ---- */

static void
check_walk(uint32_t n_events, uint32_t hidden, bool timed)
{
	TestHost	th;
	WfLstmShape shape;
	WfLstmTrained trained = {.shape = &shape};
	double	   *exact;
	WfBytes		bytes;
	WfLstm	   *model;
	WfLstmState *state;
	WfLstmState *copy;
	PlainState	plain = {{0}, {0}};
	float	   *p;
	double	   *out;

	test_host_begin(&th);
	wf_lstm_shape(&shape, n_events, hidden, 5, timed);
	trained.weights = wf_alloc(&th.host, shape.n_weights, sizeof(float));
	exact = wf_alloc(&th.host, shape.n_weights, sizeof(double));
	out = wf_alloc(&th.host, n_events + 2, sizeof(double));
	wf_lstm_initial(&th.host, &shape, 8, trained.weights);
	for (size_t i = 0; i < shape.n_weights; i++)
		exact[i] = trained.weights[i];
	model = open_trained(&th.host, &trained, &bytes);
	state = wf_alloc(&th.host, 1, wf_lstm_state_size(model));
	copy = wf_alloc(&th.host, 1, wf_lstm_state_size(model));
	p = wf_alloc(&th.host, wf_lstm_room(model), sizeof(float));
	wf_lstm_start(model, state);
	for (uint32_t t = 0; t < 40; t++)
	{
		uint32_t	event = wf_rng_below(wf_rng(4, t), n_events);
		float		gap = t % 5 == 2 ? NAN : (float) (wf_rng_unit(wf_rng(5, t)) * 10);
		float		since = t % 5 == 3 ? INFINITY : 3;
		bool		known = t % 5 != 2 && t % 5 != 3;
		double		x[3] = {known ? gap * WF_LSTM_TIME_SCALE : 0, known ? since * WF_LSTM_TIME_SCALE : 0, known};

		wf_lstm_step(model, state, event, gap, since);
		memcpy(copy, state, wf_lstm_state_size(model));
		memset(state, 0x77, wf_lstm_state_size(model));
		memcpy(state, copy, wf_lstm_state_size(model));
		for (size_t i = 0; i < 2 * wf_gemm_pad(hidden); i++)
			if (i % wf_gemm_pad(hidden) >= hidden)
				WF_CHECK_EQ(((const float *) (const void *) ((const char *) state + 8))[i], 0);
		wf_lstm_probabilities(model, state, p);
		plain_step(&shape, exact, &plain, event, x);
		plain_outputs(&shape, exact, &plain, out);
		for (uint32_t e = 0; e <= n_events; e++)
			WF_CHECK_NEAR(p[e], out[e], 1e-6);
		if (timed)
			WF_CHECK_NEAR(wf_lstm_gap(model, state), fmax(10 * out[n_events + 1], 0), 2e-5);
		else
			WF_CHECK(isnan(wf_lstm_gap(model, state)));
	}
	wf_lstm_close(&th.host, model);
	test_host_end(&th);
}

WF_TEST(walks_like_the_plain_network)
{
	static const WfSimd levels[] = {WF_SIMD_SCALAR, WF_SIMD_AVX2, WF_SIMD_AVX512};

	for (int l = 0; l < 3; l++)
	{
		wf_simd_limit(levels[l]);
		for (uint32_t hidden = 1; hidden <= 33; hidden += 4)
			check_walk(1 + hidden % 7, hidden, hidden % 3 != 0);
		/* more events than a table of them is kept for */
		check_walk(70, 3, true);
		check_walk(70, 16, false);
	}
	wf_simd_limit(WF_SIMD_AVX512_VBMI);
}

/* One long case: windows and pieces, memory that its length hardly changes, and one end. */
WF_TEST(long_case)
{
	TestHost	th;
	WfLstmOptions options;
	size_t		peak[2];

	small_options(&options);
	options.epochs = 5;
	options.dropout = 0;
	options.learning_rate = 0.05;
	options.batch_size = 1;
	for (int k = 0; k < 2; k++)
	{
		uint32_t	n = k ? 2600 : 1300;
		uint32_t	start[] = {0, n, n + 2, n + 2};
		uint16_t   *event;
		WfLstmCases cases = {3, 3, start, NULL, NULL, NULL, NULL};
		WfLstmTrained trained;
		size_t		before;
		size_t		memory;
		size_t		section;

		test_host_begin(&th);
		event = wf_alloc(&th.host, n + 2, sizeof(uint16_t));
		for (uint32_t i = 0; i < n + 2; i++)
			event[i] = i % 3;
		cases.event = event;
		before = th.bytes_now;
		wf_lstm_train(&th.host, &cases, &options, &trained);
		peak[k] = th.bytes_peak - before;
		wf_lstm_estimate(&options, 3, 3, n, false, &memory, &section);
		WF_CHECK(peak[k] <= memory + 4096 && memory < 2 * peak[k]);
		WF_CHECK(trained.training_loss[options.epochs - 1] < 0.1);
		test_host_end(&th);
	}
	WF_CHECK_NEAR((double) peak[0], (double) peak[1], 2000);
}

/* ---- what is refused ---- */

WF_TEST(refuses)
{
	TestHost	th;
	Log			log;
	WfLstmOptions options;
	WfLstmTrained trained;

	test_host_begin(&th);
	make_log(&th.host, &log, 20, true, true);
	small_options(&options);
	options.hidden = 0;
	WF_EXPECT_FAIL(&th, WF_E_PARAM, wf_lstm_train(&th.host, &log.cases, &options, &trained));
	small_options(&options);
	options.dropout = NAN;
	WF_EXPECT_FAIL(&th, WF_E_PARAM, wf_lstm_train(&th.host, &log.cases, &options, &trained));
	small_options(&options);
	options.batch_size = WF_LSTM_MAX_BATCH + 1;
	WF_EXPECT_FAIL(&th, WF_E_PARAM, wf_lstm_train(&th.host, &log.cases, &options, &trained));
	small_options(&options);
	memset(log.held_out, 1, 20);
	WF_EXPECT_FAIL(&th, WF_E_DATA, wf_lstm_train(&th.host, &log.cases, &options, &trained));
	memset(log.held_out, 0, 20);
	log.event[5] = 6;
	WF_EXPECT_FAIL(&th, WF_E_INTERNAL, wf_lstm_train(&th.host, &log.cases, &options, &trained));
	log.event[5] = 0;
	/* times without sense do no harm */
	log.log_gap[7] = INFINITY;
	log.log_since[9] = NAN;
	log.log_gap[11] = -INFINITY;
	options.epochs = 2;
	wf_lstm_train(&th.host, &log.cases, &options, &trained);
	WF_CHECK(isfinite(trained.training_loss[1]));
	/* nor do the largest there are */
	for (int i = 0; i < 40; i++)
		log.log_gap[i] = 3e38f;
	options.clip = 0;
	wf_lstm_train(&th.host, &log.cases, &options, &trained);
	WF_CHECK(isfinite(trained.training_loss[1]));
	test_host_end(&th);
}

static WfBytes
small_section(TestHost *th, WfLstmShape *shape)
{
	WfLstmTrained trained = {.shape = shape};
	WfBytes		bytes;

	wf_lstm_shape(shape, 5, 6, 4, true);
	trained.weights = wf_alloc(&th->host, shape->n_weights, sizeof(float));
	wf_lstm_initial(&th->host, shape, 1, trained.weights);
	wf_bytes_init(&bytes, &th->host);
	wf_lstm_write(&bytes, &trained);
	return bytes;
}

static void
expect_corrupt(TestHost *th, const uint8_t *bytes, size_t length)
{
	WF_EXPECT_FAIL(th, WF_E_CORRUPT, wf_lstm_open(&th->host, bytes, length));
}

WF_TEST(damaged_bytes)
{
	TestHost	th;
	WfLstmShape shape;
	WfBytes		bytes;
	uint8_t    *copy;
	static const float bad[] = {NAN, INFINITY, -INFINITY, 2e9f};

	test_host_begin(&th);
	bytes = small_section(&th, &shape);
	/* exactly as long as the bytes that are read, so that a read past them shows */
	for (size_t length = 0; length < sizeof(WfLstmHeader) + shape.n_weights * sizeof(float); length += 61)
	{
		copy = malloc(length + 1);
		memcpy(copy, bytes.data, length);
		expect_corrupt(&th, copy, length);
		free(copy);
	}
	copy = malloc(bytes.length);
	for (size_t at = 0; at < sizeof(WfLstmHeader); at++)
		for (int bit = 0; bit < 8; bit++)
		{
			memcpy(copy, bytes.data, bytes.length);
			copy[at] ^= (uint8_t) (1 << bit);
			expect_corrupt(&th, copy, bytes.length);
		}
	for (size_t i = 0; i < shape.n_weights; i += 37)
		for (int k = 0; k < 4; k++)
		{
			memcpy(copy, bytes.data, bytes.length);
			memcpy(copy + sizeof(WfLstmHeader) + i * sizeof(float), &bad[k], sizeof(float));
			expect_corrupt(&th, copy, bytes.length);
		}
	/* any finite weights give finite answers */
	for (int round = 0; round < 20; round++)
	{
		WfLstm	   *model;
		WfLstmState *state;
		float	   *p = wf_alloc(&th.host, 64, sizeof(float));
		float		sum = 0;

		memcpy(copy, bytes.data, bytes.length);
		for (size_t i = 0; i < shape.n_weights; i++)
		{
			float		x = (float) ((wf_rng_unit(wf_rng((uint64_t) round, i)) * 2 - 1) * (round % 2 ? 1e9 : 10));

			memcpy(copy + sizeof(WfLstmHeader) + i * sizeof(float), &x, sizeof(float));
		}
		model = wf_lstm_open(&th.host, copy, bytes.length);
		state = wf_alloc(&th.host, 1, wf_lstm_state_size(model));
		wf_lstm_start(model, state);
		for (uint32_t t = 0; t < 20; t++)
			wf_lstm_step(model, state, t % 5, (float) t, 1e30f);
		wf_lstm_probabilities(model, state, p);
		for (int e = 0; e <= 5; e++)
			sum += p[e];
		WF_CHECK_NEAR(sum, 1, 1e-5);
		WF_CHECK(isfinite(wf_lstm_gap(model, state)));
	}
	free(copy);
	test_host_end(&th);
}

/* ---- failing hosts ---- */

static void
train_and_open(TestHost *th, Log *log)
{
	WfLstmOptions options;
	WfLstmTrained trained;
	WfBytes		bytes;
	Tally		tally = {.cases = &log->cases};
	WfLstm	   *model;

	small_options(&options);
	options.hidden = 5;
	options.epochs = 2;
	options.refit = true;
	wf_lstm_train(&th->host, &log->cases, &options, &trained);
	model = open_trained(&th->host, &trained, &bytes);
	wf_lstm_walk(&th->host, model, &log->cases, NULL, log->cases.n_cases, false, tell, &tally);
	wf_lstm_close(&th->host, model);
	wf_bytes_free(&bytes);
	wf_lstm_trained_free(&th->host, &trained);
}

static void
expect_failure(TestHost *th, Log *log, WfCode code)
{
	WF_EXPECT_FAIL(th, code, train_and_open(th, log));
}

WF_TEST(every_allocation_and_check_fails)
{
	TestHost	th;
	Log			log;
	uint64_t	n_allocs;
	uint64_t	n_checks;
	size_t		before;

	test_host_begin(&th);
	make_log(&th.host, &log, 25, true, true);
	before = th.bytes_now;
	n_allocs = th.n_allocs;
	n_checks = th.n_checks;
	train_and_open(&th, &log);
	/* what it took is given back */
	WF_CHECK_EQ(th.bytes_now, before);
	n_allocs = th.n_allocs - n_allocs;
	n_checks = th.n_checks - n_checks;
	WF_CHECK(n_allocs > 20 && n_checks > 20);
	for (uint64_t i = 1; i <= n_allocs; i++)
	{
		th.fail_alloc_at = th.n_allocs + i;
		expect_failure(&th, &log, WF_E_MEMORY);
	}
	th.fail_alloc_at = 0;
	for (uint64_t i = 1; i <= n_checks; i += 1 + n_checks / 50)
	{
		th.cancel_check_at = th.n_checks + i;
		expect_failure(&th, &log, WF_E_INTERNAL);
	}
	test_host_end(&th);
}
