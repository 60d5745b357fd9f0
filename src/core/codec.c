/*-------------------------------------------------------------------------
 * codec.c
 *	  Writing a model: what training left becomes one block of bytes.
 *-------------------------------------------------------------------------
 */
#include "core/drift.h"
#include "core/model.h"

#include <math.h>
#include <string.h>

#define MAX_SECTIONS 16

typedef struct Writer
{
	WfHost	   *host;
	const WfModelParts *parts;	/* of a table; else NULL */
	WfBytes    *out;
	size_t		base;			/* where the model starts in out */
	WfModelHeader header;
	WfSectionEntry sections[MAX_SECTIONS];
	/* gathered before they are written */
	WfBytes		columns;
	WfBytes		features;
	WfBytes		cuts;
	WfBytes		dict;
	WfBytes		look;
	WfBytes		strings;
} Writer;

static void
put_section(Writer *w, const char *tag, const void *bytes, size_t length)
{
	WfSectionEntry *s = &w->sections[w->header.n_sections++];

	wf_bytes_align(w->out, 64);
	memcpy(s->tag, tag, sizeof(s->tag));
	s->offset = w->out->length - w->base;
	s->length = length;
	wf_bytes_append(w->out, bytes, length);
}

static WfStringRecord
add_string(Writer *w, const char *bytes, size_t length)
{
	WfStringRecord s;

	if (length >= UINT32_MAX - w->strings.length)
		w->host->fail(w->host, WF_E_LIMIT, WF_HINT_NONE, "the model's names and labels are too long");
	s.offset = (uint32_t) w->strings.length;
	s.length = (uint32_t) length;
	wf_bytes_append(&w->strings, bytes, length);
	wf_bytes_append(&w->strings, "", 1);
	return s;
}

static uint32_t
n_strings(const Writer *w)
{
	return (uint32_t) (w->dict.length / sizeof(WfStringRecord));
}

static void
add_dict_string(Writer *w, const WfDict *dict, uint32_t code)
{
	size_t		length;
	const char *bytes = wf_dict_string(dict, code, &length);
	WfStringRecord s = add_string(w, bytes, length);

	wf_bytes_append(&w->dict, &s, sizeof(s));
}

/* A hash table over the column's strings, at most half full. */
static void
add_look(Writer *w, WfColumnRecord *column)
{
	const WfStringRecord *s = (const WfStringRecord *) w->dict.data + column->first_string;
	uint32_t	size = 2;
	uint16_t   *table;

	while (size < 2 * column->n_strings)
		size *= 2;
	column->look_at = (uint32_t) (w->look.length / sizeof(uint16_t));
	column->look_size = size;
	table = wf_bytes_extend(&w->look, size * sizeof(uint16_t));
	memset(table, 0, size * sizeof(uint16_t));
	for (uint32_t i = 0; i < column->n_strings; i++)
	{
		uint64_t	at = wf_hash_bytes(w->strings.data + s[i].offset, s[i].length, 0);

		while (table[at & (size - 1)])
			at++;
		table[at & (size - 1)] = (uint16_t) (i + 1);
	}
}

static void
add_feature(Writer *w, uint32_t column, uint32_t f, uint32_t element)
{
	const WfFeature *feature = &w->parts->schema->features[f];
	const WfDataset *data = w->parts->data;
	WfFeatureRecord r = {.column = column, .element = element, .part = (uint8_t) feature->part,
		.category = feature->category, .has_missing = data->has_missing && data->has_missing[f],
	.n_bins = 1};

	if (feature->category)
	{
		r.has_other = feature->has_other;
		r.n_bins = (uint16_t) (feature->n_levels + feature->has_other);
	}
	else if (data->layout == WF_LAYOUT_BINS)
	{
		r.n_bins = data->n_bins[f];
		r.first_cut = (uint32_t) (w->cuts.length / sizeof(float));
		wf_bytes_append(&w->cuts, data->cuts + data->first_cut[f], (r.n_bins - 1u) * sizeof(float));
	}
	else if (w->parts->histograms)
	{
		/* Not needed to predict: only where drift's groups end. */
		WfDriftGroups groups;

		wf_drift_groups(&groups, data->cuts + data->first_cut[f], data->n_bins[f], false);
		r.n_bins = groups.n_bins;
		r.first_cut = (uint32_t) (w->cuts.length / sizeof(float));
		wf_bytes_append(&w->cuts, groups.edge, groups.n_edges * sizeof(float));
	}
	wf_bytes_append(&w->features, &r, sizeof(r));
}

static void
add_column(Writer *w, const WfColumn *column)
{
	const WfSchema *schema = w->parts->schema;
	WfColumnRecord r = {.kind = (uint8_t) column->kind};
	uint32_t	number = w->header.n_columns++;

	r.name = add_string(w, column->name, strlen(column->name));
	r.first_feature = w->header.n_features;
	r.n_features = (uint32_t) column->n_features;
	r.first_string = n_strings(w);
	for (uint32_t i = 0; i < r.n_features; i++)
	{
		uint32_t	f = (uint32_t) column->first_feature + i;
		const WfFeature *feature = &schema->features[f];
		uint32_t	element = feature->part == WF_PART_ELEMENT ? feature->element : 0;

		/* Model and data set count features alike. */
		if (f != w->header.n_features++)
			w->host->fail(w->host, WF_E_INTERNAL, WF_HINT_NONE, "features are not in the order of their columns");
		if (feature->category)
			for (uint32_t l = 0; l < feature->n_levels; l++)
				add_dict_string(w, column->dict, feature->levels[l]);
		else if (feature->part == WF_PART_TAG)
		{
			element = n_strings(w) - r.first_string;
			add_dict_string(w, column->dict, feature->element);
		}
		else if (feature->part != WF_PART_VALUE && feature->part != WF_PART_ELEMENT)
			r.parts |= UINT32_C(1) << feature->part;
		add_feature(w, number, f, element);
	}
	r.n_strings = n_strings(w) - r.first_string;
	if (r.n_strings)
		add_look(w, &r);
	wf_bytes_append(&w->columns, &r, sizeof(r));
}

static void
put_schema(Writer *w)
{
	const WfModelParts *parts = w->parts;
	const WfSchema *schema = parts->schema;
	WfBytes		labels;

	wf_bytes_init(&labels, w->host);
	for (int c = 0; c < schema->n_columns; c++)
		if (schema->columns[c].left_out == WF_KEPT)
			add_column(w, &schema->columns[c]);
	if (w->header.n_features != parts->data->d)
		w->host->fail(w->host, WF_E_INTERNAL, WF_HINT_NONE, "schema and data set differ");
	for (uint32_t c = 0; c < w->header.n_classes; c++)
	{
		WfStringRecord s = add_string(w, schema->labels[c], strlen(schema->labels[c]));

		wf_bytes_append(&labels, &s, sizeof(s));
	}
	put_section(w, "COLS", w->columns.data, w->columns.length);
	put_section(w, "FEAT", w->features.data, w->features.length);
	put_section(w, "CUTS", w->cuts.data, w->cuts.length);
	put_section(w, "DICT", w->dict.data, w->dict.length);
	put_section(w, "LOOK", w->look.data, w->look.length);
	put_section(w, "LABL", labels.data, labels.length);
	put_section(w, "STRS", w->strings.data, w->strings.length);
	put_section(w, "ZONE", schema->time_zone, strlen(schema->time_zone) + 1);
}

/* Header and table of sections come first; they are filled in last. */
static void
begin(Writer *w, const WfSpec *spec, uint64_t training_rows)
{
	const WfAlgorithm *algorithm = wf_algorithm_get(spec->algorithm);
	WfModelHeader *h = &w->header;

	wf_bytes_align(w->out, 64);
	w->base = w->out->length;
	memset(wf_bytes_extend(w->out, sizeof(WfModelHeader) + sizeof(w->sections)), 0,
		   sizeof(WfModelHeader) + sizeof(w->sections));
	memcpy(h->magic, WF_MODEL_MAGIC, sizeof(h->magic));
	h->format = WF_MODEL_FORMAT;
	h->task = (uint8_t) spec->task;
	h->calibration_a = 1;
	h->lower = h->upper = NAN;
	memcpy(h->algorithm, algorithm->name, strlen(algorithm->name));
	h->seed = spec->seed;
	h->training_rows = training_rows;
}

static void
end(Writer *w)
{
	uint8_t    *model;

	wf_bytes_align(w->out, 8);
	model = w->out->data + w->base;
	w->header.length = w->out->length - w->base;
	memcpy(model, &w->header, sizeof(w->header));
	memcpy(model + sizeof(w->header), w->sections, w->header.n_sections * sizeof(WfSectionEntry));
	w->header.crc = wf_crc32c(0, model + 16, w->header.length - 16);
	memcpy(model, &w->header, sizeof(w->header));
}

void
wf_model_write_sections(WfHost *host, const WfSpec *spec, uint64_t training_rows,
						const WfModelSection *sections, int n, WfBytes *out)
{
	Writer		w = {.host = host,.out = out};

	if (n > MAX_SECTIONS)
		host->fail(host, WF_E_INTERNAL, WF_HINT_NONE, "too many sections");
	begin(&w, spec, training_rows);
	for (int i = 0; i < n; i++)
		put_section(&w, sections[i].tag, sections[i].bytes, sections[i].length);
	end(&w);
}

static void
fill_header(Writer *w)
{
	const WfModelParts *parts = w->parts;
	WfModelHeader *h = &w->header;

	h->n_classes = (uint32_t) parts->data->n_classes;
	h->n_outputs = (uint32_t) wf_n_outputs(parts->data->n_classes);
	h->link = (uint8_t) parts->fitted->link;
	h->calibration = (uint8_t) parts->calibration;
	h->calibration_a = parts->calibration == WF_CALIBRATE_NONE ? 1 : parts->calibration_a;
	h->calibration_b = parts->calibration == WF_CALIBRATE_NONE ? 0 : parts->calibration_b;
	h->lower = h->n_classes ? (double) NAN : parts->lower;
	h->upper = h->n_classes ? (double) NAN : parts->upper;
}

void
wf_model_write(WfHost *host, const WfModelParts *parts, WfBytes *out)
{
	Writer		w = {.host = host, .parts = parts, .out = out};
	const WfAlgorithm *algorithm = wf_algorithm_get(parts->spec->algorithm);

	wf_bytes_init(&w.columns, host);
	wf_bytes_init(&w.features, host);
	wf_bytes_init(&w.cuts, host);
	wf_bytes_init(&w.dict, host);
	wf_bytes_init(&w.look, host);
	wf_bytes_init(&w.strings, host);
	begin(&w, parts->spec, parts->training_rows);
	fill_header(&w);
	put_schema(&w);
	if (parts->importance)
		put_section(&w, "IMPO", parts->importance, w.header.n_columns * sizeof(WfImportance));
	if (parts->histograms)
		put_section(&w, "HIST", parts->histograms,
					(size_t) w.header.n_features * (WF_HISTOGRAM_GROUPS + 2) * sizeof(uint32_t));
	if (parts->class_weight)
		put_section(&w, "CWGT", parts->class_weight, w.header.n_classes * sizeof(double));
	if (parts->ids)
		put_section(&w, "IDS0", parts->ids->data, parts->ids->length);
	if (parts->seen)
		put_section(&w, "SEEN", parts->seen->data, parts->seen->length);
	put_section(&w, algorithm->section, parts->fitted->section.data, parts->fitted->section.length);
	end(&w);

	wf_bytes_free(&w.columns);
	wf_bytes_free(&w.features);
	wf_bytes_free(&w.cuts);
	wf_bytes_free(&w.dict);
	wf_bytes_free(&w.look);
	wf_bytes_free(&w.strings);
}
