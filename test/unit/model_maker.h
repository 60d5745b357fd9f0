/*-------------------------------------------------------------------------
 * model_maker.h
 *	  Whole models around random trees, for tests of the codec, of opening
 *	  and for the fuzzer's first corpus.
 *-------------------------------------------------------------------------
 */
#ifndef MODEL_MAKER_H
#define MODEL_MAKER_H

#include <math.h>
#include <stdio.h>

#include "core/model.h"
#include "tree_maker.h"

/* Number features f.. that one column may take, as the kind wants. */
static inline uint32_t
maker_run(const Maker *m, uint32_t f, uint32_t most)
{
	uint32_t	n = 0;

	while (n < most && f + n < m->d && !m->is_category[f + n])
		n++;
	return n;
}

static inline void
maker_column(WfHost *host, Maker *m, WfColumn *c, WfFeature *features, int number, uint32_t f)
{
	char		name[32];
	uint32_t	n = 1;
	WfPart		parts[WF_N_PARTS];

	memset(c, 0, sizeof(*c));
	snprintf(name, sizeof(name), "column %d", number);
	c->name = wf_strndup(host, name, strlen(name));
	c->first_feature = (int) f;
	c->dict = wf_dict_create(host);
	if (m->is_category[f])
		c->kind = WF_COL_CATEGORY;
	else if (number % 4 == 1)
	{
		c->kind = WF_COL_VECTOR;
		n = maker_run(m, f, 3);
	}
	else if (number % 4 == 2)
	{
		c->kind = WF_COL_TAGS;
		n = maker_run(m, f, 3);
	}
	else if (number % 4 == 3)
	{
		c->kind = WF_COL_DATE;
		n = maker_run(m, f, 2);
		c->parts = n == 1 ? 1u << WF_PART_DAY : 1u << WF_PART_DAY | 1u << WF_PART_WEEKDAY;
		n = (uint32_t) wf_time_parts(c->kind, c->parts, parts);
	}
	c->n_features = (int) n;
	for (uint32_t i = 0; i < n; i++)
	{
		WfFeature  *feature = &features[f + i];

		memset(feature, 0, sizeof(*feature));
		feature->column = number;
		feature->part = c->kind == WF_COL_VECTOR ? WF_PART_ELEMENT : c->kind == WF_COL_TAGS ? WF_PART_TAG :
			c->kind == WF_COL_DATE ? parts[i] : WF_PART_VALUE;
		feature->element = i;
		if (c->kind == WF_COL_TAGS)
		{
			snprintf(name, sizeof(name), "tag %u", i);
			feature->element = wf_dict_add(c->dict, name, strlen(name));
		}
		if (m->is_category[f])
		{
			feature->category = true;
			feature->has_other = m->n_bins[f] > 2 && f % 2;
			feature->n_levels = m->n_bins[f] - (uint32_t) feature->has_other;
			feature->levels = wf_alloc(host, feature->n_levels, sizeof(uint32_t));
			for (uint32_t l = 0; l < feature->n_levels; l++)
			{
				snprintf(name, sizeof(name), "level %u", l);
				feature->levels[l] = wf_dict_add(c->dict, name, strlen(name));
			}
		}
	}
}

static inline WfSchema *
maker_columns(WfHost *host, Maker *m)
{
	WfSchema   *s = wf_alloc_zero(host, 1, sizeof(*s));
	uint32_t	f = 0;

	s->columns = wf_alloc(host, m->d, sizeof(WfColumn));
	s->features = wf_alloc(host, m->d, sizeof(WfFeature));
	s->n_features = (int) m->d;
	s->time_zone = "Europe/Berlin";
	while (f < m->d)
	{
		maker_column(host, m, &s->columns[s->n_columns], s->features, s->n_columns, f);
		f += (uint32_t) s->columns[s->n_columns++].n_features;
	}
	s->n_classes = m->n_classes;
	s->labels = wf_alloc(host, (size_t) m->n_classes, sizeof(char *));
	for (int c = 0; c < m->n_classes; c++)
	{
		char		name[32];

		snprintf(name, sizeof(name), "class %d", c);
		s->labels[c] = wf_strndup(host, name, strlen(name));
	}
	return s;
}

/* A model of the maker's trees; maker_schema() comes first. */
static inline WfBytes
maker_model(WfHost *host, Maker *m, WfCalibration calibration)
{
	WfDataset	data = {.d = m->d,.n_classes = m->n_classes,.n_bins = m->n_bins,
		.is_category = m->is_category,.has_missing = m->has_missing,
	.first_cut = m->first_cut,.cuts = m->cuts};
	WfSpec	   *spec = wf_alloc_zero(host, 1, sizeof(*spec));
	WfFitted	fitted = {.section = maker_section(host, m)};
	WfModelParts parts = {.schema = maker_columns(host, m),.data = &data,.spec = spec,.fitted = &fitted,
		.calibration = calibration,.calibration_a = 1.5,.calibration_b = -0.25,
	.lower = -1,.upper = 2,.training_rows = 1234};
	WfImportance *importance = wf_alloc_zero(host, m->d, sizeof(WfImportance));
	WfBytes		out;

	spec->algorithm = wf_algorithm_find(m->combine == WF_COMBINE_SUM ? "gradient_boosting" : "random_forest");
	spec->task = m->n_classes ? WF_CLASSIFICATION : WF_REGRESSION;
	spec->seed = m->seed;
	fitted.link = m->n_classes == 0 ? WF_LINK_IDENTITY : m->combine == WF_COMBINE_MEAN ? WF_LINK_PROBABILITY :
		m->n_classes == 2 ? WF_LINK_LOGISTIC : WF_LINK_SOFTMAX;
	for (uint32_t c = 0; c < m->d; c++)
		importance[c] = (WfImportance) {c, c * 2.0, c ? 0.5 : (double) NAN};
	parts.importance = importance;
	parts.histograms = wf_alloc_zero(host, m->d * (WF_HISTOGRAM_GROUPS + 2), sizeof(uint32_t));
	wf_bytes_init(&out, host);
	wf_model_write(host, &parts, &out);
	return out;
}

#endif							/* MODEL_MAKER_H */
