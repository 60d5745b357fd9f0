/*-------------------------------------------------------------------------
 * isolation.h
 *	  Isolation forests (Liu, Ting and Zhou 2008, 2012): how odd is a row.
 *
 * A tree cuts a small random sample at random values of random features until
 * rows stand alone; odd rows stand alone soon.  With E(h) the mean number of
 * cuts that a row needs in all trees and c(n) what a search in a binary tree
 * of n rows needs on average, the score is 2^(-E(h) / c(sample)): near 1 odd,
 * below 0.5 ordinary.  The raw output is -ln 2 · E(h) / c(sample), so that
 * WF_LINK_EXP makes the score of it.
 *
 * A missing value goes to both children by the shares of the sample that went
 * there.  A category sends a random subset of the levels that the node has
 * seen to the left; a level that it has not seen goes with the smaller child.
 * With "scale_by" numbers are first scaled by the median and IQR of the row's
 * group (robust.h).
 *
 * Path lengths are whole numbers of 1/WF_PATH_UNIT, so their sums are the same
 * in any order and on any processor.
 *
 * Section "ISOL" (everything used where it lies):
 *
 *	WfIsolationHeader
 *	WfIsolationTree[n_trees]
 *	uint32[n_scaled]                     features that are scaled, rising
 *	WfScale[(n_groups + 1) × n_scaled]   by group; the last row: no known group
 *	WfIsolationBitset[n_bitsets]         levels that go left
 *	WfIsolationNode[n_nodes]             tree by tree, breadth first, siblings adjacent
 *-------------------------------------------------------------------------
 */
#ifndef WF_ISOLATION_H
#define WF_ISOLATION_H

#include "core/algorithm.h"
#include "core/robust.h"

#define WF_PATH_UNIT 65536
#define WF_ISOLATION_MAX_TREES 1000
#define WF_ISOLATION_MAX_SAMPLE 32768
/* A tree of the largest sample is no deeper than this. */
#define WF_ISOLATION_MAX_DEPTH 15
/* No path is longer: 15 cuts and c(32768) = 20.0; 1000 trees stay below 2^32. */
#define WF_PATH_MAX (60 * WF_PATH_UNIT)
#define WF_ISOLATION_QUANTILES 256
#define WF_NO_GROUP UINT32_MAX

typedef struct WfIsolationHeader
{
	uint32_t	n_features;
	uint32_t	n_trees;
	uint32_t	sample;			/* rows that each tree was grown from */
	uint32_t	n_nodes;
	uint32_t	n_bitsets;
	uint32_t	group_feature;	/* holds the row's group; WF_NO_GROUP: nothing is scaled */
	uint32_t	n_groups;
	uint32_t	n_scaled;
	double		threshold;		/* a score above it is an anomaly */
	double		flagged;		/* share of the training rows above it */
	double		mean;			/* mean score of the training rows */
	double		quantile[WF_ISOLATION_QUANTILES + 1];	/* of their scores, rising */
} WfIsolationHeader;

typedef struct WfIsolationTree
{
	uint32_t	first_node;
	uint32_t	n_nodes;
} WfIsolationTree;

typedef struct WfIsolationBitset
{
	uint32_t	word[8];
} WfIsolationBitset;

#define WF_ISOLATION_LEAF UINT16_C(0xffff)

typedef struct WfIsolationNode
{
	union
	{
		float		threshold;	/* number: x <= threshold goes left */
		uint32_t	bitset;		/* category: index */
		uint32_t	path;		/* leaf: length of the path, in 1/WF_PATH_UNIT */
	};
	uint32_t	rows;			/* of the sample */
	uint16_t	feature;		/* or WF_ISOLATION_LEAF */
	uint16_t	left;			/* child, counted within the tree; the right one follows */
} WfIsolationNode;

extern const WfParam wf_isolation_params[];

size_t		wf_isolation_payload(const WfSpec *spec, int n_classes, bool weighted);
void		wf_isolation_train(const WfTraining *training, WfFitted *fitted);	/* isolation_train.c */
void		wf_isolation_estimate(const WfSpec *spec, uint64_t n, uint32_t d, int n_classes,
								  size_t *memory, size_t *artifact);
void	   *wf_isolation_open(WfHost *host, const void *section, size_t length, const WfShape *shape);
void		wf_isolation_predict(const void *opened, const float *x, double *out);
void		wf_isolation_predict_block(const void *opened, const float *x, size_t n, double *out);
void		wf_isolation_score_row(const void *opened, const WfDataset *data, const uint8_t *record,
								   uint32_t id, double *out);
/* Contributions to the raw output (algorithm.h); isolation_shap.c. */
void		wf_isolation_explain(WfHost *host, const void *opened, const float *x, int output, double *phi);

/*
 * Contributions to the score: phi by feature, and last the base, the mean
 * score of the training rows.  They sum to the score of x.
 */
void		wf_isolation_explain_score(WfHost *host, const void *opened, const float *x, double *phi);

/* Threshold, mean and quantiles of a model that is open. */
const WfIsolationHeader *wf_isolation_facts(const void *opened);
/*
 * The scales of a group (below n_groups) and, for each, the feature it is of;
 * as many as n_scaled says.  NULL: nothing is scaled.
 */
const WfScale *wf_isolation_scales(const void *opened, uint32_t group, const uint32_t **features);
/* Share of the training rows that score lower. */
double		wf_isolation_confidence(const void *opened, double score);

/* Average path length of a search in a tree of n rows, in 1/WF_PATH_UNIT. */
uint32_t	wf_isolation_average_path(uint32_t n);

#endif							/* WF_ISOLATION_H */
