/*-------------------------------------------------------------------------
 * lstm_net.h
 *	  The network itself: its weights in one array, and one window of one
 *	  batch forward and backward.  Private to the lstm_*.c files, their tests
 *	  and the bench.
 *
 * With e(t) the event's embedding, x(t) the inputs for times, z the four
 * gates' inputs (input, forget, candidate, output, H rows each):
 *
 *	z(t) = [h(t-1), x(t)] recurrent + e(t) input + bias
 *	c(t) = σ(z_f) c(t-1) + σ(z_i) tanh(z_c)
 *	h(t) = σ(z_o) tanh(c(t))
 *	logits(t) = h(t) out + out_bias
 *
 * e input + bias is computed once per batch for each distinct event in it.
 *
 * Everything that has one value per case of the batch is stored unit by unit,
 * the cases (lanes) side by side: then lanes are the vectors, every product
 * is gemm.h's one kernel, and sums over a vector never occur.  The lanes are
 * sorted by falling length, so that those still running are the first ones;
 * they are computed in groups of 16.  What a lane computes past its end has
 * no target, hence no gradient.
 *-------------------------------------------------------------------------
 */
#ifndef WF_LSTM_NET_H
#define WF_LSTM_NET_H

#include "core/gemm.h"
#include "core/lstm.h"
#include "core/lstm_cell.h"

/* Inputs beside the event, when there are times: gap, since start, known. */
#define WF_LSTM_TIME_INPUTS 3
/* Times come as log1p(seconds) and enter, and leave, at a tenth of it. */
#define WF_LSTM_TIME_SCALE 0.1f

/* No sound training comes near; sums of that many products still fit a float. */
#define WF_LSTM_MAX_WEIGHT 1e9f

/* At the beginning of the network in a model; the weights follow. */
typedef struct WfLstmHeader
{
	uint32_t	n_events;
	uint32_t	hidden;
	uint32_t	embedding;
	uint32_t	n_inputs;
	uint64_t	n_weights;
	uint64_t	reserved[5];
} WfLstmHeader;

/*
 * Where each matrix begins among the weights; all rows are padded to 16
 * floats with zeros.
 */
typedef struct WfLstmShape
{
	uint32_t	n_events;
	uint32_t	hidden;
	uint32_t	embedding;
	uint32_t	n_inputs;		/* WF_LSTM_TIME_INPUTS or 0 */
	uint32_t	n_outputs;		/* n_events + 1 classes, and the gap if there are times */
	size_t		gate_row;		/* 4 hidden, padded */
	size_t		embed_row;		/* embedding, padded */
	size_t		out_row;		/* n_outputs, padded */
	size_t		embed;			/* n_events × embed_row */
	size_t		input;			/* embedding × gate_row */
	size_t		recurrent;		/* (hidden + n_inputs) × gate_row */
	size_t		bias;			/* gate_row */
	size_t		out;			/* hidden × out_row */
	size_t		out_bias;		/* out_row */
	size_t		n_weights;
} WfLstmShape;

/* Sums over the events of one or more windows. */
typedef struct WfLstmLoss
{
	uint64_t	n;
	double		loss;			/* -log p of what came next */
	uint64_t	n_gaps;
	double		gap_loss;		/* Huber's, of the scaled log time to the next event */
} WfLstmLoss;

typedef struct WfLstmLearning
{
	float		dropout;
	uint32_t	drop_key;
	float		gap_weight;
} WfLstmLearning;

/* The buffers of one window; sizes beside each, L = max_lanes, W = max_steps. */
typedef struct WfLstmNet
{
	WfHost	   *host;
	const WfLstmShape *shape;
	const WfGemmKernels *matrix;
	const WfLstmKernels *kernels;
	uint32_t	max_lanes;		/* L, a multiple of 16 */
	uint32_t	max_steps;		/* W */
	/*
	 * For each case: 1 = it is a piece of a longer one, which the next case
	 * goes on with; what follows its last event is no end.  NULL: none.
	 */
	const uint8_t *goes_on;
	float	   *block;			/* all of the following */

	/* the window that is loaded */
	uint32_t	steps;
	bool		first;			/* begins where the cases begin: nothing before it */
	uint32_t   *lanes;			/* W: lanes computed at each step, a multiple of 16 */
	uint32_t   *live;			/* W: lanes that have an event at each step */
	uint64_t	n_live;			/* their sum */
	uint32_t   *symbol;			/* W × L: place of the event in the list of distinct ones */
	uint32_t   *target;			/* W × L: class; of the live lanes only, as the next */
	float	   *gap_target;		/* W × L: scaled, or not finite; of use with times only */
	uint32_t	n_symbols;
	uint32_t   *events;			/* min(n_events, W L): the distinct events */
	uint32_t   *symbol_of;		/* n_events: place in events, or UINT32_MAX */

	/* what every step leaves for the way back */
	float	   *before;			/* (W + 1) × (hidden + n_inputs) × L: h of the step before, then x */
	float	   *gates;			/* W × gate_row × L */
	float	   *c;				/* (W + 1) × hidden × L */
	float	   *c_tanh;			/* W × hidden × L */

	/* of one step */
	float	   *logits;			/* out_row × L */
	float	   *logits_by_lane; /* L × out_row */
	float	   *gates_by_lane;	/* L × gate_row */
	float	   *dropped;		/* hidden × L */
	float	   *dh;				/* hidden × L */
	float	   *dc;				/* hidden × L */
	float	   *scale;			/* L, and so the next three */
	float	   *largest;
	float	   *sum;
	float	   *chosen;			/* logit of the target */

	/* of the distinct events */
	float	   *embedded;		/* × embed_row */
	float	   *d_embedded;		/* × embed_row */
	float	   *projected;		/* × gate_row: embedded input + bias */
	float	   *d_projected;	/* × gate_row */
	float	   *input_turned;	/* gate_row × embed_row: input, transposed */
} WfLstmNet;

void		wf_lstm_shape(WfLstmShape *shape, uint32_t n_events, uint32_t hidden, uint32_t embedding, bool timed);
/* Random weights for the start. */
void		wf_lstm_initial(WfHost *host, const WfLstmShape *shape, uint64_t seed, float *weights);

/* Buffers for batches of up to lanes cases in windows of up to steps events. */
WfLstmNet  *wf_lstm_net_create(WfHost *host, const WfLstmShape *shape, uint32_t lanes, uint32_t steps);
void		wf_lstm_net_destroy(WfLstmNet *net);
/* Bytes of those buffers. */
size_t		wf_lstm_net_memory(const WfLstmShape *shape, uint32_t lanes, uint32_t steps);

/*
 * Load the events from step "from" of n cases, given by falling length, n ≤
 * max_lanes; the state is carried over from the window before, unless from is
 * 0.  hidden_times: for each lane, are its times to be hidden; NULL: none.
 * False when all the cases have ended.
 */
bool		wf_lstm_load(WfLstmNet *net, const WfLstmCases *cases, const uint32_t *which, uint32_t n,
						 uint32_t from, const uint8_t *hidden_times);
/* Forward through the window loaded, adding up the losses. */
void		wf_lstm_judge(WfLstmNet *net, const float *weights, WfLstmLoss *loss);
/*
 * Forward and backward: adds the gradient of the mean loss of the window's
 * events, the gap's included, to gradient (n_weights).
 */
void		wf_lstm_learn(WfLstmNet *net, const float *weights, const WfLstmLearning *learning,
						  float *gradient, WfLstmLoss *loss);

/* ---- steps of the optimiser ---- */

typedef struct WfLstmOptimizer
{
	size_t		n;
	float	   *weights;
	float	   *gradient;		/* zeroed by each step */
	float	   *mean;			/* Adam's moments */
	float	   *square;
	double		rate;
	double		clip;			/* largest norm of the gradient; 0: any */
	double		power1;			/* beta1^t, 1 at first */
	double		power2;
} WfLstmOptimizer;

/* Moments and gradient for n weights, zero. */
void		wf_lstm_optimizer(WfHost *host, WfLstmOptimizer *o, size_t n, float *weights);
void		wf_lstm_optimizer_free(WfHost *host, WfLstmOptimizer *o);
void		wf_lstm_optimize(WfHost *host, WfLstmOptimizer *o);

#endif							/* WF_LSTM_NET_H */
