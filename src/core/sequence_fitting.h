/*-------------------------------------------------------------------------
 * sequence_fitting.h
 *	  What the rooms of fitting a sequence model share: sequence_fit.c,
 *	  sequence_cases.c, sequence_score.c.
 *-------------------------------------------------------------------------
 */
#ifndef WF_SEQUENCE_FITTING_H
#define WF_SEQUENCE_FITTING_H

#include "core/sequence_private.h"

/* ---- sequence_cases.c ---- */

/*
 * What each case is for, from the host.  Those that report: by hash, or the
 * latest.  Of the others one in eight judges, in every stretch of eight by time
 * the one of smallest hash, so that they are spread over time; none when there
 * are fewer than 16.  Tells how many of each.
 */
uint8_t    *wf_sequence_roles(const WfSpec *spec, const WfEventLog *log, uint32_t n_of_role[3]);
/* Median of the gaps in cases of these roles (bits), 0 without any. */
double		wf_sequence_median_gap(const WfEventLog *log, const uint8_t *role, unsigned roles);
/* Events that the LSTM has a code for. */
uint32_t	wf_sequence_lstm_named(const WfSpec *spec, const WfEventLog *log);
/*
 * Cases of these roles for the LSTM; beyond half a million events they are drawn by
 * hash, and very long ones cut.  Freed by wf_sequence_lstm_free().
 */
void		wf_sequence_lstm_cases(const WfSpec *spec, const WfEventLog *log, const uint8_t *role,
								   unsigned roles, uint32_t named, WfLstmCases *cases);
void		wf_sequence_lstm_free(WfHost *host, WfLstmCases *cases);

/* ---- sequence_score.c ---- */

/*
 * Blend weights by EM on the cases that judge, and who tells the gap; set in
 * model->own.  allowed: experts that may have a weight.
 */
void		wf_sequence_choose(WfHost *host, const WfEventLog *log, const uint8_t *role,
							   const bool allowed[WF_N_EXPERTS], WfSequence *model);
/* Scores on the cases that report, beside an order-1 Markov model of those that teach. */
void		wf_sequence_scores(WfHost *host, const WfEventLog *log, const uint8_t *role,
							   WfSequence *model, const char *split, WfFitResult *result);
/*
 * Weights that give the highest likelihood to n outcomes, each with the
 * probabilities that the experts gave it (n × WF_N_EXPERTS): expectation
 * maximisation with a weak prior for equal weights.  Never worse than the best
 * expert alone.
 */
void		wf_sequence_mix(WfHost *host, const double *p, size_t n, const bool allowed[WF_N_EXPERTS],
							double weight[WF_N_EXPERTS]);

/* ---- sequence_challenge.c ---- */

/* The filter of a log's cases, by their ids. */
void		wf_seen_of_cases(WfHost *host, const WfEventLog *log, WfBytes *out);
/* Losses of the cases that log->mark marks, by a model over the log's own kinds. */
void		wf_sequence_judge(WfHost *host, const WfEventLog *log, const WfSequence *model, WfJudges *judges);

#endif							/* WF_SEQUENCE_FITTING_H */
