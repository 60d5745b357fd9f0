/*
 * The recurrent network against PyTorch, tensor by tensor: activations,
 * losses, gradients and two steps of Adam of one small network, as written by
 * test/data/lstm_reference.py.
 */
#include "wf_test.h"

#include "core/lstm_net.h"
#include "core/simd.h"

#define PATH "test/data/lstm_reference.txt"
#define MAX_VALUES 400
#define MAX_TENSORS 64

static const WfSimd levels[] = {WF_SIMD_SCALAR, WF_SIMD_AVX2, WF_SIMD_AVX512};

typedef struct Tensor
{
	char		name[32];
	int			n;
	double		value[MAX_VALUES];
} Tensor;

static Tensor tensors[MAX_TENSORS];
static int	n_tensors;

static void
read_reference(void)
{
	FILE	   *file = fopen(PATH, "r");
	char		line[200];

	n_tensors = 0;
	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
	{
		wf_test_failed(__FILE__, __LINE__, "cannot read %s", PATH);
		return;
	}
	while (n_tensors < MAX_TENSORS && fscanf(file, "%31s %d", tensors[n_tensors].name, &tensors[n_tensors].n) == 2)
	{
		Tensor	   *t = &tensors[n_tensors++];

		WF_CHECK(t->n <= MAX_VALUES);
		for (int i = 0; i < t->n && i < MAX_VALUES; i++)
			WF_CHECK_EQ(fscanf(file, "%lf", &t->value[i]), 1);
	}
	fclose(file);
}

static const Tensor *
find(const char *prefix, const char *name, int step)
{
	static const Tensor none;
	char		full[64];

	if (step < 0)
		snprintf(full, sizeof(full), "%s%s", prefix, name);
	else
		snprintf(full, sizeof(full), "%s%s_%d", prefix, name, step);
	for (int i = 0; i < n_tensors; i++)
		if (strcmp(tensors[i].name, full) == 0)
			return &tensors[i];
	wf_test_failed(__FILE__, __LINE__, "%s has no \"%s\"", PATH, full);
	return &none;
}

static double
one(const char *name)
{
	return find("", name, -1)->value[0];
}

typedef struct Matrix
{
	const char *name;
	size_t		at;
	size_t		rows;
	size_t		columns;
	size_t		row;
} Matrix;

static void
matrices(const WfLstmShape *s, Matrix m[6])
{
	m[0] = (Matrix) {"embed", s->embed, s->n_events, s->embedding, s->embed_row};
	m[1] = (Matrix) {"input", s->input, s->embedding, 4 * s->hidden, s->gate_row};
	m[2] = (Matrix) {"recurrent", s->recurrent, s->hidden + s->n_inputs, 4 * s->hidden, s->gate_row};
	m[3] = (Matrix) {"bias", s->bias, 1, 4 * s->hidden, s->gate_row};
	m[4] = (Matrix) {"out", s->out, s->hidden, s->n_outputs, s->out_row};
	m[5] = (Matrix) {"out_bias", s->out_bias, 1, s->n_outputs, s->out_row};
}

/* Largest difference of a tensor's values, in units of its largest value. */
static void
compare(const WfLstmShape *s, const float *ours, const char *prefix, int step, double tolerance)
{
	Matrix		m[6];

	matrices(s, m);
	for (int k = 0; k < 6; k++)
	{
		const Tensor *t = find(prefix, m[k].name, step);
		double		worst = 0;
		double		largest = 1e-12;

		WF_CHECK_EQ(t->n, m[k].rows * m[k].columns);
		for (int i = 0; i < t->n; i++)
		{
			size_t		at = m[k].at + i / m[k].columns * m[k].row + i % m[k].columns;

			largest = fmax(largest, fabs(t->value[i]));
			worst = fmax(worst, fabs(t->value[i] - ours[at]));
		}
		if (!(worst <= tolerance * largest))
			wf_test_failed(__FILE__, __LINE__, "%s%s of step %d: off by %g of %g", prefix, m[k].name, step, worst, largest);
	}
}

static void
fill_weights(const WfLstmShape *s, float *weights)
{
	Matrix		m[6];

	matrices(s, m);
	memset(weights, 0, s->n_weights * sizeof(float));
	for (int k = 0; k < 6; k++)
	{
		const Tensor *t = find("", m[k].name, -1);

		for (int i = 0; i < t->n; i++)
			weights[m[k].at + i / m[k].columns * m[k].row + i % m[k].columns] = (float) t->value[i];
	}
}

static uint32_t start[20];
static uint16_t event[40];
static float log_gap[40];
static float log_since[40];
static uint8_t hide[20];
static uint32_t which[20];

static void
fill_cases(WfLstmCases *cases)
{
	const Tensor *length = find("", "lengths", -1);

	*cases = (WfLstmCases) {(uint32_t) one("n_events"), (uint32_t) one("n_cases"), start, event, log_gap, log_since, NULL};
	for (uint32_t c = 0; c < cases->n_cases; c++)
	{
		start[c + 1] = start[c] + (uint32_t) length->value[c];
		hide[c] = find("", "hide", -1)->value[c] != 0;
		which[c] = c;
	}
	for (uint32_t i = 0; i < start[cases->n_cases]; i++)
	{
		event[i] = (uint16_t) find("", "event", -1)->value[i];
		log_gap[i] = (float) find("", "log_gap", -1)->value[i];
		log_since[i] = (float) find("", "log_since", -1)->value[i];
	}
}

static void
learn_two_steps(TestHost *th, const WfLstmShape *shape, const WfLstmCases *cases)
{
	float	   *weights = wf_alloc(&th->host, shape->n_weights, sizeof(float));
	WfLstmNet  *net = wf_lstm_net_create(&th->host, shape, cases->n_cases, 16);
	WfLstmLearning learning = {.gap_weight = (float) one("gap_weight")};
	WfLstmOptimizer optimizer;

	fill_weights(shape, weights);
	wf_lstm_optimizer(&th->host, &optimizer, shape->n_weights, weights);
	optimizer.rate = one("rate");
	optimizer.clip = one("clip");
	for (int step = 0; step < 2; step++)
	{
		WfLstmLoss	loss = {0};

		wf_lstm_load(net, cases, which, cases->n_cases, 0, hide);
		wf_lstm_learn(net, weights, &learning, optimizer.gradient, &loss);
		WF_CHECK_NEAR(loss.loss, find("", "loss", step)->value[0], 3e-6 * loss.loss);
		WF_CHECK_NEAR(loss.gap_loss, find("", "gap_loss", step)->value[0], 1e-5 * loss.gap_loss);
		compare(shape, optimizer.gradient, "d_", step, 1e-5);
		wf_lstm_optimize(&th->host, &optimizer);
		compare(shape, weights, "", step, 1e-5);
	}
	wf_lstm_net_destroy(net);
	wf_lstm_optimizer_free(&th->host, &optimizer);
}

WF_TEST(gradients_and_steps)
{
	TestHost	th;
	WfLstmShape shape;
	WfLstmCases cases;

	test_host_begin(&th);
	read_reference();
	fill_cases(&cases);
	wf_lstm_shape(&shape, cases.n_events, (uint32_t) one("hidden"), (uint32_t) one("embedding"), true);
	for (int l = 0; l < 3; l++)
	{
		wf_simd_limit(levels[l]);
		learn_two_steps(&th, &shape, &cases);
	}
	wf_simd_limit(WF_SIMD_AVX512_VBMI);
	test_host_end(&th);
}

/* Event by event, from the bytes of a model. */
WF_TEST(activations)
{
	TestHost	th;
	WfLstmShape shape;
	WfLstmCases cases;
	WfBytes		bytes;
	WfLstmTrained trained = {0};
	WfLstm	   *model;
	WfLstmState *state;
	float	   *p;

	test_host_begin(&th);
	read_reference();
	fill_cases(&cases);
	wf_lstm_shape(&shape, cases.n_events, (uint32_t) one("hidden"), (uint32_t) one("embedding"), true);
	trained.shape = &shape;
	trained.weights = wf_alloc(&th.host, shape.n_weights, sizeof(float));
	fill_weights(&shape, trained.weights);
	wf_bytes_init(&bytes, &th.host);
	wf_lstm_write(&bytes, &trained);
	model = wf_lstm_open(&th.host, bytes.data, bytes.length);
	state = wf_alloc(&th.host, 1, wf_lstm_state_size(model));
	p = wf_alloc(&th.host, wf_lstm_room(model), sizeof(float));
	for (int l = 0; l < 3; l++)
	{
		wf_simd_limit(levels[l]);
		for (uint32_t c = 0; c < cases.n_cases; c++)
		{
			wf_lstm_start(model, state);
			for (uint32_t i = start[c]; i < start[c + 1]; i++)
			{
				const float *h = (const float *) (const void *) ((const char *) state + 8);

				wf_lstm_step(model, state, event[i], hide[c] ? NAN : log_gap[i], log_since[i]);
				wf_lstm_probabilities(model, state, p);
				for (uint32_t u = 0; u < shape.hidden; u++)
					WF_CHECK_NEAR(h[u], find("", "h", -1)->value[i * shape.hidden + u], 3e-6);
				for (uint32_t e = 0; e <= shape.n_events; e++)
					WF_CHECK_NEAR(p[e], find("", "probability", -1)->value[i * (shape.n_events + 1) + e], 3e-6);
				WF_CHECK_NEAR(wf_lstm_gap(model, state), fmax(find("", "next_gap", -1)->value[i] * 10, 0), 3e-5);
			}
		}
	}
	wf_simd_limit(WF_SIMD_AVX512_VBMI);
	test_host_end(&th);
}
