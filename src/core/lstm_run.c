/*-------------------------------------------------------------------------
 * lstm_run.c
 *	  The network as bytes of a model, and one case read event by event.
 *-------------------------------------------------------------------------
 */
#include "core/lstm_net.h"

#include <math.h>
#include <string.h>

/* Longest time told, as log1p of seconds: more years than there were. */
#define MAX_LOG_GAP 40.0f
/* Multiplications between two calls of host->check(). */
#define CHECK_WORK ((size_t) 1 << 24)

struct WfLstm
{
	WfLstmShape shape;
	const float *weights;
	float	   *projected;		/* n_events × gate_row: what each event brings to the gates; or NULL */
};

/* h, then c, each padded to 16 with zeros. */
struct WfLstmState
{
	double		aligned;
	float		values[];
};

/* ---- bytes ---- */

void
wf_lstm_write(WfBytes *out, const WfLstmTrained *trained)
{
	const WfLstmShape *s = trained->shape;
	WfLstmHeader header = {
		.n_events = s->n_events,.hidden = s->hidden,.embedding = s->embedding,
		.n_inputs = s->n_inputs,.n_weights = s->n_weights
	};

	wf_bytes_append(out, &header, sizeof(header));
	wf_bytes_append(out, trained->weights, s->n_weights * sizeof(float));
	wf_bytes_align(out, 64);
}

static void
corrupt(WfHost *host, const char *what)
{
	host->fail(host, WF_E_CORRUPT, WF_HINT_NONE, "recurrent network is damaged: %s", what);
}

static void
check_header(WfHost *host, const WfLstmHeader *header, size_t length, WfLstmShape *shape)
{
	if (header->n_events < 1 || header->n_events > WF_LSTM_MAX_EVENTS ||
		header->hidden < 1 || header->hidden > WF_LSTM_MAX_HIDDEN ||
		header->embedding < 1 || header->embedding > WF_LSTM_MAX_EMBEDDING ||
		(header->n_inputs != 0 && header->n_inputs != WF_LSTM_TIME_INPUTS))
		corrupt(host, "shape");
	for (size_t i = 0; i < sizeof(header->reserved) / sizeof(header->reserved[0]); i++)
		if (header->reserved[i] != 0)
			corrupt(host, "reserved");
	wf_lstm_shape(shape, header->n_events, header->hidden, header->embedding, header->n_inputs != 0);
	if (header->n_weights != shape->n_weights ||
		(length - sizeof(*header)) / sizeof(float) < shape->n_weights)
		corrupt(host, "length");
}

/* What each event brings to the gates, if that takes no more than the weights. */
static void
project_events(WfHost *host, WfLstm *model)
{
	const WfLstmShape *s = &model->shape;
	const float *w = model->weights;
	size_t		piece = CHECK_WORK / (s->gate_row * s->embedding) + 1;

	if (s->n_events * s->gate_row > s->n_weights)
		return;
	model->projected = wf_alloc_aligned(host, s->n_events * s->gate_row, sizeof(float));
	for (size_t i = 0; i < s->n_events; i += piece)
	{
		size_t		n = s->n_events - i < piece ? s->n_events - i : piece;

		for (size_t j = i; j < i + n; j++)
			memcpy(model->projected + j * s->gate_row, w + s->bias, s->gate_row * sizeof(float));
		wf_gemm_kernels()->multiply(n, s->gate_row, s->embedding,
									(WfScalars) {w + s->embed + i * s->embed_row, s->embed_row, 1},
									w + s->input, s->gate_row,
									model->projected + i * s->gate_row, s->gate_row);
		host->check(host);
	}
}

WfLstm *
wf_lstm_open(WfHost *host, const void *section, size_t length)
{
	const WfLstmHeader *header = section;
	WfLstm	   *model;
	const float *weights;
	bool		sound = true;

	if (length < sizeof(*header))
		corrupt(host, "length");
	model = wf_alloc_zero(host, 1, sizeof(*model));
	check_header(host, header, length, &model->shape);
	weights = (const float *) (header + 1);
	for (size_t i = 0; i < model->shape.n_weights; i++)
	{
		/* false for NaN as well */
		sound &= fabsf(weights[i]) <= WF_LSTM_MAX_WEIGHT;
		if (i % (1 << 22) == 0)
			host->check(host);
	}
	if (!sound)
		corrupt(host, "weights");
	model->weights = weights;
	project_events(host, model);
	return model;
}

void
wf_lstm_close(WfHost *host, WfLstm *model)
{
	if (model == NULL)
		return;
	wf_release_aligned(host, model->projected);
	wf_release(host, model);
}

size_t
wf_lstm_length(const WfLstm *model)
{
	return sizeof(WfLstmHeader) + (model->shape.n_weights * sizeof(float) + 63) / 64 * 64;
}

uint32_t
wf_lstm_n_events(const WfLstm *model)
{
	return model->shape.n_events;
}

bool
wf_lstm_timed(const WfLstm *model)
{
	return model->shape.n_inputs != 0;
}

/* ---- a case ---- */

size_t
wf_lstm_state_size(const WfLstm *model)
{
	return sizeof(WfLstmState) + 2 * wf_gemm_pad(model->shape.hidden) * sizeof(float);
}

void
wf_lstm_start(const WfLstm *model, WfLstmState *state)
{
	memset(state, 0, wf_lstm_state_size(model));
}

void
wf_lstm_step(const WfLstm *model, WfLstmState *state, uint32_t event, float log_gap, float log_since)
{
	const WfLstmShape *s = &model->shape;
	const WfGemmKernels *matrix = wf_gemm_kernels();
	const float *w = model->weights;
	size_t		hidden = s->hidden;
	size_t		columns = wf_gemm_pad(hidden);
	float	   *h = state->values;
	float	   *c = h + columns;
	/* the last gate is read to a multiple of 16 from where it begins */
	float		gates[4 * WF_LSTM_MAX_HIDDEN + WF_GEMM_PAD];
	float		inputs[WF_LSTM_MAX_HIDDEN + WF_LSTM_TIME_INPUTS];
	size_t		n_inputs = hidden;

	memset(gates + s->gate_row, 0, WF_GEMM_PAD * sizeof(float));
	if (model->projected)
		memcpy(gates, model->projected + event * s->gate_row, s->gate_row * sizeof(float));
	else
	{
		memcpy(gates, w + s->bias, s->gate_row * sizeof(float));
		matrix->multiply(1, s->gate_row, s->embedding, (WfScalars) {w + s->embed + event * s->embed_row, 0, 1},
						 w + s->input, s->gate_row, gates, s->gate_row);
	}
	memcpy(inputs, h, hidden * sizeof(float));
	if (s->n_inputs && isfinite(log_gap) && isfinite(log_since))
	{
		inputs[hidden] = log_gap * WF_LSTM_TIME_SCALE;
		inputs[hidden + 1] = log_since * WF_LSTM_TIME_SCALE;
		inputs[hidden + 2] = 1;
		n_inputs += WF_LSTM_TIME_INPUTS;
	}
	matrix->multiply(1, s->gate_row, n_inputs, (WfScalars) {inputs, 0, 1},
					 w + s->recurrent, s->gate_row, gates, s->gate_row);
	wf_lstm_kernels()->forward(&(WfLstmCell) {
		.rows = 1,.columns = columns,.stride = columns,.gate_step = hidden,
		.gates = gates,.c_before = c,.c = c,.h = h
	});
	for (size_t i = hidden; i < columns; i++)
		h[i] = c[i] = 0;
}

size_t
wf_lstm_room(const WfLstm *model)
{
	return model->shape.out_row;
}

void
wf_lstm_probabilities(const WfLstm *model, const WfLstmState *state, float *p)
{
	const WfLstmShape *s = &model->shape;

	memcpy(p, model->weights + s->out_bias, s->out_row * sizeof(float));
	wf_gemm_kernels()->multiply(1, s->out_row, s->hidden, (WfScalars) {state->values, 0, 1},
								model->weights + s->out, s->out_row, p, s->out_row);
	wf_lstm_kernels()->softmax_row((size_t) s->n_events + 1, p);
}

float
wf_lstm_gap(const WfLstm *model, const WfLstmState *state)
{
	const WfLstmShape *s = &model->shape;
	size_t		column = (size_t) s->n_events + 1;
	float		gap;

	if (s->n_inputs == 0)
		return NAN;
	gap = model->weights[s->out_bias + column];
	for (size_t i = 0; i < s->hidden; i++)
		gap += state->values[i] * model->weights[s->out + i * s->out_row + column];
	gap /= WF_LSTM_TIME_SCALE;
	return gap < 0 ? 0 : gap > MAX_LOG_GAP ? MAX_LOG_GAP : gap;
}

void
wf_lstm_walk(WfHost *host, const WfLstm *model, const WfLstmCases *cases,
			 const uint32_t *which, uint32_t n, bool hide, WfLstmTell tell, void *arg)
{
	const WfLstmShape *s = &model->shape;
	WfLstmState *state = wf_alloc(host, 1, wf_lstm_state_size(model));
	float	   *p = wf_alloc(host, wf_lstm_room(model), sizeof(float));
	bool		timed = cases->log_gap != NULL && !hide;
	size_t		work = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	c = which ? which[i] : i;

		wf_lstm_start(model, state);
		for (uint32_t at = cases->start[c]; at < cases->start[c + 1]; at++)
		{
			wf_lstm_step(model, state, cases->event[at], timed ? cases->log_gap[at] : NAN,
						 timed ? cases->log_since[at] : NAN);
			wf_lstm_probabilities(model, state, p);
			tell(arg, c, at - cases->start[c], p, wf_lstm_gap(model, state));
			work += (s->hidden + s->embedding) * s->gate_row + s->hidden * s->out_row;
			if (work > CHECK_WORK)
			{
				work = 0;
				host->check(host);
			}
		}
	}
	wf_release(host, p);
	wf_release(host, state);
}
