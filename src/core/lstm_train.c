/*-------------------------------------------------------------------------
 * lstm_train.c
 *	  Epochs, batches, early stopping.
 *
 * An epoch shuffles the cases, sorts them by length inside pools of a few
 * batches - so that a batch's cases are of about one length and yet others in
 * each epoch - cuts the pools into batches and shuffles those.  Batches of one
 * length teach a little less well: where cases are few a pool is one batch.
 *
 * A long case would fill one lane of sixteen: it is cut into pieces, each of
 * which starts from nothing, as if it were a case of its own without an end.
 *-------------------------------------------------------------------------
 */
#include "core/lstm_net.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"

/* Pools in an epoch, at least, and batches in a pool, at most. */
#define POOLS 256
#define POOL_BATCHES 16
/* Longest piece of a case. */
#define PIECE 1024
/* Longest window, and the bytes that a window's steps should stay within. */
#define WINDOW 256
#define WINDOW_LEAST 16
#define WINDOW_BYTES ((size_t) 64 << 20)
/* Between two calls of host->check(): values of Adam's arrays; cases or events. */
#define CHECK_WEIGHTS ((size_t) 1 << 20)
#define CHECK_CASES ((size_t) 1 << 17)

/* Parts of the random key. */
enum
{
	KEY_INITIAL = 1, KEY_CASES, KEY_BATCHES, KEY_MASK, KEY_DROP
};

typedef struct Batch
{
	uint32_t	begin;
	uint32_t	n;
} Batch;

typedef struct Trainer
{
	WfHost	   *host;
	WfLstmCases pieces;			/* the cases, long ones cut: the cases of what follows */
	uint32_t   *start;
	uint8_t    *held_out;
	uint8_t    *goes_on;
	const WfLstmOptions *options;
	const WfLstmShape *shape;
	WfLstmNet  *net;
	WfLstmOptimizer optimizer;
	uint32_t   *lessons;		/* cases to learn from, by number */
	uint32_t	n_lessons;
	uint32_t   *tests;			/* held-out cases, longest first */
	uint32_t	n_tests;
	uint32_t   *order;			/* n_lessons: as this epoch takes them */
	uint32_t   *spare;
	Batch	   *batches;
	uint32_t	n_batches;
	uint8_t    *hide;			/* one batch */
	float	   *best;			/* weights of the best epoch; NULL without tests */
	uint64_t	n_steps;
	uint64_t	done;			/* events, for the progress */
	uint64_t	total;
	bool		late;			/* the deadline has passed */
} Trainer;

void
wf_lstm_options_default(WfLstmOptions *options)
{
	memset(options, 0, sizeof(*options));
	options->hidden = 100;
	options->embedding = 32;
	options->epochs = 50;
	options->patience = 5;
	options->batch_size = 32;
	options->learning_rate = 2e-3;
	options->dropout = 0.2;
	options->clip = 1;
	options->mask_times = 0.2;
	options->gap_weight = 0.3;
}

/* ---- the optimiser ---- */

void
wf_lstm_optimizer(WfHost *host, WfLstmOptimizer *o, size_t n, float *weights)
{
	memset(o, 0, sizeof(*o));
	o->n = n;
	o->weights = weights;
	o->gradient = wf_alloc_zero(host, n, sizeof(float));
	o->mean = wf_alloc_zero(host, n, sizeof(float));
	o->square = wf_alloc_zero(host, n, sizeof(float));
	o->power1 = 1;
	o->power2 = 1;
}

void
wf_lstm_optimizer_free(WfHost *host, WfLstmOptimizer *o)
{
	wf_release(host, o->gradient);
	wf_release(host, o->mean);
	wf_release(host, o->square);
}

void
wf_lstm_optimize(WfHost *host, WfLstmOptimizer *o)
{
	const WfLstmKernels *kernels = wf_lstm_kernels();
	WfAdam		adam = {.epsilon = 1e-8f, .scale = 1};

	o->power1 *= WF_ADAM_BETA1;
	o->power2 *= WF_ADAM_BETA2;
	adam.rate = (float) (o->rate / (1 - o->power1));
	adam.correction = (float) (1 / sqrt(1 - o->power2));
	if (o->clip > 0)
	{
		double		sum = 0;

		for (size_t i = 0; i < o->n; i += CHECK_WEIGHTS)
		{
			sum += kernels->sum_squares(o->n - i < CHECK_WEIGHTS ? o->n - i : CHECK_WEIGHTS, o->gradient + i);
			host->check(host);
		}
		if (sum > o->clip * o->clip)
			adam.scale = (float) (o->clip / sqrt(sum));
	}
	for (size_t i = 0; i < o->n; i += CHECK_WEIGHTS)
	{
		kernels->adam(o->n - i < CHECK_WEIGHTS ? o->n - i : CHECK_WEIGHTS, &adam,
					  o->weights + i, o->gradient + i, o->mean + i, o->square + i);
		host->check(host);
	}
}

/* ---- order ---- */

static inline uint32_t
length_of(const WfLstmCases *cases, uint32_t c)
{
	return cases->start[c + 1] - cases->start[c];
}

/* Falling length, equal ones as they were: runs are merged, spare is as long. */
static void
sort_by_length(WfHost *host, const WfLstmCases *cases, uint32_t *which, uint32_t n, uint32_t *spare)
{
	for (size_t run = 1; run < n; run *= 2)
	{
		for (size_t begin = 0; begin < n; begin += 2 * run)
		{
			size_t		middle = begin + run < n ? begin + run : n;
			size_t		end = begin + 2 * run < n ? begin + 2 * run : n;
			size_t		a = begin;
			size_t		b = middle;

			for (size_t i = begin; i < end; i++)
			{
				if (b >= end || (a < middle && length_of(cases, which[a]) >= length_of(cases, which[b])))
					spare[i] = which[a++];
				else
					spare[i] = which[b++];
				if (i % CHECK_CASES == 0)
					host->check(host);
			}
		}
		memcpy(which, spare, n * sizeof(uint32_t));
	}
}

static void
plan_epoch(Trainer *t, uint32_t epoch)
{
	uint64_t	seed = t->options->seed;
	uint64_t	key = wf_rng(wf_rng(seed, KEY_CASES), epoch);
	uint32_t	batch = t->options->batch_size;
	uint32_t	pool = t->n_lessons / POOLS / batch;

	pool = batch * (pool < 1 ? 1 : pool > POOL_BATCHES ? POOL_BATCHES : pool);
	memcpy(t->order, t->lessons, t->n_lessons * sizeof(uint32_t));
	for (uint32_t i = t->n_lessons; i > 1; i--)
	{
		uint32_t	j = wf_rng_below(wf_rng(key, i), i);
		uint32_t	c = t->order[i - 1];

		t->order[i - 1] = t->order[j];
		t->order[j] = c;
		if (i % CHECK_CASES == 0)
			t->host->check(t->host);
	}
	t->n_batches = 0;
	for (uint32_t at = 0; at < t->n_lessons; at += batch)
	{
		uint32_t	rest = t->n_lessons - at;

		if (at % pool == 0)
		{
			sort_by_length(t->host, &t->pieces, t->order + at, rest < pool ? rest : pool, t->spare);
			t->host->check(t->host);
		}
		t->batches[t->n_batches++] = (Batch) {at, rest < batch ? rest : batch};
	}
	key = wf_rng(wf_rng(seed, KEY_BATCHES), epoch);
	for (uint32_t i = t->n_batches; i > 1; i--)
	{
		uint32_t	j = wf_rng_below(wf_rng(key, i), i);
		Batch		b = t->batches[i - 1];

		t->batches[i - 1] = t->batches[j];
		t->batches[j] = b;
	}
}

/* ---- an epoch ---- */

/* One batch: a step of the optimiser for each of its windows. */
static void
learn_batch(Trainer *t, uint32_t epoch, const Batch *batch, WfLstmLoss *loss)
{
	const WfLstmOptions *options = t->options;
	const uint32_t *which = t->order + batch->begin;
	uint64_t	mask_key = wf_rng(wf_rng(options->seed, KEY_MASK), epoch);
	uint64_t	drop_key = wf_rng(options->seed, KEY_DROP);
	WfLstmLearning learning = {.dropout = (float) options->dropout, .gap_weight = (float) options->gap_weight};

	for (uint32_t i = 0; i < batch->n; i++)
		t->hide[i] = wf_rng_unit(wf_rng(mask_key, which[i])) < options->mask_times;
	for (uint32_t from = 0; wf_lstm_load(t->net, &t->pieces, which, batch->n, from, t->hide); from += t->net->steps)
	{
		learning.drop_key = (uint32_t) wf_rng(drop_key, t->n_steps++);
		wf_lstm_learn(t->net, t->optimizer.weights, &learning, t->optimizer.gradient, loss);
		wf_lstm_optimize(t->host, &t->optimizer);
		t->done += t->net->n_live;
		if (options->progress)
			options->progress(options->progress_arg, t->done < t->total ? t->done : t->total, t->total);
		if (options->deadline > 0 && t->host->now(t->host) > options->deadline)
		{
			t->late = true;
			return;
		}
	}
}

static double
learn_epoch(Trainer *t, uint32_t epoch)
{
	WfLstmLoss	loss = {0};

	plan_epoch(t, epoch);
	for (uint32_t b = 0; b < t->n_batches && !t->late; b++)
		learn_batch(t, epoch, &t->batches[b], &loss);
	if (!isfinite(loss.loss))
		t->host->fail(t->host, WF_E_DATA, "Lower the learning rate.", "the recurrent network diverged");
	return loss.loss / (double) loss.n;
}

/* Mean log loss of the held-out cases. */
static double
judge(Trainer *t)
{
	WfLstmLoss	loss = {0};
	uint32_t	lanes = t->net->max_lanes;

	for (uint32_t at = 0; at < t->n_tests; at += lanes < t->n_tests - at ? lanes : t->n_tests - at)
	{
		uint32_t	n = t->n_tests - at < lanes ? t->n_tests - at : lanes;

		for (uint32_t from = 0; wf_lstm_load(t->net, &t->pieces, t->tests + at, n, from, NULL); from += t->net->steps)
			wf_lstm_judge(t->net, t->optimizer.weights, &loss);
	}
	return loss.loss / (double) loss.n;
}

static void
learn(Trainer *t, uint32_t epochs, WfLstmTrained *trained)
{
	const WfLstmOptions *options = t->options;
	size_t		bytes = t->shape->n_weights * sizeof(float);
	double		least = INFINITY;

	wf_lstm_initial(t->host, t->shape, wf_rng(options->seed, KEY_INITIAL), t->optimizer.weights);
	for (uint32_t epoch = 0; epoch < epochs && !t->late; epoch++)
	{
		trained->training_loss[epoch] = learn_epoch(t, epoch);
		trained->n_epochs = epoch + 1;
		if (t->n_tests == 0)
		{
			trained->best_epoch = epoch;
			continue;
		}
		trained->held_out_loss[epoch] = judge(t);
		if (trained->held_out_loss[epoch] < least)
		{
			least = trained->held_out_loss[epoch];
			trained->best_epoch = epoch;
			memcpy(t->best, t->optimizer.weights, bytes);
		}
		else if (options->patience && epoch - trained->best_epoch >= options->patience)
			break;
	}
	if (least < INFINITY)
		memcpy(t->optimizer.weights, t->best, bytes);
}

/* ---- the whole ---- */

static void
check_options(WfHost *host, const WfLstmCases *cases, const WfLstmOptions *o)
{
	if (cases->n_events < 1 || cases->n_events > WF_LSTM_MAX_EVENTS ||
		o->hidden < 1 || o->hidden > WF_LSTM_MAX_HIDDEN ||
		o->embedding < 1 || o->embedding > WF_LSTM_MAX_EMBEDDING ||
		o->epochs < 1 || o->batch_size < 1 || o->batch_size > WF_LSTM_MAX_BATCH ||
		!(o->learning_rate > 0 && o->learning_rate <= 1) || !(o->dropout >= 0 && o->dropout <= 0.9) ||
		!(o->clip >= 0) || !(o->mask_times >= 0 && o->mask_times <= 1) ||
		!(o->gap_weight >= 0 && o->gap_weight <= 1000))
		host->fail(host, WF_E_PARAM, WF_HINT_NONE, "options of the recurrent network are out of range");
	for (uint32_t i = 0; i < cases->start[cases->n_cases]; i++)
	{
		if (cases->event[i] >= cases->n_events)
			host->fail(host, WF_E_INTERNAL, WF_HINT_NONE, "event %u is not in the vocabulary", cases->event[i]);
		if (i % CHECK_CASES == 0)
			host->check(host);
	}
}

/* The steps of a window, so that long cases and large networks share a bound. */
static uint32_t
window_steps(const WfLstmShape *shape, uint32_t lanes, uint32_t longest)
{
	size_t		bytes = wf_gemm_pad(lanes) * (shape->gate_row + 3 * (size_t) shape->hidden) * sizeof(float);
	size_t		steps = WINDOW_BYTES / bytes;

	steps = steps < WINDOW_LEAST ? WINDOW_LEAST : steps > WINDOW ? WINDOW : steps;
	return steps < longest ? (uint32_t) steps : longest;
}

/* Pieces that a case of that length is cut into: one if it is short or empty. */
static uint32_t
pieces_of(uint32_t length)
{
	return length <= PIECE ? 1 : (length - 1) / PIECE + 1;
}

static void
cut_cases(Trainer *t, const WfLstmCases *cases)
{
	WfHost	   *host = t->host;
	uint32_t	n = 0;

	for (uint32_t c = 0; c < cases->n_cases; c++)
		n += pieces_of(length_of(cases, c));
	t->start = wf_alloc(host, (size_t) n + 1, sizeof(uint32_t));
	t->held_out = wf_alloc(host, n, 1);
	t->goes_on = wf_alloc(host, n, 1);
	t->pieces = *cases;
	t->pieces.start = t->start;
	t->pieces.held_out = t->held_out;
	t->pieces.n_cases = n;
	n = 0;
	for (uint32_t c = 0; c < cases->n_cases; c++)
	{
		uint32_t	count = pieces_of(length_of(cases, c));

		for (uint32_t i = 0; i < count; i++, n++)
		{
			t->start[n] = cases->start[c] + i * PIECE;
			t->held_out[n] = cases->held_out && cases->held_out[c];
			t->goes_on[n] = i + 1 < count;
		}
		if (c % CHECK_CASES == 0)
			host->check(host);
	}
	t->start[n] = cases->start[cases->n_cases];
}

/* Which cases teach and which judge; with all, none judge. */
static void
share_cases(Trainer *t, bool all)
{
	const WfLstmCases *cases = &t->pieces;
	uint64_t	n_events = 0;

	t->n_lessons = 0;
	t->n_tests = 0;
	for (uint32_t c = 0; c < cases->n_cases; c++)
	{
		if (c % CHECK_CASES == 0)
			t->host->check(t->host);
		if (length_of(cases, c) == 0)
			continue;
		if (cases->held_out[c] && !all)
			t->tests[t->n_tests++] = c;
		else
		{
			t->lessons[t->n_lessons++] = c;
			n_events += length_of(cases, c);
		}
	}
	sort_by_length(t->host, cases, t->tests, t->n_tests, t->spare);
	t->total = n_events * t->options->epochs;
}

static void
prepare(Trainer *t, WfLstmTrained *trained)
{
	const WfLstmCases *cases = &t->pieces;
	WfHost	   *host = t->host;
	uint32_t	batch = t->options->batch_size;
	uint32_t	longest = 0;

	for (uint32_t c = 0; c < cases->n_cases; c++)
		longest = length_of(cases, c) > longest ? length_of(cases, c) : longest;
	t->lessons = wf_alloc(host, cases->n_cases, sizeof(uint32_t));
	t->tests = wf_alloc(host, cases->n_cases, sizeof(uint32_t));
	t->order = wf_alloc(host, cases->n_cases, sizeof(uint32_t));
	t->spare = wf_alloc(host, cases->n_cases, sizeof(uint32_t));
	t->batches = wf_alloc(host, cases->n_cases / batch + 1, sizeof(Batch));
	t->hide = wf_alloc(host, batch, 1);
	share_cases(t, false);
	if (t->n_lessons == 0)
		host->fail(host, WF_E_DATA, WF_HINT_NONE, "there is no case to learn from");
	if (t->n_tests)
		t->best = wf_alloc(host, t->shape->n_weights, sizeof(float));
	trained->weights = wf_alloc(host, t->shape->n_weights, sizeof(float));
	trained->training_loss = wf_alloc_zero(host, t->options->epochs, sizeof(double));
	trained->held_out_loss = t->n_tests ? wf_alloc_zero(host, t->options->epochs, sizeof(double)) : NULL;
	wf_lstm_optimizer(host, &t->optimizer, t->shape->n_weights, trained->weights);
	t->optimizer.rate = t->options->learning_rate;
	t->optimizer.clip = t->options->clip;
	t->net = wf_lstm_net_create(host, t->shape, batch, window_steps(t->shape, batch, longest));
	t->net->goes_on = t->goes_on;
}

/* All cases teach, for as many epochs as were best; the losses stay those of the search. */
static void
refit(Trainer *t, const WfLstmTrained *trained)
{
	WfLstmTrained again = {.training_loss = wf_alloc(t->host, t->options->epochs, sizeof(double))};
	size_t		bytes = t->shape->n_weights * sizeof(float);

	memset(t->optimizer.mean, 0, bytes);
	memset(t->optimizer.square, 0, bytes);
	t->optimizer.power1 = 1;
	t->optimizer.power2 = 1;
	t->n_steps = 0;
	share_cases(t, true);
	learn(t, trained->best_epoch + 1, &again);
	wf_release(t->host, again.training_loss);
}

/* What open() would refuse is not to be written. */
static void
check_weights(Trainer *t)
{
	for (size_t i = 0; i < t->shape->n_weights; i++)
	{
		if (!(fabsf(t->optimizer.weights[i]) <= WF_LSTM_MAX_WEIGHT))
			t->host->fail(t->host, WF_E_DATA, "Lower the learning rate.", "the recurrent network diverged");
		if (i % CHECK_WEIGHTS == 0)
			t->host->check(t->host);
	}
}

void
wf_lstm_train(WfHost *host, const WfLstmCases *cases, const WfLstmOptions *options,
			  WfLstmTrained *trained)
{
	Trainer		t = {.host = host, .options = options};

	check_options(host, cases, options);
	memset(trained, 0, sizeof(*trained));
	trained->shape = wf_alloc(host, 1, sizeof(WfLstmShape));
	t.shape = trained->shape;
	wf_lstm_shape(trained->shape, cases->n_events, options->hidden, options->embedding, cases->log_gap != NULL);
	cut_cases(&t, cases);
	prepare(&t, trained);
	learn(&t, options->epochs, trained);
	if (options->refit && t.n_tests && !t.late)
		refit(&t, trained);
	check_weights(&t);
	if (options->progress)
		options->progress(options->progress_arg, t.total, t.total);
	wf_lstm_net_destroy(t.net);
	wf_lstm_optimizer_free(host, &t.optimizer);
	wf_release(host, t.best);
	wf_release(host, t.hide);
	wf_release(host, t.batches);
	wf_release(host, t.spare);
	wf_release(host, t.order);
	wf_release(host, t.tests);
	wf_release(host, t.lessons);
	wf_release(host, t.goes_on);
	wf_release(host, t.held_out);
	wf_release(host, t.start);
}

void
wf_lstm_trained_free(WfHost *host, WfLstmTrained *trained)
{
	wf_release(host, trained->shape);
	wf_release(host, trained->weights);
	wf_release(host, trained->held_out_loss);
	wf_release(host, trained->training_loss);
	memset(trained, 0, sizeof(*trained));
}

void
wf_lstm_estimate(const WfLstmOptions *options, uint32_t n_events, uint32_t n_cases,
				 uint32_t longest_case, bool timed, size_t *memory, size_t *section)
{
	WfLstmShape shape;
	size_t		weights;

	wf_lstm_shape(&shape, n_events, options->hidden, options->embedding, timed);
	weights = shape.n_weights * sizeof(float);
	/* weights, best weights, gradient, two moments; seven lists of cases; one window */
	*memory = 5 * weights + (5 * sizeof(uint32_t) + 2 + sizeof(Batch)) * (size_t) n_cases +
		wf_lstm_net_memory(&shape, options->batch_size, window_steps(&shape, options->batch_size, longest_case));
	*section = sizeof(WfLstmHeader) + (weights + 63) / 64 * 64;
}
