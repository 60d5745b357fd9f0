/*-------------------------------------------------------------------------
 * sample.h
 *	  Small trainings for unit tests: rows with every kind of column.
 *
 * Columns: x (number, some missing), c (category of 6 levels, some missing),
 * noise (number).  Row i is drawn from its number alone, so a permuted or
 * partial table is easy to make.
 *-------------------------------------------------------------------------
 */
#ifndef WF_TEST_SAMPLE_H
#define WF_TEST_SAMPLE_H

#include "wf_test.h"

#include "core/fit.h"
#include "core/rng.h"

typedef struct Sample
{
	WfSchema   *schema;
	WfFrame    *frame;
	uint16_t	class_of_code[8];
	WfFitInput	input;
	WfSpec		spec;
} Sample;

static const char *const sample_labels[] = {"no", "yes", "maybe"};

/* What row i is: its features, and its value or class. */
static inline void
sample_row(uint64_t i, int n_classes, float *x, int *level, float *noise, double *y)
{
	*x = (float) (wf_rng_unit(wf_rng(1, i)) * 10 - 5);
	*level = (int) wf_rng_below(wf_rng(2, i), 6);
	*noise = (float) wf_rng_unit(wf_rng(3, i));
	*y = *x + (*level % 3) * 2 + 0.5 * wf_rng_unit(wf_rng(4, i));
	if (n_classes == 2)
		*y = *y > 2 ? 1 : 0;
	else if (n_classes > 2)
		*y = *y > 4 ? 2 : *y > 0 ? 1 : 0;
	if (i % 11 == 3)
		*x = NAN;
	if (i % 13 == 5)
		*level = -1;
}

/* n rows in the order start + k * step mod n (step must be coprime to n). */
static inline void
sample_make(Sample *s, WfHost *host, uint32_t n, int n_classes, uint32_t step, size_t memory_limit)
{
	WfDict	   *levels = wf_dict_create(host);
	WfDict	   *labels = wf_dict_create(host);
	int			col;

	memset(s, 0, sizeof(*s));
	s->schema = wf_schema_create(host);
	s->frame = wf_frame_create(host, memory_limit, false, false, false);
	col = wf_schema_add(s->schema, "x", WF_COL_NUMBER);
	s->schema->columns[col].first_cell = wf_frame_add_column(s->frame, WF_CELL_NUMBER, NULL);
	s->schema->columns[col].n_cells = 1;
	col = wf_schema_add(s->schema, "c", WF_COL_CATEGORY);
	s->schema->columns[col].dict = levels;
	s->schema->columns[col].first_cell = wf_frame_add_column(s->frame, WF_CELL_CODE, levels);
	s->schema->columns[col].n_cells = 1;
	col = wf_schema_add(s->schema, "noise", WF_COL_NUMBER);
	s->schema->columns[col].first_cell = wf_frame_add_column(s->frame, WF_CELL_NUMBER, NULL);
	s->schema->columns[col].n_cells = 1;
	for (uint32_t k = 0; k < n; k++)
	{
		uint64_t	i = ((uint64_t) k * step) % n;
		WfCell		cells[3];
		WfRowExtra	extra = {.weight = 1};
		char		text[2] = {0};
		int			level;
		float		x;
		float		noise;
		double		y;

		sample_row(i, n_classes, &x, &level, &noise, &y);
		cells[0].number = x;
		text[0] = (char) ('a' + level);
		cells[1].code = level < 0 ? WF_CODE_MISSING : wf_dict_add(levels, text, 1);
		cells[2].number = noise;
		extra.target = y;
		if (n_classes)
		{
			const char *label = sample_labels[(int) y];

			extra.target = wf_dict_add(labels, label, strlen(label));
			extra.target_hash = wf_hash_bytes(label, strlen(label), 0);
		}
		wf_frame_append(s->frame, cells, &extra);
	}
	wf_schema_finish(s->schema, s->frame);
	s->schema->time_zone = "UTC";
	if (n_classes)
	{
		s->schema->n_classes = n_classes;
		s->schema->labels = wf_alloc(host, (size_t) n_classes, sizeof(char *));
		for (int c = 0; c < n_classes; c++)
		{
			uint32_t	code = wf_dict_find(labels, sample_labels[c], strlen(sample_labels[c]));

			s->schema->labels[c] = wf_strndup(host, sample_labels[c], strlen(sample_labels[c]));
			if (code != WF_CODE_MISSING)
				s->class_of_code[code] = (uint16_t) c;
		}
	}
	s->input.schema = s->schema;
	s->input.frame = s->frame;
	s->input.class_of_code = s->class_of_code;
	s->input.size_limit = (size_t) 64 << 20;
	s->spec.task = n_classes ? WF_CLASSIFICATION : WF_REGRESSION;
}

static inline void
sample_set_number(WfHost *host, WfSpec *spec, const char *name, double number)
{
	WfParamInput in = {.kind = WF_INPUT_NUMBER, .number = number};

	wf_params_set(host, spec, name, &in);
}

static inline void
sample_set_word(WfHost *host, WfSpec *spec, const char *name, const char *word)
{
	WfParamInput in = {.kind = WF_INPUT_TEXT, .text = word};

	wf_params_set(host, spec, name, &in);
}

/* Few, small trees or iterations, so that a whole training takes milliseconds. */
static inline void
sample_spec(WfHost *host, Sample *s, const char *algorithm, const char *validation)
{
	s->spec.algorithm = wf_algorithm_find(algorithm);
	wf_params_defaults(&s->spec);
	sample_set_word(host, &s->spec, "validation", validation);
	if (wf_spec_has(&s->spec, "trees"))
		sample_set_number(host, &s->spec, "trees", 10);
	if (wf_spec_has(&s->spec, "rounds"))
		sample_set_number(host, &s->spec, "rounds", 20);
	if (wf_spec_has(&s->spec, "max_leaves"))
		sample_set_number(host, &s->spec, "max_leaves", 8);
	wf_params_finish(host, &s->spec);
}

#endif							/* WF_TEST_SAMPLE_H */
