/*-------------------------------------------------------------------------
 * modelinput.c
 *	  Rows of a frame as features of a model that was trained before.
 *-------------------------------------------------------------------------
 */
#include "core/modelinput.h"

#include <math.h>
#include <string.h>

#define CHECK_ENTRIES 4096

/* Where a feature comes from. */
typedef struct InputFeature
{
	int			cell;			/* -1: the same value in every row */
	float		value;			/* of such a feature */
	const float *of_code;		/* categories and groups: by code of the dictionary; NULL otherwise */
	uint32_t	tag;			/* tags: code, WF_CODE_MISSING when no row has it */
	bool		is_tag;
} InputFeature;

struct WfModelInput
{
	WfHost	   *host;
	const WfModel *model;
	const WfFrame *frame;
	InputFeature *features;
};

static bool
is_text(WfColumnKind kind)
{
	return kind == WF_COL_CATEGORY || kind == WF_COL_GROUP;
}

static bool
is_day(WfColumnKind kind)
{
	return kind == WF_COL_TIMESTAMP || kind == WF_COL_DATE;
}

/* As the server's input does: a boolean serves as number, dates and timestamps for each other. */
static bool
readable(WfColumnKind model, WfColumnKind column)
{
	return model == column || (is_text(model) && is_text(column)) || (is_day(model) && is_day(column)) ||
		(model == WF_COL_NUMBER && column == WF_COL_BOOLEAN);
}

static int
find_column(const WfSchema *schema, const char *name)
{
	for (int c = 0; c < schema->n_columns; c++)
		if (strcmp(schema->columns[c].name, name) == 0)
			return c;
	return -1;
}

/* The model's number of each text that the frame has. */
static const float *
levels_of_codes(const WfModelInput *input, uint32_t record, const WfDict *dict)
{
	WfHost	   *host = input->host;
	uint32_t	n = wf_dict_size(dict);
	float	   *level = wf_alloc(host, n, sizeof(float));

	for (uint32_t code = 0; code < n; code++)
	{
		size_t		length;
		const char *bytes = wf_dict_string(dict, code, &length);

		level[code] = wf_model_level(input->model, record, bytes, length);
		if (code % CHECK_ENTRIES == 0)
			host->check(host);
	}
	return level;
}

/* A part that the column does not have is that of midnight: a date where the model knows timestamps. */
static InputFeature
time_feature(const WfColumn *column, WfPart part)
{
	WfPart		parts[WF_N_PARTS];
	int			n = wf_time_parts(column->kind, column->parts, parts);
	float		midnight;

	for (int i = 0; i < n; i++)
		if (parts[i] == part)
			return (InputFeature) {.cell = column->first_cell + i};
	wf_time_values(&part, 1, 0, 0, &midnight);
	return (InputFeature) {.cell = -1, .value = midnight};
}

static void
match_column(WfModelInput *input, const WfColumnRecord *record, uint32_t number, const WfColumn *column)
{
	const WfModel *model = input->model;
	const float *levels = NULL;

	if (is_text((WfColumnKind) record->kind) && column->n_cells > 0)
		levels = levels_of_codes(input, number, column->dict);
	for (uint32_t i = 0; i < record->n_features; i++)
	{
		const WfFeatureRecord *f = &model->features[record->first_feature + i];
		InputFeature *in = &input->features[record->first_feature + i];

		if (column->n_cells == 0)
			*in = (InputFeature) {.cell = -1, .value = NAN};
		else if (is_day((WfColumnKind) record->kind) || record->kind == WF_COL_TIME)
			*in = time_feature(column, (WfPart) f->part);
		else if (record->kind == WF_COL_TAGS)
		{
			WfStringRecord s = model->dict[record->first_string + f->element];

			*in = (InputFeature) {.cell = column->first_cell, .is_tag = true,
				.tag = wf_dict_find(column->dict, wf_model_string(model, s), s.length)};
		}
		else if (record->kind == WF_COL_VECTOR)
		{
			if (f->element >= (uint32_t) column->n_cells)
				input->host->fail(input->host, WF_E_DATA, "Train the model anew with train().",
								  "arrays of column \"%s\" have become shorter than in training", column->name);
			*in = (InputFeature) {.cell = column->first_cell + (int) f->element};
		}
		else
			*in = (InputFeature) {.cell = column->first_cell, .of_code = levels};
	}
}

WfModelInput *
wf_model_input_create(WfHost *host, const WfModel *model, const WfSchema *schema,
					  const WfFrame *frame, bool *use)
{
	WfModelInput *input = wf_alloc_zero(host, 1, sizeof(WfModelInput));

	input->host = host;
	input->model = model;
	input->frame = frame;
	input->features = wf_alloc_zero(host, model->header->n_features, sizeof(InputFeature));
	if (use)
		memset(use, 0, (size_t) schema->n_columns * sizeof(bool));
	for (uint32_t i = 0; i < model->header->n_columns; i++)
	{
		const WfColumnRecord *record = &model->columns[i];
		const char *name = wf_model_string(model, record->name);
		int			c = find_column(schema, name);

		if (c < 0)
			host->fail(host, WF_E_DATA, WF_HINT_NONE, "column \"%s\" is missing from the source", name);
		if (!readable((WfColumnKind) record->kind, schema->columns[c].kind))
			host->fail(host, WF_E_DATA, "Cast it in the source query, or train the model anew with train().",
					   "column \"%s\" has changed its type since the model was trained", name);
		match_column(input, record, i, &schema->columns[c]);
		if (use)
			use[c] = true;
	}
	return input;
}

static float
tag_value(const WfModelInput *input, const InputFeature *in, uint32_t list)
{
	int			n;
	const uint32_t *codes;

	if (list == WF_CODE_MISSING)
		return NAN;
	codes = wf_frame_tags(input->frame, in->cell, list, &n);
	for (int i = 0; i < n; i++)
		if (codes[i] == in->tag)
			return 1;
	return 0;
}

void
wf_model_input_row(const WfModelInput *input, const WfFrameScan *scan, uint32_t r, float *x)
{
	uint32_t	d = input->model->header->n_features;

	for (uint32_t f = 0; f < d; f++)
	{
		const InputFeature *in = &input->features[f];
		WfCell		cell;

		if (in->cell < 0)
		{
			x[f] = in->value;
			continue;
		}
		cell = scan->cells[in->cell][r];
		if (in->is_tag)
			x[f] = tag_value(input, in, cell.code);
		else if (in->of_code)
			x[f] = cell.code == WF_CODE_MISSING ? (float) NAN : in->of_code[cell.code];
		else
			x[f] = cell.number;
	}
}

void
wf_model_input_destroy(WfModelInput *input)
{
	/* a category has one feature, so its table is freed once */
	for (uint32_t f = 0; f < input->model->header->n_features; f++)
		wf_release(input->host, (void *) (uintptr_t) input->features[f].of_code);
	wf_release(input->host, input->features);
	wf_release(input->host, input);
}
