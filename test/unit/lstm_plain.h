/*
 * The network of lstm_net.h once more, as the textbook has it: one case at a
 * time, one value at a time, in double.  The truth that the kernels and the
 * gradients are held against.
 */
#ifndef LSTM_PLAIN_H
#define LSTM_PLAIN_H

#include "core/lstm_net.h"

typedef struct PlainState
{
	double		h[64];
	double		c[64];
} PlainState;

static inline double
plain_sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

/* x: the inputs for times, or NULL */
static inline void
plain_step(const WfLstmShape *s, const double *w, PlainState *state, uint32_t event, const double *x)
{
	uint32_t	h = s->hidden;
	double		z[4 * 64];

	for (uint32_t g = 0; g < 4 * h; g++)
	{
		z[g] = w[s->bias + g];
		for (uint32_t e = 0; e < s->embedding; e++)
			z[g] += w[s->embed + event * s->embed_row + e] * w[s->input + e * s->gate_row + g];
		for (uint32_t k = 0; k < h; k++)
			z[g] += state->h[k] * w[s->recurrent + k * s->gate_row + g];
		for (uint32_t k = 0; k < s->n_inputs; k++)
			z[g] += x[k] * w[s->recurrent + (h + k) * s->gate_row + g];
	}
	for (uint32_t u = 0; u < h; u++)
	{
		state->c[u] = plain_sigmoid(z[h + u]) * state->c[u] + plain_sigmoid(z[u]) * tanh(z[2 * h + u]);
		state->h[u] = plain_sigmoid(z[3 * h + u]) * tanh(state->c[u]);
	}
}

/* out: n_events + 1 probabilities, and the scaled gap when there is one */
static inline void
plain_outputs(const WfLstmShape *s, const double *w, const PlainState *state, double *out)
{
	double		sum = 0;

	for (uint32_t o = 0; o < s->n_outputs; o++)
	{
		out[o] = w[s->out_bias + o];
		for (uint32_t k = 0; k < s->hidden; k++)
			out[o] += state->h[k] * w[s->out + k * s->out_row + o];
	}
	for (uint32_t o = 0; o <= s->n_events; o++)
		sum += exp(out[o]);
	for (uint32_t o = 0; o <= s->n_events; o++)
		out[o] = exp(out[o]) / sum;
}

static inline void
plain_inputs(const WfLstmCases *cases, size_t i, bool hide, double *x)
{
	bool		known = cases->log_gap && !hide && isfinite(cases->log_gap[i]) && isfinite(cases->log_since[i]);

	x[0] = known ? cases->log_gap[i] * WF_LSTM_TIME_SCALE : 0;
	x[1] = known ? cases->log_since[i] * WF_LSTM_TIME_SCALE : 0;
	x[2] = known;
}

/* What wf_lstm_learn() minimises, over events from .. to of all cases (state from the first). */
static inline double
plain_loss(const WfLstmShape *s, const double *w, const WfLstmCases *cases, const uint8_t *hide,
		   double gap_weight, uint32_t from, uint32_t to, WfLstmLoss *parts)
{
	WfLstmLoss	sum = {0};
	double		edge = 0.02;

	for (uint32_t c = 0; c < cases->n_cases; c++)
	{
		PlainState	state = {{0}, {0}};

		for (uint32_t i = cases->start[c]; i < cases->start[c + 1]; i++)
		{
			bool		last = i + 1 == cases->start[c + 1];
			uint32_t	t = i - cases->start[c];
			double		x[3];
			double		out[80];

			plain_inputs(cases, i, hide && hide[c], x);
			plain_step(s, w, &state, cases->event[i], x);
			if (t < from || t >= to)
				continue;
			plain_outputs(s, w, &state, out);
			sum.loss -= log(out[last ? s->n_events : cases->event[i + 1]]);
			sum.n++;
			if (s->n_inputs && !last && isfinite(cases->log_gap[i + 1]))
			{
				double		off = fabs(out[s->n_events + 1] - cases->log_gap[i + 1] * WF_LSTM_TIME_SCALE);

				sum.gap_loss += off <= edge ? off * off / (2 * edge) : off - edge / 2;
				sum.n_gaps++;
			}
		}
	}
	if (parts)
		*parts = sum;
	return (sum.loss + gap_weight * sum.gap_loss) / (double) sum.n;
}

#endif							/* LSTM_PLAIN_H */
