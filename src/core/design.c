/*-------------------------------------------------------------------------
 * design.c
 *	  Numbering the columns, and filling them from a row.
 *-------------------------------------------------------------------------
 */
#include "core/design.h"

void
wf_design_create(WfHost *host, const WfDataset *data, WfDesign *design)
{
	uint32_t	next = 0;
	uint64_t	columns = 0;

	design->n_features = data->d;
	design->features = wf_alloc_zero(host, data->d, sizeof(WfDesignFeature));
	for (uint32_t f = 0; f < data->d; f++)
		columns += (data->is_category[f] ? data->n_bins[f] : 1u) + (data->has_missing[f] != 0);
	if (columns >= WF_NO_COLUMN)
		host->fail(host, WF_E_LIMIT, "Use fewer features.",
				   "a linear model of these features would have too many columns");

	for (uint32_t f = 0; f < data->d; f++)
	{
		design->features[f].missing = WF_NO_COLUMN;
		if (!data->is_category[f])
			design->features[f].first = next++;
	}
	design->n_numbers = next;
	for (uint32_t f = 0; f < data->d; f++)
		if (!data->is_category[f] && data->has_missing[f])
			design->features[f].missing = next++;
	for (uint32_t f = 0; f < data->d; f++)
		if (data->is_category[f])
		{
			WfDesignFeature *feature = &design->features[f];

			feature->n_levels = data->n_bins[f];
			feature->first = next;
			next += feature->n_levels;
			if (data->has_missing[f])
				feature->missing = next++;
		}
	design->n_columns = next;
}

uint32_t
wf_design_expand(const WfDesign *design, const float *x, double *z, uint32_t *active)
{
	uint32_t	n_active = 0;
	bool		categories = false;

	for (uint32_t f = 0; f < design->n_features; f++)
	{
		const WfDesignFeature *feature = &design->features[f];

		if (feature->n_levels)
			categories = true;
		else if (!wf_design_missing(feature, x[f]))
			z[feature->first] = wf_design_number(feature, x[f]);
		else
		{
			z[feature->first] = 0;
			if (feature->missing != WF_NO_COLUMN)
				active[n_active++] = feature->missing;
		}
	}
	if (!categories)
		return n_active;
	for (uint32_t f = 0; f < design->n_features; f++)
	{
		const WfDesignFeature *feature = &design->features[f];

		if (feature->n_levels == 0)
			continue;
		if (!wf_design_missing(feature, x[f]))
			active[n_active++] = feature->first + (uint32_t) x[f];
		else if (feature->missing != WF_NO_COLUMN)
			active[n_active++] = feature->missing;
	}
	return n_active;
}
