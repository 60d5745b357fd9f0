/*-------------------------------------------------------------------------
 * seqboost.h
 *	  The boosting expert: the house's own gradient boosting on the features
 *	  of histories, for the next event and for the time until it.
 *
 * Classes of the first: the n_named most frequent events, the end of the
 * case, and, when there are more events, all others together.  The second is
 * a regression on log1p(seconds) with absolute loss, so it tells the median.
 *-------------------------------------------------------------------------
 */
#ifndef WF_SEQBOOST_H
#define WF_SEQBOOST_H

#include "core/algorithm.h"
#include "core/eventlog.h"
#include "core/seqfeatures.h"

/* Most events that are classes of their own. */
#define WF_SEQBOOST_MAX_NAMED 64
/* Fewest occurrences of such an event. */
#define WF_SEQBOOST_MIN_COUNT 20

/* What each case is for; a row's fold in the data sets. */
typedef enum WfCaseRole
{
	WF_CASE_TEACHES = 0,
	WF_CASE_JUDGES = 1,			/* chooses rounds, epochs and weights; teaches when refitted */
	WF_CASE_REPORTS = 2			/* held out for the scores; teaches when refitted */
} WfCaseRole;

/* Histories as rows of bins, shared by the team: made once, trained on twice. */
typedef struct WfSeqRows
{
	WfDataset  *data;
	bool		for_gaps;		/* target: log1p(seconds to the next event); else the next event */
	uint32_t	n_named;
	bool		has_other;
} WfSeqRows;

/* How many events of a log are classes, and is there another. */
uint32_t	wf_seqboost_named(const WfEventLog *log, bool *has_other);

/*
 * Collective.  log and role on rank 0, NULL elsewhere.  NULL when there are
 * no rows to make.  A fifth of the cases that
 * teach come twice, once without their times.  Beyond a limit
 * histories are drawn by the hash of their case, whatever the order of rows.
 */
WfSeqRows  *wf_seqboost_rows(WfTeam *team, const WfSpec *spec, const WfEventLog *log, const uint8_t *role,
							 bool for_gaps);
void		wf_seqboost_rows_free(WfTeam *team, WfSeqRows *rows);

/*
 * Collective.  On the cases that teach, or on all.  rounds 0: as many as serve
 * the cases that judge best (these then teach nothing); else so many.  Appends the block to out on rank 0 (padded
 * to a multiple of 64 first).  Returns the rounds done (rank 0; others 0).
 */
int			wf_seqboost_train(WfTeam *team, const WfSpec *spec, const WfSeqRows *rows, bool all, int rounds,
							  double deadline, size_t size_limit, WfBytes *out, bool *time_limited);

/* ---- a block in a model ---- */

typedef struct WfSeqBoost WfSeqBoost;

/* Verify and open (WF_E_CORRUPT); the bytes are used where they lie, at a multiple of 8. */
WfSeqBoost *wf_seqboost_open(WfHost *host, const void *block, size_t length, const WfSeqLayout *layout,
							 bool for_gaps);
/* Events that are classes of their own. */
uint32_t	wf_seqboost_n_named(const WfSeqBoost *boost);
/*
 * p: of the named events, then of the end, then of all other events together
 * (0 when there is no such class); they sum to 1.
 */
void		wf_seqboost_probabilities(const WfSeqBoost *boost, const float *x, double *p);
/* Room for p. */
#define WF_SEQBOOST_ROOM (WF_SEQBOOST_MAX_NAMED + 2)
/* Seconds to the next event, not below 0. */
double		wf_seqboost_gap(const WfSeqBoost *boost, const float *x);

/* Bytes: shared by the team, beside that while training, of the block. */
void		wf_seqboost_estimate(uint64_t n_events, uint32_t n_kinds, bool for_gaps,
								 size_t *shared, size_t *memory, size_t *artifact);

#endif							/* WF_SEQBOOST_H */
