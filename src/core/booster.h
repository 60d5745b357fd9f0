/*-------------------------------------------------------------------------
 * booster.h
 *	  The state of one boosting run; shared by boosting.c (rounds) and
 *	  booster.c (passes over the rows).
 *
 * A member's records lie in this order: [0, n_tree) those that the tree at
 * hand is grown from, [n_tree, n_train) training rows that were not sampled
 * for it, [n_train, n_train + n_inner) rows that only choose the number of
 * rounds, then rows that take no part (the fold held out, weight 0).
 *
 * With more than two classes margins and integer gradients stand beside the
 * records, K each by row id, so that the records stay short; a tree's
 * gradients are brought into the records before it is grown.
 *-------------------------------------------------------------------------
 */
#ifndef WF_BOOSTER_H
#define WF_BOOSTER_H

#include "core/algorithm.h"
#include "core/leafwise.h"
#include "core/loss.h"
#include "core/refit.h"

/* What a member tells the others. */
typedef struct WfBoosterCell
{
	_Alignas(64) double real;
	int64_t		whole;
} WfBoosterCell;

typedef struct WfBooster
{
	const WfTraining *training;
	WfTeam	   *team;
	WfHost	   *host;
	const WfDataset *data;

	/* parameters */
	WfLoss		loss;
	bool		bounded;		/* logistic on fractions */
	bool		auto_delta;		/* huber: delta follows the residuals */
	int			rounds;
	int			patience;		/* rounds without improvement before stopping; 0: never */
	double		learning_rate;
	double		subsample;
	double		colsample;
	uint64_t	seed;
	WfLeafwiseRules rules;

	/* rows */
	WfRecords	records;
	size_t		n_tree;
	size_t		n_train;
	size_t		n_inner;
	uint64_t	all_train;		/* of all members */
	double		weight_max;		/* of training rows; 0 when all weights are 1 */
	double	   *base;			/* n_outputs */
	float	   *margins;		/* shared, n × K, or NULL */
	uint32_t   *gradients;		/* shared, n × K, or NULL */

	/* scales */
	bool		fine;			/* gradients need 32 bits */
	double		g_max;			/* largest |g| and h of a row of the tree at hand */
	double		h_max;
	double		residual_max;	/* squared loss: largest |residual| of this member's rows after the last tree */
	double		loss_unit;		/* losses of inner rows are summed in steps of this */
	double		loss_cap;

	WfLeafwise   *grower;
	uint8_t    *use;			/* colsample: features of the tree at hand; else NULL */
	WfRefit		refit;
	WfRefitGroup *groups;		/* max_leaves, for losses that refit */
	WfBoosterCell *cells;		/* shared, one per member */
} WfBooster;

/* Collective reductions. */
double		wf_booster_max(WfBooster *b, double mine);
int64_t		wf_booster_sum(WfBooster *b, int64_t mine);

/* Order the records, fill their payload, find base: collective. */
void		wf_booster_place(WfBooster *b);
void		wf_booster_start(WfBooster *b);
/* Do a few residuals dwarf the others?  Sets b->fine. */
void		wf_booster_look_at_scales(WfBooster *b);
/* Before the trees of a round: sample rows, gradients of all classes, scales. */
void		wf_booster_begin_round(WfBooster *b, int round);
/* Gradients of output k into the records and the root's histogram; then the tree is grown. */
void		wf_booster_grow(WfBooster *b, int k);
/* Set the values of the tree's leaves, learning rate included. */
void		wf_booster_set_values(WfBooster *b);
/* Add the tree to every row's score. */
void		wf_booster_update(WfBooster *b, int k);
/* Loss of the inner rows, the same on every member; in units that only compare. */
int64_t		wf_booster_inner_loss(WfBooster *b);

#endif							/* WF_BOOSTER_H */
