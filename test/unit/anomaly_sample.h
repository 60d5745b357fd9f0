/*-------------------------------------------------------------------------
 * anomaly_sample.h
 *	  Small trainings without a target: the columns of sample.h, by groups.
 *-------------------------------------------------------------------------
 */
#ifndef WF_TEST_ANOMALY_SAMPLE_H
#define WF_TEST_ANOMALY_SAMPLE_H

#include "sample.h"

/* Groups "g0" … "g4", more of the lower ones, one "lone" row, and rows of no group. */
static inline size_t
anomaly_group(uint64_t i, char text[8])
{
	uint32_t	draw = wf_rng_below(wf_rng(5, i), 16);

	if (i == 7)
		return (size_t) snprintf(text, 8, "lone");
	if (draw > 13)
		return 0;
	return (size_t) snprintf(text, 8, "g%u", draw / 3);
}

/* As sample_make(); grouped: x and noise are scaled by the group. */
static inline void
anomaly_sample_make(Sample *s, WfHost *host, uint32_t n, uint32_t step, bool grouped)
{
	static const char *const names[] = {"x", "c", "noise", "team"};
	static const WfColumnKind kinds[] = {WF_COL_NUMBER, WF_COL_CATEGORY, WF_COL_NUMBER, WF_COL_GROUP};
	int			n_columns = grouped ? 4 : 3;

	memset(s, 0, sizeof(*s));
	s->schema = wf_schema_create(host);
	s->frame = wf_frame_create(host, (size_t) 1 << 30, false, false, false);
	for (int c = 0; c < n_columns; c++)
	{
		int			index = wf_schema_add(s->schema, names[c], kinds[c]);
		WfColumn   *column = &s->schema->columns[index];

		column->dict = kinds[c] == WF_COL_NUMBER ? NULL : wf_dict_create(host);
		column->first_cell = wf_frame_add_column(s->frame, column->dict ? WF_CELL_CODE : WF_CELL_NUMBER, column->dict);
		column->n_cells = 1;
	}
	for (uint32_t k = 0; k < n; k++)
	{
		uint64_t	i = ((uint64_t) k * step) % n;
		WfRowExtra	extra = {.weight = 1};
		WfCell		cells[4];
		char		text[8] = {0};
		size_t		length;
		int			level;
		float		x;
		float		noise;
		double		y;

		sample_row(i, 0, &x, &level, &noise, &y);
		cells[0].number = x;
		text[0] = (char) ('a' + level);
		cells[1].code = level < 0 ? WF_CODE_MISSING : wf_dict_add(s->schema->columns[1].dict, text, 1);
		cells[2].number = noise;
		length = anomaly_group(i, text);
		if (grouped)
			cells[3].code = length ? wf_dict_add(s->schema->columns[3].dict, text, length) : WF_CODE_MISSING;
		wf_frame_append(s->frame, cells, &extra);
	}
	wf_schema_finish(s->schema, s->frame);
	s->schema->time_zone = "UTC";
	s->input.schema = s->schema;
	s->input.frame = s->frame;
	s->input.size_limit = (size_t) 64 << 20;
	s->spec.task = WF_ANOMALY;
	sample_spec(host, s, "isolation_forest", "none");
}

#endif							/* WF_TEST_ANOMALY_SAMPLE_H */
