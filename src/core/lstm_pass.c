/*-------------------------------------------------------------------------
 * lstm_pass.c
 *	  A window forward and backward.
 *-------------------------------------------------------------------------
 */
#include "core/lstm_net.h"

#include <math.h>
#include <string.h>

#include "core/mathx.h"

/* Multiplications between two calls of host->check(): some milliseconds. */
#define CHECK_WORK ((size_t) 1 << 26)
/* Where Huber's loss of the gap turns from squared to absolute: 0.2 of log seconds. */
#define GAP_EDGE 0.02f

/* C += A B, in pieces between which the host is asked. */
static void
multiply(const WfLstmNet *net, size_t m, size_t n, size_t k, WfScalars a,
		 const float *b, size_t b_row, float *c, size_t c_row)
{
	size_t		rows = CHECK_WORK / (n * k + 1) + 1;

	while (m > rows)
	{
		net->matrix->multiply(rows, n, k, a, b, b_row, c, c_row);
		net->host->check(net->host);
		a.at += rows * a.row;
		c += rows * c_row;
		m -= rows;
	}
	net->matrix->multiply(m, n, k, a, b, b_row, c, c_row);
}

static void
zero_block(float *to, size_t rows, size_t columns, size_t stride)
{
	if (columns == stride)
		memset(to, 0, rows * stride * sizeof(float));
	else
		for (size_t i = 0; i < rows; i++)
			memset(to + i * stride, 0, columns * sizeof(float));
}

/* The gates' inputs from each distinct event of the window. */
static void
project_events(WfLstmNet *net, const float *weights)
{
	const WfLstmShape *s = net->shape;

	for (size_t i = 0; i < net->n_symbols; i++)
	{
		memcpy(net->embedded + i * s->embed_row, weights + s->embed + net->events[i] * s->embed_row,
			   s->embed_row * sizeof(float));
		memcpy(net->projected + i * s->gate_row, weights + s->bias, s->gate_row * sizeof(float));
	}
	multiply(net, net->n_symbols, s->gate_row, s->embedding,
			 (WfScalars) {net->embedded, s->embed_row, 1},
			 weights + s->input, s->gate_row, net->projected, s->gate_row);
}

/*
 * The rows of [h, x] that matter at step t: before a case's first event h is
 * zero, and only x is left.
 */
static size_t
first_row(const WfLstmNet *net, uint32_t t)
{
	return net->first && t == 0 ? net->shape->hidden : 0;
}

static void
set_cell(const WfLstmNet *net, uint32_t t, WfLstmCell *cell)
{
	const WfLstmShape *s = net->shape;
	size_t		stride = net->max_lanes;

	cell->rows = s->hidden;
	cell->columns = net->lanes[t];
	cell->stride = stride;
	cell->gate_step = s->hidden * stride;
	cell->gates = net->gates + t * s->gate_row * stride;
	cell->c_before = net->c + t * s->hidden * stride;
	cell->c = net->c + (t + 1) * (size_t) s->hidden * stride;
	cell->c_tanh = net->c_tanh + t * s->hidden * stride;
	cell->h = net->before + (t + 1) * (size_t) (s->hidden + s->n_inputs) * stride;
	cell->dh = net->dh;
	cell->dc = net->dc;
}

static void
forward_step(WfLstmNet *net, const float *weights, uint32_t t)
{
	const WfLstmShape *s = net->shape;
	size_t		stride = net->max_lanes;
	size_t		skip = first_row(net, t);
	WfLstmCell	cell;

	set_cell(net, t, &cell);
	net->matrix->transpose(net->lanes[t], s->gate_row, net->projected, s->gate_row,
						   net->symbol + t * stride, cell.gates, stride);
	multiply(net, 4 * (size_t) s->hidden, net->lanes[t], s->hidden + s->n_inputs - skip,
			 (WfScalars) {weights + s->recurrent + skip * s->gate_row, 1, s->gate_row},
			 net->before + (t * (size_t) (s->hidden + s->n_inputs) + skip) * stride, stride,
			 cell.gates, stride);
	net->kernels->forward(&cell);
	net->host->check(net->host);
}

/* ---- the output layer ---- */

/*
 * The gap's row of logits: loss, and the gradient in its place.  Huber's loss
 * with a small edge: nearly the absolute error, whose best answer is the
 * median, in seconds as in their logarithm.
 */
static void
judge_gaps(WfLstmNet *net, uint32_t t, float weight, WfLstmLoss *loss)
{
	const WfLstmShape *s = net->shape;
	size_t		stride = net->max_lanes;
	float	   *row = net->logits + (s->n_outputs - 1) * stride;
	const float *target = net->gap_target + t * stride;

	for (uint32_t lane = 0; lane < net->lanes[t]; lane++)
	{
		float		off;

		if (lane >= net->live[t] || !isfinite(target[lane]))
		{
			row[lane] = 0;
			continue;
		}
		off = row[lane] - target[lane];
		loss->n_gaps++;
		if (fabsf(off) <= GAP_EDGE)
		{
			loss->gap_loss += off * off / (2 * GAP_EDGE);
			off /= GAP_EDGE;
		}
		else
		{
			loss->gap_loss += fabsf(off) - GAP_EDGE / 2;
			off = off > 0 ? 1 : -1;
		}
		row[lane] = off * weight;
	}
}

/*
 * Logits of step t, then the losses and the gradient of each logit in its
 * place, that of the mean over the window's events.
 */
static void
judge_step(WfLstmNet *net, const float *weights, uint32_t t, const float *h, float gap_weight, WfLstmLoss *loss)
{
	const WfLstmShape *s = net->shape;
	size_t		stride = net->max_lanes;
	size_t		classes = (size_t) s->n_events + 1;
	const uint32_t *target = net->target + t * stride;
	float		share = 1.0f / (float) net->n_live;

	net->kernels->spread(s->n_outputs, net->lanes[t], stride, weights + s->out_bias, net->logits);
	multiply(net, s->n_outputs, net->lanes[t], s->hidden,
			 (WfScalars) {weights + s->out, 1, s->out_row}, h, stride, net->logits, stride);
	for (uint32_t lane = 0; lane < net->lanes[t]; lane++)
	{
		net->scale[lane] = lane < net->live[t] ? share : 0;
		if (lane < net->live[t])
			net->chosen[lane] = net->logits[target[lane] * stride + lane];
	}
	net->kernels->softmax(classes, net->lanes[t], stride, net->logits, net->scale, net->largest, net->sum);
	for (uint32_t lane = 0; lane < net->live[t]; lane++)
	{
		loss->loss += (double) net->largest[lane] - net->chosen[lane] + wf_log(net->sum[lane]);
		net->logits[target[lane] * stride + lane] -= share;
	}
	loss->n += net->live[t];
	if (s->n_inputs)
		judge_gaps(net, t, gap_weight * share, loss);
}

void
wf_lstm_judge(WfLstmNet *net, const float *weights, WfLstmLoss *loss)
{
	const WfLstmShape *s = net->shape;
	size_t		row = (size_t) (s->hidden + s->n_inputs) * net->max_lanes;

	project_events(net, weights);
	for (uint32_t t = 0; t < net->steps; t++)
	{
		forward_step(net, weights, t);
		judge_step(net, weights, t, net->before + (t + 1) * row, 0, loss);
	}
}

/* Output layer of step t forward and backward: its gradient, and its part of dh. */
static void
learn_outputs(WfLstmNet *net, const float *weights, const WfLstmLearning *learning, uint32_t t,
			  float *gradient, WfLstmLoss *loss)
{
	const WfLstmShape *s = net->shape;
	size_t		stride = net->max_lanes;
	size_t		lanes = net->lanes[t];
	float	   *h = net->before + (t + 1) * (size_t) (s->hidden + s->n_inputs) * stride;
	float	   *dh = net->dh;
	uint32_t	key = learning->drop_key + t * UINT32_C(0x85ebca6b);

	if (learning->dropout > 0)
	{
		net->kernels->drop(s->hidden, lanes, stride, h, net->dropped, key, learning->dropout, 0);
		h = net->dropped;
	}
	judge_step(net, weights, t, h, learning->gap_weight, loss);
	net->matrix->transpose(s->out_row, lanes, net->logits, stride, NULL, net->logits_by_lane, s->out_row);
	multiply(net, s->hidden, s->out_row, net->live[t], (WfScalars) {h, stride, 1},
			 net->logits_by_lane, s->out_row, gradient + s->out, s->out_row);
	net->kernels->add_rows(net->live[t], s->out_row, net->logits_by_lane, s->out_row, NULL,
						   gradient + s->out_bias, 0);
	if (learning->dropout > 0)
	{
		/* h is no longer needed: its block takes the gradient before the mask */
		zero_block(h, s->hidden, lanes, stride);
		dh = h;
	}
	multiply(net, s->hidden, lanes, s->n_outputs, (WfScalars) {weights + s->out, s->out_row, 1},
			 net->logits, stride, dh, stride);
	if (learning->dropout > 0)
		net->kernels->drop(s->hidden, lanes, stride, h, net->dh, key, learning->dropout, 1);
}

/* ---- backward ---- */

static void
backward_step(WfLstmNet *net, const float *weights, uint32_t t, float *gradient)
{
	const WfLstmShape *s = net->shape;
	size_t		stride = net->max_lanes;
	size_t		lanes = net->lanes[t];
	size_t		inputs = s->hidden + s->n_inputs;
	size_t		skip = first_row(net, t);
	WfLstmCell	cell;

	set_cell(net, t, &cell);
	net->kernels->backward(&cell);
	net->matrix->transpose(s->gate_row, lanes, cell.gates, stride, NULL, net->gates_by_lane, s->gate_row);
	multiply(net, inputs - skip, s->gate_row, net->live[t],
			 (WfScalars) {net->before + (t * inputs + skip) * stride, stride, 1},
			 net->gates_by_lane, s->gate_row, gradient + s->recurrent + skip * s->gate_row, s->gate_row);
	net->kernels->add_rows(net->live[t], s->gate_row, net->gates_by_lane, s->gate_row,
						   net->symbol + t * stride, net->d_projected, s->gate_row);
	if (t > 0)
	{
		zero_block(net->dh, s->hidden, lanes, stride);
		multiply(net, s->hidden, lanes, 4 * (size_t) s->hidden, (WfScalars) {weights + s->recurrent, s->gate_row, 1},
				 cell.gates, stride, net->dh, stride);
	}
	net->host->check(net->host);
}

/* From the gates' inputs back to the embedding, its matrix and the bias. */
static void
learn_events(WfLstmNet *net, const float *weights, float *gradient)
{
	const WfLstmShape *s = net->shape;

	net->kernels->add_rows(net->n_symbols, s->gate_row, net->d_projected, s->gate_row, NULL,
						   gradient + s->bias, 0);
	multiply(net, s->embedding, s->gate_row, net->n_symbols, (WfScalars) {net->embedded, 1, s->embed_row},
			 net->d_projected, s->gate_row, gradient + s->input, s->gate_row);
	net->matrix->transpose(s->embedding / 8 * 8,
						   s->gate_row, weights + s->input, s->gate_row, NULL, net->input_turned, s->embed_row);
	for (size_t i = s->embedding / 8 * 8; i < s->embedding; i++)
		for (size_t j = 0; j < s->gate_row; j++)
			net->input_turned[j * s->embed_row + i] = weights[s->input + i * s->gate_row + j];
	memset(net->d_embedded, 0, net->n_symbols * s->embed_row * sizeof(float));
	multiply(net, net->n_symbols, s->embed_row, s->gate_row, (WfScalars) {net->d_projected, s->gate_row, 1},
			 net->input_turned, s->embed_row, net->d_embedded, s->embed_row);
	net->kernels->add_rows(net->n_symbols, s->embed_row, net->d_embedded, s->embed_row, net->events,
						   gradient + s->embed, s->embed_row);
}

void
wf_lstm_learn(WfLstmNet *net, const float *weights, const WfLstmLearning *learning,
			  float *gradient, WfLstmLoss *loss)
{
	const WfLstmShape *s = net->shape;
	size_t		block = (size_t) s->hidden * net->max_lanes * sizeof(float);

	project_events(net, weights);
	for (uint32_t t = 0; t < net->steps; t++)
		forward_step(net, weights, t);
	memset(net->dh, 0, block);
	memset(net->dc, 0, block);
	memset(net->d_projected, 0, net->n_symbols * s->gate_row * sizeof(float));
	for (uint32_t t = net->steps; t-- > 0;)
	{
		learn_outputs(net, weights, learning, t, gradient, loss);
		backward_step(net, weights, t, gradient);
	}
	learn_events(net, weights, gradient);
}
