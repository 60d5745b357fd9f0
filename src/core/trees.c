/*-------------------------------------------------------------------------
 * trees.c
 *	  Trees at run time: opening a section, binning rows, scoring.
 *-------------------------------------------------------------------------
 */
#include "core/trees.h"

#include <math.h>
#include <string.h>

struct WfTrees
{
	WfEnsemble	ensemble;
	WfShape		shape;
};

void *
wf_trees_open(WfHost *host, const void *section, size_t length, const WfShape *shape)
{
	WfTrees    *trees = wf_alloc_zero(host, 1, sizeof(*trees));

	wf_ensemble_open(host, section, length, shape->n_features, shape->is_category,
					 shape->n_classes, &trees->ensemble);
	trees->shape = *shape;
	return trees;
}

const WfEnsemble *
wf_trees_ensemble(const WfTrees *trees)
{
	return &trees->ensemble;
}

const WfShape *
wf_trees_shape(const WfTrees *trees)
{
	return &trees->shape;
}

/* Number of cuts below x, without branches that depend on x. */
static inline uint8_t
bin_of(float x, const float *cuts, uint32_t n)
{
	const float *base = cuts;

	if (n == 0)
		return 0;
	while (n > 1)
	{
		uint32_t	half = n / 2;

		base += base[half - 1] < x ? half : 0;
		n -= half;
	}
	return (uint8_t) (base - cuts + (base[0] < x));
}

void
wf_trees_bin_row(const WfTrees *trees, const float *x, uint8_t *bins)
{
	const WfShape *shape = &trees->shape;

	for (uint32_t f = 0; f < shape->n_features; f++)
	{
		if (isnan(x[f]))
			bins[f] = WF_MISSING_BIN;
		else if (!shape->is_category[f])
			bins[f] = bin_of(x[f], shape->cuts + shape->first_cut[f], shape->n_bins[f] - 1u);
		else
			bins[f] = x[f] >= 0 && x[f] < shape->n_bins[f] ? (uint8_t) x[f] : WF_MISSING_BIN;
	}
}

void
wf_trees_predict(const void *opened, const float *x, double *out)
{
	const WfTrees *trees = opened;
	uint8_t		bins[WF_MAX_FEATURES];

	wf_trees_bin_row(trees, x, bins);
	wf_ensemble_score_bins(&trees->ensemble, bins, out);
}

void
wf_trees_predict_block(const void *opened, const float *x, size_t n, double *out)
{
	const WfTrees *trees = opened;

	for (size_t i = 0; i < n; i++)
		wf_trees_predict(opened, x + i * trees->shape.n_features,
						 out + i * (size_t) trees->shape.n_outputs);
}

void
wf_trees_score_row(const void *opened, const WfDataset *data, const uint8_t *record, uint32_t id, double *out)
{
	const WfTrees *trees = opened;

	(void) data;
	(void) id;
	wf_ensemble_score_bins(&trees->ensemble, record, out);
}
