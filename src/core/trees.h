/*-------------------------------------------------------------------------
 * trees.h
 *	  Fast prediction for ensembles of trees: the run-time form of a "TREE"
 *	  section, shared by every tree algorithm.
 *
 * Opened once per model: small ensembles get derived tables (bit vectors as
 * in QuickScorer, or interleaved 8-byte nodes), large ones are walked as
 * packed words on bins.  All forms give the same outputs, bit for bit, as
 * wf_ensemble_score_bins().
 *-------------------------------------------------------------------------
 */
#ifndef WF_TREES_H
#define WF_TREES_H

#include "core/algorithm.h"
#include "core/tree.h"

typedef struct WfTrees WfTrees;

/* The functions of WfAlgorithm for tree algorithms. */
void	   *wf_trees_open(WfHost *host, const void *section, size_t length, const WfShape *shape);
void		wf_trees_predict(const void *opened, const float *x, double *out);
void		wf_trees_predict_block(const void *opened, const float *x, size_t n, double *out);
void		wf_trees_score_row(const void *opened, const WfDataset *data, const uint8_t *record, uint32_t id, double *out);
void		wf_trees_explain(WfHost *host, const void *opened, const float *x, int output, double *phi);	/* shap.c */

const WfEnsemble *wf_trees_ensemble(const WfTrees *trees);
const WfShape *wf_trees_shape(const WfTrees *trees);
/* The form that predicts: "byte vectors", "bit vectors", "float nodes" or "walk". */
const char *wf_trees_form(const WfTrees *trees);
/* Bins of a row of features. */
void		wf_trees_bin_row(const WfTrees *trees, const float *x, uint8_t *bins);

#endif							/* WF_TREES_H */
