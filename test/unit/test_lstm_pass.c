/*
 * Forward and backward passes against a plain network in double: losses,
 * gradients of every matrix by finite differences, windows, dropout, and the
 * three widths against each other.
 */
#include "wf_test.h"

#include "core/rng.h"
#include "core/simd.h"
#include "lstm_plain.h"

#define MAX_CASES 40
#define MAX_EVENTS 600

static const WfSimd levels[] = {WF_SIMD_SCALAR, WF_SIMD_AVX2, WF_SIMD_AVX512};
static const char *const level_names[] = {"plain", "AVX2", "AVX-512"};

typedef struct Problem
{
	WfLstmShape shape;
	WfLstmCases cases;
	uint32_t	start[MAX_CASES + 1];
	uint16_t	event[MAX_EVENTS];
	float		log_gap[MAX_EVENTS];
	float		log_since[MAX_EVENTS];
	uint8_t		hide[MAX_CASES];
	uint32_t	which[MAX_CASES];
	float	   *weights;
	double	   *exact;
} Problem;

/* Cases of falling length, first_length the longest. */
static void
make_problem(WfHost *host, Problem *p, uint32_t n_events, uint32_t hidden, uint32_t embedding, bool timed,
			 uint32_t n_cases, uint32_t first_length)
{
	uint32_t	at = 0;

	memset(p, 0, sizeof(*p));
	wf_lstm_shape(&p->shape, n_events, hidden, embedding, timed);
	for (uint32_t c = 0; c < n_cases; c++)
	{
		uint32_t	length = 1 + (first_length - 1) * (n_cases - c) / n_cases;

		p->start[c] = at;
		p->hide[c] = c % 3 == 1;
		p->which[c] = c;
		for (uint32_t t = 0; t < length; t++, at++)
		{
			p->event[at] = (uint16_t) wf_rng_below(wf_rng(7, at), n_events);
			p->log_gap[at] = at % 11 == 5 ? NAN : (float) (wf_rng_unit(wf_rng(8, at)) * 12);
			p->log_since[at] = (float) (wf_rng_unit(wf_rng(9, at)) * 15);
		}
	}
	p->start[n_cases] = at;
	p->cases = (WfLstmCases) {.n_events = n_events, .n_cases = n_cases, .start = p->start, .event = p->event};
	if (timed)
	{
		p->cases.log_gap = p->log_gap;
		p->cases.log_since = p->log_since;
	}
	p->weights = wf_alloc(host, p->shape.n_weights, sizeof(float));
	p->exact = wf_alloc(host, p->shape.n_weights, sizeof(double));
	wf_lstm_initial(host, &p->shape, 3, p->weights);
	for (size_t i = 0; i < p->shape.n_weights; i++)
		p->exact[i] = p->weights[i];
}

static void
learn_all(WfHost *host, const Problem *p, const WfLstmLearning *learning, float *gradient, WfLstmLoss *loss)
{
	WfLstmNet  *net = wf_lstm_net_create(host, &p->shape, p->cases.n_cases, 64);

	memset(gradient, 0, p->shape.n_weights * sizeof(float));
	memset(loss, 0, sizeof(*loss));
	WF_CHECK(wf_lstm_load(net, &p->cases, p->which, p->cases.n_cases, 0, p->hide));
	wf_lstm_learn(net, p->weights, learning, gradient, loss);
	WF_CHECK(!wf_lstm_load(net, &p->cases, p->which, p->cases.n_cases, net->steps, p->hide));
	wf_lstm_net_destroy(net);
}

/* Is that weight one of a matrix, or padding? */
static bool
is_padding(const WfLstmShape *s, size_t i)
{
	if (i < s->input)
		return i % s->embed_row >= s->embedding;
	if (i < s->out)
		return (i - s->input) % s->gate_row >= 4 * s->hidden;
	return (i - s->out) % s->out_row >= s->n_outputs;
}

static void
check_gradient(const Problem *p, const float *gradient, double gap_weight, const char *what)
{
	const size_t begins[] = {p->shape.embed, p->shape.input, p->shape.recurrent, p->shape.bias,
	p->shape.out, p->shape.out_bias, p->shape.n_weights};
	int			stained = 0;

	for (int matrix = 0; matrix < 6; matrix++)
	{
		double		worst = 0;
		double		largest = 0;

		for (size_t i = begins[matrix]; i < begins[matrix + 1]; i++)
		{
			double		w = p->exact[i];
			double		up;
			double		slope;

			if (is_padding(&p->shape, i))
			{
				stained += gradient[i] != 0;
				continue;
			}
			if (i % 3 != 0 && begins[matrix + 1] - begins[matrix] > 200)
				continue;
			p->exact[i] = w + 1e-5;
			up = plain_loss(&p->shape, p->exact, &p->cases, p->hide, gap_weight, 0, UINT32_MAX, NULL);
			p->exact[i] = w - 1e-5;
			slope = (up - plain_loss(&p->shape, p->exact, &p->cases, p->hide, gap_weight, 0, UINT32_MAX, NULL)) / 2e-5;
			p->exact[i] = w;
			largest = fmax(largest, fabs(slope));
			worst = fmax(worst, fabs(slope - gradient[i]));
		}
		if (!(largest > 1e-4 && worst <= 4e-6 * largest))
			wf_test_failed(__FILE__, __LINE__, "%s: matrix %d: off by %g of %g", what, matrix, worst, largest);
	}
	WF_CHECK_EQ(stained, 0);
}

static void
check_problem(uint32_t n_events, uint32_t hidden, uint32_t embedding, bool timed, uint32_t n_cases, uint32_t longest)
{
	TestHost	th;
	Problem		p;
	WfLstmLearning learning = {.gap_weight = 0.7f};

	test_host_begin(&th);
	make_problem(&th.host, &p, n_events, hidden, embedding, timed, n_cases, longest);
	for (int l = 0; l < 3; l++)
	{
		float	   *gradient = wf_alloc(&th.host, p.shape.n_weights, sizeof(float));
		WfLstmLoss	loss;
		WfLstmLoss	expected;

		wf_simd_limit(levels[l]);
		learn_all(&th.host, &p, &learning, gradient, &loss);
		plain_loss(&p.shape, p.exact, &p.cases, p.hide, 0, 0, UINT32_MAX, &expected);
		WF_CHECK_EQ(loss.n, expected.n);
		WF_CHECK_EQ(loss.n_gaps, expected.n_gaps);
		WF_CHECK_NEAR(loss.loss, expected.loss, 1e-6 * expected.loss);
		WF_CHECK_NEAR(loss.gap_loss, expected.gap_loss, 3e-6 * expected.gap_loss);
		check_gradient(&p, gradient, timed ? 0.7 : 0, level_names[l]);
	}
	wf_simd_limit(WF_SIMD_AVX512_VBMI);
	test_host_end(&th);
}

WF_TEST(gradients)
{
	check_problem(5, 7, 3, true, 9, 6);
}

WF_TEST(gradients_many_lanes)
{
	/* three groups of lanes, the last one with a case only, most of which end early */
	check_problem(3, 4, 9, true, 33, 5);
}

WF_TEST(gradients_without_times)
{
	check_problem(18, 5, 17, false, 5, 4);
}

WF_TEST(gradients_smallest)
{
	check_problem(1, 1, 1, true, 2, 3);
}

/* Windows carry the state: the same losses as in one piece. */
WF_TEST(windows_carry_the_state)
{
	TestHost	th;
	Problem		p;

	test_host_begin(&th);
	make_problem(&th.host, &p, 6, 10, 4, true, 20, 30);
	for (uint32_t steps = 1; steps <= 31; steps += 3)
	{
		WfLstmNet  *net = wf_lstm_net_create(&th.host, &p.shape, 20, steps);
		WfLstmLoss	loss = {0};
		WfLstmLoss	expected;

		for (uint32_t from = 0; wf_lstm_load(net, &p.cases, p.which, 20, from, p.hide); from += net->steps)
			wf_lstm_judge(net, p.weights, &loss);
		plain_loss(&p.shape, p.exact, &p.cases, p.hide, 0, 0, UINT32_MAX, &expected);
		WF_CHECK_EQ(loss.n, expected.n);
		WF_CHECK_NEAR(loss.loss, expected.loss, 1e-6 * expected.loss);
		WF_CHECK_NEAR(loss.gap_loss, expected.gap_loss, 3e-6 * expected.gap_loss);
		wf_lstm_net_destroy(net);
	}
	test_host_end(&th);
}

/* A piece of a case is followed by what the case goes on with, not by its end. */
WF_TEST(pieces_have_no_end)
{
	TestHost	th;
	Problem		p;
	WfLstmCases pieces;
	uint32_t	start[] = {0, 6, 13};
	uint8_t		goes_on[] = {1, 0};
	WfLstmLoss	expected;

	test_host_begin(&th);
	make_problem(&th.host, &p, 4, 6, 3, true, 1, 13);
	pieces = p.cases;
	pieces.n_cases = 2;
	pieces.start = start;
	for (int cut = 0; cut < 2; cut++)
	{
		WfLstmNet  *net = wf_lstm_net_create(&th.host, &p.shape, 2, 4);
		WfLstmLoss	loss = {0};
		uint32_t	first = 0;

		net->goes_on = cut ? goes_on : NULL;
		for (uint32_t from = 0; wf_lstm_load(net, &pieces, &first, 1, from, NULL); from += net->steps)
			wf_lstm_judge(net, p.weights, &loss);
		plain_loss(&p.shape, p.exact, &p.cases, NULL, 0, 0, 6, &expected);
		WF_CHECK_EQ(loss.n, expected.n);
		if (cut)
		{
			WF_CHECK_NEAR(loss.loss, expected.loss, 1e-5);
			WF_CHECK_EQ(loss.n_gaps, expected.n_gaps);
		}
		else
			WF_CHECK(fabs(loss.loss - expected.loss) > 0.01);
		wf_lstm_net_destroy(net);
	}
	test_host_end(&th);
}

/* A window's gradient is that of its own events, with the state before it given. */
WF_TEST(gradient_of_a_later_window)
{
	TestHost	th;
	Problem		p;
	WfLstmNet  *net;
	WfLstmLearning learning = {0};
	float	   *gradient;
	WfLstmLoss	loss = {0};
	double		worst = 0;

	test_host_begin(&th);
	make_problem(&th.host, &p, 4, 6, 3, true, 3, 12);
	gradient = wf_alloc_zero(&th.host, p.shape.n_weights, sizeof(float));
	net = wf_lstm_net_create(&th.host, &p.shape, 3, 5);
	wf_lstm_load(net, &p.cases, p.which, 3, 0, p.hide);
	wf_lstm_judge(net, p.weights, &loss);
	wf_lstm_load(net, &p.cases, p.which, 3, 5, p.hide);
	wf_lstm_learn(net, p.weights, &learning, gradient, &loss);
	/* the output layer sees the state as it is: there nothing is cut */
	for (size_t i = p.shape.out; i < p.shape.n_weights; i++)
	{
		double		w = p.exact[i];
		double		up;

		if (is_padding(&p.shape, i))
			continue;
		p.exact[i] = w + 1e-5;
		up = plain_loss(&p.shape, p.exact, &p.cases, p.hide, 0, 5, 10, NULL);
		p.exact[i] = w - 1e-5;
		up -= plain_loss(&p.shape, p.exact, &p.cases, p.hide, 0, 5, 10, NULL);
		p.exact[i] = w;
		worst = fmax(worst, fabs(up / 2e-5 - gradient[i]));
	}
	WF_CHECK_NEAR(worst, 0, 1e-6);
	test_host_end(&th);
}

/* The widths agree to 1e-5 on a network of the usual size, dropout included. */
WF_TEST(widths_agree)
{
	TestHost	th;
	Problem		p;
	WfLstmLearning learning = {.dropout = 0.2f, .drop_key = 77, .gap_weight = 0.5f};
	float	   *gradient[3];
	WfLstmLoss	loss[3];

	test_host_begin(&th);
	make_problem(&th.host, &p, 40, 100, 32, true, 37, 20);
	for (int l = 0; l < 3; l++)
	{
		double		worst = 0;
		double		size = 0;

		wf_simd_limit(levels[l]);
		gradient[l] = wf_alloc(&th.host, p.shape.n_weights, sizeof(float));
		learn_all(&th.host, &p, &learning, gradient[l], &loss[l]);
		WF_CHECK_NEAR(loss[l].loss, loss[0].loss, 1e-6 * loss[0].loss);
		for (size_t i = 0; i < p.shape.n_weights; i++)
		{
			worst = fmax(worst, fabs((double) gradient[l][i] - gradient[0][i]));
			size = fmax(size, fabs((double) gradient[0][i]));
		}
		WF_CHECK_NEAR(worst, 0, 1e-5 * size);
	}
	wf_simd_limit(WF_SIMD_AVX512_VBMI);
	test_host_end(&th);
}

/* Dropout hides the share asked for, scales the rest, and the same in every width. */
WF_TEST(dropout)
{
	enum { ROWS = 100, COLUMNS = 64 };
	static float from[ROWS * COLUMNS];
	static float to[3][ROWS * COLUMNS];
	int			dropped = 0;
	int			wrong = 0;

	for (int i = 0; i < ROWS * COLUMNS; i++)
		from[i] = (float) (i + 1);
	for (int l = 0; l < 3; l++)
	{
		wf_simd_limit(levels[l]);
		wf_lstm_kernels()->drop(ROWS, COLUMNS, COLUMNS, from, to[l], 5, 0.25f, 0);
		WF_CHECK(memcmp(to[l], to[0], sizeof(to[0])) == 0);
	}
	wf_simd_limit(WF_SIMD_AVX512_VBMI);
	for (int i = 0; i < ROWS * COLUMNS; i++)
	{
		dropped += to[0][i] == 0;
		wrong += to[0][i] != 0 && fabs(to[0][i] - from[i] / 0.75) > 1e-6 * from[i];
	}
	WF_CHECK_EQ(wrong, 0);
	WF_CHECK_NEAR(dropped / (double) (ROWS * COLUMNS), 0.25, 0.02);
	wf_lstm_kernels()->drop(ROWS, COLUMNS, COLUMNS, from, to[1], 6, 0.25f, 0);
	WF_CHECK(memcmp(to[1], to[0], sizeof(to[0])) != 0);
	wf_lstm_kernels()->drop(ROWS, COLUMNS, COLUMNS, from, to[1], 6, 0, 0);
	WF_CHECK(memcmp(to[1], from, sizeof(from)) == 0);
}

/* The gradient under dropout: of a network in which just those outputs are missing. */
WF_TEST(gradient_under_dropout)
{
	TestHost	th;
	Problem		p;
	WfLstmLearning learning = {.dropout = 0.5f, .drop_key = 9};
	float	   *gradient;
	WfLstmLoss	loss;
	double		worst = 0;
	double		largest = 0;

	test_host_begin(&th);
	make_problem(&th.host, &p, 5, 8, 3, false, 6, 5);
	gradient = wf_alloc(&th.host, p.shape.n_weights, sizeof(float));
	learn_all(&th.host, &p, &learning, gradient, &loss);
	for (size_t i = 0; i < p.shape.n_weights; i += 7)
	{
		float		w = p.weights[i];
		float	   *other = wf_alloc(&th.host, p.shape.n_weights, sizeof(float));
		WfLstmLoss	up;
		WfLstmLoss	down;

		if (is_padding(&p.shape, i))
			continue;
		p.weights[i] = w + 0.01f;
		learn_all(&th.host, &p, &learning, other, &up);
		p.weights[i] = w - 0.01f;
		learn_all(&th.host, &p, &learning, other, &down);
		p.weights[i] = w;
		largest = fmax(largest, fabs(gradient[i]));
		worst = fmax(worst, fabs((up.loss - down.loss) / (double) up.n / 0.02 - gradient[i]));
	}
	WF_CHECK(largest > 0.01);
	WF_CHECK_NEAR(worst, 0, 2e-3 * largest);
	test_host_end(&th);
}
