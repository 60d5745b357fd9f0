/*-------------------------------------------------------------------------
 * outofbag.h
 *	  What a forest says of rows that a tree has not drawn.
 *
 * Scored right after a tree is grown, while it is in the cache.  Sums are
 * fixed-point integers, so members may add theirs in any order.
 *-------------------------------------------------------------------------
 */
#ifndef WF_OUTOFBAG_H
#define WF_OUTOFBAG_H

#include "core/algorithm.h"
#include "core/bag.h"
#include "core/tree.h"

#define WF_OOB_ROWS 20000

typedef struct WfOutOfBag WfOutOfBag;

/* A member's sums, from the host: of the first training rows by id. */
WfOutOfBag *wf_oob_create(WfHost *host, const WfForestPlan *plan);
void		wf_oob_reset(WfOutOfBag *oob);
/* Score the rows that this tree did not draw. */
void		wf_oob_add(WfOutOfBag *oob, uint64_t tree, const WfGrownTree *grown);
/* Collective: means into fitted->n_oob, oob_row and oob_out on rank 0. */
void		wf_oob_finish(WfTeam *team, WfOutOfBag *oob, WfFitted *fitted);

size_t		wf_oob_bytes(uint64_t n, int n_classes);

#endif							/* WF_OUTOFBAG_H */
