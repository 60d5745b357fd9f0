/*-------------------------------------------------------------------------
 * lstm.h
 *	  A recurrent network that reads a case event by event and says what
 *	  comes next, and when.
 *
 * One LSTM layer (Hochreiter & Schmidhuber 1997, with forget gates) over
 * embedded events, softmax over the next event or the end of the case, and a
 * second head for the time to the next event (Tax et al. 2017).  Trained
 * many-to-many with Adam (Kingma & Ba 2015), dropout before the output layer,
 * gradients clipped by their norm, early stopping on held-out cases.
 *
 * Events are codes 0 .. n_events - 1; whoever calls has capped them to the
 * vocabulary.  Class n_events is the end of the case.
 *
 * Times are given twice per event, in one unit: log1p(seconds since the event
 * before it) - 0 for the first - and log1p(seconds since the first event).
 * NaN in either: this event's times are not known.  A share of the training
 * cases has its times masked, so that calls without times stay in
 * distribution; a third input says whether they are there.
 *
 * All memory comes from the host.  The same input and seed give the same
 * weights on one SIMD path; the paths agree to about 1e-5.
 *-------------------------------------------------------------------------
 */
#ifndef WF_LSTM_H
#define WF_LSTM_H

#include "core/host.h"

#define WF_LSTM_MAX_EVENTS 65000
#define WF_LSTM_MAX_HIDDEN 1024
#define WF_LSTM_MAX_EMBEDDING 512
#define WF_LSTM_MAX_BATCH 1024

/* ---- training ---- */

/*
 * Cases in their canonical order: case i has events start[i] .. start[i + 1].
 * Empty cases are allowed and teach nothing.
 */
typedef struct WfLstmCases
{
	uint32_t	n_events;		/* codes, 1 .. WF_LSTM_MAX_EVENTS */
	uint32_t	n_cases;
	const uint32_t *start;		/* n_cases + 1 */
	const uint16_t *event;
	const float *log_gap;		/* both NULL: no times; no second head then */
	const float *log_since;
	const uint8_t *held_out;	/* n_cases: 1 = judges epochs, teaches nothing; NULL: none */
} WfLstmCases;

typedef struct WfLstmOptions
{
	uint32_t	hidden;			/* 1 .. WF_LSTM_MAX_HIDDEN */
	uint32_t	embedding;		/* 1 .. WF_LSTM_MAX_EMBEDDING */
	uint32_t	epochs;			/* at most; at least 1 */
	uint32_t	patience;		/* epochs without a better held-out loss before it stops; 0: never stops */
	uint32_t	batch_size;		/* cases, 1 .. WF_LSTM_MAX_BATCH */
	double		learning_rate;
	double		dropout;		/* [0, 0.9] */
	double		clip;			/* largest norm of a gradient; 0: none */
	double		mask_times;		/* share of training cases whose times are hidden, each epoch others */
	double		gap_weight;		/* of the second head's loss beside the first's */
	bool		refit;			/* once more on all cases, for the epochs that were best */
	uint64_t	seed;
	double		deadline;		/* host->now() after which no further epoch is begun; 0: none */
	/* Called now and then with events done of about total; NULL: none. */
	void		(*progress) (void *arg, uint64_t done, uint64_t total);
	void	   *progress_arg;
} WfLstmOptions;

/* hidden 100, embedding 32, 50 epochs, patience 5, batches of 32, and so on. */
void		wf_lstm_options_default(WfLstmOptions *options);

/* The weights that training found. */
typedef struct WfLstmTrained
{
	struct WfLstmShape *shape;	/* lstm_net.h */
	float	   *weights;
	uint32_t	n_epochs;		/* run */
	uint32_t	best_epoch;		/* 0-based; whose weights these are, or whose number a refit took */
	double	   *held_out_loss;	/* n_epochs: mean log loss of the next event; NULL without held-out cases */
	double	   *training_loss;	/* n_epochs: the same on training cases, while they were learned */
} WfLstmTrained;

/*
 * Not collective: one member works, the others do something else or wait.
 * Calls host->check() every few milliseconds.  Fails with WF_E_PARAM on
 * options out of range, with WF_E_DATA when no case teaches anything.
 * Long cases are learned in pieces of 1,024 events, and those in windows with
 * the state carried over, so memory hardly depends on their length; see
 * wf_lstm_estimate().
 */
void		wf_lstm_train(WfHost *host, const WfLstmCases *cases, const WfLstmOptions *options,
						  WfLstmTrained *trained);
/* Give the blocks back. */
void		wf_lstm_trained_free(WfHost *host, WfLstmTrained *trained);
/* Bytes that training needs beside the cases, and of the section. */
void		wf_lstm_estimate(const WfLstmOptions *options, uint32_t n_events, uint32_t n_cases,
							 uint32_t longest_case, bool timed, size_t *memory, size_t *section);

/* ---- the section ---- */

/*
 * Append the network as one block of a multiple of 64 bytes, to begin at a
 * multiple of 64 bytes in the model.  Layout (little-endian):
 *
 *	OFFSET  SIZE  WHAT
 *	0       64    WfLstmHeader
 *	64      4 n   weights, in the order of lstm_net.h
 */
void		wf_lstm_write(WfBytes *out, const WfLstmTrained *trained);

typedef struct WfLstm WfLstm;

/*
 * Verify and open: sizes, and that every weight is finite and not absurd, in
 * linear time.  The bytes must be 8-byte aligned and stay while the model is
 * used; length may be larger than the network.  Allocates at most as much as
 * the section again (a table of input projections, kept when it is small).
 * Fails with WF_E_CORRUPT.
 */
WfLstm	   *wf_lstm_open(WfHost *host, const void *section, size_t length);
void		wf_lstm_close(WfHost *host, WfLstm *model);
/* Bytes of the section that the network takes. */
size_t		wf_lstm_length(const WfLstm *model);
uint32_t	wf_lstm_n_events(const WfLstm *model);
/* Has it inputs for times and the second head? */
bool		wf_lstm_timed(const WfLstm *model);

/* ---- prediction ---- */

/*
 * A case so far: wf_lstm_state_size() bytes, 8-byte aligned, without
 * pointers, so that it may be copied.  It must be one that wf_lstm_start() and
 * wf_lstm_step() of the same model left.
 */
typedef struct WfLstmState WfLstmState;

size_t		wf_lstm_state_size(const WfLstm *model);
/* An empty history. */
void		wf_lstm_start(const WfLstm *model, WfLstmState *state);
/*
 * One more event, code < n_events.  log_gap and log_since as in training; NaN
 * in either: not known.  A few microseconds.
 */
void		wf_lstm_step(const WfLstm *model, WfLstmState *state, uint32_t event,
						 float log_gap, float log_since);
/* Room, in floats, that wf_lstm_probabilities() needs: a little over n_events + 1. */
size_t		wf_lstm_room(const WfLstm *model);
/*
 * Probabilities of the next event, the end last: the first n_events + 1 of p,
 * which sum to 1; the rest is scratch.  On an empty history they are what an
 * empty state gives, which training never looked at.
 */
void		wf_lstm_probabilities(const WfLstm *model, const WfLstmState *state, float *p);
/* log1p of the seconds to the next event, their median, if there is one; NaN when not timed. */
float		wf_lstm_gap(const WfLstm *model, const WfLstmState *state);

/*
 * Walk through the cases given (numbers of cases; NULL: the first n) and tell,
 * after each of their events, the probabilities of what follows.  With hide,
 * times are treated as not known.  Checks the host; one case after the other,
 * so memory does not depend on their lengths.  Members of a team may share
 * the cases among them.
 */
typedef void (*WfLstmTell) (void *arg, uint32_t case_no, uint32_t step, const float *p, float log_gap);
void		wf_lstm_walk(WfHost *host, const WfLstm *model, const WfLstmCases *cases,
						 const uint32_t *which, uint32_t n, bool hide, WfLstmTell tell, void *arg);

#endif							/* WF_LSTM_H */
