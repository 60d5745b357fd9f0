/*-------------------------------------------------------------------------
 * sequence.c
 *	  The sequence model at run time: section, histories, blended answers.
 *-------------------------------------------------------------------------
 */
#include "core/sequence_private.h"

#include <math.h>
#include <string.h>

#include "core/mathx.h"

/* Events after an unknown one in which only the Markov model, which backs off, is asked. */
#define SHADOW WF_SEQ_LAST
#define LOGP_MIN (-50.0)
/* Less is no weight: alone it would have to be divided by. */
#define WEIGHT_LEAST 1e-6
/* Longest time to the next event that is told, in seconds. */
#define GAP_MAX 1e12

const char *
wf_expert_name(WfExpert expert)
{
	static const char *const names[WF_N_EXPERTS] = {"markov", "lstm", "boosting"};

	return names[expert];
}

/* ---- section ---- */

void
wf_sequence_write(const WfSequenceHeader *header, const WfBytes *blocks, WfBytes *out)
{
	WfSequenceHeader h = *header;
	size_t		start;

	wf_bytes_align(out, 64);
	start = out->length;
	wf_bytes_append(out, &h, sizeof(h));
	for (int b = 0; b < WF_SEQUENCE_BLOCKS; b++)
	{
		wf_bytes_align(out, 64);
		h.length[b] = blocks[b].length;
		h.at[b] = blocks[b].length ? out->length - start : 0;
		if (blocks[b].length)
			wf_bytes_append(out, blocks[b].data, blocks[b].length);
	}
	memcpy(out->data + start, &h, sizeof(h));
}

static void __attribute__((noreturn))
corrupt(WfHost *host)
{
	host->fail(host, WF_E_CORRUPT, WF_HINT_NONE, "the model is damaged: bad section of a sequence model");
}

static const void *
block_of(WfHost *host, const WfSequenceHeader *h, WfSequenceBlock b, size_t length)
{
	if (h->length[b] == 0)
		return NULL;
	if (h->at[b] % 64 != 0 || h->at[b] < sizeof(*h) || h->at[b] > length || h->length[b] > length - h->at[b])
		corrupt(host);
	return (const uint8_t *) h + h->at[b];
}

/* Blocks that share bytes would make several times their size when opened. */
static void
verify_apart(WfHost *host, const WfSequenceHeader *h)
{
	for (int a = 0; a < WF_SEQUENCE_BLOCKS; a++)
		for (int b = 0; b < a; b++)
			if (h->length[a] > 0 && h->length[b] > 0 &&
				h->at[a] < h->at[b] + h->length[b] && h->at[b] < h->at[a] + h->length[a])
				corrupt(host);
}

/* Weights are shares, only of experts that are there, and the gap has a source. */
static void
verify_blend(WfHost *host, const WfSequence *s)
{
	const WfSequenceHeader *h = s->header;
	double		sum = 0;

	for (int e = 0; e < WF_N_EXPERTS; e++)
	{
		if (!(h->weight[e] >= 0 && h->weight[e] <= 1))
			corrupt(host);
		sum += h->weight[e];
	}
	if (!(fabs(sum - 1) < 1e-6) || (s->lstm == NULL && h->weight[WF_EXPERT_LSTM] > 0) ||
		(s->events == NULL && h->weight[WF_EXPERT_BOOSTING] > 0))
		corrupt(host);
	if (h->gap_source > WF_GAP_BOOSTING || !(h->median_gap >= 0 && h->median_gap <= GAP_MAX) ||
		(h->gap_source == WF_GAP_LSTM && (s->lstm == NULL || !wf_lstm_timed(s->lstm))) ||
		(h->gap_source == WF_GAP_BOOSTING && s->gaps == NULL))
		corrupt(host);
}

WfSequence *
wf_sequence_open_kinds(WfHost *host, const void *section, size_t length, uint32_t n_kinds)
{
	const WfSequenceHeader *h = section;
	WfSequence *s;
	const void *block;

	if (length < sizeof(*h) || n_kinds == 0 || h->n_kinds != n_kinds || h->lstm_named > n_kinds)
		corrupt(host);
	for (int b = 0; b < WF_SEQUENCE_BLOCKS; b++)
		(void) block_of(host, h, (WfSequenceBlock) b, length);
	verify_apart(host, h);
	s = wf_alloc_zero(host, 1, sizeof(*s));
	s->header = h;
	s->own = *h;
	wf_seq_layout(n_kinds, &s->layout);
	block = block_of(host, h, WF_BLOCK_MARKOV, length);
	if (block == NULL)
		corrupt(host);
	s->markov = wf_markov_open(host, block, h->length[WF_BLOCK_MARKOV], n_kinds);
	block = block_of(host, h, WF_BLOCK_LSTM, length);
	if (block)
	{
		s->lstm = wf_lstm_open(host, block, h->length[WF_BLOCK_LSTM]);
		if (wf_lstm_n_events(s->lstm) != h->lstm_named + (h->lstm_named < n_kinds))
			corrupt(host);
	}
	block = block_of(host, h, WF_BLOCK_EVENTS, length);
	if (block)
		s->events = wf_seqboost_open(host, block, h->length[WF_BLOCK_EVENTS], &s->layout, false);
	block = block_of(host, h, WF_BLOCK_GAPS, length);
	if (block)
		s->gaps = wf_seqboost_open(host, block, h->length[WF_BLOCK_GAPS], &s->layout, true);
	verify_blend(host, s);
	s->q = wf_alloc(host, (size_t) n_kinds + 1, sizeof(double));
	if (s->lstm)
		s->lstm_p = wf_alloc(host, wf_lstm_room(s->lstm), sizeof(float));
	return s;
}

void *
wf_sequence_open(WfHost *host, const void *section, size_t length, const WfShape *shape)
{
	if (shape->ids[0] == NULL)
		corrupt(host);
	return wf_sequence_open_kinds(host, section, length, shape->ids[0]->n);
}

uint32_t
wf_sequence_n_events(const WfSequence *model)
{
	return model->header->n_kinds;
}

bool
wf_sequence_timed(const WfSequence *model)
{
	return model->header->gap_source != WF_GAP_NONE;
}

double
wf_sequence_weight(const WfSequence *model, WfExpert expert)
{
	return model->own.weight[expert];
}

/* ---- a history ---- */

WfSequenceState *
wf_sequence_begin(WfHost *host, const WfSequence *model)
{
	WfSequenceState *s = wf_alloc_zero(host, 1, sizeof(*s));
	uint32_t   *count = wf_alloc(host, model->layout.n_counts, sizeof(uint32_t));

	s->host = host;
	s->model = model;
	s->trail.count = count;
	s->x = wf_alloc(host, model->layout.n_features, sizeof(float));
	s->q = model->q;
	if (model->lstm)
		s->lstm = wf_alloc(host, 1, wf_lstm_state_size(model->lstm));
	wf_sequence_restart(s);
	return s;
}

void
wf_sequence_restart(WfSequenceState *s)
{
	s->n = 0;
	s->unknown_at = 0;
	wf_markov_start(&s->markov);
	wf_seq_trail_start(&s->trail, &s->model->layout, s->trail.count);
	if (s->lstm)
		wf_lstm_start(s->model->lstm, s->lstm);
}

void
wf_sequence_end(WfSequenceState *s)
{
	wf_release(s->host, s->trail.count);
	wf_release(s->host, s->x);
	wf_release(s->host, s->lstm);
	wf_release(s->host, s);
}

void
wf_sequence_push(WfSequenceState *s, uint32_t event, double time, bool has_time)
{
	const WfSequence *m = s->model;
	uint32_t	named = m->header->lstm_named;
	bool		unknown = event >= m->header->n_kinds;

	s->n++;
	if (unknown)
		s->unknown_at = s->n;
	wf_markov_push(m->markov, &s->markov, event);
	wf_seq_trail_push(&s->trail, event, has_time ? time : (double) NAN);
	if (s->lstm == NULL || (unknown && named == m->header->n_kinds))
		return;					/* there is no code that would stand for it */
	{
		float		log_gap;
		float		log_since;

		wf_seq_trail_times(&s->trail, &log_gap, &log_since);
		wf_lstm_step(m->lstm, s->lstm, event < named ? event : named, log_gap, log_since);
	}
}

uint64_t
wf_sequence_n_pushed(const WfSequenceState *s)
{
	return s->n;
}

/* ---- answers ---- */

bool
wf_sequence_answers(const WfSequenceState *s, WfExpert expert)
{
	if (expert == WF_EXPERT_MARKOV)
		return true;
	if (s->n == 0 || (s->unknown_at > 0 && s->n - s->unknown_at < SHADOW))
		return false;
	return expert == WF_EXPERT_LSTM ? s->model->lstm != NULL : s->model->events != NULL;
}

/* What an expert gives to all events that it does not name is shared as the Markov model would. */
static void
share_rest(const WfSequenceState *s, uint32_t named, double rest, double *p)
{
	uint32_t	n_kinds = s->model->header->n_kinds;
	double		sum = 0;

	if (named >= n_kinds || rest <= 0)
		return;
	for (uint32_t w = named; w < n_kinds; w++)
		sum += s->q[w];
	for (uint32_t w = named; w < n_kinds; w++)
		p[w] += rest * (s->q[w] / sum);
}

void
wf_sequence_add_expert(WfSequenceState *s, WfExpert expert, double weight, double *p)
{
	const WfSequence *m = s->model;
	uint32_t	n_kinds = m->header->n_kinds;

	if (expert == WF_EXPERT_MARKOV)
	{
		for (uint32_t w = 0; w <= n_kinds; w++)
			p[w] += weight * s->q[w];
	}
	else if (expert == WF_EXPERT_LSTM)
	{
		uint32_t	named = m->header->lstm_named;
		const float *end = m->lstm_p + wf_lstm_n_events(m->lstm);

		wf_lstm_probabilities(m->lstm, s->lstm, m->lstm_p);
		for (uint32_t w = 0; w < named; w++)
			p[w] += weight * (double) m->lstm_p[w];
		p[n_kinds] += weight * (double) *end;
		if (named < n_kinds)
			share_rest(s, named, weight * (double) m->lstm_p[named], p);
	}
	else
	{
		double		own[WF_SEQBOOST_ROOM];
		uint32_t	named = wf_seqboost_n_named(m->events);

		wf_seq_trail_row(&s->trail, s->x);
		wf_seqboost_probabilities(m->events, s->x, own);
		for (uint32_t w = 0; w < named; w++)
			p[w] += weight * own[w];
		p[n_kinds] += weight * own[named];
		share_rest(s, named, weight * own[named + 1], p);
	}
}

WfExpert
wf_sequence_next(WfSequenceState *s, double *p)
{
	const double *weight = s->model->own.weight;
	uint32_t	n_out = s->model->header->n_kinds + 1;
	WfExpert	best = WF_EXPERT_MARKOV;
	double		highest = 0;
	double		sum = 0;

	wf_markov_probabilities(s->model->markov, &s->markov, s->q);
	memset(p, 0, n_out * sizeof(double));
	for (WfExpert e = WF_EXPERT_MARKOV; e < WF_N_EXPERTS; e++)
	{
		if (weight[e] < WEIGHT_LEAST || !wf_sequence_answers(s, e))
			continue;
		wf_sequence_add_expert(s, e, weight[e], p);
		if (weight[e] > highest)
		{
			highest = weight[e];
			best = e;
		}
	}
	/* Nobody with a weight could answer: the Markov model always can. */
	if (highest == 0)
		wf_sequence_add_expert(s, WF_EXPERT_MARKOV, 1, p);
	for (uint32_t w = 0; w < n_out; w++)
		sum += p[w];
	for (uint32_t w = 0; w < n_out; w++)
		p[w] /= sum;
	return best;
}

double
wf_sequence_gap_by(WfSequenceState *s, WfGapSource source)
{
	double		gap = s->model->header->median_gap;

	if (source == WF_GAP_NONE || s->n == 0)
		return NAN;
	if (source == WF_GAP_LSTM)
	{
		double		log_gap = (double) wf_lstm_gap(s->model->lstm, s->lstm);

		gap = log_gap < 27 ? wf_exp(log_gap) - 1 : GAP_MAX;
	}
	else if (source == WF_GAP_BOOSTING)
	{
		wf_seq_trail_row(&s->trail, s->x);
		gap = wf_seqboost_gap(s->model->gaps, s->x);
	}
	return gap > 0 ? gap < GAP_MAX ? gap : GAP_MAX : 0;
}

double
wf_sequence_next_gap(WfSequenceState *s)
{
	return wf_sequence_gap_by(s, (WfGapSource) s->model->own.gap_source);
}

double
wf_sequence_logp(WfSequenceState *s, uint32_t event)
{
	uint32_t	n_kinds = s->model->header->n_kinds;
	double	   *p = wf_alloc(s->host, (size_t) n_kinds + 1, sizeof(double));
	double		x;

	if (event <= n_kinds)
	{
		wf_sequence_next(s, p);
		x = p[event];
	}
	else
		x = wf_markov_probabilities(s->model->markov, &s->markov, s->q);
	wf_release(s->host, p);
	x = wf_log(x);
	return x > LOGP_MIN ? x : LOGP_MIN;
}
