/*-------------------------------------------------------------------------
 * features.c
 *	  One column of a model and where its features lie in the vector.
 *
 * Also the way back: what a feature holds as text, and the model's zone.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "pgtime.h"

#include "pg/compat.h"
#include "pg/features.h"
#include "pg/input.h"

/* ---- places ---- */

static const WfPart *
place_parts(const WfModel *model, const WfColumnRecord *record, MemoryContext cxt)
{
	WfPart	   *parts = MemoryContextAlloc(cxt, sizeof(WfPart) * (record->n_features + 1));

	for (uint32_t i = 0; i < record->n_features; i++)
		parts[i] = (WfPart) model->features[record->first_feature + i].part;
	return parts;
}

static const int32 *
place_tags(const WfModel *model, const WfColumnRecord *record, MemoryContext cxt)
{
	int32	   *feature = MemoryContextAlloc(cxt, sizeof(int32) * (record->n_strings + 1));

	for (uint32_t i = 0; i < record->n_strings; i++)
		feature[i] = -1;
	for (uint32_t i = 0; i < record->n_features; i++)
	{
		uint32_t	tag = model->features[record->first_feature + i].element;

		if (tag < record->n_strings)
			feature[tag] = (int32) i;
	}
	return feature;
}

WfmlPlace *
wfml_places(const WfModel *model, MemoryContext cxt)
{
	uint32_t	n = model->header->n_columns;
	WfmlPlace  *places = MemoryContextAllocZero(cxt, sizeof(WfmlPlace) * ((Size) n + 1));

	for (uint32_t c = 0; c < n; c++)
	{
		const WfColumnRecord *record = &model->columns[c];
		WfmlPlace  *place = &places[c];

		place->model = model;
		place->column = c;
		place->name = wf_model_string(model, record->name);
		place->name_length = record->name.length;
		place->kind = (WfColumnKind) record->kind;
		place->first = record->first_feature;
		place->n = record->n_features;
		switch (place->kind)
		{
			case WF_COL_TIMESTAMP:
			case WF_COL_DATE:
			case WF_COL_TIME:
				place->parts = place_parts(model, record, cxt);
				break;
			case WF_COL_TAGS:
				place->feature_of_tag = place_tags(model, record, cxt);
				place->n_tags = record->n_strings;
				break;
			case WF_COL_VECTOR:
				for (uint32_t i = 0; i < place->n; i++)
					place->length = Max(place->length, (uint64) model->features[place->first + i].element + 1);
				break;
			default:
				break;
		}
	}
	return places;
}

void
wfml_put_missing(const WfmlPlace *place, float *x)
{
	for (uint32_t i = 0; i < place->n; i++)
		x[place->first + i] = NAN;
}

void
wfml_put_number(const WfmlPlace *place, double value, float *x)
{
	for (uint32_t i = 0; i < place->n; i++)
		x[place->first + i] = (float) value;
}

void
wfml_put_text(const WfmlPlace *place, const char *bytes, size_t length, float *x)
{
	float		level = wf_model_level(place->model, place->column, bytes, length);

	for (uint32_t i = 0; i < place->n; i++)
		x[place->first + i] = level;
}

void
wfml_put_time(const WfmlPlace *place, int64 days, int64 usec, float *x)
{
	wf_time_values(place->parts, (int) place->n, days, usec, x + place->first);
}

void
wfml_put_no_tags(const WfmlPlace *place, float *x)
{
	for (uint32_t i = 0; i < place->n; i++)
		x[place->first + i] = 0.0f;
}

void
wfml_put_tag(const WfmlPlace *place, const char *bytes, size_t length, float *x)
{
	int			tag = wf_model_tag(place->model, place->column, bytes, length);

	if (tag >= 0 && (uint32_t) tag < place->n_tags && place->feature_of_tag[tag] >= 0)
		x[place->first + (uint32_t) place->feature_of_tag[tag]] = 1.0f;
}

void
wfml_put_vector(const WfmlPlace *place, const double *values, int n, float *x)
{
	if (n == 0)
	{
		wfml_put_missing(place, x);
		return;
	}
	if ((uint64) n != place->length)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("array of column \"%s\" has length %d, the model was trained with length " UINT64_FORMAT,
						place->name, n, place->length)));
	for (uint32_t i = 0; i < place->n; i++)
		x[place->first + i] = (float) values[place->model->features[place->first + i].element];
}

/* ---- the model's zone ---- */

pg_tz *
wfml_model_zone(const WfModel *model)
{
	size_t		length = 0;
	const char *bytes = wf_model_section(model, "ZONE", &length);
	char		name[TZ_STRLEN_MAX + 1];
	pg_tz	   *zone;

	while (bytes && length > 0 && bytes[length - 1] == '\0')
		length--;
	if (bytes == NULL || length == 0 || length > TZ_STRLEN_MAX)
		return pg_tzset("GMT");
	memcpy(name, bytes, length);
	name[length] = '\0';
	zone = pg_tzset(name);
	if (zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" of the model is not known to this server", name)));
	return zone;
}

/* ---- a feature as text ---- */

static char *
number_text(float value)
{
	char	   *text = palloc(FLOAT_SHORTEST_DECIMAL_LEN);

	if (value == floorf(value) && fabsf(value) < 1e7f)
		snprintf(text, FLOAT_SHORTEST_DECIMAL_LEN, "%.0f", value);
	else
		(void) float_to_shortest_decimal_buf(value, text);
	return text;
}

static char *
category_text(const WfModel *model, const WfFeatureRecord *feature, float value)
{
	const WfColumnRecord *column = &model->columns[feature->column];
	uint32_t	level = value >= 0 ? (uint32_t) value : UINT32_MAX;

	if (level >= column->n_strings)
		return pstrdup("(other)");
	return pstrdup(wf_model_string(model, model->dict[column->first_string + level]));
}

/* A row of no known group is scaled like all rows together. */
static char *
group_text(const WfModel *model, float value)
{
	size_t		length;

	if (!(value >= 0 && value < (float) model->ids[0].n))
		return pstrdup("(other)");
	return pstrdup(wf_idmap_string(&model->ids[0], (uint32_t) value, &length));
}

static char *
part_text(WfPart part, float value)
{
	static const char *const days[] = {
		"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"
	};

	switch (part)
	{
		case WF_PART_WEEKDAY:
			return pstrdup(value >= 0 && value < 7 ? days[(int) value] : "?");
		case WF_PART_MINUTE:
			return psprintf("%02d:%02d", (int) value / 60, (int) value % 60);
		case WF_PART_WEEKEND:
		case WF_PART_TAG:
			return pstrdup(value != 0 ? "true" : "false");
		default:
			return number_text(value);
	}
}

char *
wfml_feature_text(const WfModel *model, uint32_t feature, const float *x)
{
	const WfFeatureRecord *record = &model->features[feature];
	float		value = x[feature];

	if (model->columns[record->column].kind == WF_COL_GROUP)
		return group_text(model, value);
	if (isnan(value))
		return pstrdup("(missing)");
	if (record->category)
		return category_text(model, record, value);
	if (model->columns[record->column].kind == WF_COL_BOOLEAN)
		return pstrdup(value != 0 ? "true" : "false");
	return part_text((WfPart) record->part, value);
}
