/*-------------------------------------------------------------------------
 * sequence_private.h
 *	  The section "SEQN", and what training needs of the run-time model.
 *
 *	OFFSET  WHAT
 *	0       WfSequenceHeader
 *	…       the blocks, each at a multiple of 64: markov.h, lstm.h,
 *	        seqboost.h twice (next event, time to it)
 *-------------------------------------------------------------------------
 */
#ifndef WF_SEQUENCE_PRIVATE_H
#define WF_SEQUENCE_PRIVATE_H

#include "core/lstm.h"
#include "core/markov.h"
#include "core/seqboost.h"
#include "core/sequence.h"

typedef enum WfSequenceBlock	/* stored: never renumber */
{
	WF_BLOCK_MARKOV = 0,
	WF_BLOCK_LSTM = 1,
	WF_BLOCK_EVENTS = 2,		/* boosting for the next event */
	WF_BLOCK_GAPS = 3			/* boosting for the time to it */
} WfSequenceBlock;
#define WF_SEQUENCE_BLOCKS 4

/* Who tells the time to the next event.  Stored: never renumber. */
typedef enum WfGapSource
{
	WF_GAP_NONE = 0,			/* not timed */
	WF_GAP_MEDIAN = 1,
	WF_GAP_LSTM = 2,
	WF_GAP_BOOSTING = 3
} WfGapSource;

typedef struct WfSequenceHeader
{
	uint32_t	n_kinds;
	uint32_t	lstm_named;		/* events that the LSTM knows; one code more, "other", when there are more */
	uint32_t	gap_source;		/* WfGapSource */
	uint32_t	reserved;
	double		weight[WF_N_EXPERTS];	/* sum 1 */
	double		median_gap;		/* seconds; 0 when not timed */
	uint64_t	at[WF_SEQUENCE_BLOCKS];
	uint64_t	length[WF_SEQUENCE_BLOCKS]; /* 0: absent */
} WfSequenceHeader;

struct WfSequence
{
	const WfSequenceHeader *header;
	WfSequenceHeader own;		/* weights and gap_source as they count; training sets them */
	WfMarkov   *markov;
	WfLstm	   *lstm;			/* NULL: none */
	WfSeqBoost *events;			/* NULL: none */
	WfSeqBoost *gaps;			/* NULL: none */
	WfSeqLayout layout;

	/*
	 * Scratch of one answer, shared by all states: each call writes it before
	 * it reads it, so that a call cut off by an error leaves nothing behind.
	 */
	double	   *q;				/* n_kinds + 1: the Markov model's answer */
	float	   *lstm_p;			/* NULL: no LSTM */
};

struct WfSequenceState
{
	WfHost	   *host;
	const WfSequence *model;
	uint64_t	n;				/* events pushed */
	uint64_t	unknown_at;		/* n after the last unknown event; 0: none */
	WfMarkovState markov;
	WfSeqTrail	trail;
	WfLstmState *lstm;			/* NULL: no LSTM */
	float	   *x;				/* row of features */
	double	   *q;				/* the model's scratch */
};

/* Copy header (offsets are filled in) and blocks into a section; absent blocks have length 0. */
void		wf_sequence_write(const WfSequenceHeader *header, const WfBytes *blocks, WfBytes *out);
/* The run-time form for n_kinds events. */
WfSequence *wf_sequence_open_kinds(WfHost *host, const void *section, size_t length, uint32_t n_kinds);
/* Does the expert answer to the history at hand? */
bool		wf_sequence_answers(const WfSequenceState *state, WfExpert expert);
/*
 * state->q must be set (by wf_markov_probabilities): add weight × the
 * expert's distribution over all events to p.
 */
void		wf_sequence_add_expert(WfSequenceState *state, WfExpert expert, double weight, double *p);
/* Seconds to the next event as one source tells it. */
double		wf_sequence_gap_by(WfSequenceState *state, WfGapSource source);

#endif							/* WF_SEQUENCE_PRIVATE_H */
