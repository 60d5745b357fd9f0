/*
 * Epochs of the recurrent network alone, for lstm.py:
 *
 *	lstm_epoch EVENTS N_EVENTS CASE_LENGTH BATCH EPOCHS LEVEL WEIGHTS
 *
 * EVENTS holds uint16 codes, CASE_LENGTH of them a case.  Batches are taken in
 * the order of the file, without dropout, times or clipping, so that another
 * implementation can do just the same; the weights at the start are written
 * to WEIGHTS, matrix after matrix without padding.  LEVEL: 0 plain, 1 AVX2,
 * 2 AVX-512.  Prints one line an epoch: processor seconds, mean loss; then
 * the microseconds of a history of 20 events with its prediction, and of one
 * event more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/lstm_net.h"
#include "core/simd.h"

#define HIDDEN 100
#define EMBEDDING 32
#define RATE 1e-3

static void *
host_alloc(WfHost *host, size_t size)
{
	void	   *p = malloc(size);

	(void) host;
	if (p == NULL)
		abort();
	return p;
}

static void
host_release(WfHost *host, void *p)
{
	(void) host;
	free(p);
}

static void
host_check(WfHost *host)
{
	(void) host;
}

static double
cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static void
write_matrix(FILE *file, const float *at, size_t rows, size_t columns, size_t row)
{
	for (size_t i = 0; i < rows; i++)
		fwrite(at + i * row, sizeof(float), columns, file);
}

static void
write_weights(const char *path, const WfLstmShape *s, const float *w)
{
	FILE	   *file = fopen(path, "wb");

	if (file == NULL)
		abort();
	write_matrix(file, w + s->embed, s->n_events, s->embedding, s->embed_row);
	write_matrix(file, w + s->input, s->embedding, 4 * s->hidden, s->gate_row);
	write_matrix(file, w + s->recurrent, s->hidden, 4 * s->hidden, s->gate_row);
	write_matrix(file, w + s->bias, 1, 4 * s->hidden, s->gate_row);
	write_matrix(file, w + s->out, s->hidden, s->n_outputs, s->out_row);
	write_matrix(file, w + s->out_bias, 1, s->n_outputs, s->out_row);
	fclose(file);
}

static void
read_cases(const char *path, uint32_t n_events, uint32_t length, WfLstmCases *cases, uint32_t **which)
{
	FILE	   *file = fopen(path, "rb");
	uint16_t   *event;
	uint32_t   *start;
	long		size;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0)
		abort();
	size = ftell(file);
	rewind(file);
	event = malloc((size_t) size);
	if (fread(event, 1, (size_t) size, file) != (size_t) size)
		abort();
	fclose(file);
	memset(cases, 0, sizeof(*cases));
	cases->n_events = n_events;
	cases->n_cases = (uint32_t) ((size_t) size / sizeof(uint16_t) / length);
	start = malloc((cases->n_cases + 1) * sizeof(uint32_t));
	*which = malloc(cases->n_cases * sizeof(uint32_t));
	for (uint32_t i = 0; i <= cases->n_cases; i++)
		start[i] = i * length;
	for (uint32_t i = 0; i < cases->n_cases; i++)
		(*which)[i] = i;
	cases->start = start;
	cases->event = event;
}

/* Prediction, case by case. */
static void
time_prediction(WfHost *host, WfLstmShape *shape, float *weights)
{
	WfLstmTrained trained = {.shape = shape,.weights = weights};
	WfBytes		bytes;
	WfLstm	   *model;
	WfLstmState *state;
	float	   *p;
	double		begin;
	double		history;
	double		one;

	wf_bytes_init(&bytes, host);
	wf_lstm_write(&bytes, &trained);
	model = wf_lstm_open(host, bytes.data, bytes.length);
	state = wf_alloc(host, 1, wf_lstm_state_size(model));
	p = wf_alloc(host, wf_lstm_room(model), sizeof(float));
	begin = cpu_seconds();
	for (int i = 0; i < 5000; i++)
	{
		wf_lstm_start(model, state);
		for (uint32_t t = 0; t < 20; t++)
			wf_lstm_step(model, state, t % shape->n_events, 0, 0);
		wf_lstm_probabilities(model, state, p);
	}
	history = (cpu_seconds() - begin) / 5000;
	begin = cpu_seconds();
	for (int i = 0; i < 50000; i++)
	{
		wf_lstm_step(model, state, (uint32_t) i % shape->n_events, 0, 0);
		wf_lstm_probabilities(model, state, p);
	}
	one = (cpu_seconds() - begin) / 50000;
	printf("%.3f %.3f\n", history * 1e6, one * 1e6);
}

int
main(int argc, char **argv)
{
	WfHost		host = {.alloc = host_alloc,.release = host_release,.check = host_check};
	WfLstmShape shape;
	WfLstmCases cases;
	WfLstmOptimizer optimizer;
	WfLstmLearning learning = {0};
	WfLstmNet  *net;
	uint32_t   *which;
	uint32_t	batch;
	float	   *weights;

	if (argc != 8)
		return 2;
	read_cases(argv[1], (uint32_t) atoi(argv[2]), (uint32_t) atoi(argv[3]), &cases, &which);
	batch = (uint32_t) atoi(argv[4]);
	wf_simd_limit((WfSimd) atoi(argv[6]));
	if (wf_simd() != (WfSimd) atoi(argv[6]))
		return 3;
	wf_lstm_shape(&shape, cases.n_events, HIDDEN, EMBEDDING, false);
	weights = wf_alloc(&host, shape.n_weights, sizeof(float));
	wf_lstm_initial(&host, &shape, 1, weights);
	write_weights(argv[7], &shape, weights);
	wf_lstm_optimizer(&host, &optimizer, shape.n_weights, weights);
	optimizer.rate = RATE;
	net = wf_lstm_net_create(&host, &shape, batch, (uint32_t) atoi(argv[3]));
	for (int epoch = 0; epoch < atoi(argv[5]); epoch++)
	{
		WfLstmLoss	loss = {0};
		double		begin = cpu_seconds();

		for (uint32_t at = 0; at < cases.n_cases; at += batch)
		{
			wf_lstm_load(net, &cases, which + at, cases.n_cases - at < batch ? cases.n_cases - at : batch, 0, NULL);
			wf_lstm_learn(net, weights, &learning, optimizer.gradient, &loss);
			wf_lstm_optimize(&host, &optimizer);
		}
		printf("%.6f %.9f\n", cpu_seconds() - begin, loss.loss / (double) loss.n);
	}
	time_prediction(&host, &shape, weights);
	return 0;
}
