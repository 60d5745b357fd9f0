/*-------------------------------------------------------------------------
 * sequence.h
 *	  What happens next in a case: three experts and their blend.
 *
 * (1) Interpolated Kneser-Ney over the last events (markov.h); (2) an LSTM
 * over the whole history (lstm.h); (3) gradient boosting on the last five
 * events, counts of all events so far and the clock (seqfeatures.h).  Their
 * probabilities are mixed with weights found by EM on cases that none of
 * them was trained on.  The end of a case is one more event to predict.
 *
 * Events are numbers: those of the model's ids (section "IDS0"), 0 ..
 * n_events - 1, most frequent in training first; n_events is the end of the
 * case.  Times are seconds since 2000-01-01 00:00 by the clock on the wall
 * of the model's time zone.
 *-------------------------------------------------------------------------
 */
#ifndef WF_SEQUENCE_H
#define WF_SEQUENCE_H

#include "core/algorithm.h"
#include "core/eventlog.h"
#include "core/fit.h"

extern const WfParam wf_sequence_params[];

/* Stored in artifacts: never renumber. */
typedef enum WfExpert
{
	WF_EXPERT_MARKOV = 0,
	WF_EXPERT_LSTM = 1,
	WF_EXPERT_BOOSTING = 2
} WfExpert;
#define WF_N_EXPERTS 3

/* "markov", "lstm", "boosting". */
const char *wf_expert_name(WfExpert expert);

/* ---- training ---- */

/* What only the leader has. */
typedef struct WfSequenceInput
{
	WfEventLog *log;			/* finished; its cases are given back on the way */
	size_t		size_limit;		/* wfml.max_model_size */
	/* Zone of the clock on the wall, written as section "ZONE"; NULL when the log is not timed. */
	const char *time_zone;
	WfJudges   *judges;			/* WF_VALIDATE_FRESH: the cases that log->mark marks; else NULL */
} WfSequenceInput;

/*
 * SPMD.  input: a WfSequenceInput, NULL except on rank 0; result is filled on
 * rank 0.
 * Scores: "accuracy" (the headline), "top3_accuracy", "macro_f1",
 * "weighted_f1", "log_loss" over every prefix of at least one event of the
 * held-out cases, the end included, and "mae" of the time to the next event
 * in seconds (events that have times); those of an expert alone are named
 * "accuracy:lstm" and so on.  Baselines: an order-1 Markov model; for "mae"
 * the median gap.
 */
void		wf_sequence_fit(WfTeam *team, const WfSpec *spec, const void *input, WfFitResult *result);
/* Bytes that wf_sequence_fit() needs beside the log, and of the model. */
void		wf_sequence_estimate(const WfSpec *spec, uint64_t n_events, uint64_t n_cases, uint32_t n_kinds,
								 size_t *memory, size_t *artifact);

/* ---- the model ---- */

typedef struct WfSequence WfSequence;

/*
 * Verify section "SEQN" of a model whose ids are shape->ids[0]: a WfSequence,
 * in a WfModel its field "opened".
 */
void	   *wf_sequence_open(WfHost *host, const void *section, size_t length, const WfShape *shape);
/* Distinct events; predictions have one probability more, for the end. */
uint32_t	wf_sequence_n_events(const WfSequence *model);
/* Was it trained with times, so that the time to the next event can be told? */
bool		wf_sequence_timed(const WfSequence *model);
/* Weight of an expert in the blend, 0 when it is not there. */
double		wf_sequence_weight(const WfSequence *model, WfExpert expert);

/* An event that training did not see. */
#define WF_EVENT_UNKNOWN UINT32_MAX

/*
 * A case so far.  Its size depends on the model only, not on the number of
 * events pushed.
 */
typedef struct WfSequenceState WfSequenceState;

/* An empty history, from the host; freed with it or by wf_sequence_end(). */
WfSequenceState *wf_sequence_begin(WfHost *host, const WfSequence *model);
/* Empty it again. */
void		wf_sequence_restart(WfSequenceState *state);
void		wf_sequence_end(WfSequenceState *state);
/*
 * One more event (number or WF_EVENT_UNKNOWN).  time is read when has_time;
 * times that fall or are not finite count as not given.  Under 10 µs.
 */
void		wf_sequence_push(WfSequenceState *state, uint32_t event, double time, bool has_time);
/* Events pushed so far. */
uint64_t	wf_sequence_n_pushed(const WfSequenceState *state);
/*
 * Probabilities of the next event: n_events + 1 of them, the end last; they
 * sum to 1.  Returns the expert of highest weight among those that answered:
 * after an event that is unknown only the Markov model does, as on an empty
 * history.  May be called after any push, without one too.
 */
WfExpert	wf_sequence_next(WfSequenceState *state, double *p);
/* Most likely seconds to the next event (their median); NaN on an empty history, and when not timed or no gap was ever seen. */
double		wf_sequence_next_gap(WfSequenceState *state);
/*
 * Logarithm of the probability that wf_sequence_next() gives to that event
 * (n_events: the end); of an unknown one, what the Markov model leaves for it.
 * Never below -50.
 */
double		wf_sequence_logp(WfSequenceState *state, uint32_t event);

#endif							/* WF_SEQUENCE_H */
