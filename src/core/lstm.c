/*-------------------------------------------------------------------------
 * lstm.c
 *	  The network's shape and buffers, and what a window of a batch holds.
 *-------------------------------------------------------------------------
 */
#include "core/lstm_net.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"

/* Values zeroed between two calls of host->check(). */
#define CHECK_VALUES ((size_t) 1 << 22)

void
wf_lstm_shape(WfLstmShape *shape, uint32_t n_events, uint32_t hidden, uint32_t embedding, bool timed)
{
	size_t		at = 0;

	memset(shape, 0, sizeof(*shape));
	shape->n_events = n_events;
	shape->hidden = hidden;
	shape->embedding = embedding;
	shape->n_inputs = timed ? WF_LSTM_TIME_INPUTS : 0;
	shape->n_outputs = n_events + (timed ? 2 : 1);
	shape->gate_row = wf_gemm_pad(4 * (size_t) hidden);
	shape->embed_row = wf_gemm_pad(embedding);
	shape->out_row = wf_gemm_pad(shape->n_outputs);
	shape->embed = at;
	at += (size_t) n_events * shape->embed_row;
	shape->input = at;
	at += (size_t) embedding * shape->gate_row;
	shape->recurrent = at;
	at += ((size_t) hidden + shape->n_inputs) * shape->gate_row;
	shape->bias = at;
	at += shape->gate_row;
	shape->out = at;
	at += (size_t) hidden * shape->out_row;
	shape->out_bias = at;
	at += shape->out_row;
	shape->n_weights = at;
}

/* Uniform in ±size, the padding left alone. */
static void
draw_matrix(WfHost *host, float *weights, size_t rows, size_t columns, size_t row, uint64_t key, double size)
{
	for (size_t i = 0; i < rows; i++)
	{
		for (size_t j = 0; j < columns; j++)
			weights[i * row + j] = (float) ((wf_rng_unit(wf_rng(key, i * columns + j)) * 2 - 1) * size);
		if (i % 16 == 0)
			host->check(host);
	}
}

/*
 * As is usual: ±1/√H for what feeds gates and outputs, unit variance for the
 * embedding; the forget gate begins nearly open (Jozefowicz et al. 2015).
 */
void
wf_lstm_initial(WfHost *host, const WfLstmShape *shape, uint64_t seed, float *weights)
{
	size_t		h = shape->hidden;
	double		size = 1 / sqrt((double) h);

	memset(weights, 0, shape->n_weights * sizeof(float));
	draw_matrix(host, weights + shape->embed, shape->n_events, shape->embedding, shape->embed_row,
				wf_rng(seed, 1), sqrt(3.0));
	draw_matrix(host, weights + shape->input, shape->embedding, 4 * h, shape->gate_row, wf_rng(seed, 2), size);
	draw_matrix(host, weights + shape->recurrent, h + shape->n_inputs, 4 * h, shape->gate_row, wf_rng(seed, 3), size);
	draw_matrix(host, weights + shape->bias, 1, 4 * h, shape->gate_row, wf_rng(seed, 4), size);
	draw_matrix(host, weights + shape->out, h, shape->n_outputs, shape->out_row, wf_rng(seed, 5), size);
	for (size_t i = h; i < 2 * h; i++)
		weights[shape->bias + i] += 1;
}

/* ---- buffers ---- */

/* The next n four-byte values; with base NULL only counted. */
static void *
take(float *base, size_t *at, size_t n)
{
	void	   *p = base ? base + *at : NULL;

	*at += wf_gemm_pad(n);
	return p;
}

/*
 * Set the pointers into one block of floats; returns its length.  The limits
 * of lstm.h and those of lstm_train.c on a window keep every product far below
 * 2^64.
 */
static size_t
lay_out(WfLstmNet *net, const WfLstmShape *s, size_t lanes, size_t steps, float *base)
{
	size_t		cells = lanes * steps;
	size_t		symbols = cells < s->n_events ? cells : s->n_events;
	size_t		at = 0;

	net->lanes = take(base, &at, steps);
	net->live = take(base, &at, steps);
	net->symbol = take(base, &at, cells);
	net->target = take(base, &at, cells);
	net->gap_target = take(base, &at, s->n_inputs ? cells : 0);
	net->events = take(base, &at, symbols);
	net->symbol_of = take(base, &at, s->n_events);
	net->before = take(base, &at, (cells + lanes) * (s->hidden + s->n_inputs));
	net->gates = take(base, &at, cells * s->gate_row);
	net->c = take(base, &at, (cells + lanes) * s->hidden);
	net->c_tanh = take(base, &at, cells * s->hidden);
	net->logits = take(base, &at, lanes * s->out_row);
	net->logits_by_lane = take(base, &at, lanes * s->out_row);
	net->gates_by_lane = take(base, &at, lanes * s->gate_row);
	net->dropped = take(base, &at, lanes * s->hidden);
	net->dh = take(base, &at, lanes * s->hidden);
	net->dc = take(base, &at, lanes * s->hidden);
	net->scale = take(base, &at, lanes);
	net->largest = take(base, &at, lanes);
	net->sum = take(base, &at, lanes);
	net->chosen = take(base, &at, lanes);
	net->embedded = take(base, &at, symbols * s->embed_row);
	net->d_embedded = take(base, &at, symbols * s->embed_row);
	net->projected = take(base, &at, symbols * s->gate_row);
	net->d_projected = take(base, &at, symbols * s->gate_row);
	net->input_turned = take(base, &at, s->gate_row * s->embed_row);
	return at;
}

size_t
wf_lstm_net_memory(const WfLstmShape *shape, uint32_t lanes, uint32_t steps)
{
	WfLstmNet	net;

	return sizeof(net) + 128 + lay_out(&net, shape, wf_gemm_pad(lanes), steps, NULL) * sizeof(float);
}

WfLstmNet *
wf_lstm_net_create(WfHost *host, const WfLstmShape *shape, uint32_t lanes, uint32_t steps)
{
	WfLstmNet  *net = wf_alloc_zero(host, 1, sizeof(*net));
	size_t		length;

	net->host = host;
	net->shape = shape;
	net->matrix = wf_gemm_kernels();
	net->kernels = wf_lstm_kernels();
	net->max_lanes = (uint32_t) wf_gemm_pad(lanes);
	net->max_steps = steps;
	length = lay_out(net, shape, net->max_lanes, steps, NULL);
	net->block = wf_alloc_aligned(host, length, sizeof(float));
	/* lanes that never held a case must hold numbers all the same */
	for (size_t at = 0; at < length; at += CHECK_VALUES)
	{
		memset(net->block + at, 0, (length - at < CHECK_VALUES ? length - at : CHECK_VALUES) * sizeof(float));
		host->check(host);
	}
	lay_out(net, shape, net->max_lanes, steps, net->block);
	memset(net->symbol_of, 0xff, shape->n_events * sizeof(uint32_t));
	return net;
}

void
wf_lstm_net_destroy(WfLstmNet *net)
{
	WfHost	   *host = net->host;

	wf_release_aligned(host, net->block);
	wf_release(host, net);
}

/* ---- a window ---- */

/* The state before the window: that after the one before it, or nothing. */
static void
carry_state(WfLstmNet *net, bool first)
{
	const WfLstmShape *s = net->shape;
	size_t		lanes = net->max_lanes;
	size_t		h = s->hidden * lanes;
	size_t		row = h + s->n_inputs * lanes;

	if (first)
	{
		memset(net->before, 0, h * sizeof(float));
		memset(net->c, 0, h * sizeof(float));
	}
	else
	{
		memcpy(net->before, net->before + net->steps * row, h * sizeof(float));
		memcpy(net->c, net->c + net->steps * h, h * sizeof(float));
	}
	net->first = first;
}

static uint32_t
symbol_of(WfLstmNet *net, uint32_t event)
{
	if (net->symbol_of[event] == UINT32_MAX)
	{
		net->symbol_of[event] = net->n_symbols;
		net->events[net->n_symbols++] = event;
	}
	return net->symbol_of[event];
}

/*
 * One lane's inputs and targets; length is the number of its events in the
 * window, end where something follows no more.
 */
static void
load_lane(WfLstmNet *net, const WfLstmCases *cases, uint32_t lane, size_t begin, size_t end,
		  uint32_t length, bool hide)
{
	const WfLstmShape *s = net->shape;
	size_t		lanes = net->max_lanes;
	size_t		row = (s->hidden + s->n_inputs) * lanes;

	for (uint32_t t = 0; t < length; t++)
	{
		size_t		at = t * lanes + lane;
		size_t		i = begin + t;
		float	   *x = net->before + t * row + s->hidden * lanes + lane;

		net->symbol[at] = symbol_of(net, cases->event[i]);
		net->target[at] = i + 1 < end ? cases->event[i + 1] : s->n_events;
		if (s->n_inputs == 0)
			continue;
		if (!hide && isfinite(cases->log_gap[i]) && isfinite(cases->log_since[i]))
		{
			x[0] = cases->log_gap[i] * WF_LSTM_TIME_SCALE;
			x[lanes] = cases->log_since[i] * WF_LSTM_TIME_SCALE;
			x[2 * lanes] = 1;
		}
		else
			x[0] = x[lanes] = x[2 * lanes] = 0;
		net->gap_target[at] = i + 1 < end ? cases->log_gap[i + 1] * WF_LSTM_TIME_SCALE : NAN;
	}
}

bool
wf_lstm_load(WfLstmNet *net, const WfLstmCases *cases, const uint32_t *which, uint32_t n,
			 uint32_t from, const uint8_t *hidden_times)
{
	size_t		lanes = net->max_lanes;
	uint32_t	longest = n ? cases->start[which[0] + 1] - cases->start[which[0]] : 0;

	if (from >= longest)
		return false;
	carry_state(net, from == 0);
	for (uint32_t i = 0; i < net->n_symbols; i++)
		net->symbol_of[net->events[i]] = UINT32_MAX;
	net->n_symbols = 0;
	net->n_live = 0;
	net->steps = longest - from < net->max_steps ? longest - from : net->max_steps;
	/* what no case fills: the first symbol */
	memset(net->symbol, 0, net->steps * lanes * sizeof(uint32_t));
	memset(net->live, 0, net->steps * sizeof(uint32_t));
	for (uint32_t lane = 0; lane < n; lane++)
	{
		size_t		end = cases->start[which[lane] + 1];
		size_t		begin = cases->start[which[lane]] + (size_t) from;
		uint32_t	length;

		if (begin >= end)
			break;
		length = end - begin < net->steps ? (uint32_t) (end - begin) : net->steps;
		load_lane(net, cases, lane, begin, end + (net->goes_on && net->goes_on[which[lane]]), length,
				  hidden_times && hidden_times[lane]);
		for (uint32_t t = 0; t < length; t++)
			net->live[t]++;
		net->n_live += length;
	}
	for (uint32_t t = 0; t < net->steps; t++)
		net->lanes[t] = (uint32_t) wf_gemm_pad(net->live[t]);
	return true;
}
