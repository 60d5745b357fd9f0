/*-------------------------------------------------------------------------
 * markov.h
 *	  Interpolated Kneser-Ney over the events of cases (Kneser & Ney 1995;
 *	  Chen & Goodman 1999), as one block of a model.
 *
 * A context is the last 1 .. order events, the start of the case counting as
 * one.  With c(w) how often w followed the context, T their sum and n how
 * many different w did,
 *	  p(w | context) = max(c(w) - D, 0) / T + D n / T * p(w | shorter context)
 * and below the longest context c counts the different events that stood
 * before the context with w after it, not occurrences; contexts that begin
 * with the start of the case keep occurrences, for nothing stands before it.
 * The empty context falls back on all events alike.
 *
 * Layout: WfMarkovHeader, then for each length of context 0 .. order five
 * arrays of uint32: n_nodes symbols (0: start of the case, e + 1: event e)
 * that lengthen the context to the left, n_nodes + 1 starts of each node's
 * nodes in the next level, n_nodes + 1 starts of its successors, n_next
 * successors (event; n_kinds: the end of the case) and their counts.  Nodes of
 * one parent and successors of one node rise.
 *-------------------------------------------------------------------------
 */
#ifndef WF_MARKOV_H
#define WF_MARKOV_H

#include "core/eventlog.h"

#define WF_MARKOV_MAX_ORDER 10
#define WF_MARKOV_DISCOUNT 0.8

typedef struct WfMarkovHeader
{
	uint32_t	order;
	uint32_t	n_kinds;
	double		discount;
	uint64_t	length;			/* of the block, a multiple of 8 */
	uint32_t	n_nodes[WF_MARKOV_MAX_ORDER + 1];
	uint32_t	n_next[WF_MARKOV_MAX_ORDER + 1];
} WfMarkovHeader;

/*
 * Append the block (padded to a multiple of 8 first) for the cases of a log
 * with use[case] = 1; NULL: all.  When it would take more than size_limit
 * bytes, contexts of two and more events that occurred seldom are left out.
 * About 16 bytes an event and 12 a kind beside the block while at work.
 */
void		wf_markov_write(WfHost *host, const WfEventLog *log, const uint8_t *use, int order,
							size_t size_limit, WfBytes *out);
/* Bytes while at work, and at most of the block. */
void		wf_markov_estimate(uint64_t n_events, uint64_t n_cases, uint32_t n_kinds, int order, size_t size_limit,
							   size_t *memory, size_t *artifact);

typedef struct WfMarkov WfMarkov;

/* Verify in linear time (WF_E_CORRUPT); the bytes are used where they lie, 8-byte aligned. */
WfMarkov   *wf_markov_open(WfHost *host, const void *block, size_t length, uint32_t n_kinds);
void		wf_markov_close(WfHost *host, WfMarkov *model);

/* The last events of a case, newest first; plain data. */
typedef struct WfMarkovState
{
	uint32_t	n;
	uint32_t	last[WF_MARKOV_MAX_ORDER];
} WfMarkovState;

void		wf_markov_start(WfMarkovState *state);
/* An event that is no number below n_kinds is a context never seen. */
void		wf_markov_push(const WfMarkov *model, WfMarkovState *state, uint32_t event);
/*
 * p: n_kinds + 1 probabilities, the end last; they sum to 1.  Returns what
 * one event more, never seen, would get.
 */
double		wf_markov_probabilities(const WfMarkov *model, const WfMarkovState *state, double *p);

#endif							/* WF_MARKOV_H */
